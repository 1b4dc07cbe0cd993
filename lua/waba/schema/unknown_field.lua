-- The errors for unknown fields.

local effective = require("waba.schema.compile").effective
local errors = require "waba.schema.errors"
local nearest_name = require "waba.nearest_name"

local unknown_field = {}

-- Returns the known field whose name is most similar to an unknown name, or nil. The result can also be a field inside
-- a known object.
local function nearest_field(name, node, known)
  local names = {}
  for _, other in ipairs(node.suggest or {}) do names[other] = other end
  for field, child in pairs(node.fields or {}) do
    for below_it in pairs(child.fields or {}) do names[below_it] = field .. "." .. below_it end
  end
  for other in pairs(known) do names[other] = other end
  local near = nearest_name(name, names)
  return near and names[near]
end

--- Returns the error for a field that a rule does not have. `known` has the fields of the rule, and the fields that
--- have selected the rule as a variant.
function unknown_field.of(name, node, known)
  local reason = node.refused and node.refused[name]
  if reason then return errors.new(reason, "." .. name) end
  if type(name) ~= "string" then
    return errors.new(("must be an object; it has the key %s, which is not a string"):format(tostring(name)))
  elseif not errors.can_show(name) then
    return errors.new("has an unknown field, whose name is too long or not printable")
  end
  local near = nearest_field(name, node, known)
  return errors.new("is not a known field" .. (near and ("; did you mean %s?"):format(near) or ""), "." .. name)
end

--- Returns the error for the first field that no variant has; nil if there is no unknown field. `tags` has the fields
--- that select variants.
function unknown_field.of_no_variant(node, value, tags, mode)
  local known = {}
  for _, variant in pairs(node.variants) do
    for name in pairs(effective(variant, mode).fields or {}) do known[name] = true end
  end
  local first
  for name in pairs(value) do
    local is_unknown = type(name) == "string" and not tags[name] and not known[name]
    if is_unknown and (not first or name < first) then first = name end
  end
  return first and unknown_field.of(first, node, tags)
end

return unknown_field
