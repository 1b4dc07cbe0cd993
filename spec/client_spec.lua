local waba = require "waba"
local scripted_transport = require "spec.support.scripted_transport"
local secrets = require "spec.support.secrets"

local NUMBER = "4915112345678"

describe("a client", function()
  local emulator, client

  setup(function()
    emulator = assert(waba.emulator.start { statuses = false })
    client = waba.client(emulator:options {})
  end)

  teardown(function()
    client:close()
    emulator:stop()
  end)

  -- Returns the last request that the gateway received.
  local function last()
    local received = emulator:received()
    return received[#received]
  end

  local function count(path)
    local n = 0
    for _, request in ipairs(emulator:received()) do
      if request.path == path then n = n + 1 end
    end
    return n
  end

  describe("sending", function()
    it("sends a text and returns its id", function()
      local sent = assert(client:send("+49 (151) 123-45678", waba.text "Grüße, Eva ☕"))
      assert.matches("^gB", sent.id)
      assert.equal(NUMBER, sent.wa_id)
      assert.equal(NUMBER, sent.input)
      assert.equal("POST", last().method)
      assert.equal("/v1/messages", last().path)
      assert.same({ to = NUMBER, type = "text", recipient_type = "individual", text = { body = "Grüße, Eva ☕" } },
        last().json)
    end)

    it("writes preview_url in the place of each hosting", function()
      assert(client:send(NUMBER, waba.text { body = "see https://shop.example", preview_url = true }))
      assert.is_true(last().json.preview_url)
      assert.same({ body = "see https://shop.example" }, last().json.text)
    end)

    it("accepts a number in the forms of people and programs", function()
      for _, to in ipairs { "+49 151 12345678", NUMBER, 4915112345678 } do
        assert(client:send(to, waba.text "Hi"))
        assert.equal(NUMBER, last().json.to)
      end
    end)

    it("sends an image by link", function()
      assert(client:send(NUMBER, waba.image { link = "https://cdn.example/blue.jpg", caption = "Blau" }))
      assert.same({ link = "https://cdn.example/blue.jpg", caption = "Blau" }, last().json.image)
    end)

    it("sends a template in its short form", function()
      assert(client:send(NUMBER, waba.template {
        name = "order_done", language = "de", body = { "Eva", 118 }, buttons = { { payload = "PICKUP" } },
      }))
      assert.same({ policy = "deterministic", code = "de" }, last().json.template.language)
      assert.same({
        { type = "body", parameters = { { type = "text", text = "Eva" }, { type = "text", text = "118" } } },
        { type = "button", sub_type = "quick_reply", index = "0",
          parameters = { { type = "payload", payload = "PICKUP" } } },
      }, last().json.template.components)
      assert.is_nil(last().json.template.namespace)
    end)

    it("sends a template in its raw form, with the client's namespace and its own policy", function()
      local other = waba.client(emulator:options { namespace = "9c1f0b52_4d7e_4a11_8f3d_2b6a7c5d1e90" })
      local components = { { type = "body", parameters = { { type = "text", text = "Eva" } } } }
      local message = waba.template { name = "order_done", language = { code = "de", policy = "deterministic" },
        components = components }
      assert(other:send(NUMBER, message))
      assert.same({ name = "order_done", namespace = "9c1f0b52_4d7e_4a11_8f3d_2b6a7c5d1e90",
        language = { code = "de", policy = "deterministic" }, components = components }, last().json.template)
      assert.is_nil(message.template.namespace)
      other:close()
    end)

    it("requires a namespace for an hsm, from the message or the client", function()
      local message = waba.hsm { element_name = "order_done", language = "de", params = { "Eva" } }
      local sent, err = client:send(NUMBER, message)
      assert.is_nil(sent)
      assert.equal("hsm.namespace", err.path)
      local other = waba.client(emulator:options { namespace = "9c1f0b52_4d7e_4a11_8f3d_2b6a7c5d1e90" })
      assert(other:send(NUMBER, message))
      assert.equal("9c1f0b52_4d7e_4a11_8f3d_2b6a7c5d1e90", last().json.hsm.namespace)
      assert.same({ policy = "deterministic", code = "de" }, last().json.hsm.language)
      other:close()
    end)

    it("sends no message that breaks a rule", function()
      local before = #emulator:received()
      local sent, err = client:send(NUMBER, waba.text(("x"):rep(4097)))
      assert.is_nil(sent)
      assert.equal("invalid", err.kind)
      assert.equal("text.body", err.path)
      assert.matches("4097", err.message)
      assert.matches("4096", err.message)
      assert.is_false(err.maybe_sent)
      sent, err = client:send("0151 1234", waba.text "Hi")
      assert.is_nil(sent)
      assert.equal("to", err.path)
      sent, err = client:send(NUMBER, waba.text "bad \255 byte")
      assert.is_nil(sent)
      assert.equal("text.body", err.path)
      assert.equal(before, #emulator:received())
    end)

    it("sends every message with validate = false", function()
      local open = waba.client(emulator:options { validate = false })
      local sent, err = open:send(NUMBER, waba.text(("x"):rep(4097)))
      assert.is_nil(sent)
      assert.equal(1001, err.code)
      assert.equal("invalid", err.kind)
      open:close()
    end)

    it("refuses messages that only Cloud hosting has", function()
      local sent, err = client:send(NUMBER, waba.text "Hi", { reply_to = "ABGG" })
      assert.is_nil(sent)
      assert.equal("reply_to", err.path)
      assert.matches("Cloud", err.message)
    end)

    it("raises an error for wrong use", function()
      assert.error_matches(function() client:send(NUMBER, "Hi") end, "must be a table from a builder, not a string")
      assert.error_matches(function() client:send(NUMBER, waba.text "Hi", { replyto = "x" }) end, "did you mean reply_to")
    end)

    it("counts characters, not bytes", function()
      assert(client:send(NUMBER, waba.text(("ü"):rep(4096))))
    end)
  end)

  it("marks a message as read", function()
    local id = emulator:customer(NUMBER):text "Hallo"
    assert.is_true(client:mark_read(id))
    assert.equal("PUT", last().method)
    assert.equal("/v1/messages/" .. id, last().path)
    assert.same({ status = "read" }, last().json)
    local ok, err = client:mark_read "ABunknown/+"
    assert.is_nil(ok)
    assert.equal("not_found", err.kind)
    assert.equal(1006, err.code)
  end)

  it("sends no request if mark_read can't encode it", function()
    local before = #emulator:received()
    local done, err = client:mark_read("wamid.x", { typing = true })
    assert.same({ nil, "invalid", "typing" }, { done, err.kind, err.path })
    local cloud = waba.client(emulator.cloud:options())
    done, err = cloud:mark_read "wamid.\255"
    assert.same({ nil, "invalid", "message_id" }, { done, err.kind, err.path })
    cloud:close()
    assert.equal(before, #emulator:received())
  end)

  it("accepts no id that leaves the path", function()
    local before = #emulator:received()
    for _, id in ipairs { ".", ".." } do
      local done, err = client:mark_read(id)
      assert.is_nil(done)
      assert.equal("invalid", err.kind)
      done, err = client.media:delete(id)
      assert.is_nil(done)
      assert.equal("id", err.path)
    end
    assert.equal(before, #emulator:received())
  end)

  describe("request", function()
    it("calls any open path", function()
      local result, response = client:request { path = "/v1/configs/phone_number" }
      assert.equal(emulator.number, result.phone_number)
      assert.equal(200, response.status)
    end)

    it("sends a table as JSON, and a query", function()
      assert(client:request { method = "POST", path = "/v1/messages",
        body = { to = NUMBER, type = "text", text = { body = "raw" } } })
      assert.equal("raw", last().json.text.body)
      assert(client:request { path = "/v1/configs/templates", query = { limit = 1, offset = 0 } })
    end)

    it("has the type application/json with a body, unless the call sets another", function()
      for media_type, options in pairs {
        ["application/json"] = { body = "{}" }, ["text/x"] = { body = "x", media_type = "text/x" }, none = { query = { a = "1" } },
      } do
        local own, transport = scripted_transport.client { {} }
        options.method, options.path = "POST", "/v1/anything"
        own:request(options)
        local headers = {}
        for name, value in pairs(transport.requests[1].headers) do headers[name:lower()] = value end
        assert.equal(media_type, headers["content-type"] or "none")
      end
    end)

    it("has its query, in the order of the names, and accepts JSON", function()
      local own, transport = scripted_transport.client { {}, {}, {} }
      own:request { path = "/v1/x", query = { b = "a b", a = 1 } }
      own:request { path = "/v1/x", query = {} }
      own:request { path = "/v1/x" }
      for index, url in ipairs { "/v1/x?a=1&b=a%20b", "/v1/x", "/v1/x" } do
        assert.equal("https://waba.360dialog.io" .. url, transport.requests[index].url)
        assert.equal("application/json", transport.requests[index].headers.Accept)
      end
      for _, number in ipairs { 2 ^ 53, -2 ^ 53, 1 / 0, 0 / 0 } do
        local result, err = own:request { path = "/v1/x", query = { n = number } }
        assert.same({ nil, "invalid", "query.n" }, { result, err.kind, err.path })
      end
    end)

    it("is repeated after an uncertain result if its method is idempotent", function()
      for method, attempts in pairs { GET = 2, HEAD = 2, PUT = 2, DELETE = 2, POST = 1, PATCH = 1 } do
        local lost = { failure = { kind = "network", message = "reset", sent = "maybe" } }
        local own, transport = scripted_transport.client({ lost, lost }, { retry = { attempts = 2, base = 0 } })
        local result, err = own:request { method = method:lower(), path = "/v1/x" }
        assert.same({ nil, "network", attempts }, { result, err.kind, #transport.requests }, method)
        assert.equal(method ~= "GET", err.maybe_sent, method)
      end
    end)

    it("returns the body of a response that is not JSON, and true for an empty one", function()
      for body, result in pairs { ["a,b"] = "a,b", [""] = true, ["[1]"] = { 1 }, ["true"] = "true" } do
        local own = scripted_transport.client { { body = body } }
        assert.same(result, (own:request { path = "/v1/x" }), body)
      end
    end)

    it("has the method and the body of its options", function()
      for index, row in ipairs {
        { { path = "/a" }, "GET" }, { { path = "/a", method = "post", body = "raw" }, "POST", "raw" },
        { { path = "/a", method = "PUT", body = { a = 1 } }, "PUT", '{"a":1}' }, { { path = "/a", method = "POST", body = false }, "POST" },
      } do
        local own, transport = scripted_transport.client { {} }
        own:request(row[1])
        assert.same({ row[2], row[3] }, { transport.requests[1].method, transport.requests[1].body }, index)
      end
    end)

    it("refuses closed resources in every spelling, before anything is sent", function()
      local before = #emulator:received()
      for _, path in ipairs {
        "/v1/settings/application", "/v1/settings", "/v1/account/verify", "/v1/stats/db", "/metrics",
        "/v1/support", "/v1/users/login", "/v1/certificates/external", "/v1//settings/application",
        "/v1/./settings/backup", "/v1/configs/../users", "/V1/Settings/application", "/v1/%73ettings/application",
        "/v1/settings/application?x=1", "/v1/settings/profile/../application",
      } do
        local result, err = client:request { path = path }
        assert.is_nil(result, path)
        assert.equal("blocked", err.kind)
        assert.matches("support ticket", err.message)
      end
      assert.equal(before, #emulator:received())
    end)

    it("allows requests to the settings of the profile", function()
      for _, path in ipairs { "/v1/settings/profile/about", "/v1/settings/business/profile" } do
        local result, err = client:request { path = path }
        assert(result or err.kind ~= "blocked", path)
      end
    end)

    it("raises an error for wrong use", function()
      assert.error_matches(function() client:request { method = "GET" } end, "path is required")
      assert.error_matches(function() client:request() end, "path is required")
      assert.error_matches(function() client:request { path = "v1/x" } end, "begins with")
      assert.error_matches(function() client:request { path = "/v1/a b" } end, "percent%-encoded")
      assert.error_matches(function() client:request { path = "/v1/a\r\nX: 1" } end, "percent%-encoded")
    end)
  end)

  describe("errors", function()
    local strict

    setup(function() strict = waba.client(emulator:options { retry = false, pace = false }) end)
    teardown(function() strict:close() end)

    -- Sets the next response of the gateway, sends a text, and returns the error.
    local function answered(status, body, headers)
      emulator:fail_next { status = status, body = body, headers = headers }
      local sent, err = strict:send(NUMBER, waba.text "Hi")
      assert.is_nil(sent)
      assert.equal(status, err.status)
      return err
    end

    it("reads the form of client errors", function()
      local err = answered(400, '{"errors":[{"code":1008,"title":"Required parameter is missing","details":"text.body",'
        .. '"href":"https://developers.example"},{"code":1009,"title":"second"}]}')
      assert.equal("invalid", err.kind)
      assert.equal(1008, err.code)
      assert.equal("Required parameter is missing", err.title)
      assert.equal("text.body", err.details)
      assert.equal("https://developers.example", err.href)
      assert.equal(2, #err.errors)
      assert.equal("invalid: Required parameter is missing: text.body (code 1008, HTTP 400)", tostring(err))
    end)

    it("reads the gateway's form in both spellings", function()
      local err = answered(401, '{"meta":{"success":false,"http_code":401,"developer_message":"Invalid api_key"}}')
      assert.equal("auth", err.kind)
      assert.equal('Invalid api_key; if the number is on Cloud hosting, set hosting = "cloud"', err.message)
      err = answered(400, '{"meta":{"success":false,"httpCode":400,"developerMessage":"validation","details":["a","b"]}}')
      assert.equal("invalid", err.kind)
      assert.equal("validation: a; b", err.message)
    end)

    it("names the other hosting only if the error may come from the wrong gateway", function()
      local hint = 'set hosting = "cloud"'
      local function is_hinted(response, options, media_id)
        local own = scripted_transport.client({ response }, options)
        local err = select(2, (media_id and own.media.delete or own.send)(media_id and own.media or own, media_id or NUMBER,
          waba.text "Hi"))
        return err.message:find(hint, 1, true) ~= nil
      end
      local function with_code(status) return { status = status, body = '{"errors":[{"code":1005,"title":"t"}]}' } end
      local NO_CONNECTION = { failure = { kind = "tls", message = "handshake", sent = "no" } }
      assert.is_true(is_hinted { status = 401 })
      assert.is_true(is_hinted { status = 404 })
      assert.is_false(is_hinted { status = 403 })
      assert.is_false(is_hinted(with_code(401)))
      assert.is_false(is_hinted(with_code(404)))
      assert.is_false(is_hinted({ status = 401 }, { sandbox = true }))
      assert.is_false(is_hinted({ status = 404 }, nil, "a"))
      assert.is_true(is_hinted({ status = 401 }, nil, "a"))
      for index, row in ipairs {
        { true, NO_CONNECTION, { proxy = "" } },
        { true, { failure = { kind = "network", message = "m", sent = "no" } }, { proxy = "" } },
        { true, { failure = { kind = "timeout", message = "m", sent = "no" } }, { proxy = "" } },
        { false, NO_CONNECTION, { proxy = "http://127.0.0.1:1" } },
        { false, NO_CONNECTION, { proxy = "", base_url = "https://127.0.0.1:1" } },
        { false, { failure = { kind = "network", message = "m", sent = "maybe" } }, { proxy = "" } },
        { false, { failure = { kind = "cancelled", message = "m", sent = "no" } }, { proxy = "" } },
        { false, { failure = { kind = "network", message = "m", sent = "no", status = 403 } }, { proxy = "" } },
      } do
        row[3].retry = false
        local own = scripted_transport.client({ row[2] }, row[3])
        local _, err = own:send(NUMBER, waba.text "Hi")
        assert.equal(row[1], err.message:find('hosting = "cloud"', 1, true) ~= nil, index .. err.message)
      end
    end)

    it("recognizes the gateway's own rate limit, which has HTTP status 400", function()
      local err = answered(400,
        '{"meta":{"success":false,"http_code":400,"developer_message":"limit of 1 request every 7 seconds exceeded"}}')
      assert.equal("rate_limited", err.kind)
      assert.equal(7, err.retry_after)
      assert.is_true(err.retryable)
    end)

    it("reads errors in a response with status 2xx", function()
      local err = answered(200, '{"errors":[{"code":1013,"title":"User is not valid"}],"messages":[{"id":"gBx"}]}')
      assert.equal("recipient", err.kind)
      assert.is_false(err.maybe_sent)
    end)

    it("reads errors without a code", function()
      local err = answered(429, '{"errors":[{"title":"Too many requests"}]}', { ["retry-after"] = "3" })
      assert.equal("rate_limited", err.kind)
      assert.equal(3, err.retry_after)
      assert.is_nil(err.code)
    end)

    it("compares the date of Retry-After with the date of the response, not with this machine's clock", function()
      local err = answered(429, "", {
        ["retry-after"] = "Wed, 01 Mar 2000 00:00:30 GMT", date = "Wed, 01 Mar 2000 00:00:00 GMT",
      })
      assert.equal(30, err.retry_after)
    end)

    it("accepts responses that are not JSON", function()
      local err = answered(502, "<html><body><h1>502  Bad Gateway</h1>\r\n<hr>nginx</body></html>")
      assert.equal("unavailable", err.kind)
      assert.equal("502 Bad Gateway nginx", err.message)
      assert.is_true(err.maybe_sent)
      err = answered(500, "")
      assert.equal("unavailable", err.kind)
      assert.matches("HTTP 500", err.message)
      assert.equal("unavailable", answered(500, '{"broken":').kind)
      assert.equal("auth", answered(401, "null").kind)
      assert.equal("not_found", answered(404, "[]").kind)
      assert.equal("invalid", answered(400, '{"errors":"odd"}').kind)
      assert.equal("invalid", answered(400, '{"errors":[null]}').kind)
      assert.equal("api", answered(418, '"teapot"').kind)
    end)

    it("reports that a message without an id may have been sent", function()
      for _, body in ipairs {
        "", "null", "{}", '{"messages":[]}', '{"messages":[{"id":null}]}', '{"messages":[{"id":""}]}', "<html>ok</html>",
      } do
        local err = answered(201, body)
        assert.equal("protocol", err.kind, body)
        assert.is_true(err.maybe_sent)
      end
    end)

    it("keeps the text of unknown codes", function()
      local err = answered(400, '{"errors":[{"code":987654,"title":"Quite new"}]}')
      assert.equal("invalid", err.kind)
      assert.equal(987654, err.code)
      assert.equal("Quite new", err.title)
    end)

    it("reports both spellings of an unknown contact", function()
      for _, details in ipairs { "unknown contact", "Could not retrieve phone number from contact store" } do
        local err = answered(404, '{"errors":[{"code":1006,"title":"Resource not found","details":"' .. details .. '"}]}')
        assert.equal("recipient", err.kind)
      end
      assert.equal("not_found",
        answered(404, '{"errors":[{"code":1006,"title":"Resource not found","details":"media"}]}').kind)
    end)

    it("explains a code", function()
      assert.equal("window", waba.explain(470).kind)
      assert.equal("window", waba.explain("470").kind)
      assert.is_nil(waba.explain(31337))
    end)
  end)

  describe("unknown contact", function()
    local UNKNOWN = '{"errors":[{"code":1006,"title":"Resource not found","details":"unknown contact"}]}'

    it("is checked and sent to with check_contact", function()
      emulator:fail_next { path = "/v1/messages", status = 404, body = UNKNOWN }
      local sent = assert(client:send(NUMBER, waba.text "Hi", { check_contact = true }))
      assert.equal(NUMBER, sent.wa_id)
    end)

    it("is sent to the id of the check, once, or returns the error of the check", function()
      local unknown = { status = 404, body = UNKNOWN }
      local function found(fields) return { body = ('{"contacts":[{"input":"+%s",%s}]}'):format(NUMBER, fields) } end
      local valid, accepted = found '"status":"valid","wa_id":"4915199999999"', { status = 201, body = '{"messages":[{"id":"gBEG"}]}' }
      for index, row in ipairs {
        { { unknown, valid, accepted }, "gBEG" }, { { unknown, valid, unknown }, "recipient" },
        { { unknown, found '"status":"invalid"' }, "recipient" }, { { unknown, { status = 401 } }, "auth" },
        { { { status = 404, body = '{"errors":[{"code":1013,"title":"User is not valid"}]}' } }, "recipient" },
        { { { status = 400, body = '{"errors":[{"code":1009,"title":"t"}]}' } }, "invalid" }, { { accepted }, "gBEG" },
      } do
        local responses = {}
        for position, response in ipairs(row[1]) do responses[position] = { status = response.status, body = response.body } end
        local own, transport = scripted_transport.client(responses, { retry = false })
        local sent, err = own:send(NUMBER, waba.text "Hi", { check_contact = true })
        assert.equal(row[2], sent and sent.id or not sent and err.kind, index)
        assert.is_true(sent == nil or err == nil)
        assert.equal(#row[1], #transport.requests, index)
        local check, repeated = transport.requests[2], transport.requests[3]
        if check then
          assert.equal("https://waba.360dialog.io/v1/contacts", check.url)
          assert.matches('"blocking":"wait"', check.body, 1, true)
          assert.matches('"force_check":true', check.body, 1, true)
        end
        if repeated then assert.matches('"to":"4915199999999"', repeated.body, 1, true) end
      end
    end)

    it("is an error without check_contact, after one request", function()
      local before = count "/v1/messages"
      emulator:fail_next { path = "/v1/messages", status = 404, body = UNKNOWN }
      local sent, err = client:send(NUMBER, waba.text "Hi")
      assert.is_nil(sent)
      assert.equal("recipient", err.kind)
      assert.equal(before + 1, count "/v1/messages")
    end)
  end)

  describe("options", function()
    it("raises an error for unknown and wrong options, with the nearest known name", function()
      local function with(options)
        return function() waba.client(options) end
      end
      assert.error_matches(with { apikey = "k" }, "waba.client: unknown option apikey %(did you mean api_key%?%)")
      assert.error_matches(with { api_key = "k", hosting = "clod" },
        'waba.client: option hosting: unknown hosting "clod" %(did you mean cloud%?%)')
      assert.error_matches(with {}, "api_key is required")
      assert.error_matches(with(nil), "api_key is required")
      assert.error_matches(with { api_key = "" }, "api_key is empty")
      assert.error_matches(with { api_key = 5 }, "api_key must be string, not a number")
      for key, fault in pairs {
        ["\239\187\191secret-key"] = "has a byte order mark", ["secret-key\239\187\191"] = "has a byte order mark",
        ["secret-key\194\160"] = "has a no-break space",
        ["secret\226\128\139-key"] = "has a character that is not ASCII", ["secret-key\n"] = "has a line break",
        ["secret-\rkey"] = "has a line break",
        ["secret-key\160"] = "has a character that is not ASCII", [" secret-key"] = "begins or ends with white space",
      } do
        local fine, message = pcall(waba.client, { api_key = key })
        assert.is_false(fine)
        assert.truthy(message:find("waba.client: option api_key: the header's value " .. fault, 1, true), message)
        assert.is_nil(message:find "secret%-?key")
      end
      assert.error_matches(with { api_key = "k", hosting = "on-premise" }, "did you mean on_premise")
      assert.error_matches(with { api_key = "k", timeout = 0 }, "timeout")
      assert.error_matches(with { api_key = "k", base_url = "http://waba.360dialog.io" }, "base_url")
      assert.error_matches(with { api_key = "k", base_url = "waba.360dialog.io" }, "base_url")
      assert.error_matches(with { api_key = "k", validate = "no" }, "validate")
      assert.error_matches(with { api_key = "k", max_connections = 0 }, "max_connections")
      assert.error_matches(with { api_key = "k", base_url = "https://h.example/?a=" }, "base_url")
      assert.error_matches(with { api_key = "k", retry = { base = 0 / 0 } }, "retry: option base must be number of at least 0")
      assert.error_matches(with { api_key = "k", retry = { max = -1 } }, "retry: option max must be number of at least 0")
      assert.error_matches(with { api_key = "k", retry = { attempts = 0 } }, "retry: option attempts must be integer of at least 1")
      assert.error_matches(with { api_key = "k", retry = true }, "option retry must be table or false")
      assert.error_matches(with { api_key = "k", retry = { attempt = 2 } }, "did you mean attempts")
      assert.error_matches(with { api_key = "k", pace = { messages = { rate = 0, burst = 1 } } }, "pace.messages: option rate must be")
      assert.error_matches(with { api_key = "k", pace = { pair = { rate = 1 } } }, "pace.pair: option burst is required")
      assert.error_matches(with { api_key = "k", pace = { pairs = {} } }, "did you mean pair")
      assert.error_matches(with { api_key = "k", transport = "smoke" }, "unknown transport")
      assert.error_matches(with { api_key = "k", transport = {} }, "a method send")
      assert.error_matches(with { api_key = "k", loop = "circle" }, "unknown loop")
    end)

    it("refuses a key with a line break, without showing it", function()
      local ok, message = pcall(waba.client, { api_key = "SECRETKEY\r\nX-Evil: 1" })
      assert.is_false(ok)
      assert.matches("api_key", message)
      assert.not_matches("SECRETKEY", message)
    end)

    it("have no order of messages by default", function()
      local most, in_flight = 0, 0
      local mine = waba.client { api_key = "k", pace = false, transport = { send = function()
        in_flight = in_flight + 1
        most = math.max(most, in_flight)
        waba.sleep(0.002)
        in_flight = in_flight - 1
        return { status = 201, headers = {}, body = '{"messages":[{"id":"gBmine"}]}' }
      end } }
      local function send() assert(mine:send(NUMBER, waba.text "Hi")) end
      waba.run(send, send, send)
      assert.equal(3, most)
    end)

    it("are read once; further clients do not change the methods", function()
      local before, upload = client.mark_read, client.media.upload
      local mine = waba.client { api_key = "k" }
      assert.equal(before, mine.mark_read)
      assert.equal(upload, mine.media.upload)
      mine:close()
    end)

    it("raises errors with the caller's line", function()
      local _, message = pcall(function() waba.client { api_kee = "k" } end)
      assert.matches("client_spec.lua:%d+: waba.client", message)
    end)

    it("accepts any table with a method send as transport", function()
      local seen
      local mine = waba.client { api_key = "k", transport = {
        send = function(_, request)
          seen = request
          return { status = 201, headers = {}, body = '{"messages":[{"id":"gBmine"}]}' }
        end,
      } }
      assert.equal("gBmine", assert(mine:send(NUMBER, waba.text "Hi")).id)
      assert.equal("https://waba.360dialog.io/v1/messages", seen.head.url)
      mine:close()
    end)

    it("accepts an empty response of the sandbox", function()
      local url
      local sandbox = waba.client { api_key = "k", sandbox = true, transport = {
        send = function(_, request)
          url = request.head.url
          return { status = 200, headers = {}, body = "" }
        end,
      } }
      assert.same({ input = NUMBER }, assert(sandbox:send(NUMBER, waba.text "Hi")))
      assert.equal("https://waba-sandbox.360dialog.io/v1/messages", url)
    end)
  end)

  it("refuses a wrong key with kind auth", function()
    local other = waba.client(emulator:options { api_key = "WRONGKEY" })
    local sent, err = other:send(NUMBER, waba.text "Hi")
    assert.is_nil(sent)
    assert.equal("auth", err.kind)
    assert.equal(401, err.status)
    other:close()
  end)

  describe("that expects its number", function()
    it("sends if the key belongs to the number, and requests the number once", function()
      local sure = waba.client(emulator:options { expect_number = "+" .. emulator.number })
      local before = count "/v1/configs/phone_number"
      for _ = 1, 3 do assert(sure:send(NUMBER, waba.text "Hi")) end
      assert.equal(before + 1, count "/v1/configs/phone_number")
      assert.is_true(sure:verify())
      sure:close()
    end)

    it("sends nothing with the key of another number", function()
      local mistaken = waba.client(emulator:options { expect_number = "+49 30 1111111" })
      local before = count "/v1/messages"
      for _ = 1, 2 do
        local sent, err = mistaken:send(NUMBER, waba.text "Hi")
        assert.is_nil(sent)
        assert.equal("auth", err.kind)
        assert.is_false(err.maybe_sent)
      end
      assert.equal(before, count "/v1/messages")
      mistaken:close()
    end)

    it("can check the number at any time", function()
      assert.is_true(client:verify(emulator.number))
      local verified, err = client:verify "+49 30 1111111"
      assert.is_nil(verified)
      assert.equal("auth", err.kind)
      assert.error_matches(function() client:verify() end, "expected a number, as argument or as the option expect_number")
      assert.error_matches(function() waba.client { api_key = "k", expect_number = "0151" } end, "expect_number")
    end)
  end)

  describe("with the option window", function()
    local OFFER = waba.template { name = "offer", language = "en" }
    local SENT = { body = '{"messages":[{"id":"wamid.1"}]}' }
    local function failed(code) return { status = 400, body = ('{"error":{"message":"m","code":%d}}'):format(code) } end

    -- Sends a text with a client whose gateway has these responses. Returns the results and the types of the sent
    -- messages.
    local function send(responses, left, otherwise, options)
      local own, transport = scripted_transport.cloud_client(responses, options)
      local asked = {}
      local receiver = {
        window = function(_, to, number)
          asked[#asked + 1] = to .. " " .. tostring(number)
          if type(left) == "table" then return nil, left end
          return left
        end,
        expect = function(_, id, to, template) asked[#asked + 1] = ("%s %s %s"):format(id, to, template.type) end,
      }
      local sent, err = own:send(NUMBER, waba.text "Hi", { window = receiver, otherwise = otherwise })
      local types = {}
      for index, request in ipairs(transport.requests) do types[index] = request.body:match '"type":"(%l+)"' end
      return sent and sent.id or err.kind, table.concat(types, " "), table.concat(asked, ", ")
    end

    it("passes its own number to the receiver, if it is known", function()
      local _, _, asked = send({ SENT }, 1, nil, { hosting = "on_premise" })
      assert.equal(NUMBER .. " nil", asked)
      local own = scripted_transport.cloud_client { { body = '{"display_phone_number":"+49 30 555019","id":"77"}' }, SENT }
      assert(own:phone_number())
      local number
      local receiver = { window = function(_, _, asked_for) number = asked_for return 1 end, expect = print }
      assert(own:send(NUMBER, waba.text "Hi", { window = receiver }))
      assert.equal("4930555019", number)
    end)

    for _, row in ipairs {
      { "sends in an open window, and expects a later status", { { SENT }, 1, OFFER },
        { "wamid.1", "text", NUMBER .. " nil, wamid.1 " .. NUMBER .. " template" } },
      { "expects nothing without a template", { { SENT }, 1 }, { "wamid.1", "text", NUMBER .. " nil" } },
      { "sends the template in a closed window", { { SENT }, 0, OFFER }, { "wamid.1", "template", NUMBER .. " nil" } },
      { "sends nothing in a closed window without a template", { {}, 0 }, { "window", "", NUMBER .. " nil" } },
      { "sends the template when the gateway says that the window is closed", { { failed(131047), SENT }, 1, OFFER },
        { "wamid.1", "text template", NUMBER .. " nil" } },
      { "returns that error without a template", { { failed(131047) }, 1 }, { "window", "text", NUMBER .. " nil" } },
      { "returns other errors", { { failed(131026) }, 1, OFFER }, { "recipient", "text", NUMBER .. " nil" } },
      { "sends nothing when the window can't be read", { {}, require("waba.errors").new { kind = "unavailable", message = "m" } },
        { "unavailable", "", NUMBER .. " nil" } },
    } do
      it(row[1], function() assert.same(row[3], { send(row[2][1], row[2][2], row[2][3]) }) end)
    end
  end)

  it("can't be used after close, and can be closed twice", function()
    local other = waba.client(emulator:options {})
    other:close()
    other:close()
    assert.matches("closed", tostring(other))
    assert.error_matches(function() other:send(NUMBER, waba.text "Hi") end, "closed client")
  end)

  it("hides the key in every value that Lua can reach", function()
    local key = "KEY" .. "-THAT-" .. "NOBODY-SEES"
    local events = {}
    local quiet = waba.client(emulator:options {
      api_key = key, retry = { attempts = 2, base = 0.001 }, on_event = function(event) events[#events + 1] = event end,
    })
    local _, err = quiet:send(NUMBER, waba.text "Hi")
    assert.equal("auth", err.kind)
    emulator:fail_next { status = 429, body = "", headers = { ["retry-after"] = "0" }, times = 2 }
    quiet:send(NUMBER, waba.text "Hi")
    assert.is_true(#events >= 3)
    assert.is_nil(secrets.find(key, { quiet, err, events, tostring(quiet), tostring(err), emulator:received() }))
    quiet:close()
  end)
end)
