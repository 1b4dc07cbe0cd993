-- Results of the entries that a sender has taken: stores a final result, waits for a status that proves that a message
-- was accepted, or lets the entry be tried again.

local core = require "waba.core"
local coroutines = require "waba.coroutines"
local entries = require "waba.outbox.entry"
local errors = require "waba.errors"
local printable = require "waba.printable"

local results = {}

-- Kinds of errors for which a later retry may succeed, although an immediate retry would fail.
local TEMPORARY = { auth = true, cancelled = true, unavailable = true }

local function state_of(held, name, more)
  local entry, state = held.entry, more or {}
  held.times[name] = os.time()
  state.id, state.state, state.to, state.number, state.key = entry.id, name, entry.to, entry.number, entry.key
  state.times, state.resent = held.times, entry.resent
  return state
end

--- Returns the record with the state of an entry; `name` is the state.
function results.state_record(self, held, name, more)
  return self.outbox:record("state:" .. held.entry.id, state_of(held, name, more))
end

--- Returns an entry's result in the form that inbox/work expects; `change` is stored together with other results.
function results.end_with(held, change, sent, err)
  change.lease, held.change = held, change
  return sent ~= nil, err
end

local function report(self, entry, sent, err)
  local ok, raised = coroutines.protect(self.on_result, entry, sent, err)
  if not ok then io.stderr:write("waba: on_result failed: ", printable.text(raised), "\n") end
end

-- Sets the final result of an entry. Returns the result.
local function finish(self, held, state, sent, err)
  local records = self.outbox:final_records(held.entry, state)
  if sent and sent.id and not held.is_traced then
    records[#records + 1] = { name = "message:" .. sent.id, value = held.entry.id, seconds = self.outbox.keep }
  end
  local name = sent and "sent" or err.maybe_sent and "uncertain" or "failed"
  self.counts[name] = self.counts[name] + 1
  if self.on_result then
    function held.after() report(self, held.entry, sent, err) end
  end
  return results.end_with(held, { done = "always", records = records }, sent, err)
end

--- Sets the final state "sent".
function results.finish_sent(self, held, sent)
  return finish(self, held, state_of(held, "sent", { message_id = sent.id, wa_id = sent.wa_id }), sent)
end

--- Sets the final state "failed" or "uncertain", which is `name`.
function results.finish_as(self, held, name, err)
  return finish(self, held, state_of(held, name, { error = entries.plain_error(err) }), nil, err)
end

--- Lets the entry wait for a status that proves that its message was accepted. If the hosting has no statuses with the
--- id of the entry, the result is final.
function results.await_status(self, held, err)
  local entry = held.entry
  if not held.is_traced then return results.finish_as(self, held, "uncertain", err) end
  entry.is_uncertain = true
  local record = results.state_record(self, held, "uncertain", { error = entries.plain_error(err), traced = true })
  function held.after() -- the status may have come before the state was stored
    if self.outbox:read("status:" .. entry.id) then self.outbox.store:hasten(entry.id) end
  end
  local change = { later = self.settle, body = entries.encode(entry, held.body), records = { record } }
  return results.end_with(held, change, nil, err)
end

-- Returns the seconds until the next attempt.
local function delay_of(self, attempts, err)
  local retry = self.outbox.retry
  local delay = math.min(retry.max, retry.base * 2 ^ math.min(attempts - 1, 40)) * (0.5 + core.random() / 2)
  return math.max(delay, err.retry_after or 0)
end

--- Returns the record with the state that the entry had before its message was sent again.
function results.records_before(held)
  return held.before and { { name = "state:" .. held.entry.id, value = core.encode(held.before) } } or nil
end

--- Stores that the message was certainly not sent: the entry is tried again later, or has failed.
function results.put_back(self, held, err)
  local attempts = held.attempts
  local is_refused_key = err.status == 401 -- the kind is "network" if the response was incomplete
  local is_temporary = err.retryable or TEMPORARY[err.kind] or is_refused_key or err.path == "number"
  if not is_temporary or attempts >= self.outbox.retry.attempts then
    if held.before then return results.finish_as(self, held, "uncertain", errors.new(held.before.error)) end
    if held.was_marked or held.entry.is_uncertain then -- the message may have been sent before
      local copy = entries.plain_error(err)
      copy.maybe_sent = true
      return results.finish_as(self, held, "uncertain", errors.new(copy))
    end
    return results.finish_as(self, held, "failed", err)
  end
  local change = {
    delay = delay_of(self, attempts, err), reason = tostring(err), records = results.records_before(held),
  }
  return results.end_with(held, change, nil, err)
end

return results
