-- Receives webhooks: checks a request, stores its events in the inbox and returns the response. Runs the handlers of
-- the stored events. Requests and responses are tables here; nginx.lua and server.lua read and write the sockets.

local addresses = require "waba.webhook.addresses"
local events = require "waba.hosting.events"
local costs = require "waba.webhook.costs"
local handling = require "waba.webhook.handling"
local of_number = require "waba.client.of_number"
local open_window = require "waba.webhook.open_window"
local opt_outs = require "waba.webhook.opt_outs"
local runtime = require "waba.runtime"
local complete = require("waba.option").complete
local protect = runtime.protect
local verbs = require "waba.webhook.verbs"
local work = require "waba.inbox.work"

---@class waba.Receiver
---@field inbox waba.Inbox
---@field max_body integer
local Receiver = {}
Receiver.__index = Receiver
Receiver.__name = "waba.Receiver"

local RETRY_AFTER = "10"

function Receiver:__tostring()
  return "waba.Receiver"
end

--- An HTTP request that an adapter has read.
---@class waba.WebhookRequest
---@field method string
---@field path? string
---@field query? string   without "?"
---@field headers? table<string, string>
---@field body? string    the function of the option `number` may be called before the body is read
---@field place? table     set by `receiver:refuse`

local function response(status, headers, reason)
  return status, headers or {}, "", reason
end

local function unauthorized(reason)
  return response(401, { ["www-authenticate"] = 'Basic realm="webhook"' }, reason)
end

local function no_place(status, reason)
  return response(status, status == 503 and { ["retry-after"] = RETRY_AFTER } or nil, reason)
end

local function refuse_head(self, place, method, length, headers)
  if method ~= "POST" then return response(405, { allow = "POST" }, "its method is " .. tostring(method)) end
  if length and length > self.max_body then
    return response(413, nil, ("its body of %.0f bytes is longer than max_body, %d"):format(length, self.max_body))
  end
  if not headers then return nil end
  local is_authentic, reason = place.is_authentic(headers)
  if is_authentic == false then return unauthorized(reason) end
end

-- Sets the business number of On-Premise events, which belongs to the address of the webhook. If the credentials belong
-- to one business number, returns the first Cloud event of another business number.
local function assign_number(place, list)
  for _, event in ipairs(list) do
    local id = event.phone_number_id
    if event.hosting == "on_premise" then
      event.number = place.number
      -- a message that the business itself has written; some receivers get these messages
      if event.kind == "message" and event.from == place.number then
        event.kind, event.to = "echo", type(event.raw.to) == "string" and event.raw.to:gsub("^%+", "") or nil
        event.contact = { wa_id = event.to }
      end
    elseif place.is_own and id and id ~= place.number and event.number ~= place.number then
      return event
    end
  end
end

--- Checks the head of a request, so that an adapter need not read the body of a request that is refused.
---@param method string
---@param length integer|nil  length of the body in bytes, if it is known
---@param headers? table<string, string>  the headers with the credentials; without headers the credentials are not
---        checked
---@param request? waba.WebhookRequest    the request with its path; must be passed to `handle` afterwards
---@return integer|nil status  the status 404, 503, 405, 413 or 401; nil if the body can be read
---@return table<string, string>? headers
---@return string? body
---@return string? reason  for the log
function Receiver:refuse(method, length, headers, request)
  request = request or { method = method, headers = headers }
  local place, status, reason = self.find_place(request)
  request.place = place
  if not place then return no_place(status, reason) end
  return refuse_head(self, place, method, length, headers)
end

--- Returns whether the headers alone have valid credentials. Returns false if no credentials are required, or if the
--- body is needed to verify its signature.
---@param headers table<string, string>
---@param request? waba.WebhookRequest  the request that was passed to `refuse` before
---@return boolean
function Receiver:knows(headers, request)
  local place = request and request.place or self.find_place {}
  return place ~= nil and not place.is_open and place.is_authentic(headers) == true
end

