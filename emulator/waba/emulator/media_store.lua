-- The files by id, stored in the emulator's folder until they expire: files that programs have uploaded, and files
-- that customers have sent. The option strict_media checks the first bytes of a file, as WhatsApp does.

local media_store = {}

local Store = {}
Store.__index = Store
Store.__name = "waba.emulator.MediaStore"

--- Creates a store that keeps each file for `retention` seconds. The function `new_id` returns the id for a file.
function media_store.new(gateway, retention, new_id)
  return setmetatable({ gateway = gateway, retention = retention, new_id = new_id, files = {} }, Store)
end

--- Returns the path for the bytes of a new file.
function Store:new_file() return self.gateway.folder .. "/" .. self.new_id() end

--- Adds a file to the store; its bytes were written to the path that `new_file()` returned. `about` has the MIME type
--- of the file (`type`), its `size` and its `sha256` in hexadecimal.
function Store:add(file, about, retention)
  retention = retention or self.retention
  local id = file:match("[^/]+$")
  local kept = { id = id, type = about.type, size = about.size, sha256 = about.sha256, file = file,
    expires = self.gateway.clock:now() + retention }
  self.files[id] = kept
  self.gateway.clock:after(retention, function() self:remove(id) end)
  return kept
end

function Store:get(id) return self.files[id] end

--- Removes a file. Returns whether the store had this file.
function Store:remove(id)
  local kept = self.files[id]
  if kept then
    os.remove(kept.file)
    self.files[id] = nil
  end
  return kept ~= nil
end

--- Returns whether a MIME type may be sent as a kind of media. If the value in `types` is a string, the MIME type must
--- have this parameter.
function media_store.type_fits(kind, mime_type)
  local types = kind.types
  if not types then return true end
  local plain = mime_type:lower():match("^([^;%s]+)")
  local parameter = types[plain or ""]
  if type(parameter) == "string" then
    return mime_type:lower():gsub("[%s\"]", ""):find(parameter, 1, true) ~= nil
  end
  return parameter ~= nil
end

--- Returns the function that rules call to find the media of a message. The function returns an error if the id is
--- unknown, or if the file cannot be sent as this kind of media. `kinds` has the largest size (`max`) and the MIME
--- types (`types`) of each kind of media. The fields `unknown` and `wrong` of `codes` are names of error codes.
function media_store.finder(gateway, kinds, codes)
  return function(id, kind, path)
    local kept, wanted, new_error = gateway.media:get(id), kinds[kind], gateway.checker.new_error
    if not kept then
      return new_error(codes.unknown, "Parameter '%s' is not the id of an uploaded file", path)
    elseif not media_store.type_fits(wanted, kept.type) then
      return new_error(codes.wrong, "Parameter '%s': media of type %s cannot be sent as %s", path, kept.type, kind)
    elseif kept.size > wanted.max then
      return new_error(codes.wrong, "Parameter '%s': media of %d bytes cannot be sent as %s, at most %d are allowed",
        path, kept.size, kind, wanted.max)
    end
  end
end

-- The content of a file ---------------------------------------------------------------------------

local function little_endian(bytes, at, count)
  local number = 0
  for i = at + count - 1, at, -1 do number = number * 256 + bytes:byte(i) end
  return number
end

local function sticker_error(bytes)
  if bytes:sub(1, 4) ~= "RIFF" or bytes:sub(9, 12) ~= "WEBP" then return "is not a WebP image" end
  local form = bytes:sub(13, 16)
  local width, height
  if form == "VP8X" and #bytes >= 30 then
    if math.floor(bytes:byte(21) / 2) % 2 == 1 then return "is animated" end
    width, height = little_endian(bytes, 25, 3) + 1, little_endian(bytes, 28, 3) + 1
  elseif form == "VP8 " and #bytes >= 30 then
    width, height = little_endian(bytes, 27, 2) % 16384, little_endian(bytes, 29, 2) % 16384
  elseif form == "VP8L" and #bytes >= 25 then
    local packed = little_endian(bytes, 22, 4)
    width, height = packed % 16384 + 1, math.floor(packed / 16384) % 16384 + 1
  end
  if width ~= 512 or height ~= 512 then return "is not 512 by 512 pixels" end
end

-- The bytes with which a file of a type begins.
local BEGINNINGS = { ["image/jpeg"] = { "\255\216\255", "JPEG" }, ["image/png"] = { "\137PNG\r\n\26\n", "PNG" } }

--- Returns the reason why WhatsApp cannot show a file, such as "is not a JPEG image"; nil if it can, or if the type is
--- unknown. `bytes` has at least the first 64 bytes.
function media_store.content_error(mime_type, bytes)
  local plain = mime_type:lower():match("[^;%s]+")
  if plain == "image/webp" then return sticker_error(bytes) end
  local wanted = BEGINNINGS[plain]
  return wanted and bytes:sub(1, #wanted[1]) ~= wanted[1] and ("is not a %s image"):format(wanted[2]) or nil
end

return media_store
