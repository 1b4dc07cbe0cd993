-- The limits of the HTTP server for connections and bytes: which connection is refused, which one is closed to accept
-- another, and that every counter returns to zero.

local core = require "waba.core"
local limits = require "waba.http.limits"

describe("the peer of an address", function()
  it("is an IPv4 address or an IPv6 /64 network", function()
    for address, peer in pairs {
      ["192.0.2.1"] = "192.0.2.1", ["::ffff:192.0.2.1"] = "192.0.2.1", ["2001:db8:1:2:3:4:5:6"] = "2001:db8:1:2",
      ["2001:db8:1:2::6"] = "2001:db8:1:2", ["2001:db8::1"] = "2001:db8:0:0", ["::1"] = "0:0:0:0", ["::"] = "0:0:0:0",
      ["1::2:3:4:5:6"] = "1:0:0:2", ["::2:3:4:5:6:7"] = "0:0:2:3", ["/run/socket"] = "/run/socket",
    } do
      assert.equal(peer, limits.peer(address), address)
    end
    assert.equal("unknown", limits.peer(nil))
  end)
end)

describe("the limits of a server", function()
  local budget, interrupted

  local function new(options)
    interrupted = {}
    budget = limits.new(options)
  end

  -- Returns a connection. The server has waited `waited` seconds for bytes of the connection; nil: the server does not
  -- wait.
  local function connection(peer, waited)
    local self = { peer_name = peer or "a", waiting = waited ~= nil, since = core.clock() - (waited or 0) }
    function self.interrupt() interrupted[#interrupted + 1] = self end
    return self
  end

  local function opened(peer, waited)
    local self = connection(peer, waited)
    assert.is_true(budget:open(self))
    return self
  end

  -- Returns a connection with an incomplete body of `bytes` bytes.
  local function with_body(peer, waited, bytes)
    local self = opened(peer, waited)
    assert.is_true(budget:begin_body(self))
    assert.is_true(budget:hold(self, bytes or 0))
    return self
  end

  local function counts(peer)
    local of = budget.peers[peer or "a"]
    return { budget.count, budget.bytes, of and of.open, of and of.connections, of and of.bodies, of and of.bytes }
  end

  it("have defaults, and use the values of options", function()
    new()
    assert.same({ 512, 256, 64, 67108864, 16777216, 30, 60 }, {
      budget.connections, budget.peer_connections, budget.peer_bodies, budget.held_bytes, budget.peer_held_bytes,
      budget.request_seconds, budget.idle_seconds,
    })
    new { connections = 3 }
    assert.same({ 3, 256 }, { budget.connections, budget.peer_connections })
  end)

  it("count a connection, its body and its bytes until it is closed", function()
    new()
    local one, other = with_body("a", nil, 10), with_body("a", nil, 5)
    assert.same({ 2, 15, 2, 2, 2, 15 }, counts())
    assert.is_true(budget:hold(one, 3))
    assert.same({ 2, 18, 2, 2, 2, 18 }, counts())
    budget:finish_body(one)
    assert.same({ 2, 18, 2, 2, 1, 18 }, counts())
    budget:finish_body(one)
    budget:release(one)
    budget:release(one)
    assert.same({ 2, 5, 2, 2, 1, 5 }, counts())
    budget:close(one)
    budget:close(one)
    assert.same({ 1, 5, 1, 1, 1, 5 }, counts())
    budget:close(other)
    assert.same({ 0, 0 }, counts())
    assert.is_nil(next(budget.peers))
    assert.is_nil(next(budget.open_connections))
  end)

  it("count a connection with valid credentials for the server only", function()
    new()
    local one, other = with_body("a", nil, 10), opened "a"
    budget:trust(one)
    budget:trust(one)
    assert.same({ 2, 10, 2, 1, 0, 0 }, counts())
    assert.is_true(budget:hold(one, 5))
    budget:finish_body(one)
    assert.is_true(budget:begin_body(one))
    assert.same({ 2, 15, 2, 1, 0, 0 }, counts())
    budget:release(one)
    assert.same({ 2, 0, 2, 1, 0, 0 }, counts())
    budget:close(one)
    budget:trust(one)
    assert.same({ 1, 0, 1, 1, 0, 0 }, counts())
    budget:trust(other)
    budget:close(other)
    assert.same({ 0, 0 }, counts())
  end)

  it("refuse a further connection of a peer, unless another of its connections has waited for more than a second", function()
    new { peer_connections = 2 }
    local first, second = opened("a", 0.5), opened "a"
    assert.is_false(budget:open(connection "a"))
    opened "b"
    assert.same({}, interrupted)
    first.since = core.clock() - 1
    budget.peers.a.next_search = 0
    opened "a"
    assert.same({ first }, interrupted)
    assert.same({ 3, 0, 2, 2, 0, 0 }, counts())
    budget:trust(second)
    opened "a"
    assert.same({ first }, interrupted)
  end)

  it("close the connection that has waited longest, one with valid credentials last", function()
    new { connections = 4 }
    local trusted, old, new_one = opened("a", 9), opened("b", 5), opened("c", 3)
    local busy = opened "d"
    budget:trust(trusted)
    for _, expected in ipairs { old, new_one, trusted } do
      budget.next_search = 0
      opened("e")
      assert.equal(expected, interrupted[#interrupted])
      assert.is_nil(budget.open_connections[expected])
    end
    assert.equal(3, #interrupted)
    assert.is_true(budget.open_connections[busy])
  end)

  it("select the connection with credentials that has waited longest", function()
    for _, order in ipairs { { 5, 9 }, { 9, 5 } } do
      new()
      local first, second = opened("a", order[1]), opened("b", order[2])
      budget:trust(first)
      budget:trust(second)
      assert.is_true(budget:close_longest_waiting())
      assert.equal(order[1] > order[2] and first or second, interrupted[1])
    end
  end)

  it("search for waiting connections again only when one may have waited long enough", function()
    new()
    local one = opened("a", 0.5)
    assert.is_false(budget:close_longest_waiting())
    one.since = core.clock() - 10 -- `one` is not found, because the budget searches again only after half a second
    assert.is_false(budget:close_longest_waiting())
    budget.next_search = 0
    assert.is_true(budget:close_longest_waiting())
    assert.same({ one }, interrupted)
    new()
    opened "a"
    assert.is_false(budget:close_longest_waiting())
    assert.is_true(budget.next_search > core.clock() + 0.5)
  end)

  it("let a connection wait when all are in use, and refuse a connection whose peer has waiting ones", function()
    new { connections = 3 }
    opened "a"
    opened "b"
    opened "b"
    assert.is_nil(budget:open(connection "c"))
    assert.is_nil(budget:open(connection "a"))
    new { connections = 2 }
    opened("a", 0)
    opened "b"
    assert.is_false(budget:open(connection "a"))
    assert.same({}, interrupted)
    new { connections = 2 }
    opened("a", 0)
    opened("a", 0)
    assert.is_nil(budget:open(connection "a")) -- nil: peer a must wait, because all connections are its own
  end)

  it("close a connection of the peer that has the most connections, at once", function()
    new { connections = 4 }
    local of_b = { opened("b", 0.2), opened("b", 0.3), opened "b" }
    opened("c", 0)
    opened "a"
    assert.same({ of_b[2] }, interrupted)
    assert.is_false(budget:open(connection "c")) -- refused: b has no more than its share of connections
    opened "a2"
    assert.same({ of_b[2], of_b[1] }, interrupted)
    assert.is_nil(budget:open(connection "a3"))
    budget:trust(of_b[3])
    assert.is_nil(budget:open(connection "a3"))
  end)

  it("refuse a further body of a peer, unless another one waits", function()
    new { peer_bodies = 2 }
    local first = with_body "a"
    with_body "a"
    local third = opened "a"
    assert.is_false(budget:begin_body(third))
    with_body "b"
    local trusted = opened "a"
    budget:trust(trusted)
    assert.is_true(budget:begin_body(trusted))
    assert.same({}, interrupted)
    first.waiting, first.since = true, core.clock() - 0.5
    assert.is_false(budget:begin_body(third))
    first.since = core.clock() - 1
    assert.is_true(budget:begin_body(third))
    assert.same({ first }, interrupted)
    assert.equal(2, budget.peers.a.bodies)
    opened("a", 5) -- this connection has no body
    opened("a", 5)
    assert.is_false(budget:begin_body(opened "a"))
  end)

  for _, row in ipairs {
    { "in all", { held_bytes = 10 }, "b" }, { "of a peer", { peer_held_bytes = 10 }, "a" },
  } do
    it("refuse bytes beyond those " .. row[1] .. ", unless another body waits", function()
      new(row[2])
      local one, other = with_body("a", nil, 6), with_body(row[3], nil, 4)
      assert.is_false(budget:hold(other, 1))
      assert.same({}, interrupted)
      one.waiting, one.since = true, core.clock() - 0.5
      assert.is_false(budget:hold(other, 1))
      one.since = core.clock() - 1
      other.waiting, other.since = true, core.clock() - 2 -- a connection is not closed to free bytes for itself
      assert.is_true(budget:hold(other, 6))
      assert.same({ one }, interrupted)
      assert.equal(10, budget.bytes)
      assert.is_false(budget:hold(other, 1))
      local empty = opened("a", 5)
      assert.is_false(budget:hold(other, 1))
      assert.is_true(budget.open_connections[empty])
    end)
  end

  it("count the bytes of a peer that has valid credentials for all only", function()
    new { held_bytes = 20, peer_held_bytes = 10 }
    local trusted, stranger = with_body("a", 5, 10), with_body("a", 5, 0)
    budget:trust(trusted)
    assert.is_true(budget:hold(trusted, 5))
    assert.same({ 2, 15, 2, 1, 1, 0 }, counts())
    assert.is_true(budget:hold(stranger, 5))
    trusted.since = core.clock()
    assert.is_false(budget:hold(stranger, 1))
    new { peer_held_bytes = 10 }
    trusted, stranger = with_body("a", 5, 8), with_body("a", nil, 0)
    budget:trust(trusted)
    assert.is_true(budget:hold(stranger, 10))
    assert.is_false(budget:hold(stranger, 1)) -- refused, because the trusted connection is not closed
    assert.same({}, interrupted)
  end)

  it("close several connections for the bytes of one", function()
    new { held_bytes = 10 }
    local first, second, third = with_body("a", 9, 3), with_body("b", 8, 3), with_body("c", 7, 3)
    local large = with_body("d", nil, 0)
    assert.is_true(budget:hold(large, 5))
    assert.same({ first, second }, interrupted)
    assert.is_true(budget.open_connections[third])
    assert.is_true(budget:hold(large, 2))
    assert.same({ first, second }, interrupted)
    assert.is_false(budget:hold(large, 20))
  end)
end)
