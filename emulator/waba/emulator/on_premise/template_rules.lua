-- The rules for creating a template (on-premise.md, section 9.4). 360dialog's gateway reports all errors at once,
-- unlike the WhatsApp client. waba/emulator/rules.lua describes the notation.

local message_rules = require "waba.emulator.message_rules"
local rules = require "waba.emulator.rules"
local template_store = require "waba.emulator.template_store"

local template_rules = {}

local absent = rules.absent
local required, text, object, list, choice = message_rules.constructors()

local checker = rules.new(nil, {}, {
  missing = "%s: this field is required", wrong_type = "%s: must be of type %s", empty = "%s: must not be empty",
  too_long = "%s: has %d characters, at most %d are allowed", format = "%s: %s", surplus = "%s: unknown field",
  one_of = "%s: must be another value than '%s': %s", variant = "%s: must be another value than '%s': %s",
  range = "%s: is %s, must be from %s to %s", count = "%s: has %d elements, %s are allowed",
})
local new_error = checker.new_error

-- Checks that the placeholders are numbered without a gap, and that there are not too many.
local function check_variables(content, most, path)
  local names, numbers = template_store.variables(content), {}
  for _, name in ipairs(names) do numbers[tonumber(name) or 0] = true end
  for i = 1, #names do
    if not numbers[i] then
      return new_error(nil, "%s.text: variables must be numbered {{1}}, {{2}} … without a gap", path)
    end
  end
  if #names > most then
    return new_error(nil, "%s.text: has %d variables, at most %d are allowed", path, #names, most)
  end
end

local function is_empty(value) return absent(value) or value == "" end

local function no_text(path) return new_error(nil, "%s.text: this field is required", path) end

local function check_header(component, path)
  if component.format ~= "TEXT" then
    return not absent(component.text) and new_error(nil, "%s.text: goes with the format TEXT only", path) or nil
  end
  if is_empty(component.text) then return no_text(path) end
  return check_variables(tostring(component.text), 1, path)
end

local function check_body(component, path, context)
  if not is_empty(component.text) then return check_variables(tostring(component.text), math.huge, path) end
  -- WhatsApp itself defines the text of an authentication template.
  return context.category ~= "AUTHENTICATION" and no_text(path) or nil
end

local function check_footer(component, path)
  return absent(component.code_expiration_minutes) and is_empty(component.text) and no_text(path) or nil
end

local function check_url(value, path)
  local base = value:gsub("{{%s*1%s*}}$", "")
  if base:find "{{" then return new_error(nil, "%s: may have one variable {{1}}, at its end", path) end
  return not rules.fits(base, "url") and new_error(nil, "%s: must be an http:// or https:// URL", path) or nil
end

local LABEL, EXAMPLE = required(text(1, 25)), { is = "object|list" }

local BUTTON = { is = "object", by = "type", variants = {
  QUICK_REPLY = { fields = { text = LABEL } },
  URL = { fields = { text = LABEL, example = EXAMPLE,
    url = { is = "string", required = true, characters = { 1, 2000 }, check = check_url } } },
  PHONE_NUMBER = { fields = { text = LABEL, phone_number = required(text(1, 20, "phone_number")) } },
  OTP = { fields = { otp_type = required(choice "COPY_CODE ONE_TAP ZERO_TAP"), text = text(0, 25),
    autofill_text = text(0, 25), package_name = text(0, 224), signature_hash = text(0, 11) } },
} }

local COMPONENT = { is = "object", by = "type", variants = {
  HEADER = { check = check_header, fields = { format = required(choice "TEXT IMAGE VIDEO DOCUMENT LOCATION"),
    text = text(0, 60), example = EXAMPLE } },
  BODY = { check = check_body, fields = { text = text(0, 1024), example = EXAMPLE,
    add_security_recommendation = { is = "boolean" } } },
  FOOTER = { check = check_footer, fields = { text = text(0, 60, "no_variable"),
    code_expiration_minutes = { is = "integer", range = { 1, 90 } } } },
  BUTTONS = { fields = { buttons = required(list(BUTTON, 1, 10)) } },
} }

local CATEGORIES = {}
for category in ([[AUTHENTICATION MARKETING UTILITY TRANSACTIONAL OTP ACCOUNT_UPDATE PAYMENT_UPDATE
  PERSONAL_FINANCE_UPDATE SHIPPING_UPDATE RESERVATION_UPDATE ISSUE_RESOLUTION APPOINTMENT_UPDATE
  TRANSPORTATION_UPDATE TICKET_UPDATE ALERT_UPDATE AUTO_REPLY]]):gmatch("%S+") do
  CATEGORIES[category] = true
end

local function check_category(value) return not CATEGORIES[value] and new_error(nil, "category: unknown") or nil end

local function check_name(value)
  return not rules.fits(value, "template_name")
    and new_error(nil, "name: only lower-case letters, digits and underscores are allowed") or nil
end

-- Checks that each component occurs once, and that there is a body.
local function check_components(components, path)
  local seen = {}
  for i, component in ipairs(components) do
    local kind = type(component) == "table" and component.type or i
    if seen[kind] then return new_error(nil, "%s[%d].type: there is a %s already", path, i - 1, kind) end
    seen[kind] = true
  end
  return not seen.BODY and new_error(nil, "components: a BODY is required") or nil
end

local TEMPLATE = object({
  name = { is = "string", required = true, characters = { 1, 512 }, check = check_name },
  language = required(text(1, 20, "language")),
  category = { is = "string", required = true, characters = { 1, 40 }, check = check_category },
  components = required(list(COMPONENT, 0, nil, { check = check_components })),
  allow_category_change = { is = "boolean" },
})

--- Finds all errors of a template that is to be created.
---@param template table
---@return string[]  sentences; empty if there is no error
function template_rules.errors(template) return checker:all(template, TEMPLATE, { category = template.category }) end

return template_rules
