-- Each rule of the schema for objects, lists and single values, with values that satisfy the rule, and the error for
-- other values.

local core = require "waba.core"
local new_error = require("waba.schema.errors").new
local schema = require "waba.schema"

-- Checks a value of a message's field. Returns "valid", or "path: message" of the error.
local function check(rule, value)
  local valid, err = schema.validate(true, { is = "object", fields = { it = rule } }, { it = value })
  return valid and "valid" or err.path .. ": " .. err.message
end

local function object(rule)
  rule.is, rule.open = "object", true
  return rule
end

local function list(rule)
  rule.is, rule.each = "list", rule.each or { is = "object", open = true }
  return rule
end

local TEXT = { is = "string", characters = { 1, 3 } }
local ROWS = {
  -- single values
  { TEXT, "abc", "valid" }, { TEXT, "ääö", "valid" }, { TEXT, "abcd", "it: it has 4 characters; at most 3 are allowed" },
  { TEXT, "", "it: it is empty; at least 1 character is needed" },
  { { is = "string", characters = { 2, 1 } }, "x", "it: it has 1 character; at least 2 characters are needed" },
  { { is = "string", characters = { 0, 1 } }, "xy", "it: it has 2 characters; at most 1 is allowed" },
  { TEXT, true, "it: it must be a string, not a boolean" }, { TEXT, 5, "it: it must be a string, not a number" },
  { TEXT, {}, "it: it must be a string, not an object" }, { TEXT, { 1 }, "it: it must be a string, not a list" },
  { TEXT, core.null, "it: it must be a string, not null" }, { TEXT, "a\255", "it: it is not valid UTF-8 at byte 2" },
  { TEXT, 2 ^ 53, "it: it is a number too large to be exact (2^53 and more); it must be a string of digits" },
  { TEXT, -2 ^ 53, "it: it is a number too large to be exact (2^53 and more); it must be a string of digits" },
  { TEXT, 2 ^ 53 - 1, "it: it must be a string, not a number" },
  { { is = "boolean" }, false, "valid" }, { { is = "boolean" }, 1, "it: it must be a boolean, not a number" },
  { { is = "boolean" }, 2 ^ 53, "it: it must be a boolean, not a number" },
  { { is = "integer" }, 5, "valid" }, { { is = "integer" }, 5.5, "it: it is 5.5; it must be an integer" },
  { { is = "integer" }, "5", "it: it must be an integer, not a string" },
  { { is = "number" }, 0 / 0, "it: it must be a finite number" }, { { is = "number" }, math.huge, "it: it must be a finite number" },
  { { is = "number" }, -math.huge, "it: it must be a finite number" },
  { { is = "number", range = { 1, 5 } }, 1, "valid" }, { { is = "number", range = { 1, 5 } }, 5, "valid" },
  { { is = "number", range = { 1, 5 } }, 0, "it: it is 0; allowed is 1 to 5" },
  { { is = "number", range = { 1, 5 } }, 6, "it: it is 6; allowed is 1 to 5" },
  { { is = "number", range = { 1 } }, 0, "it: it is 0; it must be at least 1" }, { { is = "number", range = { 1 } }, 1e9, "valid" },
  { { is = "number", range = { 1, 5 }, or_value = -1 }, -1, "valid" },
  { { is = "decimal" }, "5.5", "valid" }, { { is = "decimal" }, 5, "valid" }, { { is = "decimal" }, "-5", "valid" },
  { { is = "decimal" }, ("5"):rep(40), "valid" },
  { { is = "decimal" }, ("5"):rep(41), "it: it must be a number, or a string that represents one" },
  { { is = "decimal" }, "5e3", "it: it must be a number, or a string that represents one" },
  { { is = "decimal", range = { 0, 5 } }, "6", "it: it is 6; allowed is 0 to 5" },
  { { one_of = { "a", 5 } }, "a", "valid" }, { { one_of = { "a", 5 } }, 5, "valid" },
  { { one_of = { "a", 5 } }, "b", 'it: it is "b"; allowed is "a", 5' },
  { { one_of = { "a" } }, ("b"):rep(41), 'it: it is something else; allowed is "a"' },
  { { one_of = { "a" } }, "b\n", 'it: it is something else; allowed is "a"' },
  { { one_of = { "a" } }, ("b"):rep(40), 'it: it is "' .. ("b"):rep(40) .. '"; allowed is "a"' },
  { { one_of = { "a" }, as = "an a" }, {}, "it: it is an object; allowed is an a" },
  -- objects
  { { is = "object", fields = { size = TEXT } }, { siz = "x" }, "it.siz: it.siz is not a known field; did you mean size?" },
  { { is = "object", fields = { inner = { is = "object", fields = { size = TEXT } } } }, { siz = "x" },
    "it.siz: it.siz is not a known field; did you mean inner.size?" },
  { { is = "object", fields = { size = TEXT }, suggest = { "weight" } }, { wieght = "x" },
    "it.wieght: it.wieght is not a known field; did you mean weight?" },
  { { is = "object", fields = { size = TEXT } }, { quite_another = "x" }, "it.quite_another: it.quite_another is not a known field" },
  { { is = "object", fields = { size = TEXT } }, { ["a\n"] = "x" },
    "it: it has an unknown field, whose name is too long or not printable" },
  { { is = "object", fields = { size = TEXT } }, { [5] = "x" },
    "it: it must be an object; it has the key 5, which is not a string" },
  { object { exactly_one = { "a", "b", "c" } }, { a = 1 }, "valid" },
  { object { exactly_one = { "a", "b", "c" } }, {}, "it: it needs a or b or c" },
  { object { exactly_one = { "a", "b", "c" } }, { a = 1, c = 2 }, "it: it has a and c; exactly one of them is allowed" },
  { object { exactly_one = { "a", "b", "c" } }, { a = 1, b = 3, c = 2 }, "it: it has a and b and c; exactly one of them is allowed" },
  { object { at_least_one = { "a", "b" } }, { b = 1 }, "valid" }, { object { at_least_one = { "a", "b" } }, { c = 1 },
    "it: it needs at least one of a, b" },
  { object { only_with = { a = "b" } }, { a = 1, b = 1 }, "valid" }, { object { only_with = { a = "b" } }, { b = 1 }, "valid" },
  { object { only_with = { a = "b", c = "d" } }, { a = 1, c = 1 }, "it.a: it.a is allowed together with b only" },
  { object { requires = { a = { x = "b" } } }, { a = "x" }, 'it.b: it.b is missing; it is required if a is "x"' },
  { object { requires = { a = { x = "b" } } }, { a = "x", b = 1 }, "valid" },
  { object { requires = { a = { x = "b" } } }, { a = "y" }, "valid" },
  { object { not_empty = true }, {}, "it: it is empty; at least 1 field is needed" }, { object { not_empty = true }, { a = 1 }, "valid" },
  { object { fields = { a = TEXT }, check = function(value) return value.a == "no" and new_error("is refused", ".a") or nil end },
    { a = "no" }, "it.a: it.a is refused" },
  -- lists
  { list {}, {}, "it: it is empty; at least 1 element is needed" }, { list { count = { 0 } }, {}, "valid" },
  { list { count = { 2, 3 } }, { {} }, "it: it has 1 element; at least 2 elements are needed" },
  { list { count = { 2, 3 } }, { {}, {}, {} }, "valid" },
  { list { count = { 2, 3 } }, { {}, {}, {}, {} }, "it: it has 4 elements; at most 3 are allowed" },
  { list {}, { a = 1 }, "it: it must be a list, not an object" }, { list {}, "x", "it: it must be a list, not a string" },
  { list {}, { {}, a = 1 }, "it: it must be a list; it also has keys that are not positions" },
  { list {}, { {}, [1.5] = 1 }, "it: it must be a list; it also has keys that are not positions" },
  { list {}, { {}, [0] = 1 }, "it: it must be a list; it also has keys that are not positions" },
  { list {}, { {}, nil, {} }, "it[2]: it[2] is missing; a list must have no gaps" },
  { list { each = TEXT }, { "a", "abcd" }, "it[2]: it[2] has 4 characters; at most 3 are allowed" },
  { list { unique = { "a.b" } }, { { a = { b = 1 } }, {}, { a = { b = "1" } } },
    "it[3].a.b: it[3].a.b repeats an earlier value; it must be unique" },
  { list { unique = { "a" } }, { { a = 1 }, { a = 2 }, {}, {} }, "valid" },
  { list { unique = { "rows[].id" } }, { { rows = { { id = 1 }, { id = 2 } } }, { rows = { { id = 3 }, { id = 2 } } } },
    "it[2].rows[2].id: it[2].rows[2].id repeats an earlier value; it must be unique" },
  { list { unique = { "rows[].id" } }, { { rows = { { id = 1 } } }, { rows = { { id = 2 } } } }, "valid" },
  { list { same = { "a.b" } }, { { a = { b = 1 } }, { a = { b = 1 } } }, "valid" },
  { list { same = { "a" } }, { { a = 1 }, { a = 1 }, {} },
    "it[3].a: it[3].a differs from that of the first element; it must be the same in all elements" },
  { list { same = { "#a" } }, { { a = { 1 } }, { a = { 2 } } }, "valid" }, { list { same = { "#a" } }, { {}, {} }, "valid" },
  { list { same = { "#a" } }, { { a = { 1 } }, { a = { 2, 3 } } },
    "it[2].a: it[2].a differs from that of the first element; it must be the same in all elements" },
  { list { total = { of = "rows", most = 3 } }, { { rows = { 1, 2 } }, { rows = { 3 } } }, "valid" },
  { list { total = { of = "rows", most = 3 } }, { { rows = { 1, 2 } }, { rows = { 3, 4 } } },
    "it: it has 4 rows in all; at most 3 are allowed" },
  { list { when_several = "title" }, { {} }, "valid" }, { list { when_several = "title" }, { { title = "a" }, { title = "b" } }, "valid" },
  { list { when_several = "title" }, { { title = "a" }, {} },
    "it[2].title: it[2].title is missing; it is required if the list has several elements" },
  { list { at_most = { field = "type", counts = { B = 1, c = 2 } } }, { { type = "B" }, { type = "B" } },
    "it[2].type: it[2].type is B again; at most 1 is allowed" },
  { list { at_most = { field = "type", counts = { B = 1, c = 2 } } }, { { type = "c" }, { type = "C" }, {}, { type = "c" } },
    "it[4].type: it[4].type is c again; at most 2 are allowed" },
  { list { all_or_none = { "a", "b" } }, { { a = 1, b = 1 }, { a = 2, b = 2 } }, "valid" },
  { list { all_or_none = { "a" } }, { {}, {} }, "valid" },
  { list { all_or_none = { "a", "b" } }, { { a = 1, b = 1 }, { a = 1, b = 1 }, { a = 2 } },
    "it[3].b: it[3].b is missing; either all elements have b, or none" },
  { list { all_or_none = { "a" } }, { {}, { a = 2 } }, "it[1].a: it[1].a is missing; either all elements have a, or none" },
  { list { body_text = { beside = 3, alone = 5 } }, { { type = "BODY", parameters = { { text = "äbc" }, {}, { text = "de" } } } },
    "valid" },
  { list { body_text = { beside = 3, alone = 5 } }, { { type = "body", parameters = { { text = "abcdef" } } } },
    "it[1]: it[1] has 6 characters in its texts; at most 5 are allowed" },
  { list { body_text = { beside = 3, alone = 5 } }, { { type = "header" }, { type = "body", parameters = { { text = "abcd" } } } },
    "it[2]: it[2] has 4 characters in its texts; at most 3 are allowed beside other components" },
  { list { body_text = { beside = 3, alone = 5 } }, { { type = "header" }, { type = "body", parameters = { { text = "äöü" } } } },
    "valid" },
  { list { body_text = { beside = 3, alone = 5 } }, { { type = "header", parameters = { { text = "abcd" } } }, { type = "body" } },
    "valid" },
}

describe("a rule", function()
  for index, row in ipairs(ROWS) do
    it(("returns for value %d %s"):format(index, row[3]), function()
      assert.equal(row[3], check(row[1], row[2]))
    end)
  end
end)
