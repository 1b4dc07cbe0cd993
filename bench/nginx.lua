-- Measures the transport inside nginx:
--
--   lua5.4 bench/nginx.lua            luajit bench/nginx.lua    (after: eval "$(make -s env)")
--   lua5.4 bench/nginx.lua --quick    fewer and shorter rounds
--   lua5.4 bench/nginx.lua --instructions
--
-- With --instructions the worker runs under valgrind, and the program counts the instructions per message. This number
-- does not depend on the speed of the machine. Otherwise the program measures:
--
-- 1. The response time of another location of the same worker, while 200 messages are sent to a gateway that responds
--    after 500 ms. The messages use new connections, then kept connections.
-- 2. The CPU time per message, compared with Lua code in the same worker that writes the same bytes to cosockets
--    without building or checking a message and without reading JSON. The result is the median of several rounds.

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/support/?.lua;" .. folder .. "/../?.lua;" .. package.path

local median = require "median"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local socket = require "socket"

local MODES = {
  full = { rounds = 9, messages = 6000, bursts = 5 },
  quick = { rounds = 5, messages = 1500, bursts = 3 },
}
local WAITING = 200

-- `%s` stands for the folder of the worker.
local VALGRIND = 'PATH="$PATH:/usr/sbin" valgrind -q --tool=callgrind --callgrind-out-file=%s/counts nginx'

-- The gateway, which runs in an nginx of its own.
local GATEWAY = [[
  ngx.req.read_body()
  if ngx.var.http_x_slow or ngx.var.uri:find "^/slow" then ngx.sleep(0.5) end
  ngx.status = 201
  ngx.header.content_type = "application/json"
  ngx.header.content_length = #ANSWER
  ngx.print(ANSWER)
]]

-- The gateway's response to a message (on-premise.md, section 2.2).
local ANSWER = '{"contacts":[{"input":"491511234567","wa_id":"491511234567"}],'
  .. '"messages":[{"id":"gBGHSRURIzRWeAIJm0T7xkQz1pRd"}],"meta":{"api_status":"stable","version":"v2.53.1"}}'

