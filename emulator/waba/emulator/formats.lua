-- The formats of strings that rules name, such as "url", and the counting of characters.

local formats = {}

--- Counts characters; the text must be UTF-8.
function formats.characters(text)
  local _, count = text:gsub("[^\128-\191]", "")
  return count
end

-- WhatsApp's markup: text between two equal signs, without spaces beside it, and outside of other words.
local function has_markup(text)
  if text:find "```" then return true end
  text = " " .. text .. " "
  for _, sign in ipairs({ "%*", "_", "~" }) do
    if text:find("[%s%p]" .. sign .. "[^%s" .. sign .. "][^" .. sign .. "\n]-" .. sign .. "[%s%p]")
      and text:find("[^%s]" .. sign .. "[%s%p]") then
      return true
    end
  end
  return false
end

-- Pictographs, and dingbats that phones show in colour.
local function has_emoji(text)
  return (text:find("\240\159[\128-\191][\128-\191]") or text:find("\226[\152-\158][\128-\191]")
    or text:find("\239\184\143")) ~= nil
end

--- The formats of strings. Each format has a pattern or a function, and the end of the error text.
formats.list = {
  url = { function(text) return text:find("^[hH][tT][tT][pP][sS]?://[^%s/]+") ~= nil and not text:find("%s") end,
    "must be an http:// or https:// URL" },
  email = { function(text) return text == "" or text:find("^[^%s@]+@[^%s@]+%.[^%s@]+$") ~= nil end,
    "must be an e-mail address" },
  phone_number = { "^%+?[%d%s]+$", "must be a phone number" },
  recipient = { "^%s*%+?[%s%d%(%)%.%-/]*%d[%s%d%(%)%.%-/]*$", "must be a phone number or WhatsApp ID" },
  user_id = { "^%u%u%.%w[%w.]*$", "must be a business-scoped user id" },
  media_id = { "^%d+$", "must be an id of uploaded media" },
  template_name = { "^[a-z0-9_]+$",
    "must be a name, in which only lower-case letters, digits and underscores are allowed" },
  parameter_name = { "^[a-z_][a-z0-9_]*$", "must be a name in lower case" },
  language = { "^%l%l%l?[_%w]*$", "must be a language code like de or pt_BR" },
  country = { "^%a%a$", "must be a country code of two letters" },
  upper_case = { "^%u*$", "must be in capital letters" },
  currency = { "^%u%u%u$", "must be a currency code of three capital letters" },
  date = { "^%d%d%d%d%-[01]%d%-[0-3]%d$", "must be a date written YYYY-MM-DD" },
  reference = { "^[%w_.-]+$", "must have letters, digits, _ . - only" },
  alphanumeric = { "^%w+$", "must have letters and digits only" },
  four_digits = { "^%d%d%d%d$", "must be four digits" },
  signature_hash = { "^...........$", "must have 11 characters" },
  one_line = { function(text) return not text:find("[\n\t]") and not text:find "     " end,
    "must not contain newlines, tabs or more than four spaces in a row" },
  no_controls = { "^%C*$", "must not contain control characters" },
  no_markup = { function(text) return not has_markup(text) end, "must not contain markup" },
  no_emoji = { function(text) return not has_emoji(text) end, "must not contain emojis" },
  no_variable = { function(text) return not text:find "{{" end, "must not have variables" },
  trimmed = { function(text) return not text:find("^%s") and not text:find("%s$") end,
    "must not begin or end with a space" },
}

--- Returns whether a text has a format.
function formats.fits(text, name)
  local fits = formats.list[name][1]
  if type(fits) == "string" then return text:find(fits) ~= nil end
  return fits(text)
end

return formats
