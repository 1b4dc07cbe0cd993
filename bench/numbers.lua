-- Measures what many numbers in one process cost: the clients themselves, and sending with them through one gateway; and
-- counts with which key the replies to interleaved events of many numbers leave.
--
--   make bench BENCH=bench/numbers.lua   (LUA=luajit …)
--   lua5.4 bench/numbers.lua --quick     fewer rounds (after: eval "$(make -s env)")
--   lua5.4 bench/numbers.lua --events    the replies only
--
-- Each measurement is a process of its own, with at most 256 descriptors, that sends over TLS to a server on loopback, 64
-- requests in flight. The processes for one number and for many take turns; the ratio is of their medians.

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/support/?.lua;" .. folder .. "/../?.lua;" .. package.path

local median = require "median"
local numbers_events = require "numbers_events"
local process = require "spec.support.process"
local stub = require "stub"

local INTERPRETER = arg[-1]
local IN_FLIGHT, MESSAGES = 64, 20000
local NUMBERS = { 1, 100, 1000, 10000 }
local rounds = arg[1] == "--quick" and 3 or 7

local function run(...)
  local command = { ("ulimit -n 256; '%s' '%s/support/numbers_program.lua'"):format(INTERPRETER, folder) }
  for _, word in ipairs { ... } do command[#command + 1] = "'" .. tostring(word) .. "'" end
  local pipe = assert(io.popen(table.concat(command, " ")))
  local output, results = pipe:read "*a", {}
  pipe:close()
  for word in output:gmatch "%S+" do results[#results + 1] = tonumber(word) end
  if #results == 0 then error("failed: " .. table.concat(command, " "), 0) end
  return results
end

-- 100,000 events of 1,000 numbers, two workers.
local function count_keys()
  local result = numbers_events.run(process.quote(INTERPRETER), {
    numbers = 1000, events = rounds == 3 and 10000 or 100000, workers = 2, max = 400,
  })
  io.write(("%d replies to events of 1000 numbers in %.0f s: %d with a wrong key, %d repeated, %d set aside\n"):format(
    result.replies, result.seconds, result.wrong, result.repeated, result.set_aside))
end

if arg[1] == "--events" then return count_keys() end

local made = run("make", 10000)
io.write(("10000 clients: %d bytes of Lua each, %d bytes of RSS each, %.1f us each\n\n"):format(made[1], made[2],
  made[3]))

local server = stub.start()
io.write(("%-9s %8s  %13s %6s  %12s  %12s\n"):format("protocol", "numbers", "CPU/msg (us)", "ratio", "descriptors",
  "growth (MiB)"))
local ok, message = pcall(function()
  for _, protocol in ipairs { { "HTTP/2", server.http2 }, { "HTTP/1.1", server.http1 } } do
    local cpu, last = {}, {}
    for _ = 1, rounds do
      for _, numbers in ipairs(NUMBERS) do
        local each = math.max(1, MESSAGES / numbers)
        local results = run("send", protocol[2], server.ca_file, numbers, IN_FLIGHT, each, 1)
        cpu[numbers] = cpu[numbers] or {}
        table.insert(cpu[numbers], results[1])
        last[numbers] = results
      end
    end
    local base = median(cpu[1])
    for _, numbers in ipairs(NUMBERS) do
      local middle, results = median(cpu[numbers]), last[numbers]
      io.write(("%-9s %8d  %13.1f %6.2f  %12d  %12.1f\n"):format(protocol[1], numbers, middle, middle / base,
        results[3], results[4] / 1024))
    end
  end
end)
server:stop()
if not ok then error(message, 0) end
count_keys()
