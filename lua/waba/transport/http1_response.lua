-- Reads the response of an exchange that http1.lua has sent: status, headers, body, and whether the
-- connection can be used again.

local core = require "waba.core"
local http1 = require "waba.transport.http1"

local response_head, clock = core.response_head, core.clock
local read, report = http1.read, http1.report
local max, setmetatable = math.max, setmetatable

local http1_response = {}

-- The error for a compressed body that should go into a file or a sink.
local COMPRESSED = "the response is compressed (Content-Encoding: %s) although the request does not allow "
  .. "that, and the transport in nginx cannot read it: turn compression off in the proxy before the gateway"

-- Bytes read from a socket at a time.
local PIECE = 65536
local MAX_HEAD = 262144
local MAX_BODY = 16777216

-- Reads more into the buffer. Nil, and a socket's word or a fault when nothing comes.
local function read_more(exchange, cap)
  local buffer, from = exchange.buffer, exchange.from
  if from > 1 then buffer = buffer:sub(from) end
  if #buffer > cap then return nil, "the answer's head is too large", "protocol" end
  local bytes, word = read(exchange, PIECE)
  if not bytes then return nil, word end
  exchange.buffer, exchange.from = buffer == "" and bytes or buffer .. bytes, 1
  return true
end

-- Reads the head of a response: status, position of what follows, minor version, size of the body (false when it is
-- malformed), whether it is chunked and whether the connection closes; or nil, and a socket's word or a fault.
local function read_head(exchange, from)
  local status, behind, minor, size, is_chunked, closes = response_head(exchange.buffer, from)
  if status == nil then return nil, "the answer is not HTTP/1.1", "protocol" end
  if status and status >= 200 then exchange.sent, exchange.status = "yes", status end
  if minor then return status, behind, minor, size, is_chunked, closes end
  if behind then return nil, "the answer has a malformed header", "protocol" end
  from = max(1, #exchange.buffer - 2)
  local read_on, word, kind = read_more(exchange, MAX_HEAD)
  if not read_on then return nil, word, kind end
  return read_head(exchange, from)
end

local function too_large(most)
  return nil, ("the response is larger than the %d bytes allowed"):format(most), "protocol", "too_large"
end

-- A piece of the body goes where it shall. Nil, what is wrong, its kind and code when it can't.
local function take(exchange, bytes, expected)
  local received = exchange.bytes_received + #bytes
  exchange.bytes_received = received
  if exchange.divert then
    local most = exchange.request.into.max_size
    if most and received > most then return too_large(most) end
    local fault, code = exchange.divert(bytes)
    if fault then return nil, fault, "invalid", code end
  else
    local store, most = exchange.store, exchange.request.max_body or MAX_BODY
    if received > most then return too_large(most) end
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
  local buffer, from = exchange.buffer, exchange.from
  if from > #buffer then return read(exchange, most < PIECE and most or PIECE) end
  exchange.from = from + most
  return from == 1 and #buffer <= most and buffer or buffer:sub(from, from + most - 1)
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
  local search = exchange.from
  while true do
    local buffer, from = exchange.buffer, exchange.from
    local at = buffer:find("\r\n", search, true)
    if at then
      exchange.from = at + 2
      return buffer:sub(from, at - 1)
    end
    local read_on, word, kind = read_more(exchange, MAX_HEAD)
    if not read_on then return nil, word, kind end
    search = max(1, #buffer - from + 1)
  end
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

-- The whole body, where it stays in memory and came with the head, as most do: read already. Else nil.
local function body_at_hand(exchange, behind, size)
  local buffer, request = exchange.buffer, exchange.request
  if #buffer - behind + 1 ~= size or exchange.divert or request.progress then return nil end
  if size > (request.max_body or MAX_BODY) then return nil end
  exchange.buffer, exchange.bytes_received = "", size
  return buffer:sub(behind)
end

-- Reads the body to its end, where that is known, or to that of the connection.
local function read_body(exchange, size, is_chunked)
  if is_chunked then return read_chunked(exchange) end
  if size then return read_sized(exchange, size, size) end
  if size == false then return nil, "the answer has a malformed Content-Length", "protocol" end
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

-- The headers of a response whose head ends before `behind`.
local function headers_of(lines, behind)
  local _, last = lines:find("\r\n", 1, true)
  return core.headers(lines, last + 1, behind - 3)
end

-- The compression of the body, which no request allows; nil if it is not compressed.
local function coding_of(headers)
  local coding = headers["content-encoding"]
  return coding and coding:lower() ~= "identity" and coding or nil
end

-- The fields of a response that are made when one of them is asked for, from what is known of its exchange.
local Response = {}

function Response.__index(response, name)
  local exchange, lines = response.exchange, response.lines
  setmetatable(response, nil)
  if not exchange then return nil end
  response.headers = headers_of(lines, response.behind)
  response.content_coding = coding_of(response.headers)
  response.sent, response.reused = "yes", exchange.reused
  response.protocol = lines:byte(8) == 49 and "HTTP/1.1" or "HTTP/1.0"
  response.bytes_sent, response.bytes_received = exchange.bytes_sent, exchange.bytes_received
  local started = exchange.started
  response.timings = {
    connect = exchange.connected and exchange.connected - started or 0,
    first_byte = exchange.first_byte - started, total = response.ended - started,
  }
  response.exchange, response.lines, response.behind, response.ended = nil, nil, nil, nil
  return response[name]
end

-- What was received is the response. `ended`: when.
local function new_response(exchange, status, body, lines, behind, ended)
  return setmetatable({
    status = status, body = body, exchange = exchange, lines = lines, behind = behind, ended = ended,
  }, Response)
end

-- The body of the response, of which so much is in the buffer already; or nil, what is wrong, its kind and code.
local function receive_body(exchange, behind, size, is_chunked)
  local body = size and not is_chunked and body_at_hand(exchange, behind, size)
  if body then return body end
  exchange.buffer = exchange.buffer:sub(behind)
  local complete, fault, kind, code = read_body(exchange, size, is_chunked)
  if not complete then return nil, fault, kind, code end
  return stored(exchange)
end

-- Reads a response, and those behind it until one is final.
local function receive(exchange, divert)
  local status, behind, minor, size, is_chunked, closes = read_head(exchange, 1)
  if not status then return fail_to_read(exchange, behind, minor) end
  if status < 200 then
    exchange.buffer = exchange.buffer:sub(behind)
    return receive(exchange, divert)
  end
  local now = clock()
  exchange.first_byte, exchange.keep = now, minor == 1 and not closes
  if divert and status < 300 then
    local coding = coding_of(headers_of(exchange.buffer, behind))
    if coding then return http1.fail(exchange, "protocol", COMPRESSED:format(coding), "compressed") end
    exchange.divert = divert
  end
  if exchange.request.head.method == "HEAD" or status == 204 or status == 304 then size, is_chunked = 0, false end
  local lines = exchange.buffer
  local body, fault, kind, code = receive_body(exchange, behind, size, is_chunked)
  if not body then return fail_to_read(exchange, fault, kind, code) end
  if exchange.from <= #exchange.buffer then exchange.keep = false end -- bytes after the end of the response
  return new_response(exchange, status, body, lines, behind, #lines == behind - 1 + #body and now or clock())
end

--- Reads the final response; interim ones are passed over.
---@param exchange waba.Exchange
---@param divert? fun(bytes: string): string?, string?  takes a 2xx body instead of memory; may return what
---        is wrong, and a code
---@return waba.Response|nil
---@return waba.TransferFailure?
function http1_response.receive(exchange, divert)
  local read_on, word, kind = read_more(exchange, MAX_HEAD)
  if not read_on then return fail_to_read(exchange, word, kind) end
  return receive(exchange, divert)
end

return http1_response
