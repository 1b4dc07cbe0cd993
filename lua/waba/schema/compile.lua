-- Turns rules into checks: each node becomes a closure that takes a value and returns a fault, or nil.
-- A value without fault costs no allocation; the order of a table's fields decides nothing.

local core = require "waba.core"
local faults = require "waba.schema.faults"
local formats = require "waba.schema.formats"
local list_rules = require "waba.schema.list_rules"
local object_rules = require "waba.schema.object_rules"
local options = require "waba.options"

local next, type, ipairs, pairs, tostring = next, type, ipairs, pairs, tostring
local utf8_length = core.utf8_length
local fault, below = faults.new, faults.below

--- One node of the rules. What a node doesn't say is not asked for.
---@class waba.Rule
---@field is? "string"|"number"|"integer"|"decimal"|"boolean"|"object"|"list"  a decimal is a number, or
---  a string that reads as one
---@field required? boolean                    in its object
---@field lacks? string                        of a type or variant: the sentence why the hosting refuses it
---@field characters? { [1]: integer, [2]: integer? }  of a string: least and most
---@field format? string                       of a string: a name from schema/formats.lua
---@field range? { [1]: number, [2]: number? } of a number: least and most
---@field one_of? any[]                        the allowed values
---@field as? string                           how to name the allowed values in a sentence
---@field fields? table<string, waba.Rule>     of an object; a field that is not here is refused
---@field open? boolean                        of an object: unknown fields are welcome
---@field refused? table<string, string>       of an object: fields that are known to be wrong, and why
---@field instead? string                      of an object: what to give instead of a value of another type
---@field suggest? string[]                    names to think of when a field is unknown
---@field exactly_one? string[]                of an object: of these fields, one
---@field at_least_one? string[]               of an object: of these fields, one or more
---@field only_with? table<string, string>     of an object: a field that makes sense beside another only
---@field needs? table<string, { field: string, format: string }>  of an object: what a field, when
---  true, asks of another
---@field asks_for? table<string, table<any, string>>  of an object: for a value of a field, another field
---  that it needs
---@field not_empty? boolean                   of an open object: it has at least one field
---@field adds_up? { total: string, plus: string[], minus: string[] }  of an object: paths of integers
---  whose sum is the total; what is absent counts as 0, but without the first there is no sum
---@field by? string                           of an object: the field whose value chooses the variant
---@field variants? table<string, waba.Rule>
---@field either_case? boolean                 of variants: the value that chooses may also be in upper case
---@field without? waba.Rule                   of variants: the rule when the field that chooses is absent
---@field each? waba.Rule                      of a list
---@field count? { [1]: integer, [2]: integer? }  of a list: least (1 when not said) and most
---@field unique? string[]                     of a list: "reply.id" or "rows[].id", different in all items
---@field total? { of: string, most: integer } of a list: of the lists in this field of all items together
---@field same? string[]                       of a list: "header.type", the same in all items, or absent
---  in all; "#action.buttons", as many in all items
---@field all_or_none? string[]                of a list: a field that all items have, or none
---@field at_most? { field: string, value: string, count: integer }  of a list: items with this value, in either case
---@field when_several? string                 of a list: the field that items need when there are several
---@field body_text? { alone: integer, beside: integer }  of a template's components: characters of
---  the body's texts together, alone and beside other components
---@field inferred? waba.Rule                  what holds besides or instead, but is not documented: the
---  mode "documented" leaves it out

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

local compile -- nodes hold nodes

-- The node as it holds in a mode: with what is inferred, or without.
local function effective(node, mode)
  if not node.inferred or mode == "documented" then return node end
  local whole = {}
  for name, rule in pairs(node) do whole[name] = rule end
  for name, rule in pairs(node.inferred) do whole[name] = rule end
  return whole
end

