-- The library's resources and the emulated Cloud gateway are two independent implementations of docs/platform/cloud.md.
-- This spec uses each resource with the emulated gateway.

local cloud_templates = require "spec.support.cloud_templates"
local waba = require "waba"

local CUSTOMER = "+49 151 777777"

describe("the library and the emulator of Cloud hosting", function()
  local emulator, cloud, client

  setup(function()
    emulator = assert(waba.emulator.start { cloud = { review = 60, statuses = false } })
    cloud = emulator.cloud
    client = waba.client(emulator:options { hosting = "cloud", pace = false, retry = false })
  end)

  teardown(function()
    client:close()
    emulator:stop()
  end)

  it("agree on the number and its health", function()
    assert.equal(cloud.number, client:phone_number())
    local health = assert(client:health())
    assert.is_true(health.healthy)
    assert.equal(cloud.waba_id, health.waba_id)
    cloud:health { status = "BLOCKED" }
    -- a second client, because the first client caches the health
    local other = waba.client(emulator:options { hosting = "cloud" })
    assert.is_false(other:health().healthy)
    other:close()
    cloud:health {}
  end)

  it("agree on media, from the upload to the download from the URL of another host", function()
    local bytes = "\255\216\255" .. ("abc"):rep(50000)
    local uploaded = assert(client.media:upload { data = bytes, type = "image/jpeg" })
    assert.equal(#bytes, client.media:info(uploaded.id).size)
    local downloaded = assert(client.media:download(uploaded.id))
    assert.is_true(downloaded.data == bytes)
    assert.equal("image/jpeg", downloaded.type)
    assert(client:send(CUSTOMER, waba.image { id = uploaded.id }))
    assert.is_true(client.media:delete(uploaded.id))
    local gone, err = client.media:download(uploaded.id)
    assert.is_nil(gone)
    assert.equal("not_found", err.kind)
  end)

  it("agree on templates", function()
    local handle = assert(client.media:resumable { data = ("x"):rep(20000), type = "image/png", filename = "a.png" })
    local created = assert(client.templates:create { name = "note", language = "en", category = "UTILITY",
      components = { { type = "HEADER", format = "IMAGE", example = { header_handle = { handle } } },
        { type = "BODY", text = "Hi {{1}} there", example = { body_text = { { "Ida" } } } } } })
    assert.equal("PENDING", created.status)
    local message = waba.template { name = "note", language = "en", header = waba.image { link = "https://x.de/a.jpg" },
      body = { "Ida" } }
    assert.equal("template", select(2, client:send(CUSTOMER, message)).kind)
    cloud:advance(61)
    assert(client:send(CUSTOMER, message))
    assert.equal("template", select(2, client:send(CUSTOMER, waba.template { name = "note", language = "en" })).kind)
    local names = {}
    for template in client.templates:each { limit = 2 } do names[#names + 1] = template.name end
    assert.equal(5, #names)
    assert.equal("APPROVED", client.templates:get(created.id).status)
    assert.is_true(client.templates:edit(created.id, { components = { { type = "BODY", text = "Hello there" } } }))
    cloud:advance(61)
    assert.same({ created.id }, client.templates:archive({ created.id }).succeeded)
    assert.same({ created.id }, client.templates:unarchive({ created.id }).succeeded)
    assert.equal("delivery_update_1", client.templates:library({ search = "order" }).templates[1].name)
    assert.is_true(client.templates:delete "note")
    assert.is_nil((client.templates:get(created.id)))
  end)

  it("agree on a template of each kind", function()
    local handle = assert(client.media:resumable { data = "\137PNG", type = "image/png", filename = "a.png" })
    local function with_handle(value)
      if value.header_handle then value.header_handle = { handle } end
      for _, inner in pairs(value) do
        if type(inner) == "table" then with_handle(inner) end
      end
      return value
    end
    for _, name in ipairs(cloud_templates.names()) do
      local created, err = client.templates:create(with_handle(cloud_templates.new(name)))
      assert(created, name .. ": " .. tostring(err))
      assert.is_true(client.templates:delete(created.name))
    end
    assert.equal("not_found", select(2, client.templates:delete "never_was").kind)
  end)

  it("agree on the profile and its photo", function()
    assert.is_true(client.profile:set_about "Boots since 1951")
    assert.equal("Boots since 1951", client.profile:about())
    assert(client.profile:set_business { email = "hi@example.org", vertical = "RETAIL", websites = { "https://x.de" } })
    assert.equal("hi@example.org", client.profile:business().email)
    assert.is_true(client.profile:set_photo { data = "\255\216\255abc", type = "image/jpeg" })
    assert.equal("\255\216\255abc", client.profile:photo().data)
  end)

  it("agree on the block list, the components, commerce and QR codes", function()
    cloud:customer(CUSTOMER):text "Hi"
    local result = assert(client.block_list:block { CUSTOMER, "+49 999 999999" })
    assert.equal(1, #result.users)
    assert.equal("window", result.failed[1].error.kind)
    assert.equal(1, #client.block_list:list().users)
    assert.equal(1, #client.block_list:unblock({ CUSTOMER }).users)
    assert(client.conversational_automation:set { prompts = { "Hours?" } })
    assert.same({ "Hours?" }, client.conversational_automation:get().prompts)
    assert(client.calling_settings:set { status = "ENABLED", sip = { status = "DISABLED" } })
    local calling = client.calling_settings:get()
    assert.equal("ENABLED", calling.status)
    assert.same({ status = "DISABLED" }, calling.sip)
    assert(client.commerce_settings:set { is_cart_enabled = false })
    assert.is_false(client.commerce_settings:get().is_cart_enabled)
    local code = assert(client.qr_codes:create { prefilled_message = "Hello" })
    assert.equal("Hello", client.qr_codes:get(code.code).prefilled_message)
    assert.is_true(client.qr_codes:delete(code.code))
  end)

  it("agree on the webhook URLs", function()
    assert(client.webhook:set { url = "https://bot.example/hook", user = "u", password = "p" })
    assert.equal("https://bot.example/hook", client.webhook:get().url)
    assert(client.webhook:set_account { url = "https://bot.example/account" })
    cloud:advance(20)
    assert.equal("https://bot.example/account", client.webhook:account().url)
  end)

  it("agree on the webhooks: customers of every kind, statuses, the account, and the signature", function()
    local seen = {}
    local receiver = waba.receiver { secret = "app secret", on = { any = function(event) seen[#seen + 1] = event end } }
    local server = assert(waba.webhook.server { receiver = receiver })
    cloud:configure { statuses = { sent = 0, played = 0 }, secret = "app secret" }
    assert(client.webhook:set { url = server:url() })
    assert(client.webhook:set_account { url = server:url() })
    cloud:advance(20)
    local ida = cloud:customer("+49 151 888", { name = "Ida", user_id = "DE.88", username = "@ida" })
    local reply_to = assert(client:send("+49151888", waba.buttons { body = "Yes?", buttons = { { id = "y", title = "Yes" } } },
      { data = "job=7" })).id
    ida:text "Hello"
    ida:voice { data = "OggS" }
    ida:tap(reply_to, "Yes")
    ida:reply { kind = "flow", data = { day = "fri" } }
    ida:reaction(reply_to, "👍")
    ida:location { latitude = 0, longitude = 13 }
    ida:unknown()
    ida:change_number "+49 151 889"
    cloud:change("phone_number_quality_update", { event = "THROUGHPUT_UPGRADE" })
    local deadline = os.time() + 10
    while #seen < 10 and os.time() < deadline do server:step(0.02) end
    server:close()
    cloud:configure { statuses = false }
    assert.equal(10, #seen)
    local by_type = {}
    for _, event in ipairs(seen) do
      assert.equal("cloud", event.hosting)
      by_type[event.type or event.kind] = event
    end
    assert.equal(cloud.number, by_type.text.number)
    assert.equal("Ida", by_type.text.contact.name)
    assert.equal("job=7", by_type.status.data)
    assert.is_true(by_type.audio.media.voice)
    assert.equal("OggS", client.media:download(by_type.audio.media.id).data)
    assert.equal("flow", by_type.interactive.reply.kind)
    assert.equal("👍", by_type.reaction.reaction.emoji)
    assert.equal(0, by_type.location.location.latitude)
    assert.equal(131051, by_type.unsupported.errors[1].code)
    assert.is_table(by_type.system.system)
    assert.equal("phone_number_quality_update", by_type.account.field)
  end)

  it("agree on recipients, and on what is read", function()
    assert.equal("49151777777", client:send(CUSTOMER, waba.text "Hi", { data = "job=1" }).wa_id)
    assert.equal("DE.5", client:send({ user_id = "DE.5" }, waba.text "Hi").user_id)
    assert.equal("Y2FwaQ", client:send({ group_id = "Y2FwaQ" }, waba.text "Hi").group_id)
    local id = cloud:customer(CUSTOMER):text "Hello"
    assert.is_true(client:mark_read(id, { typing = true }))
    assert.is_true(cloud:message(id).typing)
    assert(client:send(CUSTOMER, waba.template { name = "a_campaign", language = "de" }, { marketing = true }))
    local stranger = waba.client(emulator:options { hosting = "cloud", api_key = "wrong" })
    assert.equal("auth", select(2, stranger:send(CUSTOMER, waba.text "Hi")).kind)
    stranger:close()
  end)
end)
