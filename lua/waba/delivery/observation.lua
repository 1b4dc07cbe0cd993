-- Tells `on_event` of a call to the gateway from its start to its finish: enough to build traces and
-- metrics of. No secret is told, no message, and no recipient.

local core = require "waba.core"
local errors = require "waba.errors"
local printable = require "waba.printable"
local runtime = require "waba.runtime"

local clock = core.clock

--- What `on_event` is told. The events of one call have the same `call`, and come in this order: `start`;
--- for each try `attempt`, and before the next one `retry`; `finish`. If the coroutine is ended from outside, `finish`
--- has the kind "cancelled" and follows when the client is used next, or closed.
---@class waba.CallEvent
---@field type "start"|"attempt"|"retry"|"finish"
---@field call integer            number of the call, counted by the client
---@field time number             seconds of a clock that never goes back; the differences mean something
---@field method string
---@field path string             of the endpoint: its parameters stand as `{name}`
---@field class "messages"|"other"  the rate it counts against
---@field bulk boolean            sent with `bulk = true`
---@field attempt integer?        which try; of `finish`: how many there were, 0 when its turn never came
---@field waited number?          seconds in line before this try; of `finish`: before all, without `delay`
---@field duration number?        seconds of this try; of `finish`: of the whole call, waits included
---@field delay number?           of `retry`: seconds until the next try takes its place in line
---@field status integer?         HTTP status
---@field error waba.Error?       the error, without the platform's own tables (`answer`, `errors`)
---@field kind waba.ErrorKind?    of the error
---@field code integer?           of the error, the platform's
---@field maybe_sent boolean?     of the error
---@field bytes_sent integer?     of the body
---@field bytes_received integer?  of the body
---@field reused boolean?         an existing connection was used
---@field protocol string?        "HTTP/1.1" or "HTTP/2"
---@field connect number?         of `attempt`: seconds until there was a connection; 0 on an existing one
---@field first_byte number?      of `attempt`: seconds until the answer began

---@class waba.Observation
local Observation = {}
Observation.__index = Observation
Observation.__name = "waba.Observation"

local observation = {}

local WEAK_VALUES = { __mode = "v" }

-- A hook that fails must not lose the message it was told of.
local function tell(self, kind, event)
  local endpoint = self.endpoint
  event.type, event.call, event.time = kind, self.number, event.time or clock()
  event.method, event.path, event.class, event.bulk = endpoint.method, endpoint.path, self.class, self.bulk
  local told, fault = pcall(self.hook, event)
  if not told then io.stderr:write("waba: on_event failed: ", printable.text(fault), "\n") end
end

-- The platform's own tables may repeat the request.
local function without_tables(err)
  if not err.answer and not err.errors then return err end
  local copy = {}
  for name, value in pairs(err) do
    if name ~= "answer" and name ~= "errors" then copy[name] = value end
  end
  return errors.new(copy)
end

local function add_outcome(event, answer, err)
  if answer then
    event.status, event.reused, event.protocol = answer.status, answer.reused, answer.protocol
    event.bytes_sent, event.bytes_received = answer.bytes_sent, answer.bytes_received
  end
  if err then
    event.error, event.kind, event.code, event.maybe_sent = without_tables(err), err.kind, err.code, err.maybe_sent
    event.status = event.status or err.status
  end
  return event
end

--- A call begins.
---@param hook fun(event: waba.CallEvent)
---@param number integer
---@param endpoint waba.Endpoint
---@param call waba.Call
---@param now number
---@param open table<waba.Observation, true>  calls that have not ended
---@return waba.Observation
function observation.start(hook, number, endpoint, call, now, open)
  local thread, is_main = coroutine.running()
  local self = setmetatable({
    -- weak, so that the coroutine can be collected
    open = open, thread = thread and not is_main and setmetatable({ thread }, WEAK_VALUES) or nil,
    hook = hook, number = number, endpoint = endpoint, class = endpoint.class or "other", bulk = call.bulk or false,
    started = now, waiting_since = now, waited = 0, attempts = 0, answer = nil, is_waiting = true,
  }, Observation)
  open[self] = true
  tell(self, "start", { time = now })
  return self
end

--- Its turn has come.
---@param now number
function Observation:go(now)
  self.last_wait, self.attempt_started = math.max(0, now - self.waiting_since), now
  self.waited, self.is_waiting = self.waited + self.last_wait, false
end

--- One try has ended.
---@param answer waba.Response|waba.TransferFailure
---@param err waba.Error|nil
function Observation:attempt(answer, err)
  local now, timings = clock(), answer.timings
  self.attempts, self.answer = self.attempts + 1, answer
  tell(self, "attempt", add_outcome({
    time = now, attempt = self.attempts, waited = self.last_wait, duration = now - self.attempt_started,
    connect = timings and timings.connect, first_byte = timings and timings.first_byte,
  }, answer, err))
end

--- There will be another try.
---@param err waba.Error
---@param delay number
function Observation:retry(err, delay)
  local now = clock()
  self.waiting_since, self.is_waiting = now + delay, true
  tell(self, "retry", add_outcome({ time = now, attempt = self.attempts, delay = delay }, nil, err))
end

--- The call has ended. For `runtime.ensure`.
---@param ok boolean   false: a function of the request, or the transport, raised
---@param response any
---@param err any
function Observation:finish(ok, response, err)
  if not self.open[self] then return end
  self.open[self] = nil
  local now = clock()
  if self.is_waiting then self.waited = self.waited + math.max(0, now - self.waiting_since) end
  local event = add_outcome({
    time = now, attempt = self.attempts, waited = self.waited, duration = now - self.started,
  }, self.answer, ok and not response and err or nil)
  if not ok then event.kind = "cancelled" end
  tell(self, "finish", event)
end

-- Whether the coroutine of the call is dead.
local function is_dead(self)
  if not self.thread then return false end
  local thread = self.thread[1]
  return not thread or runtime.is_dead(thread)
end

--- Ends the calls whose coroutines were ended from outside.
---@param open table<waba.Observation, true>
function observation.reap_dead(open)
  local dead = {}
  for self in pairs(open) do
    if is_dead(self) then dead[#dead + 1] = self end
  end
  for _, self in ipairs(dead) do
    self:finish(true, nil, errors.new {
      kind = "cancelled", message = "the coroutine that waited for the response was ended",
      maybe_sent = not self.is_waiting and self.endpoint.method ~= "GET",
    })
  end
end

return observation
