-- The files of messages: POST, GET and DELETE /v1/media. Neither way holds a file in memory unless it
-- is asked to.

local errors = require "waba.errors"
local options = require "waba.options"
local upload = require "waba.resource.upload"
local download = require "waba.resource.download"

---@class waba.MediaResource
local Media = {}
Media.__index = Media
Media.__name = "waba.MediaResource"

local media = {}

---@param client waba.Client
function media.new(client)
  return setmetatable({ client = client, rules = require("waba.hosting." .. client.hosting.name .. ".media") }, Media)
end

--- What is uploaded.
---@class waba.UploadOptions
---@field file? string      path of a file
---@field data? string      or its bytes
---@field reader? fun(): string|nil  or a function that gives them piece by piece, then nil
---@field type? string      MIME type; needed unless the file's name tells it
---@field size? integer     bytes a reader will give; when it isn't said, they are gathered in a temporary
---                         file first, for the gateway takes no stream of unknown length
---@field as? "audio"|"document"|"image"|"sticker"|"video"  the type of the message it is for: its limits
---                         hold; by default the type's own, so a video has at most 16 MB unless `as = "document"`
---@field progress? fun(sent: integer, total: integer)
---@field timeout? number   seconds; ten times the client's by default
local KNOWN_UPLOAD = {
  file = "string", data = "string", reader = "function", type = "string", size = "integer", as = "string",
  progress = "function", timeout = "number",
}

--- A file that messages can name by its id.
---@class waba.Media
---@field id string

local function check_kind(self, kind)
  local kinds = self.rules.kinds
  if kind == nil or kinds[kind] then return end
  local near = options.nearest(kind, kinds)
  error(("client.media:upload: option as: unknown type of message %s%s"):format(kind,
    near and (" (did you mean %s?)"):format(near) or ""), 3)
end

local function read_id(json, response)
  local first = type(json) == "table" and type(json.media) == "table" and json.media[1]
  local id = type(first) == "table" and first.id
  if type(id) == "string" and id ~= "" or type(id) == "number" then return { id = tostring(id) } end
  return nil, errors.new {
    kind = "protocol", status = response.status, maybe_sent = true,
    message = "the gateway took the file but gave no id",
  }
end

--- Uploads a file: POST /v1/media. The gateway keeps it for 14 days. Sizes and types are checked first
--- (at most 64 MB; images 5 MB, audio and video 16 MB, stickers 100 KB, documents of any type); what
--- the file really holds only WhatsApp will see.
---@param given waba.UploadOptions
---@return waba.Media|nil uploaded
---@return waba.Error? err  any kind; "invalid" with path "file", "type" or "size" before anything is sent
function Media:upload(given)
  options.check(given, KNOWN_UPLOAD, "client.media:upload")
  if given == nil then error("client.media:upload: one of the options file, data and reader is required", 2) end
  check_kind(self, given.as)
  local client = self.client
  local most = client.validate and self.rules.largest_upload or math.huge
  local source, err = upload.open(given, "client.media:upload", most)
  if not source then return nil, err end
  if client.validate then
    local fine
    fine, err = self.rules.check_upload(source.type, source.size, given.as)
    if not fine then
      upload.close(source)
      return nil, err
    end
  end
  local json, response = upload.send(client, client.hosting.endpoints.upload_media, source, given)
  if json == nil then return nil, response end
  return read_id(json, response)
end

local function check_id(id, what)
  if type(id) ~= "string" or id == "" then error(what .. ": the media's id is needed, a string", 3) end
end

--- Downloads a file, a customer's or one that was uploaded: GET /v1/media/{id}. The type of the answer
--- tells what it is; the gateway names no file.
---@param id string  from a message event or an upload
---@param given? waba.DownloadOptions
---@return waba.Download|nil
---@return waba.Error? err  kind "media" when `sha256` was given and is another; "not_found" for an id
---                         that is unknown or expired
function Media:download(id, given)
  check_id(id, "client.media:download")
  given = options.check(given, download.KNOWN, "client.media:download")
  local client = self.client
  local way = download.way(given, "client.media:download")
  return download.fetch(client, client.hosting.endpoints.download_media, {
    parameters = { id = id }, timeout = given.timeout or client.timeout * download.PATIENCE,
    max_body = self.rules.largest_download,
  }, given, way)
end

--- Deletes a file at the gateway: DELETE /v1/media/{id}.
---@param id string
---@return true|nil
---@return waba.Error? err
function Media:delete(id)
  check_id(id, "client.media:delete")
  local client = self.client
  local json, err = client:call(client.hosting.endpoints.delete_media, { parameters = { id = id } })
  if json == nil then return nil, err end
  return true
end

return media
