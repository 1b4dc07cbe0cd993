-- How far a bulk run is, how fast, and how long it will take.

local floor, max = math.floor, math.max

---@class waba.BulkFigures
---@field done integer         those below together
---@field sent integer
---@field failed integer       certainly not sent
---@field maybe_sent integer   nobody knows
---@field skipped integer      settled by an earlier run of the journal
---@field duplicates integer    with the option `unique`
---@field err? waba.Error       why nothing is sent at the moment: the gateway can't be reached or is overloaded
---@field elapsed number       seconds
---@field rate number          messages per second, of late
---@field total? integer       as the caller said
---@field seconds_left? number  with total, once there is a rate

---@class waba.BulkCount
local Count = {}
Count.__index = Count
Count.__name = "waba.BulkCount"

local figures = {}

-- The rate is that of the last so many seconds, looked at each second.
local WINDOW = 10

---@param total integer|nil
---@param now number
---@return waba.BulkCount
function figures.new(total, now)
  return setmetatable({
    total = total, started = now, sent = 0, failed = 0, maybe_sent = 0, skipped = 0, duplicates = 0,
    failed_before = 0, maybe_sent_before = 0,
    marks = { { time = now, handled = 0 } },
  }, Count)
end

---@param outcome "sent"|"failed"|"maybe_sent"|"skipped"|"duplicates"|"failed_before"|"maybe_sent_before"
function Count:add(outcome)
  self[outcome] = self[outcome] + 1
end

local function rate_of(self, now)
  local handled, marks = self.sent + self.failed + self.maybe_sent, self.marks
  local first, last = marks[1], marks[#marks]
  if now - last.time >= 1 then
    marks[#marks + 1] = { time = now, handled = handled }
    if #marks > WINDOW then table.remove(marks, 1) end
  end
  return now > first.time and (handled - first.handled) / (now - first.time) or 0
end

local function done_of(self)
  return self.sent + self.failed + self.maybe_sent + self.skipped + self.duplicates
end

--- The figures of this moment.
---@param now number
---@return waba.BulkFigures
function Count:read(now)
  local done = done_of(self)
  local rate, total = rate_of(self, now), self.total
  return {
    done = done, sent = self.sent, failed = self.failed, maybe_sent = self.maybe_sent, skipped = self.skipped,
    duplicates = self.duplicates, elapsed = now - self.started, rate = rate, total = total,
    seconds_left = total and rate > 0 and max(0, total - done) / rate or nil,
  }
end

--- What a run returns.
---@param now number
---@return waba.BulkSummary
function Count:summary(now)
  return {
    done = done_of(self), sent = self.sent, failed = self.failed, maybe_sent = self.maybe_sent,
    skipped = self.skipped, failed_before = self.failed_before, maybe_sent_before = self.maybe_sent_before,
    duplicates = self.duplicates,
    seconds = now - self.started,
  }
end

--- Seconds that a run will take if nothing holds it up: as fast as the slowest of the client's pace, the
--- run's own rate, and so many messages in flight that take so long each.
---@param bucket waba.Bucket|nil  of the client's pace; nil: none
---@param count integer
---@param rate number|nil
---@param concurrency integer
---@param latency number  seconds
---@return number seconds
function figures.estimate(bucket, count, rate, concurrency, latency)
  local seconds = floor((count + concurrency - 1) / concurrency) * latency
  if rate then seconds = max(seconds, (count - 1) / rate + latency) end
  if bucket then seconds = max(seconds, (count - 1) * bucket.interval - bucket.slack + latency) end
  return count > 0 and seconds or 0
end

return figures
