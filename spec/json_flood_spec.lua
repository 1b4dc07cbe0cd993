-- JSON texts with many strings that have the same hash would make a decoder very slow. The library refuses such texts
-- with versions of Lua that have a weak hash function, and decodes them with other versions.

local process = require "spec.support.process"

local EXPECTED = {
  { "colliding names", true }, { "colliding strings", true }, { "long colliding strings", true },
  { "colliding strings in escapes", true }, { "colliding long numbers", true },
  { "few colliding names" }, { "different names" }, { "different strings" }, { "the same names" },
}

describe("strings that have the same hash", function()
  for lua, is_refused in pairs { ["lua5.1"] = true, ["lua5.3"] = true, ["lua5.4"] = false, luajit = false } do
    it("take no more time than other strings in " .. lua, function()
      process.run(("make -s LUA=%s build/%s/waba/core.so 2>&1"):format(lua, lua))
      local paths = ('package.path = "lua/?.lua;" .. package.path package.cpath = "build/%s/?.so;" .. package.cpath'):format(lua)
      local reported = process.run(("timeout 60 %s -e %s spec/support/flood_program.lua 2>&1"):format(lua, process.quote(paths)))
      local lines = {}
      for i, expected in ipairs(EXPECTED) do
        local result = expected[2] and is_refused and "too many strings have the same hash in this Lua (hash flooding)" or "read"
        lines[i] = expected[1] .. ": " .. result
      end
      assert.equal(table.concat(lines, "\n"), reported)
    end)
  end
end)
