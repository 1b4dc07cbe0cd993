-- Finds the business number and the valid credentials of a webhook, by the path or another part of the request (option
-- `number` of a receiver).

local coroutines = require "waba.coroutines"
local check = require("waba.option").check
local credentials = require "waba.webhook.credentials"
local recipient = require "waba.recipient"

local addresses = {}

--- A business number and the credentials of its webhook. If the table has no credentials, the credentials of the
--- receiver are valid for the webhook.
---@options waba.AddressOptions
local ADDRESS = {
  number = "string|integer", -- required: the number; on Cloud hosting the phone_number_id is possible too
  user = "string|string[]",  -- user, password, headers and secret have the same meaning as in `waba.receiver`
  password = "string|string[]",
  headers = "table<string, string>|table<string, string>[]",
  secret = "string|string[]",
}

--- A number, or a number with the credentials of its webhook.
---@alias waba.Address string|integer|waba.AddressOptions

--- The business number of a webhook, and the check of the webhook's credentials.
---@class waba.WebhookPlace
---@field number string|nil  the digits of the number; nil: the receiver has no option `number`
---@field is_authentic fun(headers: table, body: string|nil): boolean|nil, string|nil  see `credentials.checker`
---@field is_open boolean  true: no credentials are needed
---@field is_own? boolean  true: the business number has its own credentials

local function has_credentials(options)
  return (options.user or options.password or options.headers or options.secret) ~= nil
end

-- Returns the `waba.WebhookPlace` of a `waba.Address`. `default` is the `waba.WebhookPlace` from the receiver's own
-- options. Raises an error for an invalid value.
local function place_of(value, default, what)
  if type(value) ~= "table" then value = { number = value } end
  check(value, ADDRESS, what, 0)
  local number, is_own = recipient.business_number(value.number), has_credentials(value)
  if not number then error(what .. ": number must be a phone number in international form, or a phone_number_id", 0) end
  if not is_own and not default.is_authentic then
    error(what .. ": user, headers or secret is required, for the number or for the receiver", 0)
  end
  local ok, is_authentic = true, default.is_authentic
  if is_own then ok, is_authentic = pcall(credentials.checker, value) end
  if not ok then error(what .. is_authentic:gsub("^waba%.receiver", ""), 0) end
  return { number = number, is_authentic = is_authentic, is_open = not is_own and default.is_open, is_own = is_own }
end

local WHAT = "waba.receiver: option number"

local function read_paths(paths, default)
  local places = {}
  for path, value in pairs(paths) do
    local what = WHAT .. ": " .. tostring(path)
    if type(path) ~= "string" or path:sub(1, 1) ~= "/" then
      error(what .. ' is no path: expected one that begins with "/", such as "/webhook/shop"', 0)
    end
    places[path] = place_of(value, default, what)
  end
  if next(places) == nil then error(WHAT .. " is an empty table: expected at least one path", 0) end
  return places
end

--- Returns a function that finds the `waba.WebhookPlace` of a request. The function may wait. If no business number
--- belongs to the request, the function returns nil, a status and a reason. Raises an error for invalid options.
---@return fun(request: waba.WebhookRequest): waba.WebhookPlace|nil, integer?, string?
---@return boolean reads_request  false: the result does not depend on the request
function addresses.new(options)
  local number, is_own = options.number, has_credentials(options)
  local kind = type(number)
  local default = { is_open = not is_own }
  if is_own or options.open ~= nil or kind ~= "table" and kind ~= "function" then
    default.is_authentic = credentials.checker(options)
  end
  local places = kind == "table" and read_paths(number, default)
  local only = kind == "nil" and default or kind ~= "table" and kind ~= "function" and place_of(number, default, WHAT)
  return function(request)
    if only then return only end
    local path = tostring(request.path or ""):gsub("[?#].*$", "")
    if places and places[path] then return places[path] end
    local ok, place = true, nil
    if not places then ok, place = coroutines.protect(number, request) end
    if ok and place then ok, place = pcall(place_of, place, default, WHAT) end
    if not ok then return nil, 503, "its number can't be determined: " .. coroutines.text_of(place) end
    if place then return place end
    return nil, 404, ("its path %s belongs to no number of the option number"):format(path)
  end, not only
end

return addresses
