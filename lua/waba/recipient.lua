-- Reads recipients: phone numbers in written form, business-scoped user ids, and groups.

local core = require "waba.core"
local errors = require "waba.errors"
local runtime = require "waba.runtime"

local is_number = core.is_number

local recipient = {}

-- The numbers of digits of a phone number in international form: at least 7 in short numbering plans, at most 15 in
-- E.164.
local LEAST, MOST = 7, 15

local function invalid_at(path, message)
  return nil, errors.invalid(path, path .. " " .. message)
end

local function invalid(message)
  return invalid_at("to", message)
end

local function digits_of_number(number)
  -- the condition is also true for NaN and infinity
  if number % 1 ~= 0 then return invalid("must be a whole number or a string of digits") end
  if number <= 0 or number >= 10 ^ MOST then
    return invalid(("must have %d to %d digits"):format(LEAST, MOST))
  end
  return ("%.0f"):format(number)
end

local function digits_of_text(text)
  local err
  if text:find("[^%d%s+/-]") or text:find("^%s*-") then
    text, err = runtime.require("waba.number_forms")(text)
    if not text then return invalid(err) end
  end
  text = text:gsub("[%s/-]", "")
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

--- Converts a phone number to digits. Accepts "+49 (151) 123-4567", "0049 151 …", 491511234567, a wa_id, and the forms
--- of spreadsheets: "491511234567.0", "4.91511234567E+11", `="491511234567"`. Refuses a form that has lost digits.
--- Refuses a number that begins with one 0, because the number does not contain the country.
---@param to string|number
---@param path? string        the path of the number in an error; default: "to"
---@return string|nil digits  7 to 15
---@return waba.Error? err    kind "invalid"; the text never contains the number
function recipient.normalize(to, path)
  if is_number(to, LEAST, MOST) then return to end -- a wa_id needs no conversion
  local digits, err
  if to == nil then
    digits, err = invalid("is missing")
  elseif type(to) == "number" then
    digits, err = digits_of_number(to)
  elseif type(to) == "string" then
    digits, err = digits_of_text(to)
  else
    digits, err = invalid("must be a string or an integer, not a " .. type(to))
  end
  if digits and (#digits < LEAST or #digits > MOST) then
    digits, err = invalid(("has %d digits; a number in international form has %d to %d"):format(#digits, LEAST, MOST))
  end
  if digits or not path then return digits, err end
  return invalid_at(path, (err.message:gsub("^to ", "")))
end

local MOST_USER_ID = 128

-- A business-scoped user id is a country, a dot, and at most 128 letters and digits. The parent form of an id, for a
-- whole enterprise, has "ENT." after the dot (cloud.md, section 2.2).
local function is_user_id(text)
  local rest = text:match("^%u%u%.(%w+)$") or text:match("^%u%u%.ENT%.(%w+)$")
  return rest ~= nil and #rest <= MOST_USER_ID
end

local function read_table(to)
  if (to.user_id == nil) == (to.group_id == nil) then
    return invalid("must have either user_id or group_id, when it is a table")
  end
  local form = to.user_id ~= nil and "user" or "group"
  local path, id = "to." .. form .. "_id", to[form .. "_id"]
  if type(id) ~= "string" then return invalid_at(path, "must be a string, not a " .. type(id)) end
  if form == "user" and not is_user_id(id) then
    return invalid_at(path, "is not a business-scoped user id such as DE.1349…: a country, a dot, at most "
      .. MOST_USER_ID .. " letters and digits")
  elseif form == "group" and not id:find "^[\33-\126]+$" then
    return invalid_at(path, "is not a group's id: it has letters, digits and signs, no white space")
  end
  return id, form
end

--- Reads a recipient in every form that `client:send` accepts.
---@param to string|number|{ user_id: string }|{ group_id: string }
---@return string|nil address  digits, a business-scoped user id, or the id of a group; nil for an invalid recipient
---@return nil|"user"|"group"|waba.Error form  nil for a phone number; the error, of kind "invalid", if `address` is nil
function recipient.read(to)
  if is_number(to, LEAST, MOST) then return to end
  if type(to) == "table" then return read_table(to) end
  local first = type(to) == "string" and to:byte(1)
  if first and first >= 65 and first <= 90 and is_user_id(to) then return to, "user" end -- an id begins with "A" to "Z"
  return recipient.normalize(to)
end

--- Returns the digits of a business number or, on Cloud hosting, of a phone_number_id.
---@return string|nil digits  nil if the argument is neither a phone number nor an id
function recipient.business_number(value)
  local digits = recipient.normalize(value)
  if digits then return digits end
  if type(value) == "number" then return digits_of_number(value) end
  return type(value) == "string" and value:match "^%d+$" or nil
end

return recipient
