-- Creates template messages from the template's definition and values.

local builders = require("waba.message.template").builders
local definition = require "waba.message.definition"
local option = require "waba.option"
local parts = require "waba.message.parts"

local HEADERS, BUTTONS = definition.HEADERS, definition.BUTTONS
local is_table, upper = parts.is_table, parts.upper

local filling = {}

-- The fields of `values` that are never the values of placeholders.
local RESERVED = {
  header = true, buttons = true, cards = true, limited_time_offer = true, tap_target_configuration = true,
}

-- Returns true for a header such as `{ image = {…} }` or `waba.image {…}`, and false for its content `{ link = … }`
-- alone.
local function has_type(header)
  for _, kind in pairs(HEADERS) do
    if header[kind] ~= nil then return true end
  end
  return false
end

local function header_of(defined, values, taken)
  local header = values.header
  if not defined then return header end
  local kind = HEADERS[upper(defined.format) or "TEXT"]
  if kind then return is_table(header) and not has_type(header) and { [kind] = header } or header end
  local _, names = definition.placeholders(defined.text)
  local name = names[1]
  if name then taken[name] = true end
  return name and values[name] ~= nil and { [name] = values[name] } or header
end

local function body_of(defined, values, taken, code)
  if code ~= nil then return { code } end
  if values.body ~= nil then return values.body end
  local _, names = definition.placeholders(defined and defined.text)
  local body, wanted = {}, {}
  for _, name in ipairs(names) do wanted[name] = true end
  for name, value in pairs(values) do
    if wanted[name] or not taken[name] and not RESERVED[name] then body[name] = value end
  end
  return next(body) ~= nil and body or nil
end

-- Returns the values of the buttons in order, with false for a button without a value. The keys of `values.buttons` are
-- the positions or the texts of buttons.
local function buttons_of(defined, values, code, found, path)
  local known, positions, given = definition.tables(defined and defined.buttons), {}, {}
  for i, button in ipairs(known) do positions[tostring(button.text)] = i end
  for key, value in pairs(is_table(values.buttons) and values.buttons or {}) do
    local i = type(key) == "number" and key or positions[key]
    if i then
      given[i] = value
    else
      definition.add(found, path .. "buttons", "the template has no button %q%s", tostring(key),
        option.suggestion(tostring(key), positions))
    end
  end
  for i, button in ipairs(known) do
    local kind, value = BUTTONS[upper(button.type)] or {}, given[i]
    if value == nil then value = (kind.field == "url" or kind.field == "otp") and code or kind.default or false end
    local is_short = value and kind.field and not (is_table(value) and value[kind.field] ~= nil)
    given[i] = is_short and { [kind.field] = value } or value
  end
  for _, value in pairs(given) do
    if value then return given end
  end
end

local content_of -- declared here, because the content of a template contains the content of its cards

local function cards_of(defined, values, found, path)
  if not defined or not is_table(values.cards) then return values.cards end
  local cards, known = {}, definition.tables(defined.cards)
  for i, card in ipairs(values.cards) do
    local like = known[i] or known[1] or {}
    local here = ("%scards[%d]."):format(path, i)
    cards[i] = is_table(card) and content_of({ components = like.components }, card, found, here) or card
  end
  return cards
end

function content_of(defined, values, found, path)
  local known, taken = definition.by_type(defined.components), {}
  local code, offer = values.code, values.limited_time_offer
  if code == nil and upper(defined.category) == "AUTHENTICATION" then code = values[1] end
  return {
    header = header_of(known.HEADER, values, taken), body = body_of(known.BODY, values, taken, code),
    buttons = buttons_of(known.BUTTONS, values, code, found, path),
    cards = cards_of(known.CAROUSEL, values, found, path),
    limited_time_offer = type(offer) == "number" and { expiration_time_ms = offer } or offer,
    tap_target_configuration = values.tap_target_configuration,
  }
end

-- `Templates:fill` in resource/templates/definitions.lua documents `values`.
function filling.fill(defined, values)
  local found = {}
  local content = content_of(defined, values, found, "")
  content.name, content.language, content.namespace = defined.name, defined.language, defined.namespace
  local message = builders.template(content)
  for name, value in pairs(values) do
    if type(value) == "boolean" and not RESERVED[name] then
      definition.add(found, tostring(name), "%s must be a text or a number, not %s", tostring(name), tostring(value))
    end
  end
  local valid, err = definition.check(defined, message, found)
  if not valid then return nil, err end
  return message
end

return filling
