-- The states of the entries of an outbox: reports them, cancels entries, and records statuses of their messages. The
-- store has these records:
--   state:<id>     the state of an entry that has a result, as JSON
--   status:<id>    the statuses of the entry's message as JSON
--   message:<id>   on On-Premise hosting: the id of the entry whose message has this id
--   count:<state>:<campaign>  the number of entries that were put with the campaign and have this result
-- While the message of an entry is being sent, the lease of the entry has a mark.

local core = require "waba.core"
local entries = require "waba.outbox.entry"
local errors = require "waba.errors"

---@class waba.Outbox
local Outbox = {}

--- Reads a record; used by other modules of the outbox and of the sender.
---@param name string
---@return table|nil
---@return waba.Error? err
function Outbox:read(name)
  local text, err = self.store:get(name)
  if not text then return nil, err end
  return core.decode(text)
end

-- Returns the stored state of an entry, combined with the statuses of its message. Returns nil and an error if the
-- store can't be read.
local function read_both(self, id)
  local values, err = self.store:get_all { "state:" .. id, "status:" .. id }
  if not values then return nil, nil, err end
  local state, status = values["state:" .. id], values["status:" .. id]
  return state and core.decode(state), status and core.decode(status)
end

--- Returns a record whose value is a table as JSON.
---@param name string
---@param value table
---@param is_kept? boolean  true: the record is kept for `keep` seconds; otherwise the record is kept until another
---        record replaces it
---@return waba.StoreRecord
function Outbox:record(name, value, is_kept)
  return { name = name, value = assert(core.encode(value)), seconds = is_kept and self.keep or nil }
end

