-- Compiles rules to checks. A rule is a table that describes a value, such as the content of a message. A check is a
-- function that takes a value and returns an error or nil. For a valid value, a check allocates no memory. If several
-- fields are invalid, a check returns the error of the field whose name comes first in the alphabet.
--
-- The notation of rules:
--
-- - `is` is the type of the value. A rule without `is`, `one_of` and `variants` accepts every value.
-- - `fields` has the rules of all fields of an object. Other fields are an error unless the rule is `open`. A field is
--   optional unless its rule is `required`.
-- - `by` and `variants` select the rule of an object by the value of one of its fields:
--   `{ is = "object", by = "type", variants = { image = …, video = … } }`.
-- - `each` is the rule of every element of a list.
-- - `also` lists rules that are checked after the rule itself, in order. A rule with `when` applies only to values that
--   satisfy the rule in `when`.
-- - `inferred` has parts of the rule that the platform does not document. These parts are added to the rule, or replace
--   parts of the rule with the same name. The option `validate = "documented"` ignores `inferred`.
-- - An error text is the end of a sentence that begins with the path of the field: "must be a string, not a table".
--
-- Example, an object with an id and a title of at most 20 characters:
--
--    { is = "object", fields = { id = { is = "string", required = true },
--      title = { is = "string", characters = { 1, 20 } } } }

local errors = require "waba.schema.errors"
local runtime = require "waba.runtime"
local scalars = require "waba.schema.scalars"
local with = require("waba.schema.shared").with

local next, type, ipairs, pairs, tostring = next, type, ipairs, pairs, tostring
local new_error, below = errors.new, errors.below

local UNKNOWN = "waba.schema.unknown_field"

---@class waba.Rule
---@field is? "string"|"number"|"integer"|"decimal"|"boolean"|"object"|"list"  a decimal is a number or a numeric string
---@field required? boolean  true: an object must have this field
---@field unsupported? string  the error text for a message type or variant that the hosting does not support
---@field message? string  replaces the usual error text of the rule; %s stands for the value
---@field check? fun(value: table): waba.RuleError?  a further check of the object or list,
---  which is called after the checks of the fields or elements
---@field also? waba.Rule[]
---@field when? waba.Rule
---@field inferred? waba.Rule
---
---@field one_of? any[]  the allowed values
---@field as? string  the description of the allowed values in the error text
---
---@field characters? { [1]: integer, [2]: integer? }  the smallest and the largest length of a string
---@field format? string|waba.Format  the format of a string, or the name of a format in schema/formats.lua
---@field range? { [1]: number, [2]: number? }  the smallest and the largest value of a number
---@field or_value? number  an allowed number outside of the range
---
---@field fields? table<string, waba.Rule>
---@field open? boolean  true: an object may have unknown fields, and its field `by` a value without a variant
---@field refused? table<string, string>  error texts for fields that are not allowed
---@field instead? string  the advice in the error text for a value that is not an object
---@field suggest? string[]  further names that the error text for an unknown field may suggest
---@field by? string  the field whose value selects the variant
---@field variants? table<string, waba.Rule>
---@field either_case? boolean  true: the value of the field `by` may be in upper case
---@field without? waba.Rule  the rule for an object without the field `by`
---
---@field exactly_one? string[]  names of fields, of which an object must have exactly one
---@field at_least_one? string[]  names of fields, of which an object must have at least one
---@field only_with? table<string, string>  maps a field to another field that the first field requires
---@field requires? table<string, table<any, string>>  maps a field and its value to another field that the value requires
---@field not_empty? boolean  true: an open object must have at least one field
---
---@field each? waba.Rule  the rule of a list's elements
---@field count? { [1]: integer, [2]: integer? }  the smallest (default: 1) and the largest length of a list
---@field has? waba.Rule  a rule that at least one element must satisfy; its field `message` is the error text
---@field unique? string[]  paths at which all values must differ: "reply.id" compares the elements of the list,
---  "rows[].id" compares the elements of all lists `rows`
---@field same? string[]  paths at which all elements must have the same value or no value; "#action.buttons" compares
---  the lengths of the lists `action.buttons`
---@field all_or_none? string[]  names of fields that either all elements or no elements have
---@field at_most? { field: string, counts: table<string, integer> }  for values of the field, in upper or lower case,
---  the largest number of elements with this value
---@field total? { of: string, most: integer }  the largest total number of elements in the lists of the field `of`
---@field when_several? string  the name of a field that all elements need if the list has several elements
---@field body_text? { alone: integer, beside: integer }  the largest number of characters in the body of a template
---  without other components (`alone`), and with other components (`beside`)

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

