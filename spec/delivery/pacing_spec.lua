local pacing = require "waba.delivery.pacing"

describe("pacing", function()
  it("has separate limits for classes", function()
    local pace = pacing.new { messages = { rate = 1, burst = 1 }, other = { rate = 1, burst = 1 } }
    assert.is_true(pace:queue("messages"):try(0))
    assert.is_false(pace:queue("messages"):try(0))
    assert.is_true(pace:queue("other"):try(0))
  end)

  it("has no limit for a class without a rate", function()
    local pace = pacing.new { messages = { rate = 1, burst = 1 } }
    for _ = 1, 1000 do assert.is_true(pace:queue("other"):try(0)) end
  end)

  it("pauses every class", function()
    local pace = pacing.new { messages = { rate = 10, burst = 3 } }
    pace:pause(105)
    assert.is_false(pace:queue("messages"):try(104))
    assert.is_false(pace:queue("other"):try(104))
    assert.is_true(pace:queue("messages"):try(105))
    assert.is_true(pace:queue("other"):try(105))
  end)

  describe("of one recipient", function()
    local PAIR = { pair = { rate = 1 / 6, burst = 2 } }

    it("does not change for other recipients", function()
      local pace = pacing.new(PAIR)
      for _ = 1, 2 do assert.is_true(pace:pair("1", 0):try(0)) end
      assert.is_false(pace:pair("1", 0):try(0))
      assert.is_true(pace:pair("2", 0):try(0))
      assert.is_true(pace:pair("1", 6):try(6))
    end)

    it("is paused separately, with a rate or without", function()
      for _, rates in ipairs { PAIR, {} } do
        local pace = pacing.new(rates)
        pace:pause_pair("1", 10, 0)
        assert.is_true(pace.has_pairs)
        assert.is_false(pace:pair("1", 0):try(0))
        local other = pace:pair("2", 0)
        assert.is_true(not other or other:try(0))
        assert.is_true(pace:pair("1", 10):try(10))
        assert.is_true(pace:queue("messages"):try(0))
      end
    end)

    it("is removed when its bucket is full again, for any number of recipients", function()
      local pace = pacing.new(PAIR)
      local most, passed = 0, 0
      for i = 1, 20000 do
        local now = i / 80
        if pace:pair("n" .. i, now):try(now) then passed = passed + 1 end
        most = math.max(most, pace.pairs.count)
      end
      assert.equal(20000, passed)
      -- 80 a second, each remembered for the 6 seconds of one token
      assert.is_true(most <= 2 * 80 * 6 + 1, most)
    end)
  end)
end)
