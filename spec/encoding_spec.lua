-- lua/waba/encoding.lua: base64, percent-encoding, HTTP Basic authentication.

local encoding = require "waba.encoding"
local scripted = require "spec.support.scripted_transport"

describe("base64", function()
  it("writes the test vectors of RFC 4648", function()
    local vectors = {
      [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", fooba = "Zm9vYmE=", foobar = "Zm9vYmFy",
    }
    for text, expected in pairs(vectors) do assert.equal(expected, encoding.base64(text)) end
  end)

  it("uses all 64 digits of the standard alphabet", function()
    local hex = "001083105187 20928B30D38F 411493515597 61969B71D79F 8218A39259A7 A29AABB2DBAF C31CB3D35DB7 E39EBBF3DFBF"
    local all = hex:gsub(" ", ""):gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end)
    assert.equal("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", encoding.base64(all))
  end)

  it("accepts bytes of any value and any number of bytes", function()
    local encoded = encoding.base64(("\0\255"):rep(50000))
    assert.equal(133336, #encoded)
    assert.is_nil(encoded:find "[^A-Za-z0-9+/=]")
  end)
end)

describe("percent", function()
  it("does not change the unreserved characters", function()
    local unreserved = "ABCXYZabcxyz0189-._~"
    assert.equal(unreserved, encoding.percent(unreserved))
  end)

  it("encodes all other bytes", function()
    assert.equal("a%20b%2Fc%3Fd%3De%26f%2B%25%00%0A%C3%BC", encoding.percent("a b/c?d=e&f+%\0\n" .. "\195\188"))
    for code = 0, 255 do
      local char = string.char(code)
      local expected = char:find "[%w%-._~]" and code < 128 and char or ("%%%02X"):format(code)
      assert.equal(expected, encoding.percent(char))
    end
  end)
end)

describe("the query of client:request", function()
  it("can have names that are numbers", function()
    local client, transport = scripted.client { { body = "{}" } }
    assert(client:request { method = "GET", path = "/v1/x", query = { "a b" } })
    assert.matches("/v1/x%?1=a%%20b$", transport.requests[1].url)
  end)
end)

describe("basic", function()
  it("writes the header that the gateway expects", function()
    assert.equal("Basic dGVzdHVzZXI6dGVzdHBhc3M=", encoding.basic("testuser", "testpass"))
    assert.equal("Basic Og==", encoding.basic("", ""))
    assert.equal("Basic QWxhZGRpbjpvcGVuOnNlc2FtZQ==", encoding.basic("Aladdin", "open:sesame"))
  end)

  it("agrees with base64 for every length", function()
    for user = 0, 20 do
      for password = 0, 20 do
        local u, p = ("u"):rep(user), ("\195\188"):rep(password)
        assert.equal("Basic " .. encoding.base64(u .. ":" .. p), encoding.basic(u, p))
      end
    end
  end)

  it("refuses a colon in the user and control characters in both, without quoting them", function()
    local COLON = "the user name has a colon, which HTTP Basic does not allow"
    local USER = "the user name has a control character: expected printable text"
    local PASSWORD = "the password has a control character: expected printable text"
    for _, case in ipairs {
      { ":", "p", COLON }, { "u:", "p", COLON }, { "\n", "p", USER }, { "u\31", "p", USER }, { "u\127", "", USER },
      { "u", "\r\n", PASSWORD }, { "u", "p\0", PASSWORD }, { "u", "\127p", PASSWORD },
    } do
      assert.same({ nil, case[3] }, { encoding.basic(case[1], case[2]) })
    end
    assert.equal("Basic " .. encoding.base64 " ~\128: :~\255", encoding.basic(" ~\128", " :~\255"))
  end)
end)
