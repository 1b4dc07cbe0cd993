-- Statuses (reference, section 11.4): what becomes of a message after it was accepted, told by webhooks.

local random = require "waba.emulator.random"

local statuses = {}

local DAY = 86400
-- The order in which a message goes through them.
local ORDER = { "sent", "delivered", "read" }

local function place_recipient(gateway, event, wa_id)
  local place = gateway.options.recipient_id or (gateway:version_at_least(2, 45) and "message" or "top")
  if place ~= "top" then
    event.message = { recipient_id = wa_id }
  end
  if place ~= "message" then
    event.recipient_id = wa_id
  end
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

local function post(gateway, record, event)
  record.status = event.status
  record.statuses[#record.statuses + 1] = event.status
  gateway.webhooks:post({ statuses = { event } }, record.wa_id)
end

local function report(gateway, record, status)
  local event = status_event(gateway, record, status)
  if status ~= "read" then
    local conversation = conversation_of(gateway, record)
    event.conversation = { id = conversation.id, origin = { type = record.category },
      expiration_timestamp = status == "sent" and conversation.expires or nil }
    event.pricing = { pricing_model = "CBP", billable = record.category ~= "referral_conversion",
      category = record.category }
  end
  post(gateway, record, event)
end

--- Reports that a message failed, or warns.
---@param gateway table
---@param record table         the accepted message
---@param errors table[]       error rows
---@param status? "failed"|"warning"
function statuses.fail(gateway, record, errors, status)
  local event = status_event(gateway, record, status or "failed")
  event.errors = errors
  post(gateway, record, event)
end

--- Reports a status at once.
---@param gateway table
---@param record table
---@param status string
function statuses.report(gateway, record, status)
  report(gateway, record, status)
end

--- Reports that a customer deleted a message it had sent.
---@param gateway table
---@param id string
---@param wa_id string
function statuses.deleted(gateway, id, wa_id)
  local event = { id = id, status = "deleted", timestamp = tostring(gateway.clock:timestamp()), type = "message" }
  place_recipient(gateway, event, wa_id)
  gateway.webhooks:post({ statuses = { event } }, wa_id)
end

--- Lets an accepted message go through its statuses, or fail.
---@param gateway table
---@param record table
---@param failure? { errors: table[], after: string?, status: string? }
---  after: the last status that is reached before it; none by default. status: "failed" or "warning"
function statuses.begin(gateway, record, failure)
  local delays = gateway.options.statuses or {}
  local function fail()
    statuses.fail(gateway, record, failure.errors, failure.status)
  end
  local fatal = failure and failure.status ~= "warning"
  if failure and not failure.after then
    gateway.clock:after(delays.sent or 0, fail)
    if fatal then
      return
    end
  end
  for _, status in ipairs(ORDER) do
    if delays[status] then
      gateway.clock:after(delays[status], function() report(gateway, record, status) end)
    end
    if failure and failure.after == status then
      gateway.clock:after(delays[status] or 0, fail)
      if fatal then
        return
      end
    end
  end
end

return statuses
