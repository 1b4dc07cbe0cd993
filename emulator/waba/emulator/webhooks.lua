-- Delivers webhooks: posts events to the registered URL in order, repeats a delivery with a growing delay until the
-- response has the status 200, and records every attempt.

local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local protect = require("waba.coroutines").protect
local journal = require "waba.emulator.journal"
local json = require "waba.emulator.json"
local loopback = require "waba.loopback"
local printable = require "waba.printable"
local webhook_exchange = require "waba.emulator.webhook_exchange"

local webhooks = {}

-- Seconds for which a worker keeps an idle connection for its next delivery.
local IDLE = 0.5

--- The functions of a hosting that write the bodies of webhooks.
---@class waba.emulator.WebhookShape
---@field join fun(events: table, more: table)   adds the events `more` of another delivery to `events`, for a batch
---@field body fun(events: table): table         returns the body to post
---@field sign? fun(body: string): string|nil    returns the value of the header
---        X-Hub-Signature-256; nil without a secret

---@class waba.emulator.Webhooks
---@field addresses table<string, { url: string, headers: table<string, string> }>  the URLs by name; "number" is the URL of the business number
---@field copies string[]    the names of URLs that get a copy of each webhook that the URL "number" has accepted
---@field on_attempt fun(attempt: table)|nil  called after each attempt
---@field delivered integer  the number of deliveries that ended with the status 200
---@field pending integer    the number of deliveries that wait or are in progress
local Webhooks = {}
Webhooks.__index = Webhooks
Webhooks.__name = "waba.emulator.Webhooks"

-- A queue. `first` is the position of the oldest element, and `last` is the position of the newest.
local function new_queue() return { first = 1, last = 0 } end

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
  if not scheme then return nil end
  scheme = scheme:lower()
  local host, port = authority:match("^%[?([^%]]-)%]?:(%d+)$")
  if path:sub(1, 1) ~= "/" then path = "/" .. path end
  return {
    tls = scheme == "https", scheme = scheme, authority = authority, path = path,
    host = host or authority:match("^%[?(.-)%]?$"), port = tonumber(port) or (scheme == "https" and 443 or 80),
  }
end

--- Returns an error message for an invalid URL. Unlike the real gateway, the emulator also accepts http URLs of
--- loopback addresses.
function webhooks.url_error(url)
  local target = type(url) == "string" and split(url)
  if not target or url:find("%s") then
    return "url: a valid HTTPS URL is required"
  elseif target.scheme ~= "https" and not (target.scheme == "http" and loopback.is_host(target.host)) then
    return "url: the scheme must be https"
  end
end

--- Creates the object that delivers the webhooks of a gateway. `options` are the complete options of the gateway;
--- `shape` is its waba.emulator.WebhookShape.
function webhooks.new(options, process, shape)
  return setmetatable({
    options = options.webhooks, clock = process.clock, cq = process.cq, chance = process.chance, shape = shape,
    addresses = {}, copies = {}, ready = new_queue(), queues = {}, workers = 0, idle = 0, work = condition.new(),
    attempts = journal.ring(options.keep), delivered = 0, pending = 0, given_up = 0,
  }, Webhooks)
end

--- Sets the URL and the headers for a name, by default "number"; replaces the previous URL and headers.
function Webhooks:set(url, headers, name)
  self.addresses[name or "number"] = { url = url, headers = headers or {}, target = split(url) }
end

--- Removes a URL. The deliveries that wait for the URL are dropped.
function Webhooks:forget(name) self.addresses[name] = nil end

-- Deliveries about one customer have the same key. Only one delivery with a key is in `ready` or in progress at a time.
-- Further deliveries with the key wait in the queue of the key, so deliveries keep their order unless one fails.
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
  local queue = self.queues[delivery.key]
  if queue then
    put(queue, delivery)
  else
    self.queues[delivery.key] = new_queue()
    start(self, delivery)
  end
end

local function leave_queue(self, delivery)
  local following = take(self.queues[delivery.key])
  if following then
    start(self, following)
  else
    self.queues[delivery.key] = nil
  end
end

--- Posts events to the URL with a name, by default "number"; drops the events if this URL is not set. If `body` is set,
--- this text is posted unchanged instead of the events. Deliveries with the same key keep their order.
function Webhooks:post(events, key, name, body)
  name = name or "number"
  if not self.addresses[name] then return end
  self.pending = self.pending + 1
  local delivery = { events = events, body = body, to = name, key = key, attempt = 0, first_at = self.clock:now() }
  if self.options.reorder > 0 and self.chance() < self.options.reorder then
    self.clock:after(0.02 + 0.2 * self.chance(), function() enqueue(self, delivery) end)
  else
    enqueue(self, delivery)
  end
