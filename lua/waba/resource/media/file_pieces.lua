-- A part of a file, given piece by piece to a transport: for bodies that the transport can't read itself,
-- because they begin in the middle or are not all of the file.

local open_file = require "waba.open"

local FilePieces = {}
FilePieces.__index = FilePieces
FilePieces.__name = "waba.FilePieces"

local file_pieces = {}

-- Bytes given at once.
local SIZE = 65536

--- The bytes of a file from an offset on. It is opened when the first piece is asked for.
---@class waba.FilePieces
---@field fault string|nil  what went wrong: the pieces end too early then, and the transport completes no request
---@param path string
---@param offset integer
---@param length integer
---@return waba.FilePieces
function file_pieces.new(path, offset, length)
  return setmetatable({ path = path, offset = offset, left = length }, FilePieces)
end

local function open(self)
  local file, message = open_file(self.path, "rb")
  if not file then return nil, message end
  self.file = file
  local position
  position, message = file:seek("set", self.offset)
  return position and file, message
end

--- The next piece.
---@return string|nil bytes  nil at the end, and when something went wrong
function FilePieces:next()
  if self.fault or self.left == 0 then return nil end
  local file, message = self.file, nil
  if not file then file, message = open(self) end
  local piece
  if file then piece, message = file:read(math.min(SIZE, self.left)) end
  if not piece then
    self.fault = message or "it became shorter while it was sent"
    return nil
  end
  self.left = self.left - #piece
  return piece
end

--- Closes the file. Harmless when repeated.
function FilePieces:close()
  if self.file then self.file:close() end
  self.file = nil
end

return file_pieces
