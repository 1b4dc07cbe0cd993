-- Where code runs and whether it can wait, and the functions that call other functions with a cleanup.

local process = require "spec.support.process"
local runtime = require "waba.runtime"
local waba = require "waba"

describe("a function with a cleanup", function()
  for _, name in ipairs { "ensure", "always" } do
    it("returns its results or raises its error, after the cleanup: " .. name, function()
      local calls = {}
      local function after(...) calls[#calls + 1] = { select("#", ...), ... } end
      assert.same({ 3, "a", nil, "c" }, { select("#", runtime[name](after, "s", function(...) return ... end, "a", nil, "c")),
        runtime[name](after, "s", function(...) return ... end, "a", nil, "c") })
      assert.same({ 5, "s", true, "a", nil, "c" }, calls[1])
      for _, raised in ipairs { "odd", { "odd" } } do
        local ok, found = pcall(runtime[name], after, "s", function() error(raised, 0) end)
        assert.same({ false, raised }, { ok, found })
        assert.same({ 3, "s", false, raised }, calls[#calls])
      end
    end)
  end

  it("has a traceback in an error that is a text", function()
    assert.same({ true, "a" }, { runtime.protect(function(value) return value end, "a") })
    local ok, message = runtime.protect(function() error "odd" end)
    assert.is_false(ok)
    assert.matches("runtime_spec.lua:%d+: odd\nstack traceback:", message)
    assert.matches("runtime_spec.lua:%d+: odd$", runtime.text_of(message))
    local err = { "odd" }
    assert.equal(err, select(2, runtime.protect(function() error(err) end)))
    assert.same({ false, "odd" }, { runtime.pcall(function() error("odd", 0) end) })
  end)
end)

describe("a coroutine", function()
  it("is dead after its end", function()
    local thread = coroutine.create(function() coroutine.yield() end)
    assert.is_false(runtime.is_dead(thread))
    coroutine.resume(thread)
    assert.is_false(runtime.is_dead(thread))
    coroutine.resume(thread)
    assert.is_true(runtime.is_dead(thread))
  end)
end)

describe("a periodic function", function()
  it("is called before each wait outside of any event loop, until its function ends", function()
    local calls = 0
    local function task()
      calls = calls + 1
      assert.equal(9, runtime.run_periodic(9)) -- is not called by itself
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
  it("is known by its name", function()
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
  -- Calls a function from C code, through which no coroutine can yield.
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

describe("a function in a coroutine of PUC Lua 5.1, which cannot yield inside pcall,", function()
  -- The program prints one line for each check.
  local PROGRAM = [[
    local runtime = require "waba.runtime"
    local function show(...) io.write(table.concat({ ... }, " "), "\n") end
    local function text(value) return tostring(value):match "^[^\n]*" end

    -- Runs a function in a coroutine, resumes it with the numbers 1, 2, 3 … and returns its results.
    local function run(fn)
      local thread = coroutine.create(fn)
      local results = { coroutine.resume(thread) }
      local count = 0
      while coroutine.status(thread) == "suspended" do
        count = count + 1
        results = { coroutine.resume(thread, count) }
      end
      return thread, count, results
    end

    for _, name in ipairs { "pcall", "protect" } do
      local inner, running
      local thread, count, results = run(function()
        return runtime[name](function(value)
          inner, running = coroutine.running(), runtime.running()
          return value, coroutine.yield "a", coroutine.yield "b"
        end, "x")
      end)
      show(name, count, tostring(results[2]), results[3], results[4], results[5], tostring(running == thread), tostring(inner == thread))
      local _, _, failed = run(function()
        return runtime[name](function()
          coroutine.yield()
          error("odd", 0)
        end)
      end)
      show(name, tostring(failed[2]), text(failed[3]), tostring(tostring(failed[3]):find "traceback" ~= nil))
      local _, _, object = run(function() return runtime[name](function() error { 7 } end) end)
      show(name, tostring(object[2]), type(object[3]))
    end
    local calls = {}
    local function after(subject, ok, result) calls[#calls + 1] = ("%s,%s,%s"):format(subject, tostring(ok), tostring(result)) end
    for _, name in ipairs { "ensure", "always" } do
      local _, count, results = run(function()
        return runtime[name](after, "s", function(a) return a, coroutine.yield() end, "x")
      end)
      show(name, count, results[2], results[3], calls[#calls])
      local before = #calls
      local _, _, failed = run(function() return runtime[name](after, "s", function() error("odd", 0) end) end)
      show(name, tostring(failed[1]), text(failed[2]), #calls - before)
      show(name, text(select(2, pcall(runtime[name], after, "s", function() error("odd", 0) end))), calls[#calls])
    end
    show("main", tostring(runtime.can_yield_in_pcall()), tostring(runtime.running()),
      text(select(2, runtime.pcall(function() return 5 end))))
    run(function() show("coroutine", tostring(runtime.can_yield_in_pcall())) end)
    show("main in protect", tostring(select(2, runtime.protect(function() return runtime.running() end))))
  ]]

  it("waits in inner coroutines", function()
    local folder = process.folder()
    local paths = process.run "flock build make -s --no-print-directory env LUA=lua5.1 2>/dev/null"
    local output = process.run(("%s; lua5.1 %s 2>&1"):format(paths, folder:write("program.lua", PROGRAM)))
    folder:remove()
    assert.equal(([[
pcall 2 true x 1 2 true false
pcall false odd false
pcall false table
protect 2 true x 1 2 true false
protect false odd true
protect false table
ensure 1 x 1 s,true,x
ensure false odd 0
ensure odd s,false,odd
always 1 x 1 s,true,x
always false odd 1
always odd s,false,odd
main true nil 5
coroutine false
main in protect nil]]), output)
  end)
end)
