-- A location of nginx that stores webhooks in Redis without the library, for bench/webhook.lua. It is written as a
-- program with lua-cjson and a small client for Redis would be: checks the credentials, decodes the body, and stores
-- each event that is not a duplicate. SET NX with a lifetime recognises duplicates, RPUSH stores the event. All SET
-- commands of a webhook are sent in one request, and all RPUSH commands in a second one.

local cjson = require("cjson").new()

local ngx = ngx
local concat = table.concat

local REMEMBER = tostring(7 * 86400) -- seconds
local AUTHORIZATION = "Basic dTpw"

local location = {}

local function command(...)
  local words, count = { ... }, select("#", ...)
  local parts = { "*", count, "\r\n" }
  for index = 1, count do
    local word, n = words[index], #parts
    parts[n + 1], parts[n + 2], parts[n + 3], parts[n + 4], parts[n + 5] = "$", #word, "\r\n", word, "\r\n"
  end
  return concat(parts)
end

-- Sends commands whose replies are numbers or statuses. Returns the replies; the reply is false if Redis returns null.
local function exchange(socket, commands)
  assert(socket:send(commands))
  local replies = {}
  for index = 1, #commands do
    local line = assert(socket:receive "*l")
    local kind = line:byte()
    assert(kind ~= 45, line) -- "-": an error
    replies[index] = line ~= "$-1" and line:sub(2)
  end
  return replies
end

local function store(port, keys, events)
  local socket = ngx.socket.tcp()
  assert(socket:connect("127.0.0.1", port))
  local sets, pushes = {}, {}
  for index = 1, #keys do sets[index] = command("SET", keys[index], "1", "NX", "EX", REMEMBER) end
  local is_new = exchange(socket, sets)
  for index = 1, #keys do
    if is_new[index] then pushes[#pushes + 1] = command("RPUSH", "events", cjson.encode(events[index])) end
  end
  if #pushes > 0 then exchange(socket, pushes) end
  socket:setkeepalive(60000, 32)
end

--- Handles the current request. `port` is the port of Redis.
function location.serve(port)
  if ngx.var.http_authorization ~= AUTHORIZATION then return ngx.exit(401) end
  ngx.req.read_body()
  local webhook = cjson.decode(ngx.req.get_body_data())
  local keys, events = {}, {}
  for _, message in ipairs(webhook.messages or {}) do
    keys[#keys + 1], events[#events + 1] = "message:" .. message.id, message
  end
  for _, status in ipairs(webhook.statuses or {}) do
    keys[#keys + 1], events[#events + 1] = "status:" .. status.id .. ":" .. status.status, status
  end
  local ok, message = pcall(store, port, keys, events)
  if not ok then
    ngx.log(ngx.ERR, message)
    return ngx.exit(503)
  end
  ngx.header["content-length"] = 0
  return ngx.exit(200)
end

return location
