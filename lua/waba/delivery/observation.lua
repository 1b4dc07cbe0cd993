-- Reports each call to the gateway to the option `on_event`, from its start to its finish, for traces and metrics. The
-- events contain no secrets, messages or recipients.

local core = require "waba.core"
local coroutines = require "waba.coroutines"
local errors = require "waba.errors"
local printable = require "waba.printable"

local clock = core.clock

--- An event that is reported for a call. All events of one call have the same value in the field `call`. The events of
--- a call are reported in this order: `start`; `attempt` after each attempt, and `retry` before the next one; `finish`.
--- If the event loop ends the coroutine, `finish` has the kind "cancelled"; it is reported when the client is used
--- next, or closed.
---@class waba.CallEvent
---@field type "start"|"attempt"|"retry"|"finish"
---@field call integer            the position of the call among all calls of the client, from 1 on
---@field time number             seconds of a monotonic clock; only differences are meaningful
---@field method string
---@field path string             the path of the endpoint, with its parameters as `{name}`
---@field class "messages"|"other"  the class of the rate limit
---@field bulk boolean            true: sent with `bulk = true`
---@field attempt integer?        number of the attempt; in `finish` the number of attempts
---@field waited number?          seconds in queues before this attempt; in `finish` the total of all attempts, without
---        `delay`
---@field duration number?        seconds of this attempt; in `finish` of the whole call, including waits
---@field delay number?           in `retry`: seconds until the next attempt begins to wait in its queue
---@field status integer?         HTTP status
---@field error waba.Error?       the error, without the platform's own tables (`answer`, `errors`)
---@field kind waba.ErrorKind?    the error's kind
---@field code integer?           the error code of the platform
---@field maybe_sent boolean?     the error's field `maybe_sent`
---@field bytes_sent integer?     bytes of the request's body
---@field bytes_received integer?  bytes of the response's body
---@field reused boolean?         true: an existing connection was used
---@field protocol string?        "HTTP/1.1" or "HTTP/2"
---@field connect number?         in `attempt`: seconds until the connection was open; 0 for an existing connection
---@field first_byte number?      in `attempt`: seconds until the response began

---@class waba.Observation
local Observation = {}
Observation.__index = Observation
Observation.__name = "waba.Observation"

local observation = {}

local WEAK_VALUES = { __mode = "v" }

-- Calls the option `on_event`. An error that the function raises does not affect the message.
local function report(self, kind, event)
  local endpoint, observer = self.endpoint, self.observer
  event.type, event.call, event.time = kind, self.number, event.time or clock()
  event.method, event.path, event.class, event.bulk = endpoint.method, endpoint.path, self.class, self.bulk
  local ok, raised = pcall(observer.hook, event)
  if not ok then io.stderr:write("waba: on_event failed: ", printable.text(raised), "\n") end
end

-- Returns the error without the platform's own tables, because these may repeat the request.
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

-- If more than FEW calls are open, the search for calls whose coroutine has ended runs only every REAP seconds.
local FEW, REAP = 32, 0.25

--- Reports the calls of one client.
---@class waba.Observer
local Observer = {}
Observer.__index = Observer

---@param hook fun(event: waba.CallEvent)
---@return waba.Observer
function observation.new(hook)
  return setmetatable({ hook = hook, calls = 0, open = {}, reap_at = 0 }, Observer) -- open: calls that have not
                                                                                    -- finished
end

-- Searches for calls whose coroutine has ended: at each call, or less often while many calls are open.
local function reap_sometimes(self, now)
  if now < self.reap_at then return end
  self:reap_dead()
  local count = 0
  for _ in pairs(self.open) do
    count = count + 1
    if count > FEW then
      self.reap_at = now + REAP
      break
    end
  end
end

--- Reports that a call begins.
---@param endpoint waba.Endpoint
---@param call waba.Call
---@param now number
---@return waba.Observation
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
---@param now number
function Observation:begin(now)
  self.last_wait, self.attempt_started = math.max(0, now - self.waiting_since), now
  self.waited, self.is_waiting = self.waited + self.last_wait, false
end

--- Reports an attempt that has ended.
---@param response waba.Response|waba.TransferFailure
---@param err waba.Error|nil
function Observation:attempt(response, err)
  local now, timings = clock(), response.timings
  self.attempts, self.response = self.attempts + 1, response
  report(self, "attempt", add_result({
    time = now, attempt = self.attempts, waited = self.last_wait, duration = now - self.attempt_started,
    connect = timings and timings.connect, first_byte = timings and timings.first_byte,
  }, response, err))
end

--- Reports that another attempt will follow.
---@param err waba.Error
---@param delay number
function Observation:retry(err, delay)
  local now = clock()
  self.waiting_since, self.is_waiting = now + delay, true
  report(self, "retry", add_result({ time = now, attempt = self.attempts, delay = delay }, nil, err))
end

--- Reports that the call has ended. `coroutines.ensure` calls this method.
---@param ok boolean   false: the transport or a function of the request raised an error
---@param response any
---@param err any
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

-- Returns whether the coroutine of the call has ended.
local function is_dead(self)
  if not self.thread then return false end
  local thread = self.thread[1]
  return not thread or coroutines.is_dead(thread)
end

--- Finishes the calls whose coroutine the event loop has ended.
function Observer:reap_dead()
  local dead = {}
  for call in pairs(self.open) do
    if is_dead(call) then dead[#dead + 1] = call end
  end
  for _, call in ipairs(dead) do
    call:finish(true, nil, errors.new {
      kind = "cancelled", message = "the coroutine that waited for the response was ended",
      maybe_sent = not call.is_waiting and call.endpoint.method ~= "GET",
    })
  end
end

return observation
