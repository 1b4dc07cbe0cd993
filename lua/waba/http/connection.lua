-- One connection of a server: reads and writes bytes over a cqueues socket, until a deadline or until the server closes
-- the connection. A slow peer blocks only the coroutine of its own connection. The methods that read and write return
-- nil and a reason if they fail: "closed" or "timeout".

local core = require "waba.core"
local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local errno = require "cqueues.errno"
local limits = require "waba.http.limits"

local connection = {}

-- PIECE: the number of bytes that are received at once. TURN: the number of processed bytes after which other
-- coroutines run.
local PIECE, TURN = 64 * 1024, 64 * 1024

---@class waba.http.Connection
---@field socket table  a socket of cqueues
---@field limits table  an object of limits.lua
---@field address string|nil  the address of the peer
---@field deadline number  the time of `core.clock` at which the current read or write must have ended
---@field waiting boolean  true: the server waits for the peer, and may close the connection to accept another
---        connection
---@field since number  the time of `core.clock` at which the server began to wait for the peer
---@field trusted boolean  true: the peer has sent valid credentials
local Connection = {}
Connection.__index = Connection

-- Lets the socket return errors instead of raising them. After a timeout the socket can still be used; after any
-- other error the connection is closed.
local function onerror(socket, _, why)
  if why == errno.ETIMEDOUT then socket:clearerr() end
  return why
end

--- Creates the connection object of an accepted socket.
---@param socket table
---@param budget table  an object of limits.lua
---@return waba.http.Connection
function connection.new(socket, budget)
  socket:onerror(onerror)
  socket:setvbuf("full", math.huge) -- written bytes stay in the buffer until `flush` sends them
  socket:setmode("bf", "bf")
  local _, address = socket:peername()
  address = address and tostring(address)
  local now = core.clock()
  return setmetatable({
    socket = socket, limits = budget, address = address, peer_name = limits.peer(address), closing = condition.new(),
    buffer = "", from = 1, since = now, deadline = now + budget.request_seconds, waiting = false, work = 0,
  }, Connection)
end

--- Sets the deadline of the next reads and writes, in seconds from now.
function Connection:expect(seconds)
  self.since = core.clock()
  self.deadline = self.since + seconds
end

--- Ends every wait of the connection. The coroutine of the connection then closes the connection.
function Connection:interrupt()
  self.interrupted = true
  self.closing:signal()
end

-- Waits until the socket is ready.
local function wait(self)
  local left = self.deadline - core.clock()
  if self.interrupted then return nil, "closed" end
  if left <= 0 then return nil, "timeout" end
  self.waiting = true
  cqueues.poll(self.socket, self.closing, left)
  self.waiting = false
  if self.interrupted then return nil, "closed" end
  return true
end

--- Lets other coroutines run after each TURN bytes.
---@param work integer  the bytes since the last call
function Connection:take_turns(work)
  self.work = self.work + work
  if self.work < TURN then return end
  self.work = 0
  cqueues.sleep(0)
end

-- Receives at least one byte, and at most `most` bytes, from the socket.
local function receive(self, most)
  while true do
    if core.clock() >= self.deadline then return nil, "timeout" end
    local bytes, why = self.socket:recv(-most, "bf")
    if bytes then
      self:take_turns(#bytes)
      return bytes
    end
    if why ~= errno.EAGAIN then return nil, "closed" end
    local ok, reason = wait(self)
    if not ok then return nil, reason end
  end
end

--- Returns whether the buffer has bytes, which were received and not taken.
function Connection:has_bytes() return self.from <= #self.buffer end

--- Waits until bytes can be taken, without taking them.
function Connection:fill()
  if self:has_bytes() then return true end
  local bytes, reason = receive(self, PIECE)
  if not bytes then return nil, reason end
  self.buffer, self.from = bytes, 1
  return true
end

--- Takes all bytes of the buffer, without waiting.
function Connection:take()
  local bytes = self.buffer:sub(self.from)
  self.buffer, self.from = "", 1
  return bytes
end

--- Takes at least one byte, and at most `most` bytes. Waits if the buffer is empty.
function Connection:receive(most)
  if not self:has_bytes() then return receive(self, math.min(most, PIECE)) end
  if #self.buffer - self.from < most then return self:take() end
  local bytes = self.buffer:sub(self.from, self.from + most - 1)
  self.from = self.from + most
  return bytes
end

--- Takes the bytes up to and including `mark`, and returns the bytes before the mark. If more than `most` bytes would
--- be taken, returns nil and "too long".
function Connection:receive_until(mark, most)
  local looked = 0 -- the number of bytes that were searched for the mark
  while true do
    local first, last = self.buffer:find(mark, self.from + looked, true)
    if first and last - self.from < most then
      local bytes = self.buffer:sub(self.from, first - 1)
      self.from = last + 1
      return bytes
    end
    local held = #self.buffer - self.from + 1
    if first or held >= most then return nil, "too long" end
    looked = math.max(0, held - #mark + 1)
    local bytes, reason = receive(self, PIECE)
    if not bytes then return nil, reason end
    self.buffer, self.from = self.buffer:sub(self.from) .. bytes, 1
  end
end

-- Calls a method of the socket until it succeeds, and waits for the peer between the calls.
local function complete(self, method, ...)
  while true do
    local ok, why = self.socket[method](self.socket, ...)
    if ok then return true end
    if why ~= errno.ETIMEDOUT then return nil, "closed" end
    local waited, reason = wait(self)
    if not waited then return nil, reason end
  end
end

function Connection:send(bytes)
  if self.socket:send(bytes, 1, #bytes, "f") < #bytes then return nil, "closed" end
  return complete(self, "flush", "n", 0)
end

--- Performs the TLS handshake, as the server of an accepted socket or as the client of a connected socket.
---@param context table  a context of luaossl, or a TLS state that was made from a context
function Connection:start_tls(context)
  return complete(self, "starttls", context, 0)
end

--- Ends sending, then reads and discards up to `most` bytes. Closing a socket with unread bytes would reset the
--- connection, and the peer might lose the response.
function Connection:linger(most)
  self:take()
  if not self.socket:shutdown "w" then return end
  while most > 0 do
    local bytes = receive(self, PIECE)
    if not bytes then return end
    most = most - #bytes
  end
end

return connection
