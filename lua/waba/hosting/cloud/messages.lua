-- Converts messages from the form that builders make to the form of Cloud hosting (cloud.md, section 2).

local copy = require("waba.message.parts").copy
local core = require "waba.core"
local errors = require "waba.errors"

local type, pairs = type, pairs

local messages = {}

-- The largest number of characters in the option `data` (cloud.md, section 2.1).
local MOST_DATA = 512

-- The types of messages that can be sent to a group (cloud.md, section 2.19).
local FOR_GROUPS = {
  text = true, image = true, audio = true, video = true, document = true, sticker = true, template = true, pin = true,
}

-- Removes the namespace, because a program that sends templates on both hostings may set it.
local function convert_template(template)
  local language = template.language
  local is_code = type(language) == "string"
  if not is_code and template.namespace == nil then return template end
  template = copy(template)
  template.namespace = nil
  if is_code then template.language = { code = language } end
  return template
end

local invalid = errors.invalid

-- Each function writes an option of `client:send` into the body, or returns an error.
local write_option = {}

function write_option.check_contact()
  return invalid("check_contact", "the option check_contact exists on On-Premise hosting only: "
    .. "on Cloud hosting send the message without it, and the result has the wa_id")
end

function write_option.reply_to(body, id, message)
  if message.type == "reaction" then
    return invalid("reply_to", "reply_to is not allowed with a reaction, which can't quote")
  end
  if id == "" then return invalid("reply_to", "reply_to is empty; the id of a message is needed") end
  body.context = { message_id = id }
end

function write_option.data(body, data, _, validate)
  local length = core.utf8_length(data)
  if validate and length and length > MOST_DATA then
    return invalid("data", ("data has %d characters; at most %d are allowed"):format(length, MOST_DATA))
  end
  body.biz_opaque_callback_data = data
end

function write_option.identity_key_hash(body, hash)
  if hash == "" then
    return invalid("identity_key_hash", "identity_key_hash is empty; the hash from a webhook is needed")
  end
  body.recipient_identity_key_hash = hash
end

-- The further fields of POST /marketing_messages (cloud.md, section 2.21).
local MARKETING = { product_policy = "string", message_activity_sharing = "boolean", bid_spec = "table" }
local POLICIES = { CLOUD_API_FALLBACK = true, STRICT = true }

function write_option.marketing(body, marketing, message, validate)
  if marketing and validate and message.type ~= "template" then
    return invalid("marketing", "marketing takes templates only, not a message of type " .. tostring(message.type))
  end
  if type(marketing) ~= "table" then return nil end
  for name, value in pairs(marketing) do
    local path = "marketing." .. tostring(name)
    local wanted = MARKETING[name]
    if not wanted then
      return invalid(path,
        ("%s is unknown: expected product_policy, message_activity_sharing or bid_spec"):format(path))
    end
    if type(value) ~= wanted then
      return invalid(path, ("%s must be a %s, not a %s"):format(path, wanted, type(value)))
    end
    if name == "product_policy" and validate and not POLICIES[value] then
      return invalid(path, "marketing.product_policy must be CLOUD_API_FALLBACK or STRICT")
    end
    body[name] = value
  end
end

-- Each function writes a recipient of one form into the body, or returns an error (cloud.md, section 2.2).
local address = {}

function address.user(body, to) body.recipient = to end

function address.group(body, to, message, validate)
  local kind = message.type
  if validate and not FOR_GROUPS[kind] then
    return invalid("type", ('type is "%s", which can\'t be sent to a group; texts, media and templates can'):format(
      tostring(kind)))
  end
  body.to, body.recipient_type = to, "group"
end

-- Writes the fields of a message without an approved template, or returns an error (cloud.md, section 11.3).
local function write_direct_send(body, message, form, validate)
  local category = message.category
  if category == nil then return nil end
  if validate and category == "authentication" and form == "user" then
    return invalid("category", "category is authentication, which can't be sent to a business-scoped user id; "
      .. "a phone number is needed")
  end
  body.category, body.ttl_seconds, body.direct_send_config = category, message.ttl_seconds, message.direct_send_config
end

--- Returns the body of POST /messages or POST /marketing_messages (cloud.md, sections 2.1 and 2.21); nil and an error
--- of kind "invalid". `to` is a phone number in digits, or an id whose form is `form`.
---@param to string
---@param message waba.Message
---@param defaults { validate: boolean|string }
---@param options? waba.SendOptions
---@param form? "user"|"group"
function messages.encode(to, message, defaults, options, form)
  local kind, validate = message.type, defaults.validate
  local body = { messaging_product = "whatsapp", recipient_type = "individual", type = kind }
  if form then
    local refusal = address[form](body, to, message, validate)
    if refusal then return nil, refusal end
  else
    -- without "+" the platform may insert the country code of the sender
    body.to = "+" .. to
  end
  if kind == "pin" and validate and form ~= "group" then
    return nil, invalid("to", "to must be a group, { group_id = … }: messages are pinned in groups only")
  end
  local content = message[kind]
  if kind == "template" and type(content) == "table" then content = convert_template(content) end
  if kind ~= nil then body[kind] = content end
  local err = write_direct_send(body, message, form, validate)
  if err then return nil, err end
  if options then
    for name, write_one in pairs(write_option) do
      if options[name] ~= nil then
        err = write_one(body, options[name], message, validate)
        if err then return nil, err end
      end
    end
  end
  return body
end

return messages
