-- src/origin.c, src/credentials.c and src/request_head.c through waba.core.

local core = require "waba.core"
local secrets = require "spec.support.secrets"

describe("origin", function()
  local good = {
    { "https://waba.360dialog.io", "https://waba.360dialog.io" },
    { "https://waba.360dialog.io/", "https://waba.360dialog.io" },
    { "https://waba.360dialog.io/v1/messages?a=b#c", "https://waba.360dialog.io" },
    { "HTTPS://WABA.360Dialog.IO:443/V1", "https://waba.360dialog.io" },
    { "https://host:8443", "https://host:8443" },
    { "https://host:80", "https://host:80" },
    { "https://host:65535?x", "https://host:65535" },
    { "https://host:1#x", "https://host:1" },
    { "https://host:00443/", "https://host" },
    { "https://my_gateway.internal", "https://my_gateway.internal" },
    { "https://xn--mller-kva.de", "https://xn--mller-kva.de" },
    { "https://192.0.2.1/x", "https://192.0.2.1" },
    { "https://[2001:DB8:0:0::1]:443/x", "https://[2001:db8::1]" },
    { "https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443" },
    { "https://host/@x:y", "https://host" },
    { "https://host?@x:y", "https://host" },
    { "https://1and1.com", "https://1and1.com" },
    { "https://" .. ("a"):rep(253), "https://" .. ("a"):rep(253) },
    { "http://localhost", "http://localhost" },
    { "http://LOCALHOST:8080/x", "http://localhost:8080" },
    { "http://localhost:80", "http://localhost" },
    { "http://localhost:443", "http://localhost:443" },
    { "http://127.0.0.1:9", "http://127.0.0.1:9" },
    { "http://127.255.0.7", "http://127.255.0.7" },
    { "http://[::1]:8080", "http://[::1]:8080" },
    { "http://[0:0:0:0:0:0:0:1]", "http://[::1]" },
  }
  for _, case in ipairs(good) do
    it("of " .. case[1]:sub(1, 60) .. " is " .. case[2]:sub(1, 60), function()
      assert.same({ case[2] }, { core.origin(case[1]) })
    end)
  end

  local bad = {
    { "", "https" }, { "waba.360dialog.io", "https" }, { "//host", "https" }, { "https:/host", "https" },
    { "https:host", "https" }, { "ftp://host", "https" }, { "file:///etc/passwd", "https" },
    { "httpss://host", "https" },
    { "https://", "no host" }, { "http://", "no host" }, { "https:///path", "no host" }, { "https://:443", "no host" },
    { "https://?x", "no host" },
    { "http://waba.360dialog.io", "begins with http://" }, { "http://localhost.example.com", "begins with http://" },
    { "http://127.0.0.1.example.com", "begins with http://" }, { "http://128.0.0.1", "begins with http://" },
    { "http://[::2]", "begins with http://" }, { "http://[::ffff:127.0.0.1]", "begins with http://" },
    { "http://127example.com", "begins with http://" },
    { "https://user@host", "user information" }, { "https://user:password@host", "user information" },
    { "https://good.example@evil.example/", "user information" },
    { "http://localhost@evil.example", "user information" },
    { "https://host:0", "port" }, { "https://host:65536", "port" }, { "https://host:", "port" },
    { "https://host:x", "port" },
    { "https://host:443x", "port" }, { "https://host:-1", "port" }, { "https://host:4 43", "white space" },
    { "https://host:000443", "port" }, { "https://host:443:443", "port" }, { "https://2001:db8::1", "IPv4" },
    { "https://ho st", "white space" }, { " https://host", "white space" }, { "https://host ", "white space" },
    { "https://host\t", "white space" }, { "https://host\r\nX: y", "white space" },
    { "https://host\0.evil", "control" },
    { "https://host/a b", "white space" }, { "https://host\127", "control" },
    { "https:\\\\host", "backslash" }, { "https://good\\@evil", "backslash" }, { "https://host/\\x", "backslash" },
    { "https://m\195\188ller.de", "not ASCII" }, { "https://host/m\195\188ller", "not ASCII" },
    { "https://%68ost", "not allowed" }, { "https://ho%2Fst", "not allowed" }, { "https://a;b", "not allowed" },
    { "https://a,b", "not allowed" }, { "https://*", "not allowed" }, { "https://a'b", "not allowed" },
    { "https://.host", "empty label" }, { "https://host.", "empty label" }, { "https://ho..st", "empty label" },
    { "https://" .. ("a"):rep(254), "too long" },
    { "https://127.1", "IPv4" }, { "https://127.0-0.1", "IPv4" }, { "https://2130706433", "IPv4" }, { "https://0x7f.0.0.1", "IPv4" },
    { "http://0x7f000001", "IPv4" },
    { "https://127.0.0.0x1", "IPv4" }, { "https://0x", "IPv4" }, { "https://example.0x", "IPv4" },
    { "https://127.0.0.01", "IPv4" }, { "https://256.0.0.1", "IPv4" },
    { "https://1.2.3.4.5", "IPv4" }, { "https://1.2.3.1234", "IPv4" }, { "https://host.1", "IPv4" },
    { "https://[]", "IPv6" }, { "https://[::1", "IPv6" }, { "https://[::1]x", "IPv6" },
    { "https://[::1].evil", "IPv6" },
    { "https://[1:2]", "IPv6" }, { "https://[fe80::1%25eth0]", "IPv6" }, { "https://[v1.x]", "IPv6" },
    { "https://[127.0.0.1]", "IPv6" }, { "https://[" .. (":"):rep(300) .. "]", "IPv6" },
  }
  for _, case in ipairs(bad) do
    it(("refuses %q"):format(case[1]:sub(1, 60)), function()
      local origin, message = core.origin(case[1])
      assert.is_nil(origin)
      assert.matches(case[2], message)
    end)
  end

  it("accepts letters, digits, hyphens, dots and underscores in a host, and no other byte", function()
    local ENDS = { ["/"] = true, ["?"] = true, ["#"] = true }
    for byte = 0, 255 do
      local character = string.char(byte)
      local origin = core.origin("https://a" .. character .. "b")
      if ENDS[character] then
        assert.equal("https://a", origin)
      elseif character:find "^[%w._-]$" then
        assert.equal("https://a" .. character:lower() .. "b", origin)
      else
        assert.is_nil(origin, byte)
      end
    end
    assert.equal("https://255.0.9.255", core.origin "https://255.0.9.255")
    for _, port in ipairs { 1, 9, 10, 65535 } do assert.equal("https://a:" .. port, core.origin("https://a:" .. port)) end
  end)

  it("does not crash, and accepts no host that it did not read", function()
    math.randomseed(7)
    local pieces = { "https", "http", "://", "/", ":", "@", "[", "]", "localhost", "127.0.0.1", "a.b", "443", "\\",
      "%", "?",
      "#", " ", "::1", "\0", "0x", ".", "\255" }
    for _ = 1, 20000 do
      local parts = { math.random(3) > 1 and "https://" or "" }
      for i = 2, math.random(8) do parts[i] = pieces[math.random(#pieces)] end
      local url = table.concat(parts)
      local origin = core.origin(url)
      if origin then
        assert.equal(origin, (core.origin(origin)))
        assert.is_nil(origin:match("://(.*)"):find "[@\\%%%s%c/?#]")
      end
    end
  end)
end)

for maker, class in pairs { credentials = "waba.Credentials", header_secret = "waba.HeaderSecret" } do
  describe(maker, function()
    local key = "geheimer-schluessel-4711"
    local function credentials(origin)
      return core[maker] { header = "D360-API-KEY", value = key, origin = origin or "https://waba.360dialog.io" }
    end

    it("show their origin and not their value", function()
      assert.equal(class .. " (D360-API-KEY for https://waba.360dialog.io)", tostring(credentials()))
    end)

    it("do not show the secret", function()
      local held = credentials()
      assert.is_nil(secrets.find(key, held))
      assert.is_nil(held.value)
      assert.is_nil(held.line)
      assert.is_string(getmetatable(held))
      assert.has_error(function() held.value = "x" end)
      assert.has_error(function() return #held end)
      assert.has_error(function() return held .. "" end)
      assert.has_error(function() return held() end)
      local getfenv = rawget(debug, "getfenv") or function() end
      assert.is_nil((getfenv(held) or {}).value)
      for name in pairs(debug.getmetatable(held)) do assert.matches("^__[a-z]+$", name) end
      assert.same({}, debug.getmetatable(held).__index)
    end)

    it("do not quote the secret in an error", function()
      local bad = {
        { header = "D360 API KEY", value = key, origin = "https://host" },
        { header = "X", value = key .. "\n", origin = "https://host" },
        { header = "X", value = key .. "\0", origin = "https://host" },
        { header = "X", value = "\r" .. key, origin = "https://host" },
        { header = "X", value = " " .. key, origin = "https://host" },
        { header = "X", value = "", origin = "https://host" },
        { header = "X", value = key, origin = "http://host" },
        { header = "X", value = key, origin = "https://" .. key .. "@host" },
      }
      for _, options in ipairs(bad) do
        local held, message = core[maker](options)
        assert.is_nil(held)
        assert.is_string(message)
        assert.is_nil(message:find(key, 1, true))
      end
      for _, options in ipairs { { value = key }, { header = "X", value = { key }, origin = "x" }, key } do
        local ok, message = pcall(core[maker], options)
        assert.is_false(ok)
        assert.is_nil(message:find(key, 1, true))
      end
    end)

    it("can be closed more than once, and can't be sent afterwards", function()
      local held = credentials()
      local close = debug.getmetatable(held).__gc
      close(held)
      close(held)
      assert.equal(class .. " (closed)", tostring(held))
      if maker == "header_secret" then
        local head, message = core.ready_head("GET", "/", "waba.360dialog.io", {}, held, "https://waba.360dialog.io")
        assert.is_nil(head)
        assert.matches("closed", message)
      end
      assert.has_error(function() close(io.stdout) end)
    end)

    it("can be made and closed a thousand times", function()
      for i = 1, 20000 do
        assert(core[maker] { header = "X", value = key .. i, origin = "https://host" })
      end
      collectgarbage()
    end)
  end)
end

describe("redact", function()
  local function redacted(text, value)
    return core.redact(text, assert(core.credentials { header = "X", value = value, origin = "https://host" }))
  end

  it("hides the secret everywhere in a text", function()
    for text, expected in pairs {
      [""] = "", ["abc"] = "abc", ["api-key1"] = "(hidden)", ["a api-key1"] = "a (hidden)", ["api-key1api-key1."] = "(hidden)(hidden).",
      ["api-api-key1"] = "api-(hidden)", ["api-key"] = "api-key", ["\0api-key1\0"] = "\0(hidden)\0",
    } do
      assert.equal(expected, redacted(text, "api-key1"))
    end
    assert.equal("(hidden)a", redacted(("a"):rep(9), ("a"):rep(8)))
    assert.equal("a key", redacted("a key", "key")) -- a key that is too short is not removed
  end)

  it("accepts credentials only", function()
    assert.has_error(function() core.redact("x", {}) end)
    assert.has_error(function() core.redact("x") end)
  end)
end)

-- Returns the bytes of a request head without a body.
local function head(...)
  local ready, message = core.ready_head(...)
  if not ready then return nil, message end
  return ready:bytes()
end

describe("a ready head", function()
  local origin = "https://waba.360dialog.io"
  local function held(for_origin)
    return assert(core.header_secret { header = "D360-API-KEY", value = "geheim-4711", origin = for_origin or origin })
  end

  local function lines(bytes)
    local found = {}
    for line in bytes:gmatch "(.-)\r\n" do found[#found + 1] = line end
    return found
  end

  it("is a request line, the headers and an empty line", function()
    local bytes = assert(head("POST", "/v1/messages?a=b", "waba.360dialog.io", {
      ["Content-Type"] = "application/json", ["Content-Length"] = "12",
    }, held(), origin))
    assert.equal("\r\n\r\n", bytes:sub(-4))
    local found = lines(bytes)
    assert.equal("POST /v1/messages?a=b HTTP/1.1", found[1])
    assert.equal("Host: waba.360dialog.io", found[2])
    assert.equal("", found[6])
    assert.equal(6, #found)
    table.sort(found)
    assert.equal("Content-Length: 12", found[2])
    assert.equal("Content-Type: application/json", found[3])
    assert.equal("D360-API-KEY: geheim-4711", found[4])
  end)

  it("can have no credentials", function()
    assert.equal("GET / HTTP/1.1\r\nHost: a:8080\r\n\r\n", head("GET", "/", "a:8080", {}))
  end)

  it("contains the secret for its own origin only", function()
    for _, other in ipairs {
      "https://waba-sandbox.360dialog.io", "https://waba.360dialog.io:8443", "https://evil.example",
      "http://localhost:8080",
    } do
      local host = other:match "://(.*)"
      local bytes = assert(head("GET", "/", host, {}, held(), other))
      assert.not_matches("geheim", bytes)
      assert.not_matches("D360", bytes)
    end
    assert.matches("geheim", head("GET", "/", "localhost:8080", {}, held "http://localhost:8080",
      "http://LOCALHOST:8080/x"))
  end)

  it("refuses a host other than the origin's", function()
    local bytes, message = head("GET", "/", "evil.example", {}, held(), origin)
    assert.is_nil(bytes)
    assert.matches("origin", message)
  end)

  it("refuses line breaks and other separators", function()
    for _, evil in ipairs { "a\r\nX: y", "a\n", "a\r", "a\0", "a\127" } do
      for _, arguments in ipairs {
        { "GET" .. evil, "/", "h", {} }, { "GET", "/" .. evil, "h", {} }, { "GET", "/", "h" .. evil, {} },
        { "GET", "/", "h", { ["X" .. evil] = "v" } }, { "GET", "/", "h", { X = "geheim" .. evil } },
      } do
        local bytes, message = head(arguments[1], arguments[2], arguments[3], arguments[4])
        assert.is_nil(bytes)
        assert.not_matches("geheim", message)
      end
    end
    for _, target in ipairs { "", "x", "*", "http://evil/", "/a b", "/a#b", "/\195\188", "/a\\b" } do
      assert.is_nil((head("GET", target, "h", {})))
    end
    for _, method in ipairs { "", "G T", "GET /" } do assert.is_nil((head(method, "/", "h", {}))) end
    assert.is_nil((head("GET", "/", "", {})))
  end)

  it("has an error text for each refusal", function()
    local METHOD = "the method is not a token: expected one such as GET"
    local TARGET = "the request's target does not begin with a slash: expected /path"
    local CHARACTER = "the request's target has a character that is not allowed: expected percent-encoding"
    for _, case in ipairs {
      { "", "", "", {}, METHOD }, { "G T", "/", "h", {}, METHOD }, { "GET", "", "", {}, TARGET }, { "GET", "*", "h", {}, TARGET },
      { "GET", "/\32", "h", {}, CHARACTER }, { "GET", "/\127", "h", {}, CHARACTER }, { "GET", "/\128", "h", {}, CHARACTER },
      { "GET", "/#", "", {}, CHARACTER }, { "GET", "/", "", {}, "the host is empty: expected the host of the URL" },
      { "GET", "/", "h\n", {}, "the header's value has a line break: expected one line" },
      { "GET", "/", "h", { Host = "h" }, "the headers contain Host: expected it only as the argument host" },
      { "GET", "/", "h", { [""] = "" }, "the header's name is empty: expected one such as X-Name" },
    } do
      assert.same({ nil, case[5] }, { head(case[1], case[2], case[3], case[4]) })
    end
    assert.equal("GET /!~\"%?@ HTTP/1.1\r\nHost: h\r\n\r\n", head("GET", "/!~\"%?@", "h", {}))
  end)

  it("refuses a second Host and a second secret header", function()
    assert.is_nil((head("GET", "/", "h", { host = "evil" })))
    local bytes, message = head("GET", "/", "waba.360dialog.io", { ["d360-api-key"] = "x" }, held(), origin)
    assert.is_nil(bytes)
    assert.matches("secret", message)
  end)

  it("raises an error for arguments of the wrong type", function()
    assert.has_error(function() head("GET", "/", "h") end)
    assert.has_error(function() head("GET", "/", "h", { X = 1 }) end)
    assert.has_error(function() head("GET", "/", "h", { "X: y" }) end)
    assert.has_error(function() head("GET", "/", "h", {}, {}) end)
    assert.has_error(function() head("GET", "/", "h", {}, io.stdout, "https://h") end)
    assert.has_error(function() head("GET", "/", "h", {}, held()) end)
  end)
  it("is the same each time, with the length of the body", function()
    local arguments = { "POST", "/v1/messages", "waba.360dialog.io", { Accept = "*/*" }, held(), origin }
    local unpack = table.unpack or unpack
    local bytes, ready = assert(head(unpack(arguments))), assert(core.ready_head(unpack(arguments)))
    collectgarbage()
    for _ = 1, 2 do
      assert.equal(bytes, ready:bytes())
      assert.equal((bytes:gsub("\r\n$", "Content-Length: 0\r\n\r\n")), ready:bytes(0))
      assert.equal((bytes:gsub("\r\n$", "Content-Length: 9007199254740992\r\n\r\n")), ready:bytes(2 ^ 53))
      assert.equal((bytes:gsub("\r\n$", "Transfer-Encoding: chunked\r\n\r\n")), ready:bytes(true))
    end
  end)

  it("is not made by code that could return the bytes of credentials", function()
    local credentials = assert(core.credentials { header = "D360-API-KEY", value = "geheim-4711", origin = origin })
    assert.has_error(function() core.ready_head("GET", "/", "waba.360dialog.io", {}, credentials, origin) end)
    assert.is_nil(core.head)
  end)

  it("shows no secret, and refuses invalid lengths", function()
    local ready = assert(core.ready_head("GET", "/", "waba.360dialog.io", {}, held(), origin))
    assert.not_matches("geheim", tostring(ready))
    assert.equal("waba.ReadyHead", tostring(ready))
    for _, length in ipairs { -1, 2 ^ 54, 0 / 0, "x", {} } do
      assert.has_error(function() ready:bytes(length) end)
    end
    assert.has_error(function() ready.bytes(io.stdout) end)
  end)

  it("has no bytes after it was closed", function()
    local ready = assert(core.ready_head("GET", "/", "waba.360dialog.io", {}, held(), origin))
    local close = debug.getmetatable(ready).__gc
    close(ready)
    close(ready)
    assert.equal("waba.ReadyHead (closed)", tostring(ready))
    for _, length in ipairs { false, true, 5 } do
      assert.error_matches(function() ready:bytes(length or nil) end, "attempt to use a closed head")
    end
  end)
end)
