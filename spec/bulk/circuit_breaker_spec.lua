-- The circuit breaker of a bulk run, with times that the spec sets.

local circuit_breakers = require "waba.bulk.circuit_breaker"

describe("a circuit breaker", function()
  local function refused(fields)
    local err = { kind = "network", retryable = true, maybe_sent = false }
    for name, value in pairs(fields or {}) do err[name] = value end
    return err
  end

  it("opens for errors of the gateway, not for errors of one message or recipient", function()
    for index, row in ipairs {
      { true }, { true, kind = "unavailable" }, { true, kind = "rate_limited" }, { true, kind = "timeout" },
      { true, kind = "rate_limited", scope = "key" }, { true, kind = "rate_limited", scope = "endpoint" },
      { false, kind = "rate_limited", scope = "pair" }, { false, kind = "timeout", scope = "order" },
      { false, kind = "invalid" }, { false, kind = "recipient" }, { false, kind = "cancelled" }, { false, retryable = false },
    } do
      local opens = table.remove(row, 1)
      local breaker = circuit_breakers.new(10)
      assert.equal(opens, breaker:record(refused(row), 100), index)
      assert.same({ opens and 0.5 or 0, not opens }, { breaker:left(100), breaker:admits(1, 200) }, index)
    end
    assert.is_false(circuit_breakers.new(0):record(refused(), 100))
  end)

  it("opens after eight uncertain results in sequence, which are not sent again", function()
    local breaker = circuit_breakers.new(10)
    for _, times in ipairs { 7, 8 } do
      for number = 1, times do
        assert.equal(0, breaker:left(100), number)
        assert.is_false(breaker:record(refused { maybe_sent = true, retryable = number % 2 == 0 }, 100))
      end
      assert.equal(times == 8 and 0.5 or 0, breaker:left(100))
      if times == 7 then assert.is_false(breaker:record(nil, 100)) end
    end
  end)

  it("pauses twice as long after each pause, at most 30 seconds or as long as the gateway demands", function()
    local breaker, now = circuit_breakers.new(1000), 100
    for _, seconds in ipairs { 0.5, 1, 2, 4, 8, 16, 30, 30 } do
      breaker:record(refused { message = seconds }, now)
      assert.equal(seconds, breaker:left(now))
      breaker:record(refused { message = "later" }, now + seconds / 2) -- a message that was in flight when the pause began
      assert.equal(seconds / 2, breaker:left(now + seconds / 2))
      assert.equal(seconds, breaker:current().message)
      assert.equal(0, breaker:left(now + seconds + 1))
      now = now + seconds
    end
    breaker:record(refused { retry_after = 70 }, now)
    assert.equal(70, breaker:left(now))
    assert.same({ false, true, false }, { breaker:admits(0, now), breaker:admits(0, now + 70), breaker:admits(1, now + 70) })
    assert.is_false(breaker:record(nil, now + 70))
    assert.same({ 0, true }, { breaker:left(now + 70), breaker:admits(64, now + 70) })
    assert.is_nil(breaker:current())
    breaker:record(refused { retry_after = 0.1 }, now + 71)
    assert.equal(0.5, breaker:left(now + 71))
  end)

  it("has expired when it was open for longer than its patience", function()
    local breaker = circuit_breakers.new(10)
    assert.is_nil(breaker:expired(1000))
    local err = refused()
    breaker:record(err, 100)
    assert.is_nil(breaker:expired(110))
    assert.equal(err, breaker:expired(110.5))
    breaker:record(nil, 111)
    assert.is_nil(breaker:expired(1000))
  end)
end)
