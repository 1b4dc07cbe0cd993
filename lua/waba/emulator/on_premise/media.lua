-- Media (reference, section 5): files by id, kept in the emulator's own folder until they expire.

local answers = require "waba.emulator.on_premise.answers"
local random = require "waba.emulator.random"
local rules = require "waba.emulator.on_premise.rules"
local walker = require "waba.emulator.on_premise.walker"

local media = {}

-- Seconds 360dialog keeps a file.
local RETENTION = 14 * 86400

---@class waba.emulator.Media
---@field id string
---@field type string    MIME type, as it came
---@field size integer
---@field sha256 string  hexadecimal
---@field file string
---@field expires number clock time

local Store = {}
Store.__index = Store
Store.__name = "waba.emulator.MediaStore"

---@param gateway table
---@return table
function media.new(gateway)
  return setmetatable({ gateway = gateway, files = {} }, Store)
end

--- Where the bytes of a file that is about to arrive are to go.
---@return string
function Store:new_file()
  return self.gateway.folder .. "/" .. random.uuid()
end

--- Keeps a file that has arrived at `new_file()`.
---@param file string
---@param about { type: string, size: integer, sha256: string }
---@return waba.emulator.Media
function Store:add(file, about)
  local id = file:match("[^/]+$")
  local kept = { id = id, type = about.type, size = about.size, sha256 = about.sha256, file = file,
    expires = self.gateway.clock:now() + RETENTION }
  self.files[id] = kept
  self.gateway.clock:after(RETENTION, function() self:remove(id) end)
  return kept
end

---@param id string
---@return waba.emulator.Media|nil
function Store:get(id)
  return self.files[id]
end

---@param id string
---@return boolean  whether there was such a file
function Store:remove(id)
  local kept = self.files[id]
  if kept then
    os.remove(kept.file)
    self.files[id] = nil
  end
  return kept ~= nil
end

-- ---- What is inside a file (option strict_media) ---------------------------------------------------

local function read_start(file, count)
  local opened = assert(io.open(file, "rb"))
  local bytes = opened:read(count) or ""
  opened:close()
  return bytes
end

local function little_endian_24(bytes, at)
  local a, b, c = bytes:byte(at, at + 2)
  return a + b * 256 + c * 65536
end

local function sticker_problem(bytes)
  if bytes:sub(1, 4) ~= "RIFF" or bytes:sub(9, 12) ~= "WEBP" then
    return "is not a WebP image"
  end
  local form = bytes:sub(13, 16)
  local width, height
  if form == "VP8X" and #bytes >= 30 then
    if math.floor(bytes:byte(21) / 2) % 2 == 1 then
      return "is animated"
    end
    width, height = little_endian_24(bytes, 25) + 1, little_endian_24(bytes, 28) + 1
  elseif form == "VP8 " and #bytes >= 30 then
    local a, b, c, d = bytes:byte(27, 30)
    width, height = (a + b * 256) % 16384, (c + d * 256) % 16384
  elseif form == "VP8L" and #bytes >= 25 then
    local a, b, c, d = bytes:byte(22, 25)
    local packed = a + b * 256 + c * 65536 + d * 16777216
    width, height = packed % 16384 + 1, math.floor(packed / 16384) % 16384 + 1
  end
  if width ~= 512 or height ~= 512 then
    return "is not 512 by 512 pixels"
  end
end

local INSPECT = {
  ["image/jpeg"] = function(bytes)
    return bytes:sub(1, 3) ~= "\255\216\255" and "is not a JPEG image" or nil
  end,
  ["image/png"] = function(bytes)
    return bytes:sub(1, 8) ~= "\137PNG\r\n\26\n" and "is not a PNG image" or nil
  end,
  ["image/webp"] = sticker_problem,
}

-- ---- Requests --------------------------------------------------------------------------------------

-- What is wrong with an upload: a code and a sentence, or nil.
local function upload_problem(gateway, request, mime_type)
  if request.too_large then
    return 1009, ("the file is larger than %d bytes"):format(gateway.options.max_media), 413
  elseif request.size == 0 then
    return 1008, "the body with the file's bytes is mandatory"
  elseif not mime_type or not mime_type:find("^%s*[%w!#$&^_.+-]+/[%w!#$&^_.+-]+%s*;?") then
    return 1009, "Header 'Content-Type' must be the MIME type of the file"
  elseif mime_type:lower():find("^multipart/") then
    return 1009, "the body must be the file's bytes, not a form"
  end
  local plain = mime_type:lower():match("[^;%s]+")
  if gateway.options.strict_media and INSPECT[plain] then
    local problem = INSPECT[plain](read_start(request.file, 64))
    if problem then
      return 1014, "the file " .. problem
    end
  end
end

local function upload(gateway, request)
  local mime_type = request.headers["content-type"]
  local code, details, status = upload_problem(gateway, request, mime_type)
  if code then
    if request.file then
      os.remove(request.file)
    end
    return gateway:error(code, details, status)
  end
  local kept = gateway.media:add(request.file, { type = mime_type, size = request.size, sha256 = request.sha256 })
  return gateway:ok({ media = { { id = kept.id } } }, 201)
end

local function download(gateway, request)
  local kept = gateway.media:get(request.segments[3])
  if not kept then
    return gateway:error(1006, "Could not find the requested media")
  end
  return { status = 200, file = kept.file, headers = {
    ["content-type"] = kept.type,
    ["content-disposition"] = "attachment; filename=" .. kept.id,
  } }
end

local function delete(gateway, request)
  if not gateway.media:remove(request.segments[3]) then
    return gateway:error(1006, "Could not find the requested media")
  end
  return answers.json(200, {})
end

--- Finds what is wrong with a media id in a message; made for the validation's context.
---@param gateway table
---@return fun(id: string, kind: string, path: string): waba.emulator.Fault|nil
function media.finder(gateway)
  return function(id, kind, path)
    local kept = gateway.media:get(id)
    if not kept then
      return walker.fault(1006, "Parameter '%s': there is no media with this id", path)
    elseif not rules.media_type_fits(kind, kept.type) then
      return walker.fault(1009, "Parameter '%s': media of type %s cannot be sent as %s", path, kept.type, kind)
    elseif kept.size > rules.media[kind].max then
      return walker.fault(1009, "Parameter '%s': media of %d bytes cannot be sent as %s, at most %d are allowed",
        path, kept.size, kind, rules.media[kind].max)
    end
  end
end

--- Adds the routes of this section.
---@param route fun(method: string, path: string, handler: function)
function media.routes(route)
  route("POST", "v1/media", upload)
  route("GET", "v1/media/*", download)
  route("DELETE", "v1/media/*", delete)
end

return media
