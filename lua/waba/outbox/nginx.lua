-- Runs a sender in nginx: `init_worker_by_lua_block { require("waba.outbox.nginx").start(sender) }`. One timer per
-- worker process sends the entries of the outbox in a few light threads, so no request waits until a message is sent.

local complete = require("waba.option").complete
local ngx_work = require "waba.inbox.ngx_work"

local nginx = {}

--- The options for sending messages in nginx.
---@options waba.NginxSenderOptions
local OPTIONS = {
  concurrency = { "integer>=1", 16 }, -- the largest number of messages that are in flight at once in each worker
                                      -- process
  batch = { "integer>=1", 64 },       -- the largest number of entries that are taken at once, as in `sender:work`
  lease = { "number>0", 60 },         -- seconds of a lease, as in `receiver:work`
  interval = { "number>0", 1 },       -- seconds between checks for entries that other processes put
}

-- For each sender, the object that sends its entries in this worker process.
local works = setmetatable({}, { __mode = "k" })

--- Starts to send in this worker process; can be called in `init_worker_by_lua` or later. Further calls have no effect.
--- An outbox in memory belongs to one worker process, which sends the remaining entries for up to 10 seconds when it
--- ends.
---@param sender waba.Sender  one sender per worker process
---@param options? waba.NginxSenderOptions
function nginx.start(sender, options)
  if not works[sender] then
    works[sender] = ngx_work.new(sender, complete(options, OPTIONS, "waba.outbox.nginx"))
    sender.works[works[sender].work] = true
  end
  works[sender]:start()
end

return nginx
