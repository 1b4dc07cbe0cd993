local core = require "waba.core"
local waba = require "waba"

describe("waba.run", function()
  it("returns the results of its first function", function()
    local a, b, c = waba.run(function() return 1, nil, 3 end)
    assert.equal(1, a)
    assert.is_nil(b)
    assert.equal(3, c)
  end)

  it("runs functions concurrently and passes the further arguments to them", function()
    local seen = {}
    waba.run(function(x) waba.sleep(0.02) seen[#seen + 1] = "slow" .. x end,
      function(x) seen[#seen + 1] = "fast" .. x end, "!")
    assert.same({ "fast!", "slow!" }, seen)
  end)

  it("waits for all spawned functions", function()
    local done = 0
    waba.run(function()
      for i = 1, 100 do
        waba.spawn(function(n) waba.sleep(n / 10000) done = done + 1 end, i)
      end
    end)
    assert.equal(100, done)
  end)

  it("wakes sleepers in the order of their times", function()
    local order, started = {}, core.clock()
    waba.run(function()
      for _, n in ipairs { 5, 1, 4, 2, 3 } do
        waba.spawn(function()
          waba.sleep(math.max(0, started + n / 50 - core.clock()))
          order[#order + 1] = n
        end)
      end
    end)
    assert.same({ 1, 2, 3, 4, 5 }, order)
  end)

  it("resumes the others after a plain yield", function()
    local order = {}
    waba.run(function()
      for i = 1, 3 do order[#order + 1] = "a" .. i coroutine.yield() end
    end, function()
      for i = 1, 3 do order[#order + 1] = "b" .. i coroutine.yield() end
    end)
    assert.same({ "a1", "b1", "a2", "b2", "a3", "b3" }, order)
  end)

  it("raises the error of a function, and can run again afterwards", function()
    local fault = { reason = "mine" }
    local ok, caught = pcall(waba.run, function() waba.sleep(0.001) error(fault) end)
    assert.is_false(ok)
    assert.equal(fault, caught)
    assert.equal(7, waba.run(function() waba.sleep(0.001) return 7 end))
  end)

  it("raises a text with its position", function()
    local function inner() error("mine", 0) end
    local ok, caught = pcall(waba.run, function() inner() end)
    assert.is_false(ok)
    assert.matches("^mine\nstack traceback:.*native_spec.lua", caught)
  end)

  local close = rawget(coroutine, "close") -- exists in Lua 5.4
  if close then
    it("does not wait for the wake-up time of a killed coroutine", function()
      local started, done = core.clock(), false
      waba.run(function()
        local threads = {}
        for i = 1, 3 do
          waba.spawn(function()
            threads[i] = coroutine.running()
            waba.sleep(3 * i)
          end)
        end
        waba.spawn(function() waba.sleep(0.01) done = true end)
        waba.sleep(0.001)
        for i = 1, 3 do close(threads[i]) end
      end)
      assert.is_true(done)
      assert.is_true(core.clock() - started < 3)
    end)
  end

  it("reports the position of an error", function()
    local _, message = pcall(waba.run, function() error "lost" end)
    assert.matches("native_spec.lua:%d+: lost", message)
  end)

  it("refuses wrong use", function()
    assert.error_matches(function() waba.run(5) end, "the argument must be a function, not a number")
    assert.error_matches(function() waba.spawn(function() end) end, "waba.spawn: expected a call inside waba.run")
    assert.error_matches(function() waba.run(function() waba.run(function() end) end) end, "already running")
  end)

  it("sleeps outside of a loop too", function()
    local before = core.clock()
    waba.sleep(0.01)
    assert.is_true(core.clock() - before >= 0.01)
  end)
end)
