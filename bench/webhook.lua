-- Measures the cost of receiving webhooks:
--
--   make bench BENCH=bench/webhook.lua  (LUA=luajit …)
--   lua5.4 bench/webhook.lua --quick    fewer and shorter rounds (after: make bench-programs; eval "$(make -s env)")
--   lua5.4 bench/webhook.lua --stored   measurement 3 only
--   lua5.4 bench/webhook.lua --latency  measurement 5 only
--   lua5.4 bench/webhook.lua --storm    ten thousand messages and thirty thousand statuses, into each inbox
--
-- 1. Reading bodies: waba.events compared with bare cjson, Node's JSON.parse and Python's json.loads.
-- 2. The whole receiver in nginx (one worker; parsing, storing, responding, and a handler for each
--    event) compared with a location of the same nginx that only returns 200.
-- 3. The receiver in nginx with an inbox in Redis, while the handlers run elsewhere (concurrency = 0), compared with a
--    location of the same nginx that stores the events in the same Redis without the library (support/location.lua).
-- 4. How long `put` blocks an nginx worker.
-- 5. Response times at 200 webhooks per second: the webhooks of 50 sent and 50 received messages per second. The
--    platform recommends a median of at most 250 ms, and more than 1 s for less than 1 % of the responses. For
--    comparison: the time of the disk alone.
--
-- The programs run in turn; the figures are medians of the rounds.

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/support/?.lua;" .. folder .. "/../?.lua;" .. package.path

local bodies = require "bodies"
local core = require "waba.core"
local median = require "median"
local process = require "spec.support.process"
local redis = require "spec.support.redis"
local waba = require "waba"
local webhook_server = require "webhook_server"

local INTERPRETER = arg[-1]
local SIZES = { 1, 64, 1000 }
local CONNECTIONS = webhook_server.CONNECTIONS
local RATE = 200 -- webhooks per second in measurement 5
local WARM_UP = 300 -- webhooks before measurement 5
local MODES = {
  full = { rounds = 5, events = 200000, posted = 8000, paced = 2000 },
  quick = { rounds = 3, events = 30000, posted = 4000, paced = 400 },
}

local function run(command)
  local output = process.run(command .. " 2>&1")
  return assert(tonumber(output:match "^[%d.]+$"), command .. ": " .. output)
end

local function has(program) return process.run("command -v " .. program) ~= "" end

-- 1. Reading --------------------------------------------------------------------------------------

