-- lua/waba/inbox/window.lua: which messages open the customer service window and for how long, and which records an
-- inbox stores about windows and business numbers.

local window = require "waba.inbox.window"

local DAY = 86400

-- Returns an inbox with these records. `inbox.reads` counts the calls of `get`.
local function inbox_of(values)
  local inbox = { values = values or {}, reads = 0 }
  function inbox:get(name)
    self.reads = self.reads + 1
    if self.failure then return nil, self.failure end
    return self.values[name]
  end
  return inbox
end

local function message(more)
  local event = { kind = "message", hosting = "cloud", type = "text", timestamp = os.time() - 100, number = "4930555019",
    phone_number_id = "777" }
  for name, value in pairs(more or {}) do event[name] = value ~= "none" and value or nil end
  return event
end

-- Returns the records that the inbox stores for one event. The keys are the names of the records.
local function records_of(event, inbox, names)
  local found = {}
  for _, record in ipairs(window.records(inbox or inbox_of(), { event }, { { names = names or { "777/49151" } } }) or {}) do
    found[record.name] = record
  end
  return found
end

local function ends_and_length(record)
  local ends, length = record.value:match "^(%d%d%d%d%d%d%d%d%d%d%d) (%d+)$"
  return tonumber(ends), tonumber(length)
end

describe("the window of a customer", function()
  it("is opened by a customer's message with a time, for a day", function()
    for _, more in ipairs { {}, { kind = "standby" }, { type = "image" }, { hosting = "on_premise", group_id = "g" },
      { referral = "none" }, { referral = "x" } } do
      local event = message(more)
      local record = records_of(event)["777/49151:window"]
      assert.same({ event.timestamp + DAY, DAY }, { ends_and_length(record) })
      assert.is_true(record.rises)
      assert.is_true(math.abs(record.seconds - (DAY - 100)) <= 4000)
    end
  end)

  it("is open for three days after an advertisement", function()
    local event = message { referral = {} }
    assert.same({ event.timestamp + 3 * DAY, 3 * DAY }, { ends_and_length(records_of(event)["777/49151:window"]) })
    assert.truthy(records_of(message { referral = {}, timestamp = os.time() - 2 * DAY })["777/49151:window"])
  end)

  it("is not opened by any other event, nor by a message that is too old", function()
    for _, more in ipairs {
      { kind = "echo" }, { kind = "status" }, { type = "system" }, { timestamp = "none" }, { group_id = "g" },
      { timestamp = os.time() - DAY - 5 }, { timestamp = os.time() - 2 * DAY },
    } do
      assert.is_nil(window.records(inbox_of { numbers = "777/ 4930555019\n" }, { message(more) }, { { names = { "777/49151" } } }))
    end
  end)

  it("is stored under every name of the customer", function()
    local records = records_of(message(), nil, { "777/49151", "777/DE.1" })
    assert.equal(records["777/49151:window"].value, records["777/DE.1:window"].value)
    assert.same({}, { next(window.records(inbox_of { numbers = "777/ 4930555019\n" }, { message() }, { {} }) or {}) })
  end)

  it("has a remaining time, which is never longer than the window", function()
    for value, left in pairs { ["00000001000 500"] = 400, ["00000000600 500"] = 0, ["00000000500 500"] = 0, ["00000002000 500"] = 500,
      [""] = 0, ["x"] = 0, ["1000"] = 0, ["1000 "] = 0 } do
      assert.equal(left, window.left(value, 600))
    end
    assert.equal(0, window.left(nil, 600))
  end)
end)

describe("the time of the platform", function()
  it("is the time of the latest event if this is ahead of the machine's clock by a short time", function()
    local inbox, now = inbox_of(), os.time()
    assert.is_true(math.abs(window.now(inbox) - now) < 5)
    for _, row in ipairs {
      { now - 50, now - 50 }, { now - 60, now - 50 }, { now + 500, now + 500 }, { now + 400, now + 500 },
      { now + 400 * DAY, now + 500 }, { "x", now + 500 }, { now + 365 * DAY, now + 365 * DAY },
    } do
      window.see(inbox, { timestamp = row[1] })
      assert.equal(row[2], inbox.latest)
    end
    window.see(inbox, {})
    assert.equal(now + 365 * DAY, window.now(inbox))
  end)
end)

