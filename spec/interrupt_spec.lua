local folder = require "spec.support.folder"
local waba = require "waba"

local interpreter = jit and "luajit" or "lua" .. _VERSION:match "%d.%d"

-- Sends a message to a gateway that does not respond for a minute, and prints the result.
local PROGRAM = [[
local waba = require "waba"
local client = waba.client { api_key = "%s", base_url = "%s", ca_file = "%s" }
local function send() return client:send("4915112345678", waba.text "Hi") end
print "sending"
io.stdout:flush()
print(%s)
]]

describe("Ctrl-C", function()
  local emulator, place

  setup(function()
    emulator = assert(waba.emulator.start { statuses = false })
    place = folder.new()
  end)

  teardown(function()
    emulator:stop()
    place:remove()
  end)

  for name, call in pairs { ["a blocking script"] = "pcall(send)", ["waba.run"] = "pcall(waba.run, send, send)" } do
    it("interrupts " .. name .. " in the middle of a send", function()
      emulator:fail_next { delay = 60, times = 2 }
      local path = place:write("program.lua",
        PROGRAM:format(emulator.api_key, emulator.url, emulator.ca_file, call))
      local pipe = assert(io.popen(("%s '%s' 2>&1 & echo $!; wait"):format(interpreter, path), "r"))
      local pid = assert(pipe:read "*l")
      assert.equal("sending", pipe:read "*l")
      os.execute("sleep 0.2; kill -INT " .. pid)
      assert.matches("^false.*interrupted!", pipe:read "*a")
      pipe:close()
      emulator:clear_faults()
    end)
  end
end)

-- A program whose inbox raises an error. The error ends the work of the program's receiver.
local ENDED = [[
local waba = require "waba"
local inbox = waba.inbox.memory()
local receiver = waba.receiver { open = false, inbox = inbox }
inbox:close()
print(coroutine.resume(coroutine.create(function() receiver:work { forever = true } end)))
io.stdout:flush()
os.execute "kill -TERM $PPID"
print "continued"
]]

it("SIGTERM ends a program whose receiver:work has raised an error in a coroutine", function()
  local place = folder.new()
  finally(function() place:remove() end)
  local pipe = assert(io.popen(("%s '%s' 2>&1"):format(interpreter, place:write("program.lua", ENDED)), "r"))
  local text = pipe:read "*a"
  pipe:close()
  assert.matches("^false\t.*this inbox is closed", text)
  assert.is_nil(text:find("continued", 1, true))
end)
