-- The HTTP server, without code for WhatsApp: listens, reads a request into a table, passes the table to a gateway, and
-- writes the response.

local cqueues = require "cqueues"

local core = require "waba.core"
local exchanges = require "waba.http.exchange"
local listener = require "waba.http.listener"
local printable = require "waba.printable"

local server = {}

-- The limits are high, because the emulator's clients are programs of one developer, which may send large files slowly.
local LIMITS = { connections = 2000, peer_connections = 2000, request_seconds = 600 }
-- The number of bytes that are read and discarded after a body has exceeded its limit. A client reads the response that
-- refuses the body only after the client has sent the body.
local DISCARD = 64 * 1024 * 1024
local FILE_CHUNK = 128 * 1024

--- A request that was read completely.
---@class waba.emulator.Request
---@field method string
---@field path string                     the encoded path, without the query and without a slash at the end
---@field target string                   the path with the query, as received
---@field segments string[]               the decoded parts of the path
---@field query table<string, string>
---@field headers table<string, string>   the names are in lower case
---@field body? string                    nil if the body was written to a file
---@field file? string                    the path of the file with the body
---@field sha256? string                  the SHA-256 of the file in hexadecimal
---@field size integer                    the length of the body in bytes
---@field too_large? boolean              true: the body exceeded its limit, and was discarded

---@class waba.emulator.Response
---@field status integer
---@field headers? table<string, string>
---@field body? string
---@field file? string    the path of the file that is the body
---@field drop? boolean   true: the connection is closed without a response
---@field delay? number   the seconds until the response is written
---@field stream? fun(exchange: waba.http.Exchange)  writes a body that ends with the connection

--- The methods of a gateway that the server calls.
---@class waba.emulator.Gateway
---@field expects fun(self, request: waba.emulator.Request): { limit: integer, file: string? }  the largest body in bytes, and the file for the body
---@field handle fun(self, request: waba.emulator.Request): waba.emulator.Response
---@field finished fun(self, request: waba.emulator.Request, response: waba.emulator.Response, written: boolean)

local function decode(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

local function parse_query(text)
  local query = {}
  for name, value in text:gsub("%+", " "):gmatch("([^&=]+)=?([^&]*)") do query[decode(name)] = decode(value) end
  return query
end

local function new_request(exchange)
  local path, query = exchange.target:match("^([^?#]*)%??([^#]*)")
  path = path:gsub("/+$", "")
  local request = { method = exchange.method, target = exchange.target, path = path == "" and "/" or path,
    query = parse_query(query), segments = {}, headers = {}, size = 0, protocol = exchange.protocol }
  for segment in path:gmatch("[^/]+") do request.segments[#request.segments + 1] = decode(segment) end
  for name, value in pairs(exchange.headers) do
    request.headers[name] = type(value) == "table" and table.concat(value, ", ") or value
  end
  return request
end

-- Reads the body into the file of `plan`, or into memory. Returns false if the client has closed the connection.
local function read_body(exchange, request, plan)
  local file = plan.file and assert(io.open(plan.file, "wb"))
  local hash, collect = core.sha256(), exchanges.collector()
  local chunk, reason
  repeat
    chunk, reason = exchange:read()
    request.size = request.size + (chunk and #chunk or 0)
    request.too_large = request.size > plan.limit or nil
    if chunk and file and not request.too_large then
      assert(file:write(chunk))
      hash:update(chunk)
    elseif chunk and not request.too_large then
      collect(chunk)
    end
  until not chunk or request.size > plan.limit + DISCARD
  if file then file:close() end
  if file and (request.too_large or reason) then
    os.remove(plan.file)
  elseif file then
    request.file, request.sha256 = plan.file, hash:hex()
  elseif not request.too_large then
    request.body = collect()
  end
  return not reason
end

local function write_file(exchange, status, headers, path)
  local file = assert(io.open(path, "rb"))
  local size = file:seek("end")
  file:seek("set")
  local written = exchange:respond(status, headers, "", size)
  while written and exchange.method ~= "HEAD" do
    local part = file:read(FILE_CHUNK)
    if not part then break end
    written = exchange:write(part)
  end
  file:close()
  return written
end

-- Writes a response whose body has no known length. The end of the connection is the end of the body.
local function write_stream(exchange, response, headers)
  exchange.keep, exchange.responded = false, true
  local lines = { ("HTTP/1.1 %d OK"):format(response.status), "connection: close" }
  for name, value in pairs(headers) do lines[#lines + 1] = name .. ": " .. value end
  local written = exchange:write(table.concat(lines, "\r\n") .. "\r\n\r\n")
  if written then response.stream(exchange) end
  return written or false
end

local function write_response(exchange, response, clock)
  if response.drop then
    exchange:drop()
    return false
  end
  local headers = { date = clock and os.date("!%a, %d %b %Y %H:%M:%S GMT", math.floor(clock:now())) }
  for name, value in pairs(response.headers or {}) do headers[name:lower()] = value end
  if response.stream then return write_stream(exchange, response, headers) end
  if response.file then return write_file(exchange, response.status, headers, response.file) or false end
  return exchange:respond(response.status, headers, response.body or "") or false
end

local function serve(gateway, exchange, clock)
  local request = new_request(exchange)
  if not read_body(exchange, request, gateway:expects(request)) then return exchange:drop() end
  local response = gateway:handle(request)
  if response.delay then cqueues.sleep(response.delay) end
  local written = write_response(exchange, response, clock)
  gateway:finished(request, response, written)
end

--- Listens. The options are `cq`, the cqueues controller in which the server runs; `host`; `port`, 0 for any free port;
--- `certificate`, without which the protocol is http; `gateway`; and `clock` for the header Date. Returns the listener
--- and its port; or nil and an error message. A Lua error in `gateway` closes only the connection of the request.
function server.listen(options)
  local certificate = options.certificate
  local listening, message = listener.listen({
    cq = options.cq, host = options.host, port = options.port, limits = LIMITS,
    context = certificate and listener.tls_context(certificate.certificate, certificate.key),
    serve = function(exchange) return serve(options.gateway, exchange, options.clock) end,
    on_error = function(message) io.stderr:write("waba emulator: ", printable.text(message), "\n") end,
  })
  if not listening then
    return nil, ("cannot listen on %s port %d: %s"):format(options.host, options.port, tostring(message))
  end
  return listening, listening.port
end

return server
