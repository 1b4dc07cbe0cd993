-- A text that is the same for equal plain values, in whatever order their members were written.

local canonical = {}

local function write(out, value)
  if type(value) ~= "table" then
    out[#out + 1] = type(value) .. ":" .. tostring(value)
    return
  end
  local members = {}
  for key, member in pairs(value) do
    local part = {}
    write(part, key)
    part[#part + 1] = "="
    write(part, member)
    members[#members + 1] = table.concat(part)
  end
  table.sort(members)
  out[#out + 1] = "{" .. table.concat(members, ",") .. "}"
end

---@param value any
---@return string
function canonical.text(value)
  local out = {}
  write(out, value)
  return table.concat(out)
end

return canonical
