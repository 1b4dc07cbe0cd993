-- The limits of a business number. Rate limits are token buckets that use the emulator's clock. 360dialog's sandbox
-- sends only a few texts and text templates, and only to one phone number.

local limits = {}

local RateLimits = {}
RateLimits.__index = RateLimits
RateLimits.__name = "waba.emulator.RateLimits"

--- Creates the rate limits of a gateway from the option `rate_limits` and the rates that the platform documents.
function limits.rates(option, published, clock)
  local rates
  if option then
    rates = {}
    for _, named in ipairs({ published, type(option) == "table" and option or {} }) do
      for name, rate in pairs(named) do rates[name] = rate end
    end
  end
  return setmetatable({ rates = rates, clock = clock, buckets = {} }, RateLimits)
end

local function bucket_of(self, name, whose, now)
  local key, rate = name .. " " .. whose, self.rates[name]
  local burst = rate.burst or rate.rate
  self.buckets[key] = self.buckets[key] or { rate = rate.rate, burst = burst, level = burst, at = now }
  return self.buckets[key]
end

--- Counts a request for a rate limit. Returns false if the request exceeds the limit. Always returns true for a name
--- without a limit. Each value of `whose` has its own bucket.
function RateLimits:take(name, whose)
  if not self.rates or not self.rates[name] then return true end
  local now = self.clock:now()
  local bucket = bucket_of(self, name, whose or "", now)
  bucket.level = math.min(bucket.burst, bucket.level + (now - bucket.at) * bucket.rate)
  bucket.at = now
  -- Rounding errors can make the level slightly smaller than 1.
  if bucket.level < 1 - 1e-9 then return false end
  bucket.level = bucket.level - 1
  return true
end

-- The sandbox -------------------------------------------------------------------------------------

-- The largest number of messages of each type in the sandbox (cloud.md, section 1.5).
local MOST = { text = 200, template = 10 }

--- Creates the sandbox if the option `sandbox` is set. `number` is the only allowed recipient; by default this is the
--- recipient of the first message. `text` and `template` count the messages that were sent.
function limits.sandbox(option)
  if not option then return nil end
  local number = type(option) == "string" and option:gsub("%D", "") or nil
  return { number = number, text = 0, template = 0 }
end

local function is_text_template(message)
  for _, component in ipairs(type(message.template.components) == "table" and message.template.components or {}) do
    local parameters = component.type == "header" and component.parameters
    if type(parameters) == "table" and parameters[1] and parameters[1].type ~= "text" then return false end
  end
  return true
end

--- Returns the reason why the sandbox refuses a message, or nil. The second result is true if the sandbox refuses
--- because of the recipient. Counts the allowed messages.
function limits.sandbox_error(self, wa_id, kind, message)
  if not self then return nil end
  self.number = self.number or wa_id
  if wa_id ~= self.number then
    return "The sandbox sends to the number that requested the key only", true
  elseif not MOST[kind] or kind == "template" and not is_text_template(message) then
    return "The sandbox sends texts and text templates only"
  elseif self[kind] >= MOST[kind] then
    return ("The sandbox sends at most %d %s messages"):format(MOST[kind], kind)
  end
  self[kind] = self[kind] + 1
end

return limits
