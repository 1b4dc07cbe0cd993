-- HTTP/1.1 requests from a program that never waits for its sockets.

local socket = require "socket"

local plain_http = {}

--- Posts bodies, one after the other. Returns a function that reads a response if one has arrived, sends the next body,
--- and returns the number of responses with status 200.
---@param authorization? string
---@return fun(): integer
function plain_http.posting(port, bodies, authorization)
  local head = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n%s"
  local count, current = 0, nil
  return function()
    local body = bodies[count + 1]
    if not current and body then
      current = assert(socket.connect("127.0.0.1", port))
      assert(current:send(head:format(authorization or "none", #body, body)))
      current:settimeout(0)
    end
    local line = current and current:receive "*l"
    if line then
      current:close()
      current = nil
      if line:find "^HTTP/1.1 200" then count = count + 1 end
    end
    return count
  end
end

return plain_http
