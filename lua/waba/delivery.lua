-- Brings one request to the gateway and an answer back: waits for its turn, tries, and tries again
-- when that is safe. In goes a request of the transport contract, out comes the decoded answer or
-- an error object. What counts as safe is decided in one place here, `may_repeat`.

local core = require "waba.core"
local errors = require "waba.errors"
local pacing = require "waba.pacing"

local clock, decode = core.clock, core.decode
local byte, type = string.byte, type

local Delivery = {}
Delivery.__index = Delivery
Delivery.__name = "waba.Delivery"

local delivery = {}

-- How long to be silent after "too fast" when the gateway names no time, in seconds.
local PAUSE = 2

-- Whether a gateway that answers so may have handed the request on before it failed: everything in the
-- 500s, what load balancers made up among it, but for 503, which says that it did not begin; and 408.
local function is_ambiguous(status)
  return status >= 500 and status ~= 503 or status == 408
end

-- Failures of the transport that may pass by themselves.
local PASSING = { network = true, timeout = true }

---@class waba.RetryOptions
---@field attempts? integer   all tries of one request, the first included; 4 by default
---@field base? number        seconds; the first pause is anything up to it; 0.5 by default
---@field max? number         seconds; no pause is longer, but for the gateway's own word; 30 by default
---@field ambiguous? boolean  repeat even what may have been accepted; false by default

---@param fields { transport: waba.Transport, hosting: table, retry: waba.RetryOptions|false, pace: table|false, on_event: function? }
function delivery.new(fields)
  local retry = fields.retry or { attempts = 1 }
  return setmetatable({
    transport = fields.transport,
    hosting = fields.hosting,
    attempts = retry.attempts or 4,
    base = retry.base or 0.5,
    max = retry.max or 30,
    ambiguous = retry.ambiguous or false,
    pace = fields.pace and pacing.new(fields.pace),
    on_event = fields.on_event,
  }, Delivery)
end

-- A failed transfer as an error object.
local function from_failure(failure, head)
  return errors.new {
    kind = failure.kind, message = failure.message, status = failure.status,
    retryable = PASSING[failure.kind] or false,
    maybe_sent = failure.sent ~= "no" and head.method ~= "GET",
  }
end

-- A body is read as JSON when it looks like it; its media type is not always right.
local function looks_like_json(body)
  local first = byte(body, 1)
  if first == 123 or first == 91 then return true end
  local start = body:match("^%s*(.)")
  return start == "{" or start == "[" or body:match("^%s*null%s*$") ~= nil
end

-- The decoded answer, or why it is none.
local function read(self, response, endpoint)
  local status, body = response.status, response.body
  local success = status >= 200 and status < 300
  if success and endpoint.binary then return true end
  local json, fault
  if body ~= "" and looks_like_json(body) then json, fault = decode(body) end
  local err = self.hosting.errors.from_response(status, json, body)
  if err then
    local retry_after = response.headers["retry-after"]
    err.retry_after = retry_after and core.retry_after(retry_after) or err.retry_after
    if err.kind == "rate_limited" then err.retry_after = err.retry_after or PAUSE end
    err.maybe_sent = not err.code and is_ambiguous(status) and endpoint.method ~= "GET" or false
    return nil, err
  end
  if json == nil and body:find("%S") and not endpoint.raw then
    return nil, errors.new {
      kind = "protocol", status = status, maybe_sent = endpoint.method ~= "GET",
      message = "the answer is not JSON" .. (fault and ": " .. fault or ""),
    }
  end
  return json
end

-- Whether the request may go out once more, as far as its outcome is concerned.
local function may_repeat(self, err, head)
  if not err.retryable then return false end
  return not err.maybe_sent or head.idempotent or self.ambiguous
end

-- A reader that was read from, or a sink that was written to, can't start again: whoever made them
-- says so by `used`.
local function is_used(request)
  local body, into = request.body, request.into
  return type(body) == "table" and body.used or into and into.used
end

-- Full jitter: anything between nothing and a bound that doubles from try to try.
local function backoff(self, attempt)
  return core.random() * math.min(self.max, self.base * 2 ^ (attempt - 1))
end

local function out_of_time(err)
  return err or errors.new {
    kind = "timeout", retryable = true,
    message = "the time was over before the request's turn came",
  }
end

-- A hook that fails must not lose the message it was told of.
local function tell(self, event)
  local told, fault = pcall(self.on_event, event)
  if not told then io.stderr:write("waba: on_event failed: ", tostring(fault), "\n") end
end

-- One try; tells the hook.
local function try(self, request, endpoint, attempt)
  local started = self.on_event and clock()
  local response, failure = self.transport:send(request)
  local json, err
  if response then
    json, err = read(self, response, endpoint)
  else
    err = from_failure(failure, request.head)
  end
  if self.on_event then
    local answer = response or failure
    tell(self, {
      type = "attempt", attempt = attempt, method = endpoint.method, path = endpoint.path,
      status = answer.status, error = err, duration = clock() - started,
      bytes_sent = answer.bytes_sent, bytes_received = answer.bytes_received,
      reused = answer.reused, protocol = answer.protocol,
    })
  end
  return response, json, err
end

-- Waits for the turn of the request's class: the time when it has come, or nil when the deadline comes
-- first.
local function wait_for_turn(self, class, now, deadline)
  local pace = self.pace
  local delay = pace and pace:reserve(class, now, deadline)
  if pace and not delay then return nil end
  while delay and delay > 0 do
    self.transport:sleep(delay)
    now = clock()
    delay = pace:pause_left(now)
    if now + delay >= deadline then return nil end
  end
  if now < deadline then return now end
end

--- Sends a request until it is answered, refused for good, or out of time.
---@param request waba.Request     without timeouts
---@param endpoint waba.Endpoint   its rate class and what its answer is
---@param timeout number           seconds for everything, waits included
---@return waba.Response|nil response
---@return any json  the decoded body; nil when it was empty; or the error
function Delivery:call(request, endpoint, timeout)
  local now = clock()
  local deadline = now + timeout
  local attempt, err = 0, nil
  while true do
    now = wait_for_turn(self, endpoint.class or "other", now, deadline)
    if not now then return nil, out_of_time(err) end
    attempt = attempt + 1
    request.timeout = deadline - now
    local response, json
    response, json, err = try(self, request, endpoint, attempt)
    if not err then return response, json end
    now = clock()
    if err.kind == "rate_limited" and self.pace and err.status then
      self.pace:pause(now + err.retry_after)
    end
    if attempt >= self.attempts or not may_repeat(self, err, request.head) or is_used(request) then return nil, err end
    local delay = (err.retry_after or 0) + backoff(self, attempt)
    if now + delay >= deadline then return nil, err end
    if self.on_event then
      tell(self, {
        type = "retry", attempt = attempt, method = endpoint.method, path = endpoint.path, error = err, delay = delay,
      })
    end
    self.transport:sleep(delay)
    now = clock()
  end
end

return delivery
