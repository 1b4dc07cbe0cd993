-- The control port: an HTTP server on loopback that requires a token. The methods of an emulator object read the
-- journal and give commands through this port.

local core = require "waba.core"
local inbound = require "waba.emulator.inbound"
local json = require "waba.emulator.json"
local options = require "waba.emulator.options"
local refusals = require "waba.emulator.refusals"

local control = {}

-- The largest body of a call, and the largest file of a customer, in bytes.
local MAX_CALL, MAX_MEDIA = 64 * 1024 * 1024, 4 * 1024 * 1024 * 1024

local function equals(value, wanted) return value == wanted end
local function is_after(_, wanted, entry) return entry.sequence > wanted end

-- For some fields of an entry, the function that compares the field with the filter's value. The other fields must be
-- equal to the filter's value.
local REQUESTS = { since = is_after, path = refusals.path_matches,
  method = function(method, wanted) return method == wanted:upper() end }
local WEBHOOKS = { since = is_after, status = function(status, wanted) return (status or false) == wanted end }
local MESSAGES = { since = is_after }

-- Returns the entries of a ring buffer that match all fields of a filter.
local function select_entries(ring, filter, comparisons)
  return ring:list(function(entry)
    for name, wanted in pairs(filter) do
      local compare = comparisons[name] or equals
      if not compare(entry[name], wanted, entry) then return false end
    end
    return true
  end)
end

-- Hides the values of a webhook's headers, because they are secrets of the receiver.
local function with_hidden_headers(attempt)
  local shown, headers = {}, {}
  for name, value in pairs(attempt) do shown[name] = value end
  for name in pairs(attempt.headers) do headers[name:lower()] = "(hidden)" end
  shown.headers = headers
  return shown
end

-- The functions that a program can call. The arguments are a gateway, the arguments of the call, and the process. Each
-- function returns a result; or nil and an error message. If a function returns nothing, the call has the result true.
local calls = {}

function calls.received(gateway, filter) return json.pack(select_entries(gateway.journal, filter, REQUESTS)) end

function calls.webhooks(gateway, filter)
  local list = select_entries(gateway.webhooks.attempts, filter, WEBHOOKS)
  for i, attempt in ipairs(list) do list[i] = with_hidden_headers(attempt) end
  return json.pack(list)
end

function calls.messages(gateway, filter) return select_entries(gateway.messages, filter, MESSAGES) end

function calls.templates(gateway) return gateway.templates.list end

function calls.counts(gateway)
  local webhooks = gateway.webhooks
  return { requests = gateway.journal.count, messages = gateway.messages.count,
    attempts = webhooks.attempts.count, delivered = webhooks.delivered, pending = webhooks.pending,
    given_up = webhooks.given_up, time = gateway.clock:now() }
end

function calls.customer(gateway, arguments)
  return gateway:customer_sends(arguments.from, arguments.type, arguments.content, arguments.options)
end

function calls.tap(gateway, arguments)
  local kind, content = inbound.find_tapped(gateway, arguments.id, arguments.choice)
  if not kind then return nil, content end
  arguments.options.reply_to = arguments.id
  return gateway:customer_sends(arguments.from, kind, content, arguments.options)
end

function calls.delete(gateway, arguments) return gateway:customer_deletes(arguments.from, arguments.id) end

-- `arguments.method` is the name of a method of waba.emulator.Customer; `arguments.about` has the data of the customer.
function calls.traffic(gateway, arguments)
  local method = gateway.traffic[arguments.method]
  if not method then
    return nil, arguments.method .. ": only customers of the Cloud gateway have this method: use emulator.cloud"
  end
  return method(gateway, gateway.contacts:set(arguments.number, arguments.about or {}), arguments)
end

function calls.change_identity(gateway, arguments)
  local contact = gateway.contacts:change_identity(arguments.number)
  return { wa_id = contact.wa_id, hash = contact.identity.hash }
end

function calls.contact(gateway, arguments)
  local contact = gateway.contacts:set(arguments.number, arguments.about)
  return { wa_id = contact.wa_id, status = contact.status, name = contact.name, user_id = contact.user_id,
    blocked = contact.blocked or false, window = gateway.contacts:window_open(contact) }
end

function calls.fail_next(gateway, command) return gateway.failures:add("requests", json.unpack(command)) end

function calls.fail_status(gateway, command) return gateway.failures:add("statuses", command) end

function calls.clear_faults(gateway) return gateway.failures:clear() end

