-- Chooses the transport: "ngx" inside nginx, else "curl". The other one is not loaded: libcurl brings its own OpenSSL,
-- which may conflict with that of nginx.

local runtime = require "waba.runtime"

local transport = {}

local NAMES = { curl = true, ngx = true }

-- Options of `waba.client` that have no effect in nginx, and what to use instead.
local INSTEAD_IN_NGINX = {
  ca_file = "the authorities to trust are named by the directive lua_ssl_trusted_certificate",
  proxy = "its sockets use no proxy; let base_url name a location on loopback that has the directive proxy_pass",
  loop = "nginx itself is the event loop",
  max_connections = "the directive lua_socket_pool_size says how many idle connections to one host are kept, "
    .. "and worker_connections how many there may be at all",
}

-- Adds the missing methods to a user's transport, which may have `send` only.
local function complete(chosen)
  if type(chosen.send) ~= "function" then error("waba.client: option transport: a transport needs a method send", 0) end
  if chosen.sleep then return chosen end
  return {
    send = function(_, request) return chosen:send(request) end,
    sleep = function(_, seconds) runtime.sleep(seconds) end,
    waiter = function() return require("waba.transport.waiter").here() end,
    credentials = chosen.credentials and function(_, secret) return chosen:credentials(secret) end,
  }
end

--- Whether a reused connection ended without a response and the request may be sent again at once: it was certainly not
--- processed or is idempotent, and its reader was not called yet.
---@param request waba.Request
---@param failure waba.TransferFailure
---@return boolean
function transport.was_stale(request, failure)
  return failure.reused and failure.kind == "network"
    and (failure.sent == "no" or failure.sent == "maybe" and request.head.idempotent)
    and not (type(request.body) == "table" and request.body.reader)
end

local function new_ngx(options)
  for name, sentence in pairs(INSTEAD_IN_NGINX) do
    if options[name] ~= nil then
      error(("waba.client: option %s has no meaning in nginx: %s"):format(name, sentence), 0)
    end
  end
  return require("waba.transport.ngx").new()
end

--- Makes the transport that the options of a client name, or the one for this process.
---@param options waba.ClientOptions
---@return waba.Transport
---@return boolean owned  made here: the caller must close it
function transport.new(options)
  local chosen, in_nginx = options.transport, runtime.is_nginx()
  if type(chosen) == "table" then return complete(chosen), false end
  chosen = chosen or (in_nginx and "ngx" or "curl")
  if not NAMES[chosen] then
    error(('waba.client: option transport: unknown transport "%s" (curl, ngx)'):format(chosen), 0)
  end
  if chosen == "ngx" then
    if not in_nginx then error('waba.client: option transport: "ngx" works inside nginx only', 0) end
    return new_ngx(options), true
  end
  if in_nginx then
    error('waba.client: option transport: "curl" would hold up the whole worker of nginx; leave it out', 0)
  end
  return require("waba.transport.curl").new {
    ca_file = options.ca_file, proxy = options.proxy, loop = options.loop, max_connections = options.max_connections,
  }, true
end

return transport
