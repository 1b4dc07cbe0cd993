-- Runs a sender in nginx: `init_worker_by_lua_block { require("waba.outbox.nginx").start(sender) }`. In each worker
-- process a timer sends the entries of the outbox in light threads, so no request waits until a message is sent.

local complete = require("waba.option").complete
local ngx_work = require "waba.inbox.ngx_work"

local nginx = {}

--- The options for sending messages in nginx.
---@options waba.NginxSenderOptions
local OPTIONS = {
  concurrency = { "integer>=1", 16 }, -- the largest number of messages in flight at once in each worker process
  batch = { "integer>=1", 64 },       -- the largest number of entries that are taken in one call
  lease = { "number>0", 60 },         -- after this many seconds without a renewal, another sender may take the entry
  interval = { "number>0", 1 },       -- the seconds between two checks for entries that other processes have put
}

-- For each sender, the `waba.NgxWork` that sends its entries in this worker process.
local works = setmetatable({}, { __mode = "k" })

--- Starts to send messages in this worker process, in `init_worker_by_lua` or later. A second call has no effect. When
--- the worker process ends, it sends the remaining entries of an outbox in memory for up to 10 seconds.
---@param sender waba.Sender  each worker process has a sender of its own
---@param options? waba.NginxSenderOptions
function nginx.start(sender, options)
  if not works[sender] then
    works[sender] = ngx_work.new(sender, complete(options, OPTIONS, "waba.outbox.nginx"))
    sender.works[works[sender].work] = true
  end
  works[sender]:start()
end

return nginx
