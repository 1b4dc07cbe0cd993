-- Reads templates: a page of a filtered list, or one template (cloud.md, sections 5.1 and 5.5). Also contains a few
-- templates of Meta's library, and creates the components of an account's template from them.

local core = require "waba.core"

local message_rules = require "waba.emulator.message_rules"
local responses = require("waba.emulator.responses").cloud
local rules = require "waba.emulator.rules"

local template_library = {}

local absent = rules.absent
local template_parts = require "waba.emulator.cloud.template_parts"
local checker, invalid = template_parts.checker, template_parts.invalid
local required, text, object, _, choice = message_rules.constructors()

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

-- Returns whether a text contains another text, ignoring the case of letters.
local function contains(content, wanted) return content:lower():find(wanted:lower(), 1, true) ~= nil end

-- Returns the library templates that match a query. The query may have search, topic, usecase, industry, language and
-- name.
local function list_library(query)
  local found = {}
  for _, entry in ipairs(LIBRARY) do
    local fits = not query.search or contains(entry.name .. " " .. entry.body, query.search)
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
    local found = checker:first(input, INPUT, ("library_template_button_inputs[%d]"):format(i - 1))
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
function template_library.components(body)
  local entry = list_library({ name = body.library_template_name, language = body.language })[1]
  if not entry then
    return nil, invalid("library_template_name: there is no template %s in %s", body.library_template_name,
      body.language)
  end
  local inputs = absent(body.library_template_button_inputs) and {} or body.library_template_button_inputs
  local buttons, reason = buttons_of(entry, inputs)
  if not buttons then return nil, reason end
  local components = { { type = "BODY", text = entry.body, example = { body_text = { entry.body_params } } } }
  if entry.header then
    table.insert(components, 1, { type = "HEADER", format = "TEXT", text = entry.header })
  end
  if #buttons > 0 then components[#components + 1] = { type = "BUTTONS", buttons = buttons } end
  return components
end

-- Reading -----------------------------------------------------------------------------------------

local USUAL = "id name language status category sub_category parameter_format components message_send_ttl_seconds"
local FIELDS = message_rules.set(USUAL .. " previous_category quality_score rejected_reason library_template_name "
  .. "cta_url_link_tracking_opted_out display_format")

-- Returns a template with only the requested fields; or nil and the name of a requested field that does not exist.
local function view(template, request)
  local shown = { id = template.id }
  for name in responses.fields(request, USUAL) do
    if not FIELDS[name] then return nil, name end
    shown[name] = template[name]
  end
  return shown
end

local function fits(template, query)
  for _, name in ipairs({ "status", "category", "language" }) do
    if query[name] and query[name]:upper() ~= template[name]:upper() then return false end
  end
  local content, either = core.encode(template.components), query.name_or_content
  return (not query.name or template.name:find(query.name, 1, true) ~= nil)
    and (not query.quality_score or template.quality_score.score == query.quality_score)
    and (not query.content or contains(content, query.content))
    and (not either or template.name:find(either, 1, true) ~= nil or contains(content, either))
end

local function list(gateway, request)
  local found = {}
  for _, template in ipairs(gateway.templates.list) do
    if fits(template, request.query) then
      local shown, unknown = view(template, request)
      if not shown then return responses.no_such_field(unknown) end
      found[#found + 1] = shown
    end
  end
  return responses.page(gateway, request, found, 1000)
end

function template_library.no_such_template(id)
  return responses.error("invalid_parameter", ("Object with ID '%s' does not exist"):format(id), { error_subcode = 33,
    type = "GraphMethodException" })
end

local function get(gateway, request)
  local template = gateway.templates.by_id[request.segments[2]]
  if not template then return template_library.no_such_template(request.segments[2]) end
  local shown, unknown = view(template, request)
  return shown and responses.json(200, shown) or responses.no_such_field(unknown)
end

local function library(gateway, request)
  return responses.page(gateway, request, list_library(request.query), 100)
end

template_library.routes = {
  { "GET", "message_templates", list },
  { "GET", "message_templates/*", get },
  { "GET", "message_template_library", library },
}

return template_library
