-- The rules for creating a template (on-premise.md, section 9.4), as data, with every fault found at once:
-- this is how 360dialog answers, unlike the WhatsApp client.

local walker = require "waba.emulator.on_premise.walker"

local template_rules = {}

local absent = walker.absent

-- name: type, most characters, mandatory
local BUTTON_FIELDS = {
  QUICK_REPLY = { text = { "string", 25, true } },
  URL = { text = { "string", 25, true }, url = { "string", 2000, true }, example = { "table" } },
  PHONE_NUMBER = { text = { "string", 25, true }, phone_number = { "string", 20, true } },
  OTP = { otp_type = { "string", 20, true }, text = { "string", 25 }, autofill_text = { "string", 25 },
    package_name = { "string", 224 }, signature_hash = { "string", 11 } },
}

local OTP_TYPES = { COPY_CODE = true, ONE_TAP = true, ZERO_TAP = true }

local COMPONENT_FIELDS = {
  HEADER = { format = { "string", 20, true }, text = { "string", 60 }, example = { "table" } },
  BODY = { text = { "string", 1024 }, example = { "table" }, add_security_recommendation = { "boolean" } },
  FOOTER = { text = { "string", 60 }, code_expiration_minutes = { "number" } },
  BUTTONS = { buttons = { "table", nil, true } },
}

local FORMATS = { TEXT = true, IMAGE = true, VIDEO = true, DOCUMENT = true, LOCATION = true }

local CATEGORIES = {}
for category in ([[AUTHENTICATION MARKETING UTILITY TRANSACTIONAL OTP ACCOUNT_UPDATE PAYMENT_UPDATE
  PERSONAL_FINANCE_UPDATE SHIPPING_UPDATE RESERVATION_UPDATE ISSUE_RESOLUTION APPOINTMENT_UPDATE
  TRANSPORTATION_UPDATE TICKET_UPDATE ALERT_UPDATE AUTO_REPLY]]):gmatch("%S+") do
  CATEGORIES[category] = true
end

local TOP_FIELDS = {
  name = { "string", 512, true }, language = { "string", 20, true }, category = { "string", 40, true },
  components = { "table", nil, true }, allow_category_change = { "boolean" },
}

-- ---- Collecting faults -----------------------------------------------------------------------------

