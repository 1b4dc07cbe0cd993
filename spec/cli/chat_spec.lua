-- waba chat: a customer's conversation with a bot in a terminal.

local command = require "spec.support.command"
local documents = require "spec.support.documents"
local process = require "spec.support.process"
local support = require "spec.support.emulator"

describe("waba chat", function()
  local emulator, bot, folder

  setup(function()
    folder = process.folder()
    emulator = assert(support.start())
    folder:write("bot.lua", documents.files("docs/guides/trying-your-bot.md")["bot.lua"])
    bot = process.start(("env D360_API_KEY=%s WABA_HOSTING=on_premise WABA_BASE_URL=%s %s %s"):format(
      process.quote(emulator.api_key), emulator.url, process.interpreter(), process.quote(folder:file "bot.lua")),
      folder:file "bot.log")
    assert(emulator:wait { requests = 1 })
  end)

  teardown(function()
    bot:stop()
    emulator:stop()
    folder:remove()
  end)

  local function chat(input, ...)
    return command.run({ WABA_EMULATOR = emulator:page() }, { "chat", ... }, input)
  end

  it("sends each line, and prints the bot's messages", function()
    local result = chat "Hello\n\n"
    assert.equal("", result.err)
    assert.equal(0, result.code)
    assert.equal("bot: [interactive] You wrote: *Hello*\nWhat would you like to see?\n       /tap The menu\n"
      .. "       /tap My order\n", result.out)
  end)

  it("taps, reacts and sends files", function()
    folder:write("menu.pdf", "%PDF-1.4")
    local pipe = io.popen(("{ echo Hello; sleep 1; echo '/tap The menu'; sleep 1; echo '/tap Coffee'; sleep 1; "
      .. "echo '/react 👍'; echo /document %s; } | %s"):format(folder:file "menu.pdf", command.line(
        { WABA_EMULATOR = emulator:page() }, { "chat", "--from", "+49 151 7654321", "--name", "Ben" })))
    local output = pipe:read "*a"
    pipe:close()
    assert.matches("/tap Tea\n       /tap Coffee\n", output)
    assert.matches("bot: _Coffee_ is on its way%.\n", output)
    local sent = emulator:messages { direction = "inbound", wa_id = "491517654321" }
    assert.equal("menu.pdf", sent[#sent].content.filename)
    assert.equal(5, #sent)
  end)

  it("reports what is wrong with a line, and continues", function()
    local result = chat "/jump\n/tap X\n/image none.jpg\nHello\n"
    assert.equal(1, result.code)
    assert.matches("waba chat: unknown command /jump: expected /tap", result.err)
    assert.matches("waba chat: /tap and /react need a message of the bot: the bot has sent none yet", result.err)
    assert.matches("waba chat: can't read the file none.jpg", result.err)
    assert.matches("You wrote: %*Hello%*", result.out)
  end)

  it("prints messages as JSON lines", function()
    local result = command.run({ WABA_EMULATOR = emulator:page() }, { "--json", "chat" }, "Hello\n")
    assert.equal("outbound", result.json.direction)
  end)

  it("names the missing variable, and reports an emulator that does not respond", function()
    assert.matches("set WABA_EMULATOR to the URL that it prints", command.run({ WABA_EMULATOR = "" }, { "chat" }).err)
    local result = command.run({}, { "chat", "--emulator", "http://127.0.0.1:1/?token=t" })
    assert.equal(1, result.code)
    assert.matches("the call of the emulator failed", result.err)
    assert.equal(2, chat("", "--from", "nobody").code)
  end)
end)
