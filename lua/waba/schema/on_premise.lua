-- The rules of messages on On-Premise hosting (on-premise.md, section 2), in the notation of schema/compile.lua. Rules
-- of other types than text and location are loaded when a message of the type is first checked.

local errors = require "waba.schema.errors"
local runtime = require "waba.runtime"
local shared = require "waba.schema.shared"

local any_text, object, required, text = shared.any_text, shared.object, shared.required, shared.text
local cloud_only, in_module, with = shared.cloud_only, shared.in_module, shared.with

local MEDIA, TEMPLATE = "waba.schema.on_premise.media", "waba.schema.on_premise.template"

local function contacts()
  return runtime.require "waba.schema.contacts" {
    name = function(names) return { inferred = { at_least_one = names } } end,
    phone_type = { one_of = { "CELL", "MAIN", "IPHONE", "HOME", "WORK" } },
    fields = { ims = { is = "list", each = object { service = any_text, user_id = any_text } } },
  }
end

local function check_preview(content)
  if not content.preview_url then return nil end
  local format = runtime.require("waba.schema.formats").has_url
  if not format.fits(content.body) then return errors.new(format.message, ".preview_url") end
end

---@type waba.Ruleset
return {
  types = {
    -- on-premise.md, section 2.3
    text = object({ body = required(text(1, 4096)), preview_url = { is = "boolean" } },
      { check = check_preview }),
    image = in_module(MEDIA, "image"), -- the rules of media: on-premise.md, section 2.4
    video = in_module(MEDIA, "video"),
    audio = in_module(MEDIA, "audio"),
    document = in_module(MEDIA, "document"),
    sticker = in_module(MEDIA, "sticker"),
    location = object { -- on-premise.md, section 2.5
      latitude = { is = "number", required = true, inferred = { range = { -90, 90 } } },
      longitude = { is = "number", required = true, inferred = { range = { -180, 180 } } },
      name = with(any_text, { inferred = { characters = { 0, 1000 } } }),
      address = any_text,
    },
    contacts = contacts, -- on-premise.md, section 2.6
    template = in_module(TEMPLATE, "template"), -- on-premise.md, section 2.7
    hsm = in_module(TEMPLATE, "hsm"), -- on-premise.md, section 2.8
    interactive = in_module "waba.schema.on_premise.interactive", -- on-premise.md, section 2.9
    reaction = cloud_only "reaction messages",
    pin = cloud_only "pin messages",
  },

  refused = {
    to = "is not part of the message: pass the recipient to client:send",
    preview_url = "is a field of the text: text.preview_url",
    context = "exists on Cloud hosting only",
    biz_opaque_callback_data = "exists on Cloud hosting only",
    recipient_identity_key_hash = "exists on Cloud hosting only",
    messaging_product = "exists on Cloud hosting only",
    category = "exists on Cloud hosting only: outside the 24-hour window send a template",
    ttl_seconds = "exists on Cloud hosting only",
    direct_send_config = "exists on Cloud hosting only",
    ttl = "was removed from the platform",
  },
}
