-- Counts the results of a bulk run, measures its rate, and estimates the remaining seconds.

local floor, max = math.floor, math.max

---@class waba.BulkFigures
---@field done integer  the sum of sent, failed, maybe_sent, skipped, duplicates and suppressed
---@field sent integer
---@field failed integer  messages that were certainly not sent
---@field maybe_sent integer  messages with an uncertain result
---@field skipped integer  messages that have a result from an earlier run of the journal
---@field duplicates integer  messages that the option `unique` left out
---@field suppressed? integer  messages that the option `suppress` left out
---@field err? waba.Error  the error because of which the run pauses: the gateway can't be reached or is overloaded
---@field elapsed number  seconds since the start of the run
---@field rate number  messages per second during the last 10 seconds
---@field total? integer  the value of the option `total`
---@field seconds_left? number  estimated seconds until the end; nil without the option `total`, or if the rate is 0

---@class waba.BulkCount
local Count = { __name = "waba.BulkCount" }
Count.__index = Count

local figures = {}

-- Once a second, the rate is computed from the messages of the last WINDOW seconds.
local WINDOW = 10

function figures.new(total, now, with_suppressed)
  return setmetatable({
    suppressed = with_suppressed and 0 or nil,
    total = total, started = now, sent = 0, failed = 0, maybe_sent = 0, skipped = 0, duplicates = 0,
    failed_before = 0, maybe_sent_before = 0,
    marks = { { time = now, handled = 0 } },
  }, Count)
end

--- Counts a message. `outcome` is the name of a field of `waba.BulkSummary`.
function Count:add(outcome) self[outcome] = self[outcome] + 1 end

local function rate_of(self, now)
  local handled, marks = self.sent + self.failed + self.maybe_sent, self.marks
  local first, last = marks[1], marks[#marks]
  if now - last.time >= 1 then
    marks[#marks + 1] = { time = now, handled = handled }
    if #marks > WINDOW then table.remove(marks, 1) end
  end
  return now > first.time and (handled - first.handled) / (now - first.time) or 0
end

-- Returns the number of messages of each outcome, and their sum as `done`.
local function counts_of(self)
  local counts = { done = 0 }
  for _, outcome in ipairs { "sent", "failed", "maybe_sent", "skipped", "duplicates", "suppressed" } do
    counts[outcome] = self[outcome]
    counts.done = counts.done + (self[outcome] or 0)
  end
  return counts
end

---@return waba.BulkFigures
function Count:read(now)
  local result, rate, total = counts_of(self), rate_of(self, now), self.total
  result.elapsed, result.rate, result.total = now - self.started, rate, total
  result.seconds_left = total and rate > 0 and max(0, total - result.done) / rate or nil
  return result
end

---@return waba.BulkSummary
function Count:summary(now)
  local result = counts_of(self)
  result.failed_before, result.maybe_sent_before = self.failed_before, self.maybe_sent_before
  result.seconds = now - self.started
  return result
end

--- Returns the duration of a run without errors, in seconds. The duration follows from the slowest of three rates: the
--- rate of the client's rate limiter, the rate of the run, and the number of messages in flight divided by their
--- latency.
--- `bucket` is the token bucket of the client's rate limiter, and `latency` the seconds between request and response.
function figures.estimate(bucket, count, rate, concurrency, latency)
  local seconds = floor((count + concurrency - 1) / concurrency) * latency
  if rate then seconds = max(seconds, (count - 1) / rate + latency) end
  if bucket then seconds = max(seconds, (count - 1) * bucket.interval - bucket.slack + latency) end
  return count > 0 and seconds or 0
end

return figures