local function add(found, text, ...)
  found[#found + 1] = text:format(...)
end

local function check_fields(found, value, fields, path)
  for name, rule in pairs(fields) do
    local content = value[name]
    if absent(content) then
      if rule[3] then add(found, "%s%s: this field is required", path, name) end
    elseif type(content) ~= rule[1] then
      add(found, "%s%s: must be a %s", path, name, rule[1] == "table" and "list or object" or rule[1])
    elseif rule[2] and walker.characters(content) > rule[2] then
      add(found, "%s%s: has %d characters, at most %d are allowed", path, name, walker.characters(content), rule[2])
    elseif rule[1] == "string" and rule[3] and content == "" then
      add(found, "%s%s: must not be empty", path, name)
    end
  end
  for name in pairs(value) do
    if not fields[name] and name ~= "type" then
      add(found, "%s%s: unknown field", path, tostring(name))
    end
  end
end

--- Counts the placeholders {{1}} … {{n}} of a text.
---@param text string|nil
---@return integer count
---@return boolean gapless  they are numbered from 1 without a gap
function template_rules.placeholders(text)
  local numbers, highest, count = {}, 0, 0
  for digits in (text or ""):gmatch("{{%s*(%d+)%s*}}") do
    local number = tonumber(digits)
    if not numbers[number] then
      numbers[number] = true
      count = count + 1
    end
    highest = math.max(highest, number)
  end
  return count, highest == count
end

local function check_placeholders(found, text, most, path)
  local count, gapless = template_rules.placeholders(text)
  if not gapless then
    add(found, "%stext: variables must be numbered {{1}}, {{2}} … without a gap", path)
  elseif count > most then
    add(found, "%stext: has %d variables, at most %d are allowed", path, count, most)
  end
end

-- ---- Components ------------------------------------------------------------------------------------

local function check_header(found, component, path)
  if type(component.format) == "string" and not FORMATS[component.format] then
    add(found, "%sformat: must be TEXT, IMAGE, VIDEO, DOCUMENT or LOCATION", path)
  elseif component.format == "TEXT" then
    if type(component.text) ~= "string" or component.text == "" then
      add(found, "%stext: this field is required", path)
    else
      check_placeholders(found, component.text, 1, path)
    end
  elseif not absent(component.text) then
    add(found, "%stext: goes with the format TEXT only", path)
  end
end

local function check_body(found, component, path, category)
  if type(component.text) ~= "string" or component.text == "" then
    -- The text of an authentication template is WhatsApp's own.
    if category ~= "AUTHENTICATION" then add(found, "%stext: this field is required", path) end
  else
    check_placeholders(found, component.text, math.huge, path)
  end
end

local function check_footer(found, component, path)
  local minutes = component.code_expiration_minutes
  if absent(minutes) then
    if type(component.text) ~= "string" or component.text == "" then
      add(found, "%stext: this field is required", path)
    elseif component.text:find("{{", 1, true) then
      add(found, "%stext: must not have variables", path)
    end
  elseif type(minutes) == "number" and (minutes % 1 ~= 0 or minutes < 1 or minutes > 90) then
    add(found, "%scode_expiration_minutes: must be 1 to 90", path)
  end
end

local function check_button(found, button, path)
  local fields = BUTTON_FIELDS[button.type]
  if not fields then
    add(found, "%stype: must be QUICK_REPLY, URL, PHONE_NUMBER or OTP", path)
    return
  end
  check_fields(found, button, fields, path)
  if button.type == "URL" and type(button.url) == "string" then
    local base = button.url:gsub("{{%s*1%s*}}$", "")
    if base:find("{{", 1, true) then
      add(found, "%surl: may have one variable {{1}}, at its end", path)
    elseif not base:find("^[hH][tT][tT][pP][sS]?://%S+$") then
      add(found, "%surl: must be an http:// or https:// URL", path)
    end
  elseif button.type == "OTP" and type(button.otp_type) == "string" and not OTP_TYPES[button.otp_type] then
    add(found, "%sotp_type: must be COPY_CODE, ONE_TAP or ZERO_TAP", path)
  elseif button.type == "PHONE_NUMBER" and type(button.phone_number) == "string"
    and not button.phone_number:find("^%+?[%d%s]+$") then
    add(found, "%sphone_number: must be a phone number", path)
  end
end

local function check_buttons(found, component, path)
  local buttons = component.buttons
  if type(buttons) ~= "table" then
    return
  elseif #buttons < 1 or #buttons > 10 then
    add(found, "%sbuttons: has %d elements, 1 to 10 are allowed", path, #buttons)
  end
  for i, button in ipairs(buttons) do
    local place = ("%sbuttons[%d]."):format(path, i - 1)
    if type(button) ~= "table" then
      add(found, "%s: must be an object", place:sub(1, -2))
    else
      check_button(found, button, place)
    end
  end
end

local CHECKS = { HEADER = check_header, BODY = check_body, FOOTER = check_footer, BUTTONS = check_buttons }

local function check_components(found, components, category)
  local seen = {}
  for i, component in ipairs(components) do
    local path = ("components[%d]."):format(i - 1)
    local kind = type(component) == "table" and component.type or nil
    if not CHECKS[kind] then
      add(found, "%stype: must be HEADER, BODY, FOOTER or BUTTONS", path)
    else
      if seen[kind] then add(found, "%stype: there is a %s already", path, kind) end
      seen[kind] = true
      check_fields(found, component, COMPONENT_FIELDS[kind], path)
      CHECKS[kind](found, component, path, category)
    end
  end
  if not seen.BODY then add(found, "components: a BODY is required") end
end

--- Finds everything that is wrong with a template to be created.
---@param template table
---@return string[]  sentences; empty when nothing is wrong
function template_rules.problems(template)
  local found = {}
  check_fields(found, template, TOP_FIELDS, "")
  if type(template.name) == "string" and template.name ~= "" and not template.name:find("^[a-z0-9_]+$") then
    add(found, "name: only lower-case letters, digits and underscores are allowed")
  end
  if type(template.language) == "string" and template.language ~= ""
    and not template.language:find("^%l%l%l?_?%u?%u?%w*$") then
    add(found, "language: must be a language code like de or pt_BR")
  end
  if type(template.category) == "string" and template.category ~= "" and not CATEGORIES[template.category] then
    add(found, "category: unknown")
  end
  if type(template.components) == "table" then
    check_components(found, template.components, template.category)
  end
  table.sort(found)
  return found
end

return template_rules
