-- Templates of the emulated Cloud gateway: pages with cursors, creation and its rules, review, editing, deletion, the
-- archive, the library, and messages made from templates.

local support = require "spec.support.emulator"

local function body(text, example)
  return { type = "BODY", text = text, example = example and { body_text = { example } } or nil }
end

local function buttons(...) return { type = "BUTTONS", buttons = { ... } } end

local QUICK = { type = "QUICK_REPLY", text = "Stop" }

local NULL = require("cjson").null

describe("the Cloud gateway's templates", function()
  local emulator, cloud

  setup(function()
    emulator = assert(support.start({ cloud = { statuses = false, templates = {} } }))
    cloud = emulator.cloud
  end)

  teardown(function() emulator:stop() end)

  local function ask(method, path, content) return support.request(cloud, method, path, content) end

  local function create(changes)
    local template = { name = "note", language = "en", category = "UTILITY", components = { body "Your order left." } }
    for name, value in pairs(changes) do template[name] = value end
    return ask("POST", "/message_templates", template)
  end

  local function send(name, components, language)
    return support.cloud_send(cloud, "template", { name = name, language = { code = language or "en" },
      components = components })
  end

  it("are reviewed, which a webhook reports, and can be sent afterwards", function()
    local status, created = create({ name = "reviewed", category = "utility" })
    assert.equal(200, status)
    assert.equal("PENDING", created.status)
    assert.equal("UTILITY", created.category)
    assert.matches("^%d+$", created.id)
    assert.equal(132001, select(2, send("reviewed")).error.code)
    support.with_receiver(cloud, function(receiver)
      assert.equal(1, cloud:review_template("reviewed", "rejected", { reason = "PROMOTIONAL" }))
      cloud:review_template("reviewed", "approved")
      support.eventually(function() return #receiver.requests == 2 end)
      local result = support.changes(receiver, "message_template_status_update")
      assert.equal("REJECTED", result[1].event)
      assert.equal("PROMOTIONAL", result[1].reason)
      assert.equal("reviewed", result[2].message_template_name)
      assert.equal(tonumber(created.id), result[2].message_template_id)
      assert.is_number(receiver.requests[1].json.entry[1].time)
    end)
    assert.equal(200, (send("reviewed")))
  end)

  it("are approved after some time, with an option", function()
    cloud:configure({ review = 600 })
    create({ name = "waits" })
    cloud:advance(599)
    assert.equal(404, (send("waits")))
    cloud:advance(2)
    cloud:configure({ review = false })
    assert.equal(200, (send("waits")))
  end)

  it("are listed in pages, forward and backward, with fields and filters", function()
    for i = 1, 5 do create({ name = "page_" .. i, language = i == 5 and "de" or "en" }) end
    local function page(query)
      return select(2, ask("GET", "/message_templates?name=page_&" .. query))
    end
    local first = page "limit=2"
    assert.equal(2, #first.data)
    assert.matches("^https://graph%.facebook%.com/", first.paging.next)
    local second = page("limit=2&after=" .. first.paging.cursors.after)
    assert.equal("page_3", second.data[1].name)
    local last = page("limit=2&after=" .. second.paging.cursors.after)
    assert.equal(1, #last.data)
    assert.is_nil(last.paging.next)
    local back = page("limit=2&before=" .. last.paging.cursors.before)
    assert.equal("page_3", back.data[1].name)
    assert.equal(2, #back.data)
    assert.same({}, page("after=" .. last.paging.cursors.after).data)
    assert.equal(131059, page("after=nonsense").error.code)
    assert.equal(100, page("limit=0").error.code)
    assert.equal(1, #page("language=de").data)
    assert.equal(5, #page("status=PENDING").data)
    local shown = page("limit=1&fields=name,quality_score,rejected_reason").data[1]
    assert.equal("UNKNOWN", shown.quality_score.score)
    assert.is_nil(shown.components)
    assert.equal(100, page("fields=colour").error.code)
    assert.equal("page_1", select(2, ask("GET", "/message_templates/" .. shown.id)).name)
    assert.equal(33, select(2, ask("GET", "/message_templates/1")).error.error_subcode)
  end)

  it("are refused with an error that names the mistake", function()
    for i, case in ipairs({
      { { name = "Upper" }, "name" },
      { { language = "english language" }, "language" },
      { { category = "NEWS" }, "category" },
      { { components = { { type = "FOOTER", text = "F" } } }, "BODY is required" },
      { { components = { body(("x"):rep(1025)) } }, "1025 characters" },
      { { components = { body "Hello {{1}} there" } }, "example" },
      { { components = { body("{{1}} hello", { "a" }) } }, "beginning or the end" },
      { { components = { body("Hello {{1}}{{2}} there", { "a", "b" }) } }, "adjacent" },
      { { components = { body("Hello {{2}} there", { "a" }) } }, "numbered" },
      { { parameter_format = "NAMED", components = { body("Hello {{1}} there", { "a" }) } }, "lower case" },
      { { components = { body "B", body "B" } }, "is a second BODY" },
      { { components = { body "B", { type = "HEADER", format = "IMAGE" } } }, "header_handle" },
      { { components = { body "B", { type = "HEADER", format = "IMAGE",
        example = { header_handle = { "4:unknown" } } } } }, "handle" },
      { { components = { body "B", { type = "HEADER", format = "TEXT", text = "*H*" } } }, "markup" },
      { { components = { body "B", { type = "FOOTER", text = "By {{1}}." } } }, "variables" },
      { { components = { body "B", buttons(QUICK, { type = "PHONE_NUMBER", text = "Call", phone_number = "+49301" },
        QUICK) } }, "must follow one another" },
      { { components = { body "B", buttons { type = "URL", text = "Go", url = "https://x.de/{{1}}/y" } } }, "at its end" },
      { { components = { body "B", buttons { type = "URL", text = "Go", url = "https://x.de/{{1}}" } } }, "example" },
      { { components = { body "B", buttons { type = "QUICK_REPLY", text = ("x"):rep(26) } } }, "26 characters" },
      { { components = { body "B", buttons { type = "JUMP", text = "x" } } }, "type" },
      { { components = { body "B", { type = "CAROUSEL", cards = { { components = { body "C" } } } } } }, "cards" },
      { { colour = "red" }, "colour" },
      { { components = { body "B", NULL } }, "components[1]" },
      { { components = { body "B", 5 } }, "components[1]" },
      { { components = { body "B", buttons(NULL) } }, "buttons[0]" },
      { { components = { body "B", { type = "CAROUSEL", cards = { { components = { NULL } }, { components = { 5 } } } } } },
        "cards[0].components[0]" },
      { { library_template_name = "account_creation_1", language = "en_US",
        library_template_button_inputs = { NULL } }, "button_inputs[0]" },
    }) do
      local status, response = create(case[1])
      assert.is_true(status == 400 and response.error ~= nil, i)
      assert.is_truthy(response.error.error_user_msg:find(case[2], 1, true), i .. ": " .. response.error.error_user_msg)
    end
  end)

  -- Rules that hold for one category only, and rules that compare two parts of a template.
  it("are refused if their parts are inconsistent", function()
    local IMAGE = { type = "HEADER", format = "IMAGE", example = { header_handle = { "4:x" } } }
    local PRODUCT = { type = "HEADER", format = "PRODUCT" }
    local FOOTER = { type = "FOOTER", text = "F", code_expiration_minutes = 5 }
    local OFFER = { type = "LIMITED_TIME_OFFER", limited_time_offer = { text = "Hurry" } }
    local SPM, LINK = { type = "SPM" }, { type = "URL", text = "Go", url = "https://x.de" }
    local function code(text) return { type = "COPY_CODE", example = text } end
    local function flow(more) return { type = "FLOW", text = "F", flow_id = more.id, flow_name = more.name } end
    local function card(...) return { components = { ... } } end
    local function cards(...) return { body "B", { type = "CAROUSEL", cards = { ... } } } end
    local function named(...)
      local list = {}
      for i, name in ipairs { ... } do list[i] = { param_name = name, example = "x" } end
      return { { type = "BODY", text = "Hi {{one}} there", example = { body_text_named_params = list } } }
    end
    local function zero_tap(accepted)
      return { { type = "BODY" }, buttons { type = "OTP", otp_type = "zero_tap", zero_tap_terms_accepted = accepted } }
    end
    local function library(inputs)
      return { library_template_name = "account_creation_1", language = "en_US", library_template_body_inputs = inputs }
    end
    local function with_input(input)
      local options = library()
      options.library_template_button_inputs = { input }
      return options
    end
    for i, case in ipairs({
      { "AUTHENTICATION", { message_send_ttl_seconds = 901, components = { { type = "BODY" } } }, "30 to 900" },
      { "UTILITY", { message_send_ttl_seconds = 29 }, "30 to 43200" },
      { "UTILITY", { message_send_ttl_seconds = 43201 }, "30 to 43200" },
      { "MARKETING", { message_send_ttl_seconds = 43199 }, "43200 to 2592000" },
      { "MARKETING", { message_send_ttl_seconds = -1 }, "43200 to 2592000" },
      { "UTILITY", { components = { body("Hi {{1}} and {{2}} there", { "a" }) } }, "1 elements, the text has 2" },
      { "UTILITY", { components = { body("Hi there", { "a" }) } }, "1 elements, the text has 0" },
      { "UTILITY", { components = { body "B", { type = "HEADER", format = "TEXT", text = "H {{1}}",
        example = { header_text = { "a", "b" } } } } }, "2 elements, the text has 1" },
      { "UTILITY", { components = { { type = "BODY", text = "Hi {{1}} x", example = { body_text = { "a" } } } } }, "array" },
      { "UTILITY", { parameter_format = "NAMED", components = named() }, "0 elements, the text has 1" },
      { "UTILITY", { parameter_format = "NAMED", components = named("one", "two") }, "not a variable" },
      { "UTILITY", { parameter_format = "NAMED", components = named("one", "one") }, "not a variable" },
      { "AUTHENTICATION", { components = { { type = "BODY" }, { type = "HEADER", format = "LOCATION" } } }, "LOCATION" },
      { "AUTHENTICATION", { components = { { type = "BODY" }, FOOTER } }, "exclude each other" },
      { "MARKETING", { components = { body(("x"):rep(601)), OFFER } }, "at most 600" },
      { "MARKETING", { components = { PRODUCT, body(("x"):rep(161)), buttons(SPM) } }, "at most 160" },
      { "MARKETING", { components = cards(card(PRODUCT, body(("x"):rep(161)), buttons(SPM)),
        card(PRODUCT, body "B", buttons(SPM))) }, "at most 160" },
      { "MARKETING", { components = { body "B", buttons(code(("x"):rep(16))) } }, "16 characters" },
      { "MARKETING", { components = { body "B", buttons(code { "a", "b" }) } }, "one code" },
      { "MARKETING", { components = { body "B", buttons(flow {}) } }, "one of flow_id" },
      { "MARKETING", { components = { body "B", buttons(flow { id = "1", name = "f" }) } }, "one of flow_id" },
      { "UTILITY", { components = { body "B", buttons { type = "VOICE_CALL", text = "Call", ttl_minutes = 43201 } } },
        "ttl_minutes" },
      { "UTILITY", { components = { body "B", buttons { type = "URL", text = "Go", url = "https://x.de/{{1}}",
        example = { "https://x.de/1", "https://x.de/2" } } } }, "has 2 elements: expected one" },
      { "AUTHENTICATION", { components = zero_tap(nil) }, "must be true" },
      { "AUTHENTICATION", { components = zero_tap(false) }, "must be true" },
      { "UTILITY", { components = { body "B", OFFER } }, "category MARKETING" },
      { "MARKETING", { components = { body "B", OFFER, { type = "FOOTER", text = "F" } } }, "can't have a footer" },
      { "MARKETING", { components = { body "B", OFFER, { type = "HEADER", format = "TEXT", text = "H" } } }, "an image" },
      { "MARKETING", { components = cards(card(PRODUCT, buttons(SPM)), card(PRODUCT, buttons(LINK))) }, "same structure" },
      { "MARKETING", { components = cards(card(PRODUCT, buttons(SPM)), card(PRODUCT, body "B", buttons(SPM))) },
        "same structure" },
      { "MARKETING", { components = cards(card(body "B", buttons(LINK)), card(body "B", buttons(LINK))) }, "a HEADER" },
      { "MARKETING", { components = cards(card(PRODUCT), card(PRODUCT)) }, "BUTTONS are required" },
      { "MARKETING", { components = cards(card(PRODUCT, buttons(QUICK)), card(PRODUCT, buttons(QUICK))) }, "can't be combined" },
      { "MARKETING", { components = cards(card(IMAGE, buttons(SPM)), card(IMAGE, buttons(SPM))) }, "can't be combined" },
      { "MARKETING", { components = cards(card(IMAGE, buttons(LINK, QUICK, QUICK)), card(IMAGE, buttons(LINK))) },
        "1 to 2 buttons" },
      { "MARKETING", { components = cards(card(PRODUCT, OFFER, buttons(SPM)), card(PRODUCT, OFFER, buttons(SPM))) },
        "type: unknown" },
      { "MARKETING", library {}, "only UTILITY and AUTHENTICATION" },
      { "UTILITY", library { code_expiration_minutes = 91 }, "from 1 to 90" },
      { "UTILITY", library { add_learn_more_link = "yes" }, "boolean" },
      { "UTILITY", with_input { type = "JUMP" }, "must be one of" },
      { "UTILITY", with_input { type = "URL", url = { base_url = "x" } }, "URL" },
      { "UTILITY", with_input { type = "PHONE_NUMBER" }, "phone_number" },
      { "AUTHENTICATION", { components = { { type = "BODY" }, { type = "FOOTER" } } }, "one of text" },
      { "UTILITY", { components = { body "B", { type = "HEADER", text = "H" } } }, "format" },
    }) do
      case[2].category, case[2].name = case[1], "refused_" .. i
      local status, response = create(case[2])
      assert.equal(400, status, i)
      assert.is_truthy(response.error.error_user_msg:find(case[3], 1, true), i .. ": " .. response.error.error_user_msg)
    end
  end)

  it("may name their variables in another order in translations", function()
    assert.equal(200, (create({ name = "reordered", components = { body("Ready {{2}}, dear {{1}}, now", { "a", "b" }),
      { type = "FOOTER", text = "F" } } })))
    cloud:review_template("reordered", "approved")
    local function with(first, second)
      return (send("reordered", { { type = "body", parameters = { { type = "text", text = first },
        { type = "text", text = second } } } }))
    end
    assert.equal(200, with("Ida", "order 118"))
    assert.equal(400, with("Ida", ("x"):rep(1024)))
  end)

  it("refuse a name that is in use, or was deleted less than a month ago", function()
    create({ name = "twice" })
    assert.matches("already", select(2, create({ name = "twice" })).error.error_user_msg)
    assert.equal(200, (create({ name = "twice", language = "de" })))
    assert.same({ success = true }, select(2, ask("DELETE", "/message_templates?name=twice")))
    assert.equal(100, select(2, ask("DELETE", "/message_templates?name=twice")).error.code)
    assert.matches("30 days", select(2, create({ name = "twice" })).error.error_user_msg)
    cloud:advance(30 * 86400)
    assert.equal(200, (create({ name = "twice" })))
  end)

  it("are deleted one by one and in groups", function()
    local ids = {}
    for i = 1, 3 do
      ids[i] = select(2, create({ name = "gone", language = ({ "en", "de", "fr" })[i] })).id
    end
    assert.equal(200, (ask("DELETE", "/message_templates?name=gone&hsm_id=" .. ids[1])))
    assert.equal(400, (ask("DELETE", "/message_templates?name=other&hsm_id=" .. ids[2])))
    assert.equal(200, (ask("DELETE", ("/message_templates?hsm_ids=%%5B%%22%s%%22,%%22%s%%22%%5D"):format(ids[2], ids[3]))))
    assert.equal(100, select(2, ask("GET", "/message_templates/" .. ids[2])).error.code)
    assert.equal(400, (ask("DELETE", "/message_templates")))
  end)

  it("are edited after their review, and approved ones once a day", function()
    local id = select(2, create({ name = "edited" })).id
    local function edit(changes) return ask("POST", "/message_templates/" .. id, changes) end
    local change = { components = { body "Your order arrives." } }
    assert.equal(2388025, select(2, edit(change)).error.error_subcode)
    cloud:review_template("edited", "approved")
    assert.same({ success = true }, select(2, edit(change)))
    assert.equal("PENDING", select(2, ask("GET", "/message_templates/" .. id)).status)
    cloud:review_template("edited", "approved")
    assert.equal("Your order arrives.", select(2, ask("GET", "/message_templates/" .. id)).components[1].text)
    assert.matches("once a day", select(2, edit(change)).error.error_user_msg)
    cloud:advance(86400)
    assert.matches("category", select(2, edit({ category = "MARKETING" })).error.error_user_msg)
    assert.equal(200, (edit(change)))
    assert.matches("BODY", select(2, edit({ components = { { type = "FOOTER", text = "F" } } })).error.error_user_msg)
  end)

  it("stay in the archive for 28 days", function()
    local id = select(2, create({ name = "archived" })).id
    assert.same({ succeeded = {}, failed = { id } },
      select(2, ask("POST", "/message_templates/archive", { hsm_ids = { id } })))
    cloud:review_template("archived", "approved")
    assert.same({ succeeded = { id }, failed = { "1" } },
      select(2, ask("POST", "/message_templates/archive", { hsm_ids = { id, "1" } })))
    assert.equal(132001, select(2, send("archived")).error.code)
    ask("POST", "/message_templates/unarchive", { hsm_ids = { id } })
    assert.equal(200, (send("archived")))
    ask("POST", "/message_templates/archive", { hsm_ids = { id } })
    cloud:advance(28 * 86400 + 1)
    assert.equal(400, (ask("GET", "/message_templates/" .. id)))
    assert.equal(400, (ask("POST", "/message_templates/archive", { hsm_ids = {} })))
  end)

  it("can be made from the library, approved at once", function()
    local found = select(2, ask("GET", "/message_template_library?search=order&language=en_US")).data
    assert.equal("delivery_update_1", found[1].name)
    assert.same({}, select(2, ask("GET", "/message_template_library?topic=NONE")).data)
    local options = { name = "from_library", language = "en_US", category = "UTILITY",
      library_template_name = "delivery_update_1" }
    assert.matches("button_inputs", select(2, ask("POST", "/message_templates", options)).error.error_user_msg)
    options.library_template_button_inputs = { { type = "URL", url = { base_url = "https://x.de/{{1}}",
      url_suffix_example = "https://x.de/1" } } }
    assert.equal("APPROVED", select(2, ask("POST", "/message_templates", options)).status)
    assert.equal(200, (send("from_library", {
      { type = "body", parameters = { { type = "text", text = "118" }, { type = "text", text = "Friday" } } },
      { type = "button", sub_type = "url", index = 0, parameters = { { type = "text", text = "118" } } } }, "en_US")))
    options.name, options.library_template_name = "another", "no_such"
    assert.equal(400, (ask("POST", "/message_templates", options)))
  end)

  it("check named parameters, carousels, offers and codes of the messages", function()
    assert.equal(200, (create({ name = "named", parameter_format = "NAMED", components = { { type = "BODY",
      text = "Hi {{first_name}}, order {{order_no}} leaves.",
      example = { body_text_named_params = { { param_name = "first_name", example = "Ida" },
        { param_name = "order_no", example = "118" } } } } } })))
    local card = { components = { { type = "HEADER", format = "PRODUCT" }, body "Nice", buttons { type = "SPM" } } }
    assert.equal(200, (create({ name = "cards", category = "MARKETING", components = { body "Look",
      { type = "CAROUSEL", cards = { card, card } } } })))
    assert.equal(200, (create({ name = "offer", category = "MARKETING", components = { body "Now",
      { type = "LIMITED_TIME_OFFER", limited_time_offer = { text = "Hurry", has_expiration = true } },
      buttons { type = "COPY_CODE", example = "X1" } } })))
    assert.equal(200, (create({ name = "code", category = "AUTHENTICATION", components = { { type = "BODY",
      add_security_recommendation = true }, buttons { type = "OTP", otp_type = "COPY_CODE", text = "Copy" } } })))
    for _, name in ipairs({ "named", "cards", "offer", "code" }) do
      cloud:review_template(name, "approved")
    end
    local function named(...)
      local parameters = {}
      for i, name in ipairs({ ... }) do
        parameters[i] = { type = "text", text = "x", parameter_name = name ~= "" and name or nil }
      end
      return { { type = "body", parameters = parameters } }
    end
    assert.equal(200, (send("named", named("order_no", "first_name"))))
    assert.equal(132000, select(2, send("named", named("order_no"))).error.code)
    assert.equal(132012, select(2, send("named", named("order_no", "last_name"))).error.code)
    assert.equal(100, select(2, send("named", named("", ""))).error.code)
    local function one_card(index)
      return { card_index = index, components = { { type = "header", parameters = { { type = "product",
        product = { catalog_id = "55", product_retailer_id = "B" } } } } } }
    end
    assert.equal(200, (send("cards", { { type = "carousel", cards = { one_card(0), one_card(1) } } })))
    assert.equal(132012, select(2, send("cards")).error.code)
    assert.equal(132012, select(2, send("cards", { { type = "carousel", cards = { { card_index = 0, components = {
      { type = "header", parameters = { { type = "image", image = { link = "https://x.de/a.jpg" } } } } } } } } }))
      .error.code)
    local coupon = { type = "button", sub_type = "copy_code", index = 0,
      parameters = { { type = "coupon_code", coupon_code = "X1" } } }
    assert.equal(200, (send("offer", { coupon, { type = "limited_time_offer", parameters = { {
      type = "limited_time_offer", limited_time_offer = { expiration_time_ms = 1767225600000 } } } } })))
    assert.equal(131008, select(2, send("offer", { coupon })).error.code)
    local function code(text)
      return { { type = "body", parameters = { { type = "text", text = text } } },
        { type = "button", sub_type = "url", index = "0", parameters = { { type = "text", text = text } } } }
    end
    assert.equal(200, (send("code", code "845210")))
    assert.equal(132005, select(2, send("code", code(("8"):rep(16)))).error.code)
    assert.equal(131062, select(2, support.request(cloud, "POST", "/messages", { messaging_product = "whatsapp",
      recipient = "DE.1", type = "template", template = { name = "code", language = { code = "en" },
      components = code "1" } })).error.code)
  end)
end)
