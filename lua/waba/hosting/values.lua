-- Converts the values of responses and webhooks to the types that the platform documents. A value that can't be
-- converted becomes nil.

local core = require "waba.core"
local digits = require "waba.digits"

local null = core.null
local byte, floor, next, tonumber, type = string.byte, math.floor, next, tonumber, type
local PLUS = 43

-- Some payloads write ids and phone numbers as numbers.
local function text(value)
  if value == nil then return nil end
  local kind = type(value)
  if kind == "string" then return value end
  if kind == "number" then return digits(value) or ("%.0f"):format(value) end
end

-- Converts a value to text, and removes the "+" of a phone number.
local function wa_id(value)
  if type(value) ~= "string" then value = text(value) end
  if value and byte(value) == PLUS then return value:sub(2) end
  return value
end

-- Converts a value to text. The empty string becomes nil.
local function some_text(value)
  value = text(value)
  if value ~= "" then return value end
end

-- Removes all characters of a phone number that are not digits.
local function phone_digits(value)
  value = text(value) or ""
  if value:find "%D" then value = value:gsub("%D", "") end
  if value ~= "" then return value end
end

local function number(value)
  if type(value) == "number" then return value end
  if type(value) == "string" then return tonumber(value) end
end

-- Larger numbers than 1e15 become nil, because a double can't represent all integers above 2^53.
local function integer(value)
  value = number(value)
  if value and value > -1e15 and value < 1e15 then return floor(value) end
end

-- Converts a time to Unix seconds. Times above 1e11 are milliseconds.
local function timestamp(value)
  if value == nil then return nil end
  value = tonumber(value)
  if not value or not (value > -1e15 and value < 1e15) then return nil end
  return floor(value > 1e11 and value / 1000 or value)
end

-- Some payloads write a boolean as "true", "1" or 1.
local function flag(value)
  if type(value) == "boolean" then return value end
  if value == "true" or value == 1 or value == "1" then return true end
  if value == "false" or value == 0 or value == "0" then return false end
end

-- For some converters, the type of values that the converter does not change.
local UNCHANGED = { [text] = "string", [flag] = "boolean", [number] = "number" }

-- Returns the new values of the members that a conversion changes, with `null` for nil. Returns nil if no member
-- changes.
local function changes_of(value, converters, otherwise)
  local changes
  for name, member in next, value do
    local convert = converters and converters[name] or otherwise
    if type(member) ~= UNCHANGED[convert] then
      local new = convert(member)
      if new ~= member then
        changes = changes or {}
        changes[name] = new == nil and null or new
      end
    end
  end
  return changes
end

-- Copies a table, with new values from `changes_of`. Members that become nil are left out; in a list, the following
-- elements move up.
local function changed(value, changes)
  local copy, length = {}, #value
  for index = 1, length do
    local member = changes[index]
    if member == nil then member = value[index] end
    if member ~= null then copy[#copy + 1] = member end
  end
  for key, member in pairs(value) do
    local in_list = type(key) == "number" and key <= length
    if changes[key] ~= nil then member = changes[key] end
    if member ~= null and not in_list then copy[key] = member end
  end
  return copy
end

-- Converts each member of a table by the converter of its name, or by `otherwise`. Returns a value that is not a table
-- unchanged.
local function converted(value, converters, otherwise)
  if value == null then return nil end
  if type(value) ~= "table" then return value end
  local changes = changes_of(value, converters, otherwise)
  return changes and changed(value, changes) or value
end

-- Removes the nulls of a table at any depth. In a condition of Lua, a null would be true.
local function without_null(value) return converted(value, nil, without_null) end
UNCHANGED[without_null] = "string"

-- Converters by the name of a field, for `id` and names that end with `_id`.
local IDS = {}

-- Removes the nulls of a value at any depth, and converts ids to strings.
local function with_ids(value) return converted(value, IDS, with_ids) end

local function id(value)
  if type(value) == "number" then return text(value) end
  return with_ids(value)
end

setmetatable(IDS, { __index = function(_, name)
  if type(name) == "string" and (name == "id" or name:find "_id$") then return id end
end })

-- Returns a copy of an object, in which known members are converted.
local function copied(value, converters)
  if type(value) ~= "table" then return nil end
  local copy = {}
  for name, member in pairs(value) do
    local convert = converters[name] or without_null
    copy[name] = convert(member)
  end
  return copy
end

-- Converts known members of an object. Returns the object itself if no member changes.
local function shaped(value, converters)
  if type(value) ~= "table" then return nil end
  local changes = changes_of(value, converters, without_null)
  return changes and changed(value, changes) or value
end

local NO_ITEMS = {}

-- Returns a value as a list, which the caller must not change: null becomes an empty list, and an object becomes the
-- only element.
local function items(value)
  if type(value) == "table" then return (value[1] ~= nil or next(value) == nil) and value or { value } end
  if value == nil or value == null then return NO_ITEMS end
  return { value }
end

-- Returns a list for a JSON body. The encoder writes `{}` for an empty table.
local function json_list(list)
  return type(list) == "table" and next(list) == nil and core.empty_array or list
end

local function object(value) return type(value) == "table" and value or {} end

-- Converts the elements of a list, and leaves out elements that become nil. A value of another type is an empty list.
local function each(value, convert)
  local list = {}
  for _, item in ipairs(object(value)) do list[#list + 1] = convert(item) end
  return list
end

-- `dig(json, "data.1.id")` returns `json.data[1].id`, or nil if a part of the path is missing.
local function dig(json, path)
  for step in path:gmatch "[^.]+" do
    if type(json) ~= "table" then return nil end
    json = json[tonumber(step) or step]
  end
  if json == null then return nil end
  return json
end

-- Returns the cursors of the next and the previous page of a list. A cursor is nil if its page does not exist.
local function cursors(json)
  local paging = object(json.paging)
  local names = object(paging.cursors)
  -- `next` and `previous` are URLs of Meta's host, so only their presence matters
  return some_text(paging.next) and some_text(names.after), some_text(paging.previous) and some_text(names.before)
end

return {
  text = text, some_text = some_text, wa_id = wa_id, phone_digits = phone_digits, number = number, integer = integer,
  timestamp = timestamp, flag = flag, without_null = without_null, with_ids = with_ids, copied = copied,
  shaped = shaped, items = items, json_list = json_list, object = object, each = each, dig = dig, cursors = cursors,
}
