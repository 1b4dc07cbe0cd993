-- A template message against the template it names (cloud.md, section 2.18): counts, names and types of
-- the parameters, and the texts with them.

local template_store = require "waba.emulator.template_store"
local texts = require "waba.emulator.cloud.template_texts"
local walker = require "waba.emulator.cloud.walker"

local template_check = {}

local fault, absent = walker.fault, walker.absent
local parameters_of = template_store.parameters_of

local function count_fault(where, given, wanted)
  return fault(132000, "%s: number of localizable_params (%d) does not match the expected number of params (%d)",
    where, given, wanted)
end

-- The parameters by the variables, which are numbers in order, or names where the template has names.
local function arrange(template, text, parameters, where)
  local variables = texts.variables(text)
  if #parameters ~= #variables then return nil, count_fault(where, #parameters, #variables) end
  local by_name = {}
  for i, parameter in ipairs(parameters) do
    local name = tostring(i)
    if template.parameter_format == "NAMED" then
      name = parameter.parameter_name
    elseif not absent(parameter.parameter_name) then
      return nil, fault(132012, "%s: parameter_name is given, the variables of this template are numbered", where)
    end
    if absent(name) then
      return nil, fault(100, "%s: parameter_name is required, the variables of this template have names", where)
    end
    by_name[name] = parameter
  end
  for _, name in ipairs(variables) do
    if not by_name[name] then
      return nil, fault(132012, "%s: there is no parameter of the name %s", where, name)
    end
  end
  return by_name
end

local function check_text(template, text, parameters, where, longest)
  local arranged, found = arrange(template, text, parameters, where)
  if not arranged then return found end
  local hydrated = (text or ""):gsub("{{%s*([%w_]+)%s*}}", function(name)
    return template_store.shown(arranged[name])
  end)
  if walker.characters(hydrated) > longest then
    return fault(132005, "%s: the text is longer than %d characters with its variables replaced", where, longest)
  end
end

local function check_header(template, header, given)
  local parameters = parameters_of(given)
  local format = header and header.format
  if not format or format == "TEXT" then
    if parameters[1] and parameters[1].type ~= "text" then
      return fault(132012, "header: the parameter is of type %s, expected text", parameters[1].type)
    end
    return check_text(template, header and header.text, parameters, "header", 60)
  elseif #parameters == 0 then
    return fault(132012, "header: Format mismatch, expected %s, received UNKNOWN", format)
  elseif parameters[1].type ~= format:lower() then
    return fault(132012, "header: Format mismatch, expected %s, received %s", format, parameters[1].type:upper())
  end
end

local function check_body(template, body, given, longest)
  local parameters = parameters_of(given)
  if body and body.text == nil then
    -- WhatsApp's own text of an authentication template has one variable, the code.
    if #parameters ~= 1 then return count_fault("body", #parameters, 1) end
    if parameters[1].type == "text" and walker.characters(parameters[1].text) > 15 then
      return fault(132005, "body: a code has at most 15 characters")
    end
    return nil
  end
  return check_text(template, body and body.text, parameters, "body", longest)
end

-- Which buttons of a template take which component.
local SUB_TYPES = {
  QUICK_REPLY = "quick_reply", URL = "url", OTP = "url", COPY_CODE = "copy_code", FLOW = "flow", CATALOG = "catalog",
  MPM = "mpm", VOICE_CALL = "voice_call", ORDER_DETAILS = "order_details",
  PAYMENT_REQUEST = "payment_request",
}
local NEEDED = { PAYMENT_REQUEST = true, COPY_CODE = true, OTP = true, FLOW = true, MPM = true, ORDER_DETAILS = true }

local function check_button(button, component, index)
  local wanted = button.type == "URL" and #texts.variables(button.url) > 0 or NEEDED[button.type]
  local parameters = parameters_of(component)
  if wanted and #parameters == 0 then
    return fault(131008, "buttons: Button at index %d of type %s requires a parameter", index, button.type:lower())
  elseif not component then
    return nil
  elseif component.sub_type:lower() ~= SUB_TYPES[button.type] then
    return fault(132012, "buttons: Button at index %d is of type %s and takes no %s", index, button.type:lower(),
      component.sub_type)
  elseif button.type == "URL" and not wanted and #parameters > 0 then
    return count_fault(("button %d"):format(index), #parameters, 0)
  end
end

local function check_buttons(known, given)
  for index, component in pairs(given) do
    if not known[index] then
      return fault(132018, "buttons: the template has no button at index %d (%s)", index, component.sub_type)
    end
  end
  for index, button in pairs(known) do
    local found = check_button(button, given[index], index)
    if found then return found end
  end
end

local function check_parts(template, components, message_components, longest)
  local known = template_store.by_type(components)
  local given = template_store.by_type(message_components)
  return check_header(template, known.header, given.header) or check_body(template, known.body, given.body, longest)
    or check_buttons(known.buttons, given.buttons), known, given
end

local function check_carousel(template, known, given)
  if not known then
    return given and fault(132018, "carousel: the template has none") or nil
  elseif not given then
    return fault(132012, "carousel: the component is required")
  elseif #given.cards ~= #known.cards and known.cards[1].components[1].format ~= "PRODUCT" then
    return fault(132000, "carousel: number of cards (%d) does not match the expected number (%d)", #given.cards,
      #known.cards)
  end
  for i, card in ipairs(given.cards) do
    local definition = known.cards[i] or known.cards[#known.cards]
    local found = check_parts(template, definition.components, card.components, 160)
    if found then
      found.details = ("carousel: card %d: %s"):format(i - 1, found.details)
      return found
    end
  end
end

local function check_offer(known, given)
  if not known then
    return given and fault(132018, "limited_time_offer: the template has none") or nil
  end
  local offer = known.limited_time_offer
  if type(offer) == "table" and offer.has_expiration == true and #parameters_of(given) == 0 then
    return fault(131008, "limited_time_offer: expiration_time_ms is required")
  end
end

-- A template of a body alone may be long.
local function longest_body(components) return #components == 1 and 32768 or 1024 end

--- Finds what is wrong with a message for a template.
---@param template table
---@param message_components table[]|nil
---@return waba.emulator.Fault|nil
function template_check.fault(template, message_components)
  local found, known, given = check_parts(template, template.components, message_components,
    longest_body(template.components))
  return found or check_offer(known.limited_time_offer, given.limited_time_offer)
    or check_carousel(template, known.carousel, given.carousel)
end

--- Whether a template is of the kind that needs a phone number: one with a code to copy or fill in.
---@param template table
---@return boolean
function template_check.needs_number(template)
  for _, button in pairs(template_store.by_type(template.components).buttons) do
    if button.type == "OTP" or button.type == "URL" and template.category == "AUTHENTICATION" then
      return true
    end
  end
  return false
end

return template_check
