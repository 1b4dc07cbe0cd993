-- A bulk run in a process of its own, for specs that kill it. Arguments: url key journal count log [concurrency].
-- Writes each reported result to the log, and "end" after the run.

package.path = "./?.lua;" .. package.path

local support = require "spec.support.bulk"
local waba = require "waba"

local url, key, path, count, log_path, concurrency = (table.unpack or unpack)(arg)

local log = assert(io.open(log_path, "a"))
local client = waba.client { api_key = key, base_url = url, pace = false }
local summary, err = client:send_all((support.source(tonumber(count))), {
  journal = path, concurrency = tonumber(concurrency or 16),
  on_result = function(position, sent, fault, to)
    local word = sent and "sent" or fault.maybe_sent and "maybe" or "failed"
    log:write(("%s %d %s\n"):format(word, position, to or "-"))
    log:flush()
  end,
})
log:write(summary and ("end %d\n"):format(summary.done) or "error " .. tostring(err) .. "\n")
log:close()
