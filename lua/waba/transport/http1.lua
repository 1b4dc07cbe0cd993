-- HTTP/1.1 on the wire, over a socket with `send`, `receiveany` and `settimeout` in nginx's manner:
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
---@field buffer string        what was received and not used yet
---@field store? string|table  the body received so far, where it stays in memory
---@field divert? function     takes it instead
---@field status integer?
---@field reused boolean?
---@field keep boolean?        the connection can be used again
---@field first_byte number?   when the head of the response had come

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

-- Some bytes, at least one. The time is looked at each time: one byte now and then does not stretch it.
local function read(exchange, most)
  if not arm(exchange) then return nil, "timeout" end
  return exchange.socket:receiveany(most)
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
    return function() return body:sub(exchange.bytes_sent + 1, exchange.bytes_sent + PIECE) end
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
  local body = exchange.body
  local written, failure
  if body == nil then
    written, failure = write(exchange, head)
  elseif type(body) == "string" and not exchange.request.progress then
    written, failure = write(exchange, { head, body }) -- the secret stays in one string
    if written then exchange.bytes_sent = #body end
  else
    written, failure = send_pieces(exchange, head, pieces_of(exchange))
  end
  if not written then return nil, failure end
  exchange.sent = "maybe"
  return true
end

-- ---- The response. -------------------------------------------------------------------------------

