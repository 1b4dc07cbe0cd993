local cloud_gateway = require "spec.support.cloud_gateway"
local core = require "waba.core"
local scripted = require "spec.support.scripted_transport"
local waba = require "waba"

local NUMBER = "4915112345678"
local USER = "DE.1349ab"
local GROUP = "Y2FwaXRhbF9ncm91cDo="

local ACCEPTED = cloud_gateway.json {
  messaging_product = "whatsapp", contacts = { { input = "+" .. NUMBER, wa_id = NUMBER } },
  messages = { { id = "wamid.HBgLNDkx" } },
}

describe("messages on Cloud hosting", function()
  local gateway, client

  setup(function()
    gateway = cloud_gateway.start()
    client = cloud_gateway.client(gateway)
  end)

  teardown(function()
    client:close()
    gateway:stop()
  end)

  before_each(function()
    gateway:forget()
    gateway:respond("/messages", ACCEPTED)
    gateway:respond("/marketing_messages", ACCEPTED)
  end)

  local function last(path) return cloud_gateway.last(gateway, path) end

  local function refused(err, path, says)
    assert.equal("invalid", err.kind)
    assert.equal(path, err.path)
    assert.matches(says, err.message)
    assert.is_false(err.maybe_sent)
    assert.equal(0, gateway:count())
  end

  it("are sent in the envelope of this gateway", function()
    local sent = assert(client:send("+49 (151) 123-45678", waba.text { body = "Grüße ☕", preview_url = true }))
    assert.same({ id = "wamid.HBgLNDkx", wa_id = NUMBER, input = "+" .. NUMBER }, sent)
    assert.equal("POST", last().method)
    assert.equal("/messages", last().path)
    assert.equal(cloud_gateway.KEY, last().headers["d360-api-key"])
    assert.same({
      messaging_product = "whatsapp", recipient_type = "individual", to = "+" .. NUMBER, type = "text",
      text = { body = "Grüße ☕", preview_url = true },
    }, last().json)
  end)

  it("accept every form of a number that On-Premise hosting accepts, and send it with a plus", function()
    for _, to in ipairs { "0049 151 12345678", NUMBER, 4915112345678 } do
      assert(client:send(to, waba.text "Hi"))
      assert.equal("+" .. NUMBER, last().json.to)
    end
    local sent, err = client:send("0151 12345678", waba.text "Hi")
    assert.is_nil(sent)
    assert.equal("to", err.path)
  end)

  it("return the platform's status of a template and the recipient", function()
    gateway:respond("/messages", cloud_gateway.json {
      contacts = { { input = USER, user_id = USER } },
      messages = { { id = "wamid.X", message_status = "held_for_quality_assessment", group_id = "G" } },
    })
    local sent = assert(client:send(USER, waba.text "Hi"))
    assert.same({
      id = "wamid.X", input = USER, user_id = USER, status = "held_for_quality_assessment", group_id = "G",
    }, sent)
  end)

  it("can be sent to a business-scoped user id", function()
    for _, to in ipairs { USER, { user_id = USER }, "DE.ENT.1181xY" } do
      assert(client:send(to, waba.text "Hi"))
      assert.equal(type(to) == "table" and USER or to, last().json.recipient)
      assert.is_nil(last().json.to)
      assert.equal("individual", last().json.recipient_type)
    end
  end)

  it("can be sent to a group, if groups accept the type", function()
    assert(client:send({ group_id = GROUP }, waba.text "Hi"))
    assert.equal(GROUP, last().json.to)
    assert.equal("group", last().json.recipient_type)
    gateway:forget()
    local sent, err = client:send({ group_id = GROUP }, waba.location { latitude = 1, longitude = 2 })
    assert.is_nil(sent)
    refused(err, "type", "location")
    for _, message in ipairs {
      waba.image { id = "1" }, waba.audio { id = "1" }, waba.video { id = "1" }, waba.document { id = "1" },
      waba.sticker { id = "1" }, waba.template { name = "x", language = "de" },
    } do
      assert(client:send({ group_id = GROUP }, message), message.type)
    end
  end)

  it("can be pinned in a group only", function()
    local pin = waba.message("pin", { type = "pin", message_id = "wamid.1", expiration_days = 3 })
    assert(client:send({ group_id = GROUP }, pin))
    assert.same({ type = "pin", message_id = "wamid.1", expiration_days = 3 }, last().json.pin)
    gateway:forget()
    local sent, err = client:send(NUMBER, pin)
    assert.is_nil(sent)
    refused(err, "to", "group")
  end)

  it("refuse an invalid recipient", function()
    for to, path in pairs {
      [{ user_id = "de.1349" }] = "to.user_id", [{ user_id = "DE." }] = "to.user_id", [{ user_id = 7 }] = "to.user_id",
      [{ user_id = "DE." .. ("1"):rep(129) }] = "to.user_id", [{ user_id = "DE.1 2" }] = "to.user_id",
      [{ group_id = "" }] = "to.group_id", [{ group_id = "a b" }] = "to.group_id", [{ group_id = true }] = "to.group_id",
      [{}] = "to", [{ user_id = USER, group_id = GROUP }] = "to",
    } do
      local sent, err = client:send(to, waba.text "Hi")
      assert.is_nil(sent)
      refused(err, path, "^" .. path:gsub("%.", "%%."))
    end
    assert(client:send("DE." .. ("1"):rep(128), waba.text "Hi"))
  end)

  it("contain the options of the call", function()
    assert(client:send(NUMBER, waba.text "Hi", {
      reply_to = "wamid.IN", data = "job=77", identity_key_hash = "hash", timeout = 9,
    }))
    local json = last().json
    assert.same({ message_id = "wamid.IN" }, json.context)
    assert.equal("job=77", json.biz_opaque_callback_data)
    assert.equal("hash", json.recipient_identity_key_hash)
  end)

  it("contain at most 512 characters of data", function()
    assert(client:send(NUMBER, waba.text "Hi", { data = ("ü"):rep(512) }))
    assert.equal(("ü"):rep(512), last().json.biz_opaque_callback_data)
    gateway:forget()
    local sent, err = client:send(NUMBER, waba.text "Hi", { data = ("ü"):rep(513) })
    assert.is_nil(sent)
    refused(err, "data", "513.*512")
  end)

  it("have no quote with a reaction, and no empty quote", function()
    local sent, err = client:send(NUMBER, waba.reaction { message_id = "wamid.1", emoji = "👍" }, { reply_to = "x" })
    assert.is_nil(sent)
    refused(err, "reply_to", "reaction")
    for _, name in ipairs { "reply_to", "identity_key_hash" } do
      sent, err = client:send(NUMBER, waba.text "Hi", { [name] = "" })
      assert.is_nil(sent)
      refused(err, name, "empty")
    end
  end)

  it("refuse the option check_contact, and name the hosting that has it", function()
    local sent, err = client:send(NUMBER, waba.text "Hi", { check_contact = true })
    assert.is_nil(sent)
    refused(err, "check_contact", "On%-Premise hosting")
  end)

  it("omit a template's namespace, and do not change a language", function()
    local message = waba.template { name = "order_done", namespace = "9c1f_0b52", language = "de", body = { "Eva" } }
    assert(client:send(NUMBER, message))
    assert.same({
      name = "order_done", language = { code = "de" },
      components = { { type = "body", parameters = { { type = "text", text = "Eva" } } } },
    }, last().json.template)
    message = waba.template {
      name = "order_done", language = { code = "de", policy = "deterministic" }, components = message.template.components,
    }
    assert(client:send(NUMBER, message))
    assert.same({ code = "de", policy = "deterministic" }, last().json.template.language)
  end)

  it("with a category need no approved template; the category is an option or a field of the message", function()
    local options = { category = "utility", ttl_seconds = 600, direct_send_config = { template_name = "parcel" } }
    local function beside_type()
      local body = last().json
      return { category = body.category, ttl_seconds = body.ttl_seconds, direct_send_config = body.direct_send_config }
    end
    local message = waba.text "Your parcel is on its way"
    assert(client:send(NUMBER, message, options))
    assert.same(options, beside_type())
    assert.equal("text", last().json.type)
    assert.is_nil(message.category) -- `send` has not changed the caller's table
    message = waba.buttons { body = "Take it?", buttons = { { id = "y", title = "Yes" } } }
    message.category, message.ttl_seconds = "authentication", 900
    assert(waba.check(message, "cloud"))
    assert(client:send(NUMBER, message))
    assert.same({ category = "authentication", ttl_seconds = 900 }, beside_type())
    assert(client:send({ user_id = USER }, waba.text "Hi", { category = "utility" }))
    assert.equal(USER, last().json.recipient)
  end)

  it("with a category are refused by the platform's rules", function()
    for _, case in ipairs {
      { NUMBER, waba.text "Hi", { category = "marketing" }, "category", "authentication" },
      { NUMBER, waba.text "Hi", { ttl_seconds = 600 }, "ttl_seconds", "together with category" },
      { NUMBER, waba.text "Hi", { category = "utility", ttl_seconds = 29 }, "ttl_seconds", "30 to 43200" },
      { NUMBER, waba.text "Hi", { category = "authentication", ttl_seconds = 901 }, "ttl_seconds", "30 to 900" },
      { NUMBER, waba.text "Hi", { category = "utility", direct_send_config = { template_name = "Parcel" } },
        "direct_send_config.template_name", "lower%-case" },
      { NUMBER, waba.template { name = "x", language = "de" }, { category = "utility" }, "category", "texts" },
      { { user_id = USER }, waba.text "Hi", { category = "authentication" }, "category", "phone number" },
    } do
      local sent, err = client:send(case[1], case[2], case[3])
      assert.is_nil(sent)
      refused(err, case[4], case[5])
    end
    local valid, err = waba.check({ type = "text", text = { body = "Hi" }, category = "utility" }, "on_premise")
    assert.is_nil(valid)
    assert.equal("category", err.path)
  end)

  it("for marketing have another endpoint", function()
    local message = waba.template { name = "spring", language = "de" }
    assert(client:send(NUMBER, message, { marketing = true }))
    assert.equal("/marketing_messages", last().path)
    assert.is_nil(last().json.product_policy)
    assert(client:send(NUMBER, message, {
      marketing = { product_policy = "STRICT", message_activity_sharing = false, bid_spec = { per_message_bid_multiplier = 2 } },
    }))
    assert.equal("STRICT", last().json.product_policy)
    assert.is_false(last().json.message_activity_sharing)
    assert.same({ per_message_bid_multiplier = 2 }, last().json.bid_spec)
    assert(client:send(NUMBER, message, { marketing = { product_policy = "CLOUD_API_FALLBACK" } }))
    assert.equal("CLOUD_API_FALLBACK", last().json.product_policy)
    assert(client:send(NUMBER, message, { marketing = false }))
    assert.equal("/messages", last().path)
    gateway:forget()
    for _, case in ipairs {
      { waba.text "Hi", true, "marketing" }, { message, { policy = "STRICT" }, "marketing.policy" },
      { message, { product_policy = 1 }, "marketing.product_policy" },
      { message, { product_policy = "STRICTLY" }, "marketing.product_policy" },
    } do
      local sent, err = client:send(NUMBER, case[1], { marketing = case[2] })
      assert.is_nil(sent)
      refused(err, case[3], "^marketing")
    end
  end)

  it("are reported as maybe sent if the response has no id", function()
    for _, body in ipairs { "{}", "null", "[]", '{"messages":[]}', '{"messages":[{"id":""}]}', '{"messages":[{"id":null}]}' } do
      gateway:respond("/messages", cloud_gateway.json(body))
      local sent, err = client:send(NUMBER, waba.text "Hi")
      assert.is_nil(sent)
      assert.equal("protocol", err.kind)
      assert.is_true(err.maybe_sent)
    end
  end)

  it("are marked as read, optionally with the typing indicator", function()
    gateway:respond("/messages", cloud_gateway.json { success = true })
    assert.is_true(client:mark_read("wamid.IN"))
    assert.same({ messaging_product = "whatsapp", status = "read", message_id = "wamid.IN" }, last().json)
    assert.is_true(client:mark_read("wamid.IN", { typing = true }))
    assert.same({ type = "text" }, last().json.typing_indicator)
    assert.error_matches(function() client:mark_read("wamid.IN", { tiping = true }) end, "did you mean typing")
  end)

  it("are sent below /v1 in the sandbox; a path that begins with /v1 is not changed", function()
    local sandbox = cloud_gateway.client(gateway, { base_url = gateway.url .. "/v1" })
    gateway:respond("/v1/messages", ACCEPTED)
    gateway:respond("/v1/configs/webhook", cloud_gateway.json { url = "https://example.org/hook" })
    assert(sandbox:send(NUMBER, waba.text "Hi"))
    assert.equal("/v1/messages", last().path)
    assert(sandbox.webhook:get())
    assert.equal("/v1/configs/webhook", last().path)
    assert(sandbox:request { path = "/v1/configs/webhook" })
    assert.equal("/v1/configs/webhook", last().path)
    sandbox:close()
    local real = waba.client { api_key = "x", hosting = "cloud", sandbox = true }
    assert.matches("https://waba%-sandbox%.360dialog%.io/v1", tostring(real))
    real:close()
  end)
end)

