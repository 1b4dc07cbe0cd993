-- Reads the error responses of the On-Premise gateway: the `errors` list of the WhatsApp client, the gateway's own
-- `meta`, and the body of a load balancer.

local error_response = require "waba.hosting.error_response"
local runtime = require "waba.runtime"
local values = require "waba.hosting.values"

local text, code_of = values.some_text, error_response.code

local on_premise_errors = {}

--- Hints that the number may be on the other hosting. The hint `refused` is added to an error text if the status is 401
--- or the path is unknown, the hint `unreached` if the gateway can't be reached.
on_premise_errors.hints = {
  refused = 'if the number is on Cloud hosting, set hosting = "cloud"',
  unreached = 'On-Premise hosting ended in October 2025: for a number on Cloud hosting set hosting = "cloud"',
}

-- The texts by which old WhatsApp clients report a phone number that was never checked. The code 1006 is not
-- sufficient, because it also stands for an unknown file.
local UNKNOWN_CONTACT = { "unknown contact", "could not retrieve phone number from contact store" }

local GATEWAY = {
  -- a 503 of this gateway means that the request was not executed
  kinds = { [503] = "rate_limited" },
  messages = {
    { pattern = "1 request every (%d+)", kind = "rate_limited", scope = "endpoint" },
    { pattern = "overdue payment", kind = "blocked" },
    { pattern = "has been disabled", kind = "blocked" },
  },
}

--- Returns whether the platform may have executed a request although the response has this status. The result is true
--- for 408 and every 5xx except 503, because a load balancer may have sent such a response.
function on_premise_errors.is_ambiguous(status)
  return status >= 500 and status ~= 503 or status == 408
end

local rows -- the table of error codes is loaded for the first error only

local function is_unknown_contact(row)
  local content = ((text(row.title) or "") .. " " .. (text(row.details) or "")):lower()
  for _, known in ipairs(UNKNOWN_CONTACT) do
    if content:find(known, 1, true) then return true end
  end
  return false
end

--- Creates an error object from a `{ code, title, details, href }` of the platform, in a response or a status. The kind
--- depends on the code; for an unknown code it depends on the HTTP status.
---@param row any
---@param status? integer  the HTTP status of the response
function on_premise_errors.from_row(row, status)
  if type(row) ~= "table" then row = { title = text(row) } end
  rows = rows or runtime.require "waba.hosting.on_premise.error_codes"
  local code = code_of(row.code)
  return error_response.from_row({
    kind = code == 1006 and is_unknown_contact(row) and "recipient" or nil,
    code = code, title = text(row.title), details = text(row.details),
  }, row, code and rows[code], status, GATEWAY.kinds)
end

-- Reads { errors = { … } }, the form of the WhatsApp client. The first element becomes the error object. If there are
-- several elements, the field `errors` of the error object has all of them.
local function from_client(json, status)
  local list = json.errors
  if type(list) ~= "table" then return end
  local first = list[1]
  if not first and next(list) ~= nil then first = list end
  if not first then return end
  local err = on_premise_errors.from_row(first, status)
  if #list > 1 then err.errors = list end
  return err
end

--- Reads the error of a response: of any status except 2xx, and of a 2xx with `errors`.
---@param status integer        HTTP status
---@param json any              the decoded body; nil: the body is not JSON
---@param body string           the bytes of the body
function on_premise_errors.from_response(status, json, body)
  local success = status >= 200 and status < 300
  if type(json) == "table" and not (success and json.errors == nil) then
    local err = from_client(json, status) or not success and error_response.from_gateway(json, status, GATEWAY)
    if err then return err end
  end
  if success then return nil end
  return error_response.from_bytes(status, body, GATEWAY)
end

return on_premise_errors
