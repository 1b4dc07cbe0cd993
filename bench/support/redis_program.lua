-- Stores and handles events in Redis, for bench/redis.lua. Arguments: way port events count take mark. The program
-- handles `count` events, with `events` events per webhook, and prints the microseconds of its CPU time per event. An
-- event is taken from Redis together with up to `take` - 1 others. No two runs on one server may have the same `mark`,
-- from which the ids of the events are made. The ways:
--
--   receiver         receiver:handle and receiver:work
--   commands         the work of `receiver` as a minimal program with lua-cjson and redis-lua does it: SET NX and RPUSH
--                    for each new event, then LPOP for each stored event, with one list for all events. If `events` or
--                    `take` is above 1, each step is a pipeline
--   store            the store of the inbox alone: the methods put, take and settle with ready entries. As in
--                    receiver:work, a take also settles the entries of the previous take
--   store_commands   the commands of `commands` with ready keys and bodies

local bodies = require "bodies"
local cjson = require("cjson").new()
local redis_entries = require "redis_entries"
local waba = require "waba"

local way, port, events, count, take, mark = (table.unpack or unpack)(arg)
port, events, count, take = tonumber(port), tonumber(events), tonumber(count), tonumber(take)

local CUSTOMERS = 1000
local REMEMBER = 7 * 86400 -- seconds, the default of the option `remember`
local LEASE = 60

-- redis-lua ---------------------------------------------------------------------------------------

-- Connects redis-lua. In Lua 5.4, its method `pipeline` fails if a command has no function that converts the reply, or
-- if a reply is nil. So the commands that the pipelines contain are defined again, with such a function.
local function connect()
  local redis = require "redis"
  local present = { response = function(reply) return reply or false end }
  for _, name in ipairs { "set", "rpush", "lpop" } do redis.commands[name] = redis.command(name, present) end
  return redis.connect("127.0.0.1", port)
end

-- Stores new items. `keys` has the key of each item.
local function store_by_commands(client, keys, items)
  if #items == 1 then
    if client:set(keys[1], "1", "NX", "EX", REMEMBER) then client:rpush("events", items[1]) end
    return
  end
  local is_new = client:pipeline(function(pipeline)
    for index = 1, #items do pipeline:set(keys[index], "1", "NX", "EX", REMEMBER) end
  end)
  client:pipeline(function(pipeline)
    for index = 1, #items do
      if is_new[index] then pipeline:rpush("events", items[index]) end
    end
  end)
end

-- Calls `handle` with each stored item.
local function take_by_commands(client, handle)
  while take == 1 do
    local item = client:lpop "events"
    if not item then return end
    handle(item)
  end
  while true do
    local items = client:pipeline(function(pipeline)
      for _ = 1, take do pipeline:lpop "events" end
    end)
    for index = 1, take do
      if not items[index] then return end
      handle(items[index])
    end
  end
end

-- The ways ----------------------------------------------------------------------------------------

-- Each function of `ways` returns three functions. The first makes the input from the body of a webhook, and its time
-- is not measured. The second stores the input. The third handles all stored events and returns their number.
local ways = {}

function ways.receiver()
  local handled = 0
  local receiver = waba.receiver {
    open = true, inbox = waba.inbox.redis { port = port }, on = { any = function() handled = handled + 1 end },
  }
  local function put(body) assert(receiver:handle { method = "POST", body = body } == 200) end
  return function(body) return body end, put, function()
    handled = 0
    assert(receiver:work { batch = take })
    return handled
  end
end

function ways.commands()
  local client = connect()
  local function put(body)
    local keys, items = {}, {}
    redis_entries.each(body, function(key, event) keys[#keys + 1], items[#items + 1] = key, cjson.encode(event) end)
    store_by_commands(client, keys, items)
  end
  return function(body) return body end, put, function()
    local handled = 0
    take_by_commands(client, function(item)
      if cjson.decode(item).id then handled = handled + 1 end
    end)
    return handled
  end
end

function ways.store()
  local store = waba.inbox.redis({ port = port }).store
  local function put(entries) assert(store:put(entries)) end
  return redis_entries.of, put, function()
    local handled, changes = 0, {}
    repeat
      local leases = assert(store:take(take, LEASE, changes))
      changes = {}
      for index, lease in ipairs(leases) do changes[index] = { lease = lease, done = "always" } end
      handled = handled + #leases
    until #leases == 0
    return handled
  end
end

function ways.store_commands()
  local client = connect()
  local function input_of(body)
    local keys, items = {}, {}
    for index, entry in ipairs(redis_entries.of(body)) do keys[index], items[index] = entry.key, entry.body end
    return { keys = keys, items = items }
  end
  local function put(input) store_by_commands(client, input.keys, input.items) end
  return input_of, put, function()
    local handled = 0
    take_by_commands(client, function() handled = handled + 1 end)
    return handled
  end
end

local input_of, put, handle_all = ways[way]()

-- Stores and handles `total` events. Returns the microseconds of CPU per event.
local function run(total, name)
  local inputs = {}
  for number = 1, total / events do
    inputs[number] = input_of(bodies.make(events, ("%s%sx%d"):format(mark, name, number), CUSTOMERS))
  end
  collectgarbage()
  collectgarbage()
  local before = os.clock()
  for _, input in ipairs(inputs) do put(input) end
  local handled = handle_all()
  local used = os.clock() - before
  assert(handled == #inputs * events, ("%d of %d events were handled"):format(handled, #inputs * events))
  return used / handled * 1e6
end

run(math.ceil(count / 5 / events) * events, "w") -- the warm-up: loads the modules and compiles the code
print(("%.3f"):format(run(count, "m")))
