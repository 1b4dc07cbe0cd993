-- Determines the key and the conversation of an event. An inbox recognises duplicates by the key.

local canonical = require "waba.canonical"
local core = require "waba.core"
local event_fields = require "waba.hosting.event_fields"

local keys = {}

--- Returns the prefix of the names that belong to the business number of an event; "" if the event has no number.
function keys.scope(event)
  local number = event.phone_number_id or event.number
  -- in an event that a program has made, the number may have another type
  return type(number) == "string" and number .. "/" or ""
end

-- Adds the business number to a name, because a customer has a separate conversation with each business number.
local function of_number(event, name) return keys.scope(event) .. tostring(name) end

-- The fields of account webhooks whose value contains a time or an id, so that two events without a timestamp are
-- duplicates if their values are equal. An event of any other field without a timestamp has no key.
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

local function change_key(event)
  return digest_key(event.kind, {
    event.type or event.category or "", event.value or event.owner or "", event.timestamp or "", event.from or "",
    event.from_user_id or "", event.phone_number_id or event.number or "",
  })
end

-- Returns the key of a status. On Cloud hosting the key contains the recipient, because a message to a group has a
-- status for each member. The key of a payment or a call contains the type, because a message may have the same id.
local function status_key(event)
  local scope, id, status = keys.scope(event), tostring(event.id), tostring(event.status)
  if event.hosting ~= "cloud" then return "status:" .. scope .. id .. ":" .. status end
  local about = event.participant or event.participant_user_id or event.recipient or event.recipient_user_id
  local kind = type(event.raw) == "table" and event.raw.type
  kind = (kind == "payment" or kind == "call") and ":" .. kind or ""
  return "status:" .. scope .. id .. ":" .. status .. (about and ":" or "") .. (about or "") .. kind
end

--- Returns the key of an event. An event without a key is never a duplicate.
function keys.identity(event)
  local kind = event.kind
  if kind == "account" then return account_key(event) end
  if kind == "handover" or kind == "preference" then return change_key(event) end
  if not event.id then return nil end
  if kind == "status" then return status_key(event) end
  if kind ~= "error" then return kind .. ":" .. of_number(event, event.id) end
end

local NOTHING = {}

local function add_name(event, names, name)
  if not name then return end
  name = of_number(event, name)
  for index = 1, #names do
    if names[index] == name then return end
  end
  names[#names + 1] = name
end

-- Returns the names of the event's customer: the phone number first, then user ids and new ids.
local function names_of(event)
  local contact = type(event.contact) == "table" and event.contact or NOTHING
  local system = type(event.system) == "table" and event.system.type == "user_changed_user_id" and event.system
  local is_echo, names = event.kind == "echo", { nil, nil } -- most events have one or two names
  add_name(event, names, not is_echo and event.from or event.to or event.recipient or contact.wa_id)
  add_name(event, names, not is_echo and event.from_user_id or event.to_user_id or event.recipient_user_id
    or contact.user_id)
  if system then add_name(event, names, system.user_id) end
  add_name(event, names, event_fields.new_address(event))
  return names
end

--- The lanes of a conversation. The second lane has the statuses if they are ordered separately.
keys.LANES = { "", "status:" }

--- The ends of the names of records that handlers usually read (webhook/identity.lua, webhook/session.lua).
keys.BESIDE = { ":state", ":id" }

--- Returns the lane of an event, and the names of its group or customer. Each name begins with the business number. If
--- `is_separate` is true, statuses have a lane of their own.
function keys.conversation(event, is_separate)
  local lane = is_separate and event.kind == "status" and keys.LANES[2] or keys.LANES[1]
  if event.hosting == "cloud" and event.group_id then return lane, { of_number(event, event.group_id) } end
  return lane, names_of(event)
end

return keys
