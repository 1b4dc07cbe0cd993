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

-- Returns the contact that has the wa_id of a message. If the message or the contact has no wa_id, returns the only
-- contact; of several contacts, returns the contact at the same position. A contact with a different wa_id is never
-- used.
local function find_sender(from, position, list, by_id, nameless)
  if by_id then
    local found = by_id[from] or nameless[position]
    if found then return found end
  end
  local raw = list[by_id and position or 1]
  if type(raw) ~= "table" or raw.input ~= nil or raw.status ~= nil then return nil end
  local id = raw.wa_id
  if id ~= from then id = wa_id(id) end
  return (not from or not id or id == from) and raw or nil
end

-- Returns the contacts that belong to a message: a set, or true for the only contact.
local function read_messages(events, messages, contacts)
  local by_id, nameless, used
  if #contacts > 1 then
    by_id, nameless = senders(contacts)
    used = {}
  end
  for position = 1, #messages do
    local raw, from, contact = messages[position], nil, nil
    if type(raw) == "table" then
      from = wa_id(raw.from)
      local found = find_sender(from, position, contacts, by_id, nameless)
      if found then
        if by_id then used[found] = true else used = true end
        contact = inbound.contact(found, from)
      end
    end
    if raw ~= null then events[#events + 1] = reader.message(raw, from, contact) end
  end
  return used
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
  if used == true then return end
  for _, raw in ipairs(contacts) do
    if raw ~= null and not (used and used[raw]) then
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
function webhook.read(body)
  local events, contacts = {}, items(body.contacts)
  local used = read_messages(events, items(body.messages), contacts)
  reader.append(events, "status", body.statuses)
  reader.append(events, "error", body.errors)
  read_contacts(events, contacts, used)
  local names = inbound.unknown_names(body, KNOWN)
  if names then reader.unknown_lists(events, 0, body, names) end
  return events
end

webhook.reader = reader

return webhook
