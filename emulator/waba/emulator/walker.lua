-- Applies a rule (see on_premise/rules.lua) to what a client sent, and finds the first fault, in the
-- codes of the gateway it is made for. Paths are written as the platform counts them, from 0:
-- "interactive.action.buttons[0].reply.id".

local json = require "waba.emulator.json"

local walker = {}

--- What is wrong: a code of the platform and a sentence that names the parameter.
---@class waba.emulator.Fault
---@field code integer
---@field details string

local function fault(code, text, ...) return { code = code, details = text:format(...) } end
walker.fault = fault

--- Counts characters; the text is known to be UTF-8.
---@param text string
---@return integer
function walker.characters(text)
  local _, count = text:gsub("[^\128-\191]", "")
  return count
end

local function absent(value) return value == nil or value == json.null end
walker.absent = absent

local function is_array(value)
  return type(value) == "table" and (next(value) == nil or value[1] ~= nil)
end

local function is_object(value)
  return type(value) == "table" and (next(value) == nil or value[1] == nil)
end

local TYPES = {
  string = function(value) return type(value) == "string" end,
  number = function(value) return type(value) == "number" end,
  integer = function(value) return type(value) == "number" and value % 1 == 0 end,
  boolean = function(value) return type(value) == "boolean" end,
  array = is_array,
  object = is_object,
  any = function() return true end,
}

-- A rule may allow several types: "number|string".
local function has_type(value, types)
  if TYPES[types] then return TYPES[types](value) end
  for one in types:gmatch("[^|]+") do
    if TYPES[one](value) then return true end
  end
  return false
end

local function check_text(value, rule, path, codes)
  if rule.min and value == "" then
    return fault(rule.empty or codes.wrong, "Parameter '%s' must not be empty", path)
  end
  if rule.max and #value > rule.max then
    local length = walker.characters(value)
    if length > rule.max then
      return fault(rule.too_long or codes.too_long, "Parameter '%s' has %d characters, at most %d are allowed",
        path, length, rule.max)
    end
  end
  if rule.pattern and not value:find(rule.pattern) then
    return fault(rule.wrong or codes.wrong, "Parameter '%s' must be %s", path, rule.says)
  end
end

local function check_number(value, rule, path, codes)
  if rule.from and value < rule.from or rule.to and value > rule.to then
    return fault(codes.wrong, "Parameter '%s' is %s, it must be from %s to %s", path, tostring(value), rule.from,
      rule.to)
  end
end

local function check_values(value, rule, path, codes)
  local compared = rule.either_case and type(value) == "string" and value:lower() or value
  for _, allowed in ipairs(rule.values) do
    if compared == allowed then return nil end
  end
  return fault(rule.wrong or codes.wrong, "Parameter '%s' is '%s', it must be one of: %s", path, tostring(value),
    table.concat(rule.values, ", "))
end

local walk

local function check_array(value, rule, path, context, codes)
  local count = #value
  if rule.min and count < rule.min or rule.max and count > rule.max then
    return fault(rule.wrong_count or codes.wrong, "Parameter '%s' has %d elements, %s are allowed", path, count,
      rule.max and ("%d to %d"):format(rule.min or 0, rule.max) or ("at least %d"):format(rule.min))
  end
  for i = 1, count do
    if absent(value[i]) then
      return fault(codes.wrong_type, "Parameter '%s[%d]' must be of type %s", path, i - 1, rule.each.type)
    end
    local found = walk(value[i], rule.each, ("%s[%d]"):format(path, i - 1), context, codes)
    if found then return found end
  end
end

local function known_fields(rule)
  local known = {}
  for _, field in ipairs(rule.fields) do known[field[1]] = field end
  rule.known = known
  return known
end

local function check_object(value, rule, path, context, codes)
  local prefix = path == "" and "" or path .. "."
  for _, field in ipairs(rule.fields) do
    local name = field[1]
    local found = walk(value[name], field, prefix .. name, context, codes)
    if found then return found end
  end
  local known = rule.known or known_fields(rule)
  for name, content in pairs(value) do
    if not known[name] and not (rule.extra and rule.extra[name]) and content ~= json.null then
      return fault(codes.surplus, "Parameter '%s%s' is not required%s", prefix, tostring(name),
        rule.refuses and rule.refuses[name] and ": " .. rule.refuses[name] or "")
    end
  end
end

function walk(value, rule, path, context, codes)
  if absent(value) then
    if rule.required then
      return fault(rule.missing or codes.missing, "Parameter '%s' is mandatory%s", path,
        context.type and (" for type '%s'"):format(context.type) or "")
    end
    return nil
  end
  if not has_type(value, rule.type) then
    return fault(rule.wrong_type or codes.wrong_type, "Parameter '%s' must be of type %s", path,
      (rule.type:gsub("|", " or ")))
  end
  local found
  if rule.values then found = check_values(value, rule, path, codes) end
  if not found and type(value) == "string" then
    found = check_text(value, rule, path, codes)
  elseif not found and type(value) == "number" then
    found = check_number(value, rule, path, codes)
  elseif not found and rule.each and type(value) == "table" then
    found = check_array(value, rule, path, context, codes)
  elseif not found and rule.fields and type(value) == "table" then
    found = check_object(value, rule, path, context, codes)
  end
  if not found and rule.check then found = rule.check(value, path, context) end
  return found
end

--- The codes of a gateway's faults.
---@class waba.emulator.FaultCodes
---@field missing integer
---@field wrong integer
---@field surplus integer     a field that nobody knows
---@field too_long integer
---@field wrong_type integer

--- Makes the walker of a gateway.
---@param codes waba.emulator.FaultCodes
---@return table  `walk`, and everything else of this file
function walker.new(codes)
  local made = { fault = fault, absent = absent, characters = walker.characters }

  --- Applies a rule.
  ---@param value any
  ---@param rule table
  ---@param path string
  ---@param context table  `type`: the type of the message, for the sentences; and what checks need
  ---@return waba.emulator.Fault|nil
  function made.walk(value, rule, path, context) return walk(value, rule, path, context, codes) end
  return made
end

return walker
