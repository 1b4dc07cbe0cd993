-- client:send_all in each event loop and outside of event loops.

local emulators = require "spec.support.emulator"
local transports = require "spec.support.transports"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local support = require "spec.support.bulk"
local task_groups = require "waba.transport.loop.task_group"
local waba = require "waba"

local close = rawget(coroutine, "close") -- exists in Lua 5.4

describe("client:send_all", function()
  local gateway

  setup(function() gateway = assert(emulators.start { statuses = false }) end)
  teardown(function() gateway:stop() end)

  local function received(since)
    local numbers, count = {}, 0
    for _, message in ipairs(gateway:messages { direction = "outbound" }) do
      if message.wa_id > since then
        assert.is_nil(numbers[message.wa_id])
        numbers[message.wa_id], count = true, count + 1
      end
    end
    return count
  end

  local base = 0
  local function source(count)
    base = base + 1000
    local first, position = base, 0
    return function()
      if position == count then return nil end
      position = position + 1
      return support.recipient(first + position), waba.text "Hi"
    end, support.recipient(first)
  end

  for _, name in ipairs { "blocking", "native", "cqueues", "luv", "copas" } do
    describe("in " .. name, function()
      local client

      before_each(function()
        client = waba.client(gateway:options { pace = false, loop = name == "luv" and "luv" or nil })
      end)

      after_each(function() client:close() end)

      it("has `concurrency` messages in flight, and returns", function()
        gateway:fail_next { delay = 0.05, times = 12 }
        local most, in_flight = 0, 0
        local send = client.send
        function client.send(...)
          in_flight = in_flight + 1
          most = math.max(most, in_flight)
          local sent, err = send(...)
          in_flight = in_flight - 1
          return sent, err
        end
        local summary, fault
        local taken, since = source(40)
        transports.runners[name] { function()
          summary, fault = client:send_all(taken, { concurrency = 12 })
        end }
        assert.is_nil(fault)
        assert.equal(40, summary.sent)
        assert.equal(12, most)
        assert.equal(40, received(since))
        gateway:clear_faults()
      end)

      it("keeps its rate, and waits for the messages in flight when it stops", function()
        local taken, since = source(900)
        local result, summary = 0, nil
        transports.runners[name] { function()
          summary = assert(client:send_all(taken, {
            rate = 300, on_result = function() result = result + 1 end, stop = function() return result >= 8 end,
          }))
        end }
        assert.is_true(summary.stopped)
        assert.is_true(summary.sent >= 8 and summary.sent < 900)
        assert.equal(summary.sent, result)
        assert.equal(summary.sent, received(since))
      end)
    end)
  end

  it("runs concurrently with another run and with other coroutines", function()
    local client = waba.client(gateway:options { pace = false })
    local first, since = source(30)
    local second = source(30)
    local other = 0
    waba.run(function()
      assert(client:send_all(first, { concurrency = 4 }))
    end, function()
      assert(client:send_all(second, { concurrency = 4 }))
    end, function()
      for _ = 1, 5 do
        waba.sleep(0.001)
        other = other + 1
      end
    end)
    assert.equal(60, received(since))
    assert.equal(5, other)
    client:close()
  end)

  it("runs luv's loop itself if the program does not run it", function()
    local client = waba.client(gateway:options { pace = false, loop = "luv" })
    local taken, since = source(20)
    assert.equal(20, assert(client:send_all(taken, { concurrency = 5 })).sent)
    assert.equal(20, received(since))
    client:close()
  end)

  if close then
    it("continues when a worker is killed, and reports its message", function()
      local victim
      local answering = support.gateway { delay = 0.01 }
      local send = answering.send
      function answering.send(self, request)
        if not victim and self.received == 5 then victim = coroutine.running() end
        return send(self, request)
      end
      local client = support.client(answering)
      local uncertain = {}
      waba.run(function()
        waba.spawn(function()
          while not victim do waba.sleep(0.001) end
          close(victim)
        end)
        local summary = assert(client:send_all((support.source(20)), {
          concurrency = 4, on_result = function(key, _, err) if err then uncertain[#uncertain + 1] = { key, err } end end,
        }))
        assert.equal(20, summary.done)
        assert.equal(1, summary.maybe_sent)
      end)
      assert.equal(1, #uncertain)
      assert.equal("cancelled", uncertain[1][2].kind)
      assert.is_true(uncertain[1][2].maybe_sent)
    end)
  end

  it("in nginx: in a request and in a timer", function()
    local folder, port, plain = process.folder(), process.free_port(), process.free_port()
    nginx.certify(folder)
    local program = nginx.start(folder, nginx.configuration {
      port = port, plain = plain, workers = 1,
      http = [[init_by_lua_block {
        local waba = require "waba"
        function run(first, count, journal)
          local client = waba.client { api_key = "]] .. gateway.api_key .. [[", base_url = "]] .. gateway.url .. [[", pace = false }
          local position, most, in_flight = 0, 0, 0
          local send = client.send
          function client.send(...)
            in_flight = in_flight + 1
            most = math.max(most, in_flight)
            local sent, err = send(...)
            in_flight = in_flight - 1
            return sent, err
          end
          local summary, err = client:send_all(function()
            if position == count then return nil end
            position = position + 1
            return ("49151%07d"):format(first + position), waba.text "Hi"
          end, { concurrency = 12, journal = journal, rate = journal and 400 or nil })
          return summary and summary.sent or tostring(err), most
        end
      }]],
      server = [[location /timer { content_by_lua_block {
        local semaphore, response = require("ngx.semaphore").new(0), nil
        ngx.timer.at(0, function()
          response = { pcall(run, 900200, 40, "]] .. folder:file "journal" .. [[") }
          semaphore:post(1)
        end)
        semaphore:wait(10)
        ngx.say(response[2])
      } }]],
      content = "ngx.say(table.concat({ run(900000, 120) }, ' '))",
    }, port)
    local since = support.recipient(900000)
    gateway:fail_next { delay = 0.05, times = 12 }
    local url = "https://localhost:" .. port
    local _, _, body = nginx.request(url .. "/", { method = "GET", ca_file = folder:file "ca.pem" })
    assert.equal("120 12\n", body)
    _, _, body = nginx.request(url .. "/timer", { method = "GET", ca_file = folder:file "ca.pem" })
    assert.equal("40\n", body)
    assert.equal(160, received(since))
    local _, counts = support.states(folder:read "journal")
    assert.equal(40, counts.sent)
    program:stop()
    folder:remove()
  end)
end)

describe("a task group", function()
  it("runs in its own loop outside of any loop, and returns the results of its owner", function()
    local ends = {}
    local one, two = task_groups.run({}, function(group)
      for i = 1, 3 do
        group:start(function()
          waba.sleep(0.001 * (4 - i))
          ends[#ends + 1] = i
          group:wake()
        end)
      end
      while #ends < 3 do group:wait(5) end
      return "one", 2
    end)
    assert.same({ 3, 2, 1 }, ends)
    assert.same({ "one", 2 }, { one, two })
  end)

  it("does not miss a wake-up before it waits", function()
    task_groups.run({}, function(group)
      group:wake()
      group:wait(60)
      group:start(function() group:wake() end)
      group:wait(60)
    end)
  end)

  it("raises the error that its owner raises", function()
    local fine, fault = pcall(task_groups.run, {}, function() error("odd", 0) end)
    assert.is_false(fine)
    assert.matches("^odd", fault)
  end)
end)
