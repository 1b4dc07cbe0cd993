-- lua/waba/schema/formats.lua: valid and invalid texts of each format, the error messages, and emoji at the ends of
-- each range of code points.

local emoji = require "waba.schema.emoji"
local examples = require "spec.support.rules.formats"
local formats = require "waba.schema.formats"
local placeholders = require "waba.schema.placeholders"
local unpack = table.unpack or unpack

local function utf8(...)
  local out = {}
  for _, point in ipairs { ... } do
    if point < 0x80 then
      out[#out + 1] = string.char(point)
    elseif point < 0x800 then
      out[#out + 1] = string.char(192 + math.floor(point / 64), 128 + point % 64)
    elseif point < 0x10000 then
      out[#out + 1] = string.char(224 + math.floor(point / 4096), 128 + math.floor(point / 64) % 64, 128 + point % 64)
    else
      out[#out + 1] = string.char(240 + math.floor(point / 262144), 128 + math.floor(point / 4096) % 64,
        128 + math.floor(point / 64) % 64, 128 + point % 64)
    end
  end
  return table.concat(out)
end

-- Returns true if a text has the format, otherwise the error message.
local function result(format, text)
  local fits, message = format.fits(text)
  if fits then return true end
  assert.is_false(fits or false)
  return message or format.message
end

describe("a format", function()
  for name, texts in pairs(examples) do
    it("accepts valid texts and refuses invalid ones: " .. name, function()
      for _, text in ipairs(texts.good) do assert.equal(true, result(formats[name], text), text) end
      for _, text in ipairs(texts.bad) do assert.is_string(result(formats[name], text), text) end
    end)
  end

  it("of a date accepts only days that the month has", function()
    local days = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }
    for month, last in ipairs(days) do
      for day = 0, 32 do
        local text = ("2023-%02d-%02d"):format(month, day)
        assert.equal(day >= 1 and day <= last or formats.date.message, result(formats.date, text), text)
      end
    end
    for year, is_leap in pairs { ["2024"] = true, ["2000"] = true, ["1900"] = false, ["2100"] = false, ["2023"] = false } do
      assert.equal(is_leap or formats.date.message, result(formats.date, year .. "-02-29"))
      assert.equal(true, result(formats.date, year .. "-02-28"))
      assert.equal(formats.date.message, result(formats.date, year .. "-02-30"))
    end
    for _, text in ipairs { "2024-00-10", "2024-13-10", "x", "2024-01-1", " 2024-01-01" } do
      assert.equal(formats.date.message, result(formats.date, text))
    end
  end)

  it("of a URL names the character that no URL has, and its place", function()
    for character, what in pairs {
      [" "] = "a blank", ["\n"] = "a line break", ["\r"] = "a line break", ["\t"] = "a tab", ["\194\160"] = "a no-break space",
      ["\1"] = "a control character", ["\127"] = "a control character", ["\11"] = "a control character",
    } do
      assert.equal("has " .. what .. " at byte 12; inside a URL a blank is written %20",
        result(formats.url, "https://a.b" .. character .. "c"))
    end
    assert.equal("has a blank at byte 1; inside a URL a blank is written %20", result(formats.url, " https://a.b"))
    assert.equal(true, result(formats.url, "https://ä.example/ä"))
    assert.equal(formats.url.message, result(formats.url, "https://"))
  end)

  it("of a text with a link finds the link anywhere", function()
    for text, expected in pairs {
      ["http://a"] = true, ["see HTTPS://a now"] = true, ["ftp://x http://a"] = true, ["://://https://a"] = true,
      ["https:// a"] = false, ["a://b"] = false, ["ttp://a"] = false, ["see http://"] = false, [""] = false,
    } do
      assert.equal(expected or formats.has_url.message, result(formats.has_url, text), text)
    end
  end)

  it("of a template's value accepts four spaces in a row and control characters, but no line breaks and tabs", function()
    for text, expected in pairs {
      [""] = true, ["    "] = true, ["     "] = false, ["a     b"] = false, ["\1"] = true, ["\127"] = true, ["\n"] = false,
      ["\r"] = false, ["\t"] = false, ["a\11b"] = true,
    } do
      assert.equal(expected or formats.parameter.message, result(formats.parameter, text), ("%q"):format(text))
    end
  end)

  it("without markup accepts markers that have no effect", function()
    for text, expected in pairs {
      ["```a```"] = false, ["```a\nb```"] = false, ["``a``"] = true, ["*a*"] = false, ["x *a b* y"] = false, ["* a*"] = true,
      ["*a *"] = true, ["a*b*"] = true, ["*a\nb*"] = true, ["_a_"] = false, ["~a~"] = false, ["*a_"] = true, ["**a**"] = true,
      ["ä*a*"] = true, ["*a*ä"] = true, ["(~a~)"] = false,
    } do
      assert.equal(expected or formats.no_markup.message, result(formats.no_markup, text), text)
      assert.equal(expected or formats.no_markup_or_emoji.message, result(formats.no_markup_or_emoji, text), text)
    end
    assert.is_string(result(formats.no_markup_or_emoji, utf8(0x1F44D)))
    assert.equal(true, result(formats.no_markup, utf8(0x1F44D)))
  end)

  it("of a trimmed text, and of at most two line breaks", function()
    for text, expected in pairs { ["a b"] = true, [" a"] = false, ["a "] = false, ["\na"] = false, [""] = true } do
      assert.equal(expected or formats.trimmed.message, result(formats.trimmed, text))
    end
    for text, expected in pairs { ["a"] = true, ["a\nb\nc"] = true, ["a\nb\nc\n"] = false, ["\n\n\n"] = false, ["\n\n"] = true } do
      assert.equal(expected or formats.two_line_breaks.message, result(formats.two_line_breaks, text))
    end
  end)
end)

describe("emoji", function()
  it("are found in a text, also the first and the last code point of each range", function()
    for point, expected in pairs {
      [0x20E2] = false, [0x20E3] = true, [0x20E4] = false, [0x2319] = false, [0x231A] = true, [0x231B] = true, [0x231C] = false,
      [0x2648] = true, [0x2653] = true, [0x2654] = false, [0xFE0E] = false, [0xFE0F] = true, [0x1EFFF] = false,
      [0x1F000] = true, [0x1FAFF] = true, [0x1FB00] = false, [0xA9] = false, [0x41] = false, [0xE4] = false, [0x20AC] = false,
    } do
      assert.equal(expected, emoji.has(utf8(point)), ("%x"):format(point))
      assert.equal(expected, emoji.has("a" .. utf8(point) .. "b"), ("%x"):format(point))
    end
    assert.is_false(emoji.has "")
  end)

  it("count as one emoji, with any number of parts", function()
    local THUMB, WOMAN, LAPTOP, D, E = 0x1F44D, 0x1F469, 0x1F4BB, 0x1F1E9, 0x1F1EA
    for index, row in ipairs {
      { true, THUMB }, { true, THUMB, 0x1F3FB }, { true, THUMB, 0x1F3FF }, { false, THUMB, 0x1F3FA }, { false, THUMB, 0x1F400 },
      { true, 0xA9 }, { true, 0xAE }, { false, 0xAA }, { true, 0x2139, 0xFE0F }, { true, WOMAN, 0x200D, LAPTOP },
      { true, WOMAN, 0x1F3FB, 0x200D, LAPTOP, 0xFE0F }, { false, WOMAN, 0x200D }, { false, WOMAN, 0x200D, 0x41 },
      { false, WOMAN, LAPTOP }, { true, D, E }, { false, D }, { false, D, 0x41 }, { false, D, E, D }, { false, D, THUMB },
      { true, 0x23, 0x20E3 }, { true, 0x2A, 0xFE0F, 0x20E3 }, { true, 0x30, 0x20E3 }, { true, 0x39, 0x20E3 }, { false, 0x3A, 0x20E3 },
      { false, 0x31 }, { false, 0x31, 0xFE0F }, { false, 0x31, 0xFE0F, 0x41 }, { false, 0x31, 0x20E3, 0x41 }, { false },
      { true, 0x1F3F4, 0xE0020, 0xE007F }, { false, 0x1F3F4, 0xE001F }, { false, 0x1F3F4, 0xE0080 }, { false, 0x41 },
      { false, THUMB, 0x41 }, { false, 0x41, THUMB }, { false, 0x200D, THUMB },
    } do
      assert.equal(row[1], emoji.is_one(utf8(unpack(row, 2))), index)
    end
    local joined = utf8(WOMAN) .. utf8(0x200D, WOMAN):rep(16) -- 116 bytes; the limit is 120
    assert.is_true(emoji.is_one(joined))
    assert.is_true(emoji.is_one(joined .. utf8(0x1F3FB)))
    assert.is_false(emoji.is_one(joined .. utf8(0x1F3FB, 0xFE0F))) -- 123 bytes
  end)
end)

describe("the placeholders of a text", function()
  local ROWS = {
    numbered = {
      [""] = true, ["a {{1}} b {{2}} {{1}}"] = true, ["{{ 1 }}"] = true,
      ["{{2}}"] = "has no {{1}}; its 1 placeholder must be numbered from {{1}}",
      ["{{1}} {{3}}"] = "has no {{2}}; its 2 placeholders must be numbered from {{1}}", ["{{name}}"] = "has no {{1}}",
    },
    positional = {
      ["{{1}}"] = true, ["{{first_name}}"] = 'has the placeholder {{first_name}}; named placeholders need parameter_format = "NAMED"',
      ["{{Name}}"] = "has no {{1}}", ["{{2}}"] = "has no {{1}}",
    },
    named = {
      [""] = true, ["{{first_name}} {{_}}"] = true, ["{{1}}"] = "has the placeholder {{1}}; names may have",
      ["{{a}} {{B}}"] = "has the placeholder {{B}}", ["{{a\nb}}"] = "has the placeholder {{…}}",
    },
    numbered_or_named = {
      [""] = true, ["{{1}}"] = true, ["{{a}}"] = true, ["{{a}} {{1}}"] = "has the placeholder {{1}}", ["{{1}} {{a}}"] = "has no {{2}}",
      ["{{A}}"] = "has the placeholder {{A}}",
    },
    at_most_one = { [""] = true, ["{{1}}"] = true, ["{{1}} {{2}}"] = "has 2 placeholders; at most 1 is allowed" },
    none = { [""] = true, ["{1}"] = true, ["{{1}}"] = "has a placeholder; a footer takes none" },
    between_words = {
      ["a {{1}} b {{2}} c"] = true, [" {{1}} b"] = "begins with a placeholder", ["a {{1}} "] = "ends with a placeholder",
      ["a {{1}} {{2}} b"] = "has a placeholder right behind another", ["a {{1}}, {{2}} b"] = true, [""] = true, ["  "] = true,
    },
    at_end_of_url = {
      ["https://a/"] = true, ["https://a/{{1}}"] = true, ["https://a/{{2}}"] = "has an invalid placeholder; only {{1}} at the end",
      ["https://a/{{1}}/b"] = "has an invalid placeholder; only {{1}} at the end", ["https://a/{{1}}{{2}}"] = "has 2 placeholders",
    },
  }
  for name, rows in pairs(ROWS) do
    it("are " .. name, function()
      for text, expected in pairs(rows) do
        local found = result(placeholders[name], text)
        if expected == true then
          assert.equal(true, found, text)
        else
          assert.equal(expected, tostring(found):sub(1, #expected), text)
        end
      end
    end)
  end
end)
