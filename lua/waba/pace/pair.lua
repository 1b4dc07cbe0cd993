-- A rate limiter that several processes share, for one recipient. A process may use a part of the burst before it
-- reports this use to the shared store.

local buckets = require "waba.delivery.bucket"
local shared_bucket = require "waba.pace.bucket"

local floor, max, min, huge = math.floor, math.max, math.min, math.huge
local STEP, LOST, SOON = shared_bucket.STEP, shared_bucket.LOST, shared_bucket.SOON

local pair = {}

-- The part of the remaining burst that a process may use before it reports this use to the shared store.
local FREE_PART = 1 / 8

---@class waba.SharedPair : waba.Limiter
local Pair = {}
Pair.__index = Pair
Pair.__name = "waba.SharedPair"

local function must_request(self) return self.unreported >= self.free and not self.is_granted end

function Pair:delay(now)
  if now < self.paused_until then return self.paused_until - now end
  if self.is_granted then return 0 end
  local store = self.shared.store
  if not must_request(self) then return self.bucket:delay(now) end
  if store.failure then
    local left = max(SOON, store.retry_at - now)
    return store.waits and left or min(left, self.bucket:delay(now))
  end
  if now < self.asking_until then return STEP end
  return max(SOON, self.ask_at - now)
end

function Pair:take(now)
  if self.is_granted then
    self.is_granted = false
    return
  end
  self.bucket:take(now)
  self.unreported = self.unreported + 1
  self.shared:note(self)
end

Pair.try, Pair.failure = shared_bucket.Bucket.try, shared_bucket.Bucket.failure

function Pair:earliest(now, ahead) return self.bucket:earliest(now, ahead) end

function Pair:give_back()
  self.bucket:give_back()
  self.unreported = self.unreported - 1
  self.shared:note(self)
end

--- Sets the state of the bucket to the state in the store. `due` is the number of seconds until the bucket in the store
--- is full. `paused` is the number of seconds until the pause ends.
function Pair:update(due, paused, now)
  local bucket = self.bucket
  self.paused_until = max(self.paused_until, now + paused)
  bucket.due = now + due + self.unreported * bucket.interval
  bucket.open_at = max(bucket.due - bucket.slack, self.paused_until)
  if bucket.interval > 0 then
    self.free = max(0, floor(((bucket.slack - max(0, due)) / bucket.interval + 1) * FREE_PART))
  end
end

function Pair:refill(now)
  local store = self.shared.store
  if not must_request(self) or now < self.paused_until or now < self.asking_until then return false end
  if now < (store.failure and store.retry_at or self.ask_at) then return false end
  local bucket, reported = self.bucket, self.unreported
  self.unreported, self.asking_until = 0, now + LOST
  local reply = self.shared:take_pair(self, reported)
  self.asking_until = -huge
  if not reply then return true end
  now = store.clock()
  self.is_granted = reply.granted > 0
  self:update(reply.due, reply.paused, now)
  self.ask_at = bucket.open_at
  return true
end

function Pair:pause(moment)
  self.paused_until = max(self.paused_until, moment)
  self.bucket:pause(moment)
end

function Pair:is_full(now) return not self.is_granted and self.bucket:is_full(now) end

--- Makes the limiter of a recipient; `name` is a hash of the recipient. The field `bucket` is a copy of the bucket in
--- the store. The field `unreported` is the number of used tokens that were not reported to the store, and `free` is
--- the limit of `unreported`.
function pair.new(shared, name)
  local rate = shared.rates.pair or nil
  return setmetatable({
    shared = shared, name = name, bucket = buckets.new(rate), paused_until = -huge, unreported = 0,
    free = rate and floor(rate.burst * FREE_PART) or huge, is_granted = false, ask_at = -huge, asking_until = -huge,
  }, Pair)
end

return pair
