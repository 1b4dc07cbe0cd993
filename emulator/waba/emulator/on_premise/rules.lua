-- The rules of every On-Premise message type as data, written from the platform's reference
-- (on-premise.md, section 2). walker.lua applies them.
--
-- A rule: `type` ("string", "number|string", "array" …); `required`; for texts `min` (1: not empty),
-- `max` (characters), `pattern` with what it `says`, `values` (`either_case`: in lower or upper case); for numbers `from`, `to`; for arrays
-- `min`, `max`, `each`; for objects `fields`, each a rule with its name in front; `check` for what no
-- word here says. A fault has code 1008 (missing), 1009 (wrong) or 1010 (not required), unless the
-- rule names another: `missing`, `empty`, `too_long`, `wrong`, `wrong_count`, `wrong_type`.

local content_rules = require "waba.emulator.on_premise.content_rules"
local interactive = require "waba.emulator.on_premise.interactive_rules"
local walker = require "waba.emulator.on_premise.walker"

local fault, absent = walker.fault, walker.absent

local media_rule, header_media = content_rules.media_rule, content_rules.header_media
local CAPTION, FILENAME = content_rules.CAPTION, content_rules.FILENAME

local rules = { media = content_rules.media }

-- ---- Location, contacts ----------------------------------------------------------------------------

local function degrees(limit)
  return function(value, path)
    local number = tonumber(value)
    if not number or number < -limit or number > limit then
      return fault(1009, "Parameter '%s' must be a number from -%d to %d", path, limit, limit)
    end
  end
end

local location = { "location", type = "object", required = true, fields = {
  { "latitude", type = "number|string", required = true, check = degrees(90) },
  { "longitude", type = "number|string", required = true, check = degrees(180) },
  { "name", type = "string", max = 1000 },
  { "address", type = "string", max = 1000 },
} }

local HOME_OR_WORK = { "type", type = "string", values = { "HOME", "WORK" } }

local function some_name(value, path)
  for _, part in ipairs({ "first_name", "last_name", "middle_name", "prefix", "suffix" }) do
    if not absent(value[part]) then return nil end
  end
  return fault(1008, "Parameter '%s' needs at least one of first_name, last_name, middle_name, prefix, suffix", path)
end

local function optional_text(name) return { name, type = "string" } end

local contact = { type = "object", fields = {
  { "name", type = "object", required = true, check = some_name, fields = {
    { "formatted_name", type = "string", required = true, min = 1 },
    optional_text "first_name", optional_text "last_name", optional_text "middle_name",
    optional_text "prefix", optional_text "suffix",
  } },
  { "addresses", type = "array", each = { type = "object", fields = {
    optional_text "street", optional_text "city", optional_text "state", optional_text "zip",
    optional_text "country", HOME_OR_WORK,
    { "country_code", type = "string", pattern = "^%a%a$", says = "a country code of two letters" },
  } } },
  { "birthday", type = "string", pattern = "^%d%d%d%d%-[01]%d%-[0-3]%d$", says = "a date written YYYY-MM-DD" },
  { "emails", type = "array", each = { type = "object", fields = { optional_text "email", HOME_OR_WORK } } },
  { "ims", type = "array", each = { type = "object|string",
    fields = { optional_text "service", optional_text "user_id" } } },
  { "org", type = "object", fields = {
    optional_text "company", optional_text "department", optional_text "title" } },
  { "phones", type = "array", each = { type = "object", fields = {
    optional_text "phone", optional_text "wa_id",
    { "type", type = "string", values = { "CELL", "MAIN", "IPHONE", "HOME", "WORK" } },
  } } },
  { "urls", type = "array", each = { type = "object", fields = { optional_text "url", HOME_OR_WORK } } },
} }

-- ---- Templates -------------------------------------------------------------------------------------

local function white_space(value, path)
  if value:find("[\n\t]") or value:find("     ", 1, true) then
    return fault(2006, "Parameter '%s' must not contain newlines, tabs or more than four spaces in a row", path)
  elseif value:find("%c") then
    return fault(2007, "Parameter '%s' must not contain control characters", path)
  end
end

local language = { "language", type = "object", required = true, fields = {
  { "policy", type = "string", required = true, values = { "deterministic" } },
  { "code", type = "string", required = true, pattern = "^%l%l%l?_?%w*$", says = "a language code like de or pt_BR" },
} }

