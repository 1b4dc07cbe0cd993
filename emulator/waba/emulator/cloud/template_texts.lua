-- The texts of a template that is created (cloud.md, section 5.4): their variables, their places,
-- and the examples that reviewers see.

local message_rules = require "waba.emulator.message_rules"
local rules = require "waba.emulator.rules"
local template_store = require "waba.emulator.template_store"

local checker = require("waba.emulator.cloud.common_rules").checker

local template_texts = {}

local new_error, absent = checker.new_error, rules.absent
local variables_of = template_store.variables

local function check_names(variables, path, named)
  local seen = {}
  for _, name in ipairs(variables) do
    seen[name] = true
    if named and not name:find("^[a-z_]+$") then
      return new_error("invalid_parameter", "%s: the variable %s must be a name in lower case, of letters and _", path,
        name)
    end
  end
  for i = 1, named and 0 or #variables do
    if not seen[tostring(i)] then
      return new_error("invalid_parameter", "%s: variables must be numbered {{1}}, {{2}} … without a gap", path)
    end
  end
end

-- ---- Examples --------------------------------------------------------------------------------------

local object, list, required = message_rules.object, message_rules.list, message_rules.required
local some_text = message_rules.some_text
local EXAMPLES = { header_text = list(some_text), body_text = list(list(some_text), 0, 1) }
local NAMED_EXAMPLES = list(object({ param_name = required(some_text), example = required(some_text) }))

local function count_error(path, given, wanted)
  return new_error("invalid_parameter", "%s: has %d elements, the text has %d variables: each needs one example", path,
    given, wanted)
end

local function check_numbered_examples(given, path, kind, variables)
  local found = checker:first(given, EXAMPLES[kind], path)
  if found then return found end
  local examples = absent(given) and {} or kind == "body_text" and given[1] or given
  return #examples ~= #variables and count_error(path, #examples, #variables) or nil
end

local function check_named_examples(given, path, variables)
  local found = checker:first(given, NAMED_EXAMPLES, path)
  if found then return found end
  local examples, wanted = absent(given) and {} or given, {}
  for _, name in ipairs(variables) do wanted[name] = true end
  for i, one in ipairs(examples) do
    if not wanted[one.param_name] then
      return new_error("invalid_parameter",
        "%s[%d].param_name: is not a variable of the text, or has an example already",
        path, i - 1)
    end
    wanted[one.param_name] = nil
  end
  return #examples ~= #variables and count_error(path, #examples, #variables) or nil
end

--- Finds what is wrong with a component's text: its variables, and the examples each of them needs.
---@param component table
---@param path string
---@param kind "header_text"|"body_text"  what its examples are called
---@param most integer     variables
---@param named boolean    whether variables have names
---@return waba.emulator.RuleError|nil
function template_texts.check_variables(component, path, kind, most, named)
  local variables = variables_of(component.text)
  local example = absent(component.example) and {} or component.example
  local found = check_names(variables, path .. ".text", named)
  if found then return found end
  if #variables > most then
    return new_error("invalid_parameter", "%s.text: has %d variables, at most %d are allowed", path, #variables, most)
  end
  path = path .. ".example."
  if named then
    return check_named_examples(example[kind .. "_named_params"], path .. kind .. "_named_params", variables)
  end
  return check_numbered_examples(example[kind], path .. kind, kind, variables)
end

--- Finds a variable in a place where none is allowed.
---@param text string
---@param path string
---@return waba.emulator.RuleError|nil
function template_texts.check_place(text, path)
  local trimmed = text:gsub("^%s+", ""):gsub("%s+$", "")
  if trimmed:find("^{{") or trimmed:find("}}$") then
    return new_error("invalid_parameter", "%s: variables must not stand at the beginning or the end", path)
  end
  if trimmed:find("}}%s*{{") then return new_error("invalid_parameter", "%s: variables must not be adjacent", path) end
end

return template_texts
