-- Walks the rules of a hosting (lua/waba/schema/<hosting>.lua) and makes, for every single rule, whole
-- messages on both sides of it: those at the limit, which must pass, and those beyond, which must fail
-- at a given path.

local formats = require "waba.schema.formats"
local messages = require "spec.support.messages"
local schema = require "waba.schema"

local rules = {}

local copy = messages.copy

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map or {}) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local function contains(list, value)
  for _, item in ipairs(list or {}) do
    if item == value then return true end
  end
  return false
end

-- A node with what is inferred.
local function strict(node)
  local whole = {}
  for name, rule in pairs(node) do whole[name] = rule end
  for name, rule in pairs(node.inferred or {}) do whole[name] = rule end
  return whole
end

-- The least that fits a node ------------------------------------------------------------------------

local counter = 0 -- keeps generated texts apart

local minimal

local function minimal_text(node)
  counter = counter + 1
  local format = node.format and formats[node.format]
  local text = "x" .. counter % 100000
  if format and not format.fits(text) then text = format.good[1] end
  return text
end

-- With the field `with`, or a sensible choice where the fields exclude each other.
local function minimal_object(node, with)
  local value = {}
  local wanted = {}
  for name, field in pairs(node.fields or {}) do
    if strict(field).required then wanted[name] = true end
  end
  if with and node.only_with and node.only_with[with] then
    wanted[node.only_with[with]] = true
  elseif node.exactly_one and not contains(node.exactly_one, with) then
    wanted[node.exactly_one[1]] = true
  end
  if node.at_least_one and not contains(node.at_least_one, with) then wanted[node.at_least_one[1]] = true end
  for name in pairs(wanted) do
    if name ~= with then value[name] = minimal(node.fields[name]) end
  end
  return value
end

function minimal(node)
  node = strict(node)
  if node.one_of then return node.one_of[1] end
  if node.variants then
    for _, tag in ipairs(sorted_keys(node.variants)) do
      if not strict(node.variants[tag]).lacks then
        local value = minimal(node.variants[tag])
        value[node.by] = tag
        return value
      end
    end
  end
  if node.is == "string" then return minimal_text(node) end
  if node.is == "number" or node.is == "integer" then return node.range and node.range[1] or 1 end
  if node.is == "boolean" then return false end
  if node.is == "list" then
    local value = {}
    for i = 1, node.count and node.count[1] or 1 do value[i] = minimal(node.each) end
    return value
  end
  return minimal_object(node)
end

-- An item that has the field `name`, through whichever variant.
local function item_with(node, name)
  node = strict(node)
  for _, tag in ipairs(sorted_keys(node.variants)) do
    local value = item_with(node.variants[tag], name)
    if value then
      value[node.by] = tag
      return value
    end
  end
  if node.fields and node.fields[name] then
    local value = minimal_object(node, name)
    value[name] = minimal(node.fields[name])
    return value
  end
end

-- Texts and lists of a given size -------------------------------------------------------------------

local function text_of(node, length)
  local text = ("\195\164"):rep(length) -- two bytes each: limits count characters
  local format = node.format and formats[node.format]
  if not format or format.fits(text) then return text end
  return node.format == "url" and "https://" .. ("a"):rep(length - 8) or ("a"):rep(length)
end

