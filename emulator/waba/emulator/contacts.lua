-- The contacts of a business number: its customers, by their phone numbers and by their business-scoped user ids.

local core = require "waba.core"
local random = require "waba.emulator.random"

local contacts = {}

local DAY = 86400

--- A contact. On Cloud hosting it may be known by its user id only, and then has no `wa_id`.
---@class waba.emulator.Contact
---@field wa_id? string
---@field status "valid"|"invalid"|"failed"
---@field name? string
---@field user_id? string       business-scoped user id (Cloud)
---@field username? string      (Cloud)
---@field checked_at? number    clock time of the last complete check (On-Premise)
---@field checking? boolean     a check is in progress (On-Premise)
---@field last_inbound? number  clock time of the contact's last message
---@field blocked? boolean
---@field hidden? boolean       webhooks do not have its number (Cloud)
---@field standby? boolean      another sender holds the conversation (Cloud)
---@field preferences? table<string, "stop"|"resume">  by category of messages (Cloud)
---@field identity? { hash: string, created_timestamp: integer, acknowledged: boolean }

---@class waba.emulator.Contacts
local Contacts = {}
Contacts.__index = Contacts
Contacts.__name = "waba.emulator.Contacts"

--- The digits of a phone number.
---@param number string
---@return string
function contacts.digits(number) return (number:gsub("%D", "")) end
local digits = contacts.digits

-- The WhatsApp ID of a Brazilian mobile number does not have the ninth digit of the number.
local function usual_wa_id(number)
  local area, subscriber = number:match("^55(%d%d)9(%d%d%d%d%d%d%d%d)$")
  return area and "55" .. area .. subscriber or number
end

--- Whether a phone number can exist: it has 7 to 15 digits and begins with a country code.
---@param input string
---@return boolean
function contacts.plausible(input)
  local number = digits(input)
  return #number >= 7 and #number <= 15 and number:sub(1, 1) ~= "0"
end

--- Makes the contacts of a gateway: those of the option `contacts`.
---@param gateway table
---@return waba.emulator.Contacts
function contacts.new(gateway)
  local self = setmetatable({ gateway = gateway, known = {}, users = {} }, Contacts)
  for number, about in pairs(gateway.options.contacts or {}) do
    self:set(tostring(number), type(about) == "table" and about or { status = about })
  end
  return self
end

--- The contact of a phone number in any form; made if there is none.
---@param number string
---@return waba.emulator.Contact
function Contacts:get(number)
  local key = digits(number)
  local contact = self.known[key]
  if not contact then
    local wa_id = usual_wa_id(key)
    contact = self.known[wa_id] or { wa_id = wa_id, status = contacts.plausible(number) and "valid" or "invalid" }
    self.known[key], self.known[wa_id] = contact, contact
  end
  return contact
end

--- The contact of a phone number, if there is one.
---@param number string
---@return waba.emulator.Contact|nil
function Contacts:find(number) return self.known[digits(number)] end

--- The contact of a user id; made without a number if there is none.
---@param user_id string
---@return waba.emulator.Contact
function Contacts:by_user(user_id)
  self.users[user_id] = self.users[user_id] or { user_id = user_id, status = "valid" }
  return self.users[user_id]
end

--- The WhatsApp ID of a phone number. Makes no contact.
---@param number string
---@return string
function Contacts:wa_id(number)
  local contact = self:find(number)
  return contact and contact.wa_id or usual_wa_id(digits(number))
end

local function set_user_id(self, contact, user_id)
  if contact.user_id then self.users[contact.user_id] = nil end
  contact.user_id = user_id
  if user_id then self.users[user_id] = contact end
end

--- Sets the data of a phone number.
---@param number string
---@param about waba.emulator.ContactOptions|waba.emulator.CustomerOptions  absent fields keep their values
---@return waba.emulator.Contact
function Contacts:set(number, about)
  local contact = self:get(number)
  for _, name in ipairs({ "status", "name", "username" }) do contact[name] = about[name] or contact[name] end
  if about.wa_id and about.wa_id ~= contact.wa_id then
    contact.wa_id = about.wa_id
    self.known[about.wa_id] = contact
  end
  if about.status then contact.checked_at = nil end
  if about.hidden ~= nil then contact.hidden = about.hidden or nil end
  if about.user_id then set_user_id(self, contact, about.user_id) end
  return contact
end

--- Moves a customer to another number, with all that belongs to the person. The platform does not say whether the window
--- moves too; here it does.
---@param contact waba.emulator.Contact
---@param number string
---@param user_id? string  the new user id; the old one is not used any more
---@return waba.emulator.Contact moved
function Contacts:move(contact, number, user_id)
  local moved = self:get(number)
  set_user_id(self, contact, nil)
  set_user_id(self, moved, user_id)
  for _, name in ipairs({ "name", "username", "last_inbound", "hidden", "standby", "preferences" }) do
    moved[name], contact[name] = contact[name], nil
  end
  return moved
end

--- Whether the customer has written within the last 24 hours.
---@param contact waba.emulator.Contact|nil
---@return boolean
function Contacts:window_open(contact)
  return contact ~= nil and contact.last_inbound ~= nil
    and self.gateway.clock:now() - contact.last_inbound < DAY
end

--- The identity of a contact; made if there is none.
---@param contact waba.emulator.Contact
---@return { hash: string, created_timestamp: integer, acknowledged: boolean }
function Contacts:identity_of(contact)
  contact.identity = contact.identity or { hash = core.base64(random.letters(8)),
    created_timestamp = self.gateway.clock:timestamp() * 1000, acknowledged = true }
  return contact.identity
end

--- Gives a contact a new identity, as a new phone does. On-Premise hosting refuses messages to it with 1028 until the
--- identity is acknowledged.
---@param number string
---@return waba.emulator.Contact
function Contacts:change_identity(number)
  local contact = self:get(number)
  contact.identity = nil
  self:identity_of(contact).acknowledged = false
  return contact
end

return contacts
