-- The transport over libcurl, for scripts and event loops. contract.lua describes the methods.

local curl = require("waba.library").curl()
local runtime = require "waba.runtime"
local waiting = require "waba.transport.waiting"
local was_stale = require("waba.transport").was_stale

local detect, wait = runtime.detect, waiting.wait

local Curl = { __name = "waba.transport.curl" }
Curl.__index = Curl

local transport = {}

-- The largest number of finished transfers that are stored, because reusing a transfer is cheaper than making one.
local SPARES = 64
-- The largest number of attempts to send a request if the server has closed each reused connection.
local TRIES = 10

---@return waba.Transport
function transport.new(options)
  options = options or {}
  local message = options.proxy and curl.check_proxy(options.proxy)
  if message then error("waba.client: option proxy: " .. message, 0) end
  runtime.detect_name() -- its first call starts the detection of copas.step
  runtime.preload()
  return setmetatable(waiting.add_fields {
    options = { ca_file = options.ca_file, proxy = options.proxy, max_connections = options.max_connections },
    loop = options.loop and runtime.loop(options.loop),
    prepared = setmetatable({}, { __mode = "v" }), -- the results of `engine:prepare`, by the text of the request head
    spares = {}, spare_waiters = {}, spare_count = 0, -- finished transfers and their waiters
    closed = false,
  }, Curl)
end

local function beyond_limit(message)
  return { kind = "network", message = message, code = "limit", sent = "no" }
end

-- Returns a request head without its credentials as text. The text contains the length of each value, so that different
-- heads have different texts.
local function text_of(head)
  local lines = {}
  for name, value in pairs(head.headers or {}) do
    name, value = tostring(name), tostring(value)
    lines[#lines + 1] = ("%d %d %s %s"):format(#name, #value, name, value)
  end
  table.sort(lines)
  return table.concat({ head.method, head.url, tostring(head.idempotent), table.concat(lines, "\n") }, "\n")
end

-- Converts a request head to the prepared form that the core takes. Clients with equal request heads share one prepared
-- head, to which each request adds its credentials. The prepared head is stored in the table of the request head, and
-- not in a weak table, because the garbage collector would traverse all entries of the weak table.
local function prepare(self, engine, head)
  local text, message = text_of(head), nil
  local prepared = self.prepared[text]
  if not prepared then
    prepared, message = engine:prepare {
      method = head.method, url = head.url, headers = head.headers, idempotent = head.idempotent,
    }
    self.prepared[text] = prepared
  end
  head[self] = prepared
  return prepared, message
end

local function options_of(request)
  local into = request.into
  return {
    max_body = request.max_body, max_size = into and into.max_size, save_as = into and into.file,
    stream = into and into.sink ~= nil or nil, progress = request.progress ~= nil or nil,
  }
end

-- Makes one attempt. The function is not divided into smaller functions, because it is called for each message.
local function try(self, engine, request, is_brief)
  local loop, task = detect(self.loop)
  local message
  if not task then
    task, message = loop.task()
    if message then return nil, beyond_limit(message) end
  end
  local head = request.head
  local prepared = head[self]
  if not prepared then
    prepared, message = prepare(self, engine, head)
    if not prepared then return nil, { kind = "invalid", message = message, sent = "no" } end
  end
  local spares, spare_waiters, count = self.spares, self.spare_waiters, self.spare_count
  local spare, waiter = spares[count], spare_waiters[count]
  if spare then
    spares[count], self.spare_count = nil, count - 1
  end
  local options = (request.into or request.progress or request.max_body) and options_of(request) or nil
  local transfer, id, limit = engine:start(prepared, request.body, options, spare, head.credentials, request.timeout,
    request.connect_timeout)
  if not transfer then
    return nil, limit and beyond_limit(id) or { kind = "invalid", message = id, sent = "no" }
  end
  waiter = wait(self, engine, loop, task, id, transfer, request, waiter)
  local response, failure = transfer:finish(is_brief)
  count = self.spare_count + 1
  if count <= SPARES then
    spares[count], self.spare_count = transfer, count
    waiter.task, waiter.owner = nil, nil
    spare_waiters[count] = not (waiter.has_functions or waiter.is_cancelled) and waiter
  end
  if waiter.raised then error(waiter.raised.value, 0) end
  return response, failure
end

function Curl:send(request, is_brief)
  if self.closed then error("attempt to use a closed transport", 2) end
  local engine = self.engine
  if not engine then
    local message
    engine, message = curl.engine(self.options)
    if not engine then return nil, beyond_limit(message) end
    self.engine = engine
  end
  local attempt, response, failure = 0
  repeat
    attempt = attempt + 1
    response, failure = try(self, engine, request, is_brief)
  until response or attempt == TRIES or self.closed or not was_stale(request, failure)
  return response, failure
end

function Curl:can_wait() return runtime.can_wait_in_loop(self.loop) end

function Curl:sleep(seconds) runtime.detect(self.loop).sleep(seconds) end

function Curl:waiter() return require("waba.transport.waiter").here(self.loop) end

Curl.cancel = waiting.cancel

function Curl:close()
  if self.closed then return end
  self.closed = true
  if not self.engine then return end
  waiting.wake_all(self)
  runtime.forget(self.engine)
  self.engine:close()
end

return transport
