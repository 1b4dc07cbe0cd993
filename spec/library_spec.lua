-- The error for a Lua library that is not installed, or that is installed only for another version of Lua.

local library = require "waba.library"
local process = require "spec.support.process"

describe("a library that is absent", function()
  it("is reported with its rock and its package", function()
    assert.has_error(function() library.load("nowhere.at_all", "nowhere", "lua-nowhere", "the bot", 0) end,
      "the bot needs the rock nowhere (Debian: lua-nowhere): module 'nowhere.at_all' not found")
  end)

  -- Runs code that finds the library in this checkout, and everything else in the default paths of Lua.
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
    package.preload.broken_library = function() error("its own error", 0) end
    local ok, said = pcall(library.load, "broken_library", "broken", "lua-broken", "the bot", 0)
    package.preload.broken_library = nil
    assert.is_false(ok)
    assert.matches("its own error", said)
  end)

  it("is reported at the given level, or without a position", function()
    local function load(level) library.load("nowhere.at_all", "nowhere", "lua-nowhere", "the bot", level) end
    local function package_of(level) library.package("waba.nowhere", "waba-nowhere", level) end
    for _, call in ipairs { load, package_of } do
      local _, message = pcall(call, 0)
      assert.not_matches("library_spec", message)
      _, message = pcall(call, 1)
      assert.matches("^[^\n]*library_spec.lua:%d+: ", message)
      _, message = pcall(function() call(2) end)
      assert.matches("^[^\n]*library_spec.lua:%d+: ", message)
      assert.not_matches("not found:", message, 1, true)
    end
  end)

  it("is found once it is installed", function()
    local found, module = library.find "waba.version"
    assert.is_true(found)
    assert.equal(require "waba.version", module)
    assert.equal(module, library.load("waba.version", "waba", "lua-waba", "the bot", 0))
    assert.equal(module, library.package("waba.version", "waba", 0))
  end)

  it("is reported if it is another package of the project, whose own errors are raised unchanged", function()
    local ok, message = pcall(library.package, "waba.nowhere", "waba-nowhere", 0)
    assert.is_false(ok)
    assert.matches("^waba.nowhere is in the rock waba%-nowhere, which is not installed: run luarocks install waba%-nowhere", message)
    for name, reason in pairs { ["waba.broken"] = "its own error", ["waba.incomplete"] = "module 'elsewhere' not found" } do
      package.preload[name] = function() error(reason, 0) end
      ok, message = pcall(library.package, name, "waba-nowhere", 0)
      package.preload[name] = nil
      assert.is_false(ok)
      assert.matches(reason, message, 1, true)
      assert.not_matches("luarocks", message)
    end
  end)

  it("is reported if it is libcurl, without which the library was built", function()
    local loaded, cpath, path = package.loaded["waba.curl"], package.cpath, package.path
    package.loaded["waba.curl"], package.cpath, package.path = nil, "", ""
    local _, absent = pcall(library.curl)
    package.cpath, package.path = cpath, path
    package.preload["waba.curl"] = function() error("its own error", 0) end
    local _, broken = pcall(library.curl)
    package.preload["waba.curl"], package.loaded["waba.curl"] = nil, loaded
    assert.matches("its own error", broken)
    assert.matches("^waba was built without libcurl and can send inside nginx only", absent)
    assert.equal("table", type(library.curl()))
  end)
end)
