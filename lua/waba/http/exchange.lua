-- Reads an HTTP/1.1 request (RFC 9112) from a connection of a server, and writes the response.

local core = require "waba.core"

local exchange = {}

-- The largest numbers of bytes in a request's head, in the size line of a chunk and in the trailers, and the largest
-- number of header lines.
local MAX_HEAD, MAX_CHUNK_LINE, MAX_TRAILERS, MAX_LINES = 16 * 1024, 256, 8 * 1024, 100
-- The largest number of bytes of a request that are read and discarded after its response was sent.
local MAX_DISCARD = 64 * 1024 * 1024
-- Parsing the size line of a chunk takes as long as processing this number of body bytes.
local CHUNK_WORK = 256
local MOST_PIECES = 1024 -- the number of pieces of a body after which the pieces are joined
-- The largest number of digits of a length. Every Lua represents a number of 15 digits exactly.
local MAX_DIGITS = 15

local REASONS = {
  [200] = "OK", [201] = "Created", [204] = "No Content", [400] = "Bad Request", [401] = "Unauthorized",
  [403] = "Forbidden", [404] = "Not Found", [405] = "Method Not Allowed", [408] = "Request Timeout",
  [413] = "Request Entity Too Large", [417] = "Expectation Failed", [429] = "Too Many Requests",
  [431] = "Request Header Fields Too Large", [500] = "Internal Server Error", [501] = "Not Implemented",
  [502] = "Bad Gateway", [503] = "Service Unavailable", [504] = "Gateway Timeout",
  [505] = "HTTP Version Not Supported",
}

--- A request whose head was read, and its response.
---@class waba.http.Exchange
---@field target string  the path with its query
---@field headers table<string, string|string[]>  names are lower-case; the value of a repeated header is a list
---@field length integer|nil  the length of the body in bytes; nil: the body is chunked
---@field keep boolean  true: the connection can be used again
local Exchange = {}
Exchange.__index = Exchange

local TOKEN = "[%w!#$%%&'*+.^_`|~-]+"
local REQUEST_LINE = "^(" .. TOKEN .. ") (%S+) HTTP/(%d)%.(%d)$"
local FIELD = "^(" .. TOKEN .. "):[ \t]*(.-)[ \t]*$"

-- Returns the path of a target, without the scheme and the host of a target in absolute form (RFC 9112, 3.2.2).
local function path_of(target)
  local path = target:match "^%a[%w+.-]*://[^/?#]*(.*)$" or target
  return path:find("^/") and path or path == "*" and path or "/" .. path
end

