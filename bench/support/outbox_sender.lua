-- Sends messages through one outbox in a process of its own, for bench/outbox.lua. Arguments: url ca_file key way place
-- count depth. `way` is "direct" (client:send), "memory", "sqlite" or "redis"; `place` is the file of SQLite or the
-- port of Redis. `depth` is the number of bulk entries that wait. Prints four numbers: the microseconds of CPU per
-- message for `put` with one message, for `put` with a list, and for sending; and the messages sent per second.

local core = require "waba.core"
local waba = require "waba"

local url, ca_file, key, way, place, count, depth = (table.unpack or unpack)(arg)
count, depth = tonumber(count), tonumber(depth)

local CONCURRENCY, BATCH = 16, 100

local client = waba.client { api_key = key, base_url = url, ca_file = ca_file, pace = false }

local function entry(number, more)
  local made = {
    to = ("49151%07d"):format(number), message = waba.text("Your order " .. number .. " is on its way."),
  }
  for name, value in pairs(more or {}) do made[name] = value end
  return made
end

local function send_directly()
  local number = 0
  waba.run(function()
    for _ = 1, CONCURRENCY do
      waba.spawn(function()
        while number < count do
          number = number + 1
          local one = entry(number)
          assert(client:send(one.to, one.message))
        end
      end)
    end
  end)
end

local open = {
  memory = function() return waba.outbox.memory { max = 1e7, hosting = "on_premise" } end,
  sqlite = function() return waba.outbox.sqlite { file = place, hosting = "on_premise" } end,
  redis = function() return waba.outbox.redis { port = tonumber(place), hosting = "on_premise" } end,
}

-- Puts entries with one call for each entry, or with one call for a hundred entries.
local function put(outbox, from, to, more, is_list)
  local list = {}
  for number = from, to do
    if not is_list then
      assert(outbox:put(entry(number, more)))
    else
      list[#list + 1] = entry(number, more)
      if #list == BATCH or number == to then
        assert(outbox:put(list))
        list = {}
      end
    end
  end
end

local function measure(fn)
  local cpu, time = os.clock(), core.clock()
  fn()
  return (os.clock() - cpu) / count * 1e6, count / (core.clock() - time)
end

if way == "direct" then
  send_directly() -- warm-up
  local cpu, rate = measure(send_directly)
  print(("0 0 %.2f %.1f"):format(cpu, rate))
else
  local outbox = open[way]()
  local sender = waba.sender { outbox = outbox, client = client }
  if depth > 0 then put(outbox, 1e6 + 1, 1e6 + depth, { at = os.time() + 86400 }, true) end
  put(outbox, 1, 500, nil, true)
  sender:work { concurrency = CONCURRENCY } -- warm-up
  local single = measure(function() put(outbox, 1, count) end)
  assert(sender:work { concurrency = CONCURRENCY })
  local listed = measure(function() put(outbox, 1, count, nil, true) end)
  local cpu, rate = measure(function()
    assert(assert(sender:work { concurrency = CONCURRENCY }) == count)
  end)
  print(("%.2f %.2f %.2f %.1f"):format(single, listed, cpu, rate))
end
