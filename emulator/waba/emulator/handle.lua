-- The methods of an emulator object that report what has happened at a gateway: requests, messages, webhooks and
-- counts. commands.lua has the methods that change the gateway.

local core = require "waba.core"
local errors = require "waba.errors"
local json = require "waba.emulator.json"
local option = require "waba.option"

--- The part of an emulator object that belongs to one gateway.
---@class waba.emulator.Handle
---@field url string        the URL of the gateway: "https://127.0.0.1:PORT"
---@field ca_file string|nil  PEM file of the authority that has signed the gateway's certificate; nil without TLS
---@field api_key string    the API key that the gateway accepts
---@field number string     the business number
---@field remote waba.emulator.Remote
---@field sleep fun(seconds: number)  called repeatedly by `wait`; a program can replace this function to run a server
---        during the wait
local Handle = {}

--- Sends a call to the process.
---@param name string       the name of a function in `calls` of control.lua
---@param arguments? table
---@return any result
---@return waba.Error? err
function Handle:ask(name, arguments) return self.remote:ask(name, arguments or {}) end

--- A filter for requests.
---@options waba.emulator.RequestFilter
local REQUESTS = {
  method = "string",
  path = "string",    -- the path; a text that begins with ^ is a Lua pattern
  status = "integer", -- the status of the response
  since = "integer",  -- only entries whose sequence number is larger than this number
}

--- A filter for attempts to deliver webhooks.
---@options waba.emulator.WebhookFilter
local WEBHOOKS = {
  status = "integer|false", -- the status of the receiver's response; false: there was no response
  attempt = "integer",      -- only requests with this number of the attempt; 1: the first attempt
  since = "integer",        -- only entries whose sequence number is larger than this number
}

--- A filter for messages.
---@options waba.emulator.MessageFilter
local MESSAGES = {
  direction = '"outbound"|"inbound"',
  type = "string",
  wa_id = "string",  -- the number of the customer
  id = "string",
  since = "integer", -- only entries whose sequence number is larger than this number
}

