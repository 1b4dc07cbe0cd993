-- The address that the gateway posts webhooks to: GET and POST /v1/configs/webhook.

local core = require "waba.core"
local errors = require "waba.errors"
local options = require "waba.options"

---@class waba.WebhookResource
local Webhook = {}
Webhook.__index = Webhook
Webhook.__name = "waba.WebhookResource"

local webhook = {}

---@param client waba.Client
function webhook.new(client)
  return setmetatable({ client = client }, Webhook)
end

--- Where webhooks go.
---@class waba.WebhookAddress
---@field url string|nil  nil when none is set
---@field headers table<string, string>  what the gateway adds to each webhook

local function read(json)
  if type(json) ~= "table" then json = {} end
  local headers = {}
  if type(json.headers) == "table" then
    for name, value in pairs(json.headers) do headers[tostring(name)] = tostring(value) end
  end
  local url = type(json.url) == "string" and json.url ~= "" and json.url or nil
  return { url = url, headers = headers }
end

--- The stored address: GET /v1/configs/webhook.
---@return waba.WebhookAddress|nil
---@return waba.Error? err
function Webhook:get()
  local json, err = self.client:call(self.client.hosting.endpoints.get_webhook, {})
  if json == nil then
    -- one way of the gateway to say that nothing is set (reference, section 6.2)
    if err.kind == "not_found" then return read(nil) end
    return nil, err
  end
  return read(json)
end

local KNOWN = { url = "string", user = "string", password = "string", headers = "table" }

-- User and password become the Basic header, beside the other headers.
local function headers_of(given)
  local headers, has_authorization = {}, false
  for name, value in pairs(given.headers or {}) do
    local path = "headers." .. tostring(name)
    if type(name) ~= "string" or type(value) ~= "string" then
      return nil, errors.invalid(path, path .. " must be a string")
    end
    local valid, message = core.check_header(name, value)
    if not valid then return nil, errors.invalid(path, path .. ": " .. message) end
    headers[name] = value
    has_authorization = has_authorization or name:lower() == "authorization"
  end
  if given.user == nil and given.password == nil then return headers end
  if given.user == nil or given.password == nil then
    local missing = given.user == nil and "user" or "password"
    return nil, errors.invalid(missing, missing .. " is missing: user and password go together")
  end
  if has_authorization then
    return nil, errors.invalid("headers.Authorization",
      "headers.Authorization and user with password exclude each other")
  end
  local value, message = core.basic(given.user, given.password)
  if not value then return nil, errors.invalid("user", message) end
  headers.Authorization = value
  return headers
end

--- Sets the address and replaces what was stored before, its headers included:
--- POST /v1/configs/webhook.
---@param given { url: string, user: string?, password: string?, headers: table<string, string>? }
---        `url` with https (plain http only to loopback, for the emulator); user and password become
---        an `Authorization: Basic …` header
---@return waba.WebhookAddress|nil stored  as the gateway echoes it
---@return waba.Error? err
function Webhook:set(given)
  given = options.check(given, KNOWN, "client.webhook:set")
  if given.url == nil then error("client.webhook:set: option url is required", 2) end
  local origin, message = core.origin(given.url)
  if not origin then return nil, errors.invalid("url", "url: " .. message) end
  local headers, err = headers_of(given)
  if not headers then return nil, err end
  local json
  json, err = self.client:call(self.client.hosting.endpoints.set_webhook, {
    json = { url = given.url, headers = next(headers) and headers or nil },
  })
  if json == nil then return nil, err end
  local stored = read(json)
  stored.url = stored.url or given.url
  return stored
end

return webhook
