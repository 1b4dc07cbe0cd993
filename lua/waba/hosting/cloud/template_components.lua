-- The parts of a template on the Cloud gateway, as data (cloud.md, sections 5.3 to 5.5). What data
-- can't say is in template_rules.lua beside it. Lengths are characters.

local orders = require "waba.schema.cloud.orders"
local shared = require "waba.hosting.template_rules"

local required, text, list_of, example = shared.required, shared.text, shared.list_of, shared.example

local components = {}

local some_text = text()
local empty = { is = "object" }

-- { { param_name = "first_name", example = "Ida" }, … }
local named_params = {
  is = "list",
  unique = { "param_name" },
  each = { is = "object", fields = { param_name = required(some_text), example = required(some_text) } },
}

local file_header = { is = "object", fields = { example = example { header_handle = list_of(some_text, { 1, 1 }) } } }

local headers = {
  TEXT = {
    is = "object",
    fields = {
      text = { is = "string", required = true, characters = { 1, 60 }, format = "no_markup" },
      example = example { header_text = list_of(some_text, { 1, 1 }), header_text_named_params = named_params },
    },
  },
  IMAGE = file_header,
  VIDEO = file_header,
  DOCUMENT = file_header,
  GIF = file_header,
  LOCATION = empty,
  PRODUCT = empty,
}

local function header(formats)
  local variants = {}
  for _, format in ipairs(formats) do variants[format] = headers[format] end
  return { is = "object", by = "format", variants = variants }
end

local function body(most)
  return {
    is = "object",
    fields = {
      text = text(most), -- required but for authentication
      example = example { body_text = list_of(list_of(some_text)), body_text_named_params = named_params },
      add_security_recommendation = { is = "boolean" },
    },
  }
end

local footer = {
  is = "object",
  fields = { text = text(60), code_expiration_minutes = { is = "integer", range = { 1, 90 } } },
  exactly_one = { "text", "code_expiration_minutes" },
}

local label = required(text(25))

-- An app that fills the code in by itself.
local apps = {
  is = "list",
  count = { 1, 5 },
  each = {
    is = "object",
    fields = {
      package_name = required(text(224)),
      signature_hash = { is = "string", required = true, characters = { 11, 11 } },
    },
  },
}

local function otp(fields)
  fields.text, fields.autofill_text = text(25), text(25)
  return { is = "object", fields = fields }
end

-- The app is in the list, or, in the older form, in the button itself (cloud.md, section 11.3).
local function app_otp(fields)
  fields.supported_apps = apps
  for name, rule in pairs(apps.each.fields) do
    fields[name] = { is = rule.is, characters = rule.characters }
  end
  local result = otp(fields)
  result.only_with = { package_name = "signature_hash", signature_hash = "package_name" }
  return result
end

local flow = {
  is = "object",
  fields = {
    text = label,
    flow_id = some_text,
    flow_name = some_text,
    flow_json = some_text,
    flow_action = { one_of = { "navigate", "data_exchange" } },
    navigate_screen = some_text,
    icon = some_text,
  },
  exactly_one = { "flow_id", "flow_name", "flow_json" },
}

-- Buttons that only show on reading in the documents: the platform decides.
local PASSED_THROUGH = { "ORDER_DETAILS", "POSTBACK", "REMINDER", "SEND_LOCATION", "APP", "EXTENSION" }

