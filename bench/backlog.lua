-- Measures the cost of put, take and acknowledgement while many events wait, compared with the cost in an empty inbox
-- in the same run: the CPU time of this process, and that of the Redis server. Also measures the bytes of an event. No
-- ratio must be above 1.5. In memory only the ratio of all calls counts, because the garbage collector works at any
-- time, but mostly in `put`:
--
--   make bench BENCH=bench/backlog.lua                    a million events in SQLite, Redis and memory: 10 minutes
--   lua5.4 bench/backlog.lua sqlite 5000000               five million events in SQLite (after: eval "$(make -s env)")

local root = arg[0]:match "^(.*)/bench/[^/]*$" or arg[0]:match "^bench/" and "." or ".."
package.path = root .. "/?.lua;" .. package.path

local backlog = require "bench.support.backlog"

local homes = arg[1] and { arg[1] } or { "sqlite", "redis", "memory" }
local count = tonumber(arg[2] or 1000000)

for _, home in ipairs(homes) do
  local started = os.time()
  local result = backlog.run {
    home = home, count = count,
    report = function(stored)
      local text = "%s: %d stored in %d s\n"
      if stored % 640000 == 0 then io.stderr:write(text:format(home, stored, os.time() - started)) end
    end,
  }
  local behind, empty = result.behind, result.empty
  print(("%s: %d events wait, with %.0f bytes each; resident KiB %d, before that %d"):format(home, result.depth,
    result.bytes, result.resident, result.resident_before))
  local line = "  %-32s %8.1f us of CPU per event, in an empty inbox %8.1f: %.2f times"
  for _, part in ipairs {
    { "put", "put" }, { "take and acknowledge", "handle" }, { "all", "all" },
    { "put, the server", "server_put" }, { "take and acknowledge, the server", "server_handle" },
  } do
    local name, field = part[1], part[2]
    if behind[field] then print(line:format(name, behind[field], empty[field], behind[field] / empty[field])) end
  end
end
