-- Templates of the emulated On-Premise gateway: the list, creation, deletion, review, and the check of messages made
-- from templates.

local support = require "spec.support.emulator"

local function text(value) return { type = "text", text = value } end

local KNOWN = {
  { name = "plain", language = "de", category = "MARKETING", components = { { type = "BODY", text = "Hallo" } } },
  { name = "full", language = "de", components = {
    { type = "HEADER", format = "TEXT", text = "Bestellung {{1}}" },
    { type = "BODY", text = "Hallo {{1}}, {{2}} ist fertig." },
    { type = "FOOTER", text = "Kern" },
    { type = "BUTTONS", buttons = { { type = "QUICK_REPLY", text = "Ja" },
      { type = "URL", text = "Mehr", url = "https://k.example/{{1}}" },
      { type = "PHONE_NUMBER", text = "Anruf", phone_number = "+4930" } } } } },
  { name = "invoice", language = "de", components = { { type = "HEADER", format = "DOCUMENT" }, { type = "BODY", text = "Da" } } },
  { name = "code", language = "de", category = "AUTHENTICATION", components = {
    { type = "BODY", add_security_recommendation = true },
    { type = "BUTTONS", buttons = { { type = "OTP", otp_type = "COPY_CODE", text = "Kopieren" } } } } },
  { name = "asleep", language = "de", status = "paused", components = { { type = "BODY", text = "x" } } },
  { name = "off", language = "de", status = "disabled", components = { { type = "BODY", text = "x" } } },
  { name = "bad", language = "de", status = "rejected", components = { { type = "BODY", text = "x" } } },
}

local LINK = { link = "https://cdn.example/118.pdf" }

local function header(parameter) return { type = "header", parameters = { parameter } } end
local function body(...) return { type = "body", parameters = { ... } } end
local function url(value, index) return { type = "button", sub_type = "url", index = index or "1", parameters = { text(value) } } end
local function quick(index)
  return { type = "button", sub_type = "quick_reply", index = index or "0", parameters = { { type = "payload", payload = "p" } } }
end

