-- Certificates made on the spot, judged by OpenSSL's own verification.

local store = require "openssl.x509.store"
local verify_param = require "openssl.x509.verify_param"
local x509 = require "openssl.x509"

local certificate = require "waba.emulator.certificate"

local function verify(authority, leaf, host, address)
  local trusted = store.new()
  trusted:add(x509.new(authority.certificate))
  local parameters = verify_param.new()
  if host then
    parameters:setHost(host)
  elseif address then
    parameters:setIP(address)
  end
  trusted:setParam(parameters)
  return (trusted:verify(x509.new(leaf.certificate)))
end

describe("a certificate", function()
  local authority

  lazy_setup(function() authority = assert(certificate.authority({ name = "spec authority" })) end)

  it("is good for localhost and 127.0.0.1 unless told otherwise", function()
    local leaf = certificate.issue(authority)
    assert.is_true(verify(authority, leaf, "localhost"))
    assert.is_true(verify(authority, leaf, nil, "127.0.0.1"))
    assert.is_false(verify(authority, leaf, "other.example"))
  end)

  it("is good for the hosts it is given", function()
    local leaf = certificate.issue(authority, { hosts = { "hooks.example", "::1" } })
    assert.is_true(verify(authority, leaf, "hooks.example"))
    assert.is_true(verify(authority, leaf, nil, "::1"))
    assert.is_false(verify(authority, leaf, "localhost"))
  end)

  it("is good within its time only", function()
    local now = os.time()
    assert.is_false(verify(authority, certificate.issue(authority, { not_before = now - 200, not_after = now - 100 })))
    assert.is_false(verify(authority, certificate.issue(authority, { not_before = now + 100, not_after = now + 200 })))
  end)

  it("is good for those only who trust its authority", function()
    local other = certificate.authority()
    assert.is_false(verify(other, certificate.issue(authority), "localhost"))
    assert.is_false(verify(certificate.authority({ name = "spec authority" }), certificate.issue(authority), "localhost"))
  end)

  it("has a serial number and a key of its own", function()
    local first, second = certificate.issue(authority), certificate.issue(authority)
    assert.not_equal(first.certificate, second.certificate)
    assert.not_equal(first.key, second.key)
    assert.not_equal(tostring(x509.new(first.certificate):getSerial()), tostring(x509.new(second.certificate):getSerial()))
  end)
end)
