-- The rate limiters that several processes share, for one API key. A call of the store takes tokens, and also reports
-- how many tokens of recipients were used. The reply contains the pauses. pace/rules.lua describes calls and replies.

local buckets = require "waba.pace.bucket"
local core = require "waba.core"
local pairs_of = require "waba.pace.pair"

local limiters = {}

local REPORTS = 100 -- the largest number of recipients that are reported in one call of the store
local SPARE = 0.1 -- the seconds by which a pause in the store is longer than in this process

local function microseconds(seconds) return ("%.0f"):format(seconds * 1e6) end

---@class waba.SharedLimiters
local Shared = {}
Shared.__index = Shared
Shared.__name = "waba.SharedLimiters"

--- `identity` is a hash of the API key. The store gets only the first half of `identity`, because the hashes of
--- recipients can be computed with the whole hash.
---@return waba.SharedLimiters
function limiters.new(store, identity, rates)
  return setmetatable({
    store = store, rates = rates, name = identity:sub(1, 32), secret = identity,
    by_name = setmetatable({}, { __mode = "v" }), -- the limiters of recipients, by the hash of the recipient
    pauses = {},                                  -- the end of each recipient's pause, by the hash of the recipient
    pending = {}, version = "", asked_at = -math.huge, paused_until = -math.huge,
  }, Shared)
end

Shared.bucket = buckets.new

--- Returns the rate limiter of a recipient.
function Shared:pair(to)
  local name = core.hmac_sha256(self.secret, to):sub(1, 32)
  local pair = pairs_of.new(self, name)
  if self.pauses[name] then pair:pause(self.pauses[name]) end
  self.by_name[name] = pair
  return pair
end

--- Returns whether at least one recipient has a pause.
function Shared:has_pauses(now)
  local found = false
  for name, moment in pairs(self.pauses) do
    if moment <= now then self.pauses[name] = nil else found = true end
  end
  return found
end

--- Reports the used tokens of a recipient in the next call of the store.
function Shared:note(pair) self.pending[pair] = true end

-- Returns the limiters of recipients whose used tokens must be reported to the store.
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

-- Reads the states of the recipients in `list`, and the paused recipients, from the reply to "take".
local function update_all(self, reply, list, now)
  for index, pair in ipairs(list) do pair:update(reply[5 + 2 * index] / 1e6, reply[6 + 2 * index] / 1e6, now) end
  if reply[6] ~= self.version then self.version, self.pauses = reply[6], {} end
  for index = 7 + 2 * #list, #reply, 2 do
    local moment = now + reply[index + 1] / 1e6
    self.pauses[reply[index]] = moment
    local pair = self.by_name[reply[index]]
    if pair then pair:pause(moment) end
  end
end

--- Requests tokens from the store. Returns a table with these fields, or nil if the store can't be reached:
--- - `granted`: the number of tokens
--- - `first`: the seconds until the first token is valid
--- - `ask`: the seconds until the next call is allowed
--- - `due`: the seconds until the bucket is full
function Shared:take(bucket, lane, wanted, needs_more)
  local list = reports(self, self.store.clock())
  local words = {
    "take", bucket.class, lane.name, microseconds(bucket.interval), microseconds(bucket.slack),
    microseconds(lane.slack), microseconds(bucket.length), wanted, needs_more and "1" or "0", bucket.returned,
    self.version, microseconds(self.rates.pair and 1 / self.rates.pair.rate or 0),
  }
  local returned = bucket.returned
  bucket.returned = 0
  for _, pair in ipairs(list) do
    words[#words + 1] = pair.name
    words[#words + 1] = pair.unreported
    pair.unreported = 0
  end
  local reply = self.store:run(self.name, words)
  if not reply then
    bucket.returned = math.min(bucket.returned + math.min(returned, 0), -1)
    return nil
  end
  local now = self.store.clock()
  self.asked_at = now
  if reply[4] > 0 then bucket:pause(now + reply[4] / 1e6) end
  update_all(self, reply, list, now)
  return { granted = reply[1], first = reply[2] / 1e6, ask = reply[3] / 1e6, due = reply[5] / 1e6 }
end

--- Requests a token of a recipient from the store, and reports used tokens. Returns a table with `granted`, the number
--- of tokens; `due`, the seconds until the bucket is full; and `paused`, the seconds until the pause ends.
function Shared:take_pair(pair, reported)
  local reply = self.store:run(self.name, {
    "pair", pair.name, microseconds(pair.bucket.interval), microseconds(pair.bucket.slack), reported,
  })
  return reply and { granted = reply[1], due = reply[2] / 1e6, paused = reply[3] / 1e6 }
end

--- Reads the pauses from the store if this process has not read them for FRESH seconds. May wait for the store.
function Shared:freshen(bucket, now, is_bulk)
  if now - self.asked_at < buckets.FRESH or now < bucket.asking_until or self.store.failure then return end
  if bucket:refill(now, is_bulk, 1) then return end
  self.asked_at = now
  self:take(bucket, is_bulk and bucket.bulk or bucket.replies, 0, false)
end

-- Writes a pause to the store if the store has not just failed.
local function report_pause(self, words)
  local store = self.store
  if not store.failure or store.clock() >= store.retry_at then store:run(self.name, words) end
end

--- Pauses the sending with the API key in all processes until the time `moment`. Many requests report pauses with
--- nearly the same end. The pause in the store ends SPARE seconds after `moment`, so that only the first of these
--- requests calls the store. May wait for the store.
function Shared:pause(moment)
  if moment <= self.paused_until then return end
  self.paused_until = moment + SPARE
  report_pause(self, { "pause", microseconds(self.paused_until - self.store.clock()) })
end

--- Pauses the sending to a recipient in all processes until the time `moment`. May wait for the store.
function Shared:pause_pair(pair, moment)
  self.pauses[pair.name] = moment
  local left = microseconds(moment - self.store.clock())
  report_pause(self, { "pause_pair", pair.name, left, microseconds(pair.bucket.slack) })
end

return limiters
