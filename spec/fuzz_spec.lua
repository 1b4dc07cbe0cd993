-- Runs the targets of spec/fuzz/targets.lua with the files of spec/fuzz/corpus: first inputs for `make fuzz`, and each
-- input that has failed before.

local process = require "spec.support.process"
local targets = require "spec.fuzz.targets"

describe("any input satisfies the properties of", function()
  for target, try in pairs(targets) do
    it(target, function()
      local files = process.run("ls spec/fuzz/corpus/" .. target)
      local count = 0
      for name in files:gmatch("[^\n]+") do
        local file = assert(io.open(("spec/fuzz/corpus/%s/%s"):format(target, name), "rb"))
        local bytes = file:read("*a")
        file:close()
        local fine, message = pcall(try, bytes)
        assert(fine, name .. ": " .. tostring(message))
        for cut = 0, math.min(#bytes, 200) do try(bytes:sub(1, cut)) end -- also tests each prefix of an input
        count = count + 1
      end
      assert.is_true(count > 0)
    end)
  end
end)
