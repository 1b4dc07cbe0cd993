-- The customers of a receiver, with every backend of its inbox: their key while their ids change, the state of a
-- conversation, questions, windows, opt-outs, standby and handover.

local process = require "spec.support.process"
local redis = require "spec.support.redis"
local waba = require "waba"
local webhooks = require "spec.support.webhooks"

local PHONE, OTHER, USER = "4915111", "4915122", "DE.1"

local backends = {
  memory = function()
    local kept = {}
    return function(name)
      kept[name] = kept[name] or waba.inbox.memory { retry = { base = 0 } }
      return kept[name]
    end, function() end
  end,
  sqlite = function()
    local folder = process.folder()
    return function(name)
      return waba.inbox.sqlite { file = folder:file(name .. ".db"), sync = false, retry = { base = 0 } }
    end, function() folder:remove() end
  end,
  redis = function()
    local server = redis.start()
    return function(name)
      return waba.inbox.redis { prefix = "{" .. name .. "}", host = "127.0.0.1", port = server.port, retry = { base = 0 } }
    end, function() server:stop() end
  end,
}

-- Returns a client that records the messages that it sends.
local function new_client(refuse)
  local client = { sent = {} }
  function client:send(to, message, options)
    if refuse and refuse(message) then return nil, refuse(message) end
    self.sent[#self.sent + 1] = { to = to, message = message, options = options }
    return { id = "out" .. #self.sent }
  end
  function client.mark_read() return true end
  return client
end

local count = 0

local function ids(phone, user_id)
  return (phone and ('"from":"%s",'):format(phone) or "") .. (user_id and ('"from_user_id":"%s",'):format(user_id) or "")
end

local function message(phone, user_id, own, time)
  count = count + 1
  return webhooks.cloud { messages = ('{%s"id":"m%d","timestamp":"%d",%s}'):format(ids(phone, user_id), count,
    time or os.time(), own or '"type":"text","text":{"body":"Hi"}') }
end

local function change(field, value)
  return webhooks.entry(('{"field":"%s","value":{"metadata":{"display_phone_number":"%s","phone_number_id":"%s"},%s}}'):format(
    field, webhooks.place.number, webhooks.place.phone_number_id, value))
end

for _, backend in ipairs { "memory", "sqlite", "redis" } do
  describe("a customer of a receiver, in " .. backend, function()
    local open, close
    local box, names = nil, 0

    setup(function() open, close = backends[backend]() end)
    teardown(function() close() end)
    before_each(function()
      names = names + 1
      box = "box" .. names
    end)

    -- Returns a receiver that opens the inbox of this test again, as another process does.
    local function receiver(on, more)
      local options = { open = true, inbox = open(box), on = on, client = new_client() }
      for name, value in pairs(more or {}) do options[name] = value end
      return waba.receiver(options)
    end

    local function post(own, body)
      assert.equal(200, (own:handle { method = "POST", headers = {}, body = body }))
      local handled, failed, raised = own:work()
      if failed ~= 0 then error(raised, 0) end
      return handled
    end

    -- Posts bodies to a receiver, and returns a text for the customer of each event that it handled.
    local function see(...)
      local seen = {}
      local own = receiver {
        message = function(event)
          seen[#seen + 1] = ("%s %s %s"):format(event.customer.key, event.customer.phone or "-", event.customer.user_id or "-")
        end,
        customer_changed = function(event)
          seen[#seen + 1] = ("%s -> %s"):format(event.previous.key, event.customer.key)
        end,
      }
      for _, body in ipairs { ... } do post(own, body) end
      return seen
    end

    it("keeps the state if a status with both ids and a message with the number are taken together", function()
      local counts = {}
      local own = receiver {
        message = function(event)
          if event.from ~= PHONE and event.customer.user_id ~= USER then return end
          event.state.count = (event.state.count or 0) + 1
          counts[#counts + 1] = event.state.count
        end,
        status = function() end,
      }
      for number = 1, 16 do -- quick handlers, so that the next events are taken together
        assert.equal(200, (own:handle { method = "POST", headers = {}, body = message("49160" .. number) }))
      end
      local status = ('{"id":"s","status":"sent","timestamp":"%d","recipient_id":"%s","recipient_user_id":"%s"}'):format(
        os.time(), PHONE, USER)
      assert.equal(200, (own:handle { method = "POST", headers = {}, body = webhooks.cloud { statuses = status } }))
      for _, body in ipairs { message(PHONE), message(PHONE), message(nil, USER) } do post(own, body) end
      assert.same({ 1, 2, 3 }, counts)
    end)

    it("has one key while the number is hidden and shown again", function()
      assert.same({ "DE.1 4915111 DE.1", "DE.1 4915111 DE.1", "DE.1 4915111 DE.1", "DE.1 4915111 DE.1" },
        see(message(PHONE, USER), message(nil, USER), message(PHONE), message(PHONE, USER)))
      assert.same({ "DE.1 4915111 DE.1" }, see(message(nil, USER)))
    end)

    it("has the phone number as key until a user id is known, which is a change", function()
      assert.same({ "4915111 4915111 -", "4915111 -> DE.1", "DE.1 4915111 DE.1", "DE.1 4915111 DE.1" },
        see(message(PHONE), message(PHONE, USER), message(PHONE)))
    end)

    it("is found by the ids of a status", function()
      local status = '{"id":"s","status":"sent","timestamp":"1","recipient_id":"4915111","recipient_user_id":"DE.1"}'
      local own = receiver { status = function(event) assert.equal(USER, event.customer.key) end }
      post(own, webhooks.cloud { statuses = status })
      assert.same({ "DE.1 4915111 DE.1" }, see(message(nil, USER)))
    end)

    it("keeps the state if a status has the user id first", function()
      local own = receiver { status = function() end, text = function(event)
        event.state.count = (event.state.count or 0) + 1
      end }
      post(own, message(PHONE))
      post(own, webhooks.cloud { statuses = '{"id":"s","status":"sent","timestamp":"1","recipient_id":"4915111",'
        .. '"recipient_user_id":"DE.1"}' })
      local changes, state = 0, nil
      own = receiver { customer_changed = function() changes = changes + 1 end, text = function(event) state = event.state end }
      post(own, message(PHONE))
      assert.same({ count = 1 }, state)
      assert.equal(1, changes)
    end)

    it("keeps state, window and opt-out with a new number", function()
      local own = receiver { text = function(event) event.state = { name = "Eva" } end }
      post(own, message(PHONE, USER))
      assert(own:suppress(PHONE, webhooks.place.number))
      local system = '"type":"system","system":{"type":"user_changed_number","wa_id":"4915122","user_id":"DE.2","body":"b"}'
      local seen = {}
      own = receiver {
        customer_changed = function(event)
          seen[#seen + 1] = ("%s %s -> %s %s"):format(event.previous.key, event.previous.phone, event.customer.key,
            event.customer.phone)
        end,
        text = function(event) seen[#seen + 1] = event.customer.key .. " " .. tostring(event.state.name) end,
      }
      post(own, message(PHONE, nil, system))
      assert.is_true(own:window(OTHER) > 86000)
      assert.is_true(own:window("DE.2", webhooks.place.number) > 86000)
      post(own, message(OTHER, "DE.2"))
      post(own, message(nil, "DE.2"))
      assert.same({ "DE.1 4915111 -> DE.2 4915122", "DE.2 Eva", "DE.2 Eva" }, seen)
      -- The old number belongs to a new customer, who has other ids.
      assert.same({ "DE.9 4915111 DE.9" }, see(message(PHONE, "DE.9")))
    end)

    -- The arguments of `suppress` for one customer.
    local OPT_OUTS = { { PHONE }, { PHONE, webhooks.place.number }, { USER }, { USER, webhooks.place.number } }

    -- Returns a receiver with a new inbox, in which a customer has opted out.
    local function with_opt_out(case)
      box = box .. "'"
      local own = receiver {}
      post(own, message(PHONE, USER))
      assert(own:suppress(case[1], case[2]))
      return own
    end

    it("keeps the opt-outs with a new number and a new user id, and the next owner of the number has none of them", function()
      local number = webhooks.place.number
      for _, case in ipairs(OPT_OUTS) do
        local own = with_opt_out(case)
        post(own, message(PHONE, nil,
          '"type":"system","system":{"type":"user_changed_number","wa_id":"4915122","user_id":"DE.2","body":"b"}'))
        assert.equal("own", own:suppressed(OTHER, number))
        assert.equal("own", own:suppressed("DE.2", number))
        post(own, message(PHONE, "DE.9"))
        assert.is_false(own:suppressed(PHONE, number))
        assert.is_false(own:suppressed("DE.9", number))
        assert(own:unsuppress(case[1] == PHONE and OTHER or "DE.2", case[2]))
        assert.is_false(own:suppressed(OTHER, number))
      end
    end)

    it("keeps the opt-outs with a new user id, and with a new number that was hidden", function()
      local number = webhooks.place.number
      for _, case in ipairs(OPT_OUTS) do
        local own = with_opt_out(case)
        post(own, message(nil, "DE.2", '"type":"system","system":{"type":"user_changed_user_id","user_id":"DE.1","new_user_id":"DE.2"}'))
        assert.equal("own", own:suppressed("DE.2", number))
        post(own, message(OTHER, "DE.2"))
        assert.equal("own", own:suppressed(OTHER, number))
      end
    end)

    it("has a window for every number if webhooks do not name the number", function()
      local own = receiver {}
      post(own, ('{"contacts":[{"wa_id":"4915111"}],"messages":[{"from":"4915111","id":"a","timestamp":"%d","type":"text",'
        .. '"text":{"body":"x"}}]}'):format(os.time()))
      assert.is_true(own:window(PHONE) > 86000)
      assert.is_true(own:window(PHONE, "4930777") > 86000)
      assert(own:suppress(PHONE, "4930777"))
      assert.equal("own", own:suppressed(PHONE, "4930777"))
      assert.is_false(own:suppressed(PHONE, "4930778"))
      assert.is_true(own:window(PHONE, "4930777") > 86000)
      assert(own:unsuppress(PHONE, "4930777"))
      assert.is_false(own:suppressed(PHONE))
      -- When a customer has a new number, the opt-outs at every business number are moved to the new number.
      assert(own:suppress(PHONE))
      assert(own:suppress(PHONE, "4930777"))
      post(own, ('{"messages":[{"from":"4915111","id":"b","timestamp":"%d","type":"system","system":{"type":'
        .. '"user_changed_number","new_wa_id":"4915122","body":"b"}}]}'):format(os.time()))
      assert.equal("own", own:suppressed(OTHER))
      assert(own:unsuppress(OTHER))
      assert.equal("own", own:suppressed(OTHER, "4930777"))
      assert.is_false(own:suppressed(PHONE))
    end)

    it("has a window that the next owner of the phone number does not have", function()
      local own = receiver {}
      post(own, message(PHONE, USER))
      post(own, message(PHONE, nil, '"type":"system","system":{"type":"user_changed_number","wa_id":"4915122","body":"b"}'))
      assert.is_true(own:window(OTHER) > 86000)
      assert.equal(0, own:window(PHONE))
      post(own, message(PHONE))
      assert.is_true(own:window(PHONE) > 86000)
    end)

    it("has no opt-out after a preference that shows the new number too", function()
      local own = receiver {}
      post(own, message(PHONE, USER))
      assert(own:suppress(PHONE, webhooks.place.number))
      post(own, change("user_preferences", '"user_preferences":[{"wa_id":"4915122","user_id":"DE.1",'
        .. '"category":"marketing_messages","value":"resume","timestamp":1}]'))
      assert.is_false(own:suppressed(OTHER))
    end)

    it("handles a repeated account event once if its kind occurs once, and otherwise each time", function()
      local seen = {}
      local own = receiver { account = function(event) seen[#seen + 1] = event.field end }
      for _ = 1, 2 do
        post(own, change("smb_app_state_sync", '"state_sync":[{"type":"contact","action":"add"}]'))
        post(own, change("group_settings_update", '"groups":[]'))
      end
      table.sort(seen)
      assert.same({ "group_settings_update", "group_settings_update", "smb_app_state_sync" }, seen)
    end)

    it("keeps the longer window of a new number", function()
      local own = receiver {}
      post(own, message(OTHER, nil, '"type":"text","text":{"body":"x"},"referral":{"source_type":"ad"}'))
      post(own, message(PHONE, USER))
      post(own, message(PHONE, nil, '"type":"system","system":{"type":"user_changed_number","wa_id":"4915122","body":"b"}'))
      assert.is_true(own:window(OTHER) > 259000)
    end)

    it("keeps the state with a new user id", function()
      local own = receiver { text = function(event) event.state.seen = (event.state.seen or 0) + 1 end }
      post(own, message(PHONE, USER))
      post(own, message(nil, "DE.2", '"type":"system","system":{"type":"user_changed_user_id","user_id":"DE.1","new_user_id":"DE.2"}'))
      post(own, change("user_id_update",
        '"user_id_update":[{"user_id":{"previous":"DE.2","current":"DE.3"},"timestamp":"1767225600"}]'))
      local state
      own = receiver { text = function(event) state = event.state end }
      post(own, message(nil, "DE.3"))
      assert.same({ seen = 1 }, state)
      assert.same({ "DE.3 4915111 DE.3", "DE.3 4915111 DE.3" }, see(message(PHONE), message(nil, USER)))
    end)

    it("has a state that is stored with the acknowledgement, but not after an error of the handler", function()
      local tries = 0
      local own = receiver { text = function(event)
        assert.same({}, event.state)
        event.state.list = { 1, "a\0b", { deep = true } }
        tries = tries + 1
        if tries < 3 then error "not yet" end
      end }
      own:handle { method = "POST", headers = {}, body = message(PHONE) }
      repeat own:work() until own.inbox:depth() == 0
      assert.equal(3, tries)
      local state
      post(receiver { text = function(event)
        state = event.state
        event.state = nil
      end }, message(PHONE))
      assert.same({ list = { 1, "a\0b", { deep = true } } }, state)
      post(receiver { text = function(event) state = event.state end }, message(PHONE))
      assert.same({}, state)
    end)

    it("has the new state if the store has refused the acknowledgement at first", function()
      local own = receiver { text = function(event) event.state.count = (event.state.count or 0) + 1 end }
      local store, refused = own.inbox.store, 0
      for _, name in ipairs { "take", "settle" } do
        local method = store[name]
        store[name] = function(self, ...)
          local changes = select(name == "take" and 3 or 1, ...)
          if changes and changes[1] and changes[1].done and refused < 2 then
            refused = refused + 1
            return nil, require("waba.errors").new { kind = "unavailable", message = "busy", retryable = true }
          end
          return method(self, ...)
        end
      end
      assert.equal(200, (own:handle { method = "POST", headers = {}, body = message(PHONE) }))
      own:work()
      assert.equal(2, refused)
      assert.equal(0, own.inbox:depth())
      local state
      post(receiver { text = function(event) state = event.state end }, message(PHONE))
      assert.same({ count = 1 }, state)
    end)

    it("has a separate state for each business number, and one for each group", function()
      local states = {}
      local own = receiver { text = function(event)
        event.state.n = (event.state.n or 0) + 1
        states[#states + 1] = event.state.n
      end }
      local function text(id, more, number)
        return webhooks.entry(webhooks.change({ messages = ('{"from":"1","id":"%s",%s"type":"text","text":{"body":"x"}}')
          :format(id, more) }, number, number))
      end
      own.prepare = nil
      for _, body in ipairs { text("a", "", "492"), text("b", "", "493"), text("c", '"group_id":"G",', "492"),
        text("d", '"group_id":"G",', "492"), text("e", "", "492") } do post(own, body) end
      assert.same({ 1, 1, 1, 2, 2 }, states)
    end)

    it("has its event moved to the dead letters, with the reason, if its state can't be stored", function()
      local function reason(state)
        local own = receiver { text = function(event) event.state = state end }
        own:handle { method = "POST", headers = {}, body = message(PHONE) }
        own:work()
        local aside = own.inbox:set_aside()
        own.inbox:drop { dead = true }
        assert.equal(1, #aside)
        return aside[1].reason
      end
      assert.equal("invalid: event.state must be a table or nil, not a string", reason "text")
      assert.truthy(reason({ text = ("x"):rep(70000) }):find "event.state has 7%d+ bytes as JSON: at most 65536 are stored")
      assert.equal("invalid: event.state.fn can't be stored as JSON: a value of type function can't be written as JSON",
        reason { fn = print })
      assert.equal("invalid: event.state.orders.open can't be stored as JSON: the array has a hole at position 1",
        reason { name = "Eva", orders = { done = {}, open = { [118] = true } } })
      assert.equal("invalid: event.state.list[2] can't be stored as JSON: the text is not valid UTF-8 at byte 1",
        reason { list = { "a", "\252" } })
      assert.equal("invalid: event.state can't be stored as JSON: the table has both positions and names: expected only one of "
        .. "them", reason { "a", name = "Eva" })
      local cycle = {}
      cycle.inner = { cycle = cycle }
      assert.matches("^invalid: event.state[%.%w]* can't be stored as JSON: the table contains itself$", reason(cycle))
    end)

    it("replies to a question, also in another process", function()
      local own = receiver { text = function(event)
        assert(event:ask(waba.text "Your name?", "name"))
      end }
      post(own, message(PHONE))
      local seen = {}
      local function on()
        return {
          text = function(event) seen[#seen + 1] = "text " .. event.text end,
          reaction = function() seen[#seen + 1] = "reaction" end,
          any = function() seen[#seen + 1] = "any" end,
          step = { name = function(event)
            event.state.name = event.text
            seen[#seen + 1] = "name " .. event.text
            assert(event:ask(waba.text "And your age?", "age"))
          end, age = function(event) seen[#seen + 1] = "age of " .. event.state.name end },
        }
      end
      own = receiver(on())
      post(own, message(PHONE, nil, '"type":"reaction","reaction":{"message_id":"x","emoji":"y"}'))
      post(own, message(PHONE))
      post(receiver(on()), message(PHONE))
      post(receiver(on()), message(PHONE))
      assert.same({ "reaction", "any", "name Hi", "age of Hi", "text Hi", "any" }, seen)
    end)

    it("calls the usual handler if the step of the question is unknown, or the question was not sent", function()
      post(receiver { text = function(event) assert(event:ask(waba.text "?", "gone")) end }, message(PHONE))
      local seen = {}
      local client = new_client(function() return require("waba.errors").new { kind = "window", message = "closed" } end)
      local on = { text = function(event)
        seen[#seen + 1] = "text"
        local sent, err = event:ask(waba.text "?", "other")
        assert.is_nil(sent)
        assert.equal("window", err.kind)
      end, step = { other = function() seen[#seen + 1] = "other" end } }
      for _ = 1, 2 do post(receiver(on, { client = client }), message(PHONE)) end
      assert.same({ "text", "text" }, seen)
      local own = receiver { text = function(event) event:ask(waba.text "?") end }
      own:handle { method = "POST", headers = {}, body = message(PHONE) }
      local _, _, raised = own:work()
      assert.truthy(tostring(raised):find("event:ask: the step must be a string that is not empty", 1, true))
    end)

    it("gets no question if the step can't be stored: for a status, and after the handlers", function()
      local client, errs, kept = new_client(), {}, nil
      local own = receiver({
        text = function(event) kept = event end,
        status = function(event) errs[#errs + 1] = select(2, event:ask(waba.text "?", "answer")) end,
        step = { answer = function() end },
      }, { client = client })
      post(own, message(PHONE))
      errs[1] = select(2, kept:ask(waba.text "?", "answer"))
      post(own, webhooks.cloud { statuses = '{"id":"s","status":"read","timestamp":"1","recipient_id":"4915111"}' })
      for index = 1, 2 do assert.same({ "invalid", "step" }, { errs[index].kind, errs[index].path }) end
      assert.same({}, client.sent)
    end)

    it("has methods that report wrong use with the line of the handler", function()
      local question = waba.text "?"
      for message_of, use in pairs {
        ["event:reply must be called with a colon, not a dot"] = function(event) local _ = event.reply(question) end,
        ["event:ask must be called with a colon, not a dot"] = function(event) local _ = event.ask(question, "a") end,
        ["event:mark_read must be called with a colon, not a dot"] = function(event) local _ = event.mark_read() end,
        ["event:download must be called with a colon, not a dot"] = function(event) local _ = event.download {} end,
        ["event:ask: the message must be a table from a builder, not a string"] = function(event)
          local _ = event:ask("?", "a")
        end,
      } do
        local own = receiver { text = use }
        own:handle { method = "POST", headers = {}, body = message(PHONE) }
        local _, _, raised = own:work()
        assert.matches("customers_spec%.lua:%d+: " .. message_of, tostring(raised))
        own.inbox:drop {}
      end
    end)

    it("gets no replies of the bot while an employee or another sender writes", function()
      local seen = {}
      local function bot()
        return receiver({
          text = function(event) seen[#seen + 1] = "text " .. event.id end,
          standby = function(event) seen[#seen + 1] = "standby " .. event.kind end,
        }, { quiet_while = { echo = 3600, standby = true } })
      end
      local now = os.time()
      local function text(id, time)
        return webhooks.cloud { messages = ('{"from":"4915111","id":"%s","timestamp":"%d","type":"text","text":{"body":"x"}}')
          :format(id, time) }
      end
      post(bot(), text("a", now))
      post(bot(), change("smb_message_echoes", ('"message_echoes":[{"from":"1","to":"4915111","id":"e","timestamp":"%d",'
        .. '"type":"text","text":{"body":"x"}}]'):format(now)))
      post(bot(), text("b", now + 60))
      post(bot(), text("c", now + 3601))
      post(bot(), change("standby", ('"messages":[{"from":"4915111","id":"s","timestamp":"%d","type":"text",'
        .. '"text":{"body":"x"}}]'):format(now + 3700)))
      post(bot(), text("d", now + 3800))
      post(bot(), change("messaging_handovers", ('"type":"control_passed","timestamp":"%d","sender":{"wa_id":"4915111"}')
        :format(now + 3900)))
      post(bot(), text("f", now + 4000))
      post(bot(), change("messaging_handovers", ('"type":"control_taken","timestamp":"%d","sender":{"wa_id":"4915111"}')
        :format(now + 4100)))
      post(bot(), text("g", now + 4200))
      assert.same({ "text a", "standby standby", "text c", "standby standby", "standby standby", "text f", "standby standby" },
        seen)
    end)

    it("has a window of 24 hours, or of 72 hours after an advertisement, under each of the ids", function()
      local now = os.time()
      local own = receiver {}
      assert.equal(0, own:window(PHONE))
      post(own, message(PHONE, USER, nil, now - 3600))
      for _, to in ipairs { PHONE, USER, { user_id = USER }, "+49 151 11" } do
        assert.is_true(math.abs(own:window(to) - 82800) < 60)
        assert.is_true(math.abs(receiver({}):window(to, webhooks.place.number) - 82800) < 60)
        assert.is_true(own:window(to, webhooks.place.phone_number_id) > 0)
      end
      assert.equal(0, own:window(PHONE, "4930777"))
      assert.equal("invalid", select(2, own:window "x").kind)
      -- A message that is older than the last one does not shorten the window.
      post(own, message(PHONE, USER, nil, now - 7200))
      assert.is_true(own:window(PHONE) > 82000)
      post(own, message(PHONE, nil, '"type":"text","text":{"body":"x"},"referral":{"source_type":"ad"}', now))
      assert.is_true(own:window(PHONE) > 259000)
      post(own, message(OTHER, nil, nil, now - 90000))
      assert.equal(0, own:window(OTHER))
      -- A message from the future, because the platform's clock is ahead, opens a window of 24 hours at most.
      post(own, message("4915199", nil, nil, now + 4 * 86400))
      assert.equal(0, own:window(PHONE))
      assert.is_true(own:window "4915199" <= 86400)
      post(own, message("4915198", nil, nil, now + 400 * 86400)) -- a time that is far in the future opens no window
      assert.equal(0, own:window "4915198")
    end)

    it("gets no reply to a message that is too old, and the question stays open", function()
      local seen = {}
      local on = {
        text = function(event)
          seen[#seen + 1] = "text"
          assert(event:ask(waba.text "?", "answer"))
        end,
        any = function(event) seen[#seen + 1] = "any" .. (event.is_late and " late" or "") end,
        step = { answer = function() seen[#seen + 1] = "answer" end },
      }
      local own = receiver(on, { max_age = 600 })
      post(own, message(PHONE, nil, nil, os.time() - 500))
      post(own, message(PHONE, nil, nil, os.time() - 700))
      post(own, message(PHONE))
      assert.same({ "text", "any", "any late", "answer" }, seen)
    end)

    describe("who writes several messages", function()
      local function text(id, more)
        return webhooks.cloud { messages = ('{"from":"4915111","id":"%s",%s"timestamp":"%d","type":"text","text":{"body":"%s"}}')
          :format(id, more or "", os.time(), id) }
      end

      local function put(own, ...)
        for _, body in ipairs { ... } do
          assert.equal(200, (own:handle { method = "POST", headers = {}, body = body }))
        end
      end

      local function work(own)
        repeat
          assert(own:work())
          waba.sleep(0.01)
        until own.inbox:depth() == 0
      end

      local function joined(event)
        local texts = {}
        for index, one in ipairs(event.messages) do texts[index] = one.text end
        return table.concat(texts, " ")
      end

      it("gets one reply, and no status waits for it", function()
        local seen = {}
        local client = new_client()
        local own = receiver({
          text = function(event)
            assert(event:reply(waba.text(joined(event))))
            assert.equal(client, event.messages[1].client)
            assert.is_string(require("waba.core").encode(event))
            event.state.count = (event.state.count or 0) + 1
            seen[#seen + 1] = ("%s of %s, %d"):format(event.text, joined(event), event.state.count)
          end,
          status = function() seen[#seen + 1] = "status" end,
        }, { gather = 0.2, client = client })
        put(own, text "a", text "b")
        assert.equal(0, (own:work()))
        put(own, text "c", webhooks.cloud { statuses = '{"id":"s","status":"sent","timestamp":"1","recipient_id":"4915111"}' })
        work(own)
        put(own, text "d")
        work(own)
        assert.same({ "status", "c of a b c, 1", "d of d, 2" }, seen)
        assert.equal(2, #client.sent)
      end)

      it("gets a reply to all of them if the handler has failed before", function()
        local seen = {}
        local own
        own = receiver({ text = function(event)
          seen[#seen + 1] = joined(event)
          if #seen == 1 then
            put(own, text "c")
            error "not yet"
          end
        end }, { gather = 0.2 })
        put(own, text "a", text "b")
        work(own)
        assert.same({ "a b", "a b", "c" }, seen)
      end)

      it("has all of them among the dead letters, in their order", function()
        local final = require("waba.errors").new { kind = "timeout", message = "lost", maybe_sent = true }
        local own = receiver({ text = function() error(final, 0) end }, { gather = 0.25 })
        put(own, text "a", text "b")
        work(own)
        local dead = own.inbox:set_aside()
        assert.equal(2, #dead)
        for index, letter in ipairs(dead) do
          assert.same({ index == 1 and "a" or "b", 1, "timeout: lost (may have been sent)" },
            { letter.event.id, letter.attempts, letter.reason })
        end
        assert.equal(2, own.inbox:retry_dead())
        local seen = {}
        own = receiver({ text = function(event) seen[#seen + 1] = joined(event) end }, { gather = 0.25 })
        work(own)
        assert.same({ "a b" }, seen)
      end)

      it("is another customer with other ids, and other events are not joined", function()
        local seen = {}
        local own = receiver({
          text = function(event) seen[#seen + 1] = joined(event) end,
          reaction = function(event) seen[#seen + 1] = "reaction of " .. #event.messages end,
          reply = function(event) seen[#seen + 1] = "reply of " .. #event.messages end,
          preference = function(event) seen[#seen + 1] = "preference of " .. tostring(event.messages) end,
        }, { gather = 0.25 })
        put(own, text "a", text "b", text("c", '"from_user_id":"DE.1",'), text("d", '"from_user_id":"DE.1",'),
          message(PHONE, USER, '"type":"reaction","reaction":{"message_id":"x","emoji":"y"}'), text "e",
          message(PHONE, nil, '"type":"interactive","interactive":{"type":"button_reply","button_reply":{"id":"1","title":"t"}}'),
          change("user_preferences", '"user_preferences":[{"wa_id":"4915111","category":"marketing_messages",'
            .. '"value":"stop","timestamp":1}]'))
        work(own)
        assert.same({ "a b", "c d", "reaction of 1", "e", "reply of 1", "preference of nil" }, seen)
        -- Later messages are not joined, even if they are already stored.
        put(own, text "f")
        waba.sleep(0.4)
        put(own, text "g", text "h")
        work(own)
        assert.same({ "f", "g h" }, { seen[7], seen[8] })
      end)
    end)

    it("has the costs of the statuses of delivered messages, counted once", function()
      local own = receiver {}
      local function status(id, name, more, pricing)
        return webhooks.cloud { statuses = ('{"id":"%s","status":"%s","timestamp":"1",%s,"pricing":{%s}}'):format(id, name,
          more, pricing) }
      end
      local regular = '"billable":true,"pricing_model":"PMP","type":"regular","category":"marketing"'
      local german = '"recipient_id":"4915111"'
      for _, body in ipairs {
        status("a", "sent", german, regular), status("a", "delivered", german, regular),
        status("a", "delivered", german, regular), status("b", "read", german, regular),
        status("c", "delivered", '"recipient_user_id":"BR.1"', '"type":"regular","category":"utility"'),
        status("d", "delivered", german, '"billable":false,"type":"free_entry_point","category":"service"'),
        status("e", "delivered", '"recipient_id":"35312345678"', regular),
      } do post(own, body) end
      local rows = {}
      for index, row in ipairs(own:costs()) do
        rows[index] = ("%s %s %s %s %d"):format(row.number, row.category, row.type, row.country, row.count)
      end
      assert.same({ "493099001 marketing regular DE 2", "493099001 marketing regular IE 1",
        "493099001 utility regular BR 1" }, rows)
    end)

    it("has the costs of a message counted once if the handler of its status fails at first", function()
      local tries = 0
      local own = receiver { delivered = function()
        tries = tries + 1
        if tries < 3 then error "not yet" end
      end }
      own:handle { method = "POST", headers = {}, body = webhooks.cloud { statuses = '{"id":"s","status":"delivered","timestamp":"1",'
        .. '"recipient_id":"4915111","pricing":{"billable":true,"type":"regular","category":"utility"}}' } }
      repeat own:work() until own.inbox:depth() == 0
      assert.equal(3, tries)
      assert.equal(1, own:costs()[1].count)
    end)

    it("gets no marketing templates of send_all and of senders after an opt-out", function()
      local support = require "spec.support.bulk"
      local gateway = support.gateway()
      local client = support.client(gateway)
      local own = receiver {}
      assert(own:suppress(PHONE))
      local offer = waba.template { name = "offer", language = "en" }
      local function run(more, to)
        local list, results, index = { PHONE, to or OTHER }, {}, 0
        local options = { suppress = own, on_result = function(key, sent, err)
          results[key] = sent and "sent" or err.kind
        end }
        for name, value in pairs(more) do options[name] = value end
        local summary = assert(client:send_all(function()
          index = index + 1
          return list[index], offer
        end, options))
        return { summary.sent, summary.suppressed, summary.done, results[1], results[2] }
      end
      assert.same({ 1, 1, 2, "blocked", "sent" }, run { marketing = true })
      assert.same({ 2, 0, 2, "sent", "sent" }, run {})
      client.templates.known = { offer = { en = { name = "offer", language = "en", category = "MARKETING" } } }
      assert.same({ 1, 1, 2, "blocked", "sent" }, run {})
      assert.same({ 2, 0, 2, "sent", "sent" }, run { marketing = false })
      -- On-Premise hosting refuses the option `marketing`.
      assert.same({ 0, 1, 2, "blocked", "invalid" }, run { send = { marketing = true } })
      local outbox, results = waba.outbox.memory(), {}
      local sender = waba.sender { outbox = outbox, client = client, suppress = own, on_result = function(entry, sent, err)
        results[entry.key] = sent and "sent" or err.kind
      end }
      outbox:put { { to = PHONE, key = "a", message = offer }, { to = OTHER, key = "b", message = offer },
        { to = PHONE, key = "c", message = waba.text "Hi" } }
      sender:work()
      assert.same({ a = "blocked", b = "sent", c = "sent" }, results)
      results = {}
      assert.same({ 1, 1, 2, "blocked" }, run { outbox = outbox, campaign = "offer", marketing = true, stop = function()
        sender:work()
      end })
      assert.is_nil(results["offer:1"])
      assert.equal("sent", results["offer:2"])
      assert.has_error(function() client:send_all(function() end, { suppress = {} }) end,
        "client:send_all: option suppress must be a receiver from waba.receiver")
    end)

    it("is suppressed after the gateway has refused a message with 131050", function()
      local refused = { status = 400, body = '{"error":{"code":131050,"message":"m"}}' }
      local offer = waba.template { name = "offer", language = "en" }
      local client = require("spec.support.scripted_transport").cloud_client { refused, refused }
      client.own_number = { number = webhooks.place.number }
      local own, to = receiver {}, PHONE .. "1111"
      local sent = false
      assert(client:send_all(function()
        if sent then return nil end
        sent = true
        return to, offer
      end, { suppress = own, marketing = true }))
      assert.equal("131050", receiver({}):suppressed(to, webhooks.place.number))
      assert.is_false(own:suppressed(to, "4930777"))
      local outbox = waba.outbox.memory { hosting = "cloud" }
      assert(outbox:put { to = OTHER .. "1111", message = offer, options = { marketing = true } })
      waba.sender { outbox = outbox, client = client, suppress = own }:work()
      assert.equal("131050", own:suppressed(OTHER .. "1111"))
      post(own, change("user_preferences", ('"user_preferences":[{"wa_id":"%s","category":"marketing_messages",'
        .. '"value":"resume","timestamp":1}]'):format(to)))
      assert.is_false(own:suppressed(to))
    end)

    it("is suppressed before the business number has got a message", function()
      local number, id = webhooks.place.number, webhooks.place.phone_number_id
      local stop = change("user_preferences", '"user_preferences":[{"wa_id":"4915111","user_id":"DE.1",'
        .. '"category":"marketing_messages","value":"stop","timestamp":1}]')
      local failed = webhooks.cloud { statuses = '{"id":"s","status":"failed","timestamp":"1","recipient_id":"4915111",'
        .. '"recipient_user_id":"DE.1","errors":[{"code":131050,"title":"t"}]}' }
      for reason, body in pairs { preference = stop, ["131050"] = failed } do
        box = box .. "'"
        post(receiver {}, body)
        for _, to in ipairs { PHONE, USER } do
          for _, asked in ipairs { number, id, false } do
            assert.equal(reason, receiver({}):suppressed(to, asked or nil))
          end
        end
        assert.is_false(receiver({}):suppressed(PHONE, "4930777"))
      end
    end)

    it("is suppressed by the program for a number that has got no event yet, and afterwards", function()
      local number, id = webhooks.place.number, webhooks.place.phone_number_id
      local own = receiver {}
      assert(own:suppress(PHONE, number))
      assert.equal("own", own:suppressed(PHONE, number))
      assert.equal("own", receiver({}):suppressed(PHONE))
      assert.is_false(own:suppressed(PHONE, "4930777"))
      post(own, message(PHONE, USER))
      for _, seen_by in ipairs { own, receiver {} } do
        for _, to in ipairs { PHONE, USER } do
          for _, asked in ipairs { number, id, false } do assert.equal("own", seen_by:suppressed(to, asked or nil)) end
        end
      end
      post(own, message(PHONE, nil, '"type":"system","system":{"type":"user_changed_number","wa_id":"4915122","body":"b"}'))
      assert.equal("own", own:suppressed(OTHER, id))
      post(own, message(PHONE))
      assert.is_false(own:suppressed(PHONE, number))
      assert(own:unsuppress(USER, id))
      assert.is_false(own:suppressed(OTHER))
      assert(own:suppress(OTHER, number))
      post(own, change("user_preferences", '"user_preferences":[{"wa_id":"4915122","category":"marketing_messages",'
        .. '"value":"resume","timestamp":1}]'))
      assert.is_false(own:suppressed(OTHER))
    end)

    it("is no longer suppressed if the program uses the other id to remove the record", function()
      local own = receiver {}
      post(own, message(PHONE, USER))
      for _, number in ipairs { false, webhooks.place.number } do
        for _, pair in ipairs { { PHONE, USER }, { USER, PHONE } } do
          assert(own:suppress(pair[1], number or nil))
          assert(own:unsuppress(pair[2], number or nil))
          assert.is_false(own:suppressed(pair[1]))
        end
      end
    end)

    it("is suppressed by preferences, by error 131050 and by the program", function()
      local own = receiver {}
      assert.is_false(own:suppressed(PHONE))
      local function preference(value, time)
        return change("user_preferences", ('"user_preferences":[{"wa_id":"4915111","category":"marketing_messages",'
          .. '"value":"%s","timestamp":%d}]'):format(value, time))
      end
      post(own, message(PHONE, USER))
      post(own, preference("stop", 1))
      assert.equal("preference", own:suppressed(PHONE))
      assert.equal("preference", receiver({}):suppressed(USER, webhooks.place.number))
      assert.is_false(own:suppressed(PHONE, "4930777"))
      post(own, preference("resume", 2))
      assert.is_false(own:suppressed(USER))
      post(own, webhooks.cloud { statuses = '{"id":"s","status":"failed","timestamp":"1","recipient_id":"4915111",'
        .. '"errors":[{"code":131050,"title":"t"}]}' })
      assert.equal("131050", own:suppressed(PHONE))
      assert(own:suppress(OTHER))
      assert.equal("own", own:suppressed(OTHER, webhooks.place.number))
      assert.equal("own", own:suppressed(OTHER))
      assert(own:unsuppress(OTHER))
      assert.is_false(own:suppressed(OTHER))
      assert.equal("invalid", select(2, own:suppress "x").kind)
      for _, method in ipairs { "suppress", "unsuppress", "suppressed", "window" } do
        local _, err = own[method](own, OTHER, "x")
        assert.same({ "invalid", "number" }, { err.kind, err.path }, method)
      end
    end)
  end)
end
