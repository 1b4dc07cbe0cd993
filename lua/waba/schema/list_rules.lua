-- Rules about all items of one list together, by their name in a node (see `waba.Rule`): each takes
-- what the node says and returns a check of the whole list, whose items have passed theirs.

local core = require "waba.core"
local faults = require "waba.schema.faults"

local ipairs = ipairs
local utf8_length = core.utf8_length
local fault = faults.new

-- The value at "reply.id" in an item.
local function value_at(item, steps)
  for i = 1, #steps do
    if item == nil then return nil end
    item = item[steps[i]]
  end
  return item
end

local function split(path)
  local steps = {}
  for step in path:gmatch("[^.]+") do steps[#steps + 1] = step end
  return steps
end

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

return {
  unique = function(paths)
    local checks = {}
    for i, path in ipairs(paths) do checks[i] = compile_unique(path) end
    return function(list)
      for i = 1, #checks do
        local found = checks[i](list)
        if found then return found end
      end
    end
  end,

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

  body_text = function(most)
    return function(list)
      local allowed = #list > 1 and most.beside or most.alone
      for i = 1, #list do
        local parameters = list[i].type == "body" and list[i].parameters
        if parameters and total_bytes(parameters) > allowed and total_characters(parameters) > allowed then
          local length = total_characters(parameters)
          return fault(("has %d characters in its texts; at most %d are allowed%s"):format(length, allowed,
            #list > 1 and " beside other components" or ""), ("[%d]"):format(i))
        end
      end
    end
  end,
}
