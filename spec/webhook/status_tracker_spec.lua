local errors = require "waba.errors"
local waba = require "waba"

local function status(word, timestamp, more)
  local event = { kind = "status", id = "m", status = word, timestamp = timestamp }
  for name, value in pairs(more or {}) do event[name] = value end
  return event
end

describe("a status tracker", function()
  it("records a message's statuses to the last one", function()
    local tracker = waba.status_tracker()
    for _, word in ipairs { "sent", "delivered", "read" } do
      local state, changed = tracker:apply(status(word, 1))
      assert.equal(word, state.status)
      assert.is_true(changed)
      assert.equal(word, tracker:status "m")
    end
  end)

  it("is not changed by late or repeated statuses", function()
    local tracker = waba.status_tracker()
    tracker:apply(status("read", 3))
    for _, word in ipairs { "sent", "delivered", "read", "sending" } do
      local state, changed = tracker:apply(status(word, 9))
      assert.equal("read", state.status)
      assert.is_false(changed)
    end
  end)

  it("treats failed as final", function()
    for _, word in ipairs { "sent", "delivered", "read" } do
      local tracker = waba.status_tracker()
      tracker:apply(status(word, 1))
      assert.is_true(select(2, tracker:apply(status("failed", 2))))
      assert.is_false(select(2, tracker:apply(status(word, 3))))
      assert.equal("failed", tracker:status "m")
    end
  end)

  it("keeps the earliest time of each status", function()
    local tracker = waba.status_tracker()
    tracker:apply(status("delivered"))
    tracker:apply(status("sent", 5))
    tracker:apply(status("sent", 3))
    tracker:apply(status("sent", 4))
    assert.same({ delivered = false, sent = 3 }, tracker:get("m").timestamps)
  end)

  it("stores other fields of the statuses", function()
    local tracker = waba.status_tracker()
    tracker:apply(status("delivered", 2, { conversation = { id = "c" }, pricing = { billable = true }, recipient = "1" }))
    tracker:apply(status("sent", 1, { conversation = { id = "c", expiration_timestamp = 9 } }))
    tracker:apply(status("failed", 3, { errors = { errors.new { kind = "window", message = "x", code = 470 } } }))
    local state = tracker:get "m"
    assert.same({ id = "c", expiration_timestamp = 9 }, state.conversation)
    assert.is_true(state.pricing.billable)
    assert.equal("1", state.recipient)
    assert.equal(470, state.errors[1].code)
  end)

  it("prefers the field of the highest status, then the earliest, then the smallest", function()
    for index, row in ipairs {
      { status("sent", 1, { recipient = "a" }), status("read", 9, { recipient = "b" }), "b" },
      { status("read", 9, { recipient = "a" }), status("read", 3, { recipient = "b" }), "b" },
      { status("read", nil, { recipient = "a" }), status("read", 3, { recipient = "b" }), "b" },
      { status("read", 3, { recipient = "b" }), status("read", 3, { recipient = "a" }), "a" },
      { status("warning", 1, { recipient = "a" }), status("sending", 9, { recipient = "b" }), "b" },
      { status("failed", 9, { recipient = "b" }), status("deleted", 1, { recipient = "a" }), "b" },
    } do
      for _, order in ipairs { { 1, 2 }, { 2, 1 }, { 1, 2, 1, 2 } } do
        local tracker = waba.status_tracker()
        for _, which in ipairs(order) do tracker:apply(row[which]) end
        assert.equal(row[3], tracker:get("m").recipient, index)
      end
    end
  end)

  it("keeps the end of a conversation, whatever comes later", function()
    for _, later in ipairs { { id = "d" }, "odd" } do
      for _, order in ipairs { { 1, 2 }, { 2, 1 } } do
        local events = { status("sent", 1, { conversation = { id = "c", expiration_timestamp = 9 } }),
          status("failed", 2, { conversation = later }) }
        local tracker = waba.status_tracker()
        for _, which in ipairs(order) do tracker:apply(events[which]) end
        assert.same({ id = "c", expiration_timestamp = 9 }, tracker:get("m").conversation)
      end
    end
    local tracker = waba.status_tracker()
    tracker:apply(status("sent", 1, { conversation = "a" }))
    tracker:apply(status("read", 1, { conversation = "b" }))
    assert.equal("b", tracker:get("m").conversation)
  end)

  it("passes each status of a message to its watchers", function()
    local tracker, seen = waba.status_tracker(), {}
    for index = 1, 2 do tracker:watch(function(event) seen[#seen + 1] = index .. event.status end) end
    tracker:apply(status("sent", 1))
    tracker:apply(status("sent", 1))
    tracker:apply(status("sent", 1, { type = "payment" }))
    assert.same({ "1sent", "2sent", "1sent", "2sent" }, seen)
  end)

  it("ignores statuses without a rank", function()
    local tracker = waba.status_tracker()
    local state, changed = tracker:apply(status("warning", 1))
    assert.is_nil(state.status)
    assert.is_false(changed)
    tracker:apply(status("sent", 1))
    tracker:apply(status("captured", 2))
    assert.equal("sent", tracker:status "m")
  end)

  it("ignores other events", function()
    local tracker = waba.status_tracker()
    assert.is_nil((tracker:apply { kind = "message", id = "m" }))
    for _, event in ipairs { { kind = "status", status = "sent" }, { kind = "status", id = "m" }, { kind = "message", id = "m" } } do
      local state, changed = tracker:apply(event)
      assert.is_nil(state)
      assert.is_false(changed)
    end
    assert.is_nil(tracker:get "m")
    assert.is_nil(tracker:status "m")
  end)

  it("removes the oldest messages beyond its size", function()
    local tracker = waba.status_tracker { max = 2 }
    for _, id in ipairs { "a", "b", "a", "c" } do tracker:apply(status("sent", 1, { id = id })) end
    assert.is_nil(tracker:get "a")
    assert.equal("sent", tracker:status "b")
    tracker:forget "b"
    tracker:apply(status("sent", 1, { id = "d" }))
    assert.equal("sent", tracker:status "c")
    assert.equal("sent", tracker:status "d")
  end)

  it("refuses an invalid size", function()
    assert.has_error(function() waba.status_tracker { max = 0 } end,
      "waba.status_tracker: option max must be integer of at least 1, not 0")
  end)

  it("records the status played", function()
    local tracker = waba.status_tracker()
    tracker:apply(status("played", 4))
    tracker:apply(status("read", 3))
    assert.equal("played", tracker:status "m")
  end)

  it("has the same result for any order and any repetition", function()
    local state = 20240412
    local function random(n)
      state = (state * 1103515245 + 12345) % 2147483648
      return math.floor(state / 65536) % n + 1
    end
    local WORDS = { "sending", "sent", "delivered", "read", "failed", "deleted", "warning", "played", "unheard" }
    local function news()
      local event = status(WORDS[random(#WORDS)], random(4) > 1 and random(3) or nil)
      if random(2) == 1 then event.recipient = tostring(random(2)) end
      if random(2) == 1 then
        event.conversation = { id = tostring(random(2)), expiration_timestamp = random(2) == 1 and random(2) or nil }
      end
      if random(2) == 1 then event.pricing = { billable = random(2) == 1 } end
      if random(3) == 1 then
        event.errors = { errors.new { kind = "api", message = "x", code = random(3) } }
      end
      return event
    end
    for _ = 1, 300 do
      local set, wanted = {}, nil
      for index = 1, random(7) do set[index] = news() end
      for _ = 1, 8 do
        local order = {}
        for index, event in ipairs(set) do order[index] = event end
        for _ = 1, random(6) - 1 do order[#order + 1] = set[random(#set)] end
        for index = #order, 2, -1 do
          local other = random(index)
          order[index], order[other] = order[other], order[index]
        end
        local tracker = waba.status_tracker()
        for _, event in ipairs(order) do tracker:apply(event) end
        wanted = wanted or tracker:get "m"
        assert.same(wanted, tracker:get "m")
      end
    end
  end)
end)
