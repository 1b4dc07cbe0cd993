-- The rules about all elements of a list, by their names in `waba.Rule` (schema/compile.lua). Each function takes the
-- value of the rule and returns a check of the list. The check is called only if each element is valid.

local core = require "waba.core"
local errors = require "waba.schema.errors"

local ipairs, next, pairs, type = ipairs, next, pairs, type
local utf8_length = core.utf8_length
local new_error, below = errors.new, errors.below

local function split(path)
  local steps = {}
  for step in path:gmatch("[^.]+") do steps[#steps + 1] = step end
  return steps
end

-- Returns the value at the end of a path in a valid value; nil if a field is missing.
local function value_at(value, steps)
  for i = 1, #steps do
    if value == nil then return nil end
    value = value[steps[i]]
  end
  return value
end

-- The platform treats identifiers such as 0 and "0" as equal.
local function same(a, b) return a == b or a .. "" == b .. "" end

-- Compares the values of all elements at a path such as "reply.id".
local function unique_in_items(path)
  local steps = split(path)
  return function(list)
    for i = 2, #list do
      local value = value_at(list[i], steps)
      for j = 1, value ~= nil and i - 1 or 0 do
        local other = value_at(list[j], steps)
        if other ~= nil and same(value, other) then
          return new_error("repeats an earlier value; it must be unique", ("[%d].%s"):format(i, path))
        end
      end
    end
  end
end

-- Compares the values at a path such as "rows[].id", in the elements of all lists `rows`.
local function unique_in_lists(inner, path)
  local steps = split(path)
  return function(list)
    local seen = {}
    for i = 1, #list do
      for j, item in ipairs(list[i][inner]) do
        local value = value_at(item, steps)
        if seen[value] then
          return new_error("repeats an earlier value; it must be unique", ("[%d].%s[%d].%s"):format(i, inner, j, path))
        end
        seen[value] = true
      end
    end
  end
end

local function compile_unique(path)
  local inner, leaf = path:match("^(.-)%[%]%.(.+)$")
  if inner then return unique_in_lists(inner, leaf) end
  return unique_in_items(path)
end

-- Compares the values of all elements at a path such as "header.type". The path "#action.buttons" compares the lengths
-- of the lists `action.buttons`.
local function compile_same(path)
  local counted = path:match("^#(.+)$")
  local steps = split(counted or path)
  local function at(item)
    local value = value_at(item, steps)
    if counted and value ~= nil then return #value end
    return value
  end
  return function(list)
    local first = at(list[1])
    for i = 2, #list do
      if at(list[i]) ~= first then
        return new_error("differs from that of the first element; it must be the same in all elements",
          ("[%d].%s"):format(i, counted or path))
      end
    end
  end
end

local function total_length(parameters, length_of)
  local length = 0
  for i = 1, #parameters do
    local text = parameters[i].text
    if text then length = length + length_of(text) end
  end
  return length
end

local function for_each_path(places, compile_one)
  local checks = {}
  for i, path in ipairs(places) do checks[i] = compile_one(path) end
  return function(list)
    for i = 1, #checks do
      local err = checks[i](list)
      if err then return err end
    end
  end
end

-- Returns the error for a table with a key that is not a position, with a gap, or with an invalid number of elements.
local function list_error(value, count, limits)
  for key in pairs(value) do
    if type(key) ~= "number" or key < 1 or key % 1 ~= 0 then
      if value[1] ~= nil then return new_error("must be a list; it also has keys that are not positions") end
      return errors.wrong_type("list", value)
    end
  end
  for i = 1, count do
    if value[i] == nil then return new_error("is missing; a list must have no gaps", ("[%d]"):format(i)) end
  end
  return errors.size(count, limits, "element")
end

-- Creates the check of a list: of its type and length, then of its elements, then of the other rules.
local function check_list(node, check, rules)
  local limits, rule_count = node.count or { 1 }, #rules
  local least, most = limits[1], limits[2] or math.huge
  return function(value)
    if type(value) ~= "table" then return errors.wrong_type("list", value) end
    -- a table whose number of keys is its length has no other keys than positions
    local count = 0
    for _ in next, value do count = count + 1 end
    if count < least or count > most or count ~= #value then return list_error(value, count, limits) end
    for i = 1, count do
      local item = value[i]
      if item == nil then return list_error(value, count, limits) end
      local err = check and check(item)
      if err then return below(("[%d]"):format(i), err) end
    end
    for i = 1, rule_count do
      local err = rules[i](value)
      if err then return err end
    end
  end
end

return {
  check = check_list,

  unique = function(places) return for_each_path(places, compile_unique) end,
  same = function(places) return for_each_path(places, compile_same) end,

  total = function(total)
    return function(list)
      local count = 0
      for i = 1, #list do count = count + #list[i][total.of] end
      if count > total.most then
        return new_error(("has %d %s in all; at most %d are allowed"):format(count, total.of, total.most))
      end
    end
  end,

  when_several = function(name)
    return function(list)
      if #list < 2 then return end
      for i = 1, #list do
        if list[i][name] == nil then
          return new_error("is missing; it is required if the list has several elements", ("[%d].%s"):format(i, name))
        end
      end
    end
  end,

  at_most = function(limit)
    local counts = limit.counts
    return function(list)
      local counted = {}
      for i = 1, #list do
        local value = list[i][limit.field]
        local key = value and (counts[value] and value or value:lower())
        local most = counts[key]
        if most then
          counted[key] = (counted[key] or 0) + 1
          if counted[key] > most then
            local message = most == 1 and "is %s again; at most %d is allowed" or "is %s again; at most %d are allowed"
            return new_error(message:format(key, most), ("[%d].%s"):format(i, limit.field))
          end
        end
      end
    end
  end,

  has = function(rule, compile)
    local check = compile(rule)
    return function(list)
      for i = 1, #list do
        if not check(list[i]) then return end
      end
      return new_error(rule.message)
    end
  end,

  all_or_none = function(names)
    return function(list)
      for i = 2, #list do
        for j = 1, #names do
          local name = names[j]
          local here, first = list[i][name] ~= nil, list[1][name] ~= nil
          if here ~= first then
            local at = here and 1 or i
            return new_error(("is missing; either all elements have %s, or none"):format(name),
              ("[%d].%s"):format(at, name))
          end
        end
      end
    end
  end,

  body_text = function(most)
    return function(list)
      local allowed = #list > 1 and most.beside or most.alone
      for i = 1, #list do
        local parameters = list[i].type:lower() == "body" and list[i].parameters
        -- a text has at least as many bytes as characters, and bytes are counted faster
        local is_long = parameters and total_length(parameters, string.len) > allowed
        local length = is_long and total_length(parameters, utf8_length) or 0
        if length > allowed then
          return new_error(("has %d characters in its texts; at most %d are allowed%s"):format(length, allowed,
            #list > 1 and " beside other components" or ""), ("[%d]"):format(i))
        end
      end
    end
  end,
}
