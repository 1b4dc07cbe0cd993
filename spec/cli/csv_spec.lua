-- CSV files as other programs write them.

local random = require "spec.support.random"
local csv = require "waba.cli.csv"

local function lines_of(text) return text:gmatch "([^\n]*)\n" end

local function read(text)
  local names, next_row = csv.rows(lines_of(text))
  if not names then return nil, next_row end
  local rows = {}
  for row, place in next_row do
    if not row then return nil, place end
    rows[#rows + 1] = row
  end
  return rows
end

describe("waba.cli.csv", function()
  it("reads a file of a spreadsheet: a byte order mark, semicolons, CRLF, umlauts", function()
    local rows = read "\239\187\191to;name\r\n49151;J\195\188rgen\r\n"
    assert.same({ { to = "49151", name = "J\195\188rgen" } }, rows)
  end)

  it("reads quoted fields with separators, quotes and line ends, in the names too", function()
    local rows = read '\239\187\191"to","said"\r\n"49151","a, ""b""\r\nc"\r\n'
    assert.same({ { to = "49151", said = 'a, "b"\nc' } }, rows)
  end)

  it("reads the separator from the first line that a spreadsheet writes", function()
    for _, top in ipairs { "sep=;\r\n", "\239\187\191sep=;\r\n", "SEP=;\n", '"sep=;"\r\n' } do
      assert.same({ { to = "49151", ["a,b,c"] = "Eva" } }, read(top .. "to;a,b,c\r\n49151;Eva\r\n"))
    end
    assert.same({ { to = "49151", name = "a;b" } }, read "sep=|\nto|name\n49151|a;b\n")
    assert.same({ { to = "49151", name = "a" } }, read "sep=\t\nto\tname\n49151\ta\n")
  end)

  it("unwraps a text that is written as a formula to keep its digits", function()
    assert.same({ { to = "+49151", zip = "01067", name = "=A1" } },
      read 'to,zip,"=""name"""\n="+49151","=""01067""",=A1\n')
  end)

  it("skips columns without a name and empty rows", function()
    local rows = read "to,name,,\n49151,Eva,,\n,,,\n\n49152,Ann,,\n"
    assert.equal(2, #rows)
    assert.equal("Ann", rows[2].name)
    assert.same({ { to = "49151", name = "" } }, read "to,name\n49151,\n") -- the missing value of the column `name` is read as ""
  end)

  it("returns an error message with the line", function()
    for text, expected in pairs {
      [""] = "the file is empty",
      ["sep=;\n"] = "the file is empty",
      ["sep=;\nstra\223e\n"] = "is not UTF-8",
      ["to,name\n49151\n"] = "line 2: has 1 fields: expected 2",
      ['to\n1\n"2\n'] = "line 3: a quoted field has no closing quote",
      ['to\n"1"2\n'] = "line 2: text follows the closing quote of a field",
      ["to,to\n1,2\n"] = "two columns have the name to",
      ["to,name\r1,a\r\n"] = "the lines end with CR: expected LF or CR LF",
      ["\255\254t\0o\0\n"] = "is not UTF-8",
      ["to,stra\223e\n1,x\n"] = "is not UTF-8",
    } do
      local rows, message = read(text)
      assert.is_nil(rows)
      assert.is_truthy(message:find(expected, 1, true), message)
    end
  end)

  it("raises no error for any bytes", function()
    local signs, rng = { '"', ",", ";", "\n", "\r", "a", "\195", "\0", "\t" }, random.rng(7)
    for _ = 1, 500 do
      local parts = {}
      for i = 1, rng(0, 30) do parts[i] = random.pick(rng, signs) end
      local text = table.concat(parts) .. "\n"
      local rows, message = read(text)
      assert.is_true(rows ~= nil or type(message) == "string", text)
    end
  end)
end)
