-- lua/waba/runtime.lua: which event loop runs the code, and whether the code can wait.

local runtime = require "waba.runtime"
local waba = require "waba"

describe("a periodic function", function()
  it("is called before each wait outside of any event loop, until its function ends", function()
    local calls = 0
    local function task()
      calls = calls + 1
      assert.equal(9, runtime.run_periodic(9)) -- run_periodic returns its argument and does not call it
      return 3
    end
    assert.equal(5, runtime.run_periodic(5))
    runtime.with_periodic(task, function(value)
      assert.equal("a", value)
      assert.same({ 3, 2 }, { runtime.run_periodic(5), runtime.run_periodic(2) })
      runtime.with_periodic(function() return 1 end, function() assert.equal(1, runtime.run_periodic(5)) end)
      assert.equal(3, runtime.run_periodic(5))
    end, "a")
    assert.equal(4, calls)
    assert.equal(5, runtime.run_periodic(5))
    assert.equal(4, calls)
  end)
end)

describe("an event loop", function()
  it("is selected by its name", function()
    assert.equal("blocking", runtime.loop("blocking").name)
    assert.equal("cqueues", runtime.loop("cqueues").name)
    for _, name in ipairs { "libev", 5 } do
      assert.error_matches(function() runtime.loop(name) end,
        'unknown loop "' .. name .. '": expected blocking, native, cqueues, luv or copas')
    end
  end)

  it("is detected where its coroutine runs", function()
    local function names() return { runtime.loop_name(), (runtime.detect_name()), runtime.detect().name } end
    local BLOCKING = { "blocking", "blocking", "blocking" }
    assert.same(BLOCKING, names())
    local found = {}
    waba.run(function() found[1] = names() end)
    local cq = require("cqueues").new()
    cq:wrap(function()
      found[2] = names()
      local inner = coroutine.wrap(function() found[3] = runtime.detect(runtime.loop "blocking").name end)
      inner()
    end)
    assert(cq:loop())
    coroutine.wrap(function() found[4] = names() end)()
    assert.same({ { "native", "native", "native" }, { "cqueues", "cqueues", "cqueues" }, "blocking", BLOCKING }, found)
    assert.equal("luv", runtime.loop_name "luv")
    waba.run(function() assert.equal("native", runtime.loop_name "luv") end)
  end)

  it("is the named one, unless waba.run or cqueues runs the coroutine itself; and always blocking if that is named", function()
    local blocking, luv = runtime.loop "blocking", { name = "luv" }
    local function names() return runtime.detect(blocking).name .. " " .. runtime.detect(luv).name end
    assert.equal("blocking luv", names())
    local found = {}
    waba.run(function()
      found[1] = names()
      coroutine.wrap(function() found[2] = names() end)()
    end)
    local cq = require("cqueues").new()
    cq:wrap(function()
      found[3] = names()
      coroutine.wrap(function() found[4] = names() end)()
    end)
    assert(cq:loop())
    assert.same({ "blocking native", "blocking luv", "blocking cqueues", "blocking luv" }, found)
  end)

  it("is luv in a coroutine that its loop has resumed", function()
    local uv = require "luv"
    local found, timer = {}, uv.new_timer()
    timer:start(0, 0, function()
      found[1] = runtime.loop_name()
      coroutine.wrap(function() found[2] = runtime.loop_name() end)()
      timer:close()
    end)
    uv.run()
    coroutine.wrap(function() found[3] = runtime.loop_name() end)()
    assert.same({ "blocking", "luv", "blocking" }, found)
  end)

  it("waits for an engine until the engine or the caller needs it", function()
    local function limits(descriptor, left, seconds)
      local engine = { pollfd = function() return descriptor end, timeout = function() return left end }
      return { runtime.limits(engine, seconds) }
    end
    assert.same({ 7, 0.5 }, limits(7, 0.5, 2))
    assert.same({ 7, 2 }, limits(7, 5, 2))
    assert.same({ 7, 2 }, limits(7, nil, 2))
    assert.same({ nil, 0.01 }, limits(nil, nil, 2))
    assert.same({ nil, 0.01 }, limits(nil, 5, 2))
    assert.same({ nil, 0.005 }, limits(nil, 0.005, 2))
    assert.same({ nil, 0.002 }, limits(nil, nil, 0.002))
  end)
end)

describe("a wait", function()
  -- Calls a function from C code. The function can't yield across the C code.
  local function from_c(fn) ("x"):gsub("x", function() fn() end) end

  it("is possible outside of event loops, and inside of them unless C code is in between", function()
    local function can_wait() return { runtime.can_wait() } end
    assert.same({ true }, can_wait())
    from_c(function() assert.same({ true }, can_wait()) end)
    local found = {}
    waba.run(function()
      found[1] = can_wait()
      from_c(function() found[2] = can_wait() end)
    end)
    assert.same({ true }, found[1])
    assert.is_nil(found[2][1])
    assert.matches("a coroutine cannot wait inside a function that C code calls", found[2][2])
  end)

  it("is decided by the transport if it has a function for this", function()
    local transport = { can_wait = function(self) return nil, tostring(self ~= nil) end }
    assert.same({ nil, "true" }, { runtime.can_wait(transport) })
    assert.is_true(runtime.can_wait {})
    assert.is_true(runtime.can_wait { can_wait = true })
  end)

  it("has a number of seconds, 0 or more", function()
    for value, shown in pairs { ["1"] = "a string", [-1] = "%-1", [1 / 0] = "inf", [true] = "a boolean" } do
      assert.error_matches(function() waba.sleep(value) end, "must be a number of seconds, 0 or more, not " .. shown)
    end
    assert.error_matches(function() waba.sleep(0 / 0) end, "must be a number of seconds")
    assert.error_matches(function() waba.sleep() end, "not a nil")
    waba.sleep(0)
    waba.run(function()
      waba.sleep(0)
      from_c(function() assert.error_matches(function() waba.sleep(0) end, "waba.sleep: a coroutine cannot wait") end)
    end)
  end)
end)

describe("a module", function()
  it("is loaded once, and its error is raised", function()
    assert.equal(require "waba.version", runtime.require "waba.version")
    package.preload["waba.broken_module"] = function() error("odd", 0) end
    assert.error_matches(function() runtime.require "waba.broken_module" end, "odd")
    package.preload["waba.broken_module"] = nil
  end)
end)
