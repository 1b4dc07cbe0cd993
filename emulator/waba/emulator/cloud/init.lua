-- The Cloud gateway of one business number, which responds as 360dialog's proxy for Meta's Cloud API does (cloud.md,
-- sections 1 to 8). Creates the webhooks, and implements the actions of customers except the sending of messages.

local core = require "waba.core"
local checker = require("waba.emulator.cloud.common_rules").checker
local gateways = require "waba.emulator.gateway"
local inbound = require "waba.emulator.inbound"
local media = require "waba.emulator.cloud.media"
local messages = require "waba.emulator.cloud.messages"
local number = require "waba.emulator.cloud.number"
local responses = require("waba.emulator.responses").cloud
local templates = require "waba.emulator.cloud.templates"
local webhook_address = require "waba.emulator.webhook_address"

local cloud = {}

local Gateway = gateways.class("waba.emulator.Cloud", {
  responses = responses, checker = checker, bad_body = "invalid_parameter",
  rates = { messages = { rate = 80, burst = 80 }, pair = { rate = 1 / 6, burst = 45 },
    media = { rate = 25, burst = 25 } }, -- cloud.md, sections 7.1, 7.2 and 7.4
  wrong_key = "Invalid api_key or token expired", no_key = "Invalid api_key or token expired",
}, { media, messages, number, templates, webhook_address, webhook_address.cloud })

Gateway.post_status, Gateway.expects_file, Gateway.media_url = messages.post_status, media.expects, media.url
Gateway.set_health, Gateway.inbound_retention = number.set_health, media.INBOUND

-- Webhooks (cloud.md, section 4.4) ----------------------------------------------------------------

--- Returns the waba.emulator.WebhookShape of a number. A webhook is a list of changes in the envelope of the Graph API.
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

-- The webhook fields whose value has `metadata` with the business phone number.
local WITH_METADATA = { user_preferences = true, smb_message_echoes = true, message_echoes = true, history = true,
  calls = true, smb_app_state_sync = true, group_lifecycle_update = true, group_participants_update = true,
  group_settings_update = true, group_status_update = true, messages = true, standby = true, user_id_update = true }

-- Creates a change. Adds the business phone number to the value if the field requires the number.
local function change_of(self, field, value)
  local number_fields = { display_phone_number = self.options.number, phone_number_id = self.options.phone_number_id }
  if WITH_METADATA[field] and value.metadata == nil then
    value.messaging_product, value.metadata = "whatsapp", number_fields
  elseif field == "messaging_handovers" then
    value.recipient = value.recipient or number_fields
  end
  return { field = field, value = value }
end

-- Returns the name of the URL `first` if this URL is set, otherwise `second`.
local function address_for(self, first, second) return self.webhooks.addresses[first] and first or second end

--- Posts a change about a customer to the URL of the business number; `field` is "messages" by default. `value` has
--- lists such as contacts, messages and statuses. Changes with the same key keep their order.
function Gateway:post_messages(value, key, field)
  self.webhooks:post({ changes = { change_of(self, field or "messages", value) } }, key,
    address_for(self, "number", "account"))
end

--- Posts a change about the account to the URL of the account.
function Gateway:post_change(field, value)
  self.webhooks:post({ changes = { change_of(self, field, value) }, time = self.clock:timestamp() }, field,
    address_for(self, "account", "number"))
end

--- Posts a webhook with errors that do not belong to a message.
function Gateway:post_errors(rows) self:post_messages({ errors = rows or { responses.row("generic") } }, "errors") end

function Gateway:customer_deletes(from, id)
  self:customer_sends(from, "revoke", { original_message_id = id }, { raw = true })
end

-- What customers do besides sending messages (cloud.md, sections 4.9, 11.1 and 11.2) --------------

-- Each function implements a method of waba.emulator.Customer. The arguments are the gateway, the contact of the
-- customer, and the arguments of the method. The result is that of the method; or nil and an error message.
local traffic = { change_number = inbound.change_number }
Gateway.traffic = traffic

-- Returns the phone number of a customer; nil if the phone number is hidden.
local function shown_number(contact) return not contact.hidden and contact.wa_id or nil end

