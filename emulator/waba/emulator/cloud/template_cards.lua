-- The cards of a carousel template (cloud.md, section 5.4): each of them, and what they have in common.

local walker = require "waba.emulator.cloud.walker"

local template_cards = {}

local fault = walker.fault

-- Which buttons go with which header.
local MEDIA = { QUICK_REPLY = true, URL = true, PHONE_NUMBER = true }
local BUTTONS = { IMAGE = MEDIA, VIDEO = MEDIA, PRODUCT = { SPM = true, URL = true } }

local function part(card, kind)
  for _, component in ipairs(card.components) do
    if component.type == kind then return component end
  end
end

local function check_card(card, path)
  local header, buttons = part(card, "HEADER"), part(card, "BUTTONS")
  local allowed = header and BUTTONS[header.format]
  if not allowed then
    return fault(100, "%s.components: a HEADER of the format IMAGE, VIDEO or PRODUCT is required", path)
  end
  if not buttons then return fault(100, "%s.components: BUTTONS are required", path) end
  for _, button in ipairs(buttons.buttons) do
    if not allowed[button.type] then
      return fault(100, "%s.components: the button %s does not go with the header %s", path, button.type, header.format)
    end
  end
end

-- The kinds of a card's parts, as one text.
local function structure(card)
  local header, kinds = part(card, "HEADER"), {}
  for _, button in ipairs(part(card, "BUTTONS").buttons) do kinds[#kinds + 1] = button.type end
  return ("%s %s %s"):format(header.format, part(card, "BODY") and "BODY" or "", table.concat(kinds, ","))
end

--- Finds what is wrong with cards whose components are right by themselves.
---@param cards table[]
---@param path string
---@return waba.emulator.Fault|nil
function template_cards.check(cards, path)
  for i, card in ipairs(cards) do
    local place = ("%s.cards[%d]"):format(path, i - 1)
    local found = check_card(card, place)
    if found then return found end
    if structure(card) ~= structure(cards[1]) then
      return fault(100, "%s.components: all cards must have the same structure", place)
    end
  end
end

return template_cards
