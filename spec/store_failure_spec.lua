-- One call of a store fails: the methods of inboxes, outboxes and receivers return the store's error, and lose or
-- repeat nothing. A test runs once for each call of the store; in each run another call fails.

local errors = require "waba.errors"
local opt_outs = require "waba.webhook.opt_outs"
local process = require "spec.support.process"
local scripted_transport = require "spec.support.scripted_transport"
local waba = require "waba"
local webhooks = require "spec.support.webhooks"

local TO, OTHER, NUMBER = "491511234567", "491517654321", webhooks.place.number
local OFFER = waba.template { name = "offer", language = "en" }
local CLOSED_PORT = 1

local FAILING = {
  "put", "take", "settle", "depth", "oldest", "list", "find", "hasten", "revive", "drop", "get", "get_all", "record_names",
}

local function enter(state, ...)
  state.is_inside = true
  return ...
end

local function leave(state, ...)
  state.is_inside = false
  return ...
end

-- Makes the n-th call of the store fail. Returns a table with the number of calls and the error.
local function fail_at(store, number)
  local state = { calls = 0 }
  for _, name in ipairs(FAILING) do
    local real = store[name]
    store[name] = function(...)
      if state.is_inside then return real(...) end -- a call that the store makes itself does not count
      state.calls = state.calls + 1
      if state.calls ~= number then return leave(state, real(enter(state, ...))) end
      state.err = errors.new { kind = "unavailable", message = name .. " failed" }
      return nil, state.err
    end
  end
  return state
end

-- Calls `act` several times: in each run another call of the store fails, in the last run none. `prepare` returns a new
-- store and the argument of `act`; `check` gets the store's error and the results of `act`.
local function each_failure(prepare, act, check)
  local number = 0
  repeat
    number = number + 1
    assert(number < 100)
    local store, subject = prepare()
    local state = fail_at(store, number)
    local result, err = act(subject)
    state.is_inside = true -- calls of `check` do not fail
    check(state.err, result, err, subject)
  until not state.err
  return number - 1
end

local function returns_error(failure, result, err)
  if not failure then return end
  assert.is_nil(result)
  assert.equal(failure, err)
end

local function text(id, from)
  return ('{"from":"%s","id":"%s","timestamp":"%d","type":"text","text":{"body":"x"}}'):format(from, id, os.time())
end

local function webhook(...) return { method = "POST", headers = {}, body = webhooks.cloud { messages = { ... } } } end

