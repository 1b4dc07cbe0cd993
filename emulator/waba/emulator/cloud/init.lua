-- The Cloud gateway of one business number, with all objects that belong to it. The gateway responds as 360dialog's
-- proxy for Meta's Cloud API does (cloud.md, sections 1 to 8).

local core = require "waba.core"

local checker = require("waba.emulator.cloud.common_rules").checker
local gateways = require "waba.emulator.gateway"
local media = require "waba.emulator.cloud.media"
local messages = require "waba.emulator.cloud.messages"
local number = require "waba.emulator.cloud.number"
local responses = require("waba.emulator.responses").cloud
local settings = require "waba.emulator.cloud.settings"
local template_library = require "waba.emulator.cloud.template_library"
local templates = require "waba.emulator.cloud.templates"
local traffic = require "waba.emulator.cloud.traffic"
local webhook_address = require "waba.emulator.webhook_address"

local cloud = {}

---@class waba.emulator.Cloud : waba.emulator.GatewayBase
local Gateway = gateways.class("waba.emulator.Cloud", {
  responses = responses, checker = checker, bad_body = "invalid_parameter",
  rates = { messages = { rate = 80, burst = 80 }, pair = { rate = 1 / 6, burst = 45 },
    media = { rate = 25, burst = 25 } }, -- cloud.md, sections 7.1, 7.2 and 7.4
  wrong_key = "Invalid api_key or token expired", no_key = "Invalid api_key or token expired",
}, { settings, media, messages, number, templates, template_library, webhook_address,
  webhook_address.cloud })

Gateway.post_status, Gateway.expects_file, Gateway.media_url = messages.post_status, media.expects, media.url
Gateway.set_health, Gateway.traffic = number.set_health, traffic
Gateway.inbound_retention = media.INBOUND

-- Webhooks (cloud.md, section 4.4) ----------------------------------------------------------------

--- Returns the functions that write webhooks. A webhook is a list of changes in the envelope of the Graph API.
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

-- Webhook fields whose value contains the business phone number.
local WITH_METADATA = { user_preferences = true, smb_message_echoes = true, message_echoes = true, history = true,
  calls = true, smb_app_state_sync = true, group_lifecycle_update = true, group_participants_update = true,
  group_settings_update = true, group_status_update = true, messages = true, standby = true, user_id_update = true }

-- Creates the change of a webhook, with the business phone number if the field of the change requires it.
local function change_of(self, field, value)
  local number_fields = { display_phone_number = self.options.number, phone_number_id = self.options.phone_number_id }
  if WITH_METADATA[field] and value.metadata == nil then
    value.messaging_product, value.metadata = "whatsapp", number_fields
  elseif field == "messaging_handovers" then
    value.recipient = value.recipient or number_fields
  end
  return { field = field, value = value }
end

-- Messages are posted to the URL of the business number, and updates of the account to the URL of the account. If only
-- one URL is set, all webhooks are posted to it.
local function address_for(self, first, second) return self.webhooks.addresses[first] and first or second end

--- Posts a change about a customer; its field is "messages" by default. `value` has the lists contacts, messages,
--- statuses, errors …; changes with the same key keep their order.
function Gateway:post_messages(value, key, field)
  self.webhooks:post({ changes = { change_of(self, field or "messages", value) } }, key,
    address_for(self, "number", webhook_address.ACCOUNT))
end

function Gateway:post_change(field, value)
  self.webhooks:post({ changes = { change_of(self, field, value) }, time = self.clock:timestamp() }, field,
    address_for(self, webhook_address.ACCOUNT, "number"))
end

--- Posts errors that belong to no message.
function Gateway:post_errors(rows) self:post_messages({ errors = rows or { responses.row("generic") } }, "errors") end

function Gateway:customer_deletes(from, id)
  self:customer_sends(from, "revoke", { original_message_id = id }, { raw = true })
  return true
end

-- Responses ---------------------------------------------------------------------------------------

function Gateway:error(code, details, status) return responses.error(code, details, nil, status) end

function Gateway:wrong_method(request)
  return responses.meta(403, ("This URL %s is blocked."):format(request.path))
end

-- The sandbox has only the paths for messages and for the webhook URL, under /v1.
function Gateway:closed(request)
  if self.sandbox and request.path == "/v1/messages" then
    request.segments = { "messages" }
  elseif self.sandbox and request.path ~= "/v1/configs/webhook" then
    return self:wrong_method(request)
  end
end

-- Returns the response to a request that exceeds a rate limit. The response to a message differs from that to other
-- requests.
function Gateway:over_rate(request)
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

--- Returns the response to a request, without the failures that the program has requested. The path /health needs no
--- API key.
function Gateway:respond(request)
  if request.path == "/health" then return responses.json(200, { status = "ok" }) end
  return gateways.respond(self, request)
end

function cloud.new(fields)
  local self = gateways.new(Gateway, fields)
  self.blocked, self.destinations, self.destinations_enabled = {}, {}, false
  self.health, self.profile, self.settings = number.new_health(), number.new_profile(), settings.new()
  self.media, self.templates = media.new(self), templates.new(self)
  return self
end

return cloud
