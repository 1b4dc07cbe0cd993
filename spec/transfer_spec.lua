-- Single transfers of waba.curl to spec/support/server.lua: bodies of requests and responses, the fields of a response,
-- failures. No request is sent twice.

local core = require "waba.core"
local curl = require "waba.curl"
local driver = require "spec.support.driver"
local server = require "spec.support.server"

local KEY = "a-key-that-nobody-may-see"

local function write_file(bytes)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
  return path
end

local function read_file(path)
  local file = io.open(path, "rb")
  if file then
    local bytes = file:read("*a")
    file:close()
    return bytes
  end
end

-- Returns the names of all files that begin with `path`.
local function files_beside(path)
  local pipe = assert(io.popen("ls -d '" .. path .. "'* 2>/dev/null"))
  local names = {}
  for name in pipe:lines() do names[#names + 1] = name end
  pipe:close()
  return names
end

for _, protocol in ipairs({ "HTTP/1.1", "HTTP/2" }) do
  describe("a transfer over " .. protocol, function()
    local gateway, engine

    local function head(method, path, options)
      options = options or {}
      return assert(engine:prepare({ method = method, url = gateway.url .. path, headers = options.headers or {},
        idempotent = options.idempotent or false, credentials = options.credentials }))
    end

    local function credentials(origin)
      return assert(core.credentials({ header = "D360-API-KEY", value = KEY, origin = origin }))
    end

    setup(function() gateway = server.start({ protocol = protocol }) end)

    teardown(function() gateway:stop() end)

    before_each(function()
      gateway:forget()
      engine = assert(curl.engine({ ca_file = gateway.ca_file }))
    end)

    after_each(function() engine:close() end)

    -- Sends a request, so that the next request uses an open connection.
    local function warm_up()
      assert(driver.run(engine, head("GET", "/warm", { idempotent = true })))
    end

    describe("returns in the response", function()
      it("all fields of the contract", function()
        gateway:respond("/v1/messages", { status = 201, body = "created",
          headers = { { "Content-Type", "text/plain" }, { "Retry-After", "7" }, { "X-Thing", "a" }, { "X-Thing", "b" } } })
        local response = assert(driver.run(engine, head("POST", "/v1/messages"), "hello"))
        assert.equal(201, response.status)
        assert.equal("created", response.body)
        assert.equal("yes", response.sent)
        assert.equal(protocol, response.protocol)
        assert.is_false(response.reused)
        assert.equal(5, response.bytes_sent)
        assert.equal(7, response.bytes_received)
        assert.equal("text/plain", response.headers["content-type"])
        assert.equal("7", response.headers["content-length"])
        assert.equal("7", response.headers["retry-after"])
        assert.equal("a, b", response.headers["x-thing"])
        assert.is_true(response.timings.connect > 0)
        assert.is_true(response.timings.first_byte >= response.timings.connect)
        assert.is_true(response.timings.total >= response.timings.first_byte)
        response = assert(driver.run(engine, head("POST", "/v1/messages"), "again"))
        assert.is_true(response.reused)
        assert.equal(0, response.timings.connect)
      end)

      it("the fields of the final response after interim ones", function()
        gateway:respond("/interim", { interim = { 103, 103 }, status = 202, body = "late",
          headers = { { "X-Final", "yes" } } })
        local response = assert(driver.run(engine, head("POST", "/interim"), "x"))
        assert.equal(202, response.status)
        assert.equal("yes", response.headers["x-final"])
        assert.is_nil(response.headers["x-interim"])
        assert.equal("late", response.body)
      end)

      it("a compressed body decompressed", function()
        gateway:respond("/zip", { gzip = true, body = "0123456789", times = 5000 })
        local response = assert(driver.run(engine, head("GET", "/zip")))
        assert.equal(("0123456789"):rep(5000), response.body)
        assert.equal(50000, response.bytes_received)
      end)

      it("a body of unknown length", function()
        gateway:respond("/chunked", { chunked = true, pieces = 7, body = "0123456789", times = 100 })
        local response = assert(driver.run(engine, head("GET", "/chunked")))
        assert.equal(("0123456789"):rep(100), response.body)
      end)

      it("an empty body", function()
        gateway:respond("/empty", { status = 204 })
        local response = assert(driver.run(engine, head("DELETE", "/empty")))
        assert.equal(204, response.status)
        assert.equal("", response.body)
      end)

      it("a redirect, without following it", function()
        local other = server.start({})
        gateway:respond("/moved", { status = 307, headers = { { "Location", other.url .. "/there" } } })
        local moved = head("POST", "/moved", { credentials = credentials(gateway.url) })
        local response = assert(driver.run(engine, moved, "x"))
        assert.equal(307, response.status)
        assert.equal(other.url .. "/there", response.headers.location)
        assert.equal(KEY, gateway:received("/moved")[1].headers["d360-api-key"])
        assert.equal(0, other:connections())
        other:stop()
      end)
    end)

    describe("sends", function()
      it("each method with and without a body", function()
        for _, method in ipairs({ "GET", "POST", "PUT", "PATCH", "DELETE" }) do
          for _, body in ipairs({ false, "", "bytes", ("b"):rep(300000) }) do
            gateway:forget()
            assert(driver.run(engine, head(method, "/m?a=1&b=%20"), body or nil))
            local request = gateway:received()[1]
            assert.equal(method, request.method)
            assert.equal("/m", request.path)
            assert.equal("a=1&b=%20", request.query)
            assert.equal(body or "", request.body)
            assert.is_nil(request.headers["expect"])
            assert.is_nil(request.headers["transfer-encoding"])
            assert.is_nil(request.headers["content-type"])
            assert.truthy(request.headers["user-agent"]:match("^waba/"))
          end
        end
      end)

      it("the headers of the head at each use of the head", function()
        local prepared = head("POST", "/headers", { headers = { ["Content-Type"] = "application/json", ["X-Empty"] = "" } })
        for _ = 1, 3 do
          assert(driver.run(engine, prepared, "{}"))
          assert(driver.run(engine, head("GET", "/other")))
        end
        for _, request in ipairs(gateway:received("/headers")) do
          assert.equal("application/json", request.headers["content-type"])
          assert.equal("", request.headers["x-empty"])
          assert.equal("2", request.headers["content-length"])
        end
        for _, request in ipairs(gateway:received("/other")) do
          assert.is_nil(request.headers["content-type"])
        end
        assert.equal(3, gateway:count("/headers"))
      end)

      it("the caller's headers instead of its own", function()
        local own = { ["Content-Type"] = "text/x", ["User-Agent"] = "own", ["Accept-Encoding"] = "br" }
        for _, path in ipairs { "/headers", "/v1/messages" } do
          assert(driver.run(engine, head("POST", path, { headers = own }), "{}"))
          local headers = gateway:received(path)[1].headers
          for name, value in pairs(own) do assert.equal(value, headers[name:lower()]) end
        end
      end)

      it("the key to its own origin only", function()
        assert(driver.run(engine, head("GET", "/own", { credentials = credentials(gateway.url) })))
        assert(driver.run(engine, head("GET", "/foreign", { credentials = credentials("https://gateway.example") })))
        assert.equal(KEY, gateway:received("/own")[1].headers["d360-api-key"])
        assert.is_nil(gateway:received("/foreign")[1].headers["d360-api-key"])
      end)

      it("a file", function()
        local bytes = ("0123456789abcdef"):rep(20000)
        local path = write_file(bytes)
        local response = assert(driver.run(engine, head("POST", "/file"), { file = path }))
        os.remove(path)
        assert.equal(#bytes, response.bytes_sent)
        local request = gateway:received("/file")[1]
        assert.equal(tostring(#bytes), request.headers["content-length"])
        assert.is_true(bytes == request.body)
      end)

      it("an empty file", function()
        local path = write_file("")
        assert(driver.run(engine, head("POST", "/file"), { file = path }))
        os.remove(path)
        assert.equal("", gateway:received("/file")[1].body)
      end)

      local function reader_of(pieces)
        local at = 0
        return function()
          at = at + 1
          return pieces[at]
        end
      end

      it("the bytes of a reader with a declared size", function()
        local response = assert(driver.run(engine, head("POST", "/fed"), { size = 10 },
          { reader = reader_of({ "012", "", "3456", "789" }) }))
        assert.equal(10, response.bytes_sent)
        local request = gateway:received("/fed")[1]
        assert.equal("0123456789", request.body)
        assert.equal("10", request.headers["content-length"])
      end)

      it("the bytes of a reader without a declared size", function()
        local piece = ("x"):rep(50000)
        assert(driver.run(engine, head("POST", "/fed"), {}, { reader = reader_of({ piece, "end", piece }) }))
        local request = gateway:received("/fed")[1]
        assert.is_true(piece .. "end" .. piece == request.body)
        assert.is_nil(request.headers["content-length"])
        assert.equal(protocol == "HTTP/1.1" and "chunked" or nil, request.headers["transfer-encoding"])
      end)

      it("no body, and a length of 0 with the methods that usually have a body", function()
        for method, length in pairs({ POST = "0", PUT = "0", PATCH = "0", GET = false, DELETE = false }) do
          assert(driver.run(engine, head(method, "/bodyless-" .. method)))
          local request = gateway:received("/bodyless-" .. method)[1]
          assert.equal("", request.body)
          assert.equal(length or nil, request.headers["content-length"])
        end
      end)

      it("no body for an empty body with GET", function()
        assert(driver.run(engine, head("GET", "/empty"), ""))
        local request = gateway:received("/empty")[1]
        assert.same({ "GET", "" }, { request.method, request.body })
        assert.is_nil(request.headers["content-length"])
      end)

      it("bodies of every kind with one head", function()
        local prepared, long = head("POST", "/kinds"), ("x"):rep(100000)
        for _, body in ipairs({ "first", long, "", "second", long }) do
          assert(driver.run(engine, prepared, body))
          local requests = gateway:received("/kinds")
          assert.is_true(requests[#requests].body == body)
        end
      end)

      it("HEAD, and does not wait for a body", function()
        if protocol == "HTTP/1.1" then
          gateway:respond("/head", { raw = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" })
          local response = assert(driver.run(engine, head("HEAD", "/head")))
          assert.same({ 200, "", "5" }, { response.status, response.body, response.headers["content-length"] })
          assert.equal("HEAD", gateway:received("/head")[1].method)
        end
      end)

      it("no complete request if a reader returns too few or too many bytes", function()
        for _, pieces in ipairs({ { "12345" }, { "12345", "678901" } }) do
          gateway:forget()
          local _, failure = driver.run(engine, head("POST", "/fed"), { size = 10 }, { reader = reader_of(pieces) })
          assert.equal("invalid", failure.kind)
          assert.truthy(failure.message:find(#pieces == 1 and "fewer" or "more", 1, true))
          assert.equal("no", failure.sent)
          for _, request in ipairs(gateway:received("/fed")) do
            assert.is_false(request.complete)
          end
        end
      end)
    end)

    describe("writes the response", function()
      it("into a file, complete or not at all", function()
        local path = os.tmpname()
        os.remove(path)
        gateway:respond("/media", { body = "0123456789", times = 30000 }, { status = 404, body = "gone" },
          { body = "0123456789", times = 30000, truncated = 70000 })
        local response = assert(driver.run(engine, head("GET", "/media"), nil, { save_as = path }))
        assert.equal("", response.body)
        assert.equal(300000, response.bytes_received)
        assert.is_true(("0123456789"):rep(30000) == read_file(path))
        assert.same({ path }, files_beside(path))
        os.remove(path)
        response = assert(driver.run(engine, head("GET", "/media"), nil, { save_as = path }))
        assert.equal("gone", response.body)
        assert.same({}, files_beside(path))
        local _, failure = driver.run(engine, head("GET", "/media"), nil, { save_as = path })
        assert.equal("network", failure.kind)
        assert.equal("yes", failure.sent)
        assert.equal(200, failure.status)
        assert.same({}, files_beside(path))
      end)

      it("into a file if it is empty", function()
        local path = os.tmpname()
        os.remove(path)
        gateway:respond("/nothing", { body = "" })
        assert(driver.run(engine, head("GET", "/nothing"), nil, { save_as = path }))
        assert.equal("", read_file(path))
        os.remove(path)
      end)

      it("nowhere if the file can't be created, and sends nothing", function()
        local transfer, message = engine:start(head("GET", "/media"), nil, { save_as = "/nonexistent/folder/file" })
        assert.is_nil(transfer)
        assert.truthy(message:find("/nonexistent/folder/file", 1, true))
        assert.equal(0, engine:in_flight())
        assert.equal(0, gateway:count())
      end)

      it("nowhere if the file can't be moved to its place, although the response was complete", function()
        local path = os.tmpname()
        os.execute(("rm %s && mkdir -p %s/folder"):format(path, path))
        gateway:respond("/media", { body = "0123456789" })
        local response, failure = driver.run(engine, head("GET", "/media"), nil, { save_as = path })
        assert.is_nil(response)
        assert.same({ "invalid", "file", "yes", 200 }, { failure.kind, failure.code, failure.sent, failure.status })
        assert.equal(("the file %s cannot be written: Is a directory"):format(path), failure.message)
        assert.same({ path }, files_beside(path))
        os.execute("rm -r " .. path)
        assert.equal("0123456789", assert(driver.run(engine, head("GET", "/media"))).body)
      end)

      it("into a sink, no faster than the sink reads it", function()
        gateway:respond("/stream", { body = "0123456789abcdef", times = 100000 })
        local transfer = assert(engine:start(head("GET", "/stream"), nil, { stream = true }))
        repeat
          engine:wait(1)
          engine:pump()
        until transfer:wants() == "drain"
        -- The test does not drain the sink, so the transfer pauses and buffers few bytes, although the engine runs.
        driver.pump_for(engine, 0.1)
        local _, _, received = transfer:progress()
        assert.is_true(received < 300000)
        assert.equal("drain", transfer:wants())
        local parts = {}
        local response = assert(driver.finish(engine, transfer, {
          sink = function(bytes)
            parts[#parts + 1] = bytes
          end,
        }))
        assert.equal("", response.body)
        assert.equal(1600000, response.bytes_received)
        assert.is_true(table.concat(parts) == ("0123456789abcdef"):rep(100000))
      end)

      it("into a sink as cancelled if the engine is closed before the sink has all of it", function()
        gateway:respond("/stream", { body = "0123456789abcdef" })
        local transfer = assert(engine:start(head("GET", "/stream"), nil, { stream = true }))
        repeat
          engine:wait(1)
          engine:pump()
        until transfer:wants() == "drain"
        driver.pump_for(engine, 0.2)
        engine:close()
        local response, failure = transfer:finish()
        assert.is_nil(response)
        assert.equal("cancelled", failure.kind)
      end)

      it("into a sink if it was compressed", function()
        gateway:respond("/stream", { gzip = true, body = "0123456789abcdef", times = 100000 })
        local parts = {}
        assert(driver.run(engine, head("GET", "/stream"), nil, { stream = true, sink = function(bytes)
          parts[#parts + 1] = bytes
        end }))
        assert.is_true(table.concat(parts) == ("0123456789abcdef"):rep(100000))
      end)

      it("into memory if a sink was set and the response is an error", function()
        gateway:respond("/stream", { status = 500, body = "oh" })
        local response = assert(driver.run(engine, head("GET", "/stream"), nil, { stream = true }))
        assert.equal("oh", response.body)
      end)

      it("nowhere if it is larger than the limit of memory", function()
        gateway:respond("/huge", { body = "0123456789", times = 20000 }, { gzip = true, body = "0", times = 200000 })
        for _ = 1, 2 do
          local _, failure = driver.run(engine, head("GET", "/huge"), nil, { max_body = 100000 })
          assert.equal("protocol", failure.kind)
          assert.equal("too_large", failure.code)
          assert.equal("yes", failure.sent)
          assert.equal(200, failure.status)
        end
        local response = assert(driver.run(engine, head("GET", "/huge"), nil, { max_body = 200000 }))
        assert.equal(200000, #response.body)
      end)
    end)

    it("reports progress while only the request is transferred", function()
      gateway:respond("/held", { held = true })
      local transfer = assert(engine:start(head("POST", "/held"), { size = 20 }, { progress = true }))
      local sent, received
      while not sent do
        local want = transfer:step(5)
        if want == "input" then
          transfer:feed(("x"):rep(10))
        elseif want == "progress" then
          sent, received = transfer:progress(), select(3, transfer:progress())
        end
      end
      assert.same({ true, 0 }, { sent > 0, received })
      transfer:cancel()
      transfer:finish()
      gateway:release()
    end)

    it("reports progress in both directions", function()
      gateway:respond("/both", { body = "0123456789", times = 20000, pieces = 4, pause = 0.1 })
      local path = write_file(("u"):rep(500000))
      local most_sent, most_received, to_send, to_receive = 0, 0, nil, nil
      assert(driver.run(engine, head("POST", "/both"), { file = path }, { progress = true,
        on_progress = function(sent, sending, received, receiving)
          assert.is_true(sent >= most_sent and received >= most_received)
          most_sent, most_received, to_send, to_receive = sent, received, sending, receiving or to_receive
        end }))
      os.remove(path)
      assert.equal(500000, most_sent)
      assert.equal(500000, to_send)
      assert.is_true(most_received > 0)
      assert.equal(200000, to_receive)
    end)

    describe("fails", function()
      it("with the certainty about the request if no response arrives in time", function()
        gateway:respond("/silent", { held = true })
        local _, failure = driver.run(engine, head("POST", "/silent"), "x", { timeout = 0.3 })
        gateway:release()
        assert.equal("timeout", failure.kind)
        assert.equal("maybe", failure.sent)
        assert.equal(28, failure.code)
        assert.equal(1, gateway:count("/silent"))
      end)

      it("with \"no\" if the body is not complete", function()
        gateway:respond("/waiting", {})
        local transfer = assert(engine:start(head("POST", "/waiting"), { size = 10 }, { timeout = 0.3 }))
        while transfer:wants() ~= "finished" do
          engine:wait(1)
          engine:pump()
          if transfer:wants() == "input" and transfer:progress() == 0 then
            transfer:feed("12345")
          end
        end
        local _, failure = transfer:finish()
        assert.equal("timeout", failure.kind)
        assert.equal("no", failure.sent)
      end)

      it("with \"yes\" if the response is truncated", function()
        gateway:respond("/cut", { body = "0123456789", times = 10, truncated = 30 })
        local _, failure = driver.run(engine, head("POST", "/cut"), "x")
        assert.equal("network", failure.kind)
        assert.equal("yes", failure.sent)
        assert.equal(200, failure.status)
        assert.equal(1, gateway:count("/cut"))
      end)

      it("as cancelled if its caller cancels it; the engine works afterwards", function()
        gateway:respond("/silent", { held = true })
        local transfer = assert(engine:start(head("POST", "/silent"), "x"))
        while gateway:count("/silent") == 0 do
          engine:wait(0.01)
          engine:pump()
        end
        transfer:cancel()
        transfer:cancel()
        assert.equal("finished", transfer:wants())
        local _, failure = transfer:finish()
        gateway:release()
        assert.equal("cancelled", failure.kind)
        assert.equal("cancelled", failure.code)
        assert.equal("maybe", failure.sent)
        assert.equal(0, engine:in_flight())
        assert(driver.run(engine, head("GET", "/fine")))
      end)

      it("as not sent if it is cancelled before anything was sent", function()
        local transfer, id = assert(engine:start(head("POST", "/never"), "x"))
        transfer:cancel()
        assert.equal(id, engine:ready())
        local _, failure = transfer:finish()
        assert.equal("no", failure.sent)
        driver.pump_for(engine, 0.05)
        assert.equal(0, gateway:count())
      end)

      it("if a file becomes shorter during the upload, and names it", function()
        local path = write_file(("x"):rep(3000000))
        local transfer = assert(engine:start(head("POST", "/file"), { file = path }))
        local file = assert(io.open(path, "wb"))
        file:close()
        local _, failure = driver.finish(engine, transfer)
        os.remove(path)
        assert.equal("invalid", failure.kind)
        assert.truthy(failure.message:find(path, 1, true))
        assert.equal("no", failure.sent)
      end)

      it("at once if the file does not exist, and names it", function()
        for _, path in ipairs({ "/nonexistent/file", "/", "/dev/null" }) do
          local transfer, message = engine:start(head("POST", "/no-file"), { file = path })
          assert.is_nil(transfer)
          assert.truthy(message:find(path, 1, true))
        end
        assert.equal(0, gateway:count("/no-file"))
      end)
    end)

    describe("never arrives twice", function()
      local path = write_file("from a file")
      teardown(function() os.remove(path) end)
      local bodies = {
        ["no body"] = function() return nil end,
        ["an empty body"] = function() return "" end,
        ["a string"] = function() return "message" end,
        ["a long string"] = function() return ("m"):rep(200000) end,
        ["a file"] = function() return { file = path } end,
      }
      local endings = { "drop", "reset" }
      if protocol == "HTTP/2" then endings[3] = "goaway" end

      for name, body in pairs(bodies) do
        for _, ending in ipairs(endings) do
          it("with " .. name .. " when a reused connection ends by " .. ending, function()
            for _, method in ipairs({ "POST", "DELETE" }) do
              gateway:respond("/once", { [ending] = ending == "goaway" and 2 ^ 31 - 1 or "request" })
              gateway:forget()
              warm_up()
              local response, failure = driver.run(engine, head(method, "/once"), body())
              assert.is_nil(response)
              assert.equal("network", failure.kind)
              assert.equal("maybe", failure.sent)
              assert.is_true(failure.reused)
              driver.pump_for(engine, 0.02)
              assert.equal(1, gateway:count("/once"))
            end
          end)
        end
      end

      it("with the bytes of a reader", function()
        gateway:respond("/once", { drop = "request" })
        warm_up()
        local pieces = { "123", "45" }
        local _, failure = driver.run(engine, head("POST", "/once"), { size = 5 },
          { reader = function() return table.remove(pieces, 1) end })
        assert.equal("maybe", failure.sent)
        assert.equal(1, gateway:count("/once"))
      end)

      it("but is sent again if it is idempotent", function()
        for _, body in pairs(bodies) do
          gateway:respond("/again", { reset = "request" }, { body = "second" })
          gateway:forget()
          warm_up()
          local response = assert(driver.run(engine, head("PUT", "/again", { idempotent = true }), body()))
          assert.equal("second", response.body)
          local received = gateway:received("/again")
          assert.equal(2, #received)
          assert.equal(received[1].body, received[2].body)
        end
      end)

      if protocol == "HTTP/2" then
        it("but is sent again if the gateway refuses the stream, because it was not processed", function()
          for _, body in pairs(bodies) do
            for _, is_warm in ipairs { false, true } do
              gateway:respond("/again", { refuse = 7 }, { body = "second" })
              gateway:forget()
              if is_warm then warm_up() end
              local response = assert(driver.run(engine, head("POST", "/again"), body()))
              assert.equal("second", response.body)
              local received = gateway:received("/again")
              assert.equal(2, #received)
              assert.equal(received[1].body, received[2].body)
            end
          end
        end)

        it("with the bytes of a reader if the gateway refuses the stream, because the reader can't return them again", function()
          gateway:respond("/once", { refuse = 7 })
          local pieces = { "123", "45" }
          local _, failure = driver.run(engine, head("POST", "/once"), { size = 5 },
            { reader = function() return table.remove(pieces, 1) end })
          assert.equal("network", failure.kind)
          assert.equal("no", failure.sent)
          assert.equal(1, gateway:count("/once"))
        end)
      end
    end)
  end)
end

describe("a transfer that gets no connection", function()
  local engine

  local function post(url, options, ca_file)
    engine = assert(curl.engine({ ca_file = ca_file }))
    local prepared = assert(engine:prepare({ method = "POST", url = url, headers = {}, idempotent = false }))
    return select(2, driver.run(engine, prepared, "x", options))
  end

  after_each(function() engine:close() end)

  local function assert_not_sent(failure, kind)
    assert.equal(kind, failure.kind)
    assert.equal("no", failure.sent)
    assert.is_number(failure.code)
    assert.is_true(#failure.message > 10)
    assert.is_nil(failure.status)
  end

  it("fails as refused", function()
    local gateway = server.start({})
    gateway:stop()
    assert_not_sent(post(gateway.url), "network")
  end)

  it("fails when the name is unknown", function()
    assert_not_sent(post("https://gateway.invalid/"), "network")
  end)

  it("fails when no connection is accepted in time", function()
    local gateway = server.start({ behaviour = "full" })
    assert_not_sent(post(gateway.url, { connect_timeout = 0.2 }, gateway.ca_file), "timeout")
    gateway:stop()
  end)

  it("fails if the TLS handshake does not begin in time", function()
    local gateway = server.start({ behaviour = "stall" })
    assert_not_sent(post(gateway.url, { connect_timeout = 0.2 }, gateway.ca_file), "timeout")
    gateway:stop()
  end)

  it("fails if the server does not use TLS", function()
    local gateway = server.start({ tls = false })
    assert_not_sent(post((gateway.url:gsub("^http:", "https:"))), "tls")
    assert.equal(0, gateway:count())
    gateway:stop()
  end)

  it("fails when the certificate authority is unknown", function()
    local gateway = server.start({})
    assert_not_sent(post(gateway.url), "tls")
    assert.equal(0, gateway:count())
    gateway:stop()
  end)

  for _, certificate in ipairs({ "wrong_host", "expired" }) do
    it("fails when the certificate is " .. certificate, function()
      local gateway = server.start({ certificate = certificate })
      assert_not_sent(post(gateway.url, nil, gateway.ca_file), "tls")
      assert.equal(0, gateway:count())
      gateway:stop()
    end)
  end

  it("fails if the file of certificate authorities is missing", function()
    local gateway = server.start({})
    assert_not_sent(post(gateway.url, nil, "/nonexistent/authorities.pem"), "tls")
    gateway:stop()
  end)
end)

describe("a transfer over HTTP/1.1", function()
  local gateway, engine

  setup(function() gateway = server.start({ tls = false }) end)

  teardown(function() gateway:stop() end)

  before_each(function()
    gateway:forget()
    engine = assert(curl.engine())
  end)

  after_each(function() engine:close() end)

  local function post(path, body, options)
    local prepared = assert(engine:prepare({ method = "POST", url = gateway.url .. path, headers = {} }))
    return driver.run(engine, prepared, body, options)
  end

  it("is sent unencrypted to loopback", function()
    assert.equal("HTTP/1.1", assert(post("/plain", "x")).protocol)
  end)

  for title, case in pairs {
    ["fails when the response is not HTTP"] =
      { path = "/garbage", response = { raw = "\1\2\3 what is this\r\n\r\n" }, kind = "protocol", sent = "maybe" },
    ["fails when the response is empty, and is not sent again"] =
      { path = "/nothing", response = { drop = "request" }, kind = "network", sent = "maybe", count = 1 },
    ["reports a large body as not sent if the connection is reset before it"] =
      { path = "/early", response = { reset = "head" }, body = ("x"):rep(20000000), kind = "network", sent = "no" },
    ["reports a small body as uncertain"] =
      { path = "/early", response = { reset = "head" }, kind = "network", sent = "maybe" },
  } do
    it(title, function()
      gateway:respond(case.path, case.response)
      local _, failure = post(case.path, case.body or "x")
      assert.equal(case.kind, failure.kind)
      assert.equal(case.sent, failure.sent)
      if case.count then assert.equal(case.count, gateway:count(case.path)) end
    end)
  end

  it("opens a new connection if the idle one was closed", function()
    gateway:respond("/bye", { bye = true })
    for _ = 1, 3 do
      assert(post("/bye", "x"))
      driver.pump_for(engine, 0.02)
    end
    assert.equal(3, gateway:count("/bye"))
  end)

  it("uses no proxy for loopback", function()
    engine:close()
    engine = assert(curl.engine({ proxy = "http://127.0.0.1:1" }))
    assert(post("/direct", "x"))
  end)

  for host, is_direct in pairs {
    localhost = true, LOCALHOST = true, ["127.0.0.1"] = true, ["127.255.0.9"] = true, ["[::1]"] = true, ["[0:0::1]"] = true,
    ["localhost.example"] = false, ["localhos1"] = false, ["127.example"] = false, ["127.0.0.1.example"] = false,
    ["1127.0.0"] = false, ["126.0.0.1"] = false, ["[::2]"] = false, ["[1::1]"] = false,
  } do
    it(("uses %s proxy for %s"):format(is_direct and "no" or "a", host), function()
      engine:close()
      engine = assert(curl.engine({ proxy = gateway.url }))
      gateway:respond(host:lower() .. ":9", { status = 403 })
      local prepared, message = engine:prepare({ method = "GET", url = "https://" .. host .. ":9/" })
      if not prepared then return assert.matches("IPv4", message) end
      local _, failure = driver.run(engine, prepared)
      assert.equal(not is_direct and "proxy" or nil, failure.path, failure.message)
    end)
  end
end)
