-- The rules for the creation and change of templates on Cloud hosting (cloud.md, sections 5.3 to 5.5). The rules of
-- single components are in template_components.lua. Further rules depend on the category and the kind of placeholders.

local components = require "waba.schema.cloud.template_components"
local creation = require "waba.schema.template_creation"
local placeholders = require "waba.schema.placeholders"
local shared = require "waba.schema.shared"

local open, never, some_variants = creation.open, creation.never, creation.some_variants
local required, some_text, with = shared.required, shared.some_text, shared.with

-- Further rules for the components of a template and of its cards.
local function everywhere(by_type, more)
  local card = creation.components(by_type)
  return creation.components(with(by_type, { CAROUSEL = open { cards = { is = "list", each = card } } }), more)
end

-- Categories --------------------------------------------------------------------------------------

-- The limits are in seconds; -1 stands for 30 days (cloud.md, section 5.2).
local function time_to_live(category, least, most, or_value)
  return { message_send_ttl_seconds = {
    is = "integer", range = { least, most }, or_value = or_value,
    message = ("is %%s: expected %d to %d in the category %s%s"):format(least, most, category,
      or_value and (", or %d"):format(or_value) or ""),
  } }
end

local only_authentication = { inferred = never "is allowed in the category AUTHENTICATION only" }

local not_authentication = {
  BODY = open { text = { required = true }, add_security_recommendation = only_authentication },
  FOOTER = open { code_expiration_minutes = only_authentication },
  BUTTONS = creation.no_otp,
}

local no_offer = open { type = never "is LIMITED_TIME_OFFER; it is allowed in the category MARKETING only" }

local by_category = some_variants("category", {
  AUTHENTICATION = everywhere({
    HEADER = some_variants("format", { LOCATION = open {
      format = never "is LOCATION; it is allowed in the categories MARKETING and UTILITY only",
    } }),
    BODY = open {
      text = { inferred = never "is not allowed: the platform has its own text in the category AUTHENTICATION" },
    },
    BUTTONS = creation.buttons(open { type = { inferred = {
      one_of = { "OTP" }, message = "is %s; the category AUTHENTICATION takes OTP only",
    } } }),
    LIMITED_TIME_OFFER = no_offer,
  }, time_to_live("AUTHENTICATION", 30, 900, -1)),
  MARKETING = everywhere(not_authentication, time_to_live("MARKETING", 43200, 2592000)),
  UTILITY = everywhere(with(not_authentication, { LIMITED_TIME_OFFER = no_offer }),
    time_to_live("UTILITY", 30, 43200, -1)),
})

-- Placeholders ------------------------------------------------------------------------------------

-- Further rules for texts whose placeholders have a format, and for the examples of these texts.
local function texts(format, positional, named)
  local text = { is = "string", format = format }
  return everywhere {
    HEADER = some_variants("format", { TEXT = open({ text = text }, { inferred = { check = placeholders.examples {
      required = true, values = positional and "header_text", named = named and "header_text_named_params",
    } } }) }),
    BODY = open({ text = text }, { inferred = { check = placeholders.examples {
      required = true, sets = positional and "body_text", named = named and "body_text_named_params",
    } } }),
  }
end

local positional = texts(placeholders.positional, true, false)

local by_format = some_variants("parameter_format", {
  NAMED = texts(placeholders.named, false, true), POSITIONAL = positional,
})

-- Bodies of requests ------------------------------------------------------------------------------

local function template(fields, without_format)
  local all = with({
    category = creation.category,
    components = components.list,
    message_send_ttl_seconds = { is = "integer" },
    parameter_format = { one_of = { "NAMED", "POSITIONAL" } },
    sub_category = some_text,
    display_format = some_text,
    allow_category_change = { is = "boolean" },
    cta_url_link_tracking_opted_out = { is = "boolean" },
    optimization_spec = { is = "object", open = true },
  }, fields)
  return shared.object(all, { also = { by_category, with(by_format, { without = without_format }) } })
end

local new = {
  name = shared.template_name,
  language = required(some_text),
  send_type = some_text,
  is_primary_device_delivery_only = { is = "boolean" },
}

local optional_components = with(components.list, { required = false })

return {
  --- The body of POST /message_templates.
  create = template(new, positional),

  --- The body of POST /message_templates for a template from the template library.
  from_library = template(with(new, {
    category = { required = true, one_of = { "AUTHENTICATION", "UTILITY" } },
    components = optional_components,
    library_template_name = required(some_text),
    library_template_body_inputs = components.library_body,
    library_template_button_inputs = components.library_buttons,
  }), positional),

  --- The body of POST /message_templates/{id}. If parameter_format is missing, the placeholders of each text determine
  --- the format of the text.
  edit = template({
    category = { one_of = creation.category.one_of },
    components = optional_components,
  }, texts(placeholders.numbered_or_named, true, true)),
}
