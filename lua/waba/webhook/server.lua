-- The receiver on its own: an HTTP server (lua-http; HTTP/1.1 and HTTP/2, with or without TLS) that
-- answers webhooks and runs the handlers, in one cqueues controller.

local group = require "waba.webhook.group"
local library = require "waba.library"
local options = require "waba.options"

---@class waba.WebhookServer
local Server = {}
Server.__index = Server
Server.__name = "waba.WebhookServer"

local server = {}

-- Seconds for a request to arrive.
local PATIENCE = 30

local MOST_PORT = 65535

---@class waba.WebhookServerOptions
---@field receiver waba.Receiver
---@field host? string       the address to listen on; "127.0.0.1" by default, "0.0.0.0" for the world
---@field port? integer      0, the default: any free one (see `server:url`)
---@field path? string       the only path to answer; every one by default
---@field tls? { cert: string, key: string }  PEM texts or the files they are in; plain HTTP without,
---                          for a place behind a proxy
---@field concurrency? integer  handlers that may run at once; 4 by default. 0: none run here, other
---                          processes work the inbox off
---@field batch? integer     events each of them takes at a time; 8 by default
---@field lease? number      seconds, as of `receiver:work`
---@field interval? number   seconds between looks for what other processes stored; 0.5 by default
---@field grace? number      seconds to finish what was begun when told to stop; 10 by default
---@field reuseport? boolean several processes may listen on the port and share the work
---@field cq? userdata       the controller to live in, for a program that has one
local KNOWN = {
  receiver = "table", host = "string", port = "integer>=0", path = "string", tls = "table",
  concurrency = "integer>=0", batch = "integer>=1", lease = "number>0", interval = "number>0",
  grace = "number>=0", reuseport = "boolean", cq = "userdata",
}

local function pem(text)
  if text:find("-----BEGIN", 1, true) then return text end
  local file, message = io.open(text, "rb")
  if not file then error("waba.webhook.server: tls: " .. message, 0) end
  local content = file:read("*a")
  file:close()
  return content
end

local function select_protocol(_, offered)
  for _, wanted in ipairs { "h2", "http/1.1" } do
    for _, protocol in ipairs(offered) do
      if protocol == wanted then return protocol end
    end
  end
end

local function tls_context(tls)
  if type(tls.cert) ~= "string" or type(tls.key) ~= "string" then
    error("waba.webhook.server: tls needs cert and key", 0)
  end
  local openssl_context = require "openssl.ssl.context"
  local x509, pkey = require "openssl.x509", require "openssl.pkey"
  local context = require("http.tls").new_server_context()
  context:setOptions(openssl_context.OP_NO_TLSv1 + openssl_context.OP_NO_TLSv1_1)
  context:setAlpnSelect(select_protocol)
  context:setPrivateKey(pkey.new(pem(tls.key), "PEM"))
  local chain, certificates = require("openssl.x509.chain").new(), pem(tls.cert)
  for certificate in certificates:gmatch("%-%-%-%-%-BEGIN CERTIFICATE.-%-%-%-%-%-END CERTIFICATE%-%-%-%-%-") do
    chain:add(x509.new(certificate .. "\n", "PEM"))
  end
  context:setCertificateChain(chain)
  context:setCertificate(x509.new(certificates, "PEM"))
  return context
end

-- What lua-http can't be asked to do when a sender vanishes. Loaded with lua-http, not before.
local function streams()
  return require "waba.streams"
end

-- A header that comes twice becomes a list: credentials that are not clear count as none.
local function read_head(stream)
  local head = streams().next_head(stream, PATIENCE)
  if not head then return nil end
  local headers = {}
  for name, value in head:each() do
    local before = headers[name]
    if before ~= nil then
      value = type(before) == "table" and before or { before, value }
    end
    headers[name] = value
  end
  return { method = head:get(":method"), path = (head:get(":path") or "/"):gsub("[?#].*$", ""), headers = headers }
end

