-- A rate limiter that several processes share, for one class of requests. Each process takes batches of tokens from the
-- store, so that most messages are sent without a call of the store.

local buckets = require "waba.delivery.bucket"

local floor, ceil, max, min, huge = math.floor, math.ceil, math.max, math.min, math.huge

local bucket = {}

-- A batch has at most BATCH tokens, and at most the tokens for SPAN seconds, because a process reads the pauses of
-- other processes only with its next batch. At a fast rate a batch may exceed BATCH, and has the tokens for SHORTEST
-- seconds.
local BATCH, SPAN, SHORTEST = 25, 0.6, 0.1
-- A token expires LATE seconds after it became valid. With a large burst, tokens expire later: after the time in which
-- the rate grants LATE_PART of the burst. The store grants only the rest of the burst, because otherwise tokens that
-- are used late could exceed the burst together with the next tokens.
local LATE_PART, LATE = 0.25, 0.1
local HEADROOM = 2 -- the number of batches of the burst that only replies may use

--- Times in seconds. While one coroutine calls the store, other coroutines check for the reply every STEP seconds. If
--- the call has not returned after LOST seconds, another coroutine calls the store. SOON is the shortest wait for a
--- token. A process reads the pauses from the store again after FRESH seconds.
bucket.STEP, bucket.LOST, bucket.SOON, bucket.FRESH = 0.01, 3, 0.001, 0.9

local STEP, LOST, SOON, FRESH = bucket.STEP, bucket.LOST, bucket.SOON, bucket.FRESH

-- Makes a lane: the tokens for replies, or the tokens for bulk messages. A reply may use a token for bulk messages, but
-- not vice versa. `guess` is the expected number of tokens that will be used before they expire.
local function new_lane(name, slack)
  return {
    name = name, slack = slack, count = 0, next_at = 0, granted_at = 0, wanted = 0, lapsed = 0, guess = 1, ask_at = 0,
  }
end

---@class waba.SharedBucket : waba.Limiter
---@field interval number  the seconds between two tokens at the full rate; 0: the bucket has pauses but no rate
local Bucket = {}
Bucket.__index = Bucket
Bucket.__name = "waba.SharedBucket"
bucket.Bucket = Bucket

-- Drops the expired tokens of a lane. The next call of the store returns the dropped tokens.
local function expire(self, lane, now)
  local latest = now - self.late
  if lane.count == 0 or latest <= lane.granted_at or latest <= lane.next_at then return end
  local lapsed = min(lane.count, floor((latest - lane.next_at) / self.interval) + 1)
  lane.count, lane.lapsed = lane.count - lapsed, lane.lapsed + lapsed
  lane.next_at = lane.next_at + lapsed * self.interval
  self.returned = self.returned + lapsed
end

-- Returns the lane from which a request takes its token, or nil. A reply takes a token for bulk messages only if the
-- token is valid now or soon, because the store may have an earlier token for the reply.
local function usable(self, now, is_bulk)
  local replies, bulk = self.replies, self.bulk
  expire(self, bulk, now)
  if is_bulk then return bulk.count > 0 and bulk or nil end
  if bulk.count > 0 and bulk.next_at <= now then return bulk end
  expire(self, replies, now)
  return replies.count > 0 and replies or bulk.count > 0 and bulk.next_at <= now + self.interval and bulk or nil
end

-- Returns the bucket that this process uses while the store can't be reached. If the process has received tokens
-- from the store before, the bucket has only one token at first, because the burst may have been used.
local function fallback_of(self, now)
  local fallback, rate, share = self.fallback, self.rate, self.shared.store.share
  if not fallback then
    fallback = buckets.new(rate and { rate = rate.rate * share, burst = max(1, floor(rate.burst * share)) })
    if self.due > -huge then fallback.due = now + fallback.slack end
    self.fallback = fallback
  end
  return fallback
end

function Bucket:delay(now, is_bulk)
  if now < self.paused_until then return self.paused_until - now end
  local store = self.shared.store
  if not self.rate and now < self.open_until then return 0 end
  local lane = self.rate and usable(self, now, is_bulk)
  if lane then return max(0, lane.next_at - now) end
  if store.failure then
    local left = max(SOON, store.retry_at - now)
    return store.waits and left or min(left, fallback_of(self, now):delay(now))
  end
  if now < self.asking_until then return STEP end
  return max(SOON, (is_bulk and self.bulk or self.replies).ask_at - now)
