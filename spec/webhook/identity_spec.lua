-- lua/waba/webhook/identity.lua finds the customer of an event by the ids of this event and of earlier events. Each
-- test is a list of events with the expected customers, and the records that remain in the store.

local identity = require "waba.webhook.identity"

local NUMBER = "4930"

-- Returns a simulated store. `see` finds the customer of an event and stores the new records, as an inbox does after
-- the event was handled.
local function new_world()
  local world = { records = {} }
  local function get(name) return world.records[name] end
  function world.see(event, is_late)
    event.hosting, event.number = event.hosting or "cloud", NUMBER
    local customer, previous, records = identity.resolve(event, get, not is_late)
    for _, record in ipairs(records or {}) do
      assert.equal(NUMBER .. "/", record.name:sub(1, 5))
      world.records[record.name] = record.value
    end
    return customer, previous
  end
  -- Returns the values of the records by customer id; a record has the name "4930/<id>:id".
  function world.left()
    local left = {}
    for name, value in pairs(world.records) do left[name:match "^4930/(.*):id$"] = value end
    return left
  end
  return world
end

local function message(phone, user_id) return { kind = "message", type = "text", from = phone, from_user_id = user_id } end

local function status(phone, user_id) return { kind = "status", recipient = phone, recipient_user_id = user_id } end

local function change(kind, system, phone, user_id)
  local event = message(phone, user_id)
  event.type, event.system = "system", system
  system.type = kind
  return event
end

local function new_number(phone, new_phone, more, user_id)
  local system = { new_wa_id = new_phone }
  for name, value in pairs(more or {}) do system[name] = value end
  return change("user_changed_number", system, phone, user_id)
end

local function new_user_id(system, phone, user_id) return change("user_changed_user_id", system, phone, user_id) end

