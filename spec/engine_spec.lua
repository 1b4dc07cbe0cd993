-- The engine of waba.curl: waiting, connections, memory, forks, and its end. spec/transfer_spec.lua tests single
-- transfers.

local core = require "waba.core"
local cqueues = require "cqueues"
local curl = require "waba.curl"
local driver = require "spec.support.driver"
local process = require "spec.support.process"
local server = require "spec.support.server"

local INTERPRETER = rawget(_G, "jit") and "luajit" or _VERSION:gsub("Lua ", "lua")

local function collect()
  collectgarbage()
  collectgarbage()
end

local function head_for(engine, gateway, path, idempotent)
  return assert(engine:prepare({ method = "POST", url = gateway.url .. path, headers = {}, idempotent = idempotent or false }))
end

-- Calls engine:pump() until the gateway has received the request.
local function until_received(engine, gateway, path)
  while gateway:count(path) == 0 do
    engine:wait(0.01)
    engine:pump()
  end
end

describe("engine", function()
  local gateway, engine

  setup(function() gateway = server.start({ tls = false }) end)

  teardown(function() gateway:stop() end)

  before_each(function()
    gateway:forget()
    gateway:respond("/held", { held = true })
    engine = assert(curl.engine())
  end)

  after_each(function()
    gateway:release()
    engine:close()
  end)

  local function start(path, body, options)
    return assert(engine:start(head_for(engine, gateway, path), body, options))
  end

  describe("waits", function()
    it("on one descriptor with its events", function()
      if engine:pollfd() == nil then
        return -- without epoll and kqueue the engine has no descriptor of its own
      end
      assert.is_true(engine:pollfd() >= 0)
      assert.equal("r", engine:events())
      assert.is_nil(engine:timeout())
      start("/held", "x")
      assert.equal(0, engine:timeout())
    end)

    it("at most for the seconds of the argument", function()
      start("/held", "x", { timeout = 60 })
      until_received(engine, gateway, "/held")
      local before = core.clock()
      engine:wait(0.05)
      assert.is_true(core.clock() - before < 30)
      assert.is_nil((engine:ready()))
    end)

    it("at most until libcurl's own deadline", function()
      local transfer = start("/held", "x", { timeout = 0.1 })
      driver.pump_for(engine, 0.01)
      while transfer:wants() ~= "finished" do
        engine:wait(3600)
        engine:pump()
      end
      assert.equal("timeout", select(2, transfer:finish()).kind)
    end)

    it("not at all while it has results", function()
      local transfer = start("/ready", "x")
      while transfer:wants() ~= "finished" do
        engine:wait(5)
        engine:pump()
      end
      assert.equal(0, engine:timeout())
      assert(engine:ready())
      assert.is_nil((engine:ready()))
      assert.not_equal(0, (engine:timeout()))
      assert(transfer:finish())
    end)

    it("and reports the progress of the transfers that request it only", function()
      gateway:respond("/slow", { body = "0123456789", times = 3000, pieces = 6, pause = 0.02 })
      for is_reported, least in pairs { [true] = 2, [false] = 0 } do
        local transfer, id = start("/slow", "x", { progress = is_reported })
        local reports = 0
        repeat
          engine:wait(5)
          engine:pump()
          for ready in function() return engine:ready() end do
            if ready == id and transfer:wants() == "progress" then
              reports = reports + 1
              transfer:progress()
            end
          end
        until transfer:wants() == "finished"
        assert.is_true(reports >= least, reports)
        if not is_reported then assert.equal(0, reports) end
        assert(transfer:finish())
      end
    end)

    it("on several at once", function()
      local other = assert(curl.engine())
      local idle = start("/held", "x")
      until_received(engine, gateway, "/held")
      local transfer = assert(other:start(head_for(other, gateway, "/answered"), "x"))
      while transfer:wants() ~= "finished" do
        curl.wait({ engine, other }, 3600)
        engine:pump()
        other:pump()
      end
      assert(transfer:finish())
      assert.is_nil(idle:wants())
      curl.wait({}, 0)
      other:close()
    end)

    it("as an object that cqueues can poll", function()
      if engine:pollfd() == nil then return end
      local loop = cqueues.new()
      local response
      loop:wrap(function()
        local transfer = start("/polled", "x")
        while transfer:wants() ~= "finished" do
          cqueues.poll(engine)
          engine:pump()
        end
        response = transfer:finish()
      end)
      assert(loop:loop(10))
      assert.equal(200, response.status)
    end)

    it("and notices transfers that other coroutines start during the wait", function()
      if engine:pollfd() == nil then return end
      local loop = cqueues.new()
      local response
      loop:wrap(function()
        start("/held", "x")
        while not response do
          cqueues.poll(engine)
          engine:pump()
        end
      end)
      loop:wrap(function()
        local last
        for _ = 1, 3 do
          cqueues.sleep(0.05)
          local transfer = start("/late", "x")
          while transfer:wants() ~= "finished" do
            cqueues.sleep(0.005)
          end
          last = transfer:finish()
        end
        response = last
      end)
      assert(loop:loop(10))
      assert.equal(200, response.status)
    end)

    it("and notices transfers that end while other coroutines dispatch", function()
      if engine:pollfd() == nil then return end
      local _, id = start("/x", "x")
      engine:dispatch() -- connects
      engine:timeout() -- a coroutine calls this method before it waits for the engine
      local nobody = assert(engine:prepare({ method = "GET", url = "http://127.0.0.1:" .. process.free_port() }))
      local _, refused = assert(engine:start(nobody))
      engine:dispatch()
      local result = {}
      repeat
        assert.is_not_nil(cqueues.poll(engine, 5))
        engine:pump()
        for ready in function() return engine:ready() end do result[ready] = true end
      until result[id] and result[refused]
      engine:dispatch()
      assert.equal(0, engine:in_flight())
    end)

    it("and notices a transfer that another coroutine cancels during the wait", function()
      if engine:pollfd() == nil then return end
      local transfer, id = start("/held", "x")
      until_received(engine, gateway, "/held")
      local loop = cqueues.new()
      local woken
      loop:wrap(function()
        engine:timeout()
        cqueues.poll({ pollfd = engine:pollfd(), events = "r" })
        woken = engine:ready()
      end)
      loop:wrap(function()
        cqueues.sleep(0.02)
        transfer:cancel()
      end)
      assert(loop:loop(10))
      assert.equal(id, woken)
    end)

    it("without CPU time while the gateway does not read", function()
      for _, protocol in ipairs({ "HTTP/1.1", "HTTP/2" }) do
        local slow = server.start({ protocol = protocol, responses = { ["/slow"] = { reluctant = 0.3 } } })
        local uploader = assert(curl.engine({ ca_file = slow.ca_file }))
        local transfer = assert(uploader:start(head_for(uploader, slow, "/slow"), ("x"):rep(400000)))
        local rounds = 0
        repeat
          uploader:wait(5)
          uploader:pump()
          rounds = rounds + 1
        until transfer:wants() == "finished"
        assert(transfer:finish())
        assert.equal(400000, #slow:received()[1].body)
        assert.is_true(rounds < 1000)
        uploader:close()
        slow:stop()
      end
    end)

    it("without repeated wakes after an idle connection was closed", function()
      if engine:pollfd() == nil then return end
      gateway:respond("/bye", { bye = true })
      assert(driver.run(engine, head_for(engine, gateway, "/bye"), "x"))
      driver.pump_for(engine, 0.05)
      local loop = cqueues.new()
      local ready
      loop:wrap(function()
        ready = cqueues.poll({ pollfd = engine:pollfd(), events = "r" }, 0.05)
      end)
      loop:loop()
      assert.equal(0.05, ready)
    end)

    it("not for a name server, if a transfer times out, is cancelled or the engine is closed", function()
      local folder = process.folder()
      process.run(("cc -shared -fPIC -o %s/slow.so spec/support/slow_resolver.c"):format(folder.path))
      local script = folder:file("resolving.lua", [[
        local engine = require("waba.curl").engine()
        local head = assert(engine:prepare({ method = "GET", url = "https://gateway.example/", headers = {} }))
        local slow = assert(engine:start(head, nil, { connect_timeout = 0.1 }))
        local dropped = assert(engine:start(head))
        engine:start(head)
        while slow:wants() ~= "finished" do
          engine:wait(5)
          engine:pump()
        end
        dropped:cancel()
        local _, failure = slow:finish()
        engine:close()
        print(failure.kind, failure.sent)
      ]])
      local before = core.clock()
      local said = process.run(("LD_PRELOAD=%s/slow.so %s %s 2>&1"):format(folder.path, INTERPRETER, script))
      folder:remove()
      assert.equal("timeout\tno", said)
      assert.is_true(core.clock() - before < 30)
    end)

    it("and ends when Ctrl-C is pressed", function()
      local folder = process.folder()
      local script = folder:file("waiting.lua", ([[
        local engine = require("waba.curl").engine()
        local head = assert(engine:prepare({ method = "POST", url = "%s/held", headers = {} }))
        engine:start(head, "x")
        engine:pump()
        io.open("%s/waits", "w"):close()
        while true do
          engine:wait(50)
          engine:pump()
        end
      ]]):format(gateway.url, folder.path))
      local program = folder:file("press", ([[
        %s %s 2>%s/said &
        until [ -e %s/waits ]; do sleep 0.05; done
        sleep 0.1
        kill -INT $!
        wait $!
      ]]):format(INTERPRETER, script, folder.path, folder.path))
      local before = core.clock()
      process.run("sh " .. program)
      assert.truthy(folder:read("said"):find("interrupted!", 1, true))
      assert.is_true(core.clock() - before < 25)
      folder:remove()
    end)
  end)

  describe("shares connections", function()
    it("one for a burst over HTTP/2", function()
      local h2 = server.start({ protocol = "HTTP/2" })
      engine:close()
      engine = assert(curl.engine({ ca_file = h2.ca_file }))
      local responses = driver.run_many(engine, head_for(engine, h2, "/burst"), "x", 64)
      assert.equal(64, #responses)
      assert.equal("HTTP/2", responses[64].protocol)
      assert.equal(64, h2:count("/burst"))
      assert.equal(1, h2:connections())
      h2:stop()
    end)

    it("for a burst over HTTP/1.1: opens them at once, before the first response is received", function()
      local secure, count = server.start({}), 8
      secure:respond("/held", { held = true })
      local patient, flying = assert(curl.engine({ ca_file = secure.ca_file })), {}
      local head = head_for(patient, secure, "/held")
      for i = 1, count do flying[i] = assert(patient:start(head, "x", { timeout = 30 })) end
      local deadline = core.clock() + 10
      repeat
        patient:wait(0.05)
        patient:pump()
      until secure:count("/held") == count or core.clock() > deadline
      assert.equal(count, secure:count("/held"))
      secure:release()
      for _, transfer in ipairs(flying) do assert(driver.finish(patient, transfer)) end
      patient:close()
      secure:stop()
    end)

    it("for a burst over HTTP/1.1: opens as many as max_connections allows", function()
      for _, limit in ipairs({ 16, 3 }) do
        engine:close()
        engine = assert(curl.engine(limit ~= 16 and { max_connections = limit } or nil))
        while gateway:open_connections() > 0 do
          cqueues.sleep(0.005)
        end
        gateway:forget()
        gateway:respond("/burst", { delay = 0.005 })
        assert.equal(64, #driver.run_many(engine, head_for(engine, gateway, "/burst"), "x", 64))
        assert.equal(64, gateway:count("/burst"))
        assert.is_true(gateway:most_connections() <= limit)
        assert.is_true(gateway:connections() <= limit)
      end
    end)

    it("without delaying a transfer past its timeout", function()
      engine:close()
      engine = assert(curl.engine({ max_connections = 1 }))
      start("/held", "x")
      until_received(engine, gateway, "/held")
      local _, failure = driver.run(engine, head_for(engine, gateway, "/waiting"), "x", { timeout = 0.1 })
      assert.equal("timeout", failure.kind)
      assert.equal("no", failure.sent)
      assert.equal(0, gateway:count("/waiting"))
    end)
  end)

  describe("has a constant size", function()
    local function resident()
      local file = io.open("/proc/self/statm")
      if not file then return 0 end
      local pages = file:read("*a"):match("^%d+ (%d+)")
      file:close()
      return tonumber(pages) * 4096
    end

    it("over 1,000 transfers", function()
      local prepared = head_for(engine, gateway, "/many")
      driver.run_many(engine, prepared, ("x"):rep(300), 300)
      collect()
      local lua, all = collectgarbage("count"), resident()
      for _ = 1, 10 do driver.run_many(engine, prepared, ("x"):rep(300), 100) end
      collect()
      assert.is_true(collectgarbage("count") - lua < 50)
      assert.is_true(resident() - all < 3e6)
      assert.equal(1300, gateway:count("/many"))
    end)

    it("after transfers with large bodies", function()
      gateway:respond("/large", { body = "0123456789", times = 500000 })
      local prepared = head_for(engine, gateway, "/large")
      assert(driver.run(engine, prepared, "x"))
      collect()
      local all = resident()
      for _ = 1, 15 do assert(driver.run(engine, prepared, ("y"):rep(3000000))) end
      gateway:forget()
      collect()
      -- The C library keeps some freed memory. The limit is far below 45 MB, the size of all request bodies.
      assert.is_true(resident() - all < 25e6)
    end)
  end)

  describe("notices a fork", function()
    local folder, fork

    setup(function()
      folder = process.folder()
      process.run(("cc -shared -fPIC -Wl,--unresolved-symbols=ignore-all -o %s/fork.so spec/support/fork.c"):format(folder.path))
      fork = assert(package.loadlib(folder.path .. "/fork.so", "luaopen_fork"))()
    end)

    teardown(function() folder:remove() end)

    -- Runs `work` in a child process, and returns the result of `work` as text.
    local function in_child(work)
      local path = folder.path .. "/said"
      local child = fork.fork()
      if child == 0 then
        local _, said = pcall(work)
        local file = io.open(path, "w")
        file:write(tostring(said))
        file:close()
        fork.exit(0)
      end
      assert.equal(0, fork.wait(child))
      return folder:read("said")
    end

    it("and opens new connections in the child", function()
      local prepared = head_for(engine, gateway, "/fork")
      assert(driver.run(engine, prepared, "parent"))
      local said = in_child(function()
        local response = assert(driver.run(engine, prepared, "child"))
        return response.status .. tostring(response.reused)
      end)
      assert.equal("200false", said)
      local response = assert(driver.run(engine, prepared, "parent again"))
      assert.is_true(response.reused)
      local received = gateway:received("/fork")
      assert.equal(3, #received)
      assert.equal(received[1].connection, received[3].connection)
      assert.are_not.equal(received[1].connection, received[2].connection)
    end)

    it("and sends nothing on the parent's connections, even over TLS", function()
      local secure = server.start({})
      engine:close()
      engine = assert(curl.engine({ ca_file = secure.ca_file }))
      local prepared = head_for(engine, secure, "/fork")
      assert(driver.run(engine, prepared, "parent"))
      in_child(function()
        engine:close()
      end)
      local response = assert(driver.run(engine, prepared, "parent again"))
      assert.is_true(response.reused)
      assert.equal(1, secure:connections())
      secure:stop()
    end)

    it("and leaves the transfers in flight to the parent", function()
      local target = folder.path .. "/download"
      gateway:respond("/held", { held = true, body = "for the parent" })
      local prepared = head_for(engine, gateway, "/held")
      local transfer, id = assert(engine:start(prepared, "x", { save_as = target }))
      until_received(engine, gateway, "/held")
      local said = in_child(function()
        engine:pump()
        assert(engine:ready() == id)
        local _, failure = transfer:finish()
        return failure.kind .. " " .. failure.sent .. " " .. engine:in_flight()
      end)
      assert.equal("cancelled maybe 0", said)
      gateway:release()
      assert.equal(200, assert(driver.finish(engine, transfer)).status)
      assert.equal("for the parent", folder:read("download"))
      assert.equal(1, gateway:count("/held"))
    end)

    for _, method in ipairs { "step", "cancel" } do
      it("at the first call of a transfer's " .. method, function()
        local transfer = start("/held", "x", { stream = true })
        until_received(engine, gateway, "/held")
        local said = in_child(function()
          transfer[method](transfer)
          local _, failure = transfer:finish()
          return failure.message
        end)
        assert.equal("the transfer belongs to the parent process, which may complete it", said)
        gateway:release()
        assert.is_nil((transfer:drain()))
        assert(driver.finish(engine, transfer, { sink = function() end }))
      end)
    end
  end)

  describe("ends", function()
    it("transfers in flight when it is closed, and stays closed", function()
      local target = os.tmpname()
      os.remove(target)
      gateway:respond("/slow", { body = "0123456789", times = 10000, pieces = 100, pause = 0.05 })
      local held = start("/held", "x")
      local slow = start("/slow", "x", { save_as = target })
      until_received(engine, gateway, "/slow")
      driver.pump_for(engine, 0.1)
      assert.equal(2, engine:in_flight())
      engine:close()
      engine:close()
      for transfer, sent in pairs({ [held] = "maybe", [slow] = "yes" }) do
        assert.equal("finished", transfer:wants())
        local response, failure = transfer:finish()
        assert.is_nil(response)
        assert.equal("cancelled", failure.kind)
        assert.equal(sent, failure.sent)
      end
      assert.equal("", process.run("ls -d " .. target .. "* 2>/dev/null"))
      assert.has_error(function() engine:pump() end, "attempt to use a closed engine")
      assert.has_error(function() engine:in_flight() end, "attempt to use a closed engine")
      assert.equal("engine (closed)", tostring(engine))
    end)

    it("when it is collected, in any order of collection", function()
      for order = 1, 3 do
        local kept = { engine = assert(curl.engine()) }
        kept.head = head_for(kept.engine, gateway, "/held")
        gateway:forget()
        kept.transfer = assert(kept.engine:start(kept.head, ("x"):rep(100)))
        until_received(kept.engine, gateway, "/held")
        local names = { { "engine", "head", "transfer" }, { "head", "transfer", "engine" }, { "transfer", "engine", "head" } }
        for _, name in ipairs(names[order]) do
          if name == "transfer" and order == 1 then
            assert.equal("cancelled", select(2, kept.transfer:finish()).kind)
          end
          kept[name] = nil
          collect()
        end
        gateway:release()
      end
    end)

    it("an object that was closed before it is collected", function()
      do
        local own = assert(curl.engine())
        local prepared = assert(own:prepare({ method = "GET", url = gateway.url }))
        for _, case in ipairs {
          { assert(own:start(prepared, "x")), "transfer (finished)" }, { prepared, "prepared head (closed)" },
          { own, "engine (closed)" }, { assert(curl.alarm()), "alarm (closed)" },
        } do
          local object, text = case[1], case[2]
          local metatable = debug.getmetatable(object)
          assert.are_not.equal(text, tostring(object))
          for _ = 1, 2 do metatable.__gc(object) end
          metatable.__close(object)
          assert.equal(text, tostring(object))
        end
        assert.has_error(function() own:pump() end, "attempt to use a closed engine")
      end
      collect()
      assert(driver.run(engine, head_for(engine, gateway, "/x"), "x"))
    end)

    it("a transfer without references", function()
      start("/held", "x")
      until_received(engine, gateway, "/held")
      collect()
      assert.equal(0, engine:in_flight())
      assert(driver.run(engine, head_for(engine, gateway, "/fine"), "x"))
    end)

    it("no transfer when its request head is collected", function()
      local transfer = start("/headless", "x")
      collect()
      assert.equal(200, assert(driver.finish(engine, transfer)).status)
    end)

    it("without a leak when Lua raises an error while a transfer is in flight", function()
      for _ = 1, 20 do
        local fine, message = pcall(driver.run, engine, head_for(engine, gateway, "/fed"), { size = 10 },
          { reader = function() error("the reader is broken") end })
        assert.is_false(fine)
        assert.truthy(message:find("the reader is broken", 1, true))
        collect()
      end
      assert.equal(0, engine:in_flight())
      assert(driver.run(engine, head_for(engine, gateway, "/fine"), "x"))
    end)
  end)

  describe("prepares", function()
    local function refusal(request)
      request.method = request.method or "GET"
      request.url = request.url or gateway.url
      local prepared, message = engine:prepare(request)
      assert.is_nil(prepared)
      return message
    end

    it("only heads that can be sent safely", function()
      assert.is_string(refusal({ url = "http://gateway.example/" }))
      assert.is_string(refusal({ url = "ftp://localhost/" }))
      assert.is_string(refusal({ url = "https://user:secret@localhost/" }))
      assert.is_string(refusal({ method = "GET / HTTP/1.1\r\nX: y" }))
      for _, name in ipairs({ "Host", "content-length", "Transfer-Encoding", "Expect", "Connection", "X Y", "" }) do
        assert.is_string(refusal({ headers = { [name] = "x" } }))
      end
      for _, value in ipairs({ "never\r\nseen: 1", "never\nseen", "never\0seen" }) do
        local message = refusal({ headers = { ["X-Thing"] = value } })
        assert.truthy(message:find("X-Thing", 1, true))
        assert.is_nil(message:find("never", 1, true))
      end
    end)

    it("a head that does not show a secret", function()
      local credentials = assert(core.credentials({ header = "D360-API-KEY", value = "a-secret-key", origin = gateway.url }))
      local prepared = assert(engine:prepare({ method = "GET", url = gateway.url .. "/", credentials = credentials }))
      local transfer = assert(engine:start(prepared))
      for _, object in ipairs({ engine, prepared, transfer }) do
        assert.is_nil(tostring(object):find("secret", 1, true))
      end
    end)
  end)

  describe("refuses", function()
    it("the head of another engine", function()
      local other = assert(curl.engine())
      local prepared = head_for(other, gateway, "/")
      assert.has_error(function() engine:start(prepared) end)
      other:close()
    end)

    it("arguments of the wrong type", function()
      local prepared = head_for(engine, gateway, "/")
      local function refused(message, call, ...)
        local fine, raised = pcall(call, ...)
        assert.is_false(fine, message)
        assert.matches(message, raised, 1, true)
      end
      local function refused_start(message, ...) refused(message, engine.start, engine, prepared, ...) end
      refused_start("the body must be a string or a table", 7)
      refused_start("table expected", "x", 7)
      for _, name in ipairs { "timeout", "connect_timeout", "max_body", "max_size" } do
        refused_start(("option '%s' must be a number"):format(name), nil, { [name] = "7" })
        refused_start(("option '%s' must not be negative"):format(name), nil, { [name] = -1 })
        refused_start(("option '%s' must not be negative"):format(name), nil, { [name] = 0 / 0 })
      end
      refused_start("option 'save_as' must be a string", nil, { save_as = true })
      refused_start("option 'save_as' contains a NUL: expected text", nil, { save_as = "a\0b" })
      refused_start("options 'stream' and 'save_as' can't be combined", nil, { save_as = "x", stream = true })
      for _, seconds in ipairs { -1, 0 / 0 } do
        refused_start("must not be negative", nil, nil, nil, nil, seconds)
        refused_start("must not be negative", nil, nil, nil, nil, nil, seconds)
      end
      refused_start("number expected", nil, nil, nil, nil, "soon")
      refused_start("number expected", nil, nil, nil, nil, nil, "soon")
      refused_start("credentials must come from waba.core.credentials", nil, nil, nil, {})
      local function refused_head(message, options) refused(message, engine.prepare, engine, options) end
      refused_head("table expected", 7)
      refused_head("method must be a string", { url = gateway.url })
      refused_head("url must be a string", { method = "GET" })
      refused_head("headers must be a table", { method = "GET", url = gateway.url, headers = "x" })
      refused_head("credentials must come from", { method = "GET", url = gateway.url, credentials = io.stdout })
      refused("table expected", curl.engine, 7)
      for _, number in ipairs { 0, 0.5, 10000.5, 1e300 } do
        refused("max_connections must be from 1 to 10000", curl.engine, { max_connections = number })
      end
      refused("table expected", curl.wait, nil, 0)
      refused("waba.Engine expected", curl.wait, { {} }, 0)
      assert.equal(0, engine:in_flight())
      for _, number in ipairs { 1, 10000 } do assert(curl.engine({ max_connections = number })):close() end
    end)

    it("no limit, however large or small", function()
      local response = assert(driver.run(engine, head_for(engine, gateway, "/x"), "x",
        { timeout = 1e300, connect_timeout = 1e300, max_body = 1e300, max_size = 1e300 }))
      assert.equal(200, response.status)
      local _, failure = driver.run(engine, head_for(engine, gateway, "/held"), "x", { timeout = 0 })
      assert.equal("timeout", failure.kind)
      engine:wait(-1)
      engine:wait(0 / 0)
    end)

    it("a result before the transfer's end, and a second time", function()
      local transfer = start("/held", "x")
      assert.has_error(function() transfer:finish() end, "the transfer is still in flight")
      transfer:cancel()
      transfer:finish()
      assert.has_error(function() transfer:finish() end, "attempt to use a finished transfer")
      assert.is_nil(transfer:wants())
      transfer:cancel()
      transfer:feed("x")
      assert.is_nil(transfer:drain())
    end)
  end)

  describe("steps", function()
    it("until one transfer has finished, and reports others", function()
      local other, other_id = start("/x", "other")
      local transfer = start("/x", "own")
      local result = {}
      local want, others
      repeat
        want, others = transfer:step(5)
        if others then
          for ready in function() return engine:ready() end do result[ready] = true end
        end
      until want
      assert.equal("finished", want)
      assert.equal(200, transfer:finish().status)
      while not other:wants() do other:step(5) end
      assert.equal(200, other:finish().status)
      assert.is_true(result[other_id] or engine:ready() == nil)
      assert.has_no.errors(function() transfer:step(0) end)
    end)

    it("and leaves other finished transfers to the engine", function()
      local held = start("/held", "x")
      local transfer = start("/x", "own")
      while transfer:wants() ~= "finished" do
        engine:wait(5)
        engine:pump()
      end
      local _, are_others = transfer:step(0)
      assert.is_false(are_others)
      assert.is_nil((engine:ready()))
      local second, second_id = start("/x", "own")
      while second:wants() ~= "finished" do
        engine:wait(5)
        engine:pump()
      end
      local want, others = held:step(0)
      assert.is_nil(want)
      assert.is_true(others)
      assert.equal(second_id, engine:ready())
      held:cancel()
    end)

    it("at most for the seconds of the argument", function()
      local transfer = start("/held", "x", { timeout = 10 })
      until_received(engine, gateway, "/held")
      assert.is_nil((transfer:step()))
      for _ = 1, 20 do assert.is_nil((transfer:step(0.01))) end
      transfer:cancel()
      assert.equal("finished", (transfer:step(3600)))
    end)

    it("only a few times until the response arrives", function()
      gateway:respond("/slow", { delay = 0.3 })
      local transfer, steps = start("/slow", "x"), 0
      repeat steps = steps + 1 until transfer:step(5)
      assert.equal(200, transfer:finish().status)
      assert.is_true(steps < 200, steps .. " steps") -- a loop without a wait would make many thousands of steps
    end)

    it("after the transfer's end, without a result and without another transfer", function()
      local transfer = start("/x", "own")
      while not transfer:wants() do transfer:step(5) end
      transfer:finish()
      local want, others = transfer:step(0)
      assert.is_nil(want)
      assert.is_false(others)
    end)

    it("to the end of a transfer whose engine is closed", function()
      local transfer = start("/held", "x")
      engine:close()
      assert.equal("finished", (transfer:step(3600)))
      assert.equal("cancelled", select(2, transfer:finish()).kind)
    end)
  end)

  describe("reuses a transfer", function()
    it("whose result was taken", function()
      local transfer = start("/x", "first")
      while not transfer:wants() do transfer:step(5) end
      transfer:finish()
      local again = assert(engine:start(head_for(engine, gateway, "/x"), "second", nil, transfer))
      assert.equal(transfer, again)
      while not again:wants() do again:step(5) end
      assert.equal(200, again:finish().status)
      assert.equal("second", gateway:received()[2].body)
    end)

    it("but not while another reference exists", function()
      local prepared = head_for(engine, gateway, "/x")
      local transfer, elsewhere = start("/held", "x"), assert(curl.engine())
      local foreign = assert(elsewhere:start(head_for(elsewhere, gateway, "/held"), "x"))
      foreign:cancel()
      foreign:finish()
      assert.has_error(function() engine:start(prepared, "x", nil, transfer) end)
      assert.has_error(function() engine:start(prepared, "x", nil, foreign) end)
      assert.has_error(function() engine:start(prepared, "x", nil, {}) end)
      assert.equal(1, engine:in_flight())
      elsewhere:close()
    end)
  end)

  describe("keeps the queue of transfers that wait for their caller", function()
    -- Runs all transfers to their end, and leaves them in the queue of finished transfers.
    local function drive_all()
      while engine:in_flight() > 0 do
        engine:wait(5)
        engine:pump()
      end
    end

    it("in order while it grows", function()
      local flying, order, seen = {}, {}, {}
      local head = head_for(engine, gateway, "/x")
      local function start_more(count)
        for _ = 1, count do
          local transfer, id = assert(engine:start(head, "x"))
          assert.is_nil(flying[id])
          flying[id] = transfer
        end
      end
      local function take(count)
        for _ = 1, count do
          local id = assert(engine:ready())
          assert.is_nil(seen[id])
          seen[id] = true
          order[#order + 1] = id
          assert.equal("finished", flying[id]:wants())
        end
      end
      start_more(16)
      drive_all()
      take(5)
      start_more(20) -- more transfers than the queue has space for
      take(11)
      assert.is_nil(engine:ready())
      drive_all()
      take(20)
      assert.is_nil(engine:ready())
      assert.equal(36, #order)
      for _, transfer in pairs(flying) do assert(transfer:finish()) end
    end)

    it("without those that were finished meanwhile, of which it keeps 64", function()
      local head = head_for(engine, gateway, "/x")
      for _ = 1, 2 do
        local flying = {}
        for i = 1, 100 do flying[i] = assert(engine:start(head, "x")) end
        drive_all()
        for _, transfer in ipairs(flying) do assert(transfer:finish()) end
        assert.is_nil(engine:ready())
        assert.is_false(engine:pump())
      end
      local last = assert(engine:start(head, "x"))
      drive_all()
      assert.is_true(engine:pump())
      assert(last:finish())
    end)
  end)

  it("passes a run under valgrind", function()
    if rawget(_G, "jit") or process.run("command -v valgrind") == "" then
      return -- valgrind reports errors in LuaJIT's machine code
    end
    -- The server has no TLS, because OpenSSL is very slow under valgrind.
    local report = process.run(("valgrind -q --leak-check=full --errors-for-leak-kinds=definite,indirect "
      .. "--error-exitcode=99 %s spec/support/memory_program.lua %s %s 2>&1; echo $?")
      :format(INTERPRETER, gateway.ca_file, gateway.url))
    assert.equal("0", report)
  end)
end)
