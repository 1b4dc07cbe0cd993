-- The number that the API key belongs to: GET /v1/configs/phone_number (Cloud: GET /health_status), and
-- the check that it is the one that was expected. A mistaken key would send one customer's messages in another's name.

local errors = require "waba.errors"
local outcome = require "waba.resource.outcome"
local recipient = require "waba.recipient"

local phone_number = {}

--- Asks the gateway for the key's number.
---@param client waba.Client
---@return string|nil digits  without "+"
---@return waba.Error? err
function phone_number.get(client)
  local json, response = client:call "phone_number"
  if json == nil then return nil, response end
  local digits = client.hosting.read_phone_number(json)
  if not digits then return nil, outcome.incomplete(response, "the response has no phone_number") end
  return digits
end

--- The digits of a number as `expect_number` takes it; what is no number is wrong use.
---@param number string|integer  in international form
---@param what string            where it was given, for the message: "waba.client: option expect_number"
---@param level? integer         as in `error`; 2 (the caller's caller) by default
---@return string digits
function phone_number.expected(number, what, level)
  local digits, err = recipient.normalize(number)
  if not digits then error(what .. err.message:gsub("^to ", " "), (level or 2) + 1) end
  return digits
end

--- Asks whether the key belongs to a number.
---@param client waba.Client
---@param expected string  digits
---@return true|nil
---@return waba.Error? err  kind "auth" when it belongs to another one
function phone_number.verify(client, expected)
  local digits, err = phone_number.get(client)
  if not digits then return nil, err end
  if digits == expected then return true end
  return nil, errors.new {
    kind = "auth", message = ("the API key belongs to +%s, not to +%s"):format(digits, expected),
  }
end

--- What stands before everything a client with `expect_number` sends: the first time it asks the
--- gateway, then it knows. Only an answer is remembered, not that there was none.
---@param client waba.Client  with `expected_number`: digits, or nil when none is expected
---@return true|nil
---@return waba.Error? err
function phone_number.ensure(client)
  if not client.expected_number or client.number_verified then return true end
  if client.wrong_number then return nil, client.wrong_number end
  local verified, err = phone_number.verify(client, client.expected_number)
  if verified then
    client.number_verified = true
  elseif err.kind == "auth" and not err.status then
    client.wrong_number = err
  end
  return verified, err
end

return phone_number
