-- Callers that wait for a slot of a queue, in each event loop: they get slots in order, also when coroutines of other
-- callers are ended.

local buckets = require "waba.delivery.bucket"
local core = require "waba.core"
local curl = require "waba.transport.curl"
local queues = require "waba.delivery.queue"
local runners = require("spec.support.transports").runners

local close = rawget(coroutine, "close") -- exists in Lua 5.4

-- Returns a limiter that lets `tokens` callers pass at once.
local function new_limiter(tokens)
  local limiter = { tokens = tokens }
  function limiter:try()
    if self.tokens < 1 then return false end
    self:take()
    return true
  end
  function limiter:take() self.tokens = self.tokens - 1 end
  function limiter:delay() return self.tokens < 1 and 0.2 or 0 end
  function limiter.earliest() return 0 end
  return limiter
end

-- A transport that has only the method `sleep`.
local function plain(transport)
  return { sleep = function(_, seconds) transport:sleep(seconds) end }
end

for _, name in ipairs { "native", "cqueues", "luv", "copas", "a transport that can only sleep" } do
  describe("a queue in " .. name, function()
    local loop = runners[name] and name or "native"
    local transport, came, passed -- `came` lists the callers in the order in which they started; this order depends on the loop

    before_each(function()
      transport = curl.new { loop = loop == "luv" and loop or nil }
      came, passed = {}, {}
    end)
    after_each(function() transport:close() end)

    local function means() return runners[name] and transport or plain(transport) end

    -- Returns a function that waits for a slot of a queue and records that it got the slot.
    local function waits(queue, who, is_bulk, seconds)
      return function()
        local now = core.clock()
        came[#came + 1] = who
        if queue:try(now, is_bulk) or queue:wait(means(), now, now + (seconds or 20), is_bulk) then
          passed[#passed + 1] = who
        else
          passed[#passed + 1] = who .. " gave up"
        end
      end
    end

    it("lets callers pass in the order of their calls", function()
      local queue, functions = queues.new(buckets.new { rate = 1000, burst = 1 }), {}
      for i = 1, 10 do functions[i] = waits(queue, i) end
      runners[loop](functions)
      assert.equal(10, #passed)
      assert.same(came, passed)
      assert.is_true(queue:is_empty())
    end)

    it("lets messages pass before bulk, also later ones", function()
      local queue = queues.new(new_limiter(0))
      runners[loop] {
        waits(queue, "bulk 1", true), waits(queue, "bulk 2", true), waits(queue, "reply 1"),
        function()
          transport:sleep(0.005)
          waits(queue, "reply 3")()
        end,
        waits(queue, "reply 2"),
        function()
          transport:sleep(0.02)
          queue.limiter.tokens = 5
          queue:notify(core.clock())
        end,
      }
      local expected = {}
      for _, kind in ipairs { "reply", "bulk" } do
        for _, who in ipairs(came) do
          if who:find(kind) then expected[#expected + 1] = who end
        end
      end
      assert.equal(5, #passed)
      assert.same(expected, passed)
    end)

    it("lets no bulk message pass a waiting bulk message, but other messages", function()
      local queue = queues.new(new_limiter(0))
      local could_bulk, could_reply
      runners[loop] {
        waits(queue, "bulk", true),
        function()
          transport:sleep(0.005)
          queue.limiter.tokens = 2
          could_bulk, could_reply = queue:try(core.clock(), true), queue:try(core.clock())
          queue:notify(core.clock())
        end,
      }
      assert.same({ false, true }, { could_bulk, could_reply })
      assert.same({ "bulk" }, passed)
      queue.limiter.tokens = 1
      assert.is_true(queue:try(core.clock(), true))
    end)

    it("returns a timeout, and does not delay later callers", function()
      local queue = queues.new(new_limiter(0))
      runners[loop] {
        waits(queue, "first", false, 0.01), waits(queue, "second", false, 0.02), waits(queue, "third"), waits(queue, "bulk", true),
        function()
          while #passed < 2 do transport:sleep(0.005) end
          queue.limiter.tokens = 2
          queue:notify(core.clock())
        end,
      }
      -- both timeouts can end at the same time, so the two callers can end in any order
      if passed[2] == "first gave up" then passed[1], passed[2] = passed[2], passed[1] end
      assert.same({ "first gave up", "second gave up", "third", "bulk" }, passed)
    end)

    it("wakes callers whose timeout ends before a pause", function()
      local queue = queues.new(buckets.new { rate = 1000, burst = 1 })
      queue.limiter:pause(core.clock() + 10)
      runners[loop] {
        waits(queue, "patient", false, 15), waits(queue, "hasty", false, 12),
        function()
          local moment = core.clock() + 13
          queue.limiter:pause(moment)
          queue:notify_late(moment)
          while #passed < 1 do transport:sleep(0.005) end
          -- ends the pause, so that the test does not wait 13 seconds for "patient"
          queue.limiter.paused_until, queue.limiter.open_at = 0, 0
          queue:notify(core.clock())
        end,
      }
      assert.same({ "hasty gave up", "patient" }, passed)
    end)

    if close and name == "native" then
      it("continues after the first coroutine is killed", function()
        local waba = require "waba"
        local queue, threads = queues.new(new_limiter(0)), {}
        waba.run(function()
          for i = 1, 3 do
            waba.spawn(function()
              threads[i] = coroutine.running()
              waits(queue, i)()
            end)
          end
          transport:sleep(0.005)
          close(threads[1])
          queue.limiter.tokens = 3
          queue:notify(core.clock())
        end)
        assert.same({ 2, 3 }, passed)
      end)
    end
  end)
end

describe("a long queue", function()
  it("checks each waiting caller a few times, not at each slot", function()
    local waba, transport = require "waba", curl.new()
    local queue, looks, passed = queues.new(buckets.new { rate = 5000, burst = 10 }), 0, 0
    local delay = queue.limiter.delay
    function queue.limiter:delay(now)
      looks = looks + 1
      return delay(self, now)
    end
    waba.run(function()
      for i = 1, 1000 do
        waba.spawn(function()
          local now = core.clock()
          assert(queue:wait(transport, now, now + 20, i % 2 == 0))
          passed = passed + 1
        end)
      end
    end)
    transport:close()
    assert.equal(1000, passed)
    assert.is_true(looks < 6000, looks)
    assert.is_true(queue:is_empty())
  end)

  it("serves each caller once and each kind in order, whatever arrives, times out and is woken", function()
    local waba, transport = require "waba", curl.new()
    math.randomseed(4711)
    local queue, count = queues.new(buckets.new { rate = 3000, burst = 5 }), 400
    local entered, ended, passed = { [true] = {}, [false] = {} }, 0, { [true] = {}, [false] = {} }
    waba.run(function()
      for i = 1, count do
        local is_bulk, seconds = math.random() < 0.5, math.random() < 0.2 and 0.01 * math.random() or 20
        local pause = 0.1 * math.random()
        waba.spawn(function()
          waba.sleep(pause)
          local now = core.clock()
          entered[is_bulk][#entered[is_bulk] + 1] = i
          if queue:try(now, is_bulk) or queue:wait(transport, now, now + seconds, is_bulk) then
            passed[is_bulk][#passed[is_bulk] + 1] = i
          end
          ended = ended + 1
        end)
      end
      for _ = 1, 20 do
        waba.sleep(0.005)
        if math.random() < 0.3 then queue.limiter:pause(core.clock() + 0.005) end
        queue:notify(core.clock())
      end
    end)
    transport:close()
    assert.equal(count, ended)
    assert.is_true(queue:is_empty())
    for _, is_bulk in ipairs { true, false } do
      local position, places = 0, {}
      for place, i in ipairs(entered[is_bulk]) do places[i] = place end
      for _, i in ipairs(passed[is_bulk]) do
        assert.is_true(places[i] > position)
        position = places[i]
      end
      assert.is_true(#passed[is_bulk] > count / 4)
    end
  end)

  it("returns at once if the slot is certainly too late", function()
    local transport = curl.new()
    local queue = queues.new(buckets.new { rate = 0.1, burst = 1 })
    assert.is_true(queue:try(100))
    local now, delay = queue:wait(transport, 100, 105)
    assert.is_nil(now)
    assert.near(10, delay, 1e-9)
    assert.is_true(queue:is_empty())
    transport:close()
  end)
end)

describe("a queue whose callers run step by step", function()
  local queue, limiter, threads, results, woken

  before_each(function()
    limiter = new_limiter(0)
    queue, threads, results, woken = queues.new(limiter), {}, {}, {}
  end)

  local function transport_of(who)
    return { waiter = function()
      return {
        wait = function() coroutine.yield() end,
        wake = function() woken[#woken + 1] = who end,
        is_alive = function() return coroutine.status(threads[who]) ~= "dead" end,
      }
    end }
  end

  local function resume(who) assert(coroutine.resume(threads[who])) end

  -- Starts a caller that waits for a slot until a deadline. When the caller no longer waits, its result is added to
  -- `results`.
  local function enter(who, now, deadline, is_bulk, at_front)
    threads[who] = coroutine.create(function()
      results[who] = { queue:wait(transport_of(who), now, deadline, is_bulk, at_front) }
    end)
    resume(who)
  end

  it("wakes the callers whose deadline is at a certain time or earlier", function()
    local now = core.clock()
    enter("early", now, now + 100)
    enter("gone", now, now + 1e-9)
    enter("late", now, now + 101)
    enter("bulk", now, now + 100, true)
    resume "gone"
    assert.is_nil(results.gone[1])
    woken = {}
    queue:notify_late(now + 100)
    assert.same({ "early", "bulk" }, woken)
  end)

  it("is empty if no caller of either kind waits", function()
    local now = core.clock()
    for _, is_bulk in ipairs { true, false } do
      queue = queues.new(limiter)
      assert.is_true(queue:is_empty())
      enter("one", now, now + 100, is_bulk)
      assert.is_false(queue:is_empty())
      limiter.tokens = 1
      resume "one"
      assert.is_true(results.one[1] >= now)
      assert.is_true(queue:is_empty())
    end
  end)

  it("refuses all callers when it is closed", function()
    local now = core.clock()
    enter("before", now, now + 100)
    enter("bulk", now, now + 100, true)
    queue:close()
    assert.same({ "before", "bulk" }, woken)
    for _, who in ipairs { "before", "bulk" } do
      resume(who)
      assert.is_nil(results[who][1])
    end
    enter("after", now, now + 100)
    assert.same({ nil, 0 }, results.after)
    assert.is_true(queue:is_empty())
  end)

  it("refuses a caller that would get its slot at its deadline, by the number of callers before it", function()
    local now, asked = core.clock(), nil
    function limiter.earliest(_, _, ahead)
      asked = ahead
      return 5
    end
    for who, deadline in pairs { at = 15, after = 15.001 } do enter(who, 10, deadline) end
    assert.same({ nil, 5 }, results.at)
    assert.is_nil(results.after)
    queue = queues.new(limiter)
    function limiter.earliest(_, _, ahead)
      asked = asked or ahead
      return 0
    end
    for index, row in ipairs { { 0 }, { 1 }, { 2, true }, { 3, true }, { 2 }, { 0, false, true }, { 0, true, true } } do
      asked = nil
      enter(index, now, now + 100, row[2], row[3])
      assert.equal(row[1], asked, index)
    end
  end)

  it("lets a repeat pass before all others of its kind", function()
    local now = core.clock()
    enter("bulk", now, now + 100, true)
    enter("reply", now, now + 100)
    enter("repeat", now, now + 100, false, true)
    enter("bulk repeat", now, now + 100, true, true)
    limiter.tokens = 4
    local order = {}
    for _ = 1, 4 do
      for _, who in ipairs { "bulk", "bulk repeat", "reply", "repeat" } do
        if not results[who] then
          resume(who)
          if results[who] then order[#order + 1] = who end
        end
      end
    end
    assert.same({ "repeat", "reply", "bulk repeat", "bulk" }, order)
  end)

  it("lets only its first caller refill a shared limiter", function()
    local now, refills = core.clock(), {}
    function limiter:refill(_, is_bulk, count)
      refills[#refills + 1] = (is_bulk and "bulk " or "reply ") .. count
      self.tokens = 1
      return true
    end
    enter("first", now, now + 100)
    assert.same({ "reply 1" }, refills)
    assert.is_true(results.first[1] >= now)
    function limiter:refill(_, is_bulk, count)
      refills[#refills + 1] = (is_bulk and "bulk " or "reply ") .. count
      return false
    end
    enter("second", now, now + 100, true)
    enter("third", now, now + 100, true)
    enter("fourth", now, now + 100)
    assert.same({ "reply 1", "bulk 1", "reply 1" }, refills)
    resume "third"
    resume "second"
    assert.equal(3, #refills)
    resume "fourth"
    assert.equal("reply 1", refills[4])
  end)
end)
