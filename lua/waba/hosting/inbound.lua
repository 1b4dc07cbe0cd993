-- Creates events from the platform's messages, statuses, errors and account changes. The two hostings have the same
-- objects in different envelopes, which `hosting/<name>/webhook.lua` reads. Never fails: a value of an invalid type is
-- only in `raw`, and not in the event's fields.

local callback_data = require "waba.hosting.callback_data"
local content = require "waba.hosting.content"
local core = require "waba.core"
local values = require "waba.hosting.values"

local null, type = core.null, type
local text, wa_id, flag, timestamp = values.text, values.wa_id, values.flag, values.timestamp
local shaped, with_ids = values.shaped, values.with_ids

local inbound = {}

--- An event of the platform: a message, a status, an error, or an account change. Messages that must not be answered
--- have the kind "echo" or "standby". An echo was written by the business itself, for example by a person in the
--- Business app. A standby message was written by a customer while another sender controls the conversation. Echoes
--- and standby messages have the same fields as messages. The kinds "handover" (another sender controls the
--- conversation now) and "preference" (which messages a customer wants) exist on Cloud hosting only. The fields depend
--- on `kind` and `type`; fields marked "Cloud" exist on Cloud hosting only.
---@class waba.Event
---@field kind "message"|"status"|"error"|"account"|"echo"|"standby"|"handover"|"preference"
---@field hosting "on_premise"|"cloud"
---@field number string?     the digits of the business number, or its id if the platform sends no number (Cloud)
---@field phone_number_id string?  the id of the business number (Cloud)
---@field waba_id string?    the id of the WhatsApp business account (Cloud)
---@field raw any            the platform's own table, complete; JSON null is `require("waba.core").null`
---@field id string?         message, status: the id of the message; duplicates have the same id
---@field timestamp integer? message, status, account: Unix seconds
---@field errors waba.Error[]?  message, status
---@field type string?       message: the platform's type; "unknown" without a type. Status: "payment" or "call" if
---                          the status does not concern a message (Cloud)
---@field from string?       message: the customer's wa_id; nil on Cloud hosting if the customer hides it
---@field from_user_id string?  message: the customer's business-scoped user id (Cloud)
---@field to string?         echo: the customer's wa_id
---@field to_user_id string? echo: the customer's business-scoped user id (Cloud)
---@field from_parent_user_id string?  the user id that all numbers of a parent business share (Cloud)
---@field group_id string?   message, status: the group of the message (Cloud)
---@field contact waba.EventContact?  message: always a table; status: if the platform sends it (Cloud)
---@field text string?       message: the body, the caption, the text of a button or the title of a reply: what a person would read
---@field context { id: string?, from: string?, forwarded: boolean?, frequently_forwarded: boolean?, product: table? }|nil
---@field media { id: string?, mime_type: string?, sha256: string?, filename: string?, caption: string?, voice: boolean?, animated: boolean?, status: string?, url: string? }|nil
---@field location { latitude: number?, longitude: number?, name: string?, address: string?, url: string? }|nil
---@field contacts table[]?  message: the address-book entries that the customer has shared
---@field origin string?     message: where shared contact details come from (Cloud)
---@field button { text: string?, payload: string? }|nil
---@field client waba.Client?  the client of the business number, from the receiver's option `client`. Without a client,
---                          `reply`, `mark_read` and `download` return nil and an error of kind "invalid"
---@field reply waba.EventReply  message: what the customer has chosen. With a client, `event:reply(message, options)`
---                          sends a reply; it exists in every event with a customer
---@field ask fun(self: waba.Event, message: waba.Message, step: string, options: waba.SendOptions?): waba.Sent|nil, waba.Error?
---                          with a client: sends a message as `event:reply` does; the handler `on.step[step]` then gets
---                          the customer's next message
---@field customer waba.Customer?  in the receiver's handlers: the customer of the event, whichever ids the event has
---@field previous waba.Customer?  the previous ids of the customer, if they have changed
---@field messages waba.Event[]?  message, with the receiver's option `gather`: all messages of this call, including the last one
---@field is_late boolean?    message: true if it is older than the receiver's option `max_age`
---@field state table?       in the receiver's handlers, except for a status: a table that belongs to the customer (in a
---                          group: to the group), empty at first. Handlers may change or replace the table; it is
---                          stored with the acknowledgement as JSON of at most 64 KB
---@field mark_read fun(self: waba.Event, options: { typing: boolean? }?): true|nil, waba.Error?  with a client: marks
---                          the message as read, as `client:mark_read` does
---@field download fun(self: waba.Event, options: waba.DownloadOptions?): waba.Download|nil, waba.Error?  with a
---                          client: downloads the media of a message, as `client.media:download` does, and checks the
---                          SHA-256 digest
---@field order { catalog_id: string?, text: string?, product_items: table[]? }|nil
---@field system { type: string?, body: string?, new_wa_id: string?, identity: string?, user: string?, user_id: string?, new_user_id: string? }|nil
---@field reaction { message_id: string?, emoji: string? }|nil  without emoji: removed
---@field edit { original_message_id: string?, message: table? }|nil  the id of the changed message; the event's other
---                       fields have the new content (Cloud)
---@field revoke { original_message_id: string? }|nil  Cloud
---@field unsupported { type: string? }|nil  a message that the platform does not deliver (Cloud)
---@field referral table?    message: the advertisement that the customer tapped
---@field identity { hash: string?, acknowledged: boolean?, created_timestamp: integer? }|nil  milliseconds
---@field status string?     status: "sent", "delivered", "read", "played", "failed", "deleted", "warning", …
---@field recipient string?  status: the customer's wa_id, or the group's id
---@field recipient_user_id string?  status: the customer's business-scoped user id (Cloud)
---@field recipient_parent_user_id string?  Cloud
---@field recipient_type string?     status: "group" (Cloud)
---@field recipient_identity_key_hash string?  Cloud
---@field participant string?        status: the member of the group (Cloud)
---@field participant_user_id string?         Cloud
---@field participant_parent_user_id string?  Cloud
---@field conversation { id: string?, expiration_timestamp: integer?, origin: table? }|nil
---@field pricing { pricing_model: string?, billable: boolean?, category: string?, type: string? }|nil
---@field replaced { id: string?, error: waba.Error? }|nil  status: set if a template was sent instead of the message
---                          (`client:send`, option `otherwise`); `id` and `error` are those of the template
---@field data string?       status: the option `data` that the message was sent with (Cloud)
---@field outbox_id string?  status: the id of the outbox entry, if the message came from an outbox (Cloud)
---@field payment table?     status of type "payment": reference_id, amount, currency, transaction (Cloud)
---@field error waba.Error?  error
---@field field string?      account: the kind of the change
---@field value any          account: the complete content; preference: "stop" or "resume"
---@field category string?   preference: the kind of messages, such as "marketing_messages"
---@field owner string?      handover: the role that controls the conversation now, as the platform writes it
---@field previous_owner string?  handover: the role that controlled the conversation before

