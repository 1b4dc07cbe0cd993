local webhook = require "waba.hosting.on_premise.webhook"
local core = require "waba.core"
local errors = require "waba.errors"

local function read(json) return webhook.read(assert(core.decode(json))) end

-- Returns the event of a message that has these members in addition to `from`, `id` and `timestamp`.
local function message(members)
  local json = ('{"contacts":[{"profile":{"name":"Eva"},"wa_id":"4915112345678"}],'
    .. '"messages":[{"from":"4915112345678","id":"ABGH","timestamp":"1712044800",%s}]}'):format(members)
  local events = read(json)
  assert.equal(1, #events)
  return events[1]
end

local function status(members)
  local events = read(('{"statuses":[{"id":"gBGH","timestamp":"1712044801","type":"message",%s}]}'):format(members))
  assert.equal(1, #events)
  return events[1]
end

local function is_integer(number)
  return type(number) == "number" and (not math.type or math.type(number) == "integer")
end

describe("an On-Premise webhook", function()
  describe("with a message", function()
    it("has sender, content and time", function()
      local event = message '"type":"text","text":{"body":"Hallo"}'
      assert.equal("message", event.kind)
      assert.equal("on_premise", event.hosting)
      assert.is_nil(event.number)
      assert.equal("text", event.type)
      assert.equal("Hallo", event.text)
      assert.equal("ABGH", event.id)
      assert.equal("4915112345678", event.from)
      assert.same({ name = "Eva", wa_id = "4915112345678" }, event.contact)
      assert.equal(1712044800, event.timestamp)
      assert.is_true(is_integer(event.timestamp))
      assert.same({
        from = "4915112345678", id = "ABGH", timestamp = "1712044800", type = "text", text = { body = "Hallo" },
      }, event.raw)
    end)

    for _, kind in ipairs { "image", "video", "document", "audio", "sticker" } do
      it("reads media: " .. kind, function()
        local event = message(('"type":"%s","%s":{"id":"8b1e","mime_type":"x/y; a=b","sha256":"7f12",'
          .. '"caption":"Meine Brille","filename":"a.pdf"}'):format(kind, kind))
        assert.equal(kind, event.type)
        assert.equal("Meine Brille", event.text)
        assert.same({
          id = "8b1e", mime_type = "x/y; a=b", sha256 = "7f12", caption = "Meine Brille", filename = "a.pdf",
        }, event.media)
      end)
    end

    it("has a voice note", function()
      local event = message '"type":"voice","voice":{"id":"25fd","mime_type":"audio/ogg; codecs=opus"}'
      assert.equal("voice", event.type)
      assert.is_true(event.media.voice)
      assert.is_nil(event.text)
    end)

    it("has a sticker's metadata", function()
      local event = message('"type":"sticker","sticker":{"id":"1b","metadata":'
        .. '{"sticker-pack-id":"cuppy","emojis":["☕"],"is-first-party-sticker":1}}')
      assert.same({ ["sticker-pack-id"] = "cuppy", emojis = { "☕" }, ["is-first-party-sticker"] = 1 },
        event.media.metadata)
    end)

    it("has media that was not downloaded", function()
      local event = message '"type":"document","document":{"filename":"gross.pdf","status":"undownloaded"}'
      assert.is_nil(event.media.id)
      assert.equal("undownloaded", event.media.status)
    end)

    it("has the number 0 as a latitude, and numbers for strings of digits", function()
      local event = message '"type":"location","location":{"latitude":0,"longitude":"13.5","name":null,"address":"A 1"}'
      assert.same({ latitude = 0, longitude = 13.5, address = "A 1" }, event.location)
    end)

    it("has shared contacts", function()
      local event = message('"type":"contacts","contacts":[{"name":{"formatted_name":"Max"},'
        .. '"phones":[{"phone":"+49","wa_id":null}],"emails":[]}]')
      assert.same({ { name = { formatted_name = "Max" }, phones = { { phone = "+49" } }, emails = {} } },
        event.contacts)
      assert.equal(core.null, event.raw.contacts[1].phones[1].wa_id)
    end)

    it("has a template's button, with or without payload", function()
      local event = message '"type":"button","button":{"text":"Ich komme","payload":"PICKUP"}'
      assert.same({ text = "Ich komme", payload = "PICKUP" }, event.button)
      assert.equal("Ich komme", event.text)
      event = message '"type":"button","button":{"text":"Ich komme","payload":null}'
      assert.same({ text = "Ich komme" }, event.button)
    end)

    it("has the tapped reply button", function()
      local event = message('"type":"interactive","context":{"from":"49305550199","id":"gBGH"},'
        .. '"interactive":{"type":"button_reply","button_reply":{"id":"ok-118","title":"Ja"}}')
      assert.equal("interactive", event.type)
      assert.same({ kind = "button", id = "ok-118", title = "Ja" }, event.reply)
      assert.equal("Ja", event.text)
      assert.same({ from = "49305550199", id = "gBGH" }, event.context)
    end)

    it("has the selected row of a list", function()
      local event = message('"type":"interactive","interactive":{"type":"list_reply",'
        .. '"list_reply":{"id":"mo-09","title":"09:00","description":"Sehtest"}}')
      assert.same({ kind = "list", id = "mo-09", title = "09:00", description = "Sehtest" }, event.reply)
    end)

    it("has the decoded JSON of a flow's response", function()
      local event = message([["type":"interactive","interactive":{"type":"nfm_reply","nfm_reply":]]
        .. [[{"name":"address_message","body":"Eva Kern\nRing 5",]]
        .. [["response_json":"{\"values\":{\"city\":\"Berlin\",\"floor\":null}}"}}]])
      assert.equal("flow", event.reply.kind)
      assert.equal("address_message", event.reply.name)
      assert.same({ values = { city = "Berlin" } }, event.reply.data)
      assert.equal("Eva Kern\nRing 5", event.text)
    end)

    it("has a flow's response that is an object already, or the text if it is not JSON", function()
      local form = '"type":"interactive","interactive":{"type":"nfm_reply","nfm_reply":{"response_json":%s}}'
      assert.same({ a = 1 }, message(form:format '{"a":1}').reply.data)
      assert.equal("not {json", message(form:format '"not {json"').reply.data)
    end)

    it("has an order, with its numbers in both forms", function()
      local event = message('"type":"order","order":{"catalog_id":448811220099,"text":"Bitte","product_items":['
        .. '{"product_retailer_id":52,"quantity":"2","item_price":129.9,"currency":"EUR"}]}')
      assert.same({
        catalog_id = "448811220099", text = "Bitte",
        product_items = { { product_retailer_id = "52", quantity = 2, item_price = 129.9, currency = "EUR" } },
      }, event.order)
      assert.equal("Bitte", event.text)
    end)

    it("has a changed number, in both forms", function()
      for _, name in ipairs { "user_changed_number", "customer_changed_number" } do
        local event = message(('"type":"system","system":{"type":"%s","body":"User changed","new_wa_id":"49170"}'):format(name))
        assert.equal("user_changed_number", event.system.type)
        assert.equal("49170", event.system.new_wa_id)
        assert.equal("User changed", event.text)
      end
      assert.equal("49171", message '"type":"system","system":{"type":"user_changed_number","wa_id":"49171"}'.system.new_wa_id)
    end)

    it("has a changed identity and an event of a group", function()
      local event = message '"type":"system","system":{"type":"user_identity_changed","identity":"Jd7f=","user":"4915"}'
      assert.same({ type = "user_identity_changed", identity = "Jd7f=", user = "4915" }, event.system)
      event = message '"type":"system","system":{"type":"group_user_joined","users":["1","2"],"group_id":"g"}'
      assert.same({ type = "group_user_joined", users = { "1", "2" }, group_id = "g" }, event.system)
    end)

    it("has a reaction, and a removed one", function()
      assert.same({ message_id = "g", emoji = "👍" },
        message '"type":"reaction","reaction":{"message_id":"g","emoji":"👍"}'.reaction)
      assert.same({ message_id = "g" }, message '"type":"reaction","reaction":{"message_id":"g","emoji":""}'.reaction)
    end)

    for _, kind in ipairs { "unknown", "unsupported", "ephemeral" } do
      it("has the reason why it can't be shown: " .. kind, function()
        local event = message(('"type":"%s","errors":[{"code":501,"title":"Message type is not currently supported",'
          .. '"details":"d"}]'):format(kind))
        assert.equal(kind, event.type)
        assert.equal(1, #event.errors)
        assert.is_true(errors.is_error(event.errors[1]))
        assert.equal(501, event.errors[1].code)
        assert.equal("d", event.errors[1].details)
      end)
    end

    it("has context, referral and identity", function()
      local event = message('"type":"text","text":{"body":"x"},'
        .. '"context":{"forwarded":true,"frequently_forwarded":"true","mentions":["1"],'
        .. '"referred_product":{"catalog_id":1,"product_retailer_id":"S"}},'
        .. '"referral":{"source_type":"ad","source_id":"2","image":{"id":"42ac"},"body":null},'
        .. '"identity":{"hash":"h","acknowledged":"false","created_timestamp":1712044800123}')
      assert.same({
        forwarded = true, frequently_forwarded = true, mentions = { "1" },
        product = { catalog_id = "1", product_retailer_id = "S" },
      }, event.context)
      assert.same({ source_type = "ad", source_id = "2", image = { id = "42ac" } }, event.referral)
      assert.same({ hash = "h", acknowledged = false, created_timestamp = 1712044800123 }, event.identity)
    end)

    it("has the name and the content of an unknown type", function()
      local event = message '"type":"hologram","hologram":{"depth":3}'
      assert.equal("hologram", event.type)
      assert.same({ depth = 3 }, event.raw.hologram)
    end)

    it("has a derived type if the type is missing", function()
      assert.equal("text", message '"text":{"body":"x"}'.type)
      assert.equal("x", message '"text":{"body":"x"}'.text)
      assert.equal("unknown", message '"x":1'.type)
    end)
  end)

  describe("with a status", function()
    it("has the price and the conversation of the message", function()
      local event = status('"status":"sent","message":{"recipient_id":"4915112345678"},"conversation":{"id":"73cf",'
        .. '"expiration_timestamp":"1712131201","origin":{"type":"utility"}},'
        .. '"pricing":{"pricing_model":"CBP","billable":true,"category":"utility"}')
      assert.equal("status", event.kind)
      assert.equal("sent", event.status)
      assert.equal("gBGH", event.id)
      assert.equal("4915112345678", event.recipient)
      assert.equal(1712044801, event.timestamp)
      assert.same({ id = "73cf", expiration_timestamp = 1712131201, origin = { type = "utility" } }, event.conversation)
      assert.same({ pricing_model = "CBP", billable = true, category = "utility" }, event.pricing)
    end)

    it("has the recipient, in both places", function()
      assert.equal("1", status '"status":"read","recipient_id":"+1"'.recipient)
      assert.equal("2", status '"status":"read","recipient_id":"1","message":{"recipient_id":"+2"}'.recipient)
      assert.equal("1", status '"status":"read","recipient_id":1,"message":{"recipient_id":null}'.recipient)
      assert.is_nil(status '"status":"read"'.recipient)
    end)

    it("has error objects if the message failed", function()
      local event = status('"status":"failed","errors":[{"code":470,"title":"Re-engagement","href":"https://x"},'
        .. '{"code":"1000"}]')
      assert.equal("window", event.errors[1].kind)
      assert.equal("https://x", event.errors[1].href)
      assert.equal(1000, event.errors[2].code)
    end)

    for _, word in ipairs { "delivered", "read", "deleted", "warning", "sending", "teleported" } do
      it("may be " .. word, function()
        assert.equal(word, status(('"status":"%s"'):format(word)).status)
      end)
    end
  end)

  it("has errors without a message", function()
    local events = read '{"errors":[{"code":1014,"title":"Internal error","details":"temporary failure"}]}'
    assert.equal(1, #events)
    assert.equal("error", events[1].kind)
    assert.equal(1014, events[1].error.code)
    assert.is_true(errors.is_error(events[1].error))
    assert.equal("temporary failure", events[1].raw.details)
  end)

  it("has the events in order: messages, statuses, errors, contacts, each as in its list", function()
    local events = read('{"errors":[{"code":1}],"contacts":[{"input":"+49 1","status":"valid","wa_id":"491"}],'
      .. '"statuses":[{"id":"s1","status":"sent"},{"id":"s2","status":"read"}],'
      .. '"messages":[{"id":"m1","type":"text"},{"id":"m2","type":"image"},{"id":"m1","type":"text"}]}')
    local seen = {}
    for index, event in ipairs(events) do seen[index] = event.kind .. ":" .. (event.id or event.field or event.error.code) end
    assert.same({
      "message:m1", "message:m2", "message:m1", "status:s1", "status:s2", "error:1", "account:contacts",
    }, seen)
  end)

  it("has the results of a contact check", function()
    local events = read('{"contacts":[{"input":"+49 151","status":"valid","wa_id":"49151"},'
      .. '{"input":"1","status":"invalid","wa_id":null}]}')
    assert.equal(2, #events)
    assert.equal("account", events[1].kind)
    assert.equal("contacts", events[1].field)
    assert.same({ input = "+49 151", status = "valid", wa_id = "49151" }, events[1].value)
    assert.same({ input = "1", status = "invalid" }, events[2].value)
    -- a contact with one of these fields is the result of a check
    for _, result in ipairs { '"input":"+49 151"', '"status":"valid"' } do
      events = read('{"messages":[{"from":"49151","id":"x"}],"contacts":[{"wa_id":"49151",' .. result .. "}]}")
      assert.same({ 2, "contacts" }, { #events, events[2] and events[2].field })
    end
  end)

  it("has profiles of people who neither wrote nor received a message", function()
    local events = read('{"messages":[{"from":"1","id":"x"}],"statuses":[{"id":"s","recipient_id":"2"}],"contacts":['
      .. '{"wa_id":"2","profile":{"name":"B"}},{"wa_id":"1","profile":{"name":"A"}},{"wa_id":"3","profile":{"name":"C"}}]}')
    assert.same({ 3, "A", "contacts", "3" }, { #events, events[1].contact.name, events[3].field, events[3].value.wa_id })
  end)

  describe("has the sender's profile", function()
    it("by wa_id, in any order", function()
      local events = read('{"contacts":[{"profile":{"name":"B"},"wa_id":"2"},{"profile":{"name":"A"},"wa_id":"1"}],'
        .. '"messages":[{"from":"1","id":"x"},{"from":"2","id":"y"},{"from":"1","id":"z"}]}')
      assert.equal(3, #events)
      assert.equal("A", events[1].contact.name)
      assert.equal("B", events[2].contact.name)
      assert.equal("A", events[3].contact.name)
    end)

    it("only if the webhook has one", function()
      local events = read '{"contacts":[],"messages":[{"from":"+1","id":"x"},{"id":"y"}]}'
      assert.same({ wa_id = "1" }, events[1].contact)
      assert.equal("1", events[1].from)
      assert.same({}, events[2].contact)
      assert.is_nil(events[2].from)
    end)

    it("by position if a wa_id or a sender is missing", function()
      local events = read('{"contacts":[{"profile":{"name":"A"}},{"profile":{"name":"B"},"wa_id":2}],'
        .. '"messages":[{"from":"1","id":"x"},{"id":"y"}]}')
      assert.same({ name = "A", wa_id = "1" }, events[1].contact)
      assert.same({ name = "B", wa_id = "2" }, events[2].contact)
      assert.equal(2, #events)
    end)

    it("but not the profile of another customer", function()
      local events = read '{"contacts":[{"profile":{"name":"B"},"wa_id":"2"}],"messages":[{"from":"1","id":"x"}]}'
      assert.same({ wa_id = "1" }, events[1].contact)
      assert.equal("account", events[2].kind)
      assert.equal("B", events[2].value.profile.name)
    end)
  end)

  describe("raises no error and drops nothing", function()
    it("with ids as numbers, numbers as strings, and timestamps of any kind", function()
      local events = read('{"messages":[{"from":4915112345678,"id":17,"timestamp":1712044800},'
        .. '{"from":"1","id":"x","timestamp":"soon"},{"from":"1","id":"y","timestamp":null},'
        .. '{"from":"1","id":"z","timestamp":"1712044800.7"}]}')
      assert.equal("4915112345678", events[1].from)
      assert.equal("17", events[1].id)
      assert.is_true(is_integer(events[1].timestamp))
      assert.is_nil(events[2].timestamp)
      assert.is_nil(events[3].timestamp)
      assert.equal(1712044800, events[4].timestamp)
    end)

    it("with members of the wrong type", function()
      local events = read('{"messages":["odd",7,{"type":"text","text":"plain"},{"type":"image","image":[]},'
        .. '{"type":"order","order":{"product_items":"x"}},{"type":"interactive","interactive":{"type":"x"}},'
        .. '{"type":{"a":1},"from":{"b":2},"context":3,"errors":"bad","identity":[],"contact":true}],'
        .. '"statuses":["odd",{"id":null,"status":5,"conversation":"c","pricing":[1],"errors":null}],'
        .. '"errors":["bad"],"contacts":"nobody"}')
      local types = {}
      for index, event in ipairs(events) do types[index] = event.kind .. ":" .. tostring(event.type or event.status) end
      assert.same({
        "message:unknown", "message:unknown", "message:text", "message:image", "message:order", "message:interactive",
        "message:unknown", "status:unknown", "status:5", "error:nil", "account:nil",
      }, types)
      assert.equal("odd", events[1].raw)
      assert.equal("plain", events[3].text)
    end)

    it("with values that are not lists", function()
      local events = read '{"messages":{"id":"m","type":"text","text":{"body":"x"}},"statuses":null,"errors":{},"contacts":null}'
      assert.equal(1, #events)
      assert.equal("x", events[1].text)
      assert.equal("x", read '{"messages":"x"}'[1].raw)
    end)

    it("with nulls everywhere", function()
      local event = read('{"messages":[null,{"id":"m","from":null,"type":"text","text":null,"context":null,"errors":[null],'
        .. '"referral":null,"identity":null}],"statuses":[null],"errors":[null],"contacts":[null]}')
      assert.equal(1, #event)
      assert.equal("m", event[1].id)
      assert.is_nil(event[1].text)
    end)

    it("with unknown members of the body", function()
      local events = read('{"meta":{"version":"2.53"},"calls":[{"id":"c1"},{"id":"c2"}],"messages":[{"id":"m"}]}')
      assert.equal(3, #events)
      assert.equal("calls", events[2].field)
      assert.same({ id = "c1" }, events[2].value)
      events = read '{"meta":{"version":"2.53"}}'
      assert.equal("meta", events[1].field)
      assert.same({}, read "{}")
    end)

    it("with any value in place of any member", function()
      local body = '{"contacts":[{"profile":{"name":"E"},"wa_id":"1"}],"messages":[{"from":"1","id":"m","timestamp":"1",'
        .. '"type":"interactive","interactive":{"type":"list_reply","list_reply":{"id":"a"}},"context":{"id":"c"}}],'
        .. '"statuses":[{"id":"s","status":"sent","message":{"recipient_id":"1"},"errors":[{"code":1}]}],'
        .. '"errors":[{"code":2}]}'
      local count = 0
      for _, odd in ipairs { "null", "true", "-1.5", '"x"', "[]", "{}", "[[1]]", '{"a":{}}', "1e300" } do
        for start, stop in body:gmatch('()"[^":,]*"%f[,}%]]()') do
          assert.is_table(read(body:sub(1, start - 1) .. odd .. body:sub(stop)))
          count = count + 1
        end
        for start, stop in body:gmatch "()%b{}()" do
          if start > 1 then assert.is_table(read(body:sub(1, start - 1) .. odd .. body:sub(stop))) end
        end
        for _, name in ipairs { "contacts", "messages", "statuses", "errors", "context", "interactive", "list_reply" } do
          local start, stop = body:match('"' .. name .. '":()[%[{].-[%]}]()')
          local open = body:sub(start, start)
          stop = body:match(open == "{" and "%b{}()" or "%b[]()", start) or stop
          assert.is_table(read(body:sub(1, start - 1) .. odd .. body:sub(stop)))
        end
      end
      assert.is_true(count > 50)
    end)
  end)
end)
