-- Uploads, downloads and deletes the files of messages (media).

local errors = require "waba.errors"
local option = require "waba.option"
local values = require "waba.hosting.values"
local hosting = require "waba.hosting"
local outcome = require "waba.resource.outcome"
local download = require "waba.resource.media.download"
local by_url = require "waba.resource.media.download_by_url"
local form = require "waba.resource.media.form"
local resumable = require "waba.resource.media.resumable"
local rules = require "waba.resource.media.rules"
local upload = require "waba.resource.media.upload"

---@class waba.MediaResource
local Media = {}

function Media:__init()
  self.rules = hosting.part(self.client.hosting, "media")
  self.error_block = by_url.new_block()
end

--- The file to upload.
---@options waba.UploadOptions
local UPLOAD_OPTIONS = {
  file = "string",         -- path of a file
  data = "string",         -- instead of `file`: the bytes of the file
  reader = "fun(): string|nil", -- instead of `file` and `data`: returns the next bytes of the file; nil at the end
  type = "string",         -- MIME type; required if the name of the file does not show the type
  size = "integer",        -- bytes that the reader returns in total; if `size` is missing, the bytes are first stored
                           -- in a temporary file, because the gateway requires the length
  as = '"audio"|"document"|"image"|"sticker"|"video"', -- the type of message whose limits apply to the file; default:
                           -- by the MIME type. With `as = "document"`, a video may be larger than 16 MB
  filename = "string",     -- Cloud hosting: the name in the upload form; default: the name of the file. Customers see
                           -- only the `filename` of a message
  ttl_minutes = "integer", -- Cloud hosting, numbers with the No-Storage feature: minutes to keep the file, 60 to 43200
  progress = "fun(sent: integer, total: integer)", -- called while bytes are sent
  timeout = "number",      -- seconds; default: ten times the client's `timeout`
}

--- An uploaded file.
---@class waba.Media
---@field id string

local function read_uploaded(id)
  id = values.some_text(id)
  return id and { id = id }
end

local function check_kind(self, kind)
  local kinds = self.rules.kinds
  if kind == nil or kinds[kind] then return end
  error(("client.media:upload: option as: unknown type of message %s%s; expected audio, document, image, sticker or "
    .. "video"):format(kind, option.suggestion(kind, kinds)), 3)
end

local function wrap_in_form(source, options)
  local fields = { { "messaging_product", "whatsapp" }, { "type", source.type } }
  if options.ttl_minutes then fields[3] = { "ttl_minutes", ("%.0f"):format(options.ttl_minutes) } end
  form.wrap(source, fields, options.filename or options.file and options.file:match("[^/\\]*$") or "file")
end

local function check_ttl(self, minutes)
  local range = self.rules.ttl_minutes
  if minutes == nil then return nil end
  if not range then
    return errors.invalid("ttl_minutes", "ttl_minutes exists on Cloud hosting only: leave it out")
  end
  if not self.client.validate or minutes >= range[1] and minutes <= range[2] then return nil end
  return errors.invalid("ttl_minutes",
    ("ttl_minutes is %.0f: expected %d to %d"):format(minutes, range[1], range[2]))
end

local function open(self, options, what, check, again)
  local validate = self.client.validate
  local source, err = upload.open(options, what, validate and self.rules.largest_upload or math.huge, false, again, 3)
  if not source or not validate then return source, err end
  local failure = check(source.type, source.size)
  if not failure then return source end
  upload.close(source)
  return nil, failure
end

--- Uploads a file: POST /v1/media (Cloud: POST /media). The gateway keeps the file for 14 days (Cloud: 30). Checks the
--- MIME type and the size first, but not the content of the file. The largest sizes are: images 5 MB, audio and video
--- 16 MB, stickers 100 KB (Cloud: 500 KB), documents 64 MB (Cloud: 100 MB, and only some types).
---@param options waba.UploadOptions
---@return waba.Media|nil uploaded
---@return waba.Error? err  kind "invalid" with path "file", "type" or "size": nothing was sent
function Media:upload(options)
  options = option.check(options, UPLOAD_OPTIONS, "client.media:upload")
  check_kind(self, options.as)
  local err = check_ttl(self, options.ttl_minutes)
  if err then return nil, err end
  local source, failure = open(self, options, "client.media:upload", function(media_type, size)
    return rules.check_upload(self.rules, media_type, size, options.as)
  end)
  if not source then return nil, failure end
  if self.rules.is_form then wrap_in_form(source, options) end
  return outcome.read(self.client.hosting.endpoints.upload_media, read_uploaded,
    "the response has no id of the file: expected a string or a number", nil,
    upload.send(self.client, "upload_media", source, options))
end

--- Uploads a file and returns a handle, for the example in a template's header or the profile's photo: POST /uploads,
--- then POST /upload:… (Cloud hosting only). If a request fails, sends only the bytes that the gateway has not
--- received.
---@param options waba.ResumableOptions
---@return string|nil handle
---@return waba.Error? err  if the upload can continue, its field `upload` is the value for the option `upload`
function Media:resumable(options)
  option.check(options, resumable.OPTIONS, "client.media:resumable")
  if options == nil then error("client.media:resumable: one of the options file, data and reader is required", 2) end
  local endpoint, err = hosting.endpoint(self.client.hosting, "open_upload")
  if not endpoint then return nil, err end
  local source, failure = open(self, options, "client.media:resumable", function(media_type, size)
    return rules.check(self.rules.example, "a resumable upload", media_type, size)
  end, true)
  if not source then return nil, failure end
  return resumable.send(self.client, source, options)
end

local function check_id(id, what)
  if type(id) ~= "string" or id == "" then error(what .. ": the media id must be a string that is not empty", 3) end
end

--- Downloads a file that a customer has sent or a program has uploaded: GET /v1/media/{id} (Cloud: GET /{media-id},
--- then the file from its URL). The response has the type of the file, but not its name.
---@param id string  the id in a message event or in the result of an upload
---@param options? waba.DownloadOptions
---@return waba.Download|nil
---@return waba.Error? err  kind "media" if the SHA-256 digest of the file is not the expected one; "not_found" for an
---                         unknown or expired id; on Cloud hosting "rate_limited" after many unknown or expired ids
function Media:download(id, options)
  check_id(id, "client.media:download")
  options = option.check(options, download.OPTIONS, "client.media:download")
  local client, destination = self.client, download.destination(options, "client.media:download")
  if self.rules.target_of then return by_url.fetch(self, id, options, destination) end
  if options.url then
    return nil, errors.invalid("url", "url exists on Cloud hosting only: on On-Premise hosting the id is enough")
  end
  return download.fetch(client, "download_media", {
    parameters = { id = id }, timeout = options.timeout or client.timeout * download.PATIENCE,
    max_size = self.rules.largest_download,
  }, options, destination)
end

--- Returns the description of a file: GET /{media-id} (Cloud hosting only).
---@param id string
---@return waba.MediaInfo|nil
---@return waba.Error? err
function Media:info(id)
  check_id(id, "client.media:info")
  local endpoint, err = hosting.endpoint(self.client.hosting, "get_media")
  if not endpoint then return nil, err end
  return by_url.info(self, id)
end

--- Deletes a file at the gateway: DELETE /v1/media/{id} (Cloud: DELETE /{media-id}).
---@param id string
---@return true|nil
---@return waba.Error? err
function Media:delete(id)
  check_id(id, "client.media:delete")
  return outcome.success(self.client:call("delete_media", { parameters = { id = id } }))
end

return Media
