-- Converts a value of plain data to a text. Equal values have equal texts, because the keys of tables are sorted.

local canonical = {}

local function scalar(value)
  return type(value) .. ":" .. tostring(value)
end

-- Appends the parts of the text to a list. Concatenation at each level would copy the text of a nested value many
-- times.
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

function canonical.text(value)
  local out = {}
  write(out, value)
  return table.concat(out)
end

return canonical
