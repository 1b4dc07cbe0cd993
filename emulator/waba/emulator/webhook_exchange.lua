-- Connects to a receiver of webhooks, posts a body, and reads the response: HTTP/1.1 over cqueues sockets. The first
-- argument of the functions is a waba.emulator.Webhooks.

local connections = require "waba.http.connection"
local core = require "waba.core"
local http1_response = require "waba.transport.http1_response"
local limits = require "waba.http.limits"
local sockets = require "cqueues.socket"

local webhook_exchange = {}

local EXCERPT = 500 -- the journal keeps this number of characters of a response whose status is not 200
local MAX_BODY = 64 * 1024
-- A connection requires an object with limits; connections to receivers are not limited.
local NO_LIMITS = limits.new()

-- The TLS contexts by the option `ca_file`. The contexts are kept, because reading the system's authorities is slow.
local contexts = {}

local function tls_context(ca_file)
  if not contexts[ca_file] then
    local ssl, store = require "openssl.ssl.context", require("openssl.x509.store").new()
    store:addDefaults()
    if ca_file ~= "" then store:add(ca_file) end
    local context = ssl.new("TLS", false)
    context:setOptions(ssl.OP_NO_TLSv1 + ssl.OP_NO_TLSv1_1)
    context:setStore(store)
    context:setVerify(ssl.VERIFY_PEER)
    contexts[ca_file] = context
  end
  return contexts[ca_file]
end

-- Creates the TLS object of a connection. The object checks that the certificate is valid for the host.
local function tls_of(self, host)
  local tls = require("openssl.ssl").new(tls_context(self.options.ca_file or ""))
  local expected = require("openssl.x509.verify_param").new()
  if host:find ":" or host:find("^[%d.]+$") then
    expected:setIP(host)
  else
    tls:setHostName(host)
    expected:setHost(host)
  end
  tls:setParam(expected)
  return tls
end

--- Connects to the host of a URL. Returns the connection; or nil and an error message.
function webhook_exchange.connect(self, target)
  local socket = sockets.connect({ host = target.host, port = target.port, nodelay = true })
  socket:onerror(function(_, _, code) return code end)
  local connected, code = socket:connect(self.options.timeout)
  if not connected then
    socket:close()
    return nil, core.system_error(code)
  end
  local connection = connections.new(socket, NO_LIMITS)
  connection:expect(self.options.timeout)
  if target.tls then
    local secured, reason = connection:start_tls(tls_of(self, target.host))
    if not secured then
      socket:close()
      return nil, "the TLS handshake failed: " .. reason
    end
  end
  return connection
end

-- Returns the headers of a delivery by lower-case name. The headers that were registered with the URL replace the
-- others.
local function fields_of(self, address, body)
  local fields = {
    host = address.target.authority, ["content-type"] = "application/json", ["content-length"] = ("%d"):format(#body),
    ["user-agent"] = "waba-emulator", accept = "*/*",
    ["x-hub-signature-256"] = self.shape.sign and self.shape.sign(body),
    connection = not self.options.keep_alive and "close" or nil,
  }
  for name, value in pairs(address.headers) do fields[name:lower()] = tostring(value) end
  return fields
end

-- Creates the waba.Exchange from which http1_response.lua reads the response.
local function new_exchange(connection)
  local socket = {
    settimeout = function() end, -- the connection has a deadline of its own
    receiveany = function(_, most) return connection:receive(most) end,
  }
  return {
    socket = socket, request = { head = { method = "POST" }, max_body = MAX_BODY }, started = core.clock(),
    deadline = connection.deadline, armed = core.clock(), sent = "maybe", bytes_sent = 0, bytes_received = 0,
    buffer = "", from = 1,
  }
end

--- Posts a body over a connection. Has four results: the status, or nil without a response; the beginning of the
--- response, or the reason why there is no response; true if the receiver has begun to respond or the timeout has
--- passed; and whether the connection can be used again.
function webhook_exchange.post(self, connection, address, body)
  local lines = { ("POST %s HTTP/1.1"):format(address.target.path) }
  for name, value in pairs(fields_of(self, address, body)) do lines[#lines + 1] = name .. ": " .. value end
  connection:expect(self.options.timeout)
  local sent, reason = connection:send(table.concat(lines, "\r\n") .. "\r\n\r\n" .. body)
  if not sent then return nil, "the request was not sent: " .. reason, reason == "timeout" end
  local exchange = new_exchange(connection)
  local response, failure = http1_response.receive(exchange)
  if response then return response.status, response.body:sub(1, EXCERPT), true, exchange.keep end
  if failure.code == "too_large" then return failure.status, "", true end
  return nil, failure.message, failure.status ~= nil or failure.kind == "timeout"
end

return webhook_exchange
