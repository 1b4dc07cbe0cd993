-- Checks the values of the emulator's options for what their types do not express: ranges, patterns, and the names in
-- tables.

local files = require "waba.emulator.files"
local option = require "waba.option"

local option_values = {}

local function within(lowest, highest)
  return function(value) return value >= lowest and value <= highest end
end

local function matching(pattern)
  return function(value) return value:find(pattern) ~= nil end
end

local function is_pem_file(value)
  local text = files.read(value)
  return text ~= nil and text:find("-----BEGIN ", 1, true) ~= nil
end

local MOST = 1e300 -- excludes infinity, which JSON can't represent
local PORT = { within(0, 65535), "0 to 65535" }
local SECONDS = { within(0, MOST), "seconds of at least 0" }
local COUNT = { within(1, MOST), "an integer of at least 1" }
local SHARE = { within(0, 1), "a share from 0 to 1" }

-- For each option, a check that returns true for a valid value, and a description of valid values.
local RULES = {
  port = PORT, ui_port = PORT,
  number = { matching "^%d+$", "the digits of a phone number" },
  client_version = { matching "^v?%d+%.%d+%.?%d*$", "a version such as 2.53.1" },
  recipient_id = { function(value) return value == "message" or value == "top" or value == "both" end,
    '"message", "top" or "both"' },
  review = SECONDS, contact_check = SECONDS, timeout = SECONDS, backoff = SECONDS, max_backoff = SECONDS,
  give_up = SECONDS, concurrency = COUNT, batch = COUNT, max_media = COUNT, keep = COUNT,
  duplicates = SHARE, reorder = SHARE,
  url = { matching "^https?://[^/?#%s]+[^%s]*$", "an http or https URL" },
  ca_file = { is_pem_file, "a PEM file that can be read" },
}

--- Returns the expected value of an option in words; nil if the option has no check besides its type.
function option_values.expected(name) return RULES[name] and RULES[name][2] end

-- Returns a value as an error text shows it.
local function shown(value)
  return type(value) == "string" and ("%q"):format(value):gsub("\\\n", "\\n") or tostring(value)
end

-- Returns an error text if a table has other names than `known`, or values other than numbers of at least 0.
local function numbers_error(value, known)
  for name, number in pairs(value) do
    if not known[name] then return ("has the unknown name %s%s"):format(shown(name), option.suggestion(name, known)) end
    if type(number) ~= "number" or not (number >= 0 and number <= MOST) then
      return ("must have a number of at least 0 in %s, not %s"):format(name, shown(number))
    end
  end
end

local RATES = { messages = true, other = true, pair = true, media = true }
local RATE = { rate = true, burst = true }

local function rates_error(value)
  for name, rate in pairs(value) do
    if not RATES[name] then return ("has the unknown name %s%s"):format(shown(name), option.suggestion(name, RATES)) end
    local reason = type(rate) ~= "table" and "must be a table with rate and burst" or numbers_error(rate, RATE)
      or not rate.rate and "must have a rate"
    if reason then return ("has an invalid value in %s, which %s"):format(name, reason) end
  end
end

--- Returns an error text if a value is not a template in the form of the platform.
function option_values.template_error(template)
  if type(template) ~= "table" then return "a table with name, language and components is expected" end
  for _, name in ipairs({ "name", "language" }) do
    if type(template[name]) ~= "string" then return "the field " .. name .. " must be a text" end
  end
  if type(template.components or {}) ~= "table" then return "the field components must be a list" end
  for _, component in ipairs(template.components or {}) do
    if type(component) ~= "table" or type(component.type) ~= "string" then
      return "each component must be a table with a type"
    end
  end
end

local function templates_error(value)
  for i, template in ipairs(value) do
    local reason = option_values.template_error(template)
    if reason then return ("must be a list of templates: in template %d %s"):format(i, reason) end
  end
  if next(value) ~= nil and value[1] == nil then return "must be a list of templates, not a table with names" end
end

local TABLES = {
  statuses = function(value)
    return numbers_error(value, { sent = true, delivered = true, read = true, played = true })
  end,
  media_block = function(value) return numbers_error(value, { errors = true, within = true, seconds = true }) end,
  rate_limits = rates_error,
  templates = templates_error,
  numbers = function(value)
    if value[1] == nil then return "must be a list of numbers, such as { { number = \"4930555019\" } }" end
  end,
}

--- Returns nil for a valid value of an option, otherwise an error text such as "must be 0 to 65535, not 70000". The
--- type of the value must have been checked before.
function option_values.refuse(name, value)
  if type(value) == "table" then return TABLES[name] and TABLES[name](value) end
  if name == "api_key" then -- the error text does not show the key, which is a secret
    local valid = value:find("^%C+$") and value:find("%S")
    return not valid and "must be a text of one line that is not empty" or nil
  end
  local rule = type(value) ~= "boolean" and RULES[name]
  if rule and not rule[1](value) then return ("must be %s, not %s"):format(rule[2], shown(value)) end
end

return option_values
