-- The limiters of one key that several processes share. Each process takes batches of tokens from the store (rules.lua)
-- and uses them in this process, so that most messages need no request to the store.

local buckets = require "waba.delivery.bucket"
local core = require "waba.core"

local floor, ceil, max, min, huge = math.floor, math.ceil, math.max, math.min, math.huge

local limiters = {}

-- Tokens of one batch; fewer if they last for longer than SPAN seconds, for a pause that another process has reported
-- becomes known with the next batch. A fast rate takes those of SHORTEST seconds.
local BATCH, SPAN, SHORTEST = 25, 0.6, 0.1

-- A token can be used for some time after its moment. This part of the burst is kept for tokens that are used late, so that
-- they do not exceed the rate; and the seconds at least.
local LATE_PART, LATE = 0.25, 0.1

-- Bulk leaves this many batches of the burst to replies.
local HEADROOM = 2

-- A process may use this part of what is left of a recipient's burst before it reports it, with the next batch.
local FREE_PART = 1 / 8

-- Reports in one request at most.
local REPORTS = 100

-- Seconds: between checks while another coroutine asks the store; after which it counts as ended; the shortest wait; how
-- long what is known about pauses is valid; by which the store holds a pause longer.
local STEP, LOST, SOON, FRESH, SPARE = 0.01, 10, 0.001, 0.9, 0.1

local function microseconds(seconds) return ("%.0f"):format(seconds * 1e6) end

local function seconds(number) return number / 1e6 end

-- A class of requests -----------------------------------------------------------------------------

-- Tokens of one kind of requests: replies may use those of bulk, but not the other way round.
local function new_lane(name, slack)
  -- guess: tokens that will probably be used before they expire
  return {
    name = name, slack = slack, count = 0, next_at = 0, granted_at = 0, wanted = 0, lapsed = 0, guess = 1, ask_at = 0,
  }
end

---@class waba.SharedBucket : waba.Limiter
---@field interval number      seconds between two tokens at the whole rate; 0: no limit, but pauses hold
---@field slack number
---@field paused_until number
local Bucket = {}
Bucket.__index = Bucket
Bucket.__name = "waba.SharedBucket"

local function new_bucket(shared, class)
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

-- Drops the tokens of a lane that were not used in time. The next request returns them.
local function expire(self, lane, now)
  local latest = now - self.late
  if lane.count == 0 or latest <= lane.granted_at or latest <= lane.next_at then return end
  local lapsed = min(lane.count, floor((latest - lane.next_at) / self.interval) + 1)
  lane.count, lane.lapsed = lane.count - lapsed, lane.lapsed + lapsed
  lane.next_at = lane.next_at + lapsed * self.interval
  self.returned = self.returned + lapsed
end

-- The lane that a request takes its token from; nil if there is none. A reply waits for no token of bulk that has its moment
-- later, because the store probably has one now.
local function usable(self, now, is_bulk)
  local replies, bulk = self.replies, self.bulk
  expire(self, bulk, now)
  if is_bulk then return bulk.count > 0 and bulk or nil end
  if bulk.count > 0 and bulk.next_at <= now then return bulk end
  expire(self, replies, now)
  return replies.count > 0 and replies or bulk.count > 0 and bulk.next_at <= now + self.interval and bulk or nil
end

-- The bucket that limits this process while the store cannot be reached.
local function fallback_of(self)
  if not self.fallback then
    local rate, share = self.rate, self.shared.store.share
    self.fallback = buckets.new(rate and { rate = rate.rate * share, burst = max(1, floor(rate.burst * share)) })
  end
  return self.fallback
end

--- Seconds until there is a token, or until the first request must ask the store (`refill`).
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

--- Takes a token, after `delay` was 0.
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

--- The least number of seconds until a request gets a token that has others ahead.
---@param now number
---@param ahead integer
---@return number
function Bucket:earliest(now, ahead)
  local held = self.replies.count + self.bulk.count
  local due = max(self.due, now) + (ahead - held) * self.interval
  return max(0, self.paused_until - now, due - self.slack - now)
end

-- How many tokens to ask for: those of the waiting requests, or as many as were used of the last batch, and more if they
-- were all used.
local function demand(self, lane, waiting)
  if lane.wanted > 0 then
    lane.guess = lane.lapsed > 0 and max(1, lane.wanted - lane.lapsed) or min(self.batch, 2 * lane.wanted)
  end
  local expected = max(waiting, lane.guess)
  return self.rate and max(1, min(self.batch, expected)) or 0, expected >= self.batch
