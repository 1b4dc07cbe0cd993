-- Compares template messages with definitions (cloud.md, sections 2.18 and 5.4; on-premise.md, section 9.4).

local core = require "waba.core"
local errors = require "waba.errors"
local option = require "waba.option"
local parts = require "waba.message.parts"

local utf8_length = core.utf8_length
local is_table, positions, upper = parts.is_table, parts.positions, parts.upper

local definition = {}

-- Maps the format of a header in a definition to the name of the field that has the header's content in a message. The
-- format TEXT is missing, because the content of a text header has no field of its own.
definition.HEADERS = {
  IMAGE = "image", VIDEO = "video", DOCUMENT = "document", GIF = "gif", LOCATION = "location", PRODUCT = "product",
}

-- The types of buttons that have a value. A URL button has a value only if its URL has a placeholder.
definition.BUTTONS = {}
for _, button in ipairs(require("waba.message.template").buttons) do
  definition.BUTTONS[button.type or button.sub_type:upper()] = button
end

local HEADERS, BUTTONS = definition.HEADERS, definition.BUTTONS

-- The largest numbers of characters (cloud.md, sections 2.18 and A). `body_alone`: a body without other components.
-- `code`: the code of an authentication template.
local MOST = { header = 60, body = 1024, body_alone = 32768, url = 2000, code = 15 }

-- Returns the position of a placeholder such as {{1}}; nil for a name, and for a number that is too large to check.
local function position_of(name)
  return #name <= 3 and name:find "^%d+$" and tonumber(name) or nil
end

