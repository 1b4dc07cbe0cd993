-- core.append opens a file that only one process at a time may append to.

local core = require "waba.core"
local failing_calls = require "spec.support.failing_calls"
local process = require "spec.support.process"

describe("core.append", function()
  local folder, path

  before_each(function()
    folder = process.folder()
    path = folder:file "file"
  end)

  after_each(function() folder:remove() end)

  it("makes a file in the folder in which the program runs", function()
    local name = "append_" .. tostring(folder.path:match "([^/]+)$")
    local file = assert(core.append(name))
    assert.is_true(file:write "x")
    file:close()
    assert.is_true(os.remove(name))
  end)

  it("makes a file that only its owner can read, and appends to it", function()
    local file = assert(core.append(path))
    assert.is_true(file:write "one\n")
    assert.is_true(file:write "")
    assert.is_true(file:write "two\0\n")
    assert.is_true(file:sync())
    assert.equal(9, file:size())
    file:close()
    file = assert(core.append(path))
    assert.equal(9, file:size())
    assert.is_true(file:write "three")
    file:close()
    assert.equal("one\ntwo\0\nthree", folder:read "file")
    assert.equal("600", process.run("stat -c %a " .. process.quote(path)))
  end)

  it("truncates the file", function()
    local file = assert(core.append(path))
    file:write "one\ntorn"
    assert.is_true(file:truncate(4))
    file:write "two\n"
    file:close()
    assert.equal("one\ntwo\n", folder:read "file")
    file = assert(core.append(path))
    assert.error_matches(function() file:truncate(9) end, "must be from 0 to the size of the file")
    assert.error_matches(function() file:truncate(-1) end, "must be from 0 to the size of the file")
    file:close()
  end)

  it("writes nothing into a file that was removed or replaced", function()
    for _, command in ipairs { "rm %s", "touch %s.new && mv %s.new %s" } do
      local file = assert(core.append(path))
      assert.is_true(file:write "one")
      process.run((command:gsub("%%s", path)))
      assert.same({ nil, "No such file or directory" }, { file:write "two" })
      assert.same({ nil, "No such file or directory" }, { file:write "" })
      file:close()
    end
  end)

  it("has one owner at a time", function()
    do
      local kept = assert(core.append(path))
      local other, message, is_locked = core.append(path)
      assert.is_nil(other)
      assert.is_string(message)
      assert.is_true(is_locked)
      assert.is_true(kept:write "x")
    end
    collectgarbage()
    collectgarbage()
    local file = assert(core.append(path))
    -- The child process inherits no descriptor of the file, so it does not keep the lock.
    local sleeper = process.start("sleep 5", folder:file "log")
    file:close()
    assert(core.append(path)):close()
    sleeper:stop()
  end)

  it("returns an error for an invalid path", function()
    for _, wrong in ipairs { folder.path, folder:file "no/such", "/dev/null", "" } do
      local file, message, is_locked = core.append(wrong)
      assert.is_nil(file)
      assert.is_string(message)
      assert.is_false(is_locked)
    end
  end)

  it("can be closed once", function()
    local file = assert(core.append(path))
    assert.equal("waba.AppendFile (open)", tostring(file))
    file:close()
    file:close()
    assert.equal("waba.AppendFile (closed)", tostring(file))
    for _, method in ipairs { "write", "sync", "truncate", "size" } do
      assert.error_matches(function() file[method](file, "1") end, "attempt to use a closed file")
    end
  end)

  it("appends everything or nothing when the disk is full", function()
    local program = folder:write("program.lua", [[
      local core = require "waba.core"
      local file = assert(core.append(arg[1]))
      assert(file:write(("x"):rep(4000)))
      local written, message = file:write(("y"):rep(100000))
      print(written, type(message), file:size())
      assert(file:write "z")
    ]])
    local output = process.run(("trap '' XFSZ; ulimit -f 8; %s %s %s 2>&1"):format(process.interpreter(), program,
      process.quote(path)))
    assert.matches("^nil%s+string%s+4000$", output)
    assert.equal(("x"):rep(4000) .. "z", folder:read "file")
  end)

  describe("when the system refuses", function()
    -- Runs code in another process and returns the lines that it prints. The code can use `file`, an open file that
    -- contains "one", and three functions: `reopen` closes and opens the file, `show` prints a result and the size of
    -- the file, and `fail` makes a system call fail.
    local function lines(code)
      folder:write("file", "one")
      local output = failing_calls.run(([[
        local core = require "waba.core"
        local path = %q
        local file = assert(core.append(path))
        local function reopen()
          file:close()
          local message, is_locked
          file, message, is_locked = core.append(path)
          print(file and "open" or message .. (is_locked and ", locked" or ""))
          file = file or assert(core.append(path))
        end
        local function show(done, message) print(done or message, file:size()) end
      ]]):format(path) .. code)
      local found = {}
      for line in output:gmatch "[^\n]+" do found[#found + 1] = line end
      return found
    end

    it("a write: appends everything or nothing", function()
      assert.same({ "true\t7", "Input/output error\t7", "No space left on device\t7", "true\t8" }, lines [[
        fail("write", 4, 0) -- EINTR
        fail("write", -1, 1)
        show(file:write "+two")
        fail("write", 0, 0)
        show(file:write "+three")
        fail("write", -2, 0)
        fail("write", 28, 1) -- ENOSPC
        show(file:write "+three")
        show(file:write "!")
      ]])
      assert.equal("one+two!", folder:read "file")
    end)

    it("a write and its removal: the incomplete line remains, and can be truncated later", function()
      assert.same({ "No space left on device\t5", "No space left on device\t5", "Input/output error\t5", "true\t3", "true\t5" },
        lines [[
          fail("write", -2, 0)
          fail("write", 28, 1)
          fail("ftruncate", 5, 0)
          show(file:write "+three")
          fail("ftruncate", 5, 0)
          fail("write", 28, 0) -- fails before the first byte is written
          show(file:write "+three")
          show(file:truncate(3))
          show(file:truncate(3))
          show(file:write "+2")
        ]])
      assert.equal("one+2", folder:read "file")
    end)

    it("to write to the disk: returns its error", function()
      assert.same({ "Input/output error\t3", "true\t3" }, lines [[
        fail("fdatasync", 5, 0)
        show(file:sync())
        show(file:sync())
      ]])
    end)

    it("an existing file: returns its error, and whether the file is locked", function()
      assert.same({ "Input/output error", "Bad address", "No locks available", "Resource temporarily unavailable, locked", "open" },
        lines [[
          fail("fstat", 5, 0)
          reopen()
          fail("fstat", 14, 1)
          reopen()
          fail("flock", 37, 0)
          reopen()
          fail("flock", 11, 0)
          reopen()
          fail("fsync", 5, 0) -- does not fail, because fsync is called only for the folder of a new file
          reopen()
        ]])
    end)

    it("a new file, if its folder can't be written to the disk", function()
      assert.same({ "open", "Cannot allocate memory", "Input/output error", "open", "open" }, lines [[
        local function renew(...)
          os.remove(path)
          fail(...)
          reopen()
        end
        renew("open", 13, 1) -- EACCES: the folder is not readable
        renew("open", 12, 1) -- ENOMEM
        renew("fsync", 5, 0)
        renew("fsync", 22, 0) -- EINVAL: the system can't write folders to the disk
        renew("fsync", 5, 9)
      ]])
    end)
  end)
end)
