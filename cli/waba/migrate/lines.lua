-- The lines of a file, however long it is: a piece at a time, and no line longer than a message can be.

local lines = {}

local PIECE = 65536
-- No body of a request is as long; a line that is longer is told and left out.
local LONGEST = 4 * 1024 * 1024

local MARK = "^\239\187\191" -- of UTF-8, which some systems put before the first line

-- Reads on where the piece has ended; false at the end of the file.
local function refill(state)
  if state.from <= #state.piece then return true end
  local piece, message = state.file:read(PIECE)
  if not piece then
    state.fault = message
    return false
  end
  state.piece, state.from = piece, 1
  return true
end

-- The next line's text, and whether it was too long to be kept.
local function next_line(state)
  local parts, length, is_too_long, has_begun = {}, 0, false, false
  while refill(state) do
    has_begun = true
    local at = state.piece:find("\n", state.from, true)
    local text = state.piece:sub(state.from, at and at - 1 or -1)
    state.from = at and at + 1 or #state.piece + 1
    length = length + #text
    if length > LONGEST then
      parts, is_too_long = {}, true
    else
      parts[#parts + 1] = text
    end
    if at then break end
  end
  if has_begun then return table.concat(parts), is_too_long end
end

--- Goes through the lines of an open file. Empty ones are left out.
---@param file { read: fun(self: any, size: integer): string|nil, string? }
---@return fun(): integer|nil, string|nil, boolean|nil  the line's number, its text, whether it was too long to be kept
---@return { fault: string? } state  why the file could not be read to its end
function lines.each(file)
  local state, number = { file = file, piece = "", from = 1, fault = nil }, 0
  return function()
    while true do
      local text, is_too_long = next_line(state)
      if not text then return nil end
      number = number + 1
      if number == 1 then text = text:gsub(MARK, "") end
      if is_too_long or text:find "%S" then return number, text, is_too_long end
    end
  end, state
end

return lines