-- Returns the largest position of the placeholders in a text, and the names of the named placeholders in their order.
function definition.placeholders(text)
  local count, names, seen = 0, {}, {}
  for name in (type(text) == "string" and text or ""):gmatch "{{%s*([%w_]+)%s*}}" do
    local position = position_of(name)
    if position then
      count = math.max(count, position)
    elseif not seen[name] then
      seen[name], names[#names + 1] = true, name
    end
  end
  return count, names
end

function definition.by_type(components)
  local found = {}
  for _, component in ipairs(is_table(components) and components or {}) do
    local kind = is_table(component) and upper(component.type)
    if kind then found[kind] = found[kind] or component end
  end
  return found
end

-- Returns a copy of a list in which an empty table replaces each element that is not a table.
function definition.tables(list)
  local tables = {}
  for i, element in ipairs(is_table(list) and list or {}) do tables[i] = is_table(element) and element or {} end
  return tables
end

local placeholders, by_type = definition.placeholders, definition.by_type

---@param found { path: string, message: string }[]  the list to which the error is added
---@param path string
---@param message string  a format for `...`
function definition.add(found, path, message, ...)
  found[#found + 1] = { path = path, message = message:format(...) }
end

local add = definition.add

local function value_of(parameter)
  if parameter.type == "text" then return parameter.text end
  local content = parameter[parameter.type]
  return is_table(content) and content.fallback_value or nil
end

local function is_missing(parameter)
  return not is_table(parameter) or parameter.type == "text" and (parameter.text == nil or parameter.text == "")
end

-- Reports a value that is neither a text nor the result of waba.currency or waba.date_time. filling.lua reports
-- booleans.
local function check_kind(found, path, name, parameter)
  local kind, of_text = parameter.type, type(parameter.text)
  if type(kind) == "string" and (kind ~= "text" or of_text == "string" or of_text == "boolean") then return end
  add(found, path, "%s: %s must be a text, a number, or a table of waba.currency or waba.date_time", path, name)
end

local function check_length(found, path, text, values, most)
  local filled = text:gsub("{{%s*([%w_]+)%s*}}", function(name)
    local value = values[position_of(name) or name]
    return type(value) == "string" and value or nil
  end)
  local length = utf8_length(filled) or 0
  if length > most then
    add(found, path, "%s has %d characters with its values: at most %d are allowed", path, length, most)
  end
end

local function check_named(found, path, names, parameters, values)
  local known, given = {}, {}
  for _, name in ipairs(names) do known[name] = true end
  for i, parameter in ipairs(parameters) do
    local name = is_table(parameter) and parameter.parameter_name
    if not name then
      add(found, path, "%s: value %d has no name; the template's placeholders are %s", path, i,
        table.concat(names, ", "))
    elseif not known[name] then
      add(found, path, "%s has no parameter %s%s", path, tostring(name), option.suggestion(tostring(name), known))
    elseif not is_missing(parameter) then
      given[name], values[name] = true, value_of(parameter)
      check_kind(found, path, name, parameter)
    end
  end
  for _, name in ipairs(names) do
    if not given[name] then add(found, path, "%s: %s is missing", path, name) end
  end
end

local function check_positions(found, path, count, parameters, values)
  for i = 1, count do
    local parameter = parameters[i]
    if is_missing(parameter) then
      add(found, path, "%s: value %d of %d is missing", path, i, count)
    else
      if parameter.parameter_name then
        add(found, path, "%s: the template's placeholders are numbers: value %d must not have the name %s", path, i,
          tostring(parameter.parameter_name))
      end
      values[i] = value_of(parameter)
      check_kind(found, path, "value " .. i, parameter)
    end
  end
  local surplus = positions(parameters) - count
  if surplus <= 0 then return end
  add(found, path, "%s has %d %s too many: the template takes %d", path, surplus, surplus == 1 and "value" or "values",
    count)
end

-- Compares the parameters of a text with its placeholders. Returns the values of the placeholders.
local function check_text(found, path, text, component, most)
  local count, names = placeholders(text)
  local parameters, values = component and is_table(component.parameters) and component.parameters or {}, {}
  if #names > 0 then
    check_named(found, path, names, parameters, values)
  else
    check_positions(found, path, count, parameters, values)
  end
  if type(text) == "string" then check_length(found, path, text, values, most) end
  return values
end

local function check_header(found, path, defined, component)
  local kind = HEADERS[upper(defined.format) or "TEXT"]
  if not kind then return check_text(found, path, defined.text, component, MOST.header) end
  local parameter = component and is_table(component.parameters) and component.parameters[1]
  if not parameter then return add(found, path, "%s is missing: the template has a header of type %s", path, kind) end
  local actual = is_table(parameter) and parameter.type
  if type(actual) ~= "string" then actual = "nothing" end
  if actual ~= kind then add(found, path, "%s must be of type %s, not %s", path, kind, actual) end
end

local function needs_value(button, kind)
  if upper(button.type) == "URL" then return placeholders(button.url) > 0 end
  return kind ~= nil and not kind.optional
end

local function check_button(found, path, button, component)
  local name = upper(button.type) or "?"
  local kind = BUTTONS[name]
  if not component then
    if needs_value(button, kind) then add(found, path, "%s (%s) needs a value", path, name) end
    return
  end
  if not kind or name == "URL" and not needs_value(button, kind) then
    return add(found, path, "%s (%s) takes no value", path, name)
  end
  if tostring(component.sub_type):lower() ~= kind.sub_type then
    return add(found, path, "%s must be a button of type %s, not %s", path, kind.sub_type, tostring(component.sub_type))
  end
  if name == "URL" then check_text(found, path, button.url, component, MOST.url) end
end

local function check_buttons(found, path, defined, components)
  local by_index, buttons = {}, definition.tables(defined and defined.buttons)
  for _, component in ipairs(components) do
    if is_table(component) and upper(component.type) == "BUTTON" then
      local index = tonumber(component.index) or -1
      by_index[index] = component
      if not buttons[index + 1] then
        add(found, path, "%s: there is no button at position %s: the template has %d", path, tostring(component.index),
          #buttons)
      end
    end
  end
  for i, button in ipairs(buttons) do
    check_button(found, ("%s[%d]"):format(path, i), button, by_index[i - 1])
  end
end

local check_components -- declared here, because a card contains components

local function check_cards(found, path, defined, component)
  local cards = component and is_table(component.cards) and component.cards or {}
  local known = definition.tables(defined.cards)
  local is_of_products = known[1] and (by_type(known[1].components).HEADER or {}).format == "PRODUCT"
  if #cards ~= #known and not is_of_products then
    return add(found, path, "%s must have %d elements, not %d", path, #known, #cards)
  end
  for i, card in ipairs(cards) do
    local like = known[i] or known[1]
    if is_table(card) and like then
      check_components(found, ("%s[%d]."):format(path, i), { components = like.components }, card.components)
    end
  end
end

-- A component of one of these types is an error if the definition has no component of the same type. The values are the
-- names of the components in error texts.
local SURPLUS = { HEADER = "header", BODY = "body", CAROUSEL = "cards", LIMITED_TIME_OFFER = "limited_time_offer" }

function check_components(found, prefix, defined, components)
  local known = by_type(defined.components)
  components = is_table(components) and components or {}
  local given = by_type(components)
  if known.HEADER then check_header(found, prefix .. "header", known.HEADER, given.HEADER) end
  if known.BODY then
    local is_alone = not (known.HEADER or known.FOOTER or known.BUTTONS or known.CAROUSEL)
    local most, text = is_alone and MOST.body_alone or MOST.body, known.BODY.text
    -- the fixed text of an authentication template has one placeholder, the code (cloud.md, section 5.4)
    local has_code = upper(defined.category) == "AUTHENTICATION"
    if text == nil and has_code then text = "{{1}}" end
    local code = check_text(found, prefix .. "body", text, given.BODY, most)[1]
    local length = type(code) == "string" and has_code and utf8_length(code) or 0
    if length > MOST.code then
      add(found, "body", "body: the code has %d characters: at most %d are allowed", length, MOST.code)
    end
  end
  local offer = known.LIMITED_TIME_OFFER and known.LIMITED_TIME_OFFER.limited_time_offer
  if is_table(offer) and offer.has_expiration and not given.LIMITED_TIME_OFFER then
    add(found, prefix .. "limited_time_offer", "%slimited_time_offer is missing: expected the end of the offer", prefix)
  end
  if known.CAROUSEL then check_cards(found, prefix .. "cards", known.CAROUSEL, given.CAROUSEL) end
  check_buttons(found, prefix .. "buttons", known.BUTTONS, components)
  for kind, name in pairs(SURPLUS) do
    if given[kind] and not known[kind] then add(found, prefix .. name, "the template has no %s%s", prefix, name) end
  end
end

local function error_of(defined, found)
  local messages = {}
  for i, one in ipairs(found) do messages[i] = one.message end
  return nil, errors.new {
    kind = "template", path = found[1].path, errors = found,
    message = ("template %s (%s): %s"):format(tostring(defined.name), tostring(defined.language),
      table.concat(messages, "; ")),
  }
end

---@param defined waba.StoredTemplate
---@param message waba.Message
---@param found? { path: string, message: string }[]  errors that the caller has found, and that the error object lists too
---@return true|nil valid
---@return waba.Error? err  kind "template"; `errors` lists every error as `{ path, message }`
function definition.check(defined, message, found)
  found = found or {}
  local template = is_table(message) and message.template
  if not is_table(template) then
    local kind = is_table(message) and message.type or type(message)
    add(found, "type", "the message must be a template, not %s", tostring(kind))
    return error_of(defined, found)
  end
  local status = upper(defined.status) or "APPROVED"
  if status ~= "APPROVED" then
    add(found, "status", "its status is %s: only approved templates can be sent", status)
  end
  local code = is_table(template.language) and template.language.code or template.language
  if template.name ~= defined.name then
    add(found, "name", "the message has the template name %s", tostring(template.name))
  end
  if code ~= defined.language then add(found, "language", "the message has the language %s", tostring(code)) end
  check_components(found, "", defined, template.components)
  if #found > 0 then return error_of(defined, found) end
  return true
end

return definition
