-- Functions for argparse that convert the value of an option to a number; nil and an error message for an invalid
-- value.

local numbers = {}

local function number_of(text)
  local number = tonumber(text)
  -- on some systems tonumber accepts "nan" and "inf"
  if number and number == number and math.abs(number) < math.huge then return number end
end

function numbers.positive(text)
  local number = number_of(text)
  if number and number > 0 then return number end
  return nil, ("expected a number above 0, not %s"):format(text)
end

function numbers.count(text)
  local number = text:find "^%d+$" and number_of(text)
  if number and number >= 1 then return number end
  return nil, ("expected a whole number of 1 or more, not %s"):format(text)
end

-- The port 0 stands for any free port.
function numbers.port(text)
  local number = text:find "^%d+$" and number_of(text)
  if number and number <= 65535 then return number end
  return nil, ("expected a port from 0 to 65535, not %s"):format(text)
end

return numbers