local FALLBACK = { "fallback_value", type = "string", required = true, min = 1 }
local ISO_4217 = { pattern = "^%u%u%u$", says = "a currency code of three capital letters" }
local AMOUNT = { "amount_1000", type = "integer", required = true }

local function currency_code(name)
  return { name, type = "string", pattern = ISO_4217.pattern, says = ISO_4217.says }
end

-- The template form writes `code`, the legacy form `currency_code`; both are taken.
local function one_currency_code(value, path)
  if absent(value.code) and absent(value.currency_code) then
    return fault(1008, "Parameter '%s.code' is mandatory", path)
  end
end

local DAYS = { "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY" }

local function day_of_week(value, path)
  local number = tonumber(value)
  if number and number % 1 == 0 and number >= 1 and number <= 7 then return nil end
  for _, day in ipairs(DAYS) do
    if value == day then return nil end
  end
  return fault(1009, "Parameter '%s' must be 1 to 7, or MONDAY to SUNDAY", path)
end

local function date_fields()
  return {
    { "day_of_week", type = "integer|string", check = day_of_week },
    { "year", type = "integer" },
    { "month", type = "integer", from = 1, to = 12 },
    { "day_of_month", type = "integer", from = 1, to = 31 },
    { "hour", type = "integer", from = 0, to = 23 },
    { "minute", type = "integer", from = 0, to = 59 },
    { "calendar", type = "string", values = { "GREGORIAN", "SOLAR_HIJRI" } },
  }
end

local TIMESTAMP = { "timestamp", type = "integer", from = 0, to = 253402300799 }
local nested_date = { "component", type = "object", fields = date_fields() }
local epoch = { "unix_epoch", type = "object", fields = { { "timestamp", type = "integer", required = true } } }

