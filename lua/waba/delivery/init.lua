-- Sends a request by the transport: waits for the rate limiters, sends the request, and sends it again after an error
-- if the request was certainly not accepted. Returns the decoded response or an error object.

local core = require "waba.core"
local coroutines = require "waba.coroutines"
local runtime = require "waba.runtime"
local errors = require "waba.errors"
local pacing = require "waba.delivery.pacing"

local clock, decode = core.clock, core.decode
local byte, ipairs, type, min = string.byte, ipairs, type, math.min

local Delivery = { __name = "waba.Delivery" }
Delivery.__index = Delivery

-- The default values are fields of the class, because an object with few fields needs less memory. A program can have
-- thousands of delivery objects.
Delivery.closed, Delivery.observer = false, false

local delivery = {}

local NO_RETRY = { attempts = 1 }

-- The pause in seconds after "too many requests" if the response has no header Retry-After.
local PAUSE = 2
-- The longest pause in seconds if the response has no header Retry-After. Some error codes report a limit for a whole
-- day, although the gateway can still accept other messages.
local LONGEST_PAUSE = 60

-- Kinds of transport failures that can be temporary.
local TEMPORARY = { network = true, timeout = true }

---@param fields { transport: waba.Transport, hosting: table, retry: waba.RetryOptions|false,
---        pace: waba.PaceOptions|false, identity: string?, on_event: fun(event: waba.CallEvent)|nil }
function delivery.new(fields)
  local self = {
    transport = fields.transport, hosting = fields.hosting, retry = fields.retry or NO_RETRY,
    pace = fields.pace and pacing.new(fields.pace, fields.identity), identity = fields.identity,
  }
  if fields.on_event then self.observer = require("waba.delivery.observation").new(fields.on_event) end
  return setmetatable(self, Delivery)
end

-- Returns the error object of a failed transfer. If a status that refuses the request was received, the gateway has not
-- executed the request, even if the body of the response is incomplete.
local function from_failure(self, failure, head)
  local status = failure.status
  local is_refused = status and status >= 400 and not self.hosting.errors.is_ambiguous(status, true)
  return errors.new {
    kind = failure.kind, message = failure.message, status = status, path = failure.path,
    retryable = TEMPORARY[failure.kind] and (not is_refused or status == 429 or status == 503) or false,
    maybe_sent = failure.sent ~= "no" and not is_refused and head.method ~= "GET",
  }
end

-- Examines the beginning of a body, because gateways also send JSON with another Content-Type.
local function looks_like_json(body)
  local first = byte(body, 1)
  if first == 123 or first == 91 then return true end
  local start = body:match("^%s*(.)")
  return start == "{" or start == "[" or body:match("^%s*null%s*$") ~= nil
end

-- The fields of an error whose text comes from the gateway. The text can repeat parts of the request.
local ECHOING = { "message", "title", "details", "href", "trace_id" }

local function read_error(self, response, json, body, call)
  local status, redact = response.status, nil
  local function hide(text)
    redact = redact or runtime.require("waba.delivery.redaction").new(call.head.credentials, call)
    return redact(text)
  end
  -- `from_response` cuts the body, and the rest of a cut secret would not be recognized
  if json == nil and (status < 200 or status >= 300) then body = hide(body) end
  local err = self.hosting.errors.from_response(status, json, body)
  if not err then return nil end
  for _, name in ipairs(ECHOING) do
    if err[name] then err[name] = hide(err[name]) end
  end
  return err
end

-- The error text for a compressed body. No request allows compression.
local COMPRESSED = "its text is compressed (Content-Encoding: %s), which the request does not allow, and cannot be read"

local function unreadable(endpoint, status, message, reason)
  return nil, errors.new {
    kind = "protocol", status = status, maybe_sent = endpoint.method ~= "GET",
    message = message:format(status) .. (reason or ""),
  }
end

