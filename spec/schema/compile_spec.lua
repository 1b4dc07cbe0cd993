local schema = require "waba.schema"

-- Returns the path and the message of the error for a value, or nil.
local function error_of(rule, value, mode)
  local valid, err = schema.validate(mode or true, rule, value)
  if not valid then return err.path, err.message end
end

local function open(fields) return { is = "object", open = true, fields = fields } end

describe("a rule", function()
  it("applies the rules in `also` after its own", function()
    local rule = { is = "object", fields = { a = { is = "string", characters = { 1, 3 } }, b = { is = "string" } },
      also = { open { a = { is = "string", format = "alphanumeric" } }, open { b = { required = true } } } }
    assert.is_nil(error_of(rule, { a = "xy", b = "" }))
    assert.same({ "a", "a has 4 characters; at most 3 are allowed" }, { error_of(rule, { a = "a-bc" }) })
    assert.same({ "a", "a may have letters and digits only" }, { error_of(rule, { a = "a-b" }) })
    assert.same({ "b", "b is missing" }, { error_of(rule, { a = "abc" }) })
  end)

  it("applies a rule with `when` only to values that satisfy the condition", function()
    local rule = { is = "object", open = true, also = { {
      when = open { kind = { required = true, one_of = { "long" } } }, is = "object", open = true,
      fields = { size = { required = true } },
    } } }
    assert.is_nil(error_of(rule, { kind = "short" }))
    assert.is_nil(error_of(rule, {}))
    assert.is_nil(error_of(rule, { kind = "long", size = 1 }))
    assert.equal("size", (error_of(rule, { kind = "long" })))
  end)

  it("omits an inferred rule in `also` in the mode documented", function()
    local rule = open { a = { is = "string", also = { { is = "string", inferred = { characters = { 2 } } } } } }
    assert.equal("a", (error_of(rule, { a = "x" })))
    assert.is_nil(error_of(rule, { a = "x" }, "documented"))
  end)

  it("may have its own error text, with the value", function()
    local rule = open { size = { is = "integer", range = { 1, 5 }, or_value = -1, message = "is %s; 1 to 5, or -1" } }
    assert.is_nil(error_of(rule, { size = -1 }))
    assert.is_nil(error_of(rule, { size = 5 }))
    assert.same({ "size", "size is 6; 1 to 5, or -1" }, { error_of(rule, { size = 6 }) })
    assert.same({ "size", 'size is "%s"; 1 to 5, or -1' }, { error_of(rule, { size = "%s" }) })
  end)

  it("reports one of several errors: that of the first missing or invalid field in alphabetical order", function()
    local text, required = { is = "string" }, { is = "string", required = true }
    local rule = { is = "object", fields = { b = required, d = required, a = text, c = text, e = text } }
    for _, row in ipairs {
      { {}, "b" }, { { b = "x" }, "d" }, { { d = "x" }, "b" }, { { b = 1 }, "b" }, { { b = "x", d = 1 }, "d" },
      { { a = 1 }, "a" }, { { c = 1 }, "b" }, { { b = "x", c = 1 }, "c" }, { { b = "x", e = 1 }, "d" },
      { { b = "x", d = "x", a = 1, c = 1, e = 1 }, "a" }, { { b = 1, d = 1, a = 1, c = 1, e = 1 }, "a" },
      { { b = "x", d = "x", c = 1, e = 1 }, "c" }, { { b = "x", d = "x" }, nil },
    } do
      assert.equal(row[2], (error_of(rule, row[1])))
    end
    local one = { is = "object", fields = { b = required, a = text } }
    assert.same({ "b", "b is missing" }, { error_of(one, {}) })
    assert.equal("a", (error_of(one, { a = 1 })))
    assert.is_nil(error_of({ is = "object", fields = { a = text } }, {}))
  end)

  it("refuses a list instead of an object, and an unknown field", function()
    for _, is_open in ipairs { true, false } do
      local rule = { is = "object", open = is_open or nil, fields = { a = { is = "string" } } }
      for _, value in ipairs { { "x" }, { "x", a = "y" } } do
        local path, message = error_of(rule, value)
        assert.matches("must be an object", message, 1, true)
        assert.is_truthy(path == nil or path == "")
      end
      assert.equal(not is_open and "b" or nil, (error_of(rule, { b = 1 })))
    end
  end)

  it("selects a variant by a field, in either case if its rule says so", function()
    local rule = { is = "object", by = "type", variants = { a = open { x = { is = "string" } } } }
    assert.equal("x", (error_of(rule, { type = "a", x = 1 })))
    for _, tag in ipairs { "A", "b", 5, true } do assert.equal("type", (error_of(rule, { type = tag }))) end
    assert.equal("type", (error_of(rule, {})))
    assert.matches("must be an object", select(2, error_of(rule, { "x" })), 1, true)
    rule = { is = "object", by = "type", either_case = true, variants = { a = open { x = { is = "string" } } } }
    assert.equal("x", (error_of(rule, { type = "A", x = 1 })))
    assert.is_nil((error_of(rule, { type = "A" })))
    for _, tag in ipairs { "B", 5, true } do assert.equal("type", (error_of(rule, { type = tag }))) end
    rule = { is = "object", by = "type", without = open { y = { required = true } }, variants = { a = open {} } }
    assert.equal("y", (error_of(rule, {})))
    assert.is_nil((error_of(rule, { y = 1 })))
    assert.is_nil((error_of(rule, { type = "a" })))
    rule = { is = "object", by = "type", variants = { a = open {}, b = { unsupported = "does not exist" } } }
    assert.same({ "type", "does not exist" }, { error_of(rule, { type = "b" }) })
    assert.equal("type", (error_of(rule, { type = "c" })))
  end)

  it("with open variants accepts values without one", function()
    local rule = { is = "object", by = "type", open = true, variants = { a = open { x = { is = "string" } } } }
    assert.is_nil(error_of(rule, { type = "b", x = 1 }))
    assert.is_nil(error_of(rule, { x = 1 }))
    assert.equal("x", (error_of(rule, { type = "a", x = 1 })))
  end)

  it("of a list may require an element, and a limited number of elements", function()
    local each = open { type = { is = "string", required = true } }
    local function list(...)
      local elements = {}
      for i, kind in ipairs { ... } do elements[i] = { type = kind } end
      return elements
    end
    local rule = { is = "list", each = each, has = { is = "object", open = true, message = "has no B; one is needed",
      fields = { type = { one_of = { "B" } } } } }
    assert.is_nil(error_of(rule, list("A", "B")))
    assert.matches("has no B; one is needed", select(2, error_of(rule, list("A", "C"))), 1, true)
    rule = { is = "list", each = each, at_most = { field = "type", counts = { B = 1, c = 2 } } }
    assert.is_nil(error_of(rule, list("A", "A", "A", "B", "c", "C")))
    assert.equal("[2].type", (error_of(rule, list("B", "B"))))
    assert.equal("[4].type", (error_of(rule, list("C", "A", "c", "C"))))
  end)
end)
