local core = require "waba.core"
local messages = require "spec.support.messages"
local schema = require "waba.schema"
local waba = require "waba.message"

local function content(message)
  assert.is_string(message.type)
  return message[message.type]
end

describe("a builder", function()
  it("makes plain tables in the platform's form", function()
    assert.are.same({ type = "text", text = { body = "Hello" } }, waba.text "Hello")
    assert.are.same({ type = "text", text = { body = "https://a.example", preview_url = true } },
      waba.text { body = "https://a.example", preview_url = true })
    assert.are.same({ type = "image", image = { link = "https://a.example/i.jpg", caption = "Blue" } },
      waba.image { link = "https://a.example/i.jpg", caption = "Blue" })
    assert.are.same({ type = "reaction", reaction = { message_id = "wamid.1", emoji = "" } },
      waba.reaction { message_id = "wamid.1", emoji = "" })
    assert.are.same({ type = "pin", pin = { type = "pin" } }, waba.message("pin", { type = "pin" }))
    assert.are.same({ type = "type" }, waba.message("type", {}))
    for _, example in ipairs(messages.examples()) do
      assert.is_nil(getmetatable(example.message))
      assert.is_string(core.encode(example.message))
    end
  end)

  it("writes identifiers and phone numbers as strings", function()
    assert.are.equal("7781230045", content(waba.image { id = 7781230045 }).id)
    assert.are.equal("7781230045", content(waba.image { id = 7781230045.0 }).id)
    local product = content(waba.product { catalog_id = 448811220099, product_retailer_id = 17 })
    assert.are.same({ catalog_id = "448811220099", product_retailer_id = "17" }, product.action)
    local list = content(waba.product_list { catalog_id = 1, sections = { { products = { 17, "B" } } } })
    assert.are.same({ { product_retailer_id = "17" }, { product_retailer_id = "B" } },
      list.action.sections[1].product_items)
    assert.are.equal("1", content(waba.buttons { buttons = { { id = 1, title = "x" } } }).action.buttons[1].reply.id)
    local card = content(waba.contacts { { phones = { { phone = 49305550199, wa_id = 49305550199 } } } })[1]
    assert.are.same({ phone = "49305550199", wa_id = "49305550199" }, card.phones[1])
  end)

  it("writes a contact card's wa_id as digits, and does not change the phone", function()
    local phones = content(waba.contacts { { phones = {
      { phone = "+49 151 1234567", wa_id = "+49 151 1234567" }, { wa_id = "0049 (0)151 1234567" }, { wa_id = "Eva" },
    } } })[1].phones
    assert.are.same({ { phone = "+49 151 1234567", wa_id = "491511234567" }, { wa_id = "491511234567" },
      { wa_id = "Eva" } }, phones)
  end)

  it("writes coordinates as numbers", function()
    assert.are.same({ latitude = 52.5, longitude = 0 }, content(waba.location { latitude = "52.5", longitude = 0 }))
    assert.are.equal("north", content(waba.location { latitude = "north" }).latitude)
  end)

  it("accepts one contact card without a list", function()
    local card = { name = { formatted_name = "Eva Kern", first_name = "Eva" } }
    assert.are.same(waba.contacts { card }, waba.contacts(card))
  end)

  it("omits empty lists, which Lua can't distinguish from empty objects", function()
    local cards = content(waba.contacts {
      { name = {}, phones = {}, emails = {}, urls = {}, ims = {}, addresses = {} },
    })
    assert.are.same({ { name = {} } }, cards)
    assert.are.same({ name = "x", language = { code = "de" } }, content(waba.template {
      name = "x", language = "de", body = {}, buttons = {},
    }))
    assert.are.same({ name = "x", language = { code = "de" } }, content(waba.template {
      name = "x", language = "de", components = {},
    }))
  end)

  it("does not change its argument, and returns copies of the parts that it changes", function()
    local options = { header = { image = { id = 5 } }, body = "x", buttons = { { id = 1, title = "A" } } }
    local before = messages.copy(options)
    local message = waba.buttons(options)
    assert.are.same(before, options)
    options.buttons[1].title = "B"
    assert.are.equal("A", content(message).action.buttons[1].reply.title)

    local template = {
      name = "x", language = "de", body = { 5, waba.currency { code = "EUR" } }, buttons = { { url = 5 } },
    }
    before = messages.copy(template)
    waba.template(template)
    assert.are.same(before, template)
  end)

  it("raises no error, and keeps wrong values for the check", function()
    local strange = {
      0, 1.5, 0 / 0, true, false, "x", "\255", {}, { {} }, { 1, 2 }, { type = true },
      { [1e300] = 1, [-1] = 2, [0.5] = 3 },
      { body = 5, header = true, footer = {}, buttons = 7, sections = "x", language = false, params = 1 },
      { components = 3, language = 5 },
      { body = { [9] = "x" }, header = { type = 5 }, buttons = { 1, "x", {}, true }, sections = { 1, { rows = 5 } } },
      { header = { text = {} }, body = { { type = {} } }, params = { {}, { type = "currency" }, { type = "text" } } },
      { cards = { 1, {}, { buttons = 5, header = 1, body = {} }, x = {} }, products = { 1, {}, true }, data = 5 },
      { order = { items = 5 }, items = { 1 }, total_amount = 5, payment_settings = { 1, {} }, status = 1, tax = { amount_1000 = 1 / 0 } },
      { buttons = { { flow = 5 }, { mpm = 1 }, { mpm = { sections = 5 } }, { voice_call = 5 }, { order_details = 1 }, { catalog = {} } } },
      { values = 1, saved_addresses = { 1 }, validation_errors = 5, limited_time_offer = {}, tap_target_configuration = 1 },
      print, core.null,
    }
    for name, build in pairs(messages.builders()) do
      assert.has_no.errors(function() build(nil) end, name)
      for _, value in ipairs(strange) do
        assert.has_no.errors(function() build(value) end, name)
        assert.has_no.errors(function() build("image", value) end, name)
      end
    end
    assert.are.equal("x", content(waba.image { id = "1", captoin = "x" }).captoin)
    assert.are.equal("x", content(waba.list { body = "y", buton = "x" }).buton)
    assert.are.equal("https://a.example", content(waba.image "https://a.example"))
  end)
end)

