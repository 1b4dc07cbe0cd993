-- How the emulator delivers webhooks: to the registered URL with its headers, in order, again after failures, and
-- recorded in its journal.

local cqueues = require "cqueues"
local socket = require "cqueues.socket"

local certificate = require "waba.emulator.certificate"
local support = require "spec.support.emulator"

-- Starts an emulator that repeats webhooks after short delays.
local function with_emulator(options, test)
  options.webhooks = options.webhooks or {}
  options.webhooks.backoff = options.webhooks.backoff or 0.02
  local emulator = assert(support.start(options))
  local ok, problem = pcall(support.run, function() test(emulator) end)
  emulator:stop()
  if not ok then error(problem, 0) end
end

local FAST = { sent = 0, delivered = 0.01, read = 0.02 }

describe("webhooks", function()
  it("report the result of a message: sent, delivered, read", function()
    with_emulator({ statuses = FAST }, function(emulator)
      local receiver = support.receiver()
      support.register(emulator, receiver, { Authorization = "Basic dGVzdHVzZXI6dGVzdHBhc3M=" })
      local _, body = support.send(emulator, "text", { body = "Hallo" })
      support.eventually(function() return #support.events(receiver, "statuses") == 3 end)
      local sent, delivered, read = (table.unpack or unpack)(support.events(receiver, "statuses"))
      assert.equal("sent", sent.status)
      assert.equal(body.messages[1].id, sent.id)
      assert.equal("message", sent.type)
      assert.matches("^%d+$", sent.timestamp)
      assert.equal("4915112345678", sent.message.recipient_id)
      assert.is_nil(sent.recipient_id)
      assert.equal("service", sent.conversation.origin.type)
      assert.is_number(sent.conversation.expiration_timestamp)
      assert.same({ pricing_model = "CBP", billable = true, category = "service" }, sent.pricing)
      assert.equal("delivered", delivered.status)
      assert.equal(sent.conversation.id, delivered.conversation.id)
      assert.is_nil(delivered.conversation.expiration_timestamp)
      assert.equal("read", read.status)
      local request = receiver.requests[1]
      assert.equal("POST", request.method)
      assert.equal("/hook", request.path)
      assert.equal("Basic dGVzdHVzZXI6dGVzdHBhc3M=", request.headers.authorization)
      assert.equal("application/json", request.headers["content-type"])
    end)
  end)

  it("contain the recipient in the client versions that send it", function()
    with_emulator({ statuses = { sent = 0 }, client_version = "2.43.1" }, function(emulator)
      local receiver = support.receiver()
      support.register(emulator, receiver)
      support.send(emulator, "text", { body = "x" })
      support.eventually(function() return #receiver.requests == 1 end)
      local status = support.events(receiver, "statuses")[1]
      assert.equal("4915112345678", status.recipient_id)
      assert.is_nil(status.message)
      emulator:configure({ recipient_id = "both", statuses = { delivered = 0 } })
      support.send(emulator, "text", { body = "x" })
      support.eventually(function() return #receiver.requests == 2 end)
      status = support.events(receiver, "statuses")[2]
      assert.equal("delivered", status.status)
      assert.equal("4915112345678", status.recipient_id)
      assert.equal("4915112345678", status.message.recipient_id)
    end)
  end)

  it("are repeated until the response is exactly 200", function()
    with_emulator({}, function(emulator)
      local statuses = { 500, 204, 301, 404, 200 }
      local receiver = support.receiver({ respond = function(_, count) return statuses[count] or 200 end,
        headers = { location = "/elsewhere" } })
      support.register(emulator, receiver)
      local id = emulator:customer("4915112345678", { name = "Eva" }):text "Hi"
      emulator:wait({ delivered = 1 })
      assert.equal(5, #receiver.requests)
      for _, request in ipairs(receiver.requests) do
        assert.equal("/hook", request.path)
        assert.equal(receiver.requests[1].body, request.body)
        assert.equal(id, request.json.messages[1].id)
      end
      local attempts = emulator:webhooks()
      assert.equal(5, #attempts)
      for i, attempt in ipairs(attempts) do
        assert.equal(i, attempt.attempt)
        assert.equal(statuses[i], attempt.status)
        assert.equal(id, attempt.json.messages[1].id)
      end
      assert.is_truthy(attempts[4].at - attempts[3].at > attempts[2].at - attempts[1].at)
      assert.equal(0, emulator:counts().pending)
    end)
  end)

  it("are repeated if no response arrives", function()
    with_emulator({ webhooks = { timeout = 0.1 } }, function(emulator)
      local receiver = support.receiver({ respond = function(_, count) return count > 1 and 200 end })
      support.register(emulator, receiver)
      emulator:customer("4915112345678"):text "Hi"
      emulator:wait({ delivered = 1 })
      local attempts = emulator:webhooks()
      assert.is_nil(attempts[1].status)
      assert.is_string(attempts[1].error)
      assert.equal(200, attempts[2].status)
    end)
  end)

  it("are repeated after a truncated response", function()
    with_emulator({}, function(emulator)
      local listener = socket.listen("127.0.0.1", 0)
      listener:listen()
      local _, _, port = listener:localname()
      cqueues.running():wrap(function()
        local connection = listener:accept()
        connection:read("*L")
        connection:write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort")
        connection:flush()
        connection:close()
      end)
      support.register(emulator, { url = ("http://127.0.0.1:%d/hook"):format(port) })
      emulator:customer("4915112345678"):text "Hi"
      emulator:wait({ attempts = 1 })
      assert.is_nil(emulator:webhooks()[1].status)
      local receiver = support.receiver()
      support.register(emulator, receiver)
      emulator:wait({ delivered = 1 })
      assert.equal(1, #receiver.requests)
      listener:close()
    end)
  end)

  it("are repeated if no server listens", function()
    with_emulator({}, function(emulator)
      local receiver = support.receiver()
      support.register(emulator, { url = "http://127.0.0.1:1/closed" })
      emulator:customer("4915112345678"):text "Hi"
      emulator:wait({ attempts = 1 })
      support.register(emulator, receiver)
      emulator:wait({ delivered = 1 })
      assert.equal(1, #receiver.requests)
    end)
  end)

  it("wait longer after each failure, by the emulator's clock, and are dropped after a time", function()
    with_emulator({ webhooks = { backoff = 3600, max_backoff = 7200, give_up = 86400 } }, function(emulator)
      local receiver = support.receiver({ respond = function() return 503 end })
      support.register(emulator, receiver)
      emulator:customer("4915112345678"):text "Hi"
      emulator:wait({ attempts = 1 })
      emulator:advance(3500)
      cqueues.sleep(0.05)
      assert.equal(1, #receiver.requests)
      emulator:advance(110)
      emulator:wait({ attempts = 2 })
      emulator:advance(7210)
      emulator:wait({ attempts = 3 })
      emulator:advance(86400)
      emulator:wait({ attempts = 4, given_up = 1, pending = 0 })
      assert.equal(4, #receiver.requests)
    end)
  end)

  it("keep the order of one customer's events", function()
    with_emulator({ statuses = false }, function(emulator)
      local receiver = support.receiver({ delay = 0.001 })
      support.register(emulator, receiver)
      local eva, max = emulator:customer("4915100001"), emulator:customer("4915100002")
      for i = 1, 30 do
        eva:text("eva " .. i)
        max:text("max " .. i)
      end
      emulator:wait({ delivered = 60 })
      local counts = { eva = 0, max = 0 }
      for _, message in ipairs(support.events(receiver, "messages")) do
        local who, number = message.text.body:match("(%a+) (%d+)")
        counts[who] = counts[who] + 1
        assert.equal(counts[who], tonumber(number))
      end
    end)
  end)

  it("are sent at most six at once", function()
    with_emulator({}, function(emulator)
      local receiver = support.receiver({ delay = 0.02 })
      support.register(emulator, receiver)
      for i = 1, 30 do emulator:customer("491510000" .. i):text "Hi" end
      emulator:wait({ delivered = 30 })
      assert.equal(6, receiver.most_in_flight)
    end)
  end)

  it("contain several events with an option", function()
    with_emulator({ webhooks = { batch = 10, concurrency = 1 } }, function(emulator)
      local receiver = support.receiver({ delay = 0.05 })
      support.register(emulator, receiver)
      for i = 1, 12 do
        emulator:customer(i % 2 == 0 and "4915100001" or "4915100002"):text("n" .. i)
      end
      emulator:wait({ pending = 0 })
      assert.equal(12, #support.events(receiver, "messages"))
      assert.is_truthy(#receiver.requests <= 4)
      assert.equal(12, #support.events(receiver, "contacts"))
    end)
  end)

  it("arrive twice and out of order with an option", function()
    with_emulator({ seed = 7, webhooks = { duplicates = 0.5, reorder = 0.5 } }, function(emulator)
      local receiver = support.receiver()
      support.register(emulator, receiver)
      local eva = emulator:customer("4915100001")
      for i = 1, 40 do eva:text("n" .. i) end
      emulator:wait({ pending = 0, delivered = 41 })
      local seen, distinct, overtaken, highest = {}, 0, 0, 0
      for _, message in ipairs(support.events(receiver, "messages")) do
        if not seen[message.id] then distinct = distinct + 1 end
        seen[message.id] = true
        local number = tonumber(message.text.body:match("%d+"))
        overtaken = overtaken + (number < highest and 1 or 0)
        highest = math.max(highest, number)
      end
      assert.equal(40, distinct)
      assert.is_truthy(#receiver.requests > 45)
      assert.is_truthy(overtaken > 5)
    end)
  end)

  it("are sent over TLS to servers with a valid certificate", function()
    local authority = certificate.authority()
    local good, other = certificate.issue(authority), certificate.issue(authority, { hosts = { "elsewhere.example" } })
    local ca_file = os.tmpname()
    local file = assert(io.open(ca_file, "w"))
    file:write(authority.certificate)
    file:close()
    finally(function() os.remove(ca_file) end)
    with_emulator({ webhooks = { ca_file = ca_file } }, function(emulator)
      local wrong = support.receiver({ certificate = other })
      support.register(emulator, wrong)
      emulator:customer("4915100001"):text "Hi"
      emulator:wait({ attempts = 1 })
      assert.is_nil(emulator:webhooks()[1].status)
      local right = support.receiver({ certificate = good })
      support.register(emulator, right)
      emulator:wait({ delivered = 1 })
      assert.equal(0, #wrong.requests)
      assert.equal(1, #right.requests)
    end)
    with_emulator({}, function(emulator)
      local unknown = support.receiver({ certificate = good })
      support.register(emulator, unknown)
      emulator:customer("4915100001"):text "Hi"
      emulator:wait({ attempts = 2 })
      assert.equal(0, #unknown.requests)
    end)
  end)

  it("are sent to servers that close the connection, and to those that keep it", function()
    for _, keep_alive in ipairs({ true, false }) do
      with_emulator({ webhooks = { keep_alive = keep_alive } }, function(emulator)
        local receiver = support.receiver({ headers = { connection = "close" } })
        support.register(emulator, receiver)
        for i = 1, 5 do
          emulator:customer("4915100001"):text("n" .. i)
          emulator:wait({ delivered = i })
        end
        assert.equal(5, #receiver.requests)
        assert.equal(5, #emulator:webhooks())
        assert.equal(not keep_alive,
          (receiver.requests[1].headers.connection or ""):find("close", 1, true) ~= nil)
      end)
    end
  end)

  it("have no values of their headers in the journal", function()
    with_emulator({}, function(emulator)
      local receiver = support.receiver()
      support.register(emulator, receiver, { Authorization = "Basic c2VjcmV0" })
      emulator:customer("4915100001"):text "Hi"
      emulator:wait({ delivered = 1 })
      assert.same({ authorization = "(hidden)" }, emulator:webhooks()[1].headers)
    end)
  end)

  it("are posted unchanged, and can contain errors", function()
    with_emulator({}, function(emulator)
      local receiver = support.receiver()
      support.register(emulator, receiver)
      emulator:error({ code = 1014, details = "temporary failure" })
      emulator:wait({ delivered = 1 })
      emulator:post({ strange = { 1, 2 } })
      emulator:wait({ delivered = 2 })
      assert.equal(1014, receiver.requests[1].json.errors[1].code)
      assert.equal("temporary failure", receiver.requests[1].json.errors[1].details)
      assert.same({ strange = { 1, 2 } }, receiver.requests[2].json)
    end)
  end)
end)

describe("the webhook URL", function()
  local emulator

  lazy_setup(function() emulator = assert(support.start()) end)
  lazy_teardown(function() emulator:stop() end)

  it("is empty at first, and is then the one that was set", function()
    local status, body = support.request(emulator, "GET", "/v1/configs/webhook")
    assert.equal(200, status)
    assert.equal("", body.url)
    local address = { url = "https://hooks.kern.example/wa", headers = { Authorization = "Basic eA==" } }
    status, body = support.request(emulator, "POST", "/v1/configs/webhook", address)
    assert.equal(200, status)
    assert.same(address, body)
    assert.same(address, (select(2, support.request(emulator, "GET", "/v1/configs/webhook/"))))
  end)

  it("is replaced as a whole", function()
    support.request(emulator, "POST", "/v1/configs/webhook", { url = "https://a.example/", headers = { a = "b" } })
    local _, body = support.request(emulator, "POST", "/v1/configs/webhook", { url = "https://b.example/" })
    assert.same({ url = "https://b.example/", headers = {} }, body)
  end)

  it("must be https, or http on loopback", function()
    local refused = { "http://hooks.example/", "hooks.example", "ftp://127.0.0.1/", "https://a b/", 5 }
    for _, url in ipairs(refused) do
      local status, body = support.request(emulator, "POST", "/v1/configs/webhook", { url = url })
      assert.equal(400, status, tostring(url))
      assert.is_false(body.meta.success)
      assert.equal(400, body.meta.http_code)
      assert.matches("^url: ", body.meta.details[1])
    end
    for _, url in ipairs({ "http://127.0.0.1:8080/x", "http://localhost/", "https://x.example" }) do
      assert.equal(200, (support.request(emulator, "POST", "/v1/configs/webhook", { url = url })))
    end
  end)

  it("refuses invalid headers", function()
    for _, headers in ipairs({ { ["a b"] = "x" }, { a = 5 }, { a = "x\r\ny: z" } }) do
      local status, body = support.request(emulator, "POST", "/v1/configs/webhook",
        { url = "https://x.example", headers = headers })
      assert.equal(400, status)
      assert.matches("^headers: ", body.meta.details[1])
    end
  end)

  it("can be an option of the start", function()
    local other = assert(support.start({ webhooks = { url = "https://x.example/y", headers = { a = "b" } } }))
    local _, body = support.request(other, "GET", "/v1/configs/webhook")
    other:stop()
    assert.same({ url = "https://x.example/y", headers = { a = "b" } }, body)
  end)
end)
