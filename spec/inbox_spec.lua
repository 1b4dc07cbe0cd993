-- Tests the contract of inboxes (lua/waba/inbox/contract.lua) with every backend.

local core = require "waba.core"
local errors = require "waba.errors"
local events = require("waba.hosting.events")
local inbox = require "waba.inbox"
local names = require "waba.store.names"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local redis = require "spec.support.redis"
local runners = require "spec.support.runners"
local sqlite = require "spec.support.sqlite"
local waba = require "waba"

local function message(id, from, more)
  local event = { kind = "message", hosting = "on_premise", id = id, from = from, type = "text", raw = { id = id } }
  for name, value in pairs(more or {}) do event[name] = value end
  return event
end

local function status(id, word, recipient)
  return { kind = "status", hosting = "on_premise", id = id, status = word, recipient = recipient, raw = {} }
end

local function ids(list)
  local found = {}
  for index, event in ipairs(list) do found[index] = event.id or event.kind end
  return found
end

-- Calls `take` until it returns at least one event.
local function take_soon(box, n, lease)
  return process.wait_for(function()
    local taken = assert(box:take(n, lease))
    return #taken > 0 and taken
  end, "an event that can be taken")
end

-- For each backend, a function that returns two functions: open(name, options) opens an inbox, and the other one
-- removes all inboxes. In SQLite and Redis, inboxes with the same name use the same store.
local backends = {
  memory = function()
    return function(_, options) return inbox.memory(options) end, function() end
  end,
  sqlite = function()
    local folder = process.folder()
    return function(name, options)
      local merged = { file = folder:file(name .. ".db"), sync = false }
      for key, value in pairs(options or {}) do merged[key] = value end
      return inbox.sqlite(merged)
    end, function() folder:remove() end
  end,
  redis = function()
    local server = redis.start()
    return function(name, options)
      local merged = { port = server.port, prefix = "{" .. name .. "}" }
      for key, value in pairs(options or {}) do merged[key] = value end
      return inbox.redis(merged)
    end, function() server:stop() end
  end,
}

