-- Connections of the transport inside nginx: cosockets from the pools of nginx, or new cosockets with a TLS handshake.
-- If the configuration of nginx lacks a directive, the error names the directive.

local core = require "waba.core"
local http1 = require "waba.transport.http1"

local ngx = ngx

local ngx_connection = {}

-- The remedies for error texts of nginx that a missing directive causes.
local TRUST = "add the directive lua_ssl_trusted_certificate with the gateway's authority "
  .. "(for instance: lua_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;)"
local DEPTH = "add the directive lua_ssl_verify_depth 3;"
local DIRECTIVES = {
  ["too many open files"] = "raise the limit of open files by the directive worker_rlimit_nofile",
  ["no connection is left in this worker"] = "raise the limit by the directive worker_connections",
  ["no resolver defined"] = "add the directive resolver (for instance: resolver 127.0.0.53;)",
  ["unable to get local issuer certificate"] = TRUST .. " and " .. DEPTH,
  ["unable to get issuer certificate"] = TRUST .. " and " .. DEPTH,
  ["unable to verify the first certificate"] = TRUST,
  ["self-signed certificate"] = TRUST,
  ["self signed certificate"] = TRUST,
  ["certificate chain too long"] = DEPTH,
}

-- Error texts of earlier operations, which `connect` itself never causes. If a worker process has no free connection,
-- `connect` returns such an old error text.
local NONE_LEFT = "no connection is left in this worker"
local EARLIER = {
  ["no such file or directory"] = true, ["operation now in progress"] = true, success = true,
  ["resource temporarily unavailable"] = true, ["operation already in progress"] = true,
  ["inappropriate ioctl for device"] = true, ["no such device or address"] = true,
}

-- The least number of seconds between the beginnings of two handshakes. A handshake blocks the worker process for up to
-- a millisecond, and the process must serve other requests in between.
local HANDSHAKE_INTERVAL = 0.002

local CONNECT_TIMEOUT = 10

local NAME_NEEDED = "nginx can verify the certificate of a host name only: use one in base_url"

local function explained(reason)
  for text, directive in pairs(DIRECTIVES) do
    if reason:find(text, 1, true) then return reason .. "; " .. directive end
  end
  return reason
end

-- The time at which the last handshake of this worker process began, and the earliest time that no handshake has
-- reserved.
local last_handshake, next_slot = 0, 0

-- Reserves a time for a handshake, and waits for this time. Returns false if the time is not before `limit`. Handshakes
-- that have waited while the worker process was blocked do not begin all at once.
local function wait_for_handshake(limit)
  while true do
    local now = core.clock()
    if now >= last_handshake + HANDSHAKE_INTERVAL then
      last_handshake = now
      return true
    end
    local slot = math.max(next_slot, last_handshake + HANDSHAKE_INTERVAL)
    if slot >= limit then return false end
    next_slot = slot + HANDSHAKE_INTERVAL
    ngx.sleep(math.max(0.001, slot - now))
  end
end

-- The numbers that OpenSSL uses for TLS versions.
local TLS_1_2, OLDER_VERSIONS = 0x0303, { [0x0300] = "SSL 3.0", [0x0301] = "TLS 1.0", [0x0302] = "TLS 1.1" }

-- The function of OpenSSL is declared under another name, because another library can have declared its original name
-- differently.
local has_version, tls_version = pcall(function()
  local ffi = require "ffi"
  pcall(ffi.cdef, [[int waba_tls_version(const void *session) __asm__("SSL_SESSION_get_protocol_version");]])
  return ffi.C.waba_tls_version
end)

-- Returns the TLS version of a session, or nil if the TLS library of nginx has no function for the version.
local function version_of(session)
  return has_version and type(session) == "cdata" and session ~= nil and tls_version(session) or nil
end

local BAD_CERTIFICATE = "%s closed the connection right after the handshake; its certificate is probably not trusted: "
  .. TRUST

--- Returns nil and the failure of a connection that was closed right after the TLS handshake. The error text names a
--- probable cause: some versions of nginx close the connection if the certificate is not trusted.
function ngx_connection.fail_uncertain(exchange, target, reason)
  exchange.is_uncertain = true
  return http1.fail(exchange, "tls", BAD_CERTIFICATE:format(target.authority), reason)
end

local function perform_handshake(exchange, target, limit)
  local returned, session, reason = true, nil, "timeout"
  if wait_for_handshake(limit) then
    exchange.socket:settimeout(http1.milliseconds(limit - core.clock()))
    returned, session, reason = pcall(exchange.socket.sslhandshake, exchange.socket, nil, target.name, true)
  end
  exchange.armed = 0
  if not returned then return ngx_connection.fail_uncertain(exchange, target, "assertion") end
  if session then
    exchange.fresh_tls = true
    local spoken = version_of(session)
    if not spoken or spoken >= TLS_1_2 then return true end
    return http1.fail(exchange, "tls", ("no TLS with %s: its version is %s; TLS 1.2 or newer is needed"):format(
      target.authority, OLDER_VERSIONS[spoken] or ("version %#06x"):format(spoken)), "old_version")
  end
  reason = reason or "handshake failed"
  if reason == "timeout" or reason == "closed" or reason == "connection reset by peer" then
    return http1.fail_by_reason(exchange, reason, "no TLS with " .. target.authority)
  end
  local explanation = explained(reason)
  if target.is_address and reason:find "mismatch" then explanation = reason .. "; " .. NAME_NEEDED end
  return http1.fail(exchange, "tls", ("no TLS with %s: %s"):format(target.authority, explanation), reason)
end

--- Takes a connection from the pool of nginx, or opens a new connection with a TLS handshake. `target` is the parsed
--- URL of the request (`target_of` in ngx.lua). Returns true, or nil and a `waba.TransferFailure`.
function ngx_connection.open(exchange, target, now)
  local limit = math.min(exchange.deadline, now + (exchange.request.connect_timeout or CONNECT_TIMEOUT))
  if limit <= now then return http1.fail(exchange, "timeout", "the timeout passed: there is no connection") end
  local socket, left = exchange.socket, http1.milliseconds(exchange.deadline - now)
  socket:settimeouts(http1.milliseconds(limit - now), left, left)
  exchange.armed = now
  local done, reason = socket:connect(target.address, target.port, target.options)
  if not done then
    local _, failure = http1.fail_by_reason(exchange, EARLIER[reason] and NONE_LEFT or reason,
      "no connection to " .. target.authority)
    failure.message = explained(failure.message)
    return nil, failure
  end
  local reused = socket:getreusedtimes() > 0
  exchange.reused = reused
  if reused or not target.secure then return true end
  return perform_handshake(exchange, target, limit)
end

return ngx_connection
