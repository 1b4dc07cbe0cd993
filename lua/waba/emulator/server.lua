-- The HTTP side: listens, reads a request into a table, hands it to a gateway, writes the answer.
-- Knows HTTP/1.1, HTTP/2 and TLS through lua-http, and nothing of WhatsApp.

local cqueues = require "cqueues"
local digest = require "openssl.digest"
local new_headers = require "http.headers".new
local http_server = require "http.server"
local http_tls = require "http.tls"
local http_util = require "http.util"
local openssl_context = require "openssl.ssl.context"
local pkey = require "openssl.pkey"
local x509 = require "openssl.x509"

local streams = require "waba.streams"

local server = {}

-- Seconds a client may be silent within a request, and between two of them.
local PATIENCE = 60
-- How far beyond its limit a body is read and thrown away, so that the client reads the refusal.
local DISCARD = 64 * 1024 * 1024
local FILE_CHUNK = 128 * 1024

--- A request, read completely.
---@class waba.emulator.Request
---@field method string
---@field path string                     as it came, without the query and a closing slash
---@field target string                   the path with the query, as it came
---@field segments string[]               the path's parts, decoded
---@field query table<string, string>
---@field headers table<string, string>   names in lower case
---@field protocol "HTTP/1.1"|"HTTP/2"
---@field body? string                    unless it went into a file
---@field file? string
---@field sha256? string                  of the file, in hexadecimal
---@field size integer                    bytes of the body
---@field too_large? boolean              the body was longer than its limit, and was not kept

--- What a gateway says: a status with headers and a body, or that the connection is to break.
---@class waba.emulator.Answer
---@field status integer
---@field headers? table<string, string>
---@field body? string
---@field file? string
---@field drop? boolean   close the connection instead

--- What the server needs from a gateway.
---@class waba.emulator.Gateway
---@field expects fun(self, request: waba.emulator.Request): { limit: integer, file: string? }
---@field handle fun(self, request: waba.emulator.Request): waba.emulator.Answer
---@field answered fun(self, request: waba.emulator.Request, answer: waba.emulator.Answer, written: boolean)

local function decode(text)
  return http_util.decodeURIComponent(text)
end

local function parse_query(text)
  local query = {}
  for pair in text:gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=(.*)$")
    if name then
      query[decode(name:gsub("%+", " "))] = decode((value:gsub("%+", " ")))
    else
      query[decode(pair)] = ""
    end
  end
  return query
end

