-- Messages and the list of blocked customers (cloud.md, sections 2 and 8): accepts or refuses a message, posts the
-- webhooks of its statuses, and marks a customer's message as read.

local common_rules = require "waba.emulator.cloud.common_rules"
local contacts = require "waba.emulator.contacts"
local inbound = require "waba.emulator.inbound"
local json = require "waba.emulator.json"
local message_rules = require "waba.emulator.message_rules"
local refusals = require "waba.emulator.refusals"
local responses = require("waba.emulator.responses").cloud
local rules = require "waba.emulator.cloud.message_rules"
local template_check = require "waba.emulator.template_check"

local messages = {}

local checker = common_rules.checker
local new_error = checker.new_error
local required, text, object, list = message_rules.constructors()

-- Seconds for which a message can be quoted, marked as read or reacted to.
local MONTH = 30 * 86400

-- Returns the recipient of a message: a group, a user id, or a phone number.
local function recipient_of(gateway, message)
  local to = message.to
  if message.recipient_type == "group" then
    return { group_id = to, wa_id = to, contact = { status = "valid" }, input = to }
  elseif to == nil then
    local contact = gateway.contacts:by_user(message.recipient)
    return { contact = contact, wa_id = contact.wa_id or contact.user_id, by_user_id = true, input = contact.user_id }
  end
  local contact = gateway.contacts:find(to)
    or { status = contacts.usual_status(to), wa_id = gateway.contacts:wa_id(to) }
  return { contact = contact, wa_id = contact.wa_id, input = to }
end

local function can_react(gateway, id)
  local record = gateway.by_id[id]
  return record ~= nil and record.type ~= "reaction" and gateway.clock:now() - record.at < MONTH
end

-- Returns the failure of an accepted message for gateway:schedule_statuses, or nil.
local function later_failure(gateway, record, message)
  local contact, hash = record.contact, message.recipient_identity_key_hash
  local failure = gateway.failures:take_status(record.wa_id, record.type)
  local code, details
  if failure then
    return failure
  elseif contact.status ~= "valid" or contact.blocked then
    code, details = "undeliverable", "Message undeliverable."
  elseif record.category:find("^marketing") and contact.preferences
    and contact.preferences.marketing_messages == "stop" then
    code, details = "marketing_stopped", "The customer has stopped marketing messages of this business."
  elseif hash and not (contact.identity and contact.identity.hash == hash) then
    code, details = "identity_mismatch", "The identity key hash is not the current hash of the recipient."
  elseif gateway.options.window and record.type ~= "template" and not record.direct_send and not record.group_id
    and not record.window then
    code, details = "window_closed", "Message failed to send because more than 24 hours have passed since the customer"
      .. " last replied to this number."
  elseif record.type == "reaction" and not can_react(gateway, message.reaction.message_id) then
    code, details = "parameter_invalid", "The message to react to cannot be found."
  end
  return code and { errors = { responses.row(code, details) } } or nil
end

-- Statuses (cloud.md, section 4.7) ----------------------------------------------------------------

-- A reaction has no status after "sent". Only voice notes have the status "played".
local STATUSES = {
  reaction = { "sent" },
  voice = { "sent", "delivered", "read", "played" },
}
local USUAL = { "sent", "delivered", "read" }

function messages.schedule_statuses(gateway, record, failure)
  gateway:schedule_statuses(record, STATUSES[record.voice and "voice" or record.type] or USUAL, failure)
end

-- Returns the price of a message. The price depends on the category; messages in the customer's window are free,
-- except marketing and authentication.
local function pricing_of(record)
  local free = record.category == "service" or record.category == "utility" and record.window
  return { billable = not free, pricing_model = "PMP", type = free and "free_customer_service" or "regular",
    category = record.category }
end

-- Returns the phone number of the recipient; nil if the message was sent to the user id, or if the phone number is
-- hidden (cloud.md, section 11.1).
local function shown_number(record)
  return not record.by_user_id and not record.contact.hidden and record.wa_id or nil
end

