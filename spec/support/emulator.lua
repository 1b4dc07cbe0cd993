-- For the specs of the emulator: an HTTP client (lua-http, which the library does not use), a server that receives
-- webhooks, and an event loop for both and the test.

local cqueues = require "cqueues"
local cjson = require "cjson"
local http_request = require "http.request"
local http_server = require "http.server"
local http_tls = require "http.tls"
local http_util = require "http.util"
local new_headers = require "http.headers".new
local openssl_context = require "openssl.ssl.context"
local pkey = require "openssl.pkey"
local x509 = require "openssl.x509"
local store = require "openssl.x509.store"

local emulators = require "waba.emulator"

local support = {}

local contexts = {}

-- Returns a TLS context that trusts one certificate authority.
local function trusting(ca_file)
  if not contexts[ca_file] then
    local context = http_tls.new_client_context()
    local trusted = store.new()
    trusted:add(ca_file)
    context:setStore(trusted)
    context:setVerify(openssl_context.VERIFY_PEER)
    contexts[ca_file] = context
  end
  return contexts[ca_file]
end

--- Runs a test in an event loop, in which the servers of the test run too. Raises the error of the test.
function support.run(body, seconds)
  local cq = cqueues.new()
  local finished, failure
  cq:wrap(function()
    local ok, message = http_util.yieldable_pcall(body)
    failure = not ok and message or nil
    finished = true
  end)
  local deadline = cqueues.monotime() + (seconds or 20)
  while not finished do
    local ok, problem = cq:step(0.1)
    if not ok then
      error(problem, 0)
    elseif cqueues.monotime() > deadline then
      error("the test did not end in time", 0)
    end
  end
  if failure then error(failure, 0) end
end

--- Starts an emulator, by default without TLS, because the handshakes would take most of a test's time. Other specs,
--- such as spec/emulator_spec.lua, test TLS.
function support.start(options)
  options = options or {}
  if options.tls == nil then options.tls = false end
  return emulators.start(options)
end

--- Sends a request to an emulator. A `body` that is a table is encoded as JSON; a string is sent unchanged. Returns the
--- status, the decoded body (or the bytes), and the headers.
function support.request(emulator, method, path, body, options)
  options = options or {}
  local request = http_request.new_from_uri(emulator.url .. path)
  request.follow_redirects = false
  if emulator.ca_file then request.ctx = trusting(emulator.ca_file) end
  local head = request.headers
  head:upsert(":method", method)
  head:delete("user-agent")
  head:upsert("user-agent", "spec")
  if options.key ~= false then head:upsert("d360-api-key", options.key or emulator.api_key) end
  if type(body) == "table" then
    body = cjson.encode(body)
    head:upsert("content-type", "application/json")
  end
  for name, value in pairs(options.headers or {}) do head:upsert(name, value) end
  if body then
    request:set_body(body)
    head:delete("expect")
  end
  local response, stream = request:go(options.timeout or 10)
  if not response then return nil, tostring(stream) end
  local text, message = stream:get_body_as_string(10)
  stream:shutdown()
  if not text then return nil, tostring(message) end
  local status = tonumber(response:get(":status"))
  if (response:get("content-type") or ""):find("application/json", 1, true) then
    return status, cjson.decode(text), response
  end
  return status, text, response
end

--- Sends a message. The request's body has the fields of `envelope`, and the content under the name of the type.
function support.send(emulator, kind, content, envelope, options)
  local message = { to = "4915112345678", type = kind, [kind] = content }
  for name, value in pairs(envelope or {}) do message[name] = value end
  return support.request(emulator, "POST", "/v1/messages", message, options)
end

--- Sends a message through the Cloud gateway (`emulator.cloud`).
function support.cloud_send(cloud, kind, content, envelope, options)
  local message = { messaging_product = "whatsapp", to = "+49 151 12345678", type = kind, [kind] = content }
  for name, value in pairs(envelope or {}) do message[name] = value end
  return support.request(cloud, "POST", options and options.path or "/messages", message, options)
end

