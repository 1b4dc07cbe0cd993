-- Sends the messages of an outbox. Before a message can leave, the sender marks its entry in the store; afterwards it
-- stores the result. If an entry has a mark and no result, its message may have been sent. Such a message is not sent
-- again. On Cloud hosting the message contains the id of its entry, and a status with this id proves that the platform
-- has accepted the message.

local callback_data = require "waba.hosting.callback_data"
local of_number = require "waba.client.of_number"
local core = require "waba.core"
local entries = require "waba.outbox.entry"
local errors = require "waba.errors"
local option = require "waba.option"
local printable = require "waba.printable"
local queues = require "waba.sender.queue"
local runtime = require "waba.runtime"
local work = require "waba.inbox.work"
local writers = require "waba.sender.writer"

---@class waba.Sender
local Sender = {}
Sender.__index = Sender
Sender.__name = "waba.Sender"

local sender = {}

--- The options of `waba.sender`.
---@options waba.SenderOptions
local OPTIONS = {
  outbox = "waba.Outbox",            -- required
  client = "waba.Client|waba.Clients|table<string, waba.Client>|fun(entry: waba.OutboxEntry): waba.Client|nil",
                                     -- required: one client; or a table of clients by number or phone_number_id; or a
                                     -- function that returns the client of an entry, and may wait; or what waba.clients
                                     -- returns
  receiver = "waba.Receiver",        -- the receiver whose statuses, if this process handles them, prove that messages
                                     -- were accepted (Cloud hosting; see `outbox:watch`)
  suppress = "waba.Receiver",        -- a receiver with records of customers who want no marketing messages. Templates
                                     -- for marketing are not sent to them: the result is an error of kind "blocked". A
                                     -- template is for marketing if the client has its definition and the category is
                                     -- marketing, or if its entry has the option `marketing`
  settle = { "number>=0", 600 },     -- seconds to wait for such a status if the result of a message is uncertain
                                     -- (Cloud hosting; at most the option `keep` of the outbox)
  resend = { "boolean", false },     -- true: sends a message again, once, if no such status has come after this time.
                                     -- The recipient may then get the message twice
  on_result = "fun(entry: waba.OutboxEntry, sent: waba.Sent|nil, err: waba.Error|nil)", -- called when a result is
                                     -- stored; `entry` has `id`, `key`, `to` and `number`. If the error has
                                     -- `maybe_sent`, the result stays uncertain. If the process ends during the call,
                                     -- the function is called again for the same result
}

-- Seconds between two attempts to store a result that the store refuses.
local AGAIN = 0.25
-- Kinds of errors that may not occur again later, although an immediate retry would fail.
local TEMPORARY = { auth = true, cancelled = true, unavailable = true }

-- Results -----------------------------------------------------------------------------------------

local function state_of(held, name, more)
  local entry = held.entry
  held.times[name] = os.time()
  local state = {
    id = entry.id, state = name, to = entry.to, number = entry.number, key = entry.key, times = held.times,
    resent = entry.resent,
  }
  for field, value in pairs(more or {}) do state[field] = value end
  return state
end

local function state_record(self, held, name, more)
  return self.outbox:record("state:" .. held.entry.id, state_of(held, name, more))
end

-- Stores a change of an entry. While the store refuses it, tries again for the length of a lease.
local function write(self, held, change)
  change.lease = held.lease
  local deadline = core.clock() + held.seconds
  while true do
    local ok, err = self.writer:write(change)
    if ok then
      held.is_settled = true
      return true
    end
    if core.clock() > deadline then return nil, err end
    self.writer:sleep(AGAIN)
  end
end

local function report(self, entry, sent, err)
  local name = sent and "sent" or err.maybe_sent and "uncertain" or "failed"
  self.counts[name] = self.counts[name] + 1
  if not self.on_result then return end
  local ok, raised = runtime.protect(self.on_result, entry, sent, err)
  if not ok then io.stderr:write("waba: on_result failed: ", printable.text(raised), "\n") end
end

