-- Measures the cost of put, take and acknowledgement while many events wait, compared with the cost in an empty inbox
-- in the same run. Also measures the bytes of an event:
--
--   make bench BENCH=bench/backlog.lua                    a million events in SQLite and in Redis
--   lua5.4 bench/backlog.lua sqlite 5000000               five million events in SQLite (after: eval "$(make -s env)")

local root = arg[0]:match "^(.*)/bench/[^/]*$" or arg[0]:match "^bench/" and "." or ".."
package.path = root .. "/?.lua;" .. package.path

local backlog = require "bench.support.backlog"

local homes = arg[1] and { arg[1] } or { "sqlite", "redis" }
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
  local line = "  %-22s %8.1f us of CPU per event, in an empty inbox %8.1f: %.2f times"
  print(line:format("put", behind.put, empty.put, behind.put / empty.put))
  print(line:format("take and acknowledge", behind.handle, empty.handle, behind.handle / empty.handle))
end
