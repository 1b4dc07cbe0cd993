-- The keys by which inboxes recognise duplicates, and the conversations in which events are handled one after the
-- other.

local keys = require "waba.inbox.keys"

local function event(kind, fields)
  local result = { kind = kind, hosting = "cloud", phone_number_id = "9" }
  for name, value in pairs(fields or {}) do result[name] = value or nil end
  return result
end

-- Returns the conversation of an event as text: the lane of the event, then the names of the conversation.
local function conversation(one, is_separate)
  local lane, names = keys.conversation(one, is_separate)
  return lane .. table.concat(names, " ")
end

describe("the key of an event", function()
  it("has the kind, the business number and the id", function()
    for key, one in pairs {
      ["message:9/a"] = event("message", { id = "a" }), ["message:4930/a"] = event("message", { id = "a", phone_number_id = false,
        number = "4930" }), ["message:a"] = event("message", { id = "a", phone_number_id = false }),
      ["echo:9/a"] = event("echo", { id = "a" }), ["standby:9/5"] = event("standby", { id = 5 }),
    } do
      assert.equal(key, keys.identity(one))
      assert.equal(key:match "^%w+:(.*)a$" or "9/", keys.scope(one))
    end
    assert.equal("", keys.scope { number = 4930 })
    assert.is_nil(keys.identity(event "message"))
    assert.is_nil(keys.identity(event("error", { id = "a" })))
  end)

  it("of a status has the status, and on Cloud hosting the recipient and the subject", function()
    for key, one in pairs {
      ["status:9/a:read"] = event("status", { id = "a", status = "read" }),
      ["status:9/a:sent:1"] = event("status", { id = "a", status = "sent", recipient = "1", recipient_user_id = "U" }),
      ["status:9/a:sent:U"] = event("status", { id = "a", status = "sent", recipient_user_id = "U" }),
      ["status:9/a:sent:2"] = event("status", { id = "a", status = "sent", participant = "2", participant_user_id = "V",
        recipient = "1" }),
      ["status:9/a:sent:V"] = event("status", { id = "a", status = "sent", participant_user_id = "V", recipient = "1" }),
      ["status:9/a:captured:1:payment"] = event("status", { id = "a", status = "captured", recipient = "1",
        raw = { type = "payment" } }),
      ["status:9/a:ringing:call"] = event("status", { id = "a", status = "ringing", raw = { type = "call" } }),
      ["status:9/a:x"] = event("status", { id = "a", status = "x", raw = { type = "text" } }),
      ["status:9/a:y"] = event("status", { id = "a", status = "y", raw = "payment" }),
      ["status:9/a:z"] = event("status", { id = "a", status = "z", hosting = "on_premise", recipient = "1",
        raw = { type = "payment" } }),
    } do
      assert.equal(key, keys.identity(one))
    end
  end)

  it("of an account event is its content, if this includes a time or an id", function()
    local function account(fields)
      fields.field, fields.value = fields.field or "account_update", fields.value or { a = 1 }
      return keys.identity(event("account", fields))
    end
    assert.is_nil(account {})
    assert.is_nil(account { timestamp = 5, hosting = "on_premise" })
    for _, field in ipairs { "history", "smb_app_state_sync", "calls", "user_id_update", "group_lifecycle_update",
      "group_participants_update" } do
      assert.matches("^account:%x+$", account { field = field })
    end
    local key = account { timestamp = 5, number = "4930", waba_id = "7" }
    assert.equal(key, account { timestamp = 5, number = "4930", waba_id = "7", value = { a = 1 } })
    for _, other in ipairs {
      { timestamp = 6, number = "4930", waba_id = "7" }, { timestamp = 5, number = "4931", waba_id = "7" },
      { timestamp = 5, number = "4930", waba_id = "8" }, { timestamp = 5, waba_id = "7" }, { timestamp = 5, number = "4930" },
      { timestamp = 5, number = "4930", waba_id = "7", value = { a = 2 } },
      { timestamp = 5, number = "4930", waba_id = "7", field = "alerts" },
    } do
      assert.is_true(account(other) ~= key)
    end
  end)

  it("of a preference or a handover is the change and its time", function()
    local base = { category = "marketing", value = "stop", timestamp = 5, from = "1", from_user_id = "U" }
    local function key(kind, fields)
      local all = {}
      for name, value in pairs(base) do all[name] = value end
      for name, value in pairs(fields or {}) do all[name] = value end
      return keys.identity(event(kind, all))
    end
    local same = key "preference"
    assert.equal(same, key("preference", { id = "a" }))
    assert.matches("^preference:%x+$", same)
    assert.matches("^handover:%x+$", key "handover")
    for name in pairs(base) do
      assert.is_true(key("preference", { [name] = false }) ~= same, name)
      assert.is_true(key("preference", { [name] = "other" }) ~= same, name)
    end
    assert.is_true(key("preference", { phone_number_id = "8" }) ~= same)
    assert.is_true(key("preference", { phone_number_id = false, number = "8" }) ~= same)
    assert.is_true(key("preference", { type = "x" }) ~= same) -- the key contains the type instead of the category
    local handover = { kind = "handover", owner = "a" }
    assert.is_true(keys.identity(handover) ~= keys.identity { kind = "handover", owner = "b" })
    assert.is_string(keys.identity { kind = "handover" })
  end)
end)

