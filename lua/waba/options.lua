-- Checks tables of options: the allowed names with their types, and the nearest known name for one
-- that is unknown. Wrong options are the programmer's mistake, so they raise.

local options = {}

-- Levenshtein distance of two short words.
local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
      diagonal, row[j] = row[j], best
    end
  end
  return row[#b]
end

--- The known name that looks most like a given one, if any is near.
---@param name string
---@param known table<string, any>  the names are its keys
---@return string|nil
function options.nearest(name, known)
  local names = {}
  for candidate in pairs(known) do names[#names + 1] = candidate end
  table.sort(names)
  local best, best_distance
  for _, candidate in ipairs(names) do
    local d = distance(name:lower(), candidate:lower())
    if not best or d < best_distance then best, best_distance = candidate, d end
  end
  if best and best_distance <= math.max(2, math.floor(#best / 3)) then return best end
end

-- "string|table" allows either; "true" and "false" stand for the one value.
local function fits(value, types)
  for wanted in types:gmatch("[^|]+") do
    if wanted == "any" or type(value) == wanted or tostring(value) == wanted and type(value) == "boolean" then
      return true
    end
    if wanted == "integer" and type(value) == "number" and value % 1 == 0 then return true end
  end
  return false
end

--- Raises when `given` has a name that `known` lacks, or a value of another type.
---@param given table|nil              nil counts as no options
---@param known table<string, string>  name to type: "string", "number|false", "integer", "any"
---@param what string                  whose options, for the message: "waba.client"
---@param level? integer               as in an `error` of the calling function; 2, its caller, by default
---@return table given
function options.check(given, known, what, level)
  level = (level or 2) + 1
  if given == nil then return {} end
  if type(given) ~= "table" then
    error(what .. ": options must be a table, not a " .. type(given), level)
  end
  for name, value in pairs(given) do
    local types = known[name]
    if not types then
      local near = type(name) == "string" and options.nearest(name, known)
      error(("%s: unknown option %s%s"):format(what, tostring(name),
        near and (" (did you mean %s?)"):format(near) or ""), level)
    end
    if not fits(value, types) then
      error(("%s: option %s must be %s, not a %s"):format(what, name, types:gsub("|", " or "), type(value)), level)
    end
  end
  return given
end

return options