end

function Bucket:take(now, is_bulk)
  local lane = self.rate and usable(self, now, is_bulk)
  if lane then
    lane.count, lane.next_at = lane.count - 1, lane.next_at + self.interval
  elseif self.shared.store.failure then
    fallback_of(self, now):take(now)
    if self.rate then self.returned = self.returned - 1 end -- the next successful call of the store counts this token
  end
end

function Bucket:try(now, is_bulk)
  if self:delay(now, is_bulk) > 0 then return false end
  self:take(now, is_bulk)
  return true
end

function Bucket:earliest(now, ahead)
  local held = self.replies.count + self.bulk.count
  local due = max(self.due, now) + (ahead - held) * self.interval
  return max(0, self.paused_until - now, due - self.slack - now)
end

-- Returns how many tokens to take from the store, and whether the process could use a complete batch. The expected
-- number of tokens is the larger of two numbers: the number of waiting requests, and the number of used tokens of the
-- last batch, which is doubled if all tokens of that batch were used.
local function demand(self, lane, waiting)
  if lane.wanted > 0 then
    lane.guess = lane.lapsed > 0 and max(1, lane.wanted - lane.lapsed) or min(self.batch, 2 * lane.wanted)
  end
  local expected = max(waiting, lane.guess)
  return self.rate and max(1, min(self.batch, expected)) or 0, expected >= self.batch
end

function Bucket:refill(now, is_bulk, waiting)
  local lane, store = is_bulk and self.bulk or self.replies, self.shared.store
  if now < self.paused_until or now < self.asking_until then return false end
  if self.rate and usable(self, now, is_bulk) or now < self.open_until then return false end
  if store.failure and now < store.retry_at or not store.failure and now < lane.ask_at then return false end
  local wanted, needs_more = demand(self, lane, waiting)
  self.asking_until = now + LOST
  local reply = self.shared:take(self, lane, wanted, needs_more)
  self.asking_until = -huge
  if not reply then return true end
  self.fallback, now = nil, store.clock()
  lane.ask_at, self.due = now + reply.ask, now + reply.due
  lane.wanted, lane.lapsed = reply.granted, 0
  if reply.granted > 0 then
    lane.count, lane.next_at, lane.granted_at = reply.granted, now + reply.first, now
  end
  if not self.rate then self.open_until = now + FRESH end
  return true
end

--- Returns the error that ends a waiting request because the store can't be reached, or nil.
function Bucket:failure() return self.shared.store.waits and self.shared.store.failure or nil end

--- Drops all tokens, and allows no request before the time `moment`.
function Bucket:pause(moment)
  if moment <= self.paused_until then return end
  self.paused_until = moment
  for _, lane in ipairs { self.replies, self.bulk } do
    lane.count, lane.wanted, lane.ask_at = 0, 0, moment
  end
  if self.fallback then self.fallback:pause(moment) end
end

--- Makes the bucket of a class of requests.
function bucket.new(shared, class)
  local rate = shared.rates[class]
  local self = {
    shared = shared, class = class, rate = rate, interval = 0, slack = 0, length = 0, batch = 0, late = FRESH,
    paused_until = -huge, due = -huge, returned = 0, asking_until = -huge, open_until = -huge,
  }
  local slack = 0
  if rate then
    local kept = floor(rate.burst * LATE_PART)
    local capacity = rate.burst - kept
    self.interval = 1 / rate.rate
    self.batch = max(1, min(BATCH, ceil(rate.rate * SPAN)), floor(rate.rate * SHORTEST))
    self.late = max(LATE, kept * self.interval)
    self.slack, self.length = (capacity - 1) * self.interval, self.batch * self.interval
    slack = max(0, self.slack - HEADROOM * self.length)
  end
  self.replies, self.bulk = new_lane("replies", self.slack), new_lane("bulk", slack)
  return setmetatable(self, Bucket)
end

return bucket
