-- One connection of a server: bytes in and out over a cqueues socket, until a deadline or until the server closes it.
-- Waits are done here and nowhere else, so that a peer can never hold anything but its own coroutine.

local core = require "waba.core"
local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local errno = require "cqueues.errno"
local limits = require "waba.http.limits"

local connection = {}

-- Bytes that are read at once, and after how many others may run.
local PIECE, TURN = 64 * 1024, 64 * 1024

--- Counts what peers use; its methods stand in limits.lua.
---@class waba.http.Limits

---@class waba.http.Connection
---@field socket table       of cqueues
---@field limits waba.http.Limits
---@field address string|nil the peer's
---@field deadline number    of `core.clock`, for what is read or written now
---@field waiting boolean    for the peer; such a connection may be closed in favour of another one
---@field since number       when the peer's turn began
---@field trusted boolean    the peer has shown valid credentials
local Connection = {}
Connection.__index = Connection

-- Errors are results. A timeout is no error of the socket; after any other one the connection is over.
local function onerror(socket, _, why)
  if why == errno.ETIMEDOUT then socket:clearerr() end
  return why
end

--- A connection that was accepted.
---@param socket table
---@param budget waba.http.Limits
---@return waba.http.Connection
function connection.new(socket, budget)
  socket:onerror(onerror)
  socket:setvbuf("full", math.huge) -- what is written waits here, and `flush` below sends it
  socket:setmode("bf", "bf")
  local _, address = socket:peername()
  address = address and tostring(address)
  local now = core.clock()
  return setmetatable({
    socket = socket, limits = budget, address = address, peer_name = limits.peer(address), closing = condition.new(),
    buffer = "",
    since = now, deadline = now + budget.request_seconds, waiting = false, received = 0,
  }, Connection)
end

--- Gives the peer a number of seconds from now on for what comes next.
---@param seconds number
function Connection:expect(seconds)
  self.since = core.clock()
  self.deadline = self.since + seconds
end

--- Ends every wait of the connection. Its own coroutine closes it then.
function Connection:kick()
  self.kicked = true
  self.closing:signal()
end

-- Waits until the socket can go on.
local function wait(self)
  local left = self.deadline - core.clock()
  if self.kicked then return nil, "closed" end
  if left <= 0 then return nil, "timeout" end
  self.waiting = true
  cqueues.poll(self.socket, self.closing, left)
  self.waiting = false
  if self.kicked then return nil, "closed" end
  return true
end

-- A peer that sends without a pause lets others run now and then.
local function take_turns(self, size)
  self.received = self.received + size
  if self.received < TURN then return end
  self.received = 0
  cqueues.sleep(0)
end

--- Bytes as they come, at least one.
---@param most? integer
---@return string|nil bytes
---@return "closed"|"timeout"|nil reason
function Connection:receive(most)
  if self.buffer ~= "" then
    local bytes = self.buffer
    if most and #bytes > most then
      self.buffer = bytes:sub(most + 1)
      return bytes:sub(1, most)
    end
    self.buffer = ""
    return bytes
  end
  while true do
    if core.clock() >= self.deadline then return nil, "timeout" end
    local bytes, why = self.socket:recv(-math.min(most or PIECE, PIECE), "bf")
    if bytes then
      take_turns(self, #bytes)
      return bytes
    end
    if why ~= errno.EAGAIN then return nil, "closed" end
    local ok, reason = wait(self)
    if not ok then return nil, reason end
  end
end

--- Bytes up to and with a mark.
---@param mark string     two characters at most
---@param most integer    bytes
---@return string|nil bytes  without the mark
---@return "closed"|"timeout"|"too long"|nil reason
function Connection:receive_until(mark, most)
  local from = 1
  while true do
    local first, last = self.buffer:find(mark, from, true)
    if first and last <= most then
      local bytes = self.buffer:sub(1, first - 1)
      self.buffer = self.buffer:sub(last + 1)
      return bytes
    end
    local held = self.buffer
    if first or #held >= most then return nil, "too long" end
    from = math.max(1, #held - #mark + 2)
    self.buffer = ""
    local bytes, reason = self:receive()
    self.buffer = held .. (bytes or "")
    if not bytes then return nil, reason end
  end
end

-- Whether the bytes of a wait for writing are gone; false while some are left.
local function flush(self)
  local ok, why = self.socket:flush("n", 0)
  if ok then return true end
  if why ~= errno.ETIMEDOUT then return nil, "closed" end
  return false
end

--- Writes bytes, all of them.
---@param bytes string
---@return boolean|nil written
---@return "closed"|"timeout"|nil reason
function Connection:send(bytes)
  local index = 1
  while index <= #bytes do
    local sent, why = self.socket:send(bytes, index, #bytes, "f")
    index = index + sent
    if index <= #bytes then
      if why ~= errno.EAGAIN then return nil, "closed" end
      local ok, reason = wait(self)
      if not ok then return nil, reason end
    end
  end
  while true do
    local done, reason = flush(self)
    if done ~= false then return done, reason end
    done, reason = wait(self)
    if not done then return nil, reason end
  end
end

--- Begins TLS.
---@param context table  of luaossl
---@return string|nil protocol  what ALPN selected; "" when nothing
---@return "closed"|"timeout"|nil reason
function Connection:start_tls(context)
  while true do
    local ok, why = self.socket:starttls(context, 0)
    if ok then return self.socket:checktls():getAlpnSelected() or "" end
    if why ~= errno.ETIMEDOUT then return nil, "closed" end
    local waited, reason = wait(self)
    if not waited then return nil, reason end
  end
end

--- Ends the connection so that the peer can still read what was written: a socket that is closed with unread bytes
--- in it resets the connection, and the response would be lost with it.
---@param most integer  bytes that are read and thrown away
function Connection:linger(most)
  self.buffer = ""
  if not self.socket:shutdown "w" then return end
  while most > 0 do
    local bytes = self:receive()
    if not bytes then return end
    most = most - #bytes
  end
end

return connection
