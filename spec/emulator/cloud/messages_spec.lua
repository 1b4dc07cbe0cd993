-- Messages through the emulated Cloud gateway over TLS: responses, statuses, rates, the customer service window,
-- failures, templates, users without a number, groups.

local support = require "spec.support.emulator"

local NUMBER = "+49 151 12345678"

local function hello(cloud, envelope, options)
  return support.cloud_send(cloud, "text", { body = "Hello" }, envelope, options)
end

local function template(cloud, name, components, envelope, options)
  local language = { code = name == "hello_world" and "en_US" or "en" }
  return support.cloud_send(cloud, "template", { name = name, language = language, components = components },
    envelope, options)
end

local function body_of(...)
  local parameters = {}
  for i, text in ipairs({ ... }) do parameters[i] = { type = "text", text = text } end
  return { type = "body", parameters = parameters }
end

describe("the Cloud gateway", function()
  local emulator, cloud

  setup(function()
    emulator = assert(support.start({ tls = true, cloud = { statuses = { sent = 0, delivered = 0, read = 0, played = 0 },
      contacts = { ["4999"] = "invalid", ["49151777"] = { user_id = "DE.777", name = "Ida", username = "@ida" } } } }))
    cloud = emulator.cloud
  end)

  teardown(function() emulator:stop() end)

  after_each(function()
    cloud:clear_faults()
    cloud:configure({ window = false })
  end)

  local function with_receiver(body) support.with_receiver(cloud, body) end

  -- Waits until a message has the given number of statuses. Returns the statuses.
  local function statuses_of(receiver, id, count)
    local found
    support.eventually(function()
      found = {}
      for _, event in ipairs(support.cloud_events(receiver, "statuses")) do
        found[#found + 1] = event.id == id and event or nil
      end
      return #found >= count
    end)
    return found
  end

  it("distinguishes the paths of its two interfaces", function()
    assert.matches("^https://127%.0%.0%.1:%d+$", cloud.url)
    assert.is_true(cloud.url ~= emulator.url and cloud.api_key ~= emulator.api_key)
    assert.equal("cloud", emulator:options({ hosting = "cloud" }).hosting)
    assert.equal(cloud.url, emulator:options({ hosting = "cloud", timeout = 3 }).base_url)
    assert.equal(emulator.url, emulator:options().base_url)
    assert.matches("Cloud", tostring(cloud))
  end)

  it("responds with the input and the normalised number", function()
    local status, body = hello(cloud)
    assert.equal(200, status)
    assert.same({ { input = NUMBER, wa_id = "4915112345678" } }, body.contacts)
    assert.equal("whatsapp", body.messaging_product)
    assert.is_nil(body.messages[1].message_status)
  end)

  it("refuses a wrong key, a missing one and the key of the other gateway", function()
    for _, key in ipairs({ "wrong", emulator.api_key, false }) do
      local status, body = hello(cloud, nil, { key = key })
      assert.equal(401, status)
      assert.equal(401, body.meta.httpCode)
      assert.is_false(body.meta.success)
    end
  end)

  it("has its own errors for paths and methods that do not exist", function()
    local status, body = support.request(cloud, "GET", "/v1/health")
    assert.equal(404, status)
    assert.is_string(body.meta.developerMessage)
    status, body = support.request(cloud, "PUT", "/messages", {})
    assert.equal(403, status)
    assert.matches("/messages is blocked", body.meta.developerMessage, 1, true)
    assert.equal(200, (support.request(cloud, "GET", "/health", nil, { key = false })))
  end)

  it("refuses bodies that are not JSON objects with Graph's code 100", function()
    local status, body = support.request(cloud, "POST", "/messages", "{", { headers = {
      ["content-type"] = "application/json" } })
    assert.equal(400, status)
    assert.equal(100, body.error.code)
    assert.matches("^A", body.error.fbtrace_id)
    assert.equal("(#100) Invalid parameter", body.error.message)
    assert.equal(100, select(2, support.request(cloud, "POST", "/messages", "[]", { headers = {
      ["content-type"] = "application/json" } })).error.code)
    assert.equal(400, (support.request(cloud, "POST", "/messages", "x", {})))
  end)

  it("sends the statuses with the price and the attached data", function()
    with_receiver(function(receiver)
      local _, body = hello(cloud, { biz_opaque_callback_data = "job=77" })
      local id = body.messages[1].id
      local result = statuses_of(receiver, id, 3)
      for i, status in ipairs({ "sent", "delivered", "read" }) do
        assert.equal(status, result[i].status)
        assert.equal("job=77", result[i].biz_opaque_callback_data)
        assert.equal("4915112345678", result[i].recipient_id)
        assert.is_string(result[i].timestamp)
      end
      assert.same({ billable = false, pricing_model = "PMP", type = "free_customer_service", category = "service" },
        result[1].pricing)
      assert.is_nil(result[3].pricing)
      local value = support.changes(receiver, "messages")[1]
      assert.equal(cloud.number, value.metadata.display_phone_number)
      assert.equal(cloud.phone_number_id, value.metadata.phone_number_id)
      assert.equal(cloud.waba_id, receiver.requests[1].json.entry[1].id)
      assert.equal("whatsapp_business_account", receiver.requests[1].json.object)
    end)
  end)

  it("sends the status played of a voice note, and only the status sent of a reaction", function()
    with_receiver(function(receiver)
      local _, voice = support.cloud_send(cloud, "audio", { link = "https://cdn.example/a.ogg", voice = true })
      local result = statuses_of(receiver, voice.messages[1].id, 4)
      assert.equal("played", result[4].status)
      local inbound = cloud:customer(NUMBER):text "Hi"
      local _, reaction = support.cloud_send(cloud, "reaction", { message_id = inbound, emoji = "👍" })
      local _, after = hello(cloud)
      statuses_of(receiver, after.messages[1].id, 3)
      assert.equal(1, #statuses_of(receiver, reaction.messages[1].id, 1))
    end)
  end)

  it("reports failed delivery to unreachable users and outside the window", function()
    with_receiver(function(receiver)
      local function failure(response)
        local event = statuses_of(receiver, response.messages[1].id, 1)[1]
        assert.equal("failed", event.status)
        return event.errors[1]
      end
      local err = failure(select(2, hello(cloud, { to = "+4999" })))
      assert.equal(131026, err.code)
      assert.equal(err.title, err.message)
      assert.is_string(err.error_data.details)
      assert.equal(131026, failure(select(2, hello(cloud, { to = "123" }))).code)
      cloud:configure({ window = true })
      assert.equal(131047, failure(select(2, hello(cloud, { to = "+49 151 555" }))).code)
      cloud:customer("+49 151 556"):text "Hi"
      assert.equal("sent", statuses_of(receiver, select(2, hello(cloud, { to = "+49 151 556" })).messages[1].id, 1)[1]
        .status)
      local _, sent = template(cloud, "any_name", nil, { to = "+49 151 555" })
      assert.equal("sent", statuses_of(receiver, sent.messages[1].id, 1)[1].status)
      assert.equal(131009, failure(select(2, support.cloud_send(cloud, "reaction",
        { message_id = "wamid.unknown", emoji = "👍" }, { to = "+49 151 556" }))).code)
    end)
  end)

  it("checks the identity of the recipient on request", function()
    with_receiver(function(receiver)
      cloud:customer("+49 151 600"):change_identity()
      local event = support.eventually(function() return support.cloud_events(receiver, "messages")[1] end)
      assert.equal("customer_identity_changed", event.system.type)
      assert.is_nil(support.changes(receiver, "messages")[1].contacts)
      local _, good = hello(cloud, { to = "+49 151 600", recipient_identity_key_hash = event.identity.hash })
      assert.equal("sent", statuses_of(receiver, good.messages[1].id, 1)[1].status)
      local _, bad = hello(cloud, { to = "+49 151 600", recipient_identity_key_hash = "other" })
      assert.equal(137000, statuses_of(receiver, bad.messages[1].id, 1)[1].errors[1].code)
    end)
  end)

  it("sends to users by their id, and hides their number", function()
    with_receiver(function(receiver)
      local status, body = support.request(cloud, "POST", "/messages", { messaging_product = "whatsapp",
        recipient = "DE.777", type = "text", text = { body = "Hi" } })
      assert.equal(200, status)
      assert.same({ { input = "DE.777", user_id = "DE.777" } }, body.contacts)
      local event = statuses_of(receiver, body.messages[1].id, 1)[1]
      assert.is_nil(event.recipient_id)
      assert.equal("DE.777", event.recipient_user_id)
      assert.same({ name = "Ida", username = "@ida" }, support.changes(receiver, "messages")[1].contacts[1].profile)
      assert.equal("49151777", cloud:message(body.messages[1].id).wa_id)
    end)
  end)

  it("accepts messages to groups", function()
    with_receiver(function(receiver)
      local group = "Y2FwaV9ncm91cDo0OTMw"
      local _, body = hello(cloud, { recipient_type = "group", to = group })
      assert.equal(group, body.messages[1].group_id)
      assert.same({ { input = group, wa_id = group } }, body.contacts)
      local event = statuses_of(receiver, body.messages[1].id, 1)[1]
      assert.equal("group", event.recipient_type)
      assert.equal(group, event.recipient_id)
    end)
  end)

  it("refuses its own number as the recipient", function()
    assert.equal(131021, select(2, hello(cloud, { to = cloud.number })).error.code)
  end)

  it("holds a template's messages until its quality is known", function()
    with_receiver(function(receiver)
      local function send_held()
        local message = select(2, template(cloud, "hello_world")).messages[1]
        assert.equal("held_for_quality_assessment", message.message_status)
        return message.id
      end
      assert.equal(1, cloud:hold_template "hello_world")
      local id = send_held()
      cloud:advance(3600)
      assert.is_nil(cloud:message(id).status)
      cloud:hold_template("hello_world", false)
      assert.equal(3, #statuses_of(receiver, id, 3))
      assert.equal("accepted", select(2, template(cloud, "hello_world")).messages[1].message_status)
      cloud:hold_template("hello_world", true, { language = "en_US" })
      id = send_held()
      cloud:review_template("hello_world", "paused")
      local failed = statuses_of(receiver, id, 1)[1]
      assert.equal("failed", failed.status)
      assert.equal(132015, failed.errors[1].code)
      cloud:review_template("hello_world", "approved")
      assert.equal("accepted", select(2, template(cloud, "hello_world")).messages[1].message_status)
    end)
    assert.is_nil((cloud:hold_template "no_such"))
    assert.is_nil((emulator:hold_template "hello_world"))
  end)

  it("marks a customer's message as read, with the typing indicator", function()
    local id = cloud:customer(NUMBER):text "Hi"
    local status, body = support.request(cloud, "POST", "/messages", { messaging_product = "whatsapp",
      status = "read", message_id = id, typing_indicator = { type = "text" } })
    assert.equal(200, status)
    assert.is_true(body.success)
    assert.is_true(cloud:message(id).read)
    assert.is_true(cloud:message(id).typing)
    status, body = support.request(cloud, "POST", "/messages", { messaging_product = "whatsapp", status = "read",
      message_id = "wamid.unknown" })
    assert.equal(400, status)
    assert.equal(131009, body.error.code)
  end)

  it("checks a template's parameters against the template", function()
    local url = { type = "button", sub_type = "url", index = "1", parameters = { { type = "text", text = "118" } } }
    local status, body = template(cloud, "order_ready", { body_of("Ida", "118"), url })
    assert.equal(200, status)
    assert.equal("accepted", body.messages[1].message_status)
    local function code(...) return select(2, template(cloud, ...)).error.code end
    assert.equal(132000, code("order_ready", { body_of("Ida"), url }))
    assert.equal(131008, code("order_ready", { body_of("Ida", "118") }))
    assert.equal(132005, code("order_ready", { body_of("Ida", ("x"):rep(1020)), url }))
    assert.equal(132012, code("order_ready", { body_of("Ida", "118"), { type = "button", sub_type = "quick_reply",
      index = 1, parameters = { { type = "payload", payload = "p" } } } }))
    assert.equal(132018, code("order_ready", { body_of("Ida", "118"), url, { type = "button",
      sub_type = "quick_reply", index = 5, parameters = { { type = "payload", payload = "p" } } } }))
    status, body = template(cloud, "invoice")
    assert.equal(404, status)
    assert.equal(132001, body.error.code)
    cloud:review_template("hello_world", "paused")
    assert.equal(132015, code("hello_world"))
    cloud:review_template("hello_world", "disabled")
    assert.equal(132016, code("hello_world"))
    cloud:review_template("hello_world", "approved")
    assert.equal(200, (template(cloud, "hello_world")))
  end)

  it("accepts components and buttons in upper case", function()
    local known = { { type = "BODY", parameters = { { type = "text", text = "Eva" }, { type = "text", text = "118" } } },
      { type = "BUTTON", sub_type = "QUICK_REPLY", index = 0, parameters = { { type = "payload", payload = "P" } } },
      { type = "button", sub_type = "URL", index = 1, parameters = { { type = "text", text = "118" } } } }
    local status, body = template(cloud, "order_ready", known)
    assert.equal(200, status, body.error and body.error.error_data.details)
    assert.equal("QUICK_REPLY", cloud:messages({ id = body.messages[1].id })[1].content.components[2].sub_type)
    assert.is_string(cloud:customer(NUMBER):tap(body.messages[1].id, "P"))
    known[1].type = "body "
    assert.equal(400, (template(cloud, "order_ready", known)))
  end)

  it("refuses named parameters for a template with numbered variables", function()
    local status, body = template(cloud, "order_ready", { { type = "body", parameters = {
      { type = "text", parameter_name = "name", text = "Eva" }, { type = "text", parameter_name = "order", text = "1" } } },
      { type = "button", sub_type = "url", index = 1, parameters = { { type = "text", text = "118" } } } })
    assert.equal(400, status)
    assert.equal(132012, body.error.code)
    assert.matches("numbered", body.error.error_data.details)
  end)

  it("sends messages with a category without an approved template", function()
    local buttons = { type = "button", body = { text = "Take it?" }, action = { buttons = {
      { type = "reply", reply = { id = "y", title = "Yes" } } } } }
    cloud:configure({ window = true })
    local stranger = { to = "+49 151 7654321", category = "utility", ttl_seconds = 600,
      direct_send_config = { template_name = "parcel" } }
    with_receiver(function(receiver)
      local _, body = support.cloud_send(cloud, "interactive", buttons, stranger)
      local id = body.messages[1].id
      local first = statuses_of(receiver, id, 1)[1]
      assert.equal("sent", first.status) -- the message is sent as a template, because the window is closed
      assert.equal("utility", first.pricing.category)
      assert.is_string(cloud:customer("+49 151 7654321"):tap(id, "y"))
      support.eventually(function()
        local event = support.cloud_events(receiver, "messages")[1]
        return event and event.type == "button" and event.button.payload == "y" and event.button.text == "Yes"
      end)
    end)
    for _, case in ipairs({
      { "text", { body = "x" }, { category = "marketing" } },
      { "text", { body = "x" }, { ttl_seconds = 60 } },
      { "text", { body = "x" }, { category = "utility", ttl_seconds = 43201 } },
      { "text", { body = "x" }, { category = "authentication", ttl_seconds = 901 } },
      { "text", { body = "x" }, { direct_send_config = { template_name = "x" } } },
      { "image", { link = "https://cdn.example/1" }, { category = "utility" } },
    }) do
      local status, body = support.cloud_send(cloud, case[1], case[2], case[3])
      assert.equal(400, status)
      assert.equal(100, body.error.code)
    end
  end)

  it("accepts payments in the newer and the older forms, and payment requests of a template", function()
    local function pay(parameters)
      parameters.reference_id, parameters.type, parameters.currency = "1", "digital-goods", "INR"
      parameters.total_amount = { value = 100, offset = 100 }
      return (support.cloud_send(cloud, "interactive", { type = "order_details", body = { text = "Pay" },
        action = { name = "review_and_pay", parameters = parameters } }))
    end
    assert.equal(200, pay({ payment_type = "upi", payment_configuration = "shop-upi" })) -- the field `order` is missing
    local card = { type = "offsite_card_pay", offsite_card_pay = { credential_id = "1", last_four_digits = "5235" } }
    assert.equal(200, pay({ payment_settings = { card } }))
    card.offsite_card_pay.last_four_digits = "52"
    assert.equal(400, pay({ payment_settings = { card } }))
    local function request(settings)
      local components = {}
      for i, setting in ipairs(settings) do
        components[i] = { type = "button", sub_type = "payment_request", index = i - 1, parameters = {
          { type = "action", action = { payment_request = { payment_setting = setting } } } } }
      end
      return (template(cloud, "pay_now", components))
    end
    local settings = { { type = "boleto", boleto = { digitable_line = "0339" } },
      { type = "pix_dynamic_code", pix_dynamic_code = { code = "0002" } },
      { type = "payment_link", payment_link = { uri = "https://pay.example/1" } } }
    assert.equal(200, request(settings))
    settings[4] = settings[1]
    assert.equal(400, request(settings))
    assert.equal(400, request({ card }))
  end)

  it("sends marketing templates through the marketing messages", function()
    local function market(name, more)
      local body = { messaging_product = "whatsapp", to = NUMBER, type = "template",
        template = { name = name, language = { code = name == "hello_world" and "en_US" or "en" } } }
      for key, value in pairs(more or {}) do body[key] = value end
      return support.request(cloud, "POST", "/marketing_messages", body)
    end
    with_receiver(function(receiver)
      local status, body = market("a_campaign", { product_policy = "STRICT", message_activity_sharing = true })
      assert.equal(200, status)
      assert.equal("marketing_lite", statuses_of(receiver, body.messages[1].id, 1)[1].pricing.category)
    end)
    assert.equal(134100, select(2, market("hello_world")).error.code)
    assert.equal(131055, select(2, hello(cloud, nil, { path = "/marketing_messages" })).error.code)
    assert.equal(100, select(2, template(cloud, "a_campaign", nil, { product_policy = "STRICT" })).error.code)
  end)

  it("fails on command, in either form, with any bytes", function()
    cloud:fail_next({ code = 131056 })
    local status, body = hello(cloud)
    assert.equal(400, status)
    assert.equal("(#131056) (Business Account, Consumer Account) pair rate limit hit", body.error.message)
    cloud:fail_next({ code = 131016, details = "later" })
    status, body = hello(cloud)
    assert.equal(500, status)
    assert.equal("later", body.error.error_data.details)
    cloud:fail_next({ errors = { { code = 100, message = "Invalid", error_data = "a text", error_subcode = 2388072 } } })
    body = select(2, hello(cloud))
    assert.equal("a text", body.error.error_data)
    assert.equal(2388072, body.error.error_subcode)
    cloud:fail_next({ status = 502, developer_message = "WhatsApp for Business API not available" })
    assert.equal(502, select(2, hello(cloud)).meta.httpCode)
    cloud:fail_next({ status = 504, body = "\255\254<html>" })
    status, body = hello(cloud)
    assert.equal(504, status)
    assert.equal("\255\254<html>", body)
    cloud:fail_next({ drop = "after" })
    local before = cloud:counts().messages
    assert.is_nil((hello(cloud, nil, { version = 1.1 })))
    assert.equal(before + 1, cloud:counts().messages)
  end)

  it("fails to deliver a message on command", function()
    with_receiver(function(receiver)
      cloud:fail_status({ code = 131049, after = "sent" })
      local result = statuses_of(receiver, select(2, hello(cloud)).messages[1].id, 2)
      assert.equal("sent", result[1].status)
      assert.equal(131049, result[2].errors[1].code)
      local _, body = hello(cloud)
      cloud:status(body.messages[1].id, "failed")
      local failed -- the status "failed"; it can arrive before the other statuses
      for _, status in ipairs(statuses_of(receiver, body.messages[1].id, 4)) do
        if status.status == "failed" then failed = status end
      end
      assert.equal(131000, failed.errors[1].code)
    end)
  end)

  it("responds with 502 while it restarts", function()
    cloud:restart(5)
    assert.equal(502, (hello(cloud)))
    cloud:advance(5)
    assert.equal(200, (hello(cloud)))
  end)

  it("records only its own requests", function()
    local before = #emulator:received()
    hello(cloud)
    assert.equal(before, #emulator:received())
    local list = cloud:received({ path = "/messages" })
    assert.equal("(hidden)", list[#list].headers["d360-api-key"])
    assert.equal("Hello", list[#list].json.text.body)
  end)
end)

describe("the Cloud gateway's rates", function()
  it("are limits of the number and of each recipient", function()
    local emulator = assert(support.start({ cloud = { statuses = false, rate_limits = {
      messages = { rate = 10, burst = 50 } } } }))
    finally(function() emulator:stop() end)
    local cloud = emulator.cloud
    for _ = 1, 45 do assert.equal(200, (hello(cloud))) end
    assert.equal(131056, select(2, hello(cloud)).error.code)
    assert.equal(200, (hello(cloud, { to = "+49 151 2" })))
    cloud:advance(6)
    assert.equal(200, (hello(cloud)))
    assert.equal(131056, select(2, hello(cloud)).error.code)
    local codes = {}
    for i = 1, 120 do
      local _, body = hello(cloud, { to = "+49 151 30" .. i })
      codes[body.error and body.error.code or 0] = true
    end
    assert.is_true(codes[130429])
  end)
end)

describe("the Cloud gateway as a sandbox", function()
  it("responds under /v1 and sends to one number only", function()
    local emulator = assert(support.start({ cloud = { sandbox = NUMBER } }))
    finally(function() emulator:stop() end)
    local cloud = emulator.cloud
    assert.equal(200, (hello(cloud, nil, { path = "/v1/messages" })))
    assert.equal(131030, select(2, hello(cloud, { to = "+49 151 2" }, { path = "/v1/messages" })).error.code)
    assert.equal(403, (support.cloud_send(cloud, "image", { link = "https://x.de/a.jpg" }, nil,
      { path = "/v1/messages" })))
    assert.equal(403, (support.request(cloud, "GET", "/health_status")))
  end)
end)
