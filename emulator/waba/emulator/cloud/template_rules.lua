-- The rules for creating and editing a template (cloud.md, sections 5.3 to 5.5).

local content = require "waba.emulator.cloud.content_rules"
local template_buttons = require "waba.emulator.cloud.template_buttons"
local template_cards = require "waba.emulator.cloud.template_cards"
local texts = require "waba.emulator.cloud.template_texts"
local walker = require "waba.emulator.cloud.walker"

local template_rules = {}

local fault, absent = walker.fault, walker.absent

-- ---- Components ------------------------------------------------------------------------------------

local FORMATS = { TEXT = true, IMAGE = "handle", VIDEO = "handle", DOCUMENT = "handle", GIF = "handle",
  LOCATION = true, PRODUCT = true }

local HANDLES = { type = "array", required = true, missing = 100, min = 1, each = { type = "string" } }

local function check_header(component, path, context)
  local format = type(component.format) == "string" and component.format:upper() or ""
  local example = absent(component.example) and {} or component.example
  component.format = format
  if not FORMATS[format] then return fault(100, "%s.format: unknown", path) end
  if format == "LOCATION" and context.category == "AUTHENTICATION" then
    return fault(100, "%s.format: LOCATION is for the categories UTILITY and MARKETING", path)
  end
  if FORMATS[format] == "handle" then
    return walker.walk(example.header_handle, HANDLES, path .. ".example.header_handle", {})
  end
  if format ~= "TEXT" then return nil end
  if absent(component.text) then return fault(100, "%s.text: is required", path) end
  return content.no_markup(component.text, path .. ".text")
    or texts.check_variables(component, path, "header_text", 1, context.named)
end

local function check_body(component, path, context)
  if context.category == "AUTHENTICATION" then
    return not absent(component.text) and fault(100, "%s.text: is WhatsApp's own", path) or nil
  end
  if absent(component.text) then return fault(100, "%s.text: is required", path) end
  return texts.check_variables(component, path, "body_text", math.huge, context.named)
    or texts.check_place(component.text, path .. ".text")
end

local function check_footer(component, path, context)
  if context.category ~= "AUTHENTICATION" and absent(component.text) then
    return fault(100, "%s.text: is required", path)
  elseif not absent(component.text) and not absent(component.code_expiration_minutes) then
    return fault(100, "%s: text and code_expiration_minutes exclude each other", path)
  elseif absent(component.text) and absent(component.code_expiration_minutes) then
    return fault(100, "%s: one of text and code_expiration_minutes is required", path)
  elseif not absent(component.text) and #texts.variables(component.text) > 0 then
    return fault(100, "%s.text: must not have variables", path)
  end
end

local check_components

local function check_carousel(component, path, context)
  local within = { named = context.named, category = context.category, card = true }
  for i, card in ipairs(component.cards) do
    local place = ("%s.cards[%d].components"):format(path, i - 1)
    local found = check_components(card.components, place, within)
    if found then return found end
  end
  return template_cards.check(component.cards, path)
end

local EXAMPLE = { "example", type = "object" }

local COMPONENTS = {
  HEADER = { check = check_header, fields = { { "format", type = "string" }, { "text", type = "string", min = 1,
    max = 60 }, EXAMPLE } },
  BODY = { check = check_body, fields = { { "text", type = "string", min = 1, max = 1024 }, EXAMPLE,
    { "add_security_recommendation", type = "boolean" } } },
  FOOTER = { check = check_footer, fields = { { "text", type = "string", min = 1, max = 60 },
    { "code_expiration_minutes", type = "integer", from = 1, to = 90 } } },
  BUTTONS = { check = template_buttons.check, fields = { { "buttons", type = "array", required = true } } },
  LIMITED_TIME_OFFER = { fields = { { "limited_time_offer", type = "object", required = true, fields = {
    { "text", type = "string", required = true, min = 1, max = 16 }, { "has_expiration", type = "boolean" } } } } },
  CAROUSEL = { check = check_carousel, fields = { { "cards", type = "array", required = true, min = 2, max = 10,
    each = { type = "object", fields = { { "components", type = "array", required = true, min = 1 } } } } } },
  CALL_PERMISSION_REQUEST = { fields = {} },
}

local function check_component(component, path, context)
  local kind = type(component) == "table" and type(component.type) == "string" and component.type:upper()
  local rule = kind and COMPONENTS[kind]
  if not rule or context.card and kind ~= "HEADER" and kind ~= "BODY" and kind ~= "BUTTONS" then
    return nil, fault(100, "%s.type: unknown", path)
  end
  component.type = kind
  local found = walker.walk(component, { type = "object", fields = rule.fields, extra = { type = true } }, path, {})
    or rule.check and rule.check(component, path, context)
  return kind, found
end

-- How long a body may be depends on what stands beside it.
local function longest_body(seen, card)
  local product = seen.HEADER and seen.HEADER.format == "PRODUCT"
  for _, button in ipairs(seen.BUTTONS and seen.BUTTONS.buttons or {}) do
    product = product or button.type == "SPM"
  end
  return (card or product) and 160 or seen.LIMITED_TIME_OFFER and 600 or 1024
end

