-- Determines whether the code runs inside nginx, which event loop runs it, and whether the running coroutine can wait.
-- The functions `can_wait…` return true, or nil and the reason why the calling code can't wait.

local core = require "waba.core"
local coroutines = require "waba.coroutines"

local runtime = {}

local loaded, running = package.loaded, coroutines.running

--- Returns whether the program is an nginx with its Lua module.
function runtime.is_nginx()
  local ngx = rawget(_G, "ngx")
  return type(ngx) == "table" and type(ngx.socket) == "table" and type(ngx.get_phase) == "function"
end

-- The error text for code in which `core.can_yield` returns false.
local NOT_HERE = "a coroutine cannot wait inside a function that C code calls, such as the callback of string.gsub or "
  .. "table.sort, and in Lua 5.1 also pcall, an iterator of for or a metamethod: make this call outside of it"

-- For each phase of nginx that was used: whether code in the phase can wait. The phases differ between versions of
-- nginx.
local can_phase_wait = {}

function runtime.can_wait_in_nginx()
  local ngx = rawget(_G, "ngx")
  local phase = ngx.get_phase()
  if can_phase_wait[phase] == nil then can_phase_wait[phase] = pcall(ngx.socket.tcp) end
  if not can_phase_wait[phase] then
    return nil, ("code in nginx's phase %s can't wait: send from content_by_lua, access_by_lua or rewrite_by_lua, or "
      .. "from a timer (ngx.timer.at(0, …))"):format(phase)
  end
  if not core.can_yield() then return nil, NOT_HERE end
  return true
end

local periodic = {} -- the tasks of `with_periodic`
local is_running_tasks = false

