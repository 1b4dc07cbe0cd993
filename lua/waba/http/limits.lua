-- Limits the connections, incomplete bodies, bytes in memory and seconds that a peer of a server can use without valid
-- credentials. When a limit is reached, the server closes the connection on which the server has waited longest for the
-- peer.

local core = require "waba.core"

local limits = {}

-- Seconds for which the server must have waited for the peer of a connection before the connection can be closed.
local SHORTEST_WAIT = 1
local SEARCH_INTERVAL = 0.02 -- seconds between two searches for a connection that can be closed

--- The limits of a server. A peer is an IPv4 address or an IPv6 /64 network. The limits of a peer count only
--- connections without valid credentials.
---@options waba.ServerLimits
limits.OPTIONS = {
  connections = { "integer>=1", 512 },                  -- the largest number of open connections in total
  peer_connections = { "integer>=1", 256 },             -- the largest number of open connections of one peer
  peer_bodies = { "integer>=1", 64 },                   -- the largest number of incomplete bodies of one peer
  held_bytes = { "integer>=1", 64 * 1024 * 1024 },      -- the largest number of bytes in memory for all bodies
  peer_held_bytes = { "integer>=1", 16 * 1024 * 1024 }, -- the largest number of bytes in memory for one peer's bodies
  request_seconds = { "number>0", 30 },                 -- seconds in which a complete request must arrive
  idle_seconds = { "number>0", 60 },                    -- seconds after which a connection without a request is closed
}

-- The field `peers` has the counters of each peer, by the peer's name.
local Limits = {}
Limits.__index = Limits

