-- A server that responds to every Redis command in the same way and keeps its connections open. Arguments: the path of
-- the socket, the response without its last line end.

local unix = require "socket.unix"

local path, response = ...
local server = unix.stream and unix.stream() or unix()
assert(server:bind(path))
assert(server:listen())

local function read_command(client)
  local count = client:receive "*l"
  if not count then return false end
  for _ = 1, tonumber(count:match "%d+") do
    client:receive(tonumber(client:receive("*l"):match "%d+") + 2)
  end
  return true
end

while true do
  local client = server:accept()
  while read_command(client) do client:send(response .. "\r\n") end
  client:close()
end
