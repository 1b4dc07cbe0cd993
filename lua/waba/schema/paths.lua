-- Paths such as "order.tax.value", by which rules refer to inner fields.

local paths = {}

function paths.steps(path)
  local steps = {}
  for step in path:gmatch("[^.]+") do steps[#steps + 1] = step end
  return steps
end

--- Returns the value at the end of a path in a valid value; nil if a field is missing.
function paths.at(value, steps)
  for i = 1, #steps do
    if value == nil then return nil end
    value = value[steps[i]]
  end
  return value
end

return paths
