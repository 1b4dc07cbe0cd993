-- Reading and writing lua-http's streams where lua-http 0.4 itself would never come back: when the
-- other side goes away in the middle, it looks for more for ever, and lets nobody else look at
-- anything. So the waiting is done here, and lua-http is asked only for what is there already. Large
-- bodies move in pieces, so that none is ever in memory as a whole. `mend` comes first.

local cqueues = require "cqueues"

local streams = {}

-- Bytes of an HTTP/1.1 body that are read at once.
local PIECE = 128 * 1024
-- Bytes of a body that may be under way over HTTP/2 at once, and the number of that setting.
local WINDOW, INITIAL_WINDOW_SIZE = 1024 * 1024, 4

-- The type of a frame with a part of a body.
local DATA = 0

-- The HTTP/2 connections whose windows were widened.
local widened = setmetatable({}, { __mode = "k" })

local function is_http2(stream)
  return stream.connection.version == 2
end

-- Another coroutine's write makes a cqueues socket forget that somebody waits to read from it: nobody is
-- woken then, and the connection stands still. So a connection always looks for something to read.
local function events(connection)
  local socket = connection.socket
  local wanted = socket and socket:events()
  return wanted and not wanted:find("r", 1, true) and wanted .. "r" or wanted
end

-- lua-http takes the credits away after it has written, from what they were before: those that come
-- while it waits for the socket are lost, and with them the rest of the body. So they go first.
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

-- lua-http takes as much of an HTTP/1.1 body at once as the other side has sent.
local function read_body_by_length(connection, length, timeout)
  return connection.socket:xread(math.max(length, -PIECE), timeout)
end

--- Prepares a stream, and its connection, for the rest of this file.
---@param stream table  lua-http's
function streams.mend(stream)
  if is_http2(stream) then
    stream.connection.events = events
    stream.write_data_frame = write_data_frame
  else
    stream.connection.read_body_by_length = read_body_by_length
  end
end

-- Lets an HTTP/2 connection move on until the condition is signalled. False: it, or the time, is over.
local function wait_for(stream, condition, deadline)
  local connection = stream.connection
  if not connection.socket or connection.socket:eof("r") then
    return false
  end
  local left = deadline - cqueues.monotime()
  if left <= 0 then
    return false
  elseif cqueues.poll(condition, connection, left) == connection then
    return connection:step(0) and true or false
  end
  return true
end

--- The head of the request that opens a stream.
---@param stream table    lua-http's
---@param seconds number  to wait
---@return table|nil headers
function streams.next_head(stream, seconds)
  if not is_http2(stream) then
    return stream:get_headers(seconds)
  end
  local deadline = cqueues.monotime() + seconds
  while stream.recv_headers_fifo:length() == 0 and stream.state ~= "closed" do
    if not wait_for(stream, stream.recv_headers_cond, deadline) then
      return nil
    end
  end
  return stream.recv_headers_fifo:length() > 0 and stream:get_headers(0) or nil
end

local function next_http1_chunk(stream, seconds)
  local chunk, message = stream:get_next_chunk(seconds)
  -- The end of the connection looks like the end of the body; the state tells.
  if not chunk and not message and (stream.state == "open" or stream.state == "half closed (local)") then
    message = "the other side went away"
  end
  return chunk, message
end

--- The next bytes of the body.
---@param stream table
---@param seconds number  to wait
---@return string|nil bytes   nil at the end of the body
---@return string? message    when the end will never come
function streams.next_chunk(stream, seconds)
  if not is_http2(stream) then
    return next_http1_chunk(stream, seconds)
  end
  local deadline = cqueues.monotime() + seconds
  while stream.chunk_fifo:length() == 0 do
    if stream.state == "half closed (remote)" then
      return nil
    elseif stream.state == "closed" or not wait_for(stream, stream.chunk_cond, deadline) then
      return nil, "the other side went away"
    end
  end
  return stream:get_next_chunk(0)
end

-- The next part of an HTTP/2 body, as large as flow control allows. Returns how much went out.
local function write_http2_part(stream, bytes, sent, last, deadline)
  local connection = stream.connection
  while stream.peer_flow_credits <= 0 or connection.peer_flow_credits <= 0 do
    local condition = stream.peer_flow_credits <= 0 and stream.peer_flow_credits_change
      or connection.peer_flow_credits_change
    if stream.state == "closed" or not wait_for(stream, condition, deadline) then
      return nil
    end
  end
  local size = math.min(#bytes - sent, stream.peer_flow_credits, connection.peer_flow_credits)
  local complete = sent + size == #bytes
  if stream.state == "closed" then
    return nil
  end
  local part = bytes:sub(sent + 1, sent + size)
  return stream:write_chunk(part, complete and last, deadline - cqueues.monotime()) and size
end

--- Writes a part of the body.
---@param stream table
---@param bytes string
---@param last boolean    nothing follows
---@param seconds number  to wait
---@return boolean written
function streams.write_part(stream, bytes, last, seconds)
  if not is_http2(stream) then
    return stream:write_chunk(bytes, last, seconds) and true or false
  end
  local deadline, sent = cqueues.monotime() + seconds, 0
  repeat
    local size = write_http2_part(stream, bytes, sent, last, deadline)
    if not size then
      return false
    end
    sent = sent + size
  until sent == #bytes
  return true
end

--- Prepares for a large body. HTTP/2: the other side may send a mebibyte without asking for leave.
---@param stream table
function streams.widen_window(stream)
  local connection = stream.connection
  if is_http2(stream) and not widened[connection] then
    widened[connection] = true
    connection.stream0:write_settings_frame(false, { [INITIAL_WINDOW_SIZE] = WINDOW }, 0, "f")
    connection:write_window_update(WINDOW, 0)
  end
end

--- Leaves a stream. An HTTP/1.1 exchange that is not complete takes its connection with it: lua-http
--- would read what is left of it, for ever where the other side has gone.
---@param stream table
---@return boolean complete  the connection can go on
function streams.leave(stream)
  if is_http2(stream) or stream.state == "closed" or stream.state == "idle" then
    return true
  end
  local connection = stream.connection
  if connection.pipeline:peek() ~= stream then
    cqueues.poll(stream.pipeline_cond)
  end
  if connection.socket then
    connection.socket:shutdown("rw")
  end
  stream:set_state("closed")
  return false
end

--- Whether an error says no more than that the other side has gone: cqueues raises it when much is still to be
--- written to such a connection.
---@param problem any
---@return boolean
function streams.is_abandonment(problem)
  return tostring(problem):find("exceeded unchecked error limit", 1, true) ~= nil
end

return streams
