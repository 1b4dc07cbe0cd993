-- The formats of strings, by the name in the field `format` of a rule.

local core = require "waba.core"
local runtime = require "waba.runtime"

local find = string.find

---@class waba.Format
---@field message string  the error text, as in waba.RuleError
---@field fits fun(text: string): boolean, string?  returns whether the text is valid; for some invalid texts
---  also an error text that replaces `message`

local function has_emoji(text) return runtime.require("waba.schema.emoji").has(text) end

-- WhatsApp's markup is a marker at the start of a word, and the same marker at the end of this word or of a later word
-- of the line.
local function has_markup(text)
  if not text:find("[*_~`]") then return false end
  if text:find("```.-```") then return true end
  local padded = " " .. text .. " "
  for marker in ("*_~"):gmatch(".") do
    local outside = "[^%w\128-\255%" .. marker .. "]"
    local inner = padded:match(outside .. "%" .. marker .. "([^%s%" .. marker .. "][^\n%" .. marker .. "]*)%"
      .. marker .. outside)
    if inner and not inner:find("%s$") then return true end
  end
  return false
end

-- A plain search for "://" excludes most texts, and is the fastest search.
local function has_url(text)
  local at = find(text, "://", 1, true)
  while at do
    if find(text, "^[Hh][Tt][Tt][Pp]://%S", at - 4) then return true end
    if find(text, "^[Hh][Tt][Tt][Pp][Ss]://%S", at - 5) then return true end
    at = find(text, "://", at + 3, true)
  end
  return false
end

local month_days = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function is_date(text)
  local year, month, day = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)$")
  if not year then return false end
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  if month == 2 and day == 29 then return year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0) end
  return month_days[month] ~= nil and day >= 1 and day <= month_days[month]
end

local NO_BREAK_SPACE = "\194\160"
local WHITE_SPACE = { [" "] = "a blank", ["\n"] = "a line break", ["\r"] = "a line break", ["\t"] = "a tab" }

local function is_url(text)
  local at = find(text, "[%s%c]") or find(text, NO_BREAK_SPACE, 1, true)
  if at then
    local what = WHITE_SPACE[text:sub(at, at)] or text:byte(at) > 127 and "a no-break space" or "a control character"
    return false, ("has %s at byte %d; inside a URL a blank is written %%20"):format(what, at)
  end
  return find(text, "^[Hh][Tt][Tt][Pp][Ss]?://[^/?#]") ~= nil
end

local function format(message, fits) return { message = message, fits = fits } end

local function matching(pattern, message)
  return format(message, function(text) return find(text, pattern) ~= nil end)
end

---@type table<string, waba.Format>
return {
  url = format("must be a URL that starts with http:// or https://", is_url),
  has_url = format("needs a link that starts with http:// or https:// in the body", has_url),
  date = format("must be a date such as 1980-04-02", is_date),

  template_name = matching("^[a-z0-9_]+$", "may have lower-case letters, digits and _ only"),
  parameter_name = matching("^[a-z0-9_]+$", "may have lower-case letters, digits and _ only"),
  currency_code = matching("^%u%u%u$", "must be the three capital letters of ISO 4217, such as EUR"),
  country_code = matching("^%a%a$", "must be two letters, such as de"),
  country = matching("^%u%u$", "must be the two capital letters of ISO 3166, such as IN"),
  cloud_media_id = matching("^%d+$",
    "must have digits only: ids from On-Premise hosting are not valid on Cloud hosting"),
  four_digits = matching("^%d%d%d%d$", "must be four digits"),
  alphanumeric = matching("^[A-Za-z0-9]+$", "may have letters and digits only"),
  reference_id = matching("^[A-Za-z0-9_.-]+$", "may have letters, digits, _, . and - only"),

  wa_id = format("must be 7 to 15 digits: a WhatsApp id as in webhooks, or a phone number with its country code",
    function(text) return core.is_number(text, 7, 15) end),

  -- for values of placeholders in templates; the platform refuses invalid values with the codes 2006 and 2007
  parameter = format("must not have line breaks, tabs or five spaces in a row", function(text)
    if find(text, "%c") and find(text, "[\n\r\t]") then return false end
    return #text < 5 or not find(text, "     ", 1, true)
  end),

  no_markup = format("must not have markup (*bold*, _italic_, ~struck~, ```mono```)",
    function(text) return not has_markup(text) end),
  no_emoji = format("must not have emoji", function(text) return not has_emoji(text) end),
  no_markup_or_emoji = format("must have neither markup nor emoji",
    function(text) return not has_markup(text) and not has_emoji(text) end),
  reaction = format("must be one emoji, or empty to take the reaction back",
    function(text) return text == "" or runtime.require("waba.schema.emoji").is_one(text) end),

  trimmed = format("must not begin or end with a space",
    function(text) return not find(text, "^%s") and not find(text, "%s$") end),
  two_line_breaks = format("must have at most two line breaks",
    function(text) return not find(text, "\n.*\n.*\n") end),
}
