-- Reads the body of an On-Premise webhook: an object with `messages`, `statuses`, `errors` and `contacts`, all optional
-- (on-premise.md, section 11).

local core = require "waba.core"
local errors = require "waba.hosting.on_premise.errors"
local inbound = require "waba.hosting.inbound"
local values = require "waba.hosting.values"

local webhook = {}

local reader = inbound.reader("on_premise", errors.from_row)
local null, type = core.null, type
local items, wa_id = values.items, values.wa_id
local KNOWN = { messages = true, statuses = true, errors = true, contacts = true }

-- Returns whether an element of `contacts` is the result of a contact check, and not the profile of a sender.
local function is_check_result(raw)
  return type(raw) == "table" and (raw.input ~= nil or raw.status ~= nil)
end

-- Returns the contacts with a wa_id by wa_id, and the contacts without a wa_id by position.
local function senders(list)
  local by_id, nameless = {}, {}
  for position, raw in ipairs(list) do
    if type(raw) == "table" and not is_check_result(raw) then
      local id = wa_id(raw.wa_id)
      if id then by_id[id] = by_id[id] or raw else nameless[position] = raw end
    end
  end
  return by_id, nameless
end

-- Returns the contact that has the wa_id of a message. If the message or the contact has no wa_id, returns the
-- contact at the same position. A contact with a different wa_id is never used.
local function find_sender(from, position, list, by_id, nameless)
  if from and by_id[from] then return by_id[from] end
  if nameless[position] then return nameless[position] end
  local raw = list[position]
  if not from and type(raw) == "table" and not is_check_result(raw) then return raw end
end

-- Reads messages of a body with at most one contact. The contact belongs to all messages that have no other wa_id.
-- Returns whether the contact was used.
local function read_messages_of_one(events, messages, raw_contact)
  local is_used = false
  if type(raw_contact) ~= "table" or is_check_result(raw_contact) then raw_contact = nil end
  for position = 1, #messages do
    local raw, from, contact = messages[position], nil, nil
    if type(raw) == "table" then
      from = wa_id(raw.from)
      contact = raw_contact and inbound.contact(raw_contact, from)
      if contact and from and contact.wa_id ~= from then contact = nil end
      is_used = is_used or contact ~= nil
    end
    if raw ~= null then events[#events + 1] = reader.message(raw, from, contact) end
  end
  return is_used
end

-- Reads messages of a body with several contacts.
local function read_messages(events, messages, contacts, used)
  local by_id, nameless = senders(contacts)
  for position = 1, #messages do
    local raw, from, contact = messages[position], nil, nil
    if type(raw) == "table" then
      from = wa_id(raw.from)
      local found = find_sender(from, position, contacts, by_id, nameless)
      if found then
        used[found] = true
        contact = inbound.contact(found, from)
      end
    end
    if raw ~= null then events[#events + 1] = reader.message(raw, from, contact) end
  end
end

-- Returns the customers of all events.
local function customers_of(events)
  local known = {}
  for _, event in ipairs(events) do
    local customer = event.from or event.recipient
    if customer then known[customer] = true end
  end
  return known
end

-- Creates account events from those contacts that belong to no other event: results of `contacts:check`, and profiles
-- without a message.
local function read_contacts(events, contacts, used)
  local known
  for _, raw in ipairs(contacts) do
    if raw ~= null and not used[raw] then
      known = known or customers_of(events)
      local about = type(raw) == "table" and wa_id(raw.wa_id)
      local is_profile = about and known[about] and not is_check_result(raw)
      if not is_profile then events[#events + 1] = reader.account("contacts", raw) end
    end
  end
end

--- Reads a decoded body. Never fails: content of an unknown form is only in the field `raw` of its event.
---
--- The messages come first, then the statuses, then the errors, each in the order of its list. Events of kind
--- "account" come last: `contacts` without a message or a status (with field "contacts"), and lists with unknown names.
---@param body table
---@return waba.Event[]
function webhook.read(body)
  local events, used, sole_is_used = {}, nil, false
  local messages, statuses, contacts, error_list = body.messages, body.statuses, body.contacts, body.errors
  if contacts ~= nil then contacts = items(contacts) end
  if messages ~= nil then
    messages = items(messages)
    if contacts and contacts[2] ~= nil then
      used = {}
      read_messages(events, messages, contacts, used)
    else
      sole_is_used = read_messages_of_one(events, messages, contacts and contacts[1])
    end
  end
  if statuses ~= nil then
    statuses = items(statuses)
    for position = 1, #statuses do
      if statuses[position] ~= null then events[#events + 1] = reader.status(statuses[position]) end
    end
  end
  if error_list ~= nil then
    for _, raw in ipairs(items(error_list)) do
      if raw ~= null then events[#events + 1] = reader.error(raw) end
    end
  end
  if contacts and not sole_is_used then read_contacts(events, contacts, used or {}) end
  local names = inbound.unknown_names(body, KNOWN)
  if names then reader.unknown_lists(events, 0, body, names) end
  return events
end

webhook.reader = reader

return webhook
