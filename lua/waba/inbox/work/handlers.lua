-- Starts the handlers of taken events. In an event loop, the handlers of each event run in a coroutine.

local core = require "waba.core"
local coroutines = require "waba.coroutines"
local leases = require "waba.inbox.work.leases"
local results = require "waba.inbox.work.results"
local runtime = require "waba.runtime"

local clock = core.clock

local handlers = {}

local REAP = 0.1 -- the seconds between two searches for coroutines that the event loop has ended
local SLICE = 0.02 -- the seconds for which handlers run before other coroutines of the event loop run

--- Finds coroutines that the event loop has ended, and records that their handlers have failed.
function handlers.reap_dead(self)
  local now = clock()
  if now < self.reap_at then return end
  for entry in pairs(self.running) do
    if entry.thread and coroutines.is_dead(entry.thread) then
      results.finish(self, entry, false, "the coroutine of the handlers was ended")
      return handlers.reap_dead(self)
    end
  end
  self.reap_at = now + REAP
end

local function notify_watchers(receiver, event)
  for _, fn in ipairs(receiver.watchers) do
    for _, one in ipairs(event.messages or { event }) do fn(one, true) end
  end
end

-- Joins a message with the later messages of the same customer. Returns false if the handlers must not run now.
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

-- Reads the records about the customers of an event and of all queued events in one call of the store.
local function read_ahead(self, entry)
  local entries, count = { entry }, #self.queue
  for index = count, 1, -1 do entries[count + 2 - index] = self.queue[index] end
  for index = 1, #entries do entries[index].is_read = true end
  coroutines.pcall(self.receiver.read_ahead, entries) -- after an error, each session reads the records itself
end

local function handle(self, entry)
  local receiver = self.receiver
  entry.thread = coroutine.running()
  if self.is_sender then return results.finish(self, entry, receiver.dispatch(entry)) end
  if receiver.read_ahead and not entry.is_read then read_ahead(self, entry) end
  if receiver.gather and not gather(self, entry, receiver.gather) then return end
  local event = entry.event
  local ok, raised = true, nil
  if receiver.watchers then ok, raised = coroutines.pcall(notify_watchers, receiver, event) end
  if ok then ok, raised = receiver.dispatch(event, self.inbox:attempts(event), receiver.prepare, entry) end
  results.finish(self, entry, ok, raised)
end

-- Moves the next entry from the queue to `running`. Returns nil if another process may have taken the event.
local function begin(self, group, now)
  local queue = self.queue
  local count = #queue
  local entry = queue[count]
  queue[count] = nil
  if now >= entry.renew_at and not leases.renew(self, entry, now) then return nil end
  self.running[entry], self.active, self.begun_at = true, self.active + 1, now
  if group then entry.group, group.running = group, group.running + 1 end
  return entry
end

local function handle_in_turn(self, entry)
  local group, started = entry.group, self.begun_at
  while entry do
    handle(self, entry)
    local joins_others = self.is_sender and self.active > 0 and not self.queue[1] and #self.finished > 1
    if not joins_others then self:notify() end
    entry = nil
    while not entry and self.queue[1] and self.active < self.concurrency do
      local now = clock()
      if now - started > SLICE or group.stop() then return end
      entry = begin(self, group, now)
    end
  end
end

local function handle_alone(self, entry)
  runtime.with_periodic(function()
    pcall(leases.tend, self)
    return leases.seconds_to_tend(self, clock())
  end, handle, self, entry)
end

--- Takes events, and starts up to `concurrency` handlers. Returns whether a handler was started; or nil and an error.
function handlers.fill(self, group, stop)
  local has_begun, now, concurrency = false, clock(), self.concurrency
  local started = now
  while self.active < concurrency and not stop() and not (has_begun and now - started > SLICE) do
    if not self.queue[1] then
      results.report_failed(self)
      local found, err = leases.take(self)
      if found == nil then return nil, err end
      if not found then break end
      now = clock()
    else
      local entry = begin(self, group, now)
      if entry then
        has_begun = true
        if group then group:run(handle_in_turn, self, entry) else handle_alone(self, entry) end
      end
      -- the coroutines of a sender soon wait for the gateway, so a sender needs no exact time here
      if not (group and self.is_sender) then now = clock() end
    end
  end
  return has_begun
end

return handlers
