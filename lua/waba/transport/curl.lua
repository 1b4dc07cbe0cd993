-- The transport over libcurl, for scripts and event loops. Many coroutines await transfers on one
-- engine: the first becomes the leader, who waits for the engine's descriptor and pumps; the others
-- are parked and woken when their own transfer wants something. A leader whose transfer has ended
-- hands the lead on. Meets lua/waba/transport/contract.lua.

local curl = require "waba.curl"
local loops = require "waba.transport.loop"

local Curl = {}
Curl.__index = Curl
Curl.__name = "waba.transport.curl"

local transport = {}

-- Nobody waits longer than this at a stretch, in seconds; a new look costs next to nothing.
local LONGEST_WAIT = 60

---@param options? { ca_file: string?, proxy: string?, max_connections: integer?, loop: string? }
---@return waba.Transport
function transport.new(options)
  options = options or {}
  return setmetatable({
    options = { ca_file = options.ca_file, proxy = options.proxy, max_connections = options.max_connections },
    loop = options.loop and loops.named(options.loop),
    prepared = setmetatable({}, { __mode = "k" }), -- request head to what the engine made of it
    waiters = {}, -- transfer id to who awaits it
    leader = nil,
  }, Curl)
end

local function engine_of(self)
  if self.closed then error("attempt to use a closed transport", 3) end
  if not self.engine then self.engine = curl.engine(self.options) end
  return self.engine
end

local function prepare(self, engine, head)
  local prepared = self.prepared[head]
  if prepared then return prepared end
  local message
  prepared, message = engine:prepare(head)
  if not prepared then return nil, message end
  self.prepared[head] = prepared
  return prepared
end

-- What to start with: the body as the engine takes it, and the options of the transfer.
local function start(self, engine, request)
  local prepared, message = prepare(self, engine, request.head)
  if not prepared then return nil, message end
  local body, into = request.body, request.into
  if type(body) == "table" and body.reader then body = { size = body.size } end
  if not into and not request.progress then
    return engine:start(prepared, body, request)
  end
  return engine:start(prepared, body, {
    timeout = request.timeout, connect_timeout = request.connect_timeout, max_body = request.max_body,
    save_as = into and into.file, stream = into and into.sink ~= nil or nil, progress = request.progress ~= nil or nil,
  })
end

-- Serves what a transfer wants from the functions of its request. They may raise.
local function serve(transfer, want, request)
  if want == "input" then
    local bytes = request.body.reader()
    if bytes ~= nil and type(bytes) ~= "string" then
      error("a reader must return a string or nil, not a " .. type(bytes), 0)
    end
    transfer:feed(bytes)
  elseif want == "drain" then
    local bytes = transfer:drain()
    if bytes and bytes ~= "" then request.into.sink(bytes) end
  elseif want == "progress" then
    request.progress(transfer:progress())
  end
end

-- Serves until there is nothing to serve: true when the transfer has finished. What a function of
-- the request raises ends the transfer, and goes on to the caller of `send`.
local function attend(transfer, request)
  while true do
    local want = transfer:wants()
    if want == nil then return false end
    if want == "finished" then return true end
    local served, fault = pcall(serve, transfer, want, request)
    if not served then
      transfer:cancel()
      request.fault = { value = fault }
      return true
    end
  end
end

-- Pumps, then wakes everybody else whose transfer wants something.
local function pump(self, engine, own_id)
  engine:pump()
  local id = engine:ready()
  while id do
    local waiter = id ~= own_id and self.waiters[id]
    if waiter and waiter.task then waiter.loop.wake(waiter.task) end
    id = engine:ready()
  end
end

local function has_leader(self)
  local leader = self.leader
  return leader and leader.loop.is_alive(leader.task)
end

-- Gives the lead to anybody who still waits in the same kind of loop.
local function hand_on(self)
  self.leader = nil
  local _, waiter = next(self.waiters)
  if waiter and waiter.task then waiter.loop.wake(waiter.task) end
end

-- Waits until the transfer has finished, as leader, as follower, or alone.
local function await(self, engine, waiter, id, transfer, request)
  local loop, task = waiter.loop, waiter.task
  while not attend(transfer, request) do
    if task and has_leader(self) and self.leader ~= waiter then
      loop.park(task, LONGEST_WAIT)
    else
      if task then self.leader = waiter end
      pump(self, engine, id)
      if attend(transfer, request) then return end
      loop.wait(engine, math.min(engine:timeout() or LONGEST_WAIT, LONGEST_WAIT))
    end
  end
end

-- Takes the transfer off the lists, whatever became of it. Without a leader the lead was handed to one
-- whose transfer had ended as well: it goes on to the next.
local function leave(self, waiter, id)
  self.waiters[id] = nil
  if self.leader == waiter or not self.leader then hand_on(self) end
end

--- See `waba.Transport`.
---@param request waba.Request
---@return waba.Response|nil response
---@return waba.TransferFailure? failure
function Curl:send(request)
  local engine = engine_of(self)
  local transfer, id = start(self, engine, request)
  if not transfer then return nil, { kind = "invalid", message = id, sent = "no" } end
  local loop = self.loop or loops.detect()
  local waiter = { loop = loop, task = loop.task() }
  self.waiters[id] = waiter
  await(self, engine, waiter, id, transfer, request)
  leave(self, waiter, id)
  local response, failure = transfer:finish()
  if request.fault then error(request.fault.value, 0) end
  return response, failure
end

--- Lets time pass in the way of the loop the caller lives in.
---@param seconds number
function Curl:sleep(seconds)
  local loop = self.loop or loops.detect()
  loop.sleep(seconds)
end

--- Cancels what is in flight and frees everything. Harmless when repeated.
function Curl:close()
  self.closed = true
  if self.engine then self.engine:close() end
end

return transport
