-- The error codes of Cloud hosting (cloud.md, section 6.3).

local KEEP = "Nothing can be done; the message is not delivered."
local TICKET = "Open a ticket with 360dialog."
local CORRECT = "Correct the request."
local WAIT = "Wait a moment and try again."
local SLOW = "Slow down, then try again."
local TEMPLATE = "Compare the parameters with the approved template and send again."
local EDIT = "Correct the template and submit it again."
local PHONE = "Look at the number's state in the 360dialog Hub."
local CALLS = "Look at the settings of calls, and at the customer's permission."
local PRICE = "Settle the payment settings of the WhatsApp Business account."
local FLOW = "Look at the flow's state."

local DAY = 86400

-- A group has the kind of its codes, whether a retry may succeed, where the codes arrive ("response", "status" or
-- "both"), and rows. A row has the code or codes, the title, the meaning and the advice. A row may also have the fields
-- `retry_after`, `scope` and `ambiguous` of waba.ErrorRow.
local groups = {
  { "auth", false, "response", {
    { 0, "AuthException", "The token between 360dialog and Meta is not valid.", TICKET },
    { 190, "Access token has expired", "The token between 360dialog and Meta has expired.", TICKET },
    { 131005, "Access denied", "Permission is missing or was withdrawn.", "Check the API key and the number's state." },
  } },
  { "blocked", false, "response", {
    { 3, "API Method", "The application lacks a capability or a permission.", TICKET },
    { 10, "Permission Denied", "A permission is missing, or the feature is not switched on.", TICKET },
    { 131031, "Account has been locked", "The account is locked or restricted for a violation of policy.", TICKET },
    { 131037, "Display name not approved", "The number's display name is not approved.",
      "Have the display name approved in the 360dialog Hub." },
    { 131211, "Group limit reached", "No more groups can be created.", "Delete groups that are no longer used." },
    { 131214, "Group creation disabled", "Groups can't be created for now.", "Try again another day." },
    { 131215, "Groups not available", "The number is not eligible for groups.", TICKET },
    { 133006, "Phone number re-verification needed", "The number must be verified again.", PHONE },
    { 133010, "Phone number not registered", "The number is not registered on the platform.", PHONE },
    { 134011, "Payments terms not accepted", "The terms of payments were not accepted.", PRICE },
    { 139200, "Direct Send is blocked", "The account may not send messages without an approved template.",
      "Send an approved template." },
    { 138000, "Calling not enabled", "Calls are not switched on for the number.", CALLS },
    { { 2593079, 2593085 }, "Account ownership migration", "The account is being moved to another owner.", TICKET },
  } },
  { "blocked", false, "both", {
    { 131042, "Business eligibility payment issue", "The account can't pay.", PRICE },
    { 131044, "No payment method for calls", "Calls need a valid payment method.", PRICE },
    { 131045, "Incorrect certificate", "The number's certificate or registration is not valid.", PHONE },
  } },
  { "not_found", false, "response", {
    { 33, "Parameter value is not valid", "The number or the object does not exist, or was deleted.", "Check the id." },
    { 131212, "Participant not in the group", "The participant is not in the group.", CORRECT },
    { 131213, "Join request not found", "The request to join the group is unknown.", CORRECT },
  } },
  { "invalid", false, "response", {
    { 100, "Invalid parameter", "A field is unknown, has a wrong type or length, or an id is not valid.", CORRECT },
    { 131008, "Required parameter is missing", "A field is missing.", CORRECT },
    { 131009, "Parameter value is not valid", "A field has a wrong value.", CORRECT },
    { 131055, "Method not allowed",
      "The endpoint for marketing messages accepts only templates of the category marketing.",
      "Send it without the option marketing." },
    { 131059, "Invalid cursor", "The cursor of a list is not valid or has expired.", "Start the list again." },
    { 131062, "Business-scoped user id not supported", "This message can't be sent to a business-scoped user id.",
      "Send to the phone number." },
    { 131202, "Duplicate participant", "A participant is named twice.", CORRECT },
    { 131204, "Too many participants", "The group would have too many participants.", CORRECT },
    { 133005, "Two-step verification PIN mismatch", "The PIN is wrong.", CORRECT },
    { 135000, "Generic user error", "A parameter of the request is wrong; the platform does not name it.", CORRECT },
    { 139001, "Flow update failed", "The flow could not be changed.", FLOW },
    { 139002, "Flow publish failed", "The flow could not be published.", FLOW },
    { 139003, "Flow deprecate failed", "The flow could not be deprecated.", FLOW },
    { 139004, "Flow delete failed", "The flow could not be deleted.", FLOW },
    { 147001, "Username unavailable", "The username is taken or not allowed.", "Choose another one." },
    { 147002, "Username not eligible", "The number is not eligible for a username.", TICKET },
    { 147003, "Facebook page not linked", "The username needs a linked Facebook page.", "Link the page." },
    { 147004, "Instagram account not linked", "The username needs a linked Instagram account.", "Link the account." },
    { 147005, "Username transfer required", "The username belongs to another number of the business.", "Transfer it." },
    { 1752041, "Duplicate request", "The account was already registered for marketing messages.", "No action needed." },
    { { 2388001, 2388012, 2388091, 2388093, 2388103 }, "Phone number migration", "The number can't be moved.", PHONE },
  } },
  { "window", false, "both", {
    { 131047, "Re-engagement message", "More than 24 hours have passed since the customer's last message.",
      "Send a template." },
  } },
  { "recipient", false, "response", {
    { 130497, "Business is restricted from messaging users in this country",
      "The business may not write to customers of that country.", KEEP },
    { 131020, "Invalid group", "The group has no other member.", KEEP },
    { 131021, "Recipient cannot be sender", "The message is addressed to its own sender.", "Send to another number." },
    { 131030, "Recipient phone number not in allowed list", "The recipient is not on the list of allowed recipients.",
      "A sandbox sends only to the number that requested its key." },
    { 131041, "Unknown group", "The group is unknown.", KEEP },
    { 131203, "Terms not accepted", "The participant has not accepted WhatsApp's terms.", KEEP },
    { 131207, "Group suspended", "The group is suspended.", KEEP },
    { 138006, "No call permission", "The customer has not permitted calls.", "Send a call permission request." },
  } },
  { "recipient", false, "both", {
    { 130472, "User's number is part of an experiment",
      "Meta delivers no marketing to this customer, because the customer is part of an experiment.", KEEP },
    { 131026, "Message undeliverable",
      "The recipient is not on WhatsApp, has an old app, has not accepted its terms, or blocks the business.",
      "Contact this customer on another channel." },
    { 131050, "User has stopped marketing messages", "The customer does not want marketing from the business.",
      "Send this customer no more marketing." },
    { 137000, "Recipient identity key hash mismatch",
      "The customer's identity is not the identity that the message requires.",
      "Verify the customer, then send with the new hash." },
  } },
  { "recipient", true, "both", {
    { 131049, "Message not delivered to maintain a healthy ecosystem",
      "The limit of marketing messages for this customer is reached; the limit is not published.",
      "Wait a day or more, longer each time.", { retry_after = DAY } },
  } },
  { "media", false, "response", {
    { 131209, "Group picture is not square", "The picture of a group must be square.", "Send a square picture." },
    { 131210, "Group picture is too small", "The picture of a group must have at least 192 pixels.",
      "Send a larger one." },
  } },
  { "media", false, "both", {
    { 131052, "Media download error", "A customer's file could not be loaded, or has more than 100 MB.",
      "Ask the customer to send the file again." },
    { 131053, "Media upload error", "The file's type or size is not allowed, or the link can't be fetched.",
      "Check the type, the size, and that the link can be read publicly." },
  } },
  { "media", false, "status", {
    { 131014, "Media link error", "The link of a file could not be fetched.", "Check that the link is public." },
  } },
  { "rate_limited", true, "response", {
    { 4, "Application request limit reached", "The application called too often.", SLOW, { retry_after = 60 } },
    { 613, "Calls to this API have exceeded the rate limit", "Call permissions were requested too often.", SLOW,
      { scope = "endpoint" } },
    { 80007, "Rate limit issues", "The account called the platform too often.", SLOW, { retry_after = 60 } },
    { 130429, "Rate limit hit", "The number sends more messages per second than it may.", SLOW, { retry_after = 1 } },
    { 131064, "Template limit reached", "The limit of messages that the business begins is reached.",
      "Wait until the limit is raised or its 24 hours have passed.", { retry_after = DAY, scope = "endpoint" } },
    { 131208, "Group rate limit hit", "Too many calls for groups.", SLOW, { scope = "endpoint" } },
    { 132069, "Flow is throttled", "The flow is throttled to ten messages an hour.", "Try again later.",
      { retry_after = 3600, scope = "endpoint" } },
    { 133008, "Too many two-step verification PIN guesses", "The PIN was wrong too often.",
      "Wait for the time in the details.", { retry_after = 3600, scope = "endpoint" } },
    { 133009, "Two-step verification PIN guessed too fast", "The PIN was tried too fast.",
      "Wait for the time in the details.", { retry_after = 60, scope = "endpoint" } },
    { 133016, "Account register deregister rate limit exceeded",
      "The number was registered or deregistered ten times in 72 hours.", "Try again another day.",
      { retry_after = 3600 } },
    { 138002, "Concurrent call limit", "Too many calls at the same time.", SLOW, { scope = "endpoint" } },
    { 138005, "Call rate limit", "Too many calls in a short time.", SLOW, { scope = "endpoint" } },
  } },
  { "rate_limited", true, "both", {
    { 131048, "Spam rate limit hit", "Too many customers blocked or reported the number's messages.",
      "Improve the quality rating; send less until then.", { retry_after = DAY } },
    { 131056, "Pair rate limit hit", "Too many messages to this one recipient in a short time.",
      "Wait before the next message to this recipient, four times longer after each refusal; others are not affected.",
      { scope = "pair" } },
  } },
  { "template", false, "both", {
    { 132000, "Template Param Count Mismatch", "The number of parameters differs from the template's.", TEMPLATE },
    { 132001, "Template does not exist", "No approved template has this name in this language.",
      "Check name and language with client.templates:list." },
    { 132005, "Template Hydrated Text Too Long", "The text with its parameters is too long.", TEMPLATE },
    { 132007, "Template Format Character Policy Violated", "The content violates a policy of WhatsApp.", TEMPLATE },
    { 132008, "Template Parameter Value Invalid", "A parameter has a value that is not allowed.", TEMPLATE },
    { 132012, "Template Parameter Format Mismatch", "A parameter is of another type than the template's.", TEMPLATE },
    { 132015, "Template is Paused", "The template is paused for low quality.",
      "Use another template, or wait until it is active again." },
    { 132016, "Template is Disabled", "The template was disabled for low quality.", "Use another template." },
    { 132018, "Template Parameters Invalid", "The parameters of the template are not valid.", TEMPLATE },
    { 132068, "Flow is blocked", "The flow is blocked.", FLOW },
  } },
  { "template", false, "response", {
    { 131063, "Marketing templates disabled", "Templates for marketing are not accepted by this endpoint.",
      "Send with { marketing = true }." },
    { 134100, "Not a marketing template", "Marketing messages are templates for marketing only.",
      "Send it without the option marketing." },
    { 134102, "Template unavailable", "The template can't be sent as a marketing message.",
      "Send it without the option marketing." },
    { 139000, "Flow blocked by integrity", "The flow did not pass the checks of its content.", FLOW },
    { 141002, "Template not approved", "The template is not approved.", "Wait for its review." },
    { 200005, "Template insights not available", "There are no insights of templates yet.", KEEP },
    { 200006, "Template insights can't be disabled", "Insights of templates can't be switched off.", KEEP },
    { 200007, "Template insights not enabled", "Insights of templates are not switched on.", "Switch them on." },
    { 2388019, "Template limit reached", "The account has as many templates as it may have.",
      "Delete templates that are no longer used." },
    { 2388318, "Direct Send template can't be changed", "The platform made the template; it can't be edited.", KEEP },
    { 2388330, "Direct Send template can't be deleted", "The platform made the template and keeps it.", KEEP },
    { 2388040, "Template too long", "A text of the template has too many characters.", EDIT },
    { 2388047, "Template header format", "The header of the template is not valid.", EDIT },
    { 2388072, "Template body format", "The body of the template is not valid.", EDIT },
    { 2388073, "Template footer format", "The footer of the template is not valid.", EDIT },
    { 2388293, "Template has too many variables", "The text is too short for this number of variables.", EDIT },
    { 2388299, "Template variable at the edge", "A text may neither begin nor end with a variable.", EDIT },
  } },
  { "template", true, "response", {
    { 134101, "Template is syncing", "The endpoint for marketing messages does not have the template yet.",
      "Try again in ten minutes.", { retry_after = 600 } },
  } },
  { "unavailable", true, "response", {
    { 2, "API Service", "The platform is down or overloaded.", WAIT },
    { 131016, "Service unavailable", "A service of the platform is down.", WAIT },
    { 131057, "Account in maintenance mode", "The number is being moved, for instance to a higher throughput.",
      "Try again in a minute.", { retry_after = 60 } },
    { 133000, "Incomplete deregistration", "An earlier deregistration is not complete.", WAIT },
    { 133004, "Server temporarily unavailable", "The server is down.", WAIT },
    { 133015, "Phone number was just deleted", "The number was deleted a moment ago.", "Try again in five minutes.",
      { retry_after = 300 } },
    { 138004, "Call connection error", "The call could not be connected.", WAIT },
    { 138007, "Call timeout", "The call was not connected in time.", WAIT },
    { 139102, "Concurrent block list update", "The block list is being changed by another request.", WAIT },
    { 139103, "Block list failure", "The block list failed.", WAIT },
    { 2494100, "Account in maintenance mode", "The number is being moved.", "Try again in a minute.",
      { retry_after = 60 } },
  } },
  { "unavailable", true, "both", {
    { 131000, "Something went wrong", "An unknown failure.", "Try again, a few times only." },
  } },
  { "api", true, "response", {
    { 1, "API Unknown", "The request is malformed, or the platform failed.", "Try again once.", { ambiguous = true } },
    { 368, "Temporarily blocked for policies violations", "The account is blocked for a time.",
      "Read the policies; wait until the block ends.", { retry_after = 3600 } },
  } },
  { "api", false, "status", {
    { 130501, "Message type is not currently supported", "A group message has a type that can't be passed on.", KEEP },
    { 131035, "Webhook not delivered", "A webhook could not be delivered in the time the content is kept.",
      "See that the receiver is always reachable." },
    { 131036, "Retry receipt impossible", "The customer's app could not be asked to send again.", KEEP },
    { 131060, "Message not available", "The content shows in the WhatsApp Business app only.", "Look into the app." },
    { 138019, "Call setup failed", "A call could not be set up.", CALLS },
    { 138020, "Call relay failed", "The relay of a call failed.", CALLS },
    { 138021, "Call relay timeout", "The relay of a call did not respond.", CALLS },
    { 138022, "Call media timeout", "A call had no sound for too long.", CALLS },
    { 138023, "Call media failed", "The sound of a call failed.", CALLS },
    { 138024, "SIP is not enabled", "Calls over SIP are not switched on.", CALLS },
    { 138025, "No SIP server", "No server for calls over SIP is set.", CALLS },
    { 2593107, "Coexistence synchronisation limit", "The app's data was requested too often.", KEEP },
    { 2593108, "Coexistence synchronisation too late", "The app's data was requested too late.", KEEP },
    { 2593109, "Coexistence history off", "The customer does not share the app's history.", KEEP },
  } },
  { "api", false, "both", {
    { 131051, "Message type is not currently supported", "This type of message can't be sent or shown.",
      "Send it as another type, or ask the customer to write it in words." },
  } },
  { "api", false, "response", {
    { 131201, "Partial success", "Some of the participants could not be served.", "Read the errors in the response." },
    { 138001, "Callee not reachable", "The customer can't be called.", CALLS },
    { 138003, "Duplicate call", "The customer is already being called.", CALLS },
    { 138009, "Call permission request limit", "The customer was asked for permission too often.", CALLS },
    { 138012, "Call limit", "The customer was called too often.", CALLS },
    { 138013, "Calls not available", "Calls are not available for this number.", CALLS },
    { 138014, "Calls disabled", "Calls are switched off for this number.", CALLS },
    { 138015, "Calls can't be enabled", "Calls can't be switched on for this number.", CALLS },
    { 138017, "Call permission is permanent", "The customer has already permitted calls permanently.", CALLS },
    { 138018, "Calls prerequisites missing", "Something that calls need is missing.", CALLS },
    { 139100, "Block list partly changed", "Some of the users could not be blocked or unblocked.",
      "Read the failed users in the response." },
    { 139101, "Block list is full", "The list of blocked users has 64,000 entries.", "Unblock a user first." },
  } },
}

---@type table<integer, waba.ErrorRow>
local rows = {}

local function add(code, kind, is_retryable, arrives, row)
  local more = row[5] or {}
  rows[code] = {
    code = code, title = row[2], kind = kind, retryable = is_retryable, arrives = arrives, meaning = row[3],
    advice = row[4], retry_after = more.retry_after, scope = more.scope, ambiguous = more.ambiguous,
  }
end

for _, group in ipairs(groups) do
  for _, row in ipairs(group[4]) do
    for _, code in ipairs(type(row[1]) == "table" and row[1] or { row[1] }) do
      add(code, group[1], group[2], group[3], row)
    end
  end
end
for code = 200, 299 do
  add(code, "auth", false, "response", { code, "API Permission", "A permission is missing or was withdrawn.", TICKET })
end

return rows
