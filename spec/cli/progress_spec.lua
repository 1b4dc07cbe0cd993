-- The progress of `waba bulk` on standard error: lines in a file, a bar on a terminal.

local command = require "spec.support.command"
local process = require "spec.support.process"

local SHOW = [[
local shown = require("waba.cli.progress").new()
for _, figures in ipairs { %s } do shown:show(figures) end
shown:close()
]]

-- Runs a process that shows each element of `figures` as the progress. Returns the output on standard error, a pipe.
local function lines(figures)
  return process.run(("%s -e %s 2>&1 >/dev/null"):format(process.interpreter(), process.quote(SHOW:format(figures))))
end

-- Runs a process that shows each element of `figures` as the progress, on a terminal with this number of columns.
-- Returns the output.
local function drawn(columns, figures, term)
  local program = ("stty cols %d; %s -e %s"):format(columns, process.interpreter(), process.quote(SHOW:format(figures)))
  local text = process.run(("TERM=%s script -qec %s /dev/null"):format(term or "xterm", process.quote(program)))
  return (text:gsub("\r\n", "\n"):gsub("^\r\27%[K", ""))
end

describe("the progress of a run", function()
  it("shows failed and uncertain results only if there are any", function()
    assert.equal("3 of 9: 3 sent, 12/s, 1:05 left",
      lines "{ done = 3, total = 9, sent = 3, failed = 0, maybe_sent = 0, rate = 12.4, seconds_left = 64.6 }")
    assert.equal("6: 3 sent, 2 failed, 1 uncertain",
      lines "{ done = 6, sent = 3, failed = 2, maybe_sent = 1, rate = 0 }")
    assert.equal("2: 1 sent, 1 uncertain, 1/s, 10:00:59 left",
      lines "{ done = 2, sent = 1, failed = 0, maybe_sent = 1, rate = 1, seconds_left = 36059 }")
    assert.equal("1: 1 sent, 1/s, 1:00:00 left", -- a full hour has the form h:mm:ss
      lines "{ done = 1, sent = 1, failed = 0, maybe_sent = 0, rate = 1, seconds_left = 3600 }")
  end)

  it("ends the line of a bar once, and adds no line end to lines", function()
    local figures = "{ done = 3, total = 8, sent = 3, failed = 0, maybe_sent = 0, rate = 0 }"
    local twice = figures .. " } do shown:show(figures) end shown:close() shown:close() io.stderr:write 'end' for _ in ipairs {"
    assert.matches("^3 of 8: 3 sent\nend", lines(twice))
    if command.has_terminals() then assert.matches("%] 3 sent\nend", drawn(80, twice)) end
  end)

  it("is a line at intervals, and one more line if the gateway can't be reached", function()
    local fine = "{ done = 1, sent = 1, failed = 0, maybe_sent = 0, rate = 0 }"
    local waiting = "{ done = 1, sent = 1, failed = 0, maybe_sent = 0, rate = 5, err = { message = 'refused\\nby it' } }"
    local wait = "1: 1 sent, waiting for the gateway: refused \226\134\181 by it"
    assert.equal("1: 1 sent", lines(fine .. "," .. fine))
    assert.equal(table.concat({ "1: 1 sent", wait, wait }, "\n"),
      lines(table.concat({ fine, waiting, waiting, fine, waiting }, ",")))
  end)

  it("is a bar on a terminal, as wide as the terminal", function()
    if not command.has_terminals() then return pending "this system gives out no pseudo-terminals" end
    local figures = "{ done = 3, total = 8, sent = 3, failed = 0, maybe_sent = 0, rate = 0 }"
    assert.equal(" 37% [" .. ("#"):rep(15) .. ("-"):rep(25) .. "] 3 sent", drawn(80, figures))
    assert.equal(" 37% [####------] 3 sent", drawn(25, figures)) -- 24 characters, because the last column is left for the cursor
    assert.equal(" 37% 3 sent", drawn(24, figures))
    assert.equal(" 37% 3 se", drawn(10, figures))
    assert.equal("100% [" .. ("#"):rep(40) .. "] 9 sent",
      drawn(80, "{ done = 9, total = 8, sent = 9, failed = 0, maybe_sent = 0, rate = 0 }"))
    for _, total in ipairs { "0", "nil" } do
      assert.equal("0 sent",
        drawn(80, "{ done = 0, total = " .. total .. ", sent = 0, failed = 0, maybe_sent = 0, rate = 0 }"))
    end
    assert.equal("3 of 8: 3 sent", drawn(80, figures, "dumb"))
  end)
end)
