-- The outbox over a store (waba/store/contract.lua). An entry waits in the store until a sender (waba/sender) takes it.
-- The store has the entries that wait or are being sent, and the records of states.lua.

local entries = require "waba.outbox.entry"
local errors = require "waba.errors"
local filters = require "waba.store.filter"
local hostings = require "waba.hosting"
local option = require "waba.option"
local states = require "waba.outbox.states"

---@class waba.Outbox
local Outbox = {}
Outbox.__index = Outbox
Outbox.__name = "waba.Outbox"
for name, method in pairs(states) do Outbox[name] = method end

local outbox = {}

--- The options that every outbox has.
---@options waba.OutboxOptions
outbox.OPTIONS = {
  hosting = '"on_premise"|"cloud"',  -- the hosting whose rules check a message when it is put; default: the
                                     -- environment variable WABA_HOSTING, else "on_premise"
  keep = { "number>0", 7 * 86400 },  -- seconds for which finished entries and their keys are remembered
  retry = "waba.OutboxRetry",        -- attempts and pauses for a message that was certainly not sent
}

--- How many times, and after which pauses, the sender tries to send a message. The sender tries again only if the
--- message was certainly not sent, and if the gateway or the network was not available or the API key was refused. The
--- pause doubles after each failure and is then shortened by a random part of up to half.
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

-- Returns a copy of a list of entries. Raises an error for a list with a hole, because the entries behind the hole
-- would not be stored.
local function copy_of(entry)
  local list, count = { what = "outbox:put" }, 0
  for _ in pairs(entry) do count = count + 1 end
  for index = 1, count do
    if entry[index] == nil then
      local text = "outbox:put: entry %d of the list is missing: expected a list without holes and other fields"
      error(text:format(index), 3)
    end
    if type(entry[index]) ~= "table" then
      error(("outbox:put: entry %d of the list must be a table, not a %s"):format(index, type(entry[index])), 3)
    end
    list[index] = entry[index]
  end
  return list
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
  if entry[1] ~= nil or type(next(entry)) ~= "string" then
    local ids, err = put_all(self, copy_of(entry)) -- a tail call would hide the line of the caller
    return ids, err
  end
  local ids, err = put_all(self, { entry, what = "outbox:put" })
  if ids then return ids[1] end
  err.index = nil
  return nil, err
end

-- Dead letters ------------------------------------------------------------------------------------

--- A filter for dead letters. A filter without fields selects all dead letters.
---@options waba.OutboxFilter
local FILTER = {
  id = "string",                     -- the id of the dead letter
  reason = "string",                 -- a text that the reason must contain
  before = "number",                 -- Unix seconds: only entries that became dead letters before this time
}

local function dead(filter)
  local copy = { dead = true }
  for name, value in pairs(filter or {}) do copy[name] = value end
  return copy
end

--- A dead letter: an entry that can't be read, or that was taken too often.
---@class waba.OutboxDeadLetter
---@field id string            the id of the dead letter
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
  filters.check(filter, FILTER, "outbox:dead_letters")
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
  filters.check(filter, FILTER, "outbox:retry_dead")
  return filters.apply(self.store, "revive", true, filter)
end

--- Removes dead letters: their entries have failed, and their messages are never sent.
---@param filter? waba.OutboxFilter
---@return integer|nil count
---@return waba.Error? err
function Outbox:drop_dead(filter)
  filters.check(filter, FILTER, "outbox:drop_dead")
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

--- Releases the resources of the outbox. Further calls have no effect.
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
---@param settings table  the result of `outbox.settings`
---@return waba.Outbox
function outbox.new(store, settings)
  return setmetatable({
    store = store, durable = store.durable, hosting = settings.hosting, keep = settings.keep, retry = settings.retry,
    senders = setmetatable({}, { __mode = "k" }), watched = setmetatable({}, { __mode = "k" }),
  }, Outbox)
end

return outbox
