-- Reads the body of a webhook of Cloud hosting: entries of business accounts, which contain changes (cloud.md, section
-- 4). A change of the field "messages" has the content of an On-Premise webhook. Changes of customers become events of
-- several kinds (cloud.md, sections 4.9 and 11.2). Every other change becomes one event of kind "account". The history
-- of a phone number also becomes an "account" event, because the messages in the history are not new.

local copy = require("waba.message.parts").copy
local core = require "waba.core"
local event_fields = require "waba.hosting.event_fields"
local values = require "waba.hosting.values"

local webhook = {}

local reader = event_fields.reader("cloud", function(row)
  return require("waba.hosting.cloud.errors").from_row(row)
end)

local null, type = core.null, type
local items, text, wa_id = values.items, values.text, values.wa_id
local unknown_names = event_fields.unknown_names

local OBJECT = "whatsapp_business_account"
local BODY = { object = true, entry = true }
local ENTRY = { id = true, time = true, changes = true, field = true, object = true }
local VALUE = {
  messaging_product = true, metadata = true, contacts = true, messages = true, statuses = true, errors = true,
  field = true, object = true, message_echoes = true,
}

-- The result of `place_of` for the latest change, and the values from which the result was created. Consecutive changes
-- with the same business number share the result.
local latest, latest_display, latest_id, latest_account = {}, nil, nil, nil

-- customer_changes.lua reads the changes of these fields.
local CUSTOMER_CHANGES = { messaging_handovers = true, user_preferences = true, user_id_update = true }

-- Changes of these fields contain messages to which a program must not reply.
local WITH_MESSAGES = { standby = true, smb_message_echoes = true, message_echoes = true }

-- Returns the event's fields for the business number of a change.
local function place_of(entry, value)
  local metadata = type(value.metadata) == "table" and value.metadata or value
  local display, id, account = metadata.display_phone_number, metadata.phone_number_id, entry.id
  if display ~= latest_display or id ~= latest_id or account ~= latest_account then
    latest_display, latest_id, latest_account = display, id, account
    id = text(id)
    latest = { number = values.phone_digits(display) or id, phone_number_id = id, waba_id = text(account) }
  end
  return latest
end

-- Returns a table that maps each phone number and user id to its contact; nil if the change has fewer than two
-- contacts.
local function contacts_by_id(contacts)
  if #contacts < 2 then return nil end
  local by_id = {}
  for _, raw in ipairs(contacts) do
    if type(raw) == "table" then
      local id, user_id = wa_id(raw.wa_id), text(raw.user_id)
      if id then by_id[id] = by_id[id] or raw end
      if user_id then by_id[user_id] = by_id[user_id] or raw end
    end
  end
  return by_id
end

-- Returns whether two ids are known and different.
local function differ(one, other) return one ~= nil and other ~= nil and one ~= other end

-- Returns the contact with the phone number `phone` or the user id `user_id`. Returns the only contact of a
-- change even if one of its ids is missing, but never a contact with another id. The position of a contact has no
-- meaning.
local function find_contact(contacts, by_id, phone, user_id)
  if by_id then return phone and by_id[phone] or user_id and by_id[user_id] or nil end
  local sole = contacts[1]
  if type(sole) ~= "table" then return nil end
  local id, own_user_id = wa_id(sole.wa_id), text(sole.user_id)
  if id and (id == phone or id == user_id) or own_user_id and (own_user_id == phone or own_user_id == user_id) then
    return sole
  end
  if differ(phone, id) or differ(user_id, own_user_id) then return nil end
  return sole
end