describe("on On-Premise hosting", function()
  local client = waba.client { api_key = "x", base_url = "http://127.0.0.1:1", pace = false, retry = false }
  teardown(function() client:close() end)

  it("refuses messages of Cloud hosting, and names it", function()
    for name, value in pairs { reply_to = "x", data = "x", identity_key_hash = "x", marketing = true } do
      local sent, err = client:send(NUMBER, waba.text "Hi", { [name] = value })
      assert.is_nil(sent)
      assert.equal("invalid", err.kind)
      assert.equal(name, err.path)
      assert.matches("Cloud hosting", err.message)
    end
    for _, to in ipairs { USER, { user_id = USER }, { group_id = GROUP } } do
      local sent, err = client:send(to, waba.text "Hi")
      assert.is_nil(sent)
      assert.equal("to", err.path)
      assert.matches("Cloud hosting", err.message)
    end
    local read, err = client:mark_read("id", { typing = true })
    assert.is_nil(read)
    assert.equal("typing", err.path)
    assert.matches("Cloud hosting", err.message)
    local info
    info, err = client.media:info("id")
    assert.is_nil(info)
    assert.matches("Cloud hosting", err.message)
    local handle
    handle, err = client.media:resumable { data = "x", type = "image/png" }
    assert.is_nil(handle)
    assert.matches("Cloud hosting", err.message)
    local download
    download, err = client.media:download("id", { url = "https://lookaside.fbsbx.com/x" })
    assert.is_nil(download)
    assert.equal("url", err.path)
    local uploaded
    uploaded, err = client.media:upload { data = "x", type = "image/png", ttl_minutes = 60 }
    assert.is_nil(uploaded)
    assert.equal("ttl_minutes", err.path)
  end)
end)

describe("a template on Cloud hosting", function()
  it("has its language as an object, and no namespace", function()
    for index, row in ipairs {
      { "de", nil, { code = "de" } }, { "de", "n", { code = "de" } }, { { code = "de" }, nil, { code = "de" } },
      { { code = "de", policy = "deterministic" }, "n", { code = "de", policy = "deterministic" } },
    } do
      local client, transport = scripted.cloud_client({ { body = '{"messages":[{"id":"wamid.1"}]}' } }, { validate = false })
      local message = waba.message("template", { name = "a", language = row[1], namespace = row[2] })
      assert(client:send(NUMBER, message))
      client:close()
      assert.same({ name = "a", language = row[3] }, core.decode(transport.requests[1].body).template, index)
      assert.same({ name = "a", language = row[1], namespace = row[2] }, message.template)
    end
  end)
end)
