-- The figures of a bulk run (rate, seconds left), with times that the spec sets.

local figures = require "waba.bulk.figures"

describe("the figures of a run", function()
  local function add(count, outcome, times)
    for _ = 1, times do count:add(outcome) end
  end

  it("count each result, and the total", function()
    local count = figures.new(30, 100)
    for i, outcome in ipairs { "sent", "failed", "maybe_sent", "skipped", "duplicates" } do add(count, outcome, i) end
    add(count, "failed_before", 6)
    add(count, "maybe_sent_before", 7)
    assert.same({ done = 15, sent = 1, failed = 2, maybe_sent = 3, skipped = 4, duplicates = 5, elapsed = 2, rate = 3,
      total = 30, seconds_left = 5 }, count:read(102))
    assert.same({ done = 15, sent = 1, failed = 2, maybe_sent = 3, skipped = 4, duplicates = 5, failed_before = 6,
      maybe_sent_before = 7, seconds = 2 }, count:summary(102))
  end)

  it("have no rate at first, and the remaining time only if the total is known", function()
    local count = figures.new(10, 100)
    add(count, "sent", 2)
    local now = count:read(100)
    assert.same({ 0, nil }, { now.rate, now.seconds_left })
    now = count:read(100.5)
    assert.same({ 4, 2 }, { now.rate, now.seconds_left })
    add(count, "sent", 10) -- the run has 12 results, although its total is 10
    assert.equal(0, count:read(101).seconds_left)
    count = figures.new(nil, 100)
    add(count, "sent", 2)
    assert.is_nil(count:read(101).seconds_left)
  end)

  it("have the rate of the last ten seconds", function()
    local count = figures.new(nil, 0)
    for second = 1, 20 do
      add(count, "sent", second <= 10 and 100 or 10)
      count:read(second - 0.5) -- additional calls of `read` do not shorten the ten seconds
      count:read(second)
    end
    assert.equal(10, count:read(20).rate)
    count = figures.new(nil, 0)
    for second = 1, 10 do
      add(count, "failed", second == 1 and 100 or 10)
      assert.equal((100 + 10 * (second - 1)) / second, count:read(second).rate)
    end
  end)

  it("estimate the duration by the slowest limit", function()
    assert.equal(0, figures.estimate(nil, 0, nil, 8, 0.5))
    assert.equal(0, figures.estimate({ interval = 1, slack = 0 }, 0, 2, 8, 0.5))
    assert.equal(0.5, figures.estimate(nil, 8, nil, 8, 0.5))
    assert.equal(1, figures.estimate(nil, 9, nil, 8, 0.5))
    -- eight further messages at two per second, and half a second for the last response
    assert.equal(4.5, figures.estimate(nil, 9, 2, 8, 0.5))
    assert.equal(8.5, figures.estimate({ interval = 1, slack = 0 }, 9, 2, 8, 0.5))
    assert.equal(6.5, figures.estimate({ interval = 1, slack = 2 }, 9, 2, 8, 0.5)) -- the limiter lets two messages pass at once
    assert.equal(4.5, figures.estimate({ interval = 1, slack = 9 }, 9, 2, 8, 0.5))
  end)
end)
