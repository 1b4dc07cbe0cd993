-- The On-Premise gateway (waba.360dialog.io): its addresses, endpoints, rates, envelopes and shapes.
-- Everything the rest of the library must know of this hosting is answered here.

local errors = require "waba.errors"
local on_premise_errors = require "waba.hosting.on_premise.errors"
local closed = require "waba.hosting.on_premise.closed"
local health = require "waba.hosting.on_premise.health"
local lacks = require "waba.hosting.on_premise.lacks"
local sent = require "waba.hosting.sent"
local values = require "waba.hosting.values"

local type = type

local on_premise = {
  name = "on_premise",
  base_url = "https://waba.360dialog.io",
  sandbox_url = "https://waba-sandbox.360dialog.io",
  -- 360dialog's capacity page: requests per second, and bursts
  pace = { messages = { rate = 50, burst = 150 }, other = { rate = 20, burst = 60 } },
  errors = on_premise_errors,
  read_health = health.read,
  read_sent = sent.read,
  lacks = lacks,
}

--- How one endpoint is called.
---@class waba.Endpoint
---@field method string
---@field path string          `{name}` stands for a value that is percent-encoded, `{+name}` for one that is already
---@field idempotent? boolean  may reach the gateway twice without harm
---@field class? string        which rate it counts against; "other" by default
---@field binary? boolean      a 2xx body is bytes, not JSON
---@field digest? fun(body: string): any  reads a 2xx body instead of the decoder, or gives nil
---@field query? table<string, any>  what every call of it asks
---@field is_elsewhere? boolean  another host than the gateway: what it says of its limits concerns nothing else

---@type table<string, waba.Endpoint>
on_premise.endpoints = {
  send = { method = "POST", path = "/v1/messages", class = "messages", digest = sent.digest },
  mark_read = { method = "PUT", path = "/v1/messages/{id}", idempotent = true },
  check_contacts = { method = "POST", path = "/v1/contacts", idempotent = true },
  block_contact = { method = "POST", path = "/v1/contacts/{number}/block", idempotent = true },
  get_identity = { method = "GET", path = "/v1/contacts/{wa_id}/identity", idempotent = true },
  acknowledge_identity = { method = "PUT", path = "/v1/contacts/{wa_id}/identity", idempotent = true },
  upload_media = { method = "POST", path = "/v1/media" },
  download_media = { method = "GET", path = "/v1/media/{id}", idempotent = true, binary = true },
  delete_media = { method = "DELETE", path = "/v1/media/{id}", idempotent = true },
  get_webhook = { method = "GET", path = "/v1/configs/webhook", idempotent = true },
  set_webhook = { method = "POST", path = "/v1/configs/webhook", idempotent = true },
  phone_number = { method = "GET", path = "/v1/configs/phone_number", idempotent = true },
  health = { method = "GET", path = "/v1/health", idempotent = true },
  list_templates = { method = "GET", path = "/v1/configs/templates", idempotent = true },
  create_template = { method = "POST", path = "/v1/configs/templates" },
  delete_template = { method = "DELETE", path = "/v1/configs/templates/{name}", idempotent = true },
  get_about = { method = "GET", path = "/v1/settings/profile/about", idempotent = true },
  set_about = { method = "PATCH", path = "/v1/settings/profile/about", idempotent = true },
  get_photo = { method = "GET", path = "/v1/settings/profile/photo", idempotent = true, binary = true },
  get_photo_link = {
    method = "GET", path = "/v1/settings/profile/photo", query = { format = "link" }, idempotent = true,
  },
  set_photo = { method = "POST", path = "/v1/settings/profile/photo", idempotent = true },
  get_business = { method = "GET", path = "/v1/settings/business/profile", idempotent = true },
  set_business = { method = "POST", path = "/v1/settings/business/profile", idempotent = true },
}

--- Whether 360dialog keeps a path closed on this gateway.
---@param path string
---@return boolean
on_premise.is_closed = closed.is_closed

-- Options of `client:send` that only Cloud hosting has a place for.
local CLOUD_OPTIONS = {
  reply_to = "quoted replies exist on Cloud hosting only",
  data = "attached data exists on Cloud hosting only",
  identity_key_hash = "messages for one identity only exist on Cloud hosting only",
  category = "Direct Send, which needs no approved template, exists on Cloud hosting only",
  ttl_seconds = "ttl_seconds belongs to Direct Send, which exists on Cloud hosting only",
  direct_send_config = "direct_send_config belongs to Direct Send, which exists on Cloud hosting only",
  marketing = "marketing messages exist on Cloud hosting only: templates go the ordinary way here",
}

-- Recipients that are no phone numbers, by their form.
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

-- What this gateway writes otherwise than the neutral form, by type: the body, the content.
local dialect = {}

-- preview_url stands at the top level here, inside `text` on Cloud.
function dialect.text(body, text)
  if text.preview_url == nil then return text end
  body.preview_url = text.preview_url
  return copy_without(text, "preview_url")
end

-- A language has a policy here (only `deterministic` is left), and templates have a namespace.
function dialect.template(_, template, defaults)
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

-- The old form needs a namespace, which the client may have given; so it is missed only here.
function dialect.hsm(_, hsm, defaults)
  if hsm.namespace == nil and defaults.namespace == nil and defaults.validate then
    return nil, errors.invalid("hsm.namespace", "hsm.namespace is missing: give it here, or to the client as namespace")
  end
  return dialect.template(nil, hsm, defaults)
end

--- The body of POST /v1/messages (on-premise.md, section 2.1).
---@param to string                        digits
---@param message waba.Message             in the neutral form
---@param defaults { namespace: string?, validate: boolean|string }  the client's
---@param options? table                   of `client:send`
---@param form? "user"|"group"            what `to` is, when it is no number
---@return table|nil body
---@return waba.Error? err
function on_premise.encode_message(to, message, defaults, options, form)
  if form then return nil, errors.invalid("to", CLOUD_RECIPIENTS[form]) end
  if options then
    for name, reason in pairs(CLOUD_OPTIONS) do
      if options[name] ~= nil then return nil, errors.invalid(name, reason) end
    end
  end
  local kind = message.type
  local body = { to = to, type = kind, recipient_type = "individual" }
  local content, write = message[kind], dialect[kind]
  if write and type(content) == "table" then
    local err
    content, err = write(body, content, defaults)
    if not content then return nil, err end
  end
  if kind ~= nil then body[kind] = content end
  return body
end

--- The request of `mark_read` (on-premise.md, section 3).
---@param id string
---@param options? { typing: boolean? }
---@return table|nil body
---@return table|waba.Error parameters  of the path, or the error
function on_premise.encode_read(id, options)
  if options and options.typing then
    return nil, errors.invalid("typing", "typing indicators exist on Cloud hosting only")
  end
  return { status = "read" }, { id = id }
end

--- Reads the answer to GET /v1/configs/phone_number (on-premise.md, section 7.1).
---@param json any
---@return string|nil digits
function on_premise.read_phone_number(json)
  return type(json) == "table" and values.phone_digits(json.phone_number) or nil
end

return on_premise
