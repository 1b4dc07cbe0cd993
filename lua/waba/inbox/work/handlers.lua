-- Starts the handlers of taken events, each in a coroutine of its own if the event loop has coroutines.

local core = require "waba.core"
local leases = require "waba.inbox.work.leases"
local results = require "waba.inbox.work.results"
local runtime = require "waba.runtime"

local clock = core.clock

local handlers = {}

-- Seconds between two searches for coroutines that the event loop has ended.
local REAP = 0.1
-- Seconds for which handlers may run one after the other without a wait before other coroutines run.
local SLICE = 0.02

--- Searches for handlers whose coroutine the event loop has ended, and records them as failed.
function handlers.reap_dead(self)
  local now = clock()
  if now < self.reap_at then return end
  for entry in pairs(self.running) do
    if entry.thread and runtime.is_dead(entry.thread) then
      results.finish(self, entry, false, "the coroutine of the handlers was ended")
      return handlers.reap_dead(self)
    end
  end
  self.reap_at = now + REAP
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
    results.finish(self, entry, nil, nil, left)
  else
    results.finish(self, entry, false, left)
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
  results.finish(self, entry, ok, raised)
end

local function handle_and_notify(self, entry)
  handle(self, entry)
  local joins_others = self.inbox.settles_all and self.active > 0 and #self.finished > 1 and #self.queue == 0
  if not joins_others then self:notify() end
end

-- Starts the handlers of the next queued event. Returns false if another process has taken the event.
local function begin(self, group)
  local entry = table.remove(self.queue, 1)
  if not leases.renew(self, entry, clock()) then return false end
  self.running[entry], self.active, self.begun_at = true, self.active + 1, clock()
  if group then
    entry.group, self.groups[group] = group, self.groups[group] + 1
    group:run(handle_and_notify, self, entry)
    return true
  end
  runtime.with_periodic(function()
    pcall(leases.tend, self)
    return leases.seconds_to_tend(self, clock())
  end, handle, self, entry)
  results.settle(self)
  return true
end

--- Takes events and starts as many handlers as may run now. Returns whether a handler was started; nil and the error if
--- the inbox can't be read.
function handlers.fill(self, group, stop)
  local has_begun, started = false, clock()
  while self.active < self.concurrency and not stop() and not (has_begun and clock() - started > SLICE) do
    if #self.queue == 0 then
      results.report_failed(self)
      local found, err = leases.take(self)
      if found == nil then return nil, err end
      if not found then break end
    elseif begin(self, group) then
      has_begun = true
    end
  end
  return has_begun
end

return handlers
