-- Handles the events of an inbox in a worker process of nginx. A timer runs the handlers (waba/inbox/work) in light
-- threads.

local ngx_timer = require "waba.transport.ngx_timer"
local printable = require "waba.printable"
local works = require "waba.inbox.work"

local ngx = ngx

---@class waba.NgxWork
---@field work waba.Work
---@field inbox waba.Inbox
---@field timer waba.NgxTimer
local NgxWork = {}
NgxWork.__index = NgxWork
NgxWork.__name = "waba.NgxWork"

local ngx_work = {}

--- Writes a line to nginx's log. Control characters are replaced, because the text may quote senders and customers.
---@param text string
function ngx_work.log(text)
  ngx.log(ngx.ERR, "waba: ", printable.text(text))
end

-- Reports the number of events that are left in the inbox when a worker process ends.
local function report_left(inbox)
  local left = inbox:depth() or 0
  if left == 0 then return end
  local level = inbox.durable and ngx.NOTICE or ngx.ERR
  ngx.log(level, "waba: the worker process ends, and ", left, " ", inbox.content or "events", " are left in ",
    inbox.title or "the inbox", inbox.durable and "" or ": they are lost, since it is in memory")
end

-- The function of the timer: runs handlers until another timer replaces this one or the process ends. The events of an
-- inbox in memory are lost when the process ends, so all of them, including failed events, are handled before the end.
local function handle_until(self, deadline)
  local inbox, last, is_replaced = self.inbox, nil, false
  self.work:run(function()
    if ngx.worker.exiting() then
      last = last or ngx.now() + ngx_timer.GRACE
      return is_replaced or inbox.durable or inbox:depth() == 0 or ngx.now() >= last
    end
    -- a new timer starts handlers while handlers of this timer still run
    if ngx.now() >= deadline and not is_replaced then is_replaced = self.timer:replace() end
    return is_replaced
  end)
  if is_replaced then return nil end
  if not ngx.worker.exiting() then return 0 end
  report_left(inbox)
end

--- Starts the timer unless it is running.
function NgxWork:start()
  local is_set, message = self.timer:set()
  if not is_set then ngx.log(ngx.ERR, "waba: no timer for the handlers: ", message) end
end

--- Makes an object that handles the events of a receiver or a sender in this worker process; the method `start` of the
--- object starts its timer.
---@param worker waba.Receiver|waba.Sender
---@param settings { concurrency: integer, batch: integer, lease: number, interval: number }
---@return waba.NgxWork
function ngx_work.new(worker, settings)
  settings.forever, settings.log = true, ngx_work.log
  local self = setmetatable({ inbox = worker.inbox, work = works.new(worker, settings) }, NgxWork)
  self.timer = ngx_timer.new(function(deadline) return handle_until(self, deadline) end)
  return self
end

return ngx_work
