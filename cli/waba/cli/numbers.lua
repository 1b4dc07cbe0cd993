-- Numbers on the command line: what argparse converts an argument with. Each gives the number, or nil and what is wrong.

local numbers = {}

local MOST_PORT = 65535

local function number_of(text)
  local number = tonumber(text)
  -- neither "nan" nor an infinity
  if number and number == number and math.abs(number) < math.huge then return number end
end

--- Above 0.
---@param text string
---@return number|nil
---@return string? message
function numbers.positive(text)
  local number = number_of(text)
  if number and number > 0 then return number end
  return nil, ("a number above 0 is needed, not %s"):format(text)
end

--- A whole number, 1 or more.
---@param text string
---@return integer|nil
---@return string? message
function numbers.count(text)
  local number = text:find "^%d+$" and number_of(text)
  if number and number >= 1 then return number end
  return nil, ("a whole number of 1 or more is needed, not %s"):format(text)
end

--- A port; 0 is any free one.
---@param text string
---@return integer|nil
---@return string? message
function numbers.port(text)
  local number = text:find "^%d+$" and number_of(text)
  if number and number <= MOST_PORT then return number end
  return nil, ("a port is needed, 0 to %d, not %s"):format(MOST_PORT, text)
end

return numbers
