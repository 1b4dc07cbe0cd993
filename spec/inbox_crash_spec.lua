-- The guarantees of the durable inboxes when processes are killed: no event is lost, and an acknowledged event is not
-- returned again.

local socket = require "socket"
local process = require "spec.support.process"
local redis = require "spec.support.redis"

local function start(folder, arguments)
  local words = {}
  for index, argument in ipairs(arguments) do words[index] = process.quote(argument) end
  local command = process.interpreter() .. " spec/support/crash_program.lua " .. table.concat(words, " ")
  return process.start(command, folder:file "program.log")
end

-- Posts a webhook as the gateway does. Returns true if the status of the response is 200.
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

-- Reads the logs of the programs. Checks that no event was handled after its acknowledgement, and that the events of each
-- customer were first handled in order. Returns the number of handled events, of acknowledged events, and of runs of
-- handlers.
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

describe("the inbox in sqlite", function()
  it("loses nothing when its process is killed a hundred times at random", function()
    local KILLS, CUSTOMERS = 100, 12
    local folder = process.folder()
    local port = process.free_port()
    local log = folder:file("events.log", "")
    local file = folder:file "inbox.db"
    local kills, sent, taken = 0, 0, 0
    math.randomseed(20240412)

    while kills < KILLS do
      local program = start(folder, { "sqlite", file, log, port })
      local killer = ("(sleep 0.%03d; kill -9 %d) >/dev/null 2>&1 &"):format(math.random(15, 90), program.pid)
      os.execute(killer)
      -- the next process receives a body again if its response was not 200
      local body = body_of(sent + 1, sent + math.random(1, 5), CUSTOMERS)
      while program:is_alive() do
        if deliver(port, body) then
          taken = taken + 1
          sent = sent + select(2, body:gsub('"id"', ""))
          -- if the response is lost, the body arrives twice
          if math.random(8) == 1 then deliver(port, body) end
          body = body_of(sent + 1, sent + math.random(1, 5), CUSTOMERS)
        else
          process.sleep(0.002)
        end
      end
      kills = kills + 1
    end

    local program = start(folder, { "sqlite", file, log, port })
    local inbox = require("waba").inbox.sqlite { file = file, sync = false }
    process.wait_for(function() return inbox:depth() == 0 end, "the inbox to be worked off", 30)
    program:stop("TERM")
    inbox:close()
    local handled, acknowledged, runs = audit(folder:read "events.log")
    assert.is_true(taken > 20)
    assert.is_true(handled >= sent, ("%d of %d were handled"):format(handled, sent))
    assert.is_true(handled - sent <= 5) -- events of a body whose response did not arrive
    assert.is_true(acknowledged <= handled)
    assert.is_true(runs >= handled)
    folder:remove()
  end)
end)

describe("the inbox in redis", function()
  it("gives the events of an ended worker to other workers", function()
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
    -- the events that the gateway delivers again are known
    assert.equal(0, inbox:put(events(body_of(1, 50, CUSTOMERS))))
    process.wait_for(function() return inbox:depth() == 0 end, "the inbox to be worked off", 30)
    -- the dead worker may have acknowledged a batch of four without writing it to its log
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