-- Returns the eight groups of an IPv6 address.
local function groups_of(address)
  local before, after = address:match "^(.-)::(.*)$"
  local list = {}
  for group in (before or address):gmatch "%x+" do list[#list + 1] = group end
  if not after then return list end
  local tail = {}
  for group in after:gmatch "%x+" do tail[#tail + 1] = group end
  while #list + #tail < 8 do list[#list + 1] = "0" end
  for _, group in ipairs(tail) do list[#list + 1] = group end
  return list
end

--- Returns the name of the peer with an address.
---@param address string|nil  the address that `getpeername` returned
function limits.peer(address)
  address = address or "unknown"
  local mapped = address:match "^::ffff:(%d+%.%d+%.%d+%.%d+)$"
  if mapped or not address:find ":" then return mapped or address end
  return table.concat(groups_of(address), ":", 1, 4)
end

-- Returns the connection to close. The function `fits` must return true for the connection, and the server must have
-- waited at least `seconds` for its peer. Prefers connections without valid credentials, then the longest wait.
local function longest_waiting(connections, fits, seconds)
  local found
  local latest = core.clock() - seconds
  for connection in pairs(connections) do
    if connection.waiting and connection.since <= latest and fits(connection) then
      if not found or found.trusted and not connection.trusted
        or found.trusted == connection.trusted and connection.since < found.since then
        found = connection
      end
    end
  end
  return found
end

-- Closes the connection that `longest_waiting` returns. Returns false if no connection can be closed.
local function close_longest_waiting(self, connections, fits, seconds)
  local connection = longest_waiting(connections, fits, seconds or SHORTEST_WAIT)
  if not connection then return false end
  self:close(connection)
  connection:interrupt()
  return true
end

local function any() return true end
local function is_unknown(connection) return not connection.trusted end
local function has_unknown_body(connection) return connection.has_body and not connection.trusted end

-- Does the same as `close_longest_waiting`, but for frequent calls. After a search that has found no connection,
-- searches again only when the server can have waited long enough for a peer. Stores the time of the next search in the
-- table `place`.
local function search_and_close(self, place, connections, fits)
  local now = core.clock()
  if now < place.next_search then return false end
  if close_longest_waiting(self, connections, fits) then return true end
  local oldest = now
  for connection in pairs(connections) do oldest = math.min(oldest, connection.since) end
  place.next_search = math.max(oldest + SHORTEST_WAIT, now + SEARCH_INTERVAL)
  return false
end

--- Closes a connection because the system has no free descriptor. Returns false if no connection can be closed yet.
function Limits:close_longest_waiting()
  return search_and_close(self, self, self.open_connections, any)
end

-- Closes a connection to accept a new connection of `peer`, because all connections are in use. If the server has not
-- waited long enough on any connection, closes a connection of the peer that has the most connections, so that one peer
-- can't occupy all connections.
-- Returns true if a connection was closed, false if the new connection must be refused, nil if no connection can be
-- closed yet.
local function admit_when_full(self, peer)
  if search_and_close(self, self, self.open_connections, any) then return true end
  local largest, waiting = nil, 0
  for _, other in pairs(self.peers) do
    if not largest or other.connections > largest.connections then largest = other end
  end
  for connection in pairs(peer.members) do
    if connection.waiting and not connection.trusted then waiting = waiting + 1 end
  end
  if largest.connections > waiting + 1 then
    return close_longest_waiting(self, largest.members, is_unknown, 0) or nil
  end
  if waiting > 0 and peer.open < self.count then return false end
end

--- Counts a new connection.
---@return boolean|nil  false: the caller must refuse the connection; nil: the caller must call `open` again later
function Limits:open(connection)
  local peer = self.peers[connection.peer_name]
    or { connections = 0, bodies = 0, bytes = 0, open = 0, members = {}, next_search = 0 }
  if peer.connections >= self.peer_connections and not search_and_close(self, peer, peer.members, is_unknown) then
    return false
  end
  if self.count >= self.connections then
    local admitted = admit_when_full(self, peer)
    if not admitted then return admitted end
  end
  peer.connections, peer.open = peer.connections + 1, peer.open + 1
  connection.peer, connection.trusted, connection.held = peer, false, 0
  self.peers[connection.peer_name] = peer
  self.open_connections[connection], peer.members[connection] = true, true
  self.count = self.count + 1
  return true
end

--- Stops counting a connection. Further calls have no effect.
function Limits:close(connection)
  if not self.open_connections[connection] then return end
  self:finish_body(connection)
  self:release(connection)
  local peer = connection.peer
  self.open_connections[connection], peer.members[connection] = nil, nil
  self.count = self.count - 1
  peer.open = peer.open - 1
  if not connection.trusted then peer.connections = peer.connections - 1 end
  if peer.open == 0 then self.peers[connection.peer_name] = nil end
end

--- Marks a connection whose peer has sent valid credentials.
function Limits:trust(connection)
  if connection.trusted or not self.open_connections[connection] then return end
  local peer = connection.peer
  peer.connections, peer.bytes = peer.connections - 1, peer.bytes - connection.held
  if connection.has_body then peer.bodies = peer.bodies - 1 end
  connection.trusted = true
end

--- Counts a body before it is read. Returns false if the peer has too many incomplete bodies.
function Limits:begin_body(connection)
  local peer = connection.peer
  if not connection.trusted then
    if peer.bodies >= self.peer_bodies and not close_longest_waiting(self, peer.members, has_unknown_body) then
      return false
    end
    peer.bodies = peer.bodies + 1
  end
  connection.has_body = true
  return true
end

--- Stops counting a body that is complete, or that is not read further.
function Limits:finish_body(connection)
  if connection.has_body and not connection.trusted then connection.peer.bodies = connection.peer.bodies - 1 end
  connection.has_body = false
end

local function make_room_for(self, connection, size)
  local peer = connection.peer
  local function gives_way(other) return other ~= connection and other.held > 0 end
  while self.bytes + size > self.held_bytes do
    if not close_longest_waiting(self, self.open_connections, gives_way) then return false end
  end
  local function of_peer_gives_way(other) return gives_way(other) and not other.trusted end
  while not connection.trusted and peer.bytes + size > self.peer_held_bytes do
    if not close_longest_waiting(self, peer.members, of_peer_gives_way) then return false end
  end
  return true
end

--- Counts bytes that are kept in memory until `release` is called. Returns false if the bytes exceed a limit.
function Limits:hold(connection, size)
  local peer = connection.peer
  if self.bytes + size > self.held_bytes or peer.bytes + size > self.peer_held_bytes then
    if not make_room_for(self, connection, size) then return false end
  end
  self.bytes, connection.held = self.bytes + size, connection.held + size
  if not connection.trusted then peer.bytes = peer.bytes + size end
  return true
end

--- Stops counting the bytes of a connection.
function Limits:release(connection)
  self.bytes = self.bytes - connection.held
  if not connection.trusted then connection.peer.bytes = connection.peer.bytes - connection.held end
  connection.held = 0
end

--- Creates the counters of one server.
---@param options waba.ServerLimits|nil  checked limits; missing limits have their defaults
function limits.new(options)
  local self = setmetatable({ open_connections = {}, count = 0, peers = {}, bytes = 0, next_search = 0 }, Limits)
  for name, row in pairs(limits.OPTIONS) do self[name] = options and options[name] or row[2] end
  return self
end

return limits
