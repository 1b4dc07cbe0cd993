-- Formats of strings, by the names in rules. Each has examples of valid and invalid texts, which the tests use.

local core = require "waba.core"
local runtime = require "waba.runtime"

local find = string.find

local formats = {}

---@class waba.Format
---@field message string  the end of the error message for an invalid text
---@field fits fun(text: string): boolean, string?  whether the text is valid; a message that is more exact than `message`
---@field good? string[]  valid texts
---@field bad? string[]   invalid texts

local function has_emoji(text)
  return runtime.require("waba.schema.emoji").has(text)
end

-- WhatsApp's markup: a marker at the start of a word and the same marker at the end of a later one, on one line.
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

---@type table<string, waba.Format>
formats.url = {
  message = "must be a URL that starts with http:// or https://",
  fits = is_url,
  good = { "https://shop.example/t?a=1", "http://shop.example", "HTTPS://shop.example/" },
  bad = { "ftp://shop.example/a", "shop.example/a", "https://", "https:///a", "https://shop.example/a b",
    "https://shop.example/a\194\160b" },
}

formats.template_name = {
  message = "may have lower-case letters, digits and _ only",
  fits = function(text) return find(text, "^[a-z0-9_]+$") ~= nil end,
  good = { "order_ready_v2", "2" },
  bad = { "Order", "order-ready", "order ready", "bestellung_\195\164" },
}

formats.date = {
  message = "must be a date such as 1980-04-02",
  fits = is_date,
  good = { "1980-04-02", "2000-02-29", "2024-12-31" },
  bad = { "1980-4-2", "02.04.1980", "1980-13-01", "1980-04-31", "1900-02-29", "1980-00-10", "1980-01-00" },
}

formats.currency_code = {
  message = "must be the three capital letters of ISO 4217, such as EUR",
  fits = function(text) return text:find("^%u%u%u$") ~= nil end,
  good = { "EUR", "USD" },
  bad = { "eur", "EURO", "\226\130\172", "EU" },
}

formats.country_code = {
  message = "must be two letters, such as de",
  fits = function(text) return text:find("^%a%a$") ~= nil end,
  good = { "de", "DE" },
  bad = { "d", "deu", "49" },
}

formats.country = {
  message = "must be the two capital letters of ISO 3166, such as IN",
  fits = function(text) return text:find("^%u%u$") ~= nil end,
  good = { "IN", "SG" },
  bad = { "in", "IND", "91" },
}

formats.wa_id = {
  message = "must be 7 to 15 digits: a WhatsApp id as in webhooks, or a phone number with its country code",
  fits = function(text) return core.is_number(text, 7, 15) end,
  good = { "49305550199" },
  bad = { "+49305550199", "4930 5550199", "493055", "Eva" },
}

formats.cloud_media_id = {
  message = "must have digits only: ids from On-Premise hosting are not valid on Cloud hosting",
  fits = function(text) return text:find("^%d+$") ~= nil end,
  good = { "7781230045" },
  bad = { "5b0e1c1e-1f0a-4a52-9a61-2d1f7a1c9a10", "778 123" },
}

-- A text for a placeholder of a template. The platform reports others with the codes 2006 and 2007.
formats.parameter = {
  message = "must not have line breaks, tabs or five spaces in a row",
  fits = function(text)
    if find(text, "%c") and find(text, "[\n\r\t]") then return false end
    return #text < 5 or not find(text, "     ", 1, true)
  end,
  good = { "Eva", "a    b" },
  bad = { "a\nb", "a\tb", "a     b", "a\r\nb" },
}

formats.no_markup = {
  message = "must not have markup (*bold*, _italic_, ~struck~, ```mono```)",
  fits = function(text) return not has_markup(text) end,
  good = { "Yes", "snake_case_name", "2 * 3 * 4", "~ 5 km", "5*", "Ja \240\159\145\141" },
  bad = { "*Yes*", "so _nice_", "~no~", "```x```", "(*a b*)" },
}

formats.no_markup_or_emoji = {
  message = "must have neither markup nor emoji",
  fits = function(text) return not has_markup(text) and not has_emoji(text) end,
  good = { "Ausw\195\164hlen", "\233\129\184\230\138\158", "\226\130\172 5" },
  bad = { "*Slots*", "Go \240\159\145\141", "\226\173\144 Top", "1\239\184\143\226\131\163" },
}

formats.no_emoji = {
  message = "must not have emoji",
  fits = function(text) return not has_emoji(text) end,
  good = { "Book", "*Book*", "\226\130\172 5" },
  bad = { "Book \240\159\145\141", "\226\173\144" },
}

formats.reaction = {
  message = "must be one emoji, or empty to take the reaction back",
  fits = function(text) return text == "" or runtime.require("waba.schema.emoji").is_one(text) end,
  good = {
    "", "\240\159\145\141", "\226\157\164", "\226\157\164\239\184\143", "\240\159\145\141\240\159\143\189",
    "\240\159\135\169\240\159\135\170", "1\239\184\143\226\131\163",
    "\240\159\145\169\226\128\141\240\159\146\187", -- a woman, joined to a laptop
    -- England's flag: tags spell it
    "\240\159\143\180\243\160\129\167\243\160\129\162\243\160\129\165\243\160\129\174\243\160\129\167\243\160\129\191",
  },
  bad = {
    ":+1:", "x", "1", "\195\164", " ", "\240\159\145\141\240\159\145\141", "\240\159\145\141 ok", "\240\159\135\169",
    "\240\159\145\169\226\128\141", "\239\184\143",
  },
}

formats.trimmed = {
  message = "must not begin or end with a space",
  fits = function(text) return not find(text, "^%s") and not find(text, "%s$") end,
  good = { "d118:yes", "a b" },
  bad = { " yes", "yes ", "yes\n" },
}

formats.two_line_breaks = {
  message = "must have at most two line breaks",
  fits = function(text) return not find(text, "\n.*\n.*\n") end,
  good = { "a\nb\nc", "a" },
  bad = { "a\nb\nc\nd", "\n\n\n" },
}

formats.alphanumeric = {
  message = "may have letters and digits only",
  fits = function(text) return find(text, "^[%a%d]+$") ~= nil and not find(text, "[\128-\255]") end,
  good = { "SAVE20", "x" },
  bad = { "SAVE 20", "SAVE-20", "\195\164" },
}

formats.parameter_name = {
  message = "may have lower-case letters, digits and _ only",
  fits = formats.template_name.fits,
  good = { "first_name", "x1" },
  bad = { "Name", "first name", "{{name}}" },
}

formats.four_digits = {
  message = "must be four digits",
  fits = function(text) return find(text, "^%d%d%d%d$") ~= nil end,
  good = { "5235", "0000" },
  bad = { "523", "52350", "x235" },
}

formats.reference_id = {
  message = "may have letters, digits, _, . and - only",
  fits = function(text) return find(text, "^[%w_.-]+$") ~= nil and not find(text, "[\128-\255]") end,
  good = { "ord-118", "A_1.2" },
  bad = { "ord 118", "ord#118", "\195\164" },
}

return formats
