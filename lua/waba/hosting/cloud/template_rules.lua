-- What the parts of a template ask of each other on the Cloud gateway (cloud.md, section 5.4), beyond
-- what data can say: placeholders and their examples, the categories, the order of buttons, cards.

local core = require "waba.core"
local shared = require "waba.hosting.template_rules"
local components = require "waba.hosting.cloud.template_components"

local placeholders, variety, plural = shared.placeholders, shared.variety, shared.plural

-- Placeholders and examples -----------------------------------------------------------------------

-- How a template names its placeholders. One that is edited may leave it out: then its texts tell.
local function is_named(template, names)
  if template.parameter_format then return template.parameter_format == "NAMED" end
  if not template.editing then return false end
  return names[1] ~= nil and not names[1]:find("^%d+$")
end

local function naming_fault(names, template)
  for _, name in ipairs(names) do
    if not name:find("^[a-z_]+$") then
      return ("has the placeholder {{%s}}; named ones may have lower-case letters and _ only"):format(
        #name <= 40 and not name:find("%c") and name or "…")
    end
  end
  if not template.parameter_format and not template.editing and #names > 0 then
    return "has named placeholders; they need parameter_format = \"NAMED\""
  end
end

local function names_fault(names, template)
  if is_named(template, names) then return naming_fault(names, template) end
  if names[1] and names[1]:find("^[a-z_]+$") then
    return "has the placeholder {{" .. names[1]:sub(1, 40) .. "}}; named ones need parameter_format = \"NAMED\""
  end
  return shared.numbering_fault(names)
end

-- An example for every named placeholder, and none for others.
local function named_example_fault(given, count, seen, path)
  local found = 0
  for i, item in ipairs(given or {}) do
    if not seen[item.param_name] then
      return ("%s[%d].param_name"):format(path, i), "is no placeholder of the text"
    end
    found = found + 1
  end
  if found < count then
    return path, ("has %s; the text has %s"):format(plural(found, "example"), plural(count, "placeholder"))
  end
end

local function example_fault(component, template, field)
  local names = placeholders(component.text)
  local count, seen = variety(names)
  local examples = component.example or {}
  if is_named(template, names) then
    return named_example_fault(examples[field .. "_named_params"], count, seen, "example." .. field .. "_named_params")
  end
  local values = examples[field]
  local path = "example." .. field
  if field == "body_text" and values then values, path = values[1], path .. "[1]" end
  if values and #values ~= count then
    return path, ("has %s; the text has %s"):format(plural(#values, "element"), plural(count, "placeholder"))
  elseif not values and count > 0 then
    return "example." .. field, "is missing; the text has " .. plural(count, "placeholder")
  end
end

-- Where the placeholders of a body may not stand.
local function place_fault(value)
  local trimmed = value:match("^%s*(.*%S)") or ""
  if trimmed:find("^{{") then return "begins with a placeholder; words must stand before it" end
  if trimmed:find("}}$") then return "ends with a placeholder; words must follow it" end
  if trimmed:find("}}%s*{{") then return "has a placeholder right behind another; words must stand between them" end
end

-- Components --------------------------------------------------------------------------------------

local function find_component(template, kind)
  for _, component in ipairs(template.components or {}) do
    if component.type == kind then return component end
  end
end

local function has_button(template, kind)
  local component = find_component(template, "BUTTONS")
  for _, button in ipairs(component and component.buttons or {}) do
    if button.type == kind then return true end
  end
  return false
end

-- The most characters of a body, which depend on what stands beside it.
local function body_limit(template)
  if find_component(template, "LIMITED_TIME_OFFER") then return 600, "beside a limited-time offer" end
  local header = find_component(template, "HEADER")
  if has_button(template, "SPM") or header and header.format == "PRODUCT" then return 160, "with a product" end
end

local header_rules = {
  { check = shared.common.one_in_header },
  {
    check = function(component, template)
      local fault = component.format == "TEXT" and names_fault(placeholders(component.text), template)
      if fault then return "text", fault end
    end,
  },
  {
    inferred = true,
    check = function(component, template)
      if component.format == "TEXT" then return example_fault(component, template, "header_text") end
    end,
  },
  {
    inferred = true,
    check = function(component)
      local format = component.format
      if (format == "IMAGE" or format == "VIDEO" or format == "DOCUMENT" or format == "GIF")
        and not (component.example and component.example.header_handle) then
        return "example.header_handle", "is missing; reviewers need a file"
      end
    end,
  },
  {
    check = function(component, template)
      if component.format == "LOCATION" and template.category == "AUTHENTICATION" then
        return "format", "is LOCATION; it is allowed in the categories MARKETING and UTILITY only"
      end
    end,
  },
}

local body_rules = {
  {
    check = function(component, template)
      local category = template.category
      if component.text == nil and category and category ~= "AUTHENTICATION" then return "text", "is missing" end
    end,
  },
  {
    inferred = true,
    check = function(component, template)
      if component.text and template.category == "AUTHENTICATION" then
        return "text", "is not allowed: the platform has its own text in the category AUTHENTICATION"
      elseif component.add_security_recommendation ~= nil and template.category
        and template.category ~= "AUTHENTICATION" then
        return "add_security_recommendation", "is allowed in the category AUTHENTICATION only"
      end
    end,
  },
  {
    check = function(component, template)
      local most, why = body_limit(template)
      local length = most and component.text and core.utf8_length(component.text)
      if length and length > most then
        return "text", ("has %s; at most %d are allowed %s"):format(plural(length, "character"), most, why)
      end
    end,
  },
  {
    check = function(component, template)
      if not component.text then return end
      local fault = names_fault(placeholders(component.text), template) or place_fault(component.text)
      if fault then return "text", fault end
    end,
  },
  {
    inferred = true,
    check = function(component, template)
      if component.text then return example_fault(component, template, "body_text") end
    end,
  },
}

local footer_rules = {
  { check = shared.common.none_in_footer },
  {
    check = function(_, template)
      if find_component(template, "LIMITED_TIME_OFFER") then
        return "type", "is FOOTER; a limited-time offer takes none"
      end
    end,
  },
  {
    inferred = true,
    check = function(component, template)
      if component.code_expiration_minutes and template.category and template.category ~= "AUTHENTICATION" then
        return "code_expiration_minutes", "is allowed in the category AUTHENTICATION only"
      end
    end,
  },
}

-- Quick replies and the others: each a group without the other in between.
local function order_fault(component)
  local changes, before = 0, nil
  for i, button in ipairs(component.buttons) do
    local is_reply = button.type == "QUICK_REPLY"
    if before ~= nil and before ~= is_reply then changes = changes + 1 end
    if changes > 1 then
      return ("buttons[%d].type"):format(i),
        "breaks the order: quick replies must stand together, and so must the others"
    end
    before = is_reply
  end
end

local function count_fault(component)
  local counts = {}
  for i, button in ipairs(component.buttons) do
    local kind = button.type
    counts[kind] = (counts[kind] or 0) + 1
    local most = components.most_buttons[kind]
    if most and counts[kind] > most then
      return ("buttons[%d].type"):format(i), ("is %s again; at most %d of it %s allowed"):format(kind, most,
        most == 1 and "is" or "are")
    end
  end
end

local button_rules = {
  { check = shared.common.one_at_end_of_url },
  { check = order_fault },
  { check = count_fault },
  { inferred = true, check = shared.common.otp_in_authentication },
  {
    inferred = true,
    check = function(component)
      for i, button in ipairs(component.buttons) do
        if button.type == "OTP" and button.otp_type ~= "COPY_CODE" and not button.supported_apps
          and not button.package_name then
          return ("buttons[%d].supported_apps"):format(i), "is missing; only otp_type COPY_CODE needs no app"
        end
      end
    end,
  },
  {
    inferred = true,
    check = function(component, template)
      for i, button in ipairs(component.buttons) do
        if button.type ~= "OTP" and template.category == "AUTHENTICATION" then
          return ("buttons[%d].type"):format(i), "is " .. button.type .. "; the category AUTHENTICATION takes OTP only"
        end
      end
    end,
  },
  {
    inferred = true,
    check = function(component)
      for i, button in ipairs(component.buttons) do
        if button.type == "URL" and not button.example and #placeholders(button.url) > 0 then
          return ("buttons[%d].example"):format(i), "is missing; the address has a placeholder"
        end
      end
    end,
  },
}

local offer_rules = {
  {
    check = function(_, template)
      if template.category and template.category ~= "MARKETING" then
        return "type", "is LIMITED_TIME_OFFER; it is allowed in the category MARKETING only"
      end
      local header = find_component(template, "HEADER")
      if header and header.format ~= "IMAGE" and header.format ~= "VIDEO" then
        return "type", "is LIMITED_TIME_OFFER; the header beside it must be IMAGE or VIDEO"
      end
    end,
  },
}

-- Cards -------------------------------------------------------------------------------------------

local card_rules = { HEADER = header_rules, BODY = body_rules, BUTTONS = button_rules }

-- What all cards must have in common, as one text.
local function structure(card)
  local parts = {}
  for _, component in ipairs(card.components) do
    local kinds = { component.type, component.format }
    for _, button in ipairs(component.buttons or {}) do kinds[#kinds + 1] = button.type end
    parts[#parts + 1] = table.concat(kinds, " ")
  end
  table.sort(parts)
  return table.concat(parts, ", ")
end

local function card_fault(card, template, mode)
  local header = find_component(card, "HEADER")
  if not header then return "components", "has no HEADER; a card needs one" end
  local buttons = find_component(card, "BUTTONS")
  if not buttons then return "components", "has no BUTTONS; a card needs them" end
  if header.format == "PRODUCT" then
    for i, button in ipairs(buttons.buttons) do
      if button.type ~= "SPM" and button.type ~= "URL" then
        return "components", ("has the button %d of type %s; a product card takes SPM or URL"):format(i, button.type)
      end
    end
  elseif has_button(card, "SPM") then
    return "components", "has a button of type SPM; it needs a header of format PRODUCT"
  end
  local alone = {
    category = template.category, parameter_format = template.parameter_format, editing = template.editing,
    components = card.components,
  }
  for i, component in ipairs(card.components) do
    local path, says = shared.component_fault(card_rules, component, alone, mode)
    if path then return ("components[%d].%s"):format(i, path), says end
  end
end

local carousel_rules = {
  {
    check = function(component, template, mode)
      local first = structure(component.cards[1])
      for i, card in ipairs(component.cards) do
        local path, says = card_fault(card, template, mode)
        if path then return ("cards[%d].%s"):format(i, path), says end
        if structure(card) ~= first then
          return ("cards[%d].components"):format(i), "differ from the first card's: every card has the same parts"
        end
      end
    end,
  },
}

---@type table<string, waba.ComponentRule[]>
return {
  HEADER = header_rules, BODY = body_rules, FOOTER = footer_rules, BUTTONS = button_rules,
  LIMITED_TIME_OFFER = offer_rules, CAROUSEL = carousel_rules,
}
