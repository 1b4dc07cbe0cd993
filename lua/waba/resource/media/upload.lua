-- The bytes of an upload: from a file, a string or a reader, never the whole file in memory. Gives
-- what the transport takes as a body, with its size and its MIME type.

local core = require "waba.core"
local ensure = require("waba.runtime").ensure
local errors = require "waba.errors"
local open_file = require "waba.open"
local form = require "waba.resource.media.form"
local mime = require "waba.mime"
local progress = require "waba.resource.media.progress"

local upload = {}

--- A file takes longer than a message: so many times the client's timeout by default.
upload.PATIENCE = 10

--- Bytes that are ready to go.
---@class waba.UploadSource
---@field body string|table    as the transport takes it
---@field size integer         bytes
---@field type string          MIME type
---@field temporary? string    a file to remove afterwards
---@field offset? integer       bytes of the body that stand before the file, where it is part of a form
---@field media_type? string    of the whole body, where that is another one
---@field form? { body: string|table, size: integer }  the file that is in the form

-- Length of a file that can be read.
local function file_size(path)
  local file, message = open_file(path, "rb")
  if not file then return nil, errors.invalid("file", "file can't be opened: " .. message) end
  -- a directory opens, but does not read
  local bytes, fault = file:read(1)
  local size = bytes and file:seek("end") or 0
  file:close()
  if not bytes and fault then return nil, errors.invalid("file", ("file can't be read: %s: %s"):format(path, fault)) end
  return size
end

local function check_chunk(bytes, what)
  if type(bytes) ~= "string" then
    error(("%s: the reader must return a string or nil, not a %s"):format(what, type(bytes)), 0)
  end
end

-- A reader that gives exactly what was promised, and says so to the delivery once it was read from:
-- it can't start again.
local function counted(reader, size, what)
  local body, left = { size = size }, size
  function body.reader()
    body.used = true
    local bytes = reader()
    if bytes == nil then
      if left == 0 then return nil end
      error(("%s: the reader ended %.0f bytes before the size of %.0f"):format(what, left, size), 0)
    end
    check_chunk(bytes, what)
    left = left - #bytes
    -- the transport asks no further once it has all it announced, so the end is looked for here
    local beyond = left == 0 and reader() or ""
    if left < 0 or beyond ~= "" then
      error(("%s: the reader gave more than the size of %.0f bytes"):format(what, size), 0)
    end
    return bytes
  end
  return body
end

-- Copies into a file what a reader gives, until it is more than the most that can be of use.
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

local function discard(path)
  os.remove(path)
  core.remove_at_exit(path, false)
end

-- The gateway takes no stream of unknown length, so what a reader gives without a size is gathered in
-- a temporary file first.
local function gather(reader, most, what)
  local path = os.tmpname()
  core.remove_at_exit(path, true)
  local file, message = open_file(path, "wb")
  local copied, size
  if file then
    copied, size, message = pcall(copy, reader, file, most, what)
    local closed, fault = file:close()
    if not closed then size, message = copied and nil or size, fault end
    if copied and size then return path, size end
  end
  discard(path)
  if file and not copied then error(size, 0) end
  return nil, errors.invalid("reader", "reader: what it gives can't be gathered: " .. tostring(message))
end

local SOURCES = { "file", "data", "reader" }

local function only_source(given, what, level)
  local found
  for _, name in ipairs(SOURCES) do
    if given[name] ~= nil then
      if found then error(("%s: options %s and %s exclude each other"):format(what, found, name), level) end
      found = name
    end
  end
  if not found then error(what .. ": one of the options file, data and reader is required", level) end
  return found
end

-- The type as it was given, or as the name or the bytes tell.
local function media_type(given, sniff)
  local found = given.type
  if found then
    if not mime.parse(found) or not core.check_header("Content-Type", found) then
      return nil, errors.invalid("type", "type is no MIME type, such as image/jpeg")
    end
    return found
  end
  found = given.file and mime.of_name(given.file) or sniff and given.data and mime.of_image(given.data)
  if found then return found end
  return nil, errors.invalid("type", given.file
    and "type is missing, and the name of the file does not tell it: say it, such as application/pdf"
    or "type is missing: bytes without a file's name need one, such as application/pdf")
end

local function size_and_body(given, name, most, what, again, level)
  if name == "data" then return #given.data, given.data end
  if name == "file" then
    local size, err = file_size(given.file)
    return size, size and { file = given.file } or err
  end
  if given.size and not again then
    if given.size < 0 then error(what .. ": option size must not be negative", level) end
    return given.size, counted(given.reader, given.size, what)
  end
  local path, size = gather(given.reader, most, what)
  if not path then return nil, size end
  return size, { file = path }, path
end

--- Opens what is to be uploaded.
---@param given { file: string?, data: string?, reader: (fun(): string|nil)?, type: string?, size: integer? }
---@param what string      whose options these are, for messages
---@param most integer     bytes that a reader without size may give; one more is enough to know
---@param sniff? boolean   tell the type of an image by its bytes
---@param again? boolean   parts may be sent again: gather what a reader gives even when its size is known
---@param level? integer   as in an `error` of the calling function, for wrong use; 2, its caller, by default
---@return waba.UploadSource|nil
---@return waba.Error? err  of kind "invalid"
function upload.open(given, what, most, sniff, again, level)
  level = (level or 2) + 2
  local name = only_source(given, what, level)
  local found, err = media_type(given, sniff)
  if not found then return nil, err end
  local size, body, temporary = size_and_body(given, name, most, what, again, level)
  if not size then return nil, body end
  if given.size and given.size ~= size then
    return nil, errors.invalid("size", ("size is %.0f bytes, but the %s has %.0f"):format(given.size, name, size))
  end
  return { body = body, size = size, type = found, temporary = temporary }
end

--- Frees what `open` made.
---@param source waba.UploadSource
function upload.close(source)
  form.close(source)
  if source.temporary then discard(source.temporary) end
end

-- What the transport has sent, as bytes of the file.
local function of_file(told, source)
  if not told then return nil end
  local offset, size = source.offset or 0, source.size
  return function(sent) told(math.max(0, math.min(size, sent - offset)), size) end
end

--- Sends what `open` gave to an endpoint, and frees it.
---@param client waba.Client
---@param endpoint waba.Endpoint
---@param source waba.UploadSource
---@param given { progress: (fun(sent: integer, total: integer))?, timeout: number? }
---@return any json
---@return waba.Response|waba.Error response
function upload.send(client, endpoint, source, given)
  local told, complete = progress.track(given.progress)
  local json, response = ensure(upload.close, source, client.call, client, endpoint, {
    body = source.body, media_type = source.media_type or source.type,
    timeout = given.timeout or client.timeout * upload.PATIENCE, progress = of_file(told, source),
  })
  local fault = form.close(source)
  if json ~= nil then
    complete(source.size)
  elseif fault then
    return nil, errors.invalid("file", ("file can't be read: %s: %s"):format(given.file or source.temporary, fault))
  end
  return json, response
end

return upload
