-- Reads phone numbers in the forms in which spreadsheets, address books and web pages write them.

local LEAST, MOST = 7, 15 -- digits of a number in international form, as in recipient.lua

-- Country codes whose numbers keep a leading 0 in international form: Italy, San Marino, Vatican.
local KEEPS_ZERO = { "^39", "^378", "^379" }

-- Separators outside ASCII that address books write: no-break spaces, dashes, and invisible marks of writing direction.
local PRINTED_SEPARATORS = {
  "\194\160", "\226\128[\128-\149]", "\226\128\175", "\226\129\160", "\226\128[\170-\174]",
  "\226\129[\166-\169]", "\226\136\146", "\239\187\191",
}

local APOSTROPHE = "\226\128\153" -- the apostrophe U+2019, which Swiss spreadsheets write between digits

-- Removes the 0 of "+49 (0)30 123". Callers dial this 0 only inside the country.
local function without_trunk_zero(text)
  local before, after = text:match("^(.-)%(%s*0%s*%)(.*)$")
  if not before or not before:find("^%s*%+") and not before:find("^%s*00") then return text end
  local country = before:gsub("%D", ""):gsub("^00", "")
  for _, pattern in ipairs(KEEPS_ZERO) do
    if country:find(pattern) then return text end
  end
  return before .. after
end

-- Returns the digits of a number such as "4.91511234567E+11", or an error for "4.91511E+11", which has lost digits.
local function digits_of_exponent(plus, whole, fraction, exponent)
  local shift = tonumber(exponent)
  if #fraction < shift then
    return nil, "is a number in exponent form, which has lost its last digits: format the column as text, or pass the "
      .. "number as a string"
  elseif fraction:find("[^0]", shift + 1) then
    return nil, "is a number in exponent form whose value has decimal places: expected the digits of a phone number"
  end
  return plus .. whole .. fraction:sub(1, shift)
end

-- Returns the digits before a decimal mark if only zeros follow the mark. A point before three or more digits separates
-- groups of digits, as in "49151.123456", and is not a decimal point. If these digits are all zeros, the result is an
-- error, unless the number would have too many digits with the zeros; in this case the point is a decimal point.
local function digits_of_decimal(whole, mark, fraction)
  local _, count = whole:gsub("%d", "")
  local is_zero, is_short = not fraction:find "[^0]", #fraction <= 2
  if count < LEAST or mark == "." and not is_zero and not is_short then return whole .. mark .. fraction end
  if not is_zero then return nil, "is a number with decimal places: expected the digits of a phone number" end
  if mark == "." and not is_short and count + #fraction <= MOST then
    return nil, ("ends in a point and %d zeros, which may belong to the number or be decimal places: remove the point, "
      .. "and also the zeros if they are decimal places"):format(#fraction)
  end
  return whole
end

-- Removes the separators of groups of three digits, as in "491,511,234,567". Returns a text of any other form
-- unchanged.
local function without_groups(text, mark)
  local first, rest = text:match("^%+?(%d+)(" .. mark .. "[%d" .. mark .. "]*)$")
  if not first or #first > 3 or rest:gsub(mark .. "%d%d%d", "") ~= "" then return text end
  return (text:gsub(mark, ""))
end

-- Error texts for cells of spreadsheets that contain no phone number, by the first character of the cell.
local NO_NUMBER = {
  ["="] = "starts with =, as a formula does: write the number itself, as text",
  ["#"] = "starts with #: a spreadsheet's error, or a number in a column too narrow for it",
  ["-"] = "starts with -, as the result of a calculation does: format the column as text",
}

-- Reads the forms in which spreadsheets and Lua write a number. Returns a text of any other form unchanged.
local function from_number_form(text)
  text = text:match '^="(.*)"$' or text:match "^=(%+?%d+)$" or text
  text = text:gsub("^'", "")
  local refusal = NO_NUMBER[text:sub(1, 1)]
  if refusal then return nil, refusal end
  local plus, whole, fraction, exponent = text:match "^(%+?)(%d+)[.,]?(%d*)[eE]%+?(%d%d?)$"
  if plus then return digits_of_exponent(plus, whole, fraction, exponent) end
  local before, mark, after = text:match "^(%+?%d[%d.,']-)([.,])(%d+)$"
  if before and not before:find(mark, 1, true) then
    local err
    text, err = digits_of_decimal(before, mark, after)
    if not text then return nil, err end
  end
  return without_groups(without_groups(text, ","), "'")
end

--- Reduces a written phone number to digits and a leading "+". Keeps "/" and "-", which recipient.lua removes, and
--- invalid characters, which recipient.lua refuses.
---@return string|nil text
---@return string? message  the error text without the name of the field at its beginning
return function(text)
  if text:find("[\128-\255]") then
    for _, separator in ipairs(PRINTED_SEPARATORS) do text = text:gsub(separator, "") end
    text = text:gsub(APOSTROPHE, "'")
  end
  local message
  text, message = from_number_form((text:gsub("%s", "")))
  if not text then return nil, message end
  return (without_trunk_zero(text):gsub("[().]", ""))
end
