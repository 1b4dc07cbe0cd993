-- Decodes JSON texts whose strings have the same hash in this version of Lua, and other texts of the same size. Prints
-- the result of each text. spec/json_flood_spec.lua runs this program with each version of Lua.

local core = require "waba.core"

-- Returns the string with this number. Strings of one length differ only in bytes that the hash function of PUC Lua
-- does not read.
local function colliding(number, length)
  local tail, step = {}, math.floor(length / 32) + 1
  for distance = 11, 0, -1 do -- counted from the end of the string, where the hash function begins
    tail[#tail + 1] = "x"
    if distance % step ~= 0 then
      tail[#tail] = string.char(48 + number % 10)
      number = math.floor(number / 10)
    end
  end
  return ("x"):rep(length - 12) .. table.concat(tail)
end

local function ordinary(number, length)
  local text = ("%d "):format(number * 7919)
  return text .. ("x"):rep(length - #text)
end

-- Returns the string as JSON with every second byte written as an escape.
local function escaped(text)
  return (text:gsub("(.)(.)", function(one, two) return ("\\u%04x%s"):format(one:byte(), two) end))
end

local function list(make, length, count, write)
  local parts = {}
  for number = 1, count do parts[number] = write(make(number, length)) end
  return table.concat(parts, ",")
end

local function names(text) return '"' .. text .. '":1' end
local function strings(text) return '"' .. text .. '"' end
local function escapes(text) return '"' .. escaped(text) .. '"' end
local function digits(text) return "1" .. text:gsub("%D", "1") end

local function report(what, text)
  local value, message = core.decode(text)
  print(what .. ": " .. (value ~= nil and "read" or message:match "^[^:]+"))
end

report("colliding names", "{" .. list(colliding, 40, 4500, names) .. "}")
report("colliding strings", "[" .. list(colliding, 64, 4500, strings) .. "]")
report("long colliding strings", "[" .. list(colliding, 200, 4500, strings) .. "]")
report("colliding strings in escapes", "[" .. list(colliding, 40, 4500, escapes) .. "]")
report("colliding long numbers", "[" .. list(colliding, 40, 4500, digits) .. "]")
report("few colliding names", "{" .. list(colliding, 40, 1000, names) .. "}")
report("different names", "{" .. list(ordinary, 40, 10000, names) .. "}")
report("different strings", "[" .. list(ordinary, 20, 10000, strings) .. "]")
report("the same names", "[" .. list(function() return "" end, 0, 5000, function()
  return '{"id":"x","status":"delivered","timestamp":"1","recipient_id":"491511234567","a_name_of_more_than_32_bytes_is_this":1}'
end) .. "]")
