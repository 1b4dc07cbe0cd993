-- The transport over libcurl, for scripts and event loops. Many coroutines wait for transfers on one engine. The first
-- coroutine of each event loop becomes the leader: it waits for the engine's descriptor and drives the engine. All
-- other coroutines are followers: they wait until their own transfer has finished or must call a function. A leader
-- whose transfer has ended makes another coroutine the leader. A leader that is not resumed for some time is replaced.
-- Implements lua/waba/transport/contract.lua.

local core = require "waba.core"
local curl = require("waba.library").curl()
local runtime = require "waba.runtime"
local was_stale = require("waba.transport").was_stale

local Curl = {}
Curl.__index = Curl
Curl.__name = "waba.transport.curl"

local transport = {}

-- A leader is resumed after BEAT seconds at the latest; a leader that was not resumed for more than LOST seconds
-- is replaced.
local BEAT = 0.25
local LOST = 3 * BEAT
-- After this number of started transfers the engine sends them, although more transfers are about to start.
local BATCH = 32
-- The states of one `send`.
local NEW, WAITING, CALLED = 0, 1, 2
-- The number of finished transfers that are kept for reuse, which is cheaper than making new ones.
local SPARES = 64
-- The largest number of attempts for a request if reused connections have ended.
local TRIES = 10
-- Of this number of followers, one checks after each BEAT whether the leader still exists.
local LOOKOUT = 64

