-- Brings one request to the gateway and an answer back: waits for its turn, tries, and tries again
-- when that is safe. In goes a request of the transport contract, out comes the decoded answer or
-- an error object. What counts as safe is decided in one place here, `may_repeat`.

local core = require "waba.core"
local ensure = require("waba.runtime").ensure
local errors = require "waba.errors"
local observation = require "waba.delivery.observation"
local pacing = require "waba.delivery.pacing"
local redaction = require "waba.delivery.redaction"

local clock, decode = core.clock, core.decode
local byte, ipairs, type, min = string.byte, ipairs, type, math.min

local Delivery = {}
Delivery.__index = Delivery
Delivery.__name = "waba.Delivery"

local delivery = {}

-- How long to be silent after "too fast" when the gateway names no time, in seconds.
local PAUSE = 2
-- No pause is longer unless the gateway itself names the time: some codes mean a limit of a whole day,
-- which does not concern every message.
local LONGEST_PAUSE = 60

-- With more open calls than these, the dead ones are searched for at these intervals, in seconds.
local FEW, REAP = 32, 0.25

-- Failures of the transport that may pass by themselves.
local PASSING = { network = true, timeout = true }

---@param fields { transport: waba.Transport, hosting: table, retry: waba.RetryOptions|false,
---        pace: waba.PaceOptions|false, identity: string?, on_event: fun(event: waba.CallEvent)|nil }
function delivery.new(fields)
  local retry = fields.retry or { attempts = 1 }
  return setmetatable({
    transport = fields.transport,
    hosting = fields.hosting,
    attempts = retry.attempts,
    base = retry.base,
    max = retry.max,
    ambiguous = retry.ambiguous or false,
    pace = fields.pace and pacing.new(fields.pace, fields.identity),
    on_event = fields.on_event,
    calls = 0, -- counted for `on_event`
    open = {}, reap_at = 0, -- calls that have not ended, and when to search for dead ones
    closed = false,
  }, Delivery)
end

-- A failed transfer as an error object. A status that refuses is certain, though its reason was cut off.
local function from_failure(self, failure, head)
  local status = failure.status
  local is_refused = status and status >= 400 and not self.hosting.errors.is_ambiguous(status, true)
  return errors.new {
    kind = failure.kind, message = failure.message, status = status, path = failure.path,
    retryable = PASSING[failure.kind] and (not is_refused or status == 429 or status == 503) or false,
    maybe_sent = failure.sent ~= "no" and not is_refused and head.method ~= "GET",
  }
end

-- A body is read as JSON when it looks like it; its media type is not always right.
local function looks_like_json(body)
  local first = byte(body, 1)
  if first == 123 or first == 91 then return true end
  local start = body:match("^%s*(.)")
  return start == "{" or start == "[" or body:match("^%s*null%s*$") ~= nil
end

-- The fields of an error that are texts of the gateway: what they repeat of the request is replaced.
local ECHOING = { "message", "title", "details", "href", "trace_id" }

-- The error that a response reports, or nil.
local function read_error(self, response, json, body, request, call)
  local status, redact = response.status, nil
  if json == nil and (status < 200 or status >= 300) then
    redact = redaction.new(request.head.credentials, call)
    body = redact(body) -- before the error quotes the beginning of the body
  end
  local err = self.hosting.errors.from_response(status, json, body)
  if not err then return nil end
  redact = redact or redaction.new(request.head.credentials, call)
  for _, name in ipairs(ECHOING) do
    if err[name] then err[name] = redact(err[name]) end
  end
  return err
end

-- For a compressed body, which no request allows.
local COMPRESSED = "its text is compressed (Content-Encoding: %s), which the request does not allow, and cannot be read"

