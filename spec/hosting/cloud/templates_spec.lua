local cloud_templates = require "spec.support.cloud_templates"
local core = require "waba.core"
local scripted_transport = require "spec.support.scripted_transport"

local CREATED = { body = '{"id":"880011","status":"PENDING","category":"UTILITY"}' }

local cloud = scripted_transport.cloud_client

local function e(count) return ("ä"):rep(count) end

local function body_of(template, index) return template.components[index or 2] end

-- Columns: a valid template, the path of the error, a change that makes the template invalid, true if the platform does
-- not document the rule.
local faults = {
  { "full", "name", function(t) t.name = nil end },
  { "full", "name", function(t) t.name = "Order-Ready" end },
  { "full", "name", function(t) t.name = ("a"):rep(513) end },
  { "full", "language", function(t) t.language = nil end },
  { "full", "category", function(t) t.category = nil end },
  { "full", "category", function(t) t.category = "TRANSACTIONAL" end },
  { "full", "components", function(t) t.components = nil end },
  { "full", "components", function(t) t.components = {} end },
  { "full", "components", function(t) table.remove(t.components, 2) end },
  { "full", "components[4].type", function(t) t.components[4] = { type = "FOOTER", text = "x" } end },
  { "full", "components[1].type", function(t) t.components[1].type = "TITLE" end },
  { "full", "parameter_format", function(t) t.parameter_format = "MIXED" end },
  { "full", "message_send_ttl_seconds", function(t) t.message_send_ttl_seconds = 29 end },
  { "full", "message_send_ttl_seconds", function(t) t.message_send_ttl_seconds = 43201 end },
  { "copy_code", "message_send_ttl_seconds", function(t) t.message_send_ttl_seconds = 901 end },
  { "offer", "message_send_ttl_seconds", function(t) t.message_send_ttl_seconds = 43199 end },
  { "offer", "message_send_ttl_seconds", function(t) t.message_send_ttl_seconds = 2592001 end },
  { "offer", "message_send_ttl_seconds", function(t) t.message_send_ttl_seconds = -1 end },
  -- header
  { "full", "components[1].format", function(t) t.components[1].format = "AUDIO" end },
  { "full", "components[1].text", function(t) t.components[1].text = nil end },
  { "full", "components[1].text", function(t) t.components[1].text = e(61) end },
  { "full", "components[1].text", function(t) t.components[1].text = "*Bestellung*" end },
  { "full", "components[1].text", function(t) t.components[1].text = "{{1}} {{2}}" end },
  { "full", "components[1].text", function(t) t.components[1].text = "Nr. {{2}}" end },
  { "full", "components[1].text", function(t) t.components[1].text = "Nr. {{order}}" end },
  { "full", "components[1].example.header_text", function(t) t.components[1].example = nil end, true },
  { "full", "components[1].example.header_text", function(t) t.components[1].text = "Bestellung" end, true },
  { "full", "components[1].example.header_text", function(t) t.components[1].example.header_text = { "1", "2" } end },
  { "video", "components[1].example.header_handle", function(t) t.components[1].example = nil end, true },
  { "copy_code", "components[4].format", function(t) t.components[4] = { type = "HEADER", format = "LOCATION" } end },
  -- body
  { "full", "components[2].text", function(t) body_of(t).text = nil end },
  { "full", "components[2].text", function(t) t.components[2] = { type = "BODY", text = e(1025) } end },
  { "full", "components[2].text", function(t) body_of(t).text = "Hallo {{1}} und {{3}} da." end },
  { "full", "components[2].text", function(t) body_of(t).text = "Hallo {{1}} und {{name}} da." end },
  { "full", "components[2].text", function(t) body_of(t).text = "{{1}} und {{2}} da." end },
  { "full", "components[2].text", function(t) body_of(t).text = "Hallo {{1}} und {{2}} " end },
  { "full", "components[2].text", function(t) body_of(t).text = "Hallo {{1}} {{2}} da." end },
  { "full", "components[2].example.body_text[1]", function(t) body_of(t).example.body_text[1][3] = "x" end, true },
  { "full", "components[2].example.body_text", function(t) body_of(t).example = nil end, true },
  { "full", "components[2].example.body_txt", function(t) body_of(t).example.body_txt = { "x" } end, true },
  { "full", "components[2].add_security_recommendation", function(t)
    body_of(t).add_security_recommendation = true
  end, true },
  { "copy_code", "components[1].text", function(t) body_of(t, 1).text = "Ihr Code" end, true },
  { "offer", "components[3].text", function(t) body_of(t, 3).text = e(601) end },
  { "product", "components[2].text", function(t) body_of(t).text = e(161) end },
  { "named", "components[2].text", function(t) body_of(t).text = "Hi {{First}}, {{order_no}} leaves." end },
  { "named", "components[2].text", function(t) t.parameter_format = nil end },
  { "named", "components[2].text", function(t) t.parameter_format = "POSITIONAL" end },
  { "named", "components[2].example.body_text_named_params[2].param_name", function(t)
    body_of(t).example.body_text_named_params[2].param_name = "order"
  end, true },
  { "named", "components[2].example.body_text_named_params", function(t)
    table.remove(body_of(t).example.body_text_named_params)
  end, true },
  { "named", "components[2].example.body_text_named_params[2].param_name", function(t)
    body_of(t).example.body_text_named_params[2].param_name = "first_name"
  end },
  { "named", "components[2].example.body_text_named_params[1].example", function(t)
    body_of(t).example.body_text_named_params[1].example = nil
  end },
  -- footer
  { "full", "components[3].text", function(t) t.components[3].text = e(61) end },
  { "full", "components[3].text", function(t) t.components[3].text = "Kern {{1}}" end },
  { "full", "components[3]", function(t) t.components[3].text = nil end },
  { "full", "components[3]", function(t) t.components[3].code_expiration_minutes = 5 end },
  { "full", "components[3].code_expiration_minutes", function(t)
    t.components[3] = { type = "FOOTER", code_expiration_minutes = 5 }
  end, true },
  { "copy_code", "components[2].code_expiration_minutes", function(t) body_of(t).code_expiration_minutes = 91 end },
  { "copy_code", "components[2].code_expiration_minutes", function(t) body_of(t).code_expiration_minutes = 0 end },
  -- buttons
  { "full", "components[4].buttons", function(t) t.components[4].buttons = {} end },
  { "full", "components[4].buttons", function(t)
    for i = 1, 11 do t.components[4].buttons[i] = { type = "QUICK_REPLY", text = "Wahl " .. i } end
  end },
  { "full", "components[4].buttons[1].type", function(t) t.components[4].buttons[1].type = "REPLY" end },
  { "full", "components[4].buttons[1].text", function(t) t.components[4].buttons[1].text = e(26) end },
  { "full", "components[4].buttons[2].url", function(t) t.components[4].buttons[2].url = "kern.example" end },
  { "full", "components[4].buttons[2].url", function(t)
    t.components[4].buttons[2].url = "https://kern.example/" .. ("x"):rep(1980)
  end },
  { "full", "components[4].buttons[2].url", function(t)
    t.components[4].buttons[2].url = "https://kern.example/{{1}}/order"
  end },
  { "full", "components[4].buttons[2].url", function(t)
    t.components[4].buttons[2].url = "https://kern.example/{{1}}{{2}}"
  end },
  { "full", "components[4].buttons[2].example", function(t) t.components[4].buttons[2].example = nil end, true },
  { "full", "components[4].buttons[3].phone_number", function(t)
    t.components[4].buttons[3].phone_number = ("1"):rep(21)
  end },
  { "full", "components[4].buttons[3].type", function(t)
    t.components[4].buttons[2], t.components[4].buttons[3] = t.components[4].buttons[3], t.components[4].buttons[1]
  end },
  { "full", "components[4].buttons[4].type", function(t)
    t.components[4].buttons[4] = { type = "PHONE_NUMBER", text = "x", phone_number = "+4930" }
  end },
  { "full", "components[4].buttons[5].type", function(t)
    local url = { type = "URL", text = "x", url = "https://a.example" }
    t.components[4].buttons[4], t.components[4].buttons[5] = url, url
  end },
  { "full", "components[4].buttons[1].type", function(t)
    t.components[4].buttons = { { type = "OTP", otp_type = "COPY_CODE" } }
  end, true },
  { "copy_code", "components[3].buttons[1].type", function(t)
    t.components[3].buttons = { { type = "QUICK_REPLY", text = "x" } }
  end, true },
  { "copy_code", "components[3].buttons[1].otp_type", function(t) t.components[3].buttons[1].otp_type = "CALL" end },
  { "one_tap", "components[3].buttons[1].autofill_text", function(t)
    t.components[3].buttons[1].autofill_text = e(26)
  end },
  { "one_tap", "components[3].buttons[1].supported_apps", function(t)
    t.components[3].buttons[1].supported_apps = nil
  end, true },
  { "one_tap", "components[3].buttons[1].supported_apps", function(t)
    local apps = t.components[3].buttons[1].supported_apps
    for i = 2, 6 do apps[i] = apps[1] end
  end },
  { "one_tap", "components[3].buttons[1].supported_apps[1].package_name", function(t)
    t.components[3].buttons[1].supported_apps[1].package_name = ("a"):rep(225)
  end },
  { "one_tap", "components[3].buttons[1].supported_apps[1].signature_hash", function(t)
    t.components[3].buttons[1].supported_apps[1].signature_hash = ("a"):rep(12)
  end },
  { "one_tap", "components[3].buttons[1].supported_apps[1].signature_hash", function(t)
    t.components[3].buttons[1].supported_apps[1].signature_hash = ("a"):rep(10)
  end },
  { "zero_tap", "components[3].buttons[1].zero_tap_terms_accepted", function(t)
    t.components[3].buttons[1].zero_tap_terms_accepted = false
  end },
  { "zero_tap", "components[3].buttons[1].zero_tap_terms_accepted", function(t)
    t.components[3].buttons[1].zero_tap_terms_accepted = nil
  end },
  { "coupon", "components[2].buttons[1].example", function(t) t.components[2].buttons[1].example = ("A"):rep(16) end },
  { "coupon", "components[2].buttons[1].example", function(t) t.components[2].buttons[1].example = nil end },
  { "coupon", "components[2].buttons[2].type", function(t)
    t.components[2].buttons[2] = { type = "COPY_CODE", example = "SAVE20" }
  end },
  { "flow", "components[2].buttons[1]", function(t) t.components[2].buttons[1].flow_id = nil end },
  { "flow", "components[2].buttons[1]", function(t) t.components[2].buttons[1].flow_name = "x" end },
  { "flow", "components[2].buttons[1].flow_action", function(t) t.components[2].buttons[1].flow_action = "go" end },
  { "call", "components[2].buttons[1].ttl_minutes", function(t) t.components[2].buttons[1].ttl_minutes = 43201 end },
  -- offers
  { "offer", "components[2].limited_time_offer.text", function(t)
    body_of(t).limited_time_offer.text = e(17)
  end },
  { "offer", "components[2].type", function(t) t.category, t.message_send_ttl_seconds = "UTILITY", nil end },
  { "offer", "components[2].type", function(t)
    t.components[1] = { type = "HEADER", format = "TEXT", text = "Angebot" }
  end },
  { "offer", "components[5].type", function(t) t.components[5] = { type = "FOOTER", text = "x" } end },
  -- cards
  { "carousel", "components[2].cards", function(t) t.components[2].cards[2] = nil end },
  { "carousel", "components[2].cards", function(t)
    for i = 3, 11 do t.components[2].cards[i] = t.components[2].cards[1] end
  end },
  { "carousel", "components[2].cards[2].components", function(t)
    table.remove(t.components[2].cards[2].components, 2)
  end },
  { "carousel", "components[2].cards[2].components", function(t)
    t.components[2].cards[2].components[1].format = "VIDEO"
  end },
  { "carousel", "components[2].cards[2].components", function(t)
    t.components[2].cards[2].components[3].buttons[1] = { type = "PHONE_NUMBER", text = "x", phone_number = "+4930" }
  end },
  { "carousel", "components[2].cards[1].components", function(t)
    table.remove(t.components[2].cards[1].components, 1)
  end },
  { "carousel", "components[2].cards[1].components", function(t)
    table.remove(t.components[2].cards[1].components)
  end },
  { "carousel", "components[2].cards[1].components[2].text", function(t)
    t.components[2].cards[1].components[2].text = e(161)
  end },
  { "carousel", "components[2].cards[2].components[3].buttons[2].url", function(t)
    t.components[2].cards[2].components[3].buttons[2].url = "https://kern.example/{{1}}/x"
  end },
  { "carousel", "components[2].cards[1].components[3].buttons", function(t)
    local list = t.components[2].cards[1].components[3].buttons
    list[3] = { type = "QUICK_REPLY", text = "x" }
  end },
  { "carousel", "components[2].cards[1].components[1].format", function(t)
    t.components[2].cards[1].components[1].format = "DOCUMENT"
  end },
  { "carousel", "components[2].cards[1].components[1].example.header_handle", function(t)
    t.components[2].cards[1].components[1].example = nil
  end, true },
  { "products", "components[2].cards[1].components", function(t)
    t.components[2].cards[1].components[2].buttons[1] = { type = "QUICK_REPLY", text = "x" }
  end },
  { "carousel", "components[2].cards[1].components", function(t)
    t.components[2].cards[1].components[3].buttons[1] = { type = "SPM", text = "View" }
  end },
  -- library
  { "library", "category", function(t) t.category = "MARKETING" end },
  { "library", "library_template_button_inputs[1].url.base_url", function(t)
    t.library_template_button_inputs[1].url.base_url = nil
  end },
  { "library", "library_template_body_inputs.code_expiration_minutes", function(t)
    t.library_template_body_inputs.code_expiration_minutes = 91
  end },
}

