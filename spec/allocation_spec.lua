-- Runs spec/support/allocation_program.lua, in which allocations of memory fail inside the C modules.

local process = require "spec.support.process"

local LUA = rawget(_G, "jit") and "luajit" or _VERSION:gsub("Lua ", "lua")
local WRAP = "-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free"

it("every failed allocation is a memory error, and nothing is lost", function()
  local folder = process.folder()
  local function run(command)
    local output, code = process.run(command .. " 2>&1; echo $?"):match("^(.-)\n?(%d+)$")
    assert.equal("0", code, output)
    return output
  end
  -- The modules are linked from the existing object files, so that nothing is compiled again.
  run(("ln -s \"$PWD/build/%s/objects\" %s/objects"):format(LUA, folder.path))
  run(("unset MAKEFLAGS MAKEOVERRIDES MFLAGS MAKELEVEL; make -s LUA=%s BUILD=%s LDFLAGS=%s modules"):format(LUA, folder.path, WRAP))
  run(("cc -std=c99 -D_DEFAULT_SOURCE $(pkg-config --cflags %s libcurl) spec/support/interpreter.c -o %s/lua -rdynamic "
    .. "$(pkg-config --libs %s libcurl)"):format(LUA, folder.path, LUA))
  local output = run(("LUA_CPATH=\"%s/?.so;$LUA_CPATH\" %s/lua spec/support/allocation_program.lua"):format(folder.path, folder.path))
  folder:remove()
  assert.matches("%d%d%d allocations have failed", output)
end)
