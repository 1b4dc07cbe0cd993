-- The rules of interactive messages on On-Premise hosting (on-premise.md, section 2.9).

local media = require "waba.schema.on_premise.media"
local parts = require "waba.schema.interactive"
local shared = require "waba.schema.shared"

local required, text = shared.required, shared.text
local cloud_only, perhaps_cloud_only, frame = shared.cloud_only, shared.perhaps_cloud_only, parts.frame

local any_header = shared.variants("type", shared.with(media.headers, { text = parts.header_text }))

local retailer_id = required(text(1, 100))

-- Types from pilot projects in India and Singapore. The platform does not document their actions.
local pilot = frame {
  header = any_header, body = required(parts.body), footer = parts.footer,
  action = { is = "object", open = true },
}

local variants = {
  button = parts.buttons(any_header, text(1, 256)),
  list = parts.list(parts.body,
    { is = "string", required = true, characters = { 1, 20 }, format = "no_markup_or_emoji" }),
  product = parts.product(retailer_id),
  product_list = parts.product_list(retailer_id),
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
