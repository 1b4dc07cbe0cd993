-- Converts the values of responses and webhooks to the types that the platform documents. A value of another type
-- that can't be converted becomes nil; no function here raises an error.

local core = require "waba.core"
local digits = require "waba.digits"

local null = core.null
local byte, floor, next, tonumber, type = string.byte, math.floor, next, tonumber, type
local PLUS = 43

local values = {}

--- Converts an id or a phone number to a string; in the JSON it may be a number.
local function text(value)
  if value == nil then return nil end
  local kind = type(value)
  if kind == "string" then return value end
  if kind == "number" then return digits(value) or ("%.0f"):format(value) end
end

--- Converts a value to text, without the "+" of a phone number.
local function wa_id(value)
  if value == nil then return nil end
  if type(value) ~= "string" then value = text(value) end
  if value and byte(value) == PLUS then return value:sub(2) end
  return value
end

--- Converts a value to text; the empty string becomes nil.
local function some_text(value)
  value = text(value)
  if value ~= "" then return value end
end

--- Returns the digits of a phone number that has any form.
local function phone_digits(value)
  value = text(value) or ""
  if value:find "%D" then value = value:gsub("%D", "") end
  if value ~= "" then return value end
end

local function number(value)
  if type(value) == "number" then return value end
  if type(value) == "string" then return tonumber(value) end
end

--- Converts a value to an integer of at most 15 digits, because a double represents every such integer exactly.
local function integer(value)
  value = number(value)
  if value and value > -1e15 and value < 1e15 then return floor(value) end
end

--- Converts a time to Unix seconds; a few payloads have milliseconds.
local function timestamp(value)
  if value == nil then return nil end
  value = tonumber(value)
  if not value or not (value > -1e15 and value < 1e15) then return nil end
  return floor(value > 1e11 and value / 1000 or value)
end

--- Converts a value to a boolean; it may be a string or a number.
local function flag(value)
  if type(value) == "boolean" then return value end
  if value == "true" or value == 1 or value == "1" then return true end
  if value == "false" or value == 0 or value == "0" then return false end
end

-- The type of the values that a converter does not change.
local UNCHANGED = { [text] = "string", [flag] = "boolean", [number] = "number" }

-- Returns the new values of the members that change, with `null` in place of nil; nil if no member changes.
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

-- Copies a table with changed members, and removes members that become nil. In a list the following elements move up,
-- so the list has no gaps.
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

--- Removes the nulls of a table, because a null is true in a condition. In a list the following elements move up,
--- so the list has no gaps.
local function without_null(value)
  return converted(value, nil, without_null)
end
UNCHANGED[without_null] = "string"

-- The converters by the names of fields. Only `id` and names that end with `_id` have a converter.
local IDS = {}

--- Copies a value whose fields are unknown, and converts ids to strings.
local function with_ids(value)
  return converted(value, IDS, with_ids)
end

local function id(value)
  if type(value) == "number" then return text(value) end
  return with_ids(value)
end

setmetatable(IDS, { __index = function(_, name)
  if type(name) == "string" and (name == "id" or name:find "_id$") then return id end
end })

--- Copies an object and converts its known members.
local function copied(value, converters)
  if type(value) ~= "table" then return nil end
  local copy = {}
  for name, member in pairs(value) do
    local convert = converters[name] or without_null
    copy[name] = convert(member)
  end
  return copy
end

--- Converts the members of a table; returns the table itself if no member changes.
local function shaped(value, converters)
  if type(value) ~= "table" then return nil end
  local changes = changes_of(value, converters, without_null)
  return changes and changed(value, changes) or value
end

--- Converts each object of a list as `shaped` does.
local function list_of(value, converters)
  if type(value) ~= "table" then return nil end
  local list = {}
  for _, item in ipairs(value) do list[#list + 1] = shaped(item, converters) end
  return list
end

local NO_ITEMS = {}

--- Returns the value if it is a list; otherwise a list that contains the value, or an empty list for null. The caller
--- must not change the list.
local function items(value)
  if value == nil or value == null then return NO_ITEMS end
  if type(value) ~= "table" or value[1] == nil and next(value) ~= nil then return { value } end
  return value
end

--- Returns a table unchanged, and an empty table for any other value.
local function object(value)
  return type(value) == "table" and value or {}
end

--- Returns the value at a path of names and positions, or nil.
local function dig(json, ...)
  for i = 1, select("#", ...) do
    if type(json) ~= "table" then return nil end
    json = json[select(i, ...)]
  end
  if json == null then return nil end
  return json
end

--- Reads the cursors of a page in the form of the Graph API. `after` is nil on the last page, `before` on the first.
local function cursors(json)
  local paging = object(json.paging)
  local names = object(paging.cursors)
  -- the URLs beside the cursors are not URLs of the gateway, so they only show whether there is another page
  return some_text(paging.next) and some_text(names.after), some_text(paging.previous) and some_text(names.before)
end

values.text, values.wa_id, values.number, values.integer, values.timestamp = text, wa_id, number, integer, timestamp
values.flag, values.without_null, values.with_ids = flag, without_null, with_ids
values.some_text, values.phone_digits = some_text, phone_digits
values.object, values.dig, values.cursors = object, dig, cursors
values.copied, values.shaped, values.list_of, values.items = copied, shaped, list_of, items

return values
