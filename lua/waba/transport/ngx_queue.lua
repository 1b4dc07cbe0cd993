-- Background jobs in a worker process of nginx: one bounded queue, and one timer that runs its jobs in a few light threads.
-- For jobs that a request must not wait for, and for phases that cannot wait. (With a timer for each job some would be
-- lost: nginx runs 256 timers at once, and drops the others.)

local semaphore = require "ngx.semaphore"
local ngx_timer = require "waba.transport.ngx_timer"
local options = require "waba.options"

local ngx = ngx

---@class waba.NgxQueue
local Queue = {}
Queue.__index = Queue
Queue.__name = "waba.NgxQueue"

local queue = {}

-- Seconds that the timer waits for more jobs before it ends.
local IDLE = 1

--- The options of a queue.
---@options waba.NgxQueueOptions
local OPTIONS = {
  max = { "integer>=1", 1000 },       -- jobs that may wait
  concurrency = { "integer>=1", 16 }, -- jobs that may run at once
}

--- The number of waiting jobs.
---@return integer
function Queue:depth()
  return self.last - self.first + 1
end

local function report(ok, result, err)
  if not ok then
    ngx.log(ngx.ERR, "waba: a job in the background raised: ", tostring(result))
  elseif result == nil and err ~= nil then
    ngx.log(ngx.ERR, "waba: a job in the background failed: ", tostring(err))
  end
end

local function wake(self)
  if self.semaphore:count() < 1 then self.semaphore:post(1) end
end

-- One light thread: runs jobs until none is left, or the deadline.
local function work(self)
  while self:depth() > 0 and ngx.now() < self.deadline do
    local job = self.jobs[self.first]
    self.jobs[self.first] = nil
    self.first = self.first + 1
    report(pcall(job.fn, unpack(job, 1, job.count)))
  end
  self.active = self.active - 1
  wake(self)
end

-- Runs as many threads as there are jobs for, until there are no more, or the deadline.
local function drain(self, deadline)
  local is_ending = false
  self.deadline = deadline
  repeat
    if ngx.worker.exiting() and not is_ending then
      self.deadline, is_ending = ngx.now() + ngx_timer.GRACE, true
    end
    while self.active < self.concurrency and self:depth() > 0 and ngx.now() < self.deadline do
      self.active = self.active + 1
      ngx.thread.spawn(work, self)
    end
    local is_idle = self.active == 0 and (self:depth() == 0 or ngx.now() >= self.deadline)
    local woken = not (is_idle and (is_ending or ngx.now() >= self.deadline)) and self.semaphore:wait(IDLE)
  until is_idle and not woken
  if self:depth() == 0 then return nil end
  if not ngx.worker.exiting() then return 0 end
  ngx.log(ngx.ERR, "waba: the worker process ends, and ", self:depth(), " jobs in the background never ran")
end

--- Adds a job. It runs soon, in this worker process. An error that it raises or returns after nil is logged.
---@param fn function
---@param ... any  its arguments
---@return true|nil
---@return string? message  the queue is full, or nginx has no timer
function Queue:push(fn, ...)
  if type(fn) ~= "function" then error("queue:push: the job must be a function, not a " .. type(fn), 2) end
  if self:depth() >= self.max then return nil, ("the queue is full: %d jobs are waiting"):format(self.max) end
  local is_set, message = self.timer:set()
  if not is_set then return nil, message end
  self.last = self.last + 1
  self.jobs[self.last] = { fn = fn, count = select("#", ...), ... }
  wake(self)
  return true
end

--- Makes a queue; one for each worker process, in a module. In phases that may not wait:
---
---     local queue = require("waba.transport.ngx_queue").new { max = 1000 }
---     local pushed = queue:push(client.send, client, "+49 151 1234567", waba.text "Hello")
---
---@param given? waba.NgxQueueOptions
---@return waba.NgxQueue
function queue.new(given)
  given = options.complete(given, OPTIONS, "waba.transport.ngx_queue", 2)
  local self = setmetatable({
    jobs = {}, first = 1, last = 0, max = given.max, concurrency = given.concurrency, active = 0,
    semaphore = assert(semaphore.new(0)), deadline = 0, -- of the timer that runs
  }, Queue)
  self.timer = ngx_timer.new(function(deadline) return drain(self, deadline) end)
  return self
end

return queue
