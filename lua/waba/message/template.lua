-- The builders of template messages and of their parameters.

local orders = require "waba.message.orders"
local parts = require "waba.message.parts"

local copy, each, is_empty, is_table = parts.copy, parts.each, parts.is_empty, parts.is_table
local positions, wire_string, with_strings = parts.positions, parts.wire_string, parts.with_strings
local header_content, product_section = parts.header_content, parts.product_section

local message = {}

--- Creates a parameter of a template's body that is an amount of money.
---@param content { code: string, amount_1000: integer, fallback_value: string }  code: of the currency, as in ISO 4217;
---  amount_1000: the amount times 1000; fallback_value: the text that WhatsApp shows if it can't format the amount
---@return table parameter
function message.currency(content)
  return { type = "currency", currency = copy(content) }
end

--- Creates a parameter of a template's body that is a date and time. Most WhatsApp clients show `fallback_value`.
---@param content { fallback_value: string, day_of_week: integer|string|nil, year: integer?, month: integer?, day_of_month: integer?, hour: integer?, minute: integer?, calendar: string?, timestamp: integer? }
---@return table parameter
function message.date_time(content)
  return { type = "date_time", date_time = copy(content) }
end

local parameter_kinds = { "text", "currency", "date_time", "payload", "image", "video", "document", "location" }

local function parameter(value)
  if type(value) ~= "table" then return { type = "text", text = wire_string(value) } end
  value = copy(value)
  for _, kind in ipairs(parameter_kinds) do
    if value.type == nil and value[kind] ~= nil then value.type = kind end
  end
  if value.type == "text" then value.text = wire_string(value.text) end
  return value
end

