-- Parses one file repeatedly and prints the seconds of CPU. Arguments: "cjson" or "waba", path, warm_up, count.

local reader, path, warm_up, count = arg[1], arg[2], tonumber(arg[3]), tonumber(arg[4])

local file = assert(io.open(path, "rb"))
local text = file:read("*a")
file:close()

local parse = reader == "waba" and require("waba").events or require("cjson").new().decode
for _ = 1, warm_up do parse(text) end
collectgarbage()
local before = os.clock()
for _ = 1, count do parse(text) end
print(("%.6f"):format(os.clock() - before))
