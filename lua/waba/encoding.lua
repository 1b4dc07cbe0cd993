-- Encodes bytes as text: base64, percent-encoding, and the header of HTTP Basic authentication.

local encoding = {}

local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

-- Returns the base64 digit for six bits of `number`, of which the lowest bit has the value `unit`.
local function digit(number, unit)
  local at = math.floor(number / unit) % 64 + 1
  return DIGITS:sub(at, at)
end

local function four_digits(three)
  local a, b, c = three:byte(1, 3)
  local number = (a * 256 + (b or 0)) * 256 + (c or 0)
  local third, fourth = b and digit(number, 64) or "=", c and digit(number, 1) or "="
  return digit(number, 262144) .. digit(number, 4096) .. third .. fourth
end

---@param bytes string
---@return string base64  with padding and without line breaks
function encoding.base64(bytes) return (bytes:gsub("..?.?", four_digits)) end

local function percent_byte(byte) return ("%%%02X"):format(byte:byte()) end

---@param text string|number
---@param unsafe? string  the pattern of the bytes that are encoded; default: all but the unreserved bytes of RFC 3986
---@return string
function encoding.percent(text, unsafe)
  return (string.gsub(text, unsafe or "[^A-Za-z0-9%-._~]", percent_byte))
end

local CONTROL = "[%z\1-\31\127]" -- RFC 7617 forbids control characters in the user name and the password

--- Returns the value of the header Authorization for HTTP Basic authentication.
---@param user string
---@param password string
---@return string|nil value
---@return string? message  an error text that never contains the password
function encoding.basic(user, password)
  if user:find(":", 1, true) then return nil, "the user name has a colon, which HTTP Basic does not allow" end
  if user:find(CONTROL) then return nil, "the user name has a control character: expected printable text" end
  if password:find(CONTROL) then return nil, "the password has a control character: expected printable text" end
  return "Basic " .. encoding.base64(user .. ":" .. password)
end

return encoding
