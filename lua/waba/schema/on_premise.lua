-- What the On-Premise API takes as a message: one table per type, in the words of `waba.Rule`
-- (schema/compile.lua). Lengths are characters. What stands under `inferred` is not in the platform's
-- documentation; it is what practice or the Cloud documentation suggests.

local shared = require "waba.schema.shared"

local text, required, any_text, some_text = shared.text, shared.required, shared.any_text, shared.some_text
local parameter, only_variant, frame, sections = shared.tagged, shared.only_variant, shared.frame, shared.sections

local function cloud_only(what)
  return { unsupported = what .. " exist on Cloud hosting only" }
end

-- It may work on the newest On-Premise clients, but no source says so.
local function unsure(what)
  return { is = "object", open = true, inferred = cloud_only(what) }
end

-- Media: the file itself can't be seen from here ---------------------------------------------------

local no_caption = { caption = shared.no_caption }
local no_voice = { caption = shared.no_caption, voice = "exists on Cloud hosting only" }

local function media(more, refused)
  local rule = {
    is = "object",
    fields = {
      id = some_text,
      link = { is = "string", format = "url" },
      provider = { is = "object", fields = { name = required(some_text) } },
    },
    exactly_one = { "id", "link" },
    only_with = { provider = "link" },
    refused = shared.with(shared.no_file, refused or {}),
    instead = shared.media_instead,
  }
  for name, field in pairs(more or {}) do rule.fields[name] = field end
  return rule
end

local image = media { caption = shared.caption }
local video = media { caption = shared.caption }
local document = media { caption = shared.caption, filename = some_text }
local audio = media(nil, no_voice)
local sticker = media(nil, no_caption)

local location = {
  is = "object",
  fields = {
    latitude = { is = "number", required = true, inferred = { range = { -90, 90 } } },
    longitude = { is = "number", required = true, inferred = { range = { -180, 180 } } },
    name = { is = "string", inferred = { characters = { 0, 1000 } } },
    address = any_text,
  },
}

local contacts = shared.contacts {
  name = function(names) return { inferred = { at_least_one = names } } end,
  phone_type = { one_of = { "CELL", "MAIN", "IPHONE", "HOME", "WORK" } },
  fields = {
    ims = { is = "list", each = { is = "object", fields = { service = any_text, user_id = any_text } } },
  },
}

-- Templates ----------------------------------------------------------------------------------------

-- A text that takes the place of a placeholder.
local function parameter_text(most)
  return {
    is = "object",
    fields = {
      text = {
        is = "string", required = true, characters = { 0, most }, format = "parameter",
        inferred = { characters = { 1, most } },
      },
    },
    refused = { parameter_name = "exists on Cloud hosting only: parameters go by their position here" },
  }
end

local header_parameter = {
  is = "object",
  by = "type",
  variants = {
    text = parameter_text(60),
    image = parameter("image", media()),
    video = parameter("video", media()),
    document = parameter("document", media { filename = some_text }),
    location = unsure "locations in a template's header",
    product = cloud_only "products in a template's header",
    gif = cloud_only "GIFs in a template's header",
  },
}

local body_parameter = {
  is = "object",
  by = "type",
  variants = {
    text = parameter_text(32768),
    currency = parameter("currency", shared.currency),
    date_time = parameter("date_time", shared.date_time),
  },
}

local payload = {
  is = "object",
  fields = {
    payload = { is = "string", required = true, inferred = { characters = { 1, 128 } } },
  },
}

local template = {
  is = "object",
  fields = {
    namespace = some_text, -- the client's own is put in on the way out
    name = shared.template_name,
    language = shared.language,
    components = {
      is = "list",
      body_text = { alone = 32768, beside = 1024 },
      inferred = { unique = { "index" } },
      each = {
        is = "object",
        by = "type",
        variants = {
          header = {
            is = "object",
            fields = { parameters = { is = "list", count = { 1, 1 }, each = header_parameter } },
          },
          body = { is = "object", fields = { parameters = { is = "list", each = body_parameter } } },
          button = {
            is = "object",
            by = "sub_type",
            variants = {
              quick_reply = shared.template_button(only_variant("payload", payload)),
              url = shared.template_button(only_variant("text", parameter_text(nil))),
              copy_code = unsure "copy-code buttons",
              catalog = unsure "catalogue buttons",
              flow = unsure "flow buttons",
              mpm = unsure "multi-product buttons",
              voice_call = cloud_only "call buttons of templates",
              order_details = unsure "payment buttons of templates",
            },
          },
          footer = shared.no_footer,
          carousel = cloud_only "carousel templates",
          limited_time_offer = cloud_only "limited-time offers",
          tap_target_configuration = cloud_only "tap targets",
        },
      },
    },
  },
  refused = shared.short_form,
  suggest = shared.short_form_names,
}

