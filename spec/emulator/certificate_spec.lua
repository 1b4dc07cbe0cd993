-- The certificates that the emulator generates, verified by OpenSSL.

local x509 = require "openssl.x509"

local certificate = require "waba.emulator.certificate"

local function write(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

local function verify(authority, leaf, host, address)
  local ca_file, leaf_file = write(authority.certificate), write(leaf.certificate)
  local pipe = io.popen(("openssl verify -x509_strict -CAfile %s %s %s 2>&1"):format(ca_file,
    host and "-verify_hostname " .. host or address and "-verify_ip " .. address or "", leaf_file))
  local said = pipe:read("*a")
  pipe:close()
  os.remove(ca_file)
  os.remove(leaf_file)
  return said:find(": OK\n", 1, true) ~= nil
end

describe("a certificate", function()
  local authority

  lazy_setup(function() authority = assert(certificate.authority({ name = "spec authority" })) end)

  it("reports a folder that is a file, without a line of the emulator", function()
    local file = write "no folder"
    local kept, message = certificate.kept_authority(file)
    assert.is_nil(kept)
    assert.matches("^option authority: the authority can't be stored: " .. file .. "/%S+: Not a directory$", message)
    os.remove(file)
  end)

  it("is valid for localhost and 127.0.0.1 by default", function()
    local leaf = certificate.issue(authority)
    assert.is_true(verify(authority, leaf, "localhost"))
    assert.is_true(verify(authority, leaf, nil, "127.0.0.1"))
    assert.is_false(verify(authority, leaf, "other.example"))
  end)

  it("is valid for the hosts of its option", function()
    local leaf = certificate.issue(authority, { hosts = { "hooks.example", "::1" } })
    assert.is_true(verify(authority, leaf, "hooks.example"))
    assert.is_true(verify(authority, leaf, nil, "::1"))
    assert.is_false(verify(authority, leaf, "localhost"))
  end)

  it("is valid only within its period", function()
    local now = os.time()
    assert.is_false(verify(authority, certificate.issue(authority, { not_before = now - 200, not_after = now - 100 })))
    assert.is_false(verify(authority, certificate.issue(authority, { not_before = now + 100, not_after = now + 200 })))
  end)

  it("is valid only for clients that trust its authority", function()
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
