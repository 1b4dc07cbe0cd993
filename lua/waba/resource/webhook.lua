-- The webhook URLs that the gateway stores: the URL of the phone number and, on Cloud hosting, the URL of the account
-- and further destinations.

local core = require "waba.core"
local encoding = require "waba.encoding"
local outcome = require "waba.resource.outcome"
local values = require "waba.hosting.values"
local errors = require "waba.errors"
local loopback = require "waba.loopback"
local option = require "waba.option"

---@class waba.WebhookResource
local Webhook = {}

--- A webhook URL that is stored at the gateway.
---@class waba.WebhookAddress
---@field url string|nil  nil: no URL is set
---@field headers table<string, string>  further headers of each webhook

local function read_address(json)
  local headers = {}
  for name, value in pairs(values.object(values.dig(json, "headers"))) do
    headers[tostring(name)] = tostring(value)
  end
  return { url = values.some_text(values.dig(json, "url")), headers = headers }
end

-- Returns the headers, including Authorization. `at` is the beginning of each path in errors: "destinations[1].".
local function encode_headers(options, at)
  local headers, has_authorization = {}, false
  for name, value in pairs(options.headers or {}) do
    local path = at .. "headers." .. tostring(name)
    if type(name) ~= "string" or type(value) ~= "string" then
      return nil, errors.invalid(path, path .. " must be a string: expected the name and the value of a header")
    end
    local valid, message = core.check_header(name, value)
    if not valid then return nil, errors.invalid(path, path .. ": " .. message) end
    headers[name] = value
    has_authorization = has_authorization or name:lower() == "authorization"
  end
  if options.user == nil and options.password == nil then return headers end
  if options.user == nil or options.password == nil then
    local missing = at .. (options.user == nil and "user" or "password")
    return nil, errors.invalid(missing, missing .. " is missing: user and password are required together")
  end
  if has_authorization then
    local path = at .. "headers.Authorization"
    return nil, errors.invalid(path, path .. " can't be combined with the options user and password")
  end
  local value, message = encoding.basic(options.user, options.password)
  if not value then return nil, errors.invalid(at .. "user", message) end
  headers.Authorization = value
  return headers
end

