-- The server of the emulator's web page: its files, its token, its events, its access rules. spec/page/browser_spec.lua
-- tests the page in a browser.

local cjson = require "cjson"
local command = require "spec.support.command"
local process = require "spec.support.process"
local support = require "spec.support.emulator"
local waba = require "waba"

describe("the emulator's page", function()
  local emulator, address, origin, token

  setup(function()
    emulator = assert(support.start { statuses = { sent = 0 } })
    address = assert(emulator:page())
    origin, token = address:match "^(http://127%.0%.0%.1:%d+)/%?token=([%w_-]+)$"
  end)
  teardown(function() emulator:stop() end)

  -- Sends a request as a browser does, without an API key.
  local function request(method, path, body, headers)
    return support.request({ url = origin }, method, path, body, { key = false, headers = headers })
  end

  local function call(name, arguments, headers)
    local all = { ["x-waba-emulator"] = token }
    for field, value in pairs(headers or {}) do all[field] = value end
    return request("POST", "/on_premise/call/" .. name, arguments or { since = 0 }, all)
  end

  it("has a URL of its own, which does not change", function()
    assert.is_string(origin)
    assert.equal(address, emulator:page())
  end)

  it("serves its files, of at most 150 KB in all", function()
    local size = 0
    for name in process.run "cd emulator/waba/emulator/page && find . -type f ! -name '*.lua'":gmatch "%./([^\n]+)" do
      local path = name == "index.html" and "/?token=" .. token or "/" .. name
      local status, text = request("GET", path)
      if name ~= "vendor/LICENSES" then
        assert.equal(200, status, name)
        assert.equal(process.run("cat emulator/waba/emulator/page/" .. name), (text:gsub("%s+$", "")))
      end
      size = size + #text
    end
    assert.is_true(size > 0 and size <= 150 * 1024, size)
  end)

  it("allows only code of its own files in the page", function()
    local _, text, headers = request("GET", "/?token=" .. token)
    local policy = headers:get "content-security-policy"
    assert.matches("default%-src 'none'; script%-src 'self'; style%-src 'self'", policy)
    assert.is_nil(policy:find("unsafe", 1, true))
    assert.is_nil(text:find "<script[^>]*>[^<]" or text:find "<style" or text:find " on%a+=")
    assert.equal("no-referrer", headers:get "referrer-policy")
  end)

  it("reports a wrong token", function()
    for _, path in ipairs { "/", "/?token=wrong", "/events?token=wrong", "/media/on_premise/1?token=wrong" } do
      local status, text = request("GET", path)
      assert.equal(403, status, path)
      assert.matches("The token is wrong or missing", text)
    end
    assert.equal(403, (call("counts", nil, { ["x-waba-emulator"] = "wrong" })))
  end)

  it("refuses pages of other origins, and other names of this machine", function()
    assert.equal(200, (call("counts")))
    assert.equal(200, (call("counts", nil, { origin = origin })))
    for _, foreign in ipairs { "https://evil.example", "http://127.0.0.1:1", "null" } do
      assert.equal(403, (call("counts", nil, { origin = foreign })), foreign)
    end
    for _, host in ipairs { "evil.example", "evil.example:80", "127.0.0.1.evil.example" } do
      local status, text = request("GET", "/?token=" .. token, nil, { [":authority"] = host })
      assert.equal(403, status, host)
      assert.matches("a browser of this machine", text)
    end
  end)

  it("refuses other origins at the control port of programs too", function()
    local control, control_token = emulator.started.control, emulator.started.token
    local function ask(origin_of_page)
      return (support.request({ url = control }, "POST", "/on_premise/call/counts", { since = 0 }, { key = false,
        headers = { ["x-waba-emulator"] = control_token, origin = origin_of_page } }))
    end
    assert.equal(200, ask(nil))
    assert.equal(403, ask "https://evil.example")
  end)

  it("has no other files", function()
    for _, path in ipairs { "/init.lua", "/../main.lua", "/vendor/", "/%2e%2e/main.lua", "/x" } do
      assert.equal(404, (request("GET", path)), path)
    end
  end)

  -- Reads the page's events until one has the name `last`, and returns them decoded. Calls `act` when the connection is
  -- open.
  local function events_until(last, act)
    local stream = require("socket").tcp()
    assert(stream:connect("127.0.0.1", tonumber(origin:match "%d+$")))
    stream:settimeout(5)
    stream:send(("GET /events?token=%s HTTP/1.1\r\nHost: %s\r\n\r\n"):format(token, origin:match "//(.*)$"))
    local events, name = {}, nil
    repeat
      local line = assert(stream:receive "*l")
      name = line:match "^event: (.*)$" or name
      local data = line:match "^data: (.*)$"
      if data then
        events[name] = cjson.decode(data)
        if name == "snapshot" and act then act() end
      end
    until events[last]
    stream:close()
    return events
  end

  it("begins with a snapshot of the earlier events", function()
    local id = assert(emulator:customer("491511234567", { name = "Eva" }):text "Hello")
    local events = events_until "snapshot"
    local messages = events.snapshot.gateways.on_premise.message
    assert.equal(id, messages[#messages].id)
    assert.equal("on_premise", events.state.gateways[2].name)
    assert.equal("Eva", events.state.gateways[2].contacts[1].name)
    assert.equal(400, events.snapshot.codes.on_premise[1].code)
  end)

  it("sends messages, statuses and refused requests as they happen", function()
    local client = waba.client(emulator:options { retry = false, validate = false })
    local events = events_until("request", function() assert(client:send("491511234567", waba.text "Hi")) end)
    assert.equal("Hi", events.message.entry.content.body)
    assert.equal(events.message.entry.id, events.request.entry.id)
    events = events_until("request", function() client:send("491511234567", waba.text "") end)
    assert.equal(400, events.request.entry.status)
    assert.equal(1009, events.request.entry.error.code)
    assert.matches("text.body", events.request.entry.error.details)
    client:close()
  end)

  it("serves a customer's file so that a browser does not run the file", function()
    local _, uploaded = request("POST", "/on_premise/media", "<script>", { ["x-waba-emulator"] = token, ["content-type"] = "text/html" })
    local status, text, headers = request("GET", ("/media/on_premise/%s?token=%s"):format(uploaded.result, token))
    assert.same({ 200, "<script>" }, { status, text })
    assert.equal("application/octet-stream", headers:get "content-type")
    assert.equal("attachment", headers:get "content-disposition")
    assert.matches("sandbox", headers:get "content-security-policy")
  end)

  it("accepts a file of 100 MB", function()
    local status, uploaded = request("POST", "/on_premise/media", ("x"):rep(100 * 1024 * 1024),
      { ["x-waba-emulator"] = token, ["content-type"] = "application/pdf" })
    assert.equal(200, status)
    assert.is_string(uploaded.result)
  end)

  it("names a port that is in use", function()
    local other = assert(support.start { ui_port = tonumber(origin:match "%d+$") })
    local url, err = other:page()
    assert.is_nil(url)
    assert.matches("the web page of the emulator: cannot listen on 127.0.0.1 port %d+: Address already in use", err.message)
    other:stop()
    local _, reason = waba.emulator.start { ui = true, ui_port = tonumber(origin:match "%d+$") }
    assert.matches("Address already in use", reason.message)
  end)

  it("is started and named by waba emulator --ui", function()
    local result = command.run({}, { "emulator", "--ui", "--", "true" })
    assert.matches("# The page for your browser: http://127%.0%.0%.1:%d+/%?token=[%w_-]+\n", result.out)
    assert.equal(0, result.code)
  end)
end)
