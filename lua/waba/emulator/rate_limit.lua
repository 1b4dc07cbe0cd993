-- The platform's request rates (reference, section 13): one bucket for sending messages, one for all
-- the rest.

local rate_limit = {}

local PUBLISHED = { messages = { rate = 50, burst = 150 }, other = { rate = 20, burst = 60 } }

local Limits = {}
Limits.__index = Limits
Limits.__name = "waba.emulator.Limits"

---@param option boolean|table  the option `rate_limits`
---@param clock waba.emulator.Clock
---@return table
function rate_limit.new(option, clock)
  local buckets
  if option then
    buckets = {}
    for name, published in pairs(PUBLISHED) do
      local given = type(option) == "table" and option[name] or published
      buckets[name] = { rate = given.rate, burst = given.burst or given.rate,
        level = given.burst or given.rate, at = clock:now() }
    end
  end
  return setmetatable({ buckets = buckets, clock = clock }, Limits)
end

--- Takes a request's share. False: there is none left.
---@param request waba.emulator.Request
---@return boolean
function Limits:take(request)
  if not self.buckets then
    return true
  end
  local sends = request.method == "POST" and request.path == "/v1/messages"
  local bucket = self.buckets[sends and "messages" or "other"]
  local now = self.clock:now()
  bucket.level = math.min(bucket.burst, bucket.level + (now - bucket.at) * bucket.rate)
  bucket.at = now
  if bucket.level < 1 then
    return false
  end
  bucket.level = bucket.level - 1
  return true
end

return rate_limit
