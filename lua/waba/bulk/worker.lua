-- The workers of a bulk run. Each worker sends messages one after the other, until no message is ready. With a journal,
-- a worker waits before each request until the owner of the run (run.lua) has written the message to the journal.

local core = require "waba.core"
local coroutines = require "waba.coroutines"
local errors = require "waba.errors"
local source_reader = require "waba.bulk.source_reader"
local suppression = require "waba.client.suppression"
local waiters = require "waba.transport.waiter"

local clock, guard = core.clock, coroutines.pcall

local workers = {}

-- While a worker waits for the journal: the seconds between two checks whether the run has ended.
local BEAT = 0.25

-- Returns the error of a message for which `send` has raised an error. With a journal, the request was certainly not
-- sent if there is no line "begun".
local function raised_error(run, item, raised)
  item.waiter = nil
  return errors.new {
    kind = "cancelled", maybe_sent = not run.journal or item.is_begun == true,
    message = "sending the message raised an error: " .. coroutines.text_of(raised),
  }
end

local function abandon(run, item)
  run:put_back(item)
  run:give_up(errors.new { kind = "cancelled", message = "the client was closed before the message was sent" })
end

-- Writes to the journal that a message with a line "begun" was certainly not sent.
local function withdraw(run, item)
  if not item.is_begun then return end
  item.is_begun = false
  run.journal:withdraw { item }
end

-- Waits until the owner of the run has written the line "begun" of an item to the journal. Returns true, or nil and an
-- error if the journal can't be written or the run ends.
local function begin(run, worker)
  local item = worker.item
  run.unwritten[#run.unwritten + 1] = item
  item.waiter, item.is_begun = worker.waiter, nil
  run.group:wake()
  repeat
    item.waiter:wait(BEAT)
  until item.is_begun ~= nil or run.is_finished or coroutines.is_dead(run.owner)
  item.waiter = nil
  if item.is_begun then return true end
  return nil, errors.new {
    kind = "cancelled", path = "journal", message = "the message was not sent: the journal can't be written",
  }
end

-- Returns the options of `client:send`. With a journal, the option `before_attempt` writes the line "begun" immediately
-- before the request.
local function options_of(run, worker)
  if not run.journal then return run.options.send end
  if worker.options then return worker.options end
  worker.waiter = waiters.of(run.client.transport)
  worker.options = {
    before_attempt = function() return begin(run, worker) end,
    before_retry = function() withdraw(run, worker.item) end,
  }
  for name, value in pairs(run.options.send) do worker.options[name] = value end
  return worker.options
end

-- Returns whether the item must not be sent, because its recipient wants no marketing messages, or because the
-- receiver's store can't be read. Reports the reason.
local function is_suppressed(run, item)
  local is_allowed, err = source_reader.check(run, item)
  if is_allowed then return false end
  if err.path == "suppress" then
    item.is_settled = true
    run:notify(item, nil, err)
  else
    run:put_back(item)
    run:give_up(err)
  end
  return true
end

local function process(run, worker)
  local item = worker.item
  if run.client.closed then return abandon(run, item) end
  if is_suppressed(run, item) then return end
  local ok, sent, err = guard(run.client.send, run.client, item.to, item.message, options_of(run, worker))
  if not ok then
    run:fail(sent)
    sent, err = nil, raised_error(run, item, sent)
  end
  if err and run.options.suppress then
    suppression.note(run.options.suppress, run.client, item.to, err, run.options.number)
  end
  local is_certain = err and not err.maybe_sent
  if is_certain and err.path == "journal" then
    if not run.is_finished then run.journal:withdraw { item } end
    run:stop()
    return run:put_back(item)
  end
  if is_certain and err.kind == "cancelled" and run.client.closed then
    withdraw(run, item)
    return abandon(run, item)
  end
  if is_certain and err.path == "proxy" then -- the proxy refuses every connection
    withdraw(run, item)
    run:put_back(item)
    return run:give_up(err)
  end
  if run.breaker:record(err, clock()) then
    withdraw(run, item)
    return run:put_back(item)
  end
  run:settle(item, sent, err)
end

local function work(run, worker)
  worker.thread = coroutine.running()
  while worker.item do
    process(run, worker)
    local now = clock()
    worker.item = run.active <= run.breaker:limit(run.concurrency) and run:take(now) or nil
    if worker.item and run:depth() == run.low then run.group:wake() end
  end
  run.workers[worker] = nil
  run.active = run.active - 1
  run.group:wake()
end

--- Starts workers for the messages that may be sent.
function workers.start(run)
  local limit = run.breaker:limit(run.concurrency)
  while run.active < limit do
    local worker = { item = run:take(clock()) }
    if not worker.item then return end
    run.active = run.active + 1
    run.workers[worker] = true
    run.group:start(function() work(run, worker) end)
  end
end

--- Removes the workers whose coroutine the event loop has ended. Reports an uncertain result for a message that may
--- have been sent, and puts other messages back into the queue.
function workers.reap_dead(run)
  for worker in pairs(run.workers) do
    if worker.thread and coroutines.is_dead(worker.thread) then
      run.workers[worker] = nil
      run.active = run.active - 1
      local item = worker.item
      if item and not item.is_settled then
        local err = raised_error(run, item, "the coroutine that sent the message was ended")
        if err.maybe_sent then run:settle(item, nil, err) else run:put_back(item) end
      end
    end
  end
end

return workers
