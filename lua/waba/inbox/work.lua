-- Runs the handlers of a receiver: takes events from the inbox, starts a coroutine for each event, stores
-- acknowledgements and renews leases. Outside of an event loop no coroutine can be started: the handlers run one
-- after the other, and leases are renewed while a handler sleeps or waits for the gateway.

local core = require "waba.core"
local errors = require "waba.errors"
local printable = require "waba.printable"
local runtime = require "waba.runtime"
local task_groups = require "waba.transport.loop.task_group"

local clock, huge, max, min = core.clock, math.huge, math.max, math.min

---@class waba.Work
---@field puts integer    the number of calls of `put` after which `wake` is unnecessary
---@field concurrency integer
---@field batch integer
---@field lease number
---@field active integer  running handlers
local Work = {}
Work.__index = Work
Work.__name = "waba.Work"

local work = {}

--- The options for running the handlers of a receiver.
---@options waba.WorkOptions
work.OPTIONS = {
  concurrency = { "integer>=1", 1 }, -- the largest number of handlers that run at once. If `concurrency` is above 1,
                                     -- the handlers run in the event loop of the caller, or else in a new one
                                     -- (`waba.run`)
  batch = { "integer>=1", 16 },      -- the largest number of events that are taken at once, each of a different
                                     -- customer. While handlers are slow, at most as many events are taken as handlers
                                     -- can start
  lease = { "number>0", 60 },        -- seconds after which another worker may take an event whose lease was not renewed
  forever = { "boolean", false },    -- true: waits for further events when none is due, and reports on standard error
                                     -- when the inbox cannot be read
  interval = { "number>=0", 0.25 },  -- seconds between two checks of an empty inbox, with `forever`
  stop = "fun(): boolean",           -- called before each event; true ends the work. Without this function, and outside
                                     -- of an event loop, work with `forever` ends at SIGTERM, SIGINT or SIGHUP; a
                                     -- second signal ends the process
  on_more = "fun()",                 -- called when further events are due, to wake another worker
}

-- Seconds: a handler that ends within this time counts as quick. A taken event that waits longer for a free handler
-- is returned to the inbox, so that another process may take it.
local MOMENT = 0.05
-- Seconds until the next attempt when the store has refused to store an acknowledgement or to renew a lease.
local AGAIN = 0.25
-- Seconds after the first failure until failed handlers are reported, even if other handlers still run.
local REPORT = 1
-- Seconds for which an acknowledgement waits, so that the next webhook can be stored in the same call.
local PATIENCE = 0.005
-- Seconds for which a sender's result waits, so that other results can be stored in the same call.
local JOIN = 0.001
-- Seconds between two searches for coroutines that the event loop has ended.
local REAP = 0.1
-- Seconds for which handlers may run one after the other without a wait before other coroutines run.
local SLICE = 0.02
-- The longest wait in seconds. A coroutine that its event loop has ended is found only by a check after a wait.
local LONGEST = 1

local function never() return false end

local function first_line(raised)
  return (tostring(raised):gsub("\nstack traceback:.*$", ""))
end

---@class waba.WorkSettings : waba.WorkOptions
---@field log? fun(text: string)  called with errors that are not returned to the caller

-- The `waba.Work` objects that run in this process, for each receiver.
local works_of = setmetatable({}, { __mode = "k" })

--- Runs handlers of one receiver; all calls of `run` share `concurrency`.
---@param receiver waba.Receiver
---@param settings waba.WorkSettings
---@return waba.Work
function work.new(receiver, settings)
  return setmetatable({
    receiver = receiver, inbox = receiver.inbox, concurrency = settings.concurrency, batch = settings.batch,
    lease = settings.lease, forever = settings.forever, interval = settings.interval,
    stop = settings.stop, on_more = settings.on_more, log = settings.log,
    queue = {},                     -- entries that were taken and have not been started
    running = {}, active = 0,       -- the set of started entries, and its size
    renew_at = huge, reap_at = 0,   -- the time to renew the first lease, and to search for coroutines that have ended
    finished = {}, settle_at = 0,   -- events to acknowledge, and the earliest time to acknowledge them
    stored = {},                    -- acknowledged events whose function `after` was not called yet
    took = 0, taken_at = 0, ahead = 0, -- the last take: how many events, when, and how many of them had no free handler
    was_quick = false,                 -- whether the handlers of the last take ended within `MOMENT`
    puts = 0,                          -- calls of `put` that also took events
    look_at = 0, patience = 0,         -- when to take again; seconds that an acknowledgement may wait for a `put`
    groups = {},                    -- the number of running handlers, by task group
    handled = 0, failed = 0, raised = nil,
    reported = { handled = 0, failed = 0 }, report_at = 0,
  }, Work)
