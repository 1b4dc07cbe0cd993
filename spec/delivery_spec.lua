local waba = require "waba"

local NUMBER = "4915112345678"

describe("delivery", function()
  local emulator

  setup(function() emulator = assert(waba.emulator.start { statuses = false }) end)
  teardown(function() emulator:stop() end)

  -- Runs fn with a client of the given options; how many sends arrived meanwhile, then fn's results.
  local function with_client(options, fn)
    local client = waba.client(emulator:options(options))
    local before = #emulator:received()
    local first, second = fn(client)
    client:close()
    return #emulator:received() - before, first, second
  end

  local function send(client) return client:send(NUMBER, waba.text "Hi") end

  local QUICK = { attempts = 4, base = 0.001, max = 0.002 }
  local AT_ONCE = { ["retry-after"] = "0" }

  describe("repeats", function()
    it("what the gateway refused for its speed or load", function()
      for _, status in ipairs { 429, 503 } do
        emulator:fail_next { status = status, body = "", headers = AT_ONCE, times = 2 }
        local arrived, sent = with_client({ retry = QUICK }, send)
        assert.equal(3, arrived)
        assert.matches("^gB", sent.id)
      end
    end)

    it("what a code says can be repeated", function()
      emulator:fail_next { status = 503, body = '{"errors":[{"code":1011,"title":"Service not ready"}]}' }
      local arrived, sent = with_client({ retry = QUICK }, send)
      assert.equal(2, arrived)
      assert.is_truthy(sent)
    end)

    it("what is idempotent, even when its outcome is unknown", function()
      emulator:fail_next { status = 502, body = "<html>", times = 2 }
      local arrived, number = with_client({ retry = QUICK }, function(client) return client:phone_number() end)
      assert.equal(3, arrived)
      assert.equal(emulator.number, number)
    end)

    it("what may have been accepted only when the caller asks for it", function()
      emulator:fail_next { status = 502, body = "<html>" }
      local arrived, sent, err = with_client({ retry = QUICK }, send)
      assert.equal(1, arrived)
      assert.is_nil(sent)
      assert.is_true(err.maybe_sent)
      emulator:fail_next { status = 502, body = "<html>" }
      arrived, sent = with_client({ retry = { attempts = 2, base = 0.001, ambiguous = true } }, send)
      assert.equal(2, arrived)
      assert.is_truthy(sent)
    end)

    it("nothing that any 5xx or a timed-out request may have let through", function()
      for _, status in ipairs { 408, 500, 501, 502, 504, 505, 507, 520, 522, 524, 530, 599 } do
        emulator:fail_next { status = status, body = "<html>origin error</html>", accept = true }
        local before = emulator:counts().messages
        local arrived, sent, err = with_client({ retry = QUICK }, send)
        assert.equal(1, arrived, status)
        assert.is_nil(sent)
        assert.is_true(err.maybe_sent, status)
        assert.equal(before + 1, emulator:counts().messages)
      end
    end)

    it("nothing that would be refused again", function()
      emulator:fail_next { status = 400, body = '{"errors":[{"code":1009,"title":"Parameter value is not valid"}]}' }
      local arrived, _, err = with_client({ retry = QUICK }, send)
      assert.equal(1, arrived)
      assert.is_false(err.retryable)
    end)

    it("nothing when told so", function()
      emulator:fail_next { status = 429, body = "", headers = AT_ONCE }
      local arrived, _, err = with_client({ retry = false }, send)
      assert.equal(1, arrived)
      assert.is_true(err.retryable)
      assert.equal(0, err.retry_after)
    end)

    it("no more often than allowed", function()
      emulator:fail_next { status = 429, body = "", headers = AT_ONCE, times = 3 }
      local arrived, _, err = with_client({ retry = { attempts = 3, base = 0.001 } }, send)
      assert.equal(3, arrived)
      assert.equal("rate_limited", err.kind)
    end)

    it("never past the deadline of the call", function()
      emulator:fail_next { status = 429, body = "", headers = { ["retry-after"] = "600" } }
      local arrived, _, err = with_client({ retry = QUICK, timeout = 5 }, send)
      assert.equal(1, arrived)
      assert.equal("rate_limited", err.kind)
      assert.equal(600, err.retry_after)
    end)
  end)

  describe("pacing", function()
    it("lets a call time out rather than exceed the rate", function()
      local slow = { messages = { rate = 0.1, burst = 1 } }
      local arrived, sent, err = with_client({ pace = slow, timeout = 0.2 }, function(client)
        assert(send(client))
        return send(client)
      end)
      assert.equal(1, arrived)
      assert.is_nil(sent)
      assert.equal("timeout", err.kind)
      assert.is_false(err.maybe_sent)
    end)

    it("holds the whole key back after a refusal for speed", function()
      emulator:fail_next { status = 429, body = "", headers = { ["retry-after"] = "600" } }
      local arrived = with_client({ retry = false, timeout = 5 }, function(client)
        local _, first = send(client)
        assert.equal("rate_limited", first.kind)
        for _ = 1, 3 do
          local _, err = send(client)
          assert.equal("timeout", err.kind)
        end
      end)
      assert.equal(1, arrived)
    end)

    it("can be switched off", function()
      emulator:fail_next { status = 429, body = "", headers = { ["retry-after"] = "600" } }
      local arrived, sent = with_client({ pace = false, retry = false }, function(client)
        send(client)
        return send(client)
      end)
      assert.equal(2, arrived)
      assert.is_truthy(sent)
    end)
  end)

  describe("on_event", function()
    it("is told of every attempt and every repeat", function()
      local events = {}
      emulator:fail_next { status = 503, body = "", headers = AT_ONCE }
      with_client({ retry = QUICK, on_event = function(event) events[#events + 1] = event end }, send)
      assert.equal(3, #events)
      assert.same({ "attempt", "retry", "attempt" }, { events[1].type, events[2].type, events[3].type })
      assert.equal(503, events[1].status)
      assert.equal("rate_limited", events[1].error.kind)
      assert.equal(201, events[3].status)
      assert.is_nil(events[3].error)
      assert.equal(2, events[3].attempt)
      assert.equal("/v1/messages", events[3].path)
      assert.is_true(events[3].bytes_sent > 0)
    end)

    it("loses no message when it fails", function()
      local _, sent = with_client({ on_event = function() error "hook" end }, send)
      assert.is_truthy(sent)
    end)
  end)

  it("says of a gateway that is gone that nothing was sent", function()
    local gone = assert(waba.emulator.start { statuses = false })
    local client = waba.client(gone:options { retry = { attempts = 2, base = 0.001 } })
    gone:stop()
    local sent, err = client:send(NUMBER, waba.text "Hi")
    assert.is_nil(sent)
    assert.equal("network", err.kind)
    assert.is_false(err.maybe_sent)
    assert.is_true(err.retryable)
    client:close()
  end)
end)
