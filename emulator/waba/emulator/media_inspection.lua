-- What is inside a media file, by its first bytes (option strict_media): whether WhatsApp could show it.

local media_inspection = {}

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
  if bytes:sub(1, 4) ~= "RIFF" or bytes:sub(9, 12) ~= "WEBP" then return "is not a WebP image" end
  local form = bytes:sub(13, 16)
  local width, height
  if form == "VP8X" and #bytes >= 30 then
    if math.floor(bytes:byte(21) / 2) % 2 == 1 then return "is animated" end
    width, height = little_endian_24(bytes, 25) + 1, little_endian_24(bytes, 28) + 1
  elseif form == "VP8 " and #bytes >= 30 then
    local a, b, c, d = bytes:byte(27, 30)
    width, height = (a + b * 256) % 16384, (c + d * 256) % 16384
  elseif form == "VP8L" and #bytes >= 25 then
    local a, b, c, d = bytes:byte(22, 25)
    local packed = a + b * 256 + c * 65536 + d * 16777216
    width, height = packed % 16384 + 1, math.floor(packed / 16384) % 16384 + 1
  end
  if width ~= 512 or height ~= 512 then return "is not 512 by 512 pixels" end
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

--- What keeps a file from being shown, if anything is known of its type.
---@param mime_type string
---@param file string
---@return string|nil problem  "is not a JPEG image"
function media_inspection.problem(mime_type, file)
  local inspect = INSPECT[mime_type:lower():match("[^;%s]+")]
  return inspect and inspect(read_start(file, 64)) or nil
end

return media_inspection
