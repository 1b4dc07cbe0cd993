-- The parts of a template that is created (cloud.md, sections 5.4, 5.5 and 11.3): its buttons, its texts with
-- placeholders, the examples that reviewers see, and components from templates of Meta's library.

local common = require "waba.emulator.cloud.common_rules"
local message_rules = require "waba.emulator.message_rules"
local rules = require "waba.emulator.rules"
local template_store = require "waba.emulator.template_store"

local template_parts = {}

local required, text, object, list, choice, some_text, any_text = message_rules.constructors()

template_parts.checker = rules.new(common.checker.codes, common.checker.usual, {
  variant = "%s: unknown: '%s', it must be one of: %s",
})
local new_error = template_parts.checker.new_error

function template_parts.invalid(...) return new_error("invalid_parameter", ...) end
local invalid = template_parts.invalid

local function check_url(button, path)
  local base, variables = button.url:gsub("{{%s*1%s*}}$", "")
  if base:find "{{" then
    return invalid("%s.url: may have one variable {{1}}, at its end", path)
  elseif variables == 1 and button.example == nil then
    return invalid("%s.example: the variable needs an example", path)
  elseif type(button.example) == "table" and #button.example ~= 1 then
    return invalid("%s.example: has %d elements: expected one", path, #button.example)
  end
  return not message_rules.fits(base, "url")
    and new_error("parameter_invalid", "%s.url must be an http:// or https:// URL", path) or nil
end

local function check_code(button, path)
  local example = button.example
  if type(example) == "table" then example = #example == 1 and example[1] or nil end
  if type(example) ~= "string" or example == "" then
    return invalid("%s.example: one code is required", path)
  elseif message_rules.characters(example) > 15 then
    return invalid("%s.example: has %d characters, at most 15 are allowed", path, message_rules.characters(example))
  end
end

local function check_otp(button, path)
  return button.otp_type == "ZERO_TAP" and button.zero_tap_terms_accepted ~= true
    and invalid("%s.zero_tap_terms_accepted: must be true for ZERO_TAP", path) or nil
end

local LABEL, OPTIONAL_LABEL = required(text(1, 25)), text(0, 25)
local HASH = text(0, nil, "signature_hash")

-- The largest number of buttons of a type in a template.
local MOST = { QUICK_REPLY = 10, URL = 2, PAYMENT_REQUEST = 3 }

local BUTTON = { is = "object", required = true, by = "type", variants = {
  QUICK_REPLY = { fields = { text = LABEL } },
  URL = { check = check_url,
    fields = { text = LABEL, url = required(text(1, 2000)), example = { is = "list|string" } } },
  PHONE_NUMBER = { fields = { text = LABEL, phone_number = required(text(0, 20, "phone_number")) } },
  COPY_CODE = { check = check_code,
    fields = { text = OPTIONAL_LABEL, example = { is = "string|list", required = true } } },
  FLOW = { exactly_one = { "flow_id", "flow_name", "flow_json" }, fields = { text = LABEL, flow_name = any_text,
    flow_json = any_text, flow_id = { is = "string|integer" }, flow_action = choice "navigate data_exchange",
    navigate_screen = any_text, icon = any_text } },
  -- package_name and signature_hash are the older form of the field supported_apps
  OTP = { check = check_otp, only_with = { package_name = "signature_hash", signature_hash = "package_name" },
    fields = { text = OPTIONAL_LABEL, otp_type = required(choice "COPY_CODE ONE_TAP ZERO_TAP"),
      autofill_text = text(0, 25), zero_tap_terms_accepted = { is = "boolean" }, package_name = text(1, 224),
      signature_hash = HASH, supported_apps = list(object({ package_name = required(text(0, 224)),
        signature_hash = required(HASH) }), 1, 5) } },
  VOICE_CALL = { fields = { text = LABEL, ttl_minutes = { is = "integer", range = { 1, 43200 } } } },
  PAYMENT_REQUEST = { fields = { text = LABEL, payment_setting = common.payment_request } },
} }
for name in ("CATALOG MPM SPM REQUEST_CONTACT_INFO ORDER_DETAILS"):gmatch("%S+") do
  BUTTON.variants[name] = { fields = { text = OPTIONAL_LABEL } }
end

-- Checks that all quick replies are adjacent, and that all other buttons are adjacent.
local function check_groups(buttons, path)
  local changes = 0
  for i = 2, #buttons do
    local differ = (buttons[i].type == "QUICK_REPLY") ~= (buttons[i - 1].type == "QUICK_REPLY")
    changes = changes + (differ and 1 or 0)
  end
  if changes <= 1 then return nil end
  return invalid("%s: quick replies must follow one another: expected all other buttons before or after them", path)
end

--- Checks a component with buttons; `context.card` is true for the buttons of a card.
function template_parts.check_buttons(component, path, context)
  local buttons, counts, most = component.buttons, {}, context.card and 2 or 10
  path = path .. ".buttons"
  if type(buttons) ~= "table" or #buttons < 1 or #buttons > most then
    return invalid("%s: must be a list of 1 to %d buttons", path, most)
  end
  for i, button in ipairs(buttons) do
    local found = template_parts.checker:first(button, BUTTON, ("%s[%d]"):format(path, i - 1), context)
    if found then return found end
    local kind, limit = button.type, MOST[button.type] or 1
    counts[kind] = (counts[kind] or 0) + 1
    if counts[kind] > limit then return invalid("%s: at most %d of type %s are allowed", path, limit, kind) end
  end
  return check_groups(buttons, path)
end

-- Texts -------------------------------------------------------------------------------------------

local function check_names(variables, path, named)
  for _, name in ipairs(named and variables or {}) do
    if not name:find("^[a-z_]+$") then
      return invalid("%s: the variable %s must be a name in lower case, of letters and _", path, name)
    end
  end
  return not named and not template_store.are_numbered(variables)
    and invalid("%s: variables must be numbered {{1}}, {{2}} … with no gap", path) or nil
end

local EXAMPLES = { header_text = list(some_text), body_text = list(list(some_text), 0, 1) }
local NAMED_EXAMPLES = list(object({ param_name = required(some_text), example = required(some_text) }))

local function check_examples(examples, path, kind, variables, named)
  local wanted = {}
  for _, name in ipairs(variables) do wanted[name] = true end
  local found = common.checker:first(examples, named and NAMED_EXAMPLES or EXAMPLES[kind], path)
  if found then return found end
  examples = examples == nil and {} or not named and kind == "body_text" and examples[1] or examples
  for i, one in ipairs(named and examples or {}) do
    if not wanted[one.param_name] then
      return invalid("%s[%d].param_name: is not a variable of the text, or has an example already", path, i - 1)
    end
    wanted[one.param_name] = nil
  end
  if #examples == #variables then return nil end
  return invalid("%s: has %d elements, the text has %d variables: each needs one example", path, #examples, #variables)
end

--- Checks the placeholders in the text of a component: at most `most` placeholders, each with an example. `kind` is the
--- name of the field with the examples; `named` is true if the placeholders have names.
function template_parts.check_variables(component, path, kind, most, named)
  local variables = template_store.variables(component.text)
  local found = check_names(variables, path .. ".text", named)
  if found then return found end
  if #variables > most then
    return invalid("%s.text: has %d variables, at most %d are allowed", path, #variables, most)
  end
  local field = named and kind .. "_named_params" or kind
  local examples = component.example ~= nil and component.example[field] or nil
  return check_examples(examples, ("%s.example.%s"):format(path, field), kind, variables, named)
end

--- Returns an error if a placeholder is at the beginning or the end of a text, or beside another placeholder.
function template_parts.check_place(content, path)
  local trimmed = content:gsub("^%s+", ""):gsub("%s+$", "")
  if trimmed:find("^{{") or trimmed:find("}}$") then
    return invalid("%s: variables must not stand at the beginning or the end", path)
  end
  if trimmed:find("}}%s*{{") then return invalid("%s: variables must not be adjacent", path) end
end

-- Meta's library (cloud.md, section 5.5) ----------------------------------------------------------

local LIBRARY = {
  { id = "7147013345418927", name = "delivery_update_1", language = "en_US", category = "UTILITY",
    topic = "ORDER_MANAGEMENT", usecase = "DELIVERY_UPDATE", industry = { "E_COMMERCE" },
    body = "Your order {{1}} is on its way and will arrive on {{2}}.", body_params = { "118", "Friday" },
    body_param_types = { "TEXT", "DATE" }, buttons = { { type = "URL", text = "Track order" } } },
  { id = "7147013345418928", name = "delivery_update_1", language = "de", category = "UTILITY",
    topic = "ORDER_MANAGEMENT", usecase = "DELIVERY_UPDATE", industry = { "E_COMMERCE" },
    body = "Ihre Bestellung {{1}} ist unterwegs und kommt am {{2}} an.", body_params = { "118", "Freitag" },
    body_param_types = { "TEXT", "DATE" }, buttons = { { type = "URL", text = "Verfolgen" } } },
  { id = "7147013345418929", name = "payment_overdue_1", language = "en_US", category = "UTILITY",
    topic = "PAYMENTS", usecase = "PAYMENT_OVERDUE", industry = { "FINANCIAL_SERVICES" }, header = "Payment overdue",
    body = "Your payment of {{1}} is overdue since {{2}}, please settle it soon.",
    body_params = { "49.90 EUR", "1 May" }, body_param_types = { "AMOUNT", "DATE" },
    buttons = { { type = "URL", text = "Pay now" }, { type = "PHONE_NUMBER", text = "Call us" } } },
  { id = "7147013345418930", name = "account_creation_1", language = "en_US", category = "UTILITY",
    topic = "ACCOUNT_UPDATE", usecase = "ACCOUNT_CREATION_CONFIRMATION", industry = { "E_COMMERCE",
      "FINANCIAL_SERVICES" }, header = "Your account is ready",
    body = "Hello {{1}}, your new account has been created, enjoy it.", body_params = { "Ida" },
    body_param_types = { "TEXT" } },
}

--- Returns the library templates that match a query. The query may have search, topic, usecase, industry, language and
-- name.
function template_parts.list_library(query)
  local found = {}
  for _, entry in ipairs(LIBRARY) do
    local fits = not query.search
      or (entry.name .. " " .. entry.body):lower():find(query.search:lower(), 1, true) ~= nil
    for _, name in ipairs({ "topic", "usecase", "language", "name" }) do
      fits = fits and (not query[name] or entry[name] == query[name])
    end
    local industries = " " .. table.concat(entry.industry, " ") .. " "
    fits = fits and (not query.industry or industries:find(" " .. query.industry .. " ", 1, true) ~= nil)
    if fits then found[#found + 1] = entry end
  end
  return found
end

-- The fields that an account may set in the buttons of a library template, by button type.
local INPUT = { is = "object", required = true, by = "type", variants = {
  URL = { fields = { url = required(object({ base_url = required(text(1, 2000, "url")),
    url_suffix_example = text(0, nil, "url") })) } },
  PHONE_NUMBER = { fields = { phone_number = required(text(1, 20)) } },
  QUICK_REPLY = { fields = {} },
  OTP = { fields = { otp_type = required(choice "COPY_CODE ONE_TAP ZERO_TAP"), text = text(0, 25),
    autofill_text = text(0, 25), zero_tap_terms_accepted = { is = "boolean" },
    supported_apps = { is = "list", count = { 1, 5 } } } },
} }

local function complete_button(button, input)
  if button.type == "URL" then
    return { type = "URL", text = button.text, url = input.url.base_url, example = { input.url.url_suffix_example } }
  end
  return { type = button.type, text = button.text, phone_number = input.phone_number }
end

local function buttons_of(entry, inputs)
  local buttons = {}
  for i, input in ipairs(inputs) do
    local found = template_parts.checker:first(input, INPUT, ("library_template_button_inputs[%d]"):format(i - 1))
    if found then return nil, found end
  end
  for i, button in ipairs(entry.buttons or {}) do
    local input = inputs[i]
    if not input or input.type ~= button.type then
      return nil, invalid("library_template_button_inputs[%d]: an input for the button %s is required", i - 1,
        button.type)
    end
    buttons[i] = complete_button(button, input)
  end
  return buttons
end

--- Returns the components of a template that an account creates from the library; or nil and an error. `body` is the
--- body of POST /message_templates.
function template_parts.library_components(body)
  local entry = template_parts.list_library({ name = body.library_template_name, language = body.language })[1]
  if not entry then
    return nil, invalid("library_template_name: there is no template %s in %s", body.library_template_name,
      body.language)
  end
  local inputs = body.library_template_button_inputs or {}
  local buttons, reason = buttons_of(entry, inputs)
  if not buttons then return nil, reason end
  local components = { { type = "BODY", text = entry.body, example = { body_text = { entry.body_params } } } }
  if entry.header then
    table.insert(components, 1, { type = "HEADER", format = "TEXT", text = entry.header })
  end
  if #buttons > 0 then components[#components + 1] = { type = "BUTTONS", buttons = buttons } end
  return components
end

return template_parts
