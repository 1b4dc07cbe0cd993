-- Reads the value of the header Retry-After: seconds, or an HTTP date in one of its three forms (RFC 9110, section 5.6.7).

local retry_after = {}

local LONGEST = 3600 -- the largest result, in seconds

local TIME = " (%d%d):(%d%d):(%d%d)"
local RFC_9110 = "^(%a+), (%d%d) (%a+) (%d%d%d%d)" .. TIME .. " gmt$"
local RFC_850 = "^(%a+), (%d%d)%-(%a+)%-(%d%d)" .. TIME .. " gmt$"
local ASCTIME = "^(%a+) (%a+) ([%d ]%d)" .. TIME .. " (%d%d%d%d)$"

local WEEKDAYS = { sun = true, mon = true, tue = true, wed = true, thu = true, fri = true, sat = true }
local FULL_WEEKDAYS = { sunday = true, monday = true, tuesday = true, wednesday = true, thursday = true, friday = true,
  saturday = true }

-- The number of days before each month in a year of 365 days, and the largest number of days of the month.
local MONTHS = { jan = { 0, 31 }, feb = { 31, 29 }, mar = { 59, 31 }, apr = { 90, 30 }, may = { 120, 31 },
  jun = { 151, 30 }, jul = { 181, 31 }, aug = { 212, 31 }, sep = { 243, 30 }, oct = { 273, 31 }, nov = { 304, 30 },
  dec = { 334, 31 } }

-- A year of two digits is at most 50 years in the future.
local function complete_year(digits, now)
  local present = math.floor(1970 + now / 31556952)
  local year = present - present % 100 + digits
  return year > present + 50 and year - 100 or year <= present - 50 and year + 100 or year
end

-- Returns the Unix time of an HTTP date; nil for another text.
local function read_date(text, now)
  text = text:lower()
  local weekdays = WEEKDAYS
  local weekday, day, month, year, hour, minute, second = text:match(RFC_9110)
  if not weekday then weekday, month, day, hour, minute, second, year = text:match(ASCTIME) end
  if not weekday then
    weekdays = FULL_WEEKDAYS
    weekday, day, month, year, hour, minute, second = text:match(RFC_850)
    year = year and complete_year(tonumber(year), now)
  end
  month = MONTHS[month]
  if not (weekdays[weekday] and month) then return nil end
  day, year, hour, minute, second = tonumber(day), tonumber(year), tonumber(hour), tonumber(minute), tonumber(second)
  if year < 1 or day < 1 or day > month[2] or hour > 23 or minute > 59 or second > 60 then return nil end
  local is_leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
  local past = year - 1
  local days = past * 365 + math.floor(past / 4) - math.floor(past / 100) + math.floor(past / 400) + month[1] + day
  if is_leap and month[1] >= 59 then days = days + 1 end
  days = days - 719163 -- since 1970-01-01
  return ((days * 24 + hour) * 60 + minute) * 60 + second
end

local function trim(text) return text:match "^[ \t]*(.*[^ \t])" or "" end

--- Returns the seconds to wait, at most 3600; nil if the value is neither a number of seconds nor an HTTP date.
---@param value string
---@param date? string  the header Date of the response; if it is invalid, the clock of this machine is used
---@return number|nil seconds
function retry_after.read(value, date)
  value = trim(value)
  local seconds = value:find "^%d+$" and tonumber(value)
  if not seconds then
    local now = os.time()
    now = date and read_date(trim(date), now) or now
    local due = read_date(value, now)
    seconds = due and math.max(0, due - now)
  end
  return seconds and math.min(seconds, LONGEST)
end

return retry_after
