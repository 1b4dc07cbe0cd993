-- Selects the transport of a client: "ngx" inside nginx, else "curl". Inside nginx the transport "curl" is not loaded,
-- because libcurl loads its own OpenSSL. Two OpenSSL libraries in one process can conflict.

local runtime = require "waba.runtime"

local transport = {}

local NAMES = { curl = true, ngx = true }

-- The options of `waba.client` that do not exist in nginx, and their replacements.
local INSTEAD_IN_NGINX = {
  ca_file = "the authorities to trust are named by the directive lua_ssl_trusted_certificate",
  proxy = "its sockets use no proxy: set base_url to a location on loopback that has the directive proxy_pass",
  loop = "nginx itself is the event loop",
  max_connections = "the directive lua_socket_pool_size sets how many idle connections to one host are kept, "
    .. "and worker_connections how many there may be at all",
}

-- Returns a user's transport with the methods that the library needs. Only `send` is required.
local function complete(chosen)
  if type(chosen.send) ~= "function" then error("waba.client: option transport must have a method send", 0) end
  if chosen.sleep then return chosen end
  return {
    send = function(_, request) return chosen:send(request) end,
    sleep = function(_, seconds) runtime.sleep(seconds) end,
    waiter = function() return require("waba.transport.waiter").here() end,
    credentials = chosen.credentials and function(_, secret) return chosen:credentials(secret) end,
  }
end

--- Returns whether a failed request can be sent again at once: the server has closed a reused connection, the body has
--- no reader, and the server can't have received the complete request or the request is idempotent.
function transport.was_stale(request, failure)
  return failure.reused and failure.kind == "network"
    and (failure.sent == "no" or failure.sent == "maybe" and request.head.idempotent)
    and not (type(request.body) == "table" and request.body.reader)
end

-- The transports of this process by their options. Clients with the same transport options share one transport, with
-- its engine and its connections.
local shared = setmetatable({}, { __mode = "v" })

local OPTIONS = { "ca_file", "proxy", "loop", "max_connections" }

local function share(kind, options)
  local name, selected = kind, {}
  for _, option in ipairs(OPTIONS) do
    name = name .. "\n" .. tostring(options[option] or "")
    selected[option] = options[option]
  end
  local found = shared[name]
  if found and not found.closed then return found end
  found = require("waba.transport." .. kind).new(selected)
  found.users, shared[name] = 0, found
  return found
end

--- Returns the transport that the options of a client select. Clients with the same options share a transport.
---@return waba.Transport
---@return boolean is_shared  true: the caller must call `retain`, and `release` when the client is closed; false: the
---        transport is a user's own
function transport.of(options)
  local chosen, in_nginx = options.transport, runtime.is_nginx()
  if type(chosen) == "table" then return complete(chosen), false end
  chosen = chosen or (in_nginx and "ngx" or "curl")
  if not NAMES[chosen] then
    error(('waba.client: option transport: unknown transport "%s": expected curl or ngx'):format(chosen), 0)
  end
  if chosen == "ngx" and not in_nginx then
    error('waba.client: option transport: "ngx" works inside nginx only', 0)
  elseif chosen == "curl" and in_nginx then
    error('waba.client: option transport: "curl" would block the whole worker of nginx: leave it out', 0)
  end
  for name, instead in pairs(in_nginx and INSTEAD_IN_NGINX or {}) do
    if options[name] ~= nil then
      error(("waba.client: option %s does not exist in nginx: %s"):format(name, instead), 0)
    end
  end
  return share(chosen, options), true
end

--- Counts a client that uses a shared transport.
function transport.retain(used) used.users = used.users + 1 end

--- Cancels the requests of a client that was closed. If no other client uses the transport, closes the transport.
---@param used waba.Transport
---@param owner any  the field `owner` of the client's request heads
function transport.release(used, owner)
  used.users = used.users - 1
  if used.users == 0 then return used:close() end
  if used.cancel then used:cancel(owner) end
end

return transport
