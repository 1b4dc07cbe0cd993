-- The phone number to which the API key belongs: GET /v1/configs/phone_number (Cloud: GET /health_status). A client
-- with the option `expect_number` sends nothing with a key of another number.

local errors = require "waba.errors"
local outcome = require "waba.resource.outcome"
local recipient = require "waba.recipient"
local values = require "waba.hosting.values"

local phone_number = {}

---@return string|nil digits  without "+"
---@return waba.Error? err
function phone_number.get(client)
  return outcome.fetch(client, "phone_number", nil, function(json)
    local digits = values.phone_digits(values.dig(json, client.hosting.number_field))
    if digits then client.own_number = { number = digits, phone_number_id = values.text(json.id) } end
    return digits
  end, "the response has no phone_number: expected a phone number")
end

--- Returns the digits of a phone number in international form. For an invalid number, raises an error at the caller of
--- the calling function.
---@param number string|integer
---@param what string  the name of the option in the error text: "waba.client: option expect_number"
function phone_number.expected(number, what)
  local digits, err = recipient.normalize(number, what)
  if not digits then error(err.message, 3) end
  return digits
end

function phone_number.verify(client, expected)
  local digits, err = phone_number.get(client)
  if not digits then return nil, err end
  if digits == expected or client.own_number.phone_number_id == expected then return true end
  return nil, errors.new {
    kind = "auth",
    message = ("the API key belongs to +%s, not to +%s: set the key of that number"):format(digits, expected),
  }
end

-- Checks the number of the API key before the first request of a client with the option `expect_number`.
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
