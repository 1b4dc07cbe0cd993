-- The contacts of a business number: what both hostings have in common.

local core = require "waba.core"
local random = require "waba.emulator.random"

local contacts = {}

local DAY = 86400

--- The data of a phone number.
---@class waba.emulator.Contact
---@field wa_id string
---@field status "valid"|"invalid"|"failed"
---@field name? string
---@field user_id? string       business-scoped user id
---@field username? string
---@field checked_at? number    clock time of the last complete check
---@field checking? boolean
---@field last_inbound? number  clock time of the contact's last message
---@field blocked? boolean
---@field hidden? boolean       webhooks do not have its number (Cloud)
---@field standby? boolean      another sender holds the conversation (Cloud)
---@field preferences? table<string, "stop"|"resume">  by category of messages (Cloud)
---@field identity? { hash: string, created_timestamp: integer, acknowledged: boolean }

local Contacts = {}
Contacts.__index = Contacts

---@param number string
---@return string
local function digits(number) return (number:gsub("%D", "")) end
contacts.digits = digits

-- The WhatsApp ID of a Brazilian mobile number has no ninth digit.
local function usual_wa_id(number)
  local area, subscriber = number:match("^55(%d%d)9(%d%d%d%d%d%d%d%d)$")
  return area and "55" .. area .. subscriber or number
end

--- Whether a number can exist: it has a country code, and 7 to 15 digits.
---@param input string
---@return boolean
function contacts.plausible(input)
  local number = digits(input)
  return #number >= 7 and #number <= 15 and number:sub(1, 1) ~= "0"
end

--- Makes a class of contacts; a hosting adds its own methods.
---@param name string
---@return table
function contacts.class(name)
  local class = setmetatable({}, Contacts)
  class.__index = class
  class.__name = name
  return class
end

--- Makes the contacts of the option `contacts`.
---@param class table
---@param gateway table
---@return table
function contacts.new(class, gateway)
  local self = setmetatable({ gateway = gateway, known = {} }, class)
  for number, about in pairs(gateway.options.contacts or {}) do
    self:set(tostring(number), type(about) == "table" and about or { status = about })
  end
  return self
end

--- The contact of a number, made when it is new.
---@param number string  in any form
---@return waba.emulator.Contact
function Contacts:get(number)
  local key = digits(number)
  local contact = self.known[key]
  if not contact then
    local wa_id = usual_wa_id(key)
    contact = self.known[wa_id] or { wa_id = wa_id, status = contacts.plausible(number) and "valid" or "invalid" }
    self.known[key] = contact
    self.known[wa_id] = contact
  end
  return contact
end

--- The contact of a number, if there is one.
---@param number string
---@return waba.emulator.Contact|nil
function Contacts:find(number) return self.known[digits(number)] end

--- The WhatsApp ID of a number, without keeping anything.
---@param number string
---@return string
function Contacts:wa_id(number)
  local contact = self:find(number)
  return contact and contact.wa_id or usual_wa_id(digits(number))
end

--- Sets the data of a phone number.
---@param number string
---@param about { status?: string, wa_id?: string, name?: string }
---@return waba.emulator.Contact
function Contacts:set(number, about)
  local contact = self:get(number)
  contact.status = about.status or contact.status
  contact.name = about.name or contact.name
  if about.wa_id and about.wa_id ~= contact.wa_id then
    contact.wa_id = about.wa_id
    self.known[about.wa_id] = contact
  end
  if about.status and about.checked ~= true then contact.checked_at = nil end
  return contact
end

--- Moves a customer to another number. The platform does not say whether the window moves too; here it does.
---@param contact waba.emulator.Contact
---@param number string
---@return waba.emulator.Contact moved
function Contacts:move(contact, number)
  local moved = self:set(number, { name = contact.name })
  moved.last_inbound, contact.last_inbound = contact.last_inbound, nil
  return moved
end

--- Whether the customer wrote within the last 24 hours.
---@param contact waba.emulator.Contact|nil
---@return boolean
function Contacts:window_open(contact)
  return contact ~= nil and contact.last_inbound ~= nil
    and self.gateway.clock:now() - contact.last_inbound < DAY
end

--- Returns the identity of a contact, and creates a missing one.
---@param contact waba.emulator.Contact
---@param clock waba.emulator.Clock
---@return { hash: string, created_timestamp: integer, acknowledged: boolean }
function contacts.identity_of(contact, clock)
  contact.identity = contact.identity or {
    hash = core.base64(random.letters(8)), created_timestamp = clock:timestamp() * 1000, acknowledged = true,
  }
  return contact.identity
end

--- A new identity, as after a new phone: until it is acknowledged, messages to it fail with 1028.
---@param number string
---@return waba.emulator.Contact
function Contacts:change_identity(number)
  local contact = self:get(number)
  contact.identity = nil
  contacts.identity_of(contact, self.gateway.clock).acknowledged = false
  return contact
end

contacts.set, contacts.move = Contacts.set, Contacts.move

return contacts
