-- One bulk run. The owner of a run is the coroutine that calls `drive`. The owner reads the source, writes the journal,
-- starts the workers (worker.lua), and reports the progress. Messages that wait for the journal at the same time are
-- written to the disk together.

local circuit_breakers = require "waba.bulk.circuit_breaker"
local figures = require "waba.bulk.figures"
local escape = require("waba.bulk.keys").escape
local source_reader = require "waba.bulk.source_reader"
local workers = require "waba.bulk.worker"
local sending = require "waba.client.sending"
local core = require "waba.core"
local coroutines = require "waba.coroutines"
local buckets = require "waba.delivery.bucket"
local errors = require "waba.errors"

local clock = core.clock
local floor, max, min = math.floor, math.max, math.min

---@class waba.BulkRun
local Run = { __name = "waba.BulkRun" }
Run.__index = Run

local run = {}

-- BEAT: the longest time in seconds for which the owner waits before checking the run again. REPORT: the shortest time
-- in seconds between two calls of `on_progress`.
local BEAT, REPORT = 0.25, 0.5
-- The largest number of messages that are read from the source at once. With the option `rate`, at most
-- as many messages are read as the rate allows in BATCH_TIME seconds.
local LARGEST_BATCH, BATCH_TIME = 64, 0.25
local CATCH_UP = 0.1 -- after a delay, the run may send at once what the rate allows in this number of seconds
local NOW = 0.001 -- the shortest sleep in seconds

-- Returns the token bucket for the option `rate`. The bucket begins with one token, so that the run does not begin with
-- a burst.
local function bucket_of(rate, now)
  local burst = max(1, floor(rate * CATCH_UP))
  local bucket = buckets.new { rate = rate, burst = burst }
  for _ = 2, burst do bucket:take(now) end
  return bucket
end

local PROCESSES = 8 -- the assumed number of processes that share a rate limiter with a store

-- Returns the largest number of messages in flight: at most the number that the client's rate limiter admits in half of
-- the timeout. The timeout of a message includes the wait for the rate limiter, and half of the timeout must remain for
-- the response.
local function most_in_flight(client, options)
  local most, pace = options.concurrency, client.delivery.pace
  local limiter = pace and pace:queue("messages").limiter
  local interval = limiter and limiter.interval * (limiter.shared and PROCESSES or 1) or 0
  if interval == 0 then return most end
  return min(most, max(1, floor((options.timeout or client.timeout) / 2 / interval)))
end

function run.new(client, source, options, journal)
  local now, concurrency = clock(), most_in_flight(client, options)
  local batch = min(LARGEST_BATCH, concurrency)
  if options.rate then batch = max(1, min(batch, floor(options.rate * BATCH_TIME))) end
  options.send.bulk = true
  sending.mark_checked(options.send)
  return setmetatable({
    client = client, source = source, options = options, journal = journal,
    concurrency = concurrency, batch = batch, low = floor(batch / 2), position = 0,
    queue = {}, first = 1, -- items from the source that are not yet in flight; the next item has the index `first`
    further = {}, -- the items after those of `queue`
    unwritten = {}, -- workers whose message waits for its line "begun" in the journal
    workers = {}, active = 0, reap_at = now + BEAT,
    recipients = options.unique and {} or nil, -- the set of recipients of this run; nil without the option `unique`
    count = figures.new(options.total, now, options.suppress ~= nil), reported = now,
    bucket = options.rate and bucket_of(options.rate, now),
    breaker = circuit_breakers.new(client.delivery.retry.attempts > 1 and options.patience or 0),
  }, Run)
end

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

--- Calls the option `on_result`, which must be set.
function Run:notify(item, sent, err)
  local ok, raised = pcall(self.options.on_result, item.key, sent, err, item.to)
  if not ok then self:fail(raised) end
end

local function result_of(sent, err)
  if sent then return "sent", sent.id and escape(sent.id) or "-" end
  return err.maybe_sent and "maybe" or "failed", err.kind .. (err.code and " " .. err.code or "")
end

