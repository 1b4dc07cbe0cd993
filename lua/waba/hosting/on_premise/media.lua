-- Files on the On-Premise gateway: which it takes, as data (on-premise.md, sections 5.4 and 8), and in which
-- shape they go there.

local media_rules = require "waba.hosting.media_rules"

local KB, MB = 1024, 1024 * 1024

local media = {}

---@type table<string, waba.MediaRule>
media.kinds = {
  audio = { most = 16 * MB, types = { "audio/aac", "audio/mp4", "audio/amr", "audio/mpeg", "audio/ogg; codecs=opus" } },
  document = { most = 64 * MB },
  image = { most = 5 * MB, types = { "image/jpeg", "image/png" } },
  sticker = { most = 100 * KB, types = { "image/webp" } },
  video = { most = 16 * MB, types = { "video/mp4", "video/3gpp" } },
}

--- The profile's photo.
---@type waba.MediaRule
media.photo = { most = 5 * MB, types = { "image/jpeg", "image/png" } }

--- The most that the gateway lets in, and the largest file a customer may send, in bytes.
media.largest_upload, media.largest_download = 64 * MB, 100 * MB

--- Checks a file before it is uploaded.
---@param media_type string
---@param size integer    bytes
---@param kind? string    the kind of message it is for; found by the type when not given
---@return true|nil
---@return waba.Error? err  of kind "invalid", path "type" or "size"
function media.check_upload(media_type, size, kind)
  return media_rules.check_upload(media, media_type, size, kind)
end

--- Checks an image before it becomes the profile's photo.
---@param media_type string
---@param size integer    bytes
---@return true|nil
---@return waba.Error? err  of kind "invalid", path "type" or "size"
function media.check_photo(media_type, size)
  return media_rules.check(media.photo, "the photo", media_type, size)
end

--- The id in the answer to POST /v1/media (on-premise.md, section 5.1).
---@param json any
---@return any id
function media.read_id(json)
  local first = type(json) == "table" and type(json.media) == "table" and json.media[1]
  return type(first) == "table" and first.id or nil
end

return media
