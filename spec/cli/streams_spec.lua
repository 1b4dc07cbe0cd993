-- The command `waba` when standard output and standard error are pipes, closed or full; and its output for scripts.

local command = require "spec.support.command"
local core = require "waba.core"
local folders = require "spec.support.folder"
local process = require "spec.support.process"
local waba = require "waba"
local webhooks = require "spec.support.webhooks"

local FULL = "/dev/full"

describe("the output of waba", function()
  local emulator, environment, folder

  setup(function()
    emulator = assert(waba.emulator.start { statuses = false })
    environment, folder = command.environment(emulator), folders.new()
  end)

  teardown(function()
    emulator:stop()
    folder:remove()
  end)

  local function run(...) return command.run(environment, { ... }) end

  local function shell(line) return command.shell(environment, line) end

  it("is only JSON with --json, at any position", function()
    for _, words in ipairs {
      { "--json", "send", "text", "491511234567", "Hi" }, { "send", "--json", "text", "491511234567", "Hi" },
      { "send", "text", "491511234567", "Hi", "--json" }, { "templates", "list", "--status", "unheard", "--json" },
      { "webhook", "get", "--json" },
    } do
      local result = command.run(environment, words)
      assert.equal(0, result.code, result.err)
      assert.is_table(core.decode(result.out), result.out)
      assert.equal("", result.err)
    end
    assert.equal('{"url":null}\n', run("webhook", "get", "--json").out)
    assert.equal("[]\n", run("templates", "list", "--status", "unheard", "--json").out)
  end)

  it("is JSON for wrong use too", function()
    for _, words in ipairs { { "nonsense" }, { "number", "extra" }, { "media", "rm", "" }, { "send", "-" } } do
      words[#words + 1] = "--json"
      local result = command.run(environment, words)
      assert.equal(2, result.code)
      assert.is_string(core.decode(result.out).error.message)
      assert.equal("", result.err)
    end
    local missing = run("templates", "show", "unheard_of", "--json")
    assert.equal(1, missing.code)
    assert.equal("not_found", missing.json.error.kind)
  end)

  it("shows no traceback for an invalid argument", function()
    local list = folder:write("one.csv", "to\n491511234567\n")
    for _, words in ipairs {
      { "media", "rm", "" }, { "templates", "rm", "" }, { "listen", "--port", "80.5" }, { "listen", "--port", "99999" },
      { "bulk", folder.path, "--template", "x", "--language", "de" }, { "--timeout", "nan", "number" },
      { "bulk", list, "--template", "x", "--language", "de", "--rate", "0" }, { "explain", "1e3" },
      { "bulk", list, "--template", "x", "--language", "de", "--concurrency", "0.5" },
      { "--ca-file", "/no/such/file", "number" },
    } do
      local result = command.run(environment, words)
      assert.equal(2, result.code, table.concat(words, " "))
      assert.is_nil(result.err:find("traceback", 1, true), result.err)
      assert.equal("", result.out)
    end
  end)

  local full = io.open(FULL, "w")
  if full then
    full:close()
    it("fails when the disk is full", function()
      local id = run("media", "up", "README.md").out:match "%S+"
      for _, words in ipairs { "templates list", "templates list --json", "completion bash", "media down " .. id .. " -",
        "media down " .. id .. " " .. FULL } do
        local result = shell("WABA " .. words .. " >" .. FULL)
        assert.equal(1, result.code, words)
        assert.matches("No space left", result.out)
        assert.is_nil(result.out:find("traceback", 1, true))
      end
    end)

    it("of listen ends when it can't be written, so that no event is lost", function()
      local port, said = process.free_port(), folder:file "listen"
      local line = command.line(environment, { "listen", "--port", tostring(port), "--json" })
      os.execute(("(%s >%s 2>%s; echo =$? >>%s) &"):format(line, FULL, said, said))
      local function heard(text) return emulator:wait(function() return (folder:read "listen" or ""):find(text, 1, true) end) end
      assert(heard "listening")
      assert.equal(0, run("webhook", "set", ("http://127.0.0.1:%d/"):format(port)).code)
      emulator:customer("491511234567"):text "Hello"
      assert(heard "=1")
      assert.matches("can't write to standard output: No space left on device\n=1\n$", folder:read "listen")
    end)
  end

  it("ends without a message when the reader has closed the pipe", function()
    assert.equal("", shell("trap '' PIPE; WABA completion bash | true").out)
    assert.equal("_waba() {\n", shell("WABA completion bash | head -1").out)
  end)

  it("does not write into other files if a stream is closed", function()
    local list = folder:write("closed.csv", "to\n491511234567\n")
    local result = shell("WABA bulk " .. list .. " --template hello_world --language en_US >&-")
    assert.equal(0, result.code, result.out)
    assert.is_nil(folder:read("closed.csv.journal"):find("failed", 1, true))
    assert.equal(0, shell("WABA number >&- 2>&- <&-").code)
  end)

  it("writes to a device, and does not replace it", function()
    local id = run("media", "up", "README.md").out:match "%S+"
    local result = shell("WABA media down " .. id .. " /dev/stdout | head -1")
    assert.matches("^# waba", result.out)
  end)

  it("of the emulator is one line of JSON with --json", function()
    local line = command.line(environment, { "emulator", "--tls", "false", "--json" })
    local pipe = io.popen(("exec %s & echo $!; wait"):format(line))
    local pid = pipe:read "*l"
    local said = core.decode(pipe:read "*l")
    os.execute("kill " .. pid)
    assert.equal("", pipe:read "*a")
    pipe:close()
    assert.matches("^http://127", said.on_premise.url)
    assert.is_string(said.cloud.api_key)
  end)

  it("names each invalid row of a table before anything is sent", function()
    local before = #emulator:received { method = "POST", path = "/v1/messages" }
    local list = folder:write("keys.csv",
      "to,id,name\n491511234567,a,Eva\n491511234568,a,Ann\n491511234569,,Jo\n491511234570,b,J\252rgen\n,c,Mo\n")
    local result = run("bulk", list, "--template", "order_update", "--language", "de", "--key", "id")
    assert.equal(2, result.code)
    assert.matches(":3: id a is also in line 2", result.out)
    assert.matches(":4: id is empty", result.out)
    assert.matches(":5: .-not valid UTF%-8", result.out)
    assert.matches(":6: to is empty", result.out)
    assert.equal(before, #emulator:received { method = "POST", path = "/v1/messages" })
    local only = folder:write("latin.csv", "to,name\n491511234570,J\252rgen\n")
    assert.equal(1, run("bulk", only, "--template", "order_update", "--language", "de", "--dry-run").code)
    assert.equal(1, run("bulk", only, "--template", "order_update", "--language", "de", "--dry-run", "--json").code)
  end)

  it("reads files with a byte order mark, and a table from a file only", function()
    local message = folder:write("bom.json", '\239\187\191{"to":"491511234567","type":"text","text":{"body":"Hi"}}')
    assert.equal(0, run("send", "--json", message).code)
    assert.equal(0, run("check", message).code)
    local piped = shell("cat " .. folder:write("piped.csv", "to\n491511234567\n")
      .. " | WABA bulk /dev/stdin --template hello_world --language en_US")
    assert.equal(2, piped.code)
    assert.matches("is a pipe, but bulk reads its file twice", piped.out)
  end)

  it("uploads nothing for an invalid recipient", function()
    local before = #emulator:received { path = "/v1/media" }
    assert.equal(2, run("send", "document", "12", "README.md").code)
    assert.equal(before, #emulator:received { path = "/v1/media" })
  end)

  it("of listen is one line for each event, whatever customers write", function()
    local port, said = process.free_port(), folder:file "heard"
    local pipe = io.popen(("exec %s >%s 2>&1 & echo $!"):format(
      command.line(environment, { "listen", "--port", tostring(port) }), said))
    local pid = pipe:read "*l"
    pipe:close()
    finally(function() os.execute("kill " .. pid) end)
    local function heard(text) return emulator:wait(function() return (folder:read "heard" or ""):find(text, 1, true) end) end
    assert(heard "listening")
    assert.equal(0, run("webhook", "set", ("http://127.0.0.1:%d/"):format(port)).code)
    local customer = emulator:customer("491511234567", { name = "Ev\27[1ma" })
    customer:text "one\n2026-01-01 00:00:00  status  forged"
    customer:location { latitude = 52.5, longitude = 13.25, name = "Shop" }
    assert(heard "52.5, 13.25 (Shop)")
    local text = folder:read "heard"
    assert.is_nil(text:find("\27", 1, true))
    assert.is_nil(text:find("\n2026-01-01", 1, true))
    assert.matches("message  491511234567 %(Ev%?%[1ma%)  text one .- forged", text)
  end)

  local ODD = {
    '{"messages":[{"id":"a","from":"1","type":"contacts","contacts":[1]}]}',
    '{"messages":[{"id":"b","from":"1","type":"text","text":{"body":"\255 \155 \194\155 \194\133 \226\128\174 \226\128\168"}}]}',
    '{"messages":[{"id":"c","from":"1","type":"odd","odd":[null,1]}]}',
    '{"messages":[{"id":"d","from":"1","type":"location","location":{"latitude":{},"name":[1]}}]}',
    '{"messages":[{"id":"e","from":"1","type":"order","order":{"product_items":[1,{"quantity":{}}]}}]}',
    '{"messages":[{"id":"f","from":{},"type":{},"timestamp":1e300,"text":{"body":{}},"errors":[1]}]}',
    '{"messages":[{"id":"g","from":"1","type":"text","timestamp":-99999999999,"text":{"body":"far"}}]}',
    '{"messages":[{"id":"h","from":"1","type":"odd","odd":' .. ("["):rep(500) .. ("]"):rep(500) .. '}]}',
    '{"statuses":[{"id":{},"recipient_id":[],"status":{},"errors":[null,1]}],"errors":[1,{"code":{}}]}',
    '{"messages":[{"id":"z","from":"1","type":"text","text":{"body":"the last one"}}]}',
  }

  it("of listen shows a failed status as failed, and the number if the platform sends it", function()
    local port, said = process.free_port(), folder:file "failed"
    local pipe = io.popen(("exec %s >%s 2>&1 & echo $!"):format(command.line(environment,
      { "listen", "--port", tostring(port) }), said))
    local pid = pipe:read "*l"
    pipe:close()
    finally(function() os.execute("kill " .. pid) end)
    assert(emulator:wait(function() return (folder:read "failed" or ""):find "listening" end))
    local post = require("spec.support.plain_http").posting(port, {
      '{"statuses":[{"id":"x","recipient_id":"491511","status":"sent","timestamp":"1700000000"}]}',
      '{"statuses":[{"id":"y","recipient_id":"491512","status":"failed","timestamp":"1700000000",'
        .. '"errors":[{"code":470,"title":"Re-engagement"}]}]}',
      webhooks.cloud { messages = '{"id":"z","from":"491513","type":"text","text":{"body":"Hi"}}' },
    })
    assert(emulator:wait(function() return post() == 3 end))
    assert(emulator:wait(function() return (folder:read "failed" or ""):find "491513" end))
    assert.matches("status  491511  sent  x\n", folder:read "failed")
    assert.matches("failed  491512  failed: .*470", folder:read "failed")
    assert.matches("message  " .. webhooks.place.number .. "  491513  text Hi  z\n", folder:read "failed")
  end)

  for _, mode in ipairs { "lines", "--json", "--raw" } do
    it("of listen continues after malformed webhooks, as " .. mode, function()
      local port, said = process.free_port(), folder:file("odd" .. mode)
      local words = { "listen", "--port", tostring(port), mode ~= "lines" and mode or nil }
      local pipe = io.popen(("exec %s >%s 2>&1 & echo $!"):format(command.line(environment, words), said))
      local pid = pipe:read "*l"
      pipe:close()
      finally(function() os.execute("kill " .. pid) end)
      local function text() return folder:read("odd" .. mode) or "" end
      assert(emulator:wait(function() return text():find "listening" end))
      local post = require("spec.support.plain_http").posting(port, ODD)
      assert(emulator:wait(function() return post() == #ODD end))
      assert(emulator:wait(function() return text():find "the last one" end))
      for _, bytes in ipairs { "\194[\128-\159]", "\226\128[\168-\174]", "[^\128-\255][\128-\191]", "\255" } do
        assert.is_nil(text():find(bytes), bytes)
      end
      if mode == "lines" then return end
      assert.truthy(text():find("\\u009b \\u0085 \\u202e \\u2028", 1, true))
      for line in text():gmatch "({[^\n]*)\n" do assert(require("waba.core").decode(line), line) end
    end)
  end

  it("of listen reports why webhooks are refused", function()
    local port, said = process.free_port(), folder:file "refused"
    local options = setmetatable({ WABA_WEBHOOK_PASSWORD = "s3cret" }, { __index = environment })
    for name, value in pairs(environment) do options[name] = value end
    local pipe = io.popen(("exec %s >%s 2>&1 & echo $!"):format(
      command.line(options, { "listen", "--port", tostring(port), "--user", "u" }), said))
    local pid = pipe:read "*l"
    pipe:close()
    finally(function() os.execute("kill " .. pid) end)
    local function heard(text) return emulator:wait(function() return (folder:read "refused" or ""):find(text, 1, true) end) end
    assert(heard "listening")
    assert.equal(0, run("webhook", "set", ("http://127.0.0.1:%d/"):format(port)).code)
    emulator:customer("491511234567"):text "Hello"
    assert(heard "refused a webhook from 127.0.0.1 with status 401: it has no Authorization header")
  end)

  it("of the emulator can be evaluated by a shell", function()
    local said = folder:file "said"
    local line = command.line(environment, { "emulator", "--tls", "false", "--api-key", "it's" })
    local pipe = io.popen(("%s >%s 2>&1 & echo $!"):format(line, said))
    local pid = pipe:read "*l"
    pipe:close()
    emulator:wait(function() return (folder:read "said" or ""):find "Ctrl%-C" end)
    os.execute("kill " .. pid)
    local result = command.shell({}, ('sed "/^$/q" %s >%s.sh; . %s.sh; echo "$D360_API_KEY $WABA_HOSTING $WABA_BASE_URL"')
      :format(said, said, said))
    assert.matches("^it's on_premise http://127%.0%.0%.1:%d+\n$", result.out)
  end)
end)
