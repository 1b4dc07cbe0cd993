-- The transport over libcurl, for scripts and event loops. Many coroutines await transfers on one
-- engine: the first of each loop becomes its leader, who waits for the engine's descriptor and pumps;
-- the others are parked and woken when their own transfer wants something. A leader whose transfer has
-- ended hands the lead on; one that is never heard of again loses it. Meets
-- lua/waba/transport/contract.lua.

local core = require "waba.core"
local curl = require("waba.library").curl()
local loops = require "waba.transport.loop"
local meanwhile = require "waba.transport.loop.meanwhile"
local new_waiter = require("waba.transport.waiter").of_loop
local was_stale = require("waba.transport").was_stale

local Curl = {}
Curl.__index = Curl
Curl.__name = "waba.transport.curl"

local transport = {}

-- A leader looks up at least this often, in seconds; one that has not for some beats is given up.
local BEAT = 0.25
local GIVEN_UP = 3 * BEAT
-- Of many that start one after another, so many go out together: the gateway need not wait for the last.
local BATCH = 32
-- What one `send` goes through.
local NEW, PARKED, CALLED = 0, 1, 2
-- So many finished transfers are kept to be used again, which is cheaper than to make new ones.
local SPARES = 64
-- How often a request is sent in all when reused connections have ended.
local TRIES = 10
-- Of so many followers one looks after each beat whether there still is a leader.
local LOOKOUT = 64

---@param options? { ca_file: string?, proxy: string?, max_connections: integer?, loop: string? }
---@return waba.Transport
function transport.new(options)
  options = options or {}
  local message = options.proxy and curl.check_proxy(options.proxy)
  if message then error("waba.client: option proxy: " .. message, 0) end
  loops.detect_name() -- starts to record when copas.step runs
  loops.preload()
  return setmetatable({
    options = { ca_file = options.ca_file, proxy = options.proxy, max_connections = options.max_connections },
    loop = options.loop and loops.named(options.loop),
    prepared = setmetatable({}, { __mode = "k" }), -- request head to what the engine made of it
    waiters = {}, -- transfer id to who awaits it
    waiting = 0, -- how many
    transfers = setmetatable({}, { __mode = "v" }), -- id to transfer; each belongs to its coroutine
    leaders = setmetatable({}, { __mode = "k" }), -- group of tasks to its leader, a waiter
    next_roll = 0, -- when to look for waiters that have died
    spares = {}, -- finished transfers
    spare_count = 0,
    unmoved = 0, -- how many were started since the engine moved
  }, Curl)
end

local function beyond_limit(message)
  return { kind = "network", message = message, code = "limit", sent = "no" }
end

-- Returns the engine, or nil and a failure.
local function engine_of(self)
  if self.closed then error("attempt to use a closed transport", 3) end
  if self.engine then return self.engine end
  local message
  self.engine, message = curl.engine(self.options)
  if self.engine then return self.engine end
  return nil, beyond_limit(message)
end

local function prepare(self, engine, head)
  local prepared, message = engine:prepare(head)
  self.prepared[head] = prepared
  return prepared, message
end

-- What to start with: the body as the engine takes it, and the options of the transfer.
local function start(self, engine, request)
  local prepared, message = self.prepared[request.head], nil
  if not prepared then prepared, message = prepare(self, engine, request.head) end
  if not prepared then return nil, message end
  local body, into = request.body, request.into
  local count = self.spare_count
  local spare = self.spares[count]
  if spare then
    self.spares[count] = nil
    self.spare_count = count - 1
  end
  if not into and not request.progress then
    return engine:start(prepared, body, request, spare)
  end
  return engine:start(prepared, body, {
    timeout = request.timeout, connect_timeout = request.connect_timeout, max_body = request.max_body,
    max_size = into and into.max_size, save_as = into and into.file, stream = into and into.sink ~= nil or nil,
    progress = request.progress ~= nil or nil,
  }, spare)
end

-- Takes the result.
local function finish(self, transfer)
  local response, failure = transfer:finish()
  local count = self.spare_count + 1
  if count <= SPARES then
    self.spares[count], self.spare_count = transfer, count
  end
  return response, failure
end

-- The waiter's coroutine has died: cancels its transfer, unless that was collected with it.
local function bury(self, id)
  local transfer = self.transfers[id]
  if transfer then transfer:cancel() end
  self.waiters[id] = nil
  self.waiting = self.waiting - 1