local compile -- declared here, because rules contain rules

-- Returns a rule with its inferred fields, unless the mode is "documented".
local function effective(node, mode)
  if not node.inferred or mode == "documented" then return node end
  return with(node, node.inferred)
end

-- The fields of a rule that have no function in object_rules.lua or list_rules.lua. The field `check` is not in this
-- table, because its value is the function.
local WITHOUT_FUNCTION = {
  is = true, required = true, unsupported = true, message = true, also = true, when = true, inferred = true,
  fields = true, open = true, refused = true, instead = true, suggest = true, each = true, count = true,
}

-- Returns the checks of those fields of a rule that have a function, in the alphabetical order of the fields.
local function further_checks(node, mode, module)
  local checks = {}
  for _, name in ipairs(sorted_keys(node)) do
    if name == "check" then
      checks[#checks + 1] = node.check
    elseif node[name] and not WITHOUT_FUNCTION[name] then
      local rule = runtime.require(module)[name]
      checks[#checks + 1] = rule(node[name], function(inner) return compile(inner, mode) end)
    end
  end
  return checks
end

local function not_an_object(node, value)
  local err = errors.wrong_type("object", value)
  if node.instead then err.message = err.message .. ": " .. node.instead end
  return err
end

-- `known` has the fields that have selected this rule as a variant. If `known` has a field, the value is certainly a
-- table.
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
  local open, is_table = node.open, next(known) ~= nil
  -- most objects have one required field and no further checks
  local first_required, required_count, rule_count = required[1], #required, #rules

  -- Returns the error for a list or for an unknown field.
  local function wrong_shape(value)
    if value[1] ~= nil then return not_an_object(node, value) end
    for _, name in ipairs(sorted_keys(value)) do
      if checks[name] == nil then return runtime.require(UNKNOWN).of(name, node, checks) end
    end
  end

  local function first_missing(value)
    for i = 2, required_count do
      if value[required[i]] == nil then return required[i] end
    end
  end

  return function(value)
    if not is_table and type(value) ~= "table" then return not_an_object(node, value) end
    local first, err
    for name, field in next, value do
      local check = checks[name]
      if not check then
        if not open then return wrong_shape(value) end
      elseif check ~= true then
        local here = check(field)
        if here and (not first or name < first) then first, err = name, here end
      end
    end
    if open and value[1] ~= nil then return wrong_shape(value) end
    local missing = value[first_required] == nil and first_required or required_count > 1 and first_missing(value)
    if missing and (not first or missing < first) then first, err = missing, new_error("is missing") end
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

  -- Compiles each variant at its first use, because rare variants load further modules.
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
    local err = tag == nil and node.suggest and runtime.require(UNKNOWN).of_no_variant(node, value, tags, mode)
    if err then return err end
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

-- Creates a check that also checks the rules in `also`.
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
    check = runtime.require("waba.schema.list_rules").check(node, node.each and compile(node.each, mode),
      further_checks(node, mode, "waba.schema.list_rules"))
  elseif node.is then
    check = scalars[node.is](node)
  end
  if check and node.message then check = with_message(check, node.message) end
  if node.also then check = with_further_rules(check, node.also, mode) end
  return check
end

local made = { [true] = setmetatable({}, { __mode = "k" }), documented = setmetatable({}, { __mode = "k" }) }

--- Compiles a rule to a function that takes a value and returns a waba.RuleError or nil. Returns nil or false for a
--- rule that accepts every value. `known` has the fields by whose values this variant was selected.
---@param node waba.Rule
---@param mode true|"documented"  "documented": the check ignores `inferred`
---@param known? table<string, true>
function compile(node, mode, known)
  if known then return make(node, mode, known) end
  local checks = made[mode]
  if checks[node] == nil then checks[node] = make(node, mode, {}) or false end
  return checks[node]
end

return { compile = compile, effective = effective }
