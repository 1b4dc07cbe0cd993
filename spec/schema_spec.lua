local core = require "waba.core"
local gateways = {
  on_premise = require "waba.hosting.on_premise",
  cloud = require "waba.hosting.cloud",
}
local filler = require "spec.support.filler"
local messages = require "spec.support.messages"
local rules = require "spec.support.rules"
local schema = require "waba.schema"
local schema_assertions = require "spec.support.schema_assertions"
local waba = require "waba.message"

local refusal, passes = schema_assertions.on "on_premise"
local text, ascii, many = filler.text, filler.ascii, filler.list

-- Returns whether a message has the field at a path. The last field of the path may be missing.
local function leads_somewhere(message, path)
  local at, last = message, nil
  for step in path:gmatch("[^.%[%]]+") do
    if last ~= nil then at = type(at) == "table" and at[last] end
    if type(at) ~= "table" then return false end
    last = tonumber(step) or step
  end
  return last ~= nil
end

describe("the check of a message", function()
  describe("accepts one example of every type", function()
    for hosting in pairs(gateways) do
      for _, example in ipairs(messages.examples(hosting)) do
        it(hosting .. ", " .. example.name, function() passes(example.message, true, hosting) end)
      end
    end
  end)

  describe("checks every rule at its limit and beyond it:", function()
    -- All cases share one test, because thousands of tests would take more time than the checks.
    local function holds(case, hosting)
      assert(#case.good + #case.bad > 0, case.name)
      for _, message in ipairs(case.good) do
        local ok, err = schema.check(message, hosting, true)
        assert(ok, ("%s: %s"):format(case.name, tostring(err)))
      end
      local relaxed = 0
      for _, beyond in ipairs(case.bad) do
        local ok, err = schema.check(beyond.message, hosting, true)
        assert(not ok, case.name .. ": passes beyond its limit at " .. beyond.path)
        assert.are.equal(beyond.path, err.path, case.name)
        if schema.check(beyond.message, hosting, "documented") then relaxed = relaxed + 1 end
      end
      -- The mode "documented" ignores the rules that the platform does not document, and no others.
      assert.are.equal(case.inferred, relaxed > 0, case.name)
    end

    for _, hosting in ipairs { "on_premise", "cloud" } do
      local subjects, by_subject = {}, {}
      for _, case in ipairs(rules.cases(hosting)) do
        local subject = case.name:match("^[%w_]+%b()") or case.name:match("^[%w_]+") or "any message"
        if not by_subject[subject] then
          by_subject[subject] = {}
          subjects[#subjects + 1] = subject
        end
        table.insert(by_subject[subject], case)
      end
      assert.is_true(#subjects >= 13)
      for _, subject in ipairs(subjects) do
        it(hosting .. ", " .. subject, function()
          for _, case in ipairs(by_subject[subject]) do holds(case, hosting) end
        end)
      end
    end
  end)

  for _, hosting in ipairs { "on_premise", "cloud" } do
    it("accepts random well-formed messages of every type, and refuses each of them with one mistake: " .. hosting,
      function()
        local rng = messages.rng(20240402)
        local to = hosting == "cloud" and "+491511234567" or "491511234567"
        for round = 1, 40 do
          for _, kind in ipairs(messages.kinds_of(hosting)) do
            local message = messages.random(rng, kind, hosting)
            local before = core.encode(message)
            local ok, err = schema.check(message, hosting, true)
            assert.is_true(ok, ("round %d, %s: %s"):format(round, kind, tostring(err)))
            assert.is_string(before)
            if message.type ~= "pin" then -- a pin can be sent to groups only
              assert.is_string(core.encode(gateways[hosting].encode_message(to, message, {})))
            end
            local wrong, mistake = messages.mutate(rng, message)
            ok, err = schema.check(wrong, hosting, true)
            assert.is_nil(ok, ("round %d, %s: %s"):format(round, kind, mistake))
            assert.is_true(leads_somewhere(wrong, err.path), ("%s: %s"):format(err.path, mistake))
            assert.are.equal(before, core.encode(message))
          end
        end
      end)
  end

  it("names the field, its value and the allowed values", function()
    local err = refusal(waba.buttons {
      body = "Confirm?", buttons = { { id = "yes", title = "Yes" }, { id = "no", title = "No, on another day then" } },
    })
    assert.are.equal("interactive.action.buttons[2].reply.title", err.path)
    assert.are.equal(
      "interactive.action.buttons[2].reply.title has 23 characters; at most 20 are allowed", err.message)
  end)

  it("has an error text for every rule", function()
    local card = { name = { formatted_name = "Eva Kern" } }
    local row, other = { id = "1", title = "One" }, { id = "2", title = "Two" }
    local sentences = {
      ["text.body is missing"] = waba.text {},
      ["text.body must be a string, not a number"] = waba.text(5),
      ["text.body must be a string, not null"] = waba.text(core.null),
      ["text.body is empty; at least 1 character is needed"] = waba.text "",
      ["text.body is not valid UTF-8 at byte 4"] = waba.text "caf\233!",
      ["text.preview_url needs a link that starts with http:// or https:// in the body"] =
        waba.text { body = "see shop.example", preview_url = true },
      ["image needs id or link"] = waba.image { caption = "x" },
      ["image has id and link; exactly one of them is allowed"] = waba.image { id = "1", link = "https://a.example/1" },
      ["image.link must be a URL that starts with http:// or https://"] = waba.image { link = "file:///etc/x" },
      ["image.link has a blank at byte 25; inside a URL a blank is written %20"] =
        waba.image { link = "https://cdn.example/blue jpg" },
      ["image.link has a blank at byte 1; inside a URL a blank is written %20"] =
        waba.image { link = " https://cdn.example/1" },
      ["image.link has a line break at byte 22; inside a URL a blank is written %20"] =
        waba.image { link = "https://cdn.example/1\n" },
      ["contacts[1].phones[1].wa_id must be 7 to 15 digits: a WhatsApp id as in webhooks, or a phone number with its "
        .. "country code"] =
        waba.contacts { { name = { formatted_name = "Eva", first_name = "Eva" }, phones = { { wa_id = "Eva" } } } },
      ["image.captoin is not a known field; did you mean caption?"] = waba.image { id = "1", captoin = "x" },
      ['image must be an object, not a string: expected { link = "https://…" }, or { id = … } with the id of '
        .. "client.media:upload { file = … }"] = waba.image "https://a.example/1",
      ['image must be an object, not a list: expected { link = "https://…" }, or { id = … } with the id of '
        .. "client.media:upload { file = … }"] = waba.message("image", { "https://a.example/1" }),
      ["document.file is not part of a message: upload the file with client.media:upload { file = … } and set id to "
        .. "that of the result, or set link to the URL of a public file"] = waba.document { file = "118.pdf" },
      ["video.url is not a known field; did you mean link?"] = waba.video { url = "https://a.example/1" },
      ["text.text is not a known field; did you mean body?"] = waba.text { text = "Hi" },
      ["template.lang is not a known field; did you mean language?"] = waba.template { name = "x", lang = "de" },
      ["template.params is not a known field; did you mean body?"] =
        waba.template { name = "x", language = "de", params = { "Eva" } },
      ["template.components[1].paylod is not a known field; did you mean payload?"] =
        waba.template { name = "x", language = "de", buttons = { { paylod = "C" } } },
      ["template.components[1].sub_type is missing"] = waba.template { name = "x", language = "de", buttons = { {} } },
      ["location.lat is not a known field; did you mean latitude?"] = waba.location { lat = 1, longitude = 2 },
      ["location.lng is not a known field; did you mean longitude?"] = waba.location { latitude = 1, lng = 2 },
      ["image.provider is allowed together with link only"] = waba.image { id = "1", provider = { name = "x" } },
      ["audio.caption is not allowed: this type of media has no caption"] = waba.audio { id = "1", caption = "x" },
      ["audio.voice exists on Cloud hosting only"] = waba.audio { id = "1", voice = true },
      ["location.latitude is 91; allowed is -90 to 90"] = waba.location { latitude = 91, longitude = 0 },
      ["location.longitude must be a finite number"] = waba.location { latitude = 0, longitude = 1 / 0 },
      ["contacts is empty; at least 1 element is needed"] = waba.contacts {},
      ["contacts[1].name needs at least one of first_name, last_name, middle_name, prefix, suffix"] =
        waba.contacts { card },
      ["contacts must be a list, not an object"] = waba.message("contacts", { first = card }),
      ["contacts must be a list; it also has keys that are not positions"] = waba.message("contacts", { card, [1.5] = card }),
      ["template.components[1].parameters[2].text is missing"] =
        waba.template { name = "x", language = "de", body = { "Eva", nil, "Berlin" } },
      ["template.components[1].parameters[1].text must not have line breaks, tabs or five spaces in a row"] =
        waba.template { name = "x", language = "de", body = { "Eva\nKern" } },
      ["template.components[1].parameters[1].currency.amount_1000 is 49.9; it must be an integer"] = waba.template {
        name = "x", language = "de",
        body = { waba.currency { code = "EUR", amount_1000 = 49.9, fallback_value = "49,90" } },
      },
      ["template.components[1].parameters[1].parameter_name exists on Cloud hosting only: "
        .. "the position identifies a parameter"] =
        waba.template { name = "x", language = "de", body = { first_name = "Eva" } },
      ["template.body belongs to the short form of waba.template: pass either this field or components"] =
        waba.template { name = "x", language = "de", body = { "Eva" }, components = { { type = "body" } } },
      ["template.boddy is not a known field; did you mean body?"] =
        waba.template { name = "x", language = "de", boddy = { "Eva" } },
      ["template.components[2] has 1025 characters in its texts; at most 1024 are allowed beside other components"] =
        waba.template { name = "x", language = "de", body = { ("\195\164"):rep(1025) }, header = "x" },
      ["template.components[2].index is missing"] = waba.template {
        name = "x", language = "de",
        components = { { type = "body" }, { type = "button", sub_type = "quick_reply" } },
      },
      ["a template's footer takes no parameters"] =
        waba.template { name = "x", language = "de", components = { { type = "footer" } } },
      ["interactive.action.sections has 11 rows in all; at most 10 are allowed"] = waba.list {
        body = "x", button = "Slots", sections = {
          { title = "a", rows = {
            row, { id = "2", title = "x" }, { id = "3", title = "x" }, { id = "4", title = "x" },
            { id = "5", title = "x" }, { id = "6", title = "x" },
          } },
          { title = "b", rows = {
            { id = "7", title = "x" }, { id = "8", title = "x" }, { id = "9", title = "x" },
            { id = "10", title = "x" }, { id = "11", title = "x" },
          } },
        },
      },
      ["interactive.action.sections[1].title is missing; it is required if the list has several elements"] =
        waba.list { body = "x", button = "Slots", sections = { { rows = { row } }, { rows = { other } } } },
      ["interactive.action.sections[1].rows[2].id repeats an earlier value; it must be unique"] =
        waba.list { body = "x", button = "Slots", sections = { { rows = { row, row } } } },
      ["interactive.action.button must have neither markup nor emoji"] =
        waba.list { body = "x", button = "Slots \240\159\145\141", sections = { { rows = { row } } } },
      ["interactive.buton is not a known field; did you mean action.button?"] =
        waba.list { body = "x", buton = "Slots", sections = { { rows = { row } } } },
      ['interactive.header.type is "image"; allowed is "text"'] =
        waba.list { body = "x", button = "Slots", header = waba.image { id = "1" }, sections = { { rows = { row } } } },
      ["interactive.header is not allowed: this type of message has no header"] =
        waba.product { catalog_id = "1", product_retailer_id = "1", header = "x" },
      ["interactive.action.buttons has 4 elements; at most 3 are allowed"] = waba.buttons {
        body = "x", buttons = {
          { id = "1", title = "1" }, { id = "2", title = "2" }, { id = "3", title = "3" }, { id = "4", title = "4" },
        },
      },
      ["interactive.action.buttons[2] is missing; a list must have no gaps"] =
        waba.buttons { body = "x", buttons = { { id = "1", title = "1" }, [3] = { id = "2", title = "2" } } },
      ["reaction messages exist on Cloud hosting only"] = waba.reaction { message_id = "wamid.1", emoji = "" },
      ["interactive messages of type cta_url exist on Cloud hosting only"] =
        waba.message("interactive", { type = "cta_url", body = { text = "x" } }),
      ['type is "txt", which is no message type; did you mean text?'] = waba.message("txt", { body = "x" }),
      ["type is missing"] = {},
      ["text is missing"] = { type = "text" },
      ["context exists on Cloud hosting only"] =
        { type = "text", text = { body = "x" }, context = { message_id = "1" } },
      ["preview_url is a field of the text: text.preview_url"] =
        { type = "text", text = { body = "x" }, preview_url = true },
      ["the message must be a table from a builder, not a string"] = "Hello",
    }
    for sentence, message in pairs(sentences) do
      assert.are.equal(sentence, refusal(message).message)
    end
  end)

  it("has the limits of the platform's reference", function()
    local one_row = { { rows = { { id = "1", title = "1" } } } }
    local one_button = { { id = "1", title = "1" } }
    local function template(content)
      content.name, content.language = content.name or "x", content.language or "de"
      return waba.template(content)
    end
    local function row_of(content) return { { rows = { content } } } end
    local function list(content)
      content.body, content.button, content.sections = content.body or "x", content.button or "x",
        content.sections or one_row
      return waba.list(content)
    end
    local function buttons(content)
      content.body, content.buttons = content.body or "x", content.buttons or one_button
      return waba.buttons(content)
    end
    local function product_list(content)
      content.catalog_id, content.header, content.body = "1", content.header or "x", content.body or "x"
      return waba.product_list(content)
    end
    local limits = {
      { 4096, function(n) return waba.text(text(n)) end },
      { 1024, function(n) return waba.image { id = "1", caption = text(n) } end },
      { 1024, function(n) return waba.video { id = "1", caption = text(n) } end },
      { 1024, function(n) return waba.document { id = "1", caption = text(n) } end },
      { 512, function(n) return template { name = ascii(n) } end },
      { 60, function(n) return template { header = text(n) } end },
      { 32768, function(n) return template { body = { text(n) } } end },
      { 1024, function(n) return template { header = "x", body = { text(n) } } end },
      { 128, function(n) return template { buttons = { { payload = text(n) } } } end },
      { 9, function(n) return template { buttons = { { url = "x", index = n } } } end },
      { 60, function(n) return buttons { header = text(n) } end },
      { 1024, function(n) return buttons { body = text(n) } end },
      { 60, function(n) return buttons { footer = text(n) } end },
      { 256, function(n) return buttons { buttons = { { id = text(n), title = "x" } } } end },
      { 20, function(n) return buttons { buttons = { { id = "x", title = text(n) } } } end },
      { 3, function(n) return buttons { buttons = many(n, function(i) return { id = i, title = "x" .. i } end) } end },
      { 60, function(n) return list { header = text(n) } end },
      { 1024, function(n) return list { body = text(n) } end },
      { 60, function(n) return list { footer = text(n) } end },
      { 20, function(n) return list { button = text(n) } end },
      { 24, function(n) return list { sections = { { title = text(n), rows = one_row[1].rows } } } end },
      { 200, function(n) return list { sections = row_of { id = text(n), title = "x" } } end },
      { 24, function(n) return list { sections = row_of { id = "x", title = text(n) } } end },
      { 72, function(n) return list { sections = row_of { id = "x", title = "x", description = text(n) } } end },
      { 10, function(n)
        return list { sections = many(n, function(i) return { title = "x", rows = { { id = i, title = "x" } } } end) }
      end },
      { 10, function(n)
        return list { sections = { { rows = many(n, function(i) return { id = i, title = "x" } end) } } }
      end },
      { 100, function(n) return waba.product { catalog_id = "1", product_retailer_id = text(n) } end },
      { 1024, function(n) return waba.product { catalog_id = "1", product_retailer_id = "1", body = text(n) } end },
      { 60, function(n) return waba.product { catalog_id = "1", product_retailer_id = "1", footer = text(n) } end },
      { 60, function(n) return product_list { header = text(n), sections = { { products = { 1 } } } } end },
      { 24, function(n) return product_list { sections = { { title = text(n), products = { 1 } } } } end },
      { 100, function(n) return product_list { sections = { { products = { text(n) } } } } end },
      { 10, function(n)
        return product_list { sections = many(n, function(i) return { title = "x", products = { i } } end) }
      end },
      { 30, function(n) return product_list { sections = { { products = many(n, function(i) return i end) } } } end },
    }
    for i, limit in ipairs(limits) do
      local ok, err = schema.check(limit[2](limit[1]), "on_premise", true)
      assert.is_true(ok, ("limit %d: %s"):format(i, tostring(err)))
      assert.is_nil(schema.check(limit[2](limit[1] + 1), "on_premise", true), ("limit %d"):format(i))
    end
  end)

  it("reports the same error first, in any order of the table's fields", function()
    for _ = 1, 20 do
      local content = {}
      for _, name in ipairs { "longitude", "latitude", "address", "name" } do content[name] = {} end
      assert.are.equal("location.address", refusal(waba.location(content)).path)
    end
  end)

  it("names an unknown field before a missing one", function()
    assert.are.equal("text.bdy", refusal(waba.text { bdy = "Hello" }).path)
  end)

  it("does not quote long content", function()
    local secret = ("customer data "):rep(500)
    for _, message in ipairs {
      waba.text(secret), waba.image { link = secret }, waba.message(secret, {}),
      waba.contacts { {
        name = { formatted_name = "x", first_name = "x" }, phones = { { phone = "1", type = secret } },
      } },
      waba.template { name = secret, language = "de" }, waba.image { id = "1", [secret] = true },
      waba.template { name = "x", language = "de", namespace = "\0\255", [secret] = "x" },
    } do
      local err = refusal(message)
      assert.is_true(#err.message < 200)
      assert.is_nil(err.message:find("customer data", 1, true))
    end
  end)

  it("counts characters, not bytes", function()
    passes(waba.text(("\240\159\145\141"):rep(4096)))
    assert.are.equal("text.body has 4097 characters; at most 4096 are allowed",
      refusal(waba.text(("\240\159\145\141"):rep(4097))).message)
  end)

  it("accepts the latitude 0", function()
    passes(waba.location { latitude = 0, longitude = 0 })
  end)

  it("accepts in the mode documented what only an inferred rule refuses", function()
    local far = waba.location { latitude = 91, longitude = 0 }
    refusal(far)
    passes(far, "documented")
    local flow = waba.message("interactive", { type = "flow", body = { text = "x" }, action = { name = "flow" } })
    assert.are.equal("interactive.type", refusal(flow).path)
    passes(flow, "documented")
    refusal(waba.text(""), "documented")
  end)

  it("raises no error for any value", function()
    local strange = { 0, 0 / 0, true, false, "", "\255", {}, { {} }, { type = {} }, print, core.null }
    for _, value in ipairs(strange) do
      refusal(value)
      for _, kind in ipairs { "text", "image", "contacts", "template", "interactive", "hsm", "location" } do
        refusal({ type = kind, [kind] = value })
        refusal({ type = kind, [kind] = { value } })
        refusal({ type = kind, [kind] = { type = value, [1.5] = value, components = value, action = value } })
      end
    end
    local ring = {}
    ring.text = ring
    refusal({ type = "text", text = ring })
  end)

  it("raises an error for a hosting or a mode that does not exist", function()
    assert.has_error(function() schema.check(waba.text "x", "moon", true) end)
    assert.has_error(function() schema.check(waba.text "x", "on_premise", "strict") end)
  end)

  it("allocates nothing for a valid message", function()
    local examples = { waba.text "Hello", messages.examples()[11].message }
    for _, message in ipairs(examples) do
      passes(message)
      local function run()
        for _ = 1, 2000 do schema.check(message, "on_premise", true) end
      end
      run() -- LuaJIT compiles the code before the measurement
      run()
      collectgarbage()
      collectgarbage "stop"
      local before = collectgarbage "count"
      run()
      local grown = collectgarbage "count" - before
      collectgarbage "restart"
      assert.is_true(grown < 20, ("%.1f KB for 2000 checks"):format(grown)) -- a table for each check would need 100 KB
    end
  end)

  it("checks bodies that are not messages by rules of the same kind", function()
    local rule = { is = "object", fields = { name = { is = "string", required = true, characters = { 1, 5 } } } }
    assert.is_true(schema.validate(true, rule, { name = "order" }))
    assert.is_true(schema.validate(false, rule, { name = "orders" }))
    local ok, err = schema.validate(true, rule, { name = "orders" })
    assert.is_nil(ok)
    assert.are.equal("name", err.path)
  end)
end)
