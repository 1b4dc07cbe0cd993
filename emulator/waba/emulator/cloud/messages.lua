-- Messages (cloud.md, section 2): accepting one, or refusing it in Graph's words; marking a customer's
-- message as read.

local core = require "waba.core"

local answers = require "waba.emulator.cloud.answers"
local people = require "waba.emulator.people"
local products = require "waba.emulator.products"
local progress = require "waba.emulator.statuses"
local random = require "waba.emulator.random"
local rules = require "waba.emulator.cloud.rules"
local sandbox = require "waba.emulator.sandbox"
local statuses = require "waba.emulator.cloud.statuses"
local walker = require "waba.emulator.cloud.walker"

local messages = {}

local fault, absent = walker.fault, walker.absent

-- Seconds for which a message can be quoted, read or reacted to.
local MONTH = 30 * 86400

--- A new message id.
---@return string
function messages.new_id()
  return "wamid." .. core.base64("\28\24" .. random.letters(28) .. "\0")
end

-- ---- The recipient ---------------------------------------------------------------------------------

-- Whom a message goes to: a group, a user by id, or a number.
local function recipient_of(gateway, message)
  local to = message.to
  if message.recipient_type == "group" then
    return { group_id = to, wa_id = to, contact = { status = "valid" }, input = to }
  elseif absent(to) then
    local contact = gateway.contacts:by_user(message.recipient)
    return { contact = contact, wa_id = contact.wa_id or contact.user_id, by_user_id = true, input = contact.user_id }
  end
  local contact = gateway.contacts:find(to)
  if not contact and people.plausible(to) then
    contact = { status = "valid", wa_id = gateway.contacts:wa_id(to) }
  end
  contact = contact or { status = "invalid", wa_id = people.digits(to) }
  return { contact = contact, wa_id = contact.wa_id, input = to }
end

local function is_reachable(contact, message)
  if absent(message.recipient_identity_key_hash) then return true end
  return contact.identity ~= nil and contact.identity.hash == message.recipient_identity_key_hash
end

-- A message that is accepted and fails afterwards: why, or nil.
local function later_failure(gateway, record, message)
  local contact = record.contact
  local failure = gateway.faults:take_status(record.wa_id, record.type)
  local code, details
  if failure then
    return failure
  elseif contact.status ~= "valid" or contact.blocked then
    code, details = 131026, "Message undeliverable."
  elseif not is_reachable(contact, message) then
    code, details = 137000, "The identity key hash is not the present one of the recipient."
  elseif gateway.options.window and record.type ~= "template" and not record.direct_send and not record.group_id
    and not record.window then
    code, details = 131047, "Message failed to send because more than 24 hours have passed since the customer"
      .. " last replied to this number."
  elseif record.type == "reaction" and not gateway:can_react(message.reaction.message_id, MONTH) then
    code, details = 131009, "The message to react to cannot be found."
  end
  return code and { errors = { answers.row(code, details) } } or nil
end

-- ---- Sending ---------------------------------------------------------------------------------------

local function category_of(message, kind, template, marketing)
  if not absent(message.category) then return message.category end
  if kind ~= "template" then return "service" end
  if marketing then return "marketing_lite" end
  return template and template.category:lower() or "utility"
end

local function finders(gateway, marketing)
  local context = { find_media = gateway.find_media, marketing = marketing }
  context.find_products = products.finder(gateway, fault, { no_catalog = 131009, no_product = 131009 }, context)
  return context
end

-- The first fault of a message, or its type and the template it names.
local function message_fault(gateway, message, marketing)
  local found, kind = rules.check(message, finders(gateway, marketing))
  if found or kind ~= "template" then return found, kind end
  local template
  found, template = gateway.templates:check_message(message)
  if not found and marketing and template and template.category ~= "MARKETING" then
    found = fault(134100, "the template is not of the category MARKETING")
  end
  return found, kind, template
end

local function recipient_fault(gateway, recipient)
  if people.digits(recipient.input) == people.digits(gateway.options.number)
    and not recipient.group_id and not recipient.by_user_id then
    return fault(131021, "recipient and sender are the same")
  end
  return gateway:take_rates(recipient.wa_id)
end

local function accept(gateway, message, kind, recipient, category)
  return gateway:keep({
    id = messages.new_id(), direction = "outbound", to = recipient.input, wa_id = recipient.wa_id, type = kind,
    category = category, content = message[kind], statuses = {}, contact = recipient.contact,
    group_id = recipient.group_id, by_user_id = recipient.by_user_id, data = message.biz_opaque_callback_data,
    direct_send = not absent(message.category) or nil,
    voice = kind == "audio" and message.audio.voice == true or nil,
    window = gateway.contacts:window_open(recipient.contact),
    reply_to = not absent(message.context) and message.context.message_id or nil,
  })
end

local function status_of(record, held)
  return record.type == "template" and (held and "held_for_quality_assessment" or "accepted") or nil
end

local function accepted(record, recipient, held)
  local contact = { input = recipient.input, wa_id = not recipient.by_user_id and recipient.wa_id or nil,
    user_id = not recipient.group_id and recipient.contact.user_id or nil }
  return answers.json(200, {
    messaging_product = "whatsapp",
    contacts = { contact },
    messages = { { id = record.id, message_status = status_of(record, held),
      group_id = recipient.group_id } },
  })
end

local function send(gateway, message, marketing)
  local found, kind, template = message_fault(gateway, message, marketing)
  if found then return gateway:refuse(found) end
  local recipient = recipient_of(gateway, message)
  found = recipient_fault(gateway, recipient)
  if found then return gateway:refuse(found) end
  local problem, elsewhere = sandbox.problem(gateway.sandbox, recipient.wa_id, kind, message)
  if problem then
    return elsewhere and answers.error(131030, problem) or answers.meta(403, problem)
  end
  local record = accept(gateway, message, kind, recipient, category_of(message, kind, template, marketing))
  local failure = later_failure(gateway, record, message)
  local held = gateway.templates.pacing:keep(template, record, failure)
  if not held then progress.begin(gateway, record, statuses.order(record), failure) end
  return accepted(record, recipient, held)
end

-- ---- Marking as read -------------------------------------------------------------------------------

local function mark_read(gateway, body)
  local found = walker.walk(body, rules.mark_read, "", {})
  if found then return gateway:refuse(found) end
  local record = gateway.by_id[body.message_id]
  if not record or record.direction ~= "inbound" or gateway.clock:now() - record.at > MONTH then
    return answers.error(131009, "message_id is not the id of a message that was received")
  end
  record.read = true
  record.typing = not absent(body.typing_indicator) or nil
  return answers.success()
end

local function post_message(gateway, request)
  local body, refusal = gateway:json_body(request)
  if not body then return refusal end
  if not absent(body.status) then return mark_read(gateway, body) end
  return send(gateway, body, false)
end

local function post_marketing(gateway, request)
  local body, refusal = gateway:json_body(request)
  if not body then return refusal end
  if body.type ~= "template" then
    return answers.error(131055, "only templates can be sent as marketing messages")
  end
  return send(gateway, body, true)
end

--- Adds the routes of this section.
---@param route fun(method: string, path: string, handler: function)
function messages.routes(route)
  route("POST", "messages", post_message)
  route("POST", "marketing_messages", post_marketing)
  route("POST", "marketing/marketing_messages", post_marketing)
end

return messages
