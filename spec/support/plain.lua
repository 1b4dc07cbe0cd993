-- Plain data to text and back, for the talk between a spec and other processes.

local plain = {}

local function write(value)
  if type(value) ~= "table" then
    return type(value) == "string" and ("%q"):format(value):gsub("\\\n", "\\n"):gsub("\r", "\\r") or tostring(value)
  end
  local parts = {}
  for key, item in pairs(value) do parts[#parts + 1] = "[" .. write(key) .. "]=" .. write(item) end
  return "{" .. table.concat(parts, ",") .. "}"
end

--- As Lua source.
---@param value any  nil, boolean, number, string, or a table of these
---@return string
function plain.write(value)
  return (write(value))
end

---@param text string
---@return any
function plain.read(text)
  return assert((loadstring or load)("return " .. text))() -- luacheck: ignore loadstring
end

return plain
