-- The receiver of webhooks: its options, and its methods except those of storing.lua. The receiver uses no sockets;
-- nginx.lua and server.lua read the requests and write the responses.

local coroutines = require "waba.coroutines"
local addresses = require "waba.webhook.addresses"
local costs = require "waba.webhook.costs"
local handling = require "waba.webhook.handling"
local of_number = require "waba.client.of_number"
local closed_window = require "waba.webhook.closed_window"
local opt_outs = require "waba.webhook.opt_outs"
local storing = require "waba.webhook.storing"
local runtime = require "waba.runtime"
local complete = require("waba.option").complete
local protect = coroutines.protect
local verbs = require "waba.webhook.verbs"
local work = require "waba.inbox.work"

---@class waba.Receiver
---@field inbox waba.Inbox
---@field max_body integer
local Receiver = { __name = "waba.Receiver" }
Receiver.__index = Receiver
for name, method in pairs(storing) do Receiver[name] = method end

function Receiver:__tostring() return "waba.Receiver" end

--- Sets a function that is called with each event when this receiver stores the event, and before this receiver handles
--- the event. The function may be called several times for one event.
---@param fn fun(event: waba.Event, is_handled: boolean?)  is_handled: true if the handlers run directly after this
---        call; if the function then raises an error, the event is handled again later
function Receiver:watch(fn)
  if type(fn) ~= "function" then error("receiver:watch: the argument must be a function, not a " .. type(fn), 2) end
  self.watchers = self.watchers or {}
  self.watchers[#self.watchers + 1] = fn
end

-- Calls a function that may raise an error of the store. Returns the results of the function, or nil and the error.
local function guarded(fn, ...)
  local ok, result, err = protect(fn, ...)
  if ok then return result, err end
  if type(result) ~= "table" then error(result, 3) end
  return nil, result
end

--- Returns the seconds for which a customer may be sent messages of any type. The customer service window ends 24
--- hours after the latest message of the customer in this receiver's store, or 72 hours after a message that came
--- from an advertisement.
---@param to string|integer|{ user_id: string }  a phone number, a user id, or the `key` of a customer
---@param number? string|integer  the business number or its phone_number_id; default: any number
---@return number|nil seconds  0: the window is closed or unknown
---@return waba.Error? err  kind "invalid"; kind "unavailable" if the store can't be read
function Receiver:window(to, number)
  return guarded(closed_window.left, self.inbox, to, number)
end

--- Stores a template. The template is sent if a later status reports that the message was not delivered because the
--- window was closed. The template is sent at most once. `client:send` with the options `window` and `otherwise` calls
--- this method.
---@param id string  the id of the message
---@param to string|integer|{ user_id: string }
---@param template waba.Message
---@return nil
---@return waba.Error? err  the store can't be written
function Receiver:expect(id, to, template)
  return guarded(closed_window.expect, self.inbox, id, to, template)
end

--- Records that a customer wants no marketing messages from a business number. With the option `suppress`, `send_all`
--- sends no marketing messages to the customer. The receiver also records the decisions that customers make in
--- WhatsApp.
---@param to string|integer|{ user_id: string }
---@param number? string|integer  the business number; default: all numbers
---@return true|nil
---@return waba.Error? err
function Receiver:suppress(to, number)
  return guarded(opt_outs.set, self.inbox, to, number, "own")
end

-- Records that the gateway has refused a message because the customer has stopped marketing messages.
function Receiver:_stopped(to, number, code)
  return guarded(opt_outs.set, self.inbox, to, number, tostring(code))
end

--- Removes the record that `suppress` has stored.
---@param to string|integer|{ user_id: string }
---@param number? string|integer
---@return true|nil
---@return waba.Error? err
function Receiver:unsuppress(to, number)
  return guarded(opt_outs.set, self.inbox, to, number)
end

--- Returns the reason for which a customer gets no marketing messages from a business number.
---@param to string|integer|{ user_id: string }
---@param number? string|integer  the business number; default: any number
---@return string|false|nil reason  "preference" or "131050": the customer has decided in WhatsApp; "own": `suppress` was
---        called; false: the customer gets marketing messages
---@return waba.Error? err
function Receiver:suppressed(to, number)
  return guarded(opt_outs.reason, self.inbox, to, number)
end

--- The number of billed messages with the same business number, category, type and country.
---@class waba.BilledCount
---@field number string?  the business number
---@field category string  the category of the price, such as "marketing" or "utility"
---@field type string  the type of the price, such as "regular"
---@field country string  the recipient's country, from the user id or else from the calling code; "US" stands for all
---        countries with the calling code +1
---@field count integer

--- Returns the numbers of billed messages (Cloud hosting). Only statuses that this receiver has handled in this process
--- are counted.
---@return waba.BilledCount[]
function Receiver:costs() return costs.list(self.billed) end

--- Returns the counts of this process and the number of events that wait in the inbox. For an inbox without the method
--- `stats`, returns an empty table.
---@return waba.InboxStats
function Receiver:stats() return self.inbox.stats and self.inbox:stats() or {} end

--- Takes events from the inbox and runs their handlers. Returns when no event is due and all handlers have ended; with
--- `forever`, returns when `stop` returns true. Several coroutines and processes may call this method at once: the
--- events of one customer are still handled one at a time and in order.
---
--- When the handlers of an event return, the event is acknowledged. When a handler raises an error, the event is
--- handled again later. If the error has `maybe_sent`, the event becomes a dead letter, because the handler might send
--- its message twice. The lease of an event is renewed while its handlers run. Outside of an event loop, the lease is
--- renewed only while a handler sleeps (`waba.sleep`) or waits for the gateway.
---@param options? waba.WorkOptions
---@return integer|nil handled  nil if the inbox can't be read, or if the coroutine can't wait (in Lua 5.1 inside pcall)
---@return integer|waba.Error failed  the number of events whose handlers raised an error; if `handled` is nil: the error
---@return any raised  the last error that a handler raised
function Receiver:work(options)
  local own = work.new(self, complete(options, work.OPTIONS, "receiver:work"))
  local ok, err = own:run()
  if not ok then return nil, err end
  return own.handled, own.failed, own.raised
end

local receiver = {}

--- The options of `waba.receiver`.
---@options waba.ReceiverOptions
local OPTIONS = {
  user = "string|string[]", -- the user name of HTTP Basic authentication
  password = "string|string[]", -- the password, or a list of valid passwords. With a list, a password can be changed
          -- without an interruption
  headers = "table<string, string>|table<string, string>[]", -- headers that a webhook must have. With a list of tables,
          -- a webhook must have all headers of one of the tables
  secret = "string|string[]", -- the secret of a signature over the body (HMAC-SHA256)
  open = "boolean", -- must be set if there are no credentials: true accepts webhooks from anybody; false accepts no
          -- webhooks, for a program that only handles stored events
  number = "string|integer|table<string, waba.Address>|fun(request: waba.WebhookRequest): waba.Address|nil",
    -- the business number of On-Premise webhooks, which do not contain the number: one number; or the numbers by path;
    -- or a function of the request. The function may wait. The response to a path without a number is 404
  inbox = "waba.Inbox", -- default: in memory
  separate_statuses = "boolean", -- true: a customer's messages, and the statuses of messages to the customer, do not
          -- wait for each other; false: messages and statuses are handled one at a time, in the order of arrival.
          -- Default: the field `separate_statuses` of the inbox, else true
  client = "waba.Client|waba.Clients|table<string, waba.Client>|fun(event: waba.Event): waba.Client|nil",
    -- the client for `event:reply` and other methods: one client; or the clients by number or phone_number_id; or a
    -- function that returns the client of an event, and may wait
  on = "waba.Handlers", -- the handlers by name
  quiet_while = "waba.QuietOptions", -- the cases in which a bot does not reply, because a person or another sender
          -- writes to the customer. Then only the handler `standby` gets the customer's messages
  gather = "number>0", -- seconds without a message after which the latest messages of a customer are handled in one
          -- call. The handlers get the last message; `event.messages` has all joined messages
  max_age = "number>0", -- seconds after which a message is too old for a reply. For an older message only the handler
          -- `any` is called, and `event.is_late` is true. Default: messages are never too old
  state_expires = "number>0", -- seconds without a change after which `event.state` and the step of `event:ask` are
          -- removed; default: never
  max_body = { "integer>=1", 4 * 1024 * 1024 }, -- the largest body in bytes
}

--- The cases in which a bot does not reply.
---@options waba.QuietOptions
local QUIET = {
  echo = "number>0", -- the bot does not reply for this number of seconds after a message that a person has written in
          -- the Business app
  standby = "boolean|number", -- true: the bot does not reply while another sender controls the conversation. The
          -- bot replies again at the latest a day after the last event `standby` or `handover`. With a number, the bot
          -- replies again after this number of seconds instead of a day
}

-- The methods that an inbox must have.
local INBOX = { "put", "take", "attempts", "extend", "ack", "fail", "release", "depth", "next_due" }

local function check_inbox(inbox, gather)
  for _, method in ipairs(inbox and INBOX or {}) do
    if not of_number.is_callable(inbox[method]) then
      error("waba.receiver: option inbox must be an inbox, such as one from waba.inbox.sqlite: it has no method "
        .. method, 3)
    end
  end
  if gather and inbox and not inbox.gather then
    error("waba.receiver: option gather needs an inbox made by waba.inbox.memory, .sqlite or .redis: the inbox has "
      .. "no method gather", 3)
  end
end

--- Makes a receiver of webhooks. If several kinds of credentials are set, a webhook needs only one of them.
---@param options waba.ReceiverOptions
---@return waba.Receiver
function receiver.new(options)
  options = complete(options, OPTIONS, "waba.receiver")
  check_inbox(options.inbox, options.gather)
  local ok, find_place, reads_request = pcall(addresses.new, options)
  if not ok then error(find_place, 2) end
  local prepare
  if options.client then
    ok, prepare = pcall(verbs.attacher, options.client)
    if not ok then error(prepare, 2) end
  end
  if options.quiet_while then
    options.quiet_while = complete(options.quiet_while, QUIET, "waba.receiver: quiet_while")
  end
  runtime.preload()
  local inbox = options.inbox or require("waba.inbox").memory()
  if options.separate_statuses ~= nil or inbox.separate_statuses == nil then
    inbox.separate_statuses = options.separate_statuses ~= false
  end
  local billed = {}
  local dispatch, read_ahead = handling.new(inbox, options.on, {
    quiet_while = options.quiet_while, state_expires = options.state_expires, max_age = options.max_age,
    billed = billed,
  })
  return setmetatable({
    billed = billed, find_place = find_place, reads_request = reads_request, inbox = inbox, dispatch = dispatch,
    read_ahead = read_ahead, prepare = prepare, transport = of_number.transport(options.client),
    gather = options.gather, max_body = options.max_body,
  }, Receiver)
end

return receiver
