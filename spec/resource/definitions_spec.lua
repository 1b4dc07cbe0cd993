-- client.templates:fill makes a message from a template's definition and values, and reports all errors of the values
-- at once.

local emulators = require "spec.support.emulator"
local process = require "spec.support.process"
local waba = require "waba"

local ORDER = {
  name = "order_ready", language = "en", category = "UTILITY", status = "APPROVED", parameter_format = "NAMED",
  components = {
    { type = "HEADER", format = "DOCUMENT" },
    { type = "BODY", text = "Hi {{first_name}}, order {{order_no}} leaves today. Bye, {{first_name}}." },
    { type = "FOOTER", text = "Roth GmbH" },
    { type = "BUTTONS", buttons = {
      { type = "URL", text = "Track", url = "https://t.example/{{1}}" },
      { type = "URL", text = "Shop", url = "https://t.example/" },
      { type = "QUICK_REPLY", text = "Stop" },
    } },
  },
}

local LOGIN = {
  name = "login", language = "en", category = "AUTHENTICATION", status = "APPROVED",
  components = {
    { type = "BODY", add_security_recommendation = true },
    { type = "BUTTONS", buttons = { { type = "OTP", otp_type = "COPY_CODE", text = "Copy code" } } },
  },
}

local SUITES = {
  name = "suites", language = "de", category = "MARKETING", status = "APPROVED",
  components = {
    { type = "BODY", text = "Zwei Zimmer f\195\188r {{1}}:" },
    { type = "CAROUSEL", cards = {
      { components = { { type = "HEADER", format = "IMAGE" }, { type = "BODY", text = "Ab {{1}}" },
        { type = "BUTTONS", buttons = { { type = "QUICK_REPLY", text = "Ja" } } } } },
      { components = { { type = "HEADER", format = "IMAGE" }, { type = "BODY", text = "Ab {{1}}" },
        { type = "BUTTONS", buttons = { { type = "QUICK_REPLY", text = "Ja" } } } } },
    } },
  },
}