function calls.status(gateway, arguments)
  local record, message = gateway:find_sent(arguments.id)
  if not record then return nil, message end
  gateway:report(record, arguments.status, gateway.failures:rows(arguments))
end

function calls.error(gateway, arguments) gateway:post_errors(gateway.failures:rows(arguments)) end

function calls.change(gateway, arguments)
  if not gateway.post_change then return nil, "change: only the Cloud gateway has this method: use emulator.cloud" end
  gateway:post_change(arguments.field, arguments.value)
end

function calls.post(gateway, arguments) gateway.webhooks:post(nil, "raw", nil, json.encode(arguments.body)) end

function calls.advance(gateway, arguments)
  gateway.clock:advance(arguments.seconds)
  return gateway.clock:now()
end

local function counted(count, name)
  if count > 0 then return count end
  return nil, "name: there is no template " .. tostring(name)
end

function calls.review(gateway, arguments)
  local name, language = arguments.name, arguments.language
  return counted(gateway.templates:review(name, arguments.status, language, arguments.reason), name)
end

function calls.hold(gateway, arguments)
  if not gateway.templates.hold then return nil, "hold: only the Cloud gateway has this method: use emulator.cloud" end
  return counted(gateway.templates:hold(arguments.name, arguments.held, arguments.language), arguments.name)
end

function calls.health(gateway, settings) return gateway:set_health(settings) end

function calls.restart(gateway, arguments) gateway.down_until = gateway.clock:now() + arguments.seconds end

function calls.configure(gateway, changed)
  local webhooks = changed.webhooks or {}
  changed.webhooks = nil
  for name, value in pairs(changed) do gateway.options[name] = value end
  for name, value in pairs(webhooks) do gateway.options.webhooks[name] = value end
end

function calls.add_number(_, number, process)
  return process:add_number(options.complete_number(number, process.options))
end

function calls.describe(_, _, process) return { numbers = process.numbers, ca_file = process.ca_file } end

function calls.page(_, _, process) return process:serve_page() end

function calls.stop(_, _, process) process:stop() end

local Control = {}
Control.__index = Control
Control.__name = "waba.emulator.Control"

function control.new(process, token) return setmetatable({ process = process, token = token }, Control) end

local LOOPBACK = { ["127.0.0.1"] = true, localhost = true, ["[::1]"] = true }

--- Returns whether a request comes from a web page of another origin, or has a header Host without a loopback address.
--- A web page could reach this port through another host name that resolves to loopback.
function control.is_foreign(request)
  local host, origin = request.headers.host or "", request.headers.origin
  return not LOOPBACK[host:gsub(":%d*$", ""):lower()] or origin ~= nil and origin:lower() ~= "http://" .. host:lower()
end

local function authorized(self, request) return core.equals(self.token, request.headers["x-waba-emulator"] or "") end

-- The first segment of a path is the name of a gateway: /on_premise/call/received, /cloud/media.
local function gateway_of(self, request) return self.process.gateways[request.segments[1]] end

function Control:expects(request)
  local gateway = gateway_of(self, request)
  if control.is_foreign(request) or not authorized(self, request) then return { limit = 0 } end
  if request.segments[2] ~= "media" or not gateway then return { limit = MAX_CALL } end
  return { limit = MAX_MEDIA, file = gateway.media:new_file() }
end

local respond = require("waba.emulator.responses").on_premise.json

local function call(self, gateway, request)
  local method = calls[request.segments[3] or ""]
  local arguments, message = json.decode(request.body)
  if not method or type(arguments) ~= "table" then
    return respond(404, { error = message or "unknown call: expected a program with the same version of waba" })
  end
  local result
  result, message = method(gateway, arguments, self.process)
  if message then return respond(422, { error = message }) end
  return respond(200, { result = result == nil or result })
end

function Control:handle(request)
  local gateway = gateway_of(self, request)
  if control.is_foreign(request) then
    return respond(403, { error = "the control port serves programs of this machine only, not pages of other origins" })
  elseif not authorized(self, request) then
    return respond(403, { error = "the token is wrong or missing: expected that of the URL that the emulator printed" })
  elseif gateway and request.segments[2] == "media" then
    local kept = gateway.media:add(request.file, {
      type = request.headers["content-type"], size = request.size, sha256 = request.sha256 }, gateway.inbound_retention)
    return respond(200, { result = kept.id })
  elseif gateway and request.segments[2] == "call" then
    return call(self, gateway, request)
  end
  return respond(404, { error = "no such path: expected /GATEWAY/call/NAME or /GATEWAY/media" })
end

--- Calls of the control port are not added to the journal.
function Control:finished() end

return control
