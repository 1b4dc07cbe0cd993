-- Writes an HTTP/1.1 request to a socket that has the methods of nginx's cosockets (`send`, `receiveany`,
-- `settimeout`). Records whether the server can have received the complete request. http1_response.lua reads the
-- response.

local core = require "waba.core"
local open_file = require "waba.open"

local http1 = {}

local PIECE = 65536 -- the number of bytes that are read from a file at a time

local DRIFT = 0.02 -- the least number of seconds between two calls that set the timeout of a socket
local LONGEST = 2 ^ 31 - 1 -- the longest timeout of a socket in milliseconds

--- One request and its response.
---@class waba.Exchange
---@field to_send? integer  bytes of the request's body, if known
---@field file? userdata  the open file of the request's body
---@field started number  the time of `core.clock` at which the request was started
---@field deadline number  the time of `core.clock` at which the exchange must have ended
---@field armed number  the time of `core.clock` at which the timeout of the socket was last set
---@field sent "no"|"maybe"|"yes"  see `waba.TransferFailure`
---@field buffer string  the bytes that were received last
---@field from integer  the position of the first unused byte in the buffer
---@field store? string|table  the parts of the body that were received, if the body is kept in memory
---@field divert? function  called with the bytes of the body, if the body is not kept in memory
---@field closes boolean?  true: the connection can't be used again
---@field connected number?  the time at which the connection was established, if it is new
---@field first_byte number  the time at which the head of the response was received
---@field lines string  the head of the response, and the bytes that were received together with the head
---@field body string  the body of the response
---@field ended number?  the time at which the last byte was received, if the body did not arrive together with the head

--- Returns nil and a `waba.TransferFailure` with the state of the exchange.
function http1.fail(exchange, kind, message, code)
  return nil, {
    kind = kind, message = message, code = code, sent = exchange.sent, status = exchange.status,
    bytes_sent = exchange.bytes_sent, reused = exchange.reused, protocol = "HTTP/1.1",
  }
end

--- Converts seconds to a timeout of a socket in milliseconds. The result is at least 1, because a socket can treat 0 as
--- no timeout.
function http1.milliseconds(seconds)
  return math.floor(math.max(1, math.min(LONGEST, seconds * 1000)))
end

--- Returns nil and the failure for an error of a socket, such as "timeout" or "closed". `message` names what failed.
function http1.fail_by_reason(exchange, reason, message)
  if reason == "timeout" then return http1.fail(exchange, "timeout", "the timeout passed: " .. message, reason) end
  return http1.fail(exchange, "network", message .. ": " .. reason, reason)
end

-- Sets the timeout of the socket to the remaining time. Returns false if no time remains.
local function arm(exchange)
  local now = core.clock()
  if now >= exchange.deadline then return false end
  if now - exchange.armed > DRIFT then
    exchange.armed = now
    exchange.socket:settimeout(http1.milliseconds(exchange.deadline - now))
  end
  return true
end

-- Writes bytes to the socket. `is_armed` is true if the caller has just set the timeout of the socket.
local function write(exchange, bytes, is_armed)
  if not is_armed and not arm(exchange) then return nil, "timeout" end
  return exchange.socket:send(bytes)
end

--- Reads between one byte and `most` bytes. Returns nil and a reason after an error of the socket. Checks the deadline
--- at each call, because the timeout of a socket begins again with each byte.
function http1.read(exchange, most)
  if not arm(exchange) then return nil, "timeout" end
  return exchange.socket:receiveany(most)
end

--- Calls the progress function of the request, if the request has one.
function http1.report(exchange, to_receive)
  local progress = exchange.request.progress
  if progress then progress(exchange.bytes_sent, exchange.to_send, exchange.bytes_received, to_receive) end
end

