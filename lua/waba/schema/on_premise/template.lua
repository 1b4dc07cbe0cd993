-- The rules of template messages on On-Premise hosting (on-premise.md, sections 2.7 and 2.8).

local media = require "waba.schema.on_premise.media"
local parts = require "waba.schema.template_parts"
local shared = require "waba.schema.shared"

local object, only_variant, tagged = shared.object, shared.only_variant, shared.tagged
local cloud_only, perhaps_cloud_only, some_text = shared.cloud_only, shared.perhaps_cloud_only, shared.some_text
local variants = shared.variants

local function parameter_text(most)
  return object({
    text = {
      is = "string", required = true, characters = { 0, most }, format = "parameter",
      inferred = { characters = { 1, most } },
    },
  }, { refused = { parameter_name = "exists on Cloud hosting only: the position identifies a parameter" } })
end

local payload = object { payload = { is = "string", required = true, inferred = { characters = { 1, 128 } } } }

local components = parts.components({
  header = parts.header(variants("type", shared.with(media.template_headers, {
    text = parameter_text(60),
    location = perhaps_cloud_only "locations in a template's header",
    product = cloud_only "products in a template's header",
    gif = cloud_only "GIFs in a template's header",
  }))),
  body = object { parameters = { is = "list", each = variants("type", {
    text = parameter_text(32768),
    currency = tagged("currency", parts.currency),
    date_time = tagged("date_time", parts.date_time),
  }) } },
  button = variants("sub_type", {
    quick_reply = parts.template_button(only_variant("payload", payload)),
    url = parts.template_button(only_variant("text", parameter_text(nil))),
    copy_code = perhaps_cloud_only "copy-code buttons",
    catalog = perhaps_cloud_only "catalogue buttons",
    flow = perhaps_cloud_only "flow buttons",
    mpm = perhaps_cloud_only "multi-product buttons",
    voice_call = cloud_only "call buttons of templates",
    order_details = perhaps_cloud_only "payment buttons of templates",
  }, { suggest = parts.short_button_names }),
  footer = parts.no_footer,
  carousel = cloud_only "carousel templates",
  limited_time_offer = cloud_only "limited-time offers",
  tap_target_configuration = cloud_only "tap targets",
}, { alone = 32768, beside = 1024 })

-- The older form of a parameter, in hsm messages.
local localizable_param = object {
  default = { is = "string", required = true, format = "parameter" },
  currency = object {
    currency_code = { is = "string", required = true, format = "currency_code" },
    amount_1000 = { is = "integer", required = true },
  },
  date_time = object({
    component = object(parts.date_parts),
    unix_epoch = object { timestamp = { is = "integer", required = true } },
  }, { exactly_one = { "component", "unix_epoch" } }),
}

return {
  template = parts.template(components),

  hsm = object {
    namespace = some_text, -- hosting/on_premise/messages.lua requires the namespace
    element_name = shared.template_name,
    language = parts.language,
    localizable_params = { is = "list", required = true, each = localizable_param },
  },
}
