-- Reads error responses in the forms that both gateways have: 360dialog's own `meta`, the body of a load balancer, or
-- only an HTTP status.

local errors = require "waba.errors"
local values = require "waba.hosting.values"

local text = values.some_text

local error_response = {}

-- The kind of an error by its HTTP status, for responses without a known code.
local KIND_BY_STATUS = {
  [400] = "invalid", [401] = "auth", [403] = "blocked", [404] = "not_found", [405] = "invalid",
  [408] = "timeout", [409] = "api", [413] = "invalid", [415] = "invalid", [420] = "rate_limited",
  [429] = "rate_limited",
}

--- The kinds of temporary errors.
error_response.TEMPORARY = { rate_limited = true, unavailable = true, timeout = true }

--- Reads an error code: an integer, or a string of digits.
function error_response.code(value)
  local code = tonumber(value)
  -- math.floor makes a number of the subtype integer in Lua 5.3 and newer
  if code and code % 1 == 0 then return math.floor(code) end
end

--- Returns "title: details"; if the title or the details are missing, returns the other text alone.
function error_response.join(title, details)
  if title and details and title ~= details then return title .. ": " .. details end
  return title or details
end

--- Returns the kind of an error without a known code.
---@param status integer
---@param kinds table<integer, waba.ErrorKind>  the kinds of the hosting, which have precedence over `KIND_BY_STATUS`
function error_response.kind_of(status, kinds)
  return kinds[status] or KIND_BY_STATUS[status]
    or (status >= 500 and "unavailable" or status >= 300 and status < 400 and "protocol" or "api")
end

--- Creates an error from an error of the platform.
---@param fields table        the fields of the error that depend on the hosting, such as `code` and `details`
---@param row table           the error of the platform
---@param known table|nil     the row of its code in the hosting's table
---@param status integer|nil  of the response
---@param kinds table<integer, waba.ErrorKind>  as in `kind_of`
function error_response.from_row(fields, row, known, status, kinds)
  known = known or {}
  local kind = fields.kind or known.kind or status and error_response.kind_of(status, kinds) or "api"
  local retryable = known.retryable
  if retryable == nil then retryable = error_response.TEMPORARY[kind] or fields.retryable end
  fields.kind, fields.retryable, fields.title = kind, retryable, fields.title or known.title
  fields.status, fields.href, fields.retry_after = status, text(row.href), known.retry_after
  fields.message = error_response.join(fields.title, fields.details) or "the platform's error has no text"
  return errors.new(fields)
end

-- The number of bytes that are searched. The search is limited because the time of the patterns grows with the square
-- of the length.
local MOST = 2000

-- Returns the beginning of a body of unknown form, on one line.
local function excerpt(body)
  local line = body:sub(1, MOST):gsub("<[^>]*>", " "):gsub("%c", " "):gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
  if #line <= 200 and #body <= MOST then return line end
  -- removes an incomplete character at the end
  return (line:sub(1, 200):gsub("[\192-\255][\128-\191]*$", "")) .. "…"
end

-- Reads `meta.details`: a text, or a list of texts.
local function details_of(meta)
  if type(meta.details) ~= "table" then return text(meta.details) end
  local parts = {}
  for _, detail in ipairs(meta.details) do parts[#parts + 1] = text(detail) end
  return #parts > 0 and table.concat(parts, "; ") or nil
end

--- An error text of the gateway that shows the kind more exactly than the HTTP status does.
---@class waba.GatewayMessage
---@field pattern string        a Lua pattern for the error text in lower case; it may capture the seconds to wait
---@field kind waba.ErrorKind
---@field scope string|nil      as in `waba.Error`

--- Creates an error from an error text of the gateway.
---@param message string                       the message
---@param details string|nil
---@param status integer
---@param hosting { kinds: table, messages: waba.GatewayMessage[] }
function error_response.from_message(message, details, status, hosting)
  local kind, retry_after, scope = error_response.kind_of(status, hosting.kinds), nil, nil
  local lower = message:sub(1, MOST):lower()
  for _, known in ipairs(hosting.messages) do
    local found = lower:match(known.pattern)
    if found then
      kind, retry_after, scope = known.kind, tonumber(found), known.scope
      break
    end
  end
  return errors.new {
    kind = kind, status = status, title = message, details = details, retry_after = retry_after, scope = scope,
    retryable = error_response.TEMPORARY[kind] or false, message = error_response.join(message, details),
  }
end

--- Creates an error from `{ meta = { success = false, http_code, developer_message, details } }`, the gateway's own
--- form. The gateway writes the name of the text as `developer_message` or `developerMessage`.
function error_response.from_gateway(json, status, hosting)
  local meta = type(json.meta) == "table" and json.meta or {}
  local message = text(meta.developer_message) or text(meta.developerMessage)
  if message then return error_response.from_message(message, details_of(meta), status, hosting) end
end

--- Creates an error from a body of unknown form.
function error_response.from_bytes(status, body, hosting)
  local kind = error_response.kind_of(status, hosting.kinds)
  local message = excerpt(body)
  return errors.new {
    kind = kind, status = status, retryable = error_response.TEMPORARY[kind] or false,
    message = status >= 300 and status < 400 and "the response is a redirect, which is not followed: check base_url"
      or message ~= "" and message or ("the gateway responded with HTTP " .. status .. " and no reason"),
  }
end

return error_response
