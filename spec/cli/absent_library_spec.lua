-- The output of the command `waba` if a Lua library that it needs is not installed.

local command = require "spec.support.command"

describe("a subcommand whose library is absent", function()
  -- Runs `waba` with a `require` that finds no module of the library `absent`.
  local function run(absent, ...)
    return command.run({ D360_API_KEY = "key", WABA_BASE_URL = "http://127.0.0.1:1", LUA_INIT = ([[
      table.insert(package.searchers or package.loaders, 2, function(name)
        if ("%s "):find(name:match "^_?(%%w+)" .. " ", 1, true) then
          error("module '" .. name .. "' not found:\n\tno field package.preload['" .. name .. "']", 0)
        end
      end)]]):format(absent) }, { ... }, '{"type":"text","text":{"body":"Hi"}}')
  end

  for name, case in pairs {
    ["listen without cqueues"] = { "cqueues", { "listen", "--port", "0" }, "cqueues", "lua%-cqueues" },
    ["emulator without luaossl"] = { "openssl", { "emulator", "--", "true" }, "luaossl", "lua%-luaossl" },
    ["emulator without cqueues"] = { "cqueues", { "emulator", "--", "true" }, "cqueues", "lua%-cqueues" },
  } do
    it("prints a one-line error: " .. name, function()
      local absent, arguments, rock, debian = (table.unpack or unpack)(case)
      local result = run(absent, (table.unpack or unpack)(arguments))
      assert.equal(1, result.code)
      assert.equal("", result.out)
      assert.matches("^waba[^\n]* needs [^\n]*rock \"?" .. rock .. "\"?[^\n]*Debian[^\n]*" .. debian
        .. "[^\n]* not found:?\n$", result.err)
      assert.is_nil(result.err:find "%.lua:%d")
    end)
  end
end)
