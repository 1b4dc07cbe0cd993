-- An HTTP/1.1 server for a receiver, with or without TLS. The server responds to webhooks and runs the handlers in one
-- controller of cqueues.

local core = require "waba.core"
local exchanges = require "waba.webhook.exchanges"
local group = require "waba.webhook.group"
local protect = require("waba.coroutines").protect
local library = require "waba.library"
local limits = require "waba.http.limits"
local complete = require("waba.option").complete
local printable = require "waba.printable"
local refusal_log = require "waba.webhook.refusal_log"
local works = require "waba.inbox.work"

---@class waba.WebhookServer
local Server = { __name = "waba.WebhookServer" }
Server.__index = Server

local server = {}

local MOST_PORT = 65535
-- The longest wait in seconds of `run`. A signal that arrives just before a wait is noticed only after the wait.
local LONGEST = 0.5

--- The options of `waba.webhook.server`.
---@options waba.WebhookServerOptions
local OPTIONS = {
  receiver = "waba.Receiver",        -- required
  host = { "string", "127.0.0.1" },  -- the address to listen on; "0.0.0.0": all addresses of the machine
  port = { "integer>=0", 0 },        -- 0: any free port; `server:url` returns the chosen port
  path = "string",                   -- the only path that the server accepts; default: all paths
  tls = "{ cert: string, key: string }", -- PEM texts, or paths of PEM files; default: HTTP without TLS, for use behind a
                                     -- proxy
  concurrency = { "integer>=0", 4 }, -- the largest number of handlers that run at once; 0: other processes handle the
                                     -- stored events
  batch = { "integer>=1", 64 },      -- the largest number of events that are taken at once, as in `receiver:work`
  lease = { "number>0", 60 },        -- seconds of a lease, as in `receiver:work`
  interval = { "number>0", 0.5 },    -- seconds between checks for events that other processes stored
  grace = { "number>=0", 10 },       -- seconds after `server:stop` in which requests and handlers can finish
  reuseport = "boolean",             -- true: several processes may listen on the port, and share the connections
  limits = "waba.ServerLimits",      -- the limits of a peer that has not yet sent valid credentials
  cq = "userdata",                   -- the controller of cqueues that runs the server; default: a new controller
}

local function pem(text)
  if text:find("-----BEGIN", 1, true) then return text end
  local file, message = io.open(text, "rb")
  if not file then error("waba.webhook.server: tls: " .. message, 0) end
  local content
  content, message = file:read("*a")
  file:close()
  if not content then error(("waba.webhook.server: tls: %s: %s"):format(text, message), 0) end
  return content
end

local function tls_context(tls)
  if type(tls.cert) ~= "string" or type(tls.key) ~= "string" then
    error("waba.webhook.server: option tls must have the fields cert and key", 0)
  end
  library.load("openssl.ssl.context", "luaossl", "lua-luaossl", "waba.webhook.server: tls", 0)
  local ok, context = pcall(require("waba.http.listener").tls_context, pem(tls.cert), pem(tls.key))
  if not ok then
    local text = "waba.webhook.server: option tls: the certificate or the key is invalid: expected PEM (%s)"
    error(text:format(tostring(context)), 0)
  end
  return context
end

-- Control characters are replaced, because the text may quote senders and customers.
local function log(text) io.stderr:write("waba: ", printable.text(text), "\n") end

-- Returns whether the work may end. With an inbox in memory, the work handles all events before it ends.
local function is_over(self)
  if not self.stopping then return false end
  local inbox = self.receiver.inbox
  return inbox.durable or self.deadline_over() or self.active == 0 and inbox:depth() == 0
end

-- Runs the handlers.
local function work(self)
  local ok, message
  repeat
    ok, message = protect(self.work.run, self.work)
    if not ok then
      log(tostring(message))
      self.cqueues.sleep(self.work.interval)
    end
  until ok or is_over(self)
  self.is_working = false
  self.idle:signal()
end

--- Returns the URL of the server on this machine, for `client.webhook:set`.
---@return string
function Server:url()
  local host = self.host:find ":" and "[" .. self.host .. "]" or self.host
  return ("%s://%s:%d%s"):format(self.scheme, host, self.port, self.path or "/")
end

-- Runs one step of the controller. If the server has made the controller, logs an error of a coroutine, so that the
-- error does not end the server.
local function step(self, seconds)
  local ok, message, _, thread = self.cq:step(seconds)
  if ok or not thread or not self.owns_controller then return ok, message end
  log(debug.traceback(thread, tostring(message)))
  return true
end

--- Runs one step of the server, for programs with their own loop.
---@param seconds? number  the longest wait in seconds; default: 0
---@return true|nil ok
---@return string? message
function Server:step(seconds)
  if seconds ~= nil and type(seconds) ~= "number" then
    error("server:step: the argument must be a number of seconds, not a " .. type(seconds), 2)
  end
  if self.is_closed then return nil, "closed" end
  return step(self, seconds or 0)
end

