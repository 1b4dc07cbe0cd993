-- Protected calls of functions that may wait in an event loop: an error becomes a result.

local threads = require "waba.thread"

local unpack = table.unpack or unpack -- luacheck: ignore 143

-- Adds a traceback to an error that is a string; returns error objects unchanged.
local function with_traceback(raised)
  if type(raised) ~= "string" then return raised end
  return debug.traceback(raised, 2)
end

local function call(fn, ...)
  local arguments, count = { ... }, select("#", ...)
  return xpcall(function() return fn(unpack(arguments, 1, count)) end, with_traceback)
end

-- For PUC Lua 5.1, which can't suspend a coroutine inside a protected call: runs the function in an inner coroutine and
-- passes its yields on.
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

--- Like `pcall`, but adds a traceback to an error that is a string.
---@type fun(fn: function, ...: any): boolean, any, ...: any
return threads.IS_PUC_51 and call_in_coroutine or call
