local recipient = require "waba.recipient"

local function refused(to)
  local digits, err = recipient.normalize(to)
  assert.is_nil(digits)
  assert.are.equal("invalid", err.kind)
  assert.are.equal("to", err.path)
  return err
end

describe("a recipient", function()
  it("is accepted in the forms that people write", function()
    for _, written in ipairs {
      "491511234567", "+491511234567", "+49 151 1234567", "+49 (151) 123-4567", "+49.151.123.4567", "+49 151/1234567",
      "0049 151 1234567", "  +49 151 1234567\n", 491511234567, "49 151 1234567",
    } do
      assert.are.equal("491511234567", recipient.normalize(written))
    end
  end)

  it("is accepted in the forms of address books and web pages", function()
    for _, written in ipairs {
      "+49\194\160151\194\1601234567", -- no-break spaces
      "+49\226\128\175151\226\128\1751234567", -- narrow no-break spaces
      "+49 151\226\128\1451234567", -- a no-break hyphen
      "+49 151\226\128\1471234567", -- an en dash
      "\226\128\170+49 151 1234567\226\128\172", -- invisible marks of the writing direction
      "\226\129\166+49 151 1234567\226\129\169",
      "\239\187\191+491511234567", -- a byte order mark
    } do
      assert.are.equal("491511234567", recipient.normalize(written))
    end
  end)

  it("is read from the forms that a spreadsheet or Lua gives to a number", function()
    for _, written in ipairs {
      "491511234567.0", "491511234567.00", "491511234567,0", "491511234567,00", "491511234567.000000", -- written as floats
      "4.91511234567E+11", "4,91511234567E+11", "4.91511234567e+11", "4.91511234567e11", "4.915112345670E+11",
      "+4.91511234567E+11", "491511234567E+00", -- an exponent, but no digit is missing
      "'491511234567", "'+49 151 1234567", '="491511234567"', '="+49 151 1234567"', "=491511234567", "=+491511234567",
      "491,511,234,567", "491.511.234.567", "491'511'234'567", "491\226\128\153511\226\128\153234\226\128\153567",
      "491,511,234,567.00", "491.511.234.567,00", "491\226\128\175511\226\128\175234\226\128\175567,00",
      ("%.1f"):format(491511234567), ("%.11e"):format(491511234567), ("%f"):format(491511234567),
    } do
      assert.equal("491511234567", recipient.normalize(written), written)
    end
    assert.equal("4915112345678", recipient.normalize "4915112345678.000") -- the zeros would make the number too long
    -- in these numbers a point separates groups of digits
    for _, written in ipairs { "+49151.1234000", "+49.151.1234.000", "+4915112.34567" } do
      assert.equal((written:gsub("%D", "")), recipient.normalize(written))
    end
  end)

  it("is refused if a spreadsheet or Lua has lost digits, and the error names the cause", function()
    for written, cause in pairs {
      ["4.91511E+11"] = "lost its last digits", ["4,92E+11"] = "lost its last digits", ["5E+11"] = "lost its last digits",
      [("%.14g"):format(491511234567891)] = "lost its last digits",
      ["491511234567.5"] = "decimal places", ["491511234567,25"] = "decimal places", ["4.915112345675E+11"] = "decimal places",
      ["4915112345.000"] = "may belong to the number", ["491511234567.000"] = "may belong to the number",
      ["=49-151-1234567"] = "formula", ["=A1"] = "formula", ["-1234669"] = "starts with -", ["#######"] = "starts with #",
      ["#NAME?"] = "starts with #", ["491511234567LL"] = 'has "L"', ["0x726FBE5A47"] = 'has "x"', ["nan"] = 'has "n"',
      ["4915,1123,4567"] = 'has ","', ["4915,112,345"] = 'has ","', ["491,5112,345"] = 'has ","', ["491,,511,234"] = 'has ","',
      ["4915'112'345"] = "has \"'\"", ["4.91E-11"] = 'has "E"',
    } do
      assert.is_truthy(refused(written).message:find(cause, 1, true), written)
    end
  end)

  it("loses only the zero that is used inside the country", function()
    assert.are.equal("49305550199", recipient.normalize("+49 (0)30 555 0199"))
    assert.are.equal("49305550199", recipient.normalize("0049 (0) 30 555 0199"))
    -- Italian numbers keep the zero after the country code
    assert.are.equal("390612345678", recipient.normalize("+39 (0)6 1234 5678"))
  end)

  it("keeps every digit of a number", function()
    assert.are.equal("123456789012345", recipient.normalize(123456789012345))
    assert.are.equal("491511234567", recipient.normalize(4.91511234567e11))
  end)

  it("is refused as a national number, because its country is unknown", function()
    local err = refused "0151 1234567"
    assert.is_truthy(err.message:find("international form", 1, true))
    refused "+0151 1234567"
    refused "000151 1234567"
  end)

  it("is refused when it is no phone number", function()
    for _, written in ipairs { "", "   ", "+", "Eva", "491511234567@c.us", "++491511234567", "4915+1", "\255" } do
      refused(written)
    end
  end)

  it("is refused when it is too short or too long", function()
    refused "+49 15"
    refused "1234567890123456"
    assert.are.equal("1234567", recipient.normalize "1234567")
    assert.are.equal("123456789012345", recipient.normalize "123456789012345")
    refused(123)
    refused(1e15)
    assert.equal("to must have 7 to 15 digits", refused(0).message)
    assert.equal("to must have 7 to 15 digits", refused(1e15).message)
  end)

  it("is refused when it is neither a text nor a positive whole number", function()
    for _, value in ipairs { 1.5, -491511234567, 0, 0 / 0, 1 / 0, {}, true } do refused(value) end
    refused(nil)
  end)

  it("is not contained in the error", function()
    assert.is_nil(refused("0151 7654321").message:find("7654321", 1, true))
  end)
end)

