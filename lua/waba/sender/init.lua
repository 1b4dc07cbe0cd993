-- Sends the messages of an outbox. Before a message is sent, the lease of its entry gets a mark in the store. After the
-- send, the result is stored. If an entry has a mark and no result, its message may have been sent, and is not sent
-- again. On Cloud hosting, a status with the id of the entry proves that the platform has accepted the message.

local coroutines = require "waba.coroutines"
local callback_data = require "waba.hosting.callback_data"
local encoded = require "waba.client.encoded"
local of_number = require "waba.client.of_number"
local core = require "waba.core"
local entries = require "waba.outbox.entry"
local errors = require "waba.errors"
local option = require "waba.option"
local queues = require "waba.sender.queue"
local results = require "waba.sender.results"
local runtime = require "waba.runtime"
local version = require "waba.version"
local work = require "waba.inbox.work"
local writers = require "waba.sender.writer"

---@class waba.Sender
local Sender = {}
Sender.__index = Sender
Sender.__name = "waba.Sender"

local sender = {}

---@options waba.SenderOptions
local OPTIONS = {
  outbox = "waba.Outbox",            -- required
  client = "waba.Client|waba.Clients|table<string, waba.Client>|fun(entry: waba.OutboxEntry): waba.Client|nil",
                                     -- required: a client; or a table of clients by number or phone_number_id; or the
                                     -- result of waba.clients; or a function, which may wait, that returns a client
  receiver = "waba.Receiver",        -- the receiver of the statuses that prove that messages were accepted. This
                                     -- process must run the receiver's handlers (Cloud hosting; see `outbox:watch`)
  suppress = "waba.Receiver",        -- a receiver that stores which customers want no marketing messages. Marketing
                                     -- templates to these customers are not sent; the result is an error of kind
                                     -- "blocked". A template is for marketing if its definition in the client has the
                                     -- category marketing, or if its entry has the option `marketing`
  settle = { "number>=0", 600 },     -- the seconds for which an uncertain result waits for a status that proves that
                                     -- the message was accepted (Cloud hosting). At most the option `keep` of the
                                     -- outbox
  resend = { "boolean", false },     -- true: sends a message once again if no status has proved within `settle` seconds
                                     -- that the message was accepted. The recipient may get the message twice
  on_result = "fun(entry: waba.OutboxEntry, sent: waba.Sent|nil, err: waba.Error|nil)", -- called after a result is
                                     -- stored. `entry` has `id`, `key`, `to` and `number`. If the error has
                                     -- `maybe_sent`, the result stays uncertain. If the process ends before the call,
                                     -- only `outbox:get` returns the result
}

local clock, protect, time, type = core.clock, coroutines.protect, os.time, type

local MOMENT = 0.05 -- seconds; an entry that was taken longer ago than this counts as having waited in this process

local function lease_lost()
  return errors.new {
    kind = "timeout", path = "lease",
    message = "the lease of the entry expired before it was sent: another sender may send it",
  }
end

-- Sets the mark of an entry before its message is sent.
local function mark(self, held)
  if held.is_marked then return true end
  local change = { lease = held.lease, extend = held.seconds, mark = true }
  if held.before then change.records = { results.state_record(self, held, "sending") } end
  local ok, err = self.writer:write(change, true)
  if not ok then return nil, err end
  held.is_marked, held.is_lost = not change.lost, change.lost
  if change.lost then return nil, lease_lost() end
  return true
end

-- Removes the mark of an entry whose message was certainly not sent.
local function unmark(self, held)
  local change = {
    lease = held.lease, extend = held.seconds, mark = false, records = results.records_before(held),
  }
  if self.writer:write(change) then held.is_marked = false end
end

local function address_of(entry)
  if entry.form == "user" then return { user_id = entry.to } end
  if entry.form == "group" then return { group_id = entry.to } end
  return entry.to
end

local function before_attempt(call) return mark(call.sender, call.held) end

local function before_retry(_, call)
  unmark(call.sender, call.held)
  call.before_attempt = before_attempt
end

-- Sends the message of an entry by `client:send`, which checks and encodes the message again.
local function send_message(self, held, client)
  local entry, options = held.entry, {}
  for name, value in pairs(entry.options or {}) do options[name] = value end
  options.bulk = entry.bulk
  if held.is_traced then options.data = callback_data.join(entry.id, options.data) end
  function options.before_attempt() return mark(self, held) end
  function options.before_retry() unmark(self, held) end
  return client:send(address_of(entry), entries.message_of(held.body), options)
