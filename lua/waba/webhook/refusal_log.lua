-- Reports refused webhooks in the error log. The first webhook of each status is reported at once. Then one line per
-- minute has the number of further webhooks, so that senders of invalid requests can't fill the log.

local core = require "waba.core"
local printable = require "waba.printable"

local refusal_log = {}

local INTERVAL = 60 -- seconds between two lines for one status

--- Returns the function that reports a refused webhook. The parameter `from` is the address of the webhook's sender.
---@param log fun(text: string)  writes a line
---@return fun(status: integer, reason: string, from: string|nil)
function refusal_log.new(log)
  local by_status = {}
  return function(status, reason, from)
    local now, last = core.clock(), by_status[status]
    if last and now < last.due then
      last.more = last.more + 1
      return
    end
    local more = last and last.more > 0 and (" (and %d more since the last report)"):format(last.more) or ""
    by_status[status] = { due = now + INTERVAL, more = 0 }
    log(printable.line(("refused a webhook from %s with status %d: %s%s"):format(from or "an unknown address", status,
      reason, more)))
  end
end

return refusal_log
