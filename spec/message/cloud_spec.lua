-- The builders of messages that only Cloud hosting has: which message each builder makes from its arguments.

local messages = require "spec.support.messages"
local waba = require "waba.message"

local function interactive(message)
  assert.are.equal("interactive", message.type)
  return message.interactive
end

local function components(short)
  short.name, short.language = "spring_sale", "de"
  return waba.template(short).template.components
end

describe("a builder of Cloud hosting", function()
  it("makes voice notes and pins", function()
    assert.are.same({ type = "audio", audio = { id = "5", voice = true } }, waba.voice { id = 5 })
    assert.are.same({ type = "pin", pin = { type = "pin", message_id = "wamid.1", expiration_days = 7 } },
      waba.pin { message_id = "wamid.1", expiration_days = 7 })
    assert.are.same({ type = "pin", pin = { type = "unpin", message_id = "wamid.1" } }, waba.unpin "wamid.1")
  end)

  it("puts a flat table's fields into the platform's places", function()
    assert.are.same({
      type = "cta_url", header = { type = "image", image = { id = "5" } }, body = { text = "On its way" },
      footer = { text = "Roth" },
      action = { name = "cta_url", parameters = { display_text = "Track", url = "https://t.example/118" } },
    }, interactive(waba.cta_url {
      header = waba.image { id = 5 }, body = "On its way", footer = "Roth", display_text = "Track",
      url = "https://t.example/118",
    }))
    assert.are.same({
      type = "flow", body = { text = "Book" },
      action = { name = "flow", parameters = {
        flow_message_version = "3", flow_id = "99120034", flow_cta = "Book", flow_token = "sess-5f1",
        flow_action = "navigate", flow_action_payload = { screen = "DATES", data = { branch = "Berlin" } },
      } },
    }, interactive(waba.flow {
      body = "Book", flow_id = 99120034, flow_cta = "Book", flow_token = "sess-5f1", flow_action = "navigate",
      screen = "DATES", data = { branch = "Berlin" },
    }))
    assert.are.same({ screen = "DATES" },
      interactive(waba.flow { screen = "DATES", data = {} }).action.parameters.flow_action_payload)
    assert.are.same({
      type = "catalog_message", body = { text = "Browse" },
      action = { name = "catalog_message", parameters = { thumbnail_product_retailer_id = "17" } },
    }, interactive(waba.catalog { body = "Browse", thumbnail_product_retailer_id = 17 }))
    assert.are.same({
      type = "voice_call", body = { text = "Talk?" },
      action = { name = "voice_call", parameters = { display_text = "Call us", ttl_minutes = 120, payload = "4711" } },
    }, interactive(waba.voice_call { body = "Talk?", display_text = "Call us", ttl_minutes = 120, payload = 4711 }))
    assert.are.same({
      type = "address_message", body = { text = "Where?" },
      action = { name = "address_message", parameters = {
        country = "IN", values = { name = "Asha", in_pin_code = "560001" },
        saved_addresses = { { id = "1", value = { city = "Bengaluru" } } },
      } },
    }, interactive(waba.address {
      body = "Where?", values = { name = "Asha", in_pin_code = 560001 },
      saved_addresses = { { id = 1, value = { city = "Bengaluru" } } }, validation_errors = {},
    }))
  end)

  it("accepts a text if no other field is required", function()
    assert.are.same({
      type = "location_request_message", body = { text = "Where?" }, action = { name = "send_location" },
    }, interactive(waba.location_request "Where?"))
    assert.are.same({
      type = "request_contact_info", body = { text = "Your number?" }, action = { name = "request_contact_info" },
    }, interactive(waba.request_contact_info "Your number?"))
    assert.are.same({ type = "voice_call", body = { text = "Talk?" }, action = { name = "voice_call" } },
      interactive(waba.voice_call "Talk?"))
    assert.are.same({ type = "call_permission_request", action = { name = "call_permission_request" } },
      interactive(waba.call_permission()))
    assert.are.same({ type = "catalog_message", body = { text = "Browse" }, action = { name = "catalog_message" } },
      interactive(waba.catalog "Browse"))
  end)

  it("does not change an action in the platform's form", function()
    local action = { name = "cta_url", parameters = { display_text = "Track", url = "https://t.example" } }
    assert.are.same(action, interactive(waba.cta_url { body = "x", action = action }).action)
    assert.are.same(action, interactive(waba.cta_url { body = "x", action = {
      parameters = { display_text = "Track" },
    }, url = "https://t.example" }).action)
    assert.are.same({ buttons = { { type = "reply", reply = { id = "1" } } } },
      interactive(waba.buttons { body = "x", action = { buttons = { { type = "reply", reply = { id = "1" } } } } }).action)
  end)

  it("numbers the cards of a carousel", function()
    local link = { link = "https://cdn.example/a.jpg" }
    assert.are.same({
      type = "carousel", body = { text = "Two rooms" },
      action = { cards = {
        {
          card_index = 0, type = "cta_url", header = { type = "image", image = link }, body = { text = "*Loft*" },
          action = { name = "cta_url", parameters = { display_text = "Book", url = "https://b.example/a" } },
        },
        {
          card_index = 1, type = "cta_url", header = { type = "image", image = link },
          action = { buttons = { { type = "quick_reply", quick_reply = { id = "2", title = "Take it" } } } },
        },
      } },
    }, interactive(waba.carousel { body = "Two rooms", cards = {
      { header = waba.image(link), body = "*Loft*", display_text = "Book", url = "https://b.example/a" },
      { header = { image = link }, buttons = { { id = 2, title = "Take it" } } },
    } }))
    assert.are.same({
      type = "carousel", body = { text = "New" },
      action = { cards = {
        { card_index = 0, type = "product", action = { product_retailer_id = "B-1", catalog_id = "55001" } },
        { card_index = 1, type = "product", action = { product_retailer_id = "17", catalog_id = "55001" } },
      } },
    }, interactive(waba.product_carousel { body = "New", catalog_id = 55001, products = { "B-1", 17 } }))
  end)

  it("writes amounts in hundredths, from hundredths or thousandths", function()
    local expected = {
      type = "order_details", body = { text = "Your cart" },
      action = { name = "review_and_pay", parameters = {
        reference_id = "118", type = "digital-goods", payment_type = "br", currency = "BRL",
        payment_settings = { { type = "payment_link", payment_link = { uri = "https://pay.example/118" } } },
        total_amount = { value = 5000, offset = 100 },
        order = {
          status = "pending", subtotal = { value = 5000, offset = 100 }, tax = { value = 0, offset = 100 },
          items = { { retailer_id = "B-1", name = "Boot", amount = { value = 5000, offset = 100 }, quantity = 1 } },
        },
      } },
    }
    local content = {
      body = "Your cart", reference_id = 118, type = "digital-goods", payment_type = "br", currency = "BRL",
      payment_settings = { { payment_link = { uri = "https://pay.example/118" } } },
      total_amount = { amount_1000 = 50000 }, subtotal = { value = 5000 }, tax = { value = 0 },
      items = { { retailer_id = "B-1", name = "Boot", amount = { amount_1000 = 50000 }, quantity = 1 } },
    }
    local before = messages.copy(content)
    assert.are.same(expected, interactive(waba.order_details(content)))
    assert.are.same(before, content)
    content.order = { items = content.items, subtotal = content.subtotal, tax = content.tax }
    content.items, content.subtotal, content.tax = nil, nil, nil
    assert.are.same(expected, interactive(waba.order_details(content)))
    local odd = interactive(waba.order_details { total_amount = { amount_1000 = 49999 } }).action.parameters
    assert.are.same({ amount_1000 = 49999, offset = 100 }, odd.total_amount)
  end)

  it("puts every other field of an order into the parameters, known or not", function()
    local made = interactive(waba.order_details {
      body = "Pay", header = waba.image { id = 5 }, reference_id = "1", type = "digital-goods", payment_type = "upi",
      payment_configuration = "shop-upi", currency = "INR", total_amount = { value = 100 },
      beneficiaries = { { name = "Asha" } },
    })
    assert.are.same({
      type = "order_details", header = { type = "image", image = { id = "5" } }, body = { text = "Pay" },
      action = { name = "review_and_pay", parameters = {
        reference_id = "1", type = "digital-goods", payment_type = "upi", payment_configuration = "shop-upi",
        currency = "INR", total_amount = { value = 100, offset = 100 }, beneficiaries = { { name = "Asha" } },
      } },
    }, made)
    assert.are.equal("x", interactive(waba.order_status { body = "b", new_field = "x" }).action.parameters.new_field)
    assert.are.equal("x", interactive(waba.flow { body = "b", new_field = "x" }).action.parameters.new_field)
    assert.are.same({ { type = "offsite_card_pay",
      offsite_card_pay = { credential_id = "1234567", last_four_digits = "5235" } } },
      interactive(waba.order_details { payment_settings = { { offsite_card_pay = { credential_id = 1234567,
        last_four_digits = 5235 } } } }).action.parameters.payment_settings)
  end)

  it("puts fields beside an order into the order", function()
    for _, name in ipairs { "items", "subtotal", "tax", "shipping", "discount", "catalog_id", "expiration" } do
      local value = name == "catalog_id" and "5" or name == "items" and {} or { value = 1, offset = 100 }
      local expected = { order = { status = "pending", [name] = value } }
      assert.are.same(expected, interactive(waba.order_details { body = "x", [name] = value }).action.parameters)
      assert.are.same(expected,
        interactive(waba.order_details { body = "x", order = { status = "pending" }, [name] = value }).action.parameters)
    end
    assert.are.same({ order = "odd", payment_settings = { 5 } },
      interactive(waba.order_details { body = "x", order = "odd", payment_settings = { 5 } }).action.parameters)
  end)

  it("omits an order, or the start of a flow, without fields", function()
    local function status(content) return interactive(waba.order_status(content)).action.parameters end
    assert.are.same({ payment = { status = "captured" } }, status { body = "x", payment = { status = "captured" } })
    assert.are.same({ order = { description = "DHL" } }, status { body = "x", description = "DHL" })
    assert.are.same({ order = { status = "shipped" } }, status { body = "x", status = "shipped" })
    assert.are.same({ order = { status = "shipped" }, description = "DHL" },
      status { body = "x", order = { status = "shipped" }, description = "DHL" })
    local function start(content)
      local parameters = interactive(waba.flow(content)).action.parameters
      return { parameters.flow_action_payload or "none", parameters.screen }
    end
    assert.are.same({ "none" }, start { body = "x" })
    assert.are.same({ { screen = "DATES" } }, start { body = "x", screen = "DATES" })
    assert.are.same({ { data = { a = 1 } } }, start { body = "x", data = { a = 1 } })
    assert.are.same({ { screen = "A" }, "B" }, start { body = "x", flow_action_payload = { screen = "A" }, screen = "B" })
  end)

  it("reports the status of an order", function()
    assert.are.same({
      type = "order_status", body = { text = "On its way" },
      action = { name = "review_order", parameters = {
        reference_id = "118", order = { status = "shipped", description = "DHL" },
        payment = { status = "captured", timestamp = 1790000000 },
      } },
    }, interactive(waba.order_status {
      body = "On its way", reference_id = 118, status = "shipped", description = "DHL",
      payment = { status = "captured", timestamp = 1790000000 },
    }))
  end)
end)

