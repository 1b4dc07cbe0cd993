-- Many numbers in one receiver: the client of each event, and the number of each address.

local core = require "waba.core"
local emulators = require "spec.support.emulator"
local waba = require "waba"
local webhooks = require "spec.support.webhooks"

local SHOP, BRANCH = "4930555019", "4930555020"
local EVA = "4915112345678"

-- The body of a text from a customer to a number on Cloud hosting.
local function text_to(number, id, from, message_id)
  return webhooks.entry(webhooks.change({ messages = ('{"from":"%s","id":"%s","type":"text","text":{"body":"Hi"}}'):format(
    from or EVA, message_id or "m" .. id) }, number, id))
end

local function post(receiver, body, more)
  local request = { method = "POST", path = "/", headers = {}, body = body }
  for name, value in pairs(more or {}) do request[name] = value end
  return receiver:handle(request)
end

-- A client that records what it sends. With `number` it knows its own, as after a request to the gateway.
local function fake(name, sent, number)
  local function note(method)
    return function(_, ...)
      sent[#sent + 1] = { name, method, ... }
      return { id = "sent" }
    end
  end
  return { send = note "send", mark_read = note "mark_read", media = { download = note "download" }, own_number = number }
end

-- Names of the clients that have sent something.
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

  -- A receiver whose handler replies to each text.
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

  -- Posts texts to numbers, as { number, id }, and runs the handlers.
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

  it("is found in a table whose numbers are written otherwise, or that is filled later", function()
    local clients = { ["+49 30 555019"] = a }
    local receiver = receiver_of(clients)
    clients["402"] = b
    receive(receiver, { SHOP, "401" }, { BRANCH, "402" })
    assert.equal("a b", senders(sent))
    receive(receiver_of { [tonumber(SHOP)] = a, [402] = b }, { SHOP, "401" }, { BRANCH, "402" })
    assert.equal("a b a b", senders(sent))
  end)

  it("is returned by a function, which may wait", function()
    local receiver = receiver_of(function(event)
      waba.sleep(0.001)
      return event.phone_number_id == "401" and a or nil
    end)
    receive(receiver, { SHOP, "401" }, { BRANCH, "402" })
    assert.equal("a", senders(sent))
    assert_refused(results[2], BRANCH, "402")
  end)

  it("is nil for an unknown number, and then nothing is sent", function()
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

  it("is unknown where an On-Premise webhook names no number", function()
    local receiver = receiver_of { [SHOP] = a }
    post(receiver, webhooks.texts "m1")
    receiver:work()
    assert_refused(results[1], "option number")
  end)

  it("lets a handler that raises for an unknown number fail, and keeps the event", function()
    local receiver = receiver_of({ [SHOP] = a }, { on = { text = function(event) assert(event.client, "no client") end } })
    post(receiver, text_to(BRANCH, "402"))
    assert.equal(0, (receiver:work()))
    assert.equal(1, #receiver.inbox:set_aside())
  end)

  it("is the one client for all events of its number", function()
    receive(receiver_of(a), { SHOP, "401" }, { SHOP, "401" })
    local receiver = receiver_of(a)
    post(receiver, webhooks.texts "m1")
    receiver:work()
    assert.equal("a a a", senders(sent))
  end)

  it("is not the one client for events of a second number", function()
    receive(receiver_of(a), { SHOP, "401" }, { BRANCH, "402" }, { SHOP, "401" })
    assert.equal("a a", senders(sent))
    assert_refused(results[2], BRANCH, "402", SHOP)
  end)

  it("is not the one client for another number than its own", function()
    local own = fake("own", sent, { number = BRANCH, phone_number_id = "402" })
    receive(receiver_of(own), { SHOP, "401" }, { BRANCH, "402" })
    assert.equal("own", senders(sent))
    assert_refused(results[1], SHOP, BRANCH)
    local expecting = waba.client { api_key = "key", expect_number = BRANCH, base_url = "http://127.0.0.1:1" }
    results = {}
    receive(receiver_of(expecting), { SHOP, "401" })
    expecting:close()
    assert_refused(results[1], SHOP, BRANCH)
  end)

  it("is never one for two numbers in a table either", function()
    receive(receiver_of { [SHOP] = a, [BRANCH] = a }, { SHOP, "401" }, { BRANCH, "402" })
    assert.equal("a", senders(sent))
    assert_refused(results[2], BRANCH, SHOP)
  end)

  it("is not guessed where number and phone_number_id have different ones", function()
    receive(receiver_of { [SHOP] = a, ["401"] = b }, { SHOP, "401" })
    assert.same({}, sent)
    assert_refused(results[1], SHOP, "401", "two clients")
  end)

  it("is no field of the event's table, so that the event can be written as JSON", function()
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
    it("lets the event fail when the function " .. what, function()
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

  it("is not looked for when no handler applies", function()
    local asked = 0
    local receiver = receiver_of(function() asked = asked + 1 end)
    post(receiver, webhooks.cloud { statuses = '{"id":"s","status":"sent","recipient_id":"1"}' })
    assert.equal(1, (receiver:work()))
    assert.equal(0, asked)
  end)

  for _, row in ipairs {
    { "an empty table", {}, "not an empty table" },
    { "a key that is no number", { shop = 1 }, "the key shop must be a phone number or a phone_number_id" },
    { "a value that is no client", { [SHOP] = {} }, "as of waba.client for the number " .. SHOP .. ": it has no method send" },
    { "a value that is no table", { [SHOP] = "key" }, "it has no method send" },
    { "a number that is given twice", { [SHOP] = 1, ["+" .. SHOP] = 1 }, "has the number " .. SHOP .. " twice" },
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

    it("is asked for its number when there are events of two numbers", function()
      local receiver = receiver_of(client)
      receive(receiver, { SHOP, "401" }, { BRANCH, "402" }, { SHOP, "401" }, { BRANCH, "402" })
      assert.equal(2, #gateway.cloud:messages { direction = "outbound" })
      assert_refused(results[2], BRANCH, SHOP)
      assert_refused(results[4], BRANCH, SHOP)
      local asked = 0
      for _, request in ipairs(gateway.cloud:received()) do
        if request.path:find "health_status" then asked = asked + 1 end
      end
      assert.equal(1, asked)
    end)

    it("lets the event fail while the gateway does not name its number", function()
      local receiver = receiver_of(client)
      receive(receiver, { SHOP, "401" })
      gateway.cloud:fail_next { status = 500 }
      post(receiver, text_to(BRANCH, "402", nil, "other"))
      assert.equal(0, (receiver:work()))
      assert.equal(1, #receiver.inbox:set_aside())
      assert.equal(1, #gateway.cloud:messages { direction = "outbound" })
    end)
  end)
end)
