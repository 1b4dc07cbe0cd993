-- Finds the number that the address of a webhook belongs to, and who may post to it: the option `number` of a receiver.

local check = require("waba.options").check
local credentials = require "waba.webhook.credentials"
local protect = require("waba.runtime").protect
local recipient = require "waba.recipient"

local addresses = {}

--- A number, and the credentials of its webhook. Without credentials those of the receiver are valid.
---@options waba.AddressOptions
local ADDRESS = {
  number = "string|integer",         -- required: the number, on Cloud hosting also its phone_number_id
  user = "string|string[]",          -- as those of `waba.receiver`
  password = "string|string[]",
  headers = "table<string, string>|table<string, string>[]",
  secret = "string|string[]",
}

--- A number, or with the credentials of its webhook.
---@alias waba.Address string|integer|waba.AddressOptions

--- Where a webhook was posted to.
---@class waba.WebhookPlace
---@field number string|nil   digits
---@field is_authentic fun(headers: table, body: string|nil): boolean|nil, string|nil
---@field is_open boolean     no credentials are needed
---@field is_own boolean      the credentials are the number's own

local function has_credentials(options)
  return (options.user or options.password or options.headers or options.secret) ~= nil
end

-- Makes a place of a number, or of a table with a number. `default`: the place by the receiver's own options. Raises.
local function place_of(value, default, what)
  if type(value) ~= "table" then value = { number = value } end
  check(value, ADDRESS, what, 0)
  local number = recipient.business_number(value.number)
  if not number then error(what .. ": number must be a phone number in international form, or a phone_number_id", 0) end
  if has_credentials(value) then
    local ok, checker = pcall(credentials.checker, value)
    if not ok then error(what .. tostring(checker):gsub("^waba%.receiver", ""), 0) end
    return { number = number, is_authentic = checker, is_open = false, is_own = true }
  elseif not default.is_authentic then
    error(what .. ": user, headers or secret is required, for the number or for the receiver", 0)
  end
  return { number = number, is_authentic = default.is_authentic, is_open = default.is_open, is_own = false }
end

local function path_of(request)
  return (tostring(request.path or ""):gsub("[?#].*$", ""))
end

local function no_number(request)
  return nil, 404, ("its path %s belongs to no number (option number)"):format(path_of(request))
end

local function by_table(paths, default)
  local places = {}
  for path, value in pairs(paths) do
    local what = ("waba.receiver: option number: %s"):format(tostring(path))
    if type(path) ~= "string" or path:sub(1, 1) ~= "/" then
      error(what .. ' is no path: expected one that begins with "/", such as "/webhook/shop"', 0)
    end
    places[path] = place_of(value, default, what)
  end
  if next(places) == nil then error("waba.receiver: option number is an empty table: expected at least one path", 0) end
  return function(request)
    local place = places[path_of(request)]
    if place then return place end
    return no_number(request)
  end
end

local WHAT = "waba.receiver: the function of option number"

local function by_function(fn, default)
  return function(request)
    local ok, value = protect(fn, request)
    if ok and not value then return no_number(request) end
    local place = value
    if ok then ok, place = pcall(place_of, value, default, WHAT) end
    if ok then return place end
    return nil, 503, "its number can't be determined: " .. tostring(place):gsub("\nstack traceback:.*$", "")
  end
end

--- Makes the function that finds the place of a request. The function may wait. It returns nil, a status and a reason if
--- there is none. Raises for wrong options.
---@param options waba.ReceiverOptions
---@return fun(request: waba.WebhookRequest): waba.WebhookPlace|nil, integer?, string?
function addresses.new(options)
  local number = options.number
  local default = { is_open = not has_credentials(options), is_own = false }
  local may_lack = type(number) == "table" or type(number) == "function"
  if has_credentials(options) or options.open ~= nil or not may_lack then
    default.is_authentic = credentials.checker(options)
  end
  if type(number) == "function" then return by_function(number, default) end
  if type(number) == "table" then return by_table(number, default) end
  local place = number == nil and default or place_of(number, default, "waba.receiver: option number")
  return function() return place end
end

return addresses
