-- The events that `on_event` gets, also for a send whose coroutine is ended from outside.

local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local scripted = require "spec.support.scripted_transport"
local waba = require "waba"

local TO = "491511234567"
local close = rawget(coroutine, "close")

-- A transport whose first request does not end.
local function silent_transport()
  local transport = { sent = 0 }
  function transport:send()
    self.sent = self.sent + 1
    if self.sent == 1 then waba.sleep(60) end
    return { status = 201, headers = {}, body = '{"messages":[{"id":"1"}]}', sent = "yes" }
  end
  function transport.sleep(_, seconds) waba.sleep(seconds) end
  function transport.close() end
  return transport
end

local function finishes(events)
  local found = {}
  for _, event in ipairs(events) do
    if event.type == "finish" then found[#found + 1] = event end
  end
  return found
end

describe("on_event of a call whose coroutine is ended", function()
  if close then
    -- Sends a message in a coroutine, ends the coroutine during the request, and calls `next_step` with the client.
    -- Returns the events.
    local function events_after(next_step)
      local events, victim = {}, nil
      local client = waba.client {
        api_key = "key", transport = silent_transport(), validate = false, pace = false,
        on_event = function(event) events[#events + 1] = event end,
      }
      waba.run(function()
        waba.spawn(function()
          victim = coroutine.running()
          client:send(TO, waba.text "Hello")
        end)
        waba.sleep(0.01)
        close(victim)
        next_step(client)
      end)
      return events
    end

    for step, take in pairs {
      ["the next call"] = function(client) assert(client:send(TO, waba.text "Next")) end,
      ["the end of the client"] = function(client) client:close() end,
    } do
      it("reports its finish with " .. step, function()
        local first = finishes(events_after(take))[1]
        assert.equal(1, first.call)
        assert.equal("cancelled", first.kind)
        assert.is_true(first.maybe_sent)
        assert.equal(0, first.attempt)
        assert.is_true(first.duration > 0)
      end)
    end

    it("reports with certainty that nothing was sent while the call waited for its slot", function()
      local events, victim = {}, nil
      local transport = silent_transport()
      transport.sent = 1
      local client = waba.client {
        api_key = "key", transport = transport, validate = false, timeout = 30,
        pace = { messages = { rate = 0.1, burst = 1 } }, on_event = function(event) events[#events + 1] = event end,
      }
      waba.run(function()
        assert(client:send(TO, waba.text "Hello"))
        waba.spawn(function()
          victim = coroutine.running()
          client:send(TO, waba.text "Hello")
        end)
        waba.sleep(0.01)
        close(victim)
        client:close()
      end)
      local finish = finishes(events)[2]
      assert.equal("cancelled", finish.kind)
      assert.is_false(finish.maybe_sent)
      assert.is_true(finish.waited > 0)
    end)

    it("reports one finish for this call and for each other call", function()
      local events = events_after(function(client)
        for _ = 1, 3 do assert(client:send(TO, waba.text "Next")) end
        client:close()
        client:close()
      end)
      local calls = {}
      for _, event in ipairs(finishes(events)) do calls[#calls + 1] = event.call end
      assert.same({ 1, 2, 3, 4 }, calls)
    end)
  end

  it("is called in nginx too", function()
    local folder, port, plain = process.folder(), process.free_port(), process.free_port()
    nginx.certify(folder)
    local program = nginx.start(folder, nginx.configuration { port = port, plain = plain, workers = 1, content = [[
      local waba, seen = require "waba", {}
      local client
      client = waba.client {
        api_key = "key", validate = false, pace = false,
        transport = { send = function() ngx.sleep(60) end, sleep = function(_, seconds) ngx.sleep(seconds) end, close = function() end },
        on_event = function(event) seen[#seen + 1] = event.type .. " " .. tostring(event.kind) end,
      }
      local thread = ngx.thread.spawn(client.send, client, "491511234567", waba.text "Hello")
      ngx.sleep(0.01)
      ngx.thread.kill(thread)
      client:close()
      ngx.print(table.concat(seen, ", "))
    ]] }, port)
    local status, _, text = nginx.request(("http://127.0.0.1:%d/"):format(plain), { method = "GET" })
    program:stop()
    assert.equal(200, status, folder:read "error.log")
    assert.equal("start nil, finish cancelled", text)
    folder:remove()
  end)
end)

describe("on_event", function()
  local ACCEPTED = { status = 201, body = '{"messages":[{"id":"1"}]}' }

  -- Returns the events of `call(client)`, by default a send of a text, with a gateway that has these responses.
  local function events_of(responses, options, call)
    local events, copies = {}, {}
    for index, response in ipairs(responses) do
      copies[index] = {}
      for name, value in pairs(response) do copies[index][name] = value end
    end
    options = options or {}
    options.on_event = options.on_event or function(event) events[#events + 1] = event end
    options.retry = options.retry or { attempts = 2, base = 0 }
    local client = scripted.client(copies, options)
    if call then call(client) else client:send(TO, waba.text "Hello") end
    client:close()
    return events
  end

  local function each(events, name)
    local list = {}
    for index, event in ipairs(events) do
      local value = event[name]
      if value == nil then list[index] = "-" else list[index] = tostring(value) end
    end
    return table.concat(list, " ")
  end

  it("has the steps of a call, with the status, the kind and the number of the attempt of each", function()
    local refused = { status = 429, headers = { ["retry-after"] = "5" }, body = '{"errors":[{"code":1015,"title":"t"}]}' }
    local events = events_of { refused, ACCEPTED }
    assert.equal("start attempt retry attempt finish", each(events, "type"))
    assert.equal("- 429 429 201 201", each(events, "status"))
    assert.equal("- rate_limited rate_limited - -", each(events, "kind"))
    assert.equal("- 1015 1015 - -", each(events, "code"))
    assert.equal("- false false - -", each(events, "maybe_sent"))
    assert.equal("- 1 1 2 2", each(events, "attempt"))
    assert.equal(5, events[3].delay)
    assert.equal("1 1 1 1 1", each(events, "call"))
    assert.equal("messages messages messages messages messages", each(events, "class"))
    assert.equal("false false false false false", each(events, "bulk"))
    local before = 0
    for _, event in ipairs(events) do
      assert.is_true(event.time >= before)
      before = event.time
      if event.type == "attempt" or event.type == "finish" then
        assert.is_true(event.duration >= 0 and event.waited >= 0)
        assert.same({ false, "HTTP/1.1", 0 }, { event.reused, event.protocol, event.bytes_sent })
      end
    end
    events = events_of({ refused, refused })
    assert.equal("- rate_limited rate_limited rate_limited rate_limited", each(events, "kind"))
    assert.equal("- 1 1 2 2", each(events, "attempt"))
  end)

  it("has the failure of a request without a response, and its class and kind of message", function()
    local lost = { failure = { kind = "network", message = "reset", sent = "maybe", status = 200 } }
    local events = events_of({ lost }, nil, function(client) client:send(TO, waba.text "Hello", { bulk = true }) end)
    assert.equal("start attempt finish", each(events, "type"))
    assert.equal("- network network", each(events, "kind"))
    assert.equal("- true true", each(events, "maybe_sent"))
    assert.equal("- 200 200", each(events, "status"))
    assert.equal("true true true", each(events, "bulk"))
    events = events_of({ { body = "[]" }, { body = "[]" } }, nil, function(client)
      client:request { path = "/v1/x" }
      client:request { path = "/v1/x", method = "POST" }
    end)
    assert.equal("1 1 1 2 2 2", each(events, "call"))
    assert.equal("other other other other other other", each(events, "class"))
    assert.equal("GET GET GET POST POST POST", each(events, "method"))
  end)

  it("has the error without the tables of the platform", function()
    local two = '{"errors":[{"code":1009,"title":"First"},{"code":1008,"title":"Second"}]}'
    for _, body in ipairs { two, '{"errors":[{"code":1009,"title":"First"}]}' } do
      local events = events_of { { status = 400, body = body } }
      local err = events[#events].error
      assert.same({ "invalid", 1009, "First", false }, { err.kind, err.code, err.title, err.retryable })
      assert.matches("^invalid: First", tostring(err))
      assert.is_nil(err.errors)
      assert.is_nil(err.answer)
    end
  end)

  it("has the cancelled call if the transport raises an error", function()
    local events = {}
    local client = waba.client { api_key = "key", pace = false, transport = { send = function() error("odd", 0) end },
      on_event = function(event) events[#events + 1] = event end }
    assert.has_error(function() client:send(TO, waba.text "Hello") end, "odd")
    client:close()
    assert.equal("start finish", each(events, "type"))
    assert.equal("- cancelled", each(events, "kind"))
    assert.equal("- 0", each(events, "attempt"))
  end)

  it("reports that its function has raised an error, and only then", function()
    local written, stderr = {}, io.stderr
    io.stderr = { write = function(_, ...) written[#written + 1] = table.concat { ... } end }
    local ok, message = pcall(function()
      events_of { ACCEPTED }
      assert.equal(0, #written)
      events_of({ ACCEPTED }, { on_event = function() error("no log", 0) end })
    end)
    io.stderr = stderr
    assert.is_true(ok, message)
    assert.equal(3, #written)
    assert.equal("waba: on_event failed: no log\n", written[1])
  end)
end)
