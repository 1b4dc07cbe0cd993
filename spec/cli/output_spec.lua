-- Output to terminals and to scripts.

local numbers = require "waba.cli.numbers"
local output = require "waba.cli.output"

describe("waba.cli.output", function()
  it("removes control and direction characters from terminal output", function()
    for text, shown in pairs {
      ["a\27[31mb"] = "a?[31mb", ["\7\8\127"] = "???", ["a\194\155b"] = "a?b", ["a\0b"] = "a?b",
      ["a\226\128\174b\226\129\166c"] = "a?b?c", ["J\195\188rgen \226\130\172"] = "J\195\188rgen \226\130\172",
      ["a\155b"] = "a?b", ["a\194\133b"] = "a?b", ["a\226\128\168b\226\128\169"] = "a?b?",
      ["\216\156\226\128\142\226\128\143"] = "???", ["\192\155\224\128\155"] = "?????",
      ["\237\160\128 \244\144\128\128 \240\159\153\130 \195"] = "??? ???? \240\159\153\130 ?",
      ["\195\188\155\226\130\172\226\130"] = "\195\188?\226\130\172??",
    } do
      assert.equal(shown, output.printable(text))
    end
  end)

  it("keeps external text on one line", function()
    assert.equal("a \226\134\181 b c", output.one_line "a\r\nb\tc")
    assert.equal("a?b", output.one_line "a\rb")
  end)

  it("writes JSON that is safe in a terminal and valid for scripts", function()
    local core, lines, stdout = require "waba.core", {}, io.stdout
    io.stdout = { write = function(_, ...) lines[#lines + 1] = table.concat { ... } return true end,
      flush = function() return true end }
    finally(function() io.stdout = stdout end)
    output.json {
      c1 = "\194\155\194\133", turned = "\226\128\174\226\129\166\216\156", line = "\226\128\168", del = "\127",
      raw = "a\155b\255", ["\155"] = "name", smile = "\240\159\153\130 \195\188/", list = { core.null, 1, 1e999, -1e999, 0 / 0 },
    }
    local text = table.concat(lines)
    for _, bytes in ipairs { "\194[\128-\159]", "\226\128[\168-\174]", "\226\129", "\216\156", "\127", "\155b" } do
      assert.is_nil(text:find(bytes), bytes)
    end
    local read = assert(core.decode(text))
    assert.equal("\194\155\194\133", read.c1)
    assert.equal("\226\128\174\226\129\166\216\156", read.turned)
    assert.equal("\226\128\168", read.line)
    assert.equal("\127", read.del)
    assert.equal("a\239\191\189b\239\191\189", read.raw)
    assert.equal("name", read["\239\191\189"])
    assert.equal("\240\159\153\130 \195\188/", read.smile)
    assert.same({ core.null, 1, core.null, core.null, core.null }, read.list)
    assert.truthy(text:find("\240\159\153\130 \195\188/", 1, true))
  end)

  it("wraps at words, counted in characters", function()
    assert.same({ "\195\164\195\164 \195\164\195\164", "bb" }, output.wrapped("\195\164\195\164 \195\164\195\164 bb", 5))
    assert.same({ "muchtoolong", "a" }, output.wrapped("muchtoolong a", 5))
  end)
end)

describe("waba.cli.numbers", function()
  it("accepts valid numbers", function()
    assert.equal(0.5, numbers.positive "0.5")
    assert.equal(3, numbers.count "3")
    assert.equal(0, numbers.port "0")
    assert.equal(65535, numbers.port "65535")
  end)

  it("names the expected number", function()
    for _, text in ipairs { "0", "-1", "nan", "inf", "1e999", "x", "" } do
      local number, message = numbers.positive(text)
      assert.is_nil(number, text)
      assert.matches("expected a number above 0, not", message)
    end
    for _, text in ipairs { "0", "1.5", "0x10", "-2" } do assert.is_nil((numbers.count(text)), text) end
    for _, text in ipairs { "65536", "80.5", "-1", "http" } do assert.is_nil((numbers.port(text)), text) end
  end)
end)