local function parse_target(request, target)
  local path, query = target:match("^([^?#]*)%??([^#]*)")
  request.target = target
  path = path:gsub("/+$", "")
  request.path = path == "" and "/" or path
  request.query = parse_query(query)
  request.segments = {}
  for segment in path:gmatch("[^/]+") do
    request.segments[#request.segments + 1] = decode(segment)
  end
end

-- ---- Requests and answers --------------------------------------------------------------------------

local function read_head(stream)
  local head = streams.next_head(stream, PATIENCE)
  if not head then
    return nil
  end
  local request = {
    method = head:get(":method"), headers = {}, size = 0,
    protocol = stream.connection.version == 2 and "HTTP/2" or "HTTP/1.1",
  }
  for name, value in head:each() do
    if name:sub(1, 1) ~= ":" then
      local before = request.headers[name]
      request.headers[name] = before and before .. ", " .. value or value
    elseif name == ":authority" then
      request.headers.host = value
    end
  end
  parse_target(request, head:get(":path") or "/")
  return request
end

-- Reads the body into memory or into the file of the plan. Returns false when the client went away.
local function read_body(stream, request, plan)
  if request.headers.expect and request.headers.expect:lower() == "100-continue"
    and request.protocol == "HTTP/1.1" then
    stream:write_continue(PATIENCE)
  end
  local file, hash
  if plan.file then
    streams.widen_window(stream)
    file = assert(io.open(plan.file, "wb"))
    hash = digest.new("sha256")
  end
  local parts, complete = {}, false
  while not complete do
    local chunk, message = streams.next_chunk(stream, PATIENCE)
    if not chunk then
      if message then
        break
      end
      complete = true
    else
      request.size = request.size + #chunk
      if request.size > plan.limit then
        request.too_large = true
        parts = nil
        if request.size > plan.limit + DISCARD then
          complete = true
        end
      elseif file then
        assert(file:write(chunk))
        hash:update(chunk)
      else
        parts[#parts + 1] = chunk
      end
    end
  end
  if file then
    file:close()
    if request.too_large or not complete then
      os.remove(plan.file)
    else
      request.file = plan.file
      request.sha256 = hash:final():gsub(".", function(byte) return ("%02x"):format(byte:byte()) end)
    end
  elseif parts then
    request.body = table.concat(parts)
  end
  return complete
end

-- Reads ahead: the last part of an HTTP/2 body must say that it is the last.
local function write_file(stream, path)
  local file = assert(io.open(path, "rb"))
  local part, written = file:read(FILE_CHUNK), true
  while written and part do
    local following = file:read(FILE_CHUNK)
    written = streams.write_part(stream, part, following == nil, PATIENCE)
    part = following
  end
  file:close()
  return written
end

local function file_size(path)
  local file = assert(io.open(path, "rb"))
  local size = file:seek("end")
  file:close()
  return size
end

-- lua-http 0.4 writes the place 127 of HTTP/2's table of headers wrongly, which ends the connection. So nothing that
-- differs from answer to answer, nor anything else, gets into the table.
local NEVER_INDEXED = true

local function write_answer(stream, request, answer, clock)
  if answer.drop then
    stream.connection.socket:shutdown("rw")
    return false
  elseif stream.state == "closed" then
    return false -- the client has left the stream, and others may use the connection
  end
  local head = new_headers()
  head:append(":status", ("%d"):format(answer.status), NEVER_INDEXED)
  if clock then
    head:append("date", http_util.imf_date(math.floor(clock:now())), NEVER_INDEXED)
  end
  for name, value in pairs(answer.headers or {}) do
    head:append(name:lower(), value, NEVER_INDEXED)
  end
  local body = answer.body or ""
  local size = answer.file and file_size(answer.file) or #body
  if answer.status ~= 204 and not head:has("content-length") and not head:has("transfer-encoding") then
    head:append("content-length", ("%d"):format(size), NEVER_INDEXED)
  end
  if request.too_large and request.protocol == "HTTP/1.1" then
    head:append("connection", "close")
  end
  local without_body = request.method == "HEAD" or size == 0
  if not stream:write_headers(head, without_body, PATIENCE) then
    return false
  end
  if without_body then
    return true
  elseif answer.file then
    return write_file(stream, answer.file) and true or false
  end
  return streams.write_part(stream, body, true, PATIENCE)
end

local function serve(gateway, stream, clock)
  streams.mend(stream)
  local request = read_head(stream)
  if not request then
    return
  end
  if not read_body(stream, request, gateway:expects(request)) then
    return
  end
  local answer = gateway:handle(request)
  if answer.delay then
    cqueues.sleep(answer.delay)
  end
  local written = write_answer(stream, request, answer, clock)
  gateway:answered(request, answer, written)
end

local function alpn(ssl_protocols)
  return function(_, offered)
    for _, wanted in ipairs(ssl_protocols) do
      for _, protocol in ipairs(offered) do
        if protocol == wanted then
          return protocol
        end
      end
    end
  end
end

local function tls_context(certificate, http2)
  local context = http_tls.new_server_context()
  context:setOptions(openssl_context.OP_NO_TLSv1 + openssl_context.OP_NO_TLSv1_1)
  context:setAlpnSelect(alpn(http2 and { "h2", "http/1.1" } or { "http/1.1" }))
  context:setPrivateKey(pkey.new(certificate.key, "PEM"))
  context:setCertificate(x509.new(certificate.certificate, "PEM"))
  return context
end

---@class waba.emulator.Listen
---@field cq userdata        the cqueues controller it lives in
---@field host string
---@field port integer       0: any free one
---@field certificate? waba.emulator.Certificate  serves TLS with it; plain HTTP without
---@field http2? boolean
---@field gateway waba.emulator.Gateway
---@field clock? waba.emulator.Clock  tells the time of each answer

--- Listens and serves. A request that fails costs its own connection only.
---@param options waba.emulator.Listen
---@return table|nil listener  lua-http's server
---@return integer|string port  or the message
function server.listen(options)
  local listener, message = http_server.listen({
    cq = options.cq, host = options.host, port = options.port, reuseaddr = true,
    tls = options.certificate ~= nil,
    ctx = options.certificate and tls_context(options.certificate, options.http2),
    version = not options.http2 and 1.1 or nil,
    connection_setup_timeout = PATIENCE, intra_stream_timeout = PATIENCE,
    onstream = function(_, stream)
      local ok, problem = http_util.yieldable_pcall(serve, options.gateway, stream, options.clock)
      streams.leave(stream)
      if not ok then
        -- Its state is unknown: lua-http can fail within what others share.
        if stream.connection.socket then
          stream.connection.socket:shutdown("rw")
        end
        error(problem, 0)
      end
    end,
    onerror = function(_, _, operation, problem)
      -- What a client does to its own connection is its own affair.
      if operation == "onstream" and not streams.is_abandonment(problem) then
        io.stderr:write("waba emulator: ", tostring(problem), "\n")
      end
    end,
  })
  local listening
  if listener then
    listening, message = listener:listen()
  end
  if not listening then
    return nil, ("cannot listen on %s port %d: %s"):format(options.host, options.port, tostring(message))
  end
  local _, _, port = listener:localname()
  return listener, port
end

return server
