-- Runs a receiver in nginx: `content_by_lua_block { require("waba.webhook.nginx").serve(receiver) }`. The response is
-- sent when the events are stored. One timer per worker process runs the handlers in light threads, so that no request
-- waits for a handler. Each worker process has its own receiver. All worker processes share an inbox in SQLite or
-- Redis. An inbox in memory belongs to one worker process and is lost when the process ends. If the option `seen` of
-- the inboxes is a shared dictionary of nginx, each worker process recognises duplicates of events of all processes.

local semaphore = require "ngx.semaphore"
local group = require "waba.webhook.group"
local ngx_work = require "waba.inbox.ngx_work"
local complete = require("waba.option").complete
local refusal_log = require "waba.webhook.refusal_log"

local ngx = ngx

local nginx = {}

--- The options for running handlers in nginx.
---@options waba.NginxOptions
local OPTIONS = {
  concurrency = { "integer>=0", 4 }, -- the largest number of handlers that run at once in each worker process; 0: other
                                     -- programs handle the stored events
  batch = { "integer>=1", 64 },      -- the largest number of events that are taken at once, as in `receiver:work`
  lease = { "number>0", 60 },        -- seconds of a lease, as in `receiver:work`
  interval = { "number>0", 1 },      -- seconds between checks for events that other processes stored
}

-- For each receiver, the object that runs its handlers in this worker process.
local drains = setmetatable({}, { __mode = "k" })

-- The functions for group.lua.
local function new_latch() return assert(semaphore.new(0)) end
local function open(latch, count) latch:post(count) end

local report = refusal_log.new(ngx_work.log)

-- Outside of OpenResty, some versions of the Lua module of nginx log a warning for each `ngx.sleep(0)`.
local function yield() ngx.sleep(0.001) end

local function new_drain(receiver, options)
  options = complete(options, OPTIONS, "waba.webhook.nginx", 4)
  local running = options.concurrency ~= 0 and ngx_work.new(receiver, options) or nil
  local target = running and running.work or receiver.inbox
  local function put(events, sources) return target:put(events, sources) end
  return {
    running = running, work = running and running.work,
    put = receiver.inbox.durable and group.new(target, receiver.inbox.grouped and yield or nil, new_latch, open) or put,
  }
end

-- Not a part of `new_drain`, because LuaJIT can't compile a function that contains another function.
local function drain_of(receiver, options)
  local drain = drains[receiver] or new_drain(receiver, options)
  drains[receiver] = drain
  return drain
end

local function start(drain)
  if drain.running then drain.running:start() end
end

--- Starts to run the handlers of a receiver in this worker process. Without this function, `serve` starts the handlers
--- at the first request. A call in `init_worker_by_lua` handles the events of an earlier process before the first
--- request.
---@param receiver waba.Receiver
---@param options? waba.NginxOptions
function nginx.start(receiver, options) start(drain_of(receiver, options)) end

local function read_body()
  ngx.req.read_body()
  local data = ngx.req.get_body_data()
  local path = not data and ngx.req.get_body_file() -- nginx stores a large body in a temporary file
  if not path then return data or "" end
  local file = assert(io.open(path, "rb"))
  local body = file:read("*a")
  file:close()
  return body
end

local function respond(status, headers, body)
  ngx.status = status
  for name, value in pairs(headers) do ngx.header[name] = value end
  ngx.header["content-length"] = #body
  if #body > 0 then ngx.print(body) end
  return ngx.eof()
end

--- Handles the current request and responds. A `content_by_lua` handler needs only this call.
---@param receiver waba.Receiver  one receiver per worker process, made in a module or in `init_worker_by_lua`
---@param options? waba.NginxOptions  only the options of the first call have an effect
function nginx.serve(receiver, options)
  local drain = drain_of(receiver, options)
  local puts = drain.work and drain.work.puts
  local method, headers = ngx.req.get_method(), ngx.req.get_headers()
  local path, query
  -- `ngx.var.uri` can't be used, because it is decoded and may contain "?" and "#" that belong to the path
  if receiver.reads_request then path, query = ngx.var.request_uri:match "^([^?#]*)%??([^#]*)" end
  local request = {
    method = method, path = path, query = query, headers = headers, body = nil, place = nil, authentic = nil,
  }
  local status, response_headers, body, reason = receiver:refuse(method, tonumber(headers["content-length"]), headers,
    request)
  if not status then
    request.body = read_body()
    status, response_headers, body, reason = receiver:handle(request, drain.put)
  else
    ngx.req.discard_body()
  end
  respond(status, response_headers, body)
  if status ~= 200 then return report(status, reason, ngx.var.remote_addr) end
  start(drain)
  if drain.work and drain.work.puts == puts then drain.work:wake() end
end

return nginx