-- The fields that may be left out in the templates of spec/support/cloud_templates.lua. An element of a list has its
-- type in brackets.
local OPTIONAL = {
  "components[BODY].add_security_recommendation", "components[BUTTONS].buttons[FLOW].flow_action",
  "components[BUTTONS].buttons[FLOW].navigate_screen", "components[BUTTONS].buttons[ORDER_DETAILS].text",
  "components[BUTTONS].buttons[OTP].autofill_text", "components[BUTTONS].buttons[OTP].text",
  "components[BUTTONS].buttons[VOICE_CALL].ttl_minutes",
  "components[LIMITED_TIME_OFFER].limited_time_offer.has_expiration", "display_format", "library_template_body_inputs",
  "library_template_body_inputs.add_contact_number", "library_template_body_inputs.code_expiration_minutes",
  "library_template_button_inputs", "library_template_button_inputs[URL].url.url_suffix_example",
  "message_send_ttl_seconds", "sub_category",
}

-- Objects in these templates that may have fields the schema does not name.
local OPEN = {
  "components[BUTTONS].buttons[ORDER_DETAILS]", "components[BUTTONS].buttons[PAYMENT_REQUEST].payment_setting.boleto",
}

local function set_of(list)
  local set = {}
  for _, name in ipairs(list) do set[name] = true end
  return set
