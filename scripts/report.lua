-- An output handler for busted (`busted -o scripts/report.lua -Xoutput FILE`). The handler prints a line for each spec
-- file and every failure in full. The handler writes the counts "passed failed skipped" to FILE, and until the end also
-- the name of the running test.

local busted = require "busted"
local pretty = require "pl.pretty"
local new_handler = require "busted.outputHandlers.base"

local interpreter = jit and "luajit" or "lua" .. _VERSION:match("%d.%d")

--- Returns busted's information about one failure as text.
local function describe(failure)
  local message = failure.message
  if type(message) ~= "string" then
    message = message == nil and "error without a message" or pretty.write(message)
  end
  local trace = failure.trace or {}
  local place = trace.short_src and (trace.short_src .. ":" .. trace.currentline) or ""
  return ("\n--- %s: %s\n%s\n%s\n%s\n"):format(interpreter, failure.name, place, message, trace.traceback or "")
end

return function(options)
  local handler = new_handler()
  local started, counted, shown

  --- Returns the numbers of passed, failed and skipped tests. An error outside of a test, such as a file that does not
  --- load, counts as a failed test.
  local function counts()
    return handler.successesCount, handler.failuresCount + handler.errorsCount, handler.pendingsCount
  end

  local function take_failures()
    local text = {}
    for _, kind in ipairs { "failures", "errors" } do
      for position = shown[kind] + 1, #handler[kind] do
        text[#text + 1] = describe(handler[kind][position])
      end
      shown[kind] = #handler[kind]
    end
    return table.concat(text)
  end

  local function keep_counts(running)
    local file = assert(io.open(options.arguments[1], "w"))
    file:write(("%d %d %d "):format(counts()), running or "", "\n")
    file:close()
  end

  local function suite_start()
    shown = { failures = 0, errors = 0 }
    return nil, true
  end

  local function file_start()
    started, counted = busted.gettime(), { counts() }
    return nil, true
  end

  local function file_end(file)
    local passed, failed, skipped = counts()
    passed, failed, skipped = passed - counted[1], failed - counted[2], skipped - counted[3]
    io.write(("%s  %s  %s: %d passed%s%s  (%.1f s)\n%s"):format(
      failed > 0 and "FAILED" or "ok    ", interpreter, file.name, passed,
      failed > 0 and (", %d failed"):format(failed) or "", skipped > 0 and (", %d skipped"):format(skipped) or "",
      busted.gettime() - started, take_failures()))
    io.flush()
    return nil, true
  end

  local function test_start(test)
    keep_counts(test.trace.short_src .. ": " .. handler.getFullName(test))
    return nil, true
  end

  local function suite_end()
    io.write(take_failures())
    keep_counts()
    return nil, true
  end

  busted.subscribe({ "suite", "start" }, suite_start)
  busted.subscribe({ "file", "start" }, file_start)
  busted.subscribe({ "test", "start" }, test_start)
  busted.subscribe({ "file", "end" }, file_end)
  busted.subscribe({ "suite", "end" }, suite_end)
  return handler
end
