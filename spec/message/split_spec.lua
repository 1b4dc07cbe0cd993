-- waba.split: a long text in pieces that fit into messages.

local core = require "waba.core"
local waba = require "waba"

local function joined(pieces)
  return (table.concat(pieces):gsub("%s", ""))
end

describe("waba.split", function()
  it("leaves a text that fits as it is, without the blanks at its end", function()
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

  it("keeps the indentation of a line after a cut", function()
    assert.same({ "a list of", "  - two things" }, waba.split("a list of\n  - two things", { max = 15 }))
  end)

  it("prefers a place in the second half to an early paragraph", function()
    assert.same({ "Hi\n\nOne two three.", "Four five six" }, waba.split("Hi\n\nOne two three. Four five six", { max = 24 }))
  end)

  it("counts characters and cuts a text of any length whole", function()
    local text = ("Gr\195\188\195\159e aus K\195\182ln. "):rep(2000)
    local pieces = waba.split(text)
    for _, piece in ipairs(pieces) do assert.is_true(core.utf8_length(piece) <= 4096) end
    assert.equal((text:gsub("%s", "")), joined(pieces))
    for i = 1, #pieces - 1 do assert.matches("%.$", pieces[i]) end
  end)

  it("never cuts inside a user-perceived character", function()
    local family = "\240\159\145\169\226\128\141\240\159\145\169\226\128\141\240\159\145\167" -- three people joined
    local flag = "\240\159\135\169\240\159\135\170" -- two regional indicators
    local thumb = "\240\159\145\141\240\159\143\189" -- with a skin tone
    local accent = "e\204\129" -- with a combining accent
    local syllable = "\225\132\128\225\133\161\225\134\168" -- three letters of Hangul
    for _, cluster in ipairs { family, flag, thumb, accent, syllable } do
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

  it("never cuts inside a URL that fits", function()
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

  it("cuts what nothing allows to cut at its limit", function()
    assert.same({ ("\204\129"):rep(4), "\204\129" }, waba.split(("\204\129"):rep(5), { max = 4 }))
    local url = "https://shop.example/" .. ("x"):rep(40)
    assert.same({ url:sub(1, 30), url:sub(31, 60), url:sub(61) }, waba.split(url, { max = 30 }))
  end)

  it("refuses what is not text", function()
    local pieces, err = waba.split "\255"
    assert.is_nil(pieces)
    assert.equal("invalid", err.kind)
    assert.equal("text is not valid UTF-8", err.message)
    assert.error_matches(function() waba.split(5) end, "waba.split: the text must be a string, not a number")
    assert.error_matches(function() waba.split("x", { max = 0 }) end, "option max must be integer of at least 1")
    assert.error_matches(function() waba.split("x", { mx = 5 }) end, "did you mean max")
  end)
end)
