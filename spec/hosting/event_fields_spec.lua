-- lua/waba/hosting/event_fields.lua, which both hostings use to read webhooks: the customer of an event, and the
-- recipient for a reply.

local event_fields = require "waba.hosting.event_fields"

describe("an event", function()
  it("has as key the customer's number if it is known, otherwise the user id", function()
    for _, case in ipairs {
      { "1", { from = "1", recipient = "2", contact = { wa_id = "3", user_id = "U3" }, from_user_id = "U1" } },
      { "2", { recipient = "2", contact = { wa_id = "3" }, recipient_user_id = "U2" } },
      { "3", { contact = { wa_id = "3", user_id = "U3" }, from_user_id = "U1", recipient_user_id = "U2" } },
      { "U1", { contact = { user_id = "U3" }, from_user_id = "U1", recipient_user_id = "U2" } },
      { "U2", { contact = { user_id = "U3" }, recipient_user_id = "U2" } },
      { "U3", { contact = { user_id = "U3" } } },
      { nil, { contact = "odd" } }, { nil, {} },
    } do
      assert.equal(case[1], event_fields.customer(case[2]))
    end
  end)

  it("has the new number or user id of a customer who has changed it", function()
    local function address(system, kind, message_type)
      return event_fields.new_address { kind = kind or "message", type = message_type or "system", system = system }
    end
    assert.equal("49", address { type = "user_changed_number", new_wa_id = "49", new_user_id = "U" })
    assert.is_nil(address { type = "user_changed_number", new_user_id = "U" })
    assert.equal("49", address { type = "user_changed_user_id", new_wa_id = "49", new_user_id = "U", user_id = "V" })
    assert.equal("U", address { type = "user_changed_user_id", new_user_id = "U", user_id = "V" })
    assert.equal("V", address { type = "user_changed_user_id", user_id = "V" })
    assert.is_nil(address { type = "user_identity_changed", new_wa_id = "49", user_id = "V" })
    assert.is_nil(address { new_wa_id = "49" })
    assert.is_nil(address "odd")
    assert.is_nil(address(nil))
    assert.is_nil(address({ type = "user_changed_number", new_wa_id = "49" }, "account"))
    assert.is_nil(address({ type = "user_changed_number", new_wa_id = "49" }, "message", "text"))
  end)

  it("has the contact of its webhook, or the known fields of the contact", function()
    for index, row in ipairs {
      { "odd", { wa_id = "49", user_id = "U" } }, { {}, { wa_id = "49", user_id = "U" } },
      { { wa_id = "+4930" }, { wa_id = "4930", user_id = "U" } }, { { wa_id = "49" }, { wa_id = "49", user_id = "U" } },
      { { wa_id = 4930, user_id = 7 }, { wa_id = "4930", user_id = "7" } },
      { { profile = { name = 5, username = 6 } }, { name = "5", username = "6", wa_id = "49", user_id = "U" } },
      { { profile = "odd", parent_user_id = 8, identity_key_hash = 9 },
        { wa_id = "49", user_id = "U", parent_user_id = "8", identity_key_hash = "9" } },
    } do
      assert.same(row[2], event_fields.contact(row[1], "49", "U"), index)
    end
    assert.same({ name = "Eva" }, event_fields.contact { profile = { name = "Eva" } })
  end)

  it("has texts as ids, no list for null, and a contact for every message", function()
    local waba = require "waba"
    local function first(body) return assert(waba.events(body))[1] end
    assert.equal("77", first('{"statuses":[{"id":77,"status":5}]}').id)
    assert.equal("5", first('{"statuses":[{"id":77,"status":5}]}').status)
    assert.equal("77", first('{"messages":[{"id":77,"from":"49","type":"text"}]}').id)
    for _, list in ipairs { "messages", "statuses" } do
      assert.is_nil(first(('{"%s":[{"id":"a","errors":null}]}'):format(list)).errors)
      assert.is_nil(first(('{"%s":[{"id":"a"}]}'):format(list)).errors)
      assert.equal(1, #first(('{"%s":[{"id":"a","errors":[{"code":1}, null]}]}'):format(list)).errors)
    end
    assert.same({}, first('{"messages":["odd"]}').contact)
    assert.same({ wa_id = "49" }, first('{"messages":[{"from":"49","type":"text"}]}').contact)
  end)

  it("of an unknown member is returned in the order of the names", function()
    local fields = {}
    for index, event in ipairs(assert(require("waba").events '{"c":[{"id":1}],"a":[{"id":2}],"b":{"id":3},"d":[{"id":4},null]}')) do
      fields[index] = event.kind .. " " .. event.field
    end
    assert.same({ "account a", "account b", "account c", "account d" }, fields)
  end)
end)
