-- HTTP/1.1 on the wire, over any socket with `send`, `receive` and `settimeout` in nginx's manner:
-- writes a request's body, reads a response. Keeps account of what the other side can have received.

local core = require "waba.core"

local http1 = {}

-- Bytes read from files and sockets at a time.
local PIECE = 65536
local MAX_HEAD = 262144
local MAX_BODY = 16777216

-- A socket's timeout is set anew when the clock has gone on by this much, in seconds.
local DRIFT = 0.02
local LONGEST = 2 ^ 31 - 1

--- One request on its way, and what is known of it.
---@class waba.Exchange
---@field socket table
---@field request waba.Request
---@field body? string|table   as `http1.open_body` has it
---@field to_send? integer     bytes of the body, where they are known
---@field chunked? boolean
---@field deadline number      of `core.clock`
---@field armed number         when the socket was told how long to wait
---@field sent "no"|"maybe"|"yes"
---@field bytes_sent integer
---@field bytes_received integer
---@field reused boolean?
---@field status integer?

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

--- Seconds as a socket's timeout: never 0, which may mean "without end".
---@param seconds number
---@return integer milliseconds
function http1.milliseconds(seconds)
  return math.floor(math.max(1, math.min(LONGEST, seconds * 1000)))
end

--- A failure by the word of a socket.
---@param exchange waba.Exchange
---@param word string    "timeout", "closed", …
---@param happened string  what it means here
---@return nil
---@return waba.TransferFailure
function http1.fail_by_word(exchange, word, happened)
  if word == "timeout" then return http1.fail(exchange, "timeout", "the time was over: " .. happened, word) end
  return http1.fail(exchange, "network", happened .. ": " .. word, word)
end

-- Gives the socket the time that is left of the whole. False when none is.
local function arm(exchange)
  local now = core.clock()
  if now >= exchange.deadline then return false end
  if now - exchange.armed > DRIFT then
    exchange.armed = now
    exchange.socket:settimeout(http1.milliseconds(exchange.deadline - now))
  end
  return true
end

local function write(exchange, bytes)
  if not arm(exchange) then return nil, "timeout" end
  return exchange.socket:send(bytes)
end

local function read(exchange, what)
  if not arm(exchange) then return nil, "timeout" end
  return exchange.socket:receive(what)
end

local function report(exchange, to_receive)
  local progress = exchange.request.progress
  if progress then progress(exchange.bytes_sent, exchange.to_send, exchange.bytes_received, to_receive) end
end

-- ---- The request. --------------------------------------------------------------------------------

--- Makes a request's body ready: its size where it is known, its file opened. `http1.close_body` undoes it.
---@param exchange waba.Exchange
---@param body string|table|nil  of a `waba.Request`
---@return true|nil
---@return string? message
function http1.open_body(exchange, body)
  if body == nil or type(body) == "string" then
    exchange.body, exchange.to_send = body, body and #body
  elseif body.reader then
    exchange.body, exchange.to_send, exchange.chunked = body, body.size, body.size == nil
  else
    local handle, fault = io.open(body.file, "rb")
    local size = handle and handle:seek "end"
    if not size or not handle:seek "set" or not handle:read(0) and size > 0 or size >= 2 ^ 53 then
      if handle then handle:close() end
      return nil, ("the file %s cannot be sent: %s"):format(body.file, fault or "it is no regular file")
    end
    exchange.body, exchange.to_send = { handle = handle, size = size, file = body.file }, size
  end
  return true
end

---@param exchange waba.Exchange
function http1.close_body(exchange)
  local body = exchange.body
  if type(body) == "table" and body.handle then body.handle:close() end
end

-- The pieces of a body, one after another: bytes, false at the end, or nil and a message.
local function pieces_of(exchange)
  local body = exchange.body
  if type(body) == "string" then
    local at, size = 1, exchange.request.progress and PIECE or #body
    return function()
      if at > #body then return false end
      local piece = at == 1 and size >= #body and body or body:sub(at, at + size - 1)
      at = at + size
      return piece
    end
  end
  if body.reader then return function() return body.reader() or false end end
  return function()
    local piece = body.handle:read(math.min(PIECE, exchange.to_send - exchange.bytes_sent))
    if not piece then return nil, ("the file %s became shorter while it was sent"):format(body.file) end
    return piece
  end
end

local function checked_piece(exchange, piece)
  if type(piece) ~= "string" then error("a reader must return a string or nil, not a " .. type(piece), 0) end
  if exchange.to_send and exchange.bytes_sent + #piece > exchange.to_send then
    return nil, ("the reader gave more bytes than the %d declared"):format(exchange.to_send)
  end
  return piece
end

