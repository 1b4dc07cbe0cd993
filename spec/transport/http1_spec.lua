-- lua/waba/transport/http1.lua with a simulated socket: the bytes of a request, and whether the server may have
-- received them; responses in pieces of any size, failures, and whether the connection can be used again.

local core = require "waba.core"
local http1 = require "waba.transport.http1"
local process = require "spec.support.process"
local http1_response = require "waba.transport.http1_response"

local HEAD = { bytes = function(_, length) return ("<head %s>"):format(tostring(length)) end }

local function flat(value) return type(value) == "table" and table.concat(value) or value end

-- Returns an exchange whose socket returns these pieces, and then an error. `exchange.sent` lists the writes to the
-- socket.
local function new(pieces, request, more)
  local exchange = {
    request = request or {}, started = core.clock(), deadline = math.huge, armed = 0, sent = "no", bytes_sent = 0,
    bytes_received = 0, buffer = "", from = 1, reused = false, timeouts = {}, writes = {}, wanted = {},
  }
  exchange.request.head = exchange.request.head or { method = "POST" }
  for name, value in pairs(more or {}) do exchange[name] = value end
  local fails_at = exchange.fails_at
  exchange.socket = {
    settimeout = function(_, milliseconds) exchange.timeouts[#exchange.timeouts + 1] = milliseconds end,
    send = function(_, bytes)
      exchange.writes[#exchange.writes + 1] = flat(bytes)
      if #exchange.writes == fails_at then return nil, "closed" end
      return #flat(bytes)
    end,
    receiveany = function(_, most)
      exchange.wanted[#exchange.wanted + 1] = most
      local piece = table.remove(pieces, 1)
      if not piece then return nil, exchange.reason or "closed" end
      if #piece > most then
        table.insert(pieces, 1, piece:sub(most + 1))
        piece = piece:sub(1, most)
      end
      return piece
    end,
  }
  return exchange
end

local function reader_of(...)
  local pieces = { ... }
  return function() return table.remove(pieces, 1) end
end

local function send(exchange, body, length)
  exchange.request.body = body
  assert(http1.open_body(exchange))
  local written, failure = http1.send(exchange, HEAD, length)
  http1.close_body(exchange)
  return written, failure
end

describe("an HTTP/1.1 request", function()
  it("is sent in one write, with or without a body", function()
    for _, body in ipairs { false, "", "abc" } do
      local exchange = new {}
      assert.is_true(send(exchange, body or nil, body and #body or nil))
      assert.same({ ("<head %s>%s"):format(body and #body or "nil", body or "") }, exchange.writes)
      assert.same({ "maybe", body and #body or 0, body and #body or nil },
        { exchange.sent, exchange.bytes_sent, exchange.to_send })
    end
  end)

  it("is sent in pieces with a progress function, which gets each number of bytes", function()
    local reported, body = {}, ("x"):rep(65536) .. "yz"
    local exchange = new({}, { progress = function(...) reported[#reported + 1] = { ... } end })
    assert.is_true(send(exchange, body, #body))
    assert.same({ { 65536, 65538, 0 }, { 65538, 65538, 0 } }, reported)
    assert.same({ "<head 65538>" .. ("x"):rep(65536), "yz" }, exchange.writes)
    exchange = new({}, { progress = function() end })
    assert.is_true(send(exchange, "", 0))
    assert.same({ "<head 0>" }, exchange.writes)
  end)

  it("sends a body from a file", function()
    local folder = process.folder()
    for _, size in ipairs { 0, 5, 65536, 65537 } do
      local exchange = new {}
      assert.is_true(send(exchange, { file = folder:file("a", ("x"):rep(size)) }, size))
      assert.equal("<head " .. size .. ">" .. ("x"):rep(size), table.concat(exchange.writes))
      assert.equal(size > 65536 and 2 or 1, #exchange.writes)
      assert.same({ size, "maybe" }, { exchange.bytes_sent, exchange.sent })
    end
    for _, path in ipairs { folder:file "nothing", folder.path } do
      local ok, message = http1.open_body(new({}, { body = { file = path } }))
      assert.is_nil(ok)
      assert.matches("^the file /.* cannot be sent: ", message)
    end
    local exchange = new({}, { body = { file = folder:file("b", ("x"):rep(90000)) } })
    assert(http1.open_body(exchange))
    folder:file("b", ("x"):rep(70000))
    local written, failure = http1.send(exchange, HEAD, 90000)
    http1.close_body(exchange)
    assert.is_nil(written)
    assert.same({ "invalid", "body", "no" }, { failure.kind, failure.code, failure.sent })
    folder:remove()
  end)

  it("sends a body from a reader with a size", function()
    local exchange = new {}
    assert.is_true(send(exchange, { reader = reader_of("ab", "", "c"), size = 3 }, 3))
    assert.same({ "<head 3>ab", "c" }, exchange.writes)
    assert.same({ 3, "maybe" }, { exchange.bytes_sent, exchange.sent })
    exchange = new {}
    assert.is_true(send(exchange, { reader = reader_of(), size = 0 }, 0))
    assert.same({ "<head 0>" }, exchange.writes)
  end)

  it("has chunks if its size is not known", function()
    local exchange = new {}
    assert.is_true(send(exchange, { reader = reader_of(("x"):rep(20), "b") }, true))
    assert.same({ "<head true>14\r\n" .. ("x"):rep(20) .. "\r\n", "1\r\nb\r\n", "0\r\n\r\n" }, exchange.writes)
    exchange = new {}
    assert.is_true(send(exchange, { reader = reader_of() }, true))
    assert.same({ "<head true>0\r\n\r\n" }, exchange.writes)
  end)

  it("fails if a reader returns more or fewer bytes than declared, or no bytes", function()
    for message, reader in pairs {
      ["the reader returned more bytes than the 3 declared"] = reader_of("ab", "cd"),
      ["the reader returned fewer bytes than the 3 declared"] = reader_of "ab",
    } do
      local exchange = new {}
      local written, failure = send(exchange, { reader = reader, size = 3 }, 3)
      assert.is_nil(written)
      assert.same({ "invalid", message, "body", "no", 2, "HTTP/1.1", false }, { failure.kind, failure.message, failure.code,
        failure.sent, failure.bytes_sent, failure.protocol, failure.reused })
    end
    assert.error_matches(function() send(new {}, { reader = function() return 5 end, size = 3 }, 3) end,
      "a reader must return a string or nil, not a number")
  end)

  it("was certainly not received if a write has failed", function()
    for _, case in ipairs { { nil, 1 }, { "abc", 1 }, { { reader = reader_of("a", "b"), size = 2 }, 2 },
      { { reader = reader_of "a" }, 2 } } do
      local exchange = new({}, nil, { fails_at = case[2] })
      local written, reason = send(exchange, case[1])
      assert.is_nil(written)
      assert.same({ "closed", "no" }, { reason, exchange.sent })
    end
  end)

  it("is not written, and its response is not read, after its deadline", function()
    local exchange = new({ "x" }, nil, { deadline = core.clock() - 1 })
    local written, reason = send(exchange, "abc")
    assert.same({ nil, "timeout", 0 }, { written, reason, #exchange.writes })
    local bytes
    bytes, reason = http1.read(exchange, 5)
    assert.same({ nil, "timeout", 0 }, { bytes, reason, #exchange.wanted })
    assert.same({}, exchange.timeouts)
    -- the last argument is true: the caller has just set the timeout of the socket
    assert.is_true(http1.send(new({}, nil, { deadline = core.clock() - 1 }), HEAD, nil, true))
  end)

  it("sets the timeout of its socket to the remaining time, and not for every read", function()
    local exchange = new({ "a", "b" }, nil, { deadline = core.clock() + 10 })
    assert.is_true(send(exchange, "abc"))
    assert.equal(1, #exchange.timeouts)
    assert.is_true(exchange.timeouts[1] > 9000 and exchange.timeouts[1] <= 10000)
    assert.equal("a", http1.read(exchange, 5))
    assert.equal(1, #exchange.timeouts)
    exchange.armed = core.clock() - 1
    assert.equal("b", http1.read(exchange, 5))
    assert.equal(2, #exchange.timeouts)
    for seconds, milliseconds in pairs { [0] = 1, [-5] = 1, [0.0001] = 1, [0.0025] = 2, [5] = 5000, [math.huge] = 2 ^ 31 - 1 } do
      assert.equal(milliseconds, http1.milliseconds(seconds))
    end
  end)
end)

-- Reads the response of an exchange. Returns a `waba.Response`, or nil and a failure.
local function response_of(exchange, divert)
  local received, failure = http1_response.receive(exchange, divert)
  return received and http1_response.of(received), failure
end

-- Reads a response in pieces of several sizes, and asserts that the results are equal. Returns the last response and
-- its exchange.
local function receive(bytes, request, more, divert)
  local first, exchange, response, failure
  for _, size in ipairs { math.max(#bytes, 1), 1, 2, 3, 7 } do
    local pieces, copy = {}, {}
    for from = 1, #bytes, size do pieces[#pieces + 1] = bytes:sub(from, from + size - 1) end
    for name, value in pairs(request or {}) do copy[name] = value end
    exchange = new(pieces, copy, more)
    response, failure = response_of(exchange, divert)
    local result = { response and response.status, response and response.body, failure and failure.message }
    first = first or result
    assert.same(first, result)
  end
  return response, failure, exchange
end

local OK = "HTTP/1.1 200 OK\r\n"

describe("an HTTP/1.1 response", function()
  it("has a body of its declared size, in chunks, or up to the end of the connection", function()
    for bytes, expected in pairs {
      [OK .. "Content-Length: 5\r\n\r\nhello"] = { "hello", true }, [OK .. "Content-Length: 0\r\n\r\n"] = { "", true },
      [OK .. "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"]
        = { "hel0123456789", true },
      [OK .. "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"] = { "", true },
      [OK .. "\r\nhello"] = { "hello", false }, [OK .. "\r\n"] = { "", false },
      [OK .. "Connection: close\r\nContent-Length: 2\r\n\r\nhi"] = { "hi", false },
      ["HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"] = { "hi", false, "HTTP/1.0" },
      ["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\n" .. OK .. "Content-Length: 2\r\n\r\nhi"] = { "hi", true },
      ["HTTP/1.1 204 No Content\r\n\r\n"] = { "", true, nil, 204 },
      ["HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"] = { "", true, nil, 304 },
      ["HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"] = { "no", true, nil, 404 },
    } do
      local response, failure, exchange = receive(bytes)
      assert(response, failure and failure.message)
      assert.same({ expected[1], expected[4] or 200, expected[2] }, { response.body, response.status, not exchange.closes })
      assert.same({ "yes", expected[3] or "HTTP/1.1", #expected[1], false },
        { response.sent, response.protocol, response.bytes_received, response.reused })
    end
  end)

  it("to HEAD has no body", function()
    local response, _, exchange = receive(OK .. "Content-Length: 5\r\n\r\n", { head = { method = "HEAD" } })
    assert.same({ "", true }, { response.body, not exchange.closes })
  end)

  it("that is followed by further bytes closes the connection", function()
    local exchange = new { OK .. "Content-Length: 2\r\n\r\nhi, there" }
    local response = assert(response_of(exchange))
    assert.same({ "hi", false }, { response.body, not exchange.closes })
    exchange = new { OK .. "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nx" }
    assert(response_of(exchange))
    assert.is_true(exchange.closes)
  end)

  it("has its headers, times and numbers when they are first read", function()
    local exchange = new({ OK .. "A-b: C\r\nContent-Encoding: GZIP\r\nContent-Length: 2\r\n\r\nhi" }, nil,
      { bytes_sent = 7, reused = true })
    exchange.connected = exchange.started + 1
    local response = assert(response_of(exchange))
    assert.same({ 7, 2, true, "GZIP" }, { response.bytes_sent, response.bytes_received, response.reused, response.content_coding })
    assert.same({ ["a-b"] = "C", ["content-encoding"] = "GZIP", ["content-length"] = "2" }, response.headers)
    assert.equal(1, response.timings.connect)
    assert.is_true(response.timings.first_byte >= 0 and response.timings.total >= response.timings.first_byte)
    assert.same({}, { response.request, response.socket, response.lines })
    assert.is_nil(response.unknown)
    exchange = new { OK .. "Content-Encoding: identity\r\nContent-Length: 0\r\n\r\n" }
    response = assert(response_of(exchange))
    assert.is_nil(response.content_coding)
    assert.equal(0, response.timings.connect)
  end)

  it("reports whether the request may have been received, if the response fails", function()
    for bytes, expected in pairs {
      [""] = { "network", "there is no response: closed", "maybe" },
      ["HTTP/1.1 200"] = { "network", "there is no response: closed", "maybe" },
      [OK] = { "network", "the response is incomplete: closed", "yes" },
      [OK .. "Content-Length: 5\r\n\r\nhell"] = { "network", "the response is incomplete: closed", "yes" },
      [OK .. "Transfer-Encoding: chunked\r\n\r\n3\r\nhe"] = { "network", "the response is incomplete: closed", "yes" },
      [OK .. "Transfer-Encoding: chunked\r\n\r\n0\r\n"] = { "network", "the response is incomplete: closed", "yes" },
      [OK .. "Transfer-Encoding: chunked\r\n\r\nzz\r\n"] = { "protocol", "the response has a malformed chunk", "yes" },
      [OK .. "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n"] = { "protocol", "the response has a malformed chunk", "yes" },
      [OK .. "Content-Length: x\r\n\r\n"] = { "protocol", "the response has a malformed Content-Length", "yes" },
      ["SSH-2.0-x\r\n\r\n"] = { "protocol", "the response is not HTTP/1.1", "maybe" },
      ["HTTP/1.1 100 Continue\r\n\r\n"] = { "network", "there is no response: closed", "maybe" },
    } do
      local response, failure = receive(bytes, nil, { sent = "maybe" })
      assert.is_nil(response)
      assert.same(expected, { failure.kind, failure.message, failure.sent }, bytes)
    end
    local exchange = new({}, nil, { reason = "timeout" })
    local _, failure = response_of(exchange)
    assert.same({ "timeout", "the timeout passed: there is no response", "timeout" },
      { failure.kind, failure.message, failure.code })
    exchange = new({ OK .. "\r\nhe" }, nil, { reason = "timeout" })
    _, failure = response_of(exchange)
    assert.same({ "timeout", "yes", 200 }, { failure.kind, failure.sent, failure.status })
  end)

  it("is limited in its head and its body", function()
    local _, failure = response_of(new { OK .. "A: " .. ("x"):rep(262144), ("x"):rep(10) })
    assert.same({ "protocol", "the head of the response is too large" }, { failure.kind, failure.message })
    for _, form in ipairs { "Content-Length: %d\r\n\r\n%s", "\r\n%s", "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" } do
      local function bytes(size)
        local body = ("x"):rep(size)
        return OK .. (form:find "%%[dx]" and form:format(size, body) or form:format(body))
      end
      local response
      response, failure = receive(bytes(10), { max_body = 10 })
      assert.equal(10, #assert(response, failure and failure.message).body)
      response, failure = receive(bytes(11), { max_body = 10 })
      assert.is_nil(response)
      assert.same({ "protocol", "the response is larger than the 10 bytes allowed", "too_large" },
        { failure.kind, failure.message, failure.code })
      local got = {}
      local function divert(piece) got[#got + 1] = piece end
      response = receive(bytes(10), { into = { max_size = 10 } }, nil, divert)
      assert.equal("", response.body)
      assert.equal(("x"):rep(10 * 5), table.concat(got))
      response, failure = receive(bytes(11), { into = { max_size = 10 } }, nil, divert)
      assert.is_nil(response)
      assert.equal("too_large", failure.code)
      assert.equal("", assert(receive(bytes(11), { into = {} }, nil, divert)).body)
    end
  end)

  it("is written to its destination only with a status from 200 to 299", function()
    local got = {}
    local function divert(piece) got[#got + 1] = piece end
    local response = receive("HTTP/1.1 299 X\r\nContent-Length: 2\r\n\r\nhi", { into = {} }, nil, divert)
    assert.equal("", response.body)
    assert.equal(("hi"):rep(5), table.concat(got))
    got = {}
    response = receive("HTTP/1.1 300 X\r\nContent-Length: 2\r\n\r\nhi", { into = {} }, nil, divert)
    assert.same({ "hi", 0 }, { response.body, #got })
    local _, failure = receive(OK .. "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi", { into = {} }, nil, divert)
    assert.same({ "protocol", "compressed", 0 }, { failure.kind, failure.code, #got })
    _, failure = receive(OK .. "Content-Length: 2\r\n\r\nhi", { into = {} }, nil, function() return "no space", "file" end)
    assert.same({ "invalid", "no space", "file" }, { failure.kind, failure.message, failure.code })
  end)

  it("reports the progress of its body", function()
    local reported = {}
    local exchange = new({ OK .. "Content-Length: 3\r\n\r\na", "bc" },
      { progress = function(...) reported[#reported + 1] = { ... } end }, { to_send = 9, bytes_sent = 9 })
    assert.equal("abc", assert(response_of(exchange)).body)
    assert.same({ { 9, 9, 1, 3 }, { 9, 9, 3, 3 } }, reported)
    reported = {}
    exchange = new({ OK .. "Content-Length: 2\r\n\r\nhi" }, { progress = function(...) reported[#reported + 1] = { ... } end })
    assert(response_of(exchange))
    assert.equal(2, reported[1][3])
  end)

  it("is not read beyond its end", function()
    local exchange = new { OK .. "Content-Length: 5\r\n\r\nhe", "llo, you" }
    assert.equal("hello", assert(response_of(exchange)).body)
    assert.same({ 65536, 3 }, exchange.wanted)
  end)
end)
