-- waba.webhook.server, the library's own webhook server, with lua-http and plain sockets as clients.

local controller = require "spec.support.controller"
local core = require "waba.core"
local cqueues = require "cqueues"
local http_util = require "http.util"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local waba = require "waba"
local server = require "waba.webhook.server"
local webhooks = require "spec.support.webhooks"
local cqueues_socket = require "cqueues.socket"

local body_of = webhooks.texts

-- Runs a test in a controller. The test gets a function that starts servers in this controller.
local function story(tell)
  local cq = cqueues.new()
  local started = {}
  local function start(options)
    options.cq = cq
    started[#started + 1] = assert(server(options))
    return started[#started]
  end
  controller.run(cq, http_util.yieldable_pcall, tell, start, function()
    for _, one in ipairs(started) do one:close() end
  end)
end

local function wait_for(condition, what) process.wait_for(condition, what, 10, cqueues.sleep) end

-- Opens a connection that sends bytes unchanged.
-- Stops a server in another coroutine. Returns a function that returns whether the server has stopped.
local function stop_later(one)
  local stopped = false
  cqueues.running():wrap(function()
    one:stop()
    stopped = true
  end)
  return function() return stopped end
end

local function connect(port)
  local socket = cqueues_socket.connect("127.0.0.1", port)
  socket:setmode("bn", "bn")
  return socket
end

describe("the webhook server", function()
  local handled, stderr, reported

  before_each(function()
    handled, reported, stderr = {}, {}, io.stderr
    io.stderr = { write = function(_, ...) reported[#reported + 1] = table.concat { ... } end }
  end)
  after_each(function() io.stderr = stderr end)

  local function receiver(more)
    local merged = { user = "u", password = "p", on = { text = function(event) handled[#handled + 1] = event.id end } }
    for name, value in pairs(more or {}) do merged[name] = value or nil end
    return waba.receiver(merged)
  end

  local function post(one, body, options)
    local merged = { body = body, user = "u", password = "p" }
    for name, value in pairs(options or {}) do merged[name] = value end
    return nginx.request(one:url(), merged)
  end

  it("accepts webhooks over TLS, and uses HTTP/1.1 with a client that prefers HTTP/2", function()
    local folder = process.folder()
    nginx.certify(folder)
    story(function(start)
      local one = start {
        receiver = receiver(), path = "/hook", tls = { cert = folder:file "cert.pem", key = folder:file "key.pem" },
      }
      assert.truthy(one:url():find "^https://127%.0%.0%.1:%d+/hook$")
      start { receiver = receiver(), tls = { cert = folder:read "cert.pem", key = folder:read "key.pem" } }
      local status, headers, body = post(one, body_of("a", "b"), { ca_file = folder:file "ca.pem" })
      assert.equal(200, status)
      assert.equal("0", headers:get "content-length")
      assert.equal("", body)
      wait_for(function() return #handled == 2 end, "two handled events")
      local socket = connect(one.port)
      local context = require("http.tls").new_client_context()
      context:setVerify(require("openssl.ssl.context").VERIFY_NONE)
      context:setAlpnProtos { "h2", "http/1.1" }
      assert(socket:starttls(context, 5))
      assert.equal("http/1.1", socket:checktls():getAlpnSelected())
      socket:close()
    end)
    folder:remove()
  end)

  it("refuses invalid requests", function()
    story(function(start)
      local one = start { receiver = receiver { max_body = 1000 }, path = "/hook" }
      assert.equal(401, post(one, body_of "a", { password = "wrong" }))
      assert.equal(400, post(one, "no json"))
      assert.equal(413, post(one, ("x"):rep(1001)))
      local status, headers = post(one, nil, { method = "GET" })
      assert.equal(405, status)
      assert.equal("POST", headers:get "allow")
      assert.equal(404, nginx.request((one:url():gsub("/hook", "/other")), { body = "{}", user = "u", password = "p" }))
      assert.equal(200, nginx.request(one:url() .. "?number=1", { body = "{}", user = "u", password = "p" }))
      assert.same({}, handled)
    end)
  end)

  it("passes path and query, percent-encoded, to the function of the option number, and reports an unknown address once", function()
    story(function(start)
      local numbers = {}
      local one = start { receiver = receiver {
        number = function(request)
          if request.path == "/hook/%2B49/" and request.query == "b=%20&a" then return "4930555019" end
        end,
        on = { text = function(event) numbers[#numbers + 1] = event.number end },
      } }
      local url = one:url():gsub("/$", "")
      local function send(path) return nginx.request(url .. path, { body = body_of(path), user = "u", password = "p" }) end
      assert.equal(200, send "/hook/%2B49/?b=%20&a")
      assert.equal(404, send "/hook/+49/?b=%20&a")
      assert.equal(404, nginx.request(url .. "/other", { method = "GET" }))
      wait_for(function() return numbers[1] end, "a handled event")
      assert.same({ "4930555019" }, numbers)
    end)
    assert.equal(1, #reported)
    assert.matches("with status 404: its path /hook/%+49/ belongs to no number", reported[1])
  end)

  it("does not treat a part of an unread body as a request", function()
    story(function(start)
      local one = start { receiver = receiver() }
      local inner = "GET /inner HTTP/1.1\r\nHost: x\r\n\r\n"
      for _, head in ipairs {
        "POST / HTTP/1.1\r\n", "PUT / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nAuthorization: Basic eDp5\r\n",
      } do
        local socket = connect(one.port)
        socket:settimeout(10)
        socket:write(head .. ("Host: x\r\nContent-Length: %d\r\n\r\n"):format(#inner) .. inner)
        local _, count = (socket:read "*a" or ""):gsub("HTTP/1%.1 %d", "")
        assert.equal(1, count)
        socket:close()
      end
    end)
  end)

  it("refuses a long body without a length", function()
    story(function(start)
      local one = start { receiver = receiver { max_body = 1000 } }
      local socket = connect(one.port)
      socket:write("POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic dTpw\r\nTransfer-Encoding: chunked\r\n\r\n")
      socket:write("7d0\r\n" .. ("x"):rep(2000) .. "\r\n0\r\n\r\n")
      assert.equal("HTTP/1.1 413 Request Entity Too Large", (socket:read "*l":gsub("\r", "")))
      socket:close()
    end)
  end)

  it("responds before a handler has returned, and runs several at once", function()
    story(function(start)
      local open, running = false, 0
      local one = start { concurrency = 3, batch = 1, receiver = receiver { on = { text = function()
        running = running + 1
        while not open do cqueues.sleep(0.005) end
        handled[#handled + 1] = true
      end } } }
      assert.equal(200, post(one, body_of("a", "b", "c")))
      wait_for(function() return running == 3 end, "three handlers at once")
      assert.equal(200, post(one, body_of "d"))
      assert.same({}, handled)
      open = true
      wait_for(function() return #handled == 4 end, "four handled events")
    end)
  end)

  it("handles a burst with as many handlers as allowed, and stores each acknowledgement at once", function()
    story(function(start)
      local running, is_open = 0, false
      local box = waba.inbox.memory()
      local one = start { lease = 0.1, interval = 0.02, receiver = receiver { inbox = box, on = { text = function(event)
        if event.id == "quick" then return end
        running = running + 1
        while not is_open do cqueues.sleep(0.005) end
        handled[#handled + 1] = event.id
      end } } }
      assert.equal(200, post(one, body_of("quick", "a", "b", "c", "d", "e")))
      wait_for(function() return running == 4 end, "four handlers at once")
      wait_for(function() return box:depth() == 5 end, "the first acknowledgement")
      cqueues.sleep(0.3)
      assert.equal(4, running)
      is_open = true
      wait_for(function() return box:depth() == 0 end, "the others")
      assert.equal(5, #handled)
    end)
  end)

  it("works in a program with its own loop that calls step", function()
    local one = assert(server { receiver = receiver() })
    local socket = connect(one.port)
    local body = body_of "a"
    socket:xwrite(("POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic dTpw\r\nContent-Length: %d\r\n\r\n%s"):format(
      #body, body), "n", 5)
    local deadline = cqueues.monotime() + 10
    while #handled == 0 and cqueues.monotime() < deadline do assert(one:step(0.05)) end
    assert.same({ "a" }, handled)
    socket:close()
    one:close()
    one:close()
    assert.is_nil((one:step(0)))
  end)

  it("reports an error of a handler's coroutine, and continues", function()
    local one = assert(server { receiver = receiver { on = { text = function(event)
      cqueues.running():wrap(function() error("odd " .. event.id) end)
      handled[#handled + 1] = event.id
    end } } })
    local bodies = { body_of "a", body_of "b" }
    local post_next = require("spec.support.plain_http").posting(one.port, bodies, "Basic dTpw")
    local deadline = cqueues.monotime() + 10
    while (post_next() < 2 or #handled < 2) and cqueues.monotime() < deadline do assert(one:step(0.01)) end
    one:stop()
    assert.same({ "a", "b" }, handled)
    assert.matches("waba: .*odd a.*waba: .*odd b", table.concat(reported))
  end)

  it("returns the error of a coroutine of the program, if the program made the controller", function()
    local cq = cqueues.new()
    local one = assert(server { cq = cq, receiver = receiver(), concurrency = 0 })
    assert.is_true(one:step())
    cq:wrap(function() error("odd", 0) end)
    local ok, message = one:step(0.01)
    assert.is_falsy(ok)
    assert.matches("odd", message, 1, true)
    assert.same({}, reported)
    one:close()
  end)

  it("runs handlers without the module that links libcurl", function()
    local folder = process.folder()
    folder:file("receive.lua", [[
package.preload["waba.curl"] = function() error "not installed" end
local waba = require "waba"
local handled
local receiver = waba.receiver { open = true, on = { text = function(event) handled = event.id end } }
local one = assert(waba.webhook.server { receiver = receiver })
local post = require("spec.support.plain_http").posting(one.port, { arg[1] })
while not handled do
  assert(one:step(0.01))
  post()
end
print(handled)
]])
    local interpreter = jit and "luajit" or "lua" .. _VERSION:match "%d.%d"
    assert.equal("a", process.run(("timeout 20 %s %s %s 2>&1"):format(interpreter, folder:file "receive.lua",
      process.quote(body_of "a"))))
    folder:remove()
  end)

  it("leaves the handlers to other processes with concurrency = 0", function()
    story(function(start)
      local box = waba.inbox.memory()
      local one = start { receiver = receiver { inbox = box }, concurrency = 0 }
      assert.equal(200, post(one, body_of "a"))
      cqueues.sleep(0.05)
      assert.equal(1, box:depth())
    end)
  end)

  it("responds with 503 if its inbox can't store, and with 500 after an error", function()
    story(function(start)
      local one = start { receiver = receiver { inbox = waba.inbox.memory { max = 0 } } }
      local status, headers = post(one, body_of "a")
      assert.equal(503, status)
      assert.is_number(tonumber(headers:get "retry-after"))
    end)
  end)

  it("reports refused requests on standard error, one line for each status", function()
    story(function(start)
      local one = start { receiver = receiver { inbox = waba.inbox.memory { max = 0 }, max_body = 1000 }, path = "/hook" }
      for _ = 1, 3 do assert.equal(401, post(one, body_of "a", { password = "s3cret-guess" })) end
      for _ = 1, 2 do assert.equal(503, post(one, body_of "a")) end
      assert.equal(400, post(one, "no json"))
      assert.equal(413, post(one, ("x"):rep(1001)))
      assert.equal(405, post(one, nil, { method = "GET" }))
      assert.equal(404, nginx.request((one:url():gsub("/hook", "/other")), { body = "{}" }))
      assert.equal(200, post(one, "{}"))
    end)
    local text = table.concat(reported)
    assert.equal(6, #reported, text)
    for _, words in ipairs {
      "from 127.0.0.1 with status 401: its user or password is wrong\n",
      "status 503: the inbox cannot store it: .*is full: it has 0 entries",
      "status 400: .*not JSON", "status 413: its body of 1001 bytes is longer than max_body, 1000\n",
      "status 405: its method is GET\n", "status 404: its path is /other, not /hook\n",
    } do
      assert.matches("waba: refused a webhook .*" .. words, text)
    end
    assert.is_nil(text:find("guess", 1, true))
  end)

  it("stops gracefully: responds to accepted requests, accepts no more, finishes its handlers", function()
    story(function(start)
      local one = start { receiver = receiver { on = { text = function(event)
        cqueues.sleep(0.02)
        handled[#handled + 1] = event.id
      end } } }
      local socket = connect(one.port)
      local body = body_of("a", "b", "c", "d", "e", "f", "g")
      socket:write(("POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic dTpw\r\nContent-Length: %d\r\n\r\n%s"):format(
        #body, body:sub(1, 20)))
      socket:flush()
      wait_for(function() return one.active == 1 end, "the first half of a request")
      local is_stopped = stop_later(one)
      cqueues.sleep(0.05)
      assert.is_false(is_stopped())
      -- The server still responds to the request that has begun.
      socket:write(body:sub(21))
      socket:flush()
      assert.equal("HTTP/1.1 200 OK", (socket:read "*l":gsub("\r", "")))
      wait_for(is_stopped, "the end")
      assert.equal(7, #handled)
      assert.is_false(process.listens(one.port))
      socket:close()
    end)
  end)

  it("refuses with 503 a request whose head arrives after the stop, and closes its connection", function()
    story(function(start)
      local is_open = false
      local one = start { receiver = receiver { on = { text = function(event)
        while not is_open do cqueues.sleep(0.005) end
        handled[#handled + 1] = event.id
      end } } }
      assert.equal(200, post(one, body_of "a"))
      local socket = connect(one.port)
      socket:write "POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic dTpw\r\n"
      socket:flush()
      cqueues.sleep(0.05)
      local is_stopped = stop_later(one)
      cqueues.sleep(0.02)
      one:stop() -- a second call of `stop` has no effect
      assert.is_false(is_stopped())
      socket:write "Content-Length: 2\r\n\r\n{}"
      socket:flush()
      local response = socket:read "*a"
      assert.matches("^HTTP/1.1 503 .*retry%-after: 1\r\n", response)
      assert.matches("connection: close", response, 1, true)
      socket:close()
      is_open = true
      wait_for(is_stopped, "the end")
      assert.same({ "a" }, handled)
    end)
  end)

  it("responds to an accepted request before it stops, also without handlers", function()
    story(function(start)
      local box = waba.inbox.memory()
      local one = start { concurrency = 0, receiver = receiver { inbox = box } }
      local socket = connect(one.port)
      local body = body_of "a"
      socket:write(("POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic dTpw\r\nContent-Length: %d\r\n\r\n{"):format(#body))
      socket:flush()
      wait_for(function() return one.active == 1 end, "a request")
      local is_stopped = stop_later(one)
      cqueues.sleep(0.05)
      assert.is_false(is_stopped())
      socket:write(body:sub(2))
      socket:flush()
      assert.matches("^HTTP/1.1 200 ", socket:read "*l")
      wait_for(is_stopped, "the end")
      assert.equal(1, box:depth())
      socket:close()
    end)
  end)

  it("runs until a signal, and ends its handlers first; a second signal ends the process", function()
    local folder = process.folder()
    local program = folder:file("serve.lua", [[
io.stdout:setvbuf "no"
local waba = require "waba"
local one = assert(waba.webhook.server { receiver = waba.receiver { open = true, on = { text = function(event)
  print("begin " .. event.id)
  waba.sleep(0.8)
  print("end " .. event.id)
end } } })
print("port " .. one.port)
print(one:run(), one:run())
]])
    for number, signal in ipairs { "TERM", "INT", "HUP", "TERM" } do
      local running = process.start(("%s %s"):format(process.interpreter(), program), folder:file(number .. ".log"))
      local port = process.wait_for(function() return running:output():match "port (%d+)" end, "the port")
      local post_next = require("spec.support.plain_http").posting(tonumber(port), { body_of "a" })
      process.wait_for(function() return post_next() == 1 and running:output():find "begin a" end, "the handler")
      if number == 4 then
        process.run("kill -TERM " .. running.pid)
        process.sleep(0.3)
      end
      running:stop(signal)
      assert.matches(number == 4 and "begin a\n$" or "begin a\nend a\ntrue\ttrue\tnil\n$", running:output())
    end
    folder:remove()
  end)

  it("reports the events that are lost at the end of its time, if its inbox is in memory", function()
    local folder = process.folder()
    for _, row in ipairs {
      { waba.inbox.memory(), "waba: the server ends, and 2 events are left in the inbox: they are lost, since it is in memory\n" },
      { waba.inbox.sqlite(folder:file "inbox.db"), nil },
      { waba.inbox.memory(), nil, concurrency = 0 },
    } do
      reported = {}
      story(function(start)
        local begun, is_open = 0, false
        local one = start { grace = 0.05, concurrency = row.concurrency or 1, batch = 1, interval = 0.01, receiver = receiver {
          inbox = row[1], on = { text = function()
            begun = begun + 1
            while not is_open do cqueues.sleep(0.005) end
          end },
        } }
        assert.equal(200, post(one, body_of("a", "b")))
        wait_for(function() return begun == 1 or row.concurrency end, "the handler")
        one:stop()
        assert.same({ row[2] }, reported)
        assert.is_false(process.listens(one.port))
        is_open = true
        cqueues.sleep(0.05)
        assert.equal(row.concurrency == 0 and 0 or 1, begun)
      end)
    end
    folder:remove()
  end)

  it("leaves the waiting events of a durable inbox to the next server", function()
    local folder = process.folder()
    local box = waba.inbox.sqlite(folder:file "inbox.db")
    story(function(start)
      local begun, is_open = 0, false
      local one = start { concurrency = 1, batch = 1, receiver = receiver { inbox = box, on = { text = function()
        begun = begun + 1
        while not is_open do cqueues.sleep(0.005) end
      end } } }
      assert.equal(200, post(one, body_of("a", "b", "c")))
      wait_for(function() return begun == 1 end, "the first handler")
      local is_stopped = stop_later(one)
      cqueues.sleep(0.02)
      is_open = true
      wait_for(is_stopped, "the end")
      assert.same({ 1, 2 }, { begun, box:depth() })
    end)
    box:close()
    folder:remove()
    assert.same({}, reported)
  end)

  it("leaves nothing in its controller after it was closed, and has closed its connections", function()
    local cq = cqueues.new()
    local one = assert(server { cq = cq, receiver = receiver(), interval = 0.01 })
    local socket = connect(one.port)
    socket:xwrite("POST / HTTP/1.1\r\nHost: x\r\n", "n", 5)
    for _ = 1, 5 do assert(cq:step(0.01)) end
    one:close()
    assert(cq:loop(10))
    assert.is_true(cq:empty())
    assert.is_nil((socket:xread("*a", "bn", 5) or ""):match "%S")
    socket:close()
    local ok, message = one:step()
    assert.is_nil(ok)
    assert.equal("closed", message)
  end)

  it("ends when a handler closes it", function()
    local one
    one = assert(server { receiver = receiver { on = { text = function(event)
      handled[#handled + 1] = event.id
      one:close()
    end } } })
    local post_next = require("spec.support.plain_http").posting(one.port, { body_of("a", "b") }, "Basic dTpw")
    local deadline = cqueues.monotime() + 10
    while #handled == 0 and cqueues.monotime() < deadline do
      post_next()
      assert(one:step(0.01))
    end
    assert.is_nil((one:step(0)))
    assert.is_true(one.cq:loop(10))
    assert.is_true(one.cq:empty())
  end)

  it("sends Retry-After with status 503 only", function()
    story(function(start)
      local one = start { receiver = receiver { max_body = 1000 }, limits = { held_bytes = 500 } }
      for status, body in pairs { [413] = ("x"):rep(2000), [503] = ("x"):rep(600), [400] = "oops" } do
        local socket = connect(one.port)
        socket:settimeout(10)
        socket:write("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic dTpw\r\n"
          .. "Transfer-Encoding: chunked\r\n\r\n")
        socket:write(status == 400 and "zz\r\n" or ("%x\r\n%s\r\n0\r\n\r\n"):format(#body, body))
        socket:flush()
        local response = socket:read "*a"
        assert.matches("^HTTP/1.1 " .. status, response)
        assert.equal(status == 503 and "1" or nil, response:match "retry%-after: (%d+)")
        socket:close()
      end
    end)
  end)

  it("runs the handlers at once if a program has wrapped the method handle of its receiver", function()
    story(function(start)
      local own = receiver()
      local handle = own.handle
      function own.handle(self, request) return handle(self, request) end
      local one = start { receiver = own, interval = 60 }
      assert.equal(200, post(one, body_of "a"))
      wait_for(function() return #handled == 1 end, "the handler")
      local inbox_is_full = own.inbox.put
      own.inbox.put = function() return nil, "no space" end
      assert.equal(503, post(one, body_of "b"))
      own.inbox.put = inbox_is_full
    end)
  end)

  it("does not count connections with valid credentials in the limits of a peer without credentials", function()
    local function count_of(options, headers)
      local served = 0
      story(function(start)
        options.on = {}
        local one = start { receiver = waba.receiver(options), limits = { peer_connections = 1 }, concurrency = 0 }
        local sockets = {}
        for index = 1, 2 do
          sockets[index] = connect(one.port)
          sockets[index]:settimeout(10)
          sockets[index]:onerror(function(_, _, why) return why end)
          sockets[index]:write("POST / HTTP/1.1\r\nHost: x\r\n" .. headers .. "Content-Length: 2\r\n\r\n{}")
          sockets[index]:flush()
          local line = sockets[index]:read "*l"
          if type(line) == "string" and line:find "^HTTP/1.1 %d" then served = served + 1 end
        end
        for _, socket in ipairs(sockets) do socket:close() end
      end)
      return served
    end
    local signature = "X-Hub-Signature-256: " .. core.hmac_sha256("s3cret", "{}") .. "\r\n"
    assert.equal(2, count_of({ secret = "s3cret" }, signature))
    assert.equal(1, count_of({ secret = "s3cret" }, signature:gsub("%x%x%x\r", "000\r")))
    assert.equal(2, count_of({ user = "u", password = "p" }, "Authorization: Basic dTpw\r\n"))
    assert.equal(1, count_of({ open = true }, ""))
  end)

  it("names its URL, also with an IPv6 address", function()
    story(function(start)
      assert.matches("^http://127%.0%.0%.1:%d+/$", start({ receiver = receiver() }):url())
      local one = server { receiver = receiver(), host = "::1" }
      if one then -- `one` is nil on a machine without IPv6
        assert.matches("^http://%[::1%]:%d+/$", one:url())
        one:close()
      end
    end)
  end)

  it("continues after a sender has closed the connection in the middle of a body", function()
    story(function(start)
      local own = start { receiver = waba.receiver { open = true, on = {} } }
      for _ = 1, 3 do
        local gone = connect(own.port)
        gone:write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{\"half\":")
        gone:flush()
        cqueues.sleep(0.02)
        gone:close()
      end
      cqueues.sleep(0.05)
      local body = body_of "m1"
      local socket = connect(own.port)
      socket:write(("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"):format(#body, body))
      socket:flush()
      assert.matches("^HTTP/1.1 200", socket:read "*l")
      socket:close()
    end)
  end)

  it("accepts bodies with a valid signature only", function()
    story(function(start)
      local own = start { receiver = receiver { secret = "s3cret", user = false, password = false } }
      local body = webhooks.cloud { messages = '{"id":"wamid.1","from":"1","type":"text","text":{"body":"\\u00e4\\/"}}' }
      local signature = "sha256=" .. core.hmac_sha256("s3cret", body)
      local function signed(bytes, value)
        return nginx.request(own:url(), { body = bytes, headers = { ["x-hub-signature-256"] = value } })
      end
      assert.equal(401, signed(body .. "\n", signature))
      assert.equal(401, signed(body, signature:gsub("%x$", "x")))
      assert.equal(401, nginx.request(own:url(), { body = body }))
      assert.equal(200, signed(body, signature))
      wait_for(function() return #handled == 1 end, "the signed webhook")
    end)
  end)

  it("can be stopped outside of a coroutine by a program that calls step", function()
    local own = assert(server { receiver = waba.receiver { open = true, on = {} } })
    own:step(0.01)
    own:stop()
    assert.is_nil((own:step()))
  end)

  it("reports why it can't listen", function()
    local one = assert(server { receiver = receiver() })
    local other, message = server { receiver = receiver(), port = one.port }
    assert.is_nil(other)
    assert.truthy(message:find(("cannot listen on 127.0.0.1 port %d"):format(one.port), 1, true))
    local nowhere
    nowhere, message = waba.webhook.server { receiver = waba.receiver { open = true }, host = "no.host.invalid" }
    assert.is_nil(nowhere)
    assert.equal("cannot listen on no.host.invalid port 0: the host has no address: expected an IP address of this machine, "
      .. "or a name that has one", message)
    one:close()
    assert.has_error(function() server {} end, "waba.webhook.server: option receiver is required")
    assert.has_error(function() server { receiver = { on = {} } } end,
      "waba.webhook.server: option receiver must be a receiver from waba.receiver")
    assert.has_error(function() server { receiver = receiver(), port = 65536 } end,
      "waba.webhook.server: option port must be 0 to 65535, not 65536")
    for name, value in pairs { concurrency = -1, batch = 0, lease = 0, interval = 0, grace = -1, port = -1 } do
      assert.error_matches(function() server { receiver = receiver(), [name] = value } end, "option " .. name)
    end
    for _, tls in ipairs { {}, { cert = "x" }, { key = "x" }, { cert = "x", key = 1 } } do
      assert.has_error(function() server { receiver = receiver(), tls = tls } end,
        "waba.webhook.server: option tls must have the fields cert and key")
    end
    assert.error_matches(function() server { receiver = receiver(), tls = { cert = "/nonexistent/a.pem", key = "x" } } end,
      "waba.webhook.server: tls: /nonexistent/a.pem: No such file")
  end)

  it("listens again on the port of a server that has just closed connections", function()
    story(function(start)
      local one = start { receiver = receiver() }
      local port = one.port
      local connection = connect(port)
      -- the server closes the connection first, so its port stays in TIME_WAIT
      connection:write "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
      while connection:read "*l" do end
      connection:close()
      one:close()
      assert.equal(port, start({ receiver = receiver(), port = port }).port)
    end)
  end)

  it("shares a port with other processes", function()
    story(function(start)
      local one = start { receiver = receiver(), reuseport = true }
      local other = start { receiver = receiver(), reuseport = true, port = one.port }
      assert.equal(one.port, other.port)
      for number = 1, 12 do assert.equal(200, post(one, body_of("n" .. number))) end
      wait_for(function() return #handled == 12 end, "twelve handled events")
    end)
  end)
end)
