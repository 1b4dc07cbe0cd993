-- Writes messages in the form of the On-Premise gateway: the body of POST /v1/messages. Builders make one form of a
-- message for both hostings; this file converts what differs on On-Premise hosting (on-premise.md, section 2).

local errors = require "waba.errors"

local type = type

local messages = {}

-- Options of `client:send` that exist on Cloud hosting only, each with its error text.
local CLOUD_OPTIONS = {
  reply_to = "quoted replies exist on Cloud hosting only",
  data = "attached data exists on Cloud hosting only",
  identity_key_hash = "messages for one identity only exist on Cloud hosting only",
  category = "Direct Send, which needs no approved template, exists on Cloud hosting only",
  ttl_seconds = "ttl_seconds belongs to Direct Send, which exists on Cloud hosting only",
  direct_send_config = "direct_send_config belongs to Direct Send, which exists on Cloud hosting only",
  marketing = "marketing messages exist on Cloud hosting only: send the template without this option",
}

-- Forms of recipients that exist on Cloud hosting only, each with its error text.
local CLOUD_RECIPIENTS = {
  user = "to is a business-scoped user id, which exists on Cloud hosting only",
  group = "to is a group, which exists on Cloud hosting only",
}

local function copy_without(source, name)
  local copy = {}
  for key, value in pairs(source) do
    if key ~= name then copy[key] = value end
  end
  return copy
end

-- Converts the content of a type from the form that builders make; may change the body.
local convert = {}

-- On this hosting preview_url is in the body; on Cloud hosting it is inside `text`.
function convert.text(body, text)
  if text.preview_url == nil then return text end
  body.preview_url = text.preview_url
  return copy_without(text, "preview_url")
end

-- On this hosting a language has a policy, which is always `deterministic`, and templates have a namespace.
function convert.template(_, template, defaults)
  local language, namespace = template.language, template.namespace
  local needs_policy = type(language) == "string" or type(language) == "table" and language.policy == nil
  local needs_namespace = namespace == nil and defaults.namespace ~= nil
  if not needs_policy and not needs_namespace then return template end
  local copy = copy_without(template)
  if needs_policy then
    copy.language = { policy = "deterministic", code = type(language) == "table" and language.code or language }
  end
  if needs_namespace then copy.namespace = defaults.namespace end
  return copy
end

-- The older form of templates requires a namespace. The namespace is checked here, because the client may have a
-- default.
function convert.hsm(_, hsm, defaults)
  if hsm.namespace == nil and defaults.namespace == nil and defaults.validate then
    return nil, errors.invalid("hsm.namespace",
      "hsm.namespace is missing: expected it in the message, or as option namespace of waba.client")
  end
  return convert.template(nil, hsm, defaults)
end

--- Writes the body of POST /v1/messages (on-premise.md, section 2.1).
---@param to string                        digits
---@param message waba.Message             the message in the form that builders make
---@param defaults { namespace: string?, validate: boolean|string }  the values of the client
---@param options? table                   the options of `client:send`
---@param form? "user"|"group"            the form of `to`, if it is not a phone number
function messages.encode(to, message, defaults, options, form)
  if form then return nil, errors.invalid("to", CLOUD_RECIPIENTS[form]) end
  if options then
    for name, reason in pairs(CLOUD_OPTIONS) do
      if options[name] ~= nil then return nil, errors.invalid(name, reason) end
    end
  end
  local kind = message.type
  local body = { to = to, type = kind, recipient_type = "individual" }
  local content, write = message[kind], convert[kind]
  if write and type(content) == "table" then
    local err
    content, err = write(body, content, defaults)
    if not content then return nil, err end
  end
  if kind ~= nil then body[kind] = content end
  return body
end

return messages
