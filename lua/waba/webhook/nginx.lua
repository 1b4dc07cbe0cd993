-- The receiver in nginx: `content_by_lua_block { require("waba.webhook.nginx").serve(receiver) }`.
-- The response is sent when the events are stored. One timer per worker process runs the handlers afterwards, in a few light
-- threads, so that no request waits for a handler. Each worker process has its own receiver: an inbox in memory belongs to
-- one worker and ends with it (with `seen`, a shared dictionary of nginx, all workers recognise duplicates); SQLite and
-- Redis are shared by all.

local semaphore = require "ngx.semaphore"
local group = require "waba.webhook.group"
local ngx_timer = require "waba.transport.ngx_timer"
local complete = require("waba.options").complete
local printable = require "waba.printable"
local refusals = require "waba.webhook.refusals"
local works = require "waba.inbox.work"

local ngx = ngx

local nginx = {}

--- How handlers are run in nginx.
---@options waba.NginxOptions
local OPTIONS = {
  concurrency = { "integer>=0", 4 }, -- handlers that may run at once in each worker process; 0: none, because other
                                     -- programs handle the stored events
  batch = { "integer>=1", 8 },       -- the largest number of events taken at once, as in `receiver:work`
  lease = { "number>0", 60 },        -- seconds, as in `receiver:work`
  interval = { "number>0", 1 },      -- seconds between checks for events that other processes stored
}

-- Receiver to its drain, in this worker process.
local drains = setmetatable({}, { __mode = "k" })

-- Makes reports printable: they may quote what senders and customers wrote.
local function log(text)
  ngx.log(ngx.ERR, "waba: ", printable.text(text))
end

-- The requests of a group wait here for the one that stores their events.
local function new_gate()
  local gate = { semaphore = assert(semaphore.new(0)) }
  function gate:wait(seconds) return self.semaphore:wait(seconds) end
  function gate:open(waiting) self.semaphore:post(waiting) end
  return gate
end

local report = refusals.new(log)

-- Not 0: that writes a warning for each webhook where nginx is not OpenResty's.
local function yield() ngx.sleep(0.001) end

-- Reports the events that a worker process leaves in the inbox when it ends.
local function report_left(inbox)
  local left = inbox:depth() or 0
  if left == 0 then return end
  local level = inbox.durable and ngx.NOTICE or ngx.ERR
  ngx.log(level, "waba: the worker process ends, and ", left, " events are left in the inbox",
    inbox.durable and "" or ": they are lost, since it is in memory")
end

-- The function of the timer: runs handlers until the timer is replaced or the process ends. An inbox in memory is lost
-- with the process, so its events are handled first, and failed ones are tried again until then.
local function handle_until(drain, deadline)
  local inbox, last, is_replaced = drain.receiver.inbox, nil, false
  drain.work:run(function()
    if ngx.worker.exiting() then
      last = last or ngx.now() + ngx_timer.GRACE
      return is_replaced or inbox.durable or inbox:depth() == 0 or ngx.now() >= last
    end
    -- a new timer starts handlers while those of this one still run
    if ngx.now() >= deadline and not is_replaced then is_replaced = drain.timer:replace() end
    return is_replaced
  end)
  if is_replaced then return nil end
  if not ngx.worker.exiting() then return 0 end
  report_left(inbox)
end

local function start(drain)
  if not drain.work then return end
  local is_set, message = drain.timer:set()
  if not is_set then ngx.log(ngx.ERR, "waba: no timer for the handlers: ", message) end
end

local function drain_of(receiver, options)
  local drain = drains[receiver]
  if drain then return drain end
  options = complete(options, OPTIONS, "waba.webhook.nginx", 3)
  drain = { receiver = receiver }
  if options.concurrency ~= 0 then
    drain.work = works.new(receiver, {
      concurrency = options.concurrency, batch = options.batch, lease = options.lease, forever = true,
      interval = options.interval, log = log,
    })
  end
  local target = drain.work or receiver.inbox
  local function put(events, sources) return target:put(events, sources) end
  drain.put = receiver.inbox.grouped and group.new(target, yield, new_gate) or put
  drain.timer = ngx_timer.new(function(deadline) return handle_until(drain, deadline) end)
  drains[receiver] = drain
  return drain
end

--- Starts to run the handlers of a receiver in this worker process. `serve` does so at the first request; in
--- `init_worker_by_lua` this function also handles events that an earlier process stored.
---@param receiver waba.Receiver
---@param options? waba.NginxOptions
function nginx.start(receiver, options)
  start(drain_of(receiver, options))
end

local function read_file(path)
  local file = assert(io.open(path, "rb"))
  local body = file:read("*a")
  file:close()
  return body
end

-- nginx stores a large body in a temporary file.
local function read_body()
  ngx.req.read_body()
  local path = ngx.req.get_body_file()
  return path and read_file(path) or ngx.req.get_body_data() or ""
end

local function respond(status, headers, body)
  ngx.status = status
  for name, value in pairs(headers) do ngx.header[name] = value end
  ngx.header["content-length"] = #body
  if #body > 0 then ngx.print(body) end
  return ngx.eof()
end

--- Handles the current request; a `content_by_lua` handler needs nothing else.
---@param receiver waba.Receiver   one per worker process, made in a module or in `init_worker_by_lua`
---@param options? waba.NginxOptions  the options of the first call apply
function nginx.serve(receiver, options)
  local drain = drain_of(receiver, options)
  local puts = drain.work and drain.work.puts
  local method, headers = ngx.req.get_method(), ngx.req.get_headers()
  local request = { method = method, path = ngx.var.uri, query = ngx.var.args or "", headers = headers }
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
