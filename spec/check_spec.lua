local waba = require "waba"

describe("waba.check", function()
  it("checks a message for either hosting, by default for On-Premise", function()
    local link = waba.cta_url { body = "On its way", display_text = "Track", url = "https://t.example/118" }
    assert.is_true(waba.check(link, "cloud"))
    local ok, err = waba.check(link)
    assert.is_nil(ok)
    assert.are.equal("interactive.type", err.path)
    assert.are.equal(err.message, select(2, waba.check(link, "on_premise")).message)
    assert.has_error(function() waba.check(link, "moon") end, 'waba.check: the hosting must be "on_premise" or "cloud", not moon')
  end)

  it("refuses values that are not messages", function()
    for value, path in pairs { text = "message", [5] = "message", [{}] = "type", [{ type = "txet" }] = "type", [{ type = 5 }] = "type" } do
      local ok, err = waba.check(value)
      assert.same({ nil, path }, { ok, err.path })
    end
    assert.matches("did you mean text?", select(2, waba.check { type = "txet" }).message, 1, true)
  end)

  it("allows a category for texts only, and knows the types of the other hosting", function()
    local image, text = waba.image { link = "https://a.example/b.jpg" }, waba.text "x"
    image.category, text.category = "utility", "utility"
    assert.is_true(waba.check(text, "cloud"))
    assert.is_true(waba.check(image, "cloud", "documented"))
    local ok, err = waba.check(image, "cloud")
    assert.is_nil(ok)
    assert.equal("category is for texts and interactive messages only, which need no approved template", err.message)
    ok, err = waba.check(waba.reaction { message_id = "x", emoji = "a" })
    assert.same({ nil, "type", "reaction messages exist on Cloud hosting only" }, { ok, err.path, err.message })
  end)

  it("checks only the documented rules in the mode that requires this", function()
    local flow = waba.address { body = "x", country = "SG", values = { sg_post_code = "018956" } }
    assert.is_true(waba.check(flow, "cloud", "documented"))
    assert.is_nil((waba.check(flow, "cloud")))
    assert.is_nil((waba.check(flow, "cloud", true)))
    assert.is_nil((waba.check(waba.text "", "cloud", "documented")))
  end)

  it("has all codes of a hosting, in ascending order", function()
    local codes = require("waba.check").codes
    for hosting, known in pairs { on_premise = 470, cloud = 131047 } do
      local before, found = -1, false
      for _, row in ipairs(codes(hosting)) do
        assert.is_true(row.code > before)
        before, found = row.code, found or row.code == known
        assert.same(row, waba.explain(row.code, hosting))
      end
      assert.is_true(found)
    end
  end)
end)

describe("waba.explain", function()
  it("explains the codes of both hostings", function()
    assert.are.equal("window", waba.explain(470).kind)
    assert.are.equal("window", waba.explain("131047").kind)
    assert.are.equal("window", waba.explain(131047, "cloud").kind)
    assert.is_nil(waba.explain(131047.5))
    assert.is_nil(waba.explain("many"))
    assert.is_nil(waba.explain(470, "cloud"))
    assert.has_error(function() waba.explain(470, "moon") end, 'waba.explain: the hosting must be "on_premise" or "cloud", not moon')
  end)

  it("returns copies, so that callers can't change the library's tables", function()
    waba.explain(470).title = "x"
    assert.are_not.equal("x", waba.explain(470).title)
  end)
end)