local function compile_string(node)
  local least, most = 0, math.huge
  if node.characters then least, most = node.characters[1], node.characters[2] or math.huge end
  local format = node.format and formats[node.format]
  local fits = format and format.fits
  return function(value)
    if type(value) ~= "string" then return faults.wrong_type("string", value) end
    local length, position = utf8_length(value)
    if not length then return fault(("is not valid UTF-8 at byte %d"):format(position)) end
    if length < least or length > most then return faults.size(length, node.characters, "character") end
    if fits then
      local fitting, cause = fits(value)
      if not fitting then return fault(cause or format.says) end
    end
  end
end

local function compile_number(node)
  local whole = node.is == "integer"
  local least, most = -math.huge, math.huge
  if node.range then least, most = node.range[1], node.range[2] or math.huge end
  return function(value)
    if type(value) ~= "number" then return faults.wrong_type(node.is, value) end
    if value ~= value or value == math.huge or value == -math.huge then return fault("must be a finite number") end
    if whole and value % 1 ~= 0 then return fault(("is %s; it must be an integer"):format(tostring(value))) end
    if value < least or value > most then
      local says = most == math.huge and "is %s; it must be at least %s" or "is %s; allowed is %s to %s"
      return fault(says:format(tostring(value), tostring(least), tostring(most)))
    end
  end
end

-- A number, or a string that reads as one.
local function compile_decimal(node)
  local check = compile_number({ is = "number", range = node.range })
  return function(value)
    if type(value) ~= "string" then return check(value) end
    if not value:find("^%-?%d+%.?%d*$") or #value > 40 then
      return fault("must be a number, or a string that reads as one")
    end
    return check(tonumber(value))
  end
end

local function compile_boolean()
  return function(value)
    if type(value) ~= "boolean" then return faults.wrong_type("boolean", value) end
  end
end

local function compile_choice(node)
  local allowed = {}
  for _, value in ipairs(node.one_of) do allowed[value] = true end
  return function(value)
    if not allowed[value] then return faults.choice(value, node.one_of, node.as) end
  end
end

-- Objects

