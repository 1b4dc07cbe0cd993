-- Messages that the emulated Cloud gateway accepts and refuses: the examples of docs/platform/cloud.md for each type,
-- and a valid and an invalid value for every limit.

local support = require "spec.support.emulator"

local function text(length) return ("ä"):rep(length) end

local function with(base, changes)
  local copy = {}
  for name, value in pairs(base) do copy[name] = value end
  for name, value in pairs(changes) do copy[name] = value end
  return copy
end

local function interactive(kind, parts)
  return with({ type = kind, body = { text = "Body" } }, parts)
end

local function button(id, title)
  return { type = "reply", reply = { id = id, title = title or id } }
end

local function buttons(list, more)
  return interactive("button", with({ action = { buttons = list } }, more or {}))
end

local function list(sections, more)
  return interactive("list", with({ action = { button = "Open", sections = sections } }, more or {}))
end

local function rows(count, prefix)
  local made = {}
  for i = 1, count do made[i] = { id = (prefix or "r") .. i, title = "Row " .. i } end
  return made
end

local function link_button(parameters)
  return interactive("cta_url", { action = { name = "cta_url", parameters = parameters } })
end

local function flow(parameters)
  return interactive("flow", { action = { name = "flow", parameters = with({ flow_message_version = "3",
    flow_cta = "Book", flow_id = "99" }, parameters) } })
end

local function products(sections, more)
  return interactive("product_list", with({ header = { type = "text", text = "Autumn" },
    action = { catalog_id = "55", sections = sections } }, more or {}))
end

local function items(count)
  local made = {}
  for i = 1, count do made[i] = { product_retailer_id = "B-" .. i } end
  return made
end

local function card(index, changes)
  return with({ card_index = index, type = "cta_url",
    header = { type = "image", image = { link = "https://cdn.example/a.jpg" } }, body = { text = "*Loft*" },
    action = { name = "cta_url", parameters = { display_text = "Book", url = "https://b.example/a" } } },
    changes or {})
end

local function reply_card(index, title)
  return card(index, { action = { buttons = { { type = "quick_reply",
    quick_reply = { id = "q" .. index, title = title or "Yes" } } } } })
end

local function product_card(index, catalog)
  return { card_index = index, type = "product",
    action = { product_retailer_id = "B-" .. index, catalog_id = catalog or "55" } }
end

local function carousel(cards) return interactive("carousel", { action = { cards = cards } }) end

local function order(changes)
  return interactive("order_details", { action = { name = "review_and_pay", parameters = with({
    reference_id = "ord-118", type = "digital-goods", payment_type = "br", currency = "BRL",
    payment_settings = { { type = "payment_link", payment_link = { uri = "https://pay.example/118" } } },
    total_amount = { value = 5000, offset = 100 },
    order = { status = "pending", subtotal = { value = 5000, offset = 100 }, tax = { value = 0, offset = 100 },
      items = { { retailer_id = "B-1", name = "Boot", amount = { value = 5000, offset = 100 }, quantity = 1 } } },
  }, changes or {}) } })
end

local function template(components, more)
  return with({ name = "some_template", language = { code = "en" }, components = components }, more or {})
end

local function body_of(...) return { { type = "body", parameters = { ... } } } end

local function template_button(sub_type, parameter, index)
  return template { { type = "button", sub_type = sub_type, index = index or 0, parameters = { parameter } } }
end

local ADDRESS = { country = "IN", values = { name = "Asha", in_pin_code = "560001" },
  saved_addresses = { { id = "a", value = { city = "Pune" } } }, validation_errors = { in_pin_code = "unknown" } }

local GROUP = { recipient_type = "group", to = "Y2FwaV9ncm91cDo0OTMw" }

