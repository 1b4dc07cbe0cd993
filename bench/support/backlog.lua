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

-- Returns the median costs of putting and of handling `events` events, for each inbox. The inboxes take turns, because
-- the speed of the machine varies.
local function measure(inboxes, events, rounds)
  local results = {}
  for index = 1, #inboxes do results[index] = { puts = {}, takes = {} } end
  for round = 1, rounds do
    for index, inbox in ipairs(inboxes) do
      local result = results[index]
      result.puts[round] = cost(events, function() put(inbox, "m" .. round, events) end)
      result.takes[round] = cost(events, function() handle(inbox, events) end)
    end
  end
  for _, result in ipairs(results) do
    table.sort(result.puts)
    table.sort(result.takes)
    result.put, result.handle = result.puts[math.ceil(rounds / 2)], result.takes[math.ceil(rounds / 2)]
  end
  return results[1], results[2]
end

--- Returns the costs with a backlog and with an empty inbox, and for the backlog: its depth, the bytes of each event
--- that waits, and the memory of the process before and after it was stored.
---@param options { home: "sqlite"|"redis", count: integer, events: integer?, rounds: integer?, report: fun(stored: integer)? }
function backlog.run(options)
  local folder, other = process.folder(), process.folder()
  local inbox, size, stop = places[options.home](folder)
  local empty, _, stop_empty = places[options.home](other)
  put(inbox, "f", BATCH)
  local before, first, stored = size(), memory.of_process "VmRSS", 0
  while stored < options.count do
    local step = math.min(64000, math.ceil((options.count - stored) / BATCH) * BATCH)
    put(inbox, "w" .. stored, step)
    stored = stored + step
    if options.report then options.report(stored) end
  end
  local result = {
    depth = inbox:depth(), bytes = (size() - before) / stored, resident_before = first,
    resident = memory.of_process "VmRSS",
  }
  result.behind, result.empty = measure({ inbox, empty }, options.events or 3200, options.rounds or 5)
  inbox:close()
  empty:close()
  stop()
  stop_empty()
  folder:remove()
  other:remove()
  return result
end

return backlog
