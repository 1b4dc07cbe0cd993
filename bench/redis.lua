-- Measures the cost of inboxes and outboxes for one Redis server, for docs/guides/capacity.md:
--
--   make bench BENCH=bench/redis.lua    (LUA=luajit …)
--   lua5.4 bench/redis.lua 5000         fewer entries (after: eval "$(make -s env)")
--
-- The CPU time is that of the Redis server (INFO cpu), so it does not depend on the clients or on other programs. A
-- server uses one core. The highest rate of a server per second is 1,000,000 divided by the sum of the microseconds of
-- put, take and result.

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/../?.lua;" .. package.path

local process = require "spec.support.process"
local redis = require "spec.support.redis"
local waba = require "waba"

local COUNT, CUSTOMERS, LIST = tonumber(arg[1] or 20000), 5000, 64
if not COUNT then
  io.stderr:write("usage: bench/redis.lua [ENTRIES]\n")
  os.exit(2)
end
local server = redis.start()

local function info(section, name)
  local text = process.run(("redis-cli -p %d info %s"):format(server.port, section))
  return tonumber(text:match(name .. ":([%d.]+)"))
end

local function cpu() return info("cpu", "used_cpu_user") + info("cpu", "used_cpu_sys") end
local function memory() return info("memory", "used_memory") end

-- Prints the costs of one entry for the server: microseconds of CPU and bytes of memory, measured with COUNT entries.
local function measure(name, fn)
  local cpu_before, memory_before = cpu(), memory()
  fn()
  local used, bytes = (cpu() - cpu_before) / COUNT * 1e6, (memory() - memory_before) / COUNT
  print(("  %-46s %6.1f us %8.0f bytes"):format(name, used, bytes))
end

local client = setmetatable({ mark_read = function() end }, { __index = {
  send = function(_, to) return { id = "wamid." .. ("x"):rep(40) .. to, input = to } end,
} })

local function put_all(outbox, size, first, more)
  for start = first, first + COUNT - 1, size do
    local list = {}
    for number = start, start + size - 1 do
      local entry = {
        to = ("49151%07d"):format(number % CUSTOMERS),
        message = waba.text("Your order " .. number .. " is on its way."),
      }
      for field, value in pairs(more or {}) do entry[field] = value == "number" and number or value end
      list[#list + 1] = entry
    end
    assert(outbox:put(list))
  end
end

local function events(first, size)
  local list = {}
  for number = first, first + size - 1 do
    list[#list + 1] = ('{"id":"wamid.%s%d","from":"49151%07d","timestamp":"1764444444","type":"text",'
      .. '"text":{"body":"Where is my order?"}}'):format(("y"):rep(40), number, number % CUSTOMERS)
  end
  return waba.events('{"messages":[' .. table.concat(list, ",") .. "]}")
end

print(("%s, Redis, %d entries of %d customers"):format(jit and jit.version or _VERSION, COUNT, CUSTOMERS))
COUNT = math.floor(COUNT / LIST) * LIST

print "outbox (Cloud hosting)"
local outbox = waba.outbox.redis { port = server.port, hosting = "cloud" }
measure("put, one by one", function() put_all(outbox, 1, 1) end)
local sender = waba.sender { outbox = outbox, client = client }
measure("take and result, 16 at once; a finished entry", function() sender:work { concurrency = 16 } end)
measure(("put with a key, in lists of %d"):format(LIST), function() put_all(outbox, LIST, 1, { key = "number" }) end)
measure("take and result, 16 at once; with its key", function() sender:work { concurrency = 16 } end)

print "inbox"
local inbox = waba.inbox.redis { port = server.port }
local receiver = waba.receiver { open = true, inbox = inbox, on = { any = function() end } }
measure("put, one by one; a waiting event and its id", function()
  for number = 1, COUNT do assert(inbox:put(events(number, 1))) end
end)
measure("take and ack, 16 at once", function() assert(receiver:work { concurrency = 16 }) end)
measure(("put, %d per webhook"):format(LIST), function()
  for number = 1, COUNT, LIST do assert(inbox:put(events(number + COUNT, LIST))) end
end)
measure("take and ack, 16 at once", function() assert(receiver:work { concurrency = 16 }) end)
server:stop()