-- Accepted messages. Columns: type, content, further fields of the request's body.
local TAKEN = {
  { "text", { body = text(4096), preview_url = true } },
  { "text", { body = "Hi" }, { context = { message_id = "wamid.X" }, biz_opaque_callback_data = text(512) } },
  { "text", { body = "Hi" }, { to = "491510001112", recipient_type = "individual" } },
  { "image", { link = "https://cdn.example/a.jpg", caption = text(1024) } },
  { "video", { link = "https://cdn.example/a.mp4" } },
  { "document", { link = "https://cdn.example/a.pdf", caption = "c", filename = "a.pdf" } },
  { "audio", { link = "https://cdn.example/a.ogg", voice = true } },
  { "sticker", { link = "https://cdn.example/a.webp" } },
  { "location", { latitude = 0, longitude = "13.4050", name = "Shop", address = "Torstr. 1" } },
  { "location", { latitude = "52.52", longitude = 13 } },
  { "contacts", { { name = { formatted_name = "Ida Roth", first_name = "Ida" }, birthday = "1990-05-01",
    phones = { { phone = "+49 30 1234", type = "MOBILE", wa_id = "49301234" } }, org = { company = "Roth" },
    emails = { { email = "a@b.de", type = "WORK" } }, urls = { { url = "https://x.de" } },
    addresses = { { street = "Torstr. 1", country_code = "DE" } } } } },
  { "reaction", { message_id = "wamid.X", emoji = "👍🏽" } },
  { "reaction", { message_id = "wamid.X", emoji = "" } },
  { "reaction", { message_id = "wamid.X", emoji = "1️⃣" } },
  { "interactive", buttons { button(text(256), text(20)), button("b"), button("c", "C 😀") } },
  { "interactive", buttons({ button "a" }, { header = { type = "text", text = text(60) }, body = { text = text(1024) },
    footer = { text = text(60) } }) },
  { "interactive", buttons({ button "a" }, { header = { type = "document",
    document = { link = "https://cdn.example/a.pdf", filename = "a.pdf" } } }) },
  { "interactive", list { { rows = rows(10) } } },
  { "interactive", list({ { title = text(24), rows = rows(5) }, { title = "B", rows = rows(5, "s") } },
    { body = { text = text(4096) }, header = { type = "text", text = "H" } }) },
  { "interactive", link_button { display_text = text(20), url = "https://t.example/p" } },
  { "interactive", flow { flow_token = "t", flow_action = "navigate",
    flow_action_payload = { screen = "DATES", data = { branch = "Berlin" } } } },
  { "interactive", interactive("flow", { action = { name = "flow", parameters = { flow_message_version = "3",
    flow_cta = "Book", flow_name = "appointment", mode = "draft", flow_action = "data_exchange" } } }) },
  { "interactive", { type = "product", action = { catalog_id = "55", product_retailer_id = "B-1" } } },
  { "interactive", products { { title = "Boots", product_items = items(30) } } },
  { "interactive", interactive("catalog_message", { action = { name = "catalog_message",
    parameters = { thumbnail_product_retailer_id = "B-1" } } }) },
  { "interactive", interactive("catalog_message", { action = { name = "catalog_message" } }) },
  { "interactive", interactive("location_request_message", { action = { name = "send_location" } }) },
  { "interactive", interactive("address_message", { action = { name = "address_message", parameters = ADDRESS } }) },
  { "interactive", interactive("voice_call", { action = { name = "voice_call",
    parameters = { display_text = text(20), ttl_minutes = 43200, payload = text(512) } } }) },
  { "interactive", interactive("call_permission_request", { action = { name = "call_permission_request" } }) },
  { "interactive", interactive("request_contact_info", { action = { name = "request_contact_info" } }) },
  { "interactive", carousel { card(0), card(1) } },
  { "interactive", carousel { reply_card(0), reply_card(1) } },
  { "interactive", carousel { product_card(0), product_card(1), product_card(2) } },
  { "interactive", order() },
  { "interactive", interactive("order_status", { action = { name = "review_order", parameters = {
    reference_id = "ord-118", order = { status = "shipped", description = "On its way" } } } }) },
  { "template", template(body_of({ type = "text", text = "Ida", parameter_name = "first_name" },
    { type = "currency", currency = { fallback_value = "12.50 EUR", code = "EUR", amount_1000 = 12500 } },
    { type = "date_time", date_time = { fallback_value = "3 May 2026" } })) },
  { "template", template({ { type = "header", parameters = { { type = "location", location = { latitude = 1,
    longitude = 2, name = "N", address = "A" } } } } }, { namespace = "old", language = { code = "pt_BR",
    policy = "deterministic" } }) },
  { "template", template { { type = "header", parameters = { { type = "product", product = { catalog_id = "55",
    product_retailer_id = "B" } } } } } },
  { "template", template_button("quick_reply", { type = "payload", payload = text(256) }, 9) },
  { "template", template_button("url", { type = "text", text = "118" }, "0") },
  { "template", template_button("copy_code", { type = "coupon_code", coupon_code = ("A"):rep(15) }) },
  { "template", template_button("flow", { type = "action", action = { flow_token = "t",
    flow_action_data = { a = "b" } } }) },
  { "template", template_button("catalog", { type = "action", action = { thumbnail_product_retailer_id = "B" } }) },
  { "template", template_button("mpm", { type = "action", action = { thumbnail_product_retailer_id = "B",
    sections = { { title = "Boots", product_items = items(1) } } } }) },
  { "template", template_button("voice_call", { type = "ttl_minutes", ttl_minutes = 100 }) },
  { "template", template { { type = "limited_time_offer", parameters = { { type = "limited_time_offer",
    limited_time_offer = { expiration_time_ms = 1767225600000 } } } } } },
  { "template", template { { type = "carousel", cards = { { card_index = 0, components = {
    { type = "header", parameters = { { type = "image", image = { link = "https://cdn.example/a.jpg" } } } },
    { type = "body", parameters = { { type = "text", text = "10%" } } } } } } } } },
  { "text", { body = "Hi" }, GROUP },
  { "pin", { type = "pin", message_id = "wamid.X", expiration_days = 30 }, GROUP },
  { "pin", { type = "unpin", message_id = "wamid.X" }, GROUP },
}

