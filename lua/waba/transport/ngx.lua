-- The transport inside nginx: HTTP/1.1 over cosockets, so that a worker never waits. TLS is always
-- verified, against `lua_ssl_trusted_certificate`; connections are kept in nginx's pools, one pool for
-- each origin. libcurl is never loaded here. Meets lua/waba/transport/contract.lua.

local core = require "waba.core"
local http1 = require "waba.transport.http1"

local ngx = ngx -- luacheck: ignore 113

local Ngx = {}
Ngx.__index = Ngx
Ngx.__name = "waba.transport.ngx"

local transport = {}

-- Phases of nginx that may wait for a socket.
local MAY_WAIT = {
  rewrite = true, access = true, content = true, timer = true, preread = true,
  ssl_cert = true, ssl_session_fetch = true, ssl_client_hello = true,
}

-- What nginx says, and the directive that mends it.
local DIRECTIVES = {
  { said = "no resolver defined", directive = "add the directive `resolver` (such as: resolver 127.0.0.53;)" },
  { said = "unable to get local issuer certificate", directive = "add the directives `lua_ssl_trusted_certificate` "
    .. "(such as: lua_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;) and `lua_ssl_verify_depth 3;`" },
  { said = "certificate chain too long", directive = "add the directive `lua_ssl_verify_depth 3;`" },
}

-- Idle connections of one origin in one worker, and how long each stays, in milliseconds.
local POOL_SIZE = 64
local POOL_IDLE = 55000

---@param options? { pool_size: integer?, pool_idle: number? }  connections; seconds
---@return waba.Transport
function transport.new(options)
  options = options or {}
  return setmetatable({
    pool_size = options.pool_size or POOL_SIZE,
    pool_idle = options.pool_idle and options.pool_idle * 1000 or POOL_IDLE,
  }, Ngx)
end

local function explained(word)
  for _, known in ipairs(DIRECTIVES) do
    if word:find(known.said, 1, true) then return word .. ": " .. known.directive end
  end
  return word
end

-- "https://host:port/path?query" in its parts. The URL was checked when the client was made.
local function parse(url)
  local scheme, authority, target = url:match("^(%a+)://([^/?#]+)([^#]*)")
  if target:sub(1, 1) ~= "/" then target = "/" .. target end
  local host, port = authority:match("^(.-):(%d+)$")
  if not host or host:find("^%[") and not host:find("%]$") then host, port = authority, nil end
  scheme = scheme:lower()
  return {
    secure = scheme == "https", host = host, name = host:gsub("^%[(.*)%]$", "%1"), authority = authority,
    port = tonumber(port) or (scheme == "https" and 443 or 80), target = target,
  }
end

-- What the framing of the body adds to the headers.
local function headers_of(head, exchange)
  local headers = {}
  for name, value in pairs(head.headers) do headers[name] = value end
  headers.Connection = "keep-alive"
  if exchange.chunked then
    headers["Transfer-Encoding"] = "chunked"
  elseif exchange.to_send or head.method ~= "GET" and head.method ~= "HEAD" then
    headers["Content-Length"] = ("%d"):format(exchange.to_send or 0)
  end
  return headers
end

-- How the body goes out: its size where it is known, its file opened.
local function open_body(exchange, body)
  if type(body) == "string" then
    exchange.body, exchange.to_send = body, #body
  elseif body and body.reader then
    exchange.body, exchange.to_send, exchange.chunked = body, body.size, body.size == nil
  elseif body then
    local handle, fault = io.open(body.file, "rb")
    if not handle then return nil, fault end
    exchange.to_send = handle:seek("end")
    handle:seek("set")
    exchange.body = { handle = handle, size = exchange.to_send, file = body.file }
  end
  return true
end