-- The decoded response, or the error.
local function read(self, response, endpoint, request, call)
  local status, body = response.status, response.body
  local success = status >= 200 and status < 300
  if success and endpoint.binary then return true end
  local json, fault
  -- some servers write a byte order mark before the JSON
  if byte(body, 1) == 0xEF then body = body:gsub("^\239\187\191", "") end
  if success and endpoint.summary then json = endpoint.summary(body) end
  if json then return json end
  if body ~= "" and looks_like_json(body) then json, fault = decode(body) end
  local coding = json == nil and body ~= "" and response.content_coding or nil
  local err = read_error(self, response, json, coding and "" or body, request, call)
  if err then
    if coding then err.message = err.message .. "; " .. COMPRESSED:format(coding) end
    local retry_after = response.headers["retry-after"]
    err.retry_after = retry_after and core.retry_after(retry_after, response.headers.date) or err.retry_after
    local is_unsure = err.maybe_sent or not err.code and self.hosting.errors.is_ambiguous(status)
    err.maybe_sent = is_unsure and endpoint.method ~= "GET"
    return nil, err
  end
  if coding then
    return nil, errors.new {
      kind = "protocol", status = status, maybe_sent = endpoint.method ~= "GET",
      message = ("the gateway accepted the request (HTTP %d), but the response is unknown: "):format(status)
        .. COMPRESSED:format(coding),
    }
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
-- says so by `used`, and how a reader can by `rewind`.
local function is_used(request)
  local body, into = request.body, request.into
  if type(body) == "table" and body.used and not (body.rewind and body.rewind()) then return true end
  return into and into.used
end

-- Full jitter: anything between nothing and a bound that doubles from try to try.
local function backoff(self, attempt)
  return core.random() * min(self.max, self.base * 2 ^ (attempt - 1))
end

-- Why its turn does not come in time.
local SENTENCES = {
  pair = "the time was over before the next message to this recipient may be sent: the rate for one recipient "
    .. "allows it in %s s",
  key = "the time was over before the request's turn came: the rate of this key allows it in %s s",
  bulk = "the time was over before the turn of this bulk message came: what is not bulk goes first",
  pause = "the gateway said that %s is too fast, and that is not over in time: try again in %s s",
}

-- The error of a request whose turn would come too late. After a pause that the gateway asked for it says
-- what the gateway said.
local function too_late(scope, line, now, delay, is_bulk)
  local is_pause = line.gate.paused_until > now
  local seconds = (delay < 100 and "%.3g" or "%.0f"):format(delay)
  local message = is_pause and SENTENCES.pause:format(scope == "pair" and "this recipient" or "this key", seconds)
    or SENTENCES[is_bulk and line.replies.count > 0 and "bulk" or scope]:format(seconds)
  return errors.new {
    kind = is_pause and "rate_limited" or "timeout", scope = scope, retryable = true, retry_after = delay,
    message = message,
  }
end

local function out_of_time()
  return errors.new {
    kind = "timeout", retryable = true, message = "the time was over before the request's turn came",
  }
end

local function cancelled()
  return errors.new { kind = "cancelled", message = "the client was closed before the request's turn came" }
end

-- Waits in one line. Nil and the error when its turn can't come in time.
local function pass(self, line, scope, now, deadline, is_bulk, is_repeat)
  if line:try(now, is_bulk) then return now end
  local delay
  local passed
  passed, delay = line:wait(self.transport, now, deadline, is_bulk, is_repeat)
  if passed then return passed end
  return nil, too_late(scope, line, clock(), delay, is_bulk)
end

-- Waits for the turn of the request, of its recipient first: the time when it has come, or nil and the error.
local function wait_for_turn(self, endpoint, call, now, deadline, is_repeat)
  local pace = self.pace
  if pace then
    local pair = pace.has_pairs and call.to and pace:pair(call.to, now)
    local err
    if pair then
      now, err = pass(self, pair, "pair", now, deadline, false, is_repeat)
      if not now then return nil, err end
    end
    now, err = pass(self, pace:line(endpoint.class), "key", now, deadline, call.bulk, is_repeat)
    if not now then
      if pair then pair.gate:give_back() end
      return nil, err
    end
  end
  if now < deadline then return now end
  return nil, out_of_time()
end

