-- Ordered messages to each recipient in every event loop, whatever the result of the previous message.

local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local runners = require("spec.support.transports").runners
local server = require "spec.support.server"
local waba = require "waba"

local close = rawget(coroutine, "close") -- exists in Lua 5.4
local EVA, UWE = "4915112345678", "4915112345679"

describe("ordered messages", function()
  local gateway, client, log

  setup(function() gateway = server.start { tls = false } end)
  teardown(function() gateway:stop() end)

  before_each(function()
    gateway:forget()
    log = {}
  end)
  after_each(function()
    gateway:release()
    if client then client:close() end
    client = nil
  end)

  local function answer_with(...) gateway:respond("/v1/messages", ...) end

  local function accepted(id, more)
    local response = { status = 201, body = ('{"messages":[{"id":"%s"}]}'):format(id) }
    for name, value in pairs(more or {}) do response[name] = value end
    return response
  end

  local function new_client(options)
    local merged = { api_key = "key", base_url = gateway.url, pace = false, retry = false,
      ordered = true }
    for name, value in pairs(options or {}) do merged[name] = value end
    client = waba.client(merged)
    client.ordered, log = merged.ordered, {}
    if not merged.transport then assert(client:request { path = "/warm" }) end -- opens the connection before the test
  end

  local function say(word) log[#log + 1] = word end

  -- Returns a function that sends one text and records the end of the send.
  local function sends(to, text, options)
    return function()
      local sent, err = client:send(to, waba.text(text), options)
      say(text .. (sent and "" or " " .. err.kind))
      return sent, err
    end
  end

  -- Returns a function that waits until the condition is true, and then calls `fn`.
  local function once(condition, fn)
    return function()
      while not condition() do client.transport:sleep(0.002) end
      return fn()
    end
  end

  -- Returns the functions, changed so that each function starts only after the previous function has started.
  local function in_turn(...)
    local begun, list = 0, { ... }
    for i, fn in ipairs(list) do
      list[i] = once(function() return begun == i - 1 end, function()
        begun = i
        return fn()
      end)
    end
    return (table.unpack or unpack)(list)
  end

  local function has_said(count)
    return function() return #log >= count end
  end

  -- Returns the texts in the order in which they arrived.
  local function arrived()
    local texts = {}
    for i, request in ipairs(gateway:received "/v1/messages") do texts[i] = request.body:match '"body":"([^"]*)"' end
    return table.concat(texts, " ")
  end

  local function assert_forgotten()
    assert.equal(0, client.ordering.conversations.count)
    assert.is_nil(next(client.ordering.awaited))
    assert.equal(0, client.ordering.sending)
  end

  for _, name in ipairs { "native", "cqueues", "luv", "copas" } do
    it("to one recipient wait for each other, and do not delay others, in " .. name, function()
      new_client { loop = name == "luv" and name or nil }
      answer_with(accepted("1", { held = true }), accepted("2", { delay = 0.01 }), accepted "3")
      runners[name] { in_turn(sends(EVA, "e1"), sends(EVA, "e2"), sends(EVA, "e3"), sends(EVA, "e4"), function()
        sends(UWE, "u")()
        gateway:release()
      end) }
      assert.equal("e1 u e2 e3 e4", arrived())
      assert_forgotten()
    end)
  end

  it("wait for a message that waits itself", function()
    new_client()
    answer_with(accepted("1", { held = true }), accepted("2", { held = true }), accepted "3")
    local function release(count)
      while gateway:count "/v1/messages" < count do waba.sleep(0.002) end
      gateway:release()
    end
    waba.run(in_turn(sends(EVA, "e1"), sends(EVA, "e2"), function()
      release(1)
      while gateway:count "/v1/messages" < 2 do waba.sleep(0.002) end
      waba.spawn(sends(EVA, "e3"))
      waba.sleep(0.02) -- time in which e3 would be sent if it did not wait for e2
      sends(UWE, "u")()
      release(3)
    end))
    assert.equal("e1 e2 u e3", arrived())
    assert_forgotten()
  end)

  it("are sent at once by a program with one coroutine", function()
    new_client()
    answer_with(accepted "1")
    for i = 1, 3 do assert(sends(EVA, "e" .. i)()) end
    assert.equal("e1 e2 e3", arrived())
    assert_forgotten()
  end)

  it("can be enabled and disabled for each message", function()
    new_client { ordered = false }
    answer_with(accepted("1", { held = true }), accepted "2")
    waba.run(in_turn(sends(EVA, "a", { ordered = true }), sends(EVA, "c", { ordered = true }), function()
      sends(EVA, "b")()
      gateway:release()
    end))
    assert.same({ "b", "a", "c" }, log)
    assert_forgotten()
  end)

  it("are sent after one that was refused, lost, or had no time left", function()
    new_client()
    answer_with({ status = 400, body = '{"errors":[{"code":1009}]}', delay = 0.01 }, { reset = "request" }, { held = true },
      accepted "4")
    waba.run(in_turn(sends(EVA, "a"), sends(EVA, "b"), sends(EVA, "c", { timeout = 0.15 }), sends(EVA, "d")))
    assert.same({ "a invalid", "b network", "c timeout", "d" }, log)
    assert_forgotten()
  end)

  it("return an error when their time has passed, with the message for which they waited", function()
    new_client()
    answer_with({ held = true }, accepted "2")
    local err
    waba.run(in_turn(sends(EVA, "a", { timeout = 0.2 }), function()
      local _
      _, err = sends(EVA, "b", { timeout = 0.05 })()
    end, sends(EVA, "c")))
    assert.same({ "b timeout", "a timeout", "c" }, log)
    assert.equal("order", err.scope)
    assert.is_true(err.retryable)
    assert.is_false(err.maybe_sent)
    assert.equal("a c", arrived())
    assert_forgotten()
  end)

  it("are sent after a message that could not be encoded", function()
    new_client { transport = {
      send = function(_, request)
        waba.sleep(0.005)
        if request.body:find '"a"' then error "no transport today" end
        return { status = 201, headers = {}, body = '{"messages":[{"id":"1"}]}', sent = "yes" }
      end,
    } }
    waba.run(function()
      local fine, fault = pcall(sends(EVA, "a"))
      assert.is_false(fine)
      assert.matches("no transport today", fault)
    end, sends(EVA, "b"), sends(EVA, "c"))
    assert.same({ "b", "c" }, log)
    assert_forgotten()
  end)

  if close then
    it("are sent after the coroutine of the previous message was killed", function()
      new_client()
      answer_with({ held = true }, accepted "2")
      local threads = {}
      waba.run(function()
        for i = 1, 3 do
          waba.spawn(function()
            threads[i] = coroutine.running()
            sends(EVA, "m" .. i, { timeout = 5 })()
          end)
        end
        while gateway:count "/v1/messages" == 0 do waba.sleep(0.002) end
        close(threads[1])
      end)
      assert.same({ "m2", "m3" }, log)
    end)
  end

  describe("with statuses", function()
    local receiver

    before_each(function() receiver = waba.receiver { open = true, on = {} } end)

    local function status(id, word)
      assert.equal(200, (receiver:handle { method = "POST", headers = {}, body =
        ('{"statuses":[{"id":"%s","recipient_id":"%s","status":"%s","timestamp":"1"}]}'):format(id, EVA, word) }))
    end

    it("wait until the previous message was delivered", function()
      for _, word in ipairs { "delivered", "read", "failed" } do
        log = {}
        new_client { ordered = { receiver = receiver } }
        answer_with(accepted "one", accepted "of Uwe", accepted "two")
        waba.run(in_turn(sends(EVA, "a"), once(has_said(1), sends(UWE, "u")), sends(EVA, "b"), once(has_said(2), function()
          status("one", "sent")
          waba.sleep(0.01)
          say "not yet"
          status("one", word)
        end)))
        assert.same({ "a", "u", "not yet", "b" }, log)
        status("two", "delivered")
        client:close()
      end
    end)

    it("accept a status that arrives before the response", function()
      new_client { ordered = { receiver = receiver } }
      answer_with(accepted("one", { held = true }), accepted "two")
      waba.run(in_turn(sends(EVA, "a"), sends(EVA, "b"), function()
        while gateway:count "/v1/messages" == 0 do waba.sleep(0.002) end
        status("one", "delivered")
        gateway:release()
      end))
      assert.same({ "a", "b" }, log)
      status("two", "delivered")
      assert_forgotten()
    end)

    it("wait no longer than their option allows", function()
      new_client { ordered = { receiver = receiver, timeout = 0.03 } }
      answer_with(accepted "one", accepted "two", accepted "three")
      for _, text in ipairs { "a", "b", "c" } do assert(sends(EVA, text)()) end
      assert.equal("a b c", arrived())
    end)

    it("return a timeout before the previous message is delivered, and do not delay later ones", function()
      new_client { ordered = { receiver = receiver, timeout = 0.1 } }
      answer_with(accepted "one", accepted "two")
      waba.run(in_turn(sends(EVA, "a"), once(has_said(1), sends(EVA, "b", { timeout = 0.02 })), sends(EVA, "c")))
      assert.same({ "a", "b timeout", "c" }, log)
    end)

    it("accept statuses in the process that handles them, if another process received them", function()
      local inbox = waba.inbox.memory()
      receiver = waba.receiver { open = true, inbox = inbox }
      local worker = waba.receiver { open = false, inbox = inbox }
      new_client { ordered = { receiver = worker } }
      answer_with(accepted "one", accepted "two")
      waba.run(in_turn(sends(EVA, "a"), sends(EVA, "b"), once(has_said(1), function()
        status("one", "delivered")
        waba.sleep(0.01)
        say "worked off"
        assert.equal(1, (worker:work()))
      end)))
      assert.same({ "a", "worked off", "b" }, log)
    end)

    it("accept statuses from a tracker", function()
      local tracker = waba.status_tracker {}
      new_client { ordered = { tracker = tracker } }
      answer_with(accepted "one", accepted "two")
      waba.run(in_turn(sends(EVA, "a"), sends(EVA, "b"), once(has_said(1), function()
        say "delivered"
        tracker:apply { kind = "status", id = "one", status = "delivered", timestamp = 1 }
      end)))
      assert.same({ "a", "delivered", "b" }, log)
    end)

    it("remove messages that got no status", function()
      new_client {
        ordered = { receiver = receiver, timeout = 0.001 },
        transport = { send = function(_, request)
          return { status = 201, headers = {}, body = ('{"messages":[{"id":"%s"}]}'):format(request.body:match "%d+"),
            sent = "yes" }
        end },
      }
      local most = 0
      for i = 1, 3000 do
        assert(client:send("49151" .. 1000000 + i, waba.text "Hi"))
        most = math.max(most, client.ordering.conversations.count)
      end
      waba.sleep(0.002)
      assert(client:send(EVA, waba.text "Hi"))
      client.ordering.conversations:sweep(math.huge)
      assert.equal(0, client.ordering.conversations.count)
      assert.is_nil(next(client.ordering.awaited))
      assert.is_true(most < 3000, most)
    end)
  end)

  -- Makes a request to nginx that starts light threads. One of the threads is killed while it waits.
  local IN_NGINX = [[
    local waba, log = require "waba", {}
    package.loaded.client = package.loaded.client
      or waba.client { api_key = "key", base_url = "%s", pace = false, retry = false, ordered = true }
    local client = package.loaded.client
    local function sends(to, text)
      return ngx.thread.spawn(function()
        local sent, err = client:send(to, waba.text(text))
        log[#log + 1] = text .. (sent and "" or " " .. err.kind)
      end)
    end
    local threads = {}
    for i = 1, 3 do threads[i] = sends("4915112345678", "e" .. i) end
    local other = sends("4915112345679", "u")
    ngx.thread.kill(threads[2])
    ngx.thread.wait(other)
    ngx.thread.wait(threads[1])
    ngx.thread.wait(threads[3])
    ngx.print(table.concat(log, " "), " ", client.ordering.conversations.count)
  ]]

  it("wait for each other in nginx's light threads, and continue after one is killed", function()
    local folder, port, plain = process.folder(), process.free_port(), process.free_port()
    nginx.certify(folder)
    local program = nginx.start(folder, nginx.configuration {
      port = port, plain = plain, workers = 1, content = IN_NGINX:format(gateway.url),
    }, port)
    answer_with(accepted("1", { delay = 0.05 }), accepted("2", { delay = 0.01 }))
    local url = ("http://127.0.0.1:%d/"):format(plain)
    for _ = 1, 2 do
      local status, _, text = nginx.request(url, { method = "GET" })
      assert.equal(200, status, folder:read "error.log")
      local others, count = text:gsub("u ", "")
      assert.equal(1, count)
      assert.equal("e1 e3 0", others)
    end
    program:stop()
    folder:remove()
    local texts = arrived()
    assert.is_nil(texts:find "e2")
    assert.matches("e1.*e3.*e1.*e3", texts)
  end)

  it("require valid options", function()
    local function with(ordered)
      return function() waba.client { api_key = "k", ordered = ordered } end
    end
    assert.error_matches(with { reciever = {} }, "ordered: unknown option reciever %(did you mean receiver%?%)")
    assert.error_matches(with { receiver = {} }, "ordered: option receiver must be a value from waba.receiver")
    assert.error_matches(with { timeout = 5 }, "ordered: option timeout requires option receiver or tracker")
    assert.error_matches(with { tracker = waba.status_tracker {}, timeout = 0 }, "timeout must be number above 0")
    new_client()
    assert.error_matches(function() client:send(EVA, waba.text "Hi", { ordered = { x = 1 } }) end,
      "^client:send: ordered: unknown option x")
    assert.error_matches(function() client:send(EVA, waba.text "Hi", { ordered = 1 }) end,
      "^client:send: option ordered must be boolean or table")
  end)
end)

describe("the order of messages to a recipient, step by step,", function()
  local orderings = require "waba.delivery.ordering"
  local clock = require("waba.core").clock
  local order, source, watched, is_alive

  before_each(function()
    order, watched, is_alive = orderings.new(), 0, true
    source = { watch = function(self, fn) watched, self.report = watched + 1, fn end }
  end)

  local transport = { waiter = function()
    return { wait = function() coroutine.yield() end, wake = function() end, is_alive = function() return is_alive end }
  end }

  -- Returns a slot in the queue of recipient "1"; nil if a message would have to wait for the slot.
  local function take(ordered, deadline, spare)
    local slot = order:slot("1", ordered or { receiver = source }, spare or 0)
    local thread = coroutine.create(function() return slot:wait(transport, clock(), deadline or clock() + 100) end)
    local _, now = assert(coroutine.resume(thread))
    return coroutine.status(thread) == "dead" and now and slot or nil
  end

  -- Returns whether the next message may be sent.
  local function is_free()
    local conversation = order.conversations.objects["1"]
    return not conversation or conversation:delay(clock()) == 0
  end

  local function status(name, id, more)
    local event = { kind = "status", id = id or "m", status = name }
    for field, value in pairs(more or {}) do event[field] = value end
    source.report(event)
  end

  -- Finishes a message with the id "m", calls `between`, and returns whether the next message may be sent.
  local function is_next_free(between)
    order = orderings.new()
    take():finish(true, { id = "m" })
    between()
    local free = is_free()
    assert.equal(free, take() ~= nil)
    return free
  end

  it("continues with a final status of the message only", function()
    for name, is_final in pairs {
      delivered = true, read = true, played = true, failed = true, deleted = true, sent = false, warning = false, unknown = false,
    } do
      assert.equal(is_final, is_next_free(function() status(name) end), name)
    end
    assert.is_false(is_next_free(function() status("read", "other") end))
    assert.is_false(is_next_free(function() status("read", "m", { kind = "message" }) end))
    assert.is_false(is_next_free(function() status("failed", "m", { type = "payment" }) end))
    assert.is_false(is_next_free(function() source.report { kind = "status", status = "read" } end))
  end)

  it("continues at once after a message without an id, a failed one, and without a source of statuses", function()
    for _, row in ipairs { { true, {} }, { true, nil }, { false, "raised" }, { true, { id = "m" }, true },
      { true, { id = "m" }, { timeout = 5 } } } do
      order = orderings.new()
      take(row[3]):finish(row[1], row[2])
      assert.is_not_nil(take(row[3]))
    end
  end)

  it("watches each source once", function()
    local tracker = { watch = source.watch }
    for _ = 1, 2 do take({ receiver = source, tracker = tracker }):finish(false) end
    assert.equal(2, watched)
  end)

  it("remembers statuses that come before the response, the latest 1024 of them, until no message is in flight", function()
    local first = take()
    local other = order:slot("2", { receiver = source }, 0)
    other:wait(transport, clock(), clock() + 100)
    for index = 1, 1025 do status("read", "e" .. index) end
    status("read", "e1025")
    first:finish(true, { id = "e2" })
    local second = take()
    second:finish(true, { id = "e1" }) -- the status of e1 was removed, because only the last 1024 are stored
    assert.is_false(is_free())
    other:finish(true, { id = "x" })
    assert.is_nil(next(order.early))
    status("read", "e3") -- no message is in flight, so this status is not stored
    assert.is_nil(next(order.early))
    status("read", "e1")
    take():finish(true, { id = "e3" })
    assert.is_false(is_free())
  end)

  it("continues if the previous call is lost, and ignores its end afterwards", function()
    local first = take()
    assert.is_false(is_free())
    is_alive = false
    local second = take()
    is_alive = true
    first:finish(true, { id = "m" })
    assert.is_false(is_free()) -- the second message is still in flight
    second:finish(true, nil)
    second:finish(true, { id = "m" }) -- a second call of `finish` has no effect
    assert.is_true(is_free())
  end)

  it("returns an error that names for what the message has waited", function()
    local function refusal()
      local now = clock()
      local taken, err = order:slot("1", { receiver = source }, 0):wait(transport, now, now)
      assert.same({ nil, "timeout", "order", true, false }, { taken, err.kind, err.scope, err.retryable, err.maybe_sent })
      return err.message
    end
    local first = take()
    assert.equal("the timeout passed before the previous message to this recipient was accepted", refusal())
    first:finish(true, { id = "m" })
    assert.equal("the timeout passed before the previous message to this recipient was delivered", refusal())
    status "read"
    assert.equal(0, order.conversations.count)
  end)

  it("continues a second after the deadline of the previous call, or later if this needs more time", function()
    for spare, left in pairs { [0] = 1, [5] = 6 } do
      order = orderings.new()
      local deadline = clock() + 10
      take(nil, deadline, spare)
      local conversation = order.conversations:get("1", clock())
      assert.is_true(conversation:delay(deadline + left - 0.01) > 0)
      assert.equal(0, conversation:delay(deadline + left))
    end
  end)

  it("continues without a status after the option timeout, by default ten seconds", function()
    for index, seconds in ipairs { 10, 3 } do
      order = orderings.new()
      local before = clock()
      take({ receiver = source, timeout = index == 2 and 3 or nil }):finish(true, { id = "m" })
      local conversation = order.conversations:get("1", clock())
      assert.is_true(conversation:delay(before + seconds - 0.01) > 0)
      assert.equal(0, conversation:delay(clock() + seconds))
      assert.is_nil(next(order.awaited))
    end
  end)
end)
