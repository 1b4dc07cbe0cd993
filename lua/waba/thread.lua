-- The coroutine that an event loop resumes. In PUC Lua 5.1, where nothing can wait inside a protected call, `guarded`
-- runs functions in coroutines of their own inside it, whose waits it passes on.

local thread = {}

local IS_NESTED = _VERSION == "Lua 5.1" and not rawget(_G, "jit")

-- Inner to the one that the loop resumes; false: the main program.
local owners = setmetatable({}, { __mode = "kv" })

--- Like `coroutine.running`, for the one that the loop resumes.
---@type fun(): thread|nil, boolean?
thread.running = not IS_NESTED and coroutine.running or function()
  local running = coroutine.running()
  local owner = running and owners[running]
  if owner == false then return nil end
  return owner or running
end

--- The waits of a coroutine are passed on by the running one.
---@param inner thread
function thread.adopt(inner)
  owners[inner] = thread.running() or false
end

return thread
