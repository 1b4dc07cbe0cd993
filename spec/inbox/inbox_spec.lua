-- The methods of an inbox in memory: attempts, pauses after failures, acknowledgements, counts.

local errors = require "waba.errors"
local process = require "spec.support.process"
local waba = require "waba"

local function message(id, from)
  return { kind = "message", hosting = "on_premise", id = id, from = from or id, type = "text", raw = {} }
end

-- Returns an inbox with `count` messages of different customers.
local function new(retry, ...)
  local inbox = waba.inbox.memory { retry = retry }
  for _, id in ipairs { ... } do assert.equal(1, inbox:put { message(id) }) end
  return inbox
end

local function ids(events)
  local list = {}
  for index, event in ipairs(events) do list[index] = event.id end
  return table.concat(list, " ")
end

describe("a failed event", function()
  it("is returned again until its last attempt", function()
    for attempts = 1, 3 do
      local inbox = new({ attempts = attempts, base = 0 }, "a")
      for attempt = 1, attempts do
        local event = inbox:take()[1]
        assert.equal(attempt, inbox:attempts(event))
        local delay = inbox:fail(event, "no " .. attempt)
        assert.equal(attempt < attempts and 0 or false, delay)
      end
      assert.same({}, inbox:take())
      assert.same({ 0, attempts, 1, 0 }, { inbox:depth(), inbox:stats().failed, inbox:stats().dead, inbox:stats().handled })
      local letter = inbox:set_aside()[1]
      assert.same({ "a", attempts, "no " .. attempts }, { letter.event.id, letter.attempts, letter.reason })
      assert.is_true(math.abs(letter.at - os.time()) < 5)
      assert.is_nil(letter.body)
    end
  end)

  it("waits for a pause that doubles up to a maximum, of which half is random", function()
    local inbox = waba.inbox.memory { retry = { attempts = 100, base = 4, max = 20 } }
    for attempts, longest in pairs { 4, 8, 16, 20, 20, [45] = 20, [99] = 20 } do
      inbox:put { message("m" .. attempts) }
      local event = inbox:take()[1]
      inbox.leases[event].attempts = attempts
      local delay = inbox:fail(event)
      assert.is_true(delay >= longest / 2 and delay <= longest, delay)
    end
    assert.equal(0, inbox:stats().dead)
    inbox:put { message "last" }
    local event = inbox:take()[1]
    inbox.leases[event].attempts = 100
    assert.is_false(inbox:fail(event))
  end)

  it("becomes a dead letter at once if the failure is final", function()
    local inbox = new(nil, "a")
    assert.is_false(inbox:fail(inbox:take()[1], nil, true))
    assert.equal("no reason was given", inbox:set_aside()[1].reason)
    assert.equal(1, inbox:revive())
    assert.equal(1, inbox:attempts(inbox:take()[1]))
  end)

  it("fails only while its lease is valid", function()
    local inbox = new(nil, "a")
    local event = inbox:take(1, 0.01)[1]
    process.sleep(0.03)
    local again = inbox:take()[1]
    for _, method in ipairs { "fail", "extend", "release", "ack" } do
      local ok, err = inbox[method](inbox, event)
      assert.is_nil(ok)
      assert.same({ "timeout", "the lease of this event expired: another worker may have taken it" }, { err.kind, err.message })
    end
    assert.same({ 0, 0, 2 }, { inbox:stats().failed, inbox:stats().handled, inbox:attempts(again) })
    assert.is_true(inbox:extend(again))
    assert.is_nil((inbox:ack(event, true))) -- true: the event was handled, so it is removed although its lease has expired
    assert.equal(0, inbox:depth())
  end)
end)

