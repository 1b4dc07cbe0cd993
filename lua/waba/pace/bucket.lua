-- The rate limiter of a class of requests that several processes share. Each process takes batches of tokens from the
-- store (rules.lua) and uses them, so that most messages are sent without a request to the store.

local buckets = require "waba.delivery.bucket"

local floor, ceil, max, min, huge = math.floor, math.ceil, math.max, math.min, math.huge

local bucket = {}

-- A batch has BATCH tokens. At a slow rate a batch has fewer tokens, enough for SPAN seconds, because a process
-- receives the pauses of other processes only with its next batch. At a fast rate a batch has more tokens, enough for
-- SHORTEST seconds.
local BATCH, SPAN, SHORTEST = 25, 0.6, 0.1

-- Each token becomes valid at a certain time and expires later. LATE_PART of the burst is reserved for tokens that are
-- used late, so that these tokens do not cause more messages than the rate allows. Every token is valid for at least
-- LATE seconds.
local LATE_PART, LATE = 0.25, 0.1

-- This number of batches of the burst is reserved for replies, so bulk messages can't use these batches.
local HEADROOM = 2

--- Times in seconds. While one coroutine waits for the reply of the store, the others check every STEP seconds whether
--- the reply has arrived. A coroutine that has waited for more than LOST seconds counts as ended. SOON is the shortest
--- wait. A process reads the pauses from the store again after FRESH seconds.
bucket.STEP, bucket.LOST, bucket.SOON, bucket.FRESH = 0.01, 3, 0.001, 0.9

local STEP, LOST, SOON, FRESH = bucket.STEP, bucket.LOST, bucket.SOON, bucket.FRESH

-- Creates a lane: the tokens for replies, or the tokens for bulk messages. Replies may use tokens for bulk messages;
-- bulk messages may not use tokens for replies.
local function new_lane(name, slack)
  -- guess: the number of tokens that will probably be used before they expire
  return {
    name = name, slack = slack, count = 0, next_at = 0, granted_at = 0, wanted = 0, lapsed = 0, guess = 1, ask_at = 0,
  }
end

---@class waba.SharedBucket : waba.Limiter
---@field interval number      seconds between two tokens at the full rate; 0: no rate, only pauses
---@field slack number
---@field paused_until number
local Bucket = {}
Bucket.__index = Bucket
Bucket.__name = "waba.SharedBucket"

--- The class of shared buckets; the limiters of recipients use some of its methods.
bucket.Bucket = Bucket

-- Drops the tokens of a lane that were not used in time, so that the next call of the store reports them as not used.
local function expire(self, lane, now)
  local latest = now - self.late
  if lane.count == 0 or latest <= lane.granted_at or latest <= lane.next_at then return end
  local lapsed = min(lane.count, floor((latest - lane.next_at) / self.interval) + 1)
  lane.count, lane.lapsed = lane.count - lapsed, lane.lapsed + lapsed
  lane.next_at = lane.next_at + lapsed * self.interval
  self.returned = self.returned + lapsed
end

-- Returns the lane from which a request takes its token; nil if no lane has a token. A reply does not take a token for
-- bulk messages that becomes valid later, because the store probably has a token for the reply now.
local function usable(self, now, is_bulk)
  local replies, bulk = self.replies, self.bulk
  expire(self, bulk, now)
  if is_bulk then return bulk.count > 0 and bulk or nil end
  if bulk.count > 0 and bulk.next_at <= now then return bulk end
  expire(self, replies, now)
  return replies.count > 0 and replies or bulk.count > 0 and bulk.next_at <= now + self.interval and bulk or nil
end

-- Returns the bucket that limits this process while the store cannot be reached.
local function fallback_of(self)
  if not self.fallback then
    local rate, share = self.rate, self.shared.store.share
    self.fallback = buckets.new(rate and { rate = rate.rate * share, burst = max(1, floor(rate.burst * share)) })
  end
  return self.fallback
end

--- Returns the seconds until there is a token, or until the first request must call `refill`.
---@param now number
---@param is_bulk? boolean
---@return number
function Bucket:delay(now, is_bulk)
  if now < self.paused_until then return self.paused_until - now end
  local store = self.shared.store
  if not self.rate then
    if now < self.open_until then return 0 end
  else
    local lane = usable(self, now, is_bulk)
    if lane then return max(0, lane.next_at - now) end
  end
  if store.failure then
    local left = max(SOON, store.retry_at - now)
    return store.waits and left or min(left, fallback_of(self):delay(now))
  end
  if now < self.asking_until then return STEP end
  return max(SOON, (is_bulk and self.bulk or self.replies).ask_at - now)
end

--- Takes a token; `delay` must have returned 0.
---@param now number
---@param is_bulk? boolean
function Bucket:take(now, is_bulk)
  local lane = self.rate and usable(self, now, is_bulk)
  if lane then
    lane.count, lane.next_at = lane.count - 1, lane.next_at + self.interval
  elseif self.shared.store.failure then
    fallback_of(self):take(now)
  end
end

--- Takes a token if this process has one.
---@param now number
---@param is_bulk? boolean
---@return boolean
function Bucket:try(now, is_bulk)
  if self:delay(now, is_bulk) > 0 then return false end
  self:take(now, is_bulk)
  return true
end

--- Returns the least number of seconds that a request waits for a token if `ahead` other requests are before it.
---@param now number
---@param ahead integer
---@return number
function Bucket:earliest(now, ahead)
  local held = self.replies.count + self.bulk.count
  local due = max(self.due, now) + (ahead - held) * self.interval
  return max(0, self.paused_until - now, due - self.slack - now)
end

-- Returns how many tokens to take from the store, and whether the process could use a complete batch or more. The
-- process takes the number of waiting requests or the expected number, whichever is larger, but at most a batch. The
-- expected number is the number of used tokens of the last batch, doubled if all tokens of the batch were used.
local function demand(self, lane, waiting)
  if lane.wanted > 0 then
    lane.guess = lane.lapsed > 0 and max(1, lane.wanted - lane.lapsed) or min(self.batch, 2 * lane.wanted)
  end
  local expected = max(waiting, lane.guess)
  return self.rate and max(1, min(self.batch, expected)) or 0, expected >= self.batch
end

--- Requests tokens from the store if this is necessary. May wait. Only the first request of a queue calls this
--- function.
---@param now number
---@param is_bulk? boolean
---@param waiting integer  requests that wait
---@return boolean asked
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
  now = store.clock()
  lane.ask_at, self.due = now + reply.ask, now + reply.due
  lane.wanted, lane.lapsed = reply.granted, 0
  if reply.granted > 0 then
    lane.count, lane.next_at, lane.granted_at = reply.granted, now + reply.first, now
  end
  if not self.rate then self.open_until = now + FRESH end
  return true
end

--- Returns the error for a request that could not be sent because the store cannot be reached, or nil.
---@return waba.Error|nil
function Bucket:failure()
  return self.shared.store.waits and self.shared.store.failure or nil
end

--- Drops all tokens, and allows no request before `moment`.
---@param moment number
function Bucket:pause(moment)
  if moment <= self.paused_until then return end
  self.paused_until = moment
  for _, lane in ipairs { self.replies, self.bulk } do
    lane.count, lane.wanted, lane.ask_at = 0, 0, moment
  end
  if self.fallback then self.fallback:pause(moment) end
end

--- Makes a bucket; `shared` takes its tokens from the store.
---@param shared waba.SharedLimiters
---@param class string
---@return waba.SharedBucket
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