describe("with a store that fails, the receiver's", function()
  -- Returns a store with the messages of two customers. One of the customers has stopped marketing messages.
  local function prepare()
    local inbox = waba.inbox.memory { retry = { base = 0 } }
    local receiver = waba.receiver { open = true, inbox = inbox, on = { text = function(event) event.state.seen = true end } }
    assert.equal(200, receiver:handle(webhook(text("m1", TO), text("m2", OTHER))))
    assert(receiver:suppress(OTHER))
    return inbox.store, { receiver = receiver, inbox = inbox }
  end

  -- Like `prepare`, but both messages were taken.
  local function prepare_taken()
    local store, subject = prepare()
    subject.events = assert(subject.inbox:take(2))
    return store, subject
  end

  -- Like `prepare`, but both messages are dead letters.
  local function prepare_dead()
    local store, subject = prepare_taken()
    for _, event in ipairs(subject.events) do assert(subject.inbox:fail(event, "no use", true) == false) end
    return store, subject
  end

  -- Returns a store with a status that reports a closed window. The status arrived before `expect` was called.
  local function prepare_unsent()
    local inbox = waba.inbox.memory()
    local client = { send = function() return { id = "x" } end, mark_read = function() end }
    local receiver = waba.receiver { open = true, inbox = inbox, client = client }
    assert.equal(200, receiver:handle { method = "POST", headers = {}, body = webhooks.cloud { statuses =
      ('{"id":"wamid.1","status":"failed","timestamp":"1","recipient_id":"%s","errors":[{"code":131047,"title":"t"}]}')
      :format(TO) } })
    assert.equal(1, (receiver:work()))
    return inbox.store, { receiver = receiver, inbox = inbox }
  end

  local CASES = {
    { "window", function(s) return s.receiver:window(TO) end },
    { "window of a number", function(s) return s.receiver:window(TO, NUMBER) end },
    { "expect", function(s) return s.receiver:expect("wamid.1", TO, OFFER) end },
    { "expect after the status", function(s) return s.receiver:expect("wamid.1", TO, OFFER) end, prepare_unsent },
    { "suppress", function(s) return s.receiver:suppress(TO) end },
    { "suppress of a number", function(s) return s.receiver:suppress(TO, NUMBER) end },
    { "unsuppress", function(s) return s.receiver:unsuppress(OTHER) end },
    { "suppressed", function(s) return s.receiver:suppressed(TO, NUMBER) end },
    { "list of suppressions", function(s) return opt_outs.list(s.inbox) end },
    { "take", function(s) return s.inbox:take(2) end },
    { "exchange", function(s) return s.inbox:exchange(s.events, 2) end, prepare_taken },
    { "ack", function(s) return s.inbox:ack(s.events[1]) end, prepare_taken },
    { "extend", function(s) return s.inbox:extend(s.events[1], 60) end, prepare_taken },
    { "fail", function(s) return s.inbox:fail(s.events[1], "again") end, prepare_taken },
    { "release", function(s) return s.inbox:release(s.events[1]) end, prepare_taken },
    { "depth", function(s) return s.inbox:depth() end },
    { "oldest", function(s) return s.inbox:oldest() end },
    { "list", function(s) return s.inbox:list() end },
    { "drop", function(s) return s.inbox:drop {} end },
    { "set_aside", function(s) return s.inbox:set_aside() end, prepare_dead },
    { "revive", function(s) return s.inbox:revive() end, prepare_dead },
  }

  for _, case in ipairs(CASES) do
    it(case[1] .. " returns the error", function()
      assert.is_true(each_failure(case[3] or prepare, case[2], returns_error) > 0)
    end)
  end

  it("response to a webhook is 503, and 200 for its repetition", function()
    each_failure(prepare, function(s) return s.receiver:handle(webhook(text("m3", TO))) end, function(failure, status, _, s)
      if not failure then return assert.equal(200, status) end
      if status == 200 then return end -- the event is stored, although the list of numbers can't be read
      assert.equal(503, status)
      assert.equal(200, s.receiver:handle(webhook(text("m3", TO))))
      assert.equal(3, s.inbox:depth())
    end)
  end)

  it("work handles every event later", function()
    each_failure(prepare, function(s) return s.receiver:work() end, function(failure, handled, failed, s)
      if failure and handled == nil then assert.equal(failure, failed) end
      for _ = 1, 3 do s.receiver:work() end
      local seen = 0
      for _, customer in ipairs { TO, OTHER } do
        seen = seen + (s.inbox:get(("%s/%s:state"):format(webhooks.place.phone_number_id, customer)) and 1 or 0)
      end
      local waiting = assert(s.inbox:depth())
      assert.equal(2, seen + waiting)
    end)
  end)
end)

