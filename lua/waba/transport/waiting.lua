-- How coroutines wait for the transfers of one engine. The first coroutine of each event loop becomes the leader: it
-- waits for the engine's descriptor and drives the engine. All other coroutines are followers: they wait until their
-- own transfer has finished, or until it waits for a function of its request, such as a reader. A leader whose transfer
-- has ended makes another coroutine the leader. A leader that is not resumed for some time is replaced.

local core = require "waba.core"
local runtime = require "waba.runtime"

local waiting = {}

-- A leader is resumed after BEAT seconds at the latest; a leader that was not resumed for more than LOST seconds
-- is replaced.
local BEAT = 0.25
local LOST = 3 * BEAT
-- When this number of transfers was started, the engine sends their requests without waiting for more transfers.
local BATCH = 32
-- The states of a waiter.
local NEW, WAITING, CALLED = 0, 1, 2
-- Of PER_CHECKER followers, one checks every BEAT seconds whether the leader still exists.
local PER_CHECKER = 16

--- Adds the fields of this module to a transport.
---@param self table
---@return table self
function waiting.add_fields(self)
  self.waiters = {} -- the waiter of each transfer, by transfer id
  self.waiting = 0 -- the number of waiters
  -- transfer id -> transfer; a transfer is referenced by its coroutine only
  self.transfers = setmetatable({}, { __mode = "v" })
  -- the waiter of code outside of any loop -> its transfer, if other code can run meanwhile
  self.alone = setmetatable({}, { __mode = "k" })
  self.leaders = setmetatable({}, { __mode = "k" }) -- group of tasks -> the waiter that is its leader
  self.led_at = setmetatable({}, { __mode = "k" }) -- group of tasks -> the time at which its leader was last resumed
  self.reap_at = 0 -- the time of the next search for waiters whose coroutine has ended
  self.undispatched = 0 -- the number of transfers that were started since the engine last sent
  return self
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

local function report(waiter, transfer, request)
  local sent, to_send, received, to_receive = transfer:progress()
  if sent == waiter.sent and received == waiter.received then return end
  waiter.sent, waiter.received = sent, received
  request.progress(sent, to_send, received, to_receive)
end

-- Calls the function of a request, such as its reader, for which the transfer waits. Raises the errors of the function.
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

-- Calls functions of a request, such as its reader, while its transfer waits for one of them. Returns whether the
-- transfer has ended. A function of a request may wait, so a leader first makes another coroutine the leader. If the
-- function raises an error, the transfer is cancelled and `send` raises the error.
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

-- Wakes every waiter whose transfer has finished or waits for a function of its request.
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
  if waiter.has_functions then return call_functions(self, waiter, transfer, request) end
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
  return id % PER_CHECKER == 0 and BEAT or BEAT * math.ceil(self.waiting / PER_CHECKER)
end

-- Waits in code that runs in no coroutine of an event loop, so that no other coroutine runs meanwhile. Some event loops
-- run callbacks during this wait.
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

--- Waits until a transfer has finished, and calls the functions of its request during the wait.
---@param self table
---@param engine waba.Engine
---@param loop waba.Loop
---@param task waba.LoopTask|nil  nil: the running code can't be parked
---@param id integer              the id of the transfer
---@param transfer waba.Transfer
---@param request waba.Request
---@return { raised: { value: any }? } waiter  raised: the error that a function of the request has raised
function waiting.wait(self, engine, loop, task, id, transfer, request)
  local body = request.body
  -- a table with up to four fields has the smallest size; most requests need no further field
  local waiter = { loop = loop, task = task, state = NEW, owner = request.head.owner }
  -- a string has no field `reader`, so the expression raises no error
  local has_functions = request.progress or request.into or body and body.reader
  if has_functions then waiter.has_functions = true end
  if not task then
    await_alone(self, engine, waiter, id, transfer, request)
    return waiter
  end
  local waiters, group = self.waiters, task.group
  if not waiters[id] then self.waiting = self.waiting + 1 end -- if there is a waiter already, its coroutine has ended
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
      loop.park(task, self.waiting > PER_CHECKER and patience(self, id) or BEAT)
    else
      lead(self, engine, waiter, id, transfer, request)
    end
  until has_functions and call_functions(self, waiter, transfer, request)
    or not has_functions and waiter.state == CALLED
  if waiters[id] == waiter then
    waiters[id] = nil
    self.waiting = self.waiting - 1
  end
  -- without a leader, another waiter becomes the leader, because this waiter was chosen, but its transfer has ended
  local leader = self.leaders[group]
  if not leader or leader == waiter then pass_lead(self, waiter) end
  return waiter
end

--- Ends the waits of all coroutines.
---@param self table
function waiting.wake_all(self)
  for _, waiter in pairs(self.waiters) do
    waiter.state = CALLED
    waiter.loop.wake(waiter.task)
  end
end

--- Cancels the transfers of one owner.
---@param self table
---@param owner any
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
