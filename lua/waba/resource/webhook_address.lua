-- An address that webhooks go to, with its headers: read from an answer, and checked before it is set.
-- The number's address, the account's and the further destinations are all of this shape.

local core = require "waba.core"
local values = require "waba.hosting.values"
local errors = require "waba.errors"
local loopback = require "waba.loopback"

local webhook_address = {}

--- Where webhooks go.
---@class waba.WebhookAddress
---@field url string|nil  nil when none is set
---@field headers table<string, string>  what the gateway adds to each webhook

--- Reads an address.
---@param json any
---@return waba.WebhookAddress
function webhook_address.read(json)
  local headers = {}
  for name, value in pairs(values.object(values.dig(json, "headers"))) do
    headers[tostring(name)] = tostring(value)
  end
  return { url = values.some_text(values.dig(json, "url")), headers = headers }
end

-- User and password become the Basic header, beside the other headers. `at` comes before each path.
local function encode_headers(given, at)
  local headers, has_authorization = {}, false
  for name, value in pairs(given.headers or {}) do
    local path = at .. "headers." .. tostring(name)
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
    local missing = at .. (given.user == nil and "user" or "password")
    return nil, errors.invalid(missing, missing .. " is missing: user and password go together")
  end
  if has_authorization then
    local path = at .. "headers.Authorization"
    return nil, errors.invalid(path, path .. " and user with password exclude each other")
  end
  local value, message = core.basic(given.user, given.password)
  if not value then return nil, errors.invalid(at .. "user", message) end
  headers.Authorization = value
  return headers
end

local MOST_CHARACTERS = 2048

-- What the Cloud gateway asks of an address beyond TLS (cloud.md, section 4.1). The emulator's
-- receivers live on loopback, at ports.
local function url_fault(url, origin)
  local host = origin:match("^%a+://(%[.-%])") or origin:match("^%a+://([^:]+)")
  if loopback.is_host(host) then return nil end
  if host:find("_", 1, true) then return "must not have _ in its host" end
  -- of the URL itself: the origin leaves a default port out, which is one none the less
  local authority = url:match("^%a+://([^/?#]*)"):gsub("^%[.-%]", "")
  if authority:find(":", 1, true) then return "must not name a port" end
  local length = core.utf8_length(url) or #url
  if length > MOST_CHARACTERS then
    return ("has %d characters; at most %d are allowed"):format(length, MOST_CHARACTERS)
  end
end

--- Checks an address that is to be set, and makes its headers.
---@param client waba.Client
---@param given { url: string, user: string?, password: string?, headers: table<string, string>? }
---@param at? string  before each path: "destinations[1]."
---@return { url: string, headers: table<string, string>? }|nil
---@return waba.Error? err  of kind "invalid"
function webhook_address.encode(client, given, at)
  at = at or ""
  local path = at .. "url"
  local origin, message = core.origin(given.url)
  if not origin then return nil, errors.invalid(path, path .. ": " .. message) end
  local says = client.hosting.name == "cloud" and client.validate and url_fault(given.url, origin)
  if says then return nil, errors.invalid(path, path .. " " .. says) end
  local headers, err = encode_headers(given, at)
  if not headers then return nil, err end
  return { url = given.url, headers = next(headers) and headers or nil }
end

return webhook_address
