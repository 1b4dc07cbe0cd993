-- Determines the key by which an inbox recognises duplicates of an event, and the conversation of the event. The
-- events of one conversation are handled one after the other.

local canonical = require "waba.canonical"
local core = require "waba.core"
local inbound = require "waba.hosting.inbound"

local keys = {}

--- Returns the prefix of all names that belong to the business number of an event; "" if the event has no number.
---@param event waba.Event
---@return string
function keys.scope(event)
  local number = event.phone_number_id or event.number
  return type(number) == "string" and number .. "/" or "" -- an event that a program has made may have another value
end

-- Returns a name with the business number before it: a customer who writes to two numbers has two conversations.
local function of_number(event, name)
  return keys.scope(event) .. tostring(name)
end

-- Account fields whose content includes a time or an id, so that two events with equal content are duplicates. For
-- other fields the time in the webhook is compared too.
local UNIQUE_FIELDS = {
  history = true, smb_app_state_sync = true, calls = true, user_id_update = true, group_lifecycle_update = true,
  group_participants_update = true,
}

local function digest_key(kind, content)
  local hash = core.sha256()
  hash:update(canonical.text(content))
  return kind .. ":" .. hash:hex()
end

local function account_key(event)
  if event.hosting ~= "cloud" or not event.timestamp and not UNIQUE_FIELDS[event.field] then return nil end
  return digest_key("account", {
    event.field, event.value, event.timestamp or "", event.number or "", event.waba_id,
  })
end

-- Returns the key of an event that reports a preference of a customer or a change of the sender that controls the
-- conversation. The keys of two events are equal if the change and its time are equal.
local function change_key(event)
  return digest_key(event.kind, {
    event.type or event.category or "", event.value or event.owner or "", event.timestamp or "", event.from or "",
    event.from_user_id or "", event.phone_number_id or event.number or "",
  })
end

-- On Cloud a message to a group has a status for each member. A payment has statuses of its own, which differ from
-- those of a message.
local function status_key(event)
  local key = "status:" .. of_number(event, event.id) .. ":" .. tostring(event.status)
  if event.hosting ~= "cloud" then return key end
  local about = event.participant or event.participant_user_id or event.recipient or event.recipient_user_id
  if about then key = key .. ":" .. about end
  local kind = type(event.raw) == "table" and event.raw.type
  if kind == "payment" or kind == "call" then key = key .. ":" .. kind end
  return key
end

--- Returns the key of an event; nil for an event without an id, which is never a duplicate.
---@param event waba.Event
---@return string|nil
function keys.identity(event)
  local kind = event.kind
  if kind == "account" then return account_key(event) end
  if kind == "handover" or kind == "preference" then return change_key(event) end
  if not event.id then return nil end
  if kind == "status" then return status_key(event) end
  if kind ~= "error" then return kind .. ":" .. of_number(event, event.id) end
end

local NOTHING = {}

-- Adds a name unless the list has it.
local function add_name(event, names, name)
  if not name then return end
  name = of_number(event, name)
  for index = 1, #names do
    if names[index] == name then return end
  end
  names[#names + 1] = name
end

-- Returns each name of the event's customer once, the phone number first.
local function names_of(event)
  local contact = type(event.contact) == "table" and event.contact or NOTHING
  local system = type(event.system) == "table" and event.system.type == "user_changed_user_id" and event.system
  local is_echo, names = event.kind == "echo", {}
  add_name(event, names, not is_echo and event.from or event.to or event.recipient or contact.wa_id)
  add_name(event, names, not is_echo and event.from_user_id or event.to_user_id or event.recipient_user_id
    or contact.user_id)
  if system then add_name(event, names, system.user_id) end
  add_name(event, names, inbound.new_address(event))
  return names
end

--- The two lanes of a conversation: the second lane is for statuses that are handled separately, the first lane for all
--- other events.
keys.LANES = { "", "status:" }

--- Returns the conversation of an event: its lane, and the names of the event's group or customer. The names contain
--- the business number. A customer can have several names.
---@param event waba.Event
---@param is_separate boolean|nil  true: statuses do not wait for messages, and messages do not wait for statuses
---@return string lane     one of `keys.LANES`
---@return string[] names  the names of the conversation; empty: the event does not wait for any other event
function keys.conversation(event, is_separate)
  local lane = is_separate and event.kind == "status" and keys.LANES[2] or keys.LANES[1]
  if event.hosting == "cloud" and event.group_id then return lane, { of_number(event, event.group_id) } end
  return lane, names_of(event)
end

return keys