end

-- Lets another one of the loop look after the engine.
local function hand_on(self, waiter)
  local group = waiter.task.group
  if self.leaders[group] == waiter then self.leaders[group] = nil end
  for id, other in pairs(self.waiters) do
    if other ~= waiter and other.task.group == group then
      if other.loop.is_alive(other.task) then return other.loop.wake(other.task) end
      bury(self, id)
    end
  end
end

-- Tells the progress function of what is new.
local function report(waiter, transfer, request)
  local sent, to_send, received, to_receive = transfer:progress()
  if sent == waiter.sent and received == waiter.received then return end
  waiter.sent, waiter.received = sent, received
  request.progress(sent, to_send, received, to_receive)
end

-- Serves what a transfer wants from the functions of its request. They may raise.
local function serve(waiter, transfer, want, request)
  if want == "input" then
    local bytes = request.body.reader()
    if bytes ~= nil and type(bytes) ~= "string" then
      error("a reader must return a string or nil, not a " .. type(bytes), 0)
    end
    transfer:feed(bytes)
  elseif want == "drain" then
    local bytes = transfer:drain()
    if bytes and bytes ~= "" then request.into.sink(bytes) end
  elseif request.progress then
    report(waiter, transfer, request)
  end
end

-- Serves until there is nothing to serve: true when the transfer has finished. A function of the
-- request may wait for something else: a leader hands on first. What it raises ends the transfer, and
-- goes on to the caller of `send`.
local function attend(self, waiter, transfer, request)
  while true do
    local want = transfer:wants()
    if want == nil then return false end
    local over = want == "finished"
    if over and (self.closed or not request.progress) then return true end
    if waiter.task and self.leaders[waiter.task.group] == waiter then hand_on(self, waiter) end
    local served, fault = pcall(serve, waiter, transfer, want, request)
    if not served then
      transfer:cancel()
      waiter.fault = { value = fault }
    end
    if over or not served then return true end
  end
end

-- Calls everybody whose transfer wants something.
local function call_ready(self, engine, own_id)
  local waiters = self.waiters
  local id = engine:ready()
  while id do
    local waiter = waiters[id]
    if waiter then
      waiter.state = CALLED
      if id ~= own_id then waiter.loop.wake(waiter.task) end
    end
    id = engine:ready()
  end
end

local function pump(self, engine, own_id)
  self.unmoved = 0
  if engine:pump() then call_ready(self, engine, own_id) end
end

-- Whether the transfer has finished. What is not attended wants nothing else.
local function is_over(self, waiter, transfer, request)
  if waiter.is_attended then return attend(self, waiter, transfer, request) end
  return waiter.state == CALLED
end

-- Looks for coroutines that have died. The transfers of collected ones vanish by themselves.
local function call_roll(self)
  for id, waiter in pairs(self.waiters) do
    if not waiter.loop.is_alive(waiter.task) then bury(self, id) end
  end
end

-- Looks after the engine for one step. Where there are others, they run first: what they start
-- meanwhile goes out together with what is here.
local function lead(self, engine, waiter, id, transfer, request)
  self.leaders[waiter.task.group] = waiter
  if waiter.seen == 0 and self.waiting == 1 then
    pump(self, engine, id)
    if is_over(self, waiter, transfer, request) then return end
  end
  local now = core.clock()
  waiter.seen = now
  if now >= self.next_roll then
    self.next_roll = now + BEAT
    call_roll(self)
  end
  waiter.loop.wait(waiter.task, engine, BEAT)
  if not self.closed then pump(self, engine, id) end
end

-- Whether somebody else in the same loop looks after the engine. At first a follower takes it on trust.
local function is_led(leader, waiter)
  if not leader or leader == waiter then return false end
  return waiter.state == NEW or leader.loop.is_alive(leader.task) and core.clock() - leader.seen < GIVEN_UP
end

-- How long one of many followers sleeps before it looks for itself: not all do so after each beat. Few have
-- another time than most, as a loop need not sort its sleepers anew who sleep longer than the last time.
local function patience(self, id)
  return id % LOOKOUT == 0 and BEAT or BEAT * math.ceil(self.waiting / LOOKOUT)
end

