local core = require "waba.core"
local scripted_transport = require "spec.support.scripted_transport"

local BASE = "https://waba-v2.360dialog.io"

local cloud = scripted_transport.cloud_client

local DONE = { body = '{"message":"Webhook URL set"}' }

describe("client.webhook of Cloud hosting", function()
  it("sets the number's URL and reads it", function()
    local client, transport = cloud {
      { body = '{"url":"https://a.example/h?x=1","headers":{"Authorization":"Basic dTpw"}}' },
      { body = '{"url":"https://a.example/h?x=1","headers":{}}' }, { status = 404, body = "{}" },
    }
    assert.same({ url = "https://a.example/h?x=1", headers = { Authorization = "Basic dTpw" } },
      client.webhook:set { url = "https://a.example/h?x=1", user = "u", password = "p" })
    assert.same({ url = "https://a.example/h?x=1", headers = { Authorization = "Basic dTpw" } },
      core.decode(transport.requests[1].body))
    assert.equal(BASE .. "/v1/configs/webhook", transport.requests[1].url)
    assert.equal("https://a.example/h?x=1", client.webhook:get().url)
    assert.same({ headers = {} }, client.webhook:get())
  end)

  local bad = {
    "http://a.example/h", "https://my_hooks.example/h", "https://a.b_c.example/h", "https://a.example:8443/h",
    "https://a.example:443/h", "https://a.example:/h", "https://u:p@a.example/h", "ftp://a.example/h", "a.example",
    "https://a.example/" .. ("x"):rep(2031), "https://[2001:db8::1]:8443/h",
  }
  local good = {
    "https://a.example", "https://a.example/my_hooks?a_b=1:2", "https://a-b.example/h", "HTTPS://A.example/h",
    "https://a.example/x:8443", "https://203.0.113.15/h", "https://hooks.example7", "http://127.0.0.1/h",
    "https://[2001:db8::1]/h", "https://a.example/?u=https://b_c.example:1/", "http://127.0.0.1:8080/h",
    "http://localhost:8080/my_hook", "http://[::1]:8080/h", "https://a.example/" .. ("x"):rep(2030),
  }

  it("refuses URLs that the gateway can't call, before anything is sent", function()
    local client, transport = cloud {}
    for _, url in ipairs(bad) do
      for _, set in ipairs { "set", "set_account" } do
        local stored, err = client.webhook[set](client.webhook, { url = url })
        assert.is_nil(stored, url)
        assert.equal("invalid", err.kind, url)
        assert.equal("url", err.path, url)
      end
    end
    assert.equal(0, #transport.requests)
    for _, url in ipairs(good) do
      client = cloud { { body = "{}" } }
      local stored, err = client.webhook:set { url = url }
      assert.is_truthy(stored, url:sub(1, 60) .. ": " .. tostring(err))
    end
  end)

  it("leaves the check of On-Premise URLs to the gateway", function()
    local client = scripted_transport.client { { body = "{}" } }
    assert.is_truthy(client.webhook:set { url = "https://my_hooks.example:8443/h" })
  end)

  it("sets the account's URL, which takes effect a little later", function()
    local client, transport = cloud {
      DONE, DONE, { body = '{"url":"https://a.example/h","headers":null}' }, { status = 404, body = "{}" },
    }
    assert.is_true(client.webhook:set_account { url = "https://a.example/h" })
    assert.is_true(client.webhook:set_account { url = "https://a.example/h", headers = { A = "1" }, override_all = true })
    assert.equal(BASE .. "/waba_webhook", transport.requests[1].url)
    assert.same({ url = "https://a.example/h", override_all = false }, core.decode(transport.requests[1].body))
    assert.same({ url = "https://a.example/h", headers = { A = "1" }, override_all = true },
      core.decode(transport.requests[2].body))
    assert.same({ url = "https://a.example/h", headers = {} }, client.webhook:account())
    assert.same({ headers = {} }, client.webhook:account())
    assert.error_matches(function() client.webhook:set_account {} end, "option url is required")
    assert.error_matches(function() client.webhook:set { url = "x", override_all = true } end, "unknown option override_all")
  end)

  describe("further destinations", function()
    local function destination(name, more)
      local result = { name = name, url = "https://" .. name .. ".example/h" }
      for key, value in pairs(more or {}) do result[key] = value end
      return result
    end

    it("are read", function()
      local client, transport = cloud {
        { body = '{"enabled":true,"destinations":[{"name":"a","url":"https://a.example/h","headers":{"X":"1"}}]}' },
        { body = '{"enabled":false,"destinations":null}' }, { status = 404, body = '{"error":"Not found"}' },
      }
      assert.same({ enabled = true, destinations = { { name = "a", url = "https://a.example/h", headers = { X = "1" } } } },
        client.webhook:destinations())
      for _ = 1, 2 do assert.same({ enabled = false, destinations = {} }, client.webhook:destinations()) end
      assert.equal(BASE .. "/multi_webhook", transport.requests[1].url)
    end)

    it("are replaced, added and changed", function()
      local client, transport = cloud { DONE, DONE, DONE, DONE }
      assert.is_true(client.webhook:set_destinations {
        destinations = { destination("a", { user = "u", password = "p" }), destination "b", destination "c" },
      })
      assert.is_true(client.webhook:add_destination(destination "d"))
      assert.is_true(client.webhook:update_destination(destination("d", { headers = { X = "1" } })))
      assert.is_true(client.webhook:set_destinations { enabled = false, destinations = {} })
      local methods = {}
      for i, request in ipairs(transport.requests) do methods[i] = request.method end
      assert.same({ "POST", "PUT", "PATCH", "POST" }, methods)
      assert.same({
        enabled = true,
        destinations = { destination("a", { headers = { Authorization = "Basic dTpw" } }), destination "b", destination "c" },
      }, core.decode(transport.requests[1].body))
      assert.same({ destinations = { destination "d" } }, core.decode(transport.requests[2].body))
      assert.same(destination("d", { headers = { X = "1" } }), core.decode(transport.requests[3].body))
      local last = transport.requests[4].body
      assert.same({ enabled = false, destinations = {} }, core.decode(last))
      assert.matches('"destinations":[]', last, 1, true)
    end)

    it("return the gateway's error", function()
      local client = cloud { { status = 409, body = '{"error":"Destination with this name already exists"}' } }
      local added, err = client.webhook:add_destination(destination "a")
      assert.is_nil(added)
      assert.equal("api", err.kind)
      assert.truthy(err.message:find("already exists", 1, true))
    end)

    it("are at most three, with different names and valid URLs", function()
      local client, transport = cloud {}
      local a, b = destination "a", destination "b"
      for _, fault in ipairs {
        { "destinations", { a, b, destination "c", destination "d" } }, { "destinations[2].name", { a, a } },
        { "destinations[2].url", { a, destination("b", { url = "http://b.example" }) } },
        { "destinations[1].name", { destination("a", { name = "" }) } },
        { "destinations[1].headers.X", { destination("a", { headers = { X = "1\n2" } }) } },
        { "destinations[1].password", { destination("a", { user = "u" }) } },
      } do
        local set, err = client.webhook:set_destinations { destinations = fault[2] }
        assert.is_nil(set)
        assert.equal(fault[1], err.path)
      end
      assert.equal("url", select(2, client.webhook:add_destination(destination("a", { url = "https://a_b.example" }))).path)
      assert.equal(0, #transport.requests)
      assert.error_matches(function() client.webhook:set_destinations {} end, "destinations is required")
      assert.error_matches(function() client.webhook:set_destinations { destinations = { { name = "a" } } } end,
        "destinations%[1%]: option url is required")
      assert.error_matches(function() client.webhook:add_destination() end, "option name is required")
    end)
  end)
end)
