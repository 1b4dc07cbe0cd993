-- Reads SHA-256 digests in the forms of both hostings (hex or base64), and decodes base64.

local core = require "waba.core"
local errors = require "waba.errors"
local open_file = require "waba.open"

local digest = {}

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local VALUES = {}
for i = 1, #ALPHABET do VALUES[ALPHABET:byte(i)] = i - 1 end
VALUES[("-"):byte()], VALUES[("_"):byte()] = 62, 63 -- the alphabet of base64 in URLs

local char, floor = string.char, math.floor

-- Decodes the values of four base64 characters. In the last group of a text, `c` and `d` may be nil.
local function decode_group(a, b, c, d)
  local bits = a * 262144 + b * 4096 + (c or 0) * 64 + (d or 0)
  return char(floor(bits / 65536), floor(bits / 256) % 256, bits % 256):sub(1, d and 3 or c and 2 or 1)
end

--- Decodes base64 in the standard alphabet or that of URLs, with or without padding. Ignores white space.
---@return string|nil bytes  nil if the text is not base64
function digest.from_base64(text)
  text = text:gsub("%s+", ""):gsub("=?=$", "")
  if text:find("[^%w+/_-]") or #text % 4 == 1 then return nil end
  local groups = {}
  for i = 1, #text, 4 do
    local a, b, c, d = text:byte(i, i + 3)
    groups[#groups + 1] = decode_group(VALUES[a], VALUES[b], c and VALUES[c], d and VALUES[d])
  end
  return table.concat(groups)
end

---@param text string  64 hex digits in any case, or base64
---@return string|nil hex  in lower case
---@return waba.Error? err  kind "invalid", path "sha256"
function digest.read(text)
  if #text == 64 and not text:find("%X") then return text:lower() end
  local bytes = #text <= 46 and digest.from_base64(text)
  if not bytes or #bytes ~= 32 then
    return nil, errors.invalid("sha256", "sha256 is not a digest: expected 64 hex digits or 44 characters of base64")
  end
  return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

local STEP = 262144 -- bytes that are hashed, in about a millisecond, before other coroutines can run

---@param path string
---@param pause fun()  lets other coroutines run; called after each step
function digest.of_file(path, pause)
  local file, message = open_file(path, "rb")
  if not file then return nil, message end
  local hasher = core.sha256()
  local bytes
  bytes, message = file:read(STEP)
  while bytes do
    hasher:update(bytes)
    if #bytes == STEP then pause() end
    bytes, message = file:read(STEP)
  end
  file:close()
  if message then return nil, message end
  return hasher:hex()
end

---@param bytes string
---@param pause? fun()  lets other coroutines run; called after each step
function digest.of(bytes, pause)
  local hasher = core.sha256()
  for first = 1, #bytes, STEP do
    if first > 1 and pause then pause() end
    hasher:update(bytes:sub(first, first + STEP - 1))
  end
  return hasher:hex()
end

return digest
