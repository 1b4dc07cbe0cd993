-- Finds the coroutine that an event loop resumes. PUC Lua 5.1 can't suspend a coroutine inside a protected call, so there
-- `guarded` runs functions in an inner coroutine and passes its yields on to the loop.

local thread = {}

--- Whether this is PUC Lua 5.1, and not LuaJIT, which has the same version.
thread.IS_PUC_51 = _VERSION == "Lua 5.1" and not rawget(_G, "jit")

-- From an inner coroutine to the one that the loop resumes; false: the main program.
local owners = setmetatable({}, { __mode = "kv" })

--- Like `coroutine.running`, but returns the coroutine that the loop resumes.
---@type fun(): thread|nil, boolean?
thread.running = not thread.IS_PUC_51 and coroutine.running or function()
  local running = coroutine.running()
  local owner = running and owners[running]
  if owner == false then return nil end
  return owner or running
end

--- Records that the running coroutine passes the yields of an inner one on.
---@param inner thread
function thread.adopt(inner)
  owners[inner] = thread.running() or false
end

--- Whether a coroutine has ended.
---@param ended thread
---@return boolean
function thread.is_dead(ended)
  local status = coroutine.status(ended)
  return status == "dead" or status == "zombie" -- "zombie": a light thread of nginx
end

return thread