end

-- Lets the coroutines that called `run` continue.
local function notify(self)
  for group in pairs(self.groups) do group:wake() end
end

--- Lets the coroutines that called `run` take events now.
function Work:wake()
  self.look_at = 0
  notify(self)
end

-- Leases and acknowledgements ---------------------------------------------------------------------

local function report(self, text)
  if self.log then self.log(text) else io.stderr:write("waba: ", printable.text(text), "\n") end
end

-- Reports a handler whose lease expired because the handler kept all other coroutines from running.
local function report_blocked(self, entry)
  local late = clock() - entry.renew_at
  if late <= self.lease * 2 / 3 then return end
  local text = "a handler blocked the process for more than %.3g s, longer than its lease of %g s (option lease): "
    .. "another process may have handled its event too"
  report(self, text:format(late, self.lease))
end

-- Acknowledges an event, at once or together with others.
local function acknowledge_later(self, event)
  self.finished[#self.finished + 1] = event
  local is_alone = self.inbox.settles_all and self.active == 0
  self.look_at = min(self.look_at, clock() + (is_alone and 0 or self.patience))
end

-- Stores the result of a handler that has ended. `left`: the handlers have not begun, because the event is due only
-- after this number of seconds.
local function finish(self, entry, ok, raised, left)
  if not self.running[entry] then return end -- `reap_dead` has already recorded the end of the handler
  self.running[entry] = nil
  self.active = self.active - 1
  if entry.release then entry.release() end
  report_blocked(self, entry)
  if self.active == 0 and #self.queue == 0 then self.was_quick = clock() - self.taken_at < MOMENT end
  if entry.group then self.groups[entry.group] = self.groups[entry.group] - 1 end
  if left then
    self.look_at = min(self.look_at, clock() + left)
  elseif ok then
    self.handled = self.handled + 1
    acknowledge_later(self, entry.event)
  elseif self.inbox.settles_all then
    self.failed, self.raised = self.failed + 1, raised
    acknowledge_later(self, entry.event)
  else
    -- after an error with an uncertain result the handler is not called again, because it might send its message twice
    local is_uncertain = errors.is_error(raised) and (raised.maybe_sent or raised.is_final)
    if self.failed == self.reported.failed then self.report_at = clock() + REPORT end
    self.failed, self.raised = self.failed + 1, raised
    local delay = self.inbox:fail(entry.event, first_line(raised), is_uncertain)
    self.look_at = min(self.look_at, clock() + (delay or 0))
  end
end

-- Stores the acknowledged events that have a function `after`.
local function note_stored(self, done)
  if not self.inbox.settles_all then return end
  for _, event in ipairs(done) do
    if event.after then self.stored[#self.stored + 1] = event end
  end
end

-- Stores the acknowledgements of finished events. If the store refuses the acknowledgements, the attempts end after the
-- length of a lease.
local function settle(self)
  local done, now = self.finished, clock()
  if #done == 0 or now < self.settle_at then return end
  self.finished = {}
  local ok, err = self.inbox:ack(done, true)
  if ok or not (type(err) == "table" and err.retryable) then
    self.refused_since = nil
    if ok then note_stored(self, done) end
    return
  end
  self.refused_since = self.refused_since or now
  if now - self.refused_since > self.lease then
    self.refused_since = nil
    return
  end
  for _, event in ipairs(self.finished) do done[#done + 1] = event end
  self.finished, self.settle_at = done, now + AGAIN
end

-- Returns the time at which to renew a lease that begins now.
local function renewal(self, now)
  local time = now + self.lease / 3
  self.renew_at = min(self.renew_at, time)
  return time
end

-- Renews a lease when it is due. Returns false if another process may have taken the event.
local function renew(self, entry, now)
  if now < entry.renew_at then return true end
  local ok, err = self.inbox:extend(entry.event, self.lease)
  if not ok and type(err) == "table" and err.retryable then
    entry.renew_at = now + min(AGAIN, self.lease / 3)
    self.renew_at = min(self.renew_at, entry.renew_at)
    return true
  end
  entry.renew_at = ok and renewal(self, now) or huge
  return ok
end

-- Renews the leases of running and of queued events. Drops queued events whose leases have expired.
local function renew_all(self)
  local now, running = clock(), {}
  if now < self.renew_at then return end
  self.renew_at = huge
  for entry in pairs(self.running) do running[#running + 1] = entry end
  for _, entry in ipairs(running) do
    renew(self, entry, now)
    self.renew_at = min(self.renew_at, entry.renew_at)
  end
  for position = #self.queue, 1, -1 do
    local entry = self.queue[position]
    local is_held = renew(self, entry, now)
    self.renew_at = min(self.renew_at, entry.renew_at)
    for place, other in ipairs(is_held and {} or self.queue) do
      if other == entry then table.remove(self.queue, place) end
    end
  end
end

-- Returns the queued events to the inbox.
local function release_queued(self)
  local queue = self.queue
  self.queue = {}
  for _, entry in ipairs(queue) do self.inbox:release(entry.event) end
end

-- Searches for handlers whose coroutine the event loop has ended. Such a handler has failed.
local function reap_dead(self)
  local now = clock()
  if now < self.reap_at then return end
  for entry in pairs(self.running) do
    if entry.thread and runtime.is_dead(entry.thread) then
      finish(self, entry, false, "the coroutine of the handlers was ended")
      return reap_dead(self)
    end
  end
  self.reap_at = now + REAP
end

-- Does the work that is due while handlers run: acknowledges events, renews leases, and returns queued events that wait
-- too long. If `is_taking` is true, acknowledges nothing, because the call of the store that takes events also
-- acknowledges.
local function tend(self, is_taking)
  if not is_taking then settle(self) end
  renew_all(self)
  local is_late = #self.queue > 0 and self.active >= self.concurrency and clock() - self.begun_at >= MOMENT
  if is_late then release_queued(self) end
end

-- Returns the seconds until `tend` must be called again.
local function seconds_to_tend(self, now)
  local left = self.renew_at - now
  if #self.queue > 0 then left = min(left, MOMENT) end
  if #self.finished > 0 then left = min(left, max(self.settle_at, self.look_at) - now) end
  return max(0.001, min(left, LONGEST))
end

-- Renews the leases of all works of the receiver before events are taken. If no coroutine has run for a long time,
-- leases of this process may have expired, and the take would return their events again.
local function tend_all(receiver, taking)
  local list = {}
  for running in pairs(works_of[receiver]) do list[#list + 1] = running end
  for _, running in ipairs(list) do tend(running, running == taking) end
end

-- Taking and starting -----------------------------------------------------------------------------

-- Returns whether the inbox can acknowledge, store and take in one call. Returns false if a program has replaced one of
-- the inbox's methods.
local function can_exchange(self)
  local inbox = self.inbox
  return inbox.exchange and not rawget(inbox, "ack") and not rawget(inbox, "take") and not rawget(inbox, "put")
    and clock() >= self.settle_at
end

-- Calls a function that acknowledges the finished events, which are its argument. Returns the results of the function.
local function acknowledge_with(self, call)
  local done = self.finished
  self.finished = {}
  local result, second, third = call(done)
  if result then
    self.refused_since = nil
    note_stored(self, done)
    return result, second, third
  end
  for _, event in ipairs(self.finished) do done[#done + 1] = event end
  self.finished = done
  return nil, second
end

-- Acknowledges finished events and takes other events. Returns the events. If fewer than n events are returned, also
-- returns the seconds until another event is due, or false if there is no other event.
local function exchange(self, n)
  if can_exchange(self) then
    local events, due = acknowledge_with(self, function(done) return self.inbox:exchange(done, n, self.lease) end)
    if not events then settle(self) end
    return events, due
  end
  settle(self)
  return self.inbox:take(n, self.lease)
end

-- Queues events that were taken. If fewer events were taken than wanted, the next take happens when another event
-- is due.
local function enqueue(self, events, due, now)
  self.took, self.taken_at, self.was_quick = #events, now, false
  self.look_at = due ~= nil and now + min(due or huge, self.interval) or 0
  for _, event in ipairs(events) do
    self.queue[#self.queue + 1] = { event = event, renew_at = renewal(self, now) }
  end
end

-- Returns how many events to take. While handlers are quick, the number is larger than that of the free handlers,
-- because one large call of the store is cheaper than several small ones.
local function wanted(self)
  if self.inbox.settles_all then return min(self.batch, self.concurrency - self.active) - #self.queue end
  if self.took > 0 then self.ahead = self.was_quick and min(self.batch, 2 * self.ahead + 1) or 0 end
  self.took = 0
  return min(self.batch, self.concurrency - self.active + self.ahead) - #self.queue
end

--- Stores events as the inbox's `put` does. If possible, the same call also acknowledges the finished events and takes
--- as many events as can be handled now.
---@param events waba.Event[]
---@param sources? table<integer, string>
---@return integer|nil stored
---@return waba.Error? err
function Work:put(events, sources)
  local n = next(self.groups) and can_exchange(self) and wanted(self) or 0
  if n < 1 then
    local stored, err = self.inbox:put(events, sources)
    self:wake()
    return stored, err
  end
  self.puts = self.puts + 1
  local now = clock()
  local stored, taken, due = acknowledge_with(self, function(done)
    return self.inbox:put(events, sources, { done = done, n = n, lease = self.lease })
  end)
  if not stored then return nil, taken end
  enqueue(self, taken, due, now)
  self.patience = PATIENCE
  notify(self)
  return stored
end

-- Takes as many events as there are free handlers. Returns whether any event was taken.
local function take(self)
  tend_all(self.receiver, self)
  local now = clock()
  if now < self.look_at then return false end
  local n = wanted(self)
  local events, due = exchange(self, n)
  if not events then return nil, due or "the inbox returned neither events nor an error" end
  enqueue(self, events, due, now)
  self.patience = self.inbox.settles_all and JOIN or 0
  if self.on_more and #events == n and self.inbox:next_due() == 0 then self.on_more() end
  return #events > 0
end

local function notify_watchers(receiver, event)
  for _, fn in ipairs(receiver.watchers or {}) do
    for _, one in ipairs(event.messages or { event }) do fn(one, true) end
  end
end

-- Joins the messages behind an event. Returns false if the event is not due yet, or can't be handled now.
local function gather(self, entry, seconds)
  local event, left = self.inbox:gather(entry.event, seconds)
  if event then
    entry.event = event
  elseif type(left) == "number" then
    finish(self, entry, nil, nil, left)
  else
    finish(self, entry, false, left)
  end
  return event ~= nil
end

-- Runs the handlers of one event.
local function handle(self, entry)
  entry.thread = coroutine.running()
  local receiver = self.receiver
  if receiver.gather and not gather(self, entry, receiver.gather) then return end
  local event = entry.event
  local ok, raised = pcall(notify_watchers, receiver, event)
  if ok then ok, raised = receiver.dispatch(event, self.inbox:attempts(event), receiver.prepare, entry) end
  finish(self, entry, ok, raised)
end

local function handle_and_notify(self, entry)
  handle(self, entry)
  local joins_others = self.inbox.settles_all and self.active > 0 and #self.finished > 1 and #self.queue == 0
  if not joins_others then notify(self) end
end

-- Starts the handlers of the next queued event. Returns false if another process has taken the event.
local function begin(self, group)
  local entry = table.remove(self.queue, 1)
  if not renew(self, entry, clock()) then return false end
  self.running[entry], self.active, self.begun_at = true, self.active + 1, clock()
  if group then
    entry.group, self.groups[group] = group, self.groups[group] + 1
    group:run(handle_and_notify, self, entry)
    return true
  end
  runtime.with_periodic(function()
    pcall(tend, self)
    return seconds_to_tend(self, clock())
  end, handle, self, entry)
  settle(self)
  return true
end

local function finish_event(self, event, group)
  pcall(event.after)
  if not group then return end
  self.active, self.groups[group] = self.active - 1, self.groups[group] - 1
  notify(self)
end

-- Calls the functions `after` of acknowledged events.
local function call_after(self, group)
  local list = self.stored
  if #list == 0 then return end
  self.stored = {}
  for _, event in ipairs(list) do
    if group then
      self.active, self.groups[group] = self.active + 1, self.groups[group] + 1
      group:run(function(work_of, one) finish_event(work_of, one, group) end, self, event)
    else
      finish_event(self, event)
    end
  end
end

-- Reports failed handlers when no taken event is left, and otherwise `REPORT` seconds after the first failure.
local function report_failed(self)
  local reported = self.reported
  if not self.log or self.failed == reported.failed then return end
  if (self.active > 0 or #self.queue > 0) and clock() < self.report_at then return end
  local handled, failed = self.handled - reported.handled, self.failed - reported.failed
  self.log(("%d of %d events failed, the last one: %s"):format(failed, handled + failed, tostring(self.raised)))
  self.reported = { handled = self.handled, failed = self.failed }
end

-- Takes events and starts as many handlers as may run now. Returns whether a handler was started; nil and the error if
-- the inbox can't be read.
local function fill(self, group, stop)
  local has_begun, started = false, clock()
  while self.active < self.concurrency and not stop() and not (has_begun and clock() - started > SLICE) do
    if #self.queue == 0 then
      report_failed(self)
      local found, err = take(self)
      if found == nil then return nil, err end
      if not found then break end
    elseif begin(self, group) then
      has_begun = true
    end
  end
  return has_begun
end

-- The main loop -----------------------------------------------------------------------------------

-- Reports that the inbox can't be read; a second report follows only after the inbox could be read again.
local function report_unreadable(self, err)
  if err and not self.is_unreadable then
    report(self, ("%s can't be read, trying again: %s"):format(self.inbox.title or "the inbox", tostring(err)))
  end
  self.is_unreadable = err ~= nil
end

-- Returns the seconds to wait when no handler can start.
local function pause(self, is_stopping, err)
  local left = seconds_to_tend(self, clock())
  if is_stopping or self.active >= self.concurrency then return left end
  local now, due = clock(), nil
  if self.look_at > now then
    due = self.look_at - now
  elseif self.forever and not err then
    due = self.inbox:next_due()
  end
  left = min(left, self.interval, due and max(0.001, due) or huge)
  return self.active > 0 and max(0.001, left) or left
end

-- Waits; in an event loop, other coroutines run meanwhile.
local function wait(group, seconds)
  if group then return group:wait(seconds) end
  if seconds > 0 then runtime.sleep(seconds) end
end

-- Returns the queued events to the inbox, unless another call of `run` with the same `self` is active, because that
-- call handles the events.
local function leave(self, group)
  for other in pairs(self.groups) do
    if other ~= group then return end
  end
  release_queued(self)
end

local function work_in(self, group, stop)
  while true do
    local is_stopping, has_begun, err = stop(), false, nil
    tend(self, not is_stopping and #self.queue == 0 and self.active < self.concurrency)
    reap_dead(self)
    if is_stopping then
      leave(self, group)
    else
      has_begun, err = fill(self, group, stop)
      is_stopping = err ~= nil and not self.forever
    end
    call_after(self, group)
    if self.forever then report_unreadable(self, err) end
    local is_idle = not has_begun and (group and self.groups[group] or self.active) == 0 and #self.finished == 0
    report_failed(self)
    if is_idle and (is_stopping or not self.forever) then return err == nil or nil, err end
    local is_full = self.active >= self.concurrency
    if is_full or not has_begun then
      wait(group, pause(self, is_stopping, err))
    elseif group then
      wait(group, 0)
    end
  end
end

-- Runs the work in a task group, or without one if no coroutine can be started.
local function run_in(self, group, stop)
  local works = works_of[self.receiver] or setmetatable({}, { __mode = "k" })
  works_of[self.receiver], works[self] = works, true
  if group then self.groups[group] = 0 end
  return runtime.ensure(function()
    if group then
      self.groups[group] = nil
      group:close()
    end
    if not next(self.groups) then works[self] = nil end
  end, self, work_in, self, group, stop)
end

-- Runs the work outside of the caller's event loop. If the work is endless and has no `stop`, a signal that would end
-- the process ends the work.
local function run_alone(self, stop)
  local function run()
    if self.concurrency == 1 then return run_in(self, nil, stop or never) end
    return task_groups.run(self.receiver.transport or {}, function(own) return run_in(self, own, stop or never) end)
  end
  if stop or not self.forever then return run() end
  local was_interrupted = false
  function stop()
    if not was_interrupted and core.interrupted() then
      was_interrupted = true
      core.hold_interrupt(false) -- a second signal ends the process at once
    end
    return was_interrupted
  end
  core.hold_interrupt(true)
  return runtime.ensure(function() core.hold_interrupt(false) end, nil, run)
end

--- Takes events and runs their handlers until no event is due and all handlers have ended. With `forever` the work
--- runs until `stop` returns true and all handlers have ended. Several coroutines may call this function at once;
--- they share `concurrency`.
---@param stop? fun(): boolean  the option `stop` for this call; default: that of the settings
---@return true|nil ok
---@return waba.Error? err  the inbox can't be read; kind "invalid": the coroutine can't wait
function Work:run(stop)
  stop = stop or self.stop
  local transport = self.receiver.transport or {}
  local group = task_groups.here(transport)
  if group or runtime.is_nginx() then return run_in(self, group, stop or never) end
  local can_wait, message = runtime.can_wait(transport)
  if not can_wait then return nil, errors.new { kind = "invalid", message = message } end
  return run_alone(self, stop)
end

return work
