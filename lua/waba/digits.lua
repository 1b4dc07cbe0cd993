-- Writes a number with all digits and no exponent. `tostring` writes 1.2345678901235e+15 (LuaJIT) and 5.0 (Lua 5.4).

-- A whole number above 2^53 may have lost digits, because a double can't represent every such number.
local EXACT = 9007199254740992

---@return string|nil text  nil if the number is not finite, or too large to be exact
local function digits(number)
  if number ~= number or number <= -EXACT or number >= EXACT then return nil end
  if number == 0 then return "0" end -- `%.0f` writes "-0" for a negative zero
  if number % 1 == 0 then return ("%.0f"):format(number) end
  local text
  for precision = 14, 17 do
    text = ("%." .. precision .. "g"):format(number)
    if not text:find "e" and (number > -1e13 and number < 1e13 or tonumber(text) == number) then break end
  end
  if text:find "e" then text = ("%.20f"):format(number):gsub("0+$", ""):gsub("%D$", "") end
  return (text:gsub(",", ".")) -- some locales have a decimal comma
end

return digits
