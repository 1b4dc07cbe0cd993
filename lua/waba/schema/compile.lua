-- Compiles rules to checks. A rule is a table that describes a value, a message's content for example; its check is a
-- closure that takes a value and returns an error, or nil. A valid value costs no allocation. If a value has several
-- errors, the check returns the error of the first field by name, so the result does not depend on the order of a
-- table.
--
-- The notation of rules:
--
-- * `is` names the type of the value; the rule then has the fields of that type, see `waba.Rule` below. A rule without
--   `is`, `one_of` and `variants` accepts every value.
-- * A rule of an object lists all fields of the object in `fields`, each with its own rule. Other fields are an error
--   unless the object is `open`. Fields are optional unless their rule is `required`.
-- * `by` and `variants` choose the rule of an object by the value of one of its fields, as
--   `{ is = "object", by = "type", variants = { image = …, video = … } }`.
-- * `each` is the rule of every element of a list.
-- * `also` lists rules that the value must satisfy as well. They are checked in order when the rule itself has err no
--   error. One with `when` applies only to values that satisfy the rule in `when`.
-- * `inferred` holds fields that are added to the rule, or that replace its own, in the mode `true`. They are not in the
--   platform's documentation; the mode "documented" ignores them.
-- * Error messages are the end of a sentence that begins with the path of the field: "must be a string, not a table".
--   `message` replaces the messages of a rule. In it, %s stands for the value.
--
-- Example, a text of at most 20 characters in an object of two fields:
--
--    { is = "object", fields = { id = { is = "string", required = true }, title = { is = "string", characters = { 1, 20 } } } }

local errors = require "waba.schema.errors"
local runtime = require "waba.runtime"
local scalars = require "waba.schema.scalars"

local next, type, ipairs, pairs, tostring = next, type, ipairs, pairs, tostring
local new_error, below = errors.new, errors.below

---@class waba.Rule
---@field is? "string"|"number"|"integer"|"decimal"|"boolean"|"object"|"list"  a decimal is a number, or a string that
---  contains one
---@field required? boolean  the object must have the field
---@field unsupported? string  the error for a message type or variant that the hosting does not offer
---@field message? string  the error message instead of the rule's own; %s stands for the value
---@field also? waba.Rule[]
---@field when? waba.Rule  a rule in `also` applies only to values that satisfy this rule
---@field inferred? waba.Rule
---
---@field one_of? any[]  the allowed values
---@field as? string  the description of the allowed values in the error message
---
---@field characters? { [1]: integer, [2]: integer? }  a string's length: minimum and maximum
---@field format? string|waba.Format  a string's format, or its name in schema/formats.lua
---@field range? { [1]: number, [2]: number? }  a number's minimum and maximum
---@field or_value? number  an allowed number outside the range
---
---@field fields? table<string, waba.Rule>  the fields of an object
---@field open? boolean  allows unknown fields of an object, and values without a variant
---@field refused? table<string, string>  error messages by the name of a field that is not allowed
---@field instead? string  advice in the error for a value that is not an object
---@field suggest? string[]  further names to suggest in the error for an unknown field
---@field by? string  the field of an object whose value selects the variant
---@field variants? table<string, waba.Rule>
---@field either_case? boolean  the field `by` may also have its value in upper case
---@field without? waba.Rule  the rule for an object without the field `by`
---
---@field exactly_one? string[]  an object must have exactly one of these fields
---@field at_least_one? string[]  an object must have at least one of these fields
---@field only_with? table<string, string>  by the name of a field: the field that it requires
---@field needs? table<string, { field: string, format: string|waba.Format }>  by the name of a
---  field: another field, which must have a format if the first is true
---@field asks_for? table<string, table<any, string>>  by the name and the value of a field:
---  the field that the value requires
---@field present? { path: string, unless: string?, when: { field: string, format: waba.Format }?, message: string }  an
---  object must have a value at `path`, such as "example.header_handle", if the field `unless` is absent and the
---  field in `when` has the format; `message` gives the reason
---@field not_empty? boolean  an open object must have at least one field
---@field adds_up? { total: string, plus: string[], minus: string[] }  the paths of integers and of their total.
---  An absent integer counts as 0; without the total or the first integer nothing is checked
---@field examples? { text: string, values: string?, sets: string?, named: string?, required: boolean? }  for a
---  template's component: the field with the text, and the paths of its examples: a list of values, a list of
---  lists of values, or a list of { param_name, example }. With two paths, the text's first placeholder selects one
---
---@field each? waba.Rule  the rule of a list's elements
---@field count? { [1]: integer, [2]: integer? }  a list's length: minimum (1 by default) and maximum
---@field has? waba.Rule  at least one element must satisfy this rule; its `message` is the error
---@field unique? string[]  paths whose values must differ in all elements: "reply.id"; "rows[].id" is the field
---  `id` of all elements of the lists `rows`
---@field same? string[]  paths whose values must be equal, or absent, in all elements; "#action.buttons" is the
---  length of a list
---@field same_parts? string  the field of cards with their components, which must be alike in all cards
---@field all_or_none? string[]  fields that all elements must have, or none
---@field at_most? { field: string, counts: table<string, integer> }  how often the field may have a value in
---  all elements, whatever the case of its letters
---@field grouped? { field: string, value: string }
---  the elements with this value must be adjacent, and the other elements too
---@field total? { of: string, most: integer }  the most elements of the lists in the field `of`, in all
---@field when_several? string  the field that is required if a list has several elements
---@field body_text? { alone: integer, beside: integer }  the most characters of all texts of
---  a template's body: without and with other components

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

