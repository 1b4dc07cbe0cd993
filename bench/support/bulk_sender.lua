-- Bulk runs of one size in a process of its own, for bench/bulk.lua. Arguments: url ca_file key count repeats journal
-- ("-": none). Prints the seconds of CPU and of elapsed time; the memory of Lua in KiB after a full collection, at a
-- quarter of the last run and at its end; and the largest memory of the process in KiB.

package.path = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/?.lua;" .. package.path

local core = require "waba.core"
local memory = require "memory"
local waba = require "waba"

local url, ca_file, key, count, repeats, journal = (table.unpack or unpack)(arg)
count, repeats = tonumber(count), tonumber(repeats)
journal = journal ~= "-" and journal or nil

local client = waba.client {
  api_key = key, base_url = url, ca_file = ca_file,
  -- The rate is higher than any program can send: the cost of the rate limiter is measured, but no message waits.
  pace = { messages = { rate = 1e9, burst = 1000000 }, other = { rate = 1e9, burst = 1000000 } },
}

local function source(total, quarter)
  local position = 0
  return function()
    if position == total then return nil end
    position = position + 1
    if quarter and position == quarter then quarter = memory.collected() end
    return ("49151%07d"):format(position), waba.text("Your order " .. position .. " is on its way.")
  end, function() return quarter end
end

local function send_all(take)
  if journal then os.remove(journal) end
  local cpu, time = os.clock(), core.clock()
  local summary = assert(client:send_all(take, { journal = journal }))
  assert(summary.sent == summary.done)
  return os.clock() - cpu, core.clock() - time
end

assert(client:send_all((source(3000)))) -- warm-up
local cpu, time, at_quarter = 0, 0, nil
for number = 1, repeats do
  local take
  take, at_quarter = source(count, number == repeats and math.floor(count / 4) or nil)
  local spent, passed = send_all(take)
  cpu, time = cpu + spent, time + passed
end
print(("%.6f %.6f %.0f %.0f %d"):format(cpu, time, at_quarter(), memory.collected(), memory.of_process "VmHWM"))
