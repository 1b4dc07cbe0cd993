-- One bulk run. A single coroutine, the owner of the run, reads the source, writes the journal, starts workers
-- (worker.lua), waits and reports. Messages that wait for the journal at the same moment are written to the disk
-- together.

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
local Run = {}
Run.__index = Run
Run.__name = "waba.BulkRun"

local run = {}

-- BEAT: the longest time between two checks of the owner, in seconds. REPORT: the shortest time between two reports of
-- progress.
local BEAT, REPORT = 0.25, 0.5
-- The largest number of messages that are read from the source at once. With the option `rate`, only as many messages
-- are read as can be sent in BATCH_TIME seconds.
local LARGEST_BATCH, BATCH_TIME = 64, 0.25
-- After a delay, the run may at once send the messages that were due in the last CATCH_UP seconds.
local CATCH_UP = 0.1
-- The shortest sleep in seconds.
local NOW = 0.001

-- Returns the token bucket for the run's own rate. At the beginning the bucket has one token, so that the run does not
-- begin with a burst. Further tokens can only accumulate during a delay.
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

-- The number of processes that probably share a rate.
local PROCESSES = 8

-- Returns how many messages may be in flight. The timeout of a message includes its wait for the client's rate limiter.
-- So at most as many messages are in flight as the rate limiter admits in half of a timeout; the other half is for the
-- response. A rate that several processes share is divided among them.
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
  options.send.bulk = true
  return setmetatable({
    client = client, source = source, options = options, journal = journal,
    concurrency = concurrency, batch = batch_size(concurrency, options), position = 0,
    queue = {}, first = 1, last = 0, -- items that were read from the source and are not in flight
    unwritten = {}, -- items that wait for their line "begun" in the journal
    workers = {}, active = 0,
    recipients = options.unique and {} or nil, -- recipients of this run
    count = figures.new(options.total, now, options.suppress ~= nil), reported = now,
    bucket = options.rate and bucket_of(options.rate, now),
    breaker = circuit_breakers.new(client.delivery.retry.attempts > 1 and options.patience or 0),
  }, Run)
end

--- Returns the number of messages that were taken from the source and are not in flight.
---@return integer
function Run:depth()
  return self.last - self.first + 1
end

--- Ends the run: messages in flight are finished, and no other messages are sent.
function Run:stop()
  self.is_ending = true
end

--- Ends the run with an error, which the run returns. If there are several errors, the first one is returned.
---@param err waba.Error
function Run:give_up(err)
  self.err = self.err or err
  self:stop()
end

--- Ends the run because a function of the caller raised an error. At its end the run raises the error again.
function Run:fail(raised)
  self.raised = self.raised or { value = raised }
  self:stop()
end

--- Ends the run after the source has raised an error. The messages that the source has returned are sent, then the
--- error is raised again.
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

--- Passes a result to the caller.
---@param item table
---@param sent waba.Sent|nil
---@param err waba.Error|nil
function Run:notify(item, sent, err)
  if not self.options.on_result then return end
  local ok, raised = pcall(self.options.on_result, item.key, sent, err, item.to)
  if not ok then self:fail(raised) end
end

--- Counts a result, writes it to the journal, and passes it to the caller. An uncertain result is passed to the caller
--- before it is written to the journal, so that after a crash between these steps the next run passes the result again.
---@param item table
---@param sent waba.Sent|nil
---@param err waba.Error|nil
function Run:settle(item, sent, err)
  local outcome = sent and "sent" or err.maybe_sent and "maybe_sent" or "failed"
  item.is_settled = true
  self.count:add(outcome)
  if outcome == "maybe_sent" then
    self:notify(item, sent, err)
    write_result(self, item, outcome, sent, err)
  else
    write_result(self, item, outcome, sent, err)
    self:notify(item, sent, err)
  end
end

--- Takes the next message, if one may be sent now.
---@param now number
---@return table|nil item
function Run:take(now)
  if self.is_ending or self.first > self.last or self.breaker:left(now) > 0 then return nil end
  if self.bucket and not self.bucket:try(now + NOW) then return nil end
  local item = self.queue[self.first]
  self.queue[self.first] = nil
  self.first = self.first + 1
  return item
end

--- Puts a message that was certainly not sent back into the queue.
---@param item table
function Run:put_back(item)
  self.first = self.first - 1
  self.queue[self.first] = item
end

-- Writes the lines "begun" of all waiting messages to the journal in one write, and lets their workers send them.
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

-- Reads one batch from the source into the queue.
local function fill(self)
  local batch = source_reader.read(self, self.batch - self:depth())
  for _, item in ipairs(batch) do
    self.last = self.last + 1
    self.queue[self.last] = item
  end
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

-- Returns the seconds that the owner waits if nothing wakes it.
local function longest_wait(self, now)
  local can_fill = not self.is_exhausted and not self.is_ending and not self.breaker.since
  if can_fill and self:depth() <= self.low then return 0 end
  local left = BEAT
  if self.bucket and self:depth() > 0 then left = min(left, max(NOW, self.bucket:delay(now))) end
  local held = self.breaker:left(now)
  if held > 0 then left = min(left, max(NOW, held)) end
  return left
end

--- Runs to the end, while other coroutines of the event loop run.
---@param group waba.TaskGroup
function Run:drive(group)
  self.group, self.owner = group, coroutine.running()
  self.low = math.floor(self.batch / 2)
  while true do
    local now = clock()
    check_state(self, now)
    if not self.is_ending and not self.is_exhausted and self:depth() <= self.low and self.breaker:left(now) == 0 then
      fill(self)
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

--- Returns the result: a summary, or nil and an error. If a function of the caller raised an error, raises it again.
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