-- The body; nil when it is too long, false when the sender went away.
local function read_body(stream, headers, most)
  if tostring(headers.expect):lower() == "100-continue" and stream.connection.version < 2 then
    stream:write_continue(PATIENCE)
  end
  local parts, size = {}, 0
  while true do
    local chunk, message = streams().next_chunk(stream, PATIENCE)
    if not chunk then
      if message then return false end
      return table.concat(parts)
    end
    size = size + #chunk
    if size > most then return nil end
    parts[#parts + 1] = chunk
  end
end

local function write_answer(stream, status, headers, body, is_last)
  local head = require("http.headers").new()
  head:append(":status", ("%d"):format(status))
  for name, value in pairs(headers) do head:append(name, value) end
  head:append("content-length", ("%d"):format(#body))
  if is_last and stream.connection.version < 2 then head:append("connection", "close") end
  if stream:write_headers(head, body == "", PATIENCE) and body ~= "" then
    streams().write_part(stream, body, true, PATIENCE)
  end
end

local function answer_request(self, stream, request)
  if self.stopping then return write_answer(stream, 503, { ["retry-after"] = "1" }, "", true) end
  if self.path and request.path ~= self.path then return write_answer(stream, 404, {}, "", true) end
  local receiver = self.receiver
  local refused, headers = receiver:refuse(request.method, tonumber(request.headers["content-length"]))
  if refused then return write_answer(stream, refused, headers, "", true) end
  request.body = read_body(stream, request.headers, receiver.max_body)
  if request.body == nil then return write_answer(stream, 413, {}, "", true) end
  if not request.body then return end
  local ok, status, answer_headers, body = self.guarded(receiver.handle, receiver, request, self.put)
  if not ok then
    io.stderr:write("waba: ", tostring(status), "\n")
    return write_answer(stream, 500, {}, "", false)
  end
  write_answer(stream, status, answer_headers, body, false)
  if status == 200 then self.news:signal(1) end
end

local function serve_stream(self, stream)
  streams().mend(stream)
  local request = read_head(stream)
  if not request then return streams().leave(stream) end
  self.active = self.active + 1
  local ok, message = self.guarded(answer_request, self, stream, request)
  streams().leave(stream)
  self.active = self.active - 1
  self.idle:signal()
  if self.stopping then self.news:signal() end
  if not ok then error(message, 0) end
end

-- Tells what went wrong where nobody else can be told.
local function report(ok, handled, failed, raised)
  if not ok then
    io.stderr:write("waba: ", tostring(handled), "\n")
  elseif handled == nil then
    io.stderr:write("waba: ", tostring(failed), "\n")
  elseif failed > 0 then
    local text = "waba: %d of %d events failed, the last one: %s\n"
    io.stderr:write(text:format(failed, handled + failed, tostring(raised)))
  end
end

-- One coroutine of handlers. An inbox in memory is worked off even while the server stops.
local function work(self)
  local inbox = self.receiver.inbox
  local given = {
    batch = self.batch, lease = self.lease,
    on_more = function() self.news:signal(1) end,
    stop = function() return self.stopping and (inbox.durable or self.deadline_over()) end,
  }
  while true do
    report(self.guarded(self.receiver.work, self.receiver, given))
    local finished = self.stopping and self.active == 0 and (inbox.durable or inbox:depth() == 0)
    finished = finished or self.stopping and self.deadline_over()
    if finished then break end
    local due = inbox:next_due()
    self.news:wait(math.max(0.001, math.min(self.interval, due or self.interval)))
  end
  self.workers = self.workers - 1
  self.idle:signal()
end

--- The address to give to `client.webhook:set`, as this machine sees it.
---@return string
function Server:url()
  local host = self.host:find(":", 1, true) and "[" .. self.host .. "]" or self.host
  return ("%s://%s:%d%s"):format(self.scheme, host, self.port, self.path or "/")
end

--- Lets the server work for a while: for programs that have a loop of their own.
---@param seconds? number  at most; 0 by default
---@return true|nil ok
---@return string? message
function Server:step(seconds)
  if self.is_closed then return nil, "closed" end
  return self.cq:step(seconds or 0)
end

--- Takes no more webhooks, answers those that have arrived, lets the handlers that run come to their
--- end (an inbox in memory is worked off), and closes. Outside of a coroutine it steps the server until
--- that is done.
function Server:stop()
  if self.stopping then return end
  if not self.cqueues.running() then
    self.cq:wrap(self.stop, self)
    while not self.is_closed and self.cq:step() do end -- luacheck: ignore 542
    return
  end
  local deadline = self.cqueues.monotime() + self.grace
  self.stopping = true
  self.deadline_over = function() return self.cqueues.monotime() >= deadline end
  self.listener:pause()
  self.news:signal()
  while (self.active > 0 or self.workers > 0) and not self.deadline_over() do
    self.idle:wait(math.max(0, deadline - self.cqueues.monotime()))
  end
  self:close()
end

--- Runs until SIGTERM or SIGINT, then stops as `stop` does. Blocks both signals meanwhile.
---@return true|nil ok
---@return string? message
function Server:run()
  local signal = require "cqueues.signal"
  signal.block(signal.SIGTERM, signal.SIGINT)
  local told = signal.listen(signal.SIGTERM, signal.SIGINT)
  self.cq:wrap(function()
    told:wait()
    self:stop()
  end)
  local ok, message = true, nil
  while ok and not self.is_closed do ok, message = self.cq:step() end
  self:close()
  signal.unblock(signal.SIGTERM, signal.SIGINT)
  return ok, message
end

--- Closes at once. Harmless when repeated. The inbox stays open: it may be others' too.
function Server:close()
  if self.is_closed then return end
  self.is_closed, self.stopping = true, true
  self.deadline_over = function() return true end -- for a handler that closes its own server
  local socket = self.listener.socket
  self.listener.socket = nil
  self.listener:pause()
  self.cqueues.cancel(socket:pollfd())
  socket:close()
end

--- The descriptor, events and timeout of cqueues' pollable protocol.
function Server:pollfd() return self.cq:pollfd() end
function Server:events() return self.cq:events() end
function Server:timeout() return self.cq:timeout() end

-- Where the requests of a group wait for the one that stores.
local function new_gate(condition)
  local gate = { condition = condition.new() }
  function gate:wait(seconds) return self.condition:wait(seconds) end
  function gate:open() self.condition:signal() end
  return gate
end

local function start(self, given)
  local http_server = library.load("http.server", "http", "lua-http", "waba.webhook.server", 3)
  self.cqueues = require "cqueues"
  local condition = require "cqueues.condition"
  self.cq = given.cq or self.cqueues.new()
  self.news, self.idle = condition.new(), condition.new()
  self.guarded = require("http.util").yieldable_pcall
  self.put = self.receiver.inbox.grouped and group.new(self.receiver.inbox, function() self.cqueues.sleep(0) end,
    function() return new_gate(condition) end) or nil
  local ok, context
  if given.tls then
    ok, context = pcall(tls_context, given.tls)
    if not ok then error(context, 3) end
  end
  local listener, message = http_server.listen {
    cq = self.cq, host = self.host, port = given.port or 0, reuseaddr = true, reuseport = given.reuseport,
    tls = context ~= nil, ctx = context, connection_setup_timeout = PATIENCE, intra_stream_timeout = PATIENCE,
    onstream = function(_, stream) serve_stream(self, stream) end,
    onerror = function(_, _, operation, problem)
      -- What a sender does to its own connection is its own affair.
      if operation == "onstream" then io.stderr:write("waba: ", tostring(problem), "\n") end
    end,
  }
  if listener then ok, message = listener:listen() end
  if not listener or not ok then return nil, message end
  self.listener = listener
  self.port = select(3, listener:localname())
  for _ = 1, self.workers do self.cq:wrap(work, self) end
  return self
end

--- Starts to listen. The server lives when it is stepped: by `server:run()`, `server:step(seconds)`,
--- or by the controller given as `cq`.
---@param given waba.WebhookServerOptions
---@return waba.WebhookServer|nil
---@return string? message  why it can't listen
function server.new(given)
  given = options.check(given, KNOWN, "waba.webhook.server")
  if not given.receiver then error("waba.webhook.server: option receiver is required", 2) end
  if given.port and given.port > MOST_PORT then
    error(("waba.webhook.server: option port must be 0 to %d, not %.0f"):format(MOST_PORT, given.port), 2)
  end
  if type(given.receiver.handle) ~= "function" then
    error("waba.webhook.server: option receiver must be a receiver, as of waba.receiver", 2)
  end
  local self = setmetatable({
    receiver = given.receiver, host = given.host or "127.0.0.1", path = given.path,
    scheme = given.tls and "https" or "http", batch = given.batch or 8, lease = given.lease,
    interval = given.interval or 0.5, grace = given.grace or 10, workers = given.concurrency or 4,
    active = 0, stopping = false, is_closed = false,
  }, Server)
  local ok, message = start(self, given)
  if not ok then
    return nil, ("cannot listen on %s port %s: %s"):format(self.host, tostring(given.port or 0), tostring(message))
  end
  return self
end

return setmetatable(server, { __call = function(_, given) return server.new(given) end })