describe("the conversation of an event", function()
  it("has all names of the customer, the phone number first", function()
    local contact = { wa_id = "5", user_id = "C" }
    for index, row in ipairs {
      { "9/1", event("message", { from = "1" }) }, { "9/U", event("message", { from_user_id = "U" }) },
      { "9/1 9/U", event("message", { from = "1", from_user_id = "U" }) }, { "1", event("message", { from = "1",
        phone_number_id = false }) },
      { "9/1 9/U", event("message", { from = "1", from_user_id = "U", contact = contact }) },
      { "9/5 9/C", event("message", { contact = contact }) }, { "", event("message", { contact = "odd" }) },
      { "9/1 9/U", event("status", { recipient = "1", recipient_user_id = "U", contact = contact }) },
      { "9/2 9/V", event("echo", { from = "1", from_user_id = "U", to = "2", to_user_id = "V", contact = contact }) },
      { "9/5 9/C", event("echo", { from = "1", from_user_id = "U", contact = contact }) },
      { "9/1", event("message", { from = "1", from_user_id = "1" }) }, { "", event("account", {}) },
    } do
      assert.equal(row[1], conversation(row[2]), index)
    end
  end)

  it("has the ids before and after a change", function()
    local function change(kind, system, from, user_id)
      system.type = kind
      return event("message", { type = "system", system = system, from = from, from_user_id = user_id })
    end
    assert.equal("9/1 9/2", conversation(change("user_changed_number", { new_wa_id = "2", user_id = "U" }, "1")))
    assert.equal("9/1 9/U 9/V", conversation(change("user_changed_user_id", { user_id = "U", new_user_id = "V" }, "1")))
    assert.equal("9/1 9/U", conversation(change("user_changed_user_id", { user_id = "U" }, "1", "U")))
    assert.equal("9/1", conversation(change("other", { user_id = "U", new_user_id = "V" }, "1")))
    assert.equal("9/1", conversation(event("message", { type = "system", system = "odd", from = "1" })))
  end)

  it("is that of the group on Cloud hosting", function()
    assert.equal("9/G", conversation(event("message", { group_id = "G", from = "1" })))
    assert.equal("9/1", conversation(event("message", { group_id = "G", from = "1", hosting = "on_premise" })))
  end)

  it("has a lane of its own for statuses that are handled separately", function()
    local status = event("status", { recipient = "1" })
    assert.equal("status:9/1", conversation(status, true))
    assert.equal("9/1", conversation(status, false))
    assert.equal("9/1", conversation(event("message", { from = "1" }), true))
  end)
end)
