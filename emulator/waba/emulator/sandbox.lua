-- What 360dialog's sandbox allows (cloud.md, section 1.5): one number, texts and text
-- templates, and not many of them.

local sandbox = {}

local MOST = { text = 200, template = 10 }

---@class waba.emulator.Sandbox
---@field number string|nil  the only one that can be written to; nil: the first that is
---@field text integer
---@field template integer

--- Makes the sandbox of an option `sandbox`, if it asks for one.
---@param option boolean|string
---@return waba.emulator.Sandbox|nil
function sandbox.new(option)
  if not option then return nil end
  local number = type(option) == "string" and option:gsub("%D", "") or nil
  return { number = number, text = 0, template = 0 }
end

local function is_text_template(message)
  for _, component in ipairs(type(message.template.components) == "table" and message.template.components or {}) do
    local parameters = component.type == "header" and component.parameters
    if type(parameters) == "table" and parameters[1] and parameters[1].type ~= "text" then
      return false
    end
  end
  return true
end

--- Why a message can't be sent from the sandbox, if there is one. Counts those that can.
---@param self waba.emulator.Sandbox|nil
---@param wa_id string
---@param kind string
---@param message table
---@return string|nil problem
---@return boolean? elsewhere  the recipient is the problem
function sandbox.problem(self, wa_id, kind, message)
  if not self then return nil end
  self.number = self.number or wa_id
  if wa_id ~= self.number then
    return "The sandbox sends to the number that requested the key only", true
  elseif not MOST[kind] or kind == "template" and not is_text_template(message) then
    return "The sandbox sends texts and text templates only"
  elseif self[kind] >= MOST[kind] then
    return ("The sandbox sends at most %d %s messages"):format(MOST[kind], kind)
  end
  self[kind] = self[kind] + 1
end

return sandbox
