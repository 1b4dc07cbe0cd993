-- Receives webhooks: checks a request, stores its events in the inbox and returns the response; then runs the handlers of
-- the stored events. Requests and responses are tables here; nginx.lua and server.lua connect it to sockets.

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

--- An HTTP request, from an adapter.
---@class waba.WebhookRequest
---@field method string
---@field path? string
---@field query? string   without "?"
---@field headers? table<string, string>
---@field body? string    not yet read when the function of the option `number` is called before it
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

-- Gives On-Premise events the number of the address. Returns an event of another number than that of the credentials.
local function assign_number(place, list)
  for _, event in ipairs(list) do
    local id = event.phone_number_id
    if event.hosting == "on_premise" then
      event.number = place.number
      -- what the business itself has written, for a receiver that gets it
      if event.kind == "message" and event.from == place.number then
        event.kind, event.to = "echo", type(event.raw.to) == "string" and event.raw.to:gsub("^%+", "") or nil
        event.contact = { wa_id = event.to }
      end
    elseif place.is_own and id and id ~= place.number and event.number ~= place.number then
      return event
    end
  end
end

--- Checks the head of a request, so that an adapter does not read the body of a request that is refused.
---@param method string
---@param length integer|nil  of the body, where it is known
---@param headers? table<string, string>  with the credentials; without them these are not checked
---@param request? waba.WebhookRequest    its path; to be given to `handle` afterwards
---@return integer|nil status  404, 503, 405, 413 or 401; nil when the body can be read
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

--- Whether the headers alone have valid credentials. False where none are required, and where a signature of the body is
--- verified.
---@param headers table<string, string>
---@param request? waba.WebhookRequest  as for `refuse`, which was called before
---@return boolean
function Receiver:knows(headers, request)
  local place = request and request.place or self.find_place {}
  return place ~= nil and not place.is_open and place.is_authentic(headers) == true
end

