-- Reads the error responses of the Cloud gateway: the `error` object or text of Meta's Graph API, the gateway's own
-- `meta`, the `errors` of webhooks, and the body of a load balancer (cloud.md, section 6.1).

local error_response = require "waba.hosting.error_response"
local runtime = require "waba.runtime"
local values = require "waba.hosting.values"

local text, join, code_of = values.some_text, error_response.join, error_response.code

local cloud_errors = {}

--- Hints that the number may be on the other hosting. The hint `refused` is added to an error text if the status is 401
--- or the path is unknown.
cloud_errors.hints = { refused = 'if the number is on On-Premise hosting, set hosting = "on_premise"' }

local GATEWAY = {
  kinds = { [500] = "unavailable", [502] = "unavailable", [503] = "unavailable", [504] = "unavailable" },
  -- error texts that show the kind more exactly than the HTTP status does (cloud.md, section 6.2)
  messages = {
    { pattern = "requests? every (%d+)", kind = "rate_limited", scope = "endpoint" },
    { pattern = "api access disabled", kind = "blocked" },
    { pattern = "lack of payment", kind = "blocked" },
    { pattern = "invalid api[_ -]?key", kind = "auth" },
    { pattern = "this url .* is blocked", kind = "blocked" },
  },
}

-- The subcode of code 100 for an unknown id; the same number also occurs as a code.
local UNKNOWN_OBJECT = 33
-- The subcode of code 100 when a template with an unknown name is deleted. Not documented.
local UNKNOWN_TEMPLATE = 2593002

--- Returns whether the platform may have executed a request although the response has this status and no known code. A
--- status 503 or 504 may come from a load balancer (cloud.md, section 6.2).
---@param status integer
---@param is_cut? boolean  true: the body was not received; with status 400 the body may have had code 1, after which
---        the result is uncertain
function cloud_errors.is_ambiguous(status, is_cut)
  return status >= 500 or status == 408 or is_cut == true and status == 400
end

-- Returns the title of an error without its code: "Access denied" for "(#131005) Access denied".
local function title_of(row)
  local title = text(row.title) or text(row.message)
  return title and (title:gsub("^%(#%d+%)%s*", ""))
end

-- Returns the details of an error, which may be in an object, in a string, or in a text for users.
local function details_of(row)
  local data = row.error_data
  local details = text(row.details) or type(data) == "table" and text(data.details) or text(data)
  if details then return details end
  return join(text(row.error_user_title), text(row.error_user_msg))
end

local rows -- the table of error codes is loaded for the first error only

-- Returns the row of the code, or the row of the subcode if that is more exact.
local function row_of(code, subcode, status)
  rows = rows or runtime.require "waba.hosting.cloud.error_codes"
  local known = code and rows[code]
  if subcode and rows[subcode] and (not known or code == 100) then return rows[subcode] end
  if code == 100 and (subcode == UNKNOWN_TEMPLATE or status == 404) then
    return rows[UNKNOWN_OBJECT]
  end
  return known
end

--- Creates an error object from an error of the platform: the Graph API's `{ message, code, error_data, error_subcode,
--- … }` or a webhook's `{ code, title, message, error_data, href }`. The kind depends on the code; for an unknown code
--- it depends on the HTTP status.
---@param row any
---@param status? integer  the HTTP status of the response
function cloud_errors.from_row(row, status)
  if type(row) ~= "table" then row = { title = text(row) } end
  local code, subcode = code_of(row.code), code_of(row.error_subcode)
  local known = row_of(code, subcode, status)
  return error_response.from_row({
    code = code, subcode = subcode, title = title_of(row), details = details_of(row),
    retryable = row.is_transient == true, scope = known and known.scope, trace_id = text(row.fbtrace_id),
    -- the meaning of an unknown code is uncertain
    maybe_sent = known and known.ambiguous or not known and status ~= nil and cloud_errors.is_ambiguous(status),
  }, row, known, status, GATEWAY.kinds)
end

-- Reads an error in the form of the Graph API. If the response has further fields, for example because a part of the
-- request succeeded, the error's field `answer` is the complete response.
local function from_graph(json, status)
  local content = json.error
  local err
  if type(content) == "table" and next(content) ~= nil then
    err = cloud_errors.from_row(content, status)
  elseif text(content) then
    err = error_response.from_message(text(content), text(json.message) or text(json.details), status, GATEWAY)
  else
    return nil
  end
  for name in pairs(json) do
    if name ~= "error" then err.answer = json end
  end
  return err
end

-- Reads a list of errors, the form that webhooks use too.
local function from_list(json, status)
  local list = json.errors
  if type(list) ~= "table" or type(list[1]) ~= "table" then return nil end
  local err = cloud_errors.from_row(list[1], status)
  if #list > 1 then err.errors = list end
  return err
end

--- Reads the error of a response: of any status except 2xx, and of a 2xx with an `error`. The `errors` of a 2xx (206)
--- concern a part of the request only; the caller reads them.
---@param status integer        HTTP status
---@param json any              the decoded body; nil: the body is not JSON
---@param body string           the bytes of the body
function cloud_errors.from_response(status, json, body)
  local success = status >= 200 and status < 300
  if type(json) == "table" then
    local err = from_graph(json, status)
    if err or success then return err end
    err = from_list(json, status)
    if err then return err end
    err = error_response.from_gateway(json, status, GATEWAY)
    if err then return err end
  end
  if success then return nil end
  return error_response.from_bytes(status, body, GATEWAY)
end

return cloud_errors
