-- Waiters: with a waiter, one coroutine waits until another coroutine wakes it. A waiter belongs to the coroutine that
-- made it. A wait can end early, so the caller must check its condition after each wait.

local runtime = require "waba.runtime"

local waiter = {}

-- The seconds of the first and of the longest step of a sleeping waiter. Each step is twice as long as the previous
-- step.
local SHORTEST, LONGEST = 0.001, 0.1

--- An object with which a coroutine can wait. The method `transport:waiter()` of a user's transport returns waiters;
--- without this method the library calls `transport:sleep` in small steps.
---@class waba.Waiter
---@field wait fun(self, seconds: number)  returns after `wake` or after the seconds; can return early
---@field wake fun(self)  ends the wait of the coroutine; has no effect if the coroutine does not wait
---@field is_alive fun(self): boolean  false: the coroutine will certainly never be resumed

-- The waiter in an event loop that can suspend coroutines.
local Parked = {}
Parked.__index = Parked

function Parked:wait(seconds) self.loop.park(self.task, seconds) end
function Parked:wake() self.loop.wake(self.task) end
function Parked:is_alive() return self.loop.is_alive(self.task) end

--- Makes a waiter for a task of an event loop. Without a task the whole loop sleeps, because the running code can't be
--- suspended.
function waiter.of_loop(loop, task)
  if not task then return waiter.sleeping(loop.sleep) end
  return setmetatable({ loop = loop, task = task }, Parked)
end

-- The waiter of a light thread in nginx, which waits on its own semaphore.
local LightThread = {}
LightThread.__index = LightThread

function LightThread:wait(seconds)
  self.is_waiting, self.is_woken = true, false
  self.semaphore:wait(math.max(0.001, seconds))
  self.is_waiting = false
end

function LightThread:wake()
  if not self.is_waiting or self.is_woken then return end
  self.is_woken = true
  self.semaphore:post(1)
end

-- The count of a semaphore is below 0 while a light thread waits for it. When nginx ends the thread, the count becomes
-- 0.
function LightThread:is_alive()
  return not self.is_waiting or self.is_woken or self.semaphore:count() < 0
end

--- Returns a waiter for the running coroutine. `named` has the same meaning as in `runtime.detect`.
function waiter.here(named)
  if runtime.is_nginx() then
    local can_wait, message = runtime.can_wait_in_nginx()
    if not can_wait then error("waba: " .. message, 2) end
    return setmetatable({ semaphore = assert(require("ngx.semaphore").new(0)), is_waiting = false }, LightThread)
  end
  local loop, task = runtime.detect(named)
  return waiter.of_loop(loop, task or loop.task())
end

--- Returns a waiter for the running coroutine; nil if no other coroutine can run while the running coroutine waits.
---@param named? waba.Loop  see `runtime.detect`
---@return waba.Waiter|nil
function waiter.parked(named)
  if runtime.is_nginx() then return runtime.can_wait_in_nginx() and waiter.here() or nil end
  local loop, task = runtime.detect(named)
  task = task or loop.task()
  return task and waiter.of_loop(loop, task) or nil
end

-- The waiter for code that can't be woken from a sleep, because no other coroutine runs during the sleep, or because
-- the transport has no method `waiter`.
local Sleeping = {}
Sleeping.__index = Sleeping

function Sleeping:wait(seconds)
  if self.is_woken then self.step = SHORTEST end
  self.is_woken = false
  self.sleep(math.min(seconds, self.step))
  self.step = math.min(2 * self.step, LONGEST)
end

function Sleeping:wake() self.is_woken = true end
function Sleeping.is_alive() return true end

function waiter.sleeping(sleep)
  return setmetatable({ sleep = sleep, step = SHORTEST, is_woken = false }, Sleeping)
end

--- Returns a waiter for the running coroutine, made by the methods of a transport.
function waiter.of(transport)
  if type(transport.waiter) == "function" then return transport:waiter() end
  return waiter.sleeping(function(seconds) transport:sleep(seconds) end)
end

return waiter