describe("templates", function()
  local emulator

  lazy_setup(function() emulator = assert(support.start({ statuses = false, templates = KNOWN, namespace = "ns_1" })) end)
  lazy_teardown(function() emulator:stop() end)

  local function send(name, components, changes)
    local content = { name = name, language = { policy = "deterministic", code = "de" }, components = components }
    for key, value in pairs(changes or {}) do content[key] = value end
    local status, response = support.send(emulator, "template", content)
    return response.errors and response.errors[1].code or status, response.errors and response.errors[1].details
  end

  -- Columns: name of the case, status or code, name of the template, components of the message, changes of its content.
  local cases = {
    { "pass as they are", 201, "plain" },
    { "pass with their namespace", 201, "plain", nil, { namespace = "ns_1" } },
    { "fail with another namespace", 1009, "plain", nil, { namespace = "ns_2" } },
    { "fail if the name is unknown", 2001, "nowhere" },
    { "fail in another language", 2001, "plain", nil, { language = { policy = "deterministic", code = "de_DE" } } },
    { "fail with parameters they do not have", 2000, "plain", { body(text "x") } },
    { "pass with all they need", 201, "full", { header(text "118"), body(text "Eva", text "sie"), quick(), url "118" } },
    { "pass without payloads", 201, "full", { header(text "118"), body(text "Eva", text "sie"), url("118", 1) } },
    { "fail without their header's variable", 2000, "full", { body(text "Eva", text "sie"), url "118" } },
    { "fail with one parameter missing", 2000, "full", { header(text "118"), body(text "Eva"), url "118" } },
    { "fail with one parameter too many", 2000, "full", { header(text "118"), body(text "a", text "b", text "c"), url "118" } },
    { "fail without their link's variable", 2009, "full", { header(text "118"), body(text "Eva", text "sie") } },
    { "fail with a header that grows too long", 2005, "full",
      { header(text(("x"):rep(50))), body(text "Eva", text "sie"), url "118" } },
    { "fail with a body that grows too long", 2005, "full",
      { header(text "x"), body(text(("x"):rep(600)), text(("x"):rep(600))), url "118" } },
    { "fail with a link that breaks", 2010, "full", { header(text "x"), body(text "a", text "b"), url "1 2" } },
    { "fail with a button of another kind", 2012, "full", { header(text "x"), body(text "a", text "b"), quick "1" } },
    { "fail with a button they do not have", 2013, "full", { header(text "x"), body(text "a", text "b"), url "1", quick "3" } },
    { "pass with their document", 201, "invoice", { header { type = "document", document = LINK } } },
    { "fail without their document", 2009, "invoice", { body() } },
    { "fail with a picture in the document's place", 2012, "invoice", { header { type = "image", image = LINK } } },
    { "fail with a document that is no PDF", 2008, "invoice",
      { header { type = "document", document = { link = "https://cdn.example/x.docx" } } } },
    { "pass with their code", 201, "code", { body(text "123"), url("123", "0") } },
    { "fail without the code's button", 2009, "code", { body(text "123") } },
    { "fail while they are paused", 2061, "asleep" },
    { "fail when they are disabled", 2062, "off" },
    { "fail when they were rejected", 2060, "bad" },
  }

  for _, case in ipairs(cases) do
    it(case[1], function()
      local code, details = send(case[3], case[4], case[5])
      assert.equal(case[2], code, details)
    end)
  end

  it("accept documents by id that are PDF only", function()
    local function upload(mime_type)
      return select(2, support.request(emulator, "POST", "/v1/media", "x", { headers = { ["content-type"] = mime_type } })).media[1].id
    end
    assert.equal(201, (send("invoice", { header { type = "document", document = { id = upload "application/pdf" } } })))
    assert.equal(2008, (send("invoice", { header { type = "document", document = { id = upload "text/plain" } } })))
  end)

  it("can have a long text if they consist of a body only", function()
    local long = assert(support.start({ statuses = false, templates = {
      { name = "essay", language = "de", components = { { type = "BODY", text = "{{1}}" } } } } }))
    local function attempt(length)
      local _, response = support.send(long, "template", { name = "essay", language = { policy = "deterministic", code = "de" },
        components = { body(text(("x"):rep(length))) } })
      return response.errors and response.errors[1].code
    end
    assert.is_nil(attempt(32768))
    assert.equal(2004, attempt(32769))
    long:stop()
  end)

  it("are checked in hsm messages too", function()
    local function hsm(name, count)
      local parameters = {}
      for i = 1, count do parameters[i] = { default = "x" } end
      local _, response = support.send(emulator, "hsm", { namespace = "ns_1", element_name = name,
        language = { policy = "deterministic", code = "de" }, localizable_params = parameters })
      return response.errors and response.errors[1].code or 201
    end
    assert.equal(201, hsm("full", 2))
    assert.equal(2000, hsm("full", 1))
    assert.equal(2001, hsm("nowhere", 1))
  end)

  it("require their namespace on old clients", function()
    local old = assert(support.start({ statuses = false, client_version = "2.39.1" }))
    local content = { name = "hello_world", language = { policy = "deterministic", code = "en_US" } }
    local _, response = support.send(old, "template", content)
    assert.equal(2014, response.errors[1].code)
    content.namespace = "9c1f0b52_4d7e_4a11_8f3d_2b6a7c5d1e90"
    assert.equal(201, (support.send(old, "template", content)))
    old:stop()
  end)

  it("are accepted with any name if the option templates is missing; known templates are checked", function()
    local open = assert(support.start({ statuses = false }))
    local function code(name, components)
      local _, response = support.send(open, "template", { name = name, components = components,
        language = { policy = "deterministic", code = "de" } })
      return response.errors and response.errors[1].code or 201
    end
    assert.equal(201, code("whatever_it_is", { body(text "x") }))
    assert.equal(2000, code("order_ready", { body(text "x"), url "1" }))
    open:stop()
  end)

  describe("are listed", function()
    local function list(query)
      local status, response = support.request(emulator, "GET", "/v1/configs/templates" .. (query or ""))
      assert.equal(200, status)
      return response
    end

    it("with their namespace and status", function()
      local response = list()
      assert.equal(#KNOWN, response.total)
      assert.equal(#KNOWN, response.count)
      assert.equal(1000, response.limit)
      assert.equal(0, response.offset)
      assert.same({ "id" }, response.sort)
      local first = response.waba_templates[1]
      assert.equal("plain", first.name)
      assert.equal("approved", first.status)
      assert.equal("ns_1", first.namespace)
      assert.equal("NONE", first.rejected_reason)
      assert.equal("BODY", first.components[1].type)
    end)

    it("by pages", function()
      local names = {}
      for offset = 0, #KNOWN - 1, 3 do
        local page = list(("?limit=3&offset=%d"):format(offset))
        assert.equal(#KNOWN, page.total)
        assert.equal(math.min(3, #KNOWN - offset), page.count)
        for _, template in ipairs(page.waba_templates) do names[#names + 1] = template.name end
      end
      assert.equal(#KNOWN, #names)
      assert.equal("plain", names[1])
      assert.same({}, list("?offset=100").waba_templates)
    end)

    it("sorted and filtered", function()
      assert.equal("asleep", list("?sort=name").waba_templates[1].name)
      assert.equal("plain", list("?sort=-name").waba_templates[1].name)
      assert.same({ "status", "-name" }, list("?sort=status,-name").sort)
      local response = list("?filters=%7B%22business_templates.name%22%3A%22full%22%7D")
      assert.equal(1, response.total)
      assert.equal("full", response.waba_templates[1].name)
      assert.same({ ["business_templates.name"] = "full" }, response.filters)
    end)

    it("with valid parameters only", function()
      for _, query in ipairs({ "?limit=0", "?limit=x", "?offset=-1", "?filters=x" }) do
        local status, response = support.request(emulator, "GET", "/v1/configs/templates" .. query)
        assert.equal(400, status, query)
        assert.is_table(response.meta.details)
      end
    end)
  end)

  describe("are created", function()
    local function create(template, other)
      return support.request(other or emulator, "POST", "/v1/configs/templates", template)
    end

    local function good(name)
      return { name = name, language = "de", category = "UTILITY", components = {
        { type = "HEADER", format = "TEXT", text = "Hallo {{1}}", example = { header_text = { "Eva" } } },
        { type = "BODY", text = "Ihre {{1}} ist {{2}}.", example = { body_text = { { "Brille", "fertig" } } } },
        { type = "FOOTER", text = "Kern" },
        { type = "BUTTONS", buttons = { { type = "QUICK_REPLY", text = ("x"):rep(25) },
          { type = "URL", text = "Mehr", url = "https://k.example/{{1}}", example = { "https://k.example/1" } } } } } }
    end

    it("submitted, and have the result of the review afterwards", function()
      local status, response = create(good("fresh"))
      assert.equal(200, status)
      assert.equal("submitted", response.status)
      assert.equal("ns_1", response.namespace)
      assert.equal("fresh", response.name)
      assert.same(good("fresh").components, response.components)
      local components = { header(text "x"), body(text "a", text "b"), url "1" }
      assert.equal(2001, (send("fresh", components)))
      assert.equal(1, emulator:review_template("fresh", "approved"))
      assert.equal(201, (send("fresh", components)))
      emulator:review_template("fresh", "rejected", { reason = "TAG_CONTENT_MISMATCH" })
      local listed = select(2, support.request(emulator, "GET",
        "/v1/configs/templates?filters=%7B%22name%22%3A%22fresh%22%7D")).waba_templates[1]
      assert.equal("rejected", listed.status)
      assert.equal("TAG_CONTENT_MISMATCH", listed.rejected_reason)
      local count, err = emulator:review_template("nobody_knows", "approved")
      assert.is_nil(count)
      assert.matches("no template nobody_knows", err.message)
    end)

    it("approved after some time, with an option", function()
      local other = assert(support.start({ review = 3600 }))
      create(good("slow"), other)
      other:advance(3590)
      local function status() return other:templates()[#other:templates()].status end
      assert.equal("submitted", status())
      other:advance(20)
      assert.equal("approved", status())
      other:stop()
    end)

    it("once in each language", function()
      assert.equal(200, (create(good("once"))))
      local status, response = create(good("once"))
      assert.equal(400, status)
      assert.matches("already", response.meta.details[1])
      local english = good("once")
      english.language = "en_US"
      assert.equal(200, (create(english)))
    end)

    local function with(change)
      local template = good("changed")
      change(template, template.components)
      return template
    end

    local wrong = {
      { "name: this field is required", with(function(t) t.name = nil end) },
      { "name: must be a name, in which only lower%-case", with(function(t) t.name = "Changed" end) },
      { "name: has 513 characters", with(function(t) t.name = ("x"):rep(513) end) },
      { "language: this field is required", with(function(t) t.language = nil end) },
      { "language: must be", with(function(t) t.language = "German" end) },
      { "category: is 'FUN', must be one of: AUTHENTICATION", with(function(t) t.category = "FUN" end) },
      { "components: a BODY", with(function(_, c) table.remove(c, 2) end) },
      { "components%[0%].text: has 61", with(function(_, c) c[1].text = ("ü"):rep(61) end) },
      { "components%[0%].text: has 2 variables", with(function(_, c) c[1].text = "{{1}} {{2}}" end) },
      { "components%[0%].format: is 'AUDIO', must be one of", with(function(_, c) c[1].format = "AUDIO" end) },
      { "components%[0%].text: is allowed only with", with(function(_, c) c[1].format = "IMAGE" end) },
      { "components%[1%].text: this field is required", with(function(_, c) c[2].text = nil end) },
      { "components%[1%].text: has 1025", with(function(_, c) c[2].text = ("x"):rep(1025) end) },
      { "components%[1%].text: variables must be numbered", with(function(_, c) c[2].text = "{{2}}" end) },
      { "components%[2%].text: must not have variables", with(function(_, c) c[3].text = "{{1}}" end) },
      { "components%[2%].code_expiration_minutes", with(function(_, c) c[3].code_expiration_minutes = 91 end) },
      { "components%[3%].buttons%[0%].text: has 26", with(function(_, c) c[4].buttons[1].text = ("x"):rep(26) end) },
      { "components%[3%].buttons%[1%].url: may have one variable", with(function(_, c) c[4].buttons[2].url = "https://{{1}}.example" end) },
      { "components%[3%].buttons%[1%].url: must be", with(function(_, c) c[4].buttons[2].url = "k.example" end) },
      { "components%[3%].buttons%[1%].type", with(function(_, c) c[4].buttons[2].type = "FLOW" end) },
      { "components%[4%].type: is a second BODY", with(function(_, c) c[5] = c[2] end) },
      { "components%[0%].type: is 'header', must be one of", with(function(_, c) c[1].type = "header" end) },
      { "colour: unknown field", with(function(t) t.colour = "red" end) },
    }

    for _, case in ipairs(wrong) do
      it("not when: " .. case[1], function()
        local status, response = create(case[2])
        assert.equal(400, status)
        assert.is_false(response.meta.success)
        local found = table.concat(response.meta.details, "\n")
        assert.matches(case[1], found)
      end)
    end

    it("not with several mistakes, all of which are reported", function()
      local _, response = create({ name = "X" })
      assert.is_truthy(#response.meta.details >= 4)
    end)
  end)

  it("are deleted in all languages, and their name is blocked for 30 days", function()
    local other = assert(support.start())
    local function create(language)
      return (support.request(other, "POST", "/v1/configs/templates", { name = "mine", language = language,
        category = "UTILITY", components = { { type = "BODY", text = "x" } } }))
    end
    create("de")
    create("en")
    local status, response = support.request(other, "DELETE", "/v1/configs/templates/mine")
    assert.equal(200, status)
    assert.is_true(response.meta.success)
    assert.equal(404, (support.request(other, "DELETE", "/v1/configs/templates/mine")))
    assert.equal(0, #select(2, support.request(other, "GET", "/v1/configs/templates?filters=%7B%22name%22%3A%22mine%22%7D")).waba_templates)
    assert.equal(400, create("de"))
    other:advance(30 * 86400 + 1)
    assert.equal(200, create("de"))
    other:stop()
  end)
end)
