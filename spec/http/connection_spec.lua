-- One connection of the HTTP server, over a pair of sockets: the bytes that each method reads, and when its wait ends.

local connections = require "waba.http.connection"
local core = require "waba.core"
local cqueues = require "cqueues"
local limits = require "waba.http.limits"
local protect = require("waba.coroutines").protect
local sockets = require "cqueues.socket"

-- Runs a test with a connection and the socket of its peer.
local function story(tell)
  local cq, failure = cqueues.new(), nil
  cq:wrap(function()
    local socket, peer = sockets.pair()
    peer:setmode("bn", "bn")
    peer:onerror(function(_, _, why) return why end)
    local connection = connections.new(socket, limits.new())
    local ok, message = protect(tell, connection, peer, cq)
    failure = not ok and message or nil
    socket:close()
    peer:close()
  end)
  assert(cq:loop(20))
  assert(cq:empty(), "the story did not end in time")
  if failure then error(failure, 0) end
end

local function results(first, second) return { first == nil and "nil" or first, second } end

describe("a connection", function()
  it("has received no bytes at first, and has the timeout of a request", function()
    story(function(connection)
      local left = connection.deadline - core.clock()
      assert.is_true(left > 29 and left <= 30)
      assert.same({ false, false, "unknown", "" }, {
        connection.waiting, connection:has_bytes(), connection.peer_name, connection:take(),
      })
    end)
  end)

  it("returns the received bytes, all or a part", function()
    story(function(connection, peer)
      peer:write "abcdef"
      assert.is_true(connection:fill())
      assert.is_true(connection:fill())
      assert.is_true(connection:has_bytes())
      assert.equal("ab", connection:receive(2))
      assert.equal("c", connection:receive(1))
      assert.equal("def", connection:receive(4))
      assert.is_false(connection:has_bytes())
      peer:write "ghi"
      assert.equal("g", connection:receive(1))
      assert.equal("hi", connection:receive(100))
      peer:write "jkl"
      connection:fill()
      assert.equal("jkl", connection:receive(3))
      peer:write "mn"
      connection:fill()
      assert.equal("m", connection:receive(1))
      assert.is_true(connection:has_bytes())
      assert.equal("n", connection:take())
      assert.equal("", connection:take())
      assert.is_false(connection:has_bytes())
    end)
  end)

  it("returns the bytes up to a mark, which may arrive in parts", function()
    story(function(connection, peer, cq)
      peer:write "a.b--c--"
      assert.equal("a.b", connection:receive_until("--", 100))
      assert.equal("c", connection:receive_until("--", 3))
      cq:wrap(function()
        for _, part in ipairs { "de", "-", "-f", "--" } do
          peer:write(part)
          cqueues.sleep(0.001)
        end
      end)
      assert.equal("de", connection:receive_until("--", 100))
      assert.equal("f", connection:receive_until("--", 100))
      peer:write "a.-"
      connection:fill()
      assert.same({ "nil", "too long" }, results(connection:receive_until(".-", 2)))
      assert.equal("a", connection:receive_until(".-", 3))
      peer:write "abc"
      connection:fill()
      assert.same({ "nil", "too long" }, results(connection:receive_until("--", 3)))
      assert.equal("abc", connection:take())
    end)
  end)

  it("returns the reason if no bytes arrive", function()
    local calls = {
      fill = function(connection) return connection:fill() end,
      receive = function(connection) return connection:receive(100) end,
      receive_until = function(connection) return connection:receive_until("--", 100) end,
    }
    for name, call in pairs(calls) do
      story(function(connection)
        connection.deadline = core.clock()
        assert.same({ "nil", "timeout" }, results(call(connection)), name)
      end)
      story(function(connection)
        connection.deadline = core.clock() + 0.01
        assert.same({ "nil", "timeout" }, results(call(connection)), name)
        assert.is_false(connection.waiting)
      end)
      story(function(connection)
        connection:interrupt()
        assert.same({ "nil", "closed" }, results(call(connection)), name)
      end)
      story(function(connection, _, cq)
        cq:wrap(function()
          cqueues.sleep(0.01)
          assert.is_true(connection.waiting)
          connection:interrupt()
        end)
        assert.same({ "nil", "closed" }, results(call(connection)), name)
        assert.is_false(connection.waiting)
      end)
      story(function(connection, peer)
        peer:close()
        assert.same({ "nil", "closed" }, results(call(connection)), name)
      end)
    end
  end)

  it("can be used after a timeout", function()
    story(function(connection, peer)
      connection.deadline = core.clock() + 0.01
      assert.is_nil(connection:receive(100))
      peer:write "a"
      connection:expect(10)
      assert.equal("a", connection:receive(100))
      assert.is_true(connection:send "b")
      assert.equal("b", peer:read(1))
    end)
  end)

  it("writes any number of bytes to a peer that reads slowly, or returns the reason", function()
    local bytes = ("0123456789"):rep(200000)
    story(function(connection, peer, cq)
      local read
      cq:wrap(function()
        local parts, size = {}, 0
        while size < #bytes do
          cqueues.sleep(0)
          parts[#parts + 1] = assert(peer:read(-50000))
          size = size + #parts[#parts]
        end
        read = table.concat(parts)
      end)
      assert.same({ true }, results(connection:send(bytes)))
      while not read do cqueues.sleep(0.001) end
      assert.is_true(read == bytes)
      assert.same({ true }, results(connection:send ""))
    end)
    story(function(connection)
      connection.deadline = core.clock() + 0.01
      assert.same({ "nil", "timeout" }, results(connection:send(bytes)))
    end)
    story(function(connection, _, cq)
      cq:wrap(function()
        cqueues.sleep(0.01)
        connection:interrupt()
      end)
      assert.same({ "nil", "closed" }, results(connection:send(bytes)))
    end)
    story(function(connection, peer)
      peer:close()
      assert.same({ "nil", "closed" }, results(connection:send(bytes)))
    end)
  end)

  it("lets other coroutines run after each 64 KiB of work", function()
    story(function(connection, _, cq)
      local has_run
      local function work(bytes)
        has_run = false
        cq:wrap(function() has_run = true end)
        for _ = 1, 8 do connection:take_turns(bytes) end
        return has_run
      end
      assert.is_false(work(8191))
      assert.is_true(work(65536))
      assert.is_false(work(8191))
      connection:take_turns(8)
      assert.equal(0, connection.work)
    end)
  end)

  it("lingers until the peer has ended too, or has sent too much", function()
    story(function(connection, peer)
      peer:write "abc"
      connection:fill()
      assert.equal("a", connection:receive(1))
      peer:shutdown "w"
      connection:linger(1000)
      assert.is_false(connection:has_bytes())
      assert.is_nil((peer:read(1)))
    end)
    story(function(connection, peer)
      peer:write(("x"):rep(5000)) -- the peer does not close its connection
      connection:linger(5000)
      assert.is_nil((peer:read(1)))
    end)
  end)

  it("returns why the TLS handshake failed", function()
    local context = require("openssl.ssl.context").new("TLS", true)
    story(function(connection)
      connection.deadline = core.clock() + 0.01
      assert.same({ "nil", "timeout" }, results(connection:start_tls(context)))
    end)
    story(function(connection, peer)
      peer:write "GET / HTTP/1.1\r\n\r\n"
      assert.same({ "nil", "closed" }, results(connection:start_tls(context)))
    end)
    story(function(connection)
      connection:interrupt()
      assert.same({ "nil", "closed" }, results(connection:start_tls(context)))
    end)
  end)
end)
