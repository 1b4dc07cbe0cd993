-- Each rule of the emulator for messages, in a request over HTTP: values at the limit are accepted, other values are
-- refused with the code and the text of the rule.

local filler = require "spec.support.filler"
local support = require "spec.support.emulator"

local text_of, copies = filler.text, filler.list

local function button(i)
  return { type = "reply", reply = { id = "b" .. i, title = "Button " .. i } }
end

local function row(i) return { id = "r" .. i, title = "Row " .. i } end

local function product(i) return { product_retailer_id = "SKU-" .. i } end

local function list(changes)
  local content = { type = "list", body = { text = "Wann?" },
    action = { button = "Wählen", sections = { { rows = copies(10, row) } } } }
  for name, value in pairs(changes or {}) do content[name] = value end
  return content
end

local function buttons(changes)
  local content = { type = "button", body = { text = "Gut?" }, action = { buttons = copies(3, button) } }
  for name, value in pairs(changes or {}) do content[name] = value end
  return content
end

local function product_list(changes)
  local content = { type = "product_list", header = { type = "text", text = "Neu" }, body = { text = "Brillen" },
    action = { catalog_id = "4488", sections = { { product_items = copies(30, product) } } } }
  for name, value in pairs(changes or {}) do content[name] = value end
  return content
end

local function template(components, changes)
  local content = { name = "unknown_one", language = { policy = "deterministic", code = "de" }, components = components }
  for name, value in pairs(changes or {}) do content[name] = value end
  return content
end

local function body_of(...) return { { type = "body", parameters = { ... } } } end

local NULL = require("cjson").null
local LINK = "https://cdn.example/i.jpg"

-- type, content, envelope
local ACCEPTED = {
  { "text", { body = "Hallo" } },
  { "text", { body = text_of(4096) } },
  { "text", { body = "see https://shop.example" }, { preview_url = true } },
  { "text", { body = "no link" }, { preview_url = false } },
  { "text", { body = "Hallo" }, { recipient_type = "individual", to = "+49 (151) 1234-567" } },
  { "image", { link = LINK, caption = text_of(1024) } },
  { "image", { link = "http://cdn.example/i.jpg" } },
  { "audio", { link = "https://cdn.example/a.mp3" } },
  { "video", { link = "https://cdn.example/v.mp4", caption = "so" } },
  { "document", { link = "https://cdn.example/d.pdf", filename = "d.pdf", caption = "Rechnung" } },
  { "document", { link = "https://cdn.example/d.pdf", provider = { name = "intern" } } },
  { "sticker", { link = "https://cdn.example/s.webp" } },
  { "location", { latitude = 0, longitude = 180 } },
  { "location", { latitude = "52.5", longitude = "-13.37", name = text_of(1000), address = "Platz 1" } },
  { "contacts", { { name = { formatted_name = "Dr. Eva Kern", first_name = "Eva" },
    org = { company = "Kern" }, phones = { { phone = "+49 30 1", type = "WORK", wa_id = "49301" } },
    emails = { { email = "e@k.example", type = "HOME" } }, birthday = "1980-04-02",
    addresses = { { street = "Ring 5", country_code = "de", type = "WORK" } },
    urls = { { url = "https://k.example", type = "WORK" } }, ims = { { service = "x", user_id = "y" } } } } },
  { "template", template(nil) },
  { "template", template(body_of({ type = "text", text = "Eva" },
    { type = "currency", currency = { fallback_value = "1 EUR", code = "EUR", amount_1000 = 1000 } },
    { type = "date_time", date_time = { fallback_value = "2. April", year = 2024, month = 4, day_of_week = "MONDAY" } })) },
  { "template", template({ { type = "header", parameters = { { type = "image", image = { link = LINK } } } },
    { type = "button", sub_type = "quick_reply", index = "0", parameters = { { type = "payload", payload = ("p"):rep(128) } } },
    { type = "button", sub_type = "url", index = 1, parameters = { { type = "text", text = "118" } } } }) },
  { "hsm", { namespace = "n", element_name = "order_ready_old", language = { policy = "deterministic", code = "de" },
    localizable_params = { { default = "Eva" },
      { default = "1 EUR", currency = { currency_code = "EUR", amount_1000 = 1000 } },
      { default = "heute", date_time = { unix_epoch = { timestamp = 1712044800 } } } } } },
  { "interactive", buttons() },
  { "interactive", buttons({ header = { type = "image", image = { link = LINK } }, footer = { text = text_of(60) } }) },
  { "interactive", buttons({ body = { text = text_of(1024) }, header = { type = "text", text = text_of(60) } }) },
  { "interactive", list() },
  { "interactive", list({ action = { button = text_of(20), sections = copies(10, function(i)
    return { title = text_of(24), rows = { { id = ("i"):rep(199) .. i % 10, title = text_of(24), description = text_of(72) } } }
  end) } }) },
  { "interactive", { type = "product", action = { catalog_id = "4488", product_retailer_id = ("S"):rep(100) } } },
  { "interactive", product_list() },
}

