-- Checks and blocks contacts, and manages their identities (on-premise.md, section 4).

local digits = require("waba.emulator.contacts").digits
local message_rules = require "waba.emulator.message_rules"
local responses = require("waba.emulator.responses").on_premise

local contacts = {}

local required, text, object, list, choice = message_rules.constructors()

-- The result of a check is used again for this number of seconds, unless the request has force_check.
local CACHE = 7 * 86400

--- Returns whether messages can be sent to a contact without another check (old clients only).
function contacts.is_checked(contact)
  return contact ~= nil and contact.status == "valid" and (contact.checked_at ~= nil or contact.last_inbound ~= nil)
end

local function result(input, contact)
  return { input = input, status = contact.status, wa_id = contact.status == "valid" and contact.wa_id or nil }
end

local function finish_check(gateway, input, contact)
  contact.checking, contact.checked_at = nil, gateway.clock:now()
  local outcome = result(input, contact)
  -- A contact with the status "failed" is reported as "failed" only if the request waits for the result, otherwise as
  -- "invalid".
  if outcome.status == "failed" then outcome.status = "invalid" end
  gateway.webhooks:post({ contacts = { outcome } }, contact.wa_id)
end

local function check_one(gateway, input, wait, force)
  local contact, now = gateway.contacts:get(input), gateway.clock:now()
  if gateway:version_at_least(2, 43) then
    -- From v2.43 on, the check reports every phone number as a user of WhatsApp.
    contact.checked_at = now
    return { input = input, status = "valid", wa_id = contact.wa_id }
  end
  local is_fresh = contact.checked_at and now - contact.checked_at < CACHE
  if not force and is_fresh and not (wait and contact.status == "failed") then return result(input, contact) end
  if wait then
    contact.checked_at = contact.status ~= "failed" and now or nil
    return result(input, contact)
  end
  if not contact.checking then
    contact.checking = true
    gateway.clock:after(gateway.options.contact_check, function() finish_check(gateway, input, contact) end)
  end
  return { input = input, status = "processing" }
end

local CHECK = object({ contacts = required(list(text(1), 1)), blocking = choice "no_wait wait",
  force_check = { is = "boolean" } })

local function check(gateway, _, body)
  local results = {}
  for i, input in ipairs(body.contacts) do
    results[i] = check_one(gateway, input, body.blocking == "wait", body.force_check == true)
  end
  return gateway:ok({ contacts = results })
end

local BLOCK = object({ reason = text(0, 60) })

local function block(gateway, request)
  local number = request.segments[3]
  if not number:find("^%+%d+$") then
    return gateway:error("parameter_invalid", "Parameter 'phone_number' in the path must be + and digits")
  end
  local body, refusal = gateway:json_body(request, BLOCK, true)
  if not body then return refusal end
  local contact = gateway.contacts:find(number)
  if not gateway.contacts:window_open(contact) then
    return gateway:error("parameter_invalid", "the contact can be blocked only within 24 hours after its last message")
  end
  contact.blocked = true
  return gateway:ok({})
end

-- Returns the identity of the contact in the path, or a response that refuses the request.
local function find_identity(gateway, request)
  local wa_id, contact = request.segments[3], nil
  if digits(wa_id) == wa_id and #wa_id >= 5 then
    contact = gateway.contacts:find(wa_id) or gateway:version_at_least(2, 39) and gateway.contacts:get(wa_id)
  end
  if not contact then return nil, gateway:error("not_found", "unknown contact") end
  return gateway.contacts:identity_of(contact)
end

local function get_identity(gateway, request)
  local identity, refusal = find_identity(gateway, request)
  if not identity then return refusal end
  return gateway:ok({ contacts = { hash = identity.hash, created_timestamp = identity.created_timestamp,
    acknowledged = identity.acknowledged } })
end

local IDENTITY = object({ hash = required(text(1)) })

local function put_identity(gateway, request)
  local identity, refusal = find_identity(gateway, request)
  if not identity then return refusal end
  local body
  body, refusal = gateway:json_body(request, IDENTITY)
  if not body then return refusal end
  if body.hash ~= identity.hash then
    return gateway:error("parameter_invalid", "Parameter 'hash' is not the hash of the present identity")
  end
  identity.acknowledged = true
  return responses.json(200, {})
end

contacts.routes = {
  { "POST", "v1/contacts", check, CHECK },
  { "POST", "v1/contacts/*/block", block },
  { "GET", "v1/contacts/*/identity", get_identity },
  { "PUT", "v1/contacts/*/identity", put_identity },
}

return contacts
