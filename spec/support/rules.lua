-- Makes messages that test every rule of a hosting (lua/waba/schema/<hosting>.lua). The check must accept messages at
-- the limit of a rule, and refuse messages beyond the limit with an error that has the path of the invalid value.

local cases = require "spec.support.rules.cases"
local smallest = require "spec.support.rules.minimal"
local messages = require "spec.support.messages"
local schema = require "waba.schema"

local rules = {}

local copy = messages.copy
local sorted_keys, strict, minimal, minimal_object = smallest.sorted_keys, smallest.strict, smallest.value, smallest.object

-- Keys of a node of the schema that are not rules, or that the function `walk` handles.
local handled_by_walk = {
  required = true, unsupported = true, as = true, fields = true, open = true, suggest = true, by = true, variants = true,
  each = true, inferred = true, either_case = true, without = true, instead = true, check = true,
}

-- The walk ----------------------------------------------------------------------------------------

---@class RuleCase
---@field name string      such as "interactive.action.buttons[].reply.title: characters"
---@field inferred boolean  whether the platform does not document the rule
---@field good waba.Message[]
---@field bad { message: waba.Message, path: string }[]

local function trimmed(path) return (path:gsub("^%.", "")) end

-- Adds the cases of a node of the schema. `embed(value)` returns a complete message with a value for this node; `path`
-- is the path of an error in the value.
local function walk(node, name, path, embed, found)
  local whole = strict(node)

  local function case(rule, inferred)
    local result = { name = trimmed(name) .. ": " .. rule, inferred = inferred or false, good = {}, bad = {} }
    found[#found + 1] = result
    return {
      good = function(value) result.good[#result.good + 1] = embed(copy(value)) end,
      bad = function(value, where)
        local message = embed(copy(value))
        local at = trimmed(path .. (where or ""))
        if type(message) ~= "table" and at == "" then at = "message" end
        result.bad[#result.bad + 1] = { message = message, path = at }
      end,
    }
  end

  for _, rule in ipairs(sorted_keys(whole)) do
    if cases[rule] and whole[rule] ~= false then
      cases[rule](whole[rule], whole, case(rule, node.inferred and node.inferred[rule] ~= nil))
    elseif not handled_by_walk[rule] then
      error(("%s: no function in spec/support/rules/cases.lua tests the rule %s"):format(name, rule))
    end
  end

  for _, field in ipairs(sorted_keys(whole.fields)) do
    local child = whole.fields[field]
    local function embed_field(value)
      local holder = minimal_object(whole, field)
      holder[field] = value
      local asked = whole.requires and whole.requires[field] and whole.requires[field][value]
      if asked then holder[asked] = minimal(whole.fields[asked]) end
      return embed(holder)
    end
    if strict(child).required then
      local place = case(field .. " is required", child.inferred and child.inferred.required)
      local without = minimal_object(whole)
      place.good(copy(without))
      without[field] = nil
      place.bad(without, "." .. field)
    end
    walk(child, name .. "." .. field, path .. "." .. field, embed_field, found)
  end

  if whole.is == "object" and not whole.open and not whole.variants then
    local value = minimal_object(whole)
    value.colour = "blue"
    case("unknown fields", node.inferred and node.inferred.open == false).bad(value, ".colour")
  end

  if whole.variants then
    local place = case(whole.by .. " is one of the variants")
    for _, tag in ipairs { "something else", 5 } do place.bad({ [whole.by] = tag }, "." .. whole.by) end
    if whole.without then
      walk(whole.without, name, path, embed, found)
    else
      place.bad({}, "." .. whole.by)
    end
    for _, tag in ipairs(sorted_keys(whole.variants)) do
      local variant = whole.variants[tag]
      local function embed_variant(value)
        if type(value) == "table" and value[1] == nil then value[whole.by] = tag end
        return embed(value)
      end
      if strict(variant).unsupported then
        local lacking = case(tag .. " is lacking", not variant.unsupported)
        local value = variant.fields and minimal_object(variant) or {}
        value[whole.by] = tag
        lacking.bad(value, "." .. whole.by)
      else
        place.good(minimal({ is = "object", by = whole.by, variants = { [tag] = variant } }))
        if whole.either_case then
          local value = minimal({ is = "object", by = whole.by, variants = { [tag] = variant } })
          value[whole.by] = tag:upper()
          place.good(value)
        end
        walk(variant, ("%s(%s)"):format(name, tag), path, embed_variant, found)
      end
    end
  end

  if whole.each then
    walk(whole.each, name .. "[]", path .. "[1]", function(value) return embed(smallest.list_with(whole, value)) end, found)
  end
end

--- Returns the cases of every rule for the messages of a hosting.
---@return RuleCase[]
function rules.cases(hosting)
  local ruleset = schema.ruleset(hosting)
  local found = {}
  for _, kind in ipairs(sorted_keys(ruleset.types)) do
    local unsupported = schema.content(ruleset, kind).unsupported
    if unsupported then
      found[#found + 1] = {
        name = kind .. ": unsupported", inferred = false, good = {},
        bad = { { message = { type = kind, [kind] = {} }, path = "type" } },
      }
    else
      walk(schema.envelope(ruleset, kind), "", "", function(message)
        if type(message) == "table" then message.type = kind end
        return message
      end, found)
    end
  end
  return found
end

return rules
