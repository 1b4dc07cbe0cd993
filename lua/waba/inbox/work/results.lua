-- Stores the results of handlers in the inbox, and reports failures.

local core = require "waba.core"
local coroutines = require "waba.coroutines"
local errors = require "waba.errors"
local printable = require "waba.printable"

local clock = core.clock

local results = {}

--- The seconds within which a quick handler ends. An event that waits longer than MOMENT for a free handler is returned
--- to the inbox.
results.MOMENT = 0.05
--- The seconds until the next attempt after the store has refused an acknowledgement or the renewal of a lease.
results.AGAIN = 0.25
local REPORT = 1 -- the longest time between a failure and its report, in seconds

--- Reports an error that is not returned to the caller.
function results.report(self, text)
  if self.log then self.log(text) else io.stderr:write("waba: ", printable.text(text), "\n") end
end

-- Reports a handler that ran for longer than a lease without a wait. No other coroutine could renew the lease
-- meanwhile.
local function report_blocked(self, late)
  if late <= self.lease * 2 / 3 then return end
  local text = "a handler blocked the process for more than %.3g s, longer than its lease of %g s (option lease): "
    .. "another process may have handled its event too"
  results.report(self, text:format(late, self.lease))
end

--- Stores the result of an event's handlers. `ok` is nil if the sender has counted the result. `left` is set if no
--- handler has run, because the event is due only after `left` seconds.
function results.finish(self, entry, ok, raised, left)
  local running = self.running
  if not running[entry] then return end -- `reap_dead` has stored another result
  local now, group, active, look_at = clock(), entry.group, self.active - 1
  running[entry], self.active = nil, active
  if group then group.running = group.running - 1 end
  if entry.release then entry.release() end
  if now > entry.renew_at then report_blocked(self, now - entry.renew_at) end
  if ok then self.handled = self.handled + 1 end
  if self.is_sender then
    if ok == false then self.failed, self.raised = self.failed + 1, raised end
    local finished = self.finished
    local count = #finished + 1
    finished[count] = entry
    -- the first result waits for others; if no other is expected, all results are stored now
    if active == 0 then self.look_at = now elseif count == 1 then self.look_at = now + self.patience end
    return
  end
  if active == 0 and not self.queue[1] then self.was_quick = now - self.taken_at < results.MOMENT end
  if left then
    look_at = now + left
  elseif ok then
    self.finished[#self.finished + 1], look_at = entry.event, now + self.patience
  else
    -- after an uncertain result the handler is not called again, because the handler could send its message twice
    local is_uncertain = errors.is_error(raised) and (raised.maybe_sent or raised.is_final)
    if self.failed == self.reported.failed then self.report_at = clock() + REPORT end
    self.failed, self.raised = self.failed + 1, raised
    local delay = self.inbox:fail(entry.event, coroutines.text_of(raised), is_uncertain)
    look_at = clock() + (delay or 0)
  end
  if look_at < self.look_at then self.look_at = look_at end
end

-- Adds the entries of an outbox whose change has a function `after` to the list for `call_after`.
local function note_stored(self, done)
  if not self.is_sender then return end
  for index = 1, #done do
    local change = done[index].change
    if change and change.after then self.stored[#self.stored + 1] = done[index] end
  end
end

function results.are_refused_long(self)
  return self.refused_since ~= nil and clock() - self.refused_since > self.lease
end

--- Acknowledges the finished events. If the store has refused acknowledgements for longer than a lease, the
--- acknowledgements are dropped when the work ends or the store returns events. The handlers of unacknowledged events
--- run again.
function results.settle(self)
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
  if results.are_refused_long(self) and (self.is_ending or self.taken_at > self.refused_since) then
    self.refused_since = nil
    return
  end
  for _, event in ipairs(self.finished) do done[#done + 1] = event end
  self.finished, self.settle_at = done, now + results.AGAIN
end

--- Returns whether one call of the inbox may acknowledge, store and take events. The result is false if a program has
--- replaced the method `ack`, `take` or `put` of the inbox.
function results.can_exchange(self)
  local inbox = self.inbox
  return inbox.exchange and not rawget(inbox, "ack") and not rawget(inbox, "take") and not rawget(inbox, "put")
    and clock() >= self.settle_at
end

--- Calls `call(self, done, ...)`, which acknowledges the finished events `done`. Returns the results of the function.
function results.acknowledge_with(self, call, ...)
  local done = self.finished
  self.finished = {}
  local result, second, third = call(self, done, ...)
  if result then
    self.refused_since = nil
    note_stored(self, done)
    return result, second, third
  end
  for _, event in ipairs(self.finished) do done[#done + 1] = event end
  self.finished = done
  return nil, second
end

local function finish_event(self, event)
  local group = event.group
  coroutines.pcall(event.change.after, self.receiver, event)
  if not group then return end
  self.active, group.running = self.active - 1, group.running - 1
  self:notify()
end

--- Calls the functions `after` of the entries in `self.stored`.
function results.call_after(self, group)
  local list = self.stored
  self.stored = {}
  for _, event in ipairs(list) do
    event.group = group
    if group then
      self.active, group.running = self.active + 1, group.running + 1
      group:run(finish_event, self, event)
    else
      finish_event(self, event)
    end
  end
end

--- Reports failed handlers after all taken events are handled, or REPORT seconds after the first failure.
function results.report_failed(self)
  local reported = self.reported
  if not self.log or self.failed == reported.failed then return end
  if (self.active > 0 or #self.queue > 0) and clock() < self.report_at then return end
  local handled, failed = self.handled - reported.handled, self.failed - reported.failed
  local text = type(self.raised) == "string" and self.raised or coroutines.text_of(self.raised)
  self.log(("%d of %d events failed, the last one: %s"):format(failed, handled + failed, text))
  self.reported = { handled = self.handled, failed = self.failed }
end

return results