-- Columns: name of the case, code, a part of the details, type, content, further fields of the request's body.
local REFUSED = {
  { "text without content", 1008, "'text' is mandatory", "text", NULL },
  { "text without body", 1008, "'text.body' is mandatory for type 'text'", "text", {} },
  { "empty text", 1009, "text.body", "text", { body = "" } },
  { "text that is a number", 1009, "'text.body' must be of type string", "text", { body = 5 } },
  { "text too long", 1001, "4097 characters, at most 4096", "text", { body = text_of(4097) } },
  { "preview_url where Cloud has it", 1010, "text.preview_url", "text", { body = "x", preview_url = true } },
  { "preview_url without a link", 1009, "preview_url", "text", { body = "x" }, { preview_url = true } },
  { "preview_url of an image", 1010, "preview_url", "image", { link = LINK }, { preview_url = true } },
  { "a Cloud field", 1010, "messaging_product", "text", { body = "x" }, { messaging_product = "whatsapp" } },
  { "a quoted reply", 1010, "context", "text", { body = "x" }, { context = { message_id = "gB" } } },
  { "attached data", 1010, "biz_opaque_callback_data", "text", { body = "x" }, { biz_opaque_callback_data = "x" } },
  { "an obsolete field", 1010, "obsolete", "text", { body = "x" }, { ttl = { days = 1 } } },
  { "content of another type", 1010, "image", "text", { body = "x" }, { image = { link = LINK } } },
  { "a group", 1002, "recipient_type", "text", { body = "x" }, { recipient_type = "group" } },
  { "an unknown type", 1009, "'type' is 'reaction'", "text", { body = "x" }, { type = "reaction" } },
  { "no recipient", 1008, "'to' is mandatory", "text", { body = "x" }, { to = NULL } },
  { "a recipient that is a number", 1009, "'to' must be of type string", "text", { body = "x" }, { to = 491511 } },
  { "a recipient without digits", 1009, "'to' must be a phone number", "text", { body = "x" }, { to = "Eva" } },
  { "a recipient too long", 1009, "'to' has 21 characters", "text", { body = "x" }, { to = ("1"):rep(21) } },
  { "the sender as recipient", 1021, "sender", "text", { body = "x" }, { to = "+49305550199" } },
  { "media without source", 1008, "'image.id' or 'image.link'", "image", {} },
  { "media with two sources", 1010, "image.link", "image", { id = "x", link = LINK } },
  { "media of an unknown id", 1006, "image.id", "image", { id = "b0a1e7a0-0000-4000-8000-000000000000" } },
  { "an invalid link", 1009, "image.link", "image", { link = "ftp://cdn.example/i.jpg" } },
  { "a caption too long", 1009, "image.caption", "image", { link = LINK, caption = text_of(1025) } },
  { "a caption of an audio", 1010, "audio.caption", "audio", { link = LINK, caption = "x" } },
  { "a caption of a sticker", 1010, "sticker.caption", "sticker", { link = LINK, caption = "x" } },
  { "a filename of an image", 1010, "image.filename", "image", { link = LINK, filename = "i.jpg" } },
  { "a location without longitude", 1008, "location.longitude", "location", { latitude = 1 } },
  { "a latitude beyond the pole", 1009, "location.latitude", "location", { latitude = 90.01, longitude = 1 } },
  { "a longitude in words", 1009, "location.longitude", "location", { latitude = 1, longitude = "east" } },
  { "no contact", 1009, "'contacts' has 0 elements", "contacts", {} },
  { "a contact without name", 1008, "contacts[0].name'", "contacts", { { org = { company = "K" } } } },
  { "a contact with the formatted name only", 1008, "first_name", "contacts", { { name = { formatted_name = "E" } } } },
  { "an unknown type of phone", 1009, "contacts[0].phones[0].type", "contacts",
    { { name = { formatted_name = "E", prefix = "D" }, phones = { { phone = "1", type = "FAX" } } } } },
  { "a birthday in words", 1009, "birthday", "contacts", { { name = { formatted_name = "E", suffix = "D" }, birthday = "1.4.80" } } },
  { "a template without name", 1008, "template.name", "template", template(nil, { name = NULL }) },
  { "a template with capitals", 1009, "template.name", "template", template(nil, { name = "Hello" }) },
  { "a template without policy", 1008, "template.language.policy", "template", template(nil, { language = { code = "de" } }) },
  { "a fallback policy", 1009, "template.language.policy", "template",
    template(nil, { language = { code = "de", policy = "fallback" } }) },
  { "an empty namespace", 2014, "namespace", "template", template(nil, { namespace = "" }) },
  { "parameters that are no list", 1009, "components[0].parameters' must be of type array", "template",
    template({ { type = "body", parameters = { type = "text", text = "x" } } }) },
  { "a footer component", 1009, "components[0].type", "template", template({ { type = "footer", parameters = {} } }) },
  { "two bodies", 1009, "components[1]", "template", template({ { type = "body" }, { type = "body" } }) },
  { "a button without position", 1008, "components[0].index", "template",
    template({ { type = "button", sub_type = "url", parameters = { { type = "text", text = "x" } } } }) },
  { "a button without kind", 1008, "components[0].sub_type", "template", template({ { type = "button", index = "0" } }) },
  { "a newline in a parameter", 2006, "parameters[0].text", "template", template(body_of({ type = "text", text = "a\nb" })) },
  { "five spaces in a parameter", 2006, "parameters[1].text", "template",
    template(body_of({ type = "text", text = "a    b" }, { type = "text", text = "a     b" })) },
  { "a control character in a parameter", 2007, "parameters[0].text", "template", template(body_of({ type = "text", text = "a\rb" })) },
  { "an empty parameter", 1008, "parameters[0].text", "template", template(body_of({ type = "text", text = "" })) },
  { "a parameter without its value", 1008, "parameters[0].currency", "template", template(body_of({ type = "currency" })) },
  { "a currency without fallback", 1008, "fallback_value", "template",
    template(body_of({ type = "currency", currency = { code = "EUR", amount_1000 = 1 } })) },
  { "an amount that is no integer", 1009, "amount_1000", "template",
    template(body_of({ type = "currency", currency = { fallback_value = "1", code = "EUR", amount_1000 = 1.5 } })) },
  { "a month too late", 1009, "month", "template",
    template(body_of({ type = "date_time", date_time = { fallback_value = "x", month = 13 } })) },
  { "an image in the body", 2012, "parameters[0]", "template", template(body_of({ type = "image", image = { link = LINK } })) },
  { "a payload too long", 1009, "payload", "template",
    template({ { type = "button", sub_type = "quick_reply", index = 0,
      parameters = { { type = "payload", payload = ("p"):rep(129) } } } }) },
  { "a header text too long", 2004, "header", "template",
    template({ { type = "header", parameters = { { type = "text", text = text_of(61) } } } }) },
  { "a body parameter too long beside a header", 2004, "body", "template",
    template({ { type = "header", parameters = { { type = "text", text = "x" } } },
      { type = "body", parameters = { { type = "text", text = text_of(1025) } } } }) },
  { "an hsm without parameters", 1008, "hsm.localizable_params", "hsm",
    { namespace = "n", element_name = "e", language = { policy = "deterministic", code = "de" } } },
  { "an unknown interactive type", 1009, "interactive.type", "interactive", buttons({ type = "cta_url" }) },
  { "an interactive without body", 1008, "interactive.body", "interactive", buttons({ body = NULL }) },
  { "a body too long", 1009, "interactive.body.text", "interactive", buttons({ body = { text = text_of(1025) } }) },
  { "a footer too long", 1009, "interactive.footer.text", "interactive", buttons({ footer = { text = text_of(61) } }) },
  { "a header too long", 1009, "interactive.header.text", "interactive", buttons({ header = { type = "text", text = text_of(61) } }) },
  { "a header with markup", 2017, "interactive.header.text", "interactive", buttons({ header = { type = "text", text = "so *fett*" } }) },
  { "a header of an unknown type", 2036, "interactive.header.type", "interactive", buttons({ header = { type = "audio" } }) },
  { "a header without its content", 1008, "interactive.header.image", "interactive", buttons({ header = { type = "image" } }) },
  { "no button", 1009, "'interactive.action.buttons' has 0 elements", "interactive", buttons({ action = { buttons = {} } }) },
  { "four buttons", 1009, "has 4 elements, 1 to 3", "interactive", buttons({ action = { buttons = copies(4, button) } }) },
  { "a button without title", 1008, "buttons[0].reply.title", "interactive",
    buttons({ action = { buttons = { { type = "reply", reply = { id = "x" } } } } }) },
  { "a button title too long", 1009, "buttons[0].reply.title", "interactive",
    buttons({ action = { buttons = { { type = "reply", reply = { id = "x", title = text_of(21) } } } } }) },
  { "a button id too long", 1009, "buttons[0].reply.id", "interactive",
    buttons({ action = { buttons = { { type = "reply", reply = { id = ("x"):rep(257), title = "x" } } } } }) },
  { "two buttons of one title", 1009, "buttons[1].reply.title", "interactive",
    buttons({ action = { buttons = { { type = "reply", reply = { id = "x", title = "x" } },
      { type = "reply", reply = { id = "y", title = "x" } } } } }) },
  { "sections of a button message", 1010, "interactive.action.sections", "interactive",
    buttons({ action = { buttons = copies(1, button), sections = { { rows = copies(1, row) } } } }) },
  { "a list without button", 1008, "interactive.action.button'", "interactive",
    list({ action = { sections = { { rows = copies(1, row) } } } }) },
  { "an emoji in a list's button", 2017, "interactive.action.button", "interactive",
    list({ action = { button = "Los 🙂", sections = { { rows = copies(1, row) } } } }) },
  { "a list with a picture", 2036, "interactive.header", "interactive", list({ header = { type = "image", image = { link = LINK } } }) },
  { "eleven sections", 2015, "sections", "interactive",
    list({ action = { button = "x", sections = copies(11, function(i) return { title = "T", rows = { row(i) } } end) } }) },
  { "a section without rows", 2016, "sections[0].rows", "interactive", list({ action = { button = "x", sections = { { rows = {} } } } }) },
  { "eleven rows", 2016, "11 rows in all", "interactive", list({ action = { button = "x", sections = {
    { title = "a", rows = copies(10, row) }, { title = "b", rows = { { id = "last", title = "x" } } } } } }) },
  { "sections without titles", 1008, "sections[0].title", "interactive",
    list({ action = { button = "x", sections = { { rows = { row(1) } }, { rows = { row(2) } } } } }) },
  { "a row's description too long", 1009, "rows[0].description", "interactive",
    list({ action = { button = "x", sections = { { rows = { { id = "x", title = "x", description = text_of(73) } } } } } }) },
  { "two rows of one id", 1009, "rows[1].id", "interactive",
    list({ action = { button = "x", sections = { { rows = { row(1), row(1) } } } } }) },
  { "a product with a header", 2036, "interactive.header", "interactive",
    { type = "product", header = { type = "text", text = "x" }, action = { catalog_id = "1", product_retailer_id = "x" } } },
  { "a product without catalogue", 1008, "interactive.action.catalog_id", "interactive",
    { type = "product", action = { product_retailer_id = "x" } } },
  { "a product list without header", 1008, "interactive.header", "interactive", product_list({ header = NULL }) },
  { "31 products", 2023, "31 product_items in all", "interactive",
    product_list({ action = { catalog_id = "1", sections = { { product_items = copies(31, product) } } } }) },
}

