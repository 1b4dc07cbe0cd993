-- HTTP/2 on a connection of the emulator, through lua-http. A stream is an exchange with the methods of
-- waba.http.exchange.
--
-- When a client closes the connection within a request, lua-http 0.4 loops for ever and blocks the whole process. So this
-- file does all waiting, and calls lua-http only when data is available. Large bodies are read and written in pieces, so
-- that no body is in memory as a whole.

local condition = require "cqueues.condition"
local cqueues = require "cqueues"
local guarded = require "waba.guarded"
local h2_connection = require "http.h2_connection"
local new_headers = require "http.headers".new

local http2 = {}

-- Seconds without data from a client, within a request and between two of them.
local IDLE_SECONDS = 60
-- The initial window size in bytes for large bodies, and the number of that setting.
local WINDOW, INITIAL_WINDOW_SIZE = 1024 * 1024, 4
-- Bytes of a body after which the window is enlarged to that.
local FIRST_WINDOW = 65535

-- The type of a frame with a part of a body.
local DATA = 0

-- lua-http 0.4 encodes index 127 of the HPACK table wrongly, which ends the connection. So no header is added to the
-- table.
local NEVER_INDEXED = true

-- When a coroutine writes, a cqueues socket loses the event of another coroutine that waits to read from it; that one is
-- never resumed, and the connection hangs. So a connection always polls for reading too.
local function events(connection)
  local socket = connection.socket
  local wanted = socket and socket:events()
  return wanted and not wanted:find("r", 1, true) and wanted .. "r" or wanted
end

-- lua-http reads the flow-control window before it writes and stores the reduced one afterwards: updates that arrive in
-- between are lost, and the rest of the body is never sent. So the window is reduced before the write here.
local function write_data_frame(stream, payload, end_stream, _, timeout, flush)
  local connection = stream.connection
  stream.peer_flow_credits = stream.peer_flow_credits - #payload
  connection.peer_flow_credits = connection.peer_flow_credits - #payload
  local written, message, code = stream:write_http2_frame(DATA, end_stream and 1 or 0, payload, timeout, flush)
  if written and end_stream then
    stream:set_state(stream.state == "half closed (remote)" and "closed" or "half closed (local)")
  end
  return written, message, code
end

-- A connection that has failed can't be used any more: lua-http raises in each coroutine that uses it. Any other error is
-- one of the program.
local function ask(connection, fn, ...)
  if connection.is_over then
    return nil, "closed"
  end
  local ok, result, reason = guarded(fn, ...)
  local socket = connection.socket
  connection.is_over = not socket or socket:error("r") ~= nil or socket:error("w") ~= nil
  if not ok and not connection.is_over then
    error(result, 0)
  elseif not ok then
    return nil, "closed"
  end
  return result, reason
end

-- Processes a connection until the condition is signalled. Returns false if the connection or the time has ended.
local function wait_for(stream, signalled, deadline)
  local connection = stream.connection
  if connection.is_over or not connection.socket or connection.socket:eof("r") then
    return false
  end
  local left = deadline - cqueues.monotime()
  if left <= 0 then
    return false
  elseif cqueues.poll(signalled, connection, left) == connection then
    return ask(connection, connection.step, connection, 0) and true or false
  end
  return true
end

local function read_head(stream)
  local deadline = cqueues.monotime() + IDLE_SECONDS
  while stream.recv_headers_fifo:length() == 0 and stream.state ~= "closed" do
    if not wait_for(stream, stream.recv_headers_cond, deadline) then
      return nil
    end
  end
  return stream.recv_headers_fifo:length() > 0 and stream:get_headers(0) or nil
end

---@class waba.emulator.Stream : waba.http.Exchange
local Stream = {}
Stream.__index = Stream

-- Enlarges the flow-control window for a large body to one mebibyte.
local function widen_window(stream)
  local connection = stream.connection
  if not connection.is_widened then
    connection.is_widened = true
    connection.stream0:write_settings_frame(false, { [INITIAL_WINDOW_SIZE] = WINDOW }, 0, "f")
    connection:write_window_update(WINDOW, 0)
  end
end

function Stream:read()
  local stream = self.stream
  if not self.length or self.length > FIRST_WINDOW then
    widen_window(stream)
  end
  local deadline = cqueues.monotime() + IDLE_SECONDS
  while stream.chunk_fifo:length() == 0 do
    if stream.state == "half closed (remote)" then
      return nil
    elseif stream.state == "closed" or not wait_for(stream, stream.chunk_cond, deadline) then
      return nil, "closed"
    end
  end
  return ask(stream.connection, stream.get_next_chunk, stream, 0)
