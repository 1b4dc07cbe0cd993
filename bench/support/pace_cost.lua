-- Measures the cost of taking tokens from a rate limiter as a client does, for bench/pace.lua. This module also runs
-- inside nginx.

local core = require "waba.core"
local pacing = require "waba.delivery.pacing"

--- Returns the microseconds of CPU and of elapsed time per message.
---@param store waba.PaceStore|nil  nil: the limiter is not shared
return function(store, messages)
  -- With these rates the store grants batches of the usual size, and no call waits.
  local rates = { messages = { rate = 250, burst = 1e9 }, store = store }
  local identity = core.hmac_sha256("benchmark-key-of-the-usual-length", tostring(store))
  local limiter = pacing.new(rates, identity):queue("messages").limiter
  local cpu, began = os.clock(), core.clock()
  for _ = 1, messages do
    local now = core.clock()
    while not limiter:try(now) do
      limiter:refill(now, false, 25)
      now = core.clock()
    end
  end
  return (os.clock() - cpu) / messages * 1e6, (core.clock() - began) / messages * 1e6
end