-- Reads into the buffer until it has the text. Where that begins; or nil, and a socket's word or a fault.
local function read_until(exchange, text, cap)
  local from = 1
  while true do
    local buffer = exchange.buffer
    local at = buffer:find(text, from, true)
    if at then return at end
    if #buffer > cap then return nil, "the answer's head is too large", "protocol" end
    local bytes, word = read(exchange, PIECE)
    if not bytes then return nil, word end
    from = math.max(1, #buffer - #text + 2)
    exchange.buffer = buffer == "" and bytes or buffer .. bytes
  end
end

-- Header lines in the buffer between two places: names in lower case, repeated ones joined. Nil when one of
-- them is malformed.
local function parse_headers(buffer, at, stop)
  local headers = {}
  while at < stop do
    local _, last, name, value = buffer:find("^([^%s:]+):[ \t]*([^\r\n]*)\r\n", at)
    if not last then return nil end
    local ending = value:byte(-1)
    if ending == 32 or ending == 9 then value = value:match "^(.-)[ \t]*$" end
    name = name:lower()
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
    at = last + 1
  end
  return headers
end

-- What a buffer says that begins with a status line, complete or not; a fault when it can't be one.
local function parse_status(exchange)
  local buffer = exchange.buffer
  local _, last, minor, status = buffer:find "^HTTP/1%.(%d) +(%d%d%d)[^\r\n]*\r\n"
  if last then
    status = tonumber(status)
    if status >= 200 then exchange.sent, exchange.status = "yes", status end
    return status, minor, last + 1
  end
  if #buffer >= 8 and not buffer:find "^HTTP/1%.%d" or not buffer:find("^" .. ("HTTP/1."):sub(1, #buffer)) then
    return nil, "the answer is not HTTP/1.1"
  end
end

-- Reads the head of a response: status, headers and the minor version; or nil, and a socket's word or a
-- fault of the answer.
local function read_head(exchange)
  local blank, word, kind = read_until(exchange, "\r\n\r\n", MAX_HEAD)
  local status, minor, at = parse_status(exchange)
  if not status and (blank or minor) then return nil, minor or "the answer is not HTTP/1.1", "protocol" end
  if not blank then return nil, word, kind end
  local buffer = exchange.buffer
  local headers = parse_headers(buffer, at, blank + 2)
  if not headers then return nil, "the answer has a malformed header", "protocol" end
  exchange.buffer = buffer:sub(blank + 4)
  return status, headers, minor
end

-- A piece of the body goes where it shall. Nil, what is wrong, its kind and code when it can't.
local function take(exchange, bytes, expected)
  local received = exchange.bytes_received + #bytes
  exchange.bytes_received = received
  if exchange.divert then
    local fault, code = exchange.divert(bytes)
    if fault then return nil, fault, "invalid", code end
  else
    local store, max = exchange.store, exchange.request.max_body or MAX_BODY
    if received > max then
      return nil, ("the response is larger than the %d bytes allowed"):format(max), "protocol", "too_large"
    end
    if not store then
      exchange.store = bytes
    elseif type(store) == "string" then
      exchange.store = { store, bytes }
    else
      store[#store + 1] = bytes
    end
  end
  report(exchange, expected)
  return true
end

-- At most so many bytes, of the buffer or newly read.
local function some(exchange, most)
  local buffer = exchange.buffer
  if buffer == "" then return read(exchange, most < PIECE and most or PIECE) end
  if #buffer <= most then
    exchange.buffer = ""
    return buffer
  end
  exchange.buffer = buffer:sub(most + 1)
  return buffer:sub(1, most)
end

local function read_sized(exchange, size, expected)
  while size > 0 do
    local bytes, word = some(exchange, size)
    if not bytes then return nil, word end
    local taken, fault, kind, code = take(exchange, bytes, expected)
    if not taken then return nil, fault, kind, code end
    size = size - #bytes
  end
  return true
end

local function read_line(exchange)
  local at, word, kind = read_until(exchange, "\r\n", MAX_HEAD)
  if not at then return nil, word, kind end
  local buffer = exchange.buffer
  exchange.buffer = buffer:sub(at + 2)
  return buffer:sub(1, at - 1)
end

local function read_chunked(exchange)
  while true do
    local line, word, kind = read_line(exchange)
    if not line then return nil, word, kind end
    local size = line:match "^%x+" and tonumber(line:match "^%x+", 16)
    if not size then return nil, "the answer has a malformed chunk", "protocol" end
    if size == 0 then break end
    local done, fault, code
    done, fault, kind, code = read_sized(exchange, size)
    if not done then return nil, fault, kind, code end
    line, word, kind = read_line(exchange)
    if not line then return nil, word, kind end
    if line ~= "" then return nil, "the answer has a malformed chunk", "protocol" end
  end
  repeat -- trailers say nothing to us
    local line, word, kind = read_line(exchange)
    if not line then return nil, word, kind end
  until line == ""
  return true
end

local function read_to_end(exchange)
  while true do
    local bytes, word = some(exchange, PIECE)
    if word == "closed" then return true end
    if not bytes then return nil, word end
    local taken, fault, kind, code = take(exchange, bytes)
    if not taken then return nil, fault, kind, code end
  end
end

local function has_token(value, token)
  if not value then return false end
  if value == token then return true end
  return ("," .. value:lower():gsub("%s", "") .. ","):find("," .. token .. ",", 1, true) ~= nil
end

-- Reads the body. The connection can be kept only when the end of the body is known.
local function read_body(exchange, status, headers, minor)
  exchange.keep = minor == "1" and not has_token(headers.connection, "close")
  if exchange.request.head.method == "HEAD" or status == 204 or status == 304 then return true end
  if has_token(headers["transfer-encoding"], "chunked") then return read_chunked(exchange) end
  local length = headers["content-length"]
  if length then
    local size = length:match "^%d+$" and tonumber(length)
    if not size then return nil, "the answer has a malformed Content-Length", "protocol" end
    return read_sized(exchange, size, size)
  end
  exchange.keep = false
  return read_to_end(exchange)
end

-- A failure while the answer is read: of the answer, where there is a kind, else of the connection.
local function fail_to_read(exchange, fault, kind, code)
  if kind then return http1.fail(exchange, kind, fault, code) end
  return http1.fail_by_word(exchange, fault, exchange.status and "the answer broke off" or "no answer came")
end

-- The body that stayed in memory.
local function stored(exchange)
  local store = exchange.store
  if not store then return "" end
  return type(store) == "table" and table.concat(store) or store
end

--- Reads the final response; interim ones are passed over.
---@param exchange waba.Exchange
---@param divert? fun(bytes: string): string?, string?  takes a 2xx body instead of memory; may return what
---        is wrong, and a code
---@return waba.Response|nil
---@return waba.TransferFailure?
function http1.receive(exchange, divert)
  local status, headers, minor
  repeat
    status, headers, minor = read_head(exchange)
    if not status then return fail_to_read(exchange, headers, minor) end
  until status >= 200
  exchange.first_byte = core.clock()
  if status < 300 then exchange.divert = divert end
  local complete, fault, kind, code = read_body(exchange, status, headers, minor)
  if not complete then return fail_to_read(exchange, fault, kind, code) end
  if exchange.buffer ~= "" then exchange.keep = false end -- more than was asked for
  return { status = status, headers = headers, body = stored(exchange), sent = "yes",
    protocol = minor == "1" and "HTTP/1.1" or "HTTP/1.0", reused = exchange.reused,
    bytes_sent = exchange.bytes_sent, bytes_received = exchange.bytes_received }
end

return http1
