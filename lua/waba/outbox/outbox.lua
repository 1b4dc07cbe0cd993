-- The outbox over a store (waba/store/contract.lua). An entry waits in the store until a sender (waba/sender) takes it.
-- The store has the entries that wait or are being sent, and these records:
--   state:<id>     the state of an entry that has a result, as JSON
--   status:<id>    the statuses of the entry's message as JSON
--   message:<id>   on On-Premise hosting: the id of the entry whose message has this id
-- While the message of an entry is being sent, the lease of the entry has a mark.

local core = require "waba.core"
local entries = require "waba.outbox.entry"
local errors = require "waba.errors"
local hostings = require "waba.hosting"
local option = require "waba.option"
local filters = require "waba.store.filter"

---@class waba.Outbox
local Outbox = {}
Outbox.__index = Outbox
Outbox.__name = "waba.Outbox"

local outbox = {}

--- The options that every outbox has.
---@options waba.OutboxOptions
outbox.OPTIONS = {
  hosting = '"on_premise"|"cloud"',  -- the hosting whose rules check a message when it is put; default: the
                                     -- environment variable WABA_HOSTING, else "on_premise"
  keep = { "number>0", 7 * 86400 },  -- seconds for which finished entries and their keys are remembered
  retry = "waba.OutboxRetry",        -- attempts and pauses for a message that was certainly not sent
}

--- How many times, and after which pauses, the sender tries to send a message. It tries again only if the message was
--- certainly not sent, and if the gateway or the network was not available or the API key was refused. The pause doubles
--- after each failure and is then shortened by a random part of up to half.
---@options waba.OutboxRetry
local RETRY = {
  attempts = { "integer>=1", 16 },   -- attempts, including the first one, before an entry has failed
  base = { "number>=0", 1 },         -- seconds: the pause before the second attempt
  max = { "number>=0", 300 },        -- seconds: the longest pause
}

-- The store allows this number of attempts beyond `retry.attempts`, because a sender's process may end after it has
-- taken an entry.
local SPARE = 8
-- Seconds for which a key is remembered while its entry is not finished.
local UNTIL_FINISHED = 1e10

-- Putting -----------------------------------------------------------------------------------------

local function at_index(err, index)
  err.index = index
  return err
end

local function conflict(key)
  local text = "key %s was put before with another message: put the same message, or use another key"
  return errors.invalid("key", text:format(key))
end

-- Checks all entries of a list. Returns the entries in the form that the store takes, or nil and an error with `index`.
local function read_all(self, list)
  local stored, digests = {}, {}
  for index, options in ipairs(list) do
    local entry, err = entries.read(options, self.hosting, list.what)
    if entry then stored[index], err = entries.for_store(entry, err) end
    local one = stored[index]
    if one and one.key then
      local digest = one.value:sub(1, entries.DIGEST)
      if digests[one.key] and digests[one.key] ~= digest then err = conflict(entry.key) end
      digests[one.key] = digest
    end
    if err then return nil, at_index(err, index) end
  end
  return stored
end

-- Stores all entries of a list, or none. Returns their ids.
local function put_all(self, list)
  local stored, err = read_all(self, list)
  if not stored then return nil, err end
  if #stored == 0 then return {} end
  local count, position = self.store:put(stored)
  if count == nil then return nil, position end
  if not count then return nil, at_index(conflict(list[position].key), position) end
  local ids = {}
  for index, one in ipairs(stored) do ids[index] = one.known and one.known:sub(entries.DIGEST + 1) or one.id end
  for sender in pairs(self.senders) do sender:wake() end
  return ids
end

--- Stores a message to be sent, or a list of messages: either all of them or none. After this function has returned,
--- the messages are stored as durably as the backend allows. If one message is invalid, nothing is stored.
---@param entry waba.OutboxEntry|waba.OutboxEntry[]
---@return string|string[]|nil id  the id of the entry; a list of ids for a list of messages. If the key is known: the
---        id of the first entry with this key
---@return waba.Error? err  kind "invalid": the message is invalid, or its key was used for another message; kind
---        "unavailable": the store cannot store it. For a list of messages `index` is the position of the refused
---        message
function Outbox:put(entry)
  if type(entry) ~= "table" then error("outbox:put: an entry must be a table, not a " .. type(entry), 2) end
  if entry[1] ~= nil or next(entry) == nil then
    local list = { what = "outbox:put" }
    for index, one in ipairs(entry) do list[index] = one end
    return put_all(self, list)
  end
  local ids, err = put_all(self, { entry, what = "outbox:put" })
  if ids then return ids[1] end
  err.index = nil
  return nil, err
end

-- States ------------------------------------------------------------------------------------------

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

local function check_id(id, what)
  if type(id) ~= "string" then error(("%s: the id must be a string, not a %s"):format(what, type(id)), 3) end
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
---@param id string  of `put`
---@return waba.OutboxState|nil
---@return waba.Error? err  kind "not_found": the outbox has no entry with this id, or has removed it
function Outbox:get(id)
  check_id(id, "outbox:get")
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

local function in_flight(id)
  return errors.invalid("id", ("id: the entry %s is in flight or was sent: expected a waiting one"):format(id))
end

--- Cancels an entry that waits.
---@param id string
---@return true|nil ok
---@return waba.Error? err  kind "not_found"; kind "invalid": the message is being sent, or was sent
function Outbox:cancel(id)
  check_id(id, "outbox:cancel")
  local state, err = self:read("state:" .. id)
  if err then return nil, err end
  if state then return nil, in_flight(id) end
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

-- Statuses ----------------------------------------------------------------------------------------

-- Returns the id of the entry that a status belongs to.
local function entry_of(self, event)
  if event.outbox_id or event.hosting == "cloud" or not event.id then return event.outbox_id end
  return self.store:get("message:" .. event.id)