end

-- Sends the next part of a body, as large as flow control allows. Returns the number of bytes.
local function write_part(stream, bytes, sent, last, deadline)
  local connection = stream.connection
  while stream.peer_flow_credits <= 0 or connection.peer_flow_credits <= 0 do
    local changed = stream.peer_flow_credits <= 0 and stream.peer_flow_credits_change
      or connection.peer_flow_credits_change
    if stream.state == "closed" or not wait_for(stream, changed, deadline) then
      return nil
    end
  end
  local size = math.min(#bytes - sent, stream.peer_flow_credits, connection.peer_flow_credits)
  local complete = sent + size == #bytes
  if stream.state == "closed" then
    return nil
  end
  local part = bytes:sub(sent + 1, sent + size)
  local left = deadline - cqueues.monotime()
  return ask(connection, stream.write_chunk, stream, part, complete and last, left) and size
end

function Stream:write(bytes, last)
  local deadline, sent = cqueues.monotime() + IDLE_SECONDS, 0
  repeat
    local size = write_part(self.stream, bytes, sent, last, deadline)
    if not size then
      return false
    end
    sent = sent + size
  until sent == #bytes
  return true
end

function Stream:respond(status, headers, body, size)
  self.responded = true
  if self.stream.state == "closed" then
    return false -- the client has reset the stream; other streams may use the connection
  end
  local head = new_headers()
  head:append(":status", ("%d"):format(status), NEVER_INDEXED)
  for name, value in pairs(headers) do
    head:append(name, value, NEVER_INDEXED)
  end
  size = size or #body
  if status ~= 204 then
    head:append("content-length", ("%d"):format(size), NEVER_INDEXED)
  end
  local is_empty = self.method == "HEAD" or size == 0
  if not ask(self.stream.connection, self.stream.write_headers, self.stream, head, is_empty, IDLE_SECONDS) then
    return false
  end
  return is_empty or body == "" or self:write(body, true)
end

-- The other streams of the connection continue.
function Stream:cancel()
  self.responded = true
end

function Stream:drop()
  self.responded = true
  self.stream.connection.socket:shutdown("rw")
end

local function new_exchange(stream)
  local head = read_head(stream)
  if not head then
    return nil
  end
  local headers = { host = head:get(":authority") }
  for name, value in head:each() do
    if name:sub(1, 1) ~= ":" then
      headers[name] = headers[name] and headers[name] .. ", " .. value or value
    end
  end
  return setmetatable({
    stream = stream, protocol = "HTTP/2", method = head:get(":method"), target = head:get(":path") or "/",
    headers = headers, length = tonumber(headers["content-length"]),
  }, Stream)
end

local function serve_stream(stream, serve)
  stream.write_data_frame = write_data_frame
  local exchange = new_exchange(stream)
  if exchange then
    serve(exchange)
  end
  ask(stream.connection, stream.shutdown, stream)
end

--- Serves a connection with HTTP/2 until it ends.
---@param connection waba.http.Connection
---@param serve fun(exchange: waba.emulator.Stream)
---@param report fun(problem: any)  called with the error that `serve` raised
function http2.serve(connection, serve, report)
  local wrapped = h2_connection.new(connection.socket, "server", nil)
  if not wrapped then
    return
  end
  wrapped.events = events
  local running, finished = 0, condition.new()
  local function run(stream)
    local ok, problem = guarded(serve_stream, stream, serve)
    if not ok then
      -- The state of the connection is unknown: lua-http can fail while it changes data that all streams share.
      connection.socket:shutdown("rw")
      report(problem)
    end
    running = running - 1
    finished:signal()
  end
  local ok, problem = guarded(function()
    while not connection.kicked do
      local stream = ask(wrapped, wrapped.get_next_incoming_stream, wrapped, IDLE_SECONDS)
      if stream then
        running = running + 1
        cqueues.running():wrap(run, stream)
      elseif running == 0 or wrapped.is_over or connection.socket:eof("r") then
        break
      end
    end
  end)
  if not ok then -- lua-http can't parse what the client sent
    report(tostring(problem):match("^[^\n]*"))
  end
  -- so that no stream waits for a closed socket
  connection.socket:shutdown("r")
  while running > 0 do
    finished:wait()
  end
  ask(wrapped, wrapped.shutdown, wrapped)
end

return http2
