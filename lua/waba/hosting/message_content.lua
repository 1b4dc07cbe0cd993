-- Reads the content of messages. `content.<type>(event, value)` sets fields of the event, and returns the text that a
-- person would read, or nil. The content has the same form on both hostings.

local core = require "waba.core"
local values = require "waba.hosting.values"

local type = type
local text, wa_id, number = values.text, values.wa_id, values.number
local flag, without_null = values.flag, values.without_null
local copied, shaped = values.copied, values.shaped

local MEDIA = {
  id = text, mime_type = text, sha256 = text, filename = text, caption = text, status = text, url = text,
  voice = flag, animated = flag,
}
local REPLY = { id = text, title = text, description = text }
local REACTION = { message_id = text, emoji = text }
local PRODUCT = { product_retailer_id = text, quantity = number, item_price = number, currency = text }
local function product(value) return shaped(value, PRODUCT) end

local ORIGINAL = { original_message_id = text }

-- On Cloud hosting, the hash is in the field `hash` of an object.
local function identity_hash(value) return text(type(value) == "table" and value.hash or value) end

local SYSTEM = {
  type = text, body = text, new_wa_id = wa_id, wa_id = wa_id, identity = identity_hash, user = wa_id, customer = wa_id,
  operator = wa_id, group_id = text, user_id = text, new_user_id = text, parent_user_id = text,
}

-- Types of system messages on Cloud hosting, with the names of the same types on On-Premise hosting.
local SYSTEM_ALIASES = {
  customer_changed_number = "user_changed_number", customer_identity_changed = "user_identity_changed",
}

-- The input of a flow or an address form is JSON in a string; some webhooks have an object instead.
local function reply_data(value)
  local data
  if type(value) == "string" then data = core.decode(value) end
  if data == nil then data = value end
  return without_null(data)
end

local function flow_reply(value)
  return {
    kind = "flow", id = text(value.id), title = text(value.body), name = text(value.name),
    data = reply_data(value.response_json),
  }
end

local function reply_reader(kind, fields)
  return function(value)
    local read = copied(value, fields)
    read.kind = kind
    return read
  end
end

local replies = {
  button_reply = reply_reader("button", REPLY),
  list_reply = reply_reader("list", REPLY),
  nfm_reply = flow_reply,
  call_permission_reply = reply_reader("call_permission", {
    response = text, is_permanent = flag, expiration_timestamp = values.timestamp, response_source = text,
  }),
  payment_method = reply_reader("payment_method", {
    payment_method = text, reference_id = text, credential_id = text, last_four_digits = text,
    payment_timestamp = values.timestamp,
  }),
}

local function reply(value)
  if type(value) ~= "table" then return nil end
  local kind = value.type
  if type(kind) ~= "string" then
    for known in pairs(replies) do
      if type(value[known]) == "table" then kind = known end
    end
  end
  if not replies[kind] or type(value[kind]) ~= "table" then return nil end
  return replies[kind](value[kind])
end

local content = {}

function content.text(_, value)
  if type(value) == "table" then value = value.body end
  return text(value)
end

-- Creates a reader that sets the event's field `name`. `text_field` is the field with the text that a person would
-- read.
local function field_reader(name, fields, text_field)
  return function(event, value)
    local read = shaped(value, fields)
    event[name] = read
    return text_field and read and read[text_field]
  end
end

content.location = field_reader("location", {
  latitude = number, longitude = number, name = text, address = text, url = text,
})
content.button = field_reader("button", { text = text, payload = text }, "text")
content.order = field_reader("order", {
  catalog_id = text, text = text,
  product_items = function(value) return type(value) == "table" and values.each(value, product) or nil end,
}, "text")
content.revoke = field_reader("revoke", ORIGINAL)

local media = field_reader("media", MEDIA, "caption")

content.image, content.audio, content.video, content.document, content.sticker = media, media, media, media, media

function content.voice(event, value)
  event.media = copied(value, MEDIA)
  if event.media then event.media.voice = true end
end

function content.contacts(event, value)
  if type(value) == "table" then event.contacts = without_null(value) end
end

function content.interactive(event, value)
  event.reply = reply(value)
  return event.reply and event.reply.title
end

function content.system(event, value)
  local read = copied(value, SYSTEM)
  if not read then return nil end
  read.type = SYSTEM_ALIASES[read.type] or read.type
  read.new_wa_id = read.new_wa_id or read.wa_id
  read.user = read.user or read.customer
  -- on Cloud hosting, the hash is in the message's field `identity`
  if read.type == "user_identity_changed" and event.identity then
    read.identity = read.identity or event.identity.hash
  end
  event.system = read
  return read.body
end

function content.reaction(event, value)
  event.reaction = copied(value, REACTION)
  if event.reaction and event.reaction.emoji == "" then event.reaction.emoji = nil end
end

-- Reads the new content of a changed message.
function content.edit(event, value)
  event.edit = copied(value, ORIGINAL)
  local message = event.edit and event.edit.message
  if type(message) ~= "table" then return nil end
  local kind = text(message.type)
  local read = kind and kind ~= "edit" and content[kind]
  if read and message[kind] ~= nil then return read(event, message[kind]) end
end

-- A message of the type request_welcome has no content. The message reports that the customer has opened the chat for
-- the first time.
function content.request_welcome() end

--- The readers of all known message types.
---@type table<string, fun(event: waba.Event, value: any): string|nil>
return content