--- Counts a result, writes the result to the journal, and calls `on_result`. An uncertain result is written only after
--- `on_result` has returned, so that after a crash during the call the next run calls `on_result` again. Without
--- `on_result`, the result is written together with the results of other workers.
function Run:settle(item, sent, err)
  local count, on_result = self.count, self.options.on_result
  local outcome = sent and "sent" or err.maybe_sent and "maybe_sent" or "failed"
  count[outcome] = count[outcome] + 1
  if on_result and outcome == "maybe_sent" then self:notify(item, sent, err) end
  if item.word then
    self.journal:result(item, result_of(sent, err))
    if on_result then self:write() else self:request_commit() end
  end
  if on_result and outcome ~= "maybe_sent" then self:notify(item, sent, err) end
end

--- Takes the next message from the queue; returns nil if no message may be sent now. `in_flight` is the number of
--- messages in flight.
function Run:take(in_flight)
  local first, breaker, bucket = self.first, self.breaker, self.bucket
  local item = self.queue[first]
  if not item or self.is_ending then return nil end
  if breaker.since and not breaker:admits(in_flight, clock()) then return nil end
  if bucket and not bucket:try(clock() + NOW) then return nil end
  first = first + 1
  self.queue[first - 1], self.first = false, first
  if not self.further[1] and not self.queue[first + self.low] then self.group:wake() end
  if not self.queue[first] then self.queue, self.first, self.further = self.further, 1, {} end
  return item
end

--- Puts a message into the queue again, because the message was certainly not sent.
function Run:put_back(item)
  self.first = self.first - 1
  self.queue[self.first] = item
end

--- Writes the buffered lines of the journal.
function Run:write()
  if not self.is_finished and not self.journal:write() then self:stop() end
end

--- Writes the buffered lines of the journal, and the lines "begun" of all waiting workers, to the disk together. Wakes
--- these workers.
function Run:commit()
  local journal, unwritten = self.journal, self.unwritten
  if self.is_finished or #unwritten == 0 then return self:write() end
  self.unwritten = {}
  local waiting = {}
  for i = 1, #unwritten do
    local worker = unwritten[i]
    if worker.is_waiting then waiting[#waiting + 1] = worker end
  end
  if #waiting == 0 then return self:write() end -- these workers' waits have raised errors
  local is_written = not journal.message and journal:begin(waiting) or false
  if not is_written then self:stop() end
  for i = 1, #waiting do
    local worker = waiting[i]
    worker.is_waiting, worker.is_begun = false, is_written
    worker.waiter:wake()
  end
end

--- Wakes the owner, which then calls `commit` once for all workers that are ready. While the owner runs a function of
--- the caller, which may wait for long, calls `commit` at once. If the owner has ended, no further message may be sent.
function Run:request_commit()
  if self.is_in_callback and not coroutines.is_dead(self.owner) then self:commit() else self.group:wake() end
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

-- Returns whether the next messages must be read from the source, because there are few messages in the queue.
local function needs_items(self, now)
  return not (self.is_ending or self.is_exhausted or self.further[1] or self.queue[self.first + self.low]
    or self.breaker:left(now) > 0)
end

local function read_items(self)
  local items = source_reader.read(self, self.queue[self.first] and self.batch - self.low or self.batch)
  if self.queue[self.first] then self.further = items else self.queue, self.first = items, 1 end
end

-- Returns the number of seconds after which the owner must check the run again.
local function longest_wait(self, now)
  if needs_items(self, now) then return 0 end
  local left = BEAT
  if self.bucket and self.queue[self.first] then left = min(left, max(NOW, self.bucket:delay(now))) end
  local held = self.breaker:left(now)
  if held > 0 then left = min(left, max(NOW, held)) end
  return left
end

--- Sends all messages of the source.
function Run:drive(group)
  self.group, self.owner = group, coroutine.running()
  while true do
    local now = clock()
    if now >= self.reap_at then
      self.reap_at = now + BEAT
      workers.reap_dead(self)
    end
    self.is_in_callback = true
    check_state(self, now)
    if needs_items(self, now) then read_items(self) end
    self.is_in_callback = false
    workers.start(self)
    if self.active == 0 and (self.is_ending or self.is_exhausted and not self.queue[self.first]) then break end
    group:wait(longest_wait(self, clock()))
    if self.journal then self:commit() end
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