end

-- Returns true if the statuses of a message contain the id of its entry. Only Cloud hosting returns such ids.
local function is_traced(self, client)
  local hosting = type(client.hosting) == "table" and client.hosting.name or self.outbox.hosting
  return hosting == "cloud" or nil
end

-- Sets the change for an attempt to send a message that has returned or raised an error.
local function fail(self, held, client, err)
  if self.suppress then
    require("waba.client.suppression").note(self.suppress, client, address_of(held.entry), err, held.entry.number)
  end
  if held.is_lost then return false, err end
  if err.maybe_sent then return results.await_status(self, held, err) end
  return results.put_back(self, held, err)
end

local function deliver(self, held, client)
  if client.closed then
    local err = errors.new { kind = "cancelled", message = "the client was closed before the send" }
    return results.put_back(self, held, err)
  end
  local entry = held.entry
  local options = entry.options
  if self.suppress then
    local is_allowed, err = require("waba.client.suppression").check(self.suppress, client, address_of(entry),
      entries.message_of(held.body), options and options.marketing and true or nil, entry.number)
    if not is_allowed then return results.put_back(self, held, err) end
  end
  local now = clock()
  if now >= held.ends then held.is_marked = nil end -- the lease has expired, so `mark` must renew it before the send
  local takes_body = entry.waba == version and encoded.can_send(client, entry.hosting)
    and not (options and options.check_contact)
  -- a message that must wait gets the mark after the wait; if the process ends during the wait, the result is certain
  local starts_now = takes_body and encoded.leaves_at_once(client, entry.to, entry.bulk, now)
  self.inbox.marks = starts_now and now - held.taken_at < MOMENT
  if held.is_marked and not starts_now then unmark(self, held) end
  held.sending, held.step = time(), client
  local sent, err
  if takes_body then -- sends the body that `outbox:put` has encoded
    held.is_traced = entry.hosting == "cloud" or nil
    local call = { -- a field `= false` reserves memory for a value that is set later
      body = held.body, to = entry.to, sender = self, held = held, before_retry = before_retry, head = false,
      timeout = options and options.timeout or false, connect_timeout = false,
    }
    if entry.bulk then call.bulk = true end
    if not held.is_marked then call.before_attempt = before_attempt end
    sent, err = encoded.send(client, call, options and options.marketing and true)
  else
    held.is_traced = is_traced(self, client)
    sent, err = send_message(self, held, client)
  end
  held.step = nil
  if held.before and (sent or err.maybe_sent) then self.counts.resent = self.counts.resent + 1 end
  if sent then return results.finish(self, held, sent) end
  return fail(self, held, client, err)
end

-- Calls `fn` with the client of an entry. `held.release` is called after the entry has its result.
local function with_client(self, held, fn)
  local client, second
  held.step = "client"
  client, second = self.client_of(held.entry)
  held.step = nil
  if not client then return results.put_back(self, held, second) end
  held.release = second
  return fn(self, held, client)
end

-- Sets the change for an error that `process` has raised. The field `step` shows which foreign function was called.
local function recover(self, held, raised)
  local client, err = held.step, errors.new { kind = "cancelled", message = coroutines.text_of(raised) }
  if not client then return false, raised end
  if client == "client" then return results.put_back(self, held, err) end
  err.maybe_sent, err.message = held.is_marked, "client:send raised an error: " .. err.message
  return fail(self, held, client, err)
end

local function died()
  return errors.new {
    kind = "cancelled", maybe_sent = true, message = "a sender ended before it received the response to this message",
  }
end

-- Finishes an entry with an uncertain result, or sends its message again. Called when the message has a status, or when
-- `settle` seconds have passed.
local function decide(self, held, state)
  local entry = held.entry
  local status, err = self.outbox:read("status:" .. entry.id)
  if err then return results.put_back(self, held, err) end
  if status then return results.finish(self, held, { id = status.message_id, input = entry.to }) end
  if not self.resend or state.resent then
    results.finish(self, held, nil, "uncertain", errors.new(state.error))
    return nil -- `work` has already counted the uncertain result
  end
  entry.resent, held.before, held.is_marked = true, state, nil
  return with_client(self, held, deliver)
end

local function await_after_death(self, held, client)
  held.is_traced = is_traced(self, client)
  return results.await_status(self, held, died())
end

