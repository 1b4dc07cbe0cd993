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
  local program = process.start(command, folder:file "redis.log")
  process.wait_for(function() return process.listens(server.port) end, "redis-server to listen")

  -- Ends it and starts another on the same port, which knows nothing.
  function server:restart()
    program:stop("KILL")
    program = process.start(command, folder:file "redis.log")
    process.wait_for(function() return process.listens(server.port) end, "redis-server to listen")
  end

  function server:stop()
    program:stop("KILL")
    folder:remove()
  end

  return server
end

return redis
