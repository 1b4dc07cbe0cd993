local waba = require "waba"

describe("waba.sleep", function()
  it("names the expected argument", function()
    assert.error_matches(function() waba.sleep() end,
      "^waba.sleep: the argument must be a number of seconds, 0 or more, not a nil$")
    assert.error_matches(function() waba.sleep "x" end, "0 or more, not a string$")
    assert.error_matches(function() waba.sleep(-1) end, "0 or more, not %-1$")
    for _, endless in ipairs { math.huge, 0 / 0 } do
      assert.error_matches(function() waba.sleep(endless) end, "the argument must be a number of seconds")
    end
  end)

  it("reports a place in which a coroutine cannot wait", function()
    local message
    waba.run(function()
      string.gsub("x", ".", function() message = select(2, pcall(waba.sleep, 0.001)) end)
      waba.sleep(0.001)
    end)
    assert.matches("waba.sleep: a coroutine cannot wait inside a function that C code calls", message)
  end)

  it("accepts 0", function()
    assert.is_nil(waba.sleep(0))
    waba.run(function() waba.sleep(0) end)
  end)
end)
