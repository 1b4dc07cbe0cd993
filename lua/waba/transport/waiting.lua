-- Waits for the transfers of one engine, in several coroutines. The first coroutine of each event loop becomes the
-- leader, which waits for the engine's descriptor and drives the engine. All other coroutines are followers. A follower
-- waits until its own transfer has finished, or until this transfer needs a function of its request, such as a reader.
-- A leader whose transfer has ended makes another coroutine the leader. A leader that is not resumed for some time is
-- replaced.

local core = require "waba.core"
local runtime = require "waba.runtime"

local waiting = {}

-- A leader waits for at most BEAT seconds at a time. A leader that was not resumed for LOST seconds is replaced.
local BEAT = 0.25
local LOST = 3 * BEAT
-- The number of new transfers after which the engine sends their requests without waiting for more transfers.
local BATCH = 32
-- The states of a waiter. CALLED: the transfer has finished, or needs a function of its request.
local NEW, WAITING, CALLED = 0, 1, 2
-- One of PER_CHECKER followers checks every BEAT seconds whether the leader still exists.
local PER_CHECKER = 16

--- Adds the fields of this module to a transport.
function waiting.add_fields(self)
  self.waiters = {} -- the waiter of each transfer, by transfer id
  self.waiting = 0 -- the number of waiters
  self.transfers = setmetatable({}, { __mode = "v" }) -- by id; weak: only its coroutine keeps a transfer alive
  -- by waiter: the transfers of code that runs in no coroutine of an event loop. A transfer is stored if callbacks of
  -- the loop or functions of the request can run during the wait, because they can call `cancel`
  self.alone = setmetatable({}, { __mode = "k" })
  self.leaders = setmetatable({}, { __mode = "k" }) -- by group of tasks: the waiter of the leader
  self.led_at = setmetatable({}, { __mode = "k" }) -- by group of tasks: the time at which the leader was last resumed
  self.reap_at = 0 -- the time of the next search for waiters whose coroutine has ended
  self.undispatched = 0 -- the number of transfers that were started since the engine last sent
  return self
end

-- Removes a waiter whose coroutine has ended. If its transfer was not collected yet, cancels the transfer.
local function reap(self, id)
  local transfer = self.transfers[id]
  if transfer then transfer:cancel() end
  self.waiters[id] = nil
  self.waiting = self.waiting - 1
end

-- Wakes another coroutine of the same event loop, which then becomes the leader.
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

local function report(waiter, transfer, request)
  local sent, to_send, received, to_receive = transfer:progress()
  if sent == waiter.sent and received == waiter.received then return end
  waiter.sent, waiter.received = sent, received
  request.progress(sent, to_send, received, to_receive)
end

-- Calls the function that the transfer needs: the reader, the sink or the progress function of the request. `want` is
-- the result of `transfer:wants`.
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

-- Calls the functions of a request as long as the transfer needs them. Returns whether the transfer has ended. Because
-- a function can wait, a leader first makes another coroutine the leader. If a function raises an error, cancels the
-- transfer, and stores the error for `send`.
local function call_functions(self, waiter, transfer, request)
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

-- Wakes every waiter whose transfer has finished or needs a function of its request.
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

-- Drives the engine for one step. Other coroutines run first, so that their new requests are sent together with this
-- request.
local function lead(self, engine, waiter, id, transfer, request)
  self.leaders[waiter.task.group] = waiter
  if waiter.state == NEW and self.waiting == 1 then
    pump(self, engine, id)
    local is_finished = waiter.state == CALLED
    if waiter.has_functions then is_finished = call_functions(self, waiter, transfer, request) end
    if is_finished then return end
  end
  if waiter.state == NEW then waiter.state = WAITING end
  local now = core.clock()
  self.led_at[waiter.task.group] = now
  if now >= self.reap_at then
    self.reap_at = now + BEAT
    for other, dead in pairs(self.waiters) do
      if not dead.loop.is_alive(dead.task) then reap(self, other) end
    end
  end
  waiter.loop.wait(waiter.task, engine, BEAT)
  if not self.closed then pump(self, engine, id) end
end

-- Returns whether another coroutine of the same loop drives the engine. Does not check for a new waiter whether the
-- leader still exists.
local function is_led(self, group, waiter)
  local leader = self.leaders[group]
  if not leader or leader == waiter then return false end
  return waiter.state == NEW or leader.loop.is_alive(leader.task) and core.clock() - self.led_at[group] < LOST
end

-- Returns the seconds for which a follower waits before it checks the leader. Most followers wait until the same time,
-- so that the loop need not sort its sleepers.
local function seconds_until_check(self, id)
  return id % PER_CHECKER == 0 and BEAT or BEAT * math.ceil(self.waiting / PER_CHECKER)
end

-- Waits in code that runs in no coroutine of an event loop. No other coroutine runs during the wait, but some event
-- loops run callbacks.
local function await_alone(self, engine, waiter, id, transfer, request)
  local loop, has_functions = waiter.loop, waiter.has_functions
  local seconds = not loop.runs_callbacks and BEAT or nil
  if has_functions or not seconds then self.alone[waiter] = transfer end
  while true do
    local want, others = transfer:step(seconds and runtime.run_periodic(seconds))
    if others then call_ready(self, engine, id) end
    if want and not (has_functions and not call_functions(self, waiter, transfer, request)) then return end
    if not want and not seconds then loop.wait(nil, engine, BEAT) end
  end
end

--- Waits until a transfer has finished, and calls the functions of its request during the wait. `task` is nil if the
--- loop can't suspend the running code. Returns the waiter of the transfer: `spare`, the waiter of an earlier transfer,
--- or a new table. If a function of the request has raised an error, the field `raised` of the waiter is a
--- table with the error as `value`.
function waiting.wait(self, engine, loop, task, id, transfer, request, spare)
  local body = request.body
  local has_functions = request.progress or request.into or body and body.reader -- nil for a string `body`
  -- most waiters need only these four fields, and a table with more fields is larger
  local waiter = spare or { loop = nil, task = nil, state = nil, owner = nil }
  waiter.loop, waiter.task, waiter.state, waiter.owner = loop, task, NEW, request.head.owner
  if has_functions then waiter.has_functions = true end
  if not task then
    await_alone(self, engine, waiter, id, transfer, request)
    return waiter
  end
  local waiters, group = self.waiters, task.group
  if not waiters[id] then self.waiting = self.waiting + 1 end -- an ended coroutine can have left an entry
  waiters[id], self.transfers[id] = waiter, transfer
  local undispatched = self.undispatched + 1
  self.undispatched = undispatched
  if undispatched == BATCH then
    self.undispatched = 0
    engine:dispatch()
  end
  repeat
    if is_led(self, group, waiter) then
      waiter.state = WAITING
      loop.park(task, self.waiting > PER_CHECKER and seconds_until_check(self, id) or BEAT)
    else
      lead(self, engine, waiter, id, transfer, request)
    end
  until has_functions and call_functions(self, waiter, transfer, request)
    or not has_functions and waiter.state == CALLED
  if waiters[id] == waiter then
    waiters[id] = nil
    self.waiting = self.waiting - 1
  end
  -- without a leader: another coroutine has woken this coroutine to become the leader, but its own transfer has ended
  local leader = self.leaders[group]
  if not leader or leader == waiter then pass_lead(self, waiter) end
  return waiter
end

--- Ends the waits of all coroutines.
function waiting.wake_all(self)
  for _, waiter in pairs(self.waiters) do
    waiter.state = CALLED
    waiter.loop.wake(waiter.task)
  end
end

--- Cancels the transfers of one owner.
function waiting.cancel(self, owner)
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

return waiting
