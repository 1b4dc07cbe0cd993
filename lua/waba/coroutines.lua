-- Protected calls whose function can yield on every Lua. In PUC Lua 5.1, where no coroutine can yield inside `pcall`,
-- this module runs the function in a second coroutine, the inner coroutine.

local coroutines = {}

--- Whether the interpreter is PUC Lua 5.1. LuaJIT has the same `_VERSION`, but its coroutines can yield inside `pcall`.
coroutines.IS_PUC_51 = _VERSION == "Lua 5.1" and not rawget(_G, "jit")

local IS_PUC_51 = coroutines.IS_PUC_51

-- For each inner coroutine: the coroutine that the event loop resumes; false: the main program.
local owners = setmetatable({}, { __mode = "kv" })

--- Does the same as `coroutine.running`, but inside an inner coroutine returns the coroutine that the event loop
--- resumes.
---@type fun(): thread|nil, boolean?
coroutines.running = not IS_PUC_51 and coroutine.running or function()
  local thread = coroutine.running()
  local owner = thread and owners[thread]
  if owner == false then return nil end
  return owner or thread
end

---@return boolean
function coroutines.is_dead(thread)
  local status = coroutine.status(thread)
  return status == "dead" or status == "zombie" -- "zombie" is the status of a light thread of nginx that has ended
end

--- Returns whether the running code can wait inside `pcall`, an iterator of `for` and a metamethod. The main program
--- can always wait, because it waits without yielding.
function coroutines.can_yield_in_pcall()
  return not IS_PUC_51 or coroutine.running() == nil
end

-- Yields whenever the inner coroutine yields, until the inner coroutine has ended.
local function pass_on(thread, ok, ...)
  if ok and coroutine.status(thread) == "suspended" then
    return pass_on(thread, coroutine.resume(thread, coroutine.yield(...)))
  end
  return thread, ok, ...
end

-- Runs the function in an inner coroutine. Returns the inner coroutine and the results of `pcall`.
local function call_in_coroutine(fn, ...)
  local thread = coroutine.create(fn)
  owners[thread] = coroutines.running() or false
  return pass_on(thread, coroutine.resume(thread, ...))
end

--- Does the same as `pcall`, but the function can yield on every Lua. The caller must check that the running code can
--- yield, because in PUC Lua 5.1 `core.can_yield` always returns true inside an inner coroutine.
---@type fun(fn: function, ...: any): boolean, ...: any
coroutines.pcall = not IS_PUC_51 and pcall or function(fn, ...)
  if coroutines.can_yield_in_pcall() then return pcall(fn, ...) end
  return select(2, call_in_coroutine(fn, ...))
end

local function finish(after, subject, ok, ...)
  after(subject, ok, ...)
  if ok then return ... end
  error((...), 0)
end

--- Calls `fn`, then `after`. Returns the results of `fn`, or raises its error. In a coroutine of PUC Lua 5.1 `after` is
--- not called if `fn` raises an error.
---@param after fun(subject: any, ok: boolean, ...)  called with the results of `fn`, or with its error
---@param subject any  the first argument of `after`
---@param fn fun(...): ...
---@param ... any  the arguments of `fn`
function coroutines.ensure(after, subject, fn, ...)
  if coroutines.can_yield_in_pcall() then return finish(after, subject, pcall(fn, ...)) end
  return finish(after, subject, true, fn(...))
end

--- Does the same as `ensure`, but calls `after` on every Lua if `fn` raises an error. As for `coroutines.pcall`, the
--- caller must check that the running code can yield.
---@type fun(after: fun(subject: any, ok: boolean, ...: any), subject: any, fn: function, ...: any): ...: any
function coroutines.always(after, subject, fn, ...)
  return finish(after, subject, coroutines.pcall(fn, ...))
end

local function with_traceback(raised)
  if type(raised) ~= "string" then return raised end
  return debug.traceback(raised, 2)
end

local function with_traceback_of(thread, ok, ...)
  local raised = ...
  if ok or type(raised) ~= "string" then return ok, ... end
  return false, debug.traceback(thread, raised)
end

--- Does the same as `pcall`, but the function can yield on every Lua, and an error that is a string gets a traceback.
---@type fun(fn: function, ...: any): boolean, any, ...: any
coroutines.protect = IS_PUC_51 and function(fn, ...)
  return with_traceback_of(call_in_coroutine(fn, ...))
end or function(fn, ...)
  return xpcall(fn, with_traceback, ...)
end

--- Returns the text of an error that `protect` has caught, without the traceback.
function coroutines.text_of(raised)
  if raised == nil then return "an error without a value" end
  local text = tostring(raised)
  if type(raised) == "table" and text:find "^table: " then
    local message = rawget(raised, "message")
    return type(message) == "string" and message or "a table without a field message"
  end
  return (text:gsub("\nstack traceback:.*$", ""))
end

return coroutines
