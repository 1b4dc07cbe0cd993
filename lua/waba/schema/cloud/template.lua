-- The rules of template messages on Cloud hosting (cloud.md, section 2.18). The rules do not check the numbers of
-- placeholders and buttons, because these numbers depend on the template's definition.

local interactive_parts = require "waba.schema.interactive"
local media = require "waba.schema.cloud.media"
local orders = require "waba.schema.cloud.orders"
local parts = require "waba.schema.template_parts"
local shared = require "waba.schema.shared"

local text, required, any_text, some_text = shared.text, shared.required, shared.any_text, shared.some_text
local object, only_variant, button = shared.object, shared.only_variant, parts.template_button
local variants = shared.variants

local parameter_name = { is = "string", format = "parameter_name" }

local function parameter_text(most)
  return { is = "string", required = true, characters = { 1, most }, format = "parameter" }
end

-- Returns the rule of a parameter. The parameter may have the name of a placeholder.
local function variable(kind, content)
  return object { [kind] = required(content), parameter_name = parameter_name }
end

local header_product = shared.tagged("product",
  object { catalog_id = required(some_text), product_retailer_id = required(some_text) })

local function body_of(most)
  return object { parameters = {
    is = "list", all_or_none = { "parameter_name" }, unique = { "parameter_name" },
    each = variants("type", {
      text = variable("text", parameter_text(most)),
      currency = variable("currency", parts.currency),
      date_time = variable("date_time", parts.date_time),
    }),
  } }
end

-- Buttons -----------------------------------------------------------------------------------------

local function action(fields)
  return only_variant("action", object { action = required(object(fields)) })
end

local products = interactive_parts.sections("product_items", 30, object { product_retailer_id = required(some_text) })
products.when_several, products.inferred = nil, { when_several = "title" }

local buttons = {
  quick_reply = button(only_variant("payload", object { payload = required(text(1, 256)) })),
  url = button(only_variant("text", object { text = parameter_text(nil) })),
  copy_code = button(only_variant("coupon_code", object {
    coupon_code = { is = "string", required = true, characters = { 1, 15 }, format = "alphanumeric" },
  })),
  flow = button(action {
    flow_token = some_text,
    flow_action_data = object({}, { open = true, not_empty = true }),
  }),
  catalog = button(action { thumbnail_product_retailer_id = required(some_text) }),
  mpm = button(action { thumbnail_product_retailer_id = some_text, sections = products }),
  voice_call = button(variants("type", {
    ttl_minutes = object { ttl_minutes = { is = "integer", required = true, range = { 1, 43200 } } },
    payload = object { payload = required(text(1, 512)) },
  }), 2),
  order_details = button(action { order_details = required(orders.details) }),
  payment_request = button(action {
    payment_request = required(object { payment_setting = required(orders.button_setting) }),
  }),
}

-- Components --------------------------------------------------------------------------------------

local EITHER_CASE = { either_case = true }
local OF_BUTTON = { either_case = true, suggest = parts.short_button_names }

local carousel = object { cards = interactive_parts.cards(object {
  card_index = interactive_parts.card_index,
  components = required(parts.components({
    header = parts.header(variants("type", {
      image = media.headers.image, video = media.headers.video, product = header_product,
    })),
    body = body_of(160),
    button = variants("sub_type", { quick_reply = buttons.quick_reply, url = buttons.url }, OF_BUTTON),
  }, { alone = 160, beside = 160 }, EITHER_CASE)),
}) }

-- Returns the rule of a component with one parameter. The parameter has the type of the component.
local function sole_parameter(kind, content)
  return object { parameters = {
    is = "list", required = true, count = { 1, 1 }, each = only_variant(kind, shared.tagged(kind, content)),
  } }
end

-- A time in milliseconds, in the years 2000 to 3000. A time in seconds is refused, because in milliseconds it would be
-- in the year 1970.
local milliseconds = { is = "integer", required = true, inferred = { range = { 946684800000, 32503680000000 } } }

local components = parts.components({
  header = parts.header(variants("type", shared.with(media.headers, {
    text = variable("text", parameter_text(60)),
    gif = media.gif_header,
    location = shared.tagged("location", object {
      latitude = { is = "decimal", required = true, inferred = { range = { -90, 90 } } },
      longitude = { is = "decimal", required = true, inferred = { range = { -180, 180 } } },
      name = required(some_text),
      address = required(some_text),
    }),
    product = header_product,
  }))),
  body = body_of(32768),
  button = variants("sub_type", buttons, OF_BUTTON),
  footer = parts.no_footer,
  carousel = carousel,
  limited_time_offer = sole_parameter("limited_time_offer", object { expiration_time_ms = milliseconds }),
  tap_target_configuration = sole_parameter("tap_target_configuration", {
    is = "list",
    each = object { url = { is = "string", required = true, format = "url" }, title = any_text },
  }),
}, { alone = 32768, beside = 1024 }, EITHER_CASE)
components.at_most = { field = "sub_type", counts = { payment_request = 3 } }

return parts.template(components)
