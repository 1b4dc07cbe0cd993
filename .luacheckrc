-- "min" are the globals that Lua 5.1 to 5.4 and LuaJIT have in common; the others are used with a fallback.
std = "min"
read_globals = {
  "jit", "loadstring", "unpack",
  table = { fields = { "unpack" } },
  math = { fields = { "type" } },
}

self = false -- a method may not use `self`
max_line_length = 120
max_comment_line_length = false -- a LuaCATS line cannot be broken

include_files = { "**/*.lua", "**/*.rockspec", ".busted", ".luacheckrc" }
exclude_files = { "build" }

-- Annotations for editors and readers, which are not executed.
files["annotations"] = { ignore = { "211", "212", "241" } }
files["lua/waba/**/contract.lua"] = { ignore = { "212", "241" } }

-- The files that use nginx's API.
files["lua/waba/**/ngx.lua"] = { std = "min+ngx_lua" }
files["lua/waba/**/ngx_work.lua"] = { std = "min+ngx_lua" }
files["lua/waba/**/ngx_connection.lua"] = { std = "min+ngx_lua" }
files["lua/waba/**/ngx_timer.lua"] = { std = "min+ngx_lua" }
files["lua/waba/**/nginx.lua"] = { std = "min+ngx_lua" }
files["emulator/waba/emulator/remote.lua"] = { std = "min+ngx_lua" }
files["bench/support/location.lua"] = { std = "min+ngx_lua" }
files["examples/nginx"] = { std = "min+ngx_lua" }

-- Specs quote payloads, have long names of tests, and replace functions such as os.time.
files["spec"] = {
  max_line_length = 140,
  std = "min+busted",
  read_globals = {
    "newproxy", "setfenv",
    debug = { fields = { "getuservalue" } },
    math = { fields = { "tointeger" } },
  },
  ignore = { "122", "311/parts", "311/secret" },
}
files["rockspec"] = { std = "rockspec" }
files[".luacheckrc"] = { std = "luacheckrc" }
