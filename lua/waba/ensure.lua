-- Runs something, and something else after it, whatever becomes of the first.

local unpack = table.unpack or unpack -- luacheck: ignore 143

-- In Lua 5.1 itself a coroutine can't wait inside a protected call: there what is raised goes its own way.
local CAN_WAIT = _VERSION ~= "Lua 5.1" or rawget(_G, "jit") ~= nil

local function finish(after, subject, ok, ...)
  after(subject, ok, ...)
  if not ok then
    local raised = ...
    error(raised, 0)
  end
  return ...
end

--- Calls `fn`, then `after`, and returns what `fn` returned, or raises what it raised.
---@param after fun(subject: any, ok: boolean, ...)  gets what `fn` returned, or raised
---@param subject any
---@param fn fun(...): ...
---@param ... any  its arguments
---@return any ...
local function ensure(after, subject, fn, ...)
  if CAN_WAIT or not coroutine.running() then return finish(after, subject, pcall(fn, ...)) end
  local results, count = { fn(...) }, 0
  for position in pairs(results) do count = math.max(count, position) end
  return finish(after, subject, true, unpack(results, 1, count))
end

return ensure
