-- The rules for creating and editing a template (cloud.md, sections 5.3 to 5.5).

local message_rules = require "waba.emulator.message_rules"
local template_parts = require "waba.emulator.cloud.template_parts"

local template_rules = {}

local checker = template_parts.checker
local invalid = template_parts.invalid
local required, text, object, list, choice, _, any_text, with = message_rules.constructors()

-- Carousels (cloud.md, section 5.4) ---------------------------------------------------------------

-- The buttons that can be combined with each kind of header.
local CARD_MEDIA = message_rules.set "QUICK_REPLY URL PHONE_NUMBER"
local CARD_BUTTONS = { IMAGE = CARD_MEDIA, VIDEO = CARD_MEDIA, PRODUCT = message_rules.set "SPM URL" }

local function part(card, kind)
  for _, component in ipairs(card.components) do
    if component.type == kind then return component end
  end
end

local function check_card(card, path)
  local header, buttons = part(card, "HEADER"), part(card, "BUTTONS")
  local allowed = header and CARD_BUTTONS[header.format]
  if not allowed then
    return invalid("%s.components: a HEADER of the format IMAGE, VIDEO or PRODUCT is required", path)
  end
  if not buttons then return invalid("%s.components: BUTTONS are required", path) end
  for _, button in ipairs(buttons.buttons) do
    if not allowed[button.type] then
      return invalid("%s.components: the button %s can't be combined with the header %s", path, button.type,
        header.format)
    end
  end
end

