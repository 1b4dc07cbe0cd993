-- The error codes of the platform: each line has the code, the HTTP status of its response, and the title. A code that
-- the emulator returns also has a name, before the title. Codes with the same meaning have the same name on both
-- hostings.

local codes = {}

-- Source: on-premise.md, section 12
local ON_PREMISE = [[
400 400 Media download error
401 404 Group does not exist
402 400 Business eligibility - Payment issue
408 400 Message is not valid
410 400 Message expired
429 429 Rate limit hit
430 400 Unsigned certificate
432 400 Certificate ID mismatch
433 400 Certificate signature invalid
470 400 window_closed: Re-engagement message
471 400 Spam rate limit hit
472 400 User's number is part of an experiment
480 412 User potentially changed
500 500 Generic error
501 400 type_unsupported: Message type is not currently supported
1000 500 Generic error
1001 400 message_too_long: Message too long
1002 400 recipient_type_invalid: Invalid recipient type
1003 400 Not a group participant
1004 409 Resource already exists
1005 403 Access denied
1006 404 not_found: Resource not found
1007 403 Recipient blocked to receive message
1008 400 parameter_missing: Required parameter is missing
1009 400 parameter_invalid: Parameter value is not valid
1010 400 parameter_not_required: Parameter is not required
1011 503 Service not ready
1012 404 Group is unknown
1013 404 recipient_invalid: User is not valid
1014 500 internal_error: Internal error
1015 429 rate_limit: Too many requests
1016 503 System overloaded
1017 503 Not Primary Master
1018 503 Not Primary Coreapp
1021 400 recipient_is_sender: Bad User
1022 412 webhook_missing: Webhooks URL is not configured
1023 500 Database error occurred
1024 401 Password Change Required
1025 400 request_invalid: Invalid Request
1026 400 Receiver incapable
1028 412 identity_changed: user_identity_changed notification requires acknowledgement
1031 403 Sender account has been locked
2000 400 parameter_count: Template Param Count Mismatch
2001 400 template_missing: Template Missing
2002 400 Template Fetch Failed
2003 400 Template Pack Missing
2004 400 parameter_too_long: Template Param Length Too Long
2005 400 text_too_long: Template Hydrated Text Too Long
2006 400 white_space: Template White Space Policy Violated
2007 400 control_characters: Template Format Character Policy Violated
2008 400 media_unsupported: Template Media Format Unsupported
2009 400 component_missing: Template Required Component Missing
2010 400 url_invalid: Template Invalid Hydrated URL
2011 400 Template Invalid Phone Number
2012 400 parameter_mismatch: Template Parameter Format Mismatch
2013 400 buttons_unsupported: Template Buttons Unsupported
2014 400 namespace_empty: Expected Namespace is Empty
2015 400 section_count: Invalid number of sections
2016 400 row_count: Invalid number of rows
2017 400 characters_forbidden: Character Policy Violated
2023 400 product_count: Invalid number of product
2024 400 catalog_unknown: Catalog ID not found
2025 400 Catalog ID not linked to API number
2026 400 products_missing: Missing products
2027 400 products_unknown: No products found
2028 400 All products failed compliance
2029 400 Some products failed compliance
2030 400 Mixed: products invalid and failed compliance
2036 400 header_invalid: Invalid Header Structure
2050 400 Missing Compliance Info
2060 400 template_rejected: Template Rejected
2061 400 template_paused: Template Paused
2062 400 template_disabled: Template Disabled
2068 400 Flow is blocked
2069 429 Flow is throttled
]]

-- Source: cloud.md, section 6
local CLOUD = [[
0 401 AuthException
1 400 API Unknown
2 503 API Service
3 500 API Method
4 400 API Too Many Calls
10 403 API Permission Denied
33 400 Parameter value is not valid
100 400 invalid_parameter: Invalid parameter
190 401 Access token has expired
200 403 API Permission
368 403 Temporarily blocked for policies violations
613 429 Calls to this API have exceeded the rate limit
80007 400 account_rate_limit: Rate limit issues
130429 400 rate_limit: Rate limit hit
130472 400 User's number is part of an experiment
130497 403 Business account is restricted from messaging users in this country
130501 400 Message type is not currently supported
131000 500 generic: Something went wrong
131005 403 Access denied
131008 400 parameter_missing: Required parameter is missing
131009 400 parameter_invalid: Parameter value is not valid
131014 400 Request for url failed
131016 500 Service unavailable
131020 400 Group is not valid
131021 400 recipient_is_sender: Recipient cannot be sender
131026 400 undeliverable: Message undeliverable
131030 400 recipient_not_allowed: Recipient phone number not in allowed list
131031 403 Account has been locked
131035 400 Webhook delivery failed within retention
131036 400 Retry receipt impossible
131037 400 Display name approval needed
131041 400 Group is unknown
131042 400 Business eligibility payment issue
131044 400 No valid payment method
131045 500 Incorrect certificate
131047 400 window_closed: Re-engagement message
131048 400 Spam rate limit hit
131049 400 Meta chose not to deliver
131050 400 marketing_stopped: User has stopped marketing messages
131051 400 type_unsupported: Unsupported message type
131052 400 Media download error
131053 400 media_invalid: Media upload error
131055 400 method_not_allowed: Method not allowed
131056 400 pair_rate_limit: (Business Account, Consumer Account) pair rate limit hit
131057 500 Business Account is in maintenance mode
131059 400 cursor_invalid: Cursor is invalid or has expired
131060 400 This message is unavailable
131062 400 user_id_unsupported: Business-scoped user ID recipients are not supported for this message
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
132000 400 parameter_count: Number of parameters does not match the expected number of params
132001 404 template_missing: Template name does not exist in the translation
132005 400 text_too_long: Translated text too long
132007 400 Template content policy violation
132008 400 Template parameter value is not valid
132012 400 parameter_mismatch: Parameter format does not match format in the created template
132015 400 template_paused: Template is paused
132016 400 template_disabled: Template is disabled
132018 400 template_parameters_invalid: Template parameters are not valid
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
134100 400 marketing_only: Only marketing messages are supported
134101 400 Template is still syncing
134102 500 Template is unavailable
135000 400 Generic user error
137000 400 identity_mismatch: Recipient identity key hash mismatch
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
139100 400 block_failed: Failed to block or unblock some users
139101 400 block_list_full: Blocklist limit reached
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

-- Returns the codes in a text, by number and by name.
local function read(lines)
  local rows = {}
  for code, status, text in lines:gmatch("(%d+) (%d+) ([^\n]+)") do
    local name, title = text:match("^([%l_]+): (.*)$")
    local row = { code = tonumber(code), status = tonumber(status), title = title or text }
    rows[row.code], rows[name or row.code] = row, row
  end
  return rows
end

codes.on_premise, codes.cloud = read(ON_PREMISE), read(CLOUD)

return codes
