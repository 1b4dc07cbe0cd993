-- The On-Premise gateway: one number with everything that belongs to it. Checks the key, finds the
-- route, keeps the journal, and answers as the platform does (on-premise.md, sections 1 to 13).

local answers = require "waba.emulator.on_premise.answers"
local contacts = require "waba.emulator.on_premise.contacts"
local gateways = require "waba.emulator.gateway"
local health = require "waba.emulator.on_premise.health"
local inbound = require "waba.emulator.on_premise.inbound"
local media = require "waba.emulator.on_premise.media"
local messages = require "waba.emulator.on_premise.messages"
local profile = require "waba.emulator.on_premise.profile"
local rate_limit = require "waba.emulator.rate_limit"
local sandbox = require "waba.emulator.sandbox"
local statuses = require "waba.emulator.on_premise.statuses"
local templates = require "waba.emulator.on_premise.templates"
local walker = require "waba.emulator.on_premise.walker"
local webhook_address = require "waba.emulator.on_premise.webhook_address"

local on_premise = {}

---@class waba.emulator.OnPremise : waba.emulator.GatewayBase
local Gateway = gateways.class("waba.emulator.OnPremise")

local ROUTES = gateways.routes({ contacts, health, media, messages, profile, templates, webhook_address })

-- on-premise.md, section 13.
local RATES = { messages = { rate = 50, burst = 150 }, other = { rate = 20, burst = 60 } }

local LISTS = { "contacts", "messages", "statuses", "errors" }

--- How webhooks are written: the lists of events side by side.
---@return waba.emulator.WebhookShape
function on_premise.webhook_shape()
  return {
    join = function(events, more)
      for _, name in ipairs(LISTS) do
        for _, event in ipairs(more[name] or {}) do
          events[name] = events[name] or {}
          table.insert(events[name], event)
        end
      end
    end,
    body = function(events) return events end,
  }
end

-- What 360dialog keeps closed (on-premise.md, section 8.1 and 10), by the beginning of the path.
local CLOSED = { "/v1/certificates", "/v1/account", "/v1/stats", "/metrics", "/v1/support", "/v1/users",
  "/v1/settings", "/v1/services" }
local OPEN = { "/v1/settings/profile", "/v1/settings/business/profile" }