-- Stores the final result of an entry, and reports it to `on_result`. Returns it.
local function finish(self, held, state, sent, err)
  local records = self.outbox:final_records(held.entry, state)
  if sent and sent.id and not held.is_traced then
    records[#records + 1] = { name = "message:" .. sent.id, value = held.entry.id, seconds = self.outbox.keep }
  end
  local ok, failure = write(self, held, { done = "always", records = records })
  report(self, held.entry, sent, err)
  if not ok then return false, failure end
  return sent ~= nil, err
end

local function finish_sent(self, held, sent)
  return finish(self, held, state_of(held, "sent", { message_id = sent.id, wa_id = sent.wa_id }), sent)
end

-- `name`: "failed" or "uncertain".
local function finish_as(self, held, name, err)
  return finish(self, held, state_of(held, name, { error = entries.plain_error(err) }), nil, err)
end

-- Lets the entry wait for a status that proves that its message was accepted. If the hosting has no such statuses,
-- the result is final.
local function await_status(self, held, err)
  local entry = held.entry
  if not held.is_traced then return finish_as(self, held, "uncertain", err) end
  local body = {}
  for name, value in pairs(entry) do body[name] = value end
  body.is_uncertain = true
  local ok, failure = write(self, held, {
    later = self.settle, body = core.encode(body),
    records = { state_record(self, held, "uncertain", { error = entries.plain_error(err), traced = true }) },
  })
  if not ok then return false, failure end
  -- the status may have come before the state was stored
  if self.outbox:read("status:" .. entry.id) then self.outbox.store:hasten(entry.id) end
  return false, err
end

-- Returns the seconds until the next attempt.
local function delay_of(self, attempts, err)
  local retry = self.outbox.retry
  local delay = math.min(retry.max, retry.base * 2 ^ math.min(attempts - 1, 40)) * (0.5 + core.random() / 2)
  return math.max(delay, err.retry_after or 0)
end

-- Returns the record with the state that the entry had before it was marked.
local function record_before(held)
  return { name = "state:" .. held.entry.id, value = held.before and core.encode(held.before) }
end

-- Stores that a message was certainly not sent: the entry is tried again later, or has failed.
local function put_back(self, held, err)
  local attempts = held.lease.attempts
  local is_temporary = err.retryable or TEMPORARY[err.kind] or err.path == "number"
  if not is_temporary or attempts >= self.outbox.retry.attempts then
    if held.before then return finish_as(self, held, "uncertain", errors.new(held.before.error)) end
    return finish_as(self, held, "failed", err)
  end
  local change = { delay = delay_of(self, attempts, err), reason = tostring(err) }
  if held.is_marked then change.records = { record_before(held) } end
  local ok, failure = write(self, held, change)
  return false, not ok and failure or err
end

-- Sending -----------------------------------------------------------------------------------------

local function lease_lost()
  return errors.new { kind = "timeout", path = "lease", message = "the lease of the entry expired before it was sent" }
end

-- Marks the entry: its message may be sent from now on.
local function mark(self, held)
  if held.is_marked then return true end
  local record = state_record(self, held, "sending", { traced = held.is_traced })
  local change = { lease = held.lease, extend = held.seconds, records = { record } }
  local ok, err = self.writer:write(change, true)
  if not ok then return nil, err end
  if change.lost then
    held.is_settled = true
    return nil, lease_lost()
  end
  held.is_marked = true
  return true
end

-- Removes the mark: the message has not left.
local function unmark(self, held)
  local change = { lease = held.lease, extend = held.seconds, records = { record_before(held) } }
  if self.writer:write(change) then held.is_marked = false end
end

local function options_of(self, held)
  local entry, send_options = held.entry, {}
  for name, value in pairs(entry.options or {}) do send_options[name] = value end
  send_options.bulk = entry.bulk
  if held.is_traced then send_options.data = callback_data.join(entry.id, send_options.data) end
  send_options.before_attempt = function() return mark(self, held) end
  send_options.before_retry = function() return unmark(self, held) end
  return send_options
end

local function address_of(entry)
  if entry.form == "user" then return { user_id = entry.to } end
  if entry.form == "group" then return { group_id = entry.to } end
  return entry.to
end

-- Returns whether statuses of the client's messages contain the data that was sent with a message.
local function is_traced(self, client)
  local hosting = type(client.hosting) == "table" and client.hosting.name or self.outbox.hosting
  return hosting == "cloud" or nil
end

local function deliver(self, held, client)
  if client.closed then
    return put_back(self, held, errors.new { kind = "cancelled", message = "the client is closed" })
  end
  local entry = held.entry
  if self.suppress then
    local is_allowed, err = require("waba.client.suppression").check(self.suppress, client, address_of(entry),
      entry.message, entry.options and entry.options.marketing and true or nil, entry.number)
    if not is_allowed then return put_back(self, held, err) end
  end
  held.is_traced = is_traced(self, client)
  local ok, sent, err = runtime.protect(client.send, client, address_of(entry), entry.message, options_of(self, held))
  if not ok then
    sent, err = nil, errors.new {
      kind = "cancelled", maybe_sent = held.is_marked, message = "client:send raised an error: " .. tostring(sent),
    }
  end
  if sent then return finish_sent(self, held, sent) end
  if held.is_settled then return false, err end -- the lease has expired
  if err.maybe_sent then return await_status(self, held, err) end
  return put_back(self, held, err)
end

local function send(self, held)
  local ok, client, second = runtime.protect(self.client_of, held.entry)
  if not ok then client, second = nil, errors.new { kind = "cancelled", message = tostring(client) } end
  if not client then return put_back(self, held, second) end
  local sent, err = deliver(self, held, client)
  if second then second() end
  return sent, err
end

-- Entries that were taken before ------------------------------------------------------------------

local function died()
  return errors.new {
    kind = "cancelled", maybe_sent = true, message = "a sender ended before the response to this message",
  }
end

-- Decides about an entry with an uncertain result: a status has come, or the time for a status is over.
local function decide(self, held, state)
  local entry = held.entry
  local status, err = self.outbox:read("status:" .. entry.id)
  if err then return put_back(self, held, err) end
  if status then return finish_sent(self, held, { id = status.message_id, input = entry.to }) end
  if not self.resend or state.resent then return finish_as(self, held, "uncertain", errors.new(state.error)) end
  entry.resent, self.counts.resent, held.before = true, self.counts.resent + 1, state
  return send(self, held)
end

-- Continues with an entry that this or another sender has taken before.
local function continue(self, held)
  local entry = held.entry
  local state, err = self.outbox:read("state:" .. entry.id)
  if err then return put_back(self, held, err) end
  if not state then return send(self, held) end
  held.times, entry.resent, held.is_traced = state.times, state.resent, state.traced
  if state.state == "uncertain" then return decide(self, held, state) end
  if state.state ~= "sending" then return write(self, held, { done = "always" }) or false end
  if held.is_traced and self.outbox:read("status:" .. entry.id) then return decide(self, held, state) end
  return await_status(self, held, died())
end

local function process(self, entry)
  local held = self.inbox.held[entry]
  held.times = { stored = entry.stored, at = entry.at }
  if held.lease.attempts == 1 and not entry.is_uncertain then return send(self, held) end
  return continue(self, held)
end

-- The sender --------------------------------------------------------------------------------------

--- How a sender works; the options are those of `receiver:work`.
---@options waba.SenderWorkOptions : waba.WorkOptions
local WORK_OPTIONS = option.with(work.OPTIONS, {
  concurrency = { "integer>=1", 16 }, -- the largest number of messages that are in flight at once. If it is above 1,
                                      -- they are sent in the event loop of the caller, or else in a new one
                                      -- (`waba.run`)
  batch = { "integer>=1", 64 },       -- the largest number of entries that are taken at once, each for another
                                      -- recipient
})

--- Lets the sender take entries now. `outbox:put` calls this for the senders of its own process.
function Sender:wake()
  for running in pairs(self.works) do running:wake() end
end

--- Takes entries from the outbox and sends them. Messages to one recipient are sent one after the other, in their
--- order. Returns when no entry is due and all messages in flight have a result; with `forever` it returns when `stop`
--- returns true. Several coroutines and processes may call this function at once.
---@param options? waba.SenderWorkOptions
---@return integer|nil sent   nil if the outbox can't be read, or if the coroutine can't wait
---@return integer|waba.Error failed  the number of all other results, including attempts that are repeated later; or
---        the error
---@return any err            the last one
function Sender:work(options)
  local own = work.new(self, option.complete(options, WORK_OPTIONS, "sender:work"))
  self.works[own] = true
  local ok, err = own:run()
  self.works[own] = nil
  if not ok then return nil, err end
  return own.handled, own.failed, own.raised
end

--- The figures of a sender.
---@class waba.SenderStats
---@field waiting integer?    entries of the outbox that wait or are being sent, by any sender; nil: the outbox can't be read
---@field oldest number?      Unix seconds at which the oldest entry was stored
---@field active integer      messages that this sender is sending
---@field sent integer        results of this sender since it was made, as the next fields
---@field failed integer
---@field uncertain integer
---@field resent integer      messages that were sent again because of the option `resend`

---@return waba.SenderStats
function Sender:stats()
  local stats = { waiting = self.outbox:depth(), oldest = self.outbox:oldest(), active = self.writer.active }
  for name, count in pairs(self.counts) do stats[name] = count end
  return stats
end

local function check(options)
  options = option.complete(options, OPTIONS, "waba.sender", 3)
  if not options.outbox or not options.outbox.store then
    error("waba.sender: option outbox is required: an outbox, as of waba.outbox.sqlite", 3)
  end
  if not options.client then error("waba.sender: option client is required", 3) end
  if options.settle > options.outbox.keep then
    local message = "waba.sender: option settle must be at most the option keep of the outbox, %g"
    error(message:format(options.outbox.keep), 3)
  end
  return options
end

--- Makes a sender. The sender sends nothing before its `work` is called.
---@param options waba.SenderOptions
---@return waba.Sender
function sender.new(options)
  options = check(options)
  runtime.preload()
  local transport = of_number.transport(options.client)
  local found, client_of = pcall(of_number.finder, options.client, "waba.sender")
  if not found then error(client_of, 2) end
  local self = setmetatable({
    outbox = options.outbox, client_of = client_of, transport = transport, settle = options.settle,
    resend = options.resend, suppress = options.suppress, on_result = options.on_result,
    inbox = queues.new(options.outbox.store),
    writer = writers.new(options.outbox.store, transport), works = setmetatable({}, { __mode = "k" }),
    counts = { sent = 0, failed = 0, uncertain = 0, resent = 0 },
  }, Sender)
  function self.dispatch(entry)
    self.writer.active = self.writer.active + 1
    local ok, sent, err = runtime.protect(process, self, entry)
    self.writer.active = self.writer.active - 1
    if not ok then return false, sent end
    return sent, err
  end
  options.outbox.senders[self] = true
  if options.receiver then options.outbox:watch(options.receiver) end
  return self
end

return sender