describe("an acknowledgement", function()
  it("is of one event, of several or of none", function()
    local inbox = new(nil, "a", "b", "c")
    local events = inbox:take(3)
    assert.is_true(inbox:ack {})
    assert.equal(3, inbox:depth())
    assert.is_true(inbox:ack(events[1]))
    assert.is_true(inbox:ack { events[2], events[3] })
    assert.same({ 0, 3 }, { inbox:depth(), inbox:stats().handled })
  end)

  it("is valid for the events whose lease has not expired", function()
    local inbox = new(nil, "a", "b")
    local events = inbox:take(2, 60)
    local first, second = events[1], events[2]
    assert.is_true(inbox:extend(first, 0.01))
    process.sleep(0.03)
    assert.equal("a", inbox:take(1)[1].id)
    local ok, err = inbox:ack { first, second }
    assert.is_nil(ok)
    assert.equal("timeout", err.kind)
    assert.same({ 1, 1 }, { inbox:depth(), inbox:stats().handled })
  end)

  it("raises an error for an event that was not taken", function()
    local inbox = new(nil, "a")
    for _, method in ipairs { "ack", "fail", "extend", "release" } do
      assert.error_matches(function() inbox[method](inbox, message "a") end, "the event was not taken from this inbox")
    end
    assert.equal(0, inbox:attempts(message "a"))
  end)

  it("writes the records of its event, unless another worker has taken it", function()
    local inbox = new(nil, "a", "b")
    local event = inbox:take(1, 60)[1]
    inbox:attach(event, { { name = "r", value = "1" } })
    assert.is_true(inbox:ack(event, true))
    assert.equal("1", inbox:get "r")
    event = inbox:take(1, 0.01)[1]
    process.sleep(0.03)
    assert.equal(1, #inbox:take())
    inbox:attach(event, { { name = "r", value = "2" } })
    local ok = inbox:ack(event, true)
    assert.is_nil(ok)
    assert.equal("1", inbox:get "r")
    assert.equal(1, inbox:depth())
  end)

  it("can be combined with a take, and with a put", function()
    local inbox = new(nil, "a", "b", "c")
    local events = inbox:take(1)
    local more, due = inbox:exchange(events, 2)
    assert.same({ "b c", nil, 2 }, { ids(more), due, inbox:depth() })
    more, due = inbox:exchange(more, 2)
    assert.same({ "", false, 3 }, { ids(more), due, inbox:stats().handled })
    inbox:put { message "d" }
    local d = inbox:take(1)
    local stored, taken
    stored, taken, due = inbox:put({ message "e", message "f", message "e" }, nil, { done = d, n = 5 })
    assert.same({ 2, "e f", 4 }, { stored, ids(taken), inbox:stats().handled })
    assert.is_true(due == false or due > 50)
    assert.same({ 6, 1 }, { inbox:stats().stored, inbox:stats().duplicate })
  end)

  it("returns the errors of the store", function()
    local inbox = new(nil, "a")
    local event, failure = inbox:take()[1], errors.new { kind = "unavailable", message = "m" }
    for _, name in ipairs { "settle", "take", "put", "list" } do inbox.store[name] = function() return nil, failure end end
    local function check(ok, err)
      assert.is_nil(ok)
      assert.equal(failure, err)
    end
    check(inbox:ack(event))
    check(inbox:exchange({ event }, 1))
    check(inbox:put { message "b" })
    check(inbox:put({ message "b" }, nil, { done = {}, n = 1 }))
    check(inbox:take())
    check(inbox:fail(event))
    check(inbox:extend(event))
    check(inbox:release(event))
    check(inbox:list())
    check(inbox:set_aside())
    check(inbox:revive())
    check(inbox:drop {})
    assert.same({ 1, 0, 0 }, { inbox:stats().stored, inbox:stats().handled, inbox:stats().failed })
  end)
end)

describe("the events of an inbox", function()
  it("are taken one after the other for each customer, and at once without a customer", function()
    local inbox = waba.inbox.memory()
    local function account(n)
      return { kind = "account", hosting = "cloud", field = "flows", value = { n = n }, timestamp = n, raw = {} }
    end
    inbox:put { message("a", "1"), message("b", "1"), message("c", "2"), account(1), account(2) }
    local events = inbox:take(9)
    assert.same({ 4, "a", "c" }, { #events, events[1].id, events[2].id })
    inbox:ack(events[1])
    assert.equal("b", ids(inbox:take(9)))
  end)

  it("are handled independently of statuses only with the option separate_statuses", function()
    for _, is_separate in ipairs { true, false } do
      local inbox = waba.inbox.memory()
      inbox.separate_statuses = is_separate
      inbox:put { message("a", "1"), { kind = "status", hosting = "on_premise", id = "s", status = "read", recipient = "1", raw = {} } }
      assert.equal(is_separate and "a s" or "a", ids(inbox:take(9)))
    end
  end)
end)

describe("a taken event", function()
  it("is leased for a minute by default", function()
    local inbox = new(nil, "a")
    inbox:take()
    local due = inbox:next_due()
    assert.is_true(due > 50 and due <= 60)
    assert.same({}, inbox:take())
  end)

  it("that is released is returned again, and its attempt does not count", function()
    local inbox = new({ attempts = 1 }, "a")
    for _ = 1, 3 do
      local event = inbox:take()[1]
      assert.equal(1, inbox:attempts(event))
      assert.is_true(inbox:release(event))
    end
    assert.equal(1, inbox:depth())
  end)

  it("is a table of its own, so that a change of it has no effect", function()
    local inbox = new({ base = 0 }, "a")
    local event = inbox:take()[1]
    event.type = "changed"
    inbox:fail(event)
    assert.equal("text", inbox:take()[1].type)
  end)
end)

describe("the rows of an inbox", function()
  it("are listed, removed and retried by a filter", function()
    local inbox = new({ attempts = 1 }, "a", "b", "c", "d")
    local first = inbox:take(2)
    inbox:fail(first[1], "no line")
    local function states(list)
      local texts = {}
      for index, row in ipairs(list) do texts[index] = row.event.id .. " " .. row.state end
      return table.concat(texts, ", ")
    end
    assert.equal("b taken, c waiting, d waiting", states(inbox:list()))
    assert.equal("b taken", states(inbox:list({}, 1)))
    assert.equal("a dead", states(inbox:list { dead = true }))
    assert.equal("a dead", states(inbox:list { dead = true, reason = "line" }))
    assert.equal("", states(inbox:list { dead = true, reason = "other" }))
    assert.equal("", states(inbox:list { before = os.time() - 100 }))
    assert.equal("b taken, c waiting, d waiting", states(inbox:list { before = os.time() + 100 }))
    local row = inbox:list()[2]
    assert.equal("c waiting", states(inbox:list { id = row.id }))
    assert.equal(1, inbox:drop { id = row.id })
    assert.equal(0, inbox:drop { id = row.id })
    assert.equal(0, inbox:retry_dead { reason = "other" })
    assert.equal(1, inbox:retry_dead { reason = "no line" })
    assert.equal("b taken, d waiting, a waiting", states(inbox:list()))
    assert.equal(2, inbox:drop {})
    assert.equal("b taken", states(inbox:list()))
    assert.equal(0, inbox:drop { dead = true })
    assert.error_matches(function() inbox:drop() end, "the filter is missing")
    for _, method in ipairs { "list", "drop", "retry_dead" } do
      assert.error_matches(function() inbox[method](inbox, { raeson = "x" }) end, ("inbox:%s: unknown option raeson"):format(method))
    end
  end)

  it("are listed up to a number, 100 by default", function()
    local inbox = waba.inbox.memory { retry = { attempts = 1 } }
    local list = {}
    for number = 1, 450 do list[number] = message("m" .. number) end
    assert.equal(450, inbox:put(list))
    for n, count in pairs { [1] = 1, [199] = 199, [200] = 200, [201] = 201, [450] = 450, [1000] = 450 } do
      assert.equal(count, #inbox:list({}, n))
    end
    assert.equal(100, #inbox:list())
    for _, event in ipairs(inbox:take(450)) do inbox:fail(event) end
    assert.same({ 100, 7, 450 }, { #inbox:set_aside(), #inbox:set_aside(7), #inbox:set_aside(1000) })
    assert.equal(450, inbox:retry_dead())
    assert.equal(450, inbox:drop {})
  end)
end)

describe("the figures of an inbox", function()
  it("count its events", function()
    local inbox = waba.inbox.memory()
    assert.same({ stored = 0, duplicate = 0, handled = 0, failed = 0, dead = 0, depth = 0 }, inbox:stats())
    assert.is_nil((inbox:oldest()))
    assert.equal(2, inbox:put { message "a", message "a", message "b" })
    assert.equal(0, inbox:put { message "a" })
    local stats = inbox:stats()
    assert.same({ 2, 2, 2 }, { stats.stored, stats.duplicate, stats.depth })
    assert.is_true(stats.oldest >= 0 and stats.oldest < 5)
    assert.is_true(math.abs(inbox:oldest() - os.time()) < 5)
  end)
end)
