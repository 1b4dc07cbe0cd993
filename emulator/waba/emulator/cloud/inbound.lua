-- Messages of customers (cloud.md, sections 4.5 and 4.6): the webhook of each type of message, made from the content that
-- the program gave.

local core = require "waba.core"

local responses = require "waba.emulator.cloud.responses"
local common = require "waba.emulator.messages"
local contacts = require "waba.emulator.contacts"
local json = require "waba.emulator.json"
local messages = require "waba.emulator.cloud.messages"

local inbound = {}

-- The content of each type ------------------------------------------------------------------------

local function base64_of_hex(hex)
  return core.base64((hex:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end)))
end

-- A media file. Webhooks have its hash in base64, the metadata has it in hexadecimal.
local function media_content(gateway, content)
  local event = { caption = content.caption, filename = content.filename }
  if content.undownloaded then
    event.mime_type, event.sha256 = content.type, content.sha256
    return event
  end
  local kept = gateway.media:get(content.media_id)
  event.id, event.mime_type, event.sha256 = kept.id, kept.type, base64_of_hex(kept.sha256)
  event.url = gateway:media_url(kept)
  return event
end

local function audio_content(voice)
  return function(gateway, content)
    local event = media_content(gateway, content)
    event.voice = voice
    return event
  end
end

local function sticker_content(gateway, content)
  local event = media_content(gateway, content)
  event.animated = content.animated == true
  return event
end

-- The reply of a flow is JSON within JSON.
local function nfm_reply(content)
  local data = content.data or {}
  return { name = content.name or "flow", body = content.body or "Sent",
    response_json = type(data) == "string" and data or json.encode(data) }
end

local function reply_content(_, content)
  local kind = content.kind
  if kind == "flow" then return { type = "nfm_reply", nfm_reply = nfm_reply(content) } end
  if kind == "call_permission" then
    return { type = "call_permission_reply", call_permission_reply = content.data }
  end
  if kind == "payment_method" then return { type = "payment_method", payment_method = content.data } end
  return common.reply(content)
end

local function button_content(_, content)
  return { payload = content.payload or content.text, text = content.text }
end

-- A system message, in the form of either gateway.
local function system_content(_, content)
  if content.type == "user_changed_number" then
    return { body = content.body, type = content.type, wa_id = content.new_wa_id or content.wa_id,
      user_id = content.user_id }
  elseif content.type == "user_identity_changed" then
    return { body = content.body, type = "customer_identity_changed", identity = content.identity }
  end
  return content
end

-- The platform's type of a message, and how its content is made; unchanged by default.
local MAKERS = {
  image = media_content, video = media_content, document = media_content, sticker = sticker_content,
  audio = audio_content(false), voice = audio_content(true),
  reply = reply_content, button = button_content, system = system_content,
}

local WIRE_TYPES = { reply = "interactive", voice = "audio", unknown = "unsupported", ephemeral = "unsupported" }

-- The message -------------------------------------------------------------------------------------

-- A message that WhatsApp can't deliver in full.
local function make_unsupported(event, content)
  local title = "Message type unknown"
  event.errors = event.errors or { { code = responses.number("type_unsupported"), title = title, message = title,
    error_data = { details = "Message type is currently not supported." } } }
  event.unsupported = { type = content and content.type or "unknown" }
end

local function identity_of(gateway, contact, content)
  if type(content) == "table" and content.type == "user_identity_changed" then
    local identity = contacts.identity_of(contact, gateway.clock)
    return { hash = identity.hash, created_timestamp = identity.created_timestamp,
      acknowledged = identity.acknowledged }
  end
end

-- Whether a message names the number of its sender. The one about a new user id never does (cloud.md, section 11.1).
local function has_number(contact, content)
  return not contact.hidden and not (type(content) == "table" and content.type == "user_changed_user_id")
end

local function message_event(gateway, contact, kind, content, options)
  local event = {
    from = has_number(contact, content) and contact.wa_id or nil, from_user_id = contact.user_id,
    id = options.id or messages.new_id(), timestamp = tostring(options.timestamp or gateway.clock:timestamp()),
    type = WIRE_TYPES[kind] or kind, context = common.context(gateway, options),
    referral = options.referral, errors = options.errors,
    identity = options.identity or identity_of(gateway, contact, content),
  }
  if options.raw then
    event.type = kind
    event[kind] = content
  elseif event.type == "unsupported" then
    make_unsupported(event, content)
  elseif content ~= nil then
    local maker = MAKERS[kind]
    event[event.type] = maker and maker(gateway, content) or content
  end
  for name, value in pairs(options.fields or {}) do event[name] = value end
  return event
end

--- The list `contacts` of a webhook about a customer.
---@param contact waba.emulator.Contact
---@return table[]
function inbound.profile(contact)
  return { { profile = { name = contact.name or "+" .. contact.wa_id, username = contact.username },
    wa_id = not contact.hidden and contact.wa_id or nil, user_id = contact.user_id,
    identity_key_hash = contact.identity and contact.identity.hash or nil } }
end

--- Lets a customer send a message.
---@param gateway table
---@param from string   a phone number
---@param kind string   a type of cloud.md, section 4.5, "reply" for interactive replies, "voice" for voice notes
---@param content any
---@param options table see waba.emulator.InboundOptions and waba.emulator.CustomerOptions; `raw`: the content is
---  sent unchanged
---@return string id    of the message
function inbound.customer_sends(gateway, from, kind, content, options)
  local contact = gateway.contacts:set(from, { name = options.name, user_id = options.user_id,
    username = options.username, hidden = options.hidden })
  local event = message_event(gateway, contact, kind, content, options)
  if common.keep_inbound(gateway, contact, kind, event) then
    local has_profile = options.profile ~= false and kind ~= "system"
    gateway:post_messages({ contacts = has_profile and inbound.profile(contact) or nil, messages = { event } },
      contact.wa_id, (options.standby or contact.standby) and "standby" or nil)
  end
  return event.id
end

--- Lets a customer take back a message it had sent.
---@param gateway table
---@param from string
---@param id string
---@return true
function inbound.customer_deletes(gateway, from, id)
  inbound.customer_sends(gateway, from, "revoke", { original_message_id = id }, { raw = true })
  return true
end

--- Posts errors that belong to no message.
---@param gateway table
---@param rows table[]
function inbound.post_errors(gateway, rows)
  gateway:post_messages({ errors = rows or { responses.row("generic") } }, "errors")
end

return inbound
