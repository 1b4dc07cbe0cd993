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

-- Names of the same options in other libraries and in the platform's documentation.
local SYNONYMS = {
  path = { "file" }, filename = { "file" }, file_name = { "filename", "file" },
  url = { "link" }, uri = { "link", "url" }, href = { "link", "url" }, link = { "url" },
  text = { "body" }, message = { "body", "text" }, content = { "body" }, message_text = { "body" },
  lang = { "language" }, locale = { "language" }, language_code = { "language" },
  params = { "body" }, parameters = { "body" }, variables = { "body" }, values = { "body" },
  key = { "api_key" }, token = { "api_key" }, apikey = { "api_key" },
  mime = { "type" }, mime_type = { "type" }, content_type = { "type" },
}

local function synonym(name, known)
  for _, other in ipairs(SYNONYMS[name:lower()] or {}) do
    if known[other] ~= nil then return other end
  end
end

--- Finds the known name that was probably meant: one with the same meaning, or the most similar one.
---@param name string
---@param known table<string, any>  the names are its keys
---@return string|nil
function options.nearest(name, known)
  local other = synonym(name, known)
  if other then return other end
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

local function is_type(value, wanted)
  if wanted == "any" or type(value) == wanted then return true end
  if type(value) == "boolean" then return tostring(value) == wanted end
  return wanted == "integer" and type(value) == "number" and value % 1 == 0
end

-- Not a number is within no bounds, and what has no end is no measure.
local function is_within(value, sign, limit)
  if type(value) ~= "number" or value >= math.huge then return false end
  if sign == ">" then return value > limit end
  return value >= limit
end

-- "string|table" allows either; "true" and "false" stand for the one value; "integer>=1" and
-- "number>0" have a bound.
local function fits(value, types)
  for wanted in types:gmatch("[^|]+") do
    local kind, sign, limit = wanted:match("^(%a+)(>=?)(.+)$")
    if is_type(value, kind or wanted) and (not kind or is_within(value, sign, tonumber(limit))) then return true end
  end
  return false
end

-- Types as words. "integer>=1" is "integer of at least 1".
local function in_words(types)
  return (types:gsub("|", " or "):gsub(">=", " of at least "):gsub(">", " above "))
end

-- A value as words: what it is, or a number that is out of bounds.
local function shown(value, types)
  for wanted in types:gmatch("[^|]+") do
    if type(value) == "number" and is_type(value, wanted:match("^(%a+)>") or "") then return tostring(value) end
  end
  return "a " .. type(value)
end

--- Raises when `given` has a name that `known` lacks, or a value of another type.
---@param given table|nil              nil counts as no options
---@param known table<string, string>  name to type: "string", "number|false", "integer>=1", "any"
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
      error(("%s: option %s must be %s, not %s"):format(what, name, in_words(types), shown(value, types)), level)
    end
  end
  return given
end

return options