-- The form before 2022: the fallback stands beside the value, dates are nested, currencies are named
-- by `currency_code`.
local hsm = {
  is = "object",
  fields = {
    namespace = some_text, -- required; the client's own is put in on the way out
    element_name = shared.template_name,
    language = shared.language,
    localizable_params = {
      is = "list",
      required = true,
      each = {
        is = "object",
        fields = {
          default = { is = "string", required = true, format = "parameter" },
          currency = {
            is = "object",
            fields = {
              currency_code = { is = "string", required = true, format = "currency_code" },
              amount_1000 = { is = "integer", required = true },
            },
          },
          date_time = {
            is = "object",
            fields = {
              component = { is = "object", fields = shared.date_parts },
              unix_epoch = { is = "object", fields = { timestamp = { is = "integer", required = true } } },
            },
            exactly_one = { "component", "unix_epoch" },
          },
        },
      },
    },
  },
}

-- Interactive messages -----------------------------------------------------------------------------

local any_header = {
  is = "object",
  by = "type",
  variants = {
    text = shared.header_text,
    image = parameter("image", image),
    video = parameter("video", video),
    document = parameter("document", document),
  },
}

local body, footer = shared.text_part(1024), shared.text_part(60)

local list = frame {
  header = shared.text_header, body = required(body), footer = footer,
  action = {
    is = "object",
    fields = {
      button = { is = "string", required = true, characters = { 1, 20 }, format = "no_markup_or_emoji" },
      sections = shared.row_sections,
    },
  },
}

local buttons = frame {
  header = any_header, body = required(body), footer = footer, action = shared.reply_buttons(text(1, 256)),
}

local retailer_id = required(text(1, 100))

local product = frame {
  body = body, footer = footer,
  action = { is = "object", fields = { catalog_id = required(some_text), product_retailer_id = retailer_id } },
}

local product_list = frame {
  header = required(shared.text_header), body = required(body), footer = footer,
  action = {
    is = "object",
    fields = {
      catalog_id = required(some_text),
      sections = sections("product_items", 30, { is = "object", fields = { product_retailer_id = retailer_id } }),
    },
  },
}

-- Pilots in India and Singapore: the frame is known, the action is the platform's to judge.
local pilot = frame {
  header = any_header, body = required(body), footer = footer, action = { is = "object", open = true },
}

local interactive = {
  is = "object",
  by = "type",
  variants = {
    button = buttons,
    list = list,
    product = product,
    product_list = product_list,
    address_message = pilot,
    order_details = pilot,
    order_status = pilot,
    flow = unsure "interactive messages of type flow",
    location_request_message = unsure "interactive messages of type location_request_message",
    catalog_message = cloud_only "interactive messages of type catalog_message",
    cta_url = cloud_only "interactive messages of type cta_url",
    voice_call = cloud_only "interactive messages of type voice_call",
    call_permission_request = cloud_only "interactive messages of type call_permission_request",
    request_contact_info = cloud_only "interactive messages of type request_contact_info",
    carousel = cloud_only "interactive messages of type carousel",
  },
}

-- The types ----------------------------------------------------------------------------------------

---@type waba.Ruleset
return {
  types = {
    text = {
      is = "object",
      fields = { body = required(text(1, 4096)), preview_url = { is = "boolean" } },
      needs = { preview_url = { field = "body", format = "has_url" } },
    },
    image = image,
    video = video,
    audio = audio,
    document = document,
    sticker = sticker,
    location = location,
    contacts = contacts,
    template = template,
    hsm = hsm,
    interactive = interactive,
    reaction = cloud_only "reaction messages",
    pin = cloud_only "pin messages",
  },

  refused = {
    to = "is not part of the message: send takes the recipient",
    preview_url = "belongs into the text: text.preview_url",
    context = "exists on Cloud hosting only",
    biz_opaque_callback_data = "exists on Cloud hosting only",
    recipient_identity_key_hash = "exists on Cloud hosting only",
    messaging_product = "exists on Cloud hosting only",
    category = "exists on Cloud hosting only: outside the 24-hour window only templates are sent here",
    ttl_seconds = "exists on Cloud hosting only",
    direct_send_config = "exists on Cloud hosting only",
    ttl = "was removed from the platform",
  },
}
