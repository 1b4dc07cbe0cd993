-- Reads error responses in the forms that both hostings have: an object `meta` of 360dialog, the page of a load
-- balancer, or only an HTTP status.

local errors = require "waba.errors"
local values = require "waba.hosting.values"

local text = values.some_text

local error_response = {}

-- The kinds of errors in responses without a known code, by HTTP status.
local KIND_BY_STATUS = {
  [400] = "invalid", [401] = "auth", [403] = "blocked", [404] = "not_found", [405] = "invalid",
  [408] = "timeout", [409] = "api", [413] = "invalid", [415] = "invalid", [420] = "rate_limited",
  [429] = "rate_limited",
}

local TEMPORARY = { rate_limited = true, unavailable = true, timeout = true }

--- Converts an error code to an integer, because the platform writes some codes as strings of digits.
function error_response.code(value)
  local code = tonumber(value)
  -- math.floor makes a number of the subtype integer in Lua 5.3 and newer
  if code and code % 1 == 0 then return math.floor(code) end
end

--- Returns "title: details"; only the title or the details if the other is missing.
function error_response.join(title, details)
  if title and details and title ~= details then return title .. ": " .. details end
  return title or details
end

local function kind_of(status, forms)
  return forms.kinds[status] or KIND_BY_STATUS[status]
    or (status >= 500 and "unavailable" or status >= 300 and status < 400 and "protocol" or "api")
end

--- Creates an error object. `row` is the error that the platform has sent. `known` is the entry of the error code in
--- the hosting's table of error codes, or nil. `fields` has the fields that depend on the hosting, such as `code` and
--- `details`. `status` is nil for an error in a webhook.
function error_response.from_row(fields, row, known, status, forms)
  known = known or {}
  local kind = fields.kind or known.kind or status and kind_of(status, forms) or "api"
  local retryable = known.retryable
  if retryable == nil then retryable = TEMPORARY[kind] or fields.retryable end
  fields.kind, fields.retryable, fields.title = kind, retryable, fields.title or known.title
  fields.status, fields.href, fields.retry_after = status, text(row.href), known.retry_after
  fields.message = error_response.join(fields.title, fields.details) or "the platform's error has no text"
  return errors.new(fields)
end

--- Reads the field `errors` of a response: a list of errors, or a single error. The error object of the first error has
--- the list, if there are several.
function error_response.from_list(list, status, from_row)
  if type(list) ~= "table" or next(list) == nil then return nil end
  local err = from_row(list[1] or list, status)
  if #list > 1 then err.errors = list end
  return err
end

-- Patterns search at most this number of bytes, because the time of a search can grow with the square of the
-- number of bytes.
local MOST = 2000

-- Returns at most 200 bytes of a body, on one line and without tags of HTML.
local function excerpt(body)
  local line = body:sub(1, MOST):gsub("<[^>]*>", " "):gsub("%c", " "):gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
  if #line <= 200 and #body <= MOST then return line end
  -- an incomplete character at the end is removed
  return (line:sub(1, 200):gsub("[\192-\255][\128-\191]*$", "")) .. "…"
end

-- `meta.details` is a text or a list of texts.
local function details_of(meta)
  if type(meta.details) ~= "table" then return text(meta.details) end
  local parts = values.each(meta.details, text)
  return #parts > 0 and table.concat(parts, "; ") or nil
end

--- Creates an error from an error text of the gateway.
function error_response.from_message(message, details, status, forms)
  local kind, retry_after, scope = kind_of(status, forms), nil, nil
  local lower = message:sub(1, MOST):lower()
  for _, known in ipairs(forms.messages) do
    local found = lower:match(known.pattern)
    if found then
      kind, retry_after, scope = known.kind, tonumber(found), known.scope
      break
    end
  end
  return errors.new {
    kind = kind, status = status, title = message, details = details, retry_after = retry_after, scope = scope,
    retryable = TEMPORARY[kind] or false, message = error_response.join(message, details),
  }
end

-- Reads `{ meta = { success = false, http_code, developer_message, details } }`.
local function from_meta(json, status, forms)
  local meta = type(json.meta) == "table" and json.meta or {}
  local message = text(meta.developer_message) or text(meta.developerMessage)
  if message then return error_response.from_message(message, details_of(meta), status, forms) end
end

local function from_bytes(body, status, forms)
  local kind, message = kind_of(status, forms), excerpt(body)
  return errors.new {
    kind = kind, status = status, retryable = TEMPORARY[kind] or false,
    message = status >= 300 and status < 400 and "the response is a redirect, which is not followed: check base_url"
      or message ~= "" and message or ("the gateway responded with HTTP " .. status .. " and no reason"),
  }
end

--- Creates the function `from_response(status, json, body)` of a hosting, which returns the error of a response, or
--- nil. `json` is nil if the body is not JSON. `read(json, status, is_success)` reads the forms that only this hosting
--- has. `forms.kinds` replaces kinds of `KIND_BY_STATUS`. `forms.messages` has patterns of error texts that show the
--- kind more exactly than the HTTP status does. If a pattern has a capture, the captured text is the number of seconds
--- to wait.
function error_response.reader(forms, read)
  return function(status, json, body)
    local is_success, err = status >= 200 and status < 300, nil
    if type(json) == "table" then
      err = read(json, status, is_success) or not is_success and from_meta(json, status, forms)
    end
    return err or not is_success and from_bytes(body, status, forms) or nil
  end
end

return error_response
