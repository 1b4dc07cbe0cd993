-- Measures the cost of `waba.events` compared with bare cjson in the same process:
--
--   lua5.4 bench/events.lua [ROUNDS]         luajit bench/events.lua [ROUNDS]    (after: eval "$(make -s env)")
--
-- Each round measures `waba.events` and cjson. Prints the medians of the rounds: microseconds of CPU per event, and the
-- ratio.

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/support/?.lua;" .. package.path

local bodies = require "bodies"
local decode = require("cjson").new().decode
local events = require("waba").events
local median = require "median"

local ROUNDS = tonumber(arg[1]) or 15
local EVENTS = 20000 -- per round

-- Returns the microseconds of CPU per event.
local function measure(read, body, events_per_body)
  local count = math.ceil(EVENTS / events_per_body)
  collectgarbage()
  local before = os.clock()
  for _ = 1, count do read(body) end
  return (os.clock() - before) / count / events_per_body * 1e6
end

for _, case in ipairs {
  { "on_premise", bodies.make, 1 }, { "on_premise", bodies.make, 64 }, { "on_premise", bodies.make, 1000 },
  { "cloud", bodies.cloud, 1 }, { "cloud", bodies.cloud, 64 }, { "cloud", bodies.cloud, 1000 },
} do
  local hosting, make, size = case[1], case[2], case[3]
  local body = make(size, "m", 1000)
  local bare, own, ratios = {}, {}, {}
  measure(decode, body, size)
  measure(events, body, size)
  for round = 1, ROUNDS do
    bare[round], own[round] = measure(decode, body, size), measure(events, body, size)
    ratios[round] = own[round] / bare[round]
  end
  print(("%-10s %4d events, %6d bytes: cjson %5.2f us, waba.events %5.2f us, ratio %.2f"):format(
    hosting, size, #body, median(bare), median(own), median(ratios)))
end
