-- Makes minimal valid values for a node of the schema, and values of a certain size.

local examples = require "spec.support.rules.formats"
local formats = require "waba.schema.formats"
local messages = require "spec.support.messages"

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

-- Returns a node together with its rules that the platform does not document.
local function strict(node)
  local whole = {}
  for name, rule in pairs(node) do whole[name] = rule end
  for name, rule in pairs(node.inferred or {}) do whole[name] = rule end
  return whole
end

-- Minimal values ----------------------------------------------------------------------------------

local counter = 0 -- is part of each generated text, so that the texts differ

local minimal

local function minimal_text(node)
  counter = counter + 1
  local format = node.format and formats[node.format]
  local text = "x" .. counter % 100000
  if format and not format.fits(text) then text = examples[node.format].good[1] end
  return text
end

-- Returns a minimal object to which the field `with` can be added. If fields exclude each other, the object has only
-- one of them.
local function minimal_object(node, with)
  local value = node.not_empty and { colour = "blue" } or {}
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
  for name in pairs(copy(wanted)) do
    local beside = node.only_with and node.only_with[name]
    if beside then wanted[beside] = true end
  end
  for name in pairs(wanted) do
    if name ~= with then value[name] = minimal(node.fields[name]) end
  end
  return value
end

local list_of

function minimal(node)
  node = strict(node)
  if node.one_of then return node.one_of[1] end
  if node.without then return minimal(node.without) end
  if node.variants then
    for _, tag in ipairs(sorted_keys(node.variants)) do
      if not strict(node.variants[tag]).unsupported then
        local value = minimal(node.variants[tag])
        value[node.by] = tag
        return value
      end
    end
  end
  if node.is == "string" then return minimal_text(node) end
  if node.is == "number" or node.is == "integer" or node.is == "decimal" then
    return node.range and node.range[1] or 1
  end
  if node.is == "boolean" then return false end
  if node.is == "list" then return list_of(node, node.count and node.count[1] or 1) end
  return minimal_object(node)
end

-- Returns an item of a variant that has the field `name`.
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

-- Texts and lists of a given size -----------------------------------------------------------------

local function text_of(node, length)
  local text = ("\195\164"):rep(length) -- each character has two bytes, because limits count characters
  local format = node.format and formats[node.format]
  if not format or format.fits(text) then return text end
  return node.format == "url" and "https://" .. ("a"):rep(length - 8) or ("1"):rep(length)
end

-- Returns the node of a field of an item, in the variant that has the field.
local function node_of(node, name)
  node = strict(node)
  if node.fields and node.fields[name] then return strict(node.fields[name]) end
  for _, tag in ipairs(sorted_keys(node.variants)) do
    local found = node_of(node.variants[tag], name)
    if found then return found end
  end
end

-- Sets different positions in the items of a list if the node requires this.
local function number_items(node, list)
  for _, path in ipairs(node.unique or {}) do
    local field = node_of(node.each, path)
    for i, item in ipairs(list) do
      if i > 1 and field and field.is == "integer" and type(item) == "table" then
        item[path] = i - 1 == list[1][path] and 0 or i - 1
      end
    end
  end
  return list
end

function list_of(node, length)
  local list = {}
  local tags = contains(node.unique, node.each.by) and sorted_keys(node.each.variants)
  for i = 1, length do
    local tag = tags and tags[(i - 1) % #tags + 1]
    list[i] = minimal(tag and { by = node.each.by, variants = { [tag] = node.each.variants[tag] } } or node.each)
    if node.when_several and length > 1 then list[i][node.when_several] = "title " .. i end
  end
  return number_items(node, list)
end

-- Returns a list that begins with this item, and has as many similar items as the node requires.
local function list_with(node, item, length)
  local list = {}
  for i = 1, length or node.count and math.max(1, node.count[1]) or 1 do list[i] = copy(item) end
  return number_items(node, list)
end

return {
  sorted_keys = sorted_keys, contains = contains, strict = strict,
  value = minimal, object = minimal_object, item_with = item_with,
  text = text_of, list = list_of, list_with = list_with, number_items = number_items,
}
