-- What is said when a library is absent, or there for another Lua only.

local library = require "waba.library"
local older_paths = require "waba.older_paths"
local process = require "spec.support.process"

describe("a library that is absent", function()
  local folders = older_paths.FOLDERS
  after_each(function() older_paths.FOLDERS = folders end)

  it("is named with its rock and its package", function()
    assert.has_error(function() library.load("nowhere.at_all", "nowhere", "lua-nowhere", "the bot", 0) end,
      "the bot needs the rock nowhere (Debian: lua-nowhere): module 'nowhere.at_all' not found")
  end)

  it("is found in the folders of an older Lua, and the way there is told", function()
    if not package.searchpath then return end -- luacheck: ignore 143 (Lua 5.1 has no older one)
    local folder = process.folder()
    folder:write("lib_of_old.lua", "return {}")
    older_paths.FOLDERS = folder.path .. "/?.lua"
    local ok, said = pcall(library.load, "lib_of_old", "old", "lua-old", "the bot", 0)
    folder:remove()
    assert.is_false(ok)
    assert.truthy(said:find("for an older Lua only, and it runs under this one: end LUA_PATH with ';;"
      .. older_paths.FOLDERS .. "'", 1, true), said)
  end)

  it("keeps its own words when it is there and broken", function()
    package.preload.broken_library = function() error("its own fault", 0) end
    local ok, said = pcall(library.load, "broken_library", "broken", "lua-broken", "the bot", 0)
    package.preload.broken_library = nil
    assert.is_false(ok)
    assert.matches("its own fault", said)
  end)
end)
