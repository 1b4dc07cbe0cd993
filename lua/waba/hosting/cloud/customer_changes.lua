-- Reads handovers, preferences and changed user ids of customers in webhooks of Cloud hosting (cloud.md, sections 4.9,
-- 11.1 and 11.2).

local event_fields = require "waba.hosting.event_fields"
local values = require "waba.hosting.values"

local items, object, text, wa_id = values.items, values.object, values.text, values.wa_id

local customer_changes = {}

-- `contact` is an entry of `contacts`, or nil.
local function new_event(kind, raw, place, phone, user_id, contact)
  return {
    kind = kind, hosting = "cloud", raw = raw, from = phone, from_user_id = user_id,
    contact = event_fields.contact(contact, phone, user_id),
    number = place.number, phone_number_id = place.phone_number_id, waba_id = place.waba_id,
    timestamp = values.timestamp(raw.timestamp),
  }
end

-- In a handover, the sender is a text or an object. Returns the sender's wa_id and user id.
local function party(value)
  if type(value) ~= "table" then return wa_id(value) end
  return values.phone_digits(value.phone_number) or wa_id(value.wa_id) or wa_id(value.id), text(value.user_id)
end

local function role(change, which)
  return text(change[which .. "_owner_role"]) or text(change[which .. "_owner_app_role"])
    or text(change[which .. "_owner"]) or text(change[which .. "_owner_app_id"])
end

-- The platform documents two names for each field of a handover.
function customer_changes.messaging_handovers(events, value, place)
  if type(value.type) ~= "string" then return end
  local recipient = object(value.recipient)
  if not place.phone_number_id and recipient.phone_number_id ~= nil then
    local id = text(recipient.phone_number_id)
    place = { number = values.phone_digits(recipient.display_phone_number) or id, phone_number_id = id,
      waba_id = place.waba_id }
  end
  local change = object(value[value.type])
  local phone, user_id = party(value.sender)
  local event = new_event("handover", value, place, phone, user_id)
  event.type, event.owner, event.previous_owner = value.type, role(change, "new"), role(change, "previous")
  events[#events + 1] = event
end

function customer_changes.user_preferences(events, value, place, find_contact)
  for _, raw in ipairs(items(value.user_preferences)) do
    if type(raw) == "table" then
      local phone, user_id = wa_id(raw.wa_id), text(raw.user_id)
      local event = new_event("preference", raw, place, phone, user_id, find_contact(phone, user_id))
      event.category, event.value, event.text = text(raw.category), text(raw.value), text(raw.detail)
      events[#events + 1] = event
    end
  end
end

-- The event's field `system` has the form of a system message about a changed user id.
function customer_changes.user_id_update(events, value, place, find_contact)
  for _, raw in ipairs(items(value.user_id_update)) do
    local id = type(raw) == "table" and object(raw.user_id) or {}
    local old, new = text(id.previous), text(id.current)
    if new then
      local phone = wa_id(raw.wa_id)
      local event = new_event("account", raw, place, phone, old, find_contact(phone, new))
      event.field, event.value = "user_id_update", values.with_ids(raw)
      event.system = { type = "user_changed_user_id", user_id = old, new_user_id = new, body = text(raw.detail),
        parent_user_id = text(object(raw.parent_user_id).current) }
      events[#events + 1] = event
    end
  end
end

return customer_changes
