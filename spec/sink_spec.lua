-- src/sink.h writes the body of a response to memory or to a file, or passes the body to a function.

local parts = require("spec.support.parts").load()
local process = require "spec.support.process"

local LARGE = 1000000

describe("the sink of a response", function()
  local sink

  before_each(function() sink = parts.sink() end)
  after_each(function() parts.sink_free(sink) end)

  local function state() return parts.sink_state(sink) end

  local function open(is_stream, max_body, max_size)
    parts.sink_open(sink, is_stream or false, max_body or LARGE, max_size or LARGE)
  end

  local function head(...)
    for _, line in ipairs { ... } do assert.is_true(parts.sink_head(sink, line .. "\r\n")) end
  end

  describe("reads the head", function()
    before_each(function() open() end)

    it("with the version, the status and the lines of headers", function()
      head("HTTP/1.1 201 Created", "A: b", "C:d", "E:")
      local now = state()
      assert.same({ 201, true, false, "A: b\r\nC:d\r\nE:\r\n" }, { now.status, now.is_http1, now.head_complete, now.lines })
      head("")
      assert.is_true(state().head_complete)
      head("Trailer: x") -- a trailer is not added to the headers
      assert.equal("A: b\r\nC:d\r\nE:\r\n", state().lines)
    end)

    for line, expected in pairs {
      ["HTTP/2 200"] = { 200, false }, ["HTTP/1.0 200 OK"] = { 200, true }, ["HTTP/1.1   404"] = { 404, true },
      ["HTTP/1.1 199"] = { 0, true }, ["HTTP/1.1 "] = { 0, true }, ["HTTP/1.1"] = { 0, true }, ["HTTP/1"] = { 0, true },
      ["HTTP/1.1 9999999999"] = { 9999, true }, ["HTTP/1.1 20/"] = { 0, true }, ["HTTP/1.1 299:"] = { 299, true },
      ["HTTP/1.1 909"] = { 909, true }, ["HTTP/"] = { 0, false },
    } do
      it(("with the status of %q"):format(line), function()
        head(line)
        assert.same(expected, { state().status, state().is_http1 })
      end)
    end

    it("of the final response, and nothing of an interim one", function()
      head("HTTP/1.1 103 Early Hints", "Link: x", "Content-Length: 5", "")
      assert.same({ 0, "" }, { state().status, state().lines })
      head("HTTP/1.1 200 OK")
      assert.same({ 200, false, false, "" }, { state().status, state().head_complete, state().is_framed, state().lines })
    end)

    it("without lines that are not headers", function()
      head("HTTP/1.1 200 OK", "no colon", ": no name", "a\0b: x", "X: y")
      assert.equal("X: y\r\n", state().lines)
    end)

    for line, expected in pairs {
      ["content-length: 5"] = true, ["Content-Length: 5"] = true, ["TRANSFER-ENCODING: chunked"] = true,
      ["Content-Lengths: 5"] = false, ["Connection: close"] = false,
    } do
      it("and whether it determines the end of the body: " .. line, function()
        head("HTTP/1.1 200 OK", line)
        assert.equal(expected, state().is_framed)
      end)
    end

    it("up to 256 KiB", function()
      head "HTTP/1.1 200 OK"
      local value = ("x"):rep(64 * 1024 - 5)
      for _ = 1, 3 do head("A: " .. value) end -- each line has 64 KiB, including CR LF
      head("A: " .. value:sub(1, -3))
      assert.is_false(parts.sink_head(sink, "A: b\r\n"))
      assert.equal("too large", state().error)
    end)

    it("of exactly 256 KiB without the line's end", function()
      head("HTTP/1.1 200 OK")
      assert.is_true(parts.sink_head(sink, "A:" .. ("x"):rep(256 * 1024 - 2) .. "\r\n"))
      open()
      head("HTTP/1.1 200 OK")
      assert.is_false(parts.sink_head(sink, "A:" .. ("x"):rep(256 * 1024 - 1) .. "\r\n"))
    end)
  end)

  it("keeps a body in memory up to its limit", function()
    open(false, 10, 3)
    head("HTTP/1.1 200 OK", "")
    assert.is_true(parts.sink_body(sink, "12345"))
    assert.is_true(parts.sink_body(sink, "67890"))
    assert.same({ "1234567890", 10, false }, { state().body, state().received, state().diverts })
    assert.is_false(parts.sink_body(sink, "x"))
    assert.same({ "too large", 10 }, { state().error, state().received })
  end)

  for status, diverts in pairs { [199] = false, [200] = true, [299] = true, [300] = false, [404] = false } do
    it(("%s a body with status %d"):format(diverts and "diverts" or "keeps", status), function()
      open(true, 5, 10)
      head(("HTTP/1.1 %d x"):format(status), "")
      assert.equal(diverts, state().diverts)
      assert.is_true(parts.sink_body(sink, "12345"))
      assert.equal(diverts, parts.sink_body(sink, "67890"))
      assert.is_false(parts.sink_body(sink, "x"))
      assert.equal("too large", state().error)
    end)
  end

  it("pauses a stream while 64 KiB wait for the caller", function()
    open(true)
    head("HTTP/1.1 200 OK", "")
    assert.is_true(parts.sink_body(sink, ("x"):rep(64 * 1024 - 1)))
    assert.is_true(parts.sink_body(sink, "xx"))
    assert.is_false(state().paused)
    assert.equal("pause", parts.sink_body(sink, "x"))
    assert.is_true(state().paused)
    assert.equal(64 * 1024 + 1, state().received)
  end)

  describe("that is a file", function()
    local folder, path

    before_each(function()
      folder = process.folder()
      path = folder:file "body"
    end)
    after_each(function() folder:remove() end)

    local function open_file(max_size)
      assert.is_true((parts.sink_open_file(sink, path, 3, max_size or LARGE)))
    end

    it("exists only when it is complete", function()
      open_file()
      head("HTTP/1.1 200 OK", "")
      assert.is_true(parts.sink_body(sink, "12345"))
      assert.is_nil(folder:read "body")
      assert.is_true(parts.sink_complete(sink))
      assert.equal("body", folder:names())
      assert.equal("12345", folder:read "body")
      parts.sink_close(sink)
      assert.equal("body", folder:names())
    end)

    it("is removed if it was not completed", function()
      open_file()
      head("HTTP/1.1 200 OK", "")
      parts.sink_body(sink, "12345")
      assert.matches("^body%.%d+%-0%.part$", folder:names())
      parts.sink_close(sink)
      assert.equal("", folder:names())
    end)

    it("is not removed by a child process", function()
      open_file()
      parts.sink_disown(sink)
      parts.sink_close(sink)
      assert.matches("^body%.%d+%-0%.part$", folder:names())
    end)

    it("is not made from an error, which stays in memory", function()
      open_file()
      head("HTTP/1.1 500 x", "")
      assert.is_true(parts.sink_body(sink, "123"))
      assert.is_false(parts.sink_body(sink, "4"))
      assert.is_true(parts.sink_complete(sink))
      assert.equal("123", state().body)
      parts.sink_close(sink)
      assert.equal("", folder:names())
    end)

    it("has a limit of its own", function()
      open_file(5)
      head("HTTP/1.1 200 OK", "")
      assert.is_true(parts.sink_body(sink, "12345"))
      assert.is_false(parts.sink_body(sink, "6"))
      assert.equal("too large", state().error)
    end)

    it("never overwrites the incomplete file of another transfer", function()
      open_file()
      local other = parts.sink()
      assert.is_true((parts.sink_open_file(other, path, 3, LARGE)))
      assert.matches("%-0%.part\n.*%-1%.part", (folder:names():gsub(" ", "\n")))
      parts.sink_free(other)
      assert.matches("^body%.%d+%-0%.part$", folder:names())
    end)

    it("continues after an interrupted or incomplete write", function()
      open_file()
      head("HTTP/1.1 200 OK", "")
      parts.fail("write", 4, 0) -- EINTR
      parts.fail("write", -2, 1)
      assert.is_true(parts.sink_body(sink, "12345"))
      assert.equal(5, state().received)
      assert.is_true(parts.sink_complete(sink))
      assert.equal("12345", folder:read "body")
    end)

    it("is removed if the system can't write it", function()
      open_file()
      head("HTTP/1.1 200 OK", "")
      assert.is_true(parts.sink_body(sink, "12345"))
      parts.fail("write", 28, 0) -- ENOSPC
      assert.is_false(parts.sink_body(sink, "6"))
      assert.same({ "unwritable", 5, 28 }, { state().error, state().received, state().system_error })
      parts.sink_close(sink)
      assert.equal("", folder:names())
    end)

    it("is removed if the system can't close it", function()
      open_file()
      head("HTTP/1.1 200 OK", "")
      parts.fail("close", 5, 0) -- EIO; a network file system may report it at close
      assert.is_false(parts.sink_complete(sink))
      assert.same({ "unwritable", 5 }, { state().error, state().system_error })
      parts.sink_close(sink)
      assert.equal("", folder:names())
    end)

    it("can't be written into a folder that is missing", function()
      local opened, number = parts.sink_open_file(sink, folder:file "missing/body", 3, LARGE)
      assert.is_false(opened)
      assert.equal(2, number) -- ENOENT
      assert.equal("", folder:names())
    end)

    it("can't be moved to the place of a folder", function()
      process.run(("mkdir %s %s/x"):format(path, path))
      open_file()
      head("HTTP/1.1 200 OK", "")
      assert.is_false(parts.sink_complete(sink))
      assert.equal("unwritable", state().error)
      parts.sink_close(sink)
      assert.equal("body", folder:names())
    end)
  end)

  it("can be used again", function()
    open()
    head("HTTP/1.1 200 OK", "A: b", "")
    parts.sink_body(sink, "12345")
    parts.sink_close(sink)
    local now = state()
    assert.same({ 0, "", "", 0, false }, { now.status, now.lines, now.body, now.received, now.head_complete })
  end)
end)
