-- Runs the load test spec/support/storm.lua with few messages; bench/webhook.lua runs the load test with ten thousand
-- messages.

local storm = require "spec.support.storm"

for _, backend in ipairs { "sqlite", "redis" } do
  describe("nginx with its inbox in " .. backend, function()
    it("handles every event once, in the customer's order", function()
      local result = storm.run { backend = backend, count = 300, customers = 17, per_body = 3 }
      assert.equal(1200, result.events)
      assert.equal(1200, result.stored)
      assert.equal(1200, result.handled)
      assert.equal(0, result.repeated)
      assert.equal(0, result.out_of_order)
      assert.equal(0, result.depth)
      assert.is_true(result.deliveries > 110) -- some of the 100 bodies were delivered again
    end)
  end)
end
