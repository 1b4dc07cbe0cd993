-- The error for a library that is not installed, or that is installed for another Lua only.

local library = require "waba.library"
local process = require "spec.support.process"

describe("a library that is absent", function()
  it("is reported with its rock and its package", function()
    assert.has_error(function() library.load("nowhere.at_all", "nowhere", "lua-nowhere", "the bot", 0) end,
      "the bot needs the rock nowhere (Debian: lua-nowhere): module 'nowhere.at_all' not found")
  end)

  -- A program with the default paths of its Lua, without the paths of this test run.
  local function run(program)
    local root = process.run "pwd"
    local paths = ("LUA_PATH=%s LUA_CPATH=%s"):format(
      process.quote(("R/lua/?.lua;R/lua/?/init.lua;R/emulator/?.lua;R/emulator/?/init.lua;;"):gsub("R", root)),
      process.quote(package.cpath))
    return process.run(("env -u LUA_PATH_5_4 %s %s -e %s 2>&1"):format(paths, process.interpreter(), process.quote(program)))
  end

  it("is found where Debian installs it for an older Lua", function()
    assert.equal("serves", run [[
      local waba = require "waba"
      local server = assert(waba.webhook.server { receiver = waba.receiver { open = true } })
      print(server:url():find "^http://" and "serves")
    ]])
    assert.equal("accepted", run [[
      local waba = require "waba"
      local emulator = assert(waba.emulator.start {})
      local client = waba.client(emulator:options {})
      print(client:send("+49 151 1234567", waba.text "Hi") and "accepted")
      client:close()
      emulator:stop()
    ]])
  end)

  it("leaves package.path unchanged when it is not found", function()
    local path = package.path
    assert.is_false(pcall(library.load, "nowhere.at_all", "nowhere", "lua-nowhere", "the bot", 0))
    assert.equal(path, package.path)
  end)

  it("raises its own error if it is installed and broken", function()
    package.preload.broken_library = function() error("its own fault", 0) end
    local ok, said = pcall(library.load, "broken_library", "broken", "lua-broken", "the bot", 0)
    package.preload.broken_library = nil
    assert.is_false(ok)
    assert.matches("its own fault", said)
  end)
end)
