-- Creates the request body of an upload from a file, a string or a reader, and determines its size and MIME type.

local core = require "waba.core"
local download = require "waba.resource.media.download"
local ensure = require("waba.coroutines").ensure
local errors = require "waba.errors"
local open_file = require "waba.open"
local form = require "waba.resource.media.form"
local mime = require "waba.resource.media.mime"
local new_file = require "waba.resource.media.new_file"

local upload = {}

--- An opened upload.
---@class waba.UploadSource
---@field body string|table    the body of the request
---@field size integer         bytes
---@field type string          MIME type
---@field temporary? string    the path of a temporary file, which `upload.close` removes
---@field offset? integer       the position of the file in the body, if the body is a form
---@field media_type? string    the type of the body, if it differs from `type`
---@field form? { body: string|table, size: integer }  the form that contains the file

local function file_size(path)
  local file, message = open_file(path, "rb")
  if not file then return nil, errors.invalid("file", "file can't be opened: " .. message) end
  -- a directory can be opened, but not read
  local bytes, read_message = file:read(1)
  local size = bytes and file:seek("end") or 0
  file:close()
  if not bytes and read_message then
    return nil, errors.invalid("file", ("file can't be read: %s: %s"):format(path, read_message))
  end
  return size
end

local function check_chunk(bytes, what)
  if type(bytes) ~= "string" then
    error(("%s: the reader must return a string or nil, not a %s"):format(what, type(bytes)), 0)
  end
end

-- Returns a body with the bytes of a reader. The field `used` of the body prevents a retry, because the reader can't
-- start again.
local function counted(reader, size, what)
  local body, left = { size = size }, size
  function body.reader()
    body.used = true
    local bytes = reader()
    if bytes == nil then
      if left == 0 then return nil end
      error(("%s: the reader returned %.0f bytes less than the size of %.0f"):format(what, left, size), 0)
    end
    check_chunk(bytes, what)
    left = left - #bytes
    -- the transport reads only `size` bytes, so more bytes of the reader are detected here
    local beyond = left == 0 and reader() or ""
    if left < 0 or beyond ~= "" then
      error(("%s: the reader returned more bytes than the size of %.0f"):format(what, size), 0)
    end
    return bytes
  end
  return body
end

local function copy(reader, file, most, what)
  local size = 0
  while size <= most do
    local bytes = reader()
    if bytes == nil then break end
    check_chunk(bytes, what)
    local written, message = file:write(bytes)
    if not written then return nil, message end
    size = size + #bytes
  end
  return size
end

local function store_in_file(reader, most, what)
  local path = os.tmpname()
  core.remove_at_exit(path, true)
  local file, message = open_file(path, "wb")
  local copied, size
  if file then
    copied, size, message = pcall(copy, reader, file, most, what)
    local closed, close_message = file:close()
    if copied and not closed then size, message = nil, close_message end
    if copied and size then return path, size end
  end
  new_file.discard(path)
  if file and not copied then error(size, 0) end
  return nil, errors.invalid("reader", "the bytes of reader can't be stored in a temporary file: " .. tostring(message))
end

local function only_source(options, what, level)
  local found
  for _, name in ipairs { "file", "data", "reader" } do
    if options[name] ~= nil then
      if found then error(("%s: options %s and %s can't be combined"):format(what, found, name), level) end
      found = name
    end
  end
  if not found then error(what .. ": one of the options file, data and reader is required", level) end
  return found
end

local function media_type(options, sniff)
  local found = options.type
  if found then
    if not mime.parse(found) or not core.check_header("Content-Type", found) then
      return nil, errors.invalid("type", "type is not a MIME type: expected one such as image/jpeg")
    end
    return found
  end
  found = options.file and mime.of_name(options.file) or sniff and options.data and mime.of_image(options.data)
  if found then return found end
  return nil, errors.invalid("type", options.file
    and "type is missing, and the name of the file does not show it: expected a MIME type such as application/pdf"
    or "type is missing: bytes without a file's name need a MIME type, such as application/pdf")
end

local function size_and_body(options, name, most, what, again, level)
  if name == "data" then return #options.data, options.data end
  if name == "file" then
    local size, err = file_size(options.file)
    return size, size and { file = options.file } or err
  end
  if options.size and not again then
    if options.size < 0 then error(what .. ": option size must be 0 or more, not " .. options.size, level) end
    return options.size, counted(options.reader, options.size, what)
  end
  local path, size = store_in_file(options.reader, most, what)
  if not path then return nil, size end
  return size, { file = path }, path
end

---@param options { file: string?, data: string?, reader: (fun(): string|nil)?, type: string?, size: integer? }
---@param what string      the name of the public method, for errors
---@param most integer     the number of bytes after which a reader without a size is no longer read
---@param sniff? boolean   true: the first bytes of `data` determine its type
---@param again? boolean   true: the upload may send parts again, so the bytes of a reader are stored in a file
---@param level? integer   the level that the calling function would pass to `error`; default: 2
---@return waba.UploadSource|nil
---@return waba.Error? err  kind "invalid"
function upload.open(options, what, most, sniff, again, level)
  level = (level or 2) + 2
  local name = only_source(options, what, level)
  local found, err = media_type(options, sniff)
  if not found then return nil, err end
  local size, body, temporary = size_and_body(options, name, most, what, again, level)
  if not size then return nil, body end
  if options.size and options.size ~= size then
    return nil, errors.invalid("size", ("size is %.0f bytes, but %s has %.0f bytes"):format(options.size, name, size))
  end
  return { body = body, size = size, type = found, temporary = temporary }
end

function upload.close(source)
  form.close(source)
  if source.temporary then new_file.discard(source.temporary) end
end

-- Returns a progress function that counts only the bytes of the file, without the bytes of the form around the file.
local function of_file(report, source)
  if not report then return nil end
  local offset, size = source.offset or 0, source.size
  return function(sent) report(math.max(0, math.min(size, sent - offset)), size) end
end

--- Sends an opened upload to an endpoint, and closes the upload.
---@param client waba.Client
---@param endpoint string  the name of the endpoint
---@param source waba.UploadSource
---@param options { progress: (fun(sent: integer, total: integer))?, timeout: number? }
function upload.send(client, endpoint, source, options)
  local report, complete = download.track_progress(options.progress)
  local json, response = ensure(upload.close, source, client.call, client, endpoint, {
    body = source.body, media_type = source.media_type or source.type,
    timeout = options.timeout or client.timeout * download.PATIENCE, progress = of_file(report, source),
  })
  local message = form.close(source)
  if json ~= nil then
    complete(source.size)
  elseif message then
    return nil, errors.invalid("file", ("file can't be read: %s: %s"):format(options.file or source.temporary, message))
  end
  return json, response
end

return upload