---@class waba.EventContact
---@field name string?
---@field wa_id string?
---@field username string?        Cloud
---@field user_id string?         the business-scoped user id (Cloud)
---@field parent_user_id string?  Cloud
---@field identity_key_hash string?  Cloud

--- The customer of an event.
---@class waba.Customer
---@field key string            the user id if it is known, else the phone number; the key stays the same if the
---                             customer hides or shows the phone number
---@field phone string?         digits
---@field user_id string?       the business-scoped user id (Cloud)
---@field parent_user_id string?  the user id that all numbers of a parent business share (Cloud)
---@field name string?          the name in the customer's profile
---@field username string?      Cloud

--- What the customer has chosen or entered. With a client, this table can also be called as a function that sends a
--- message to the customer.
---@class waba.EventReply
---@overload fun(event: waba.Event, message: waba.Message, options: waba.SendOptions?): waba.Sent|nil, waba.Error?
---@field kind "button"|"list"|"flow"|"call_permission"|"payment_method"|nil
---@field id string?
---@field title string?
---@field description string?  list
---@field name string?         flow
---@field data any             flow: the decoded input of the customer
---@field response string?     call_permission: "accept" or "reject"
---@field is_permanent boolean?            call_permission
---@field expiration_timestamp integer?    call_permission
---@field response_source string?          call_permission
---@field payment_method string?    payment_method: "offsite_card_pay"
---@field reference_id string?      payment_method: the id of the order
---@field credential_id string?     payment_method
---@field last_four_digits string?  payment_method
---@field payment_timestamp integer?  payment_method

