-- The texts of a template that is created (cloud.md, section 5.4): their variables, where these may stand,
-- and the examples that reviewers see.

local walker = require "waba.emulator.cloud.walker"

local template_texts = {}

local fault, absent = walker.fault, walker.absent

--- The variables of a text in the order in which they appear: {{1}}, {{2}}, or {{name}}.
---@param text string|nil
---@return string[]
function template_texts.variables(text)
  local list, seen = {}, {}
  for name in (text or ""):gmatch("{{%s*([%w_]+)%s*}}") do
    if not seen[name] then
      seen[name] = true
      list[#list + 1] = name
    end
  end
  return list
end

local function check_names(variables, path, named)
  local seen = {}
  for _, name in ipairs(variables) do
    seen[name] = true
    if named and not name:find("^[a-z_]+$") then
      return fault(100, "%s: the variable %s must be a name in lower case, of letters and _", path, name)
    end
  end
  for i = 1, named and 0 or #variables do
    if not seen[tostring(i)] then
      return fault(100, "%s: variables must be numbered {{1}}, {{2}} … without a gap", path)
    end
  end
end

-- ---- Examples --------------------------------------------------------------------------------------

local TEXT = { type = "string", min = 1 }
local EXAMPLES = {
  header_text = { type = "array", each = TEXT },
  body_text = { type = "array", max = 1, each = { type = "array", each = TEXT } },
}
local NAMED_EXAMPLES = { type = "array", each = { type = "object", fields = {
  { "param_name", type = "string", required = true, min = 1 }, { "example", type = "string", required = true, min = 1 },
} } }

local function count_fault(path, given, wanted)
  return fault(100, "%s: has %d elements, the text has %d variables: each needs one example", path, given, wanted)
end

local function check_numbered_examples(given, path, kind, variables)
  local found = walker.walk(given, EXAMPLES[kind], path, {})
  if found then return found end
  local list = absent(given) and {} or kind == "body_text" and given[1] or given
  return #list ~= #variables and count_fault(path, #list, #variables) or nil
end

local function check_named_examples(given, path, variables)
  local found = walker.walk(given, NAMED_EXAMPLES, path, {})
  if found then return found end
  local list, wanted = absent(given) and {} or given, {}
  for _, name in ipairs(variables) do wanted[name] = true end
  for i, one in ipairs(list) do
    if not wanted[one.param_name] then
      return fault(100, "%s[%d].param_name: is not a variable of the text, or has an example already", path, i - 1)
    end
    wanted[one.param_name] = nil
  end
  return #list ~= #variables and count_fault(path, #list, #variables) or nil
end

--- Finds what is wrong with a component's text: its variables, and the examples each of them needs.
---@param component table
---@param path string
---@param kind "header_text"|"body_text"  what its examples are called
---@param most integer     variables
---@param named boolean    whether variables have names
---@return waba.emulator.Fault|nil
function template_texts.check_variables(component, path, kind, most, named)
  local variables = template_texts.variables(component.text)
  local example = absent(component.example) and {} or component.example
  local found = check_names(variables, path .. ".text", named)
  if found then return found end
  if #variables > most then
    return fault(100, "%s.text: has %d variables, at most %d are allowed", path, #variables, most)
  end
  path = path .. ".example."
  if named then
    return check_named_examples(example[kind .. "_named_params"], path .. kind .. "_named_params", variables)
  end
  return check_numbered_examples(example[kind], path .. kind, kind, variables)
end

--- Finds a variable that stands where none may.
---@param text string
---@param path string
---@return waba.emulator.Fault|nil
function template_texts.check_place(text, path)
  local trimmed = text:gsub("^%s+", ""):gsub("%s+$", "")
  if trimmed:find("^{{") or trimmed:find("}}$") then
    return fault(100, "%s: variables must not stand at the beginning or the end", path)
  end
  if trimmed:find("}}%s*{{") then return fault(100, "%s: variables must not be adjacent", path) end
end

return template_texts
