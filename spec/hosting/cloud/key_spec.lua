-- The API key is sent to the gateway only. Another server, whose certificate is trusted, records the requests that it
-- receives.

local random = require "spec.support.random"
local cloud_gateway = require "spec.support.cloud_gateway"
local media = require "waba.hosting.cloud.media"
local secrets = require "spec.support.secrets"
local waba = require "waba"

local ID = "7781230045"
local PLACE = "/whatsapp_business/attachments/"
local HOST = "https://lookaside.fbsbx.com"

local read_file = require("spec.support.documents").read

describe("the key", function()
  local gateway, elsewhere, plain, client, ca_file

  setup(function()
    gateway, elsewhere = cloud_gateway.start(), cloud_gateway.start()
    plain = cloud_gateway.start { tls = false }
    ca_file = os.tmpname()
    local file = assert(io.open(ca_file, "wb"))
    file:write(read_file(gateway.ca_file), read_file(elsewhere.ca_file))
    file:close()
    client = cloud_gateway.client(gateway, { ca_file = ca_file, connect_timeout = 1, timeout = 2 })
  end)

  teardown(function()
    client:close()
    for _, server in ipairs { gateway, elsewhere, plain } do server:stop() end
    os.remove(ca_file)
  end)

  before_each(function()
    gateway:forget()
    gateway:respond(PLACE, { body = "hello" })
  end)

  local function describe_file(url)
    gateway:respond("/" .. ID, cloud_gateway.json { url = url, mime_type = "image/jpeg", id = ID })
  end

  local function nothing_elsewhere()
    assert.equal(0, elsewhere:connections())
    assert.equal(0, plain:connections())
  end

  it("is sent to a trusted server if the server is the base_url, so the tests below would detect a sent key", function()
    local other = cloud_gateway.client(elsewhere, { ca_file = ca_file })
    assert(other:request { path = "/probe" })
    assert.equal(cloud_gateway.KEY, elsewhere:received("/probe")[1].headers["d360-api-key"])
    other:close()
    elsewhere:forget()
    assert.equal(0, elsewhere:connections())
  end)

  -- Returns URLs that are similar to those of the gateway, but are invalid or have another host.
  local function strangers()
    local other = "127.0.0.1:" .. elsewhere.port
    local list = {
      elsewhere.url .. PLACE, plain.url .. PLACE, gateway.url .. PLACE, "https://" .. other .. "/lookaside.fbsbx.com/",
      "http://lookaside.fbsbx.com" .. PLACE, "//lookaside.fbsbx.com" .. PLACE, PLACE, "", "https://", "lookaside.fbsbx.com" .. PLACE,
      "HTTPS://lookaside.fbsbx.com" .. PLACE, "https://LOOKASIDE.fbsbx.com" .. PLACE,
      HOST .. ":443" .. PLACE, HOST .. ":" .. elsewhere.port .. PLACE, HOST .. "." .. PLACE, HOST .. ".evil.example" .. PLACE,
      "https://lookaside.fbsbx.com@" .. other .. PLACE, "https://user:pass@lookaside.fbsbx.com" .. PLACE,
      "https://" .. other .. "#@lookaside.fbsbx.com" .. PLACE, "https://" .. other .. "\\@lookaside.fbsbx.com" .. PLACE,
      HOST .. "@" .. other .. PLACE, HOST .. "\\@" .. other .. PLACE, HOST .. "#@" .. other .. PLACE,
      HOST .. "?@" .. other .. PLACE, HOST .. "%40" .. other .. PLACE, HOST .. "\t@" .. other .. PLACE,
      HOST .. "//" .. other .. PLACE, HOST .. "/\\" .. other .. PLACE, HOST .. "\\/" .. other .. PLACE,
      HOST .. "/../messages", HOST .. "/a/%2e%2E/messages", HOST .. "/./messages", HOST .. "/a/.", HOST .. "/a/..?x",
      HOST .. "/a b", HOST .. "/a\r\nX-Evil: 1", HOST .. "/a\0b", HOST .. "/a#b", HOST .. "/ü", HOST, HOST .. "/", HOST .. "evil/",
      " " .. HOST .. PLACE, "https:/lookaside.fbsbx.com" .. PLACE, "https:lookaside.fbsbx.com" .. PLACE,
      "https:\\\\lookaside.fbsbx.com" .. PLACE, "https://lookaside\0.fbsbx.com/", "https://evil-lookaside.fbsbx.com" .. PLACE,
      "https://lookaside.fbsbx.com\n.evil.example/", "file:///etc/passwd", "ftp://lookaside.fbsbx.com" .. PLACE,
    }
    return list
  end

  it("is not sent to any other host in a response", function()
    for _, url in ipairs(strangers()) do
      gateway:forget()
      describe_file(url)
      local download, err = client.media:download(ID)
      assert.is_nil(download)
      assert.equal("protocol", err.kind, url)
      assert.is_false(err.maybe_sent)
      assert.equal(1, gateway:count(), url)
    end
    for _, url in ipairs { false, 7, {} } do
      describe_file(url)
      assert.equal("protocol", select(2, client.media:download(ID)).kind)
    end
    nothing_elsewhere()
  end)

  it("is not sent to any other host in a webhook", function()
    for _, url in ipairs(strangers()) do
      local download, err = client.media:download(ID, { url = url })
      assert.is_nil(download)
      assert.equal("url", err.path)
      assert.is_nil(err.message:find(url, 1, true) and url ~= "" and #url > 30 or nil)
    end
    assert.equal(0, gateway:count())
    nothing_elsewhere()
  end)

  -- Parts of random URLs: usual ones, and some that attackers use.
  local PIECES = {
    "https://", "http://", "HTTPS://", "lookaside.fbsbx.com", "LOOKASIDE.FBSBX.COM", "evil.example", "/", "//", "\\", "@", ":", "#",
    "?", "%2F", "%40", "%00", "..", ".", "mid=1", "&hash=ATvX", "whatsapp_business/attachments/", ":443", " ", "\t", "\r\n", "\0",
    "ü", "[::1]", "user:pass@", ";", "localhost", "127.0.0.1",
  }

  it("is not sent to random URLs, and accepted URLs are requested byte for byte", function()
    local rng, passed = random.rng(20260), 0
    for i = 1, 6000 do
      local parts = i % 2 == 0 and { HOST, "/" } or {}
      for _ = 1, rng(1, 7) do parts[#parts + 1] = random.pick(rng, PIECES) end
      local url = table.concat(parts)
      local target = media.target_of(url)
      if target then
        passed = passed + 1
        target = "/" .. target
        assert.equal(HOST .. target, url)
        assert.truthy(target:find("^/[^/]"), url)
        assert.is_nil(target:find("[%c%s\\#\128-\255]"), url)
        assert.is_nil((target:match("^[^?]*") .. "/"):find("/%.%.?/"), url)
        if passed % 15 == 0 then
          gateway:forget()
          client.media:download(ID, { url = url })
          local request = gateway:received()[1]
          local query = request.query and request.query ~= "" and "?" .. request.query or ""
          assert.equal(target:gsub("^([^?]*)%?$", "%1"), request.path .. query)
        end
      end
    end
    assert.is_true(passed > 150)
    nothing_elsewhere()
  end)

  it("is not sent by a redirect, because no redirect is followed", function()
    describe_file(HOST .. PLACE .. "?mid=1")
    for i, status in ipairs { 301, 302, 303, 307, 308 } do
      for _, location in ipairs { i % 2 == 0 and plain.url .. "/stolen" or elsewhere.url .. "/stolen" } do
        local redirect = { status = status, headers = { { "location", location } }, body = "" }
        for path, call in pairs {
          ["/messages"] = function() return client:send("4915112345678", waba.text "Hi") end,
          ["/marketing_messages"] = function()
            return client:send("4915112345678", waba.template { name = "a", language = "de" }, { marketing = true })
          end,
          [PLACE] = function() return client.media:download(ID) end,
          ["/media"] = function() return client.media:upload { data = "x", type = "image/png" } end,
          ["/uploads"] = function() return client.media:resumable { data = "x", type = "image/png" } end,
          ["/health_status"] = function() return client:phone_number() end,
          ["/any"] = function() return client:request { path = "/any" } end,
        } do
          gateway:respond(path, redirect)
          local result, err = call()
          assert.is_nil(result)
          assert.equal("protocol", err.kind, path)
          assert.equal(status, err.status)
          gateway:respond(path, { body = "hello" })
        end
        gateway:respond("/" .. ID, redirect)
        assert.equal("protocol", select(2, client.media:info(ID)).kind)
        describe_file(HOST .. PLACE .. "?mid=1")
      end
    end
    nothing_elsewhere()
  end)

  it("is not in an error and not in any other value of the client", function()
    local key = "D360-" .. os.time() .. "-SECRET"
    local holder = cloud_gateway.client(gateway, { api_key = key, ca_file = ca_file })
    gateway:respond("/messages", cloud_gateway.refusal(131009, 400, { error_data = { details = "Button title" } }))
    local _, err = holder:send("4915112345678", waba.text "Hi")
    assert.is_nil(secrets.find(key, err))
    describe_file(elsewhere.url)
    _, err = holder.media:download(ID)
    assert.is_nil(secrets.find(key, err))
    assert.is_nil(secrets.find(key, holder))
    assert.equal(key, gateway:received("/messages")[1].headers["d360-api-key"])
    holder:close()
  end)
end)
