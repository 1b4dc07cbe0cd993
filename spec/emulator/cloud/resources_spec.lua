-- Resources of the emulated Cloud gateway other than messages, media and templates: health, profile, block list,
-- conversational components, commerce settings, QR codes.

local support = require "spec.support.emulator"

describe("the Cloud gateway", function()
  local emulator, cloud

  setup(function()
    emulator = assert(support.start({ cloud = { number = "4930123456", phone_number_id = "11", waba_id = "22",
      business_id = "33", verified_name = "Roth GmbH" } }))
    cloud = emulator.cloud
  end)

  teardown(function() emulator:stop() end)

  local function ask(method, path, content) return support.request(cloud, method, path, content) end

  it("returns its health and the settings of the phone number", function()
    local _, body = ask("GET", "/health_status")
    assert.equal("AVAILABLE", body.health_status.can_send_message)
    assert.same({ "PHONE_NUMBER 11", "WABA 22", "BUSINESS 33" }, (function()
      local list = {}
      for i = 1, 3 do
        local entity = body.health_status.entities[i]
        list[i] = entity.entity_type .. " " .. entity.id
      end
      return list
    end)())
    assert.is_nil(body.verified_name)
    _, body = ask("GET", "/health_status?fields=verified_name,quality_rating,display_phone_number,throughput")
    assert.equal("Roth GmbH", body.verified_name)
    assert.equal("4930123456", (body.display_phone_number:gsub("%D", "")))
    assert.equal("STANDARD", body.throughput.level)
    assert.equal(100, select(2, ask("GET", "/health_status?fields=colour")).error.code)
    assert.equal("11", select(2, ask("GET", "/v1/configs/phone_number")).id)
  end)

  it("returns the health that a command has set", function()
    cloud:health({ status = "LIMITED", fields = { quality_rating = "RED" }, entities = {
      WABA = { can_send_message = "BLOCKED", errors = { { error_code = 141006, error_description = "unpaid" } } } } })
    local _, body = ask("GET", "/health_status?fields=quality_rating")
    assert.equal("BLOCKED", body.health_status.can_send_message)
    assert.equal("LIMITED", body.health_status.entities[1].can_send_message)
    assert.equal(141006, body.health_status.entities[2].errors[1].error_code)
    assert.equal("RED", body.quality_rating)
    assert.is_nil((cloud:health({ status = "fine" })))
    cloud:health({})
    assert.equal("AVAILABLE", select(2, ask("GET", "/health_status")).health_status.can_send_message)
  end)

  it("stores the profile", function()
    local function set(changes)
      changes.messaging_product = "whatsapp"
      return ask("POST", "/whatsapp_business_profile", changes)
    end
    local function get(fields)
      return select(2, ask("GET", "/whatsapp_business_profile" .. (fields and "?fields=" .. fields or ""))).data[1]
    end
    assert.same({ success = true }, select(2, set({ about = ("ä"):rep(139), email = "hi@example.org",
      websites = { "https://example.org/" }, vertical = "RETAIL" })))
    local profile = get("about,email,websites,vertical,address")
    assert.equal("hi@example.org", profile.email)
    assert.same({ "https://example.org/" }, profile.websites)
    assert.equal("whatsapp", profile.messaging_product)
    assert.is_nil(profile.address)
    assert.is_nil(get().email)
    set({ email = "", websites = {} })
    assert.is_nil(get("email").email)
    for _, wrong in ipairs({ { about = "" }, { about = ("x"):rep(140) }, { about = "*bold*" }, { email = "none" },
      { websites = { "https://a.de", "https://b.de", "https://c.de" } }, { websites = { "a.de" } },
      { vertical = "SHOES" }, { description = ("x"):rep(513) }, { profile_picture_handle = "4:x" }, { colour = "red" } }) do
      assert.equal(400, (set(wrong)))
    end
    assert.equal(100, select(2, ask("POST", "/whatsapp_business_profile", { about = "x" })).error.code)
  end)

  it("blocks users who have written within a day", function()
    local function block(method, ...)
      local users = {}
      for i, number in ipairs({ ... }) do users[i] = { user = number } end
      return ask(method, "/block_users", { messaging_product = "whatsapp", block_users = users })
    end
    cloud:customer("+49 151 1", { name = "Ida" }):text "Hi"
    cloud:customer("+49 151 2", { user_id = "DE.22" }):text "Hi"
    local status, body = block("POST", "+491511", "DE.22")
    assert.equal(200, status)
    assert.same({ { input = "+491511", wa_id = "491511" }, { input = "DE.22", wa_id = "491512", user_id = "DE.22" } },
      body.block_users.added_users)
    status, body = block("POST", "+491511", "+49999")
    assert.equal(400, status)
    assert.equal(139100, body.error.code)
    assert.equal("+491511", body.block_users.added_users[1].input)
    assert.equal(131047, body.block_users.failed_users[1].errors[1].code)
    assert.equal(131021, select(2, block("POST", cloud.number)).block_users.failed_users[1].errors[1].code)
    assert.equal(2, #select(2, ask("GET", "/block_users")).data)
    support.with_receiver(cloud, function(receiver)
      cloud:customer("+49 151 1"):text "unheard"
      local id = cloud:customer("+49 151 3"):text "heard"
      support.eventually(function() return #receiver.requests > 0 end)
      assert.equal(id, support.cloud_events(receiver, "messages")[1].id)
    end)
    assert.equal("+491511", select(2, block("DELETE", "+491511")).block_users.removed_users[1].input)
    local page = select(2, ask("GET", "/block_users?limit=1"))
    assert.equal("DE.22", page.data[1].user_id)
    assert.equal(400, (block("POST")))
  end)

  it("stores conversational components", function()
    local options = { enable_welcome_message = true, prompts = { "Hours?" },
      commands = { { command_name = "status", command_description = "Order status" } } }
    assert.same({ success = true }, select(2, ask("POST", "/conversational_automation", options)))
    local _, body = ask("GET", "/conversational_automation")
    assert.equal("11", body.id)
    assert.same(options, body.conversational_automation)
    ask("POST", "/conversational_automation", { enable_welcome_message = false })
    assert.same({ enable_welcome_message = false, prompts = {}, commands = {} },
      select(2, ask("GET", "/conversational_automation")).conversational_automation)
    for _, wrong in ipairs({ { prompts = { "1", "2", "3", "4", "5" } }, { prompts = { ("x"):rep(81) } },
      { prompts = { "Hi 😀" } }, { commands = { { command_name = "x" } } } }) do
      assert.equal(400, (ask("POST", "/conversational_automation", wrong)))
    end
  end)

  it("stores the settings of calls, each field until it is set again", function()
    assert.equal("DISABLED", select(2, ask("GET", "/calling/settings")).calling.status)
    assert.same({ success = true }, select(2, ask("POST", "/calling/settings", { calling = { status = "ENABLED" } })))
    assert.same({ success = true }, select(2, ask("POST", "/calling/settings", { calling = { video = { status = "DISABLED" } } })))
    local calling = select(2, ask("GET", "/calling/settings")).calling
    assert.equal("ENABLED", calling.status)
    assert.same({ status = "DISABLED" }, calling.video)
    assert.equal(400, (ask("POST", "/calling/settings", { calling = { status = "on" } })))
    assert.equal(400, (ask("POST", "/calling/settings", { status = "ENABLED" })))
  end)

  it("stores commerce settings, which are set by the query", function()
    assert.same({ success = true },
      select(2, ask("POST", "/whatsapp_commerce_settings?is_cart_enabled=false&is_catalog_visible=true")))
    assert.same({ { id = "11", is_cart_enabled = false, is_catalog_visible = true } },
      select(2, ask("GET", "/whatsapp_commerce_settings")).data)
    assert.equal(400, (ask("POST", "/whatsapp_commerce_settings")))
    assert.equal(400, (ask("POST", "/whatsapp_commerce_settings?is_cart_enabled=maybe")))
  end)

  it("stores QR codes", function()
    local _, made = ask("POST", "/message_qrdls", { prefilled_message = "Hello", generate_qr_image = "PNG" })
    assert.matches("^[A-Z2-7]+$", made.code)
    assert.equal(14, #made.code)
    assert.equal("https://wa.me/message/" .. made.code, made.deep_link_url)
    assert.matches("%.png$", made.qr_image_url)
    local _, changed = ask("POST", "/message_qrdls", { code = made.code, prefilled_message = "Bye" })
    assert.equal("Bye", changed.prefilled_message)
    assert.equal("Bye", select(2, ask("GET", "/message_qrdls/" .. made.code)).data[1].prefilled_message)
    assert.equal(1, #select(2, ask("GET", "/message_qrdls")).data)
    assert.same({ success = true }, select(2, ask("DELETE", "/message_qrdls/" .. made.code)))
    assert.equal(400, (ask("DELETE", "/message_qrdls/" .. made.code)))
    assert.same({}, select(2, ask("GET", "/message_qrdls/" .. made.code)).data)
    assert.equal(400, (ask("POST", "/message_qrdls", { prefilled_message = ("x"):rep(141) })))
    assert.equal(400, (ask("POST", "/message_qrdls", { prefilled_message = "x", code = "UNKNOWN" })))
  end)
end)
