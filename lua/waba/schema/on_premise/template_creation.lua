-- The rules for the creation of templates on On-Premise hosting: of the body of POST /v1/configs/templates
-- (on-premise.md, section 9).

local creation = require "waba.schema.template_creation"
local placeholders = require "waba.schema.placeholders"
local shared = require "waba.schema.shared"

local text, list_of, example, open = creation.text, creation.list_of, creation.example, creation.open
local required, object, some_text, with = shared.required, shared.object, shared.some_text, shared.with
local variants = shared.variants

local numbered = { is = "string", inferred = { format = placeholders.numbered } }

local header = variants("format", {
  TEXT = object {
    text = with(text(60), {
      required = true, also = { { is = "string", format = placeholders.at_most_one }, numbered },
    }),
    example = example { header_text = list_of(some_text, { 1, 1 }) },
  },
  IMAGE = object { example = creation.file_example },
  VIDEO = object { example = creation.file_example },
  DOCUMENT = object { example = creation.file_example },
  LOCATION = object {},
})

local body = object({
  text = with(text(1024), { also = { numbered } }), -- `not_authentication` requires the text
  example = example { body_text = list_of(list_of(some_text)) },
  add_security_recommendation = { is = "boolean" },
}, { inferred = { check = placeholders.examples { sets = "body_text" } } })

local footer = with(creation.footer,
  { at_least_one = creation.footer_fields, inferred = { exactly_one = creation.footer_fields } })

-- Buttons have the lengths of Cloud hosting (cloud.md, section 5.4).
local function inferred_text(most)
  return { is = "string", characters = { 1 }, inferred = { characters = { 1, most } } }
end

local label = required(inferred_text(25))

local function otp(needs_app)
  local app = { is = "string", characters = { 1 }, inferred = { required = needs_app } }
  return object {
    text = inferred_text(25), autofill_text = inferred_text(25), package_name = app, signature_hash = app,
  }
end

local buttons = object { buttons = {
  is = "list", required = true, count = { 1, 10 },
  each = variants("type", {
    QUICK_REPLY = object { text = label },
    URL = object {
      text = label,
      url = with(creation.url, { inferred = { characters = { 1, 2000 } } }),
      example = list_of(some_text, { 1, 1 }),
    },
    PHONE_NUMBER = object { text = label, phone_number = required(inferred_text(20)) },
    OTP = variants("otp_type", { COPY_CODE = otp(nil), ONE_TAP = otp(true), ZERO_TAP = otp(true) }),
  }),
} }

local not_authentication = creation.components {
  BODY = open { text = { required = true } }, BUTTONS = creation.no_otp,
}

return object({
  name = shared.template_name,
  language = required(some_text),
  category = creation.category,
  allow_category_change = { is = "boolean" },
  components = {
    is = "list", required = true, count = { 1, 4 }, unique = { "type" },
    each = variants("type", { HEADER = header, BODY = body, FOOTER = footer, BUTTONS = buttons }),
    also = { creation.has_body },
  },
}, { also = { creation.some_variants("category", { MARKETING = not_authentication, UTILITY = not_authentication }) } })
