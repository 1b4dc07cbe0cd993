-- HTTP/1.1 on the wire, over any socket with `send`, `receive` and `settimeout` in nginx's manner:
-- writes a request's body, reads a response. Keeps account of what the other side can have received.

local core = require "waba.core"

local http1 = {}

-- Bytes read from files and sockets at a time.
local PIECE = 65536
local MAX_HEAD = 65536
local MAX_BODY = 16777216

--- One request on its way, and what is known of it.
---@class waba.Exchange
---@field socket table
---@field request waba.Request
---@field deadline number   of `core.clock`
---@field sent "no"|"maybe"|"yes"
---@field bytes_sent integer
---@field bytes_received integer
---@field status integer?

-- What a socket's word means as the kind of a failure.
local function kind_of(word)
  return word == "timeout" and "timeout" or "network"
end

--- A failure of the transport contract.
---@param exchange waba.Exchange
---@param kind string
---@param message string
---@param code? string
---@return nil
---@return waba.TransferFailure
function http1.fail(exchange, kind, message, code)
  return nil, {
    kind = kind, message = message, code = code, sent = exchange.sent, status = exchange.status,
    bytes_sent = exchange.bytes_sent, reused = exchange.reused, protocol = "HTTP/1.1",
  }
end

-- Gives the socket the time that is left of the whole. False when none is.
local function arm(exchange)
  local left = exchange.deadline - core.clock()
  if left <= 0 then return false end
  exchange.socket:settimeout(math.max(1, math.floor(left * 1000)))
  return true
end

local function write(exchange, bytes)
  if not arm(exchange) then return nil, "timeout" end
  return exchange.socket:send(bytes)
end

local function read(exchange, what)
  if not arm(exchange) then return nil, "timeout", "" end
  return exchange.socket:receive(what)
end

local function report(exchange, received, to_receive)
  local request = exchange.request
  if request.progress then request.progress(exchange.bytes_sent, exchange.to_send, received, to_receive) end
end

-- The pieces of a body, one after another: bytes, false at the end, or nil and a message.
local function pieces_of(body)
  if type(body) == "string" then
    local given = false
    return function()
      if given then return false end
      given = true
      return body
    end
  end
  if body.reader then return function() return body.reader() or false end end
  local left = body.size
  return function()
    if left == 0 then return false end
    local piece = body.handle:read(math.min(PIECE, left))
    if not piece then return nil, body.file .. " became shorter while it was read" end
    left = left - #piece
    return piece
  end
end