-- Returns a text that is equal for cards with the same kinds of parts.
local function structure(card)
  local header, kinds = part(card, "HEADER"), {}
  for _, button in ipairs(part(card, "BUTTONS").buttons) do kinds[#kinds + 1] = button.type end
  return ("%s %s %s"):format(header.format, part(card, "BODY") and "BODY" or "", table.concat(kinds, ","))
end

-- Checks the cards, whose components were checked before, and compares them with each other.
local function check_cards(cards, path)
  for i, card in ipairs(cards) do
    local place = ("%s.cards[%d]"):format(path, i - 1)
    local found = check_card(card, place)
    if found then return found end
    if structure(card) ~= structure(cards[1]) then
      return invalid("%s.components: all cards must have the same structure", place)
    end
  end
end

local INVALID = { missing = "invalid_parameter", exclusive = "invalid_parameter", wrong = "invalid_parameter" }

local HANDLES = required(list(any_text, 1, nil, { codes = INVALID }))

local function check_header(component, path, context)
  local format, example = component.format, component.example or {}
  if format == "LOCATION" or format == "PRODUCT" then
    return format == "LOCATION" and context.category == "AUTHENTICATION"
      and invalid("%s.format: LOCATION is for the categories UTILITY and MARKETING", path) or nil
  elseif format ~= "TEXT" then
    return checker:first(example.header_handle, HANDLES, path .. ".example.header_handle")
  end
  if component.text == nil then return invalid("%s.text: is required", path) end
  return template_parts.check_variables(component, path, "header_text", 1, context.named)
end

local function check_body(component, path, context)
  if context.category == "AUTHENTICATION" then
    return component.text ~= nil and invalid("%s.text: is not allowed: WhatsApp writes this text", path) or nil
  end
  if component.text == nil then return invalid("%s.text: is required", path) end
  return template_parts.check_variables(component, path, "body_text", math.huge, context.named)
    or template_parts.check_place(component.text, path .. ".text")
end

local function check_footer(component, path, context)
  local is_optional = context.category == "AUTHENTICATION"
  return not is_optional and component.text == nil and invalid("%s.text: is required", path) or nil
end

local check_components

local function check_carousel(component, path, context)
  local within = { named = context.named, category = context.category, card = true }
  for i, card in ipairs(component.cards) do
    local place = ("%s.cards[%d].components"):format(path, i - 1)
    local found = check_components(card.components, place, within)
    if found then return found end
  end
  return check_cards(component.cards, path)
end

local EXAMPLE = { is = "object" }

local COMPONENTS = {
  HEADER = { check = check_header, fields = { text = text(1, 60, "no_markup"), example = EXAMPLE,
    format = required(choice "TEXT IMAGE VIDEO DOCUMENT GIF LOCATION PRODUCT") } },
  BODY = { check = check_body, fields = { text = text(1, 1024), example = EXAMPLE,
    add_security_recommendation = { is = "boolean" } } },
  FOOTER = { check = check_footer, exactly_one = { "text", "code_expiration_minutes" }, codes = INVALID,
    fields = { text = with(text(1, 60, "no_variable"), { codes = INVALID }),
      code_expiration_minutes = { is = "integer", range = { 1, 90 } } } },
  BUTTONS = { check = template_parts.check_buttons, fields = { buttons = { is = "list", required = true } } },
}
local COMPONENT = { is = "object", required = true, by = "type", variants = with(COMPONENTS, {
  LIMITED_TIME_OFFER = { fields = { limited_time_offer = required(object({ text = required(text(1, 16)),
    has_expiration = { is = "boolean" } })) } },
  CAROUSEL = { check = check_carousel, fields = { cards = required(list(object({
    components = required({ is = "list", count = { 1 } }) }), 2, 10)) } },
  CALL_PERMISSION_REQUEST = { fields = {} },
}) }
local CARD_COMPONENT = { is = "object", required = true, by = "type",
  variants = { HEADER = COMPONENTS.HEADER, BODY = COMPONENTS.BODY, BUTTONS = COMPONENTS.BUTTONS } }

-- Returns the largest number of characters of the body, which depends on the other components.
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
    return invalid("%s: a limited-time offer is for the category MARKETING", path)
  elseif seen.FOOTER then
    return invalid("%s: a template with a limited-time offer can't have a footer", path)
  elseif header and header.format ~= "IMAGE" and header.format ~= "VIDEO" then
    return invalid("%s: the header of a limited-time offer must be an image or a video", path)
  end
end

-- Checks the components that require or exclude each other.
local function check_together(seen, path, context)
  if not seen.BODY and not context.card then return invalid("%s: a BODY is required", path) end
  local longest = longest_body(seen, context.card)
  local content = seen.BODY and seen.BODY.text
  if content ~= nil and message_rules.characters(content) > longest then
    return invalid("%s: the text of the BODY has %d characters, at most %d are allowed here", path,
      message_rules.characters(content), longest)
  end
  return seen.LIMITED_TIME_OFFER and check_offer(seen, path, context) or nil
end

function check_components(components, path, context)
  local seen = {}
  for i, component in ipairs(components) do
    local place = ("%s[%d]"):format(path, i - 1)
    local found = checker:first(component, context.card and CARD_COMPONENT or COMPONENT, place, context)
    if found then return found end
    local kind = component.type
    if seen[kind] then return invalid("%s: is a second %s, only one is allowed", place, kind) end
    seen[kind] = component
  end
  return check_together(seen, path, context)
end

-- The bodies of requests --------------------------------------------------------------------------

local BOOLEAN, INVALID_VALUE = { is = "boolean" }, { wrong = "invalid_parameter" }

local CHANGES = {
  parameter_format = choice "POSITIONAL NAMED", allow_category_change = BOOLEAN, sub_category = any_text,
  display_format = any_text, send_type = any_text, message_send_ttl_seconds = { is = "integer" },
  cta_url_link_tracking_opted_out = BOOLEAN, is_primary_device_delivery_only = BOOLEAN,
  optimization_spec = { is = "object" },
  category = choice("MARKETING UTILITY AUTHENTICATION", { codes = INVALID_VALUE }),
}

local function named(rule) return with(rule, { required = true, codes = INVALID_VALUE }) end

local CREATE = object(with(CHANGES, {
  name = named(text(1, 512, "template_name")), language = named(text(0, nil, "language")),
  category = required(CHANGES.category), components = { is = "list" }, library_template_name = any_text,
  library_template_body_inputs = object({
    add_contact_number = BOOLEAN, add_learn_more_link = BOOLEAN, add_security_recommendation = BOOLEAN,
    add_track_package_link = BOOLEAN, code_expiration_minutes = { is = "integer", range = { 1, 90 } } }),
  library_template_button_inputs = { is = "list" },
}))

local EDIT = object(with(CHANGES, { components = { is = "list", count = { 1 } } }))

local function each(items) return ipairs(type(items) == "table" and items or {}) end

local function raise(value, names)
  for _, name in ipairs(type(value) == "table" and names or {}) do
    if type(value[name]) == "string" then value[name] = value[name]:upper() end
  end
end

local function raise_components(components)
  for _, component in each(components) do
    raise(component, { "type", "format" })
    local parts = type(component) == "table" and component or {}
    for _, button in each(parts.buttons) do raise(button, { "type", "otp_type" }) end
    for _, card in each(parts.cards) do raise_components(type(card) == "table" and card.components) end
  end
end

-- Converts to upper case those values in which the Graph API ignores the case of letters.
local function raise_case(body)
  raise(body, { "category", "parameter_format" })
  raise_components(body.components)
end

-- The smallest and the largest message_send_ttl_seconds by category. The value -1, in two categories, means 30 days.
local LIVES = { AUTHENTICATION = { 30, 900, -1 }, UTILITY = { 30, 43200, -1 }, MARKETING = { 43200, 2592000 } }

local function check_life(body, category)
  local seconds, life = body.message_send_ttl_seconds, LIVES[category]
  if seconds == nil or not life or seconds == life[3] or seconds >= life[1] and seconds <= life[2] then
    return nil
  end
  return invalid("message_send_ttl_seconds is %s: a template of the category %s allows %d to %d",
    tostring(seconds), category, life[1], life[2])
end

--- Returns the first error of a template to create, or nil. Converts values to upper case, as the Graph API does.
function template_rules.create_error(body)
  raise_case(body)
  local found = checker:first(body, CREATE) or check_life(body, body.category)
  if found then
    return found
  elseif body.library_template_name ~= nil then
    return body.category == "MARKETING"
      and invalid("category: the template library has only UTILITY and AUTHENTICATION templates") or nil
  elseif body.components == nil or #body.components == 0 then
    return invalid("components is required")
  end
  return check_components(body.components, "components",
    { category = body.category, named = body.parameter_format == "NAMED" })
end

function template_rules.edit_error(body, template)
  raise_case(body)
  local found = checker:first(body, EDIT)
  if found then return found end
  local format, category = body.parameter_format or template.parameter_format, body.category or template.category
  return check_life(body, category) or body.components ~= nil
    and check_components(body.components, "components", { category = category, named = format == "NAMED" }) or nil
end

return template_rules
