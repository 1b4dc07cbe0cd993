-- Messages of customers (on-premise.md, section 11; cloud.md, sections 4.5 and 4.6): creates their webhooks from the
-- content that the program has specified, and finds the buttons that customers can tap.

local encoding = require "waba.encoding"
local json = require "waba.emulator.json"
local random = require "waba.emulator.random"
local responses = require "waba.emulator.responses"
local template_store = require "waba.emulator.template_store"

local inbound = {}

-- Returns the content of a media message, and the stored file. A file that WhatsApp has not downloaded has no id.
local function media_content(gateway, content)
  local event = { caption = content.caption, filename = content.filename }
  if content.undownloaded then
    event.mime_type, event.sha256 = content.type, content.sha256
    return event
  end
  local kept = gateway.media:get(content.media_id)
  event.id, event.mime_type, event.sha256 = kept.id, kept.type, kept.sha256
  return event, kept
end

-- Returns the content of a reply to a list, to reply buttons or to a flow.
local function reply_content(content, usual_body)
  if content.kind == "flow" then
    local data = content.data or {}
    return { type = "nfm_reply", nfm_reply = { name = content.name or "flow", body = content.body or usual_body,
      response_json = type(data) == "string" and data or json.encode(data) } }
  end
  local kind = content.kind == "list" and "list_reply" or "button_reply"
  return { type = kind, [kind] = { id = content.id, title = content.title,
    description = kind == "list_reply" and content.description or nil } }
end

-- The differences between the hostings ------------------------------------------------------------

-- `types` maps a type to the platform's name, if the names differ. `unsupported` maps each type whose content the
-- platform does not report to the `type` in the webhook. `makers` has the functions that convert the content of a type.
local on_premise = {
  types = { reply = "interactive" },
  unsupported = { unknown = "unknown", ephemeral = "ephemeral", reaction = "unknown" },
  makers = { reply = function(_, content) return reply_content(content) end },
}

function on_premise.new_id() return "ABEG" .. random.letters(24) end

function on_premise.add_sender(event, _, contact) event.from = contact.wa_id end

function on_premise.add_unsupported(event)
  local title = responses.on_premise.title("type_unsupported")
  event.errors = event.errors
    or { { code = responses.on_premise.number("type_unsupported"), title = title, details = title } }
end

function on_premise.profile(contact)
  return { { profile = { name = contact.name or "+" .. contact.wa_id }, wa_id = contact.wa_id } }
end

local function on_premise_media(gateway, content)
  local event, kept = media_content(gateway, content)
  event.metadata = content.metadata
  if not kept then event.status, event.sha256 = "undownloaded", event.sha256 or random.hex(64) end
  return event
end

-- On-Premise webhooks have all list fields of a contact, even empty ones.
function on_premise.makers.contacts(_, content)
  for _, contact in ipairs(content) do
    for _, name in ipairs({ "addresses", "emails", "ims", "phones", "urls" }) do
      if contact[name] == nil or next(contact[name]) == nil then contact[name] = json.empty_array end
    end
    contact.org = contact.org or {}
  end
  return content
end

function on_premise.makers.button(_, content)
  return { text = content.text, payload = content.payload == nil and json.null or content.payload }
end

local cloud = {
  types = { reply = "interactive", voice = "audio" },
  unsupported = { unknown = "unsupported", ephemeral = "unsupported", unsupported = "unsupported" },
  makers = {},
}

function cloud.new_id() return "wamid." .. encoding.base64("\28\24" .. random.letters(28) .. "\0") end

-- The system message about a new user id has no phone number (cloud.md, section 11.1).
function cloud.add_sender(event, gateway, contact, content)
  local system = type(content) == "table" and content.type
  event.from = not contact.hidden and system ~= "user_changed_user_id" and contact.wa_id or nil
  event.from_user_id = contact.user_id
  if system == "user_identity_changed" and not event.identity then
    local identity = gateway.contacts:identity_of(contact)
    event.identity = { hash = identity.hash, created_timestamp = identity.created_timestamp,
      acknowledged = identity.acknowledged }
  end
end

function cloud.add_unsupported(event, content)
  local title = "Message type unknown"
  event.errors = event.errors or { { code = responses.cloud.number("type_unsupported"), title = title,
    message = title, error_data = { details = "Message type is currently not supported." } } }
  event.unsupported = { type = content and content.type or "unknown" }
