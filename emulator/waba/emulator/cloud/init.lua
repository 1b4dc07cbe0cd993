-- The Cloud gateway: one number with everything that belongs to it, as 360dialog's proxy in front of
-- Meta's Cloud API shows it (cloud.md, sections 1 to 8).

local core = require "waba.core"

local account = require "waba.emulator.cloud.account"
local answers = require "waba.emulator.cloud.answers"
local contacts = require "waba.emulator.cloud.contacts"
local gateways = require "waba.emulator.gateway"
local health = require "waba.emulator.cloud.health"
local inbound = require "waba.emulator.cloud.inbound"
local media = require "waba.emulator.cloud.media"
local messages = require "waba.emulator.cloud.messages"
local objects = require "waba.emulator.cloud.objects"
local profile = require "waba.emulator.cloud.profile"
local rate_limit = require "waba.emulator.rate_limit"
local rules = require "waba.emulator.cloud.rules"
local sandbox = require "waba.emulator.sandbox"
local statuses = require "waba.emulator.cloud.statuses"
local templates = require "waba.emulator.cloud.templates"
local template_views = require "waba.emulator.cloud.template_views"
local walker = require "waba.emulator.cloud.walker"
local webhook_address = require "waba.emulator.cloud.webhook_address"

local cloud = {}

---@class waba.emulator.Cloud : waba.emulator.GatewayBase
local Gateway = gateways.class("waba.emulator.Cloud")

local ROUTES = gateways.routes({ account, contacts, health, media, messages, objects, profile, templates,
  template_views, webhook_address })

-- cloud.md, sections 7.1, 7.2 and 7.4.
local RATES = { messages = { rate = 80, burst = 80 }, pair = { rate = 1 / 6, burst = 45 },
  media = { rate = 25, burst = 25 } }

-- The mark of a customer's media: how long it is kept.
Gateway.INBOUND_MEDIA = media.INBOUND

-- ---- Webhooks (cloud.md, section 4.4) ------------------------------------------------------------------------

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

-- The address of messages is the number's, that of the account's updates the account's; either stands in
-- for the other.
local function address_for(self, first, second)
  return self.webhooks.addresses[first] and first or second
end

--- What every value about the number begins with.
---@param value table
---@return table value
function Gateway:with_metadata(value)
  value.messaging_product = "whatsapp"
  value.metadata = { display_phone_number = self.options.number, phone_number_id = self.options.phone_number_id }
  return value
end

--- Posts a change of the field "messages".
---@param value table  contacts, messages, statuses, errors
---@param lane string
function Gateway:post_messages(value, lane)
  self.webhooks:post({ changes = { { field = "messages", value = self:with_metadata(value) } } }, lane,
    address_for(self, "number", webhook_address.ACCOUNT))
end

-- Fields whose values tell the number as messages do.
local WITH_METADATA = { user_preferences = true, smb_message_echoes = true, message_echoes = true, history = true,
  calls = true, smb_app_state_sync = true, group_lifecycle_update = true, group_participants_update = true,
  group_settings_update = true, group_status_update = true, messages = true }

--- Posts a change of any field.
---@param field string
---@param value table
function Gateway:tell_change(field, value)
  if WITH_METADATA[field] and value.metadata == nil then value = self:with_metadata(value) end
  self.webhooks:post({ changes = { { field = field, value = value } }, time = self.clock:timestamp() }, field,
    address_for(self, webhook_address.ACCOUNT, "number"))
end

-- ---- What the sections use -------------------------------------------------------------------------

--- The answer to a fault.
---@param found waba.emulator.Fault
---@return waba.emulator.Answer
function Gateway:refuse(found) return answers.error(found.code, found.details) end

--- The JSON object of a request to the Graph API, checked against a rule.
---@param request waba.emulator.Request
---@param rule? table
---@return table|nil body
---@return waba.emulator.Answer? refusal
function Gateway:json_body(request, rule)
  local body, problem, status = gateways.decode_body(request)
  if not body then return nil, answers.error(100, problem, nil, status) end
  local found = rule and walker.walk(body, rule, "", {})
  if found then return nil, self:refuse(found) end
  return body
end

--- The JSON object of a request to 360dialog's own resources.
---@param request waba.emulator.Request
---@return table|nil body
---@return waba.emulator.Answer? refusal
function Gateway:gateway_body(request)
  local body, problem, status = gateways.decode_body(request)
  if not body then return nil, answers.meta(status or 400, problem) end
  return body
end

