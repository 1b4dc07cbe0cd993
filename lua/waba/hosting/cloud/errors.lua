-- Reads the errors of Cloud hosting in responses and webhooks (cloud.md, section 6.1).

local error_response = require "waba.hosting.error_response"
local runtime = require "waba.runtime"
local values = require "waba.hosting.values"

local text, join, code_of = values.some_text, error_response.join, error_response.code

local cloud_errors = {}

--- client/call.lua adds the hint `refused` to the error text for an unknown key or an unknown path.
cloud_errors.hints = { refused = 'if the number is on On-Premise hosting, set hosting = "on_premise"' }

local FORMS = {
  kinds = { [500] = "unavailable", [502] = "unavailable", [503] = "unavailable", [504] = "unavailable" },
  messages = { -- cloud.md, section 6.2
    { pattern = "requests? every (%d+)", kind = "rate_limited", scope = "endpoint" },
    { pattern = "api access disabled", kind = "blocked" },
    { pattern = "lack of payment", kind = "blocked" },
    { pattern = "invalid api[_ -]?key", kind = "auth" },
    { pattern = "this url .* is blocked", kind = "blocked" },
  },
}

-- An unknown id has the code 33, or the code 100 with the subcode 33.
local UNKNOWN_OBJECT = 33
-- The code 100 has this subcode if a template with an unknown name is deleted. Not documented.
local UNKNOWN_TEMPLATE = 2593002

--- Returns whether the platform may have executed a request whose response has this status and no known code. A load
--- balancer can send the status 503 or 504 (cloud.md, section 6.2). The status 400 is ambiguous if the connection was
--- cut before the end of the body (`is_cut`), because the lost part of the body can contain the code 1.
function cloud_errors.is_ambiguous(status, is_cut)
  return status >= 500 or status == 408 or is_cut == true and status == 400
end

-- The title "(#131005) Access denied" becomes "Access denied".
local function title_of(row)
  local title = text(row.title) or text(row.message)
  return title and (title:gsub("^%(#%d+%)%s*", ""))
end

local function details_of(row)
  local data = row.error_data
  return text(row.details) or text(values.object(data).details) or text(data)
    or join(text(row.error_user_title), text(row.error_user_msg))
end

local rows -- the table of error codes; loaded when the first error is read

-- Returns the row of a code in the table of error codes. If the code is unknown or unspecific (100), returns the row of
-- the subcode.
local function row_of(code, subcode, status)
  rows = rows or runtime.require "waba.hosting.cloud.error_codes"
  local known = code and rows[code]
  if subcode and rows[subcode] and (not known or code == 100) then return rows[subcode] end
  if code == 100 and (subcode == UNKNOWN_TEMPLATE or status == 404) then return rows[UNKNOWN_OBJECT] end
  return known
end

--- Creates an error object from an error in a response, `{ message, code, error_data, error_subcode, … }`, or in a
--- webhook, `{ code, title, message, error_data, href }`. The code determines the kind of the error. If the code
--- is unknown, the HTTP status determines the kind. `status` is nil in a webhook.
function cloud_errors.from_row(row, status)
  if type(row) ~= "table" then row = { title = text(row) } end
  local code, subcode = code_of(row.code), code_of(row.error_subcode)
  local known = row_of(code, subcode, status)
  return error_response.from_row({
    code = code, subcode = subcode, title = title_of(row), details = details_of(row),
    retryable = row.is_transient == true, scope = known and known.scope, trace_id = text(row.fbtrace_id),
    -- an unknown code may mean that the platform has executed the request
    maybe_sent = known and known.ambiguous or not known and status ~= nil and cloud_errors.is_ambiguous(status),
  }, row, known, status, FORMS)
end

-- Reads the field `error` of a response: an object of the Graph API, or a text. If a response has further fields, the
-- error object keeps the response in its field `answer`, because a part of the request may have succeeded.
local function from_graph(json, status)
  local content = json.error
  local err
  if type(content) == "table" and next(content) ~= nil then
    err = cloud_errors.from_row(content, status)
  elseif text(content) then
    err = error_response.from_message(text(content), text(json.message) or text(json.details), status, FORMS)
  else
    return nil
  end
  for name in pairs(json) do
    if name ~= "error" then err.answer = json end
  end
  return err
end

--- Reads the error of a response. A 2xx response has an error only if it has the field `error`. The field `errors` of a
--- 2xx response is about a part of the request, and lua/waba/resource reads this field.
cloud_errors.from_response = error_response.reader(FORMS, function(json, status, is_success)
  return from_graph(json, status)
    or not is_success and error_response.from_list(json.errors, status, cloud_errors.from_row) or nil
end)

return cloud_errors
