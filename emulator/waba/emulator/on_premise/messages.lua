-- Messages (on-premise.md, sections 2, 3 and 11): accepts or refuses a message, marks a customer's message as read,
-- and posts the webhooks of statuses.

local common = require "waba.emulator.messages"
local contacts = require "waba.emulator.contacts"
local inbound = require "waba.emulator.inbound"
local message_rules = require "waba.emulator.message_rules"
local random = require "waba.emulator.random"
local refusals = require "waba.emulator.refusals"
local responses = require("waba.emulator.responses").on_premise
local rules = require "waba.emulator.on_premise.message_rules"

local messages = {}

local new_error, is_checked = rules.checker.new_error, require("waba.emulator.on_premise.contacts").is_checked

local DAY = 86400
-- Seconds after which the client removes a customer's message from its database.
local PURGE = 7 * DAY

-- Whether the recipient can be written to ---------------------------------------------------------

local function recipient_error(gateway, number, contact)
  if number == contacts.digits(gateway.options.number) then
    return new_error("recipient_is_sender", "Recipient cannot be the sender")
  elseif not gateway:version_at_least(2, 39, 1) and not is_checked(contact) then
    if contact and contact.checked_at and contact.status ~= "valid" then
      return new_error("recipient_invalid", "Recipient is not a valid WhatsApp user")
    end
    return new_error("not_found", "unknown contact")
  elseif contact and contact.identity and not contact.identity.acknowledged then
    return new_error("identity_changed", "to: the identity of the recipient has changed: acknowledge it first")
  elseif gateway.options.require_webhook and not gateway.webhooks.addresses.number then
    return new_error("webhook_missing", "no webhook URL is set: set one before you send messages")
  end
end

-- Returns the reason why an accepted message fails afterwards, or nil.
local function later_failure(gateway, contact, wa_id, kind, context)
  local failure = gateway.failures:take_status(wa_id, kind)
  if failure then return failure end
  if contact and contact.status ~= "valid" then
    return { errors = { responses.row("recipient_invalid", "Recipient is not a valid WhatsApp user") } }
  elseif gateway.options.window and kind ~= "template" and kind ~= "hsm"
    and not gateway.contacts:window_open(contact) then
    return { errors = { responses.row("window_closed", nil, "Message failed to send because more than 24 hours have"
      .. " passed since the customer last replied to this number") } }
  elseif context.missing then
    return { status = "warning", after = "sent",
      errors = { responses.row("products_missing", "some of the products do not exist") } }
  end
end

-- Sending -----------------------------------------------------------------------------------------

local CATEGORIES = { MARKETING = "marketing", AUTHENTICATION = "authentication", OTP = "authentication" }

local function category_of(kind, template)
  if kind ~= "template" and kind ~= "hsm" then return "service" end
  return CATEGORIES[template and template.category or "UTILITY"] or "utility"
end

local function message_error(gateway, message, context)
  local found, kind = rules.check(message, context)
  if found then return found end
  local template
  if kind == "template" then
    found, template = gateway.templates:check_template(message.template)
  elseif kind == "hsm" then
    found, template = gateway.templates:check_hsm(message.hsm)
  end
  return found, kind, template
end

local function send(gateway, request)
  local message, refusal = gateway:json_body(request)
  if not message then return refusal end
  local context = { find_media = gateway.find_media }
  context.find_products = common.product_finder(gateway,
    { no_catalog = "catalog_unknown", no_product = "products_unknown" }, context)
  local found, kind, template = message_error(gateway, message, context)
  if found then return gateway:refuse(found) end
  local number = contacts.digits(message.to)
  local contact, wa_id = gateway.contacts:find(number), gateway.contacts:wa_id(number)
  found = recipient_error(gateway, number, contact)
  if found then return gateway:refuse(found) end
  local reason = refusals.sandbox_error(gateway.sandbox, wa_id, kind, message)
  if reason then return responses.meta(403, reason) end
  local record = gateway:keep({
    id = "gBEG" .. random.letters(24), direction = "outbound", to = message.to, wa_id = wa_id, type = kind,
    category = category_of(kind, template), content = message[kind], statuses = {},
  })
  common.schedule_statuses(gateway, record, { "sent", "delivered", "read" },
    later_failure(gateway, contact, wa_id, kind, context))
  return gateway:ok({ contacts = { { input = message.to, wa_id = wa_id } }, messages = { { id = record.id } } }, 201)
end

local required, _, object, _, choice = message_rules.constructors()
local STATUS = object({ status = required(choice "read") })

local function mark_read(gateway, request)
  if not gateway:mark_read(request.segments[3], PURGE) then
    return gateway:error("not_found", "Could not find the requested message")
  end
  return responses.json(200, {})
end

-- The webhooks of statuses (on-premise.md, section 11.4) ------------------------------------------

-- A conversation lasts 24 hours. Each customer has one conversation for each category.
local function conversation_of(gateway, record)
  local key = record.wa_id .. " " .. record.category
  local conversation, now = gateway.conversations[key], gateway.clock:timestamp()
  if conversation and conversation.expires > now then return conversation end
  gateway.conversations[key] = { id = random.hex(32), expires = now + DAY }
  return gateway.conversations[key]
end

local function status_event(gateway, id, status, wa_id)
  local event = { id = id, status = status, timestamp = tostring(gateway.clock:timestamp()), type = "message" }
  local place = gateway.options.recipient_id or (gateway:version_at_least(2, 45) and "message" or "top")
  if place ~= "top" then event.message = { recipient_id = wa_id } end
  if place ~= "message" then event.recipient_id = wa_id end
  return event
end

function messages.post_status(gateway, record, status, errors)
  local event = status_event(gateway, record.id, status, record.wa_id)
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

-- What customers do besides sending messages ------------------------------------------------------

function messages.customer_deletes(gateway, from, id)
  local wa_id = gateway.contacts:get(from).wa_id
  gateway.webhooks:post({ statuses = { status_event(gateway, id, "deleted", wa_id) } }, wa_id)
  return true
end

-- The actions of a customer besides sending messages, see waba.emulator.Customer. The On-Premise gateway does not have
-- all methods of waba.emulator.Customer.
messages.traffic = {}

function messages.traffic.change_number(gateway, contact, arguments)
  local id = inbound.customer_changed(gateway, contact, arguments.to)
  gateway.contacts:move(contact, arguments.to)
  return { id = id }
end

messages.routes = {
  { "POST", "v1/messages", send },
  { "PUT", "v1/messages/*", mark_read, STATUS },
}

return messages