-- Waits until the transfer has finished, as leader or as follower.
local function await(self, engine, waiter, id, transfer, request)
  local loop, task = waiter.loop, waiter.task
  local leaders, group = self.leaders, task.group
  repeat
    if is_led(leaders[group], waiter) then
      waiter.state = PARKED
      loop.park(task, self.waiting > LOOKOUT and patience(self, id) or BEAT)
    else
      lead(self, engine, waiter, id, transfer, request)
    end
  until is_over(self, waiter, transfer, request)
end

-- The same where nobody else can run meanwhile; but some loops have work of their own.
local function await_alone(self, engine, waiter, id, transfer, request)
  local loop, is_attended = waiter.loop, waiter.is_attended
  local seconds = not loop.works_meanwhile and BEAT or nil
  while true do
    local want, others = transfer:step(seconds and meanwhile.tend(seconds))
    if others then call_ready(self, engine, id) end
    if want and not (is_attended and not attend(self, waiter, transfer, request)) then return end
    if not want and not seconds then loop.wait(nil, engine, BEAT) end
  end
end

local function enter(self, engine, waiter, id, transfer)
  if not self.waiters[id] then self.waiting = self.waiting + 1 end -- or one that has died
  self.waiters[id] = waiter
  self.transfers[id] = transfer
  local unmoved = self.unmoved + 1
  if unmoved == BATCH then
    unmoved = 0
    engine:dispatch()
  end
  self.unmoved = unmoved
end

-- Takes the transfer off the lists, whatever became of it. Without a leader the lead was handed to one
-- whose transfer had ended as well: it goes on to the next.
local function leave(self, waiter, id)
  if self.waiters[id] == waiter then
    self.waiters[id] = nil
    self.waiting = self.waiting - 1
  end
  local leader = self.leaders[waiter.task.group]
  if not leader or leader == waiter then hand_on(self, waiter) end
end

-- How one `send` waits. Four fields fit into a table of the smallest size; most requests need no more.
local function new_wait(loop, task, request)
  local body = request.body
  local waiter = { loop = loop, task = task, state = NEW, seen = 0 }
  -- a string has no `reader` either
  if request.progress or request.into or body and body.reader then waiter.is_attended = true end
  return waiter
end

local function try(self, engine, request)
  local loop, task = loops.detect(self.loop)
  local message
  if not task then task, message = loop.task() end
  if message then return nil, beyond_limit(message) end
  local transfer, id, limit = start(self, engine, request)
  if limit then return nil, beyond_limit(id) end
  if not transfer then return nil, { kind = "invalid", message = id, sent = "no" } end
  local waiter = new_wait(loop, task, request)
  if task then
    enter(self, engine, waiter, id, transfer)
    await(self, engine, waiter, id, transfer, request)
    leave(self, waiter, id)
  else
    await_alone(self, engine, waiter, id, transfer, request)
  end
  local response, failure = finish(self, transfer)
  if waiter.fault then error(waiter.fault.value, 0) end
  return response, failure
end

--- See `waba.Transport`.
---@param request waba.Request
---@return waba.Response|nil response
---@return waba.TransferFailure? failure
function Curl:send(request)
  local engine, lack = engine_of(self)
  if not engine then return nil, lack end
  local response, failure, tries
  repeat
    response, failure = try(self, engine, request)
    tries = (tries or 0) + 1
  until response or tries == TRIES or self.closed or not was_stale(request, failure)
  return response, failure
end

--- See `waba.Transport`.
---@return true|nil
---@return string? message
function Curl:can_wait()
  return loops.can_wait(self.loop)
end

--- Lets time pass in the way of the loop the caller lives in.
---@param seconds number
function Curl:sleep(seconds)
  loops.detect(self.loop).sleep(seconds)
end

--- The running coroutine as one that can wait for another.
---@return waba.Waiter
function Curl:waiter()
  local loop, task = loops.detect(self.loop)
  return new_waiter(loop, task or loop.task())
end

--- Cancels what is in flight and frees everything. Harmless when repeated.
function Curl:close()
  if self.closed then return end
  self.closed = true
  if not self.engine then return end
  for _, waiter in pairs(self.waiters) do
    waiter.state = CALLED
    waiter.loop.wake(waiter.task)
  end
  loops.forget(self.engine)
  self.engine:close()
end

return transport
