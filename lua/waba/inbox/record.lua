-- Converts events to bytes for a store, and bytes to events. The first byte identifies the format of the bytes.

local core = require "waba.core"
local errors = require "waba.errors"
local webhooks = require "waba.hosting.events"

local record = {}

-- The first bytes of the formats. SOURCE: the platform's JSON text of the event, and fields of its webhook. MARK: the
-- event in the format of the function `write`. WEBHOOK: a webhook, from an older version. Other bytes: the event as
-- JSON.
local MARK, WEBHOOK, SOURCE = "\1", "\2", webhooks.MARK

-- Writes a value in a format for values that JSON can't represent, such as strings that are not UTF-8 and very deep
-- tables. A letter for the type is written before each value. The length in bytes is written before a string.
local function write(out, value)
  local kind = type(value)
  if kind == "string" then
    out[#out + 1] = "s" .. #value .. ":" .. value
  elseif kind == "number" then
    local whole = value % 1 == 0 and value > -2 ^ 53 and value < 2 ^ 53
    -- `tonumber` can't read "inf", and reads "1e999" as infinity
    out[#out + 1] = whole and ("i%.0f;"):format(value) or ("n%.17g;"):format(value):gsub("inf", "1e999")
  elseif kind == "boolean" then
    out[#out + 1] = value and "t" or "f"
  elseif kind == "table" then
    out[#out + 1] = "{"
    for key, member in pairs(value) do
      write(out, key)
      write(out, member)
    end
    out[#out + 1] = "}"
  else
    out[#out + 1] = "0"
  end
end

local function read(bytes, position)
  local kind = bytes:sub(position, position)
  if kind == "s" then
    local length, start = bytes:match("^(%d+):()", position + 1)
    local stop = start + tonumber(length)
    return bytes:sub(start, stop - 1), stop
  elseif kind == "i" or kind == "n" then
    local digits, stop = bytes:match("^([^;]+);()", position + 1)
    return tonumber(digits), stop
  elseif kind == "{" then
    local value = {}
    position = position + 1
    while bytes:sub(position, position) ~= "}" do
      local key
      key, position = read(bytes, position)
      value[key], position = read(bytes, position)
    end
    return value, position + 1
  elseif kind == "0" then
    return core.null, position + 1
  elseif kind ~= "t" and kind ~= "f" then
    error "the bytes are incomplete"
  end
  return kind == "t", position + 1
end

local function revive_errors(event)
  if type(event.error) == "table" then errors.new(event.error) end
  if type(event.errors) == "table" then
    for _, err in ipairs(event.errors) do errors.new(err) end
  end
  return event
end

--- Converts an event to bytes. `source` is the text that the platform has sent for `event.raw`, or nil.
function record.encode(event, source)
  local bytes = source and webhooks.store(event, source) or core.encode(event)
  if bytes then return bytes end
  local out = { MARK }
  write(out, event)
  return table.concat(out)
end

local function decode(bytes)
  local mark = bytes:sub(1, 1)
  if mark == MARK then return revive_errors((read(bytes, 2))) end
  if mark == SOURCE then return webhooks.restore(bytes) end
  if mark ~= WEBHOOK then return revive_errors(assert(core.decode(bytes))) end
  local number, start = bytes:match("^([^\n]*)\n()", 2)
  local event = assert(webhooks.read(bytes:sub(start)))[1]
  if number ~= "" then event.number = number end
  return event
end

--- Converts bytes to an event with error objects. If the bytes can't be read, returns nil and a reason.
function record.decode(bytes)
  local ok, event = pcall(decode, bytes)
  if ok and type(event) == "table" then return event end
  return nil, "the stored event can't be read: expected one that this version of waba has written"
end

return record
