-- Creates events (event.lua) from the platform's messages, statuses, errors and account changes. Both hostings write
-- the same objects into different envelopes, which hosting/cloud/webhook.lua and hosting/on_premise/webhook.lua read.
-- Never fails: a value of an invalid type is only in the field `raw` of its event.

local callback_data = require "waba.hosting.callback_data"
local content = require "waba.hosting.message_content"
local core = require "waba.core"
local values = require "waba.hosting.values"

local null, type = core.null, type
local text, wa_id, flag, timestamp = values.text, values.wa_id, values.flag, values.timestamp
local items, shaped, with_ids = values.items, values.shaped, values.with_ids

local event_fields = {}

local NOTHING = {}

local PRODUCT = { catalog_id = text, product_retailer_id = text }
local IDENTITY = { hash = text, acknowledged = flag, created_timestamp = values.integer }
local UNSUPPORTED = { type = text }
local CONVERSATION = { id = text, expiration_timestamp = timestamp }
local PRICING = { pricing_model = text, billable = flag, category = text, type = text }

local function context(value)
  if type(value) ~= "table" then return nil end
  return {
    id = text(value.id), from = wa_id(value.from), forwarded = flag(value.forwarded),
    frequently_forwarded = flag(value.frequently_forwarded), product = shaped(value.referred_product, PRODUCT),
    mentions = with_ids(value.mentions), group_id = text(value.group_id),
  }
end

-- The type of a message without `type` is the name of the field with the content.
local function guess_type(raw)
  for name in pairs(content) do
    if type(raw[name]) == "table" then return name end
  end
  return "unknown"
end

local function read_extras(event, raw)
  if raw.context ~= nil then event.context = context(raw.context) end
  if raw.identity ~= nil then event.identity = shaped(raw.identity, IDENTITY) end
  if raw.referral ~= nil then event.referral = type(raw.referral) == "table" and with_ids(raw.referral) or nil end
  if raw.unsupported ~= nil then event.unsupported = shaped(raw.unsupported, UNSUPPORTED) end
  if raw.from_user_id ~= nil then event.from_user_id = text(raw.from_user_id) end
  if raw.from_parent_user_id ~= nil then event.from_parent_user_id = text(raw.from_parent_user_id) end
  if raw.group_id ~= nil then event.group_id = text(raw.group_id) end
  if raw.origin ~= nil then event.origin = text(raw.origin) end
end

-- Each pair has the name of a field in a status of Cloud hosting, and the name of the event's field with the same
-- value. The platform has two names for two of the event's fields.
local RECIPIENT = {
  { "recipient_user_id", "recipient_user_id" }, { "recipient_parent_user_id", "recipient_parent_user_id" },
  { "parent_recipient_user_id", "recipient_parent_user_id" }, { "recipient_type", "recipient_type" },
  { "recipient_identity_key_hash", "recipient_identity_key_hash" },
  { "recipient_participant_id", "participant" }, { "participant_recipient_id", "participant" },
  { "recipient_participant_user_id", "participant_user_id" },
  { "recipient_participant_parent_user_id", "participant_parent_user_id" },
}

-- Types of statuses that are not about a message.
local OTHER_STATUSES = { payment = true, call = true }

local function read_subject(event, raw)
  if not OTHER_STATUSES[raw.type] then return end
  event.type = raw.type
  if type(raw.payment) == "table" then event.payment = with_ids(raw.payment) end
end

local function read_recipient(event, raw)
  for index = 1, #RECIPIENT do
    local names = RECIPIENT[index]
    local value = raw[names[1]]
    if value ~= nil then event[names[2]] = wa_id(value) or event[names[2]] end
  end
  if event.recipient_type == "group" then event.group_id = event.recipient end
end

event_fields.types = content -- its keys are the known message types

