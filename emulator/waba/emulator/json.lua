-- The JSON functions of waba.core, and a value for the empty array, because waba.core encodes an empty table as an
-- object.

local core = require "waba.core"

local json = {}

json.null = core.null

--- The value that is encoded as `[]`. The value contains a control character, so no other text that the emulator sends
--- equals it.
json.empty_array = "\1empty array\1"

local EMPTY_ARRAY = '"\\u0001empty array\\u0001"'

--- Returns a list, or the value for an empty array if the list is empty.
function json.array(list) return #list > 0 and list or json.empty_array end

--- Decodes a text. The text must be JSON in UTF-8.
function json.decode(text)
  if not core.utf8_length(text) then return nil, "the body is not valid UTF-8" end
  return core.decode(text)
end

--- Returns a copy of a value in which objects have no members that are null. Lists keep their null elements.
function json.without_nulls(value)
  if type(value) ~= "table" then return value end
  local copy = {}
  for name, member in pairs(value) do
    if member ~= json.null or type(name) == "number" then copy[name] = json.without_nulls(member) end
  end
  return copy
end

-- The name of the only field of the table by which `json.pack` replaces a string that is not UTF-8.
local BYTES = "\1bytes"

-- Copies a value. Calls `change` with the value and, in tables, with each member at every depth. If `change` returns a
-- value other than nil, the copy has the returned value instead.
local function map(value, change)
  local changed = change(value)
  if changed ~= nil then return changed end
  if type(value) ~= "table" then return value end
  local copy = {}
  for name, member in pairs(value) do copy[name] = map(member, change) end
  return copy
end

-- An error message may quote a client's text, which may be invalid UTF-8.
local function readable(text)
  if type(text) == "string" and not core.utf8_length(text) then return (text:gsub("[\128-\255]", "?")) end
end

function json.encode(value)
  local text = core.encode(value) or assert(core.encode(map(value, readable)))
  if text:find(EMPTY_ARRAY, 1, true) then text = text:gsub(EMPTY_ARRAY, "[]") end
  return text
end

--- Replaces strings that are not UTF-8, such as an uploaded file, so that a value can be encoded.
function json.pack(value)
  return map(value, function(text)
    if type(text) == "string" and not core.utf8_length(text) then return { [BYTES] = core.percent_encode(text) } end
  end)
end

--- Reverses `json.pack`.
function json.unpack(value)
  return map(value, function(packed)
    if type(packed) ~= "table" or type(packed[BYTES]) ~= "string" then return end
    return (packed[BYTES]:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
  end)
end

return json