-- The Lua module `sender` of the measured worker. `%s` stands for the gateway's origin.
local SENDER = [[
local waba = require "waba"
local host, port = "127.0.0.1", %d
local sender = {}

local function client(path)
  return waba.client { api_key = "benchmark-key-of-the-usual-length", base_url = "https://localhost:" .. port .. path,
    pace = false }
end

local fast, slow = client "", client "/slow"

function sender.waba()
  local sent = assert(fast:send("491511234567", waba.text "Your order 4711 is on its way."))
  assert(sent.id == "gBGHSRURIzRWeAIJm0T7xkQz1pRd")
end

function sender.slow() assert(slow:send("491511234567", waba.text "Your order 4711 is on its way.")) end

local BODY = '{"to":"491511234567","type":"text","recipient_type":"individual",'
  .. '"text":{"body":"Your order 4711 is on its way."}}'
local REQUEST = "POST /v1/messages HTTP/1.1\r\nHost: localhost:" .. port .. "\r\nAccept: application/json\r\n"
  .. "Content-Type: application/json\r\nUser-Agent: bare\r\nD360-API-KEY: benchmark-key-of-the-usual-length\r\n"
  .. "Content-Length: " .. #BODY .. "\r\n\r\n" .. BODY

function sender.bare()
  local socket = ngx.socket.tcp()
  socket:settimeout(30000)
  assert(socket:connect(host, port, { pool = "bare" }))
  if socket:getreusedtimes() == 0 then assert(socket:sslhandshake(false, "localhost", true)) end
  assert(socket:send(REQUEST))
  assert(assert(socket:receive "*l"):find("201", 1, true))
  local length
  while true do
    local line = assert(socket:receive "*l")
    if line == "" then break end
    local name, value = line:match "^([^:]+):%%s*(.*)$"
    if name:lower() == "content-length" then length = tonumber(value) end
  end
  assert(#assert(socket:receive(length)) == length)
  assert(socket:setkeepalive())
end

-- Sends `count` messages, `at_once` at a time. Returns seconds of CPU and of elapsed time.
function sender.run(what, count, at_once)
  local left, threads = count, {}
  local cpu, began = os.clock(), require("waba.core").clock()
  for number = 1, at_once do
    threads[number] = ngx.thread.spawn(function()
      while left > 0 do
        left = left - 1
        what()
      end
    end)
  end
  for _, thread in ipairs(threads) do assert(ngx.thread.wait(thread)) end
  return os.clock() - cpu, require("waba.core").clock() - began
end

return sender
]]

local CONTENT = [[
  local path, args = ngx.var.uri, ngx.req.get_uri_args()
  if path == "/fast" then return ngx.say "ok" end
  local sender = require "sender"
  ngx.say(table.concat({ sender.run(sender[path:sub(2)], tonumber(args.count), tonumber(args.at_once)) }, " "))
]]

local function start(name, content, http, files, program)
  local place, port, plain = process.folder(), process.free_port(), process.free_port()
  nginx.certify(place)
  for file, text in pairs(files or {}) do place:file(file, text) end
  local configuration = nginx.configuration {
    port = port, plain = plain, workers = 1, content = content,
    http = "keepalive_requests 1000000000; keepalive_timeout 1h; keepalive_time 24h;\n" .. (http or ""),
  }
  configuration = configuration:gsub("worker_connections 512", "worker_connections 4096")
  if program then configuration = configuration:gsub("worker_processes 1;", "%0 master_process off;") end
  place:file("nginx.conf", configuration)
  local running = nginx.start_file(place, "nginx.conf", port, nil, program and program:format(place.path))
  return { name = name, port = port, plain = plain, place = place, pid = running.pid, stop = function()
    running:stop()
    place:remove()
  end }
end

local function connect(server)
  local client = assert(socket.connect("127.0.0.1", server.plain))
  client:setoption("tcp-nodelay", true)
  return client
end

local function ask(client, target)
  assert(client:send(("GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"):format(target)))
end

-- Returns the body of a chunked response.
local function response(client)
  local status = assert(client:receive "*l")
  repeat local line = assert(client:receive "*l") until line == ""
  local parts = {}
  repeat
    local size = tonumber(client:receive "*l", 16)
    parts[#parts + 1] = size > 0 and client:receive(size) or nil
    client:receive "*l"
  until size == 0
  assert(status:find("200", 1, true), status .. "\n" .. table.concat(parts))
  return table.concat(parts)
end

local function at(sorted, share) return sorted[math.max(1, math.ceil(#sorted * share))] end

-- Sends requests to /fast until the condition is true, and returns the milliseconds of each request.
local function watch(fast, over, into)
  repeat
    local began = socket.gettime()
    ask(fast, "/fast")
    response(fast)
    into[#into + 1] = (socket.gettime() - began) * 1000
    socket.sleep(0.001)
  until over()
end

local function print_latencies(name, list)
  table.sort(list)
  print(("   %-44s %6d requests, median %6.2f ms, p99 %6.2f ms, longest %6.2f ms"):format(name, #list, at(list, 0.5),
    at(list, 0.99), list[#list]))
end

local function measure_waiting(worker, mode)
  print(("1. Another location of the worker, while %d sends wait for a gateway that takes 500 ms"):format(WAITING))
  local fast, burst = connect(worker), connect(worker)
  local idle, cold, warm = {}, {}, {}
  ask(burst, "/slow?count=0&at_once=1") -- loads the library before the measurement
  response(burst)
  local until_then = socket.gettime() + 1
  watch(fast, function() return socket.gettime() > until_then end, idle)
  for round = 1, mode.bursts + 1 do
    ask(burst, ("/slow?count=%d&at_once=%d"):format(WAITING, WAITING))
    watch(fast, function() return socket.select({ burst }, nil, 0)[1] ~= nil end, round == 1 and cold or warm)
    response(burst)
  end
  print_latencies("nothing else to do", idle)
  print_latencies("all connections new (one burst)", cold)
  print_latencies(("connections kept (%d bursts)"):format(mode.bursts), warm)
end

local function measure_cost(worker, mode)
  print "2. Microseconds of CPU per message in the worker, and messages per second"
  local client = connect(worker)
  for _, at_once in ipairs { 1, 64 } do
    local results = { waba = {}, bare = {}, ratio = {}, rate = {}, bare_rate = {} }
    for round = 0, mode.rounds do
      local seconds, times = {}, {}
      for _, name in ipairs(round % 2 == 0 and { "waba", "bare" } or { "bare", "waba" }) do
        ask(client, ("/%s?count=%d&at_once=%d"):format(name, mode.messages, at_once))
        seconds[name], times[name] = response(client):match "^(%S+) (%S+)"
      end
      if round > 0 then -- the first round is a warm-up
        table.insert(results.waba, seconds.waba / mode.messages * 1e6)
        table.insert(results.bare, seconds.bare / mode.messages * 1e6)
        table.insert(results.ratio, seconds.waba / seconds.bare)
        table.insert(results.rate, mode.messages / times.waba)
        table.insert(results.bare_rate, mode.messages / times.bare)
      end
    end
    print(("   %2d in flight: waba %.1f us, bare %.1f us, ratio %.2f; waba %.0f/s, bare %.0f/s"):format(at_once,
      median(results.waba), median(results.bare), median(results.ratio), median(results.rate),
      median(results.bare_rate)))
  end
end

local WARM_UP, COUNTED = 1500, 2000 -- numbers of messages; LuaJIT compiles the code during the first ones

local function request(worker, target)
  local client = connect(worker)
  ask(client, target)
  response(client)
  client:close()
end

-- Returns the number of instructions of the worker while it handles a request. callgrind writes the number into the
-- file `counts.<n>` with the highest n.
local function instructions_of(worker, target)
  process.run(("callgrind_control -z %d 2>/dev/null"):format(worker.pid))
  request(worker, target)
  process.run(("callgrind_control --dump %d 2>/dev/null"):format(worker.pid))
  local newest = process.run(("ls -v %s/counts.* | tail -n 1"):format(worker.place.path))
  return tonumber(process.run("sed -n 's/^totals: //p' " .. newest))
end

local function measure_instructions(worker)
  print "Thousands of instructions per message in the worker, without those of the kernel"
  for _, at_once in ipairs { 1, 64 } do
    local counts = {}
    for _, name in ipairs { "bare", "waba" } do
      local target = "/" .. name .. "?count=%d&at_once=%d"
      for opened = 4, at_once, 4 do request(worker, target:format(opened, opened)) end -- opens connections
      request(worker, target:format(WARM_UP, at_once))
      local fixed = instructions_of(worker, target:format(0, at_once))
      counts[name] = (instructions_of(worker, target:format(COUNTED, at_once)) - fixed) / COUNTED / 1000
    end
    print(("   %2d in flight: waba %.1f, bare %.1f, ratio %.2f"):format(at_once, counts.waba, counts.bare,
      counts.waba / counts.bare))
  end
end

local function main()
  local mode, program = MODES.full, nil
  for _, argument in ipairs(arg) do
    if argument == "--quick" then
      mode = MODES.quick
    elseif argument == "--instructions" then
      program = VALGRIND
    else
      io.stderr:write("usage: bench/nginx.lua [--quick|--instructions]\n")
      os.exit(2)
    end
  end
  local gateway = start("gateway", ("local ANSWER = '%s'\n"):format(ANSWER) .. GATEWAY)
  local worker = start("worker", CONTENT, ("lua_ssl_trusted_certificate %s; lua_socket_pool_size 256;"):format(
    gateway.place:file "ca.pem"), { ["sender.lua"] = SENDER:format(gateway.port) }, program)
  local fine, fault = xpcall(function()
    if program then return measure_instructions(worker) end
    measure_waiting(worker, mode)
    measure_cost(worker, mode)
  end, debug.traceback)
  if not fine then io.stderr:write(worker.place:read "error.log" or "") end
  worker.stop()
  gateway.stop()
  if not fine then error(fault, 0) end
end

main()
