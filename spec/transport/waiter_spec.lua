-- A waiter lets one coroutine wait and another one wake it. The spec tests wait, wake and the end of the coroutine for
-- each kind of waiter.

local runtime = require "waba.runtime"
local waiter = require "waba.transport.waiter"

-- Returns a waiter that sleeps, and the list of its sleeps in milliseconds.
local function sleeping()
  local slept = {}
  return waiter.sleeping(function(seconds) slept[#slept + 1] = seconds * 1000 end), slept
end

local function near(expected, list)
  assert.equal(#expected, #list)
  for index, value in ipairs(expected) do assert.is_true(math.abs(value - list[index]) < 1e-6, index .. ": " .. list[index]) end
end

describe("a waiter that can't be woken from its sleep", function()
  it("sleeps in steps that become longer, up to a tenth of a second", function()
    local one, slept = sleeping()
    for _ = 1, 10 do one:wait(5) end
    near({ 1, 2, 4, 8, 16, 32, 64, 100, 100, 100 }, slept)
    assert.is_true(one:is_alive())
  end)

  it("sleeps no longer than the wait", function()
    local one, slept = sleeping()
    for _, seconds in ipairs { 0, 0.0005, 0.002, 5, 0.003 } do one:wait(seconds) end
    near({ 0, 0.5, 2, 8, 3 }, slept)
  end)

  it("begins with short steps again after a wake, once", function()
    local one, slept = sleeping()
    for _ = 1, 4 do one:wait(5) end
    one:wake()
    for _ = 1, 3 do one:wait(5) end
    near({ 1, 2, 4, 8, 1, 2, 4 }, slept)
  end)
end)

describe("a waiter of an event loop", function()
  it("parks and wakes its task, and sleeps if there is no task", function()
    local calls = {}
    local function note(name, result)
      return function(...)
        calls[#calls + 1] = { name, ... }
        return result
      end
    end
    local loop = { park = note "park", wake = note "wake", is_alive = note("is_alive", false), sleep = note "sleep" }
    local one = waiter.of_loop(loop, "task")
    one:wait(2)
    one:wake()
    assert.is_false(one:is_alive())
    waiter.of_loop(loop, nil):wait(2)
    assert.same({ { "park", "task", 2 }, { "wake", "task" }, { "is_alive", "task" }, { "sleep", 0.001 } }, calls)
  end)
end)

describe("the waiter of the running coroutine", function()
  for _, name in ipairs { "native", "cqueues", "copas" } do
    it("is woken by another coroutine, and not before, in " .. name, function()
      local one, waits, is_over = nil, 0, false
      require("spec.support.runners")[name] { function()
        one = waiter.here()
        while not is_over do
          one:wait(20)
          waits = waits + 1
        end
      end, function()
        require("waba").sleep(0.02)
        is_over = true
        one:wake()
      end }
      assert.equal(1, waits)
    end)
  end
end)

describe("a waiter of a transport", function()
  it("is made by the transport, or sleeps with it", function()
    local own = {}
    assert.equal(own, waiter.of { waiter = function() return own end })
    local slept = {}
    local transport = { sleep = function(self, seconds) slept[#slept + 1] = { self, seconds } end }
    waiter.of(transport):wait(1)
    assert.same({ transport, 0.001 }, slept[1])
  end)
end)

describe("a waiter of a light thread in nginx", function()
  local is_nginx, can_wait, loaded = runtime.is_nginx, runtime.can_wait_in_nginx, package.loaded["ngx.semaphore"]
  local waits, posts, during, threads

  before_each(function()
    waits, posts, during, threads = {}, 0, nil, 0
    local semaphore = {
      wait = function(_, seconds)
        waits[#waits + 1] = seconds
        threads = threads + 1
        if during then during() end
        threads = threads - 1
      end,
      post = function(_, count) posts = posts + count end,
      count = function() return posts - threads end,
    }
    package.loaded["ngx.semaphore"] = { new = function() return semaphore end }
    runtime.is_nginx, runtime.can_wait_in_nginx = function() return true end, function() return true end
  end)
  after_each(function()
    runtime.is_nginx, runtime.can_wait_in_nginx, package.loaded["ngx.semaphore"] = is_nginx, can_wait, loaded
  end)

  it("is woken once during a wait, and never outside of one", function()
    local one = waiter.here()
    one:wake()
    assert.equal(0, posts)
    function during()
      assert.equal(0, posts)
      for _ = 1, 3 do one:wake() end
    end
    one:wait(5)
    assert.same({ 5 }, waits)
    assert.equal(1, posts)
    one:wake()
    assert.equal(1, posts)
    posts, during = 0, function() one:wake() end
    one:wait(5)
    assert.equal(1, posts)
    posts, during = 0, nil
    one:wait(5)
    one:wake()
    assert.equal(0, posts)
  end)

  it("waits for a millisecond at least, because nginx would not run other threads", function()
    local one = waiter.here()
    for _, seconds in ipairs { 0, -1, 0.5 } do one:wait(seconds) end
    assert.same({ 0.001, 0.001, 0.5 }, waits)
  end)

  it("has ended if nothing waits on its semaphore during a wait", function()
    local one = waiter.here()
    assert.is_true(one:is_alive())
    local alive = {}
    function during()
      alive[1] = one:is_alive()
      threads = 0 -- as after the end of the light thread
      alive[2] = one:is_alive()
      one:wake()
      alive[3] = one:is_alive() -- true: nginx resumes a woken thread later
      threads = 1
    end
    one:wait(1)
    assert.same({ true, false, true }, alive)
    assert.is_true(one:is_alive())
  end)

  it("does not exist where nginx can't wait", function()
    runtime.can_wait_in_nginx = function() return nil, "not in this phase" end
    assert.error_matches(waiter.here, "waba: not in this phase")
  end)
end)
