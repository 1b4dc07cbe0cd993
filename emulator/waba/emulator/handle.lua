-- Queries of a gateway of the emulator: lists its requests, messages and webhooks, counts events, and waits until
-- something has happened. Its commands are in commands.lua.

local core = require "waba.core"
local errors = require "waba.errors"
local json = require "waba.emulator.json"
local option = require "waba.option"

--- The handle on one gateway.
---@class waba.emulator.Handle
---@field url string        where it listens: "https://127.0.0.1:PORT"
---@field ca_file string|nil  PEM file of its authority; nil without TLS
---@field api_key string    the key it accepts
---@field number string     the business number
---@field remote waba.emulator.Remote
---@field sleep fun(seconds: number)  called again and again by `wait`; replace it to run a server meanwhile
local Handle = {}

--- Sends a call to the process.
---@param name string       a call in control.lua
---@param arguments? table
---@return any result
---@return waba.Error? err
function Handle:ask(name, arguments)
  local result, message = self.remote:call(name, arguments or {})
  if result == nil then return nil, errors.new({ kind = "unavailable", message = message }) end
  return result
end

-- What happened -----------------------------------------------------------------------------------

--- Selects requests.
---@options waba.emulator.RequestFilter
local REQUESTS = {
  method = "string",
  path = "string",    -- exact, or a Lua pattern that begins with ^
  status = "integer", -- of the response
  since = "integer",  -- only later sequence numbers
}

--- Selects attempts to deliver webhooks.
---@options waba.emulator.WebhookFilter
local WEBHOOKS = {
  status = "integer|false", -- of the receiver's response; false: there was none
  attempt = "integer",      -- 1: first attempts
  since = "integer",        -- only later sequence numbers
}

--- Selects messages.
---@options waba.emulator.MessageFilter
local MESSAGES = {
  direction = '"outbound"|"inbound"',
  type = "string",
  wa_id = "string",  -- of the customer
  id = "string",
  since = "integer", -- only later sequence numbers
}

-- A filter for the process: only what came after `forget`.
local function with_start(self, filter, known, what, count)
  if filter ~= nil and type(filter) ~= "table" and type(filter) ~= "function" then
    error(what .. ": a filter must be a table or a function, not a " .. type(filter), 3)
  end
  if type(filter) == "table" then option.check(filter, known, what, 3) end
  local start = self.before and self.before[count]
  if not start then return type(filter) == "table" and filter or {} end
  local complete = {}
  for name, value in pairs(type(filter) == "table" and filter or {}) do complete[name] = value end
  complete.since = math.max(start, complete.since or 0)
  return complete
end

--- A request the gateway received.
---@class waba.emulator.ReceivedRequest
---@field sequence integer   the number of the request, from 1
---@field method string
---@field path string
---@field query table<string, string>
---@field headers table<string, string>  lower-case names; the API key shows as "(hidden)"
---@field body string|nil    up to 64 KiB; longer ones are left out
---@field json any           the body decoded, when it is JSON
---@field size integer       bytes of the body
---@field sha256 string|nil  the sum of an uploaded file
---@field protocol "HTTP/1.1"
---@field at number          the emulator's time
---@field status integer     of the response
---@field answered boolean   the response was sent
---@field response string|nil  the response's body, up to 16 KiB

