-- The contract of transports (lua/waba/transport/contract.lua) in each environment: libcurl in each event loop, and
-- cosockets in a worker of nginx. Other specs test the features of single transports.

local transports = require "spec.support.transports"
local process = require "spec.support.process"
local server = require "spec.support.server"

local KEY = "a-key-that-nobody-may-see"
local PART = "0123456789abcdef"
local LONG = PART:rep(20000)

-- The servers to which all transports send. `ca_file` contains the certificate authorities of the trusted servers.
local folder, ca_file, gateway, other, unknown, rude

local function start_servers()
  folder = process.folder()
  gateway, other, unknown = server.start(), server.start(), server.start()
  rude = {}
  for _, behaviour in ipairs { "stall", "full", "hang_up", "greet" } do
    rude[behaviour] = server.start { behaviour = behaviour }
  end
  for _, certificate in ipairs { "wrong_host", "expired" } do
    rude[certificate] = server.start { certificate = certificate }
  end
  local authorities = {}
  for _, each in ipairs { gateway, other, rude.stall, rude.full, rude.hang_up, rude.greet, rude.wrong_host, rude.expired } do
    local file = assert(io.open(each.ca_file))
    authorities[#authorities + 1] = file:read "*a"
    file:close()
  end
  ca_file = folder:file("authorities.pem", table.concat(authorities))
end

local function stop_servers()
  for _, each in ipairs { gateway, other, unknown } do each:stop() end
  for _, each in pairs(rude) do each:stop() end
  folder:remove()
end

describe("a transport:", function()
  setup(start_servers)
  teardown(stop_servers)

  for _, kind in ipairs(transports.all) do
    describe(kind.name, function()
      local environment

      setup(function() environment = kind.open(ca_file) end)
      teardown(function() environment:close() end)
      before_each(function() gateway:forget() end)

      -- Sends one request to the gateway. Returns the response, or nil and the failure; and the complete result
      -- (spec/support/exchange.lua).
      local function make(path, described)
        described = described or {}
        described.url = described.url or gateway.url .. path
        local result = environment:make({ described })[1]
        if result.raised then return nil, { kind = "raised", message = result.raised }, result end
        return result.response, result.failure, result
      end

      local function complete(path)
        local count = 0
        for _, request in ipairs(gateway:received(path)) do
          if request.complete then count = count + 1 end
        end
        return count
      end

      describe("returns in the response", function()
        it("all fields of the contract", function()
          gateway:respond("/v1/messages", { status = 201, body = "created",
            headers = { { "Content-Type", "text/plain" }, { "Retry-After", "7" }, { "X-Thing", "a" }, { "x-thing", "b" } } })
          local response = assert(make("/v1/messages", { body = "hello" }))
          assert.equal(201, response.status)
          assert.equal("created", response.body)
          assert.equal("yes", response.sent)
          assert.equal("HTTP/1.1", response.protocol)
          assert.equal(5, response.bytes_sent)
          assert.equal(7, response.bytes_received)
          assert.equal("text/plain", response.headers["content-type"])
          assert.equal("7", response.headers["content-length"])
          assert.equal("7", response.headers["retry-after"])
          assert.equal("a, b", response.headers["x-thing"])
          assert.is_true(response.timings.connect >= 0)
          assert.is_true(response.timings.first_byte >= response.timings.connect)
          assert.is_true(response.timings.total >= response.timings.first_byte)
        end)

        for _, status in ipairs { 200, 204, 304, 400, 401, 404, 429, 500, 503 } do
          it("the status " .. status, function()
            gateway:respond("/status", { status = status, body = status ~= 204 and status ~= 304 and "why" or nil })
            for _ = 1, 2 do
              local response = assert(make("/status", { body = "x" }))
              assert.equal(status, response.status)
              assert.equal(status ~= 204 and status ~= 304 and "why" or "", response.body)
            end
          end)
        end

        it("the fields of the final response after interim ones", function()
          gateway:respond("/interim", { interim = { 100, 103 }, status = 202, body = "late", headers = { { "X-Final", "yes" } } })
          local response = assert(make("/interim", { body = "x" }))
          assert.equal(202, response.status)
          assert.equal("yes", response.headers["x-final"])
          assert.is_nil(response.headers["x-interim"])
          assert.equal("late", response.body)
        end)

        it("no body for HEAD", function()
          gateway:respond("/head", { body = "0123456789" })
          local response = assert(make("/head", { method = "HEAD" }))
          assert.equal("", response.body)
          assert.equal("10", response.headers["content-length"])
        end)

        it("a redirect, without following it", function()
          gateway:respond("/moved", { status = 307, headers = { { "Location", other.url .. "/there" } } })
          other:forget()
          local response = assert(make("/moved", { body = "x", key = { value = KEY, origin = gateway.url } }))
          assert.equal(307, response.status)
          assert.equal(other.url .. "/there", response.headers.location)
          assert.equal(0, other:count())
        end)

        it("whether the connection was reused", function()
          local first = assert(make("/again", { body = "1" }))
          local second = assert(make("/again", { body = "2" }))
          assert.is_true(second.reused)
          assert.equal(0, second.timings.connect)
          assert.is_boolean(first.reused)
          local received = gateway:received "/again"
          assert.equal(received[1].connection, received[2].connection)
        end)
      end)

      describe("reads a body", function()
        it("of known length, large and small", function()
          gateway:respond("/sized", { body = "a" }, { body = PART, times = 20000 })
          assert.equal("a", assert(make("/sized", { method = "GET" })).body)
          assert.is_true(LONG == assert(make("/sized", { method = "GET" })).body)
        end)

        it("in chunks, and reuses the connection", function()
          gateway:respond("/chunked", { chunked = true, pieces = 7, body = PART, times = 20000 })
          for _ = 1, 2 do
            assert.is_true(LONG == assert(make("/chunked", { method = "GET" })).body)
          end
          local received = gateway:received "/chunked"
          assert.equal(received[1].connection, received[2].connection)
        end)

        it("that ends with the connection", function()
          gateway:respond("/raw", { raw = "HTTP/1.1 200 OK\r\nX-Raw: 1\r\n\r\nall of it" })
          local response = assert(make("/raw", { method = "GET" }))
          assert.equal("all of it", response.body)
          assert.equal("1", response.headers["x-raw"])
        end)

        it("that ends with the connection, with or without TLS's close_notify", function()
          for _, body in ipairs { "all of it", "" } do
            gateway:respond("/raw", { raw = "HTTP/1.1 200 OK\r\nX-Raw: 1\r\n\r\n" .. body, abrupt = true })
            local response = assert(make("/raw", { method = "GET" }))
            assert.equal(body, response.body)
            assert.equal("1", response.headers["x-raw"])
          end
          local path = folder:file "raw"
          gateway:respond("/raw", { raw = "HTTP/1.0 200 OK\r\n\r\n" .. PART, abrupt = true })
          assert(make("/raw", { method = "GET", into = { file = path } }))
          assert.equal(PART, folder:read "raw")
          os.remove(path)
        end)

        it("that ends with the connection, but not with a reset", function()
          gateway:respond("/raw", { raw = "HTTP/1.1 200 OK\r\n\r\nall of it", reset = "request" })
          local response, failure = make("/raw", { method = "POST", body = "x" })
          assert.is_nil(response)
          assert.equal("network", failure.kind)
          assert.not_equal("no", failure.sent)
        end)

        it("with a length, to its end only", function()
          for _, raw in ipairs {
            "Content-Length: 10\r\n\r\n12345", "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
            "transfer-encoding: chunked\r\n\r\n5\r\n12", "X-Half: of a hea",
          } do
            for _, is_abrupt in ipairs { false, true } do
              gateway:respond("/raw", { raw = "HTTP/1.1 200 OK\r\n" .. raw, abrupt = is_abrupt })
              local response, failure = make("/raw", { method = "POST", body = "x" })
              assert.is_nil(response)
              assert.equal("network", failure.kind)
              assert.not_equal("no", failure.sent)
            end
          end
        end)

        it("of a response whose head is not too large", function()
          gateway:respond("/head", { raw = "HTTP/1.1 200 OK\r\n", field = "X-Long: " .. ("x"):rep(990) .. "\r\n", times = 500,
            tail = "\r\nbody" })
          local response, failure = make("/head", { method = "GET" })
          assert.is_nil(response)
          assert.is_true(failure.kind == "protocol" or failure.kind == "network", failure.kind)
          assert.is_true(failure.sent ~= "no")
        end)

        it("up to a limit", function()
          gateway:respond("/huge", { body = PART, times = 20000 })
          local _, failure = make("/huge", { method = "GET", max_body = 100000 })
          assert.equal("protocol", failure.kind)
          assert.equal("too_large", failure.code)
          assert.equal("yes", failure.sent)
          assert.equal(200, failure.status)
          assert.equal(#LONG, #assert(make("/huge", { method = "GET", max_body = #LONG })).body)
        end)

        it("up to another limit into a file or a sink", function()
          gateway:respond("/huge", { body = PART, times = 20000, gzip = kind.decompresses })
          for _, into in ipairs { { file = folder:file "huge" }, { sink = true } } do
            into.max_size = #LONG - 1 -- one byte less than the decompressed body
            local _, failure = make("/huge", { method = "GET", into = into, max_body = 1 })
            assert.same({ "protocol", "too_large", "yes", 200 },
              { failure.kind, failure.code, failure.sent, failure.status })
            assert.equal("", process.run("ls " .. folder.path .. " | grep huge"))
            into.max_size = #LONG
            assert.equal(#LONG, assert(make("/huge", { method = "GET", into = into, max_body = 1 })).bytes_received)
            os.remove(folder:file "huge")
          end
        end)

        it("that is compressed without a request for compression", function()
          gateway:respond("/zip", { gzip = true, status = 201, body = "0123456789", times = 5000 })
          local response = assert(make("/zip", { body = "x" }))
          for index, method in ipairs { "POST", "PUT", "PATCH" } do
            if index > 1 then assert(make("/zip", { body = "x", method = method })) end
            assert.equal(not kind.decompresses and "identity" or nil,
              gateway:received("/zip")[index].headers["accept-encoding"])
          end
          if kind.decompresses then
            assert.equal(("0123456789"):rep(5000), response.body)
            assert.equal(50000, response.bytes_received)
            assert.is_nil(response.content_coding)
          else
            assert.equal("gzip", response.content_coding)
          end
        end)

        if kind.decompresses then
          it("that is compressed", function()
            gateway:respond("/zip", { gzip = true, body = "0123456789", times = 5000 })
            local response = assert(make("/zip", { method = "GET" }))
            assert.equal(("0123456789"):rep(5000), response.body)
            assert.equal(50000, response.bytes_received)
          end)
        else
          it("into no file if it is compressed", function()
            gateway:respond("/zip", { gzip = true, body = "0123456789", times = 5000 })
            local path = folder:file "zipped"
            local _, failure = make("/zip", { method = "GET", into = { file = path } })
            assert.same({ "protocol", "compressed", 200 }, { failure.kind, failure.code, failure.status })
            assert.truthy(failure.message:find("Content-Encoding: gzip", 1, true), failure.message)
            assert.equal("", process.run("ls " .. folder.path .. " | grep zipped"))
          end)
        end

        it("into a file, complete or not at all", function()
          local path = folder:file "media"
          local function files() return process.run("ls " .. folder.path .. " | grep media") end
          gateway:respond("/media", { body = PART, times = 20000 }, { status = 404, body = "gone" },
            { body = PART, times = 20000, truncated = 70000 })
          local response = assert(make("/media", { method = "GET", into = { file = path } }))
          assert.equal("", response.body)
          assert.equal(#LONG, response.bytes_received)
          assert.is_true(LONG == folder:read "media")
          assert.equal("media", files())
          os.remove(path)
          assert.equal("gone", assert(make("/media", { method = "GET", into = { file = path } })).body)
          assert.equal("", files())
          local _, failure = make("/media", { method = "GET", into = { file = path } })
          assert.equal("network", failure.kind)
          assert.equal("yes", failure.sent)
          assert.equal("", files())
        end)

        it("into no file that can't be made, and sends nothing", function()
          local _, failure = make("/media", { method = "GET", into = { file = "/nonexistent/folder/file" } })
          assert.equal("invalid", failure.kind)
          assert.equal("no", failure.sent)
          assert.truthy(failure.message:find("/nonexistent/folder/file", 1, true))
          assert.equal(0, gateway:count())
        end)

        it("into a sink; into memory for a status other than 2xx", function()
          gateway:respond("/stream", { body = PART, times = 20000, pieces = 5 }, { status = 500, body = "oh" })
          local response, _, result = make("/stream", { method = "GET", into = { sink = true } })
          assert.equal("", response.body)
          assert.is_true(LONG == result.received)
          response, _, result = make("/stream", { method = "GET", into = { sink = true } })
          assert.equal("oh", response.body)
          assert.equal("", result.received)
        end)

        it("until the sink raises an error, and raises this error", function()
          gateway:respond("/stream", { body = PART, times = 20000 })
          local _, _, result = make("/stream", { method = "GET", into = { sink = true, raises = "the sink is full" } })
          assert.equal("the sink is full", result.raised)
          assert(make("/fine", { body = "x" }))
        end)
      end)

      describe("sends", function()
        it("each method with and without a body", function()
          for _, method in ipairs { "GET", "POST", "PUT", "PATCH", "DELETE" } do
            for _, body in ipairs { false, "", "bytes", LONG } do
              gateway:forget()
              assert(make("/m?a=1&b=%20", { method = method, body = body or nil }))
              local request = gateway:received()[1]
              assert.equal(method, request.method)
              assert.equal("/m", request.path)
              assert.equal("a=1&b=%20", request.query)
              assert.is_true((body or "") == request.body)
              assert.is_nil(request.headers.expect)
              assert.is_nil(request.headers["transfer-encoding"])
              assert.is_nil(request.headers["content-type"])
              assert.truthy(request.headers["user-agent"]:match "^waba/")
              assert.equal("localhost:" .. gateway.port, request.headers.host)
            end
          end
        end)

        it("the headers of the request", function()
          assert(make("/headers", { body = "{}", headers = { ["Content-Type"] = "application/json", ["X-Empty"] = "" } }))
          local headers = gateway:received()[1].headers
          assert.equal("application/json", headers["content-type"])
          assert.equal("", headers["x-empty"])
          assert.equal("2", headers["content-length"])
        end)

        it("no header with a line break, which would begin another request", function()
          for _, headers in ipairs { { ["X-A"] = "a\r\nX-B: b" }, { ["X\n"] = "a" }, { ["Content-Length"] = "5" } } do
            local _, failure = make("/bad", { body = "{}", headers = headers })
            assert.equal("invalid", failure.kind)
            assert.equal("no", failure.sent)
          end
          assert.equal(0, gateway:count())
        end)

        it("the key to its own origin only", function()
          assert(make("/own", { body = "x", key = { value = KEY, origin = gateway.url } }))
          assert(make("/foreign", { body = "x", key = { value = KEY, origin = other.url } }))
          assert.equal(KEY, gateway:received("/own")[1].headers["d360-api-key"])
          assert.is_nil(gateway:received("/foreign")[1].headers["d360-api-key"])
        end)

        it("a file, also an empty one", function()
          for _, bytes in ipairs { LONG, "" } do
            gateway:forget()
            local response = assert(make("/file", { body = { file = folder:file("upload", bytes) } }))
            assert.equal(#bytes, response.bytes_sent)
            local request = gateway:received("/file")[1]
            assert.equal(tostring(#bytes), request.headers["content-length"])
            assert.is_true(bytes == request.body)
          end
        end)

        it("no file that does not exist", function()
          for _, path in ipairs { "/nonexistent/file", "/" } do
            local _, failure = make("/file", { body = { file = path } })
            assert.equal("invalid", failure.kind)
            assert.equal("no", failure.sent)
            assert.truthy(failure.message:find(path, 1, true))
          end
          assert.equal(0, gateway:count())
        end)

        it("the bytes of a reader with a size", function()
          local response = assert(make("/fed", { body = { pieces = { "012", "", "3456", "789" }, size = 10 } }))
          assert.equal(10, response.bytes_sent)
          local request = gateway:received("/fed")[1]
          assert.equal("0123456789", request.body)
          assert.equal("10", request.headers["content-length"])
        end)

        it("the bytes of a reader without a size", function()
          assert(make("/fed", { body = { pieces = { LONG, "end", LONG } } }))
          local request = gateway:received("/fed")[1]
          assert.is_true(LONG .. "end" .. LONG == request.body)
          assert.is_nil(request.headers["content-length"])
          assert.equal("chunked", request.headers["transfer-encoding"])
          assert(make("/fed", { body = { pieces = {} } }))
          assert.equal("", gateway:received("/fed")[2].body)
        end)

        it("no complete request if a reader returns too few or too many bytes", function()
          for _, pieces in ipairs { { "12345" }, { "12345", "678901" } } do
            local _, failure = make("/fed", { body = { pieces = pieces, size = 10 } })
            assert.equal("invalid", failure.kind)
            assert.equal("no", failure.sent)
            assert.truthy(failure.message:find(#pieces == 1 and "fewer" or "more", 1, true))
          end
          assert.equal(0, complete())
        end)

        it("no complete request if a reader raises an error, and raises this error", function()
          for _, size in ipairs { 10, false } do
            local _, _, result = make("/fed", { body = { pieces = { "12345" }, size = size or nil, raises = "lost the file" } })
            assert.equal("lost the file", result.raised)
          end
          assert.equal(0, complete())
          assert(make("/fine", { body = "x" }))
        end)

        it("no complete request if a reader returns another type, and raises an error", function()
          local _, _, result = make("/fed", { body = { pieces = { true } } })
          assert.truthy(result.raised:find("a reader must return a string or nil, not a boolean", 1, true))
          assert.equal(0, complete())
        end)
      end)

      it("reports progress in both directions", function()
        gateway:respond("/both", { body = PART, times = 20000, pieces = 4, pause = 0.005 })
        local _, _, result = make("/both", { body = { file = folder:file("upload", LONG) }, progress = true })
        assert.is_true(result.monotonic)
        assert.same({ sent = #LONG, to_send = #LONG, received = #LONG, to_receive = #LONG }, result.progress)
        _, _, result = make("/both", { body = LONG, progress = "raises" })
        assert.equal("the progress raised", result.raised)
      end)

      -- A request can fail at several points. `failure.sent` reports whether the gateway may have received the request.
      describe("when the request fails", function()
        local function assert_not_sent(url, expected, described)
          described = described or {}
          described.url, described.body = url .. "/never", "x"
          local _, failure = make(nil, described)
          assert.equal(expected, failure.kind)
          assert.equal("no", failure.sent)
          assert.is_nil(failure.status)
          assert.is_true(#failure.message > 10)
          return failure
        end

        it("before a connection exists: not sent", function()
          local gone = server.start { tls = false }
          gone:stop()
          assert_not_sent(gone.url, "network")
          assert_not_sent(rude.full.url, "timeout", { connect_timeout = 0.05 })
          assert_not_sent(rude.full.url, "timeout", { timeout = 0.05 })
        end)

        it("in the handshake: not sent", function()
          assert_not_sent(rude.stall.url, "timeout", { connect_timeout = 0.05 })
          -- nginx reports every failed TLS handshake with one text.
          assert_not_sent(rude.hang_up.url, kind.name == "ngx" and "tls" or "network")
        end)

        for _, certificate in ipairs { "wrong_host", "expired" } do
          it("by a certificate that is " .. certificate .. ": not sent", function()
            for _ = 1, 3 do assert_not_sent(rude[certificate].url, "tls") end
            assert.equal(0, rude[certificate]:count())
          end)
        end

        it("by an unknown certificate authority: not sent", function()
          for _ = 1, 3 do assert_not_sent(unknown.url, "tls") end
          assert.equal(0, unknown:count())
        end)

        it("by TLS with a server that does not use TLS: not sent", function()
          local plain = server.start { tls = false }
          assert_not_sent(plain.url:gsub("^http:", "https:"), "tls")
          plain:stop()
        end)

        it("after the handshake, before its first byte: not sent", function()
          for _ = 1, 3 do
            local _, failure = make(nil, { url = rude.greet.url .. "/", body = "x" })
            assert.truthy(failure.kind == "network" or failure.kind == "tls" and failure.sent == "no")
            assert.not_equal("yes", failure.sent)
          end
        end)

        for _, ending in ipairs { "drop", "reset" } do
          it("in the middle of it, by a " .. ending .. ": not sent", function()
            gateway:respond("/early", { [ending] = "head" })
            local _, failure = make("/early", { body = { file = folder:file("large", ("x"):rep(6000000)) } })
            assert.equal("network", failure.kind)
            assert.equal("no", failure.sent)
            assert.equal(0, complete "/early")
          end)

          it("after it, by a " .. ending .. ": maybe sent, not repeated", function()
            gateway:respond("/once", { [ending] = "request" })
            for _, described in ipairs { { body = "x" }, { body = LONG }, { method = "DELETE" },
              { body = { pieces = { "a", "b" } } }, { body = { file = folder:file("upload", "file") } } } do
              gateway:forget()
              assert(make("/warm", { method = "GET" }))
              local _, failure = make("/once", described)
              assert.equal("network", failure.kind)
              assert.equal("maybe", failure.sent)
              assert.equal(1, gateway:count "/once")
            end
          end)
        end

        it("but is idempotent, it is sent again", function()
          gateway:respond("/again", { reset = "request" }, { body = "second" })
          assert(make("/warm", { method = "GET" }))
          local response = assert(make("/again", { method = "PUT", body = "same", idempotent = true }))
          assert.equal("second", response.body)
          local received = gateway:received "/again"
          assert.equal(2, #received)
          assert.equal(received[1].body, received[2].body)
        end)

        it("by the timeout before a response: maybe sent", function()
          gateway:respond("/silent", { held = true })
          local _, failure = make("/silent", { body = "x", timeout = 0.1 })
          gateway:release()
          assert.equal("timeout", failure.kind)
          assert.equal("maybe", failure.sent)
          assert.equal(1, gateway:count "/silent")
        end)

        it("by the timeout before its body is sent: not sent", function()
          local _, failure = make("/late", { body = { pieces = { "a", "b" }, size = 2, pause = 0.1 }, timeout = 0.05 })
          assert.equal("timeout", failure.kind)
          assert.equal("no", failure.sent)
          assert.equal(0, complete "/late")
        end)

        it("in the middle of the response: sent", function()
          gateway:respond("/cut", { body = "0123456789", times = 10, truncated = 30 })
          local _, failure = make("/cut", { body = "x" })
          assert.equal("network", failure.kind)
          assert.equal("yes", failure.sent)
          assert.equal(200, failure.status)
          gateway:respond("/cut", { body = PART, times = 20000, pieces = 2, pause = 0.5 })
          _, failure = make("/cut", { body = "x", timeout = 0.8 })
          assert.equal("timeout", failure.kind)
          assert.equal("yes", failure.sent)
          assert.equal(2, gateway:count "/cut")
        end)

        it("by a response that is not HTTP: maybe sent", function()
          gateway:respond("/garbage", { raw = "\1\2\3 what is this\r\n\r\n" })
          local _, failure = make("/garbage", { body = "x" })
          assert.equal("protocol", failure.kind)
          assert.equal("maybe", failure.sent)
        end)

        it("no message contains the key", function()
          gateway:respond("/once", { reset = "request" })
          local _, failure = make("/once", { body = "x", key = { value = KEY, origin = gateway.url } })
          assert.is_nil(failure.message:find(KEY, 1, true))
        end)
      end)

      it("sleeps", function()
        local result = environment:make { { sleep = 0.01 }, { sleep = 0.02 } }
        assert.is_true(result[1].slept >= 0.0099)
        assert.is_true(result[2].slept >= 0.0199)
      end)

      it("makes many exchanges at once, each with its own result", function()
        local count, list = kind.concurrent and 64 or 16, {}
        for i = 1, count do
          local point = i % 16
          list[i] = { url = gateway.url .. "/n" .. i, body = "question " .. i }
          gateway:respond("/n" .. i, { body = "response " .. i, delay = 0.01 * (i % 3), drop = point == 5 and "request" or nil,
            held = point == 7 or nil })
          if point == 7 then list[i].timeout = 0.1 end
          if point == 9 then list[i].body = { pieces = { "a" }, raises = "reader " .. i } end
          if point == 11 then list[i].into = { sink = true, raises = "sink " .. i } end
        end
        local result = environment:make(list)
        gateway:release()
        for i = 1, count do
          local point = i % 16
          if point == 5 then
            assert.equal("maybe", result[i].failure.sent)
          elseif point == 7 then
            assert.equal("timeout", result[i].failure.kind)
          elseif point == 9 then
            assert.equal("reader " .. i, result[i].raised)
          elseif point == 11 then
            assert.equal("sink " .. i, result[i].raised)
          else
            assert.equal("response " .. i, result[i].response.body)
          end
          assert.is_true(gateway:count("/n" .. i) <= 1)
        end
        assert(make("/fine", { body = "x" }))
      end)
    end)
  end
end)
