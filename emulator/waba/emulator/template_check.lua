-- Checks a template message against the definition of its template (on-premise.md, section 9; cloud.md, section 2.18):
-- the count, names and types of the parameters, and the length of the texts with the values inserted. Each hosting has
-- its own codes and limits.

local formats = require "waba.emulator.formats"
local rules = require "waba.emulator.rules"
local template_store = require "waba.emulator.template_store"

local template_check = {}

local absent = rules.absent
local parameters_of, variables = template_store.parameters_of, template_store.variables

--- The differences between the hostings.
---@class waba.emulator.TemplateCheck
---@field new_error fun(code: string, text: string, ...): waba.emulator.RuleError
---@field codes { header: string, button_unknown: string, button_missing: string, url: string|nil }  the error codes
---@field sub_types table<string, string>  for each type of a button in the template, the sub_types in the message,
---        separated by spaces
---@field needed table<string, boolean>  the types of buttons that need a parameter
---@field document? fun(parameter: table): waba.emulator.RuleError|nil  checks the document of a header
---@field code_characters? integer  the largest number of characters in the parameter of an authentication template

local function count_error(own, where, count, wanted)
  return own.new_error("parameter_count",
    "%s: number of localizable_params (%d) does not match the expected number of params (%d)", where, count, wanted)
end

-- Returns the parameters by placeholder. The keys are numbers, or names if the placeholders of the template have names.
local function arrange(own, template, names, parameters, where)
  local by_name = {}
  for i, parameter in ipairs(parameters) do
    local name = tostring(i)
    if template.parameter_format == "NAMED" then
      name = parameter.parameter_name
    elseif not absent(parameter.parameter_name) then
      return nil, own.new_error("parameter_mismatch",
        "%s: parameter_name is set, but the variables of this template are numbered", where)
    end
    if absent(name) then
      return nil, own.new_error("invalid_parameter",
        "%s: parameter_name is required, because the variables of this template have names", where)
    end
    by_name[name] = parameter
  end
  for _, name in ipairs(names) do
    if not by_name[name] then
      return nil, own.new_error("parameter_mismatch", "%s: the parameter %s is missing", where, name)
    end
  end
  return by_name
end

local function check_text(own, template, text, parameters, where, longest)
  local names = variables(text)
  if #parameters ~= #names then return count_error(own, where, #parameters, #names) end
  local arranged, found = arrange(own, template, names, parameters, where)
  if not arranged then return found end
  if formats.characters(template_store.hydrate(text or "", arranged)) > longest then
    return own.new_error("text_too_long", "%s: the text is longer than %d characters with its variables replaced",
      where, longest)
  end
end

local function check_header(own, template, header, sent)
  local parameters, format = parameters_of(sent), header and header.format
  if not format or format == "TEXT" then
    if parameters[1] and parameters[1].type ~= "text" then
      return own.new_error("parameter_mismatch", "header: the parameter is of type %s, expected text",
        parameters[1].type)
    end
    return check_text(own, template, header and header.text, parameters, "header", 60)
  elseif #parameters == 0 then
    return own.new_error(own.codes.header, "header: Format mismatch, expected %s, received UNKNOWN", format)
  elseif parameters[1].type ~= format:lower() then
    return own.new_error("parameter_mismatch", "header: Format mismatch, expected %s, received %s", format,
      parameters[1].type:upper())
  end
  return format == "DOCUMENT" and own.document and own.document(parameters[1]) or nil
end

local function check_body(own, template, body, sent, longest)
  local parameters = parameters_of(sent)
  if not body or body.text ~= nil then
    return check_text(own, template, body and body.text, parameters, "body", longest)
  end
  -- The text of an authentication template, which WhatsApp defines, has one placeholder for the code.
  if #parameters ~= 1 then return count_error(own, "body", #parameters, 1) end
  local most, parameter = own.code_characters, parameters[1]
  if most and parameter.type == "text" and formats.characters(parameter.text) > most then
    return own.new_error("text_too_long", "body: the code has more than %d characters", most)
  end
end

local function check_url(own, template, button, parameters, index)
  local names = variables(button.url)
  if #parameters ~= #names then return count_error(own, ("button %d"):format(index), #parameters, #names) end
  local arranged = arrange(own, template, names, parameters, "url") or {}
  local url = template_store.hydrate(button.url, arranged)
  if own.codes.url and #names > 0 and (url:find("%s") or #url > 2000) then
    return own.new_error(own.codes.url,
      "buttons: the URL of the button at index %d is not valid with its variable replaced", index)
  end
end

local function check_button(own, template, button, component, index)
  local parameters = parameters_of(component)
  local is_needed = button.type == "URL" and #variables(button.url) > 0 or own.needed[button.type]
  if is_needed and #parameters == 0 then
    return own.new_error(own.codes.button_missing, "buttons: Button at index %d of type %s requires a parameter", index,
      button.type:lower())
  elseif not component then
    return nil
  elseif not (own.sub_types[button.type] or ""):find(component.sub_type:lower(), 1, true) then
    return own.new_error("parameter_mismatch", "buttons: Button at index %d is of type %s and takes no %s", index,
      button.type:lower(), component.sub_type)
  end
  return button.type == "URL" and check_url(own, template, button, parameters, index) or nil
end

local function check_buttons(own, template, known, sent)
  for index, component in pairs(sent) do
    if not known[index] then
      return own.new_error(own.codes.button_unknown, "buttons: the template has no button at index %d (%s)", index,
        component.sub_type)
    end
  end
  for index, button in pairs(known) do
    local found = check_button(own, template, button, sent[index], index)
    if found then return found end
  end
end

--- Returns the largest number of characters that the text of a body may have. A body without other components may have
--- more characters. `parts` is a result of template_store.by_type.
function template_check.longest_body(parts)
  for name, part in pairs(parts) do
    if name ~= "body" and next(part) ~= nil then return 1024 end
  end
  return 32768
end

--- Checks the header, the body and the buttons of a template message. Returns an error or nil. `own` has the codes and
--- limits of the hosting. `known` has the parts of the template, and `sent` the parts of the message, both from
--- template_store.by_type. `longest` is the largest number of characters in the text of the body.
function template_check.parts(own, template, known, sent, longest)
  return check_header(own, template, known.header, sent.header)
    or check_body(own, template, known.body, sent.body, longest)
    or check_buttons(own, template, known.buttons, sent.buttons)
end

return template_check
