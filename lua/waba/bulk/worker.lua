-- The workers of a bulk run. Each worker sends messages one after the other, until no message is ready. With a journal,
-- a worker waits before each request until the owner of the run (run.lua) has written the message to the journal.

local core = require "waba.core"
local coroutines = require "waba.coroutines"
local errors = require "waba.errors"
local sending = require "waba.client.sending"
local source_reader = require "waba.bulk.source_reader"
local suppression = require "waba.client.suppression"
local waiters = require "waba.transport.waiter"

local clock, guard = core.clock, coroutines.pcall

local workers = {}

-- While a worker waits for the journal: the seconds between two checks whether the run has ended.
local BEAT = 0.25

-- Returns the error of a message for which `send` has raised an error. With a journal, the request was certainly not
-- sent if the journal has no line "begun" for the message.
local function raised_error(run, worker, raised)
  worker.is_waiting = false
  return errors.new {
    kind = "cancelled", maybe_sent = not run.journal or worker.may_be_sent,
    message = "sending the message raised an error: " .. coroutines.text_of(raised),
  }
end

local function abandon(run, item)
  run:put_back(item)
  run:give_up(errors.new { kind = "cancelled", message = "the client was closed before the message was sent" })
end

-- Writes to the journal that a message was certainly not sent, if the journal has its line "begun".
local function withdraw(run, worker)
  if not worker.is_begun then return end
  worker.is_begun, worker.may_be_sent = false, false
  run.journal:withdraw(worker.item)
  run:request_commit()
end

-- Waits until the line "begun" of the worker's message is in the journal. Returns true, or nil and an error if the
-- journal can't be written or the run ends.
local function begin(run, worker)
  worker.is_waiting, worker.is_begun = true, false
  run.unwritten[#run.unwritten + 1] = worker
  run:request_commit()
  while worker.is_waiting do
    worker.waiter:wait(BEAT)
    if worker.is_waiting then worker.is_waiting = not run.is_finished and not coroutines.is_dead(run.owner) end
  end
  worker.may_be_sent = worker.is_begun
  if worker.is_begun then return true end
  return nil, errors.new {
    kind = "cancelled", path = "journal", message = "the message was not sent: the journal can't be written",
  }
end

-- Returns the options of `client:send`. With a journal, the option `before_attempt` writes the line "begun" immediately
-- before the request, and both functions also call the functions that the caller of the run has set.
local function options_of(run, worker)
  local send = run.options.send
  if not run.journal then return send end
  worker.waiter = waiters.of(run.client.transport)
  local options = {}
  for name, value in pairs(send) do options[name] = value end
  function options.before_attempt(call)
    if send.before_attempt then
      local ready, err = send.before_attempt(call)
      if not ready then return nil, err end
    end
    return begin(run, worker)
  end
  function options.before_retry(err, call)
    withdraw(run, worker)
    if send.before_retry then send.before_retry(err, call) end
  end
  return sending.mark_checked(options)
end

-- Returns true if the item must not be sent. If its recipient wants no marketing messages, calls `on_result` with an
-- error. If the receiver's store can't be read, ends the run.
local function is_suppressed(run, worker, item)
  local is_allowed, err = source_reader.check(run, item)
  if is_allowed then return false end
  if err.path == "suppress" then
    worker.is_settled = true
    if run.options.on_result then run:notify(item, nil, err) end
  else
    run:put_back(item)
    run:give_up(err)
  end
  return true
end

-- Settles a message that was not accepted, or puts the message back into the queue.
local function settle_error(run, worker, item, err)
  local is_certain = not err.maybe_sent
  if is_certain and err.path == "journal" then
    if not run.is_finished then run.journal:withdraw(item) end
    run:stop()
    return run:put_back(item)
  end
  if is_certain and err.kind == "cancelled" and run.client.closed then
    withdraw(run, worker)
    return abandon(run, item)
  end
  if is_certain and err.path == "proxy" then -- the proxy refuses every connection
    withdraw(run, worker)
    run:put_back(item)
    return run:give_up(err)
  end
  if run.breaker:record(err, clock()) then
    withdraw(run, worker)
    return run:put_back(item)
  end
  worker.is_settled = true
  run:settle(item, nil, err)
end

local function process(run, worker)
  local client, options, item = run.client, run.options, worker.item
  if client.closed then return abandon(run, item) end
  if options.suppress and is_suppressed(run, worker, item) then return end
  local ok, sent, err = guard(client.send, client, item.to, item.message, worker.options)
  if ok and sent then
    run.breaker:record()
    worker.is_settled = true
    return run:settle(item, sent)
  elseif not ok then
    run:fail(sent)
    err = raised_error(run, worker, sent)
  end
  if options.suppress then suppression.note(options.suppress, client, item.to, err, options.number) end
  settle_error(run, worker, item, err)
end

local function work(run, worker)
  worker.thread, worker.options = coroutine.running(), options_of(run, worker)
  repeat
    worker.is_begun, worker.may_be_sent, worker.is_settled = false, false, false
    process(run, worker)
    worker.item = run:take(run.active - 1)
  until not worker.item
  if run.journal and coroutines.is_dead(run.owner) then run:write() end -- the owner can't write the last results
  run.workers[worker] = nil
  run.active = run.active - 1
  run.group:wake()
end

--- Starts workers for the messages that may be sent.
function workers.start(run)
  while run.active < run.concurrency do
    local worker = { item = run:take(run.active) }
    if not worker.item then return end
    run.active = run.active + 1
    run.workers[worker] = true
    run.group:start(function() work(run, worker) end)
  end
end

--- Removes the workers whose coroutine the event loop has ended. If the message of a worker may have been sent, its
--- result is uncertain; otherwise the message is put back into the queue.
function workers.reap_dead(run)
  for worker in pairs(run.workers) do
    if worker.thread and coroutines.is_dead(worker.thread) then
      run.workers[worker] = nil
      run.active = run.active - 1
      if worker.item and not worker.is_settled then
        local err = raised_error(run, worker, "the coroutine that sent the message was ended")
        if err.maybe_sent then
          run:settle(worker.item, nil, err)
        else
          withdraw(run, worker)
          run:put_back(worker.item)
        end
      end
    end
  end
end

return workers