-- Continues with an entry whose message this sender or another sender may have sent before.
local function continue(self, held)
  local state, err = self.outbox:read("state:" .. held.entry.id)
  if err then return results.put_back(self, held, err) end
  if not state then return with_client(self, held, await_after_death) end
  held.times, held.entry.resent, held.is_traced = state.times, state.resent, state.traced
  if state.state == "uncertain" then return decide(self, held, state) end
  if state.state == "sending" then return results.await_status(self, held, died()) end
  return results.end_with(held, { lease = held.lease, done = "always" })
end

local function process(self, held)
  if held.lease.was_marked or held.entry.is_uncertain then return continue(self, held) end
  local client = self.client
  if client and not held.entry.number then return deliver(self, held, client) end
  return with_client(self, held, deliver)
end

---@options waba.SenderWorkOptions : waba.WorkOptions
local WORK_OPTIONS = option.with(work.OPTIONS, {
  concurrency = { "integer>=1", 16 }, -- the largest number of messages in flight. Outside of an event loop, a number
                                      -- above 1 starts an event loop, as `waba.run` does
  batch = { "integer>=1", 64 },       -- the largest number of entries that one call of the store returns, each for
                                      -- another recipient
})

--- Lets the sender take entries at once. `outbox:put` calls this function for the senders of its process.
function Sender:wake()
  for running in pairs(self.works) do running:wake() end
end

--- Takes entries from the outbox and sends their messages. The messages to a recipient are sent one after the other, in
--- the order of `put`. Returns when no entry is due and all messages in flight have a result. With `forever`, returns
--- after `stop` has returned true. Several coroutines and processes may call this function at the same time.
---@param options? waba.SenderWorkOptions
---@return integer|nil sent   the number of sent messages; nil: the outbox can't be read, or the caller can't wait
---@return integer|waba.Error failed  the number of failed attempts, including attempts that are repeated later and
---        attempts with an uncertain result. If `sent` is nil, the error
---@return any err            the last error of an attempt
function Sender:work(options)
  local own = work.new(self, option.complete(options, WORK_OPTIONS, "sender:work"))
  self.works[own] = true
  local ok, err = own:run()
  self.works[own] = nil
  if not ok then return nil, err end
  return own.handled, own.failed, own.raised
end

--- Counts the messages of a sender since the sender was created, and the entries of its outbox.
---@class waba.SenderStats
---@field waiting integer?    entries of the outbox that have no result; nil: the outbox can't be read
---@field oldest number?      Unix seconds at which the oldest entry was stored
---@field active integer      messages that this sender is sending
---@field sent integer        messages that were sent
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
    error("waba.sender: option outbox is required: an outbox, such as one from waba.outbox.sqlite", 3)
  elseif not of_number.is_callable(options.outbox.final_records) then
    error("waba.sender: option outbox must be an outbox, such as one from waba.outbox.sqlite, not another object with "
      .. "a store", 3)
  end
  if not options.client then
    error("waba.sender: option client is required: a client, such as one from waba.client", 3)
  end
  if options.receiver and type(options.receiver.watch) ~= "function" then
    error("waba.sender: option receiver must be a receiver from waba.receiver", 3)
  end
  if options.suppress and type(options.suppress.suppressed) ~= "function" then
    error("waba.sender: option suppress must be a receiver from waba.receiver", 3)
  end
  if options.settle > options.outbox.keep then
    local message = "waba.sender: option settle must be at most the option keep of the outbox, %g, not %g"
    error(message:format(options.outbox.keep, options.settle), 3)
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
    outbox = options.outbox, client_of = client_of, client = of_number.single(options.client), transport = transport,
    settle = options.settle, resend = options.resend, suppress = options.suppress, on_result = options.on_result,
    inbox = queues.new(options.outbox.store),
    writer = writers.new(options.outbox.store, transport), works = setmetatable({}, { __mode = "k" }),
    counts = { sent = 0, failed = 0, uncertain = 0, resent = 0 },
  }, Sender)
  function self.dispatch(held)
    local writer = self.writer
    writer.active = writer.active + 1
    local ok, sent, err = protect(process, self, held)
    if not ok then ok, sent, err = protect(recover, self, held, sent) end
    writer.active = writer.active - 1
    if not ok then return false, sent end
    return sent, err
  end
  options.outbox.senders[self] = true
  if options.receiver then options.outbox:watch(options.receiver) end
  return self
end

return sender
