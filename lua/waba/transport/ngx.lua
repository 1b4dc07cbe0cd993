-- The transport inside nginx: HTTP/1.1 over cosockets, so that a worker never waits. TLS is always
-- verified, against `lua_ssl_trusted_certificate`; connections are kept in nginx's pools, one pool for
-- each origin. libcurl is never loaded here. Meets lua/waba/transport/contract.lua.

local core = require "waba.core"
local http1 = require "waba.transport.http1"
local was_stale = require("waba.transport").was_stale
local version = require "waba.version"

local ngx = ngx

local Ngx = {}
Ngx.__index = Ngx
Ngx.__name = "waba.transport.ngx"

local transport = {}

-- Phases of nginx that may wait for a socket.
local MAY_WAIT = {
  server_rewrite = true, rewrite = true, access = true, content = true, timer = true, preread = true,
  ssl_cert = true, ssl_session_fetch = true, ssl_client_hello = true,
}

-- What nginx says when something is missing in its configuration, and the directive that mends it.
local TRUST = "add the directive lua_ssl_trusted_certificate with the gateway's authority "
  .. "(for instance: lua_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;)"
local DEPTH = "add the directive lua_ssl_verify_depth 3;"
local DIRECTIVES = {
  ["no resolver defined"] = "add the directive resolver (for instance: resolver 127.0.0.53;)",
  ["unable to get local issuer certificate"] = TRUST .. " and " .. DEPTH,
  ["unable to get issuer certificate"] = TRUST .. " and " .. DEPTH,
  ["unable to verify the first certificate"] = TRUST,
  ["self-signed certificate"] = TRUST,
  ["self signed certificate"] = TRUST,
  ["certificate chain too long"] = DEPTH,
}

-- Headers whose value follows from the request and the connection; set by hand they would make two
-- readings of one message possible.
local RESERVED = {}
for name in ("content-length transfer-encoding expect connection host te trailer upgrade keep-alive "
  .. "proxy-connection proxy-authorization"):gmatch "%S+" do RESERVED[name] = true end

-- Some versions of nginx let a handshake with a bad certificate pass at times, and close the connection
-- before anything was sent on it. A new handshake brings the truth to light, mostly.
local HANDSHAKES = 3

local CONNECT_TIMEOUT = 10

-- A handshake takes the worker a good part of a millisecond. Of many that begin at once only the first few
-- begin at once, the others in these intervals, in seconds: so the worker serves others in between.
local HANDSHAKE_INTERVAL = 0.002
local HANDSHAKE_BURST = 4

-- Methods that say so when there is no body.
local SAYS_LENGTH = { POST = true, PUT = true, PATCH = true }

-- Why nothing can be sent in this phase of nginx; nil when it can.
local function refusal_of(phase)
  if MAY_WAIT[phase] then return nil end
  return ("nginx's phase %s may not wait: send from content_by_lua, access_by_lua or rewrite_by_lua, or from a "
    .. "timer (ngx.timer.at(0, …))"):format(phase)
end

---@return waba.Transport
function transport.new()
  return setmetatable({ targets = setmetatable({}, { __mode = "k" }) }, Ngx)
end

local function explained(word)
  for said, directive in pairs(DIRECTIVES) do
    if word:find(said, 1, true) then return word .. "; " .. directive end
  end
  return word
end

-- "https://host:port/path?query" in its parts; or nil and a message.
local function parse(url)
  local origin, message = core.origin(url)
  if not origin then return nil, message end
  local authority, path = url:match "^%a+://([^/?#]+)([^#]*)"
  local scheme, place = origin:match "^(%a+)://(.*)$"
  local host, port = place:match "^(.*):(%d+)$"
  host = host or place
  if path:sub(1, 1) ~= "/" then path = "/" .. path end
  return {
    origin = origin, authority = authority, path = path, secure = scheme == "https",
    port = tonumber(port) or (scheme == "https" and 443 or 80),
    name = host:match "^%[(.*)%]$" or host,
    address = host == "localhost" and "127.0.0.1" or host, -- a resolver may not know it
    pool = "waba " .. origin,
  }
end

