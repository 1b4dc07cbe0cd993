-- Delivers webhooks: keeps what is to be posted, posts it to the registered address in order, tries
-- again with a growing delay what was not answered with exactly 200, and remembers every attempt.

local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local connection_common = require "http.connection_common"
local h1_connection = require "http.h1_connection"
local http_tls = require "http.tls"
local http_util = require "http.util"
local new_headers = require "http.headers".new
local socket = require "cqueues.socket"

local json = require "waba.emulator.json"
local ring = require "waba.emulator.ring"
local streams = require "waba.streams"

local webhooks = {}

-- Seconds an idle connection is kept for the next delivery.
local IDLE = 0.5
-- Characters of a refused answer that are kept for people to read.
local EXCERPT = 500
-- Bytes of an answer's body that are read at all.
local MAX_ANSWER = 64 * 1024

---@class waba.emulator.Webhooks
---@field address? { url: string, headers: table<string, string> }
---@field attempts waba.emulator.Ring
---@field delivered integer  deliveries answered with 200
---@field pending integer    deliveries that wait or are in flight
local Webhooks = {}
Webhooks.__index = Webhooks
Webhooks.__name = "waba.emulator.Webhooks"

-- A queue: `first` is the oldest, `last` the newest.
local function new_queue()
  return { first = 1, last = 0 }
end

local function put(queue, delivery)
  queue.last = queue.last + 1
  queue[queue.last] = delivery
end

local function take(queue)
  local delivery = queue[queue.first]
  if delivery then
    queue[queue.first] = nil
    queue.first = queue.first + 1
  end
  return delivery
end

local function split(url)
  local scheme, authority, path = url:match("^(%a+)://([^/?#]+)([^#]*)$")
  if not scheme then
    return nil
  end
  scheme = scheme:lower()
  local host, port = authority:match("^%[?([^%]]-)%]?:(%d+)$")
  if path:sub(1, 1) ~= "/" then
    path = "/" .. path
  end
  return {
    tls = scheme == "https", scheme = scheme, authority = authority, path = path,
    host = host or authority:match("^%[?(.-)%]?$"), port = tonumber(port) or (scheme == "https" and 443 or 80),
  }
end

local LOOPBACK = { localhost = true, ["::1"] = true }

--- What is wrong with a webhook address, if anything. Only https is taken; plain http to loopback
--- only, which the real gateway refuses too.
---@param url any
---@return string|nil problem
function webhooks.problem(url)
  local target = type(url) == "string" and split(url)
  if not target or url:find("%s") then
    return "url: a valid HTTPS URL is required"
  elseif target.scheme == "https" or target.scheme == "http"
    and (LOOPBACK[target.host] or target.host:find("^127%.%d+%.%d+%.%d+$")) then
    return nil
  end
  return "url: the scheme must be https"
end

---@param options table  the option `webhooks`, complete
---@param clock waba.emulator.Clock
---@param cq userdata    the cqueues controller
---@param keep integer   attempts to remember
---@param chance fun(): number
---@return waba.emulator.Webhooks
function webhooks.new(options, clock, cq, keep, chance)
  return setmetatable({
    options = options, clock = clock, cq = cq, chance = chance,
    ready = new_queue(), lanes = {},
    workers = 0, idle = 0, work = condition.new(),
    attempts = ring.new(keep), delivered = 0, pending = 0, given_up = 0,
  }, Webhooks)
end

--- Sets the address; the former one and its headers are forgotten.
---@param url string
---@param headers? table<string, string>
function Webhooks:set(url, headers)
  self.address = { url = url, headers = headers or {}, target = split(url) }
end

-- A delivery is one body and what became of it. It is in `ready` or in flight when it owns its lane,
-- and waits in the lane's queue while another one does: so nothing overtakes within a lane (one
-- customer) unless a delivery fails.
local function start(self, delivery)
  put(self.ready, delivery)
  if self.idle > 0 then
    self.work:signal(1)
  elseif self.workers < self.options.concurrency then
    self.workers = self.workers + 1
    self.cq:wrap(self.worker, self)
  end
