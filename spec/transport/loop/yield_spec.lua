-- Runs spec/support/yield_program.lua with every version of Lua. Where a coroutine can't wait, a send is refused before
-- the gateway receives a byte.

local process = require "spec.support.process"
local server = require "spec.support.server"

-- The result of a send in each place of spec/support/yield_program.lua. Lua 5.1 has more places in which a coroutine
-- can't yield than other versions have.
local EXPECTED = {
  ["pcall"] = "sent", ["the callback of string.gsub"] = "invalid", ["the comparison of table.sort"] = "invalid",
  ["an iterator"] = "sent", ["a metamethod"] = "sent", ["a bulk run in pcall"] = "sent", ["a bulk run in string.gsub"] = "invalid",
  ["a handler in pcall"] = "sent", ["handlers in pcall"] = "sent", ["plain"] = "sent",
  ["two handlers at once"] = "sent",
}
local EXPECTED_IN_5_1 = {
  ["pcall"] = "invalid", ["the callback of string.gsub"] = "invalid", ["the comparison of table.sort"] = "invalid",
  ["an iterator"] = "invalid", ["a metamethod"] = "raised", ["a bulk run in pcall"] = "invalid",
  ["a bulk run in string.gsub"] = "invalid",
  ["a handler in pcall"] = "invalid", ["handlers in pcall"] = "invalid", ["plain"] = "sent",
  ["two handlers at once"] = "sent",
}

describe("a place in which a coroutine cannot wait", function()
  local gateway

  setup(function()
    gateway = server.start {
      tls = false, responses = { ["/v1/messages"] = { status = 201, body = '{"messages":[{"id":"gBEG"}]}' } },
    }
  end)
  teardown(function() gateway:stop() end)

  for _, lua in ipairs { "lua5.1", "lua5.2", "lua5.3", "lua5.4", "luajit" } do
    it(lua .. ": refuses the send before its first byte", function()
      -- Because of the lock, only one test run builds the module at a time.
      local paths = process.run(("flock build make -s --no-print-directory env LUA=%s 2>/dev/null"):format(lua))
      gateway:forget()
      local output = process.run(("%s; %s spec/support/yield_program.lua %s 2>&1"):format(paths, lua, gateway.url))
      local reported, expected, sent = {}, {}, 0
      for place, result in ("\n" .. output):gmatch "\n(%l+, [%a. ]+): (%l+)" do
        reported[place] = result
        if result == "sent" then sent = sent + 1 end
      end
      for _, loop in ipairs { "native", "cqueues", "luv", "copas" } do
        for place, result in pairs(lua == "lua5.1" and EXPECTED_IN_5_1 or EXPECTED) do
          expected[loop .. ", " .. place] = result
        end
      end
      assert.same(expected, reported, output)
      assert.equal(sent, gateway:count())
    end)
  end
end)
