-- Paths such as "order.tax.value" in rules that compare fields: taken apart once, followed often.

local paths = {}

---@param path string
---@return string[]
function paths.steps(path)
  local steps = {}
  for step in path:gmatch("[^.]+") do steps[#steps + 1] = step end
  return steps
end

--- The value that steps lead to; nil where the way ends before.
---@param value any  whose fields have passed their checks
---@param steps string[]
---@return any
function paths.at(value, steps)
  for i = 1, #steps do
    if value == nil then return nil end
    value = value[steps[i]]
  end
  return value
end

return paths
