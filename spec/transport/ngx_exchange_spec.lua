-- Requests of the transport in nginx with a simulated socket: the bytes that are written, the reports of failures, and
-- which connections are kept.

local core = require "waba.core"
local process = require "spec.support.process"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
local URL = "http://127.0.0.1:8080/v1/messages?x=1"

describe("the transport in nginx", function()
  local real, transport, scripts, sockets

  before_each(function()
    real, scripts, sockets = rawget(_G, "ngx"), {}, {}
    local function new_socket()
      local script = table.remove(scripts, 1) or {}
      local one = { writes = {}, is_kept = false, is_closed = false }
      local pieces = script.pieces or { OK }
      function one.connect(_, ...)
        one.connected = { ... }
        if script.refused then return nil, script.refused end
        return true
      end
      function one.getreusedtimes() return script.reused or 0 end
      function one.settimeouts() end
      function one.settimeout() end
      function one.sslhandshake(_, ...)
        one.handshake = { ... }
        return true
      end
      function one.send(_, bytes)
        one.writes[#one.writes + 1] = type(bytes) == "table" and table.concat(bytes) or bytes
        if #one.writes == script.fails_at then return nil, script.reason or "closed" end
        return 1
      end
      function one.receiveany() return table.remove(pieces, 1), "closed" end
      function one.setkeepalive()
        one.is_kept = not script.pool_is_full
        return one.is_kept or nil
      end
      function one.close() one.is_closed = true end
      sockets[#sockets + 1] = one
      return one
    end
    rawset(_G, "ngx", { sleep = process.sleep, socket = { tcp = new_socket }, worker = { pid = function() return 7 end } })
    for _, name in ipairs { "waba.transport.ngx_connection", "waba.transport.ngx" } do package.loaded[name] = nil end
    transport = require("waba.transport.ngx").new()
    for _, name in ipairs { "waba.transport.ngx_connection", "waba.transport.ngx" } do package.loaded[name] = nil end
  end)
  after_each(function() rawset(_G, "ngx", real) end)

  local function send(more, head)
    local request = { head = { method = "POST", url = URL, headers = {}, idempotent = false }, body = "{}", timeout = 10 }
    for name, value in pairs(head or {}) do request.head[name] = value end
    for name, value in pairs(more or {}) do request[name] = value or nil end
    return transport:send(request)
  end

  it("writes the head with its length, and keeps the connection", function()
    local response = assert(send(nil, { headers = { Accept = "x" } }))
    assert.same({ 200, "{}", false }, { response.status, response.body, response.reused })
    local text = table.concat(sockets[1].writes)
    for _, line in ipairs { "POST /v1/messages?x=1 HTTP/1.1\r\n", "Host: 127.0.0.1:8080\r\n", "Content-Length: 2\r\n", "Accept: x\r\n",
      "Accept-Encoding: identity\r\n", "User-Agent: waba/" .. require "waba.version" .. "\r\n" } do
      assert.truthy(text:find(line, 1, true), text)
    end
    assert.equal("{}", text:match "\r\n\r\n(.*)$")
    assert.same({ true, false, "127.0.0.1", 8080 }, { sockets[1].is_kept, sockets[1].is_closed, sockets[1].connected[1],
      sockets[1].connected[2] })
    assert.is_nil(sockets[1].handshake)
  end)

  it("declares a length of 0 only for methods that have a body", function()
    for method, expected in pairs { POST = true, PUT = true, PATCH = true, GET = false, DELETE = false } do
      assert(send({ body = false }, { method = method }))
      assert.equal(expected, sockets[#sockets].writes[1]:find("Content-Length: 0\r\n", 1, true) ~= nil, method)
    end
    assert(send({ body = { reader = function() return nil end } }))
    assert.truthy(sockets[#sockets].writes[1]:find("Transfer-Encoding: chunked\r\n", 1, true))
  end)

  it("keeps headers of the caller, and refuses those that it sets itself", function()
    assert(send(nil, { headers = { ["user-agent"] = "me", ["ACCEPT-encoding"] = "gzip" } }))
    local text = sockets[1].writes[1]
    assert.truthy(text:find("user-agent: me\r\n", 1, true) and text:find("ACCEPT-encoding: gzip\r\n", 1, true))
    assert.is_nil(text:find("User-Agent: waba", 1, true) or text:find("identity", 1, true))
    for _, name in ipairs { "Host", "content-length", "Transfer-Encoding", "Expect" } do
      local response, failure = send(nil, { headers = { [name] = "x" } })
      assert.is_nil(response)
      assert.same({ "invalid", "no" }, { failure.kind, failure.sent })
    end
    assert.equal(1, #sockets)
  end)

  it("connects to the host and the port of the URL, with TLS and the name of the host", function()
    for url, expected in pairs {
      ["https://a.example/x"] = { "a.example", 443, "a.example" }, ["https://a.example:8443"] = { "a.example", 8443, "a.example" },
      ["https://127.0.0.1/"] = { "127.0.0.1", 443, "localhost" }, ["https://localhost/"] = { "127.0.0.1", 443, "localhost" },
      ["https://[::1]/"] = { "[::1]", 443, "localhost" },
    } do
      assert(send(nil, { url = url }))
      local one = sockets[#sockets]
      assert.same(expected, { one.connected[1], one.connected[2], one.handshake[2] })
      assert.is_true(one.handshake[3])
      assert.truthy(one.connected[3].pool:find("waba https://", 1, true))
    end
    assert(send(nil, { url = "http://localhost" }))
    local one = sockets[#sockets]
    assert.same({ "127.0.0.1", 80 }, { one.connected[1], one.connected[2] })
    assert.truthy(one.writes[1]:find("POST / HTTP/1.1", 1, true))
    local response, failure = send(nil, { url = "ftp://a.example/" })
    assert.is_nil(response)
    assert.equal("invalid", failure.kind)
  end)

  it("sends its own credentials only", function()
    local origin = "http://127.0.0.1:8080"
    local own = assert(transport:credentials { header = "D360-API-KEY", value = "s3cret", origin = origin })
    assert(send(nil, { credentials = own }))
    assert.truthy(table.concat(sockets[1].writes):find("D360-API-KEY: s3cret\r\n", 1, true))
    local foreign = core.credentials { header = "D360-API-KEY", value = "s3cret", origin = origin }
    local response, failure = send(nil, { credentials = foreign })
    assert.is_nil(response)
    assert.matches("were not made by this transport", failure.message)
    assert.equal(1, #sockets)
  end)

  it("closes a connection that can't be used again", function()
    for _, script in ipairs {
      { pieces = { "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}" } }, { pool_is_full = true },
      { pieces = { "HTTP/1.1 200 OK\r\n\r\n{}" } },
    } do
      scripts[1] = script
      assert(send())
      assert.is_true(sockets[#sockets].is_closed)
    end
    scripts[1] = { pieces = {} }
    assert.is_nil((send()))
    assert.same({ false, true }, { sockets[#sockets].is_kept, sockets[#sockets].is_closed })
  end)

  it("reports whether the request may have been received", function()
    for index, row in ipairs {
      { { refused = "connection refused" }, "network", "no" }, { { pieces = {} }, "network", "maybe" },
      { { pieces = { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}" } }, "network", "yes" },
      { { fails_at = 1, pieces = {} }, "network", "no" }, { { fails_at = 1, reason = "timeout", pieces = {} }, "timeout", "no" },
      { { fails_at = 1, pieces = { "HTTP/1.1 413 Large\r\nContent-Length: 5\r\n\r\n" } }, "network", "yes" },
    } do
      scripts = { row[1] }
      local response, failure = send()
      assert.is_nil(response)
      assert.same({ row[2], row[3] }, { failure.kind, failure.sent }, index)
      assert.is_true(sockets[#sockets].is_closed)
    end
    assert.equal(6, #sockets)
  end)

  it("returns a response that came before the request was written, and does not use its connection again", function()
    scripts = { { fails_at = 1, pieces = { "HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n{}" } } }
    local response = assert(send())
    assert.equal(401, response.status)
    assert.same({ false, true }, { sockets[1].is_kept, sockets[1].is_closed })
  end)

  it("sends again on a connection that the server had closed, if this is safe", function()
    for index, row in ipairs {
      { { reused = 1, fails_at = 1, pieces = {} }, {}, 2 }, { { reused = 1, pieces = {} }, {}, 1 },
      { { reused = 1, pieces = {} }, { idempotent = true }, 2 }, { { pieces = {} }, { idempotent = true }, 1 },
    } do
      scripts, sockets = { row[1] }, {}
      local response = send(nil, row[2])
      assert.same({ row[3], row[3] == 2 }, { #sockets, response ~= nil }, index)
    end
  end)

  it("makes a new connection if nginx has closed one in the handshake", function()
    for failures, expected in ipairs { 2, 3, 3 } do
      scripts, sockets = {}, {}
      for index = 1, failures do scripts[index] = { fails_at = 1, pieces = {} } end
      local response, failure = send(nil, { url = "https://a.example/" })
      assert.equal(expected, #sockets)
      if failures == 3 then
        assert.is_nil(response)
        assert.same({ "tls", "no" }, { failure.kind, failure.sent })
      else
        assert.equal(200, response.status)
      end
    end
  end)

  it("passes the body to a sink only with a status from 200 to 299, and raises the error of the sink", function()
    local got = {}
    assert.equal("", assert(send { into = { sink = function(bytes) got[#got + 1] = bytes end } }).body)
    assert.same({ "{}" }, got)
    scripts = { { pieces = { "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\n[]" } } }
    assert.equal("[]", assert(send { into = { sink = function() error "not called" end } }).body)
    assert.error_matches(function() send { into = { sink = function() error("odd", 0) end } } end, "odd")
    assert.is_true(sockets[#sockets].is_closed)
  end)
end)
