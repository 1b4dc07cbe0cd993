-- One bulk run. Its owner reads the source, writes the journal and starts workers; each worker sends message after
-- message until none is ready. One coroutine, the owner, reads, waits and reports, so that none of these runs twice
-- at a time. A worker whose message has passed the rate limiter waits until the owner has written the message to the
-- journal: all that wait at that moment share one write to the disk.

local circuit_breakers = require "waba.bulk.circuit_breaker"
local buckets = require "waba.delivery.bucket"
local core = require "waba.core"
local errors = require "waba.errors"
local figures = require "waba.bulk.figures"
local intake = require "waba.bulk.intake"
local runtime = require "waba.runtime"
local waiters = require "waba.transport.waiter"

local clock, guard = core.clock, runtime.pcall
local max, min = math.max, math.min

---@class waba.BulkRun
local Run = {}
Run.__index = Run
Run.__name = "waba.BulkRun"

local run = {}

-- Seconds: the owner checks the state at least this often, and reports progress at most this often.
local BEAT, REPORT = 0.25, 0.5
-- The most messages taken from the source at once, and with a rate the seconds whose messages are taken.
local LARGEST_BATCH, BATCH_TIME = 64, 0.25
-- The part of a second whose messages a rate may make up for when the machine was late.
local CATCH_UP = 0.1
-- The shortest sleep, in seconds.
local NOW = 0.001

-- The bucket of a run's own rate. It begins without a burst: the slack only makes up for lost time.
local function bucket_of(rate, now)
  local burst = max(1, math.floor(rate * CATCH_UP))
  local bucket = buckets.new { rate = rate, burst = burst }
  for _ = 2, burst do bucket:take(now) end
  return bucket
end

local function batch_size(concurrency, options)
  local size = min(LARGEST_BATCH, concurrency)
  return options.rate and max(1, min(size, math.floor(options.rate * BATCH_TIME))) or size
end

-- Processes that probably share a rate, at most.
local PROCESSES = 8

-- A message that waits for the client's rate limiter uses up its timeout, so no more are in flight than the limiter admits
-- in half of a timeout. A rate that processes share is divided among them.
local function most_in_flight(client, options)
  local most, pace = options.concurrency, client.delivery.pace
  local limiter = pace and pace:queue("messages").limiter
  local interval = limiter and limiter.interval * (limiter.shared and PROCESSES or 1) or 0
  if interval == 0 then return most end
  return min(most, max(1, math.floor((options.timeout or client.timeout) / 2 / interval)))
end

---@param client waba.Client
---@param source function
---@param options waba.BulkOptions
---@param journal waba.BulkJournal|nil
---@return waba.BulkRun
function run.new(client, source, options, journal)
  local now, concurrency = clock(), most_in_flight(client, options)
  local message_options = { timeout = options.timeout }
  for name, value in pairs(options.send or {}) do message_options[name] = value end
  message_options.bulk = true
  local self = setmetatable({
    client = client, source = source, options = options, journal = journal, message_options = message_options,
    concurrency = concurrency, batch = batch_size(concurrency, options), position = 0,
    queue = {}, first = 1, last = 0, -- items that were taken from the source and are not in flight
    unwritten = {}, -- items to be written to the journal as begun
    workers = {}, active = 0,
    recipients = options.unique and {} or nil, -- addresses of this run
    count = figures.new(options.total, now, options.suppress ~= nil), reported = now,
    bucket = options.rate and bucket_of(options.rate, now),
    breaker = circuit_breakers.new(client.delivery.attempts > 1 and options.patience or 0),
  }, Run)
  return self
end

local function depth(self)
  return self.last - self.first + 1
end

--- Ends the run: messages in flight end, other messages are not sent.
function Run:stop()
  self.is_ending = true
end

--- Ends the run with an error, which is returned. The first error counts.
---@param err waba.Error
function Run:give_up(err)
  self.err = self.err or err
  self:stop()
end

--- Ends the run with an error that a function of the caller raised. It is raised again.
function Run:fail(raised)
  self.raised = self.raised or { value = raised }
  self:stop()
end

--- Ends the source with an error that it raised. Sends the messages that the source returned before, then raises the
--- error again.
function Run:end_source(raised)
  self.raised = self.raised or { value = raised }
  self.is_exhausted = true
end

local function write_result(self, item, outcome, sent, err)
  if not self.journal or item.is_unwritten then return end
  local detail = sent and (sent.id or "-") or err.kind .. (err.code and " " .. err.code or "")
  self.journal:result(item, outcome == "maybe_sent" and "maybe" or outcome, detail)
  if self.journal.message then self:stop() end
end

local function notify(self, item, sent, err)
  if not self.options.on_result then return end
  local ok, raised = pcall(self.options.on_result, item.key, sent, err, item.to)
  if not ok then self:fail(raised) end
