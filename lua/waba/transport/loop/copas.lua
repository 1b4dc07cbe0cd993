-- The adapter for copas. copas watches sockets only, so each wait makes an object with the methods of a socket. The
-- object of a leader (waiting.lua) has the descriptor of the engine; other objects have a descriptor that never becomes
-- readable. copas resumes a coroutine when the method `dirty` of its object returns true. copas before version 2 has no
-- timers, so one coroutine waits until the next sleeper is due.

local copas = require "copas"
local core = require "waba.core"
local coroutines = require "waba.coroutines"
local curl = require "waba.curl"
local heap = require "waba.transport.loop.heap"
local runtime = require "waba.runtime"
local tasks = require "waba.transport.loop.tasks"

local blocking, limits, running = runtime.loop "blocking", runtime.limits, coroutines.running

---@type waba.Loop
local loop = { name = "copas" }

local task_of = tasks.keeper()

-- The methods that copas and LuaSocket's select call on a socket.
local Waiting = {}
Waiting.__index = Waiting

function Waiting:getfd() return self.descriptor end
function Waiting:dirty() return self.woken end
-- copas.receive calls this method, and waits if the result is "timeout".
function Waiting:receive()
  if self.asked then return "" end
  self.asked = true
  return nil, "timeout"
end
-- When a coroutine ends, old versions of copas close the object for which the coroutine waited last.
function Waiting.close() end

-- All waits share two alarms: `never` is never readable; `timer` becomes readable when the first sleeper is due.
local never, timer
local sleepers = {}
local waiting = 0 -- the number of waiting tasks; includes tasks whose coroutine ended during the wait
local driver -- the object for which the coroutine of `drive` waits; nil if there is no such coroutine

function loop.task()
  local thread, is_main = running()
  if not thread or is_main then return nil end
  local message
  if not never then never, message = curl.alarm() end
  if never and not timer then timer, message = curl.alarm() end
  if not timer then return nil, "copas can't be used on this system: " .. message end
  return task_of(thread)
end

loop.is_alive = tasks.is_alive

local function wake(object)
  if object then object.woken, object.descriptor = true, never:pollfd() end
end

local function wait_for(descriptor)
  return setmetatable({ descriptor = descriptor, woken = false }, Waiting)
end

-- Wakes sleepers when they are due.
local function drive()
  while true do
    local now = core.clock()
    while sleepers[1] and sleepers[1].listed <= now do
      local task = sleepers[1]
      heap.remove(sleepers, task)
      wake(task.object)
    end
    if not sleepers[1] then break end
    timer:set(sleepers[1].listed - now)
    driver = wait_for(timer:pollfd())
    copas.receive(driver)
  end
  driver = nil
end

-- Suspends the task until the descriptor is readable, until the seconds are over, or until `wake` is called.
local function suspend(task, seconds, descriptor)
  local object = wait_for(descriptor or never:pollfd())
  task.object = object
  waiting = waiting + 1
  heap.put(sleepers, task, core.clock() + seconds)
  if not driver then
    driver = wait_for(timer:pollfd())
    copas.addthread(drive)
  elseif sleepers[1] == task then
    timer:set(seconds)
  end
  copas.receive(object)
  if task.place then heap.remove(sleepers, task) end
  task.object = nil
  waiting = waiting - 1
  if waiting == 0 then wake(driver) end
end

function loop.wait(task, engine, seconds)
  if not task then return blocking.wait(nil, engine, seconds) end
  local descriptor, left = limits(engine, seconds)
  suspend(task, left, descriptor)
end

loop.park = suspend

function loop.wake(task) wake(task.object) end

function loop.sleep(seconds)
  local task = loop.task()
  if not task then return blocking.sleep(seconds) end
  local due = core.clock() + seconds
  repeat
    suspend(task, math.max(0, due - core.clock()))
  until core.clock() >= due
end

return loop