--- Creates the reader of a hosting. `error_from_row(row)` creates an error object from an error in a webhook. The
--- argument `place` of the reader's functions has the fields `number`, `phone_number_id` and `waba_id` of an event. On
--- On-Premise hosting, `place` is nil.
function event_fields.reader(hosting, error_from_row)
  local reader = {}

  local function new_event(kind, raw, place)
    return {
      kind = kind, hosting = hosting, raw = raw,
      number = place.number, phone_number_id = place.phone_number_id, waba_id = place.waba_id,
    }
  end

  local function error_list(rows)
    if rows == nil or rows == null then return nil end
    local list = {}
    for _, row in ipairs(items(rows)) do
      if row ~= null then list[#list + 1] = error_from_row(row) end
    end
    return list
  end

  function reader.message(raw, from, contact, place)
    local fields = type(raw) == "table" and raw or NOTHING
    local id, kind = fields.id, fields.type
    if type(id) ~= "string" then id = text(id) end
    if type(kind) ~= "string" then kind = text(kind) or guess_type(fields) end
    local event = {
      kind = "message", hosting = hosting, raw = raw, number = place and place.number,
      id = id, type = kind, from = from, timestamp = timestamp(fields.timestamp), contact = contact or { wa_id = from },
    }
    if place then event.phone_number_id, event.waba_id = place.phone_number_id, place.waba_id end
    read_extras(event, fields)
    if fields.errors ~= nil then event.errors = error_list(fields.errors) end
    local read, value = content[kind], fields[kind]
    if read and value ~= nil and value ~= null then event.text = read(event, value) end
    return event
  end

  function reader.status(raw, place)
    local fields = type(raw) == "table" and raw or NOTHING
    -- since version 2.45, On-Premise hosting writes recipient_id into `message`; some versions also write it into the
    -- status
    local id, status, message = fields.id, fields.status, fields.message
    if type(id) ~= "string" then id = text(id) end
    if type(status) ~= "string" then status = text(status) or "unknown" end
    local event = {
      kind = "status", hosting = hosting, raw = raw, id = id, status = status, timestamp = timestamp(fields.timestamp),
      recipient = type(message) == "table" and wa_id(message.recipient_id) or wa_id(fields.recipient_id),
      conversation = shaped(fields.conversation, CONVERSATION), pricing = shaped(fields.pricing, PRICING),
    }
    if place then
      event.number, event.phone_number_id, event.waba_id = place.number, place.phone_number_id, place.waba_id
    end
    if fields.errors ~= nil then event.errors = error_list(fields.errors) end
    local data = fields.biz_opaque_callback_data
    if data ~= nil then event.data, event.outbox_id = callback_data.split(text(data)) end
    if hosting == "cloud" then
      read_recipient(event, fields)
      read_subject(event, fields)
    end
    return event
  end

  function reader.error(raw, place)
    local event = new_event("error", raw, place or NOTHING)
    event.error = error_from_row(raw)
    return event
  end

  function reader.account(field, value, place)
    local event = new_event("account", value, place or NOTHING)
    event.field, event.value = field, with_ids(value)
    return event
  end

  -- Appends an event for each element of a list. `kind` is "status" or "error".
  function reader.append(events, kind, list, place)
    local read = reader[kind]
    list = items(list)
    for position = 1, #list do
      if list[position] ~= null then events[#events + 1] = read(list[position], place) end
    end
  end

  -- Creates account events from the unknown members of a body; `names` lists the names of these members. Each element
  -- of a list, and each object with an id, becomes an event. Other members become events only if `events` has no event
  -- of this body; `first` is the number of events before the body was read.
  function reader.unknown_lists(events, first, body, names, place)
    table.sort(names, function(one, other) return tostring(one) < tostring(other) end)
    local had_events = #events > first
    for _, name in ipairs(names) do
      local value = body[name]
      local is_account_change = type(value) == "table" and (value[1] ~= nil or value.id ~= nil)
      if is_account_change or not had_events then
        for _, item in ipairs(items(value)) do
          if item ~= null then events[#events + 1] = reader.account(tostring(name), item, place) end
        end
      end
    end
  end

  return reader
end

--- Returns the names in an object that are not in `known`; nil if all names are known.
function event_fields.unknown_names(body, known)
  local names
  for name in next, body do
    if not known[name] then
      names = names or {}
      names[#names + 1] = name
    end
  end
  return names
end

--- Reads an entry of `contacts`. `phone` and `user_id` replace missing ids of the entry.
---@return waba.EventContact
function event_fields.contact(raw, phone, user_id)
  if type(raw) ~= "table" then return { wa_id = phone, user_id = user_id } end
  local profile = type(raw.profile) == "table" and raw.profile or NOTHING
  local name, id = profile.name, raw.wa_id
  if type(name) ~= "string" then name = text(name) end
  if id ~= phone then id = wa_id(id) or phone end
  local contact = { name = name, wa_id = id }
  if profile.username ~= nil then contact.username = text(profile.username) end
  if raw.user_id ~= nil then user_id = text(raw.user_id) or user_id end
  if user_id then contact.user_id = user_id end
  if raw.parent_user_id ~= nil then contact.parent_user_id = text(raw.parent_user_id) end
  if raw.identity_key_hash ~= nil then contact.identity_key_hash = text(raw.identity_key_hash) end
  return contact
end

--- Returns the phone number of an event's customer, or the business-scoped user id if the number is unknown.
function event_fields.customer(event)
  local contact = type(event.contact) == "table" and event.contact or {}
  local sender = event.kind ~= "echo" and event.from or nil
  return sender or event.to or event.recipient or contact.wa_id
    or event.to_user_id or event.from_user_id or event.recipient_user_id or contact.user_id
end

--- Returns the new phone number or user id in an event about a customer who has changed it; nil for other events.
function event_fields.new_address(event)
  local is_system = event.kind == "message" and event.type == "system"
  local system = (is_system or event.kind == "account" and event.field == "user_id_update") and event.system
  if type(system) ~= "table" then return nil end
  if system.type == "user_changed_number" then return system.new_wa_id end
  if system.type ~= "user_changed_user_id" then return nil end
  return system.new_wa_id or system.new_user_id or system.user_id
end

return event_fields