-- Returns an error text for a URL that the gateway refuses. Does not check a URL on loopback, because an emulator
-- accepts any URL.
local function check_url(url, origin, rules)
  if not rules then return nil end
  local host = origin:match("^%a+://(%[.-%])") or origin:match("^%a+://([^:]+)")
  if loopback.is_host(host) then return nil end
  if host:find "_" then return "must not have _ in its host" end
  -- the port is read from the URL, because `core.origin` removes a default port
  local authority = url:match("^%a+://([^/?#]*)"):gsub("^%[.-%]", "")
  if authority:find ":" then return "must not name a port" end
  if #url > rules.most_characters then -- `core.origin` accepts only ASCII, so each byte is a character
    return ("has %d characters; at most %d are allowed"):format(#url, rules.most_characters)
  end
end

local function encode_address(client, options, at)
  at = at or ""
  local path = at .. "url"
  local origin, message = core.origin(options.url)
  if not origin then return nil, errors.invalid(path, path .. ": " .. message) end
  local message_of_url = client.validate and check_url(options.url, origin, client.hosting.webhook_url)
  if message_of_url then return nil, errors.invalid(path, path .. " " .. message_of_url) end
  local headers, err = encode_headers(options, at)
  if not headers then return nil, err end
  return { url = options.url, headers = next(headers) and headers or nil }
end

--- A webhook URL, with credentials.
---@options waba.WebhookAddressOptions
local ADDRESS = {
  url = "string",                    -- required: begins with https://; on loopback also http://, for the emulator;
                                     -- on Cloud hosting the URL has no port, and its host has no "_"
  user = "string",                   -- webhooks have the header `Authorization: Basic …` with user and password
  password = "string",
  headers = "table<string, string>", -- further headers of each webhook
}

local function check_address(options, known, what)
  options = option.complete(options, known, what, 3)
  if options.url == nil then error(what .. ": option url is required", 3) end
  return options
end

--- Returns the phone number's webhook URL: GET /v1/configs/webhook.
---@return waba.WebhookAddress|nil
---@return waba.Error? err
function Webhook:get()
  return outcome.fetch(self.client, "get_webhook", nil, read_address)
end

--- Sets the phone number's webhook URL and its headers, which replace the stored URL and headers: POST
--- /v1/configs/webhook. On Cloud hosting the URL must be set again after every new API key.
---@param options waba.WebhookAddressOptions
---@return waba.WebhookAddress|nil stored  the URL and the headers in the response
---@return waba.Error? err
function Webhook:set(options)
  options = check_address(options, ADDRESS, "client.webhook:set")
  local body, err = encode_address(self.client, options)
  if not body then return nil, err end
  return outcome.fetch(self.client, "set_webhook", { json = body }, function(json)
    local stored = read_address(json)
    stored.url = stored.url or options.url
    return stored
  end)
end

--- Returns the account's webhook URL: GET /waba_webhook (Cloud hosting only). The gateway posts two kinds of webhooks
--- to this URL: those of the account, and those of phone numbers without a URL.
---@return waba.WebhookAddress|nil
---@return waba.Error? err
function Webhook:account()
  return outcome.fetch(self.client, "get_account_webhook", nil, read_address)
end

--- The webhook URL of an account.
---@options waba.AccountWebhookOptions : waba.WebhookAddressOptions
local ACCOUNT = option.with(ADDRESS, {
  override_all = { "boolean", false }, -- true: also replaces the URLs of all numbers
})

--- Sets the account's webhook URL: POST /waba_webhook (Cloud hosting only). The change takes effect after about 20
--- seconds. Before the change takes effect, `account` returns the previous URL.
---@param options waba.AccountWebhookOptions
---@return true|nil
---@return waba.Error? err
function Webhook:set_account(options)
  options = check_address(options, ACCOUNT, "client.webhook:set_account")
  local body, err = encode_address(self.client, options)
  if not body then return nil, err end
  body.override_all = options.override_all
  return outcome.success(self.client:call("set_account_webhook", { json = body }))
end

--- A further URL to which the gateway posts a phone number's webhooks after the webhook URL has responded with 200.
---@class waba.WebhookDestination : waba.WebhookAddress
---@field name string  unique among the destinations of the number

local function read_destination(json)
  local destination = read_address(json)
  destination.name = values.some_text(values.dig(json, "name"))
  return destination
end

--- Returns the further destinations of the phone number: GET /multi_webhook (Cloud hosting only).
---@return { enabled: boolean, destinations: waba.WebhookDestination[] }|nil
---@return waba.Error? err
function Webhook:destinations()
  return outcome.fetch(self.client, "get_destinations", nil, function(json)
    return {
      enabled = values.dig(json, "enabled") == true,
      destinations = values.each(values.dig(json, "destinations"), read_destination),
    }
  end)
end

--- A further destination.
---@options waba.WebhookDestinationOptions : waba.WebhookAddressOptions
local DESTINATION = option.with(ADDRESS, {
  name = "string", -- required: unique among the destinations of the number
})

--- All further destinations of a phone number.
---@options waba.WebhookDestinationsOptions
local DESTINATIONS = {
  enabled = { "boolean", true },                      -- true: the gateway posts webhooks to the destinations
  destinations = "waba.WebhookDestinationOptions[]",  -- required: at most 3 destinations
}

local function encode_destination(self, options, at)
  local body, err = encode_address(self.client, options, at)
  if not body then return nil, err end
  if self.client.validate and options.name == "" then
    return nil, errors.invalid(at .. "name", at .. "name is empty; at least 1 character is needed")
  end
  body.name = options.name
  return body
end

local function encode_destinations(self, list)
  if #list > 3 and self.client.validate then
    return nil, errors.invalid("destinations", ("destinations has %d elements; at most 3 are allowed"):format(#list))
  end
  local bodies, seen = {}, {}
  for i, options in ipairs(list) do
    local at = ("destinations[%d]."):format(i)
    local body, err = encode_destination(self, options, at)
    if not body then return nil, err end
    if seen[body.name] then
      return nil, errors.invalid(at .. "name", at .. "name repeats an earlier name; it must be unique")
    end
    seen[body.name], bodies[i] = true, body
  end
  return bodies
end

local function check_destination(options, what)
  option.check(options, DESTINATION, what, 3)
  for _, name in ipairs { "name", "url" } do
    if not options or options[name] == nil then error(("%s: option %s is required"):format(what, name), 3) end
  end
end

--- Replaces all further destinations: POST /multi_webhook (Cloud hosting only).
---@param options waba.WebhookDestinationsOptions
---@return true|nil
---@return waba.Error? err
function Webhook:set_destinations(options)
  local what = "client.webhook:set_destinations"
  options = option.complete(options, DESTINATIONS, what)
  if options.destinations == nil then error(what .. ": option destinations is required", 2) end
  for i, item in ipairs(options.destinations) do check_destination(item, ("%s: destinations[%d]"):format(what, i)) end
  local list, err = encode_destinations(self, options.destinations)
  if not list then return nil, err end
  local body = { enabled = options.enabled, destinations = values.json_list(list) }
  return outcome.success(self.client:call("set_destinations", { json = body }))
end

-- Sends a request with one destination: in a list if `is_list` is true, else alone.
local function write_destination(self, endpoint, options, is_list)
  local body, err = encode_destination(self, options, "")
  if not body then return nil, err end
  return outcome.success(self.client:call(endpoint, { json = is_list and { destinations = { body } } or body }))
end

--- Adds a destination: PUT /multi_webhook (Cloud hosting only).
---@param options waba.WebhookDestinationOptions
---@return true|nil
---@return waba.Error? err  kind "api" if a destination has this name already
function Webhook:add_destination(options)
  check_destination(options, "client.webhook:add_destination")
  return write_destination(self, "add_destination", options, true)
end

--- Changes the destination with the name in `options`: PATCH /multi_webhook (Cloud hosting only).
---@param options waba.WebhookDestinationOptions
---@return true|nil
---@return waba.Error? err
function Webhook:update_destination(options)
  check_destination(options, "client.webhook:update_destination")
  return write_destination(self, "update_destination", options, false)
end

return Webhook
