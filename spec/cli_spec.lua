-- The command `waba` with the emulator: its output and its exit codes.

local command = require "spec.support.command"
local core = require "waba.core"
local process = require "spec.support.process"
local waba = require "waba"

local quote = command.quote
local unpack = table.unpack or unpack

describe("the waba command", function()
  local emulator, environment, folder

  setup(function()
    emulator = assert(waba.emulator.start { statuses = false })
    environment = command.environment(emulator)
    local pipe = io.popen "mktemp -d"
    folder = pipe:read "*l"
    pipe:close()
  end)

  teardown(function()
    emulator:stop()
    os.execute("rm -rf " .. quote(folder))
  end)

  local function waba_with(more, ...)
    local options = {}
    for name, value in pairs(environment) do options[name] = value end
    for name, value in pairs(more) do options[name] = value or nil end
    return command.run(options, { ... }, more.input)
  end

  local function run(...) return command.run(environment, { ... }) end

  local function write(name, text)
    local path = folder .. "/" .. name
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
    return path
  end

  local function read(path)
    local file = io.open(path, "rb")
    if not file then return "" end
    local text = file:read "*a"
    file:close()
    return text
  end

  local function last_body()
    local list = emulator:received { method = "POST", path = "/v1/messages" }
    return list[#list].json
  end

  describe("sends", function()
    for name, case in pairs {
      text = { { "Hello" }, function(body) return body.text.body == "Hello" end },
      image = { { "https://cdn.example/a.jpg", "--caption", "A" }, function(body)
        return body.image.link == "https://cdn.example/a.jpg" and body.image.caption == "A"
      end },
      document = { { "README.md" }, function(body) return body.document.id and body.document.filename == "README.md" end },
      location = { { "52.5", "13.25", "--name", "Shop" }, function(body) return body.location.latitude == 52.5 end },
      contact = { { "Eva Kern", "+49 151 1" }, function(body) return body.contacts[1].name.formatted_name == "Eva Kern" end },
      template = { { "order_ready", "--language", "en", "--body", "Eva", "--body", "118", "--button", "payload=P", "--button",
        "url=track/118" },
        function(body) return body.template.components[1].parameters[2].text == "118" end },
      buttons = { { "Ok?", "--button", "y=Yes", "--button", "n=No" }, function(body)
        return body.interactive.action.buttons[2].reply.title == "No"
      end },
      list = { { "When?", "--button", "Choose", "--row", "9=09:00=early" }, function(body)
        return body.interactive.action.sections[1].rows[1].description == "early"
      end },
    } do
      it("a " .. name, function()
        local result = run("send", name, "+49 151 1234567", unpack(case[1]))
        assert.equal("", result.err)
        assert.equal(0, result.code)
        assert.matches("^sent  gBEG", result.out)
        assert.is_truthy(case[2](last_body()))
      end)
    end

    it("any message in JSON, from a file and from standard input", function()
      local body = '{"to":"491511234567","type":"text","preview_url":true,"text":{"body":"https://x.example"}}'
      local result = waba_with({ input = body }, "send", "--json", "-")
      assert.equal(0, result.code)
      assert.equal("491511234567", result.json.wa_id)
      assert.is_true(last_body().preview_url)
      assert.equal(0, run("send", "--json", write("message.json", body), "--to", "+49 151 7654321").code)
      assert.equal("491517654321", last_body().to)
    end)

    it("messages without an approved template, and a template's payment request (Cloud hosting)", function()
      local cloud = { WABA_HOSTING = "cloud", WABA_BASE_URL = emulator.cloud.url, D360_API_KEY = emulator.cloud.api_key }
      local function last()
        local list = emulator.cloud:received { method = "POST", path = "/messages" }
        return list[#list].json
      end
      local result = waba_with(cloud, "send", "--category", "utility", "--ttl-seconds", "600", "--template-name", "parcel",
        "text", "491511234567", "On its way")
      assert.equal("", result.err)
      assert.same({ "utility", 600, { template_name = "parcel" } },
        { last().category, last().ttl_seconds, last().direct_send_config })
      result = waba_with(cloud, "send", "template", "491511234567", "pay", "--language", "pt_BR", "--button",
        "payment_link=https://pay.example/1", "--button", "boleto=0339")
      assert.equal("", result.err)
      assert.equal("0339", last().template.components[2].parameters[1].action.payment_request.payment_setting.boleto.digitable_line)
      local body = '{"to":"491511234567","type":"text","text":{"body":"x"},"category":"utility"}'
      cloud.input = body
      assert.equal(0, waba_with(cloud, "send", "--json", "-").code)
      assert.equal("utility", last().category)
      assert.equal(2, run("send", "--category", "utility", "text", "491511234567", "x").code)
    end)

    it("a text from standard input", function()
      assert.equal(0, waba_with({ input = "two\nlines\n" }, "send", "text", "491511234567", "-").code)
      assert.equal("two\nlines", last_body().text.body)
    end)
  end)

  describe("has the exit code", function()
    it("2 for wrong use, without a request to the gateway", function()
      local before = #emulator:received()
      for _, arguments in ipairs {
        {}, { "nonsense" }, { "send" }, { "send", "text", "1" }, { "send", "text", "12", "too short a number" },
        { "send", "image", "491511234567", "/no/such/file.jpg" }, { "send", "text", "491511234567", ("x"):rep(4097) },
        { "send", "template", "491511234567", "a", "--language", "en", "--button", "nonsense" },
        { "explain", "words" }, { "check", "/no/such/file" }, { "--timeout", "soon", "number" },
        { "webhook", "set", "https://a.example", "--user", "u" }, { "--base-url", "ftp://x", "number" },
      } do
        local result = command.run(environment, arguments)
        assert.equal(2, result.code, table.concat(arguments, " "))
        assert.matches("^waba: ", result.err)
        assert.equal("", result.out)
      end
      assert.equal(before, #emulator:received())
    end)

    it("2 for wrong use, and names the command's help", function()
      for name, arguments in pairs {
        ["waba"] = { "sned" }, ["waba send text"] = { "send", "text" }, ["waba send cta%-url"] = { "send", "cta-url" },
        ["waba media"] = { "media" }, ["waba templates show"] = { "templates", "show" },
      } do
        local result = run(unpack(arguments))
        assert.equal(2, result.code)
        assert.matches("\nTry: " .. name .. " %-%-help\n$", result.err)
      end
      assert.matches("can't read nowhere.jsonl: No such file", run("migrate", "nowhere.jsonl").err, 1, true)
    end)

    it("1 for an error of the gateway, with advice", function()
      emulator:fail_next { code = 470 }
      local result = run("send", "text", "491511234567", "x")
      assert.equal(1, result.code)
      assert.matches("window", result.err)
      assert.matches("Send a template", result.err)
      emulator:fail_next { code = 470 }
      result = run("send", "text", "491511234567", "x", "--json")
      assert.equal(1, result.code)
      assert.equal(470, result.json.error.code)
      assert.equal("window", result.json.error.kind)
    end)
  end)

  describe("finds the key", function()
    it("in a file that only its owner can read, and refuses another one", function()
      local path = write("key", emulator.api_key .. "\n")
      os.execute("chmod 600 " .. quote(path))
      assert.equal(0, waba_with({ D360_API_KEY = false }, "number", "--key-file", path).code)
      os.execute("chmod 640 " .. quote(path))
      local result = waba_with({ D360_API_KEY = false }, "number", "--key-file", path)
      assert.equal(2, result.code)
      assert.matches("chmod 600", result.err)
      assert.is_nil(result.err:find(emulator.api_key, 1, true))
    end)

    it("in ~/.config/waba/key", function()
      os.execute(("mkdir -p %s/.config/waba && umask 077 && printf %%s %s > %s/.config/waba/key"):format(
        quote(folder), quote(emulator.api_key), quote(folder)))
      assert.equal(0, waba_with({ D360_API_KEY = false, HOME = folder }, "number").code)
    end)

    it("nowhere, and names the places of the key", function()
      local result = waba_with({ D360_API_KEY = false }, "number")
      assert.equal(2, result.code)
      assert.matches("D360_API_KEY", result.err)
    end)
  end)

  it("uploads, downloads and deletes media", function()
    local up = run("media", "up", "README.md", "--json")
    assert.equal(0, up.code)
    local copy = folder .. "/copy.md"
    assert.equal(0, run("media", "down", up.json.id, copy).code)
    assert.equal(read "README.md", read(copy))
    local piped = run("media", "down", up.json.id, "-")
    assert.matches("^# waba", piped.out)
    assert.equal(0, run("media", "rm", up.json.id).code)
    assert.equal(1, run("media", "down", up.json.id, copy).code)
  end)

  it("lists, shows, creates and deletes templates", function()
    assert.matches("order_ready%s+de%s+approved", run("templates", "list").out)
    local template = [[{"name":"greeting_1","language":"en","category":"UTILITY",
      "components":[{"type":"BODY","text":"Hello"}]}]]
    assert.equal(0, waba_with({ input = template }, "templates", "create", "-").code)
    local shown = run("templates", "show", "greeting_1")
    assert.matches("BODY", shown.out)
    assert.matches("Hello", shown.out)
    assert.equal(0, run("templates", "rm", "greeting_1").code)
    assert.equal(1, run("templates", "show", "greeting_1").code)
  end)

  it("shows and sets profile, webhook, number and health", function()
    assert.equal(0, run("profile", "about", "Glasses").code)
    assert.equal("Glasses\n", run("profile", "about").out)
    assert.equal(0, run("profile", "business", "--email", "info@shop.example").code)
    assert.matches("info@shop.example", run("profile", "show").out)
    assert.equal(0, waba_with({ WABA_WEBHOOK_PASSWORD = "pw-of-webhook" }, "webhook", "set", "https://a.example/wa",
      "--user", "u").code)
    local got = run("webhook", "get")
    assert.matches("https://a.example/wa", got.out)
    assert.matches("Authorization", got.out)
    assert.is_nil(got.out:find("Basic", 1, true))
    assert.equal(emulator.number, run("number", "--json").json.number)
    assert.equal(0, run("health").code)
    assert.matches("valid", run("contacts", "check", "+49 151 1234567").out)
  end)

  it("checks everything with doctor", function()
    local listener = require("spec.support.server").start { protocol = "HTTP/1.1", tls = false }
    run("webhook", "set", listener.url .. "/wa")
    local result = run("doctor")
    listener:stop()
    assert.equal(0, result.code, result.out)
    for _, name in ipairs { "api key", "gateway", "key", "number", "webhook", "health", "hosting" } do
      assert.matches("good  " .. name, result.out)
    end
    local wrong = waba_with({ D360_API_KEY = "another-key" }, "doctor")
    assert.equal(1, wrong.code)
    assert.matches("bad   key", wrong.out)
    assert.matches("new key", wrong.out)
    local away = waba_with({ WABA_BASE_URL = "https://127.0.0.1:1" }, "doctor", "--json", "--timeout", "0.5")
    assert.equal(1, away.code)
    assert.is_false(away.json[3].good)
  end)

  it("explains codes of both hostings", function()
    assert.matches("Re%-engagement", run("explain", "470").out)
    assert.equal(0, run("explain", "131047").code)
    assert.equal(1, run("explain", "987654").code)
  end)

  it("lists all codes without an argument", function()
    local both = run("explain").out
    assert.matches("470 +On%-Premise +window", both)
    assert.matches("131047 +Cloud +window", both)
    local result = run("--json", "--hosting", "cloud", "explain")
    assert.is_true(#result.json > 100)
    assert.is_nil(result.out:find('"hosting":"on_premise"', 1, true))
  end)

  it("shows its help without arguments", function()
    assert.matches("Usage: waba .*bulk .*doctor", run().err)
  end)

  describe("on Cloud hosting", function()
    local customer

    local function cloud(...)
      return waba_with({ WABA_HOSTING = "cloud", WABA_BASE_URL = emulator.cloud.url,
        D360_API_KEY = emulator.cloud.api_key }, ...)
    end

    setup(function()
      customer = emulator.cloud:customer "+49 151 7770001"
      assert(customer:text "Hi")
    end)

    it("marks a message as read", function()
      local messages = emulator.cloud:messages { direction = "inbound" }
      local result = cloud("mark_read", messages[#messages].id, "--typing")
      assert.equal(0, result.code, result.err)
      assert.matches("^read ", result.out)
      assert.equal(1, cloud("mark_read", "wamid.none").code)
    end)

    it("blocks, lists and unblocks customers", function()
      local result = cloud("block", "+49 151 7770001")
      assert.equal(0, result.code, result.err)
      assert.matches("^blocked ", result.out)
      assert.matches("491517770001", cloud("block", "--list").out)
      assert.matches("^unblocked ", cloud("block", "--remove", "+49 151 7770001").out)
      assert.equal(1, cloud("block", "+49 151 7779999").code)
      assert.equal(2, cloud("block").code)
      assert.equal(2, run("block", "+49 151 7770001").code)
      assert.equal(2, run("block", "--remove", "+49 151 7770001").code)
    end)

    it("makes, changes, lists and deletes codes", function()
      local made = cloud("--json", "qr", "create", "Hello", "--image", "png")
      assert.equal(0, made.code, made.err)
      local code = made.json.code
      assert.matches("Good day", cloud("qr", "edit", code, "Good day").out)
      assert.matches(code .. ".*Good day", cloud("qr", "list").out)
      assert.equal(0, cloud("qr", "delete", code).code)
      assert.equal("", cloud("qr", "list").out)
    end)
  end)

  it("calls any path of the gateway", function()
    local result = run("request", "get", "/v1/configs/phone_number")
    assert.equal(0, result.code, result.err)
    assert.is_table(result.json)
    result = waba_with({ input = '{"text":"Glasses"}' }, "request", "PATCH", "/v1/settings/profile/about", "--body", "-")
    assert.equal(0, result.code, result.err)
    assert.matches("Glasses", run("profile", "show").out)
    assert.equal(1, run("request", "GET", "/v1/nothing").code)
    for _, arguments in ipairs { { "GET", "v1" }, { "G-T", "/v1" }, { "GET", "/v1", "--query", "x" },
      { "POST", "/v1", "--body", write("no.json", "{") } } do
      assert.equal(2, run("request", unpack(arguments)).code)
    end
  end)

  it("checks messages without a key", function()
    local path = write("messages.jsonl", table.concat({
      '{"to":"491511234567","type":"text","text":{"body":"Hi"}}', "",
      '{"type":"text","text":{"body":""}}', "no JSON",
    }, "\n"))
    local result = waba_with({ D360_API_KEY = false }, "check", path)
    assert.equal(1, result.code)
    assert.matches(":3: text.body", result.out)
    assert.matches(":4: the message must be a JSON object: ", result.out)
    assert.matches("2 of 3 invalid", result.out)
    assert.equal(0, waba_with({ input = '{"type":"text","text":{"body":"Hi"}}' }, "check", "-").code)
  end)

  it("prints its help and its version", function()
    local result = run("send", "template", "--help")
    assert.equal(0, result.code)
    assert.matches("^Usage: waba send template", result.out)
    assert.matches("^waba %d", run("--version").out)
  end)

  it("completes in bash, zsh and fish", function()
    for _, shell in ipairs { "bash", "zsh", "fish" } do
      local result = run("completion", shell)
      assert.equal(0, result.code)
      assert.matches("templates", result.out)
      assert.matches("caption", result.out)
    end
    local loaded = os.execute(("bash -n -c %s 2>/dev/null"):format(quote(run("completion", "bash").out)))
    assert.is_true(loaded == true or loaded == 0)
  end)

  it("uses colours on a terminal only", function()
    if not command.has_terminals() then return pending "this system gives out no pseudo-terminals" end
    local line = command.line(environment, { "number", "--key-file", "/no/such/key" })
    local pipe = io.popen(("TERM=xterm script -qec %s /dev/null 2>&1"):format(quote(line)))
    local shown = pipe:read "*a"
    pipe:close()
    assert.matches("\27%[31m", shown)
    assert.is_nil(run("number", "--key-file", "/no/such/key").err:find("\27", 1, true))
    pipe = io.popen(("TERM=xterm script -qec %s /dev/null 2>&1"):format(quote((line:gsub("^env ", "env ")):gsub(
      "%-u NO_COLOR", "NO_COLOR=1"))))
    shown = pipe:read "*a"
    pipe:close()
    assert.is_nil(shown:find("\27", 1, true))
  end)

  describe("bulk", function()
    local function table_of(count)
      local rows = { "to,name,day" }
      for i = 1, count do rows[#rows + 1] = ('+49 151 %07d,"Eva ""%d"", K",Monday'):format(1000000 + i, i) end
      return table.concat(rows, "\r\n") .. "\r\n"
    end

    it("sends each row once, and continues an interrupted run", function()
      local path = write("list.csv", table_of(12))
      local before = #emulator:received { method = "POST", path = "/v1/messages" }
      local first = run("bulk", path, "--template", "order_update", "--language", "en")
      assert.equal(0, first.code, first.err)
      assert.matches("12 sent, 0 failed", first.out)
      assert.matches("12 of 12", first.err)
      assert.equal('Eva "12", K', last_body().template.components[1].parameters[1].text:gsub('"%d+"', '"12"'))
      local again = run("bulk", path, "--template", "order_update", "--language", "en")
      assert.matches("0 sent, 0 failed, 0 uncertain, 12 done before", again.out)
      assert.equal(before + 12, #emulator:received { method = "POST", path = "/v1/messages" })
    end)

    it("shows and checks everything in a dry run, and sends nothing", function()
      local path = write("dry.csv", table_of(3) .. "12,x,y\r\n")
      local before = #emulator:received { method = "POST" }
      local result = run("bulk", path, "--template", "order_update", "--language", "en", "--dry-run")
      assert.equal(1, result.code)
      assert.matches(":5: to has 2 digits", result.out)
      assert.matches("4 rows, 1 invalid", result.out)
      assert.equal(2, run("bulk", path, "--template", "order_update", "--language", "en").code)
      assert.equal(2, run("bulk", path, "--template", "x", "--language", "en", "--body", "nam").code)
      assert.matches("did you mean name", run("bulk", path, "--template", "x", "--language", "en", "--body", "nam").err)
      assert.equal(before, #emulator:received { method = "POST" })
    end)

    it("sends another message to every row, and reports the change", function()
      local path = write("changed.csv", "to,name,day,code\n+49 151 5550001,Eva,Monday,A1\n+49 151 5550002,Ann,Friday,A2\n")
      emulator:fail_next { code = 2000, times = 2 } -- the error of a template whose button has no parameter
      local arguments = { "bulk", path, "--template", "order_update", "--language", "en", "--body", "name,day" }
      local failed = command.run(environment, arguments)
      assert.equal(1, failed.code)
      assert.matches("0 sent, 2 failed", failed.out)
      local button = { "--button", "payload=code" }
      for _, word in ipairs(button) do arguments[#arguments + 1] = word end
      emulator:fail_next { status = 201, body = '{"messages":[{"id":"m"}]}', times = 2 }
      local mended = command.run(environment, arguments)
      assert.matches("2 sent, 0 failed, 0 uncertain, 0 done before", mended.out)
      assert.equal(0, mended.code, mended.err)
      assert.matches("the message has changed", mended.err)
      assert.matches("was: template order_update, language en, body name day\n", mended.err)
      assert.matches("is:  template order_update, language en, body name day, buttons payload=code\n", mended.err)
      assert.matches("0 rows that were sent the earlier message", mended.err)
      assert.matches("0 sent, 0 failed, 0 uncertain, 2 done before", command.run(environment, arguments).out)
      assert.equal(0, run("bulk", path, "--template", "order_update", "--language", "en", "--body", "name").code)
      local back = command.run(environment, arguments)
      assert.matches("0 sent, 0 failed, 0 uncertain, 2 done before", back.out)
      assert.matches("Earlier runs sent this message to 2 rows; these are skipped.\n", back.err, 1, true)
    end)

    it("sends failed rows again, or reports them with exit code 1", function()
      local path = write("failed.csv", table_of(3))
      emulator:fail_next { code = 1013, times = 1 }
      local arguments = { "bulk", path, "--template", "order_update", "--language", "en", "--concurrency", "1" }
      local result = command.run(environment, arguments)
      assert.same({ 1, 1 }, { result.code, tonumber(result.out:match "(%d+) failed") })
      arguments[#arguments + 1] = "--skip-failed"
      result = command.run(environment, arguments)
      assert.equal(1, result.code)
      assert.matches("0 sent, 0 failed, 0 uncertain, 3 done before", result.out)
      assert.matches("1 of those done before failed: without %-%-skip%-failed", result.out)
      arguments[#arguments] = nil
      result = command.run(environment, arguments)
      assert.same({ 0, "1 sent" }, { result.code, result.out:match "%d+ sent" })
    end)

    it("stops when the first hundred rows fail with the same error, unless --yes is set", function()
      local path = write("alike.csv", table_of(150))
      local arguments = { "bulk", path, "--template", "order_update", "--language", "en", "--concurrency", "1" }
      emulator:fail_next { code = 2001, times = 150 }
      local result = command.run(environment, arguments)
      assert.equal(1, result.code)
      assert.matches("0 sent, 10%d failed", result.out)
      assert.matches("the first 100 rows failed with the same error, so the others are not sent: .*2001", result.err)
      assert.matches("%-%-yes", result.err)
      emulator:clear_faults()
      emulator:fail_next { code = 2001, times = 150 }
      arguments[#arguments + 1] = "--yes"
      assert.matches("0 sent, 150 failed", command.run(environment, arguments).out)
      emulator:clear_faults()
    end)

    it("sends once to a recipient in several spellings, and names the lines", function()
      local path = write("twice.csv", "to,name,day\n+49 151 5550011,Eva,Monday\n004915155500 11,Eva,Monday\n")
      local result = run("bulk", path, "--template", "order_update", "--language", "en")
      assert.equal(0, result.code)
      assert.matches("twice.csv:3: 004915155500 11 is also the recipient of line 2: the message is sent once", result.err)
      assert.matches("1 sent, 0 failed, 0 uncertain, 0 done before, 1 with a recipient of an earlier row", result.out)
    end)

    it("names the column in an error, and all rows of a table in Latin-1 with one", function()
      local path = write("columns.csv", "to,name,day\n+49 151 5550021,,Monday\n")
      local result = run("bulk", path, "--template", "order_update", "--language", "en")
      assert.equal(2, result.code)
      assert.matches(":2: column name is empty", result.out)
      path = write("latin.csv", "to,name,day\n" .. ("+49 151 5550021,J\252rgen,Monday\n"):rep(300))
      result = run("bulk", path, "--template", "order_update", "--language", "en")
      assert.equal(2, result.code)
      assert.matches("^[^\n]+:2: column name is not valid UTF%-8[^\n]+\n[^\n]+: 299 more rows are not valid UTF%-8\n$",
        result.out)
      assert.matches("300 of 300 rows are invalid", result.err)
    end)

    it("writes a report of the run that only its owner can read", function()
      local path = write("report.csv", table_of(5))
      emulator:fail_next { status = 400, body = '{"errors":[{"code":1013,"title":"<b>no</b>","details":"=cmd"}]}' }
      local arguments = { "bulk", path, "--template", "order_update", "--language", "en", "--concurrency", "1",
        "--report", path .. ".html" }
      assert.equal(1, command.run(environment, arguments).code)
      local page = read(path .. ".html")
      assert.matches("<td>sent</td><td>4</td>", page)
      assert.matches("<td>failed</td><td>1</td>", page)
      assert.matches("recipient, code 1013</td><td>1</td>", page)
      assert.matches("&lt;b&gt;no&lt;/b&gt;", page)
      assert.is_nil(page:find("<b>no", 1, true))
      local _, charts = page:gsub("<svg", "")
      assert.equal(2, charts)
      assert.is_nil(page:find "https?://")
      arguments[#arguments] = path .. ".rows.csv"
      for _, word in ipairs { "--report", path .. ".again.html" } do arguments[#arguments + 1] = word end
      assert.equal(0, command.run(environment, arguments).code)
      assert.matches("<td>sent</td><td>1</td>", read(path .. ".again.html"))
      local rows = read(path .. ".rows.csv")
      assert.matches("^key,to,result,id,kind,code,message\r\n1,%+49 151 1000001,sent,gB[^,]+,,,\r\n$", rows)
      assert.equal(384, core.file_mode(path .. ".rows.csv"))
      assert.equal(2, run("bulk", path, "--template", "x", "--language", "en", "--report", "page.pdf").code)
    end)

    it("reports an unreachable gateway in the progress line", function()
      local path = write("unreachable.csv", table_of(2))
      local elsewhere = {}
      for name, value in pairs(environment) do elsewhere[name] = value end
      elsewhere.WABA_BASE_URL = "https://localhost:" .. process.free_port()
      local out = folder .. "/unreachable.out"
      local pipe = io.popen(("exec %s >%s 2>&1 & echo $!"):format(command.line(elsewhere,
        { "bulk", path, "--template", "order_update", "--language", "en" }), quote(out)))
      local pid = pipe:read "*l"
      pipe:close()
      process.wait_for(function() return read(out):find "waiting for the gateway: " end, "the line of progress", 60)
      os.execute("kill -TERM " .. pid)
      process.wait_for(function() return read(out):find "stopped" end, "the end after SIGTERM", 20)
      assert.matches("0 sent, 0 failed, 0 uncertain", read(out))
      assert.matches("stopping after the messages in flight", read(out))
    end)

    it("reports errors as JSON lines", function()
      local path = write("json.csv", table_of(2))
      emulator:fail_next { code = 1013 }
      local result = run("bulk", path, "--template", "order_update", "--language", "en", "--json", "--concurrency", "1")
      assert.equal(1, result.code)
      local lines = {}
      for line in result.out:gmatch "[^\n]+" do lines[#lines + 1] = assert(core.decode(line)) end
      assert.equal(3, #lines)
      assert.equal(1, lines[3].failed)
      assert.equal(1, lines[3].sent)
    end)

    it("continues after it was killed, and repeats uncertain rows on request", function()
      local path = write("killed.csv", table_of(60))
      local arguments = { "bulk", path, "--template", "order_update", "--language", "en", "--rate", "25" }
      local function numbers(of)
        local sent, uncertain, before = of.out:match "(%d+) sent, 0 failed, (%d+) uncertain, (%d+) done before"
        return tonumber(sent), tonumber(uncertain), tonumber(before)
      end
      emulator:fail_next { delay = 20, times = 1 } -- the response to one message is late
      local pipe = io.popen(("exec %s >/dev/null 2>&1 & echo $!"):format(command.line(environment, arguments)))
      local pid = pipe:read "*l"
      pipe:close()
      assert(emulator:wait(function()
        local journal = io.open(path .. ".journal")
        local text = journal and journal:read "*a" or ""
        if journal then journal:close() end
        return text:find "\nsent "
      end))
      os.execute("kill -9 " .. pid)
      arguments[#arguments] = "1000"
      local sent, uncertain, before = numbers(command.run(environment, arguments))
      assert.equal(60, sent + uncertain + before)
      assert.is_true(uncertain > 0 and sent > 0)
      arguments[#arguments + 1] = "--retry-maybe-sent"
      assert.same({ uncertain, 0, 60 - uncertain }, { numbers(command.run(environment, arguments)) })
    end)

    it("stops at Ctrl-C in a terminal with a journal from which the run continues", function()
      if not command.has_terminals() then return pending "this system gives out no pseudo-terminals" end
      local path = write("long.csv", table_of(200))
      local arguments = { "bulk", path, "--template", "order_update", "--language", "en", "--rate", "40" }
      local line = command.line(environment, arguments)
      -- After the first send the spec writes the byte of Ctrl-C, which the terminal turns into SIGINT.
      local over = quote(path .. ".over")
      local pipe = io.popen(("(until [ -s %s ]; do sleep 0.02; done; sleep 0.2; printf '\\003'; "
        .. "until [ -e %s ]; do sleep 0.02; done) | (TERM=xterm script -qec %s /dev/null 2>&1; touch %s)"):format(
        quote(path .. ".journal"), over, quote(line), over))
      local shown = pipe:read "*a"
      pipe:close()
      assert.matches("stopping after the messages in flight", shown)
      assert.matches("the same command continues the run", shown)
      assert.matches("\27%[K", shown)
      arguments[#arguments] = "1000"
      local rest = command.run(environment, arguments)
      local sent, before = rest.out:match "(%d+) sent, 0 failed, 0 uncertain, (%d+) done before"
      assert.equal(200, tonumber(sent) + tonumber(before))
      assert.is_true(tonumber(before) > 0 and tonumber(sent) > 0)
    end)
  end)

  it("listens for webhooks and prints their events", function()
    local port = process.free_port()
    local out = folder .. "/events"
    local pipe = io.popen(("%s >%s 2>&1 & echo $!"):format(
      command.line(environment, { "listen", "--port", tostring(port), "--json" }), out))
    local pid = pipe:read "*l"
    pipe:close()
    finally(function() os.execute("kill " .. pid) end)
    local text
    local function heard(words)
      return emulator:wait(function()
        local file = io.open(out)
        text = file and file:read "*a" or ""
        if file then file:close() end
        return text:find(words, 1, true)
      end)
    end
    assert(heard "listening at")
    local client = waba.client(emulator:options {})
    assert(client.webhook:set { url = "http://127.0.0.1:" .. port .. "/" })
    emulator:customer("491511234567", { name = "Eva" }):text "Is it ready?"
    assert(heard "Is it ready")
    client:close()
    local event = assert(core.decode(text:match "{[^\n]*Is it ready[^\n]*}"))
    assert.equal("message", event.kind)
    assert.equal("491511234567", event.from)
  end)
end)
