-- The outbox and its senders with an emulator, for every backend. Each message arrives once and in order, and has a
-- result.

local core = require "waba.core"
local errors = require "waba.errors"
local cjson = require "cjson"
local process = require "spec.support.process"
local redis = require "spec.support.redis"
local runners = require "spec.support.runners"
local scripted_transport = require "spec.support.scripted_transport"
local waba = require "waba"

local TO, OTHER = "491511234567", "491517654321"

-- For each backend, a function that returns two functions: the first one opens the outbox with a name, the second one
-- removes all outboxes.
local backends = {}

function backends.memory()
  return function(_, settings) return waba.outbox.memory(settings) end, function() end
end

function backends.sqlite()
  local folder = process.folder()
  return function(name, settings)
    settings.file, settings.sync = folder:file(name .. ".db"), false
    return waba.outbox.sqlite(settings)
  end, function() folder:remove() end
end

function backends.redis()
  local server = redis.start()
  return function(name, settings)
    settings.prefix, settings.port = "{" .. name .. "}", server.port
    return waba.outbox.redis(settings)
  end, function() server:stop() end
end

local function text(body, to, more)
  local entry = { to = to or TO, message = waba.text(body) }
  for name, value in pairs(more or {}) do entry[name] = value end
  return entry
end

-- Passes a status of a message to a receiver and handles it at once.
local function deliver_status(receiver, message, status, more)
  local raw = {
    id = message.id, status = status, timestamp = tostring(os.time()), recipient_id = message.to,
    biz_opaque_callback_data = message.data,
  }
  for name, value in pairs(more or {}) do raw[name] = value end
  local value = { messaging_product = "whatsapp", metadata = { phone_number_id = "1" }, statuses = { raw } }
  local body = cjson.encode {
    object = "whatsapp_business_account", entry = { { id = "1", changes = { { field = "messages", value = value } } } },
  }
  assert.equal(200, receiver:handle { method = "POST", body = body })
  local handled, failed, raised = receiver:work()
  assert.equal(0, failed, tostring(raised))
  return handled
end