describe("the rules of messages", function()
  local emulator

  lazy_setup(function() emulator = assert(support.start({ statuses = false })) end)
  lazy_teardown(function() emulator:stop() end)

  for i, case in ipairs(ACCEPTED) do
    it(("accept well-formed messages: %s, no. %d"):format(case[1], i), function()
      local status, body = support.send(emulator, case[1], case[2], case[3])
      assert.equal(201, status, body.errors and body.errors[1].details)
      assert.matches("^gBEG[%w_-]+$", body.messages[1].id)
      assert.equal("stable", body.meta.api_status)
    end)
  end

  for _, case in ipairs(REFUSED) do
    it("refuse " .. case[1], function()
      local status, body = support.send(emulator, case[4], case[5], case[6])
      assert.is_truthy(body.errors, "it was accepted")
      assert.equal(case[2], body.errors[1].code, body.errors[1].details)
      assert.matches(case[3], body.errors[1].details, 1, true)
      assert.is_truthy(status >= 400 and status < 500)
      assert.is_string(body.errors[1].title)
    end)
  end

  it("accept a text without type as a text", function()
    assert.equal(201, (support.request(emulator, "POST", "/v1/messages/", { to = "4915112345678", text = { body = "Hi" } })))
    local _, body = support.request(emulator, "POST", "/v1/messages", { to = "4915112345678" })
    assert.equal(1008, body.errors[1].code)
  end)
end)
