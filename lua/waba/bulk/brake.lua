-- Notices that the gateway is in trouble, so that a bulk run waits instead of using up its recipients.
-- Knows no clock: it is told the time.

local max, min = math.max, math.min

---@class waba.BulkBrake
local Brake = {}
Brake.__index = Brake
Brake.__name = "waba.BulkBrake"

local brake = {}

-- Kinds of failures that are not about one message.
local TROUBLE = { network = true, timeout = true, rate_limited = true, unavailable = true }

-- Limits that concern one recipient.
local ITS_OWN = { pair = true, order = true }

-- The first pause and the longest, in seconds.
local FIRST, LONGEST = 0.5, 30
-- So many messages in a row of which nobody knows whether they were sent are trouble too.
local DOUBTS = 8

---@param patience number  seconds of trouble until the run is given up; 0: never waits
---@return waba.BulkBrake
function brake.new(patience)
  return setmetatable({ patience = patience, doubts = 0, held_until = -math.huge }, Brake)
end

local function hold(self, err, now)
  if not self.since then
    self.since, self.pause = now, FIRST / 2
  end
  if now < self.held_until then return end -- others of the same round said so before
  self.pause = min(2 * self.pause, LONGEST)
  self.held_until = now + max(self.pause, err.retry_after or 0)
  self.err = err
end

--- Tells of a result.
---@param err waba.Error|nil  nil: the message was sent
---@param now number
---@return boolean again  it was certainly not sent, and has to go again when the trouble is over
function Brake:tell(err, now)
  local is_trouble = err and TROUBLE[err.kind] and not ITS_OWN[err.scope or ""] and (err.retryable or err.maybe_sent)
  if not is_trouble or self.patience == 0 then
    self.since, self.doubts = nil, 0
    return false
  end
  if not err.maybe_sent then
    hold(self, err, now)
    return true
  end
  self.doubts = self.doubts + 1
  if self.doubts >= DOUBTS then hold(self, err, now) end
  return false
end

--- Seconds that nothing may be sent; 0 when something may.
---@param now number
---@return number
function Brake:left(now)
  if not self.since then return 0 end
  return max(0, self.held_until - now)
end

--- How many messages may be in flight: in trouble one, to see whether it is over.
---@param most integer
---@return integer
function Brake:limit(most)
  return self.since and 1 or most
end

--- Returns why nothing is sent at the moment, or nil while messages are sent.
---@return waba.Error|nil
function Brake:current()
  return self.since and self.err
end

--- The error that the trouble has lasted too long with, if it has.
---@param now number
---@return waba.Error|nil
function Brake:worn_out(now)
  if self.since and now - self.since > self.patience then return self.err end
end

return brake
