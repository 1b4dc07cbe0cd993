-- Measures how an attack on the webhook server affects the webhooks of other peers:
--
--   lua5.4 bench/attack.lua             luajit bench/attack.lua    (after: eval "$(make -s env)")
--   lua5.4 bench/attack.lua --peers 50  the attack comes from 50 addresses instead of one
--   lua5.4 bench/attack.lua --quick     shorter rounds
--
-- The server may open 1024 descriptors and requires a signature, so it must read bodies. There are three attacks: 2,000
-- connections that send nothing; 2,000 connections that send one byte per second (1,000 connections send a head, 1,000
-- connections send a body); 200 connections that send bodies of four megabytes. If the server closes a connection, the
-- attackers open another one a second later. During the attack a peer with another address sends 20 webhooks a second.
-- Server, attackers and peer run on loopback, in three processes.

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/../?.lua;" .. package.path

local core = require "waba.core"
local cqueues = require "cqueues"
local cqueues_socket = require "cqueues.socket"
local process = require "spec.support.process"
local waba = require "waba"

local SECRET = "s3cret"
local BODY = '{"messages":[{"id":"%d","from":"49151","type":"text","text":{"body":"hello"}}]}'
local LARGE = 4 * 1024 * 1024

local function head(length, signature)
  return ("POST / HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: sha256=%s\r\nContent-Length: %d\r\n\r\n"):format(
    signature or ("0"):rep(64), length)
end

local function connect(port, from)
  local socket = cqueues_socket.connect { host = "127.0.0.1", port = port, bind = from, nodelay = true }
  socket:setmode("bn", "bn")
  socket:onerror(function(_, _, why) return why end)
  socket:settimeout(10)
  return socket:connect() and socket or socket:close() and nil
end

-- Roles -------------------------------------------------------------------------------------------

local roles = {}

function roles.serve()
  local server = assert(waba.webhook.server { receiver = waba.receiver { secret = SECRET, on = {} } })
  io.stdout:write(server.port, "\n")
  io.stdout:flush()
  assert(server:run())
end

local attacks = {}

function attacks.silent(socket) socket:read(1) end

function attacks.slow(socket, number)
  socket:write(number % 2 == 0 and "POST / HTTP/1.1\r\nX: " or head(900))
  repeat cqueues.sleep(1) until not socket:write "x"
end

function attacks.large(socket)
  socket:write(head(LARGE))
  local piece = ("x"):rep(65536)
  for _ = 1, LARGE / #piece do
    if not socket:write(piece) then return end
  end
  socket:read "*l"
end

-- Starts the attackers. `kinds` is the number of connections of each kind, such as "silent=2000,large=200".
function roles.attack(port, kinds, peers)
  local queue = cqueues.new()
  local opened = 0
  for kind, count in kinds:gmatch "(%a+)=(%d+)" do
    for number = 1, count do
      opened = opened + 1
      local from = ("127.0.1.%d"):format(1 + opened % peers)
      queue:wrap(function()
        cqueues.sleep(number / count) -- opens the connections at different times
        while true do
          local socket = connect(port, from)
          if socket then
            attacks[kind](socket, number)
            socket:close()
          end
          cqueues.sleep(1)
        end
      end)
    end
  end
  assert(queue:loop())
end

-- Sends webhooks, and prints the seconds and the status of each response.
function roles.ask(port, seconds)
  local queue = cqueues.new()
  local deadline = cqueues.monotime() + seconds
  local function ask(number)
    local body = BODY:format(number)
    local started, socket = cqueues.monotime(), connect(port, "127.0.0.2")
    local line = socket and socket:write(head(#body, core.hmac_sha256(SECRET, body)) .. body) and socket:read "*l"
    if socket then socket:close() end
    print(("%.4f %s"):format(cqueues.monotime() - started, tostring(line):match "^HTTP/1.1 (%d+)" or "none"))
  end
  queue:wrap(function()
    local number = 0
    while cqueues.monotime() < deadline do
      number = number + 1
      queue:wrap(ask, number)
      cqueues.sleep(0.05)
    end
  end)
  assert(queue:loop())
end

-- Measuring ---------------------------------------------------------------------------------------

local function memory_of(pid, name)
  local file = io.open(("/proc/%d/status"):format(pid))
  local text = file and file:read "*a" or ""
  if file then file:close() end
  return (tonumber(text:match(name .. ":%s+(%d+) kB")) or 0) / 1024
end

local function command(role, descriptors, ...)
  local words = { process.quote(arg[-1]), process.quote(arg[0]), role }
  for _, word in ipairs { ... } do words[#words + 1] = process.quote(word) end
  return ("sh -c %s"):format(process.quote(("ulimit -n %d; exec %s"):format(descriptors, table.concat(words, " "))))
end

local function share(list, part) return list[math.max(1, math.ceil(#list * part))] * 1000 end

local function round(name, kinds, peers, seconds)
  local log, attacker = process.folder(), nil
  local server = process.start(command("serve", 1024), log:file "serve")
  local port = process.wait_for(function() return (log:read "serve" or ""):match "^(%d+)\n" end, "the server")
  if kinds ~= "" then
    attacker = process.start(command("attack", 10000, port, kinds, peers), log:file "attack")
    process.sleep(3)
  end
  local latencies, refused = {}, 0
  for latency, status in process.run(command("ask", 1024, port, seconds)):gmatch "([%d.]+) (%w+)" do
    latencies[#latencies + 1] = tonumber(latency)
    if status ~= "200" then refused = refused + 1 end
  end
  table.sort(latencies)
  local line = "%-22s %4d webhooks, %3d not taken  median %7.1f ms  99 %% %8.1f ms  memory %6.1f MB, peak %6.1f MB%s"
  local ended = server:is_alive() and "" or "  THE SERVER HAS ENDED"
  print(line:format(name, #latencies, refused, share(latencies, 0.5), share(latencies, 0.99),
    memory_of(server.pid, "VmRSS"), memory_of(server.pid, "VmHWM"), ended))
  if attacker then attacker:stop "KILL" end
  server:stop "KILL"
  log:remove()
end

local ROUNDS = {
  { "nobody else", "" }, { "2,000 silent", "silent=2000" }, { "2,000 slow", "slow=2000" },
  { "200 large", "large=200" }, { "all of them at once", "silent=2000,slow=2000,large=200" },
}

local function main()
  local peers, seconds = 1, 15
  for index, word in ipairs(arg) do
    if word == "--peers" then peers = tonumber(arg[index + 1]) end
    if word == "--quick" then seconds = 4 end
  end
  print(("The attack comes from %d address%s."):format(peers, peers == 1 and "" or "es"))
  for _, one in ipairs(ROUNDS) do round(one[1], one[2], peers, seconds) end
end

local role = roles[arg[1]]
if role then
  role(arg[2], tonumber(arg[3]) or arg[3], tonumber(arg[4]))
else
  main()
end
