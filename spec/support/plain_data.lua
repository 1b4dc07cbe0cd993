-- Writes plain data as text and reads it, for the exchange of data between a spec and other processes.

local plain_data = {}

local function write(value)
  if type(value) ~= "table" then
    return type(value) == "string" and ("%q"):format(value):gsub("\\\n", "\\n"):gsub("\r", "\\r") or tostring(value)
  end
  local parts = {}
  for key, item in pairs(value) do parts[#parts + 1] = "[" .. write(key) .. "]=" .. write(item) end
  return "{" .. table.concat(parts, ",") .. "}"
end

--- Returns the value as Lua source.
---@param value any  nil, boolean, number, string, or a table of these
function plain_data.write(value) return (write(value)) end

function plain_data.read(text) return assert((loadstring or load)("return " .. text))() end

return plain_data