--- The answer for a path that does not exist.
---@return waba.emulator.Answer
function Gateway:no_such_path() return answers.meta(404, "No such resource") end

--- The temporary URL of a file.
---@param kept waba.emulator.Media
---@return string
function Gateway:media_url(kept) return media.url(self, kept) end

--- A digest as webhooks write it.
---@param hex string
---@return string
function Gateway.digest_base64(hex)
  return core.base64((hex:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end)))
end

--- Whether a message can be reacted to.
---@param id string
---@param longest number  seconds
---@return boolean
function Gateway:can_react(id, longest)
  local record = self.by_id[id]
  return record ~= nil and record.type ~= "reaction" and self.clock:now() - record.at < longest
end

--- Takes a message's share of the rates.
---@param wa_id string
---@return waba.emulator.Fault|nil
function Gateway:take_rates(wa_id)
  if not self.limits:take("messages") then
    return walker.fault(130429, "Message failed to send because there were too many messages sent from this phone"
      .. " number in a short period of time.")
  elseif not self.limits:take("pair", wa_id) then
    return walker.fault(131056, "Message failed to send because there were too many messages sent from this phone"
      .. " number to the same phone number in a short period of time.")
  end
end

Gateway.error_row = answers.row
Gateway.tell_status = statuses.tell
Gateway.tell_errors = inbound.errors
Gateway.customer_sends = inbound.message

--- Lets a customer take back a message it had sent.
---@param from string
---@param id string
---@return true
function Gateway:customer_deletes(from, id)
  inbound.delete(self, from, id)
  return true
end

--- Sets what GET /health_status answers.
---@param settings table  see emulator:health
---@return true|nil
---@return string? message
function Gateway:set_health(settings) return health.set(self, settings) end

--- What the program needs to talk to it.
---@return table
function Gateway:face()
  local options = self.options
  return { url = self.url, api_key = options.api_key, number = options.number,
    phone_number_id = options.phone_number_id, waba_id = options.waba_id }
end

-- ---- Requests --------------------------------------------------------------------------------------

--- Where the body of a request goes, and how long it may be.
---@param request waba.emulator.Request
---@return { limit: integer, file: string? }
function Gateway:expects(request)
  local plan
  if request.method == "POST" and self:authorized(request) then
    plan = request.path == "/media" and media.expects(self) or objects.expects(self, request)
  end
  return plan or { limit = gateways.MAX_JSON }
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
  return answers.meta(403, ("This URL %s is blocked."):format(request.path))
end

-- What is answered beyond a rate; messages have theirs.
local function over_rate(self, request)
  if request.segments[1] == "messages" or request.segments[1] == "marketing_messages" then
    return nil
  elseif request.method == "POST" and request.path == "/media" then
    return not self.limits:take("media")
      and answers.meta(400, "You have exceeded the limit of 25 request every 1 seconds") or nil
  end
  return not self.limits:take("other")
    and answers.error(80007, "There have been too many calls to this WhatsApp Business account.") or nil
end

--- The gateway's answer, faults aside.
---@param request waba.emulator.Request
---@return waba.emulator.Answer
function Gateway:respond(request)
  if request.path == "/health" then return answers.json(200, { status = "ok" }) end
  if request.segments[1] == profile.PICTURES and request.method == "GET" then
    return profile.picture(self, request.segments[2])
  end
  if not self:authorized(request) then
    return answers.meta(401, "Invalid api_key or token expired")
  end
  if self:down() then return answers.meta(502, "WhatsApp for Business API is not available") end
  if sandboxed(self, request) then return blocked(request) end
  local methods = gateways.find_route(ROUTES, request.segments)
  if not methods then return self:no_such_path() end
  if not methods[request.method] then return blocked(request) end
  return over_rate(self, request) or methods[request.method](self, request)
end

Gateway.ordered = function(_, order, rows) return answers.ordered(order, rows) end

--- Makes a gateway.
---@param context waba.emulator.Context
---@return waba.emulator.Cloud
function cloud.new(context)
  local options = context.options
  local self = gateways.new(Gateway, context)
  self.limits = rate_limit.new(options.rate_limits, RATES, context.clock)
  self.blocked, self.uploads, self.handles = {}, {}, {}
  self.destinations, self.destinations_enabled = {}, false
  self.contacts = contacts.new(self)
  self.media = media.new(self)
  self.find_media = media.finder(self)
  self.templates = templates.new(self)
  self.health, self.profile, self.account = health.new(), profile.new(), account.new()
  self.sandbox = sandbox.new(options.sandbox)
  return self
end

cloud.check_message = rules.check

return cloud
