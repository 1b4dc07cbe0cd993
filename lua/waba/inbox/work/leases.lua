-- Takes events for the handlers of a receiver, and renews their leases.

local core = require "waba.core"
local results = require "waba.inbox.work.results"

local clock, huge, max, min = core.clock, math.huge, math.max, math.min

local leases = {}

local PATIENCE = 0.005 -- the seconds for which an acknowledgement waits for the next webhook
local JOIN = 0.002 -- the seconds for which the first result of a sender waits for other results
-- The longest wait in seconds. After each wait, handlers.reap_dead finds coroutines that the event loop has ended.
local LONGEST = 1

--- For each receiver, the set of `waba.Work` objects that run in this process.
leases.works_of = setmetatable({}, { __mode = "k" })

local function renewal(self, now)
  local time = now + self.lease / 3
  self.renew_at = min(self.renew_at, time)
  return time
end

--- Renews a lease if the time of its renewal has come. Returns nil if another process may have taken the event.
function leases.renew(self, entry, now)
  if now < entry.renew_at then return true end
  local ok, err = self.inbox:extend(entry.event, self.lease)
  if not ok and type(err) == "table" and err.retryable then
    entry.renew_at = now + min(results.AGAIN, self.lease / 3)
    self.renew_at = min(self.renew_at, entry.renew_at)
    return true
  end
  entry.renew_at = ok and renewal(self, now) or huge
  return ok
end

-- Renews the leases of running and queued events. Removes queued events whose leases have expired.
local function renew_all(self)
  local now = clock()
  if now < self.renew_at then return end
  local entries = {}
  self.renew_at = huge
  for entry in pairs(self.running) do entries[#entries + 1] = entry end
  for _, entry in ipairs(self.queue) do entries[#entries + 1] = entry end
  for _, entry in ipairs(entries) do
    local is_held = leases.renew(self, entry, now)
    self.renew_at = min(self.renew_at, entry.renew_at)
    for place, other in ipairs(is_held and {} or self.queue) do
      if other == entry then table.remove(self.queue, place) end
    end
  end
end

function leases.release_queued(self)
  local queue = self.queue
  self.queue = {}
  for index = #queue, 1, -1 do self.inbox:release(queue[index].event) end
end

--- Acknowledges finished events, renews leases, and returns queued events to the inbox if they wait too long. If
--- `is_taking` is true, the next take acknowledges the finished events.
function leases.tend(self, is_taking)
  if not is_taking then results.settle(self) end
  renew_all(self)
  local is_late = #self.queue > 0 and self.active >= self.concurrency and clock() - self.begun_at >= results.MOMENT
  if is_late then leases.release_queued(self) end
end

function leases.seconds_to_tend(self, now)
  local left = self.renew_at - now
  if #self.queue > 0 then left = min(left, results.MOMENT) end
  if #self.finished > 0 then left = min(left, max(self.settle_at, self.look_at) - now) end
  return max(0.001, min(left, LONGEST))
end

-- Renews the leases of a receiver before a take, because a take could return an event with an expired lease while the
-- handlers of the event still run.
local function tend_all(receiver, taking)
  local list = {}
  for running in pairs(leases.works_of[receiver]) do list[#list + 1] = running end
  for _, running in ipairs(list) do leases.tend(running, running == taking) end
end

-- Functions that are passed to `results.acknowledge_with`. They are not local to the calling functions, because LuaJIT
-- can't compile a function that contains another function.
local function exchange_with(self, done, n) return self.inbox:exchange(done, n, self.lease) end

local function put_with(self, done, n, events, sources)
  return self.inbox:put(events, sources, { done = done, n = n, lease = self.lease })
end

-- Acknowledges finished events, and takes other events. Returns the results of the inbox's `exchange`.
local function exchange(self, n)
  if results.can_exchange(self) then
    local events, due = results.acknowledge_with(self, exchange_with, n)
    if events then return events, due end
    results.settle(self)
    if not results.are_refused_long(self) then return nil, due end
  else
    results.settle(self)
  end
  return self.inbox:take(n, self.lease)
end

-- Queues taken events. `due` is the number of seconds until another event is due; false: no other event waits; nil: the
-- next take may happen at once.
local function enqueue(self, events, due, now)
  self.took, self.taken_at, self.was_quick = #events, now, false
  self.look_at = due ~= nil and now + min(due or huge, self.interval) or 0
  if #events == 0 then return end
  local queue, waiting, renew_at = {}, self.queue, renewal(self, now)
  for index = #events, 1, -1 do
    local event = events[index]
    if self.is_sender then
      event.event, event.renew_at = event, renew_at
    else
      event = { event = event, renew_at = renew_at, group = false, thread = false, is_read = false, get = nil }
    end
    queue[#queue + 1] = event
  end
  for index = 1, #waiting do queue[#queue + 1] = waiting[index] end
  self.queue = queue
end

-- Returns the number of events to take. If handlers are quick, the number is larger than the number of free handlers,
-- because one large call of the store costs less than several small calls.
local function wanted(self)
  if self.is_sender then return min(self.batch, self.concurrency - self.active) - #self.queue end
  if self.took > 0 then self.ahead = self.was_quick and min(self.batch, 2 * self.ahead + 1) or 0 end
  self.took = 0
  return min(self.batch, self.concurrency - self.active + self.ahead) - #self.queue
end

--- Stores events as the inbox's `put` does. If handlers are free, the same call takes events.
function leases:put(events, sources)
  local n = next(self.groups) and results.can_exchange(self) and wanted(self) or 0
  if n < 1 then
    local stored, err = self.inbox:put(events, sources)
    self:wake()
    return stored, err
  end
  self.puts = self.puts + 1
  local now = clock()
  local stored, taken, due = results.acknowledge_with(self, put_with, n, events, sources)
  if not stored then return nil, taken end
  enqueue(self, taken, due, now)
  self.patience = PATIENCE
  self:notify()
  return stored
end

--- Takes events. Returns whether an event was taken; nil and an error if the inbox can't be read.
function leases.take(self)
  tend_all(self.receiver, self)
  local now = clock()
  -- if the store refuses acknowledgements, a take could return finished events again
  if now < self.look_at or #self.finished > 0 and now < self.settle_at then return false end
  local n = wanted(self)
  local events, due = exchange(self, n)
  if not events then return nil, due or "inbox:take returned neither events nor an error" end
  enqueue(self, events, due, now)
  self.patience = self.is_sender and JOIN or 0
  if self.on_more and #events == n and self.inbox:next_due() == 0 then self.on_more() end
  return #events > 0
end

return leases
