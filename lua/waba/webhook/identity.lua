-- Determines the customer of an event. On Cloud hosting an event contains the phone number of a customer, the
-- business-scoped user id, or both (cloud.md, section 11.1). If an event contains both ids, both are stored, so that a
-- later event with only one id has the same customer key.
--
-- The records of the inbox's store; each belongs to one business number:
--   <phone>:id    the user id, or "" if the user id is unknown. A "?" at the end: only a status, and no message, has
--                 shown that the two ids belong together
--   <user id>:id  the phone number, or "" if the phone number is unknown. After a change of the user id, the record has
--                 ">" and the new user id

local event_fields = require "waba.hosting.event_fields"
local keys = require "waba.inbox.keys"
local recipient = require "waba.recipient"
local window = require "waba.inbox.window"

local identity = {}

local PENDING = "?"
local NO_CONTACT = {}

local MOST_CHANGES = 16 -- the largest number of records with ">" that are read one after the other

--- Returns the ids of the customer that an event contains: phone number, user id and parent user id.
function identity.ids_of(event)
  local contact = type(event.contact) == "table" and event.contact or NO_CONTACT
  if event.kind == "echo" then return event.to or contact.wa_id, event.to_user_id or contact.user_id end
  if event.kind == "status" then
    if event.group_id then return event.participant, event.participant_user_id, event.participant_parent_user_id end
    return event.recipient, event.recipient_user_id, event.recipient_parent_user_id
  end
  return event.from or contact.wa_id, event.from_user_id or contact.user_id,
    event.from_parent_user_id or contact.parent_user_id
end

local function new_customer(event, phone, user_id, parent)
  local contact = type(event.contact) == "table" and event.contact or NO_CONTACT
  local customer = { key = user_id or phone, phone = phone, user_id = user_id, name = contact.name }
  if parent then customer.parent_user_id = parent end
  if contact.username ~= nil then customer.username = contact.username end
  return customer
end

-- Reads the records of ids for one event, and collects the records to write.
local Lookup = {}
Lookup.__index = Lookup

function Lookup:get(id) return self.get_value(self.scope .. id .. ":id") end