end

--- Asks the store for tokens if that is needed. May wait. Only the first request of a queue calls it.
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
  lane.ask_at = now + seconds(reply[3])
  self.due = now + seconds(reply[5])
  local granted = reply[1]
  lane.wanted, lane.lapsed = granted, 0
  if granted > 0 then
    lane.count, lane.next_at, lane.granted_at = granted, now + seconds(reply[2]), now
  end
  if not self.rate then self.open_until = now + FRESH end
  return true
end

--- The error of a request that waited in vain because the store cannot be reached, or nil.
---@return waba.Error|nil
function Bucket:failure()
  return self.shared.store.waits and self.shared.store.failure or nil
end

--- Has no token before a moment.
---@param moment number
function Bucket:pause(moment)
  if moment <= self.paused_until then return end
  self.paused_until = moment
  for _, lane in ipairs { self.replies, self.bulk } do
    lane.count, lane.wanted, lane.ask_at = 0, 0, moment
  end
  if self.fallback then self.fallback:pause(moment) end
end

-- A recipient -------------------------------------------------------------------------------------

---@class waba.SharedPair : waba.Limiter
---@field paused_until number
local Pair = {}
Pair.__index = Pair
Pair.__name = "waba.SharedPair"

--- `bucket` is what is known of the shared one. The store does not know of `unreported` tokens of it yet.
local function new_pair(shared, name)
  local rate = shared.rates.pair or nil
  return setmetatable({
    shared = shared, name = name, bucket = buckets.new(rate), paused_until = -huge, unreported = 0,
    free = rate and floor(rate.burst * FREE_PART) or huge, is_granted = false, ask_at = -huge, asking_until = -huge,
  }, Pair)
end

-- Whether the store must be asked for the next token.
local function must_ask(self)
  return self.unreported >= self.free and not self.is_granted
end

function Pair:delay(now)
  if now < self.paused_until then return self.paused_until - now end
  if self.is_granted then return 0 end
  local store = self.shared.store
  if not must_ask(self) then return self.bucket:delay(now) end
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

Pair.try, Pair.failure = Bucket.try, Bucket.failure

function Pair:earliest(now, ahead) return self.bucket:earliest(now, ahead) end

function Pair:give_back()
  self.bucket:give_back()
  self.unreported = self.unreported - 1
  self.shared:note(self)
end

-- Takes over what the store knows.
local function learn(self, due, paused, now)
  local bucket = self.bucket
  self.paused_until = max(self.paused_until, now + seconds(paused))
  bucket.due = now + seconds(due) + self.unreported * bucket.interval
  bucket.open_at = max(bucket.due - bucket.slack, self.paused_until)
  if bucket.interval > 0 then
    self.free = max(0, floor(((bucket.slack - max(0, seconds(due))) / bucket.interval + 1) * FREE_PART))
  end
end

function Pair:refill(now)
  local store = self.shared.store
  if not must_ask(self) or now < self.paused_until or now < self.asking_until then return false end
  if now < (store.failure and store.retry_at or self.ask_at) then return false end
  local bucket, reported = self.bucket, self.unreported
  self.unreported, self.asking_until = 0, now + LOST
  local reply = store:run(self.shared.name, {
    "pair", self.name, microseconds(bucket.interval), microseconds(bucket.slack), reported,
  })
  self.asking_until = -huge
  if not reply then return true end
  now = store.clock()
  self.is_granted = reply[1] > 0
  learn(self, reply[2], reply[3], now)
  self.ask_at = bucket.open_at
  return true
end

function Pair:pause(moment)
  self.paused_until = max(self.paused_until, moment)
  self.bucket:pause(moment)
end

function Pair:is_full(now)
  return not self.is_granted and self.paused_until <= now and self.bucket:is_full(now)
end

-- All limiters of a key ---------------------------------------------------------------------------

---@class waba.SharedLimiters
local Shared = {}
Shared.__index = Shared
Shared.__name = "waba.SharedLimiters"

---@param store waba.PaceStore
---@param identity string  a hash of the key. The store sees the first half only, so that it cannot compute the names of
---                        recipients
---@param rates waba.PaceOptions
---@return waba.SharedLimiters
function limiters.new(store, identity, rates)
  return setmetatable({
    store = store, rates = rates, name = identity:sub(1, 32), secret = identity,
    by_name = setmetatable({}, { __mode = "v" }), -- limiters of recipients
    pauses = {},                                  -- of recipients that were paused by any process: name to moment
    pending = {}, version = "", asked_at = -huge, paused_until = -huge,
  }, Shared)
