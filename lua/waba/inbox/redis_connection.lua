-- A connection to Redis that runs scripts: through redis-lua outside nginx, through lua-resty-redis
-- or Debian's lua-nginx-redis (the same library under another name) inside.

local library = require "waba.library"
local runtime = require "waba.runtime"

local unpack = table.unpack or unpack -- luacheck: ignore 143

local redis_connection = {}

--- The address of a Redis server.
---@options waba.RedisAddress
redis_connection.OPTIONS = {
  host = { "string", "127.0.0.1" },
  port = { "integer>=1", 6379 },
  path = "string",             -- of a Unix socket, instead of host and port
  password = "string",
  user = "string",             -- with a password
  database = "integer>=0",
  timeout = { "number>0", 5 }, -- seconds for connecting and for each call
}

-- AUTH and SELECT, as lists of words.
local function greetings(address)
  local list = {}
  if address.password and address.user then
    list[1] = { "AUTH", address.user, address.password }
  elseif address.password then
    list[1] = { "AUTH", address.password }
  end
  if address.database then list[#list + 1] = { "SELECT", tostring(address.database) } end
  return list
end

-- The library of the place this runs in. Raises, naming it, when it is not there.
local function load_library()
  local ok, loaded = pcall(require, runtime.is_nginx() and "resty.redis" or "redis")
  if ok then return loaded end
  if not runtime.is_nginx() then
    loaded = library.load("redis", "redis-lua", "lua-redis", "waba.inbox.redis", 4)
  else
    loaded = library.load("nginx.redis", "lua-resty-redis", "lua-nginx-redis", "waba.inbox.redis in nginx", 4)
  end
  return loaded
end

-- Errors of a server that does not accept writes (any more): after a failover another server has its name.
local NOT_SERVING = { "READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "MOVED" }

local function is_not_serving(message)
  for _, word in ipairs(NOT_SERVING) do
    if message:find("%f[%u]" .. word .. "%f[%U]") then return true end
  end
  return false
end

-- Inside nginx: a connection from the worker's pool for each call, since a cosocket belongs to the
-- request that opened it. A pool is left when one of its connections turns out to be of no use.
local function nginx_connection(redis, address)
  local connection, generation = {}, 0

  local function connect()
    local client = redis:new()
    client:set_timeout(address.timeout * 1000)
    local place = address.path and "unix:" .. address.path or address.host
    local pool = { pool = ("waba.inbox %s %s %s %s %d"):format(place, address.path and "" or address.port,
      address.user or "", address.database or "", generation) }
    local ok, message
    if address.path then
      ok, message = client:connect(place, pool)
    else
      ok, message = client:connect(place, address.port, pool)
    end
    if not ok then return nil, message end
    local is_new = client:get_reused_times() == 0
    if is_new then
      for _, words in ipairs(greetings(address)) do
        ok, message = client[words[1]:lower()](client, unpack(words, 2))
        if not ok then return nil, message end
      end
    end
    return client, is_new
  end

  -- Returns the reply, or nil and a message, and whether a new connection may get another reply.
  local function attempt(command, ...)
    local client, is_new = connect()
    if not client then return nil, is_new, false end
    local reply, message = client[command:lower()](client, ...)
    -- `false` is Redis' own error: the connection is sound; nil is the connection's
    if reply == nil then return nil, message, not is_new end
    if reply == false and is_not_serving(message) then
      client:close()
      return nil, message, true
    end
    client:set_keepalive(60000, 32)
    if reply == false then return nil, message, false end
    return reply
  end

  function connection.call(command, ...)
    local reply, message, is_worth_another = attempt(command, ...)
    if not is_worth_another then return reply, message end
    generation = generation + 1
    reply, message, is_worth_another = attempt(command, ...)
    if is_worth_another then generation = generation + 1 end
    return reply, message
  end

  function connection.close() end

  return connection
end

-- Outside nginx: one connection, opened at the first use and again when it broke or its server does not accept writes.
local function plain_connection(redis, address)
  local commands, client = {}, nil
  local connection = {}

  local function command_named(name)
    commands[name] = commands[name] or redis.command(name)
    return commands[name]
  end

  local function connect()
    if client then return end
    local opened = redis.connect {
      host = address.host, port = address.port, path = address.path, scheme = address.path and "unix" or nil,
      timeout = address.timeout,
    }
    for _, words in ipairs(greetings(address)) do command_named(words[1])(opened, unpack(words, 2)) end
    client = opened
  end

  -- redis-lua raises all errors; those of Redis itself begin with "redis error". The third result: whether a new
  -- connection may get another reply.
  local function attempt(command, ...)
    local was_open = client ~= nil
    local ok, reply = pcall(function(...)
      connect()
      return command_named(command)(client, ...)
    end, ...)
    if ok then return reply end
    local message, is_of_redis = tostring(reply):gsub("^.-redis error: ", "")
    local is_refused = is_of_redis > 0 and is_not_serving(message)
    if is_of_redis == 0 or is_refused then connection.close() end
    return nil, message, is_refused or is_of_redis == 0 and was_open
  end

  function connection.call(command, ...)
    local reply, message, is_worth_another = attempt(command, ...)
    if is_worth_another then reply, message = attempt(command, ...) end
    return reply, message
  end

  function connection.close()
    if client then pcall(function() client.network.socket:close() end) end
    client = nil
  end

  return connection
end

--- A connection for the place this runs in. Nothing is opened before the first call.
---@param address waba.RedisAddress
---@return { call: (fun(command: string, ...: string): any, string?), close: fun() }
function redis_connection.new(address)
  local redis = load_library()
  return runtime.is_nginx() and nginx_connection(redis, address) or plain_connection(redis, address)
end

return redis_connection
