-- Checks a template message of either hosting against the definition of its template (on-premise.md, section 9;
-- cloud.md, section 2.18): the count, names and types of the parameters, and the length of the texts with the values
-- inserted.

local cloud_rules = require "waba.emulator.cloud.common_rules"
local message_rules = require "waba.emulator.message_rules"
local on_premise_rules = require "waba.emulator.on_premise.message_rules"
local template_store = require "waba.emulator.template_store"

local template_check = {}

local cloud_error, on_premise_error = cloud_rules.checker.new_error, on_premise_rules.checker.new_error
local parameters_of, variables = template_store.parameters_of, template_store.variables

-- The parameter `own` of the functions is CLOUD or ON_PREMISE, a table with the codes and limits of that hosting.
-- `own.sub_types` maps the type of a template's button to its sub_type in messages. Buttons of the types in
-- `own.needed` need a parameter.
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
    elseif parameter.parameter_name ~= nil then
      return nil, own.new_error("parameter_mismatch",
        "%s: parameter_name is set, but the variables of this template are numbered", where)
    end
    if name == nil then
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
  if message_rules.characters(template_store.hydrate(text or "", arranged)) > longest then
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
end

local function check_body(own, template, body, sent, longest)
  local parameters = parameters_of(sent)
  if not body or body.text ~= nil then
    return check_text(own, template, body and body.text, parameters, "body", longest)
  end
  -- The text of an authentication template, which WhatsApp defines, has one placeholder for the code.
  if #parameters ~= 1 then return count_error(own, "body", #parameters, 1) end
  local most, parameter = own.code_characters, parameters[1]
  if most and parameter.type == "text" and message_rules.characters(parameter.text) > most then
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

-- Returns the largest number of characters that the text of a body may have. A body without other components may have
-- more characters. `parts` is a result of template_store.by_type.
local function longest_body(parts)
  for name, part in pairs(parts) do
    if name ~= "body" and next(part) ~= nil then return 1024 end
  end
  return 32768
end

-- Checks the header, the body and the buttons of a template message. Returns an error or nil. `known` has the parts of
-- the template, and `sent` the parts of the message, both from template_store.by_type.
local function check_parts(own, template, known, sent, longest)
  return check_header(own, template, known.header, sent.header)
    or check_body(own, template, known.body, sent.body, longest or longest_body(known))
    or check_buttons(own, template, known.buttons, sent.buttons)
end

-- Cloud -------------------------------------------------------------------------------------------

local CLOUD = { new_error = cloud_error, code_characters = 15,
  codes = { header = "parameter_mismatch", button_unknown = "template_parameters_invalid",
    button_missing = "parameter_missing" },
  sub_types = { OTP = "url", URL = "url", QUICK_REPLY = "quick_reply", COPY_CODE = "copy_code", FLOW = "flow",
    CATALOG = "catalog", MPM = "mpm", VOICE_CALL = "voice_call", ORDER_DETAILS = "order_details",
    PAYMENT_REQUEST = "payment_request" },
  needed = message_rules.set "PAYMENT_REQUEST COPY_CODE OTP FLOW MPM ORDER_DETAILS" }

