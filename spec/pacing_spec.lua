local pacing = require "waba.pacing"

local FAR = math.huge

-- Takes n moments at one instant; the delays.
local function take(pace, class, n, now)
  local delays = {}
  for i = 1, n do delays[i] = pace:reserve(class, now, FAR) end
  return delays
end

describe("pacing", function()
  it("lets a burst through at once, then one after another at the rate", function()
    local pace = pacing.new { messages = { rate = 10, burst = 3 } }
    local delays = take(pace, "messages", 5, 100)
    for i = 1, 3 do assert.equal(0, delays[i]) end
    assert.near(0.1, delays[4], 1e-9)
    assert.near(0.2, delays[5], 1e-9)
  end)

  it("has the whole burst again after a rest", function()
    local pace = pacing.new { messages = { rate = 10, burst = 3 } }
    take(pace, "messages", 5, 100)
    assert.same({ 0, 0, 0 }, take(pace, "messages", 3, 101))
  end)

  it("never exceeds rate times time plus burst, whatever the moments of coming", function()
    local pace = pacing.new { messages = { rate = 50, burst = 150 } }
    local now, moments = 0, {}
    for i = 1, 2000 do
      now = now + (i % 7) * 0.003
      moments[i] = now + pace:reserve("messages", now, FAR)
    end
    for first = 1, #moments, 37 do
      for last = first, #moments, 41 do
        local allowed = 50 * (moments[last] - moments[first]) + 150
        assert.is_true(last - first + 1 <= allowed + 1e-6, ("%d..%d"):format(first, last))
      end
    end
  end)

  it("serves in the order of coming", function()
    local pace = pacing.new { messages = { rate = 10, burst = 1 } }
    local last = -1
    for i = 0, 20 do
      local now = i * 0.01
      local moment = now + pace:reserve("messages", now, FAR)
      assert.is_true(moment > last)
      last = moment
    end
  end)

  it("keeps classes apart", function()
    local pace = pacing.new { messages = { rate = 1, burst = 1 }, other = { rate = 1, burst = 1 } }
    take(pace, "messages", 3, 0)
    assert.equal(0, pace:reserve("other", 0, FAR))
  end)

  it("takes no moment that lies behind the deadline", function()
    local pace = pacing.new { messages = { rate = 1, burst = 1 } }
    take(pace, "messages", 1, 0)
    assert.is_nil(pace:reserve("messages", 0, 0.5))
    assert.near(1, pace:reserve("messages", 0, FAR), 1e-9)
  end)

  it("holds every class back during a pause", function()
    local pace = pacing.new { messages = { rate = 10, burst = 3 }, other = { rate = 10, burst = 3 } }
    pace:pause(105)
    assert.near(5, pace:reserve("messages", 100, FAR), 1e-9)
    assert.near(5, pace:reserve("other", 100, FAR), 1e-9)
    assert.near(2, pace:pause_left(103), 1e-9)
    assert.equal(0, pace:pause_left(106))
  end)

  it("is never shortened by a second, shorter pause", function()
    local pace = pacing.new { messages = { rate = 10, burst = 3 } }
    pace:pause(105)
    pace:pause(101)
    assert.near(5, pace:pause_left(100), 1e-9)
  end)
end)
