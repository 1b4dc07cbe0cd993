-- An nginx with one worker process that receives and handles webhooks, and programs that post webhooks
-- (bench/support/poster.lua).

local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local redis = require "spec.support.redis"
local waba = require "waba"

local webhook_server = {}

local FOLDER = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$"
local INTERPRETER = arg[-1]

--- The number of connections over which webhooks are posted: as many as the gateway uses.
webhook_server.CONNECTIONS = 6

local BOT = [[
local waba = require "waba"
local prefix = ngx.config.prefix()
return waba.receiver { user = "u", password = "p", inbox = %s, on = { any = function() end } }
]]

--- Lua code that makes an inbox, by the name of the inbox.
webhook_server.INBOXES = {
  { name = "memory", lua = "waba.inbox.memory { max = 1e9 }" },
  { name = "sqlite", lua = 'waba.inbox.sqlite { file = prefix .. "inbox.db" }' },
  { name = "sqlite, sync = false", lua = 'waba.inbox.sqlite { file = prefix .. "inbox.db", sync = false }' },
  { name = "redis", lua = "waba.inbox.redis { port = %d }" },
}

local function worker_pid(program)
  return process.wait_for(function()
    return tonumber(process.run(("cat /proc/%d/task/%d/children"):format(program.pid, program.pid)):match "%d+")
  end, "the worker process")
end

--- Returns the CPU seconds of a process.
function webhook_server.cpu_of(pid)
  local file = assert(io.open(("/proc/%d/schedstat"):format(pid)))
  local nanoseconds = file:read("*l"):match "^%d+"
  file:close()
  return tonumber(nanoseconds) / 1e9
end

-- The locations for an inbox in Redis: /stored stores the events with another receiver whose handlers run in other
-- programs, and /plain stores the events without the library (bench/support/location.lua).
local REDIS_LOCATIONS = [[
location = /stored {
  content_by_lua_block { require("waba.webhook.nginx").serve(require "stored", { concurrency = 0 }) }
}
location = /plain { content_by_lua_block { require("location").serve(%d) } }
]]

local function redis_locations(place, port)
  place:file("stored.lua", BOT:format(('waba.inbox.redis { port = %d, prefix = "{stored}" }'):format(port)))
  local file = assert(io.open(FOLDER .. "/location.lua"))
  place:file("location.lua", file:read "*a")
  file:close()
  return REDIS_LOCATIONS:format(port)
end

--- Starts an nginx with a receiver at / and a fixed response at /ok; with an inbox in Redis also with the locations
--- /stored and /plain, whose events are never handled. The function `remove` then removes the events of one of these
--- two locations, and returns their number. The function `redis_cpu` returns the CPU seconds of Redis.
function webhook_server.start(inbox)
  local place = process.folder()
  local server = inbox.name == "redis" and redis.start() or nil
  local port = process.free_port()
  local plain = port
  while plain == port do plain = process.free_port() end
  nginx.certify(place)
  place:file("bot.lua", BOT:format(server and inbox.lua:format(server.port) or inbox.lua))
  local program = nginx.start(place, nginx.configuration {
    port = port, plain = plain, workers = 1, http = "keepalive_requests 100000000; client_body_buffer_size 1m;",
    server = (server and redis_locations(place, server.port) or "") .. "location = /ok { return 200; } "
      .. "location = /depth { content_by_lua_block { ngx.say((require(\"bot\").inbox:depth())) } }",
    content = 'require("waba.webhook.nginx").serve(require "bot", { interval = 0.02 })',
  }, port)
  return {
    port = plain, pid = worker_pid(program),
    redis_cpu = function()
      local info = process.run(("redis-cli -p %d info cpu"):format(server.port))
      return tonumber(info:match "used_cpu_user:([%d.]+)") + tonumber(info:match "used_cpu_sys:([%d.]+)")
    end,
    remove = function(path)
      local depth = tonumber(process.run(("redis-cli -p %d llen events"):format(server.port)))
      if path == "/stored" then
        local stored = waba.inbox.redis { port = server.port, prefix = "{stored}" }
        depth = stored:depth()
        stored:close()
      end
      process.run(("redis-cli -p %d flushall"):format(server.port))
      return depth
    end,
    depth = function()
      return tonumber((select(3, nginx.request("http://127.0.0.1:" .. plain .. "/depth", { method = "GET" }))))
    end,
    stop = function()
      program:stop("TERM")
      if server then server:stop() end
      place:remove()
    end,
  }
end

local marks = 0

--- Returns the command that runs bench/support/poster.lua. No two commands post the same ids.
function webhook_server.poster(port, path, events, count, depth, rate)
  marks = marks + 1
  local lua_path = FOLDER .. "/?.lua;" .. (os.getenv "LUA_PATH" or ";")
  return ("env LUA_PATH=%s %s %s/poster.lua %d %s %d %d r%d %d %s 2>&1"):format(
    process.quote(lua_path), INTERPRETER, FOLDER, port, path, events, count, marks, depth, rate)
end

--- Returns the numbers that several programs print, in ascending order.
---@param pipes file*[]  the outputs of the programs; the function closes them
function webhook_server.numbers_of(pipes)
  local list = {}
  for _, pipe in ipairs(pipes) do
    for word in pipe:read("*a"):gmatch "%S+" do list[#list + 1] = assert(tonumber(word), word) end
    pipe:close()
  end
  table.sort(list)
  return list
end

return webhook_server
