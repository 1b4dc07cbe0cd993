-- A connection to Redis: through LuaSocket outside nginx, and through nginx's sockets in nginx. Several commands may be
-- sent together.

local core = require "waba.core"
local library = require "waba.library"
local runtime = require "waba.runtime"

local redis_connection = {}

--- The address of a Redis server.
---@options waba.RedisAddress
redis_connection.OPTIONS = {
  host = { "string", "127.0.0.1" },
  port = { "integer>=1", 6379 },
  path = "string",             -- the path of a Unix socket, instead of host and port
  password = "string",
  user = "string",             -- with a password
  database = "integer>=0",
  timeout = { "number>0", 5 }, -- seconds for the connection and for each call
}

-- An error that Redis returned.
local Refusal = {}

-- Reads one reply; returns false for null. Raises an error text if the connection fails.
local function read(socket)
  local line, message = socket:receive "*l"
  if not line then error(message, 0) end
  local kind, rest = line:sub(1, 1), line:sub(2)
  if kind == ":" then return tonumber(rest) end
  if kind == "+" then return rest end
  if kind == "-" then return setmetatable({ message = rest }, Refusal) end
  local count = tonumber(rest)
  if not count or kind ~= "$" and kind ~= "*" then
    error("the server's response is not of the Redis protocol: " .. line:sub(1, 100), 0)
  end
  if count < 0 then return false end
  if kind == "$" then
    local bytes
    bytes, message = socket:receive(count + 2)
    if not bytes then error(message, 0) end
    return bytes:sub(1, count)
  end
  local list = {}
  for index = 1, count do list[index] = read(socket) end
  return list
end

-- Sends commands and reads their replies.
local function exchange(socket, commands)
  local sent, message = socket:send(core.redis_commands(commands))
  if not sent then error(message, 0) end
  local replies = {}
  for index = 1, #commands do replies[index] = read(socket) end
  return replies
end

