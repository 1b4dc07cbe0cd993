-- lua/waba/transport/ngx_connection.lua with a simulated socket: timeouts, the TLS handshake, and the nginx directives
-- that errors name.

local core = require "waba.core"
local process = require "spec.support.process"

describe("a connection in nginx", function()
  local real, connection, calls, results

  before_each(function()
    real, calls, results = rawget(_G, "ngx"), {}, {}
    rawset(_G, "ngx", { sleep = process.sleep })
    package.loaded["waba.transport.ngx_connection"] = nil
    connection = require "waba.transport.ngx_connection"
    package.loaded["waba.transport.ngx_connection"] = nil
  end)
  after_each(function() rawset(_G, "ngx", real) end)

  -- Opens a connection. Returns the result, the failure and the exchange.
  local function open(more, target_fields)
    local exchange = { deadline = core.clock() + 30, request = {}, sent = "no", bytes_sent = 0 }
    for name, value in pairs(more or {}) do exchange[name] = value end
    local function method(name)
      return function(_, ...)
        calls[#calls + 1] = { name, ... }
        local result = results[name]
        if type(result) == "function" then return result() end
        if result then return result[1], result[2], result[3] end
        return true
      end
    end
    results.getreusedtimes = results.getreusedtimes or { 0 }
    exchange.socket = {}
    for _, name in ipairs { "settimeouts", "settimeout", "connect", "getreusedtimes", "sslhandshake" } do
      exchange.socket[name] = method(name)
    end
    local target = { address = "a.example", port = 443, options = "pool", authority = "a.example:443", name = "a.example",
      secure = true }
    for name, value in pairs(target_fields or {}) do target[name] = value end
    local ok, failure = connection.open(exchange, target, core.clock())
    return ok, failure, exchange
  end

  local function called(name)
    for _, call in ipairs(calls) do
      if call[1] == name then return call end
    end
  end

  it("is made within the timeouts, and verified by the name of the host", function()
    local ok, _, exchange = open { request = { connect_timeout = 5 } }
    assert.is_true(ok)
    local timeouts = called "settimeouts"
    assert.is_true(timeouts[2] > 4000 and timeouts[2] <= 5000, timeouts[2])
    assert.is_true(timeouts[3] > 29000 and timeouts[3] <= 30000 and timeouts[3] == timeouts[4])
    assert.same({ "connect", "a.example", 443, "pool" }, called "connect")
    assert.same({ "sslhandshake", nil, "a.example", true }, called "sslhandshake")
    assert.is_true(called("settimeout")[2] <= 5000)
    assert.same({ false, true, 0 }, { exchange.reused, exchange.fresh_tls, exchange.armed })
  end)

  it("is made within ten seconds by default, and within the timeout of the request", function()
    open()
    assert.is_true(calls[1][2] > 9000 and calls[1][2] <= 10000)
    calls = {}
    open { deadline = core.clock() + 2, request = { connect_timeout = 5 } }
    assert.is_true(calls[1][2] > 1000 and calls[1][2] <= 2000)
    calls = {}
    local ok, failure = open { deadline = core.clock() - 1 }
    assert.is_nil(ok)
    assert.same({ "timeout", 0 }, { failure.kind, #calls })
  end)

  it("needs no handshake if it is reused or plain", function()
    results.getreusedtimes = { 3 }
    local ok, _, exchange = open()
    assert.same({ true, true }, { ok, exchange.reused })
    assert.is_nil(exchange.fresh_tls)
    results.getreusedtimes = { 0 }
    ok, _, exchange = open(nil, { secure = false })
    assert.same({ true, false }, { ok, exchange.reused })
    assert.is_nil(called "sslhandshake")
  end)

  it("that can't be made names the reason, and the directive that is missing", function()
    for reason, expected in pairs {
      timeout = { "timeout", "the timeout passed: no connection to a.example:443" },
      ["connection refused"] = { "network", "no connection to a.example:443: connection refused" },
      ["no resolver defined to resolve"] = { "network", "add the directive resolver" },
      ["too many open files"] = { "network", "worker_rlimit_nofile" },
      ["operation now in progress"] = { "network", "no connection is left in this worker; raise the limit by the directive "
        .. "worker_connections" },
      ["success"] = { "network", "no connection is left in this worker" },
    } do
      results.connect = { nil, reason }
      local ok, failure = open()
      assert.is_nil(ok)
      assert.same({ expected[1], "no" }, { failure.kind, failure.sent })
      assert.truthy(failure.message:find(expected[2], 1, true), failure.message)
    end
    assert.is_nil(called "sslhandshake")
  end)

  it("that can't be verified is an error of TLS, with the directive that is missing", function()
    for reason, expected in pairs {
      timeout = { "timeout", "the timeout passed: no TLS with a.example:443" }, closed = { "network", "no TLS with a.example:443: closed" },
      ["connection reset by peer"] = { "network", "no TLS with a.example:443: connection reset" },
      ["20: unable to get local issuer certificate"] = { "tls", "lua_ssl_trusted_certificate" },
      ["22: certificate chain too long"] = { "tls", "add the directive lua_ssl_verify_depth 3;" },
      ["handshake failed"] = { "tls", "no TLS with a.example:443: handshake failed" },
      ["certificate host mismatch"] = { "tls", "certificate host mismatch" },
    } do
      results.sslhandshake = { nil, reason }
      local ok, failure, exchange = open()
      assert.is_nil(ok)
      assert.equal(expected[1], failure.kind, reason)
      assert.truthy(failure.message:find(expected[2], 1, true), failure.message)
      assert.is_nil(failure.message:find("a host name only", 1, true))
      assert.same({ "nil", 0 }, { tostring(exchange.is_uncertain), exchange.armed })
    end
    results.sslhandshake = { nil, "certificate host mismatch" }
    local _, failure = open(nil, { is_address = true })
    assert.truthy(failure.message:find("nginx can verify the certificate of a host name only", 1, true), failure.message)
    results.sslhandshake = { nil, nil }
    _, failure = open()
    assert.same({ "tls", "handshake failed" }, { failure.kind, failure.code })
  end)

  it("that nginx closed in the handshake may have an invalid certificate", function()
    results.sslhandshake = function() error "an assertion of nginx" end
    local ok, failure, exchange = open()
    assert.is_nil(ok)
    assert.same({ "tls", "assertion", true }, { failure.kind, failure.code, exchange.is_uncertain })
    assert.matches("its certificate is probably not trusted", failure.message)
  end)

  it("is made after other ones, also if its handshake takes some time", function()
    for _ = 1, 3 do assert.is_true((open())) end
    results.sslhandshake = function()
      process.sleep(0.001)
      return true
    end
    assert.is_true((open()))
  end)
end)