-- Refused messages. Columns: type, content, code, a part of the details, further fields of the request's body.
local REFUSED = {
  { "text", { body = text(4097) }, 100, "text.body" },
  { "text", { body = "" }, 131009, "text.body" },
  { "text", {}, 131008, "text.body" },
  { "text", { body = 5 }, 100, "text.body" },
  { "text", { body = "Hi", colour = "red" }, 100, "text.colour" },
  { "text", { body = "Hi" }, 100, "messaging_product", { messaging_product = "telegram" } },
  { "text", { body = "Hi" }, 131009, "phone number", { to = "Ida" } },
  { "text", { body = "Hi" }, 131009, "expected it in the field recipient", { to = "DE.1349" } },
  { "text", { body = "Hi" }, 100, "preview_url", { preview_url = true } },
  { "text", { body = "Hi" }, 100, "ttl", { ttl = 5 } },
  { "text", { body = "Hi" }, 100, "biz_opaque_callback_data", { biz_opaque_callback_data = text(513) } },
  { "text", { body = "Hi" }, 131008, "context.message_id", { context = {} } },
  { "hsm", {}, 131009, "'type'" },
  { "image", {}, 131008, "one of id and link" },
  { "image", { id = "1", link = "https://x.de/a.jpg" }, 131009, "exclude" },
  { "image", { id = "77" }, 100, "image.id" },
  { "image", { link = "ftp://x.de/a.jpg" }, 131009, "image.link" },
  { "image", { link = "https://x.de/a.jpg", caption = text(1025) }, 100, "image.caption" },
  { "image", { link = "https://x.de/a.jpg", provider = { name = "p" } }, 100, "provider" },
  { "audio", { link = "https://x.de/a.ogg", caption = "c" }, 100, "audio.caption" },
  { "location", { latitude = 91, longitude = 0 }, 131009, "location.latitude" },
  { "location", { latitude = 1 }, 131008, "location.longitude" },
  { "contacts", { { name = { formatted_name = "Ida" } } }, 131008, "first_name" },
  { "contacts", { { name = { formatted_name = "I", first_name = "I" }, birthday = "1 May" } }, 131009, "birthday" },
  { "reaction", { message_id = "wamid.X" }, 131008, "emoji" },
  { "reaction", { message_id = "wamid.X", emoji = "ok" }, 131009, "emoji" },
  { "reaction", { message_id = "wamid.X", emoji = "👍" }, 131009, "context", { context = { message_id = "wamid.Y" } } },
  { "interactive", buttons {}, 131009, "interactive.action.buttons" },
  { "interactive", buttons { button "a", button "b", button "c", button "d" }, 131009, "buttons" },
  { "interactive", buttons { button(text(257), "A") }, 100, "reply.id" },
  { "interactive", buttons { button("a", text(21)) }, 100, "reply.title" },
  { "interactive", buttons { button("a", "A"), button("a", "B") }, 131009, "not unique" },
  { "interactive", buttons { button("a", "A"), button("b", "A") }, 131009, "not unique" },
  { "interactive", buttons { button(" a", "A") }, 131009, "begin or end" },
  { "interactive", buttons({ button "a" }, { header = { type = "text", text = "*H*" } }), 131009, "markup" },
  { "interactive", buttons({ button "a" }, { header = { type = "image", text = "H" } }), 131009, "header.text" },
  { "interactive", buttons({ button "a" }, { body = { text = text(1025) } }), 100, "body.text" },
  { "interactive", buttons({ button "a" }, { footer = { text = text(61) } }), 100, "footer.text" },
  { "interactive", list { { rows = rows(11) } }, 131009, "11 rows" },
  { "interactive", list { { rows = rows(1) }, { rows = rows(1, "s") } }, 131008, "title" },
  { "interactive", list({ { rows = rows(1) } }, { header = { type = "image" } }), 131009, "header.type" },
  { "interactive", list({ { rows = rows(1) } }, { body = { text = text(4097) } }), 100, "body.text" },
  { "interactive", list { { rows = { { id = "a", title = text(25) } } } }, 100, "title" },
  { "interactive", list { { rows = { { id = "a", title = "A", description = text(73) } } } }, 100, "description" },
  { "interactive", list { { rows = { { id = "a", title = "A" }, { id = "a", title = "B" } } } }, 131009, "not unique" },
  { "interactive", link_button { display_text = text(21), url = "https://x.de" }, 100, "display_text" },
  { "interactive", link_button { display_text = "Go", url = "tel:5" }, 131009, "url" },
  { "interactive", flow { flow_name = "both" }, 131009, "exactly one" },
  { "interactive", flow { flow_cta = text(31) }, 100, "flow_cta" },
  { "interactive", flow { flow_message_version = "2" }, 131009, "flow_message_version" },
  { "interactive", flow { flow_action = "data_exchange", flow_action_payload = { screen = "A" } }, 131009, "navigate" },
  { "interactive", { type = "product", action = { catalog_id = "55" } }, 131008, "product_retailer_id" },
  { "interactive", products({ { product_items = items(1) } }, { header = {} }), 131008, "header.type" },
  { "interactive", products { { product_items = items(31) } }, 131009, "31 product_items" },
  { "interactive", interactive("voice_call", { action = { name = "voice_call",
    parameters = { ttl_minutes = 43201 } } }), 131009, "ttl_minutes" },
  { "interactive", carousel { card(0) }, 131009, "cards" },
  { "interactive", carousel { card(0), reply_card(1) }, 131009, "same parts" },
  { "interactive", carousel { card(0), card(5) }, 131009, "card_index" },
  { "interactive", carousel { card(0, { body = { text = text(161) } }), card(1) }, 100, "body.text" },
  { "interactive", carousel { product_card(0), product_card(1, "66") }, 131009, "same parts" },
  { "interactive", order { total_amount = { value = 5, offset = 100 } }, 131009, "total_amount" },
  { "interactive", order { reference_id = "with space" }, 131009, "reference_id" },
  { "interactive", { type = "poll", body = { text = "B" } }, 131009, "interactive.type" },
  { "template", template(body_of({ type = "text", text = "" })), 131008, "text" },
  { "template", template(body_of({ type = "text", text = "a\nb" })), 132018, "newlines" },
  { "template", template(body_of({ type = "payload", payload = "p" })), 132012, "payload" },
  { "template", template({}, { name = "Not_Lower" }), 131009, "template.name" },
  { "template", template({}, { language = {} }), 131008, "language.code" },
  { "template", template_button("quick_reply", { type = "payload", payload = text(257) }), 100, "payload" },
  { "template", template_button("quick_reply", { type = "payload", payload = "p" }, 10), 131009, "index" },
  { "template", template_button("copy_code", { type = "coupon_code", coupon_code = ("A"):rep(16) }), 100, "coupon" },
  { "template", template { { type = "button", sub_type = "url" } }, 131008, "index" },
  { "interactive", buttons { button "a" }, 131051, "group", GROUP },
  { "pin", { type = "pin", message_id = "wamid.X", expiration_days = 30 }, 131009, "groups only" },
  { "pin", { type = "pin", message_id = "wamid.X", expiration_days = 31 }, 131009, "expiration_days", GROUP },
}

describe("the Cloud gateway's rules", function()
  local emulator

  setup(function() emulator = assert(support.start({ cloud = { statuses = false } })) end)

  teardown(function() emulator:stop() end)

  it("accept every type of the reference, up to its limits", function()
    for i, case in ipairs(TAKEN) do
      local status, body = support.cloud_send(emulator.cloud, case[1], case[2], case[3])
      assert.equal(200, status, ("case %d, %s: %s"):format(i, case[1],
        body.error and tostring(body.error.error_data and body.error.error_data.details) or ""))
      assert.matches("^wamid%.", body.messages[1].id)
    end
  end)

  it("refuse every mistake with its code and a text that names the parameter", function()
    for i, case in ipairs(REFUSED) do
      local status, body = support.cloud_send(emulator.cloud, case[1], case[2], case[5])
      local at = ("case %d, %s, %s"):format(i, case[1], case[4])
      assert.equal(400, status, at)
      assert.equal(case[3], body.error.code, at .. ": " .. tostring(body.error.error_data.details))
      assert.is_truthy(body.error.error_data.details:find(case[4], 1, true), at .. ": "
        .. body.error.error_data.details)
    end
  end)
end)
