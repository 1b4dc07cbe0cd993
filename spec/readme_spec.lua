local waba = require "waba"
local documents = require "spec.support.documents"

local NUMBER = "4915112345678"

describe("the README", function()
  local emulator, client

  setup(function()
    emulator = assert(waba.emulator.start { statuses = false })
    client = waba.client(emulator:options {})
  end)

  teardown(function()
    client:close()
    emulator:stop()
  end)

  -- The library as the reader has it, but for the gateway, which is the emulator.
  local function waba_here()
    return setmetatable({
      client = function(options)
        assert.is_table(options)
        return waba.client(emulator:options {})
      end,
    }, { __index = waba })
  end

  -- What a reader has at hand where a block uses it.
  local function names()
    local here = waba_here()
    return {
      waba = here, client = client, print = function() end,
      require = function(name) return name == "waba" and here or require(name) end,
      number = NUMBER, numbers = { NUMBER, "4915112345679" }, message = waba.text "Hi",
      event = { id = emulator:customer(NUMBER):text "Hallo" },
    }
  end

  local blocks = documents.blocks("README.md", "lua")

  it("has code", function() assert.is_true(#blocks >= 4) end)

  for i, block in ipairs(blocks) do
    it(("block %d (line %d) runs and reaches the gateway"):format(i, block.line), function()
      local before = #emulator:received()
      documents.run("README.md", block, names())
      assert.is_true(#emulator:received() > before)
      for _, request in ipairs(emulator:received()) do assert.is_true(request.status < 300, request.path) end
    end)
  end
end)
