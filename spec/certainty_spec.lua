-- What a client reports about a message whose connection was cut. The server cuts connections at each point of a
-- request, and counts the messages that have arrived. No message arrives twice unless the caller allows it.

local folder = require "spec.support.folder"
local server = require "spec.support.server"
local socket = require "socket"
local waba = require "waba"

local unpack = table.unpack or unpack
local NUMBER, ATTEMPTS = "4915112345678", 3
local ACCEPTED = { status = 201, body = '{"messages":[{"id":"gBEG"}]}' }
local INTERNAL_ERROR, REFUSED_STREAM, HTTP_1_1_REQUIRED = 2, 7, 13

describe("a message whose connection was cut", function()
  local gone, reserved, hang_up, greet, stall, leave

  setup(function()
    hang_up, greet, stall = server.start { behaviour = "hang_up" }, server.start { behaviour = "greet" },
      server.start { behaviour = "stall" }
    leave = server.start { protocol = "HTTP/2", behaviour = "leave" }
    -- a socket that does not listen refuses connections, and no other program can take its port
    reserved = socket.tcp4()
    assert(reserved:bind("127.0.0.1", 0))
    local _, port = reserved:getsockname()
    gone = { url = "https://127.0.0.1:" .. port, ca_file = hang_up.ca_file }
  end)
  teardown(function()
    reserved:close()
    for _, each in ipairs { hang_up, greet, stall, leave } do each:stop() end
  end)

  -- Sends one message. Returns the result, the error, and the number of attempts.
  local function send(gateway, options, fn)
    local tries = 0
    local merged = {
      api_key = "key", base_url = gateway.url, ca_file = gateway.ca_file, pace = false,
      retry = { attempts = ATTEMPTS, base = 0.001 },
      on_event = function(event) if event.type == "attempt" then tries = tries + 1 end end,
    }
    for name, value in pairs(options or {}) do merged[name] = value end
    local client = waba.client(merged)
    local sent, err
    if fn then
      sent, err = fn(client, function() tries = 0 end)
    else
      sent, err = client:send(NUMBER, waba.text "Hi")
    end
    client:close()
    return sent, err, tries
  end

  it("before a connection existed: not sent, so it is sent again", function()
    local _, err, tries = send(gone)
    assert.equal("network", err.kind)
    assert.is_false(err.maybe_sent)
    assert.equal(ATTEMPTS, tries)
  end)

  it("in the handshake: not sent, so it is sent again", function()
    local _, err, tries = send(hang_up)
    assert.equal("network", err.kind)
    assert.is_false(err.maybe_sent)
    assert.equal(ATTEMPTS, tries)
    assert.equal(0, hang_up:count())
    _, err = send(stall, { connect_timeout = 0.05 })
    assert.equal("timeout", err.kind)
    assert.is_false(err.maybe_sent)
  end)

  it("before its first byte: nothing has arrived", function()
    local _, err = send(greet)
    assert.equal("network", err.kind)
    assert.equal(0, greet:count())
  end)

  it("by a server that closes the connection before the first request: not sent, so it is sent again", function()
    local _, err, tries = send(leave)
    assert.equal("network", err.kind)
    assert.is_false(err.maybe_sent)
    assert.equal(ATTEMPTS, tries)
  end)

  for _, protocol in ipairs { "HTTP/1.1", "HTTP/2" } do
    describe("over " .. protocol, function()
      local gateway

      setup(function() gateway = server.start { protocol = protocol } end)
      teardown(function() gateway:stop() end)
      before_each(function() gateway:forget() end)

      -- Returns the number of complete requests to a path, by default the path for messages.
      local function complete(path)
        local count = 0
        for _, request in ipairs(gateway:received(path or "/v1/messages")) do
          if request.complete then count = count + 1 end
        end
        return count
      end

      -- Sends over a new connection, and then over a connection that has carried a request. Calls `fn` with the results
      -- of each send.
      local function on_each_connection(options, fn)
        for _, is_warm in ipairs { false, true } do
          gateway:forget()
          fn(send(gateway, options, function(client, forget_tries)
            if is_warm then
              assert(client:request { path = "/warm" })
              forget_tries()
            end
            return client:send(NUMBER, waba.text "Hi")
          end))
        end
      end

      it("in its middle: not sent, so it is sent again", function()
        for _, ending in ipairs { "drop", "reset" } do
          gateway:forget()
          gateway:respond("/v1/large", { [ending] = "head" })
          local _, err, tries = send(gateway, nil, function(client)
            return client:request { method = "POST", path = "/v1/large", body = ("x"):rep(6000000),
              media_type = "application/octet-stream" }
          end)
          assert.equal("network", err.kind)
          assert.is_false(err.maybe_sent)
          assert.equal(ATTEMPTS, tries)
          assert.equal(0, complete "/v1/large")
        end
      end)

      for _, ending in ipairs { "drop", "reset" } do
        it("after it, by a " .. ending .. ": maybe sent, and never repeated", function()
          gateway:respond("/v1/messages", { [ending] = "request" })
          on_each_connection(nil, function(_, err, tries)
            assert.equal("network", err.kind)
            assert.is_true(err.maybe_sent)
            assert.is_true(err.retryable)
            assert.equal(1, tries)
            assert.equal(1, gateway:count "/v1/messages")
          end)
        end)

        it("after it, by a " .. ending .. ": repeated if the caller allows it", function()
          gateway:respond("/v1/messages", { [ending] = "request" })
          on_each_connection({ retry = { attempts = ATTEMPTS, base = 0.001, ambiguous = true } }, function(_, err, tries)
            assert.is_true(err.maybe_sent)
            assert.equal(ATTEMPTS, tries)
            assert.equal(ATTEMPTS, gateway:count "/v1/messages")
          end)
        end)
      end

      it("by the timeout before a response: maybe sent, once", function()
        gateway:respond("/v1/messages", { held = true })
        on_each_connection({ timeout = 0.4 }, function(_, err, tries)
          assert.equal("timeout", err.kind)
          assert.is_true(err.maybe_sent)
          assert.equal(1, tries)
          assert.equal(1, gateway:count "/v1/messages")
        end)
        gateway:release()
      end)

      it("in the middle of the response: maybe sent, once", function()
        gateway:respond("/v1/messages", { status = 201, body = ACCEPTED.body, truncated = 10 })
        on_each_connection(nil, function(_, err, tries)
          assert.equal("network", err.kind)
          assert.equal(201, err.status)
          assert.is_true(err.maybe_sent)
          assert.equal(1, tries)
          assert.equal(1, complete())
        end)
      end)

      it("in the middle of an error response: not sent", function()
        gateway:respond("/v1/messages", { status = 400, body = '{"errors":[{"code":1009}]}', truncated = 10 })
        on_each_connection(nil, function(_, err, tries)
          assert.equal(400, err.status)
          assert.is_false(err.maybe_sent)
          assert.equal(1, tries)
        end)
        gateway:respond("/v1/messages", { status = 429, body = "too fast", truncated = 3 })
        local _, err = send(gateway, { retry = false })
        assert.equal(429, err.status)
        assert.is_false(err.maybe_sent)
        assert.is_true(err.retryable)
      end)

      it("in the middle of an error response of Cloud hosting with code 1, which is ambiguous: maybe sent", function()
        gateway:respond("/messages", { status = 400, body = '{"error":{"code":1}}', truncated = 10 })
        local _, err, tries = send(gateway, { hosting = "cloud" })
        assert.is_true(err.maybe_sent)
        assert.equal(1, tries)
      end)

      it("by a gateway whose response says that it did not process the message: sent again, and accepted once", function()
        gateway:respond("/v1/messages", { status = 503, body = "", headers = { { "Retry-After", "0" } } }, ACCEPTED)
        local sent = send(gateway)
        assert.equal("gBEG", sent and sent.id)
        assert.equal(2, gateway:count "/v1/messages")
      end)

      if protocol == "HTTP/2" then
        local NOT_PROCESSED = { REFUSED_STREAM = { refuse = REFUSED_STREAM }, GOAWAY = { goaway = 0 } }

        for name, ending in pairs(NOT_PROCESSED) do
          it("by a " .. name .. " that reports that the message was not processed: sent again on a new connection", function()
            for _, is_warm in ipairs { false, true } do
              gateway:forget()
              gateway:respond("/v1/messages", ending, ACCEPTED)
              local sent, err = send(gateway, nil, function(client)
                if is_warm then assert(client:request { path = "/warm" }) end
                return client:send(NUMBER, waba.text "Hi")
              end)
              assert.is_nil(err)
              assert.equal("gBEG", sent.id)
              local first, second, third = unpack(gateway:received "/v1/messages")
              assert.not_equal(first.connection, second.connection)
              assert.equal(first.body, second.body)
              assert.is_nil(third)
            end
          end)

          it("by a " .. name .. " each time: certainly not sent, even without repeats", function()
            gateway:respond("/v1/messages", ending)
            for _, retry in ipairs { false, { attempts = 2, base = 0.001 } } do
              on_each_connection({ retry = retry }, function(_, err)
                assert.equal("network", err.kind)
                assert.is_false(err.maybe_sent)
                assert.is_true(err.retryable)
                assert.matches("before it processed the request", err.message, 1, true)
              end)
            end
          end)

          it("by a " .. name .. ", with a body that is read from a file or from memory: all of it is sent again", function()
            local files, bytes = folder.new(), ("b"):rep(200000)
            for _, source in ipairs { { data = bytes }, { file = files:write("upload", bytes) } } do
              source.type = "image/jpeg"
              gateway:forget()
              gateway:respond("/v1/media", ending, { status = 201, body = '{"media":[{"id":"1"}]}' })
              assert(send(gateway, nil, function(client) return client.media:upload(source) end))
              local received = gateway:received "/v1/media"
              assert.equal(#bytes, #received[#received].body)
            end
            files:remove()
          end)
        end

        it("by a GOAWAY with the message's stream or a later one: maybe sent, once", function()
          for _, last in ipairs { 2 ^ 31 - 1, "at" } do
            gateway:respond("/v1/messages", { goaway = last })
            on_each_connection(nil, function(_, err)
              assert.is_true(err.maybe_sent)
              assert.equal(1, gateway:count "/v1/messages")
            end)
          end
        end)

        it("by another stream error: maybe sent, once", function()
          for _, code in ipairs { INTERNAL_ERROR, HTTP_1_1_REQUIRED } do
            gateway:respond("/v1/messages", { refuse = code })
            on_each_connection(nil, function(_, err)
              assert.is_true(err.maybe_sent)
              assert.equal(1, gateway:count "/v1/messages")
            end)
          end
        end)

        local BEFORE = {
          ["other requests"] = { status = 200, body = "{}" }, ["a request that failed"] = { refuse = INTERNAL_ERROR },
        }

        for name, response in pairs(BEFORE) do
          it("by a GOAWAY between two messages, after " .. name .. ": the message above the last stream is sent again", function()
            gateway:respond("/warm", response, { status = 200, body = "{}" })
            gateway:respond("/held", { held = true, body = "{}" })
            gateway:respond("/v1/messages", { goaway = "below" }, ACCEPTED)
            local held, sent, err
            send(gateway, nil, function(client)
              waba.run(function()
                for _ = 1, 3 do client:request { path = "/warm" } end
                waba.spawn(function() held = client:request { method = "POST", path = "/held", body = {} } end)
                waba.sleep(0.05)
                sent, err = client:send(NUMBER, waba.text "Hi")
                gateway:release()
              end)
            end)
            assert.is_nil(err)
            assert.equal("gBEG", sent.id)
            assert.truthy(held)
            assert.equal(1, gateway:count "/held")
            assert.equal(2, gateway:count "/v1/messages")
          end)
        end
      end
    end)
  end
end)
