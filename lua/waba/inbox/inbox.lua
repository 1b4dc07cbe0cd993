-- An inbox over a store (store/contract.lua). inbox/contract.lua describes the methods.

local core = require "waba.core"
local errors = require "waba.errors"
local filters = require "waba.store.filter"
local gather = require "waba.inbox.gather"
local keys = require "waba.inbox.keys"
local leased = require "waba.inbox.leased"
local option = require "waba.option"
local record = require "waba.inbox.record"
local window = require "waba.inbox.window"

local LEASE = 60

--- The attempts to handle an event. The pause doubles after each failure. A random part of up to half is subtracted
--- from each pause.
---@options waba.InboxRetry
local RETRY = {
  attempts = { "integer>=1", 8 },        -- the number of attempts after which an event becomes a dead letter
  base = { "number>=0", 1 },             -- the pause before the second attempt, in seconds
  max = { "number>=0", 300 },            -- the longest pause in seconds
}

--- A filter for events. A filter without fields selects all events that wait or are taken.
---@options waba.InboxFilter
local FILTER = {
  dead = "boolean",                      -- true: selects dead letters; false, the default: selects events that wait or
                                         -- are taken
  id = "string",                         -- selects the row with this id
  reason = "string",                     -- selects rows whose reason contains this text
  before = "number",                     -- Unix seconds: selects events that were stored, or became dead letters,
                                         -- before this time
}

-- In this file, `{ nil }` makes a list that usually gets one element, because LuaJIT enlarges the list `{}` at once.

---@class waba.Inbox
local Inbox = {}
Inbox.__index = Inbox
Inbox.__name = "waba.Inbox"

local function lease_lost()
  return errors.new { kind = "timeout", message = "the lease of this event expired: another worker may have taken it" }
end

local function lease_of(self, event)
  return self.leases[event] or error("the event was not taken from this inbox: expected an event from inbox:take", 3)
end

local function count(self, name, number) self.counts[name] = self.counts[name] + number end

local function settle(self, change)
  local held, err = self.store:settle { change }
  if not held then return nil, err end
  if change.lost then return nil, lease_lost() end
  return true
end

local function entry_of(self, event, source)
  local lane, names = keys.conversation(event, self.separate_statuses)
  return {
    key = keys.identity(event), lane = lane, names = names[1] and names,
    body = self.durable and record.encode(event, source) or event,
  }
end

