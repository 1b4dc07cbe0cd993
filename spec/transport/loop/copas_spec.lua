-- Runs spec/support/copas_program.lua, a program that calls copas.step() itself.

local process = require "spec.support.process"
local server = require "spec.support.server"

describe("a program that calls copas.step() itself", function()
  local gateway

  setup(function()
    gateway = server.start {
      tls = false,
      responses = { ["/v1/messages"] = { status = 201, body = '{"messages":[{"id":"gBEG"}]}', delay = 0.05 } },
    }
  end)
  teardown(function() gateway:stop() end)

  local function run(where, loop)
    return process.run(("timeout 30 %s spec/support/copas_program.lua %s %s '%s' 2>&1"):format(process.interpreter(),
      gateway.url, where, loop or ""))
  end

  it("continues while its sends wait, and other coroutines block", function()
    assert.equal("sent, the program went on\nsent, in a coroutine of its own", run "main")
  end)

  it("continues too if its client is made in a thread of copas, or gets an error before anything is sent", function()
    gateway:forget()
    local result = run "thread"
    if _VERSION ~= "Lua 5.1" then return assert.equal("sent, the program went on\nsent, in a coroutine of its own", result) end
    -- In Lua 5.1 the library can't detect what resumes a coroutine.
    assert.matches("^invalid: copas is loaded and copas%.loop%(%) does not run; .- option loop = \"copas\"", result)
    assert.equal(0, gateway:count())
    assert.equal("sent, the program went on", run("thread", "copas"))
  end)
end)