-- What stays the same for a request head: where it goes, and its headers.
local function target_of(self, head)
  local target = self.targets[head]
  if target then return target end
  local message
  target, message = parse(head.url)
  if not target then return nil, message end
  local has_agent = false
  target.headers = {}
  for name, value in pairs(head.headers) do
    if RESERVED[name:lower()] then return nil, ("header '%s': is set by the transport"):format(name) end
    if name:lower() == "user-agent" then has_agent = true end
    target.headers[name] = value
  end
  if not has_agent then target.headers["User-Agent"] = "waba/" .. version end
  self.targets[head] = target
  return target
end

-- The whole head of a request. With the secret in it, it exists from here to the socket only.
local function head_of(exchange, target)
  local head, headers = exchange.request.head, target.headers
  headers["Transfer-Encoding"] = exchange.chunked and "chunked" or nil
  local length = exchange.to_send
  if not length and not exchange.chunked and SAYS_LENGTH[head.method] then length = 0 end
  headers["Content-Length"] = length and ("%d"):format(length) or nil
  return core.head(head.method, target.path, target.authority, headers, head.credentials, target.origin)
end

local next_handshake = 0 -- in this worker

-- False when the turn would come after the limit.
local function wait_for_handshake(limit)
  local now = core.clock()
  local turn = math.max(next_handshake, now - HANDSHAKE_BURST * HANDSHAKE_INTERVAL)
  if turn >= limit then return false end
  next_handshake = turn + HANDSHAKE_INTERVAL
  if turn > now then ngx.sleep(turn - now) end
  return true
end

-- A kept connection, or a new one with its handshake done.
local function connect(exchange, target)
  local now = core.clock()
  local limit = math.min(exchange.deadline, now + (exchange.request.connect_timeout or CONNECT_TIMEOUT))
  if limit <= now then return http1.fail(exchange, "timeout", "the time was over before there was a connection") end
  local socket = exchange.socket
  socket:settimeout(http1.milliseconds(limit - now))
  local done, word = socket:connect(target.address, target.port, { pool = target.pool })
  if not done then
    return http1.fail_by_word(exchange, word, "no connection to " .. target.authority .. (word == "timeout" and ""
      or " (" .. explained(word) .. ")"))
  end
  exchange.reused = socket:getreusedtimes() > 0
  if not target.secure or exchange.reused then return true end
  if wait_for_handshake(limit) then
    socket:settimeout(http1.milliseconds(limit - core.clock()))
    done, word = socket:sslhandshake(false, target.name, true)
  else
    done, word = nil, "timeout"
  end
  if done then
    exchange.fresh_tls = true
    return true
  end
  word = word or "handshake failed"
  if word == "timeout" or word == "closed" or word == "connection reset by peer" then
    return http1.fail_by_word(exchange, word, "no TLS with " .. target.authority)
  end
  return http1.fail(exchange, "tls", ("no TLS with %s: %s"):format(target.authority, explained(word)), word)
end

-- ---- Where a 2xx body goes. ----------------------------------------------------------------------

local files = 0

-- A file that grows beside its place. It is removed with the request, also when nginx ends the handler.
local function open_part(path)
  files = files + 1
  local name = ("%s.%d-%d.part"):format(path, ngx.worker.pid(), files)
  local handle, fault = io.open(name, "wb")
  if not handle then return nil, ("the file %s cannot be written: %s"):format(path, fault) end
  local part = { handle = handle, name = name, path = path, guard = newproxy(true) }
  getmetatable(part.guard).__gc = function()
    if part.name then os.remove(part.name) end
  end
  return part
end

local function complete_part(part)
  local done, fault = part.handle:close()
  if done then done, fault = os.rename(part.name, part.path) end
  if not done then return nil, ("the file %s cannot be written: %s"):format(part.path, fault), "file" end
  part.name, part.handle = nil, nil
  return ""
end

local function discard_part(part)
  if part.handle then part.handle:close() end
  if part.name then os.remove(part.name) end
  part.name, part.handle = nil, nil
end