function Lookup:set(id, value, rises)
  self.records[#self.records + 1] = { name = self.scope .. id .. ":id", value = value, rises = rises }
end

-- Returns the user id in the record of a phone number.
local function user_id_in(value)
  if value == nil or value == "" then return nil end
  return (value:gsub("%?$", ""))
end

-- Looks up the customer of an event that has a phone number only. Returns the user id, and true if the user id is known
-- from a status only.
function Lookup:by_phone(phone)
  local known = self:get(phone)
  local user_id = user_id_in(known)
  if not self.is_in_order then return user_id, false end
  -- does not replace the user id of a status that was handled after the record was read
  if known == nil then self:set(phone, "", true) end
  if not user_id or known == user_id then return user_id, false end
  self:set(phone, user_id)
  return user_id, true
end

-- Looks up the customer of an event that has a user id only. Returns the phone number and the present user id.
function Lookup:by_user_id(user_id)
  local known = self:get(user_id)
  for _ = 1, MOST_CHANGES do
    if not known or known:sub(1, 1) ~= ">" then break end
    user_id = known:sub(2)
    known = self:get(user_id)
  end
  return known ~= "" and known or nil, user_id
end

-- Looks up the customer of an event that has both a phone number and a user id. Returns the present user id. Also
-- returns the previous ids of the customer if they differ.
function Lookup:pair(phone, user_id)
  local known = self:get(phone)
  if known == user_id then return user_id end
  if not self.is_in_order then
    if known == nil or known == "" then
      self:set(phone, user_id .. PENDING)
      self:set(user_id, phone)
    end
    return user_id
  end
  local previous
  if known == "" or known == user_id .. PENDING then
    previous = { key = phone, phone = phone }
  else -- the phone number is new, or has belonged to another customer
    local number, present_id = self:by_user_id(user_id)
    if present_id ~= user_id then return present_id end -- the event is older than the change of the user id
    if number and number ~= phone then
      previous = { key = user_id, phone = number, user_id = user_id }
      self:set(number, nil)
    end
  end
  self:set(phone, user_id)
  self:set(user_id, phone)
  return user_id, previous
end

-- Returns the ids before and after a change that the platform reports (cloud.md, sections 4.6 and 11.1). Each result is
-- a list: the phone number, then the user id.
local function change_of(lookup, event, phone, user_id)
  local system = event.system
  local new_user_id = system.new_user_id or system.user_id
  if system.type == "user_changed_number" then
    phone = phone or user_id and lookup:by_user_id(user_id) -- the platform may leave out the phone number
    return { phone, user_id or phone and lookup:by_phone(phone) }, { system.new_wa_id, new_user_id }
  end
  local old = system.new_user_id and system.user_id or user_id ~= new_user_id and user_id or nil
  phone = phone or old and lookup:by_user_id(old)
  old = old or phone and user_id_in(lookup:get(phone))
  return { phone, old ~= new_user_id and old or nil }, { system.new_wa_id or phone, new_user_id }
end

local function apply_change(lookup, event, phone, user_id)
  local before, after = change_of(lookup, event, phone, user_id)
  local old_phone, old_id, new_phone, new_id = before[1], before[2], after[1], after[2]
  lookup.records = {}
  local customer = new_customer(event, new_phone, new_id, event.system.parent_user_id)
  if old_phone and old_phone ~= new_phone then lookup:set(old_phone, nil) end
  if old_id and old_id ~= new_id then lookup:set(old_id, ">" .. customer.key) end
  if new_phone then lookup:set(new_phone, new_id or "") end
  if new_id then lookup:set(new_id, new_phone or "") end
  local key = old_id or old_phone
  if not key or key == customer.key and old_phone == new_phone then return customer end
  return customer, { key = key, phone = old_phone, user_id = old_id, name = customer.name }
end

--- Returns the customer of an event.
---@param event waba.Event
---@param get? fun(name: string): string|nil  reads a record of the store; nil: only the ids in the event are used
---@param is_in_order boolean  true: no other event of the customer is handled at the same time
---@return waba.Customer|nil customer  nil: the event has no customer
---@return waba.Customer|nil previous  the previous ids, if the event shows that the ids have changed
---@return waba.StoreRecord[]|nil records  the records to write after the event was handled
function identity.resolve(event, get, is_in_order)
  local phone, user_id, parent = identity.ids_of(event)
  local is_change = event_fields.new_address(event) ~= nil
  if not phone and not user_id and not is_change then return nil end
  if not get then return new_customer(event, phone, user_id, parent) end
  is_change = is_change and is_in_order
  if event.hosting ~= "cloud" and not is_change then return new_customer(event, phone) end
  local lookup = setmetatable({
    scope = keys.scope(event), get_value = get, is_in_order = is_in_order, records = {},
  }, Lookup)
  if is_change then
    local customer, previous = apply_change(lookup, event, phone, user_id)
    return customer, previous, lookup.records
  end
  local previous
  if phone and user_id then
    user_id, previous = lookup:pair(phone, user_id)
  elseif phone then
    local is_new
    user_id, is_new = lookup:by_phone(phone)
    if is_new then previous = { key = phone, phone = phone } end
  elseif user_id then
    phone, user_id = lookup:by_user_id(user_id)
  end
  local customer = new_customer(event, phone, user_id, parent)
  if previous then previous.name = customer.name end
  return customer, previous, lookup.records
end

-- Returns the user id and the phone number of a customer; `name` is the user id or the phone number. Returns only
-- `name` if the other id is unknown.
local function names_of(scope, name, get)
  local value = get(scope .. name .. ":id")
  if value == nil or value == "" then return name end
  if value:sub(1, 1) == ">" then return names_of(scope, value:sub(2), get) end
  if name:find "^%d+$" then return user_id_in(value), name end
  return name, value
end

--- Returns a function that reads a record of the inbox's store. The function raises the errors of the store.
function identity.reader(inbox)
  if not inbox.get then
    error("the receiver's inbox has no store: use an inbox made by waba.inbox.memory, .sqlite or .redis", 4)
  end
  return function(name)
    local value, err = inbox:get(name)
    if err then error(err, 0) end
    return value
  end
end

-- Adds the names of a customer at a business number to a list. `listed` is the set of the names in the list.
local function add_names(list, listed, scope, name, get)
  local first, second = names_of(scope, name, get)
  for _, one in ipairs { first, second or name, name } do
    if not listed[one] then list[#list + 1] = one end
    listed[one] = true
  end
end

--- Returns all names of a customer at a business number, or at all business numbers: the phone number and the user ids.
--- Returns nil and an error for an invalid `to`. Raises the errors of the store.
function identity.names(inbox, to, number)
  local get = identity.reader(inbox)
  local name, err = recipient.read(to)
  if not name then return nil, err end
  local names, listed = { name }, { [name] = true }
  for _, scope in ipairs(window.scopes(inbox, number)) do add_names(names, listed, scope, name, get) end
  return names
end

--- Reads the records of a customer: one record for each name of the customer and each business number. Raises the
--- errors of the store.
---@param inbox waba.Inbox
---@param to string|number|{ user_id: string }
---@param number? string|number  the business number; default: all business numbers
---@param form string  the name of the records, such as "%s:window"; "%s" stands for the number and the customer's name
---@param in_all? boolean  true: also reads the record that is valid for all business numbers
---@return string[]|nil values  nil: `to` is invalid, and the second result is the error
function identity.read_all(inbox, to, number, form, in_all)
  local get = identity.reader(inbox)
  local name, err = recipient.read(to)
  if not name then return nil, err end
  local list, values, customers = in_all and { form:format(name) } or {}, {}, {}
  local scopes, digits = window.scopes(inbox, number), window.numbers(inbox)
  for _, scope in ipairs(scopes) do -- two scopes of one business number share a table, as their customers are the same
    local owner = digits[scope] ~= "-" and digits[scope] or scope
    customers[scope] = customers[owner] or { names = {}, listed = {} }
    customers[owner] = customers[scope]
    add_names(customers[scope].names, customers[scope].listed, scope, name, get)
  end
  for _, scope in ipairs(scopes) do
    for _, one in ipairs(customers[scope].names) do
      list[#list + 1] = form:format(scope .. one)
      if in_all then list[#list + 1] = form:format(one) end
    end
  end
  local found
  found, err = inbox.store:get_all(list)
  if not found then error(err, 0) end
  for _, one in ipairs(list) do values[#values + 1] = found[one] end
  return values
end

return identity
