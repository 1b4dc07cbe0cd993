-- A Redis server of the spec's own, on a free port, with nothing kept on disk.

local process = require "spec.support.process"

local redis = {}

--- Starts one, on `server.port` and on a Unix socket, `server.path`; `server:stop()` ends it.
---@param password? string
function redis.start(password)
  local folder = process.folder()
  local server = { port = process.free_port() }
  server.path = folder:file "redis.sock"
  local command = "redis-server --port %d --bind 127.0.0.1 --unixsocket %s --save '' --appendonly no --dir %s"
  if password then command = command .. " --requirepass " .. process.quote(password) end
  local program

  -- Returns false when it has ended at once, because another program has the port.
  local function start()
    program = process.start(command:format(server.port, process.quote(server.path), process.quote(folder.path)),
      folder:file "redis.log")
    local state = process.wait_for(function()
      local reply = process.run(("redis-cli -s %s ping 2>&1"):format(process.quote(server.path)))
      return (reply:find "PONG" or reply:find "NOAUTH") and "listens" or not program:is_alive() and "ended"
    end, "redis-server to listen", 30)
    return state == "listens"
  end
  for _ = 1, 5 do
    if start() then break end
    server.port = process.free_port()
  end
  assert(program:is_alive(), "redis-server does not start")

  -- Ends it and starts another on the same port, which knows nothing.
  function server:restart()
    program:stop("KILL")
    process.wait_for(start, "redis-server to listen again", 30)
  end

  function server:stop()
    program:stop("KILL")
    folder:remove()
  end

  return server
end

return redis