--- Calls `fn`. While `fn` waits outside of any event loop, where no other coroutine can run, `task` is called
--- periodically. Example: while a handler waits for a response, `task` renews the lease of the handler's event.
---@param task fun(): number  returns the seconds until its next call
---@param fn fun(...)  must not raise an error
---@param ... any  the arguments of `fn`
function runtime.with_periodic(task, fn, ...)
  periodic[#periodic + 1] = task
  fn(...)
  for position = #periodic, 1, -1 do
    if periodic[position] == task then table.remove(periodic, position) end
  end
end

--- Calls each `task` of `with_periodic` whose `fn` has not ended. Code that waits outside of any event loop must call
--- this function before each wait, with the seconds that the code intends to wait. Returns the seconds that the caller
--- may wait.
function runtime.run_periodic(seconds)
  if is_running_tasks or not periodic[1] then return seconds end
  is_running_tasks = true
  for _, task in ipairs(periodic) do seconds = math.min(seconds, task()) end
  is_running_tasks = false
  return seconds
end

--- The adapter for code outside of any event loop. The adapter waits in small steps, so that Ctrl-C takes effect at
--- once.
---@type waba.Loop
local blocking = { name = "blocking" }

-- Returns no task, because outside of any event loop no coroutine can be suspended.
function blocking.task() return nil end

function blocking.wait(_, engine, seconds)
  engine:wait(runtime.run_periodic(seconds))
end

function blocking.sleep(seconds)
  local curl = require "waba.curl" -- loaded late, because a receiver in cqueues needs no libcurl
  local deadline = core.clock() + seconds
  local left = seconds
  while left > 0 do
    curl.wait({}, runtime.run_periodic(left))
    left = deadline - core.clock()
  end
end

-- For each event loop: whether it needs a library. The module and the rock of the library have the name of the loop.
local NEEDS_LIBRARY = { blocking = false, native = false, cqueues = true, luv = true, copas = true }

local adapters = { blocking = blocking } -- the loaded adapters; a look-up here is faster than `require`

local function adapter(name)
  local found = adapters[name]
  if not found then
    found = require("waba.transport.loop." .. name)
    adapters[name] = found
  end
  return found
end

local reserve -- an open file, which reserves a descriptor

--- Loads the adapters of the event loops that this program has loaded. Reserves a file descriptor, so that
--- `runtime.require` can load modules later. Constructors, for example of a client or a receiver, call this function.
function runtime.preload()
  reserve = reserve or io.open "/dev/null"
  for _, name in ipairs { "cqueues", "copas" } do
    if loaded[name] then adapter(name) end
  end
end

--- Requires a module, even if the process has no free file descriptor.
function runtime.require(module)
  if loaded[module] then return loaded[module] end
  if reserve then reserve:close() end
  local found, result = pcall(require, module)
  reserve = io.open "/dev/null"
  if not found then error(result, 0) end
  return result
end

--- Returns the adapter of an event loop. Raises an error if the name is unknown, or if the library of the event loop is
--- not installed.
function runtime.loop(name)
  local needs_library = NEEDS_LIBRARY[name]
  if needs_library == nil then
    error(('waba.client: option loop: unknown loop "%s": expected blocking, native, cqueues, luv or copas'):format(
      tostring(name)), 0)
  end
  if needs_library and not pcall(require, name) then
    error(('waba.client: option loop: "%s" needs the rock %s (Debian: lua-%s)'):format(name, name, name), 0)
  end
  return adapter(name)
end

local UNKNOWN = "copas is loaded and copas.loop() does not run; whether copas.step() runs this coroutine cannot be "
  .. 'determined: set option loop = "copas" or "blocking" of waba.client, or make the client before the first step'

local inside_copas -- the function of inside_copas.lua, loaded when copas is loaded

-- Does the same as `detect_name`, for code outside of `waba.run`.
local function detect_other()
  local cqueues, copas = loaded.cqueues, loaded.copas
  if cqueues and cqueues.running() then return "cqueues" end
  if not copas then return "blocking" end
  inside_copas = inside_copas or runtime.require "waba.inside_copas"
  local is_inside = inside_copas(copas, running())
  if is_inside == nil then return nil, UNKNOWN end
  return is_inside and "copas" or "blocking"
end

local NATIVE = "waba.transport.loop.native"

--- Returns the name of the loop that runs the calling code: "native" inside a coroutine of `waba.run`, "cqueues" inside
--- a cqueues controller, "copas" inside copas, else "blocking".
---@return "native"|"cqueues"|"copas"|"blocking"|nil name
---@return string? message  the reason why the loop can't be determined
function runtime.detect_name()
  if loaded[NATIVE] and loaded[NATIVE].task() then return "native" end
  return detect_other()
end

-- Returns whether the loop has certainly started the running coroutine, so that no other loop can resume the coroutine.
local function is_owner(name)
  if name ~= "cqueues" then return false end
  local _, is_own = loaded.cqueues.running()
  return is_own or coroutines.IS_PUC_51 -- `is_own` is false in an inner coroutine of coroutines.lua
end

--- Returns the event loop in which the calling code waits. If `waba.run` or cqueues has started the running coroutine,
--- returns that loop, unless `named` is the loop "blocking". Otherwise returns `named`. Raises an error if the loop
--- can't be determined.
---@param named? waba.Loop  default: the loop that `detect_name` finds
---@return waba.Loop
---@return waba.LoopTask|nil task  the running task, if the loop is native
function runtime.detect(named)
  if named and named.name == "blocking" then return named end
  local native = loaded[NATIVE]
  local task = native and native.task()
  if task then return native, task end
  local name, message = detect_other()
  if named and not is_owner(name) then return named end
  if not name then error(message, 0) end
  return adapter(name)
end

-- Returns whether the loop of luv has resumed the running coroutine.
local function is_inside_luv()
  local uv = loaded.luv
  if type(uv) ~= "table" or not uv.loop_mode or not uv.loop_mode() then return false end
  local thread, is_main = running()
  return thread ~= nil and not is_main
end

--- Does the same as `detect_name`, but can also return "nginx" and "luv". Raises an error if the loop can't be
--- determined and `named` is nil.
---@param named? string  the loop of a client; returned if the loop can't be determined
function runtime.loop_name(named)
  if runtime.is_nginx() then return "nginx" end
  local found, message = runtime.detect_name()
  if not found then return named or error(message, 0) end
  if named == "luv" and found ~= "native" and found ~= "cqueues" then return "luv" end
  return found == "blocking" and is_inside_luv() and "luv" or found
end

--- Returns whether the calling code can wait in its event loop. Callers call this function before they change any
--- state, so that no request fails halfway. `named` has the same meaning as in `detect`.
function runtime.can_wait_in_loop(named)
  local can_yield = core.can_yield()
  if can_yield and not loaded.copas then return true end
  local is_known, found = pcall(runtime.detect, named)
  if not is_known then return nil, found end
  if can_yield then return true end
  local is_ready, task, message = pcall(found.task)
  if not is_ready then return nil, task end
  if message then return nil, message end
  if not task then return true end -- without a task the whole program waits
  if can_yield == false then return nil, NOT_HERE end
  found.sleep(0) -- raises an error if the coroutine can't be suspended
  return true
end

--- Returns whether the calling code can wait. If `transport` has a method `can_wait`, returns the result of the method.
function runtime.can_wait(transport)
  if transport and type(transport.can_wait) == "function" then return transport:can_wait() end
  if runtime.is_nginx() then return runtime.can_wait_in_nginx() end
  return runtime.can_wait_in_loop()
end

--- Waits for some seconds, during which the other coroutines of the event loop run.
---@param seconds number  0 or more
function runtime.sleep(seconds)
  if type(seconds) ~= "number" or not (seconds >= 0 and seconds < math.huge) then
    error("waba.sleep: the argument must be a number of seconds, 0 or more, not "
      .. (type(seconds) == "number" and tostring(seconds) or "a " .. type(seconds)), 2)
  end
  local can_wait, message = runtime.can_wait()
  if not can_wait then error("waba.sleep: " .. message, 2) end
  if not runtime.is_nginx() then return runtime.detect().sleep(seconds) end
  local due = core.clock() + seconds
  repeat
    rawget(_G, "ngx").sleep(math.max(0.001, due - core.clock())) -- nginx's own clock can end the wait early
  until core.clock() >= due
end

--- Returns the descriptor that the adapter of a loop must watch for an engine, and how long the adapter may wait. On
--- systems that only have `poll`, an engine has no descriptor, so the adapter must check the engine at short intervals.
---@param engine waba.Engine
---@param seconds number  the longest wait that the caller wants
---@return integer|nil descriptor
---@return number seconds
function runtime.limits(engine, seconds)
  local descriptor, left = engine:pollfd(), engine:timeout()
  if not descriptor then seconds = math.min(seconds, 0.01) end
  return descriptor, left and math.min(left, seconds) or seconds
end

--- Notifies the adapters that an engine will be closed. After the engine is closed, the system can use the descriptor
--- of the engine for another file.
function runtime.forget(engine)
  for _, used in pairs(adapters) do
    if used.forget then used.forget(engine) end
  end
end

return runtime
