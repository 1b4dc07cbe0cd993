-- Measures an empty inbox and an inbox in which events wait: the CPU time of put, take and acknowledgement, the memory
-- of the process, and the bytes of an event. The events are in the conversations of `CUSTOMERS` customers.

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

-- Returns the CPU time of a function call in microseconds per event.
local function cost(events, call)
  local before = os.clock()
  call()
  return (os.clock() - before) / events * 1e6
end

local function put(inbox, mark, events)
  for number = 1, events / BATCH do
    local sources = {}
    -- The ids differ, because each body has a mark of its own. Seven digits give all bodies of one call the same size.
    local list = assert(waba.events(bodies.make(BATCH, ("%sx%07d"):format(mark, number), CUSTOMERS), sources))
    assert(inbox:put(list, sources))
  end
end

-- Takes and acknowledges events until none is left, as workers do.
local function handle(inbox, events)
  local done, handled = {}, 0
  while handled < events do
    done = assert(inbox:exchange(done, TAKEN))
    handled = handled + #done
    assert(#done > 0, "no event is due")
  end
  assert(inbox:exchange(done, 0))
end

-- Returns the median costs of `put` and of handling `events` events, for each inbox. Each round measures all inboxes,
-- because the speed of the machine varies.
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

--- Returns the costs with a backlog and with an empty inbox; and, for the backlog, the number of events, the bytes of
--- each event, and the memory of the process before and after the events were stored.
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
