-- What customers send (on-premise.md, section 11): the webhook of each type of message, made from what
-- the program injects.

local answers = require "waba.emulator.on_premise.answers"
local common = require "waba.emulator.inbound"
local json = require "waba.emulator.json"
local random = require "waba.emulator.random"
local statuses = require "waba.emulator.on_premise.statuses"

local inbound = {}

-- ---- The content of each type ----------------------------------------------------------------------

-- A media file: its id, unless the client did not download it.
local function media_content(gateway, content)
  local event = { caption = content.caption, filename = content.filename, metadata = content.metadata }
  if content.undownloaded then
    event.mime_type, event.sha256 = content.type, content.sha256 or random.hex(64)
    event.status = "undownloaded"
    return event
  end
  local kept = gateway.media:get(content.media_id)
  event.id, event.mime_type, event.sha256 = kept.id, kept.type, kept.sha256
  return event
end

local CONTACT_LISTS = { "addresses", "emails", "ims", "phones", "urls" }

-- The platform writes every list of a contact, empty or not.
local function contacts_content(_, content)
  for _, contact in ipairs(content) do
    for _, name in ipairs(CONTACT_LISTS) do
      if contact[name] == nil or next(contact[name]) == nil then
        contact[name] = json.empty_array
      end
    end
    contact.org = contact.org or {}
  end
  return content
end

local function reply_content(_, content)
  if content.kind == "flow" then
    return { type = "nfm_reply", nfm_reply = { name = content.name or "flow", body = content.body,
      response_json = json.encode(content.data or {}) } }
  end
  return common.reply(content)
end

local function button_content(_, content)
  return { text = content.text, payload = content.payload == nil and json.null or content.payload }
end

-- The platform's type of a message, and how its content is made; as it stands where nothing is said.
local MAKERS = {
  image = media_content, audio = media_content, voice = media_content, video = media_content,
  document = media_content, sticker = media_content,
  contacts = contacts_content, reply = reply_content, button = button_content,
}

local WIRE_TYPES = { reply = "interactive" }

-- What the On-Premise client can't show arrives like this.
local UNSUPPORTED = { unknown = true, ephemeral = true, reaction = true }

local function message_event(gateway, from, kind, content, options)
  local event = {
    from = from, id = options.id or "ABEG" .. random.letters(24),
    timestamp = tostring(options.timestamp or gateway.clock:timestamp()),
    type = WIRE_TYPES[kind] or kind, context = common.context(gateway, options),
    referral = options.referral, errors = options.errors, identity = options.identity,
  }
  if UNSUPPORTED[kind] and not options.raw then
    event.type = kind == "ephemeral" and kind or "unknown"
    event.errors = event.errors
      or { { code = 501, title = answers.codes[501].title, details = answers.codes[501].title } }
  elseif content ~= nil then
    local maker = not options.raw and MAKERS[kind]
    event[event.type] = maker and maker(gateway, content) or content
  end
  for name, value in pairs(options.fields or {}) do event[name] = value end
  return event
end

--- Lets a customer send a message.
---@param gateway table
---@param from string   a phone number
---@param kind string   a type of on-premise.md, section 11, "reply" for interactive replies
---@param content any
---@param options table see waba.emulator.InboundOptions; `raw`: content goes out as it stands
---@return string|nil id  of the message
---@return string? message
function inbound.message(gateway, from, kind, content, options)
  local contact = gateway.contacts:set(from, { name = options.name })
  -- What is forwarded often is forwarded too.
  options.forwarded = options.forwarded or options.frequently_forwarded or nil
  local event = message_event(gateway, contact.wa_id, kind, content, options)
  if common.keep(gateway, contact, kind, event) then
    local profile
    if kind ~= "system" and options.profile ~= false then
      profile = { { profile = { name = contact.name or "+" .. contact.wa_id }, wa_id = contact.wa_id } }
    end
    gateway.webhooks:post({ contacts = profile, messages = { event } }, contact.wa_id)
  end
  return event.id
end

--- Lets a customer delete a message it had sent.
---@param gateway table
---@param from string
---@param id string
function inbound.delete(gateway, from, id)
  statuses.deleted(gateway, id, gateway.contacts:get(from).wa_id)
end

return inbound
