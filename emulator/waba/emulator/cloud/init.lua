-- The Cloud gateway: one number with everything that belongs to it, as 360dialog's proxy in front of
-- Meta's Cloud API shows it (cloud.md, sections 1 to 8).

local core = require "waba.core"

local account = require "waba.emulator.cloud.account"
local block_list = require "waba.emulator.cloud.block_list"
local contacts = require "waba.emulator.contacts"
local gateways = require "waba.emulator.gateway"
local limits = require "waba.emulator.limits"
local media = require "waba.emulator.cloud.media"
local messages = require "waba.emulator.cloud.messages"
local number = require "waba.emulator.cloud.number"
local responses = require("waba.emulator.responses").cloud
local templates = require "waba.emulator.cloud.templates"
local traffic = require "waba.emulator.cloud.traffic"
local template_library = require "waba.emulator.cloud.template_library"
local webhook_address = require "waba.emulator.webhook_address"

local checker = require("waba.emulator.cloud.common_rules").checker

local cloud = {}

---@class waba.emulator.Cloud : waba.emulator.GatewayBase
local Gateway = gateways.class("waba.emulator.Cloud")
Gateway.checker, Gateway.responses, Gateway.BAD_BODY = checker, responses, "invalid_parameter"
Gateway.post_status = messages.post_status
Gateway.set_health, Gateway.media_url, Gateway.traffic = number.set_health, media.url, traffic

local ROUTES = gateways.routes({ account, block_list, media, messages, number, templates,
  template_library, webhook_address, webhook_address.cloud })

-- cloud.md, sections 7.1, 7.2 and 7.4.
local RATES = { messages = { rate = 80, burst = 80 }, pair = { rate = 1 / 6, burst = 45 },
  media = { rate = 25, burst = 25 } }

-- The mark of a customer's media: how long it is kept.
Gateway.INBOUND_MEDIA = media.INBOUND

-- Webhooks (cloud.md, section 4.4) ----------------------------------------------------------------

--- How webhooks are written: changes in the envelope of the Graph API.
---@param options table
---@return waba.emulator.WebhookShape
function cloud.webhook_shape(options)
  return {
    join = function(events, more)
      for _, change in ipairs(more.changes) do table.insert(events.changes, change) end
    end,
    body = function(events)
      return { object = "whatsapp_business_account",
        entry = { { id = options.waba_id, time = events.time, changes = events.changes } } }
    end,
    sign = function(body)
      return options.secret and "sha256=" .. core.hmac_sha256(options.secret, body) or nil
    end,
  }
end

-- Messages have the number's address, updates of the account have the account's; each is used if the other is missing.
local function address_for(self, first, second)
  return self.webhooks.addresses[first] and first or second
end

-- Fields whose values name the number as messages do.
local WITH_METADATA = { user_preferences = true, smb_message_echoes = true, message_echoes = true, history = true,
  calls = true, smb_app_state_sync = true, group_lifecycle_update = true, group_participants_update = true,
  group_settings_update = true, group_status_update = true, messages = true, standby = true, user_id_update = true }

-- Adds the number to a value of a field that names it.
local function with_number(self, field, value)
  local number_fields = { display_phone_number = self.options.number, phone_number_id = self.options.phone_number_id }
  if WITH_METADATA[field] and value.metadata == nil then
    value.messaging_product, value.metadata = "whatsapp", number_fields
  elseif field == "messaging_handovers" then
    value.recipient = value.recipient or number_fields
  end
  return value
end

--- Posts a change that concerns a customer.
---@param value table    contacts, messages, statuses, errors …
---@param key string     changes with the same key keep their order
---@param field? string  "messages" by default
function Gateway:post_messages(value, key, field)
  field = field or "messages"
  self.webhooks:post({ changes = { { field = field, value = with_number(self, field, value) } } }, key,
    address_for(self, "number", webhook_address.ACCOUNT))
end

--- Posts errors that belong to no message.
---@param rows? table[]
function Gateway:post_errors(rows) self:post_messages({ errors = rows or { responses.row("generic") } }, "errors") end

--- Lets a customer take back a message that it has sent.
---@param from string
---@param id string
---@return true
function Gateway:customer_deletes(from, id)
  self:customer_sends(from, "revoke", { original_message_id = id }, { raw = true })
  return true
end

