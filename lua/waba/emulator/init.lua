-- The gateway on your own machine, to develop and test against: a real HTTP server in a process of
-- its own, and the handle on it.
--
--   local emulator = assert(require("waba.emulator").start())
--   local client = waba.client(emulator:options())
--   client:send("+49 151 1234567", waba.text "Hello")
--   emulator:customer("+49 151 1234567"):text "Hi"
--   emulator:stop()
--
-- It speaks as 360dialog's On-Premise gateway does, with two differences: webhooks may go to plain
-- http on loopback, and the certificate is of an authority of its own (`ca_file`).

local core = require "waba.core"
local customers = require "waba.emulator.customer"
local errors = require "waba.errors"
local json = require "waba.emulator.json"
local options = require "waba.emulator.options"
local option_check = require "waba.options"
local process = require "waba.emulator.process"
local remote = require "waba.emulator.remote"

local emulator = {}

--- What `start` takes: any option of waba/emulator/options.lua, and these.
---@class waba.EmulatorOptions
---@field interpreter? string      that runs the process; the program's own by default
---@field start_timeout? number    seconds to wait until it listens, 10 by default
---@field sleep? fun(seconds: number)  how `wait` lets time pass; found out by default
---@field api_key? string
---@field number? string
---@field host? string
---@field port? integer
---@field tls? boolean
---@field http2? boolean
---@field client_version? string
---@field statuses? { sent: number?, delivered: number?, read: number? }|false
---@field recipient_id? "message"|"top"|"both"
---@field window? boolean
---@field templates? "any"|table[]
---@field namespace? string
---@field review? number|false
---@field catalogs? table<string, string[]>
---@field contacts? table<string, string|table>
---@field contact_check? number
---@field require_webhook? boolean
---@field max_media? integer
---@field strict_media? boolean
---@field rate_limits? boolean|table
---@field sandbox? boolean|string
---@field webhooks? table
---@field seed? integer
---@field keep? integer
---@field start? number

-- Seconds the process may take to answer that it stops, before it is killed.
local STOP_TIMEOUT = 5

local HANDLE_OPTIONS = { interpreter = "string", start_timeout = "number", sleep = "function" }

--- A running emulator.
---@class waba.Emulator
---@field url string        where the gateway listens: "https://127.0.0.1:PORT"
---@field ca_file string|nil  PEM file of its authority; nil without TLS
---@field api_key string    the key it accepts
---@field number string     the business number
---@field pid integer       of its process
local Emulator = {}
Emulator.__index = Emulator
Emulator.__name = "waba.Emulator"

function Emulator:__tostring()
  return ("waba.Emulator (%s)"):format(self.started and self.url or "stopped")
end

--- Starts an emulator beside the program. It ends with the program, however that ends.
---@param given? waba.EmulatorOptions
---@return waba.Emulator|nil
---@return waba.Error? err  names the library that is missing, or why it can't listen
function emulator.start(given)
  options.check(given, "waba.emulator.start", HANDLE_OPTIONS)
  given = given or {}
  local for_process = {}
  for name, value in pairs(given) do
    if not HANDLE_OPTIONS[name] then
      for_process[name] = value
    end
  end
  local sleep = given.sleep or remote.sleep
  local started, message = process.start(for_process, {
    interpreter = given.interpreter, start_timeout = given.start_timeout, sleep = sleep })
  if not started then
    return nil, errors.new({ kind = "unavailable", message = message })
  end
  return setmetatable({
    url = started.url, ca_file = started.ca_file, api_key = started.api_key, number = started.number,
    pid = started.pid, started = started, sleep = sleep, remote = remote.new(started.control, started.token),
  }, Emulator)
end

local function ask(self, name, arguments)
  local result, message = self.remote:call(name, arguments or {})
  if result == nil then
    return nil, errors.new({ kind = "unavailable", message = message })
  end
  return result
end

--- The options with which `waba.client` talks to this emulator: api_key, base_url, ca_file, and yours.
---@param more? table
---@return table
function Emulator:options(more)
  local merged = { api_key = self.api_key, base_url = self.url, ca_file = self.ca_file }
  for name, value in pairs(more or {}) do
    merged[name] = value
  end
  return merged
end

