-- Certificates made on the spot, with luaossl: an authority of one's own, and the leaves it signs.
-- For the emulator and for tests; a program trusts the authority through its `ca_file`.
-- In: names and validity. Out: PEM texts.

local files = require "waba.emulator.files"

local certificate = {}

local DAY = 86400

--- The file of a kept authority's certificate, in its folder.
certificate.KEPT = "authority.pem"
local KEPT_KEY = "authority.key"

--- A certificate and its private key, both PEM.
---@class waba.emulator.Certificate
---@field certificate string
---@field key string

local function load_luaossl()
  local modules = {}
  for field, module in pairs({
    pkey = "openssl.pkey", x509 = "openssl.x509", name = "openssl.x509.name",
    altname = "openssl.x509.altname", extension = "openssl.x509.extension",
    bignum = "openssl.bignum", rand = "openssl.rand",
  }) do
    local found, loaded = pcall(require, module)
    if not found then
      return nil, "certificates require luaossl (rock \"luaossl\", Debian package \"lua-luaossl\"): "
        .. tostring(loaded):match("[^\n]*")
    end
    modules[field] = loaded
  end
  return modules
end

local function is_address(host)
  return host:match("^%d+%.%d+%.%d+%.%d+$") or host:find ":"
end

-- A certificate without the extensions that distinguish an authority from a leaf.
local function draft(ssl, common_name, not_before, not_after)
  local subject = ssl.name.new()
  subject:add("CN", common_name)
  local drafted = ssl.x509.new()
  drafted:setVersion(3)
  -- Positive and of at most 20 bytes, as RFC 5280 asks.
  drafted:setSerial(ssl.bignum.fromBinary("\1" .. ssl.rand.bytes(15)))
  drafted:setSubject(subject)
  drafted:setLifetime(not_before, not_after)
  local key = ssl.pkey.new({ type = "EC", curve = "prime256v1" })
  drafted:setPublicKey(key)
  return drafted, key
end

local function pem(signed, key)
  return { certificate = signed:toPEM(), key = key:toPEM("private") }
end

--- Makes an authority that can sign leaves.
---@param options? { name?: string, not_before?: integer, not_after?: integer }  Unix seconds
---@return waba.emulator.Certificate|nil authority
---@return string? message  when luaossl is missing
function certificate.authority(options)
  options = options or {}
  local ssl, message = load_luaossl()
  if not ssl then return nil, message end
  local now = os.time()
  local drafted, key = draft(ssl, options.name or "waba emulator authority",
    options.not_before or now - DAY, options.not_after or now + 3650 * DAY)
  drafted:setIssuer(drafted:getSubject())
  drafted:setBasicConstraints({ CA = true, pathLen = 0 })
  drafted:setBasicConstraintsCritical(true)
  drafted:addExtension(ssl.extension.new("keyUsage", "critical,keyCertSign,cRLSign"))
  drafted:addExtension(ssl.extension.new("subjectKeyIdentifier", "hash", { subject = drafted }))
  drafted:sign(key, "sha256")
  return pem(drafted, key)
end

--- The authority that a folder keeps. Creates it, and the folder, if they do not exist.
---@param folder string
---@return waba.emulator.Certificate|nil authority
---@return string? message
function certificate.kept_authority(folder)
  local path, key_path = folder .. "/" .. certificate.KEPT, folder .. "/" .. KEPT_KEY
  local kept = { certificate = files.read(path), key = files.read(key_path) }
  if kept.certificate and kept.key then return kept end
  local authority, message = certificate.authority()
  if not authority then return nil, message end
  -- Whoever has the key can pose as anybody to those who trust the authority.
  os.execute(("{ umask 077; mkdir -p -- %s && : >%s; } 2>/dev/null"):format(files.quote(folder), files.quote(key_path)))
  for file, text in pairs({ [path] = authority.certificate, [key_path] = authority.key }) do
    local written, reason = pcall(files.write, file, text)
    if not written then return nil, "the certificate authority cannot be stored: " .. tostring(reason) end
  end
  return authority
end

--- Issues a server certificate signed by an authority.
---@param authority waba.emulator.Certificate
---@param options? { hosts?: string[], not_before?: integer, not_after?: integer }
---  hosts: names and addresses, "localhost" and "127.0.0.1" by default; validity in Unix seconds
---@return waba.emulator.Certificate|nil leaf
---@return string? message  when luaossl is missing
function certificate.issue(authority, options)
  options = options or {}
  local ssl, message = load_luaossl()
  if not ssl then return nil, message end
  local hosts = options.hosts or { "localhost", "127.0.0.1" }
  local now = os.time()
  local issuer = ssl.x509.new(authority.certificate, "PEM")
  local drafted, key = draft(ssl, hosts[1],
    options.not_before or now - DAY, options.not_after or now + 365 * DAY)
  drafted:setIssuer(issuer:getSubject())
  local names = ssl.altname.new()
  for _, host in ipairs(hosts) do names:add(is_address(host) and "IP" or "DNS", host) end
  drafted:setSubjectAlt(names)
  drafted:setBasicConstraints({ CA = false })
  drafted:setBasicConstraintsCritical(true)
  drafted:addExtension(ssl.extension.new("keyUsage", "critical,digitalSignature"))
  drafted:addExtension(ssl.extension.new("extendedKeyUsage", "serverAuth"))
  drafted:addExtension(ssl.extension.new("authorityKeyIdentifier", "keyid",
    { issuer = issuer, subject = drafted }))
  drafted:sign(ssl.pkey.new(authority.key, "PEM"), "sha256")
  return pem(drafted, key)
end

return certificate