--- Implements hide_number and show_number. Webhooks about a customer with a hidden phone number have the user id, so a
--- customer without a user id gets one.
function traffic.hide_number(gateway, contact, arguments)
  local user_id = contact.user_id or arguments.hidden and inbound.new_user_id() or nil
  gateway.contacts:set(contact.wa_id, { user_id = user_id, hidden = arguments.hidden })
  return { user_id = user_id }
end

function traffic.change_user_id(gateway, contact, arguments)
  local old, user_id = contact.user_id, arguments.user_id or inbound.new_user_id()
  if not old then return nil, "change_user_id: the customer has no user id: expected the option user_id of customer" end
  local id
  if arguments.field then
    gateway:post_messages({ user_id_update = { { user_id = { previous = old, current = user_id },
      wa_id = shown_number(contact), timestamp = tostring(gateway.clock:timestamp()),
      detail = "The user id has changed." } } }, contact.wa_id, "user_id_update")
  else
    id = inbound.customer_changed(gateway, contact, nil, user_id)
  end
  gateway.contacts:set(contact.wa_id, { user_id = user_id })
  return { id = id, user_id = user_id }
end

-- The name of the list in a webhook that contains an echo, by the field of the webhook.
local ECHO_LISTS = { smb_message_echoes = "message_echoes", message_echoes = "message_echoes",
  standby = "message_echoes", messages = "messages" }

--- Posts the webhook about a message that the business has sent to the customer with another program.
function traffic.echo(gateway, contact, arguments)
  local list = ECHO_LISTS[arguments.field]
  if not list then
    return nil, ('echo: field: "%s" has no echoes: expected smb_message_echoes, message_echoes, standby or messages')
      :format(tostring(arguments.field))
  end
  local event = { from = gateway.options.number, to = shown_number(contact), to_user_id = contact.user_id,
    id = arguments.id or inbound.new_cloud_id(), timestamp = tostring(gateway.clock:timestamp()), type = arguments.type,
    [arguments.type] = arguments.content }
  gateway:post_messages({ [list] = { event } }, contact.wa_id, arguments.field)
  return event.id
end

function traffic.handover(gateway, contact, arguments)
  local kind, other = arguments.type, arguments.owner
  contact.standby = kind == "control_taken" or nil
  local taken = contact.standby
  gateway:post_messages({ type = kind, timestamp = tostring(gateway.clock:timestamp()),
    sender = { phone_number = shown_number(contact), user_id = contact.user_id },
    [kind] = { previous_owner_role = taken and "partner" or other, new_owner_role = taken and other or "partner" },
  }, contact.wa_id, "messaging_handovers")
end

function traffic.preference(gateway, contact, arguments)
  contact.preferences = contact.preferences or {}
  contact.preferences[arguments.category] = arguments.value
  gateway:post_messages({ contacts = inbound.cloud_profile(contact), user_preferences = { {
    wa_id = shown_number(contact), user_id = contact.user_id, category = arguments.category, value = arguments.value,
    detail = ("User requested to %s marketing messages"):format(arguments.value),
    timestamp = gateway.clock:timestamp() } } }, contact.wa_id, "user_preferences")
end

function Gateway:error(code, details, status) return responses.error(code, details, nil, status) end

function Gateway:wrong_method(request)
  return responses.meta(403, ("This URL %s is blocked."):format(request.path))
end

--- The sandbox has only the paths /v1/messages and /v1/configs/webhook.
function Gateway:closed(request)
  if self.sandbox and request.path == "/v1/messages" then
    request.segments = { "messages" }
  elseif self.sandbox and request.path ~= "/v1/configs/webhook" then
    return self:wrong_method(request)
  end
end

--- Returns the response to a request that exceeds a rate limit, or nil. Messages are counted in cloud/messages.lua.
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

--- The path /health needs no API key.
function Gateway:respond(request)
  return request.path == "/health" and responses.json(200, { status = "ok" }) or gateways.respond(self, request)
end

function cloud.new(fields)
  local self = gateways.new(Gateway, fields)
  self.blocked, self.destinations, self.destinations_enabled = {}, {}, false
  number.add_state(self)
  self.media, self.templates = media.new(self), templates.new(self)
  return self
end

return cloud
