-- Compiles rules to checks. A rule is a table that describes a value, a message's content for example; its check is a
-- closure that takes a value and returns an error, or nil. A valid value costs no allocation. Of several errors the one
-- whose field comes first by name is returned, so the order of a table decides nothing.
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
---@field required? boolean  of a field: the object must have it
---@field unsupported? string  of a message type or variant: the hosting does not offer it; a whole sentence
---@field message? string  the error message instead of the rule's own; %s stands for the value
---@field also? waba.Rule[]
---@field when? waba.Rule  of a rule in `also`
---@field inferred? waba.Rule
---
---@field one_of? any[]  the allowed values
---@field as? string  the description of the allowed values in the error message
---
---@field characters? { [1]: integer, [2]: integer? }  of a string: minimum and maximum
---@field format? string|waba.Format  of a string: a name in schema/formats.lua, or a format
---@field range? { [1]: number, [2]: number? }  of a number: minimum and maximum
---@field or_value? number  of a number: one more allowed value, outside the range
---
---@field fields? table<string, waba.Rule>  of an object
---@field open? boolean  of an object: unknown fields are allowed; of variants: values without a variant are allowed
---@field refused? table<string, string>  of an object: known wrong fields, by name, with their error messages
---@field instead? string  of an object: advice that is added to the error for a value that is no object
---@field suggest? string[]  of an object: further names that an unknown field may have been meant to be
---@field by? string  of an object: the field whose value chooses the variant
---@field variants? table<string, waba.Rule>
---@field either_case? boolean  of variants: the value of that field may also be in upper case
---@field without? waba.Rule  of variants: the rule when that field is absent
---
---@field exactly_one? string[]  of an object: it has exactly one of these fields
---@field at_least_one? string[]  of an object: it has at least one of these fields
---@field only_with? table<string, string>  of an object: a field, and the field without which it is not allowed
---@field needs? table<string, { field: string, format: string|waba.Format }>  of an object: a field that, when it is true, needs
---  another field to have a format
---@field asks_for? table<string, table<any, string>>  of an object: a field, and for a value of it the field that it
---  needs
---@field present? { path: string, unless: string?, when: { field: string, format: waba.Format }?, message: string }  of an
---  object: it needs a value at a path, as "example.header_handle", unless it has the field `unless`, and only when the
---  field in `when` has a format; the message gives the reason
---@field not_empty? boolean  of an open object: it has at least one field
---@field adds_up? { total: string, plus: string[], minus: string[] }  of an object: paths of integers and of their total.
---  An absent one counts as 0; nothing is checked when the total or the first is absent
---@field examples? { text: string, values: string?, sets: string?, named: string?, required: boolean? }  of a template's
---  component: the field with the text, and the paths of the examples for its placeholders: a list of values, a list of
---  such lists, or a list of { param_name, example }. With two paths, the text's first placeholder decides
---
---@field each? waba.Rule  of a list
---@field count? { [1]: integer, [2]: integer? }  of a list: minimum (1 by default) and maximum
---@field has? waba.Rule  of a list: at least one element satisfies this rule; its `message` is the error
---@field unique? string[]  of a list: paths with different values in all elements: "reply.id"; "rows[].id" is the field
---  `id` of all elements of the lists `rows`
---@field same? string[]  of a list: paths with the same value in all elements, or absent in all; "#action.buttons" is the
---  length of a list
---@field same_parts? string  of a list of cards: the field with their components, which are alike in all
---@field all_or_none? string[]  of a list: fields that all elements have, or none
---@field at_most? { field: string, counts: table<string, integer> }  of a list: how often a field may have a value, in
---  upper or lower case
---@field grouped? { field: string, value: string }  of a list: the elements with this value stand together, and so do the
---  others
---@field total? { of: string, most: integer }  of a list: the lengths of the lists in a field of all elements together
---@field when_several? string  of a list: the field that is required when there are several elements
---@field body_text? { alone: integer, beside: integer }  of a template's components: the most characters of all texts of
---  the body, alone and beside other components

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

local compile -- rules contain rules

-- A rule as it applies in a mode: with its inferred fields, or without.
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

-- The checks of the other fields of a rule, in the order of their names.
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

  -- Rare variants need modules that the others do not, so each is compiled when a value has chosen it.
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

-- A check followed by those of the rules in `also`.
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
---@param known? table<string, true>  of a variant: the fields that chose it
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
