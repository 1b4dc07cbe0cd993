-- An outbox in Redis whose connection breaks after Redis has executed a command, and before its reply has arrived. The
-- library connects again and repeats the command.

local process = require "spec.support.process"
local redis = require "spec.support.redis"
local waba = require "waba"

describe("a command of an outbox in Redis whose reply was lost", function()
  local server, folder, emulator, cloud, programs
  local TEXT = "Your order is ready."
  local NO_KEY = "none"

  setup(function()
    server, folder = redis.start(), process.folder()
    emulator = waba.emulator.start { tls = false, cloud = {} }
    cloud = emulator.cloud
  end)

  before_each(function() programs = {} end)

  after_each(function()
    for _, program in ipairs(programs) do program:stop "KILL" end
  end)

  teardown(function()
    emulator:stop()
    server:stop()
    folder:remove()
  end)

  local function start(...)
    local words = { ... }
    for index, word in ipairs(words) do words[index] = process.quote(tostring(word)) end
    local command = process.interpreter() .. " " .. table.concat(words, " ")
    programs[#programs + 1] = process.start(command, folder:file("log" .. #programs))
  end

  -- Returns an outbox that loses the reply to the first command with `text`: the connection is closed as soon as `key`
  -- does not exist or has the value 0.
  local function losing_outbox(text, key)
    local port = process.free_port()
    start("spec/support/losing_proxy.lua", port, server.port, text, key)
    process.wait_for(function() return process.listens(port) end, "the proxy to listen")
    return waba.outbox.redis { port = port, hosting = "cloud" }
  end

  local function client() return waba.client { hosting = "cloud", api_key = cloud.api_key, base_url = cloud.url } end

  local function entry() return { to = "+49 151 1234567", message = waba.text(TEXT) } end

  it("does not store a message again if the message was sent meanwhile", function()
    start("spec/support/outbox_program.lua", "send", "redis", server.port, cloud.url, cloud.api_key, 600, 0, 1)
    local outbox = losing_outbox(TEXT, "{waba:outbox}:depth")
    local id = assert(outbox:put(entry()))
    assert.equal("sent", outbox:get(id).state)
    assert.equal(0, outbox:depth())
    assert.equal(1, #cloud:messages { direction = "outbound" })
    outbox:close()
  end)

  it("sends the message if the mark of its entry was stored", function()
    local outbox = losing_outbox("\r\nextend\r\n", NO_KEY)
    local id = assert(outbox:put(entry()))
    assert.same({ 1, 0 }, { waba.sender { outbox = outbox, client = client() }:work() })
    assert.equal("sent", outbox:get(id).state)
    outbox:close()
  end)

  it("has cancelled the entry", function()
    local outbox = losing_outbox("cancelled", NO_KEY)
    local id = assert(outbox:put(entry()))
    assert.is_true(outbox:cancel(id))
    assert.equal("cancelled", outbox:get(id).state)
    outbox:close()
  end)
end)