-- Returns a client whose gateway has these templates, and a table that counts the requests.
local function client_of(hosting, list)
  local asked = { count = 0 }
  local client = waba.client {
    api_key = "k", hosting = hosting or "cloud",
    transport = { send = function(_, request)
      asked.count, asked.request = asked.count + 1, request
      if request.body then
        return { status = asked.status or 200, headers = {}, body = asked.body or '{"messages":[{"id":"wamid.1"}]}' }
      end
      local body = hosting == "on_premise" and { waba_templates = list, count = #list, total = #list } or { data = list }
      return { status = 200, headers = {}, body = assert(require("waba.core").encode(body)) }
    end },
  }
  return client, asked
end

local function component(message, kind, index)
  for _, one in ipairs(message.template.components) do
    if one.type == kind and (not index or one.index == index) then return one end
  end
end

describe("client.templates:fill", function()
  it("makes a message from the definition, which it fetches once", function()
    local client, asked = client_of("cloud", { ORDER })
    local image = { link = "https://d.example/n.pdf", filename = "n.pdf" }
    for _ = 1, 3 do
      local message = assert(client.templates:fill("order_ready", "en", {
        first_name = "Eva", order_no = 118, header = image, buttons = { Track = "118", Stop = "stop-118" },
      }))
      assert.same({ type = "document", document = image }, component(message, "header").parameters[1])
      assert.same({ { type = "text", text = "Eva", parameter_name = "first_name" },
        { type = "text", text = "118", parameter_name = "order_no" } }, component(message, "body").parameters)
      assert.same({ { type = "text", text = "118" } }, component(message, "button", "0").parameters)
      assert.same({ { type = "payload", payload = "stop-118" } }, component(message, "button", "2").parameters)
      assert.is_nil(component(message, "button", "1"))
      assert.is_true(waba.check(message, "cloud", nil, ORDER))
    end
    assert.equal(1, asked.count)
  end)

  it("reports every missing, surplus and wrong value in one error", function()
    local client = client_of("cloud", { ORDER })
    local message, err = client.templates:fill("order_ready", "en", {
      first_nam = "Eva", header = { image = { link = "https://d.example/n.png" } }, buttons = { Trak = "118" },
    })
    assert.is_nil(message)
    assert.equal("template", err.kind)
    for _, expected in ipairs {
      "template order_ready %(en%): ", "body has no parameter first_nam %(did you mean first_name%?%)", "body: first_name is missing",
      "body: order_no is missing", "header must be of type document, not image", "buttons%[1%] %(URL%) needs a value",
      'no button "Trak" %(did you mean Track%?%)',
    } do
      assert.matches(expected, err.message)
    end
    assert.equal(6, #err.errors)
    for _, one in ipairs(err.errors) do assert.is_string(one.path) end
  end)

  it("counts values by position", function()
    local client = client_of("cloud", { SUITES })
    local function fill(values) return select(2, client.templates:fill("suites", "de", values)).message end
    assert.matches("body: value 1 of 1 is missing", fill {})
    assert.matches("body has 2 values too many: the template takes 1", fill { "Eva", "x", "y" })
    assert.matches("cards must have 2 elements, not 0", fill { "Eva" })
    assert.matches("cards%[2%]%.header is missing", fill { "Eva", cards = {
      { "80", header = { link = "https://d.example/a.png" } }, { "90" } } })
  end)

  it("fills the cards of a carousel", function()
    local client = client_of("cloud", { SUITES })
    local picture = { link = "https://d.example/a.png" }
    local message = assert(client.templates:fill("suites", "de", { "Eva", cards = {
      { "80", header = picture, buttons = { "a" } }, { "90", header = picture, buttons = { Ja = "b" } } } }))
    local cards = component(message, "carousel").cards
    assert.equal("90", cards[2].components[2].parameters[1].text)
    assert.equal("b", cards[2].components[3].parameters[1].payload)
  end)

  it("puts the code of an authentication template into body and button", function()
    local client = client_of("cloud", { LOGIN })
    for _, values in ipairs { { "845210" }, { code = "845210" } } do
      local message = assert(client.templates:fill("login", "en", values))
      assert.equal("845210", component(message, "body").parameters[1].text)
      assert.equal("845210", component(message, "button", "0").parameters[1].text)
    end
    assert.matches("body: value 1 of 1 is missing", select(2, client.templates:fill("login", "en")).message)
  end)

  -- The rows of ERRORS have the components of a definition, values, and all errors as one text. If a row has no text,
  -- the message can be sent.
  local function body(text) return { type = "BODY", text = text } end
  local function buttons(...) return { type = "BUTTONS", buttons = { ... } } end
  local QUICK, SHOP = { type = "QUICK_REPLY", text = "Yes" }, { type = "URL", text = "Shop", url = "https://t.example/" }
  local TRACK = { type = "url", text = "Track", url = "https://t.example/{{1}}" }
  local OFFER = { type = "LIMITED_TIME_OFFER", limited_time_offer = { has_expiration = true, text = "Sale" } }
  local CARD = { components = { body "Room {{1}}" } }
  local ERRORS = {
    { "a body without placeholders", { body "Hello" }, {} },
    { "a value that a body without placeholders has no place for", { body "Hello" }, { "Eva" },
      "body has 1 value too many: the template takes 0" },
    { "a body with the highest position", { body "{{2}} and {{1}}" }, { "a", "b" } },
    { "the position that is missing", { body "{{2}} and {{1}}" }, { "a" }, "body: value 2 of 2 is missing" },
    { "an empty value", { body "Hi {{1}}" }, { "" }, "body: value 1 of 1 is missing" },
    { "a name where the template has positions", { body "Hi {{1}}" }, { name = "Eva" },
      "body: the template's placeholders are numbers: value 1 must not have the name name" },
    { "a value without a name where the template has names", { body "Hi {{name}}" }, { "Eva" },
      "body: value 1 has no name; the template's placeholders are name; body: name is missing" },
    { "a truth value", { body "Hi {{name}}" }, { name = true }, "name must be a text or a number, not true" },
    { "a currency, whose text counts", { body "Pay {{1}}" }, { waba.currency { code = "EUR", amount = 5,
      fallback_value = ("x"):rep(32768) } }, "body has 32772 characters with its values: at most 32768 are allowed" },
    { "a body alone of the greatest length", { body "Hi {{1}}" }, { ("x"):rep(32765) } },
    { "a body that is too long beside a footer", { body "Hi {{1}}", { type = "FOOTER", text = "f" } }, { ("x"):rep(1022) },
      "body has 1025 characters with its values: at most 1024 are allowed" },
    { "the longest body beside a footer", { body "Hi {{1}}", { type = "FOOTER", text = "f" } }, { ("x"):rep(1021) } },
    { "a body that is too long beside a header", { { type = "HEADER", format = "TEXT", text = "x" }, body "Hi {{1}}" },
      { ("x"):rep(1022) }, "body has 1025 characters with its values: at most 1024 are allowed" },
    { "a body that is too long beside buttons", { body "Hi {{1}}", buttons(QUICK) }, { ("x"):rep(1022) },
      "body has 1025 characters with its values: at most 1024 are allowed" },
    { "a body that is too long beside cards", { body "Hi {{1}}", { type = "CAROUSEL", cards = { CARD } } },
      { ("x"):rep(1022), cards = { { "a" } } }, "body has 1025 characters with its values: at most 1024 are allowed" },
    { "a body whose characters are several bytes", { body "\195\164 {{1}}", { type = "FOOTER", text = "f" } },
      { ("\195\164"):rep(1022) } },
    { "a body without a text", { { type = "BODY" } }, {} },
    { "a value where the body has no text", { { type = "BODY" } }, { "a" }, "body has 1 value too many: the template takes 0" },
    { "a header's placeholder by its name", { { type = "HEADER", format = "TEXT", text = "{{shop}}" }, body "Hi {{name}}" },
      { shop = "Roth", name = "Eva" } },
    { "a header's value that is missing", { { type = "HEADER", format = "TEXT", text = "{{shop}}" }, body "Hi {{name}}" },
      { name = "Eva" }, "header: shop is missing" },
    { "the longest header", { { type = "HEADER", text = "{{1}}" }, body "Hi" }, { header = ("x"):rep(60) } },
    { "a header that is too long", { { type = "HEADER", text = "{{1}}" }, body "Hi" }, { header = ("x"):rep(61) },
      "header has 61 characters with its values: at most 60 are allowed" },
    { "a header that the template does not have", { body "Hi" }, { header = "x" }, "the template has no header" },
    { "a header's media", { { type = "HEADER", format = "location" }, body "Hi" },
      { header = { latitude = 1, longitude = 2, name = "Roth", address = "Weg 1" } } },
    { "media that is missing", { { type = "HEADER", format = "IMAGE" }, body "Hi" }, {},
      "header is missing: the template has a header of type image" },
    { "a text where media is wanted", { { type = "HEADER", format = "IMAGE" }, body "Hi" }, { header = "x" },
      "header must be of type image, not text" },
    { "a payload, which can be left out", { body "Hi", buttons(QUICK) }, {} },
    { "a payload by the button's text", { body "Hi", buttons(SHOP, QUICK) }, { buttons = { Yes = "y" } } },
    { "an address without a placeholder", { body "Hi", buttons(SHOP) }, { buttons = { "x" } }, "buttons[1] (URL) takes no value" },
    { "an address whose value is missing", { body "Hi", buttons(TRACK) }, {}, "buttons[1] (URL) needs a value" },
    { "the longest address", { body "Hi", buttons(TRACK) }, { buttons = { ("x"):rep(1982) } } },
    { "an address that is too long", { body "Hi", buttons(TRACK) }, { buttons = { ("x"):rep(1983) } },
      "buttons[1] has 2001 characters with its values: at most 2000 are allowed" },
    { "a button at a position that the template does not have", { body "Hi", buttons(QUICK) }, { buttons = { "a", "b" } },
      "buttons: there is no button at position 1: the template has 1" },
    { "the flow of a button, which needs no value", { body "Hi", buttons { type = "FLOW", text = "Go" } }, {} },
    { "a coupon's code", { body "Hi", buttons { type = "COPY_CODE", text = "Copy" } }, { buttons = { "SAVE10" } } },
    { "a coupon's code that is missing", { body "Hi", buttons { type = "COPY_CODE", text = "Copy" } }, {},
      "buttons[1] (COPY_CODE) needs a value" },
    { "a button that never takes a value", { body "Hi", buttons { type = "PHONE_NUMBER", text = "Call" } }, { buttons = { "x" } },
      "buttons[1] (PHONE_NUMBER) takes no value" },
    { "products that are missing", { body "Hi", buttons { type = "MPM", text = "See" } }, {}, "buttons[1] (MPM) needs a value" },
    { "a catalog, whose product can be left out", { body "Hi", buttons { type = "CATALOG", text = "See" } }, {} },
    { "a call, whose options can be left out", { body "Hi", buttons { type = "VOICE_CALL", text = "Call" } }, {} },
    { "an order that is missing", { body "Hi", buttons { type = "ORDER_DETAILS", text = "Pay" } }, {},
      "buttons[1] (ORDER_DETAILS) needs a value" },
    { "a payment request that is missing", { body "Hi", buttons { type = "PAYMENT_REQUEST", text = "Pay" } }, {},
      "buttons[1] (PAYMENT_REQUEST) needs a value" },
    { "a payment request", { body "Hi", buttons { type = "PAYMENT_REQUEST", text = "Pay" } },
      { buttons = { { payment_link = { uri = "https://pay.example/1" } } } } },
    { "the end of an offer", { body "Hi", OFFER }, { limited_time_offer = 1767225600000 } },
    { "the end of an offer that is missing", { body "Hi", OFFER }, {}, "limited_time_offer is missing: expected the end of the offer" },
    { "an offer without an end", { body "Hi", { type = "LIMITED_TIME_OFFER", limited_time_offer = { text = "Sale" } } }, {} },
    { "an offer that the template does not have", { body "Hi" }, { limited_time_offer = 1767225600000 },
      "the template has no limited_time_offer" },
    { "a name where the template has no body", { { type = "HEADER", format = "TEXT", text = "{{shop}}" } },
      { shop = "Roth", nme = "Eva" }, "the template has no body" },
    { "values of the wrong kind, all at once", { { type = "HEADER", format = "TEXT", text = "{{1}}" }, body "{{1}} {{2}}",
      buttons(TRACK) }, { header = { text = {} }, { "x" }, 2, buttons = { { url = {} } } },
      "header: value 1 of 1 is missing; body: value 1 must be a text, a "
      .. "number, or a table of waba.currency or waba.date_time; buttons[1]: value 1 must be a text, a number, or a table of "
      .. "waba.currency or waba.date_time" },
    { "a value with a line break", { body "{{1}}" }, { "a\nb" },
      "template.components[1].parameters[1].text must not have line breaks, tabs or five spaces in a row" },
    { "a header alone", { { type = "HEADER", format = "TEXT", text = "{{shop}}" } }, { shop = "Roth" } },
    { "cards that the template does not have", { body "Hi" }, { cards = { { "a" } } }, "the template has no cards" },
    { "a surplus value of a card", { body "Hi", { type = "CAROUSEL", cards = { CARD, CARD } } },
      { cards = { { "a" }, { "b", "c" } } }, "cards[2].body has 1 value too many: the template takes 1" },
    { "cards with different components", { body "Hi", { type = "CAROUSEL",
      cards = { CARD, { components = { { type = "HEADER", format = "IMAGE" }, body "Room" } } } } },
      { cards = { { "a" }, { header = { link = "https://d.example/a.png" } } } } },
    { "a value of a card without placeholders", { body "Hi", { type = "CAROUSEL",
      cards = { { components = { body "Room" } }, CARD } } }, { cards = { { "a" }, { "b" } } },
      "cards[1].body has 1 value too many: the template takes 0" },
    { "more cards than the template has", { body "Hi", { type = "CAROUSEL", cards = { CARD } } },
      { cards = { { "a" }, { "b" } } }, "cards must have 1 elements, not 2" },
    { "fewer cards than the template has", { body "Hi", { type = "CAROUSEL", cards = { CARD, CARD } } },
      { cards = { { "a" } } }, "cards must have 2 elements, not 1" },
    { "a card's button that it does not have", { body "Hi", { type = "CAROUSEL", cards = { CARD, CARD } } },
      { cards = { { "a" }, { "b", buttons = { Go = "x" } } } }, 'the template has no button "Go"' },
  }

  for _, row in ipairs(ERRORS) do
    it((row[4] and "refuses " or "takes ") .. row[1], function()
      local client = client_of("cloud", { { name = "t", language = "en", status = "APPROVED", components = row[2] } })
      local message, err = client.templates:fill("t", "en", row[3])
      assert.equal(row[4] and "template t (en): " .. row[4] or nil, err and err.message)
      assert.equal(row[4] == nil, message ~= nil)
      if err then assert.same({ "template", true }, { err.kind, #err.errors > 0 }) end
    end)
  end

  it("limits the code of an authentication template to 15 characters", function()
    local defined = { name = "t", language = "en", status = "APPROVED", category = "AUTHENTICATION", components = {
      { type = "BODY", add_security_recommendation = true }, buttons { type = "OTP", otp_type = "COPY_CODE", text = "Copy" } } }
    local stored = { name = "s", language = "en", status = "APPROVED", category = "AUTHENTICATION", components = {
      body "{{1}} is your code.", buttons { type = "URL", text = "Copy", url = "https://w.example/?code={{1}}" } } }
    local client = client_of("cloud", { defined, stored })
    for _, name in ipairs { "t", "s" } do
      assert(client.templates:fill(name, "en", { code = ("x"):rep(15) }))
      local _, err = client.templates:fill(name, "en", { code = ("x"):rep(16) })
      assert.equal(("template %s (en): body: the code has 16 characters: at most 15 are allowed"):format(name), err.message)
    end
  end)

  it("takes a button's value in its short and in its long form", function()
    local defined = { name = "t", language = "en", status = "APPROVED", components = {
      body "Hi", buttons(TRACK, { type = "FLOW", text = "Go" }, { type = "COPY_CODE", text = "Copy" }) } }
    local client = client_of("cloud", { defined })
    local expected = assert(client.templates:fill("t", "en", { buttons = { "118", { flow_token = "f" }, "SAVE10" } }))
    assert.same({ { type = "text", text = "118" } }, component(expected, "button", "0").parameters)
    for _, values in ipairs {
      { { url = "118" }, { flow = { flow_token = "f" } }, { copy_code = "SAVE10" } },
      { Track = { url = "118" }, Go = { flow_token = "f" }, Copy = "SAVE10" },
    } do
      assert.same(expected, assert(client.templates:fill("t", "en", { buttons = values })))
    end
  end)

  it("takes a name of header and body for both, and no other field for a value of the body", function()
    local defined = { name = "t", language = "en", status = "APPROVED", components = {
      { type = "HEADER", format = "TEXT", text = "{{shop}}" }, body "Hi {{name}} of {{shop}}", OFFER } }
    local client = client_of("cloud", { defined })
    local message = assert(client.templates:fill("t", "en", { shop = "Roth", name = "Eva", limited_time_offer = 1767225600000,
      tap_target_configuration = { { url = "https://a.example", title = "A" } } }))
    assert.equal(2, #component(message, "body").parameters)
    assert.equal("Roth", component(message, "header").parameters[1].text)
    local _, err = client.templates:fill("t", "en", { shop = "Roth", name = "Eva", limited_time_offer = 1767225600000,
      code = true })
    assert.matches("code must be a text or a number, not true", err.message)
  end)

  it("checks a message that was not made by fill", function()
    local function check(message)
      local valid, err = waba.check(message, "cloud", nil, ORDER)
      assert.is_nil(valid)
      return err.message
    end
    assert.equal("template order_ready (en): the message must be a template, not text", check(waba.text "Hi"))
    assert.matches("the message has the template name order_redy; the message has the language de",
      check(waba.template { name = "order_redy", language = "de", header = { document = { link = "https://d.example/n" } },
        body = { first_name = "Eva", order_no = "1" }, buttons = { { url = "1" } } }))
  end)

  it("puts the code only into the buttons that need a code", function()
    local defined = { name = "login", language = "en", category = "AUTHENTICATION", status = "APPROVED", components = {
      { type = "BODY" }, buttons({ type = "OTP", text = "Copy" }, { type = "URL", text = "Go", url = "https://t.example/{{1}}" },
        { type = "QUICK_REPLY", text = "Stop" }, { type = "FLOW", text = "Open" }) } }
    local message = assert(client_of("cloud", { defined }).templates:fill("login", "en", { code = "845210" }))
    for _, index in ipairs { "0", "1" } do
      assert.equal("845210", component(message, "button", index).parameters[1].text)
    end
    assert.is_nil(component(message, "button", "2"))
    assert.equal("flow", component(message, "button", "3").sub_type)
  end)

  it("derives the limits from the definition's texts", function()
    local client = client_of("cloud", { ORDER })
    local _, err = client.templates:fill("order_ready", "en", {
      first_name = ("\195\164"):rep(480), order_no = ("x"):rep(100), header = { link = "https://d.example/n.pdf" },
      buttons = { Track = "1" },
    })
    assert.matches("body has %d+ characters with its values: at most 1024 are allowed", err.message)
  end)

  it("names the existing languages and templates", function()
    local client = client_of("cloud", { ORDER })
    assert.equal("template order_ready has no language de: it has en",
      select(2, client.templates:fill("order_ready", "de", {})).message)
    assert.equal("name is order_redy: there is no such template", select(2, client.templates:fill("order_redy", "en", {})).message)
  end)

  it("refuses a template that is not approved", function()
    local paused = { name = "p", language = "en", category = "UTILITY", status = "paused", components = {
      { type = "BODY", text = "Hello" } } }
    for _, hosting in ipairs { "cloud", "on_premise" } do
      local client = client_of(hosting, { paused })
      assert.matches("its status is PAUSED: only approved templates can be sent",
        select(2, client.templates:fill("p", "en", {})).message)
    end
  end)

  it("fetches again after forget, and after the gateway refused the template", function()
    local client, asked = client_of("cloud", { SUITES })
    assert(client.templates:definition("suites", "de"))
    client.templates:forget "suites"
    assert(client.templates:definition("suites", "de"))
    client.templates:forget()
    assert(client.templates:definition("suites", "de"))
    assert.equal(3, asked.count)
    asked.status, asked.body = 400, '{"error":{"message":"(#132000) count","code":132000,"type":"OAuthException"}}'
    local sent = client:send("+491511234567", waba.template { name = "suites", language = "de", body = { "Eva" } })
    assert.is_nil(sent)
    assert(client.templates:definition("suites", "de"))
    assert.equal(5, asked.count)
  end)

  it("returns the error of a refused hsm, which has no definition", function()
    local client, asked = client_of("on_premise", { SUITES })
    assert(client.templates:definition("suites", "de"))
    asked.status, asked.body = 400, '{"errors":[{"code":2000,"title":"Template Param Count Mismatch"}]}'
    local message = waba.hsm { namespace = "n", element_name = "suites", language = "de", params = { "Eva" } }
    local sent, err = client:send("+491511234567", message)
    assert.is_nil(sent)
    assert.equal("template", err.kind)
  end)

  it("stores definitions in a folder", function()
    local folder = process.folder()
    local client, asked = client_of("cloud", { SUITES })
    client.templates:keep(folder.path)
    assert(client.templates:definition("suites", "de"))
    assert.equal(1, asked.count)
    local offline, count = client_of("cloud", {})
    offline.templates:keep(folder.path)
    assert.same(SUITES.components[1].text, assert(offline.templates:definition("suites", "de")).components[1].text)
    assert.equal(0, count.count)
    folder:write("broken.en.json", "[1,2")
    local _, err = offline.templates:definition("broken", "en")
    assert.matches("broken.en.json is not the definition of a template", err.message)
    folder:remove()
  end)

  it("reads names that tonumber reads as numbers, and ignores positions that no template has", function()
    local client = client_of("cloud", { { name = "t", language = "en", status = "APPROVED",
      components = { { type = "BODY", text = "{{inf}} {{nan}} {{0x10}}" } } } })
    local message = assert(client.templates:fill("t", "en", { inf = "a", nan = "b", ["0x10"] = "c" }))
    local names = {}
    for i, parameter in ipairs(component(message, "body").parameters) do names[i] = parameter.parameter_name end
    table.sort(names)
    assert.same({ "0x10", "inf", "nan" }, names)
    local other = client_of("cloud", { { name = "t", language = "en", status = "APPROVED",
      components = { { type = "BODY", text = "{{1}} {{900000000}}" } } } })
    local filled, err = other.templates:fill("t", "en", { "a" })
    assert.is_nil(filled)
    assert.matches("body: 900000000 is missing", err.message, 1, true)
  end)

  it("returns an error or a message for definitions of any form", function()
    for _, wrong in ipairs {
      { type = "BUTTONS", buttons = { 5, "x", { type = "URL", url = 7 }, {} } }, { type = "BUTTONS", buttons = 5 },
      { type = "CAROUSEL", cards = { 5, { components = 7 }, "x" } }, { type = "CAROUSEL", cards = "x" },
      { type = "BODY", text = { "x" } }, { type = "HEADER", format = 5, text = 7 },
      { type = "LIMITED_TIME_OFFER", limited_time_offer = 5 },
    } do
      local client = client_of("cloud", { { name = "t", language = "en", components = { wrong, 5, { type = 7 } } } })
      for _, values in ipairs { {}, { "a", buttons = { "x", 5 }, cards = { { "a" }, 5, { buttons = { "a" } } } } } do
        local message, err = client.templates:fill("t", "en", values)
        assert.is_true(message ~= nil or err.kind == "template")
      end
    end
  end)

  it("reports a name that does not exist, or a language", function()
    local client = client_of("cloud", { SUITES, { name = "suites", language = "en_US", components = {} }, ORDER, { name = "odd" } })
    for _, row in ipairs {
      { "suite", "de", "name", "name is suite: there is no such template" },
      { "suites", "fr", "language", "template suites has no language fr: it has de, en_US" },
      { "odd", "de", "language", "template odd has no language de: it has nil" },
    } do
      local template, err = client.templates:definition(row[1], row[2])
      assert.is_nil(template)
      assert.same({ "template", row[3], row[4] }, { err.kind, err.path, err.message })
      local message
      message, err = client.templates:fill(row[1], row[2])
      assert.is_nil(message)
      assert.equal(row[3], err.path)
    end
    assert.equal("en_US", assert(client.templates:definition("suites", "EN-us")).language)
  end)

  it("fetches a definition once, and again after it was forgotten", function()
    local client, asked = client_of("cloud", { SUITES, ORDER })
    for _ = 1, 2 do assert(client.templates:definition("suites", "de")) end
    assert.equal(1, asked.count)
    client.templates:forget "order_ready"
    assert(client.templates:definition("suites", "de"))
    assert.equal(1, asked.count)
    for count, name in ipairs { "suites", false } do
      client.templates:forget(name or nil)
      assert(client.templates:definition("suites", "de"))
      assert(client.templates:definition("suites", "de"))
      assert.equal(1 + count, asked.count)
    end
  end)

  it("fetches a definition in the folder again after it was forgotten", function()
    local folder = process.folder()
    local client, asked = client_of("cloud", { SUITES, ORDER })
    client.templates:keep(folder.path)
    assert(client.templates:definition("suites", "de"))
    for count, name in ipairs { "suites", false } do
      local other = client_of("cloud", {})
      other.templates:keep(folder.path)
      assert(other.templates:definition("suites", "de"))
      client.templates:forget(name or nil)
      assert(client.templates:definition("suites", "de"))
      assert.equal(1 + count, asked.count)
    end
    assert.matches("suites.de.json", folder:names(), 1, true)
    folder:remove()
  end)

  it("uses only plain names and languages in the names of files", function()
    local definitions = require "waba.resource.templates.definitions"
    local folder = process.folder()
    for _, row in ipairs { { "a/b", "en" }, { "a", "e/n" }, { "a b", "en" }, { "a", "e n" }, { "", "en" }, { "a", "" } } do
      local path, err = definitions.write(folder.path, { name = row[1], language = row[2] })
      assert.is_nil(path)
      assert.same({ "invalid", "name" }, { err.kind, err.path })
      if not (row[1] .. row[2]):find "/" then
        folder:write(("%s.%s.json"):format(row[1], row[2]), ('{"name":"%s","language":"%s"}'):format(row[1], row[2]))
      end
      local template
      template, err = definitions.in_folder(folder.path, row[1], row[2])
      assert.is_nil(template)
      assert.same({ "template", "name" }, { err.kind, err.path })
      local client, asked = client_of("cloud", {})
      client.templates:keep(folder.path)
      if row[1] ~= "" and row[2] ~= "" then
        assert.is_nil((client.templates:definition(row[1], row[2])))
        assert.equal(1, asked.count)
      end
    end
    folder:clear()
    assert.equal(folder:file "a_1-b.pt_BR.json", definitions.write(folder.path, { name = "a_1-b", language = "pt_BR" }))
    assert.equal("a_1-b.pt_BR.json", folder:names())
    local path, err = definitions.write(folder:file "missing", { name = "a", language = "en" })
    assert.is_nil(path)
    assert.same({ "invalid", "folder" }, { err.kind, err.path })
    path, err = definitions.write(folder.path, { name = "a", language = "en", text = "\255" })
    assert.is_nil(path)
    assert.same({ "invalid", "folder" }, { err.kind, err.path })
    folder:remove()
  end)

  it("reads from a folder only what is a definition", function()
    local definitions = require "waba.resource.templates.definitions"
    local folder = process.folder()
    local expected = "expected an object with name, language and components"
    for text, reason in pairs {
      ['"a"'] = expected, ["[]"] = expected, ['{"name":"a"}'] = expected, ['{"language":"en"}'] = expected,
      ['{"name":1,"language":"en"}'] = expected, ['{"name":"a","language":1}'] = expected, ["{"] = "", [""] = "",
    } do
      folder:write("a.en.json", text)
      local template, err = definitions.in_folder(folder.path, "a", "en")
      assert.is_nil(template)
      assert.same({ "invalid", "folder" }, { err.kind, err.path })
      assert.truthy(err.message:find(reason, 1, true), err.message)
      assert.equal(reason == expected, err.message:find(expected, 1, true) ~= nil)
    end
    folder:write("a.en.json", '{"name":"a","language":"en"}')
    assert.equal("a", assert(definitions.in_folder(folder.path, "a", "en")).name)
    local template, err = definitions.in_folder(folder.path, "b", "en")
    assert.is_nil(template)
    assert.equal(("template b (en): there is no file %s/b.en.json"):format(folder.path), err.message)
    folder:remove()
  end)

  it("raises an error for wrong arguments", function()
    local client = client_of("cloud", {})
    assert.error_matches(function() client.templates:fill(5, "en", {}) end, "the name must be a string")
    assert.error_matches(function() client.templates:fill("x", nil, {}) end, "the language must be a string")
    assert.error_matches(function() client.templates:fill("x", "en", "Eva") end, "the values must be a table, not a string")
  end)
end)

describe("a filled message", function()
  local emulator

  setup(function() emulator = emulators.start() end)
  teardown(function() emulator:stop() end)

  it("is accepted by the emulator of each hosting", function()
    emulators.run(function()
      for _, hosting in ipairs { "on_premise", "cloud" } do
        local client = waba.client(emulator:options { hosting = hosting, loop = "cqueues" })
        assert(client.templates:create { name = "pickup", language = "en", category = "UTILITY", components = {
          { type = "HEADER", format = "TEXT", text = "Order {{1}} now", example = { header_text = { "118" } } },
          { type = "BODY", text = "Hello {{1}}, your order is ready.", example = { body_text = { { "Eva" } } } },
          { type = "BUTTONS", buttons = { { type = "URL", text = "Track", url = "https://t.example/{{1}}",
            example = { "https://t.example/1" } } } },
        } })
        local gateway = hosting == "cloud" and emulator.cloud or emulator
        assert(gateway:review_template("pickup", "approved"))
        local message, err = client.templates:fill("pickup", "en", { "Eva", header = "118", buttons = { "118" } })
        assert(message, tostring(err))
        assert(client:send("+491511234567", message))
        client:close()
      end
    end)
  end)
end)

describe("the placeholders of a text", function()
  it("have positions of at most three digits, or names", function()
    local placeholders = require("waba.message.definition").placeholders
    for text, row in pairs {
      ["{{1}} and {{2}}"] = { 2 }, ["{{999}}"] = { 999 }, ["{{1000}}"] = { 0, "1000" }, ["{{a}} {{b}} {{a}}"] = { 0, "a", "b" },
      ["{{inf}} {{0x1}}"] = { 0, "inf", "0x1" }, [""] = { 0 }, ["{1}"] = { 0 },
    } do
      local count, names = placeholders(text)
      assert.same(row, { count, names[1], names[2] }, text)
    end
    assert.same({ 0, {} }, { placeholders(nil) })
  end)
end)
