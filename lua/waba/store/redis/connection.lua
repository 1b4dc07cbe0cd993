-- A connection to a Redis server or cluster, by the sockets of nginx inside nginx, and otherwise by LuaSocket.

local core = require "waba.core"
local library = require "waba.library"
local runtime = require "waba.runtime"

local redis_connection = {}

--- The address of a Redis server.
---@options waba.RedisAddress
redis_connection.OPTIONS = {
  host = { "string", "127.0.0.1" },
  port = { "integer>=1", 6379 },
  path = "string",             -- the path of a Unix socket, instead of `host` and `port`
  password = "string",
  user = "string",             -- the name of an ACL user; requires `password`
  database = "integer>=0",
  timeout = { "number>0", 5 }, -- the longest time to connect, and for each call, in seconds
}

-- Returns the result of a method of a socket. Raises the error message of the socket, without a position in this file.
local function check(result, message)
  if not result then error(message, 0) end
  return result
end

-- Reads one reply. The reply is false if Redis returns null. If Redis returns an error, the reply is nil, and the second
-- result is the text of the error. Raises an error if the connection fails.
local function read(socket)
  local line = check(socket:receive "*l")
  local kind, rest = line:sub(1, 1), line:sub(2)
  if kind == "+" then return rest end
  if kind == "-" then return nil, rest end
  local number = tonumber(rest)
  if not number or kind ~= "$" and kind ~= "*" and kind ~= ":" then
    error("the server's response is not of the Redis protocol: " .. line:sub(1, 100), 0)
  end
  if kind == ":" then return number end
  if number < 0 then return false end
  if kind == "$" then return check(socket:receive(number + 2)):sub(1, number) end
  local list = {}
  for index = 1, number do list[index] = read(socket) end
  return list
end

-- Returns the replies, and the texts of errors at the same indices, or nil without errors.
local function exchange(socket, commands)
  check(socket:send(core.redis_commands(commands)))
  local replies, messages = {}, nil
  for index = 1, #commands do
    local reply, message = read(socket)
    replies[index] = reply
    if message then
      messages = messages or {}
      messages[index] = message
    end
  end
  return replies, messages
end

