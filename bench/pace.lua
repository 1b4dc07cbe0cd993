-- Measures rate limits that several processes share through Redis:
--
--   lua5.4 bench/pace.lua            luajit bench/pace.lua    (after: eval "$(make -s env)")
--   lua5.4 bench/pace.lua --quick    shorter
--
-- 1. The CPU time of the rate limiter per message, without a gateway: with a limiter that only this process uses, and
--    with a limiter in Redis or in a dictionary of nginx that grants tokens for 25 messages at a time.
-- 2. Four processes with one key: the number of messages that the gateway receives in any ten seconds, and the number
--    of requests to Redis.
-- 3. Replies while 10,000 bulk messages wait in four processes: the longest time until a response.
-- 4. After a response with status 429 to one process: how long the other processes continue to send.

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/../?.lua;" .. folder .. "/support/?.lua;" .. package.path

local cost = require "pace_cost"
local emulators = require "waba.emulator"
local nginx = require "spec.support.nginx"
local pace = require "waba.pace"
local process = require "spec.support.process"
local redis = require "spec.support.redis"

local MODES = { full = { seconds = 40, messages = 200000 }, quick = { seconds = 15, messages = 25000 } }
local KEY = "benchmark-key-of-the-usual-length"
local RATE, BURST, WINDOW = 80, 80, 10

-- The cost of a message ---------------------------------------------------------------------------

-- Returns the microseconds of CPU per message in a worker of nginx without a store, and the microseconds of CPU and of
-- elapsed time per message with a dictionary.
local CONTENT = [[
  package.path = "%s/?.lua;" .. package.path
  local cost, messages = require "pace_cost", %d
  local own = cost(nil, messages)
  ngx.print(own, " ", table.concat({ cost(require("waba.pace").shared_dict "rates", messages) }, " "))
]]

local function show_nginx(messages)
  local place, port, plain = process.folder(), process.free_port(), process.free_port()
  nginx.certify(place)
  local content = CONTENT:format(process.run("cd '" .. folder .. "/support' && pwd"), messages)
  local program = nginx.start(place, nginx.configuration {
    port = port, plain = plain, workers = 1, content = content, http = "lua_shared_dict rates 1m;",
  }, port)
  local _, _, text = nginx.request(("http://127.0.0.1:%d/"):format(plain), { method = "GET" })
  print(("in nginx: %.2f us of CPU in the worker; with a shared dictionary %.2f us of CPU, %.2f us of time"):format(
    text:match "^(%S+) (%S+) (%S+)$"))
  program:stop()
  place:remove()
end

-- Returns the number of requests that Redis has counted.
local function asked(server)
  local text = process.run(("redis-cli -p %d info commandstats"):format(server.port))
  return tonumber(text:match "cmdstat_evalsha:calls=(%d+)") or 0
end

local function show_cost(messages)
  local server = redis.start()
  local own = cost(nil, messages)
  local shared, time = cost(pace.redis { port = server.port }, messages)
  print(("the limiter per message: %.2f us of CPU in this process; with Redis %.2f us of CPU, %.2f us of time"):format(
    own, shared, time))
  print(("  Redis was asked once per %.1f messages"):format(messages / asked(server)))
  server:stop()
  show_nginx(messages)
end

-- Processes ---------------------------------------------------------------------------------------

local function start(gateway, server, seconds, bulk, replies)
  local command = ("'%s' '%s/support/pace_sender.lua' '%s' '%s' %d %d %d %d %d/%d"):format(arg[-1], folder, gateway.url,
    KEY, server.port, seconds, bulk, replies, RATE, BURST)
  return assert(io.popen(command))
end

local function finish(pipes)
  local results = {}
  for number, pipe in ipairs(pipes) do
    local sent, failed, longest = pipe:read("*a"):match "^(%d+) (%d+) ([%d.]+)"
    pipe:close()
    results[number] = { sent = tonumber(sent), failed = tonumber(failed), longest = tonumber(longest) }
  end
  return results
end

-- Returns the largest number of requests in any ten seconds, and the smallest number in ten seconds that begin two
-- seconds after the first request or later.
local function windows(requests)
  local most, least, first = 0, math.huge, 1
  for last, request in ipairs(requests) do
    while request.at - requests[first].at >= WINDOW do first = first + 1 end
    most = math.max(most, last - first + 1)
    if request.at - requests[1].at > WINDOW + 2 then least = math.min(least, last - first + 1) end
  end
  return most, least
end

local function with_emulator(action)
  local emulator = emulators.start {
    tls = false, keep = 100000, cloud = { api_key = KEY, rate_limits = true, statuses = false },
  }
  local server = redis.start()
  local ok, message = pcall(action, emulator.cloud, server)
  server:stop()
  emulator:stop()
  if not ok then error(message, 0) end
end

local function refused(requests)
  local count = 0
  for _, request in ipairs(requests) do count = count + (request.status == 200 and 0 or 1) end
  return count
end

local function show_rate(seconds)
  with_emulator(function(gateway, server)
    local pipes = {}
    for number = 1, 4 do pipes[number] = start(gateway, server, seconds, 100, 0) end
    local results = finish(pipes)
    local requests = assert(gateway:received())
    local most, least = windows(requests)
    print(("four processes, %d s: %d messages (%d, %d, %d, %d), %d refused"):format(seconds, #requests, results[1].sent,
      results[2].sent, results[3].sent, results[4].sent, refused(requests)))
    print(("  any %d s: at most %d (allowed %d), at least %d (%.1f %% of the rate)"):format(WINDOW, most,
      WINDOW * RATE + BURST, least, 100 * least / (WINDOW * RATE)))
    print(("  Redis was asked once per %.1f messages"):format(#requests / asked(server)))
  end)
end

local function show_replies(seconds)
  with_emulator(function(gateway, server)
    local pipes = {}
    for number = 1, 4 do pipes[number] = start(gateway, server, seconds, 2500, number == 1 and 1 or 0) end
    pipes[5] = start(gateway, server, seconds, 0, 1)
    local results = finish(pipes)
    print(("replies beside 10,000 bulk messages: at most %.0f ms in a process that sends bulk, %.0f ms in another")
      :format(results[1].longest * 1000, results[5].longest * 1000))
  end)
end

local function show_pause(seconds)
  with_emulator(function(gateway, server)
    local pipes = {}
    for number = 1, 4 do pipes[number] = start(gateway, server, seconds, 100, 0) end
    process.sleep(seconds / 2)
    assert(gateway:fail_next { status = 429, body = "{}", headers = { ["Retry-After"] = "4" } })
    finish(pipes)
    local at, last, next_at
    for _, request in ipairs(assert(gateway:received())) do
      if request.status == 429 and not at then at = request.at end
      if at and request.at - at > 3 and not next_at then next_at = request.at end
      if at and not next_at then last = request.at end
    end
    print(("after a 429 with Retry-After: 4, the last request of any process arrived %.2f s later, the next one %.2f s")
      :format(last - at, next_at - at))
  end)
end

local function main()
  local mode = arg[1] == "--quick" and MODES.quick or MODES.full
  show_cost(mode.messages)
  show_rate(mode.seconds)
  show_replies(mode.seconds)
  show_pause(mode.seconds)
end

main()
