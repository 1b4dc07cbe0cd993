-- Turns the platform's messages, statuses and errors into events. Both hostings write these objects
-- alike; what wraps them differs and is read in `hosting/<name>/webhook.lua`. Nothing a sender may
-- write makes this fail: what has the wrong type is left out of the event and stays in `raw`.

local core = require "waba.core"

local null, decode = core.null, core.decode
local byte, floor = string.byte, math.floor
local PLUS = 43

local inbound = {}

--- One thing that the platform reported. Which fields are there depends on `kind` and `type`.
---@class waba.Event
---@field kind "message"|"status"|"error"|"account"
---@field hosting "on_premise"|"cloud"
---@field number string?     the business number or its id, where the platform says it (Cloud only)
---@field raw any            the platform's own table, complete; its nulls are `require("waba.core").null`
---@field id string?         message, status: the id of the message; what duplicates are known by
---@field timestamp integer? message, status: Unix seconds
---@field errors waba.Error[]?  message, status: what went wrong
---@field type string?       message: the platform's word; "unknown" when it gave none
---@field from string?       message: the customer's wa_id
---@field contact { name: string?, wa_id: string? }|nil  message: always a table
---@field text string?       message: body, caption, button text, reply title: what a person reads
---@field context { id: string?, from: string?, forwarded: boolean?, frequently_forwarded: boolean?, product: table? }|nil
---@field media { id: string?, mime_type: string?, sha256: string?, filename: string?, caption: string?, voice: boolean?, animated: boolean?, status: string? }|nil
---@field location { latitude: number?, longitude: number?, name: string?, address: string?, url: string? }|nil
---@field contacts table[]?  message: address-book entries the customer shared
---@field button { text: string?, payload: string? }|nil
---@field reply { kind: "button"|"list"|"flow", id: string?, title: string?, description: string?, name: string?, data: any }|nil
---@field order { catalog_id: string?, text: string?, product_items: table[]? }|nil
---@field system { type: string?, body: string?, new_wa_id: string?, identity: string?, user: string? }|nil
---@field reaction { message_id: string?, emoji: string? }|nil  without emoji: taken back
---@field referral table?    message: the advertisement it came from
---@field identity { hash: string?, acknowledged: boolean?, created_timestamp: integer? }|nil  milliseconds
---@field status string?     status: "sent", "delivered", "read", "failed", "deleted", "warning"
---@field recipient string?  status: the customer's wa_id
---@field conversation { id: string?, expiration_timestamp: integer?, origin: table? }|nil
---@field pricing { pricing_model: string?, billable: boolean?, category: string? }|nil
---@field data string?       status: what the sender attached (Cloud only)
---@field error waba.Error?  error
---@field field string?      account: what it is about
---@field value any          account: its content

-- Ids and phone numbers are strings whatever the sender wrote.
local function text(value)
  if type(value) == "string" then return value end
  if type(value) == "number" then
    return value % 1 == 0 and ("%.0f"):format(value) or tostring(value)
  end
end

local function wa_id(value)
  value = text(value)
  if value and byte(value) == PLUS then return value:sub(2) end
  return value
end

local function number(value)
  if type(value) == "number" then return value end
  if type(value) == "string" then return tonumber(value) end
end

-- 15 digits hold every time in seconds or milliseconds and are exact in a double.
local function integer(value)
  value = number(value)
  if value and value > -1e15 and value < 1e15 then return floor(value) end
end

-- The documents say "String" where the samples show booleans.
local function flag(value)
  if type(value) == "boolean" then return value end
  if value == "true" or value == 1 or value == "1" then return true end
  if value == "false" or value == 0 or value == "0" then return false end
end

local function has_null(value)
  for _, member in pairs(value) do
    if member == null or type(member) == "table" and has_null(member) then return true end
  end
  return false
end

