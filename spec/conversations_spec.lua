-- Conversations whose worker processes are killed, and customer service windows with a gateway whose clock is set
-- forward.

local process = require "spec.support.process"
local redis = require "spec.support.redis"
local waba = require "waba"
local webhooks = require "spec.support.webhooks"

local WORKER = [[
local waba = require "waba"
local receiver = waba.receiver {
  open = false, inbox = %s, client = { send = function() return { id = "x" } end, mark_read = function() end },
  on = {
    text = function(event)
      event.state.texts = (event.state.texts or 0) + 1
      event:ask(waba.text "?", "answer")
    end,
    step = { answer = function(event) event.state.answers = (event.state.answers or 0) + 1 end },
  },
}
receiver:work { forever = true, interval = 0.005, lease = 0.5 }
]]

for _, backend in ipairs { "sqlite", "redis" } do
  describe("the state of customers in " .. backend, function()
    it("counts each event once, although workers are killed repeatedly", function()
      local folder = process.folder()
      local server, inbox
      if backend == "redis" then
        server = redis.start()
        inbox = ("waba.inbox.redis { port = %d, retry = { base = 0.01, attempts = 1000 } }"):format(server.port)
      else
        inbox = ("waba.inbox.sqlite { file = %q, sync = false, retry = { base = 0.01, attempts = 1000 } }"):format(
          folder:file "inbox.db")
      end
      folder:file("worker.lua", WORKER:format(inbox))
      local command = process.interpreter() .. " " .. process.quote(folder:file "worker.lua")
      local load_text = loadstring or load
      local chunk = assert(load_text("local waba = ... return " .. inbox))
      local receiver = waba.receiver { open = true, inbox = chunk(waba) }
      local number = 0
      local function post(count)
        for _ = 1, count do
          number = number + 1
          local text = ('{"from":"49151000%d","id":"m%d","timestamp":"%d","type":"text","text":{"body":"x"}}'):format(
            number % 4, number, os.time())
          assert.equal(200, (receiver:handle { method = "POST", headers = {}, body = webhooks.cloud { messages = text } }))
        end
      end
      for round = 1, 8 do
        post(20)
        local workers = { process.start(command, folder:file "log"), process.start(command, folder:file "log") }
        process.sleep(0.05 + 0.02 * round)
        for _, worker in ipairs(workers) do worker:stop "KILL" end
      end
      local worker = process.start(command, folder:file "log")
      process.wait_for(function() return receiver.inbox:depth() == 0 end, "all events to be handled")
      worker:stop "KILL"
      for customer = 0, 3 do
        local json = receiver.inbox:get(("%s/49151000%d:state"):format(webhooks.place.phone_number_id, customer))
        local state = require("waba.core").decode(json)
        assert.same({ texts = 20, answers = 20 }, state.state)
        assert.is_nil(state.step)
        assert.is_true(receiver:window("49151000" .. customer) > 86000)
      end
      receiver.inbox:close()
      if server then server:stop() end
      folder:remove()
    end)
  end)
end

describe("the 24-hour window", function()
  local emulator, client, server, receiver, failed, eva

  setup(function()
    emulator = assert(waba.emulator.start { window = true, statuses = { sent = 0 } })
    local cloud = emulator.cloud
    client = waba.client(emulator:options { hosting = "cloud" })
    receiver = waba.receiver { open = true, client = client, on = {
      failed = function(event) failed[#failed + 1] = event end,
      text = function(event) assert(event:reply(waba.text "Hi", { window = receiver })) end,
    } }
    server = assert(waba.webhook.server { receiver = receiver, port = 0, interval = 0.01 })
    assert(client.webhook:set { url = server:url() })
    emulator.sleep = function(seconds) server:step(seconds) end
    eva = cloud:customer("+49 151 1234567", { name = "Eva" })
  end)

  before_each(function() failed = {} end)

  teardown(function()
    server:close()
    client:close()
    emulator:stop()
  end)

  local offer = waba.template { name = "offer", language = "en" }

  local function sent(kind)
    return #emulator.cloud:messages { direction = "outbound", type = kind }
  end

  local function send(otherwise)
    return client:send("+49 151 1234567", waba.text "News", { window = receiver, otherwise = otherwise })
  end

  it("lets a template be sent in place of a message", function()
    local result, err = send(nil)
    assert.is_nil(result)
    assert.equal("window", err.kind)
    assert(send(offer))
    assert.same({ 0, 1 }, { sent "text", sent "template" })
    assert(eva:text "Hello")
    assert(emulator:wait(function() return sent "text" == 1 end))
    assert(send(offer))
    assert.same({ 2, 1 }, { sent "text", sent "template" })
  end)

  it("closes when a status reports it: the template is sent once", function()
    emulator.cloud:advance(25 * 3600)
    assert(send(offer)) -- the window is still open by the receiver's clock, but not by the gateway's clock
    assert(emulator:wait(function() return sent "template" == 2 end))
    assert(emulator:wait(function() return failed[1] end))
    assert.equal("window", failed[1].errors[1].kind)
    assert.is_string(failed[1].replaced.id)
    assert(emulator:wait(function() return receiver.inbox:depth() == 0 end))
    assert.equal(2, sent "template")
    -- The status has the time of the gateway's clock, at which the window is closed.
    assert.equal(0, receiver:window "+49 151 1234567")
    assert(send(offer))
    assert.equal(3, sent "template")
  end)

  it("is not checked for templates and groups, and has errors for wrong options", function()
    assert(client:send("+49 151 7654321", offer, { window = receiver }))
    assert.equal(math.huge, receiver:window { group_id = "G" })
    assert.has_error(function() client:send("491511234567", waba.text "x", { window = {} }) end,
      "client:send: option window must be a receiver from waba.receiver")
    assert.has_error(function() client:send("491511234567", waba.text "x", { otherwise = offer }) end,
      "client:send: option otherwise must be a template, and requires option window")
  end)

  it("closes by a status that arrives before the response: the template is sent once", function()
    local id, calls = "wamid.early", 0
    local fake = waba.receiver { open = true, client = { mark_read = function() end, send = function()
      calls = calls + 1
      return { id = "x" .. calls }
    end } }
    local status = webhooks.cloud { statuses = ('{"id":"%s","status":"failed","timestamp":"1","recipient_id":"491511234567",'
      .. '"errors":[{"code":131047,"title":"t"}]}'):format(id) }
    assert.equal(200, (fake:handle { method = "POST", headers = {}, body = status }))
    fake:work()
    assert.equal(0, calls)
    for _ = 1, 2 do
      fake:expect(id, "491511234567", offer)
      fake:work()
    end
    assert.equal(1, calls)
  end)
end)
