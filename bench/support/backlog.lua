-- Measures an inbox without and with events that wait: the CPU time of put, take and acknowledgement, the memory of the
-- process, and the bytes of an event. Every event is in a conversation of one of `CUSTOMERS` customers.

local bodies = require "bench.support.bodies"
local memory = require "bench.support.memory"
local process = require "spec.support.process"
local redis = require "spec.support.redis"
local waba = require "waba"

local CUSTOMERS = 100000
local BATCH = 64 -- events of one webhook
local TAKEN = 16 -- events of one `take`

local backlog = {}

local places = {}

function places.sqlite(folder)
  local file = folder:file "backlog.db"
  return waba.inbox.sqlite { file = file, sync = false }, function()
    return tonumber(process.run("cat " .. file .. "* | wc -c"))
  end, function() end
end

function places.redis()
  local server = redis.start()
  return waba.inbox.redis { port = server.port }, function()
    return tonumber(process.run(("redis-cli -p %d info memory"):format(server.port)):match "used_memory:(%d+)")
  end, function() server:stop() end
end

-- Calls a function for a number of events; returns its CPU time in microseconds per event.
local function cost(events, call)
  local before = os.clock()
  call()
  return (os.clock() - before) / events * 1e6
end

local function put(inbox, mark, events)
  for number = 1, events / BATCH do
    local sources = {}
    -- marks of one length, so that the ids of two bodies differ
    local list = assert(waba.events(bodies.make(BATCH, ("%sx%07d"):format(mark, number), CUSTOMERS), sources))
    assert(inbox:put(list, sources))
  end
end

-- Takes events and acknowledges them, as workers do.
local function handle(inbox, events)
  local done, handled = {}, 0
  while handled < events do
    done = assert(inbox:exchange(done, TAKEN))
    handled = handled + #done
    assert(#done > 0, "no event is due")
  end
  assert(inbox:exchange(done, 0))
end

-- Returns the median costs of putting and of handling `events` events.
local function measure(inbox, mark, events, rounds)
  local puts, takes = {}, {}
  for round = 1, rounds do
    local own = mark .. round
    puts[round] = cost(events, function() put(inbox, own, events) end)
    takes[round] = cost(events, function() handle(inbox, events) end)
  end
  table.sort(puts)
  table.sort(takes)
  local middle = math.ceil(rounds / 2)
  return { put = puts[middle], handle = takes[middle], resident = memory.of_process "VmRSS" }
end

--- Returns the costs `before` and `behind` a backlog, the bytes of each event that waits, and its depth.
---@param options { home: "sqlite"|"redis", count: integer, events: integer?, rounds: integer?, report: fun(stored: integer)? }
function backlog.run(options)
  local folder, events, rounds = process.folder(), options.events or 3200, options.rounds or 5
  local inbox, size, stop = places[options.home](folder)
  local result = { before = measure(inbox, "b", events, rounds) }
  local empty, stored = size(), 0
  while stored < options.count do
    local step = math.min(64000, math.ceil((options.count - stored) / BATCH) * BATCH)
    put(inbox, "w" .. stored, step)
    stored = stored + step
    if options.report then options.report(stored) end
  end
  result.depth, result.bytes = inbox:depth(), (size() - empty) / stored
  result.behind = measure(inbox, "c", events, rounds)
  inbox:close()
  stop()
  folder:remove()
  return result
end

return backlog