end

-- Calls a function for each table in a template, with its path.
local function each_table(value, visit, place)
  visit(value, place or "")
  for key, inner in pairs(value) do
    if type(inner) == "table" then
      local name = type(key) == "number" and "[" .. (inner.type or "*") .. "]" or place and "." .. key or key
      each_table(inner, visit, (place or "") .. name)
    end
  end
end

describe("templates of Cloud hosting", function()
  it("may be of every kind", function()
    for _, name in ipairs(cloud_templates.names()) do
      for _, mode in ipairs { true, "documented" } do
        local client, transport = cloud({ CREATED }, { validate = mode })
        local template = cloud_templates.new(name)
        local created, err = client.templates:create(template)
        assert.is_truthy(created, name .. ": " .. tostring(err))
        assert.equal("880011", created.id)
        assert.equal("PENDING", created.status)
        assert.equal(template.name, created.name)
        assert.equal(template.language, created.language)
        assert.same(template, core.decode(transport.requests[1].body))
        assert.equal("https://waba-v2.360dialog.io/message_templates", transport.requests[1].url)
        assert.equal("POST", transport.requests[1].method)
      end
    end
  end)

  it("are refused if they break a rule, with the field's name, and nothing is sent", function()
    local client, transport = cloud {}
    for i, fault in ipairs(faults) do
      local broken = cloud_templates.new(fault[1])
      fault[3](broken)
      local created, err = client.templates:create(broken)
      local what = ("fault %d (%s, %s): "):format(i, fault[1], fault[2])
      assert.is_nil(created, what)
      assert.equal("invalid", err.kind, what .. tostring(err))
      assert.equal(fault[2], err.path, what .. tostring(err))
      assert.truthy(err.message:find(err.path, 1, true), what .. tostring(err))
    end
    assert.equal(0, #transport.requests)
  end)

  it("must have all fields of the examples except the optional ones, and no others", function()
    local optional, open, client = set_of(OPTIONAL), set_of(OPEN), cloud {}
    local check = require("waba.hosting.cloud.templates").check
    for _, name in ipairs(cloud_templates.names()) do
      local template = cloud_templates.new(name)
      each_table(template, function(value, place)
        local keys = {}
        for key in pairs(value) do
          if type(key) == "string" then keys[#keys + 1] = key end
        end
        for _, key in ipairs(keys) do
          local path = place == "" and key or place .. "." .. key
          local kept = value[key]
          value[key] = nil
          assert.equal(optional[path] or false, (check(client, template)) or false, name .. " without " .. path)
          value[key] = kept
        end
        if #value == 0 then
          value.odd_field = "x"
          assert.equal(open[place] or false, (check(client, template)) or false, name .. " with an odd field in " .. place)
          value.odd_field = nil
        end
      end)
      assert.is_true(check(client, template))
    end
  end)

  it("are not checked by undocumented rules in the mode documented", function()
    for i, fault in ipairs(faults) do
      local client = cloud({ CREATED }, { validate = "documented" })
      local broken = cloud_templates.new(fault[1])
      fault[3](broken)
      local created = client.templates:create(broken)
      assert.equal(fault[4] or false, created ~= nil, ("fault %d (%s, %s)"):format(i, fault[1], fault[2]))
    end
  end)

  it("may be as long as the limits allow", function()
    local client = cloud { CREATED, CREATED, CREATED, CREATED, CREATED, CREATED }
    local longest = cloud_templates.new "full"
    longest.name = ("a"):rep(512)
    longest.message_send_ttl_seconds = -1
    longest.components[1] = { type = "HEADER", format = "TEXT", text = e(60) }
    longest.components[2] = { type = "BODY", text = e(1024) }
    longest.components[3].text = e(60)
    longest.components[4].buttons = {}
    for i = 1, 6 do longest.components[4].buttons[i] = { type = "QUICK_REPLY", text = e(25) } end
    local list = longest.components[4].buttons
    list[7] = { type = "URL", text = e(25), url = "https://kern.example/" .. ("x"):rep(1979) }
    list[8] = { type = "URL", text = e(25), url = "https://kern.example/" }
    list[9] = { type = "PHONE_NUMBER", text = e(25), phone_number = "+" .. ("1"):rep(19) }
    list[10] = { type = "COPY_CODE", example = ("A"):rep(15) }
    local offer = cloud_templates.new "offer"
    offer.message_send_ttl_seconds = 2592000
    offer.components[2].limited_time_offer.text, offer.components[3].text = e(16), e(600)
    local cards = cloud_templates.new "carousel"
    cards.components[2].cards[1].components[2].text = e(160)
    for i = 3, 10 do cards.components[2].cards[i] = cards.components[2].cards[1] end
    local product = cloud_templates.new "product"
    product.components[2].text = e(160)
    local tap = cloud_templates.new "one_tap"
    tap.message_send_ttl_seconds = 900
    local apps = tap.components[3].buttons[1].supported_apps
    for i = 1, 5 do apps[i] = { package_name = ("a"):rep(224), signature_hash = ("b"):rep(11) } end
    local code = cloud_templates.new "copy_code"
    code.message_send_ttl_seconds, code.components[2].code_expiration_minutes = 30, 90
    for i, template in ipairs { longest, offer, cards, product, tap, code } do
      local created, err = client.templates:create(template)
      assert.is_truthy(created, i .. ": " .. tostring(err))
    end
  end)

  it("may be tested for thirty days in two categories", function()
    local function create(name, seconds)
      local template = cloud_templates.new(name)
      template.message_send_ttl_seconds = seconds
      return cloud({ CREATED }).templates:create(template)
    end
    assert(create("copy_code", -1))
    assert(create("full", -1))
    local _, err = create("copy_code", 901)
    assert.equal("message_send_ttl_seconds is 901: expected 30 to 900 in the category AUTHENTICATION, or -1", err.message)
    _, err = create("offer", -1)
    assert.equal("message_send_ttl_seconds is -1: expected 43200 to 2592000 in the category MARKETING", err.message)
  end)

  it("have the components of the response, otherwise those of the call", function()
    local template = cloud_templates.new "full"
    local shown = '{"id":"1","components":[{"type":"BODY","text":"Shown"}]}'
    assert.same({ { type = "BODY", text = "Shown" } }, cloud({ { body = shown } }).templates:create(template).components)
    assert.same(template.components, cloud({ { body = '{"id":"1"}' } }).templates:create(template).components)
  end)

  it("have capitals in the names that the platform writes in capitals", function()
    local client, transport = cloud { CREATED }
    local created = assert(client.templates:create {
      name = "login_code", language = "de", category = "authentication",
      components = {
        { type = "body", add_security_recommendation = true },
        { type = "buttons", buttons = { { type = "otp", otp_type = "copy_code", text = "Code kopieren" } } },
      },
    })
    assert.same({
      name = "login_code", language = "de", category = "AUTHENTICATION",
      components = {
        { type = "BODY", add_security_recommendation = true },
        { type = "BUTTONS", buttons = { { type = "OTP", otp_type = "COPY_CODE", text = "Code kopieren" } } },
      },
    }, core.decode(transport.requests[1].body))
    assert.equal("UTILITY", created.category) -- the response has another category than the request
    assert.equal("OTP", created.components[2].buttons[1].type)
  end)

  it("have capitals in the format of a header and in the types of a library template's buttons", function()
    local client, transport = cloud({ CREATED, CREATED }, { validate = false })
    assert(client.templates:create { name = "a", components = { { type = "header", format = "image" } } })
    assert(client.templates:create { name = "b", library_template_name = "c",
      library_template_button_inputs = { { type = "otp", otp_type = "copy_code" } } })
    assert.same({ { type = "HEADER", format = "IMAGE" } }, core.decode(transport.requests[1].body).components)
    assert.same({ { type = "OTP", otp_type = "COPY_CODE" } },
      core.decode(transport.requests[2].body).library_template_button_inputs)
  end)

  it("are refused if they contain themselves", function()
    local client, transport = cloud({}, { validate = false })
    local component = { type = "BODY" }
    component.example = component
    local created, err = client.templates:create { name = "a", components = { component } }
    assert.is_nil(created)
    assert.equal("invalid", err.kind)
    assert.equal(0, #transport.requests)
  end)

  it("may have any optimization_spec", function()
    local template = cloud_templates.new "full"
    template.optimization_spec = { bid_multiplier = 1.5, anything = { "else" } }
    local client, transport = cloud { CREATED }
    assert(client.templates:create(template))
    assert.same(template.optimization_spec, core.decode(transport.requests[1].body).optimization_spec)
  end)

  it("are refused with an error that shows a short placeholder and the allowed number of buttons", function()
    local function message(change)
      local template = cloud_templates.new "full"
      change(template)
      return select(2, cloud({}).templates:create(template)).message
    end
    local function with_placeholder(name)
      return message(function(t)
        t.parameter_format = "NAMED"
        t.components = { { type = "BODY", text = "Hallo {{" .. name .. "}} da." } }
      end)
    end
    assert.matches("placeholder {{Name}};", with_placeholder "Name", 1, true)
    assert.matches("placeholder {{" .. ("N"):rep(40) .. "}};", with_placeholder(("N"):rep(40)), 1, true)
    assert.matches("placeholder {{…}};", with_placeholder(("N"):rep(41)), 1, true)
    assert.matches("placeholder {{…}};", with_placeholder "N\127", 1, true)
    local function with_buttons(count, button)
      return message(function(t)
        local buttons = {}
        for i = 1, count do
          buttons[i] = { text = "Knopf " .. i }
          for name, value in pairs(button) do buttons[i][name] = value end
        end
        t.components = { { type = "BODY", text = "Hallo" }, { type = "BUTTONS", buttons = buttons } }
      end)
    end
    assert.matches("at most 1 is allowed", with_buttons(2, { type = "PHONE_NUMBER", phone_number = "+4930555" }), 1, true)
    assert.matches("at most 2 are allowed", with_buttons(3, { type = "URL", url = "https://a.example/" }), 1, true)
  end)

  it("are reported as possibly created if the response is empty", function()
    local client = cloud { { body = "{}" } }
    local created, err = client.templates:create(cloud_templates.new "full")
    assert.is_nil(created)
    assert.equal("protocol", err.kind)
    assert.is_true(err.maybe_sent)
  end)

  it("are not checked with validate = false", function()
    local client, transport = cloud({ CREATED }, { validate = false })
    assert(client.templates:create { name = "Not A Name", message_send_ttl_seconds = 1 })
    assert.same({ name = "Not A Name", message_send_ttl_seconds = 1 }, core.decode(transport.requests[1].body))
  end)

  describe("edited", function()
    it("are checked by the rules that apply to a part", function()
      local client, transport = cloud { { body = '{"success":true}' }, { body = '{"success":true}' } }
      assert.is_true(client.templates:edit("880011223344556677", {
        components = {
          {
            type = "body", text = "Hi {{first_name}}, it is here.",
            example = { body_text_named_params = { { param_name = "first_name", example = "Ida" } } },
          },
        },
      }))
      assert.equal("https://waba-v2.360dialog.io/message_templates/880011223344556677", transport.requests[1].url)
      assert.equal("BODY", core.decode(transport.requests[1].body).components[1].type)
      assert.is_nil(core.decode(transport.requests[1].body).editing)
      assert.is_true(client.templates:edit(880011, { category = "MARKETING", message_send_ttl_seconds = 43200 }))
      for _, fault in ipairs {
        { "id", "88x", { category = "UTILITY" } },
        { "category", "1", { category = "X" } },
        { "components", "1", { components = { { type = "FOOTER", text = "x" } } } },
        { "components[1].text", "1", { components = { { type = "BODY", text = "Hi {{1}} {{2}} da" } } } },
        { "components[1].text", "1", { components = { { type = "BODY", text = "Hi {{1}} da {{x_1}} da" } } } },
        { "message_send_ttl_seconds", "1", { category = "UTILITY", message_send_ttl_seconds = 1 } },
      } do
        local edited, err = client.templates:edit(fault[2], fault[3])
        assert.is_nil(edited)
        assert.equal("invalid", err.kind)
        assert.equal(fault[1], err.path)
      end
      assert.equal(2, #transport.requests)
    end)

    it("raise an error for wrong use", function()
      local client = cloud {}
      assert.error_matches(function() client.templates:edit("1", {}) end, "at least one field")
      assert.error_matches(function() client.templates:edit("1", { name = "x" }) end, "unknown option name")
    end)
  end)

  describe("in lists", function()
    local PAGE_1 = '{"data":[{"id":1234567890123456,"name":"a","language":"pt_BR","status":"APPROVED",'
      .. '"category":"UTILITY","components":[],"rejected_reason":null},{"id":"12345678901234567890","name":"b",'
      .. '"language":"de","status":"REJECTED"}],"paging":{"cursors":{"before":"B1","after":"A1"},'
      .. '"next":"https://graph.facebook.com/x"}}'
    local PAGE_2 = '{"data":[{"id":"3","name":"c","language":"pt_BR","status":"APPROVED","category":"UTILITY"}],'
      .. '"paging":{"cursors":{"before":"B2","after":"A2"},"previous":"https://graph.facebook.com/x"}}'

    it("have the cursor of the next page until the last page", function()
      local client, transport = cloud { { body = PAGE_1 }, { body = PAGE_2 } }
      local page = assert(client.templates:list { limit = 2, name = "x y", status = "approved",
        fields = { "name", "status" }, quality_score = "green" })
      assert.equal("https://waba-v2.360dialog.io/message_templates?fields=name%2Cstatus&limit=2&name=x%20y"
        .. "&quality_score=GREEN&status=APPROVED", transport.requests[1].url)
      assert.equal(2, page.count)
      assert.equal(1, #page.templates) -- the client removes the template that does not match the filter
      assert.equal("1234567890123456", page.templates[1].id)
      assert.is_nil(page.templates[1].rejected_reason)
      assert.equal("A1", page.after)
      assert.is_nil(page.before)
      page = assert(client.templates:list { after = page.after })
      assert.truthy(transport.requests[2].url:find("?after=A1", 1, true))
      assert.is_nil(page.after)
      assert.equal("B2", page.before)
    end)

    it("can be iterated to the end", function()
      local client, transport = cloud { { body = PAGE_1 }, { body = PAGE_2 } }
      local ids = {}
      for template, err in client.templates:each { limit = 2 } do
        assert.is_nil(err)
        ids[#ids + 1] = template.id
      end
      assert.same({ "1234567890123456", "12345678901234567890", "3" }, ids)
      assert.equal(2, #transport.requests)
      assert.truthy(transport.requests[2].url:find("after=A1", 1, true))
    end)

    it("are filtered by the client too, languages in either spelling", function()
      local client, transport = cloud { { body = PAGE_1 }, { body = PAGE_2 } }
      local names = {}
      for template in client.templates:each { language = "pt-br", category = "utility" } do
        names[#names + 1] = template.name
      end
      assert.same({ "a", "c" }, names)
      assert.truthy(transport.requests[1].url:find("?category=UTILITY&language=pt_BR", 1, true))
    end)

    it("return an error if a page can't be read, or the cursor repeats", function()
      local client = cloud { { body = PAGE_1 }, { status = 500, body = "{}" } }
      local turns = {}
      for template, err in client.templates:each() do turns[#turns + 1] = template and template.name or err.kind end
      assert.same({ "a", "b", "unavailable" }, turns)
      client, turns = cloud { { body = PAGE_1 }, { body = PAGE_1 }, { body = PAGE_1 } }, {}
      for template, err in client.templates:each() do turns[#turns + 1] = template and template.name or err.kind end
      assert.same({ "a", "b", "a", "b", "protocol" }, turns)
    end)

    it("are an error if the response has no list data", function()
      local client = cloud { { body = "{}" }, { body = '{"data":[]}' } }
      assert.equal("protocol", select(2, client.templates:list()).kind)
      assert.same({ templates = {}, count = 0 }, client.templates:list())
    end)

    it("refuse options of the other hosting", function()
      local client, transport = cloud {}
      for name, value in pairs { offset = 1, sort = "name", filters = {} } do
        local page, err = client.templates:list { [name] = value }
        assert.is_nil(page)
        assert.equal("invalid", err.kind)
        assert.equal(name, err.path)
        assert.truthy(err.message:find("On-Premise hosting only", 1, true))
      end
      for template, err in client.templates:each { sort = "name" } do
        assert.is_false(template)
        assert.equal("sort", err.path)
      end
      assert.equal(0, #transport.requests)
      assert.error_matches(function() client.templates:list { after = "a", before = "b" } end, "can't be combined")
      assert.error_matches(function() client.templates:list { limit = 0 } end, "limit must be at least 1")
    end)
  end)

  it("can be read one by one", function()
    local client, transport = cloud {
      { body = '{"id":"880011","name":"a","language":"de","status":"APPROVED"}' }, { body = "{}" },
      { status = 404, body = '{"error":{"message":"Unsupported get request","code":100,"error_subcode":33}}' },
    }
    assert.equal("a", client.templates:get("880011", { fields = { "name", "status" } }).name)
    assert.equal("https://waba-v2.360dialog.io/message_templates/880011?fields=name%2Cstatus", transport.requests[1].url)
    assert.equal("protocol", select(2, client.templates:get "880011").kind)
    assert.equal("not_found", select(2, client.templates:get "880011").kind)
    assert.equal("id", select(2, client.templates:get "../x").path)
  end)

  it("keep every digit of their ids", function()
    local client, transport = cloud { { body = '{"id":9007199254740993}' }, { body = '{"id":1234567890123456}' } }
    assert.equal("9007199254740993", client.templates:get("9007199254740993").id)
    assert.truthy(transport.requests[1].url:find("/9007199254740993$"))
    assert.equal("1234567890123456", client.templates:get(1234567890123456).id)
    assert.truthy(transport.requests[2].url:find("/1234567890123456$"))
    for _, id in ipairs { 2 ^ 53, 0 / 0, math.huge, 1.5, -1, 0, "", "1.5", "1 ", true } do
      assert.equal("id", select(2, client.templates:get(id)).path)
    end
    if math.type then
      client, transport = cloud { { body = '{"id":"1"}' } }
      assert(client.templates:get(math.tointeger(2 ^ 53) + 1))
      assert.truthy(transport.requests[1].url:find("/9007199254740993$"))
    end
  end)

  it("are deleted by name, by name and id, or by many ids", function()
    local ok = { body = '{"success":true}' }
    local client, transport = cloud { ok, ok, ok, { body = '{"success":false}' } }
    assert.is_true(client.templates:delete "old_one")
    assert.is_true(client.templates:delete("old_one", { id = "880011223344556677" }))
    assert.is_true(client.templates:delete_ids { "1", 2 })
    local base = "https://waba-v2.360dialog.io/message_templates"
    assert.equal(base .. "?name=old_one", transport.requests[1].url)
    assert.equal(base .. "?hsm_id=880011223344556677&name=old_one", transport.requests[2].url)
    assert.equal(base .. "?hsm_ids=%5B%221%22%2C%222%22%5D", transport.requests[3].url)
    for i = 1, 3 do assert.equal("DELETE", transport.requests[i].method) end
    assert.equal("api", select(2, client.templates:delete "old_one").kind)
    assert.equal("id", select(2, client.templates:delete("old_one", { id = "x" })).path)
  end)

  it("are archived and restored a hundred at a time", function()
    local client, transport = cloud {
      { body = '{"archived_templates":["1"],"failed_templates":{"2":"Only approved ones","3":{"error":"No such"}}}' },
      { body = '{"unarchived_templates":["1",9007199254740993],"failed_templates":{}}' },
      { body = '{"succeeded":["1"],"failed":["2",{"id":3,"error":{"message":"Gone"}}]}' }, { body = "{}" },
    }
    assert.same({ succeeded = { "1" }, failed = { ["2"] = "Only approved ones", ["3"] = "No such" } },
      client.templates:archive { "1", "2", "3" })
    assert.equal("https://waba-v2.360dialog.io/message_templates/archive", transport.requests[1].url)
    assert.same({ hsm_ids = { "1", "2", "3" } }, core.decode(transport.requests[1].body))
    assert.same({ succeeded = { "1", "9007199254740993" }, failed = {} }, client.templates:unarchive { "1" })
    assert.same({ succeeded = { "1" }, failed = { ["2"] = "the platform's error has no text", ["3"] = "Gone" } },
      client.templates:archive { "1" })
    local many = {}
    for i = 1, 100 do many[i] = i end
    assert.is_truthy(client.templates:archive(many))
    many[101] = 101
    local result, err = client.templates:archive(many)
    assert.is_nil(result)
    assert.equal("ids has 101 elements; at most 100 are allowed", err.message)
    assert.equal("ids", select(2, client.templates:archive {}).path)
    assert.equal("ids[2]", select(2, client.templates:unarchive { "1", "x" }).path)
    assert.equal("ids[1]", select(2, client.templates:unarchive { 2 ^ 53 }).path)
    assert.equal(4, #transport.requests)
  end)

  it("are compared over a number of days", function()
    local client, transport = cloud { { body = '{"data":[{"metric":"BLOCK_RATE","type":"RELATIVE"}]}' } }
    assert.same({ { metric = "BLOCK_RATE", type = "RELATIVE" } }, client.templates:compare("1", "2", { days = 30 }))
    local finish, start = transport.requests[1].url:match(
      "^https://waba%-v2%.360dialog%.io/message_templates/1/compare%?end=(%d+)&start=(%d+)&template_ids=%%5B%%222%%22%%5D$")
    assert.equal(30 * 86400, finish - start)
    assert.equal("days", select(2, client.templates:compare("1", "2", { days = 8 })).path)
    assert.equal("other", select(2, client.templates:compare("1")).path)
  end)

  it("are made from the library", function()
    local client, transport = cloud {
      { body = '{"data":[{"id":1234567890123456,"name":"delivery_update_1","language":"en_US","body":"x"}],'
        .. '"paging":{"cursors":{"after":"A"},"next":"x"}}' },
      { body = '{"data":[{"name":"delivery_update_2"}]}' }, { body = '{"data":null}' },
    }
    local names = {}
    for template in client.templates:each_in_library { topic = "ORDER_MANAGEMENT" } do names[#names + 1] = template.name end
    assert.same({ "delivery_update_1", "delivery_update_2" }, names)
    assert.equal("https://waba-v2.360dialog.io/message_template_library?after=A&topic=ORDER_MANAGEMENT",
      transport.requests[2].url)
    assert.equal("protocol", select(2, client.templates:library { search = "x" }).kind)
  end)

  it("refuse a namespace", function()
    local client = cloud {}
    local namespace, err = client.templates:namespace()
    assert.is_nil(namespace)
    assert.equal("invalid", err.kind)
    assert.truthy(err.message:find("On-Premise hosting only", 1, true))
  end)

  it("are refused on the other hosting if it does not have the function", function()
    local client, transport = scripted_transport.client {}
    for name, call in pairs {
      get = { "1" }, edit = { "1", { category = "UTILITY" } }, archive = { { "1" } }, unarchive = { { "1" } },
      delete_ids = { { "1" } }, compare = { "1", "2" }, library = {}, delete = { "x", { id = "1" } },
      list = { { after = "x" } }, create = { { name = "x", parameter_format = "NAMED" } },
    } do
      local result, err = client.templates[name](client.templates, call[1], call[2])
      assert.is_nil(result, name)
      assert.equal("invalid", err.kind, name)
      assert.truthy(err.message:find("Cloud hosting only", 1, true), name .. ": " .. err.message)
    end
    for template, err in client.templates:each_in_library() do
      assert.is_false(template)
      assert.equal("invalid", err.kind)
    end
    assert.equal(0, #transport.requests)
  end)
end)
