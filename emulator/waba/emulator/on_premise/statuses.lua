-- Statuses (on-premise.md, section 11.4): the webhook that reports the result of a message.

local random = require "waba.emulator.random"

local statuses = {}

local DAY = 86400

--- The order in which a message goes through them.
statuses.ORDER = { "sent", "delivered", "read" }

local function place_recipient(gateway, event, wa_id)
  local place = gateway.options.recipient_id or (gateway:version_at_least(2, 45) and "message" or "top")
  if place ~= "top" then event.message = { recipient_id = wa_id } end
  if place ~= "message" then event.recipient_id = wa_id end
end

-- A conversation lasts 24 hours, one for each customer and category.
local function conversation_of(gateway, record)
  local key = record.wa_id .. " " .. record.category
  local conversation = gateway.conversations[key]
  local now = gateway.clock:timestamp()
  if not conversation or conversation.expires <= now then
    conversation = { id = random.hex(32), expires = now + DAY }
    gateway.conversations[key] = conversation
  end
  return conversation
end

local function status_event(gateway, record, status)
  local event = { id = record.id, status = status, timestamp = tostring(gateway.clock:timestamp()), type = "message" }
  place_recipient(gateway, event, record.wa_id)
  return event
end

--- Tells a status by a webhook.
---@param gateway table
---@param record table
---@param status string
---@param errors? table[]
function statuses.tell(gateway, record, status, errors)
  local event = status_event(gateway, record, status)
  event.errors = errors
  if not errors and status ~= "read" then
    local conversation = conversation_of(gateway, record)
    event.conversation = { id = conversation.id, origin = { type = record.category },
      expiration_timestamp = status == "sent" and conversation.expires or nil }
    event.pricing = { pricing_model = "CBP", billable = record.category ~= "referral_conversion",
      category = record.category }
  end
  gateway.webhooks:post({ statuses = { event } }, record.wa_id)
end

--- Tells that a customer deleted a message it had sent.
---@param gateway table
---@param id string
---@param wa_id string
function statuses.deleted(gateway, id, wa_id)
  local event = { id = id, status = "deleted", timestamp = tostring(gateway.clock:timestamp()), type = "message" }
  place_recipient(gateway, event, wa_id)
  gateway.webhooks:post({ statuses = { event } }, wa_id)
end

return statuses