end

local function enqueue(self, delivery)
  local lane = self.lanes[delivery.lane]
  if lane then
    put(lane, delivery)
  else
    self.lanes[delivery.lane] = new_queue()
    start(self, delivery)
  end
end

local function leave_lane(self, delivery)
  local following = take(self.lanes[delivery.lane])
  if following then
    start(self, following)
  else
    self.lanes[delivery.lane] = nil
  end
end

--- Hands over events to be posted. Without an address they are dropped.
---@param events table  `contacts`, `messages`, `statuses`, `errors`: the lists of one body
---@param lane string   deliveries of one lane keep their order
function Webhooks:post(events, lane)
  if not self.address then
    return
  end
  self.pending = self.pending + 1
  local delivery = { events = events, lane = lane, attempt = 0, first_at = self.clock:now() }
  if self.options.reorder > 0 and self.chance() < self.options.reorder then
    self.clock:after(0.02 + 0.2 * self.chance(), function() enqueue(self, delivery) end)
  else
    enqueue(self, delivery)
  end
end

local KEYS = { "contacts", "messages", "statuses", "errors" }

local function join(delivery, more)
  for _, key in ipairs(KEYS) do
    for _, event in ipairs(more.events[key] or {}) do
      delivery.events[key] = delivery.events[key] or {}
      table.insert(delivery.events[key], event)
    end
  end
end

