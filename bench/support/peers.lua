-- The programs that bench/send.lua compares. Each program is a command that sends the messages of a job, and prints the
-- seconds of CPU (user and system) and of elapsed time for the messages after the warm-up.

local process = require "spec.support.process"

local peers = {}

--- What a program must send, and how.
---@class bench.Job
---@field url string       the URL of the gateway, without the path of messages
---@field ca_file string   the certificate authority to trust
---@field key string
---@field text string      the text of the message
---@field body string      the bytes of the request's body
---@field protocol string  "HTTP/1.1" or "HTTP/2"
---@field connections integer  the largest number of connections over HTTP/1.1
---@field headers string[]  the headers of the request as "Name: value", with the API key
---@field in_flight integer
---@field warm_up integer  messages before the measurement
---@field count integer    messages in the measurement

--- A program that bench/send.lua runs.
---@class bench.Peer
---@field name string
---@field fits? fun(setting: table): boolean  returns whether the program supports a setting; default: all settings
---@field share? number     the share of the messages that the program sends, less than 1 for slow programs
---@field command fun(job: bench.Job): any[]  returns the words of the command line, which are then quoted for the shell
---@field read? fun(output: string): string?, string?  reads the seconds of CPU and of elapsed time from the output of
---        a program; default: two numbers in one line

local FOLDER = arg[0]:match "^(.*)/[^/]*$" or "."
local LUA = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match "%d%.%d"
local PROGRAMS = FOLDER .. "/../build/bench/"

-- The C programs with bare libcurl: bare_easy sends one message at a time, bare_multi sends many messages at a time.
local function bare(job, ...)
  local words = { PROGRAMS .. (job.in_flight == 1 and "bare_easy" or "bare_multi"), ... }
  for _, word in ipairs { job.url .. "/v1/messages", job.ca_file, job.body, job.in_flight, job.warm_up, job.count } do
    words[#words + 1] = word
  end
  for _, line in ipairs(job.headers) do words[#words + 1] = line end
  return words
end

---@type bench.Peer[]
peers.list = {
  {
    name = "waba",
    command = function(job)
      return { arg[-1], FOLDER .. "/support/sender.lua", job.url, job.ca_file, job.body, job.in_flight, job.warm_up,
        job.count, job.key, job.text }
    end,
  },
  { name = "bare", command = function(job) return bare(job) end },
  {
    name = "floor",
    command = function(job)
      local words = { arg[-1], FOLDER .. "/support/floor.lua", PROGRAMS .. LUA .. "/floor.so",
        job.url .. "/v1/messages", job.ca_file, job.in_flight, job.warm_up, job.count, job.text }
      for _, line in ipairs(job.headers) do words[#words + 1] = line end
      return words
    end,
  },
  {
    name = "unsafe",
    fits = function(setting) return setting.latency == 0 end,
    command = function(job) return bare(job, "--unsafe") end,
  },
}

-- Clients in other languages (bench/peers) --------------------------------------------------------

-- Returns the arguments that all clients in bench/peers have, in this order.
local function arguments_of(job)
  local words = { job.url .. "/v1/messages", job.ca_file, job.body, job.in_flight, job.warm_up, job.count, job.protocol,
    math.min(job.in_flight, job.connections) }
  for _, line in ipairs(job.headers) do words[#words + 1] = line end
  return words
end

local function foreign(name, interpreter, file, more)
  local peer = { name = name, fits = more.fits, share = more.share }
  function peer.command(job)
    local words = { "env", "PYTHONDONTWRITEBYTECODE=1", "NODE_PATH=/usr/share/nodejs",
      "NODE_EXTRA_CA_CERTS=" .. job.ca_file, interpreter, FOLDER .. "/peers/" .. file }
    for _, word in ipairs(arguments_of(job)) do words[#words + 1] = word end
    return words
  end
  return peer
end

-- Returns whether lua-http supports a setting: with many streams on one connection it hangs.
local function few_streams(setting) return setting.protocol.name == "HTTP/1.1" or setting.in_flight == 1 end
local function over_http1(setting) return setting.protocol.name == "HTTP/1.1" end
local function one_at_a_time(setting) return setting.in_flight == 1 and over_http1(setting) end

local PYTHON = "/usr/bin/python3" -- the distribution's interpreter, which finds the distribution's packages

--- Clients in other languages, and other clients in Lua.
---@type bench.Peer[]
peers.others = {
  foreign("lua-http", arg[-1], "lua_http.lua", { share = 0.5, fits = few_streams }),
  foreign("luasocket", arg[-1], "luasocket.lua", { share = 0.05, fits = one_at_a_time }),
  foreign("node fetch", "node", "fetch.mjs", { share = 0.2, fits = over_http1 }),
  foreign("node undici", "node", "undici.mjs", { share = 0.5, fits = over_http1 }),
  foreign("requests", PYTHON, "requests_peer.py", { share = 0.2, fits = over_http1 }),
  foreign("httpx", PYTHON, "httpx_peer.py", { share = 0.2 }),
  foreign("aiohttp", PYTHON, "aiohttp_peer.py", { share = 0.5, fits = over_http1 }),
}

local function read_line(output) return output:match "^([%d.]+) ([%d.]+)$" end

--- Runs one program.
---@return { cpu: number, rate: number }  microseconds of CPU per message, messages per second
function peers.run(peer, job)
  if peer.share then
    local less = {}
    for name, value in pairs(job) do less[name] = value end
    less.count = math.max(job.in_flight * 4, math.floor(job.count * peer.share))
    less.warm_up = math.max(job.in_flight, math.floor(job.warm_up * peer.share))
    job = less
  end
  local words = peer.command(job)
  for i, word in ipairs(words) do words[i] = process.quote(word) end
  local output = process.run(table.concat(words, " "))
  local cpu, seconds = (peer.read or read_line)(output)
  if not cpu then error(("%s failed: %s"):format(peer.name, output), 0) end
  return { cpu = cpu / job.count * 1e6, rate = job.count / seconds }
end

return peers
