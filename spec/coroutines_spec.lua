-- Protected calls with a cleanup, and coroutines that yield inside them.

local coroutines = require "waba.coroutines"
local process = require "spec.support.process"

describe("a function with a cleanup", function()
  for _, name in ipairs { "ensure", "always" } do
    it("returns its results or raises its error, after the cleanup: " .. name, function()
      local calls = {}
      local function after(...) calls[#calls + 1] = { select("#", ...), ... } end
      assert.same({ 3, "a", nil, "c" }, { select("#", coroutines[name](after, "s", function(...) return ... end, "a", nil, "c")),
        coroutines[name](after, "s", function(...) return ... end, "a", nil, "c") })
      assert.same({ 5, "s", true, "a", nil, "c" }, calls[1])
      for _, raised in ipairs { "odd", { "odd" } } do
        local ok, found = pcall(coroutines[name], after, "s", function() error(raised, 0) end)
        assert.same({ false, raised }, { ok, found })
        assert.same({ 3, "s", false, raised }, calls[#calls])
      end
    end)
  end

  it("has a traceback in an error that is a text", function()
    assert.same({ true, "a" }, { coroutines.protect(function(value) return value end, "a") })
    local ok, message = coroutines.protect(function() error "odd" end)
    assert.is_false(ok)
    assert.matches("coroutines_spec.lua:%d+: odd\nstack traceback:", message)
    assert.matches("coroutines_spec.lua:%d+: odd$", coroutines.text_of(message))
    local err = { "odd" }
    assert.equal(err, select(2, coroutines.protect(function() error(err) end)))
    assert.same({ false, "odd" }, { coroutines.pcall(function() error("odd", 0) end) })
  end)
end)

describe("a coroutine", function()
  it("is dead after its end", function()
    local thread = coroutine.create(function() coroutine.yield() end)
    assert.is_false(coroutines.is_dead(thread))
    coroutine.resume(thread)
    assert.is_false(coroutines.is_dead(thread))
    coroutine.resume(thread)
    assert.is_true(coroutines.is_dead(thread))
  end)
end)

describe("a function in a coroutine of PUC Lua 5.1, which cannot yield inside pcall,", function()
  -- The program prints one line for each check.
  local PROGRAM = [[
    local coroutines = require "waba.coroutines"
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
        return coroutines[name](function(value)
          inner, running = coroutine.running(), coroutines.running()
          return value, coroutine.yield "a", coroutine.yield "b"
        end, "x")
      end)
      show(name, count, tostring(results[2]), results[3], results[4], results[5], tostring(running == thread), tostring(inner == thread))
      local _, _, failed = run(function()
        return coroutines[name](function()
          coroutine.yield()
          error("odd", 0)
        end)
      end)
      show(name, tostring(failed[2]), text(failed[3]), tostring(tostring(failed[3]):find "traceback" ~= nil))
      local _, _, object = run(function() return coroutines[name](function() error { 7 } end) end)
      show(name, tostring(object[2]), type(object[3]))
    end
    local calls = {}
    local function after(subject, ok, result) calls[#calls + 1] = ("%s,%s,%s"):format(subject, tostring(ok), tostring(result)) end
    for _, name in ipairs { "ensure", "always" } do
      local _, count, results = run(function()
        return coroutines[name](after, "s", function(a) return a, coroutine.yield() end, "x")
      end)
      show(name, count, results[2], results[3], calls[#calls])
      local before = #calls
      local _, _, failed = run(function() return coroutines[name](after, "s", function() error("odd", 0) end) end)
      show(name, tostring(failed[1]), text(failed[2]), #calls - before)
      show(name, text(select(2, pcall(coroutines[name], after, "s", function() error("odd", 0) end))), calls[#calls])
    end
    show("main", tostring(coroutines.can_yield_in_pcall()), tostring(coroutines.running()),
      text(select(2, coroutines.pcall(function() return 5 end))))
    run(function() show("coroutine", tostring(coroutines.can_yield_in_pcall())) end)
    show("main in protect", tostring(select(2, coroutines.protect(function() return coroutines.running() end))))
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