end

-- Adds the events of waiting deliveries to a delivery, up to the option `batch`. Returns the added deliveries with
-- other keys, whose queues must wait until this delivery ends.
local function fill_batch(self, delivery)
  local joined = {}
  if delivery.body then return joined end
  local size, own = 1, self.queues[delivery.key]
  while size < self.options.batch do
    local queue = own.first <= own.last and own or self.ready
    local more = queue[queue.first]
    if not more or more.body or more.to ~= delivery.to then break end
    take(queue)
    self.shape.join(delivery.events, more.events)
    size = size + 1
    self.pending = self.pending - 1
    if queue == self.ready then joined[#joined + 1] = more end
  end
  return joined
end

local function close(kept)
  if kept.connection then kept.connection.socket:close() end
  kept.connection = nil
end

-- Posts a delivery over the connection that the worker has kept, or over a new connection. Returns the status; or nil
-- if there is no response. Drops the delivery if its URL was removed.
local function attempt(self, delivery, kept)
  local address = self.addresses[delivery.to]
  if not address then
    delivery.dropped = true
    return nil
  end
  delivery.attempt = delivery.attempt + 1
  -- The body is encoded once, so that a failed delivery is repeated with the same bytes.
  delivery.body = delivery.body or json.encode(self.shape.body(delivery.events))
  local started, began = self.clock:now(), cqueues.monotime()
  local status, message, responded, keep, _
  if kept.connection and kept.address == address then
    status, message, responded, keep = webhook_exchange.post(self, kept.connection, address, delivery.body)
  end
  if not status and not responded then
    -- The receiver may have closed the idle connection, so the delivery is posted again over a new connection.
    close(kept)
    kept.connection, message = webhook_exchange.connect(self, address.target)
    if kept.connection then
      kept.address = address
      status, message, _, keep = webhook_exchange.post(self, kept.connection, address, delivery.body)
    end
  end
  if not status or not keep or not self.options.keep_alive then close(kept) end
  local made = {
    url = address.url, headers = address.headers, body = delivery.body, attempt = delivery.attempt,
    status = status, error = not status and tostring(message or "no response") or nil,
    answer = status and status ~= 200 and message or nil, at = started, seconds = cqueues.monotime() - began,
  }
  self.attempts:add(made)
  if self.on_attempt then self.on_attempt(made) end
  return status
end

-- Ends a delivery that the receiver has accepted, and posts its copies. With the option `duplicates`, sends some
-- deliveries a second time.
local function finish(self, delivery)
  self.delivered = self.delivered + 1
  if delivery.to == "number" and not delivery.duplicate then
    for _, name in ipairs(self.copies) do self:post(nil, name .. " " .. delivery.key, name, delivery.body) end
  end
  if self.options.duplicates > 0 and not delivery.duplicate and self.chance() < self.options.duplicates then
    delivery.duplicate = true
    return enqueue(self, delivery)
  end
  self.pending = self.pending - 1
end

-- Ends a delivery after an attempt, or schedules the next attempt.
local function settle(self, delivery, status)
  local options = self.options
  if status == 200 then return finish(self, delivery) end
  if delivery.dropped or self.clock:now() - delivery.first_at >= options.give_up then
    self.pending, self.given_up = self.pending - 1, self.given_up + 1
  else
    local delay = math.min(options.backoff * delivery.attempt, options.max_backoff)
    self.clock:after(delay, function() enqueue(self, delivery) end)
  end
end

--- Posts deliveries until none is ready. Each worker runs in a coroutine of its own.
function Webhooks:worker()
  local kept = {}
  while true do
    local delivery = take(self.ready)
    if delivery then
      local joined = fill_batch(self, delivery)
      local ok, status = protect(attempt, self, delivery, kept)
      if not ok then
        io.stderr:write("waba emulator: webhook: ", printable.text(status), "\n")
        status = nil
        close(kept)
      end
      settle(self, delivery, status)
      leave_queue(self, delivery)
      for _, other in ipairs(joined) do leave_queue(self, other) end
    else
      if not kept.connection then break end
      self.idle = self.idle + 1
      local reason = cqueues.poll(self.work, IDLE)
      self.idle = self.idle - 1
      if reason == IDLE and self.ready.first > self.ready.last then break end
    end
  end
  self.workers = self.workers - 1
  close(kept)
end

return webhooks