--- Determines the size of the request's body, and opens its file. `http1.close_body` closes the file. Returns true, or
--- nil and an error text.
function http1.open_body(exchange)
  local body = exchange.request.body
  if body == nil or type(body) == "string" then
    exchange.to_send = body and #body
  elseif body.reader then
    exchange.to_send, exchange.chunked = body.size, body.size == nil
  else
    local handle, message = open_file(body.file, "rb")
    local size = handle and handle:seek "end"
    if not size or not handle:seek "set" or not handle:read(0) and size > 0 or size >= 2 ^ 53 then
      if handle then handle:close() end
      return nil, ("the file %s cannot be sent: %s"):format(body.file, message or "it is no regular file")
    end
    exchange.file, exchange.to_send = handle, size
  end
  return true
end

function http1.close_body(exchange)
  if not exchange.file then return end
  exchange.file:close()
  exchange.file = nil
end

-- Returns an iterator over the pieces of a body. The iterator returns the bytes of a piece, false after the last piece,
-- or nil and an error text.
local function pieces_of(exchange)
  local body = exchange.request.body
  if type(body) == "string" then
    return function() return body:sub(exchange.bytes_sent + 1, exchange.bytes_sent + PIECE) end
  end
  if body.reader then return function() return body.reader() or false end end
  return function()
    local piece = exchange.file:read(math.min(PIECE, exchange.to_send - exchange.bytes_sent))
    if not piece then return nil, ("the file %s became shorter while it was sent"):format(body.file) end
    return piece
  end
end

local function checked_piece(exchange, piece)
  if type(piece) ~= "string" then error("a reader must return a string or nil, not a " .. type(piece), 0) end
  if exchange.to_send and exchange.bytes_sent + #piece > exchange.to_send then
    return nil, ("the reader returned more bytes than the %d declared"):format(exchange.to_send)
  end
  return piece
end

-- Returns a piece of the body as bytes to send, with the head of the request before the first piece.
local function frame(exchange, head, length, piece)
  local start = head and head:bytes(length) or ""
  if exchange.chunked then return { start, ("%x\r\n"):format(#piece), piece, "\r\n" } end
  return head and { start, piece } or piece
end

-- Sends the head together with the first piece of the body, then the other pieces. The bytes of the head are made after
-- the reader was called, because a reader could find these bytes, which contain the secret.
local function send_pieces(exchange, head, length, next_piece)
  while exchange.bytes_sent ~= exchange.to_send do
    local piece, message = next_piece()
    if piece == false then break end
    if piece then piece, message = checked_piece(exchange, piece) end
    if not piece then return http1.fail(exchange, "invalid", message, "body") end
    if piece ~= "" then
      local written, reason = write(exchange, frame(exchange, head, length, piece))
      if not written then return nil, reason end
      head = nil
      exchange.bytes_sent = exchange.bytes_sent + #piece
      http1.report(exchange)
    end
  end
  if exchange.to_send and exchange.bytes_sent < exchange.to_send then
    return http1.fail(exchange, "invalid",
      ("the reader returned fewer bytes than the %d declared"):format(exchange.to_send), "body")
  end
  local rest = (head and head:bytes(length) or "") .. (exchange.chunked and "0\r\n\r\n" or "")
  if rest == "" then return true end
  return write(exchange, rest)
end

--- Writes the request. The server can't have received the complete request before the last write has succeeded.
---@param exchange waba.Exchange
---@param head waba.ReadyHead
---@param length integer|true|nil  the length of the body, for `head:bytes`
---@param is_armed? boolean  true: the caller has just set the timeout of the socket
---@return true|nil
---@return waba.TransferFailure|string|nil failure  a string is the error of the socket
function http1.send(exchange, head, length, is_armed)
  local body = exchange.request.body
  local written, failure
  if body == nil then
    written, failure = write(exchange, head:bytes(length), is_armed)
  elseif type(body) == "string" and not exchange.request.progress then
    -- a table, because a concatenation would be another string with the secret
    written, failure = write(exchange, { head:bytes(length), body }, is_armed)
    if written then exchange.bytes_sent = #body end
  else
    written, failure = send_pieces(exchange, head, length, pieces_of(exchange))
  end
  if not written then return nil, failure end
  exchange.sent = "maybe"
  return true
end

return http1
