-- The queue of the calls that wait for one limiter (a token bucket, or a conversation). Only the first call of the
-- queue checks the limiter. The other calls are suspended; each call that leaves the queue wakes the next call. Bulk
-- calls wait in a second list, and get a slot only while the first list is empty.

local core = require "waba.core"
local runtime = require "waba.runtime"

local clock = core.clock
local max, min = math.max, math.min

-- A suspended call checks every BEAT seconds whether the first call still exists. A call that is behind more
-- than CLOSE other calls makes this check less often, so that only a few calls make the check in each second.
local BEAT, CLOSE = 1, 8

-- A call counts as waiting until GRACE seconds after its deadline, because its coroutine can run late.
local GRACE = 1

--- A rate limiter that a queue waits for.
---@class waba.Limiter
---@field try fun(self, now: number, is_bulk?: boolean): boolean  takes a slot if there is one now
---@field take fun(self, now: number, is_bulk?: boolean)  takes a slot; the caller has checked that `delay` returns 0
---@field delay fun(self, now: number, is_bulk?: boolean): number  the seconds until the next check; 0: there is a slot
---@field refill? fun(self, now: number, is_bulk: boolean?, waiting: integer): boolean  only for a limiter that
---        several processes share: requests slots from the store if necessary, and returns whether slots were
---        requested; may wait
---@field earliest fun(self, now: number, ahead: integer): number  the least number of seconds until a call gets a slot
---        if `ahead` other calls are before it

---@class waba.Queue
---@field limiter waba.Limiter
local Queue = { __name = "waba.Queue" }
Queue.__index = Queue

local queue = {}

-- The lists of a queue in which no call has waited yet.
local UNUSED = { first = 1, last = 0, count = 0 }

function queue.new(limiter)
  return setmetatable({ limiter = limiter, replies = UNUSED, bulk = UNUSED, is_closed = false }, Queue)
end

local function enter(list, waiter, deadline, at_front)
  local position = at_front and list.first - 1 or list.last + 1
  list[at_front and "first" or "last"] = position
  local entry = { waiter = waiter, deadline = deadline, position = position, has_left = false }
  list[position] = entry
  list.count = list.count + 1
  return entry
end

local function leave(list, entry)
  if entry.has_left then return end
  entry.has_left = true
  list[entry.position] = false
  list.count = list.count - 1
  if list.count == 0 then
    for position = list.first, list.last do list[position] = nil end
    list.first, list.last = 1, 0
  end
end

-- Returns the first call that still waits. `is_alive` can return true after the end of a coroutine, because not every
-- event loop reports the end; therefore the deadline is checked too.
local function first_of(list, now)
  while list.first <= list.last do
    local entry = list[list.first]
    if entry and entry.waiter:is_alive() and now < entry.deadline + GRACE then return entry end
    if entry then
      leave(list, entry)
    else
      list[list.first] = nil
      list.first = list.first + 1
    end
  end
end

--- Wakes the first call, so that this call checks the limiter.
function Queue:notify(now)
  local entry = first_of(self.replies, now) or first_of(self.bulk, now)
  if entry then entry.waiter:wake() end
end

--- Wakes the calls whose deadline is not after `moment`, so that these calls check the limiter.
function Queue:notify_late(moment)
  for _, list in ipairs { self.replies, self.bulk } do
    for position = list.first, list.last do
      local entry = list[position]
      if entry and entry.deadline <= moment then entry.waiter:wake() end
    end
  end
end

--- Ends the waiting of all calls, and refuses new calls.
function Queue:close()
  self.is_closed = true
  self:notify_late(math.huge)
end

function Queue:is_empty() return self.replies.count == 0 and self.bulk.count == 0 end

--- Takes a slot if there is one now and no call with precedence waits. Returns whether a slot was taken.
function Queue:try(now, is_bulk)
  if self.replies.count > 0 or is_bulk and self.bulk.count > 0 then return false end
  return self.limiter:try(now, is_bulk)
end

local function is_next(self, list, entry, is_bulk, now)
  return first_of(list, now) == entry and not (is_bulk and first_of(self.replies, now))
end

--- Waits for a slot, and takes it. Returns nil if the queue is closed, or if no slot is possible before the deadline.
---@param transport waba.Transport
---@param now number
---@param deadline number
---@param is_bulk? boolean  true: waits in the second list, for bulk calls
---@param at_front? boolean  true: gets the next slot, because the call already had a slot
---@return number|nil now  the time after the wait
---@return number? delay  if `now` is nil: the seconds after which another attempt can succeed
function Queue:wait(transport, now, deadline, is_bulk, at_front)
  local limiter, name = self.limiter, is_bulk and "bulk" or "replies"
  if self[name] == UNUSED then self[name] = { first = 1, last = 0, count = 0 } end
  local list = self[name]
  local ahead = at_front and 0 or self.replies.count + (is_bulk and list.count or 0)
  local delay = limiter:earliest(now, ahead)
  if self.is_closed or now + delay >= deadline then return nil, delay end
  local entry = enter(list, runtime.require("waba.transport.waiter").of(transport), deadline, at_front)
  repeat
    local is_first = is_next(self, list, entry, is_bulk, now)
    if is_first and limiter.refill and limiter:refill(now, is_bulk, list.count) then
      now = clock()
      is_first = is_next(self, list, entry, is_bulk, now)
    end
    delay = limiter:delay(now, is_bulk)
    if is_first and delay <= 0 then
      leave(list, entry)
      limiter:take(now, is_bulk)
      self:notify(now)
      return now
    end
    if self.is_closed or now + limiter:earliest(now, 0) >= deadline then break end
    if not is_first then delay = BEAT * (1 + (entry.position - list.first) / CLOSE) end
    entry.waiter:wait(min(delay, deadline - now))
    now = clock()
  until now >= deadline
  leave(list, entry)
  self:notify(now)
  return nil, max(0, limiter:earliest(now, 0))
end

return queue
