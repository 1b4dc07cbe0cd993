-- lua/waba/hosting/values.lua converts values of webhooks and responses that have another type than the platform
-- documents.

local core = require "waba.core"
local values = require "waba.hosting.values"

local null = core.null

-- Calls a converter with the first value of each row, and compares the result with the second one. The text "nil"
-- stands for nil.
local function check(name, rows)
  for index, row in ipairs(rows) do
    local found = values[name](row[1])
    if found == nil then found = "nil" end
    assert.same(row[2], found, name .. " " .. index)
  end
end

describe("a value", function()
  it("that is a number becomes text", function()
    check("text", { { "a", "a" }, { "", "" }, { 5, "5" }, { 1234567890123456, "1234567890123456" }, { 2 ^ 53, "9007199254740992" },
      { -5, "-5" }, { 0.5, "0.5" }, { true, "nil" }, { {}, "nil" }, { null, "nil" } })
    check("some_text", { { "a", "a" }, { "", "nil" }, { 5, "5" }, { false, "nil" } })
    check("wa_id", { { "+49", "49" }, { "49", "49" }, { "DE.1", "DE.1" }, { 49, "49" }, { {}, "nil" }, { "", "" } })
    check("phone_digits", { { "+49 30-1", "49301" }, { "4930", "4930" }, { 4930, "4930" }, { "x", "nil" }, { "", "nil" }, { {}, "nil" } })
    assert.is_nil(values.text(nil))
    assert.is_nil(values.wa_id(nil))
    assert.is_nil(values.phone_digits(nil))
  end)

  it("that is text becomes a number", function()
    check("number", { { 5, 5 }, { "5.5", 5.5 }, { "x", "nil" }, { true, "nil" }, { null, "nil" } })
    check("integer", { { 5, 5 }, { "5", 5 }, { 5.9, 5 }, { -5, -5 }, { 1e15, "nil" }, { -1e15, "nil" }, { 1e15 - 1, 1e15 - 1 },
      { 1 - 1e15, 1 - 1e15 }, { 0 / 0, "nil" }, { "x", "nil" } })
    check("timestamp", { { 1767225599, 1767225599 }, { "1767225599", 1767225599 }, { "1767225599123", 1767225599 },
      { 1e11, 1e11 }, { 100000000001, 100000000 }, { 1e15, "nil" }, { -1e15, "nil" }, { 1e15 - 1000, 1e12 - 1 }, { "x", "nil" },
      { 5.5, 5 }, { 0 / 0, "nil" }, { math.huge, "nil" } })
    assert.is_nil(values.timestamp(nil))
    if math.type then assert.equal("integer", math.type(values.timestamp "1767225599.0")) end
  end)

  it("that stands for a boolean becomes one", function()
    check("flag", { { true, true }, { false, false }, { "true", true }, { "false", false }, { 1, true }, { 0, false }, { "1", true },
      { "0", false }, { "yes", "nil" }, { 2, "nil" }, { {}, "nil" }, { null, "nil" } })
  end)

  it("becomes an object or a list if it is neither", function()
    check("object", { { { a = 1 }, { a = 1 } }, { "a", {} }, { null, {} } })
    check("items", { { { 1, 2 }, { 1, 2 } }, { {}, {} }, { { a = 1 }, { { a = 1 } } }, { "a", { "a" } }, { null, {} },
      { false, { false } } })
    assert.same({}, values.items(nil))
    assert.same({}, values.object(nil))
    local list = { 1 }
    assert.equal(list, values.items(list))
  end)

  it("becomes a list of converted elements", function()
    assert.same({ "5", "a" }, values.each({ 5, "", "a" }, values.some_text))
    for _, value in ipairs { "a", 5, true, null } do assert.same({}, values.each(value, values.text)) end
  end)

  it("is found at its path, or is nil", function()
    local json = { a = { { b = "c" }, null }, d = false }
    assert.equal("c", values.dig(json, "a.1.b"))
    assert.is_false(values.dig(json, "d"))
    assert.equal(json, values.dig(json, "."))
    for _, path in ipairs { "x", "a.2", "a.1.b.c", "a.3.b" } do assert.is_nil(values.dig(json, path)) end
    assert.is_nil(values.dig(nil, "a"))
    assert.is_nil(values.dig(null, "."))
  end)
end)

describe("a table of values", function()
  it("has neither nulls nor gaps", function()
    check("without_null", { { { a = null, b = 1 }, { b = 1 } }, { { null, "a" }, { "a" } }, { { "a", null }, { "a" } },
      { { "a", null, "b" }, { "a", "b" } }, { { { null, { a = null } } }, { { {} } } }, { { null }, {} }, { null, "nil" },
      { "a", "a" }, { 5, 5 }, { { "a", null, x = null, y = { null } }, { "a", y = {} } } })
    local same = { a = { 1, { b = "c" } } }
    assert.equal(same, values.without_null(same))
    local changed = { a = { null }, b = {} }
    assert.is_true(values.without_null(changed) ~= changed)
    assert.same({ a = { null }, b = {} }, changed)
  end)

  it("has ids that are strings, at any depth", function()
    check("with_ids", {
      { { id = 5, number = 5 }, { id = "5", number = 5 } }, { { catalog_id = 1234567890123456 }, { catalog_id = "1234567890123456" } },
      { { a = { { b_id = 7 } } }, { a = { { b_id = "7" } } } }, { { ids = 5, idx = 6, a_idx = 7 }, { ids = 5, idx = 6, a_idx = 7 } },
      { { id = { 5, null, { id = 6 } } }, { id = { 5, { id = "6" } } } }, { { id = null, a = null }, {} }, { { 5, 6 }, { 5, 6 } },
      { "a", "a" }, { null, "nil" },
    })
    local same = { id = "5", a = 6, b = { true } }
    assert.equal(same, values.with_ids(same))
  end)

  it("has members of the documented types", function()
    local CONVERTERS = { text = values.text, count = values.number, is_set = values.flag }
    local given = { text = 5, count = "6", is_set = "true", other = { null, "x" }, gone = null, kept = "y" }
    local expected = { text = "5", count = 6, is_set = true, other = { "x" }, kept = "y" }
    assert.same(expected, values.copied(given, CONVERTERS))
    assert.same(expected, values.shaped(given, CONVERTERS))
    local same = { text = "5", count = 6, is_set = true, other = { 1 }, kept = "y" }
    assert.equal(same, values.shaped(same, CONVERTERS))
    assert.is_true(values.copied(same, CONVERTERS) ~= same)
    assert.same({ count = 5 }, values.shaped({ text = {}, is_set = 7, count = 5 }, CONVERTERS))
    for _, name in ipairs { "copied", "shaped" } do
      for _, value in ipairs { "a", 5, true, null } do assert.is_nil(values[name](value, CONVERTERS)) end
    end
  end)

  it("has a cursor if there is another page", function()
    local cursors = { before = "b", after = "a" }
    for index, row in ipairs {
      { { paging = { cursors = cursors, next = "n", previous = "p" } }, "a", "b" }, { { paging = { cursors = cursors } } },
      { { paging = { cursors = cursors, next = "n" } }, "a" }, { { paging = { cursors = cursors, previous = "p" } }, nil, "b" },
      { { paging = { next = "n" } } }, { { paging = "x" } }, { {} }, { { paging = { cursors = "x", next = "n" } } },
      { { paging = { cursors = { after = "" }, next = "n" } } }, { { paging = { cursors = cursors, next = "" } } },
    } do
      local after, before = values.cursors(row[1])
      assert.equal(row[2], after, index)
      assert.equal(row[3], before, index)
    end
  end)
end)
