-- Reads a part of a file in pieces, for a body that is not a whole file.

local open_file = require "waba.open"

local FilePieces = {}
FilePieces.__index = FilePieces
FilePieces.__name = "waba.FilePieces"

local file_pieces = {}

-- The number of bytes in a piece.
local SIZE = 65536

--- Creates an object that returns the bytes of a file from an offset on. The file is opened for the first piece.
---@class waba.FilePieces
---@field error_message string|nil  the error text; if this field is set, the pieces end too early, so that the
---        transport does not complete the request
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

--- Returns the next piece.
---@return string|nil bytes  nil at the end and after an error
function FilePieces:next()
  if self.error_message or self.left == 0 then return nil end
  local file, message = self.file, nil
  if not file then file, message = open(self) end
  local piece
  if file then piece, message = file:read(math.min(SIZE, self.left)) end
  if not piece then
    self.error_message = message or "the file became shorter while it was sent: expected a file that does not change"
    return nil
  end
  self.left = self.left - #piece
  return piece
end

--- Closes the file. Further calls have no effect.
function FilePieces:close()
  if self.file then self.file:close() end
  self.file = nil
end

return file_pieces
