-- Actions of an emulated customer other than messages to the bot, such as a change of the number, and the webhooks that
-- the emulated Cloud gateway sends for them.

local support = require "spec.support.emulator"

local unpack = table.unpack or unpack

describe("a customer of the Cloud gateway", function()
  local emulator, cloud

  setup(function()
    emulator = assert(support.start({ cloud = { statuses = false } }))
    cloud = emulator.cloud
  end)

  teardown(function() emulator:stop() end)

  -- Runs actions. Returns the changes that the webhooks contain, in order, as { field, value }.
  local function changes_of(count, act)
    local changes = {}
    support.with_receiver(cloud, function(receiver)
      act()
      support.eventually(function() return #receiver.requests >= count end)
      for i, request in ipairs(receiver.requests) do changes[i] = request.json.entry[1].changes[1] end
    end)
    assert.equal(count, #changes)
    return unpack(changes)
  end

  -- Sends a text to a number or a user id. Returns the id of the message.
  local function send_text(to)
    local status, sent = support.request(cloud, "POST", "/messages", { messaging_product = "whatsapp", type = "text",
      text = { body = "Hello" }, [to:find "^%u" and "recipient" or "to"] = to })
    assert.equal(200, status)
    return sent.messages[1].id
  end

  it("hides the number and shows it again, in messages and statuses", function()
    local eva = cloud:customer("+49 151 100", { name = "Eva", username = "@eva" })
    local first, hidden, status, shown = changes_of(4, function()
      assert(eva:text "a")
      assert(eva:hide_number())
      assert(eva:text "b")
      assert(eva:statuses(send_text "49151100", { "delivered" }))
      assert(eva:show_number())
      assert(eva:text "c")
    end)
    assert.equal("49151100", first.value.messages[1].from)
    assert.is_nil(first.value.messages[1].from_user_id)
    local message, user_id = hidden.value.messages[1], hidden.value.messages[1].from_user_id
    assert.is_nil(message.from)
    assert.matches("^DE%.%d+$", user_id)
    assert.same({ { profile = { name = "Eva", username = "@eva" }, user_id = user_id } }, hidden.value.contacts)
    assert.is_nil(status.value.statuses[1].recipient_id)
    assert.equal(user_id, status.value.statuses[1].recipient_user_id)
    assert.is_nil(status.value.contacts[1].wa_id)
    assert.same({ "49151100", user_id }, { shown.value.messages[1].from, shown.value.messages[1].from_user_id })
  end)

  it("gets a new user id with a new number, and keeps the window", function()
    local ida = cloud:customer("+49 151 200", { name = "Ida", user_id = "DE.200" })
    local _, moved, text, hidden = changes_of(4, function()
      assert(ida:text "a")
      assert(ida:change_number("+49 151 201", "DE.201"))
      assert(cloud:wait { pending = 0 }) -- webhooks of the old and the new number could arrive in any order
      assert(ida:text "b")
      assert(ida:hide_number())
      assert(ida:change_number "+49 151 202")
    end)
    assert.same({ from = "49151200", from_user_id = "DE.200", type = "system", id = moved.value.messages[1].id,
      timestamp = moved.value.messages[1].timestamp, system = { type = "user_changed_number", wa_id = "49151201",
        user_id = "DE.201", body = "User Ida changed from 49151200 to 49151201" } }, moved.value.messages[1])
    assert.same({ "49151201", "DE.201" }, { text.value.messages[1].from, text.value.messages[1].from_user_id })
    local system = hidden.value.messages[1].system
    assert.same({ nil, "DE.201", "user_changed_user_id" },
      { hidden.value.messages[1].from, hidden.value.messages[1].from_user_id, system.type })
    assert.is_nil(system.wa_id)
    assert.is_true(cloud:contact("49151202").window)
    assert.is_false(cloud:contact("49151200").window)
    local record = cloud:message(send_text(system.user_id))
    assert.equal("49151202", record.wa_id)
  end)

  it("gets a new user id, reported by a system message or by a field", function()
    local mo = cloud:customer("+49 151 300", { name = "Mo", user_id = "DE.300" })
    local message, field, text = changes_of(3, function()
      assert(mo:change_user_id "DE.301")
      assert(mo:change_user_id("DE.302", { field = true }))
      assert(mo:text "a")
    end)
    local system = message.value.messages[1]
    assert.is_nil(system.from)
    assert.same({ "DE.300", { type = "user_changed_user_id", user_id = "DE.301", body = "User Mo changed the user id" } },
      { system.from_user_id, system.system })
    assert.equal("user_id_update", field.field)
    local update = field.value.user_id_update[1]
    assert.same({ { previous = "DE.301", current = "DE.302" }, "49151300" }, { update.user_id, update.wa_id })
    assert.equal(cloud.phone_number_id, field.value.metadata.phone_number_id)
    assert.equal("DE.302", text.value.messages[1].from_user_id)
    local id, err = cloud:customer("+49 151 301"):change_user_id()
    assert.is_nil(id)
    assert.matches("the customer has no user id", err.message)
  end)

  it("gets messages of the business's own app, in each field that can contain them", function()
    local eva = cloud:customer("+49 151 400", { user_id = "DE.400" })
    local ids = {}
    local app, image, standby, plain = changes_of(4, function()
      ids[1] = assert(eva:echo "Hello")
      ids[2] = assert(eva:echo({ type = "image", image = { id = "1" } }, { field = "message_echoes", id = "wamid.own" }))
      ids[3] = assert(eva:echo("Hello", { field = "standby" }))
      ids[4] = assert(eva:echo("Hello", { field = "messages" }))
    end)
    local event = app.value.message_echoes[1]
    assert.same({ from = cloud.number, to = "49151400", to_user_id = "DE.400", id = ids[1], type = "text",
      text = { body = "Hello" }, timestamp = event.timestamp }, event)
    assert.same({ "smb_message_echoes", "message_echoes", "standby", "messages" },
      { app.field, image.field, standby.field, plain.field })
    assert.same({ "wamid.own", { id = "1" } }, { image.value.message_echoes[1].id, image.value.message_echoes[1].image })
    assert.equal(ids[3], standby.value.message_echoes[1].id)
    assert.equal(cloud.number, plain.value.messages[1].from)
    local id, err = eva:echo("Hello", { field = "x" })
    assert.is_nil(id)
    assert.matches('field: "x" has no echoes', err.message, 1, true)
    assert.has_error(function() eva:echo({}) end,
      "customer:echo: the message must be a string, or a table with the field type")
  end)

  it("writes to another sender after a handover, until the program gets or takes the conversation back", function()
    local eva = cloud:customer("+49 151 500", { name = "Eva" })
    local fields, values = {}, {}
    for i, change in ipairs({ changes_of(9, function()
      assert(eva:text "1")
      assert(eva:handover "control_taken")
      assert(eva:text "2")
      assert(eva:handover("control_passed", "escalation"))
      assert(eva:text "3")
      assert(eva:handover "control_taken")
      assert(eva:text "4")
      send_text "49151500"
      assert(eva:text "5")
      assert(eva:standby("6", { id = "wamid.six" }))
    end) }) do fields[i], values[i] = change.field, change.value end
    local handover = "messaging_handovers"
    assert.same({ "messages", handover, "standby", handover, "messages", handover, "standby", "messages", "standby" },
      fields)
    assert.same({ type = "control_taken", timestamp = values[2].timestamp, sender = { phone_number = "49151500" },
      recipient = { display_phone_number = cloud.number, phone_number_id = cloud.phone_number_id },
      control_taken = { previous_owner_role = "partner", new_owner_role = "ai_agent" } }, values[2])
    assert.same({ previous_owner_role = "escalation", new_owner_role = "partner" }, values[4].control_passed)
    assert.equal("2", values[3].messages[1].text.body)
    assert.equal("Eva", values[3].contacts[1].profile.name)
    assert.equal("wamid.six", values[9].messages[1].id)
    assert.has_error(function() eva:handover "taken" end,
      'customer:handover: the kind must be "control_taken" or "control_passed"')
  end)

  it("stops marketing messages, which fail afterwards, and resumes them", function()
    local eva = cloud:customer("+49 151 600", { name = "Eva" })
    local function send_offer()
      local _, sent = support.cloud_send(cloud, "template", { name = "spring_offer", language = { code = "en" } },
        { to = "49151600" }, { path = "/marketing_messages" })
      return cloud:message(sent.messages[1].id)
    end
    cloud:configure({ statuses = { sent = 0 } })
    local stopped, failed, _, resumed = changes_of(4, function()
      assert(eva:preference "stop")
      send_offer()
      cloud:advance(1)
      send_text "49151600"
      cloud:advance(1)
      assert(eva:preference "resume")
    end)
    cloud:configure({ statuses = false })
    assert.equal("user_preferences", stopped.field)
    assert.equal("49151600", stopped.value.contacts[1].wa_id)
    local preference = stopped.value.user_preferences[1]
    assert.same({ wa_id = "49151600", category = "marketing_messages", value = "stop", timestamp = preference.timestamp,
      detail = "User requested to stop marketing messages" }, preference)
    assert.equal(131050, failed.value.statuses[1].errors[1].code)
    assert.equal("resume", resumed.value.user_preferences[1].value)
    assert.equal("marketing_lite", send_offer().category)
    assert.has_error(function() eva:preference "no" end, 'customer:preference: the value must be "stop" or "resume"')
  end)

  it("gets statuses out of order, twice, or not at all", function()
    local eva = cloud:customer("+49 151 700")
    local order = {}
    for i, change in ipairs({ changes_of(4, function()
      assert(eva:text "Hi")
      assert(eva:statuses(send_text "49151700", { "read", "delivered", "delivered" }))
    end) }) do order[i] = change.value.statuses and change.value.statuses[1].status end
    assert.same({ nil, "read", "delivered", "delivered" }, order)
    local done, err = eva:statuses("wamid.none", { "read" })
    assert.is_nil(done)
    assert.matches("id: expected the id of a message that the gateway has accepted, not wamid.none", err.message, 1, true)
  end)
end)

describe("a customer of the On-Premise gateway", function()
  it("can change the number, but has no user id", function()
    local emulator = assert(support.start({ statuses = false }))
    finally(function() emulator:stop() end)
    local eva = emulator:customer("+49 151 12345678", { name = "Eva" })
    assert(eva:text "Hi")
    assert(eva:change_number "+49 151 87654321")
    assert.is_true(emulator:contact("4915187654321").window)
    for _, act in ipairs({ "hide_number", "show_number", "change_user_id" }) do
      local done, err = eva[act](eva)
      assert.is_nil(done)
      assert.matches("only customers of the Cloud gateway have this method", err.message)
    end
  end)
end)