--- Handles one webhook. If the status is 200, the events are in the inbox; `work` runs their handlers.
---
--- Returns 404 for a path that belongs to no number (option `number`), 405 for a method other than POST, 413 for a body
--- above `max_body`, 401 without valid credentials, 400 for a body that is not a JSON object, and 503 if the inbox
--- cannot store the events or the number cannot be determined. The gateway delivers a webhook again after every status
--- other than 200.
---@param request waba.WebhookRequest
---@param put? fun(events: waba.Event[], sources: table<integer, string>?): integer|nil, waba.Error?  stores the events;
---            default: the method `put` of the inbox
---@return integer status
---@return table<string, string> headers  lower-case names
---@return string body
---@return string? reason  the reason of a status other than 200, for the log
function Receiver:handle(request, put)
  if type(request) ~= "table" then error("receiver:handle: the request must be a table, not a " .. type(request), 2) end
  local body = request.body or ""
  if type(body) ~= "string" then error("receiver:handle: the body must be a string, not a " .. type(body), 2) end
  local place, status, why = request.place, nil, nil
  request.place = nil -- the request is not stored, because the adapter may use its table again
  if not place then place, status, why = self.find_place(request) end
  if not place then return no_place(status, why) end
  local refused, headers, _, reason = refuse_head(self, place, request.method, #body)
  if refused then return response(refused, headers, reason) end
  local is_authentic
  is_authentic, reason = place.is_authentic(request.headers or {}, body)
  if not is_authentic then return unauthorized(reason) end
  local sources = self.inbox.durable and {} or nil -- only durable inboxes store the platform's text of an event
  local list, err = events.read(body, sources)
  if not list then return response(400, nil, tostring(err)) end
  local foreign = place.number and assign_number(place, list)
  if foreign then
    return unauthorized(("its credentials are those of the number %s, and an event is of %s"):format(place.number,
      foreign.number))
  end
  if #list > 0 then
    local stored
    if put then stored, err = put(list, sources) else stored, err = self.inbox:put(list, sources) end
    if not stored then
      local reason_of_inbox = tostring(err or "the inbox returned no error")
      return response(503, { ["retry-after"] = RETRY_AFTER }, "the inbox cannot store it: " .. reason_of_inbox)
    end
    for _, fn in ipairs(self.watchers or {}) do
      for _, event in ipairs(list) do fn(event) end
    end
  end
  return response(200)
end

--- Sets a function that is called with each event before its handlers. The function is called when this receiver stores
--- the event, and when this receiver handles an event that any process has stored. The function may be called several
--- times for one event.
---@param fn fun(event: waba.Event, is_handled: boolean?)  if the function raises an error before the handlers run,
---        the event is handled again later
function Receiver:watch(fn)
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
---@param number? string|integer  the business number or its phone_number_id; by default any number
---@return number|nil seconds  the seconds; 0 if the window is closed or unknown
---@return waba.Error? err     kind "invalid"; kind "unavailable" if the store can't be read
function Receiver:window(to, number)
  return guarded(open_window.left, self.inbox, to, number)
end

--- Sends a template if a later status reports that a message was not delivered because the window was closed. The
--- template is sent at most once. `client:send` with the options `window` and `otherwise` calls this function.
---@param id string   of the message
---@param to string|integer|{ user_id: string }
---@param template waba.Message
---@return nil
---@return waba.Error? err  the store can't be written
function Receiver:expect(id, to, template)
  return guarded(open_window.expect, self.inbox, id, to, template)
end

--- Records that a customer wants no marketing messages from a business number. With the option `suppress`, `send_all`
--- does not send marketing messages to the customer. The receiver itself records the decisions that customers make in
--- WhatsApp.
---@param to string|integer|{ user_id: string }
---@param number? string|integer  the business number; default: all numbers
---@return true|nil
---@return waba.Error? err
function Receiver:suppress(to, number)
  return guarded(opt_outs.set, self.inbox, to, number, "own")
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
---@return string|false|nil reason  the reason: "preference", "131050" or "own"
---@return waba.Error? err
function Receiver:suppressed(to, number)
  return guarded(opt_outs.reason, self.inbox, to, number)
end

--- Messages that are billed in the same way.
---@class waba.BilledCount
---@field number string?    the business number
---@field category string   the category, such as "marketing" or "utility"
---@field type string       such as "regular"
---@field country string    the recipient's country, from the user id or else from the calling code; "US" stands for all
---        countries with the calling code +1
---@field count integer

--- Counts billable messages by business number, category, type and country (Cloud hosting). Only statuses that this
--- receiver has handled in this process are counted.
---@return waba.BilledCount[]
function Receiver:costs()
  return costs.list(self.billed)
end

--- Returns the counts of this process and the number of events that wait in the inbox; an empty table for an inbox
--- without the method `stats`.
---@return waba.InboxStats
function Receiver:stats()
  return self.inbox.stats and self.inbox:stats() or {}
end

--- Takes events from the inbox and runs their handlers. When the handlers of an event return, the event is
--- acknowledged. When a handler raises an error, the event is handled again later. If the error has `maybe_sent`, the
--- event becomes a dead letter instead, because the handler might send its message twice. The lease of an event is
--- renewed while its handler runs: in an event loop at any time, and outside of an event loop while the handler sleeps
--- (`waba.sleep`) or waits for the gateway. Returns when no event is due and all handlers have ended; with `forever` it
--- returns when `stop` returns true. Several coroutines and processes may call this function at once: the events of one
--- customer are still handled one at a time and in order.
---@param options? waba.WorkOptions
---@return integer|nil handled  nil if the inbox can't be read, or if the coroutine can't wait (in Lua 5.1 inside pcall)
---@return integer|waba.Error failed  the number of events whose handlers raised an error; or the error
---@return any raised                 the last error that a handler raised
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
  user = "string|string[]",          -- the user name of HTTP Basic authentication
  password = "string|string[]",      -- a list: each of the passwords is valid, so that a password can be changed
                                     -- without an interruption
  headers = "table<string, string>|table<string, string>[]", -- headers that a webhook must have; if this is a list of
                                     -- tables, a webhook must have all headers of one table
  secret = "string|string[]",        -- the secret of a signature over the body (HMAC-SHA256)
  open = "boolean",                  -- used if there are no credentials: true accepts webhooks from anybody; false
                                     -- accepts no webhooks, for a program that only handles stored events
  number = "string|integer|table<string, waba.Address>|fun(request: waba.WebhookRequest): waba.Address|nil",
                                     -- the business number that webhooks are for, because On-Premise webhooks do not
                                     -- contain it: one number; or the numbers by path; or a function of the request,
                                     -- which may wait. The response to a path without a number is 404
  inbox = "waba.Inbox",              -- default: in memory
  separate_statuses = "boolean",     -- true: a customer's messages, and the statuses of messages to this customer, do
                                     -- not wait for each other; false: they are handled one at a time, in the order in
                                     -- which they came; default: the field `separate_statuses` of the inbox, else true
  client = "waba.Client|waba.Clients|table<string, waba.Client>|fun(event: waba.Event): waba.Client|nil",
                                     -- sends the replies of `event:reply` and other methods: one client; or a table of
                                     -- clients by number or phone_number_id; or a function that returns the client of
                                     -- an event, and may wait
  on = "waba.Handlers",              -- the handlers by name
  quiet_while = "waba.QuietOptions", -- when a bot does not answer: while a person or another sender writes to a
                                     -- customer, only the handler `standby` gets the messages of this customer
  gather = "number>0",               -- seconds: messages that a customer writes one after the other are handled in one
                                     -- call, after the customer has written nothing for this time. The handlers get the
                                     -- last message; `event.messages` has all messages
  max_age = "number>0",              -- seconds after which a message is too old to answer: only the handler `any` gets
                                     -- it, with `event.is_late`; default: never
  state_expires = "number>0",        -- seconds after which `event.state` and the step of `event:ask` are removed if
                                     -- they did not change; default: never
  max_body = { "integer>=1", 4 * 1024 * 1024 }, -- the largest body in bytes
}

--- The cases in which a bot does not answer.
---@options waba.QuietOptions
local QUIET = {
  echo = "number>0",                 -- seconds after a message that a person has written in the Business app
  standby = "boolean|number",        -- true: while another sender controls the conversation, or for a day after the
                                     -- last event that shows this; a number: the seconds instead of a day
}

-- The methods that an inbox must have.
local INBOX = { "put", "take", "attempts", "extend", "ack", "fail", "release", "depth", "next_due" }

local function check_inbox(inbox, gather)
  for _, method in ipairs(inbox and INBOX or {}) do
    if not of_number.is_callable(inbox[method]) then
      error("waba.receiver: option inbox must be an inbox, as of waba.inbox.sqlite: it has no method " .. method, 3)
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
  local ok, find_place = pcall(addresses.new, options)
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
    billed = billed,
    find_place = find_place,
    inbox = inbox,
    dispatch = dispatch,
    read_ahead = read_ahead,
    prepare = prepare,
    transport = of_number.transport(options.client),
    gather = options.gather,
    max_body = options.max_body,
  }, Receiver)
end

return receiver