local function below(path, prefixes)
  for _, prefix in ipairs(prefixes) do
    if path == prefix or path:sub(1, #prefix + 1) == prefix .. "/" then return true end
  end
  return false
end

-- ---- What the sections use -------------------------------------------------------------------------

--- Whether the imitated client is of this version or a later one.
---@param major integer
---@param minor integer
---@param patch? integer
---@return boolean
function Gateway:version_at_least(major, minor, patch)
  local have = self.version_numbers
  for i, wanted in ipairs({ major, minor, patch or 0 }) do
    if have[i] ~= wanted then return have[i] > wanted end
  end
  return true
end

--- An answer of the WhatsApp client: the body with its `meta`.
---@param body table
---@param status? integer  200 by default
---@return waba.emulator.Answer
function Gateway:ok(body, status)
  body.meta = { api_status = "stable", version = self.options.client_version }
  return answers.json(status or 200, body)
end

--- An answer without `meta`.
---@param body table
---@return waba.emulator.Answer
function Gateway:bare(body) return answers.json(200, body) end

--- An error of the WhatsApp client.
---@param code integer
---@param details? string
---@param status? integer
---@return waba.emulator.Answer
function Gateway:error(code, details, status)
  return answers.error(code, details, self.options.client_version, status)
end

--- The JSON object of a request to the WhatsApp client, checked against a rule.
---@param request waba.emulator.Request
---@param rule? table         see rules.lua
---@param optional? boolean   no body is as good as an empty object
---@return table|nil body
---@return waba.emulator.Answer? refusal
function Gateway:json_body(request, rule, optional)
  if optional and request.size == 0 then return {} end
  local body, problem, status = gateways.decode_body(request)
  if not body then return nil, self:error(1025, problem, status) end
  local found = rule and walker.walk(body, rule, "", {})
  if found then return nil, self:error(found.code, found.details) end
  return body
end

--- The JSON object of a request to 360dialog's own resources.
---@param request waba.emulator.Request
---@return table|nil body
---@return waba.emulator.Answer? refusal
function Gateway:gateway_body(request)
  local body, problem, status = gateways.decode_body(request)
  if not body then return nil, answers.meta(status or 400, "Validation error", { problem }) end
  return body
end

-- ---- Requests --------------------------------------------------------------------------------------

--- Where the body of a request goes, and how long it may be.
---@param request waba.emulator.Request
---@return { limit: integer, file: string? }
function Gateway:expects(request)
  if request.method == "POST" and self:authorized(request) then
    if request.path == "/v1/media" then
      return { limit = self.options.max_media, file = self.media:new_file() }
    end
    if request.path == "/v1/settings/profile/photo" then return { limit = profile.MAX_PHOTO } end
  end
  return { limit = gateways.MAX_JSON }
end

local function sandbox_closed(self, path)
  return self.sandbox and not (below(path, { "/v1/messages" }) or path == "/v1/configs/webhook")
end

local function rate_of(request)
  return request.method == "POST" and request.path == "/v1/messages" and "messages" or "other"
end

--- The gateway's answer, faults aside.
---@param request waba.emulator.Request
---@return waba.emulator.Answer
function Gateway:respond(request)
  local authorized, wrong = self:authorized(request)
  if request.segments[1] == profile.PICTURES and request.method == "GET" then
    return profile.picture(self, request.segments[2])
  elseif not authorized then
    return answers.meta(401, wrong and "Invalid api_key" or "api_key is missing")
  elseif self:down() then
    return answers.meta(502, "WhatsApp for Business API is not available")
  elseif below(request.path, CLOSED) and not below(request.path, OPEN) then
    return answers.meta(403, "This URL is blocked, see https://docs.360dialog.com")
  elseif sandbox_closed(self, request.path) then
    return answers.meta(403, "The sandbox has messages and the webhook address only")
  end
  local methods = gateways.find_route(ROUTES, request.segments)
  if not methods then return answers.meta(404, "No such resource") end
  if not self.limits:take(rate_of(request)) then
    return self:error(1015, "the limit of requests per second is exceeded")
  end
  local handler = methods[request.method]
  if not handler then
    return self:error(1025, ("method %s is not allowed for %s"):format(request.method, request.path))
  end
  return handler(self, request)
end

--- The answer that an order of fail_next asks for, if it asks for one.
---@param order table
---@param rows table[]|nil  its error objects
---@return waba.emulator.Answer|nil
function Gateway:ordered(order, rows)
  return answers.ordered(order, rows, self.options.client_version)
end

Gateway.error_row = answers.row
Gateway.tell_status = statuses.tell

-- ---- What the program makes happen (control.lua) ---------------------------------------------------

--- Lets a customer send a message.
---@param from string
---@param kind string
---@param content any
---@param options table
---@return string|nil id
---@return string? message
function Gateway:customer_sends(from, kind, content, options)
  return inbound.message(self, from, kind, content, options)
end

--- Lets a customer delete a message it had sent.
---@param from string
---@param id string
---@return true
function Gateway:customer_deletes(from, id)
  inbound.delete(self, from, id)
  return true
end

--- Posts errors that belong to no message.
---@param rows table[]|nil
function Gateway:tell_errors(rows)
  self.webhooks:post({ errors = rows }, "errors")
end

--- Sets what GET /v1/health answers.
---@param settings table  see emulator:health
---@return true|nil
---@return string? message
function Gateway:set_health(settings)
  settings.shape = settings.shape or "single"
  if not health.shapes[settings.shape] then
    return nil, "shape must be \"single\", \"high_availability\" or \"multiconnect\""
  end
  self.health = settings
  return true
end

-- ---- Making one ------------------------------------------------------------------------------------

local function version_numbers(text)
  local major, minor, patch = text:match("^v?(%d+)%.(%d+)%.?(%d*)")
  return { tonumber(major) or 2, tonumber(minor) or 53, tonumber(patch) or 0 }
end

--- Makes a gateway.
---@param context waba.emulator.Context
---@return waba.emulator.OnPremise
function on_premise.new(context)
  local options = context.options
  local self = gateways.new(Gateway, context)
  self.version_numbers = version_numbers(options.client_version)
  self.limits = rate_limit.new(options.rate_limits, RATES, context.clock)
  self.conversations, self.health, self.profile = {}, health.new(), profile.new()
  self.contacts = contacts.new(self)
  self.media = media.new(self)
  self.find_media = media.finder(self)
  self.templates = templates.new(self)
  self.sandbox = sandbox.new(options.sandbox)
  return self
end

return on_premise
