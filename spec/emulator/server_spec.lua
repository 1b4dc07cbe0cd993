-- The emulator's HTTP server with many concurrent requests, and with clients that violate the protocol.

local cqueues = require "cqueues"
local http_client = require "http.client"
local http_tls = require "http.tls"
local new_headers = require "http.headers".new
local openssl_context = require "openssl.ssl.context"
local socket = require "cqueues.socket"
local store = require "openssl.x509.store"

local emulators = require "waba.emulator"
local support = require "spec.support.emulator"
local waba = require "waba"

describe("the server", function()
  local emulator, port

  lazy_setup(function()
    emulator = assert(emulators.start({ statuses = false }))
    port = tonumber(emulator.url:match("%d+$"))
  end)
  lazy_teardown(function() emulator:stop() end)

  local function connect()
    local context = http_tls.new_client_context()
    local trusted = store.new()
    trusted:add(emulator.ca_file)
    context:setStore(trusted)
    context:setVerify(openssl_context.VERIFY_PEER)
    return assert(http_client.connect({ host = "127.0.0.1", port = port, tls = true, ctx = context, version = 1.1 }, 5))
  end

  local BODY = '{"to":"4915112345678","type":"text","text":{"body":"x"}}'

  local function start(connection)
    local stream = connection:new_stream()
    local head = new_headers()
    head:append(":method", "POST")
    head:append(":scheme", "https")
    head:append(":authority", "127.0.0.1")
    head:append(":path", "/v1/messages")
    head:append("content-type", "application/json")
    head:append("content-length", tostring(#BODY))
    head:append("d360-api-key", emulator.api_key)
    assert(stream:write_headers(head, false, 5))
    assert(stream:write_chunk(BODY, true, 5))
    return stream
  end

  local function status_of(stream)
    local head = assert(stream:get_headers(10))
    assert(stream:get_body_as_string(10))
    return head:get(":status")
  end

  it("uses HTTP/1.1 with a client that prefers HTTP/2", function()
    local client = waba.client(emulator:options {})
    assert.is_table(client:send("4915112345678", waba.text "x"))
    client:close()
    local list = emulator:received()
    assert.equal("HTTP/1.1", list[#list].protocol)
  end)

  it("returns a URL with the address that it listens on", function()
    for host, written in pairs({ ["::1"] = "[::1]", ["localhost"] = "localhost", ["0.0.0.0"] = "127.0.0.1", ["::"] = "[::1]" }) do
      local other = assert(emulators.start({ host = host, statuses = false }))
      assert.equal(written, other.url:match("^https://(.+):%d+$"))
      local client = waba.client(other:options({}))
      assert.is_table(client:send("4915112345678", waba.text "Hi"))
      client:close()
      other:stop()
    end
  end)

  it("can run without TLS", function()
    local other = assert(emulators.start({ tls = false }))
    assert.matches("^http://127%.0%.0%.1", other.url)
    assert.is_nil(other.ca_file)
    assert.equal(200, (support.request(other, "GET", "/v1/health")))
    other:stop()
  end)

  it("responds to many requests over one HTTP/1.1 connection", function()
    support.run(function()
      local connection = connect()
      for _ = 1, 100 do assert.equal("201", status_of(start(connection))) end
      connection:close()
    end)
  end)

  it("responds to 50 connections at once", function()
    support.run(function()
      local finished = 0
      for _ = 1, 50 do
        cqueues.running():wrap(function()
          assert.equal(201, (support.send(emulator, "text", { body = "x" })))
          finished = finished + 1
        end)
      end
      support.eventually(function() return finished == 50 end, 15)
    end)
  end)

  it("continues after clients have closed their connections at any point", function()
    support.run(function()
      -- A client closes its connection during the TLS handshake, or sends bytes that are not TLS.
      for _, bytes in ipairs({ "", "\22\3\1", "GET / HTTP/1.1\r\n\r\n", ("x"):rep(1000) }) do
        local plain = socket.connect("127.0.0.1", port)
        plain:onerror(function() return nil end)
        plain:connect(1)
        plain:write(bytes)
        plain:flush()
        plain:close()
      end
      -- A client closes its connection after half a request.
      local connection = connect()
      local stream = connection:new_stream()
      local head = new_headers()
      for _, pair in ipairs({ { ":method", "POST" }, { ":scheme", "https" }, { ":authority", "x" },
        { ":path", "/v1/media" }, { "content-type", "text/plain" }, { "content-length", "1000000" },
        { "d360-api-key", emulator.api_key } }) do
        head:append(pair[1], pair[2])
      end
      stream:write_headers(head, false, 1)
      stream:write_chunk(("x"):rep(10000), false, 1)
      connection.socket:close()
      -- A client shuts down its side of the connection after half a request.
      connection = connect()
      stream = connection:new_stream()
      stream:write_headers(head, false, 1)
      stream:write_chunk(("x"):rep(10000), false, 1)
      connection.socket:flush(1)
      connection.socket:shutdown("rw")
      cqueues.sleep(0.02)
      connection.socket:close()
      -- A client closes its connection before the response.
      connection = connect()
      start(connection)
      connection.socket:close()
      -- A client closes its connection in the middle of a large response.
      local id = select(2, support.request(emulator, "POST", "/v1/media", ("x"):rep(3000000),
        { headers = { ["content-type"] = "text/plain" } })).media[1].id
      connection = connect()
      stream = connection:new_stream()
      head = new_headers()
      for _, pair in ipairs({ { ":method", "GET" }, { ":scheme", "https" }, { ":authority", "x" },
        { ":path", "/v1/media/" .. id }, { "d360-api-key", emulator.api_key } }) do
        head:append(pair[1], pair[2])
      end
      stream:write_headers(head, true, 1)
      assert(stream:get_headers(5))
      connection.socket:close()
      cqueues.sleep(0.1)
      assert.equal(201, (support.send(emulator, "text", { body = "x" })))
    end)
  end)

  it("refuses HTTP/2, and loses only the connection that opens 300 streams and is reset", function()
    local other = assert(emulators.start({ tls = false }))
    local plain = tonumber(other.url:match("%d+$"))
    local frames = { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\0\0\0\4\0\0\0\0\0" }
    for number = 1, 300 do
      local id = 2 * number - 1
      frames[#frames + 1] = "\0\0\6\1\4\0\0" .. string.char(math.floor(id / 256), id % 256) .. "\131\134\132\65\1x"
    end
    support.run(function()
      for _ = 1, 3 do
        local attacker = socket.connect("127.0.0.1", plain)
        attacker:setmode("bn", "bn")
        attacker:write(table.concat(frames))
        cqueues.sleep(0.02)
        attacker:close() -- close() with unread bytes sends a TCP reset
        cqueues.sleep(0.02)
      end
      for _ = 1, 5 do assert.equal(201, (support.send(other, "text", { body = "x" }))) end
    end)
    other:stop()
  end)

  it("sends a complete 400 for a body without a clear end", function()
    local other = assert(emulators.start({ tls = false }))
    for _, length in ipairs({ "-5", "+75" }) do
      local peer = socket.connect("127.0.0.1", tonumber(other.url:match("%d+$")))
      peer:settimeout(10)
      peer:setmode("bn", "bn")
      peer:write("POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: " .. length .. "\r\n\r\nhello")
      assert.matches("^HTTP/1.1 400", (peer:read("*l")))
      peer:close()
    end
    other:stop()
  end)

  it("sends 100 Continue to clients that wait for it", function()
    support.run(function()
      local connection = connect()
      local stream = connection:new_stream()
      local head = new_headers()
      for _, pair in ipairs({ { ":method", "POST" }, { ":scheme", "https" }, { ":authority", "x" },
        { ":path", "/v1/messages" }, { "content-type", "application/json" }, { "content-length", tostring(#BODY) },
        { "expect", "100-continue" }, { "d360-api-key", emulator.api_key } }) do
        head:append(pair[1], pair[2])
      end
      assert(stream:write_headers(head, false, 1))
      assert.equal("100", assert(stream:get_headers(5)):get(":status"))
      assert(stream:write_chunk(BODY, true, 1))
      assert.equal("201", status_of(stream))
      connection:close()
    end)
  end)

  it("refuses a head of 20000 bytes, and serves other clients", function()
    local client = waba.client({ api_key = emulator.api_key, base_url = emulator.url, ca_file = emulator.ca_file,
      retry = false, timeout = 5 })
    finally(function() client:close() end)
    local _, err = client:request({ method = "GET", path = "/v1/" .. ("a"):rep(20000) })
    assert.equal(431, err.status)
    assert.is_table(client:request({ method = "GET", path = "/v1/health" }))
  end)

  it("refuses commands without the token", function()
    local url = emulator.remote.connection.url
    local door = { url = url, api_key = emulator.api_key }
    assert.equal(403, (support.request(door, "POST", "/on_premise/call/counts", {})))
    assert.equal(403, (support.request(door, "POST", "/cloud/call/stop", {}, { headers = { ["x-waba-emulator"] = "guess" } })))
    assert.equal(403, (support.request(door, "POST", "/on_premise/media", "x")))
    assert.is_table(emulator:counts())
  end)

  it("listens on the address of its option", function()
    local other = assert(emulators.start())
    local free = tonumber(other.url:match("%d+$"))
    other:stop()
    other = assert(emulators.start({ port = free }))
    assert.equal("https://127.0.0.1:" .. free, other.url)
    other:stop()
  end)
end)
