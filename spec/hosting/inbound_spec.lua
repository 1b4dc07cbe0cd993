-- Shared parts of both hostings' readers of webhooks: the customer of an event, and the customer's current address.

local inbound = require "waba.hosting.inbound"

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
      assert.equal(case[1], inbound.customer(case[2]))
    end
  end)

  it("has a new address if the customer has changed the number or the user id", function()
    local function address(system, kind, message_type)
      return inbound.new_address { kind = kind or "message", type = message_type or "system", system = system }
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
end)
