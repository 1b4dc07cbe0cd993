-- An outbox over a store (store/contract.lua). outbox/states.lua describes the records of the store.

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
  hosting = '"on_premise"|"cloud"',  -- the hosting whose rules check each message in `put`; default: the environment
                                     -- variable WABA_HOSTING, else "on_premise"
  keep = { "number>0", 7 * 86400 },  -- the seconds for which states and keys are kept after an entry is finished
  retry = "waba.OutboxRetry",        -- attempts and pauses for a message that was certainly not sent
}

--- How often, and after which pauses, a sender tries to send a message. The sender tries again only if the message was
--- certainly not sent. The cause of the failure must also be temporary: the gateway or the network was not available,
--- or the API key was refused. The pause doubles after each failure. A random part of up to half is subtracted from
--- each pause.
---@options waba.OutboxRetry
local RETRY = {
  attempts = { "integer>=1", 16 },   -- the number of attempts after which an entry has failed
  base = { "number>=0", 1 },         -- the pause before the second attempt, in seconds
  max = { "number>=0", 300 },        -- the longest pause in seconds
}

local SPARE = 8 -- the number of leases beyond `retry.attempts` after which an entry becomes a dead letter
-- The seconds for which the store keeps the key of an entry that is not finished. The key never expires in practice.
local UNTIL_FINISHED = 1e10

local function at_index(err, index)
  err.index = index
  return err
end

local function conflict(key)
  local text = "key %s was put before with another message: put the same message, or use another key"
  return errors.invalid("key", text:format(key))
end

-- Checks a list of entries. Returns a list of `waba.StoreEntry`; or nil and an error, whose field `index` is the index
-- of the invalid entry.
local function read_all(self, list)
  local stored, digests = {}, {}
  for index, options in ipairs(list) do
    local entry, err = entries.read(options, self.hosting)
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

-- Stores all entries of a list or none. Returns the ids of the entries.
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

-- Returns a copy of a list of entries. Raises an error if the list has a hole, because `ipairs` would end at the hole.
local function copy_of(entry)
  local list, count = {}, 0
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

--- Stores a message, or all messages of a list. If one message is invalid, no message is stored.
---@param entry waba.OutboxEntry|waba.OutboxEntry[]
---@return string|string[]|nil id  the id of the entry, or a list of ids. If the key is recorded, the id of the first
---        entry with the key
---@return waba.Error? err  kind "invalid": the message is invalid, or its key was used for another message; kind
---        "unavailable": the store can't be reached, or is full. `index` is the index of the message in a list
function Outbox:put(entry)
  if type(entry) ~= "table" then error("outbox:put: an entry must be a table, not a " .. type(entry), 2) end
  local is_list = entry[1] ~= nil or type(next(entry)) ~= "string"
  local ids, err = put_all(self, is_list and copy_of(entry) or { entry })
  if is_list then return ids, err end
  if err then err.index = nil end
  return ids and ids[1], err
end

--- A filter for dead letters. A filter without fields selects all dead letters.
---@options waba.OutboxFilter
local FILTER = {
  id = "string",                     -- selects the dead letter with this id
  reason = "string",                 -- selects dead letters whose reason contains this text
  before = "number",                 -- Unix seconds: selects entries that became dead letters before this time
}

--- A dead letter: an entry that can't be read, or that was taken too often.
---@class waba.OutboxDeadLetter
---@field id string            the id of the dead letter
---@field entry table?         the entry's `id`, `to`, `number` and `key`; nil: the entry can't be read
---@field attempts integer
---@field reason string?
---@field at number            Unix seconds at which the entry became a dead letter

--- Lists dead letters, the oldest first.
---@param filter? waba.OutboxFilter
---@param n? integer  the largest number of dead letters; default: 100
---@return waba.OutboxDeadLetter[]|nil
---@return waba.Error? err
function Outbox:dead_letters(filter, n)
  filters.check(filter, FILTER, "outbox:dead_letters")
  local list, err = filters.list(self.store, filter, n, true)
  for index, row in ipairs(list or {}) do
    list[index] = {
      id = row.id, entry = entries.decode(row.body), attempts = row.attempts, reason = row.reason, at = row.at,
    }
  end
  return list, err
end

--- Returns dead letters to the queue, so that their messages are sent.
---@param filter? waba.OutboxFilter
---@return integer|nil count  the number of returned dead letters
---@return waba.Error? err
function Outbox:retry_dead(filter)
  filters.check(filter, FILTER, "outbox:retry_dead")
  return filters.apply(self.store, "revive", true, filter)
end

--- Removes dead letters. The state of a removed entry becomes "failed", and its message is never sent.
---@param filter? waba.OutboxFilter
---@return integer|nil count  the number of removed dead letters
---@return waba.Error? err
function Outbox:drop_dead(filter)
  filters.check(filter, FILTER, "outbox:drop_dead")
  return filters.apply(self.store, "drop", true, filter, function(page)
    local records = {}
    for _, row in ipairs(page) do
      local entry = entries.decode(row.body)
      local state = entry and entries.state(entry, "failed")
      if state then state.error = { kind = "cancelled", message = row.reason } end
      for _, record in ipairs(state and self:final_records(entry, state) or {}) do records[#records + 1] = record end
    end
    local ok, err = self.store:settle({}, records)
    return ok and true, err
  end)
end

--- Returns the number of entries that wait or are being sent.
---@return integer|nil
---@return waba.Error? err
function Outbox:depth() return self.store:depth() end

--- Returns the Unix time at which the oldest entry was stored; nil if the outbox is empty.
---@return number|nil
---@return waba.Error? err
function Outbox:oldest() return self.store:oldest() end

--- Releases the resources of the outbox. A second call of `close` has no effect.
function Outbox:close() self.store:close() end

--- Checks the options of an outbox. Returns the settings of the outbox and of its store. `known` is the table that
--- declares the options. `what` is the public function that makes the outbox, such as "waba.outbox.sqlite".
function outbox.settings(options, known, what)
  local settings, variable = option.complete(options, known, what, 3), os.getenv "WABA_HOSTING"
  settings.hosting = settings.hosting or variable ~= "" and variable or "on_premise"
  if not hostings.NAMES[settings.hosting] then
    error(('%s: hosting must be "on_premise" or "cloud", not %s'):format(what, settings.hosting), 3)
  end
  settings.retry = option.complete(settings.retry, RETRY, what .. ": retry", 3)
  settings.attempts, settings.lanes = settings.retry.attempts + SPARE, entries.LANES
  settings.remember, settings.title, settings.name = UNTIL_FINISHED, "the outbox", what
  return settings
end

--- Makes an outbox over a store. `settings` is the result of `outbox.settings`.
---@return waba.Outbox
function outbox.new(store, settings)
  return setmetatable({
    store = store, durable = store.durable, hosting = settings.hosting, keep = settings.keep, retry = settings.retry,
    senders = setmetatable({}, { __mode = "k" }), watched = setmetatable({}, { __mode = "k" }),
  }, Outbox)
end

return outbox
