-- One of the programs of bench/send.lua: sends messages through the smallest binding of libcurl (bench/floor/floor.c),
-- and prints the seconds of CPU and of elapsed time. lua-cjson encodes each message from a table and decodes each
-- response. Arguments: module url ca_file in_flight warm_up count text header...

local cjson = require "cjson"
local core = require "waba.core"

local arguments = { (table.unpack or unpack)(arg) }
local module, url, ca_file, in_flight, warm_up, count, text = (table.unpack or unpack)(arguments, 1, 7)
in_flight = tonumber(in_flight)

local floor = assert(package.loadlib(module, "luaopen_floor"))()
local headers = {}
for i = 8, #arguments do headers[#headers + 1] = arguments[i] end
floor.open(url, ca_file, headers, in_flight)

local bodies = {}

local function start(slot)
  bodies[slot] = cjson.encode {
    recipient_type = "individual", to = "491511234567", type = "text", text = { body = text },
  }
  floor.add(slot, bodies[slot])
end

-- Reads the responses of finished messages, and starts at most `left` new messages. Returns the number of responses and
-- the number of new messages.
local function collect(left, slot, response, ...)
  if not slot then return 0, 0 end
  assert(cjson.decode(response).messages[1].id == "gBGHSRURIzRWeAIJm0T7xkQz1pRd")
  local started = 0
  if left > 0 then
    start(slot)
    started = 1
  end
  local ended, more = collect(left - started, ...)
  return ended + 1, more + started
end

local function send(messages)
  local left, waiting = messages, messages
  for slot = 1, math.min(in_flight, messages) do
    start(slot)
    left = left - 1
  end
  while waiting > 0 do
    local ended, started = collect(left, floor.wait())
    waiting, left = waiting - ended, left - started
  end
end

send(tonumber(warm_up))
local cpu, time = os.clock(), core.clock()
send(tonumber(count))
print(("%.6f %.6f"):format(os.clock() - cpu, core.clock() - time))