--- The business number that receives a webhook; empty on On-Premise hosting.
---@class waba.EventPlace
---@field number string?
---@field phone_number_id string?
---@field waba_id string?

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

-- Returns the type of a message without `type`: the name of the field with its content.
local function guess_type(raw)
  for name in pairs(content) do
    if type(raw[name]) == "table" then return name end
  end
  return "unknown"
end

-- Reads fields that few messages have.
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

-- The fields of a status that describe its recipient on Cloud hosting, each with the name of the event's field. Two of
-- the event's fields have two names on the platform.
local RECIPIENT = {
  { "recipient_user_id", "recipient_user_id" }, { "recipient_parent_user_id", "recipient_parent_user_id" },
  { "parent_recipient_user_id", "recipient_parent_user_id" }, { "recipient_type", "recipient_type" },
  { "recipient_identity_key_hash", "recipient_identity_key_hash" },
  { "recipient_participant_id", "participant" }, { "participant_recipient_id", "participant" },
  { "recipient_participant_user_id", "participant_user_id" },
  { "recipient_participant_parent_user_id", "participant_parent_user_id" },
}

-- The types of statuses that do not concern a message.
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

--- The readers of all known message types.
---@type table<string, any>
inbound.types = content

---@class waba.EventReader
---@field message fun(raw: any, from: string?, contact: waba.EventContact?, place: waba.EventPlace?): waba.Event
---@field status fun(raw: any, place: waba.EventPlace?): waba.Event
---@field error fun(raw: any, place: waba.EventPlace?): waba.Event
---@field account fun(field: string, value: any, place: waba.EventPlace?): waba.Event
---@field unknown_lists fun(events: waba.Event[], first: integer, body: table, names: any[], place: waba.EventPlace?)

