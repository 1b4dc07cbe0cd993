-- Keeps the files that programs have uploaded or customers have sent, by id, until they expire; and checks whether a
-- file can be sent.

local media_store = {}

local Store = {}
Store.__index = Store
Store.__name = "waba.emulator.MediaStore"

--- Creates a store that keeps each file for `retention` seconds. The function `new_id` returns the id for a file.
function media_store.new(gateway, retention, new_id)
  return setmetatable({ gateway = gateway, retention = retention, new_id = new_id, files = {} }, Store)
end

--- Returns the path for a new file.
function Store:new_file() return self.gateway.folder .. "/" .. self.new_id() end

--- Adds the file with the path `file`, which `new_file()` has returned, and returns its entry. `about` has the
--- file's MIME type (`type`), `size` and `sha256` in hexadecimal.
function Store:add(file, about, retention)
  local id = file:match("[^/]+$")
  self.files[id] = { id = id, type = about.type, size = about.size, sha256 = about.sha256, file = file }
  self.gateway.clock:after(retention or self.retention, function() self:remove(id) end)
  return self.files[id]
end

function Store:get(id) return self.files[id] end

--- Removes a file. Returns false if the store does not have the file.
function Store:remove(id)
  local kept = self.files[id]
  self.files[id] = nil
  return kept ~= nil and os.remove(kept.file) ~= nil
end

--- Returns whether files of a MIME type may be sent as a kind of media. `kind.types` has true for each allowed MIME
--- type, or a parameter such as "codecs=opus" that the MIME type must have; without `types` all types are allowed.
function media_store.type_fits(kind, mime_type)
  local plain, parameters = mime_type:lower():match("^([^;%s]+)(.*)$")
  local wanted = not kind.types or kind.types[plain or ""]
  if type(wanted) ~= "string" then return wanted == true end
  return parameters:gsub("[%s\"]", ""):find(wanted, 1, true) ~= nil
end

--- Returns the function that rules call to find the media of a message. The function returns an error with the code
--- `codes.unknown` for an unknown id, or with `codes.wrong` if the file cannot be sent as this kind of media. `kinds`
--- has the largest size (`max`) and the MIME types (`types`) of each kind of media.
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

-- The first bytes of a file by its MIME type, and the name of the type.
local BEGINNINGS = { ["image/jpeg"] = { "\255\216\255", "JPEG" }, ["image/png"] = { "\137PNG\r\n\26\n", "PNG" } }

--- Returns the reason why WhatsApp cannot show a file, such as "is not a JPEG image"; nil if WhatsApp can, or if the
--- type is unknown. `bytes` has at least the first 64 bytes of the file.
function media_store.content_error(mime_type, bytes)
  local plain = mime_type:lower():match("[^;%s]+")
  if plain == "image/webp" then return sticker_error(bytes) end
  local wanted = BEGINNINGS[plain]
  return wanted and bytes:sub(1, #wanted[1]) ~= wanted[1] and ("is not a %s image"):format(wanted[2]) or nil
end

return media_store
