-- Receives webhooks in nginx for several minutes at half of the highest rate at which the worker process receives and
-- handles webhooks. Prints the response times, the memory of the worker process and its CPU time for each minute. These
-- values must not grow after the first minute: the last line has the ratios of the second half of the other minutes to
-- the first half.
--
--   make bench BENCH=bench/webhook_soak.lua             20 minutes with an inbox in SQLite
--   lua5.4 bench/webhook_soak.lua redis 5               5 minutes with an inbox in Redis (after: eval "$(make -s env)")

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/support/?.lua;" .. folder .. "/../?.lua;" .. package.path

local core = require "waba.core"
local median = require "median"
local process = require "spec.support.process"
local webhook_server = require "webhook_server"

local CONNECTIONS = webhook_server.CONNECTIONS
local TRIAL = 12000 -- webhooks that are sent to find the highest rate, after half as many for the warm-up

local wanted, minutes = arg[1] or "sqlite", tonumber(arg[2] or 20)

local function find_inbox()
  for _, inbox in ipairs(webhook_server.INBOXES) do
    if inbox.name == wanted then return inbox end
  end
  error(wanted .. " is not an inbox of bench/support/webhook_server.lua, such as sqlite or redis")
end

-- Posts webhooks over all connections. Returns the numbers that the programs print.
local function post(server, count, depth, rate)
  local pipes = {}
  for number = 1, CONNECTIONS do
    local own = math.ceil(count / CONNECTIONS)
    pipes[number] = io.popen(webhook_server.poster(server.port, "/", 1, own, depth, rate / CONNECTIONS))
  end
  return webhook_server.numbers_of(pipes)
end

local function resident(pid)
  return tonumber(process.run(("sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/%d/status"):format(pid)))
end

-- Posts webhooks as fast as possible. Returns the number of webhooks that were handled per second.
local function highest_rate(server, count)
  local seconds = post(server, count, 4, 0)
  local answered = core.clock()
  process.wait_for(function() return server.depth() == 0 end, "the handlers", 300)
  return count / (seconds[#seconds] + core.clock() - answered)
end

local server = webhook_server.start(find_inbox())
highest_rate(server, TRIAL / 2)
local rate = highest_rate(server, TRIAL) / 2
print(("%s: %.0f webhooks per second at most; load of the machine: %s"):format(wanted, 2 * rate,
  process.run "cut -d' ' -f1-3 /proc/loadavg"))
print "minute  per second   median ms      99 %   longest   resident KiB   waiting   us of CPU   load"
local rows = {}
for minute = 1, minutes do
  local before, count = webhook_server.cpu_of(server.pid), math.floor(rate * 60)
  local took = post(server, count, 1, rate)
  local row = {
    median = took[math.ceil(#took / 2)], late = took[math.ceil(#took * 0.99)], resident = resident(server.pid),
    cpu = (webhook_server.cpu_of(server.pid) - before) / count * 1e6,
  }
  rows[minute] = row
  print(("%6d %11.0f %11.2f %9.2f %9.2f %14d %9d %11.1f   %s"):format(minute, rate, row.median, row.late, took[#took],
    row.resident, server.depth(), row.cpu, process.run "cut -d' ' -f1 /proc/loadavg"))
  io.stdout:flush()
end
server.stop()

-- Returns the ratio of the median of the second half of the minutes to the median of the first half, without minute 1.
local function growth(name)
  local halves, middle = { {}, {} }, (minutes + 2) / 2
  for minute = 2, minutes do table.insert(halves[minute < middle and 1 or 2], rows[minute][name]) end
  return median(halves[2]) / median(halves[1])
end

if minutes >= 3 then
  print(("growth: median %.2f, 99 %% %.2f, resident %.2f, us of CPU %.2f times"):format(growth "median", growth "late",
    growth "resident", growth "cpu"))
end
