-- The states of the entries of an outbox. The methods of this file return states, cancel entries, and record statuses
-- of messages. The store has these records:
--   state:<id>     the state of an entry with a result, as JSON
--   status:<id>    the statuses of the entry's message, as JSON
--   message:<id>   the id of an entry; here <id> is the platform's id of the entry's message (On-Premise hosting)
--   count:<state>:<campaign>  the number of entries of the campaign with this state
-- While a message is sent, the lease of its entry has a mark.

local core = require "waba.core"
local entries = require "waba.outbox.entry"
local errors = require "waba.errors"

---@class waba.Outbox
local Outbox = {}

--- Returns the decoded JSON of a record.
function Outbox:read(name)
  local text, err = self.store:get(name)
  if not text then return nil, err end
  return core.decode(text)
end

-- Returns the records `state:<id>` and `status:<id>`; or nil, nil and an error.
local function read_both(self, id)
  local values, err = self.store:get_all { "state:" .. id, "status:" .. id }
  if not values then return nil, nil, err end
  local state, status = values["state:" .. id], values["status:" .. id]
  return state and core.decode(state), status and core.decode(status)
end

--- Returns a `waba.StoreRecord` with a table as JSON. If `is_kept` is true, the record is kept for `keep` seconds.
function Outbox:record(name, value, is_kept)
  return { name = name, value = assert(core.encode(value)), seconds = is_kept and self.keep or nil }
end

