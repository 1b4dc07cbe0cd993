-- What the On-Premise gateway takes as a file: sizes and MIME types, as data (reference, sections 5.4
-- and 8), and the check of an upload against them.

local errors = require "waba.errors"
local mime = require "waba.mime"

local KB, MB = 1024, 1024 * 1024

local media = {}

--- What one kind of message takes.
---@class waba.MediaRule
---@field most integer      bytes
---@field types? string[]   MIME types; any when not said

---@type table<string, waba.MediaRule>
media.kinds = {
  audio = { most = 16 * MB, types = { "audio/aac", "audio/mp4", "audio/amr", "audio/mpeg", "audio/ogg; codecs=opus" } },
  document = { most = 64 * MB },
  image = { most = 5 * MB, types = { "image/jpeg", "image/png" } },
  sticker = { most = 100 * KB, types = { "image/webp" } },
  video = { most = 16 * MB, types = { "video/mp4", "video/3gpp" } },
}

-- In which order a kind is looked for when none is named.
local ORDER = { "audio", "image", "sticker", "video" }

--- The profile's photo.
---@type waba.MediaRule
media.photo = { most = 5 * MB, types = { "image/jpeg", "image/png" } }

--- The most that the gateway lets in, and the largest file a customer may send, in bytes.
media.largest_upload, media.largest_download = 64 * MB, 100 * MB

-- 5 MB, 100 KB, 12.3 MB
local function size_text(bytes)
  if bytes < KB then return bytes .. " bytes" end
  local unit, name = KB, "KB"
  if bytes >= MB then unit, name = MB, "MB" end
  local number = ("%.2f"):format(bytes / unit):gsub("%.?0+$", "")
  -- one byte too much must not look like the limit itself
  if bytes % unit ~= 0 and not number:find(".", 1, true) then return ("%.0f bytes"):format(bytes) end
  return number .. " " .. name
end

local function matches(given, parameters, allowed)
  local essence, wanted = mime.parse(allowed)
  if given ~= essence then return false end
  for name, value in pairs(wanted) do
    if (parameters[name] or ""):lower() ~= value then return false end
  end
  return true
end

local function takes(rule, essence, parameters)
  if not rule.types then return true end
  for _, allowed in ipairs(rule.types) do
    if matches(essence, parameters, allowed) then return true end
  end
  return false
end

-- The kind of message a file of this type is for, when nobody says it: a document when nothing else.
local function kind_of(essence, parameters)
  for _, kind in ipairs(ORDER) do
    if takes(media.kinds[kind], essence, parameters) then return kind end
  end
  return "document"
end

-- Checks a file against one rule.
local function check(rule, what, media_type, essence, parameters, size)
  if not takes(rule, essence, parameters) then
    local allowed = table.concat(rule.types, ", ")
    return nil, errors.invalid("type", ("type is %s; %s takes %s"):format(media_type, what, allowed))
  end
  if size > rule.most then
    return nil, errors.invalid("size", ("size is %s; %s takes at most %s"):format(
      size_text(size), what, size_text(rule.most)))
  end
  return true
end

--- Checks a file before it is uploaded.
---@param media_type string
---@param size integer    bytes
---@param kind? string    the kind of message it is for; found by the type when not given
---@return true|nil
---@return waba.Error? err  of kind "invalid", path "type" or "size"
function media.check_upload(media_type, size, kind)
  local essence, parameters = mime.parse(media_type)
  if essence == "audio/ogg" and not kind and (parameters.codecs or ""):lower() ~= "opus" then
    return nil, errors.invalid("type",
      "type is audio/ogg; WhatsApp takes it with the Opus codec only: say audio/ogg; codecs=opus")
  end
  if size == 0 then return nil, errors.invalid("size", "size is 0 bytes; an empty file can't be sent") end
  local found = kind or kind_of(essence, parameters)
  local what = "a message of type " .. found
  local valid, err = check(media.kinds[found], what, media_type, essence, parameters, size)
  if valid then return true end
  if not kind and found ~= "document" and size <= media.largest_upload then
    err.message = err.message .. ' (say as = "document" when it is to be sent as one)'
  end
  return nil, err
end

--- Checks an image before it becomes the profile's photo.
---@param media_type string
---@param size integer    bytes
---@return true|nil
---@return waba.Error? err  of kind "invalid", path "type" or "size"
function media.check_photo(media_type, size)
  local essence, parameters = mime.parse(media_type)
  if size == 0 then return nil, errors.invalid("size", "size is 0 bytes; an empty file is no photo") end
  return check(media.photo, "the photo", media_type, essence, parameters, size)
end

return media
