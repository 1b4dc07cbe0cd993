-- A client whose option `hosting` does not fit its key: its errors and the output of `waba doctor` name the right
-- hosting.

local command = require "spec.support.command"
local core = require "waba.core"
local process = require "spec.support.process"
local waba = require "waba"

describe("a key of the other hosting", function()
  local emulator, gateways

  setup(function()
    emulator = assert(waba.emulator.start { api_key = "premise-key", cloud = { api_key = "cloud-key" }, statuses = false })
    gateways = { on_premise = emulator, cloud = emulator.cloud }
  end)

  teardown(function() emulator:stop() end)

  local OTHER = { on_premise = "cloud", cloud = "on_premise" }

  -- Returns the error of a send with a client of this hosting to this gateway, with this API key.
  local function refusal(hosting, gateway, api_key)
    local client = waba.client { hosting = hosting, base_url = gateway.url, api_key = api_key, ca_file = emulator.ca_file,
      retry = false }
    local sent, err = client:send("491511234567", waba.text "Hi")
    client:close()
    assert.is_nil(sent)
    return err
  end

  for hosting, other in pairs(OTHER) do
    it("is refused by the gateway with a message that names the option: " .. hosting, function()
      local err = refusal(hosting, gateways[hosting], gateways[other].api_key)
      assert.equal("auth", err.kind)
      assert.matches(('hosting = "%s"'):format(other), err.message, 1, true)
    end)

    it("at the other gateway's address is refused with a message that names the option: " .. hosting, function()
      local err = refusal(hosting, gateways[other], gateways[other].api_key)
      assert.equal(404, err.status)
      assert.matches(('hosting = "%s"'):format(other), err.message, 1, true)
    end)

    it("is found by doctor: " .. hosting, function()
      local result = command.run({ D360_API_KEY = gateways[other].api_key, WABA_HOSTING = hosting,
        WABA_BASE_URL = gateways[other].url, WABA_CA_FILE = emulator.ca_file, HOME = "/nonexistent" }, { "doctor", "--json" })
      assert.equal(1, result.code)
      local lines = {}
      for _, line in ipairs(core.decode(result.out)) do lines[line.name] = line end
      assert.is_false(lines.hosting.good)
      assert.matches(('hosting = "%s"'):format(other), lines.hosting.says, 1, true)
      assert.matches("WABA_HOSTING=" .. other, lines.hosting.advice, 1, true)
    end)
  end

  it("at an unreachable On-Premise gateway returns an error that names the end of On-Premise hosting", function()
    local client = waba.client { api_key = "k", base_url = "https://gone.invalid", timeout = 5, retry = false }
    local sent, err = client:send("491511234567", waba.text "Hi")
    client:close()
    assert.is_nil(sent)
    assert.equal("network", err.kind)
    assert.matches('ended in October 2025: for a number on Cloud hosting set hosting = "cloud"', err.message, 1, true)
    client = waba.client { api_key = "k", base_url = "https://gone.invalid", hosting = "cloud", timeout = 5, retry = false }
    err = select(2, client:send("491511234567", waba.text "Hi"))
    client:close()
    assert.is_nil(err.message:find("hosting =", 1, true))
  end)

  -- Returns the error of an On-Premise client that can't reach its gateway, in a process with these environment
  -- variables.
  local function unreached(environment, options)
    return process.run(("env -u https_proxy -u HTTPS_PROXY -u all_proxy -u ALL_PROXY %s %s -e %s 2>&1"):format(environment,
      process.interpreter(), process.quote(([[
        local waba = require "waba"
        local client = waba.client { api_key = "k", base_url = "https://gone.invalid", timeout = 5, retry = false, %s }
        print(select(2, client:send("491511234567", waba.text "Hi")))]]):format(options))))
  end

  it("is not suggested if the proxy may have failed", function()
    assert.matches("ended in October 2025", unreached("", ""), 1, true)
    assert.matches("ended in October 2025", unreached("https_proxy=http://127.0.0.1:9", 'proxy = ""'), 1, true)
    for _, result in ipairs {
      unreached("", 'proxy = "http://127.0.0.1:9"'), unreached("", 'proxy = "http://proxy.invalid:9"'),
      unreached("https_proxy=http://127.0.0.1:9", ""), unreached("ALL_PROXY=socks5h://127.0.0.1:9", ""),
    } do
      assert.matches("^network: ", result)
      assert.is_nil(result:find("hosting =", 1, true), result)
    end
  end)

  it("is not suggested for an unknown id or for a path of the caller's own", function()
    local client = waba.client(emulator:options {})
    local err = select(2, client.media:download "00000000-0000-0000-0000-000000000000")
    assert.equal("not_found", err.kind)
    assert.is_nil(err.message:find("hosting =", 1, true))
    err = select(2, client:request { path = "/v1/nowhere" })
    assert.equal(404, err.status)
    assert.is_nil(err.message:find("hosting =", 1, true))
    client:close()
  end)
end)
