-- The forms a string must have, by name, as the rules of the message types refer to them. Each says
-- what it asks for, recognises it, and brings examples on both sides of the line for the tests.

local find = string.find

local formats = {}

---@class waba.Format
---@field says string            the end of the sentence "<path> …"
---@field fits fun(text: string): boolean
---@field good string[]          texts that fit
---@field bad string[]           texts that don't

-- WhatsApp's markup: a marker at the edge of a word, its twin at the edge of a later one, on one line.
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

-- Code points that clients draw as emoji without being asked to (Unicode's Emoji_Presentation below
-- U+1F000; everything from U+1F000 to U+1FAFF counts), the selector that asks for it and the keycap.
local emoji_ranges = {
  { 0x20E3, 0x20E3 }, { 0x231A, 0x231B }, { 0x23E9, 0x23EC }, { 0x23F0, 0x23F0 }, { 0x23F3, 0x23F3 },
  { 0x25FD, 0x25FE }, { 0x2614, 0x2615 }, { 0x2648, 0x2653 }, { 0x267F, 0x267F }, { 0x2693, 0x2693 },
  { 0x26A1, 0x26A1 }, { 0x26AA, 0x26AB }, { 0x26BD, 0x26BE }, { 0x26C4, 0x26C5 }, { 0x26CE, 0x26CE },
  { 0x26D4, 0x26D4 }, { 0x26EA, 0x26EA }, { 0x26F2, 0x26F3 }, { 0x26F5, 0x26F5 }, { 0x26FA, 0x26FA },
  { 0x26FD, 0x26FD }, { 0x2705, 0x2705 }, { 0x270A, 0x270B }, { 0x2728, 0x2728 }, { 0x274C, 0x274C },
  { 0x274E, 0x274E }, { 0x2753, 0x2755 }, { 0x2757, 0x2757 }, { 0x2795, 0x2797 }, { 0x27B0, 0x27B0 },
  { 0x27BF, 0x27BF }, { 0x2B1B, 0x2B1C }, { 0x2B50, 0x2B50 }, { 0x2B55, 0x2B55 }, { 0xFE0F, 0xFE0F },
  { 0x1F000, 0x1FAFF },
}

local function is_emoji(point)
  for _, range in ipairs(emoji_ranges) do
    if point >= range[1] and point <= range[2] then return true end
  end
  return false
end

-- Reads the three- and four-byte sequences only: there is no emoji among the shorter ones.
local function has_emoji(text)
  for lead, rest in text:gmatch("([\226-\244])([\128-\191]+)") do
    local point = lead:byte() % (lead:byte() < 240 and 16 or 8)
    for i = 1, #rest do point = point * 64 + rest:byte(i) % 64 end
    if is_emoji(point) then return true end
  end
  return false
end

-- Looks for "://" first: most texts have none, and that search is the fastest there is.
local function has_url(text)
  local at = find(text, "://", 1, true)
  while at do
    if find(text, "^[Hh][Tt][Tt][Pp]://%S", at - 4) or find(text, "^[Hh][Tt][Tt][Pp][Ss]://%S", at - 5) then
      return true
    end
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

---@type table<string, waba.Format>
formats.url = {
  says = "must be a URL that starts with http:// or https://",
  fits = function(text) return text:find("^[Hh][Tt][Tt][Pp][Ss]?://[^%s%c/?#][^%s%c]*$") ~= nil end,
  good = { "https://shop.example/t?a=1", "http://shop.example", "HTTPS://shop.example/" },
  bad = { "ftp://shop.example/a", "shop.example/a", "https://", "https:///a", "https://shop.example/a b" },
}

formats.template_name = {
  says = "may have lower-case letters, digits and _ only",
  fits = function(text) return find(text, "^[a-z0-9_]+$") ~= nil end,
  good = { "order_ready_v2", "2" },
  bad = { "Order", "order-ready", "order ready", "bestellung_\195\164" },
}

formats.date = {
  says = "must be a date such as 1980-04-02",
  fits = is_date,
  good = { "1980-04-02", "2000-02-29", "2024-12-31" },
  bad = { "1980-4-2", "02.04.1980", "1980-13-01", "1980-04-31", "1900-02-29", "1980-00-10", "1980-01-00" },
}

formats.currency_code = {
  says = "must be the three capital letters of ISO 4217, such as EUR",
  fits = function(text) return text:find("^%u%u%u$") ~= nil end,
  good = { "EUR", "USD" },
  bad = { "eur", "EURO", "\226\130\172", "EU" },
}

formats.country_code = {
  says = "must be two letters, such as de",
  fits = function(text) return text:find("^%a%a$") ~= nil end,
  good = { "de", "DE" },
  bad = { "d", "deu", "49" },
}

-- What a placeholder of a template can't take: the platform answers 2006 or 2007.
formats.parameter = {
  says = "must not have line breaks, tabs or five spaces in a row",
  fits = function(text)
    if find(text, "%c") and find(text, "[\n\r\t]") then return false end
    return #text < 5 or not find(text, "     ", 1, true)
  end,
  good = { "Eva", "a    b" },
  bad = { "a\nb", "a\tb", "a     b", "a\r\nb" },
}

formats.no_markup = {
  says = "must not have markup (*bold*, _italic_, ~struck~, ```mono```)",
  fits = function(text) return not has_markup(text) end,
  good = { "Yes", "snake_case_name", "2 * 3 * 4", "~ 5 km", "5*", "Ja \240\159\145\141" },
  bad = { "*Yes*", "so _nice_", "~no~", "```x```", "(*a b*)" },
}

formats.no_markup_or_emoji = {
  says = "must have neither markup nor emoji",
  fits = function(text) return not has_markup(text) and not has_emoji(text) end,
  good = { "Ausw\195\164hlen", "\233\129\184\230\138\158", "\226\130\172 5" },
  bad = { "*Slots*", "Go \240\159\145\141", "\226\173\144 Top", "1\239\184\143\226\131\163" },
}

formats.has_url = {
  says = "needs a link that starts with http:// or https:// in the body",
  fits = has_url,
  good = { "see https://shop.example/t", "http://a.example", "HTTP://a.example", "ftp://a or https://b" },
  bad = { "see shop.example", "https:// nothing", "://a", "tp://a.example", "ftp://a.example" },
}

return formats
