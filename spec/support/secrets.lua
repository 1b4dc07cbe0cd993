-- Searches a value for a secret: tables with their keys and metatables, upvalues of functions, user values, and the
-- result of `tostring` for each value that can be reached.

local secrets = {}

local function look(secret, value, path, seen, stack)
  local kind = type(value)
  if kind == "string" then
    if value:find(secret, 1, true) then return path end
    return nil
  end
  if kind ~= "table" and kind ~= "function" and kind ~= "userdata" or seen[value] then return nil end
  seen[value] = true
  stack[#stack + 1] = { value = value, path = path }
end

local function neighbours(value, visit)
  local kind = type(value)
  if kind == "table" then
    for key, member in next, value do
      visit(key, "[key]")
      visit(member, "." .. tostring(key))
    end
  elseif kind == "function" then
    local i = 1
    local name, member = debug.getupvalue(value, i)
    while name do
      visit(member, "^" .. name)
      i = i + 1
      name, member = debug.getupvalue(value, i)
    end
  elseif debug.getuservalue and kind == "userdata" then
    visit(debug.getuservalue(value), "<uservalue>")
  end
  if kind ~= "function" then
    visit(debug.getmetatable(value), "<metatable>")
    visit(tostring(value), "<tostring>")
  end
end

--- Returns the path of the value that contains the secret, or nil.
---@return string|nil path
function secrets.find(secret, root)
  local seen, stack = {}, {}
  local found = look(secret, root, "root", seen, stack)
  while not found and #stack > 0 do
    local entry = table.remove(stack)
    neighbours(entry.value, function(member, step)
      found = found or look(secret, member, entry.path .. step, seen, stack)
    end)
  end
  return found
end

return secrets
