-- Measures the cost of sending, as ratios to C programs with bare libcurl that send the same messages in the same run:
--
--   make bench                      LUA=luajit make bench
--   lua5.4 bench/send.lua --quick   fewer and shorter rounds (after: eval "$(make -s env)"; make bench-programs)
--   lua5.4 bench/send.lua --peers   also other HTTP clients (make bench-packages installs them)
--   … --only=HTTP/2,64,50           protocol, in flight and latency in milliseconds; an empty part selects all
--
-- Every program (bench/support/peers.lua) sends the same message of 300 bytes over TLS to a server on loopback, which
-- responds at once or after 50 ms. waba builds, checks and encodes each message and decodes each response; the bare
-- programs have no JSON and no checks. Each program is a process that measures itself after a warm-up. strace counts
-- the system calls. A bulk run is compared with 64 coroutines that call `send`.

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/support/?.lua;" .. folder .. "/../?.lua;" .. package.path

local median = require "median"
local message = require "message"
local peers = require "peers"
local stub = require "stub"
local system_calls = require "system_calls"

local PROTOCOLS = { { name = "HTTP/1.1", server = "http1" }, { name = "HTTP/2", server = "http2" } }
local LATENCIES = { 0, 0.05 }
local IN_FLIGHT = { 1, 64, 256 }

-- `seconds`: how long the programs send to a server with latency.
local MODES = {
  full = { rounds = 9, messages = 6000, warm_up = 1000, seconds = 1.5 },
  peers = { rounds = 5, messages = 2000, warm_up = 1000, seconds = 1 },
  quick = { rounds = 5, messages = 1000, warm_up = 300, seconds = 0.5 },
}

