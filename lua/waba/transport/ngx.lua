-- The transport inside nginx: HTTP/1.1 over cosockets, so that a worker process is never blocked. TLS is always
-- verified, against `lua_ssl_trusted_certificate`. nginx has a pool of connections for each origin. contract.lua
-- describes the methods.

local core = require "waba.core"
local open_file = require "waba.open"
local http1 = require "waba.transport.http1"
local http1_response = require "waba.transport.http1_response"
local ngx_connection = require "waba.transport.ngx_connection"
local runtime = require "waba.runtime"
local was_stale = require("waba.transport").was_stale
local version = require "waba.version"

local ngx = ngx
local tcp, open_connection = ngx.socket.tcp, ngx_connection.open

local Ngx = { __name = "waba.transport.ngx" }
Ngx.__index = Ngx

local transport = {}

-- The headers that only the transport sets. With other values the end of the HTTP message would be ambiguous.
local RESERVED = {}
for name in ("content-length transfer-encoding expect connection host te trailer upgrade keep-alive "
  .. "proxy-connection proxy-authorization"):gmatch "%S+" do RESERVED[name] = true end

local LOOPBACK = { ["127.0.0.1"] = true, ["[::1]"] = true }

-- The largest number of handshakes for one request. With an invalid certificate, some versions of nginx sometimes
-- report a successful handshake and then close the connection. A second handshake reports the certificate in most
-- cases.
local HANDSHAKES = 3

-- Methods for which a request without a body has the header Content-Length: 0.
local DECLARES_LENGTH = { POST = true, PUT = true, PATCH = true }

-- Cosockets send Lua strings, therefore this file needs the bytes of the secrets. The secrets are stored in local
-- tables and not in the transport or its clients, because any code could read them there.
local secrets = setmetatable({}, { __mode = "k" }) -- by credentials: the secret as a `waba.HeaderSecret`
local targets = setmetatable({}, { __mode = "k" }) -- by request head: the result of `target_of`

local FOREIGN_CREDENTIALS = "the request's credentials were not made by this transport: make them with its method "
  .. "credentials; a transport that wraps it must wrap this method too"

---@return waba.Transport
function transport.new() return setmetatable({}, Ngx) end

function Ngx:credentials(secret)
  local credentials, message = core.credentials(secret)
  if credentials then secrets[credentials] = core.header_secret(secret) end
  return credentials, message
end

-- Splits a URL. Returns nil and an error text if the URL is invalid.
local function parse(url)
  local origin, message = core.origin(url)
  if not origin then return nil, message end
  local path = url:match "^%a+://[^/?#]+([^#]*)"
  local scheme, place = origin:match "^(%a+)://(.*)$"
  local host, port = place:match "^(.*):(%d+)$"
  host = host or place
  if path:sub(1, 1) ~= "/" then path = "/" .. path end
  return {
    origin = origin, path = path, secure = scheme == "https",
    authority = place, -- without the default port, as in the requests of libcurl
    port = tonumber(port) or (scheme == "https" and 443 or 80),
    -- nginx compares a certificate with names only, and its resolver can fail to find an address of localhost
    name = LOOPBACK[host] and "localhost" or host,
    address = host == "localhost" and "127.0.0.1" or host,
    is_address = host:find "^[%d.]+$" ~= nil or host:find "^%[" ~= nil,
    options = { pool = "waba " .. origin },
  }
end

-- Returns the parsed URL of a request head, with the bytes of the head in its field `head`.
local function target_of(head)
  local target = targets[head]
  if target then return target end
  local message
  target, message = parse(head.url)
  if not target then return nil, message end
  local credentials, is_set, headers = head.credentials, {}, {}
  if credentials and not secrets[credentials] then return nil, FOREIGN_CREDENTIALS end
  for name, value in pairs(head.headers) do
    if RESERVED[name:lower()] then
      return nil, ("header '%s' is set by the transport: leave it out"):format(name)
    end
    is_set[name:lower()] = true
    headers[name] = value
  end
  if not is_set["user-agent"] then headers["User-Agent"] = "waba/" .. version end
  if not is_set["accept-encoding"] then headers["Accept-Encoding"] = "identity" end
  target.head, message = core.ready_head(head.method, target.path, target.authority, headers,
    credentials and secrets[credentials], target.origin)
  if not target.head then return nil, message end
  targets[head] = target
  return target
end

local function unwritable(path, message)
  return ("the file %s cannot be written: %s"):format(path, message), "file"
end

local files = 0

-- Opens a temporary file beside the file `path`. The metamethod `__gc` of `guard` removes the temporary file if nginx
-- ends the handler.
local function open_part(path)
  files = files + 1
  local name = ("%s.%d-%d.part"):format(path, ngx.worker.pid(), files)
  local handle, message = open_file(name, "wb")
  if not handle then return nil, (unwritable(path, message)) end
  core.remove_at_exit(name, true)
  local part = { handle = handle, name = name, path = path, guard = newproxy(true) }
  getmetatable(part.guard).__gc = function()
    if part.name then os.remove(part.name) end
    core.remove_at_exit(name, false)
  end
  return part
