-- Methods of client.profile for the photo in the phone number's profile.

local core = require "waba.core"
local outcome = require "waba.resource.outcome"
local errors = require "waba.errors"
local mime = require "waba.resource.media.mime"
local option = require "waba.option"
local version = require "waba.version"
local digest = require "waba.resource.media.digest"
local download = require "waba.resource.media.download"
local new_file = require "waba.resource.media.new_file"
local media_rules = require "waba.resource.media.rules"
local resumable = require "waba.resource.media.resumable"
local upload = require "waba.resource.media.upload"
local values = require "waba.hosting.values"

local photo = {}

--- The options of `client.profile:photo`.
---@options waba.PhotoOptions
local GET_OPTIONS = {
  link = "boolean",            -- true: returns only the URL of a small picture
  file = "string",             -- path of the file to write
  sink = "fun(bytes: string)", -- receives the bytes; without file and sink, the bytes are returned
  timeout = "number",          -- seconds; default: ten times the client's `timeout`
}

--- The photo to set.
---@options waba.SetPhotoOptions
local SET_OPTIONS = {
  file = "string",    -- path of a file: JPEG or PNG, at most 5 MB
  data = "string",    -- instead of `file`: the bytes of the file
  type = "string",    -- MIME type; default: determined by the file's name or the first bytes
  progress = "fun(sent: integer, total: integer)", -- called while bytes are sent
  timeout = "number", -- seconds; default: ten times the client's `timeout`
}

local ABSENT = "the phone number has no profile photo"

local function find_link(self)
  return outcome.fetch(self.client, "get_photo_link", nil, values.some_text, ABSENT, "not_found")
end

-- The endpoint of a request to the photo's URL. The field `path` has the text that `on_event` gets instead of the URL.
local LINKED = { method = "GET", path = "(the photo's address)", binary = true, is_external = true }

-- Fetches the photo without the API key, because the host of its URL is not the gateway.
local function fetch_linked(self, timeout)
  local link, err = find_link(self)
  if not link then return nil, err end
  local origin, message = core.origin(link)
  if not origin then
    return nil, errors.new { kind = "protocol", message = "the gateway's URL of the photo is invalid: " .. message }
  end
  local client = self.client
  local head = {
    method = "GET", url = link, idempotent = true, owner = client,
    headers = { Accept = "image/*", ["User-Agent"] = "waba/" .. version },
  }
  local call = { head = head, connect_timeout = client.connect_timeout }
  local response, failure = client.delivery:call(call, LINKED, timeout)
  if response then return response end
  local status = failure.status
  if not status or status < 400 or status >= 500 or failure.kind == "rate_limited" then return nil, failure end
  -- an error of the photo's host does not mean that the key is invalid
  return nil, errors.new {
    kind = "not_found", status = status, message = "the photo was not found at the URL that the gateway has returned",
  }
end

local function fetch(self, timeout)
  local client = self.client
  timeout = timeout or client.timeout * download.PATIENCE
  if client.hosting.endpoints.get_photo.unsupported then return fetch_linked(self, timeout) end
  local json, response = client:call("get_photo", { timeout = timeout })
  if json == nil then return nil, response end
  return response
end

-- Accepts a photo as bytes and in base64: the platform documents base64, but sends bytes.
local function decode_photo(bytes)
  local found = mime.of_image(bytes)
  if found then return bytes, found end
  local decoded = digest.from_base64((bytes:gsub("^%s*data:[^,]*,", "")))
  found = decoded and mime.of_image(decoded)
  if found then return decoded, found end
  return bytes
end

--- Returns the photo: GET /v1/settings/profile/photo. On Cloud hosting, downloads the photo from the URL in the
--- response to GET /whatsapp_business_profile, without the API key.
---@param options? waba.PhotoOptions
---@return waba.Download|{ link: string }|nil  with the option `link`: a table with the URL in `link`
---@return waba.Error? err  kind "not_found" if there is no photo
function photo:get(options)
  options = option.check(options, GET_OPTIONS, "client.profile:photo")
  local destination = download.destination(options, "client.profile:photo")
  if options.link then
    if destination ~= "memory" then
      error("client.profile:photo: option link can't be combined with option " .. destination, 2)
    end
    local link, err = find_link(self)
    return link and { link = link }, err
  end
  local response, failure = fetch(self, options.timeout)
  if not response then return nil, failure end
  local media_type = response.headers["content-type"] or ""
  local bytes, found = decode_photo(response.body)
  if not found and (bytes == "" or media_type:find "json") then
    return nil, errors.new { kind = "not_found", status = response.status, message = ABSENT }
  end
  local sha256 = digest.of(bytes, download.pause_of(self.client))
  local result = { type = found or media_type, size = #bytes, sha256 = sha256 }
  if destination == "sink" then
    options.sink(bytes)
  elseif destination == "file" then
    local written, err = new_file.write(options.file, bytes)
    if not written then return nil, err end
    result.file = options.file
  else
    result.data = bytes
  end
  return result
end

--- Sets the photo: POST /v1/settings/profile/photo; on Cloud hosting a resumable upload, then POST
--- /whatsapp_business_profile. The gateway crops the photo to a square of at most 640 by 640 pixels. The gateway may
--- refuse a photo whose width or height is less than 192 pixels.
---@param options waba.SetPhotoOptions
---@return true|nil
---@return waba.Error? err
function photo:set(options)
  option.check(options, SET_OPTIONS, "client.profile:set_photo")
  if not options or not (options.file or options.data) then
    error("client.profile:set_photo: one of the options file and data is required", 2)
  end
  local client = self.client
  local source, err = upload.open(options, "client.profile:set_photo", math.huge, true)
  if not source then return nil, err end
  err = client.validate and media_rules.check(self.media.photo, "the photo", source.type, source.size)
  if err then return nil, err end
  if not self.forms.encode_photo then return outcome.success(upload.send(client, "set_photo", source, options)) end
  local handle, failure = resumable.send(client, source, options)
  if not handle then return nil, failure end
  return outcome.success(client:call("set_photo", {
    json = self.forms.encode_photo(handle), timeout = options.timeout,
  }))
end

return photo
