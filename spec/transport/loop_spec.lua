-- The curl transport in each event loop: which loop it detects, and that the other coroutines and the engine continue
-- after a coroutine was ended.

local core = require "waba.core"
local curl = require "waba.transport.curl"
local runtime = require "waba.runtime"
local runners = require("spec.support.transports").runners
local server = require "spec.support.server"

local close = rawget(coroutine, "close") -- exists in Lua 5.4

describe("the event loop", function()
  local gateway

  setup(function() gateway = server.start {} end)
  teardown(function() gateway:stop() end)

  before_each(function() gateway:forget() end)

  local function new_transport(options)
    options = options or {}
    options.ca_file = gateway.ca_file
    return curl.new(options)
  end

  local function request(path, more)
    local made = { head = { method = "POST", url = gateway.url .. path, headers = {} }, body = "x", timeout = 20 }
    for name, value in pairs(more or {}) do made[name] = value end
    return made
  end

  local function wait_until(transport, condition)
    local deadline = core.clock() + 10
    while not condition() do
      if core.clock() > deadline then error("it took too long", 2) end
      transport:sleep(0.005)
    end
  end

  for _, name in ipairs { "native", "cqueues", "luv", "copas" } do
    describe(name, function()
      local transport

      before_each(function() transport = new_transport { loop = name == "luv" and name or nil } end)

      after_each(function()
        transport:close()
        gateway:release()
      end)

      local function run(...) return runners[name] { ... } end

      if name ~= "luv" then
        it("is detected", function()
          local found
          run(function() found = runtime.detect().name end)
          assert.equal(name, found)
        end)
      end

      it("makes two requests at a time", function()
        gateway:respond("/wait", { held = true })
        local ends = {}
        run(function()
          assert.equal(200, assert(transport:send(request "/wait")).status)
          ends[#ends + 1] = "first"
        end, function()
          wait_until(transport, function() return gateway:count "/wait" == 1 end)
          assert.equal(200, assert(transport:send(request "/quick")).status)
          ends[#ends + 1] = "second"
          gateway:release()
        end)
        assert.same({ "second", "first" }, ends)
      end)

      it("continues if a reader waits in another way", function()
        local ends = {}
        run(function()
          local pieces = { "a", "b" }
          local function reader()
            wait_until(transport, function() return ends[1] end)
            return table.remove(pieces, 1)
          end
          assert(transport:send(request("/slow", { body = { reader = reader } })))
          ends[#ends + 1] = "slow"
        end, function()
          assert(transport:send(request "/quick"))
          ends[#ends + 1] = "quick"
        end)
        assert.same({ "quick", "slow" }, ends)
      end)

      it("ends the requests in flight if the transport is closed", function()
        gateway:respond("/wait", { held = true })
        local failures = {}
        local function waiter()
          local _, failure = transport:send(request "/wait")
          failures[#failures + 1] = failure
        end
        run(waiter, waiter, waiter, function()
          wait_until(transport, function() return gateway:count "/wait" == 3 end)
          transport:close()
        end)
        assert.equal(3, #failures)
        for _, failure in ipairs(failures) do
          assert.equal("cancelled", failure.kind)
          assert.equal("maybe", failure.sent)
        end
        assert.error_matches(function() transport:send(request "/wait") end, "closed transport")
      end)

      it("raises the error of a coroutine's function in this coroutine only", function()
        local results = {}
        run(function()
          results[1] = { pcall(transport.send, transport, request("/a", { body = { reader = function() error "odd" end } })) }
        end, function()
          results[2] = assert(transport:send(request "/b"))
        end)
        assert.is_false(results[1][1])
        assert.matches("odd$", results[1][2])
        assert.equal(200, results[2].status)
      end)

      if name == "cqueues" or name == "copas" then
        it("lets another coroutine drive the engine if the driving one is not resumed again", function()
          gateway:respond("/wait", { held = true })
          local lost, status
          run(function()
            -- This coroutine yields to the function that has resumed it, and not to the loop.
            lost = coroutine.create(function() transport:send(request "/wait") end)
            coroutine.resume(lost)
            status = assert(transport:send(request "/quick")).status
          end)
          assert.equal(200, status)
          assert.equal("suspended", coroutine.status(lost))
          lost = nil
          collectgarbage()
          collectgarbage()
          assert.equal(0, transport.engine:in_flight())
        end)
      end

      -- Runs functions concurrently until the last function has returned. One of the functions is killed.
      local function run_survivors(...)
        local functions, over, fine, fault = { ... }, false, nil, nil
        local last = functions[#functions]
        functions[#functions] = function()
          fine, fault = pcall(last)
          over = true
        end
        if name == "cqueues" then
          local controller = require("cqueues").new()
          for _, fn in ipairs(functions) do controller:wrap(fn) end
          while not over do controller:step(1) end
        elseif name == "copas" then
          for _, fn in ipairs(functions) do require("copas").addthread(fn) end
          while not over do require("copas").step() end
        else
          runners[name](functions)
        end
        assert(fine, fault)
      end

      if close then
        for _, role in ipairs { "leader", "follower" } do
          it("goes on when a " .. role .. " is killed, and cancels what it has sent", function()
            gateway:respond("/wait", { held = true })
            local victim, answered, in_flight
            local function doomed()
              victim = coroutine.running()
              if name == "copas" then require("copas").setErrorHandler(function() end) end
              transport:send(request "/wait")
            end
            local function survivor()
              assert(transport:send(request("/slow")))
              answered = true
            end
            local function killer()
              wait_until(transport, function() return gateway:count "/wait" == 1 and gateway:count "/slow" == 1 end)
              close(victim)
              gateway:respond("/slow", {})
              wait_until(transport, function() return answered end)
              wait_until(transport, function()
                in_flight = transport.engine:in_flight()
                return in_flight == 0
              end)
            end
            gateway:respond("/slow", { delay = 0.7 }) -- the victim is killed before the survivor gets this response
            -- The coroutine that sends first drives the engine for all coroutines.
            if role == "leader" then
              run_survivors(doomed, survivor, killer)
            else
              run_survivors(survivor, doomed, killer)
            end
            assert.is_true(answered)
            assert.equal(0, in_flight)
          end)
        end
      end
    end)
  end

  it("cqueues: a controller that is no longer used does not block the requests of others", function()
    local cqueues = require "cqueues"
    local transport = new_transport()
    gateway:respond("/wait", { held = true })
    local function leave_behind()
      local left = cqueues.new()
      for _ = 1, 2 do left:wrap(function() transport:send(request "/wait") end) end
      while gateway:count "/wait" < 2 do left:step(0.01) end
    end
    leave_behind()
    assert.equal(2, transport.engine:in_flight())
    local other, status = cqueues.new(), nil
    other:wrap(function() status = assert(transport:send(request "/quick")).status end)
    assert(other:loop())
    assert.equal(200, status)
    collectgarbage()
    collectgarbage()
    assert.equal(0, transport.engine:in_flight())
    assert.equal(200, assert(transport:send(request "/quick")).status)
    gateway:release()
    transport:close()
  end)

  it("native: a run that ends with an error leaves nothing in flight", function()
    local waba = require "waba"
    local transport = new_transport()
    gateway:respond("/wait", { held = true })
    assert.error_matches(function()
      waba.run(function() transport:send(request "/wait") end, function() transport:send(request "/wait") end, function()
        wait_until(transport, function() return gateway:count "/wait" == 2 end)
        error "enough"
      end)
    end, "enough")
    waba.run(function() assert.equal(200, assert(transport:send(request "/quick")).status) end)
    collectgarbage()
    collectgarbage()
    assert.equal(0, transport.engine:in_flight())
    gateway:release()
    transport:close()
  end)

  it("luv: sockets are read while a coroutine waits for 0 seconds again and again", function()
    local uv, loop = require "luv", runtime.loop "luv"
    local listener, client, greeting = uv.new_tcp(), uv.new_tcp(), nil
    listener:bind("127.0.0.1", 0)
    listener:listen(1, function()
      local accepted = uv.new_tcp()
      listener:accept(accepted)
      accepted:write("hello", function() accepted:close() end)
    end)
    client:connect("127.0.0.1", listener:getsockname().port, function()
      client:read_start(function(_, bytes) greeting = greeting or bytes end)
    end)
    local waits = 0
    coroutine.wrap(function()
      repeat
        loop.sleep(0)
        waits = waits + 1
      until greeting or waits == 100000
      client:close()
      listener:close()
    end)()
    uv.run()
    assert.equal("hello", greeting)
  end)

  it("luv: the main program runs the loop until its own request has ended", function()
    local transport = new_transport { loop = "luv" }
    local uv, ticks = require "luv", 0
    local timer = uv.new_timer()
    timer:start(1, 1, function() ticks = ticks + 1 end)
    gateway:respond("/slow", { delay = 0.05 })
    assert.equal(200, assert(transport:send(request "/slow")).status)
    transport:sleep(0.005)
    assert.is_true(ticks > 1)
    timer:stop()
    local fault
    timer:start(0, 0, function() fault = select(2, pcall(transport.send, transport, request "/never")) end)
    uv.run()
    timer:close()
    uv.run()
    assert.matches("a callback of luv can't wait", fault)
    transport:close()
  end)

  it("blocking: is used if there is no loop", function()
    assert.equal("blocking", runtime.detect().name)
    local inner
    require("waba").run(function()
      coroutine.wrap(function() inner = runtime.detect().name end)()
    end)
    assert.is_string(inner)
  end)

  it("reports a missing library", function()
    assert.error_matches(function() runtime.loop "circle" end, "unknown loop \"circle\": expected blocking, native")
    local preload, loaded = package.preload.luv, package.loaded.luv
    package.loaded.luv = nil
    package.preload.luv = function() error "none here" end
    local ok, message = pcall(runtime.loop, "luv")
    package.preload.luv, package.loaded.luv = preload, loaded
    assert.is_false(ok)
    assert.matches("needs the rock luv %(Debian: lua%-luv%)", message)
  end)
end)