end

-- Renames the temporary file to its final name. Returns nil, an error text and a code if renaming fails.
local function complete_part(part)
  local done, message = part.handle:close()
  part.handle = nil
  if done then done, message = os.rename(part.name, part.path) end
  if not done then return nil, unwritable(part.path, message) end
  part.name = nil
  return true
end

-- Returns the function that writes a 2xx body to its file or sink.
local function diversion_of(exchange)
  local into, part = exchange.request.into, exchange.part
  if not part then return function(bytes) into.sink(bytes) end end
  return function(bytes)
    local written, message = part.handle:write(bytes)
    if not written then return unwritable(part.path, message) end
  end
end

local function receive(exchange)
  if not exchange.request.into then return http1_response.receive(exchange) end
  local response, failure = http1_response.receive(exchange, diversion_of(exchange))
  local part = exchange.part
  if not response or not part or response.status >= 300 then return response, failure end
  local complete, message, code = complete_part(part)
  if not complete then return http1.fail(exchange, "invalid", message, code) end
  return response
end

-- Reads a response after writing the request has failed, because the server may have responded to an incomplete
-- request.
local function receive_early(exchange, reason)
  local _, failure = http1.fail_by_reason(exchange, reason, "the request could not be sent")
  exchange.deadline, exchange.armed = core.clock() + 0.1, 0
  local response, late = receive(exchange)
  exchange.closes = true
  if response or exchange.sent == "yes" then return response, late end
  return nil, failure
end

local function exchange_messages(exchange, target, now)
  exchange.socket = tcp() -- raises an error in a phase that can't wait
  local connected, failure = open_connection(exchange, target, now)
  if not connected then return nil, failure end
  local reused = exchange.reused
  if not reused then exchange.connected = core.clock() end
  local length = exchange.chunked or exchange.to_send
  if not length and DECLARES_LENGTH[exchange.request.head.method] then length = 0 end
  local written, reason = http1.send(exchange, target.head, length, reused)
  if written then return receive(exchange) end
  if type(reason) == "table" then return nil, reason end
  if exchange.fresh_tls and exchange.bytes_sent == 0 and reason == "closed" then
    return ngx_connection.fail_uncertain(exchange, target, reason)
  end
  return receive_early(exchange, reason)
end

local function finish(exchange, response)
  local socket, part = exchange.socket, exchange.part
  if socket and (not response or exchange.closes or not socket:setkeepalive()) then socket:close() end
  http1.close_body(exchange)
  if part then
    if part.handle then part.handle:close() end
    if part.name then os.remove(part.name) end
    part.name, part.handle, exchange.part = nil, nil, nil
  end
end

-- Makes the exchange of one attempt, without a connection.
local function prepare(request, started)
  -- with `to_send`, `reused` and `status` an exchange has 16 fields: LuaJIT doubles the memory of a table for the 17th
  local exchange = {
    request = request, socket = false, started = started,
    deadline = request.timeout and started + request.timeout or math.huge, armed = 0, sent = "no", bytes_sent = 0,
    bytes_received = 0, buffer = "", from = 1, first_byte = 0, lines = "", body = "",
  }
  local fine, message = http1.open_body(exchange)
  if not fine then return http1.fail(exchange, "invalid", message, "body") end
  if request.into and request.into.file then
    exchange.part, message = open_part(request.into.file)
    if not exchange.part then
      http1.close_body(exchange)
      return http1.fail(exchange, "invalid", message, "file")
    end
  end
  return exchange
end

-- Makes one attempt. The third result is true if nginx may have failed to report an invalid certificate of the server.
local function try(request, target, started, now)
  local exchange, refused = prepare(request, started)
  if not exchange then return nil, refused end
  local done, response, failure = pcall(exchange_messages, exchange, target, now)
  finish(exchange, done and response)
  if not done and not exchange.socket then
    return http1.fail(exchange, "invalid", select(2, runtime.can_wait_in_nginx()) or response)
  end
  if not done then error(response, 0) end
  if not response then return nil, failure, exchange.is_uncertain end
  return http1_response.of(exchange)
end

function Ngx:send(request)
  local target, message = target_of(request.head)
  if not target then return nil, { kind = "invalid", message = message, sent = "no" } end
  local started, tries = core.clock(), 0
  local now = started
  repeat
    tries = tries + 1
    local response, failure, is_uncertain = try(request, target, started, now)
    if response then return response end
    now = core.clock()
    if not (is_uncertain and tries < HANDSHAKES or was_stale(request, failure)) then return nil, failure end
  until false
end

Ngx.can_wait = runtime.can_wait_in_nginx

function Ngx:sleep(seconds) runtime.sleep(seconds) end

function Ngx:waiter() return require("waba.transport.waiter").here() end

-- Releases nothing, because the connections belong to the pools of nginx.
function Ngx:close() end

return transport