-- One piece with what the framing puts around it. Lengths are known, or the body is chunked.
local function frame(exchange, piece)
  if not exchange.chunked then return piece end
  return ("%x\r\n"):format(#piece) .. piece .. "\r\n"
end

local function checked_piece(exchange, piece)
  if type(piece) ~= "string" then return nil, "a reader must return a string or nil, not a " .. type(piece) end
  if exchange.to_send and exchange.bytes_sent + #piece > exchange.to_send then
    return nil, ("the reader gave more than the %d bytes that were announced"):format(exchange.to_send)
  end
  return piece
end

-- Sends head and body. The gateway can't have a complete request before the last write succeeded.
local function send_pieces(exchange, head, next_piece)
  local waiting = head
  while true do
    local piece, fault = next_piece()
    if piece == nil then return http1.fail(exchange, "invalid", fault) end
    if piece == false then break end
    piece, fault = checked_piece(exchange, piece)
    if not piece then return http1.fail(exchange, "invalid", fault) end
    if piece ~= "" then
      local written, word = write(exchange, waiting .. frame(exchange, piece))
      if not written then return nil, word end
      waiting = ""
      exchange.bytes_sent = exchange.bytes_sent + #piece
      report(exchange, 0)
    end
  end
  if exchange.to_send and exchange.bytes_sent < exchange.to_send then
    return http1.fail(exchange, "invalid", ("the reader gave %d of the %d bytes that were announced")
      :format(exchange.bytes_sent, exchange.to_send))
  end
  if exchange.chunked then waiting = waiting .. "0\r\n\r\n" end
  if waiting ~= "" then
    local written, word = write(exchange, waiting)
    if not written then return nil, word end
  end
  exchange.sent = "maybe"
  return true
end

--- Writes the request.
---@param exchange waba.Exchange
---@param head string  complete, with its blank line
---@return true|nil
---@return waba.TransferFailure|string|nil failure  a string is the socket's own word
function http1.send(exchange, head)
  local body = exchange.body
  if body == nil then return send_pieces(exchange, head, function() return false end) end
  return send_pieces(exchange, head, pieces_of(body))
end

local function read_status_line(exchange)
  local line, word = read(exchange, "*l")
  if not line then return nil, word end
  local minor, status = line:match("^HTTP/1%.(%d) (%d%d%d)")
  if not status then return nil, "the answer is not HTTP/1.1", "protocol" end
  exchange.minor = tonumber(minor)
  return tonumber(status)
end

-- Header lines up to the blank one; names in lower case, repeated ones joined.
local function read_headers(exchange)
  local headers, size = {}, 0
  while true do
    local line, word = read(exchange, "*l")
    if not line then return nil, word end
    if line == "" then return headers end
    size = size + #line
    if size > MAX_HEAD then return nil, "the answer's head is too large", "protocol" end
    local name, value = line:match("^([^%s:]+):%s*(.-)%s*$")
    if not name then return nil, "the answer has a malformed header", "protocol" end
    name = name:lower()
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
  end
end

local function take(exchange, sink, bytes, expected)
  exchange.bytes_received = exchange.bytes_received + #bytes
  local fault = sink(bytes)
  if fault then return nil, fault, "protocol", "too_large" end
  report(exchange, exchange.bytes_received, expected)
  return true
end

-- Reads exactly `size` bytes into the sink.
local function read_sized(exchange, size, sink, expected)
  while size > 0 do
    local bytes, word = read(exchange, math.min(PIECE, size))
    if not bytes then return nil, word end
    local taken, fault, kind, code = take(exchange, sink, bytes, expected)
    if not taken then return nil, fault, kind, code end
    size = size - #bytes
  end
  return true
end

local function read_chunked(exchange, sink)
  while true do
    local line, word = read(exchange, "*l")
    if not line then return nil, word end
    local size = tonumber(line:match("^%s*(%x+)"), 16)
    if not size then return nil, "the answer has a malformed chunk", "protocol" end
    if size == 0 then
      local trailers, fault, kind = read_headers(exchange)
      if not trailers then return nil, fault, kind end
      return true
    end
    local done, fault, kind, code = read_sized(exchange, size, sink)
    if not done then return nil, fault, kind, code end
    if read(exchange, 2) ~= "\r\n" then return nil, "the answer has a malformed chunk", "protocol" end
  end
end

local function read_to_end(exchange, sink)
  while true do
    local bytes, word, partial = read(exchange, PIECE)
    bytes = bytes or partial
    if bytes and bytes ~= "" then
      local taken, fault, kind, code = take(exchange, sink, bytes)
      if not taken then return nil, fault, kind, code end
    end
    if word == "closed" then return true end
    if word then return nil, word end
  end
end

local function has_token(value, token)
  return value ~= nil and (","..value:lower():gsub("%s", "")..","):find(","..token..",", 1, true) ~= nil
end

-- Reads the body into the sink. The connection can be kept only when its end is known.
local function read_body(exchange, method, status, headers, sink)
  exchange.keep = exchange.minor == 1 and not has_token(headers.connection, "close")
  if method == "HEAD" or status == 204 or status == 304 then return true end
  if has_token(headers["transfer-encoding"], "chunked") then return read_chunked(exchange, sink) end
  if headers["content-length"] then
    local size = headers["content-length"]:match("^%d+$") and tonumber(headers["content-length"])
    if not size then return nil, "the answer has a malformed Content-Length", "protocol" end
    return read_sized(exchange, size, sink, size)
  end
  exchange.keep = false
  return read_to_end(exchange, sink)
end

--- A sink that keeps everything, up to a cap; and the function that gives it out.
---@param max_body? integer  bytes
function http1.memory(max_body)
  local parts, size = {}, 0
  max_body = max_body or MAX_BODY
  local function sink(bytes)
    size = size + #bytes
    if size > max_body then return ("the answer has more than %d bytes"):format(max_body) end
    parts[#parts + 1] = bytes
  end
  return sink, function() return table.concat(parts) end
end

--- Reads the final response; interim ones are passed over.
---@param exchange waba.Exchange
---@param open fun(status: integer): function|nil, function|string  sink for a body of that status, and
---        what ends it and gives the body; or nil and a message
---@return waba.Response|nil
---@return waba.TransferFailure?
function http1.receive(exchange, open)
  local status, headers, fault, kind, code
  repeat
    status, fault, kind = read_status_line(exchange)
    if not status then return http1.fail(exchange, kind or kind_of(fault), fault) end
    exchange.sent, exchange.status = "yes", status
    headers, fault, kind = read_headers(exchange)
    if not headers then return http1.fail(exchange, kind or kind_of(fault), fault) end
  until status >= 200 or status == 101
  exchange.first_byte = core.clock()
  local sink, finish = open(status)
  if not sink then return http1.fail(exchange, "invalid", finish) end
  local complete
  complete, fault, kind, code = read_body(exchange, exchange.request.head.method, status, headers, sink)
  if not complete then
    local message = kind and fault or "the answer broke off: " .. fault
    return http1.fail(exchange, kind or kind_of(fault), message, code)
  end
  return { status = status, headers = headers, body = finish() or "", sent = "yes", protocol = "HTTP/1.1",
    bytes_sent = exchange.bytes_sent, bytes_received = exchange.bytes_received, reused = exchange.reused }
end

return http1
