-- What customers send (reference, section 11): the webhook of each type of message, made from what
-- the program injects.

local answers = require "waba.emulator.on_premise.answers"
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
  local kind = content.kind
  if kind == "flow" then
    return { type = "nfm_reply", nfm_reply = { name = content.name or "flow", body = content.body,
      response_json = json.encode(content.data or {}) } }
  elseif kind == "list" then
    return { type = "list_reply",
      list_reply = { id = content.id, title = content.title, description = content.description } }
  end
  return { type = "button_reply", button_reply = { id = content.id, title = content.title } }
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

local function context_of(gateway, options)
  local context = {}
  if options.reply_to then
    local quoted = gateway.by_id[options.reply_to]
    context.id = options.reply_to
    context.from = quoted and quoted.direction == "inbound" and quoted.wa_id or gateway.options.number
  end
  context.forwarded = options.forwarded or options.frequently_forwarded or nil
  context.frequently_forwarded = options.frequently_forwarded
  context.referred_product = options.referred_product
  context.mentions = options.mentions
  return next(context) and context or nil
end

local function message_event(gateway, from, kind, content, options)
  local event = {
    from = from, id = options.id or "ABEG" .. random.letters(24),
    timestamp = tostring(options.timestamp or gateway.clock:timestamp()),
    type = WIRE_TYPES[kind] or kind, context = context_of(gateway, options),
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
  for name, value in pairs(options.fields or {}) do
    event[name] = value
  end
  return event
end

--- Lets a customer send a message.
---@param gateway table
---@param from string   a phone number
---@param kind string   a type of section 11, "reply" for interactive replies
---@param content any
---@param options table see waba.emulator.InboundOptions; `raw`: content goes out as it stands
---@return string|nil id  of the message
---@return string? message
function inbound.message(gateway, from, kind, content, options)
  local contact = gateway.contacts:set(from, { name = options.name })
  if gateway.sandbox then
    gateway.sandbox.number = gateway.sandbox.number or contact.wa_id
  end
  local event = message_event(gateway, contact.wa_id, kind, content, options)
  if kind ~= "system" then
    contact.last_inbound = gateway.clock:now()
  end
  local record = { id = event.id, direction = "inbound", wa_id = contact.wa_id, type = event.type,
    at = gateway.clock:now(), content = event[event.type] }
  gateway.messages:add(record)
  gateway.by_id[record.id] = record
  local hidden = contact.blocked or gateway.sandbox and gateway.sandbox.number ~= contact.wa_id
  if not hidden then
    local profile
    if kind ~= "system" and options.profile ~= false then
      profile = { { profile = { name = contact.name or "+" .. contact.wa_id }, wa_id = contact.wa_id } }
    end
    gateway.webhooks:post({ contacts = profile, messages = { event } }, contact.wa_id)
  end
  return event.id
end

-- ---- Taps on what was sent -------------------------------------------------------------------------

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

-- A quick-reply button of a template: its text is in the template, its payload in the message.
local function tapped_button(gateway, content, choice)
  local template = gateway.templates:find_any(content.name, content.language.code)
  local texts = {}
  for _, component in ipairs(template and template.components or {}) do
    for i, button in ipairs(component.buttons or {}) do
      texts[i - 1] = button.type == "QUICK_REPLY" and button.text or nil
    end
  end
  local payloads = {}
  for _, component in ipairs(content.components or {}) do
    if component.type == "button" and component.sub_type == "quick_reply" then
      local index = tonumber(component.index)
      payloads[index] = component.parameters and component.parameters[1] and component.parameters[1].payload
      texts[index] = texts[index] or payloads[index]
    end
  end
  for index, text in pairs(texts) do
    if choice == text or choice == payloads[index] then
      return { text = text, payload = payloads[index] }
    end
  end
end

--- Lets a customer tap a button or a list's row of a message it received.
---@param gateway table
---@param from string
---@param id string       of the message
---@param choice string   the id, title, text or payload of what is tapped
---@param options table
---@return string|nil id  of the customer's message
---@return string? message
function inbound.tap(gateway, from, id, choice, options)
  local record = gateway.by_id[id]
  if not record or record.direction ~= "outbound" then
    return nil, "there is no sent message " .. tostring(id)
  end
  options.reply_to = id
  local content
  if record.type == "interactive" then
    content = tapped_reply(record.content, choice)
  elseif record.type == "template" then
    content = tapped_button(gateway, record.content, choice)
  end
  if not content then
    return nil, ("message %s has nothing to tap that is called %q"):format(id, tostring(choice))
  end
  return inbound.message(gateway, from, record.type == "interactive" and "reply" or "button", content, options)
end

--- Lets a customer delete a message it had sent.
---@param gateway table
---@param from string
---@param id string
function inbound.delete(gateway, from, id)
  statuses.deleted(gateway, id, gateway.contacts:get(from).wa_id)
end

return inbound