-- Sends AUTH and SELECT on a new connection. Raises the error that Redis returns.
local function greet(socket, address)
  local commands, user, password = {}, address.user, address.password
  if password then commands[1] = user and { "AUTH", user, password } or { "AUTH", password } end
  if address.database then commands[#commands + 1] = { "SELECT", tostring(address.database) } end
  if #commands == 0 then return end
  local _, messages = exchange(socket, commands)
  if messages then error(messages[1] or messages[2], 0) end
end

-- Opens connections in nginx. Each call takes a connection from a pool of the worker, because only the request that
-- opened a socket may use the socket. After an error, a new pool is used.
local function nginx_opener(address)
  local ngx, generation, opener = rawget(_G, "ngx"), 0, { address = address }
  local place = address.path and "unix:" .. address.path or address.host
  local name = ("waba %s %s %s %s "):format(place, address.path and "" or address.port, address.user or "",
    address.database or "")
  local pool = { pool = name .. generation }

  function opener.open()
    check(runtime.can_wait_in_nginx())
    local socket = ngx.socket.tcp()
    socket:settimeout(address.timeout * 1000)
    if address.path then check(socket:connect(place, pool)) else check(socket:connect(place, address.port, pool)) end
    return socket, socket:getreusedtimes() > 0
  end

  function opener.keep(socket) socket:setkeepalive(60000, 32) end
  function opener.close() end

  function opener.leave(socket)
    generation = generation + 1
    pool = { pool = name .. generation }
    if socket then socket:close() end
  end

  return opener
end

-- Opens the only connection outside nginx, at its first use and after an error.
local function plain_opener(address, name, level)
  local luasocket = library.load("socket", "luasocket", "lua-socket", name, level)
  local kept, opener = nil, { address = address }

  function opener.open()
    if kept then return kept, true end
    local socket = address.path and require "socket.unix"() or luasocket.tcp()
    socket:settimeout(address.timeout)
    local ok, message = socket:connect(address.path or address.host, address.port)
    if not ok then
      socket:close()
      error(message, 0)
    end
    if not address.path then socket:setoption("tcp-nodelay", true) end
    return socket, false
  end

  function opener.keep(socket) kept = socket end
  function opener.close() opener.leave(kept) end

  function opener.leave(socket)
    kept = nil
    if socket then socket:close() end
  end

  return opener
end

-- Errors of a server that does not accept writes. A new connection may reach another server after a failover.
local NOT_SERVING = { "READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "MOVED" }
-- The first attempt may use a broken connection. The second attempt uses a new connection to the configured address.
-- The third attempt uses the cluster node to which the configured server refers.
local ATTEMPTS = 3

local TIMEOUT = "the server has not responded within %g s (option timeout)"

local function is_not_serving(message)
  for _, word in ipairs(NOT_SERVING) do
    if message:find("%f[%u]" .. word .. "%f[%U]") then return true end
  end
  return false
end

-- Opens a connection and sends commands. Sets the fields `socket` and `was_kept` of `commands`.
local function open_and_exchange(opener, commands)
  commands.socket, commands.was_kept = nil, nil
  commands.socket, commands.was_kept = opener.open()
  if not commands.was_kept then greet(commands.socket, opener.address) end
  return exchange(commands.socket, commands)
end

-- Returns the first error of a server that does not accept writes.
local function refusal_in(messages, count)
  for index = 1, count do
    if messages[index] and is_not_serving(messages[index]) then return messages[index] end
  end
end

-- Returns the replies, and the texts of errors at the same indices or nil; or nil, an error text, whether another
-- attempt may succeed, and the address of the cluster node to which the server refers.
local function attempt(opener, commands)
  local ok, replies, messages = pcall(open_and_exchange, opener, commands)
  local socket = commands.socket
  if not ok then
    opener.leave(socket)
    if replies == "timeout" then replies = TIMEOUT:format(opener.address.timeout) end
    return nil, tostring(replies), commands.was_kept or not socket and opener.address.is_node
  end
  local message = messages and refusal_in(messages, #commands)
  if message then
    opener.leave(socket)
    return nil, message, true, message:match "^MOVED %d+ (%S*:%d+)$"
  end
  opener.keep(socket)
  return replies, messages
end

-- Returns the address of a cluster node such as "10.0.0.1:7000". The default host is that of `address`.
local function node_of(address, place)
  local node, host, port = { is_node = true }, place:match "^(.*):(%d+)$"
  for name, value in pairs(address) do node[name] = value end
  node.host, node.port, node.path = host ~= "" and host or address.host, tonumber(port), nil
  return node
end

--- The error text for a reply that Redis never returns.
redis_connection.NOT_REDIS = "the server does not respond as Redis does"

local DIGEST = "^" .. ("%x"):rep(40) .. "$"

--- Makes a connection, which is opened at the first `call`. The function `call` sends several commands together and
--- returns their replies. A null reply is false. If Redis refuses a command, its reply is nil, and the second result
--- is a table with the error text at the same index; otherwise the second result is nil. If the connection fails, `call`
--- returns nil and an error text. `call` sets fields of `commands`. The function `load` loads a script, and returns its
--- digest; or nil and an error text.
---@param settings waba.RedisAddress  other fields of the table are ignored
---@param name string    the public function that makes the store, for the error about a library that is not installed
---@param level integer  the level for the function `error`, if the library is not installed
---@return { call: function, load: function, close: function }
function redis_connection.new(settings, name, level)
  local address = {}
  for option in pairs(redis_connection.OPTIONS) do address[option] = settings[option] end
  -- `openers` has a function for the address of each cluster node; the key "" stands for the configured address.
  -- `places` has, by tag, the address of the cluster node for the calls with this tag.
  local openers, places, connection = {}, {}, {}

  local function opener_of(place)
    if openers[place] then return openers[place] end
    local target = place == "" and address or node_of(address, place)
    openers[place] = runtime.is_nginx() and nginx_opener(target) or plain_opener(target, name, level + 3)
    return openers[place]
  end

  -- Calls with the same `tag` must have keys in the same slot of a cluster. Before each further attempt,
  -- the function `commands.repeated` is called with `commands`, and may change them.
  function connection.call(commands, tag)
    tag = tag or ""
    for number = 1, ATTEMPTS do
      if number > 1 and commands.repeated then commands.repeated(commands) end
      local replies, message, is_worth_another, node = attempt(opener_of(places[tag] or ""), commands)
      if replies then return replies, message end
      places[tag] = node
      if not is_worth_another or number == ATTEMPTS then return nil, message end
    end
  end

  function connection.load(text, tag)
    local replies, messages = connection.call({ { "SCRIPT", "LOAD", text } }, tag)
    if not replies then return nil, messages end
    local digest = replies[1]
    if type(digest) == "string" and digest:find(DIGEST) then return digest end
    return nil, messages and messages[1] or redis_connection.NOT_REDIS
  end

  function connection.close()
    for _, opener in pairs(openers) do opener.close() end
  end

  opener_of ""
  return connection
end

return redis_connection
