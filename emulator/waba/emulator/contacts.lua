-- The contacts of a business number: its customers, by their phone numbers and by their business-scoped user ids.

local encoding = require "waba.encoding"
local random = require "waba.emulator.random"

local contacts = {}

local DAY = 86400

--- A contact. Times are those of the emulator's clock.
---@class waba.emulator.Contact
---@field wa_id? string         nil for a contact of which only the user id is known (Cloud)
---@field status "valid"|"invalid"|"failed"
---@field name? string
---@field user_id? string       the business-scoped user id (Cloud)
---@field username? string
---@field checked_at? number    the time of the last completed check (On-Premise)
---@field checking? boolean     true: a check is in progress (On-Premise)
---@field last_inbound? number  the time of the contact's last message
---@field blocked? boolean     true: the business has blocked the contact
---@field hidden? boolean       true: webhooks do not contain the contact's phone number (Cloud)
---@field standby? boolean      true: another sender controls the conversation (Cloud)
---@field preferences? table<string, "stop"|"resume">  by category of messages; "stop": the customer
---        wants no such messages (Cloud)
---@field identity? { hash: string, created_timestamp: integer, acknowledged: boolean }

-- `known` has the contacts by phone number, `users` the contacts by user id.
local Contacts = {}
Contacts.__index = Contacts
Contacts.__name = "waba.emulator.Contacts"

function contacts.digits(number) return (number:gsub("%D", "")) end
local digits = contacts.digits

-- The WhatsApp id of a Brazilian mobile phone number does not contain the ninth digit.
local function usual_wa_id(number)
  local area, subscriber = number:match("^55(%d%d)9(%d%d%d%d%d%d%d%d)$")
  return area and "55" .. area .. subscriber or number
end

--- Returns "valid" for a phone number with a country code and 7 to 15 digits, otherwise "invalid".
function contacts.usual_status(number)
  return digits(number):find("^[1-9]%d%d%d%d%d%d+$") and #digits(number) <= 15 and "valid" or "invalid"
end

--- Creates the contacts of a gateway, including those in the option `contacts`.
function contacts.new(gateway)
  local self = setmetatable({ gateway = gateway, known = {}, users = {} }, Contacts)
  for number, about in pairs(gateway.options.contacts or {}) do
    self:set(tostring(number), type(about) == "table" and about or { status = about })
  end
  return self
end

--- Returns the contact of a phone number in any form; creates the contact if it does not exist.
function Contacts:get(number)
  local key = digits(number)
  local contact = self.known[key]
  if not contact then
    local wa_id = usual_wa_id(key)
    contact = self.known[wa_id] or { wa_id = wa_id, status = contacts.usual_status(number) }
    self.known[key], self.known[wa_id] = contact, contact
  end
  return contact
end

function Contacts:find(number) return self.known[digits(number)] end

--- Returns the contact of a user id. If the contact does not exist, creates a contact without a phone number.
function Contacts:by_user(user_id)
  self.users[user_id] = self.users[user_id] or { user_id = user_id, status = "valid" }
  return self.users[user_id]
end

--- Returns the WhatsApp id of a phone number. Does not create a contact.
function Contacts:wa_id(number)
  local contact = self:find(number)
  return contact and contact.wa_id or usual_wa_id(digits(number))
end

local function set_user_id(self, contact, user_id)
  if contact.user_id then self.users[contact.user_id] = nil end
  contact.user_id = user_id
  if user_id then self.users[user_id] = contact end
end

--- Sets the fields of waba.emulator.ContactOptions and waba.emulator.CustomerOptions in a contact, and returns the
--- contact. Missing fields keep their values.
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

--- Moves the data of a contact, except the user id, to a new phone number. The platform does not document whether the
--- 24-hour window stays open; the emulator keeps the window open.
function Contacts:move(contact, number, user_id)
  local moved = self:get(number)
  set_user_id(self, contact, nil)
  set_user_id(self, moved, user_id)
  for _, name in ipairs({ "name", "username", "last_inbound", "hidden", "standby", "preferences" }) do
    moved[name], contact[name] = contact[name], nil
  end
end

--- Returns whether the customer has written within the last 24 hours.
function Contacts:window_open(contact)
  return contact ~= nil and contact.last_inbound ~= nil
    and self.gateway.clock:now() - contact.last_inbound < DAY
end

--- Returns the identity of a contact. Creates the identity if it does not exist.
function Contacts:identity_of(contact)
  contact.identity = contact.identity or { hash = encoding.base64(random.letters(8)),
    created_timestamp = self.gateway.clock:timestamp() * 1000, acknowledged = true }
  return contact.identity
end

--- Creates a new identity for a contact, as a new phone would. On-Premise hosting refuses messages to the contact with
--- the error 1028 until the program acknowledges the identity.
function Contacts:change_identity(number)
  local contact = self:get(number)
  contact.identity = nil
  self:identity_of(contact).acknowledged = false
  return contact
end

return contacts
