-- The same calls of a client have the same results on both hostings, except for fields that only one hosting has.

local cloud_templates = require "spec.support.cloud_templates"
local waba = require "waba"

local PNG = "\137PNG\r\n\26\n\0\0\0\13IHDR\0\0\2\128\0\0\2\128\8\2\0\0\0" .. ("y"):rep(3000)

local emulator

setup(function() emulator = assert(waba.emulator.start { statuses = false, templates = {} }) end)

teardown(function() emulator:stop() end)

for _, hosting in ipairs { "on_premise", "cloud" } do
  describe("a program on " .. hosting, function()
    local client

    setup(function()
      client = waba.client(emulator:options { hosting = hosting, pace = false, retry = false })
    end)

    teardown(function() client:close() end)

    it("manages templates", function()
      for i = 1, 5 do
        local created = assert(client.templates:create {
          name = "offer_" .. i, language = i == 5 and "en" or "de", category = "UTILITY",
          components = { { type = "BODY", text = "Guten Tag, hier ist Angebot " .. i .. "." } },
        })
        assert.equal("offer_" .. i, created.name)
        assert.equal("UTILITY", created.category)
        assert.equal("string", type(created.id))
        assert.equal("string", type(created.status))
      end
      local names = {}
      for template, err in client.templates:each { limit = 2 } do
        assert.is_nil(err)
        assert.equal("string", type(template.id))
        names[#names + 1] = template.name
      end
      table.sort(names)
      assert.same({ "offer_1", "offer_2", "offer_3", "offer_4", "offer_5" }, names)
      local page = assert(client.templates:list { limit = 3 })
      assert.equal(3, page.count)
      page = assert(client.templates:list { name = "offer_2" })
      assert.equal(1, #page.templates)
      assert.same({ { type = "BODY", text = "Guten Tag, hier ist Angebot 2." } }, page.templates[1].components)
      page = assert(client.templates:list { language = "en", category = "utility" })
      assert.equal("offer_5", page.templates[1].name)
      assert.is_true(client.templates:delete "offer_2")
      assert.equal(0, #client.templates:list({ name = "offer_2" }).templates)
      local deleted, err = client.templates:delete "no_such_template"
      assert.is_nil(deleted)
      assert.truthy(err.kind == "not_found" or err.kind == "invalid") -- the Graph API reports code 100, an invalid parameter
    end)

    it("writes its profile", function()
      assert.is_true(client.profile:set_about "Brillen für alle")
      assert.equal("Brillen für alle", client.profile:about())
      assert(client.profile:set_business { address = "Torstr. 1", websites = { "https://kern.example/" } })
      local business = {
        address = "Torstr. 1", email = "info@kern.example", websites = { "https://kern.example/" },
        vertical = client.profile:business().vertical,
      }
      assert.same(business, client.profile:set_business { email = "info@kern.example" })
      assert.same(business, client.profile:business())
      business.websites = nil
      assert.same(business, client.profile:set_business { websites = {} })
      assert.same(business, client.profile:business())
    end)

    it("has a photo", function()
      local photo, err = client.profile:photo()
      assert.is_nil(photo)
      assert.equal("not_found", err.kind)
      assert.is_true(client.profile:set_photo { data = PNG })
      assert.equal("string", type(assert(client.profile:photo { link = true }).link))
    end)

    it("sets its webhook", function()
      assert.is_truthy(client.webhook:set { url = "https://shop.example/hooks", user = "u", password = "p" })
      assert.same({ url = "https://shop.example/hooks", headers = { Authorization = "Basic dTpw" } }, client.webhook:get())
    end)
  end)
end

describe("a program on Cloud hosting", function()
  local client

  setup(function()
    client = waba.client(emulator:options { hosting = "cloud", pace = false, retry = false })
  end)

  teardown(function() client:close() end)

  local MP4 = "\0\0\0\24ftypmp42\0\0\0\0mp42isom" .. ("m"):rep(2000)
  local FILES = {
    IMAGE = { data = PNG, type = "image/png" }, VIDEO = { data = MP4, type = "video/mp4" },
    GIF = { data = MP4, type = "video/mp4" }, DOCUMENT = { data = "%PDF-1.4\n", type = "application/pdf" },
  }
  local handles = {}

  -- Replaces the placeholders of a template's example files by handles of uploaded files.
  local function with_handles(value)
    if type(value) ~= "table" then return value end
    local file = value.example and value.example.header_handle and FILES[value.format]
    if file then
      handles[value.format] = handles[value.format] or assert(client.media:resumable(file))
      value.example.header_handle = { handles[value.format] }
    end
    for _, inner in pairs(value) do with_handles(inner) end
    return value
  end

  it("creates every kind of template that the rules allow", function()
    for _, name in ipairs(cloud_templates.names()) do
      if name ~= "library" then
        local template = with_handles(cloud_templates.new(name))
        local created, err = client.templates:create(template)
        assert.is_truthy(created, name .. ": " .. tostring(err))
        local stored = assert(client.templates:get(created.id))
        assert.equal(template.name, stored.name, name)
        assert.equal(#template.components, #stored.components, name)
      end
    end
  end)

  it("edits, archives and deletes templates by their ids", function()
    local created = assert(client.templates:create {
      name = "to_edit", language = "de", category = "UTILITY", components = { { type = "BODY", text = "Hallo." } },
    })
    local edited, err = client.templates:edit(created.id, { components = { { type = "BODY", text = "Guten Tag." } } })
    assert.is_nil(edited) -- refused, because the template has no review yet
    assert.equal("invalid", err.kind)
    assert(emulator.cloud:review_template("to_edit", "APPROVED"))
    assert.is_true(client.templates:edit(created.id, { components = { { type = "body", text = "Guten Tag." } } }))
    assert.equal("Guten Tag.", assert(client.templates:get(created.id)).components[1].text)
    assert(emulator.cloud:review_template("to_edit", "APPROVED"))
    assert.same({ succeeded = { created.id }, failed = {} }, client.templates:archive { created.id })
    local result = assert(client.templates:archive { created.id })
    assert.same({}, result.succeeded)
    assert.equal("string", type(result.failed[created.id]))
    assert.same({ succeeded = { created.id }, failed = {} }, client.templates:unarchive { created.id })
    assert.is_true(client.templates:delete("to_edit", { id = created.id }))
    assert.is_nil((client.templates:get(created.id)))
  end)

  it("makes templates from the library", function()
    local page = assert(client.templates:library { limit = 1 })
    local found = assert(page.templates[1])
    assert.equal("string", type(found.name))
    local count = 0
    for _ in client.templates:each_in_library { limit = 1 } do count = count + 1 end
    assert.is_true(count >= 1)
  end)

  it("blocks customers who have written, and reports those who could not be blocked", function()
    emulator.cloud:customer("4915112345678"):text "Hallo"
    local result = assert(client.block_list:block { "+49 151 12345678", "+49 151 12345679" })
    assert.equal(1, #result.users)
    assert.equal("4915112345678", result.users[1].wa_id)
    assert.equal(1, #result.failed)
    assert.equal("window", result.failed[1].error.kind)
    local blocked = {}
    for user in client.block_list:each() do blocked[#blocked + 1] = user.wa_id end
    assert.same({ "4915112345678" }, blocked)
    assert.equal(1, #assert(client.block_list:unblock { "4915112345678" }).users)
    assert.same({}, client.block_list:list().users)
  end)

  it("sets ice breakers and commands", function()
    local commands = { { command_name = "status", command_description = "Order status" } }
    assert(client.conversational_automation:set { prompts = { "Hours?" }, commands = commands })
    assert(client.conversational_automation:set { enable_welcome_message = true })
    assert.same({ enable_welcome_message = true, prompts = { "Hours?" }, commands = commands },
      client.conversational_automation:get())
    assert(client.conversational_automation:set { prompts = {} })
    assert.same({ enable_welcome_message = true, prompts = {}, commands = commands },
      client.conversational_automation:get())
  end)

  it("shows and hides its catalog", function()
    assert.is_true(client.commerce_settings:set { is_catalog_visible = true })
    assert.is_true(client.commerce_settings:get().is_catalog_visible)
    assert.is_true(client.commerce_settings:set { is_catalog_visible = false, is_cart_enabled = false })
    assert.same({ is_catalog_visible = false, is_cart_enabled = false }, client.commerce_settings:get())
  end)

  it("has QR codes", function()
    local made = assert(client.qr_codes:create { prefilled_message = "Hallo", generate_qr_image = "SVG" })
    assert.equal(14, #made.code)
    assert.equal("Guten Tag", assert(client.qr_codes:edit(made.code, { prefilled_message = "Guten Tag" })).prefilled_message)
    assert.equal("Guten Tag", assert(client.qr_codes:get(made.code)).prefilled_message)
    assert.equal(1, #assert(client.qr_codes:list()).codes)
    assert.is_true(client.qr_codes:delete(made.code))
    assert.same({}, client.qr_codes:list().codes)
  end)

  it("sets the webhook URL of the account, and further destinations", function()
    assert.is_true(client.webhook:set_account { url = "https://shop.example/account", headers = { X = "1" } })
    assert.is_true(client.webhook:set_destinations { destinations = { { name = "a", url = "https://a.example/h" } } })
    assert.is_true(client.webhook:add_destination { name = "b", url = "https://b.example/h" })
    assert.is_true(client.webhook:update_destination { name = "b", url = "https://b.example/other" })
    assert.same({ enabled = true, destinations = {
      { name = "a", url = "https://a.example/h", headers = {} }, { name = "b", url = "https://b.example/other", headers = {} },
    } }, client.webhook:destinations())
    assert.is_truthy(select(2, client.webhook:add_destination { name = "b", url = "https://b.example/h" }))
    assert.is_true(client.webhook:set_destinations { enabled = false, destinations = {} })
    assert.same({ enabled = false, destinations = {} }, client.webhook:destinations())
  end)
end)
