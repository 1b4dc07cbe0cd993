-- The customer service windows: the times in which a business may send a customer messages of any type. A window ends
-- 24 hours after the customer's last message, or 72 hours after a message that an advertisement has caused. The inbox
-- writes these records together with a message:
--   <scope><name>:window  the end of the window in Unix seconds, and the length of the window in seconds
--   numbers               a line for each business number that has records: the number's scope and digits
-- A scope is a business number and "/", or "" for events without a number.

local errors = require "waba.errors"
local keys = require "waba.inbox.keys"
local recipient = require "waba.recipient"

local window = {}

local DAY, AFTER_ADVERTISEMENT = 86400, 3 * 86400

local FARTHEST = 366 * 86400 -- a timestamp that is this number of seconds in the future is invalid
-- The lifetime of a window's record is a multiple of KEPT seconds, because the store in memory has a list for each
-- different lifetime.
local KEPT = 3600
local REREAD = 60 -- the seconds after which the record `numbers` is read again

local function opens(event)
  return (event.kind == "message" or event.kind == "standby") and event.type ~= "system" and event.timestamp ~= nil
    and not (event.hosting == "cloud" and event.group_id)
end

local known_of = setmetatable({}, { __mode = "k" }) -- by inbox: the record `numbers` as last read

-- Returns the record `numbers`, which is read again after REREAD seconds or if `is_again` is true.
local function numbers_of(inbox, is_again)
  local known = known_of[inbox]
  if known and not is_again and os.time() < known.at + REREAD then return known end
  known = { at = os.time(), list = {}, scopes = {} }
  local text, err = inbox:get "numbers"
  if err then return nil, err end
  for scope, digits in (text or ""):gmatch "(%S+) (%S+)\n" do
    if scope == "-" then scope = "" end
    known.list[#known.list + 1] = { scope = scope, digits = digits }
    known.scopes[scope] = true
  end
  known_of[inbox] = known
  return known
end

local function record_of(name, value, seconds)
  return { name = name .. ":window", value = value, seconds = math.ceil(seconds / KEPT) * KEPT, rises = true }
end

-- Returns the record `numbers` with a business number added; nil if the record already has the number or can't be read.
local function number_record(inbox, scope, digits)
  local known = numbers_of(inbox)
  if not known or known.scopes[scope] then return nil end
  known = numbers_of(inbox, true)
  if not known or known.scopes[scope] then return nil end
  known.list[#known.list + 1] = { scope = scope, digits = digits }
  known.scopes[scope] = true
  local lines = {}
  for index, one in ipairs(known.list) do
    lines[index] = ("%s %s\n"):format(one.scope == "" and "-" or one.scope, one.digits)
  end
  return { name = "numbers", value = table.concat(lines) }
end

-- Returns whether the previous call was for the same number, less than REREAD seconds ago. For another number, or after
-- REREAD seconds, reads the record `numbers` again.
local function was_listed(inbox, number, now)
  local known = known_of[inbox]
  if known and known.latest == number and now < known.at + REREAD then return true end
  known = numbers_of(inbox)
  if known then known.latest = number end
  return false
end

--- Keeps the latest timestamp of all events, which `window.now` uses.
function window.see(inbox, event)
  local time = event.timestamp
  if type(time) == "number" and time > (inbox.latest or 0) and time < os.time() + FARTHEST then inbox.latest = time end
end

--- Returns the present time of the platform's clock, which is at least the latest timestamp of an event.
function window.now(inbox) return math.max(os.time(), inbox.latest or 0) end

--- Returns the record `numbers` with a business number or phone_number_id added; nil if the record already has it.
function window.number_record(inbox, number)
  for _, scope in ipairs(window.scopes(inbox, number)) do
    if scope ~= "" then return nil end
  end
  local digits = recipient.business_number(number)
  return number_record(inbox, digits .. "/", digits)
end

--- Returns the records of new events: their windows, and `numbers` if an event has a new business number.
function window.records(inbox, events, entries)
  local records, now, listed = nil, os.time(), nil
  for index, event in ipairs(events) do
    window.see(inbox, event)
    local names = entries[index].names
    if names and opens(event) then
      local length = type(event.referral) == "table" and AFTER_ADVERTISEMENT or DAY
      local ends = event.timestamp + length
      local seconds = ends - now
      if seconds > 0 and seconds < FARTHEST then
        records = records or {}
        for _, name in ipairs(names) do
          records[#records + 1] = record_of(name, ("%011.0f %d"):format(ends, length), seconds)
        end
      end
    end
    local number = event.phone_number_id or event.number or "-"
    if names and number ~= listed then
      listed = number
      if not was_listed(inbox, number, now) then
        local new = number_record(inbox, keys.scope(event), type(event.number) == "string" and event.number or "-")
        if new then
          records = records or {}
          records[#records + 1] = new
        end
      end
    end
  end
  return records
end

--- Returns the records that move a customer's window from previous to new names. `get` returns the value of a record.
function window.moved(scope, previous, customer, get)
  local records, best = {}, nil
  for _, name in pairs { phone = previous.phone, user_id = previous.user_id } do
    local value = get(scope .. name .. ":window")
    if value and (not best or value > best) then best = value end
    -- the record of the previous phone number is removed, because another customer may get the number
    if value and name == previous.phone and name ~= customer.phone then
      records[#records + 1] = { name = scope .. name .. ":window" }
    end
  end
  local seconds = best and tonumber(best:match "^%d+") - os.time() or 0
  for _, name in pairs { phone = customer.phone, user_id = customer.user_id } do
    local is_new = name ~= previous.phone and name ~= previous.user_id
    if seconds > 0 and is_new then records[#records + 1] = record_of(scope .. name, best, seconds) end
  end
  return records
end

-- Returns the scopes of a business number, or all scopes, and whether the record `numbers` has the number.
local function select_scopes(known, digits)
  local scopes, is_listed, wanted = {}, digits == nil, digits
  for _, one in ipairs(known.list or {}) do
    if digits and one.scope == digits .. "/" and one.digits ~= "-" then wanted = one.digits end
  end
  for _, one in ipairs(known.list or {}) do
    local is_of_number = digits == nil or one.digits == wanted or one.scope == wanted .. "/"
    is_listed = is_listed or is_of_number
    if is_of_number or one.scope == "" then scopes[#scopes + 1] = one.scope end
  end
  return scopes, is_listed
end

--- Returns the scopes of a business number. Without a number, returns all scopes. The scope "" belongs to each number.
--- A number has two other scopes if some records have its digits and others its phone_number_id.
function window.scopes(inbox, number)
  local digits = number ~= nil and recipient.business_number(number) or nil
  if number ~= nil and not digits then
    local message = "number %s is neither a phone number nor a phone_number_id"
    error(errors.invalid("number", message:format(tostring(number))), 0)
  end
  local known, err = numbers_of(inbox)
  local scopes, is_listed = select_scopes(known or {}, digits)
  if known and not is_listed and known.at ~= os.time() then -- another process may have added the number
    known, err = numbers_of(inbox, true)
    scopes = select_scopes(known or {}, digits)
  end
  if not known then error(err, 0) end
  return scopes
end

--- Returns the digits of each business number in the record `numbers`, by scope.
function window.numbers(inbox)
  local known, err = numbers_of(inbox)
  if not known then error(err, 0) end
  local digits = {}
  for _, one in ipairs(known.list) do
    if one.scope ~= "" then digits[one.scope] = one.digits end
  end
  return digits
end

--- Returns the seconds until the end of a window. `value` is the value of the window's record.
function window.left(value, now)
  local ends, length = (value or ""):match "^(%d+) (%d+)$"
  if not ends then return 0 end
  return math.max(0, math.min(tonumber(ends) - now, tonumber(length)))
end

return window
