-- Which messages are not sent because their recipient has stopped marketing messages.

local errors = require "waba.errors"
local suppression = require "waba.client.suppression"
local waba = require "waba"

local NUMBER = "4915112345678"
local TEMPLATE = waba.template { name = "offer", language = "en" }

describe("a marketing message", function()
  local asked, reason, failure

  before_each(function() asked, reason, failure = {}, "stop", nil end)

  local receiver = { suppressed = function(_, to, number)
    asked[#asked + 1] = { to, number }
    if failure then return nil, errors.new { kind = failure, message = "m" } end
    return reason
  end }

  -- Returns a client that knows one template, which has this category.
  local function client_of(category, fields)
    local client = fields or {}
    client.templates = category and { known = { offer = { en = { category = category } } } }
    return client
  end

  local function check(client, to, message, is_marketing, number)
    return suppression.check(receiver, client, to or NUMBER, message or TEMPLATE, is_marketing, number)
  end

  it("is not sent to a recipient who wants none", function()
    for index, row in ipairs {
      { "MARKETING", nil, false }, { "marketing", nil, false }, { "UTILITY", nil, true }, { nil, nil, true }, { nil, true, false },
      { "MARKETING", false, true }, { "UTILITY", true, false }, { 5, nil, true },
    } do
      asked = {}
      local is_allowed, err = check(client_of(row[1]), nil, nil, row[2])
      assert.equal(row[3] and true or nil, is_allowed, index)
      assert.equal(row[3] and 0 or 1, #asked, index)
      if err then
        assert.same({ "blocked", "suppress", "the recipient wants no marketing messages (stop): the message was not sent" },
          { err.kind, err.path, err.message })
      end
    end
    local other = { templates = { known = { other = { en = { category = "MARKETING" } } } } }
    assert.is_true(check(other))
    assert.is_true(check { templates = {} })
  end)

  it("is sent if the recipient wants it, or is a group", function()
    reason = false
    assert.is_true(check(client_of "MARKETING"))
    assert.is_true(check(client_of "MARKETING", { group_id = "g" }))
    assert.equal(1, #asked)
    reason = "stop"
    assert.is_nil((check(client_of "MARKETING", { user_id = "DE.1" })))
  end)

  it("is always a template: other messages are sent without a check", function()
    for _, message in ipairs { waba.text "Hi", { type = "template" }, { type = "template", template = "offer" }, "offer" } do
      assert.is_true(check({}, nil, message, true))
    end
    assert.equal(0, #asked)
  end)

  it("is checked for the number that sends it", function()
    check(client_of("MARKETING", { own_number = { number = "4930", phone_number_id = "7" } }))
    check(client_of("MARKETING", { own_number = { phone_number_id = "7" } }))
    check(client_of("MARKETING", { expected_number = "4931" }))
    check(client_of "MARKETING")
    check(client_of("MARKETING", { expected_number = "4931" }), nil, nil, nil, "4932")
    assert.same({ { NUMBER, "4930" }, { NUMBER, "7" }, { NUMBER, "4931" }, { NUMBER }, { NUMBER, "4932" } }, asked)
  end)

  it("is not sent if the store can't be read, unless the recipient is invalid", function()
    failure = "unavailable"
    local is_allowed, err = check(client_of "MARKETING")
    assert.same({ nil, "unavailable" }, { is_allowed, err.kind })
    failure = "invalid"
    assert.is_true(check(client_of "MARKETING"))
  end)
end)