local compile -- rules contain rules

-- Returns a rule as it applies in a mode: with or without its inferred fields.
local function effective(node, mode)
  if not node.inferred or mode == "documented" then return node end
  local whole = {}
  for name, rule in pairs(node) do whole[name] = rule end
  for name, rule in pairs(node.inferred) do whole[name] = rule end
  return whole
end

-- Objects

-- Fields of a rule that need no function in object_rules.lua or lists.lua.
local WITHOUT_FUNCTION = {
  is = true, required = true, unsupported = true, message = true, also = true, when = true, inferred = true,
  fields = true, open = true, refused = true, instead = true, suggest = true, by = true, variants = true,
  either_case = true, without = true, each = true, count = true,
}

-- Returns the checks for the other fields of a rule, in the order of the fields' names.
local function further_checks(node, mode, module)
  local checks = {}
  for _, name in ipairs(sorted_keys(node)) do
    if node[name] and not WITHOUT_FUNCTION[name] then
      local rule = runtime.require(module)[name]
      checks[#checks + 1] = rule(node[name], function(inner) return compile(inner, mode) end)
    end
  end
  return checks
end

-- The error for a value that is not an object.
local function not_an_object(node, value)
  local err = errors.wrong_type("object", value)
  if node.instead then err.message = err.message .. ": " .. node.instead end
  return err
end

-- `known` holds the fields that chose this rule as a variant; the value is then known to be a table.
local function compile_object(node, mode, known)
  local checks, required = {}, {}
  for name in pairs(known) do checks[name] = true end
  for name, child in pairs(node.fields or {}) do
    if not (node.refused and node.refused[name]) then
      local child_node = effective(child, mode)
      checks[name] = compile(child, mode) or true
      if child_node.required then required[#required + 1] = name end
    end
  end
  table.sort(required)
  local rules = further_checks(node, mode, "waba.schema.object_rules")
  local open, required_count, rule_count, is_table = node.open, #required, #rules, next(known) ~= nil

  -- The error for a list, or for an unknown field.
  local function wrong_shape(value)
    if value[1] ~= nil then return not_an_object(node, value) end
    for _, name in ipairs(sorted_keys(value)) do
      if checks[name] == nil then return errors.unknown_field(name, node, checks) end
    end
  end

  return function(value)
    if not is_table and type(value) ~= "table" then return not_an_object(node, value) end
    local first, err
    for name, field in next, value do
      local check = checks[name]
      if check == nil then
        if not open then return wrong_shape(value) end
      elseif check ~= true then
        local here = check(field)
        if here and (not first or name < first) then first, err = name, here end
      end
    end
    if open and value[1] ~= nil then return wrong_shape(value) end
    for i = 1, required_count do
      local name = required[i]
      if value[name] == nil then
        if not first or name < first then first, err = name, new_error("is missing") end
        break
      end
    end
    if err then return below("." .. first, err) end
    for i = 1, rule_count do
      err = rules[i](value)
      if err then return err end
    end
  end
end

local function compile_variants(node, mode, known)
  local by, either_case, open, variants = node.by, node.either_case, node.open, node.variants
  local tags, is_table = { [by] = true }, next(known) ~= nil
  for name in pairs(known) do tags[name] = true end
  local without = node.without and compile(node.without, mode, tags)

  -- Compiles each variant at its first use, because rare variants need further modules.
  local checks = setmetatable({}, { __index = function(checks, tag)
    local variant = variants[tag]
    if not variant then return nil end
    variant = effective(variant, mode)
    local unsupported = variant.unsupported
    checks[tag] = unsupported and function() return new_error(unsupported, "." .. by, true) end
      or compile(variant, mode, tags)
    return checks[tag]
  end })

  local function not_a_variant(value, tag)
    if value[1] ~= nil then return errors.wrong_type("object", value) end
    local allowed = {}
    for _, name in ipairs(sorted_keys(variants)) do
      if not effective(variants[name], mode).unsupported then allowed[#allowed + 1] = name end
    end
    return below("." .. by, errors.choice(tag, allowed))
  end

  return function(value)
    if not is_table and type(value) ~= "table" then return errors.wrong_type("object", value) end
    local tag = value[by]
    local check
    if tag == nil then check = without else check = checks[tag] end
    if not check and either_case and type(tag) == "string" then check = checks[tag:lower()] end
    if check then return check(value) end
    if not open then return not_a_variant(value, tag) end
  end
end

local function with_message(check, message)
  return function(value)
    if check(value) then return new_error((message:gsub("%%s", function() return errors.quoted(value) end))) end
  end
end

-- Makes a check that is followed by the checks of the rules in `also`.
local function with_further_rules(check, rules, mode)
  local checks, conditions = {}, {}
  for _, rule in ipairs(rules) do
    local further = compile(rule, mode)
    if further then
      checks[#checks + 1] = further
      conditions[#checks] = rule.when and compile(rule.when, mode) or false
    end
  end
  return function(value)
    local err = check and check(value)
    for i = 1, #checks do
      if err then return err end
      local condition = conditions[i]
      if not (condition and condition(value)) then err = checks[i](value) end
    end
    return err
  end
end

local function make(node, mode, known)
  node = effective(node, mode)
  local check
  if node.one_of then
    check = scalars.choice(node)
  elseif node.variants then
    check = compile_variants(node, mode, known)
  elseif node.is == "object" then
    check = compile_object(node, mode, known)
  elseif node.is == "list" then
    check = runtime.require("waba.schema.lists").check(node, node.each and compile(node.each, mode),
      further_checks(node, mode, "waba.schema.lists"))
  elseif node.is then
    check = scalars[node.is](node)
  end
  if check and node.message then check = with_message(check, node.message) end
  if node.also then check = with_further_rules(check, node.also, mode) end
  return check
end

-- Compiled checks by mode and rule, because rules are shared. `false` stands for a rule that accepts every value.
local made = { [true] = setmetatable({}, { __mode = "k" }), documented = setmetatable({}, { __mode = "k" }) }

--- Compiles a rule.
---@param node waba.Rule
---@param mode true|"documented"
---@param known? table<string, true>  the fields that selected a variant
---@return nil|fun(value: any): waba.RuleError?  nil for a rule that accepts every value
function compile(node, mode, known)
  if known then return make(node, mode, known) end
  local check = made[mode][node]
  if check == nil then
    check = make(node, mode, {}) or false
    made[mode][node] = check
  end
  return check or nil
end

return { compile = compile, effective = effective }
