-- A sender whose option `on_result` waits, and a sender that waits for the lock of a SQLite file. Tested with every
-- version of Lua, because in Lua 5.1 no coroutine can wait inside `pcall`.

local process = require "spec.support.process"

describe("a sender that waits", function()
  for _, lua in ipairs { "lua5.1", "lua5.2", "lua5.3", "lua5.4", "luajit" } do
    it("ends each call of on_result, and blocks no other coroutine, in " .. lua, function()
      -- Because of the lock, only one test run builds the module at a time.
      local paths = process.run(("flock build make -s --no-print-directory env LUA=%s 2>/dev/null"):format(lua))
      local folder = process.folder()
      local reported = process.run(("%s; timeout 60 %s spec/support/waiting_program.lua %s 2>&1"):format(paths, lua,
        folder:file "outbox.db"))
      folder:remove()
      assert.equal(table.concat({
        "alone, concurrency 1: 3 0 3", "in waba.run, concurrency 1: 3 0 3", "alone, concurrency 2: 3 0 3",
        "in waba.run, concurrency 2: 3 0 3", "locked:\t3\t0\tnil",
      }, "\n"), reported)
    end)
  end
end)
