-- Finds out whether copas runs a coroutine. `runtime` loads this file when the program has loaded copas.

-- The functions of copas that resume its coroutines; `addthread` resumes a coroutine only in
-- versions before 4.
local RESUMING = { "step", "addthread" }

local is_watched = false -- whether `watch` has wrapped the functions in RESUMING
local resuming = 0       -- the number of running calls of the functions in RESUMING

local function end_resuming(ok, ...)
  resuming = resuming - 1
  if not ok then error((...), 0) end
  return ...
end

-- Makes `resuming` count the calls of the functions in RESUMING. Calls that are running already are not counted.
local function watch(copas)
  if is_watched then return end
  is_watched = true
  for _, name in ipairs(RESUMING) do
    local fn = copas[name]
    copas[name] = function(...)
      resuming = resuming + 1
      return end_resuming(pcall(fn, ...))
    end
  end
end

-- Returns whether the main program runs a function in RESUMING; nil if this Lua can't read the stack of the main
-- program.
local function resumes_in_main(copas)
  local registry = type(debug) == "table" and debug.getregistry and debug.getregistry()
  local main = registry and registry[1] -- the main thread, in Lua 5.2 and newer
  if type(main) ~= "thread" then return nil end
  for level = 0, math.huge do
    local info = debug.getinfo(main, level, "f")
    if not info then return false end
    for _, name in ipairs(RESUMING) do
      if info.func == copas[name] then return true end
    end
  end
end

--- Returns whether copas runs the running coroutine; nil if this can't be determined. Copas 1 does not report whether
--- its loop runs, so every coroutine counts as a coroutine of copas. Copas 2 and newer report a running `copas.loop`,
--- but not a program that calls `copas.step` in its own loop. `watch` detects calls of `copas.step`.
---@param copas table
---@param thread thread|nil  the running coroutine
---@param is_main? boolean  true: `thread` is the main program
return function(copas, thread, is_main)
  if not thread or is_main then
    if copas.running == false then watch(copas) end
    return false
  end
  if copas.running ~= false or resuming > 0 then return true end
  if is_watched then return false end
  return resumes_in_main(copas)
end
