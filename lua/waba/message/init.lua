-- Builders of messages: one function per message type. Each builder returns a plain table in the platform's form, which
-- is the same for both hostings. A builder never fails: schema.lua later reports invalid values with their path. A
-- builder does not change its arguments.

local parts = require "waba.message.parts"
local runtime = require "waba.runtime"

local copy, is_table, wire_number, with_strings = parts.copy, parts.is_table, parts.wire_number, parts.with_strings

local message = {}

-- The builders in other modules. A module is loaded when one of its builders is first used.
local MODULES = {
  contacts = { "contacts" },
  interactive = { "buttons", "list", "product", "product_list", "catalog", "carousel", "product_carousel" },
  orders = { "order_details", "order_status" },
  requests = {
    "cta_url", "flow", "location_request", "address", "request_contact_info", "voice_call", "call_permission",
  },
  template = { "template", "currency", "date_time", "hsm" },
}

local module_of = {} -- the name of the module of each builder
for module, names in pairs(MODULES) do
  for _, name in ipairs(names) do module_of[name] = "waba.message." .. module end
end

setmetatable(message, {
  modules = module_of,
  __index = function(_, name)
    if not module_of[name] then return nil end
    message[name] = runtime.require(module_of[name]).builders[name]
    return message[name]
  end,
})

---@class waba.Message
---@field type string  the platform's name: "text", "image", "template", "interactive", …
---@field category? string  Cloud hosting, only for Direct Send: "utility" or "authentication"; see the option `category`
---  of `client:send`
---@field [string] any  the content, in a field whose name is the type

local function media(kind)
  return function(content)
    return { type = kind, [kind] = with_strings(content, "id") }
  end
end

--- A text. WhatsApp's markup works in the text: `*bold*`, `_italic_`, `~struck~`.
---@param content string|{ body: string, preview_url: boolean? }  body: 1 to 4096 characters; preview_url: true shows
---  a preview of the first link, false by default
---@return waba.Message
function message.text(content)
  if type(content) == "table" then return { type = "text", text = copy(content) } end
  return { type = "text", text = { body = content } }
end

---@class waba.MediaContent
---@field id? string        the id from `client.media:upload`; either `id` or `link` is required
---@field link? string      instead of `id`: the public URL from which the platform fetches the file
---@field caption? string   at most 1024 characters; not for audio and stickers
---@field filename? string  documents only; the extension of the name determines the icon
---@field provider? { name: string }  On-Premise, with `link`: the name of credentials that are stored at the gateway

--- An image: JPEG or PNG, at most 5 MB. The library does not check the file. The platform reports an invalid file
--- later, in a status.
---@param content waba.MediaContent
---@return waba.Message
message.image = media("image")

--- A video: MP4 or 3GPP with H.264 and AAC, at most 16 MB. A later status reports an invalid file.
---@param content waba.MediaContent
---@return waba.Message
message.video = media("video")

--- An audio file of at most 16 MB. A later status reports an invalid file.
---@param content waba.MediaContent|{ voice: boolean? }  without caption; voice: true sends a voice note, as `waba.voice`
---        does
---@return waba.Message
message.audio = media("audio")

--- A voice note, for Cloud hosting only. The file must be OGG with Opus and one channel. If the file is larger than
--- 512 KB, WhatsApp shows a download icon instead of a play icon. On On-Premise hosting, WhatsApp shows every
--- `waba.audio` in OGG with Opus as a voice note.
---@param content waba.MediaContent  without caption
---@return waba.Message
function message.voice(content)
  local result = message.audio(content)
  if is_table(result.audio) and result.audio.voice == nil then result.audio.voice = true end
  return result
end

--- A document of at most 100 MB, or 64 MB if it is uploaded on On-Premise hosting. A later status reports an invalid
--- file.
---@param content waba.MediaContent
---@return waba.Message
message.document = media("document")

--- A sticker: WebP, 512 x 512 pixels, at most 100 KB; not animated on On-Premise hosting. A later status reports an
--- invalid file.
---@param content waba.MediaContent  without caption
---@return waba.Message
message.sticker = media("sticker")

--- A place. WhatsApp shows the address only together with a name.
---@param content { latitude: number, longitude: number, name: string?, address: string? }
---@return waba.Message
function message.location(content)
  content = copy(content)
  if is_table(content) then
    content.latitude, content.longitude = wire_number(content.latitude), wire_number(content.longitude)
  end
  return { type = "location", location = content }
end

--- A reaction to a message; `emoji = ""` removes the reaction. Cloud hosting only.
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

--- Pins a message in a group (Cloud hosting only). A group shows up to three pinned messages.
---@param content { message_id: string, expiration_days: integer }  1 to 30 days
---@return waba.Message
message.pin = pin "pin"

--- Unpins a message in a group (Cloud hosting only).
---@param content string|{ message_id: string }
---@return waba.Message
message.unpin = pin "unpin"

--- Creates a message of any type; the content has the platform's form.
---@param kind string
---@param content any
---@return waba.Message
function message.message(kind, content)
  local result = { type = kind }
  if type(kind) == "string" and kind ~= "type" then result[kind] = copy(content) end
  return result
end

return message
