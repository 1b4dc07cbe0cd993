-- A token bucket that can be paused. The bucket has no clock and never waits: the caller passes the time, and waits.

local max = math.max
local NEVER = -math.huge

---@class waba.Bucket
---@field due number  the time at which the bucket will be full; determines the number of tokens
---@field open_at number  the time from which a token is available
local Bucket = { __name = "waba.Bucket" }
Bucket.__index = Bucket

-- `paused_until` is a field of the class until the first pause, because an object with five fields needs more memory. A
-- program can have many buckets.
Bucket.paused_until = NEVER

local bucket = {}

---@param rate? waba.Rate  nil: there is no limit, but the bucket can be paused
---@return waba.Bucket
function bucket.new(rate)
  return setmetatable({
    interval = rate and 1 / rate.rate or 0, slack = rate and (rate.burst - 1) / rate.rate or 0,
    due = NEVER, open_at = NEVER,
  }, Bucket)
end

--- Takes a token if one is available now. Returns whether a token was taken.
function Bucket:try(now)
  if now < self.open_at then return false end
  -- comparisons, which are faster than calls of `max`, because this function is called for every message
  local due, paused_until = self.due, self.paused_until
  due = (due > now and due or now) + self.interval
  self.due = due
  local open_at = due - self.slack
  self.open_at = open_at > paused_until and open_at or paused_until
  return true
end

--- Takes a token. The caller must know that a token is available.
function Bucket:take(now)
  self.open_at = now
  self:try(now)
end

--- Puts back a token that was not used.
function Bucket:give_back()
  self.due = self.due - self.interval
  self.open_at = max(self.due - self.slack, self.paused_until)
end

--- Returns the seconds until the next token.
function Bucket:delay(now) return max(0, self.open_at - now) end

--- Returns the least number of seconds until a request gets a token if `ahead` other requests get their tokens first.
function Bucket:earliest(now, ahead)
  return max(0, self.paused_until - now, max(self.due, now) + ahead * self.interval - self.slack - now)
end

--- Pauses the bucket: no token is available before the time `moment`. At the end of the pause the bucket has one token,
--- and further tokens follow at the rate. A full bucket would let all waiting requests through at once.
function Bucket:pause(moment)
  if moment <= self.paused_until then return end
  self.paused_until = moment
  self.due = max(self.due, moment + self.slack)
  self.open_at = max(self.due - self.slack, moment)
end

--- Returns whether the bucket is full and not paused, like a new bucket.
function Bucket:is_full(now) return self.due <= now and self.paused_until <= now end

return bucket
