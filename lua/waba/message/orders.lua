-- Builders of payment messages (Brazil, India): the price and the status of an order. Cloud hosting only.
-- Amounts are integers: both `{ value = 5000, offset = 100 }` and `{ amount_1000 = 50000 }` are 50.00.

local frame = require "waba.message.frame"
local parts = require "waba.message.parts"

local copy, each, is_table, with_strings = parts.copy, parts.each, parts.is_table, parts.with_strings

local builders = {}
local orders = { builders = builders }

-- Converts `amount_1000` to `value` and `offset`. schema.lua reports an amount_1000 that is not a multiple of 10.
local function amount(value)
  local result = copy(value)
  if not is_table(result) then return result end
  local thousandths = result.amount_1000
  if result.value == nil and type(thousandths) == "number" and thousandths % 10 == 0 then
    result.value, result.amount_1000 = math.floor(thousandths / 10), nil
  end
  if result.offset == nil then result.offset = 100 end
  return result
end

local function item(content)
  local result = with_strings(content, "retailer_id")
  if not is_table(result) then return result end
  result.amount, result.sale_amount = amount(result.amount), amount(result.sale_amount)
  return result
end

-- Adds the field `type` to a payment setting. The type is the name of the field with the setting's content, such as
-- "boleto".
function orders.payment_setting(setting)
  local result = copy(setting)
  if is_table(result) and is_table(result.offsite_card_pay) then
    result.offsite_card_pay = with_strings(result.offsite_card_pay, "credential_id", "last_four_digits")
  end
  if not is_table(result) or result.type ~= nil then return result end
  for _, kind in ipairs { "payment_link", "pix_dynamic_code", "boleto", "payment_gateway", "offsite_card_pay" } do
    if result[kind] ~= nil then result.type = kind end
  end
  return result
end

-- Returns the order, and moves the items, the subtotal and other fields of an order from `parameters` into the order.
local function order_of(parameters)
  local order = parameters.order
  if order ~= nil and not is_table(order) then return order end
  order = copy(order) or {}
  for _, name in ipairs { "items", "subtotal", "tax", "shipping", "discount", "catalog_id", "expiration" } do
    if order[name] == nil then order[name], parameters[name] = parameters[name], nil end
  end
  if next(order) == nil then return nil end
  if order.status == nil then order.status = "pending" end
  order.items = each(order.items, item)
  for _, name in ipairs { "subtotal", "tax", "shipping", "discount" } do order[name] = amount(order[name]) end
  return with_strings(order, "catalog_id")
end

function orders.details(content)
  local parameters = with_strings(content, "reference_id")
  if not is_table(parameters) then return parameters end
  parameters.payment_settings = each(parameters.payment_settings, orders.payment_setting)
  parameters.total_amount = amount(parameters.total_amount)
  parameters.order = order_of(parameters)
  return parameters
end

---@class waba.Amount  either `value` or `amount_1000` is required
---@field value? integer        in hundredths
---@field offset? integer       must be 100, the default: `value` is divided by `offset`
---@field amount_1000? integer  in thousandths, a multiple of 10

---@class waba.OrderDetails
---@field reference_id string    the id of the order; must be unique; at most 35 letters, digits, "_", "." and "-"
---@field type string            "digital-goods" or "physical-goods"
---@field payment_type? string   "br" or "upi"
---@field payment_settings? table[]  `{ payment_link = { uri = "https://…" } }`, pix_dynamic_code, boleto,
---                              payment_gateway, offsite_card_pay `{ credential_id, last_four_digits }`
---@field payment_configuration? string  India, older form: the name of a payment configuration, instead of
---                              payment_settings
---@field currency string        "BRL" or "INR"
---@field total_amount waba.Amount  the total: subtotal + tax + shipping - discount
---@field items? { retailer_id: string?, name: string, amount: waba.Amount, quantity: integer, sale_amount: waba.Amount? }[]
---@field subtotal? waba.Amount
---@field tax? waba.Amount       tax, shipping and discount may have the further field `description`
---@field shipping? waba.Amount
---@field discount? waba.Amount  may have the further field `discount_program_name`
---@field catalog_id? string
---@field expiration? { timestamp: integer, description: string }  timestamp: seconds since 1970
---@field order? table           the items, subtotal, tax, … in the platform's form, instead of the fields above

--- A message with the price of an order and a button to pay. A message without items and subtotal shows only the total.
---@param content waba.OrderDetails|{ body: string, header: table?, footer: string? }  the header must be an image
---@return waba.Message
function builders.order_details(content)
  local result, parameters, action = frame.named("order_details", "review_and_pay", content)
  if not is_table(content) then return result end
  action.parameters = orders.details(parameters)
  return result
end

--- A message with the status of an order. The status can't change after "completed" or "canceled".
---@param content { body: string, footer: string?, reference_id: string, status: string?, description: string?, payment: { status: string, timestamp: integer? }?, order: table? }
---  status: "processing", "partially_shipped", "shipped", "completed" or "canceled"
---@return waba.Message
function builders.order_status(content)
  local result, parameters, action = frame.named("order_status", "review_order", content)
  parameters = with_strings(parameters, "reference_id")
  action.parameters = parameters
  if parameters.order == nil and (parameters.status ~= nil or parameters.description ~= nil) then
    parameters.order = { status = parameters.status, description = parameters.description }
    parameters.status, parameters.description = nil, nil
  end
  return result
end

return orders
