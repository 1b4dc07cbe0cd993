-- The webhook address (on-premise.md, section 6).

local answers = require "waba.emulator.on_premise.answers"
local walker = require "waba.emulator.on_premise.walker"
local webhook_rules = require "waba.emulator.webhook_rules"
local webhooks = require "waba.emulator.webhooks"

local webhook_address = {}

local FIELDS = { url = true, headers = true }

local function stored(gateway)
  local address = gateway.webhooks.addresses[webhooks.NUMBER]
  return answers.json(200, { url = address and address.url or "", headers = address and address.headers or {} })
end

local function set(gateway, request)
  local body, refusal = gateway:gateway_body(request)
  if not body then return refusal end
  local found = webhook_rules.problems(body, FIELDS)
  if #found > 0 then return answers.meta(400, "Validation error", found) end
  gateway.webhooks:set(body.url, not walker.absent(body.headers) and body.headers or {})
  return stored(gateway)
end

--- Adds the routes of this section.
---@param route fun(method: string, path: string, handler: function)
function webhook_address.routes(route)
  route("GET", "v1/configs/webhook", stored)
  route("POST", "v1/configs/webhook", set)
end

return webhook_address
