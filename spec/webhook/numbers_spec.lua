-- One receiver for many business numbers: which client replies to an event, and which number a webhook URL belongs to.

local core = require "waba.core"
local emulators = require "spec.support.emulator"
local encoding = require "waba.encoding"
local waba = require "waba"
local webhooks = require "spec.support.webhooks"

local SHOP, BRANCH = "4930555019", "4930555020"
local EVA = "4915112345678"

-- Returns the webhook of a text from a customer to a number on Cloud hosting.
local function text_to(number, id, from, message_id)
  return webhooks.entry(webhooks.change({ messages = ('{"from":"%s","id":"%s","type":"text","text":{"body":"Hi"}}'):format(
    from or EVA, message_id or "m" .. id) }, number, id))
end

local function post(receiver, body, more)
  local request = { method = "POST", path = "/", headers = {}, body = body }
  for name, value in pairs(more or {}) do request[name] = value end
  return receiver:handle(request)
end

-- Returns a client that records the messages that it sends. With `number` the client knows its own number, as after a
-- request to the gateway.
local function fake(name, sent, number)
  local function note(method)
    return function(_, ...)
      sent[#sent + 1] = { name, method, ... }
      return { id = "sent" }
    end
  end
  return { send = note "send", mark_read = note "mark_read", media = { download = note "download" }, own_number = number }
end

-- Returns the names of the clients that have sent a message.
local function senders(sent)
  local names = {}
  for index, call in ipairs(sent) do names[index] = call[1] end
  return table.concat(names, " ")
end

describe("the client of an event", function()
  local sent, results, a, b

  before_each(function()
    sent, results = {}, {}
    a, b = fake("a", sent), fake("b", sent)
  end)

  -- Returns a receiver whose handler replies to each text.
  local function receiver_of(client, options)
    local all = { open = true, client = client, inbox = waba.inbox.memory { retry = { attempts = 1 } }, on = {
      text = function(event)
        local ok, err = event:reply(waba.text "Hello")
        results[#results + 1] = { client = event.client, ok = ok, err = err }
      end,
    } }
    for name, value in pairs(options or {}) do all[name] = value end
    return waba.receiver(all)
  end

  -- Posts a text for each element { number, id }, and runs the handlers.
  local function receive(receiver, ...)
    for index, to in ipairs { ... } do
      assert.equal(200, (post(receiver, text_to(to[1], to[2], nil, "m" .. index))))
      receiver:work()
    end
  end

  local function assert_refused(result, ...)
    assert.is_nil(result.client)
    assert.is_nil(result.ok)
    assert.equal("invalid", result.err.kind)
    for _, words in ipairs { ... } do assert.truthy(result.err.message:find(words, 1, true), result.err.message) end
  end

  it("is found in a table by the number or by the phone_number_id", function()
    receive(receiver_of { [SHOP] = a, ["402"] = b }, { SHOP, "401" }, { BRANCH, "402" }, { BRANCH, "402" })
    assert.equal("a b b", senders(sent))
    assert.equal(a, results[1].client)
    assert.equal(b, results[2].client)
  end)

  it("is found in a table whose keys have another form, or that is filled later", function()
    local clients = { ["+49 30 555019"] = a }
    local receiver = receiver_of(clients)
    clients["402"] = b
    receive(receiver, { SHOP, "401" }, { BRANCH, "402" })
    assert.equal("a b", senders(sent))
    receive(receiver_of { [tonumber(SHOP)] = a, [402] = b }, { SHOP, "401" }, { BRANCH, "402" })
    assert.equal("a b a b", senders(sent))
  end)

  it("is the one that a function returns, which may wait", function()
    local receiver = receiver_of(function(event)
      waba.sleep(0.001)
      return event.phone_number_id == "401" and a or nil
    end)
    receive(receiver, { SHOP, "401" }, { BRANCH, "402" })
    assert.equal("a", senders(sent))
    assert_refused(results[2], BRANCH, "402")
  end)

  it("is nil with the error that the function returns", function()
    local own = require("waba.errors").new { kind = "auth", message = "the subscription has ended" }
    receive(receiver_of(function() return nil, own end), { SHOP, "401" })
    receive(receiver_of(function() return nil, "not an error object" end), { SHOP, "401" })
    assert.equal(own, results[1].err)
    assert_refused(results[2], SHOP)
  end)

  it("is nil for an unknown number, and nothing is sent", function()
    local seen
    receive(receiver_of({ [SHOP] = a }, { on = { text = function(event)
      seen = event
      results[1] = { ok = event:reply(waba.text "Hello"), err = select(2, event:reply(waba.text "Hello")) }
      results[2] = { err = select(2, event:mark_read()) }
      results[3] = { err = select(2, event:download()) }
    end } }), { BRANCH, "402" })
    assert.is_nil(seen.client)
    for index = 1, 3 do assert_refused(results[index], BRANCH, "402") end
    assert.same({}, sent)
  end)

  it("is unknown if an On-Premise webhook names no number", function()
    local receiver = receiver_of { [SHOP] = a }
    post(receiver, webhooks.texts "m1")
    receiver:work()
    assert_refused(results[1], "option number")
  end)

  it("is nil for an unknown number, so a handler can raise an error to keep the event", function()
    local receiver = receiver_of({ [SHOP] = a }, { on = { text = function(event) assert(event.client, "no client") end } })
    post(receiver, text_to(BRANCH, "402"))
    assert.equal(0, (receiver:work()))
    assert.equal(1, #receiver.inbox:set_aside())
  end)

  it("is the only client for all events of its number", function()
    receive(receiver_of(a), { SHOP, "401" }, { SHOP, "401" })
    local receiver = receiver_of(a)
    post(receiver, webhooks.texts "m1")
    receiver:work()
    assert.equal("a a a", senders(sent))
  end)

  it("is not the only client for events of a second number", function()
    receive(receiver_of(a), { SHOP, "401" }, { BRANCH, "402" }, { SHOP, "401" })
    assert.equal("a a", senders(sent))
    assert_refused(results[2], BRANCH, "402")
  end)

  it("is not the only client for another number than its own", function()
    local own = fake("own", sent, { number = BRANCH, phone_number_id = "402" })
    receive(receiver_of(own), { SHOP, "401" }, { BRANCH, "402" })
    assert.equal("own", senders(sent))
    assert_refused(results[1], SHOP)
    local expecting = waba.client { api_key = "key", expect_number = BRANCH, base_url = "http://127.0.0.1:1" }
    results = {}
    receive(receiver_of(expecting), { SHOP, "401" })
    expecting:close()
    assert_refused(results[1], SHOP)
  end)

  it("can't be one client for two numbers in a table", function()
    receive(receiver_of { [SHOP] = a, [BRANCH] = a }, { SHOP, "401" }, { BRANCH, "402" })
    assert.equal("a", senders(sent))
    assert_refused(results[2], BRANCH)
  end)

  it("is nil if number and phone_number_id have different clients", function()
    receive(receiver_of { [SHOP] = a, ["401"] = b }, { SHOP, "401" })
    assert.same({}, sent)
    assert_refused(results[1], SHOP, "401", "two clients")
  end)

  it("is not a field of the event's table, so that the event can be written as JSON", function()
    local seen
    local receiver = receiver_of(a, { on = { any = function(event) seen = event end } })
    receive(receiver, { SHOP, "401" })
    assert.equal(a, seen.client)
    assert.is_string(core.encode(seen))
  end)

  for what, fn in pairs {
    raises = function() error("the table of numbers is locked", 0) end,
    ["returns no client"] = function() return { send = print } end,
  } do
    it("fails the event if the function " .. what, function()
      local raised
      local receiver = receiver_of(fn, { on = {
        text = function() results[1] = "handled" end, error = function(_, err) raised = err end,
      } })
      post(receiver, text_to(SHOP, "401"))
      assert.equal(0, (receiver:work()))
      assert.same({}, results)
      assert.equal(1, #receiver.inbox:set_aside())
      assert.truthy(tostring(raised):find(what == "raises" and "locked" or "no method mark_read", 1, true), raised)
    end)
  end

  it("is not looked up if no handler applies", function()
    local asked = 0
    local receiver = receiver_of(function() asked = asked + 1 end)
    post(receiver, webhooks.cloud { statuses = '{"id":"s","status":"sent","recipient_id":"1"}' })
    assert.equal(1, (receiver:work()))
    assert.equal(0, asked)
  end)

  for _, row in ipairs {
    { "an empty table", {}, "not an empty table" },
    { "a key that is no number", { shop = 1 }, "the key shop must be a phone number or a phone_number_id" },
    { "a value that is no client", { [SHOP] = {} }, "from waba.client for the number " .. SHOP .. ": it has no method send" },
    { "a value that is no table", { [SHOP] = "key" }, "it has no method send" },
    { "a number that is given twice", { [SHOP] = 1, [tonumber(SHOP)] = 1 }, "has the number " .. SHOP .. " twice" },
  } do
    it("refuses " .. row[1], function()
      local option = {}
      for key, value in pairs(row[2]) do option[key] = value == 1 and fake("x", sent) or value end
      local ok, message = pcall(waba.receiver, { open = true, client = option })
      assert.is_false(ok)
      assert.truthy(message:find("waba.receiver: option client", 1, true), message)
      assert.truthy(message:find(row[3], 1, true), message)
    end)
  end

  describe("of a gateway", function()
    local gateway, client

    before_each(function()
      gateway = assert(emulators.start { statuses = false, cloud = { number = SHOP, phone_number_id = "401" } })
      client = waba.client(gateway:options { hosting = "cloud", retry = false })
      gateway.cloud:customer(EVA):text "Hi"
    end)

    after_each(function()
      client:close()
      gateway:stop()
    end)

    it("has its number requested once, before its first use", function()
      local receiver = receiver_of(client)
      receive(receiver, { BRANCH, "402" }, { SHOP, "401" }, { BRANCH, "402" }, { SHOP, "401" })
      assert.equal(2, #gateway.cloud:messages { direction = "outbound" })
      assert_refused(results[1], BRANCH)
      assert_refused(results[3], BRANCH)
      local asked = 0
      for _, request in ipairs(gateway.cloud:received()) do
        if request.path:find "health_status" then asked = asked + 1 end
      end
      assert.equal(1, asked)
    end)

    it("fails the event if the gateway can't be reached", function()
      local receiver = receiver_of(client)
      gateway.cloud:fail_next { status = 500 }
      post(receiver, text_to(BRANCH, "402", nil, "other"))
      assert.equal(0, (receiver:work()))
      assert.equal(1, #receiver.inbox:set_aside())
      assert.equal(0, #gateway.cloud:messages { direction = "outbound" })
      receive(receiver, { SHOP, "401" })
      assert.equal(1, #gateway.cloud:messages { direction = "outbound" })
    end)

    it("belongs to its first number if the gateway does not name it", function()
      local receiver = receiver_of(client)
      gateway.cloud:fail_next { status = 404 }
      receive(receiver, { SHOP, "401" }, { BRANCH, "402" })
      assert.equal(1, #gateway.cloud:messages { direction = "outbound" })
      assert_refused(results[2], BRANCH)
    end)
  end)
end)

describe("the number of an address", function()
  local TEXT = webhooks.texts "m1"

  local function basic(user, password) return { authorization = encoding.basic(user, password) } end

  local function take(receiver) return receiver.inbox:take(10) end

  it("is the number of all On-Premise events, also of stored ones", function()
    local path = os.tmpname()
    for _, box in ipairs { waba.inbox.memory(), waba.inbox.sqlite { file = path, sync = false } } do
      local receiver = waba.receiver { open = true, number = "+49 30 555019", inbox = box }
      assert.equal(200, (post(receiver, TEXT)))
      assert.equal(200, (post(receiver, webhooks.on_premise { statuses = '{"id":"s","status":"sent","recipient_id":"1"}',
        errors = '{"code":1}' })))
      for _, event in ipairs(take(receiver)) do assert.equal(SHOP, event.number) end
      box:close()
    end
    for _, suffix in ipairs { "", "-wal", "-shm" } do os.remove(path .. suffix) end
  end)

  it("does not replace the number in webhooks of Cloud hosting", function()
    local receiver = waba.receiver { open = true, number = SHOP }
    assert.equal(200, (post(receiver, text_to(BRANCH, "402"))))
    assert.equal(BRANCH, take(receiver)[1].number)
  end)

  it("is found by the path, without its query", function()
    local receiver = waba.receiver { open = true, number = { ["/shop"] = SHOP, ["/branch"] = { number = BRANCH } } }
    assert.equal(200, (post(receiver, webhooks.texts "a", { path = "/branch" })))
    assert.equal(200, (post(receiver, webhooks.texts "b", { path = "/shop?x=/branch" })))
    local events = take(receiver)
    assert.same({ BRANCH, SHOP }, { events[1].number, events[2].number })
  end)

  it("is returned by a function of the request", function()
    local receiver = waba.receiver { open = true, number = function(request)
      waba.sleep(0.001)
      return request.query == "shop" and SHOP or nil
    end }
    assert.equal(200, (post(receiver, TEXT, { query = "shop" })))
    assert.equal(404, (post(receiver, TEXT, { query = "other" })))
    assert.equal(SHOP, take(receiver)[1].number)
  end)

  it("is unknown for other paths, which get 404 before anything else is checked", function()
    for _, number in ipairs { { ["/shop"] = SHOP }, function() return nil end } do
      local receiver = waba.receiver { user = "u", password = "p", number = number, max_body = 10 }
      for _, more in ipairs { { method = "GET" }, { headers = basic("u", "p") }, { body = ("x"):rep(11) } } do
        more.path = "/other"
        local status, headers, body, reason = post(receiver, "{}", more)
        assert.equal(404, status)
        assert.same({}, headers)
        assert.equal("", body)
        assert.matches("its path /other belongs to no number", reason)
        assert.equal(404, (receiver:refuse("GET", 11, {}, { path = "/other" })))
      end
    end
  end)

  it("is that of each request if a table is used for several requests", function()
    local receiver = waba.receiver { open = true, number = { ["/shop"] = SHOP } }
    local request = { method = "POST", path = "/shop", headers = {}, body = TEXT }
    assert.is_nil((receiver:refuse("POST", 1, {}, request)))
    assert.equal(200, (receiver:handle(request)))
    request.path = "/other"
    assert.equal(404, (receiver:handle(request)))
  end)

  it("needs the credentials of each request if a table is used for several requests", function()
    local receiver = waba.receiver { user = "shop", password = "s1" }
    local request = { method = "POST", path = "/", headers = basic("shop", "s1"), body = TEXT }
    assert.is_nil((receiver:refuse("POST", 1, request.headers, request)))
    request.headers = basic("shop", "wrong") -- the body of the first request never arrived
    assert.equal(401, (receiver:handle(request)))
    request.headers = basic("shop", "s1")
    assert.is_nil((receiver:refuse("POST", 1, request.headers, request)))
    assert.equal(200, (receiver:handle(request)))
  end)

  it("can't be determined if the function raises an error or returns an invalid value, so the gateway tries again", function()
    for words, fn in pairs {
      ["the table is locked"] = function() error "the table is locked" end,
      ["must be a phone number"] = function() return "shop" end,
      ["unknown option pasword"] = function() return { number = SHOP, pasword = "p" } end,
      ["option number"] = function() return 1.5 end,
      ["user and password are required together"] = function() return { number = SHOP, user = "u" } end,
    } do
      local receiver = waba.receiver { open = true, number = fn }
      local status, headers, _, reason = post(receiver, TEXT)
      assert.equal(503, status)
      assert.is_string(headers["retry-after"])
      assert.truthy(reason:find(words, 1, true), reason)
      assert.is_nil(reason:find("traceback", 1, true))
      assert.equal(0, receiver.inbox:depth())
    end
  end)

  describe("has credentials", function()
    local NUMBERS = {
      ["/shop"] = { number = SHOP, user = "shop", password = "s1" }, ["/branch"] = { number = BRANCH, secret = "s2" },
      ["/third"] = { number = "4930555021", headers = { ["X-Key"] = "s3" } },
    }

    local function by_function(request) return NUMBERS[request.path] end

    for form, number in pairs { table = NUMBERS, ["function"] = by_function } do
      it("in a " .. form .. ", which are not accepted for another number", function()
        local receiver = waba.receiver { number = number }
        local signed = { ["x-hub-signature-256"] = "sha256=" .. core.hmac_sha256("s2", TEXT) }
        local all = { ["/shop"] = basic("shop", "s1"), ["/branch"] = signed, ["/third"] = { ["x-key"] = "s3" } }
        for path in pairs(all) do
          for other, headers in pairs(all) do
            assert.equal(path == other and 200 or 401, (post(receiver, TEXT, { path = path, headers = headers })))
          end
        end
        assert.is_true(receiver:knows(basic("shop", "s1"), { path = "/shop", place = receiver.find_place { path = "/shop" } }))
        assert.is_false(receiver:knows(basic("shop", "s1"), { place = receiver.find_place { path = "/third" } }))
        assert.equal(401, (receiver:refuse("POST", 1, basic("shop", "s1"), { path = "/third" })))
        assert.is_nil((receiver:refuse("POST", 1, basic("shop", "s1"), { path = "/shop" })))
      end)
    end

    it("instead of the receiver's credentials, which are valid for other numbers", function()
      local receiver = waba.receiver {
        user = "u", password = "p", number = { ["/shop"] = NUMBERS["/shop"], ["/branch"] = BRANCH },
      }
      assert.equal(401, (post(receiver, TEXT, { path = "/shop", headers = basic("u", "p") })))
      assert.equal(200, (post(receiver, TEXT, { path = "/branch", headers = basic("u", "p") })))
      assert.equal(401, (post(receiver, TEXT, { path = "/branch", headers = basic("shop", "s1") })))
    end)

    it("that are not accepted for a Cloud webhook of another number", function()
      local receiver = waba.receiver { number = { ["/shop"] = NUMBERS["/shop"],
        ["/402"] = { number = "402", user = "b", password = "p" } } }
      local mine = { path = "/shop", headers = basic("shop", "s1") }
      assert.equal(200, (post(receiver, text_to(SHOP, "401"), mine)))
      local status, _, _, reason = post(receiver, text_to(BRANCH, "402"), mine)
      assert.equal(401, status)
      assert.matches(SHOP .. ".*" .. BRANCH, reason)
      assert.equal(200, (post(receiver, text_to(BRANCH, "402"), { path = "/402", headers = basic("b", "p") })))
      assert.equal(2, receiver.inbox:depth())
    end)

    it("that are not accepted for another number in a Cloud webhook without phone_number_id", function()
      local receiver = waba.receiver { number = { ["/shop"] = NUMBERS["/shop"] } }
      local mine = { path = "/shop", headers = basic("shop", "s1") }
      local function posted(field, number, content)
        return (post(receiver, webhooks.entry(('{"field":"%s","value":{"metadata":{"display_phone_number":"%s"},%s}}'):format(
          field, number, content)), mine))
      end
      local MESSAGE = '"messages":[{"from":"4915112345678","id":"m","type":"text","text":{"body":"Hi"}}]'
      local STATUS = '"statuses":[{"id":"m","status":"sent","recipient_id":"4915112345678"}]'
      local NEW_ID = '"user_id_update":[{"wa_id":"4915112345678","user_id":{"previous":"DE.1","current":"DE.2"}}]'
      for _, row in ipairs { { "messages", MESSAGE }, { "messages", STATUS }, { "standby", MESSAGE }, { "user_id_update", NEW_ID } } do
        assert.equal(401, posted(row[1], BRANCH, row[2]))
        assert.equal(200, posted(row[1], SHOP, row[2]))
      end
      -- a webhook about the account is accepted at the path of any number
      assert.equal(200, posted("phone_number_quality_update", BRANCH, '"event":"FLAGGED"'))
    end)
  end)

  for _, row in ipairs {
    { { number = { shop = SHOP }, open = true }, 'option number: shop is no path: expected one that begins with "/"' },
    { { number = {}, open = true }, "option number is an empty table" },
    { { number = "shop", open = true }, "option number: number must be a phone number in international form" },
    { { number = { ["/shop"] = "" }, open = true }, "option number: /shop: number must be a phone number" },
    { { number = { ["/shop"] = {} }, open = true }, "option number: /shop: number must be" },
    { { number = { ["/shop"] = SHOP } }, "option number: /shop: user, headers or secret is required" },
    { { number = { ["/shop"] = { number = SHOP, user = "u" } } }, "number: /shop: options user and password are required together" },
    { { number = { ["/shop"] = { number = SHOP, usr = "u" } } }, "number: /shop: unknown option usr" },
    { { number = SHOP }, "option user, headers or secret is required" },
  } do
    it("raises an error: " .. row[2], function()
      local ok, message = pcall(waba.receiver, row[1])
      assert.is_false(ok)
      assert.truthy(message:find("waba.receiver: ", 1, true), message)
      assert.truthy(message:find(row[2], 1, true), message)
    end)
  end

  it("refuses an address without credentials from the function or the receiver", function()
    assert.equal(503, (post(waba.receiver { number = function() return SHOP end }, TEXT)))
  end)
end)

describe("conversations of several numbers", function()
  for _, kind in ipairs { "memory", "sqlite" } do
    it("do not wait for each other, although the customer and the ids are equal, in " .. kind, function()
      local box = kind == "memory" and waba.inbox.memory() or waba.inbox.sqlite { file = ":memory:", sync = false }
      finally(function() box:close() end)
      local receiver = waba.receiver { open = true, inbox = box, number = { ["/shop"] = SHOP, ["/branch"] = BRANCH } }
      for _, number in ipairs { { SHOP, "401" }, { BRANCH, "402" } } do
        assert.equal(200, (post(receiver, text_to(number[1], number[2], EVA, "same"), { path = "/shop" })))
        -- the second post of one message is a duplicate
        assert.equal(200, (post(receiver, text_to(number[1], number[2], EVA, "same"), { path = "/shop" })))
        assert.equal(200, (post(receiver, text_to(number[1], number[2], EVA, "next"), { path = "/shop" })))
      end
      assert.equal(200, (post(receiver, webhooks.texts "m1", { path = "/shop" })))
      assert.equal(200, (post(receiver, webhooks.texts "m1", { path = "/branch" })))
      assert.equal(6, box:depth())
      local taken = box:take(10)
      local ids = {}
      for index, event in ipairs(taken) do ids[index] = event.number .. " " .. event.id end
      assert.same({ SHOP .. " same", BRANCH .. " same", SHOP .. " m1", BRANCH .. " m1" }, ids)
    end)
  end
end)
