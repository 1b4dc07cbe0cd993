-- A token bucket that can be paused. The bucket has no clock and never waits: the caller passes the time and gets the
-- seconds that the next request must wait.

local max = math.max
local NEVER = -math.huge

---@class waba.Bucket
---@field open_at number  the time from which a token is available
local Bucket = {}
Bucket.__index = Bucket
Bucket.__name = "waba.Bucket"

-- A bucket that was never paused has four fields, which fit into a table of the smallest size. A program may have
-- many buckets.
Bucket.paused_until = NEVER

local bucket = {}

--- `due` is the time at which the bucket will be full again; the number of tokens is computed from `due`.
---@param rate? waba.Rate  without a rate there is no limit, only pauses
---@return waba.Bucket
function bucket.new(rate)
  return setmetatable({
    interval = rate and 1 / rate.rate or 0, slack = rate and (rate.burst - 1) / rate.rate or 0,
    due = NEVER, open_at = NEVER,
  }, Bucket)
end

--- Takes a token if there is one now.
---@param now number
---@return boolean taken
function Bucket:try(now)
  if now < self.open_at then return false end
  -- called for every message: comparing is cheaper than calling math.max, and than calling `take`
  local due, paused_until = self.due, self.paused_until
  due = (due > now and due or now) + self.interval
  self.due = due
  local open_at = due - self.slack
  self.open_at = open_at > paused_until and open_at or paused_until
  return true
end

--- Takes a token; there must be one.
---@param now number
function Bucket:take(now)
  self.open_at = now
  self:try(now)
end

--- Returns a token that was not used.
function Bucket:give_back()
  self.due = self.due - self.interval
  self.open_at = max(self.due - self.slack, self.paused_until)
end

--- Returns the seconds until the next token.
---@param now number
---@return number
function Bucket:delay(now)
  return max(0, self.open_at - now)
end

--- Returns the least number of seconds that a request waits for a token if `ahead` other requests are before it.
---@param now number
---@param ahead integer
---@return number
function Bucket:earliest(now, ahead)
  return max(0, self.paused_until - now, max(self.due, now) + ahead * self.interval - self.slack - now)
end

--- Pauses the bucket: no token is available before `moment`. After a pause there is no burst, because all waiting
--- requests would otherwise be sent at once. One token is available at the end of the pause, and further tokens follow
--- at the rate.
---@param moment number
function Bucket:pause(moment)
  if moment <= self.paused_until then return end
  self.paused_until = moment
  self.due = max(self.due, moment + self.slack)
  self.open_at = max(self.due - self.slack, moment)
end

--- Returns whether the bucket is full and not paused, like a new bucket.
---@param now number
---@return boolean
function Bucket:is_full(now)
  return self.due <= now and self.paused_until <= now
end

return bucket
