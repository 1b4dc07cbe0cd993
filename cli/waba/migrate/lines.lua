-- Reads a file line by line. Only one block of the file and one line are in memory at a time.

local lines = {}

local BLOCK = 65536
-- The largest line in bytes; bodies of requests are shorter. A longer line is reported, but its text is not kept.
local LONGEST = 4 * 1024 * 1024

local BYTE_ORDER_MARK = "^\239\187\191"

-- Reads the next block if the current one is used up. Returns false at the end of the file.
local function refill(state)
  if state.from <= #state.block then return true end
  local block, message = state.file:read(BLOCK)
  if not block then
    state.message = message
    return false
  end
  state.block, state.from = block, 1
  return true
end

-- Returns the text of the next line, and whether it exceeds the maximum length.
local function next_line(state)
  local parts, length, is_too_long, has_text = {}, 0, false, false
  while refill(state) do
    has_text = true
    local at = state.block:find("\n", state.from, true)
    local text = state.block:sub(state.from, at and at - 1 or -1)
    state.from = at and at + 1 or #state.block + 1
    length = length + #text
    if length > LONGEST then
      parts, is_too_long = {}, true
    else
      parts[#parts + 1] = text
    end
    if at then break end
  end
  if has_text then return table.concat(parts), is_too_long end
end

--- Iterates over the lines of an open file. Skips empty lines.
---@param file { read: fun(self: any, size: integer): string|nil, string? }
---@return fun(): integer|nil, string|nil, boolean|nil  the line number, the text, and whether the text exceeds the maximum length
---@return { message: string? } state  `message` is set if reading failed before the end of the file
function lines.each(file)
  local state, number = { file = file, block = "", from = 1, message = nil }, 0
  return function()
    while true do
      local text, is_too_long = next_line(state)
      if not text then return nil end
      number = number + 1
      if number == 1 then text = text:gsub(BYTE_ORDER_MARK, "") end
      if is_too_long or text:find "%S" then return number, text, is_too_long end
    end
  end, state
end

return lines