-- A kept connection, or a new one with its handshake done.
local function connect(self, exchange, target)
  local left = exchange.deadline - core.clock()
  if left <= 0 then return http1.fail(exchange, "timeout", "the time was over before the connection was made") end
  local seconds = math.min(left, exchange.request.connect_timeout or 10)
  local socket = exchange.socket
  socket:settimeouts(math.max(1, math.floor(seconds * 1000)), nil, nil)
  local pool = (target.secure and "waba:https:" or "waba:http:") .. target.authority
  local connected, word = socket:connect(target.name, target.port, { pool = pool, pool_size = self.pool_size })
  if not connected then
    return http1.fail(exchange, word == "timeout" and "timeout" or "network",
      ("can't connect to %s: %s"):format(target.authority, explained(word)))
  end
  exchange.reused = (socket:getreusedtimes() or 0) > 0
  if not target.secure or exchange.reused then return true end
  socket:settimeout(math.max(1, math.floor(seconds * 1000)))
  local verified
  verified, word = socket:sslhandshake(false, target.name, true)
  if not verified then
    return http1.fail(exchange, word == "timeout" and "timeout" or "tls",
      ("no TLS with %s: %s"):format(target.authority, explained(word or "the handshake failed")))
  end
  exchange.fresh_tls = true
  return true
end

local function keep_or_close(self, exchange)
  if exchange.keep then
    exchange.socket:setkeepalive(self.pool_idle, self.pool_size)
  else
    exchange.socket:close()
  end
end

-- Where a 2xx body goes, by the request. A file is written beside its place and renamed when complete.
local function opener(exchange, request)
  local into = request.into
  return function(status)
    local success = status >= 200 and status < 300
    if not success or not into then return http1.memory(request.max_body) end
    if into.sink then
      return function(bytes) into.sink(bytes) end, function() return "" end
    end
    local handle, fault = io.open(into.file .. ".part", "wb")
    if not handle then return nil, fault end
    exchange.part = { handle = handle, name = into.file .. ".part" }
    return function(bytes)
      local written, trouble = handle:write(bytes)
      if not written then return into.file .. ": " .. tostring(trouble) end
    end, function()
      handle:close()
      exchange.part = nil
      local renamed, trouble = os.rename(into.file .. ".part", into.file)
      if not renamed then error(trouble, 0) end
      return ""
    end
  end
end

local function exchange_messages(self, exchange, target)
  local request = exchange.request
  local connected, failure = connect(self, exchange, target)
  if not connected then return nil, failure end
  local head, message = core.head(request.head.method, target.target, target.authority,
    headers_of(request.head, exchange), request.head.credentials, core.origin(request.head.url))
  if not head then return http1.fail(exchange, "invalid", message) end
  local written, word = http1.send(exchange, head)
  if not written then
    if type(word) == "table" then return nil, word end
    if exchange.fresh_tls and exchange.bytes_sent == 0 and word == "closed" then
      -- some versions of nginx report a bad certificate only here
      return http1.fail(exchange, "tls", "the connection was closed right after the handshake: "
        .. "the certificate is probably not trusted")
    end
    return http1.fail(exchange, word == "timeout" and "timeout" or "network", "the request broke off: " .. word)
  end
  return http1.receive(exchange, opener(exchange, request))
end

-- Whatever became of it: the file that was sent is closed, the one that is incomplete is removed.
local function tidy(exchange)
  if type(exchange.body) == "table" and exchange.body.handle then exchange.body.handle:close() end
  if exchange.part then
    exchange.part.handle:close()
    os.remove(exchange.part.name)
  end
end

--- See `waba.Transport`.
---@param request waba.Request
---@return waba.Response|nil response
---@return waba.TransferFailure? failure
function Ngx:send(request)
  local started = core.clock()
  local exchange = { request = request, deadline = started + (request.timeout or math.huge),
    sent = "no", bytes_sent = 0, bytes_received = 0 }
  local phase = ngx.get_phase()
  if not MAY_WAIT[phase] then
    return http1.fail(exchange, "invalid",
      ("nginx's phase %s may not wait for an answer: send from a timer (ngx.timer.at(0, …))"):format(phase))
  end
  local opened, fault = open_body(exchange, request.body)
  if not opened then return http1.fail(exchange, "invalid", fault) end
  exchange.socket = ngx.socket.tcp()
  local done, response, failure = pcall(exchange_messages, self, exchange, parse(request.head.url))
  tidy(exchange)
  if not done then
    exchange.socket:close()
    error(response, 0)
  end
  if not response then exchange.keep = false end
  keep_or_close(self, exchange)
  if response then
    response.timings = { total = core.clock() - started, first_byte = exchange.first_byte - started }
  end
  return response, failure
end

--- Lets time pass without holding the worker up.
---@param seconds number
function Ngx:sleep(seconds)
  ngx.sleep(seconds)
end

--- Nothing to free: connections belong to nginx's pools.
function Ngx:close() end

return transport
