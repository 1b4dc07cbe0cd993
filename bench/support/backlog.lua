-- Measures an empty inbox and an inbox in which events wait: the CPU time of put, take and acknowledgement, the memory
-- of the process, and the bytes of an event. The events are in the conversations of `CUSTOMERS` customers.

local bodies = require "bench.support.bodies"
local memory = require "bench.support.memory"
local process = require "spec.support.process"
local redis = require "spec.support.redis"
local waba = require "waba"

local CUSTOMERS = 100000
local BATCH = 64 -- events of one webhook
local TAKEN = 64 -- events of one `take`, as in `receiver:work`

local backlog = {}

-- Each function returns an inbox; a function that returns the bytes of its events; a function that stops its server;
-- and nil or a function that returns the seconds of CPU of its server.
local places = {}

function places.memory()
  return waba.inbox.memory { max = 1e9 }, function()
    collectgarbage()
    collectgarbage()
    return collectgarbage "count" * 1024
  end, function() end
end

function places.sqlite(folder)
  local file = folder:file "backlog.db"
  return waba.inbox.sqlite { file = file, sync = false }, function()
    return tonumber(process.run("cat " .. file .. "* | wc -c"))
  end, function() end
end

function places.redis()
  local server = redis.start()
  local function info(section) return process.run(("redis-cli -p %d info %s"):format(server.port, section)) end
  return waba.inbox.redis { port = server.port }, function()
    return tonumber(info("memory"):match "used_memory:(%d+)")
  end, function() server:stop() end, function()
    local text = info "cpu"
    return tonumber(text:match "used_cpu_user:([%d.]+)") + tonumber(text:match "used_cpu_sys:([%d.]+)")
  end
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

-- The calls that are measured, and the names of their costs for this process and for the server.
local CALLS = {
  { name = "put", server_name = "server_put", call = put },
  { name = "handle", server_name = "server_handle", call = function(inbox, _, events) handle(inbox, events) end },
}

local function median(values)
  table.sort(values)
  return values[math.ceil(#values / 2)]
end

local function mean(values)
  local sum = 0
  for _, value in ipairs(values) do sum = sum + value end
  return sum / #values
end

-- Measures `put` and the handling of `events` events, for each of the inboxes. Returns a table for each inbox with the
-- averages: microseconds of CPU per event. Each round measures all inboxes, because the speed of the machine varies.
local function measure(inboxes, events, rounds, average)
  local lists, results = {}, {}
  for index = 1, #inboxes do lists[index] = { put = {}, handle = {}, server_put = {}, server_handle = {} } end
  for round = 1, rounds do
    for index, one in ipairs(inboxes) do
      for _, part in ipairs(CALLS) do
        local server_before, before = one.server_cpu and one.server_cpu(), os.clock()
        part.call(one.inbox, "m" .. round, events)
        lists[index][part.name][round] = (os.clock() - before) / events * 1e6
        if server_before then
          lists[index][part.server_name][round] = (one.server_cpu() - server_before) / events * 1e6
        end
      end
    end
  end
  for index, list in ipairs(lists) do
    results[index] = {}
    for name, values in pairs(list) do results[index][name] = values[1] and average(values) end
  end
  return results
end

--- Returns the costs with a backlog and with an empty inbox; and, for the backlog, the number of events, the bytes of
--- each event, and the memory of the process before and after the events were stored.
---@param options { home: "memory"|"sqlite"|"redis", count: integer, events: integer?, rounds: integer?, report: fun(stored: integer)? }
function backlog.run(options)
  local folder, other = process.folder(), process.folder()
  local events, rounds = options.events or 3200, options.rounds or 5
  local inbox, size, stop, server_cpu = places[options.home](folder)
  local empty, _, stop_empty, empty_cpu = places[options.home](other)
  local full_place, empty_place = { inbox = inbox, server_cpu = server_cpu }, { inbox = empty, server_cpu = empty_cpu }
  local average, measured_first = median, nil
  -- In memory, the garbage collector also works for the waiting events. Its work is irregular, so the costs are means of
  -- many rounds, in which the process allocates as much memory as the waiting events have. The empty inbox is measured
  -- before the events are stored.
  if options.home == "memory" then
    rounds, average = math.max(rounds, math.ceil(options.count / events)), mean
    measured_first = measure({ empty_place }, events, rounds, average)[1]
  end
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
  local measured = measure(measured_first and { full_place } or { full_place, empty_place }, events, rounds, average)
  result.behind, result.empty = measured[1], measured_first or measured[2]
  for _, costs in ipairs { result.behind, result.empty } do costs.all = costs.put + costs.handle end
  inbox:close()
  empty:close()
  stop()
  stop_empty()
  folder:remove()
  other:remove()
  return result
end

return backlog
