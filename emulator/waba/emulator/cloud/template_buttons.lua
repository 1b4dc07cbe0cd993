-- The buttons of a template that is created (cloud.md, sections 5.4 and 11.3).

local content = require "waba.emulator.cloud.content_rules"
local payment_rules = require "waba.emulator.cloud.payment_rules"
local walker = require "waba.emulator.cloud.walker"

local template_buttons = {}

local fault, absent = walker.fault, walker.absent

-- What a coupon's code may have, in characters.
local LONGEST_CODE = 15

-- Exactly one flow.
local function check_flow(button, path)
  local count = 0
  for _, name in ipairs({ "flow_id", "flow_name", "flow_json" }) do
    count = count + (absent(button[name]) and 0 or 1)
  end
  return count ~= 1 and fault(100, "%s: one of flow_id, flow_name and flow_json is required", path) or nil
end

local function check_url(button, path)
  local base, variables = button.url:gsub("{{%s*1%s*}}$", "")
  if base:find("{{", 1, true) then
    return fault(100, "%s.url: may have one variable {{1}}, at its end", path)
  elseif variables == 1 and absent(button.example) then
    return fault(100, "%s.example: the variable needs an example", path)
  elseif type(button.example) == "table" and #button.example ~= 1 then
    return fault(100, "%s.example: has %d elements, it takes one", path, #button.example)
  end
  return content.web_address(base, path .. ".url")
end

local function check_code(button, path)
  local example = button.example
  if type(example) == "table" then example = #example == 1 and example[1] or nil end
  if type(example) ~= "string" or example == "" then
    return fault(100, "%s.example: one code is required", path)
  elseif walker.characters(example) > LONGEST_CODE then
    return fault(100, "%s.example: has %d characters, at most %d are allowed", path, walker.characters(example),
      LONGEST_CODE)
  end
end

local function check_otp(button, path)
  -- the older form of supported_apps
  if absent(button.package_name) ~= absent(button.signature_hash) then
    return fault(100, "%s: package_name and signature_hash go together", path)
  end
  if button.otp_type == "ZERO_TAP" and button.zero_tap_terms_accepted ~= true then
    return fault(100, "%s.zero_tap_terms_accepted: must be true for ZERO_TAP", path)
  end
end

local TEXT = { "text", type = "string", required = true, min = 1, max = 25 }
local OPTIONAL_TEXT = { "text", type = "string", max = 25 }

-- By type: how many of them a template may have, their fields, and what else holds.
local BUTTONS = {
  QUICK_REPLY = { most = 10, fields = { TEXT } },
  URL = { most = 2, check = check_url, fields = { TEXT,
    { "url", type = "string", required = true, min = 1, max = 2000 }, { "example", type = "array|string" } } },
  PHONE_NUMBER = { most = 1, fields = { TEXT, { "phone_number", type = "string", required = true, max = 20,
    pattern = "^%+?[%d%s]+$", says = "a phone number" } } },
  COPY_CODE = { most = 1, check = check_code, fields = { OPTIONAL_TEXT,
    { "example", type = "string|array", required = true } } },
  FLOW = { most = 1, check = check_flow, fields = { TEXT, { "flow_id", type = "string|integer" },
    { "flow_name", type = "string" }, { "flow_json", type = "string" },
    { "flow_action", type = "string", values = { "navigate", "data_exchange" } },
    { "navigate_screen", type = "string" }, { "icon", type = "string" } } },
  CATALOG = { most = 1, fields = { OPTIONAL_TEXT } },
  MPM = { most = 1, fields = { OPTIONAL_TEXT } },
  SPM = { most = 1, fields = { OPTIONAL_TEXT } },
  OTP = { most = 1, check = check_otp, fields = { OPTIONAL_TEXT,
    { "otp_type", type = "string", required = true, values = { "COPY_CODE", "ONE_TAP", "ZERO_TAP" } },
    { "autofill_text", type = "string", max = 25 }, { "zero_tap_terms_accepted", type = "boolean" },
    { "package_name", type = "string", min = 1, max = 224 },
    { "signature_hash", type = "string", pattern = "^...........$", says = "11 characters" },
    { "supported_apps", type = "array", min = 1, max = 5, each = { type = "object", fields = {
      { "package_name", type = "string", required = true, max = 224 },
      { "signature_hash", type = "string", required = true, pattern = "^...........$", says = "11 characters" },
    } } } } },
  VOICE_CALL = { most = 1, fields = { TEXT, { "ttl_minutes", type = "integer", from = 1, to = 43200 } } },
  REQUEST_CONTACT_INFO = { most = 1, fields = { OPTIONAL_TEXT } },
  ORDER_DETAILS = { most = 1, fields = { OPTIONAL_TEXT } },
  PAYMENT_REQUEST = { most = 3, fields = { TEXT, payment_rules.request_setting } },
}

local function check_one(button, path, context)
  local kind = type(button) == "table" and type(button.type) == "string" and button.type:upper()
  local rule = kind and BUTTONS[kind]
  if not rule then return fault(100, "%s.type: unknown", path) end
  button.type = kind
  if type(button.otp_type) == "string" then button.otp_type = button.otp_type:upper() end
  return walker.walk(button, { type = "object", fields = rule.fields, extra = { type = true } }, path, context)
    or rule.check and rule.check(button, path)
end

-- Quick replies stand together, and so do the others.
local function check_groups(buttons, path)
  local changes = 0
  for i = 2, #buttons do
    if (buttons[i].type == "QUICK_REPLY") ~= (buttons[i - 1].type == "QUICK_REPLY") then
      changes = changes + 1
    end
  end
  return changes > 1 and fault(100, "%s: quick replies and other buttons must each stand together", path) or nil
end

--- Finds what is wrong with a component of buttons; upper-cases their types.
---@param component table
---@param path string
---@param context { card: boolean? }
---@return waba.emulator.Fault|nil
function template_buttons.check(component, path, context)
  local buttons, counts, most = component.buttons, {}, context.card and 2 or 10
  path = path .. ".buttons"
  if type(buttons) ~= "table" or #buttons < 1 or #buttons > most then
    return fault(100, "%s: must be a list of 1 to %d buttons", path, most)
  end
  for i, button in ipairs(buttons) do
    local found = check_one(button, ("%s[%d]"):format(path, i - 1), context)
    if found then return found end
    counts[button.type] = (counts[button.type] or 0) + 1
    if counts[button.type] > BUTTONS[button.type].most then
      return fault(100, "%s: at most %d of type %s are allowed", path, BUTTONS[button.type].most, button.type)
    end
  end
  return check_groups(buttons, path)
end

return template_buttons
