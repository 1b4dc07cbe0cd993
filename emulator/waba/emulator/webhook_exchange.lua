-- One exchange with a receiver of webhooks: connecting, posting a body, reading the answer.

local cqueues = require "cqueues"
local connection_common = require "http.connection_common"
local h1_connection = require "http.h1_connection"
local http_tls = require "http.tls"
local http_util = require "http.util"
local new_headers = require "http.headers".new
local socket = require "cqueues.socket"

local webhook_exchange = {}

-- Characters of a refused answer that are kept for people to read.
local EXCERPT = 500
-- Bytes of a response body that are read in all, and at once.
local MAX_ANSWER = 64 * 1024

-- Reading the system's authorities takes long: once is enough, and not before it is needed.
local function tls_context(self)
  local ca_file = self.options.ca_file
  if not self.context or self.context_ca_file ~= ca_file then
    self.context = http_tls.new_client_context()
    if ca_file then
      self.context:getStore():add(ca_file)
    end
    self.context_ca_file = ca_file
  end
  return self.context
end

--- Connects to a receiver.
---@param self waba.emulator.Webhooks
---@param target table  of an address
---@return table|nil connection  lua-http's
---@return string? message
function webhook_exchange.connect(self, target)
  if target.tls then
    return require("http.client").connect({
      host = target.host, port = target.port, tls = true, ctx = tls_context(self), version = 1.1,
    }, self.options.timeout)
  end
  local connecting = socket.connect({ host = target.host, port = target.port, nodelay = true })
  connecting:onerror(connection_common.onerror)
  return h1_connection.new(connecting, "client", 1.1)
end

local function request_head(self, address, body)
  local head = new_headers()
  head:append(":method", "POST")
  head:append(":scheme", address.target.scheme)
  head:append(":authority", address.target.authority)
  head:append(":path", address.target.path)
  head:append("content-type", "application/json")
  head:append("content-length", ("%d"):format(#body))
  head:append("user-agent", "waba-emulator")
  head:append("accept", "*/*")
  local signature = self.shape.sign and self.shape.sign(body)
  if signature then
    head:append("x-hub-signature-256", signature)
  end
  if not self.options.keep_alive then
    head:append("connection", "close")
  end
  for name, value in pairs(address.headers) do
    head:upsert(name:lower(), tostring(value))
  end
  return head
end

-- lua-http reads as much of a body at once as the peer has sent.
local function read_body_by_length(connection, length, timeout)
  return connection.socket:xread(math.max(length, -MAX_ANSWER), timeout)
end

-- Reads the next bytes of a response body. Returns nil at its end, and nil and a message when the body is incomplete.
local function next_chunk(stream, seconds)
  local chunk, message = stream:get_next_chunk(seconds)
  -- lua-http reports the end of the connection like the end of the body; the state of the stream differs.
  if not chunk and not message and (stream.state == "open" or stream.state == "half closed (local)") then
    message = "the peer closed the connection"
  end
  return chunk, message
end

-- Closes a stream. With an incomplete exchange it closes the connection too: lua-http would otherwise read the rest, and
-- loop for ever if the peer has closed the connection.
local function leave(stream)
  if stream.state == "closed" or stream.state == "idle" then
    return
  end
  local connection = stream.connection
  if connection.pipeline:peek() ~= stream then
    cqueues.poll(stream.pipeline_cond)
  end
  if connection.socket then
    connection.socket:shutdown("rw")
  end
  stream:set_state("closed")
end

-- Reads an answer's body: its beginning is kept, and a long one costs the connection.
local function read_excerpt(stream, left)
  local excerpt, size = "", 0
  while size <= MAX_ANSWER do
    local chunk, message = next_chunk(stream, left())
    if not chunk then
      return not message and excerpt or nil, message
    end
    size = size + #chunk
    excerpt = (excerpt .. chunk):sub(1, EXCERPT)
  end
  return excerpt
end

-- One exchange over a stream. Returns the status and an excerpt, or nil and why; and whether the
-- receiver had its time.
local function converse(self, stream, address, body)
  local deadline = cqueues.monotime() + self.options.timeout
  local function left()
    return math.max(0, deadline - cqueues.monotime())
  end
  local written, message = stream:write_headers(request_head(self, address, body), false, left())
  if written then
    written, message = stream:write_chunk(body, true, left())
  end
  local answer
  if written then
    answer, message = stream:get_headers(left())
  end
  if not answer then
    return nil, message or "connection closed", left() == 0
  end
  local status = tonumber(answer:get(":status"))
  local excerpt
  excerpt, message = read_excerpt(stream, left)
  if not excerpt then
    return nil, message, true
  end
  return status, excerpt, true
end

--- Posts a body over a connection, which is left in order or dead.
---@param self waba.emulator.Webhooks
---@param connection table
---@param address { url: string, headers: table<string, string>, target: table }
---@param body string
---@return integer|nil status
---@return string? excerpt     of the answer, or why there is none
---@return boolean? answered   the receiver had its time
function webhook_exchange.post(self, connection, address, body)
  local stream = connection:new_stream()
  if not stream then
    return nil, "connection closed"
  end
  connection.read_body_by_length = read_body_by_length
  local ok, status, message, answered = http_util.yieldable_pcall(converse, self, stream, address, body)
  leave(stream)
  if not ok then
    error(status, 0)
  end
  return status, message, answered
end

return webhook_exchange
