-- Handles the events of an inbox in a worker process of nginx. A timer runs the handlers (inbox/work) in light threads.

local ngx_timer = require "waba.transport.ngx_timer"
local printable = require "waba.printable"
local works = require "waba.inbox.work"

local ngx = ngx

---@class waba.NgxWork
local NgxWork = {}
NgxWork.__index = NgxWork
NgxWork.__name = "waba.NgxWork"

local ngx_work = {}

--- Writes a line to nginx's log. Replaces control characters, because the text may quote messages of customers.
function ngx_work.log(text) ngx.log(ngx.ERR, "waba: ", printable.text(text)) end

-- The timer calls this function, which runs handlers until another timer replaces this one, or the process ends.
-- Before the process ends, the function handles all events of an inbox in memory, because these events would be lost.
local function handle_until(self, deadline)
  local inbox, last, is_replaced = self.inbox, nil, false
  self.work:run(function()
    if ngx.worker.exiting() then
      last = last or ngx.now() + ngx_timer.GRACE
      return is_replaced or inbox.durable or inbox:depth() == 0 or ngx.now() >= last
    end
    -- the new timer starts handlers although handlers of this timer may still run
    if ngx.now() >= deadline and not is_replaced then is_replaced = self.timer:replace() end
    return is_replaced
  end)
  if is_replaced then return nil end
  if not ngx.worker.exiting() then return 0 end
  local left = inbox:depth() or 0
  if left == 0 then return nil end
  ngx.log(inbox.durable and ngx.NOTICE or ngx.ERR, "waba: the worker process ends, and ", left, " ",
    inbox.content or "events", " are left in ", inbox.title or "the inbox",
    inbox.durable and "" or ": they are lost, since it is in memory")
end

function NgxWork:start()
  local is_set, message = self.timer:set()
  if not is_set then ngx.log(ngx.ERR, "waba: no timer for the handlers: ", message) end
end

--- Makes an object that handles the events of a receiver or a sender in this worker process.
function ngx_work.new(worker, settings)
  settings.forever, settings.log = true, ngx_work.log
  local self = setmetatable({ inbox = worker.inbox, work = works.new(worker, settings) }, NgxWork)
  self.timer = ngx_timer.new(function(deadline) return handle_until(self, deadline) end)
  return self
end

return ngx_work