local function add_field(headers, name, value)
  local before = headers[name]
  if type(before) == "table" then
    before[#before + 1] = value
  else
    headers[name] = before and { before, value } or value
  end
end

-- Returns the headers, or nil and the status of the response if the lines are malformed.
local function parse_fields(text)
  local headers, count = {}, 0
  for line in text:gmatch "(.-)\r\n" do
    count = count + 1
    local name, value = line:match(FIELD)
    if not name or value:find "[%z\1-\8\10-\31\127]" then return nil, 400 end
    if count > MAX_LINES then return nil, 431 end
    add_field(headers, name:lower(), value)
  end
  return headers
end

local function lists(value, wanted)
  for word in tostring(type(value) == "table" and table.concat(value, ",") or value):gmatch "[^,%s]+" do
    if word:lower() == wanted then return true end
  end
  return false
end

-- Determines where the body ends (RFC 9112, 6.3). Returns the status of an error if the end is ambiguous, because a
-- proxy in front of this server might find another end (request smuggling).
local function find_body(self)
  local coding, length = self.headers["transfer-encoding"], self.headers["content-length"]
  if coding ~= nil then
    if length ~= nil or self.minor == 0 then return 400 end
    if type(coding) ~= "string" or coding:lower() ~= "chunked" then return 501 end
    return
  end
  length = length or "0"
  if type(length) ~= "string" or not length:find "^%d+$" or #length > MAX_DIGITS then return 400 end
  self.length = tonumber(length)
end

local function parse_head(self, text)
  local line, rest = text:match "^([^\r\n]*)\r\n(.*)$"
  local method, target, major, minor = (line or ""):match(REQUEST_LINE)
  if not method or target:find "%c" then return 400 end
  self.method, self.target, self.minor = method, path_of(target), tonumber(minor)
  if major ~= "1" then return 505 end
  local headers, status = parse_fields(rest)
  if not headers then return status end
  self.headers = headers
  if self.minor > 0 and type(headers.host) ~= "string" then return 400 end
  local options = headers.connection or ""
  self.keep = not lists(options, "close") and (self.minor > 0 or lists(options, "keep-alive"))
  status = find_body(self)
  if status then return status end
  self.left = self.length
  if headers.expect == nil then return end
  if tostring(headers.expect):lower() ~= "100-continue" then return 417 end
  self.continues = self.minor > 0 and self.left ~= 0
end

-- Takes the bytes of the next head. Skips an empty line before the head.
local function read_head(connection)
  if not connection:fill() then return nil end
  connection.is_idle = false
  connection:expect(connection.limits.request_seconds)
  local text, reason
  for _ = 1, 2 do
    text, reason = connection:receive_until("\r\n\r\n", MAX_HEAD)
    if text ~= "" then break end
  end
  if text then return (text:gsub("^\r\n", "")) .. "\r\n" end
  return nil, reason == "too long" and 431 or reason == "timeout" and 408 or nil
end

--- Reads the head of the next request. Responds to an invalid request with the status of the error.
---@return waba.http.Exchange|nil  nil: the connection has ended, or must be closed
function exchange.read(connection)
  local text, status = read_head(connection)
  local self = setmetatable({ connection = connection, protocol = "HTTP/1.1", minor = 1 }, Exchange)
  if text then status = parse_head(self, text) end
  if text and not status then return self end
  if not status then return nil end
  self:refuse(status)
  self:finish()
end

-- Returns whether the complete request was read.
local function is_complete(self)
  return self.complete or self.length ~= nil and self.left == 0
end

-- Takes a line of at most `most` bytes.
local function read_line(self, most)
  local line, reason = self.connection:receive_until("\r\n", most)
  return line, reason == "too long" and "malformed" or reason
end

-- Takes the size line of the next chunk of a body. Returns false, after the trailers, if there is no further chunk.
local function next_chunk(self)
  self.connection:take_turns(CHUNK_WORK)
  local line, reason
  if self.left == 0 then -- skips the line break after the previous chunk
    line, reason = read_line(self, 2)
    if not line then return nil, reason end
    self.left = nil
  end
  line, reason = read_line(self, MAX_CHUNK_LINE)
  if not line then return nil, reason end
  local digits = line:match "^(%x+)[ \t]*$" or line:match "^(%x+)[ \t]*;"
  if not digits or #digits > 8 then return nil, "malformed" end
  self.left = tonumber(digits, 16)
  if self.left > 0 then return true end
  local read = 0
  repeat -- skips the trailers
    line, reason = read_line(self, MAX_TRAILERS)
    if not line then return nil, reason end
    read = read + #line + 2
    if read > MAX_TRAILERS then return nil, "malformed" end
  until line == ""
  return false
end

--- Takes the next bytes of the body. Returns nil after the end of the body. For an incomplete body, returns nil and a
--- reason: "closed", "timeout" or "malformed".
function Exchange:read()
  if is_complete(self) then return nil end
  if self.continues then
    self.continues = false
    local sent, reason = self.connection:send "HTTP/1.1 100 Continue\r\n\r\n"
    if not sent then return nil, reason end
  end
  if not self.length and (self.left or 0) == 0 then
    local more, reason = next_chunk(self)
    if more == nil then return nil, reason end
    self.complete = not more
    if self.complete then return nil end
  end
  local bytes, reason = self.connection:receive(self.left)
  if not bytes then return nil, reason end
  self.left = self.left - #bytes
  return bytes
end

--- Creates a function that collects the pieces of a body. The function joins small pieces, because many small strings
--- need far more memory than their bytes.
---@return fun(piece: string|nil): string|nil  adds a piece; for nil, returns the complete body
function exchange.collector()
  local large, small = {}, {}
  return function(piece)
    small[#small + 1] = piece
    if piece and #small < MOST_PIECES then return nil end
    large[#large + 1] = table.concat(small)
    small = {}
    return not piece and table.concat(large) or nil
  end
end

local function head_of(self, status, headers, size)
  local lines = { ("HTTP/1.1 %d %s"):format(status, REASONS[status] or "Unassigned") }
  for name, value in pairs(headers) do
    value = tostring(value)
    if (name .. value):find "[\r\n]" then
      error("the value of a response header must not contain a line break: " .. name, 0)
    end
    lines[#lines + 1] = name .. ": " .. value
  end
  if size then lines[#lines + 1] = ("content-length: %d"):format(size) end
  if not self.keep then
    lines[#lines + 1] = "connection: close"
  elseif self.minor == 0 then
    lines[#lines + 1] = "connection: keep-alive"
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

--- Writes the head of the response and the first part of the body. If the request was not read to its end, the response
--- also closes the connection.
---@param status integer
---@param headers table<string, string>  the headers without Content-Length, Transfer-Encoding and Connection
---@param body string  the complete body, or the first part of it
---@param size? integer  the length of the complete body in bytes; required if `write` sends further parts
function Exchange:respond(status, headers, body, size)
  self.keep = self.keep and is_complete(self)
  self.responded = true
  local head = head_of(self, status, headers, status ~= 204 and (size or #body) or nil)
  return self:write(self.method == "HEAD" and head or head .. body)
end

--- Writes a further part of the response's body.
function Exchange:write(bytes)
  self.connection.deadline = core.clock() + self.connection.limits.request_seconds
  local written = self.connection:send(bytes)
  self.keep = self.keep and written == true
  return written
end

--- Writes a response without a body, and closes the connection.
function Exchange:refuse(status)
  self.keep = false
  return self:respond(status, {}, "")
end

--- Closes the connection without a response.
function Exchange:drop()
  self.keep, self.responded, self.dropped = false, true, true
end

--- Ends the exchange. Discards the rest of the request, so that the peer can read the response.
---@return boolean keep  true: the connection can be used for another request
function Exchange:finish()
  if not self.keep and not self.dropped then self.connection:linger(MAX_DISCARD) end
  return self.keep
end

return exchange
