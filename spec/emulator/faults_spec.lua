-- Failures that the emulator simulates: every error of the platform, broken connections, delayed responses.

local cqueues = require "cqueues"

local support = require "spec.support.emulator"

-- The error codes of docs/platform/on-premise.md. Columns: code, title.
local ROWS = {
  { 400, "Media download error" }, { 401, "Group does not exist" }, { 402, "Business eligibility - Payment issue" },
  { 408, "Message is not valid" }, { 410, "Message expired" }, { 429, "Rate limit hit" }, { 430, "Unsigned certificate" },
  { 432, "Certificate ID mismatch" }, { 433, "Certificate signature invalid" }, { 470, "Re-engagement message" },
  { 471, "Spam rate limit hit" }, { 472, "User's number is part of an experiment" }, { 480, "User potentially changed" },
  { 500, "Generic error" }, { 501, "Message type is not currently supported" }, { 1000, "Generic error" },
  { 1001, "Message too long" }, { 1002, "Invalid recipient type" }, { 1003, "Not a group participant" },
  { 1004, "Resource already exists" }, { 1005, "Access denied" }, { 1006, "Resource not found" },
  { 1007, "Recipient blocked to receive message" }, { 1008, "Required parameter is missing" },
  { 1009, "Parameter value is not valid" }, { 1010, "Parameter is not required" }, { 1011, "Service not ready" },
  { 1012, "Group is unknown" }, { 1013, "User is not valid" }, { 1014, "Internal error" }, { 1015, "Too many requests" },
  { 1016, "System overloaded" }, { 1017, "Not Primary Master" }, { 1018, "Not Primary Coreapp" }, { 1021, "Bad User" },
  { 1022, "Webhooks URL is not configured" }, { 1023, "Database error occurred" }, { 1024, "Password Change Required" },
  { 1025, "Invalid Request" }, { 1026, "Receiver incapable" },
  { 1028, "user_identity_changed notification requires acknowledgement" },
  { 1031, "Sender account has been locked" }, { 2000, "Template Param Count Mismatch" }, { 2001, "Template Missing" },
  { 2002, "Template Fetch Failed" }, { 2003, "Template Pack Missing" }, { 2004, "Template Param Length Too Long" },
  { 2005, "Template Hydrated Text Too Long" }, { 2006, "Template White Space Policy Violated" },
  { 2007, "Template Format Character Policy Violated" }, { 2008, "Template Media Format Unsupported" },
  { 2009, "Template Required Component Missing" }, { 2010, "Template Invalid Hydrated URL" },
  { 2011, "Template Invalid Phone Number" }, { 2012, "Template Parameter Format Mismatch" },
  { 2013, "Template Buttons Unsupported" }, { 2014, "Expected Namespace is Empty" }, { 2015, "Invalid number of sections" },
  { 2016, "Invalid number of rows" }, { 2017, "Character Policy Violated" }, { 2023, "Invalid number of product" },
  { 2024, "Catalog ID not found" }, { 2025, "Catalog ID not linked to API number" }, { 2026, "Missing products" },
  { 2027, "No products found" }, { 2028, "All products failed compliance" }, { 2029, "Some products failed compliance" },
  { 2030, "Mixed: products invalid and failed compliance" }, { 2036, "Invalid Header Structure" },
  { 2050, "Missing Compliance Info" }, { 2060, "Template Rejected" }, { 2061, "Template Paused" },
  { 2062, "Template Disabled" }, { 2068, "Flow is blocked" }, { 2069, "Flow is throttled" },
}

