local core = require "waba.core"
local scripted = require "spec.support.scripted_transport"
local waba = require "waba"

local NUMBER = "4915112345678"

describe("delivery", function()
  local emulator

  setup(function() emulator = assert(waba.emulator.start { statuses = false }) end)
  teardown(function() emulator:stop() end)

  -- Calls fn with a client that has these options. Returns the number of requests that the gateway received, then the
  -- results of fn.
  local function with_client(options, fn)
    local client = waba.client(emulator:options(options))
    local before = #emulator:received()
    local first, second = fn(client)
    client:close()
    return #emulator:received() - before, first, second
  end

  local function send(client) return client:send(NUMBER, waba.text "Hi") end

  -- Replaces the client's hosting by one whose errors have the fields `scope` and `retry_after`.
  local function with_scope(client, scope, retry_after)
    local hosting = setmetatable({ errors = setmetatable({}, { __index = client.hosting.errors }) },
      { __index = client.hosting })
    function hosting.errors.from_response(...)
      local err = client.hosting.errors.from_response(...)
      if err then err.scope, err.retry_after = scope, retry_after end
      return err
    end
    client.delivery.hosting = hosting
  end

  it("calls before_attempt and before_retry around each attempt, and sends nothing if before_attempt refuses", function()
    local calls = {}
    local options = {
      before_attempt = function()
        calls[#calls + 1] = "attempt"
        return true
      end,
      before_retry = function(err) calls[#calls + 1] = err.status end,
    }
    emulator:fail_next { status = 503, body = "", headers = { ["retry-after"] = "0" }, times = 1 }
    local arrived, sent = with_client({ retry = { attempts = 2, base = 0.001 } }, function(client)
      return client:send(NUMBER, waba.text "Hi", options)
    end)
    assert.is_truthy(sent)
    assert.equal(2, arrived)
    assert.same({ "attempt", 503, "attempt" }, calls)
    local refused = { kind = "unavailable" }
    local err
    arrived, sent, err = with_client({}, function(client)
      return client:send(NUMBER, waba.text "Hi", { before_attempt = function() return nil, refused end })
    end)
    assert.same({ 0, nil, refused }, { arrived, sent, err })
    arrived, sent, err = with_client({}, function(client)
      return client:send(NUMBER, waba.text "Hi", { before_attempt = function() end })
    end)
    assert.same({ 0, nil, "invalid", "before_attempt" }, { arrived, sent, err.kind, err.path })
  end)

  local QUICK = { attempts = 4, base = 0.001, max = 0.002 }
  local AT_ONCE = { ["retry-after"] = "0" }

  it("reports an unknown response if it is compressed", function()
    for method, maybe_sent in pairs { POST = true, GET = false } do
      for status, kind in pairs { [200] = "protocol", [404] = "not_found" } do
        local client = scripted.client { { status = status, body = "\31\139\8", content_coding = "gzip" } }
        local json, err = client:request { method = method, path = "/v1/anything" }
        assert.is_nil(json)
        assert.same({ kind, maybe_sent and status == 200, status }, { err.kind, err.maybe_sent, err.status })
        assert.matches("gzip", err.message)
      end
    end
  end)

  describe("repeats", function()
    it("requests that were refused for their rate or the gateway's load", function()
      for _, status in ipairs { 429, 503 } do
        emulator:fail_next { status = status, body = "", headers = AT_ONCE, times = 2 }
        local arrived, sent = with_client({ retry = QUICK }, send)
        assert.equal(3, arrived)
        assert.matches("^gB", sent.id)
      end
    end)

    it("requests whose error code allows it", function()
      emulator:fail_next { status = 503, body = '{"errors":[{"code":1011,"title":"Service not ready"}]}', headers = AT_ONCE }
      local arrived, sent = with_client({ retry = QUICK }, send)
      assert.equal(2, arrived)
      assert.is_truthy(sent)
    end)

    it("idempotent requests, also if their result is unknown", function()
      emulator:fail_next { status = 502, body = "<html>", times = 2 }
      local arrived, number = with_client({ retry = QUICK }, function(client) return client:phone_number() end)
      assert.equal(3, arrived)
      assert.equal(emulator.number, number)
    end)

    it("requests that may have been accepted only if the caller allows it", function()
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

    it("no request after a timeout or an ambiguous 5xx", function()
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

    it("no request that would be refused again", function()
      emulator:fail_next { status = 400, body = '{"errors":[{"code":1009,"title":"Parameter value is not valid"}]}' }
      local arrived, _, err = with_client({ retry = QUICK }, send)
      assert.equal(1, arrived)
      assert.is_false(err.retryable)
    end)

    it("nothing with retry = false", function()
      emulator:fail_next { status = 429, body = "", headers = AT_ONCE }
      local arrived, _, err = with_client({ retry = false }, send)
      assert.equal(1, arrived)
      assert.is_true(err.retryable)
      assert.equal(0, err.retry_after)
    end)

    it("at most the allowed number of times", function()
      emulator:fail_next { status = 429, body = "", headers = AT_ONCE, times = 3 }
      local arrived, _, err = with_client({ retry = { attempts = 3, base = 0.001 } }, send)
      assert.equal(3, arrived)
      assert.equal("rate_limited", err.kind)
    end)

    it("never after the deadline of the call", function()
      emulator:fail_next { status = 429, body = "", headers = { ["retry-after"] = "600" } }
      local arrived, _, err = with_client({ retry = QUICK, timeout = 5 }, send)
      assert.equal(1, arrived)
      assert.equal("rate_limited", err.kind)
      assert.equal(600, err.retry_after)
    end)
  end)

  describe("pacing", function()
    it("returns a timeout instead of exceeding the rate", function()
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

    it("has one rate limit for all clients with the same key", function()
      local function new(api_key)
        return waba.client {
          api_key = api_key, base_url = "https://gateway.example", transport = scripted.new {
            { status = 201, body = '{"messages":[{"id":"gBEG"}]}' } }, pace = { messages = { rate = 0.003, burst = 2 } }, timeout = 5,
        }
      end
      local one, two, other = new "key-of-one-number", new "key-of-one-number", new "key-of-another"
      assert(send(one))
      assert(send(two))
      for _, client in ipairs { one, two } do
        local sent, err = send(client)
        assert.is_nil(sent)
        assert.equal("key", err.scope)
      end
      assert(send(other))
      for _, client in ipairs { one, two, other } do client:close() end
    end)

    it("returns at once if the rate limit allows the request only after its timeout, with the seconds", function()
      local slow = { messages = { rate = 0.0005, burst = 1 } }
      local _, sent, err = with_client({ pace = slow, timeout = 5 }, function(client)
        assert(send(client))
        return send(client)
      end)
      assert.is_nil(sent)
      assert.equal("key", err.scope)
      assert.is_true(err.retry_after > 1900 and err.retry_after <= 2000)
      assert.matches("the rate limit of this key allows the request, in %d+ s", err.message)
      assert.is_true(err.retryable)
      assert.is_nil(err.status)
    end)

    it("pauses the key after a refusal for rate or load, and reports this at once", function()
      for _, status in ipairs { 429, 503 } do
        emulator:fail_next { status = status, body = "", headers = { ["retry-after"] = "600" } }
        local arrived = with_client({ retry = false, timeout = 5 }, function(client)
          local _, first = send(client)
          assert.equal(status, first.status)
          for _, call in ipairs { send, send, client.phone_number } do
            local _, err = call(client)
            assert.equal("rate_limited", err.kind)
            assert.equal("key", err.scope)
            assert.matches("reported that this key is too fast, .* try again in %d%d%d s", err.message)
            assert.is_true(err.retry_after > 500 and err.retry_after <= 600)
            assert.is_false(err.maybe_sent)
            assert.is_nil(err.status)
          end
        end)
        assert.equal(1, arrived)
      end
    end)

    it("ends the wait of calls whose timeout passes before a pause ends", function()
      local slow = { messages = { rate = 0.1, burst = 2 } }
      emulator:fail_next { status = 429, body = "", headers = { ["retry-after"] = "600" } }
      local errs = {}
      local arrived = with_client({ pace = slow, retry = false, timeout = 25 }, function(client)
        waba.run(function()
          for i = 1, 3 do
            waba.spawn(function()
              -- takes the first token, so that all sends wait
              if i == 1 then client.delivery.pace:queue("messages"):try(core.clock()) end
              local _, err = send(client)
              errs[i] = err
            end)
          end
        end)
      end)
      assert.equal(1, arrived)
      for i = 1, 3 do assert.equal("rate_limited", errs[i].kind) end
    end)

    it("allows no burst after a pause: requests that were refused together are not refused again", function()
      local strict, received = require("waba.delivery.bucket").new { rate = 60, burst = 4 }, 0
      local client = waba.client { api_key = "k", transport = { send = function()
        waba.sleep(0.005)
        received = received + 1
        if strict:try(core.clock()) then
          return { status = 201, headers = {}, body = '{"messages":[{"id":"x"}]}', sent = "yes" }
        end
        return { status = 429, headers = {}, body = "", sent = "yes" }
      end }, pace = { messages = { rate = 50, burst = 100 } }, retry = { base = 0.001 } }
      with_scope(client, nil, 0.1)
      local count, sent = 20, 0
      waba.run(function()
        for _ = 1, count do
          waba.spawn(function()
            assert(send(client))
            sent = sent + 1
          end)
        end
      end)
      client:close()
      assert.equal(count, sent)
      assert.is_true(received > count + 10, "most were refused at first")
      assert.is_true(received <= 2 * count + 3, received .. " requests")
    end)

    it("does not pause the key for a limit of one endpoint", function()
      emulator:fail_next { status = 400, body = '{"meta":{"success":false,"http_code":400,'
        .. '"developer_message":"limit of 1 request every 600 seconds exceeded"}}' }
      local arrived = with_client({ timeout = 5 }, function(client)
        local _, err = client:phone_number()
        assert.equal("rate_limited", err.kind)
        assert.equal("endpoint", err.scope)
        assert(send(client))
      end)
      assert.equal(2, arrived)
    end)

    it("does not pause the key for a day because of one code", function()
      emulator:fail_next { status = 400, body = '{"errors":[{"code":471,"title":"Spam rate limit hit"}]}' }
      with_client({ timeout = 5, retry = false }, function(client)
        local _, err = send(client)
        assert.equal(86400, err.retry_after)
        _, err = send(client)
        assert.is_true(err.retry_after <= 60)
      end)
    end)

    it("uses the hosting's rate for each class that the options do not have", function()
      with_client({ pace = { pair = { rate = 1, burst = 1 }, other = false } }, function(client)
        assert.equal(1 / client.hosting.pace.messages.rate, client.delivery.pace:queue("messages").limiter.interval)
        assert.equal(0, client.delivery.pace:queue("other").limiter.interval)
      end)
    end)

    it("ends with the client: waiting calls are cancelled", function()
      local slow, kinds = { messages = { rate = 0.1, burst = 1 } }, {}
      local arrived = with_client({ pace = slow, ordered = true }, function(client)
        waba.run(function()
          for i = 1, 3 do
            waba.spawn(function()
              local _, err = client:send(NUMBER .. i % 2, waba.text "Hi")
              kinds[i] = err and err.kind or "sent"
            end)
          end
          while not kinds[1] do waba.sleep(0.002) end
          client:close()
        end)
      end)
      assert.equal(1, arrived)
      assert.same({ "sent", "cancelled", "cancelled" }, kinds)
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

  describe("replies before bulk:", function()
    -- Sends the texts concurrently, and returns them in the order in which the gateway received them.
    local function order_of(client, list)
      local before = #emulator:received()
      waba.run(function()
        for _, each in ipairs(list) do
          waba.spawn(function()
            if each.after then waba.sleep(each.after) end
            each.sent, each.err = client:send(each.to or NUMBER, waba.text(each.text), each.options)
          end)
        end
      end)
      local texts, received = {}, emulator:received()
      for i = before + 1, #received do texts[#texts + 1] = received[i].json.text.body end
      return table.concat(texts, " ")
    end

    it("a bulk message waits for all other messages", function()
      local bulk, options = { bulk = true }, emulator:options { pace = { messages = { rate = 10, burst = 1 } } }
      options.max_connections = 1 -- on one connection messages arrive in the order in which they were sent
      local client = waba.client(options)
      assert(client:phone_number()) -- opens the connection before the test
      assert.equal("b1 r1 r2 r3 b2 b3 b4", order_of(client, {
        { text = "b1", options = bulk }, { text = "b2", options = bulk }, { text = "b3", options = bulk },
        { text = "b4", options = bulk }, { text = "r1" }, { text = "r2" }, { text = "r3", after = 0.01 },
      }))
      client:close()
    end)

    it("a bulk message without a slot ends at its timeout", function()
      local client = waba.client(emulator:options { pace = { messages = { rate = 20, burst = 1 } } })
      local list = { { text = "b", options = { bulk = true, timeout = 0.1 } } }
      for i = 1, 6 do list[i + 1] = { text = "r" .. i } end
      list[1].after = 0.001
      assert.is_nil(order_of(client, list):find "b")
      assert.equal("timeout", list[1].err.kind)
      assert.is_false(list[1].err.maybe_sent)
      for i = 2, 7 do assert.is_truthy(list[i].sent) end
      client:close()
    end)
  end)

  describe("the rate of one recipient", function()
    it("does not delay other recipients, and its error names the limit and the seconds", function()
      local arrived = with_client({ pace = { pair = { rate = 0.01, burst = 2 } }, timeout = 5 }, function(client)
        for _ = 1, 2 do assert(send(client)) end
        local sent, err = send(client)
        assert.is_nil(sent)
        assert.equal("timeout", err.kind)
        assert.equal("pair", err.scope)
        assert.is_true(err.retry_after > 90 and err.retry_after <= 100)
        assert(client:send("4915112345679", waba.text "Hi"))
        assert(client:phone_number())
      end)
      assert.equal(4, arrived)
    end)

    it("is waited for without blocking", function()
      local order = {}
      with_client({ pace = { pair = { rate = 2, burst = 1 } }, timeout = 30 }, function(client)
        waba.run(function()
          for i = 1, 3 do
            waba.spawn(function()
              assert(send(client))
              order[#order + 1] = "same " .. i
            end)
          end
          waba.spawn(function()
            waba.sleep(0.01)
            assert(client:send("4915112345679", waba.text "Hi"))
            order[#order + 1] = "other"
          end)
        end)
      end)
      assert.same({ "same 1", "other", "same 2", "same 3" }, order)
    end)

    it("is the only one that pauses if the gateway reports that it is exceeded", function()
      emulator:fail_next { status = 429, body = "" }
      local arrived = with_client({ timeout = 5, retry = false }, function(client)
        with_scope(client, "pair", 600)
        local _, err = send(client)
        assert.equal(429, err.status)
        _, err = send(client)
        assert.equal("rate_limited", err.kind)
        assert.equal("pair", err.scope)
        assert.matches("reported that this recipient is too fast, .* try again in %d+%.?%d* s", err.message)
        assert.is_true(err.retry_after > 30)
        assert(client:send("4915112345679", waba.text "Hi"))
      end)
      assert.equal(2, arrived)
    end)

    it("is the only one that pauses on Cloud hosting, whose errors report it", function()
      local gateway = assert(waba.emulator.start { statuses = false })
      local client = waba.client(gateway:options { hosting = "cloud", timeout = 0.5, retry = false })
      gateway.cloud:fail_next { code = 131056 }
      local _, err = send(client)
      assert.equal(131056, err.code)
      assert.equal("pair", err.scope)
      _, err = send(client)
      assert.equal("rate_limited", err.kind)
      assert.equal("pair", err.scope)
      assert(client:send("4915112345679", waba.text "Hi"))
      assert.equal(2, #gateway.cloud:received())
      client:close()
      gateway:stop()
    end)

    it("is tried again after 1, 4, 16 seconds if the response has no time", function()
      local response = { status = 429, body = "" }
      local client, transport = scripted.client({ response, response, response, {
        body = '{"messages":[{"id":"gBEG"}]}',
      } }, { retry = { base = 0 } })
      with_scope(client, "pair")
      assert(send(client))
      assert.equal(21, transport.slept)
    end)
  end)

  describe("on_event", function()
    -- Calls fn with a client that has these options, and returns the events that `on_event` got.
    local function events_of(options, fn)
      local events = {}
      options.on_event = function(event) events[#events + 1] = event end
      with_client(options, fn)
      return events
    end

    it("reports the start, each attempt, each repeat, and the finish", function()
      emulator:fail_next { status = 503, body = "", headers = AT_ONCE }
      local events = events_of({ retry = QUICK }, send)
      local types = {}
      for i, event in ipairs(events) do
        types[i] = event.type
        assert.equal(1, event.call)
        assert.equal("POST", event.method)
        assert.equal("/v1/messages", event.path)
        assert.equal("messages", event.class)
        assert.is_false(event.bulk)
        assert.is_true(i == 1 or event.time >= events[i - 1].time)
      end
      assert.same({ "start", "attempt", "retry", "attempt", "finish" }, types)
      local first, again, second, finish = events[2], events[3], events[4], events[5]
      assert.equal(503, first.status)
      assert.equal("rate_limited", first.error.kind)
      assert.equal("rate_limited", first.kind)
      assert.is_false(first.maybe_sent)
      assert.is_true(again.delay >= 0)
      assert.equal(1, again.attempt)
      assert.equal(201, second.status)
      assert.is_nil(second.error)
      assert.equal(2, second.attempt)
      assert.is_true(second.bytes_sent > 0 and second.bytes_received > 0)
      assert.is_true(second.reused)
      assert.equal(0, second.connect)
      assert.is_true(first.connect > 0)
      assert.is_true(second.first_byte > 0 and second.first_byte <= second.duration)
      assert.matches("^HTTP/", second.protocol)
      assert.equal(2, finish.attempt)
      assert.equal(201, finish.status)
      assert.is_nil(finish.error)
      assert.is_true(finish.duration >= first.duration + second.duration)
      assert.is_true(finish.waited <= finish.duration)
    end)

    it("reports how a call failed, and that it got no slot", function()
      emulator:fail_next { code = 470 }
      local events = events_of({ pace = { messages = { rate = 0.01, burst = 1 } }, timeout = 1 }, function(client)
        send(client)
        client:send(NUMBER, waba.text "Hi", { bulk = true })
      end)
      assert.equal(5, #events)
      assert.equal("finish", events[3].type)
      assert.equal("window", events[3].kind)
      assert.equal(470, events[3].code)
      assert.is_false(events[3].maybe_sent)
      assert.equal(2, events[4].call)
      assert.is_true(events[4].bulk)
      assert.equal("finish", events[5].type)
      assert.equal(0, events[5].attempt)
      assert.equal("timeout", events[5].kind)
    end)

    it("reports a call that a reader ended", function()
      local events = events_of({}, function(client)
        pcall(client.media.upload, client.media, { reader = function() error "lost" end, type = "image/png", size = 10 })
      end)
      assert.equal("finish", events[#events].type)
      assert.equal("cancelled", events[#events].kind)
    end)

    it("contains no key, message or recipient", function()
      local options, seen = { retry = QUICK }, {}
      emulator:fail_next { status = 502, body = "<html>" }
      local function note(value)
        if type(value) ~= "table" then
          seen[#seen + 1] = tostring(value)
          return
        end
        for key, member in pairs(value) do
          note(key)
          note(member)
        end
      end
      for _, event in ipairs(events_of(options, function(client)
        send(client)
        client.contacts:identity(NUMBER)
      end)) do note(event) end
      local text = table.concat(seen, "\n")
      for _, secret in ipairs { emulator.api_key, NUMBER, "Hi" } do
        assert.is_nil(text:find(secret, 1, true), secret)
      end
    end)

    it("may raise an error without the loss of a message", function()
      local _, sent = with_client({ on_event = function() error "hook" end }, send)
      assert.is_truthy(sent)
    end)
  end)

  it("reports that nothing was sent to an unreachable gateway", function()
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