---@param options? { ca_file: string?, proxy: string?, max_connections: integer?, loop: string? }
---@return waba.Transport
function transport.new(options)
  options = options or {}
  local message = options.proxy and curl.check_proxy(options.proxy)
  if message then error("waba.client: option proxy: " .. message, 0) end
  runtime.detect_name() -- the runtime then records when copas.step runs
  runtime.preload()
  return setmetatable({
    options = { ca_file = options.ca_file, proxy = options.proxy, max_connections = options.max_connections },
    loop = options.loop and runtime.loop(options.loop),
    prepared = setmetatable({}, { __mode = "v" }), -- the prepared heads of the engine, by the text of the request head
    waiters = {}, -- transfer id -> its waiter
    waiting = 0, -- their number
    transfers = setmetatable({}, { __mode = "v" }), -- transfer id -> transfer; a transfer is referenced by its
                                                    -- coroutine only
    alone = setmetatable({}, { __mode = "k" }), -- the waiter of code outside of any loop -> its transfer, if other
                                                -- code can run meanwhile
    leaders = setmetatable({}, { __mode = "k" }), -- group of tasks -> the waiter that is its leader
    led_at = setmetatable({}, { __mode = "k" }), -- group of tasks -> the time at which its leader was last resumed
    reap_at = 0, -- the time of the next search for waiters whose coroutine has ended
    spares = {}, -- finished transfers
    spare_count = 0,
    undispatched = 0, -- the number of transfers that were started since the engine last sent
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

-- Returns a request head without its credentials as text. The text contains the length of each value, so two
-- different heads never have the same text.
local function text_of(head)
  local lines = {}
  for name, value in pairs(head.headers or {}) do
    name, value = tostring(name), tostring(value)
    lines[#lines + 1] = ("%d %d %s %s"):format(#name, #value, name, value)
  end
  table.sort(lines)
  return table.concat({ head.method, head.url, tostring(head.idempotent), table.concat(lines, "\n") }, "\n")
end

-- Returns the prepared head that the engine makes of a request head. Clients with equal heads share a prepared head:
-- each request adds its own credentials. The prepared head is a field of the request head, because the garbage
-- collector would traverse a weak table of heads.
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

-- Starts the transfer of a request.
local function start(self, engine, request)
  local head = request.head
  local prepared, message = head[self], nil
  if not prepared then prepared, message = prepare(self, engine, head) end
  if not prepared then return nil, message end
  local body, into = request.body, request.into
  local count = self.spare_count
  local spare = self.spares[count]
  if spare then
    self.spares[count] = nil
    self.spare_count = count - 1
  end
  local options
  if into or request.progress or request.max_body then -- most requests have none of the following fields
    options = {
      max_body = request.max_body, max_size = into and into.max_size, save_as = into and into.file,
      stream = into and into.sink ~= nil or nil, progress = request.progress ~= nil or nil,
    }
  end
  return engine:start(prepared, body, options, spare, head.credentials, request.timeout, request.connect_timeout)
end

-- Returns the result of a transfer, and keeps the transfer for reuse.
local function finish(self, transfer)
  local response, failure = transfer:finish()
  local count = self.spare_count + 1
  if count <= SPARES then
    self.spares[count], self.spare_count = transfer, count
  end
  return response, failure
end

-- Removes a waiter whose coroutine has ended. Cancels the transfer of the waiter, unless the transfer was
-- collected too.
local function reap(self, id)
  local transfer = self.transfers[id]
  if transfer then transfer:cancel() end
  self.waiters[id] = nil
  self.waiting = self.waiting - 1
end

-- Wakes another waiter of the same event loop, which then becomes the leader.
local function pass_lead(self, waiter)
  local group = waiter.task.group
  if self.leaders[group] == waiter then self.leaders[group] = nil end
  for id, other in pairs(self.waiters) do
    if other ~= waiter and other.task.group == group then
      if other.loop.is_alive(other.task) then return other.loop.wake(other.task) end
      reap(self, id)
    end
  end
end

-- Calls the progress function if there is new progress.
local function report(waiter, transfer, request)
  local sent, to_send, received, to_receive = transfer:progress()
  if sent == waiter.sent and received == waiter.received then return end
  waiter.sent, waiter.received = sent, received
  request.progress(sent, to_send, received, to_receive)
end

-- A transfer may wait for the result of a function of its request, such as the reader. Calls this function, which may
-- raise an error.
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

-- Calls the functions of a request until its transfer waits for none; returns whether the transfer has finished. A
-- function of the request may wait, so a leader first makes another coroutine the leader. If the function raises an
-- error, the transfer is cancelled and `send` raises the error.
local function attend(self, waiter, transfer, request)
  while true do
    local want = transfer:wants()
    if want == nil then return false end
    local finished = want == "finished"
    if finished and (waiter.is_cancelled or self.closed or not request.progress) then return true end
    if waiter.task and self.leaders[waiter.task.group] == waiter then pass_lead(self, waiter) end
    local served, raised = pcall(serve, waiter, transfer, want, request)
    if not served then
      transfer:cancel()
      waiter.raised = { value = raised }
    end
    if finished or not served then return true end
  end
end

-- Wakes every waiter whose transfer has finished or must call a function.
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
  self.undispatched = 0
  if engine:pump() then call_ready(self, engine, own_id) end
end

-- Returns whether the transfer has finished. A request without functions needs no other check.
local function is_finished(self, waiter, transfer, request)
  if waiter.is_attended then return attend(self, waiter, transfer, request) end
  return waiter.state == CALLED
end

-- Removes the waiters whose coroutine has ended. If the coroutine of a waiter was collected, its transfer was
-- collected too.
local function reap_dead(self)
  for id, waiter in pairs(self.waiters) do
    if not waiter.loop.is_alive(waiter.task) then reap(self, id) end
  end
end

-- Drives the engine for one step. If there are other coroutines, they run first, so that the requests that they start
-- are sent together with this one.
local function lead(self, engine, waiter, id, transfer, request)
  self.leaders[waiter.task.group] = waiter
  if waiter.state == NEW and self.waiting == 1 then
    pump(self, engine, id)
    if is_finished(self, waiter, transfer, request) then return end
  end
  if waiter.state == NEW then waiter.state = WAITING end
  local now = core.clock()
  self.led_at[waiter.task.group] = now
  if now >= self.reap_at then
    self.reap_at = now + BEAT
    reap_dead(self)
  end
  waiter.loop.wait(waiter.task, engine, BEAT)
  if not self.closed then pump(self, engine, id) end
end

-- Returns whether another coroutine of the same loop drives the engine. A coroutine that has just started its transfer
-- assumes that the leader still exists.
local function is_led(self, group, waiter)
  local leader = self.leaders[group]
  if not leader or leader == waiter then return false end
  return waiter.state == NEW or leader.loop.is_alive(leader.task) and core.clock() - self.led_at[group] < LOST
end

-- Returns the seconds for which a follower sleeps before it checks the leader; of many followers only some check after
-- each BEAT. Most followers sleep until the same time, so that the loop need not reorder its sleepers.
local function patience(self, id)
  return id % LOOKOUT == 0 and BEAT or BEAT * math.ceil(self.waiting / LOOKOUT)
end

-- Waits until the transfer has finished, as leader or as follower.
local function await(self, engine, waiter, id, transfer, request)
  local loop, task = waiter.loop, waiter.task
  local group = task.group
  repeat
    if is_led(self, group, waiter) then
      waiter.state = WAITING
      loop.park(task, self.waiting > LOOKOUT and patience(self, id) or BEAT)
    else
      lead(self, engine, waiter, id, transfer, request)
    end
  until is_finished(self, waiter, transfer, request)
end

-- Waits in code that runs in no coroutine of an event loop, so that no other coroutine runs meanwhile. Some event
-- loops run callbacks meanwhile.
local function await_alone(self, engine, waiter, id, transfer, request)
  local loop, is_attended = waiter.loop, waiter.is_attended
  local seconds = not loop.runs_callbacks and BEAT or nil
  if is_attended or not seconds then self.alone[waiter] = transfer end
  while true do
    local want, others = transfer:step(seconds and runtime.run_periodic(seconds))
    if others then call_ready(self, engine, id) end
    if want and not (is_attended and not attend(self, waiter, transfer, request)) then return end
    if not want and not seconds then loop.wait(nil, engine, BEAT) end
  end
end

local function enter(self, engine, waiter, id, transfer)
  if not self.waiters[id] then self.waiting = self.waiting + 1 end -- otherwise this waiter replaces the waiter of an
                                                                   -- ended coroutine
  self.waiters[id] = waiter
  self.transfers[id] = transfer
  local undispatched = self.undispatched + 1
  if undispatched == BATCH then
    undispatched = 0
    engine:dispatch()
  end
  self.undispatched = undispatched
end

-- Removes the waiter. If the loop has no leader, this waiter was about to become the leader although its transfer has
-- ended, so another waiter becomes the leader.
local function leave(self, waiter, id)
  if self.waiters[id] == waiter then
    self.waiters[id] = nil
    self.waiting = self.waiting - 1
  end
  local leader = self.leaders[waiter.task.group]
  if not leader or leader == waiter then pass_lead(self, waiter) end
end

-- A table with up to four fields has the smallest size; most requests need no further field.
local function new_wait(loop, task, request)
  local body = request.body
  local waiter = { loop = loop, task = task, state = NEW, owner = request.head.owner }
  -- a string has no field `reader`, so the expression raises no error
  if request.progress or request.into or body and body.reader then waiter.is_attended = true end
  return waiter
end

local function try(self, engine, request)
  local loop, task = runtime.detect(self.loop)
  if not task then
    local message
    task, message = loop.task()
    if message then return nil, beyond_limit(message) end
  end
  local transfer, id, limit = start(self, engine, request)
  if not transfer then
    return nil, limit and beyond_limit(id) or { kind = "invalid", message = id, sent = "no" }
  end
  local waiter = new_wait(loop, task, request)
  if task then
    enter(self, engine, waiter, id, transfer)
    await(self, engine, waiter, id, transfer, request)
    leave(self, waiter, id)
  else
    await_alone(self, engine, waiter, id, transfer, request)
  end
  local response, failure = finish(self, transfer)
  if waiter.raised then error(waiter.raised.value, 0) end
  return response, failure
end

--- See `waba.Transport`.
---@param request waba.Request
---@return waba.Response|nil response
---@return waba.TransferFailure? failure
function Curl:send(request)
  local engine, refusal = self.engine
  if self.closed or not engine then
    engine, refusal = engine_of(self)
    if not engine then return nil, refusal end
  end
  for attempt = 1, TRIES do
    local response, failure = try(self, engine, request)
    if response then return response end
    if attempt == TRIES or self.closed or not was_stale(request, failure) then return nil, failure end
  end
end

--- See `waba.Transport`.
---@return true|nil
---@return string? message
function Curl:can_wait()
  return runtime.can_wait_in_loop(self.loop)
end

--- Waits for some seconds. Other coroutines of the caller's event loop run meanwhile.
---@param seconds number
function Curl:sleep(seconds)
  runtime.detect(self.loop).sleep(seconds)
end

--- Returns a waiter for the running coroutine, which another coroutine can wake.
---@return waba.Waiter
function Curl:waiter()
  return require("waba.transport.waiter").here(self.loop)
end

--- See `waba.Transport`.
---@param owner any
function Curl:cancel(owner)
  for id, waiter in pairs(self.waiters) do
    if waiter.owner == owner then
      local transfer = self.transfers[id]
      if transfer then transfer:cancel() end
      waiter.state, waiter.is_cancelled = CALLED, true
      waiter.loop.wake(waiter.task)
    end
  end
  for waiter, transfer in pairs(self.alone) do
    if waiter.owner == owner then
      waiter.is_cancelled = true
      transfer:cancel()
    end
  end
end

--- Cancels the requests in flight and releases all resources. Further calls have no effect.
function Curl:close()
  if self.closed then return end
  self.closed = true
  if not self.engine then return end
  for _, waiter in pairs(self.waiters) do
    waiter.state = CALLED
    waiter.loop.wake(waiter.task)
  end
  runtime.forget(self.engine)
  self.engine:close()
end

return transport
