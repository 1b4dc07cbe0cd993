-- waba trigger, waba listen --forward-to and --record, waba replay: webhooks for a program under development.

local commands = require "spec.support.command"
local core = require "waba.core"
local documents = require "spec.support.documents"
local event_kinds = require "waba.cli.event_kinds"
local process = require "spec.support.process"
local waba = require "waba"

-- A program that receives webhooks: prints its URL, then a line for each event.
local BOT = [[
local waba = require "waba"
local receiver = waba.receiver { %s, on = { any = function(event)
  print(event.kind, event.type or event.status or event.field or "", event.text or "")
  io.stdout:flush()
end } }
local server = assert(waba.webhook.server { receiver = receiver, port = 0 })
print(server:url())
io.stdout:flush()
server:run()
]]

describe("a program under development", function()
  local folder, programs

  local function start(command)
    local program = process.start(command, folder:file("output-" .. #programs))
    programs[#programs + 1] = program
    return program
  end

  local function start_bot(credentials)
    folder:write("bot.lua", BOT:format(credentials or "open = true"))
    local bot = start(process.interpreter() .. " " .. process.quote(folder:file "bot.lua"))
    bot.url = process.wait_for(function() return bot:output():match "http://%S+" end, "the bot's address")
    return bot
  end

  local function prints(program, text)
    return process.wait_for(function() return program:output():find(text, 1, true) end, text)
  end

  local function run(environment, ...)
    environment.HOME = "/nonexistent"
    return commands.run(environment, { ... })
  end

  before_each(function() folder, programs = process.folder(), {} end)

  after_each(function()
    for _, program in ipairs(programs) do program:stop() end
    folder:remove()
  end)

  for _, hosting in ipairs { "on_premise", "cloud" } do
    it("receives every kind of event from waba trigger, " .. hosting, function()
      local bot = start_bot()
      local listed = run({}, "trigger", "--list", "--hosting", hosting, "--json").json
      assert.is_true(#listed > 20)
      for _, name in ipairs { "text", "delivered", "deleted", "reply" } do
        local result = run({}, "trigger", name, "--to", bot.url, "--hosting", hosting, "--text", "Ready?")
        assert.equal(0, result.code, name .. ": " .. result.err)
        assert.matches(name .. "%s+200", result.out)
      end
      prints(bot, "message\ttext\tReady?")
      prints(bot, "status\tdelivered")
    end)
  end

  it("receives events with the names of kinds that exist on Cloud hosting only", function()
    local bot = start_bot()
    for _, name in ipairs { "echo", "preference", "account_alerts" } do
      assert.equal(2, run({}, "trigger", name, "--to", bot.url).code)
      local result = run({ WABA_HOSTING = "cloud" }, "trigger", name, "--to", bot.url)
      assert.equal(0, result.code, result.err)
    end
  end)

  it("refuses webhooks with other credentials", function()
    local bot = start_bot 'user = "u", password = "p"'
    local result = run({ WABA_WEBHOOK_PASSWORD = "q" }, "trigger", "text", "--to", bot.url, "--user", "u")
    assert.equal(1, result.code)
    assert.matches("text%s+401", result.out)
    assert.equal(0, run({ WABA_WEBHOOK_PASSWORD = "p" }, "trigger", "text", "--to", bot.url, "--user", "u").code)
    bot = start_bot 'secret = "s"'
    assert.equal(1, run({ WABA_HOSTING = "cloud" }, "trigger", "text", "--to", bot.url).code)
    assert.equal(0, run({ WABA_HOSTING = "cloud", WABA_WEBHOOK_SECRET = "s" }, "trigger", "text", "--to", bot.url, "--secret").code)
    bot = start_bot 'headers = { ["X-Token"] = "t" }'
    assert.equal(0, run({}, "trigger", "text", "--to", bot.url, "--header", "X-Token: t").code)
  end)

  it("returns another exit code than for wrong use", function()
    for message, arguments in pairs {
      ["a kind of event is missing"] = { "trigger", "--to", "http://127.0.0.1:1" },
      ["there is no event kind txt %(did you mean text%?%)"] = { "trigger", "txt", "--to", "http://127.0.0.1:1" },
      ["%-%-to is missing"] = { "trigger", "text" },
      ["%-%-to nowhere is not a URL"] = { "trigger", "text", "--to", "nowhere" },
      ["%-%-header must be Name: value, not X"] = { "trigger", "text", "--to", "http://127.0.0.1:1", "--header", "X" },
      ["%-%-user needs the environment variable WABA_WEBHOOK_PASSWORD"] = { "trigger", "text", "--to", "http://127.0.0.1:1",
        "--user", "u" },
    } do
      local result = commands.run({ HOME = "/nonexistent" }, arguments)
      assert.equal(2, result.code, message)
      assert.matches(message, result.err)
    end
    local result = run({}, "trigger", "text", "--to", "http://127.0.0.1:1")
    assert.equal(1, result.code)
  end)

  it("receives the webhooks that waba listen forwards and records, and that waba replay posts again", function()
    local bot, port, record = start_bot(), process.free_port(), folder:file "webhooks.jsonl"
    local emulator = assert(waba.emulator.start { statuses = false, webhooks = { backoff = 0.1, max_backoff = 0.1 } })
    local environment = commands.environment(emulator)
    local client = waba.client(emulator:options {})
    local listen = start(commands.line(environment, { "listen", "--port", tostring(port), "--forward-to", bot.url,
      "--record", record }))
    prints(listen, "listening at")
    assert(client.webhook:set { url = ("http://127.0.0.1:%d/"):format(port), headers = { ["X-Secret"] = "HIDDEN-VALUE" } })
    emulator:customer("491511234567", { name = "Eva" }):text "Is it ready?"
    prints(bot, "message\ttext\tIs it ready?")
    prints(listen, bot.url .. ": 200")

    bot:stop()
    emulator:customer("491511234567", { name = "Eva" }):text "Nobody there?"
    prints(listen, "Nobody there?")
    assert(emulator:wait(function(gateway) return #gateway:webhooks { status = 503 } > 0 end))
    local again = start_bot()
    listen:stop()
    assert.equal("600", process.run("stat -c %a " .. process.quote(record)))
    assert.is_nil(documents.read(record):find("HIDDEN-VALUE", 1, true))

    local result = commands.run(environment, { "replay", record, "--to", again.url, "--fast" })
    assert.equal(0, result.code, result.err)
    prints(again, "message\ttext\tIs it ready?")
    prints(again, "message\ttext\tNobody there?")
    client:close()
    emulator:stop()
    assert.equal(1, commands.run(environment, { "replay", record, "--to", "http://127.0.0.1:1", "--fast" }).code)
  end)

  it("is replayed from a file of webhooks only", function()
    local path = folder:write("bad.jsonl", '{"time":1}\n') or folder:file "bad.jsonl"
    assert.matches("line 1 is not a webhook of waba listen", run({}, "replay", path, "--to", "http://127.0.0.1:1").err)
    path = folder:write("empty.jsonl", "") or folder:file "empty.jsonl"
    assert.matches("has no webhooks", run({}, "replay", path, "--to", "http://127.0.0.1:1").err)
  end)

  it("names the option with an invalid URL", function()
    local result = run({}, "listen", "--port", "0", "--forward-to", "nonsense")
    assert.equal(2, result.code)
    assert.matches("^waba: %-%-forward%-to nonsense is not a URL: ", result.err)
  end)

  it("receives webhooks while waba listen runs and has set the webhook URL, and none afterwards", function()
    local emulator = assert(waba.emulator.start { statuses = false })
    local environment, port = commands.environment(emulator), process.free_port()
    local client = waba.client(emulator:options {})
    assert(client.webhook:set { url = "http://127.0.0.1:1/before" })
    local listen = start(commands.line(environment, { "listen", "--port", tostring(port), "--set",
      ("http://127.0.0.1:%d/"):format(port) }))
    prints(listen, "webhooks go to")
    assert.equal(("http://127.0.0.1:%d/"):format(port), client.webhook:get().url)
    listen:stop "INT"
    assert.equal("http://127.0.0.1:1/before", client.webhook:get().url)
    client:close()
    emulator:stop()
  end)
end)

describe("the kinds of waba trigger", function()
  it("have the names of handlers and of the account's fields", function()
    local seen = {}
    for _, kind in ipairs(event_kinds.list) do
      assert.is_nil(seen[kind.name], kind.name)
      seen[kind.name] = true
      assert.matches("^[%l_]+$", kind.name)
    end
    assert.is_string(core.encode(seen))
  end)
end)