-- Returns the parameters with positions, then the named parameters (Cloud hosting), sorted by name. A nil value becomes
-- a parameter without text, so that the following parameters keep their positions. Later, schema.lua reports the
-- missing text.
local function parameters(values)
  if type(values) ~= "table" or values.type ~= nil then return { parameter(values) } end
  local result, names, count = {}, {}, positions(values)
  for key, value in pairs(values) do
    if type(key) == "string" then names[#names + 1] = key else result[key] = parameter(value) end
  end
  for i = 1, count do
    if result[i] == nil then result[i] = parameter(nil) end
  end
  table.sort(names)
  for i, name in ipairs(names) do
    result[count + i] = parameter(values[name])
    result[count + i].parameter_name = name
  end
  return result
end

-- The parameter of a header may have a name: `{ text = "Eva", parameter_name = "customer" }`, or, as in a body,
-- `{ customer = "Eva" }`.
local function header_component(header)
  local kind, content = header_content(header)
  local value
  if kind then
    value = { type = kind, [kind] = content, parameter_name = is_table(header) and header.parameter_name or nil }
  else
    local name, text = next(header)
    local is_named = type(name) == "string" and not is_table(text) and name ~= "type" and next(header, name) == nil
    value = is_named and { type = "text", text = wire_string(text), parameter_name = name } or copy(header)
  end
  return { type = "header", parameters = { value } }
end

local function thumbnail_action(value)
  if not is_table(value) then value = { thumbnail_product_retailer_id = value } end
  return with_strings(value, "thumbnail_product_retailer_id")
end

local function flow_action(value)
  if value == true then return {} end
  if not is_table(value) then return { flow_token = wire_string(value) } end
  local action = with_strings(value, "flow_token")
  if is_empty(action.flow_action_data) then action.flow_action_data = nil end
  return action
end

local function mpm_action(value)
  local action = thumbnail_action(value)
  action.sections = each(action.sections, product_section)
  return action
end

local function order_action(value) return { order_details = orders.details(value) } end

local function payment_action(value)
  local request = is_table(value) and value.payment_setting ~= nil and copy(value) or { payment_setting = value }
  request.payment_setting = orders.payment_setting(request.payment_setting)
  return { payment_request = request }
end

-- Returns a function that makes the only parameter of a button, a string.
local function string_of(kind)
  return function(value) return { { type = kind, [kind] = wire_string(value) } } end
end

local function voice_call_parameters(value)
  if not is_table(value) then return string_of "payload"(value) end
  local names, result = {}, {}
  for name in pairs(value) do names[#names + 1] = name end
  table.sort(names, function(x, y) return tostring(x) < tostring(y) end)
  for i, name in ipairs(names) do result[i] = { type = name, [name] = value[name] } end
  if is_empty(result) then return nil end
  return result
end

-- The short forms of buttons: the field of waba.TemplateButton, the platform's sub_type, and a function: `parameters`
-- returns the parameters, `action` returns the action in the only parameter. If a button has several of these fields,
-- the first field in this list is used. If `may_be_true` is true, the message has no component for a button whose field
-- has the value true. `type` is the button's type in a definition; the default is the sub_type. A button with
-- `optional` needs no value. `default` is the value that `filling.fill` uses if the caller has passed no value.
local short_buttons = {
  { field = "payload", sub_type = "quick_reply", optional = true, parameters = string_of "payload" },
  { field = "url", sub_type = "url", parameters = string_of "text" },
  { field = "otp", sub_type = "url", type = "OTP", parameters = string_of "text" },
  { field = "copy_code", sub_type = "copy_code", parameters = string_of "coupon_code" },
  { field = "flow", sub_type = "flow", default = true, action = flow_action },
  { field = "catalog", sub_type = "catalog", optional = true, may_be_true = true, action = thumbnail_action },
  { field = "mpm", sub_type = "mpm", action = mpm_action },
  { field = "voice_call", sub_type = "voice_call", optional = true, may_be_true = true,
    parameters = voice_call_parameters },
  { field = "order_details", sub_type = "order_details", action = order_action },
  { field = "payment_request", sub_type = "payment_request", action = payment_action },
}

local function button_component(button, position)
  -- the invalid value becomes the sub_type, so that schema.lua reports the value
  if not is_table(button) then return { type = "button", index = position, sub_type = button } end
  local component = { type = "button", index = position }
  for key, value in pairs(button) do component[key] = value end
  component.index = wire_string(component.index)
  for _, short in ipairs(short_buttons) do
    local value = button[short.field]
    if value ~= nil then
      if value == true and short.may_be_true then return nil end
      component[short.field] = nil
      component.sub_type = short.sub_type
      component.parameters = short.action and { { type = "action", action = short.action(value) } }
        or short.parameters(value)
      return component
    end
  end
  return component
end

local function add_buttons(components, buttons)
  if is_table(buttons) then
    for i = 1, positions(buttons) do
      local button = buttons[i]
      if button then components[#components + 1] = button_component(button, wire_string(i - 1)) end
    end
  elseif buttons ~= nil then
    components[#components + 1] = button_component(buttons, "0")
  end
end

local function component_of(kind, value)
  return { type = kind, parameters = { { type = kind, [kind] = copy(value) } } }
end

local template_components -- declared here, because a card contains components

local function carousel(cards)
  return { type = "carousel", cards = each(cards, function(card, key)
    if not is_table(card) then return card end
    local result = copy(card)
    if card.card_index == nil and type(key) == "number" then result.card_index = key - 1 end
    if card.components == nil then
      result.header, result.body, result.buttons = nil, nil, nil
      result.components = template_components { header = card.header, body = card.body, buttons = card.buttons }
    end
    return result
  end) }
end

function template_components(short)
  local components = {}
  local body, buttons = short.body, short.buttons
  local offer, target = short.limited_time_offer, short.tap_target_configuration
  if short.otp ~= nil then
    if body == nil then body = { short.otp } end
    if buttons == nil then buttons = { { url = short.otp } } end
  end
  if short.header ~= nil then components[1] = header_component(short.header) end
  if body ~= nil and not is_empty(body) then
    components[#components + 1] = { type = "body", parameters = parameters(body) }
  end
  if offer ~= nil then
    if not is_table(offer) then offer = { expiration_time_ms = offer } end
    components[#components + 1] = component_of("limited_time_offer", offer)
  end
  if short.cards ~= nil and not is_empty(short.cards) then components[#components + 1] = carousel(short.cards) end
  add_buttons(components, buttons)
  if target ~= nil then
    if is_table(target) and target[1] == nil then target = { target } end
    components[#components + 1] = component_of("tap_target_configuration", target)
  end
  if #components > 0 then return components end
end

local short_names = {
  header = true, body = true, buttons = true, otp = true, cards = true, limited_time_offer = true,
  tap_target_configuration = true,
}

---@class waba.TemplateButton  the value of one button, in exactly one of its fields, besides `index`
---@field payload? string     quick reply: the text that the reply contains when the customer taps the button
---@field url? string         link: the text for the placeholder in the URL of the button
---@field otp? string         one-time password: the code (sent as the text of a link)
---@field copy_code? string   Cloud: the coupon's code, at most 15 letters and digits
---@field flow? true|string|{ flow_token: string?, flow_action_data: table? }  Cloud: a string
---  is the flow_token; true sends neither token nor data
---@field catalog? true|string|{ thumbnail_product_retailer_id: string }  Cloud: the product whose
---  picture is shown; true: the default product of the platform
---@field mpm? { thumbnail_product_retailer_id: string?, sections: { title: string?, products: string[] }[] }  Cloud: the
---  products of the button (a multi-product message)
---@field voice_call? true|{ ttl_minutes: integer?, payload: string? }  Cloud: the button calls the business; true:
---  without parameters
---@field order_details? waba.OrderDetails  Cloud: the order that the button shows
---@field payment_request? table  Cloud (Brazil), at most three buttons: `{ payment_link = { uri = "https://…" } }`,
---  `{ boleto = { digitable_line = "…" } }` or `{ pix_dynamic_code = { code = "…" } }`
---@field index? integer      the position of the button in the template, from 0; default: the position in `buttons`

---@class waba.TemplateContent
---@field name string              the name of the approved template: lower-case letters, digits and "_"
---@field language string|{ code: string, policy: string? }  the language code of an approved translation: "de", "pt_BR"
---@field namespace? string        On-Premise; default: the client's option `namespace`
---@field header? string|table     text, or `{ image = {…} }`, `waba.image {…}`, …; a document must be a PDF file, which
---  only the platform checks
---@field body? any[]|table        one value for each placeholder, in order: strings, numbers, `waba.currency {…}`,
---  `waba.date_time {…}`; on Cloud also by name: `{ first_name = "Eva" }`
---@field buttons? waba.TemplateButton[]  one value for each button, in order; `false` for a button without a value
---@field otp? string              the code of an authentication template, for the body and the URL button
---@field cards? { header: table, body: any[]?, buttons: waba.TemplateButton[]? }[]  Cloud: the cards of a carousel
---@field limited_time_offer? { expiration_time_ms: integer }  Cloud: the end of the offer, in milliseconds since 1970
---@field tap_target_configuration? { url: string, title: string }[]  Cloud: the web page that a tap on the header opens
---@field components? table[]      the components in the platform's form, instead of the fields above

--- A template message, the only type that may be sent outside the 24-hour window.
---
---    waba.template { name = "order_ready", language = "de", header = { image = { link = "https://…" } },
---      body = { "Eva", waba.currency { code = "EUR", amount_1000 = 49900, fallback_value = "49,90 EUR" } },
---      buttons = { { payload = "PICKUP_118" }, { url = "track/118" } } }
---@param content waba.TemplateContent
---@return waba.Message
function message.template(content)
  if not is_table(content) then return { type = "template", template = content } end
  local template = {}
  local raw = content.components ~= nil
  for key, value in pairs(content) do
    if raw or not short_names[key] then template[key] = value end
  end
  template.language = parts.language(content.language)
  if not raw then
    template.components = template_components(content)
  elseif is_empty(content.components) then
    template.components = nil
  end
  return { type = "template", template = template }
end

-- Converts a parameter of a template to the form of hsm, in which the fallback is beside the value and some names
-- differ.
local function localizable(value)
  if not is_table(value) then return { default = wire_string(value) } end
  local kind = value.type
  local content = kind and value[kind]
  if kind == "text" then return { default = wire_string(content) } end
  if not is_table(content) or (kind ~= "currency" and kind ~= "date_time") then return copy(value) end
  content = copy(content)
  local default = content.fallback_value
  content.fallback_value = nil
  if kind == "currency" then
    content.currency_code, content.code = content.code, nil
    return { default = default, currency = content }
  end
  if content.timestamp ~= nil then return { default = default, date_time = { unix_epoch = content } } end
  if next(content) == nil then return { default = default } end
  return { default = default, date_time = { component = content } }
end

--- Creates a template message in the form that the platform used before 2022. New programs use `waba.template`.
---@param content { namespace: string, element_name: string, language: string|table, params: any[]?, localizable_params: table[]? }
---  params: the values of the placeholders, in the form of `body` of `waba.template`; localizable_params: the values in
---  the platform's form, instead of params
---@return waba.Message
function message.hsm(content)
  content = copy(content)
  if not is_table(content) then return { type = "hsm", hsm = content } end
  content.language = parts.language(content.language)
  if is_table(content.params) and content.localizable_params == nil then
    local list = {}
    for i = 1, positions(content.params) do list[i] = localizable(content.params[i]) end
    content.localizable_params, content.params = list, nil
  end
  return { type = "hsm", hsm = content }
end

return { builders = message, buttons = short_buttons }
