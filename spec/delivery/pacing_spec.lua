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

  it("has a limit for media, which other requests do not use", function()
    local pace = pacing.new { other = { rate = 1, burst = 1 }, media = { rate = 1, burst = 2 } }
    assert.is_true(pace:queue("media"):try(0))
    assert.is_true(pace:queue("media"):try(0))
    assert.is_false(pace:queue("media"):try(0))
    assert.is_true(pace:queue("templates"):try(0))
    assert.is_false(pace:queue("other"):try(0))
  end)

  describe("of one key", function()
    local RATES = { messages = { rate = 1, burst = 1 }, pair = { rate = 1, burst = 1 } }

    -- Takes a token from the key's limiter for messages, and returns whether the limiter had one.
    local function is_unused(pace) return pace:queue("messages"):try(0) end

    it("is shared by its clients until the last of them is closed", function()
      local first, second = pacing.new(RATES, "shared"), pacing.new(RATES, "shared")
      assert.is_true(is_unused(first))
      assert.is_false(is_unused(second))
      assert.is_true(first:pair("1", 0):try(0))
      assert.is_false(second:pair("1", 0):try(0))
      first:close()
      first:close()
      local third = pacing.new(RATES, "shared")
      assert.is_false(is_unused(third))
      second:close()
      assert.is_false(is_unused(pacing.new(RATES, "shared")))
      third:close()
    end)

    it("is new for the first client after the last one was closed", function()
      local first, second = pacing.new(RATES, "again"), pacing.new(RATES, "again")
      assert.is_true(is_unused(first))
      first:close()
      second:close()
      local third = pacing.new(RATES, "again")
      assert.is_true(is_unused(third))
      third:close()
    end)

    it("is not shared with other keys, with other rates, or without a key", function()
      local paces = {
        pacing.new(RATES, "one"), pacing.new(RATES, "two"), pacing.new({ messages = RATES.messages }, "one"),
        pacing.new({ messages = { rate = 1, burst = 2 } }, "one"), pacing.new(RATES), pacing.new(RATES),
      }
      for index, pace in ipairs(paces) do assert.is_true(is_unused(pace), index) end
      for _, pace in ipairs(paces) do pace:close() end
    end)

    it("ends all waits when its client is closed", function()
      for _, name in ipairs { "before", "after" } do
        local pace = pacing.new(RATES)
        if name == "after" then pace:close() end
        local queues = { pace:queue "messages", pace:queue "other" }
        if name == "before" then
          queues[3] = pace:pair("1", 0)
          pace:close()
        end
        for index, queue in ipairs(queues) do
          assert.same({ nil, 0 }, { queue:wait({}, 0, 100) }, name .. index)
        end
      end
    end)
  end)

  it("knows whether recipients may have limits", function()
    assert.is_true(pacing.new({ pair = { rate = 1, burst = 1 } }).has_pairs)
    assert.is_false(pacing.new({ pair = false }).has_pairs)
    assert.is_false(pacing.new({}).has_pairs)
    assert.is_true(pacing.new({ store = { limiters = function() return {} end } }, "k").has_pairs)
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

    it("keeps its pause while other recipients come and go", function()
      local pace = pacing.new {}
      pace:pause_pair("1", 100, 0)
      for i = 2, 600 do pace:pause_pair("n" .. i, i / 100 + 0.005, i / 100) end
      assert.is_true(pace.pairs.count < 300)
      assert.is_false(pace:pair("1", 99):try(99))
      assert.is_true(pace:pair("1", 100):try(100))
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
      -- 80 new recipients get a message in each second. The limiter of a recipient is stored for 6 seconds, until it
      -- has all its tokens again.
      assert.is_true(most <= 2 * 80 * 6 + 1, most)
    end)
  end)
end)
