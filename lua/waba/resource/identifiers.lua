-- Reads arguments that are identifiers: strings of digits, or integers.

local errors = require "waba.errors"

local identifiers = {}

local EXACT = 9007199254740992 -- 2^53; a larger double may have lost digits

function identifiers.one(value, path)
  if type(value) == "number" then
    local is_exact = math.type and math.type(value) == "integer" or value % 1 == 0 and value < EXACT
    if is_exact and value > 0 then return ("%d"):format(value) end
    return nil, errors.invalid(path, path .. " is a number that may have lost digits: expected a string of digits")
  elseif type(value) ~= "string" then
    return nil, errors.invalid(path, path .. " must be a string of digits, not a " .. type(value))
  elseif not value:find("^%d+$") then
    return nil, errors.invalid(path, path .. " must be a string of digits")
  end
  return value
end

---@param values any[]
---@param path string
---@param most integer
---@param read? fun(value: any, path: string): any, waba.Error?  reads an element; default: `identifiers.one`
function identifiers.list(values, path, most, read)
  local count, list = #values, {}
  if count == 0 then return nil, errors.invalid(path, path .. " is empty; at least 1 is needed") end
  if count > most then
    return nil, errors.invalid(path, ("%s has %d elements; at most %d are allowed"):format(path, count, most))
  end
  for i = 1, count do
    local value, err = (read or identifiers.one)(values[i], ("%s[%d]"):format(path, i))
    if not value then return nil, err end
    list[i] = value
  end
  return list
end

return identifiers
