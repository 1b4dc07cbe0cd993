-- The errors that `waba doctor` finds.

local command = require "spec.support.command"
local core = require "waba.core"
local process = require "spec.support.process"
local servers = require "spec.support.server"

local function date(seconds) return os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + seconds) end

describe("waba doctor", function()
  local gateway, environment

  setup(function()
    gateway = servers.start { protocol = "HTTP/1.1", tls = true, certificate = "valid" }
    environment = { D360_API_KEY = "a-key", WABA_BASE_URL = gateway.url, WABA_CA_FILE = gateway.ca_file,
      HOME = "/nonexistent" }
    gateway:respond("/v1/configs/webhook", { body = ('{"url":"%s/hook"}'):format(gateway.url) })
    gateway:respond("/hook", { status = 405 })
    gateway:respond("/v1/health", { body = '{"health":{"gateway_status":"connected"}}' })
  end)

  teardown(function() gateway:stop() end)

  local function examine(skew, more)
    gateway:respond("/v1/configs/phone_number", { headers = { { "Date", date(skew) } },
      body = '{"phone_number":"49305550199"}' })
    local options = {}
    for name, value in pairs(environment) do options[name] = value end
    for name, value in pairs(more or {}) do options[name] = value or nil end
    local result = command.run(options, { "doctor", "--json" })
    local lines = {}
    for _, line in ipairs(assert(core.decode(result.out), result.out)) do lines[line.name] = line end
    return lines, result.code
  end

  it("detects a clock that is fast or slow, in any time zone", function()
    local lines, code = examine(0, { TZ = "Asia/Kolkata" })
    assert.is_true(lines.clock.good)
    assert.matches("TLS verified", lines.gateway.says)
    assert.equal(0, code)
    for skew, words in pairs { [7200] = "behind", [-7200] = "ahead of" } do
      lines, code = examine(skew, { TZ = "America/New_York" })
      assert.is_false(lines.clock.good)
      assert.matches("^7%d%d%d s " .. words, lines.clock.says)
      assert.matches("Set the clock", lines.clock.advice)
      assert.equal(1, code)
    end
  end)

  it("shows the errors of the number's client", function()
    gateway:respond("/v1/health", { body = [[{"health":{"a:1":{"gateway_status":"connected"},
      "b:1":{"errors":[{"code":1014,"title":"Internal error","details":"a detail"},{"title":"another title"},{"code":3}]}}}]] })
    local lines = examine(0)
    assert.equal("connected; Internal error: a detail; another title; the platform's error has no text", lines.health.says)
    assert.is_true(lines.health.good)
    gateway:respond("/v1/health", { body = '{"health":{"a:1":{"gateway_status":"connecting"}}}' })
    lines = examine(0)
    gateway:respond("/v1/health", { body = '{"health":{"gateway_status":"connected"}}' })
    assert.equal("not connected", lines.health.says)
    assert.is_false(lines.health.good)
  end)

  it("reports an untrusted certificate, and skips the checks that depend on the connection", function()
    local lines, code = examine(0, { WABA_CA_FILE = "/etc/ssl/certs/ca-certificates.crt" })
    assert.is_false(lines.gateway.good)
    assert.matches("%-%-ca%-file", lines.gateway.advice)
    assert.is_nil(lines.key)
    assert.equal(1, code)
  end)

  it("connects to the webhook URL, and accepts one on this machine for a gateway on this machine", function()
    local lines, code = examine(0)
    assert.equal(0, code)
    assert.matches("/hook, reached from here %(status 405%)", lines.webhook.says)
    gateway:respond("/v1/configs/webhook", { body = ('{"url":"http://127.0.0.1:%d/"}'):format(process.free_port()) })
    lines, code = examine(0)
    assert.equal(1, code)
    assert.is_false(lines.webhook.good)
    assert.matches("No server responds there", lines.webhook.advice)
    gateway:respond("/v1/configs/webhook", { body = '{"url":"http://shop.invalid/wa"}' })
    assert.matches("must begin with https", examine(0).webhook.advice)
    gateway:respond("/v1/configs/webhook", { body = '{"url":"https://shop.invalid/wa"}' })
    assert.matches("shop.invalid", examine(0).webhook.says)
  end)

  it("reports a missing key, and where it can be set", function()
    local lines, code = examine(0, { D360_API_KEY = false })
    assert.is_false(lines["api key"].good)
    assert.matches("D360_API_KEY", lines["api key"].says)
    assert.equal(1, code)
  end)
end)
