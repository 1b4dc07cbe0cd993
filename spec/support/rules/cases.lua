-- For each kind of rule of the schema: values that the check must accept, and values that it must refuse with an error
-- that has the path of the invalid value.

local examples = require "spec.support.rules.formats"
local messages = require "spec.support.messages"
local smallest = require "spec.support.rules.minimal"

local copy = messages.copy
local sorted_keys, contains, strict = smallest.sorted_keys, smallest.contains, smallest.strict
local minimal, minimal_object, item_with = smallest.value, smallest.object, smallest.item_with
local text_of, list_of, number_items = smallest.text, smallest.list, smallest.number_items

-- A function for each kind of rule. The parameters are the value of the rule, the node of the schema, and a place. The
-- functions `at(value)`, `good(value)` and `bad(value, path)` of the place put a value into a complete message.
local cases = {}

local wrong_values = {
  string = { 5, true, {} },
  number = { "5", true, {} },
  integer = { "5", true, {}, 1.5 },
  decimal = { "x", "", "1e5", ".5", "--5", ("1"):rep(41), true, {} },
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
  if kind == "decimal" then place.good("52.5") end
  if kind == "number" or kind == "integer" or kind == "decimal" then
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
  for _, text in ipairs(examples[name].good) do place.good(text) end
  for _, text in ipairs(examples[name].bad) do place.bad(text) end
end

function cases.range(limits, _, place)
  place.good(limits[1])
  place.bad(limits[1] - 1)
  if limits[2] then
    place.good(limits[2])
    place.bad(limits[2] + 1)
  end
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
    for _, alternative in ipairs(contains(node.exactly_one, other) and node.exactly_one or {}) do
      if alternative ~= other then value[alternative] = minimal(node.fields[alternative]) end
    end
    place.bad(value, "." .. name)
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

function cases.at_most(limit, node, place)
  for name, most in pairs(limit.counts) do
    local list = {}
    for tag, variant in pairs(strict(node.each).variants) do
      if variant.by == limit.field then
        for i = 1, most + 1 do
          list[i] = minimal({ by = limit.field, variants = { [name] = variant.variants[name] } })
          list[i][node.each.by], list[i].index = tag, i - 1
        end
      end
    end
    place.bad(copy(list), ("[%d].%s"):format(most + 1, limit.field))
    list[1][limit.field] = name:upper()
    place.bad(copy(list), ("[%d].%s"):format(most + 1, limit.field))
    table.remove(list)
    place.good(list)
  end
end

local function leaf_of(item, path)
  local holder, key
  for step in path:gmatch("[^.]+") do holder, key = key and holder[key] or item, step end
  return holder, key
end

-- A list can't have two items of one variant; the field `by` selects the variant of an item.
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
  local twins = list_of(node, 1) -- a list with two equal values in one item
  twins[1][inner][2] = copy(twins[1][inner][1])
  place.bad(twins, ("[1].%s[2].%s"):format(inner, leaf))
end

local function unique_in_items(node, path, place)
  local name = path:match("^[^.]+")
  local list = { item_with(node.each, name), item_with(node.each, name) }
  local holder, key = leaf_of(list[1], path)
  local other_holder, other_key = leaf_of(list[2], path)
  local is_position = holder[key] == other_holder[other_key] -- only positions are equal: generated texts differ
  if is_position then holder[key], other_holder[other_key] = type(holder[key]) == "number" and 0 or "0", 1 end
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

-- Returns two items: one that differs from a minimal item at a path, and the minimal item.
local function differing(node, tag, steps)
  local one = minimal({ by = node.by, variants = { [tag] = node.variants[tag] } })
  local other = copy(one)
  local holder, inner = other, strict(node.variants[tag])
  if #steps == 1 and steps[1] == node.by then
    for _, another in ipairs(sorted_keys(node.variants)) do
      if another ~= tag then return one, minimal({ by = node.by, variants = { [another] = node.variants[another] } }) end
    end
  end
  for i = 1, #steps - 1 do
    inner = inner.fields and inner.fields[steps[i]]
    if not inner then return nil end
    inner = strict(inner)
    if i < #steps - 1 then holder = holder[steps[i]] end
  end
  local name, leaf = steps[#steps - 1], steps[#steps]
  if inner.by == leaf then
    local tags = sorted_keys(inner.variants)
    holder[name] = minimal({ by = leaf, variants = { [tags[2]] = inner.variants[tags[2]] } })
  elseif not inner.fields or not inner.fields[leaf] then
    return nil
  elseif strict(inner.fields[leaf]).is == "list" then
    holder[name] = minimal_object(inner, leaf)
    holder[name][leaf] = list_of(strict(inner.fields[leaf]), 1)
    one = copy(other)
    holder[name][leaf] = list_of(strict(inner.fields[leaf]), 2)
  elseif strict(inner.fields[leaf]).one_of then
    local last = inner.exactly_one[#inner.exactly_one]
    holder[name] = minimal_object(inner, last)
    holder[name][last] = minimal(inner.fields[last])
  else
    holder[name][leaf] = minimal(inner.fields[leaf])
  end
  return one, other
end

function cases.same(paths, node, place)
  place.good(list_of(node, 2))
  for _, path in ipairs(paths) do
    local steps = {}
    for step in path:gmatch("[^.#]+") do steps[#steps + 1] = step end
    local met = false
    for _, tag in ipairs(sorted_keys(node.each.variants)) do
      local one, other = differing(node.each, tag, steps)
      if one then
        met = true
        place.good(number_items(node, { copy(other), copy(other) }))
        place.bad(number_items(node, { one, other }), "[2]." .. table.concat(steps, "."))
      end
    end
    assert(met, path)
  end
end

function cases.all_or_none(names, node, place)
  place.good(list_of(node, 2))
  for _, name in ipairs(names) do
    local function pair()
      local list = { item_with(node.each, name), item_with(node.each, name) }
      return number_items(node, list)
    end
    place.good(pair())
    for i = 1, 2 do
      local list = pair()
      list[i][name] = nil
      place.bad(list, ("[%d].%s"):format(i, name))
    end
  end
end

function cases.requires(asking, node, place)
  for name, others in pairs(asking) do
    for wanted, other in pairs(others) do
      local value = minimal_object(node, name)
      value[name], value[other] = wanted, minimal(node.fields[other])
      place.good(copy(value))
      value[other] = nil
      place.bad(value, "." .. other)
    end
  end
end

function cases.not_empty(_, _, place)
  place.good({ colour = "blue" })
  place.bad({})
end

function cases.body_text(most, node, place)
  local beside_body = {}
  for tag, variant in pairs(node.each.variants) do
    if tag ~= "body" then beside_body[tag] = variant end
  end
  local function components(length, beside)
    local list = { { type = "body", parameters = {
      { type = "text", text = ("\195\164"):rep(length - 100) }, { type = "text", text = ("\195\164"):rep(100) },
    } } }
    if beside then list[2] = minimal({ by = "type", variants = beside_body }) end
    return list
  end
  place.good(components(most.alone))
  place.bad(components(most.alone + 1), "[1]")
  place.good(components(most.beside, true))
  place.bad(components(most.beside + 1, true), "[1]")
end

return cases
