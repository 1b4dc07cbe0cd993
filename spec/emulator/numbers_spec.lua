-- Several business numbers in one emulator. On both hostings each number has its own key, webhook URL, customers,
-- templates and media.

local emulators = require "waba.emulator"
local support = require "spec.support.emulator"
local waba = require "waba"

local CUSTOMER = "4915112345678"
local TEMPLATE = { name = "only_here", language = "de", components = { { type = "BODY", text = "Hallo" } } }

describe("an emulator with several numbers", function()
  local emulator, second, third

  lazy_setup(function()
    emulator = assert(support.start { statuses = false, numbers = {
      { number = "4930555019", api_key = "first-key" }, { number = "4930555020", api_key = "second-key" },
    } })
    second = emulator.numbers["4930555020"]
    third = assert(emulator:add_number { number = "4930555021", templates = { TEMPLATE },
      cloud = { phone_number_id = "777", api_key = "third-cloud-key" } })
  end)
  lazy_teardown(function() emulator:stop() end)
  before_each(function()
    for _, number in pairs(emulator.numbers) do
      number:forget()
      number.cloud:forget()
    end
  end)

  local function client_of(number, hosting)
    local client = waba.client(number:options { hosting = hosting, pace = false, retry = false })
    finally(function() client:close() end)
    return client
  end

  it("uses the first of the option numbers as its own", function()
    assert.equal("4930555019", emulator.number)
    assert.equal("first-key", emulator.api_key)
    assert.equal("4930555019", emulator.cloud.number)
    assert.equal("first-key", emulator.cloud.api_key)
    assert.equal(emulator, emulator.numbers["4930555019"])
    assert.equal("second-key", second.cloud.api_key)
    assert.equal(emulator.url, second.url)
    assert.equal("777", third.cloud.phone_number_id)
    assert.are_not.equal(second.cloud.phone_number_id, emulator.cloud.phone_number_id)
    assert.equal("third-cloud-key", third.cloud.api_key)
    assert.matches("^[%w_-]+$", third.api_key)
  end)

  for _, hosting in ipairs { "on_premise", "cloud" } do
    local function of(number) return hosting == "cloud" and number.cloud or number end

    it("finds the number of a request by its key: " .. hosting, function()
      for _, number in ipairs { emulator, second, third } do
        local client = client_of(number, hosting)
        assert.equal(number.number, (client:phone_number():gsub("%D", "")))
        assert(client:send(CUSTOMER, waba.text("from " .. number.number)))
      end
      for _, number in ipairs { emulator, second, third } do
        local messages = of(number):messages { direction = "outbound" }
        assert.equal(1, #messages)
        assert.equal("from " .. number.number, messages[1].content.body)
      end
      assert.equal(401, (support.request({ url = of(emulator).url, api_key = "unknown" }, "GET", "/v1/health")))
    end)

    it("posts each number's webhooks to the webhook URL of the number: " .. hosting, function()
      support.run(function()
        local receivers = {}
        for i, number in ipairs { emulator, second } do
          receivers[i] = support.receiver()
          support.register(of(number), receivers[i])
        end
        of(second):customer(CUSTOMER):text "to the second"
        of(emulator):customer(CUSTOMER):text "to the first"
        support.eventually(function() return #receivers[1].requests == 1 and #receivers[2].requests == 1 end)
        assert.matches("to the first", receivers[1].requests[1].body)
        assert.matches("to the second", receivers[2].requests[1].body)
        if hosting == "cloud" then
          assert.equal(second.cloud.phone_number_id,
            support.changes(receivers[2], "messages")[1].metadata.phone_number_id)
        end
        for _, number in ipairs { emulator, second } do support.register(of(number), { url = "http://127.0.0.1:1/" }) end
      end)
    end)

    it("keeps customers and templates apart: " .. hosting, function()
      of(second):contact("491700000001", { name = "Eva" })
      assert.equal("Eva", of(second):contact("491700000001").name)
      assert.is_nil(of(emulator):contact("491700000001").name)
      assert.equal("only_here", of(third):templates()[1].name)
      for _, template in ipairs(of(emulator):templates()) do assert.are_not.equal("only_here", template.name) end
    end)

    it("keeps media apart: " .. hosting, function()
      local id = assert(client_of(emulator, hosting).media:upload { data = "x", type = "text/plain" }).id
      assert.is_table(client_of(emulator, hosting).media:download(id))
      local found, err = client_of(second, hosting).media:download(id)
      assert.is_nil(found)
      assert.equal("not_found", err.kind)
    end)
  end

  it("refuses an existing number, and a key of another number", function()
    local added, err = emulator:add_number { number = "4930555020" }
    assert.is_nil(added)
    assert.matches("the emulator already has the number 4930555020", err.message)
    added, err = emulator:add_number { number = "4930555022", api_key = "second-key" }
    assert.is_nil(added)
    assert.matches("the API key of the number 4930555022 is also that of the number 4930555020", err.message)
    assert.is_nil(emulator.numbers["4930555022"])
    local other
    other, err = emulators.start { numbers = { { number = "491", api_key = "k" }, { number = "492", api_key = "k" } } }
    assert.is_nil(other)
    assert.matches("the API key of the number 492 is also that of the number 491", err.message)
  end)

  it("refuses the phone_number_id of another number", function()
    local added, err = emulator:add_number { number = "4930555022", cloud = { phone_number_id = "777" } }
    assert.is_nil(added)
    assert.matches("the phone_number_id of the number 4930555022 is also that of the number 4930555021", err.message)
  end)

  it("prefers the options of its first number to the common options", function()
    local other = assert(support.start { number = "491", api_key = "common", window = true,
      cloud = { number = "492", phone_number_id = "8", api_key = "common-cloud" },
      numbers = { { number = "493", api_key = "first", window = false, cloud = { phone_number_id = "9" } } } })
    finally(function() other:stop() end)
    assert.same({ "493", "first" }, { other.number, other.api_key })
    assert.same({ "493", "first", "9" }, { other.cloud.number, other.cloud.api_key, other.cloud.phone_number_id })
    local client = client_of(other, "cloud")
    local _, err = client:send(CUSTOMER, waba.text "outside of the window")
    assert.is_nil(err)
  end)

  it("refuses options that a number can't have", function()
    for message, options in pairs {
      ["numbers%[1%]: option number must be the digits"] = { numbers = { { number = "+49 30" } } },
      ["option numbers must be a list of numbers"] = { numbers = { ["4930555019"] = { api_key = "k" } } },
      ["numbers%[2%]: unknown option port"] = { numbers = { { number = "1" }, { number = "2", port = 5 } } },
    } do
      assert.error_matches(function() emulators.start(options) end, message)
    end
    assert.error_matches(function() emulator:add_number {} end, "emulator:add_number: option number is required: the digits")
    assert.error_matches(function() emulator:add_number { number = "1", seed = 3 } end, "unknown option seed")
  end)
end)
