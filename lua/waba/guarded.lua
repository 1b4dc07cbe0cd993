-- Calls a function so that an error in it becomes a result, where the function may wait for an event loop.

local threads = require "waba.thread"

local unpack = table.unpack or unpack -- luacheck: ignore 143

-- What was raised, with where it happened; error objects as they are.
local function with_place(raised)
  if type(raised) ~= "string" then return raised end
  return debug.traceback(raised, 2)
end

local function call(fn, ...)
  local arguments, count = { ... }, select("#", ...)
  return xpcall(function() return fn(unpack(arguments, 1, count)) end, with_place)
end

-- PUC Lua 5.1 can't wait inside a protected call. There the function runs in a coroutine of its own, which passes
-- its waits on.
local function call_in_coroutine(fn, ...)
  local thread = coroutine.create(fn)
  threads.adopt(thread)
  local results = { coroutine.resume(thread, ...) }
  while results[1] and coroutine.status(thread) == "suspended" do
    results = { coroutine.resume(thread, coroutine.yield(unpack(results, 2))) }
  end
  if results[1] or type(results[2]) ~= "string" then return unpack(results) end
  return false, debug.traceback(thread, results[2])
end

--- Like `pcall`; an error that is a string carries a traceback.
---@type fun(fn: function, ...: any): boolean, any, ...: any
return (_VERSION == "Lua 5.1" and not rawget(_G, "jit")) and call_in_coroutine or call
