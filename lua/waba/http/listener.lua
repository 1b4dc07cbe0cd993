-- Listens on an address, and serves HTTP/1.1 with or without TLS, over cqueues. Each connection has a coroutine of its
-- own, so that an error in one connection does not affect another. The webhook server and the emulator use this module.

local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local connections = require "waba.http.connection"
local core = require "waba.core"
local errno = require "cqueues.errno"
local exchange = require "waba.http.exchange"
local protect = require("waba.coroutines").protect
local limits = require "waba.http.limits"
local sockets = require "cqueues.socket"

local listener = {}

local TURN = 256 -- the number of connections that are accepted before other coroutines run
-- Seconds between two attempts to accept a connection while connections can't be accepted.
local PAUSE = 0.1

---@class waba.http.Listener
---@field socket table|nil  nil when closed
---@field limits table  an object of limits.lua
local Listener = {}
Listener.__index = Listener

--- Creates a TLS context for `listen` (a context of luaossl). `cert` is the certificate and its chain, `key` the
--- private key, both as PEM texts. Raises an error if the certificate or the key is invalid.
function listener.tls_context(cert, key)
  local openssl_context = require "openssl.ssl.context"
  local x509, pkey = require "openssl.x509", require "openssl.pkey"
  local context = openssl_context.new("TLS", true)
  context:setOptions(openssl_context.OP_NO_TLSv1 + openssl_context.OP_NO_TLSv1_1)
  context:setAlpnSelect(function(_, offered)
    for _, protocol in ipairs(offered) do
      if protocol == "http/1.1" then return protocol end
    end
  end)
  context:setPrivateKey(pkey.new(key, "PEM"))
  local chain = require("openssl.x509.chain").new()
  for certificate in cert:gmatch "%-%-%-%-%-BEGIN CERTIFICATE.-%-%-%-%-%-END CERTIFICATE%-%-%-%-%-" do
    chain:add(x509.new(certificate .. "\n", "PEM"))
  end
  context:setCertificateChain(chain)
  context:setCertificate(x509.new(cert, "PEM"))
  return context
end

-- Serves one request. If `serve` raises an error, responds with 500, or closes the connection if a response has begun.
local function serve_exchange(self, current)
  local ok, raised = protect(self.serve, current)
  if not ok then self.on_error(raised) end
  if not ok or not current.responded then
    if current.responded then current:drop() else current:refuse(500) end
  end
  self.limits:finish_body(current.connection)
  self.limits:release(current.connection)
  return current:finish()
end

local function serve_connection(self, connection)
  if self.context and not connection:start_tls(self.context) then return end
  while true do
    connection.is_idle = true
    local current = exchange.read(connection)
    if not current or not serve_exchange(self, current) then return end
    if connection.interrupted or self.is_paused then return end
    connection:expect(self.limits.idle_seconds)
    if connection:has_bytes() then cqueues.sleep(0) end -- lets other coroutines run between pipelined requests
  end
end

-- Serves a connection, and closes its socket even after an error. An open socket would keep its descriptor until the
-- garbage collector runs.
local function run_connection(self, connection)
  local ok, raised = protect(serve_connection, self, connection)
  if not ok then self.on_error(raised) end
  self.limits:close(connection)
  self.open[connection] = nil
  connection.socket:close()
  self.changed:signal()
end

local function adopt(self, socket)
  local connection = connections.new(socket, self.limits)
  local is_open = self.limits:open(connection)
  while is_open == nil do
    cqueues.poll(self.changed, PAUSE)
    if self.is_paused then return socket:close() end
    is_open = self.limits:open(connection)
  end
  if not is_open then
    if self.on_limit then self.on_limit(connection.address) end
    return socket:close()
  end
  self.open[connection] = true
  self.cq:wrap(run_connection, self, connection)
end

local function accept(self)
  local socket, why = self.socket:accept({ nodelay = true }, 0)
  if socket then
    self.accept_error = nil
    return adopt(self, socket)
  elseif why == errno.ETIMEDOUT then
    return cqueues.poll(self.socket, self.changed)
  elseif why == errno.ECONNABORTED or why == errno.EINTR then
    return
  end
  if self.accept_error ~= why then -- the reason is reported once, until a connection was accepted again
    self.accept_error = why
    self.on_error("cannot accept a connection: " .. core.system_error(why))
  end
  if self.limits:close_longest_waiting() then return cqueues.sleep(0) end
  collectgarbage() -- frees the descriptors of sockets that the program has not closed
  cqueues.poll(self.changed, PAUSE)
end

local function accept_all(self)
  local accepted = 0
  while self.socket and not self.is_paused do
    accept(self)
    accepted = accepted + 1
    if accepted % TURN == 0 then cqueues.sleep(0) end
  end
end

--- Accepts no more connections, and closes the connections that have no request.
function Listener:pause()
  self.is_paused = true
  self.changed:signal()
  for connection in pairs(self.open) do
    if connection.is_idle then connection:interrupt() end
  end
end

--- Closes the listening socket and all connections.
function Listener:close()
  local socket = self.socket
  if not socket then return end
  self.socket = nil
  self:pause()
  cqueues.cancel(socket:pollfd())
  socket:close()
  for connection in pairs(self.open) do connection:interrupt() end
end

---@class waba.http.ListenOptions
---@field cq userdata  the controller of cqueues that runs the coroutines
---@field port integer  0: any free port
---@field context? table  the result of `tls_context`; nil: HTTP without TLS
---@field serve fun(exchange: waba.http.Exchange)  responds to one request; may wait
---@field on_limit? fun(address: string|nil)  called when a connection was refused because of `limits`
---@field on_error fun(raised: any)  called if `serve` has raised an error, or if connections can't be accepted

-- Returns the text of an error code of cqueues. Negative codes are errors of the name resolution of cqueues.
local function reason(code)
  if code < 0 then return "the host has no address: expected an IP address of this machine, or a name that has one" end
  return core.system_error(code)
end

---@return waba.http.Listener|nil
---@return string? message
function listener.listen(options)
  local socket, why = sockets.listen {
    host = options.host, port = options.port, reuseaddr = true, reuseport = options.reuseport,
  }
  if not socket then return nil, reason(why) end
  socket:onerror(function(_, _, code) return code end)
  local ok
  ok, why = socket:listen()
  if not ok then
    socket:close()
    return nil, reason(why)
  end
  local self = setmetatable({
    cq = options.cq, socket = socket, context = options.context, limits = limits.new(options.limits),
    serve = options.serve, on_error = options.on_error, on_limit = options.on_limit,
    changed = condition.new(), open = {}, is_paused = false, port = select(3, socket:localname()),
  }, Listener)
  self.cq:wrap(accept_all, self)
  return self
end

return listener
