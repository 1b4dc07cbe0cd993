-- Combines the statuses of each message into one state (`waba.status_tracker`). The statuses may arrive repeatedly and
-- in any order; the status with the highest rank is the state.

local canonical = require "waba.canonical"
local complete = require("waba.option").complete

-- The rank of each status. Any other status, such as `warning`, does not change the state.
local RANK = { sending = 1, sent = 2, delivered = 3, read = 4, played = 5, deleted = 6, failed = 7 }

---@class waba.StatusTracker
local Tracker = { __name = "waba.StatusTracker" }
Tracker.__index = Tracker

--- The state of one message.
---@class waba.MessageState
---@field id string
---@field status string?  the status with the highest rank that has arrived. The ranks ascend in this order: sent,
---        delivered, read, played, deleted, failed
---@field recipient string?
---@field timestamps table<string, integer|false>  the earliest time of each status; false: the status had no time
---@field errors waba.Error[]?  the errors of a failure or a warning
---@field conversation table?  the field `conversation` of a status
---@field pricing table?  the field `pricing` of a status

-- Returns whether the value of a field in one status replaces the value in another status. The higher rank decides,
-- then the earlier time, then the smaller value. Therefore the order of arrival has no effect.
local function replaces(report, other)
  if report.rank ~= other.rank then return report.rank > other.rank end
  if report.timestamp ~= other.timestamp then return report.timestamp < other.timestamp end
  return canonical.text(report.value) < canonical.text(other.value)
end

local FACTS = { "recipient", "errors", "conversation", "pricing" }

-- Stores the value of a field unless the stored value has precedence. A conversation with an `expiration_timestamp`
-- always has precedence, because only the status `sent` has this time.
local function store(entry, name, event, rank)
  local value = event[name]
  if value == nil then return end
  if name == "conversation" then rank = type(value) == "table" and value.expiration_timestamp and 100 or rank end
  local report = { rank = rank, timestamp = event.timestamp or math.huge, value = value }
  local known = entry.reports[name]
  if known and not replaces(report, known) then return end
  entry.reports[name], entry.state[name] = report, value
end

-- Returns the entry of a message. Makes a missing entry, and removes the oldest messages beyond the limit.
local function entry_of(tracker, id)
  local entry = tracker.entries[id]
  if entry then return entry end
  tracker.last, tracker.count = tracker.last + 1, tracker.count + 1
  entry = { state = { id = id, timestamps = {} }, reports = {}, position = tracker.last }
  tracker.entries[id], tracker.order[tracker.last] = entry, id
  while tracker.count > tracker.max do
    local oldest = tracker.order[tracker.first]
    if oldest then tracker:forget(oldest) end
    tracker.first = tracker.first + 1
  end
  return entry
end

--- Applies one status event to the state of its message.
---@param event waba.Event
---@return waba.MessageState|nil state  nil: the event is not a status of a message
---@return boolean changed  true: the rank of the message's status is higher than before
function Tracker:apply(event)
  if type(event) ~= "table" then error("tracker:apply: the event must be a table, not a " .. type(event), 2) end
  -- a status with a type is about a payment, and not about the message
  if event.kind ~= "status" or not event.id or not event.status or event.type then return nil, false end
  local entry = entry_of(self, event.id)
  local state, rank = entry.state, RANK[event.status] or 0
  local times, time = state.timestamps, event.timestamp
  local known = times[event.status]
  if known == nil or time and (known == false or time < known) then times[event.status] = time or false end
  for _, name in ipairs(FACTS) do store(entry, name, event, rank) end
  for _, fn in ipairs(self.watchers or {}) do fn(event) end
  if rank <= (RANK[state.status] or 0) then return state, false end
  state.status = event.status
  return state, true
end

--- Sets a function that is called with each status event that is applied.
---@param fn fun(event: waba.Event)
function Tracker:watch(fn)
  if type(fn) ~= "function" then error("tracker:watch: the argument must be a function, not a " .. type(fn), 2) end
  self.watchers = self.watchers or {}
  self.watchers[#self.watchers + 1] = fn
end

--- Returns the state of a message.
---@param id string
---@return waba.MessageState|nil  nil: the tracker has no status of the message
function Tracker:get(id)
  local entry = self.entries[id]
  return entry and entry.state
end

--- Returns the status of a message.
---@param id string
---@return string|nil  nil: the tracker has no status of the message
function Tracker:status(id)
  local entry = self.entries[id]
  return entry and entry.state.status
end

--- Removes the state of a message.
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
  max = { "integer>=1", 100000 }, -- the largest number of messages; the oldest messages are removed
}

--- Makes a tracker of message statuses.
---@param options? waba.TrackerOptions
---@return waba.StatusTracker
function status_tracker.new(options)
  options = complete(options, OPTIONS, "waba.status_tracker")
  return setmetatable({ entries = {}, order = {}, first = 1, last = 0, count = 0, max = options.max }, Tracker)
end

return status_tracker
