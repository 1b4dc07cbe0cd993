-- One bulk run. The owner of a run is the coroutine that calls `drive`. The owner reads the source, writes the journal,
-- starts the workers (worker.lua), and reports the progress. Messages that wait for the journal at the same time are
-- written to the disk together.

local circuit_breakers = require "waba.bulk.circuit_breaker"
local figures = require "waba.bulk.figures"
local source_reader = require "waba.bulk.source_reader"
local workers = require "waba.bulk.worker"
local core = require "waba.core"
local buckets = require "waba.delivery.bucket"
local errors = require "waba.errors"

local clock = core.clock
local max, min = math.max, math.min

---@class waba.BulkRun
local Run = { __name = "waba.BulkRun" }
Run.__index = Run

local run = {}

-- BEAT: the longest time in seconds between two checks of the owner. REPORT: the shortest time in seconds between two
-- reports of progress.
local BEAT, REPORT = 0.25, 0.5
-- The largest number of messages that are read from the source at once. With the option `rate`, at most
-- as many messages are read as the rate allows in BATCH_TIME seconds.
local LARGEST_BATCH, BATCH_TIME = 64, 0.25
local CATCH_UP = 0.1 -- after a delay, the run may send at once what the rate allows in this number of seconds
local NOW = 0.001 -- the shortest sleep in seconds

-- Returns the token bucket for the option `rate`. The bucket begins with one token, so that the run does not begin with
-- a burst.
local function bucket_of(rate, now)
  local burst = max(1, math.floor(rate * CATCH_UP))
  local bucket = buckets.new { rate = rate, burst = burst }
  for _ = 2, burst do bucket:take(now) end
  return bucket
end

local PROCESSES = 8 -- the assumed number of processes that share a rate limiter with a store

-- Returns the largest number of messages in flight: the number that the client's rate limiter admits in half of the
-- timeout. The timeout includes the wait for the rate limiter. The other half of the timeout is for the response.
local function most_in_flight(client, options)
  local most, pace = options.concurrency, client.delivery.pace
  local limiter = pace and pace:queue("messages").limiter
  local interval = limiter and limiter.interval * (limiter.shared and PROCESSES or 1) or 0
  if interval == 0 then return most end
  return min(most, max(1, math.floor((options.timeout or client.timeout) / 2 / interval)))
end

function run.new(client, source, options, journal)
  local now, concurrency = clock(), most_in_flight(client, options)
  local batch = min(LARGEST_BATCH, concurrency)
  if options.rate then batch = max(1, min(batch, math.floor(options.rate * BATCH_TIME))) end
  options.send.bulk = true
  return setmetatable({
    client = client, source = source, options = options, journal = journal,
    concurrency = concurrency, batch = batch, position = 0,
    queue = {}, first = 1, last = 0, -- items from the source that are not yet in flight
    unwritten = {}, -- items that wait for their line "begun" in the journal
    workers = {}, active = 0,
    recipients = options.unique and {} or nil, -- the set of recipients of this run; nil without the option `unique`
    count = figures.new(options.total, now, options.suppress ~= nil), reported = now,
    bucket = options.rate and bucket_of(options.rate, now),
    breaker = circuit_breakers.new(client.delivery.retry.attempts > 1 and options.patience or 0),
  }, Run)
end

--- Returns the number of messages in the queue.
function Run:depth() return self.last - self.first + 1 end

--- Ends the run after the messages in flight.
function Run:stop() self.is_ending = true end

--- Ends the run. `Run:outcome` returns the first of all errors.
function Run:give_up(err)
  self.err = self.err or err
  self:stop()
end

--- Ends the run because a function of the caller has raised an error. `Run:outcome` raises the first error.
function Run:fail(raised)
  self.raised = self.raised or { value = raised }
  self:stop()
end

--- Ends reading the source, which has raised an error. `Run:outcome` raises the error after all queued messages were
--- sent.
function Run:end_source(raised)
  self.raised = self.raised or { value = raised }
  self.is_exhausted = true
end

--- Calls the option `on_result`.
function Run:notify(item, sent, err)
  if not self.options.on_result then return end
  local ok, raised = pcall(self.options.on_result, item.key, sent, err, item.to)
  if not ok then self:fail(raised) end
end

--- Counts a result, writes the result to the journal, and calls `on_result`. For an uncertain result, `on_result` is
--- called first. After a crash between the call and the writing, the next run calls `on_result` again.
function Run:settle(item, sent, err)
  local outcome = sent and "sent" or err.maybe_sent and "maybe_sent" or "failed"
  item.is_settled = true
  self.count:add(outcome)
  if outcome == "maybe_sent" then self:notify(item, sent, err) end
  if self.journal and not item.is_unwritten then
    local detail = sent and (sent.id or "-") or err.kind .. (err.code and " " .. err.code or "")
    self.journal:result(item, outcome == "maybe_sent" and "maybe" or outcome, detail)
    if self.journal.message then self:stop() end
  end
  if outcome ~= "maybe_sent" then self:notify(item, sent, err) end
end

--- Takes the next message from the queue, if a message may be sent now.
function Run:take(now)
  if self.is_ending or self.first > self.last or self.breaker:left(now) > 0 then return nil end
  if self.bucket and not self.bucket:try(now + NOW) then return nil end
  local item = self.queue[self.first]
  self.queue[self.first] = nil
  self.first = self.first + 1
  return item
end

--- Puts a message into the queue again, because the message was certainly not sent.
function Run:put_back(item)
  self.first = self.first - 1
  self.queue[self.first] = item
end

-- Writes the lines "begun" of all waiting messages to the journal together, and wakes the workers of these messages.
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

-- Calls the options `stop` and `on_progress`, and checks the circuit breaker.
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
      message = ("the gateway has accepted no message for %.1f seconds (option patience), so the run has ended: %s")
        :format(now - self.breaker.since, last_error.message),
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

-- Returns the longest time in seconds that the owner waits.
local function longest_wait(self, now)
  local can_fill = not self.is_exhausted and not self.is_ending and not self.breaker.since
  if can_fill and self:depth() <= self.low then return 0 end
  local left = BEAT
  if self.bucket and self:depth() > 0 then left = min(left, max(NOW, self.bucket:delay(now))) end
  local held = self.breaker:left(now)
  if held > 0 then left = min(left, max(NOW, held)) end
  return left
end

--- Sends all messages of the source.
function Run:drive(group)
  self.group, self.owner = group, coroutine.running()
  self.low = math.floor(self.batch / 2)
  while true do
    local now = clock()
    check_state(self, now)
    if not self.is_ending and not self.is_exhausted and self:depth() <= self.low and self.breaker:left(now) == 0 then
      for _, item in ipairs(source_reader.read(self, self.batch - self:depth())) do
        self.last = self.last + 1
        self.queue[self.last] = item
      end
    end
    workers.start(self)
    if self.journal then write_begun(self) end
    if self.active == 0 and (self.is_ending or self.is_exhausted and self:depth() == 0) then break end
    self.group:wait(longest_wait(self, clock()))
    workers.reap_dead(self)
  end
  if self.journal and not self.is_ending and not self.raised then source_reader.report_uncertain(self) end
end

--- Closes the journal. Further calls have no effect.
function Run:finish()
  if self.is_finished then return end
  self.is_finished = true
  if not self.journal then return end
  local err = self.journal:close()
  if err then self:give_up(err) end
end

--- Returns the summary, or nil and the error of `give_up`. Raises the error of `fail` or `end_source`.
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