-- AUTH and SELECT. Raises the error that Redis returned.
local function greet(socket, address)
  local commands = {}
  if address.password and address.user then
    commands[1] = { "AUTH", address.user, address.password }
  elseif address.password then
    commands[1] = { "AUTH", address.password }
  end
  if address.database then commands[#commands + 1] = { "SELECT", tostring(address.database) } end
  for _, reply in ipairs(#commands > 0 and exchange(socket, commands) or {}) do
    if getmetatable(reply) == Refusal then error(reply.message, 0) end
  end
end

-- In nginx each call takes a connection from the worker's pool, because a socket belongs to the request that opened it.
-- After a failure of a pooled connection a new pool is used, because the other connections of the pool may fail too.
local function nginx_opener(address)
  local ngx, generation, opener = rawget(_G, "ngx"), 0, {}
  local place = address.path and "unix:" .. address.path or address.host

  function opener.open()
    local socket = ngx.socket.tcp()
    socket:settimeout(address.timeout * 1000)
    local pool = { pool = ("waba %s %s %s %s %d"):format(place, address.path and "" or address.port, address.user or "",
      address.database or "", generation) }
    local ok, message
    if address.path then
      ok, message = socket:connect(place, pool)
    else
      ok, message = socket:connect(place, address.port, pool)
    end
    if not ok then error(message, 0) end
    return socket, socket:getreusedtimes() > 0
  end

  function opener.keep(socket) socket:setkeepalive(60000, 32) end

  function opener.leave(socket)
    generation = generation + 1
    if socket then socket:close() end
  end

  function opener.close() end

  return opener
end

-- Outside nginx there is one connection. The connection is opened at the first use, and opened again when it has
-- failed or its server does not accept writes.
local function plain_opener(address, name, level)
  local luasocket = library.load("socket", "luasocket", "lua-socket", name, level)
  local kept, opener = nil, {}

  function opener.open()
    if kept then return kept, true end
    local socket = address.path and require "socket.unix"() or luasocket.tcp()
    socket:settimeout(address.timeout)
    local ok, message
    if address.path then
      ok, message = socket:connect(address.path)
    else
      ok, message = socket:connect(address.host, address.port)
    end
    if not ok then
      socket:close()
      error(message, 0)
    end
    if not address.path then socket:setoption("tcp-nodelay", true) end
    return socket, false
  end

  function opener.keep(socket) kept = socket end

  function opener.leave(socket)
    kept = nil
    if socket then socket:close() end
  end

  function opener.close() opener.leave(kept) end

  return opener
end

-- Errors of a server that does not accept writes: after a failover the host name may belong to another server.
local NOT_SERVING = { "READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "MOVED" }
-- A call needs up to three attempts: the first on a connection that may be broken, the second on a new connection to
-- the configured address, and the third at the cluster node to which this address refers.
local ATTEMPTS = 3

local function is_not_serving(message)
  for _, word in ipairs(NOT_SERVING) do
    if message:find("%f[%u]" .. word .. "%f[%U]") then return true end
  end
  return false
end

-- Returns the replies; or nil, an error text, whether another attempt may succeed, and the cluster node that has the
-- keys.
local function attempt(opener, address, commands)
  local socket, was_kept
  local ok, replies = pcall(function()
    socket, was_kept = opener.open()
    if not was_kept then greet(socket, address) end
    return exchange(socket, commands)
  end)
  if not ok then
    opener.leave(socket)
    return nil, tostring(replies), was_kept or not socket and address.is_node
  end
  for _, reply in ipairs(replies) do
    if getmetatable(reply) == Refusal and is_not_serving(reply.message) then
      opener.leave(socket)
      return nil, reply.message, true, reply.message:match "^MOVED %d+ (%S*:%d+)$"
    end
  end
  opener.keep(socket)
  return replies
end

-- Returns the address of a cluster node. The host in `place` is empty if the node does not know its own host.
local function node_of(address, place)
  local node, host, port = { is_node = true }, place:match "^(.*):(%d+)$"
  for name, value in pairs(address) do node[name] = value end
  node.host, node.port, node.path = host ~= "" and host or address.host, tonumber(port), nil
  return node
end

-- For some commands, a function that returns whether a reply is one of Redis. The replies of scripts are not checked.
local IS_OF_REDIS = {
  SCRIPT = function(reply) return type(reply) == "string" and reply:find("^" .. ("%x"):rep(40) .. "$") ~= nil end,
  GET = function(reply) return reply == false or type(reply) == "string" end,
}

-- Removes the replies that are errors, and returns their texts at the same positions.
local function take_messages(commands, replies)
  local messages = {}
  for index = 1, #commands do
    local reply, is_of_redis = replies[index], IS_OF_REDIS[commands[index][1]]
    if getmetatable(reply) == Refusal then
      messages[index], replies[index] = reply.message, nil
    elseif is_of_redis and not is_of_redis(reply) then
      messages[index], replies[index] = "the server does not respond as Redis does", nil
    end
  end
  return messages
end

--- A connection. Nothing is opened before the first call. `call` sends several commands together and returns their
--- replies. A null reply is false. If Redis refuses a command, the reply is nil, and the error text is in the second
--- result at the same position. If the connection fails, `call` returns nil and an error text. The error for a library
--- that is not installed contains `name`, the name of the public function that makes the store, and the position of the
--- caller of this public function; `level` is the level of this caller for `error`.
---@param settings waba.RedisAddress  the table may have other fields too
---@param name string
---@param level integer
---@return { call: (fun(commands: string[][], tag?: string): any[]|nil, table<integer, string>|string), close: fun() }
function redis_connection.new(settings, name, level)
  local address = {}
  for option in pairs(redis_connection.OPTIONS) do address[option] = settings[option] end
  local openers, addresses, places = {}, {}, {} -- a place is "" for the configured address, or a node; `places` has the
                                                -- place of each hash tag
  local connection = {}

  local function opener_of(place)
    if not openers[place] then
      addresses[place] = place == "" and address or node_of(address, place)
      openers[place] = runtime.is_nginx() and nginx_opener(addresses[place])
        or plain_opener(addresses[place], name, level + 3)
    end
    return openers[place], addresses[place]
  end

  -- In a cluster, the keys of all commands with the same `tag` must be in the same slot. The function
  -- `commands.repeated`, if there is one, is called before a second attempt; it may change the commands.
  function connection.call(commands, tag)
    tag = tag or ""
    local replies, message, is_worth_another, node
    for number = 1, ATTEMPTS do
      if number > 1 and commands.repeated then commands.repeated() end
      local opener, its_address = opener_of(places[tag] or "")
      replies, message, is_worth_another, node = attempt(opener, its_address, commands)
      if not replies then places[tag] = node end
      if replies or not is_worth_another then break end
    end
    if not replies then return nil, message end
    return replies, take_messages(commands, replies)
  end

  function connection.close()
    for _, opener in pairs(openers) do opener.close() end
  end

  opener_of ""
  return connection
end

return redis_connection