-- A table without the nulls, which would count as true in a condition. Lists close up.
local function without_null(value)
  if value == null then return nil end
  if type(value) ~= "table" or not has_null(value) then return value end
  local copy, length = {}, #value
  for index = 1, length do
    if value[index] ~= null then copy[#copy + 1] = without_null(value[index]) end
  end
  for key, member in pairs(value) do
    local in_list = type(key) == "number" and key <= length
    if member ~= null and not in_list then copy[key] = without_null(member) end
  end
  return copy
end

-- A copy of an object with its known members in their right types. Unknown members come along.
local function copied(value, converters)
  if type(value) ~= "table" then return nil end
  local copy = {}
  for name, member in pairs(value) do
    local convert = converters[name] or without_null
    copy[name] = convert(member)
  end
  return copy
end

-- The same, without a copy where every member is right already: it nearly always is.
local function shaped(value, converters)
  if type(value) ~= "table" then return nil end
  for name, member in pairs(value) do
    local convert = converters[name] or without_null
    if convert(member) ~= member then return copied(value, converters) end
  end
  return value
end

local function list_of(value, converters)
  if type(value) ~= "table" then return nil end
  local list = {}
  for _, item in ipairs(value) do list[#list + 1] = shaped(item, converters) end
  return list
end

local PRODUCT = { catalog_id = text, product_retailer_id = text }
local MEDIA = {
  id = text, mime_type = text, sha256 = text, filename = text, caption = text, status = text,
  voice = flag, animated = flag,
}
local LOCATION = { latitude = number, longitude = number, name = text, address = text, url = text }
local BUTTON = { text = text, payload = text }
local REPLY = { id = text, title = text, description = text }
local REACTION = { message_id = text, emoji = text }
local IDENTITY = { hash = text, acknowledged = flag, created_timestamp = integer }
local ITEM = { product_retailer_id = text, quantity = number, item_price = number, currency = text }
local ORDER = { catalog_id = text, text = text, product_items = function(value) return list_of(value, ITEM) end }
local SYSTEM = {
  type = text, body = text, new_wa_id = wa_id, wa_id = wa_id, identity = text, user = wa_id, customer = wa_id,
  operator = wa_id, group_id = text,
}
local CONVERSATION = { id = text, expiration_timestamp = integer }
local PRICING = { pricing_model = text, billable = flag, category = text }

-- Cloud's older names of the same news.
local SYSTEM_ALIASES = {
  customer_changed_number = "user_changed_number", customer_identity_changed = "user_identity_changed",
}

local function context(value)
  if type(value) ~= "table" then return nil end
  return {
    id = text(value.id), from = wa_id(value.from), forwarded = flag(value.forwarded),
    frequently_forwarded = flag(value.frequently_forwarded), product = shaped(value.referred_product, PRODUCT),
    mentions = without_null(value.mentions), group_id = text(value.group_id),
  }
end

local function system(value)
  local read = copied(value, SYSTEM)
  if not read then return nil end
  read.type = SYSTEM_ALIASES[read.type] or read.type
  read.new_wa_id = read.new_wa_id or read.wa_id
  read.user = read.user or read.customer
  return read
end

-- The JSON inside a string (flows, address forms). Some senders write the object itself, and some
-- write what is no JSON at all: that stays text.
local function reply_data(value)
  if type(value) ~= "string" then return without_null(value) end
  local data = decode(value)
  if data == nil then return value end
  return without_null(data)
end

local function reply(value)
  if type(value) ~= "table" then return nil end
  local kind = value.type
  if type(kind) ~= "string" then
    for _, known in ipairs { "button_reply", "list_reply", "nfm_reply" } do
      if type(value[known]) == "table" then kind = known end
    end
  end
  local content = value[kind]
  if type(content) ~= "table" then return nil end
  if kind == "nfm_reply" then
    return {
      kind = "flow", id = text(content.id), title = text(content.body), name = text(content.name),
      data = reply_data(content.response_json),
    }
  end
  if kind ~= "button_reply" and kind ~= "list_reply" then return nil end
  local read = copied(content, REPLY)
  read.kind = kind == "list_reply" and "list" or "button"
  return read
end

-- How the content of each type is read: it fills the event's fields and returns what a person reads.
local content = {}

function content.text(_, value)
  if type(value) == "table" then return text(value.body) end
  return text(value)
end

local function media(event, value)
  event.media = shaped(value, MEDIA)
  return event.media and event.media.caption
end

content.image, content.audio, content.video, content.document, content.sticker = media, media, media, media, media

function content.voice(event, value)
  event.media = copied(value, MEDIA)
  if event.media then event.media.voice = true end
end

function content.location(event, value)
  event.location = shaped(value, LOCATION)
end

function content.contacts(event, value)
  if type(value) == "table" then event.contacts = without_null(value) end
end

function content.button(event, value)
  event.button = shaped(value, BUTTON)
  return event.button and event.button.text
end

function content.interactive(event, value)
  event.reply = reply(value)
  return event.reply and event.reply.title
end

function content.order(event, value)
  event.order = shaped(value, ORDER)
  return event.order and event.order.text
end

function content.system(event, value)
  event.system = system(value)
  return event.system and event.system.body
end

function content.reaction(event, value)
  event.reaction = copied(value, REACTION)
  if event.reaction and event.reaction.emoji == "" then event.reaction.emoji = nil end
end

-- A message that forgot its type is what its content says.
local function guess_type(raw)
  for name in pairs(content) do
    if type(raw[name]) == "table" then return name end
  end
  return "unknown"
end

--- Message types whose content this library reads.
---@type table<string, any>
inbound.types = content

--- A reader for one hosting.
---@param hosting string                     its name
---@param error_from_row fun(row: any): waba.Error
---@return { message: fun(raw: any, contact: table?, number: string?): waba.Event, status: fun(raw: any, number: string?): waba.Event, error: fun(raw: any, number: string?): waba.Event, account: fun(field: string, value: any, number: string?): waba.Event }
function inbound.reader(hosting, error_from_row)
  local reader = {}

  local function error_list(rows)
    if rows == nil or rows == null then return nil end
    local list = {}
    for _, row in ipairs(inbound.items(rows)) do
      if row ~= null then list[#list + 1] = error_from_row(row) end
    end
    return list
  end

  function reader.message(raw, contact, business)
    if type(raw) ~= "table" then
      return { kind = "message", type = "unknown", hosting = hosting, number = business, raw = raw, contact = {} }
    end
    local from = wa_id(raw.from)
    local event = {
      kind = "message", hosting = hosting, number = business, raw = raw,
      id = text(raw.id), type = text(raw.type) or guess_type(raw), from = from, timestamp = integer(raw.timestamp),
      contact = contact or { wa_id = from },
    }
    if raw.context ~= nil then event.context = context(raw.context) end
    if raw.identity ~= nil then event.identity = shaped(raw.identity, IDENTITY) end
    if raw.referral ~= nil then event.referral = type(raw.referral) == "table" and without_null(raw.referral) or nil end
    if raw.errors ~= nil then event.errors = error_list(raw.errors) end
    local read = content[event.type]
    local value = raw[event.type]
    if read and value ~= nil and value ~= null then event.text = read(event, value) end
    return event
  end

  function reader.status(raw, business)
    if type(raw) ~= "table" then
      return { kind = "status", status = "unknown", hosting = hosting, number = business, raw = raw }
    end
    -- Since 2.45 the recipient stands in `message`; for a while it stood in both places.
    local inner = type(raw.message) == "table" and raw.message.recipient_id
    return {
      kind = "status", hosting = hosting, number = business, raw = raw,
      id = text(raw.id), status = text(raw.status) or "unknown", timestamp = integer(raw.timestamp),
      recipient = wa_id(inner) or wa_id(raw.recipient_id),
      conversation = shaped(raw.conversation, CONVERSATION), pricing = shaped(raw.pricing, PRICING),
      errors = error_list(raw.errors), data = text(raw.biz_opaque_callback_data),
    }
  end

  function reader.error(raw, business)
    return { kind = "error", hosting = hosting, number = business, raw = raw, error = error_from_row(raw) }
  end

  function reader.account(field, value, business)
    return {
      kind = "account", hosting = hosting, number = business, raw = value, field = field, value = without_null(value),
    }
  end

  return reader
end

--- The elements of what should be a list: nothing for null, one for a value that is no list.
---@param value any
---@return any[]
function inbound.items(value)
  if value == nil or value == null then return {} end
  if type(value) ~= "table" then return { value } end
  if value[1] == nil and next(value) ~= nil then return { value } end
  return value
end

--- The contact of an entry in `contacts`.
---@param raw any
---@return { name: string?, wa_id: string? }
function inbound.contact(raw)
  if type(raw) ~= "table" then return {} end
  local profile = type(raw.profile) == "table" and raw.profile or {}
  return { name = text(profile.name), wa_id = wa_id(raw.wa_id) }
end

inbound.text, inbound.wa_id = text, wa_id

return inbound
