-- A gateway's error may repeat parts of the request. The library removes the repeated parts from the texts of the error
-- object and from the events of `on_event`.

local scripted = require "spec.support.scripted_transport"
local waba = require "waba"

local KEY, NUMBER = "a-key-that-nobody-may-see", "491511234567"
local NAME, TEXT = "Eva", "Dear Eva, your appointment with Dr. Weiß is on Monday"

describe("an error that repeats the request", function()
  -- Returns a client whose gateway has this response, and a list that gets all strings of the errors in its events.
  local function client_of(hosting, response)
    local seen = {}
    local function note(value)
      if type(value) == "table" then
        for name, member in pairs(value) do
          note(name)
          note(member)
        end
        note(tostring(value))
      elseif type(value) == "string" then
        seen[#seen + 1] = value
      end
    end
    local client = scripted.client({ response }, {
      api_key = KEY, hosting = hosting, retry = false, on_event = function(event) note(event) end,
    })
    return client, seen
  end

  local function assert_hidden(err, seen)
    seen[#seen + 1] = tostring(err)
    seen[#seen + 1] = err.title
    seen[#seen + 1] = err.details
    seen[#seen + 1] = err.href
    seen[#seen + 1] = err.trace_id
    local all = table.concat(seen, "\n")
    for _, personal in ipairs { KEY, NUMBER, TEXT, "Dear", "Weiß", NAME, "appointment" } do
      assert.is_nil(all:find(personal, 1, true), personal .. " in " .. all)
    end
  end

  local GATEWAYS = {
    on_premise = {
      client = '{"errors":[{"code":1009,"title":"Parameter value is not valid","details":"%s"},{"code":1,"title":"%s"}]}',
      gateway = '{"meta":{"success":false,"http_code":400,"developer_message":"%s"}}',
      page = '{"errors":[{"code":1009,"title":"%s","href":"https://docs.example/?of=%s"}]}',
    },
    cloud = {
      graph = '{"error":{"message":"(#131009) Parameter value is not valid","code":131009,"error_data":{"details":"%s"}},"x":"%s"}',
      words = '{"error":{"message":"Invalid","code":100,"error_user_title":"%s","error_user_msg":"%s"}}',
      text = '{"error":"%s"}',
      list = '{"errors":[{"code":131009,"title":"Bad","details":"%s"},{"code":1,"title":"%s"}]}',
      page = '{"errors":[{"code":131009,"title":"%s","href":"https://docs.example/?of=%s"}]}',
      trace = '{"error":{"message":"%s","code":131009,"fbtrace_id":"%s"}}',
    },
  }
  for _, shapes in pairs(GATEWAYS) do
    shapes.html = "<html><body>400: the request was: %s</body></html>"
    shapes.broken = '{"error":"%s'
  end

  local ECHOES = {
    key = "the header D360-API-KEY: " .. KEY .. " is unknown",
    recipient = "+" .. NUMBER .. " is no recipient, nor is " .. NUMBER,
    text = "the text '" .. TEXT .. "' is too long",
    ["the beginning of the text"] = "the text 'Dear Eva, your appointm…' is too long",
    ["the text to the middle of a character"] = "the text 'Dear Eva, your appointment with Dr. Wei\195\164' is too long",
    all = KEY .. " " .. NUMBER .. " " .. TEXT .. " " .. KEY,
  }

  for hosting, shapes in pairs(GATEWAYS) do
    for shape, response in pairs(shapes) do
      for what, echo in pairs(ECHOES) do
        it(("hides %s (%s, %s)"):format(what, hosting, shape), function()
          local body = response:gsub("%%s", function() return echo end)
          local client, seen = client_of(hosting, { status = 400, body = body })
          local sent, err = client:send("+" .. NUMBER, waba.text(TEXT))
          assert.is_nil(sent)
          assert.matches("%(hidden%)", err.message)
          assert.is_number((require("waba.core").utf8_length(err.message)))
          assert_hidden(err, seen)
        end)
      end
    end

    it("hides a template's parameters, and keeps the platform's own text on " .. hosting, function()
      local body = GATEWAYS[hosting].html:gsub("%%s", "template hello: parameter Eva of the body: Evaluate it")
      local client = client_of(hosting, { status = 400, body = body })
      local _, err = client:send(NUMBER, waba.template {
        name = "hello", language = "en", namespace = "ns", body = { NAME, "7" },
      })
      assert.equal("400: the request was: template hello: parameter (hidden) of the body: Evaluate it", err.message)
    end)
  end

  it("hides numbers in requests that are not messages", function()
    local body = '{"errors":[{"code":1008,"title":"Invalid","details":"contact ' .. NUMBER .. ' is unknown"}]}'
    local client, seen = client_of("on_premise", { status = 400, body = body })
    local contacts, err = client.contacts:check { "+49 151 1234567" }
    assert.is_nil(contacts)
    assert_hidden(err, seen)
    client, seen = client_of("on_premise", { status = 404, body = body })
    local identity
    identity, err = client.contacts:identity(NUMBER)
    assert.is_nil(identity)
    assert_hidden(err, seen)
  end)

  it("returns the platform's own tables to the caller", function()
    local body = '{"errors":[{"code":1009,"title":"First"},{"code":1008,"title":"Second"}]}'
    local client = client_of("on_premise", { status = 400, body = body })
    local _, err = client:send(NUMBER, waba.text(TEXT))
    assert.equal("Second", err.errors[2].title)
  end)
end)

describe("an error in another encoding", function()
  local core = require "waba.core"

  local BODIES = {
    on_premise = '%s{"errors":[{"code":1009,"title":"Parameter value is not valid","details":"%s"}]}',
    cloud = '%s{"error":{"message":"(#131009) Parameter value is not valid","code":131009,"error_data":{"details":"%s"}}}',
  }
  local CODES = { on_premise = 1009, cloud = 131009 }
  local MARK, UNKNOWN = "\239\187\191", "\239\191\189"

  for hosting, form in pairs(BODIES) do
    for what, case in pairs {
      ["Latin-1"] = { "", "f\252r Gr\246\223e", "für Größe" },
      ["half an escaped surrogate pair"] = { "", "a \\ud83d", "a " .. UNKNOWN },
      ["half an encoded surrogate pair"] = { "", "a \237\160\189.", nil },
      ["a character cut off"] = { "", "Gr\195", "GrÃ" },
      ["control bytes of Latin-1"] = { "", "a\155b", "a" .. UNKNOWN .. "b" },
      ["a byte order mark"] = { MARK, "für", "für" },
    } do
      it(("keeps its code, and has a message that is UTF-8: %s, %s"):format(what, hosting), function()
        local body = form:gsub("%%s", function() return table.remove(case, 1) end, 1)
        body = body:gsub("%%s", function() return table.remove(case, 1) end)
        local client = scripted.client({ { status = 400, body = body } }, { hosting = hosting, retry = false })
        local _, err = client:send(NUMBER, waba.text "Hello")
        assert.equal(CODES[hosting], err.code)
        assert.equal("invalid", err.kind)
        for _, text in ipairs { err.message, err.details, err.title } do assert.is_number((core.utf8_length(text))) end
        if case[1] then assert.equal(case[1], err.details) end
      end)
    end

    it("hides a text with magic characters of patterns, as often as it is repeated, on " .. hosting, function()
      for _, text in ipairs { "50% (now) [a.b] ^x$ *+-?", "%d of 5", "(abc", "[bcd", "^cde", "def$", "%abc", "a.c" } do
        local body = form:gsub("%%s", "", 1):gsub("%%s", function() return ("'%s' and '%s' are too long"):format(text, text) end)
        local client = scripted.client({ { status = 400, body = body } }, { hosting = hosting, retry = false })
        local _, err = client:send(NUMBER, waba.text(text))
        assert.equal("'(hidden)' and '(hidden)' are too long", err.details)
      end
      local body = form:gsub("%%s", "", 1):gsub("%%s", "abc is too long")
      local client = scripted.client({ { status = 400, body = body } }, { hosting = hosting, retry = false })
      assert.equal("abc is too long", select(2, client:send(NUMBER, waba.text "a.c")).details)
    end)

    it("hides a text that is repeated in Latin-1 on " .. hosting, function()
      local body = form:gsub("%%s", "", 1):gsub("%%s", "'Gr\252\223e aus K\246ln' is too long")
      local client = scripted.client({ { status = 400, body = body } }, { hosting = hosting, retry = false })
      local _, err = client:send(NUMBER, waba.text "Grüße aus Köln")
      assert.equal("'(hidden)' is too long", err.details)
    end)
  end

  it("is read if a message was accepted too", function()
    for hosting in pairs(BODIES) do
      local body = MARK .. '{"contacts":[{"wa_id":"491511234567","input":"f\252r \\ud83d"}],"messages":[{"id":"wamid.1"}]}'
      local client = scripted.client({ { status = 201, body = body } }, { hosting = hosting, retry = false })
      assert.equal("wamid.1", assert(client:send(NUMBER, waba.text "Hello")).id)
    end
  end)

  it("is truncated if it is too long", function()
    local body = BODIES.cloud:gsub("%%s", "", 1):gsub("%%s", ("ü"):rep(100000))
    local client = scripted.client({ { status = 400, body = body } }, { hosting = "cloud", retry = false })
    local _, err = client:send(NUMBER, waba.text "Hello")
    assert.is_true(#err.details <= 4100 and #err.message <= 4100)
    assert.is_number((core.utf8_length(err.message)))
  end)
end)

describe("a page in place of an error", function()
  it("quotes no beginning of a value at the end of the quotation", function()
    for length = 185, 199 do
      local client = scripted.client({ { status = 400, body = ("x"):rep(length - 1) .. " " .. TEXT } },
        { api_key = KEY, retry = false })
      local _, err = client:send(NUMBER, waba.text(TEXT))
      assert.is_nil(err.message:find("D", 1, true), err.message)
    end
  end)
end)

describe("a text of the gateway", function()
  local redaction = require "waba.delivery.redaction"
  local function text_of(body, more)
    local call = { json = { text = { body = body } } }
    for name, value in pairs(more or {}) do call[name] = value end
    return redaction.new(nil, call)
  end

  it("has no value of the request, however often the gateway repeats the value", function()
    local long = "a sentence of several words"
    for index, row in ipairs {
      { "Eva", "Eva", "(hidden)" }, { "Eva", "Eva and Eva.", "(hidden) and (hidden)." }, { "Eva", "'Eva'", "'(hidden)'" },
      { "Eva", "Evan", "Evan" }, { "Eva", "xEva", "xEva" }, { "Eva", "Eva5 Eva", "Eva5 (hidden)" }, { "Ev", "Ev", "Ev" },
      { "Eva", "EvaEva", "EvaEva" }, { "Eva", "Eva-Eva", "(hidden)-(hidden)" }, { "abcdefghijkl", "xabcdefghijklx", "xabcdefghijklx" },
      { long, long, "(hidden)" }, { long, "x" .. long .. "x", "x(hidden)x" }, { long, "a sentence o", "(hidden)" },
      { long, "a sentence ", "a sentence " }, { long, "a sentence of seven", "(hidden)n" }, { long, long .. long, "(hidden)(hidden)" },
      { long, "a sentence of a sentence of several", "(hidden)(hidden)" }, { "abcdefghijkäx", "abcdefghijk\195\165", "(hidden)å" },
      { "+49 (151) 1", "491511 or +49 (151) 1", "(hidden) or (hidden)" },
    } do
      assert.equal(row[3], text_of(row[1])(row[2]), index)
    end
  end)

  it("has no recipient, parameter or personal field, but the words of the platform", function()
    local redact = redaction.new(nil, {
      to = { user_id = "DE.1234" }, parameters = { user = "wamid.77", template = "order" },
      json = { type = "text", text = { type = "text", body = "Eva", preview_url = "preview" }, contacts = { { name = "Ida" } },
        language = "german" },
    })
    assert.equal("(hidden) (hidden) order text (hidden) preview (hidden) german",
      redact "DE.1234 wamid.77 order text Eva preview Ida german")
    assert.equal("(hidden) 12", redaction.new(nil, { to = "4915112345678" }) "4915112345678 12")
    assert.equal("(hidden)", redaction.new(nil, { body = '{"text":{"body":"Eva"}}' }) "Eva")
    assert.equal("Eva", redaction.new(nil, { body = "Eva" }) "Eva")
    assert.equal("(hidden)", redaction.new(nil, { json = { location = { latitude = 52.52 } } }) "52.52")
    assert.equal("Eva", redaction.new(nil, {}) "Eva")
  end)

  it("hides whole characters only", function()
    local redact = redaction.new(nil, { json = { text = { body = "abcdefghijkl\196\129 and more" } } })
    assert.equal("'(hidden)\196\128'", redact "'abcdefghijkl\196\128'")
    assert.equal("'(hidden)'", redact "'abcdefghijkl\196\129'")
    assert.equal("'(hidden)", redact "'abcdefghijkl\196\129 and more")
    assert.equal("'abcdefghijk'", redact "'abcdefghijk'")
  end)

  it("is valid UTF-8 of at most 4096 bytes", function()
    local redact = text_of "none of this"
    assert.equal("ä Weiß", redact "\228 Wei\223")
    assert.equal("a\239\191\189b\194\160", redact "a\128b\160")
    assert.equal("\195\128\195\191\194\191", redact "\192\255\191")
    assert.equal(("x"):rep(4096), redact(("x"):rep(4096)))
    assert.equal(("x"):rep(4096) .. "…", redact(("x"):rep(4097)))
    assert.equal(("x"):rep(4095) .. "…", redact(("x"):rep(4095) .. "ä"))
  end)
end)
