-- The rules of orders and payments (cloud.md, sections 2.17 and 11.3): in interactive messages and in the buttons
-- of templates.

local content = require "waba.emulator.cloud.content_rules"
local walker = require "waba.emulator.cloud.walker"

local payment_rules = {}

local fault, absent = walker.fault, walker.absent

local function amount(name, required)
  return { name, type = "object", required = required, fields = {
    { "value", type = "integer", required = true, from = 0, to = 1e15 },
    { "offset", type = "integer", required = true, values = { 100 } },
    { "description", type = "string" }, { "discount_program_name", type = "string" },
  } }
end

local function value_of(money) return absent(money) and 0 or money.value end

local function check_order(value, path)
  local order = value.order
  if absent(order) then return nil end
  local total = value_of(order.subtotal) + value_of(order.tax) + value_of(order.shipping) - value_of(order.discount)
  if value.total_amount.value ~= total then
    return fault(131009, "%s.total_amount must be subtotal, tax and shipping less discount: %d", path, total)
  end
end

local ITEM = { type = "object", extra = {}, fields = {
  { "retailer_id", type = "string", min = 1 },
  { "name", type = "string", required = true, min = 1 },
  amount("amount", true), amount("sale_amount"),
  { "quantity", type = "integer", required = true, from = 1, to = 1e9 },
} }

-- The known fields of a payment setting; the others are defined by the provider.
local SETTING_FIELDS = {
  payment_link = { { "uri", type = "string", required = true, check = content.web_address } },
  offsite_card_pay = { { "credential_id", type = "string", required = true, min = 1 },
    { "last_four_digits", type = "string", required = true, pattern = "^%d%d%d%d$", says = "four digits" } },
}

-- The rule of one payment setting, with the allowed types.
local function setting(names)
  local rule = { type = "object", check = content.one_of(names), fields = {
    { "type", type = "string", required = true, values = names },
  } }
  for i, name in ipairs(names) do
    rule.fields[i + 1] = { name, type = "object", fields = SETTING_FIELDS[name] }
  end
  return rule
end

local SETTING = setting({ "payment_link", "pix_dynamic_code", "boleto", "payment_gateway", "offsite_card_pay" })

--- The payment request of a template's button.
payment_rules.request_setting = setting({ "payment_link", "pix_dynamic_code", "boleto" })
payment_rules.request_setting[1], payment_rules.request_setting.required = "payment_setting", true

local REFERENCE = { "reference_id", type = "string", required = true, min = 1, max = 35, pattern = "^[%w_.-]+$",
  says = "letters, digits, _ . -" }

--- The parameters of an order that is to be paid.
payment_rules.details = { check = check_order, fields = {
  REFERENCE,
  { "type", type = "string", required = true, values = { "digital-goods", "physical-goods" } },
  { "payment_type", type = "string", values = { "br", "upi" } },
  { "payment_configuration", type = "string" },
  { "payment_settings", type = "array", each = SETTING },
  { "currency", type = "string", required = true, values = { "BRL", "INR" } },
  amount("total_amount", true),
  { "order", type = "object", fields = {
    { "status", type = "string", required = true, values = { "pending" } },
    { "items", type = "array", required = true, min = 1, each = ITEM },
    amount("subtotal", true), amount("tax", true), amount("shipping"), amount("discount"),
    { "catalog_id", type = "string" },
    { "expiration", type = "object", fields = {
      { "timestamp", type = "string|integer", required = true }, { "description", type = "string" } } },
  } },
} }

--- The parameters of what became of an order.
payment_rules.status = { fields = {
  REFERENCE,
  { "order", type = "object", fields = {
    { "status", type = "string", required = true, values = { "pending", "processing", "partially_shipped",
      "partially-shipped", "shipped", "completed", "canceled" } },
    { "description", type = "string", max = 120 },
  } },
  { "payment", type = "object", fields = {
    { "status", type = "string", required = true, values = { "captured", "pending", "failed" } },
    { "timestamp", type = "integer|string" },
  } },
} }

return payment_rules