local function read(self, response, endpoint, call)
  local status, body = response.status, response.body
  local success = status >= 200 and status < 300
  local json, message
  if success then
    if endpoint.binary then return true end
    json = endpoint.summary and endpoint.summary(body)
    if json then return json end
  end
  if byte(body, 1) == 0xEF then body = body:gsub("^\239\187\191", "") end -- a byte order mark before the JSON
  if body ~= "" and looks_like_json(body) then json, message = decode(body) end
  local coding = json == nil and body ~= "" and response.content_coding or nil
  local err = read_error(self, response, json, coding and "" or body, call)
  if err then
    if coding then err.message = err.message .. "; " .. COMPRESSED:format(coding) end
    local headers = response.headers or {} -- only a brief response has no headers
    local wait = headers["retry-after"]
    wait = wait and require("waba.delivery.retry_after").read(wait, headers.date)
    err.retry_after = wait or err.retry_after
    local is_unsure = err.maybe_sent or not err.code and self.hosting.errors.is_ambiguous(status)
    err.maybe_sent = is_unsure and endpoint.method ~= "GET"
    return nil, err
  end
  if coding then
    return unreadable(endpoint, status, "the gateway accepted the request (HTTP %d), but the response is unknown: ",
      COMPRESSED:format(coding))
  end
  if json == nil and body:find("%S") and not endpoint.raw then
    return unreadable(endpoint, status, "the gateway's response (HTTP %d) is not JSON", message and ": " .. message)
  end
  return json
end

-- Returns whether the request can't be sent again: its sink was used, or its reader was used and can't be rewound.
local function is_used(request)
  local body, into = request.body, request.into
  if type(body) == "table" and body.used and not (body.rewind and body.rewind()) then return true end
  return into and into.used
end

local TOO_LATE = {
  pair = "the timeout passes before the rate limit for one recipient allows the next message, in %s s: wait longer, or "
    .. "send more slowly to this recipient",
  key = "the timeout passes before the rate limit of this key allows the request, in %s s: wait longer, or send more "
    .. "slowly",
  bulk = "the timeout passed before this bulk message could be sent: requests that are not bulk are sent first",
  pause = "the gateway has reported that %s is too fast, and the timeout passes before the pause ends: try again in "
    .. "%s s",
}

-- Returns the error for a request that gets no slot within its timeout.
local function too_late(scope, queue, now, delay, is_bulk)
  local is_pause = queue.limiter.paused_until > now
  local failure = not is_pause and queue.limiter.failure and queue.limiter:failure()
  if failure then return failure end
  local seconds = (delay < 100 and "%.3g" or "%.0f"):format(delay)
  local message = is_pause and TOO_LATE.pause:format(scope == "pair" and "this recipient" or "this key", seconds)
    or TOO_LATE[is_bulk and queue.replies.count > 0 and "bulk" or scope]:format(seconds)
  return errors.new {
    kind = is_pause and "rate_limited" or "timeout", scope = scope, retryable = true, retry_after = delay,
    message = message,
  }
end

local function out_of_time()
  return errors.new {
    kind = "timeout", retryable = true, message = "the timeout expired before the request was sent (option timeout)",
  }
end

local function cancelled()
  return errors.new { kind = "cancelled", message = "the client was closed before the request was sent" }
end

-- The functions that wait for a slot return the time after the wait, or nil and an error.

local function wait_for(self, queue, scope, now, deadline, is_bulk, is_repeat)
  local acquired, delay = queue:wait(self.transport, now, deadline, is_bulk, is_repeat)
  if acquired then return acquired end
  return nil, too_late(scope, queue, clock(), delay, is_bulk)
end

local function acquire_pair(self, pair, now, deadline, is_repeat)
  if pair:try(now) then return now end
  return wait_for(self, pair, "pair", now, deadline, false, is_repeat)
end

-- Takes the slots that the request needs, first the slot of its recipient.
local function acquire_all(self, endpoint, call, now, deadline, is_repeat)
  local pace = self.pace
  if pace then
    local class, is_bulk = endpoint.class, call.bulk
    local pair = pace.has_pairs and call.to and pace:pair(call.to, now, is_bulk)
    local err
    if pair then
      now, err = acquire_pair(self, pair, now, deadline, is_repeat)
      if not now then return nil, err end
    end
    local queue = pace[class] or pace:queue(class)
    if not queue:try(now, is_bulk) then
      now, err = wait_for(self, queue, "key", now, deadline, is_bulk, is_repeat)
      if not now then
        if pair then pair.limiter:give_back() end
        return nil, err
      end
    end
    if pair and pair.limiter.paused_until > now then -- a pause of the recipient has begun after its slot was taken
      pair.limiter:give_back()
      now, err = acquire_pair(self, pair, now, deadline, true)
      if not now then return nil, err end
    end
  end
  if now < deadline then return now end
  return nil, out_of_time()
