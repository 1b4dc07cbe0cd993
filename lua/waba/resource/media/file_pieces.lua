-- Reads a part of a file in pieces, for a request body that is not a whole file.

local open_file = require "waba.open"

local FilePieces = {}
FilePieces.__index = FilePieces
FilePieces.__name = "waba.FilePieces"

local file_pieces = {}

local SIZE = 65536 -- bytes in a piece

--- Creates an object for `length` bytes of a file from `offset` on. The first call of `next` opens the file.
---@class waba.FilePieces
---@field error_message string|nil  the text of a read error, after which `next` returns no more pieces
function file_pieces.new(path, offset, length)
  return setmetatable({ path = path, offset = offset, left = length }, FilePieces)
end

---@return string|nil bytes  nil at the end and after an error
function FilePieces:next()
  if self.error_message or self.left == 0 then return nil end
  local piece, message
  if not self.file then
    self.file, message = open_file(self.path, "rb")
    if self.file then message = select(2, self.file:seek("set", self.offset)) end
  end
  if not message then piece, message = self.file:read(math.min(SIZE, self.left)) end
  if not piece then
    self.error_message = message or "the file became shorter while it was sent: expected a file that does not change"
    return nil
  end
  self.left = self.left - #piece
  return piece
end

function FilePieces:close()
  if self.file then self.file:close() end
  self.file = nil
end

return file_pieces
