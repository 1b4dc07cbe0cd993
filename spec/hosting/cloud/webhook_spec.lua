-- Webhooks that only Cloud hosting sends. spec/webhook/contract_spec.lua tests webhooks that both hostings send.

local core = require "waba.core"
local errors = require "waba.errors"
local waba = require "waba"
local webhooks = require "spec.support.webhooks"

local function read(body) return assert(waba.events(body)) end

local function one(body)
  local events = read(body)
  assert.equal(1, #events)
  assert.equal("cloud", events[1].hosting)
  return events[1]
end

local function message(own, contact)
  return one(webhooks.cloud { contacts = contact, messages = '{"id":"wamid.A","timestamp":"1767225599",' .. own .. "}" })
end

local function status(own, contact)
  return one(webhooks.cloud { contacts = contact, statuses = '{"id":"wamid.OUT","timestamp":"1767225601",' .. own .. "}" })
end

-- Returns the event of a webhook with one change and a fixed time.
local function news(field, value)
  local event = one(webhooks.entry(('{"field":"%s","value":%s}'):format(field, value), 1767225600))
  assert.equal("account", event.kind)
  assert.equal(1767225600, event.timestamp)
  assert.equal(webhooks.place.waba_id, event.waba_id)
  return event
end

describe("a Cloud webhook", function()
  it("has the number that received it", function()
    local event = message '"from":"49151","type":"text","text":{"body":"Hello"}'
    assert.equal("493099001", event.number)
    assert.equal("40110022003", event.phone_number_id)
    assert.equal("30220099001", event.waba_id)
    local change = webhooks.change({ messages = '{"id":"a","from":"1"}' }, "+1 (631) 555-0100", "9007199254740993")
    event = one(webhooks.entry(change:gsub('"9007199254740993"', "9007199254740993")))
    assert.equal("16315550100", event.number)
    assert.equal("9007199254740993", event.phone_number_id)
    event = one(webhooks.entry(webhooks.change({ messages = '{"id":"a","from":"1"}' }, "", "77")))
    assert.equal("77", event.number)
  end)

  it("may have entries and changes of several numbers", function()
    local function change(id, number) return webhooks.change({ messages = '{"id":"' .. id .. '","from":"1"}' }, number) end
    local first = change("a", "491") .. "," .. change("b", "492")
    local events = read('{"object":"whatsapp_business_account","entry":[{"id":"W1","changes":[' .. first .. ']},'
      .. '{"id":"W2","changes":[' .. change("c", "493") .. ',{"field":"flows","value":{"event":"x"}}]},'
      .. '{"id":"W3","changes":[]},null,{"id":"W4","changes":[null]}]}')
    local seen = {}
    for index, event in ipairs(events) do
      seen[index] = ("%s %s %s"):format(event.id or event.field, event.number or "-", event.waba_id)
    end
    assert.same({ "a 491 W1", "b 492 W1", "c 493 W2", "flows - W2" }, seen)
  end)

  describe("has as the sender", function()
    it("the business-scoped user id if there is no number", function()
      local event = message('"from_user_id":"DE.8823145","from_parent_user_id":"DE.ENT.1","type":"text","text":{"body":"x"}',
        '{"profile":{"name":"Ida","username":"@ida"},"user_id":"DE.8823145","parent_user_id":"DE.ENT.1"}')
      assert.is_nil(event.from)
      assert.equal("DE.8823145", event.from_user_id)
      assert.equal("DE.ENT.1", event.from_parent_user_id)
      assert.same({ name = "Ida", username = "@ida", user_id = "DE.8823145", parent_user_id = "DE.ENT.1" }, event.contact)
    end)

    it("both, in any order of contacts", function()
      local events = read(webhooks.cloud {
        contacts = { '{"profile":{"name":"B"},"user_id":"DE.2"}', "null",
          '{"profile":{"name":"A"},"wa_id":"1","user_id":"DE.1","identity_key_hash":"h"}' },
        messages = { '{"from":"1","from_user_id":"DE.1","id":"x"}', '{"from":"2","from_user_id":"DE.2","id":"y"}' },
      })
      assert.equal(2, #events)
      assert.same({ name = "A", wa_id = "1", user_id = "DE.1", identity_key_hash = "h" }, events[1].contact)
      assert.same({ name = "B", wa_id = "2", user_id = "DE.2" }, events[2].contact)
    end)

    it("a customer without contacts", function()
      assert.same({ wa_id = "1", user_id = "DE.1" }, message('"from":"+1","from_user_id":"DE.1"').contact)
      assert.same({}, message('"type":"system","system":{"type":"x"}').contact)
    end)

    it("no other customer", function()
      local events = read(webhooks.cloud { contacts = '{"profile":{"name":"B"},"wa_id":"2"}', messages = '{"from":"1","id":"x"}' })
      assert.same({ wa_id = "1" }, events[1].contact)
      assert.equal("contacts", events[2].field)
      assert.equal("B", events[2].value.profile.name)
      events = read(webhooks.cloud {
        contacts = { '{"profile":{"name":"A"}}', '{"profile":{"name":"B"}}' }, messages = { '{"from":"1","id":"x"}' },
      })
      assert.is_nil(events[1].contact.name)
      assert.equal(3, #events)
      for _, odd in ipairs { "7", '"x"', "true" } do
        events = read(webhooks.cloud { contacts = { odd }, messages = { '{"from":"1","id":"x"}' } })
        assert.same({ wa_id = "1" }, events[1].contact)
      end
    end)
  end)

  describe("with a message", function()
    it("has the group", function()
      local event = message '"from":"1","group_id":"Y2Fwa","type":"text","text":{"body":"x"}'
      assert.equal("Y2Fwa", event.group_id)
      assert.equal("1", event.from)
    end)

    it("has the URL of media", function()
      local event = message('"from":"1","type":"image","image":{"id":"90110","mime_type":"image/jpeg","sha256":"u=",'
        .. '"url":"https:\\/\\/lookaside.fbsbx.com\\/x?mid=1\\u0026ext=1"}')
      assert.equal("https://lookaside.fbsbx.com/x?mid=1&ext=1", event.media.url)
    end)

    it("has the reply to a call permission request", function()
      local event = message('"from":"1","type":"interactive","interactive":{"type":"call_permission_reply",'
        .. '"call_permission_reply":{"response":"accept","is_permanent":false,"expiration_timestamp":1767830400,'
        .. '"response_source":"user_action"}}')
      assert.same({
        kind = "call_permission", response = "accept", is_permanent = false, expiration_timestamp = 1767830400,
        response_source = "user_action",
      }, event.reply)
    end)

    it("has the payment method that a customer has agreed to", function()
      local event = message('"from":"1","type":"interactive","interactive":{"type":"payment_method","payment_method":{'
        .. '"payment_method":"offsite_card_pay","payment_timestamp":1790000000,"reference_id":"118",'
        .. '"last_four_digits":"5235","credential_id":1234567}}')
      assert.same({
        kind = "payment_method", payment_method = "offsite_card_pay", payment_timestamp = 1790000000, reference_id = "118",
        last_four_digits = "5235", credential_id = "1234567",
      }, event.reply)
    end)

    it("has the response of a flow in each of its forms", function()
      local form = '"type":"interactive","interactive":{"nfm_reply":{"response_json":%s}}'
      assert.same({ a = 1 }, message(form:format '{"a":1}').reply.data)
      assert.same({ 1, 2 }, message(form:format '"[1,2]"').reply.data)
      assert.equal("oops {", message(form:format '"oops {"').reply.data)
      assert.is_nil(message(form:format "null").reply.data)
    end)

    it("has an edit as the new content, with the id of the edited message", function()
      local event = message('"from":"1","type":"edit","edit":{"original_message_id":"wamid.Z",'
        .. '"message":{"type":"image","image":{"id":"5","caption":"new"},"context":{"id":"c"}}}')
      assert.equal("edit", event.type)
      assert.equal("wamid.Z", event.edit.original_message_id)
      assert.equal("image", event.edit.message.type)
      assert.equal("new", event.text)
      assert.equal("5", event.media.id)
      for _, odd in ipairs { "3", "{}", '{"message":7}', '{"message":{"type":"edit","edit":{}}}', '{"message":{"type":"x"}}' } do
        assert.is_nil(message('"from":"1","type":"edit","edit":' .. odd).text)
      end
    end)

    it("has a revocation, a welcome and shared contact details", function()
      assert.same({ original_message_id = "wamid.Z" },
        message('"from":"1","type":"revoke","revoke":{"original_message_id":"wamid.Z"}').revoke)
      assert.equal("request_welcome", message('"from":"1","type":"request_welcome"').type)
      assert.equal("contact_request", message('"from":"1","type":"contacts","contacts":[],"origin":"contact_request"').origin)
    end)

    it("has the type of a message that can't be shown", function()
      local event = message('"from":"1","type":"unsupported","errors":[{"code":131051,"title":"Message type unknown",'
        .. '"message":"m","error_data":{"details":"d"}}],"unsupported":{"type":"poll_creation"}')
      assert.same({ type = "poll_creation" }, event.unsupported)
      assert.equal(131051, event.errors[1].code)
      assert.equal("d", event.errors[1].details)
    end)

    it("has a changed user id", function()
      local event = message('"type":"system","system":{"type":"user_changed_user_id","user_id":"DE.2","parent_user_id":"DE.ENT.3",'
        .. '"wa_id":"49151","body":"b"}')
      assert.equal("user_changed_user_id", event.system.type)
      assert.equal("DE.2", event.system.user_id)
      assert.equal("DE.ENT.3", event.system.parent_user_id)
      assert.equal("49151", event.system.new_wa_id)
    end)

    it("has the only contact of its change, unless the ids differ", function()
      for index, row in ipairs {
        { '', '"from":"49"', true }, { '"wa_id":"49",', '"from":"49"', true }, { '"wa_id":"+49",', '"from":"49"', true },
        { '"wa_id":"50",', '"from":"49"', false }, { '"user_id":"U",', '"from_user_id":"U"', true },
        { '"user_id":"U",', '"from_user_id":"V"', false }, { '"user_id":"U",', '"from":"49"', true },
        { '"wa_id":"50",', '"from_user_id":"V"', true }, { '"wa_id":"49","user_id":"U",', '"from":"49","from_user_id":"V"', true },
        { '"wa_id":"50","user_id":"U",', '"from":"49","from_user_id":"U"', true },
        { '"wa_id":"50","user_id":"U",', '"from":"49","from_user_id":"V"', false },
        { '"wa_id":"DE.1",', '"from":"49","from_user_id":"DE.1"', true }, { '"user_id":"49",', '"from":"49","from_user_id":"V"', true },
      } do
        local events = read(webhooks.cloud {
          contacts = ('{%s"profile":{"name":"Eva"}}'):format(row[1]),
          messages = { ('{"id":"m","type":"text","text":{"body":"a"},%s}'):format(row[2]) },
        })
        assert.equal(row[3] and "Eva" or nil, events[1].contact.name, index)
        assert.equal(row[3] and 1 or 2, #events, index)
      end
    end)

    it("has one of several entries for its contact, and the others are no events", function()
      local events = read(webhooks.cloud {
        contacts = '{"wa_id":"1","user_id":"U","profile":{"name":"Eva"}},{"user_id":"U"},{"wa_id":"1"},{"wa_id":"9"},"odd",null',
        messages = { '{"id":"m","type":"text","text":{"body":"a"},"from":"1"}' },
      })
      assert.equal("Eva", events[1].contact.name)
      assert.same({ 3, { wa_id = "9" }, "odd" }, { #events, events[2].value, events[3].value })
    end)

    it("has the identity of a changed identity, from the system object or else from the message", function()
      local function identity_of(kind, in_message, in_system)
        return message(('"from":"1","identity":%s,"type":"system","system":{"type":"%s","identity":%s}'):format(
          in_message, kind, in_system)).system.identity
      end
      local changed = "customer_identity_changed"
      assert.equal("i", identity_of(changed, "null", '{"hash":"i"}'))
      assert.equal("m", identity_of(changed, '{"hash":"m","acknowledged":true}', "null"))
      assert.equal("i", identity_of(changed, '{"hash":"m"}', '{"hash":"i"}'))
      assert.is_nil(identity_of(changed, "null", "null"))
      assert.is_nil(identity_of("customer_changed_number", '{"hash":"m"}', "null"))
    end)
  end)

  describe("with a status", function()
    it("has the sender's data and the price", function()
      local event = status('"status":"sent","recipient_id":"49151","biz_opaque_callback_data":"job=77",'
        .. '"pricing":{"billable":true,"pricing_model":"PMP","type":"regular","category":"marketing_lite"}')
      assert.equal("job=77", event.data)
      assert.is_nil(event.conversation)
      assert.same({ billable = true, pricing_model = "PMP", type = "regular", category = "marketing_lite" }, event.pricing)
      assert.equal("77", status('"status":"sent","biz_opaque_callback_data":77').data)
    end)

    it("has the result of a payment, which is not a status of the message", function()
      local event = status('"type":"payment","status":"failed","recipient_id":"49151","payment":{"reference_id":"ord-118",'
        .. '"amount":{"value":5000,"offset":100},"currency":"BRL","transaction":{"id":"t","status":"failed","error":null}}')
      assert.equal("payment", event.type)
      assert.equal("ord-118", event.payment.reference_id)
      assert.equal(5000, event.payment.amount.value)
      assert.is_nil(event.payment.transaction.error)
      assert.equal("call", status('"type":"call","status":"REJECTED"').type)
      assert.is_nil(status('"type":"message","status":"sent"').type)
      local tracker = require("waba").status_tracker()
      tracker:apply { kind = "status", id = event.id, status = "read" }
      assert.is_nil((tracker:apply(event)))
      assert.equal("read", tracker:status(event.id))
      local ran, on = {}, {}
      for _, name in ipairs { "failed", "payment", "status" } do
        on[name] = function() ran[#ran + 1] = name end
      end
      local dispatch = require("waba.webhook.router").new(on)
      dispatch(event)
      dispatch(status '"type":"call","status":"failed"')
      assert.same({ "payment", "status", "status" }, ran)
    end)

    it("has a recipient without a number, in both spellings", function()
      for _, name in ipairs { "parent_recipient_user_id", "recipient_parent_user_id" } do
        local event = status(('"status":"read","recipient_user_id":"DE.1","%s":"DE.ENT.2"'):format(name))
        assert.is_nil(event.recipient)
        assert.equal("DE.1", event.recipient_user_id)
        assert.equal("DE.ENT.2", event.recipient_parent_user_id)
      end
    end)

    it("has the members of a group", function()
      local events = read(webhooks.cloud { statuses = {
        '{"id":"g","status":"read","recipient_id":"Y2Fwa","recipient_type":"group","recipient_participant_id":"491",'
          .. '"recipient_participant_user_id":"DE.1","recipient_participant_parent_user_id":"DE.ENT.1"}',
        '{"id":"g","status":"read","recipient_id":"Y2Fwa","recipient_type":"group","participant_recipient_id":"+492"}',
      }, contacts = '{"profile":{"name":"Zwei"},"wa_id":"492"}' })
      assert.equal(2, #events)
      for _, event in ipairs(events) do
        assert.equal("Y2Fwa", event.group_id)
        assert.equal("Y2Fwa", event.recipient)
        assert.equal("group", event.recipient_type)
      end
      assert.equal("491", events[1].participant)
      assert.equal("DE.1", events[1].participant_user_id)
      assert.equal("DE.ENT.1", events[1].participant_parent_user_id)
      assert.is_nil(events[1].contact)
      assert.equal("492", events[2].participant)
      assert.equal("Zwei", events[2].contact.name)
    end)

    it("may have the recipient's profile, which makes no event", function()
      local event = status('"status":"sent","recipient_id":"49151","recipient_identity_key_hash":"h"',
        '{"profile":{"name":"Ida"},"wa_id":"49151","user_id":"DE.1"}')
      assert.same({ name = "Ida", wa_id = "49151", user_id = "DE.1" }, event.contact)
      assert.equal("h", event.recipient_identity_key_hash)
    end)

    for _, word in ipairs { "pending", "captured", "RINGING", "deleted", "warning" } do
      it("may be " .. word, function() assert.equal(word, status('"status":"' .. word .. '"').status) end)
    end

    it("is unknown if it has no text", function()
      assert.equal("unknown", status('"recipient_id":"491"').status)
      assert.equal("unknown", status('"status":{"a":1}').status)
    end)
  end)

  describe("is an account event", function()
    local FIELDS = {
      message_template_components_update = '{"message_template_id":"7","message_template_buttons":[{"type":"URL"}]}',
      template_category_update = '{"previous_category":"UTILITY","new_category":"MARKETING"}',
      phone_number_name_update = '{"display_phone_number":"493099001","decision":"DEFERRED"}',
      account_update = '{"event":"DISABLED_UPDATE","ban_info":{"waba_ban_state":"DISABLE","waba_ban_date":"January 1, 2026"}}',
      account_review_update = '{"decision":"APPROVED"}',
      account_alerts = '{"entity_type":"BUSINESS","alert_info":{"alert_severity":"CRITICAL"}}',
      account_settings_update = '{"a":{"b":[1,2]}}',
      business_capability_update = '{"max_daily_conversations_per_business":"TIER_UNLIMITED"}',
      security = '{"display_phone_number":"493099001","event":"PIN_CHANGED","requester":"1"}',
      smb_app_state_sync = '{"state_sync":[{"type":"contact","action":"add"}]}',
      flows = '{"event":"FLOW_STATUS_CHANGE","flow_id":"1","old_status":"DRAFT","new_status":"PUBLISHED"}',
      group_lifecycle_update = '{"groups":[{"group_id":"Y2Fwa","type":"group_create"}]}',
      group_participants_update = '{"groups":[{"type":"group_participants_add"}]}',
      group_settings_update = '{"groups":[{"group_subject":{"text":"x","update_successful":true}}]}',
      group_status_update = '{"groups":[{"type":"group_suspend"}]}',
      business_username_update = '{"display_phone_number":"493099001","status":"approved"}',
      payment_configuration_update = '{"configuration_name":"x"}',
      field_of_tomorrow = '{"anything":[{"deep":{"er":1}}]}',
    }
    for field, value in pairs(FIELDS) do
      it("of " .. field .. ", with all its fields", function()
        local event = news(field, value)
        assert.equal(field, event.field)
        assert.same(core.decode(value), event.value)
        assert.same(core.decode(value), event.raw)
      end)
    end

    it("of a template's review, without nulls, with its language in the usual form", function()
      local event = news("message_template_status_update", '{"event":"REJECTED","message_template_id":9007199254740993,'
        .. '"message_template_name":"n","message_template_language":"en-US","reason":null,"rejection_info":{"reason":"r"}}')
      assert.same({
        event = "REJECTED", message_template_id = "9007199254740993", message_template_name = "n",
        message_template_language = "en_US", rejection_info = { reason = "r" },
      }, event.value)
      assert.equal("en-US", event.raw.message_template_language)
      assert.equal(core.null, event.raw.reason)
      assert.equal("880011", news("message_template_status_update", '{"message_template_id":880011}').value.message_template_id)
    end)

    it("of a template's quality, with either name", function()
      for _, field in ipairs { "message_template_quality_update", "message_template_status_update" } do
        local event = news(field, '{"previous_quality_score":"GREEN","new_quality_score":"RED","message_template_id":1}')
        assert.equal("message_template_quality_update", event.field)
        assert.equal("RED", event.value.new_quality_score)
      end
    end)

    it("of a number, with the number", function()
      local event = news("phone_number_quality_update", '{"display_phone_number":"+49 3099 002","event":"FLAGGED"}')
      assert.equal("493099002", event.number)
      event = news("user_preferences", '{"metadata":{"display_phone_number":"493099003","phone_number_id":"5"},"user_preferences":[]}')
      assert.equal("493099003", event.number)
      assert.equal("5", event.phone_number_id)
    end)

    it("of messages of other senders and of old messages, which are not new messages", function()
      local written = '[{"from":"493099001","to":"1","id":"wamid.E","timestamp":"1767225599","type":"text","text":{"body":"x"}}]'
      for field, value in pairs {
        history = '{"messages":' .. written .. "}",
        calls = '{"calls":[{"id":"wacid.1","event":"connect"}],"statuses":[{"id":"wacid.1","status":"RINGING"}],"errors":[{"code":1}]}',
      } do
        assert.same(core.decode(value), news(field, value).value)
      end
      local threads = '{"history":[{"metadata":{"phase":0,"progress":55},"threads":[{"id":"1","messages":' .. written .. "}]}]}"
      assert.equal("wamid.E", news("history", threads).value.history[1].threads[1].messages[1].id)
    end)

    local function change_of(field, value)
      return one(webhooks.entry(('{"field":"%s","value":%s}'):format(field, value)))
    end

    it("of a message that the business has written: an echo, with its customer", function()
      local written = '"message_echoes":[{"from":"493099001","to":"+491511","id":"wamid.E","timestamp":"1767225599",'
        .. '"type":"text","text":{"body":"x"}},{"from":"493099001","to_user_id":"DE.1","id":"wamid.F","type":"image",'
        .. '"image":{"id":"7","caption":"y"}}],"contacts":[{"wa_id":"491511","profile":{"name":"Eva"}}]'
      for _, field in ipairs { "smb_message_echoes", "message_echoes" } do
        local list = read(webhooks.entry { ('{"field":"%s","value":{"metadata":{"phone_number_id":"5"},%s}}'):format(
          field, written) })
        assert.equal(2, #list)
        assert.same({ "echo", "text", "x", "491511", "Eva", "wamid.E", "5", 1767225599 }, { list[1].kind, list[1].type,
          list[1].text, list[1].to, list[1].contact.name, list[1].id, list[1].number, list[1].timestamp })
        assert.same({ "echo", "y", "7", "DE.1" }, { list[2].kind, list[2].text, list[2].media.id, list[2].to_user_id })
        assert.is_nil(list[2].to)
      end
    end)

    it("of a message from the business's own number: an echo too", function()
      local list = read(webhooks.entry { [[{"field":"messages","value":{"metadata":{"display_phone_number":"+49 3099 001",
        "phone_number_id":"5"},"messages":[{"from":"493099001","to":"491511","id":"a","type":"text","text":{"body":"x"}},
        {"from_me":true,"from":"1","to":"491511","id":"b","type":"text","text":{"body":"y"}},
        {"from":"491511","id":"c","type":"text","text":{"body":"z"}}]}}]] })
      local kinds = {}
      for index, event in ipairs(list) do kinds[index] = event.kind .. " " .. event.text end
      assert.same({ "echo x", "echo y", "message z" }, kinds)
    end)

    it("of a conversation that another sender has: its messages, echoes and statuses", function()
      local value = '"contacts":[{"wa_id":"491511","profile":{"name":"Eva"}}],"messages":[{"from":"491511","id":"m",'
        .. '"type":"text","text":{"body":"Hi"}}],"message_echoes":[{"from":"5","to":"491511","id":"e","type":"text",'
        .. '"text":{"body":"Hello"}}],"statuses":[{"id":"e","status":"sent","recipient_id":"491511"}]'
      for _, form in ipairs { "{%s}", '{"metadata":{"phone_number_id":"5"},"standby":{%s}}' } do
        local list = read(webhooks.entry { '{"field":"standby","value":' .. form:format(value) .. "}" })
        local kinds = {}
        for index, event in ipairs(list) do kinds[index] = event.kind end
        assert.same({ "standby", "echo", "status" }, kinds)
        assert.same({ "Hi", "Eva", "491511" }, { list[1].text, list[1].contact.name, list[1].from })
      end
    end)

    it("of a handover, with the previous and the new owner", function()
      local event = change_of("messaging_handovers", '{"type":"control_passed","timestamp":"1767225599",'
        .. '"sender":{"phone_number":"491511"},"recipient":{"phone_number_id":"5","display_phone_number":"493099001"},'
        .. '"control_passed":{"previous_owner_role":"ai_agent","new_owner_role":"escalation"}}')
      assert.same({ "handover", "control_passed", "escalation", "ai_agent", "491511", "493099001", "5", 1767225599 },
        { event.kind, event.type, event.owner, event.previous_owner, event.from, event.number, event.phone_number_id,
          event.timestamp })
      event = change_of("messaging_handovers", '{"type":"control_taken","sender":{"user_id":"DE.1"},'
        .. '"control_taken":{"previous_owner_app_role":"META_AI","new_owner_app_role":"PARTNER"}}')
      assert.same({ "control_taken", "PARTNER", "META_AI", "DE.1" },
        { event.type, event.owner, event.previous_owner, event.from_user_id })
      local body = webhooks.entry { '{"field":"messaging_handovers","value":{"metadata":{"phone_number_id":"5"},"type":"a",'
        .. '"recipient":{"phone_number_id":"6"}}}' }
      assert.equal("5", read(body)[1].phone_number_id)
      for sender, from in pairs {
        ['"+491511"'] = "491511", ['{"wa_id":"+491511"}'] = "491511", ['{"id":"491511"}'] = "491511",
        ['{"wa_id":"1","id":"2"}'] = "1", ['{"phone_number":"3","wa_id":"1"}'] = "3", ["{}"] = "none",
      } do
        event = change_of("messaging_handovers", '{"type":"control_taken","sender":' .. sender .. "}")
        assert.equal(from, event.from or "none")
      end
      for owner in ("role app_role"):gmatch "%S+" do
        event = change_of("messaging_handovers", ('{"type":"a","a":{"new_owner_%s":"n","previous_owner_%s":"p"}}'):format(owner,
          owner))
        assert.same({ "n", "p" }, { event.owner, event.previous_owner })
      end
      event = change_of("messaging_handovers", '{"type":"a","a":{"new_owner":"n","previous_owner_app_id":"p"}}')
      assert.same({ "n", "p" }, { event.owner, event.previous_owner })
      assert.equal("account", news("messaging_handovers", '{"odd":true}').kind)
    end)

    it("of preferences: one event for each", function()
      local list = read(webhooks.entry { [[{"field":"user_preferences","value":{"metadata":{"phone_number_id":"5"},
        "contacts":[{"wa_id":"491511","profile":{"name":"Eva"}}],"user_preferences":[
        {"wa_id":"491511","detail":"d","category":"marketing_messages","value":"stop","timestamp":1767225599},
        {"user_id":"DE.2","category":"marketing_messages","value":"resume","timestamp":1767225600}]}}]] })
      assert.equal(2, #list)
      assert.same({ "preference", "marketing_messages", "stop", "491511", "Eva", "d", 1767225599 }, { list[1].kind,
        list[1].category, list[1].value, list[1].from, list[1].contact.name, list[1].text, list[1].timestamp })
      assert.same({ "resume", "DE.2" }, { list[2].value, list[2].from_user_id })
    end)

    it("of a new user id, as in a system message", function()
      local event = change_of("user_id_update", '{"user_id_update":[{"wa_id":"491511","detail":"d","user_id":'
        .. '{"previous":"DE.1","current":"DE.2"},"timestamp":"1767225599"}]}')
      assert.same({ "account", "user_id_update", "491511", "DE.1", "DE.2" },
        { event.kind, event.field, event.from, event.from_user_id, event.system.new_user_id })
    end)

    it("without a field, and that is not an object", function()
      local events = read(webhooks.entry { '{"value":{"x":1}}', '{"field":"flows","value":"text"}', '"odd"', "7",
        '{"field":"flows","value":[1,2]}', '{"field":"flows","value":null}', '{"field":"messages","value":"text"}',
        '{"field":"messages","value":{"messaging_product":"whatsapp"}}' })
      local seen = {}
      for index, event in ipairs(events) do seen[index] = event.kind .. ":" .. event.field end
      assert.same({ "account:unknown", "account:flows", "account:unknown", "account:unknown", "account:flows",
        "account:messages" }, seen)
    end)

    it("with its field one level too high, too low, or without a value around it", function()
      local form = '{"object":"whatsapp_business_account","entry":[%s]}'
      for _, entry in ipairs {
        '{"id":"W","time":5,"field":"account_update","changes":[{"value":{"event":"X"}}]}',
        '{"id":"W","time":5,"changes":[{"value":{"field":"account_update","event":"X"}}]}',
        '{"id":"W","time":5,"changes":[{"field":"account_update","event":"X"}]}',
        '{"id":"W","time":5,"changes":{"field":"account_update","value":{"event":"X"}}}',
        '{"id":"W","time":5,"field":"account_update","value":{"event":"X"}}',
      } do
        local event = one(form:format(entry))
        assert.equal("account_update", event.field)
        assert.equal("X", event.value.event)
        assert.equal("W", event.waba_id)
        assert.equal(5, event.timestamp)
      end
    end)
  end)

  it("has errors without a message, with their numbers", function()
    local event = one(webhooks.cloud { errors = '{"code":130429,"title":"Rate limit hit","error_data":{"details":"d"}}' })
    assert.equal("error", event.kind)
    assert.equal("rate_limited", event.error.kind)
    assert.equal("d", event.error.details)
    assert.equal("493099001", event.number)
    assert.is_true(errors.is_error(event.error))
  end)

  it("keeps unknown lists beside messages", function()
    local change = webhooks.change({ messages = '{"id":"a"}' }):gsub('"messages":', '"polls":[{"id":"p"},null,{"id":"q"}],%0', 1)
    local events = read(webhooks.entry(change))
    assert.equal(3, #events)
    assert.equal("polls", events[2].field)
    assert.same({ id = "q" }, events[3].value)
    assert.equal("493099001", events[3].number)
  end)

  it("is recognized without parts of its envelope", function()
    local change = webhooks.change { messages = '{"id":"a","from":"1"}' }
    for _, body in ipairs {
      '{"entry":[{"id":"30220099001","changes":[' .. change .. "]}]}",
      '{"entry":{"id":"30220099001","changes":' .. change .. "}}",
      '{"id":"30220099001","changes":[' .. change .. "]}",
      '{"object":null,"entry":[{"changes":[' .. change:gsub('"field":"messages",', "") .. "]}]}",
      change:match '"value":(%b{})',
    } do
      local event = one(body)
      assert.equal("a", event.id)
      assert.equal("493099001", event.number)
    end
  end)

  it("has no events if it is about another object, or empty", function()
    local body = webhooks.cloud { messages = '{"id":"a"}' }
    assert.same({}, read((body:gsub("whatsapp_business_account", "instagram"))))
    for _, empty in ipairs { '{"object":"whatsapp_business_account","entry":[]}', '{"object":"whatsapp_business_account"}',
      '{"object":"whatsapp_business_account","entry":null}', webhooks.entry {}, webhooks.cloud {} } do
      assert.same({}, read(empty))
    end
  end)
end)
