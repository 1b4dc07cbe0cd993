-- The events of `on_event` for a call whose coroutine is ended from outside.

local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local waba = require "waba"

local TO = "491511234567"
local close = rawget(coroutine, "close")

-- A transport that does not return from its first request.
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
    -- Sends a message, ends its coroutine, and calls `next_step` with the client. Returns the events.
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
