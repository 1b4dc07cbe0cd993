-- "min" is what Lua 5.1 to 5.4 and LuaJIT have in common; below it, what the code asks for with a fallback.
std = "min"
read_globals = {
  "jit", "unpack",
  table = { fields = { "unpack" } },
  math = { fields = { "type" } },
}

self = false -- a method may do without itself
max_line_length = 120
max_comment_line_length = false -- a LuaCATS line cannot be broken

include_files = { "**/*.lua", "**/*.rockspec", ".busted", ".luacheckrc" }
exclude_files = { "build" }

-- Annotations for editors and readers: nothing in them is executed.
files["annotations"] = { ignore = { "211", "212", "241" } }
files["lua/waba/**/contract.lua"] = { ignore = { "212", "241" } }

-- The files that know nginx.
files["lua/waba/**/ngx.lua"] = { std = "min+ngx_lua" }
files["lua/waba/**/ngx_work.lua"] = { std = "min+ngx_lua" }
files["lua/waba/**/ngx_connection.lua"] = { std = "min+ngx_lua" }
files["lua/waba/**/ngx_timer.lua"] = { std = "min+ngx_lua" }
files["lua/waba/**/nginx.lua"] = { std = "min+ngx_lua" }
files["emulator/waba/emulator/remote.lua"] = { std = "min+ngx_lua" }
files["examples/nginx"] = { std = "min+ngx_lua" }

-- Specs quote payloads and say in full what they show.
files["spec"] = {
  max_line_length = 140,
  std = "min+busted",
  read_globals = { debug = { fields = { "getuservalue" } } },
}
files["rockspec"] = { std = "rockspec" }
files[".luacheckrc"] = { std = "luacheckrc" }
