-- Checks of strings, numbers, booleans and choices. Each function takes a rule (schema/compile.lua) and returns its
-- check.

local core = require "waba.core"
local errors = require "waba.schema.errors"
local runtime = require "waba.runtime"

local type, tostring = type, tostring
local utf8_length, new_error = core.utf8_length, errors.new

local scalars = {}

function scalars.string(node)
  local least, most = 0, math.huge
  if node.characters then least, most = node.characters[1], node.characters[2] or math.huge end
  local format = node.format
  if type(format) == "string" then format = runtime.require("waba.schema.formats")[format] end
  local fits = format and format.fits
  return function(value)
    if type(value) ~= "string" then return errors.wrong_type("string", value) end
    local length, position = utf8_length(value)
    if not length then return new_error(("is not valid UTF-8 at byte %d"):format(position)) end
    if length < least or length > most then return errors.size(length, node.characters, "character") end
    if fits then
      local fitting, message = fits(value)
      if not fitting then return new_error(message or format.message) end
    end
  end
end

function scalars.number(node)
  local whole, or_value = node.is == "integer", node.or_value
  local least, most = -math.huge, math.huge
  if node.range then least, most = node.range[1], node.range[2] or math.huge end
  return function(value)
    if type(value) ~= "number" then return errors.wrong_type(node.is, value) end
    if value ~= value or value == math.huge or value == -math.huge then return new_error("must be a finite number") end
    if whole and value % 1 ~= 0 then return new_error(("is %s; it must be an integer"):format(tostring(value))) end
    if (value < least or value > most) and value ~= or_value then
      local message = most == math.huge and "is %s; it must be at least %s" or "is %s; allowed is %s to %s"
      return new_error(message:format(tostring(value), tostring(least), tostring(most)))
    end
  end
end

scalars.integer = scalars.number

function scalars.decimal(node)
  local check = scalars.number({ is = "number", range = node.range })
  return function(value)
    if type(value) ~= "string" then return check(value) end
    if not value:find("^%-?%d+%.?%d*$") or #value > 40 then
      return new_error("must be a number, or a string that represents one")
    end
    return check(tonumber(value))
  end
end

function scalars.boolean()
  return function(value)
    if type(value) ~= "boolean" then return errors.wrong_type("boolean", value) end
  end
end

function scalars.choice(node)
  local allowed = {}
  for _, value in ipairs(node.one_of) do allowed[value] = true end
  return function(value)
    if not allowed[value] then return errors.choice(value, node.one_of, node.as) end
  end
end

return scalars
