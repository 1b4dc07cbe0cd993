-- Reads the records of a customer before the handlers of an event run, and writes the changes together with the
-- acknowledgement of the event. The records of the inbox's store, besides those of identity.lua; <owner> is the
-- business number with the key of a customer or the id of a group:
--   <owner>:state  the state of the conversation and the step of `event:ask`, as JSON
--   <owner>:quiet  Unix seconds of three events: the last echo, the last sign that another sender controls the
--                  conversation, and the last time when control was passed back

local core = require "waba.core"
local errors = require "waba.errors"
local identity = require "waba.webhook.identity"
local keys = require "waba.inbox.keys"
local opt_outs = require "waba.webhook.opt_outs"
local window = require "waba.inbox.window"

local session = {}

local LARGEST_STATE = 64 * 1024 -- the largest size of a state as JSON, in bytes

local LONGEST_STANDBY = 86400 -- the seconds of the option `quiet_while = { standby = true }`

-- The types of messages that do not end the step of `event:ask`.
local WITHOUT_STEP = { system = true, reaction = true, edit = true, revoke = true, request_welcome = true }

-- For each event whose handlers run: the step that `event:ask` has set, or false. A value must not refer to its event,
-- because Lua 5.1 and LuaJIT would then never collect the event.
local steps = setmetatable({}, { __mode = "k" })

---@class waba.Session
---@field step string|nil  the step whose handler gets the event
local Session = {}
Session.__index = Session

local function invalid_state(message)
  local err = errors.new { kind = "invalid", path = "state", message = "event.state" .. message }
  err.is_final = true
  return err
end

-- Returns the path of the innermost value that can't be written as JSON: ".orders[2]".
local function path_of_invalid(value, visited)
  if type(value) ~= "table" or visited[value] then return "" end
  visited[value] = true
  for name, item in pairs(value) do
    if not core.encode { item } then
      return (type(name) == "number" and "[%s]" or ".%s"):format(tostring(name)) .. path_of_invalid(item, visited)
    end
  end
  return ""
end

