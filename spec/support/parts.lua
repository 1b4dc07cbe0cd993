-- Builds and loads the C parts that use no Lua API (src/http2.h, watch.h, sink.h, source.h and others), for the specs
-- of these headers; also variants of waba.core for other machines.

local process = require "spec.support.process"

local parts = {}

local LUA = rawget(_G, "jit") and "luajit" or _VERSION:gsub("Lua ", "lua")
local FILES = { "http2", "watch", "watch_epoll", "watch_kqueue", "watch_pipe", "watch_poll", "sink", "source", "buffer", "system", "text",
  "failure", "sha256" }

local loaded = {}

--- Builds the module spec/support/parts.c, once for each set of compiler flags.
---@param flags? string  for the compiler
function parts.load(flags)
  flags = flags or ""
  if loaded[flags] then return loaded[flags] end
  local folder = process.folder()
  local output = process.run(("cc -std=c99 -D_DEFAULT_SOURCE -fPIC -shared -fvisibility=hidden -Isrc %s "
    .. "$(pkg-config --cflags %s libcurl) -o %s/parts.so spec/support/parts.c spec/support/failing_calls.c src/%s.c -lcurl 2>&1")
    :format(flags, LUA, folder.path, table.concat(FILES, ".c src/")))
  local open = assert(package.loadlib(folder:file "parts.so", "luaopen_parts"), output)
  folder:remove()
  loaded[flags] = open()
  return loaded[flags]
end

return parts
