-- A recipient as people write it, turned into the digits that the platform takes.

local errors = require "waba.errors"

local recipient = {}

-- The shortest and the longest number in international form; the most is E.164's, the least is
-- inferred from the smallest numbering plans.
local LEAST, MOST = 7, 15

-- Countries whose numbers keep the 0 that others write in parentheses: Italy, San Marino, Vatican.
local KEEPS_ZERO = { "^39", "^378", "^379" }

-- What address books and web pages put between the digits, besides what a keyboard has: no-break
-- spaces, dashes, and the invisible marks of writing direction.
local PRINTED_SEPARATORS = {
  "\194\160", "\226\128[\128-\149]", "\226\128\175", "\226\129\160", "\226\128[\170-\174]",
  "\226\129[\166-\169]", "\226\136\146", "\239\187\191",
}

local function invalid(says)
  return nil, errors.invalid("to", "to " .. says)
end

-- "+49 (0)30 123": the 0 is dialled inside the country only.
local function without_trunk_zero(text)
  local before, after = text:match("^(.-)%(%s*0%s*%)(.*)$")
  if not before or not before:find("^%s*%+") and not before:find("^%s*00") then return text end
  local country = before:gsub("%D", ""):gsub("^00", "")
  for _, pattern in ipairs(KEEPS_ZERO) do
    if country:find(pattern) then return text end
  end
  return before .. after
end

local function digits_of_number(number)
  if number % 1 ~= 0 then return invalid("must be a whole number or a string of digits") end -- NaN, infinity too
  if number <= 0 or number >= 10 ^ MOST then
    return invalid(("must have %d to %d digits"):format(LEAST, MOST))
  end
  return ("%.0f"):format(number)
end

local function digits_of_text(text)
  if text:find("^[1-9]%d*$") then return text end -- a wa_id: nothing to do
  if text:find("[\128-\255]") then
    for _, separator in ipairs(PRINTED_SEPARATORS) do text = text:gsub(separator, "") end
  end
  if text:find("(", 1, true) then text = without_trunk_zero(text) end
  text = text:gsub("[%s()/.-]", "")
  local plus, digits = text:match("^(%+?)(.*)$")
  if digits == "" then return invalid("is empty; a phone number is needed, such as +49 151 1234567") end
  if digits:find("%D") then
    return invalid("is not a phone number: it may have digits, a leading + and separators only")
  end
  if plus == "" then digits = digits:gsub("^00", "") end
  if digits:find("^0") then
    return invalid("starts with 0; the international form is needed, with the country's code: +49 … instead of 0 …")
  end
  return digits
end

--- Turns a recipient into digits: "+49 (151) 123-4567", "0049 151 …", 491511234567 and a wa_id are all
--- taken. A number that starts with a single 0 is a national one and refused, because nobody can know
--- which country is meant.
---@param to string|number
---@return string|nil digits  7 to 15
---@return waba.Error? err    of kind "invalid", path "to"; never quotes the number
function recipient.normalize(to)
  local digits, err
  if to == nil then
    return invalid("is missing")
  elseif type(to) == "number" then
    digits, err = digits_of_number(to)
  elseif type(to) == "string" then
    digits, err = digits_of_text(to)
  else
    return invalid("must be a string or an integer, not a " .. type(to))
  end
  if not digits then return nil, err end
  if #digits < LEAST or #digits > MOST then
    return invalid(("has %d digits; a number in international form has %d to %d"):format(#digits, LEAST, MOST))
  end
  return digits
end

return recipient