describe("the list of business numbers", function()
  it("gets each new number once", function()
    local inbox = inbox_of()
    local function write(event)
      local record = records_of(event, inbox).numbers
      if record then inbox.values.numbers = record.value end
      return record and record.value
    end
    assert.equal("777/ 4930555019\n", write(message()))
    assert.is_nil(write(message()))
    assert.equal("777/ 4930555019\n778/ -\n", write(message { phone_number_id = "778", number = "none" }))
    assert.equal("777/ 4930555019\n778/ -\n- -\n", write(message { phone_number_id = "none", number = "none" }))
    assert.is_nil(write(message { phone_number_id = "none", number = "none" }))
    assert.same({ "777/", "778/", "" }, window.scopes(inbox))
    assert.same({ ["777/"] = "4930555019", ["778/"] = "-" }, window.numbers(inbox))
    local other = inbox_of(inbox.values) -- an inbox of another process has no cached list and reads it
    assert.is_nil(records_of(message { phone_number_id = "778" }, other).numbers)
    assert.same({ "777/", "778/", "" }, window.scopes(other))
    local reads = other.reads
    window.scopes(other)
    assert.equal(reads, other.reads)
  end)

  it("gets the numbers of statuses and other events of customers, and of events that are too old", function()
    for _, more in ipairs { { kind = "status" }, { kind = "preference" }, { kind = "echo" }, { timestamp = 1 } } do
      assert.equal("777/ 4930555019\n", records_of(message(more)).numbers.value)
    end
    assert.is_nil(window.records(inbox_of(), { { kind = "account", number = "4930555019" } }, { {} }))
  end)

  it("is selected by a number or a phone_number_id", function()
    local inbox = inbox_of { numbers = "777/ 4930555019\n4930555020/ 4930555020\n- -\n" }
    for number, scopes in pairs {
      ["+49 30 555019"] = { "777/", "" }, ["777"] = { "777/", "" }, ["4930555020"] = { "4930555020/", "" },
      ["4930555021"] = { "" },
    } do
      assert.same(scopes, window.scopes(inbox, number))
    end
    assert.same({ "777/", "" }, window.scopes(inbox, 4930555019))
    assert.equal(3, #window.scopes(inbox))
  end)

  it("is read again for a number that it does not have, because another process may have added it", function()
    local inbox, time, now = inbox_of { numbers = "777/ 4930555019\n" }, os.time, os.time()
    assert.same({}, window.scopes(inbox, "778"))
    inbox.values.numbers = "777/ 4930555019\n778/ 4930555020\n"
    os.time = function() return now + 2 end
    local ok, scopes = pcall(window.scopes, inbox, "4930555020")
    os.time = time
    assert.same({ true, { "778/" } }, { ok, scopes })
  end)

  it("is not changed if it can't be read", function()
    local inbox = inbox_of()
    inbox.failure = "away"
    local records = records_of(message(), inbox)
    assert.is_nil(records.numbers)
    assert.truthy(records["777/49151:window"])
    for _, name in ipairs { "scopes", "numbers" } do
      assert.same({ false, "away" }, { pcall(window[name], inbox) })
    end
  end)
end)

describe("the window of a customer whose ids have changed", function()
  it("is moved to the new ids, and the previous phone number has no window", function()
    local now = os.time()
    local late, early = ("%011d 86400"):format(now + 500), ("%011d 86400"):format(now + 100)
    local function moved(values, previous, customer)
      local found = {}
      for _, record in ipairs(window.moved("777/", previous, customer, function(name) return values[name] end)) do
        if record.value then
          assert.is_true(record.rises)
          assert.is_true(record.seconds > 0 and record.seconds < 5000)
        end
        found[record.name:match "^777/(.*):window$"] = record.value or "none"
      end
      return found
    end
    local both = { ["777/491:window"] = early, ["777/DE.1:window"] = late }
    assert.same({ ["491"] = "none", ["492"] = late }, moved(both, { phone = "491", user_id = "DE.1" }, { phone = "492", user_id = "DE.1" }))
    assert.same({ ["DE.2"] = late }, moved(both, { phone = "491", user_id = "DE.1" }, { phone = "491", user_id = "DE.2" }))
    assert.same({ ["491"] = "none", ["492"] = early, ["DE.2"] = early }, moved({ ["777/491:window"] = early }, { phone = "491" },
      { phone = "492", user_id = "DE.2" }))
    assert.same({ ["491"] = "none", ["492"] = late }, moved({ ["777/491:window"] = late, ["777/DE.1:window"] = early },
      { phone = "491", user_id = "DE.1" }, { phone = "492" }))
    assert.same({}, moved(both, { phone = "491", user_id = "DE.1" }, { phone = "491", user_id = "DE.1" }))
    assert.same({}, moved({}, { phone = "491" }, { phone = "492" }))
    assert.same({ ["491"] = "none" }, moved({ ["777/491:window"] = ("%011d 86400"):format(now - 10) }, { phone = "491" },
      { phone = "492" }))
  end)
end)
