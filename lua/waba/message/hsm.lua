-- The builder of template messages in the form that the platform used before 2022 (type hsm).

local parts = require "waba.message.parts"

local copy, is_table, positions, wire_string = parts.copy, parts.is_table, parts.positions, parts.wire_string

local message = {}

-- Converts a parameter of a template to the form of hsm, in which the fallback is beside the value and some names differ.
local function localizable(value)
  if not is_table(value) then return { default = wire_string(value) } end
  local kind = value.type
  local content = kind and value[kind]
  if kind == "text" then return { default = wire_string(content) } end
  if not is_table(content) or (kind ~= "currency" and kind ~= "date_time") then return copy(value) end
  content = copy(content)
  local default = content.fallback_value
  content.fallback_value = nil
  if kind == "currency" then
    content.currency_code, content.code = content.code, nil
    return { default = default, currency = content }
  end
  if content.timestamp ~= nil then return { default = default, date_time = { unix_epoch = content } } end
  if next(content) == nil then return { default = default } end
  return { default = default, date_time = { component = content } }
end

--- Creates a template message in the form that the platform used before 2022. New programs use `waba.template`.
---@param content { namespace: string, element_name: string, language: string|table, params: any[]?, localizable_params: table[]? }
---  params: the values of the placeholders, in the form of `body` of `waba.template`; localizable_params: the values in
---  the platform's form, instead of params
---@return waba.Message
function message.hsm(content)
  content = copy(content)
  if not is_table(content) then return { type = "hsm", hsm = content } end
  content.language = parts.language(content.language)
  if is_table(content.params) and content.localizable_params == nil then
    local list = {}
    for i = 1, positions(content.params) do list[i] = localizable(content.params[i]) end
    content.localizable_params, content.params = list, nil
  end
  return { type = "hsm", hsm = content }
end

return { builders = message }
