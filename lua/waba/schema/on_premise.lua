-- What the On-Premise API takes as a message: one table per type, in the words of `waba.Rule`
-- (schema.lua). Lengths are characters. What stands under `inferred` is not in the platform's
-- documentation; it is what practice or the Cloud documentation suggests.

local function text(least, most)
  return { is = "string", characters = { least, most } }
end

local function required(rule)
  local result = { required = true }
  for name, value in pairs(rule) do result[name] = value end
  return result
end

local any_text = { is = "string" }
local some_text = text(1)

local function cloud_only(what)
  return { lacks = what .. " exist on Cloud hosting only" }
end

-- It may work on the newest On-Premise clients, but no source says so.
local function unsure(what)
  return { is = "object", open = true, inferred = cloud_only(what) }
end

-- Media: the file itself can't be seen from here ---------------------------------------------------

local caption = text(0, 1024)
local no_caption = { caption = "has no place here: this type of media has no caption" }
local no_voice = {
  caption = no_caption.caption,
  voice = "exists on Cloud hosting only",
}

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
    refused = refused,
  }
  for name, field in pairs(more or {}) do rule.fields[name] = field end
  return rule
end

local image = media { caption = caption }
local video = media { caption = caption }
local document = media { caption = caption, filename = some_text }
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

-- Contact cards ------------------------------------------------------------------------------------

local home_or_work = { one_of = { "HOME", "WORK" } }

local name = {
  is = "object",
  required = true,
  fields = {
    formatted_name = required(some_text),
    first_name = any_text,
    last_name = any_text,
    middle_name = any_text,
    prefix = any_text,
    suffix = any_text,
  },
  inferred = { at_least_one = { "first_name", "last_name", "middle_name", "prefix", "suffix" } },
}

local address = {
  is = "object",
  fields = {
    street = any_text,
    city = any_text,
    state = any_text,
    zip = any_text,
    country = any_text,
    country_code = { is = "string", format = "country_code" },
    type = home_or_work,
  },
}

local contacts = {
  is = "list",
  count = { 1 },
  each = {
    is = "object",
    fields = {
      name = name,
      addresses = { is = "list", each = address },
      birthday = { is = "string", format = "date" },
      emails = { is = "list", each = { is = "object", fields = { email = any_text, type = home_or_work } } },
      ims = { is = "list", each = { is = "object", fields = { service = any_text, user_id = any_text } } },
      org = { is = "object", fields = { company = any_text, department = any_text, title = any_text } },
      phones = {
        is = "list",
        each = {
          is = "object",
          fields = {
            phone = any_text,
            type = { one_of = { "CELL", "MAIN", "IPHONE", "HOME", "WORK" } },
            wa_id = any_text,
          },
        },
      },
      urls = { is = "list", each = { is = "object", fields = { url = any_text, type = home_or_work } } },
    },
  },
}

-- Templates ----------------------------------------------------------------------------------------

local language = {
  is = "object",
  required = true,
  fields = {
    code = required(some_text),
    policy = { one_of = { "deterministic" } }, -- put in on the way out where it is not given
  },
}

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

local currency = {
  is = "object",
  required = true,
  fields = {
    fallback_value = required(some_text),
    code = { is = "string", required = true, format = "currency_code" },
    amount_1000 = { is = "integer", required = true },
  },
}

local function inferred_range(least, most)
  return { is = "integer", inferred = { range = { least, most } } }
end

local date_parts = {
  day_of_week = {
    one_of = { 1, 2, 3, 4, 5, 6, 7, "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY" },
    as = "1 to 7, or MONDAY to SUNDAY",
  },
  year = { is = "integer" },
  month = inferred_range(1, 12),
  day_of_month = inferred_range(1, 31),
  hour = inferred_range(0, 23),
  minute = inferred_range(0, 59),
  calendar = { one_of = { "GREGORIAN", "SOLAR_HIJRI" } },
}

local date_time_fields = { fallback_value = required(some_text), timestamp = { is = "integer" } }
for part, rule in pairs(date_parts) do date_time_fields[part] = rule end

-- The flat form is recalled, not read: undocumented fields are refused in the strict mode only.
local date_time = {
  is = "object", required = true, fields = date_time_fields, open = true,
  inferred = { open = false },
}

local function parameter(kind, content)
  return { is = "object", fields = { [kind] = required(content) } }
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
  },
}

local body_parameter = {
  is = "object",
  by = "type",
  variants = {
    text = parameter_text(32768),
    currency = parameter("currency", currency),
    date_time = parameter("date_time", date_time),
  },
}

