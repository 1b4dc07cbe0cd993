-- The rules for the creation of templates that are equal on both hostings (cloud.md, sections 5.3 and 5.4;
-- on-premise.md, section 9).

local placeholders = require "waba.schema.placeholders"
local shared = require "waba.schema.shared"

local with = shared.with

local creation = {}

---@type waba.Rule
creation.category = { required = true, one_of = { "AUTHENTICATION", "MARKETING", "UTILITY" } }

function creation.text(most) return shared.text(1, most) end
function creation.list_of(rule, count) return { is = "list", count = count, each = rule } end

-- The rule of the field `example` in a component. The platform's reviewers of a template see the examples.
creation.example = shared.lenient

creation.file_example = creation.example { header_handle = creation.list_of(shared.some_text, { 1, 1 }) }

creation.footer = shared.object {
  text = with(shared.text(1, 60), { also = { { is = "string", format = placeholders.none } } }),
  code_expiration_minutes = { is = "integer", range = { 1, 90 } },
}

creation.footer_fields = { "text", "code_expiration_minutes" }

creation.url = {
  is = "string", required = true, format = "url", also = { { is = "string", format = placeholders.at_end_of_url } },
}

-- Rules in `also`, which refer to some of the fields ----------------------------------------------

-- The rule of an object of which only some fields are checked. `more` has further parts of the rule.
function creation.open(fields, more)
  return with({ is = "object", open = true, fields = fields }, more or {})
end

local open = creation.open

-- The rule of an object of which only some variants are checked.
function creation.some_variants(by, variants)
  return { is = "object", open = true, by = by, variants = variants }
end

-- A rule that no value satisfies.
function creation.never(message) return { one_of = {}, message = message } end

-- Further rules for the component with the buttons: `each` is the rule of each button.
function creation.buttons(each) return open { buttons = { is = "list", each = each } } end

-- Further rules for the components of a template or card, by type. `more` has further fields of the template.
function creation.components(by_type, more)
  return open(with({ components = { is = "list", each = creation.some_variants("type", by_type) } }, more or {}))
end

creation.no_otp = creation.buttons(creation.some_variants("type", {
  OTP = open { type = { inferred = creation.never "is OTP; it is allowed in the category AUTHENTICATION only" } },
}))

-- The rule of a list that must have a component with the fields `fields`. A rule without `message` can only be a
-- condition (`when`), whose error text is never shown.
function creation.has(fields, message)
  return { is = "list", has = open(fields, { message = message }) }
end

creation.has_body = creation.has({ type = { one_of = { "BODY" } } }, "has no BODY; a template needs one")

return creation