end

function cloud.profile(contact)
  return { { profile = { name = contact.name or "+" .. contact.wa_id, username = contact.username },
    wa_id = not contact.hidden and contact.wa_id or nil, user_id = contact.user_id,
    identity_key_hash = contact.identity and contact.identity.hash or nil } }
end

local function base64_of_hex(hex)
  return encoding.base64((hex:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end)))
end

-- A webhook has the hash of a file in base64, but the response to GET /MEDIA_ID has the hash in hexadecimal.
local function cloud_media(gateway, content, kind)
  local event, kept = media_content(gateway, content)
  if kept then event.sha256, event.url = base64_of_hex(kept.sha256), gateway:media_url(kept) end
  if kind == "audio" or kind == "voice" then event.voice = kind == "voice" end
  if kind == "sticker" then event.animated = content.animated == true end
  return event
end
for _, kind in ipairs({ "image", "audio", "voice", "video", "document", "sticker" }) do
  on_premise.makers[kind], cloud.makers[kind] = on_premise_media, cloud_media
end

function cloud.makers.reply(_, content)
  if content.kind == "call_permission" then
    return { type = "call_permission_reply", call_permission_reply = content.data }
  elseif content.kind == "payment_method" then
    return { type = "payment_method", payment_method = content.data }
  end
  return reply_content(content, "Sent")
end

function cloud.makers.button(_, content) return { payload = content.payload or content.text, text = content.text } end

-- Converts a system message that the program wrote in the form of On-Premise hosting.
function cloud.makers.system(_, content)
  if content.type == "user_changed_number" then
    return { body = content.body, type = content.type, wa_id = content.new_wa_id or content.wa_id,
      user_id = content.user_id }
  elseif content.type == "user_identity_changed" then
    return { body = content.body, type = "customer_identity_changed", identity = content.identity }
  end
  return content
end

local HOSTINGS = { on_premise = on_premise, cloud = cloud }

inbound.new_cloud_id, inbound.cloud_profile = cloud.new_id, cloud.profile

-- Returns the field `context` of a message, or nil.
local function context_of(gateway, options)
  local context = {}
  if options.reply_to then
    local quoted = gateway.by_id[options.reply_to]
    context.id = options.reply_to
    context.from = quoted and quoted.direction == "inbound" and quoted.wa_id or gateway.options.number
  end
  for _, name in ipairs({ "forwarded", "frequently_forwarded", "referred_product", "mentions" }) do
    context[name] = options[name]
  end
  if gateway.kind == "on_premise" and context.frequently_forwarded then context.forwarded = true end
  return next(context) and context or nil
end

local function new_event(gateway, contact, kind, content, options)
  local own = HOSTINGS[gateway.kind]
  local unsupported = not options.raw and own.unsupported[kind]
  local event = {
    id = options.id or own.new_id(), timestamp = tostring(options.timestamp or gateway.clock:timestamp()),
    type = unsupported or not options.raw and own.types[kind] or kind, context = context_of(gateway, options),
    referral = options.referral, errors = options.errors, identity = options.identity,
  }
  own.add_sender(event, gateway, contact, content)
  if unsupported then
    own.add_unsupported(event, content)
  elseif content ~= nil then
    local maker = not options.raw and own.makers[kind]
    event[event.type] = maker and maker(gateway, content, kind) or content
  end
  for name, value in pairs(options.fields or {}) do event[name] = value end
  return event
end

-- Stores a message of a customer, and opens the 24-hour window. Returns whether a webhook is posted for the message.
local function keep(gateway, contact, kind, event)
  local sandbox = gateway.sandbox
  if sandbox then sandbox.number = sandbox.number or contact.wa_id end
  if kind ~= "system" then contact.last_inbound = gateway.clock:now() end
  gateway:keep({ id = event.id, direction = "inbound", wa_id = contact.wa_id, type = event.type,
    content = event[event.type], reply_to = event.context and event.context.id })
  return not (contact.blocked or sandbox and sandbox.number ~= contact.wa_id)
end

