-- src/terminal.c through waba.core: the size of terminals, the signals that end a program, and file modes.

local command = require "spec.support.command"
local core = require "waba.core"
local process = require "spec.support.process"

local quote = process.quote

-- Returns the shell command that runs Lua code with the module as `core`.
local function line(code)
  return ("%s -e %s"):format(process.interpreter(), quote('local core = require "waba.core" ' .. code))
end

describe("a terminal", function()
  local PRINT = "print(core.is_terminal(1), select('#', core.terminal_size(1)), core.terminal_size(1))"

  -- Returns the output of a program on a terminal with this size.
  local function on_terminal(columns, rows)
    local program = ("stty cols %d rows %d; %s"):format(columns, rows, line(PRINT))
    return process.run(("script -qec %s /dev/null"):format(quote(program)))
  end

  it("has a size", function()
    if not command.has_terminals() then return pending "this system gives out no pseudo-terminals" end
    assert.equal("true\t2\t80\t24", on_terminal(80, 24))
    assert.equal("true\t2\t1\t1", on_terminal(1, 1))
    assert.equal("true\t0", on_terminal(0, 0)) -- the size is unknown, as on a serial line
  end)

  it("is neither a pipe, nor a file, nor a closed descriptor", function()
    assert.equal("false\t0", process.run(line(PRINT) .. " | cat"))
    local folder = process.folder()
    process.run(line(PRINT) .. " >" .. folder:file "output")
    assert.equal("false\t0", (folder:read("output"):gsub("%s+$", "")))
    folder:remove()
    assert.is_false(core.is_terminal(-1))
    assert.equal(0, select("#", core.terminal_size(-1)))
  end)
end)

describe("a signal that ends a program", function()
  for _, signal in ipairs { "INT", "TERM", "HUP" } do
    local function run(code)
      return process.run(line(([[
        local function raise() io.popen("kill -%s $PPID"):close() end
        local function pause() os.execute "sleep 0.3" end
        io.stdout:setvbuf "no"
        %s
        print "not ended"
      ]]):format(signal, code)) .. " 2>/dev/null")
    end

    it("is reported once while it is held, and ends the program otherwise: SIG" .. signal, function()
      assert.equal("false\nfalse\ntrue\tfalse\nfalse\ntrue\tfalse\nreleased", run [[
        print(core.interrupted())
        for _ = 1, 2 do
          core.hold_interrupt(true)
          print(core.interrupted())
          raise()
          print(core.interrupted(), core.interrupted())
          core.hold_interrupt(false)
        end
        print "released"
        raise()
      ]])
    end)

    it("ends the program if it is the second one, also before the first one was reported: SIG" .. signal, function()
      for _, first in ipairs { "", "core.interrupted()" } do
        assert.equal("held", run("core.hold_interrupt(true); raise(); print 'held'" .. first .. " pause() raise()"))
      end
    end)

    it("counts once if it comes twice at the same time: SIG" .. signal, function()
      assert.equal("true\tfalse\nnot ended", run [[
        core.hold_interrupt(true)
        raise()
        raise()
        print(core.interrupted(), core.interrupted())
        core.hold_interrupt(false)
      ]])
    end)

    it("ends the program at the release if it was not reported: SIG" .. signal, function()
      assert.equal("released", run "core.hold_interrupt(true); raise(); print 'released'; core.hold_interrupt(false)")
    end)
  end

  it("stays ignored if it is SIGHUP and nohup has started the program", function()
    local code = [[core.hold_interrupt(true); io.popen("kill -HUP $PPID"):close(); print(core.interrupted())]]
    assert.equal("false", process.run("nohup " .. line(code) .. " </dev/null 2>/dev/null"))
  end)

  it("must be held or not", function()
    for _, hold in ipairs { 1, "true" } do
      assert.error_matches(function() core.hold_interrupt(hold) end, "boolean expected")
    end
    assert.error_matches(function() core.hold_interrupt() end, "boolean expected")
  end)
end)

describe("the mode of a file", function()
  it("has all permission bits", function()
    local folder = process.folder()
    local path = folder:file("x", "1")
    for _, mode in ipairs { "600", "644", "7755", "0" } do
      process.run(("chmod %s %s"):format(mode, path))
      assert.equal(tonumber(mode, 8), core.file_mode(path))
    end
    assert.equal(0, select("#", core.file_mode(folder:file "missing")))
    folder:remove()
  end)
end)