--- Posts a change of any field.
---@param field string
---@param value table
function Gateway:post_change(field, value)
  value = with_number(self, field, value)
  self.webhooks:post({ changes = { { field = field, value = value } }, time = self.clock:timestamp() }, field,
    address_for(self, webhook_address.ACCOUNT, "number"))
end

-- What the sections use ---------------------------------------------------------------------------

--- Returns an error response of the Graph API.
---@param code string|integer
---@param details? string
---@param status? integer
---@return waba.emulator.Response
function Gateway:error(code, details, status) return responses.error(code, details, nil, status) end

--- The response for a path that does not exist.
---@return waba.emulator.Response
function Gateway:no_such_path() return responses.meta(404, "No such resource") end

--- Whether a message can be reacted to.
---@param id string
---@param longest number  seconds
---@return boolean
function Gateway:can_react(id, longest)
  local record = self.by_id[id]
  return record ~= nil and record.type ~= "reaction" and self.clock:now() - record.at < longest
end

--- Counts a message for the rate limits.
---@param wa_id string
---@return waba.emulator.RuleError|nil
function Gateway:take_rates(wa_id)
  if not self.limits:take("messages") then
    return checker.new_error("rate_limit",
      "Message failed to send because there were too many messages sent from this phone"
      .. " number in a short period of time.")
  elseif not self.limits:take("pair", wa_id) then
    return checker.new_error("pair_rate_limit",
      "Message failed to send because there were too many messages sent from this phone"
      .. " number to the same phone number in a short period of time.")
  end
end

--- Returns what the program needs to use the gateway.
---@return table
function Gateway:describe()
  local options = self.options
  return { url = self.url, api_key = options.api_key, number = options.number,
    phone_number_id = options.phone_number_id, waba_id = options.waba_id }
end

-- Requests ----------------------------------------------------------------------------------------

--- Where the body of a request goes, and how long it may be.
---@param request waba.emulator.Request
---@return { limit: integer, file: string? }
function Gateway:expects(request)
  return request.method == "POST" and self:authorized(request) and media.expects(self, request)
    or { limit = gateways.MAX_JSON }
end

-- The sandbox has messages and the webhook address only, under /v1.
local function sandboxed(self, request)
  if not self.sandbox then
    return false
  elseif request.path == "/v1/messages" then
    request.segments = { "messages" }
    return false
  end
  return request.path ~= "/v1/configs/webhook"
end

local function blocked(request)
  return responses.meta(403, ("This URL %s is blocked."):format(request.path))
end

-- The response beyond a rate; messages have their own.
local function over_rate(self, request)
  if request.segments[1] == "messages" or request.segments[1] == "marketing_messages" then
    return nil
  elseif request.method == "POST" and request.path == "/media" then
    return not self.limits:take("media")
      and responses.meta(400, "You have exceeded the limit of 25 request every 1 seconds") or nil
  end
  return not self.limits:take("other")
    and responses.error("account_rate_limit", "There have been too many calls to this WhatsApp Business account.")
      or nil
end

--- The response to a request, without requested failures.
---@param request waba.emulator.Request
---@return waba.emulator.Response
function Gateway:respond(request)
  if request.path == "/health" then return responses.json(200, { status = "ok" }) end
  if request.segments[1] == number.PICTURES and request.method == "GET" then
    return number.picture(self, request.segments[2])
  end
  if not self:authorized(request) then return responses.meta(401, "Invalid api_key or token expired") end
  if self:down() then return responses.meta(502, "WhatsApp for Business API is not available") end
  if sandboxed(self, request) then return blocked(request) end
  local methods = gateways.find_route(ROUTES, request.segments)
  if not methods then return self:no_such_path() end
  if not methods[request.method] then return blocked(request) end
  return over_rate(self, request) or methods[request.method](self, request)
end

--- Makes a gateway.
---@param context waba.emulator.Context
---@return waba.emulator.Cloud
function cloud.new(context)
  local options = context.options
  local self = gateways.new(Gateway, context)
  self.limits = limits.rates(options.rate_limits, RATES, context.clock)
  self.blocked = {}
  self.destinations, self.destinations_enabled = {}, false
  self.contacts = contacts.new(self)
  self.media = media.new(self)
  self.templates = templates.new(self)
  self.health, self.profile, self.account = number.new_health(), number.new_profile(), account.new()
  self.sandbox = limits.sandbox(options.sandbox)
  return self
end

return cloud
