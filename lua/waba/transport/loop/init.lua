-- Chooses the event loop that the running code lives in. Nothing is loaded before it is used.

local core = require "waba.core"
local threads = require "waba.thread"
local transports = require "waba.transport"

local loop = {}

local loaded, running = package.loaded, threads.running

-- Name to the library beneath it: its module, its rock, its Debian package.
local LIBRARIES = {
  blocking = false,
  native = false,
  cqueues = { module = "cqueues", rock = "cqueues", package = "lua-cqueues" },
  luv = { module = "luv", rock = "luv", package = "lua-luv" },
  copas = { module = "copas", rock = "copas", package = "lua-copas" },
}

local adapters = {} -- those in use; `require` takes longer

local function adapter(name)
  local found = adapters[name]
  if not found then
    found = require("waba.transport.loop." .. name)
    adapters[name] = found
  end
  return found
end

--- Loads the modules with which code of this program can wait, and lua-cjson. Called when a client or a receiver is made,
--- because no module can be loaded while the process has no free descriptor.
function loop.preload()
  core.decode "{}"
  adapter "blocking"
  for _, name in ipairs { "cqueues", "copas" } do
    if loaded[name] then adapter(name) end
  end
end

---@param name "blocking"|"native"|"cqueues"|"luv"|"copas"
---@return waba.Loop
function loop.named(name)
  local library = LIBRARIES[name]
  if library == nil then
    error(('waba.client: option loop: unknown loop "%s" (blocking, native, cqueues, luv, copas)'):format(
      tostring(name)), 0)
  end
  if library and not pcall(require, library.module) then
    error(('waba.client: option loop: "%s" needs the rock %s (Debian: %s)'):format(
      name, library.rock, library.package), 0)
  end
  return adapter(name)
end

-- The functions of copas that resume its coroutines; `addthread` does so only before version 4.
local RESUMING = { "step", "addthread" }

local is_watched, resuming = false, 0 -- the number of their running calls

local function end_resuming(fine, ...)
  resuming = resuming - 1
  if not fine then error((...), 0) end
  return ...
end

-- Records from now on when copas resumes coroutines. Must be called from the main program, outside of copas.
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

-- Whether a function of copas that resumes coroutines runs in the main program; nil if Lua gives no access to its stack.
local function resumes_in_main(copas)
  local registry = type(debug) == "table" and debug.getregistry and debug.getregistry()
  local main = registry and registry[1] -- Lua 5.2 and newer
  if type(main) ~= "thread" then return nil end
  for level = 0, math.huge do
    local info = debug.getinfo(main, level, "f")
    if not info then return false end
    for _, name in ipairs(RESUMING) do
      if info.func == copas[name] then return true end
    end
  end
end

-- Whether copas runs this coroutine; nil if that can't be determined. With copas 1 every coroutine counts as one of copas.
-- Version 2 and newer report whether `copas.loop` runs, but not whether the program calls `copas.step` itself.
local function is_inside_copas()
  local copas = loaded.copas
  if not copas then return false end
  local thread, is_main = running()
  if not thread or is_main then
    if copas.running == false then watch(copas) end
    return false
  end
  if copas.running ~= false or resuming > 0 then return true end
  if is_watched then return false end
  return resumes_in_main(copas)
end

local UNKNOWN = "copas is loaded and copas.loop() does not run; whether copas.step() runs this coroutine cannot be "
  .. 'determined: give waba.client the option loop = "copas" or "blocking", or make the client before the first step'

--- The loop that runs the calling code: inside a coroutine of `waba.run` "native", inside a cqueues controller "cqueues",
--- inside copas "copas", else "blocking".
---@return "native"|"cqueues"|"copas"|"blocking"|nil
---@return waba.LoopTask|string|nil task  of `waba.run`; or why the loop can't be determined
function loop.detect_name()
  local native = loaded["waba.transport.loop.native"]
  local task = native and native.task()
  if task then return "native", task end
  local cqueues = loaded.cqueues
  if cqueues and cqueues.running() then return "cqueues" end
  local is_copas = is_inside_copas()
  if is_copas == nil then return nil, UNKNOWN end
  return is_copas and "copas" or "blocking"
end

-- Whether this loop certainly runs the current coroutine, so that no other loop can resume it.
local function is_owner(name)
  if name ~= "cqueues" then return name == "native" end
  local _, is_own = loaded.cqueues.running()
  return is_own or threads.IS_PUC_51 -- which runs handlers in inner coroutines: see guarded.lua
end

--- The loop in which the calling code waits: the named one, unless `waba.run` or cqueues runs its coroutine. A named
--- "blocking" is always used.
---@param named? waba.Loop  by default the one that `detect_name` finds
---@return waba.Loop
---@return waba.LoopTask|nil task  the running one, if it is already known
function loop.detect(named)
  if named and named.name == "blocking" then return named end
  local name, task = loop.detect_name()
  if named and not is_owner(name) then return named end
  if not name then error(task, 0) end
  return adapter(name), task
end

--- The error message where `core.can_yield` returns false.
loop.NOT_HERE = "a coroutine cannot wait inside a function that C code calls, such as the callback of string.gsub or "
  .. "table.sort, and in Lua 5.1 also pcall, an iterator of for or a metamethod: make this call outside of it"

--- Whether the calling code can wait in its event loop. Called before anything is sent or counted, so that a request does
--- not fail halfway.
---@param named? waba.Loop  as in `detect`
---@return true|nil
---@return string? message  why not
function loop.can_wait(named)
  local can_yield = core.can_yield()
  if can_yield and not loaded.copas then return true end
  local is_known, found = pcall(loop.detect, named)
  if not is_known then return nil, found end
  if can_yield then return true end
  local is_loop_ready, task, message = pcall(found.task)
  if not is_loop_ready then return nil, task end
  if message then return nil, message end
  if not task then return true end -- the whole program waits
  if can_yield == false then return nil, loop.NOT_HERE end
  found.sleep(0) -- raises where the coroutine can't be suspended
  return true
end

--- How a loop without knowledge of engines waits for one: the descriptor to watch, and how long at
--- most. Without a descriptor (systems that offer only poll) it has to look again soon.
---@param engine waba.Engine
---@param seconds number
---@return integer|nil descriptor
---@return number seconds
function loop.limits(engine, seconds)
  local descriptor, left = engine:pollfd(), engine:timeout()
  if not descriptor then seconds = math.min(seconds, 0.01) end
  return descriptor, left and math.min(left, seconds) or seconds
end

--- An engine is about to be closed: its descriptor may be given to something else.
---@param engine waba.Engine
function loop.forget(engine)
  for name in pairs(LIBRARIES) do
    local used = loaded["waba.transport.loop." .. name]
    if used and used.forget then used.forget(engine) end
  end
end

--- Lets time pass in the way of the loop that the running code lives in.
---@param seconds number  0 or more
function loop.sleep(seconds)
  if type(seconds) ~= "number" or not (seconds >= 0 and seconds < math.huge) then
    error("waba.sleep: a number of seconds is needed, 0 or more, not "
      .. (type(seconds) == "number" and tostring(seconds) or "a " .. type(seconds)), 2)
  end
  if transports.is_nginx() then return rawget(_G, "ngx").sleep(seconds) end
  local can_wait, message = loop.can_wait()
  if not can_wait then error("waba.sleep: " .. message, 2) end
  loop.detect().sleep(seconds)
end

return loop
