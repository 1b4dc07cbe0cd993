-- Inboxes in SQLite and Redis whose processes are killed: no event is lost, and `take` does not return an acknowledged
-- event again.

local socket = require "socket"
local process = require "spec.support.process"
local redis = require "spec.support.redis"

local function start(folder, arguments)
  local words = {}
  for index, argument in ipairs(arguments) do words[index] = process.quote(argument) end
  local command = process.interpreter() .. " spec/support/crash_program.lua " .. table.concat(words, " ")
  return process.start(command, folder:file "program.log")
end

-- Posts a webhook as the gateway does, and returns whether the status of the response is 200.
local function deliver(port, body)
  local client = socket.tcp()
  client:settimeout(2)
  local received
  if client:connect("127.0.0.1", port) then
    client:send(#body .. "\n" .. body)
    received = client:receive "*l"
  end
  client:close()
  return received == "200"
end

local function body_of(first, last, customers)
  local list = {}
  for number = first, last do
    list[#list + 1] = ('{"id":"m%d","from":"c%d","timestamp":"%d","type":"text","text":{"body":"%s"}}'):format(
      number, number % customers, number, number % 10 == 0 and "slow" or "quick")
  end
  return '{"messages":[' .. table.concat(list, ",") .. "]}"
end

-- Checks the log of the programs: no event was handled after its acknowledgement, and the first runs for the events of
-- a customer are in order. Returns the numbers of handled events, of acknowledged events, and of runs of handlers.
local function audit(text)
  local handled, acknowledged, last, runs = {}, {}, {}, 0
  local counts = { handled = 0, acknowledged = 0 }
  for word, id, from in text:gmatch "(%a+) (%S+) (%S+)\n" do
    if word == "handled" then
      runs = runs + 1
      assert.is_nil(acknowledged[id], id .. " was handled again after it was acknowledged")
      if not handled[id] then
        handled[id] = true
        counts.handled = counts.handled + 1
        local number = tonumber(id:match "%d+")
        assert.is_true(number > (last[from] or 0), id .. " overtook another event of its customer")
        last[from] = number
      end
    else
      acknowledged[id] = true
      counts.acknowledged = counts.acknowledged + 1
    end
  end
  return counts.handled, counts.acknowledged, runs
end

local KILLS = tonumber(os.getenv "INBOX_KILLS") or 50
local SENDERS = 12

-- Starts a receiver, which also handles its events, and delivers webhooks until the receiver has ended. The receiver is
-- killed at a random time after up to three webhooks, also before it listens.
local function deliver_and_kill(gateway, place)
  local program = start(place.folder, { place.home, place.where, place.log, place.port })
  local left, is_doomed = math.random(0, 3), false
  -- The next receiver gets the body again if no response with status 200 arrived.
  local body = body_of(gateway.sent + 1, gateway.sent + math.random(1, 5), SENDERS)
  while program:is_alive() do
    if left <= 0 and not is_doomed then
      os.execute(("(sleep 0.%03d; kill -9 %d) >/dev/null 2>&1 &"):format(math.random(0, 60), program.pid))
      is_doomed = true
    end
    if deliver(place.port, body) then
      gateway.taken, left = gateway.taken + 1, left - 1
      gateway.sent = gateway.sent + select(2, body:gsub('"id"', ""))
      -- The gateway sends a body twice if its response is lost.
      if math.random(8) == 1 then deliver(place.port, body) end
      body = body_of(gateway.sent + 1, gateway.sent + math.random(1, 5), SENDERS)
    else
      process.sleep(0.002)
    end
  end
end

-- Kills receivers, and workers that only handle events, while they run. Then a last receiver handles the remaining
-- events.
local function kill_often(place, inbox)
  local gateway = { sent = 0, taken = 0 }
  math.randomseed(20240412)
  local worker
  for number = 1, KILLS do
    worker = worker or start(place.folder, { place.home, place.where, place.log, 0 })
    deliver_and_kill(gateway, place)
    if number % 2 == 0 then
      worker:stop "KILL"
      worker = nil
    end
  end
  local program = start(place.folder, { place.home, place.where, place.log, place.port })
  process.wait_for(function() return inbox:depth() == 0 end, "the inbox to be worked off", 60)
  program:stop "TERM"
  if worker then worker:stop "KILL" end
  local handled, acknowledged, runs = audit(place.folder:read "events.log")
  assert.is_true(gateway.taken >= KILLS, gateway.taken .. " webhooks were taken")
  assert.is_true(handled >= gateway.sent, ("%d of %d were handled"):format(handled, gateway.sent))
  assert.is_true(handled - gateway.sent <= 5) -- the last body was stored, but its response was lost
  assert.is_true(acknowledged <= handled)
  assert.is_true(runs >= handled)
end

local function new_place(home, where)
  local folder = process.folder()
  return {
    home = home, folder = folder, where = where or folder:file "inbox.db", port = process.free_port(),
    log = folder:file("events.log", ""),
  }
end

describe("the inbox in sqlite", function()
  it("loses nothing when receivers and workers are killed at random", function()
    local place = new_place "sqlite"
    local inbox = require("waba").inbox.sqlite { file = place.where, sync = false }
    kill_often(place, inbox)
    inbox:close()
    place.folder:remove()
  end)
end)

describe("the inbox in redis", function()
  it("loses nothing when receivers and workers are killed at random", function()
    local server = redis.start()
    local place = new_place("redis", server.port)
    local inbox = require("waba").inbox.redis { port = server.port }
    kill_often(place, inbox)
    inbox:close()
    server:stop()
    place.folder:remove()
  end)

  it("returns the events of a worker that ended to other workers", function()
    local COUNT, CUSTOMERS = 600, 40
    local folder = process.folder()
    local server = redis.start()
    local log = folder:file("events.log", "")
    local inbox = require("waba").inbox.redis { port = server.port }
    local events = require("waba").events
    for first = 1, COUNT, 50 do assert.equal(50, inbox:put(events(body_of(first, first + 49, CUSTOMERS)))) end

    local workers = {}
    for number = 1, 3 do workers[number] = start(folder, { "redis", server.port, log, 0, 0.5 }) end
    process.wait_for(function() return select(2, folder:read("events.log"):gsub("\n", "")) > 150 end, "the first events")
    workers[1]:stop("KILL")
    assert.is_true(inbox:depth() > 0)
    -- The inbox stores none of these events, because it recognises their ids.
    assert.equal(0, inbox:put(events(body_of(1, 50, CUSTOMERS))))
    process.wait_for(function() return inbox:depth() == 0 end, "the inbox to be worked off", 30)
    -- At most four acknowledgements are missing in the log: those of the killed worker's last batch.
    process.wait_for(function()
      return select(2, folder:read("events.log"):gsub("acknowledged", "")) >= COUNT - 4
    end, "the last notes")
    workers[2]:stop("KILL")
    workers[3]:stop("KILL")

    local handled, _, runs = audit(folder:read "events.log")
    assert.equal(COUNT, handled)
    assert.is_true(runs <= COUNT + 4)
    inbox:close()
    server:stop()
    folder:remove()
  end)
end)
