-- No event loop: a transfer is waited for on the spot, in steps that Lua sees, so that Ctrl-C ends
-- them at once.

local core = require "waba.core"
local meanwhile = require "waba.transport.loop.meanwhile"

---@type waba.Loop
local blocking = { name = "blocking" }

-- Nothing can be parked here.
function blocking.task() return nil end

function blocking.wait(_, engine, seconds)
  engine:wait(meanwhile.tend(seconds))
end

function blocking.sleep(seconds)
  local curl = require "waba.curl" -- here, because a receiver in cqueues does not need libcurl
  local deadline = core.clock() + seconds
  local left = seconds
  while left > 0 do
    curl.wait({}, meanwhile.tend(left))
    left = deadline - core.clock()
  end
end

return blocking
