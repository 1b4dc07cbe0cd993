-- How coroutines wait for their transfers: which coroutine drives the engine, which ones are woken, and what remains of
-- coroutines that ended. The event loop, the engine and the transfers are simulated, and the spec resumes each
-- coroutine itself.

local core = require "waba.core"
local waiting = require "waba.transport.waiting"

local BEAT = 0.25

-- A simulated event loop whose tasks record how they wait.
local loop = {}
function loop.park(task, seconds) task.waits = { "park", seconds } coroutine.yield() end
function loop.wait(task, _, seconds) task.waits = { "wait", seconds } coroutine.yield() end
function loop.wake(task) task.woken = task.woken + 1 end
function loop.is_alive(task) return not task.is_killed and coroutine.status(task.thread) ~= "dead" end

describe("a transfer", function()
  local self, engine, group, ready

  before_each(function()
    self, group, ready = waiting.add_fields {}, {}, {}
    engine = { pumps = 0, dispatches = 0 }
    function engine.pump()
      engine.pumps = engine.pumps + 1
      return #ready > 0
    end
    function engine.ready() return table.remove(ready, 1) end
    function engine.dispatch() engine.dispatches = engine.dispatches + 1 end
  end)

  -- Starts a request in a coroutine of its own. Returns the task of the coroutine; `task.waiter` is set when the
  -- request has ended.
  local function start(id, request, transfer, of_group)
    request = request or {}
    request.head = request.head or {}
    local task = { id = id, group = of_group or group, woken = 0, cancelled = 0 }
    task.transfer = transfer or {}
    task.transfer.cancel = function() task.cancelled = task.cancelled + 1 end
    task.thread = coroutine.create(function()
      task.waiter = waiting.wait(self, engine, loop, task, id, task.transfer, request)
    end)
    assert(coroutine.resume(task.thread))
    return task
  end

  local function resume(task)
    task.waits = nil
    assert(coroutine.resume(task.thread))
  end

  local function has_ended(...)
    for _, task in ipairs { ... } do
      if not task.waiter then return false end
    end
    return true
  end

  local function assert_clean()
    assert.same({ nil, 0 }, { next(self.waiters), self.waiting })
    assert.is_nil(self.leaders[group])
  end

  it("that has finished at once needs no wait", function()
    ready = { 1 }
    local one = start(1)
    assert.is_true(has_ended(one))
    assert.is_nil(one.waits)
    assert.same({ 1, 0 }, { engine.pumps, one.woken })
    assert_clean()
  end)

  it("is driven by its own coroutine if there is no other", function()
    local one = start(1)
    assert.same({ "wait", BEAT }, one.waits)
    assert.equal(1, engine.pumps)
    resume(one)
    assert.same({ "wait", BEAT }, one.waits)
    assert.equal(2, engine.pumps)
    ready = { 1 }
    resume(one)
    assert.is_true(has_ended(one))
    assert.equal(3, engine.pumps)
    assert_clean()
  end)

  it("is driven by the first coroutine, which wakes exactly those whose transfer has finished", function()
    local first, second, third = start(1), start(2), start(3)
    assert.same({ "wait", "park", "park", BEAT }, { first.waits[1], second.waits[1], third.waits[1], third.waits[2] })
    assert.equal(1, engine.pumps)
    ready = { 3, 7 } -- no transfer has the id 7
    resume(first)
    assert.same({ 0, 0, 1 }, { first.woken, second.woken, third.woken })
    resume(third)
    assert.is_true(has_ended(third))
    resume(second)
    assert.same({ "park", 2 }, { second.waits[1], self.waiting })
    assert.same({ 0, 0 }, { first.woken, second.woken })
    ready = { 1 }
    resume(first)
    assert.is_true(has_ended(first))
    assert.equal(1, second.woken) -- the second coroutine drives the engine from now on
    assert.is_nil(self.leaders[group])
    resume(second)
    assert.same({ "wait", 1 }, { second.waits[1], self.waiting })
    ready = { 2 }
    resume(second)
    assert.is_true(has_ended(second))
    assert_clean()
  end)

  it("is driven by another coroutine if the one that was chosen has finished too", function()
    local first, second, third = start(1), start(2), start(3)
    ready = { 1, 2 }
    resume(first)
    assert.is_true(has_ended(first))
    local chosen = second.woken == 2 and second or third.woken == 1 and third
    assert.truthy(chosen)
    resume(second)
    assert.is_true(has_ended(second))
    assert.is_true(third.woken >= 1)
    resume(third)
    assert.equal("wait", third.waits[1])
  end)

  it("is not driven by the coroutines of another loop", function()
    local first = start(1)
    local other = start(2, nil, nil, {})
    assert.same({ "wait", "wait" }, { first.waits[1], other.waits[1] })
    ready = { 1 }
    resume(first)
    assert.same({ true, 0 }, { has_ended(first), other.woken })
    assert.equal(1, self.waiting)
  end)

  it("is taken over from a leader that has ended, or that was not resumed for some time", function()
    for _, way in ipairs { "ended", "lost" } do
      self = waiting.add_fields {}
      local first, second = start(1), start(2)
      resume(second)
      assert.equal("park", second.waits[1])
      self.led_at[group] = core.clock() - (way == "lost" and 1 or 0.3)
      first.is_killed = way == "ended"
      self.reap_at = core.clock() + 60
      resume(second)
      assert.equal("wait", second.waits[1])
      assert.same({ 2, 0 }, { self.waiting, first.cancelled })
      self.reap_at = 0
      resume(second)
      assert.same(way == "ended" and { 1, 1 } or { 2, 0 }, { self.waiting, first.cancelled })
      assert.is_true(self.reap_at > core.clock())
    end
  end)

  it("of a coroutine that has ended is cancelled, also if this coroutine would drive the engine next", function()
    local first, second, third = start(1), start(2), start(3)
    self.reap_at = core.clock() + 60
    second.is_killed = true
    third.is_killed = true
    ready = { 1 }
    resume(first)
    assert.is_true(has_ended(first))
    assert.same({ 1, 1 }, { second.cancelled, third.cancelled })
    assert_clean()
  end)

  it("replaces the transfer of a coroutine that has ended", function()
    start(1).is_killed = true
    self.led_at[group] = 0
    local second = start(1)
    assert.equal(1, self.waiting)
    ready = { 1 }
    self.leaders[group] = nil
    resume(second)
    resume(second)
    assert.is_true(has_ended(second))
    assert_clean()
  end)

  it("is sent together with the others of a batch", function()
    for id = 1, 31 do start(id) end
    assert.equal(0, engine.dispatches)
    start(32)
    assert.equal(0, engine.dispatches) -- request 1 was sent at once, so only 31 requests wait
    start(33)
    assert.equal(1, engine.dispatches)
    for id = 34, 64 do start(id) end
    assert.equal(1, engine.dispatches)
    start(65)
    assert.equal(2, engine.dispatches)
  end)

  it("lets most of many coroutines sleep longer", function()
    local tasks = {}
    for id = 1, 40 do tasks[id] = start(id) end
    assert.same({ "park", BEAT }, tasks[16].waits)
    assert.same({ "park", BEAT }, tasks[32].waits)
    assert.same({ "park", BEAT }, tasks[5].waits) -- only five coroutines wait when coroutine 5 begins to wait
    assert.same({ "park", 2 * BEAT }, tasks[17].waits)
    assert.same({ "park", 3 * BEAT }, tasks[40].waits)
  end)

  it("ends when its caller cancels it, and no other transfer ends", function()
    local owner = {}
    local first, second, third = start(1, { head = { owner = owner } }), start(2, { head = { owner = {} } }), start(3)
    waiting.cancel(self, owner)
    assert.same({ 1, 0, 0 }, { first.cancelled, second.cancelled, third.cancelled })
    assert.same({ 1, 0, 0 }, { first.woken, second.woken, third.woken })
    resume(first)
    resume(second)
    assert.same({ true, false }, { has_ended(first), has_ended(second) })
  end)

  it("ends with all others when the transport is closed", function()
    local first, second = start(1), start(2)
    self.closed = true
    waiting.wake_all(self)
    assert.same({ 1, 1 }, { first.woken, second.woken })
    local pumps = engine.pumps
    resume(first)
    resume(second)
    assert.is_true(has_ended(first, second))
    assert.equal(pumps, engine.pumps)
    assert_clean()
  end)

  -- Functions of a request ------------------------------------------------------------------------

  -- Returns a transfer whose method `wants` returns these values one after the other, and a list of what the transfer
  -- got.
  local function wanting(...)
    local wants, got = { ... }, {}
    return {
      wants = function()
        local want = wants[2] and table.remove(wants, 1) or wants[1]
        return want ~= "nothing" and want or nil
      end,
      feed = function(_, bytes) got[#got + 1] = { "fed", bytes } end,
      drain = function() return table.remove(got, 1) end,
      progress = function() return #wants, 9, 1, 8 end,
    }, got
  end

  it("calls its reader until the reader has ended", function()
    local pieces = { "a", "b" }
    local transfer, got = wanting("input", "nothing", "nothing", "input", "input", "nothing", "finished")
    local one = start(1, { body = { reader = function() return table.remove(pieces, 1) end } }, transfer)
    for _ = 1, 5 do
      if not has_ended(one) then resume(one) end
    end
    assert.is_true(has_ended(one))
    assert.same({ { "fed", "a" }, { "fed", "b" }, { "fed" } }, got)
    assert.is_nil(one.waiter.raised)
    assert_clean()
  end)

  it("passes its bytes to a sink, if there are any", function()
    local transfer, got = wanting("drain", "drain", "drain", "finished")
    got[1], got[2] = "x", ""
    local sunk = {}
    local one = start(1, { into = { sink = function(bytes) sunk[#sunk + 1] = bytes end } }, transfer)
    assert.is_true(has_ended(one))
    assert.same({ "x" }, sunk)
  end)

  it("reports its progress when it has changed, also at its end", function()
    local transfer = wanting("progress", "progress", "finished")
    local counts, reported = { { 1, 9, 0, nil }, { 1, 9, 0, nil }, { 9, 9, 0, nil } }, {}
    transfer.progress = function()
      local count = counts[2] and table.remove(counts, 1) or counts[1]
      return count[1], count[2], count[3], count[4]
    end
    local one = start(1, { progress = function(sent, to_send, received) reported[#reported + 1] = { sent, to_send, received } end },
      transfer)
    assert.is_true(has_ended(one))
    assert.same({ { 1, 9, 0 }, { 9, 9, 0 } }, reported)
  end)

  it("reports nothing after it was cancelled or the transport was closed", function()
    for _, way in ipairs { "cancel", "close" } do
      self = waiting.add_fields {}
      local owner, reported = {}, 0
      local one = start(1, { head = { owner = owner }, progress = function() reported = reported + 1 end },
        wanting("nothing", "nothing", "finished"))
      if way == "cancel" then waiting.cancel(self, owner) else self.closed = true end
      for _ = 1, 3 do
        if not has_ended(one) then resume(one) end
      end
      assert.same({ true, 0 }, { has_ended(one), reported })
    end
  end)

  it("is cancelled by an error of a function, which is returned", function()
    local raised = {}
    for index, request in ipairs {
      { body = { reader = function() error(raised) end } }, { body = { reader = function() return 5 end } },
    } do
      local one = start(index, request, (wanting("input", "finished")))
      assert.is_true(has_ended(one))
      assert.equal(1, one.cancelled)
      assert.equal(index == 1 and raised or "a reader must return a string or nil, not a number", one.waiter.raised.value)
    end
    local transfer, got = wanting("drain", "finished")
    got[1] = "x"
    local one = start(3, { into = { sink = function() error(raised) end } }, transfer)
    assert.same({ 1, raised }, { one.cancelled, one.waiter.raised.value })
    assert_clean()
  end)

  it("lets another coroutine drive the engine while its function runs", function()
    local other
    local transfer = wanting("nothing", "nothing", "input", "finished")
    local one = start(1, { body = { reader = function()
      assert.equal(1, other.woken)
      assert.is_nil(self.leaders[group])
    end } }, transfer)
    other = start(2)
    for _ = 1, 3 do
      if not has_ended(one) then resume(one) end
    end
    assert.is_true(has_ended(one))
    assert.is_nil(one.waiter.raised)
    resume(other)
    assert.equal("wait", other.waits[1])
  end)

  it("leaves the engine to the coroutine that drives it while its function runs", function()
    local first = start(1)
    local second = start(2, { body = { reader = function() assert.equal(0, first.woken) end } },
      (wanting("nothing", "input", "finished")))
    for _ = 1, 3 do
      if not has_ended(second) then resume(second) end
    end
    assert.is_true(has_ended(second))
    assert.is_nil(second.waiter.raised)
    assert.equal(0, first.woken)
  end)

  -- Outside of a loop -----------------------------------------------------------------------------

  -- Runs a request outside of any coroutine. `steps` are the results of `transfer:step`.
  local function run_alone(request, steps, transfer, runs_callbacks)
    request.head = request.head or {}
    transfer = transfer or {}
    transfer.seconds, transfer.cancelled = {}, 0
    transfer.step = function(_, seconds)
      transfer.seconds[#transfer.seconds + 1] = seconds or "none"
      local result = table.remove(steps, 1)
      if result[3] then result[3]() end
      return result[1], result[2]
    end
    transfer.cancel = function() transfer.cancelled = transfer.cancelled + 1 end
    local waits = 0
    local own = { runs_callbacks = runs_callbacks, wait = function(task, _, seconds)
      assert.is_nil(task)
      assert.equal(BEAT, seconds)
      waits = waits + 1
    end }
    return waiting.wait(self, engine, own, nil, 1, transfer, request), transfer, waits
  end

  it("outside of a loop is driven until it has finished", function()
    local waiter, transfer, waits = run_alone({}, { { nil }, { nil }, { "finished" } })
    assert.is_nil(waiter.raised)
    assert.same({ 3, 0 }, { #transfer.seconds, waits })
    assert.equal(BEAT, transfer.seconds[1])
    waiter, transfer, waits = run_alone({}, { { nil }, { nil }, { "finished" } }, nil, true)
    assert.is_nil(waiter.raised)
    assert.same({ { "none", "none", "none" }, 2 }, { transfer.seconds, waits })
    local calls = 0
    require("waba.runtime").with_periodic(function()
      calls = calls + 1
      return 0.01
    end, function() transfer = select(2, run_alone({}, { { nil }, { "finished" } })) end)
    assert.is_true(calls > 0 and transfer.seconds[1] <= 0.01)
  end)

  it("outside of a loop wakes the coroutines whose transfer has finished", function()
    local other = start(7)
    ready = { 7 }
    run_alone({}, { { nil, false }, { "finished", true } })
    assert.equal(1, other.woken)
  end)

  it("outside of a loop calls functions until it has ended", function()
    local pieces = { "a" }
    local transfer, got = wanting("input", "nothing", "input", "finished")
    run_alone({ body = { reader = function() return table.remove(pieces, 1) end } },
      { { "input" }, { nil }, { "input" }, { nil } }, transfer)
    assert.same({ { "fed", "a" }, { "fed" } }, got)
  end)

  it("outside of a loop can be cancelled by its caller", function()
    local owner = {}
    local steps = { { nil, nil, function() waiting.cancel(self, owner) end }, { "finished" } }
    local _, transfer = run_alone({ head = { owner = owner } }, steps, nil, true)
    assert.equal(1, transfer.cancelled)
    steps = { { nil, nil, function() waiting.cancel(self, {}) end }, { "finished" } }
    _, transfer = run_alone({ head = { owner = owner } }, steps, nil, true)
    assert.equal(0, transfer.cancelled)
    local reported = 0
    steps = { { nil, nil, function() waiting.cancel(self, owner) end }, { "finished" } }
    run_alone({ head = { owner = owner }, progress = function() reported = reported + 1 end }, steps, (wanting "finished"))
    assert.equal(0, reported)
  end)
end)
