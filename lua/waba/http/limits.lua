-- What the peers of a server may use before they have shown valid credentials: connections, unfinished bodies, bytes
-- in memory and seconds. When a limit is reached, the connection that has waited longest for its peer is closed.

local core = require "waba.core"

local limits = {}

-- Seconds that a connection may wait for its peer before it can be closed in favour of another one.
local PATIENCE = 1

local MIB = 1024 * 1024

--- The limits of a server. A peer is an IPv4 address or an IPv6 network of 64 bits; the limits of a peer count only
--- what has no valid credentials yet.
---@class waba.ServerLimits
---@field connections? integer       open connections in all; 512 by default
---@field peer_connections? integer  of one peer; 256 by default
---@field peer_bodies? integer       bodies of one peer that are not complete; 64 by default
---@field held_bytes? integer        bytes of bodies in memory in all; 64 MiB by default
---@field peer_held_bytes? integer   of one peer; 16 MiB by default
---@field request_seconds? number    for head and body of a request together; 30 by default
---@field idle_seconds? number       without a request on an open connection; 60 by default
limits.DEFAULTS = {
  connections = 512, peer_connections = 256, peer_bodies = 64, held_bytes = 64 * MIB, peer_held_bytes = 16 * MIB,
  request_seconds = 30, idle_seconds = 60,
}

--- The types of these options, for `waba.options`.
limits.KNOWN = {
  connections = "integer>=1", peer_connections = "integer>=1", peer_bodies = "integer>=1", held_bytes = "integer>=1",
  peer_held_bytes = "integer>=1", request_seconds = "number>0", idle_seconds = "number>0",
}

-- The class waba.http.Limits. `peers`: by name, what each uses.
local Limits = {}
Limits.__index = Limits

-- An IPv6 address as its eight groups.
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

--- The peer that an address belongs to.
---@param address string|nil  as `getpeername` has it
---@return string
function limits.peer(address)
  address = tostring(address)
  local mapped = address:match "^::ffff:(%d+%.%d+%.%d+%.%d+)$"
  if mapped or not address:find(":", 1, true) then return mapped or address end
  return table.concat(groups_of(address), ":", 1, 4)
end

-- The connection to close: of those that fit and have waited for long enough the one that has waited longest, and
-- one without valid credentials before any other.
local function longest_waiting(self, fits)
  local found
  local latest = core.clock() - PATIENCE
  for connection in pairs(self.open_connections) do
    if connection.waiting and connection.since <= latest and fits(connection) then
      if not found or found.trusted and not connection.trusted
        or found.trusted == connection.trusted and connection.since < found.since then
        found = connection
      end
    end
  end
  return found
end

-- Closes a connection that fits. False when none can be closed.
local function make_room(self, fits)
  local connection = longest_waiting(self, fits)
  if not connection then return false end
  self:close(connection)
  connection:kick()
  return true
end

local function any() return true end

--- Whether one more connection may be accepted.
---@return boolean
function Limits:has_room()
  return self.count < self.connections or make_room(self, any)
end

--- Counts a new connection. False when its peer has too many.
---@param connection waba.http.Connection
---@return boolean
function Limits:open(connection)
  local peer = self.peers[connection.peer_name]
  if not peer then
    peer = { connections = 0, bodies = 0, bytes = 0, open = 0 }
  end
  if peer.connections >= self.peer_connections
    and not make_room(self, function(other) return other.peer == peer and not other.trusted end) then
    return false
  end
  peer.connections, peer.open = peer.connections + 1, peer.open + 1
  connection.peer, connection.trusted, connection.held = peer, false, 0
  self.peers[connection.peer_name] = peer
  self.open_connections[connection] = true
  self.count = self.count + 1
  return true
end

--- Counts a connection no longer. Harmless when repeated.
---@param connection waba.http.Connection
function Limits:close(connection)
  if not self.open_connections[connection] then return end
  self:finish_body(connection)
  self:release(connection)
  self.open_connections[connection] = nil
  self.count = self.count - 1
  local peer = connection.peer
  peer.open = peer.open - 1
  if not connection.trusted then peer.connections = peer.connections - 1 end
  if peer.open == 0 then self.peers[connection.peer_name] = nil end
end

--- Records that the peer has shown valid credentials on this connection.
---@param connection waba.http.Connection
function Limits:trust(connection)
  if connection.trusted or not self.open_connections[connection] then return end
  local peer = connection.peer
  peer.connections, peer.bytes = peer.connections - 1, peer.bytes - connection.held
  if connection.has_body then peer.bodies = peer.bodies - 1 end
  connection.trusted = true
end

--- Counts a body that is about to be read. False when there are too many of this peer.
---@param connection waba.http.Connection
---@return boolean
function Limits:begin_body(connection)
  local peer = connection.peer
  if not connection.trusted then
    if peer.bodies >= self.peer_bodies and not make_room(self, function(other)
      return other.peer == peer and other.has_body and not other.trusted
    end) then
      return false
    end
    peer.bodies = peer.bodies + 1
  end
  connection.has_body = true
  return true
end

--- The body is complete, or is read no further.
---@param connection waba.http.Connection
function Limits:finish_body(connection)
  if connection.has_body and not connection.trusted then connection.peer.bodies = connection.peer.bodies - 1 end
  connection.has_body = false
end

--- Counts bytes that are kept in memory until `release`. False when there are too many.
---@param connection waba.http.Connection
---@param size integer
---@return boolean
function Limits:hold(connection, size)
  local peer = connection.peer
  while self.bytes + size > self.held_bytes do
    if not make_room(self, function(other) return other ~= connection and other.held > 0 end) then return false end
  end
  while not connection.trusted and peer.bytes + size > self.peer_held_bytes do
    if not make_room(self, function(other)
      return other ~= connection and other.peer == peer and other.held > 0 and not other.trusted
    end) then
      return false
    end
  end
  self.bytes, connection.held = self.bytes + size, connection.held + size
  if not connection.trusted then peer.bytes = peer.bytes + size end
  return true
end

--- The bytes of the connection are kept no longer.
---@param connection waba.http.Connection
function Limits:release(connection)
  self.bytes = self.bytes - connection.held
  if not connection.trusted then connection.peer.bytes = connection.peer.bytes - connection.held end
  connection.held = 0
end

--- Counts what the peers of one server use.
---@param given waba.ServerLimits|nil  checked; defaults for what it lacks
---@return waba.http.Limits
function limits.new(given)
  local self = setmetatable({ open_connections = {}, count = 0, peers = {}, bytes = 0 }, Limits)
  for name, default in pairs(limits.DEFAULTS) do self[name] = given and given[name] or default end
  return self
end

return limits
