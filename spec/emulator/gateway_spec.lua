-- The emulated On-Premise gateway except messages: the key, blocked and unknown paths, malformed requests, profile,
-- health, the 24-hour window, request rates, and the limits of 360dialog's sandbox.

local support = require "spec.support.emulator"

local function with(options, test)
  local emulator = assert(support.start(options))
  local ok, problem = pcall(support.run, function() test(emulator) end)
  emulator:stop()
  if not ok then error(problem, 0) end
end

describe("the gateway", function()
  local emulator

  lazy_setup(function() emulator = assert(support.start({ statuses = false })) end)
  lazy_teardown(function() emulator:stop() end)

  it("requires the key, in any spelling of its header", function()
    for _, key in ipairs({ false, "wrong", "" }) do
      local status, body = support.request(emulator, "GET", "/v1/health", nil, { key = key })
      assert.equal(401, status)
      assert.equal(401, body.meta.http_code)
      assert.is_false(body.meta.success)
      assert.is_string(body.meta.developer_message)
      assert.is_nil(body.errors)
    end
    assert.equal(200, (support.request(emulator, "GET", "/v1/health", nil,
      { version = 1.1, key = false, headers = { ["D360-Api-Key"] = emulator.api_key } })))
    assert.equal(401, (support.send(emulator, "text", { body = "x" }, nil, { key = "wrong" })))
  end)

  it("blocks the paths that 360dialog blocks", function()
    local paths = { "/v1/settings/application", "/v1/settings", "/v1/settings/account/two-step", "/v1/account",
      "/v1/account/verify", "/v1/certificates/external", "/v1/stats/core", "/metrics", "/v1/support", "/v1/users/login",
      "/v1/services/message/gc", "/v1/settings/business/compliance_info" }
    for _, path in ipairs(paths) do
      for _, method in ipairs({ "GET", "POST" }) do
        local status, body = support.request(emulator, method, path, method == "POST" and {} or nil)
        assert.equal(403, status, path)
        assert.equal(403, body.meta.http_code)
        assert.matches("blocked", body.meta.developer_message)
      end
    end
  end)

  it("does not have other paths", function()
    for _, path in ipairs({ "/", "/messages", "/v2/messages", "/v1/groups", "/v1/configs/other", "/v1/messages/a/b",
      "/v1/stickerpacks", "/v1/contacts/49/other", "/v1/accounts" }) do
      local status, body = support.request(emulator, "GET", path)
      assert.equal(404, status, path)
      assert.equal(404, body.meta.http_code)
    end
  end)

  it("accepts paths with and without a trailing slash", function()
    for _, path in ipairs({ "/v1/health", "/v1/health/", "/v1/configs/phone_number/" }) do
      assert.equal(200, (support.request(emulator, "GET", path)))
    end
    assert.equal(201, (support.request(emulator, "POST", "/v1/messages/", { to = "4915112345678", text = { body = "x" } })))
  end)

  it("refuses methods that a path does not have", function()
    for _, case in ipairs({ { "GET", "/v1/messages" }, { "DELETE", "/v1/messages/x" }, { "PUT", "/v1/health" },
      { "DELETE", "/v1/configs/webhook" } }) do
      local status, body = support.request(emulator, case[1], case[2])
      assert.equal(400, status)
      assert.equal(1025, body.errors[1].code)
    end
  end)

  it("refuses bodies that are not JSON objects", function()
    local json = { ["content-type"] = "application/json" }
    local wrong = { "", "{", "[]x", "[1]", "5", "null", '{"to":"1",}', '{"to":"\255"}', "to=1" }
    for _, body in ipairs(wrong) do
      local status, response = support.request(emulator, "POST", "/v1/messages", body, { headers = json })
      assert.equal(400, status, body)
      assert.equal(1025, response.errors[1].code)
    end
    local status, response = support.request(emulator, "POST", "/v1/messages", '{"to":"491511","text":{"body":"x"}}',
      { headers = { ["content-type"] = "text/plain" } })
    assert.equal(400, status)
    assert.matches("Content%-Type", response.errors[1].details)
    status, response = support.request(emulator, "POST", "/v1/configs/webhook", "{", { headers = json })
    assert.equal(400, status)
    assert.is_table(response.meta.details)
  end)

  it("refuses bodies beyond a mebibyte", function()
    local status, body = support.send(emulator, "text", { body = ("x"):rep(1024 * 1024) })
    assert.equal(413, status)
    assert.equal(1025, body.errors[1].code)
  end)

  it("returns its number", function()
    assert.same({ phone_number = "49305550199" }, (select(2, support.request(emulator, "GET", "/v1/configs/phone_number"))))
  end)
end)

