-- Messages (on-premise.md, sections 2 and 3): accepting one, or refusing it in the platform's words; and
-- marking a customer's message as read.

local answers = require "waba.emulator.on_premise.answers"
local contacts = require "waba.emulator.on_premise.contacts"
local products = require "waba.emulator.products"
local progress = require "waba.emulator.statuses"
local random = require "waba.emulator.random"
local sandbox = require "waba.emulator.sandbox"
local statuses = require "waba.emulator.on_premise.statuses"
local validate = require "waba.emulator.on_premise.validate"
local walker = require "waba.emulator.on_premise.walker"

local messages = {}

local fault = walker.fault

-- Seconds after which a customer's message is purged from the client's database.
local PURGE = 7 * 86400

-- ---- Whether the recipient can be written to -------------------------------------------------------

local function recipient_fault(gateway, number, contact)
  if number == contacts.digits(gateway.options.number) then
    return fault(1021, "Recipient cannot be the sender")
  elseif not gateway:version_at_least(2, 39, 1) and not gateway.contacts:checked(contact) then
    if contact and contact.checked_at and contact.status ~= "valid" then
      return fault(1013, "Recipient is not a valid WhatsApp user")
    end
    return fault(1006, "unknown contact")
  elseif contact and contact.identity and not contact.identity.acknowledged then
    return fault(1028, "the identity of the recipient has changed and must be acknowledged")
  end
end

-- A message that is accepted and fails afterwards: why, or nil.
local function later_failure(gateway, contact, wa_id, kind)
  local failure = gateway.faults:take_status(wa_id, kind)
  if failure then
    return failure
  elseif contact and contact.status ~= "valid" then
    return { errors = { answers.row(1013, "Recipient is not a valid WhatsApp user") } }
  elseif gateway.options.window and kind ~= "template" and kind ~= "hsm"
    and not gateway.contacts:window_open(contact) then
    return { errors = { answers.row(470, nil, "Message failed to send because more than 24 hours have passed"
      .. " since the customer last replied to this number") } }
  end
end

-- ---- Sending ---------------------------------------------------------------------------------------

local function category_of(kind, template)
  if kind ~= "template" and kind ~= "hsm" then return "service" end
  local category = template and template.category or "UTILITY"
  return ({ MARKETING = "marketing", AUTHENTICATION = "authentication", OTP = "authentication" })[category]
    or "utility"
end

local function message_fault(gateway, message, context)
  local found, kind = validate.message(message, context)
  if found then return found end
  local template
  if kind == "template" then
    found, template = gateway.templates:check_template(message.template)
  elseif kind == "hsm" then
    found, template = gateway.templates:check_hsm(message.hsm)
  end
  return found, kind, template
end

local function accept(gateway, message, wa_id, kind, category)
  return gateway:keep({
    id = "gBEG" .. random.letters(24), direction = "outbound", to = message.to, wa_id = wa_id, type = kind,
    category = category, content = message[kind], statuses = {},
  })
end

local function send(gateway, request)
  local message, refusal = gateway:json_body(request)
  if not message then return refusal end
  local context = { find_media = gateway.find_media }
  context.find_products = products.finder(gateway, fault, { no_catalog = 2024, no_product = 2027 }, context)
  local found, kind, template = message_fault(gateway, message, context)
  if found then return gateway:error(found.code, found.details) end
  local number = contacts.digits(message.to)
  local contact = gateway.contacts:find(number)
  local wa_id = gateway.contacts:wa_id(number)
  found = recipient_fault(gateway, number, contact)
  if not found and gateway.options.require_webhook and not gateway.webhooks.addresses.number then
    found = fault(1022, "set the webhook address first")
  end
  if found then return gateway:error(found.code, found.details) end
  local problem = sandbox.problem(gateway.sandbox, wa_id, kind, message)
  if problem then return answers.meta(403, problem) end
  local record = accept(gateway, message, wa_id, kind, category_of(kind, template))
  local failure = later_failure(gateway, contact, wa_id, kind)
  if not failure and context.missing then
    failure = { status = "warning", after = "sent",
      errors = { answers.row(2026, "some of the products do not exist") } }
  end
  progress.begin(gateway, record, statuses.ORDER, failure)
  return gateway:ok({
    contacts = { { input = message.to, wa_id = wa_id } },
    messages = { { id = record.id } },
  }, 201)
end

-- ---- Marking as read -------------------------------------------------------------------------------

local STATUS = { type = "object", fields = {
  { "status", type = "string", required = true, values = { "read" } },
} }

local function mark_read(gateway, request)
  local body, refusal = gateway:json_body(request, STATUS)
  if not body then return refusal end
  local record = gateway.by_id[request.segments[3]]
  if not record or record.direction ~= "inbound" or gateway.clock:now() - record.at > PURGE then
    return gateway:error(1006, "Could not find the requested message")
  end
  record.read = true
  return answers.json(200, {})
end

--- Adds the routes of this section.
---@param route fun(method: string, path: string, handler: function)
function messages.routes(route)
  route("POST", "v1/messages", send)
  route("PUT", "v1/messages/*", mark_read)
end

return messages
