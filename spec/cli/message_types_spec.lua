-- Every message type of the command line makes a message that the hosting accepts.

local cli = require "waba.cli"
local message_types = require "waba.cli.message_types"
local send = require "waba.cli.commands.send"
local waba = require "waba"

local TO = "491511234567"

-- Returns the message that `waba send` would send.
local function build(words)
  local arguments = { "send" }
  for _, word in ipairs(words) do arguments[#arguments + 1] = word end
  local fine, args = cli.parser():pparse(arguments)
  assert(fine, args)
  local ctx = { wrong = function(_, message) error({ message = message }, 0) end }
  return message_types.by_name()[args.type].build(ctx, args)
end

local LINK = "https://cdn.example/a"

local BOTH = {
  text = { "See " .. LINK, "--preview-url" }, image = { LINK, "--caption", "c" }, video = { LINK }, audio = { "--id", "1" },
  sticker = { LINK }, document = { LINK, "--filename", "a.pdf" }, location = { "52.5", "13" },
  contact = { "Eva Kern", "+49 30 1", "+49 30 2", "--email", "eva@shop.example" },
  template = { "order_ready", "--language", "de", "--body", "Eva" },
  buttons = { "Ok?", "--button", "y=Yes", "--header-media", "image=" .. LINK },
  list = { "When?", "--button", "Choose", "--row", "a=A" }, product = { "12", "SKU1" },
  ["product-list"] = { "Look", "12", "SKU1", "SKU2", "--header", "New" },
}

local CLOUD = {
  voice = { "--id", "1" }, reaction = { "wamid.1", "\240\159\145\141" },
  ["cta-url"] = { "Look", "--display-text", "Open", "--url", LINK }, ["location-request"] = { "Where?" },
  flow = { "Book", "--flow-cta", "Open", "--flow-id", "12", "--screen", "START" },
  catalog = { "Look", "--thumbnail", "SKU1" }, address = { "Where to?" }, ["request-contact-info"] = { "Your number?" },
  ["voice-call"] = { "Call us", "--ttl-minutes", "10", "--payload", "p" }, ["call-permission"] = { "May we call?" },
  pin = { "wamid.1", "--days", "3" }, unpin = { "wamid.1" },
}

local function words_of(name, more)
  local words = { name, TO }
  for _, word in ipairs(more) do words[#words + 1] = word end
  return words
end

describe("waba send", function()
  it("accepts each of these types, and no other", function()
    for name in pairs(message_types.by_name()) do assert.is_table(BOTH[name] or CLOUD[name], name) end
  end)

  for name, more in pairs(BOTH) do
    it(name .. " is for both hostings", function()
      local message = assert(build(words_of(name, more)))
      assert(waba.check(message, "on_premise"))
      assert(waba.check(message, "cloud"))
    end)
  end

  for name, more in pairs(CLOUD) do
    it(name .. " is valid on Cloud hosting", function()
      assert(waba.check(assert(build(words_of(name, more))), "cloud"))
    end)
  end

  it("names the missing or invalid arguments", function()
    for _, case in ipairs {
      { { "flow", TO, "Book", "--flow-cta", "Open" }, "--flow-id or --flow-name" },
      { { "image", TO }, "a file, a link or --id" }, { { "image", TO, LINK, "--id", "1" }, "--id can't be combined with a file or a link" },
      { { "buttons", TO, "Ok?", "--button", "y=Yes", "--header", "a", "--header-media", "image=" .. LINK }, "combined" },
      { { "buttons", TO, "Ok?", "--button", "yes" }, "id=title" }, { { "location", TO, "x", "1" }, "must be a number" },
    } do
      local built, err = pcall(build, case[1])
      assert.is_false(built)
      assert.is_truthy(err.message:find(case[2], 1, true), err.message)
    end
  end)

  it("accepts negative degrees", function()
    local message = build(send.prepare { "location", TO, "-33.9", "-.5", "--name", "Shop" })
    assert.equal(-33.9, message.location.latitude)
    assert.equal(-0.5, message.location.longitude)
    assert.same({ "send", "text", TO, "-5" }, send.prepare { "send", "text", TO, "-5" })
  end)

  it("accepts --json before and after the type", function()
    assert.same({ "--json", "send", "text", TO, "Hi" }, send.prepare { "send", "--json", "text", TO, "Hi" })
    assert.same({ "send", "--json", "a.json" }, send.prepare { "send", "--json", "a.json" })
    assert.same({ "send", "--json", "-" }, send.prepare { "send", "--json", "-" })
  end)
end)