end

-- Pauses limiters after "too many requests": the limiters of the recipient if `err.scope` is "pair", else those of the
-- key.
local function pause(self, err, endpoint, call, response, attempt)
  if err.kind ~= "rate_limited" and err.status ~= 503 and err.status ~= 429 then return end
  local headers = response and response.headers
  local is_named = headers and headers["retry-after"] ~= nil and err.retry_after ~= nil
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

local NOT_READY = "before_attempt has returned nothing: expected true, or nil and an error"

local function prepare_attempt(self, call, deadline)
  local ready, err = call.before_attempt(call)
  if not ready then return nil, err or errors.invalid("before_attempt", NOT_READY) end
  local now = clock()
  if self.closed then return nil, cancelled() end
  if now < deadline then return now end
  return nil, out_of_time()
end

local function perform(self, call, endpoint, now, deadline, observed)
  local attempt, err, maybe_sent = 0, nil, nil
  local refusal
  if call.slot then
    now, refusal = call.slot:wait(self.transport, now, deadline)
    if not now then return nil, self.closed and cancelled() or refusal end
  end
  while true do
    now, refusal = acquire_all(self, endpoint, call, now, deadline, attempt > 0)
    if self.closed then return nil, err or cancelled() end
    if not now then return nil, err or refusal end
    if call.before_attempt then
      now, refusal = prepare_attempt(self, call, deadline)
      if not now then return nil, err and err.maybe_sent and err or refusal end
    end
    if observed then observed:begin(now) end
    attempt = attempt + 1
    call.timeout = deadline - now
    local response, failure = self.transport:send(call, endpoint.summary and not observed)
    local json
    if response then
      json, err = read(self, response, endpoint, call)
    else
      err = from_failure(self, failure, call.head)
    end
    if observed then observed:attempt(response or failure, err) end
    if not err then return response, json end
    maybe_sent = maybe_sent or err.maybe_sent
    err.maybe_sent = maybe_sent -- also if only an earlier attempt may have sent the request
    pause(self, err, endpoint, call, response, attempt)
    local retry = self.retry
    local may_repeat = err.retryable and (not err.maybe_sent or call.head.idempotent or retry.ambiguous)
    if attempt >= retry.attempts or not may_repeat or is_used(call) then return nil, err end
    -- a random part of a bound that doubles with each attempt ("full jitter")
    local delay = (err.retry_after or 0) + core.random() * min(retry.max, retry.base * 2 ^ (attempt - 1))
    if clock() + delay >= deadline then return nil, err end
    if observed then observed:retry(err, delay) end
    if call.before_retry and not err.maybe_sent then call.before_retry(err, call) end
    self.transport:sleep(delay)
    now = clock()
  end
end

--- Sends a request, and sends it again until there is a response or a permanent error, or until the timeout has passed.
---@param call waba.Call  the request; its field `timeout` is set to the remaining time before each attempt
---@param endpoint waba.Endpoint  defines the rate limit, and how the response is read
---@param timeout number  seconds for the whole call, including waits
---@return waba.Response|nil response
---@return any json  the decoded body; nil if the body is empty; without a response: the error
function Delivery:call(call, endpoint, timeout)
  local transport = self.transport
  if transport.can_wait then
    local can_wait, message = transport:can_wait()
    if not can_wait then return nil, errors.new { kind = "invalid", message = message } end
  end
  local now = clock()
  if not self.observer then return perform(self, call, endpoint, now, now + timeout) end
  local observed = self.observer:start(endpoint, call, now)
  return coroutines.ensure(observed.finish, observed, perform, self, call, endpoint, now, now + timeout, observed)
end

--- Ends the waiting of all calls.
function Delivery:close()
  self.closed = true
  if self.observer then self.observer:reap_dead() end
  if self.pace then self.pace:close() end
end

return delivery
