-- The HTTP/2 streams of requests: their numbers, and the ids in libcurl's texts (src/http2.h).

local parts = require("spec.support.parts").load()

local unpack = rawget(_G, "unpack") or table.unpack

local REMOTE, LOCAL = "192.0.2.1", "10.0.0.1"

describe("the stream of a request", function()
  local count

  before_each(function() count = parts.http2_count() end)

  local function begin(remote, remote_port, here, local_port)
    local stream = parts.stream()
    return stream, parts.http2_begin(stream, count, remote or REMOTE, remote_port or 443, here or LOCAL, local_port or 5000)
  end

  -- Begins the first request of a connection. libcurl reports the stream id of the request in a text for debugging.
  local function reported(id, ...)
    local stream, known = begin(...)
    assert.is_false(known)
    parts.http2_read(stream, ("Using Stream ID: %d (easy handle 0x1)\n"):format(id))
    parts.http2_open(stream, count)
    return stream
  end

  it("has an id that is two above the id of the previous stream of its connection", function()
    assert.equal(1, parts.http2_state(reported(1)))
    for id = 3, 9, 2 do
      local stream, known = begin()
      assert.is_true(known)
      parts.http2_open(stream, count)
      assert.equal(id, parts.http2_state(stream))
    end
  end)

  for name, other in pairs {
    ["another server"] = { "192.0.2.2" }, ["another port of the server"] = { REMOTE, 8443 },
    ["another address of this machine"] = { REMOTE, 443, "10.0.0.2" },
    ["another port of this machine"] = { REMOTE, 443, LOCAL, 5001 },
    ["addresses that are divided differently"] = { "1192.0.2.1", 443, "10.0.0." },
  } do
    it("has an unknown id on the connection to " .. name, function()
      reported(1)
      local stream, known = begin(unpack(other))
      assert.is_false(known)
      parts.http2_open(stream, count)
      assert.equal(0, parts.http2_state(stream))
      local _, still = begin() -- the id of the next stream is unknown from now on
      assert.is_false(still)
    end)
  end

  it("has an unknown id after a request that was never sent", function()
    reported(1)
    begin()
    local _, known = begin()
    assert.is_false(known)
  end)

  it("has an unknown id after a connection was closed", function()
    reported(1)
    parts.http2_forget(count)
    local _, known = begin()
    assert.is_false(known)
  end)

  it("has the id that libcurl reports, even if another one was expected", function()
    reported(1)
    local stream = begin()
    parts.http2_read(stream, "Using Stream ID: 7 (easy handle 0x1)\n")
    parts.http2_open(stream, count)
    assert.equal(7, parts.http2_state(stream))
    local following = begin()
    parts.http2_open(following, count)
    assert.equal(9, parts.http2_state(following))
  end)

  it("is no longer refused when the request is sent again", function()
    local stream = parts.stream()
    parts.http2_read(stream, "REFUSED_STREAM, retrying a fresh connect\n")
    parts.http2_begin(stream, count, REMOTE, 443, LOCAL, 5000)
    assert.same({ 0, false }, { parts.http2_state(stream) })
  end)

  describe("is read from texts of libcurl", function()
    local function read(text)
      local stream = parts.stream()
      local last = parts.http2_read(stream, text)
      local id, refused = parts.http2_state(stream)
      return id, refused, last
    end

    for text, id in pairs {
      ["Using Stream ID: 1290 (easy handle 0x1)\n"] = 1290, ["[HTTP/2] [91] OPENED stream for https://x/\n"] = 91,
      ["Using Stream ID: "] = 0, ["Using Stream ID: x"] = 0, ["Using Stream"] = 0, ["using Stream ID: 1"] = 0,
      ["Using Stream ID: /"] = 0, ["Using Stream ID: :"] = 0, [""] = 0,
      ["[HTTP/2] ["] = 0, ["[HTTP/2] [1"] = 0, ["[HTTP/2] [1] [method: POST]"] = 0, ["[HTTP/2] [] OPENED "] = 0,
      ["[1] OPENED "] = 0,
    } do
      it(("with the id %d: %q"):format(id, text), function()
        assert.same({ id, false }, { read(text) })
      end)
    end

    it("as refused", function()
      assert.same({ 0, true }, { read "REFUSED_STREAM, retrying a fresh connect\n" })
      assert.same({ 0, false }, { read "REFUSED_STREAM, retryin" })
      assert.same({ 0, false }, { read "Connection REFUSED_STREAM, retrying" })
    end)

    for text, last in pairs {
      ["received GOAWAY, error=0, last_stream=19\n"] = 19, ["recveived GOAWAY, error=2, last_stream=0\n"] = 0,
    } do
      it("with the last stream of a GOAWAY: " .. text, function()
        assert.same({ 0, false, last }, { read(text) })
      end)
    end

    for _, text in ipairs {
      "received GOAWAY, error=", "received GOAWAY, error=x, last_stream=1", "received GOAWAY, error=1",
      "received GOAWAY, error=1, last_stream=", "received GOAWAY, error=1 last_stream=1", "GOAWAY, error=1, last_stream=1",
    } do
      it("without a GOAWAY: " .. text, function()
        assert.same({ 0, false }, { read(text) })
      end)
    end
  end)

  it("is above the last stream of a GOAWAY of its own connection only", function()
    local third = reported(5)
    assert.is_true(parts.http2_is_above(third, third, 4))
    assert.is_false(parts.http2_is_above(third, third, 5))
    assert.is_false(parts.http2_is_above(third, third, 6))
    local other = reported(5, "192.0.2.2")
    assert.is_false(parts.http2_is_above(third, other, 1))
  end)
end)