local function pick(list, filter)
  if type(filter) ~= "function" then return list end
  local picked = {}
  for _, entry in ipairs(list) do
    if filter(entry) then picked[#picked + 1] = entry end
  end
  return picked
end

--- Lists the requests that the gateway received, oldest first (the newest `keep` of them).
---@param filter? waba.emulator.RequestFilter|fun(request: waba.emulator.ReceivedRequest): boolean
---@return waba.emulator.ReceivedRequest[]|nil
---@return waba.Error? err
function Handle:received(filter)
  local list, err = self:ask("received", with_start(self, filter, REQUESTS, "emulator:received", "requests"))
  if not list then return nil, err end
  list = json.unpack(list)
  for _, request in ipairs(list) do
    if request.body and request.body:find("^%s*[%[{]") then request.json = core.decode(request.body) end
  end
  return pick(list, filter)
end

--- An attempt to deliver a webhook.
---@class waba.emulator.WebhookAttempt
---@field sequence integer
---@field url string
---@field headers table<string, string>  the registered headers, with their values as "(hidden)"
---@field body string
---@field json table         the body decoded
---@field attempt integer    1 for the first try
---@field status integer|nil of the receiver's response
---@field error string|nil   the reason of a missing response
---@field answer string|nil  the beginning of a response other than 200
---@field at number
---@field seconds number     until the response

--- Lists the attempts to deliver webhooks, oldest first.
---@param filter? waba.emulator.WebhookFilter|fun(attempt: waba.emulator.WebhookAttempt): boolean
---@return waba.emulator.WebhookAttempt[]|nil
---@return waba.Error? err
function Handle:webhooks(filter)
  local list, err = self:ask("webhooks", with_start(self, filter, WEBHOOKS, "emulator:webhooks", "attempts"))
  if not list then return nil, err end
  list = json.unpack(list)
  for _, attempt in ipairs(list) do attempt.json = core.decode(attempt.body) end
  return pick(list, filter)
end

--- A message that was accepted from the program, or came from a customer.
---@class waba.emulator.Message
---@field sequence integer
---@field id string
---@field direction "outbound"|"inbound"
---@field wa_id string      the customer
---@field to string|nil     the recipient of a sent message, unchanged
---@field type string
---@field category string|nil  the price category of a sent message: "service", "utility", "marketing", "authentication"
---@field content any       the content in the platform's form
---@field status string|nil the last status that was reported
---@field statuses string[]|nil
---@field errors table[]|nil  the errors of the status "failed" or "warning"
---@field read boolean|nil  a customer's message was marked as read
---@field typing boolean|nil     the customer saw the typing indicator (Cloud)
---@field reply_to string|nil    the id of the quoted message; in sent messages on Cloud only
---@field data string|nil        Cloud: the sender's own text (biz_opaque_callback_data)
---@field group_id string|nil    Cloud
---@field by_user_id boolean|nil  Cloud: it was sent to the business-scoped user id
---@field contact table|nil      Cloud: the customer, as in the gateway's webhooks
---@field voice boolean|nil      Cloud: a voice note
---@field window boolean|nil     Cloud: the customer's window was open
---@field at number

--- Lists the messages, oldest first.
---@param filter? waba.emulator.MessageFilter|fun(message: waba.emulator.Message): boolean
---@return waba.emulator.Message[]|nil
---@return waba.Error? err
function Handle:messages(filter)
  local list, err = self:ask("messages", with_start(self, filter, MESSAGES, "emulator:messages", "messages"))
  if not list then return nil, err end
  return pick(list, filter)
end

--- The message of an id.
---@param id string
---@return waba.emulator.Message|nil
---@return waba.Error? err
function Handle:message(id)
  local list, err = self:ask("messages", { id = id })
  return list and list[1], err
end

--- How much happened so far.
---@class waba.emulator.Counts
---@field requests integer   received
---@field messages integer   accepted or injected
---@field attempts integer   to deliver a webhook
---@field delivered integer  webhooks with the response 200
---@field pending integer    webhooks that wait or are under way
---@field given_up integer   webhooks without the response 200 in time
---@field time number        the emulator's clock, Unix seconds

-- Counts that `forget` resets to 0.
local GROWING = { "requests", "messages", "attempts", "delivered", "given_up" }

--- Counts what has happened so far.
---@return waba.emulator.Counts|nil
---@return waba.Error? err
function Handle:counts()
  local counts, err = self:ask("counts")
  for _, name in ipairs(counts and self.before and GROWING or {}) do
    counts[name] = counts[name] - self.before[name]
  end
  return counts, err
end

--- Starts again between two tests: forgets the recorded requests, messages and webhooks, and the requested
--- failures. The gateway keeps contacts and their windows, templates, media, its clock, the
--- webhook address.
---@return true|nil
---@return waba.Error? err
function Handle:forget()
  local cleared, err = self:clear_faults()
  if not cleared then return nil, err end
  self.before, err = self:ask("counts")
  return self.before and true, err
end

-- Whether `pending` has fallen to the wanted count, and every other count has risen to it.
local function reached(counts, wanted)
  for name, value in pairs(wanted) do
    local have = counts[name]
    if have == nil then
      error(("emulator:wait: unknown count %s: expected a field of emulator:counts()"):format(tostring(name)), 3)
    elseif name == "pending" and have > value or name ~= "pending" and have < value then
      return false
    end
  end
  return true
end

--- Waits until something has happened.
---@param what table|fun(handle: waba.emulator.Handle): any  counts to reach, as in { delivered = 3, pending = 0 };
---  or a function that returns something true
---@param seconds? number  10 by default
---@return any  true, or what the function returned
---@return waba.Error? err kind "timeout"
function Handle:wait(what, seconds)
  if type(what) ~= "table" and type(what) ~= "function" then
    error("emulator:wait: the argument must be a table of counts or a function, not a " .. type(what), 2)
  end
  seconds = seconds or 10
  local deadline = core.clock() + seconds
  repeat
    local result
    if type(what) == "function" then
      result = what(self)
    else
      local counts, err = self:counts()
      if not counts then return nil, err end
      result = reached(counts, what)
    end
    if result then return result end
    self.sleep(0.01)
  until core.clock() > deadline
  return nil, errors.new {
    kind = "timeout", message = ("emulator:wait: the condition was not met within %g seconds"):format(seconds),
  }
end

return Handle
