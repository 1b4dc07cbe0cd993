-- Reads paths such as "order.tax.value". With a path, a rule refers to an inner field.

local paths = {}

function paths.steps(path)
  local steps = {}
  for step in path:gmatch("[^.]+") do steps[#steps + 1] = step end
  return steps
end

--- Returns the value at the end of a path; nil if a field on the path is missing.
---@param value any  a value whose fields are valid
---@param steps string[]
function paths.at(value, steps)
  for i = 1, #steps do
    if value == nil then return nil end
    value = value[steps[i]]
  end
  return value
end

return paths
