-- Reads the errors of On-Premise hosting in responses and webhooks.

local error_response = require "waba.hosting.error_response"
local runtime = require "waba.runtime"
local values = require "waba.hosting.values"

local text, code_of = values.some_text, error_response.code

local on_premise_errors = {}

--- client/call.lua adds the hint `refused` to the error text for an unknown key or an unknown path, and the hint
--- `unreached` if the gateway can't be reached.
on_premise_errors.hints = {
  refused = 'if the number is on Cloud hosting, set hosting = "cloud"',
  unreached = 'On-Premise hosting ended in October 2025: for a number on Cloud hosting set hosting = "cloud"',
}

local FORMS = {
  -- the gateway has not executed a request to which it responds with 503
  kinds = { [503] = "rate_limited" },
  messages = {
    { pattern = "1 request every (%d+)", kind = "rate_limited", scope = "endpoint" },
    { pattern = "overdue payment", kind = "blocked" },
    { pattern = "has been disabled", kind = "blocked" },
  },
}

--- Returns whether the platform may have executed a request whose response has this status and no known code. A load
--- balancer can send the status 408 and every 5xx except 503.
function on_premise_errors.is_ambiguous(status)
  return status >= 500 and status ~= 503 or status == 408
end

local rows -- the table of error codes; loaded when the first error is read

-- The code 1006 stands for an unknown file or, with one of these texts of old WhatsApp clients, for a phone number that
-- was never checked.
local function is_unknown_contact(row)
  local content = ((text(row.title) or "") .. " " .. (text(row.details) or "")):lower()
  return content:find "unknown contact" or content:find "could not retrieve phone number from contact store"
end

--- Creates an error object from an error `{ code, title, details, href }` in a response or a webhook. The code
--- determines the kind of the error. If the code is unknown, the HTTP status determines the kind. `status` is nil in a
--- webhook.
function on_premise_errors.from_row(row, status)
  if type(row) ~= "table" then row = { title = text(row) } end
  rows = rows or runtime.require "waba.hosting.on_premise.error_codes"
  local code = code_of(row.code)
  return error_response.from_row({
    kind = code == 1006 and is_unknown_contact(row) and "recipient" or nil,
    code = code, title = text(row.title), details = text(row.details),
  }, row, code and rows[code], status, FORMS)
end

--- Reads the error of a response. A 2xx response without the field `errors` has no error.
on_premise_errors.from_response = error_response.reader(FORMS, function(json, status)
  return error_response.from_list(json.errors, status, on_premise_errors.from_row)
end)

return on_premise_errors
