-- Pauses a bulk run while the gateway fails, because all further messages would fail too. The circuit breaker has no
-- clock: the caller passes the time.

local max, min = math.max, math.min

---@class waba.CircuitBreaker
local CircuitBreaker = { __name = "waba.CircuitBreaker" }
CircuitBreaker.__index = CircuitBreaker

local circuit_breaker = {}

-- Kinds of errors that can affect all messages.
local GENERAL = { network = true, timeout = true, rate_limited = true, unavailable = true }

-- Scopes of rate limits that affect only one recipient.
local OF_RECIPIENT = { pair = true, order = true }

-- The shortest and the longest pause, in seconds.
local FIRST, LONGEST = 0.5, 30
local MOST_UNCERTAIN = 8 -- the number of consecutive uncertain results after which the circuit opens

---@param patience number  seconds of failure after which the run ends; 0: failures neither pause nor end the run
function circuit_breaker.new(patience)
  return setmetatable({ patience = patience, uncertain = 0, held_until = -math.huge }, CircuitBreaker)
end

local function open(self, err, now)
  if not self.since then
    self.since, self.pause = now, FIRST / 2
  end
  if now < self.held_until then return end -- an earlier failed message has started the pause
  self.pause = min(2 * self.pause, LONGEST)
  self.held_until = now + max(self.pause, err.retry_after or 0)
  self.err = err
end

--- Counts the result of a message; `err` is nil if the message was sent. Returns true if the message was certainly not
--- sent, and must be sent again later.
function CircuitBreaker:record(err, now)
  local is_failure = err and GENERAL[err.kind] and not OF_RECIPIENT[err.scope or ""]
    and (err.retryable or err.maybe_sent)
  if not is_failure or self.patience == 0 then
    self.since, self.uncertain = nil, 0
    return false
  end
  if not err.maybe_sent then
    open(self, err, now)
    return true
  end
  self.uncertain = self.uncertain + 1
  if self.uncertain >= MOST_UNCERTAIN then open(self, err, now) end
  return false
end

--- Returns the seconds until a message may be sent.
function CircuitBreaker:left(now) return self.since and max(0, self.held_until - now) or 0 end

--- Returns whether a message may be sent while `in_flight` other messages are in flight. While the circuit is open, one
--- message is sent after each pause, as a test of the gateway.
function CircuitBreaker:admits(in_flight, now)
  return not self.since or in_flight == 0 and now >= self.held_until
end

--- Returns the error that has opened the circuit; nil while the circuit is closed.
function CircuitBreaker:current() return self.since and self.err end

--- Returns the last error if the gateway has failed for longer than `patience`.
function CircuitBreaker:expired(now)
  if self.since and now - self.since > self.patience then return self.err end
end

return circuit_breaker