local function template_date_fields()
  local fields = date_fields()
  table.insert(fields, 1, FALLBACK)
  fields[#fields + 1] = TIMESTAMP
  fields[#fields + 1] = nested_date
  fields[#fields + 1] = epoch
  return fields
end

-- What a parameter's type makes mandatory.
local COMPANION = {
  text = "text", currency = "currency", date_time = "date_time", image = "image", video = "video",
  document = "document", payload = "payload",
}

local function parameter_companion(value, path)
  local companion = COMPANION[value.type]
  for _, name in pairs(COMPANION) do
    if name == companion and absent(value[name]) then
      return fault(1008, "Parameter '%s.%s' is mandatory for a parameter of type '%s'", path, name, value.type)
    elseif name ~= companion and not absent(value[name]) then
      return fault(1010, "Parameter '%s.%s' is not required for a parameter of type '%s'", path, name, value.type)
    end
  end
end

local parameter = { type = "object", check = parameter_companion, fields = {
  { "type", type = "string", required = true,
    values = { "text", "currency", "date_time", "image", "video", "document", "payload" } },
  { "text", type = "string", min = 1, empty = 1008, check = white_space },
  { "currency", type = "object", check = one_currency_code,
    fields = { FALLBACK, currency_code "code", currency_code "currency_code", AMOUNT } },
  { "date_time", type = "object", fields = template_date_fields() },
  header_media "image", header_media "video", header_media "document",
  { "payload", type = "string", min = 1, max = 128 },
} }

-- Which parameters stand in which component.
local PLACES = {
  header = { text = true, image = true, video = true, document = true },
  body = { text = true, currency = true, date_time = true },
  quick_reply = { payload = true },
  url = { text = true },
  copy_code = { text = true },
}

local function component_place(value, path)
  local place = value.type
  if place == "button" then
    if absent(value.sub_type) then
      return fault(1008, "Parameter '%s.sub_type' is mandatory for a button", path)
    elseif absent(value.index) then
      return fault(1008, "Parameter '%s.index' is mandatory for a button", path)
    end
    place = value.sub_type
  elseif not absent(value.sub_type) or not absent(value.index) then
    return fault(1010, "Parameter '%s.%s' is not required: it is a button's", path,
      absent(value.sub_type) and "index" or "sub_type")
  end
  local parameters = absent(value.parameters) and {} or value.parameters
  if place ~= "body" and #parameters > 1 then
    return fault(2000, "Parameter '%s.parameters' has %d elements, a %s takes one", path, #parameters, value.type)
  end
  for i, one in ipairs(parameters) do
    if not PLACES[place][one.type] then
      return fault(2012, "Parameter '%s.parameters[%d]' is of type '%s', which a %s does not take",
        path, i - 1, one.type, place)
    end
  end
end

local function button_index(value, path)
  local number = tonumber(value)
  if not number or number % 1 ~= 0 or number < 0 or number > 9 then
    return fault(1009, "Parameter '%s' must be the position of a button, 0 to 9", path)
  end
end

local component = { type = "object", check = component_place, fields = {
  { "type", type = "string", required = true, values = { "header", "body", "button" } },
  { "sub_type", type = "string", values = { "quick_reply", "url", "copy_code" } },
  { "index", type = "integer|string", check = button_index },
  { "parameters", type = "array", each = parameter },
} }

-- Each component once; each button once.
local function once_each(value, path)
  local seen = {}
  for i, one in ipairs(value) do
    local key = one.type == "button" and "button " .. tonumber(one.index) or one.type
    if seen[key] then return fault(1009, "Parameter '%s[%d]' repeats the %s", path, i - 1, key) end
    seen[key] = true
  end
end

local template = { "template", type = "object", required = true, fields = {
  { "namespace", type = "string", min = 1, empty = 2014 },
  { "name", type = "string", required = true, min = 1, max = 512, pattern = "^[a-z0-9_]+$",
    says = "a name of lower-case letters, digits and underscores" },
  language,
  { "components", type = "array", each = component, check = once_each },
} }

local hsm = { "hsm", type = "object", required = true, fields = {
  { "namespace", type = "string", required = true, min = 1, empty = 2014 },
  { "element_name", type = "string", required = true, min = 1, max = 512, pattern = "^[a-z0-9_]+$",
    says = "a name of lower-case letters, digits and underscores" },
  language,
  { "localizable_params", type = "array", required = true, each = { type = "object", fields = {
    { "default", type = "string", required = true, min = 1, check = white_space },
    { "currency", type = "object", check = one_currency_code,
      fields = { currency_code "currency_code", currency_code "code", AMOUNT } },
    { "date_time", type = "object", fields = { nested_date, epoch } },
  } } },
} }

-- ---- Every type ------------------------------------------------------------------------------------

--- The rule of each type's own object.
---@type table<string, table>
rules.content = {
  text = { "text", type = "object", required = true, fields = {
    { "body", type = "string", required = true, min = 1, max = 4096, too_long = 1001 },
  } },
  image = media_rule("image", CAPTION),
  audio = media_rule("audio"),
  video = media_rule("video", CAPTION),
  document = media_rule("document", CAPTION, FILENAME),
  sticker = media_rule("sticker"),
  location = location,
  contacts = { "contacts", type = "array", required = true, min = 1, each = contact },
  template = template,
  hsm = hsm,
  interactive = interactive,
}

--- The names of the types, in the order of the reference.
rules.types = { "text", "image", "audio", "video", "document", "sticker", "location", "contacts", "template",
  "interactive", "hsm" }

local function preview_url(_, path, context)
  if context.type ~= "text" then
    return fault(1010, "Parameter '%s' is not required for type '%s'", path, context.type)
  end
end

--- The rule of the frame around it.
rules.envelope = { type = "object", fields = {
  { "to", type = "string", required = true, min = 1, max = 20,
    pattern = "^%s*%+?[%s%d%(%)%.%-/]*%d[%s%d%(%)%.%-/]*$", says = "a phone number or WhatsApp ID" },
  { "recipient_type", type = "string", values = { "individual" }, wrong = 1002, wrong_type = 1002 },
  { "type", type = "string", values = rules.types },
  { "preview_url", type = "boolean", check = preview_url },
}, extra = {}, refuses = {
  messaging_product = "it belongs to the Cloud API",
  context = "quoted replies belong to the Cloud API",
  biz_opaque_callback_data = "it belongs to the Cloud API",
  ttl = "it is obsolete",
} }

--- Rules of a type that are about the frame and the content together.
---@param message table
---@return waba.emulator.Fault|nil
function rules.check_together(message)
  if message.preview_url == true and not message.text.body:find("[hH][tT][tT][pP][sS]?://%S") then
    return fault(1009, "Parameter 'preview_url' needs an http:// or https:// URL in 'text.body'")
  end
end

return rules
