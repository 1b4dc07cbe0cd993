-- Lua numbers in texts, and in fields for which the platform requires a string of digits. Every version of Lua writes
-- the same digits; numbers from 2^53 are refused.

local core = require "waba.core"
local scripted = require "spec.support.scripted_transport"
local waba = require "waba"

local LONG, LONG_TEXT, TOO_LONG = 1234567890123456, "1234567890123456", 2 ^ 53

-- Rows: the hosting, a builder that gets the number, and the path of the number in the message.
local PLACES = {
  { "cloud", function(v) return waba.product { catalog_id = v, product_retailer_id = "a", body = "x" } end,
    "interactive.action.catalog_id" },
  { "cloud", function(v) return waba.product { catalog_id = "a", product_retailer_id = v, body = "x" } end,
    "interactive.action.product_retailer_id" },
  { "cloud", function(v)
    return waba.product_list { catalog_id = v, header = "h", body = "x", sections = { { title = "t", products = { "a" } } } }
  end, "interactive.action.catalog_id" },
  { "cloud", function(v)
    return waba.product_list { catalog_id = "a", header = "h", body = "x", sections = { { title = "t", products = { v } } } }
  end, "interactive.action.sections[1].product_items[1].product_retailer_id" },
  { "cloud", function(v) return waba.template { name = "n", language = "en", body = { v } } end,
    "template.components[1].parameters[1].text" },
  { "cloud", function(v) return waba.image { id = v } end, "image.id" },
  { "on_premise", function(v) return waba.template { name = "n", namespace = "x", language = "en", body = { v } } end,
    "template.components[1].parameters[1].text" },
  { "on_premise", function(v) return waba.document { id = v } end, "document.id" },
}

local function at(message, path)
  for step in path:gmatch "[^.%[%]]+" do message = message[tonumber(step) or step] end
  return message
end

describe("a number instead of a string of digits", function()
  for _, place in ipairs(PLACES) do
    local hosting, build, path = place[1], place[2], place[3]

    it("has all its digits: " .. path .. " on " .. hosting, function()
      for number, text in pairs { [LONG] = LONG_TEXT, [2 ^ 53 - 1] = "9007199254740991", [5] = "5", [1e15] = "1000000000000000" } do
        local message = build(number)
        assert.equal(text, at(message, path))
        assert.is_true(waba.check(message, hosting))
      end
    end)

    it("is refused if digits may be lost: " .. path .. " on " .. hosting, function()
      for _, number in ipairs { TOO_LONG, 2 ^ 60, 1e300, 1 / 0 } do
        local valid, err = waba.check(build(number), hosting)
        assert.is_nil(valid)
        assert.equal(path, err.path)
        assert.matches("a number too large to be exact .* it must be a string of digits", err.message)
      end
    end)
  end

  it("has no exponent and no decimal point as a template's parameter", function()
    for number, text in pairs {
      [1.5] = "1.5", [0.1 + 0.2] = "0.3", [1e-7] = "0.0000001", [123456789012345.5] = "123456789012345.5", [-3] = "-3",
      [100000000000000.5] = "100000000000000.5", [12.25] = "12.25", [1e14] = "100000000000000",
    } do
      assert.equal(text, waba.template({ name = "n", language = "en", body = { number } }).template.components[1].parameters[1].text)
    end
  end)

  it("has all its digits in a query, or is refused", function()
    local client, transport = scripted.client { { body = "{}" } }
    assert(client:request { path = "/v1/x", query = { id = LONG, limit = 5.0, name = "a b" } })
    assert.equal("https://waba.360dialog.io/v1/x?id=1234567890123456&limit=5&name=a%20b", transport.requests[1].url)
    local response, err = client:request { path = "/v1/x", query = { id = TOO_LONG } }
    assert.is_nil(response)
    assert.equal("query.id", err.path)
  end)

  it("has all its digits if the gateway's response contains it", function()
    local client = scripted.cloud_client { { status = 200, body = '{"id":1234567890123456}' },
      { status = 200, body = '{"messages":[{"id":1234567890123456}],"contacts":[{"wa_id":491511234567890}]}' } }
    assert.equal(LONG_TEXT, assert(client.media:upload { data = "\137PNG\r\n\26\n", type = "image/png" }).id)
    assert.equal(LONG_TEXT, assert(client:send("491511234567", waba.text "Hello")).id)
  end)
end)

describe("ids in events", function()
  local function event_of(field, value)
    local body = core.encode { object = "whatsapp_business_account",
      entry = { { id = LONG, time = 1, changes = { { field = field, value = value } } } } }
    return assert(waba.events(body))[1]
  end

  -- Returns every id in an event, except the ids in its field `raw`.
  local function ids_of(value, found)
    for name, member in pairs(value) do
      if name ~= "raw" and type(member) == "table" then
        ids_of(member, found)
      elseif name == "id" or type(name) == "string" and name:find "_id$" then
        found[#found + 1] = member
      end
    end
    return found
  end

  for what, event in pairs {
    ["a template's news"] = function()
      return event_of("message_template_status_update", { event = "APPROVED", message_template_id = LONG,
        other_info = { list = { { id = LONG, ids = {} } }, name = "n" } })
    end,
    ["a message from an advertisement"] = function()
      return event_of("messages", { metadata = { phone_number_id = LONG }, messages = { { id = LONG, from = 491511234567,
        type = "text", text = { body = "x" }, context = { id = LONG, referred_product = { catalog_id = LONG } },
        referral = { source_id = LONG, source_url = "https://x", image = { id = LONG } } } } })
    end,
    ["a payment's status"] = function()
      return event_of("messages", { statuses = { { id = LONG, type = "payment", status = "captured", recipient_id = 491511234567,
        payment = { reference_id = LONG, transaction = { id = LONG, pg_transaction_id = LONG } }, conversation = { id = LONG } } } })
    end,
    ["an order"] = function()
      return event_of("messages", { messages = { { id = LONG, from = "1", type = "order", order = { catalog_id = LONG,
        product_items = { { product_retailer_id = LONG, quantity = 1, item_price = 5 } } } } } })
    end,
  } do
    it("are strings: " .. what, function()
      local ids = ids_of(event(), {})
      assert.is_true(#ids >= 2)
      for _, id in ipairs(ids) do
        assert.is_string(id)
        assert.matches("^%d+$", id)
      end
    end)
  end

  it("are the only numbers that become strings, and the platform's own table is not changed", function()
    local event = event_of("message_template_status_update", { message_template_id = 5, count = 5, list = { 1, { id = 7 } } })
    assert.same({ message_template_id = "5", count = 5, list = { 1, { id = "7" } } }, event.value)
    assert.same({ message_template_id = 5, count = 5, list = { 1, { id = 7 } } }, event.raw)
  end)
end)
