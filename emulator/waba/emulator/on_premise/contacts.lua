-- Contacts (on-premise.md, section 4): checking, blocking and identities.

local responses = require "waba.emulator.on_premise.responses"
local common = require "waba.emulator.contacts"
local message_rules = require "waba.emulator.message_rules"

local contacts = { digits = common.digits }

-- The seconds for which the result of a check is used again, unless the request has force_check.
local CACHE = 7 * 86400

local Contacts = common.class("waba.emulator.Contacts")

---@param gateway table
---@return table
function contacts.new(gateway) return common.new(Contacts, gateway) end

--- Whether a message may go to the contact without a check before (old clients only).
---@param contact waba.emulator.Contact|nil
---@return boolean
function Contacts:checked(contact)
  return contact ~= nil and contact.status == "valid" and (contact.checked_at ~= nil or contact.last_inbound ~= nil)
end

local function fresh(self, contact)
  return contact.checked_at and self.gateway.clock:now() - contact.checked_at < CACHE
end

local function result(input, contact)
  if contact.status == "valid" then return { input = input, status = "valid", wa_id = contact.wa_id } end
  return { input = input, status = contact.status }
end

local function finish_check(self, input, contact)
  contact.checking = nil
  contact.checked_at = self.gateway.clock:now()
  -- "failed" is a result of checks that wait only; others get "invalid".
  local outcome = result(input, contact)
  if outcome.status == "failed" then outcome.status = "invalid" end
  self.gateway.webhooks:post({ contacts = { outcome } }, contact.wa_id)
end

local function check_one(self, input, wait, force)
  local contact = self:get(input)
  if self.gateway:version_at_least(2, 43) then
    -- From v2.43 on, every number is reported as a WhatsApp user.
    contact.checked_at = self.gateway.clock:now()
    return { input = input, status = "valid", wa_id = contact.wa_id }
  end
  if not force and fresh(self, contact) and not (wait and contact.status == "failed") then
    return result(input, contact)
  end
  if wait then
    contact.checked_at = contact.status ~= "failed" and self.gateway.clock:now() or nil
    return result(input, contact)
  end
  if not contact.checking then
    contact.checking = true
    self.gateway.clock:after(self.gateway.options.contact_check, function()
      finish_check(self, input, contact)
    end)
  end
  return { input = input, status = "processing" }
end

local required, text, object, list = message_rules.required, message_rules.text, message_rules.object,
  message_rules.list

local CHECK = object({ contacts = required(list(text(1), 1)), blocking = message_rules.choice "no_wait wait",
  force_check = { is = "boolean" } })

local function check(gateway, _, body)
  local results = {}
  for i, input in ipairs(body.contacts) do
    results[i] = check_one(gateway.contacts, input, body.blocking == "wait", body.force_check == true)
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
    return gateway:error("parameter_invalid", "the contact can be blocked within 24 hours of a message from it only")
  end
  contact.blocked = true
  return gateway:ok({})
end

local function known_contact(gateway, wa_id)
  local number = common.digits(wa_id)
  if number ~= wa_id or #number < 5 then return nil end
  return gateway.contacts:find(number) or gateway:version_at_least(2, 39) and gateway.contacts:get(number) or nil
end

local function get_identity(gateway, request)
  local contact = known_contact(gateway, request.segments[3])
  if not contact then return gateway:error("not_found", "unknown contact") end
  local identity = common.identity_of(contact, gateway.clock)
  return gateway:ok({ contacts = { hash = identity.hash, created_timestamp = identity.created_timestamp,
    acknowledged = identity.acknowledged } })
end

local IDENTITY = object({ hash = required(text(1)) })

local function put_identity(gateway, request)
  local contact = known_contact(gateway, request.segments[3])
  if not contact then return gateway:error("not_found", "unknown contact") end
  local body, refusal = gateway:json_body(request, IDENTITY)
  if not body then return refusal end
  local identity = common.identity_of(contact, gateway.clock)
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