local button_types = {
  QUICK_REPLY = { is = "object", fields = { text = label } },
  URL = {
    is = "object",
    fields = {
      text = label,
      url = { is = "string", required = true, characters = { 1, 2000 }, format = "url" },
      example = list_of(some_text, { 1, 1 }),
    },
  },
  PHONE_NUMBER = { is = "object", fields = { text = label, phone_number = required(text(20)) } },
  COPY_CODE = { is = "object", fields = { example = required(text(15)), text = text(25) } },
  FLOW = flow,
  CATALOG = { is = "object", fields = { text = label } },
  MPM = { is = "object", fields = { text = label } },
  SPM = { is = "object", fields = { text = label } },
  OTP = {
    is = "object",
    by = "otp_type",
    variants = {
      COPY_CODE = otp {},
      ONE_TAP = app_otp {},
      ZERO_TAP = app_otp { zero_tap_terms_accepted = { required = true, one_of = { true }, as = "true" } },
    },
  },
  VOICE_CALL = {
    is = "object",
    fields = { text = label, ttl_minutes = { is = "integer", range = { 1, 43200 } } },
  },
  REQUEST_CONTACT_INFO = { is = "object", fields = { text = text(25) } },
  PAYMENT_REQUEST = { is = "object", fields = { text = label, payment_setting = required(orders.button_setting) } },
}
for _, name in ipairs(PASSED_THROUGH) do button_types[name] = { is = "object", open = true } end

local function buttons(most, names)
  local variants = button_types
  if names then
    variants = {}
    for _, name in ipairs(names) do variants[name] = button_types[name] end
  end
  return {
    is = "object",
    fields = {
      buttons = {
        is = "list", required = true, count = { 1, most }, each = { is = "object", by = "type", variants = variants },
      },
    },
  }
end

local function list_of_components(variants)
  return {
    is = "list", required = true, unique = { "type" }, each = { is = "object", by = "type", variants = variants },
  }
end

local card = {
  is = "object",
  fields = {
    components = list_of_components {
      HEADER = header { "IMAGE", "VIDEO", "PRODUCT" },
      BODY = body(160),
      BUTTONS = buttons(2, { "QUICK_REPLY", "URL", "PHONE_NUMBER", "SPM" }),
    },
  },
}

--- The components of a template.
---@type waba.Rule
components.list = list_of_components {
  HEADER = header { "TEXT", "IMAGE", "VIDEO", "DOCUMENT", "GIF", "LOCATION", "PRODUCT" },
  BODY = body(1024),
  FOOTER = footer,
  BUTTONS = buttons(10),
  LIMITED_TIME_OFFER = {
    is = "object",
    fields = {
      limited_time_offer = {
        is = "object",
        required = true,
        fields = { text = required(text(16)), has_expiration = { is = "boolean" } },
      },
    },
  },
  CAROUSEL = {
    is = "object",
    fields = { cards = { is = "list", required = true, count = { 2, 10 }, each = card } },
  },
  CALL_PERMISSION_REQUEST = empty,
}

--- How often a type of button may stand in one template. Quick replies: as often as there is room.
---@type table<string, integer>
components.most_buttons = {
  URL = 2, PHONE_NUMBER = 1, COPY_CODE = 1, FLOW = 1, CATALOG = 1, MPM = 1, SPM = 1, OTP = 1, VOICE_CALL = 1,
  REQUEST_CONTACT_INFO = 1, PAYMENT_REQUEST = 3,
}

--- What fills the buttons of a template from the library.
---@type waba.Rule
components.library_buttons = {
  is = "list",
  each = {
    is = "object",
    by = "type",
    variants = {
      URL = {
        is = "object",
        fields = {
          url = {
            is = "object",
            required = true,
            fields = {
              base_url = { is = "string", required = true, characters = { 1, 2000 }, format = "url" },
              url_suffix_example = { is = "string", format = "url" },
            },
          },
        },
      },
      PHONE_NUMBER = { is = "object", fields = { phone_number = required(text(20)) } },
      QUICK_REPLY = empty,
      OTP = {
        is = "object",
        by = "otp_type",
        variants = {
          COPY_CODE = otp {},
          ONE_TAP = app_otp {},
          ZERO_TAP = app_otp { zero_tap_terms_accepted = { required = true, one_of = { true }, as = "true" } },
        },
      },
    },
  },
}

--- What fills the body of a template from the library.
---@type waba.Rule
components.library_body = {
  is = "object",
  fields = {
    add_contact_number = { is = "boolean" },
    add_learn_more_link = { is = "boolean" },
    add_security_recommendation = { is = "boolean" },
    add_track_package_link = { is = "boolean" },
    code_expiration_minutes = { is = "integer", range = { 1, 90 } },
  },
}

return components
