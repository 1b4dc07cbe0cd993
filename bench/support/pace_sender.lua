-- One process that sends with a shared rate, for bench/pace.lua and spec/pace_spec.lua. `bulk` is the number of bulk
-- messages that wait at any time. If `replies` is 1, a reply is sent every 0.1 s. `rates` is "rate/burst". Prints the
-- number of sent messages, the number of errors, and the longest time in seconds from a call of `send` with a reply to
-- its end.

local core = require "waba.core"
local waba = require "waba"

local url, key, port, seconds, bulk, replies, rates = (table.unpack or unpack)(arg)
local rate, burst = rates:match "^(.+)/(.+)$"
local deadline = core.clock() + tonumber(seconds)

local client = waba.client {
  api_key = key, base_url = url, hosting = "cloud", timeout = 600,
  pace = {
    messages = { rate = tonumber(rate), burst = tonumber(burst) },
    store = waba.pace.redis { port = tonumber(port) },
  },
}

local sent, failed, longest, is_over = 0, 0, 0, false

local function send(to, options)
  local result = client:send(to, waba.text "Your order is on its way.", options)
  if is_over then return end
  if result then sent = sent + 1 else failed = failed + 1 end
end

local functions = {}
for number = 1, tonumber(bulk) do
  functions[number] = function()
    local position = 0
    while core.clock() < deadline do
      position = position + 1
      send(("49151%04d%04d"):format(number, position % 10000), { bulk = true })
    end
  end
end
if replies == "1" then
  functions[#functions + 1] = function()
    waba.sleep(1)
    local position = 0
    while core.clock() < deadline do
      position = position + 1
      local began = core.clock()
      send(("49170%08d"):format(position))
      longest = math.max(longest, core.clock() - began)
      waba.sleep(0.1)
    end
  end
end
functions[#functions + 1] = function()
  waba.sleep(tonumber(seconds))
  is_over = true
  client:close()
end

waba.run((table.unpack or unpack)(functions, 1, #functions))
print(("%d %d %.3f"):format(sent, failed, longest))