describe("waba.template", function()
  local function components(short)
    short.name, short.language = "order_ready", "de"
    return content(waba.template(short)).components
  end

  it("turns the short form into components", function()
    assert.are.same({
      { type = "header", parameters = { { type = "document", document = { link = "https://a.example/1.pdf" } } } },
      { type = "body", parameters = {
        { type = "text", text = "Eva" },
        { type = "currency", currency = { code = "EUR", amount_1000 = 49900, fallback_value = "49,90 EUR" } },
        { type = "date_time", date_time = { fallback_value = "2. April 2024" } },
        { type = "text", text = "5" },
      } },
      { type = "button", sub_type = "quick_reply", index = "0", parameters = {
        { type = "payload", payload = "PICKUP" },
      } },
      { type = "button", sub_type = "url", index = "1", parameters = { { type = "text", text = "track/118" } } },
    }, components {
      header = { document = { link = "https://a.example/1.pdf" } },
      body = {
        "Eva", waba.currency { code = "EUR", amount_1000 = 49900, fallback_value = "49,90 EUR" },
        waba.date_time { fallback_value = "2. April 2024" }, 5,
      },
      buttons = { { payload = "PICKUP" }, { url = "track/118" } },
    })
  end)

  it("accepts a header as text, as a table and from a builder", function()
    local image = { { type = "header", parameters = { { type = "image", image = { id = "5" } } } } }
    assert.are.same(image, components { header = { image = { id = 5 } } })
    assert.are.same(image, components { header = waba.image { id = 5 } })
    assert.are.same(image, components { header = { type = "image", image = { id = "5" } } })
    local text = { { type = "header", parameters = { { type = "text", text = "Eva" } } } }
    assert.are.same(text, components { header = "Eva" })
    assert.are.same(text, components { header = { text = "Eva" } })
    assert.are.same(text, components { header = waba.text "Eva" })
  end)

  it("uses the only field of a header as a named parameter, if its name is unknown", function()
    for index, row in ipairs {
      { { customer = "Eva" }, { type = "text", text = "Eva", parameter_name = "customer" } },
      { { text = "Eva", parameter_name = "customer" }, { type = "text", text = "Eva", parameter_name = "customer" } },
      { { type = "text", text = "Eva" }, { type = "text", text = "Eva" } }, { { type = "odd" }, { type = "odd" } },
      { { customer = { "Eva" } }, { customer = { "Eva" } } }, { { a = "x", b = "y" }, { a = "x", b = "y" } }, { { "Eva" }, { "Eva" } },
      { { customer = 5 }, { type = "text", text = "5", parameter_name = "customer" } },
    } do
      assert.are.same({ { type = "header", parameters = { row[2] } } }, components { header = row[1] }, index)
    end
  end)

  it("keeps the positions of values after one that is missing", function()
    local parameters = components({ body = { "a", nil, "c" } })[1].parameters
    assert.are.same({ { type = "text", text = "a" }, { type = "text" }, { type = "text", text = "c" } }, parameters)
    assert.are.same({ { type = "text" }, { type = "text", text = "b" } }, components({ body = { [2] = "b" } })[1].parameters)
  end)

  it("accepts one button in place of a list, and one target in place of a list", function()
    local button = { type = "button", sub_type = "url", index = "0", parameters = { { type = "text", text = "118" } } }
    assert.are.same({ button }, components { buttons = { { url = "118" } } })
    local body = { type = "body", parameters = { { type = "text", text = "x" } } }
    assert.are.equal(2, #components { body = { "x" }, buttons = 5 })
    assert.are.same(body, components({ body = { "x" }, buttons = 5 })[1])
    local target = { url = "https://a.example", title = "A" }
    for _, given in ipairs { target, { target } } do
      assert.are.same({ { type = "tap_target_configuration", parameters = { { type = "tap_target_configuration",
        tap_target_configuration = { target } } } } }, components { tap_target_configuration = given })
    end
  end)

  it("writes whole numbers without a fraction", function()
    local parameters = components({ body = { 5, 5.0, 49.9, 123456789012345 } })[1].parameters
    assert.are.same({ "5", "5", "49.9", "123456789012345" },
      { parameters[1].text, parameters[2].text, parameters[3].text, parameters[4].text })
  end)

  it("accepts parameters in the platform's form, with or without their type", function()
    assert.are.same({ { type = "body", parameters = {
      { type = "currency", currency = { code = "EUR" } }, { type = "text", text = "5" }, { type = "text", text = "6" },
    } } }, components { body = { { currency = { code = "EUR" } }, { text = 5 }, { type = "text", text = 6 } } })
    local eva = { { type = "body", parameters = { { type = "text", text = "Eva" } } } }
    assert.are.same(eva, components { body = "Eva" })
  end)

  it("keeps values that have no position", function()
    local template = waba.template { name = "x", language = "de", body = { "Eva", [1.5] = "Berlin" } }
    local ok, err = schema.check(template, "on_premise", true)
    assert.is_nil(ok)
    assert.are.equal("template.components[1].parameters", err.path)
  end)

  it("counts a button's position in the list, unless the button has a position", function()
    local buttons = components { buttons = { false, { url = "x" }, { payload = "y", index = 7 } } }
    assert.are.same({ "1", "7" }, { buttons[1].index, buttons[2].index })
  end)

  it("puts the code of an authentication template into the body and the button", function()
    assert.are.same({
      { type = "body", parameters = { { type = "text", text = "845210" } } },
      { type = "button", sub_type = "url", index = "0", parameters = { { type = "text", text = "845210" } } },
    }, components { otp = 845210 })
  end)

  it("accepts named parameters, and sorts them", function()
    assert.are.same({ { type = "body", parameters = {
      { type = "text", parameter_name = "first_name", text = "Ida" },
      { type = "text", parameter_name = "order_no", text = "118" },
    } } }, components { body = { order_no = 118, first_name = "Ida" } })
  end)

  it("does not shift parameters when a variable is nil", function()
    local parameters = components({ body = { "Eva", nil, "Berlin" } })[1].parameters
    assert.are.same({ { type = "text", text = "Eva" }, { type = "text" }, { type = "text", text = "Berlin" } },
      parameters)
    local every_second = components({ body = { "a", nil, "c", nil, "e" } })[1].parameters
    assert.are.equal(5, #every_second)
    for i = 1, 5 do assert.are.equal("text", every_second[i].type) end
  end)

  it("does not change the raw form", function()
    local raw = { { type = "button", sub_type = "flow", index = 0, parameters = { { type = "action", action = {} } } } }
    local template = content(waba.template {
      name = "x", language = { code = "de", policy = "deterministic" }, namespace = "n", components = raw,
    })
    assert.are.same({
      name = "x", language = { code = "de", policy = "deterministic" }, namespace = "n", components = raw,
    }, template)
  end)
end)

describe("waba.hsm", function()
  it("writes parameters in the older form", function()
    assert.are.same({
      { default = "Eva" },
      { default = "49,90 EUR", currency = { currency_code = "EUR", amount_1000 = 49900 } },
      { default = "April", date_time = { component = { month = 4 } } },
      { default = "April", date_time = { unix_epoch = { timestamp = 1712044800 } } },
      { default = "soon" },
    }, content(waba.hsm { namespace = "n", element_name = "x", language = "de", params = {
      "Eva", waba.currency { code = "EUR", amount_1000 = 49900, fallback_value = "49,90 EUR" },
      waba.date_time { fallback_value = "April", month = 4 },
      waba.date_time { fallback_value = "April", timestamp = 1712044800 },
      waba.date_time { fallback_value = "soon" },
    } }).localizable_params)
    local raw = { { default = "Eva" }, { default = "5", currency = { currency_code = "EUR", amount_1000 = 5000 } } }
    assert.are.same(raw, content(waba.hsm { element_name = "x", language = "de", params = raw }).localizable_params)
    assert.are.same(raw, content(waba.hsm { element_name = "x", localizable_params = raw }).localizable_params)
    local typed = waba.hsm { params = { { type = "text", text = 5 } } }
    assert.are.same({ { default = "5" } }, content(typed).localizable_params)
    local other = { { type = "image", image = { id = "5" } }, { type = "currency", currency = "5 EUR" } }
    assert.are.same(other, content(waba.hsm { params = other }).localizable_params)
  end)
end)

describe("an interactive builder", function()
  it("makes body, header and footer", function()
    local expected = {
      type = "button",
      header = { type = "text", text = "Order 118" }, body = { text = "Confirm?" }, footer = { text = "Today" },
      action = { buttons = { { type = "reply", reply = { id = "y", title = "Yes" } } } },
    }
    assert.are.same(expected, content(waba.buttons {
      header = "Order 118", body = "Confirm?", footer = "Today", buttons = { { id = "y", title = "Yes" } },
    }))
    assert.are.same(expected, content(waba.buttons { -- the header in the form that the platform uses
      header = { type = "text", text = "Order 118" }, body = { text = "Confirm?" }, footer = { text = "Today" },
      buttons = { { type = "reply", reply = { id = "y", title = "Yes" } } },
    }))
  end)

  it("makes lists and products", function()
    assert.are.same({
      type = "list", body = { text = "When?" },
      action = { button = "Slots", sections = { { title = "Friday", rows = { { id = "9", title = "09:00" } } } } },
    }, content(waba.list {
      body = "When?", button = "Slots", sections = { { title = "Friday", rows = { { id = 9, title = "09:00" } } } },
    }))
    assert.are.same({
      type = "product", body = { text = "Back!" }, action = { catalog_id = "1", product_retailer_id = "B-1" },
    }, content(waba.product { body = "Back!", catalog_id = "1", product_retailer_id = "B-1" }))
    assert.are.same({
      type = "product_list", header = { type = "text", text = "New" }, body = { text = "Look" },
      action = { catalog_id = "1", sections = {
        { title = "Boots", product_items = { { product_retailer_id = "B-1" } } },
      } },
    }, content(waba.product_list {
      header = "New", body = "Look", catalog_id = "1", sections = { { title = "Boots", products = { "B-1" } } },
    }))
    local both = { products = { "B-1" }, product_items = { { product_retailer_id = "B-2" } } }
    assert.are.same({ both }, content(waba.product_list { sections = { both } }).action.sections)
  end)
end)

describe("a builder", function()
  it("never fails, whatever its argument contains", function()
    local ODD = { 5, "x", true, {}, { 5 }, { "x" }, { { 5 } }, { phones = 5 }, { phones = { 5, "x", true, {} } },
      { name = 5, phones = { 5 } } }
    for name, build in pairs(waba) do
      if type(build) == "function" then
        for index, value in ipairs(ODD) do assert(pcall(build, value), name .. index) end
        assert(pcall(build, nil), name)
      end
    end
  end)

  it("of contacts reads the numbers of a card in every form, and keeps what is invalid", function()
    for wa_id, expected in pairs { ["+49 151 1234567"] = "491511234567", [491511234567] = "491511234567", ["x"] = "x" } do
      local phones = { { phone = 5, wa_id = wa_id }, { phone = "1" } }
      local card = waba.contacts({ name = { formatted_name = "Eva" }, phones = phones }).contacts[1]
      assert.same({ { phone = "5", wa_id = expected }, { phone = "1" } }, card.phones)
    end
  end)

  it("of voice notes sets voice, unless the content has another value", function()
    assert.is_true(waba.voice({ id = "1" }).audio.voice)
    assert.is_false(waba.voice({ id = "1", voice = false }).audio.voice)
    assert.is_nil(waba.audio({ id = "1" }).audio.voice)
  end)
end)
