-- One of the programs of bench/send.lua: sends messages with waba, and prints the seconds of CPU (user and system) and
-- of elapsed time. Arguments: url ca_file body in_flight warm_up count key text. `body` is not used.

local core = require "waba.core"
local waba = require "waba"

local url, ca_file, _, in_flight, warm_up, count, key, text = (table.unpack or unpack)(arg)

local client = waba.client {
  api_key = key, base_url = url, ca_file = ca_file,
  -- The rate is higher than any program can send: the cost of the rate limiter is measured, but no message waits.
  pace = { messages = { rate = 1e9, burst = 1000000 }, other = { rate = 1e9, burst = 1000000 } },
}

local function send()
  local sent = assert(client:send("491511234567", waba.text(text)))
  assert(sent.id == "gBGHSRURIzRWeAIJm0T7xkQz1pRd")
end

local function send_one_by_one(messages)
  for _ = 1, messages do send() end
end

local function send_side_by_side(messages)
  local left = messages
  local function worker()
    while left > 0 do
      left = left - 1
      send()
    end
  end
  waba.run(function()
    for _ = 1, in_flight do waba.spawn(worker) end
  end)
end

in_flight = tonumber(in_flight)
local send_messages = in_flight == 1 and send_one_by_one or send_side_by_side
send_messages(tonumber(warm_up))
local cpu, time = os.clock(), core.clock()
send_messages(tonumber(count))
print(("%.6f %.6f"):format(os.clock() - cpu, core.clock() - time))