-- Reads messages of the kind "standby", "echo" or, by default, "message". A message from the business's own number is
-- an echo (cloud.md, section 11.2).
local function read_messages(events, list, contacts, by_id, place, used, kind)
  local messages, own_number = items(list), place.number
  for position = 1, #messages do
    local raw = messages[position]
    if raw ~= null then
      local contact, from, phone, user_id
      local is_echo = kind == "echo"
      if type(raw) == "table" then
        from = wa_id(raw.from)
        is_echo = is_echo or from ~= nil and from == own_number or raw.from_me == true
        if is_echo then
          phone, user_id = wa_id(raw.to), text(raw.to_user_id)
        else
          phone, user_id = from, text(raw.from_user_id)
        end
        local found = find_contact(contacts, by_id, phone, user_id)
        if found then used[found] = true end
        contact = event_fields.contact(found, phone, user_id)
      end
      local event = reader.message(raw, from, contact, place)
      if is_echo then
        event.kind, event.to, event.to_user_id = "echo", phone, user_id
      elseif kind then
        event.kind = kind
      end
      events[#events + 1] = event
    end
  end
end

local function read_statuses(events, value, contacts, by_id, place, used)
  local statuses = items(value.statuses)
  for position = 1, #statuses do
    local raw = statuses[position]
    if raw ~= null then
      local event = reader.status(raw, place)
      if #contacts > 0 then
        local phone, user_id = event.recipient, event.recipient_user_id
        if event.group_id then phone, user_id = event.participant, event.participant_user_id end
        local found = (phone or user_id) and find_contact(contacts, by_id, phone, user_id)
        if found then
          used[found] = true
          event.contact = event_fields.contact(found, phone, user_id)
        end
      end
      events[#events + 1] = event
    end
  end
end

-- Creates account events from the contacts that no other event has used.
local function read_contacts(events, contacts, by_id, place, used)
  for _, raw in ipairs(contacts) do
    local is_used = used[raw]
    if by_id and not is_used and type(raw) == "table" then
      is_used = used[by_id[wa_id(raw.wa_id)]] or used[by_id[text(raw.user_id)]]
    end
    if raw ~= null and not is_used then events[#events + 1] = reader.account("contacts", raw, place) end
  end
end

-- Reads a change with messages. `kind` is nil, "standby" or "echo".
local function read_messages_change(events, value, place, kind)
  local contacts, first = items(value.contacts), #events
  local by_id, used = contacts_by_id(contacts), #contacts > 0 and {} or nil
  if value.messages ~= nil then read_messages(events, value.messages, contacts, by_id, place, used, kind) end
  if kind then read_messages(events, value.message_echoes, contacts, by_id, place, used, "echo") end
  if value.statuses ~= nil then read_statuses(events, value, contacts, by_id, place, used) end
  if value.errors ~= nil then reader.append(events, "error", value.errors, place) end
  if used then read_contacts(events, contacts, by_id, place, used) end
  local names = unknown_names(value, VALUE)
  if names then reader.unknown_lists(events, first, value, names, place) end
end

-- Returns the value of a change with the language code "pt_BR" instead of "pt-BR", because all other fields use "_".
local function with_language_code(value)
  local language = value.message_template_language
  if type(language) ~= "string" or not language:find("-", 1, true) then return value end
  value = copy(value)
  value.message_template_language = language:gsub("-", "_")
  return value
end

local function read_account_change(events, field, value, place, entry)
  local event = reader.account(field, value, place)
  if type(value) == "table" then
    -- the platform documents a change of the quality with the field name message_template_status_update
    if value.new_quality_score ~= nil and field == "message_template_status_update" then
      event.field = "message_template_quality_update"
    end
    event.value = with_language_code(event.value)
  end
  event.timestamp = values.timestamp(entry.time)
  events[#events + 1] = event
end

-- Reads a change of a customer. Returns false for a change of another kind.
local function read_customer_change(events, field, value, place)
  local had = #events
  if WITH_MESSAGES[field] then
    -- some changes of the field "standby" have a further object with the content
    local inner = type(value[field]) == "table" and value[field][1] == nil and value[field] or value
    read_messages_change(events, inner, place, field == "standby" and "standby" or "echo")
  elseif CUSTOMER_CHANGES[field] then
    local contacts = items(value.contacts)
    local by_id = contacts_by_id(contacts)
    require("waba.hosting.cloud.customer_changes")[field](events, value, place, function(phone, user_id)
      return find_contact(contacts, by_id, phone, user_id)
    end)
  end
  return #events > had
end

local function is_messages(field, value)
  if type(value) ~= "table" or value[1] ~= nil then return false end
  if field == nil then return value.messages ~= nil or value.statuses ~= nil or value.errors ~= nil end
  return field == "messages"
end

-- In some documented examples, `field` is one level higher or lower, and `value` is missing.
local function read_change(events, change, entry)
  if type(change) ~= "table" then return read_account_change(events, "unknown", change, place_of(entry, {}), entry) end
  local value = change.value
  if value == nil then value = change end
  local inner = type(value) == "table" and value or {}
  local field = text(change.field) or text(inner.field) or text(entry.field)
  local place = place_of(entry, inner)
  if is_messages(field, value) then return read_messages_change(events, value, place) end
  if field and type(value) == "table" and read_customer_change(events, field, value, place) then return end
  if value ~= null then read_account_change(events, field or "unknown", value, place, entry) end
end

local function read_entry(events, entry)
  if type(entry) ~= "table" then return read_change(events, entry, {}) end
  if entry.changes == nil and (entry.value ~= nil or entry.field ~= nil) then
    return read_change(events, entry, entry)
  end
  local first = #events
  for _, change in ipairs(items(entry.changes)) do
    if change ~= null then read_change(events, change, entry) end
  end
  local names = unknown_names(entry, ENTRY)
  if names then reader.unknown_lists(events, first, entry, names, place_of(entry, {})) end
end

-- Returns the entries of a body. A body may also be a single entry, or the value of a change.
local function entries_of(body)
  if body.entry ~= nil then return items(body.entry) end
  if body.changes ~= nil then return { body } end
  for name in pairs(body) do
    if name ~= "object" then return { { changes = { { value = body } } } } end
  end
  return {}
end

--- Reads a decoded body. Never fails: content of an unknown form is only in the field `raw` of its event. Events have
--- the order of entries and changes. The messages of a change come first, then its statuses, then its errors. A body
--- has no events if its field `object` does not name a WhatsApp business account.
---@param body table
---@return waba.Event[]
function webhook.read(body)
  local events = { nil } -- most bodies have one event
  if type(body.object) == "string" and body.object ~= OBJECT then return events end
  for _, entry in ipairs(entries_of(body)) do
    if entry ~= null then read_entry(events, entry) end
  end
  local names = body.entry ~= nil and unknown_names(body, BODY)
  if names then reader.unknown_lists(events, 0, body, names) end
  return events
end

webhook.reader = reader

return webhook
