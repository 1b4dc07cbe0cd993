-- Builders: one function per message type, each returning a plain table in the platform's own form,
-- the same for both hostings. A builder never fails: what it can't use it keeps, so that the check
-- (schema.lua) can name it by its path. It copies what it is given and changes none of it.

local interactive = require "waba.message.interactive"
local orders = require "waba.message.orders"
local parts = require "waba.message.parts"
local recipient = require "waba.recipient"
local requests = require "waba.message.requests"
local templates = require "waba.message.template"

local copy, each, is_empty, is_table = parts.copy, parts.each, parts.is_empty, parts.is_table
local wire_number, with_strings = parts.wire_number, parts.with_strings

local message = {}

for _, builders in ipairs { templates, interactive, requests, orders.builders } do
  for name, build in pairs(builders) do message[name] = build end
end

---@class waba.Message
---@field type string  the platform's name: "text", "image", "template", "interactive", …
---@field category? string  Direct Send (Cloud hosting): "utility" or "authentication", with `ttl_seconds` and
---  `direct_send_config` beside it; see the options of `client:send`
---@field [string] any the content, in the field named like the type

-- Media ------------------------------------------------------------------------------------------

local function media(kind)
  return function(content)
    return { type = kind, [kind] = with_strings(content, "id") }
  end
end

--- A text. WhatsApp's markup works in it: `*bold*`, `_italic_`, `~struck~`.
---@param content string|{ body: string, preview_url: boolean? }  body: 1 to 4096 characters;
---  preview_url: show a preview of the first link, false by default
---@return waba.Message
function message.text(content)
  if is_table(content) then return { type = "text", text = copy(content) } end
  return { type = "text", text = { body = content } }
end

---@class waba.MediaContent
---@field id? string        from `client.media:upload`; either this
---@field link? string      or a public URL that the platform fetches
---@field caption? string   at most 1024 characters; not for audio and stickers
---@field filename? string  documents only; its extension decides the icon
---@field provider? { name: string }  On-Premise, with `link`: credentials stored at the gateway

--- An image: JPEG or PNG, at most 5 MB. The file's type and size can't be seen from here: when they
--- don't fit, the platform reports it later, in a status.
---@param content waba.MediaContent
---@return waba.Message
message.image = media("image")

--- A video: MP4 or 3GPP with H.264 and AAC, at most 16 MB (reported later, as with `image`).
---@param content waba.MediaContent
---@return waba.Message
message.video = media("video")

--- A sound, at most 16 MB (reported later, as with `image`); OGG with Opus shows as a voice note.
---@param content waba.MediaContent|{ voice: boolean? }  without caption; voice: as in `waba.voice`
---@return waba.Message
message.audio = media("audio")

--- A voice note: an `audio` with `voice = true`. OGG with Opus, one channel, at most 512 KB to play at
--- once. Cloud hosting only; On-Premise shows any OGG with Opus so.
---@param content waba.MediaContent  without caption
---@return waba.Message
function message.voice(content)
  local result = message.audio(content)
  if is_table(result.audio) and result.audio.voice == nil then result.audio.voice = true end
  return result
end

--- A document, at most 100 MB, 64 MB through an On-Premise upload (reported later, as with `image`).
---@param content waba.MediaContent
---@return waba.Message
message.document = media("document")

--- A sticker: WebP, 512 x 512, at most 100 KB; not animated on On-Premise (reported later).
---@param content waba.MediaContent  without caption
---@return waba.Message
message.sticker = media("sticker")

-- Places and people ------------------------------------------------------------------------------

--- A place. The address shows only beside a name.
---@param content { latitude: number, longitude: number, name: string?, address: string? }
---@return waba.Message
function message.location(content)
  content = copy(content)
  if is_table(content) then
    content.latitude, content.longitude = wire_number(content.latitude), wire_number(content.longitude)
  end
  return { type = "location", location = content }
end

-- Writes a WhatsApp id in the digits that the platform takes. Leaves an invalid phone number for the check to report.
local function contact_phone(phone)
  phone = with_strings(phone, "phone", "wa_id")
  if is_table(phone) and phone.wa_id ~= nil then phone.wa_id = recipient.normalize(phone.wa_id) or phone.wa_id end
  return phone
end

local contact_lists = { "addresses", "emails", "ims", "phones", "urls" }

local function contact_card(card)
  card = copy(card)
  if not is_table(card) then return card end
  for _, name in ipairs(contact_lists) do
    if is_empty(card[name]) then card[name] = nil end
  end
  card.phones = each(card.phones, contact_phone)
  card.addresses = each(card.addresses, function(address) return with_strings(address, "zip") end)
  card.ims = each(card.ims, function(account) return with_strings(account, "user_id") end)
  return card
end

---@class waba.ContactCard
---@field name { formatted_name: string, first_name: string?, last_name: string?, middle_name: string?, prefix: string?, suffix: string? }
---@field phones? { phone: string?, type: string?, wa_id: string? }[]  with a wa_id it can be messaged;
---  a phone number in any form that `client:send` takes
---@field emails? { email: string?, type: string? }[]
---@field addresses? { street: string?, city: string?, state: string?, zip: string?, country: string?, country_code: string?, type: string? }[]
---@field urls? { url: string?, type: string? }[]
---@field ims? { service: string?, user_id: string? }[]
---@field org? { company: string?, department: string?, title: string? }
---@field birthday? string  "YYYY-MM-DD"

--- Contact cards, one or more.
---@param cards waba.ContactCard[]
---@return waba.Message
function message.contacts(cards)
  if is_table(cards) and cards.name ~= nil then cards = { cards } end
  return { type = "contacts", contacts = each(cards, contact_card) }
end
-- The rest ---------------------------------------------------------------------------------------

--- A reaction to a message; `emoji = ""` takes it back. Cloud hosting only.
---@param content { message_id: string, emoji: string }
---@return waba.Message
function message.reaction(content)
  return { type = "reaction", reaction = copy(content) }
end

local function pin(kind)
  return function(content)
    content = is_table(content) and copy(content) or { message_id = content }
    content.type = kind
    return { type = "pin", pin = content }
  end
end

--- Pins a message in a group; a group shows three. Cloud hosting, groups only.
---@param content { message_id: string, expiration_days: integer }  1 to 30 days
---@return waba.Message
message.pin = pin "pin"

--- Takes a pinned message down. Cloud hosting, groups only.
---@param content string|{ message_id: string }
---@return waba.Message
message.unpin = pin "unpin"

--- A message of any type, with its content as the platform writes it.
---@param kind string
---@param content any
---@return waba.Message
function message.message(kind, content)
  local result = { type = kind }
  if type(kind) == "string" and kind ~= "type" then result[kind] = copy(content) end
  return result
end

return message
