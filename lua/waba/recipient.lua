-- A recipient as people write it: a phone number, turned into the digits that the platform takes; a
-- business-scoped user id; a group.

local core = require "waba.core"
local errors = require "waba.errors"

local is_number = core.is_number

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

local APOSTROPHE = "\226\128\153" -- as Swiss spreadsheets print it

local function invalid_at(path, says)
  return nil, errors.invalid(path, path .. " " .. says)
end

local function invalid(says)
  return invalid_at("to", says)
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

-- Reads a number in exponent form. Returns its digits if the form still has all of them.
local function digits_of_exponent(plus, whole, fraction, exponent)
  local shift = tonumber(exponent)
  if #fraction < shift then
    return invalid("is a number in exponent form, which has lost its last digits: format the column as text, "
      .. "or pass the number as a string")
  elseif fraction:find("[^0]", shift + 1) then
    return invalid "is a number with decimals in exponent form; a phone number has none"
  end
  return plus .. whole .. fraction:sub(1, shift)
end

-- Reads a number with a decimal mark. Returns the digits before it if only zeros follow. One or two digits after a single
-- point are decimals; more of them are digits after a separator, unless all are zeros.
local function digits_of_decimal(whole, mark, fraction)
  local _, count = whole:gsub("%d", "")
  local is_zero, is_short = not fraction:find "[^0]", #fraction <= 2
  if count < LEAST or mark == "." and not is_zero and not is_short then return whole .. mark .. fraction end
  if not is_zero then return invalid "is a number with decimals; a phone number has none" end
  if mark == "." and not is_short and count + #fraction <= MOST then
    return invalid(("ends in a point and %d zeros, which may be decimals or digits: write it without the point"):format(
      #fraction))
  end
  return whole
end

-- "491,511,234,567": groups of three.
local function without_groups(text, mark)
  local first, rest = text:match("^%+?(%d+)(" .. mark .. "[%d" .. mark .. "]*)$")
  if not first or #first > 3 or rest:gsub(mark .. "%d%d%d", "") ~= "" then return text end
  return (text:gsub(mark, ""))
end

-- Errors for texts that a spreadsheet shows instead of a number, by their first character.
local NO_NUMBER = {
  ["="] = "starts with =, as a formula does: write the number itself, as text",
  ["#"] = "starts with #: a spreadsheet's error, or a number in a column too narrow for it",
  ["-"] = "starts with -, as the result of a calculation does: format the column as text",
}

-- Reads the forms in which spreadsheets and Lua write a number; `text` has no white space. Other text is returned
-- as it is.
local function from_number_form(text)
  text = text:match '^="(.*)"$' or text:match "^=(%+?%d+)$" or text
  text = text:gsub("^'", "")
  local refusal = NO_NUMBER[text:sub(1, 1)]
  if refusal then return invalid(refusal) end
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

local function digits_of_text(text)
  if text:find("[\128-\255]") then
    for _, separator in ipairs(PRINTED_SEPARATORS) do text = text:gsub(separator, "") end
    text = text:gsub(APOSTROPHE, "'")
  end
  local err
  text, err = from_number_form((text:gsub("%s", "")))
  if not text then return nil, err end
  if text:find("(", 1, true) then text = without_trunk_zero(text) end
  text = text:gsub("[()/.-]", "")
  local plus, digits = text:match("^(%+?)(.*)$")
  if digits == "" then return invalid("is empty; a phone number is needed, such as +49 151 1234567") end
  local other = digits:match("%D")
  if other then
    return invalid(("is not a phone number: %smay have digits, a leading + and separators only"):format(
      other:find "^[!-~]$" and ('it has "%s", and '):format(other) or "it "))
  end
  if plus == "" then digits = digits:gsub("^00", "") end
  if digits:find("^0") then
    return invalid("starts with 0; the international form is needed, with the country's code: +49 … instead of 0 …")
  end
  return digits
end

--- Turns a recipient into digits: "+49 (151) 123-4567", "0049 151 …", 491511234567 and a wa_id are all
--- taken, and what spreadsheets make of a number: "491511234567.0", "4.91511234567E+11", `="491511234567"`. A form
--- that has lost digits is refused. So is a number that starts with a single 0: its country is unknown.
---@param to string|number
---@return string|nil digits  7 to 15
---@return waba.Error? err    of kind "invalid", path "to"; never quotes the number
function recipient.normalize(to)
  if is_number(to, LEAST, MOST) then return to end -- a wa_id: nothing to do
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

-- A business-scoped user id: a country, a dot, at most 128 letters and digits; between them "ENT." when it is
-- the id of a whole enterprise (cloud.md, section 2.2).
local MOST_USER_ID = 128

local function is_user_id(text)
  local rest = text:match("^%u%u%.(%w+)$") or text:match("^%u%u%.ENT%.(%w+)$")
  return rest ~= nil and #rest <= MOST_USER_ID
end

local function read_user(id)
  if type(id) ~= "string" then return invalid_at("to.user_id", "must be a string, not a " .. type(id)) end
  if is_user_id(id) then return id, "user" end
  return invalid_at("to.user_id", "is no business-scoped user id, such as DE.1349…: a country, a dot, at most "
    .. MOST_USER_ID .. " letters and digits")
end

local function read_group(id)
  if type(id) ~= "string" then return invalid_at("to.group_id", "must be a string, not a " .. type(id)) end
  if id:find("^[\33-\126]+$") then return id, "group" end
  return invalid_at("to.group_id", "is no group's id: it has letters, digits and signs, and no white space")
end

local function read_table(to)
  local user, group = to.user_id, to.group_id
  if (user == nil) == (group == nil) then
    return invalid("must have either user_id or group_id, when it is a table")
  end
  if user ~= nil then return read_user(user) end
  return read_group(group)
end

--- Reads a recipient in every form that `client:send` takes.
---@param to string|number|{ user_id: string }|{ group_id: string }
---@return string|nil address  digits, a business-scoped user id, or a group's id
---@return nil|"user"|"group"|waba.Error form  what it is, when it is no number; or the error, of kind "invalid"
function recipient.read(to)
  if is_number(to, LEAST, MOST) then return to end
  if type(to) == "table" then return read_table(to) end
  local first = type(to) == "string" and to:byte(1)
  if first and first >= 65 and first <= 90 and is_user_id(to) then return to, "user" end -- A to Z
  return recipient.normalize(to)
end

return recipient
