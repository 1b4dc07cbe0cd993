-- lua/waba/loopback.lua recognises the names and addresses of this machine.

local loopback = require "waba.loopback"

describe("the address of this machine", function()
  it("is recognized in each of its forms", function()
    for host, expected in pairs {
      ["localhost"] = true, ["127.0.0.1"] = true, ["127.255.9.8"] = true, ["::1"] = true, ["[::1]"] = true,
      ["127.0.0.1.example"] = false, ["a127.0.0.1"] = false, ["127.0.0"] = false, ["128.0.0.1"] = false, ["::2"] = false,
      ["localhost.example"] = false, [""] = false,
    } do
      assert.equal(expected, loopback.is_host(host), host)
    end
    for url, expected in pairs {
      ["http://localhost"] = true, ["http://localhost:80/a"] = true, ["https://127.0.0.1?a"] = true, ["http://[::1]:8080/a"] = true,
      ["http://[::2]:8080"] = false, ["http://waba.example/localhost"] = false, ["http://localhost@waba.example"] = false,
      ["localhost"] = false, [""] = false,
    } do
      assert.equal(expected, loopback.is_url(url), url)
    end
  end)
end)
