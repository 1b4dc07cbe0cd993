-- The webhook server with peers that send invalid bytes, too many bytes, bytes too slowly, or nothing. At the end of
-- each test the server must store a webhook of another peer.

local controller = require "spec.support.controller"
local core = require "waba.core"
local cqueues = require "cqueues"
local cqueues_socket = require "cqueues.socket"
local protect = require("waba.coroutines").protect
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local server = require "waba.webhook.server"
local waba = require "waba"
local webhooks = require "spec.support.webhooks"

local BODY = webhooks.texts "a"
local HEAD = "POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic dTpw\r\n"
local WEBHOOK = HEAD .. ("Content-Length: %d\r\n\r\n"):format(#BODY) .. BODY

-- Opens a connection that sends bytes unchanged. `from` is the local address.
local function connect(port, from)
  local socket = cqueues_socket.connect { host = "127.0.0.1", port = port, bind = from }
  socket:setmode("bn", "bn")
  socket:onerror(function(_, _, why) return why end)
  socket:settimeout(10)
  assert(socket:connect())
  return socket
end

-- Returns the bytes that a server sends until the server ends the connection.
local function read_all(socket)
  local parts = {}
  repeat
    local bytes = socket:read(-4096)
    parts[#parts + 1] = bytes
  until not bytes
  return table.concat(parts)
end

-- Returns the statuses of the responses in some bytes.
local function statuses(bytes)
  local list = {}
  for status in bytes:gmatch "HTTP/1%.1 (%d%d%d) " do list[#list + 1] = tonumber(status) end
  return list
end

-- Sends bytes, and reads until the server ends the connection.
local function ask(port, bytes, from)
  local socket = connect(port, from)
  socket:write(bytes)
  local response = read_all(socket)
  socket:close()
  return statuses(response), response
end

local function wait_for(condition, what) process.wait_for(condition, what, 10, cqueues.sleep) end

describe("the webhook server among hostile peers", function()
  local inbox, stderr

  -- Hides the reports of the server. spec/webhook/server_spec.lua tests these reports.
  before_each(function()
    stderr = io.stderr
    io.stderr = { write = function() end }
  end)
  after_each(function() io.stderr = stderr end)

  -- Runs a test with a server in one controller. An error of the server's loop fails the test.
  local function story(options, tell)
    inbox = waba.inbox.memory()
    local receiver = { user = "u", password = "p", inbox = inbox, max_body = 1000 }
    for name, value in pairs(options.receiver or {}) do receiver[name] = value or nil end
    local cq = cqueues.new()
    local one = assert(server { receiver = waba.receiver(receiver), cq = cq, concurrency = 0, limits = options.limits,
      tls = options.tls })
    controller.run(cq, protect, tell, one, function() one:close() end)
  end

  local function is_served(one, from)
    local depth = inbox:depth()
    local socket = connect(one.port, from)
    socket:write(WEBHOOK)
    assert.equal("HTTP/1.1 200 OK\r", socket:read "*l")
    socket:close()
    assert.equal(math.max(depth, 1), inbox:depth())
  end

  -- Returns HTTP/2 frames that open this number of streams: requests without the end of their body.
  local function http2_streams(count)
    local parts = { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\0\0\0\4\0\0\0\0\0" }
    local block = "\131\134\132\65\1x"
    for number = 1, count do
      local id = 2 * number - 1
      parts[#parts + 1] = "\0\0" .. string.char(#block) .. "\1\4\0\0" .. string.char(math.floor(id / 256), id % 256) .. block
    end
    return table.concat(parts)
  end

  it("continues after 300 HTTP/2 streams and a reset, and uses HTTP/1.1 only", function()
    story({}, function(one)
      for _ = 1, 3 do
        local socket = connect(one.port)
        socket:write(http2_streams(300))
        cqueues.sleep(0.02)
        socket:close() -- close() with unread bytes sends a TCP reset
        cqueues.sleep(0.02)
      end
      assert.same({ 505 }, (ask(one.port, http2_streams(1))))
      is_served(one)
    end)
  end)

  it("continues after connections that end at any point", function()
    story({}, function(one)
      local pipelined = WEBHOOK:rep(200)
      for _, bytes in ipairs { "", "P", "POST / HT", HEAD, WEBHOOK:sub(1, -5), WEBHOOK, pipelined, "\22\3\1\2\0\1" } do
        for _, ending in ipairs { "close", "reset", "shutdown" } do
          local socket = connect(one.port)
          if ending == "reset" then socket:write "GET / HTTP/1.1\r\nHost: x\r\n\r\n" end
          socket:write(bytes)
          if ending == "shutdown" then socket:shutdown "w" else cqueues.sleep(0.002) end
          socket:close()
        end
      end
      wait_for(function() return one.active == 0 end, "the end of all requests")
      is_served(one)
    end)
  end)

  it("closes the descriptor of each connection that it refuses", function()
    story({ receiver = { max_body = 1000 } }, function(one)
      one.path = "/"
      local refused = {
        [404] = "POST /other HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
        [405] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        [413] = HEAD .. "Content-Length: 5000\r\n\r\n",
        [401] = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
        [400] = "nonsense\r\n\r\n",
      }
      collectgarbage()
      collectgarbage "stop"
      local before = process.descriptors()
      for status, bytes in pairs(refused) do
        for _ = 1, 20 do
          local socket = connect(one.port)
          socket:write(bytes)
          assert.matches("^HTTP/1.1 " .. status, socket:read "*l")
          socket:close()
        end
      end
      wait_for(function() return process.descriptors() <= before + 2 end, "descriptors are left open")
      collectgarbage "restart"
      is_served(one)
    end)
  end)

  it("sends a complete 413 to the sender of a body that is too large", function()
    story({}, function(one)
      local megabyte = ("x"):rep(1024 * 1024)
      for _, framing in ipairs { "Content-Length: 8388608\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n800000\r\n" } do
        local socket = connect(one.port)
        socket:write(HEAD .. framing)
        for _ = 1, 8 do assert(socket:write(megabyte)) end
        assert.equal("HTTP/1.1 413 Request Entity Too Large\r", socket:read "*l")
        socket:close()
      end
      is_served(one)
    end)
  end)

  it("refuses a request whose end is ambiguous", function()
    story({}, function(one)
      for _, length in ipairs { "-5", "+75", "0x10", "1e2", "5, 5", "5\r\nContent-Length: 5", "", "99999999999999999999",
        "5\r\nTransfer-Encoding: chunked" } do
        assert.same({ 400 }, (ask(one.port, HEAD .. "Content-Length: " .. length .. "\r\n\r\nhello")), length)
      end
      for coding, status in pairs { ["gzip, chunked"] = 501, [";"] = 501, chunked = 400 } do
        assert.same({ status }, (ask(one.port, HEAD .. "Transfer-Encoding: " .. coding .. "\r\n\r\nzz\r\n")), coding)
      end
      for size, status in pairs { ["-1"] = 400, ["fffffffff"] = 400, [""] = 400, ["ffffffff"] = 413 } do
        local bytes = HEAD .. "Transfer-Encoding: chunked\r\n\r\n" .. size .. "\r\n" .. ("x"):rep(1500)
        assert.same({ status }, (ask(one.port, bytes)), size)
      end
      is_served(one)
    end)
  end)

  it("refuses a malformed head", function()
    story({}, function(one)
      local host = "Host: x\r\n"
      for bytes, status in pairs {
        ["POST / HTTP/1.1\r\n\r\n"] = 400, ["POST / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"] = 400,
        ["POST / HTTP/1.1\n" .. host .. "\r\n"] = 400, ["POST /\r\n" .. host .. "\r\n"] = 400,
        ["POST /\0 HTTP/1.1\r\n" .. host .. "\r\n"] = 400, ["POST / HTTP/1.1\r\n" .. host .. " folded\r\n\r\n"] = 400,
        ["POST / HTTP/1.1\r\n" .. host .. "A : b\r\n\r\n"] = 400, ["POST / HTTP/1.1\r\n" .. host .. "A: \0\r\n\r\n"] = 400,
        ["POST / HTTP/1.1\r\n" .. host .. "A: b\nC: d\r\n\r\n"] = 400, ["POST / HTTP/3.0\r\n" .. host .. "\r\n"] = 505,
        ["POST / HTTP/1.1\r\n" .. host .. "Expect: tea\r\n\r\n"] = 417,
        ["POST / HTTP/1.1\r\n" .. host .. "A: " .. ("x"):rep(20000) .. "\r\n\r\n"] = 431,
        ["POST / HTTP/1.1\r\n" .. host .. ("A: b\r\n"):rep(101) .. "\r\n"] = 431,
        ["POST /" .. ("x"):rep(20000) .. " HTTP/1.1\r\n" .. host .. "\r\n"] = 431,
      } do
        assert.same({ status }, (ask(one.port, bytes)), bytes:sub(1, 60))
      end
      is_served(one)
    end)
  end)

  it("responds to pipelined requests in their order, and keeps the connection", function()
    story({}, function(one)
      local chunked = HEAD .. "Transfer-Encoding: chunked\r\n\r\n"
      for index = 1, #BODY, 7 do
        local part = BODY:sub(index, index + 6)
        chunked = chunked .. ("%x;a=b\r\n%s\r\n"):format(#part, part)
      end
      local bytes = WEBHOOK .. "\r\n" .. chunked .. "0\r\nTrailer: x\r\n\r\n" .. HEAD .. "Content-Length: 2\r\n\r\n{}"
        .. HEAD .. "Content-Length: 1\r\n\r\n{" .. HEAD .. "Connection: close\r\nContent-Length: 2\r\n\r\n{}" .. WEBHOOK
      assert.same({ 200, 200, 200, 400, 200 }, (ask(one.port, bytes)))
      assert.equal(1, inbox:depth())
      local old = bytes:gsub("HTTP/1.1", "HTTP/1.0")
      assert.same({ 200 }, (ask(one.port, old)))
    end)
  end)

  it("uses no more memory for a body in chunks of one byte than for another body", function()
    story({ receiver = { max_body = 1024 * 1024 } }, function(one)
      local chunks, taken = ("1\r\n \r\n"):rep(3000), math.huge
      for _ = 1, 3 do -- takes the smallest of three measurements, because Lua's table of strings may grow meanwhile
        local socket = connect(one.port)
        socket:write(HEAD .. "Transfer-Encoding: chunked\r\n\r\n")
        collectgarbage()
        local before = collectgarbage "count"
        for _ = 1, 20 do
          socket:write(chunks)
          cqueues.sleep(0.01)
        end
        wait_for(function() return one.listener.limits.bytes == 60000 end, "all chunks")
        collectgarbage()
        taken = math.min(taken, collectgarbage "count" - before)
        socket:write(("%x\r\n%s\r\n0\r\n\r\n"):format(#BODY, BODY))
        assert.equal("HTTP/1.1 200 OK\r", socket:read "*l")
        assert.equal(1, inbox:depth())
        socket:close()
      end
      assert.is_true(taken < 400)
    end)
  end)

  it("refuses wrong credentials before the body", function()
    story({}, function(one)
      local wrong = HEAD:gsub("dTpw", "eHg6eHg=")
      local socket = connect(one.port)
      socket:write(wrong .. "Expect: 100-continue\r\nContent-Length: 500\r\n\r\n")
      assert.equal("HTTP/1.1 401 Unauthorized\r", socket:read "*l")
      socket:close()
      socket = connect(one.port)
      socket:write(HEAD .. "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
      assert.equal("HTTP/1.1 100 Continue\r", socket:read "*l")
      socket:write "{}"
      assert.equal("\r", socket:read "*l")
      assert.equal("HTTP/1.1 200 OK\r", socket:read "*l")
      socket:close()
    end)
    story({ receiver = { user = false, password = false, secret = "s" } }, function(one)
      for _, header in ipairs { "", "X-Hub-Signature-256: sha256=12\r\n" } do
        local socket = connect(one.port)
        socket:write("POST / HTTP/1.1\r\nHost: x\r\n" .. header .. "Content-Length: 500\r\n\r\n")
        assert.equal("HTTP/1.1 401 Unauthorized\r", socket:read "*l")
        socket:close()
      end
    end)
  end)

  it("limits the time of a whole request, however its bytes arrive", function()
    story({ limits = { request_seconds = 0.2 } }, function(one)
      for begun, status in pairs { ["POST / HTTP/1.1\r\nX: "] = 408, [HEAD .. "Content-Length: 900\r\n\r\n"] = 408,
        [HEAD .. "Transfer-Encoding: chunked\r\n\r\n"] = 408 } do
        local socket = connect(one.port)
        socket:write(begun)
        local over = false
        cqueues.running():wrap(function()
          while not over do
            socket:write(begun:find "chunked" and "1\r\nx\r\n" or "x")
            cqueues.sleep(0.02)
          end
        end)
        assert.matches("^HTTP/1.1 " .. status, socket:read "*l")
        over = true
        cqueues.sleep(0.03)
        socket:close()
      end
      local silent = connect(one.port)
      assert.equal("", read_all(silent))
      silent:close()
      is_served(one)
    end)
  end)

  it("limits the time of the TLS handshake too", function()
    local folder = process.folder()
    nginx.certify(folder)
    local tls = { cert = folder:file "cert.pem", key = folder:file "key.pem" }
    story({ tls = tls, limits = { request_seconds = 0.1 } }, function(one)
      for _, bytes in ipairs { "", "\22\3\1\2\0\1", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", ("x"):rep(70000) } do
        local socket = connect(one.port)
        socket:write(bytes)
        read_all(socket)
        socket:close()
      end
    end)
    story({ tls = tls, limits = { peer_connections = 2 } }, function(one)
      local silent = { connect(one.port), connect(one.port) }
      cqueues.sleep(1.05)
      local third = connect(one.port)
      assert.equal("", read_all(silent[1])) -- the first connection has waited longest, so it is closed
      for _, socket in ipairs { silent[1], silent[2], third } do socket:close() end
    end)
    folder:remove()
  end)

  it("closes a connection without a request after its idle seconds", function()
    story({ limits = { idle_seconds = 0.05 } }, function(one)
      local socket = connect(one.port)
      socket:write(WEBHOOK)
      assert.same({ 200 }, statuses(read_all(socket)))
      socket:close()
    end)
  end)

  it("limits the connections of one peer: the connection that has waited longest is closed after a second", function()
    story({ limits = { peer_connections = 3 } }, function(one)
      local silent = {}
      for index = 1, 3 do silent[index] = connect(one.port) end
      cqueues.sleep(0.02)
      local refused = connect(one.port)
      assert.equal("", read_all(refused))
      refused:close()
      is_served(one, "127.0.0.2")
      cqueues.sleep(1.05)
      is_served(one)
      assert.equal("", read_all(silent[1]))
      for _, socket in ipairs(silent) do socket:close() end
    end)
  end)

  it("does not count connections with valid credentials in the limits of a peer", function()
    story({ limits = { peer_connections = 2 } }, function(one)
      local sockets = {}
      for index = 1, 8 do
        sockets[index] = connect(one.port)
        sockets[index]:write(WEBHOOK)
        assert.equal("HTTP/1.1 200 OK\r", sockets[index]:read "*l")
      end
      for _, socket in ipairs(sockets) do socket:close() end
    end)
  end)

  it("does not count a connection with a valid signature in the limits of a peer", function()
    local signed = ("POST / HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: sha256=%s\r\nContent-Length: %d\r\n\r\n"):format(
      core.hmac_sha256("s3cret", BODY), #BODY) .. BODY
    for secret, status in pairs { s3cret = 200, another = 401 } do
      story({ receiver = { user = false, password = false, secret = secret }, limits = { peer_connections = 2 } }, function(one)
        local sockets, responses = {}, {}
        for index = 1, 3 do
          sockets[index] = connect(one.port)
          sockets[index]:write(signed)
          responses[index] = sockets[index]:read "*l"
        end
        assert.matches("^HTTP/1.1 " .. status, responses[2])
        assert.equal(status == 200, responses[3] == "HTTP/1.1 200 OK\r")
        for _, socket in ipairs(sockets) do socket:close() end
      end)
    end
  end)

  it("closes a connection without credentials before an older one with valid ones", function()
    story({ limits = { connections = 7 } }, function(one)
      local trusted = {}
      for index = 1, 6 do
        trusted[index] = connect(one.port, "127.0.0." .. index + 1)
        trusted[index]:write(WEBHOOK)
        assert.equal("HTTP/1.1 200 OK\r", trusted[index]:read "*l")
        while trusted[index]:read "*l" ~= "\r" do end
      end
      local silent = connect(one.port, "127.0.0.8")
      cqueues.sleep(0.02)
      is_served(one) -- after a second, when the server has closed the silent connection
      assert.equal("", read_all(silent))
      silent:close()
      for _, socket in ipairs(trusted) do
        socket:write(WEBHOOK)
        assert.equal("HTTP/1.1 200 OK\r", socket:read "*l")
        socket:close()
      end
    end)
  end)

  it("limits all connections: a further connection waits until another one has ended", function()
    story({ limits = { connections = 3 } }, function(one)
      local silent = {}
      for index = 1, 3 do silent[index] = connect(one.port, "127.0.0." .. index + 1) end
      cqueues.sleep(0.02)
      silent[2]:close()
      is_served(one)
      silent[2] = connect(one.port, "127.0.0.3")
      cqueues.sleep(0.02)
      is_served(one) -- after a second, when the server has closed a silent connection
      for _, socket in ipairs(silent) do socket:close() end
    end)
  end)

  it("accepts a peer although another peer has many connections", function()
    story({ limits = { connections = 4 } }, function(one)
      local silent = {}
      for index = 1, 4 do silent[index] = connect(one.port, "127.0.0.2") end
      cqueues.sleep(0.02)
      is_served(one) -- at once, because the silent peer has more connections than its share
      for index = 5, 6 do silent[index] = connect(one.port, "127.0.0.3") end
      cqueues.sleep(0.02)
      is_served(one)
      for _, socket in pairs(silent) do socket:close() end
    end)
  end)

  it("continues with few free descriptors", function()
    local folder = process.folder()
    folder:file("serve.lua", [[
local waba = require "waba"
local one = assert(waba.webhook.server { receiver = waba.receiver { user = "u", password = "p", on = {} } })
io.stdout:write(one.port, "\n")
io.stdout:flush()
one:run()
]])
    local interpreter = jit and "luajit" or "lua" .. _VERSION:match "%d.%d"
    local program = process.start(("sh -c %s"):format(process.quote(("ulimit -n 40; exec %s %s"):format(interpreter,
      folder:file "serve.lua"))), folder:file "port")
    finally(function()
      program:stop "KILL"
      folder:remove()
    end)
    local function listening() return (folder:read "port" or ""):match "^(%d+)\n" end
    local port = tonumber(process.wait_for(listening, "the server"))
    local silent = {}
    for index = 1, 60 do
      silent[index] = require("socket").connect("127.0.0.1", port)
      silent[index]:settimeout(10)
    end
    process.sleep(1.1)
    local post = require("spec.support.plain_http").posting(port, { BODY }, "Basic dTpw")
    process.wait_for(function() return post() == 1 end, "the webhook of somebody else")
    for _, socket in ipairs(silent) do socket:close() end
  end)

  it("limits the incomplete bodies of one peer", function()
    story({ receiver = { user = false, password = false, open = true }, limits = { peer_bodies = 2 } }, function(one)
      local slow = {}
      for index = 1, 2 do
        slow[index] = connect(one.port)
        slow[index]:write(HEAD .. "Content-Length: 900\r\n\r\n{")
      end
      cqueues.sleep(0.02)
      local _, response = ask(one.port, WEBHOOK)
      assert.matches("^HTTP/1.1 503.*retry%-after: %d", response)
      is_served(one, "127.0.0.2")
      slow[1]:close()
      wait_for(function() return one.active == 1 end, "the end of one")
      is_served(one)
      slow[2]:close()
    end)
  end)

  it("limits the bytes in memory of one peer, and of all", function()
    for name, from in pairs { peer_held_bytes = "127.0.0.2", held_bytes = "127.0.0.1" } do
      story({ receiver = { user = false, password = false, open = true }, limits = { [name] = 1500 } }, function(one)
        local large = connect(one.port)
        large:write(HEAD .. "Content-Length: 1000\r\n\r\n" .. ("x"):rep(900))
        wait_for(function() return one.active == 1 end, "a large body")
        local other = HEAD .. "Connection: close\r\nContent-Length: 1000\r\n\r\n" .. ("x"):rep(1000)
        assert.same({ 503 }, (ask(one.port, other)))
        is_served(one, from)
        large:write(("x"):rep(100))
        assert.equal("HTTP/1.1 400 Bad Request\r", large:read "*l")
        large:close()
        wait_for(function() return one.active == 0 end, "the end of it")
        assert.same({ 400 }, (ask(one.port, other)))
      end)
    end
  end)

  it("names an invalid limit", function()
    local receiver = waba.receiver { open = true }
    assert.error_matches(function() server { receiver = receiver, limits = { connections = 0 } } end,
      "waba.webhook.server: limits: option connections must be integer of at least 1")
    assert.error_matches(function() server { receiver = receiver, limits = { peers = 1 } } end, "unknown option peers")
  end)
end)
