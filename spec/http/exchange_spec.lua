-- Requests to the HTTP server as bytes, with every limit of the parser, and the bytes of the responses.

local core = require "waba.core"
local cqueues = require "cqueues"
local cqueues_socket = require "cqueues.socket"
local listener = require "waba.http.listener"
local protect = require("waba.coroutines").protect

-- Returns the whole body of a request; or nil, and the reason why the body is incomplete.
local function body_of(exchange)
  local parts = {}
  while true do
    local bytes, reason = exchange:read()
    if reason then return nil, bytes and "bytes beside a reason" or reason end
    if not bytes then return table.concat(parts) end
    parts[#parts + 1] = bytes
  end
end

local function describe_request(exchange)
  local body, reason = body_of(exchange)
  exchange:respond(200, { ["x-request"] = exchange.method .. " " .. exchange.target }, body or "(" .. reason .. ")")
end

-- Sends bytes to a server. Returns all bytes that the server sends, and the errors that it reports.
local function converse(bytes, serve, limits)
  local cq, raised = cqueues.new(), {}
  local server = assert(listener.listen {
    cq = cq, host = "127.0.0.1", port = 0, serve = serve or describe_request, limits = limits,
    on_error = function(err) raised[#raised + 1] = tostring(err):match "^[^\n]*" end,
  })
  local response, failure, finished
  cq:wrap(function()
    local ok, message = protect(function()
      local socket = cqueues_socket.connect("127.0.0.1", server.port)
      socket:setmode("bn", "bn")
      socket:onerror(function(_, _, why) return why end)
      socket:settimeout(10)
      assert(socket:connect())
      socket:write(bytes)
      socket:shutdown "w"
      local parts = {}
      repeat
        local part = socket:read(-65536)
        parts[#parts + 1] = part
      until not part
      response = table.concat(parts)
      socket:close()
    end)
    failure, finished = not ok and message or nil, true
    server:close()
  end)
  local deadline = core.clock() + 20
  while not finished do
    assert(cq:step(0.1))
    assert(core.clock() < deadline, "no end in time")
  end
  if failure then error(failure, 0) end
  return response, raised
end

local function status_of(bytes) return tonumber(converse(bytes):match "^HTTP/1%.1 (%d%d%d) ") end

local function statuses_of(bytes)
  local list = {}
  for status in converse(bytes):gmatch "HTTP/1%.1 (%d%d%d) " do list[#list + 1] = tonumber(status) end
  return list
end

local function body_after(bytes) return converse(bytes):match "\r\n\r\n([^\r\n]*)$" end

local HEAD = "POST /a HTTP/1.1\r\nHost: x\r\n"
local CHUNKED = HEAD .. "Transfer-Encoding: chunked\r\n\r\n"

describe("the head of a request", function()
  it("has at most 16 KiB and 100 header lines", function()
    local rest = "GET / HTTP/1.1\r\nHost: x\r\nA: \r\n\r\n"
    local function of_size(size) return (rest:gsub("A: ", "A: " .. ("x"):rep(size - #rest))) end
    assert.same({ 200, 431 }, { status_of(of_size(16384)), status_of(of_size(16385)) })
    local function of_lines(count) return "GET / HTTP/1.1\r\nHost: x\r\n" .. ("A: b\r\n"):rep(count - 1) .. "\r\n" end
    assert.same({ 200, 431 }, { status_of(of_lines(100)), status_of(of_lines(101)) })
  end)

  it("is valid, or is refused with a status", function()
    for head, status in pairs {
      ["GET / HTTP/1.0\r\n"] = 200, ["GET / HTTP/1.1\r\n"] = 400, ["GET / HTTP/2.0\r\nHost: x\r\n"] = 505,
      ["GET / HTTP/0.9\r\nHost: x\r\n"] = 505, ["GET / HTTP/1.2\r\nHost: x\r\n"] = 200,
      ["GET / HTTP/1.1\r\nHost: x\r\nA: \1\r\n"] = 400, ["GET / HTTP/1.1\r\nHost: x\r\nA: a\tb\r\n"] = 200,
      ["GET / HTTP/1.1\r\nHost: x\r\nA: \127\r\n"] = 400, ["GET / HTTP/1.1\r\nHost: x\r\nA\r\n"] = 400,
      ["POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n"] = 400,
      ["POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n"] = 400,
      ["POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n"] = 501,
      ["POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"] = 501,
      ["POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n"] = 400,
      ["GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n"] = 400,
      ["GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\n"] = 200, ["GET / HTTP/1.1\r\nHost: x\r\nExpect: x\r\n"] = 417,
      ["GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n"] = 417,
      ["G@T / HTTP/1.1\r\nHost: x\r\n"] = 400, ["GET  / HTTP/1.1\r\nHost: x\r\n"] = 400,
    } do
      assert.equal(status, status_of(head .. "\r\n"), head)
    end
  end)

  it("may follow an empty line, but not two", function()
    assert.equal(200, status_of "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert.equal(200, status_of "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert.equal("", converse "")
    assert.equal("", converse "GET / HTTP/1.1\r\n") -- the client has closed its connection before the end of the head
  end)

  it("has a target in one of several forms", function()
    for target, path in pairs {
      ["/a?b=c"] = "/a?b=c", ["http://x/a"] = "/a", ["http://x"] = "/", ["http://x?b"] = "/?b", ["*"] = "*", ["a"] = "/a",
    } do
      assert.matches("x%-request: OPTIONS " .. path:gsub("%p", "%%%0") .. "\r\n",
        (converse("OPTIONS " .. target .. " HTTP/1.1\r\nHost: x\r\n\r\n")))
    end
  end)

  it("decides whether the connection accepts a second request", function()
    for head, expected in pairs {
      ["1.1\r\n"] = { 200, 200 }, ["1.0\r\n"] = { 200 }, ["1.1\r\nConnection: close\r\n"] = { 200 },
      ["1.1\r\nConnection: a, CLOSE\r\n"] = { 200 }, ["1.1\r\nConnection: a\r\nConnection: close\r\n"] = { 200 },
      ["1.1\r\nConnection: a\r\nConnection: close\r\nConnection: b\r\n"] = { 200 },
      ["1.1\r\nConnection: closed\r\n"] = { 200, 200 }, ["1.0\r\nConnection: Keep-Alive\r\n"] = { 200, 200 },
      ["1.0\r\nConnection: keep-alive, close\r\n"] = { 200 },
    } do
      local bytes = "GET / HTTP/" .. head .. "Host: x\r\n\r\n" .. "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
      assert.same(expected, statuses_of(bytes), head)
    end
    assert.matches("\r\ncontent%-length: 0\r\nconnection: keep%-alive\r\n", (converse "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"))
    assert.matches("\r\nconnection: close\r\n", (converse "GET / HTTP/1.0\r\n\r\n"))
    assert.is_nil((converse "GET / HTTP/1.1\r\nHost: x\r\n\r\n"):find "connection:")
  end)
end)

describe("the body of a request", function()
  it("has the length of its head, of at most 15 digits", function()
    for length, expected in pairs {
      ["2"] = "hi", ["0"] = "", ["000000000000002"] = "hi", ["1"] = "h", ["3"] = "(closed)",
    } do
      assert.equal(expected, (converse(HEAD .. "Content-Length: " .. length .. "\r\n\r\nhi"):match "\r\n\r\n([^\r]*)"), length)
    end
    for _, length in ipairs { "0000000000000002", "2 2", "2,2", "-2", "" } do
      assert.equal(400, status_of(HEAD .. "Content-Length: " .. length .. "\r\n\r\nhi"), length)
    end
    assert.equal("", body_after(HEAD .. "\r\n"))
  end)

  it("consists of chunks, within bounds", function()
    local trailer = "A: " .. ("x"):rep(8192 - 2 - 2 - 3)
    for chunks, expected in pairs {
      ["2\r\nhi\r\n0\r\n\r\n"] = "hi", ["2 \t\r\nhi\r\n0\r\n\r\n"] = "hi", ["2 ;a\r\nhi\r\n0;b\r\n\r\n"] = "hi",
      ["00000002\r\nhi\r\n00\r\n\r\n"] = "hi", ["1\r\nh\r\n1\r\ni\r\n0\r\nA: b\r\nC: d\r\n\r\n"] = "hi",
      ["A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"] = "01234567890123456789",
      ["2;" .. ("x"):rep(252) .. "\r\nhi\r\n0\r\n\r\n"] = "hi", ["0\r\n" .. trailer .. "\r\n\r\n"] = "",
      ["2;" .. ("x"):rep(253) .. "\r\nhi\r\n0\r\n\r\n"] = "(malformed)", ["0\r\n" .. trailer .. "x\r\n\r\n"] = "(malformed)",
      ["0\r\n" .. ("x"):rep(9000) .. "\r\n\r\n"] = "(malformed)", ["2\r\nhixx0\r\n\r\n"] = "(malformed)",
      ["000000002\r\nhi\r\n0\r\n\r\n"] = "(malformed)", ["2 x\r\nhi\r\n0\r\n\r\n"] = "(malformed)",
      ["x\r\nhi\r\n0\r\n\r\n"] = "(malformed)", ["\r\n"] = "(malformed)", ["2"] = "(closed)", ["2\r\nh"] = "(closed)",
      ["2\r\nhi"] = "(closed)", ["2\r\nhi\r\n"] = "(closed)", ["0\r\n"] = "(closed)", ["0\r\nA: b\r\n"] = "(closed)",
    } do
      assert.equal(expected, body_after(CHUNKED .. chunks), chunks:sub(1, 30))
    end
  end)

  it("ends where the next request begins; an incomplete body ends the connection", function()
    local last = "GET /last HTTP/1.1\r\nHost: x\r\n\r\n"
    assert.same({ 200, 200 }, statuses_of(HEAD .. "Content-Length: 2\r\n\r\nhi" .. last))
    assert.same({ 200, 200 }, statuses_of(CHUNKED .. "2\r\nhi\r\n0\r\n\r\n" .. last))
    assert.same({ 200 }, statuses_of(CHUNKED .. "2\r\nhixx" .. last))
    assert.same({ 200 }, statuses_of(CHUNKED .. "0\r\n" .. ("x"):rep(9000) .. "\r\n\r\n" .. last))
  end)

  it("gets a 100 Continue if the head expects it and there is a body", function()
    local function asks(version, more, body)
      local bytes = ("POST / HTTP/%s\r\nHost: x\r\nExpect: 100-continue\r\n%s\r\n%s"):format(version, more, body)
      return (converse(bytes):find("HTTP/1.1 100 Continue\r\n\r\n", 1, true)) ~= nil
    end
    assert.is_true(asks("1.1", "Content-Length: 2\r\n", "hi"))
    assert.is_true(asks("1.1", "Transfer-Encoding: Chunked\r\n", "0\r\n\r\n"))
    assert.is_false(asks("1.1", "Content-Length: 0\r\n", ""))
    assert.is_false(asks("1.1", "", ""))
    assert.is_false(asks("1.0", "Content-Length: 2\r\n", "hi"))
    local _, count = converse(HEAD .. "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n")
      :gsub("100 Continue", "")
    assert.equal(1, count)
  end)
end)

describe("a response", function()
  local GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

  local function with(serve, bytes) return converse(bytes or GET, serve) end

  it("has a status line, headers and the length of its body", function()
    local text = with(function(exchange) exchange:respond(201, { ["x-a"] = 1 }, "hello") end)
    assert.equal("HTTP/1.1 201 Created\r\nx-a: 1\r\ncontent-length: 5\r\n\r\nhello", text)
    text = with(function(exchange) exchange:respond(204, {}, "") end)
    assert.equal("HTTP/1.1 204 No Content\r\n\r\n", text)
    text = with(function(exchange) exchange:respond(299, {}, "") end)
    assert.equal("HTTP/1.1 299 Unassigned\r\ncontent-length: 0\r\n\r\n", text)
  end)

  it("to HEAD has the length, but no body", function()
    local text = with(function(exchange) exchange:respond(200, {}, "hello") end, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" .. GET)
    assert.equal("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", text)
  end)

  it("can be written in parts", function()
    local text = with(function(exchange)
      assert.is_true(exchange:respond(200, {}, "hel", 5))
      assert.is_true(exchange:write "lo")
    end, GET .. GET)
    local one = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
    assert.equal(one .. one, text)
  end)

  it("before the end of the body ends the connection", function()
    local text = with(function(exchange) exchange:respond(200, {}, "") end, HEAD .. "Content-Length: 2\r\n\r\nhi" .. GET)
    assert.equal("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", text)
  end)

  it("has status 500 after an error, and is not sent after a second error", function()
    local text, raised = with(function() error("odd", 0) end, GET .. GET)
    assert.equal("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", text)
    assert.same({ "odd" }, raised)
    text = with(function() end)
    assert.matches("^HTTP/1.1 500 ", text)
    text, raised = with(function(exchange) exchange:respond(200, { a = "b\r\nc: d" }, "") end)
    assert.matches("must not contain a line break: a", raised[1])
    assert.is_nil(text:find("c: d", 1, true))
    text, raised = with(function(exchange)
      exchange:respond(200, {}, "hel", 5)
      error("late", 0)
    end, GET .. GET)
    assert.same({ "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", { "late" } }, { text, raised })
    assert.equal("", (with(function(exchange) exchange:drop() end, GET .. GET)))
  end)
end)

describe("the parts of a body", function()
  it("are joined, for any number of parts", function()
    for _, count in ipairs { 0, 1, 1023, 1024, 1025, 3000 } do
      local add, parts = require("waba.http.exchange").collector(), {}
      for index = 1, count do
        parts[index] = index .. ","
        assert.is_nil(add(parts[index]))
      end
      assert.equal(table.concat(parts), add())
    end
  end)
end)
