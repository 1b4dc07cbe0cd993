-- Templates of Meta's library (cloud.md, section 5.5): a few of them, in two languages, and what is
-- made of one for an account.

local content = require "waba.emulator.cloud.content_rules"
local walker = require "waba.emulator.cloud.walker"

local template_library = {}

local fault, absent = walker.fault, walker.absent

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

local function has(value, wanted)
  if type(value) ~= "table" then return value == wanted end
  for _, one in ipairs(value) do
    if one == wanted then return true end
  end
  return false
end

--- The templates of the library that a query asks for.
---@param query table<string, string>  search, topic, usecase, industry, language, name
---@return table[]
function template_library.list(query)
  local found = {}
  for _, entry in ipairs(LIBRARY) do
    local fits = not query.search
      or (entry.name .. " " .. entry.body):lower():find(query.search:lower(), 1, true) ~= nil
    for _, name in ipairs({ "topic", "usecase", "industry", "language", "name" }) do
      fits = fits and (not query[name] or has(entry[name], query[name]))
    end
    if fits then found[#found + 1] = entry end
  end
  return found
end

-- What an account may put into the buttons of a template, by their type.
local INPUTS = {
  URL = { { "url", type = "object", required = true, fields = {
    { "base_url", type = "string", required = true, min = 1, max = 2000, check = content.web_address },
    { "url_suffix_example", type = "string", check = content.web_address } } } },
  PHONE_NUMBER = { { "phone_number", type = "string", required = true, min = 1, max = 20 } },
  QUICK_REPLY = {},
  OTP = { { "otp_type", type = "string", required = true, values = { "COPY_CODE", "ONE_TAP", "ZERO_TAP" } },
    { "text", type = "string", max = 25 }, { "autofill_text", type = "string", max = 25 },
    { "zero_tap_terms_accepted", type = "boolean" }, { "supported_apps", type = "array", min = 1, max = 5 } },
}

local function check_input(input, path)
  local fields = type(input) == "table" and INPUTS[input.type]
  if not fields then
    return fault(100, "%s.type: must be one of URL, PHONE_NUMBER, QUICK_REPLY, OTP", path)
  end
  return walker.walk(input, { type = "object", fields = fields, extra = { type = true } }, path, {})
end

-- A button of the library with what the account puts into it.
local function complete_button(button, input)
  if button.type == "URL" then
    return { type = "URL", text = button.text, url = input.url.base_url, example = { input.url.url_suffix_example } }
  end
  return { type = button.type, text = button.text, phone_number = input.phone_number }
end

local function is_input(input, button) return input ~= nil and input.type == button.type end

local function buttons_of(entry, inputs)
  local buttons = {}
  for i, input in ipairs(inputs) do
    local found = check_input(input, ("library_template_button_inputs[%d]"):format(i - 1))
    if found then return nil, found end
  end
  for i, button in ipairs(entry.buttons or {}) do
    local input = inputs[i]
    if not is_input(input, button) then
      return nil, fault(100, "library_template_button_inputs[%d]: an input for the button %s is required", i - 1,
        button.type)
    end
    buttons[i] = complete_button(button, input)
  end
  return buttons
end

--- The components of a template that an account takes from the library.
---@param body table  of POST /message_templates
---@return table[]|nil components
---@return waba.emulator.Fault? problem
function template_library.components(body)
  local entry = template_library.list({ name = body.library_template_name, language = body.language })[1]
  if not entry then
    return nil, fault(100, "library_template_name: there is no template %s in %s", body.library_template_name,
      body.language)
  end
  local inputs = absent(body.library_template_button_inputs) and {} or body.library_template_button_inputs
  local buttons, problem = buttons_of(entry, inputs)
  if not buttons then return nil, problem end
  local components = { { type = "BODY", text = entry.body, example = { body_text = { entry.body_params } } } }
  if entry.header then
    table.insert(components, 1, { type = "HEADER", format = "TEXT", text = entry.header })
  end
  if #buttons > 0 then components[#components + 1] = { type = "BUTTONS", buttons = buttons } end
  return components
end

return template_library
