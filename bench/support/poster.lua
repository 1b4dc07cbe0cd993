-- Posts webhooks over one connection of HTTP/1.1. Arguments: port path events count mark depth rate. If `rate` is 0,
-- the program keeps `depth` requests in flight and prints the seconds until the last response. Otherwise the program
-- sends `rate` requests per second and prints the milliseconds until each response.

local bodies = require "bodies"
local socket = require "socket"

local port, path, events, count, mark, depth, rate = (table.unpack or unpack)(arg)
events, count, depth, rate = tonumber(events), tonumber(count), tonumber(depth), tonumber(rate)

local requests = {}
for number = 1, count do
  local body = bodies.make(events, mark .. "x" .. number, 1000)
  requests[number] = ("POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic dTpw\r\n"
    .. "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"):format(path, #body, body)
end

local client = assert(socket.connect("127.0.0.1", tonumber(port)))
client:setoption("tcp-nodelay", true)

local function read_answer()
  local status = assert(client:receive "*l")
  assert(status:find("200", 1, true), status)
  repeat local line = assert(client:receive "*l") until line == ""
end

local started = socket.gettime()
if rate > 0 then
  local took = {}
  for number, request in ipairs(requests) do
    local due = started + (number - 1) / rate
    local wait = due - socket.gettime()
    if wait > 0 then socket.sleep(wait) end
    assert(client:send(request))
    read_answer()
    -- Measures from the time at which the request was due, because a slow response delays the next requests.
    took[number] = ("%.3f"):format((socket.gettime() - due) * 1000)
  end
  print(table.concat(took, " "))
else
  for number = 1, math.min(depth, count) do assert(client:send(requests[number])) end
  for number = 1, count do
    read_answer()
    if requests[number + depth] then assert(client:send(requests[number + depth])) end
  end
  print(("%.6f"):format(socket.gettime() - started))
end
