-- JSON with a value for the empty array (waba.core encodes an empty table as an object), and JSON of strings that are
-- not UTF-8.

local core = require "waba.core"
local encoding = require "waba.encoding"

local json = {}

json.null = core.null

--- The value that is encoded as `[]`. The value begins with a control character, so no text of a user equals the value.
json.empty_array = "\1empty array\1"

local EMPTY_ARRAY = '"\\u0001empty array\\u0001"'

--- Returns the list, or `json.empty_array` if the list is empty.
function json.array(list) return #list > 0 and list or json.empty_array end

--- Decodes a text. Returns the value; or nil and an error message if the text is not JSON in UTF-8.
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

-- The only key of the table with which `json.pack` replaces a string that is not UTF-8.
local BYTES = "\1bytes"

-- Returns a deep copy of a value. If `change(member)` returns a value, the copy has this value instead of the member.
local function map(value, change)
  local changed = change(value)
  if changed ~= nil then return changed end
  if type(value) ~= "table" then return value end
  local copy = {}
  for name, member in pairs(value) do copy[name] = map(member, change) end
  return copy
end

local function is_utf8(text) return type(text) ~= "string" or core.utf8_length(text) ~= nil end

-- An error message may quote a client's text, which may be invalid UTF-8.
local function readable(text) return not is_utf8(text) and text:gsub("[\128-\255]", "?") or nil end

function json.encode(value)
  local text = core.encode(value) or assert(core.encode(map(value, readable)))
  return (text:gsub(EMPTY_ARRAY, "[]"))
end

--- Returns a copy in which tables replace strings that are not UTF-8, such as an uploaded file, so that the copy can be
--- encoded.
function json.pack(value)
  return map(value, function(text) return not is_utf8(text) and { [BYTES] = encoding.percent(text) } or nil end)
end

--- Reverses `json.pack`.
function json.unpack(value)
  return map(value, function(packed)
    if type(packed) ~= "table" or type(packed[BYTES]) ~= "string" then return end
    return (packed[BYTES]:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
  end)
end

return json