-- Returns the mode (quick, peers) and the selected settings.
local function from_arguments()
  local mode, only = MODES.full, {}
  for _, argument in ipairs(arg) do
    if argument:find "^%-%-only=[^,]*,%d*,%d*$" then
      only.protocol, only.in_flight, only.latency = argument:match "=(.*),(.*),(.*)$"
    elseif argument == "--quick" then
      mode = MODES.quick
    elseif argument == "--peers" then
      mode = MODES.peers
      for _, peer in ipairs(peers.others) do peers.list[#peers.list + 1] = peer end
    else
      io.stderr:write("usage: bench/send.lua [--quick] [--peers] [--only=protocol,in_flight,latency]\n")
      os.exit(2)
    end
  end
  return mode, only
end

local function is_asked_for(value, wanted)
  return wanted == nil or wanted == "" or tostring(value) == wanted
end

local function new_settings(only)
  local settings = {}
  for _, latency in ipairs(LATENCIES) do
    for _, in_flight in ipairs(IN_FLIGHT) do
      for _, protocol in ipairs(PROTOCOLS) do
        if is_asked_for(protocol.name, only.protocol) and is_asked_for(in_flight, only.in_flight)
          and is_asked_for(("%.0f"):format(latency * 1000), only.latency) then
          settings[#settings + 1] = { latency = latency, in_flight = in_flight, protocol = protocol }
        end
      end
    end
  end
  return settings
end

-- Returns the number of messages for a setting. For a server with latency this is the number that can be sent in
-- `mode.seconds`.
local function count_for(setting, mode)
  if setting.latency == 0 then return mode.messages end
  local lanes = setting.in_flight
  if setting.protocol.name == "HTTP/1.1" then lanes = math.min(lanes, message.CONNECTIONS) end
  return math.max(setting.in_flight * 4, math.floor(lanes / setting.latency * mode.seconds))
end

local function job_for(setting, server, sized, mode)
  return message.job(sized, {
    url = server:url(setting.protocol.server, setting.latency), ca_file = server.ca_file,
    protocol = setting.protocol.name, in_flight = setting.in_flight,
    warm_up = setting.latency == 0 and mode.warm_up or setting.in_flight,
    count = count_for(setting, mode),
  })
end

-- Runs every program once with every setting; every second round in reverse order.
local function run_round(round, server, sized, mode, settings)
  for _, setting in ipairs(settings) do
    local job, measured = job_for(setting, server, sized, mode), {}
    local busy, began = server:cpu(), os.time()
    for i = 1, #peers.list do
      local peer = peers.list[round % 2 == 1 and i or #peers.list + 1 - i]
      if not peer.fits or peer.fits(setting) then measured[peer.name] = peers.run(peer, job) end
    end
    setting.rounds[round] = measured
    setting.server_cpu = setting.server_cpu + server:cpu() - busy
    setting.time = setting.time + os.time() - began
  end
end

local function median_of(rounds, read)
  local values = {}
  for i, measured in ipairs(rounds) do values[i] = read(measured) end
  return median(values)
end

local function cpu(setting, name)
  return median_of(setting.rounds, function(round) return round[name].cpu end)
end

local function rate(setting, name)
  return median_of(setting.rounds, function(round) return round[name].rate end)
end

-- Returns the median of the ratios of all rounds. The ratio is computed for each round, because the machine's speed
-- changes between rounds.
local function ratio(setting, name, field)
  return median_of(setting.rounds, function(round) return round.waba[field] / round[name][field] end)
end

local ROW = "%-8s %9s %7s  %8s %8s %8s %8s  %9s %10s %10s  %8s %8s %6s\n"

local function print_results(settings)
  io.write(ROW:format("", "", "", "CPU (us)", "", "", "", "CPU ratio", "CPU ratio", "CPU ratio", "per s", "", ""))
  io.write(ROW:format("protocol", "in flight", "latency", "waba", "floor", "bare", "unsafe", "waba/bare", "floor/bare",
    "waba/floor", "waba", "bare", "ratio"))
  for _, setting in ipairs(settings) do
    local has_unsafe = setting.rounds[1].unsafe ~= nil
    io.write(ROW:format(setting.protocol.name, setting.in_flight, ("%g ms"):format(setting.latency * 1000),
      ("%.1f"):format(cpu(setting, "waba")), ("%.1f"):format(cpu(setting, "floor")),
      ("%.1f"):format(cpu(setting, "bare")),
      has_unsafe and ("%.1f"):format(cpu(setting, "unsafe")) or "", ("%.2f"):format(ratio(setting, "bare", "cpu")),
      ("%.2f"):format(median_of(setting.rounds, function(round) return round.floor.cpu / round.bare.cpu end)),
      ("%.2f"):format(ratio(setting, "floor", "cpu")), ("%.0f"):format(rate(setting, "waba")),
      ("%.0f"):format(rate(setting, "bare")), ("%.2f"):format(ratio(setting, "bare", "rate"))))
  end
end

-- The limits of three ratios: the CPU time divided by that of the bare program, for each latency of the server; the CPU
-- time of a bulk run with a journal divided by that of coroutines; the system calls divided by those of the bare
-- program.
local LIMITS = { [0] = 1.15, [0.05] = 1.2, bulk = 1.15, system_calls = 1 }

local function print_limit(name, is, limit)
  io.write(("%-50s %6.2f %6.2f %s\n"):format(name, is, limit, is <= limit and "kept" or "exceeded"))
end

local function name_of(setting)
  return ("%s, %d in flight, %g ms"):format(setting.protocol.name, setting.in_flight, setting.latency * 1000)
end

-- Prints each ratio, its limit, and whether the ratio is within the limit.
local function print_limits(settings, bulk)
  io.write(("\n%-50s %6s %6s\n"):format("ratio to bare libcurl", "is", "limit"))
  for _, setting in ipairs(settings) do
    print_limit("CPU, " .. name_of(setting), ratio(setting, "bare", "cpu"), LIMITS[setting.latency])
  end
  for _, setting in ipairs(settings) do
    if setting.system_calls then
      print_limit("system calls, " .. name_of(setting), setting.system_calls, LIMITS.system_calls)
    end
  end
  if bulk[1] then print_limit("CPU, send_all with a journal, to 64 coroutines", median(bulk), LIMITS.bulk) end
end

-- Counts the system calls in the settings with latency, because programs wait most often in these settings.
local function count_system_calls(server, sized, mode, settings)
  if not system_calls.can_count() then return end
  for _, setting in ipairs(settings) do
    if setting.latency > 0 and setting.in_flight < 256 then
      local job = job_for(setting, server, sized, mode)
      setting.system_calls = system_calls.of_message("waba", job) / system_calls.of_message("bare", job)
    end
  end
end

-- Returns the CPU time of a bulk run with a journal, divided by that of 64 coroutines that send the same messages.
local function measure_bulk(server, mode)
  local journal, coroutines = os.tmpname(), peers.list[1]
  local job = {
    url = server.http2, ca_file = server.ca_file, body = "", in_flight = 64, warm_up = 3000, count = mode.messages,
    key = "benchmark-key-of-the-usual-length", text = "Your order 4711 is on its way.",
  }
  local bulk = {
    name = "bulk",
    read = function(output) return output:match "^([%d.]+) ([%d.]+) " end,
    command = function()
      return { arg[-1], folder .. "/support/bulk_sender.lua", job.url, job.ca_file, job.key, job.count, 1, journal }
    end,
  }
  local result = peers.run(bulk, job).cpu / peers.run(coroutines, job).cpu
  os.remove(journal)
  return result
end

local IN_FIRST_TABLE = { waba = true, floor = true, bare = true, unsafe = true }
local PEER_ROW = "%-8s %9s %7s  %-16s %9s %12s  %8s %11s\n"

-- Prints the results of the other HTTP clients for the settings that they support. "peer/waba" is the ratio of a client
-- to waba.
local function print_peers(settings)
  io.write("\n", PEER_ROW:format("protocol", "in flight", "latency", "peer", "CPU (us)", "peer/waba", "per s",
    "peer/waba"))
  for _, setting in ipairs(settings) do
    for _, peer in ipairs(peers.list) do
      if not IN_FIRST_TABLE[peer.name] and setting.rounds[1][peer.name] then
        io.write(PEER_ROW:format(setting.protocol.name, setting.in_flight, ("%g ms"):format(setting.latency * 1000),
          peer.name, ("%.1f"):format(cpu(setting, peer.name)), ("%.2f"):format(1 / ratio(setting, peer.name, "cpu")),
          ("%.0f"):format(rate(setting, peer.name)), ("%.2f"):format(1 / ratio(setting, peer.name, "rate"))))
      end
    end
  end
end

-- Prints the largest share of the time in which the server used its CPU. A share of 1 means that the server limits the
-- rate.
local function print_server(settings)
  local most, where = 0, nil
  for _, setting in ipairs(settings) do
    local share = setting.time > 0 and setting.server_cpu / setting.time or 0
    if setting.latency > 0 and share >= most then most, where = share, setting end
  end
  if where then
    io.write(("\nThe server with latency used its CPU for at most %.0f %% of the time (%s, %d in flight)\n"):format(
      most * 100, where.protocol.name, where.in_flight))
  end
end

local function main()
  local mode, only = from_arguments()
  local sized, settings = message.sized(), new_settings(only)
  if #settings == 0 then error("--only selects no setting: expected values such as HTTP/2,64,50", 0) end
  local server = stub.start()
  for _, setting in ipairs(settings) do setting.rounds, setting.server_cpu, setting.time = {}, 0, 0 end
  local bulk = {}
  local ok, fault = pcall(function()
    for round = 1, mode.rounds do
      io.stderr:write(("round %d of %d\r"):format(round, mode.rounds))
      run_round(round, server, sized, mode, settings)
      if next(only) == nil then bulk[round] = measure_bulk(server, mode) end
    end
    count_system_calls(server, sized, mode, settings)
  end)
  server:stop()
  if not ok then error(fault, 0) end
  io.write(("%s, messages of %d bytes over TLS, medians of %d rounds of %d messages, ratios of each round\n\n"):format(
    jit and jit.version or _VERSION, message.BODY_SIZE, mode.rounds, mode.messages))
  print_results(settings)
  if #peers.list > 4 then print_peers(settings) end
  print_server(settings)
  print_limits(settings, bulk)
  io.write("\nbare: libcurl in C (easy handle at 1 in flight, multi handle at more), as safe as waba; "
    .. "floor: the smallest Lua binding with lua-cjson, without checks; unsafe: may send a message twice\n")
end

main()
