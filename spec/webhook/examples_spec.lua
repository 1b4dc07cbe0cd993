-- The examples that take webhooks, as programs of their own, against an emulator.

local emulator = require "waba.emulator"
local process = require "spec.support.process"
local redis = require "spec.support.redis"
local waba = require "waba"

describe("examples/echo_bot.lua", function()
  it("answers a text with itself, and ends on SIGTERM", function()
    local folder, port = process.folder(), process.free_port()
    local gateway = assert(emulator.start { statuses = false })
    local program = process.start(("env D360_API_KEY=%s WABA_BASE_URL=%s WABA_CA_FILE=%s WEBHOOK_PASSWORD=word "
      .. "ECHO_DB=%s PORT=%d %s examples/echo_bot.lua"):format(process.quote(gateway.api_key), gateway.url,
      process.quote(gateway.ca_file), process.quote(folder:file "echo.db"), port, process.interpreter()),
      folder:file "log")
    process.wait_for(function() return process.listens(port) end, "the bot to listen")
    local client = waba.client(gateway:options())
    process.wait_for(function() return (client.webhook:get() or {}).url end, "the bot to register")
    gateway:customer("4915112345678", { name = "Eva" }):text "Guten Tag"
    local sent = process.wait_for(function()
      return gateway:messages({ direction = "outbound" })[1]
    end, "the echo")
    assert.equal("4915112345678", sent.wa_id)
    assert.equal("Guten Tag", sent.content.body)
    program:stop("TERM")
    assert.is_nil(program:output():find("traceback", 1, true), program:output())
    gateway:stop()
    client:close()
    folder:remove()
  end)

  it("has thirty lines", function()
    local count = 0
    for line in io.lines "examples/echo_bot.lua" do
      if line:find "%S" then count = count + 1 end
    end
    assert.is_true(count <= 30, count .. " lines")
  end)
end)

describe("examples/redis_worker.lua", function()
  it("handles what a receiver elsewhere put into Redis", function()
    local folder = process.folder()
    local server = redis.start()
    local gateway = assert(emulator.start { statuses = false, window = false })
    local program = process.start(("env D360_API_KEY=%s WABA_BASE_URL=%s WABA_CA_FILE=%s REDIS_HOST=127.0.0.1 "
      .. "REDIS_PORT=%d %s examples/redis_worker.lua"):format(process.quote(gateway.api_key), gateway.url,
      process.quote(gateway.ca_file), server.port, process.interpreter()), folder:file "log")
    local receiver = waba.receiver { open = true, inbox = waba.inbox.redis { port = server.port } }
    local status = receiver:handle { method = "POST", headers = {},
      body = '{"messages":[{"from":"4915112345678","id":"m1","type":"text","text":{"body":"Hi"}}]}' }
    assert.equal(200, status)
    local sent = process.wait_for(function()
      return gateway:messages({ direction = "outbound" })[1]
    end, "the worker's reply")
    assert.equal("You wrote: Hi", sent.content.body)
    process.wait_for(function() return receiver.inbox:depth() == 0 end, "the acknowledgement")
    assert.is_true(program:is_alive(), program:output())
    program:stop("TERM")
    receiver.inbox:close()
    gateway:stop()
    server:stop()
    folder:remove()
  end)
end)
