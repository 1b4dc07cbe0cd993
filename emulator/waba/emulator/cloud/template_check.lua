-- A template message against the template it names (cloud.md, section 2.18).

local common = require "waba.emulator.template_check"
local template_store = require "waba.emulator.template_store"

local template_check = {}

local new_error = require("waba.emulator.cloud.common_rules").checker.new_error

local OWN = { new_error = new_error, code_characters = 15,
  codes = { header = "parameter_mismatch", button_unknown = "template_parameters_invalid",
    button_missing = "parameter_missing" },
  sub_types = { OTP = { url = true }, URL = { url = true } },
  needed = { PAYMENT_REQUEST = true, COPY_CODE = true, OTP = true, FLOW = true, MPM = true, ORDER_DETAILS = true } }
for name in ("QUICK_REPLY COPY_CODE FLOW CATALOG MPM VOICE_CALL ORDER_DETAILS PAYMENT_REQUEST"):gmatch("%S+") do
  OWN.sub_types[name] = { [name:lower()] = true }
end

local function check_parts(template, components, message_components, longest)
  local known, given = template_store.by_type(components), template_store.by_type(message_components)
  return common.parts(OWN, template, known, given, longest or common.longest_body(known)), known, given
end

local function check_carousel(template, known, given)
  if not known then
    return given and new_error("template_parameters_invalid", "carousel: the template has none") or nil
  elseif not given then
    return new_error("parameter_mismatch", "carousel: the component is required")
  elseif #given.cards ~= #known.cards and known.cards[1].components[1].format ~= "PRODUCT" then
    return new_error("parameter_count", "carousel: number of cards (%d) does not match the expected number (%d)",
      #given.cards,
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
    return given and new_error("template_parameters_invalid", "limited_time_offer: the template has none") or nil
  end
  local offer = known.limited_time_offer
  if type(offer) == "table" and offer.has_expiration == true and #template_store.parameters_of(given) == 0 then
    return new_error("parameter_missing", "limited_time_offer: expiration_time_ms is required")
  end
end

--- Finds what is wrong with a message for a template.
---@param template table
---@param message_components table[]|nil
---@return waba.emulator.RuleError|nil
function template_check.new_error(template, message_components)
  local found, known, given = check_parts(template, template.components, message_components)
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
