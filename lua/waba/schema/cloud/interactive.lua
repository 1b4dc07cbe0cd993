-- The rules of interactive messages on Cloud hosting (cloud.md, sections 2.8 to 2.17).

local media = require "waba.schema.cloud.media"
local orders = require "waba.schema.cloud.orders"
local parts = require "waba.schema.interactive"
local shared = require "waba.schema.shared"

local text, required, some_text = shared.text, shared.required, shared.some_text
local object, frame, variants, with = shared.object, parts.frame, shared.variants, shared.with

local body, footer = parts.body, parts.footer
local any_header = variants("type", with(media.headers, { text = parts.header_text }))
local button_label = required(text(1, 20))

local function named(action_name, parameters)
  return object { name = { one_of = { action_name }, required = true }, parameters = parameters }
end

-- Carousels ---------------------------------------------------------------------------------------

local link_parameters = object {
  display_text = button_label, url = { is = "string", required = true, format = "url" },
}

local quick_reply = object {
  type = { one_of = { "quick_reply" }, required = true },
  quick_reply = required(object { id = required(text(1, 256)), title = button_label }),
}

-- A card has a link or quick replies.
local media_card_action = object({
  name = { one_of = { "cta_url" } },
  parameters = link_parameters,
  buttons = { is = "list", each = quick_reply },
}, { exactly_one = { "parameters", "buttons" }, only_with = { name = "parameters", parameters = "name" } })

local media_card = object {
  card_index = parts.card_index,
  header = required(variants("type", { image = media.headers.image, video = media.headers.video })),
  body = object { text = { is = "string", required = true, characters = { 1, 160 }, format = "two_line_breaks" } },
  action = required(media_card_action),
}

local product_card = object {
  card_index = parts.card_index,
  action = required(object { product_retailer_id = required(some_text), catalog_id = required(some_text) }),
}

-- Addresses ---------------------------------------------------------------------------------------

local address_fields = shared.strings [[
  name phone_number house_number floor_number tower_number building_name address landmark_area city state in_pin_code
]]
-- These are the fields of India, the only country with address messages. Other countries may get other fields.
local address_values = shared.lenient(with(address_fields, { in_pin_code = text(0, 6) }))

return variants("type", {
  -- cloud.md, section 2.9
  button = parts.buttons(any_header, with(text(1, 256), { format = "trimmed" })),
  -- cloud.md, section 2.10
  list = parts.list(parts.text_part(4096), button_label),
  -- cloud.md, section 2.11
  cta_url = frame {
    header = any_header, body = required(body), footer = footer,
    action = named("cta_url", required(link_parameters)),
  },
  -- cloud.md, section 2.12
  flow = frame {
    header = any_header, body = required(body), footer = footer,
    action = named("flow", required(object({
      flow_message_version = { one_of = { "3" }, required = true },
      flow_id = some_text,
      flow_name = some_text,
      flow_cta = { is = "string", required = true, characters = { 1, 30 }, format = "no_emoji" },
      flow_token = some_text,
      mode = { one_of = { "published", "draft" } },
      flow_action = { one_of = { "navigate", "data_exchange" } },
      flow_action_payload = object {
        screen = required(some_text),
        data = object({}, { open = true, not_empty = true }),
      },
    }, {
      exactly_one = { "flow_id", "flow_name" },
      requires = { flow_action = { navigate = "flow_action_payload" } },
    }))),
  },
  -- cloud.md, section 2.13
  product = parts.product(required(some_text)),
  product_list = parts.product_list(required(some_text)),
  catalog_message = frame {
    body = required(body), footer = footer,
    action = named("catalog_message", object { thumbnail_product_retailer_id = some_text }),
  },
  -- cloud.md, section 2.14
  location_request_message = frame { body = required(body), action = named "send_location" },
  address_message = frame {
    header = any_header, body = required(body), footer = footer,
    action = named("address_message", required(object {
      country = { is = "string", required = true, format = "country" },
      values = address_values,
      saved_addresses = { is = "list", each = object { id = required(some_text), value = required(address_values) } },
      validation_errors = shared.lenient(address_fields),
    })),
  },
  request_contact_info = frame {
    body = with(body, { inferred = { required = true } }), action = named "request_contact_info",
  },
  -- cloud.md, section 2.15
  voice_call = frame {
    body = required(body),
    action = named("voice_call", object {
      display_text = text(1, 20),
      ttl_minutes = { is = "integer", range = { 1, 43200 } },
      payload = text(0, 512),
    }),
  },
  call_permission_request = frame { body = body, action = named "call_permission_request" },
  -- cloud.md, section 2.16
  carousel = frame {
    body = required(body),
    action = object { cards = parts.cards(variants("type", { cta_url = media_card, product = product_card }), {
      same = { "type", "header.type", "action.name", "#action.buttons", "action.catalog_id" },
      all_or_none = { "body" },
    }) },
  },
  -- cloud.md, section 2.17
  order_details = frame {
    header = variants("type", { image = media.headers.image }),
    body = required(body), footer = footer,
    action = named("review_and_pay", required(orders.details)),
  },
  order_status = frame {
    body = required(body), footer = footer, action = named("review_order", required(orders.status)),
  },
})
