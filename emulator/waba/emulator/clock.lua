-- The clock of the emulator, by which statuses, retries, expiry and rate limits are computed. The clock runs as fast as
-- the real clock. `advance` moves the emulator's clock ahead, so that a test need not wait for a day.

local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local heap = require "waba.transport.loop.heap"

---@class waba.emulator.Clock
---@field ahead number              seconds by which the clock was advanced
---@field private timers table[]    a heap; the timer that is due next is at position 1
---@field private changed userdata  a condition variable, signalled when a new timer is due before all others
local Clock = {}
Clock.__index = Clock
Clock.__name = "waba.emulator.Clock"

local clock = {}

--- Creates a clock that begins at a Unix time, by default at the current time.
function clock.new(start)
  return setmetatable({
    start = start or os.time(), origin = cqueues.monotime(), ahead = 0,
    timers = {}, order = 0, changed = condition.new(),
  }, Clock)
end

--- Returns the Unix time in seconds, with a fraction.
function Clock:now() return self.start + cqueues.monotime() - self.origin + self.ahead end

--- Returns the Unix time in whole seconds, the form of times in webhooks.
function Clock:timestamp() return math.floor(self:now()) end

-- Returns the seconds since the start, more precisely than a difference of Unix times.
local function elapsed(self) return cqueues.monotime() - self.origin + self.ahead end

--- Calls a function after some seconds. The function must not wait. Timers that are due at the same time run in the
--- order in which they were set.
function Clock:after(seconds, action)
  self.order = self.order + 1
  local timer = { action = action }
  heap.put(self.timers, timer, elapsed(self) + seconds + self.order * 1e-8)
  if self.timers[1] == timer then self.changed:signal() end
end

local function run_due(self)
  local timers, now = self.timers, elapsed(self)
  while timers[1] and timers[1].listed <= now do
    local timer = timers[1]
    heap.remove(timers, timer)
    timer.action()
  end
end

--- Moves the clock ahead, and runs the timers that have become due.
function Clock:advance(seconds)
  self.ahead = self.ahead + seconds
  run_due(self)
  self.changed:signal()
end

--- Runs the timers endlessly, in a coroutine of its own.
function Clock:run()
  while true do
    run_due(self)
    local first = self.timers[1]
    cqueues.poll(self.changed, first and math.max(0, first.listed - elapsed(self)))
  end
end

return clock
