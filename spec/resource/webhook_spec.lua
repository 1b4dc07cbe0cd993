local fixture = require "spec.support.resource_fixture"
local scripted_transport = require "spec.support.scripted_transport"

describe("client.webhook", function()
  local emulator, client, close

  setup(function() emulator, client, close = fixture.open() end)
  teardown(function() close() end)

  it("has no URL at first", function()
    assert.same({ headers = {} }, client.webhook:get())
  end)

  it("sets a URL with its headers, and reads it", function()
    local address = { url = "https://shop.example/hooks", headers = { ["X-Shop"] = "7" } }
    assert.same(address, client.webhook:set(address))
    assert.same(address, client.webhook:get())
  end)

  it("returns the URL of the response, or else the URL that was set", function()
    local scripted = scripted_transport.client {
      { body = "{}" }, { body = '{"url":null}' }, { body = '{"url":"https://shop.example/A","headers":{"B":1}}' },
    }
    for _ = 1, 2 do
      assert.same({ url = "https://shop.example/a", headers = {} }, scripted.webhook:set { url = "https://shop.example/a" })
    end
    assert.same({ url = "https://shop.example/A", headers = { B = "1" } }, scripted.webhook:set { url = "https://shop.example/a" })
  end)

  it("makes a Basic header from user and password", function()
    assert(client.webhook:set { url = "https://shop.example/hooks", user = "testuser", password = "testpass" })
    assert.same({ Authorization = "Basic dGVzdHVzZXI6dGVzdHBhc3M=" }, client.webhook:get().headers)
  end)

  it("replaces what was stored, headers included", function()
    assert(client.webhook:set { url = "https://shop.example/a", headers = { A = "1" } })
    assert(client.webhook:set { url = "https://shop.example/b" })
    assert.same({ url = "https://shop.example/b", headers = {} }, client.webhook:get())
  end)

  it("refuses a URL without TLS before anything is sent", function()
    local before = emulator:counts().requests
    local stored, err = client.webhook:set { url = "http://shop.example/hooks" }
    assert.is_nil(stored)
    assert.equal("invalid", err.kind)
    assert.equal("url", err.path)
    assert.equal(before, emulator:counts().requests)
  end)

  it("refuses headers whose values are not texts", function()
    for path, headers in pairs { ["headers.1"] = { "x" }, ["headers.A"] = { A = 1 } } do
      local stored, err = client.webhook:set { url = "https://shop.example/", headers = headers }
      assert.is_nil(stored)
      assert.same({ "invalid", path }, { err.kind, err.path })
    end
  end)

  it("refuses headers that could inject others", function()
    local stored, err = client.webhook:set { url = "https://shop.example/", headers = { A = "1\r\nB: 2" } }
    assert.is_nil(stored)
    assert.equal("headers.A", err.path)
    assert.equal("headers.A b", select(2, client.webhook:set {
      url = "https://shop.example/", headers = { ["A b"] = "1" },
    }).path)
  end)

  it("requires user and password together, and only one Authorization", function()
    assert.equal("password", select(2, client.webhook:set { url = "https://shop.example/", user = "u" }).path)
    assert.equal("headers.Authorization", select(2, client.webhook:set {
      url = "https://shop.example/", user = "u", password = "p", headers = { authorization = "Bearer x" },
    }).path)
    local stored, err = client.webhook:set { url = "https://shop.example/", user = "a:b", password = "geheim" }
    assert.is_nil(stored)
    assert.equal("user", err.path)
    assert.is_nil(tostring(err):find("geheim", 1, true))
  end)

  it("sets a URL to which the gateway posts webhooks", function()
    assert(client.webhook:set { url = "http://127.0.0.1:9/hooks", headers = { ["X-Shop"] = "7" } })
    emulator:customer("+49 151 1234567"):text "hello"
    assert(emulator:wait { attempts = 1 })
    local attempt = emulator:webhooks()[1]
    assert.equal("http://127.0.0.1:9/hooks", attempt.url)
    assert.equal("(hidden)", attempt.headers["x-shop"])
  end)

  it("reads every form of an empty setting", function()
    local scripted = scripted_transport.client {
      { body = "{}" }, { body = "null" }, { body = "" }, { body = '{"url":null,"headers":null}' },
      { status = 404, body = '{"meta":{"success":false,"http_code":404,"developer_message":"not found"}}' },
    }
    for _ = 1, 5 do assert.same({ headers = {} }, scripted.webhook:get()) end
  end)

  it("raises an error for wrong use", function()
    assert.error_matches(function() client.webhook:set { uri = "https://shop.example/" } end, "did you mean url%?")
    assert.error_matches(function() client.webhook:set {} end, "option url is required")
  end)
end)
