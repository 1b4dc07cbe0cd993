-- Measures outbox:put with Redis in a worker process of nginx, for bench/outbox.lua.

local nginx = require "spec.support.nginx"
local process = require "spec.support.process"

local nginx_put = {}

-- The Lua module `puts` of the worker. `run` puts entries from several light threads. `run` returns the microseconds of
-- CPU per entry, and the median time of `put` in milliseconds.
local PUTS = [[
local core = require "waba.core"
local waba = require "waba"
local outbox = waba.outbox.redis { port = %d, hosting = "cloud" }
local puts, number = {}, 0

function puts.run(count, at_once)
  local times, left, threads = {}, count, {}
  local cpu = os.clock()
  for index = 1, at_once do
    threads[index] = ngx.thread.spawn(function()
      while left > 0 do
        left, number = left - 1, number + 1
        local began = core.clock()
        local text = "Your order " .. number .. " is on its way."
        assert(outbox:put { to = ("49151%%07d"):format(number), message = waba.text(text) })
        times[#times + 1] = core.clock() - began
      end
    end)
  end
  for _, thread in ipairs(threads) do assert(ngx.thread.wait(thread)) end
  cpu = os.clock() - cpu
  table.sort(times)
  return cpu / count * 1e6, times[math.ceil(count / 2)] * 1000
end

return puts
]]

local CONTENT = [[
  local args = ngx.req.get_uri_args()
  ngx.print(("%.2f %.4f"):format(require("puts").run(tonumber(args.count), tonumber(args.at_once))))
]]

--- Starts an nginx with one worker process. Returns two functions: `put(count, at_once)` puts `count` entries,
--- `at_once` at a time, and returns the microseconds of CPU per entry, and the median time of outbox:put in
--- milliseconds; the other function stops nginx.
---@return fun(count: integer, at_once: integer): number, number
---@return fun()
function nginx_put.start(redis_port)
  local folder, port, plain = process.folder(), process.free_port(), process.free_port()
  nginx.certify(folder)
  folder:file("puts.lua", PUTS:format(redis_port))
  local configuration = nginx.configuration { port = port, plain = plain, workers = 1, content = CONTENT }
  local program = nginx.start(folder, configuration, port)
  local function run(count, at_once)
    local url = ("http://127.0.0.1:%d/?count=%d&at_once=%d"):format(plain, count, at_once)
    local status, _, body = nginx.request(url)
    if status ~= 200 then error(folder:read "error.log", 0) end
    local cpu, time = body:match "^(%S+) (%S+)$"
    return tonumber(cpu), tonumber(time)
  end
  return run, function()
    program:stop()
    folder:remove()
  end
end

return nginx_put
