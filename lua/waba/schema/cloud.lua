-- The rules of messages on Cloud hosting (cloud.md, section 2), in the notation of schema/compile.lua. If the rule of a
-- message type is in another module, the module is loaded when a message of this type is first checked.

local runtime = require "waba.runtime"
local shared = require "waba.schema.shared"

local required, object, any_text, some_text = shared.required, shared.object, shared.any_text, shared.some_text
local in_module, variants = shared.in_module, shared.variants

local MEDIA = "waba.schema.cloud.media"

local function contacts()
  return runtime.require "waba.schema.contacts" {
    most = 257, name = function(names) return { at_least_one = names } end,
    phone_type = any_text,
    refused = { ims = "exists on On-Premise hosting only" },
  }
end

-- Returns the rules of the fields that only a message without an approved template has, except the field `category`.
local function direct_send(longest)
  local config = object { template_name = shared.template_name }
  return { ttl_seconds = { is = "integer", range = { 30, longest } }, direct_send_config = config }
end

---@type waba.Ruleset
return {
  types = {
    text = object { body = required(shared.text(1, 4096)), preview_url = { is = "boolean" } }, -- cloud.md, section 2.3
    image = in_module(MEDIA, "image"), -- the rules of media: cloud.md, section 2.4
    video = in_module(MEDIA, "video"),
    audio = in_module(MEDIA, "audio"),
    document = in_module(MEDIA, "document"),
    sticker = in_module(MEDIA, "sticker"),
    location = object { -- cloud.md, section 2.5
      latitude = { is = "decimal", required = true, inferred = { range = { -90, 90 } } },
      longitude = { is = "decimal", required = true, inferred = { range = { -180, 180 } } },
      name = any_text,
      address = any_text,
    },
    contacts = contacts, -- cloud.md, section 2.6
    reaction = object { -- cloud.md, section 2.7
      message_id = required(some_text),
      emoji = { is = "string", required = true, format = "reaction" },
    },
    interactive = in_module "waba.schema.cloud.interactive", -- cloud.md, sections 2.8 to 2.17
    template = in_module "waba.schema.cloud.template", -- cloud.md, section 2.18
    pin = variants("type", { -- cloud.md, section 2.19
      pin = object {
        message_id = required(some_text),
        expiration_days = { is = "integer", range = { 1, 30 }, inferred = { required = true } },
      },
      unpin = object({ message_id = required(some_text) },
        { refused = { expiration_days = "is not allowed: only a pin expires" } }),
    }),
    hsm = { unsupported = "hsm messages exist on On-Premise hosting only; use a template" },
  },

  -- cloud.md, section 11.3
  direct_send = {
    types = { text = true, interactive = true },
    categories = { utility = direct_send(43200), authentication = direct_send(900) },
    unsupported = "category is for texts and interactive messages only, which need no approved template",
  },

  refused = {
    to = "is not part of the message: pass the recipient to client:send",
    recipient = "is not part of the message: pass the recipient to client:send",
    recipient_type = "is not part of the message: client:send derives it from the recipient",
    preview_url = "is a field of the text: text.preview_url",
    context = "is not part of the message: pass it to client:send as option reply_to",
    biz_opaque_callback_data = "is not part of the message: pass it to client:send as option data",
    recipient_identity_key_hash = "is not part of the message: pass it to client:send as option identity_key_hash",
    messaging_product = "is not part of the message: client:send adds it",
    ttl = "belongs to the template's definition: message_send_ttl_seconds",
  },
}
