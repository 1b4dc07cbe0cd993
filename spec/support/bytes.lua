-- Test data with bytes of every value, and readers that return it in pieces.

local bytes = {}

--- Returns `size` bytes in an irregular order, with the text "--" that delimits the parts of a form.
function bytes.of(size)
  local block = { "\r\n--waba-\r\n" }
  for i = 0, 4095 do block[i + 2] = string.char((i * 167 + math.floor(i / 256)) % 256) end
  block = table.concat(block)
  return block:rep(math.floor(size / #block)) .. block:sub(1, size % #block)
end

--- Returns a reader of the bytes.
---@param size integer  the number of bytes in a piece
---@return fun(): string|nil  returns nil after the last piece
function bytes.reader(text, size)
  local position = 1
  return function()
    if position > #text then return nil end
    local piece = text:sub(position, position + size - 1)
    position = position + size
    return piece
  end
end

return bytes