describe("simulated failures", function()
  local emulator

  lazy_setup(function() emulator = assert(support.start({ statuses = { sent = 0 } })) end)
  lazy_teardown(function() emulator:stop() end)
  after_each(function() emulator:clear_faults() end)

  local function send(options)
    return support.send(emulator, "text", { body = "x" }, nil, options)
  end

  it("are every error of the platform, in a response", function()
    for _, row in ipairs(ROWS) do
      emulator:fail_next({ code = row[1], details = "because" })
      local status, body = send()
      assert.is_truthy(status >= 400, row[1])
      assert.equal(row[1], body.errors[1].code)
      assert.equal(row[2], body.errors[1].title)
      assert.equal("because", body.errors[1].details)
      assert.is_string(body.errors[1].href)
    end
    assert.equal(201, (send()))
  end)

  it("are every error of the platform, in a status", function()
    support.run(function()
      local receiver = support.receiver()
      support.register(emulator, receiver)
      for _, row in ipairs(ROWS) do emulator:fail_status(row[1]) end
      local sent = {}
      for i in ipairs(ROWS) do sent[i] = select(2, send()).messages[1].id end
      support.eventually(function() return #support.events(receiver, "statuses") == #ROWS end)
      local by_id = {}
      for _, status in ipairs(support.events(receiver, "statuses")) do by_id[status.id] = status end
      for i, row in ipairs(ROWS) do
        local status = by_id[sent[i]]
        assert.equal("failed", status.status)
        assert.equal(row[1], status.errors[1].code)
        assert.equal(row[2], status.errors[1].title)
      end
    end)
  end)

  it("follow a status, as a warning", function()
    support.run(function()
      local receiver = support.receiver()
      support.register(emulator, receiver)
      emulator:configure({ statuses = { sent = 0, delivered = 0.01, read = 0.02 } })
      emulator:fail_status({ code = 1026, after = "sent", to = "+49 151 12345678" })
      emulator:fail_status({ errors = { { code = 2026, title = "Missing" } }, status = "warning", after = "sent", type = "text" })
      support.send(emulator, "text", { body = "other" }, { to = "4915100000" })
      send()
      local order = {}
      support.eventually(function()
        order = {}
        for _, status in ipairs(support.events(receiver, "statuses")) do
          local who = status.message.recipient_id
          order[who] = (order[who] or "") .. status.status .. " "
        end
        return order["4915100000"] == "sent warning delivered read " and order["4915112345678"] == "sent failed "
      end)
      emulator:configure({ statuses = { sent = 0 } })
    end)
  end)

  it("come after a status, with an option", function()
    support.run(function()
      local receiver = support.receiver()
      support.register(emulator, receiver)
      emulator:configure({ statuses = false })
      local id = select(2, send()).messages[1].id
      emulator:status(id, "read")
      emulator:status(id, "failed", { code = 131, title = "Own" })
      support.eventually(function() return #support.events(receiver, "statuses") == 2 end)
      local read, failed = (table.unpack or unpack)(support.events(receiver, "statuses"))
      assert.equal("read", read.status)
      assert.same({ 131, "Own" }, { failed.errors[1].code, failed.errors[1].title })
      assert.same({ "read", "failed" }, emulator:message(id).statuses)
      local ok, err = emulator:status("gBunknown", "read")
      assert.is_nil(ok)
      assert.matches("expected the id of a message that the gateway has accepted", err.message)
      emulator:configure({ statuses = { sent = 0 } })
    end)
  end)

  it("are 360dialog's own errors", function()
    emulator:fail_next({ developer_message = "Limit of 1 request every 5 seconds exceeded, try later" })
    local status, body = send()
    assert.equal(400, status)
    assert.same({ success = false, http_code = 400,
      developer_message = "Limit of 1 request every 5 seconds exceeded, try later" }, body.meta)
    emulator:fail_next({ status = 400, developer_message = "Validation error", details = { "a", "b" } })
    assert.same({ "a", "b" }, select(2, send()).meta.details)
    emulator:fail_next({ status = 503, headers = { ["Retry-After"] = 7 } })
    local headers
    status, body, headers = send()
    assert.equal(503, body.meta.http_code)
    assert.equal(503, status)
    assert.equal("7", headers:get("retry-after"))
  end)

  it("are responses of any bytes", function()
    emulator:fail_next({ status = 502, body = "<html>Bad Gateway</html>", headers = { ["content-type"] = "text/html" } })
    local status, body, headers = send()
    assert.equal(502, status)
    assert.equal("<html>Bad Gateway</html>", body)
    assert.equal("text/html", headers:get("content-type"))
    emulator:fail_next({ status = 200, body = "" })
    status, body = send()
    assert.equal(200, status)
    assert.equal("", body)
    emulator:fail_next({ status = 200, errors = { { title = "Too many requests" } } })
    status, body = send()
    assert.equal(200, status)
    assert.same({ { title = "Too many requests" } }, body.errors)
  end)

  -- Sends a text over TLS with waba.curl instead of lua-http.
  local function send_with_curl(secure)
    local engine = require("waba.curl").engine({ ca_file = secure.ca_file })
    local head = assert(engine:prepare({ method = "POST", url = secure.url .. "/v1/messages", idempotent = false,
      headers = { ["Content-Type"] = "application/json", ["D360-API-KEY"] = secure.api_key } }))
    local transfer = assert(engine:start(head, '{"to":"4915112345678","type":"text","text":{"body":"x"}}', { timeout = 5 }))
    repeat
      engine:pump()
      engine:wait(0.01)
    until transfer:wants() == "finished"
    local response = transfer:finish()
    engine:close()
    assert.equal(response and "HTTP/1.1", response and response.protocol)
    return response and response.status
  end

  it("close the connection before the message is accepted, or after", function()
    local secure = assert(support.start({ tls = true }))
    finally(function() secure:stop() end)
    for where, attempt in pairs({ [emulator] = function() return (send()) end, [secure] = send_with_curl }) do
      local before = where:counts().messages
      where:fail_next({ drop = "before" })
      assert.is_nil(attempt(where))
      assert.equal(before, where:counts().messages)
      where:fail_next({ drop = "after" })
      assert.is_nil(attempt(where))
      assert.equal(before + 1, where:counts().messages)
      local list = where:received()
      assert.is_false(list[#list].answered)
      assert.equal(201, list[#list].status)
      assert.equal(201, attempt(where))
    end
  end)

  it("accept the message and respond with an error, on request", function()
    local before = emulator:counts().messages
    emulator:fail_next({ code = 1014, accept = true })
    assert.equal(500, (send()))
    assert.equal(before + 1, emulator:counts().messages)
  end)

  it("delay the response", function()
    support.run(function()
      emulator:fail_next({ delay = 0.2 })
      local started = cqueues.monotime()
      assert.equal(201, (send()))
      assert.is_truthy(cqueues.monotime() - started >= 0.2)
      emulator:fail_next({ delay = 5 })
      assert.is_nil((send({ timeout = 0.1 })))
      assert.equal(201, (send()))
    end)
  end)

  it("affect the requests of their filter, a limited number of times", function()
    emulator:fail_next({ path = "/v1/health", status = 500 })
    emulator:fail_next({ type = "image", code = 1014 })
    emulator:fail_next({ method = "put", path = "^/v1/messages/", status = 500 })
    assert.equal(201, (send()))
    assert.equal(500, (support.request(emulator, "PUT", "/v1/messages/x", { status = "read" })))
    assert.equal(500, (support.send(emulator, "image", { link = "https://x.example/i.jpg" })))
    assert.equal(201, (support.send(emulator, "image", { link = "https://x.example/i.jpg" })))
    assert.equal(500, (support.request(emulator, "GET", "/v1/health")))
    emulator:fail_next({ code = 1015, times = 3 })
    for _ = 1, 3 do assert.equal(429, (send())) end
    assert.equal(201, (send()))
  end)

  it("affect random requests, the same ones with the same seed", function()
    local function run(seed)
      local other = assert(support.start({ seed = seed, statuses = false }))
      other:fail_next({ code = 1015, times = 100, share = 0.5 })
      local pattern = ""
      for _ = 1, 30 do
        pattern = pattern .. ((support.send(other, "text", { body = "x" })) == 201 and "." or "x")
      end
      other:stop()
      return pattern
    end
    local first = run(3)
    assert.equal(first, run(3))
    assert.not_equal(first, run(4))
    assert.matches("x", first, 1, true)
    assert.matches(".", first, 1, true)
  end)

  it("must have known names", function()
    assert.has_error(function() emulator:fail_next({ statsu = 1 }) end,
      "emulator:fail_next: unknown option statsu (did you mean status?)")
    assert.has_error(function() emulator:fail_status({ to = "49" }) end)
    assert.has_error(function() emulator:advance(-1) end)
  end)
end)
