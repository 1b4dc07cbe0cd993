-- Lets one call wait until another wakes it, in the way of the event loop both live in. A waiter belongs to
-- the coroutine that made it. Waiting may end early: whoever waits looks again.

local waiter = {}

-- Seconds between looks where nothing can be woken: few at first, then more.
local SHORTEST, LONGEST = 0.001, 0.1

--- One call that can wait. A transport of one's own may offer `transport:waiter()`, which makes such
--- a thing; without it waiting is done by `transport:sleep` in small steps.
---@class waba.Waiter
---@field wait fun(self, seconds: number)   until `wake`, or the seconds are over, or earlier
---@field wake fun(self)                    lets it go on; nothing happens when it does not wait
---@field is_alive fun(self): boolean       false when it is certain that it will never go on

-- In a loop that can park coroutines.
local Parked = {}
Parked.__index = Parked

function Parked:wait(seconds) self.loop.park(self.task, seconds) end
function Parked:wake() self.loop.wake(self.task) end
function Parked:is_alive() return self.loop.is_alive(self.task) end

--- A waiter of an event loop (lua/waba/transport/contract.lua).
---@param loop waba.Loop
---@param task waba.LoopTask|nil  without one nothing can be parked: the whole loop sleeps
---@return waba.Waiter
function waiter.of_loop(loop, task)
  if not task then return waiter.sleeping(loop.sleep) end
  return setmetatable({ loop = loop, task = task }, Parked)
end

-- Where nobody else can run meanwhile, or nobody can be woken.
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

--- The running coroutine as a waiter, by the means of a transport.
---@param transport waba.Transport
---@return waba.Waiter
function waiter.of(transport)
  if type(transport.waiter) == "function" then return transport:waiter() end
  return waiter.sleeping(function(seconds) transport:sleep(seconds) end)
end

return waiter
