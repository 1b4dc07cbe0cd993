-- Messages and their recipients (on-premise.md, sections 2, 3, 4 and 11): accepts or refuses a message, posts the
-- webhooks of its statuses, marks a customer's message as read; checks and blocks contacts, and manages their
-- identities.

local contacts = require "waba.emulator.contacts"
local message_rules = require "waba.emulator.message_rules"
local random = require "waba.emulator.random"
local refusals = require "waba.emulator.refusals"
local responses = require("waba.emulator.responses").on_premise
local rules = require "waba.emulator.on_premise.message_rules"
local template_check = require "waba.emulator.template_check"

local messages = {}

local new_error, digits = rules.checker.new_error, contacts.digits
local required, text, object, list, choice = message_rules.constructors()

local DAY = 86400
-- Seconds after which the client removes a customer's message from its database.
local PURGE = 7 * DAY

-- Returns whether a check or a message of the contact has shown that the contact uses WhatsApp. WhatsApp clients before
-- v2.39.1 send messages only to such contacts.
local function is_checked(contact)
  return contact ~= nil and contact.status == "valid" and (contact.checked_at ~= nil or contact.last_inbound ~= nil)
end

local function recipient_error(gateway, number, contact)
  if number == digits(gateway.options.number) then
    return new_error("recipient_is_sender", "Recipient cannot be the sender")
  elseif not gateway:version_at_least(2, 39, 1) and not is_checked(contact) then
    if contact and contact.checked_at and contact.status ~= "valid" then
      return new_error("recipient_invalid", "Recipient is not a valid WhatsApp user")
    end
    return new_error("not_found", "unknown contact")
  elseif contact and contact.identity and not contact.identity.acknowledged then
    return new_error("identity_changed", "to: the identity of the recipient has changed: acknowledge the change first")
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
    found, template = template_check.on_premise(gateway.templates, message.template)
  elseif kind == "hsm" then
    found, template = template_check.hsm(gateway.templates, message.hsm)
  end
  return found, kind, template
end

local function send(gateway, _, message)
  local context = { find_media = gateway.find_media }
  context.find_products = message_rules.product_finder(gateway, "catalog_unknown", "products_unknown", context)
  local found, kind, template = message_error(gateway, message, context)
  if found then return gateway:refuse(found) end
  local number = digits(message.to)
  local contact, wa_id = gateway.contacts:find(number), gateway.contacts:wa_id(number)
  found = recipient_error(gateway, number, contact)
  if found then return gateway:refuse(found) end
  local reason = refusals.sandbox_error(gateway.sandbox, wa_id, kind, message)
  if reason then return responses.meta(403, reason) end
  local record = gateway:keep({
    id = "gBEG" .. random.letters(24), direction = "outbound", to = message.to, wa_id = wa_id, type = kind,
    category = category_of(kind, template), content = message[kind], statuses = {},
  })
  gateway:schedule_statuses(record, { "sent", "delivered", "read" },
    later_failure(gateway, contact, wa_id, kind, context))
  return gateway:ok({ contacts = { { input = message.to, wa_id = wa_id } }, messages = { { id = record.id } } }, 201)
end

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

--- Posts the status "deleted" of a message that a customer has sent.
function messages.customer_deletes(gateway, from, id)
  local wa_id = gateway.contacts:get(from).wa_id
  gateway.webhooks:post({ statuses = { status_event(gateway, id, "deleted", wa_id) } }, wa_id)
end

-- Contacts (on-premise.md, section 4) -------------------------------------------------------------

-- Seconds for which the result of a check is used again, unless the request has force_check.
local CACHE = 7 * 86400

local function result(input, contact)
  return { input = input, status = contact.status, wa_id = contact.status == "valid" and contact.wa_id or nil }
end

local function finish_check(gateway, input, contact)
  contact.checking, contact.checked_at = nil, gateway.clock:now()
  local outcome = result(input, contact)
  -- The status "failed" is reported only to a request that waits for the result.
  if outcome.status == "failed" then outcome.status = "invalid" end
  gateway.webhooks:post({ contacts = { outcome } }, contact.wa_id)
end

local function check_one(gateway, input, wait, force)
  local contact, now = gateway.contacts:get(input), gateway.clock:now()
  if gateway:version_at_least(2, 43) then
    -- Clients from v2.43 on report every phone number as a user of WhatsApp.
    contact.checked_at = now
    return { input = input, status = "valid", wa_id = contact.wa_id }
  end
  local is_fresh = contact.checked_at and now - contact.checked_at < CACHE
  if not force and is_fresh and not (wait and contact.status == "failed") then return result(input, contact) end
  if wait then
    contact.checked_at = contact.status ~= "failed" and now or nil
    return result(input, contact)
  end
  if not contact.checking then
    contact.checking = true
    gateway.clock:after(gateway.options.contact_check, function() finish_check(gateway, input, contact) end)
  end
  return { input = input, status = "processing" }
end

local CHECK = object({ contacts = required(list(text(1), 1)), blocking = choice "no_wait wait",
  force_check = { is = "boolean" } })

local function check(gateway, _, body)
  local results = {}
  for i, input in ipairs(body.contacts) do
    results[i] = check_one(gateway, input, body.blocking == "wait", body.force_check == true)
  end
  return gateway:ok({ contacts = results })
end

local BLOCK = object({ reason = text(0, 60) })

local function block(gateway, request)
  local number = request.segments[3]
  if not number:find("^%+%d+$") then
    return gateway:error("parameter_invalid", "Parameter 'phone_number' in the path must be + and digits")
  end
  local body, refusal = gateway:json_body(request, BLOCK, true)
  if not body then return refusal end
  local contact = gateway.contacts:find(number)
  if not gateway.contacts:window_open(contact) then
    return gateway:error("parameter_invalid", "the contact can be blocked only within 24 hours after its last message")
  end
  contact.blocked = true
  return gateway:ok({})
end

-- Returns the handler of a request about the identity of the contact in the path. `respond` gets the identity.
local function with_identity(respond)
  return function(gateway, request, body)
    local wa_id, contact = request.segments[3], nil
    if wa_id:find("^%d%d%d%d%d+$") then
      contact = gateway.contacts:find(wa_id) or gateway:version_at_least(2, 39) and gateway.contacts:get(wa_id)
    end
    if not contact then return gateway:error("not_found", "unknown contact") end
    return respond(gateway, gateway.contacts:identity_of(contact), body)
  end
end

local function get_identity(gateway, identity) return gateway:ok({ contacts = identity }) end

local IDENTITY = object({ hash = required(text(1)) })

local function acknowledge(gateway, identity, body)
  if body.hash ~= identity.hash then
    return gateway:error("parameter_invalid", "Parameter 'hash' is not the hash of the current identity")
  end
  identity.acknowledged = true
  return responses.json(200, {})
end

messages.routes = {
  { "POST", "v1/messages", send, message_rules.BODY },
  { "PUT", "v1/messages/*", mark_read, STATUS },
  { "POST", "v1/contacts", check, CHECK },
  { "POST", "v1/contacts/*/block", block },
  { "GET", "v1/contacts/*/identity", with_identity(get_identity) },
  { "PUT", "v1/contacts/*/identity", with_identity(acknowledge), IDENTITY },
}

return messages