local function list_of(node, length)
  local list = {}
  local tags = contains(node.unique, node.each.by) and sorted_keys(node.each.variants)
  for i = 1, length do
    local tag = tags and tags[(i - 1) % #tags + 1]
    list[i] = minimal(tag and { by = node.each.by, variants = { [tag] = node.each.variants[tag] } } or node.each)
    if node.when_several and length > 1 then list[i][node.when_several] = "title " .. i end
  end
  return list
end

-- One function per rule: what the node says, the node, and `at(value)`, `good(value)`, `bad(value, path)`
-- to place a value in a whole message.
local cases = {}

local wrong_values = {
  string = { 5, true, {} },
  number = { "5", true, {} },
  integer = { "5", true, {}, 1.5 },
  boolean = { "true", 1 },
  object = { "x", 5, { "x" } },
  list = { "x", 5, { x = 1 }, { [2] = "x" } },
}

function cases.is(kind, node, place)
  place.good(minimal(node))
  for _, value in ipairs(wrong_values[kind]) do
    local path = ""
    if kind == "list" and type(value) == "table" and value[2] then path = "[1]" end
    place.bad(value, path)
  end
  if kind == "number" or kind == "integer" then
    place.bad(0 / 0)
    place.bad(1 / 0)
  elseif kind == "string" then
    place.bad("\255\254")
    place.bad("caf\233")
  elseif kind == "list" and not node.count then
    place.bad({})
  end
end

function cases.characters(limits, node, place)
  local least, most = limits[1], limits[2]
  local shortest_url = #"https://a"
  if least > 0 then
    if node.format ~= "url" or least >= shortest_url then place.good(text_of(node, least)) end
    place.bad(text_of(node, least - 1))
  end
  if most then
    place.good(text_of(node, most))
    place.bad(text_of(node, most + 1))
  end
end

function cases.format(name, _, place)
  for _, text in ipairs(formats[name].good) do place.good(text) end
  for _, text in ipairs(formats[name].bad) do place.bad(text) end
end

function cases.range(limits, _, place)
  place.good(limits[1])
  place.good(limits[2])
  place.bad(limits[1] - 1)
  place.bad(limits[2] + 1)
end

function cases.one_of(allowed, _, place)
  for _, value in ipairs(allowed) do place.good(value) end
  place.bad("something else")
  place.bad(true)
end

function cases.refused(names, node, place)
  for _, name in ipairs(sorted_keys(names)) do
    local value = minimal_object(node)
    value[name] = "x"
    place.bad(value, "." .. name)
  end
end

function cases.exactly_one(names, node, place)
  local both = minimal_object(node)
  for _, name in ipairs(names) do
    local value = minimal_object(node, name)
    value[name] = minimal(node.fields[name])
    place.good(value)
    both[name] = value[name]
  end
  place.bad(both)
  local none = minimal_object(node)
  for _, name in ipairs(names) do none[name] = nil end
  place.bad(none)
end

function cases.at_least_one(names, node, place)
  local none = minimal_object(node)
  for _, name in ipairs(names) do
    local value = minimal_object(node, name)
    value[name] = minimal(node.fields[name])
    place.good(value)
    none[name] = nil
  end
  place.bad(none)
end

function cases.only_with(others, node, place)
  for name, other in pairs(others) do
    local value = minimal_object(node, name)
    value[name] = minimal(node.fields[name])
    place.good(copy(value))
    value[other] = nil
    for _, alternative in ipairs(node.exactly_one or {}) do
      if alternative ~= other then value[alternative] = minimal(node.fields[alternative]) end
    end
    place.bad(value, "." .. name)
  end
end

function cases.needs(needed, node, place)
  for name, need in pairs(needed) do
    for side, texts in pairs { good = formats[need.format].good, bad = formats[need.format].bad } do
      for _, text in ipairs(texts) do
        local value = minimal_object(node)
        value[name], value[need.field] = true, text
        place[side](value, "." .. name)
      end
    end
  end
end

function cases.count(limits, node, place)
  local least, most = limits[1], limits[2]
  place.good(list_of(node, least))
  place.bad(list_of(node, least - 1))
  if most then
    place.good(list_of(node, most))
    place.bad(list_of(node, most + 1))
  end
end

local function leaf_of(item, path)
  local holder, key
  for step in path:gmatch("[^.]+") do
    holder, key = key and holder[key] or item, step
  end
  return holder, key
end

-- The field that chooses the variant: no two items of the same one.
local function unique_variants(node, by, place)
  place.good(list_of(node, 2))
  local item = minimal(node.each)
  place.bad({ item, item }, "[2]." .. by)
end

local function unique_in_lists(node, inner, leaf, place)
  local list = list_of(node, 2)
  place.good(copy(list))
  local holder, key = leaf_of(list[1][inner][1], leaf)
  local other_holder, other_key = leaf_of(list[2][inner][1], leaf)
  other_holder[other_key] = holder[key]
  place.bad(list, ("[2].%s[1].%s"):format(inner, leaf))
  local twins = list_of(node, 1) -- within one item as well
  twins[1][inner][2] = copy(twins[1][inner][1])
  place.bad(twins, ("[1].%s[2].%s"):format(inner, leaf))
end

local function unique_in_items(node, path, place)
  local name = path:match("^[^.]+")
  local list = { item_with(node.each, name), item_with(node.each, name) }
  local holder, key = leaf_of(list[1], path)
  local other_holder, other_key = leaf_of(list[2], path)
  local is_position = holder[key] == other_holder[other_key] -- one of a few: as text or as number
  if is_position then holder[key], other_holder[other_key] = "0", 1 end
  place.good(copy(list))
  other_holder[other_key] = is_position and 0 or holder[key]
  place.bad(list, "[2]." .. path)
end

function cases.unique(paths, node, place)
  for _, path in ipairs(paths) do
    local inner, leaf = path:match("^(.-)%[%]%.(.+)$")
    if inner then
      unique_in_lists(node, inner, leaf, place)
    elseif node.each.by == path then
      unique_variants(node, path, place)
    else
      unique_in_items(node, path, place)
    end
  end
end

function cases.total(total, node, place)
  local function with(count)
    local lists = list_of(node, 3)
    for _, item in ipairs(lists) do item[total.of] = {} end
    for i = 1, count do
      local items = lists[i % 3 + 1][total.of]
      items[#items + 1] = minimal(strict(strict(node.each).fields[total.of]).each)
    end
    return lists
  end
  place.good(with(total.most))
  place.bad(with(total.most + 1))
end

function cases.when_several(name, node, place)
  local list = list_of(node, 2)
  place.good(copy(list))
  list[2][name] = nil
  place.bad(list, "[2]." .. name)
  local one = list_of(node, 1)
  one[1][name] = nil
  place.good(one)
end

function cases.body_text(most, _, place)
  local function components(length, beside)
    local list = { { type = "body", parameters = {
      { type = "text", text = ("\195\164"):rep(length - 100) }, { type = "text", text = ("\195\164"):rep(100) },
    } } }
    if beside then list[2] = { type = "header", parameters = { { type = "text", text = "x" } } } end
    return list
  end
  place.good(components(most.alone))
  place.bad(components(most.alone + 1), "[1]")
  place.good(components(most.beside, true))
  place.bad(components(most.beside + 1, true), "[1]")
end

-- Keys of a node that are no rule by themselves, or are handled where the walk meets them.
local handled_by_walk = {
  required = true, lacks = true, as = true, fields = true, open = true, suggest = true, by = true, variants = true,
  each = true, inferred = true,
}

-- The walk ------------------------------------------------------------------------------------------

---@class RuleCase
---@field name string      "interactive.action.buttons[].reply.title: characters"
---@field inferred boolean
---@field good waba.Message[]
---@field bad { message: waba.Message, path: string }[]

local function trimmed(path)
  return (path:gsub("^%.", ""))
end

-- `embed(value)` puts a value for this node into a whole message; `path` is where an error would be.
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
      error(("%s: no spec knows the rule %s"):format(name, rule))
    end
  end

  for _, field in ipairs(sorted_keys(whole.fields)) do
    local child = whole.fields[field]
    local function embed_field(value)
      local holder = minimal_object(whole, field)
      holder[field] = value
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
    place.bad({}, "." .. whole.by)
    for _, tag in ipairs(sorted_keys(whole.variants)) do
      local variant = whole.variants[tag]
      local function embed_variant(value)
        if type(value) == "table" and value[1] == nil then value[whole.by] = tag end
        return embed(value)
      end
      if strict(variant).lacks then
        local lacking = case(tag .. " is lacking", not variant.lacks)
        lacking.bad({ [whole.by] = tag }, "." .. whole.by)
      else
        place.good(minimal({ is = "object", by = whole.by, variants = { [tag] = variant } }))
        walk(variant, ("%s(%s)"):format(name, tag), path, embed_variant, found)
      end
    end
  end

  if whole.each then
    walk(whole.each, name .. "[]", path .. "[1]", function(value) return embed({ value }) end, found)
  end
end

--- The cases of every rule in a node: of a body that is no message.
---@param rule waba.Rule
---@return RuleCase[]
function rules.cases_of(rule)
  local found = {}
  walk(rule, "", "", function(value) return value end, found)
  return found
end

--- The cases of every rule for the messages of a hosting.
---@param hosting string
---@return RuleCase[]
function rules.cases(hosting)
  local ruleset = schema.ruleset(hosting)
  local found = {}
  for _, kind in ipairs(sorted_keys(ruleset.types)) do
    local lacks = ruleset.types[kind].lacks
    if lacks then
      found[#found + 1] = {
        name = kind .. ": lacks", inferred = false, good = {},
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
