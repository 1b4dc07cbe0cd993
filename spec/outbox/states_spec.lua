-- The state of an outbox entry: after it was stored or taken, after its result, and after statuses in any order.

local entries = require "waba.outbox.entry"
local waba = require "waba"

local TO = "491511234567"

local function new(hosting)
  local outbox = waba.outbox.memory { hosting = hosting or "cloud" }
  local id = assert(outbox:put { to = TO, message = waba.text "Hi", key = "k", number = "4930555019", campaign = "May" })
  return outbox, id
end

-- Returns an outbox with one entry that was sent, and its id.
local function new_sent(hosting)
  local outbox, id = new(hosting)
  local lease = assert(outbox.store:take(1, 60))[1]
  local entry = entries.decode(lease.body)
  local state = { id = id, state = "sent", to = TO, key = "k", number = "4930555019", message_id = "wamid.1",
    times = { stored = 1, sent = 2 } }
  local records = outbox:final_records(entry, state)
  records[#records + 1] = { name = "message:wamid.1", value = id, seconds = 60 }
  assert.equal(1, outbox.store:settle { { lease = lease, done = "always", records = records } })
  return outbox, id
end

local function status(id, name, more)
  local event = { kind = "status", hosting = "cloud", id = "wamid.1", outbox_id = id, status = name, timestamp = 7 }
  for field, value in pairs(more or {}) do event[field] = value or nil end
  return event
end

describe("the state of an entry that was not sent", function()
  it("is waiting, with its fields and the reason of its last attempt", function()
    local outbox, id = new()
    local seen = assert(outbox:get(id))
    assert.same({ id, "waiting", TO, "k", "4930555019" }, { seen.id, seen.state, seen.to, seen.key, seen.number })
    assert.same({}, { seen.error, seen.message_id, seen.times.at, seen.times.sent, seen.resent })
    local lease = outbox.store:take(1, 60)[1]
    assert.equal("waiting", outbox:get(id).state)
    assert(outbox.store:settle { { lease = lease, extend = 60, mark = true } })
    assert.equal("sending", outbox:get(id).state)
    assert(outbox.store:settle { { lease = lease, delay = 60, reason = "no line" } })
    seen = outbox:get(id)
    assert.same({ "waiting", "cancelled", "no line" }, { seen.state, seen.error.kind, seen.error.message })
  end)

  it("is failed for a dead letter", function()
    local outbox, id = new()
    assert(outbox.store:settle { { lease = outbox.store:take(1, 60)[1], dead = true, reason = "odd" } })
    local seen = outbox:get(id)
    assert.same({ "failed", "odd" }, { seen.state, seen.error.message })
    assert.matches('in state "failed"', select(2, outbox:cancel(id)).message)
    assert.equal(1, outbox:drop_dead())
    seen = outbox:get(id)
    assert.same({ "failed", "odd", TO, "k", "4930555019" }, { seen.state, seen.error.message, seen.to, seen.key, seen.number })
    assert.equal(1, outbox:campaign("May").failed)
  end)

  it("has its id if another version has written the entry, which can't be cancelled", function()
    local outbox = new()
    assert(outbox.store:put { { id = "odd", names = { "x" }, lane = "", body = "odd" } })
    assert.equal("odd", outbox:get("odd").id)
    assert.matches("can't be cancelled: the entry is not a JSON object", select(2, outbox:cancel "odd").message)
  end)

  it("has the time at which its message will be sent", function()
    local outbox = waba.outbox.memory { hosting = "cloud" }
    local at = os.time() + 1000
    local id = assert(outbox:put { to = TO, message = waba.text "Hi", at = at })
    assert.equal(at, outbox:get(id).times.at)
    assert.is_true(outbox:cancel(id))
    local seen = outbox:get(id)
    assert.same({ "cancelled", at }, { seen.state, seen.times.at })
    assert.is_true(math.abs(seen.times.cancelled - os.time()) < 5)
    assert.equal(0, outbox:depth())
  end)

  it("can't become cancelled while it is taken or may be sent", function()
    for _, mark in ipairs { true, false } do
      local outbox, id = new()
      local lease = outbox.store:take(1, 60)[1]
      local ok, err = outbox:cancel(id)
      assert.is_nil(ok)
      assert.same({ "invalid", "id" }, { err.kind, err.path })
      assert.matches(": expected a waiting one", err.message, 1, true)
      if mark then assert(outbox.store:settle { { lease = lease, extend = 0, mark = true } }) end
      if not mark then assert(outbox.store:settle { { lease = lease, release = true } }) end
      ok = outbox:cancel(id)
      assert.equal(not mark and true or nil, ok)
    end
  end)

  it("is found if a sender stores the result at the same time", function()
    for _, method in ipairs { "get", "cancel", "apply" } do
      local outbox, id = new()
      local store, find = outbox.store, outbox.store.find
      function store.find(...)
        store.find = find
        local lease = store:take(1, 60)[1]
        local state = entries.state(entries.decode(lease.body), "sent")
        store:settle { { lease = lease, done = "always", records = outbox:final_records({ id = id }, state) } }
        return find(...)
      end
      local argument = method == "apply" and status(id, "delivered") or id
      local result, err = outbox[method](outbox, argument)
      if method == "cancel" then
        assert.equal(('id: the entry %s is in state "sent": expected a waiting one'):format(id), err.message)
      else
        assert(result, err)
        assert.equal(method == "get" and "sent" or "delivered", outbox:get(id).state)
      end
    end
  end)

  it("is found if the result becomes uncertain at the same time, and then can't become cancelled", function()
    for _, method in ipairs { "get", "cancel" } do
      local outbox, id = new()
      local store, find = outbox.store, outbox.store.find
      function store.find(...)
        store.find = find
        local lease = store:take(1, 60)[1]
        local entry, body = entries.decode(lease.body)
        entry.is_uncertain = true
        store:settle { { lease = lease, later = 60, body = entries.encode(entry, body),
          records = { outbox:record("state:" .. id, entries.state(entry, "uncertain")) } } }
        return find(...)
      end
      local result, err = outbox[method](outbox, id)
      if method == "get" then assert.equal("uncertain", assert(result, err).state) end
      if method == "cancel" then assert.matches('in state "uncertain"', tostring(err)) end
      assert.equal("uncertain", outbox:get(id).state)
    end
  end)

  it("is not found for an unknown id", function()
    local outbox = new()
    for _, method in ipairs { "get", "cancel" } do
      local seen, err = outbox[method](outbox, "x")
      assert.is_nil(seen)
      assert.same({ "not_found", "the outbox has no entry with the id x" }, { err.kind, err.message })
      for _, id in ipairs { 5, false, {} } do
        assert.error_matches(function() outbox[method](outbox, id) end, ("outbox:%s: the id must be a string, not a %s"):format(
          method, type(id)))
      end
    end
  end)
end)

describe("a status", function()
  -- Applies statuses to a sent entry, each with a later time. Returns the entry.
  local function after(...)
    local outbox, id = new_sent()
    for index, name in ipairs { ... } do assert.is_true(outbox:apply(status(id, name, { timestamp = 10 + index }))) end
    return outbox:get(id)
  end

  it("replaces only a state of a lower rank", function()
    for text, expected in pairs {
      ["sent"] = "sent", ["delivered"] = "delivered", ["read"] = "read", ["played"] = "read", ["failed"] = "failed",
      ["sent delivered read"] = "read", ["read delivered sent"] = "read", ["delivered sent"] = "delivered",
      ["read failed"] = "failed", ["failed read"] = "failed", ["failed delivered"] = "failed", ["played read"] = "read",
      ["deleted"] = "sent", ["warning"] = "sent", ["any"] = "sent",
    } do
      local list = {}
      for name in text:gmatch "%l+" do list[#list + 1] = name end
      assert.equal(expected, after((table.unpack or unpack)(list)).state, text)
    end
  end)

  it("has the time of the first status of its rank", function()
    assert.same({ stored = 1, sent = 2, delivered = 11, read = 13 }, after("delivered", "delivered", "read", "played").times)
    assert.same({ stored = 1, sent = 2, read = 11 }, after("read", "delivered").times)
  end)

  it("has the error of a failed delivery", function()
    local outbox, id = new_sent()
    assert(outbox:apply(status(id, "failed", { errors = { { kind = "recipient", message = "No", code = 131026 }, { code = 1 } } })))
    assert.same({ "failed", "recipient", 131026 }, { outbox:get(id).state, outbox:get(id).error.kind, outbox:get(id).error.code })
    for _, errors in ipairs { false, {} } do
      outbox, id = new_sent()
      assert(outbox:apply(status(id, "failed", { errors = errors })))
      local err = outbox:get(id).error
      assert.same({ "api", "the platform could not deliver the message, and named no reason" }, { err.kind, err.message })
    end
    assert.is_nil(after("delivered").error)
  end)

  it("of one of two sent messages does not make the other one failed", function()
    for _, row in ipairs {
      { { "delivered", "failed", "wamid.0" }, "delivered" }, { { "failed", "wamid.0" }, "sent" },
      { { "failed", "wamid.0", "delivered" }, "delivered" }, { { "delivered", "wamid.0", "failed", "wamid.1" }, "delivered" },
      { { "sent", "wamid.0", "failed", "wamid.1" }, "failed" }, { { "failed" }, "failed" },
    } do
      local outbox, id = new_sent() -- the message wamid.1 was sent again after wamid.0
      local words, place = row[1], 1
      while words[place] do
        local other = (words[place + 1] or ""):match "^wamid" and words[place + 1]
        assert(outbox:apply(status(id, words[place], { id = other })))
        place = place + (other and 2 or 1)
      end
      assert.equal(row[2], outbox:get(id).state)
    end
  end)

  it("without a time has the current time", function()
    local outbox, id = new_sent()
    assert(outbox:apply(status(id, "read", { timestamp = false })))
    assert.is_true(math.abs(outbox:get(id).times.read - os.time()) < 5)
  end)

  it("has no effect if it is of another message or is invalid", function()
    for _, hosting in ipairs { "cloud", "on_premise" } do
      local outbox, id = new_sent(hosting)
      for index, event in ipairs {
        status("x", "read"), status(id, "read", { kind = "message" }), status(id, "read", { type = "payment" }),
        status(nil, "read"), status(nil, "read", { hosting = "on_premise", id = "gBEG9" }),
        status(nil, "read", { hosting = "on_premise", id = false }), { kind = "status" },
      } do
        assert.is_true(outbox:apply(event), index)
        assert.equal("sent", outbox:get(id).state, index)
      end
      assert.is_nil((outbox:get "x"))
    end
  end)

  it("finds its entry on On-Premise hosting by the id of the message", function()
    local outbox, id = new_sent "on_premise"
    assert.is_true(outbox:apply(status(nil, "read", { hosting = "on_premise" })))
    assert.equal("read", outbox:get(id).state)
  end)

  it("makes its uncertain entry due, also if the store fails after it has recorded the status", function()
    local outbox, id = new()
    local store, lease = outbox.store, outbox.store:take(1, 60)[1]
    local record = outbox:record("state:" .. id, { id = id, state = "uncertain", to = TO, times = {} })
    assert(store:settle { { lease = lease, later = 600, body = lease.body, records = { record } } })
    function store.hasten()
      store.hasten = nil
      return nil, "the store failed"
    end
    assert.same({ nil, "the store failed" }, { outbox:apply(status(id, "sent")) })
    assert.equal(0, #store:take(1, 60))
    assert.is_true(outbox:apply(status(id, "sent")))
    assert.equal(1, #store:take(1, 60))
  end)

  it("may arrive before the result of its message", function()
    local outbox, id = new()
    assert(outbox:apply(status(id, "delivered")))
    assert.equal("waiting", outbox:get(id).state)
    local lease = outbox.store:take(1, 60)[1]
    local records = outbox:final_records((entries.decode(lease.body)), { id = id, state = "uncertain", to = TO, times = {},
      error = { kind = "timeout", message = "m" } })
    assert(outbox.store:settle { { lease = lease, done = "always", records = records } })
    local seen = outbox:get(id)
    assert.same({ "delivered", "wamid.1" }, { seen.state, seen.message_id })
    assert.is_nil(seen.error)
  end)
end)

describe("the records of a finished entry", function()
  it("are its state, its key and its campaign, if it has them", function()
    local outbox = waba.outbox.memory { hosting = "cloud", keep = 60 }
    for names, fields in pairs {
      ["state:i"] = {}, ["state:i :k"] = { key = "k", digest = "d" }, ["state:i count:sent:May"] = { campaign = "May" },
      ["state:i 4930:k count:sent:May"] = { key = "k", digest = "d", number = "4930", campaign = "May" },
    } do
      fields.id = "i"
      local list = {}
      for index, record in ipairs(outbox:final_records(fields, { state = "sent" })) do
        list[index] = record.name
        assert.equal(60, record.seconds)
        assert.equal(record.name:find "k$" and true or nil, record.of_key)
        assert.equal(record.name:find "^count" and 1 or nil, record.add)
      end
      assert.equal(names, table.concat(list, " "))
    end
    assert.is_nil(outbox:record("state:i", {}).seconds)
    assert.equal(60, outbox:record("state:i", {}, true).seconds)
  end)
end)

describe("the dead letters of an outbox", function()
  -- Returns an outbox whose only entry is a dead letter, and its id.
  local function new_dead()
    local outbox, id = new()
    assert(outbox.store:settle { { lease = outbox.store:take(1, 60)[1], dead = true, reason = "odd" } })
    return outbox, id
  end

  it("have the fields of their entries", function()
    local outbox, id = new_dead()
    local letters = assert(outbox:dead_letters())
    local letter = letters[1]
    assert.same({ 1, id, TO, "k", "4930555019", 1, "odd" }, { #letters, letter.entry.id, letter.entry.to, letter.entry.key,
      letter.entry.number, letter.attempts, letter.reason })
    assert.is_true(math.abs(letter.at - os.time()) < 5)
    assert.is_nil(letter.body)
    assert.equal(letter.id, outbox:dead_letters({ id = letter.id })[1].id)
    assert.same({}, outbox:dead_letters { reason = "other" })
    assert.same({}, outbox:dead_letters({}, 0))
    assert.equal(1, outbox:retry_dead())
    assert.equal("waiting", outbox:get(id).state)
  end)

  it("are not removed if the store fails, and the error of the store is returned", function()
    local failure = require("waba.errors").new { kind = "unavailable", message = "away" }
    for _, method in ipairs { "settle", "drop", "list" } do
      local outbox = new_dead()
      local real = outbox.store[method]
      outbox.store[method] = function() return nil, failure end
      local count, err = outbox:drop_dead()
      assert.is_nil(count)
      assert.equal(failure, err)
      outbox.store[method] = real
      assert.equal(1, #outbox:dead_letters())
    end
    local outbox = new_dead()
    outbox.store.list = function() return nil, failure end
    local letters, err = outbox:dead_letters()
    assert.is_nil(letters)
    assert.equal(failure, err)
  end)
end)

describe("an entry that a sender takes during the call of cancel", function()
  it("is not cancelled", function()
    local outbox, id = new()
    outbox.store.drop = function() return 0 end
    local ok, err = outbox:cancel(id)
    assert.is_nil(ok)
    assert.matches("a sender has taken the entry", err.message, 1, true)
  end)
end)

describe("the hosting of an outbox", function()
  it("is that of its option, else of the environment, else On-Premise", function()
    local getenv = os.getenv
    finally(function() os.getenv = getenv end)
    for _, row in ipairs {
      { nil, nil, "on_premise" }, { nil, "", "on_premise" }, { nil, "cloud", "cloud" }, { "cloud", "on_premise", "cloud" },
      { "on_premise", "cloud", "on_premise" },
    } do
      os.getenv = function(name) return name == "WABA_HOSTING" and row[2] or nil end
      assert.equal(row[3], waba.outbox.memory({ hosting = row[1] }).hosting)
    end
    os.getenv = function() return "clowd" end
    assert.error_matches(function() waba.outbox.memory() end, 'waba.outbox.memory: hosting must be "on_premise" or "cloud", not clowd')
  end)
end)
