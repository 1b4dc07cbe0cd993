-- Templates by definition: messages made of values, and every error of them at once.

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

local ROOMS = {
  name = "rooms", language = "de", category = "MARKETING", status = "APPROVED",
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

-- A client whose gateway has these templates, and counts how often it is asked.
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
  it("makes a message of the definition, which it fetches once", function()
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
      "body: order_no is missing", "header must be of type document, not image", "buttons%[1%] %(URL%) is missing a value",
      'no button "Trak" %(did you mean Track%?%)',
    } do
      assert.matches(expected, err.message)
    end
    assert.equal(6, #err.errors)
    for _, one in ipairs(err.errors) do assert.is_string(one.path) end
  end)

  it("counts values by position", function()
    local client = client_of("cloud", { ROOMS })
    local function fill(values) return select(2, client.templates:fill("rooms", "de", values)).message end
    assert.matches("body: value 1 of 1 is missing", fill {})
    assert.matches("body has 2 values too many: the template takes 1", fill { "Eva", "x", "y" })
    assert.matches("cards must have 2 elements, not 0", fill { "Eva" })
    assert.matches("cards%[2%]%.header is missing", fill { "Eva", cards = {
      { "80", header = { link = "https://d.example/a.png" } }, { "90" } } })
  end)

  it("fills the cards of a carousel", function()
    local client = client_of("cloud", { ROOMS })
    local picture = { link = "https://d.example/a.png" }
    local message = assert(client.templates:fill("rooms", "de", { "Eva", cards = {
      { "80", header = picture, buttons = { "a" } }, { "90", header = picture, buttons = { Ja = "b" } } } }))
    local cards = component(message, "carousel").cards
    assert.equal("90", cards[2].components[2].parameters[1].text)
    assert.equal("b", cards[2].components[3].parameters[1].payload)
  end)

  it("sends the code of an authentication template in body and button", function()
    local client = client_of("cloud", { LOGIN })
    for _, values in ipairs { { "845210" }, { code = "845210" } } do
      local message = assert(client.templates:fill("login", "en", values))
      assert.equal("845210", component(message, "body").parameters[1].text)
      assert.equal("845210", component(message, "button", "0").parameters[1].text)
    end
    assert.matches("body: value 1 of 1 is missing", select(2, client.templates:fill("login", "en")).message)
  end)

  it("takes the limits from the definition's texts", function()
    local client = client_of("cloud", { ORDER })
    local _, err = client.templates:fill("order_ready", "en", {
      first_name = ("\195\164"):rep(480), order_no = ("x"):rep(100), header = { link = "https://d.example/n.pdf" },
      buttons = { Track = "1" },
    })
    assert.matches("body has %d+ characters with its values: at most 1024", err.message)
  end)

  it("names the languages and templates that there are", function()
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
    local client, asked = client_of("cloud", { ROOMS })
    assert(client.templates:definition("rooms", "de"))
    client.templates:forget "rooms"
    assert(client.templates:definition("rooms", "de"))
    client.templates:forget()
    assert(client.templates:definition("rooms", "de"))
    assert.equal(3, asked.count)
    asked.status, asked.body = 400, '{"error":{"message":"(#132000) count","code":132000,"type":"OAuthException"}}'
    local sent = client:send("+491511234567", waba.template { name = "rooms", language = "de", body = { "Eva" } })
    assert.is_nil(sent)
    assert(client.templates:definition("rooms", "de"))
    assert.equal(5, asked.count)
  end)

  it("keeps definitions in a folder", function()
    local folder = process.folder()
    local client, asked = client_of("cloud", { ROOMS })
    client.templates:keep(folder.path)
    assert(client.templates:definition("rooms", "de"))
    assert.equal(1, asked.count)
    local offline, count = client_of("cloud", {})
    offline.templates:keep(folder.path)
    assert.same(ROOMS.components[1].text, assert(offline.templates:definition("rooms", "de")).components[1].text)
    assert.equal(0, count.count)
    folder:write("broken.en.json", "[1,2")
    local _, err = offline.templates:definition("broken", "en")
    assert.matches("broken.en.json is not the definition of a template", err.message)
    folder:remove()
  end)

  it("raises an error for wrong arguments", function()
    local client = client_of("cloud", {})
    assert.error_matches(function() client.templates:fill(5, "en", {}) end, "the name must be a string")
    assert.error_matches(function() client.templates:fill("x", nil, {}) end, "the language must be a string")
    assert.error_matches(function() client.templates:fill("x", "en", "Eva") end, "the values must be a table, not a string")
  end)
end)

describe("a message that is filled", function()
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