describe("recipient.read", function()
  it("reads numbers as normalize does", function()
    for _, to in ipairs { "+49 151 1234567", "0049 (0)151 1234567", 491511234567, "0151 1234567", "", "x", {}, true } do
      if type(to) ~= "table" then
        local digits, err = recipient.normalize(to)
        local address, form = recipient.read(to)
        assert.equal(digits, address)
        assert.equal(err and err.message, form and form.message)
      end
    end
  end)

  it("distinguishes a business-scoped user id from a number", function()
    for _, id in ipairs { "DE.1349ab", "BR.ENT.1181Z", "US.1", "AT.1", "ZA.1" } do
      assert.same({ id, "user" }, { recipient.read(id) })
      assert.same({ id, "user" }, { recipient.read { user_id = id } })
    end
    for _, start in ipairs { "DE.", "DE.ENT." } do
      local longest = start .. ("1"):rep(128)
      assert.same({ longest, "user" }, { recipient.read(longest) })
      assert.is_nil((recipient.read(longest .. "1")))
    end
    for _, id in ipairs { "DE.", "DE.ENT.", "de.1", "D.1", "DEU.1", "DE.1.2", "DE.ENT.1.2", "DE.ü", "DE.1\n", "DE1" } do
      local address, err = recipient.read(id)
      assert.is_nil(address)
      assert.equal("to", err.path)
      address, err = recipient.read { user_id = id }
      assert.is_nil(address)
      assert.equal("to.user_id", err.path)
    end
  end)

  it("accepts a group by its id", function()
    assert.same({ "Y2FwaXRhbA==", "group" }, { recipient.read { group_id = "Y2FwaXRhbA==" } })
  end)
end)

describe("recipient.business_number", function()
  it("reads a phone number as normalize does, and an id of any number of digits", function()
    for value, digits in pairs {
      ["+49 30 5550199"] = "49305550199", [49305550199] = "49305550199", ["123"] = "123", [123] = "123",
      ["12345678901234567"] = "12345678901234567", ["DE.1"] = "nil", [""] = "nil", [" 123"] = "nil", [1.5] = "nil", [0] = "nil",
      [1e15] = "nil", [true] = "nil", [{}] = "nil",
    } do
      assert.equal(digits, (recipient.business_number(value)) or "nil", tostring(value))
    end
    assert.is_nil((recipient.business_number(nil)))
  end)
end)
