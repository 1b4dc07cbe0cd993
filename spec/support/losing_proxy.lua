-- A proxy in front of a Redis server that loses one reply, for spec/outbox/lost_reply_spec.lua. Arguments: the port of
-- the proxy, the port of the server, a text, and a key. The proxy does not forward the reply to the first command that
-- contains the text. Instead it waits until the server has no such key, or the key has the value 0, and then closes the
-- connection.

local cqueues = require "cqueues"
local socket = require "cqueues.socket"

local port, server_port, text, key = tonumber(arg[1]), tonumber(arg[2]), arg[3], arg[4]
local loop = cqueues.new()
local was_lost = false

local function connect(connection)
  connection:setmode("bn", "bn")
  connection:onerror(function(_, _, code) return code end)
  return connection
end

local function wait_for_zero()
  local server = connect(socket.connect("127.0.0.1", server_port))
  repeat
    cqueues.sleep(0.01)
    server:xwrite(("GET %s\r\n"):format(key), "n")
    local length = tonumber(server:xread("*l"):match "%-?%d+")
    local value = length > 0 and server:xread(length + 2) or ""
  until length < 0 or tonumber(value) == 0
  server:close()
end

local function serve(client)
  local server, loses = connect(socket.connect("127.0.0.1", server_port)), false
  loop:wrap(function()
    while true do
      local bytes = client:xread(-65536)
      if not bytes then break end
      loses = not was_lost and bytes:find(text, 1, true) ~= nil
      was_lost = was_lost or loses
      server:xwrite(bytes, "n")
    end
    server:shutdown "w"
  end)
  while true do
    local bytes = server:xread(-65536)
    if bytes and loses then wait_for_zero() end
    if not bytes or loses then break end
    client:xwrite(bytes, "n")
  end
  client:shutdown()
  server:shutdown()
end

local listener = assert(socket.listen("127.0.0.1", port))
loop:wrap(function()
  while true do loop:wrap(serve, connect(listener:accept())) end
end)
assert(loop:loop())
