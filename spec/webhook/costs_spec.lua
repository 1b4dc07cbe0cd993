-- lua/waba/webhook/costs.lua: which statuses count as a billed message, and by which business number, category, type
-- and country they are counted.

local costs = require "waba.webhook.costs"

-- Returns a status event of a billed message. `more` and `pricing` replace fields of the event and of its field
-- `pricing`.
local function status(more, pricing)
  local event = { kind = "status", status = "delivered", number = "493099001", recipient = "4915111",
    pricing = { type = "regular", category = "marketing" } }
  for name, value in pairs(more or {}) do event[name] = value or nil end
  for name, value in pairs(pricing or {}) do event.pricing[name] = value end
  return event
end

local function rows_of(...)
  local counts, rows = {}, {}
  for _, event in ipairs { ... } do costs.add(counts, event) end
  for index, row in ipairs(costs.list(counts)) do
    rows[index] = ("%s %s %s %s %d"):format(tostring(row.number), row.category, row.type, row.country, row.count)
  end
  return rows
end

describe("the count of billed messages", function()
  it("contains delivered and read messages that are billable", function()
    local counted = { "493099001 marketing regular DE 1" }
    for _, event in ipairs { status(), status { status = "read" }, status(nil, { billable = true }) } do
      assert.same(counted, rows_of(event))
    end
    assert.same({ "493099001 marketing free_tier DE 1" }, rows_of(status(nil, { billable = true, type = "free_tier" })))
    for index, event in ipairs {
      status { status = "sent" }, status { status = "failed" }, status { status = "played" }, status { pricing = false },
      status(nil, { billable = false }), status(nil, { type = "free_entry_point" }), status { type = "payment" },
      status { kind = "message" }, { kind = "status", status = "delivered", pricing = "regular" },
      status { kind = "message", type = "text" },
    } do
      assert.same({}, rows_of(event), index)
    end
  end)

  it("has a row for each number, category, type and country", function()
    local event = { kind = "status", status = "read", pricing = { billable = true } }
    assert.same({ "nil unknown unknown unknown 1" }, rows_of(event))
    assert.same({
      "493099001 marketing regular DE 2", "493099001 marketing regular FR 1", "493099001 utility regular DE 1",
      "493099002 marketing regular DE 1",
    }, rows_of(status(), status { recipient = "33123" }, status(nil, { category = "utility" }), status { number = "493099002" },
      status()))
  end)

  it("has the country of the user id, or else of the longest calling code", function()
    for recipient, country in pairs {
      ["12025550100"] = "US", ["79161234567"] = "RU", ["491511234567"] = "DE", ["35312345678"] = "IE", ["9710000000"] = "AE",
      ["999123"] = "unknown", ["49"] = "DE", ["1"] = "US", [""] = "unknown",
    } do
      assert.same({ "493099001 marketing regular " .. country .. " 1" }, rows_of(status { recipient = recipient }))
    end
    assert.same({ "493099001 marketing regular BR 1" }, rows_of(status { recipient_user_id = "BR.1349" }))
    assert.same({ "493099001 marketing regular DE 1" }, rows_of(status { recipient_user_id = "br.1349" }))
    assert.same({ "493099001 marketing regular unknown 1" }, rows_of(status { recipient = false }))
    local group = { recipient = "GROUP", group_id = "GROUP", participant = "4915111" }
    assert.same({ "493099001 marketing regular DE 1" }, rows_of(status(group)))
    group.participant_user_id = "BR.1349"
    assert.same({ "493099001 marketing regular BR 1" }, rows_of(status(group)))
  end)
end)
