local function output_of(command)
  local pipe = assert(io.popen(command .. " 2>&1; echo \"exit code $?\"", "r"))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

local interpreter = jit and "luajit" or "lua" .. _VERSION:match "%d.%d"

describe("the demo", function()
  it("sends three messages and prints the events", function()
    local text = output_of(interpreter .. " examples/demo.lua")
    assert.matches("exit code 0", text)
    for _, line in ipairs {
      "gateway +https://", "sent +gB%S+ text", "sent +gB%S+ image", "sent +gB%S+ template",
      "message +Eva %(4915112345678%): Thank you!", "status +gB%S+ sent", "status +gB%S+ delivered",
      "status +gB%S+ read", "done", "next .*waba emulator %-%-ui", "guide +docs/guides/trying%-your%-bot%.md",
    } do
      assert.matches(line, text)
    end
  end)
end)