-- For the status of the answer: the sink, and what ends it.
local function opener(exchange)
  local request, part = exchange.request, exchange.part
  local into = request.into
  return function(status)
    if not into or status < 200 or status >= 300 then return http1.memory(request.max_body) end
    if into.sink then
      return function(bytes) into.sink(bytes) end, function() return "" end
    end
    return function(bytes)
      local written, fault = part.handle:write(bytes)
      if not written then return ("the file %s cannot be written: %s"):format(part.path, fault), "file" end
    end, function() return complete_part(part) end
  end
end

-- ---- One exchange. -------------------------------------------------------------------------------

-- The request could not be written: the other side may have answered before it had the whole.
local function receive_early(exchange, word)
  local _, failure = http1.fail_by_word(exchange, word, "the request broke off")
  exchange.deadline, exchange.armed = core.clock() + 0.1, 0
  local response, late = http1.receive(exchange, opener(exchange))
  exchange.keep = false
  if response or exchange.sent == "yes" then return response, late end
  return nil, failure
end

local function exchange_messages(exchange, target)
  local connected, failure = connect(exchange, target)
  if not connected then return nil, failure end
  exchange.connected = core.clock()
  local head, message = head_of(exchange, target)
  if not head then return http1.fail(exchange, "invalid", message) end
  local written, fault = http1.send(exchange, head)
  if written then return http1.receive(exchange, opener(exchange)) end
  if type(fault) == "table" then return nil, fault end
  if exchange.fresh_tls and exchange.bytes_sent == 0 and fault == "closed" then
    exchange.doubtful = true
    return http1.fail(exchange, "tls", ("%s closed the connection right after the handshake; its certificate is "
      .. "probably not trusted: %s"):format(target.authority, TRUST), fault)
  end
  return receive_early(exchange, fault)
end

local function finish(exchange, response)
  local socket = exchange.socket
  if not response or not exchange.keep or not socket:setkeepalive() then socket:close() end
  http1.close_body(exchange)
  if exchange.part then discard_part(exchange.part) end
end

local function timings_of(exchange, started)
  return {
    connect = exchange.reused and 0 or exchange.connected - started,
    first_byte = exchange.first_byte - started, total = core.clock() - started,
  }
end

-- One try on one connection.
local function try(request, target, started)
  local exchange = {
    request = request, deadline = request.timeout and started + request.timeout or math.huge, armed = 0,
    sent = "no", bytes_sent = 0, bytes_received = 0,
  }
  local opened, fault = http1.open_body(exchange, request.body)
  if not opened then return exchange, http1.fail(exchange, "invalid", fault, "body") end
  if request.into and request.into.file then
    exchange.part, fault = open_part(request.into.file)
    if not exchange.part then
      http1.close_body(exchange)
      return exchange, http1.fail(exchange, "invalid", fault, "file")
    end
  end
  exchange.socket = ngx.socket.tcp()
  local done, response, failure = pcall(exchange_messages, exchange, target)
  finish(exchange, done and response)
  if not done then error(response, 0) end
  if response then response.timings = timings_of(exchange, started) end
  return exchange, response, failure
end

--- See `waba.Transport`.
---@param request waba.Request
---@return waba.Response|nil response
---@return waba.TransferFailure? failure
function Ngx:send(request)
  local started = core.clock()
  local message = refusal_of(ngx.get_phase())
  if message then return nil, { kind = "invalid", message = message, sent = "no" } end
  local target
  target, message = target_of(self, request.head)
  if not target then return nil, { kind = "invalid", message = message, sent = "no" } end
  local tries = 0
  repeat
    tries = tries + 1
    local exchange, response, failure = try(request, target, started)
    local again = failure and (exchange.doubtful and tries < HANDSHAKES or was_stale(request, failure))
    if not again then return response, failure end
  until false
end

--- Lets time pass without holding the worker up.
---@param seconds number
function Ngx:sleep(seconds)
  local message = refusal_of(ngx.get_phase())
  if message then error("waba: " .. message, 2) end
  local due = core.clock() + seconds
  repeat
    ngx.sleep(math.max(0, due - core.clock())) -- may end early, by nginx's own clock
  until core.clock() >= due
end

--- Nothing to free: connections belong to nginx's pools.
function Ngx:close() end

return transport