local function button(parameter_rule)
  return {
    is = "object",
    fields = {
      index = {
        required = true, as = "the button's position, 0 to 9",
        one_of = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 },
      },
      parameters = { is = "list", count = { 1, 1 }, each = parameter_rule },
    },
  }
end

local function only_variant(kind, rule)
  return { is = "object", by = "type", variants = { [kind] = rule } }
end

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
    name = { is = "string", required = true, characters = { 1, 512 }, format = "template_name" },
    language = language,
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
              quick_reply = button(only_variant("payload", payload)),
              url = button(only_variant("text", parameter_text(nil))),
              copy_code = unsure "copy-code buttons",
              catalog = unsure "catalogue buttons",
              flow = unsure "flow buttons",
              mpm = unsure "multi-product buttons",
            },
          },
          footer = { lacks = "a template's footer takes no parameters" },
          carousel = cloud_only "carousel templates",
          limited_time_offer = cloud_only "limited-time offers",
        },
      },
    },
  },
  refused = {
    header = "belongs to the short form, which has no components",
    body = "belongs to the short form, which has no components",
    buttons = "belongs to the short form, which has no components",
    otp = "belongs to the short form, which has no components",
  },
  suggest = { "header", "body", "buttons", "otp" },
}

-- The form before 2022: the fallback stands beside the value, dates are nested, currencies are named
-- by `currency_code`.
local hsm = {
  is = "object",
  fields = {
    namespace = some_text, -- required; the client's own is put in on the way out
    element_name = { is = "string", required = true, characters = { 1, 512 }, format = "template_name" },
    language = language,
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
              component = { is = "object", fields = date_parts },
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

local header_text = {
  is = "object",
  fields = { text = { is = "string", required = true, characters = { 1, 60 }, format = "no_markup" } },
}

local text_header = { is = "object", by = "type", variants = { text = header_text } }

local any_header = {
  is = "object",
  by = "type",
  variants = {
    text = header_text,
    image = parameter("image", image),
    video = parameter("video", video),
    document = parameter("document", document),
  },
}

local body = { is = "object", fields = { text = required(text(1, 1024)) } }
local footer = { is = "object", fields = { text = required(text(1, 60)) } }

local function frame(header, body_rule, action)
  return {
    is = "object",
    fields = { header = header, body = body_rule, footer = footer, action = required(action) },
    refused = not header and { header = "is not allowed: this type of message has no header" } or nil,
  }
end

-- Sections of rows or products. Several need titles to tell them apart.
local function sections(of, most, item, unique)
  return {
    is = "list",
    required = true,
    count = { 1, 10 },
    when_several = "title",
    total = { of = of, most = most },
    unique = unique,
    each = {
      is = "object",
      fields = { title = text(1, 24), [of] = { is = "list", required = true, each = item } },
    },
  }
end

local list = frame(text_header, required(body), {
  is = "object",
  fields = {
    button = { is = "string", required = true, characters = { 1, 20 }, format = "no_markup_or_emoji" },
    sections = sections("rows", 10, {
      is = "object",
      fields = {
        id = required(text(1, 200)),
        title = required(text(1, 24)),
        description = text(0, 72),
      },
    }, { "rows[].id" }),
  },
})

local reply_button = {
  is = "object",
  fields = {
    type = { required = true, one_of = { "reply" } },
    reply = {
      is = "object",
      required = true,
      fields = {
        id = required(text(1, 256)),
        title = { is = "string", required = true, characters = { 1, 20 }, format = "no_markup" },
      },
    },
  },
}

local buttons = frame(any_header, required(body), {
  is = "object",
  fields = {
    buttons = {
      is = "list",
      required = true,
      count = { 1, 3 },
      unique = { "reply.id", "reply.title" },
      each = reply_button,
    },
  },
})

local retailer_id = required(text(1, 100))

local product = frame(nil, body, {
  is = "object",
  fields = { catalog_id = required(some_text), product_retailer_id = retailer_id },
})

local product_list = frame(required(text_header), required(body), {
  is = "object",
  fields = {
    catalog_id = required(some_text),
    sections = sections("product_items", 30, { is = "object", fields = { product_retailer_id = retailer_id } }),
  },
})

-- Pilots in India and Singapore: the frame is known, the action is the platform's to judge.
local pilot = frame(any_header, required(body), { is = "object", open = true })

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
    ttl = "was removed from the platform",
  },
}
