-- Reads the body of a webhook of On-Premise hosting: an object with any of the lists `messages`, `statuses`, `errors`
-- and `contacts` (on-premise.md, section 11).

local core = require "waba.core"
local errors = require "waba.hosting.on_premise.errors"
local event_fields = require "waba.hosting.event_fields"
local values = require "waba.hosting.values"

local webhook = {}

local reader = event_fields.reader("on_premise", errors.from_row)
local null, type = core.null, type
local append, contact_of, message = reader.append, event_fields.contact, reader.message
local items, wa_id = values.items, values.wa_id
local KNOWN = { messages = true, statuses = true, errors = true, contacts = true }

-- An element of `contacts` is the profile of a sender, or the result of a contact check.
local function is_check_result(raw)
  return type(raw) == "table" and (raw.input ~= nil or raw.status ~= nil)
end

local function senders_by_id(list)
  local by_id = {}
  for _, raw in ipairs(list) do
    local id = type(raw) == "table" and not is_check_result(raw) and wa_id(raw.wa_id)
    if id then by_id[id] = by_id[id] or raw end
  end
  return by_id
end

-- Returns the contact with the wa_id of a message. If a wa_id is missing, returns the only contact or the contact at
-- the same position. Never returns a contact with another wa_id.
local function find_sender(from, position, list, by_id)
  if by_id and by_id[from] then return by_id[from] end
  local raw = list[by_id and position or 1]
  if type(raw) ~= "table" or raw.input ~= nil or raw.status ~= nil then return nil end
  local id = raw.wa_id
  if id ~= from then id = wa_id(id) end
  return (not from or not id or id == from) and raw or nil
end

-- Adds an event for each message. Returns the set of the contacts that are senders of messages. With fewer
-- than two contacts, returns true if the contact is a sender, otherwise nil.
local function read_messages(events, messages, contacts)
  local by_id, used
  if #contacts > 1 then by_id, used = senders_by_id(contacts), {} end
  for position = 1, #messages do
    local raw, from, contact = messages[position], nil, nil
    if type(raw) == "table" then
      from = wa_id(raw.from)
      local found = find_sender(from, position, contacts, by_id)
      if found then
        if by_id then used[found] = true else used = true end
        contact = contact_of(found, from)
      end
    end
    if raw ~= null then events[#events + 1] = message(raw, from, contact) end
  end
  return used
end

local function customers_of(events)
  local known = {}
  for _, event in ipairs(events) do
    local customer = event.from or event.recipient
    if customer then known[customer] = true end
  end
  return known
end

-- Creates account events from the contacts that no other event has used: results of `contacts:check`, and profiles
-- without a message.
local function read_contacts(events, contacts, used)
  local known
  for _, raw in ipairs(contacts) do
    if raw ~= null and not (used and used[raw]) then
      known = known or customers_of(events)
      local about = type(raw) == "table" and wa_id(raw.wa_id)
      local is_profile = about and known[about] and not is_check_result(raw)
      if not is_profile then events[#events + 1] = reader.account("contacts", raw) end
    end
  end
end

--- Reads a decoded body. Never fails: content of an unknown form is only in the field `raw` of its event. Messages come
--- first, then statuses, then errors, each in the order of the list. Events of kind "account" come last: `contacts`
--- without a message or a status, and lists with unknown names.
---@param body table
---@return waba.Event[]
function webhook.read(body)
  local events, contacts = { nil }, items(body.contacts) -- most bodies have one event
  local used = read_messages(events, items(body.messages), contacts)
  if body.statuses ~= nil then append(events, "status", body.statuses) end
  if body.errors ~= nil then append(events, "error", body.errors) end
  if used ~= true then read_contacts(events, contacts, used) end
  local names = event_fields.unknown_names(body, KNOWN)
  if names then reader.unknown_lists(events, 0, body, names) end
  return events
end

webhook.reader = reader

return webhook
