-- Folds the statuses of each message into one truth, in whatever order and however often they come:
-- sent < delivered < read < played, and failed is final. `waba.status_tracker` is this.

local canonical = require "waba.canonical"
local options = require "waba.options"

-- What stands above what. Words that are not here (`warning`) never change the status.
local RANK = { sending = 1, sent = 2, delivered = 3, read = 4, played = 5, deleted = 6, failed = 7 }

---@class waba.StatusTracker
local Tracker = {}
Tracker.__index = Tracker
Tracker.__name = "waba.StatusTracker"

--- What is known of one message.
---@class waba.MessageState
---@field id string
---@field status string?         the highest so far
---@field recipient string?
---@field timestamps table<string, integer|false>  of each word that came, its earliest; false: without one
---@field errors waba.Error[]?   why it failed, or what it was warned of
---@field conversation table?
---@field pricing table?

-- Whether one report of a fact stands before another: the higher status first, then the earlier one.
-- Reports that differ in nothing but the fact are told apart by it, so that order never matters.
local function stands_before(report, other)
  if report.rank ~= other.rank then return report.rank > other.rank end
  if report.timestamp ~= other.timestamp then return report.timestamp < other.timestamp end
  return canonical.text(report.value) < canonical.text(other.value)
end

local FACTS = { "recipient", "errors", "conversation", "pricing" }

-- Takes a fact over when its report stands before the one that is known. The end of a conversation
-- comes with `sent` alone, so a conversation that has it stands before one that has not.
local function learn(entry, name, event, rank)
  local value = event[name]
  if value == nil then return false end
  if name == "conversation" then rank = type(value) == "table" and value.expiration_timestamp and 100 or rank end
  local report = { rank = rank, timestamp = event.timestamp or math.huge, value = value }
  local known = entry.reports[name]
  if known and not stands_before(report, known) then return false end
  entry.reports[name], entry.state[name] = report, value
  return true
end

-- Keeps the earliest time of a word.
local function learn_time(state, word, timestamp)
  local known = state.timestamps[word]
  if known == nil or timestamp and (known == false or timestamp < known) then
    state.timestamps[word] = timestamp or false
    return true
  end
  return false
end

-- Makes room by forgetting what was heard of first.
local function forget_oldest(tracker)
  while tracker.count > tracker.max do
    local id = tracker.order[tracker.first]
    if id then tracker:forget(id) end
    tracker.first = tracker.first + 1
  end
end

local function entry_of(tracker, id)
  local entry = tracker.entries[id]
  if entry then return entry end
  tracker.last, tracker.count = tracker.last + 1, tracker.count + 1
  entry = { state = { id = id, timestamps = {} }, reports = {}, position = tracker.last }
  tracker.entries[id], tracker.order[tracker.last] = entry, id
  forget_oldest(tracker)
  return entry
end

-- A payment has words of its own: its failure is not the message's.
local function is_of_message(event)
  return event.kind == "status" and event.id and event.status and not event.type
end

--- Takes one status event in.
---@param event waba.Event
---@return waba.MessageState|nil state  of its message; nil for an event that is no status of a message
---@return boolean changed              whether its status rose: false for what was known or comes too late
function Tracker:apply(event)
  if not is_of_message(event) then return nil, false end
  local entry = entry_of(self, event.id)
  local state, rank = entry.state, RANK[event.status] or 0
  learn_time(state, event.status, event.timestamp)
  for _, name in ipairs(FACTS) do learn(entry, name, event, rank) end
  for _, fn in ipairs(self.watchers or {}) do fn(event) end
  if rank <= (RANK[state.status] or 0) then return state, false end
  state.status = event.status
  return state, true
end

--- Has a function called with each status event that is applied.
---@param fn fun(event: waba.Event)
function Tracker:watch(fn)
  self.watchers = self.watchers or {}
  self.watchers[#self.watchers + 1] = fn
end

--- What is known of a message.
---@param id string
---@return waba.MessageState|nil
function Tracker:get(id)
  local entry = self.entries[id]
  return entry and entry.state
end

--- The status of a message.
---@param id string
---@return string|nil
function Tracker:status(id)
  local entry = self.entries[id]
  return entry and entry.state.status
end

--- Drops what is known of a message.
---@param id string
function Tracker:forget(id)
  local entry = self.entries[id]
  if not entry then return end
  self.entries[id], self.order[entry.position] = nil, nil
  self.count = self.count - 1
end

local status_tracker = {}

--- The options of `waba.status_tracker`.
---@options waba.TrackerOptions
local OPTIONS = {
  max = { "integer>=1", 100000 }, -- messages to remember, the newest
}

--- A tracker of message statuses.
---@param given? waba.TrackerOptions
---@return waba.StatusTracker
function status_tracker.new(given)
  given = options.complete(given, OPTIONS, "waba.status_tracker")
  return setmetatable({ entries = {}, order = {}, first = 1, last = 0, count = 0, max = given.max }, Tracker)
end

return status_tracker
