-- What a sender does after each attempt: after which errors it sends the entry again, how often, after which pause, and
-- what it reports.

local errors = require "waba.errors"
local process = require "spec.support.process"
local scripted_transport = require "spec.support.scripted_transport"
local waba = require "waba"

local TO = "491511234567"
local SENT = { body = '{"messages":[{"id":"wamid.1"}]}' }
local REFUSED = { status = 401, body = "{}" }
local LOST = { failure = { kind = "timeout", message = "no response", sent = "maybe" } }

local function failure(kind, sent) return { failure = { kind = kind, message = "m", sent = sent } } end

-- Returns an outbox with one entry, the entry's id, a sender, the transport of its client, and the list of reported
-- results.
local function new(responses, retry, more)
  local outbox = waba.outbox.memory { hosting = "cloud", retry = retry }
  local entry = { to = TO, message = waba.text "Hi" }
  local options = { outbox = outbox, settle = 0 }
  for name, value in pairs(more or {}) do options[name] = value end
  if options.number then entry.number, options.number = options.number, nil end
  local id = assert(outbox:put(entry))
  local client, transport = scripted_transport.cloud_client(responses, options.of_client)
  options.of_client, options.client = nil, options.client or client
  local reported = {}
  options.on_result = options.on_result or function(of, sent, err) reported[#reported + 1] = { of.id, sent, err } end
  return outbox, id, waba.sender(options), transport, reported
end

-- Runs a sender, and returns the numbers of sent and of failed messages.
local function work(sender)
  local sent, failed = sender:work()
  return { sent, failed }
end

local function repeated(response, count)
  local list = {}
  for index = 1, count do list[index] = response end
  list[count + 1] = SENT
  return list
end

describe("a sender", function()
  it("tries as often as the option attempts, and not once more", function()
    for attempts = 1, 3 do
      local outbox, id, sender, transport, reported = new(repeated(REFUSED, attempts), { attempts = attempts, base = 0 })
      assert.same({ 0, attempts }, work(sender))
      assert.same({ attempts, "failed" }, { #transport.requests, outbox:get(id).state })
      assert.equal(1, #reported)
      outbox, id, sender, transport = new(repeated(REFUSED, attempts - 1), { attempts = attempts, base = 0 })
      assert.equal(1, (sender:work()))
      assert.same({ attempts, "sent" }, { #transport.requests, outbox:get(id).state })
    end
  end)

  it("lets an entry wait after a temporary error, and fails after any other", function()
    local function client_of(err) return function() return nil, errors.new(err) end end
    local rows = {
      { waits = true, responses = { REFUSED } },
      { waits = true, responses = { { status = 429, body = "{}" } } },
      { waits = true, responses = { failure("network", "no") } },
      { waits = true, responses = { { failure = { kind = "network", message = "m", sent = "yes", status = 401 } } } },
      { waits = true, client = client_of { kind = "auth", message = "the key of another number" } },
      { waits = true, client = client_of { kind = "unavailable", message = "m" } },
      { waits = true, client = client_of { kind = "cancelled", message = "m" } },
      { waits = true, client = client_of { kind = "api", message = "m", retryable = true } },
      { waits = true, client = client_of { kind = "invalid", path = "number", message = "m" } },
      { waits = true, client = function() error "no client at present" end },
      { waits = true, client = function() return nil end },
      { waits = false, client = client_of { kind = "invalid", path = "to", message = "m" } },
      { waits = false, client = client_of { kind = "not_found", message = "m" } },
      { waits = false, responses = { { status = 400, body = '{"error":{"code":131026,"message":"m"}}' } } },
      { waits = false, responses = { { status = 404, body = "{}" } } },
    }
    for index, row in ipairs(rows) do
      local outbox, id, sender, _, reported = new(row.responses or {}, { base = 1000 }, { client = row.client })
      assert.same({ 0, 1 }, work(sender), index)
      local state = outbox:get(id)
      assert.equal(row.waits and "waiting" or "failed", state.state, index)
      assert.same({ row.waits and 1 or 0, row.waits and 0 or 1 }, { outbox:depth(), #reported }, index)
      assert.equal(row.waits and 0 or 1, sender:stats().failed, index)
      assert.is_string(state.error.message)
    end
  end)

  it("waits for the pause of the option retry, or for the longer time that the gateway demands", function()
    for _, row in ipairs {
      { { base = 100, max = 1000 }, 50, 100 }, { { base = 100, max = 20 }, 10, 20 }, { { base = 100, max = 300 }, 50, 100 },
    } do
      local outbox, _, sender = new({ REFUSED }, row[1])
      sender:work()
      local left = outbox.store:next_due()
      assert.is_true(left > row[2] - 5 and left <= row[3], left)
    end
    local outbox, _, sender = new({ { status = 429, body = "{}", headers = { ["retry-after"] = "500" } } }, { base = 1 })
    sender:work()
    local left = outbox.store:next_due()
    assert.is_true(left > 400 and left <= 500, left)
  end)

  it("does not count a refusal by the rate limiter of the client as an attempt", function()
    local outbox, id, sender, transport = new({ SENT, SENT, SENT }, { base = 0, attempts = 1 }, {
      of_client = { pace = { messages = { rate = 10, burst = 1 } }, timeout = 0.05 },
    })
    local ids = assert(outbox:put {
      { to = "491511234568", message = waba.text "Hi" }, { to = "491511234569", message = waba.text "Hi" },
    })
    local refused = 0
    repeat refused = refused + work(sender)[2] until outbox:depth() == 0
    assert.same({ "sent", "sent", "sent" }, { outbox:get(id).state, outbox:get(ids[1]).state, outbox:get(ids[2]).state })
    assert.same({ 3, 3, 0 }, { #transport.requests, sender:stats().sent, sender:stats().failed })
    assert.is_true(refused > 0)
  end)

  it("keeps an entry while the store of the rates can't be reached and the client waits for it", function()
    local store = waba.pace.redis { port = process.free_port(), unreachable = "wait" }
    local outbox, id, sender, transport = new({ SENT }, { base = 0, attempts = 1 }, {
      of_client = { pace = { store = store }, timeout = 0.05 },
    })
    local rounds = 0
    sender:work { stop = function()
      rounds = rounds + 1
      return rounds >= 10
    end }
    assert.same({ "waiting", 0 }, { outbox:get(id).state, #transport.requests })
  end)

  it("doubles the pause after each attempt, up to its maximum", function()
    local results = require "waba.sender.results"
    for attempts, longest in pairs { 4, 8, 16, 20, 20, [60] = 20, [5000] = 20 } do
      local held = { lease = { attempts = attempts }, entry = {} }
      results.put_back({ outbox = { retry = { attempts = 1e9, base = 4, max = 20 } } }, held,
        errors.new { kind = "unavailable", message = "m" })
      local delay = held.change.delay -- a random number from longest / 2 to longest
      assert.is_true(delay >= longest / 2 and delay <= longest, delay)
      assert.equal("unavailable: m", held.change.reason)
    end
  end)

  it("restores the uncertain result after a repeated send that certainly failed, and repeats the send later", function()
    local outbox, id, sender, transport = new({ LOST, REFUSED, SENT }, { base = 0 }, { resend = true })
    local states = {}
    sender:work { stop = function()
      states[#states + 1] = outbox:get(id).state
      return #transport.requests == 2
    end }
    assert.same({ 2, "uncertain" }, { #transport.requests, outbox:get(id).state })
    assert.equal("timeout", outbox:get(id).error.kind)
    sender:work()
    assert.same({ 3, "sent", true }, { #transport.requests, outbox:get(id).state, outbox:get(id).resent })
    assert.equal(1, sender:stats().resent) -- the refused attempt does not count
  end)

  it("reports only errors of on_result on standard error", function()
    local stderr, written = io.stderr, {}
    io.stderr = { write = function(_, ...) written[#written + 1] = table.concat { ... } end }
    local ok, raised = pcall(function()
      local _, _, sender = new({ SENT }, nil, { on_result = function() end })
      assert.equal(1, (sender:work()))
      assert.same({}, written)
      local outbox, id
      outbox, id, sender = new({ SENT }, nil, { on_result = function() error("odd\n", 0) end })
      assert.equal(1, (sender:work()))
      assert.equal("sent", outbox:get(id).state)
    end)
    io.stderr = stderr
    assert(ok, raised)
    assert.equal(1, #written)
    assert.matches("^waba: on_result failed: odd.*\n$", written[1])
  end)

  it("reports a client that raises during the send, and does not send such a message again", function()
    for _, is_marked in ipairs { true, false } do
      local client = { mark_read = print, hosting = { name = "cloud" } }
      function client.send(_, _, _, options)
        if is_marked then assert(options.before_attempt()) end
        error("broken", 0)
      end
      local outbox, id, sender = new({}, { base = 1000 }, { client = client, settle = 600 })
      assert.same({ 0, 1 }, work(sender))
      local state = outbox:get(id)
      assert.equal(is_marked and "uncertain" or "waiting", state.state)
      assert.matches("client:send raised an error: broken", state.error.message, 1, true)
      if is_marked then assert.is_true(state.error.maybe_sent) end
    end
  end)

  it("stores results with bytes that are not UTF-8", function()
    local outbox, id, sender = new({}, { attempts = 1 }, { client = function() return nil, "bad \255 text" end })
    assert.same({ 0, 1 }, work(sender))
    assert.equal("failed", outbox:get(id).state)
    assert.matches("bad ? text", outbox:get(id).error.message, 1, true)
    outbox, id, sender = new({ { body = '{"messages":[{"id":"wamid.\255"}]}' } })
    assert.same({ 1, 0 }, work(sender))
    assert.equal("wamid.?", outbox:get(id).message_id)
  end)

  it("stores the error of a client of another class, without values that JSON can't contain", function()
    local client = { mark_read = print, hosting = { name = "cloud" } }
    function client.send() return nil, { kind = "api", message = "refused", details = print } end
    local outbox, id, sender = new({}, nil, { client = client })
    assert.same({ 0, 1 }, work(sender))
    assert.same({ "failed", "refused" }, { outbox:get(id).state, outbox:get(id).error.message })
  end)

  it("records on On-Premise hosting to which entry the id of a message belongs", function()
    local function status(name) return { kind = "status", hosting = "on_premise", id = "gBEG1", status = name, timestamp = 5 } end
    for _, fields in ipairs { {}, { key = "k" }, { campaign = "May" }, { key = "k", campaign = "May" } } do
      local outbox = waba.outbox.memory { hosting = "on_premise" }
      fields.to, fields.message = TO, waba.text "Hi"
      local id = assert(outbox:put(fields))
      local client = scripted_transport.client { { body = '{"messages":[{"id":"gBEG1"}]}' } }
      local sender = waba.sender { outbox = outbox, client = client }
      assert.equal(1, (sender:work()))
      assert.equal("sent", outbox:get(id).state)
      assert.equal(fields.campaign and 1 or 0, outbox:campaign("May").sent)
      if fields.key then assert.equal(id, outbox:put(fields)) end
      assert.is_true(outbox:apply(status "delivered"))
      assert.same({ "delivered", 5 }, { outbox:get(id).state, outbox:get(id).times.delivered })
      assert.is_true(outbox:apply(status "sent"))
      assert.equal("delivered", outbox:get(id).state)
    end
  end)
end)
