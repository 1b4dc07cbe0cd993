-- Runs the handlers of a receiver or the sends of a sender: takes events from the inbox (inbox/work/leases.lua), starts
-- handlers (inbox/work/handlers.lua) and stores their results (inbox/work/results.lua). Outside of an event loop,
-- handlers run one after the other, and leases are renewed while a handler sleeps or waits for the gateway.

local core = require "waba.core"
local coroutines = require "waba.coroutines"
local errors = require "waba.errors"
local handlers = require "waba.inbox.work.handlers"
local leases = require "waba.inbox.work.leases"
local results = require "waba.inbox.work.results"
local runtime = require "waba.runtime"
local task_groups = require "waba.transport.loop.task_group"

local clock, huge, max, min = core.clock, math.huge, math.max, math.min

---@class waba.Work
local Work = {}
Work.__index = Work
Work.__name = "waba.Work"
Work.put = leases.put

local work = {}

--- The options for running the handlers of a receiver.
---@options waba.WorkOptions
work.OPTIONS = {
  concurrency = { "integer>=1", 1 }, -- the largest number of handlers that run at the same time. Outside of an event
                                     -- loop, a number above 1 starts an event loop, as `waba.run` does
  batch = { "integer>=1", 64 },      -- the largest number of events that are taken in one call of the inbox, each of a
                                     -- different customer. If handlers are slow, at most one event for each free
                                     -- handler is taken
  lease = { "number>0", 60 },        -- after this many seconds without a renewal, another worker may take the event
  forever = { "boolean", false },    -- true: waits for events when none is due, and writes to standard error when the
                                     -- inbox can't be read
  interval = { "number>=0", 0.25 },  -- with `forever`: the seconds between two checks of an empty inbox
  stop = "fun(): boolean",           -- called before each event; the result true ends the work. With `forever`, without
                                     -- `stop` and outside of an event loop, the work ends after SIGTERM, SIGINT or
                                     -- SIGHUP; a second signal ends the process
  on_more = "fun()",                 -- called when more events are due than were taken; may wake another worker
}

local function never() return false end

--- `settings` is a `waba.WorkOptions`. The function `settings.log` is called with errors that `run` does not return.
---@return waba.Work
function work.new(receiver, settings)
  return setmetatable({
    receiver = receiver, inbox = receiver.inbox, concurrency = settings.concurrency, batch = settings.batch,
    lease = settings.lease, forever = settings.forever, interval = settings.interval, stop = settings.stop,
    on_more = settings.on_more, log = settings.log,
    is_sender = receiver.inbox.is_sender or false, -- true: the events are entries of an outbox, which have the fields
                                       -- of an entry of `queue`, and their results are changes for the store
    queue = {},                        -- the entries of taken events that wait until their handlers start. The last
                                       -- entry is the next one
    running = {}, active = 0,          -- the set of entries whose handlers run, and the size of the set
    renew_at = huge, reap_at = 0,      -- the times of the next renewal of a lease and of the next `reap_dead`
    is_ending = false,                 -- true: no further events are taken
    finished = {}, settle_at = 0,      -- the events to acknowledge, and the earliest time of an acknowledgement
    stored = {},                       -- stored entries whose changes have a function `after` to be called
    took = 0, taken_at = 0,            -- the number of events in the last take, and the time of the last take
    ahead = 0,                         -- the number of events to take in addition to one for each free handler
    was_quick = false,                 -- true: the handlers of the last take ended within MOMENT
    puts = 0,                          -- the number of calls of `put` that have also taken events
    look_at = 0,                       -- the time of the next take
    patience = 0,                      -- the seconds for which an acknowledgement may wait for a `put`
    groups = {},                       -- the set of the task groups of `run`. `run_in` sets two fields of a group:
                                       -- `running`, the number of running handlers, and `stop`
    handled = 0, failed = 0, raised = nil,
    reported = { handled = 0, failed = 0 }, report_at = 0,
  }, Work)
end

function Work:notify()
  for group in pairs(self.groups) do group:wake() end
end

--- Lets the coroutines that have called `run` take events without waiting longer.
function Work:wake()
  self.look_at = 0
  self:notify()
end

-- Returns the seconds to wait if no handler can be started.
local function pause(self, is_stopping, err)
  local left = leases.seconds_to_tend(self, clock())
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

-- Returns the queued events to the inbox if no other call of `run` can handle the events.
local function leave(self, group)
  for other in pairs(self.groups) do
    if other ~= group then return end
  end
  leases.release_queued(self)
end

local function work_in(self, group, stop)
  while true do
    local is_stopping, has_begun, err = stop(), false, nil
    leases.tend(self, not is_stopping and #self.queue == 0 and self.active < self.concurrency)
    handlers.reap_dead(self)
    if is_stopping then
      leave(self, group)
    else
      has_begun, err = handlers.fill(self, group, stop)
      is_stopping = err ~= nil and not self.forever
    end
    self.is_ending = is_stopping
    if self.stored[1] then results.call_after(self, group) end
    if self.forever and err and not self.is_unreadable then -- reports only the first of several consecutive errors
      local title = self.inbox.title or "the inbox"
      results.report(self, ("%s can't be read, trying again: %s"):format(title, tostring(err)))
    end
    self.is_unreadable = err ~= nil
    local is_idle = not has_begun and (group and group.running or self.active) == 0 and #self.finished == 0
    results.report_failed(self)
    if is_idle and (is_stopping or not self.forever) then return err == nil or nil, err end
    local can_begin = has_begun and self.active < self.concurrency
    local left = can_begin and 0 or pause(self, is_stopping, err)
    if group then group:wait(left) elseif left > 0 then runtime.sleep(left) end
  end
end

local function run_in(self, group, stop)
  local works = leases.works_of[self.receiver] or setmetatable({}, { __mode = "k" })
  leases.works_of[self.receiver], works[self] = works, true
  if group then self.groups[group], group.running, group.stop = true, 0, stop end
  return coroutines.always(function()
    if group then
      self.groups[group] = nil
      group:close()
    end
    if not next(self.groups) then works[self] = nil end
  end, self, work_in, self, group, stop)
end

-- Runs the work for a caller outside of event loops. If the work has `forever` and no `stop`, a signal ends the work.
local function run_alone(self, stop)
  local function run()
    if self.concurrency == 1 then return run_in(self, nil, stop or never) end
    return task_groups.run(self.receiver.transport or {}, function(own) return run_in(self, own, stop or never) end)
  end
  if stop or not self.forever then return run() end
  local was_interrupted = false
  function stop()
    was_interrupted = was_interrupted or core.interrupted()
    return was_interrupted
  end
  core.hold_interrupt(true)
  return coroutines.always(function() core.hold_interrupt(false) end, nil, run)
end

--- Takes events and runs their handlers until no event is due and all handlers have ended. With `forever`, runs until
--- `stop` returns true and all handlers have ended. Several coroutines that call `run` share `concurrency`.
---@param stop? fun(): boolean  default: the option `stop`
---@return true|nil ok
---@return waba.Error? err  the inbox can't be read; kind "invalid": the caller can't wait
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
