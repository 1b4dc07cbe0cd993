-- Stops asking before the gateway stops answering: it blocks a key's media for half an hour when too many
-- requests for files fail within an hour (cloud.md, section 7.4). Has no clock: the caller passes the time.

local errors = require "waba.errors"

---@class waba.ErrorBlock
local ErrorBlock = {}
ErrorBlock.__index = ErrorBlock
ErrorBlock.__name = "waba.ErrorBlock"

local error_block = {}

-- The gateway blocks at 20 errors in 3600 seconds. Other programs may use the same key, so some are left.
local MOST, WINDOW = 15, 3600

---@return waba.ErrorBlock
function error_block.new()
  return setmetatable({ times = {}, next = 1, blocked_until = -math.huge }, ErrorBlock)
end

--- Remembers that the gateway refused a file. The last errors are kept in a ring.
---@param err waba.Error
---@param now number  seconds of a clock that never goes back
function ErrorBlock:note(err, now)
  self.times[self.next] = now
  self.next = self.next % MOST + 1
  -- it does block already, because of others perhaps
  if err.kind == "rate_limited" and err.retry_after then
    self.blocked_until = math.max(self.blocked_until, now + err.retry_after)
  end
end

local function refuse(left, message)
  return errors.new {
    kind = "rate_limited", scope = "endpoint", retryable = true, retry_after = left, message = message,
  }
end

--- Whether it is better not to ask now.
---@param now number
---@return waba.Error|nil err  of kind "rate_limited", with `retry_after`; nil when nothing speaks against it
function ErrorBlock:refusal(now)
  local blocked = self.blocked_until - now
  if blocked > 0 then
    return refuse(blocked, ("the gateway answers no request for files for %.0f s more"):format(math.ceil(blocked)))
  end
  local oldest = self.times[self.next] -- the one that is overwritten next
  local left = oldest and oldest + WINDOW - now or 0
  if left <= 0 then return nil end
  return refuse(left, ("%d requests for files were refused within an hour; the gateway blocks the key's media at 20, "
    .. "so nothing is asked for %.0f s: check the ids, which live for 7 or 30 days"):format(MOST, math.ceil(left)))
end

return error_block
