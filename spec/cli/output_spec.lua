-- What may reach a terminal, and what scripts read.

local numbers = require "waba.cli.numbers"
local output = require "waba.cli.output"

describe("waba.cli.output", function()
  it("keeps control characters and turned writing from the terminal", function()
    for text, shown in pairs {
      ["a\27[31mb"] = "a?[31mb", ["\7\8\127"] = "???", ["a\194\155b"] = "a?b", ["a\0b"] = "a?b",
      ["a\226\128\174b\226\129\166c"] = "a?b?c", ["J\195\188rgen \226\130\172"] = "J\195\188rgen \226\130\172",
    } do
      assert.equal(shown, output.printable(text))
    end
  end)

  it("keeps what others wrote on one line", function()
    assert.equal("a \226\134\181 b c", output.one_line "a\r\nb\tc")
    assert.equal("a?b", output.one_line "a\rb")
  end)

  it("wraps at words, counted in characters", function()
    assert.same({ "\195\164\195\164 \195\164\195\164", "bb" }, output.wrapped("\195\164\195\164 \195\164\195\164 bb", 5))
    assert.same({ "muchtoolong", "a" }, output.wrapped("muchtoolong a", 5))
  end)
end)

describe("waba.cli.numbers", function()
  it("takes what can be meant", function()
    assert.equal(0.5, numbers.positive "0.5")
    assert.equal(3, numbers.count "3")
    assert.equal(0, numbers.port "0")
    assert.equal(65535, numbers.port "65535")
  end)

  it("says what it needs instead", function()
    for _, text in ipairs { "0", "-1", "nan", "inf", "1e999", "x", "" } do
      local number, message = numbers.positive(text)
      assert.is_nil(number, text)
      assert.matches("above 0 is needed, not", message)
    end
    for _, text in ipairs { "0", "1.5", "0x10", "-2" } do assert.is_nil((numbers.count(text)), text) end
    for _, text in ipairs { "65536", "80.5", "-1", "http" } do assert.is_nil((numbers.port(text)), text) end
  end)
end)