-- Joins what waits into one delivery, up to the size of a batch. Those of other lanes are returned:
-- their lanes are theirs until the end.
local function fill_batch(self, delivery)
  local joined = {}
  if delivery.body then
    return joined
  end
  local size, lane = 1, self.lanes[delivery.lane]
  while size < self.options.batch do
    local queue = lane.first <= lane.last and lane or self.ready
    local more = queue[queue.first]
    if not more or more.body then
      break
    end
    take(queue)
    join(delivery, more)
    size = size + 1
    self.pending = self.pending - 1
    if queue == self.ready then
      joined[#joined + 1] = more
    end
  end
  return joined
end

-- Reading the system's authorities takes long: once is enough, and not before it is needed.
local function tls_context(self)
  local ca_file = self.options.ca_file
  if not self.context or self.context_ca_file ~= ca_file then
    self.context = http_tls.new_client_context()
    if ca_file then
      self.context:getStore():add(ca_file)
    end
    self.context_ca_file = ca_file
  end
  return self.context
end

local function connect(self, target)
  if target.tls then
    return require("http.client").connect({
      host = target.host, port = target.port, tls = true, ctx = tls_context(self), version = 1.1,
    }, self.options.timeout)
  end
  local connecting = socket.connect({ host = target.host, port = target.port, nodelay = true })
  connecting:onerror(connection_common.onerror)
  return h1_connection.new(connecting, "client", 1.1)
end

local function request_head(self, address, delivery)
  local head = new_headers()
  head:append(":method", "POST")
  head:append(":scheme", address.target.scheme)
  head:append(":authority", address.target.authority)
  head:append(":path", address.target.path)
  head:append("content-type", "application/json")
  head:append("content-length", ("%d"):format(#delivery.body))
  head:append("user-agent", "waba-emulator")
  head:append("accept", "*/*")
  if not self.options.keep_alive then
    head:append("connection", "close")
  end
  for name, value in pairs(address.headers) do
    head:upsert(name:lower(), tostring(value))
  end
  return head
end

-- Reads an answer's body: its beginning is kept, and a long one costs the connection.
local function read_excerpt(stream, left)
  local excerpt, size = "", 0
  while size <= MAX_ANSWER do
    local chunk, message = streams.next_chunk(stream, left())
    if not chunk then
      return not message and excerpt or nil, message
    end
    size = size + #chunk
    excerpt = (excerpt .. chunk):sub(1, EXCERPT)
  end
  return excerpt
end

-- One exchange over a stream. Returns the status and an excerpt, or nil and why; and whether the
-- receiver had its time.
local function converse(self, stream, address, delivery)
  local deadline = cqueues.monotime() + self.options.timeout
  local function left()
    return math.max(0, deadline - cqueues.monotime())
  end
  local written, message = stream:write_headers(request_head(self, address, delivery), false, left())
  if written then
    written, message = stream:write_chunk(delivery.body, true, left())
  end
  local answer
  if written then
    answer, message = stream:get_headers(left())
  end
  if not answer then
    return nil, message or "connection closed", left() == 0
  end
  local status = tonumber(answer:get(":status"))
  local excerpt
  excerpt, message = read_excerpt(stream, left)
  if not excerpt then
    return nil, message, true
  end
  return status, excerpt, true
end

-- The same over a connection, which is left in order or dead.
local function exchange(self, connection, address, delivery)
  local stream = connection:new_stream()
  if not stream then
    return nil, "connection closed"
  end
  streams.mend(stream)
  local ok, status, message, answered = http_util.yieldable_pcall(converse, self, stream, address, delivery)
  streams.leave(stream)
  if not ok then
    error(status, 0)
  end
  return status, message, answered
end

-- Makes the body's text once; a failed delivery is repeated byte for byte.
local function encode(delivery)
  delivery.body = delivery.body or json.encode(delivery.events)
end

-- Tries a delivery over the worker's connection, or a fresh one.
local function attempt(self, delivery, kept)
  local address = self.address
  delivery.attempt = delivery.attempt + 1
  encode(delivery)
  local started = self.clock:now()
  local status, message, answered
  local connection = kept.address == address and kept.connection
  if connection then
    status, message, answered = exchange(self, connection, address, delivery)
  end
  if not status and not answered then
    -- The other end closes idle connections when it likes: that is no failed delivery.
    if kept.connection then
      kept.connection:close()
      kept.connection = nil
    end
    connection, message = connect(self, address.target)
    if connection then
      kept.connection, kept.address = connection, address
      status, message = exchange(self, connection, address, delivery)
    end
  end
  if kept.connection and (not status or not self.options.keep_alive) then
    kept.connection:close()
    kept.connection = nil
  end
  self.attempts:add({
    url = address.url, headers = address.headers, body = delivery.body, attempt = delivery.attempt,
    status = status, error = not status and tostring(message or "no answer") or nil,
    answer = status and status ~= 200 and message or nil, at = started,
  })
  return status
end

-- What follows from the status of an attempt.
local function settle(self, delivery, status)
  if status == 200 then
    self.delivered = self.delivered + 1
    if self.options.duplicates > 0 and not delivery.duplicate and self.chance() < self.options.duplicates then
      delivery.duplicate = true
      enqueue(self, delivery)
    else
      self.pending = self.pending - 1
    end
    return
  end
  local now = self.clock:now()
  if now - delivery.first_at >= self.options.give_up then
    self.pending = self.pending - 1
    self.given_up = self.given_up + 1
    return
  end
  local delay = math.min(self.options.backoff * delivery.attempt, self.options.max_backoff)
  self.clock:after(delay, function() enqueue(self, delivery) end)
end

--- Delivers until nothing is left to deliver: the body of one coroutine.
---@private
function Webhooks:worker()
  local kept = {}
  while true do
    local delivery = take(self.ready)
    if delivery then
      local joined = fill_batch(self, delivery)
      local ok, status = http_util.yieldable_pcall(attempt, self, delivery, kept)
      if not ok then
        io.stderr:write("waba emulator: webhook: ", tostring(status), "\n")
        status, kept.connection = nil, nil
      end
      settle(self, delivery, status)
      leave_lane(self, delivery)
      for _, other in ipairs(joined) do
        leave_lane(self, other)
      end
    else
      if not kept.connection then
        break
      end
      self.idle = self.idle + 1
      local reason = cqueues.poll(self.work, IDLE)
      self.idle = self.idle - 1
      if reason == IDLE and self.ready.first > self.ready.last then
        break
      end
    end
  end
  self.workers = self.workers - 1
  if kept.connection then
    kept.connection:close()
  end
end

return webhooks
