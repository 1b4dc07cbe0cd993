-- src/response_head.c through waba.core: the headers of a response, the size of its body, and whether the connection
-- ends after it.

local core = require "waba.core"

describe("received headers", function()
  local function read(text) return core.headers(text, 1, #text) end

  it("have names in lower case and values without white space around them", function()
    assert.same({ ["content-type"] = "a/b", ["x-empty"] = "", x = "a b:c" },
      read "Content-TYPE:a/b\r\nX-Empty: \t\r\nX:  a b:c \t \r\n")
    assert.same({}, read "")
    assert.same({ b = "2" }, core.headers("A: 1\r\nB: 2\r\nC: 3\r\n", 7, 12))
  end)

  it("are joined when a name is repeated", function()
    assert.same({ a = "1, 2, 3" }, read "A: 1\r\na: 2\r\nA:3\r\n")
  end)

  it("of any size are read", function()
    local name, value = ("n"):rep(5000), ("v"):rep(100000)
    assert.same({ [name] = value }, read(name:upper() .. ": " .. value .. "\r\n"))
  end)

  it("are nil when one is malformed", function()
    for _, text in ipairs {
      "A", "A: 1", "A: 1\r", "A: 1\n", "A: 1\rX: 2\r\n", ": 1\r\n", "A : 1\r\n", " A: 1\r\n", "A\0: 1\r\n",
      "A: 1\r\n folded\r\n", "A: 1\r\n\r\n",
    } do
      assert.is_nil(read(text), text)
    end
  end)

  it("must be inside the bytes", function()
    for _, range in ipairs { { 0, 3 }, { 1, 8 }, { 5, 3 }, { -2, -1 } } do
      assert.has_error(function() core.headers("A: 1\r\n", range[1], range[2]) end)
    end
  end)
end)

describe("the head of a response", function()
  local LINE = "HTTP/1.1 200 OK\r\n"

  local function read(text, from) return { core.response_head(text, from or 1) } end

  -- Returns the status, the minor HTTP version, the size of the body, whether it is chunked, and whether the connection
  -- closes.
  local function parsed(lines)
    local status, behind, minor, size, is_chunked, closes = core.response_head(lines .. "\r\nbody", 1)
    if minor then assert.equal(#lines + 3, behind) end
    return { status, minor, size == nil and "none" or size, is_chunked, closes }
  end

  it("is read as status, version, size and end of the connection", function()
    assert.same({ 200, 1, "none", false, false }, parsed(LINE))
    assert.same({ 204, 0, "none", false, false }, parsed "HTTP/1.0   204\r\n")
    assert.same({ 201, 1, 93, false, false }, parsed "HTTP/1.1 201 Created\r\nA: b\r\ncontent-LENGTH: \t93 \r\nX:y\r\n")
    assert.same({ 200, 1, "none", true, false }, parsed(LINE .. "Transfer-Encoding: gzip, Chunked\r\n"))
    assert.same({ 200, 1, "none", false, false }, parsed(LINE .. "Transfer-Encoding: chunkedx\r\n"))
    assert.same({ 200, 1, 0, false, true }, parsed(LINE .. "Connection: x , close\r\nContent-Length: 0\r\n"))
    assert.same({ 200, 1, "none", true, true }, parsed(LINE .. "Connection: close \t, x\r\nTransfer-Encoding: chunked\t,x\r\n"))
    assert.same({ 200, 1, "none", false, true }, parsed(LINE .. "Connection: close\r\nConnection: upgrade\r\n"))
    assert.same({ 200, 1, "none", false, false }, parsed(LINE .. "Connection: keep-alive, closed\r\n"))
  end)

  it("has no valid size if Content-Length is repeated or not a plain number", function()
    for _, value in ipairs { "", "-1", "+1", "1e3", "0x10", "1 2", "12a", "1, 1", ("9"):rep(16), "5\r\nContent-Length: 5",
      "0\r\nContent-Length: 0" } do
      assert.same({ 200, 1, false, false, false }, parsed(LINE .. "Content-Length: " .. value .. "\r\n"), value)
    end
  end)

  it("can arrive in pieces", function()
    local text = "HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\nbody"
    local status_line, complete = #"HTTP/1.1 201 Created\r\n", #text - 4
    for length = 0, #text do
      for _, from in ipairs { 1, math.max(1, length - 3) } do
        local expected = length < status_line and { false } or length < complete and { 201 }
          or { 201, complete + 1, 1, 4, false, false }
        if length < complete + 1 or from == 1 then assert.same(expected, read(text:sub(1, length), from)) end
      end
    end
  end)

  it("is refused at the first byte that cannot be HTTP/1.1", function()
    for _, text in ipairs {
      "x", "HTTQ", "HTTP/2", "HTTP/1.x", "HTTP/1.11 200", "HTTP/1.1 2x", "HTTP/1.1 20\r\n", "HTTP/1.1 200 OK\n",
      "HTTP/1.1 200 OK\rx", "http/1.1 200 OK\r\n\r\n", "\r\n",
    } do
      assert.same({}, read(text), text)
    end
  end)

  it("has its status if a header is malformed", function()
    for _, line in ipairs { "A", "A : 1", ": 1", " A: 1", "A: 1\rB: 2", "A: 1\nB: 2" } do
      assert.same({ 200 }, { read(LINE .. line .. "\r\n\r\n")[1] }, line)
      assert.is_nil(read(LINE .. line .. "\r\n\r\n")[3], line)
    end
  end)

  it("is consistent with its headers for any bytes", function()
    local words = { "A", ":", " ", "\r\n", "\r", "\n", "Content-Length", "Connection", "close", "7", ",", "\0", "\r\n\r\n" }
    for _ = 1, 3000 do
      local parts = {}
      for i = 1, math.random(0, 12) do parts[i] = words[math.random(#words)] end
      local text = LINE .. table.concat(parts)
      local status, behind, minor = core.response_head(text, 1)
      local blank = text:find("\r\n\r\n", 1, true)
      assert.equal(200, status)
      assert.equal(blank and blank + 4, behind)
      if behind then
        assert.equal(core.headers(text, #LINE + 1, blank + 1) ~= nil, minor ~= nil, ("%q"):format(text))
      end
    end
  end)

  it("is searched for inside the bytes only", function()
    for _, from in ipairs { 0, -1, 4 } do
      assert.has_error(function() core.response_head("HT", from) end)
    end
    assert.has_error(function() core.response_head(nil, 1) end)
  end)
end)