--- Ends the process and removes its files. Harmless when repeated.
function Emulator:stop()
  if self.started then
    local stopped = self.remote:call("stop", {}, STOP_TIMEOUT)
    self.remote:close()
    process.finish(self.started, not stopped)
    self.started = nil
  end
end

-- ---- What happened ---------------------------------------------------------------------------------

--- A request the gateway received.
---@class waba.emulator.ReceivedRequest
---@field sequence integer   from 1
---@field method string
---@field path string
---@field query table<string, string>
---@field headers table<string, string>  lower-case names; the API key shows as "(hidden)"
---@field body string|nil    up to 64 KiB; longer ones are left out
---@field json any           the body decoded, when it is JSON
---@field size integer       bytes of the body
---@field sha256 string|nil  of an uploaded file
---@field protocol "HTTP/1.1"|"HTTP/2"
---@field at number          the emulator's time
---@field status integer     of the answer
---@field answered boolean   the answer went out

local function pick(list, filter)
  if type(filter) ~= "function" then
    return list
  end
  local picked = {}
  for _, entry in ipairs(list) do
    if filter(entry) then
      picked[#picked + 1] = entry
    end
  end
  return picked
end

--- Lists the requests that the gateway received, oldest first (the newest `keep` of them).
---@param filter? { method: string?, path: string?, status: integer?, since: integer? }|fun(request): boolean
---  path: exact, or a Lua pattern that begins with ^; since: only later sequence numbers
---@return waba.emulator.ReceivedRequest[]|nil
---@return waba.Error? err
function Emulator:received(filter)
  local list, err = ask(self, "received", type(filter) == "table" and filter or {})
  if not list then
    return nil, err
  end
  list = json.unpack(list)
  for _, request in ipairs(list) do
    if request.body and request.body:find("^%s*[%[{]") then
      request.json = core.decode(request.body)
    end
  end
  return pick(list, filter)
end

--- An attempt to deliver a webhook.
---@class waba.emulator.WebhookAttempt
---@field sequence integer
---@field url string
---@field headers table<string, string>  the registered ones; their values show as "(hidden)"
---@field body string
---@field json table         the body decoded
---@field attempt integer    1 for the first try
---@field status integer|nil of the receiver's answer
---@field error string|nil   why there is none
---@field answer string|nil  the beginning of an answer that was not 200
---@field at number

--- Lists the attempts to deliver webhooks, oldest first.
---@param filter? { status: integer?, attempt: integer?, since: integer? }|fun(attempt): boolean
---@return waba.emulator.WebhookAttempt[]|nil
---@return waba.Error? err
function Emulator:webhooks(filter)
  local list, err = ask(self, "webhooks", type(filter) == "table" and filter or {})
  if not list then
    return nil, err
  end
  list = json.unpack(list)
  for _, attempt in ipairs(list) do
    attempt.json = core.decode(attempt.body)
  end
  return pick(list, filter)
end

--- A message that was accepted from the program, or came from a customer.
---@class waba.emulator.Message
---@field sequence integer
---@field id string
---@field direction "outbound"|"inbound"
---@field wa_id string      the customer
---@field type string
---@field content any       as the platform writes it
---@field status string|nil the last status that was reported
---@field statuses string[]|nil
---@field read boolean|nil  a customer's message was marked as read
---@field at number

--- Lists the messages, oldest first.
---@param filter? { direction: string?, type: string?, wa_id: string?, id: string?, since: integer? }|fun(message): boolean
---@return waba.emulator.Message[]|nil
---@return waba.Error? err
function Emulator:messages(filter)
  local list, err = ask(self, "messages", type(filter) == "table" and filter or {})
  if not list then
    return nil, err
  end
  return pick(list, filter)
end

--- The message of an id.
---@param id string
---@return waba.emulator.Message|nil
---@return waba.Error? err
function Emulator:message(id)
  local list, err = ask(self, "messages", { id = id })
  return list and list[1], err
end

--- How much happened so far.
---@class waba.emulator.Counts
---@field requests integer   received
---@field messages integer   accepted or injected
---@field attempts integer   to deliver a webhook
---@field delivered integer  webhooks answered with 200
---@field pending integer    webhooks that wait or are under way
---@field given_up integer   webhooks that nobody took in time
---@field time number        the emulator's clock, Unix seconds

---@return waba.emulator.Counts|nil
---@return waba.Error? err
function Emulator:counts()
  return ask(self, "counts")
end

-- `pending = 0` is reached from above, all other counts from below.
local function reached(counts, wanted)
  for name, value in pairs(wanted) do
    local have = counts[name]
    if have == nil then
      error(("emulator:wait: unknown count %s"):format(tostring(name)), 3)
    elseif name == "pending" and have > value or name ~= "pending" and have < value then
      return false
    end
  end
  return true
end

--- Waits until something has happened.
---@param what table|fun(emulator: waba.Emulator): any  counts to reach, as in { delivered = 3, pending = 0 };
---  or a function that returns something true
---@param seconds? number  10 by default
---@return any  true, or what the function returned
---@return waba.Error? err kind "timeout"
function Emulator:wait(what, seconds)
  seconds = seconds or 10
  local deadline = core.clock() + seconds
  repeat
    local result
    if type(what) == "function" then
      result = what(self)
    else
      local counts, err = self:counts()
      if not counts then
        return nil, err
      end
      result = reached(counts, what)
    end
    if result then
      return result
    end
    self.sleep(0.01)
  until core.clock() > deadline
  return nil, errors.new({ kind = "timeout", message = ("it did not happen within %g seconds"):format(seconds) })
end

-- ---- What the program makes happen -----------------------------------------------------------------

--- Somebody who writes to the business number.
---@param number string|integer
---@param about? { name: string? }
---@return waba.emulator.Customer
function Emulator:customer(number, about)
  option_check.check(about, { name = "string" }, "emulator:customer")
  return customers.new(self.remote, tostring(number), about)
end

--- Sets, or tells, what is known of a number.
---@param number string
---@param about? { status: "valid"|"invalid"|"failed"|nil, wa_id: string?, name: string? }
---@return { wa_id: string, status: string, name: string?, blocked: boolean, window: boolean }|nil
---@return waba.Error? err
function Emulator:contact(number, about)
  option_check.check(about, { status = "string", wa_id = "string", name = "string" }, "emulator:contact")
  return ask(self, "contact", { number = tostring(number), about = about or {} })
end

--- A failure for the next requests. Without `status`, `code`, `errors`, `body` and
--- `developer_message` the request is answered as usual: late (`delay`) or not at all (`drop`).
---@class waba.emulator.FailNext
---@field method? string     only requests of this method
---@field path? string       only of this path: exact, or a Lua pattern that begins with ^
---@field type? string       only messages of this type
---@field times? integer     how many requests, 1 by default
---@field share? number      0 to 1: only by chance, under the option `seed`
---@field status? integer    HTTP status
---@field code? integer      error code of the platform; its usual title and status
---@field title? string      of that error
---@field details? string|string[]  of that error; a list with `developer_message`
---@field errors? table[]    whole error rows
---@field developer_message? string  an error of 360dialog's gateway
---@field body? string       these bytes
---@field headers? table<string, string>
---@field delay? number      real seconds before the answer
---@field drop? "before"|"after"  close the connection before, or after, the request took effect
---@field accept? boolean    the request takes effect, although the answer says otherwise

local FAIL_NEXT = { method = "string", path = "string", type = "string", times = "integer", share = "number",
  status = "integer", code = "integer", title = "string", details = "string|table", errors = "table",
  developer_message = "string", body = "string", headers = "table", delay = "number", drop = "string",
  accept = "boolean" }

--- Makes the next requests fail.
---@param order waba.emulator.FailNext
---@return true|nil
---@return waba.Error? err
function Emulator:fail_next(order)
  option_check.check(order, FAIL_NEXT, "emulator:fail_next")
  return ask(self, "fail_next", order)
end

local FAIL_STATUS = { code = "integer", title = "string", details = "string", errors = "table", to = "string",
  type = "string", times = "integer", share = "number", after = "string", status = "string" }

--- Lets the next message be accepted and fail afterwards: its status is "failed" with this error.
---@param code integer|table  an error code of the platform; or a table with `code`, `title`, `details` or
---  `errors`; `to`, `type`, `times`, `share` as in fail_next; `after`: "sent" or "delivered", the last
---  status that is reached before; `status = "warning"` instead of "failed"
---@return true|nil
---@return waba.Error? err
function Emulator:fail_status(code)
  local order = type(code) == "table" and code or { code = code }
  option_check.check(order, FAIL_STATUS, "emulator:fail_status")
  if not order.code and not order.errors then
    error("emulator:fail_status: code or errors is needed", 2)
  end
  return ask(self, "fail_status", order)
end

--- Forgets what fail_next and fail_status ordered.
---@return true|nil
---@return waba.Error? err
function Emulator:clear_faults()
  return ask(self, "clear_faults")
end

--- Reports a status of a sent message now, whatever the option `statuses` says.
---@param id string
---@param status "sent"|"delivered"|"read"|"failed"|"warning"
---@param failure? { code: integer?, title: string?, details: string?, errors: table[]? }
---@return true|nil
---@return waba.Error? err
function Emulator:status(id, status, failure)
  failure = failure or (status == "failed" or status == "warning") and { code = 500 } or {}
  return ask(self, "status", { id = id, status = status, code = failure.code, title = failure.title,
    details = failure.details, errors = failure.errors })
end

--- Posts an error that belongs to no message.
---@param failure { code: integer?, title: string?, details: string?, errors: table[]? }
---@return true|nil
---@return waba.Error? err
function Emulator:error(failure)
  return ask(self, "error", failure)
end

--- Posts a webhook body as it stands.
---@param body table
---@return true|nil
---@return waba.Error? err
function Emulator:post(body)
  return ask(self, "post", { body = body })
end

--- Moves the emulator's clock ahead: statuses, retries of webhooks, the expiry of media and the
--- 24-hour window follow at once.
---@param seconds number
---@return number|nil time  Unix seconds
---@return waba.Error? err
function Emulator:advance(seconds)
  if type(seconds) ~= "number" or seconds < 0 then
    error("emulator:advance: seconds must be a positive number", 2)
  end
  return ask(self, "advance", { seconds = seconds })
end

--- The emulator's time.
---@return number|nil time  Unix seconds
---@return waba.Error? err
function Emulator:time()
  local counts, err = self:counts()
  return counts and counts.time, err
end

--- Decides on a template.
---@param name string
---@param status "approved"|"rejected"|"paused"|"disabled"|string
---@param about? { language: string?, reason: string? }  one translation only; why it is rejected
---@return integer|nil count  of the translations it was said of
---@return waba.Error? err    when there is no such template
function Emulator:review_template(name, status, about)
  option_check.check(about, { language = "string", reason = "string" }, "emulator:review_template")
  about = about or {}
  return ask(self, "review", { name = name, status = status, language = about.language, reason = about.reason })
end

--- The templates it knows, as the platform lists them.
---@return table[]|nil
---@return waba.Error? err
function Emulator:templates()
  return ask(self, "templates")
end

--- Sets what GET /v1/health answers.
---@param settings { shape: "single"|"high_availability"|"multiconnect"|nil, status: string?, nodes: table?, errors: table?, meta: boolean? }
---  status: of every node, in place of the usual; nodes: whole nodes by their name or a part of it;
---  errors: in place of `health`; meta = false: without `meta`
---@return true|nil
---@return waba.Error? err
function Emulator:health(settings)
  option_check.check(settings, { shape = "string", status = "string", nodes = "table", errors = "table",
    meta = "boolean" }, "emulator:health")
  return ask(self, "health", settings)
end

--- Restarts the WhatsApp client behind the gateway: for that long every request is answered with 502.
---@param seconds number  of the emulator's clock
---@return true|nil
---@return waba.Error? err
function Emulator:restart(seconds)
  return ask(self, "restart", { seconds = seconds })
end

local CHANGEABLE = { statuses = "table|false", recipient_id = "string", window = "boolean",
  review = "number|false", catalogs = "table", contact_check = "number", require_webhook = "boolean",
  strict_media = "boolean", max_media = "integer", webhooks = "table" }

--- Changes options while it runs; what they mean stands in waba/emulator/options.lua.
---@param changed table
---@return true|nil
---@return waba.Error? err
function Emulator:configure(changed)
  option_check.check(changed, CHANGEABLE, "emulator:configure")
  return ask(self, "configure", changed)
end

return emulator
