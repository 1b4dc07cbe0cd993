-- Converts messages from the form that builders make to the form of On-Premise hosting (on-premise.md, section 2).

local copy = require("waba.message.parts").copy
local errors = require "waba.errors"

local type = type

local messages = {}

-- Options of `client:send` that only Cloud hosting has.
local CLOUD_OPTIONS = {
  "reply_to", "data", "identity_key_hash", "category", "ttl_seconds", "direct_send_config", "marketing",
}

-- Error texts for forms of recipients that only Cloud hosting has.
local CLOUD_RECIPIENTS = {
  user = "to is a business-scoped user id, which exists on Cloud hosting only",
  group = "to is a group, which exists on Cloud hosting only",
}

-- Each function converts the content of a message type, and may change the body.
local convert = {}

-- Builders write preview_url into `text`, as Cloud hosting does. On-Premise hosting has preview_url in the body.
function convert.text(body, text)
  if text.preview_url == nil then return text end
  body.preview_url, text = text.preview_url, copy(text)
  text.preview_url = nil
  return text
end

-- On On-Premise hosting, a language has a policy, which is always `deterministic`, and templates have a namespace.
function convert.template(_, template, defaults)
  local language, namespace = template.language, template.namespace
  local needs_policy = type(language) == "string" or type(language) == "table" and language.policy == nil
  local needs_namespace = namespace == nil and defaults.namespace ~= nil
  if not needs_policy and not needs_namespace then return template end
  template = copy(template)
  if needs_policy then
    template.language = { policy = "deterministic", code = type(language) == "table" and language.code or language }
  end
  if needs_namespace then template.namespace = defaults.namespace end
  return template
end

-- hsm is the older form of a template and requires a namespace. The schema does not check the namespace, because the
-- client may have a default namespace.
function convert.hsm(_, hsm, defaults)
  if hsm.namespace == nil and defaults.namespace == nil and defaults.validate then
    return nil, errors.invalid("hsm.namespace",
      "hsm.namespace is missing: expected it in the message, or as option namespace of waba.client")
  end
  return convert.template(nil, hsm, defaults)
end

--- Returns the body of POST /v1/messages (on-premise.md, section 2.1); nil and an error of kind "invalid". `to` has
--- digits only. `form` is the form of a recipient that only Cloud hosting has.
---@param to string
---@param message waba.Message
---@param defaults { namespace: string?, validate: boolean|string }
---@param options? waba.SendOptions
---@param form? "user"|"group"
function messages.encode(to, message, defaults, options, form)
  if form then return nil, errors.invalid("to", CLOUD_RECIPIENTS[form]) end
  if options then
    for i = 1, #CLOUD_OPTIONS do
      local name = CLOUD_OPTIONS[i]
      if options[name] ~= nil then
        return nil, errors.invalid(name, ("the option %s exists on Cloud hosting only: leave it out"):format(name))
      end
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
