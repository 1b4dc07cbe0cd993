-- A Redis server of the spec's own, on a free port, with nothing kept on disk.

local process = require "spec.support.process"

local redis = {}

--- Starts one, on `server.port` and on a Unix socket, `server.path`; `server:stop()` ends it.
---@param password? string
function redis.start(password)
  local folder = process.folder()
  local server = { port = process.free_port() }
  server.path = folder:file "redis.sock"
  local command = ("redis-server --port %d --bind 127.0.0.1 --unixsocket %s --save '' --appendonly no --dir %s"):format(
    server.port, process.quote(server.path), process.quote(folder.path))
  if password then command = command .. " --requirepass " .. process.quote(password) end
  local program
  local function start()
    program = process.start(command, folder:file "redis.log")
    process.wait_for(function()
      local reply = process.run(("redis-cli -s %s ping 2>&1"):format(process.quote(server.path)))
      return reply:find "PONG" or reply:find "NOAUTH"
    end, "redis-server to listen")
  end
  start()

  -- Ends it and starts another on the same port, which knows nothing.
  function server:restart()
    program:stop("KILL")
    start()
  end

  function server:stop()
    program:stop("KILL")
    folder:remove()
  end

  return server
end

return redis
