-- The error codes of On-Premise hosting. Source: the error lists of Meta's On-Premises client and of 360dialog.

local KEEP = "Nothing can be done; the message is not delivered."
local TICKET = "Open a ticket with 360dialog."
local CORRECT = "Correct the request."
local WAIT = "Wait a moment and try again."
local TEMPLATE = "Compare the parameters with the approved template and send again."

-- The columns: the code or codes, the title, the kind, whether a retry may succeed, where the codes arrive ("response",
-- "status" or "both"), the meaning, the advice, and the seconds to wait.
local list = {
  { 400, "Media download error", "media", false, "status",
    "The media of an inbound message could not be downloaded from its sender.",
    "Ask the customer to send the file again." },
  { 401, "Group does not exist", "recipient", false, "status", "The group is unknown (groups no longer exist).", KEEP },
  { 402, "Business eligibility: payment issue", "blocked", false, "status",
    "The account can't pay: no or exhausted credit line, account suspended, time zone or currency not set.",
    "Settle the payment settings of the WhatsApp Business account." },
  { 408, "Message is not valid", "unavailable", true, "status",
    "The message was pending for more than a day, because the client was down.", "Send the message again." },
  { 410, "Message expired", "api", true, "status",
    "The message was not delivered in its time to live.", "Send the message again if it is still relevant." },
  { 429, "Rate limit hit", "rate_limited", true, "status",
    "Too many messages in a short time, or too many media downloads.", "Slow down, then try again." },
  { 430, "Unsigned certificate", "blocked", false, "status", "The number's certificate is not signed.", TICKET },
  { 432, "Certificate ID mismatch", "blocked", false, "status", "The certificate belongs to another id.", TICKET },
  { 433, "Certificate signature invalid", "blocked", false, "status",
    "The certificate was not signed with the client's identity keys.", TICKET },
  { 470, "Re-engagement message", "window", false, "both",
    "More than 24 hours have passed since the customer's last message.", "Send a template." },
  { 471, "Spam rate limit hit", "rate_limited", true, "both",
    "The number has reached its messaging limit, or its quality rating is too low.",
    "Wait for the 24 hours of the limit to pass; improve the quality rating.", 86400 },
  { 472, "User's number is part of an experiment", "recipient", false, "status",
    "Meta does not deliver the message, because the customer is part of an experiment.", KEEP },
  { 480, "User potentially changed", "recipient", false, "status",
    "The customer's identity changed and was not acknowledged.",
    "Read client.contacts:identity(wa_id), then acknowledge it." },
  { 500, "Generic error", "unavailable", true, "status", "An unknown failure.", WAIT },
  { 501, "Message type is not currently supported", "api", false, "status",
    "The customer sent a type of message that this client does not support.",
    "Ask the customer to write it in words." },
  { 1000, "Generic error", "unavailable", true, "both", "An unknown failure.", "Try again, a few times only." },
  { 1001, "Message too long", "invalid", false, "response", "A text has more than 4096 characters.",
    "Split the text." },
  { 1002, "Invalid recipient type", "invalid", false, "response", "recipient_type must be individual.", CORRECT },
  { 1003, "Not a group participant", "recipient", false, "response", "The sender is not in the group.", KEEP },
  { 1004, "Resource already exists", "api", true, "response", "The media id already exists.", "Upload it again." },
  { 1005, "Access denied", "auth", false, "response",
    "Wrong credentials, an expired client, or a registration that is refused.",
    "Check the API key and the number's state." },
  { 1006, "Resource not found", "not_found", false, "response",
    "An unknown file or resource; on old clients also a contact that was never checked.",
    "Check the id; for a contact send with { check_contact = true }." },
  { 1007, "Recipient blocked to receive message", "recipient", false, "response",
    "The recipient is not on the list of allowed recipients.", KEEP },
  { 1008, "Required parameter is missing", "invalid", false, "response", "A field is missing.", CORRECT },
  { 1009, "Parameter value is not valid", "invalid", false, "response",
    "A field has a wrong type or value, or the namespace belongs to another account.", CORRECT },
  { 1010, "Parameter is not required", "invalid", false, "response",
    "A field is not allowed, such as a field that only Cloud hosting has.", "Leave the field out." },
  { 1011, "Service not ready", "unavailable", true, "response", "The client is starting.", WAIT },
  { 1012, "Group is unknown", "recipient", false, "response", "The group is unknown (groups no longer exist).", KEEP },
  { 1013, "User is not valid", "recipient", false, "both", "The recipient is not a WhatsApp user.",
    "Reach this customer another way." },
  { 1014, "Internal error", "media", false, "both",
    "The image is damaged, the link can't be fetched, or the endpoint is unknown.",
    "Check that the file or the link can be read publicly." },
  { 1015, "Too many requests", "rate_limited", true, "response", "The endpoint's request rate is exceeded.",
    "Slow down, then try again." },
  { 1016, "System overloaded", "rate_limited", true, "response", "The WhatsApp client is overloaded.",
    "Stop sending for a moment, then try again." },
  { 1017, "Not Primary Master", "unavailable", true, "response", "The cluster is changing its master.", WAIT },
  { 1018, "Not Primary Coreapp", "unavailable", true, "response", "The cluster is moving a shard.", WAIT },
  { 1021, "Bad User", "recipient", false, "both", "The recipient is the sender.", "Send to another number." },
  { 1022, "Webhooks URL is not configured", "invalid", false, "response", "No webhook URL is set.",
    "Set it with client.webhook:set." },
  { 1023, "Database error occurred", "unavailable", true, "both", "The client's database failed.", WAIT },
  { 1024, "Password Change Required", "auth", false, "response",
    "A client login needs a new password (360dialog's customers don't log in).", TICKET },
  { 1025, "Invalid Request", "invalid", false, "response", "Malformed JSON, or a wrong method or encoding.", CORRECT },
  { 1026, "Receiver incapable", "recipient", false, "status",
    "The customer's app can't show this type of message.", "Send it as text." },
  { 1028, "user_identity_changed notification requires acknowledgement", "recipient", false, "response",
    "The customer's identity changed and was not acknowledged.",
    "Read client.contacts:identity(wa_id), then acknowledge it." },
  { 1031, "Sender account has been locked", "blocked", false, "both",
    "The account is locked for a violation of policy.", TICKET },
  { 2000, "Template Param Count Mismatch", "template", false, "both",
    "The number of parameters differs from the template's.", TEMPLATE },
  { 2001, "Template Missing", "template", false, "both",
    "No approved template has this name in this language.", "Check name and language with client.templates:list." },
  { 2002, "Template Fetch Failed", "template", true, "both", "The template could not be loaded.", WAIT },
  { 2003, "Template Pack Missing", "template", false, "both", "The namespace is unknown.",
    "Read the account's namespace with client.templates:namespace." },
  { 2004, "Template Param Length Too Long", "template", false, "both", "A parameter is too long.", TEMPLATE },
  { 2005, "Template Hydrated Text Too Long", "template", false, "both", "The resulting text is too long.", TEMPLATE },
  { 2006, "Template White Space Policy Violated", "template", false, "both",
    "A parameter has a new line, a tab or more than four spaces in a row.", TEMPLATE },
  { 2007, "Template Format Character Policy Violated", "template", false, "both",
    "A parameter has characters that are not allowed.", TEMPLATE },
  { 2008, "Template Media Format Unsupported", "template", false, "both",
    "The header's media type is not allowed.", TEMPLATE },
  { 2009, "Template Required Component Missing", "template", false, "both",
    "A component with parameters is missing, such as the header's media.", TEMPLATE },
  { 2010, "Template Invalid Hydrated URL", "template", false, "both",
    "The button's URL with its suffix is not valid.", TEMPLATE },
  { 2011, "Template Invalid Phone Number", "template", false, "both",
    "The button's phone number is not valid.", TEMPLATE },
  { 2012, "Template Parameter Format Mismatch", "template", false, "both",
    "A parameter is of another type than the template's.", TEMPLATE },
  { 2013, "Template Buttons Unsupported", "template", false, "both",
    "The recipient's app can't show the buttons.", "Use a template without buttons." },
  { 2014, "Expected Namespace is Empty", "template", false, "both", "The namespace is missing.",
    "Set the option `namespace` of the client or of the template." },
  { 2015, "Invalid number of sections", "invalid", false, "both", "A list has 1 to 10 sections.", CORRECT },
  { 2016, "Invalid number of rows", "invalid", false, "both", "A section has at least one row.", CORRECT },
  { 2017, "Character Policy Violated", "invalid", false, "both", "A text has forbidden characters.", CORRECT },
  { 2023, "Invalid number of product", "invalid", false, "both", "The number of products is not allowed.", CORRECT },
  { 2024, "Catalog ID not found", "invalid", false, "both", "The catalogue does not exist.", CORRECT },
  { 2025, "Catalog ID not linked to API number", "invalid", false, "both",
    "The catalogue is not connected with this number.", "Connect the catalogue in Meta's Business Manager." },
  { 2026, "Missing products", "invalid", false, "status", "Some products do not exist.", "Check the catalogue." },
  { 2027, "No products found", "invalid", false, "both", "None of the products exists.", "Check the catalogue." },
  { 2028, "All products failed compliance", "invalid", false, "both",
    "None of the products passes the commerce policy.", "Check the catalogue." },
  { 2029, "Some products failed compliance", "invalid", false, "status",
    "Some of the products don't pass the commerce policy.", "Check the catalogue." },
  { 2030, "Products invalid and failed compliance", "invalid", false, "status",
    "Some products don't exist, others don't pass the commerce policy.", "Check the catalogue." },
  { 2036, "Invalid Header Structure", "invalid", false, "both",
    "The header of an interactive message is not valid.", CORRECT },
  { 2050, "Missing Compliance Info", "blocked", false, "both",
    "The compliance information that India requires from shops is missing.", TICKET },
  { 2060, "Template Rejected", "template", false, "both", "The template was rejected.", "Use another template." },
  { 2061, "Template Paused", "template", false, "both", "The template is paused for low quality.",
    "Use another template, or wait until it is active again." },
  { 2062, "Template Disabled", "template", false, "both", "The template was disabled for low quality.",
    "Use another template." },
  { 2068, "Flow is blocked", "template", false, "both", "The flow is blocked.", "Check the flow's state." },
  { 2069, "Flow is throttled", "rate_limited", true, "both", "The flow is throttled.", "Try again later.", 3600 },
  -- no public document describes these codes
  { { 1019, 1020, 1027, 1029, 1030 }, "Undescribed error", "api", false, "both", "No document describes it.", TICKET },
  { { 2018, 2019, 2020, 2021, 2022, 2063, 2064 }, "Undescribed error", "template", false, "both",
    "No document describes it.", TICKET },
}

--- A result of `waba.explain`.
---@class waba.ErrorRow
---@field code integer
---@field title string
---@field kind waba.ErrorKind
---@field retryable boolean    true: a retry may succeed later
---@field retry_after number?  seconds to wait, if the platform documents them
---@field scope string?        the scope of a rate limit, as in `waba.Error`
---@field ambiguous boolean?   true: the platform may have accepted the request despite the error
---@field arrives "response"|"status"|"both"  whether the code is in the response or in a later status
---@field meaning string
---@field advice string        what the user of the program can do

---@type table<integer, waba.ErrorRow>
local rows = {}
for _, row in ipairs(list) do
  for _, code in ipairs(type(row[1]) == "table" and row[1] or { row[1] }) do
    rows[code] = {
      code = code, title = row[2], kind = row[3], retryable = row[4], arrives = row[5],
      meaning = row[6], advice = row[7], retry_after = row[8],
    }
  end
end

return rows
