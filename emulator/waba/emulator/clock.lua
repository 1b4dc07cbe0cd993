-- The one clock of the emulator: everything that has a time, waits for one or expires asks it.
-- It runs with the real one, and `advance` moves it ahead, so that a day can pass in a moment.

local cqueues = require "cqueues"
local condition = require "cqueues.condition"

---@class waba.emulator.Clock
---@field private start number      Unix seconds when the clock was made
---@field private origin number     the monotonic clock then
---@field private ahead number      seconds it was advanced by
---@field private timers table[]    a binary heap; the next one due is at 1
---@field private changed userdata  condition: the first timer is another one
local Clock = {}
Clock.__index = Clock
Clock.__name = "waba.emulator.Clock"

local clock = {}

-- Timers due at the same time run in the order they were set.
local function earlier(a, b)
  if a.due ~= b.due then return a.due < b.due end
  return a.order < b.order
end

local function push(heap, timer)
  local i = #heap + 1
  heap[i] = timer
  while i > 1 do
    local parent = math.floor(i / 2)
    if not earlier(heap[i], heap[parent]) then break end
    heap[i], heap[parent] = heap[parent], heap[i]
    i = parent
  end
end

local function pop(heap)
  local first, n = heap[1], #heap
  heap[1] = heap[n]
  heap[n] = nil
  n = n - 1
  local i = 1
  while true do
    local child = 2 * i
    if child > n then break end
    if child < n and earlier(heap[child + 1], heap[child]) then child = child + 1 end
    if not earlier(heap[child], heap[i]) then break end
    heap[i], heap[child] = heap[child], heap[i]
    i = child
  end
  return first
end

--- Makes a clock.
---@param start? number  Unix seconds to begin with; the present by default
---@return waba.emulator.Clock
function clock.new(start)
  return setmetatable({
    start = start or os.time(), origin = cqueues.monotime(), ahead = 0,
    timers = {}, order = 0, changed = condition.new(),
  }, Clock)
end

---@return number seconds  Unix time, with a fraction
function Clock:now() return self.start + (cqueues.monotime() - self.origin) + self.ahead end

---@return integer seconds  Unix time, as the platform writes it
function Clock:timestamp() return math.floor(self:now()) end

--- Calls a function once the time has come. The function must not wait.
---@param seconds number
---@param action fun()
function Clock:after(seconds, action)
  self.order = self.order + 1
  local timer = { due = self:now() + seconds, order = self.order, action = action }
  push(self.timers, timer)
  if self.timers[1] == timer then self.changed:signal() end
end

--- Moves the clock ahead. Runs the timers that have become due, in their order.
---@param seconds number
function Clock:advance(seconds)
  self.ahead = self.ahead + seconds
  self:run_due()
  self.changed:signal()
end

---@private
function Clock:run_due()
  local timers, now = self.timers, self:now()
  while timers[1] and timers[1].due <= now do
    pop(timers).action()
  end
end

--- Runs the timers, for ever: the body of one coroutine.
function Clock:run()
  while true do
    self:run_due()
    local first = self.timers[1]
    if first then
      cqueues.poll(self.changed, math.max(0, first.due - self:now()))
    else
      cqueues.poll(self.changed)
    end
  end
end

return clock