local function check_offer(seen, path, context)
  local header = seen.HEADER
  if context.category ~= "MARKETING" then
    return fault(100, "%s: a limited-time offer is for the category MARKETING", path)
  elseif seen.FOOTER then
    return fault(100, "%s: a limited-time offer has no footer", path)
  elseif header and header.format ~= "IMAGE" and header.format ~= "VIDEO" then
    return fault(100, "%s: the header of a limited-time offer is an image or a video", path)
  end
end

-- What components ask of each other.
local function check_together(seen, path, context)
  if not seen.BODY and not context.card then return fault(100, "%s: a BODY is required", path) end
  local longest = longest_body(seen, context.card)
  local text = seen.BODY and seen.BODY.text
  if not absent(text) and walker.characters(text) > longest then
    return fault(100, "%s: the text of the BODY has %d characters, at most %d are allowed here", path,
      walker.characters(text), longest)
  end
  return seen.LIMITED_TIME_OFFER and check_offer(seen, path, context) or nil
end

function check_components(components, path, context)
  local seen = {}
  for i, component in ipairs(components) do
    local place = ("%s[%d]"):format(path, i - 1)
    local kind, found = check_component(component, place, context)
    if found then return found end
    if seen[kind] then return fault(100, "%s: there is a %s already", place, kind) end
    seen[kind] = component
  end
  return check_together(seen, path, context)
end

-- ---- The body --------------------------------------------------------------------------------------

local OPTIONAL = {
  { "parameter_format", type = "string", values = { "POSITIONAL", "NAMED", "positional", "named" } },
  { "allow_category_change", type = "boolean" },
  { "sub_category", type = "string" }, { "display_format", type = "string" }, { "send_type", type = "string" },
  { "message_send_ttl_seconds", type = "integer" },
  { "cta_url_link_tracking_opted_out", type = "boolean" },
  { "is_primary_device_delivery_only", type = "boolean" },
  { "optimization_spec", type = "object" },
}

local CATEGORIES = { "MARKETING", "UTILITY", "AUTHENTICATION", "marketing", "utility", "authentication" }

local function body_rule(first)
  for _, field in ipairs(OPTIONAL) do first[#first + 1] = field end
  return { type = "object", fields = first }
end

local CREATE = body_rule({
  { "name", type = "string", required = true, min = 1, max = 512, pattern = "^[a-z0-9_]+$",
    says = "a name of lower-case letters, digits and underscores", wrong = 100 },
  { "language", type = "string", required = true, pattern = "^%l%l%l?_?%w*$", says = "a language code", wrong = 100 },
  { "category", type = "string", required = true, values = CATEGORIES, wrong = 100 },
  { "components", type = "array" },
  { "library_template_name", type = "string" },
  { "library_template_body_inputs", type = "object", fields = {
    { "add_contact_number", type = "boolean" }, { "add_learn_more_link", type = "boolean" },
    { "add_security_recommendation", type = "boolean" }, { "add_track_package_link", type = "boolean" },
    { "code_expiration_minutes", type = "integer", from = 1, to = 90 } } },
  { "library_template_button_inputs", type = "array" },
})

local EDIT = body_rule({
  { "category", type = "string", values = CATEGORIES, wrong = 100 },
  { "components", type = "array", min = 1 },
})

-- Names that Graph reads in any case.
local function raise_case(body)
  for _, name in ipairs({ "category", "parameter_format" }) do
    body[name] = not absent(body[name]) and body[name]:upper() or nil
  end
end

-- Seconds for which a message is tried, by category; where there is a third, -1 stands for 30 days.
local LIVES = { AUTHENTICATION = { 30, 900, -1 }, UTILITY = { 30, 43200, -1 }, MARKETING = { 43200, 2592000 } }

local function check_life(body, category)
  local seconds, life = body.message_send_ttl_seconds, LIVES[category]
  if absent(seconds) or not life or seconds == life[3] or seconds >= life[1] and seconds <= life[2] then
    return nil
  end
  return fault(100, "message_send_ttl_seconds is %s, a template of the category %s takes %d to %d",
    tostring(seconds), category, life[1], life[2])
end

--- Finds what is wrong with a template to be created; upper-cases what Graph upper-cases.
---@param body table
---@return waba.emulator.Fault|nil
function template_rules.create_fault(body)
  local found = walker.walk(body, CREATE, "", {})
  if found then return found end
  raise_case(body)
  found = check_life(body, body.category)
  if found then
    return found
  elseif not absent(body.library_template_name) then
    return body.category == "MARKETING" and fault(100, "category: the library has templates for UTILITY and"
      .. " AUTHENTICATION only") or nil
  elseif absent(body.components) or #body.components == 0 then
    return fault(100, "components is required")
  end
  return check_components(body.components, "components",
    { category = body.category, named = body.parameter_format == "NAMED" })
end

--- Finds what is wrong with the changes to a template.
---@param body table
---@param template table
---@return waba.emulator.Fault|nil
function template_rules.edit_fault(body, template)
  local found = walker.walk(body, EDIT, "", {})
  if found then return found end
  raise_case(body)
  local format, category = body.parameter_format or template.parameter_format, body.category or template.category
  return check_life(body, category) or not absent(body.components)
    and check_components(body.components, "components", { category = category, named = format == "NAMED" }) or nil
end

return template_rules