end

--- Records a status event, which proves that the platform has accepted the message. Statuses of messages that are
--- not in the outbox have no effect.
---@param event waba.Event
---@return true|nil
---@return waba.Error? err  kind "unavailable"
function Outbox:apply(event)
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
      or { kind = "api", message = "the platform could not deliver the message" }
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
  if self.watched[receiver] then return end
  self.watched[receiver] = true
  receiver:watch(function(event, is_handled)
    if not is_handled then return end -- the event is only stored now; this function is called again when it is handled
    local ok, err = self:apply(event)
    if not ok then error(err, 0) end
  end)
end

-- Dead letters ------------------------------------------------------------------------------------

--- A filter for dead letters. A filter without fields selects all dead letters.
---@class waba.OutboxFilter
---@field id string?          of the dead letter
---@field reason string?      a text that the reason must contain
---@field before number?      Unix seconds: only entries that became dead letters before this time

local function dead(filter)
  local copy = { dead = true }
  for name, value in pairs(filter or {}) do copy[name] = value end
  return copy
end

--- A dead letter: an entry that can't be read, or that was taken too often.
---@class waba.OutboxDeadLetter
---@field id string            of the dead letter
---@field entry table?         the entry's `id`, `to`, `number` and `key`; nil if the entry can't be read
---@field attempts integer
---@field reason string?
---@field at number            Unix seconds at which the entry became a dead letter

--- Lists dead letters, oldest first.
---@param filter? waba.OutboxFilter
---@param n? integer  the maximum number; default: 100
---@return waba.OutboxDeadLetter[]|nil
---@return waba.Error? err
function Outbox:dead_letters(filter, n)
  local list, err = filters.list(self.store, dead(filter), n)
  for index, row in ipairs(list or {}) do
    list[index] = {
      id = row.id, entry = entries.decode(row.body), attempts = row.attempts, reason = row.reason, at = row.at,
    }
  end
  return list, err
end

--- Returns dead letters to the queue, so that their messages are sent.
---@param filter? waba.OutboxFilter
---@return integer|nil count
---@return waba.Error? err
function Outbox:retry_dead(filter)
  return filters.apply(self.store, "revive", true, filter)
end

--- Removes dead letters: their entries have failed, and their messages are never sent.
---@param filter? waba.OutboxFilter
---@return integer|nil count
---@return waba.Error? err
function Outbox:drop_dead(filter)
  return filters.apply(self.store, "drop", true, filter, function(page)
    local records = {}
    for _, row in ipairs(page) do
      local entry = entries.decode(row.body)
      local state = entry and {
        id = entry.id, state = "failed", to = entry.to, number = entry.number, key = entry.key,
        times = { stored = entry.stored, failed = os.time() }, error = { kind = "cancelled", message = row.reason },
      }
      for _, record in ipairs(entry and self:final_records(entry, state) or {}) do records[#records + 1] = record end
    end
    local ok, err = self.store:settle({}, records)
    return ok and true, err
  end)
end

-- The rest ----------------------------------------------------------------------------------------

-- The states of finished entries.
local FINAL = { "sent", "failed", "uncertain", "cancelled" }

--- Counts the results of the entries that were put with the same `campaign`. A result is counted when it is reported;
--- later statuses do not change the counts.
---@param name string
---@return { sent: integer, failed: integer, uncertain: integer, cancelled: integer }|nil counts
---@return waba.Error? err
function Outbox:campaign(name)
  local counts, names = {}, {}
  for index, state in ipairs(FINAL) do names[index] = ("count:%s:%s"):format(state, name) end
  local values, err = self.store:get_all(names)
  if not values then return nil, err end
  for index, state in ipairs(FINAL) do counts[state] = tonumber(values[names[index]] or 0) end
  return counts
end

--- Returns the number of entries that wait or are being sent.
---@return integer|nil
---@return waba.Error? err
function Outbox:depth()
  return self.store:depth()
end

--- Returns the Unix time at which the oldest entry was stored; nil when the outbox is empty.
---@return number|nil
---@return waba.Error? err
function Outbox:oldest()
  return self.store:oldest()
end

--- Releases the resources of the outbox. Harmless when repeated.
function Outbox:close()
  self.store:close()
end

local function hosting_of(settings, what)
  local variable = os.getenv "WABA_HOSTING"
  local name = settings.hosting or variable ~= "" and variable or "on_premise"
  if not hostings.NAMES[name] then
    error(('%s: hosting must be "on_premise" or "cloud", not %s'):format(what, name), 4)
  end
  return name
end

--- Checks the options of an outbox, and adds the defaults that every store needs.
---@param options table|nil
---@param known table  the declaration of the options, which includes `outbox.OPTIONS`
---@param what string  "waba.outbox.sqlite"
---@return table settings  a copy
function outbox.settings(options, known, what)
  local settings = option.complete(options, known, what, 3)
  settings.hosting = hosting_of(settings, what)
  settings.retry = option.complete(settings.retry, RETRY, what .. ": retry", 3)
  settings.attempts, settings.lanes = settings.retry.attempts + SPARE, entries.LANES
  settings.remember, settings.title, settings.name = UNTIL_FINISHED, "the outbox", what
  return settings
end

--- Makes an outbox over a store.
---@param store waba.Store
---@param settings table  of `outbox.settings`
---@return waba.Outbox
function outbox.new(store, settings)
  return setmetatable({
    store = store, durable = store.durable, hosting = settings.hosting, keep = settings.keep, retry = settings.retry,
    senders = setmetatable({}, { __mode = "k" }), watched = setmetatable({}, { __mode = "k" }),
  }, Outbox)
end

return outbox
