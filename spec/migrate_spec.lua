-- waba.migrate makes the request bodies of both hostings from stored On-Premise messages.

local random = require "spec.support.random"
local core = require "waba.core"
local folder = require "spec.support.folder"
local messages = require "spec.support.messages"
local waba = require "waba"

local migrate = waba.migrate

local function render(exported)
  if type(exported) == "string" then exported = assert(core.decode(exported)) end
  return assert(migrate.message(exported))
end

-- Returns the texts of a report. The keys are the paths of the reported fields.
local function by_path(list)
  local found = {}
  for _, item in ipairs(list) do found[item.path] = item.what or item.why end
  return found
end

describe("waba.migrate.message", function()
  it("renders a builder's message for both hostings", function()
    local made = render(waba.text { body = "https://shop.example", preview_url = true })
    assert.same({
      type = "text", recipient_type = "individual", preview_url = true, text = { body = "https://shop.example" },
    }, made.on_premise)
    assert.same({
      messaging_product = "whatsapp", recipient_type = "individual", type = "text",
      text = { body = "https://shop.example", preview_url = true },
    }, made.cloud)
    assert.same({}, made.lacking)
    local changes = by_path(made.changes)
    assert.matches("text.preview_url", changes.preview_url)
    assert.matches("whatsapp", changes.messaging_product)
    assert.equal(2, #made.changes)
  end)

  it("renders a stored body with its recipient", function()
    local made = render '{"to":"49 151 1234567","text":{"body":"Hi"},"preview_url":null}'
    assert.equal("491511234567", made.on_premise.to)
    assert.equal("+491511234567", made.cloud.to)
    assert.equal("text", made.cloud.type)
    local changes = by_path(made.changes)
    assert.matches("+", changes.to, 1, true)
    assert.is_string(changes.type)
    assert.same({}, made.lacking)
  end)

  it("does not change a body of Cloud hosting", function()
    local body = {
      messaging_product = "whatsapp", recipient_type = "individual", to = "+491511234567", type = "text",
      text = { body = "Hi" }, context = { message_id = "wamid.HBgL" }, biz_opaque_callback_data = "4711",
      recipient_identity_key_hash = "Jd7f/3xQq1A=",
    }
    local made = render(body)
    assert.same(body, made.cloud)
    assert.same({}, made.changes)
    assert.same({}, made.lacking)
    local group = render { messaging_product = "whatsapp", recipient_type = "group", to = "Y2FwaV9ncm91cDox",
      type = "text", text = { body = "Hi" } }
    assert.equal("group", group.cloud.recipient_type)
    assert.equal("Y2FwaV9ncm91cDox", group.cloud.to)
    assert.is_nil(group.on_premise)
    assert.matches("Cloud hosting only", group.on_premise_error.message)
    local user = render { messaging_product = "whatsapp", recipient = "DE.88231", type = "text", text = { body = "Hi" } }
    assert.equal("DE.88231", user.cloud.recipient)
  end)

  it("removes fields that templates no longer have", function()
    local made = render [[{"to":"491511234567","type":"template","template":{"namespace":"n_1","name":"order_ready",
      "language":{"policy":"deterministic","code":"de"}}}]]
    assert.same({ name = "order_ready", language = { code = "de" } }, made.cloud.template)
    local changes = by_path(made.changes)
    assert.is_string(changes["template.namespace"])
    assert.is_string(changes["template.language.policy"])
    assert.equal("n_1", made.on_premise.template.namespace)
    assert.equal("deterministic", made.on_premise.template.language.policy)
  end)

  it("turns hsm messages into templates, with every kind of parameter", function()
    local made = render [[{"to":"491511234567","type":"hsm","hsm":{"namespace":"n_1","element_name":"order_ready",
      "language":{"policy":"deterministic","code":"de"},"localizable_params":[
        {"default":"Eva"},
        {"default":"49,90 EUR","currency":{"currency_code":"EUR","amount_1000":49900}},
        {"default":"Monday","date_time":{"component":{"day_of_week":1}}},
        {"default":"soon","date_time":{"unix_epoch":{"timestamp":1712044800}}}]}}]]
    assert.is_table(made.on_premise.hsm)
    assert.equal("template", made.cloud.type)
    assert.same({ name = "order_ready", language = { code = "de" }, components = { { type = "body", parameters = {
      { type = "text", text = "Eva" },
      { type = "currency", currency = { fallback_value = "49,90 EUR", code = "EUR", amount_1000 = 49900 } },
      { type = "date_time", date_time = { fallback_value = "Monday", day_of_week = 1 } },
      { type = "date_time", date_time = { fallback_value = "soon", timestamp = 1712044800 } },
    } } } }, made.cloud.template)
    local changes = by_path(made.changes)
    assert.matches("element_name", changes.hsm)
    assert.is_nil(changes.template)
    assert.same({}, made.lacking)
  end)

  it("converts older forms", function()
    local made = render [[{"to":"491511234567","type":"template","template":{"name":"a","language":{"code":"de"},
      "components":[{"type":"body","parameters":{"type":"currency","currency":
        {"currency_code":"EUR","amount_1000":5,"fallback_value":"x"}}},
        {"type":"button","sub_type":"url","index":0,"parameters":[{"type":"text","text":"t"}]}]}}]]
    assert.equal("EUR", made.cloud.template.components[1].parameters[1].currency.code)
    assert.equal("becomes a list", by_path(made.changes)["template.components[1].parameters"])
    made = render [[{"to":"491511234567","type":"template","template":{"name":"a","language":{"code":"de"},
      "components":[{"type":"body","parameters":[{"type":"currency","currency":
        {"currency_code":"EUR","amount_1000":5,"fallback_value":"x"}}, {"type":"date_time","date_time":
        {"fallback_value":"y","component":{"year":2024}}}]}]}}]]
    assert.equal(2024, made.cloud.template.components[1].parameters[2].date_time.year)
    local changes = by_path(made.changes)
    assert.is_string(changes["template.components[1].parameters[1].currency.currency_code"])
    assert.is_string(changes["template.components[1].parameters[2].date_time"])
    made = render '{"to":"491511234567","type":"contacts","contacts":{"name":{"formatted_name":"E","first_name":"E"}}}'
    assert.equal("E", made.cloud.contacts[1].name.first_name)
  end)

  describe("reports parts without a counterpart", function()
    -- Columns: part of an On-Premise body, path of the reported field, a word of the report, whether the rest can be
    -- sent.
    for name, case in pairs {
      ["a provider"] = { '"type":"image","image":{"link":"https://a.example/a.jpg","provider":{"name":"p"}}',
        "image.provider", "public", true },
      ["a file's id"] = { '"type":"image","image":{"id":"5b0e1c1e-1f0a"}', "image.id", "upload the file again", false },
      ["a file's id in a header"] = { [["type":"interactive","interactive":{"type":"button","header":{"type":"video",
        "video":{"id":"5b0e-1f0a"}},"body":{"text":"b"},"action":{"buttons":[{"type":"reply","reply":{"id":"1",
        "title":"t"}}]}}]], "interactive.header.video.id", "upload the file again", false },
      ["a caption in a header"] = { [["type":"interactive","interactive":{"type":"button","header":{"type":"image",
        "image":{"link":"https://a.example/a.jpg","caption":"c"}},"body":{"text":"b"},"action":{"buttons":[{"type":
        "reply","reply":{"id":"1","title":"t"}}]}}]], "interactive.header.image.caption", "body", true },
      ["messengers in a card"] = { [=["type":"contacts","contacts":[{"name":{"formatted_name":"E",
        "first_name":"E"},"ims":[{"service":"IRC","user_id":"e"}]}]]=], "contacts[1].ims", "On%-Premise", true },
      ttl = { '"type":"text","text":{"body":"x"},"ttl":{"a":1}', "ttl", "message_send_ttl_seconds", true },
      ["an hsm's ttl"] = { [["type":"hsm","hsm":{"ttl":5,"namespace":"n","element_name":"a","language":{"code":"de"},
        "localizable_params":[]}]], "hsm.ttl", "no such field", true },
      ["a field nobody knows"] = { '"type":"text","text":{"body":"x"},"colour":1', "colour", "is not a known field", true },
      ["an old id in a quote"] = { '"type":"text","text":{"body":"x"},"context":{"message_id":"gBEGkYiEB1VX"}',
        "context", "after the move", true },
      ["an old id in a reaction"] = { '"type":"reaction","reaction":{"message_id":"ABGHSRURIzRW","emoji":"\240\159\145\141"}',
        "reaction.message_id", "after the move", false },
      ["a group"] = { '"recipient_type":"group","type":"text","text":{"body":"x"}', "recipient_type", "groups", false },
      ["a text that is too long"] = { '"type":"text","text":{"body":"' .. ("x"):rep(4097) .. '"}', "text.body", "4096",
        false },
      ["attached data that is too long"] = { '"type":"text","text":{"body":"x"},"biz_opaque_callback_data":"'
        .. ("x"):rep(513) .. '"', "biz_opaque_callback_data", "512", false },
      ["an id with blanks, which Cloud hosting refuses"] = { [["type":"interactive","interactive":{"type":"button",
        "body":{"text":"b"},"action":{"buttons":[{"type":"reply","reply":{"id":" 1","title":"t"}}]}}]],
        "interactive.action.buttons[1].reply.id", "space", false },
      ["a type nobody knows"] = { '"type":"txt","txt":{}', "type", "did you mean text", false },
      ["the lack of a type"] = { '"recipient_type":"individual"', "type", "missing", false },
    } do
      it(name, function()
        local made = render('{"to":"491511234567",' .. case[1] .. "}")
        local lacking = by_path(made.lacking)
        assert.is_string(lacking[case[2]], core.encode(made.lacking))
        assert.matches(case[3], lacking[case[2]])
        assert.equal(1, #made.lacking)
        assert.equal(case[4], made.cloud ~= nil)
        assert.is_nil(by_path(made.changes)[case[2]])
      end)
    end

    it("an invalid recipient", function()
      local made = render '{"to":"0151 1234567","type":"text","text":{"body":"x"}}'
      assert.matches("international", by_path(made.lacking).to)
      assert.is_nil(made.cloud)
    end)

    it("every media id of a message, and the first other error", function()
      local made = render [[{"to":"491511234567","type":"template","template":{"name":"A B","language":{"code":"de"},
        "components":[{"type":"header","parameters":[{"type":"image","image":{"id":"a-b","caption":"c",
        "provider":{"name":"p"}}}]}]}}]]
      local lacking = by_path(made.lacking)
      assert.is_string(lacking["template.name"] or lacking["template.components[1].parameters[1].image.id"])
      made = render [[{"to":"491511234567","type":"template","template":{"name":"a","language":{"code":"de"},
        "components":[{"type":"header","parameters":[{"type":"image","image":{"id":"a-b","caption":"c",
        "provider":{"name":"p"}}}]}]}}]]
      assert.equal(3, #made.lacking)
    end)
  end)

  it("does not change its argument", function()
    for _, example in ipairs(messages.examples()) do
      local before = messages.copy(example.message)
      local made = render(example.message)
      assert.same(before, example.message)
      assert.are_not.equal(example.message[example.message.type], made.cloud and made.cloud[made.cloud.type])
    end
  end)

  it("refuses a value that is not a message", function()
    for _, wrong in ipairs { "text", 5, true } do
      local made, err = migrate.message(wrong)
      assert.is_nil(made)
      assert.equal("invalid", err.kind)
    end
    local made, err = migrate.message(nil)
    assert.is_nil(made)
    assert.equal("message", err.path)
    local endless = { type = "text" }
    endless.text = endless
    made, err = migrate.message(endless)
    assert.is_nil(made)
    assert.matches("levels", err.message)
  end)
end)

describe("every message", function()
  local emulator, clients

  setup(function()
    emulator = assert(waba.emulator.start { statuses = false })
    clients = {
      on_premise = waba.client(emulator:options { pace = false, retry = false }),
      cloud = waba.client(emulator:options { hosting = "cloud", pace = false, retry = false }),
    }
  end)

  teardown(function()
    clients.on_premise:close()
    clients.cloud:close()
    emulator:stop()
  end)

  -- Asserts that the gateway accepts the form of a body. The body's file or template may be unknown to the gateway.
  local function assert_taken(hosting, body, path, what)
    local response, err = clients[hosting]:request { method = "POST", path = path, body = body }
    local well_formed = response or err.kind == "template" or err.code == 2024
      or (err.code == 1006 or err.code == 100) and (err.details or ""):find("is not the id of an uploaded file", 1, true)
    assert(well_formed, what .. ": " .. tostring(err) .. tostring(err and err.details))
  end

  it("that is valid on On-Premise hosting is valid on Cloud hosting, or has a reported reason", function()
    local rng, rendered = messages.rng(77), 0
    for round = 1, 5 do
      for _, kind in ipairs(messages.kinds) do
        local message = messages.random(rng, kind)
        message.to = ("49151%07d"):format(rng(0, 9999999))
        -- With an unknown name the emulator does not compare the parameters with a template.
        if message.hsm then message.hsm.element_name = "not_there" end
        local what = ("round %d, %s"):format(round, kind)
        local made = render(message)
        assert(made.on_premise, what .. ": " .. tostring(made.on_premise_error))
        if made.cloud then
          rendered = rendered + 1
          assert_taken("cloud", made.cloud, "/messages", what)
        else
          assert.is_true(#made.lacking > 0, what)
        end
        assert_taken("on_premise", made.on_premise, "/v1/messages", what)
        -- rendering a rendered message again does not change it
        local again = render(made.on_premise)
        assert.same(made.cloud, again.cloud, what)
        if made.cloud then assert.same({}, render(made.cloud).changes, what) end
      end
    end
    assert.is_true(rendered > 40)
  end)

  it("that is invalid raises no error", function()
    local rng = messages.rng(4711)
    local junk = { 5, "x", true, {}, { 1 }, { type = "text" }, core.null, -1.5, "\255" }
    for _ = 1, 300 do
      local message = messages.mutate(rng, messages.random(rng, nil, random.pick(rng, { "on_premise", "cloud" })))
      message[random.pick(rng, { "to", "context", "preview_url", "ttl", "recipient_type", "type", "messaging_product",
        "recipient", "biz_opaque_callback_data", "recipient_identity_key_hash", "template", "hsm", "text" })] =
        random.pick(rng, junk)
      local made = render(message)
      if made.cloud then
        assert.is_string(core.encode(made.cloud))
      else
        assert.is_true(#made.lacking > 0)
      end
    end
  end)

  it("that a program sent is found in its log", function()
    local place = folder.new()
    local client = clients.on_premise
    local since = #emulator:received()
    assert(client:send("+49 151 1234567", waba.text { body = "https://shop.example", preview_url = true }))
    assert(client.contacts:check { "+49 151 1234567" })
    assert(client:mark_read(emulator:customer("491511234567"):text "Hi"))
    assert(client.media:upload { data = "0000", type = "image/jpeg" })
    assert(client:health())
    local lines = {}
    for i, request in ipairs(emulator:received()) do
      if i > since then
        lines[#lines + 1] = assert(core.encode { method = request.method, path = request.path, json = request.json })
      end
    end
    local read = {}
    local summary = assert(migrate.scan(place:write("log.jsonl", table.concat(lines, "\n")), function(one)
      read[#read + 1] = one
    end))
    place:remove()
    assert.equal(5, summary.lines)
    assert.equal(1, summary.messages)
    assert.equal(4, summary.requests)
    assert.equal(1, summary.lacking)
    assert.equal("/messages", read[1].cloud.path)
    assert.equal(true, read[1].cloud.body.text.preview_url)
    assert.is_nil(read[2].cloud)
    assert.equal("read", read[3].cloud.body.status)
    assert.equal("/media", read[4].cloud.path)
    assert.equal("/health_status", read[5].cloud.path)
  end)
end)
