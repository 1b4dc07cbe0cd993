-- Measures the cost of sending through an outbox compared with client:send:
--
--   make bench BENCH=bench/outbox.lua   (LUA=luajit …)
--   lua5.4 bench/outbox.lua --quick     fewer messages and rounds (after: eval "$(make -s env)")
--   lua5.4 bench/outbox.lua --deep      also with up to a million entries that are due on another day; ten minutes more
--
-- Each run is a process that sends over TLS to a server on loopback, with 16 messages in flight. The figures are
-- medians of the rounds; a ratio compares two runs of a round: an outbox with client:send, and an outbox in which
-- entries wait with the same outbox without them. The last table has the cost of `put` in a worker process of nginx.

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/support/?.lua;" .. folder .. "/../?.lua;" .. package.path

local median = require "median"
local nginx_put = require "nginx_put"
local process = require "spec.support.process"
local redis = require "spec.support.redis"
local stub = require "stub"

local INTERPRETER = arg[-1]
local KEY = "benchmark-key-of-the-usual-length"
-- The number of calls of `put` in one request to nginx.
local PUTS = 500

local mode = { rounds = 5, deep_rounds = 3, count = 5000, depths = {} }
for _, argument in ipairs(arg) do
  if argument == "--quick" then
    mode.rounds, mode.deep_rounds, mode.count = 3, 1, 2000
  elseif argument == "--deep" then
    mode.depths = { 1000, 100000, 1000000 }
  else
    io.stderr:write("usage: bench/outbox.lua [--quick] [--deep]\n")
    os.exit(2)
  end
end

local server, database, place = assert(stub.start()), redis.start(), process.folder()
local files = 0

-- Runs bench/support/outbox_sender.lua, and returns the four numbers that the program prints.
local function run(way, depth)
  local where = "-"
  if way == "sqlite" then
    files = files + 1
    where = place:file("outbox" .. files .. ".db")
  elseif way == "redis" then
    process.run(("redis-cli -p %d flushall"):format(database.port))
    where = database.port
  end
  local command = ("'%s' '%s/support/outbox_sender.lua' '%s' '%s' %s %s '%s' %d %d"):format(INTERPRETER, folder,
    server.http1, server.ca_file, KEY, way, where, mode.count, depth)
  local output = process.run(command)
  local single, listed, cpu, rate = output:match "^([%d.]+) ([%d.]+) ([%d.]+) ([%d.]+)$"
  if not cpu then error("failed: " .. command .. "\n" .. output, 0) end
  return { put = tonumber(single), list = tonumber(listed), cpu = tonumber(cpu), rate = tonumber(rate) }
end

local function print_row(name, runs, ratios)
  local function of(field)
    local values = {}
    for index, one in ipairs(runs) do values[index] = one[field] end
    return median(values)
  end
  print(("%-24s %8.1f %8.1f %9.1f %8s %9.0f"):format(name, of "put", of "list", of "cpu",
    ratios and ("%.2f"):format(median(ratios)) or "", of "rate"))
end

print(("%s, %d messages, microseconds of CPU per message"):format(jit and jit.version or _VERSION, mode.count))
print(("%-24s %8s %8s %9s %8s %9s"):format("", "put", "in lists", "sending", "times", "per s"))

local runs, ratios = { direct = {}, memory = {}, sqlite = {}, redis = {} }, { memory = {}, sqlite = {}, redis = {} }
for _ = 1, mode.rounds do
  local direct = run("direct", 0)
  table.insert(runs.direct, direct)
  for way, list in pairs(ratios) do
    local one = run(way, 0)
    table.insert(runs[way], one)
    table.insert(list, one.cpu / direct.cpu)
  end
end
print_row("client:send", runs.direct)
for _, way in ipairs { "memory", "sqlite", "redis" } do print_row("outbox in " .. way, runs[way], ratios[way]) end

for _, depth in ipairs(mode.depths) do
  for _, way in ipairs { "sqlite", "redis" } do
    local deep, times = {}, {}
    for round = 1, mode.deep_rounds do
      deep[round] = run(way, depth)
      times[round] = deep[round].cpu / run(way, 0).cpu
    end
    print_row(("%s, %d waiting"):format(way, depth), deep, times)
  end
end

print "\nput in nginx with Redis"
local put_in_nginx, stop_nginx = nginx_put.start(database.port)
for _, at_once in ipairs { 1, 16 } do
  local costs, times = {}, {}
  put_in_nginx(PUTS, at_once) -- warm-up
  for round = 1, mode.rounds do costs[round], times[round] = put_in_nginx(PUTS, at_once) end
  print(("%2d at once: %.1f us of the worker's CPU, median %.3f ms"):format(at_once, median(costs), median(times)))
end

stop_nginx()
server:stop()
database:stop()
place:remove()
