-- Reads error responses in the forms that both gateways share: 360dialog's own `meta`, the body of a load balancer,
-- an HTTP status alone.

local errors = require "waba.errors"
local values = require "waba.hosting.values"

local text = values.some_text
local type, tonumber = type, tonumber

local error_response = {}

--- Kinds by HTTP status, for error_response without a known code.
---@type table<integer, waba.ErrorKind>
error_response.KIND_BY_STATUS = {
  [400] = "invalid", [401] = "auth", [403] = "blocked", [404] = "not_found", [405] = "invalid",
  [408] = "timeout", [409] = "api", [413] = "invalid", [415] = "invalid", [420] = "rate_limited",
  [429] = "rate_limited",
}

--- The kinds that pass by themselves.
error_response.PASSING = { rate_limited = true, unavailable = true, timeout = true }

--- An error code: a whole number, or one in digits.
---@param value any
---@return integer|nil
function error_response.code(value)
  local code = tonumber(value)
  -- a float's integer is one where Lua has them
  if code and code % 1 == 0 then return math.floor(code) end
end

--- "Title: details", or what there is of it.
---@param title string|nil
---@param details string|nil
---@return string|nil
function error_response.join(title, details)
  if title and details and title ~= details then return title .. ": " .. details end
  return title or details
end

--- The kind of an answer that has no known code.
---@param status integer
---@param kinds table<integer, waba.ErrorKind>  the hosting's own, which go before `KIND_BY_STATUS`
---@return waba.ErrorKind
function error_response.kind_of(status, kinds)
  return kinds[status] or error_response.KIND_BY_STATUS[status]
    or (status >= 500 and "unavailable" or status >= 300 and status < 400 and "protocol" or "api")
end

-- Bytes of a body or a text that are searched at most, since the time that the patterns take grows with its square.
local MOST = 2000

-- A body that is neither shape: its beginning, on one line.
local function excerpt(body)
  local line = body:sub(1, MOST):gsub("<[^>]*>", " "):gsub("%c", " "):gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
  if #line <= 200 and #body <= MOST then return line end
  -- not in the middle of a character
  return (line:sub(1, 200):gsub("[\192-\255][\128-\191]*$", "")) .. "…"
end

-- What `meta.details` says: a text, or a list of texts.
local function details_of(meta)
  if type(meta.details) ~= "table" then return text(meta.details) end
  local parts = {}
  for _, detail in ipairs(meta.details) do parts[#parts + 1] = text(detail) end
  return #parts > 0 and table.concat(parts, "; ") or nil
end

--- A sentence of the gateway that means more than its HTTP status.
---@class waba.GatewaySentence
---@field pattern string        of Lua, for the sentence in lower case; a capture is seconds to wait
---@field kind waba.ErrorKind
---@field scope string|nil      as in `waba.Error`

--- The error of the gateway's own words.
---@param said string                       its sentence
---@param details string|nil
---@param status integer
---@param hosting { kinds: table, sentences: waba.GatewaySentence[] }
---@return waba.Error
function error_response.from_sentence(said, details, status, hosting)
  local kind, retry_after, scope = error_response.kind_of(status, hosting.kinds), nil, nil
  local lower = said:sub(1, MOST):lower()
  for _, known in ipairs(hosting.sentences) do
    local found = lower:match(known.pattern)
    if found then
      kind, retry_after, scope = known.kind, tonumber(found), known.scope
      break
    end
  end
  return errors.new {
    kind = kind, status = status, title = said, details = details, retry_after = retry_after, scope = scope,
    retryable = error_response.PASSING[kind] or false, message = error_response.join(said, details),
  }
end

--- The error of `{ meta = { success = false, http_code, developer_message, details } }`, the shape of the
--- gateway itself, in both of its spellings.
---@param json table
---@param status integer
---@param hosting { kinds: table, sentences: waba.GatewaySentence[] }
---@return waba.Error|nil
function error_response.from_gateway(json, status, hosting)
  local meta = type(json.meta) == "table" and json.meta or {}
  local said = text(meta.developer_message) or text(meta.developerMessage)
  if said then return error_response.from_sentence(said, details_of(meta), status, hosting) end
end

--- The error of an answer in no known shape.
---@param status integer
---@param body string
---@param hosting { kinds: table }
---@return waba.Error
function error_response.from_bytes(status, body, hosting)
  local kind = error_response.kind_of(status, hosting.kinds)
  local said = excerpt(body)
  return errors.new {
    kind = kind, status = status, retryable = error_response.PASSING[kind] or false,
    message = status >= 300 and status < 400 and "the gateway answered with a redirect, which is never followed"
      or said ~= "" and said or ("the gateway answered with HTTP " .. status .. " and no reason"),
  }
end

return error_response
