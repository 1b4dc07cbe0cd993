-- A line of calls that wait for their turn at one gate (a token bucket, a conversation). The first in
-- line watches the gate; the others are parked, and each wakes the next as it goes. Bulk stands in a second
-- line, which moves only while the first is empty.

local core = require "waba.core"
local waiters = require "waba.transport.waiter"

local clock = core.clock
local max, min = math.max, math.min

-- Who is not the first looks after so many seconds whether the first is still there, and the less often the
-- farther back it stands: of any number in line only a few look each second.
local BEAT, CLOSE = 1, 8

-- Seconds beyond its deadline in which somebody may still be about to leave.
local GRACE = 1

--- What a line waits for.
---@class waba.Gate
---@field try fun(self, now: number): boolean    goes through, if that is possible now
---@field take fun(self, now: number)            goes through, after `delay` was 0
---@field delay fun(self, now: number): number   seconds after which the first in line should look again; 0: it may go
---@field earliest fun(self, now: number, ahead: integer): number  seconds until somebody with others ahead can go,
---                                              at the least

---@class waba.Line
---@field gate waba.Gate
local Line = {}
Line.__index = Line
Line.__name = "waba.Line"

local line = {}

local function new_queue() return { first = 1, last = 0, count = 0 } end

---@param gate waba.Gate
---@return waba.Line
function line.new(gate)
  return setmetatable({ gate = gate, replies = new_queue(), bulk = new_queue(), is_closed = false }, Line)
end

local function enter(queue, waiter, deadline, at_front)
  local entry = { waiter = waiter, deadline = deadline, position = nil, has_left = false }
  if at_front then
    queue.first = queue.first - 1
    entry.position = queue.first
  else
    queue.last = queue.last + 1
    entry.position = queue.last
  end
  queue[entry.position] = entry
  queue.count = queue.count + 1
  return entry
end

local function leave(queue, entry)
  if entry.has_left then return end
  entry.has_left = true
  queue[entry.position] = false
  queue.count = queue.count - 1
  if queue.count == 0 then
    for position = queue.first, queue.last do queue[position] = nil end
    queue.first, queue.last = 1, 0
  end
end

-- Who has not left long after its deadline never will: not every loop tells that a coroutine has ended.
local function is_there(entry, now)
  return entry.waiter:is_alive() and now < entry.deadline + GRACE
end

-- The first in line that still waits.
local function front_of(queue, now)
  while queue.first <= queue.last do
    local entry = queue[queue.first]
    if entry and is_there(entry, now) then return entry end
    if entry then
      leave(queue, entry)
    else
      queue[queue.first] = nil
      queue.first = queue.first + 1
    end
  end
end

--- Lets the first in line look at the gate.
---@param now number
function Line:notify(now)
  local entry = front_of(self.replies, now) or front_of(self.bulk, now)
  if entry then entry.waiter:wake() end
end

--- Lets those look who can't wait until a moment.
---@param moment number
function Line:notify_hopeless(moment)
  for _, queue in ipairs { self.replies, self.bulk } do
    for position = queue.first, queue.last do
      local entry = queue[position]
      if entry and entry.deadline <= moment then entry.waiter:wake() end
    end
  end
end

--- Sends everybody away, and lets nobody wait any more.
function Line:close()
  self.is_closed = true
  self:notify_hopeless(math.huge)
end

---@return boolean
function Line:is_empty()
  return self.replies.count == 0 and self.bulk.count == 0
end

--- Goes through at once, where nobody has to be waited for.
---@param now number
---@param is_bulk? boolean
---@return boolean
function Line:try(now, is_bulk)
  if self.replies.count > 0 or is_bulk and self.bulk.count > 0 then return false end
  return self.gate:try(now)
end

local function patience(queue, entry)
  return BEAT * (1 + (entry.position - queue.first) / CLOSE)
end

--- Waits for its turn, and goes through. Gives up as soon as it is clear that the turn can't come in time,
--- and when the line is closed.
---@param transport waba.Transport
---@param now number
---@param deadline number
---@param is_bulk? boolean   after all who are not
---@param at_front? boolean  it had its turn before
---@return number|nil now    the time; nil when the turn did not come in time
---@return number? delay     seconds after which it may be worth another try
function Line:wait(transport, now, deadline, is_bulk, at_front)
  local gate, replies = self.gate, self.replies
  local queue = is_bulk and self.bulk or replies
  local ahead = at_front and 0 or replies.count + (is_bulk and queue.count or 0)
  local delay = gate:earliest(now, ahead)
  if self.is_closed or now + delay >= deadline then return nil, delay end
  local entry = enter(queue, waiters.of(transport), deadline, at_front)
  repeat
    local is_first = front_of(queue, now) == entry and not (is_bulk and front_of(replies, now))
    delay = gate:delay(now)
    if is_first and delay <= 0 then
      leave(queue, entry)
      gate:take(now)
      self:notify(now)
      return now
    end
    if self.is_closed or now + gate:earliest(now, 0) >= deadline then break end
    entry.waiter:wait(min(is_first and delay or patience(queue, entry), deadline - now))
    now = clock()
  until now >= deadline
  leave(queue, entry)
  self:notify(now)
  return nil, max(0, gate:earliest(now, 0))
end

return line
