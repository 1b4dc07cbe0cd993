-- Files on Cloud hosting: rules (cloud.md, section 3.1), responses, and URLs of files.

local values = require "waba.hosting.values"

local text, type = values.some_text, type

local KB, MB = 1024, 1024 * 1024
local OFFICE = "application/vnd.openxmlformats-officedocument."

local media = {}

---@type table<string, waba.MediaRule>
media.kinds = {
  -- audio/ogg must have the Opus codec
  audio = { most = 16 * MB, types = { "audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg" } },
  document = { most = 100 * MB, types = {
    "text/plain", "application/pdf", "application/msword", "application/vnd.ms-excel",
    "application/vnd.ms-powerpoint", OFFICE .. "wordprocessingml.document", OFFICE .. "spreadsheetml.sheet",
    OFFICE .. "presentationml.presentation",
  } },
  image = { most = 5 * MB, types = { "image/jpeg", "image/png" } },
  -- a sticker that is not animated has at most 100 KB
  sticker = { most = 500 * KB, types = { "image/webp" } },
  video = { most = 16 * MB, types = { "video/mp4", "video/3gpp" } },
}

media.photo = { most = 5 * MB, types = { "image/jpeg", "image/png" } }

--- The rule of resumable uploads. The result of a resumable upload is a handle, which examples in templates and the
--- photo of a profile require (cloud.md, section 3.6).
media.example = { most = 100 * MB, types = { "image/jpeg", "image/png", "video/mp4", "application/pdf" } }

--- The largest request to the gateway, and the largest file from a customer, in bytes.
media.largest_upload, media.largest_download = 100 * MB, 100 * MB

--- The body of an upload is a multipart form, and one part is the file (cloud.md, section 3.2).
media.is_form = true

--- The shortest and the longest time in minutes for which the gateway keeps a file. The time can be set only for a
--- phone number whose files Meta does not store.
media.ttl_minutes = { 60, 43200 }

--- The host in the platform's URLs of files. The gateway serves each file at the path that the file has on this host.
media.HOST = "lookaside.fbsbx.com"

-- Returns whether all parsers of URLs read a path and query in the same way. There must be no fragment, no backslash,
-- no white space, and no "." or ".." in the path.
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

--- Returns the path and the query in the platform's URL of a file, such as "whatsapp_business/attachments/?mid=…". The
--- gateway serves the file at the same path and query (cloud.md, section 3.4). Returns nil for a URL of another host.
function media.target_of(url)
  if type(url) ~= "string" then return nil end
  local prefix = "https://" .. media.HOST
  if url:sub(1, #prefix) ~= prefix then return nil end
  local target = url:sub(#prefix + 1)
  return is_plain(target) and target:sub(2) or nil
end

--- Returns the Unix time at which the URL of a file expires; nil if the URL does not contain the time.
function media.expiry_of(url) return values.integer(url:match("[?&]ext=(%d+)")) end

--- The platform's description of a file.
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