--- Returns the records to write for a finished entry.
---@param entry table
---@param state table  the public form of the state, with the field `state`
---@return waba.StoreRecord[]
function Outbox:final_records(entry, state)
  local records = { self:record("state:" .. entry.id, state, true) }
  if entry.key then
    records[2] = { name = entries.key(entry), value = entry.digest .. entry.id, seconds = self.keep, of_key = true }
  end
  if entry.campaign then
    records[#records + 1] = { name = ("count:%s:%s"):format(state.state, entry.campaign), add = 1, seconds = self.keep }
  end
  return records
end

-- The rank of each state: a status replaces only a state of lower rank.
local RANK = { sent = 1, delivered = 2, read = 3, played = 3, failed = 4 }
local STATES = { "sent", "delivered", "read", "failed" }

-- Converts a row of the store to the public form of an entry.
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

-- Returns the public form of an entry that has not been sent.
local function view_row(row)
  local entry = entries.decode(row.body) or { id = "?" }
  local state = {
    id = entry.id, to = entry.to, number = entry.number, key = entry.key, state = "waiting",
    times = { stored = entry.stored, at = entry.at },
  }
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

--- The public form of an entry's state.
---@class waba.OutboxState
---@field id string
---@field state "waiting"|"sending"|"sent"|"delivered"|"read"|"failed"|"uncertain"|"cancelled"
---@field to string
---@field number string?
---@field key string?
---@field message_id string?  the message id of the platform, when it is known
---@field wa_id string?
---@field error waba.Error?   the error of the state "failed" or "uncertain"; in state "waiting" the error of the last
---        attempt
---@field resent boolean?     true: a sender has sent the message again because of its option `resend`
---@field times table<string, number>  the Unix seconds at which the entry reached each state, by the name of the state;
---        also `stored`, and `at` if the entry has a scheduled time

--- Returns the state of an entry.
---@param id string  the id that `put` has returned
---@return waba.OutboxState|nil
---@return waba.Error? err  kind "not_found": the outbox has no entry with this id, or has removed it
function Outbox:get(id)
  check_text(id, "id", "outbox:get")
  for attempt = 1, 2 do
    local state, status, err = read_both(self, id)
    if err then return nil, err end
    if state then return view(state, status) end
    local row
    row, err = self.store:find(id)
    if err then return nil, err end
    if row then return view_row(row) end
    if attempt == 2 then return nil, unknown(id) end -- a sender may have finished the entry between the two calls
  end
end

local function in_state(id, state)
  return errors.invalid("id", ('id: the entry %s is in state "%s": expected a waiting one'):format(id, state))
end

local function in_flight(id)
  return errors.invalid("id", ("id: the entry %s is in flight or was sent: expected a waiting one"):format(id))
end

--- Cancels an entry that waits.
---@param id string
---@return true|nil ok
---@return waba.Error? err  kind "not_found"; kind "invalid": the message is being sent, was sent or
---        has failed, or the entry is cancelled
function Outbox:cancel(id)
  check_text(id, "id", "outbox:cancel")
  local state, err = self:read("state:" .. id)
  if err then return nil, err end
  if state then return nil, in_state(id, state.state) end
  local row
  row, err = self.store:find(id)
  if not row then return nil, err or unknown(id) end
  local entry = row.state == "waiting" and not row.is_marked and entries.decode(row.body)
  if not entry then return nil, in_flight(id) end
  row.records = self:final_records(entry, {
    id = id, state = "cancelled", to = entry.to, number = entry.number, key = entry.key,
    times = { stored = entry.stored, at = entry.at, cancelled = os.time() },
  })
  local count
  count, err = self.store:drop { row }
  if not count then return nil, err end
  if count == 0 then return nil, in_flight(id) end
  return true
end

-- Returns the id of the entry that a status belongs to.
local function entry_of(self, event)
  if event.outbox_id or event.hosting == "cloud" or not event.id then return event.outbox_id end
  return self.store:get("message:" .. event.id)
end

--- Records a status event, which proves that the platform has accepted the message. A status of a message that is not
--- in the outbox has no effect.
---@param event waba.Event
---@return true|nil
---@return waba.Error? err  kind "unavailable"
function Outbox:apply(event)
  if type(event) ~= "table" then error("outbox:apply: the event must be a table, not a " .. type(event), 2) end
  local rank = event.kind == "status" and not event.type and RANK[event.status]
  if not rank then return true end
  local id, err = entry_of(self, event)
  if not id then return err == nil or nil, err end
  local state, status, row
  state, status, err = read_both(self, id)
  if err then return nil, err end
  if not state then
    row, err = self.store:find(id) -- the message is being sent
    if not row then return err == nil or nil, err end
  end
  if status and status.rank >= rank then return true end
  local is_first = status == nil
  status = status or { times = {} }
  status.rank, status.message_id = rank, status.message_id or event.id
  status.times[STATES[rank]] = event.timestamp or os.time()
  if event.status == "failed" then
    status.error = entries.plain_error(event.errors and event.errors[1])
      or { kind = "api", message = "the platform could not deliver the message, and named no reason" }
  end
  local held
  held, err = self.store:settle({}, { self:record("status:" .. id, status, true) })
  if not held then return nil, err end
  if is_first and (not state or state.state == "uncertain") then return self.store:hasten(id) end
  return true
end

--- Records every status that this process handles (`receiver:work`). Statuses show which messages were accepted,
--- delivered and read. A sender with the option `receiver` calls this function.
---@param receiver waba.Receiver
function Outbox:watch(receiver)
  if type(receiver) ~= "table" or type(receiver.watch) ~= "function" then
    error("outbox:watch: the argument must be a receiver from waba.receiver", 2)
  end
  if self.watched[receiver] then return end
  self.watched[receiver] = true
  receiver:watch(function(event, is_handled)
    if not is_handled then return end -- only stored; the function is called again when the event is handled
    local ok, err = self:apply(event)
    if not ok then error(err, 0) end
  end)
end

-- The states of finished entries.
local FINAL = { "sent", "failed", "uncertain", "cancelled" }

--- Counts the results of the entries that were put with the same `campaign`. A result is counted when it is reported;
--- later statuses do not change the counts.
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
