-- A client with the option `proxy`: the requests to the proxy, the errors when the proxy refuses, and that no error
-- contains its user name and password.

local encoding = require "waba.encoding"
local process = require "spec.support.process"
local server = require "spec.support.server"
local support = require "spec.support.bulk"
local waba = require "waba"

local NUMBER, SECRET = "4915112345678", "s3cr3t"
local GATEWAY, TARGET = "https://gateway.example", "gateway.example:443"
local INTERPRETER = rawget(_G, "jit") and "luajit" or _VERSION:gsub("Lua ", "lua")

local INVALID = {
  "http://u:s3cr3t@[::1", "u:s3cr3t@[::1", "http://u:s3cr3t@proxy.example:99999", "http://u:s3cr3t@",
  "http://u:s3/cr3t@proxy.example", "http://u:12/s3cr3t@proxy.example", "http://u:s3cr3t @proxy.example",
  "ftp://u:s3cr3t@proxy.example", "s3cr3t://proxy.example",
}
local VALID = {
  "http://u:s3cr3t@127.0.0.1:3128", "https://u:s3cr3t@proxy.example", "socks5h://u:s3cr3t@[::1]:1080", "127.0.0.1:3128",
  "u:s3%2Fcr3t@proxy.example", "",
}

-- Returns all texts of an error, of the events of `on_event`, and of the client as one text.
local function shown(...)
  local words = {}
  for _, value in ipairs { ... } do
    words[#words + 1] = tostring(value)
    if type(value) == "table" then
      for name, field in pairs(value) do words[#words + 1] = tostring(name) .. " " .. tostring(field) end
    end
  end
  return table.concat(words, "\n")
end

describe("a proxy", function()
  local client, events

  local function new_client(proxy, options)
    local merged = {
      api_key = "key", base_url = GATEWAY, proxy = proxy, pace = false, retry = { attempts = 4, base = 0.001 },
      on_event = function(event) events[#events + 1] = shown(event, event.err) end,
    }
    for name, value in pairs(options or {}) do merged[name] = value end
    client = waba.client(merged)
    return client
  end

  before_each(function() events = {} end)
  after_each(function()
    if client then client:close() end
    client = nil
  end)

  describe("in the URL of an option", function()
    it("is refused if the URL is not valid; the error does not contain it", function()
      for _, url in ipairs(INVALID) do
        local made, err = pcall(new_client, url)
        assert.is_false(made, url)
        assert.matches("option proxy: ", err, 1, true)
        assert.is_nil(err:find("s3", 1, true), err)
        assert.is_nil(err:find("cr3t", 1, true), err)
      end
    end)

    it("is accepted if libcurl can use it", function()
      for _, url in ipairs(VALID) do
        assert.is_nil(shown(new_client(url)):find("cr3t", 1, true))
        client:close()
      end
    end)
  end)

  it("is reported if the environment contains an invalid URL; the error does not contain it", function()
    local program = ([[
      local waba = require "waba"
      local client = waba.client { api_key = "key", base_url = "%s", retry = false }
      local _, err = client:send("%s", waba.text "Hi")
      print(err, err.path, err.retryable, err.maybe_sent)
    ]]):format(GATEWAY, NUMBER)
    for _, url in ipairs { "http://u:s3cr3t@[::1", "ftp://u:s3cr3t@proxy.example" } do
      local output = process.run(("https_proxy=%s %s -e %s 2>&1"):format(process.quote(url), INTERPRETER,
        process.quote(program)))
      assert.equal("invalid: the URL of the proxy in the environment is not valid: expected http://host:port\tproxy\tfalse\tfalse", output)
    end
  end)

  describe("that refuses", function()
    local proxy

    setup(function() proxy = server.start { tls = false } end)
    teardown(function() proxy:stop() end)
    before_each(function()
      proxy:forget()
      proxy:respond(TARGET, { status = 407, headers = { { "Proxy-Authenticate", 'Basic realm="proxy"' } } })
    end)

    local function url() return ("http://user:%s@127.0.0.1:%d"):format(SECRET, proxy.port) end

    local function assert_no_secret(err)
      local text = shown(err, client, client.transport) .. table.concat(events, "\n")
      assert.is_nil(text:find(SECRET, 1, true))
      assert.is_nil(text:find(encoding.basic("user", SECRET), 1, true))
    end

    it("user and password gets one request", function()
      local _, err = new_client(url()):send(NUMBER, waba.text "Hi")
      assert.equal("invalid", err.kind)
      assert.equal("proxy", err.path)
      assert.matches("the proxy refused the user or password", err.message, 1, true)
      assert.is_false(err.retryable)
      assert.is_false(err.maybe_sent)
      assert.equal(1, proxy:count(TARGET))
      assert.equal(encoding.basic("user", SECRET), proxy:received(TARGET)[1].headers["proxy-authorization"])
      assert_no_secret(err)
    end)

    it("user and password ends a run to many", function()
      new_client(url())
      local summary, err = client:send_all(support.source(50), { concurrency = 4 })
      assert.is_nil(summary)
      assert.equal("proxy", err.path)
      assert.equal(0, err.summary.done)
      assert.is_true(proxy:count(TARGET) <= 4)
      assert_no_secret(err)
    end)

    it("the gateway gets one request", function()
      for _, status in ipairs { 400, 403, 499 } do
        proxy:forget()
        proxy:respond(TARGET, { status = status })
        local _, err = new_client(url()):send(NUMBER, waba.text "Hi")
        assert.equal("proxy", err.path)
        assert.matches(("the proxy refused to connect to the gateway (HTTP %d)"):format(status), err.message, 1, true)
        assert.is_false(err.retryable)
        assert.equal(1, proxy:count(TARGET))
        client:close()
      end
    end)

    it("temporarily gets further requests", function()
      for _, status in ipairs { 399, 500, 503, 408, 425, 429 } do
        proxy:forget()
        proxy:respond(TARGET, { status = status })
        local _, err = new_client(url()):send(NUMBER, waba.text "Hi")
        assert.equal("network", err.kind)
        assert.is_true(err.retryable)
        assert.is_false(err.maybe_sent)
        assert.equal(4, proxy:count(TARGET))
        assert_no_secret(err)
        client:close()
      end
    end)
  end)

  it("over SOCKS user and password gets one request", function()
    local proxy = server.start { tls = false, behaviour = "socks" }
    for _, scheme in ipairs { "socks5", "socks5h" } do
      proxy:forget()
      local _, err = new_client(("%s://user:%s@127.0.0.1:%d"):format(scheme, SECRET, proxy.port),
        { base_url = "https://192.0.2.1" }):send(NUMBER, waba.text "Hi")
      assert.equal("proxy", err.path)
      assert.matches("the proxy refused the user or password", err.message, 1, true)
      assert.is_false(err.retryable)
      assert.equal(1, proxy:connections())
      client:close()
    end
    proxy:stop()
  end)
end)