describe("waba.template on Cloud hosting", function()
  it("accepts headers that only Cloud hosting has, and a header by name", function()
    local place = { latitude = 52.5, longitude = 13.4, name = "Shop", address = "Torstr. 1" }
    local function header(options) return components({ header = options })[1].parameters end
    assert.are.same({ { type = "location", location = place } }, header(waba.location(place)))
    assert.are.same({ { type = "product", product = { catalog_id = "5", product_retailer_id = "B-1" } } },
      header { product = { catalog_id = 5, product_retailer_id = "B-1" } })
    assert.are.same({ { type = "gif", gif = { id = "5" } } }, header { gif = { id = 5 } })
    local named = { { type = "text", text = "Eva", parameter_name = "customer" } }
    assert.are.same(named, header { customer = "Eva" })
    assert.are.same(named, header { text = "Eva", parameter_name = "customer" })
    assert.are.same(named, header(named[1]))
  end)

  it("has the short form's fields in its components only", function()
    for name, value in pairs {
      header = "a", body = { "a" }, buttons = { { payload = "a" } }, otp = "1", limited_time_offer = { expiration_time_ms = 1 },
      cards = { { header = { image = { id = "1" } } } }, tap_target_configuration = { { url = "https://a.example" } },
    } do
      local made = waba.template { name = "x", language = "de", [name] = value }.template
      assert.is_table(made.components)
      made.components = nil
      assert.are.same({ name = "x", language = { code = "de" } }, made)
    end
  end)

  it("fills gaps in a list of parameters", function()
    local function count(position) return #components({ body = { [position] = "x" } })[1].parameters end
    -- gaps up to position 256 are filled, because no message has more parameters
    assert.are.same({ 2, 256, 0 }, { count(2), count(256), count(257) })
  end)

  it("has a short form for every button", function()
    local function button(options) return (components { buttons = { options } } or {})[1] end
    local function action(sub_type, content)
      return { type = "button", sub_type = sub_type, index = "0", parameters = { { type = "action", action = content } } }
    end
    assert.are.same({
      type = "button", sub_type = "copy_code", index = "0",
      parameters = { { type = "coupon_code", coupon_code = "SAVE20" } },
    }, button { copy_code = "SAVE20" })
    assert.are.same({
      type = "button", sub_type = "url", index = "0", parameters = { { type = "text", text = "845210" } },
    }, button { otp = 845210 })
    assert.are.same(action("flow", {}), button { flow = true })
    assert.are.same(action("flow", { flow_token = "5" }), button { flow = 5 })
    assert.are.same(action("flow", { flow_token = "t", flow_action_data = { a = 1 } }),
      button { flow = { flow_token = "t", flow_action_data = { a = 1 } } })
    assert.are.same(action("catalog", { thumbnail_product_retailer_id = "17" }), button { catalog = 17 })
    assert.are.same(action("catalog", { thumbnail_product_retailer_id = "17" }),
      button { catalog = { thumbnail_product_retailer_id = 17 } })
    assert.are.same(action("mpm", {
      thumbnail_product_retailer_id = "B-1",
      sections = { { title = "Boots", product_items = { { product_retailer_id = "B-1" } } } },
    }), button { mpm = { thumbnail_product_retailer_id = "B-1", sections = { { title = "Boots", products = { "B-1" } } } } })
    assert.are.same(action("payment_request", { payment_request = {
      payment_setting = { type = "payment_link", payment_link = { uri = "https://pay.example/1" } },
    } }), button { payment_request = { payment_link = { uri = "https://pay.example/1" } } })
    assert.are.same(action("payment_request", { payment_request = { payment_setting = { type = "boleto", boleto = {} } } }),
      button { payment_request = { payment_setting = { type = "boleto", boleto = {} } } })
    assert.are.same(action("order_details", { order_details = { reference_id = "118" } }),
      button { order_details = { reference_id = 118 } })
    assert.are.same({
      type = "button", sub_type = "voice_call", index = "0",
      parameters = { { type = "payload", payload = "x" }, { type = "ttl_minutes", ttl_minutes = 100 } },
    }, button { voice_call = { ttl_minutes = 100, payload = "x" } })
  end)

  it("has no component for a button without parameters, but counts it", function()
    assert.is_nil(components { buttons = { { catalog = true }, { voice_call = true }, false } })
    assert.are.equal("2", components({ buttons = { { catalog = true }, false, { url = "x" } } })[1].index)
  end)

  it("makes carousels of cards in the same short form", function()
    assert.are.same({
      { type = "body", parameters = { { type = "text", text = "Eva" } } },
      { type = "carousel", cards = {
        { card_index = 0, components = {
          { type = "header", parameters = { { type = "image", image = { id = "7781" } } } },
          { type = "body", parameters = { { type = "text", text = "10%" } } },
          { type = "button", sub_type = "quick_reply", index = "0", parameters = { { type = "payload", payload = "c0" } } },
          { type = "button", sub_type = "url", index = "1", parameters = { { type = "text", text = "c0" } } },
        } },
        { card_index = 1, components = { { type = "header" } } },
      } },
    }, components { body = { "Eva" }, cards = {
      { header = waba.image { id = 7781 }, body = { "10%" }, buttons = { { payload = "c0" }, { url = "c0" } } },
      { components = { { type = "header" } } },
    } })
  end)

  it("makes limited-time offers and tap targets", function()
    local offer = { {
      type = "limited_time_offer",
      parameters = { { type = "limited_time_offer", limited_time_offer = { expiration_time_ms = 1790000000000 } } },
    } }
    assert.are.same(offer, components { limited_time_offer = { expiration_time_ms = 1790000000000 } })
    assert.are.same(offer, components { limited_time_offer = 1790000000000 })
    assert.are.same({ {
      type = "tap_target_configuration",
      parameters = { { type = "tap_target_configuration", tap_target_configuration = {
        { url = "https://a.example", title = "Shop" },
      } } },
    } }, components { tap_target_configuration = { url = "https://a.example", title = "Shop" } })
  end)
end)
