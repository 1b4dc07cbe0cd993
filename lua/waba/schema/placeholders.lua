-- Placeholders such as {{1}} and {{first_name}} in the texts of templates: formats of these texts, and the check of
-- examples (cloud.md, section 5.4; on-premise.md, section 9).

local errors = require "waba.schema.errors"

local new_error, plural = errors.new, errors.plural

local placeholders = {}

-- Returns the placeholders of a text in order, without their braces.
local function names_in(text)
  local names = {}
  for name in text:gmatch("{{%s*(.-)%s*}}") do names[#names + 1] = name end
  return names
end

-- Returns the number of different names, and the set of these names.
local function distinct(names)
  local seen, count = {}, 0
  for _, name in ipairs(names) do
    if not seen[name] then seen[name], count = true, count + 1 end
  end
  return count, seen
end

-- Formats of texts --------------------------------------------------------------------------------

-- Creates a waba.Format. `find_error(names, text)` returns the error text, or nil.
local function format(find_error)
  return {
    message = "has an invalid placeholder: expected numbers such as {{1}}, or names such as {{first_name}}",
    fits = function(text)
      local message = find_error(names_in(text), text)
      return message == nil, message
    end,
  }
end

local function numbered_error(names)
  local count, seen = distinct(names)
  for i = 1, count do
    if not seen[tostring(i)] then
      return ("has no {{%d}}; its %s must be numbered from {{1}}"):format(i, plural(count, "placeholder"))
    end
  end
end

local function positional_error(names)
  if names[1] and names[1]:find("^[a-z_]+$") then
    return ('has the placeholder {{%s}}; named placeholders need parameter_format = "NAMED"'):format(
      names[1]:sub(1, 40))
  end
  return numbered_error(names)
end

local function named_error(names)
  for _, name in ipairs(names) do
    if not name:find("^[a-z_]+$") then
      return ("has the placeholder {{%s}}; names may have lower-case letters and _ only"):format(
        errors.can_show(name) and name or "…")
    end
  end
end

local function are_named(names) return names[1] ~= nil and not names[1]:find("^%d+$") end

-- Formats of texts: `numbered` for the placeholders {{1}} to {{n}} on On-Premise hosting, `positional` for the same
-- placeholders on Cloud hosting, and `named` for placeholders such as {{first_name}} on Cloud hosting.
placeholders.numbered, placeholders.positional = format(numbered_error), format(positional_error)
placeholders.named = format(named_error)

--- The format of a text with numbered or named placeholders. All placeholders must be of the same kind as the first
--- placeholder.
placeholders.numbered_or_named = format(function(names)
  if are_named(names) then return named_error(names) end
  return numbered_error(names)
end)

placeholders.at_most_one = format(function(names)
  if #names > 1 then return ("has %d placeholders; at most 1 is allowed"):format(#names) end
end)

placeholders.none = format(function(names)
  if #names > 0 then return "has a placeholder; a footer takes none" end
end)

placeholders.between_words = format(function(_, text)
  local trimmed = text:match("^%s*(.*%S)") or ""
  if trimmed:find("^{{") then return "begins with a placeholder; words must stand before it" end
  if trimmed:find("}}$") then return "ends with a placeholder; words must follow it" end
  if trimmed:find("}}%s*{{") then return "has a placeholder right behind another; words must stand between them" end
end)

placeholders.at_end_of_url = format(function(names, url)
  if #names > 1 then return ("has %d placeholders; at most 1 is allowed"):format(#names) end
  if #names == 1 and (names[1] ~= "1" or not url:find("}}$")) then
    return "has an invalid placeholder; only {{1}} at the end of the URL is allowed"
  end
end)

-- Examples ----------------------------------------------------------------------------------------

local function wrong_count(found, count, path)
  return new_error(("has %s; the text has %s, and each placeholder requires an example"):format(found,
    plural(count, "placeholder")), path)
end

-- Each named placeholder needs one example, and an example needs a placeholder.
local function check_named(list, count, seen, path)
  list = list or {}
  for i, item in ipairs(list) do
    if not seen[item.param_name] then
      return new_error("is not the name of a placeholder of the text", ("%s[%d].param_name"):format(path, i))
    end
  end
  if #list < count then return wrong_count(plural(#list, "example"), count, path) end
end

--- Creates the check of a component with a text. The component's field `example` has examples for the placeholders of
--- the text: a list in the field `rule.values`, a list of lists in `rule.sets`, and a list of { param_name, example } in
--- `rule.named`.
---@param rule { values: string?, sets: string?, named: string?, required: boolean? }
function placeholders.examples(rule)
  local positional = rule.sets or rule.values
  return function(component)
    if component.text == nil then return end
    local example, names = component.example or {}, names_in(component.text)
    local count, seen = distinct(names)
    if not positional or rule.named and are_named(names) then
      return check_named(example[rule.named], count, seen, ".example." .. rule.named)
    end
    local examples, path = example[positional], ".example." .. positional
    if examples == nil then
      return rule.required and count > 0
        and new_error("is missing; each placeholder of the text requires an example", path) or nil
    end
    for i, values in ipairs(rule.sets and examples or { examples }) do
      if #values ~= count then
        return wrong_count(plural(#values, "element"), count, rule.sets and ("%s[%d]"):format(path, i) or path)
      end
    end
  end
end

return placeholders
