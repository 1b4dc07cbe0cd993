-- A sender of an outbox: which client and hosting it uses, when it marks an entry as being sent, and to which customers
-- it sends nothing.

local scripted_transport = require "spec.support.scripted_transport"
local waba = require "waba"

local TO, OTHER = "491511234567", "491517654321"
local SENT = '{"messages":[{"id":"wamid.1"}]}'

local function outbox_of(hosting, more)
  local options = { hosting = hosting or "cloud" }
  for name, value in pairs(more or {}) do options[name] = value end
  return waba.outbox.memory(options)
end

local function put(outbox, more)
  local entry = { to = TO, message = waba.text "Hi" }
  for name, value in pairs(more or {}) do entry[name] = value end
  return assert(outbox:put(entry))
end

-- Returns a client that was not made by waba.client. The client's method `send` calls `before_attempt` and fails.
local function own_client(hosting, calls)
  return { hosting = hosting, mark_read = print, send = function(_, to, message, options)
    calls[#calls + 1] = { to = to, message = message, options = options }
    assert(options.before_attempt())
    return nil, require("waba.errors").new { kind = "timeout", message = "m", maybe_sent = true }
  end }
end

describe("an uncertain result", function()
  it("waits for a status if the hosting of the client, or else of the outbox, is Cloud", function()
    for index, row in ipairs {
      { "cloud", nil, true }, { "on_premise", nil, false }, { "cloud", { name = "on_premise" }, false },
      { "on_premise", { name = "cloud" }, true }, { "cloud", "on_premise", true }, { "on_premise", "cloud", false },
    } do
      local outbox, calls, reported = outbox_of(row[1]), {}, 0
      local id = put(outbox)
      local sender = waba.sender { outbox = outbox, client = own_client(row[2], calls),
        on_result = function() reported = reported + 1 end }
      sender:work()
      assert.same({ "uncertain", row[3] and 1 or 0, row[3] and 0 or 1 }, { outbox:get(id).state, outbox:depth(), reported },
        index)
      assert.equal(row[3] and "waba:" .. id .. ":" or nil, calls[1].options.data)
    end
  end)

  it("needs no second send, and is reported once when the status arrives", function()
    local outbox, calls, reported = outbox_of(), {}, {}
    local id = put(outbox)
    local sender = waba.sender { outbox = outbox, client = own_client(nil, calls),
      on_result = function(_, sent) reported[#reported + 1] = sent.id end }
    sender:work()
    assert.is_true(outbox.store:next_due() > 500)
    local status = { kind = "status", hosting = "cloud", id = "wamid.7", outbox_id = id, status = "delivered", timestamp = 5 }
    assert.is_true(outbox:apply(status))
    assert.equal(0, outbox.store:next_due())
    for _ = 1, 2 do sender:work() end
    assert.same({ { "wamid.7" }, 1, "delivered", 0 }, { reported, #calls, outbox:get(id).state, outbox:depth() })
  end)
end)

describe("a sender passes to the client of a program", function()
  it("the recipient, the message and the options of the entry", function()
    local outbox, calls = outbox_of(), {}
    put(outbox, { to = { user_id = "DE.1" }, bulk = true, options = { reply_to = "wamid.0", data = "d", timeout = 7 } })
    put(outbox, { to = { group_id = "Y2Fwa" } })
    put(outbox)
    waba.sender { outbox = outbox, client = own_client(nil, calls) }:work { concurrency = 1 }
    local by_kind = {}
    for _, call in ipairs(calls) do
      by_kind[type(call.to) == "table" and next(call.to) or "phone"] = call
    end
    local options = by_kind.user_id.options
    assert.same({ { user_id = "DE.1" }, "wamid.0", 7, true }, { by_kind.user_id.to, options.reply_to, options.timeout,
      options.bulk })
    assert.matches("^waba:%x+:d$", options.data)
    assert.same({ group_id = "Y2Fwa" }, by_kind.group_id.to)
    assert.same({ TO, waba.text "Hi" }, { by_kind.phone.to, by_kind.phone.message })
    assert.is_nil(by_kind.phone.options.bulk)
  end)
end)

describe("an entry", function()
  -- Sends an entry, and returns the state of the entry at each request.
  local function states_of(client_options, entry_options, work)
    local outbox = outbox_of()
    local id, states = put(outbox, { options = entry_options }), {}
    local client, transport = scripted_transport.cloud_client({ { body = SENT } }, client_options)
    local send = transport.send
    function transport.send(...)
      states[#states + 1] = outbox:get(id).state
      return send(...)
    end
    assert.equal(1, (waba.sender { outbox = outbox, client = client }:work(work)))
    assert.equal("sent", outbox:get(id).state)
    return states
  end

  it("is in state sending before its message leaves, however it is sent", function()
    for _, client_options in ipairs {
      {}, { namespace = "n" }, { ordered = true }, { pace = { messages = { rate = 1000, burst = 5 } } },
    } do
      for _, work in ipairs { { concurrency = 1 }, { concurrency = 4 } } do
        assert.same({ "sending" }, states_of(client_options, nil, work))
        assert.same({ "sending" }, states_of(client_options, { reply_to = "wamid.0" }, work))
      end
    end
  end)

  it("is not in state sending while its message waits for a rate limit", function()
    local outbox = outbox_of()
    local ids = { put(outbox), put(outbox, { to = OTHER }) }
    local client, transport = scripted_transport.cloud_client({ { body = SENT }, { body = SENT } },
      { pace = { messages = { rate = 4, burst = 1 }, pair = false } })
    local states = {}
    function transport.sleep(_, seconds)
      states[#states + 1] = outbox:get(ids[2]).state
      waba.sleep(seconds)
    end
    assert.equal(2, (waba.sender { outbox = outbox, client = client }:work { concurrency = 1 }))
    assert.is_true(#states > 0)
    for _, state in ipairs(states) do assert.equal("waiting", state) end
  end)
end)

describe("an entry whose sender has ended", function()
  -- Leaves an entry as a sender that was killed: marked, with an expired lease and a state. Returns the outbox and the
  -- id of the entry.
  local function left_behind(state, more, options)
    local outbox = outbox_of(nil, options)
    local id = put(outbox, { key = "k" })
    assert(outbox.store:take(1, 0.001, {}, true))
    if state then
      local record = { id = id, state = state, to = TO, times = { stored = 1, sending = 2 }, traced = true }
      for name, value in pairs(more or {}) do record[name] = value end
      assert(outbox.store:settle({}, { outbox:record("state:" .. id, record) }))
    end
    require("spec.support.process").sleep(0.01)
    return outbox, id
  end

  local function work(outbox, more)
    local reported, options = {}, { outbox = outbox, settle = 0 }
    local client, transport = scripted_transport.cloud_client { { body = SENT } }
    for name, value in pairs(more or {}) do options[name] = value end
    options.client, options.on_result = client, function(entry, sent, err) reported[#reported + 1] = { entry, sent, err } end
    local sent, failed = waba.sender(options):work()
    return #transport.requests, reported, { sent, failed }
  end

  it("has an uncertain result, and is not sent again", function()
    for _, state in ipairs { false, "sending" } do
      local outbox, id = left_behind(state, { resent = true })
      local requests, reported, counts = work(outbox, { settle = 600 })
      assert.same({ 0, 0, { 0, 1 } }, { requests, #reported, counts })
      local seen = outbox:get(id)
      assert.same({ "uncertain", "cancelled", true }, { seen.state, seen.error.kind, seen.error.maybe_sent })
      assert.equal("a sender ended before it received the response to this message", seen.error.message)
      assert.equal(state and true or nil, seen.resent)
      assert.equal(state and 2 or nil, seen.times.sending)
      assert.equal(1, outbox:depth())
      requests, reported = work((left_behind(state)))
      assert.same({ 0, 1, true }, { requests, #reported, reported[1][3].maybe_sent })
    end
  end)

  it("has an uncertain result, not a failure, if it has no client any more", function()
    for _, kind in ipairs { "cancelled", "invalid" } do
      local outbox, id = left_behind(nil, nil, { retry = { attempts = 1 } })
      local reported = {}
      local sender = waba.sender { outbox = outbox, settle = 0,
        client = function() return nil, require("waba.errors").new { kind = kind, message = "no key" } end,
        on_result = function(_, sent, err) reported[#reported + 1] = { sent == nil, err.kind, err.maybe_sent } end,
      }
      sender:work()
      assert.same({ { true, kind, true } }, reported)
      assert.same({ "uncertain", true }, { outbox:get(id).state, outbox:get(id).error.maybe_sent })
      assert.equal(1, sender:stats().uncertain)
    end
  end)

  it("is sent once again with the option resend", function()
    local outbox, id = left_behind(nil)
    local requests, reported = work(outbox, { resend = true })
    assert.same({ 1, 1, "sent", true }, { requests, #reported, outbox:get(id).state, outbox:get(id).resent })
    outbox, id = left_behind("uncertain", { error = { kind = "timeout", message = "m", maybe_sent = true }, resent = true })
    requests, reported = work(outbox, { resend = true })
    assert.same({ 0, 1, "uncertain", "timeout" }, { requests, #reported, outbox:get(id).state, reported[1][3].kind })
  end)

  it("is removed if its result was stored", function()
    for _, state in ipairs { "sent", "failed", "cancelled" } do
      local outbox, id = left_behind(state)
      local requests, reported = work(outbox, { resend = true })
      assert.same({ 0, 0, state, 0 }, { requests, #reported, outbox:get(id).state, outbox:depth() })
    end
  end)
end)

describe("the mark of an entry", function()
  it("is written to the disk, and nothing else", function()
    local outbox, marks = outbox_of(), {}
    put(outbox)
    local settle = outbox.store.settle
    function outbox.store.settle(store, changes, records, to_disk)
      for _, change in ipairs(changes) do marks[#marks + 1] = { change.mark, to_disk } end
      return settle(store, changes, records, to_disk)
    end
    local client = scripted_transport.cloud_client({ { status = 429, body = "{}" }, { body = SENT } },
      { retry = { attempts = 2, base = 0 } })
    assert.equal(1, (waba.sender { outbox = outbox, client = client }:work { concurrency = 1 }))
    assert.same({ { true, true }, { false }, { true, true } }, { marks[1], marks[2], marks[3] })
  end)

  it("does not prevent the next attempt if the store can't remove it", function()
    for _, options in ipairs { {}, { namespace = "n" }, { ordered = true } } do
      local outbox = outbox_of()
      local id = put(outbox)
      local settle = outbox.store.settle
      function outbox.store.settle(store, changes, ...)
        if changes[1] and changes[1].mark == false then return nil, "away" end
        return settle(store, changes, ...)
      end
      options.retry = { attempts = 2, base = 0 }
      local client, transport = scripted_transport.cloud_client({ { status = 429, body = "{}" }, { body = SENT } }, options)
      assert.equal(1, (waba.sender { outbox = outbox, client = client }:work { concurrency = 1 }))
      assert.same({ 2, "sent" }, { #transport.requests, outbox:get(id).state })
    end
  end)
end)

describe("an entry that another version of waba has put", function()
  it("is checked again before it is sent", function()
    local entries = require "waba.outbox.entry"
    for _, row in ipairs { { "0.0.1", 5000, "failed" }, { "0.0.1", 5, "sent" }, { require "waba.version", 5000, "sent" } } do
      local outbox = outbox_of()
      local entry = { version = 1, id = "e", to = TO, hosting = "cloud", waba = row[1], stored = os.time() }
      local body = ('{"type":"text","text":{"body":"%s"}}'):format(("x"):rep(row[2]))
      assert(outbox.store:put { { id = "e", names = { " " .. TO }, lane = "", body = entries.encode(entry, body) } })
      local client, transport = scripted_transport.cloud_client { { body = SENT } }
      waba.sender { outbox = outbox, client = client }:work()
      assert.same({ row[3], row[3] == "sent" and 1 or 0 }, { outbox:get("e").state, #transport.requests })
    end
  end)
end)

describe("the option suppress of a sender", function()
  it("applies to marketing templates only", function()
    local receiver = waba.receiver { open = true }
    assert(receiver:suppress(TO))
    local template = waba.template { name = "offer", language = "en" }
    for index, row in ipairs {
      { template, nil, "sent" }, { template, { reply_to = "wamid.0" }, "sent" }, { template, { marketing = true }, "failed" },
      { template, { marketing = { product_policy = "STRICT" } }, "failed" }, { waba.text "Hi", nil, "sent" },
      { template, { marketing = true }, "sent", OTHER },
    } do
      local outbox = outbox_of()
      local id = put(outbox, { message = row[1], options = row[2], to = row[4] })
      local client, transport = scripted_transport.cloud_client { { body = SENT } }
      waba.sender { outbox = outbox, client = client, suppress = receiver }:work()
      local state = outbox:get(id)
      assert.equal(row[3], state.state, index)
      assert.equal(row[3] == "failed" and "blocked" or nil, state.error and state.error.kind)
      assert.equal(row[3] == "sent" and 1 or 0, #transport.requests)
    end
  end)
end)

describe("waba.sender", function()
  it("checks its options", function()
    local outbox, client = outbox_of("cloud", { keep = 10 }), { send = print, mark_read = print }
    assert.is_table(waba.sender { outbox = outbox, client = client, settle = 10 })
    for message, options in pairs {
      ["option outbox is required"] = { client = client },
      ["option outbox is required: an outbox"] = { client = client, outbox = {} },
      ["not another object with a store"] = { client = client, outbox = { store = {} } },
      ["option client is required"] = { outbox = outbox },
      ["option client must be a client"] = { outbox = outbox, client = { send = print }, settle = 5 },
      ["option settle must be at most the option keep of the outbox, 10"] = { outbox = outbox, client = client, settle = 10.5 },
      ["option settle must be"] = { outbox = outbox, client = client, settle = -1 },
      ["unknown option resnd"] = { outbox = outbox, client = client, resnd = true },
    } do
      local ok, raised = pcall(waba.sender, options)
      assert.is_false(ok)
      assert.truthy(raised:find(message, 1, true), raised)
    end
    for name, value in pairs { concurrency = 0, batch = 0, lease = 0, interval = -1 } do
      assert.error_matches(function() waba.sender { outbox = outbox, client = client, settle = 5 }:work { [name] = value } end,
        "sender:work: option " .. name)
    end
  end)

  it("watches a receiver once", function()
    local watched = 0
    local receiver = setmetatable({ watch = function() watched = watched + 1 end }, getmetatable(waba.receiver { open = true }))
    local outbox = outbox_of()
    for _ = 1, 2 do waba.sender { outbox = outbox, client = { send = print, mark_read = print }, receiver = receiver } end
    assert.equal(1, watched)
  end)

  it("returns the error of an outbox that can't be read", function()
    local outbox = outbox_of()
    put(outbox)
    local failure = require("waba.errors").new { kind = "unavailable", message = "away" }
    function outbox.store.take() return nil, failure end
    function outbox.store.depth() return nil, failure end
    local sender = waba.sender { outbox = outbox, client = { send = print, mark_read = print } }
    local sent, err = sender:work()
    assert.is_nil(sent)
    assert.equal(failure, err)
    assert.is_nil(sender:stats().waiting)
    assert.same({ 0, 0, 0, 0 }, { sender:stats().active, sender:stats().sent, sender:stats().failed, sender:stats().resent })
  end)
end)
