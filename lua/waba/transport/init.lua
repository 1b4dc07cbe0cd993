-- Chooses the transport: "ngx" inside nginx, else "curl". What is not chosen is not loaded: libcurl
-- brings an OpenSSL of its own that may clash with that of nginx.

local transport = {}

local HOMES = { curl = true, ngx = true }

-- Options of `waba.client` that nginx has its own word for.
local NGINX_SAYS = {
  ca_file = "the authorities to trust are named by the directive lua_ssl_trusted_certificate",
  proxy = "its sockets use no proxy; let base_url name a location on loopback that has the directive proxy_pass",
  loop = "nginx itself is the event loop",
  max_connections = "the directive lua_socket_pool_size says how many idle connections to one host are kept, "
    .. "and worker_connections how many there may be at all",
}

--- Whether this is an nginx with its Lua module, in a place where sockets are nginx's own.
---@return boolean
function transport.is_nginx()
  local ngx = rawget(_G, "ngx")
  return type(ngx) == "table" and type(ngx.socket) == "table" and type(ngx.get_phase) == "function"
end

-- The running coroutine as one that can wait for another, in the loop that it lives in.
local function waiter_of_loop()
  if transport.is_nginx() then return require("waba.transport.ngx").new():waiter() end
  local loop, task = require("waba.transport.loop").detect()
  return require("waba.transport.waiter").of_loop(loop, task or loop.task())
end

-- A transport as users make it may have `send` only.
local function complete(given)
  if type(given.send) ~= "function" then error("waba.client: option transport: a transport needs a method send", 0) end
  if given.sleep then return given end
  local sleep = require("waba.transport.loop").sleep
  return {
    send = function(_, request) return given:send(request) end,
    sleep = function(_, seconds) sleep(seconds) end,
    waiter = waiter_of_loop,
    credentials = given.credentials and function(_, secret) return given:credentials(secret) end,
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
  for name, sentence in pairs(NGINX_SAYS) do
    if options[name] ~= nil then
      error(("waba.client: option %s has no meaning in nginx: %s"):format(name, sentence), 0)
    end
  end
  return require("waba.transport.ngx").new()
end

--- The transport that the options of a client ask for, or that fits the place.
---@param options waba.ClientOptions
---@return waba.Transport
---@return boolean owned  made here: whoever asked for it has to close it
function transport.new(options)
  local chosen, in_nginx = options.transport, transport.is_nginx()
  if type(chosen) == "table" then return complete(chosen), false end
  chosen = chosen or (in_nginx and "ngx" or "curl")
  if not HOMES[chosen] then
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
