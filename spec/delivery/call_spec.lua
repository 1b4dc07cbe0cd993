-- What a method of a client returns for each response and each failure of its transport: the error, the value of
-- `maybe_sent`, and the pause before a retry.

local scripted = require "spec.support.scripted_transport"
local server = require "spec.support.server"
local waba = require "waba"

local NUMBER, OTHER = "4915112345678", "4915112345679"
local ACCEPTED = { status = 201, body = '{"messages":[{"id":"gBEG"}]}' }

describe("a call", function()
  local client, transport

  after_each(function()
    if client then client:close() end
    client = nil
  end)

  local function new_client(responses, options)
    local copies = {}
    for index, response in ipairs(responses) do -- copies, because the transport adds fields to its responses
      copies[index] = {}
      for name, value in pairs(response) do copies[index][name] = value end
    end
    if client then client:close() end -- clients that are open at the same time share the rate limits of their key
    client, transport = scripted.client(copies, options)
  end

  local function send(options) return client:send(NUMBER, waba.text "Hi", options) end

  it("without a complete response has the kind, and may have been executed unless the status refuses it", function()
    for index, row in ipairs {
      -- Columns: failure of the transport, retryable, maybe_sent, maybe_sent on Cloud hosting if different.
      { { kind = "network", sent = "no" }, true, false }, { { kind = "network", sent = "maybe" }, true, true },
      { { kind = "network", sent = "yes" }, true, true }, { { kind = "timeout", sent = "maybe" }, true, true },
      { { kind = "tls", sent = "no" }, false, false }, { { kind = "cancelled", sent = "no" }, false, false },
      { { kind = "protocol", sent = "yes" }, false, true }, { { kind = "protocol", sent = "yes", status = 201 }, false, true },
      { { kind = "network", sent = "yes", status = 200 }, true, true }, { { kind = "network", sent = "yes", status = 399 }, true, true },
      { { kind = "network", sent = "yes", status = 400 }, false, false, true },
      { { kind = "network", sent = "yes", status = 404 }, false, false }, { { kind = "network", sent = "yes", status = 408 }, true, true },
      { { kind = "network", sent = "yes", status = 429 }, true, false }, { { kind = "timeout", sent = "yes", status = 500 }, true, true },
      { { kind = "network", sent = "yes", status = 503 }, true, false, true },
      { { kind = "tls", sent = "yes", status = 429 }, false, false },
    } do
      for _, hosting in ipairs { "on_premise", "cloud" } do
        for method, changes in pairs { POST = true, GET = false, PUT = true } do
          local failure, maybe_sent = row[1], row[3]
          failure.message = "lost"
          new_client({ { failure = failure } }, { hosting = hosting, retry = false })
          local result, err = client:request { method = method, path = "/v1/x" }
          assert.is_nil(result)
          local retryable = row[2]
          if hosting == "cloud" and row[4] ~= nil then maybe_sent, retryable = row[4], true end
          assert.same({ failure.kind, failure.status, retryable, maybe_sent and changes },
            { err.kind, err.status, err.retryable, err.maybe_sent }, index .. hosting .. method)
        end
      end
    end
  end)

  it("returns the decoded response, whatever precedes the JSON", function()
    for body, result in pairs {
      ['{"a":1}'] = { a = 1 }, ["[1]"] = { 1 }, ["\239\187\191[1]"] = { 1 }, [" \n[1]"] = { 1 }, ["\239\187\191 {}"] = {},
      [" null "] = true, ["\239\187\191"] = true, [" \n"] = " \n", ["nullx"] = "nullx", ["{"] = "{", ["\239\187[1]"] = "\239\187[1]",
    } do
      new_client { { body = body } }
      local found = client:request { path = "/v1/x" }
      if body == " null " or body == "\239\187\191" then
        assert.is_truthy(found, body)
      else
        assert.same(result, found, body)
      end
    end
  end)

  it("succeeds with a status from 200 to 299", function()
    for status, succeeds in pairs { [199] = false, [200] = true, [299] = true, [300] = false } do
      for _, body in ipairs { '{"messages":[{"id":"gBEG"}]}', ' {"messages":[{"id":"gBEG"}]}' } do
        new_client({ { status = status, body = body } }, { retry = false })
        local sent, err = send()
        assert.same(succeeds and { "gBEG" } or { nil, status }, { sent and sent.id, err and err.status })
      end
    end
  end)

  it("whose response is no JSON may have been executed", function()
    for body, message in pairs { ["<html>"] = "is not JSON$", ["{"] = "%(HTTP 200%) is not JSON: .", ["[1"] = "JSON: ." } do
      new_client { { body = body } }
      local sent, err = send()
      assert.is_nil(sent)
      assert.same({ "protocol", 200, true, false }, { err.kind, err.status, err.maybe_sent, err.retryable })
      assert.matches(message, err.message)
      new_client { { body = body } }
      local _, of_get = client.templates:namespace()
      assert.same({ "protocol", false }, { of_get.kind, of_get.maybe_sent })
    end
  end)

  it("that the response refuses may have been executed only if the status is ambiguous and there is no code", function()
    local function coded(status) return { status = status, body = '{"errors":[{"code":1000,"title":"t"}]}' } end
    for index, row in ipairs {
      { { status = 500 }, true }, { { status = 502 }, true }, { { status = 408 }, true }, { { status = 503 }, false },
      { { status = 429 }, false }, { { status = 400 }, false }, { coded(500), false }, { coded(408), false },
    } do
      for method, changes in pairs { POST = true, GET = false, DELETE = true } do
        new_client({ row[1] }, { retry = false })
        local _, err = client:request { method = method, path = "/v1/x" }
        assert.equal(row[2] and changes, err.maybe_sent, index .. method)
      end
    end
  end)

  it("has the seconds of the header Retry-After also if the error has the status 200", function()
    local gateway = server.start {}
    gateway:respond("/v1/messages", { headers = { { "Retry-After", "7" } }, body = '{"errors":[{"code":1015}]}' })
    client = waba.client { api_key = "key", base_url = gateway.url, ca_file = gateway.ca_file, pace = false, retry = false }
    local _, err = send()
    gateway:stop()
    assert.equal("rate_limited", err.kind)
    assert.equal(7, err.retry_after)
  end)

  it("has the seconds of the header Retry-After, of the error, or two seconds", function()
    local function limited(headers) return { status = 429, headers = headers or {} } end
    for index, row in ipairs {
      { limited(), 2 }, { limited { ["retry-after"] = "7" }, 7 }, { limited { ["retry-after"] = "0" }, 0 },
      { limited { ["retry-after"] = "soon" }, 2 }, { { status = 503, headers = {} }, 2 },
      { { status = 503, headers = { ["retry-after"] = "9" } }, 9 }, { { status = 500, headers = { ["retry-after"] = "9" } }, 9 },
      { { status = 500, headers = {} }, nil }, { { status = 400, headers = {} }, nil },
      { { status = 400, headers = {}, body = '{"meta":{"developer_message":"1 request every 5 seconds"}}' }, 5 },
      { { status = 400, headers = { ["retry-after"] = "3" }, body = '{"meta":{"developer_message":"1 request every 5 seconds"}}' }, 3 },
      { { status = 400, headers = {}, body = '{"errors":[{"code":471,"title":"t"}]}' }, 86400 },
    } do
      new_client({ row[1] }, { retry = false })
      local _, err = send()
      assert.equal(row[2], err.retry_after, index)
    end
  end)

  it("waits a random time between two attempts, whose bound doubles up to the option max", function()
    local refused = { status = 429, headers = { ["retry-after"] = "1" } }
    local longest = {}
    for _ = 1, 60 do
      new_client({ refused, refused, refused, refused, ACCEPTED }, { timeout = 1000, retry = { attempts = 5, base = 2, max = 5 } })
      local sleeps = {}
      function transport.sleep(_, seconds) sleeps[#sleeps + 1] = seconds end
      assert(send())
      assert.equal(4, #sleeps)
      for index, seconds in ipairs(sleeps) do
        assert.is_true(seconds >= 1)
        longest[index] = math.max(longest[index] or 0, seconds - 1)
      end
    end
    for index, bound in ipairs { 2, 4, 5, 5 } do
      assert.is_true(longest[index] <= bound and longest[index] > bound / 2, index)
    end
  end)

  it("is not repeated if the wait ends at its timeout or later", function()
    for seconds, attempts in pairs { ["5"] = 2, ["10"] = 1, ["11"] = 1 } do
      new_client({ { status = 429, headers = { ["retry-after"] = seconds } }, ACCEPTED }, { timeout = 10, retry = { base = 0 } })
      local sent, err = send()
      assert.equal(attempts, #transport.requests)
      assert.equal(attempts == 2, sent ~= nil)
      assert.equal(attempts == 1 and "rate_limited" or nil, err and err.kind)
      assert.equal(attempts == 2 and 5 or 0, transport.slept)
    end
  end)

  it("has the rest of its timeout in each attempt", function()
    new_client({ { status = 429, headers = { ["retry-after"] = "0" } }, ACCEPTED }, { timeout = 10, retry = { base = 0 } })
    function transport.sleep() waba.sleep(0.02) end
    assert(send())
    local first, second = transport.requests[1].timeout, transport.requests[2].timeout
    assert.is_true(first <= 10 and first > 9)
    assert.is_true(second <= first - 0.02)
    new_client({ ACCEPTED }, { timeout = 10 })
    assert(send { timeout = 3 })
    assert.is_true(transport.requests[1].timeout <= 3)
  end)

  it("is repeated with the same body, or without one", function()
    for _, options in ipairs { { method = "PUT", body = "raw" }, { method = "PUT", body = { a = 1 } }, { method = "GET" } } do
      new_client({ { failure = { kind = "network", message = "m", sent = "maybe" } }, { body = "[1]" } }, { retry = { base = 0 } })
      options.path = "/v1/x"
      assert.same({ 1 }, (client:request(options)))
      assert.equal(2, #transport.requests)
      assert.equal(transport.requests[1].body, transport.requests[2].body)
    end
  end)

  it("returns the last error if the wait for the next attempt has taken too long", function()
    new_client({ { status = 429, headers = { ["retry-after"] = "0" } }, ACCEPTED }, { timeout = 0.3, retry = { base = 0 } })
    function transport.sleep() waba.sleep(0.31) end
    local sent, err = send()
    assert.same({ nil, 429, 1 }, { sent, err.status, #transport.requests })
  end)

  it("is not sent where the transport can't wait", function()
    new_client({ ACCEPTED, ACCEPTED })
    function transport.can_wait() return nil, "not here" end
    local sent, err = send()
    assert.same({ nil, "invalid", "not here", 0 }, { sent, err.kind, err.message, #transport.requests })
    function transport.can_wait() return true end
    assert(send())
  end)

  describe("that waits for the key", function()
    local clock, order = require("waba.core").clock, nil

    -- Makes a client with a rate limit that lets one message pass; `admit` lets the others pass. `order` lists the
    -- texts in the order of their requests.
    local function new_waiting(responses)
      new_client(responses, { timeout = 1000, retry = { base = 0 }, pace = {
        messages = { rate = 0.01, burst = 1 }, pair = { rate = 1000, burst = 10 },
      } })
      order = {}
      local transmit = transport.send
      function transport.sleep(_, seconds) waba.sleep(seconds) end
      function transport.send(self, request)
        order[#order + 1] = request.body:match '"body":"(%l+)"'
        if self.before_response then self.before_response() end
        return transmit(self, request)
      end
    end

    local function queue() return client.delivery.pace:queue "messages" end

    local function await_waiting(count)
      while queue().replies.count < count do waba.sleep(0.001) end
    end

    local function admit()
      local limiter = queue().limiter
      limiter.interval, limiter.due, limiter.open_at = 0, 0, 0
      queue():notify(clock())
    end

    local function sends(to, text) return function() assert(client:send(to, waba.text(text))) end end

    it("is sent before the other waiting calls if it is a repeat", function()
      new_waiting { { status = 429, headers = { ["retry-after"] = "0" } }, ACCEPTED, ACCEPTED, ACCEPTED }
      function transport.before_response()
        transport.before_response = nil
        await_waiting(2)
      end
      waba.run(sends(NUMBER, "a"), sends(NUMBER, "b"), sends(NUMBER, "c"), function()
        await_waiting(3)
        admit()
      end)
      assert.equal("a a b c", table.concat(order, " "))
    end)

    it("waits for a pause of its recipient that begins meanwhile, and keeps its place", function()
      new_waiting { ACCEPTED, ACCEPTED, ACCEPTED }
      assert(client:send(OTHER, waba.text "first"))
      local moment
      waba.run(sends(NUMBER, "paused"), function()
        await_waiting(1)
        moment = clock() + 0.05
        client.delivery.pace:pause_pair(NUMBER, moment, clock())
        waba.spawn(sends(NUMBER, "later"))
        while client.delivery.pace:pair(NUMBER, clock()).replies.count < 1 do waba.sleep(0.001) end
        admit()
      end)
      assert.equal("first paused later", table.concat(order, " "))
      assert.is_true(clock() >= moment)
    end)

    it("is not sent if a pause of its recipient begins meanwhile and ends after its timeout", function()
      new_waiting { ACCEPTED }
      assert(client:send(OTHER, waba.text "first"))
      local sent, err
      waba.run(function() sent, err = send() end, function()
        await_waiting(1)
        client.delivery.pace:pause_pair(NUMBER, clock() + 2000, clock())
        admit()
      end)
      assert.same({ nil, "rate_limited", "pair", "first" }, { sent, err.kind, err.scope, table.concat(order, " ") })
    end)
  end)

  it("calls before_retry if the last attempt certainly did not send the message", function()
    for sent, count in pairs { no = 1, maybe = 0 } do
      local lost = { failure = { kind = "network", message = "m", sent = sent } }
      local called = 0
      new_client({ lost, ACCEPTED }, { retry = { base = 0, ambiguous = true } })
      assert(send { before_retry = function(err)
        assert.equal("network", err.kind)
        called = called + 1
      end })
      assert.equal(count, called)
    end
  end)

  it("is not sent if its time passes, or if its client is closed, in before_attempt", function()
    for kind, wait in pairs { timeout = function() waba.sleep(0.02) end, cancelled = function() client:close() end } do
      new_client({ ACCEPTED }, { timeout = kind == "timeout" and 0.01 or 10 })
      local sent, err = send { before_attempt = function()
        wait()
        return true
      end }
      assert.same({ nil, kind, false, 0 }, { sent, err.kind, err.maybe_sent, #transport.requests })
      assert.equal(kind == "timeout", err.retryable)
      client = nil
    end
  end)

  it("may have been sent by an earlier attempt if the last attempt certainly did not send it", function()
    local function lost(sent) return { failure = { kind = "network", message = "m", sent = sent } } end
    local refused = { status = 401, body = '{"meta":{"http_code":401}}' }
    for _, row in ipairs {
      { lost "no", lost "no", lost "no", expected = false }, { lost "maybe", lost "no", lost "no", expected = true },
      { lost "no", lost "maybe", refused, expected = true }, { lost "no", refused, expected = false },
    } do
      new_client(row, { retry = { attempts = 3, base = 0, ambiguous = true } })
      local retries = 0
      local sent, err = send { before_retry = function() retries = retries + 1 end }
      assert.same({ nil, row.expected, #row }, { sent, err.maybe_sent, #transport.requests })
      assert.equal(row[1].failure.sent == "maybe" and 0 or row.expected and 1 or #row - 1, retries)
    end
  end)

  it("may have been sent by an earlier attempt if before_attempt refuses a further attempt", function()
    for sent, expected in pairs { no = { "blocked", false }, maybe = { "network", true } } do
      local attempts = 0
      new_client({ { failure = { kind = "network", message = "m", sent = sent } } }, { retry = { base = 0, ambiguous = true } })
      local accepted, err = send { before_attempt = function()
        attempts = attempts + 1
        if attempts == 1 then return true end
        return nil, { kind = "blocked", maybe_sent = false }
      end }
      assert.same({ nil, 2, 1 }, { accepted, attempts, #transport.requests })
      assert.same(expected, { err.kind, err.maybe_sent })
    end
  end)

  describe("that is too late for its rate limit", function()
    local SLOW = { rate = 0.01, burst = 1 }

    it("names the limit, and the seconds until it allows the request", function()
      for index, row in ipairs {
        { { messages = SLOW }, "key", "the rate limit of this key allows the request, in 100 s" },
        { { messages = false, pair = SLOW }, "pair", "for one recipient allows the next message, in 100 s" },
        { { messages = { rate = 2 / 13, burst = 1 } }, "key", "in 6.5 s" },
        { { messages = { rate = 0.0005, burst = 1 } }, "key", "in 2000 s" },
      } do
        new_client({ ACCEPTED, ACCEPTED }, { pace = row[1], timeout = 5 })
        assert(send())
        local sent, err = send()
        assert.is_nil(sent)
        assert.same({ "timeout", row[2], true, false }, { err.kind, err.scope, err.retryable, err.maybe_sent }, index)
        assert.matches(row[3], err.message, 1, true)
      end
    end)

    it("names the other messages if it is a bulk message and they wait", function()
      new_client({ ACCEPTED, ACCEPTED }, { pace = { messages = { rate = 0.1, burst = 1 } } })
      function transport.sleep() waba.sleep(0.001) end
      assert(send())
      local texts = { [3] = select(2, send { bulk = true, timeout = 0.01 }).message }
      waba.run(function() assert.equal("cancelled", select(2, send()).kind) end, function()
        while client.delivery.pace:queue("messages").replies.count == 0 do waba.sleep(0.001) end
        for index, options in ipairs { { bulk = true, timeout = 0.01 }, { timeout = 0.01 } } do
          texts[index] = select(2, send(options)).message
        end
        client:close()
      end)
      assert.matches("^the timeout passed before this bulk message could be sent: requests that are not bulk", texts[1])
      assert.matches("the rate limit of this key", texts[2], 1, true)
      assert.matches("the rate limit of this key", texts[3], 1, true)
    end)

    it("returns the slot of its recipient", function()
      local rate = { rate = 0.01, burst = 2 }
      new_client({ ACCEPTED, ACCEPTED }, { pace = { messages = rate, pair = rate }, timeout = 5 })
      assert(send())
      assert(client:send(OTHER, waba.text "Hi"))
      local _, err = send()
      assert.equal("key", err.scope)
      local queue = client.delivery.pace:pair(NUMBER, 0)
      local now = require("waba.core").clock()
      assert.same({ true, false }, { queue:try(now), queue:try(now) })
    end)

    it("reports a pause of the gateway as such", function()
      for index, row in ipairs {
        { { status = 429, headers = { ["retry-after"] = "600" } }, 600 }, { { status = 429, headers = {} }, 2 },
        { { status = 503, headers = { ["retry-after"] = "600" } }, 600 },
        { { status = 400, headers = {}, body = '{"errors":[{"code":471,"title":"t"}]}' }, 60 },
        { { status = 400, headers = { ["retry-after"] = "600" }, body = '{"errors":[{"code":471,"title":"t"}]}' }, 600 },
      } do
        new_client({ row[1] }, { pace = { pair = false }, timeout = 1, retry = false })
        local _, err = send()
        assert.equal(row[1].status, err.status, index)
        for _, call in ipairs { send, function() return client:phone_number() end } do
          _, err = call()
          assert.same({ "rate_limited", "key", true, 1 }, { err.kind, err.scope, err.retryable, #transport.requests }, index)
          assert.is_true(err.retry_after > row[2] - 1 and err.retry_after <= row[2], index)
          assert.matches("this key is too fast", err.message, 1, true)
        end
      end
    end)

    it("is not paused after other errors", function()
      for index, response in ipairs {
        { status = 500, headers = { ["retry-after"] = "600" } }, { status = 400, headers = { ["retry-after"] = "600" } },
        { status = 400, headers = { ["retry-after"] = "600" }, body = '{"meta":{"developer_message":"1 request every 600"}}' },
        { failure = { kind = "network", message = "m", sent = "no" } }, { failure = { kind = "timeout", message = "m", sent = "no" } },
      } do
        new_client({ response, ACCEPTED }, { pace = {}, timeout = 1, retry = false })
        local sent = send()
        assert.is_nil(sent)
        assert.is_truthy(send(), index)
      end
    end)
  end)
end)
