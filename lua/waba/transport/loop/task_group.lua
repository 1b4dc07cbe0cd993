-- Starts coroutines and waits for them, in the same way in every event loop. Outside of any event loop,
-- `task_group.run` runs a new loop.

local coroutines = require "waba.coroutines"
local runtime = require "waba.runtime"
local waiters = require "waba.transport.waiter"

local max = math.max
-- Seconds for which a coroutine of `TaskGroup:run` waits for another function before the coroutine ends.
local IDLE = 1
local unpack = table.unpack or unpack

local task_group = {}

---@class waba.TaskGroup
---@field start fun(self: waba.TaskGroup, fn: function)  starts a coroutine, whose errors the event loop handles; only
---        the owner of the group may call `start`
local TaskGroup = { __name = "waba.TaskGroup" }
TaskGroup.__index = TaskGroup

-- The functions that start a coroutine in each event loop. Depending on the loop, the new coroutine begins before or
-- after the function returns.
local starters = {}

function starters.native(_, fn) require("waba.transport.loop.native").spawn(fn) end
function starters.cqueues(_, fn) require("cqueues").running():wrap(fn) end
function starters.copas(_, fn) require("copas").addthread(fn) end
function starters.luv(_, fn) coroutine.wrap(fn)() end

function starters.nginx(group, fn, ...)
  group.threads[#group.threads + 1] = rawget(_G, "ngx").thread.spawn(fn, ...)
end

-- Waits for the light threads that have ended, because nginx frees a light thread only after such a wait.
local function reap_dead(group)
  local list = group.threads
  for i = #list, 1, -1 do
    if coroutines.is_dead(list[i]) then
      rawget(_G, "ngx").thread.wait(list[i])
      list[i] = list[#list]
      list[#list] = nil
    end
  end
end

local function new_waiter(name, transport)
  if name == "nginx" then return type(transport.waiter) == "function" and transport:waiter() or waiters.here() end
  local loop = runtime.loop(name)
  return waiters.of_loop(loop, loop.task())
end

local function new_group(name, transport)
  return setmetatable({
    name = name, transport = transport,
    idle = {}, -- the coroutines of `run` that wait for another function
    start = starters[name],
    least = name == "nginx" and 0.001 or 0, -- with 0 seconds nginx would not run other threads
    waiter = new_waiter(name, transport), is_woken = false, is_waiting = false,
    threads = {}, -- light threads of nginx to wait for
  }, TaskGroup)
end

-- Calls the function of a worker, and then each function that `TaskGroup:run` sets within IDLE seconds.
local function work(group, worker)
  local waiter = new_waiter(group.name, group.transport)
  worker.waiter = waiter
  while worker.fn do
    local fn, idle = worker.fn, group.idle
    worker.fn = nil
    fn(worker.subject, worker.argument)
    if group.is_closed then return end
    idle[#idle + 1] = worker
    waiter:wait(IDLE) -- may return early
  end
  for place, other in ipairs(group.idle) do
    if other == worker then table.remove(group.idle, place) end
  end
end

local function start_worker(group, fn, subject, argument)
  local worker = { fn = fn, subject = subject, argument = argument }
  group:start(function() work(group, worker) end)
end

--- Does the same as `start` for a function with two arguments, but uses the coroutine for further functions. The owner
--- must call `close` at the end.
function TaskGroup:run(fn, subject, argument)
  -- a new light thread costs less than a semaphore
  if self.name == "nginx" then return self:start(fn, subject, argument) end
  local idle = self.idle
  for place = #idle, 1, -1 do
    local worker = idle[place]
    local waiter = worker.waiter
    idle[place] = nil
    if waiter:is_alive() then
      worker.fn, worker.subject, worker.argument = fn, subject, argument
      return waiter:wake()
    end
  end
  start_worker(self, fn, subject, argument)
end

--- Ends the coroutines of `run` whose functions have returned.
function TaskGroup:close()
  self.is_closed = true
  for _, worker in ipairs(self.idle) do worker.waiter:wake() end
  self.idle = {}
end

--- Suspends the owner until `wake` is called or the seconds are over. May return early.
function TaskGroup:wait(seconds)
  if not self.is_woken then
    self.is_waiting = true
    self.waiter:wait(max(seconds, self.least))
    self.is_waiting = false
  end
  reap_dead(self)
  self.is_woken = false
end

--- Resumes the owner. If the owner does not wait now, its next wait ends at once.
function TaskGroup:wake()
  if self.is_woken then return end
  self.is_woken = true
  if self.is_waiting then self.waiter:wake() end
end

-- Calls `fn` with a task group in a coroutine of a new event loop. Returns the results of `fn`, or raises its error.
-- `run` runs the loop until the coroutine has ended.
local function call_in(name, transport, fn, run)
  local results, count
  local function keep(...) results, count = { ... }, select("#", ...) end
  run(function() keep(coroutines.pcall(fn, new_group(name, transport))) end)
  if not results then error("the function did not return: the program has ended the coroutine of the function", 0) end
  if not results[1] then error(results[2], 0) end
  return unpack(results, 2, count)
end

local function run_luv(fn)
  local uv = require "luv"
  local thread = coroutine.create(fn)
  assert(coroutine.resume(thread))
  while not coroutines.is_dead(thread) do uv.run "once" end
  uv.run "nowait" -- luv crashes if the program ends while a handle is being closed
end

local function named_loop(transport)
  return type(transport.loop) == "table" and transport.loop.name or nil
end

local function needs_luv(name)
  return name == "luv" and not require("waba.transport.loop.luv").task()
end

--- Makes a task group that the running coroutine owns.
---@param transport waba.Transport|table  its field `loop`, if set, is the event loop for its requests
---@return waba.TaskGroup|nil  nil: the running code runs outside of any event loop, or can't wait
function task_group.here(transport)
  local name = runtime.loop_name(named_loop(transport))
  if name == "blocking" or not runtime.can_wait(transport) or needs_luv(name) then return nil end
  return new_group(name, transport)
end

--- Calls a function with a task group that the running coroutine owns, and returns the results of the function. Outside
--- of any event loop, runs the function in a new loop, and returns when every coroutine of the loop has ended.
function task_group.run(transport, fn)
  local named = named_loop(transport)
  local name = runtime.loop_name(named)
  if needs_luv(name) then return call_in("luv", transport, fn, run_luv) end
  if name ~= "blocking" then return fn(new_group(name, transport)) end
  if named == "cqueues" then
    return call_in("cqueues", transport, fn, function(call)
      local controller = require("cqueues").new()
      controller:wrap(call)
      assert(controller:loop())
    end)
  end
  return call_in("native", transport, fn, require("waba.transport.loop.native").run)
end

return task_group
