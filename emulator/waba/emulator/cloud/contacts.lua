-- Contacts by their number and by their business-scoped user id, and the list of blocked ones (cloud.md, sections 2.2
-- and 8.4).

local responses = require "waba.emulator.cloud.responses"
local json = require "waba.emulator.json"
local common = require "waba.emulator.contacts"
local common_rules = require "waba.emulator.cloud.common_rules"
local message_rules = require "waba.emulator.message_rules"

local contacts = { digits = common.digits }

-- How many users the list takes, and one request.
local MOST_BLOCKED, MOST_AT_ONCE = 64000, 1000

local Contacts = common.class("waba.emulator.CloudContacts")

---@param gateway table
---@return table
function contacts.new(gateway)
  local self = common.new(Contacts, gateway)
  self.users = self.users or {}
  return self
end

--- Sets what is known of a number.
---@param number string
---@param about waba.emulator.ContactOptions|waba.emulator.CustomerOptions
---@return waba.emulator.Contact
function Contacts:set(number, about)
  local contact = common.set(self, number, about)
  contact.username = about.username or contact.username
  if about.hidden ~= nil then contact.hidden = about.hidden or nil end
  if about.user_id and about.user_id ~= contact.user_id then
    self.users = self.users or {}
    if contact.user_id then self.users[contact.user_id] = nil end
    contact.user_id = about.user_id
    self.users[about.user_id] = contact
  end
  return contact
end

--- Moves a customer to another number, with all that belongs to the person. The old number has no user id then.
---@param contact waba.emulator.Contact
---@param number string
---@param user_id string|nil  the new one
---@return waba.emulator.Contact moved
function Contacts:move(contact, number, user_id)
  local moved = common.move(self, contact, number)
  if contact.user_id then self.users[contact.user_id] = nil end
  contact.user_id = nil
  for _, name in ipairs({ "username", "hidden", "standby", "preferences" }) do
    moved[name], contact[name] = contact[name], nil
  end
  return self:set(number, { user_id = user_id })
end

--- The contact of a business-scoped user id; a new one has no number.
---@param user_id string
---@return waba.emulator.Contact
function Contacts:by_user(user_id)
  local contact = self.users[user_id]
  if not contact then
    contact = { user_id = user_id, status = "valid" }
    self.users[user_id] = contact
  end
  return contact
end

-- The block list ----------------------------------------------------------------------------------

local BODY = message_rules.object({
  messaging_product = common_rules.PRODUCT,
  block_users = message_rules.required(message_rules.list(message_rules.object({
    user = message_rules.required(message_rules.some_text) }), 1, MOST_AT_ONCE)),
})

local function find(gateway, user)
  if user:find("^%u%u%.") then return gateway.contacts.users[user] end
  return gateway.contacts:find(user)
end

-- Why a user can't be blocked: a code, or nil.
local function refusal_code(gateway, user, contact)
  if contacts.digits(user) == contacts.digits(gateway.options.number) then return "recipient_is_sender" end
  if not gateway.contacts:window_open(contact) then return "window_closed" end
  if #gateway.blocked >= MOST_BLOCKED then return "block_list_full" end
end

local function entry_of(user, contact)
  return { input = user, wa_id = contact and contact.wa_id or nil, user_id = contact and contact.user_id or nil }
end

local function remove(list, contact)
  for i, blocked in ipairs(list) do
    if blocked == contact then
      table.remove(list, i)
      return
    end
  end
end

local function change(gateway, request, name, apply)
  local body, refusal = gateway:json_body(request, BODY)
  if not body then return refusal end
  local changed, failed = {}, {}
  for _, row in ipairs(body.block_users) do
    local contact = find(gateway, row.user)
    local code = apply(contact, row.user)
    local entry = entry_of(row.user, contact)
    if code then
      local title = responses.title(code)
      entry.errors = { { code = responses.number(code), message = title, error_data = { details = title } } }
      failed[#failed + 1] = entry
    else
      changed[#changed + 1] = entry
    end
  end
  local result = { [name] = #changed > 0 and changed or nil, failed_users = #failed > 0 and failed or nil }
  if #failed == 0 then
    return responses.json(200, { messaging_product = "whatsapp", block_users = result })
  end
  local mixed = json.decode(responses.error("block_failed", "some users were not blocked",
    { messaging_product = "whatsapp" }).body)
  mixed.messaging_product, mixed.block_users = "whatsapp", result
  return responses.json(400, mixed)
end

local function block(gateway, request)
  return change(gateway, request, "added_users", function(contact, user)
    local code = refusal_code(gateway, user, contact)
    if not code and not contact.blocked then
      contact.blocked = true
      table.insert(gateway.blocked, contact)
    end
    return code
  end)
end

local function unblock(gateway, request)
  return change(gateway, request, "removed_users", function(contact)
    if contact and contact.blocked then
      contact.blocked = nil
      remove(gateway.blocked, contact)
    end
  end)
end

local function list(gateway, request)
  local found = {}
  for i, contact in ipairs(gateway.blocked) do
    found[i] = { messaging_product = "whatsapp", wa_id = contact.wa_id, user_id = contact.user_id }
  end
  return responses.page(gateway, request, found, 1000)
end

contacts.routes = {
  { "GET", "block_users", list },
  { "POST", "block_users", block },
  { "DELETE", "block_users", unblock },
}

return contacts