-- Returns the customer, if the customer has a user id.
local function contacts_of(record, failed)
  local contact = record.contact
  if failed or record.group_id or not contact.user_id then return nil end
  return { { profile = { name = contact.name, username = contact.username }, user_id = contact.user_id,
    wa_id = shown_number(record) } }
end

function messages.post_status(gateway, record, status, errors)
  local group = record.group_id
  local event = { id = record.id, status = status, timestamp = tostring(gateway.clock:timestamp()),
    biz_opaque_callback_data = record.data, errors = errors, recipient_id = group or shown_number(record),
    recipient_type = group and "group" or nil, recipient_user_id = record.contact.user_id }
  if not errors and (status == "sent" or status == "delivered") then event.pricing = pricing_of(record) end
  gateway:post_messages({ contacts = contacts_of(record, errors ~= nil), statuses = { event } }, record.wa_id)
end

-- Sending -----------------------------------------------------------------------------------------

local function category_of(message, kind, template, marketing)
  if message.category ~= nil then return message.category end
  if kind ~= "template" then return "service" end
  if marketing then return "marketing_lite" end
  return template and template.category:lower() or "utility"
end

-- Checks a message. Returns the first error; or nil, the type of the message, and the template that the message uses.
local function message_error(gateway, message, marketing)
  local context = { find_media = gateway.find_media, marketing = marketing }
  context.find_products = message_rules.product_finder(gateway, "parameter_invalid", "parameter_invalid", context)
  local found, kind = rules.check(message, context)
  if found or kind ~= "template" then return found, kind end
  local template
  found, template = template_check.cloud(gateway.templates, message)
  if not found and marketing and template and template.category ~= "MARKETING" then
    found = new_error("marketing_only", "template: its category is %s: expected MARKETING", tostring(template.category))
  end
  return found, kind, template
end

local TOO_MANY = "Message failed to send because there were too many messages sent from this phone number%s in a short"
  .. " period of time."

local function recipient_error(gateway, recipient)
  if contacts.digits(recipient.input) == contacts.digits(gateway.options.number)
    and not recipient.group_id and not recipient.by_user_id then
    return new_error("recipient_is_sender", "to is the number of the sender: expected another number")
  end
  if not gateway.limits:take("messages") then
    return new_error("rate_limit", TOO_MANY, "")
  elseif not gateway.limits:take("pair", recipient.wa_id) then
    return new_error("pair_rate_limit", TOO_MANY, " to the same phone number")
  end
end

local function accept(gateway, message, kind, recipient, category)
  return gateway:keep({
    id = inbound.new_cloud_id(), direction = "outbound", to = recipient.input, wa_id = recipient.wa_id, type = kind,
    category = category, content = message[kind], statuses = {}, contact = recipient.contact,
    group_id = recipient.group_id, by_user_id = recipient.by_user_id, data = message.biz_opaque_callback_data,
    direct_send = message.category ~= nil or nil,
    voice = kind == "audio" and message.audio.voice == true or nil,
    window = gateway.contacts:window_open(recipient.contact),
    reply_to = message.context ~= nil and message.context.message_id or nil,
  })
end

local function accepted(record, recipient, held)
  local contact = { input = recipient.input, wa_id = not recipient.by_user_id and recipient.wa_id or nil,
    user_id = not recipient.group_id and recipient.contact.user_id or nil }
  return responses.json(200, {
    messaging_product = "whatsapp",
    contacts = { contact },
    messages = { { id = record.id, group_id = recipient.group_id,
      message_status = record.type == "template" and (held and "held_for_quality_assessment" or "accepted") or nil } },
  })
end

local function send(gateway, message, marketing)
  local found, kind, template = message_error(gateway, message, marketing)
  if found then return gateway:refuse(found) end
  local recipient = recipient_of(gateway, message)
  found = recipient_error(gateway, recipient)
  if found then return gateway:refuse(found) end
  local reason, is_recipient = refusals.sandbox_error(gateway.sandbox, recipient.wa_id, kind, message)
  if reason then
    return is_recipient and responses.error("recipient_not_allowed", reason) or responses.meta(403, reason)
  end
  local record = accept(gateway, message, kind, recipient, category_of(message, kind, template, marketing))
  recipient.contact.standby = nil -- sending takes control of the conversation (cloud.md, section 11.2)
  local failure = later_failure(gateway, record, message)
  local held = gateway.templates:hold_message(template, record, failure)
  if not held then messages.schedule_statuses(gateway, record, failure) end
  return accepted(record, recipient, held)