local function readers()
  local list = {
    { name = "cjson", command = INTERPRETER .. " " .. folder .. "/support/parse.lua cjson" },
    { name = "waba.events", command = INTERPRETER .. " " .. folder .. "/support/parse.lua waba" },
  }
  if has "node" then list[3] = { name = "Node", command = "node " .. folder .. "/support/parse.js" } end
  if has "python3" then list[#list + 1] = { name = "Python", command = "python3 " .. folder .. "/support/parse.py" } end
  return list
end

local function measure_reading(mode)
  print "1. Reading: microseconds of CPU per event, and times bare cjson"
  local place = process.folder()
  local list = readers()
  for _, events in ipairs(SIZES) do
    local path = place:file("body", bodies.make(events, "m", 1000))
    local count = math.ceil(mode.events / events)
    local times = {}
    for _ = 1, mode.rounds do
      for _, reader in ipairs(list) do
        times[reader.name] = times[reader.name] or {}
        local seconds = run(("%s %s %d %d"):format(reader.command, path, math.ceil(count / 10), count))
        table.insert(times[reader.name], seconds / count / events * 1e6)
      end
    end
    local words = {}
    local bare = median(times.cjson)
    for _, reader in ipairs(list) do
      local micros = median(times[reader.name])
      words[#words + 1] = ("%s %.2f (%.2f)"):format(reader.name, micros, micros / bare)
    end
    print(("   %4d events, %7d bytes: %s"):format(events, #bodies.make(events, "m", 1000), table.concat(words, "   ")))
  end
  place:remove()
end

-- 2. In nginx -------------------------------------------------------------------------------------

-- Posts webhooks over as many connections as the gateway has. Returns the seconds until the last response.
local function post(server, path, events, count)
  local pipes, seconds = {}, 0
  for number = 1, CONNECTIONS do
    pipes[number] = io.popen(webhook_server.poster(server.port, path, events, math.ceil(count / CONNECTIONS),
      events > 100 and 1 or 4, 0))
  end
  for _, pipe in ipairs(pipes) do
    local output = pipe:read "*a"
    seconds = math.max(seconds, (assert(tonumber(output), output)))
    pipe:close()
  end
  return seconds
end

-- Posts webhooks, and waits until all events are handled. Returns the seconds until the last response, and the CPU
-- seconds.
local function post_and_handle(server, path, events, count)
  local before = webhook_server.cpu_of(server.pid)
  local seconds = post(server, path, events, count)
  process.wait_for(function()
    if path == "/ok" or server.depth() == 0 then return true end
    process.sleep(0.1)
  end, "the handlers", 300)
  return seconds, webhook_server.cpu_of(server.pid) - before
end

local function measure_nginx(mode)
  print "2. In nginx, one worker: webhooks per second, microseconds of CPU per event, times `return 200`"
  for _, inbox in ipairs(webhook_server.INBOXES) do
    local server = webhook_server.start(inbox)
    for _, events in ipairs(SIZES) do
      local posted = mode.posted / (inbox.name == "sqlite" and 4 or 1)
      local count = CONNECTIONS * math.max(2, math.ceil(posted / CONNECTIONS / events))
      local figures = { ["/"] = { speed = {}, cpu = {} }, ["/ok"] = { speed = {}, cpu = {} } }
      for _ = 1, math.min(5, mode.rounds) do
        for _, path in ipairs { "/", "/ok" } do
          local seconds, cpu = post_and_handle(server, path, events, count)
          table.insert(figures[path].speed, count / seconds)
          table.insert(figures[path].cpu, cpu / count / events * 1e6)
        end
      end
      local cpu, bare = median(figures["/"].cpu), median(figures["/ok"].cpu)
      local line = "   %-20s %4d events: %7.0f/s (return 200: %7.0f/s), "
        .. "%7.2f us (return 200: %6.2f us), %6.1f times"
      local speed, plain_speed = median(figures["/"].speed), median(figures["/ok"].speed)
      print(line:format(inbox.name, events, speed, plain_speed, cpu, bare, cpu / bare))
    end
    server.stop()
  end
end

-- 3. Storing, compared with a location without the library ----------------------------------------

local function measure_storing(mode)
  print "3. In nginx, one worker, Redis, handlers elsewhere: webhooks per second, and microseconds of CPU per event"
  local server
  for _, inbox in ipairs(webhook_server.INBOXES) do
    if inbox.name == "redis" then server = webhook_server.start(inbox) end
  end
  for _, events in ipairs { 1, 64 } do
    local count = CONNECTIONS * math.max(80, math.ceil(mode.posted / CONNECTIONS / events))
    local stored, plain, ratios = { speed = {}, cpu = {}, redis = {} }, { speed = {}, cpu = {}, redis = {} }, {}
    for round = 0, mode.rounds do -- round 0 is the warm-up
      for path, figures in pairs { ["/stored"] = stored, ["/plain"] = plain } do
        local before, redis_before = webhook_server.cpu_of(server.pid), server.redis_cpu()
        local seconds = post(server, path, events, count)
        figures.speed[round] = count / seconds
        figures.cpu[round] = (webhook_server.cpu_of(server.pid) - before) / count / events * 1e6
        figures.redis[round] = (server.redis_cpu() - redis_before) / count / events * 1e6
        assert(server.remove(path) == count * events, "not all events were stored")
      end
    end
    for name, values in pairs(stored) do
      ratios[name] = {}
      for round, value in ipairs(values) do ratios[name][round] = value / plain[name][round] end
    end
    local line = "   %4d events: %-23s %8.1f, without the library %8.1f: %.2f times"
    local titles = { speed = "webhooks per second", cpu = "us of nginx", redis = "us of Redis" }
    for _, name in ipairs { "speed", "cpu", "redis" } do
      print(line:format(events, titles[name], median(stored[name]), median(plain[name]), median(ratios[name])))
    end
  end
  server.stop()
end

-- 4. The duration of a put ------------------------------------------------------------------------

local function measure_puts(mode)
  print "4. A put: milliseconds, median / 99 % / longest"
  local server, place = redis.start(), process.folder()
  local backends = {
    { "memory", waba.inbox.memory() },
    { "sqlite", waba.inbox.sqlite(place:file "full.db") },
    { "sqlite, sync = false", waba.inbox.sqlite { file = place:file "normal.db", sync = false } },
    { "redis", waba.inbox.redis { port = server.port } },
  }
  for _, backend in ipairs(backends) do
    for _, events in ipairs(SIZES) do
      local took = {}
      for number = 1, math.max(20, math.ceil(mode.paced / events)) do
        local list = waba.events(bodies.make(events, ("p%dx%d"):format(events, number), 1000))
        local before = core.clock()
        assert(backend[2]:put(list))
        took[number] = (core.clock() - before) * 1000
      end
      table.sort(took)
      print(("   %-20s %4d events: %8.3f / %8.3f / %8.3f"):format(backend[1], events, took[math.ceil(#took / 2)],
        took[math.ceil(#took * 0.99)], took[#took]))
    end
    backend[2]:close()
  end
  server:stop()
  place:remove()
end

-- 5. The gateway's targets ------------------------------------------------------------------------

local function print_latency(name, took)
  print(("   %-20s %8.2f / %8.2f / %8.2f"):format(name, took[math.ceil(#took / 2)], took[math.ceil(#took * 0.99)],
    took[#took]))
end

-- Measures the disk alone, because an inbox in SQLite waits for the disk before each response.
local function measure_disk(mode)
  local place = process.folder()
  local command = ("'%s/../build/bench/bare_fsync' '%s' %d %d"):format(folder, place:file "pages", mode.paced, RATE)
  print_latency("a bare fsync", webhook_server.numbers_of { io.popen(command) })
  place:remove()
end

local function measure_latency(mode)
  print "5. At 200 webhooks per second over 6 connections: milliseconds until the response, median / 99 % / longest"
  print "   (the gateway wants: 250 / 1000)"
  measure_disk(mode)
  for _, inbox in ipairs(webhook_server.INBOXES) do
    local server = webhook_server.start(inbox)
    run(webhook_server.poster(server.port, "/", 1, WARM_UP, 1, 0)) -- loads the modules and compiles the code
    local pipes = {}
    for number = 1, CONNECTIONS do
      local count = math.ceil(mode.paced / CONNECTIONS)
      pipes[number] = io.popen(webhook_server.poster(server.port, "/", 1, count, 1, RATE / CONNECTIONS))
    end
    print_latency(inbox.name, webhook_server.numbers_of(pipes))
    server.stop()
  end
end

-- The storm ---------------------------------------------------------------------------------------

local function let_loose()
  local storm = require "spec.support.storm"
  for _, backend in ipairs { "sqlite", "redis" } do
    local result = storm.run {
      backend = backend, count = 10000, customers = 500, per_body = 4, concurrency = 12, seconds = 600,
    }
    local line = "%s: %d events in %d deliveries; stored %d, handled %d, repeated %d, out of order %d, left %d; "
      .. "%.1f s"
    print(line:format(backend, result.events, result.deliveries, result.stored, result.handled, result.repeated,
      result.out_of_order, result.depth, result.seconds))
  end
end

local modes = { ["--quick"] = "quick", ["--stored"] = "stored", ["--latency"] = "latency", ["--storm"] = "storm" }
local chosen = arg[1] and modes[arg[1]] or "full"
if arg[1] and not modes[arg[1]] then
  io.stderr:write("usage: bench/webhook.lua [--quick|--stored|--latency|--storm]\n")
  os.exit(2)
end
if chosen == "storm" then
  let_loose()
elseif chosen == "stored" then
  measure_storing(MODES.full)
elseif chosen == "latency" then
  measure_latency(MODES.full)
else
  measure_reading(MODES[chosen])
  measure_nginx(MODES[chosen])
  measure_storing(MODES[chosen])
  measure_puts(MODES[chosen])
  measure_latency(MODES[chosen])
end
