-- How many calls of the store a receiver or a sender makes for many events. Each limit is several times the number of
-- calls on an idle machine, and far below one call for each event.

local scripted_transport = require "spec.support.scripted_transport"
local waba = require "waba"

local EVENTS = 240

local function message(id, from)
  return { kind = "message", hosting = "on_premise", id = id, from = from or id, type = "text", raw = {} }
end

-- Counts the calls of these methods, except calls from inside of a counted call.
local function counted(object, ...)
  local counts, is_inside = { all = 0 }, false
  local function leave(...)
    is_inside = false
    return ...
  end
  for _, name in ipairs { ... } do
    local real = object[name]
    counts[name] = 0
    object[name] = function(...)
      if is_inside then return real(...) end
      is_inside, counts[name], counts.all = true, counts[name] + 1, counts.all + 1
      return leave(real(...))
    end
  end
  return counts
end

local function inbox_of(count)
  local inbox, list = waba.inbox.memory(), {}
  for number = 1, count do list[number] = message("m" .. number) end
  inbox:put(list)
  return inbox
end

describe("the work of a receiver", function()
  it("takes and acknowledges several events in one call if its handlers are quick", function()
    for _, concurrency in ipairs { 1, 4 } do
      local inbox = inbox_of(EVENTS)
      local calls = counted(inbox.store, "take", "settle", "put")
      local receiver = waba.receiver { open = false, inbox = inbox, on = {} }
      assert.equal(EVENTS, (receiver:work { batch = 16, concurrency = concurrency }))
      assert.is_true(calls.take < EVENTS / 3, calls.take)
      -- with one handler at a time each result is stored at once
      if concurrency > 1 then assert.is_true(calls.settle < EVENTS / 3, calls.settle) end
    end
  end)

  it("takes no more events than the option batch", function()
    local inbox, most = inbox_of(40), 0
    local take = inbox.store.take
    function inbox.store.take(store, n, ...)
      most = math.max(most, n)
      return take(store, n, ...)
    end
    assert.equal(40, (waba.receiver { open = false, inbox = inbox, on = {} }:work { batch = 5 }))
    assert.equal(5, most)
  end)

  it("takes one event for each free handler while its handlers are slow", function()
    local inbox, sizes = inbox_of(4), {}
    local take = inbox.store.take
    function inbox.store.take(store, n, ...)
      sizes[#sizes + 1] = n
      return take(store, n, ...)
    end
    local receiver = waba.receiver { open = false, inbox = inbox, on = { text = function() waba.sleep(0.07) end } }
    assert.equal(4, (receiver:work { batch = 16 }))
    for _, n in ipairs(sizes) do assert.equal(1, n) end
  end)

  it("does not take events repeatedly while a handler runs", function()
    for _, options in ipairs { { concurrency = 1 }, { concurrency = 2 }, { concurrency = 2, forever = true } } do
      local inbox, checks, is_over = inbox_of(2), 0, false
      local receiver = waba.receiver { open = false, inbox = inbox, on = { text = function(event)
        if event.id == "m2" then return end
        waba.sleep(0.4)
        is_over = true
      end } }
      options.stop = function()
        checks = checks + 1
        return is_over and inbox:depth() == 0
      end
      waba.run(function() assert.equal(2, (receiver:work(options))) end)
      assert.is_true(checks < 100, checks)
    end
  end)

  it("does not read an empty inbox without pauses", function()
    local inbox = waba.inbox.memory()
    local calls = counted(inbox.store, "take", "settle", "next_due")
    local receiver, stops = waba.receiver { open = false, inbox = inbox, on = {} }, 0
    assert.same({ 0, 0 }, { receiver:work() })
    assert.is_true(calls.all <= 3, calls.all)
    receiver:work { forever = true, interval = 0.02, stop = function()
      stops = stops + 1
      return stops > 20
    end }
    assert.is_true(calls.take <= 25, calls.take)
    assert.equal(0, calls.settle)
  end)
end)

describe("the work of a sender", function()
  it("stores several results in one call, and takes the next entries with it", function()
    for _, concurrency in ipairs { 1, 16 } do
      local outbox, list, responses = waba.outbox.memory { hosting = "cloud" }, {}, {}
      for number = 1, EVENTS do
        list[number] = { to = "4915112" .. 100000 + number, message = waba.text "Hi" }
        responses[number] = { body = ('{"messages":[{"id":"wamid.%d"}]}'):format(number) }
      end
      local ids = assert(outbox:put(list))
      local calls = counted(outbox.store, "take", "settle")
      local client = scripted_transport.cloud_client(responses)
      local sender = waba.sender { outbox = outbox, client = client }
      assert.equal(EVENTS, (sender:work { concurrency = concurrency }))
      for _, id in ipairs(ids) do assert.equal("sent", outbox:get(id).state) end
      assert.is_true(calls.all < (concurrency == 1 and 3 * EVENTS or EVENTS), calls.all)
    end
  end)
end)
