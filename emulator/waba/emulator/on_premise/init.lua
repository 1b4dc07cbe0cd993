-- The On-Premise gateway of one business number, which responds as 360dialog's gateway with the WhatsApp client does
-- (on-premise.md, sections 1 to 13).

local gateways = require "waba.emulator.gateway"
local inbound = require "waba.emulator.inbound"
local messages = require "waba.emulator.on_premise.messages"
local number = require "waba.emulator.on_premise.number"
local responses = require("waba.emulator.responses").on_premise
local rules = require "waba.emulator.on_premise.message_rules"
local templates = require "waba.emulator.on_premise.templates"
local webhook_address = require "waba.emulator.webhook_address"

local on_premise = {}

local Gateway = gateways.class("waba.emulator.OnPremise", {
  responses = responses, checker = rules.checker, bad_body = "request_invalid",
  rates = { messages = { rate = 50, burst = 150 }, other = { rate = 20, burst = 60 } }, -- on-premise.md, section 13
  wrong_key = "Invalid api_key", no_key = "api_key is missing",
}, { messages, number, templates, webhook_address })

Gateway.post_status, Gateway.set_health = messages.post_status, number.set_health
Gateway.customer_deletes, Gateway.traffic = messages.customer_deletes, { change_number = inbound.change_number }

--- Returns the waba.emulator.WebhookShape. The body of a webhook is one object whose fields are lists of events.
function on_premise.webhook_shape()
  return {
    join = function(events, more)
      for _, name in ipairs({ "contacts", "messages", "statuses", "errors" }) do
        for _, event in ipairs(more[name] or {}) do
          events[name] = events[name] or {}
          table.insert(events[name], event)
        end
      end
    end,
    body = function(events) return events end,
  }
end

--- Posts a webhook; the fields of `events` are the lists contacts and messages. Webhooks with the same key keep their
--- order.
function Gateway:post_messages(events, key) self.webhooks:post(events, key) end

--- Posts a webhook with errors that do not belong to a message.
function Gateway:post_errors(rows) self.webhooks:post({ errors = rows }, "errors") end

--- Returns whether the version of the emulated client is `major.minor.patch` or later.
function Gateway:version_at_least(major, minor, patch)
  local have = self.version_numbers
  for i, wanted in ipairs({ major, minor, patch or 0 }) do
    if have[i] ~= wanted then return have[i] > wanted end
  end
  return true
end

--- Creates a response of the WhatsApp client, by default with the status 200, and adds the field `meta` to the body.
function Gateway:ok(body, status)
  body.meta = { api_status = "stable", version = self.options.client_version }
  return responses.json(status or 200, body)
end

function Gateway:error(code, details, status)
  return responses.errors({ responses.row(code, details) }, select(2, responses.number(code, status)),
    self.options.client_version)
end

function Gateway:expects_file(request)
  if request.path == "/v1/media" then return { limit = self.options.max_media, file = self.media:new_file() } end
  if request.path == "/v1/settings/profile/photo" then return { limit = number.MAX_PHOTO } end
end

-- Returns whether a path is one of `prefixes`, or is below one of them.
local function below(path, prefixes)
  for _, prefix in ipairs(prefixes) do
    if path == prefix or path:sub(1, #prefix + 1) == prefix .. "/" then return true end
  end
  return false
end

-- 360dialog blocks the paths in CLOSED and all paths below them, except those in OPEN (on-premise.md, sections 8.1 and
-- 10). The sandbox has only the paths in IN_SANDBOX.
local CLOSED = { "/v1/certificates", "/v1/account", "/v1/stats", "/metrics", "/v1/support", "/v1/users",
  "/v1/settings", "/v1/services" }
local OPEN = { "/v1/settings/profile", "/v1/settings/business/profile" }
local IN_SANDBOX = { "/v1/messages", "/v1/configs/webhook" }

function Gateway:closed(request)
  if below(request.path, CLOSED) and not below(request.path, OPEN) then
    return responses.meta(403, "This URL is blocked, see https://docs.360dialog.com")
  elseif self.sandbox and not below(request.path, IN_SANDBOX) then
    return responses.meta(403, "The sandbox has messages and the webhook URL only")
  end
end

function Gateway:wrong_method(request)
  return self:error("request_invalid", ("method %s is not allowed for %s"):format(request.method, request.path))
end

function Gateway:over_rate(request)
  local rate = request.method == "POST" and request.path == "/v1/messages" and "messages" or "other"
  return not self.limits:take(rate) and self:error("rate_limit", "too many requests: see the option rate_limits") or nil
end

local function version_numbers(text)
  local major, minor, patch = text:match("^v?(%d+)%.(%d+)%.?(%d*)")
  return { tonumber(major) or 2, tonumber(minor) or 53, tonumber(patch) or 0 }
end

function on_premise.new(fields)
  local self = gateways.new(Gateway, fields)
  self.version_numbers = version_numbers(self.options.client_version)
  self.conversations = {}
  number.add_state(self)
  self.templates = templates.new(self)
  return self
end

return on_premise