local function check_carousel(template, known, sent)
  if not known then
    return sent and cloud_error("template_parameters_invalid", "carousel: the template has no carousel") or nil
  elseif not sent then
    return cloud_error("parameter_mismatch", "carousel is required: the template has a carousel")
  elseif #sent.cards ~= #known.cards and known.cards[1].components[1].format ~= "PRODUCT" then
    return cloud_error("parameter_count", "carousel: number of cards (%d) does not match the expected number (%d)",
      #sent.cards, #known.cards)
  end
  for i, card in ipairs(sent.cards) do
    local definition = known.cards[i] or known.cards[#known.cards]
    local found = check_parts(CLOUD, template, template_store.by_type(definition.components),
      template_store.by_type(card.components), 160)
    if found then
      found.details = ("carousel: card %d: %s"):format(i - 1, found.details)
      return found
    end
  end
end

local function check_offer(known, sent)
  if not known then
    return sent and cloud_error("template_parameters_invalid", "limited_time_offer: the template has no limited-time "
      .. "offer") or nil
  end
  local offer = known.limited_time_offer
  if type(offer) == "table" and offer.has_expiration == true and #template_store.parameters_of(sent) == 0 then
    return cloud_error("parameter_missing", "limited_time_offer: expiration_time_ms is required")
  end
end

-- Returns whether a template has a button that copies or fills in a code. Such a template can be sent only to a phone
-- number, not to a user id.
local function needs_number(template)
  for _, button in pairs(template_store.by_type(template.components).buttons) do
    if button.type == "OTP" or button.type == "URL" and template.category == "AUTHENTICATION" then return true end
  end
  return false
end

--- Checks a template message on Cloud hosting. Returns an error or nil, and the template if it exists. `store` has the
--- templates of the account.
function template_check.cloud(store, message)
  local content = message.template
  local template, reason = store:find_sendable(content.name, content.language.code)
  if not template then return reason end
  if not message.to and needs_number(template) then
    return cloud_error("user_id_unsupported",
      "to is required: a template with a code can be sent to phone numbers only")
  end
  local known, sent = template_store.by_type(template.components), template_store.by_type(content.components)
  return check_parts(CLOUD, template, known, sent) or check_offer(known.limited_time_offer, sent.limited_time_offer)
    or check_carousel(template, known.carousel, sent.carousel), template
end

-- On-Premise --------------------------------------------------------------------------------------

local ON_PREMISE = { new_error = on_premise_error, needed = { OTP = true },
  codes = { header = "component_missing", button_unknown = "buttons_unsupported", button_missing = "component_missing",
    url = "url_invalid" },
  sub_types = { QUICK_REPLY = "quick_reply", URL = "url", OTP = "url copy_code" } }

-- Returns an error if the document of a header is not a PDF file.
local function check_document(media, document)
  local kept = document.id and media:get(document.id)
  local extension = document.link and document.link:match("^[^?#]+/[^/?#]*%.(%w+)") or nil
  if kept and not kept.type:lower():find("^application/pdf") then
    return on_premise_error("media_unsupported", "header: media of type %s is not supported: expected a PDF document",
      kept.type)
  elseif extension and ("doc docx xls xlsx ppt pptx txt jpg jpeg png mp4"):find(extension:lower(), 1, true) then
    return on_premise_error("media_unsupported", "header: expected a PDF document")
  end
end

-- Checks the lengths of the parameters, whose limits do not depend on the template.
local function check_lengths(sent)
  for place, limit in pairs({ header = 60, body = longest_body(sent) }) do
    for i, parameter in ipairs(parameters_of(sent[place])) do
      if parameter.type == "text" and message_rules.characters(parameter.text) > limit then
        return on_premise_error("parameter_too_long", "%s: parameter %d has more than %d characters", place, i, limit)
      end
    end
  end
end

-- Returns the template with a name and language; or nil and an error, for example for an invalid namespace.
local function find(store, name, language, namespace)
  if namespace and namespace ~= store.gateway.options.namespace and (store.names[name] or not store.any) then
    return nil, on_premise_error("parameter_invalid",
      "Parameter 'template.namespace' is not the namespace of this account")
  end
  return store:find_sendable(name, language)
end

--- Checks the field `template` of a message on On-Premise hosting. Returns an error or nil, and the template if it
--- exists.
function template_check.on_premise(store, content)
  if not content.namespace and not store.gateway:version_at_least(2, 41) then
    return on_premise_error("namespace_empty", "Parameter 'template.namespace' is mandatory")
  end
  local sent = template_store.by_type(content.components)
  local found = check_lengths(sent)
  if found then return found end
  local template, reason = find(store, content.name, content.language.code, content.namespace)
  if not template then return reason end
  local header = parameters_of(sent.header)[1]
  local known = template_store.by_type(template.components)
  return check_parts(ON_PREMISE, template, known, sent)
    or known.header and known.header.format == "DOCUMENT" and check_document(store.gateway.media, header.document)
    or nil, template
end

--- Checks the field `hsm` of a message of the older type hsm. Returns an error or nil, and the template if it exists.
function template_check.hsm(store, content)
  local template, found = find(store, content.element_name, content.language.code, content.namespace)
  if not template then return found end
  local body = template_store.by_type(template.components).body
  local count, wanted = #content.localizable_params, #variables(body and body.text)
  if count ~= wanted then
    found = on_premise_error("parameter_count", "localizable_params: has %d elements, the template has %d variables",
      count, wanted)
  end
  return found, template
end

return template_check
