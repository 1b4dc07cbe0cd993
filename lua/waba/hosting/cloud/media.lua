-- Files on the Cloud gateway: the rules for them (cloud.md, section 3.1), the responses, and the URLs of files.

local values = require "waba.hosting.values"

local text, type = values.some_text, type

local KB, MB = 1024, 1024 * 1024
local OFFICE = "application/vnd.openxmlformats-officedocument."

local media = {}

---@type table<string, waba.MediaRule>
media.kinds = {
  -- Ogg must have the Opus codec; the parameter is optional
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
  -- the limit is 100 KB for a sticker that is not animated
  sticker = { most = 500 * KB, types = { "image/webp" } },
  video = { most = 16 * MB, types = { "video/mp4", "video/3gpp" } },
}

--- The profile's photo.
---@type waba.MediaRule
media.photo = { most = 5 * MB, types = { "image/jpeg", "image/png" } }

--- The rule for the file of a resumable upload. The handle of the upload is used for the example in a template's header
--- and for the profile's photo (cloud.md, section 3.6).
---@type waba.MediaRule
media.example = { most = 100 * MB, types = { "image/jpeg", "image/png", "video/mp4", "application/pdf" } }

--- The largest request that the gateway accepts, and the largest file that a customer can send, in bytes.
media.largest_upload, media.largest_download = 100 * MB, 100 * MB

--- The body of an upload is a form; the file is one of its parts (cloud.md, section 3.2).
media.is_form = true

--- The shortest and the longest time, in minutes, for which the gateway can keep a file. Only for numbers without
--- storage at Meta.
media.ttl_minutes = { 60, 43200 }

--- Returns the id in the response to POST /media.
function media.read_id(json)
  return type(json) == "table" and json.id or nil
end

--- The host in the URLs of files that the platform returns. The gateway serves the same file under the same path as
--- this host.
media.HOST = "lookaside.fbsbx.com"

-- Returns whether a text is a path with a query that every URL parser reads in the same way: without a fragment, a
-- backslash, or white space.
local function is_plain(target)
  if not target:find("^/[%w%-._~:/?@!$&'()*+,;=%%%[%]|]+$") then return false end
  local path = target:match("^[^?]*")
  for part in (path .. "/"):gmatch("([^/]*)/") do
    local plain = part:gsub("%%2[eE]", ".")
    if plain == "." or plain == ".." then return false end
  end
  -- some parsers read "//host" as another host
  return target:sub(2, 2) ~= "/"
end

--- Returns the path and the query of a file at the gateway: those of the platform's URL, unchanged (cloud.md, section
--- 3.4). Returns nil for a URL of any other host.
---@return string|nil target  such as "whatsapp_business/attachments/?mid=…"
function media.target_of(url)
  if type(url) ~= "string" then return nil end
  local prefix = "https://" .. media.HOST
  if url:sub(1, #prefix) ~= prefix then return nil end
  local target = url:sub(#prefix + 1)
  return is_plain(target) and target:sub(2) or nil
end

--- Returns the Unix time at which the URL of a file expires, if the URL contains it.
function media.expiry_of(url)
  return values.integer(url:match("[?&]ext=(%d+)"))
end

--- The description of a file on the platform.
---@class waba.MediaInfo
---@field id string
---@field url string|nil        valid for five minutes; `client.media:download` downloads the file through the gateway
---@field expires_at integer|nil  Unix seconds at which the URL expires
---@field type string|nil       MIME type
---@field size integer|nil      bytes
---@field sha256 string|nil     the digest in hexadecimal digits or base64

--- Reads the response to GET /{media-id} (cloud.md, section 3.3).
function media.read_info(json, id)
  if type(json) ~= "table" then return nil end
  local url = text(json.url)
  return {
    id = text(json.id) or id, url = url, expires_at = url and media.expiry_of(url), type = text(json.mime_type),
    size = values.integer(json.file_size), sha256 = text(json.sha256),
  }
end

return media
