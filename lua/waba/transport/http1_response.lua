-- Reads the response of an exchange that http1.lua has sent: status, headers, body, and whether the
-- connection can be used again.

local core = require "waba.core"
local http1 = require "waba.transport.http1"

local read, report = http1.read, http1.report

local http1_response = {}

-- Bytes read from a socket at a time.
local PIECE = 65536
local MAX_HEAD = 262144
local MAX_BODY = 16777216

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
  local headers = core.headers(buffer, at, blank + 1)
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
function http1_response.receive(exchange, divert)
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

return http1_response