--- Sends a message from a customer with the phone number `from`, and returns the id of the message. `kind` is a message
--- type of the platform, "reply" for interactive replies, or "voice" for voice notes. The options are those of
--- waba.emulator.InboundOptions and waba.emulator.CustomerOptions; with `raw` the content is not converted.
function inbound.customer_sends(gateway, from, kind, content, options)
  local contact = gateway.contacts:set(from, options)
  local event = new_event(gateway, contact, kind, content, options)
  if keep(gateway, contact, kind, event) then
    local has_profile = options.profile ~= false and kind ~= "system"
    gateway:post_messages({ contacts = has_profile and HOSTINGS[gateway.kind].profile(contact) or nil,
      messages = { event } }, contact.wa_id, (options.standby or contact.standby) and "standby" or nil)
  end
  return event.id
end

--- Sends the system message about a new phone number or user id of a customer, and returns the id of the message. The
--- message does not contain a phone number that the customer hides.
function inbound.customer_changed(gateway, contact, number, user_id)
  local system = { type = "user_changed_user_id", user_id = user_id,
    body = ("User %s changed the user id"):format(contact.name or contact.user_id) }
  if number and not contact.hidden then
    system = { type = "user_changed_number", new_wa_id = number, user_id = user_id,
      body = ("User %s changed from %s to %s"):format(contact.name or contact.wa_id, contact.wa_id, number) }
  end
  return inbound.customer_sends(gateway, contact.wa_id, "system", system, {})
end

--- Returns a random business-scoped user id.
function inbound.new_user_id() return "DE." .. random.digits(16) end

--- Changes the phone number of a customer, and sends the system message about the change. On Cloud hosting a customer
--- with a user id also gets a new user id.
function inbound.change_number(gateway, contact, arguments)
  local has_user_id = gateway.kind == "cloud" and (arguments.user_id or contact.user_id)
  local user_id = has_user_id and (arguments.user_id or inbound.new_user_id()) or nil
  local id = inbound.customer_changed(gateway, contact, arguments.to, user_id)
  gateway.contacts:move(contact, arguments.to, user_id)
  return { id = id, user_id = user_id }
end

-- What a customer can tap -------------------------------------------------------------------------

local function tapped_reply(content, choice)
  for _, button in ipairs(content.action.buttons or {}) do
    if button.reply.id == choice or button.reply.title == choice then
      return { kind = "button", id = button.reply.id, title = button.reply.title }
    end
  end
  for _, section in ipairs(content.action.sections or {}) do
    for _, row in ipairs(section.rows or {}) do
      if row.id == choice or row.title == choice then
        return { kind = "list", id = row.id, title = row.title, description = row.description }
      end
    end
  end
end

-- Finds a quick-reply button of a template message. The text of the button is in the template, its payload in the
-- message.
local function tapped_button(gateway, content, choice)
  local template = gateway.templates:find(content.name, content.language.code) or {}
  local texts, payloads = {}, {}
  for index, button in pairs(template_store.by_type(template.components).buttons) do
    texts[index] = button.type == "QUICK_REPLY" and button.text or nil
  end
  for index, component in pairs(template_store.by_type(content.components).buttons) do
    if component.sub_type:lower() == "quick_reply" then
      payloads[index] = (template_store.parameters_of(component)[1] or {}).payload
      texts[index] = texts[index] or payloads[index]
    end
  end
  for index, text in pairs(texts) do
    if choice == text or choice == payloads[index] then return { text = text, payload = payloads[index] } end
  end
end

--- Finds a button or a row in a sent message by its id, title, text or payload. Returns the type ("reply" or "button")
--- and the content of the message that the customer sends by tapping; or nil and an error message.
function inbound.find_tapped(gateway, id, choice)
  local record, message = gateway:find_sent(id)
  if not record then return nil, message end
  local content
  if record.type == "interactive" then
    content = tapped_reply(record.content, choice)
    -- The platform converts a message of the Direct Send API to a template, so the customer taps a template's button.
    if content and record.direct_send then return "button", { text = content.title, payload = content.id } end
  elseif record.type == "template" then
    content = tapped_button(gateway, record.content, choice)
  end
  if not content then
    return nil, ("message %s has no button or row with the id, title, text or payload %q"):format(id, tostring(choice))
  end
  return record.type == "interactive" and "reply" or "button", content
end

return inbound
