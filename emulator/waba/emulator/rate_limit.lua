-- Rates of requests: token buckets over the emulator's clock, with the platform's published numbers or
-- the program's.

local rate_limit = {}

local Limits = {}
Limits.__index = Limits
Limits.__name = "waba.emulator.Limits"

--- Makes the limits of a gateway.
---@param option boolean|table  the option `rate_limits`
---@param published table<string, { rate: number, burst: number }>
---@param clock waba.emulator.Clock
---@return table
function rate_limit.new(option, published, clock)
  local rates
  if option then
    rates = {}
    for _, given in ipairs({ published, type(option) == "table" and option or {} }) do
      for name, rate in pairs(given) do rates[name] = rate end
    end
  end
  return setmetatable({ rates = rates, clock = clock, buckets = {} }, Limits)
end

local function bucket_of(self, name, whose)
  local buckets = self.buckets[name]
  if not buckets then
    buckets = {}
    self.buckets[name] = buckets
  end
  local bucket = buckets[whose]
  if not bucket then
    local rate = self.rates[name]
    local burst = rate.burst or rate.rate
    bucket = { rate = rate.rate, burst = burst, level = burst, at = self.clock:now() }
    buckets[whose] = bucket
  end
  return bucket
end

--- Takes a request's share of a rate. False: there is none left.
---@param name string    of the rate; one that is not limited always has a share
---@param whose? string  a bucket of its own for each
---@return boolean
function Limits:take(name, whose)
  if not self.rates or not self.rates[name] then return true end
  local bucket, now = bucket_of(self, name, whose or ""), self.clock:now()
  bucket.level = math.min(bucket.burst, bucket.level + (now - bucket.at) * bucket.rate)
  bucket.at = now
  -- A share that took an age to come back may lack the last bit of it.
  if bucket.level < 1 - 1e-9 then return false end
  bucket.level = bucket.level - 1
  return true
end

return rate_limit
