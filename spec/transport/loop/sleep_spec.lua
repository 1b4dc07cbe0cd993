local waba = require "waba"

describe("waba.sleep", function()
  it("says what it needs", function()
    assert.error_matches(function() waba.sleep() end, "^waba.sleep: a number of seconds is needed, 0 or more, not a nil$")
    assert.error_matches(function() waba.sleep "x" end, "0 or more, not a string$")
    assert.error_matches(function() waba.sleep(-1) end, "0 or more, not %-1$")
    for _, endless in ipairs { math.huge, 0 / 0 } do
      assert.error_matches(function() waba.sleep(endless) end, "a number of seconds is needed")
    end
  end)

  it("takes nothing for a moment", function()
    assert.is_nil(waba.sleep(0))
    waba.run(function() waba.sleep(0) end)
  end)
end)