end

--- Counts a result, writes it to the journal, and passes it to the caller. An uncertain result is passed first, so after a
--- crash in between it is passed again instead of being lost.
---@param item table
---@param sent waba.Sent|nil
---@param err waba.Error|nil
function Run:settle(item, sent, err)
  local outcome = sent and "sent" or err.maybe_sent and "maybe_sent" or "failed"
  item.is_settled = true
  self.count:add(outcome)
  if outcome == "maybe_sent" then
    notify(self, item, sent, err)
    write_result(self, item, outcome, sent, err)
  else
    write_result(self, item, outcome, sent, err)
    notify(self, item, sent, err)
  end
end

-- The next message, if one may be sent now.
local function take(self, now)
  if self.is_ending or self.first > self.last or self.breaker:left(now) > 0 then return nil end
  if self.bucket and not self.bucket:try(now + NOW) then return nil end
  local item = self.queue[self.first]
  self.queue[self.first] = nil
  self.first = self.first + 1
  return item
end

local function put(self, item)
  self.last = self.last + 1
  self.queue[self.last] = item
end

local function put_back(self, item)
  self.first = self.first - 1
  self.queue[self.first] = item
end

-- The error for a message for which `send` raised. With a journal it is known whether its request may have been sent.
local function raised_error(self, item, raised)
  item.waiter = nil
  return errors.new {
    kind = "cancelled", maybe_sent = not self.journal or item.is_begun == true,
    message = "sending the message raised an error: " .. tostring(raised),
  }
end

-- The client was closed before the message was sent.
local function abandon(self, item)
  put_back(self, item)
  self:give_up(errors.new { kind = "cancelled", message = "the client was closed before the message was sent" })
end

-- Withdraws the journal's line that a message was begun: its request was certainly not sent.
local function withdraw(self, item)
  if not item.is_begun then return end
  item.is_begun = false
  self.journal:withdraw { item }
end

