-- Statuses (cloud.md, section 4.7): the webhook that reports the result of a message.

local statuses = {}

-- A reaction is sent, and that is all; only voice notes can be played.
local ORDERS = {
  reaction = { "sent" },
  voice = { "sent", "delivered", "read", "played" },
}
local USUAL = { "sent", "delivered", "read" }

--- The statuses a message goes through.
---@param record table
---@return string[]
function statuses.order(record) return ORDERS[record.voice and "voice" or record.type] or USUAL end

-- What the message costs: by its category, free within the customer's window but for marketing and codes.
local function pricing_of(record)
  local free = record.category == "service" or record.category == "utility" and record.window
  return { billable = not free, pricing_model = "PMP", type = free and "free_customer_service" or "regular",
    category = record.category }
end

local function place_recipient(event, record)
  local contact = record.contact
  if record.group_id then
    event.recipient_id, event.recipient_type = record.group_id, "group"
    return
  end
  event.recipient_id = not record.by_user_id and record.wa_id or nil
  event.recipient_user_id = contact.user_id
end

-- The customer, where a user id makes it worth telling.
local function contacts_of(record, failed)
  local contact = record.contact
  if failed or record.group_id or not contact.user_id then return nil end
  return { { profile = { name = contact.name, username = contact.username }, user_id = contact.user_id,
    wa_id = not record.by_user_id and record.wa_id or nil } }
end

--- Tells a status by a webhook.
---@param gateway table
---@param record table
---@param status string
---@param errors? table[]
function statuses.tell(gateway, record, status, errors)
  local event = { id = record.id, status = status, timestamp = tostring(gateway.clock:timestamp()),
    biz_opaque_callback_data = record.data, errors = errors }
  place_recipient(event, record)
  if not errors and (status == "sent" or status == "delivered") then
    event.pricing = pricing_of(record)
  end
  gateway:post_messages({ contacts = contacts_of(record, errors ~= nil), statuses = { event } }, record.wa_id)
end

return statuses
