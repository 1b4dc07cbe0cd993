-- Inbox, outbox and rate limits in a Redis cluster of three nodes. The keys are not on the node whose port is
-- configured.

local process = require "spec.support.process"
local redis = require "spec.support.redis"
local waba = require "waba"

local NODES = 3

-- Returns a free port below 55536, because a node also uses the port whose number is larger by 10000.
local function port_of_node()
  local port
  repeat
    port = process.free_port()
  until port < 55000
  return port
end

local function start_cluster()
  local cluster = { ports = {}, programs = {}, folders = {} }
  for number = 1, NODES do
    local folder, port = process.folder(), port_of_node()
    local command = redis.PROGRAM
      .. " --port %d --bind 127.0.0.1 --cluster-enabled yes --save '' --appendonly no --dir %s"
    cluster.folders[number], cluster.ports[number] = folder, port
    cluster.programs[number] = process.start(command:format(port, process.quote(folder.path)), folder:file "redis.log")
    process.wait_for(function() return process.listens(port) end, "a node to listen")
  end
  local nodes = {}
  for number, port in ipairs(cluster.ports) do nodes[number] = "127.0.0.1:" .. port end
  process.run("redis-cli --cluster create " .. table.concat(nodes, " ") .. " --cluster-yes 2>&1")
  process.wait_for(function()
    for _, port in ipairs(cluster.ports) do
      if not process.run(("redis-cli -p %d cluster info"):format(port)):find "cluster_state:ok" then return false end
    end
    return true
  end, "the cluster", 60)

  function cluster:count(port)
    return tonumber((process.run(("redis-cli -p %d dbsize"):format(port)):match "%d+"))
  end

  function cluster:stop()
    for number, program in ipairs(self.programs) do
      program:stop "KILL"
      self.folders[number]:remove()
    end
  end

  return cluster
end

describe("a Redis cluster", function()
  local cluster
  setup(function() cluster = start_cluster() end)
  teardown(function() cluster:stop() end)

  -- Returns a prefix whose keys are on the node with this number.
  local function prefix_on(number)
    for suffix = 1, 1000 do
      local prefix = ("{waba:%d}"):format(suffix)
      local reply = process.run(("redis-cli -p %d set %s 1 2>&1"):format(cluster.ports[number], prefix))
      if reply:find "OK" then return prefix end
    end
  end

  it("has an inbox on every node, whichever is configured", function()
    for number = 1, NODES do
      local inbox = waba.inbox.redis { port = cluster.ports[1], prefix = prefix_on(number) }
      local receiver = waba.receiver { open = true, inbox = inbox, on = { text = function() end } }
      local body = '{"messages":[{"id":"m%d","from":"49151123","timestamp":"1","type":"text","text":{"body":"Hi"}}]}'
      local before = cluster:count(cluster.ports[number])
      for event = 1, 3 do
        assert.equal(200, receiver:handle { method = "POST", body = body:format(event) })
        assert.equal(200, receiver:handle { method = "POST", body = body:format(event) })
      end
      assert.equal(3, inbox:depth())
      assert.is_true(cluster:count(cluster.ports[number]) > before)
      assert.equal(3, #inbox:list({}, 10))
      assert.equal(3, (receiver:work()))
      assert.equal(0, inbox:depth())
      receiver:suppress "+49151123"
      assert.truthy(receiver:suppressed "+49151123")
      inbox:close()
    end
  end)

  it("has an outbox on every node", function()
    local emulator = waba.emulator.start { cloud = {}, tls = false, statuses = false }
    local client = waba.client {
      hosting = "cloud", api_key = emulator.cloud.api_key, base_url = emulator.cloud.url, pace = false, retry = false,
    }
    for number = 1, NODES do
      local outbox = waba.outbox.redis {
        port = cluster.ports[1], prefix = prefix_on(number) .. ":outbox", hosting = "cloud",
      }
      local list = {}
      for index = 1, 40 do list[index] = { to = "4915112345" .. 100 + index, message = waba.text "Hi", key = index } end
      local ids = assert(outbox:put(list))
      assert.equal(40, (waba.sender { outbox = outbox, client = client }:work()))
      for _, id in ipairs(ids) do assert.equal("sent", outbox:get(id).state) end
      assert.same(ids, outbox:put(list))
      outbox:close()
    end
    assert.equal(40 * NODES, emulator.cloud:counts().messages)
    client:close()
    emulator:stop()
  end)

  it("has the rate limits of each key on the node of the key", function()
    local emulator = waba.emulator.start { cloud = {}, tls = false, statuses = false }
    local failures = {}
    local store = waba.pace.redis {
      port = cluster.ports[2], unreachable = "wait", timeout = 5, on_error = function(err) failures[#failures + 1] = err end,
    }
    for number = 1, 9 do
      local api_key = "the-key-of-number-" .. number
      emulator:add_number { number = "493055501" .. number, api_key = api_key }
      local client = waba.client {
        hosting = "cloud", api_key = api_key, base_url = emulator.cloud.url, retry = false,
        pace = { store = store, messages = { rate = 100, burst = 10 } },
      }
      for _ = 1, 5 do assert(client:send("4915112345" .. 100 + number, waba.text "Hi")) end
      client:close()
    end
    assert.same({}, failures)
    emulator:stop()
  end)
end)
