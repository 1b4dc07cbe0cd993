-- `waba emulator` in a shell: the environment variables that it prints, programs after `--`, its log, and the
-- environment variables as options of waba.client.

local command = require "spec.support.command"
local folder = require "spec.support.folder"
local process = require "spec.support.process"
local waba = require "waba"

local quote = command.quote
local INTERPRETER = process.interpreter()

describe("waba emulator", function()
  local place

  setup(function() place = folder.new() end)
  teardown(function() place:remove() end)

  -- Writes a user's program, and runs it with `waba emulator … -- <program>`.
  local function run(arguments, code)
    local words = { "emulator" }
    for _, word in ipairs(arguments) do words[#words + 1] = word end
    for _, word in ipairs { "--", (INTERPRETER:gsub("'", "")), place:write("bot.lua", code) } do words[#words + 1] = word end
    return command.run({}, words)
  end

  it("runs a program with the variables, and ends with it", function()
    local result = run({ "--key", "it's", "--statuses", "false" }, [[
      local waba = require "waba"
      print(os.getenv "D360_API_KEY", os.getenv "WABA_HOSTING")
      assert(waba.client():send("491511234567", waba.text "Hi"))
      assert(waba.client({}):send("491511234567", waba.text "Hi"))
      local cloud = waba.client { hosting = "cloud" }
      print(assert(cloud:send("491511234567", waba.text "Hi")).id:match "^wamid" , os.getenv "WABA_BASE_URL")
      os.exit(3)]])
    assert.equal("", result.err)
    assert.equal(3, result.code)
    local url = assert(result.out:match "^it's%\ton_premise\nwamid%\t(https://127%.0%.0%.1:%d+)\n$")
    -- the emulator has ended with the program
    assert.is_nil(waba.client { api_key = "it's", base_url = url, retry = false }:phone_number())
    result = run({ "--hosting", "cloud", "--statuses", "false" }, [[
      local waba = require "waba"
      print(assert(waba.client():send("491511234567", waba.text "Hi")).id:match "^wamid")]])
    assert.equal("wamid\n", result.out)
    assert.equal(127, command.run({}, { "emulator", "--", "no-such-program" }).code)
    assert.equal(2, command.run({}, { "emulator", "--" }).code)
    assert.equal(2, command.run({}, { "emulator", "--hosting", "clod" }).code)
  end)

  it("takes options with several values as JSON", function()
    local code = [[
      local waba = require "waba"
      local emulator = assert(waba.emulator.connect(os.getenv "WABA_EMULATOR"))
      local id = assert(waba.client():send("491511234567", waba.text "Hi")).id
      emulator:advance(60)
      print(table.concat(emulator:message(id).statuses, " "))
      emulator:stop()]]
    local result = run({ "--statuses", '{"sent":0,"read":50}', "--rate-limits", '{"messages":{"rate":1}}',
      "--cloud-media-block", "false", "--templates", '[{"name":"sale","language":"en"}]' }, code)
    assert.equal("", result.err)
    assert.equal("sent read\n", result.out)
    for _, value in ipairs { "sent=0", '{"sent":', "true" } do
      result = run({ "--statuses", value }, "")
      assert.equal(2, result.code)
      assert.matches("--statuses needs a value: a JSON object or list or false, not " .. value, result.err, 1, true)
    end
    local help = command.run({}, { "emulator", "--help" }).out
    for _, line in ipairs { "--statuses <JSON|false>", "--rate-limits <true|false|JSON>", "--cloud-media-block <JSON|false>",
      "--contacts <JSON>" } do
      assert.matches("  " .. line .. "\n", help, 1, true)
    end
  end)

  it("names the argument, its value and the expected value of a wrong argument", function()
    for _, case in ipairs {
      { "--port", "-1", "--port must be 0 to 65535, not -1" },
      { "--port", "abc", "--port needs a value: 0 to 65535, not abc" },
      { "--cloud-port", "65536", "--cloud-port must be 0 to 65535, not 65536" },
      { "--webhook-duplicates", "3", "--webhook-duplicates must be a share from 0 to 1, not 3" },
      { "--statuses", '{"snt":1}', '--statuses has the unknown name "snt" (did you mean sent?)' },
      { "--numbers", '[{"number":"x"}]', "numbers[1]: option number must be the digits of a phone number" },
    } do
      local result = command.run({}, { "emulator", case[1], case[2] })
      assert.equal(2, result.code)
      assert.matches("waba emulator: " .. case[3], result.err, 1, true)
    end
  end)

  it("ends the program when it ends itself", function()
    local pid_file = place:file "pid"
    local line = command.line({}, { "emulator", "--", "sh", "-c", ("echo $$ >%s; exec sleep 60"):format(pid_file) })
    local pipe = io.popen(("exec %s >/dev/null 2>&1 & echo $!"):format(line))
    local pid = pipe:read "*l"
    pipe:close()
    process.wait_for(function() return (place:read "pid" or ""):find "%d\n" end, "the program")
    local program = place:read "pid":match "%d+"
    os.execute("kill " .. pid)
    local ended = pcall(process.wait_for, function()
      return process.run("kill -0 " .. program .. " 2>/dev/null || echo gone") == "gone"
    end, "the program's end")
    os.execute("kill " .. program .. " 2>/dev/null")
    assert.is_true(ended)
  end)

  it("prints a line for each request and each webhook, and lets a customer write", function()
    local result = run({ "--log", "--say", "Hello?\27[2J", "--statuses", "false" }, [[
      local waba = require "waba"
      local client = waba.client {}
      local done = false
      local receiver = waba.receiver { open = true, client = client, on = {
        text = function(event) assert(event:reply(waba.text "Yes?")) done = true end,
      } }
      local server = assert(waba.webhook.server { receiver = receiver })
      assert(client.webhook:set { url = server:url() })
      local deadline = os.time() + 10
      while not done and os.time() < deadline do server:step(0.05) end
      server:close()]])
    assert.equal(0, result.code, result.err)
    assert.matches("on_premise  POST /v1/configs/webhook  200\n", result.err, 1, true)
    assert.matches("on_premise  webhook to http://127.0.0.1:%d+/  200  text from 491511234567: Hello%?%?%[2J\n", result.err)
    assert.matches("on_premise  POST /v1/messages  201  text to 491511234567: Yes?\n", result.err, 1, true)
  end)

  it("listens at fixed ports with a fixed key, and prints one block for eval", function()
    local port, cloud_port, said = process.free_port(), process.free_port(), place:file "said"
    local pipe = io.popen(("%s >%s & echo $!"):format(command.line({}, { "emulator", "--key", "K 1", "--port",
      tostring(port), "--cloud-port", tostring(cloud_port) }), said))
    local pid = pipe:read "*l"
    pipe:close()
    finally(function() os.execute("kill " .. pid) end)
    local deadline = os.time() + 10
    repeat waba.sleep(0.02) until (place:read "said" or ""):find "Ctrl%-C" or os.time() > deadline
    assert.is_nil(place:read "said":find "\n\n")
    local program = place:write("client.lua", [[
      local waba = require "waba"
      for _, hosting in ipairs { "on_premise", "cloud" } do
        local client = waba.client { hosting = hosting }
        assert(client:send("491511234567", waba.text "Hi"))
        print(client)
      end]])
    local result = command.shell({}, ('eval "$(cat %s)"; echo "$D360_API_KEY"; %s %s; WABA_HOSTING=cloud %s cli/bin/waba number')
      :format(said, INTERPRETER, program, INTERPRETER))
    assert.equal(("K 1\nwaba.Client: https://127.0.0.1:%d\nwaba.Client: https://127.0.0.1:%d\n49305550277\n"):format(port,
      cloud_port), result.out)
  end)
end)

describe("the environment of a client", function()
  -- Returns the output of a program that runs with these environment variables.
  local function with(variables, code)
    local words = { "env -u D360_API_KEY -u WABA_HOSTING -u WABA_BASE_URL -u WABA_CLOUD_BASE_URL -u WABA_CA_FILE" }
    for name, value in pairs(variables) do words[#words + 1] = name .. "=" .. quote(value) end
    return process.run(("%s %s -e %s 2>&1"):format(table.concat(words, " "), INTERPRETER,
      quote('local waba = require "waba"; ' .. code)))
  end

  it("completes missing options", function()
    local set = { D360_API_KEY = "k", WABA_HOSTING = "cloud", WABA_BASE_URL = "https://gateway.example" }
    assert.equal("waba.Client: https://gateway.example\ncloud",
      with(set, "local c = waba.client(); print(c); print(c.hosting.name)"))
    assert.equal("waba.Client: https://waba-v2.360dialog.io",
      with({ D360_API_KEY = "k", WABA_HOSTING = "cloud", WABA_BASE_URL = "" }, "print(waba.client {})"))
    set.WABA_HOSTING, set.WABA_CLOUD_BASE_URL = nil, "https://cloud.example"
    assert.equal("waba.Client: https://gateway.example", with(set, "print(waba.client {})"))
    assert.equal("waba.Client: https://cloud.example", with(set, 'print(waba.client { hosting = "cloud" })'))
  end)

  it("is overridden by options", function()
    local set = { D360_API_KEY = "k", WABA_HOSTING = "cloud", WABA_BASE_URL = "https://gateway.example" }
    assert.equal("waba.Client: https://other.example", with(set, 'print(waba.client { base_url = "https://other.example" })'))
    assert.equal("waba.Client: https://waba-sandbox.360dialog.io/v1", with(set, "print(waba.client { sandbox = true })"))
    assert.equal("on_premise",
      with(set, 'print(waba.client { hosting = "on_premise", base_url = "https://a.example" }.hosting.name)'))
  end)

  it("is named in the error when a variable is invalid", function()
    for message, set in pairs {
      ["option api_key is required, or the environment variable D360_API_KEY"] = {},
      ['the environment variable WABA_HOSTING: unknown hosting "clod" (did you mean cloud?)'] =
        { D360_API_KEY = "k", WABA_HOSTING = "clod" },
      ["the environment variable WABA_BASE_URL: the URL does not begin with https://"] =
        { D360_API_KEY = "k", WABA_BASE_URL = "gateway.example" },
    } do
      assert.matches(message, with(set, "waba.client {}"), 1, true)
    end
    local said = with({ D360_API_KEY = "k", WABA_HOSTING = "on_premise", WABA_BASE_URL = "https://a.example" },
      'waba.client { hosting = "cloud" }')
    assert.matches('option hosting is "cloud", but WABA_BASE_URL is the URL for WABA_HOSTING=on_premise', said, 1, true)
    assert.matches("(command line):1:", said, 1, true)
  end)
end)
