-- What the On-Premise gateway answers with: the client's body with `errors`, the gateway's own with
-- `meta`, and the table of error codes (on-premise.md, section 12).

local json = require "waba.emulator.json"

local answers = {}

answers.HREF = "https://developers.facebook.com/docs/whatsapp/api/errors/"

--- Every error code: its title, and the HTTP status it has when it is answered at once.
---@type table<integer, { title: string, status: integer }>
answers.codes = {}

local TITLES = [[
400 400 Media download error
401 404 Group does not exist
402 400 Business eligibility - Payment issue
408 400 Message is not valid
410 400 Message expired
429 429 Rate limit hit
430 400 Unsigned certificate
432 400 Certificate ID mismatch
433 400 Certificate signature invalid
470 400 Re-engagement message
471 400 Spam rate limit hit
472 400 User's number is part of an experiment
480 412 User potentially changed
500 500 Generic error
501 400 Message type is not currently supported
1000 500 Generic error
1001 400 Message too long
1002 400 Invalid recipient type
1003 400 Not a group participant
1004 409 Resource already exists
1005 403 Access denied
1006 404 Resource not found
1007 403 Recipient blocked to receive message
1008 400 Required parameter is missing
1009 400 Parameter value is not valid
1010 400 Parameter is not required
1011 503 Service not ready
1012 404 Group is unknown
1013 404 User is not valid
1014 500 Internal error
1015 429 Too many requests
1016 503 System overloaded
1017 503 Not Primary Master
1018 503 Not Primary Coreapp
1021 400 Bad User
1022 412 Webhooks URL is not configured
1023 500 Database error occurred
1024 401 Password Change Required
1025 400 Invalid Request
1026 400 Receiver incapable
1028 412 user_identity_changed notification requires acknowledgement
1031 403 Sender account has been locked
2000 400 Template Param Count Mismatch
2001 400 Template Missing
2002 400 Template Fetch Failed
2003 400 Template Pack Missing
2004 400 Template Param Length Too Long
2005 400 Template Hydrated Text Too Long
2006 400 Template White Space Policy Violated
2007 400 Template Format Character Policy Violated
2008 400 Template Media Format Unsupported
2009 400 Template Required Component Missing
2010 400 Template Invalid Hydrated URL
2011 400 Template Invalid Phone Number
2012 400 Template Parameter Format Mismatch
2013 400 Template Buttons Unsupported
2014 400 Expected Namespace is Empty
2015 400 Invalid number of sections
2016 400 Invalid number of rows
2017 400 Character Policy Violated
2023 400 Invalid number of product
2024 400 Catalog ID not found
2025 400 Catalog ID not linked to API number
2026 400 Missing products
2027 400 No products found
2028 400 All products failed compliance
2029 400 Some products failed compliance
2030 400 Mixed: products invalid and failed compliance
2036 400 Invalid Header Structure
2050 400 Missing Compliance Info
2060 400 Template Rejected
2061 400 Template Paused
2062 400 Template Disabled
2068 400 Flow is blocked
2069 429 Flow is throttled
]]

for code, status, title in TITLES:gmatch("(%d+) (%d+) ([^\n]+)") do
  answers.codes[tonumber(code)] = { title = title, status = tonumber(status) }
end

local function answer(status, value)
  return { status = status, headers = { ["content-type"] = "application/json" }, body = json.encode(value) }
end

--- An answer of a JSON value.
---@param status integer
---@param value any
---@return waba.emulator.Answer
function answers.json(status, value) return answer(status, value) end

--- The platform's error object.
---@param code integer
---@param details? string
---@param title? string  in place of the table's
---@return { code: integer, title: string, details: string?, href: string }
function answers.row(code, details, title)
  local known = answers.codes[code]
  title = title or known and known.title or "Unknown error"
  return { code = code, title = title, details = details, href = answers.HREF }
end

--- An error as the WhatsApp client answers it.
---@param code integer
---@param details? string
---@param version string   the client's, for `meta`
---@param status? integer  in place of the table's
---@return waba.emulator.Answer
function answers.error(code, details, version, status)
  local known = answers.codes[code]
  return answer(status or known and known.status or 400, {
    errors = { answers.row(code, details) },
    meta = { api_status = "stable", version = version },
  })
end

--- An error as 360dialog's gateway answers it.
---@param status integer
---@param message string
---@param details? string[]
---@return waba.emulator.Answer
function answers.meta(status, message, details)
  return answer(status, {
    meta = { success = false, http_code = status, developer_message = message, details = details },
  })
end

--- The answer that an order of a fault asks for, if it asks for one (see emulator:fail_next).
---@param order table
---@param rows table[]|nil  its error objects
---@param version string
---@return waba.emulator.Answer|nil
function answers.ordered(order, rows, version)
  local ordered
  if order.body then
    ordered = { status = order.status or 500, body = order.body, headers = {} }
  elseif order.developer_message then
    ordered = answers.meta(order.status or 400, order.developer_message, order.details)
  elseif rows then
    local known = answers.codes[rows[1].code or 0]
    ordered = answer(order.status or known and known.status or 400, {
      errors = rows, meta = { api_status = "stable", version = version },
    })
  elseif order.status then
    ordered = answers.meta(order.status, "Failure ordered by fail_next")
  end
  for name, value in pairs(ordered and order.headers or {}) do
    ordered.headers[name:lower()] = tostring(value)
  end
  return ordered
end

return answers
