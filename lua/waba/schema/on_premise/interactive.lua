-- The rules of interactive messages on On-Premise hosting (on-premise.md, section 2.9).

local media = require "waba.schema.on_premise.media"
local parts = require "waba.schema.interactive_parts"
local shared = require "waba.schema.shared"

local object, required, some_text, text = shared.object, shared.required, shared.some_text, shared.text
local cloud_only, perhaps_cloud_only, frame = shared.cloud_only, shared.perhaps_cloud_only, parts.frame

local any_header = shared.variants("type", shared.with(media.headers, { text = parts.header_text }))

local body, footer = parts.text_part(1024), parts.text_part(60)

local list = frame {
  header = parts.text_header, body = required(body), footer = footer,
  action = object {
    button = { is = "string", required = true, characters = { 1, 20 }, format = "no_markup_or_emoji" },
    sections = parts.row_sections(10),
  },
}

local buttons = frame {
  header = any_header, body = required(body), footer = footer, action = parts.reply_buttons(3, text(1, 256)),
}

local retailer_id = required(text(1, 100))

local product = frame {
  body = body, footer = footer,
  action = object { catalog_id = required(some_text), product_retailer_id = retailer_id },
}

local product_list = frame {
  header = required(parts.text_header), body = required(body), footer = footer,
  action = object {
    catalog_id = required(some_text),
    sections = parts.sections("product_items", 30, object { product_retailer_id = retailer_id }),
  },
}

-- Types from pilot projects in India and Singapore. The documentation does not describe the actions of these types.
local pilot = frame {
  header = any_header, body = required(body), footer = footer, action = { is = "object", open = true },
}

local variants = {
  button = buttons,
  list = list,
  product = product,
  product_list = product_list,
  address_message = pilot,
  order_details = pilot,
  order_status = pilot,
}
for _, name in ipairs { "flow", "location_request_message" } do
  variants[name] = perhaps_cloud_only("interactive messages of type " .. name)
end
for _, name in ipairs {
  "catalog_message", "cta_url", "voice_call", "call_permission_request", "request_contact_info", "carousel",
} do
  variants[name] = cloud_only("interactive messages of type " .. name)
end

return shared.variants("type", variants)