-- Returns the entries that match a filter. `kind` is the name of the public method; `count` is the field of
-- waba.emulator.Counts with the number of entries of this kind. Selects only entries that were added after the last
-- call of `forget`. The methods do not call this function as a tail call, so that an error has the line of the user's
-- code.
local function entries_of(self, kind, count, known, filter)
  local is_table, complete = type(filter) == "table", {}
  if filter ~= nil and not is_table and type(filter) ~= "function" then
    error(("emulator:%s: a filter must be a table or a function, not a %s"):format(kind, type(filter)), 3)
  end
  if is_table then option.check(filter, known, "emulator:" .. kind, 3) end
  for name, value in pairs(is_table and filter or {}) do complete[name] = value end
  complete.since = math.max(self.before and self.before[count] or 0, complete.since or 0)
  local entries, err = self:ask(kind, complete)
  if not entries then return nil, err end
  local selected = {}
  for _, entry in ipairs(json.unpack(entries)) do
    if entry.body and entry.body:find("^%s*[%[{]") then entry.json = core.decode(entry.body) end
    if type(filter) ~= "function" or filter(entry) then selected[#selected + 1] = entry end
  end
  return selected
end

--- A request that the gateway has received.
---@class waba.emulator.ReceivedRequest
---@field sequence integer   1 for the first request, 2 for the second
---@field method string
---@field path string
---@field query table<string, string>
---@field headers table<string, string>  the names are in lower case; the API key is replaced by "(hidden)"
---@field body string|nil    the body, if it has at most 64 KiB
---@field json any           the decoded body, if it is JSON
---@field size integer       the length of the body in bytes
---@field sha256 string|nil  the SHA-256 of an uploaded file
---@field protocol "HTTP/1.1"
---@field at number          Unix seconds, by the emulator's clock
---@field status integer     the status of the response
---@field answered boolean   true: the response was sent
---@field response string|nil  the body of the response, if it has at most 16 KiB

--- Lists the requests that the gateway has received, oldest first. The option `keep` limits the number of stored
--- requests.
---@param filter? waba.emulator.RequestFilter|fun(request: waba.emulator.ReceivedRequest): boolean
---@return waba.emulator.ReceivedRequest[]|nil
---@return waba.Error? err
function Handle:received(filter)
  local entries, err = entries_of(self, "received", "requests", REQUESTS, filter)
  return entries, err
end

--- An attempt to deliver a webhook.
---@class waba.emulator.WebhookAttempt
---@field sequence integer
---@field url string
---@field headers table<string, string>  the registered headers, with "(hidden)" as their values
---@field body string
---@field json table         the decoded body
---@field attempt integer    the number of the attempt, 1 for the first attempt
---@field status integer|nil the status of the receiver's response
---@field error string|nil   the reason why there was no response
---@field answer string|nil  the beginning of a response with a status other than 200
---@field at number
---@field seconds number     seconds until the response

--- Lists the attempts to deliver webhooks, oldest first.
---@param filter? waba.emulator.WebhookFilter|fun(attempt: waba.emulator.WebhookAttempt): boolean
---@return waba.emulator.WebhookAttempt[]|nil
---@return waba.Error? err
function Handle:webhooks(filter)
  local entries, err = entries_of(self, "webhooks", "attempts", WEBHOOKS, filter)
  return entries, err
end

--- A message that was accepted from the program, or that a customer has sent.
---@class waba.emulator.Message
---@field sequence integer
---@field id string
---@field direction "outbound"|"inbound"
---@field wa_id string      the phone number of the customer
---@field to string|nil     the recipient of a sent message, as written in the request
---@field type string
---@field category string|nil  the price category of a sent message: "service", "utility", "marketing", "authentication"
---@field content any       the content as the platform writes it
---@field status string|nil the last status that was reported
---@field statuses string[]|nil  all reported statuses of a sent message, in order
---@field errors table[]|nil  the errors of the status "failed" or "warning"
---@field read boolean|nil  true: the program has marked the customer's message as read
---@field typing boolean|nil     true: the customer has seen the typing indicator (Cloud)
---@field reply_to string|nil    the id of the quoted message; for sent messages on Cloud only
---@field data string|nil        Cloud: the program's own text (biz_opaque_callback_data)
---@field group_id string|nil    Cloud
---@field by_user_id boolean|nil  Cloud: true: the message was sent to the business-scoped user id
---@field contact table|nil      Cloud: the emulator's data of the customer
---@field voice boolean|nil      Cloud: true: the message is a voice note
---@field window boolean|nil     Cloud: whether the customer's 24-hour window was open
---@field at number

--- Lists the messages, oldest first.
---@param filter? waba.emulator.MessageFilter|fun(message: waba.emulator.Message): boolean
---@return waba.emulator.Message[]|nil
---@return waba.Error? err
function Handle:messages(filter)
  local entries, err = entries_of(self, "messages", "messages", MESSAGES, filter)
  return entries, err
end

--- Returns the message with an id.
---@param id string
---@return waba.emulator.Message|nil
---@return waba.Error? err
function Handle:message(id)
  local list, err = self:ask("messages", { id = id })
  return list and list[1], err
end

--- The numbers of requests, messages and webhooks at a gateway.
---@class waba.emulator.Counts
---@field requests integer   requests that were received
---@field messages integer   messages that were accepted, or sent by customers
---@field attempts integer   attempts to deliver a webhook
---@field delivered integer  webhooks with the response 200
---@field pending integer    webhooks that wait or are in flight
---@field given_up integer   webhooks that were dropped because no attempt had the response 200 in time
---@field time number        the time of the emulator's clock in Unix seconds

-- The counts that begin at 0 again after `forget`.
local GROWING = { "requests", "messages", "attempts", "delivered", "given_up" }

--- Returns the numbers of requests, messages and webhooks since the start or the last call of `forget`.
---@return waba.emulator.Counts|nil
---@return waba.Error? err
function Handle:counts()
  local counts, err = self:ask("counts")
  for _, name in ipairs(counts and self.before and GROWING or {}) do
    counts[name] = counts[name] - self.before[name]
  end
  return counts, err
end

--- Prepares for the next test: the lists and counts begin anew, and requested failures are cancelled. The gateway keeps
--- its contacts and their windows, templates, media, clock and webhook URL.
---@return true|nil
---@return waba.Error? err
function Handle:forget()
  local cleared, err = self:clear_faults()
  if not cleared then return nil, err end
  self.before, err = self:ask("counts")
  return self.before and true, err
end

-- Returns whether the wanted counts are reached: `pending` must be at most the wanted count, and every other count at
-- least the wanted count.
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

--- Waits until counts are reached or a function returns a true value.
---@param what table|fun(handle: waba.emulator.Handle): any  the function, or counts such as { delivered = 3, pending = 0 }
---@param seconds? number  the longest wait in seconds; default: 10
---@return any  true, or the value that the function has returned
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
    kind = "timeout", message = ("emulator:wait: the condition was not true within %g seconds"):format(seconds),
  }
end

return Handle