--- Returns the body of an upload, a form. Each part is a text or { data, type, filename }.
function support.form(parts)
  local boundary, body = "spec-boundary-7f3a", {}
  for _, name in ipairs({ "messaging_product", "type", "file" }) do
    local part = parts[name]
    if type(part) == "table" then
      body[#body + 1] = ("--%s\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"%s\"\r\n"
        .. "Content-Type: %s\r\n\r\n%s\r\n"):format(boundary, name, part.filename or "f", part.type, part.data)
    elseif part then
      body[#body + 1] = ("--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n"):format(boundary,
        name, part)
    end
  end
  body[#body + 1] = ("--%s--\r\n"):format(boundary)
  return table.concat(body), { headers = { ["content-type"] = "multipart/form-data; boundary=" .. boundary } }
end

--- Starts a server that receives webhooks on loopback, inside `support.run`.
--- `respond(request, count)` returns the status for a request, by default 200; false: the server does not respond.
function support.receiver(options)
  options = options or {}
  local received = { requests = {}, in_flight = 0, most_in_flight = 0 }
  local context
  if options.certificate then
    context = http_tls.new_server_context()
    context:setPrivateKey(pkey.new(options.certificate.key, "PEM"))
    context:setCertificate(x509.new(options.certificate.certificate, "PEM"))
    context:setAlpnSelect(function() return "http/1.1" end)
  end
  local server = assert(http_server.listen({
    host = "127.0.0.1", port = 0, tls = context ~= nil, ctx = context,
    onerror = function() end,
    onstream = function(_, stream)
      local head = stream:get_headers()
      local request = { headers = {}, method = head:get(":method"), path = head:get(":path") }
      for name, value in head:each() do request.headers[name] = value end
      request.body = stream:get_body_as_string()
      request.json = cjson.decode(request.body)
      table.insert(received.requests, request)
      received.in_flight = received.in_flight + 1
      received.most_in_flight = math.max(received.most_in_flight, received.in_flight)
      local status = 200
      if options.respond then status = options.respond(request, #received.requests) end
      if options.delay then cqueues.sleep(options.delay) end
      received.in_flight = received.in_flight - 1
      if status == false then cqueues.sleep(30) end
      local response = new_headers()
      response:append(":status", tostring(status))
      for name, value in pairs(options.headers or {}) do response:append(name, value) end
      stream:write_headers(response, true)
    end,
  }))
  assert(server:listen())
  local _, _, port = server:localname()
  received.server = server
  received.url = ("%s://127.0.0.1:%d/hook"):format(context and "https" or "http", port)
  local loop = cqueues.running()
  loop:wrap(function() assert(server:loop()) end)
  return received
end

--- Runs a test with a server that receives webhooks, and closes the server afterwards.
function support.with_receiver(emulator, body, options)
  support.run(function()
    local receiver = support.receiver(options)
    support.register(emulator, receiver)
    body(receiver)
    support.register(emulator, { url = "http://127.0.0.1:1/" })
  end)
end

function support.eventually(condition, seconds)
  local deadline = cqueues.monotime() + (seconds or 5)
  while true do
    local result = condition()
    if result then
      return result
    elseif cqueues.monotime() > deadline then
      error("the condition did not become true in time", 2)
    end
    cqueues.sleep(0.005)
  end
end

--- Registers the URL of a server as the webhook URL.
function support.register(emulator, receiver, headers)
  local status, body = support.request(emulator, "POST", "/v1/configs/webhook",
    { url = receiver.url, headers = headers })
  assert(status == 200, body)
end

--- Returns all events of a kind ("messages", "statuses", "contacts", "errors") that a server received from the
--- On-Premise gateway, in order.
function support.events(receiver, kind)
  local events = {}
  for _, request in ipairs(receiver.requests) do
    for _, event in ipairs(request.json[kind] or {}) do events[#events + 1] = event end
  end
  return events
end

--- Returns the values of all changes with a field name that a server received from the Cloud gateway, in order.
function support.changes(receiver, field)
  local values = {}
  for _, request in ipairs(receiver.requests) do
    for _, entry in ipairs(request.json.entry or {}) do
      for _, change in ipairs(entry.changes) do
        if change.field == field then values[#values + 1] = change.value end
      end
    end
  end
  return values
end

--- Returns all events of a kind in the changes with the field "messages" that a server received from the Cloud gateway.
function support.cloud_events(receiver, kind)
  local events = {}
  for _, value in ipairs(support.changes(receiver, "messages")) do
    for _, event in ipairs(value[kind] or {}) do events[#events + 1] = event end
  end
  return events
end

return support
