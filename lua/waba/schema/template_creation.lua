-- The rules of templates to be created, as far as they are equal on both hostings (cloud.md, sections 5.3 and 5.4;
-- on-premise.md, section 9).

local placeholders = require "waba.schema.placeholders"
local shared = require "waba.schema.shared"

local with = shared.with

local creation = {}

---@type waba.Rule
creation.category = { required = true, one_of = { "AUTHENTICATION", "MARKETING", "UTILITY" } }

function creation.text(most)
  return shared.text(1, most)
end

function creation.list_of(rule, count)
  return { is = "list", count = count, each = rule }
end

--- The examples that reviewers of a template see. Unknown examples are refused only if the option `validate` is true.
function creation.example(fields)
  return { is = "object", fields = fields, open = true, inferred = { open = false } }
end

creation.file_example = creation.example { header_handle = creation.list_of(shared.some_text, { 1, 1 }) }

creation.footer = {
  is = "object",
  fields = {
    text = with(shared.text(1, 60), { also = { { is = "string", format = placeholders.none } } }),
    code_expiration_minutes = { is = "integer", range = { 1, 90 } },
  },
}

creation.footer_fields = { "text", "code_expiration_minutes" }

-- The URL of a button, which may end with one placeholder.
creation.url = {
  is = "string", required = true, format = "url", also = { { is = "string", format = placeholders.at_end_of_url } },
}

-- Rules in `also`, which refer to some of the fields ----------------------------------------------

--- Returns the rule of an object of which only some fields are checked.
function creation.open(fields, more)
  return with({ is = "object", open = true, fields = fields }, more or {})
end

local open = creation.open

--- Returns the rule of an object of which some variants have rules of their own.
function creation.some_variants(by, variants)
  return { is = "object", open = true, by = by, variants = variants }
end

--- A rule that allows no value.
function creation.never(message)
  return { one_of = {}, message = message }
end

--- The buttons of a component.
---@param each waba.Rule  the rule of each button
function creation.buttons(each)
  return open { buttons = { is = "list", each = each } }
end

--- The components of a template, or of a card.
---@param by_type table<string, waba.Rule>
---@param more? table<string, waba.Rule>  further fields of the template
function creation.components(by_type, more)
  return open(with({ components = { is = "list", each = creation.some_variants("type", by_type) } }, more or {}))
end

-- The rules for the categories MARKETING and UTILITY.
creation.no_otp = creation.buttons(creation.some_variants("type", {
  OTP = open { type = { inferred = creation.never "is OTP; it is allowed in the category AUTHENTICATION only" } },
}))

--- Creates the rule of a list that must have a component with the fields `fields`.
---@param fields table<string, waba.Rule>
---@param message? string  the error text if the list has no such component
function creation.has(fields, message)
  return { is = "list", has = open(fields, { message = message or "does not have the required component" }) }
end

creation.has_body = creation.has({ type = { one_of = { "BODY" } } }, "has no BODY; a template needs one")

return creation
