-- core.append: a file to which one process at a time appends.

local core = require "waba.core"
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
    -- a child process does not inherit the descriptor
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
end)
