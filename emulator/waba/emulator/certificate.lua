-- Creates certificates with luaossl, for the emulator and for tests: an authority, and server certificates that the
-- authority signs. A client whose option `ca_file` names the authority's file trusts the
-- authority.

local files = require "waba.emulator.files"

local certificate = {}

local DAY = 86400

local unpack = table.unpack or unpack

--- The name of the file with the certificate of an authority, in the folder of the option `authority`.
certificate.KEPT = "authority.pem"
local KEPT_KEY = "authority.key"

--- A certificate and its private key, both as PEM text.
---@class waba.emulator.Certificate
---@field certificate string
---@field key string

local function load_luaossl()
  local found, message = pcall(require, "openssl.x509")
  if not found then
    return nil, "certificates require luaossl (rock \"luaossl\", Debian package \"lua-luaossl\"): "
      .. tostring(message):match("[^\n]*")
  end
  return { pkey = require "openssl.pkey", x509 = require "openssl.x509", name = require "openssl.x509.name",
    altname = require "openssl.x509.altname", extension = require "openssl.x509.extension",
    bignum = require "openssl.bignum", rand = require "openssl.rand" }
end

-- Creates the part of a certificate that authorities and servers have in common.
local function draft(ssl, common_name, options, days)
  local now = os.time()
  local subject = ssl.name.new()
  subject:add("CN", common_name)
  local drafted = ssl.x509.new()
  drafted:setVersion(3)
  -- The serial number must be positive and have at most 20 bytes (RFC 5280).
  drafted:setSerial(ssl.bignum.fromBinary("\1" .. ssl.rand.bytes(15)))
  drafted:setSubject(subject)
  drafted:setLifetime(options.not_before or now - DAY, options.not_after or now + days * DAY)
  local key = ssl.pkey.new({ type = "EC", curve = "prime256v1" })
  drafted:setPublicKey(key)
  return drafted, key
end

-- Completes a certificate, and signs the certificate with the key of its issuer.
local function sign(ssl, drafted, key, issuer_key, is_authority, extensions)
  drafted:setBasicConstraints(is_authority and { CA = true, pathLen = 0 } or { CA = false })
  drafted:setBasicConstraintsCritical(true)
  for _, extension in ipairs(extensions) do drafted:addExtension(ssl.extension.new(unpack(extension))) end
  drafted:sign(issuer_key, "sha256")
  return { certificate = drafted:toPEM(), key = key:toPEM("private") }
end

--- Creates an authority that can sign server certificates.
---@param options? { name?: string, not_before?: integer, not_after?: integer }  the validity in Unix seconds
---@return waba.emulator.Certificate|nil authority
---@return string? message  an error text if luaossl is not installed
function certificate.authority(options)
  options = options or {}
  local ssl, message = load_luaossl()
  if not ssl then return nil, message end
  local drafted, key = draft(ssl, options.name or "waba emulator authority", options, 3650)
  drafted:setIssuer(drafted:getSubject())
  return sign(ssl, drafted, key, key, true, { { "keyUsage", "critical,keyCertSign,cRLSign" },
    { "subjectKeyIdentifier", "hash", { subject = drafted } } })
end

--- Returns the authority in a folder. Creates the authority and the folder if they do not exist.
---@param folder string
---@return waba.emulator.Certificate|nil authority
---@return string? message
function certificate.kept_authority(folder)
  local path, key_path = folder .. "/" .. certificate.KEPT, folder .. "/" .. KEPT_KEY
  local kept = { certificate = files.read(path), key = files.read(key_path) }
  if kept.certificate and kept.key then return kept end
  local authority, message = certificate.authority()
  if not authority then return nil, message end
  -- Programs that trust the authority accept every certificate signed with its key, so only the owner may read the key.
  os.execute(("{ umask 077; mkdir -p -- %s && : >%s; } 2>/dev/null"):format(files.quote(folder), files.quote(key_path)))
  for file, text in pairs({ [path] = authority.certificate, [key_path] = authority.key }) do
    local written, reason = pcall(files.write, file, text)
    if not written then return nil, "option authority: the authority can't be stored: " .. tostring(reason) end
  end
  return authority
end

--- Creates a server certificate that an authority signs.
---@param authority waba.emulator.Certificate
---@param options? { hosts?: string[], not_before?: integer, not_after?: integer }
---  hosts: names and addresses, by default "localhost" and "127.0.0.1"; the validity in Unix seconds
---@return waba.emulator.Certificate|nil leaf
---@return string? message  an error text if luaossl is not installed
function certificate.issue(authority, options)
  options = options or {}
  local ssl, message = load_luaossl()
  if not ssl then return nil, message end
  local hosts = options.hosts or { "localhost", "127.0.0.1" }
  local issuer = ssl.x509.new(authority.certificate, "PEM")
  local drafted, key = draft(ssl, hosts[1], options, 365)
  drafted:setIssuer(issuer:getSubject())
  local names = ssl.altname.new()
  for _, host in ipairs(hosts) do names:add((host:find("^[%d.]+$") or host:find ":") and "IP" or "DNS", host) end
  drafted:setSubjectAlt(names)
  return sign(ssl, drafted, key, ssl.pkey.new(authority.key, "PEM"), false, {
    { "keyUsage", "critical,digitalSignature" }, { "extendedKeyUsage", "serverAuth" },
    { "authorityKeyIdentifier", "keyid", { issuer = issuer, subject = drafted } } })
end

return certificate