describe("the profile", function()
  local emulator

  lazy_setup(function() emulator = assert(support.start()) end)
  lazy_teardown(function() emulator:stop() end)

  local function code(method, path, body, options)
    local status, response = support.request(emulator, method, path, body, options)
    return status, type(response) == "table" and response.errors and response.errors[1].code or nil
  end

  it("has a text about the business", function()
    local path = "/v1/settings/profile/about"
    assert.equal(200, (code("PATCH", path, { text = ("ü"):rep(139) })))
    assert.equal(("ü"):rep(139), select(2, support.request(emulator, "GET", path)).settings.profile.about.text)
    assert.same({ 400, 1009 }, { code("PATCH", path, { text = ("ü"):rep(140) }) })
    assert.same({ 400, 1008 }, { code("PATCH", path, {}) })
  end)

  it("has a photo", function()
    local path = "/v1/settings/profile/photo"
    local jpeg = { headers = { ["content-type"] = "image/jpeg" } }
    assert.same({ 404, 1006 }, { code("GET", path) })
    assert.same({ 400, 1009 }, { code("POST", path, "x", { headers = { ["content-type"] = "text/plain" } }) })
    assert.same({ 413, 1009 }, { code("POST", path, ("x"):rep(5 * 1024 * 1024 + 1), jpeg) })
    assert.equal(200, (code("POST", path, "\255\216\255bytes", jpeg)))
    local status, bytes, headers = support.request(emulator, "GET", path)
    assert.equal(200, status)
    assert.equal("\255\216\255bytes", bytes)
    assert.equal("image/jpeg", headers:get("content-type"))
    local link = select(2, support.request(emulator, "GET", path .. "?format=link")).settings.profile.photo.link
    assert.equal(emulator.url, link:sub(1, #emulator.url))
    status, bytes = support.request(emulator, "GET", link:sub(#emulator.url + 1), nil, { key = false })
    assert.equal(200, status)
    assert.equal("\255\216\255bytes", bytes)
    assert.equal(404, (support.request(emulator, "GET", "/pictures/other.jpg", nil, { key = false })))
    assert.equal(200, (code("DELETE", path)))
    assert.same({ 404, 1006 }, { code("GET", path) })
  end)

  it("has data of the business, which are replaced as a whole", function()
    local path = "/v1/settings/business/profile"
    local function get() return select(2, support.request(emulator, "GET", path)).settings.business.profile end
    assert.same({ websites = {} }, get())
    local facts = { address = "Ring 5", description = ("ü"):rep(512), email = "info@kern.example", vertical = "Retail",
      websites = { "https://kern.example", "http://kern.example" } }
    assert.equal(200, (code("POST", path, facts)))
    assert.same(facts, get())
    assert.equal(200, (code("POST", path, { address = "Ring 6", vertical = "" })))
    assert.same({ address = "Ring 6", vertical = "Retail", websites = {} }, get())
    local wrong = { { description = ("x"):rep(513) }, { address = ("x"):rep(257) }, { email = "nobody" },
      { websites = { "kern.example" } }, { websites = { "https://a.example", "https://b.example", "https://c.example" } } }
    for _, body in ipairs(wrong) do assert.same({ 400, 1009 }, { code("POST", path, body) }) end
    assert.same({ 400, 1010 }, { code("POST", path, { colour = "red" }) })
  end)
end)

describe("health", function()
  local emulator

  lazy_setup(function() emulator = assert(support.start({ number = "4930111" })) end)
  lazy_teardown(function() emulator:stop() end)

  local function get() return select(2, support.request(emulator, "GET", "/v1/health")) end

  it("has three forms", function()
    assert.same({ health = { gateway_status = "connected" }, meta = { api_status = "stable", version = "2.53.1" } }, get())
    emulator:health({ shape = "high_availability" })
    local nodes, connected = get().health, {}
    for name, node in pairs(nodes) do
      assert.matches("^10%.1%.4%.%d+:wa%-%a+%-4930111%-%d$", name)
      if node.gateway_status == "connected" then connected[#connected + 1] = node.role end
    end
    assert.same({ "coreapp" }, connected)
    emulator:health({ shape = "multiconnect" })
    connected = 0
    for _, node in pairs(get().health) do
      connected = connected + (node.gateway_status == "connected" and 1 or 0)
    end
    assert.equal(3, connected)
    local ok, err = emulator:health({ shape = "round" })
    assert.is_nil(ok)
    assert.matches("shape", err.message)
  end)

  it("has the values that the program sets", function()
    emulator:health({ status = "unregistered" })
    assert.equal("unregistered", get().health.gateway_status)
    emulator:health({ shape = "multiconnect", nodes = {
      ["wa-core-4930111-1"] = { errors = { { code = 1011, title = "Service not ready" } } },
      ["10.9.9.9:extra"] = { gateway_status = "connecting" } } })
    local nodes = get().health
    assert.same({ errors = { { code = 1011, title = "Service not ready" } } }, nodes["10.1.4.22:wa-core-4930111-1"])
    assert.same({ gateway_status = "connecting" }, nodes["10.9.9.9:extra"])
    emulator:health({ errors = { { code = 1011, title = "Service not ready" } }, meta = false })
    assert.same({ errors = { { code = 1011, title = "Service not ready" } } }, get())
  end)
end)

describe("the 24-hour window", function()
  it("is open for a day after a customer's message, and not required for templates", function()
    with({ window = true, statuses = { sent = 0 } }, function(emulator)
      local receiver = support.receiver()
      support.register(emulator, receiver)
      local function fate(kind, content)
        local _, body = support.send(emulator, kind, content)
        local id = body.messages[1].id
        return support.eventually(function()
          for _, status in ipairs(support.events(receiver, "statuses")) do
            if status.id == id then return status end
          end
        end)
      end
      local failed = fate("text", { body = "x" })
      assert.equal("failed", failed.status)
      assert.equal(470, failed.errors[1].code)
      assert.matches("24 hours", failed.errors[1].title)
      assert.equal("sent", fate("template", { name = "hello_world", language = { policy = "deterministic", code = "en_US" } }).status)
      emulator:customer("4915112345678"):text "Hi"
      assert.equal("sent", fate("text", { body = "x" }).status)
      emulator:advance(86390)
      assert.equal("sent", fate("text", { body = "x" }).status)
      assert.is_true(emulator:contact("4915112345678").window)
      emulator:advance(11)
      assert.equal("failed", fate("text", { body = "x" }).status)
      assert.equal("failed", emulator:messages({ direction = "outbound", type = "text" })[4].status)
    end)
  end)

  it("is not enforced by default", function()
    with({ statuses = { sent = 0 } }, function(emulator)
      local receiver = support.receiver()
      support.register(emulator, receiver)
      support.send(emulator, "text", { body = "x" })
      support.eventually(function() return #receiver.requests == 1 end)
      assert.equal("sent", receiver.requests[1].json.statuses[1].status)
    end)
  end)
end)

describe("request rates", function()
  it("are enforced with an option, with a burst", function()
    with({ statuses = false, rate_limits = { messages = { rate = 1, burst = 5 }, other = { rate = 1, burst = 2 } } }, function(emulator)
      local function code(first, ...)
        local status, body = first(...)
        return status, body.errors and body.errors[1].code
      end
      for _ = 1, 5 do assert.equal(201, (code(support.send, emulator, "text", { body = "x" }))) end
      assert.same({ 429, 1015 }, { code(support.send, emulator, "text", { body = "x" }) })
      assert.equal(200, (code(support.request, emulator, "GET", "/v1/health")))
      assert.equal(200, (code(support.request, emulator, "GET", "/v1/health")))
      assert.same({ 429, 1015 }, { code(support.request, emulator, "GET", "/v1/health") })
      emulator:advance(3)
      assert.equal(201, (code(support.send, emulator, "text", { body = "x" })))
    end)
  end)
end)

describe("a restart", function()
  it("has the response 502 until it ends", function()
    with({}, function(emulator)
      emulator:restart(600)
      local status, body = support.request(emulator, "GET", "/v1/health")
      assert.equal(502, status)
      assert.equal(502, body.meta.http_code)
      emulator:advance(601)
      assert.equal(200, (support.request(emulator, "GET", "/v1/health")))
    end)
  end)
end)

describe("messages without a webhook URL", function()
  it("are refused with an option", function()
    with({ require_webhook = true }, function(emulator)
      local status, body = support.send(emulator, "text", { body = "x" })
      assert.equal(412, status)
      assert.equal(1022, body.errors[1].code)
      support.register(emulator, { url = "https://x.example/" })
      assert.equal(201, (support.send(emulator, "text", { body = "x" })))
    end)
  end)
end)

describe("products", function()
  it("exist or not if the option catalogs is set", function()
    with({ catalogs = { ["4488"] = { "A", "B" } }, statuses = { sent = 0 } }, function(emulator)
      local receiver = support.receiver()
      support.register(emulator, receiver)
      local function product(catalog, id)
        local status, body = support.send(emulator, "interactive",
          { type = "product", action = { catalog_id = catalog, product_retailer_id = id } })
        return body.errors and body.errors[1].code or status
      end
      assert.equal(201, product("4488", "A"))
      assert.equal(2024, product("1", "A"))
      assert.equal(2027, product("4488", "C"))
      local status = support.send(emulator, "interactive", { type = "product_list", header = { type = "text", text = "x" },
        body = { text = "x" }, action = { catalog_id = "4488", sections = { { product_items = {
          { product_retailer_id = "B" }, { product_retailer_id = "C" } } } } } })
      assert.equal(201, status)
      local warning = support.eventually(function()
        for _, event in ipairs(support.events(receiver, "statuses")) do
          if event.status == "warning" then return event end
        end
      end)
      assert.equal(2026, warning.errors[1].code)
    end)
  end)
end)

describe("360dialog's sandbox", function()
  it("sends a limited number of texts and text templates to one number", function()
    with({ sandbox = "+49 151 12345678", statuses = false }, function(emulator)
      local template = { name = "hello_world", language = { policy = "deterministic", code = "en_US" } }
      local function refusal(...)
        local status, body = support.send(emulator, ...)
        return status, body.meta.developer_message
      end
      assert.equal(201, (refusal("text", { body = "x" })))
      assert.equal(201, (refusal("template", template)))
      assert.equal(403, (refusal("text", { body = "x" }, { to = "4915199999" })))
      assert.equal(403, (refusal("image", { link = "https://x.example/i.jpg" })))
      assert.equal(403, (refusal("template", { name = "any", language = template.language, components = {
        { type = "header", parameters = { { type = "image", image = { link = "https://x.example/i.jpg" } } } } } })))
      assert.equal(403, (support.request(emulator, "POST", "/v1/media", "x", { headers = { ["content-type"] = "text/plain" } })))
      assert.equal(403, (support.request(emulator, "GET", "/v1/configs/templates")))
      for _ = 2, 10 do assert.equal(201, (refusal("template", template))) end
      local status, message = refusal("template", template)
      assert.equal(403, status)
      assert.matches("at most 10 template messages", message)
      for _ = 2, 200 do assert.equal(201, (refusal("text", { body = "x" }))) end
      assert.equal(403, (refusal("text", { body = "x" })))
    end)
  end)

  it("sends the webhooks of its number only", function()
    with({ sandbox = true }, function(emulator)
      local receiver = support.receiver()
      support.register(emulator, receiver)
      emulator:customer("4915112345678"):text "START"
      emulator:customer("4915199999999"):text "Hi"
      emulator:customer("4915112345678"):text "Hi"
      emulator:wait({ delivered = 2, pending = 0 })
      for _, message in ipairs(support.events(receiver, "messages")) do
        assert.equal("4915112345678", message.from)
      end
    end)
  end)
end)