--- Handles one webhook. When this returns 200, the events are in the inbox; their handlers run in `work`.
---
--- Returns 404 for a path that belongs to no number (option `number`), 405 for a method other than POST, 413 for a body
--- above `max_body`, 401 without valid credentials, 400 for a body that is not a JSON object, 503 when the inbox cannot
--- store the events or the number cannot be determined. The gateway delivers a webhook again after every status other
--- than 200.
---@param request waba.WebhookRequest
---@param put? fun(events: waba.Event[], sources: table<integer, string>?): integer|nil, waba.Error?  stores the events; default: the
---            method `put` of the inbox
---@return integer status
---@return table<string, string> headers  lower-case names
---@return string body
---@return string? reason  the reason of a status other than 200, for the log
function Receiver:handle(request, put)
  if type(request) ~= "table" then error("receiver:handle: the request must be a table, not a " .. type(request), 2) end
  local body = request.body or ""
  if type(body) ~= "string" then error("receiver:handle: the body must be a string, not a " .. type(body), 2) end
  local place, status, why = request.place, nil, nil
  request.place = nil -- the table may be used for another request
  if not place then place, status, why = self.find_place(request) end
  if not place then return no_place(status, why) end
  local refused, headers, _, reason = refuse_head(self, place, request.method, #body)
  if refused then return response(refused, headers, reason) end
  local is_authentic
  is_authentic, reason = place.is_authentic(request.headers or {}, body)
  if not is_authentic then return unauthorized(reason) end
  local sources = self.inbox.durable and {} or nil -- the others store the events themselves
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

--- Calls a function with each event before its handlers: when the event is stored here, and when it is handled here, even
--- if another process stored it. The function may be called more than once for an event.
---@param fn fun(event: waba.Event, is_handled: boolean?)  an error that it raises when the event is handled lets the event
---        be handled again later
function Receiver:watch(fn)
  self.watchers = self.watchers or {}
  self.watchers[#self.watchers + 1] = fn
end

-- Calls a function that may raise an error of the store. Returns its results, or nil and the error.
local function guarded(fn, ...)
  local ok, result, err = protect(fn, ...)
  if ok then return result, err end
  if type(result) ~= "table" then error(result, 3) end
  return nil, result
end

--- Seconds for which a customer may be sent any message: until 24 hours after the customer's last message that this
--- receiver's store has, 72 hours after one from an advertisement.
---@param to string|integer|{ user_id: string }  a phone number, a user id, or the `key` of a customer
---@param number? string|integer  the business number or its phone_number_id; by default any number
---@return number|nil seconds  0 when the window is closed or unknown
---@return waba.Error? err     kind "invalid"; "unavailable" if the store can't be read
function Receiver:window(to, number)
  return guarded(open_window.left, self.inbox, to, number)
end

--- Has a template sent, once, if a later status of a message reports that the window was closed; `client:send` with the
--- options `window` and `otherwise` calls it.
---@param id string   of the message
---@param to string|integer|{ user_id: string }
---@param template waba.Message
---@return nil
---@return waba.Error? err  the store can't be written
function Receiver:expect(id, to, template)
  return guarded(open_window.expect, self.inbox, id, to, template)
end

--- Records that a customer wants no marketing messages of a number; `send_all` with the option `suppress` sends none. What
--- customers choose in WhatsApp is recorded without it.
---@param to string|integer|{ user_id: string }
---@param number? string|integer  by default all numbers
---@return true|nil
---@return waba.Error? err
function Receiver:suppress(to, number)
  return guarded(opt_outs.add, self.inbox, to, number)
end

--- Removes the record of `suppress`.
---@param to string|integer|{ user_id: string }
---@param number? string|integer
---@return true|nil
---@return waba.Error? err
function Receiver:unsuppress(to, number)
  return guarded(opt_outs.remove, self.inbox, to, number)
end

--- Whether a customer wants no marketing messages of a number.
---@param to string|integer|{ user_id: string }
---@param number? string|integer  by default any number
---@return string|false|nil reason  "preference", "131050" or "own"
---@return waba.Error? err
function Receiver:suppressed(to, number)
  return guarded(opt_outs.reason, self.inbox, to, number)
end

--- Messages that are billed alike.
---@class waba.BilledCount
---@field number string?    the business number
---@field category string   such as "marketing" or "utility"
---@field type string       such as "regular"
---@field country string    of the recipient: by the user id, else by the calling code; "US" stands for all countries of +1
---@field count integer

--- Billable messages by business number, category, type and country, from the statuses that this receiver has handled in
--- this process (Cloud hosting).
---@return waba.BilledCount[]
function Receiver:costs()
  return costs.list(self.billed)
end

--- Returns the counts of this process and the events that wait in the inbox; empty for an inbox that has no method
--- `stats`.
---@return waba.InboxStats
function Receiver:stats()
  return self.inbox.stats and self.inbox:stats() or {}
end

--- Takes events from the inbox and runs their handlers. An event is acknowledged when its handlers have returned, and
--- handled again later when one has raised. An error with `maybe_sent` sets the event aside instead, since the handler
--- might send its message twice. While a handler runs, the lease of its event is renewed: in an event loop at any time,
--- outside of one while the handler sleeps (`waba.sleep`) or waits for the gateway. Returns when no event is due and all
--- handlers have ended, or with `forever` when `stop` returns true. Several coroutines and processes may call it at once:
--- one customer's events are still handled one at a time and in order.
---@param options? waba.WorkOptions
---@return integer|nil handled  nil when the inbox can't be read, or where the coroutine can't wait (in Lua 5.1 inside pcall)
---@return integer|waba.Error failed  the number of events whose handlers raised; or the error
---@return any raised                 the last error that was raised
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
  user = "string|string[]",          -- of HTTP Basic authentication
  password = "string|string[]",      -- a list: each is valid, to change passwords without an interruption
  headers = "table<string, string>|table<string, string>[]", -- headers that a webhook must have; a list: one set of them
  secret = "string|string[]",        -- of a signature over the body (HMAC-SHA256)
  open = "boolean",                  -- without any of these: true accepts webhooks from anybody; false accepts none, for a
                                     -- worker that only handles stored events
  number = "string|integer|table<string, waba.Address>|fun(request: waba.WebhookRequest): waba.Address|nil",
                                     -- the number that webhooks are for, since On-Premise hosting does not name it: one
                                     -- number; or the numbers by path; or a function of the request, which may wait. A
                                     -- path without a number gets 404
  inbox = "waba.Inbox",              -- default: in memory
  separate_statuses = "boolean",     -- true: a customer's messages and the statuses of messages to the customer are handled
                                     -- without waiting for each other; false: one at a time, in the order in which they
                                     -- came; default: as the inbox says, else true
  client = "waba.Client|waba.Clients|table<string, waba.Client>|fun(event: waba.Event): waba.Client|nil",
                                     -- sends the replies of `event:reply` and other methods: one client; or the clients by
                                     -- number or phone_number_id; or a function that returns the client of an event, and
                                     -- may wait
  on = "waba.Handlers",              -- the handlers by name
  quiet_while = "waba.QuietOptions", -- when a bot is silent: messages of a customer to whom a person or another sender is
                                     -- writing are given to `standby` instead of the handlers of messages
  max_age = "number>0",              -- seconds after which a message is too old to answer: it is given to `any` only, with
                                     -- `event.is_late`; default: never
  state_expires = "number>0",        -- seconds after which `event.state` and the step of `event:ask` are forgotten, from
                                     -- their last change; default: never
  max_body = { "integer>=1", 4 * 1024 * 1024 }, -- bytes of the largest body
}

--- While which of these a bot is silent.
---@options waba.QuietOptions
local QUIET = {
  echo = "number>0",                 -- seconds after a message that a person has written in the Business app
  standby = "boolean|number",        -- while another sender holds the conversation; a number: seconds after the last sign
                                     -- of that, by default a day
}

-- The methods that an inbox must have.
local INBOX = { "put", "take", "attempts", "extend", "ack", "fail", "release", "depth", "next_due" }

local function check_inbox(inbox)
  for _, method in ipairs(inbox and INBOX or {}) do
    if not of_number.is_callable(inbox[method]) then
      error("waba.receiver: option inbox must be an inbox, as of waba.inbox.sqlite: it has no method " .. method, 3)
    end
  end
end

--- Makes a receiver of webhooks. With several kinds of credentials one of them is enough.
---@param options waba.ReceiverOptions
---@return waba.Receiver
function receiver.new(options)
  options = complete(options, OPTIONS, "waba.receiver")
  check_inbox(options.inbox)
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
  local inbox = options.inbox or require("waba.inbox.memory").new()
  if options.separate_statuses ~= nil or inbox.separate_statuses == nil then
    inbox.separate_statuses = options.separate_statuses ~= false
  end
  local billed = {}
  return setmetatable({
    billed = billed,
    find_place = find_place,
    inbox = inbox,
    dispatch = handling.new(inbox, options.on, {
      quiet_while = options.quiet_while, state_expires = options.state_expires, max_age = options.max_age,
      billed = billed,
    }),
    prepare = prepare,
    transport = of_number.transport(options.client),
    max_body = options.max_body,
  }, Receiver)
end

return receiver