-- Each step has an event, the key, phone and user id of its customer, and the previous key, phone and user id if they
-- have changed. `late`: other events of the customer may be handled before this event. The last element of a list has
-- the records that remain in the store.
local STORIES = {
  ["a phone number alone"] = { { message "1", { "1", "1" } }, { message "1", { "1", "1" } }, { ["1"] = "" } },
  ["a user id alone"] = { { message(nil, "U"), { "U", nil, "U" } }, {} },
  ["both at once"] = { { message("1", "U"), { "U", "1", "U" } }, { message "1", { "U", "1", "U" } },
    { message(nil, "U"), { "U", "1", "U" } }, { ["1"] = "U", U = "1" } },
  ["a phone number, and later its user id"] = { { message "1", { "1", "1" } },
    { message("1", "U"), { "U", "1", "U" }, { "1", "1" } }, { message("1", "U"), { "U", "1", "U" } }, { ["1"] = "U", U = "1" } },
  ["a user id, and later its phone number"] = { { message(nil, "U"), { "U", nil, "U" } },
    { message("1", "U"), { "U", "1", "U" } }, { ["1"] = "U", U = "1" } },
  ["a phone number that another customer gets"] = { { message("1", "U"), { "U", "1", "U" } },
    { message("1", "V"), { "V", "1", "V" } }, { message(nil, "U"), { "U", "1", "U" } }, { ["1"] = "V", U = "1", V = "1" } },
  ["a customer with another phone number"] = { { message("1", "U"), { "U", "1", "U" } },
    { message("2", "U"), { "U", "2", "U" }, { "U", "1", "U" } }, { message "1", { "1", "1" } },
    { ["1"] = "", ["2"] = "U", U = "2" } },
  ["a status, which shows the user id first"] = { { status("1", "U"), { "U", "1", "U" }, late = true },
    { message "1", { "U", "1", "U" }, { "1", "1" } }, { message "1", { "U", "1", "U" } }, { ["1"] = "U", U = "1" } },
  ["a status, and a message with both"] = { { status("1", "U"), { "U", "1", "U" }, late = true },
    { message("1", "U"), { "U", "1", "U" }, { "1", "1" } }, { ["1"] = "U", U = "1" } },
  ["a status of a known phone number"] = { { message "1", { "1", "1" } },
    { status("1", "U"), { "U", "1", "U" }, late = true }, { ["1"] = "U?", U = "1" } },
  ["a late status with an older user id"] = { { message("1", "V"), { "V", "1", "V" } },
    { status("1", "U"), { "U", "1", "U" }, late = true }, { ["1"] = "V", V = "1" } },
  ["a status with a phone number alone"] = { { status "1", { "1", "1" }, late = true }, {} },
  ["a late event with a phone number whose user id is known"] = { { message("1", "U"), { "U", "1", "U" } },
    { status "1", { "U", "1", "U" }, late = true }, { ["1"] = "U", U = "1" } },
  ["a changed phone number"] = { { message("1", "U"), { "U", "1", "U" } },
    { new_number("1", "2", { user_id = "U" }), { "U", "2", "U" }, { "U", "1", "U" } }, { message "2", { "U", "2", "U" } },
    { ["2"] = "U", U = "2" } },
  ["a changed phone number without a user id"] = { { message "1", { "1", "1" } },
    { new_number("1", "2"), { "2", "2" }, { "1", "1" } }, { ["2"] = "" } },
  ["a changed phone number, after which the user id is another"] = { { message("1", "U"), { "U", "1", "U" } },
    { new_number("1", "2", { user_id = "V" }), { "V", "2", "V" }, { "U", "1", "U" } }, { message(nil, "U"), { "V", "2", "V" } },
    { ["2"] = "V", U = ">V", V = "2" } },
  ["a changed phone number, whose change names both user ids"] = { { message("1", "U"), { "U", "1", "U" } },
    { new_number("1", "2", { user_id = "U", new_user_id = "V" }, "U"), { "V", "2", "V" }, { "U", "1", "U" } },
    { ["2"] = "V", U = ">V", V = "2" } },
  ["a changed phone number that was hidden"] = { { message("1", "U"), { "U", "1", "U" } },
    { new_number(nil, "2", { user_id = "V" }, "U"), { "V", "2", "V" }, { "U", "1", "U" } },
    { ["2"] = "V", U = ">V", V = "2" } },
  ["a changed phone number that is the same"] = { { message("1", "U"), { "U", "1", "U" } },
    { new_number("1", "1", { user_id = "U" }), { "U", "1", "U" } }, { ["1"] = "U", U = "1" } },
  ["a changed user id"] = { { message("1", "U"), { "U", "1", "U" } },
    { new_user_id({ user_id = "U", new_user_id = "V" }, "1"), { "V", "1", "V" }, { "U", "1", "U" } },
    { message(nil, "U"), { "V", "1", "V" } }, { ["1"] = "V", U = ">V", V = "1" } },
  ["a changed user id that names the new one alone"] = { { message("1", "U"), { "U", "1", "U" } },
    { new_user_id({ user_id = "V" }, "1", "U"), { "V", "1", "V" }, { "U", "1", "U" } }, { ["1"] = "V", U = ">V", V = "1" } },
  ["a changed user id of a known phone number"] = { { message("1", "U"), { "U", "1", "U" } },
    { new_user_id({ user_id = "V" }, "1", "V"), { "V", "1", "V" }, { "U", "1", "U" } }, { ["1"] = "V", U = ">V", V = "1" } },
  ["a changed user id whose phone number is found"] = { { message("1", "U"), { "U", "1", "U" } },
    { new_user_id { user_id = "U", new_user_id = "V" }, { "V", "1", "V" }, { "U", "1", "U" } },
    { ["1"] = "V", U = ">V", V = "1" } },
  ["a changed user id of an unknown customer"] = { { new_user_id { user_id = "U", new_user_id = "V" },
    { "V", nil, "V" }, { "U", nil, "U" } }, { message(nil, "U"), { "V", nil, "V" } }, { U = ">V", V = "" } },
  ["a user id that changed twice"] = { { new_user_id { user_id = "U", new_user_id = "V" }, { "V", nil, "V" }, { "U", nil, "U" } },
    { new_user_id { user_id = "V", new_user_id = "W" }, { "W", nil, "W" }, { "V", nil, "V" } },
    { message(nil, "U"), { "W", nil, "W" } }, { message("1", "V"), { "W", "1", "W" } }, { U = ">V", V = ">W", W = "" } },
  ["a late change, which is not applied"] = { { message("1", "U"), { "U", "1", "U" } },
    { new_user_id({ user_id = "U", new_user_id = "V" }, "1", "U"), { "U", "1", "U" }, late = true }, { ["1"] = "U", U = "1" } },
}

local function three(customer) return customer and { customer.key, customer.phone, customer.user_id } end

