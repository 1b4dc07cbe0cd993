-- Validates the body of POST /v1/messages: the frame, the content of its type, and nothing beside.

local rules = require "waba.emulator.on_premise.rules"
local walker = require "waba.emulator.on_premise.walker"

local validate = {}

-- One rule of the frame for each type: with its content as the only further field.
local frames = {}
for name in pairs(rules.content) do
  frames[name] = { type = "object", fields = rules.envelope.fields, extra = { [name] = true },
    refuses = rules.envelope.refuses }
end

--- Finds the first fault of a message.
---@param message any            decoded JSON
---@param context? { find_media: function?, find_products: function? }
---  find_media(id, kind, path) and find_products(action, path) return a fault for what they don't know
---@return waba.emulator.Fault|nil fault
---@return string? type           of the message, when there is no fault
function validate.message(message, context)
  context = context or {}
  if type(message) ~= "table" or message[1] ~= nil then
    return walker.fault(1025, "the body must be a JSON object")
  end
  local name = message.type
  if walker.absent(name) then
    name = "text"
    if walker.absent(message.text) then
      return walker.fault(1008, "Parameter 'type' is mandatory for all messages but text")
    end
  end
  context.type = type(name) == "string" and name or nil
  local frame = frames[name] or rules.envelope
  local fault = walker.walk(message, frame, "", context)
  if not fault then
    fault = walker.walk(message[name], rules.content[name], name, context) or rules.check_together(message)
  end
  return fault, not fault and name or nil
end

return validate
