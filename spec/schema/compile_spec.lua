local schema = require "waba.schema"

-- Returns the path and the message of the error for a value, or nil.
local function error_of(rule, value, mode)
  local valid, err = schema.validate(mode or true, rule, value)
  if not valid then return err.path, err.message end
end

local function open(fields)
  return { is = "object", open = true, fields = fields }
end

describe("a rule", function()
  it("applies the rules in also after its own", function()
    local rule = { is = "object", fields = { a = { is = "string", characters = { 1, 3 } }, b = { is = "string" } },
      also = { open { a = { is = "string", format = "alphanumeric" } }, open { b = { required = true } } } }
    assert.is_nil(error_of(rule, { a = "xy", b = "" }))
    assert.same({ "a", "a has 4 characters; at most 3 are allowed" }, { error_of(rule, { a = "a-bc" }) })
    assert.same({ "a", "a may have letters and digits only" }, { error_of(rule, { a = "a-b" }) })
    assert.same({ "b", "b is missing" }, { error_of(rule, { a = "abc" }) })
  end)

  it("applies a rule with when only to values that satisfy its condition", function()
    local rule = { is = "object", open = true, also = { {
      when = open { kind = { required = true, one_of = { "long" } } }, is = "object", open = true,
      fields = { size = { required = true } },
    } } }
    assert.is_nil(error_of(rule, { kind = "short" }))
    assert.is_nil(error_of(rule, {}))
    assert.is_nil(error_of(rule, { kind = "long", size = 1 }))
    assert.equal("size", (error_of(rule, { kind = "long" })))
  end)

  it("omits an inferred rule in also in the mode documented", function()
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

  it("with open variants accepts values without one", function()
    local rule = { is = "object", by = "type", open = true, variants = { a = open { x = { is = "string" } } } }
    assert.is_nil(error_of(rule, { type = "b", x = 1 }))
    assert.is_nil(error_of(rule, { x = 1 }))
    assert.equal("x", (error_of(rule, { type = "a", x = 1 })))
  end)

  it("may require a value at a path", function()
    local never = { message = "is never met", fits = function(text) return text == "yes" end }
    local rule = { is = "object", open = true, present = { path = "a.b", unless = "c", message = "it counts" } }
    assert.same({ "a.b", "a.b is missing; it counts" }, { error_of(rule, {}) })
    assert.is_nil(error_of(rule, { a = { b = false } }))
    assert.is_nil(error_of(rule, { c = 1 }))
    rule = { is = "object", open = true, present = { path = "a", when = { field = "d", format = never }, message = "" } }
    assert.is_nil(error_of(rule, { d = "no" }))
    assert.equal("a", (error_of(rule, { d = "yes" })))
  end)

  it("of a list may require an element, groups, and a limited number of elements", function()
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
    rule = { is = "list", each = each, grouped = { field = "type", value = "B" } }
    assert.is_nil(error_of(rule, list("B", "B", "A", "C")))
    assert.is_nil(error_of(rule, list("A", "C", "B")))
    assert.equal("[3].type", (error_of(rule, list("B", "A", "B"))))
    assert.equal("[3].type", (error_of(rule, list("A", "B", "A", "B"))))
    rule = { is = "list", each = each, at_most = { field = "type", counts = { B = 1, c = 2 } } }
    assert.is_nil(error_of(rule, list("A", "A", "A", "B", "c", "C")))
    assert.equal("[2].type", (error_of(rule, list("B", "B"))))
    assert.equal("[4].type", (error_of(rule, list("C", "A", "c", "C"))))
  end)
end)
