-- The output of successful commands: lines for people, and JSON for scripts.

local command = require "spec.support.command"
local core = require "waba.core"
local waba = require "waba"

local NULL = core.null

describe("the result of", function()
  local emulator, environments

  setup(function()
    emulator = assert(waba.emulator.start { statuses = false })
    local cloud = command.environment(emulator)
    cloud.WABA_HOSTING, cloud.WABA_BASE_URL, cloud.D360_API_KEY = "cloud", emulator.cloud.url, emulator.cloud.api_key
    environments = { on_premise = command.environment(emulator), cloud = cloud }
  end)

  teardown(function() emulator:stop() end)

  local function run(hosting, line)
    local arguments = {}
    for word in line:gmatch "%S+" do arguments[#arguments + 1] = (word:gsub("~", " "):gsub("''", "")) end
    return command.run(environments[hosting], arguments)
  end

  -- Runs the command of each row and compares its output with the second element: a text, or a table that the command
  -- must print as JSON. The third element is the exit code.
  local function expect(hosting, rows)
    for _, row in ipairs(rows) do
      local line, expected = row[1], row[2]
      local result = run(hosting, line .. (type(expected) == "table" and " --json" or ""))
      assert.equal(row[3] or 0, result.code, line .. ": " .. result.err)
      assert.same(expected, type(expected) == "table" and assert(result.json, line) or result.out, line)
    end
  end

  it("media", function()
    local id = run("on_premise", "media up README.md").out:match "^(%S+)\n$"
    local copy = os.tmpname()
    finally(function() os.remove(copy) end)
    local file = assert(io.open "README.md")
    local size = file:seek "end"
    file:close()
    local down = run("on_premise", "media down " .. id .. " " .. copy)
    assert.equal(("%s  text/markdown  %d bytes\n"):format(copy, size), down.out)
    assert.equal(size, run("on_premise", "media down " .. id .. " " .. copy .. " --json").json.size)
    expect("on_premise", { { "media rm " .. id, "deleted\n" } })
    id = run("on_premise", "media up README.md --json").json.id
    expect("on_premise", { { "media rm " .. id, { deleted = id } } })
    local gone = run("on_premise", "media rm " .. id .. " --json")
    assert.same({ 1, 1006, 404, "not_found", false, false }, { gone.code, gone.json.error.code, gone.json.error.status,
      gone.json.error.kind, gone.json.error.retryable, gone.json.error.maybe_sent })
  end)

  it("number, contacts, health", function()
    expect("on_premise", {
      { "number", emulator.number .. "\n" }, { "number", { number = emulator.number } },
      { "contacts check +49~151~1234567", "+49 151 1234567  valid  491511234567\n" },
      { "contacts check +49~151~1234567", { { input = "+49 151 1234567", status = "valid", wa_id = "491511234567" } } },
      { "health", "connected\n" },
    })
    assert.matches("^AVAILABLE\n  PHONE_NUMBER:%d+  AVAILABLE\n", run("cloud", "health").out)
    emulator.cloud:health { status = "BLOCKED" }
    finally(function() emulator.cloud:health {} end)
    local ill = run("cloud", "health")
    assert.equal(1, ill.code)
    assert.matches("^BLOCKED\n", ill.out)
  end)

  it("profile", function()
    local both = { "https://a.example", "https://b.example" }
    expect("on_premise", {
      { "profile about Glasses", "set\n" }, { "profile about Shoes", { about = "Shoes" } },
      { "profile about", "Shoes\n" }, { "profile about", { about = "Shoes" } },
      { "profile business --email a@b.example --website https://a.example --website https://b.example",
        "email:     a@b.example\nwebsites:  https://a.example, https://b.example\n" },
      { "profile business", { email = "a@b.example", websites = both } },
      { "profile show", { about = "Shoes", business = { email = "a@b.example", websites = both } } },
      { "profile business --website ''", "email:  a@b.example\n" },
      { "profile show", "about:  Shoes\nemail:  a@b.example\n" },
      { "profile photo --save /nowhere.jpg", "", 1 },
    })
  end)

  it("webhook", function()
    expect("on_premise", {
      { "webhook get", "url:  none\n" }, { "webhook get", { url = NULL } },
      { "webhook set https://a.example/wa --header X-B=1 --header X-A=2", "webhooks go to https://a.example/wa\n" },
      { "webhook get", "url:  https://a.example/wa\nheaders:  X-A, X-B\n" },
      { "webhook get", { url = "https://a.example/wa", headers = { "X-A", "X-B" } } },
      { "webhook set https://b.example/wa", { url = "https://b.example/wa" } },
      { "webhook get", { url = "https://b.example/wa" } },
    })
  end)

  it("templates", function()
    expect("on_premise", {
      { "templates list --status rejected", "no templates\n" }, { "templates list --status rejected", {} },
      { "templates show nothing", "", 1 },
    })
    local list = run("on_premise", "templates list --json").json
    assert.is_true(#list > 2)
    assert.equal(#list, select(2, run("on_premise", "templates list").out:gsub("\n", "")))
    local shown = run("on_premise", "templates show order_ready").out
    assert.matches("\n  BUTTONS \n    %[QUICK_REPLY%] I am coming \n    %[URL%] See the order https://shop.example/orders/{{1}}\n",
      shown)
    assert.equal(2, #run("on_premise", "templates show order_ready --json").json)
    expect("on_premise", { { "templates rm invoice", "deleted\n" }, { "templates rm order_ready", { deleted = "order_ready" } } })
  end)

  it("explain", function()
    expect("on_premise", {
      { "explain 470", "470 Re-engagement message\nMore than 24 hours have passed since the customer's last message.\n"
        .. "Send a template.\nkind:       window\nretryable:  no\n" },
      { "explain 131000", "131000 Something went wrong\nAn unknown failure.\nTry again, a few times only.\n"
        .. "kind:       unavailable\nretryable:  yes, later\n" },
    })
    assert.equal("window", run("on_premise", "explain 470 --json").json.kind)
  end)

  it("request", function()
    expect("on_premise", {
      { "request get /v1/configs/phone_number", { phone_number = emulator.number } },
      { "request GET /v1/nothing", "", 1 }, { "request GET v1", "", 2 }, { "request G3T /v1", "", 2 },
      { "request GET /v1/media --query name", "", 2 },
    })
  end)

  it("block", function()
    assert(emulator:customer("+49 151 7770002"):text "Hi")
    for _, number in ipairs { "1", "2" } do assert(emulator.cloud:customer("+49 151 777001" .. number):text "Hi") end
    expect("on_premise", {
      { "block +49~151~7770002 --reason rude", "blocked  +49 151 7770002\n" },
      { "block +49~151~7770002 --reason rude", { users = { { input = "+49 151 7770002" } } } },
      { "block +49~151~7770002", "", 2 }, { "block --list --remove", "", 2 },
      { "block --list +49~151~7770002", "", 2 }, { "block 491517770002 491517770003 --reason rude", "", 2 },
    })
    expect("cloud", {
      { "block --list", "" }, { "block --list", {} }, { "block 491517770011 --reason rude", "", 2 },
      { "block 491517770011 491517770012", "blocked  +491517770011\nblocked  +491517770012\n" },
      { "block --remove 491517770012", { users = { { input = "+491517770012", wa_id = "491517770012" } }, failed = {} } },
      { "block --list", "491517770011\n" }, { "block --list", { { wa_id = "491517770011" } } },
    })
    local failed = run("cloud", "block 491517770099 --json")
    assert.equal(1, failed.code)
    assert.equal("+491517770099", failed.json.failed[1].input)
  end)

  it("qr", function()
    local made = run("cloud", "qr create Hi --image png").out
    local code = made:match "^code:   (%w+)\n"
    local link = "https://wa.me/message/" .. code
    assert.matches("\nlink:   " .. link .. "\ntext:   Hi\nimage:  https://[^\n]+\n$", made)
    expect("cloud", {
      { "qr list", code .. "  " .. link .. "  Hi\n" },
      { "qr delete " .. code, { code = code, deleted = true } }, { "qr delete " .. code, "", 1 },
      { "qr list", "" }, { "qr list", {} },
    })
    code = run("cloud", "qr create Hi --json").json.code
    link = "https://wa.me/message/" .. code
    expect("cloud", {
      { "qr edit " .. code .. " Ho", ("code:  %s\nlink:  %s\ntext:  Ho\n"):format(code, link) },
      { "qr edit " .. code .. " Hu", { code = code, deep_link_url = link, prefilled_message = "Hu" } },
      { "qr delete " .. code, "deleted " .. code .. "\n" } })
  end)
end)
