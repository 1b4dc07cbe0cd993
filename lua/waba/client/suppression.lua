-- Decides whether a message must not be sent because its recipient wants no marketing messages.

local suppression = {}

-- Returns whether the definition of a message's template has the category marketing. Nothing is fetched.
local function is_for_marketing(client, message)
  local templates = rawget(client, "templates")
  local known = templates and templates.known and templates.known[message.template.name]
  local _, definition = next(known or {}) -- all languages of a template have the same category
  return definition ~= nil and type(definition.category) == "string" and definition.category:upper() == "MARKETING"
end

--- Returns the reason why a message must not be sent.
---@param receiver waba.Receiver
---@param client waba.Client
---@param to any
---@param message waba.Message
---@param is_marketing boolean|nil  true: the template is for marketing; by default its definition decides, if the client has it
---@return string|false|nil reason  false: the message may be sent
---@return waba.Error? err
function suppression.reason(receiver, client, to, message, is_marketing)
  if message.type ~= "template" or type(message.template) ~= "table" then return false end
  if is_marketing == nil then is_marketing = is_for_marketing(client, message) end
  if not is_marketing then return false end
  if type(to) == "table" and to.group_id then return false end
  local own = type(client.own_number) == "table" and client.own_number.number
  local reason, err = receiver:suppressed(to, own or type(client.expected_number) == "string"
    and client.expected_number or nil)
  if reason == nil and err.kind == "invalid" then return false end -- `send` reports it
  return reason, err
end

return suppression