-- Waits until the owner has written an item to the journal as begun: true, or nil and an error when the journal can't
-- be written or the run ends.
local function begin(self, worker)
  local item = worker.item
  self.unwritten[#self.unwritten + 1] = item
  item.waiter, item.is_begun = worker.waiter, nil
  self.group:wake()
  repeat
    item.waiter:wait(BEAT)
  until item.is_begun ~= nil or self.is_finished or runtime.is_dead(self.owner)
  item.waiter = nil
  if item.is_begun then return true end
  return nil, errors.new {
    kind = "cancelled", path = "journal", message = "the message was not sent: the journal can't be written",
  }
end

-- The options of one message: with a journal it is written as begun immediately before its request may be sent.
local function options_of(self, worker)
  if not self.journal then return self.message_options end
  if worker.options then return worker.options end
  worker.waiter = waiters.of(self.client.transport)
  worker.options = {
    before_attempt = function() return begin(self, worker) end,
    before_retry = function() withdraw(self, worker.item) end,
  }
  for name, value in pairs(self.message_options) do worker.options[name] = value end
  return worker.options
end

-- Counts and reports an item whose recipient wants no marketing messages. Returns whether it must not be sent.
local function is_suppressed(self, item)
  local is_allowed, err = intake.check(self, item)
  if is_allowed then return false end
  if err.path == "suppress" then
    item.is_settled = true
    notify(self, item, nil, err)
  else
    put_back(self, item)
    self:give_up(err)
  end
  return true
end

-- Sends one message and handles its result.
local function process(self, worker)
  local item = worker.item
  if self.client.closed then return abandon(self, item) end
  if is_suppressed(self, item) then return end
  local ok, sent, err = guard(self.client.send, self.client, item.to, item.message, options_of(self, worker))
  if not ok then
    self:fail(sent)
    sent, err = nil, raised_error(self, item, sent)
  end
  local is_certain = err and not err.maybe_sent
  if is_certain and err.path == "journal" then
    if not self.is_finished then self.journal:withdraw { item } end
    self:stop()
    return put_back(self, item)
  end
  if is_certain and err.kind == "cancelled" and self.client.closed then
    withdraw(self, item)
    return abandon(self, item)
  end
  if is_certain and err.path == "proxy" then -- the proxy would refuse every message
    withdraw(self, item)
    put_back(self, item)
    return self:give_up(err)
  end
  if self.breaker:record(err, clock()) then
    withdraw(self, item)
    return put_back(self, item)
  end
  self:settle(item, sent, err)
end

-- Sends messages until none is ready.
local function work(self, worker)
  worker.thread = coroutine.running()
  while worker.item do
    process(self, worker)
    local now = clock()
    worker.item = self.active <= self.breaker:limit(self.concurrency) and take(self, now) or nil
    if worker.item and depth(self) == self.low then self.group:wake() end
  end
  self.workers[worker] = nil
  self.active = self.active - 1
  self.group:wake()
end

-- Starts workers for the messages that may be sent.
local function start_workers(self)
  local limit = self.breaker:limit(self.concurrency)
  while self.active < limit do
    local worker = { item = take(self, clock()) }
    if not worker.item then return end
    self.active = self.active + 1
    self.workers[worker] = true
    self.group:start(function() work(self, worker) end)
  end
end

-- Removes workers whose coroutine was ended from outside. The result of a message that may have been sent is uncertain.
local function reap_dead(self)
  for worker in pairs(self.workers) do
    if worker.thread and runtime.is_dead(worker.thread) then
      self.workers[worker] = nil
      self.active = self.active - 1
      local item = worker.item
      if item and not item.is_settled then
        local err = raised_error(self, item, "the coroutine that sent it was ended")
        if err.maybe_sent then self:settle(item, nil, err) else put_back(self, item) end
      end
    end
  end
end

-- Writes all waiting messages to the journal as begun, in one write, and lets their workers send them.
local function write_begun(self)
  local items = {}
  for _, item in ipairs(self.unwritten) do
    if item.waiter then items[#items + 1] = item end
  end
  self.unwritten = {}
  if #items == 0 then return end
  local written = not self.journal.message and self.journal:begin(items) or false
  if not written then self:stop() end
  for _, item in ipairs(items) do
    item.is_begun = written
    item.waiter:wake()
  end
end

-- Moves one batch from the source to the queue.
local function fill(self)
  local batch = intake.read(self, self.batch - depth(self))
  for _, item in ipairs(batch) do put(self, item) end
end

-- Calls the caller's functions, and checks the circuit breaker.
local function check_state(self, now)
  local options = self.options
  if options.stop and not self.is_ending then
    local ok, result = pcall(options.stop)
    if not ok then
      self:fail(result)
    elseif result then
      self.is_stopped = true
      self:stop()
    end
  end
  local last_error = self.breaker:expired(now)
  if last_error and not self.is_ending then
    self:give_up(errors.new {
      kind = last_error.kind, code = last_error.code, status = last_error.status, retryable = true,
      message = ("the gateway has accepted no message for %.1f seconds: %s"):format(now - self.breaker.since,
        last_error.message),
    })
  end
  if options.on_progress and now - self.reported >= REPORT then self:report(now) end
end

function Run:report(now)
  self.reported = now
  local progress = self.count:read(now)
  progress.err = self.breaker:current()
  local ok, raised = pcall(self.options.on_progress, progress)
  if not ok then self:fail(raised) end
end

-- Seconds that the owner waits if nothing wakes it.
local function longest_wait(self, now)
  local can_fill = not self.is_exhausted and not self.is_ending and not self.breaker.since
  if can_fill and depth(self) <= self.low then return 0 end
  local left = BEAT
  if self.bucket and depth(self) > 0 then left = min(left, max(NOW, self.bucket:delay(now))) end
  local held = self.breaker:left(now)
  if held > 0 then left = min(left, max(NOW, held)) end
  return left
end

-- The loop of the owner.
local function drive(self)
  self.low = math.floor(self.batch / 2)
  while true do
    local now = clock()
    check_state(self, now)
    if not self.is_ending and not self.is_exhausted and depth(self) <= self.low and self.breaker:left(now) == 0 then
      fill(self)
    end
    start_workers(self)
    if self.journal then write_begun(self) end
    if self.active == 0 and (self.is_ending or self.is_exhausted and depth(self) == 0) then break end
    self.group:wait(longest_wait(self, clock()))
    reap_dead(self)
  end
  if self.journal and not self.is_ending and not self.raised then intake.report_uncertain(self) end
end

--- Closes the journal. Can be called again without effect.
function Run:finish()
  if self.is_finished then return end
  self.is_finished = true
  if not self.journal then return end
  local err = self.journal:close()
  if err then self:give_up(err) end
end

--- Runs to the end; in an event loop other coroutines run meanwhile.
---@param group waba.TaskGroup
function Run:drive(group)
  self.group, self.owner = group, coroutine.running()
  drive(self)
end

--- The result: a summary, or nil and an error. Raises again what a function of the caller raised.
---@return waba.BulkSummary|nil
---@return waba.Error?
function Run:outcome()
  local now = clock()
  if self.options.on_progress then self:report(now) end
  if self.raised then error(self.raised.value, 0) end
  local summary = self.count:summary(now)
  if self.err then
    self.err.summary = summary
    return nil, self.err
  end
  summary.stopped = self.is_stopped or nil
  return summary
end

return run
