-- A soak test sends many messages through a gateway that fails at random and is killed repeatedly. The test returns the
-- counts of the results, and every violated guarantee.

local core = require "waba.core"
local soak_phases = require "bench.support.soak_phase"
local gateways = require "bench.support.soak_gateway"
local ledgers = require "bench.support.soak_ledger"
local memory = require "bench.support.memory"

local soak = {}

---@type waba.SoakPhase[]
local PHASES = {
  { hosting = "on_premise", http2 = false, way = "send", is_watched = true },
  { hosting = "on_premise", http2 = true, way = "bulk_of_positions" },
  { hosting = "cloud", http2 = false, way = "bulk_of_keys" },
  { hosting = "cloud", http2 = true, way = "send" },
  { hosting = "on_premise", http2 = true, way = "send", is_watched = true },
}

-- The allowed growth of memory between the warm-up and the end, in KiB: a few buffers, and the garbage that the
-- collector has not freed yet. If each of 200,000 messages leaked 32 bytes, Lua's memory would grow by six times its
-- limit. The limits are higher with LuaJIT, because its memory includes compiled code and it compiles for a long time.
local COMPILES = rawget(_G, "jit") and jit.status()
local LUA_SLACK, RESIDENT_SLACK = COMPILES and 2048 or 1024, (COMPILES and 16 or 8) * 1024

-- Returns the memory of the process in KiB, and its number of descriptors. The list of descriptors is written to a
-- file, because a pipe would be one more descriptor.
local function measure(folder)
  local lua, path = memory.collected(), folder .. "/descriptors"
  os.execute(("ls -l /proc/$PPID/fd >'%s'"):format(path))
  local file = assert(io.open(path))
  local list = file:read "*a"
  file:close()
  return { lua = lua, resident = memory.of_process "VmRSS", descriptors = select(2, list:gsub("%->", "")), list = list }
end

-- Runs the phases one after the other. Each phase sends a part of the messages.
local function run_phases(fixture, count, options)
  local done, samples, tell = 0, {}, options.tell
  local phases = options.phase and { PHASES[options.phase] } or PHASES
  for i, plan in ipairs(phases) do
    local last = math.floor(count * i / #phases)
    local sample = {}
    local result = soak_phases.run(plan, { first = done + 1, last = last }, fixture,
      function() sample[#sample + 1] = memory.collected() end)
    result.growth = sample[#sample] - sample[1]
    samples[#samples + 1] = result
    if tell then tell(result) end
    done = last
  end
  return samples
end

local function soak_once(folder, options, count)
  local book = ledgers.new(folder .. "/results")
  local gateway = gateways.new(folder, {
    seed = options.seed, tls = options.tls, timeout = options.timeout, intensity = options.intensity,
  })
  os.remove(gateway.record)
  local fine, samples = pcall(run_phases, {
    gateway = gateway, ledger = book, folder = folder, timeout = options.timeout,
  }, count, options)
  gateway:stop()
  book:close()
  if not fine then error(samples, 0) end
  return book, samples, gateway.record
end

--- The options of a soak test.
---@class waba.SoakOptions
---@field count? integer      messages, 200000 by default
---@field seed? integer       the seed of the simulated failures
---@field tls? boolean        whether the emulator uses TLS; true by default
---@field timeout? number     the timeout of each message in seconds; some simulated delays are a quarter longer
---@field intensity? number   a factor for the number of simulated failures
---@field phase? integer      the only phase to run
---@field is_measured? boolean  whether memory and descriptors are measured before and after; true by default
---@field tell? fun(phase: table)  called with each finished phase

--- The result of a soak test.
---@class waba.SoakReport
---@field problems string[]   the first ten violated guarantees; an 11th text has the number of the others
---@field counts { sent: integer, failed: integer, maybe_sent: integer }
---@field kinds table<string, integer>  errors by kind, status and outcome
---@field examples table<string, string>  an error message for each key of `kinds`
---@field accepted integer    the number of messages that the emulator accepted
---@field uncertain_accepted integer  the number of messages with `maybe_sent` that the emulator accepted
---@field seconds number
---@field restarts integer
---@field before table|nil    the memory in KiB (`lua` and `resident`) and the number of descriptors; nil: not measured
---@field after table|nil     the same fields as `before`; nil: not measured

local function check_growth(book, before, after)
  if after.descriptors ~= before.descriptors then
    book:blame(("there were %d descriptors, now there are %d:\n%s\n%s"):format(before.descriptors, after.descriptors,
      before.list, after.list))
  end
  if after.lua - before.lua > LUA_SLACK then
    book:blame(("Lua held %.0f KiB, now it holds %.0f"):format(before.lua, after.lua))
  end
  if after.resident - before.resident > RESIDENT_SLACK then
    book:blame(("the process had %.0f KiB, now it has %.0f"):format(before.resident, after.resident))
  end
end

local function check_phases(book, phases)
  for _, phase in ipairs(phases) do
    if phase.growth > LUA_SLACK then
      book:blame(("Lua grew by %.0f KiB during %s"):format(phase.growth, phase.name))
    end
  end
end

local function new_folder()
  local pipe = assert(io.popen "mktemp -d")
  local folder = pipe:read "*l"
  pipe:close()
  return folder
end

-- Makes the report from the ledger and from its comparison with the emulator's record.
local function report_of(book, tally)
  if book.problem_count > #book.problems then
    book.problems[#book.problems + 1] = ("… and %d more"):format(book.problem_count - #book.problems)
  end
  return {
    problems = book.problems, counts = book.counts, kinds = book.kinds, examples = book.examples,
    accepted = tally.accepted, uncertain_accepted = tally.uncertain_accepted,
  }
end

local function run_in(folder, options, count)
  local before, after
  if options.is_measured then
    local warm_up = math.max(1000, math.floor(count / 10))
    soak_once(folder, setmetatable({ tell = false }, { __index = options }), warm_up)
    before = measure(folder)
  end
  local started = core.clock()
  local book, phases, record = soak_once(folder, options, count)
  local seconds = core.clock() - started
  if options.is_measured then
    after = measure(folder)
    check_growth(book, before, after)
    check_phases(book, phases)
  end
  local report = report_of(book, book:compare(record, count))
  report.seconds, report.restarts, report.before, report.after = seconds, #phases, before, after
  return report
end

--- Runs a soak test. The test takes several minutes with the default number of messages.
---@param options? waba.SoakOptions
function soak.run(options)
  options = options or {}
  local folder = new_folder()
  local fine, report = pcall(run_in, folder, {
    seed = options.seed or 1, tls = options.tls ~= false, timeout = options.timeout or 2,
    intensity = options.intensity or 1,
    phase = options.phase, tell = options.tell, is_measured = options.is_measured ~= false,
  }, options.count or 200000)
  os.execute("rm -rf '" .. folder .. "'")
  if not fine then error(report, 0) end
  return report
end

return soak