-- Returns the events of several leases. Events that can't be read become dead letters.
local function events_of(self, leases)
  local taken, unreadable = { nil }, nil
  if leases.died then count(self, "dead", leases.died) end
  for _, one in ipairs(leases) do
    local event, reason = leased.event(self, one)
    if event then
      one.body = nil
      taken[#taken + 1], self.leases[event] = event, one
      window.see(self, event)
    else
      unreadable = unreadable or {}
      unreadable[#unreadable + 1] = { lease = one, dead = true, reason = reason }
    end
  end
  if unreadable and self.store:settle(unreadable) then count(self, "dead", #unreadable) end
  return taken
end

-- Takes events. If none of the taken events can be read, takes other events.
local function take(self, n, lease, changes)
  while true do
    local leases, due = self.store:take(n, lease or LEASE, changes)
    if not leases then return nil, due end
    local events = events_of(self, leases)
    if #events > 0 or #leases == 0 then return events, due end
    changes = nil
  end
end

function Inbox:take(n, lease)
  local events, err = take(self, n or 1, lease)
  return events, not events and err or nil
end

-- Returns the `waba.StoreChange` that acknowledges an event. A change with records needs a valid lease: after the lease
-- has expired, another worker may take the event and write other records.
local function ending_of(self, event, is_done)
  local records, lease = self.records[event], lease_of(self, event)
  local is_always = is_done and not records and not lease.following
  return { lease = lease, done = is_always and "always" or "held", following = lease.following, records = records }
end

-- Returns the changes that acknowledge events, and the number of the events and of those that are joined with them.
local function changes_of(self, list, is_done)
  local changes, number = { nil }, #list
  for index, event in ipairs(list) do
    local change = ending_of(self, event, is_done)
    changes[index], number = change, number + (change.following and #change.following or 0)
  end
  return changes, number
end

-- Stores an event again under another key. A second call with the same key stores nothing.
function Inbox:_put_again(event, key)
  local entry = entry_of(self, event)
  entry.key = key
  return self.store:put { entry }
end

function Inbox:attach(event, records) self.records[event] = records end

function Inbox:gather(event, seconds)
  local lease = lease_of(self, event)
  local function read(body) return leased.restore(self, body) end
  local last, left = gather.join(self.store, lease, event, read, seconds)
  if last then
    self.leases[last] = lease
    return last
  end
  if type(left) == "number" then settle(self, { lease = lease, release = true, delay = left }) end
  return nil, left
end

function Inbox:put(events, sources, taking)
  local entries = { nil }
  for index, event in ipairs(events) do entries[index] = entry_of(self, event, sources and sources[index]) end
  if self.durable and sources then leased.keep(self, events, entries) end
  local changes, number
  if taking then changes, number = changes_of(self, taking.done, true) end
  local stored, leases, due = self.store:put(entries, window.records(self, events, entries), taking and {
    n = taking.n, seconds = taking.lease or LEASE, changes = changes,
  })
  if not stored then return nil, leases end
  count(self, "stored", stored)
  count(self, "duplicate", #events - stored)
  if not taking then return stored end
  count(self, "handled", number)
  return stored, events_of(self, leases), due
end

function Inbox:exchange(done, n, lease)
  local changes, number = changes_of(self, done, true)
  local events, due = take(self, n, lease, changes)
  if events then count(self, "handled", number) end
  return events, due
end

function Inbox:attempts(event)
  local lease = self.leases[event]
  return lease and lease.attempts or 0
end

--- Returns the values of the records that `take` has read for an event, by name; nil if it has read none. A value is
--- false if its record does not exist.
function Inbox:_known(event)
  local lease = self.leases[event]
  return lease and lease.known
end

function Inbox:extend(event, seconds)
  return settle(self, { lease = lease_of(self, event), extend = seconds or LEASE })
end

function Inbox:ack(event, is_done)
  local list = event
  if type(event[1]) ~= "table" then list = next(event) ~= nil and { event } or {} end
  local changes, number = changes_of(self, list, is_done)
  local held, err = self.store:settle(changes)
  if not held then return nil, err end
  count(self, "handled", (is_done or held == #list) and number or held)
  if held < #list then return nil, lease_lost() end
  return true
end

function Inbox:fail(event, reason, is_final)
  local lease, retry = lease_of(self, event), self.retry
  local attempts = lease.attempts
  local is_dead = is_final or attempts >= retry.attempts
  local delay = math.min(retry.max, retry.base * 2 ^ math.min(attempts - 1, 40)) * (0.5 + core.random() / 2)
  delay = not is_dead and delay or nil
  local ok, err = settle(self, {
    lease = lease, delay = delay, dead = is_dead, following = is_dead and lease.following or nil,
    reason = tostring(reason or "no reason was given"),
  })
  if not ok then return nil, err end
  count(self, "failed", 1)
  if is_dead then count(self, "dead", 1 + (lease.following and #lease.following or 0)) end
  return delay or false
end

function Inbox:release(event)
  return settle(self, { lease = lease_of(self, event), release = true })
end

function Inbox:stats()
  local stats = {}
  for name, number in pairs(self.counts) do stats[name] = number end
  stats.depth = self.store:depth()
  local oldest = self.store:oldest()
  stats.oldest = oldest and math.max(0, os.time() - oldest)
  return stats
end

function Inbox:list(filter, n)
  filters.check(filter, FILTER, "inbox:list")
  local list, err = filters.list(self.store, filter, n)
  for _, row in ipairs(list or {}) do row.event = (leased.restore(self, row.body)) end
  return list, err
end

function Inbox:retry_dead(filter)
  filters.check(filter, FILTER, "inbox:retry_dead")
  return filters.apply(self.store, "revive", true, filter)
end

function Inbox:drop(filter)
  if filter == nil then
    error("inbox:drop: the filter is missing: expected a table, which is empty to remove all waiting events", 2)
  end
  filters.check(filter, FILTER, "inbox:drop")
  return filters.apply(self.store, "drop", filter.dead or false, filter)
end

function Inbox:set_aside(n)
  local list, err = self:list({ dead = true }, n)
  for index, row in ipairs(list or {}) do
    list[index] = { event = row.event, attempts = row.attempts, reason = row.reason, at = row.at }
  end
  return list, err
end

function Inbox:revive() return self:retry_dead() end

for _, name in ipairs { "get", "depth", "next_due", "oldest", "close" } do
  Inbox[name] = function(self, ...) return self.store[name](self.store, ...) end
end

local inbox = {}

--- The options that every inbox has.
---@options waba.InboxOptions
inbox.OPTIONS = {
  retry = "waba.InboxRetry",             -- when the handlers of a failed event are called again
  remember = { "number>0", 7 * 86400 },  -- the seconds for which duplicates are recognised. The gateway repeats a
                                         -- webhook for 1 day on On-Premise hosting, and for 7 days on Cloud hosting
}

--- Checks the options of an inbox. Returns the settings of the inbox and of its store. `known` has the type and the
--- default of each option. `what` is the name of the public function in error texts, such as "waba.inbox.sqlite".
function inbox.settings(options, known, what)
  local settings = option.complete(options, known, what, 3)
  settings.retry = option.complete(settings.retry, RETRY, what .. ": retry", 3)
  settings.attempts, settings.lanes, settings.beside = settings.retry.attempts, keys.LANES, keys.BESIDE
  settings.title, settings.name = "the inbox", what
  return settings
end

--- Makes an inbox over a store. `settings` is the result of `inbox.settings`.
---@return waba.Inbox
function inbox.new(store, settings)
  return setmetatable({
    store = store, durable = store.durable, grouped = store.grouped, retry = settings.retry,
    counts = { stored = 0, duplicate = 0, handled = 0, failed = 0, dead = 0 },
    recent = {}, recent_size = 0, -- the events of the latest calls of `put` with `sources`, by body
    leases = setmetatable({}, { __mode = "k" }), records = setmetatable({}, { __mode = "k" }),
  }, Inbox)
end

return inbox
