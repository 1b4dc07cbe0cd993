-- The rules of payments in Brazil and India: the parameters of order_details and order_status (cloud.md, sections 2.17
-- and 11.3). The platform does not document which fields are required and which fields are refused, so the rules about
-- required and unknown fields are inferred.

local errors = require "waba.schema.errors"
local shared = require "waba.schema.shared"

local required, object, any_text, some_text = shared.required, shared.object, shared.any_text, shared.some_text
local variants = shared.variants

local offset = { one_of = { 100 }, required = true }

local function amount(more)
  return object(shared.with({ value = { is = "integer", required = true, range = { 0 } }, offset = offset },
    more or {}), { refused = { amount_1000 = "must be a multiple of 10: the platform counts in hundredths" } })
end

local function needed(rule)
  return shared.with(rule, { inferred = shared.with(rule.inferred or {}, { required = true }) })
end

local tagged = shared.tagged
local of_provider = { open = true, not_empty = true } -- the payment provider defines the fields

local button_settings = {
  payment_link = tagged("payment_link", object { uri = { is = "string", required = true, format = "url" } }),
  pix_dynamic_code = tagged("pix_dynamic_code", object({}, of_provider)),
  boleto = tagged("boleto", object({}, of_provider)),
}

local payment_setting = variants("type", shared.with(button_settings, {
  payment_gateway = tagged("payment_gateway", object({ type = any_text, configuration_name = any_text }, of_provider)),
  offsite_card_pay = tagged("offsite_card_pay", object {
    credential_id = required(some_text),
    last_four_digits = { is = "string", required = true, inferred = { format = "four_digits" } },
  }),
}))

local order = object {
  status = { one_of = { "pending" }, required = true },
  items = { is = "list", required = true, each = object {
    retailer_id = some_text,
    name = needed(some_text),
    amount = required(amount()),
    sale_amount = amount(),
    quantity = { is = "integer", required = true, range = { 1 } },
  } },
  subtotal = required(amount()),
  tax = needed(amount { description = any_text }),
  shipping = amount { description = any_text },
  discount = amount { description = any_text, discount_program_name = any_text },
  catalog_id = some_text,
  expiration = object { timestamp = { is = "integer", required = true }, description = any_text },
}

local reference_id = {
  is = "string", required = true, characters = { 1 }, inferred = { characters = { 1, 35 }, format = "reference_id" },
}

local function value_of(part) return part and part.value or 0 end

local function check_total(details)
  local total, parts = details.total_amount, details.order
  if not total or not parts then return nil end
  local sum = value_of(parts.subtotal) + value_of(parts.tax) + value_of(parts.shipping) - value_of(parts.discount)
  if total.value == sum then return nil end
  return errors.new(("is %.0f; it must be order.subtotal.value + order.tax.value + order.shipping.value - "
    .. "order.discount.value, which is %.0f"):format(total.value, sum), ".total_amount.value")
end

return {
  button_setting = variants("type", button_settings),

  details = shared.lenient({
    reference_id = reference_id,
    type = needed { one_of = { "digital-goods", "physical-goods" } },
    payment_type = { one_of = { "br", "upi" } },
    payment_settings = { is = "list", each = payment_setting },
    payment_configuration = some_text,
    currency = needed { one_of = { "BRL", "INR" } },
    total_amount = needed(amount()),
    order = order,
  }, {
    inferred = { open = false, at_least_one = { "payment_settings", "payment_configuration" } }, check = check_total,
  }),

  status = object {
    reference_id = reference_id,
    order = object {
      status = required {
        one_of = { "processing", "partially_shipped", "partially-shipped", "shipped", "completed", "canceled" },
      },
      description = any_text,
    },
    payment = object { status = { one_of = { "captured" }, required = true }, timestamp = { is = "integer" } },
  },
}
