-- Reads what the On-Premise gateway says when it refuses: the client's `errors` array, the
-- gateway's own `meta`, or whatever a load balancer puts in their place. Gives error objects.

local errors = require "waba.errors"
local rows = require "waba.hosting.on_premise.error_rows"

local on_premise_errors = {}

-- Kinds by HTTP status, for answers without a known code.
local KIND_BY_STATUS = {
  [400] = "invalid", [401] = "auth", [403] = "blocked", [404] = "not_found", [405] = "invalid",
  [409] = "api", [413] = "invalid", [415] = "invalid", [420] = "rate_limited", [429] = "rate_limited",
  [500] = "unavailable", [502] = "unavailable", [503] = "rate_limited", [504] = "unavailable",
}

-- What old clients say of a number that was never checked (code 1006, as also for unknown files).
local UNKNOWN_CONTACT = { "unknown contact", "could not retrieve phone number from contact store" }

-- The gateway's own sentences that mean more than their HTTP status. Matched in lower case.
local GATEWAY_SENTENCES = {
  { pattern = "1 request every (%d+)", kind = "rate_limited" },
  { pattern = "overdue payment", kind = "blocked" },
  { pattern = "has been disabled", kind = "blocked" },
}

local RETRYABLE = { rate_limited = true, unavailable = true }

local function text(value)
  if type(value) == "string" and value ~= "" then return value end
  if type(value) == "number" then return tostring(value) end
end

local function is_unknown_contact(row)
  local said = ((text(row.title) or "") .. " " .. (text(row.details) or "")):lower()
  for _, sentence in ipairs(UNKNOWN_CONTACT) do
    if said:find(sentence, 1, true) then return true end
  end
  return false
end

local function sentence(title, details)
  if title and details and title ~= details then return title .. ": " .. details end
  return title or details
end

-- A body that is neither shape: its beginning, on one line.
local function excerpt(body)
  local line = body:gsub("<[^>]*>", " "):gsub("%c", " "):gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
  if #line <= 200 then return line end
  -- not in the middle of a character
  return (line:sub(1, 200):gsub("[\192-\255][\128-\191]*$", "")) .. "…"
end

--- The error object of one `{ code, title, details, href }` of the platform, from an answer or a
--- status. The kind follows from the code, then from the HTTP status; unknown codes keep their text.
---@param row any
---@param status? integer  HTTP status, when it came in an answer
---@return waba.Error
function on_premise_errors.from_row(row, status)
  if type(row) ~= "table" then row = { title = text(row) } end
  local code = tonumber(row.code)
  if code and code % 1 ~= 0 then code = nil end
  local known = code and rows[code]
  local title, details = text(row.title), text(row.details)
  local kind = known and known.kind or status and KIND_BY_STATUS[status] or "api"
  if code == 1006 and is_unknown_contact(row) then kind = "recipient" end
  local retryable = RETRYABLE[kind] or false
  if known then retryable = known.retryable end
  return errors.new {
    kind = kind, code = code and math.floor(code), title = title or known and known.title, details = details,
    href = text(row.href), status = status, retryable = retryable,
    retry_after = known and known.retry_after,
    message = sentence(title or known and known.title, details) or "the platform gave no reason",
  }
end

-- { errors = { … } }: the client's shape. The first one is the error, the others stay beside it.
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

-- { meta = { success = false, http_code, developer_message, details } }: the gateway's own shape,
-- in both of its spellings.
local function from_gateway(json, status)
  local meta = type(json.meta) == "table" and json.meta or {}
  local said = text(meta.developer_message) or text(meta.developerMessage)
  if not said then return end
  local kind, retry_after = KIND_BY_STATUS[status] or (status >= 500 and "unavailable" or "api"), nil
  for _, known in ipairs(GATEWAY_SENTENCES) do
    local seconds = said:lower():match(known.pattern)
    if seconds then
      kind, retry_after = known.kind, tonumber(seconds)
      break
    end
  end
  local details = text(meta.details)
  if type(meta.details) == "table" then
    local parts = {}
    for _, detail in ipairs(meta.details) do parts[#parts + 1] = text(detail) end
    details = #parts > 0 and table.concat(parts, "; ") or nil
  end
  return errors.new {
    kind = kind, status = status, title = said, details = details, retry_after = retry_after,
    retryable = RETRYABLE[kind] or false, message = sentence(said, details),
  }
end

--- The error that an answer carries, if it carries one: any status that is not 2xx, and a 2xx with
--- a non-empty `errors`.
---@param status integer        HTTP status
---@param json any              the decoded body; nil when it is no JSON
---@param body string           its bytes
---@return waba.Error|nil
function on_premise_errors.from_response(status, json, body)
  local success = status >= 200 and status < 300
  if type(json) == "table" and not (success and json.errors == nil) then
    local err = from_client(json, status) or not success and from_gateway(json, status)
    if err then return err end
  end
  if success then return nil end
  local kind = KIND_BY_STATUS[status]
    or (status >= 500 and "unavailable" or status >= 300 and status < 400 and "protocol" or "api")
  local said = excerpt(body)
  return errors.new {
    kind = kind, status = status, retryable = RETRYABLE[kind] or false,
    message = status >= 300 and status < 400 and "the gateway answered with a redirect, which is never followed"
      or said ~= "" and said or ("the gateway answered with HTTP " .. status .. " and no reason"),
  }
end

return on_premise_errors
