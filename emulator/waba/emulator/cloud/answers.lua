-- What the Cloud gateway answers with: Graph's errors, 360dialog's own with `meta`, and the table of
-- error codes (cloud.md, section 6).

local json = require "waba.emulator.json"
local random = require "waba.emulator.random"

local answers = {}

answers.HREF = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/"

--- Every error code: its title, and the HTTP status it has when it is answered at once.
---@type table<integer, { title: string, status: integer }>
answers.codes = {}

local TITLES = [[
0 401 AuthException
1 400 API Unknown
2 503 API Service
3 500 API Method
4 400 API Too Many Calls
10 403 API Permission Denied
33 400 Parameter value is not valid
100 400 Invalid parameter
190 401 Access token has expired
200 403 API Permission
368 403 Temporarily blocked for policies violations
613 429 Calls to this API have exceeded the rate limit
80007 400 Rate limit issues
130429 400 Rate limit hit
130472 400 User's number is part of an experiment
130497 403 Business account is restricted from messaging users in this country
130501 400 Message type is not currently supported
131000 500 Something went wrong
131005 403 Access denied
131008 400 Required parameter is missing
131009 400 Parameter value is not valid
131014 400 Request for url failed
131016 500 Service unavailable
131020 400 Group is not valid
131021 400 Recipient cannot be sender
131026 400 Message undeliverable
131030 400 Recipient phone number not in allowed list
131031 403 Account has been locked
131035 400 Webhook delivery failed within retention
131036 400 Retry receipt impossible
131037 400 Display name approval needed
131041 400 Group is unknown
131042 400 Business eligibility payment issue
131044 400 No valid payment method
131045 500 Incorrect certificate
131047 400 Re-engagement message
131048 400 Spam rate limit hit
131049 400 Meta chose not to deliver
131050 400 User has stopped marketing messages
131051 400 Unsupported message type
131052 400 Media download error
131053 400 Media upload error
131055 400 Method not allowed
131056 400 (Business Account, Consumer Account) pair rate limit hit
131057 500 Business Account is in maintenance mode
131059 400 Cursor is invalid or has expired
131060 400 This message is unavailable
131062 400 Business-scoped user ID recipients are not supported for this message
131063 400 Marketing templates are disabled on Cloud API
131064 400 Template classification limit reached
131201 206 Partial success
131202 400 Duplicate participant
131203 400 Participant has not accepted the terms of service
131204 400 Too many participants
131207 403 Group is suspended
131208 429 Group rate limit hit
131209 400 Group picture is not square
131210 400 Group picture is too small
131211 400 Group creation limit reached
131212 400 Participant is not in the group
131213 400 Join request is unknown
131214 400 Group creation is temporarily disabled
131215 400 Groups are not available to this phone number
132000 400 Number of parameters does not match the expected number of params
132001 404 Template name does not exist in the translation
132005 400 Translated text too long
132007 400 Template content policy violation
132008 400 Template parameter value is not valid
132012 400 Parameter format does not match format in the created template
132015 400 Template is paused
132016 400 Template is disabled
132018 400 Template parameters are not valid
132068 400 Flow is blocked
132069 400 Flow is throttled
133000 500 Incomplete deregistration
133004 503 Server temporarily unavailable
133005 400 Two step verification PIN mismatch
133006 400 Phone number re-verification needed
133008 400 Too many two step verification PIN guesses
133009 400 Two step verification PIN guessed too fast
133010 400 Phone number not registered
133015 400 Please wait a few minutes before attempting to register this phone number
133016 400 Account register or deregister rate limit exceeded
134011 400 WhatsApp Payments terms of service has not been accepted
134100 400 Only marketing messages are supported
134101 400 Template is still syncing
134102 500 Template is unavailable
135000 400 Generic user error
137000 400 Recipient identity key hash mismatch
138000 401 Calling is not enabled
138001 400 Callee is not reachable
138002 429 Concurrent calls limit reached
138003 400 Duplicate call
138004 500 Connection error
138005 429 Call rate limit exceeded
138006 401 No approved call permission from the recipient
138007 500 Connection timeout
138009 400 Call permission request limit hit
138012 400 Business-initiated calls limit hit
138013 400 Business-initiated calling is not available
138014 400 Calling is disabled
138015 400 Calling cannot be enabled
138017 400 Call permission is permanent already
138018 400 Prerequisites for calling are not met
138019 400 Call setup failed
138020 400 Call relay failed
138021 400 No media was received
138022 400 Media timed out
138023 400 Call was interrupted
139000 400 Blocked by integrity
139001 400 Flow cannot be updated
139002 400 Flow cannot be published
139003 400 Flow cannot be deprecated
139004 400 Flow cannot be deleted
139100 400 Failed to block or unblock some users
139101 400 Blocklist limit reached
139102 400 Blocklist concurrent update
139103 400 Internal error of the blocklist
139200 400 Direct Send access is blocked
147001 400 Username is unavailable
147002 400 Not eligible for a username
147003 400 Facebook page is not linked
147004 400 Instagram account is not linked
147005 400 Username transfer is required
200005 400 Template insights are not available
200006 400 Template insights cannot be disabled
200007 400 Template insights are not enabled
1752041 400 Duplicate onboarding request
2388318 400 Direct Send template cannot be updated
2388330 400 Direct Send template cannot be deleted
2593107 400 Synchronization request limit exceeded
2593108 400 Synchronization request is too late
2593109 400 History sharing is off
]]

