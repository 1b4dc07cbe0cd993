-- Token buckets, one for each class of request of one key: who comes gets the next free moment, in
-- the order of coming. Knows no clock and never waits: it is told the time and answers with a delay.

local max = math.max

local Pace = {}
Pace.__index = Pace
Pace.__name = "waba.Pace"

local pacing = {}

---@class waba.Rate
---@field rate number    requests per second
---@field burst integer  requests that may go at once after a rest

--- One bucket for each class.
---@param rates table<string, waba.Rate>  as in { messages = { rate = 50, burst = 150 }, other = … }
function pacing.new(rates)
  local buckets = {}
  for class, rate in pairs(rates) do
    buckets[class] = { interval = 1 / rate.rate, slack = (rate.burst - 1) / rate.rate, due = -math.huge }
  end
  return setmetatable({ buckets = buckets, paused_until = -math.huge }, Pace)
end

--- Takes the next free moment of a class, unless it lies behind the deadline.
--- `due` is the moment at which the bucket would be full again: one number holds the whole state.
---@param class string
---@param now number
---@param deadline number
---@return number|nil delay  seconds until the moment that was taken; nil when it would be too late
function Pace:reserve(class, now, deadline)
  local bucket = self.buckets[class]
  local moment = max(now, self.paused_until)
  if bucket then moment = max(moment, bucket.due - bucket.slack) end
  if moment > now and moment >= deadline then return nil end
  if bucket then bucket.due = max(bucket.due, moment) + bucket.interval end
  return moment - now
end

--- Lets nobody go before a moment: the gateway said that this key is too fast.
---@param moment number
function Pace:pause(moment)
  if moment > self.paused_until then self.paused_until = moment end
end

--- Seconds that a pause, made while somebody waited for the moment that was taken, still lasts.
---@param now number
---@return number
function Pace:pause_left(now)
  return max(0, self.paused_until - now)
end

return pacing
