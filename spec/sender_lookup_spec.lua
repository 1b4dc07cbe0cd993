-- An outbox entry stays in the outbox while the sender's option `client`, a function or a pool, raises an error. Tested
-- with every version of Lua.

local process = require "spec.support.process"

local REASON = { pool = "waba.clients: option load failed for the number 4930555019: ", ["function"] = "" }

describe("a sender whose option client raises an error", function()
  for _, lua in ipairs { "lua5.1", "lua5.2", "lua5.3", "lua5.4", "luajit" } do
    it("continues its work in " .. lua, function()
      -- Because of the lock, only one test run builds the module at a time.
      local paths = process.run(("flock build make -s --no-print-directory env LUA=%s 2>/dev/null"):format(lua))
      local reported = process.run(("%s; timeout 60 %s spec/support/lookup_program.lua 2>&1"):format(paths, lua))
      local lines = {}
      for _, concurrency in ipairs { 1, 2 } do
        for _, form in ipairs { "pool", "function" } do
          for _, place in ipairs { "", " in waba.run" } do
            lines[#lines + 1] = ("%s%s, concurrency %d: 0 1 cancelled: %sdatabase down 1"):format(form, place,
              concurrency, REASON[form])
          end
        end
      end
      assert.equal(table.concat(lines, "\n"), reported)
    end)
  end
end)