end

--- The limiter of a class of requests.
---@param class string
---@return waba.SharedBucket
function Shared:bucket(class)
  return new_bucket(self, class)
end

--- The limiter of a recipient.
---@param to string
---@return waba.SharedPair
function Shared:pair(to)
  local name = core.hmac_sha256(self.secret, to):sub(1, 32)
  local pair = new_pair(self, name)
  if self.pauses[name] then pair:pause(self.pauses[name]) end
  self.by_name[name] = pair
  return pair
end

--- Whether recipients may have to wait although they have no rate.
---@param now number
---@return boolean
function Shared:has_pauses(now)
  local found = false
  for name, moment in pairs(self.pauses) do
    if moment <= now then self.pauses[name] = nil else found = true end
  end
  return found
end

--- Reports the use of a recipient's limiter with the next request for tokens.
---@param pair waba.SharedPair
function Shared:note(pair)
  self.pending[pair] = true
end

-- The limiters to report.
local function reports(self, now)
  local list = {}
  for pair in pairs(self.pending) do
    if #list == REPORTS then break end
    self.pending[pair] = nil
    local is_known = pair.unreported == 0 or pair.bucket.interval == 0 or pair.bucket:is_full(now)
    if not is_known then list[#list + 1] = pair end
  end
  return list
end

-- Takes over what a reply says about recipients: those that were reported, then those that are paused.
local function learn_all(self, reply, list, now)
  for index, pair in ipairs(list) do learn(pair, reply[5 + 2 * index], reply[6 + 2 * index], now) end
  self.version = reply[6]
  for index = 7 + 2 * #list, #reply, 2 do
    local moment = now + seconds(reply[index + 1])
    self.pauses[reply[index]] = moment
    local pair = self.by_name[reply[index]]
    if pair then pair:pause(moment) end
  end
end

--- Asks the store for tokens of a class.
---@param bucket waba.SharedBucket
---@param lane table
---@param wanted integer
---@param needs_more boolean
---@return any[]|nil reply
function Shared:take(bucket, lane, wanted, needs_more)
  local list = reports(self, self.store.clock())
  local words = {
    "take", bucket.class, lane.name, microseconds(bucket.interval), microseconds(bucket.slack),
    microseconds(lane.slack), microseconds(bucket.length), wanted, needs_more and "1" or "0", bucket.returned,
    self.version, microseconds(self.rates.pair and 1 / self.rates.pair.rate or 0),
  }
  bucket.returned = 0
  for _, pair in ipairs(list) do
    words[#words + 1] = pair.name
    words[#words + 1] = pair.unreported
    pair.unreported = 0
  end
  local reply = self.store:run(self.name, words)
  if not reply then return nil end
  local now = self.store.clock()
  self.asked_at = now
  if reply[4] > 0 then bucket:pause(now + seconds(reply[4])) end
  learn_all(self, reply, list, now)
  return reply
end

--- Asks the store for tokens of messages if what this process knows about pauses is too old. May wait.
---@param bucket waba.SharedBucket
---@param now number
---@param is_bulk? boolean
function Shared:freshen(bucket, now, is_bulk)
  if now - self.asked_at < FRESH or now < bucket.asking_until or self.store.failure then return end
  if bucket:refill(now, is_bulk, 1) then return end
  self.asked_at = now
  self:take(bucket, is_bulk and bucket.bulk or bucket.replies, 0, false)
end

--- Lets no process send anything with the key before a moment. May wait. Many requests may report the same pause: the store
--- gets it once, and a little longer.
---@param moment number
function Shared:pause(moment)
  if moment <= self.paused_until then return end
  self.paused_until = moment + SPARE
  self.store:run(self.name, { "pause", microseconds(self.paused_until - self.store.clock()) })
end

--- Lets no process send anything to a recipient before a moment. May wait.
---@param pair waba.SharedPair
---@param moment number
function Shared:pause_pair(pair, moment)
  self.pauses[pair.name] = moment
  self.store:run(self.name, {
    "pause_pair", pair.name, microseconds(moment - self.store.clock()), microseconds(pair.bucket.slack),
  })
end

return limiters
