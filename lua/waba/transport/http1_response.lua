-- Reads the response to a request that http1.lua has sent, and determines whether the connection can be used again.
-- Most functions return nil and a `waba.TransferFailure` if they fail.

local core = require "waba.core"
local http1 = require "waba.transport.http1"

local response_head, clock = core.response_head, core.clock
local read, report = http1.read, http1.report
local max, setmetatable = math.max, setmetatable

local http1_response = {}

-- The error text for a compressed body that would be written to a file or a sink.
local COMPRESSED = "the response is compressed (Content-Encoding: %s) although the request does not allow "
  .. "that, and the transport in nginx cannot read it: turn compression off in the proxy before the gateway"

local PIECE = 65536 -- the number of bytes that are read from a socket at a time
local MAX_HEAD = 262144
local MAX_BODY = 16777216

local function malformed(exchange, message)
  return http1.fail(exchange, "protocol", message)
end

-- Returns nil and the failure for an error of the socket.
local function cut_off(exchange, reason)
  return http1.fail_by_reason(exchange, reason,
    exchange.status and "the response is incomplete" or "there is no response")
end

-- Reads further bytes into the buffer.
local function read_more(exchange)
  local buffer, from = exchange.buffer, exchange.from
  if from > 1 then buffer = buffer:sub(from) end
  if #buffer > MAX_HEAD then return malformed(exchange, "the head of the response is too large") end
  local bytes, reason = read(exchange, PIECE)
  if not bytes then return cut_off(exchange, reason) end
  exchange.buffer, exchange.from = buffer == "" and bytes or buffer .. bytes, 1
  return true
end

