-- Measures what sending costs, as ratios to bare libcurl programs that do the same in the same run:
--
--   make bench                      LUA=luajit make bench
--   lua5.4 bench/send.lua --quick   fewer and shorter rounds (after: eval "$(make -s env)"; make bench-programs)
--
-- Every program sends the same message of 300 bytes over TLS to a server on loopback. waba builds,
-- checks and encodes each message and decodes each answer; the bare programs do no JSON and no checks.
-- Programs take turns; each is a process of its own that measures itself after a warm-up.

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/support/?.lua;" .. package.path

local stub = require "stub"
local waba = require "waba"

local INTERPRETER = arg[-1]
local PROGRAMS = folder .. "/../build/bench/"
local KEY = "benchmark-key-of-the-usual-length"
local BODY_SIZE = 300

local SETTINGS = {
  { protocol = "HTTP/1.1", url = "http1", in_flight = 1 },
  { protocol = "HTTP/2", url = "http2", in_flight = 1 },
  { protocol = "HTTP/1.1", url = "http1", in_flight = 64 },
  { protocol = "HTTP/2", url = "http2", in_flight = 64 },
}

local MODES = {
  full = { rounds = 9, messages = 6000, warm_up = 1000 },
  quick = { rounds = 5, messages = 1000, warm_up = 200 },
}

local function mode_from_arguments()
  local mode = MODES.full
  for _, argument in ipairs(arg) do
    if argument == "--quick" then
      mode = MODES.quick
    else
      io.stderr:write("usage: bench/send.lua [--quick]\n")
      os.exit(2)
    end
  end
  return mode
end

-- What waba itself makes of a text: the request head and the body that the bare programs send too.
local function recorded(text)
  local request
  local client = waba.client {
    api_key = KEY, pace = false, retry = false,
    transport = {
      send = function(_, given)
        request = given
        return nil, { kind = "cancelled", message = "recorded", sent = "no" }
      end,
    },
  }
  client:send("491511234567", waba.text(text))
  client:close()
  return request
end

-- A text that makes the message as long as it shall be, and the request it becomes.
local function sized_message()
  local text = "Your order 4711 is on its way. "
  local missing = BODY_SIZE - #recorded(text).body
  text = text .. ("and more "):rep(math.ceil(missing / 9)):sub(1, missing)
  local request = recorded(text)
  assert(#request.body == BODY_SIZE)
  return { text = text, body = request.body, headers = request.head.headers }
end

local function quoted(argument)
  return "'" .. tostring(argument):gsub("'", "'\\''") .. "'"
end

local function bare_arguments(message)
  local lines = { quoted("D360-API-KEY: " .. KEY) }
  for name, value in pairs(message.headers) do lines[#lines + 1] = quoted(name .. ": " .. value) end
  return table.concat(lines, " ")
end

-- The command lines that are compared; what they have in common comes in between.
local function programs_for(setting, message)
  local bare = PROGRAMS .. (setting.in_flight == 1 and "bare_easy" or "bare_multi")
  local headers = bare_arguments(message)
  return {
    waba = {
      quoted(INTERPRETER) .. " " .. quoted(folder .. "/support/sender.lua"), quoted(KEY) .. " " .. quoted(message.text),
    },
    bare = { quoted(bare), headers },
    unsafe = { quoted(bare) .. " --unsafe", headers },
  }
end

-- Runs one program; gives microseconds of CPU per message, and messages per second.
local function measure(program, server, setting, message, mode)
  local url = server[setting.url] .. (program[1]:find("sender.lua", 1, true) and "" or "/v1/messages")
  local command = ("%s %s %s %s %d %d %d %s"):format(program[1], quoted(url), quoted(server.ca_file),
    quoted(message.body), setting.in_flight, mode.warm_up, mode.messages, program[2])
  local pipe = assert(io.popen(command))
  local output = pipe:read "*a"
  pipe:close()
  local cpu, seconds = output:match "^([%d.]+) ([%d.]+)\n$"
  if not cpu then error("failed: " .. program[1], 0) end
  return { cpu = cpu / mode.messages * 1e6, rate = mode.messages / seconds }
end

local ORDER = { "waba", "bare", "unsafe" }

-- One round: every program once under every setting; every second round the other way about.
local function run_round(round, server, message, mode, results)
  for s, setting in ipairs(SETTINGS) do
    local programs, measured = programs_for(setting, message), {}
    for i = 1, #ORDER do
      local name = ORDER[round % 2 == 1 and i or #ORDER + 1 - i]
      measured[name] = measure(programs[name], server, setting, message, mode)
    end
    results[s][round] = measured
  end
end

local function median(values)
  table.sort(values)
  local middle = math.floor(#values / 2)
  return #values % 2 == 1 and values[middle + 1] or (values[middle] + values[middle + 1]) / 2
end

local function median_of(rounds, read)
  local values = {}
  for i, measured in ipairs(rounds) do values[i] = read(measured) end
  return median(values)
end

local ROW = "%-9s %9s  %9s %9s %9s  %10s %12s  %10s %9s %6s\n"

local function print_results(results)
  io.write(ROW:format("", "", "CPU (us)", "", "", "CPU ratio", "CPU ratio", "messages/s", "", ""))
  io.write(ROW:format("protocol", "in flight", "waba", "bare", "unsafe", "waba/bare", "waba/unsafe", "waba", "bare",
    "ratio"))
  for s, setting in ipairs(SETTINGS) do
    local function cpu(name) return median_of(results[s], function(round) return round[name].cpu end) end
    local function rate(name) return median_of(results[s], function(round) return round[name].rate end) end
    -- of the ratios of each round, as the machine's speed changes between rounds
    local function ratio(name, field)
      return median_of(results[s], function(round) return round.waba[field] / round[name][field] end)
    end
    io.write(ROW:format(setting.protocol, setting.in_flight,
      ("%.1f"):format(cpu "waba"), ("%.1f"):format(cpu "bare"), ("%.1f"):format(cpu "unsafe"),
      ("%.2f"):format(ratio("bare", "cpu")), ("%.2f"):format(ratio("unsafe", "cpu")),
      ("%.0f"):format(rate "waba"), ("%.0f"):format(rate "bare"), ("%.2f"):format(ratio("bare", "rate"))))
  end
end

local function main()
  local mode = mode_from_arguments()
  local message = sized_message()
  local server = stub.start()
  local results = {}
  for s in ipairs(SETTINGS) do results[s] = {} end
  local ok, fault = pcall(function()
    for round = 1, mode.rounds do
      io.stderr:write(("round %d of %d\r"):format(round, mode.rounds))
      run_round(round, server, message, mode, results)
    end
  end)
  server:stop()
  if not ok then error(fault, 0) end
  io.write(("%s, messages of %d bytes over TLS, medians of %d rounds of %d messages, ratios of each round\n\n"):format(
    jit and jit.version or _VERSION, BODY_SIZE, mode.rounds, mode.messages))
  print_results(results)
  io.write("\nbare: libcurl in C (easy handle at 1 in flight, multi handle at 64), as safe as waba; "
    .. "unsafe: may send a message twice\n")
end

main()