for code, status, title in TITLES:gmatch("(%d+) (%d+) ([^\n]+)") do
  answers.codes[tonumber(code)] = { title = title, status = tonumber(status) }
end

--- An answer of a JSON value.
---@param status integer
---@param value any
---@return waba.emulator.Answer
function answers.json(status, value)
  return { status = status, headers = { ["content-type"] = "application/json; charset=UTF-8" },
    body = json.encode(value) }
end

local function title_of(code)
  local known = answers.codes[code]
  return known and known.title or "Unknown error"
end

--- The error object of a webhook.
---@param code integer
---@param details? string
---@param title? string  in place of the table's
---@return table
function answers.row(code, details, title)
  title = title or title_of(code)
  return { code = code, title = title, message = title, error_data = { details = details or title },
    href = answers.HREF }
end

-- An answer of an error object, which gets what all of them have.
local function graph_answer(status, object)
  object.type = object.type or "OAuthException"
  object.fbtrace_id = object.fbtrace_id or "A" .. random.letters(22)
  return answers.json(status, { error = object })
end

--- An error of the Graph API.
---@param code integer
---@param details? string
---@param more? table      further fields: error_subcode, error_user_title, error_user_msg, type, is_transient …
---@param status? integer  in place of the table's
---@return waba.emulator.Answer
function answers.error(code, details, more, status)
  local known = answers.codes[code]
  local object = { code = code, message = ("(#%d) %s"):format(code, title_of(code)),
    error_data = details and { messaging_product = "whatsapp", details = details } or nil }
  for name, value in pairs(more or {}) do object[name] = value end
  return graph_answer(status or known and known.status or 400, object)
end

--- An error as 360dialog's gateway answers it.
---@param status integer
---@param message string
---@return waba.emulator.Answer
function answers.meta(status, message)
  return answers.json(status, { meta = { httpCode = status, developerMessage = message, success = false } })
end

--- Success without anything to say.
---@return waba.emulator.Answer
function answers.success() return answers.json(200, { success = true }) end

-- The error object of a row: one as webhooks have it, or one as answers have it already.
local function as_error(row)
  local object = {}
  for name, value in pairs(row) do object[name] = value end
  if row.title then
    object.message = ("(#%d) %s"):format(row.code, row.title)
    object.title, object.href = nil, nil
    local details = row.error_data and row.error_data.details
    object.error_data = details and details ~= row.title
      and { messaging_product = "whatsapp", details = details } or nil
  end
  return object
end

--- The answer that an order of a fault asks for, if it asks for one (see emulator:fail_next).
---@param order table
---@param rows table[]|nil  its error objects
---@return waba.emulator.Answer|nil
function answers.ordered(order, rows)
  local ordered
  if order.body then
    ordered = { status = order.status or 500, body = order.body, headers = {} }
  elseif order.developer_message then
    ordered = answers.meta(order.status or 400, order.developer_message)
  elseif rows then
    local known = answers.codes[rows[1].code or 0]
    ordered = graph_answer(order.status or known and known.status or 400, as_error(rows[1]))
  elseif order.status then
    ordered = answers.meta(order.status, "Failure ordered by fail_next")
  end
  for name, value in pairs(ordered and order.headers or {}) do
    ordered.headers[name:lower()] = tostring(value)
  end
  return ordered
end

return answers
