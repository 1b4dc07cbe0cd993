-- The rules of template messages that are equal on both hostings (cloud.md, section 2.18; on-premise.md, section 2.7).

local shared = require "waba.schema.shared"

local object, required, some_text = shared.object, shared.required, shared.some_text

local parts = {}

parts.language = required(object {
  code = required(some_text),
  policy = { one_of = { "deterministic" } }, -- hosting/on_premise/messages.lua adds a missing policy
})

parts.currency = required(object {
  fallback_value = required(some_text),
  code = { is = "string", required = true, format = "currency_code" },
  amount_1000 = { is = "integer", required = true },
})

local function inferred_range(least, most)
  return { is = "integer", inferred = { range = { least, most } } }
end

parts.date_parts = {
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

parts.date_time = required(shared.lenient(shared.with(parts.date_parts, {
  fallback_value = required(some_text), timestamp = { is = "integer" },
})))

parts.button_index = {
  required = true, as = "the button's position, 0 to 9",
  one_of = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 },
}

-- Returns the rule of a header; `parameter` is the rule of the header's parameter.
function parts.header(parameter) return object { parameters = { is = "list", count = { 1, 1 }, each = parameter } } end

-- Returns the rule of a button; `parameter` is the rule of each of its parameters, and `most` is the largest number of
-- parameters.
function parts.template_button(parameter, most)
  return object { index = parts.button_index, parameters = { is = "list", count = { 1, most or 1 }, each = parameter } }
end

-- The rule of the components of a template or card. `body_text` is as in `waba.Rule`; `more` has further parts of the
-- rule of each component.
function parts.components(by_type, body_text, more)
  return {
    is = "list", body_text = body_text, inferred = { unique = { "index" } },
    each = shared.variants("type", by_type, more),
  }
end

-- The fields of the short forms of buttons that builders accept. An error text for a similar name suggests one of these
-- fields.
parts.short_button_names = {
  "payload", "url", "otp", "copy_code", "flow", "catalog", "mpm", "voice_call", "order_details", "payment_request",
}

local SHORT_FORM = { "header", "body", "buttons", "otp", "cards", "limited_time_offer", "tap_target_configuration" }
local no_short_form = {}
for _, field in ipairs(SHORT_FORM) do
  no_short_form[field] = "belongs to the short form of waba.template: pass either this field or components"
end

-- The rule of a template. For On-Premise hosting, hosting/on_premise/messages.lua adds the client's namespace if the
-- namespace is missing. For Cloud hosting, hosting/cloud/messages.lua removes the namespace.
function parts.template(components)
  return object({
    namespace = some_text, name = shared.template_name, language = parts.language, components = components,
  }, { refused = no_short_form, suggest = SHORT_FORM })
end

parts.no_footer = { unsupported = "a template's footer takes no parameters" }

return parts