-- Reads the head of a response. Returns the results of `core.response_head`.
local function read_head(exchange, from)
  local status, behind, minor, size, is_chunked, closes = response_head(exchange.buffer, from)
  if status == nil then return malformed(exchange, "the response is not HTTP/1.1") end
  if status and status >= 200 then exchange.sent, exchange.status = "yes", status end
  if minor then return status, behind, minor, size, is_chunked, closes end
  if behind then return malformed(exchange, "the response has a malformed header") end
  from = max(1, #exchange.buffer - 2)
  local ok, failure = read_more(exchange)
  if not ok then return nil, failure end
  return read_head(exchange, from)
end

local function too_large(exchange, most)
  local message = ("the response is larger than the %d bytes allowed"):format(most)
  return http1.fail(exchange, "protocol", message, "too_large")
end

-- Writes bytes of the body to memory, or passes them to `divert`.
local function take(exchange, bytes, expected)
  local received = exchange.bytes_received + #bytes
  exchange.bytes_received = received
  if exchange.divert then
    local most = exchange.request.into.max_size
    if most and received > most then return too_large(exchange, most) end
    local message, code = exchange.divert(bytes)
    if message then return http1.fail(exchange, "invalid", message, code) end
  else
    local store, most = exchange.store, exchange.request.max_body or MAX_BODY
    if received > most then return too_large(exchange, most) end
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

-- Returns at most `most` bytes from the buffer, or from the socket if the buffer is empty; or nil and the error of the
-- socket.
local function some(exchange, most)
  local buffer, from = exchange.buffer, exchange.from
  if from > #buffer then return read(exchange, most < PIECE and most or PIECE) end
  exchange.from = from + most
  return from == 1 and #buffer <= most and buffer or buffer:sub(from, from + most - 1)
end

local function read_sized(exchange, size, expected)
  while size > 0 do
    local bytes, reason = some(exchange, size)
    if not bytes then return cut_off(exchange, reason) end
    local ok, failure = take(exchange, bytes, expected)
    if not ok then return nil, failure end
    size = size - #bytes
  end
  return true
end

local function read_line(exchange)
  local search = exchange.from
  while true do
    local buffer, from = exchange.buffer, exchange.from
    local at = buffer:find("\r\n", search, true)
    if at then
      exchange.from = at + 2
      return buffer:sub(from, at - 1)
    end
    local ok, failure = read_more(exchange)
    if not ok then return nil, failure end
    search = max(1, #buffer - from + 1)
  end
end

local function read_chunk_size(exchange)
  local line, failure = read_line(exchange)
  if not line then return nil, failure end
  local size = line:match "^%x+" and tonumber(line:match "^%x+", 16)
  if not size then return malformed(exchange, "the response has a malformed chunk") end
  return size
end

local function read_chunked(exchange)
  local size, failure = read_chunk_size(exchange)
  while size and size > 0 do
    local ok, line
    ok, failure = read_sized(exchange, size)
    if not ok then return nil, failure end
    line, failure = read_line(exchange)
    if not line then return nil, failure end
    if line ~= "" then return malformed(exchange, "the response has a malformed chunk") end
    size, failure = read_chunk_size(exchange)
  end
  local line = size
  while line and line ~= "" do line, failure = read_line(exchange) end -- trailers are ignored
  if not line then return nil, failure end
  return true
end

local function read_to_end(exchange)
  while true do
    local bytes, reason = some(exchange, PIECE)
    if reason == "closed" then return true end
    if not bytes then return cut_off(exchange, reason) end
    local ok, failure = take(exchange, bytes)
    if not ok then return nil, failure end
  end
end

-- Returns the body if the buffer has all of its bytes and if the body is kept in memory, as for most responses.
local function body_in_buffer(exchange, behind, size)
  local buffer, request = exchange.buffer, exchange.request
  if #buffer - behind + 1 ~= size or exchange.divert or request.progress then return nil end
  if size > (request.max_body or MAX_BODY) then return nil end
  exchange.buffer, exchange.bytes_received = "", size
  return buffer:sub(behind)
end

local function read_body(exchange, size, is_chunked)
  if is_chunked then return read_chunked(exchange) end
  if size then return read_sized(exchange, size, size) end
  if size == false then return malformed(exchange, "the response has a malformed Content-Length") end
  exchange.closes = true
  return read_to_end(exchange)
end

-- Parses the headers of a response, whose complete head is at the beginning of `lines`.
local function headers_of(lines)
  local _, last = lines:find("\r\n", 1, true)
  return core.headers(lines, last + 1, lines:find("\r\n\r\n", 1, true) + 1)
end

-- Returns the name of the compression if the server has compressed the body, although no request allows compression;
-- else nil.
local function coding_of(headers)
  local coding = headers["content-encoding"]
  return coding and coding:lower() ~= "identity" and coding or nil
end

-- The metatable of a response. The metamethod `__index` computes the headers, the timings and the other missing fields
-- when a program first reads one of these fields.
local Response = {}

function Response.__index(response, name)
  local lines, started, first_byte = response.lines, response.started, response.first_byte
  setmetatable(response, nil)
  response.headers = headers_of(lines)
  response.content_coding = coding_of(response.headers)
  response.protocol = lines:byte(8) == 49 and "HTTP/1.1" or "HTTP/1.0"
  response.timings = {
    connect = response.connected and response.connected - started or 0,
    first_byte = first_byte - started, total = (response.ended or first_byte) - started,
  }
  response.lines = nil
  return response[name]
end

-- Reads and returns the body of the response. The buffer can already have a part of the body.
local function receive_body(exchange, behind, size, is_chunked)
  local body = size and not is_chunked and body_in_buffer(exchange, behind, size)
  if body then return body end
  exchange.buffer = exchange.buffer:sub(behind)
  local ok, failure = read_body(exchange, size, is_chunked)
  if not ok then return nil, failure end
  local store = exchange.store or ""
  exchange.store, exchange.divert = nil, nil
  return type(store) == "table" and table.concat(store) or store
end

-- Reads responses until one is final.
local function receive(exchange, divert)
  local status, behind, minor, size, is_chunked, closes = read_head(exchange, 1)
  if not status then return nil, behind end
  if status < 200 then
    exchange.buffer = exchange.buffer:sub(behind)
    return receive(exchange, divert)
  end
  local lines = exchange.buffer
  exchange.first_byte, exchange.lines = clock(), lines
  if closes or minor ~= 1 then exchange.closes = true end
  if divert and status < 300 then
    local coding = coding_of(headers_of(lines))
    if coding then return http1.fail(exchange, "protocol", COMPRESSED:format(coding), "compressed") end
    exchange.divert = divert
  end
  if exchange.request.head.method == "HEAD" or status == 204 or status == 304 then size, is_chunked = 0, false end
  local body, failure = receive_body(exchange, behind, size, is_chunked)
  if not body then return nil, failure end
  exchange.body = body
  if exchange.from <= #exchange.buffer then exchange.closes = true end -- there are bytes after the end of the response
  if #lines ~= behind - 1 + #body then exchange.ended = clock() end
  return exchange
end

--- Reads the final response into the exchange, and ignores interim (1xx) responses. Returns the exchange. If there is a
--- function `divert`, calls it with the bytes of a 2xx body, which are then not kept in memory. `divert` returns an error
--- text and a code if it fails.
function http1_response.receive(exchange, divert)
  local ok, failure = read_more(exchange)
  if not ok then return nil, failure end
  return receive(exchange, divert)
end

--- Converts an exchange that has its response into the `waba.Response`, so that a message needs no second table. The
--- exchange must not be used any longer.
function http1_response.of(exchange)
  exchange.socket, exchange.request = nil, nil
  return setmetatable(exchange, Response)
end

return http1_response
