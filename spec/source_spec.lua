-- src/source.h reads the body of a request from bytes, from a file, or from a function.

local parts = require("spec.support.parts").load()
local process = require "spec.support.process"

describe("the source of a request", function()
  local source

  before_each(function() source = parts.source() end)
  after_each(function() parts.source_free(source) end)

  local function state() return parts.source_state(source) end

  it("of bytes is read in parts, and complete with the last one", function()
    local bytes = "12345"
    parts.source_open_bytes(source, bytes)
    assert.is_false(state().complete)
    assert.equal("123", parts.source_read(source, 3))
    assert.same({ false, 3 }, { state().complete, state().position })
    assert.equal("45", parts.source_read(source, 2))
    assert.is_true(state().complete)
    assert.equal("", parts.source_read(source, 3))
    assert.equal(5, state().position)
  end)

  it("that is empty is complete at once", function()
    parts.source_open_bytes(source, "")
    assert.is_true(state().complete)
    assert.equal("", parts.source_read(source, 3))
  end)

  it("starts again only if this is allowed", function()
    local bytes = "12345"
    parts.source_open_bytes(source, bytes)
    assert.is_true(parts.source_seek(source, 0, true)) -- allowed, because no byte of the body was read yet
    parts.source_read(source, 2)
    assert.is_false(parts.source_seek(source, 0, true))
    parts.source_allow_rewind(source)
    assert.is_false(parts.source_seek(source, 1, true))
    assert.is_false(parts.source_seek(source, 0, false))
    assert.is_true(parts.source_seek(source, 0, true))
    assert.equal("12345", parts.source_read(source, 9))
  end)

  it("that is fed can't start again after its first byte", function()
    parts.source_open_fed(source, -1)
    parts.source_allow_rewind(source)
    parts.source_feed(source, "x")
    assert.is_true(parts.source_seek(source, 0, true))
    parts.source_read(source, 1)
    assert.is_false(parts.source_seek(source, 0, true))
  end)

  describe("that is a file", function()
    local folder
    before_each(function() folder = process.folder() end)
    after_each(function() folder:remove() end)

    it("has the file's size", function()
      assert.is_true((parts.source_open_file(source, folder:file("x", "12345"))))
      assert.equal(5, state().size)
      assert.equal("123", parts.source_read(source, 3))
      assert.equal("45", parts.source_read(source, 3))
      assert.is_true(state().complete)
    end)

    it("fails if it became shorter", function()
      assert.is_true((parts.source_open_file(source, folder:file("x", "12345"))))
      folder:write("x", "12")
      assert.equal("12", parts.source_read(source, 5))
      assert.same({ "abort", true }, { parts.source_read(source, 5) })
      assert.same({ "shrunk", false }, { state().error, state().complete })
    end)

    it("is read to the size that it had when it grows", function()
      assert.is_true((parts.source_open_file(source, folder:file("x", "12345"))))
      folder:write("x", "1234567")
      assert.equal("12345", parts.source_read(source, 9))
      assert.equal("", parts.source_read(source, 9))
    end)

    it("continues after an interrupted or incomplete read", function()
      assert.is_true((parts.source_open_file(source, folder:file("x", "12345"))))
      parts.fail("pread", 4, 0) -- EINTR
      parts.fail("pread", -2, 1)
      assert.equal("12", parts.source_read(source, 5))
      assert.equal("345", parts.source_read(source, 5))
      assert.same({ true, 5 }, { state().complete, state().position })
    end)

    it("fails if the system can't read it", function()
      assert.is_true((parts.source_open_file(source, folder:file("x", "12345"))))
      parts.fail("pread", 5, 0) -- EIO
      assert.same({ "abort", true }, { parts.source_read(source, 5) })
      assert.same({ "unreadable", 5, false }, { state().error, state().system_error, state().complete })
    end)

    it("is refused if the system does not return its size", function()
      parts.fail("fstat", 5, 0) -- EIO
      assert.same({ false, 5 }, { parts.source_open_file(source, folder:file("x", "12345")) })
    end)

    for name, case in pairs {
      ["a missing file"] = { "missing", 2 }, ["a folder"] = { ".", 21 }, ["a device"] = { "/dev/null", 22 },
    } do
      it("is refused for " .. name, function()
        local path = case[1]:sub(1, 1) == "/" and case[1] or folder:file(case[1])
        assert.same({ false, case[2] }, { parts.source_open_file(source, path) })
      end)
    end

    it("that is empty is complete", function()
      assert.is_true((parts.source_open_file(source, folder:file("x", ""))))
      assert.same({ true, 0 }, { state().complete, state().size })
    end)
  end)

  describe("that is fed", function()
    it("pauses until it has bytes", function()
      parts.source_open_fed(source, -1)
      assert.is_false(state().has_input)
      assert.same({ "pause", true }, { parts.source_read(source, 9) })
      assert.is_true(state().paused)
      parts.source_feed(source, "123")
      parts.source_feed(source, "45")
      assert.is_true(state().has_input)
      assert.equal("1234", parts.source_read(source, 4))
      assert.equal("5", parts.source_read(source, 4))
      assert.same({ false, false }, { state().has_input, state().complete })
      parts.source_feed(source, "6")
      assert.equal("6", parts.source_read(source, 4))
      parts.source_feed(source)
      assert.is_true(state().has_input)
      assert.equal("", parts.source_read(source, 4))
      assert.is_true(state().complete)
      assert.is_true(parts.source_feed(source, "late"))
      assert.equal("", parts.source_read(source, 4))
    end)

    it("is complete with the last byte of its declared size", function()
      parts.source_open_fed(source, 5)
      parts.source_feed(source, "12")
      parts.source_feed(source, "345")
      assert.equal("12345", parts.source_read(source, 9))
      assert.is_true(state().complete)
      parts.source_feed(source)
      assert.is_nil(state().error)
    end)

    it("fails with fewer or more bytes than declared", function()
      parts.source_open_fed(source, 5)
      parts.source_feed(source, "1234")
      parts.source_feed(source)
      assert.equal("short", state().error)
      parts.source_close(source)
      parts.source_open_fed(source, 5)
      parts.source_feed(source, "1234")
      assert.is_nil(state().error)
      parts.source_feed(source, "56")
      assert.equal("long", state().error)
    end)

    it("without a declared size accepts any number of bytes", function()
      parts.source_open_fed(source, -1)
      parts.source_feed(source)
      assert.is_nil(state().error)
    end)

    it("with a size of 0 is complete", function()
      parts.source_open_fed(source, 0)
      assert.is_true(state().complete)
      parts.source_feed(source)
      assert.is_nil(state().error)
      parts.source_close(source)
      parts.source_open_fed(source, 0)
      parts.source_feed(source, "x")
      assert.equal("long", state().error)
    end)
  end)

  it("that is not fed ignores bytes", function()
    local bytes = "12345"
    parts.source_open_bytes(source, bytes)
    assert.is_true(parts.source_feed(source, "67"))
    assert.equal("12345", parts.source_read(source, 9))
  end)
end)
