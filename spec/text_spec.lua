-- src/text.c through waba.core: UTF-8, comparison of secrets, checks of headers.

local core = require "waba.core"

-- Converts hexadecimal digits such as "E2 82 AC" to bytes, because Lua 5.1 has no hexadecimal escapes.
local function bytes(hex)
  return (hex:gsub("%x%x ?", function(pair) return string.char(tonumber(pair:sub(1, 2), 16)) end))
end

describe("utf8_length", function()
  local valid = {
    { "", 0 }, { "Hello", 5 }, { "0123456789abcdef0", 17 }, { "\0a\0", 3 },
    { bytes "C2 80", 1, "U+0080, the first of two bytes" }, { bytes "DF BF", 1, "U+07FF" },
    { bytes "E0 A0 80", 1, "U+0800, the first of three" }, { bytes "ED 9F BF", 1, "U+D7FF, before the surrogates" },
    { bytes "EE 80 80", 1, "U+E000, after them" }, { bytes "EF BF BF", 1, "U+FFFF, a noncharacter but a code point" },
    { bytes "F0 90 80 80", 1, "U+10000, the first of four" }, { bytes "F4 8F BF BF", 1, "U+10FFFF, the last" },
    { "Gr" .. bytes "C3 BC C3 9F" .. "e", 5 },
    { bytes "F0 9F 91 A9 E2 80 8D F0 9F 91 A7", 3, "an emoji of three code points" },
  }
  for _, case in ipairs(valid) do
    it("counts " .. (case[3] or #case[1] .. " bytes as " .. case[2]), function()
      assert.equal(case[2], core.utf8_length(case[1]))
    end)
  end

  local invalid = {
    { "80", 1, "a lone continuation byte" }, { "BF", 1, "another one" },
    { "C3", 1, "a cut character of two bytes" }, { "E2 82", 1, "a cut character of three" },
    { "F0 9F 91", 1, "a cut character of four" }, { "61 62 C3 28", 3, "a wrong second byte" },
    { "E2 28 A1", 1, "a wrong second byte of three" }, { "E2 82 28", 1, "a wrong third byte" },
    { "F0 9F 91 28", 1, "a wrong fourth byte" },
    { "C0 AF", 1, "an overlong slash" }, { "C0 80", 1, "an overlong NUL" }, { "C1 BF", 1, "an overlong U+007F" },
    { "E0 80 AF", 1, "an overlong slash of three bytes" }, { "E0 9F BF", 1, "an overlong U+07FF" },
    { "F0 80 80 AF", 1, "an overlong slash of four bytes" }, { "F0 8F BF BF", 1, "an overlong U+FFFF" },
    { "ED A0 80", 1, "the first surrogate" }, { "ED BF BF", 1, "the last surrogate" },
    { "ED A0 BD ED B8 80", 1, "a pair of surrogates (CESU-8)" },
    { "F4 90 80 80", 1, "U+110000" }, { "F5 80 80 80", 1, "a first byte above all" },
    { "F8 88 80 80 80", 1, "five bytes" }, { "FE", 1, "FE" }, { "FF", 1, "FF" },
    { "E4 F6 FC", 1, "Latin-1" },
    { "30 31 32 33 34 35 36 37 38 39 E2 82 AC 30 31 FF", 16, "a fault behind good text" },
  }
  for _, case in ipairs(invalid) do
    it("refuses " .. case[3], function()
      local characters, position = core.utf8_length(bytes(case[1]))
      assert.is_nil(characters)
      assert.equal(case[2], position)
    end)
  end

  it("finds an invalid byte at every position", function()
    for length = 1, 40 do
      for at = 1, length do
        local text = ("a"):rep(at - 1) .. "\255" .. ("b"):rep(length - at)
        assert.same({ nil, at }, { core.utf8_length(text) })
      end
    end
  end)

  it("returns the defined result for every code point", function()
    local function encode(code)
      local function continuation(shift) return 0x80 + math.floor(code / shift) % 0x40 end
      if code < 0x80 then return string.char(code) end
      if code < 0x800 then return string.char(0xC0 + math.floor(code / 0x40), continuation(1)) end
      if code < 0x10000 then
        return string.char(0xE0 + math.floor(code / 0x1000), continuation(0x40), continuation(1))
      end
      return string.char(0xF0 + math.floor(code / 0x40000), continuation(0x1000), continuation(0x40), continuation(1))
    end
    assert.equal(bytes "E2 82 AC", encode(0x20AC))
    assert.equal(bytes "F0 9F 98 80", encode(0x1F600))
    for code = 0, 0x110400, 61 do
      local surrogate = code >= 0xD800 and code <= 0xDFFF
      local expected = not surrogate and code <= 0x10FFFF and 1 or nil
      if core.utf8_length(encode(code)) ~= expected then error(("U+%04X"):format(code)) end
    end
  end)
end)

describe("equals", function()
  it("distinguishes equal strings from all others", function()
    local texts = { "", "a", "b", "ab", "aa", "aaa", "abab", "\0", "\0\0", "geheim", "geheiM", "Geheim",
      "geheimgeheim" }
    for _, secret in ipairs(texts) do
      for _, candidate in ipairs(texts) do
        assert.equal(secret == candidate, core.equals(secret, candidate), ("%q %q"):format(secret, candidate))
      end
    end
  end)

  it("detects a difference of one bit", function()
    local secret = ("s3cret-"):rep(5)
    for at = 1, #secret do
      local byte = secret:byte(at)
      for bit = 0, 7 do
        local mask = 2 ^ bit
        local flipped = math.floor(byte / mask) % 2 == 0 and byte + mask or byte - mask
        assert.is_false(core.equals(secret, secret:sub(1, at - 1) .. string.char(flipped) .. secret:sub(at + 1)))
      end
    end
  end)
end)

describe("check_header", function()
  it("accepts what HTTP allows", function()
    for _, header in ipairs {
      { "X-Token", "abc" }, { "x", "" }, { "!#$%&'*+-.^_`|~09AZaz", "a\tb c" }, { "Name", bytes "C3 BC" },
    } do
      assert.is_true(core.check_header(header[1], header[2]))
    end
  end)

  it("refuses names that are not tokens", function()
    for _, name in ipairs { "", "a b", "a:", ":authority", "a\r\nb", "a\0", "a\127", "(a)", "a/b", bytes "C3 BC" } do
      local ok, message = core.check_header(name, "value")
      assert.is_nil(ok)
      assert.matches("name", message)
    end
  end)

  it("refuses every control character except the tab, and does not quote the value", function()
    for code = 0, 127 do
      if code ~= 9 and (code < 32 or code == 127) then
        for _, value in ipairs { "geheim%sx", "%sgeheim", "geheim%s" } do
          local ok, message = core.check_header("X-Token", (value:gsub("%%s", { ["%s"] = string.char(code) })))
          assert.is_nil(ok)
          assert.matches("value", message)
          assert.not_matches("geheim", message)
        end
      end
    end
  end)

  it("refuses white space at the ends of a value", function()
    for _, value in ipairs { " a", "a ", "\ta", "a\t", " " } do assert.is_nil((core.check_header("X-Token",
      value))) end
  end)
end)

describe("an argument of the wrong type", function()
  for _, name in ipairs { "utf8_length", "equals", "check_header" } do
    it("is an error in " .. name, function()
      assert.has_error(function() core[name]() end)
      assert.has_error(function() core[name]({}, {}) end)
    end)
  end
end)

it("a secret is overwritten with zeros", function()
  local parts = require("spec.support.parts").load()
  assert.equal("\0\0\0\0\0\0xy", parts.wipe("secretxy", 6))
  assert.equal("xy", parts.wipe("xy", 0))
end)