-- "Too fast" concerns all that waits, not this request alone: all of the key, or of one recipient (`scope`).
local function hold_back(self, err, endpoint, call, response, attempt)
  if err.kind ~= "rate_limited" and err.status ~= 503 and err.status ~= 429 then return end
  local is_named = response and response.headers["retry-after"] ~= nil and err.retry_after ~= nil
  err.retry_after = err.retry_after or (err.scope == "pair" and 4 ^ (attempt - 1) or PAUSE)
  local pace = self.pace
  if not pace or endpoint.is_external then return end
  local now = clock()
  local moment = now + (is_named and err.retry_after or min(err.retry_after, LONGEST_PAUSE))
  if err.scope == "pair" then
    if call.to then pace:pause_pair(call.to, moment, now) end
  elseif err.scope == nil or err.scope == "key" then
    pace:pause(moment)
  end
end

-- One try.
local function try(self, request, endpoint, call, watched)
  local response, failure = self.transport:send(request)
  local json, err
  if response then
    json, err = read(self, response, endpoint, request, call)
  else
    err = from_failure(self, failure, request.head)
  end
  if watched then watched:attempt(response or failure, err) end
  return response, json, err
end

-- Calls the option `before_attempt`. Returns the time afterwards, or nil and its error.
local function prepare_attempt(self, call, deadline)
  local ready, err = call.before_attempt()
  if not ready then return nil, err end
  local now = clock()
  if self.closed then return nil, cancelled() end
  if now < deadline then return now end
  return nil, out_of_time()
end

local NOTHING = {}

local function perform(self, request, endpoint, call, now, deadline, watched)
  local attempt, err = 0, nil
  local refusal
  if call.turn then
    now, refusal = call.turn:wait(self.transport, now, deadline)
    if not now then return nil, self.closed and cancelled() or refusal end
  end
  while true do
    now, refusal = wait_for_turn(self, endpoint, call, now, deadline, attempt > 0)
    if self.closed then return nil, err or cancelled() end
    if not now then return nil, err or refusal end
    if call.before_attempt then
      now, refusal = prepare_attempt(self, call, deadline)
      if not now then return nil, refusal end
    end
    if watched then watched:go(now) end
    attempt = attempt + 1
    request.timeout = deadline - now
    local response, json
    response, json, err = try(self, request, endpoint, call, watched)
    if not err then return response, json end
    hold_back(self, err, endpoint, call, response, attempt)
    if attempt >= self.attempts or not may_repeat(self, err, request.head) or is_used(request) then return nil, err end
    local delay = (err.retry_after or 0) + backoff(self, attempt)
    if clock() + delay >= deadline then return nil, err end
    if watched then watched:retry(err, delay) end
    if call.before_retry and not err.maybe_sent then call.before_retry(err) end
    self.transport:sleep(delay)
    now = clock()
  end
end

-- Searches for calls whose coroutines were ended from outside: at each call, and less often while many are open.
local function reap_dead(self, now)
  if now < self.reap_at then return end
  observation.reap_dead(self.open)
  local count = 0
  for _ in pairs(self.open) do
    count = count + 1
    if count > FEW then
      self.reap_at = now + REAP
      break
    end
  end
end

--- Sends a request until it is answered, refused for good, or out of time.
---@param request waba.Request     its timeout becomes, at each try, what is left of the whole
---@param endpoint waba.Endpoint   its rate class and what its answer is
---@param timeout number           seconds for everything, waits included
---@param call? waba.Call          to: the recipient, whose own rate and pauses count too; bulk: behind all that
---                                is not; turn: comes after what was sent to the recipient before
---@return waba.Response|nil response
---@return any json  the decoded body; nil when it was empty; or the error
function Delivery:call(request, endpoint, timeout, call)
  call = call or NOTHING
  local transport = self.transport
  if transport.can_wait then
    local can_wait, message = transport:can_wait()
    if not can_wait then return nil, errors.new { kind = "invalid", message = message } end
  end
  local now = clock()
  if not self.on_event then return perform(self, request, endpoint, call, now, now + timeout) end
  reap_dead(self, now)
  self.calls = self.calls + 1
  local watched = observation.start(self.on_event, self.calls, endpoint, call, now, self.open)
  return ensure(watched.finish, watched, perform, self, request, endpoint, call, now, now + timeout, watched)
end

--- Sends everybody away who waits for his turn: it would come to nothing.
function Delivery:close()
  self.closed = true
  observation.reap_dead(self.open)
  if self.pace then self.pace:close() end
end

return delivery
