-- Starts a Redis server that writes nothing to the disk, on a free port.

local process = require "spec.support.process"

local redis = {}

--- The program of the server, quoted for the shell.
redis.PROGRAM = os.getenv "REDIS_SERVER" or "redis-server"

--- Starts a server that listens on `server.port` and on the Unix socket `server.path`. `server:stop()` stops it.
---@param password? string
function redis.start(password)
  local folder = process.folder()
  local server = { port = process.free_port() }
  server.path = folder:file "redis.sock"
  local command = redis.PROGRAM .. " --port %d --bind 127.0.0.1 --unixsocket %s --save '' --appendonly no --dir %s"
  if password then command = command .. " --requirepass " .. process.quote(password) end
  local program

  -- Returns false if the server has ended because another program uses the port.
  local function start()
    program = process.start(command:format(server.port, process.quote(server.path), process.quote(folder.path)),
      folder:file "redis.log")
    local state = process.wait_for(function()
      local reply = process.run(("redis-cli -s %s ping 2>&1"):format(process.quote(server.path)))
      return (reply:find "PONG" or reply:find "NOAUTH") and "listens" or not program:is_alive() and "ended"
    end, redis.PROGRAM .. " to listen", 30)
    return state == "listens"
  end
  for _ = 1, 5 do
    if start() then break end
    server.port = process.free_port()
  end
  assert(program:is_alive(), redis.PROGRAM .. " does not start")

  -- Stops the server and starts an empty one on the same port.
  function server:restart()
    program:stop("KILL")
    process.wait_for(start, redis.PROGRAM .. " to listen again", 30)
  end

  function server:stop()
    program:stop("KILL")
    folder:remove()
  end

  return server
end

return redis
