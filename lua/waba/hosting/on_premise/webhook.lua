-- Reads the body of an On-Premise webhook: an object with `messages`, `statuses`, `errors` and `contacts`, all optional
-- (on-premise.md, section 11).

local core = require "waba.core"
local errors = require "waba.hosting.on_premise.errors"
local inbound = require "waba.hosting.inbound"
local values = require "waba.hosting.values"

local webhook = {}

local reader = inbound.reader("on_premise", errors.from_row)
local items, wa_id = values.items, values.wa_id
local KNOWN = { messages = true, statuses = true, errors = true, contacts = true }

-- Whether an element of `contacts` is the result of a contact check, and not the profile of a sender.
local function is_check_result(raw)
  return type(raw) == "table" and (raw.input ~= nil or raw.status ~= nil)
end

-- The contacts of a body by wa_id, and those without wa_id by position.
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

-- The contact of a message: the one with the same wa_id. If the message or the contact has none, the contact at the
-- same position; a sole contact belongs to all messages without `from`. A contact with another wa_id is never used.
local function find_sender(from, position, list, by_id, nameless)
  if from and by_id[from] then return by_id[from] end
  if nameless[position] then return nameless[position] end
  if #list == 1 and nameless[1] then return nameless[1] end
  if from then return nil end
  local raw = #list == 1 and list[1] or list[position]
  if type(raw) == "table" and not is_check_result(raw) then return raw end
end

local function read_messages(events, messages, contacts, used)
  local by_id, nameless = senders(contacts)
  for position, raw in ipairs(messages) do
    if raw ~= core.null then
      local contact, found
      if type(raw) == "table" then found = find_sender(wa_id(raw.from), position, contacts, by_id, nameless) end
      if found then
        used[found] = true
        contact = inbound.contact(found)
        contact.wa_id = contact.wa_id or wa_id(raw.from)
      end
      events[#events + 1] = reader.message(raw, contact)
    end
  end
end

-- The customers of all events.
local function customers_of(events)
  local known = {}
  for _, event in ipairs(events) do
    local customer = event.from or event.recipient
    if customer then known[customer] = true end
  end
  return known
end

-- Makes account events from contacts without another event: results of `contacts:check`, and profiles without a
-- message.
local function read_contacts(events, contacts, used)
  local known
  for _, raw in ipairs(contacts) do
    if raw ~= core.null and not used[raw] then
      known = known or customers_of(events)
      local about = type(raw) == "table" and wa_id(raw.wa_id)
      local is_profile = about and known[about] and not is_check_result(raw)
      if not is_profile then events[#events + 1] = reader.account("contacts", raw) end
    end
  end
end

--- Reads a decoded body. Never fails: unknown content is in the `raw` of its event.
---
--- First the messages, then the statuses, then the errors, each in the order of its list. Then, as events of kind
--- "account", `contacts` without a message or a status (with field "contacts"), and lists with unknown names.
---@param body table
---@return waba.Event[]
function webhook.read(body)
  local events, used = {}, {}
  local messages, statuses, contacts = items(body.messages), items(body.statuses), items(body.contacts)
  if #messages > 0 then read_messages(events, messages, contacts, used) end
  for _, raw in ipairs(statuses) do
    if raw ~= core.null then events[#events + 1] = reader.status(raw) end
  end
  for _, raw in ipairs(items(body.errors)) do
    if raw ~= core.null then events[#events + 1] = reader.error(raw) end
  end
  if #contacts > 0 then read_contacts(events, contacts, used) end
  reader.unknown_lists(events, body, KNOWN)
  return events
end

return webhook
