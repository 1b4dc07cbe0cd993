-- A client over HTTP/2 to the emulator through a real nginx.

local nginx = require "spec.support.nginx"
local waba = require "waba"

local MB = 1024 * 1024
local NUMBER = "4915112345678"

describe("a client over HTTP/2", function()
  local emulator, proxies, client, protocols

  local function client_of(proxy, hosting)
    return waba.client {
      api_key = hosting == "cloud" and emulator.cloud.api_key or emulator.api_key, hosting = hosting,
      base_url = proxy.url, ca_file = proxy.ca_file, retry = false, pace = false,
      on_event = function(event)
        if event.protocol then protocols[event.protocol] = true end
      end,
    }
  end

  lazy_setup(function()
    emulator = assert(waba.emulator.start { statuses = false, tls = false })
    proxies = { nginx.http2_proxy(emulator.url), nginx.http2_proxy(emulator.cloud.url) }
  end)
  before_each(function()
    protocols = {}
    client = client_of(proxies[1])
  end)
  after_each(function() client:close() end)
  lazy_teardown(function()
    for _, proxy in ipairs(proxies) do proxy.stop() end
    emulator:stop()
  end)

  it("sends 200 messages at once, each once", function()
    local before = emulator:counts().messages
    local ids, count = {}, 0
    waba.run(function()
      for _ = 1, 200 do
        waba.spawn(function() ids[assert(client:send(NUMBER, waba.text "x")).id] = true end)
      end
    end)
    assert.equal(before + 200, emulator:counts().messages)
    for _, message in ipairs(emulator:messages { direction = "outbound", since = before }) do
      if ids[message.id] then count = count + 1 end
    end
    assert.equal(200, count)
    assert.same({ ["HTTP/2"] = true }, protocols)
  end)

  it("reads more than a hundred different response heads on one connection", function()
    local cloud = client_of(proxies[2], "cloud")
    for i = 1, 130 do -- each response has another length
      local _, err = cloud:request { method = "POST", path = "/message_templates/" .. ("9"):rep(i), body = {} }
      assert.equal("not_found", err.kind, i)
    end
    cloud:close()
    assert.same({ ["HTTP/2"] = true }, protocols)
  end)

  it("sends the next request after a path that nginx refuses as too long", function()
    local _, err = client:request { method = "GET", path = "/v1/" .. ("a"):rep(20000) }
    assert.equal(431, err.status)
    assert.is_table(client:request { method = "GET", path = "/v1/health" })
    assert.same({ ["HTTP/2"] = true }, protocols)
  end)

  it("downloads more than the windows of HTTP/2, on a reused connection", function()
    local large = ("0123456789abcdef"):rep(36 * MB / 16)
    local id = assert(client.media:upload { data = large, type = "application/pdf" }).id
    local list, size = emulator:received { method = "POST", path = "/v1/media" }, 0
    local got = assert(client.media:download(id, { sink = function(piece) size = size + #piece end }))
    assert.equal(#large, size)
    assert.equal(list[#list].sha256, got.sha256)
    assert.is_true(client.media:delete(id))
    assert.same({ ["HTTP/2"] = true }, protocols)
  end)
end)
