-- The emulator's own door: a plain HTTP port on loopback, guarded by a token, through which the
-- handle in the program's process reads the journal and pulls the strings.

local core = require "waba.core"
local faults = require "waba.emulator.faults"
local json = require "waba.emulator.json"

local control = {}

-- Bytes of the largest call.
local MAX_CALL = 64 * 1024 * 1024
-- A customer's media may be as large as the journal's owner likes.
local MAX_MEDIA = 4 * 1024 * 1024 * 1024

-- ---- What the journal shows ------------------------------------------------------------------------

local function wanted_request(filter)
  return function(entry)
    return (not filter.method or filter.method:upper() == entry.method)
      and (not filter.path or faults.path_matches(entry.path, filter.path))
      and (not filter.status or filter.status == entry.status)
      and (not filter.since or entry.sequence > filter.since)
  end
end

local function wanted_webhook(filter)
  return function(entry)
    return (filter.status == nil or filter.status == (entry.status or false))
      and (not filter.attempt or filter.attempt == entry.attempt)
      and (not filter.since or entry.sequence > filter.since)
  end
end

local function wanted_message(filter)
  return function(record)
    return (not filter.direction or filter.direction == record.direction)
      and (not filter.type or filter.type == record.type)
      and (not filter.wa_id or filter.wa_id == record.wa_id)
      and (not filter.id or filter.id == record.id)
      and (not filter.since or record.sequence > filter.since)
  end
end

-- Header values of webhooks are secrets of the receiver.
local function with_hidden_headers(attempt)
  local shown = {}
  for name, value in pairs(attempt) do
    shown[name] = value
  end
  shown.headers = {}
  for name in pairs(attempt.headers) do
    shown.headers[name:lower()] = "(hidden)"
  end
  return shown
end

-- ---- The calls -------------------------------------------------------------------------------------

-- Each takes the process and the call's arguments, and returns a result, or nil and a message.
local calls = {}

function calls.received(process, arguments)
  return json.pack(process.gateway.journal:list(wanted_request(arguments)))
end

function calls.webhooks(process, arguments)
  local list = process.webhooks.attempts:list(wanted_webhook(arguments))
  for i, attempt in ipairs(list) do
    list[i] = with_hidden_headers(attempt)
  end
  return json.pack(list)
end

function calls.messages(process, arguments)
  return process.gateway.messages:list(wanted_message(arguments))
end

function calls.templates(process)
  return process.gateway.templates.list
end

function calls.counts(process)
  local gateway, webhooks = process.gateway, process.webhooks
  return { requests = gateway.journal.count, messages = gateway.messages.count,
    attempts = webhooks.attempts.count, delivered = webhooks.delivered, pending = webhooks.pending,
    given_up = webhooks.given_up, time = process.clock:now() }
end

function calls.customer(process, arguments)
  return process.gateway:customer_sends(arguments.from, arguments.type, arguments.content, arguments.options)
end

function calls.tap(process, arguments)
  return process.gateway:customer_taps(arguments.from, arguments.id, arguments.choice, arguments.options)
end

function calls.delete(process, arguments)
  return process.gateway:customer_deletes(arguments.from, arguments.id)
end

function calls.change_identity(process, arguments)
  local contact = process.gateway.contacts:change_identity(arguments.number)
  return { wa_id = contact.wa_id, hash = contact.identity.hash }
end

function calls.contact(process, arguments)
  local contact = process.gateway.contacts:set(arguments.number, arguments.about)
  return { wa_id = contact.wa_id, status = contact.status, name = contact.name,
    blocked = contact.blocked or false, window = process.gateway.contacts:window_open(contact) }
end

function calls.fail_next(process, arguments)
  process.gateway.faults:add_request(arguments)
  return true
end

function calls.fail_status(process, arguments)
  process.gateway.faults:add_status(arguments)
  return true
end

function calls.clear_faults(process)
  process.gateway.faults:clear()
  return true
end

function calls.status(process, arguments)
  return process.gateway:report_status(arguments.id, arguments.status, process.gateway.faults:rows(arguments))
end

function calls.error(process, arguments)
  process.webhooks:post({ errors = process.gateway.faults:rows(arguments) }, "errors")
  return true
end

function calls.post(process, arguments)
  process.webhooks:post(arguments.body, arguments.lane or "raw")
  return true
end

function calls.advance(process, arguments)
  process.clock:advance(arguments.seconds)
  return process.clock:now()
end

function calls.review(process, arguments)
  local count = process.gateway.templates:review(arguments.name, arguments.status, arguments.language, arguments.reason)
  if count == 0 then
    return nil, "there is no template " .. tostring(arguments.name)
  end
  return count
end

function calls.health(process, arguments)
  return process.gateway:set_health(arguments)
end

function calls.restart(process, arguments)
  process.gateway.down_until = process.clock:now() + arguments.seconds
  return true
end

function calls.configure(process, arguments)
  for name, value in pairs(arguments) do
    if name ~= "webhooks" then
      process.options[name] = value
    end
  end
  for name, value in pairs(arguments.webhooks or {}) do
    process.options.webhooks[name] = value
  end
  return true
end

function calls.stop(process)
  process:stop()
  return true
end

--- The options that can be changed while it runs.
---@type table<string, boolean>
control.changeable = { statuses = true, recipient_id = true, window = true, review = true, catalogs = true,
  contact_check = true, require_webhook = true, strict_media = true, max_media = true, webhooks = true }

-- ---- The door --------------------------------------------------------------------------------------

---@class waba.emulator.Control : waba.emulator.Gateway
local Control = {}
Control.__index = Control
Control.__name = "waba.emulator.Control"

--- Makes the door of a process.
---@param process table
---@param token string
---@return waba.emulator.Control
function control.new(process, token)
  return setmetatable({ process = process, token = token }, Control)
end

local function authorized(self, request)
  return core.equals(self.token, request.headers["x-waba-emulator"] or "")
end

--- Where the body of a call goes.
---@param request waba.emulator.Request
---@return { limit: integer, file: string? }
function Control:expects(request)
  if request.path == "/media" and authorized(self, request) then
    return { limit = MAX_MEDIA, file = self.process.gateway.media:new_file() }
  end
  return { limit = authorized(self, request) and MAX_CALL or 0 }
end

local function answer(status, value)
  return { status = status, headers = { ["content-type"] = "application/json" }, body = json.encode(value) }
end

local function call(self, request)
  local named = request.segments[2] and calls[request.segments[2]]
  local arguments, problem = json.decode(request.body)
  if not named or type(arguments) ~= "table" then
    return answer(404, { error = problem or "no such call" })
  end
  local result, message = named(self.process, arguments)
  if result == nil then
    return answer(422, { error = message })
  end
  return answer(200, { result = result })
end

--- Answers a call of the handle.
---@param request waba.emulator.Request
---@return waba.emulator.Answer
function Control:handle(request)
  if not authorized(self, request) then
    return answer(403, { error = "the token is missing" })
  elseif request.segments[1] == "media" then
    local kept = self.process.gateway.media:add(request.file, {
      type = request.headers["content-type"], size = request.size, sha256 = request.sha256 })
    return answer(200, { result = kept.id })
  elseif request.segments[1] == "call" then
    return call(self, request)
  end
  return answer(404, { error = "no such path" })
end

--- Nothing is kept of calls.
function Control:answered() end

return control
