-- A short run of bench/backlog.lua: an inbox in which many events wait.

local backlog = require "bench.support.backlog"

for _, home in ipairs { "memory", "sqlite", "redis" } do
  describe("many events that wait in " .. home, function()
    it("are all stored, and the events in front of them are handled", function()
      local reported
      local result = backlog.run {
        home = home, count = 3200, events = 320, rounds = 1, report = function(stored) reported = stored end,
      }
      assert.equal(3200, reported)
      assert.equal(3264, result.depth)
      assert.is_true(result.bytes > 100 and result.bytes < 5000, result.bytes .. " bytes for each event")
    end)
  end)
end
