-- A proxy for HTTP/1.1 that cuts connections between a sender and the gateway, for spec/outbox/crash_spec.lua.
-- Arguments: the port of the proxy, the port of the gateway, and N. The proxy cuts the connection of each N-th request.
-- The cuts are at six points in turn. Prints the point of each cut.

local cqueues = require "cqueues"
local socket = require "cqueues.socket"

local port, gateway_port, every = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3])
local POINTS = {
  "before the head", "in the head", "after the head", "in the body", "before the response", "in the response",
}
-- The seconds until a response: the platform needs 0.05 s and more for a message.
local LATENCY = 0.05
local requests, cuts = 0, 0
local loop = cqueues.new()

-- Reads a head and its body, whose size is in Content-Length. Returns nil if the connection was closed.
local function read_message(connection)
  local lines = {}
  repeat
    local line = connection:xread "*L"
    if not line then return nil end
    lines[#lines + 1] = line
  until line == "\r\n"
  local head = table.concat(lines)
  local length = tonumber(head:lower():match "\r\ncontent%-length:%s*(%d+)") or 0
  local body = length == 0 and "" or connection:xread(length)
  return head, body
end

local function write(connection, text)
  return connection:xwrite(text, "n") and connection:flush()
end

local function part(text) return text:sub(1, 1 + cuts * 37 % (#text - 1)) end

-- Returns the part of the request that the gateway receives, for each point of a cut before the response.
local parts = {
  ["before the head"] = function() return "" end,
  ["in the head"] = function(head) return part(head) end,
  ["after the head"] = function(head) return head end,
  ["in the body"] = function(head, body) return head .. part(body) end,
}

-- Forwards one request and its response. Returns false if the connection was closed.
local function pass(client, gateway)
  if not client:fill(1) then return false end
  requests = requests + 1
  local point
  if requests % every == 0 then
    cuts = cuts + 1
    point = POINTS[(cuts - 1) % #POINTS + 1]
    print(point)
  end
  local head, body = nil, nil
  if point ~= "before the head" then
    head, body = read_message(client)
    if not body then return false end
  end
  if parts[point] then
    write(gateway, parts[point](head, body))
    return false
  end
  if not write(gateway, head .. body) then return false end
  head, body = read_message(gateway) -- now the gateway has accepted the message
  if not body or point == "before the response" then return false end
  if point then
    write(client, part(head .. body))
    return false
  end
  cqueues.sleep(LATENCY)
  return write(client, head .. body)
end

local function serve(client)
  local gateway = socket.connect("127.0.0.1", gateway_port)
  for _, connection in ipairs { client, gateway } do
    connection:setmode("bn", "bf")
    connection:onerror(function(_, _, code) return code end)
  end
  while pass(client, gateway) do end
  client:close()
  gateway:close()
end

io.stdout:setvbuf "line"
local listener = assert(socket.listen("127.0.0.1", port))
loop:wrap(function()
  while true do loop:wrap(serve, listener:accept()) end
end)
assert(loop:loop())
