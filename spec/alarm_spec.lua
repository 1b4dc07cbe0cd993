-- The alarm of waba.curl: a descriptor that becomes readable at a time that the program sets.

local core = require "waba.core"
local curl = require "waba.curl"
local process = require "spec.support.process"
local socket = require "socket"

describe("an alarm", function()
  local alarm

  before_each(function() alarm = assert(curl.alarm()) end)
  after_each(function() alarm:close() end)

  local function is_readable(seconds)
    local watched = { getfd = function() return alarm:pollfd() end, dirty = function() return false end }
    return socket.select({ watched }, nil, seconds)[1] ~= nil
  end

  it("is never readable before it is set", function()
    assert.is_false(is_readable(0.01))
  end)

  it("is readable after its time, until it is set again", function()
    local started = core.clock()
    alarm:set(0.02)
    assert.is_true(is_readable(5))
    assert.is_true(core.clock() - started >= 0.02)
    assert.is_true(is_readable(0))
    alarm:set(60)
    assert.is_false(is_readable(0))
    alarm:set(0)
    assert.is_true(is_readable(5))
    alarm:set()
    assert.is_false(is_readable(0.01))
  end)

  it("of a child process does not affect the alarm of its parent", function()
    local folder = process.folder()
    process.run(("cc -shared -fPIC -Wl,--unresolved-symbols=ignore-all -o %s/fork.so spec/support/fork.c"):format(folder.path))
    local fork = assert(package.loadlib(folder.path .. "/fork.so", "luaopen_fork"))()
    alarm:set(60)
    local child = fork.fork()
    if child == 0 then
      local _, result = pcall(function()
        alarm:set(0)
        return is_readable(5)
      end)
      folder:write("result", tostring(result))
      fork.exit(0)
    end
    assert.equal(0, fork.wait(child))
    assert.equal("true", folder:read "result")
    assert.is_false(is_readable(0)) -- an alarm of the child process does not end the parent's wait
    folder:remove()
  end)

  it("can't be used after it was closed", function()
    assert.equal("alarm", tostring(alarm))
    alarm:close()
    alarm:close()
    assert.equal("alarm (closed)", tostring(alarm))
    assert.error_matches(function() alarm:set(1) end, "closed alarm")
    assert.error_matches(function() alarm:pollfd() end, "closed alarm")
  end)

  it("closes its descriptor when it is collected", function()
    local lowest = alarm:pollfd()
    for _ = 1, 100 do curl.alarm() end
    collectgarbage()
    collectgarbage()
    local next_one = curl.alarm()
    assert.is_true(next_one:pollfd() < lowest + 50)
    next_one:close()
  end)
end)
