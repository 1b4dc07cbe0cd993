-- The process that spec/support/server.lua starts. The head of spec/support/server.lua describes the responses.
-- HTTP/1.1 is written directly to a cqueues socket, so that a response can violate the protocol; HTTP/2 uses lua-http.

local configuration = ...
local directory = arg[0]:match("^(.*)server_process%.lua$")

local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local cqueues_socket = require "cqueues.socket"
local luasocket = require "socket"
local context = require "openssl.ssl.context"
local pkey = require "openssl.pkey"
local x509 = require "openssl.x509"
local plain_data = dofile(directory .. "plain_data.lua")
local certificate = require "waba.emulator.certificate"

local file = assert(io.open(configuration))
local options = plain_data.read(file:read("*a"))
file:close()

local responses = {} -- path -> list of responses
local sent_counts = {} -- path -> number of responses that were sent
local requests = {} -- in the order of their arrival
local counts = { total = 0, open = 0, most = 0 }
local released = condition.new()
local releases = 0 -- the number of calls of `release`
local loop = cqueues.new()

-- Responses ---------------------------------------------------------------------------------------

local function set_responses(path, list)
  responses[path] = list
  sent_counts[path] = 0
end

for path, response in pairs(options.responses or {}) do
  set_responses(path, #response > 0 and response or { response })
end

local function next_response(path)
  local list = responses[path]
  if not list then return { headers = { { "Content-Type", "application/json" } }, body = "{}" } end
  sent_counts[path] = math.min(sent_counts[path] + 1, #list)
  return list[sent_counts[path]]
end

local function compress(bytes)
  local path = os.tmpname()
  local plain = assert(io.open(path, "wb"))
  plain:write(bytes)
  plain:close()
  local pipe = assert(io.popen("gzip -c '" .. path .. "'"))
  local compressed = pipe:read("*a")
  pipe:close()
  os.remove(path)
  return compressed
end

-- Returns the bytes of the body and the headers that describe it.
local function prepare(response)
  local body = (response.body or ""):rep(response.times or 1)
  local headers = {}
  for _, pair in ipairs(response.headers or {}) do headers[#headers + 1] = pair end
  if response.gzip then
    body = compress(body)
    headers[#headers + 1] = { "Content-Encoding", "gzip" }
  end
  return body, headers
end

-- Waits for the time or the release that the response requires. `before` is the number of releases when the request
-- arrived.
local function pass_time(response, before)
  if response.delay then cqueues.sleep(response.delay) end
  while response.held and releases == before do
    released:wait()
  end
end

-- Calls `send` with each piece of the body until `send` returns false.
local function in_pieces(response, body, send)
  local size = math.max(1, math.ceil(#body / (response.pieces or 1)))
  for at = 1, #body, size do
    if response.pause then cqueues.sleep(response.pause) end
    if not send(body:sub(at, at + size - 1)) then return false end
  end
  return true
end

local function record(method, target, headers, connection)
  local path, query = target:match("^([^?]*)%??(.*)$")
  local request = { method = method, path = path, query = query, headers = headers, body = "",
    complete = false, connection = connection }
  requests[#requests + 1] = request
  return request
end

local function opened()
  counts.total = counts.total + 1
  counts.open = counts.open + 1
  counts.most = math.max(counts.most, counts.open)
  return counts.total
end

local function closed() counts.open = counts.open - 1 end

local function reset(connection)
  local handle = luasocket.tcp()
  local unused = handle:getfd()
  handle:setfd(connection:pollfd())
  handle:setoption("linger", { on = true, timeout = 0 })
  handle:setfd(unused)
  handle:close()
  connection:close()
end

-- Closes the TCP connection without TLS's close_notify.
local function end_tcp(connection)
  local handle = luasocket.tcp()
  local unused = handle:getfd()
  handle:setfd(connection:pollfd())
  handle:close()
  handle:setfd(unused)
  handle:close()
end

-- HTTP/1.1 ----------------------------------------------------------------------------------------

local function read_headers(connection)
  local headers = {}
  local line = connection:read("*l")
  while line do
    line = line:gsub("\r$", "")
    if line == "" then return headers end
    local name, value = line:match("^([^:]+):%s*(.*)$")
    name = name:lower()
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
    line = connection:read("*l")
  end
end

local function read_chunks(connection)
  local chunks = {}
  while true do
    local line = connection:read("*l")
    local size = line and tonumber(line:match("^%x+"), 16)
    if not size then return table.concat(chunks), false end
    if size == 0 then
      connection:read("*l")
      return table.concat(chunks), true
    end
    chunks[#chunks + 1] = connection:read(size)
    connection:read("*l")
  end
end

local function read_body(connection, headers)
  if headers["transfer-encoding"] == "chunked" then return read_chunks(connection) end
  local size = tonumber(headers["content-length"] or 0)
  local parts, got = {}, 0
  while got < size do
    local part = connection:read(-math.min(65536, size - got))
    if not part then return table.concat(parts), false end
    parts[#parts + 1] = part
    got = got + #part
  end
  return table.concat(parts), true
end

local function send(connection, ...) return connection:write(...) and connection:flush() end

-- Returns whether the connection stays open.
local function respond_http1(connection, response, method, before)
  local body, headers = prepare(response)
  local lines = {}
  pass_time(response, before)
  if response.raw then
    send(connection, response.raw .. (response.field or ""):rep(response.times or 1) .. (response.tail or ""))
    if response.abrupt then end_tcp(connection) end
    if response.reset then
      cqueues.sleep(0.05) -- time in which the client reads the response
      reset(connection)
    end
    return false
  end
  for _, status in ipairs(response.interim or {}) do
    send(connection, ("HTTP/1.1 %d Interim\r\nX-Interim: yes\r\n\r\n"):format(status))
  end
  lines[1] = ("HTTP/1.1 %d Status"):format(response.status or 200)
  for _, pair in ipairs(headers) do lines[#lines + 1] = pair[1] .. ": " .. pair[2] end
  lines[#lines + 1] = response.chunked and "Transfer-Encoding: chunked" or "Content-Length: " .. #body
  lines = table.concat(lines, "\r\n") .. "\r\n\r\n"
  if response.truncated then
    send(connection, lines, body:sub(1, response.truncated))
    return false
  end
  if method == "HEAD" then body = "" end
  if not (response.chunked or response.pieces) then
    return send(connection, lines, body) and not response.bye
  end
  local sent = send(connection, lines) and in_pieces(response, body, function(piece)
    if response.chunked then piece = ("%x\r\n%s\r\n"):format(#piece, piece) end
    return send(connection, piece)
  end)
  if sent and response.chunked then sent = send(connection, "0\r\n\r\n") end
  return sent and not response.bye
end

-- Serves one request. Returns whether the connection stays open.
local function serve_request(connection, number)
  local line = connection:read("*l")
  if not line then return false end
  local method, target = line:match("^(%S+) (%S+) HTTP/1%.1")
  local headers = method and read_headers(connection)
  if not headers then return false end
  local request = record(method, target, headers, number)
  local response, before = next_response(request.path), releases
  if response.reset == "head" then
    reset(connection)
    return false
  elseif response.drop == "head" then
    return false
  end
  cqueues.sleep(response.reluctant or 0)
  request.body, request.complete = read_body(connection, headers)
  if response.reset then
    reset(connection)
    return false
  end
  return request.complete and not response.drop and respond_http1(connection, response, method, before)
end

local function serve_http1(connection, tls)
  local number = opened()
  connection:setmode("b", "bf")
  connection:onerror(function(_, _, why) return why end)
  local first = not tls and connection:read(-1)
  if first and first ~= "\22" then connection:unget(first) end
  if first == "\22" then
    -- The client has begun a TLS handshake with a server of plain HTTP.
    send(connection, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
  elseif not tls or connection:starttls(tls) then
    while serve_request(connection, number) do
      connection:flush()
    end
  end
  closed()
  connection:close()
end

-- HTTP/2 ------------------------------------------------------------------------------------------

local numbers = setmetatable({}, { __mode = "k" })

local function read_stream(stream, connection)
  local head = stream:get_headers()
  if not head then return end
  local headers = {}
  for name, value in head:each() do
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
  end
  return record(headers[":method"], headers[":path"], headers, numbers[connection])
end

-- Headers are not added to the dynamic table of HPACK, because lua-http 0.4 encodes this table wrongly.
local NEVER_INDEXED = true

local function send_stream(stream, response, method)
  local new_headers = require("http.headers").new
  local body, headers = prepare(response)
  for _, status in ipairs(response.interim or {}) do
    local interim = new_headers()
    interim:append(":status", tostring(status), NEVER_INDEXED)
    stream:write_headers(interim, false)
  end
  local head = new_headers()
  head:append(":status", tostring(response.status or 200), NEVER_INDEXED)
  for _, pair in ipairs(headers) do head:append(pair[1]:lower(), pair[2], NEVER_INDEXED) end
  if not response.chunked then head:append("content-length", tostring(#body), NEVER_INDEXED) end
  if method == "HEAD" or body == "" then return stream:write_headers(head, true) end
  stream:write_headers(head, false)
  if response.truncated then
    stream:write_chunk(body:sub(1, response.truncated), false)
    return stream:rst_stream("truncated")
  end
  in_pieces(response, body, function(piece)
    return stream:write_chunk(piece, false)
  end)
  stream:write_chunk("", true)
end

local function serve_stream(_, stream)
  local connection = stream.connection
  numbers[connection] = numbers[connection] or opened()
  local request = read_stream(stream, connection)
  if not request then return end
  local response, before = next_response(request.path), releases
  local ending = response.reset or response.drop
  if ending ~= "head" then
    cqueues.sleep(response.reluctant or 0)
    request.body = stream:get_body_as_string() or ""
    request.complete = stream.state ~= "closed"
  end
  if not ending then pass_time(response, before) end
  if response.reset then
    reset(connection.socket)
  elseif response.goaway == "below" then
    connection:write_goaway_frame(stream.id - 2, 0)
  elseif response.goaway then
    connection:write_goaway_frame(response.goaway == "at" and stream.id or response.goaway, 0)
    connection.socket:shutdown("rw")
  elseif response.drop then
    connection.socket:shutdown("rw")
  elseif response.refuse then
    stream:write_rst_stream_frame(response.refuse)
  else
    send_stream(stream, response, request.method)
    if response.bye then connection.socket:shutdown("rw") end
  end
end

-- Listening ---------------------------------------------------------------------------------------

local DAY = 86400

-- Returns the TLS context and the PEM text of the authority.
local function make_context(protocol)
  local now = os.time()
  local authority = assert(certificate.authority({ name = "test authority" }))
  local expired = options.certificate == "expired"
  local leaf = assert(certificate.issue(authority, {
    hosts = options.certificate == "wrong_host" and { "gateway.invalid" } or { "localhost", "127.0.0.1" },
    not_before = expired and now - 2 * DAY or nil,
    not_after = expired and now - DAY or nil,
  }))
  local tls = context.new("TLS", true)
  tls:setCertificate(x509.new(leaf.certificate))
  tls:setPrivateKey(pkey.new(leaf.key))
  if options.alpn ~= false then
    tls:setAlpnSelect(function(_, offered)
      for _, name in ipairs(offered) do
        if name == protocol then return name end
      end
    end)
  end
  return tls, authority.certificate
end

-- Accepts connections, and calls `serve` with each in a coroutine. Returns the port. The loop is a `while`, because
-- Lua 5.1 can't yield in the iterator of a `for`.
local function serve_clients(serve)
  local listener = cqueues_socket.listen({ host = "127.0.0.1", port = 0, reuseaddr = true })
  assert(listener:listen())
  loop:wrap(function()
    while true do
      local connection = assert(listener:accept())
      loop:wrap(function() serve(connection) end)
    end
  end)
  return select(3, listener:localname())
end

local function listen_http1(tls)
  return serve_clients(function(connection) serve_http1(connection, tls) end)
end

-- If two coroutines wait for one connection, lua-http 0.4 may not notice that data has arrived, and stops reading a
-- large request. Here each wait ends after a short time, so that lua-http reads again.
local function look_again()
  local poll = cqueues.poll
  cqueues.poll = function(...)
    local count = select("#", ...)
    for position = 1, count do
      local object = select(position, ...)
      if type(object) == "table" and object.step and object.socket then
        local waited = { ... }
        waited[count + 1] = 0.02
        local which = poll((table.unpack or unpack)(waited, 1, count + 1))
        return which == 0.02 and object or which
      end
    end
    return poll(...)
  end
end

local function listen_http2(tls)
  look_again()
  local http_server = require("http.server").listen({
    host = "127.0.0.1", port = 0, tls = true, ctx = tls, version = 2, cq = loop,
    onstream = serve_stream,
    onerror = function() end,
  })
  assert(http_server:listen())
  loop:wrap(function() http_server:loop() end)
  -- lua-http does not report the end of a connection, so the server checks its connections.
  loop:wrap(function()
    while true do
      cqueues.sleep(0.02)
      for connection in pairs(numbers) do
        if connection.socket == nil or connection.socket:eof("r") then
          numbers[connection] = nil
          closed()
        end
      end
    end
  end)
  return select(3, http_server:localname())
end

-- Accepts connections, calls `act` with each, and closes them.
local function serve_briefly(mode, act)
  return serve_clients(function(connection)
    opened()
    connection:setmode("b", mode)
    connection:onerror(function(_, _, why) return why end)
    act(connection)
    closed()
    connection:close()
  end)
end

local NO_STREAM = "\0\0\0\0"
local SETTINGS_FRAME = "\0\0\0\4\0" .. NO_STREAM
local GOAWAY_FRAME = "\0\0\8\7\0" .. NO_STREAM .. NO_STREAM .. NO_STREAM
local kept = {}

-- For each value of the option `behaviour`, a function that listens and returns the port.
local LISTENERS = { answer = options.protocol == "HTTP/2" and listen_http2 or listen_http1 }

function LISTENERS.stall()
  return serve_clients(function(connection)
    opened()
    kept[#kept + 1] = connection
  end)
end

-- Fills the backlog of a listening socket, so that the system accepts no further connection.
function LISTENERS.full()
  local listener = assert(luasocket.bind("127.0.0.1", 0, 0))
  local _, port = listener:getsockname()
  kept[1] = listener
  for number = 1, 4 do
    local filler = luasocket.tcp()
    filler:settimeout(number == 1 and 1 or 0)
    filler:connect("127.0.0.1", port)
    kept[#kept + 1] = filler
  end
  return port
end

function LISTENERS.hang_up()
  return serve_briefly("bf", function(connection) connection:read(-1) end)
end

function LISTENERS.greet(tls)
  return serve_briefly("bf", function(connection) connection:starttls(tls) end)
end

function LISTENERS.socks()
  return serve_briefly("bn", function(connection)
    connection:read(-256)
    connection:write "\5\2"
    connection:read(-512)
    connection:write "\1\1"
  end)
end

function LISTENERS.leave(tls)
  return serve_briefly("bf", function(connection)
    if connection:starttls(tls) then
      connection:write(SETTINGS_FRAME, GOAWAY_FRAME)
      connection:flush()
      while connection:read(-4096) do end
    end
  end)
end

local function listen()
  local tls, authority
  if options.tls ~= false then tls, authority = make_context(options.protocol == "HTTP/2" and "h2" or "http/1.1") end
  return tonumber(LISTENERS[options.behaviour or "answer"](tls)), authority
end

-- Commands of the spec ----------------------------------------------------------------------------

local commands = {}

function commands.respond(path, list) set_responses(path, list) end

function commands.received(path)
  local selected = {}
  for _, request in ipairs(requests) do
    if not path or request.path == path then selected[#selected + 1] = request end
  end
  return selected
end

function commands.connections() return counts end

function commands.release()
  releases = releases + 1
  released:signal()
end

function commands.forget()
  requests = {}
  counts.total, counts.most = 0, counts.open
end

local function talk(connection)
  connection:setmode("b", "bf")
  local line = connection:read("*l")
  while line do
    local command = plain_data.read(line)
    local fine, result = pcall(commands[command[1]], command[2], command[3])
    if not fine then result = { fault = result } end
    local text = result == nil and "" or plain_data.write(result)
    connection:write(#text, "\n", text)
    connection:flush()
    line = connection:read("*l")
  end
end

local function announce(port, control_port, authority)
  local ca_file = os.tmpname()
  local pem = assert(io.open(ca_file, "w"))
  pem:write(authority or "")
  pem:close()
  local scheme = options.tls == false and "http" or "https"
  local path = configuration .. ".ready"
  local ready = assert(io.open(path .. ".part", "w"))
  ready:write(plain_data.write({
    url = ("%s://localhost:%d"):format(scheme, port), host = "localhost", port = port,
    control_port = control_port, ca_file = ca_file,
  }))
  ready:close()
  os.rename(path .. ".part", path)
  os.remove(configuration)
end

local control_port = serve_clients(talk)

-- The standard input ends when the process of the spec ends.
loop:wrap(function()
  local input = cqueues_socket.fdopen(0)
  input:onerror(function() return nil end)
  input:read("*a")
  os.exit(0)
end)

local port, authority = listen()
announce(port, tonumber(control_port), authority)
while true do
  -- An error of one connection ends loop(), so loop() is called again.
  loop:loop()
end
