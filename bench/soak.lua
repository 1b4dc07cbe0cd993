-- Sends many messages through an emulator that resets connections, delays responses, refuses messages, sends invalid
-- responses and is killed five times. Checks that the library and the emulator agree about the result of each message,
-- and that no memory and no descriptor leaks.
--
--   make bench BENCH=bench/soak.lua                   200,000 messages (LUA=luajit …)
--   lua5.4 bench/soak.lua 2000 --seed=7               fewer messages, other failures (after: eval "$(make -s env)")
--   … --plain --timeout=20 --unmeasured               for valgrind: no TLS, long timeouts, no check of memory

local root = arg[0]:match "^(.*)/bench/[^/]*$" or arg[0]:match "^bench/" and "." or ".."
package.path = root .. "/?.lua;" .. package.path

local soak = require "bench.support.soak"

local function options_from_arguments()
  local options = {}
  for _, argument in ipairs(arg) do
    local name, number = argument:match "^%-%-(%l+)=([%d.]+)$"
    if argument:find "^%d+$" then
      options.count = tonumber(argument)
    elseif name == "seed" or name == "timeout" or name == "intensity" or name == "phase" then
      options[name] = tonumber(number)
    elseif argument == "--plain" then
      options.tls = false
    elseif argument == "--unmeasured" then
      options.is_measured = false
    else
      io.stderr:write("usage: bench/soak.lua [messages] [--seed=n] [--timeout=seconds] [--intensity=n] [--phase=n] "
        .. "[--plain] [--unmeasured]\n")
      os.exit(2)
    end
  end
  return options
end

local function tell(phase)
  io.stderr:write(("%s: %d messages in %.0f s\n"):format(phase.name, phase.count, phase.seconds))
end

local function print_report(report)
  local counts = report.counts
  io.write(("%s: %d messages in %.0f s, %d restarts\n"):format(jit and jit.version or _VERSION,
    counts.sent + counts.failed + counts.maybe_sent, report.seconds, report.restarts))
  io.write(("sent %d, failed %d, maybe sent %d (%d of them were accepted); accepted %d\n"):format(counts.sent,
    counts.failed, counts.maybe_sent, report.uncertain_accepted, report.accepted))
  local kinds = {}
  for kind in pairs(report.kinds) do kinds[#kinds + 1] = kind end
  table.sort(kinds)
  for _, kind in ipairs(kinds) do
    io.write(("  %7d  %s: %s\n"):format(report.kinds[kind], kind, report.examples[kind]))
  end
  local before, after = report.before, report.after
  if before then
    io.write(("before and after: Lua %.0f and %.0f KiB, resident %d and %d KiB, descriptors %d and %d\n"):format(
      before.lua, after.lua, before.resident, after.resident, before.descriptors, after.descriptors))
  end
  for _, problem in ipairs(report.problems) do io.write("WRONG: ", problem, "\n") end
end

local options = options_from_arguments()
options.tell = tell
local report = soak.run(options)
print_report(report)
os.exit(#report.problems == 0 and 0 or 1, true)
