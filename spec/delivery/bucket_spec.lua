local buckets = require "waba.delivery.bucket"

-- Takes n tokens, each as early as possible after the time `now`, and returns their times.
local function take(bucket, n, now)
  local moments = {}
  for i = 1, n do
    now = now + bucket:delay(now)
    bucket:take(now)
    moments[i] = now
  end
  return moments
end

describe("a token bucket", function()
  it("allows a burst at once, then one token after another at the rate", function()
    local moments = take(buckets.new { rate = 10, burst = 3 }, 5, 100)
    for i = 1, 3 do assert.equal(100, moments[i]) end
    assert.near(100.1, moments[4], 1e-9)
    assert.near(100.2, moments[5], 1e-9)
  end)

  it("allows a complete burst again after a rest", function()
    local bucket = buckets.new { rate = 10, burst = 3 }
    take(bucket, 5, 100)
    assert.same({ 101, 101, 101 }, take(bucket, 3, 101))
  end)

  it("is full until a token is taken, and again when it is refilled", function()
    local bucket = buckets.new { rate = 8, burst = 2 }
    assert.is_true(bucket:is_full(0))
    bucket:take(0)
    assert.is_false(bucket:is_full(0))
    assert.is_false(bucket:is_full(0.1))
    assert.is_true(bucket:is_full(0.125))
  end)

  it("returns a token only if it has one", function()
    local bucket = buckets.new { rate = 8, burst = 2 }
    assert.is_true(bucket:try(0))
    assert.is_true(bucket:try(0))
    assert.is_false(bucket:try(0))
    assert.is_false(bucket:try(0.12))
    assert.is_true(bucket:try(0.125))
    bucket:give_back()
    assert.is_true(bucket:try(0.125))
  end)

  it("never allows more than rate times time plus burst, at any times", function()
    local bucket = buckets.new { rate = 50, burst = 150 }
    local now, moments = 0, {}
    for i = 1, 2000 do
      now = now + (i % 7) * 0.003
      now = math.max(now, take(bucket, 1, now)[1])
      moments[i] = now
    end
    for first = 1, #moments, 37 do
      for last = first, #moments, 41 do
        local allowed = 50 * (moments[last] - moments[first]) + 150
        assert.is_true(last - first + 1 <= allowed + 1e-6, ("%d..%d"):format(first, last))
      end
    end
  end)

  it("returns the time of a token for a waiting caller with others before it", function()
    local bucket = buckets.new { rate = 10, burst = 3 }
    assert.equal(0, bucket:earliest(0, 2))
    assert.near(0.1, bucket:earliest(0, 3), 1e-9)
    take(bucket, 3, 0)
    assert.near(0.1, bucket:earliest(0, 0), 1e-9)
    assert.near(0.6, bucket:earliest(0, 5), 1e-9)
    bucket:pause(2)
    assert.near(2, bucket:earliest(0, 0), 1e-9)
  end)

  it("returns no token during a pause, and allows no burst after it", function()
    local bucket = buckets.new { rate = 10, burst = 100 }
    bucket:pause(105)
    assert.near(5, bucket:delay(100), 1e-9)
    local moments = take(bucket, 3, 100)
    for i = 1, 3 do assert.near(105 + (i - 1) / 10, moments[i], 1e-9) end
  end)

  it("is not opened by a second, shorter pause", function()
    local bucket = buckets.new { rate = 10, burst = 3 }
    bucket:pause(105)
    bucket:pause(101)
    assert.near(5, bucket:delay(100), 1e-9)
  end)

  it("without a rate has only pauses", function()
    local bucket = buckets.new()
    assert.equal(100, take(bucket, 1000, 100)[1000])
    assert.is_true(bucket:is_full(100))
    bucket:pause(105)
    assert.is_false(bucket:is_full(100))
    assert.is_true(bucket:is_full(105))
    assert.equal(105, take(bucket, 1000, 100)[1000])
  end)
end)
