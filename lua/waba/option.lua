-- Checks the options of a function. A module declares the options of its function once, in a table. An invalid option
-- is an error of the programmer, so the check raises an error.
--
--   --- The options of `waba.thing`.
--   ---@options waba.ThingOptions
--   local OPTIONS = {
--     batch = { "integer>=1", 16 },  -- the largest number of events taken at once
--     stop = "fun(): boolean",       -- called before each event; true ends the work
--   }
--
-- Each row has a type in LuaCATS form, and optionally a default. scripts/annotations.lua copies the comment of a row to
-- the reference and to the annotations that editors read.

local runtime = require "waba.runtime"

local option = {}

--- The type of each option by its name, or its type and its default: "integer>=1", { "number>0", 30 }.
---@alias waba.OptionRows table<string, string|{ [1]: string, [2]: any }>

--- Returns a hint for an error text about an unknown name, such as " (did you mean file?)"; "" if no name is similar.
---@param name any
---@param known table<string, any>  a table whose keys are the known names
function option.suggestion(name, known)
  local near = type(name) == "string" and runtime.require "waba.nearest_name"(name, known)
  return near and (" (did you mean %s?)"):format(near) or ""
end

-- Parses a type in LuaCATS form into a list of alternatives: `kind` is a name that Lua's `type` returns, or "integer",
-- "any", "true" or "false"; `sign` and `limit` are the bound of a number such as "integer>=1". A literal type such as
-- `"on_premise"` becomes "string". The field `words` is the type for an error text: "number above 0 or false".
local function parse_type(written)
  local alternatives, words, named = {}, {}, {}
  for part in written:gsub("%b{}", "table"):gsub("%b<>", ""):gmatch "[^|]+" do
    local kind, sign, limit = part:match "^(%a+)(>=?)(.+)$"
    local is_function = part:find "^fun%("
    if is_function then kind = "function"
    elseif part:find '^"' then kind = "string"
    elseif part:find "%[%]$" or part:find "^waba%." then kind = "table" end
    alternatives[#alternatives + 1] = { kind = kind or part, sign = sign, limit = tonumber(limit) }
    local word = (kind or part) .. (sign and (sign == ">" and " above " or " of at least ") .. limit or "")
    if not named[word] then named[word], words[#words + 1] = true, word end
    if is_function then break end -- the text after the parameters of a function type belongs to its results
  end
  alternatives.words = table.concat(words, " or ")
  return alternatives
end

-- The result of `parse_type` for each type, by the text of the type.
local types = setmetatable({}, { __index = function(parsed, written)
  parsed[written] = parse_type(written)
  return parsed[written]
end })

--- Returns a type in LuaCATS form as words: "number or false". The command line of the emulator shows these words.
function option.words(written) return types[written].words end

local function is_kind(value, kind)
  if kind == "any" or type(value) == kind then return true end
  if type(value) == "boolean" then return tostring(value) == kind end
  return kind == "integer" and type(value) == "number" and value % 1 == 0
end

local function fits(value, alternatives)
  for _, one in ipairs(alternatives) do
    local limit = one.limit
    if is_kind(value, one.kind) then
      if not limit or value == limit and one.sign == ">=" then return true end
      if value > limit and value < math.huge then return true end -- NaN violates every bound
    end
  end
  return false
end

-- Returns the description of an invalid value for an error text: the number if it is out of bounds, else the type of
-- the value.
local function shown(value, alternatives)
  for _, one in ipairs(alternatives) do
    if one.sign and type(value) == "number" and is_kind(value, one.kind) then return tostring(value) end
  end
  return "a " .. type(value)
end

--- Raises an error if `options` has a name that `known` does not have, or a value of another type.
---@param options table|nil  nil: no options
---@param known waba.OptionRows
---@param what string  the name of the function that takes the options, for the error text: "waba.client"
---@param level? integer  the level for `error`, as seen from the calling function; default: 2, the caller of this
---        function; 0: the error text has no file and line
---@return table options  an empty table for nil
function option.check(options, known, what, level)
  level = level == 0 and 0 or (level or 2) + 1
  if options == nil then return {} end
  if type(options) ~= "table" then
    error(what .. ": options must be a table, not a " .. type(options), level)
  end
  for name, value in pairs(options) do
    local row = known[name]
    if not row then
      error(("%s: unknown option %s%s"):format(what, tostring(name), option.suggestion(name, known)), level)
    end
    local allowed = types[type(row) == "table" and row[1] or row]
    if not fits(value, allowed) then
      error(("%s: option %s must be %s, not %s"):format(what, name, allowed.words, shown(value, allowed)), level)
    end
  end
  return options
end

--- Adds to `known` the rows of `parent` whose names `known` does not have.
function option.with(parent, known)
  for name, row in pairs(parent) do known[name] = known[name] or row end
  return known
end

--- Checks options, and returns a copy with the defaults of the missing options.
---@param options table|nil
---@param known waba.OptionRows
---@param what string  see `check`
---@param level? integer  see `check`
function option.complete(options, known, what, level)
  local complete = {}
  for name, row in pairs(known) do
    if type(row) == "table" then complete[name] = row[2] end
  end
  for name, value in pairs(option.check(options, known, what, (level or 2) + 1)) do complete[name] = value end
  return complete
end

return option
