-- Lets a coroutine start others beside itself and wait for them, in the way of the event loop it lives in:
-- one piece of code for every loop. Outside any loop it runs one.

local loops = require "waba.transport.loop"
local threads = require "waba.thread"
local transports = require "waba.transport"
local waiters = require "waba.transport.waiter"

local max, running = math.max, threads.running
local unpack = table.unpack or unpack -- luacheck: ignore 143

local together = {}

---@class waba.Crew
local Crew = {}
Crew.__index = Crew
Crew.__name = "waba.Crew"

--- `pcall` where a coroutine can wait inside it; in a coroutine under PUC Lua 5.1 a plain call.
---@param fn function
---@return boolean fine
---@return any ...
function together.guard(fn, ...)
  return pcall(fn, ...)
end

if threads.IS_PUC_51 then
  function together.guard(fn, ...)
    if not coroutine.running() then return pcall(fn, ...) end -- the main program
    return true, fn(...)
  end
end

-- How each loop starts a coroutine. In some of them that comes back when the coroutine waits for the first
-- time or has ended, in others before it has begun.
local starters = {}

function starters.native(_, fn) require("waba.transport.loop.native").spawn(fn) end
function starters.cqueues(_, fn) require("cqueues").running():wrap(fn) end
function starters.copas(_, fn) require("copas").addthread(fn) end
function starters.luv(_, fn) coroutine.wrap(fn)() end

function starters.nginx(crew, fn)
  crew.threads[#crew.threads + 1] = rawget(_G, "ngx").thread.spawn(fn)
end

-- Waits for the light threads that have ended: nginx keeps each until then.
local function sweep(crew)
  local list = crew.threads
  for i = #list, 1, -1 do
    if threads.is_dead(list[i]) then
      rawget(_G, "ngx").thread.wait(list[i])
      list[i] = list[#list]
      list[#list] = nil
    end
  end
end

local function waiter_of(name, transport)
  if name == "nginx" then
    return (type(transport.waiter) == "function" and transport or require("waba.transport.ngx").new()):waiter()
  end
  local loop = loops.named(name)
  return waiters.of_loop(loop, loop.task())
end

local function new_crew(name, transport)
  return setmetatable({
    start_in_loop = starters[name], least = name == "nginx" and 0.001 or 0, -- nginx lets nobody else run for 0
    waiter = waiter_of(name, transport), is_woken = false, is_waiting = false,
    threads = {}, -- of nginx, that nobody has waited for
  }, Crew)
end

--- Starts a coroutine beside the owner's, who alone may do so. An error that it raises is the loop's affair.
---@param fn function
function Crew:start(fn)
  self:start_in_loop(fn)
end

--- Suspends the owner until `wake`, or until the seconds are over; may come back early.
---@param seconds number
function Crew:wait(seconds)
  if not self.is_woken then
    self.is_waiting = true
    self.waiter:wait(max(seconds, self.least))
    self.is_waiting = false
  end
  sweep(self)
  self.is_woken = false
end

--- Lets the owner go on, now or when it waits next.
function Crew:wake()
  if self.is_woken then return end
  self.is_woken = true
  if self.is_waiting then self.waiter:wake() end
end

-- Calls a function in a coroutine of another loop, by what runs that loop until the coroutine has ended, and
-- passes on what it returned or raised.
local function call_in(name, transport, fn, run)
  local results
  run(function() results = { together.guard(fn, new_crew(name, transport)) } end)
  if not results then error("the coroutine was ended by somebody else", 0) end
  if not results[1] then error(results[2], 0) end
  return unpack(results, 2)
end

-- The main program can't be suspended: it runs the loop itself.
local function run_luv(fn)
  local uv = require "luv"
  local thread = coroutine.create(fn)
  assert(coroutine.resume(thread))
  while not threads.is_dead(thread) do uv.run "once" end
  uv.run "nowait" -- luv does not bear a program that ends while something is being closed
end

local function run_cqueues(fn)
  local controller = require("cqueues").new()
  controller:wrap(fn)
  assert(controller:loop())
end

-- Whether the running coroutine was resumed by luv's loop.
local function is_inside_luv()
  local uv = package.loaded.luv
  if type(uv) ~= "table" or not uv.loop_mode or not uv.loop_mode() then return false end
  local thread, is_main = running()
  return thread ~= nil and not is_main
end

--- The loop that runs the calling code; a named loop counts where none is detected. Raises if it can't be determined.
---@param named? string
---@return string
local function loop_name(named)
  if transports.is_nginx() then return "nginx" end
  local found, message = loops.detect_name()
  if not found then return named or error(message, 0) end
  if named == "luv" and found ~= "native" and found ~= "cqueues" then return "luv" end
  return found == "blocking" and is_inside_luv() and "luv" or found
end

together.loop_name = loop_name

--- Whether the running coroutine can own a task group: it must be able to wait.
---@param transport waba.Transport
---@return true|nil
---@return string? message  why not
function together.can_wait(transport)
  if type(transport.can_wait) == "function" then return transport:can_wait() end
  if transports.is_nginx() then return require("waba.transport.ngx").new():can_wait() end
  return loops.can_wait()
end

--- Makes a task group owned by the running coroutine. Returns nil where that can't start coroutines: in the main program
--- outside any event loop, and where it can't wait.
---@param transport waba.Transport|table  its `loop`, if it has one, is where its requests can wait
---@return waba.Crew|nil
function together.here(transport)
  local named = type(transport.loop) == "table" and transport.loop.name or nil
  local name = loop_name(named)
  if name == "blocking" then return nil end
  if not together.can_wait(transport) then return nil end
  if name == "luv" and not require("waba.transport.loop.luv").task() then return nil end
  return new_crew(name, transport)
end

--- Calls a function with a crew, whose owner the running coroutine becomes. Outside any event loop the
--- function runs in one of its own, and this returns when everything in it has ended.
---@param transport waba.Transport  whose `loop`, if it has one, says where its requests can wait
---@param fn fun(crew: waba.Crew): ...
---@return any ...  what the function returned
function together.run(transport, fn)
  local named = type(transport.loop) == "table" and transport.loop.name or nil
  local name = loop_name(named)
  if name == "luv" and not require("waba.transport.loop.luv").task() then
    return call_in("luv", transport, fn, run_luv)
  end
  if name ~= "blocking" then return fn(new_crew(name, transport)) end
  if named == "cqueues" then return call_in("cqueues", transport, fn, run_cqueues) end
  return call_in("native", transport, fn, require("waba.transport.loop.native").run)
end

return together