describe("the customer of", function()
  for name, story in pairs(STORIES) do
    it(name, function()
      local world = new_world()
      for index = 1, #story - 1 do
        local step = story[index]
        local customer, previous = world.see(step[1], step.late)
        assert.same(step[2], three(customer), "event " .. index)
        assert.same(step[3], three(previous), "previous of event " .. index)
      end
      assert.same(story[#story], world.left())
    end)
  end

  it("a user id whose records refer to each other is found", function()
    local world = new_world()
    world.records["4930/U:id"], world.records["4930/V:id"] = ">V", ">U"
    assert.is_table((world.see(message(nil, "U"))))
  end)

  it("an event has the ids and names of the event", function()
    local contact = { wa_id = "9", user_id = "C", parent_user_id = "Q", name = "Eva", username = "eva" }
    for index, row in ipairs {
      { { kind = "message", from = "1", from_user_id = "U", from_parent_user_id = "P" }, { "U", "1", "U", "P", "Eva", "eva" } },
      { { kind = "message" }, { "C", "9", "C", "Q", "Eva", "eva" } },
      { { kind = "message", from = "1" }, { "C", "1", "C", "Q", "Eva", "eva" } },
      { { kind = "echo", to = "1", to_user_id = "U" }, { "U", "1", "U", nil, "Eva", "eva" } },
      { { kind = "echo" }, { "C", "9", "C", nil, "Eva", "eva" } },
      { { kind = "status", recipient = "1", recipient_user_id = "U", recipient_parent_user_id = "P" },
        { "U", "1", "U", "P", "Eva", "eva" } },
      { { kind = "status", group_id = "G", recipient = "1", participant = "2", participant_user_id = "V",
        participant_parent_user_id = "P" }, { "V", "2", "V", "P", "Eva", "eva" } },
    } do
      local event = row[1]
      event.contact, event.hosting = contact, "cloud"
      local world = new_world()
      for _, customer in ipairs { (identity.resolve(event, nil, true)), (world.see(event)) } do
        assert.same(row[2], { customer.key, customer.phone, customer.user_id, customer.parent_user_id, customer.name,
          customer.username }, index)
      end
    end
  end)

  it("an event without ids is nil", function()
    for _, event in ipairs { { kind = "account" }, { kind = "status" }, { kind = "message", contact = "odd" } } do
      for _, hosting in ipairs { "cloud", "on_premise" } do
        event.hosting = hosting
        local customer, previous, records = identity.resolve(event, function() error "not asked" end, true)
        assert.same({ "nil", "nil", {} }, { tostring(customer), tostring(previous), records or {} })
      end
    end
  end)

  it("an event of On-Premise hosting is its phone number", function()
    local world = new_world()
    local function on_premise(event)
      event.hosting = "on_premise"
      return event
    end
    local customer, previous = world.see(on_premise(message "1"))
    assert.same({ "1", "1" }, three(customer))
    assert.is_nil(previous)
    assert.same({}, world.left())
    customer, previous = world.see(on_premise(new_number("1", "2")))
    assert.same({ { "2", "2" }, { "1", "1" } }, { three(customer), three(previous) })
    assert.same({ ["2"] = "" }, world.left())
  end)

  it("a change is found by the ids in the event, if no record exists", function()
    local function resolve(event)
      local world = new_world()
      local customer, previous = world.see(event)
      return { customer.key, previous and previous.key }, world.left()
    end
    local keys, left = resolve(new_number(nil, "2", {}, "DE.1"))
    assert.same({ { "2", "DE.1" }, { ["DE.1"] = ">2", ["2"] = "" } }, { keys, left })
    keys, left = resolve(new_number("1", "2", { user_id = "DE.1" }))
    assert.same({ { "DE.1", "1" }, { ["2"] = "DE.1", ["DE.1"] = "2" } }, { keys, left })
    keys, left = resolve(new_user_id({ user_id = "DE.2" }, nil, "DE.1"))
    assert.same({ { "DE.2", "DE.1" }, { ["DE.1"] = ">DE.2", ["DE.2"] = "" } }, { keys, left })
    keys, left = resolve(new_user_id({ user_id = "DE.1", new_user_id = "DE.2" }, "1", "DE.9"))
    assert.same({ { "DE.2", "DE.1" }, { ["DE.1"] = ">DE.2", ["DE.2"] = "1", ["1"] = "DE.2" } }, { keys, left })
    keys, left = resolve(new_user_id({ user_id = "DE.1" }, "1", "DE.1"))
    assert.same({ { "DE.1", "1" }, { ["1"] = "DE.1", ["DE.1"] = "1" } }, { keys, left })
  end)
end)

describe("the records of a customer", function()
  local PHONE = "4915111111111"
  local VALUES = {
    numbers = "7/ 4930555019\n8/ 4930555020\n", ["7/" .. PHONE .. ":id"] = "DE.1", ["7/DE.1:id"] = PHONE, ["7/DE.0:id"] = ">DE.1",
    ["8/" .. PHONE .. ":id"] = "DE.8?", ["8/DE.8:id"] = PHONE,
  }

  local function names_read(to, number, in_all)
    local read = {}
    local inbox = {
      get = function(_, name) return VALUES[name] end,
      store = { get_all = function(_, names)
        for index, name in ipairs(names) do read[index] = name end
        return names[1] and { [names[1]] = "first" } or {}
      end },
    }
    local values, err = identity.read_all(inbox, to, number, "x:%s", in_all)
    if not values then return err.kind end
    assert.equal(read[1] and "first" or nil, values[1])
    return table.concat(read, " ")
  end

  it("are read under every name and number", function()
    for _, row in ipairs {
      { "x:7/DE.1 x:7/P", PHONE, "4930555019" }, { "x:7/DE.1 x:7/P", { user_id = "DE.1" }, "7" },
      { "x:7/DE.1 x:7/P x:7/DE.0", { user_id = "DE.0" }, "7" }, { "x:7/4915112345678", "4915112345678", "7" },
      { "x:7/DE.7", { user_id = "DE.7" }, "7" }, { "x:7/DE.1 x:7/P x:8/DE.8 x:8/P", PHONE },
      { "x:P x:7/DE.1 x:DE.1 x:7/P x:P", PHONE, "7", true }, { "", PHONE, "9" }, { "x:P", PHONE, "9", true },
      { "invalid", "call me" },
    } do
      assert.equal((row[1]:gsub("P", PHONE)), names_read(row[2], row[3], row[4]))
    end
  end)

  it("can't be read without a store", function()
    assert.error_matches(function() identity.reader {} end, "the receiver's inbox has no store")
    local inbox = { get = function() return nil, "away" end }
    assert.same({ false, "away" }, { pcall(identity.reader(inbox), "x") })
  end)
end)
