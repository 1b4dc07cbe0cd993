-- Interleaved events of many business numbers, handled by two workers: every reply is sent with the key of its number.
-- bench/numbers.lua measures more events.

local numbers_events = require "bench.support.numbers_events"
local process = require "spec.support.process"

describe("the replies to interleaved events of many numbers", function()
  it("are sent with the keys of their numbers, with fewer open clients than numbers", function()
    local result = numbers_events.run(process.interpreter(), { numbers = 60, events = 1500, workers = 2, max = 20 })
    result.seconds = nil
    assert.same({ replies = 1500, wrong = 0, repeated = 0, set_aside = 0 }, result)
  end)
end)
