local core = require "waba.core"
local encoding = require "waba.encoding"
local errors = require "waba.errors"
local waba = require "waba"
local webhooks = require "spec.support.webhooks"

local TEXT = '{"messages":[{"from":"1","id":"m","type":"text","text":{"body":"Hi"}}]}'

local function basic(user, password) return { authorization = encoding.basic(user, password) } end

-- Returns a receiver with these options that accepts webhooks without credentials.
local function open_receiver(options)
  options.open = true
  return waba.receiver(options)
end

local function post(receiver, body, headers)
  return receiver:handle { method = "POST", path = "/", headers = headers or {}, body = body }
end

describe("a receiver", function()
  it("responds with 200 and an empty body after the events were stored", function()
    local receiver = open_receiver { inbox = waba.inbox.memory() }
    local status, headers, body = post(receiver, TEXT)
    assert.equal(200, status)
    assert.is_table(headers)
    assert.equal("", body)
    assert.equal(1, receiver.inbox:depth())
  end)

  it("runs the handlers of events that are not messages; account events have those of their field", function()
    local ran = {}
    local on = {}
    for _, name in ipairs { "text", "message", "echo", "standby", "handover", "preference", "account", "any", "error",
      "message_template_status_update", "business_username_update" } do
      on[name] = function(event) ran[#ran + 1] = name .. " " .. event.kind end
    end
    local receiver = open_receiver { on = on }
    local text = '[{"from":"1","to":"2","id":"%s","type":"text","text":{"body":"Hi"}}]'
    assert.equal(200, (post(receiver, webhooks.entry({
      '{"field":"smb_message_echoes","value":{"message_echoes":' .. text:format "a" .. "}}",
      '{"field":"standby","value":{"messages":' .. text:format "b" .. "}}",
      '{"field":"messaging_handovers","value":{"type":"control_taken","sender":"1"}}',
      '{"field":"user_preferences","value":{"user_preferences":[{"wa_id":"1","value":"stop"}]}}',
      '{"field":"message_template_status_update","value":{"event":"PAUSED"}}',
      '{"field":"business_username_updates","value":{"status":"reserved"}}',
      '{"field":"text","value":{"status":"reserved"}}', '{"field":"error","value":{"status":"reserved"}}',
    }, 1))))
    receiver:work()
    table.sort(ran)
    assert.same({ "account account", "account account", "account account", "account account", "any account", "any account",
      "any account", "any account", "any echo", "any handover", "any preference", "any standby",
      "business_username_update account", "echo echo", "handover handover", "message_template_status_update account",
      "preference preference", "standby standby" }, ran)
  end)

  it("reads an On-Premise message of its own number as an echo", function()
    local seen = {}
    local receiver = open_receiver { number = "4930555019", on = { any = function(event)
      seen[#seen + 1] = ("%s to %s, %s"):format(event.kind, tostring(event.to), event.customer.key)
    end } }
    assert.equal(200, (post(receiver, '{"messages":[{"from":"4930555019","to":"+4915111","id":"a","type":"text","text":'
      .. '{"body":"x"}},{"from":"4915111","id":"b","type":"text","text":{"body":"y"}}]}')))
    receiver:work()
    assert.same({ "echo to 4915111, 4915111", "message to nil, 4915111" }, seen)
  end)

  it("makes the client fetch a changed template again, also without a handler", function()
    local forgotten = {}
    local client = { send = function() end, mark_read = function() end,
      templates = { forget = function(_, name) forgotten[#forgotten + 1] = name end } }
    local receiver = open_receiver { client = client }
    local changes = {}
    for index, field in ipairs { "message_template_status_update", "message_template_components_update",
      "message_template_quality_update", "template_category_update", "account_update" } do
      changes[index] = ('{"field":"%s","value":{"message_template_name":"t%d","event":"x"}}'):format(field, index)
    end
    assert.equal(200, (post(receiver, webhooks.entry(changes, 1))))
    receiver:work()
    table.sort(forgotten)
    assert.same({ "t1", "t2", "t3", "t4" }, forgotten)
  end)

  it("responds with 200 to a body without events, and to known events", function()
    local receiver = open_receiver {}
    assert.equal(200, (post(receiver, "{}")))
    assert.equal(200, (post(receiver, TEXT)))
    assert.equal(200, (post(receiver, TEXT)))
    assert.equal(1, receiver.inbox:depth())
  end)

  it("runs no handler before it has responded", function()
    local ran = 0
    local receiver = open_receiver { on = { any = function() ran = ran + 1 end } }
    assert.equal(200, (post(receiver, TEXT)))
    assert.equal(0, ran)
    receiver:work()
    assert.equal(1, ran)
  end)

  it("accepts POST only", function()
    local receiver = waba.receiver { user = "u", password = "p" }
    for _, method in ipairs { "GET", "PUT", "HEAD", "post" } do
      local status, headers, body = receiver:handle { method = method, headers = {}, body = "" }
      assert.equal(405, status)
      assert.equal("POST", headers.allow)
      assert.equal("", body)
    end
  end)

  it("checks the size before it reads the body", function()
    local receiver = waba.receiver { user = "u", password = "p", max_body = 10 }
    assert.equal(413, (post(receiver, ("x"):rep(11))))
    assert.equal(401, (post(receiver, ("x"):rep(10))))
    assert.equal(400, (post(receiver, ("x"):rep(10), basic("u", "p"))))
    assert.equal(413, (post(open_receiver {}, (" "):rep(4 * 1024 * 1024) .. "{}")))
    assert.equal(200, (post(open_receiver {}, (" "):rep(4 * 1024 * 1024 - 2) .. "{}")))
  end)

  for _, body in ipairs { "", "no json", "[]", "7", "{" } do
    it("responds with 400 to " .. ("%q"):format(body), function()
      assert.equal(400, (post(open_receiver {}, body)))
    end)
  end

  it("responds with 503 and Retry-After if the inbox can't store", function()
    local receiver = open_receiver { inbox = waba.inbox.memory { max = 0 } }
    local status, headers = post(receiver, TEXT)
    assert.equal(503, status)
    assert.is_number(tonumber(headers["retry-after"]))
  end)

  it("returns the reason of a refusal, and Retry-After with status 503 only", function()
    local full = waba.inbox.memory()
    local refusing = { put = function() return nil end }
    for index, row in ipairs {
      { { inbox = full }, TEXT, 503, "the inbox cannot store it: away" },
      { { inbox = refusing }, TEXT, 503, "the inbox returned no error" },
      { {}, "no json", 400, "not JSON" }, { { max_body = 5 }, "123456", 413, "its body of 6 bytes is longer than max_body, 5" },
      { { number = { ["/a"] = "4930555019" } }, TEXT, 404, "its path / belongs to no number of the option number" },
      { { number = function() error("odd", 0) end }, TEXT, 503, "its number can't be determined: odd" },
      { { number = function() return nil end }, TEXT, 404, "belongs to no number" }, { { number = "4930555019" }, TEXT, 200 },
      { { open = false }, TEXT, 401, "the receiver accepts none (open = false)" },
    } do
      local options = row[1]
      if options.open == nil then options.open = true end
      options.inbox = options.inbox or waba.inbox.memory()
      for _, name in ipairs { "take", "attempts", "extend", "ack", "fail", "release", "depth", "next_due" } do
        options.inbox[name] = options.inbox[name] or print
      end
      if options.inbox == full then full.put = function() return nil, "away" end end
      local status, headers, body, reason = post(waba.receiver(options), row[2])
      assert.same({ row[3], "" }, { status, body }, index)
      if row[4] then assert.truthy(reason:find(row[4], 1, true), reason) else assert.is_nil(reason) end
      assert.equal(status == 503 and "10" or nil, headers["retry-after"], index)
    end
  end)

  describe("accepts requests with", function()
    it("user and password", function()
      local receiver = waba.receiver { user = "testuser", password = "testpass" }
      assert.equal(200, (post(receiver, "{}", { Authorization = "Basic dGVzdHVzZXI6dGVzdHBhc3M=" })))
      assert.equal(200, (post(receiver, "{}", { AUTHORIZATION = "basic  dGVzdHVzZXI6dGVzdHBhc3M= " })))
      for _, wrong in ipairs {
        "Basic dGVzdHVzZXI6dGVzdHBhc3M", "Basic", "", "dGVzdHVzZXI6dGVzdHBhc3M=", "Bearer dGVzdHVzZXI6dGVzdHBhc3M=",
        encoding.basic("testuser", "testpasS"), encoding.basic("u", "testpass"),
      } do
        local status, headers = post(receiver, "{}", { authorization = wrong })
        assert.equal(401, status)
        assert.truthy(headers["www-authenticate"])
      end
      assert.equal(401, (post(receiver, "{}")))
      local twice = { "Basic dGVzdHVzZXI6dGVzdHBhc3M=", "Basic dGVzdHVzZXI6dGVzdHBhc3M=" }
      assert.equal(401, (post(receiver, "{}", { authorization = twice })))
    end)

    it("the old or the new password", function()
      local receiver = waba.receiver { user = "u", password = { "old", "new" } }
      assert.equal(200, (post(receiver, "{}", basic("u", "old"))))
      assert.equal(200, (post(receiver, "{}", basic("u", "new"))))
      assert.equal(401, (post(receiver, "{}", basic("u", "other"))))
      receiver = waba.receiver { user = { "a", "b" }, password = { "1", "2" } }
      assert.equal(200, (post(receiver, "{}", basic("b", "2"))))
      assert.equal(401, (post(receiver, "{}", basic("a", "2"))))
    end)

    it("all headers of a set", function()
      local receiver = waba.receiver { headers = { { ["X-Key"] = "k", ["X-App"] = "a" }, { ["x-key"] = "new" } } }
      assert.equal(200, (post(receiver, "{}", { ["x-key"] = "k", ["X-APP"] = "a" })))
      assert.equal(200, (post(receiver, "{}", { ["X-Key"] = "new" })))
      assert.equal(401, (post(receiver, "{}", { ["X-Key"] = "k" })))
      assert.equal(401, (post(receiver, "{}", { ["X-App"] = "a" })))
      assert.equal(401, (post(receiver, "{}")))
    end)

    it("a signature of the body", function()
      local receiver = waba.receiver { secret = { "old", "It's a secret" } }
      local signature = "sha256=" .. core.hmac_sha256("It's a secret", TEXT)
      assert.equal(200, (post(receiver, TEXT, { ["X-Hub-Signature-256"] = signature })))
      assert.equal(200, (post(receiver, TEXT, { ["x-360dialog-signature"] = core.hmac_sha256("old", TEXT) })))
      assert.equal(401, (post(receiver, TEXT .. " ", { ["X-Hub-Signature-256"] = signature })))
      assert.equal(401, (post(receiver, TEXT, { ["X-Hub-Signature-256"] = "sha256=" })))
      assert.equal(401, (post(receiver, TEXT)))
    end)

    it("any of several credentials", function()
      local receiver = waba.receiver { user = "u", password = "p", headers = { ["X-Key"] = "k" } }
      assert.equal(200, (post(receiver, "{}", basic("u", "p"))))
      assert.equal(200, (post(receiver, "{}", { ["X-Key"] = "k" })))
      assert.equal(401, (post(receiver, "{}", { ["X-Key"] = "p" })))
    end)
  end)

  it("does not show its secrets", function()
    local receiver = waba.receiver {
      user = "us3r", password = "p4ssword", headers = { ["X-Key"] = "h3ader" }, secret = "s3cret",
    }
    local seen = {}
    local function walk(value)
      if seen[value] then return end
      seen[value] = true
      for _, word in ipairs { "us3r", "p4ssword", "h3ader", "s3cret", encoding.basic("us3r", "p4ssword") } do
        assert.is_nil(tostring(value):find(word, 1, true))
      end
      if type(value) ~= "table" then return end
      for key, member in pairs(value) do
        walk(key)
        walk(member)
      end
      if getmetatable(value) then walk(getmetatable(value)) end
    end
    walk(receiver)
  end)

  it("requires credentials by default", function()
    assert.has_error(function() waba.receiver {} end,
      "waba.receiver: option user, headers or secret is required, or open = true, which requires no credentials")
    for _, options in ipairs {
      { user = "u" }, { password = "p" }, { user = "u", password = "" }, { user = "a:b", password = "p" },
      { headers = {} }, { headers = { a = "" } }, { secret = "" }, { user = { "a", "b" }, password = { "1" } },
      { user = "u", password = { 1 } }, { user = "u", password = {} }, { user = {}, password = "p" }, { secret = {} },
      { user = "u", password = { current = "p" } }, { headers = { "X-Key" } },
      { open = true, inbox = {} }, { open = true, client = {} }, { open = true, max_body = -1 }, { open = true, max_body = 0 },
    } do
      local ok, message = pcall(waba.receiver, options)
      assert.is_false(ok)
      assert.truthy(message:find("waba.receiver: ", 1, true))
    end
  end)

  it("names a missing method of an inbox or a client", function()
    local box = waba.inbox.memory()
    assert.has_error(function() waba.receiver { open = true, inbox = { put = box.put } } end,
      "waba.receiver: option inbox must be an inbox, such as one from waba.inbox.sqlite: it has no method take")
    assert.has_error(function() waba.receiver { open = true, client = { send = print } } end,
      "waba.receiver: option client must be a client from waba.client: it has no method mark_read")
    local own = {}
    for _, name in ipairs { "put", "take", "attempts", "extend", "ack", "fail", "release", "depth", "next_due" } do
      own[name] = print
    end
    assert.has_error(function() waba.receiver { open = true, inbox = own, gather = 1 } end,
      "waba.receiver: option gather needs an inbox made by waba.inbox.memory, .sqlite or .redis: the inbox has no "
        .. "method gather")
    assert.has_error(function() open_receiver {}:work { batch = 0 } end,
      "receiver:work: option batch must be integer of at least 1, not 0")
  end)

  it("names an unknown option or handler", function()
    assert.has_error(function() waba.receiver { open = true, inbx = {} } end,
      "waba.receiver: unknown option inbx (did you mean inbox?)")
    assert.has_error(function() waba.receiver { open = true, on = { txt = print } } end,
      "waba.receiver: on: unknown option txt (did you mean text?)")
    assert.has_error(function() waba.receiver { open = true, on = { message_template_status_updat = print } } end,
      "waba.receiver: on: unknown option message_template_status_updat (did you mean message_template_status_update?)")
  end)

  it("accepts a handler for each type of message", function()
    local on = {}
    for name in pairs(require "waba.hosting.event_fields".types) do on[name] = function() end end
    waba.receiver { open = true, on = on }
  end)
end)

describe("handlers", function()
  -- Returns the names of the handlers that ran for a body, in order.
  local function run(body, names)
    local ran, on = {}, {}
    for _, name in ipairs(names) do on[name] = function() ran[#ran + 1] = name end end
    local receiver = open_receiver { on = on }
    assert.equal(200, (post(receiver, body)))
    assert.equal(0, select(2, receiver:work()))
    return ran
  end

  local function message(members)
    return ('{"messages":[{"from":"1","id":"m",%s}]}'):format(members)
  end

  it("are found by the type, the kind and the name any", function()
    assert.same({ "text", "message", "any" }, run(TEXT, { "any", "message", "text", "image", "status" }))
    assert.same({ "failed", "status", "any" }, run('{"statuses":[{"id":"s","status":"failed"}]}',
      { "any", "status", "failed", "sent", "message" }))
    assert.same({ "account", "any" }, run('{"contacts":[{"input":"1","status":"valid"}]}', { "account", "any", "contacts" }))
    assert.same({ "error", "any" }, run('{"errors":[{"code":1}]}', { "any", "error", "message" }))
    assert.same({}, run(TEXT, {}))
  end)

  it("of a reply get every interactive reply", function()
    local body = message '"type":"interactive","interactive":{"type":"button_reply","button_reply":{"id":"b"}}'
    assert.same({ "reply", "message" }, run(body, { "reply", "interactive", "message" }))
    assert.same({ "interactive" }, run(body, { "interactive" }))
    assert.same({ "interactive" }, run(message '"type":"interactive","interactive":{}', { "reply", "interactive" }))
  end)

  it("of audio get voice notes without a handler of their own", function()
    local body = message '"type":"voice","voice":{"id":"v"}'
    assert.same({ "voice" }, run(body, { "voice", "audio" }))
    assert.same({ "audio" }, run(body, { "audio" }))
    assert.same({ "voice" }, run(message '"type":"audio","audio":{"id":"v","voice":true}', { "voice", "audio" }))
    assert.same({ "audio" }, run(message '"type":"audio","audio":{"id":"v"}', { "voice", "audio" }))
  end)

  it("of unknown get messages that can't be read", function()
    for _, kind in ipairs { "unknown", "unsupported", "ephemeral", "hologram", "any", "status", "sent" } do
      assert.same({ "unknown" }, run(message('"type":"' .. kind .. '"'), { "unknown", "sent" }))
    end
    assert.same({}, run('{"statuses":[{"id":"s","status":"unknown"},{"id":"t","status":"any"}]}', { "unknown" }))
  end)

  it("get the number of attempts", function()
    local tries = {}
    local receiver = open_receiver {
      inbox = waba.inbox.memory { retry = { base = 0, attempts = 3 } },
      on = { text = function(_, attempts)
        tries[#tries + 1] = attempts
        error "not today"
      end },
    }
    post(receiver, TEXT)
    local handled, failed, raised = receiver:work()
    assert.equal(0, handled)
    assert.equal(3, failed)
    assert.truthy(raised:find("not today", 1, true))
    assert.same({ 1, 2, 3 }, tries)
    assert.equal(0, receiver.inbox:depth())
    local aside = receiver.inbox:set_aside()
    assert.truthy(aside[1].reason:find("not today", 1, true))
    assert.is_nil(aside[1].reason:find("traceback", 1, true))
  end)

  it("run once if their message may have arrived: the event becomes a dead letter, so that nothing is sent twice", function()
    local runs = 0
    local receiver = open_receiver {
      inbox = waba.inbox.memory { retry = { base = 0, attempts = 3 } },
      on = { text = function()
        runs = runs + 1
        error(errors.new { kind = "timeout", message = "no response", maybe_sent = runs == 2, retryable = true })
      end },
    }
    post(receiver, TEXT)
    receiver:work()
    assert.equal(2, runs)
    assert.equal(0, receiver.inbox:depth())
    assert.matches("may have been sent", receiver.inbox:set_aside()[1].reason)
  end)

  it("for errors get the error of another handler", function()
    local result = {}
    local thrown = errors.new { kind = "network", message = "no line" }
    local receiver = open_receiver {
      inbox = waba.inbox.memory { retry = { attempts = 1 } },
      on = {
        text = function() error(thrown) end,
        image = function() error "plain" end,
        error = function(event, err) result[event.id] = err end,
      },
    }
    post(receiver, '{"messages":[{"from":"1","id":"a","type":"text"},{"from":"2","id":"b","type":"image"}]}')
    assert.equal(2, select(2, receiver:work()))
    assert.equal(thrown, result.a)
    assert.truthy(result.b:find("plain", 1, true))
    assert.truthy(result.b:find("receiver_spec.lua", 1, true)) -- the message begins with the position of the error
  end)

  it("for errors get the platform's errors", function()
    local result
    local receiver = open_receiver { on = { error = function(event, err) result = { event.kind, err } end } }
    post(receiver, '{"errors":[{"code":1014,"title":"t"}]}')
    receiver:work()
    assert.equal("error", result[1])
    assert.equal(1014, result[2].code)
  end)

  it("for errors may raise an error themselves", function()
    local receiver = open_receiver {
      inbox = waba.inbox.memory { retry = { attempts = 1 } },
      on = { text = function() error "first" end, error = function() error "second" end },
    }
    post(receiver, TEXT)
    receiver:work()
    assert.truthy(receiver.inbox:set_aside()[1].reason:find("first", 1, true))
  end)
end)

describe("a customer's statuses and messages", function()
  local BODY = '{"statuses":[{"id":"s","status":"failed","recipient_id":"1"}],'
    .. '"messages":[{"from":"1","id":"m","type":"text","text":{"body":"Hi"}}]}'

  -- Returns the ids of the texts that a receiver handles although its handler of statuses raises an error. `more` are
  -- options of the receiver.
  local function handled(more)
    local seen = {}
    more.inbox = more.inbox or waba.inbox.memory { retry = { base = 60 } }
    more.on = { text = function(event) seen[#seen + 1] = event.id end, status = function() error "broken" end }
    local receiver = open_receiver(more)
    -- The status is stored before the text.
    receiver.inbox:put(waba.events('{"statuses":[{"id":"s","status":"failed","recipient_id":"1"}]}'))
    post(receiver, BODY)
    receiver:work()
    return seen
  end

  it("do not wait for each other", function()
    assert.same({ "m" }, handled {})
    assert.same({ "m" }, handled { separate_statuses = true })
  end)

  it("wait for each other with the option separate_statuses = false of the receiver or of the inbox", function()
    local box = waba.inbox.memory { retry = { base = 60 } }
    box.separate_statuses = false
    assert.same({}, handled { separate_statuses = false })
    assert.same({}, handled { inbox = box })
  end)
end)

describe("receiver:work", function()
  it("with forever reports an unreadable inbox once, and continues when it can be read", function()
    local box = waba.inbox.memory()
    local take, refusals, said = box.take, 0, {}
    box.take = function(...)
      if refusals < 3 then
        refusals = refusals + 1
        return nil, errors.new { kind = "unavailable", message = "the store is away" }
      end
      return take(...)
    end
    local heard
    local receiver = open_receiver { inbox = box, on = { any = function(event) heard = event.id end } }
    box:put { { kind = "message", hosting = "on_premise", id = "m1", from = "491", type = "text", raw = {} } }
    local stderr = io.stderr
    io.stderr = { write = function(_, ...) said[#said + 1] = table.concat { ... } end }
    local ok, fault = pcall(receiver.work, receiver, {
      forever = true, interval = 0, stop = function() return heard end,
    })
    io.stderr = stderr
    assert(ok, fault)
    assert.equal("m1", heard)
    assert.same({ "waba: the inbox can't be read, trying again: unavailable: the store is away\n" }, said)
  end)

  it("handles many customers' events, each customer's in order", function()
    local seen = {}
    local receiver = open_receiver { on = { text = function(event) seen[#seen + 1] = event.id end } }
    for number = 1, 50 do
      post(receiver, ('{"messages":[{"from":"%d","id":"%d","type":"text"}]}'):format(number % 2, number))
    end
    assert.equal(50, receiver:work { batch = 5 })
    local last = { [0] = 0, [1] = 0 }
    for _, id in ipairs(seen) do
      local number = tonumber(id)
      assert.is_true(number > last[number % 2])
      last[number % 2] = number
    end
  end)

  it("stops on request, and returns the events that it has not begun", function()
    local ran = 0
    local receiver = open_receiver { on = { any = function() ran = ran + 1 end } }
    post(receiver, '{"messages":[{"from":"1","id":"a"},{"from":"2","id":"b"},{"from":"3","id":"c"}]}')
    receiver:work { stop = function() return ran == 1 end }
    assert.equal(1, ran)
    assert.equal(2, receiver.inbox:depth())
    receiver:work()
    assert.equal(3, ran)
  end)

  it("reports an inbox that it can't read", function()
    local broken = waba.inbox.memory()
    function broken.take() return nil, errors.new { kind = "unavailable", message = "gone" } end
    local handled, err = open_receiver { inbox = broken }:work()
    assert.is_nil(handled)
    assert.equal("gone", err.message)
  end)

  it("extends the leases of events that wait behind slow handlers, or returns events that wait too long", function()
    local receiver
    local extended = 0
    local box = waba.inbox.memory()
    for _, name in ipairs { "extend", "release" } do
      local method = box[name]
      box[name] = function(self, ...)
        extended = extended + 1
        return method(self, ...)
      end
    end
    local ran = {}
    receiver = open_receiver { inbox = box, on = { any = function(event)
      ran[#ran + 1] = event.id
      local deadline = core.clock() + 0.02
      while core.clock() < deadline do end
    end } }
    post(receiver, '{"messages":[{"from":"1","id":"a"},{"from":"2","id":"b"},{"from":"3","id":"c"}]}')
    assert.equal(3, receiver:work { lease = 0.05 })
    assert.same({ "a", "b", "c" }, ran)
    assert.is_true(extended > 0)
  end)

  it("wakes another worker if there are more events", function()
    local woken = 0
    local receiver = open_receiver {}
    post(receiver, '{"messages":[{"from":"1","id":"a"},{"from":"2","id":"b"},{"from":"3","id":"c"}]}')
    receiver:work { batch = 2, on_more = function() woken = woken + 1 end }
    assert.equal(1, woken)
  end)
end)

describe("the methods of an event", function()
  local calls, client

  before_each(function()
    calls = {}
    local function note(name)
      return function(_, ...)
        calls[#calls + 1] = { name, ... }
        return { id = "sent" }
      end
    end
    client = { send = note "send", mark_read = note "mark_read", media = { download = note "download" } }
  end)

  -- Calls `use` with the first event of a body, as a handler.
  local function with_event(body, use, inbox)
    local receiver = open_receiver {
      client = client, inbox = inbox or waba.inbox.memory { retry = { attempts = 1 } }, on = { any = use },
    }
    assert.equal(200, (post(receiver, body)))
    local handled, _, raised = receiver:work()
    assert.equal(1, handled, tostring(raised))
  end

  it("reply to the customer and mark as read", function()
    with_event(TEXT, function(event)
      assert.equal("sent", event:reply(waba.text "Hello", { reply_to = "x" }).id)
      event:mark_read()
    end)
    assert.same({ "send", "1", waba.text "Hello", { reply_to = "x" } }, calls[1])
    assert.same({ "mark_read", "m" }, calls[2])
  end)

  it("reply to the new number or user id of a customer who has changed it", function()
    local function reply_to(system, more)
      calls = {}
      with_event(('{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{'
        .. '"messaging_product":"whatsapp","messages":[{%s"id":"m","type":"system","system":{%s}}]}}]}]}'):format(
        more or "", system), function(event) event:reply(waba.text "Hello") end)
      return calls[1][2]
    end
    local from = '"from":"491511","from_user_id":"DE.1",'
    assert.equal("491522", reply_to('"type":"user_changed_number","wa_id":"491522","body":"b"', from))
    assert.equal("491522", reply_to('"type":"customer_changed_number","new_wa_id":"491522"', from))
    assert.equal("DE.2", reply_to('"type":"user_changed_user_id","user_id":"DE.2"', from))
    assert.equal("DE.2", reply_to('"type":"user_changed_user_id","user_id":"DE.2"', '"from_user_id":"DE.1",'))
    assert.equal("DE.3", reply_to('"type":"user_changed_user_id","user_id":"DE.1","new_user_id":"DE.3"', from))
    -- The customer's number and user id have not changed.
    assert.equal("491511", reply_to('"type":"customer_identity_changed","wa_id":"491522"', from))
    calls = {}
    with_event('{"messages":[{"from":"491511","id":"m","type":"system","system":{"type":"user_changed_number",'
      .. '"new_wa_id":"491522"}}]}', function(event) event:reply(waba.text "Hello") end)
    assert.equal("491522", calls[1][2])
  end)

  it("reply to a tapped button, whose data are fields of the event", function()
    local body = '{"messages":[{"from":"1","id":"m","type":"interactive",'
      .. '"interactive":{"type":"button_reply","button_reply":{"id":"b","title":"Ja"}}}]}'
    with_event(body, function(event)
      assert.equal("b", event.reply.id)
      event:reply(waba.text "Hello")
    end)
    assert.same({ "send", "1", waba.text "Hello" }, calls[1])
  end)

  it("do not add missing data", function()
    with_event(TEXT, function(event)
      assert.is_nil(event.reply.id)
      assert.is_nil(event.media)
      for name in pairs(event) do assert.not_equal("mark_read", name) end
    end)
  end)

  it("reply to the recipient of a status", function()
    with_event('{"statuses":[{"id":"s","status":"failed","recipient_id":"5"}]}', function(event)
      event:reply(waba.text "Again")
      local ok, err = event:mark_read()
      assert.is_nil(ok)
      assert.equal("invalid", err.kind)
    end)
    assert.equal("5", calls[1][2])
  end)

  it("reply on Cloud hosting to a customer without a number, and into the group", function()
    local form = '{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":%s}]}]}'
    local function hello(event) event:reply(waba.text "Hello") end
    with_event(form:format '{"messages":[{"from_user_id":"DE.1","id":"a","type":"text"}]}', hello)
    with_event(form:format '{"statuses":[{"recipient_user_id":"DE.2","id":"b","status":"failed"}]}', hello)
    with_event(form:format '{"messages":[{"from":"5","group_id":"Y2Fwa","id":"c","type":"text"}]}', hello)
    with_event(form:format '{"messages":[{"from":"5","from_user_id":"DE.1","id":"d","type":"text"}]}', hello)
    assert.equal("DE.1", calls[1][2])
    assert.equal("DE.2", calls[2][2])
    assert.same({ group_id = "Y2Fwa" }, calls[3][2])
    assert.equal("5", calls[4][2])
  end)

  it("return an error if there is no recipient", function()
    with_event('{"errors":[{"code":1}]}', function(event)
      local ok, err = event:reply(waba.text "Hello")
      assert.is_nil(ok)
      assert.equal("invalid", err.kind)
    end)
    assert.same({}, calls)
  end)

  it("download media and verify its hash", function()
    local digest = ("Ab"):rep(32)
    local body = ('{"messages":[{"from":"1","id":"m","type":"image","image":{"id":"i","sha256":"%s"}}]}'):format(digest)
    with_event(body, function(event) event:download { file = "x.jpg" } end)
    assert.same({ "download", "i", { file = "x.jpg", sha256 = digest:lower() } }, calls[1])
  end)

  it("download media of Cloud hosting, whose hash has another form", function()
    local digest = core.hmac_sha256("k", "x")
    local bytes = digest:gsub("%x%x", function(hex) return string.char(tonumber(hex, 16)) end)
    local body = webhooks.cloud { messages = ('{"from":"1","id":"m","type":"image","image":{"id":"i","sha256":"%s"}}'):format(
      encoding.base64(bytes)) }
    with_event(body, function(event) event:download { file = "x.jpg" } end)
    assert.same({ "download", "i", { file = "x.jpg", sha256 = digest } }, calls[1])
    with_event((body:gsub('"sha256":"', "%0?")), function(event) event:download { file = "x.jpg" } end)
    assert.same({ "download", "i", { file = "x.jpg" } }, calls[2])
  end)

  it("show that a reply is being typed", function()
    with_event(TEXT, function(event) event:mark_read { typing = true } end)
    assert.same({ "mark_read", "m", { typing = true } }, calls[1])
  end)

  it("report why there is nothing to download", function()
    with_event('{"messages":[{"from":"1","id":"m","type":"image","image":{"status":"undownloaded"}}]}', function(event)
      local ok, err = event:download()
      assert.is_nil(ok)
      assert.equal("media", err.kind)
      assert.equal("the gateway has not downloaded this media", err.message)
    end)
    with_event(TEXT, function(event)
      assert.equal("the event has no media: expected a message with a file", select(2, event:download()).message)
    end)
    assert.same({}, calls)
  end)

  it("exist after the event was stored in a file", function()
    local path = os.tmpname()
    local box = waba.inbox.sqlite { file = path, sync = false }
    with_event(TEXT, function(event) event:reply(waba.text "Hello") end, box)
    assert.equal("send", calls[1][1])
    box:close()
    for _, suffix in ipairs { "", "-wal", "-shm" } do os.remove(path .. suffix) end
  end)

  it("do not exist without a client", function()
    local seen
    local receiver = open_receiver { on = { any = function(event) seen = event end } }
    post(receiver, TEXT)
    receiver:work()
    assert.is_nil(seen.reply)
    assert.is_nil(seen.mark_read)
  end)
end)