describe("with a store that fails, the outbox's", function()
  -- Returns the store of an outbox with two entries; a status for the first entry has arrived.
  local function prepare()
    local outbox = waba.outbox.memory { hosting = "cloud", retry = { base = 0 } }
    local ids = assert(outbox:put { { to = TO, message = waba.text "1", key = "k" }, { to = OTHER, message = waba.text "2" } })
    return outbox.store, { outbox = outbox, ids = ids }
  end

  -- Like `prepare`, but the first message was sent.
  local function prepare_sent()
    local store, subject = prepare()
    local client = scripted_transport.cloud_client { { body = '{"messages":[{"id":"wamid.1"}]}' } }
    assert.equal(1, (waba.sender { outbox = subject.outbox, client = client }:work { concurrency = 1, batch = 1,
      stop = function() return store:depth() < 2 end }))
    return store, subject
  end

  local function status(id)
    return { kind = "status", hosting = "cloud", status = "read", id = "wamid.1", outbox_id = id, timestamp = 1 }
  end

  local CASES = {
    { "put", function(s) return s.outbox:put { to = TO, message = waba.text "3" } end },
    { "get", function(s) return s.outbox:get(s.ids[1]) end },
    { "get of a sent message", function(s) return s.outbox:get(s.ids[1]) end, prepare_sent },
    { "cancel", function(s) return s.outbox:cancel(s.ids[1]) end },
    { "apply", function(s) return s.outbox:apply(status(s.ids[1])) end, prepare_sent },
    { "apply without an id", function(s)
      return s.outbox:apply { kind = "status", hosting = "on_premise", status = "read", id = "gBEG1" }
    end },
    { "campaign", function(s) return s.outbox:campaign "May" end },
    { "depth", function(s) return s.outbox:depth() end },
    { "oldest", function(s) return s.outbox:oldest() end },
  }

  for _, case in ipairs(CASES) do
    it(case[1] .. " returns the error", function()
      assert.is_true(each_failure(case[3] or prepare, case[2], returns_error) > 0)
    end)
  end

  it("sender sends every message once, and stores or settles its result later", function()
    local function prepare_sender()
      local store, subject = prepare()
      local responses = {}
      for number = 1, 9 do responses[number] = { body = ('{"messages":[{"id":"wamid.%d"}]}'):format(number) } end
      local client
      client, subject.transport = scripted_transport.cloud_client(responses)
      subject.sender = waba.sender { outbox = subject.outbox, client = client, settle = 0 }
      return store, subject
    end
    each_failure(prepare_sender, function(s) return s.sender:work() end, function(failure, sent, err, s)
      if failure and sent == nil then assert.equal(failure, err) end
      for _ = 1, 9 do s.sender:work() end
      assert.equal(2, #s.transport.requests, failure and failure.message)
      assert.equal(0, s.outbox:depth())
      for _, id in ipairs(s.ids) do
        local state = s.outbox:get(id).state
        assert.is_true(state == "sent" or failure and state == "uncertain", state)
      end
    end)
  end)
end)

describe("a store that can't be reached", function()
  local ROW = { id = "1", state = "waiting", queue = "q", attempts = 1, at = 1, body = "b" }
  local DEAD = { id = "1", state = "dead", attempts = 1, at = 1, body = "b" }
  local CALLS = {
    { "put", { { body = "b" } } }, { "take", 1, 60 }, { "settle", {}, { { name = "r", value = "v" } } }, { "depth" },
    { "oldest" }, { "list", false, 5 }, { "list", true, 5 }, { "find", "x" }, { "hasten", "x" }, { "revive", { DEAD } },
    { "drop", { ROW } }, { "drop", { DEAD } }, { "get", "r" }, { "get_all", { "r" } }, { "record_names", "r", 5 },
  }
  local SETTINGS = { attempts = 3, remember = 100, lanes = { "" }, title = "the store", name = "a store" }
  local OWN = {
    redis = function() return { prefix = "{x}", host = "127.0.0.1", port = CLOSED_PORT, timeout = 5 } end,
    sqlite = function(folder)
      process.run("mkdir " .. process.quote(folder:file "removed"))
      return { file = folder:file "removed/x.db", busy_timeout = 0.1, sync = false }
    end,
  }

  for _, backend in ipairs { "sqlite", "redis" } do
    it("returns an error for every call: " .. backend, function()
      local folder = process.folder()
      local settings = OWN[backend](folder)
      for name, value in pairs(SETTINGS) do settings[name] = value end
      local store = require("waba.store." .. backend).new(settings)
      process.run("rm -rf " .. process.quote(folder:file "removed"))
      for _, call in ipairs(CALLS) do
        local result, err = store[call[1]](store, call[2], call[3])
        assert.is_nil(result, call[1])
        assert.equal("unavailable", err.kind)
        assert.is_true(err.retryable)
      end
      assert.is_nil((store:next_due()))
      store:close()
      folder:remove()
    end)
  end
end)