--- Creates the reader for a hosting.
---@param hosting string                     its name
---@param error_from_row fun(row: any): waba.Error
---@return waba.EventReader
function inbound.reader(hosting, error_from_row)
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
    for _, row in ipairs(values.items(rows)) do
      if row ~= null then list[#list + 1] = error_from_row(row) end
    end
    return list
  end

  function reader.message(raw, from, contact, place)
    place = place or NOTHING
    if type(raw) ~= "table" then
      local event = new_event("message", raw, place)
      event.type, event.contact = "unknown", contact or {}
      return event
    end
    local id, kind = raw.id, raw.type
    if type(id) ~= "string" then id = text(id) end
    if type(kind) ~= "string" then kind = text(kind) or guess_type(raw) end
    local event = {
      kind = "message", hosting = hosting, raw = raw,
      number = place.number, phone_number_id = place.phone_number_id, waba_id = place.waba_id,
      id = id, type = kind, from = from, timestamp = timestamp(raw.timestamp), contact = contact or { wa_id = from },
    }
    read_extras(event, raw)
    if raw.errors ~= nil then event.errors = error_list(raw.errors) end
    local read, value = content[kind], raw[kind]
    if read and value ~= nil and value ~= null then event.text = read(event, value) end
    return event
  end

  function reader.status(raw, place)
    place = place or NOTHING
    if type(raw) ~= "table" then
      local event = new_event("status", raw, place)
      event.status = "unknown"
      return event
    end
    -- on On-Premise hosting since version 2.45 the recipient is in `message`; some versions have it in both places
    local id, status, message = raw.id, raw.status, raw.message
    if type(id) ~= "string" then id = text(id) end
    if type(status) ~= "string" then status = text(status) or "unknown" end
    local data, outbox_id = raw.biz_opaque_callback_data, nil
    if data ~= nil then data, outbox_id = callback_data.split(text(data)) end
    local event = {
      kind = "status", hosting = hosting, raw = raw,
      number = place.number, phone_number_id = place.phone_number_id, waba_id = place.waba_id,
      id = id, status = status, timestamp = timestamp(raw.timestamp),
      recipient = type(message) == "table" and wa_id(message.recipient_id) or wa_id(raw.recipient_id),
      conversation = shaped(raw.conversation, CONVERSATION), pricing = shaped(raw.pricing, PRICING),
      errors = raw.errors ~= nil and error_list(raw.errors) or nil, data = data, outbox_id = outbox_id,
    }
    if hosting == "cloud" then
      read_recipient(event, raw)
      read_subject(event, raw)
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

  -- Creates an account event from each element of an unknown list, and from each unknown object with an id. Other
  -- unknown members become events only if the body has no other events. Events of unknown members come last.
  function reader.unknown_lists(events, first, body, names, place)
    table.sort(names, function(one, other) return tostring(one) < tostring(other) end)
    local had_events = #events > first
    for _, name in ipairs(names) do
      local value = body[name]
      local is_account_change = type(value) == "table" and (value[1] ~= nil or value.id ~= nil)
      if is_account_change or not had_events then
        for _, item in ipairs(values.items(value)) do
          if item ~= null then events[#events + 1] = reader.account(tostring(name), item, place) end
        end
      end
    end
  end

  return reader
end

--- Returns those members of an object whose names are unknown; nil if all names are known.
---@param body table
---@param known table<string, any>
---@return any[]|nil
function inbound.unknown_names(body, known)
  local names
  for name in next, body do
    if not known[name] then
      names = names or {}
      names[#names + 1] = name
    end
  end
  return names
end

--- Reads an entry of `contacts`.
---@param raw any
---@param phone? string    the wa_id and the user id of the contact if the entry has none
---@param user_id? string
---@return waba.EventContact
function inbound.contact(raw, phone, user_id)
  if type(raw) ~= "table" then return { wa_id = phone, user_id = user_id } end
  local profile = type(raw.profile) == "table" and raw.profile or NOTHING
  local name = profile.name
  if type(name) ~= "string" then name = text(name) end
  local contact = { name = name, wa_id = raw.wa_id == phone and phone or wa_id(raw.wa_id) or phone }
  if profile.username ~= nil then contact.username = text(profile.username) end
  user_id = text(raw.user_id) or user_id
  if user_id then contact.user_id = user_id end
  if raw.parent_user_id ~= nil then contact.parent_user_id = text(raw.parent_user_id) end
  if raw.identity_key_hash ~= nil then contact.identity_key_hash = text(raw.identity_key_hash) end
  return contact
end

--- Returns the id of an event's customer: the phone number, or if that is unknown the business-scoped user id.
---@param event waba.Event
---@return string|nil
function inbound.customer(event)
  local contact = type(event.contact) == "table" and event.contact or {}
  local sender = event.kind ~= "echo" and event.from or nil
  return sender or event.to or event.recipient or contact.wa_id
    or event.to_user_id or event.from_user_id or event.recipient_user_id or contact.user_id
end

--- Returns the new phone number or user id of a customer who has changed it; nil for every other event.
---@param event waba.Event
---@return string|nil
function inbound.new_address(event)
  local kind = event.kind
  local is_change = kind == "message" and event.type == "system"
  is_change = is_change or kind == "account" and event.field == "user_id_update"
  local system = is_change and event.system
  if type(system) ~= "table" then return nil end
  if system.type == "user_changed_number" then return system.new_wa_id end
  if system.type ~= "user_changed_user_id" then return nil end
  return system.new_wa_id or system.new_user_id or system.user_id
end

return inbound