for _, backend in ipairs { "memory", "sqlite", "redis" } do
  describe("the inbox in " .. backend, function()
    local open, close, count
    local opened = {}

    setup(function()
      count = 0
      open, close = backends[backend]()
    end)

    teardown(function() close() end)

    after_each(function()
      for _, box in ipairs(opened) do box:close() end
      opened = {}
    end)

    -- Returns a new inbox, or opens the inbox that has this name.
    local function new(options, name)
      count = count + 1
      local box = open(name or ("box" .. count), options)
      opened[#opened + 1] = box
      return box
    end

    it("returns the events that were stored", function()
      local box = new()
      assert.equal(2, box:put { message("a", "1"), status("a", "read", "2") })
      assert.equal(2, box:depth())
      local taken = box:take(10)
      assert.same({ "a", "a" }, ids(taken))
      assert.equal("message", taken[1].kind)
      assert.equal("read", taken[2].status)
      assert.is_true(box:ack(taken[1]))
      assert.is_true(box:ack(taken[2]))
      assert.equal(0, box:depth())
      assert.same({}, box:take(10))
    end)

    it("returns one event by default", function()
      local box = new()
      box:put { message("a", "1"), message("b", "2") }
      assert.same({ "a" }, ids(box:take()))
    end)

    it("returns events unchanged, with their error objects", function()
      local box = new()
      local body = [=[{"contacts":[{"profile":{"name":"Eva \u0000 'x' \ud83d\ude42"},"wa_id":"1"}],"messages":[]=]
        .. [=[{"from":"1","id":"m","timestamp":"1712044800","type":"button","button":{"text":"t","payload":null}},]=]
        .. [=[{"from":"2","id":"n","type":"location","location":{"latitude":52.5163,"longitude":0},"x":[[1],{}]}],]=]
        .. [=["statuses":[{"id":"s","status":"failed","recipient_id":"3","errors":[{"code":470,"title":"t"}]}],]=]
        .. [=["errors":[{"code":1014,"title":"t"}]}]=]
      local list = events.read(body)
      assert.equal(4, box:put(list))
      local taken = box:take(10)
      assert.same(events.read(body), taken)
      assert.equal(core.null, taken[1].raw.button.payload)
      assert.is_true(errors.is_error(taken[3].errors[1]))
      assert.equal("window", taken[3].errors[1].kind)
      assert.is_true(errors.is_error(taken[4].error))
    end)

    it("stores text that is not UTF-8 and text that is nested too deep for JSON", function()
      local box = new()
      local deep = {}
      for _ = 1, 300 do deep = { deep, "x" } end
      local odd = message("\255\0'", "\254\0\"", { text = "\200\0", raw = { deep = deep, n = 0.1, t = true, z = core.null } })
      assert.equal(1, box:put { odd })
      assert.equal(0, box:put { odd })
      local taken = box:take()
      assert.same(odd, taken[1])
      assert.is_true(box:ack(taken[1]))
    end)

    it("ignores duplicates: messages by id, statuses by id and status", function()
      local box = new()
      assert.equal(3, box:put { message("a", "1"), message("a", "1"), status("a", "sent", "1"), status("a", "read", "1"),
        status("a", "sent", "1") })
      assert.equal(0, box:put { message("a", "1"), status("a", "read", "1") })
      for _ = 1, 3 do assert(box:ack(box:take()[1])) end
      assert.equal(0, box:put { message("a", "1") })
      assert.equal(0, box:depth())
    end)

    it("ignores duplicates of Cloud hosting: statuses by the member of a group, account events by content and time", function()
      local box = new()
      local function read(part)
        return events.read('{"object":"whatsapp_business_account","entry":[{"id":"1","time":1767225600,"changes":[' .. part .. "]}]}")
      end
      local function group(member)
        return '{"field":"messages","value":{"statuses":[{"id":"s","status":"read","recipient_id":"G","recipient_type":"group",'
          .. '"recipient_participant_id":"' .. member .. '"}]}}'
      end
      assert.equal(2, box:put(read(group "1" .. "," .. group "2" .. "," .. group "1")))
      assert.equal(0, box:put(read(group "2")))
      local flow = '{"field":"flows","value":{"event":"FLOW_STATUS_CHANGE","flow_id":"%s"}}'
      assert.equal(2, box:put(read(flow:format "7" .. "," .. flow:format "8" .. "," .. flow:format "7")))
      assert.equal(0, box:put(read('{"value":{"flow_id":"8","event":"FLOW_STATUS_CHANGE"},"field":"flows"}')))
      local later = read(flow:format "7")
      later[1].timestamp = later[1].timestamp + 1
      assert.equal(1, box:put(later))
      local echo = read '{"field":"smb_message_echoes","value":{"message_echoes":[{"id":"e","timestamp":"1"}]}}'
      echo[1].timestamp = nil
      assert.equal(1, box:put(echo))
      assert.equal(0, box:put(echo))
      assert.equal(0, box:put(read '{"field":"message_echoes","value":{"message_echoes":[{"id":"e"}]}}'))
      assert.equal(1, box:put(read '{"field":"standby","value":{"messages":[{"id":"e"}]}}'))
      local preference = '{"field":"user_preferences","value":{"user_preferences":[{"wa_id":"1","category":"c","value":"%s",'
        .. '"timestamp":%d}]}}'
      assert.equal(1, box:put(read(preference:format("stop", 1))))
      assert.equal(0, box:put(read(preference:format("stop", 1))))
      assert.equal(2, box:put(read(preference:format("resume", 1) .. "," .. preference:format("stop", 2))))
      local handover = '{"field":"messaging_handovers","value":{"type":"%s","timestamp":"1","sender":{"wa_id":"1"}}}'
      assert.equal(2, box:put(read(handover:format "control_passed" .. "," .. handover:format "control_taken")))
      assert.equal(0, box:put(read(handover:format "control_taken")))
    end)

    it("stores events that differ in any field of their identity", function()
      local box = new()
      local function copy(event, name, value)
        local made = { raw = {} }
        for key, old in pairs(event) do made[key] = old end
        if name then made[name] = value end
        return made
      end
      local IDENTITIES = {
        { { kind = "preference", hosting = "cloud", category = "c", value = "stop", timestamp = 1, from = "1",
          from_user_id = "DE.1", phone_number_id = "5" },
          { category = "d", value = "resume", timestamp = 2, from = "2", from_user_id = "DE.2", phone_number_id = "6" } },
        { { kind = "handover", hosting = "cloud", type = "t", owner = "o", timestamp = 1, number = "49" },
          { type = "u", owner = "p", timestamp = 2, number = "50" } },
        { { kind = "account", hosting = "cloud", field = "f", value = { a = 1 }, timestamp = 1, number = "49", waba_id = "1" },
          { field = "g", value = { a = 2 }, timestamp = 2, number = "50", waba_id = "2" } },
        { { kind = "status", hosting = "cloud", id = "s", status = "sent", participant = "1", number = "49" },
          { id = "t", status = "read", participant = "2", number = "50" } },
        { { kind = "status", hosting = "cloud", id = "s", status = "sent", participant_user_id = "DE.1" },
          { participant_user_id = "DE.2", participant = "3", raw = { type = "payment" } } },
        { { kind = "status", hosting = "cloud", id = "s", status = "sent", recipient = "4" },
          { recipient = "5", raw = { type = "call" } } },
        { { kind = "message", hosting = "cloud", id = "m", number = "49" }, { id = "n", number = "50" } },
      }
      for _, row in ipairs(IDENTITIES) do
        assert.equal(1, box:put { copy(row[1]) })
        assert.equal(0, box:put { copy(row[1]) })
        for name, value in pairs(row[2]) do
          assert.equal(1, box:put { copy(row[1], name, value) }, row[1].kind .. " " .. name)
          assert.equal(0, box:put { copy(row[1], name, value) }, row[1].kind .. " " .. name)
        end
      end
    end)

    it("keeps the order of the events of a customer without a number, and of a group", function()
      local box = new()
      local function cloud(id, more)
        more.hosting = "cloud"
        return message(id, nil, more)
      end
      box:put {
        cloud("a1", { from_user_id = "DE.1", contact = { user_id = "DE.1" } }), cloud("a2", { from_user_id = "DE.1" }),
        cloud("g1", { from = "5", group_id = "G" }), cloud("g2", { from = "6", group_id = "G" }), cloud("b1", { from = "5" }),
      }
      local taken = box:take(10)
      assert.same({ "a1", "g1", "b1" }, ids(taken))
      assert(box:ack(taken))
      assert.same({ "a2", "g2" }, ids(box:take(10)))
    end)

    describe("for a customer with a phone number and a user id", function()
      local PHONE, USER, NEW = "49151", "DE.1", "49152"

      -- Returns a message of Cloud hosting with some of the customer's ids.
      local function from(id, phone, user)
        return message(id, phone, { hosting = "cloud", from_user_id = user, contact = { wa_id = phone, user_id = user } })
      end

      local function status_to(id, phone, user)
        local event = status(id, "sent", phone)
        event.hosting, event.recipient_user_id = "cloud", user
        return event
      end

      -- Stores the events in one call, and then again with one call for each event. Asserts that `take` returns the
      -- events one at a time in the order of the list.
      local function assert_one_conversation(list, box)
        local order = ids(list)
        for _, together in ipairs { false, true } do
          local own = box or new()
          if together and not box then
            assert.equal(#list, own:put(list))
          else
            for _, event in ipairs(list) do assert.equal(1, own:put { event }) end
          end
          for _, name in ipairs(order) do
            local taken = own:take(10)
            assert.same({ name }, ids(taken))
            assert.same({}, own:take(10))
            assert.is_true(own:ack(taken[1]))
          end
          assert.equal(0, own:depth())
          if box then return end
        end
      end

      it("keeps one conversation, in every order of the ids", function()
        assert_one_conversation { from("a", PHONE, USER), from("b", nil, USER), from("c", PHONE) }
        assert_one_conversation { from("a", PHONE), from("b", PHONE, USER), from("c", nil, USER) }
        assert_one_conversation { from("a", nil, USER), from("b", PHONE, USER), from("c", PHONE) }
        assert_one_conversation { from("a", PHONE), from("b", nil, USER), from("c", PHONE, USER), from("d", nil, USER) }
        -- Events a, b and c arrive before d links their ids.
        assert_one_conversation { from("a", PHONE), from("b", nil, USER), from("c", PHONE), from("d", PHONE, USER) }
        assert_one_conversation { from("a", nil, USER), from("b", PHONE), from("c", nil, USER), from("d", PHONE, USER) }
      end)

      it("keeps one conversation after a change of number and user id", function()
        local changed = from("b", PHONE, USER)
        changed.type, changed.system = "system", { type = "user_changed_number", new_wa_id = NEW }
        assert_one_conversation { from("a", PHONE, USER), changed, from("c", NEW), from("d", NEW, "DE.2"), from("e", nil, "DE.2") }
        changed = from("b", nil, USER)
        changed.type, changed.system = "system", { type = "user_changed_user_id", user_id = "DE.3" }
        assert_one_conversation { from("a", PHONE, USER), changed, from("c", nil, "DE.3"), from("d", PHONE) }
      end)

      it("keeps one conversation of its statuses", function()
        local box = new()
        box.separate_statuses = true
        assert_one_conversation({ status_to("a", PHONE, USER), status_to("b", nil, USER), status_to("c", PHONE) }, box)
        box:put { status_to("d", PHONE), status_to("e", nil, USER), from("f", nil, USER), from("g", PHONE) }
        assert.same({ "d", "f" }, ids(box:take(10)))
      end)

      it("returns new events only after a running one of the same customer with another id", function()
        local box = new()
        box:put { from("a", nil, USER) }
        local first = box:take(10)
        box:put { from("b", PHONE), from("c", PHONE, USER), from("d", PHONE) }
        assert.same({}, box:take(10))
        assert.is_true(box:ack(first))
        for _, id in ipairs { "b", "c", "d" } do
          local taken = box:take(10)
          assert.same({ id }, ids(taken))
          assert.is_true(box:ack(taken))
        end
      end)

      it("ends events of two ids that were taken before the ids were linked", function()
        local box = new { retry = { base = 0.001, attempts = 2 } }
        box:put { from("a", nil, USER), from("b", PHONE), from("a2", nil, USER), from("b2", PHONE) }
        local taken = box:take(10)
        assert.same({ "a", "b" }, ids(taken))
        box:put { from("c", PHONE, USER) }
        assert.same({}, box:take(10))
        assert.is_true(box:ack(taken[1]))
        assert.is_number(box:fail(taken[2], "not yet"))
        local rest = {}
        while box:depth() > 0 do
          local again = take_soon(box, 10)
          for _, event in ipairs(again) do rest[#rest + 1] = event.id end
          assert.is_true(box:ack(again))
        end
        table.sort(rest)
        assert.same({ "a2", "b", "b2", "c" }, rest)
      end)

      it("appends dead letters that are retried to their current conversation", function()
        local box = new { retry = { attempts = 1 } }
        box:put { from("a", nil, USER) }
        box:fail(box:take()[1], "no")
        box:put { from("b", PHONE, USER) }
        assert.equal(1, box:revive())
        local taken = box:take(10)
        assert.same({ "b" }, ids(taken))
        assert.is_true(box:ack(taken))
        assert.same({ "a" }, ids(box:take(10)))
      end)

      it("removes its ids after some time", function()
        local remember = names.REMEMBER
        names.REMEMBER = 0.05
        local box = new()
        local fine, raised = pcall(function()
          box:put { from("a", PHONE, USER) }
          assert.is_true(box:ack(box:take(1)))
        end)
        names.REMEMBER = remember
        assert(fine, raised)
        process.sleep(1.1)
        box:put { from("b", nil, USER), from("c", PHONE) }
        assert.same({ "b", "c" }, ids(box:take(10)))
      end)
    end)

    it("stores every account event without an id", function()
      local box = new()
      local news = { kind = "error", hosting = "on_premise", raw = {}, error = errors.new { kind = "api", message = "x" } }
      assert.equal(2, box:put { news, news })
      assert.equal(2, #box:take(10))
    end)

    it("accepts a known event as new after some time", function()
      local box = new { remember = 0.05 }
      assert.equal(1, box:put { message("a", "1") })
      assert(box:ack(box:take()[1]))
      process.wait_for(function() return box:put { message("a", "1") } == 1 end, "the key to be forgotten")
    end)

    it("returns one event of a customer at a time, in order", function()
      local box = new()
      box:put { message("a1", "A"), message("a2", "A"), message("b1", "B"), status("s1", "read", "A"), message("b2", "B") }
      local first = box:take(10)
      assert.same({ "a1", "b1" }, ids(first))
      assert.same({}, box:take(10))
      assert(box:ack(first[2]))
      assert.same({ "b2" }, ids(box:take(10)))
      assert(box:ack(first[1]))
      local second = box:take(10)
      assert.same({ "a2" }, ids(second))
      assert(box:ack(second[1]))
      assert.same({ "s1" }, ids(box:take(10)))
    end)

    it("returns statuses and messages of a customer independently, if so configured", function()
      local box = new { retry = { base = 60 } }
      box.separate_statuses = true
      box:put { status("s1", "sent", "A"), status("s2", "sent", "A"), message("a1", "A"), message("a2", "A") }
      local taken = box:take(10)
      assert.same({ "s1", "a1" }, ids(taken))
      assert.is_number(box:fail(taken[1], "no"))
      assert(box:ack(taken[2]))
      assert.same({ "a2" }, ids(box:take(10)))
    end)

    it("does not delay other customers after a failed event", function()
      local box = new { retry = { base = 60 } }
      box:put { message("a1", "A"), message("a2", "A"), message("b1", "B") }
      local taken = box:take(10)
      assert.is_number(box:fail(taken[1], "no"))
      assert(box:ack(taken[2]))
      assert.same({}, box:take(10))
      assert.equal(2, box:depth())
      assert.is_true(box:next_due() > 20)
    end)

    it("returns a failed event again, after a delay that grows", function()
      local box = new { retry = { base = 0.02, max = 0.05 } }
      box:put { message("a", "1") }
      local delays = {}
      for try = 1, 4 do
        local taken = take_soon(box)
        assert.equal("a", taken[1].id)
        assert.equal(try, box:attempts(taken[1]))
        delays[try] = box:fail(taken[1], "not yet")
      end
      assert.is_true(delays[1] >= 0.01 and delays[1] <= 0.02)
      assert.is_true(delays[2] >= 0.02 and delays[2] <= 0.04)
      assert.is_true(delays[4] >= 0.025 and delays[4] <= 0.05)
    end)

    it("moves an event to the dead letters after its last attempt, and returns the next one", function()
      local box = new { retry = { attempts = 2, base = 0.001 } }
      box:put { message("a1", "A"), message("a2", "A") }
      assert.is_number(box:fail(box:take()[1], "first"))
      assert.is_false(box:fail(take_soon(box)[1], "second"))
      local aside = box:set_aside()
      assert.equal(1, #aside)
      assert.equal("a1", aside[1].event.id)
      assert.equal("second", aside[1].reason)
      assert.equal(2, aside[1].attempts)
      assert.is_true(math.abs(aside[1].at - os.time()) < 60)
      assert.equal(1, box:depth())
      assert.same({ "a2" }, ids(box:take()))
    end)

    it("moves an event to the dead letters at once if another attempt is not allowed", function()
      local box = new { retry = { attempts = 5, base = 0.001 } }
      box:put { message("a1", "A"), message("a2", "A") }
      assert.is_false(box:fail(box:take()[1], "in doubt", true))
      assert.equal("in doubt", box:set_aside()[1].reason)
      assert.same({ "a2" }, ids(box:take()))
    end)

    it("retries dead letters", function()
      local box = new { retry = { attempts = 1 } }
      box:put { message("a1", "A") }
      box:fail(box:take()[1], "no")
      assert.equal(1, box:revive())
      assert.same({}, box:set_aside())
      local taken = box:take()
      assert.same({ "a1" }, ids(taken))
      assert.equal(1, box:attempts(taken[1]))
    end)

    it("returns a worker's events to others after their lease", function()
      local box = new()
      box:put { message("a", "1") }
      local slow = box:take(1, 0.02)[1]
      local quick = take_soon(box, 1, 60)[1]
      assert.equal("a", quick.id)
      assert.equal(2, box:attempts(quick))
      local ok, err = box:ack(slow)
      assert.is_nil(ok)
      assert.equal("timeout", err.kind)
      assert.is_nil((box:fail(slow, "x")))
      assert.is_nil((box:extend(slow, 1)))
      assert.is_nil((box:release(slow)))
      assert.equal(1, box:depth())
      assert.is_true(box:ack(quick))
      assert.equal(0, box:depth())
    end)

    it("ends a handled event whose lease has expired, in every state of the event", function()
      local box = new { retry = { attempts = 9, base = 0.001 } }
      -- For each state, a function that changes the event after its lease has expired and before it is acknowledged.
      for id, meanwhile in pairs {
        expired = function() process.sleep(0.02) end,
        taken = function() assert.equal(2, box:attempts(take_soon(box, 1, 60)[1])) end,
        failed = function() assert.is_number(box:fail(take_soon(box, 1, 60)[1], "no")) end,
        released = function() assert.is_true(box:release(take_soon(box, 1, 60)[1])) end,
        ["taken after a release"] = function()
          assert.is_true(box:release(take_soon(box, 1, 60)[1]))
          assert.equal(1, #take_soon(box, 1, 60))
        end,
        ["set aside"] = function() assert.is_false(box:fail(take_soon(box, 1, 60)[1], "no", true)) end,
      } do
        box:put { message(id, "1"), message(id .. " next", "1") }
        local slow = box:take(1, 0.01)[1]
        assert.equal(id, slow.id)
        meanwhile()
        local ok, err = box:ack({ slow }, true)
        if id ~= "expired" then
          assert.is_nil(ok)
          assert.equal("timeout", err.kind)
        end
        assert.same({}, box:set_aside(), id)
        assert.equal(1, box:depth(), id)
        local next_one = take_soon(box, 10, 60)
        assert.same({ id .. " next" }, ids(next_one))
        assert.same({}, box:take(10))
        assert.is_true(box:ack(next_one[1]))
        assert.equal(0, box:depth())
        -- Another late acknowledgement does not remove the next event.
        box:put { message(id .. " last", "1") }
        box:ack({ slow }, true)
        assert.equal(1, box:depth())
        assert.is_true(box:ack(take_soon(box, 10, 60)))
      end
    end)

    it("moves an event to the dead letters if every worker ends while it handles it", function()
      local box = new { retry = { attempts = 2 } }
      box:put { message("a", "1"), message("b", "1") }
      box:take(1, 0.001)
      assert.equal("a", take_soon(box, 1, 0.001)[1].id)
      assert.equal("b", take_soon(box)[1].id)
      assert.equal("a", box:set_aside()[1].event.id)
      assert.is_string(box:set_aside()[1].reason)
      assert.same({ 1, 0 }, { box:stats().dead, box:stats().failed })
    end)

    it("counts each of several joined messages", function()
      local box = new { retry = { attempts = 1 } }
      local function take_joined()
        local last = process.wait_for(function()
          local event = box:take()[1]
          return event and box:gather(event, 0.05) -- returns the event to the queue if the group is not complete
        end, "a complete group")
        assert.equal(3, #last.messages)
        return last
      end
      box:put { message("a", "1"), message("b", "1"), message("c", "1") }
      assert.is_false(box:fail(take_joined(), "no"))
      assert.same({ 3, 1, 0 }, { box:stats().dead, box:stats().failed, box:stats().handled })
      for handled, acknowledge in ipairs {
        function(last) return box:ack(last, true) end,
        function(last) return box:exchange({ last }, 1) end,
        function(last) return box:put({ message("d", "1") }, nil, { done = { last }, n = 1 }) end,
      } do
        box:put { message("a" .. handled, "2"), message("b" .. handled, "2"), message("c" .. handled, "2") }
        assert.truthy(acknowledge(take_joined()))
        assert.equal(3 * handled, box:stats().handled)
      end
    end)

    it("extends a lease", function()
      local box = new()
      box:put { message("a", "1") }
      local event = box:take(1, 0.05)[1]
      assert.is_true(box:extend(event, 60))
      process.sleep(0.1)
      assert.same({}, box:take())
      assert.is_true(box:ack(event))
    end)

    it("releases an event without counting the attempt", function()
      local box = new()
      box:put { message("a", "1"), message("b", "1") }
      assert.is_true(box:release(box:take()[1]))
      local again = box:take(10)
      assert.same({ "a" }, ids(again))
      assert.equal(1, box:attempts(again[1]))
    end)

    it("counts stored, duplicate, handled and waiting events", function()
      local box = new { retry = { attempts = 1 } }
      box:put { message("a", "1"), message("a", "1"), message("b", "2"), message("c", "3") }
      local taken = box:take(2)
      assert(box:ack(taken[1]))
      assert.is_false(box:fail(taken[2], "no"))
      local stats = box:stats()
      assert.is_true(stats.oldest >= 0 and stats.oldest < 60)
      stats.oldest = nil
      assert.same({ stored = 3, duplicate = 1, handled = 1, failed = 1, dead = 1, depth = 1 }, stats)
    end)

    it("stores, acknowledges and takes in one call", function()
      local box = new()
      assert.equal(1, box:put { message("a", "1") })
      local taken, due = box:exchange({}, 5, 30)
      assert.same({ "a" }, ids(taken))
      assert.is_true(due > 20 and due <= 30)
      local stored
      stored, taken = box:put({ message("b", "1"), message("c", "1") }, nil, { done = taken, n = 1 })
      assert.equal(2, stored)
      assert.same({ "b" }, ids(taken))
      taken, due = box:exchange(taken, 5)
      assert.same({ "c" }, ids(taken))
      assert.is_number(due)
      taken, due = box:exchange(taken, 5)
      assert.same({}, taken)
      assert.is_false(due)
      assert.equal(0, box:depth())
    end)

    it("acknowledges an event once", function()
      local box = new()
      box:put { message("a", "1"), message("b", "1") }
      local event = box:take()[1]
      assert.is_true(box:ack(event))
      assert.is_nil((box:ack(event)))
      assert.equal(1, box:depth())
    end)

    it("acknowledges several at once", function()
      local box = new()
      box:put { message("a1", "A"), message("b1", "B"), message("a2", "A"), message("c1"), message("d1", "D") }
      local taken = box:take(10)
      assert.same({ "a1", "b1", "c1", "d1" }, ids(taken))
      local last = table.remove(taken)
      assert.is_true(box:ack(taken))
      assert.is_true(box:ack {})
      assert.equal(2, box:depth())
      local ok, err = box:ack { last, taken[1] }
      assert.is_nil(ok)
      assert.equal("timeout", err.kind)
      assert.same({ "a2" }, ids(box:take(10)))
      assert.equal(1, box:depth())
    end)

    it("refuses events that it did not return", function()
      local box = new()
      assert.has_error(function() box:ack(message("a", "1")) end,
        "the event was not taken from this inbox: expected an event from inbox:take")
    end)

    it("returns the time of the next event", function()
      local box = new()
      assert.is_nil(box:next_due())
      box:put { message("a", "1"), message("b", "1") }
      assert.equal(0, box:next_due())
      local event = box:take(1, 30)[1]
      local due = box:next_due()
      assert.is_true(due > 20 and due <= 30)
      box:ack(event)
      assert.equal(0, box:next_due())
    end)

    it("stores a batch of any size, and an event of any size", function()
      local box = new()
      local many = {}
      for number = 1, 9000 do many[number] = status("s" .. number, "read", tostring(number % 5)) end
      assert.equal(9000, box:put(many))
      assert.equal(0, box:put(many))
      assert.equal(9000, box:depth())
      assert.same({ "s1", "s2", "s3", "s4", "s5" }, ids(box:take(10)))
      local text = ("x"):rep(4 * 1024 * 1024)
      assert.equal(1, box:put { message("large", "L", { text = text }) })
      assert.equal(#text, #box:take()[1].text)
    end)

    if backend ~= "memory" then
      it("makes events that can't be read dead letters, and returns the others", function()
        local UNREADABLE = { "{", '"text"', "\1", "\1{", "\1{s1:at", "\1s99:x", "\2", "\3{}", "\3{", '{"a":1}\n{"b":2}' }
        local box, entries = new(), {}
        for index, body in ipairs(UNREADABLE) do entries[index] = { body = body, names = { "c" .. index }, lane = "" } end
        assert.equal(#UNREADABLE, box.store:put(entries))
        box:put { message("a", "c1"), message("b", "c2") }
        assert.equal(#UNREADABLE + 2, #box:list(nil, 100))
        assert.same({ "a" }, ids(box:take(1)))
        local receiver = waba.receiver { open = true, inbox = box }
        assert.same({ 1, 0 }, { receiver:work() })
        assert.equal(#UNREADABLE, receiver:stats().dead)
        local dead = box:set_aside()
        assert.equal(#UNREADABLE, #dead)
        for _, one in ipairs(dead) do
          assert.is_nil(one.event)
          assert.equal("the stored event can't be read: expected one that this version of waba has written", one.reason)
        end
        assert.equal(1, box:depth())
      end)

      it("joins no event that can't be read with the event before it", function()
        local box = new()
        box:put { message("a", "1") }
        box.store:put { { body = "{", names = { "1" }, lane = "" } }
        local event = box:take()[1]
        local last = process.wait_for(function() return (box:gather(event, 0.001)) end, "a complete group")
        assert.same({ "a" }, ids(last.messages))
        assert.is_true(box:ack(last))
        assert.same({}, box:take())
        assert.equal(1, #box:set_aside())
      end)
    end

    it("remembers events for any number of seconds, and tries any number of times", function()
      local box = new { remember = 1e300, retry = { attempts = 1e300 } }
      assert.equal(1, box:put { message("a", "1") })
      assert.equal(0, box:put { message("a", "1") })
      assert.equal(1, #box:take())
    end)

    it("takes nothing for an empty list", function()
      local box = new()
      assert.equal(0, box:put {})
      assert.equal(0, box:depth())
    end)

    it("refuses a filter with an unknown field or an empty reason, and to drop without a filter", function()
      local box = new()
      box:put { message("a", "1") }
      for _, name in ipairs { "list", "retry_dead", "drop" } do
        assert.has_error(function() box[name](box, { raeson = "x" }) end,
          ("inbox:%s: unknown option raeson (did you mean reason?)"):format(name))
        assert.has_error(function() box[name](box, "x") end,
          ("inbox:%s: options must be a table, not a string"):format(name))
        assert.has_error(function() box[name](box, { reason = "" }) end,
          ("inbox:%s: option reason is empty: expected a part of the reason"):format(name))
      end
      assert.has_error(function() box:drop() end,
        "inbox:drop: the filter is missing: expected a table, which is empty to remove all waiting events")
      assert.equal(1, box:depth())
    end)

    it("names an unknown option", function()
      assert.has_error(function() new { rememver = 1 } end,
        ("waba.inbox.%s: unknown option rememver (did you mean remember?)"):format(backend))
    end)

    it("refuses invalid values of options", function()
      for _, wrong_options in ipairs {
        { retry = { attempts = 0 } }, { retry = { attempts = -1 } }, { retry = { base = -1 } },
        { retry = { max = 0 / 0 } }, { retry = { base = math.huge } }, { remember = -1 }, { remember = 0 },
      } do
        local ok, said = pcall(new, wrong_options)
        assert.is_false(ok)
        assert.truthy(tostring(said):find("must be", 1, true), said)
      end
      assert.has_error(function() new { retry = { attempts = 0 } } end,
        ("waba.inbox.%s: retry: option attempts must be integer of at least 1, not 0"):format(backend))
    end)

    it("keeps every customer's order when many events fail and are tried again", function()
      local box = new { retry = { base = 0.0005, max = 0.001, attempts = 50 } }
      local state = 7
      local function random(n)
        state = (state * 1103515245 + 12345) % 2147483648
        return math.floor(state / 65536) % n + 1
      end
      local batch = {}
      for number = 1, 300 do batch[number] = message("m" .. number, "c" .. random(9), { number = number }) end
      box:put(batch)
      local last, handled = {}, 0
      while handled < 300 do
        for _, event in ipairs(take_soon(box, random(5), 60)) do
          if random(4) == 1 then
            assert(box:fail(event, "odd"))
          else
            assert.is_true(event.number > (last[event.from] or 0))
            last[event.from] = event.number
            assert(box:ack(event))
            handled = handled + 1
          end
        end
      end
      assert.equal(0, box:depth())
    end)

    if backend ~= "memory" then
      it("divides its events among all processes that have opened it", function()
        local one, other = new(nil, "shared"), new(nil, "shared")
        one:put { message("a", "1"), message("b", "1") }
        assert.equal(0, other:put { message("a", "1") })
        local taken = other:take()
        assert.same({}, one:take())
        assert.is_true(other:ack(taken[1]))
        assert.same({ "b" }, ids(one:take()))
      end)
    end
  end)
end

describe("the inbox in memory", function()
  it("records a bounded number of customers", function()
    local box = inbox.memory()
    box.store.names.known.most = 10
    local function put(number, phone, user)
      return box:put { message("m" .. number, phone, { hosting = "cloud", from_user_id = user }) }
    end
    for number = 1, 100 do
      put(number, "49" .. number, "DE." .. number)
      box:ack(box:take(10))
    end
    put("a", nil, "DE.1")
    put("b", "491")
    assert.equal(2, #box:take(10))
    put("c", nil, "DE.100")
    put("d", "49100")
    assert.equal(1, #box:take(10))
  end)

  it("refuses events beyond its size", function()
    local box = inbox.memory { max = 2 }
    assert.equal(2, box:put { message("a", "1"), message("b", "2") })
    local stored, err = box:put { message("c", "3") }
    assert.is_nil(stored)
    assert.equal("unavailable", err.kind)
    assert(box:ack(box:take()[1]))
    assert.is_nil((box:put { message("c", "3"), message("d", "4") }))
    assert.equal(1, box:depth())
    assert.equal(1, box:put { message("c", "3"), message("a", "1") }) -- the second event is a duplicate
  end)

  it("finds duplicates with a dictionary that several workers share", function()
    local known = {}
    local dictionary = {}
    function dictionary:add(key)
      if known[key] then return false, "exists" end
      known[key] = true
      return true
    end
    local one, other = inbox.memory { seen = dictionary }, inbox.memory { seen = dictionary }
    assert.equal(1, one:put { message("a", "1") })
    assert.equal(0, other:put { message("a", "1") })
  end)

  it("keeps an event when the dictionary is full", function()
    local box = inbox.memory { seen = { add = function() return nil, "no memory" end } }
    assert.equal(1, box:put { message("a", "1") })
  end)
end)

describe("the inbox in sqlite", function()
  it("stores nothing of a batch if it can't store all of it", function()
    local folder = process.folder()
    local box = inbox.sqlite { file = folder:file "x.db", busy_timeout = 0.01 }
    assert.equal(1, box:put { message("a", "1") })
    local rival = sqlite.open(folder:file "x.db")
    rival:execute "BEGIN IMMEDIATE"
    local stored, err = box:put { message("b", "1"), message("c", "1") }
    assert.is_nil(stored)
    assert.equal("unavailable", err.kind)
    assert.is_true(err.retryable)
    rival:execute "COMMIT"
    assert.equal(1, box:depth())
    assert.equal(2, box:put { message("b", "1"), message("c", "1") })
    -- The second event can't be written, so the first event is not stored either.
    rival:execute [[CREATE TRIGGER no BEFORE INSERT ON waba_entry WHEN NEW.body LIKE '%"bad"%'
      BEGIN SELECT RAISE(ABORT, 'no room'); END]]
    stored, err = box:put { message("d", "1"), message("bad", "1") }
    assert.is_nil(stored)
    assert.truthy(tostring(err):find("no room", 1, true))
    assert.equal(3, box:depth())
    rival:execute "DROP TRIGGER no"
    assert.equal(2, box:put { message("d", "1"), message("bad", "1") })
    box:close()
    rival:close()
    folder:remove()
  end)

  it("opens its file later if it could not be opened first", function()
    local folder = process.folder()
    process.run("mkdir " .. folder.path .. "/later")
    local box = inbox.sqlite(folder.path .. "/later/x.db")
    process.run("rmdir " .. folder.path .. "/later")
    local stored, err = box:put { message("a", "1") }
    assert.is_nil(stored)
    assert.equal("unavailable", err.kind)
    process.run("mkdir " .. folder.path .. "/later")
    assert.equal(1, box:put { message("a", "1") })
    box:close()
    folder:remove()
  end)

  it("raises an error for a path that can't be a file", function()
    local folder = process.folder()
    local file = assert(io.open(folder:file "text", "wb"))
    file:write(("no database\n"):rep(200))
    file:close()
    for path, reason in pairs {
      [folder.path .. "/nonexistent/x.db"] = "No such file or directory", [folder.path] = "unable to open",
      [folder:file "text"] = "not a database", [folder:file "text/x.db"] = "Not a directory", [""] = "empty",
    } do
      local ok, said = pcall(inbox.sqlite, path)
      assert.is_false(ok, path)
      assert.truthy(tostring(said):find("waba.inbox.sqlite: option file: ", 1, true), said)
      assert.truthy(said:find(reason, 1, true), said)
    end
    folder:remove()
  end)

  it("notices that its file was removed or replaced, and opens the new file", function()
    local folder = process.folder()
    local box = inbox.sqlite(folder:file "x.db")
    assert.equal(1, box:put { message("a", "1") })
    process.run("rm " .. folder:file "x.db*")
    assert.equal(1, box:put { message("b", "1") })
    local other = inbox.sqlite(folder:file "x.db")
    assert.same({ "b" }, ids(assert(other:take(10))))
    local third = inbox.sqlite(folder:file "y.db")
    assert.equal(1, third:put { message("c", "1") })
    third:close()
    process.run(("mv %s %s"):format(folder:file "y.db", folder:file "x.db"))
    assert.same({ "c" }, ids(assert(box:take(10))))
    assert.equal(1, other:depth())
    box:close()
    other:close()
    folder:remove()
  end)

  it("leaves no descriptor open after close", function()
    local folder = process.folder()
    local before = process.descriptors()
    for i = 1, 20 do
      local box = inbox.sqlite { file = folder:file(i .. ".db"), sync = false }
      assert.equal(1, box:put { message("a", "1") })
      box:close()
    end
    assert.is_true(process.descriptors() < before + 10)
    folder:remove()
  end)

  it("stores nothing while its folder is missing, and names the file and the cause", function()
    local folder = process.folder()
    local path = folder.path .. "/there/x.db"
    process.run("mkdir " .. folder.path .. "/there")
    local box = inbox.sqlite(path)
    assert.equal(1, box:put { message("a", "1") })
    process.run("rm -r " .. folder.path .. "/there")
    local stored, err = box:put { message("b", "1") }
    assert.is_nil(stored)
    assert.same({ "unavailable", "the inbox's file " .. path .. ": No such file or directory" }, { err.kind, err.message })
    process.run("mkdir -p " .. path)
    assert.equal("the inbox's file " .. path .. ": Is a directory", select(2, box:depth()).message)
    process.run("rmdir " .. path)
    folder:write("there/x.db", ("no database\n"):rep(200))
    assert.equal("the inbox's file " .. path .. ": file is not a database", select(2, box:depth()).message)
    os.remove(path)
    assert.equal(1, box:put { message("b", "1") })
    box:close()
    folder:remove()
  end)

  it("keeps its file when the process changes its directory", function()
    local folder = process.folder()
    process.run(("cd %s && mkdir elsewhere"):format(folder.path))
    local luv = require "luv"
    local previous = luv.cwd()
    finally(function()
      luv.chdir(previous)
      folder:remove()
    end)
    luv.chdir(folder.path)
    local box = inbox.sqlite "x.db"
    assert.equal(1, box:put { message("a", "1") })
    luv.chdir(folder.path .. "/elsewhere")
    assert.equal(1, box:put { message("b", "2") })
    assert.equal(2, box:depth())
    box:close()
    assert.equal("", process.run("ls " .. folder.path .. "/elsewhere"))
  end)

  it("has mode 600, and SQLite's other files too", function()
    local folder = process.folder()
    local box = inbox.sqlite(folder:file "x.db")
    assert.equal(1, box:put { message("a", "1") })
    for _, name in ipairs { "x.db", "x.db-wal", "x.db-shm" } do
      assert.equal(tonumber("600", 8), core.file_mode(folder:file(name)), name)
    end
    box:close()
    process.run("chmod 640 " .. folder:file "x.db") -- an inbox does not change the permissions that its owner has set
    assert.equal(1, box.close and inbox.sqlite(folder:file "x.db"):depth())
    assert.equal(tonumber("640", 8), core.file_mode(folder:file "x.db"))
    folder:remove()
  end)

  -- Runs two functions concurrently, from callbacks of luv's loop.
  local function run_in_luv(functions)
    local uv, copas = require "luv", package.loaded.copas
    package.loaded.copas = nil -- copas 1 would treat luv's coroutines as its own
    for index, fn in ipairs(functions) do
      local timer = uv.new_timer()
      timer:start(10 * (index - 1), 0, function()
        timer:close()
        coroutine.wrap(fn)()
      end)
    end
    uv.run()
    package.loaded.copas = copas
  end

  for _, loop in ipairs { "native", "cqueues", "copas", "luv" } do
    it("does not block other coroutines in " .. loop .. " while another process holds its lock", function()
      local folder = process.folder()
      local box = inbox.sqlite { file = folder:file "x.db", busy_timeout = 20 }
      assert.equal(1, box:put { message("a", "1") })
      local rival = sqlite.open(folder:file "x.db")
      rival:execute "BEGIN IMMEDIATE"
      local order = {}
      local run = loop == "luv" and run_in_luv or runners[loop]
      run {
        function()
          assert.equal(1, box:put { message("b", "1") })
          order[#order + 1] = "stored"
        end,
        function()
          for _ = 1, 3 do waba.sleep(0.005) end
          order[#order + 1] = "others"
          rival:execute "COMMIT"
        end,
      }
      assert.same({ "others", "stored" }, order)
      assert.equal(2, box:depth())
      box:close()
      rival:close()
      folder:remove()
    end)
  end

  it("waits for the lock outside of an event loop, however long it may wait", function()
    local folder = process.folder()
    local path = folder:file "x.db"
    local box = inbox.sqlite { file = path, busy_timeout = 1e16 }
    assert.equal(1, box:put { message("a", "1") })
    local rival = process.start(("%s -e '%s'"):format(process.interpreter(), ([[
      local connection = assert(require("dbd.sqlite3").New("%s"))
      connection:autocommit(true)
      assert(connection:prepare "BEGIN IMMEDIATE"):execute()
      io.open("%s", "w"):close()
      os.execute "sleep 0.3"]]):format(path, folder:file "held")), folder:file "rival.log")
    process.wait_for(function() return io.open(folder:file "held") end, "the rival's lock")
    assert.equal(1, box:put { message("b", "1") })
    rival:stop()
    box:close()
    folder:remove()
  end)

  it("does not block a worker of nginx while another process holds its lock", function()
    local folder, port, plain = process.folder(), process.free_port(), process.free_port()
    nginx.certify(folder)
    local program = nginx.start(folder, nginx.configuration {
      port = port, plain = plain, workers = 1,
      content = ([[
        local inbox = package.loaded.the_inbox
          or require("waba").inbox.sqlite { file = "%s", busy_timeout = 10 }
        package.loaded.the_inbox = inbox
        if ngx.var.uri == "/fast" then return ngx.print "fast" end
        local stored, err = inbox:put { { kind = "message", hosting = "on_premise", id = ngx.var.arg_id, from = "1", raw = {} } }
        ngx.print(tostring(stored or err))
      ]]):format(folder:file "x.db"),
    }, port)
    finally(function()
      program:stop()
      folder:remove()
    end)
    local function begin(path)
      local socket = assert(require("socket").connect("127.0.0.1", plain))
      assert(socket:send("GET " .. path .. " HTTP/1.0\r\n\r\n"))
      return socket
    end
    local function body_of(socket)
      socket:settimeout(15)
      local text = socket:receive "*a"
      socket:close()
      return (text:gsub("^.-\r\n\r\n", ""))
    end
    assert.equal("1", body_of(begin "/put?id=a"))
    local rival = sqlite.open(folder:file "x.db")
    rival:execute "BEGIN IMMEDIATE"
    local waiting = begin "/put?id=b"
    for _ = 1, 3 do assert.equal("fast", body_of(begin "/fast")) end
    rival:execute "COMMIT"
    assert.equal("1", body_of(waiting))
    rival:close()
  end)

  it("reports that another process holds its lock", function()
    local folder = process.folder()
    local box = inbox.sqlite { file = folder:file "x.db", busy_timeout = 0.01 }
    assert.equal(0, box:depth())
    local rival = sqlite.open(folder:file "x.db")
    rival:execute "BEGIN IMMEDIATE"
    local expected = "the inbox's file " .. folder:file "x.db"
      .. ": another process has held its lock for 0.01 s, the option busy_timeout"
    assert.equal(expected, select(2, box:put { message("a", "1") }).message)
    waba.run(function() assert.equal(expected, select(2, box:put { message("a", "1") }).message) end)
    rival:execute "COMMIT"
    box:close()
    rival:close()
    folder:remove()
  end)

  it("can be opened a second time in the same process", function()
    local folder = process.folder()
    local box = inbox.sqlite(folder:file "x.db")
    assert.is_nil(io.open(folder:file "x.db"), "nothing is made before the first use")
    assert.equal(1, box:put { message("a", "1") })
    local other = inbox.sqlite(folder:file "x.db")
    assert.equal(1, other:depth())
    assert.equal(1, box:put { message("b", "1") })
    assert.equal(2, other:depth())
    box:close()
    other:close()
    folder:remove()
  end)

  it("keeps few bytes of stored events in memory if another process handles the events", function()
    local folder = process.folder()
    local box = inbox.sqlite { file = folder:file "x.db", sync = false }
    local receiver = waba.receiver { open = true, inbox = box, on = { message = function() end } }
    local function receive(number)
      local text = tostring(number):rep(100000)
      local body = ('{"messages":[{"id":"m%d","from":"1","type":"text","text":{"body":"%s"}}]}'):format(number, text)
      assert.equal(200, (receiver:handle { method = "POST", headers = {}, body = body }))
    end
    local function kilobytes()
      collectgarbage()
      collectgarbage()
      return collectgarbage "count"
    end
    receive(1)
    local before = kilobytes()
    for number = 2, 100 do receive(number) end
    local more = kilobytes() - before
    assert.is_true(more < 4000, "more kilobytes: " .. more)
    assert.equal(100, box:depth())
    box:close()
    folder:remove()
  end)
end)

describe("an inbox of the released version 1.0", function()
  -- The events a1 and a2 of one customer, and b1 of another customer. A worker that ended has taken a1.
  local BODIES = {}
  for index, id in ipairs { "a1", "a2", "b1" } do
    BODIES[index] = ('{"kind":"message","hosting":"cloud","id":"%s","from":"%s","from_user_id":"DE.%s","type":"text","raw":{}}'):format(
      id, id:sub(1, 1), id:sub(1, 1):upper())
  end

  -- Asserts that all stored events and new events of these customers are handled.
  local function assert_goes_on(box)
    assert.equal(3, box:depth())
    assert.equal(0, box:put { message("a1", "a") })
    assert.equal(2, box:put {
      message("a3", "a", { hosting = "cloud", from_user_id = "DE.A" }), message("a4", nil, { hosting = "cloud", from_user_id = "DE.A" }),
    })
    local taken = box:take(10)
    table.sort(taken, function(one, other) return one.id < other.id end)
    assert.same({ "a1", "b1" }, ids(taken))
    assert.equal(2, box:attempts(taken[1]))
    assert.is_true(box:ack(taken))
    for _, id in ipairs { "a2", "a3", "a4" } do
      taken = box:take(10)
      assert.same({ id }, ids(taken))
      assert.is_true(box:ack(taken))
    end
    assert.equal(0, box:depth())
    box:close()
  end

  it("is opened in SQLite", function()
    local folder = process.folder()
    local connection = sqlite.open(folder:file "inbox.db")
    for _, statement in ipairs {
      [[CREATE TABLE waba_event (
        seq INTEGER PRIMARY KEY, conversation TEXT, head INTEGER NOT NULL, due REAL NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0, token INTEGER NOT NULL DEFAULT -1, reason TEXT, body TEXT NOT NULL)]],
      "CREATE INDEX waba_event_head ON waba_event (seq) WHERE head = 1",
      "CREATE INDEX waba_event_conversation ON waba_event (conversation, seq) WHERE conversation IS NOT NULL",
      [[CREATE TABLE waba_aside (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, conversation TEXT, attempts INTEGER NOT NULL, at REAL NOT NULL,
        reason TEXT, body TEXT NOT NULL)]],
      "CREATE TABLE waba_seen (key TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID",
      "CREATE INDEX waba_seen_until ON waba_seen (until)",
      ("INSERT INTO waba_seen VALUES ('message:a1', %d)"):format(os.time() + 600000),
      ("INSERT INTO waba_event VALUES (1, 'a', 1, 1.5, 1, 12345, NULL, '%s')"):format(BODIES[1]),
      ("INSERT INTO waba_event VALUES (2, 'a', 0, 0, 0, -1, NULL, '%s')"):format(BODIES[2]),
      ("INSERT INTO waba_event VALUES (3, 'b', 1, 0, 0, -1, NULL, '%s')"):format(BODIES[3]),
    } do assert(connection:execute(statement)) end
    connection:close()
    assert_goes_on(inbox.sqlite { file = folder:file "inbox.db", sync = false })
    folder:remove()
  end)

  it("is opened in Redis", function()
    local server = redis.start()
    local function ask(...)
      local words = {}
      for index, word in ipairs { ... } do words[index] = process.quote(word) end
      return process.run(("redis-cli -p %d %s"):format(server.port, table.concat(words, " ")))
    end
    ask("SET", "{waba}:seen:message:a1", "1", "PX", "600000000")
    ask("RPUSH", "{waba}:queue:customer:a", BODIES[1], BODIES[2])
    local id = ask("XADD", "{waba}:stream", "*", "queue", "customer:a")
    ask("XGROUP", "CREATE", "{waba}:stream", "workers", "0")
    ask("XREADGROUP", "GROUP", "workers", "gone", "COUNT", "1", "STREAMS", "{waba}:stream", ">")
    ask("HSET", "{waba}:attempts", "customer:a", "1")
    ask("ZADD", "{waba}:leases", "1.500000", id)
    ask("RPUSH", "{waba}:queue:customer:b", BODIES[3])
    ask("XADD", "{waba}:stream", "*", "queue", "customer:b")
    ask("SET", "{waba}:depth", "3")
    assert_goes_on(inbox.redis { port = server.port })
    server:stop()
  end)
end)

describe("keys of Redis that other programs have changed", function()
  it("do not affect other conversations", function()
    local server = redis.start()
    local function ask(words) process.run(("redis-cli -p %d %s"):format(server.port, words)) end
    local box = inbox.redis { port = server.port }
    box:put { message("a", "1"), message("b", "2"), message("c", "3") }
    box.store:put { { body = "{}", names = { "4" }, lane = "", at = os.time() - 1 } }
    ask "LSET '{waba}:q:1' 0 damaged"
    assert.equal(4, #box:list())
    local damaged = box:list { id = "0" }
    assert.same({ 1, "1", nil }, { #damaged, damaged[1].conversation, damaged[1].event })
    assert.equal(0, box:drop { id = "0" })
    ask "DEL '{waba}:q:2'"
    ask "HSET '{waba}:tries' 3 many"
    ask "EVAL 'return redis.call(\"DEL\", unpack(redis.call(\"KEYS\", \"*:q:later:*\")))' 0"
    assert.same({ "c" }, ids(box:take(10)))
    assert.same({ 1, "1" }, { #box:list({ dead = true }), box:list({ dead = true })[1].conversation })
    box:close()
    server:stop()
  end)
end)

describe("a queue of Redis to which another program has appended items", function()
  it("is read to its end", function()
    local server = redis.start()
    local box = inbox.redis { port = server.port }
    box:put { message("a", "1") }
    process.run(("redis-cli -p %d RPUSH '{waba}:q:1' second third"):format(server.port))
    local taken = box.store:take(1, 60)
    for _, body in ipairs { "second", "third" } do
      assert.equal(1, box.store:settle { { lease = taken[1], done = "held" } })
      taken = box.store:take(1, 60)
      assert.equal(body, taken[1].body)
    end
    box:close()
    server:stop()
  end)
end)

describe("the removal of many events of one customer in Redis", function()
  it("does not read the customer's queue for each event", function()
    local server = redis.start()
    local box, events_of_one = inbox.redis { port = server.port }, {}
    for number = 1, 1000 do events_of_one[number] = message("m" .. number, "1") end
    assert(box:put(events_of_one))
    assert.equal(1000, box:drop {})
    local stats = process.run(("redis-cli -p %d info commandstats"):format(server.port))
    assert.is_true(tonumber(stats:match "cmdstat_lrange:calls=(%d+)") <= 20)
    assert.equal(0, box:depth())
    box:close()
    server:stop()
  end)
end)

describe("the scripts of a Redis that has restarted", function()
  it("lease no event without returning it if another process has loaded only some of the scripts", function()
    local server = redis.start()
    local box, other = inbox.redis { port = server.port }, inbox.redis { port = server.port }
    local _, taken = box:put({ message("a", "1") }, nil, { done = {}, n = 1, lease = 60 })
    assert.same({ "a" }, ids(taken))
    assert.is_true(box:ack(taken, true))
    assert.equal(1, box:put { message("b", "2") })
    process.run(("redis-cli -p %d script flush"):format(server.port))
    assert.same({}, other:take(0)) -- loads the script of `take` again
    local stored
    stored, taken = box:put({ message("c", "3") }, nil, { done = {}, n = 2, lease = 60 })
    assert.equal(1, stored)
    local found = ids(taken)
    table.sort(found)
    assert.same({ "b", "c" }, found)
    for _, event in ipairs(taken) do assert.equal(1, box:attempts(event)) end
    box:close()
    other:close()
    server:stop()
  end)
end)

describe("the state of a conversation in Redis", function()
  it("is read by the call that takes the next event", function()
    local server, counts = redis.start(), {}
    local function reads()
      local text = process.run(("redis-cli -p %d info commandstats"):format(server.port))
      return tonumber(text:match "cmdstat_get:calls=(%d+)")
    end
    local box = inbox.redis { port = server.port }
    local receiver = waba.receiver { open = true, inbox = box, on = { message = function(event)
      counts[#counts + 1] = event.state.count or 0
      event.state.count = counts[#counts] + 1
    end } }
    for number = 1, 3 do
      box:put { message("m" .. number, "1") }
      local before = reads()
      receiver:work()
      assert.equal(before, reads())
    end
    assert.same({ 0, 1, 2 }, counts)
    box:close()
    server:stop()
  end)
end)

-- The release 1.0 of the library has written the files in spec/support/release_1_0.
for _, backend in ipairs { "sqlite", "redis" } do
  describe("an inbox that release 1.0 has stored in " .. backend, function()
    local STORED = "spec/support/release_1_0/inbox."
    local box, server, folder

    before_each(function()
      folder = process.folder()
      if backend == "redis" then
        server = redis.start()
        process.run(("redis-cli -p %d < %sredis"):format(server.port, STORED))
        box = inbox.redis { port = server.port }
        return
      end
      local connection = sqlite.open(folder:file "inbox.db")
      local file = assert(io.open(STORED .. "sql", "rb"))
      for statement in file:read("*a"):gsub("^%-%-[^\n]*\n", ""):gmatch "(.-);\n" do connection:execute(statement) end
      file:close()
      connection:close()
      box = inbox.sqlite { file = folder:file "inbox.db", sync = false }
    end)

    after_each(function()
      box:close()
      if server then server:stop() end
      folder:remove()
    end)

    it("lists its events and dead letters before any event is taken", function()
      local rows, found = assert(box:list()), {}
      for index, row in ipairs(rows) do
        found[index] = row.event.id or row.event.kind
        if row.event.id == "f1" then
          assert.same({ 1, "the shop is closed", "waiting" }, { row.attempts, row.reason, row.state })
        end
      end
      table.sort(found)
      assert.same({ "a1", "a2", "a3", "b1", "error", "f1", "n1", "out1", "p1" }, found)
      local dead = assert(box:set_aside())
      assert.equal(1, #dead)
      assert.same({ "f0", "final", 1, "may have been sent", 1764000009.5 },
        { dead[1].event.id, dead[1].event.text, dead[1].attempts, dead[1].reason, dead[1].at })
    end)

    it("returns its events once, in their order", function()
      local seen = {}
      local own = waba.receiver { user = "u", password = "p", inbox = box, on = { any = function(event, attempts)
        local who = event.customer and event.customer.key or "-"
        seen[who] = (seen[who] or "") .. (" %s:%d"):format(event.text or event.status or event.error.code, attempts)
      end } }
      assert(own:work())
      assert.same({
        ["491511"] = " first:2 second:1 third:1 delivered:1", ["491513"] = " a NUL \0 and ü:1", ["DE.7"] = " hidden:1",
        ["491518"] = " on premise:1", ["-"] = " 131000:1",
      }, seen)
      assert.equal(1, box:depth()) -- the event f1 is not due yet
      assert.equal(1, box:retry_dead())
      assert(own:work())
      assert.equal(" final:1", seen["491517"])
      -- Release 1.0 has stored the event p1, so another event with this id is a duplicate.
      assert.equal(0, box:put { { kind = "message", hosting = "on_premise", id = "p1", from = "491518", raw = {} } })
    end)
  end)
end

describe("an inbox whose library is absent", function()
  -- Hides a module from `require` while `use` runs.
  local function without(name, use)
    local loaded, preload = package.loaded[name], package.preload[name]
    package.loaded[name], package.preload[name] = nil, function() error "not installed" end
    local ok, said = pcall(use)
    package.loaded[name], package.preload[name] = loaded, preload
    assert.is_false(ok)
    return said
  end

  it("names the rock and the Debian package", function()
    local said = without("dbd.sqlite3", function() inbox.sqlite "x.db" end)
    assert.truthy(said:find("luadbi-sqlite3 (Debian: lua-dbi-sqlite3)", 1, true))
    said = without("socket", function() inbox.redis() end)
    assert.truthy(said:find("luasocket (Debian: lua-socket)", 1, true))
    said = without("cqueues", function()
      require "waba.webhook.server" { receiver = require("waba").receiver { open = true } }
    end)
    assert.truthy(said:find("cqueues (Debian: lua-cqueues)", 1, true))
  end)

  it("is reported at the line that opens the inbox, without a list of the searched paths", function()
    local loaded, preload = package.loaded.socket, package.preload.socket
    package.loaded.socket = nil
    package.preload.socket = function() error("module 'socket' not found:\n\tno file 'socket.lua'", 0) end
    local ok, said = pcall(function()
      local box = inbox.redis()
      return box
    end)
    local pace_ok, pace_said = pcall(function()
      local store = waba.pace.redis()
      return store
    end)
    package.loaded.socket, package.preload.socket = loaded, preload
    assert.same({ false, false }, { ok, pace_ok })
    assert.matches("^[^\n]*inbox_spec%.lua:%d+: waba%.inbox%.redis needs the rock luasocket", said)
    assert.matches("^[^\n]*inbox_spec%.lua:%d+: waba%.pace%.redis needs the rock luasocket", pace_said)
    assert.is_nil(said:find("no file", 1, true), said)
  end)
end)

describe("the inbox in redis", function()
  it("connects again after the server was restarted", function()
    local server = redis.start()
    local box = inbox.redis { port = server.port }
    assert.equal(1, box:put { message("a", "1") })
    server:restart()
    assert.equal(1, box:put { message("a", "1") })
    assert.same({ "a" }, ids(box:take()))
    box:close()
    server:stop()
  end)

  -- After a failover the name of a Redis server leads to another server, while connections to the old one stay open.
  -- Here the name is the path of a link to a socket, and `redis_link.name` changes the link's target.
  local function failover(test)
    local folder, programs = process.folder(), {}
    local redis_link = { path = folder:file "redis.sock" }
    function redis_link.name(path) process.run(("ln -sfn %s %s"):format(path, redis_link.path)) end
    function redis_link.responding(response)
      local path = folder:file(("responding%d.sock"):format(#programs))
      programs[#programs + 1] = process.start(("%s spec/support/refusing_redis.lua %s %s"):format(process.interpreter(), path,
        process.quote(response)), folder:file "log")
      process.wait_for(function() return process.run("ls " .. path .. " 2>/dev/null") ~= "" end, "the socket")
      return path
    end
    function redis_link.refusing(refusal) return redis_link.responding("-" .. refusal) end
    local ok, raised = pcall(test, redis_link)
    for _, program in ipairs(programs) do program:stop() end
    folder:remove()
    assert(ok, raised)
  end

  local REFUSALS = {
    "READONLY You can't write against a read only replica.", "LOADING Redis is loading the dataset in memory",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "CLUSTERDOWN Hash slot not served",
    "ERR Error running script (call to f_1): @user_script:9: -READONLY You can't write against a read only replica.",
  }

  it("connects again by name if its server refuses every command", function()
    local server = redis.start()
    failover(function(redis_link)
      for index, refusal in ipairs(REFUSALS) do
        redis_link.name(redis_link.refusing(refusal))
        local box = inbox.redis { path = redis_link.path }
        local stored, err = box:put { message("a" .. index, "1") }
        assert.is_nil(stored)
        assert.equal("unavailable", err.kind)
        assert.truthy(err.message:find(refusal:match "%u%u%u%u%u+", 1, true), err.message)
        redis_link.name(server.path)
        assert.equal(1, box:put { message("a" .. index, "1") })
        box:close()
      end
    end)
    server:stop()
  end)

  it("returns an error if its server does not respond as Redis does", function()
    failover(function(redis_link)
      for _, response in ipairs { "+OK", "$-1", "*0", ":1", "$5\r\nhello", "*1\r\n*1\r\n:1", "HTTP/1.1 400 Bad Request" } do
        redis_link.name(redis_link.responding(response))
        local box = inbox.redis { path = redis_link.path }
        for _, name in ipairs { "put", "take", "oldest" } do
          local result, err = box[name](box, name == "put" and { message("a", "1") } or nil)
          assert.is_nil(result, name .. response)
          assert.equal("unavailable", (err or {}).kind, name .. response)
        end
        box:close()
      end
    end)
  end)

  it("connects again at once if its server became a replica", function()
    local old, new = redis.start(), redis.start()
    failover(function(redis_link)
      redis_link.name(old.path)
      local box = inbox.redis { path = redis_link.path }
      assert.equal(1, box:put { message("a", "1") })
      process.run(("redis-cli -p %d REPLICAOF 127.0.0.1 %d"):format(old.port, new.port))
      redis_link.name(new.path)
      assert.equal(1, box:put { message("b", "1") })
      assert.same({ "b" }, ids(assert(box:take(10))))
      box:close()
    end)
    old:stop()
    new:stop()
  end)

  it("connects again at once in nginx if its server became a replica, with all connections of the pool", function()
    local folder, port, plain = process.folder(), process.free_port(), process.free_port()
    local old, new = redis.start(), redis.start()
    nginx.certify(folder)
    failover(function(redis_link)
      redis_link.name(old.path)
      local program = nginx.start(folder, nginx.configuration {
        port = port, plain = plain, workers = 1,
        content = ([[
          local inbox = package.loaded.the_inbox or require("waba").inbox.redis { path = "%s" }
          package.loaded.the_inbox = inbox
          local function put(id)
            local stored, err = inbox:put { { kind = "message", hosting = "on_premise", id = id, from = "1", raw = {} } }
            return tostring(stored or err)
          end
          local threads, result = {}, {}
          for i = 1, 3 do threads[i] = ngx.thread.spawn(put, ngx.var.arg_id .. i) end
          for i = 1, 3 do result[i] = select(2, ngx.thread.wait(threads[i])) end
          ngx.print(table.concat(result, " "))
        ]]):format(redis_link.path),
      }, port)
      local function ask(id)
        local _, _, body = nginx.request(("http://127.0.0.1:%d/?id=%s"):format(plain, id))
        return body
      end
      local result = { ask "a" }
      process.run(("redis-cli -p %d REPLICAOF 127.0.0.1 %d"):format(old.port, new.port))
      redis_link.name(new.path)
      result[2] = ask "b"
      new:restart() -- the restart closes the connections in the pool of nginx
      result[3] = ask "c"
      program:stop()
      assert.same({ "1 1 1", "1 1 1", "1 1 1" }, result)
    end)
    old:stop()
    new:stop()
    folder:remove()
  end)

  it("reports an unreachable server", function()
    local box = inbox.redis { port = process.free_port(), timeout = 1 }
    local stored, err = box:put { message("a", "1") }
    assert.is_nil(stored)
    assert.equal("unavailable", err.kind)
    local taken
    taken, err = box:take()
    assert.is_nil(taken)
    assert.equal("unavailable", err.kind)
  end)

  it("reports a server that does not respond within the option timeout", function()
    local listener = assert(require("socket").bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    local _, err = inbox.redis({ port = math.floor(tonumber(port)), timeout = 0.05 }):depth()
    assert.equal("the inbox's Redis: the server has not responded within 0.05 s (option timeout)", err.message)
    listener:close()
  end)

  it("logs in, and does not show its password", function()
    local server = redis.start "S3cret-word"
    local box = inbox.redis { port = server.port, password = "S3cret-word", database = 1 }
    assert.equal(1, box:put { message("a", "1") })
    assert.same({ "a" }, ids(box:take()))
    for _, value in pairs(box) do assert.is_nil(tostring(value):find("S3cret", 1, true)) end
    box:close()
    local stranger = inbox.redis { port = server.port, password = "wr0ng-word" }
    local stored, err = stranger:put { message("b", "1") }
    assert.is_nil(stored)
    assert.is_nil(tostring(err):find("wr0ng", 1, true))
    server:stop()
  end)
end)
