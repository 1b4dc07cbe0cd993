-- Creates a text from a plain value. Equal values have the same text, whatever the order of their members is.

local canonical = {}

local function scalar(value)
  return type(value) .. ":" .. tostring(value)
end

-- All parts are appended to one list, because a value may be nested a thousand levels deep.
local function write(out, value)
  if type(value) ~= "table" then
    out[#out + 1] = scalar(value)
    return
  end
  local names, members = {}, {}
  for key, member in pairs(value) do
    local name = scalar(key) .. "="
    names[#names + 1], members[name] = name, member
  end
  table.sort(names)
  out[#out + 1] = "{"
  for index, name in ipairs(names) do
    if index > 1 then out[#out + 1] = "," end
    out[#out + 1] = name
    write(out, members[name])
  end
  out[#out + 1] = "}"
end

---@param value any
---@return string
function canonical.text(value)
  local out = {}
  write(out, value)
  return table.concat(out)
end

return canonical
