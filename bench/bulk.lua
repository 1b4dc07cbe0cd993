-- Measures the cost of a bulk run for few and for many messages. The cost of each message and the memory must not
-- depend on the number of messages.
--
--   make bench BENCH=bench/bulk.lua   (LUA=luajit …)
--   lua5.4 bench/bulk.lua --quick     fewer rounds and messages (after: eval "$(make -s env)")
--
-- Each run is a process that sends over TLS to a server on loopback, with 64 messages in flight, once without and once
-- with a journal. Each ratio compares a run with the run of the fewest messages in the same round.

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/support/?.lua;" .. folder .. "/../?.lua;" .. package.path

local median = require "median"
local process = require "spec.support.process"
local stub = require "stub"

local INTERPRETER = arg[-1]
local KEY = "benchmark-key-of-the-usual-length"

-- A process repeats a small run until it has sent `least` messages, so that all processes run for a similar time.
local MODES = {
  full = { rounds = 5, counts = { 1000, 10000, 100000 }, least = 20000 },
  quick = { rounds = 3, counts = { 1000, 5000, 20000 }, least = 10000 },
}

local function mode_from_arguments()
  local mode = MODES.full
  for _, argument in ipairs(arg) do
    if argument ~= "--quick" then
      io.stderr:write("usage: bench/bulk.lua [--quick]\n")
      os.exit(2)
    end
    mode = MODES.quick
  end
  return mode
end

local function measure(mode, server, count, has_journal)
  local journal, repeats = has_journal and os.tmpname() or "-", math.max(1, math.floor(mode.least / count))
  local command = ("'%s' '%s/support/bulk_sender.lua' '%s' '%s' %s %d %d '%s'"):format(INTERPRETER, folder,
    server.http1, server.ca_file, KEY, count, repeats, journal)
  local output = process.run(command)
  if has_journal then os.remove(journal) end
  local cpu, seconds, early, late, peak = output:match "^([%d.]+) ([%d.]+) (%d+) (%d+) (%d+)$"
  if not cpu then error("failed: " .. command, 0) end
  local messages = count * repeats
  return { cpu = cpu / messages * 1e6, rate = messages / seconds, growth = late - early, peak = peak / 1024 }
end

local ROW = "%-8s %9s  %9s %7s  %11s  %15s  %11s %7s\n"

local function print_results(mode, rounds)
  io.write(ROW:format("journal", "messages", "CPU (us)", "ratio", "messages/s", "Lua grew (KiB)", "most (MiB)",
    "ratio"))
  for _, has_journal in ipairs { false, true } do
    for c, count in ipairs(mode.counts) do
      local function of(field, is_ratio)
        local values = {}
        for i, round in ipairs(rounds) do
          local run, first = round[has_journal][c], round[has_journal][1]
          values[i] = is_ratio and run[field] / first[field] or run[field]
        end
        return median(values)
      end
      io.write(ROW:format(has_journal and "yes" or "no", count, ("%.1f"):format(of "cpu"),
        ("%.2f"):format(of("cpu", true)), ("%.0f"):format(of "rate"), ("%.0f"):format(of "growth"),
        ("%.1f"):format(of "peak"), ("%.2f"):format(of("peak", true))))
    end
  end
end

local function main()
  local mode = mode_from_arguments()
  local server, rounds = stub.start(), {}
  local ok, fault = pcall(function()
    for number = 1, mode.rounds do
      io.stderr:write(("round %d of %d\r"):format(number, mode.rounds))
      local round = { [false] = {}, [true] = {} }
      for c, count in ipairs(mode.counts) do
        for _, has_journal in ipairs { false, true } do
          round[has_journal][c] = measure(mode, server, count, has_journal)
        end
      end
      rounds[number] = round
    end
  end)
  server:stop()
  if not ok then error(fault, 0) end
  io.write(("%s, 64 in flight over HTTP/1.1 with TLS, medians of %d rounds, ratios to the fewest of each round\n\n")
    :format(jit and jit.version or _VERSION, mode.rounds))
  print_results(mode, rounds)
end

main()
