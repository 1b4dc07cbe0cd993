-- A load test of webhooks. The emulator sends webhooks to an nginx with two workers, TLS and an inbox in SQLite or
-- Redis. Some webhooks arrive twice or out of order, some responses are lost, and some handlers fail. Afterwards
-- the program counts how often and in which order the events were handled.

local emulator = require "waba.emulator"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local redis = require "spec.support.redis"
local sqlite = require "spec.support.sqlite"

local storm = {}

-- The receiver; `%s` is its inbox. Every tenth response is lost after the events were stored, and every twentieth event
-- makes its handler raise an error at the first attempt.
local BOT = [[
local waba = require "waba"
local prefix = ngx.config.prefix()
local file = assert(io.open(prefix .. "handled", "a"))
file:setvbuf("full", 65536)

local function handle(event, attempts)
  local conversation = event.from or "status:" .. event.recipient
  local about = event.id .. " " .. (event.status or "message") .. " " .. conversation
  if attempts == 1 and math.random(20) == 1 then error("bad day") end
  file:write(about, "\n")
  file:flush()
end

local receiver = waba.receiver {
  user = "u", password = "p", on = { any = handle }, inbox = %s,
}
local honest = receiver.handle
function receiver.handle(self, request)
  local status, headers, body = honest(self, request)
  if status == 200 and math.random(10) == 1 then return 502, {}, "" end
  return status, headers, body
end
return receiver
]]

local INBOXES = {
  sqlite = [[waba.inbox.sqlite { file = prefix .. "inbox.db", sync = false, retry = { base = 0.01 } }]],
  redis = [[waba.inbox.redis { port = %d, retry = { base = 0.01 } }]],
}

-- Returns bodies of webhooks, each with several numbers that have one message and three statuses.
local function post_all(gateway, count, customers, per_body)
  local messages, statuses = {}, {}
  for number = 1, count do
    local customer = ("491%07d"):format(number % customers)
    messages[#messages + 1] = {
      from = customer, id = "in" .. number, timestamp = tostring(number), type = "text", text = { body = "x" },
    }
    for _, word in ipairs { "sent", "delivered", "read" } do
      statuses[#statuses + 1] = {
        id = "out" .. number, status = word, timestamp = tostring(number), message = { recipient_id = customer },
      }
    end
    if #messages == per_body or number == count then
      assert(gateway:post { messages = messages, statuses = statuses })
      messages, statuses = {}, {}
    end
  end
end

-- For each backend, a function that returns the order in which the events of each conversation were stored.
local witness = {}

function witness.sqlite(folder)
  local inbox = require("waba").inbox.sqlite { file = folder:file "inbox.db" }
  assert(inbox:depth())
  inbox:close()
  local connection = sqlite.open(folder:file "inbox.db")
  connection:execute "CREATE TABLE witness (number INTEGER PRIMARY KEY, customer TEXT, body TEXT)"
  connection:execute [[CREATE TRIGGER witness AFTER INSERT ON waba_entry BEGIN
    INSERT INTO witness (customer, body) VALUES (NEW.conversation, NEW.body); END]]
  return function()
    local order = {}
    for index, row in ipairs(connection:execute "SELECT customer, body FROM witness ORDER BY number") do
      order[index] = { customer = row[1], body = row[2] }
    end
    connection:close()
    return order
  end
end

function witness.redis(folder, server)
  local program = process.start(("redis-cli -p %d MONITOR"):format(server.port), folder:file "monitor")
  process.wait_for(function() return (folder:read "monitor"):find "OK" end, "the monitor")
  return function()
    process.sleep(0.3)
    program:stop("KILL")
    local order = {}
    for line in io.lines(folder:file "monitor") do
      local customer, body = line:match '"RPUSH" "{waba}:q:([%w:]+)" "%d+ \\n(.*)"$'
      if customer then order[#order + 1] = { customer = customer, body = (body:gsub('\\"', '"')) } end
    end
    return order
  end
end

-- Returns the id and the kind of a stored event as the handler writes them to the file `handled`.
local function name_of(body)
  local id = body:match '"id":"(%w+)"'
  return id .. " " .. (body:match '"status":"(%a+)"' or "message")
end

-- Compares the handled events with the stored ones.
local function audit(result, handled_text, order)
  local runs, handled = {}, {}
  for id, word, customer in handled_text:gmatch "(%S+) (%S+) (%S+)\n" do
    local name = id .. " " .. word
    runs[name] = (runs[name] or 0) + 1
    handled[customer] = handled[customer] or {}
    table.insert(handled[customer], name)
  end
  for _, count in pairs(runs) do
    result.handled = result.handled + 1
    if count > 1 then result.repeated = result.repeated + 1 end
  end
  result.stored = #order
  local position = {}
  for _, entry in ipairs(order) do
    position[entry.customer] = (position[entry.customer] or 0) + 1
    local list = handled[entry.customer] or {}
    if list[position[entry.customer]] ~= name_of(entry.body) then result.out_of_order = result.out_of_order + 1 end
  end
end

---@class waba.spec.StormResult
---@field events integer        the events of the gateway
---@field deliveries integer    the gateway's attempts to deliver a webhook
---@field stored integer
---@field handled integer       events whose handler has returned at least once
---@field repeated integer      events whose handler has returned more than once
---@field out_of_order integer  events that were handled after a later event of their conversation
---@field depth integer         events that the inbox still has
---@field seconds number        from the first delivery to the last handler

--- Runs the load test. `backend` is "sqlite" or "redis", `count` the number of messages, each with three statuses.
---@param options { backend: string, count: integer, customers: integer, per_body: integer, [string]: number }
function storm.run(options)
  local gettime = require("socket").gettime
  local folder, port = process.folder(), process.free_port()
  local server = options.backend == "redis" and redis.start() or nil
  nginx.certify(folder)
  local inbox = INBOXES[options.backend]
  if server then inbox = inbox:format(server.port) end
  folder:file("bot.lua", BOT:format(inbox))
  local finish_witness = witness[options.backend](folder, server)
  local program = nginx.start(folder, nginx.configuration {
    port = port, content = 'require("waba.webhook.nginx").serve(require "bot", { interval = 0.05 })',
  }, port)
  local gateway = assert(emulator.start { seed = options.seed or 7, webhooks = {
    url = ("https://localhost:%d/hook"):format(port), ca_file = folder:file "ca.pem",
    headers = { Authorization = require("waba.encoding").basic("u", "p") },
    concurrency = options.concurrency or 6, backoff = 0.02, max_backoff = 0.2, duplicates = 0.15, reorder = 0.2,
  } })
  local result = { events = options.count * 4, handled = 0, repeated = 0, out_of_order = 0 }
  local started = gettime()
  post_all(gateway, options.count, options.customers, options.per_body)
  assert(gateway:wait({ pending = 0 }, options.seconds or 60))
  local waba = require "waba"
  local box = server and waba.inbox.redis { port = server.port } or waba.inbox.sqlite(folder:file "inbox.db")
  process.wait_for(function() return box:depth() == 0 end, "the inbox to be worked off", options.seconds or 60)
  result.seconds = gettime() - started
  result.depth = box:depth()
  result.deliveries = gateway:counts().attempts
  box:close()
  gateway:stop()
  program:stop("TERM")
  audit(result, folder:read "handled", finish_witness())
  if server then server:stop() end
  folder:remove()
  return result
end

return storm
