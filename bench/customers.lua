-- Measures how the number of known customers changes the cost of a receiver's lookups, and the memory of a customer:
--
--   make bench BENCH=bench/customers.lua   (LUA=luajit …)
--   lua5.4 bench/customers.lua --quick     100,000 customers instead of a million (after: eval "$(make -s env)")
--
-- Each customer has two ids, an open window and a small state. Each round measures a store with a thousand customers
-- and a store with many. The figures are medians of the rounds; a ratio compares the two stores of a round. The CPU
-- time is the time of this process; with Redis the time of the server is added.

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/support/?.lua;" .. folder .. "/../?.lua;" .. package.path

local median = require "median"
local process = require "spec.support.process"
local redis = require "spec.support.redis"
local waba = require "waba"
local webhooks = require "spec.support.webhooks"

local FEW, ROUNDS, LOOKUPS = 1000, 9, 1000
local many = arg[1] == "--quick" and 100000 or 1000000
local SCOPE = webhooks.place.phone_number_id .. "/"

-- Returns the phone number and the user id of a customer.
local function ids_of(number)
  return ("4915%09d"):format(number), ("DE.%016d"):format(number * 7919 % 10000000000)
end

-- Stores customers with the records that a receiver writes.
local function fill(store, count)
  local ends = ("%011.0f 86400"):format(os.time() + 80000)
  assert(store:settle({}, { { name = "numbers", value = SCOPE .. " " .. webhooks.place.number .. "\n" } }))
  for first = 1, count, 2000 do
    local records = {}
    local function add(name, value) records[#records + 1] = { name = name, value = value, seconds = 80000 } end
    for number = first, math.min(count, first + 1999) do
      local phone, user_id = ids_of(number)
      add(SCOPE .. phone .. ":id", user_id)
      add(SCOPE .. user_id .. ":id", phone)
      add(SCOPE .. phone .. ":window", ends)
      add(SCOPE .. user_id .. ":window", ends)
      add(SCOPE .. user_id .. ":state", '{"state":{"orders":3,"language":"de"}}')
    end
    assert(store:settle({}, records))
  end
end

local posted = 0

-- The measured operations. Each function gets a receiver and a customer.
local TASKS = {
  { "window of a phone number", function(receiver, phone) assert(receiver:window(phone) > 0) end },
  { "window of a user id", function(receiver, _, user_id) assert(receiver:window(user_id) > 0) end },
  { "whether it wants marketing", function(receiver, phone) assert(receiver:suppressed(phone) == false) end },
  { "message, handled", function(receiver, phone, user_id)
    posted = posted + 1
    receiver:handle { method = "POST", headers = {}, body = webhooks.cloud {
      messages = ('{"from":"%s","from_user_id":"%s","id":"m%d","timestamp":"%d","type":"text","text":{}}'):format(
        phone, user_id, posted, os.time()),
    } }
    assert(receiver:work() == 1)
  end },
}

local backends = {}

function backends.sqlite()
  local place = process.folder()
  local function open(name)
    return waba.inbox.sqlite { file = place:file(name .. ".db"), sync = false }
  end
  local function bytes(name)
    return tonumber(process.run("stat -c %s " .. place:file(name .. ".db")))
  end
  return open, os.clock, bytes, function() place:remove() end
end

function backends.redis()
  local servers = { few = redis.start(), many = redis.start() }
  local function info(server, name)
    local command = "redis-cli -p %d info | sed -n 's/^%s:\\([0-9.]*\\).*/\\1/p'"
    return tonumber(process.run(command:format(server.port, name)))
  end
  local function open(name) return waba.inbox.redis { port = servers[name].port, timeout = 60 } end
  local function clock(name)
    local server = servers[name]
    return os.clock() + info(server, "used_cpu_user") + info(server, "used_cpu_sys")
  end
  return open, clock, function(name) return info(servers[name], "used_memory") end, function()
    for _, server in pairs(servers) do server:stop() end
  end
end

print(("%s, %d customers, microseconds of CPU"):format(jit and jit.version or _VERSION, many))
for _, name in ipairs { "sqlite", "redis" } do
  local open, clock, bytes, close = backends[name]()
  local receivers, counts = {}, { few = FEW, many = many }
  for size, count in pairs(counts) do
    local inbox = open(size)
    assert(inbox:depth())
    fill(inbox.store, count)
    receivers[size] = waba.receiver { open = true, inbox = inbox, on = { text = function(event)
      event.state.orders = event.state.orders + 1
    end } }
  end
  print(("%-32s %8.0f bytes per customer"):format(name, bytes "many" / many))
  for _, task in ipairs(TASKS) do
    local costs, ratios = { few = {}, many = {} }, {}
    for round = 1, ROUNDS do
      for size, count in pairs(counts) do
        local before = clock(size)
        for _ = 1, LOOKUPS do task[2](receivers[size], ids_of(math.random(count))) end
        costs[size][round] = (clock(size) - before) / LOOKUPS * 1e6
      end
      ratios[round] = costs.many[round] / costs.few[round]
    end
    print(("%-32s %8.1f %8.1f %8.2f times"):format("  " .. task[1], median(costs.few), median(costs.many),
      median(ratios)))
  end
  for _, receiver in pairs(receivers) do receiver.inbox:close() end
  close()
end
