-- waba.split cuts a long text into pieces that fit into messages.

local core = require "waba.core"
local waba = require "waba"

local function joined(pieces) return (table.concat(pieces):gsub("%s", "")) end

local function utf8(point)
  if point < 0x80 then return string.char(point) end
  local tail = ""
  local first = 0x40
  repeat
    tail, point, first = string.char(0x80 + point % 64) .. tail, math.floor(point / 64), first / 2
  until point < first
  return string.char(256 - 2 * first + point) .. tail
end

describe("waba.split", function()
  it("does not change a text that fits, except for white space at its end", function()
    assert.same({ "Hello" }, waba.split "Hello \n")
    assert.same({ ("x"):rep(4096) }, waba.split(("x"):rep(4096)))
    assert.same({}, waba.split "")
    assert.same({}, waba.split " \n\n ")
  end)

  it("cuts between paragraphs first, then lines, sentences and words", function()
    assert.same({ "One two.\nThree.", "Four. Five six\nseven." }, waba.split("One two.\nThree.\n\nFour. Five six\nseven.", { max = 24 }))
    assert.same({ "One two. Three.", "Four. Five six" }, waba.split("One two. Three.\nFour. Five six", { max = 20 }))
    assert.same({ "One two three.", "Four five." }, waba.split("One two three. Four five.", { max = 20 }))
    assert.same({ "One two", "three four" }, waba.split("One two three four", { max = 10 }))
    assert.same({ 'He said "No."', "Then he left." }, waba.split('He said "No." Then he left.', { max = 20 }))
    assert.same({ "\228\184\128\227\128\130", "\228\186\140\228\184\137" },
      waba.split("\228\184\128\227\128\130\228\186\140\228\184\137", { max = 3 }))
  end)

  it("ends a piece at its limit where a blank follows, and begins the next one without blanks", function()
    for text, pieces in pairs {
      ["abcd efgh"] = { "abcd", "efgh" }, ["a cd efgh"] = { "a cd", "efgh" }, ["abcd  efgh"] = { "abcd", "efgh" },
      ["abcd\t efgh"] = { "abcd", "efgh" }, ["abcd\nefgh"] = { "abcd", "efgh" }, ["abcd \n efg"] = { "abcd", " efg" },
      ["a.\ncd efgh"] = { "a.", "cd", "efgh" }, ["a. d\nefgh"] = { "a. d", "efgh" }, ["ab  cd"] = { "ab", "cd" },
      ["abc  def"] = { "abc", "def" }, ["   abcd"] = { "   a", "bcd" }, ["abcd\r\nefgh"] = { "abcd", "efgh" },
    } do
      assert.same(pieces, waba.split(text, { max = 4 }), text)
    end
    assert.same({ "a. bc.", "d efg." }, waba.split("a. bc. d efg.", { max = 6 }))
  end)

  it("selects the best of several places", function()
    local joiner, stop = "\226\128\141", "\227\128\130" -- U+200D, the zero width joiner, and the ideographic full stop
    for _, row in ipairs {
      { "abcd\n\nef\nghijk", 10, "abcd", "ef\nghijk" }, { "ab\ncdef\nghijk", 10, "ab\ncdef", "ghijk" },
      { "abcd\nefg hijkl", 10, "abcd", "efg hijkl" }, { "abc\nefg hijkl", 10, "abc\nefg", "hijkl" },
      { "ab.cd ef gh", 10, "ab.cd ef", "gh" }, { "ab. cd ef gh", 10, "ab. cd ef", "gh" }, { ") ab cd", 4, ") ab", "cd" },
      { "ab" .. joiner .. " cd ef", 5, "ab" .. joiner, "cd ef" },
      { "w" .. stop .. "bcd", 3, "w" .. stop, "bcd" }, { "h" .. stop .. "bcd", 3, "h" .. stop, "bcd" },
    } do
      assert.same({ row[3], row[4] }, waba.split(row[1], { max = row[2] }))
    end
  end)

  it("keeps the indentation of a line after a cut", function()
    assert.same({ "a list of", "  - two things" }, waba.split("a list of\n  - two things", { max = 15 }))
  end)

  it("prefers a cut in the second half to an early paragraph", function()
    assert.same({ "Hi\n\nOne two three.", "Four five six" }, waba.split("Hi\n\nOne two three. Four five six", { max = 24 }))
  end)

  it("counts characters, and cuts texts of any length completely", function()
    local text = ("Gr\195\188\195\159e aus K\195\182ln. "):rep(2000)
    local pieces = waba.split(text)
    for _, piece in ipairs(pieces) do assert.is_true(core.utf8_length(piece) <= 4096) end
    assert.equal((text:gsub("%s", "")), joined(pieces))
    for i = 1, #pieces - 1 do assert.matches("%.$", pieces[i]) end
  end)

  it("does not cut inside a user-perceived character", function()
    local family = "\240\159\145\169\226\128\141\240\159\145\169\226\128\141\240\159\145\167" -- one emoji of three people
    local flag = "\240\159\135\169\240\159\135\170" -- a flag of two code points
    local thumb = "\240\159\145\141\240\159\143\189" -- an emoji and its skin tone
    local accent = "e\204\129" -- a letter and its combining accent
    local syllable = "\225\132\128\225\133\161\225\134\168" -- one Korean syllable of three letters
    local vowel = "\224\184\163\224\184\179" -- a Thai consonant and its vowel
    local voiced = "\239\189\182\239\190\158" -- a Japanese letter and its sound mark
    local number = "\216\128\217\161" -- the Arabic number sign and a digit
    for _, cluster in ipairs { family, flag, thumb, accent, syllable, vowel, voiced, number } do
      local size = core.utf8_length(cluster)
      for max = size, 3 * size do
        local pieces = waba.split(cluster:rep(12), { max = max })
        for _, piece in ipairs(pieces) do
          assert.equal("", (piece:gsub(cluster:gsub("%p", "%%%0"), "")))
          assert.is_true(core.utf8_length(piece) <= max)
        end
        assert.equal(cluster:rep(12), joined(pieces))
      end
    end
  end)

  it("does not divide joined characters, also the first and the last of each range", function()
    local JOINED = {
      { 0x65, 0x300 }, { 0x65, 0x36F }, { 0x65, 0x483 }, { 0x65, 0x5BF }, { 0x65, 0x1160 }, { 0x65, 0xE0020 }, { 0x65, 0xE01EF },
      { 0x1F1E6, 0x1F1FF }, { 0x1F1FF, 0x1F1E6 }, { 0x1100, 0x1100 }, { 0x115F, 0xA960 }, { 0xA960, 0xA97C }, { 0xA97C, 0x115F },
      { 0x1100, 0xAC00 }, { 0xA97C, 0xD7A3 },
    }
    local APART = {
      { 0x65, 0x2FF }, { 0x65, 0x370 }, { 0x65, 0x482 }, { 0x65, 0x5BE }, { 0x65, 0x5C0 }, { 0x65, 0xE001F }, { 0x65, 0xE01F0 },
      { 0x1F1E5, 0x1F1E6 }, { 0x1F1E6, 0x1F200 }, { 0x1F1FF, 0x1F1E5 }, { 0x10FF, 0x1100 }, { 0x1100, 0x10FF }, { 0xA95F, 0xAC00 },
      { 0xA97D, 0xAC00 }, { 0x1100, 0xA97D }, { 0x1100, 0xABFF }, { 0xAC00, 0xAC00 }, { 0xAC00, 0x1100 }, { 0x1100, 0xD7A4 },
    }
    for _, row in ipairs(JOINED) do
      local before, after = utf8(row[1]), utf8(row[2])
      assert.same({ "a", before .. after }, waba.split("a" .. before .. after, { max = 2 }))
    end
    for _, row in ipairs(APART) do
      local before, after = utf8(row[1]), utf8(row[2])
      assert.same({ "a" .. before, after }, waba.split("a" .. before .. after, { max = 2 }))
    end
  end)

  it("recognizes the ends of sentences, and the characters after them", function()
    for _, stop in ipairs { ".", "!", "?", "\226\128\166", "\224\165\164", "\216\159", "\227\128\130", "\239\188\129",
      "\239\188\159" } do
      for _, closing in ipairs { "", '"', "'", ")", "]", "\194\187", "\226\128\153", "\226\128\157", "\227\128\141" } do
        local sentence = "One two" .. stop .. closing
        assert.same({ sentence, "Three four" }, waba.split(sentence .. " Three four", { max = 15 }))
      end
    end
    -- Chinese and Japanese sentences end without white space
    for _, stop in ipairs { "\227\128\130", "\239\188\129", "\239\188\159" } do
      assert.same({ "abcd" .. stop, "efgh" }, waba.split("abcd" .. stop .. "efgh", { max = 8 }))
    end
    assert.same({ "abcd.ef", "gh" }, waba.split("abcd.efgh", { max = 7 }))
  end)

  it("recognizes a URL at the beginning of a word only", function()
    for _, url in ipairs { "https://a.example", "http://a.example", "HTTP://a.example", "www.a.example", "WWW.a.example" } do
      assert.same({ "x", url }, waba.split("x " .. url, { max = #url }))
      assert.same({ "x" .. url:sub(1, -2), url:sub(-1) }, waba.split("x" .. url, { max = #url }))
    end
    for _, before in ipairs { "(", "\228\184\128", "abcde(" } do -- without white space a text is divided before a URL
      local url = "https://a.example"
      assert.same({ before, url }, waba.split(before .. url, { max = #url }))
      assert.same({ before, url .. "\227\128\130xy" }, waba.split(before .. url .. "\227\128\130xy", { max = #url + 3 }))
    end
    assert.same({ "x www. ab" }, waba.split("x www. ab", { max = 9 }))
  end)

  it("does not cut inside a URL that fits", function()
    local url = "https://shop.example/a.b/c?d=e.f"
    for max = #url, 60 do
      local pieces = waba.split(("word word. %s "):format(url):rep(6), { max = max })
      local found = 0
      for _, piece in ipairs(pieces) do
        assert.is_true(#piece <= max)
        for _ in piece:gmatch((url:gsub("%p", "%%%0"))) do found = found + 1 end
      end
      assert.equal(6, found)
    end
  end)

  it("cuts at the limit if there is no better place", function()
    assert.same({ ("\204\129"):rep(4), "\204\129" }, waba.split(("\204\129"):rep(5), { max = 4 }))
    local url = "https://shop.example/" .. ("x"):rep(40)
    assert.same({ url:sub(1, 30), url:sub(31, 60), url:sub(61) }, waba.split(url, { max = 30 }))
    url = "https://shop.example/?q=" .. ("e\204\129"):rep(20)
    for max = 25, 30 do
      for _, piece in ipairs(waba.split(url, { max = max })) do assert.not_matches("^\204", piece) end
    end
  end)

  it("refuses values that are not text", function()
    local pieces, err = waba.split "\255"
    assert.is_nil(pieces)
    assert.equal("invalid", err.kind)
    assert.equal("text is not valid UTF-8", err.message)
    assert.error_matches(function() waba.split(5) end, "waba.split: the text must be a string, not a number")
    assert.error_matches(function() waba.split("x", { max = 0 }) end, "option max must be integer of at least 1")
    assert.error_matches(function() waba.split("x", { mx = 5 }) end, "did you mean max")
  end)
end)
