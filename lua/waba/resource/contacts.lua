-- Contacts: POST /v1/contacts and the paths below it. On Cloud hosting, `block` is the only method.

local errors = require "waba.errors"
local identifiers = require "waba.resource.identifiers"
local values = require "waba.hosting.values"
local outcome = require "waba.resource.outcome"
local option = require "waba.option"
local recipient = require "waba.recipient"
local validate = require("waba.schema").validate

---@class waba.ContactsResource
local Contacts = {}

-- The body of the request that blocks a contact (on-premise.md, section 4.2).
local BLOCK = { is = "object", fields = { reason = { is = "string", characters = { 0, 60 } } } }

--- The result of a check for one number.
---@class waba.CheckedContact
---@field input string    the phone number as passed by the caller
---@field status string   "valid", "invalid", "processing" (the check is not finished) or "failed" (the check failed)
---@field wa_id string?   only with the status "valid": the recipient for messages

local normalize, text = recipient.normalize, values.some_text

-- Returns the phone numbers in the gateway's form, and for each of them the number that the caller has passed.
local function encode_numbers(numbers)
  local originals = {}
  local encoded, err = identifiers.list(numbers, "contacts", math.huge, function(number, path)
    local digits, err = normalize(number, path)
    if not digits then return nil, err end
    local input = "+" .. digits
    originals[input] = type(number) == "string" and number or digits
    return input
  end)
  return encoded, err or originals
end

--- The options of `client.contacts:check`.
---@options waba.ContactsCheckOptions
local CHECK_OPTIONS = {
  wait = { "boolean", false },  -- true: the gateway responds when all results are known; false: a result may have the
                                -- status "processing"
  force = { "boolean", false }, -- true: the gateway also checks numbers that it has checked in the last 7 days
}

--- Checks which numbers use WhatsApp: POST /v1/contacts (On-Premise hosting only). Newer gateways return "valid" for
--- every number, so a program should not depend on the result. Messages can be sent without a check. 360dialog disables
--- the check for a business that checks numbers to which it sends no messages.
---@param numbers (string|integer)[]  phone numbers in international form
---@param options? waba.ContactsCheckOptions
---@return waba.CheckedContact[]|nil
---@return waba.Error? err
function Contacts:check(numbers, options)
  if type(numbers) ~= "table" then
    error("client.contacts:check: the numbers must be a list, not a " .. type(numbers), 2)
  end
  options = option.complete(options, CHECK_OPTIONS, "client.contacts:check")
  local encoded, originals = encode_numbers(numbers)
  if not encoded then return nil, originals end
  local body = { contacts = encoded, blocking = options.wait and "wait" or "no_wait", force_check = options.force }
  return outcome.fetch(self.client, "check_contacts", { json = body }, function(contacts)
    if type(contacts) ~= "table" then return nil end
    local checked = {}
    for i, contact in ipairs(contacts) do
      contact = values.object(contact)
      local input = text(contact.input) or encoded[i]
      checked[i] = { input = originals[input] or input, status = text(contact.status), wa_id = text(contact.wa_id) }
    end
    return checked
  end, 'the response has no contacts: expected a list in its field "contacts"')
end

local function block_by_list(client, number, reason)
  if reason ~= nil then
    return nil, errors.invalid("reason", "the argument reason exists on On-Premise hosting only: leave it out")
  end
  local result, err = client.block_list:block { number }
  if not result then return nil, err end
  local failed = result.failed[1]
  if not failed then return true end
  return nil, failed.error or errors.new {
    kind = "api", message = "the gateway did not block the contact, and did not report why",
  }
end

--- Blocks a contact: POST /v1/contacts/{number}/block (Cloud: POST /block_users). Only a contact who has written in the
--- last 24 hours can be blocked.
---@param number string|integer  a phone number in international form
---@param reason? string         On-Premise hosting, for contacts that are businesses: at most 60 characters
---@return true|nil
---@return waba.Error? err
function Contacts:block(number, reason)
  if reason ~= nil and type(reason) ~= "string" then
    error("client.contacts:block: the argument reason must be a string, not a " .. type(reason), 2)
  end
  local digits, err = normalize(number, "number")
  if not digits then return nil, err end
  local client = self.client
  if client.hosting.endpoints.block_contact.unsupported then return block_by_list(client, "+" .. digits, reason) end
  local body = { reason = reason }
  local valid, failure = validate(client.validate, BLOCK, body)
  if not valid then return nil, failure end
  return outcome.success(client:call("block_contact", { parameters = { number = "+" .. digits }, json = body }))
end

--- The identity of a customer. The identity changes when the customer uses another device, or when another person gets
--- the number.
---@class waba.Identity
---@field hash string  another identity of the customer has another hash
---@field created_timestamp integer|nil  milliseconds since 1970
---@field acknowledged boolean  true after `client.contacts:acknowledge` with this hash

-- In this response, `contacts` is an object; in the response to POST /v1/contacts, `contacts` is a list.
local function read_identity(contacts)
  local identity = values.object(contacts)
  if not text(identity.hash) then return nil end
  return {
    hash = text(identity.hash), created_timestamp = values.integer(identity.created_timestamp),
    acknowledged = values.flag(identity.acknowledged) or false,
  }
end

--- Returns the identity of a contact: GET /v1/contacts/{wa_id}/identity (On-Premise hosting only). The result is
--- useful only if 360dialog has enabled the security notifications of the business number.
---@param wa_id string|integer
---@return waba.Identity|nil
---@return waba.Error? err
function Contacts:identity(wa_id)
  local digits, err = normalize(wa_id, "wa_id")
  if not digits then return nil, err end
  return outcome.fetch(self.client, "get_identity", { parameters = { wa_id = digits } }, read_identity,
    'the response has no identity: expected "hash" in its field "contacts"')
end

--- Acknowledges a changed identity, after which the gateway delivers messages to the customer again: PUT
--- /v1/contacts/{wa_id}/identity (On-Premise hosting only).
---@param wa_id string|integer
---@param hash string  the hash of the identity, from `identity` or a system message
---@return true|nil
---@return waba.Error? err
function Contacts:acknowledge(wa_id, hash)
  if type(hash) ~= "string" or hash == "" then
    error("client.contacts:acknowledge: the hash must be a string that is not empty", 2)
  end
  local digits, err = normalize(wa_id, "wa_id")
  if not digits then return nil, err end
  return outcome.success(self.client:call("acknowledge_identity", {
    parameters = { wa_id = digits }, json = { hash = hash },
  }))
end

return Contacts
