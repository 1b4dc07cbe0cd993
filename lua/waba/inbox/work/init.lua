-- Runs the handlers of a receiver until no event is due: takes events from the inbox (leases.lua), starts a coroutine
-- for each event (handlers.lua) and stores acknowledgements (results.lua). Outside of an event loop no coroutine can be
-- started: the handlers run one after the other, and leases are renewed while a handler sleeps or waits for the gateway.

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
---@field puts integer    the number of calls of `put` that also took events, so that `wake` is unnecessary
---@field concurrency integer
---@field batch integer
---@field lease number
---@field active integer  running handlers
local Work = {}
Work.__index = Work
Work.__name = "waba.Work"
Work.put = leases.put

local work = {}

--- The options for running the handlers of a receiver.
---@options waba.WorkOptions
work.OPTIONS = {
  concurrency = { "integer>=1", 1 }, -- the largest number of handlers that run at once. If `concurrency` is above 1,
                                     -- the handlers run in the event loop of the caller, or else in a new one
                                     -- (`waba.run`)
  batch = { "integer>=1", 16 },      -- the largest number of events that are taken at once, each of a different
                                     -- customer. While handlers are slow, no more events are taken than there are free
                                     -- handlers
  lease = { "number>0", 60 },        -- seconds after which another worker may take an event whose lease was not renewed
  forever = { "boolean", false },    -- true: waits for further events when none is due, and reports on standard error
                                     -- when the inbox cannot be read
  interval = { "number>=0", 0.25 },  -- seconds between two checks of an empty inbox, with `forever`
  stop = "fun(): boolean",           -- called before each event; true ends the work. Without this function, and outside
                                     -- of an event loop, a call with `forever` returns after SIGTERM, SIGINT or SIGHUP;
                                     -- a second signal ends the process
  on_more = "fun()",                 -- called when further events are due, to wake another worker
}

local function never() return false end

---@class waba.WorkSettings : waba.WorkOptions
---@field log? fun(text: string)  called with errors that are not returned to the caller

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
    is_ending = false,              -- no further events are taken
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

--- Lets the coroutines that called `run` continue.
function Work:notify()
  for group in pairs(self.groups) do group:wake() end
end

--- Lets the coroutines that called `run` take events now.
function Work:wake()
  self.look_at = 0
  self:notify()
end

-- Reports that the inbox can't be read; a second report follows only after the inbox could be read again.
local function report_unreadable(self, err)
  if err and not self.is_unreadable then
    results.report(self, ("%s can't be read, trying again: %s"):format(self.inbox.title or "the inbox", tostring(err)))
  end
  self.is_unreadable = err ~= nil
end

-- Returns the seconds to wait when no handler can start.
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

-- Waits, while other coroutines of the event loop run.
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
    results.call_after(self, group)
    if self.forever then report_unreadable(self, err) end
    local is_idle = not has_begun and (group and self.groups[group] or self.active) == 0 and #self.finished == 0
    results.report_failed(self)
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
  local works = leases.works_of[self.receiver] or setmetatable({}, { __mode = "k" })
  leases.works_of[self.receiver], works[self] = works, true
  if group then self.groups[group] = 0 end
  return coroutines.always(function()
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
  return coroutines.always(function() core.hold_interrupt(false) end, nil, run)
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
