-- Rules about all elements of a list together, by their names in `waba.Rule` (schema/compile.lua). Each function takes
-- the value of the rule and returns a check of the list, whose elements are valid on their own.

local core = require "waba.core"
local faults = require "waba.schema.faults"
local paths = require "waba.schema.paths"

local ipairs = ipairs
local utf8_length = core.utf8_length
local fault = faults.new
local split, value_at = paths.steps, paths.at

-- Whether two identifiers are the same for the platform: 0 and "0" are.
local function same(a, b)
  return a == b or a .. "" == b .. ""
end

-- "reply.id": different in all items.
local function unique_in_items(path)
  local steps = split(path)
  return function(list)
    for i = 2, #list do
      local value = value_at(list[i], steps)
      for j = 1, value ~= nil and i - 1 or 0 do
        local other = value_at(list[j], steps)
        if other ~= nil and same(value, other) then
          return fault("repeats an earlier one; it must be unique", ("[%d].%s"):format(i, path))
        end
      end
    end
  end
end

-- "rows[].id": different in all items of the lists `rows`, whichever item they belong to.
local function unique_in_lists(inner, path)
  local steps = split(path)
  return function(list)
    local seen = {}
    for i = 1, #list do
      for j, item in ipairs(list[i][inner]) do
        local value = value_at(item, steps)
        if seen[value] then
          return fault("repeats an earlier one; it must be unique", ("[%d].%s[%d].%s"):format(i, inner, j, path))
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

-- "header.type": the same value in all items; "#action.buttons": a list of the same length.
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
        return fault("differs from the first one's; it must be the same in all", ("[%d].%s"):format(i, counted or path))
      end
    end
  end
end

-- The types and formats of a template's components and the types of their buttons, as one text. The order of the
-- components does not matter.
local function parts_of(components)
  local parts = {}
  for i, component in ipairs(components) do
    local kinds = { component.type, component.format }
    for _, button in ipairs(component.buttons or {}) do kinds[#kinds + 1] = button.type end
    parts[i] = table.concat(kinds, " ")
  end
  table.sort(parts)
  return table.concat(parts, ", ")
end

local function total_bytes(parameters)
  local length = 0
  for i = 1, #parameters do
    local text = parameters[i].text
    if text then length = length + #text end
  end
  return length
end

local function total_characters(parameters)
  local length = 0
  for i = 1, #parameters do
    local text = parameters[i].text
    if text then length = length + utf8_length(text) end
  end
  return length
end

-- A check of the list for each of several paths.
local function for_each_path(places, compile_one)
  local checks = {}
  for i, path in ipairs(places) do checks[i] = compile_one(path) end
  return function(list)
    for i = 1, #checks do
      local found = checks[i](list)
      if found then return found end
    end
  end
end

return {
  unique = function(places) return for_each_path(places, compile_unique) end,
  same = function(places) return for_each_path(places, compile_same) end,

  total = function(total)
    return function(list)
      local count = 0
      for i = 1, #list do count = count + #list[i][total.of] end
      if count > total.most then
        return fault(("has %d %s in all; at most %d are allowed"):format(count, total.of, total.most))
      end
    end
  end,

  when_several = function(name)
    return function(list)
      if #list < 2 then return end
      for i = 1, #list do
        if list[i][name] == nil then
          return fault("is missing; it is needed when there are several", ("[%d].%s"):format(i, name))
        end
      end
    end
  end,

  at_most = function(limit)
    local counts = limit.counts
    return function(list)
      local found = {}
      for i = 1, #list do
        local value = list[i][limit.field]
        local key = value and (counts[value] and value or value:lower())
        local most = counts[key]
        if most then
          found[key] = (found[key] or 0) + 1
          if found[key] > most then
            return fault(("is %s again; at most %d of it %s allowed"):format(key, most, most == 1 and "is" or "are"),
              ("[%d].%s"):format(i, limit.field))
          end
        end
      end
    end
  end,

  grouped = function(group)
    return function(list)
      local changes = 0
      for i = 2, #list do
        if (list[i][group.field] == group.value) ~= (list[i - 1][group.field] == group.value) then
          changes = changes + 1
        end
        if changes > 1 then
          return fault(("breaks the order: all %s must stand together, and so must the others"):format(
            group.value), ("[%d].%s"):format(i, group.field))
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
      return fault(rule.message)
    end
  end,

  same_parts = function(name)
    return function(list)
      local first = parts_of(list[1][name])
      for i = 2, #list do
        if parts_of(list[i][name]) ~= first then
          return fault("differ from those of the first; all must have the same types in the same formats",
            ("[%d].%s"):format(i, name))
        end
      end
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
            return fault(("is missing; either all have %s or none"):format(name), ("[%d].%s"):format(at, name))
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
        if parameters and total_bytes(parameters) > allowed and total_characters(parameters) > allowed then
          local length = total_characters(parameters)
          return fault(("has %d characters in its texts; at most %d are allowed%s"):format(length, allowed,
            #list > 1 and " beside other components" or ""), ("[%d]"):format(i))
        end
      end
    end
  end,
}
