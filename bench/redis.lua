-- Measures the cost of inboxes and outboxes in Redis:
--
--   make bench BENCH=bench/redis.lua    (LUA=luajit …)
--   lua5.4 bench/redis.lua 5000         fewer entries in measurement 1 (after: eval "$(make -s env)")
--   lua5.4 bench/redis.lua --quick      fewer entries and rounds in all measurements
--
-- 1. The CPU time and the memory of the Redis server, for docs/guides/capacity.md. The highest rate of a server per
--    second is 1,000,000 divided by the sum of the microseconds of put, take and result, because a server uses one core.
-- 2. The CPU time of the Redis server for a put, compared with SET NX and RPUSH of the same keys and bodies from the
--    same client: once with all commands in one request, and once in two requests as in measurement 3.
-- 3. The CPU time of the client process, compared with a minimal program that uses redis-lua (Debian: lua-redis). Each
--    figure is of a process of its own (bench/support/redis_program.lua describes the programs).
--
-- CPU times do not include the time for which a program waits, so other programs have little effect. Measurements 2 and
-- 3 run the programs in turn and print medians of the rounds; a ratio is the median of the ratios of the rounds.

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/support/?.lua;" .. folder .. "/../?.lua;" .. package.path

local bodies = require "bodies"
local median = require "median"
local process = require "spec.support.process"
local redis = require "spec.support.redis"
local redis_connection = require "waba.store.redis.connection"
local redis_entries = require "redis_entries"
local waba = require "waba"

local INTERPRETER = arg[-1]
local CUSTOMERS, LIST = 5000, 64
local COUNT, ROUNDS, EVENTS = tonumber(arg[1] or 20000), 5, 19200 -- EVENTS: the events per round
if arg[1] == "--quick" then COUNT, ROUNDS, EVENTS = 5000, 3, 6400 end
if not COUNT then
  io.stderr:write("usage: bench/redis.lua [--quick|ENTRIES]\n")
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

-- 1. The server -----------------------------------------------------------------------------------

COUNT = math.floor(COUNT / LIST) * LIST
print(("%s. 1. The server: %d entries of %d customers"):format(jit and jit.version or _VERSION, COUNT, CUSTOMERS))

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
outbox:close()
inbox:close()

-- 2. A put compared with SET NX and RPUSH ---------------------------------------------------------

local function flush() process.run(("redis-cli -p %d flushall"):format(server.port)) end

local numbers = 0

-- Returns lists of entries with `size` entries each, which together have EVENTS entries with new ids.
local function new_lists(size)
  local lists = {}
  for index = 1, EVENTS / size do
    numbers = numbers + 1
    lists[index] = redis_entries.of(bodies.make(size, "p" .. numbers, 1000))
  end
  return lists
end

local REMEMBER = tostring(7 * 86400 * 1000) -- milliseconds, as in the inbox

local function commands_of(entries)
  local sets, pushes = {}, {}
  for index, entry in ipairs(entries) do
    sets[index] = { "SET", "seen:" .. entry.key, "1", "NX", "PX", REMEMBER }
    pushes[index] = { "RPUSH", "events", entry.body }
  end
  return sets, pushes
end

-- Measures the server with several functions that store lists of entries. Prints the medians.
local function compare_puts(size, puts)
  local times, ratios = {}, {}
  for index = 1, #puts do times[index], ratios[index] = {}, {} end
  for round = 0, ROUNDS do -- round 0 is the warm-up
    for index, put in ipairs(puts) do
      local lists, before = new_lists(size), cpu()
      for _, entries in ipairs(lists) do put(entries) end
      times[index][round] = (cpu() - before) / EVENTS * 1e6
      ratios[index][round] = times[1][round] / times[index][round]
      flush()
    end
  end
  local line = "  %2d per put: put %.1f us; commands in one request %.1f us: %.2f times; in two %.1f us: %.2f times"
  print(line:format(size, median(times[1]), median(times[2]), median(ratios[2]), median(times[3]), median(ratios[3])))
end

print "2. The server: microseconds of CPU per event of a put, compared with SET NX and RPUSH"
flush()
local store = waba.inbox.redis({ port = server.port }).store
local connection = redis_connection.new({ host = "127.0.0.1", port = server.port, timeout = 5 }, "bench", 2)
for _, size in ipairs { 1, LIST } do
  compare_puts(size, {
    function(entries) assert(store:put(entries) == #entries) end,
    function(entries)
      local commands, pushes = commands_of(entries)
      for _, one in ipairs(pushes) do commands[#commands + 1] = one end
      assert(connection.call(commands))
    end,
    function(entries)
      local sets, pushes = commands_of(entries)
      assert(connection.call(sets))
      assert(connection.call(pushes))
    end,
  })
end
store:close()
connection.close()

-- 3. The client compared with redis-lua -----------------------------------------------------------

-- Runs bench/support/redis_program.lua. Returns the microseconds of CPU per event.
local function run_program(way, size, take)
  numbers = numbers + 1
  local command = ("env LUA_PATH=%s %s %s/support/redis_program.lua %s %d %d %d %d c%d 2>&1"):format(
    process.quote(folder .. "/support/?.lua;" .. (os.getenv "LUA_PATH" or ";")), INTERPRETER, folder, way,
    server.port, size, EVENTS, take, numbers)
  local output = process.run(command)
  flush()
  return assert(tonumber(output), output)
end

-- Compares two ways. `take` and `other_take` are the numbers of events that they take at once.
local function compare_programs(name, way, other, size, take, other_take)
  local times, other_times, ratios = {}, {}, {}
  for round = 1, ROUNDS do
    times[round] = run_program(way, size, take)
    other_times[round] = run_program(other, size, other_take)
    ratios[round] = times[round] / other_times[round]
  end
  print(("  %-58s %6.1f us, redis-lua %6.1f us: %.2f times"):format(name, median(times), median(other_times),
    median(ratios)))
end

print "3. The client: microseconds of CPU per event for put, take and acknowledgement, compared with redis-lua"
if pcall(require, "redis") then
  for _, part in ipairs { { "receiver", "commands", "whole" }, { "store", "store_commands", "store" } } do
    local way, other, what = part[1], part[2], part[3]
    compare_programs(what .. ", single events", way, other, 1, 16, 1)
    compare_programs(what .. ", single events, taken one by one", way, other, 1, 1, 1)
    compare_programs(("%s, %d per webhook and take; redis-lua: pipelines"):format(what, LIST), way, other, LIST, LIST,
      LIST)
  end
else
  print "  needs redis-lua: apt-get install lua-redis"
end
server:stop()
