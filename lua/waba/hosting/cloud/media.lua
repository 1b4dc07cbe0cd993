-- Files on the Cloud gateway: which it takes, as data (cloud.md, section 3.1), in which shape
-- they go there, and where they are to be fetched.

local media_rules = require "waba.hosting.media_rules"
local values = require "waba.hosting.values"

local text, type = values.some_text, type

local KB, MB = 1024, 1024 * 1024
local OFFICE = "application/vnd.openxmlformats-officedocument."

local media = {}

---@type table<string, waba.MediaRule>
media.kinds = {
  -- Ogg with the Opus codec only, whether the type says so or not
  audio = { most = 16 * MB, types = { "audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg" } },
  document = {
    most = 100 * MB,
    types = {
      "text/plain", "application/pdf", "application/msword", "application/vnd.ms-excel",
      "application/vnd.ms-powerpoint", OFFICE .. "wordprocessingml.document", OFFICE .. "spreadsheetml.sheet",
      OFFICE .. "presentationml.presentation",
    },
  },
  image = { most = 5 * MB, types = { "image/jpeg", "image/png" } },
  -- 100 KB when it doesn't move
  sticker = { most = 500 * KB, types = { "image/webp" } },
  video = { most = 16 * MB, types = { "video/mp4", "video/3gpp" } },
}

--- The profile's photo.
---@type waba.MediaRule
media.photo = { most = 5 * MB, types = { "image/jpeg", "image/png" } }

--- What a handle may be of: an example in a template's header, or the profile's photo (cloud.md, section 3.6).
---@type waba.MediaRule
media.example = { most = 100 * MB, types = { "image/jpeg", "image/png", "video/mp4", "application/pdf" } }

--- The most that the gateway lets in, and the largest file a customer may send, in bytes.
media.largest_upload, media.largest_download = 100 * MB, 100 * MB

--- Files go as one part of a form (cloud.md, section 3.2).
media.is_form = true

--- Of a number without storage at Meta: how long a file may be kept, in minutes.
media.ttl_minutes = { 60, 43200 }

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

--- Checks a file of which a handle is wanted.
---@param media_type string
---@param size integer    bytes
---@return true|nil
---@return waba.Error? err  of kind "invalid", path "type" or "size"
function media.check_example(media_type, size)
  return media_rules.check(media.example, "a resumable upload", media_type, size)
end

--- The id in the answer to POST /media.
---@param json any
---@return any id
function media.read_id(json)
  return type(json) == "table" and json.id or nil
end

--- The host that the platform names in the URL of a file. The gateway serves it under the same path.
media.HOST = "lookaside.fbsbx.com"

-- What may follow the host: a path and a query as they go over the wire, and nothing that a URL parser
-- on the way might read as something else: no fragment, no backslash, no white space.
local function is_plain(target)
  if not target:find("^/[%w%-._~:/?@!$&'()*+,;=%%%[%]|]+$") then return false end
  local path = target:match("^[^?]*")
  for part in (path .. "/"):gmatch("([^/]*)/") do
    local plain = part:gsub("%%2[eE]", ".")
    if plain == "." or plain == ".." then return false end
  end
  -- "//host" would be another host to some
  return target:sub(2, 2) ~= "/"
end

--- Path and query of a file at the gateway, by the URL that the platform named: byte for byte, and only
--- when the URL is of the one host that the gateway stands for (cloud.md, section 3.4).
---@param url any
---@return string|nil target  as in "whatsapp_business/attachments/?mid=…"
function media.target_of(url)
  if type(url) ~= "string" then return nil end
  local prefix = "https://" .. media.HOST
  if url:sub(1, #prefix) ~= prefix then return nil end
  local target = url:sub(#prefix + 1)
  return is_plain(target) and target:sub(2) or nil
end

--- When the URL of a file expires, in Unix seconds, where it says so itself.
---@param url string
---@return integer|nil
function media.expiry_of(url)
  return values.integer(url:match("[?&]ext=(%d+)"))
end

--- What the platform knows of a file.
---@class waba.MediaInfo
---@field id string
---@field url string|nil        where it is, for five minutes; `client.media:download` fetches it through the gateway
---@field expires_at integer|nil  Unix seconds: the end of the URL's life
---@field type string|nil       MIME type
---@field size integer|nil      bytes
---@field sha256 string|nil     as the platform writes it: hex or base64

--- Reads the answer to GET /{media-id} (cloud.md, section 3.3).
---@param json any
---@param id string
---@return waba.MediaInfo|nil
function media.read_info(json, id)
  if type(json) ~= "table" then return nil end
  local url = text(json.url)
  return {
    id = text(json.id) or id, url = url, expires_at = url and media.expiry_of(url), type = text(json.mime_type),
    size = values.integer(json.file_size), sha256 = text(json.sha256),
  }
end

return media
