-- Calls the option `on_event` of a client for each event of a call to the gateway, for traces and metrics. The events
-- contain no secrets, messages or recipients.

local core = require "waba.core"
local coroutines = require "waba.coroutines"
local errors = require "waba.errors"
local printable = require "waba.printable"

local clock = core.clock

--- An event that is reported for a call. A call has these events, in this order: `start`; for each attempt `attempt`,
--- and `retry` if another attempt follows; `finish`. If the event loop ends the coroutine of the call, `finish` is
--- reported with the kind "cancelled" when the client is used next, or closed.
---@class waba.CallEvent
---@field type "start"|"attempt"|"retry"|"finish"
---@field call integer  the number of the call among the calls of the client, from 1 on
---@field time number  seconds of a monotonic clock; only differences are meaningful
---@field method string
---@field path string  the path of the endpoint, with its parameters as `{name}`
---@field class "messages"|"other"|"media"  the class of requests, which selects the rate limit
---@field bulk boolean  true: sent with the option `bulk`
---@field attempt integer?  the number of the attempt, from 1 on; in `finish` the number of all attempts
---@field waited number?  seconds in queues before the attempt, without `delay`; in `finish` the sum for all
---        attempts
---@field duration number?  seconds of the attempt; in `finish` of the whole call, including waits
---@field delay number?  in `retry`: seconds until the next attempt enters its queue
---@field status integer?  HTTP status
---@field error waba.Error?  the error, without the platform's own tables (`answer`, `errors`)
---@field kind waba.ErrorKind?  the field `kind` of the error
---@field code integer?  the error code of the platform
---@field maybe_sent boolean?  the field `maybe_sent` of the error
---@field bytes_sent integer?  bytes of the request's body
---@field bytes_received integer?  bytes of the response's body
---@field reused boolean?  true: an existing connection was used
---@field protocol string?  "HTTP/1.1" or "HTTP/2"
---@field connect number?  in `attempt`: seconds until the connection was open; 0 for an existing connection
---@field first_byte number?  in `attempt`: seconds until the response began

---@class waba.Observation
local Observation = { __name = "waba.Observation" }
Observation.__index = Observation

local observation = {}

local WEAK_VALUES = { __mode = "v" }

-- Calls the function `on_event`. An error that the function raises is printed, so that the request continues.
local function report(self, kind, event)
  local endpoint, observer = self.endpoint, self.observer
  event.type, event.call, event.time = kind, self.number, event.time or clock()
  event.method, event.path, event.class, event.bulk = endpoint.method, endpoint.path, self.class, self.bulk
  local ok, raised = pcall(observer.hook, event)
  if not ok then io.stderr:write("waba: on_event failed: ", printable.text(raised), "\n") end
end

-- Returns the error without the platform's own tables, because these tables can contain text of the request.
local function without_tables(err)
  if not err.answer and not err.errors then return err end
  local copy = {}
  for name, value in pairs(err) do
    if name ~= "answer" and name ~= "errors" then copy[name] = value end
  end
  return errors.new(copy)
end

local function add_result(event, response, err)
  if response then
    event.status, event.reused, event.protocol = response.status, response.reused, response.protocol
    event.bytes_sent, event.bytes_received = response.bytes_sent, response.bytes_received
  end
  if err then
    event.error, event.kind, event.code, event.maybe_sent = without_tables(err), err.kind, err.code, err.maybe_sent
    event.status = event.status or err.status
  end
  return event
end

-- While more than FEW calls are open, the search for calls whose coroutine has ended runs only every REAP seconds.
local FEW, REAP = 32, 0.25

-- The field `open` has the calls of the client that have not finished, as keys.
local Observer = {}
Observer.__index = Observer

function observation.new(hook)
  return setmetatable({ hook = hook, calls = 0, open = {}, reap_at = 0 }, Observer)
end

local function reap_sometimes(self, now)
  if now < self.reap_at then return end
  self:reap_dead()
  local count = 0
  for _ in pairs(self.open) do count = count + 1 end
  if count > FEW then self.reap_at = now + REAP end
end

--- Reports that a call begins.
function Observer:start(endpoint, call, now)
  reap_sometimes(self, now)
  self.calls = self.calls + 1
  local thread, is_main = coroutine.running()
  local started = setmetatable({
    -- the table is weak, so that the coroutine can be collected
    thread = thread and not is_main and setmetatable({ thread }, WEAK_VALUES) or nil,
    observer = self, number = self.calls, endpoint = endpoint, class = endpoint.class or "other",
    bulk = call.bulk or false, started = now, waiting_since = now, waited = 0, attempts = 0, response = nil,
    is_waiting = true,
  }, Observation)
  self.open[started] = true
  report(started, "start", { time = now })
  return started
end

--- Records that the request has passed the rate limiters.
function Observation:begin(now)
  self.last_wait, self.attempt_started = math.max(0, now - self.waiting_since), now
  self.waited, self.is_waiting = self.waited + self.last_wait, false
end

--- Reports an attempt that has ended.
function Observation:attempt(response, err)
  local now, timings = clock(), response.timings
  self.attempts, self.response = self.attempts + 1, response
  report(self, "attempt", add_result({
    time = now, attempt = self.attempts, waited = self.last_wait, duration = now - self.attempt_started,
    connect = timings and timings.connect, first_byte = timings and timings.first_byte,
  }, response, err))
end

--- Reports that another attempt will follow.
function Observation:retry(err, delay)
  local now = clock()
  self.waiting_since, self.is_waiting = now + delay, true
  report(self, "retry", add_result({ time = now, attempt = self.attempts, delay = delay }, nil, err))
end

--- Reports that the call has ended. `coroutines.ensure` calls this method; `ok` is false if `Delivery:call` has raised
--- an error.
function Observation:finish(ok, response, err)
  local open = self.observer.open
  if not open[self] then return end
  open[self] = nil
  local now = clock()
  if self.is_waiting then self.waited = self.waited + math.max(0, now - self.waiting_since) end
  local event = add_result({
    time = now, attempt = self.attempts, waited = self.waited, duration = now - self.started,
  }, self.response, ok and not response and err or nil)
  if not ok then event.kind = "cancelled" end
  report(self, "finish", event)
end

--- Finishes the calls whose coroutine the event loop has ended.
function Observer:reap_dead()
  local dead = {}
  for call in pairs(self.open) do
    local thread = call.thread
    if thread and (not thread[1] or coroutines.is_dead(thread[1])) then dead[#dead + 1] = call end
  end
  for _, call in ipairs(dead) do
    call:finish(true, nil, errors.new {
      kind = "cancelled", message = "the coroutine that waited for the response was ended",
      maybe_sent = not call.is_waiting and call.endpoint.method ~= "GET",
    })
  end
end

return observation