--- Accepts no more webhooks, responds to the webhooks that have arrived, waits for the running handlers, and closes the
--- server. Before the end, handles all events of an inbox in memory. Outside of a coroutine this function steps the
--- server until the server is closed.
function Server:stop()
  if self.stopping then return end
  if not self.cqueues.running() then
    self.cq:wrap(self.stop, self)
    while not self.is_closed do
      if not step(self) then return end
    end
    return
  end
  local deadline = self.cqueues.monotime() + self.grace
  self.stopping = true
  self.deadline_over = function() return self.cqueues.monotime() >= deadline end
  self.listener:pause()
  if self.work then self.work:wake() end
  while (self.active > 0 or self.is_working) and not self.deadline_over() do
    self.idle:wait(math.max(0, deadline - self.cqueues.monotime()))
  end
  local inbox = self.receiver.inbox
  local left = self.work and not inbox.durable and inbox:depth() or 0
  if left > 0 then
    log(("the server ends, and %d events are left in the inbox: they are lost, since it is in memory"):format(left))
  end
  self:close()
end

--- Runs the server until SIGTERM, SIGINT or SIGHUP arrives, then calls `stop`. A second signal ends the process at
--- once.
---@return true|nil ok
---@return string? message
function Server:run()
  core.hold_interrupt(true)
  local ok, message = true, nil
  while ok and not self.is_closed do
    ok, message = step(self, LONGEST)
    if core.interrupted() then self:stop() end
  end
  self:close()
  core.hold_interrupt(false)
  return ok, message
end

--- Closes the server at once. The inbox stays open, because the program may still use it. Further calls have no effect.
function Server:close()
  if self.is_closed then return end
  self.is_closed, self.stopping = true, true
  self.deadline_over = function() return true end -- ends the wait of `stop` if a handler has called `close`
  self.listener:close()
end

--- A program can pass the server to `cqueues.poll`, which calls the methods `pollfd`, `events` and `timeout`.
function Server:pollfd() return self.cq:pollfd() end
function Server:events() return self.cq:events() end
function Server:timeout() return self.cq:timeout() end

-- Makes a controller. Returns nil and an error text if cqueues raises an error.
local function new_loop(cqueues)
  local ok, loop = pcall(cqueues.new)
  if ok then return loop end
  local errno, text = require "cqueues.errno", tostring(loop)
  for _, number in ipairs { errno.EMFILE, errno.ENFILE } do
    if text:find(errno.strerror(number), 1, true) then text = core.system_error(number) end
  end
  return nil, "the event loop can't be created: " .. text
end

local function start(self, options)
  self.report = refusal_log.new(log)
  self.cqueues = library.load("cqueues", "cqueues", "lua-cqueues", "waba.webhook.server", 3)
  local condition = require "cqueues.condition"
  local message
  self.cq, self.owns_controller = options.cq, options.cq == nil
  if not self.cq then self.cq, message = new_loop(self.cqueues) end
  if not self.cq then return nil, message end
  self.idle = condition.new()
  local target = self.work or self.receiver.inbox
  local function put(events, sources) return target:put(events, sources) end
  self.put = self.receiver.inbox.grouped and group.new(target, function() self.cqueues.sleep(0) end, condition.new,
    function(latch) latch:signal() end) or put
  local ok, context
  if options.tls then
    ok, context = pcall(tls_context, options.tls)
    if not ok then error(context, 3) end
  end
  self.listener, message = require("waba.http.listener").listen {
    cq = self.cq, host = self.host, port = options.port, reuseport = options.reuseport, context = context,
    limits = options.limits, serve = function(exchange) exchanges.serve(self, exchange) end,
    on_error = function(raised) log(tostring(raised)) end,
    on_limit = function(address)
      self.report(503, "there are too many connections: see limits.connections and limits.peer_connections", address)
    end,
  }
  if not self.listener then return nil, message end
  self.port = self.listener.port
  if self.work then
    self.is_working = true
    self.cq:wrap(work, self)
  end
  return self
end

--- Starts to listen. The server runs only while a program calls `server:run()` or `server:step(seconds)`, or steps the
--- controller of the option `cq`.
---@param options waba.WebhookServerOptions
---@return waba.WebhookServer|nil
---@return string? message  the reason why the server cannot listen
function server.new(options)
  options = complete(options, OPTIONS, "waba.webhook.server")
  if not options.receiver then error("waba.webhook.server: option receiver is required", 2) end
  options.limits = complete(options.limits, limits.OPTIONS, "waba.webhook.server: limits")
  if options.port > MOST_PORT then
    error(("waba.webhook.server: option port must be 0 to %d, not %.0f"):format(MOST_PORT, options.port), 2)
  end
  if options.path and options.path:sub(1, 1) ~= "/" then
    error(('waba.webhook.server: option path is %s: expected one that begins with "/"'):format(options.path), 2)
  end
  if type(options.receiver.handle) ~= "function" then
    error("waba.webhook.server: option receiver must be a receiver from waba.receiver", 2)
  end
  local self = setmetatable({
    receiver = options.receiver, host = options.host, path = options.path,
    scheme = options.tls and "https" or "http", grace = options.grace,
    active = 0, stopping = false, is_closed = false, is_working = false,
  }, Server)
  options.forever, options.log = true, log
  function options.stop() return is_over(self) end
  if options.concurrency ~= 0 then self.work = works.new(self.receiver, options) end
  local ok, message = start(self, options)
  if not ok then
    return nil, ("cannot listen on %s port %s: %s"):format(self.host, tostring(options.port), tostring(message))
  end
  return self
end

return setmetatable(server, { __call = function(_, options) return server.new(options) end })
