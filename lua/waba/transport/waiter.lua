-- Lets one call wait until another wakes it, in the way of the event loop that runs both. A waiter belongs to the
-- coroutine that made it. A wait may end early: the caller must check again what it waits for.

local runtime = require "waba.runtime"

local waiter = {}

-- Seconds between checks where no coroutine can be woken: few at first, then more.
local SHORTEST, LONGEST = 0.001, 0.1

--- One call that can wait. A user's transport may have `transport:waiter()`, which returns one; without it
--- `transport:sleep` is called in small steps.
---@class waba.Waiter
---@field wait fun(self, seconds: number)   until `wake`, or the seconds are over, or earlier
---@field wake fun(self)                    resumes it; has no effect when it does not wait
---@field is_alive fun(self): boolean       false when it is certain that it will never be resumed

-- In a loop that can park coroutines.
local Parked = {}
Parked.__index = Parked

function Parked:wait(seconds) self.loop.park(self.task, seconds) end
function Parked:wake() self.loop.wake(self.task) end
function Parked:is_alive() return self.loop.is_alive(self.task) end

--- A waiter of an event loop (lua/waba/transport/contract.lua).
---@param loop waba.Loop
---@param task waba.LoopTask|nil  without one no coroutine can be parked: the whole loop sleeps
---@return waba.Waiter
function waiter.of_loop(loop, task)
  if not task then return waiter.sleeping(loop.sleep) end
  return setmetatable({ loop = loop, task = task }, Parked)
end

-- A light thread of nginx, which waits on its own semaphore.
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

-- The semaphore of a thread that was ended has no waiter any more.
function LightThread:is_alive()
  return not self.is_waiting or self.is_woken or self.semaphore:count() < 0
end

--- The running coroutine as a waiter.
---@param named? waba.Loop  as in `runtime.detect`
---@return waba.Waiter
function waiter.here(named)
  if runtime.is_nginx() then
    local can_wait, message = runtime.can_wait_in_nginx()
    if not can_wait then error("waba: " .. message, 2) end
    return setmetatable({ semaphore = assert(require("ngx.semaphore").new(0)), is_waiting = false }, LightThread)
  end
  local loop, task = runtime.detect(named)
  return waiter.of_loop(loop, task or loop.task())
end

-- Where no other coroutine can run meanwhile, or none can be woken.
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

--- A waiter that sleeps in small steps.
---@param sleep fun(seconds: number)
---@return waba.Waiter
function waiter.sleeping(sleep)
  return setmetatable({ sleep = sleep, step = SHORTEST, is_woken = false }, Sleeping)
end

--- The running coroutine as a waiter, by the functions of a transport.
---@param transport waba.Transport
---@return waba.Waiter
function waiter.of(transport)
  if type(transport.waiter) == "function" then return transport:waiter() end
  return waiter.sleeping(function(seconds) transport:sleep(seconds) end)
end

return waiter
