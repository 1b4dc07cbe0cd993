-- The webhooks of the emulated Cloud gateway for messages of customers and for changes of the account: their form,
-- their signature, their URLs.

local core = require "waba.core"
local support = require "spec.support.emulator"

describe("the Cloud gateway's webhooks", function()
  local emulator, cloud, eva

  setup(function()
    emulator = assert(support.start({ cloud = { statuses = false, secret = "app secret" } }))
    cloud = emulator.cloud
    eva = cloud:customer("+49 151 1234567", { name = "Eva" })
  end)

  teardown(function() emulator:stop() end)

  -- Performs an action of a customer. Returns the message in the webhook, and the `value` of the webhook's change.
  local function webhook_of(act)
    local message, value
    support.with_receiver(cloud, function(receiver)
      local id = act()
      support.eventually(function() return #receiver.requests > 0 end)
      value = support.changes(receiver, "messages")[1]
      message = value.messages[1]
      assert.is_true(id == true or id == message.id)
    end)
    return message, value
  end

  it("report a text with its sender, and are signed", function()
    support.with_receiver(cloud, function(receiver)
      local id = eva:text("Hello", { reply_to = "wamid.OUT" })
      support.eventually(function() return #receiver.requests > 0 end)
      local request = receiver.requests[1]
      assert.equal("sha256=" .. core.hmac_sha256("app secret", request.body), request.headers["x-hub-signature-256"])
      assert.equal("application/json", request.headers["content-type"])
      local entry = request.json.entry[1]
      assert.equal(cloud.waba_id, entry.id)
      local value = entry.changes[1].value
      assert.equal("messages", entry.changes[1].field)
      assert.same({ { profile = { name = "Eva" }, wa_id = "491511234567" } }, value.contacts)
      local message = value.messages[1]
      assert.matches("^%d+$", message.timestamp)
      message.timestamp = nil
      assert.same({ from = "491511234567", id = id, type = "text", text = { body = "Hello" },
        context = { id = "wamid.OUT", from = cloud.number } }, message)
    end)
  end)

  it("report media with the digest in base64 and a URL that is valid for five minutes", function()
    local message = webhook_of(function() return eva:image({ data = "\255\216\255abc", caption = "broken" }) end)
    assert.equal("broken", message.image.caption)
    assert.equal("image/jpeg", message.image.mime_type)
    assert.equal(44, #message.image.sha256)
    local path = message.image.url:match("^https://lookaside%.fbsbx%.com(/.*)$")
    local status, bytes, headers = support.request(cloud, "GET", path)
    assert.equal(200, status)
    assert.equal("\255\216\255abc", bytes)
    assert.equal("image/jpeg", headers:get("content-type"))
    local _, metadata = support.request(cloud, "GET", "/" .. message.image.id)
    assert.equal(64, #metadata.sha256)
    cloud:advance(301)
    assert.equal(404, (support.request(cloud, "GET", path)))
    assert.equal(200, (support.request(cloud, "GET", "/" .. message.image.id)))
    cloud:advance(7 * 86400)
    assert.equal(400, (support.request(cloud, "GET", "/" .. message.image.id)))
  end)

  it("report a voice note as audio, and whether a sticker is animated", function()
    local voice = webhook_of(function() return eva:voice({ data = "OggS" }) end)
    assert.equal("audio", voice.type)
    assert.is_true(voice.audio.voice)
    assert.is_false(webhook_of(function() return eva:audio({ data = "ID3" }) end).audio.voice)
    assert.is_true(webhook_of(function() return eva:sticker({ data = "RIFF", animated = true }) end).sticker.animated)
    local document = webhook_of(function() return eva:document({ data = "%PDF", filename = "a.pdf" }) end).document
    assert.equal("a.pdf", document.filename)
    assert.equal("video/mp4", webhook_of(function() return eva:video({ data = "ftyp" }) end).video.mime_type)
  end)

  it("report every other type in the platform's form", function()
    local place = { latitude = 0, longitude = 13.4, name = "Shop" }
    assert.same(place, webhook_of(function() return eva:location({ latitude = 0, longitude = 13.4, name = "Shop" }) end)
      .location)
    local card = { { name = { formatted_name = "Ida" }, phones = { { phone = "+49" } } } }
    assert.same(card, webhook_of(function() return eva:contacts(card) end).contacts)
    assert.same({ message_id = "wamid.OUT", emoji = "👍" },
      webhook_of(function() return eva:reaction("wamid.OUT", "👍") end).reaction)
    assert.same({ payload = "stop", text = "Stop" },
      webhook_of(function() return eva:button("Stop", "stop") end).button)
    local order = { catalog_id = "55", product_items = { { product_retailer_id = "B-1", quantity = 2,
      item_price = 49.9, currency = "EUR" } } }
    assert.same(order, webhook_of(function() return eva:order(order) end).order)
    local edit = { original_message_id = "wamid.A", message = { type = "text", text = { body = "new" } } }
    assert.same(edit, webhook_of(function() return eva:message("edit", edit) end).edit)
    assert.equal("request_welcome", webhook_of(function() return eva:message("request_welcome") end).type)
    assert.same({ original_message_id = "wamid.A" }, webhook_of(function() return eva:delete("wamid.A") end).revoke)
  end)

  it("report replies of buttons, lists, flows, addresses and call permissions", function()
    local function reply(content)
      return webhook_of(function() return eva:reply(content) end).interactive
    end
    assert.same({ type = "button_reply", button_reply = { id = "y", title = "Yes" } },
      reply { id = "y", title = "Yes" })
    assert.same({ type = "list_reply", list_reply = { id = "f", title = "Fri", description = "2 left" } },
      reply { kind = "list", id = "f", title = "Fri", description = "2 left" })
    local flow = reply { kind = "flow", data = { flow_token = "t", day = "fri" } }
    assert.equal("nfm_reply", flow.type)
    assert.same({ flow_token = "t", day = "fri" }, core.decode(flow.nfm_reply.response_json))
    assert.equal("address_message", reply({ kind = "flow", name = "address_message", data = {} }).nfm_reply.name)
    local permission = { response = "accept", is_permanent = false, response_source = "user_action" }
    assert.same({ type = "call_permission_reply", call_permission_reply = permission },
      reply { kind = "call_permission", data = permission })
    local payment = { payment_method = "offsite_card_pay", reference_id = "118", credential_id = "1", last_four_digits = "5235" }
    assert.same({ type = "payment_method", payment_method = payment }, reply { kind = "payment_method", data = payment })
  end)

  it("report referrals, forwards and products in a customer's question", function()
    local referral = { source_url = "https://fb.me/x", source_type = "ad", ctwa_clid = "c" }
    local message = webhook_of(function()
      return eva:text("Hi", { referral = referral, forwarded = true,
        referred_product = { catalog_id = "55", product_retailer_id = "B-1" } })
    end)
    assert.same(referral, message.referral)
    assert.same({ forwarded = true, referred_product = { catalog_id = "55", product_retailer_id = "B-1" } },
      message.context)
  end)

  it("report messages that can't be shown", function()
    local message = webhook_of(function() return eva:unknown() end)
    assert.equal("unsupported", message.type)
    assert.equal(131051, message.errors[1].code)
    assert.is_string(message.errors[1].error_data.details)
    assert.same({ type = "unknown" }, message.unsupported)
  end)

  it("report a new number without contacts, and hide numbers of users with a username", function()
    local ida = cloud:customer("+49 151 222", { name = "Ida", user_id = "DE.88", username = "@ida" })
    local message, value = webhook_of(function() return ida:change_number("+49 151 333") end)
    assert.equal("49151222", message.from)
    assert.equal("user_changed_number", message.system.type)
    assert.equal("49151333", message.system.wa_id)
    assert.is_nil(value.contacts)
    local hidden = cloud:customer("+49 151 444", { name = "Mo", user_id = "DE.99", username = "@mo", hidden = true })
    message, value = webhook_of(function() return hidden:text "Hi" end)
    assert.is_nil(message.from)
    assert.equal("DE.99", message.from_user_id)
    assert.same({ { profile = { name = "Mo", username = "@mo" }, user_id = "DE.99" } }, value.contacts)
  end)

  it("report taps on sent messages", function()
    local _, sent = support.cloud_send(cloud, "interactive", { type = "button", body = { text = "Yes?" },
      action = { buttons = { { type = "reply", reply = { id = "y", title = "Yes" } } } } }, { to = "491511234567" })
    local message = webhook_of(function() return eva:tap(sent.messages[1].id, "Yes") end)
    assert.same({ type = "button_reply", button_reply = { id = "y", title = "Yes" } }, message.interactive)
    assert.same({ id = sent.messages[1].id, from = cloud.number }, message.context)
    _, sent = support.cloud_send(cloud, "template", { name = "order_ready", language = { code = "en" }, components = {
      { type = "body", parameters = { { type = "text", text = "Eva" }, { type = "text", text = "118" } } },
      { type = "button", sub_type = "url", index = 1, parameters = { { type = "text", text = "118" } } },
      { type = "button", sub_type = "quick_reply", index = 0, parameters = { { type = "payload", payload = "come" } } },
    } }, { to = "491511234567" })
    message = webhook_of(function() return eva:tap(sent.messages[1].id, "come") end)
    assert.same({ text = "I am coming", payload = "come" }, message.button)
    assert.is_nil((eva:tap(sent.messages[1].id, "nothing")))
  end)

  it("report errors and changes of the account", function()
    support.with_receiver(cloud, function(receiver)
      cloud:error({ code = 130429 })
      cloud:change("account_alerts", { entity_type = "PHONE_NUMBER", alert_info = { alert_severity = "WARNING" } })
      cloud:change("user_preferences", { user_preferences = { { wa_id = "49151", value = "stop" } } })
      cloud:post({ object = "something_else" })
      support.eventually(function() return #receiver.requests == 4 end)
      assert.equal(130429, support.changes(receiver, "messages")[1].errors[1].code)
      assert.equal("WARNING", support.changes(receiver, "account_alerts")[1].alert_info.alert_severity)
      assert.equal(cloud.phone_number_id, support.changes(receiver, "user_preferences")[1].metadata.phone_number_id)
    end)
    local ok, err = emulator:change("x", {})
    assert.is_nil(ok)
    assert.matches("Cloud", err.message)
  end)

  it("are batched as changes of one entry", function()
    cloud:configure({ webhooks = { batch = 10, concurrency = 1 } })
    local receiver_options = { delay = 0.05 }
    support.with_receiver(cloud, function(receiver)
      for i = 1, 6 do eva:text("Text " .. i) end
      support.eventually(function() return #support.cloud_events(receiver, "messages") == 6 end)
      assert.is_true(#receiver.requests < 6)
      for i, message in ipairs(support.cloud_events(receiver, "messages")) do
        assert.equal("Text " .. i, message.text.body)
      end
    end, receiver_options)
    cloud:configure({ webhooks = { batch = 1 } })
  end)
end)

describe("the Cloud gateway's webhook URLs", function()
  local emulator, cloud

  before_each(function()
    emulator = assert(support.start({ cloud = { statuses = false } }))
    cloud = emulator.cloud
  end)

  after_each(function() emulator:stop() end)

  local function ask(method, path, body) return support.request(cloud, method, path, body) end

  it("are set for a number, which returns them, and refused if they are invalid", function()
    assert.same({ url = "", headers = {} }, select(2, ask("GET", "/v1/configs/webhook")))
    local address = { url = "https://bot.example/hook?x=1", headers = { Authorization = "Basic eA==" } }
    local status, body = ask("POST", "/v1/configs/webhook", address)
    assert.equal(200, status)
    assert.same(address, body)
    assert.same(address, select(2, ask("GET", "/v1/configs/webhook")))
    for _, url in ipairs({ "http://bot.example/", "https://bot.example:8443/", "https://my_bot.example/", "nonsense", 5 }) do
      status, body = ask("POST", "/v1/configs/webhook", { url = url })
      assert.equal(400, status, url)
      assert.equal(400, body.meta.httpCode)
      assert.matches("url", body.meta.developerMessage)
    end
    assert.equal(400, (ask("POST", "/v1/configs/webhook", { url = "https://bot.example/", header = {} })))
  end)

  it("are set for the account, take effect after some time, and receive the account's updates", function()
    support.run(function()
      local number, account = support.receiver(), support.receiver()
      support.register(cloud, number)
      assert.equal(404, (ask("GET", "/waba_webhook")))
      assert.is_string(select(2, ask("POST", "/waba_webhook", { url = account.url })).message)
      assert.equal(404, (ask("GET", "/waba_webhook")))
      cloud:advance(20)
      assert.equal(account.url, select(2, ask("GET", "/waba_webhook")).url)
      cloud:change("account_update", { event = "ACCOUNT_VIOLATION" })
      cloud:customer("+49151"):text "Hi"
      support.eventually(function() return #account.requests == 1 and #number.requests == 1 end)
      assert.equal("ACCOUNT_VIOLATION", support.changes(account, "account_update")[1].event)
      ask("POST", "/waba_webhook", { url = account.url, override_all = true })
      cloud:advance(20)
      assert.equal(account.url, select(2, ask("GET", "/v1/configs/webhook")).url)
    end)
  end)

  it("can be up to three more, which receive the same webhooks as the first", function()
    support.run(function()
      local accepts = false
      local main = support.receiver({ respond = function() return accepts and 200 or 500 end })
      local second, third = support.receiver(), support.receiver()
      support.register(cloud, main)
      assert.is_string(select(2, ask("POST", "/multi_webhook", { enabled = true,
        destinations = { { name = "a", url = second.url } } })).message)
      assert.is_string(select(2, ask("PUT", "/multi_webhook", { destinations = { { name = "b", url = main.url } } })).message)
      ask("PATCH", "/multi_webhook", { name = "b", url = third.url, headers = { ["X-Mine"] = "v" } })
      assert.same({ enabled = true, destinations = { { name = "a", url = second.url, headers = {} },
        { name = "b", url = third.url, headers = { ["X-Mine"] = "v" } } } }, select(2, ask("GET", "/multi_webhook")))
      cloud:customer("+49151"):text "Hi"
      support.eventually(function() return #main.requests == 1 end)
      assert.equal(0, #second.requests)
      accepts = true
      support.eventually(function()
        cloud:advance(10)
        return #second.requests == 1 and #third.requests == 1
      end)
      assert.equal(main.requests[1].body, second.requests[1].body)
      assert.equal("v", third.requests[1].headers["x-mine"])
      local status, body = ask("PUT", "/multi_webhook", { destinations = { { name = "a", url = main.url } } })
      assert.equal(409, status)
      assert.is_string(body.error)
      assert.equal(400, (ask("PATCH", "/multi_webhook", { name = "z" })))
      assert.equal(400, (ask("POST", "/multi_webhook", { destinations = { { name = "a", url = "x" } } })))
      assert.equal(200, (ask("POST", "/multi_webhook", { enabled = false, destinations = {} })))
      assert.same({}, select(2, ask("GET", "/multi_webhook")).destinations)
    end)
  end)
end)