for _, backend in ipairs { "memory", "sqlite", "redis" } do
  describe("the outbox in " .. backend, function()
    local open, close, emulator
    local count, opened, clients = 0, {}, {}

    setup(function()
      open, close = backends[backend]()
      emulator = waba.emulator.start { cloud = {}, tls = false, statuses = false }
    end)
    teardown(function()
      emulator:stop()
      close()
    end)
    after_each(function()
      for _, one in ipairs(opened) do one:close() end
      for _, one in ipairs(clients) do one:close() end
      opened, clients = {}, {}
      emulator:forget()
      emulator.cloud:forget()
    end)

    local function new(settings, name)
      count = count + 1
      settings = settings or {}
      settings.hosting, settings.retry = settings.hosting or "cloud", settings.retry or { base = 0 }
      opened[#opened + 1] = open(name or "outbox" .. count, settings)
      return opened[#opened]
    end

    local function new_client(more, hosting)
      local gateway = hosting == "on_premise" and emulator or emulator.cloud
      local options = {
        hosting = hosting or "cloud", api_key = gateway.api_key, base_url = gateway.url, pace = false, retry = false,
      }
      for name, value in pairs(more or {}) do options[name] = value end
      clients[#clients + 1] = waba.client(options)
      return clients[#clients]
    end

    -- Returns a new sender, and the list of the sender's results.
    local function new_sender(outbox, more)
      local results = {}
      local options = {
        outbox = outbox, client = more and more.client or new_client(),
        on_result = function(entry, sent, err)
          results[#results + 1] = { id = entry.id, key = entry.key, to = entry.to, number = entry.number,
            resent = entry.resent, sent = sent, err = err }
        end,
      }
      for name, value in pairs(more or {}) do options[name] = value end
      return waba.sender(options), results
    end

    local function arrived(gateway)
      local list = {}
      for index, message in ipairs((gateway or emulator.cloud):messages()) do
        list[index] = message.content.body
      end
      return list
    end

    local function state(outbox, id) return assert(outbox:get(id)).state end

    -- Putting -------------------------------------------------------------------------------------

    it("stores a message that is sent later", function()
      local outbox = new()
      local id = assert(outbox:put(text("Hi", "+49 151 1234567", { key = 7 })))
      local seen = outbox:get(id)
      assert.same({ id, "waiting", TO, "7" }, { seen.id, seen.state, seen.to, seen.key })
      assert.is_true(math.abs(seen.times.stored - os.time()) < 5)
      assert.equal(1, outbox:depth())
      local sender, results = new_sender(outbox)
      assert.equal(1, (sender:work()))
      assert.same({ "Hi" }, arrived())
      seen = outbox:get(id)
      assert.equal("sent", seen.state)
      assert.equal(emulator.cloud:messages()[1].id, seen.message_id)
      assert.is_true(seen.times.stored <= seen.times.sending and seen.times.sending <= seen.times.sent)
      assert.same({ { id, "7", TO, seen.message_id } }, { { results[1].id, results[1].key, results[1].to,
        results[1].sent.id } })
      assert.equal(0, outbox:depth())
      local stats = sender:stats()
      assert.same({ 0, 0, 1, 0, 0, 0 },
        { stats.waiting, stats.active, stats.sent, stats.failed, stats.uncertain, stats.resent })
    end)

    it("refuses an invalid message and stores nothing", function()
      local outbox = new()
      local id, err = outbox:put(text(("x"):rep(5000)))
      assert.is_nil(id)
      assert.same({ "invalid", "text.body" }, { err.kind, err.path })
      assert.is_nil(err.index)
      id, err = outbox:put { text "good", text("bad", "12") }
      assert.is_nil(id)
      assert.same({ "invalid", "to", 2 }, { err.kind, err.path, err.index })
      id, err = outbox:put(text("x", nil, { options = { data = ("d"):rep(487) } }))
      assert.is_nil(id)
      assert.equal("the option data has 487 characters: at most 486 in an outbox, which adds the entry's id", err.message)
      id, err = outbox:put(text("x", nil, { options = { check_contact = true } }))
      assert.is_nil(id)
      assert.equal("check_contact", err.path)
      id, err = outbox:put(text("x\255"))
      assert.is_nil(id)
      assert.equal("invalid", err.kind)
      assert.equal(0, outbox:depth())
      assert.same({}, outbox:put {})
    end)

    it("raises an error for wrong use", function()
      local outbox = new()
      local function message_of(entry)
        local ok, raised = pcall(outbox.put, outbox, entry)
        assert.is_false(ok)
        return raised
      end
      assert.matches("unknown option massage", message_of { to = TO, massage = waba.text "x" })
      assert.matches("message must be a table from a builder, not a nil", message_of { to = TO })
      assert.matches("unknown option ordered", message_of(text("x", nil, { options = { ordered = true } })))
      assert.matches("key has 0 bytes: expected 1 to 4096", message_of(text("x", nil, { key = "" })))
      assert.matches("number shop is neither", message_of(text("x", nil, { number = "shop" })))
      assert.matches("an entry must be a table", message_of "x")
      local missing = "entry %d of the list is missing: expected a list without holes and other fields"
      assert.matches(missing:format(2), message_of { text "1", nil, text "3" }, 1, true)
      assert.matches(missing:format(1), message_of { nil, text "2" }, 1, true)
      assert.matches(missing:format(2), message_of { text "1", key = "x" }, 1, true)
      assert.equal(0, outbox:depth())
    end)

    it("stores one message for each key of a number", function()
      local outbox = new()
      local id = assert(outbox:put(text("Hi", nil, { key = "order 7" })))
      assert.equal(id, outbox:put(text("Hi", nil, { key = "order 7" })))
      local again, err = outbox:put(text("Bye", nil, { key = "order 7" }))
      assert.is_nil(again)
      assert.equal("key order 7 was put before with another message: put the same message, or use another key",
        err.message)
      assert.is_true(outbox:put(text("Bye", nil, { key = "order 7", number = "4930555019" })) ~= id)
      assert.equal(2, outbox:depth())
      again, err = outbox:put { text("new", nil, { key = "new" }), text("Bye", nil, { key = "order 7" }) }
      assert.is_nil(again)
      assert.same({ "key", 2 }, { err.path, err.index })
      again, err = outbox:put { text("a", nil, { key = "new" }), text("b", nil, { key = "new" }) }
      assert.is_nil(again)
      assert.equal(2, err.index)
      assert.equal(2, outbox:depth())
      local ids = outbox:put { text("a", nil, { key = "new" }), text("a", nil, { key = "new" }), text "c",
        text("Hi", nil, { key = "order 7" }) }
      assert.equal(ids[1], ids[2])
      assert.equal(id, ids[4])
      assert.equal(4, outbox:depth())
      new_sender(outbox, { client = { ["4930555019"] = new_client() } }):work()
      new_sender(outbox):work()
      assert.equal(id, outbox:put(text("Hi", nil, { key = "order 7" }))) -- the entry keeps its key after the message was sent
    end)

    it("keeps finished entries and their keys for the seconds of the option keep", function()
      local outbox = new { keep = 0.3 }
      local id = assert(outbox:put(text("Hi", nil, { key = "k" })))
      process.sleep(0.4) -- longer than `keep`, but the entry is not finished yet
      assert.equal(id, outbox:put(text("Hi", nil, { key = "k" })))
      new_sender(outbox, { settle = 0 }):work()
      assert.equal("sent", state(outbox, id))
      process.sleep(0.4)
      local seen, err = outbox:get(id)
      assert.is_nil(seen)
      assert.equal("not_found", err.kind)
      assert.is_true(assert(outbox:put(text("Bye", nil, { key = "k" }))) ~= id)
    end)

    it("sends a message at the time of its option at, unless the entry is cancelled", function()
      local outbox = new()
      local sender = new_sender(outbox)
      local now = os.time()
      local ids = assert(outbox:put { text("never", nil, { at = now + 3600 }), text("soon", nil, { at = now + 1.5 }),
        text("now", nil, { at = now - 10 }) })
      sender:work()
      assert.same({ "now" }, arrived())
      assert.equal("waiting", state(outbox, ids[2]))
      assert.is_true(outbox:cancel(ids[1]))
      assert.equal("cancelled", state(outbox, ids[1]))
      local ok, err = outbox:cancel(ids[1])
      assert.is_nil(ok)
      assert.equal("invalid", err.kind)
      assert.matches('is in state "cancelled": expected a waiting one', err.message, 1, true)
      ok, err = outbox:cancel(ids[3])
      assert.is_nil(ok)
      assert.matches('is in state "sent"', err.message, 1, true)
      ok, err = outbox:cancel "nothing"
      assert.is_nil(ok)
      assert.equal("not_found", err.kind)
      process.sleep(1.7)
      sender:work()
      assert.same({ "now", "soon" }, arrived())
      assert.equal(0, outbox:depth())
    end)

    -- Sending -------------------------------------------------------------------------------------

    it("sends the messages to one recipient in order, and other messages before bulk messages", function()
      local outbox = new()
      for number = 1, 3 do outbox:put(text("bulk " .. number, nil, { bulk = true })) end
      for number = 1, 3 do outbox:put { text("a" .. number), text("b" .. number, OTHER) } end
      new_sender(outbox):work { concurrency = 1 }
      local order = { [TO] = {}, [OTHER] = {} }
      for _, message in ipairs(emulator.cloud:messages()) do
        local list = order[message.to:gsub("%+", "")]
        list[#list + 1] = message.content.body
      end
      assert.same({ "a1", "a2", "a3", "bulk 1", "bulk 2", "bulk 3" }, order[TO])
      assert.same({ "b1", "b2", "b3" }, order[OTHER])
    end)

    it("accepts the options of a message and every form of recipient", function()
      local outbox = new()
      assert(outbox:put { to = { user_id = "DE.1349ABC" }, message = waba.text "Hi", options = { reply_to = "wamid.X" } })
      new_sender(outbox):work()
      local request = emulator.cloud:received({ method = "POST" })[1]
      local body = cjson.decode(request.body)
      assert.equal("DE.1349ABC", body.recipient)
      assert.equal("wamid.X", body.context.message_id)
    end)

    it("shows in events only the data of the caller", function()
      local outbox = new()
      assert(outbox:put { text("a", nil, { options = { data = "job:77" } }), text("b", OTHER) })
      new_sender(outbox):work { concurrency = 1 }
      local seen = {}
      local receiver = waba.receiver { open = true, on = { status = function(event) seen[#seen + 1] = event end } }
      for _, message in ipairs(emulator.cloud:messages()) do deliver_status(receiver, message, "sent") end
      assert.same({ "job:77", 20, 20 }, { seen[1].data, #seen[1].outbox_id, #seen[2].outbox_id })
      assert.is_nil(seen[2].data)
    end)

    it("sends messages again that were certainly not sent", function()
      local outbox = new()
      local id = assert(outbox:put(text "Hi"))
      local sender, results = new_sender(outbox)
      emulator.cloud:fail_next { status = 401, times = 2 }
      local sent, failed, err = sender:work()
      assert.same({ 1, 2, "auth" }, { sent, failed, err.kind })
      assert.same({ "Hi" }, arrived())
      assert.equal("sent", state(outbox, id))
      assert.equal(1, #results)
    end)

    it("records before each attempt that the message may be sent, and after a failed one that it was not", function()
      local outbox, states = new(), {}
      local id = assert(outbox:put(text("Hi", nil, { number = "4930555019" })))
      local function note() states[#states + 1] = state(outbox, id) end
      local transport = scripted_transport.new {
        { status = 429, headers = { ["retry-after"] = "1" } }, { body = '{"messages":[{"id":"wamid.1"}]}' },
      }
      local send, sleep = transport.send, transport.sleep
      function transport.send(...) note() return send(...) end
      function transport.sleep(...) note() return sleep(...) end
      local client = new_client { transport = transport, retry = { attempts = 2, base = 0.01 } }
      local sent, failed, err = new_sender(outbox, { client = { ["4930555019"] = client } }):work { concurrency = 1 }
      assert.same({ 1, 0 }, { sent, failed }, tostring(err))
      assert.same({ "sending", "waiting", "sending" }, states)
      assert.same({ "sent", "4930555019" }, { state(outbox, id), outbox:get(id).number })
    end)

    it("tries again after an incomplete response with status 401", function()
      local outbox = new()
      local id = assert(outbox:put(text "Hi"))
      local transport = scripted_transport.new {
        { failure = { kind = "network", message = "connection closed", sent = "yes", status = 401 } },
        { body = '{"messages":[{"id":"wamid.1"}]}' },
      }
      local sent, failed = new_sender(outbox, { client = new_client { transport = transport } }):work()
      assert.same({ 1, 1, "sent" }, { sent, failed, state(outbox, id) })
    end)

    it("sends nothing after its lease has expired, and leaves the entry to others", function()
      local outbox = new()
      local id = assert(outbox:put(text "Hi"))
      local client, results
      local sender
      sender, results = new_sender(outbox, { client = function()
        process.sleep(0.1) -- the lease of the entry expires, and another sender takes it
        assert.equal(1, #outbox.store:take(1, 60))
        return client
      end })
      client = new_client()
      local sent, failed, err = sender:work { lease = 0.05, concurrency = 1 }
      assert.same({ 0, 1, "timeout" }, { sent, failed, err.kind })
      assert.equal("the lease of the entry expired before it was sent: another sender may send it", err.message)
      assert.same({}, arrived())
      assert.same({}, results)
      assert.equal("waiting", state(outbox, id))
    end)

    it("refuses text that can't be stored", function()
      local outbox = new()
      for _, more in ipairs { { campaign = "\255" }, { options = { data = "\255" } }, { key = "\255" } } do
        local id, err = outbox:put(text("Hi", nil, more))
        assert.is_nil(id)
        assert.equal("invalid", err.kind)
      end
      assert.equal(0, outbox:depth())
    end)

    it("counts every result of a campaign", function()
      local outbox = new { retry = { attempts = 1 } }
      local function put(body, more)
        more.campaign = "May"
        return assert(outbox:put(text(body, nil, more)))
      end
      assert(outbox:cancel(put("never", { at = os.time() + 3600 })))
      put("sent", {})
      new_sender(outbox):work()
      put("failed", {})
      emulator.cloud:fail_next { code = 131026 }
      new_sender(outbox):work()
      put("uncertain", {})
      emulator.cloud:fail_next { drop = "after" }
      local sender = new_sender(outbox, { settle = 0 })
      sender:work()
      sender:work()
      assert.same({ sent = 1, failed = 1, uncertain = 1, cancelled = 1 }, outbox:campaign "May")
      local stats = sender:stats()
      assert.same({ 0, 0, 0, 0, 1 }, { stats.waiting, stats.active, stats.sent, stats.failed, stats.uncertain })
    end)

    it("refuses a filter with an unknown field or an empty reason", function()
      local outbox = new()
      for _, name in ipairs { "dead_letters", "retry_dead", "drop_dead" } do
        assert.has_error(function() outbox[name](outbox, { raeson = "x" }) end,
          ("outbox:%s: unknown option raeson (did you mean reason?)"):format(name))
        assert.has_error(function() outbox[name](outbox, "x") end,
          ("outbox:%s: options must be a table, not a string"):format(name))
        assert.has_error(function() outbox[name](outbox, { reason = "" }) end,
          ("outbox:%s: option reason is empty: expected a part of the reason"):format(name))
      end
    end)

    it("requires the name of a campaign", function()
      local outbox = new()
      for _, name in ipairs { false, 1, {} } do
        assert.has_error(function() outbox:campaign(name or nil) end,
          "outbox:campaign: the name must be a string, not a " .. type(name or nil))
      end
    end)

    it("reports a failure after the last attempt, or if another attempt can't succeed", function()
      local outbox = new { retry = { attempts = 2, base = 0 } }
      local id = assert(outbox:put(text("Hi", nil, { key = "k" })))
      local sender, results = new_sender(outbox)
      emulator.cloud:fail_next { status = 401, times = 2 }
      sender:work()
      assert.same({ "failed", "auth" }, { state(outbox, id), outbox:get(id).error.kind })
      local second = assert(outbox:put(text "Ho"))
      emulator.cloud:fail_next { code = 131026 }
      sender:work()
      assert.same({ "failed", "recipient" }, { state(outbox, second), outbox:get(second).error.kind })
      assert.same({ id, second }, { results[1].id, results[2].id })
      assert.equal("k", results[1].key)
      assert.is_false(results[2].err.maybe_sent)
      assert.same({}, arrived())
      assert.equal(0, outbox:depth())
    end)

    it("does not send the next message to a recipient before one that is sent again later", function()
      local outbox = new { retry = { base = 0.3 } }
      outbox:put { text "1", text "2", text("3", OTHER) }
      emulator.cloud:fail_next { status = 401 }
      local sender = new_sender(outbox)
      sender:work { concurrency = 1 }
      assert.same({ "3" }, arrived())
      process.sleep(0.4)
      sender:work { concurrency = 1 }
      assert.same({ "3", "1", "2" }, arrived())
    end)

    -- Uncertain results ---------------------------------------------------------------------------

    it("records by a status that a message without a response was accepted", function()
      local outbox = new()
      local receiver = waba.receiver { open = true }
      local id = assert(outbox:put(text "Hi"))
      local sender, results = new_sender(outbox, { receiver = receiver })
      emulator.cloud:fail_next { drop = "after" }
      local sent, failed, err = sender:work()
      assert.same({ 0, 1, true }, { sent, failed, err.maybe_sent })
      assert.same({ "uncertain", true }, { state(outbox, id), outbox:get(id).error.maybe_sent })
      assert.equal(0, #results)
      assert.is_nil((outbox:cancel(id)))
      local message = emulator.cloud:messages()[1]
      deliver_status(receiver, message, "delivered")
      assert.same({ "delivered", message.id }, { state(outbox, id), outbox:get(id).message_id })
      sender:work()
      assert.same({ 1, message.id, id }, { #results, results[1].sent.id, results[1].id })
      assert.is_nil(outbox:get(id).error)
      deliver_status(receiver, message, "sent") -- the status "sent" arrives after "delivered"
      assert.equal("delivered", state(outbox, id))
      deliver_status(receiver, message, "read")
      assert.equal("read", state(outbox, id))
      assert.same({ "Hi" }, arrived())
      assert.same({ 0, 0 }, { outbox:depth(), (sender:work()) })
    end)

    it("counts a message with an uncertain result once", function()
      for _, concurrency in ipairs { 1, 16 } do
        local outbox = new()
        for _, to in ipairs { TO, OTHER, "491519876543" } do assert(outbox:put(text("Hi", to))) end
        local sender, results = new_sender(outbox, { settle = 0 })
        emulator.cloud:fail_next { drop = "after", times = 3 }
        local sent, failed, err = sender:work { concurrency = concurrency }
        assert.same({ 0, 3, true }, { sent, failed, err.maybe_sent })
        assert.same({ 3, 3, 0 }, { #results, sender:stats().uncertain, outbox:depth() })
      end
    end)

    it("reports an uncertain message without a status, and does not send it again", function()
      local outbox = new()
      local receiver = waba.receiver { open = true }
      local id = assert(outbox:put(text("Hi", nil, { key = "k" })))
      local sender, results = new_sender(outbox, { receiver = receiver, settle = 0.2 })
      emulator.cloud:fail_next { drop = "before" }
      sender:work()
      assert.equal(0, #results)
      assert.equal(id, outbox:put(text("Hi", nil, { key = "k" })))
      process.sleep(1.3) -- a second more than `settle`, because the store in memory counts whole seconds
      sender:work()
      assert.same({ 1, id, true }, { #results, results[1].id, results[1].err.maybe_sent })
      assert.equal("uncertain", state(outbox, id))
      assert.equal(0, outbox:depth())
      assert.same({}, arrived())
      -- A later status changes the uncertain result.
      deliver_status(receiver, { id = "wamid.LATE", to = TO, data = "waba:" .. id .. ":" }, "delivered")
      assert.same({ "delivered", "wamid.LATE" }, { state(outbox, id), outbox:get(id).message_id })
      assert.equal(1, #results)
    end)

    it("sends an uncertain message without a status once again with the option resend, and reports it", function()
      local outbox = new()
      local ids = assert(outbox:put { text "lost", text("lost twice", OTHER) })
      local sender, results = new_sender(outbox, { settle = 0, resend = true })
      emulator.cloud:fail_next { drop = "before", times = 3 }
      sender:work { concurrency = 1 }
      process.sleep(1.1)
      repeat
        sender:work { concurrency = 1 }
        process.sleep(0.1)
      until #results == 2
      table.sort(results, function(a, b) return (a.sent ~= nil) and b.sent == nil end)
      assert.same({ true, true, true, true }, { results[1].resent, results[1].sent ~= nil, results[2].resent,
        results[2].err.maybe_sent })
      local states = { [state(outbox, ids[1])] = true, [state(outbox, ids[2])] = true }
      assert.same({ sent = true, uncertain = true }, states)
      assert.is_true(outbox:get(ids[1]).resent)
      assert.equal(4, #emulator.cloud:received { method = "POST" })
      assert.equal(2, sender:stats().resent)
      process.sleep(1.1)
      sender:work()
      assert.equal(4, #emulator.cloud:received { method = "POST" })
    end)

    it("keeps the uncertain result if the repeated message is refused", function()
      local outbox = new()
      local id = assert(outbox:put(text "Hi"))
      local sender, results = new_sender(outbox, { settle = 0, resend = true })
      emulator.cloud:fail_next { drop = "after" }
      emulator.cloud:fail_next { code = 131026 }
      sender:work()
      assert.same({ "uncertain", true }, { state(outbox, id), results[1].err.maybe_sent })
    end)

    it("records a failed delivery", function()
      local outbox = new()
      local receiver = waba.receiver { open = true }
      local id = assert(outbox:put(text "Hi"))
      new_sender(outbox, { receiver = receiver }):work()
      deliver_status(receiver, emulator.cloud:messages()[1], "failed", { errors = { { code = 131026, title = "No" } } })
      assert.same({ "failed", 131026 }, { state(outbox, id), outbox:get(id).error.code })
    end)

    it("reports an uncertain result at once on On-Premise hosting, where no status can prove that the message was sent", function()
      local outbox = new { hosting = "on_premise" }
      local receiver = waba.receiver { open = true }
      local sender, results = new_sender(outbox, { client = new_client(nil, "on_premise"), receiver = receiver,
        resend = true, settle = 0 })
      local ids = assert(outbox:put { text "lost", text("good", OTHER) })
      emulator:fail_next { drop = "after", times = 1 }
      sender:work { concurrency = 1 }
      local states = {}
      for _, id in ipairs(ids) do states[state(outbox, id)] = id end
      assert.equal(2, #results)
      assert.truthy(states.uncertain)
      local seen = outbox:get(states.sent)
      receiver:handle { method = "POST", body = ('{"statuses":[{"id":"%s","status":"read","timestamp":"1764444444"}]}')
        :format(seen.message_id) }
      receiver:work()
      assert.equal("read", state(outbox, states.sent))
      process.sleep(1.1)
      sender:work()
      assert.equal(2, #arrived(emulator))
    end)

    -- Bad input -----------------------------------------------------------------------------------

    it("uses only the client of the entry's number", function()
      local outbox = new { retry = { attempts = 1 } }
      local client = new_client()
      local ids = assert(outbox:put { text("known", nil, { number = emulator.cloud.phone_number_id }),
        text("unknown", OTHER, { number = "4930555019" }) })
      local sender, results = new_sender(outbox, { client = client })
      sender:work()
      assert.same({ "sent", "failed" }, { state(outbox, ids[1]), state(outbox, ids[2]) })
      assert.equal("option client of waba.sender has no client for the number 4930555019: the key of its client belongs to "
        .. emulator.cloud.number, outbox:get(ids[2]).error.message)
      assert.equal(2, #results)
      -- The client in the table has the API key of another number.
      ids = assert(outbox:put { text("wrong key", nil, { number = "4930555019" }) })
      new_sender(outbox, { client = { ["+49 30 555 019"] = client } }):work()
      assert.equal("failed", state(outbox, ids[1]))
      local by_number = new_sender(outbox, { client = { ["+49 30 555 019"] = new_client() } })
      ids = assert(outbox:put { text("by number", nil, { number = "4930555019" }), text("without", OTHER) })
      by_number:work()
      assert.same({ "sent", "failed" }, { state(outbox, ids[1]), state(outbox, ids[2]) })
      ids = assert(outbox:put { text("by function", nil, { number = 1234 }), text("nobody's", OTHER) })
      client = new_client()
      new_sender(outbox, { client = function(entry) return entry.number == "1234" and client or nil end }):work()
      assert.same({ "sent", "failed" }, { state(outbox, ids[1]), state(outbox, ids[2]) })
    end)

    it("makes an entry of another version a dead letter", function()
      local outbox = new()
      outbox.store:put { { id = "new", names = { " " .. TO }, lane = "", body = '{"version":2,"id":"new"}' },
        { id = "odd", names = { " " .. OTHER }, lane = "", body = "odd" } }
      local sender = new_sender(outbox)
      sender:work()
      assert.same({ "failed", "failed" }, { state(outbox, "new"), state(outbox, "odd") })
      assert.equal("the entry has version 2, from another version of waba: expected version 1",
        outbox:get("new").error.message)
      assert.same({}, arrived())
      local letters = assert(outbox:dead_letters())
      assert.same({ 2, 1 }, { #letters, #outbox:dead_letters { reason = "not a JSON object" } })
      assert.equal(1, outbox:retry_dead { id = letters[1].id })
      assert.equal(1, outbox:depth())
      sender:work()
      assert.equal(2, outbox:drop_dead())
      assert.same({ 0, 0 }, { outbox:depth(), #outbox:dead_letters() })
    end)

    it("does not send an entry of another version again that may have been sent", function()
      local outbox = new()
      outbox.store:put { { id = "new", names = { " " .. TO }, lane = "", body = '{"version":2,"id":"new"}' } }
      assert.equal(1, #outbox.store:take(1, 0, nil, true)) -- a sender of the other version ends during the send
      local sender = new_sender(outbox)
      sender:work()
      assert.same({ 0, "sending" }, { outbox:retry_dead(), state(outbox, "new") })
      assert.matches("a sender has taken the entry new", select(2, outbox:cancel("new")).message)
      assert.same({ 1, 0 }, { outbox:depth(), (sender:work()) })
    end)

    it("returns the ids of a long list whose keys are all known", function()
      local outbox, list, most = new(), {}, backend == "redis" and 4500 or 10
      for index = 1, most do list[index] = text("x", nil, { key = index }) end
      local ids = assert(outbox:put(list))
      assert.same(ids, (assert(outbox:put(list))))
      assert.equal(most, outbox:depth())
    end)

    it("sends messages although many entries before them can't be read", function()
      local outbox, odd = new(), {}
      for index = 1, 5 do odd[index] = { id = "odd" .. index, names = { " " .. index }, lane = "", body = "odd" } end
      outbox.store:put(odd)
      local id = assert(outbox:put(text "one"))
      new_sender(outbox):work { batch = 2, concurrency = 2 }
      assert.equal("sent", state(outbox, id))
    end)

    it("reports a message that the client refuses", function()
      local outbox = new()
      local id = assert(outbox:put { to = TO, message = waba.reaction { message_id = "wamid.X", emoji = "👍" } })
      local _, results = new_sender(outbox, { client = new_client(nil, "on_premise") })
      new_sender(outbox, { client = new_client(nil, "on_premise") }):work()
      assert.same({ "failed", "invalid" }, { state(outbox, id), outbox:get(id).error.kind })
      assert.same({}, results)
    end)

    it("sends messages again after a closed client, a failing function and a handler that raises an error", function()
      local outbox = new()
      local id = assert(outbox:put(text "Hi"))
      local closed = new_client()
      closed:close()
      local use = closed
      local sender = waba.sender { outbox = outbox, client = function()
        if use == nil then error "no client at present" end
        return use
      end }
      assert.equal(0, (sender:work { stop = (function()
        local calls = 0
        return function() calls = calls + 1 return calls > 4 end
      end)() }))
      assert.equal("waiting", state(outbox, id))
      assert.equal("cancelled: the client was closed before the send", outbox:get(id).error.message)
      use = new_client()
      assert.equal(1, (sender:work()))
      assert.same({ "Hi" }, arrived())
    end)

    -- Several senders -----------------------------------------------------------------------------

    for _, loop in ipairs { "native", "cqueues", "copas", "luv" } do
      it("is worked by two senders at the same time with " .. loop, function()
        local name = "shared" .. loop
        local first = new(nil, name)
        local second = backend == "memory" and first or new(nil, name)
        local list = {}
        for number = 1, 60 do list[number] = text(tostring(number), "4915112345" .. (number % 7 + 10)) end
        local ids = assert(first:put(list))
        local named = loop == "luv" and { loop = "luv" } or nil
        local sent = 0
        local function run(outbox)
          return function()
            local sender = new_sender(outbox, { client = new_client(named) })
            sent = sent + assert(sender:work { concurrency = 8 })
          end
        end
        runners[loop] { run(first), run(second) }
        assert.equal(60, sent)
        local last, messages = {}, emulator.cloud:messages()
        assert.equal(60, #messages)
        for _, message in ipairs(messages) do
          local number = tonumber(message.content.body)
          assert.is_true(number > (last[message.to] or 0))
          last[message.to] = number
        end
        for _, id in ipairs(ids) do assert.equal("sent", state(first, id)) end
      end)
    end

    it("is filled by send_all, which waits for the results", function()
      local outbox, client = new(), new_client()
      local refused, done, summary = {}, false, nil
      local function source()
        local number = 0
        return function()
          number = number + 1
          if number > 250 then return nil end
          if number == 9 then return "4915112345108", waba.text "8", 8 end
          if number == 7 then return "12", waba.text "x", number end
          return "4915112345" .. 100 + number, waba.text(tostring(number)), number
        end
      end
      local function send_all(more)
        local options = { outbox = outbox, campaign = "May", total = 250,
          on_result = function(key, _, err) refused[#refused + 1] = key .. " " .. err.path end }
        for name, value in pairs(more or {}) do options[name] = value end
        return assert(client:send_all(source(), options))
      end
      local sender = new_sender(outbox, { client = client })
      local stopped = send_all { stop = function() return outbox:depth() > 0 end }
      assert.same({ 0, true }, { stopped.sent, stopped.stopped })
      waba.run(function()
        waba.spawn(function()
          sender:work { forever = true, interval = 0.02, stop = function() return done end }
        end)
        summary = send_all()
        done = true
      end)
      assert.same({ 248, 2, 0, 250 }, { summary.sent, summary.failed, summary.maybe_sent, summary.done })
      assert.same({ "7 to", "8 key" }, { refused[#refused - 1], refused[#refused] })
      assert.equal(248, #emulator.cloud:messages())
      summary = send_all() -- sends nothing, because the campaign "May" has ended
      assert.equal(248, summary.sent)
      assert.equal(248, #emulator.cloud:messages())
      assert.same({ 0, 0, 0, 0 }, { outbox:campaign("June").sent, outbox:campaign("June").failed,
        outbox:campaign("May").cancelled, outbox:campaign("May").uncertain })
    end)

    it("makes send_all wait for its own messages, whatever results other machines and earlier runs have", function()
      local outbox, client, depth = new(), new_client(), nil
      local other = backend == "memory" and outbox or new(nil, "outbox" .. count)
      local sender, done = new_sender(outbox, { client = client }), false
      local function send_all(box, first, body, more)
        local number = first - 1
        local options = { outbox = box, campaign = "May", patience = 0 }
        for option, value in pairs(more or {}) do options[option] = value end
        local summary = assert(client:send_all(function()
          number = number + 1
          if number <= first + 19 then return "4915112345" .. 100 + number, waba.text(body), number end
        end, options))
        depth = outbox:depth()
        return summary
      end
      send_all(other, 1, "Hi", { stop = function() return outbox:depth() == 20 end }) -- another machine
      assert.equal(20, (sender:work()))
      waba.run(function()
        waba.spawn(function()
          waba.sleep(0.3)
          sender:work { forever = true, interval = 0.02, stop = function() return done end }
        end)
        assert.equal(40, send_all(outbox, 21, "Hi").sent)
        assert.equal(0, depth)
        -- the outbox refuses the twenty messages from 21 on, because their text differs
        local summary = send_all(outbox, 41, "Ho")
        assert.same({ 60, 0 }, { summary.sent, depth })
        summary = send_all(outbox, 31, "Ho")
        assert.same({ 60, 10 }, { summary.sent, summary.failed })
        done = true
      end)
    end)

    it("reports an invalid recipient to on_result of send_all, and keeps the keys of campaigns apart", function()
      local outbox, client, refused = new(), new_client(), {}
      local sender = new_sender(outbox, { client = client })
      local function send_all(campaign, rows)
        local summary
        waba.run(function()
          waba.spawn(function() sender:work { forever = true, interval = 0.02, stop = function() return summary end } end)
          summary = assert(client:send_all(function()
            local row = table.remove(rows, 1)
            if row then return row[1], waba.text "Hi", row[2] end
          end, { outbox = outbox, campaign = campaign, on_result = function(key, _, err)
            refused[#refused + 1] = key .. ": " .. err.message
          end }))
        end)
        return summary
      end
      local rows = { { true, "x" }, { TO, "b:c" }, { {}, "y" }, { { user_id = 5 }, "z" }, { OTHER, "d" } }
      assert.same({ 2, 3 }, { send_all("a", rows).sent, #refused })
      assert.equal("x: to must be a string or an integer, not a boolean", refused[1])
      assert.equal(1, send_all("a:b", { { TO, "c" } }).sent)
      assert.equal(1, send_all(("%:"):rep(512), { { TO, ("k"):rep(512) } }).sent)
    end)

    it("does not make send_all wait for a dead letter", function()
      local outbox, client = new { retry = { attempts = 1 } }, new_client()
      local rows = { "4915112345101" }
      local function source() return table.remove(rows), waba.text "Hi" end
      client:send_all(source, { outbox = outbox, campaign = "May", stop = function() return outbox:depth() == 1 end })
      local taken = outbox.store:take(1, 60)
      outbox.store:settle { { lease = taken[1], dead = true, reason = "another version" } }
      rows = { "4915112345101" }
      assert.equal(0, assert(client:send_all(source, { outbox = outbox, campaign = "May" })).sent)
    end)

    it("makes send_all wait if the results can't be read for less than the option patience", function()
      local outbox, client = new(), new_client()
      local read, failures, done, summary = outbox.campaign, 0, false, nil
      function outbox:campaign(name)
        if self:depth() > 0 or failures == 2 then return read(self, name) end
        failures = failures + 1
        return nil, errors.new { kind = "unavailable", message = "the store is away" }
      end
      local sender = new_sender(outbox, { client = client })
      local rows = { "4915112345101" }
      waba.run(function()
        waba.spawn(function() sender:work { forever = true, interval = 0.02, stop = function() return done end } end)
        summary = client:send_all(function() return table.remove(rows), waba.text "Hi" end, { outbox = outbox, campaign = "May" })
        done = true
      end)
      assert.same({ 2, 1 }, { failures, assert(summary).sent })
    end)

    it("wakes the senders of its own process after put", function()
      local outbox, client = new(), new_client()
      local sender = new_sender(outbox, { client = client })
      local done
      waba.run(function()
        waba.spawn(function() sender:work { forever = true, interval = 30, stop = function() return done end } end)
        waba.sleep(0.1)
        local id = assert(outbox:put(text "Hi"))
        local deadline = core.clock() + 10
        while state(outbox, id) ~= "sent" and core.clock() < deadline do waba.sleep(0.01) end
        assert.equal("sent", state(outbox, id))
        done = true
        sender:wake()
      end)
    end)
  end)
end

describe("the outbox in memory", function()
  it("refuses an entry when it is full", function()
    local outbox = waba.outbox.memory { hosting = "cloud", max = 1 }
    assert(outbox:put(text "1"))
    local id, err = outbox:put(text "2")
    assert.is_nil(id)
    assert.equal("unavailable", err.kind)
    assert.matches("^the outbox is full", err.message)
  end)

  it("stores all entries of a list or none when it is nearly full", function()
    local outbox = waba.outbox.memory { hosting = "cloud", max = 2 }
    local ids, err = outbox:put { text "1", text "2", text "3" }
    assert.is_nil(ids)
    assert.equal("unavailable", err.kind)
    assert.matches("^the outbox is full: it has 0 entries, and 3 more exceed the limit of its option max, 2", err.message)
    assert.equal(0, outbox:depth())
    local one = { text("1", nil, { key = "a" }), text("1", nil, { key = "a" }), text("2", nil, { key = "b" }) }
    ids = assert(outbox:put(one)) -- the second entry is a duplicate of the first one
    assert.equal(2, outbox:depth())
    assert.same(ids, outbox:put(one))
    assert.is_nil((outbox:put { text("1", nil, { key = "a" }), text "3" }))
    assert.equal(2, outbox:depth())
  end)

  it("checks messages by the rules of its hosting", function()
    local outbox = waba.outbox.memory {}
    assert.equal("on_premise", outbox.hosting)
    local id, err = outbox:put { to = TO, message = waba.reaction { message_id = "wamid.X", emoji = "👍" } }
    assert.is_nil(id)
    assert.equal("invalid", err.kind)
  end)
end)

describe("the outbox in sqlite", function()
  it("refuses the file of an inbox, and an inbox refuses its file", function()
    local folder = process.folder()
    local inbox, outbox = waba.inbox.sqlite(folder:file "inbox.db"), waba.outbox.sqlite(folder:file "outbox.db")
    assert(inbox:put {})
    assert(outbox:put(text "Hi"))
    local wrong_outbox, wrong_inbox = waba.outbox.sqlite(folder:file "inbox.db"), waba.inbox.sqlite(folder:file "outbox.db")
    local id, err = wrong_outbox:put(text "Hi")
    assert.is_nil(id)
    assert.matches("it belongs to an inbox: the outbox needs a file of its own", err.message, 1, true)
    assert.is_nil((wrong_inbox:take(1)))
    assert.equal(1, outbox:depth())
    for _, one in ipairs { inbox, outbox, wrong_outbox, wrong_inbox } do one:close() end
    folder:remove()
  end)
end)

describe("waba.sender", function()
  it("requires an outbox and a client", function()
    assert.has_error(function() waba.sender { client = {} } end,
      "waba.sender: option outbox is required: an outbox, such as one from waba.outbox.sqlite")
    local outbox = waba.outbox.memory { keep = 10 }
    assert.has_error(function() waba.sender { outbox = outbox } end,
      "waba.sender: option client is required: a client, such as one from waba.client")
    assert.has_error(function() waba.sender { outbox = outbox, client = { send = print } } end,
      "waba.sender: option settle must be at most the option keep of the outbox, 10, not 600")
  end)
end)

describe("the outbox in redis", function()
  it("refuses the prefix of an inbox, and an inbox refuses its prefix", function()
    local server = redis.start()
    finally(function() server:stop() end)
    local function inbox_of(prefix) return waba.inbox.redis { port = server.port, prefix = prefix } end
    local function outbox_of(prefix) return waba.outbox.redis { port = server.port, prefix = prefix } end
    assert(inbox_of("{in}"):put {})
    assert(inbox_of("{in}"):take(1))
    assert(outbox_of("{out}"):put(text "Hi"))
    local id, err = outbox_of("{in}"):put(text "Hi")
    assert.is_nil(id)
    assert.equal("unavailable", err.kind)
    assert.matches("the prefix {in} belongs to an inbox: the outbox needs a prefix of its own", err.message, 1, true)
    for _ = 1, 2 do
      local events, failure = inbox_of("{out}"):take(1)
      assert.is_nil(events)
      assert.matches("the prefix {out} belongs to an outbox: the inbox needs a prefix of its own", failure.message, 1, true)
      process.run(("redis-cli -p %d DEL '{out}:use'"):format(server.port)) -- earlier versions did not store this key
    end
    assert.equal(1, outbox_of("{out}"):depth())
    assert.truthy(outbox_of("{out}"):put(text "Hello"))
  end)
end)
