-- The rules about several fields of an object, by their names in `waba.Rule` (schema/compile.lua). Each function takes
-- the value of the rule and returns a check of the object. The check is called only if each field is valid.

local errors = require "waba.schema.errors"

local ipairs, next, pairs = ipairs, next, pairs
local new_error = errors.new

local function present(value, names)
  local fields = {}
  for _, name in ipairs(names) do
    if value[name] ~= nil then fields[#fields + 1] = name end
  end
  return fields
end

-- Creates a check that calls `check` for each field of the object that is in `rules`, in alphabetical order, and
-- returns the first error.
local function for_each_field(rules, check)
  local names = {}
  for name in pairs(rules) do names[#names + 1] = name end
  table.sort(names)
  return function(value)
    for i = 1, #names do
      local name = names[i]
      local err = value[name] ~= nil and check(value, name, rules[name])
      if err then return err end
    end
  end
end

return {
  exactly_one = function(names)
    return function(value)
      local count = 0
      for i = 1, #names do
        if value[names[i]] ~= nil then count = count + 1 end
      end
      if count == 0 then
        return new_error(("needs %s"):format(table.concat(names, " or ")))
      elseif count > 1 then
        local fields = table.concat(present(value, names), " and ")
        return new_error(("has %s; exactly one of them is allowed"):format(fields))
      end
    end
  end,

  at_least_one = function(names)
    return function(value)
      for i = 1, #names do
        if value[names[i]] ~= nil then return end
      end
      return new_error(("needs at least one of %s"):format(table.concat(names, ", ")))
    end
  end,

  only_with = function(others)
    return for_each_field(others, function(value, name, other)
      if value[other] == nil then return new_error(("is allowed together with %s only"):format(other), "." .. name) end
    end)
  end,

  requires = function(required)
    return for_each_field(required, function(value, name, fields)
      local other = fields[value[name]]
      if other and value[other] == nil then
        local message = "is missing; it is required if %s is %s"
        return new_error(message:format(name, errors.quoted(value[name])), "." .. other)
      end
    end)
  end,

  not_empty = function()
    return function(value)
      if next(value) == nil then return new_error("is empty; at least 1 field is needed") end
    end
  end,
}
