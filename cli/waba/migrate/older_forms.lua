-- Converts older forms of messages, which only On-Premise hosting accepts, to the current forms: HSM messages, and
-- older forms of template parameters (on-premise.md, sections 2.7 and 2.8).

local builders = require "waba.message"

local function is_table(value)
  return type(value) == "table"
end

-- Returns a date in the current form. In the older form, the fields of the date are in a table `component` or
-- `unix_epoch` inside the date.
local function flat_date(date)
  local inner = date.component or date.unix_epoch
  if not is_table(inner) then return date end
  local flat = {}
  for name, value in pairs(inner) do flat[name] = value end
  for name, value in pairs(date) do
    if name ~= "component" and name ~= "unix_epoch" then flat[name] = value end
  end
  return flat
end

local function parameter_of(localizable)
  if not is_table(localizable) then return localizable end
  local default, currency, date = localizable.default, localizable.currency, localizable.date_time
  if is_table(currency) then
    return builders.currency {
      fallback_value = default, code = currency.currency_code or currency.code, amount_1000 = currency.amount_1000,
    }
  elseif is_table(date) then
    local content = flat_date(date)
    if content == date then content = builders.date_time(date).date_time end
    content.fallback_value = default
    return { type = "date_time", date_time = content }
  end
  return { type = "text", text = default }
end

local KNOWN_HSM = { namespace = true, element_name = true, language = true, localizable_params = true }

local function modernize_hsm(message, lacking)
  local hsm = message.hsm
  if not is_table(hsm) then return message end
  local body = {}
  for i, value in ipairs(is_table(hsm.localizable_params) and hsm.localizable_params or {}) do
    body[i] = parameter_of(value)
  end
  for name in pairs(hsm) do
    if not KNOWN_HSM[name] then
      lacking[#lacking + 1] = { path = "hsm." .. tostring(name), why = "a template has no such field; it is left out" }
    end
  end
  return builders.template { name = hsm.element_name, language = hsm.language, body = body }
end

local function modernize_parameter(parameter)
  if not is_table(parameter) then return end
  local currency = parameter.currency
  if is_table(currency) and currency.code == nil then
    currency.code, currency.currency_code = currency.currency_code, nil
  end
  if is_table(parameter.date_time) then parameter.date_time = flat_date(parameter.date_time) end
end

local function modernize_template(message)
  local template = message.template
  if not is_table(template) then return message end
  if is_table(template.language) then template.language.policy = nil end
  for _, component in ipairs(is_table(template.components) and template.components or {}) do
    local parameters = is_table(component) and component.parameters
    if is_table(parameters) then
      -- older programs may have written a single parameter instead of a list
      if parameters.type ~= nil then
        parameters = { parameters }
        component.parameters = parameters
      end
      for _, parameter in ipairs(parameters) do modernize_parameter(parameter) end
    end
  end
  return message
end

--- Converts a message to the current form. Returns the converted message.
---@param message waba.Message  the function changes this table
---@param lacking waba.migrate.Lack[]  the list to which the fields without a counterpart are added
return function(message, lacking)
  if message.type == "hsm" then message = modernize_hsm(message, lacking) end
  if message.type == "template" then return modernize_template(message) end
  -- older programs may have written a single card instead of a list
  if message.type == "contacts" and is_table(message.contacts) and message.contacts.name ~= nil then
    message.contacts = { message.contacts }
  end
  return message
end
