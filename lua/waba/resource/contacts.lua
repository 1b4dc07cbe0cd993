-- What the gateway knows of phone numbers: POST /v1/contacts and what lies below it. Cloud hosting has
-- blocking only.

local errors = require "waba.errors"
local values = require "waba.hosting.values"
local options = require "waba.options"
local recipient = require "waba.recipient"
local validate = require("waba.schema").validate

---@class waba.ContactsResource
local Contacts = {}
Contacts.__index = Contacts
Contacts.__name = "waba.ContactsResource"

local contacts = {}

-- The body of a block (on-premise.md, section 4.2).
local BLOCK = { is = "object", fields = { reason = { is = "string", characters = { 0, 60 } } } }

---@param client waba.Client
function contacts.new(client)
  return setmetatable({ client = client }, Contacts)
end

--- What a check found.
---@class waba.CheckedContact
---@field input string    the number as it was given
---@field status string   "valid"; "invalid"; "processing": ask again; "failed": could not be checked
---@field wa_id string?   what to send to, when the status is "valid"

-- A number as the path of a fault names it.
local function digits_of(number, path)
  local digits, err = recipient.normalize(number)
  if digits then return digits end
  return nil, errors.invalid(path, (err.message:gsub("^to ", path .. " ")))
end

local text = values.some_text

-- The numbers as the gateway likes them, and what each was before.
local function encode_numbers(numbers)
  if numbers[1] == nil then
    return nil, errors.invalid("contacts", "contacts is empty; at least 1 number is needed")
  end
  local encoded, given = {}, {}
  for i, number in ipairs(numbers) do
    local digits, err = digits_of(number, ("contacts[%d]"):format(i))
    if not digits then return nil, err end
    encoded[i] = "+" .. digits
    given[encoded[i]] = type(number) == "string" and number or digits
  end
  return encoded, given
end

--- How numbers are checked.
---@options waba.ContactsCheckOptions
local CHECK_OPTIONS = {
  wait = { "boolean", false },  -- true: the gateway responds when all are known, instead of with "processing"
  force = { "boolean", false }, -- true: asks WhatsApp again for numbers that were checked in the last 7 days
}

--- Asks which numbers have WhatsApp: POST /v1/contacts (On-Premise hosting only). Newer gateways answer "valid" to every number,
--- so sending must not depend on it, and no check is needed before sending. Check no more numbers
--- than you send messages: 360dialog disables the check otherwise.
---@param numbers (string|integer)[]  in international form
---@param given? waba.ContactsCheckOptions
---@return waba.CheckedContact[]|nil
---@return waba.Error? err
function Contacts:check(numbers, given)
  if type(numbers) ~= "table" then
    error("client.contacts:check: the numbers must be a list, not a " .. type(numbers), 2)
  end
  given = options.complete(given, CHECK_OPTIONS, "client.contacts:check")
  local encoded, originals = encode_numbers(numbers)
  if not encoded then return nil, originals end
  local json, response = self.client:call("check_contacts", {
    json = { contacts = encoded, blocking = given.wait and "wait" or "no_wait", force_check = given.force },
  })
  if json == nil then return nil, response end
  if type(json) ~= "table" or type(json.contacts) ~= "table" then
    return nil, errors.new { kind = "protocol", status = response.status, message = "the response has no contacts" }
  end
  local checked = {}
  for i, contact in ipairs(json.contacts) do
    if type(contact) ~= "table" then contact = {} end
    local input = text(contact.input) or encoded[i]
    checked[i] = { input = originals[input] or input, status = text(contact.status), wa_id = text(contact.wa_id) }
  end
  return checked
end

-- The same through the block list, which Cloud hosting has.
local function block_by_list(client, number, reason)
  if reason ~= nil then return nil, errors.invalid("reason", "reason exists on On-Premise hosting only") end
  local result, err = client.block_list:block { number }
  if not result then return nil, err end
  local failed = result.failed[1]
  if not failed then return true end
  return nil, failed.error or errors.new { kind = "api", message = "the contact could not be blocked" }
end

--- Blocks a contact: POST /v1/contacts/{number}/block (Cloud: POST /block_users). The contact must have written in
--- the last 24 hours.
---@param number string|integer  in international form
---@param reason? string         at most 60 characters; used when the contact is a business, too (On-Premise
---                              hosting only)
---@return true|nil
---@return waba.Error? err
function Contacts:block(number, reason)
  if reason ~= nil and type(reason) ~= "string" then
    error("client.contacts:block: the reason must be a string, not a " .. type(reason), 2)
  end
  local digits, err = digits_of(number, "number")
  if not digits then return nil, err end
  local client = self.client
  if client.hosting.endpoints.block_contact.unsupported then return block_by_list(client, "+" .. digits, reason) end
  local body = { reason = reason }
  local valid, fault = validate(client.validate, BLOCK, body)
  if not valid then return nil, fault end
  local json
  json, err = client:call("block_contact", { parameters = { number = "+" .. digits }, json = body })
  if json == nil then return nil, err end
  return true
end

--- Who is behind a number: it changes when a customer moves to another device or another person
--- takes the number.
---@class waba.Identity
---@field hash string
---@field created_timestamp integer|nil  milliseconds since 1970
---@field acknowledged boolean

local function identity_number(value)
  local number = tonumber(value)
  if not number or number % 1 ~= 0 then return nil end
  return math.floor(number) -- an integer where Lua has them
end

--- The identity behind a contact: GET /v1/contacts/{wa_id}/identity (On-Premise hosting only). Of use only where
--- 360dialog has switched the security notifications on for the number.
---@param wa_id string|integer
---@return waba.Identity|nil
---@return waba.Error? err
function Contacts:identity(wa_id)
  local digits, err = digits_of(wa_id, "wa_id")
  if not digits then return nil, err end
  local json, response = self.client:call("get_identity", { parameters = { wa_id = digits } })
  if json == nil then return nil, response end
  -- one object, although its name is a plural
  local identity = type(json) == "table" and type(json.contacts) == "table" and json.contacts or {}
  if not text(identity.hash) then
    return nil, errors.new { kind = "protocol", status = response.status, message = "the response has no identity" }
  end
  return {
    hash = text(identity.hash), created_timestamp = identity_number(identity.created_timestamp),
    acknowledged = identity.acknowledged == true or identity.acknowledged == "true",
  }
end

--- Trusts an identity, so that messages go to it again: PUT /v1/contacts/{wa_id}/identity (On-Premise hosting
--- only).
---@param wa_id string|integer
---@param hash string  of the identity that is meant, from `identity` or a system message
---@return true|nil
---@return waba.Error? err
function Contacts:acknowledge(wa_id, hash)
  if type(hash) ~= "string" or hash == "" then
    error("client.contacts:acknowledge: the hash of the identity is needed, a string", 2)
  end
  local digits, err = digits_of(wa_id, "wa_id")
  if not digits then return nil, err end
  local json
  json, err = self.client:call("acknowledge_identity", { parameters = { wa_id = digits }, json = { hash = hash } })
  if json == nil then return nil, err end
  return true
end

return contacts
