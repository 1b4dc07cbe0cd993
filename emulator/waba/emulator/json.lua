-- JSON as the emulator speaks it: waba.core's, with a word for the empty array, which a Lua table
-- can't express. In: Lua values and texts. Out: the same, the other way round.

local core = require "waba.core"

local json = {}

--- JSON's null.
json.null = core.null

-- Control characters never stand in JSON unescaped, so no text can be mistaken for it.
--- Put this where `[]` has to stand.
json.empty_array = "\1empty array\1"

local EMPTY_ARRAY = '"\\u0001empty array\\u0001"'

--- The list itself, or the mark for an empty one.
---@generic T
---@param list T[]
---@return T[]|string
function json.array(list) return #list > 0 and list or json.empty_array end

--- Decodes what somebody sent. Refused: what is not JSON, or not UTF-8.
---@param text string
---@return any value
---@return string? message
function json.decode(text)
  if not core.utf8_length(text) then return nil, "the body is not valid UTF-8" end
  return core.decode(text)
end

-- The one name in a table that stands for bytes.
local BYTES = "\1bytes"

-- Runs a function over every text in a value; tables are copied only where something changes.
local function map(value, change)
  local changed = change(value)
  if changed ~= nil then return changed end
  if type(value) ~= "table" then return value end
  local copy = value
  for name, member in pairs(value) do
    local mapped = map(member, change)
    if mapped ~= member then
      if copy == value then
        copy = {}
        for key, old in pairs(value) do copy[key] = old end
      end
      copy[name] = mapped
    end
  end
  return copy
end

-- What a client sent may stand in a sentence about it, and be no UTF-8.
local function readable(text)
  if type(text) == "string" and not core.utf8_length(text) then return (text:gsub("[\128-\255]", "?")) end
end

--- Encodes a value of the emulator's own making.
---@param value any
---@return string
function json.encode(value)
  local text = core.encode(value) or assert(core.encode(map(value, readable)))
  if text:find(EMPTY_ARRAY, 1, true) then text = text:gsub(EMPTY_ARRAY, "[]") end
  return text
end

--- Makes a value fit for JSON that may have bytes in it which are no UTF-8, such as an uploaded file.
---@param value any
---@return any
function json.pack(value)
  return map(value, function(text)
    if type(text) == "string" and not core.utf8_length(text) then return { [BYTES] = core.percent_encode(text) } end
  end)
end

--- The way back from `json.pack`.
---@param value any
---@return any
function json.unpack(value)
  return map(value, function(packed)
    if type(packed) ~= "table" or type(packed[BYTES]) ~= "string" then return end
    return (packed[BYTES]:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
  end)
end

return json