-- Returns the state and the next step as JSON; nil if both are empty. If the state can't be stored, raises an error:
-- the event becomes a dead letter, because its handlers have already run.
local function encode_state(self, state)
  if state == nil or type(state) == "table" and next(state) == nil then state = nil end
  if state ~= nil and type(state) ~= "table" then
    error(invalid_state((" must be a table or nil, not a %s"):format(type(state))), 0)
  end
  if state == nil and not self.next_step then return nil end
  local json, message = core.encode { state = state, step = self.next_step }
  if not json then
    local path = path_of_invalid(state, {})
    error(invalid_state(("%s can't be stored as JSON: %s"):format(path, tostring(message))), 0)
  end
  if #json > LARGEST_STATE then
    error(invalid_state((" has %d bytes as JSON: at most %d are stored"):format(#json, LARGEST_STATE)), 0)
  end
  return json
end

local function add(self, name, value, seconds)
  self.records[#self.records + 1] = { name = name, value = value, seconds = seconds }
end

-- Reads the state of the customer, or the state of the previous key if the present key has none.
local function read_state(self, previous)
  local json = self.get(self.owner .. ":state")
  if not json and previous and previous ~= self.owner then
    json = self.get(previous .. ":state")
    if json then
      add(self, previous .. ":state", nil)
      self.is_moved = true
    end
  end
  self.json = json
  local stored, event = json and core.decode(json), self.event
  self.next_step = stored and type(stored.step) == "string" and stored.step or nil
  event.state = stored and type(stored.state) == "table" and stored.state or {}
  if event.kind == "message" and not event.is_late and not WITHOUT_STEP[event.type] then
    self.step, self.next_step = self.next_step, nil
  end
end

-- Moves all records except the state from the previous key of the customer to the present key.
local function move(self, scope, previous)
  local customer = self.event.customer
  local old, new = scope .. previous.key .. ":quiet", scope .. customer.key .. ":quiet"
  local value = old ~= new and self.get(old)
  if value then
    add(self, new, value)
    add(self, old, nil)
  end
  opt_outs.move(self.inbox, self.event, scope, previous, customer, self.get, self.records)
  for _, record in ipairs(window.moved(scope, previous, customer, self.get)) do
    self.records[#self.records + 1] = record
  end
end

local function within(time, event_time, seconds)
  if seconds == true then seconds = LONGEST_STANDBY end
  return seconds and time > 0 and event_time < time + seconds
end

-- Changes the kind of a message to "standby" if the bot must not reply. For other events, updates the record
-- <owner>:quiet.
local function check_quiet(self, settings, previous)
  local event = self.event
  local value = self.get(self.owner .. ":quiet") or previous and self.get(previous .. ":quiet")
  local echo, standby, passed = (value or ""):match "^(%d+) (%d+) ?(%d*)$" -- older records have no third time
  echo, standby, passed = tonumber(echo) or 0, tonumber(standby) or 0, tonumber(passed) or 0
  local now = event.timestamp or os.time()
  if event.kind == "message" then
    if within(echo, now, settings.echo) or within(standby, now, settings.standby) then
      event.kind = "standby"
      self.step, self.next_step = nil, self.step or self.next_step
    end
    return
  end
  if event.kind == "echo" then
    echo = math.max(echo, now)
  elseif event.kind == "handover" and event.type ~= "control_taken" then
    passed = math.max(passed, now)
    if standby <= passed then standby = 0 end
  elseif event.kind == "standby" or event.kind == "handover" then
    if now >= passed then standby = math.max(standby, now) end -- an event older than `passed` may arrive late
  else
    return
  end
  local longest = math.max(settings.echo or 0, settings.standby == true and LONGEST_STANDBY or settings.standby or 0)
  add(self, self.owner .. ":quiet", ("%.0f %.0f %.0f"):format(echo, standby, passed), longest)
end

-- Returns <owner> of the records: `key` is the key of the customer.
local function owner_of(event, scope, key)
  return scope .. (event.hosting == "cloud" and event.group_id or key)
end

--- Appends the names of the records that `open` will probably read for an event.
function session.add_names(event, settings, names)
  local is_cloud, scope, count = event.hosting == "cloud", keys.scope(event), #names
  local phone, user_id = identity.ids_of(event)
  local id = phone or user_id
  if not id then return end
  if is_cloud then
    count = count + 1
    names[count] = scope .. id .. ":id"
  end
  if event.kind == "status" then return end
  local owner = owner_of(event, scope, is_cloud and user_id or id)
  names[count + 1] = owner .. ":state"
  if settings.quiet_while then names[count + 2] = owner .. ":quiet" end
end

--- Reads the records of an event's customer, and sets `event.customer`, `event.previous` and `event.state`. Raises an
--- error if the store can't be read.
---@param event waba.Event
---@param inbox waba.Inbox
---@param settings { get: function, quiet_while: table?, state_expires: number? }
---@param get? fun(name: string): string|nil  reads a record of the store; default: `settings.get`
---@return waba.Session|nil  nil: the event changes no records
function session.open(event, inbox, settings, get)
  get = get or settings.get
  -- a status may be handled at the same time as a message of the same customer
  local is_in_order = event.kind ~= "status"
  local customer, previous_customer, records = identity.resolve(event, get, is_in_order)
  event.customer = customer
  if previous_customer then event.previous = previous_customer end
  if not get or not customer then return nil end
  local may_write = is_in_order or records and records[1] or event.errors
  if not may_write then return nil end
  local self = setmetatable({
    event = event, inbox = inbox, records = records or {}, settings = settings, get = get,
    owner = nil, json = nil, next_step = nil,
  }, Session)
  local scope = keys.scope(event)
  if is_in_order then
    self.owner = owner_of(event, scope, event.customer.key)
    local previous = event.previous and owner_of(event, scope, event.previous.key)
    read_state(self, previous)
    if previous then move(self, scope, event.previous) end
    if settings.quiet_while then check_quiet(self, settings.quiet_while, previous) end
    steps[event] = false
  end
  opt_outs.note(event, scope, self.records) -- the records of the event replace the records that `move` has added
  return self
end

--- Returns whether `set_step` has an effect. The function has an effect only while the handlers of the event run, and
--- only if the event has a customer and is not a status.
function session.has_step(event) return steps[event] ~= nil end

--- Sets the step whose handler gets the customer's next message.
function session.set_step(event, step)
  if steps[event] ~= nil then steps[event] = step end
end

--- Passes the changed records to the inbox after the handlers have returned. Raises an error if the state can't be
--- stored.
function Session:close()
  if self.owner then
    self.next_step = steps[self.event] or self.next_step
    steps[self.event] = nil
    local json = encode_state(self, self.event.state)
    if json ~= self.json or self.is_moved then
      add(self, self.owner .. ":state", json, json and self.settings.state_expires)
    end
  end
  if self.records[1] and self.inbox.attach then self.inbox:attach(self.event, self.records) end
end

return session
