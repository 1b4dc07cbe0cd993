-- Makes the change of the store for the result of an entry: the entry is finished, waits for a status, or waits for a
-- retry.

local core = require "waba.core"
local coroutines = require "waba.coroutines"
local entries = require "waba.outbox.entry"
local errors = require "waba.errors"
local printable = require "waba.printable"

local results = {}

-- The kinds of errors after which the sender tries again later to send the message.
local TEMPORARY = { auth = true, cancelled = true, unavailable = true }

-- Returns the `waba.OutboxState` of an entry that reaches the state `name` now.
local function state_of(held, name)
  local times = held.times or entries.times(held.entry)
  times.sending = held.sending or times.sending
  return entries.state(held.entry, name, times)
end

--- Returns the record `state:<id>` of an entry that is not finished and reaches the state `name` now.
function results.state_record(self, held, name, err)
  local state = state_of(held, name)
  state.error, state.traced = entries.plain_error(err), held.is_traced or nil
  return self.outbox:record("state:" .. state.id, state)
end

--- Sets the change that stores the result of an entry. Returns the same results as the function `dispatch`.
function results.end_with(held, change, sent, err)
  held.change = change
  return sent ~= nil, err
end

local function call_on_result(self, held)
  local change = held.change
  local ok, raised = coroutines.protect(self.on_result, held.entry, change.sent, change.err)
  if not ok then io.stderr:write("waba: on_result failed: ", printable.text(raised), "\n") end
end

-- Returns the records for an entry that is finished in the state `name`.
local function records_of(self, held, name, sent, err)
  local state, id = state_of(held, name), sent and sent.id
  if sent then
    state.message_id, state.wa_id = entries.plain(id), entries.plain(sent.wa_id)
  else
    state.error = entries.plain_error(err)
  end
  return self.outbox:final_records(held.entry, state)
end

--- Finishes an entry in the state "sent" if `sent` is set, else in the state `name`, "failed" or "uncertain".
function results.finish(self, held, sent, name, err)
  local id, keep, counts = held.entry.id, self.outbox.keep, self.counts
  local text = sent and held.is_plain and not held.times and entries.sent_text(held.entry, held.sending, sent)
  local records = text and { { name = "state:" .. id, value = text, seconds = keep }, nil } -- `nil` reserves memory
    or records_of(self, held, name or "sent", sent, err)
  if sent then
    counts.sent = counts.sent + 1
    if sent.id and not held.is_traced then
      records[#records + 1] = { name = "message:" .. sent.id, value = id, seconds = keep }
    end
  else
    name = err.maybe_sent and "uncertain" or "failed"
    counts[name] = counts[name] + 1
  end
  local change = { lease = held.lease, done = "always", records = records, lost = false } -- `lost` is set by the store
  if self.on_result then change.after, change.sent, change.err = call_on_result, sent, err end
  held.change = change
  return sent ~= nil, err
end

-- Makes an entry due if a status of its message came before its state was stored.
local function look_for_status(self, held)
  local id = held.entry.id
  if self.outbox:read("status:" .. id) then self.outbox.store:hasten(id) end
end

--- Lets an entry wait for a status of its message. Finishes the entry if statuses can't contain the id of the entry.
function results.await_status(self, held, err)
  local entry = held.entry
  if not held.is_traced then return results.finish(self, held, nil, "uncertain", err) end
  entry.is_uncertain = true
  local record = results.state_record(self, held, "uncertain", err)
  local change = {
    lease = held.lease, later = self.settle, body = entries.encode(entry, held.body), records = { record },
    after = look_for_status,
  }
  return results.end_with(held, change, nil, err)
end

--- Returns a list with one record, the state of the entry before its message was sent again; or nil.
function results.records_before(held)
  return held.before and { { name = "state:" .. held.entry.id, value = core.encode(held.before) } } or nil
end

--- Schedules another attempt for an entry whose message was certainly not sent, or finishes the entry.
function results.put_back(self, held, err)
  local attempts, retry = held.lease.attempts, self.outbox.retry
  local is_refused_key = err.status == 401 -- an error about an incomplete response has the kind "network", not "auth"
  local is_temporary = err.retryable or TEMPORARY[err.kind] or is_refused_key or err.path == "number"
  -- A rate limiter of the client has refused the message. With a slow rate this happens often, so it is not an attempt.
  local is_refused_here = (err.scope == "key" or err.scope == "pair") and not err.status
  if not is_temporary or attempts >= retry.attempts and not is_refused_here then
    if held.before then return results.finish(self, held, nil, "uncertain", errors.new(held.before.error)) end
    if held.lease.was_marked or held.entry.is_uncertain then -- an earlier attempt may have sent the message
      local copy = entries.plain_error(err)
      copy.maybe_sent = true
      return results.finish(self, held, nil, "uncertain", errors.new(copy))
    end
    return results.finish(self, held, nil, "failed", err)
  end
  local delay = math.min(retry.max, retry.base * 2 ^ math.min(attempts - 1, 40)) * (0.5 + core.random() / 2)
  delay = math.max(delay, err.retry_after or 0)
  local change = {
    lease = held.lease, delay = delay, release = is_refused_here or nil, reason = tostring(err),
    records = results.records_before(held),
  }
  return results.end_with(held, change, nil, err)
end

return results
