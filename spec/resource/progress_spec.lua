-- When the function of the option `progress` is called: for each new number of bytes, and at the end.

local track_progress = require("waba.resource.media.download").track_progress

describe("a progress function", function()
  it("is called for each new number of bytes, and at the end unless that was the last one", function()
    for _, row in ipairs {
      { { 1, 1, 3, 3 }, 5, "1/5 3/5 5/5" }, { { 1, 5 }, 5, "1/5 5/5" }, { {}, 0, "0/0" }, { { 0 }, 0, "0/0" },
    } do
      local calls = {}
      local report, complete = track_progress(function(done, total) calls[#calls + 1] = done .. "/" .. total end)
      for _, done in ipairs(row[1]) do report(done, row[2]) end
      complete(row[2])
      assert.equal(row[3], table.concat(calls, " "))
    end
  end)

  it("may be missing", function()
    local report, complete = track_progress(nil)
    assert.is_nil(report)
    complete(5)
  end)
end)