-- What the node says about its fields together, as checks in a set order.
local function collective(node, rules)
  local checks = {}
  for _, name in ipairs(sorted_keys(rules)) do
    if node[name] then checks[#checks + 1] = rules[name](node[name]) end
  end
  return checks, #checks
end

-- The known name an unknown one was probably meant to be; names one level down count too.
local function meant(name, node, known)
  local names = {}
  for _, other in ipairs(node.suggest or {}) do names[other] = other end
  for field, child in pairs(node.fields or {}) do
    for below_it in pairs(child.fields or {}) do names[below_it] = field .. "." .. below_it end
  end
  for other in pairs(known) do names[other] = other end
  local near = options.nearest(name, names)
  return near and names[near]
end

local function unknown_field(name, node, known)
  local reason = node.refused and node.refused[name]
  if reason then return fault(reason, "." .. name) end
  if type(name) ~= "string" then
    return fault(("must be an object; it has a position %s"):format(tostring(name)))
  elseif not faults.can_show(name) then
    return fault("has a field that is not known")
  end
  local near = meant(name, node, known)
  return fault("is not a known field" .. (near and ("; did you mean %s?"):format(near) or ""), "." .. name)
end

-- The error for a value that is not an object.
local function no_object(node, value)
  local found = faults.wrong_type("object", value)
  if node.instead then found.says = found.says .. ": " .. node.instead end
  return found
end

-- `known` holds the fields that chose this node as a variant; the value is then known to be a table.
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
  local rules, rule_count = collective(node, object_rules)
  local open, required_count, is_table = node.open, #required, next(known) ~= nil

  -- What keeps a value from being this object at all, whatever its fields hold.
  local function wrong_shape(value)
    if value[1] ~= nil then return no_object(node, value) end
    for _, name in ipairs(sorted_keys(value)) do
      if checks[name] == nil then return unknown_field(name, node, checks) end
    end
  end

  -- Of several faults the one is named whose field comes first by name: the order of a table decides nothing.
  return function(value)
    if not is_table and type(value) ~= "table" then return no_object(node, value) end
    local first, found
    for name, field in next, value do
      local check = checks[name]
      if check == nil then
        if not open then return wrong_shape(value) end
      elseif check ~= true then
        local here = check(field)
        if here and (not first or name < first) then first, found = name, here end
      end
    end
    if open and value[1] ~= nil then return wrong_shape(value) end
    for i = 1, required_count do
      local name = required[i]
      if value[name] == nil then
        if not first or name < first then first, found = name, fault("is missing") end
        break
      end
    end
    if found then return below("." .. first, found) end
    for i = 1, rule_count do
      found = rules[i](value)
      if found then return found end
    end
  end
end

local function compile_variants(node, mode, known)
  local by, either_case = node.by, node.either_case
  local tags, is_table = {}, next(known) ~= nil
  for name in pairs(known) do tags[name] = true end
  tags[by] = true
  local checks, allowed = {}, {}
  for _, tag in ipairs(sorted_keys(node.variants)) do
    local variant = effective(node.variants[tag], mode)
    if variant.lacks then
      checks[tag] = function() return fault(variant.lacks, "." .. by, true) end
    else
      checks[tag] = compile(variant, mode, tags)
      allowed[#allowed + 1] = tag
    end
  end
  local without = node.without and compile(node.without, mode, tags)
  return function(value)
    if not is_table and type(value) ~= "table" then return faults.wrong_type("object", value) end
    local tag = value[by]
    local check = checks[tag]
    if not check and either_case and type(tag) == "string" then check = checks[tag:lower()] end
    if not check and tag == nil then check = without end
    if check then return check(value) end
    if value[1] ~= nil then return faults.wrong_type("object", value) end
    return below("." .. by, faults.choice(tag, allowed))
  end
end

-- Lists

-- What is wrong with the table itself: a key that is no position, a gap, or its size.
local function list_fault(value, count, limits)
  for key in pairs(value) do
    if type(key) ~= "number" or key < 1 or key % 1 ~= 0 then
      if value[1] ~= nil then return fault("must be a list, not a list with other keys") end
      return faults.wrong_type("list", value)
    end
  end
  for i = 1, count do
    if value[i] == nil then return fault("is missing; a list has no gaps", ("[%d]"):format(i)) end
  end
  return faults.size(count, limits, "element")
end

local function compile_list(node, mode)
  local check = compile(node.each, mode)
  local limits = node.count or { 1 }
  local least, most = limits[1], limits[2] or math.huge
  local rules, rule_count = collective(node, list_rules)

  return function(value)
    if type(value) ~= "table" then return faults.wrong_type("list", value) end
    -- as many keys as positions from 1 on: nothing else is in the table
    local count = 0
    for _ in next, value do count = count + 1 end
    if count < least or count > most or count ~= #value then return list_fault(value, count, limits) end
    for i = 1, count do
      local item = value[i]
      if item == nil then return list_fault(value, count, limits) end
      local found = check(item)
      if found then return below(("[%d]"):format(i), found) end
    end
    for i = 1, rule_count do
      local found = rules[i](value)
      if found then return found end
    end
  end
end

local compilers = {
  string = compile_string,
  number = compile_number,
  integer = compile_number,
  decimal = compile_decimal,
  boolean = compile_boolean,
  object = compile_object,
  list = compile_list,
}

local function make(node, mode, known)
  node = effective(node, mode)
  if node.one_of then
    return compile_choice(node)
  elseif node.variants then
    return compile_variants(node, mode, known)
  elseif node.is then
    return compilers[node.is](node, mode, known)
  end
end

-- Compiled checks, by mode and node, because rules share nodes. `false`: a node without rules.
local made = { [true] = setmetatable({}, { __mode = "k" }), documented = setmetatable({}, { __mode = "k" }) }

--- Compiles the check of a node.
---@param node waba.Rule
---@param mode true|"documented"
---@param known? table<string, true>  fields that were checked on the way here
---@return nil|fun(value: any): waba.Fault?  nil for a node without rules
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
