-- Measures the garbage that a send leaves, and the memory of an idle connection, of a message in flight, and of a
-- message that waits for a rate limiter.
--
--   make bench BENCH=bench/memory.lua   (LUA=luajit …)
--
-- Each measurement runs in a process of its own. "Lua" is the memory that Lua counts, with the coroutine of each
-- message. "process" is the growth of the resident memory, which includes libcurl and OpenSSL.

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/support/?.lua;" .. folder .. "/../?.lua;" .. package.path

local memory = require "memory"

local NUMBER = "491511234567"
local FEW, MANY = 64, 1064

local programs = {}

local function new_client(url, ca_file, more)
  local options = { api_key = "benchmark-key", base_url = url, ca_file = ca_file, pace = false, timeout = 600 }
  for name, value in pairs(more or {}) do options[name] = value end
  return require("waba").client(options)
end

local function held() return memory.collected() * 1024, memory.of_process "VmRSS" * 1024 end

-- Starts coroutines that do not end, and prints the memory per coroutine.
local function print_growth(run, seconds)
  local waba = require "waba"
  local function start(count)
    for _ = 1, count do waba.spawn(run) end
    waba.sleep(seconds)
  end
  waba.run(function()
    start(FEW)
    local lua, rss = held()
    start(MANY - FEW)
    local lua_now, rss_now = held()
    print(("%.0f %.0f"):format((lua_now - lua) / (MANY - FEW), (rss_now - rss) / (MANY - FEW)))
    os.exit(0)
  end)
end

function programs.garbage(url, ca_file)
  local client, waba = new_client(url, ca_file), require "waba"
  local function send() assert(client:send(NUMBER, waba.text "Your order is on its way.")) end
  for _ = 1, 200 do send() end
  collectgarbage()
  collectgarbage "stop"
  local before = collectgarbage "count"
  for _ = 1, 1000 do send() end
  print(("%.0f -"):format((collectgarbage "count" - before) * 1024 / 1000))
end

local function sender(client)
  local waba = require "waba"
  return function() client:send(NUMBER, waba.text "Your order is on its way.") end
end

programs["in flight"] = function(url, ca_file) print_growth(sender(new_client(url .. "/600000ms", ca_file)), 3) end

function programs.waiting(url, ca_file)
  print_growth(sender(new_client(url, ca_file, { timeout = 1e5, pace = { messages = { rate = 1, burst = 1 } } })), 1)
end

function programs.parked()
  local waba = require "waba"
  print_growth(function() waba.sleep(600) end, 1)
end

-- Each concurrent message has a connection of its own.
programs["idle connection"] = function(url, ca_file)
  local waba = require "waba"
  local client = new_client(url .. "/300ms", ca_file, { max_connections = 500 })
  local function open(count)
    waba.run(function()
      for _ = 1, count do waba.spawn(function() assert(client:send(NUMBER, waba.text "x")) end) end
    end)
  end
  open(100)
  local _, rss = held()
  open(500)
  local _, rss_now = held()
  print(("- %.0f"):format((rss_now - rss) / 400))
end

if programs[arg[1]] then return programs[arg[1]](arg[2], arg[3]) end

local run, server = require("spec.support.process").run, require("stub").start()
local MEASUREMENTS = {
  { "garbage of a message", "garbage", server.http2 }, { "message in flight, HTTP/2", "in flight", server.http2 },
  { "message that waits for a rate limiter", "waiting", server.http2 },
  { "coroutine that sleeps", "parked", server.http2 },
  { "idle connection, HTTP/1.1", "idle connection", server.http1 },
}
print(("%-40s %10s %10s   bytes"):format("", "Lua", "process"))
for _, row in ipairs(MEASUREMENTS) do
  local output = run(("'%s' '%s' '%s' '%s' '%s'"):format(arg[-1], arg[0], row[2], row[3], server.ca_file))
  local lua, process = output:match "(%S+) (%S+)"
  print(("%-40s %10s %10s"):format(row[1], lua or "failed", process or ""))
end
server:stop()
