-- Measures the cost of many business numbers in one process: making their clients, and sending with them to one
-- gateway. Also sends events of many numbers in turn, and counts the replies with a wrong API key.
--
--   make bench BENCH=bench/numbers.lua   (LUA=luajit …)
--   lua5.4 bench/numbers.lua --quick     fewer rounds (after: eval "$(make -s env)")
--   lua5.4 bench/numbers.lua --events    the replies only
--
-- Each measurement is a process with at most 256 descriptors that sends over TLS to a server on loopback, with 64
-- requests in flight. `bare` is a libcurl program in C that sends with the same number of keys; it measures what many
-- keys cost libcurl and the machine. `idle` has as many clients as the last row, but only one of them sends; it
-- measures what many objects cost Lua's garbage collector and malloc. A ratio compares the medians of many numbers and
-- of one number. `growth` is the ratio of waba divided by the ratio of bare.

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/support/?.lua;" .. folder .. "/../?.lua;" .. package.path

local median = require "median"
local message = require "message"
local numbers_events = require "numbers_events"
local process = require "spec.support.process"
local stub = require "stub"

local INTERPRETER = arg[-1]
local BARE = folder .. "/../build/bench/bare_multi"
-- 60000 messages with 10000 numbers leave so much garbage that the garbage collector runs more than two cycles.
local IN_FLIGHT, MESSAGES, TEXT = 64, 60000, "Your order is on its way."
local NUMBERS = { 1, 100, 1000, 10000 }
local rounds = arg[1] == "--quick" and 3 or 5

local function run(...)
  local command = { "ulimit -n 256;" }
  for _, word in ipairs { ... } do command[#command + 1] = process.quote(tostring(word)) end
  local output, results = process.run(table.concat(command, " ")), {}
  for word in output:gmatch "%S+" do results[#results + 1] = tonumber(word) end
  if #results == 0 then error("failed: " .. table.concat(command, " "), 0) end
  return results
end

local function run_program(...) return run(INTERPRETER, folder .. "/support/numbers_program.lua", ...) end

-- Returns the microseconds of CPU of a message.
local function run_bare(url, ca_file, numbers)
  local request = message.recorded(TEXT)
  local results = run(BARE, "--numbers=" .. numbers, url .. "/v1/messages", ca_file, request.body, IN_FLIGHT,
    math.max(numbers, 1000), MESSAGES, (table.unpack or unpack)(message.header_lines(request)))
  return results[1] / MESSAGES * 1e6
end

-- Two workers handle 100,000 events of 1,000 numbers.
local function count_keys()
  local result = numbers_events.run(process.quote(INTERPRETER), {
    numbers = 1000, events = rounds == 3 and 10000 or 100000, workers = 2, max = 400,
  })
  io.write(("%d replies to events of 1000 numbers in %.0f s: %d with a wrong key, %d repeated, %d set aside\n"):format(
    result.replies, result.seconds, result.wrong, result.repeated, result.set_aside))
end

if arg[1] == "--events" then return count_keys() end

local made = run_program("make", 10000)
io.write(("10000 clients: %d bytes of Lua each, %d bytes of RSS each, %.1f us each\n\n"):format(made[1], made[2],
  made[3]))

-- Rows: two quantities of numbers, and the limit of the growth from the first quantity to the second one.
local LIMITS = { { 1, 1000, 1.1 }, { 100, 10000, 1.05 } }

local function print_protocol(name, waba, bare, idle, last)
  local growth = {}
  for _, numbers in ipairs(NUMBERS) do
    local own, other = median(waba[numbers]), median(bare[numbers])
    local ratio, bare_ratio = own / median(waba[1]), other / median(bare[1])
    growth[numbers] = ratio / bare_ratio
    io.write(("%-9s %8d  %9.1f %6.2f  %9.1f %6.2f  %6.2f  %12d  %12.1f\n"):format(name, numbers, own, ratio, other,
      bare_ratio, growth[numbers], last[numbers][2], last[numbers][3] / 1024))
  end
  local most = NUMBERS[#NUMBERS]
  io.write(("%-9s %d clients of which one sends: %.1f us, ratio %.2f; if all send: %.2f times as much\n"):format(name,
    most, median(idle), median(idle) / median(waba[1]), median(waba[most]) / median(idle)))
  for _, limit in ipairs(LIMITS) do
    local is = growth[limit[2]] / growth[limit[1]]
    io.write(("%-9s growth from %d to %d numbers: %.2f, limit %.2f: %s\n"):format(name, limit[1], limit[2], is,
      limit[3], is <= limit[3] and "kept" or "exceeded"))
  end
end

local server = stub.start()
io.write(("%-9s %8s  %9s %6s  %9s %6s  %6s  %12s  %12s\n"):format("protocol", "numbers", "waba (us)", "ratio",
  "bare (us)", "ratio", "growth", "descriptors", "memory (MiB)"))
local ok, failure = pcall(function()
  for _, protocol in ipairs { { "HTTP/2", server.http2 }, { "HTTP/1.1", server.http1 } } do
    local waba, bare, idle, last = {}, {}, {}, {}
    for _, numbers in ipairs(NUMBERS) do waba[numbers], bare[numbers] = {}, {} end
    for round = 1, rounds do
      for _, numbers in ipairs(NUMBERS) do
        last[numbers] = run_program("send", protocol[2], server.ca_file, numbers, IN_FLIGHT, MESSAGES / numbers, TEXT)
        waba[numbers][round] = last[numbers][1]
        bare[numbers][round] = run_bare(protocol[2], server.ca_file, numbers)
      end
      local most = NUMBERS[#NUMBERS]
      idle[round] = run_program("send", protocol[2], server.ca_file, most, IN_FLIGHT, MESSAGES / most, TEXT, "first")[1]
    end
    print_protocol(protocol[1], waba, bare, idle, last)
  end
end)
server:stop()
if not ok then error(failure, 0) end
count_keys()
