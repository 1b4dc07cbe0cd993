-- src/json.c through waba.core: encode and decode, compared with expected values and with a slow decoder in Lua.

local folder = require "spec.support.folder"
local core = require "waba.core"

local null = core.null
local has_integers = math.type ~= nil
local number_kind = math.type or type
local maxinteger, mininteger = rawget(math, "maxinteger"), rawget(math, "mininteger")
local tointeger = rawget(math, "tointeger")
local huge = math.huge

-- WABA_FUZZ=50 repeats the random tests 50 times as often.
local rounds = tonumber(os.getenv "WABA_FUZZ" or 1)

local function refused(path, pattern, value)
  local json, message, where = core.encode(value)
  assert.is_nil(json)
  assert.matches(pattern, message)
  assert.equal(path, where)
end

local function nested(levels, innermost)
  local value = innermost
  for _ = 1, levels do value = { value } end
  return value
end

describe("encode", function()
  it("writes every kind of value", function()
    assert.equal("null", core.encode(nil))
    assert.equal("null", core.encode(null))
    assert.equal("true", core.encode(true))
    assert.equal("false", core.encode(false))
    assert.equal('""', core.encode "")
    assert.equal("{}", core.encode {})
    assert.equal("[1,2,3]", core.encode { 1, 2, 3 })
    assert.equal('{"a":{"b":[{"c":null}]}}', core.encode { a = { b = { { c = null } } } })
    assert.equal("[false,true,[],{}]", (core.encode { false, true, { 1 }, {} }:gsub("%[1%]", "[]")))
  end)

  it("escapes only the characters that JSON requires", function()
    local text = 'quote " backslash \\ tab \t newline \n NUL \0 Gr\195\188\195\159e \240\159\152\128'
    local json = core.encode(text)
    assert.is_nil(json:find "%c")
    assert.matches("Gr\195\188\195\159e \240\159\152\128", json)
    assert.equal(text, core.decode(json))
  end)

  it("escapes a character at any position of a long text", function()
    local escapes = { ['"'] = '\\"', ["/"] = "\\/", ["\\"] = "\\\\", ["\n"] = "\\n", ["\31"] = "\\u001f", ["\127"] = "\\u007f",
      [" "] = " ", ["!"] = "!", ["~"] = "~", ["ä"] = "ä" }
    for position = 0, 40 do
      local before, after = ("a"):rep(position), ("z"):rep(40 - position)
      for character, escape in pairs(escapes) do
        assert.equal('"' .. before .. escape .. after .. '"', core.encode(before .. character .. after))
      end
    end
    refused("", "UTF%-8", ("a"):rep(20) .. "\128" .. ("z"):rep(20))
  end)

  it("writes the same bytes with every cjson", function()
    -- The cjson module of an application. As OpenResty's cjson, it has values and metatables that mark arrays.
    local real = package.loaded.cjson
    local mark, mt, array_mt = io.stdout, {}, {}
    package.loaded.cjson = {
      empty_array = mark, empty_array_mt = mt, array_mt = array_mt,
      encode = error, new = function() error "not asked for" end,
    }
    local written = { pcall(core.encode, {
      setmetatable({}, mt), setmetatable({}, array_mt), setmetatable({}, {}), {},
      setmetatable({ 1 }, array_mt), setmetatable({ a = 1 }, { __len = function() return 2 end }),
      setmetatable({ b = 1 }, { __index = function() return 1 end }),
      setmetatable({ c = 1 }, { __pairs = function() return next, {} end }),
    }) }
    package.loaded.cjson = real
    assert.same({ true, '[[],[],{},{},[1],{"a":1},{"b":1},{"c":1}]' }, written)
  end)

  it("writes core.empty_array as an empty array", function()
    assert.equal('{"a":[]}', core.encode { a = core.empty_array })
    assert.equal("[[],{}]", core.encode { core.empty_array, {} })
  end)

  it("writes OpenResty's cjson.empty_array as an empty array", function()
    local cjson = require "cjson"
    if not cjson.empty_array then return refused("a", "userdata", { a = io.stdout }) end -- Debian's cjson has no `empty_array`
    assert.equal('{"a":[]}', core.encode { a = cjson.empty_array })
    assert.equal("[[],[]]", core.encode { cjson.empty_array, setmetatable({}, cjson.empty_array_mt) })
  end)

  it("writes names that look like numbers as strings", function()
    assert.equal('{"1":"a"}', core.encode { ["1"] = "a" })
    assert.equal('{"-":"-1"}', core.encode { ["-"] = "-1" })
    assert.equal('{"491511234567":["1","2"]}', core.encode { ["491511234567"] = { "1", "2" } })
    assert.equal('{"a\\"1":"\\"1\\""}', core.encode { ['a"1'] = '"1"' })
    assert.equal('{"\\\\":"\\\\"}', core.encode { ["\\"] = "\\" })
  end)

  describe("of numbers", function()
    it("keeps every digit of an integer", function()
      assert.equal("49900", core.encode(49900))
      assert.equal("-1", core.encode(-1))
      assert.equal("0", core.encode(0))
      assert.equal("99999999999999", core.encode(99999999999999))
      assert.equal("123456789012345", core.encode(123456789012345))
      assert.equal("[-9007199254740992,9007199254740991]", core.encode { -9007199254740992, 9007199254740991 })
      assert.equal('{"to":491511234567890}', core.encode { to = 491511234567890 })
      if has_integers then
        assert.equal("9007199254740993", core.encode(tonumber "9007199254740993"))
        assert.equal("[9223372036854775807,-9223372036854775808]", core.encode { maxinteger, mininteger })
      end
    end)

    it("writes a whole number without a decimal point", function()
      assert.equal("123", core.encode(123.0))
      assert.equal("49900", core.encode(49900.0))
      assert.equal("[1152921504606846976]", core.encode { 2.0 ^ 60 })
    end)

    it("keeps every digit of a fraction", function()
      assert.equal("0.1", core.encode(0.1))
      assert.equal("52.520008", core.encode(52.520008))
      assert.equal("-46.63330810000001", core.encode(-46.63330810000001))
      assert.equal("[0.30000000000000004,1.5]", core.encode { 0.1 + 0.2, 1.5 })
      assert.equal("0.3333333333333333", core.encode(1 / 3))
    end)

    it("does not change text that looks like a marked number", function()
      -- While cjson encodes, the module replaces long numbers by marked strings. A text that looks like a marked string
      -- must not become a number.
      local value = { 123456789012345, "123456789012345", '"123456789012345"', "\195\191123456789012345", "\\" }
      assert.equal('[123456789012345,"123456789012345","\\"123456789012345\\"","\195\191123456789012345","\\\\"]',
        core.encode(value))
      refused("[2]", "UTF%-8", { 123456789012345, "\255123456789012345" })
      refused("", "UTF%-8", { ["\2551"] = 123456789012345 })
    end)

    it("reads each one with the same value", function()
      math.randomseed(42 + rounds)
      for i = 1, 6000 * rounds do
        local number = (math.random() - 0.5) * 10 ^ math.random(-320, 308)
        if i % 4 == 0 then number = math.floor(number % 1e17) end
        if i % 4 == 1 then number = math.floor(number % 1e9) / 10 ^ math.random(0, 12) end
        local json = core.encode(i % 2 == 0 and number or { number })
        local back = core.decode(json)
        if type(back) == "table" then back = back[1] end
        if type(back) == "string" then -- whole numbers beyond 2^53 are decoded to strings
          assert.is_true(math.abs(number) > 2 ^ 53)
          assert.equal(("%.0f"):format(number), back)
        elseif back ~= number then
          error(("%.17g came back as %.17g from %s"):format(number, back, json))
        end
      end
    end)
  end)

  describe("refuses, with the path,", function()
    it("text that is not UTF-8", function()
      refused("", "UTF%-8 at byte 3", "ab\255")
      refused("text.body", "UTF%-8 at byte 1", { text = { body = "\237\160\128" } })
      refused("template.components[2].type", "UTF%-8", { template = { components = { { type = "a" },
        { type = "\192\128" } } } })
      refused("a", "name is not valid UTF%-8", { a = { ["b\255"] = 1 } })
    end)

    it("NaN and infinities", function()
      refused("", "NaN", 0 / 0)
      refused("location.latitude", "NaN", { location = { latitude = 0 / 0 } })
      refused("[1][2]", "infinite", { { 1, huge } })
      refused("[1]", "infinite", { -huge, 123456789012345 })
    end)

    it("arrays with holes", function()
      refused("", "hole at position 2", { 1, nil, 3 })
      refused("a", "hole at position 1", { a = { [2] = 1 } })
      refused("", "hole at position 1", { [11] = 1 })
      refused("[2]", "hole at position 3", { 1, { 1, 2, nil, 4 } })
      refused("", "hole", { [1] = 1, [2 ^ 40] = 2 })
    end)

    it("tables with positions and names, and keys that are neither", function()
      refused("", "positions and names", { 1, 2, a = 3 })
      refused("a[1]", "positions and names", { a = { { "x", x = "x" } } })
      refused("", "no position", { [0] = 1 })
      refused("", "no position", { [-1] = 1 })
      refused("a", "no position", { a = { [1.5] = 1 } })
      refused("", "no position", { [huge] = 1 })
      refused("", "type boolean", { [true] = 1 })
      refused("", "type table", { [{}] = 1 })
    end)

    it("values of types that JSON does not have", function()
      refused("", "type function", print)
      refused("a.b", "type function", { a = { b = print } })
      refused("[1]", "type thread", { coroutine.create(function() end) })
      refused("a", "type userdata", { a = io.stdout })
    end)

    it("cycles", function()
      local value = { a = { {} } }
      value.a[1].b = value
      refused("a[1].b", "contains itself", value)
      local own = {}
      own[1] = own
      refused("[1]", "contains itself", own)
    end)

    it("more than 100 levels", function()
      assert.equal(("["):rep(99) .. "{}" .. ("]"):rep(99), core.encode(nested(99, {})))
      assert.equal(("["):rep(100) .. '"x"' .. ("]"):rep(100), core.encode(nested(100, "x")))
      refused(("[1]"):rep(100), "more than 100 levels", nested(100, {}))
      refused(("[1]"):rep(100), "more than 100 levels", nested(5000, "x"))
      refused(("[1]"):rep(100), "more than 100 levels", nested(100, { 123456789012345 }))
      local object = {}
      for _ = 1, 100 do object = { a = object } end
      assert.equal(('{"a":'):rep(99) .. "{}" .. ("}"):rep(99), core.encode(object.a))
      refused(("a."):rep(99) .. "a", "more than 100 levels", object)
    end)

    it("with names in brackets if they are not identifiers", function()
      refused('["a b"].c_1["1"]', "NaN", { ["a b"] = { c_1 = { ["1"] = 0 / 0 } } })
      refused('[""]', "NaN", { [""] = 0 / 0 })
    end)

    it("with an unchanged name if it is an identifier", function()
      for byte = 32, 126 do
        local character = string.char(byte)
        for _, name in ipairs { character, "a" .. character } do
          local _, _, path = core.encode { [name] = print }
          assert.equal(name:find "^[%a_][%w_]*$" and name or '["' .. name .. '"]', path)
        end
      end
    end)

    it("without quoting the text", function()
      assert.equal("z.azAZ_09", select(3, core.encode { z = { azAZ_09 = "\255" } }))
      local _, message, path = core.encode { password = "geheim\255" }
      assert.not_matches("geheim", message)
      assert.equal("password", path)
    end)
  end)

  it("accepts a table that occurs in two places", function()
    local shared = { 1 }
    assert.equal("[[1],[1]]", core.encode { shared, shared })
  end)

  it("ignores metamethods", function()
    local strange = setmetatable({ a = 1 }, {
      __index = function() error "called" end, __pairs = function() error "called" end,
      __len = function() error "called" end, __tostring = function() error "called" end,
    })
    assert.equal('{"a":1}', core.encode(strange))
    local list = setmetatable({ "x" }, getmetatable(strange))
    assert.equal('["x"]', core.encode(list))
    refused("", "hole", setmetatable({ nil, 2 }, getmetatable(strange)))
  end)

  it("encodes large values", function()
    local list, text = {}, ("x"):rep(1000)
    for i = 1, 5000 do list[i] = { id = i, text = text } end
    local json = core.encode(list)
    assert.is_true(#json > 5000000)
    local back = core.decode(json)
    assert.equal(5000, #back)
    assert.equal(5000, back[5000].id)
    assert.equal('{"a":"b"}', core.encode { a = "b" })
  end)

  it("refuses a value whose text is too long because it contains the same parts many times", function()
    local text, level = ("x"):rep(1024 * 1024), { "x" }
    local list = {}
    for i = 1, 3000 do list[i] = text end
    refused("", "64 MiB", list)
    for _ = 1, 60 do level = { level, level } end
    refused("", "64 MiB", level)
  end)

  it("refuses a value that is too large for cjson's counters", function()
    local text = ("x"):rep(1024 * 1024)
    local list = {}
    for i = 1, 65 do list[i] = text end
    refused("", "64 MiB", list)
  end)

  it("raises an error without an argument", function()
    assert.has_error(function() core.encode() end)
  end)
end)

describe("decode", function()
  it("reads every kind of value", function()
    assert.equal(null, core.decode "null")
    assert.is_true(core.decode "true")
    assert.same({ false }, { core.decode "false" })
    assert.equal("x", core.decode '"x"')
    assert.same({}, core.decode "{}")
    assert.same({}, core.decode "[]")
    assert.same({ a = { 1, { b = null } } }, core.decode ' { "a" : [ 1 , { "b" : null } ] } \r\n\t')
  end)

  it("makes whole numbers integers", function()
    local value = core.decode "[1, -7, 0, 123.0, 1e3, 1.5E+1, 1699999999, 9007199254740992, -9007199254740992, -0]"
    local expected = { 1, -7, 0, 123, 1000, 15, 1699999999, 9007199254740992, -9007199254740992, 0 }
    for i, number in ipairs(expected) do
      assert.equal(number, value[i])
      if has_integers then assert.equal("integer", math.type(value[i])) end
    end
    assert.equal("t=1699999999", "t=" .. core.decode '{"timestamp":1699999999}'.timestamp)
    assert.equal("5", tostring(core.decode "5"))
    assert.equal("5", tostring(core.decode "5.0"))
  end)

  it("returns fractions and very large numbers as floats", function()
    assert.same({ 1.5, -0.25, 52.520008, 1e300, 1e-7 }, core.decode "[1.5,-0.25,52.520008,1e300,1e-7]")
    assert.equal(2 ^ 60, core.decode "1152921504606846976.0")
  end)

  it("returns integers beyond 2^53 as strings with all digits", function()
    local value = core.decode '{"a":[9007199254740993,{"b":-9007199254740993}],"c":18446744073709551615,"d":1}'
    assert.same({ a = { "9007199254740993", { b = "-9007199254740993" } }, c = "18446744073709551615", d = 1 }, value)
    assert.equal("123456789012345678", core.decode "123456789012345678")
    assert.equal(("9"):rep(5000), core.decode(("9"):rep(5000)))
    assert.same({ "12345678901234567890" }, core.decode "[ 12345678901234567890 ]")
    assert.same({ "12345678901234567890", "12345678901234567891" },
      core.decode "[12345678901234567890,12345678901234567891]")
    assert.same({ '"12345678901234567890' }, core.decode '["\\"12345678901234567890"]')
  end)

  it("refuses numbers that JSON does not have", function()
    for _, number in ipairs {
      "NaN", "nan", "-NaN", "-nan", "Infinity", "-Infinity", "inf", "-inf", "0x10", "0X1p3", "-0x1", "010", "-010",
      "00", "+1",
      "1.", "-1.", ".5", "-.5", "1e", "1e+", "1.e5", "1e5.5", "-", "--1", "1-", "1_000", "1,000.5.5", "0b1", "1f",
      "1d", "1L",
      "1 2", "01e5", "1.5.5", "\239\188\145", "True", "None", "undefined", "nul", "nulll", "truefalse", "nullnull",
      "true1",
    } do
      for _, text in ipairs { number, "[" .. number .. "]", '{"a":' .. number .. "}" } do
        local value, message = core.decode(text)
        assert.is_nil(value, text)
        assert.is_string(message)
      end
    end
  end)

  it("refuses numbers that are too large for a double", function()
    for _, number in ipairs { "1e999", "-1e999", "1e309", "1.8e308", ("9"):rep(400) .. ".0", "12345e400" } do
      assert.same({ nil, "a number is too large" }, { core.decode("[[" .. number .. "]]") })
      assert.same({ nil, "a number is too large" }, { core.decode(number) })
    end
    assert.equal(1.7e308, core.decode "1.7e308")
    assert.equal(0, core.decode "1e-999")
  end)

  it("returns an error for an empty text and for other encodings", function()
    assert.same({ nil, "the text is empty" }, { core.decode "" })
    assert.same({ nil, "the text is empty" }, { core.decode " \r\n\t " })
    assert.matches("byte order mark", select(2, core.decode "\239\187\191{}"))
    assert.matches("byte order mark", select(2, core.decode "\239\187\191"))
    assert.matches("byte 1", select(2, core.decode "\255\254{\0}\0"))
  end)

  it("reads fractions of any length", function()
    for digits = 50, 80 do
      assert.equal(1 / 3, core.decode("0." .. ("3"):rep(digits)))
      assert.equal(-1 / 3, core.decode("-0." .. ("3"):rep(digits) .. "e0"))
    end
  end)

  it("refuses invalid JSON with the position of the error", function()
    for _, case in ipairs {
      { "{", "character 2" }, { "{1:2}", "byte 3" },
      { "[1,]", "character 4" }, { '{"a":1,}', "character 8" }, { "{a:1}", "byte 2" },
      { "{9007199254740993 :1}", "byte 19" },
      { "[1]]", "character 4" }, { "{}{}", "character 3" }, { "]", "character 1" }, { "[}", "character 2" },
      { '{"a"}', "character 5" },
      { '"abc', "string has no end at byte 1" }, { '["abc\\"]', "string has no end at byte 2" }, { '"\\', "no end" },
      { '"\\x"', "character" }, { '"\\u12"', "character" }, { "'a'", "byte 1" }, { "[1] // x", "byte 5" },
      { "{}\0", "byte 3" },
      { "[1,\0]", "byte 4" }, { '"a\0b"', "." }, { "[1 2]", "byte 4" }, { '{"a" 1}', "character 6" },
      { "[\11]", "byte 2" },
      { '{"\\q":1}', "an invalid escape at character 3" }, { '{"a":"\\q"}', "an invalid escape at character 7" },
      { '["\\q"]', "an invalid escape at character 3" }, { '{"a', "a string has no end at byte 2" },
      { '{"a\0":1}', "a NUL in a string at byte 4" }, { '{"a":nul}', "an invalid word: .* at byte 6" },
      { "[nul]", "an invalid word: .* at byte 2" }, { "[[1,]]", "expected a value at character 5" },
      { '{"a":[1}', "expected a comma or the end of an array at character 8" },
    } do
      local value, message = core.decode(case[1])
      assert.is_nil(value, case[1])
      assert.matches(case[2], message)
    end
  end)

  it("names each character that can't begin a value", function()
    for byte = 33, 126 do
      local character = string.char(byte)
      local expected = character:find "%l" and "an invalid word: expected true, false or null at byte "
        or character:find '[^%d%-"{}%[%],:]' and "an unexpected character at byte "
      if expected then
        assert.equal(expected .. 2, select(2, core.decode("[" .. character .. "]")))
        assert.equal(expected .. 5, select(2, core.decode("[[] " .. character .. "]")))
        assert.equal(expected .. 1, select(2, core.decode(character)))
      end
    end
  end)

  it("reads 1000 levels and refuses more", function()
    for _, pair in ipairs { { "[", "]" }, { '{"a":', "}" } } do
      local function text(levels) return pair[1]:rep(levels) .. "1.0" .. pair[2]:rep(levels) end
      local value, depth = assert(core.decode(text(1000))), 0
      while type(value) == "table" do
        value = value[1] or value.a
        depth = depth + 1
      end
      assert.equal(1000, depth)
      assert.equal(1, value)
      for _, levels in ipairs { 1001, 100000 } do
        assert.matches("more than 1000 levels", select(2, core.decode(text(levels))))
      end
      assert.matches("more than 1000 levels", select(2, core.decode(pair[1]:rep(1000000))))
    end
    assert.equal(1, #core.decode("[" .. ("[]"):rep(1) .. "]"))
    assert.equal(3000, #core.decode("[" .. ("[],"):rep(2999) .. "[]]"))
  end)

  it("reads the escape of the first and the last character of each length, and of surrogate pairs", function()
    for escape, bytes in pairs {
      ["\\u0000"] = "\0", ["\\u007f"] = "\127", ["\\u0080"] = "\194\128", ["\\u07ff"] = "\223\191",
      ["\\u0800"] = "\224\160\128", ["\\ud7ff"] = "\237\159\191", ["\\ue000"] = "\238\128\128",
      ["\\uFFFF"] = "\239\191\191", ["\\ud800\\udc00"] = "\240\144\128\128", ["\\udbff\\udfff"] = "\244\143\191\191",
      ["\\ud800\\udfff"] = "\240\144\143\191", ["\\udbff\\udc00"] = "\244\143\176\128",
      ["\\udbff\\ue000"] = "\239\191\189\238\128\128", ["\\ud7ff\\udc00"] = "\237\159\191\239\191\189",
      ["\\udc00\\udc00"] = "\239\191\189\239\191\189", ["\\udbff\\udbff"] = "\239\191\189\239\191\189",
    } do
      assert.equal(bytes, core.decode('"' .. escape .. '"'), escape)
      assert.same({ "12345678901234567890", bytes }, core.decode('[12345678901234567890,"' .. escape .. '"]'), escape)
    end
  end)

  it("reads escapes, and replaces half a surrogate pair", function()
    assert.equal("\195\188\226\130\172\0/", core.decode '"\\u00fc\\u20AC\\u0000\\/"')
    assert.equal("\240\159\152\128", core.decode '"\\ud83d\\uDE00"')
    local replacement = "\239\191\189"
    for text, expected in pairs {
      ["\\ud83d"] = replacement, ["a\\uDE00b"] = "a" .. replacement .. "b",
      ["\\ud83d\\ud83d\\ude00"] = replacement .. "\240\159\152\128",
      ["\\ud83dx"] = replacement .. "x", ["\\ud83d\\n"] = replacement .. "\n", ["\\\\ud83d"] = "\\ud83d",
      ["\\ud83d\\u0041"] = replacement .. "A", ["\\ude00\\ud83d"] = replacement .. replacement,
      ["\\ud800"] = replacement, ["\\udbff"] = replacement, ["\\udc00"] = replacement, ["\\udfff"] = replacement,
      ["\\ud83dxude00"] = replacement .. "xude00", ["\\ud83d\\nude00"] = replacement .. "\nude00",
    } do
      assert.equal(expected, core.decode('"' .. text .. '"'))
      assert.same({ [expected] = { "12345678901234567890", expected } },
        core.decode('{"' .. text .. '":[12345678901234567890,"' .. text .. '"]}'))
    end
  end)

  it("reads many names of all lengths, repeated and in objects of changing sizes", function()
    for round = 1, 3 do
      local parts, expected = {}, {}
      for number = 1, 600 do
        local name = ("%d"):format(number):rep(number % 13 + 1)
        parts[number] = ('{"%s":{"%s":%d%s},"list":[[1],{"%s":{}}]}'):format(name, name, number, (',"%s_":0'):format(name)
          :rep(number % (3 * round)), name)
        expected[number] = { [name] = { [name] = number, [name .. "_"] = number % (3 * round) > 0 and 0 or nil },
          list = { { 1 }, { [name] = {} } } }
      end
      assert.same(expected, core.decode("[" .. table.concat(parts, ",") .. "]"))
    end
  end)

  it("reads strings with escapes of any length", function()
    for _, length in ipairs { 0, 1, 510, 511, 512, 513, 600, 5000, 100000 } do
      local text = ("s"):rep(length)
      assert.same({ text .. "\n", "\n" .. text, [3] = "" }, core.decode(('["%s\\n","\\n%s",""]'):format(text, text)))
    end
  end)

  it("reads names of any length, also empty ones", function()
    for length = 0, 300 do
      local name = ("n"):rep(length)
      assert.same({ { [name] = 1 }, { [name] = { [name] = 2, [name .. "m"] = 3 } } },
        core.decode(('[{"%s":1},{"%s":{"%s":2,"%sm":3}}]'):format(name, name, name, name)))
    end
  end)

  it("returns the text of an object, but no texts of the objects within it", function()
    local inner = '{"x":"' .. ("x"):rep(1000) .. '"}'
    local value, texts = core.decode(('{"a":['):rep(400) .. inner .. ("]}"):rep(400), { a = true })
    assert.is_string(texts[value.a[1]])
    assert.is_nil(texts[value.a[1].a[1]])
    assert.is_nil(next(texts, (next(texts))))
    value, texts = core.decode('{"a":[{"a":[{}]},{"b":[{}]}],"b":[{}]}', { a = true, b = true })
    assert.equal('{"b":[{}]}', texts[value.a[2]])
    assert.equal("{}", texts[value.b[1]])
    assert.is_nil(texts[value.a[2].b[1]])
  end)

  it("returns the texts of the objects in certain lists", function()
    local long = '{"x":"' .. ("x"):rep(65536) .. '"}'
    local json = ' {"a": [ {"b" :1}, {} ,2,[{"c":1}]] ,"b":[{"a":[{"d":[]} ]}],"c":{"a":{"e":1}},"d":[' .. long .. "]}"
    local value, texts = core.decode(json, { a = true, d = true })
    local count = 0
    for _ in pairs(texts) do count = count + 1 end
    assert.equal(3, count)
    assert.equal('{"b" :1}', texts[value.a[1]])
    assert.equal("{}", texts[value.a[2]])
    assert.equal('{"d":[]}', texts[value.b[1].a[1]])
    assert.same({ { { a = { 1 } }, {} }, 2 }, { { core.decode('{"a":[1]}', {}) }, select("#", core.decode("{}", {})) })
    assert.equal(1, select("#", core.decode(json)))
    assert.matches("byte", select(2, core.decode("[1 2]", { a = true })))
    assert.has_error(function() core.decode("{}", "a") end)
  end)

  it("skips bytes before the JSON, which count in no position", function()
    assert.same({ a = 1 }, (core.decode('\3\3{"a":1}', nil, 2)))
    local value, message = core.decode('\3[1,]', nil, 1)
    local _, expected = core.decode '[1,]'
    assert.is_nil(value)
    assert.equal(expected, message)
    assert.same({ nil, "the text is empty" }, { core.decode("\3", nil, 1) })
    assert.has_error(function() core.decode("{}", nil, 3) end)
    assert.has_error(function() core.decode("{}", nil, -1) end)
  end)

  it("returns the last value of a repeated name", function()
    assert.same({ a = 2, b = { c = 3 } }, core.decode '{"a":1,"b":{"c":1,"c":3},"a":2}')
  end)

  it("returns bytes that are not UTF-8 unchanged", function()
    assert.same({ "a\255", "\237\160\128" }, core.decode '["a\255","\237\160\128"]')
  end)

  it("raises an error for values other than strings", function()
    for _, value in ipairs { 5, {}, true, print } do assert.has_error(function() core.decode(value) end) end
    assert.has_error(function() core.decode() end)
  end)

  it("ignores the decimal comma of a locale", function()
    local place = folder.new()
    assert(os.execute(("localedef -i de_DE -f UTF-8 '%s' 2>&1"):format(place:file "de_DE.UTF-8")),
      "localedef is missing (Debian: locales)")
    local program = place:write("program.lua", [[
      local core = require "waba.core"
      assert(os.setlocale("de_DE.UTF-8", "numeric"))
      print(core.encode { 52.520008, 1 / 3 }, core.encode(core.decode "[52.520008]"))
      assert(os.setlocale("C", "numeric"))
      print(core.encode { 52.520008 }, core.encode(core.decode "[52.520008]"))
    ]])
    local interpreter = jit and "luajit" or "lua" .. _VERSION:match "%d.%d"
    local pipe = assert(io.popen(("LOCPATH='%s' %s '%s' 2>&1"):format(place.path, interpreter, program)))
    assert.equal("[52.520008,0.3333333333333333]\t[52.520008]\n[52.520008]\t[52.520008]\n", pipe:read "*a")
    pipe:close()
    place:remove()
  end)
end)

-- A slow decoder with the same results as `decode`. It raises errors.
local function reference_decode(text)
  local at = 1
  local read_value

  local function skip_space() at = text:match("^[ \t\r\n]*()", at) end

  local function expect(pattern)
    local found, after = text:match("^(" .. pattern .. ")()", at)
    if not found then error "syntax" end
    at = after
    return found
  end

  local function utf8_bytes(code)
    local function tail(shift) return 0x80 + math.floor(code / shift) % 0x40 end
    if code < 0x80 then return string.char(code) end
    if code < 0x800 then return string.char(0xC0 + math.floor(code / 0x40), tail(1)) end
    if code < 0x10000 then return string.char(0xE0 + math.floor(code / 0x1000), tail(0x40), tail(1)) end
    return string.char(0xF0 + math.floor(code / 0x40000), tail(0x1000), tail(0x40), tail(1))
  end

  local function read_escape()
    local named = text:match("^\\([\"\\/bfnrt])", at)
    if named then
      at = at + 2
      return ({ b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" })[named] or named
    end
    local code = tonumber(expect("\\u%x%x%x%x"):sub(3), 16)
    if code < 0xD800 or code > 0xDFFF then return utf8_bytes(code) end
    local second = tonumber(text:match("^\\u(%x%x%x%x)", at) or "0", 16)
    if code >= 0xDC00 or second < 0xDC00 or second > 0xDFFF then return "\239\191\189" end
    at = at + 6
    return utf8_bytes(0x10000 + (code - 0xD800) * 0x400 + second - 0xDC00)
  end

  local function read_string()
    expect '"'
    local parts = {}
    while true do
      local plain = text:match('^[^"\\]+', at)
      if plain then
        if plain:find("\0", 1, true) then error "NUL" end
        parts[#parts + 1] = plain
        at = at + #plain
      elseif text:sub(at, at) == '"' then
        at = at + 1
        return table.concat(parts)
      else
        parts[#parts + 1] = read_escape()
      end
    end
  end

  local function read_number()
    local sign, digits = expect "%-?", expect "%d+"
    if digits:find "^0%d" then error "leading zero" end
    local literal = sign .. digits
    if text:find("^%.", at) then literal = literal .. expect "%.%d+" end
    if text:find("^[eE]", at) then literal = literal .. expect "[eE][+-]?%d+" end
    local long = #digits > 16 or #digits == 16 and digits > "9007199254740992"
    if long and literal == sign .. digits then return literal end
    local mantissa, exponent = literal:match "^(.-)[eE]([+-]?%d+)$"
    if exponent and #exponent > 5 then -- some versions of `tonumber` refuse such a long exponent
      local zero = not mantissa:find "[1-9]" or exponent:find "^-0*[1-9]%d%d%d"
      literal = exponent:find "^[+-]?0*%d?%d?%d$" and mantissa .. "e" .. tonumber(exponent) or zero and "0" or "1e999"
    end
    local number = tonumber(literal)
    if number == huge or number == -huge then error "too large" end
    local whole = has_integers and math.abs(number) <= 2 ^ 53 and tointeger(number)
    return whole or number
  end

  local function read_members(close, read_member)
    at = at + 1
    local result = {}
    skip_space()
    if text:sub(at, at) ~= close then
      repeat
        skip_space()
        read_member(result)
        skip_space()
      until expect "[,%]}]" ~= ","
      at = at - 1
    end
    if expect "." ~= close then error "syntax" end
    return result
  end

  function read_value()
    skip_space()
    local first = text:sub(at, at)
    if first == '"' then return read_string() end
    if first == "[" then
      local count = 0
      return read_members("]", function(result)
        count = count + 1
        result[count] = read_value()
      end)
    end
    if first == "{" then
      return read_members("}", function(result)
        local name = read_string()
        skip_space()
        expect ":"
        result[name] = read_value()
      end)
    end
    for word, value in pairs { ["true"] = true, ["false"] = false, ["null"] = null } do
      if text:sub(at, at + #word - 1) == word then
        at = at + #word
        return value
      end
    end
    return read_number()
  end

  local value = read_value()
  skip_space()
  if at <= #text then error "more text" end
  return value
end

-- Returns whether two values are equal and have the same types; an integer differs from a float.
local function same(a, b, strictly)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b and (not strictly or number_kind(a) == number_kind(b))
  end
  for key, value in pairs(a) do
    if not same(value, b[key], strictly) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

local function random_of(list) return list[math.random(#list)] end

local texts = { "", "a", "type", "Gr\195\188\195\159e", "\240\159\152\128", "1", "-", "a b", '"', "\\", "/", "\n",
  "\0", "491511234567",
  "\127", ("x"):rep(40), "null", "[]", "123456789012345" }
local numbers = { 0, 1, -1, 12.5, 49900, 52.520008, 0.1, 1 / 3, 1e15, 123456789012345, -1e14, 99999999999999, 1e21,
  1e-9, 2 ^ 53 }

local function random_value(levels)
  local kind = math.random(levels > 0 and 8 or 5)
  if kind <= 3 then return random_of(texts) end
  if kind == 4 then return random_of(numbers) end
  if kind == 5 then return random_of { true, false, null } end
  local value = {}
  for i = 1, math.random(0, 4) do
    local key = kind == 6 and i or random_of(texts)
    value[key] = random_value(levels - 1)
  end
  return value
end

describe("a picker", function()
  local pick = core.picker("list.id", "list.name", "others.id", "beside")

  local function picked(text) return { n = select("#", pick(text)), pick(text) } end

  it("picks strings from the first objects of arrays", function()
    assert.same({ n = 3, "1", "Eva", "x" }, picked '{"list":[{"id":"1","name":"Eva"}],"others":[{"id":"x"}]}')
    assert.same({ n = 3, "1", nil, nil }, picked ' { "list" : [ {"id":"1","else":{"id":"9"}} , {"id":"2"} ] } ')
    assert.same({ n = 3, nil, "", nil }, picked '{"beside":{"id":["y",true,null,{}]},"list":[{"name":""}]}')
    assert.same({ n = 3 }, picked '{"list":[]}')
  end)

  it("takes strings with any character at any position", function()
    local pick_id = core.picker "messages.id"
    for position = 0, 40 do
      local before, after = ("a"):rep(position), ("z"):rep(40 - position)
      for _, character in ipairs { "/", "ä", "\127", "~", " " } do
        local id = before .. character .. after
        assert.equal(id, pick_id('{"messages":[{"id":"' .. id .. '"}]}'))
      end
      for _, character in ipairs { "\n", "\\n", '"' } do
        assert.is_nil(pick_id('{"messages":[{"id":"' .. before .. character .. after .. '"}]}'))
      end
    end
  end)

  it("leaves all other values to the decoder", function()
    for _, text in ipairs {
      '{"list":[{"id":1}]}', '{"list":[{"id":null}]}', '{"list":[{"id":"\\u0041"}]}', '{"list":[{"id":"a\nb"}]}',
      '{"list":[{"id":"1","id":"2"}]}', '{"list":[{"id":"1"}],"list":[]}', '{"list":{"id":"1"}}', '{"list":["1"]}',
      '{"unknown":true,"list":[{"id":"1"}]}', '{"beside":1}', '{"beside":[[[[[[[[]]]]]]]]}', '[{"id":"1"}]', '"list"',
      '{"list":[{"id":"1"}]}x', '{"list":[{"id":"1"}]}\0', '{"list":[{"id":"1"}],}', '{"list":[{"id":"1",}]}',
      '{"list":[{"id":"1"},]}', '{"list":[{"id":"1"}', '{"list":[{"id":"1}', '{"list"', '{"beside":nul}', "{", "", " ",
      '{"list":}', '{"list":[}', '{"list":[1]}', '{"list":[,{"id":"1"}]}', '{"list":[{"id":}]}', '{"list":[{"id"}]}', '{"list":[{]}',
      '{"beside":}', '{"beside":[}', '{"beside":[,1]}', '{"beside":{}', '{"beside":{"a"}}', '{"beside":{"a":}}', "{,}", "{:}", '{""}',
    } do
      assert.equal(0, picked(text).n, text)
    end
  end)

  it("reads eight levels", function()
    for opening, closing in pairs { ["["] = "]", ['{"a":'] = "}" } do
      for levels = 1, 9 do
        local value = opening:rep(levels):gsub(":$", ":true") .. closing:rep(levels)
        assert.equal(levels < 8 and 3 or 0, picked('{"beside":' .. value .. "}").n, levels)
      end
    end
  end)

  it("returns the same as the decoder, however the text is changed", function()
    local text = '{"list":[{"id":"a1","name":"Eva","x":[true]},{"id":"b"}],"others":[{"id":"c"}],"beside":{"d":"e"}}'
    local bytes = { '"', "{", "}", "[", "]", ",", ":", "a", "0", "\\", " ", "null", "\"id\":\"z\"," }
    local plain = 0
    for _ = 1, 20000 * rounds do
      local mutant = text
      for _ = 1, math.random(3) do
        local at = math.random(#mutant)
        mutant = mutant:sub(1, at) .. (math.random(2) == 1 and bytes[math.random(#bytes)] or "")
          .. mutant:sub(at + math.random(0, 2))
      end
      local found = picked(mutant)
      if found.n > 0 then
        plain = plain + 1
        local value = assert(core.decode(mutant), mutant)
        local first, other = value.list and value.list[1] or {}, value.others and value.others[1] or {}
        assert.same({ n = 3, first.id, first.name, other.id }, found, mutant)
      end
    end
    assert.is_true(plain > 100)
  end)

  it("is made of strings, of a limited number", function()
    assert.has_error(function() core.picker {} end)
    assert.has_error(function() core.picker("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13") end)
    local pick_last = core.picker("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12.id")
    assert.equal("x", pick_last '{"12":[{"id":"x"}]}')
  end)
end)

describe("encode and decode", function()
  it("return the original value, the same as the reference", function()
    math.randomseed(2024 + rounds)
    for _ = 1, 2000 * rounds do
      local value = random_value(4)
      local json, message = core.encode(value)
      if not json then error(message) end
      local back = core.decode(json)
      if not same(value, back) or not same(back, reference_decode(json), true) then error("differs: " .. json) end
    end
  end)

  it("report the path of an inserted error", function()
    math.randomseed(99 + rounds)
    local cycle = {}
    cycle.again = cycle
    local faults = {
      { 0 / 0, "NaN" }, { huge, "infinite" }, { print, "function" }, { "x\255", "UTF%-8" }, { { 1, nil, 3 }, "hole" },
      { { 1, a = 2 }, "positions and names" }, { { [true] = 1 }, "boolean" }, { { ["\255"] = 1 }, "name" },
      { cycle, "itself", ".again" }, { nested(101, 1), "levels" }, { io.stdout, "userdata" }, { { [0.5] = 1 },
      "position" },
    }
    for round = 1, 600 * rounds do
      local fault = faults[round % #faults + 1]
      local value, path = fault[1], fault[3] or ""
      for _ = 1, math.random(0, 5) do
        if math.random(2) == 1 then
          local list = {}
          for i = 1, math.random(4) do list[i] = random_value(2) end
          list[#list + 1] = value
          path = "[" .. #list .. "]" .. path
          for _ = 1, math.random(0, 3) do list[#list + 1] = random_value(1) end
          value = list
        else
          local object = {}
          for _ = 1, math.random(0, 4) do object[random_of(texts)] = random_value(2) end
          object.planted = value
          path = ".planted" .. path
          value = object
        end
      end
      local json, message, where = core.encode(value)
      assert.is_nil(json)
      assert.matches(fault[2], message)
      path = path:gsub("^%.", "")
      if fault[2] ~= "levels" then assert.equal(path, where) else assert.equal(path, where:sub(1, #path)) end
    end
  end)

  it("read a damaged text as the reference does, and do not crash", function()
    math.randomseed(4711 + rounds)
    local pieces = { "[", "]", "{", "}", ",", ":", '"', "\\", "\\u", "\\ud83d", "0", "1", "-", ".", "e", "E", "+",
      "9007199254740993", "NaN",
      "null", "true", " ", "\0", "\255", "x", "\127", "\n", "/", "1e999", "00" }
    local accepted = 0
    for _ = 1, 10000 * rounds do
      local text = core.encode(random_value(3))
      for _ = 1, math.random(2) do
        local at = math.random(#text + 1)
        local piece = math.random(4) > 1 and random_of(pieces) or ""
        text = text:sub(1, at - 1) .. piece .. text:sub(at + math.random(0, 2))
      end
      local value, message = core.decode(text)
      local ok, expected = pcall(reference_decode, text)
      if ok then
        accepted = accepted + 1
        if not same(value, expected, true) then error(("differs: %q"):format(text)) end
      elseif value ~= nil or type(message) ~= "string" then
        error(("accepted: %q"):format(text))
      end
    end
    assert.is_true(accepted > 1000 * rounds and accepted < 9000 * rounds)
  end)

  it("do not crash on random bytes", function()
    math.randomseed(5 + rounds)
    for _ = 1, 6000 * rounds do
      local bytes = {}
      for i = 1, math.random(30) do bytes[i] = string.char(math.random(0, 255)) end
      local text = table.concat(bytes)
      local value, message = core.decode(text)
      if value == nil and type(message) ~= "string" then error(("no message: %q"):format(text)) end
      local json = core.encode { [text] = text }
      if (json ~= nil) ~= (core.utf8_length(text) ~= nil) then error(("encode: %q"):format(text)) end
    end
  end)

  it("keep no memory", function()
    local value = { a = { 1, 2.5, 123456789012345 }, b = ("x"):rep(1000) }
    local text = '{"a":[12345678901234567890,"\\ud83d",1.0,1e5],"b":"' .. ("x"):rep(1000) .. '"}'
    local function work()
      for _ = 1, 3000 do
        core.encode(value)
        core.encode { value, 0 / 0 }
        core.decode(text)
        core.decode(text .. "]")
      end
      collectgarbage()
      collectgarbage()
      return collectgarbage "count"
    end
    work()
    local before = work()
    assert.is_true(work() - before < 20)
  end)
end)