end

local function mark_read(gateway, body)
  local found = checker:first(body, rules.mark_read)
  if found then return gateway:refuse(found) end
  if not gateway:mark_read(body.message_id, MONTH, body.typing_indicator ~= nil) then
    return responses.error("parameter_invalid", ("message_id: %s is not the id of a message of the last 30 days from a "
      .. "customer"):format(tostring(body.message_id)))
  end
  return responses.success()
end

local function post_message(gateway, _, body)
  if body.status ~= nil then return mark_read(gateway, body) end
  return send(gateway, body, false)
end

local function post_marketing(gateway, _, body)
  if body.type ~= "template" then
    return responses.error("method_not_allowed", "type: a marketing message must have the type template, not "
      .. tostring(body.type))
  end
  return send(gateway, body, true)
end

-- The list of blocked customers -------------------------------------------------------------------

-- The largest number of users in the list, and in one request.
local MOST_BLOCKED, MOST_AT_ONCE = 64000, 1000

local BLOCK = object({
  messaging_product = common_rules.PRODUCT,
  block_users = required(list(object({ user = required(text(1)) }), 1, MOST_AT_ONCE)),
})

-- Blocks a user. Returns nil; or the name of an error code if the user can't be blocked.
local function block_one(gateway, contact, user)
  if contacts.digits(user) == contacts.digits(gateway.options.number) then return "recipient_is_sender" end
  if not gateway.contacts:window_open(contact) then return "window_closed" end
  if #gateway.blocked >= MOST_BLOCKED then return "block_list_full" end
  if not contact.blocked then table.insert(gateway.blocked, contact) end
  contact.blocked = true
end

local function unblock_one(gateway, contact)
  contact.blocked = nil
  for i = #gateway.blocked, 1, -1 do
    if gateway.blocked[i] == contact then table.remove(gateway.blocked, i) end
  end
end

-- Returns a handler that applies a function to each user in the body of a request. `name` is the name of the response
-- field with the users that were changed.
local function user_changer(name, apply)
  return function(gateway, _, body)
    local changed, failed = {}, {}
    for _, row in ipairs(body.block_users) do
      local contact = gateway.contacts.users[row.user] or gateway.contacts:find(row.user) or {}
      local entry = { input = row.user, wa_id = contact.wa_id, user_id = contact.user_id }
      local code = apply(gateway, contact, row.user)
      if code then
        local title = responses.title(code)
        entry.errors = { { code = responses.number(code), message = title, error_data = { details = title } } }
      end
      table.insert(code and failed or changed, entry)
    end
    local users = { [name] = changed[1] and changed or nil, failed_users = failed[1] and failed or nil }
    if #failed == 0 then return responses.json(200, { messaging_product = "whatsapp", block_users = users }) end
    local mixed = json.decode(responses.error("block_failed", "some users were not blocked: see failed_users").body)
    mixed.messaging_product, mixed.block_users = "whatsapp", users
    mixed.error.messaging_product = "whatsapp"
    return responses.json(400, mixed)
  end
end

local function get_blocked(gateway, request)
  local found = {}
  for i, contact in ipairs(gateway.blocked) do
    found[i] = { messaging_product = "whatsapp", wa_id = contact.wa_id, user_id = contact.user_id }
  end
  return responses.page(gateway, request, found, 1000)
end

messages.routes = {
  { "POST", "messages", post_message, message_rules.BODY },
  { "POST", "marketing_messages", post_marketing, message_rules.BODY },
  { "POST", "marketing/marketing_messages", post_marketing, message_rules.BODY },
  { "GET", "block_users", get_blocked },
  { "POST", "block_users", user_changer("added_users", block_one), BLOCK },
  { "DELETE", "block_users", user_changer("removed_users", unblock_one), BLOCK },
}

return messages