-- What goes over the wire for a piece, behind what still waits.
local function frame(exchange, waiting, piece)
  if exchange.chunked then return { waiting, ("%x\r\n"):format(#piece), piece, "\r\n" } end
  return waiting == "" and piece or { waiting, piece }
end

-- Sends the head together with the first piece, then the others.
local function send_pieces(exchange, head, next_piece)
  local waiting = head
  while exchange.bytes_sent ~= exchange.to_send do
    local piece, fault = next_piece()
    if piece == false then break end
    if piece then piece, fault = checked_piece(exchange, piece) end
    if not piece then return http1.fail(exchange, "invalid", fault, "body") end
    if piece ~= "" then
      local written, word = write(exchange, frame(exchange, waiting, piece))
      if not written then return nil, word end
      waiting = ""
      exchange.bytes_sent = exchange.bytes_sent + #piece
      report(exchange)
    end
  end
  if exchange.to_send and exchange.bytes_sent < exchange.to_send then
    return http1.fail(exchange, "invalid",
      ("the reader gave fewer bytes than the %d declared"):format(exchange.to_send), "body")
  end
  if exchange.chunked then waiting = waiting .. "0\r\n\r\n" end
  if waiting == "" then return true end
  return write(exchange, waiting)
end

--- Writes the request. The other side can't have a complete one before the last write succeeded.
---@param exchange waba.Exchange
---@param head string  complete, with its blank line
---@return true|nil
---@return waba.TransferFailure|string|nil failure  a string is the socket's own word
function http1.send(exchange, head)
  local written, failure
  if exchange.body == nil then
    written, failure = write(exchange, head)
  else
    written, failure = send_pieces(exchange, head, pieces_of(exchange))
  end
  if not written then return nil, failure end
  exchange.sent = "maybe"
  return true
end

-- ---- The response. -------------------------------------------------------------------------------

local function read_status_line(exchange)
  local line, word = read(exchange, "*l")
  if not line then return nil, word end
  local minor, status = line:match "^HTTP/1%.(%d) +(%d%d%d)"
  if not status then return nil, "the answer is not HTTP/1.1", "protocol" end
  exchange.minor = minor
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
    local name, value = line:match "^([^%s:]+):%s*(.-)%s*$"
    if not name then return nil, "the answer has a malformed header", "protocol" end
    name = name:lower()
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
  end
end

local function take(exchange, sink, bytes, expected)
  exchange.bytes_received = exchange.bytes_received + #bytes
  local fault, code = sink(bytes)
  if fault then return nil, fault, code == "file" and "invalid" or "protocol", code end
  report(exchange, expected)
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
    local size = line:match "^%x+" and tonumber(line:match "^%x+", 16)
    if not size then return nil, "the answer has a malformed chunk", "protocol" end
    if size == 0 then break end
    local done, fault, kind, code = read_sized(exchange, size, sink)
    if not done then return nil, fault, kind, code end
    line, word = read(exchange, "*l")
    if not line then return nil, word end
    if line ~= "" then return nil, "the answer has a malformed chunk", "protocol" end
  end
  local trailers, fault, kind = read_headers(exchange)
  if not trailers then return nil, fault, kind end
  return true
end

local function read_to_end(exchange, sink)
  while true do
    if not arm(exchange) then return nil, "timeout" end
    local bytes, word, partial = exchange.socket:receive(PIECE)
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
  if not value then return false end
  if value:lower() == token then return true end
  return ("," .. value:lower():gsub("%s", "") .. ","):find("," .. token .. ",", 1, true) ~= nil
end

-- Reads the body into the sink. The connection can be kept only when the end of the body is known.
local function read_body(exchange, status, headers, sink)
  exchange.keep = exchange.minor == "1" and not has_token(headers.connection, "close")
  if exchange.request.head.method == "HEAD" or status == 204 or status == 304 then return true end
  if has_token(headers["transfer-encoding"], "chunked") then return read_chunked(exchange, sink) end
  local length = headers["content-length"]
  if length then
    local size = length:match "^%d+$" and tonumber(length)
    if not size then return nil, "the answer has a malformed Content-Length", "protocol" end
    return read_sized(exchange, size, sink, size)
  end
  exchange.keep = false
  return read_to_end(exchange, sink)
end

--- A sink that keeps everything, up to a cap; and the function that gives it out.
---@param max_body? integer  bytes
---@return fun(bytes: string): string?, string?  a fault and its code
---@return fun(): string
function http1.memory(max_body)
  local parts, size = {}, 0
  max_body = max_body or MAX_BODY
  local function sink(bytes)
    size = size + #bytes
    if size > max_body then
      return ("the response is larger than the %d bytes allowed"):format(max_body), "too_large"
    end
    parts[#parts + 1] = bytes
  end
  return sink, function() return parts[2] and table.concat(parts) or parts[1] or "" end
end

-- A failure while the answer is read: of the answer, where there is a kind, else of the connection.
local function fail_to_read(exchange, fault, kind, code)
  if kind then return http1.fail(exchange, kind, fault, code) end
  return http1.fail_by_word(exchange, fault, exchange.status and "the answer broke off" or "no answer came")
end

--- Reads the final response; interim ones are passed over.
---@param exchange waba.Exchange
---@param open fun(status: integer): function, function  sink for a body of that status, and what ends
---        it and gives the body, or nil, a message and a code
---@return waba.Response|nil
---@return waba.TransferFailure?
function http1.receive(exchange, open)
  local status, headers, fault, kind, code
  repeat
    status, fault, kind = read_status_line(exchange)
    if not status then return fail_to_read(exchange, fault, kind) end
    if status >= 200 then exchange.sent, exchange.status = "yes", status end
    headers, fault, kind = read_headers(exchange)
    if not headers then return fail_to_read(exchange, fault, kind) end
  until status >= 200
  exchange.first_byte = core.clock()
  local sink, finish = open(status)
  local complete, body
  complete, fault, kind, code = read_body(exchange, status, headers, sink)
  if not complete then return fail_to_read(exchange, fault, kind, code) end
  body, fault, code = finish()
  if not body then return http1.fail(exchange, "invalid", fault, code) end
  return { status = status, headers = headers, body = body, sent = "yes", protocol = "HTTP/1." .. exchange.minor,
    bytes_sent = exchange.bytes_sent, bytes_received = exchange.bytes_received, reused = exchange.reused }
end

return http1
