-- Converters for numbers, which argparse calls. Each converter returns the number, or nil and an error message.

local numbers = {}

local MOST_PORT = 65535

local function number_of(text)
  local number = tonumber(text)
  -- "nan" and "inf", which tonumber accepts on some systems, are refused
  if number and number == number and math.abs(number) < math.huge then return number end
end

--- Reads a number above 0.
function numbers.positive(text)
  local number = number_of(text)
  if number and number > 0 then return number end
  return nil, ("expected a number above 0, not %s"):format(text)
end

--- Reads a whole number of 1 or more.
function numbers.count(text)
  local number = text:find "^%d+$" and number_of(text)
  if number and number >= 1 then return number end
  return nil, ("expected a whole number of 1 or more, not %s"):format(text)
end

--- Reads a port; 0 stands for any free port.
function numbers.port(text)
  local number = text:find "^%d+$" and number_of(text)
  if number and number <= MOST_PORT then return number end
  return nil, ("expected a port from 0 to %d, not %s"):format(MOST_PORT, text)
end

return numbers
