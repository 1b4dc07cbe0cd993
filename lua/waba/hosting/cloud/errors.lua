-- Reads what the Cloud gateway says when it refuses: Graph's `error` object or text, the gateway's own
-- `meta`, the `errors` of webhooks, or whatever a load balancer puts in their place (cloud.md,
-- section 6.1). Gives error objects.

local error_response = require "waba.hosting.error_response"
local errors = require "waba.errors"
local runtime = require "waba.runtime"
local values = require "waba.hosting.values"

local text, join, code_of = values.some_text, error_response.join, error_response.code
local type, next, pairs = type, next, pairs

local cloud_errors = {}

local GATEWAY = {
  kinds = { [500] = "unavailable", [502] = "unavailable", [503] = "unavailable", [504] = "unavailable" },
  -- cloud.md, section 6.2: the gateway's own sentences that mean more than their HTTP status
  sentences = {
    { pattern = "requests? every (%d+)", kind = "rate_limited", scope = "endpoint" },
    { pattern = "api access disabled", kind = "blocked" },
    { pattern = "lack of payment", kind = "blocked" },
    { pattern = "invalid api[_ -]?key", kind = "auth" },
    { pattern = "this url .* is blocked", kind = "blocked" },
  },
}

-- Graph says of an id that it does not know: code 100 with this subcode, which is a code of its own too.
local UNKNOWN_OBJECT = 33
-- And of a template's name, when it is to be deleted. Recalled, not in the reference.
local UNKNOWN_TEMPLATE = 2593002

--- Whether a gateway that answers so may have handed the request on before it failed: 503 from a load
--- balancer says here no more than 504 does (cloud.md, section 6.2). Only what carries a known code is sure.
---@param status integer
---@param is_cut? boolean  the answer's body did not arrive: a 400 may have carried code 1, which says nothing
---@return boolean
function cloud_errors.is_ambiguous(status, is_cut)
  return status >= 500 or status == 408 or is_cut == true and status == 400
end

-- "(#131009) Parameter value is not valid" without the number.
local function title_of(row)
  local title = text(row.title) or text(row.message)
  return title and (title:gsub("^%(#%d+%)%s*", ""))
end

-- What the platform says beyond the title: in an object, or in a plain string, or in words for users.
local function details_of(row)
  local data = row.error_data
  local details = text(row.details) or type(data) == "table" and text(data.details) or text(data)
  if details then return details end
  local title, words = text(row.error_user_title), text(row.error_user_msg)
  return join(title, words)
end

local rows -- loaded for the first error

-- The row of the code, or of the subcode where that row is more specific.
local function row_of(code, subcode, status)
  rows = rows or runtime.require "waba.hosting.cloud.error_rows"
  local known = code and rows[code]
  if subcode and rows[subcode] and (not known or code == 100) then return rows[subcode] end
  if code == 100 and (subcode == UNKNOWN_OBJECT or subcode == UNKNOWN_TEMPLATE or status == 404) then
    return rows[UNKNOWN_OBJECT]
  end
  return known
end

--- The error object of one error of the platform, Graph's `{ message, code, error_data, error_subcode, … }` or a
--- webhook's `{ code, title, message, error_data, href }`. The kind follows from the code, then from the HTTP status;
--- unknown codes keep their text.
---@param row any
---@param status? integer  HTTP status, when it came in an answer
---@return waba.Error
function cloud_errors.from_row(row, status)
  if type(row) ~= "table" then row = { title = text(row) } end
  local code, subcode = code_of(row.code), code_of(row.error_subcode)
  local known = row_of(code, subcode, status)
  local kind = known and known.kind or status and error_response.kind_of(status, GATEWAY.kinds) or "api"
  local retryable = error_response.PASSING[kind] or row.is_transient == true
  if known then retryable = known.retryable end
  local title, details = title_of(row) or known and known.title, details_of(row)
  return errors.new {
    kind = kind, code = code, subcode = subcode, title = title, details = details, href = text(row.href),
    status = status, retryable = retryable, retry_after = known and known.retry_after, scope = known and known.scope,
    trace_id = text(row.fbtrace_id), message = join(title, details) or "the platform gave no reason",
    -- a code that is in no list says nothing certain
    maybe_sent = known and known.ambiguous or not known and status ~= nil and cloud_errors.is_ambiguous(status),
  }
end

-- Graph's shape. What stands beside `error`, such as the part of a request that succeeded, is kept.
local function from_graph(json, status)
  local said = json.error
  local err
  if type(said) == "table" and next(said) ~= nil then
    err = cloud_errors.from_row(said, status)
  elseif text(said) then
    err = error_response.from_sentence(text(said), text(json.message) or text(json.details), status, GATEWAY)
  else
    return nil
  end
  for name in pairs(json) do
    if name ~= "error" then err.answer = json end
  end
  return err
end

-- The list that webhooks have, which some answers have too.
local function from_list(json, status)
  local list = json.errors
  if type(list) ~= "table" or type(list[1]) ~= "table" then return nil end
  local err = cloud_errors.from_row(list[1], status)
  if #list > 1 then err.errors = list end
  return err
end

--- The error that an answer carries, if it carries one: any status that is not 2xx, and a 2xx with an
--- `error`. Part of a request may have failed in a 2xx (206): its `errors` are for whoever asked.
---@param status integer        HTTP status
---@param json any              the decoded body; nil when it is no JSON
---@param body string           its bytes
---@return waba.Error|nil
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
