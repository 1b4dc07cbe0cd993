local core = require "waba.core"
local waba = require "waba"

describe("client:health", function()
  local emulator, client

  setup(function() emulator = assert(waba.emulator.start { statuses = false }) end)

  teardown(function() emulator:stop() end)

  before_each(function() client = waba.client(emulator:options { pace = false, retry = false }) end)

  after_each(function() client:close() end)

  local function nodes_of(health)
    local found = {}
    for _, node in ipairs(health.nodes) do
      local role = node.role or "none"
      found[role] = found[role] or {}
      table.insert(found[role], node.status or "none")
    end
    for _, statuses in pairs(found) do table.sort(statuses) end
    return found
  end

  it("reads a single instance", function()
    emulator:health { shape = "single" }
    local health = assert(client:health())
    assert.is_true(health.healthy)
    assert.equal("connected", health.status)
    assert.is_false(health.cached)
    assert.is_true(math.abs(health.checked_at - os.time()) <= 2)
  end)

  local verdicts = {
    connected = true, connecting = true, disconnected = false, uninitialized = false, unregistered = false,
  }
  for status, healthy in pairs(verdicts) do
    it("reads a single instance with the status " .. status .. (healthy and " for healthy" or " for ill"), function()
      emulator:health { shape = "single", status = status }
      local health = assert(client:health())
      assert.equal(healthy, health.healthy)
      assert.equal(status, health.status)
    end)
  end

  it("is healthy if one core of several is connected", function()
    emulator:health { shape = "high_availability" }
    local health = assert(client:health())
    assert.is_true(health.healthy)
    assert.same({
      primary_master = { "disconnected" }, secondary_master = { "disconnected" },
      coreapp = { "connected", "disconnected" },
    }, nodes_of(health))
  end)

  it("reads many shards", function()
    emulator:health { shape = "multiconnect" }
    local health = assert(client:health())
    assert.is_true(health.healthy)
    assert.equal(4, #health.nodes)
  end)

  it("is unhealthy if no node is connected", function()
    emulator:health { shape = "high_availability", status = "disconnected" }
    assert.is_false(client:health().healthy)
  end)

  it("shows the errors of a node", function()
    emulator:health { shape = "high_availability", nodes = {
      ["wa-core-49305550199-1"] = {
        errors = { { code = 1011, title = "Service not ready", details = "Wacore is not instantiated." } },
      },
    } }
    local health = assert(client:health())
    local found
    for _, node in ipairs(health.nodes) do
      if node.errors and #node.errors > 0 then found = node end
    end
    assert.equal(1011, found.errors[1].code)
    assert.is_nil(found.status)
    assert.is_true(health.healthy)
  end)

  it("returns errors that the response has instead of the health", function()
    emulator:health { errors = { { code = 1011, title = "Service not ready" } } }
    local health, err = client:health()
    assert.is_nil(health)
    assert.equal("unavailable", err.kind)
    assert.equal(1011, err.code)
  end)

  it("requests the health once in five minutes", function()
    emulator:health { shape = "single" }
    assert(client:health())
    local before = emulator:counts().requests
    local again = assert(client:health())
    assert.is_true(again.cached)
    assert.is_true(again.healthy)
    assert.equal(before, emulator:counts().requests)
  end)

  it("requests the health again after five minutes", function()
    emulator:health { shape = "single" }
    assert(client:health())
    local clock = core.clock
    finally(function() core.clock = clock end)
    core.clock = function() return clock() + 301 end
    emulator:health { shape = "single", status = "disconnected" }
    local later = assert(client:health())
    assert.is_false(later.cached)
    assert.is_false(later.healthy)
  end)

  it("stores no failure", function()
    emulator:health { shape = "single" }
    emulator:fail_next { path = "/v1/health", status = 502 }
    assert.equal("unavailable", select(2, client:health()).kind)
    assert.is_true(client:health().healthy)
  end)

  it("returns a new table to every caller", function()
    emulator:health { shape = "single" }
    local first = assert(client:health())
    first.healthy, first.nodes = false, nil
    assert.is_true(client:health().healthy)
  end)
end)