--- Returns the records to write for a finished entry. `state` is its `waba.OutboxState`.
function Outbox:final_records(entry, state)
  local keep, records = self.keep, { self:record("state:" .. entry.id, state, true) }
  if entry.key then
    local value = entry.digest .. entry.id
    records[#records + 1] = { name = entries.key(entry), value = value, seconds = keep, of_key = true }
  end
  if entry.campaign then
    records[#records + 1] = { name = ("count:%s:%s"):format(state.state, entry.campaign), add = 1, seconds = keep }
  end
  return records
end

-- The rank of each status. A status changes the state of an entry only to a state with a higher rank. STATES has the
-- state of each rank.
local RANK = { sent = 1, delivered = 2, read = 3, played = 3, failed = 4 }
local STATES = { "sent", "delivered", "read", "failed" }

-- Returns the `waba.OutboxState` of the records `state:<id>` and `status:<id>`.
local function view(state, status)
  local err = status and status.error or state.error
  local seen = {
    id = state.id, state = status and STATES[status.rank] or state.state, to = state.to, number = state.number,
    key = state.key, message_id = state.message_id or status and status.message_id, wa_id = state.wa_id,
    times = state.times, resent = state.resent, error = err and errors.new(err),
  }
  for name, time in pairs(status and status.times or {}) do seen.times[name] = time end
  if status and not status.error then seen.error = nil end
  return seen
end

-- Returns the `waba.OutboxState` of an entry without a result.
local function view_row(row, id)
  local state = entries.state(row.decoded or { id = id }, "waiting")
  if row.is_marked then state.state = "sending" end
  if row.state == "dead" then state.state = "failed" end
  if row.reason then state.error = { kind = "cancelled", message = row.reason } end
  return view(state)
end

local function unknown(id)
  return errors.new { kind = "not_found", message = ("the outbox has no entry with the id %s"):format(tostring(id)) }
end

local function check_text(text, name, what)
  if type(text) ~= "string" then error(("%s: the %s must be a string, not a %s"):format(what, name, type(text)), 3) end
end

--- The state of an entry.
---@class waba.OutboxState
---@field id string
---@field state "waiting"|"sending"|"sent"|"delivered"|"read"|"failed"|"uncertain"|"cancelled"
---@field to string
---@field number string?
---@field key string?
---@field message_id string?  the platform's id of the message, if the id is known
---@field wa_id string?
---@field error waba.Error?   the error of the message; in state "waiting": the error of the last attempt
---@field resent boolean?     true: a sender has sent the message again because of its option `resend`
---@field times table<string, number>  the Unix seconds at which the entry reached each state, by the name of the state;
---        also `stored`, and `at` if the entry was put with `at`

-- Returns the records `state:<id>` and `status:<id>`, the row of an entry without a result, and an error. The row has
-- the field `decoded`, the entry, or `unreadable`, the reason why the entry can't be read. The second attempt finds the
-- state of an entry that a sender has finished, or whose result has become uncertain, during the first attempt.
local function look_up(self, id)
  for _ = 1, 2 do
    local state, status, err = read_both(self, id)
    if state or err then return state, status, nil, err end
    local row
    row, err = self.store:find(id)
    if err then return nil, nil, nil, err end
    if row then row.decoded, row.unreadable = entries.decode(row.body) end
    if row and not (row.decoded and row.decoded.is_uncertain) then return nil, status, row end
  end
end

--- Returns the state of an entry.
---@param id string  the id that `put` has returned
---@return waba.OutboxState|nil
---@return waba.Error? err  kind "not_found": the outbox does not have, or no longer has, an entry with this id
function Outbox:get(id)
  check_text(id, "id", "outbox:get")
  local state, status, row, err = look_up(self, id)
  if state then return view(state, status) end
  if row then return view_row(row, id) end
  return nil, err or unknown(id)
end

--- Returns whether all entries have results; or nil and an error. `ids` is a text with the ids, separated by spaces. An
--- entry that the outbox no longer has, or that is a dead letter, counts as an entry with a result.
function Outbox:are_finished(ids)
  local names = {}
  for id in ids:gmatch "%S+" do names[#names + 1] = "state:" .. id end
  local values, err = self.store:get_all(names)
  if not values then return nil, err end
  for _, name in ipairs(names) do
    local state = values[name] and core.decode(values[name]).state
    if not state or state == "uncertain" or state == "sending" then
      local row, failure = self.store:find((name:gsub("^state:", "")))
      if failure then return nil, failure end
      if row and row.state ~= "dead" then return false end
    end
  end
  return true
end

local function in_state(id, state)
  return errors.invalid("id", ('id: the entry %s is in state "%s": expected a waiting one'):format(id, state))
end

local function is_taken(id)
  return errors.invalid("id", ("id: a sender has taken the entry %s: expected a waiting one"):format(id))
end

--- Cancels an entry that waits.
---@param id string
---@return true|nil ok
---@return waba.Error? err  kind "not_found"; kind "invalid": a sender has taken the entry, or the entry has a result
function Outbox:cancel(id)
  check_text(id, "id", "outbox:cancel")
  local state, _, row, err = look_up(self, id)
  if state then return nil, in_state(id, state.state) end
  if not row then return nil, err or unknown(id) end
  if row.state == "dead" then return nil, in_state(id, "failed") end
  if row.state == "taken" or row.is_marked then return nil, is_taken(id) end
  local entry, reason = row.decoded, row.unreadable
  if not entry then return nil, errors.invalid("id", ("id: the entry %s can't be cancelled: %s"):format(id, reason)) end
  row.records = self:final_records(entry, entries.state(entry, "cancelled"))
  local count, refusal = self.store:drop { row }
  if count ~= 0 then return count and true, refusal end
  state = look_up(self, id) -- the entry was taken; or it was removed, and the reply of the store was lost
  if state and state.state == "cancelled" then return true end
  return nil, is_taken(id)
end

-- Returns whether a status is about another message than the state that is known. An entry has two messages after a
-- sender has sent its message again. The failure of one of them does not change the state of the other one.
local function is_of_other(event, state, status)
  local known = state and state.message_id
  return known and known ~= event.id or status and status.rank > RANK.sent and status.message_id ~= event.id
end

--- Records a status, which proves that the platform has accepted the message. Other statuses have no effect.
---@param event waba.Event
---@return true|nil
---@return waba.Error? err  kind "unavailable"
function Outbox:apply(event)
  if type(event) ~= "table" then error("outbox:apply: the event must be a table, not a " .. type(event), 2) end
  local rank = event.kind == "status" and not event.type and RANK[event.status]
  if not rank then return true end
  local id, err = event.outbox_id, nil
  if not id and event.hosting ~= "cloud" and event.id then id, err = self.store:get("message:" .. event.id) end
  if not id then return err == nil or nil, err end
  local state, status, row, failure = look_up(self, id)
  if failure then return nil, failure end
  if not state and not row or event.status == "failed" and is_of_other(event, state, status) then return true end
  if not status or status.rank < rank then
    status = status or { times = {} }
    status.rank, status.message_id = rank, status.message_id or entries.plain(event.id)
    status.times[STATES[rank]] = event.timestamp or os.time()
    if event.status == "failed" then
      status.error = entries.plain_error(event.errors and event.errors[1])
        or { kind = "api", message = "the platform could not deliver the message, and named no reason" }
    end
    local held, refusal = self.store:settle({}, { self:record("status:" .. id, status, true) })
    if not held then return nil, refusal end
  end
  -- also if the status was recorded by an earlier call, because that call may have failed before `hasten`
  if not state or state.state == "uncertain" then return self.store:hasten(id) end
  return true
end

--- Records every status that this process handles in `receiver:work`. Statuses show which messages were accepted,
--- delivered and read. A sender with the option `receiver` calls this function.
---@param receiver waba.Receiver
function Outbox:watch(receiver)
  if type(receiver) ~= "table" or type(receiver.watch) ~= "function" then
    error("outbox:watch: the argument must be a receiver from waba.receiver", 2)
  end
  if self.watched[receiver] then return end
  self.watched[receiver] = true
  receiver:watch(function(event, is_handled)
    if not is_handled then return end -- the receiver calls this function again when the stored event is handled
    local ok, err = self:apply(event)
    if not ok then error(err, 0) end
  end)
end

local FINAL = { "sent", "failed", "uncertain", "cancelled" } -- the states of finished entries

--- Counts the results of the entries that were put with the same `campaign`. Statuses that arrive after
--- the result are not counted.
---@param name string
---@return { sent: integer, failed: integer, uncertain: integer, cancelled: integer }|nil counts
---@return waba.Error? err
function Outbox:campaign(name)
  check_text(name, "name", "outbox:campaign")
  local counts, names = {}, {}
  for index, state in ipairs(FINAL) do names[index] = ("count:%s:%s"):format(state, name) end
  local values, err = self.store:get_all(names)
  if not values then return nil, err end
  for index, state in ipairs(FINAL) do counts[state] = tonumber(values[names[index]] or 0) end
  return counts
end

return Outbox
